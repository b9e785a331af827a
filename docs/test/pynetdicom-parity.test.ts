import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { HOOK_CATALOG, HOOK_NAMES } from '@dicomtap/framework'
import { prose, readPage, ROOT } from './pages.js'
import { mappedNames, problemWith, unknownToTypes } from './pynetdicom.js'

const page = readPage('docs/guides/coming-from-pynetdicom.md')
const rows = mappedNames(page)
/** Names of pynetdicom's public surface, by the section of the guide that maps them. */
const surface = JSON.parse(readFileSync(join(ROOT, 'docs/test/fixtures/pynetdicom-surface.json'), 'utf8')) as Readonly<Record<string, readonly string[]>>

test('every name of pynetdicom is in its section of the guide, and no other', (t) => {
  t.deepEqual([...new Set(rows.map(({ section }) => section))], Object.keys(surface))
  for (const [section, names] of Object.entries(surface)) {
    const mapped = rows.filter((row) => row.section === section).flatMap((row) => row.names)
    t.deepEqual([...mapped].sort(), [...names].sort(), section)
  }
})

test('a name has a counterpart, or the guide says why not', (t) => {
  for (const { section, targets, cells } of rows) {
    t.is(cells.length, 3, `${section}: ${cells.join(' | ')}`)
    const [name = '', dicomtap = '', differs = ''] = cells
    if (targets.length === 0) t.true(dicomtap === 'none' && differs.trim().length > 10, `${section}: ${name}`)
    else t.is(dicomtap.replaceAll(/`[^`]+`/g, '').replaceAll(', ', ''), '', `${section}: ${name}: names only`)
  }
})

test('every counterpart exists', async (t) => {
  const inWords = [...rows.map(({ cells }) => cells[2]), ...prose(page).split('\n').filter((line) => !line.startsWith('|'))]
    .flatMap((words) => [...(words ?? '').matchAll(/`([A-Z]\w*\.\w+|@dicomtap\/[^`]+)`/g)])
    .map(([, name = '']) => name)
  const targets = [...new Set([...rows.flatMap((row) => row.targets), ...inWords])]
  t.true(targets.length > 200)
  const typed: string[] = []
  for (const target of targets) {
    const problem = problemWith(target)
    if (problem === 'types') typed.push(target)
    else t.is(problem, undefined, target)
  }
  t.deepEqual(await unknownToTypes(typed), [])
})

test('what does not exist is found', async (t) => {
  const wrong = ['limits.maximumNothing', 'DICOMTAP_ERR_NO_SUCH', '@dicomtap/plugin-nothing', '@dicomtap/plugin-storage: nothing', 'dicomtap nothing', 'dicomtap echo --nothing', 'dicomtap echo <nothing>', 'dicomtap index nothing', 'dicomtap index delete --nothing', '--repeat']
  for (const target of wrong) t.not(problemWith(target), undefined, target)
  const unknown = ['NothingLikeIt', 'Association.nothing', 'AssociateOptions.limits.nothing', 'presentationContexts.nothing', 'nothing']
  t.deepEqual((await unknownToTypes([...unknown, 'Association.release', 'presentationContexts.storage'])).sort(), [...unknown].sort())
})

test('events are mapped as the catalog of hooks says', (t) => {
  const events = Object.values(surface).flat().filter((name) => name.startsWith('EVT_'))
  t.true(events.length > 25)
  const inCatalog = HOOK_NAMES.flatMap((hook) => HOOK_CATALOG[hook].pynetdicom ?? [])
  t.deepEqual([...new Set(inCatalog)].sort(), [...events].sort())
  for (const event of events) {
    const [row, ...others] = rows.filter(({ names }) => names.includes(event))
    t.deepEqual(row?.targets, HOOK_NAMES.filter((hook) => HOOK_CATALOG[hook].pynetdicom === event), event)
    t.deepEqual(others, [], event)
  }
})
