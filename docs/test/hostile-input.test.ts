import test from 'ava'
import type { ApplicationEntityOptions } from '@dicomtap/framework'
import { TO_ASSOCIATE, TO_REQUESTS } from './hostile-input/answer-rows.js'
import { outcomeOf } from './hostile-input/answer-scenario.js'
import { FIRST_BYTES, FIXED_FIELDS, ITEMS, USER_INFORMATION } from './hostile-input/association-rows.js'
import { IDENTIFIERS } from './hostile-input/identifier-rows.js'
import { answerToIdentifier, startArchive } from './hostile-input/identifier-scenario.js'
import { REQUESTS } from './hostile-input/request-rows.js'
import { answerTo } from './hostile-input/scenario.js'
import { COMMAND_SETS, P_DATA, PDUS } from './hostile-input/transfer-rows.js'
import { readPage, tableRows } from './pages.js'

/** What a peer sends to this side as acceptor, by the heading of its table in the page. */
const TO_ACCEPTOR = {
  'Before an association': FIRST_BYTES,
  'The association request': FIXED_FIELDS,
  'Its items': ITEMS,
  'Its user information': USER_INFORMATION,
  'PDUs in an association': PDUS,
  'P-DATA': P_DATA,
  'Command sets': COMMAND_SETS,
  'Requests': REQUESTS,
} as const

/** What a peer answers to this side as requestor. */
const TO_REQUESTOR = {
  'Answers to an association request of this side': TO_ASSOCIATE,
  'Answers to requests of this side': TO_REQUESTS,
} as const

const page = readPage('docs/reference/hostile-input.md')

/** The rows of the table below a heading: what is sent, what comes of it, the clause last. */
function tableOf(heading: string): Map<string, string[]> {
  const section = page.text.split(/^#+ /m).find((text) => text.startsWith(`${heading}\n`)) ?? ''
  return new Map(
    tableRows({ path: page.path, text: section })
      .slice(1)
      .map(([sends = '', ...rest]) => [sends, rest]),
  )
}

/** The page also says when, and what else becomes of it. */
const bare = (cell = 'no row in the page'): string => cell.replace(/(;| after `).*$/, '')

/** Short time-outs are kept when nothing else runs. */
const alone = (scenario: { readonly options?: ApplicationEntityOptions }): typeof test.serial => (scenario.options?.timeouts === undefined ? test : test.serial)

for (const [heading, scenarios] of Object.entries(TO_ACCEPTOR)) {
  const rows = tableOf(heading)
  for (const [sends, scenario] of Object.entries(scenarios)) {
    alone(scenario)(`${heading}: ${sends}`, async (t) => {
      t.is(await answerTo(scenario), bare(rows.get(sends)?.[0]))
    })
  }
}

for (const [heading, scenarios] of Object.entries(TO_REQUESTOR)) {
  const rows = tableOf(heading)
  for (const [sends, scenario] of Object.entries(scenarios)) {
    alone(scenario)(`${heading}: ${sends}`, async (t) => {
      const [gets, caller] = rows.get(sends) ?? []
      t.deepEqual(await outcomeOf(scenario), [bare(gets), bare(caller)])
    })
  }
}

let archive: Awaited<ReturnType<typeof startArchive>> | undefined
test.before(async () => {
  archive = await startArchive()
})
test.after.always(() => archive?.[Symbol.asyncDispose]())

const QUERIES = 'Identifiers of queries and retrievals'
const identifierRows = tableOf(QUERIES)
for (const [sends, scenario] of Object.entries(IDENTIFIERS)) {
  test(`${QUERIES}: ${sends}`, async (t) => {
    const { server } = archive as NonNullable<typeof archive>
    t.is(await answerToIdentifier(server, scenario), identifierRows.get(sends)?.[0] ?? 'no row in the page')
    t.deepEqual(server.logged('error'), [])
  })
}

test('every row of these tables is tested, in the order of the page, and names the clause it comes from', (t) => {
  for (const [heading, scenarios] of Object.entries({ ...TO_ACCEPTOR, ...TO_REQUESTOR, [QUERIES]: IDENTIFIERS })) {
    const rows = tableOf(heading)
    t.deepEqual([...rows.keys()], Object.keys(scenarios), heading)
    for (const [sends, cells] of rows) t.regex(cells.at(-1) ?? '', /^(PS3\.\d+ (\d|[A-F]|table)|this side)/, sends)
  }
})
