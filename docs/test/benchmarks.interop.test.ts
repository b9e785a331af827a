import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { run } from './examples.js'
import { ROOT } from './pages.js'

const isInstalled = spawnSync('dcmqrscp', ['--version']).error === undefined
if (!isInstalled && process.env['DICOMTAP_REQUIRE_DCMTK'] === '1') throw new Error('DCMTK is not installed')
if (!isInstalled) process.stderr.write('SKIPPED: DCMTK is not installed, the benchmark of retrievals is not tried out beside it\n')
const interop = isInstalled ? test : test.skip

const folder = mkdtempSync(join(tmpdir(), 'dicomtap-benchmarks-'))
test.after.always(() => rmSync(folder, { recursive: true, force: true }))

interface QueryResult {
  readonly query?: string
  readonly runs?: readonly { readonly matches: number; readonly firstMs: number }[]
}

test('the benchmark of queries gets the matches that its instances have', async (t) => {
  t.timeout(60_000)
  // 30 studies of 4 series of 20 instances, of 10 patients with 3 studies each.
  const args = ['benchmarks/query.bench.mjs', '--instances', '2400', '--databases', 'sqlite', '--repetitions', '3', '--directory', join(folder, 'query'), '--json', '-']
  const { code, stdout, stderr } = await run(process.execPath, args, { cwd: ROOT })
  t.is(code, 0, stderr)
  const results = (JSON.parse(stdout) as QueryResult[]).filter(({ query }) => query !== undefined)
  t.is(results.length, 12)
  const expected: Readonly<Record<string, number>> = {
    'study by StudyInstanceUID': 1,
    'studies of a PatientID': 3,
    'study by AccessionNumber': 1,
    'patient by PatientID': 1,
    'series of a study': 4,
    'instances of a series': 20,
    'all studies': 30,
  }
  for (const [name, matches] of Object.entries(expected)) {
    const runs = results.find(({ query }) => query === name)?.runs ?? []
    t.true(runs.length > 0 && runs.every((one) => one.matches === matches && one.firstMs > 0), `${name}: ${JSON.stringify(runs)}`)
  }
  for (const { query, runs = [] } of results) if (!/CT|MR/.test(query ?? '')) t.true(runs.every(({ matches }) => matches > 0), query)
})

interop('the benchmark of archives stores and gets back everything, from dicomtap and from dcmqrscp', async (t) => {
  t.timeout(60_000)
  const json = join(folder, 'retrieve.json')
  const args = ['benchmarks/retrieve.bench.mjs', '--archives', 'dicomtap,dcmqrscp', '--workloads', 'small', '--tasks', 'store1,get,move', '--scale', '0.01', '--repetitions', '1', '--directory', join(folder, 'retrieve'), '--json', json]
  const { code, stdout, stderr } = await run(process.execPath, args, { cwd: ROOT })
  t.is(code, 0, stderr)
  const results = JSON.parse(readFileSync(json, 'utf8')) as readonly { readonly archive: string; readonly task: string; readonly error?: string; readonly messagesPerSecond?: number }[]
  t.deepEqual(
    results.map(({ archive, task }) => `${archive} ${task}`),
    ['dicomtap', 'dcmqrscp'].flatMap((archive) => ['store1', 'get', 'move'].map((task) => `${archive} ${task}`)),
  )
  for (const { error, messagesPerSecond } of results) t.true(error === undefined && (messagesPerSecond ?? 0) > 0, `${error}\n${stdout}`)
})
