// Puts the same queries to dicomtap, DCMTK's dcmqrscp and Orthanc, over the same made corpus, and prints where their
// answers are not what the files say. All three run on 127.0.0.1, with their data in a temporary folder.
//
//   npm run build && node scripts/compare-pacs.mjs [--list] [--seed N]
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { ROOT } from './workspaces.mjs'

const { values } = parseArgs({ options: { list: { type: 'boolean', default: false }, seed: { type: 'string', default: '1' } } })
const orthanc = existsSync('/usr/sbin/Orthanc') ? '/usr/sbin/Orthanc' : 'Orthanc'
const missing = ['findscu', 'storescu', 'dcmdump', 'dcmqrscp', orthanc].filter((name) => spawnSync(name, ['--version']).error !== undefined)
if (missing.length > 0) {
  console.error(`${missing.join(', ')} not installed: apt-get install dcmtk orthanc`)
  process.exit(1)
}

const tests = join(ROOT, 'packages/plugin-query-retrieve/dist-test/interop/support')
const { compareArchives } = await import(join(tests, 'compare.js'))
const { DEVIATION_KINDS, inWords, kindOf } = await import(join(tests, 'deviation-kinds.js'))

const folder = await mkdtemp(join(tmpdir(), 'dicomtap-compare-'))
try {
  const { queries, deviations } = await compareArchives(folder, Number(values.seed))
  console.log(`${queries} queries; of how many each archive answers something else than the files say:\n`)
  const archives = ['dicomtap', 'dcmqrscp', 'Orthanc']
  const row = (cells) => console.log(`| ${cells.join(' | ')} |`)
  row(['', ...archives])
  row(['---', ...archives.map(() => '---')])
  const count = (matches) => archives.map((archive) => new Set(deviations.filter((one) => one.archive === archive && matches(one)).map(({ query }) => query)).size)
  for (const kind of DEVIATION_KINDS) row([kind.title, ...count((one) => kindOf(one) === kind)])
  row(['not explained', ...count((one) => kindOf(one) === undefined)])
  row(['all together', ...count(() => true)])
  if (values.list) for (const one of deviations) console.log(`${kindOf(one)?.title ?? 'not explained'}: ${inWords(one)}`)
} finally {
  await rm(folder, { recursive: true, force: true })
}
