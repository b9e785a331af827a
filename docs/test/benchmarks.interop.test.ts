import { execFile, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import test from 'ava'
import { run } from './examples.js'
import { ROOT } from './pages.js'

const isInstalled = spawnSync('dcmqrscp', ['--version']).error === undefined
if (!isInstalled && process.env['DICOMTAP_REQUIRE_DCMTK'] === '1') throw new Error('DCMTK is not installed')
if (!isInstalled) process.stderr.write('SKIPPED: DCMTK is not installed, the benchmark of retrievals is not tried out beside it\n')
// Not at once: each has servers and a generator, and the machine may have two cores.
const interop = isInstalled ? test.serial : test.skip

const folder = mkdtempSync(join(tmpdir(), 'dicomtap-benchmarks-'))
test.after.always(() => rmSync(folder, { recursive: true, force: true }))

interface QueryResult {
  readonly query?: string
  readonly runs?: readonly { readonly matches: number; readonly firstMs: number }[]
}

interface BenchResult {
  readonly server: string
  readonly phase: string
  readonly messages?: number
  readonly failures?: unknown
  readonly cpuSeconds?: number
  readonly messagesPerSecond?: number
}
interface FlameGraphs {
  flameGraph(profile: object, title: string): string
  selfTimes(profile: object): { name: string; share: number }[]
}

test('the benchmark of queries gets the matches that its instances have', async (t) => {
  t.timeout(160_000)
  // 30 studies of 4 series of 20 instances, of 10 patients with 3 studies each.
  const args = ['benchmarks/query.bench.mjs', '--instances', '2400', '--databases', 'sqlite', '--repetitions', '3', '--directory', join(folder, 'query'), '--json', '-']
  const { code, stdout, stderr } = await run(process.execPath, args, { cwd: ROOT, limitMs: 150_000 })
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

interop('npm run bench measures who is there, in turns, and writes a report with charts', async (t) => {
  t.timeout(160_000)
  const out = join(folder, 'report')
  const args = ['benchmarks/bench.mjs', '--quick', '--only', 'a,c', '--repetitions', '1', '--directory', join(folder, 'bench'), '--out', out]
  // Not by a signal that it cannot hear: it has servers to end.
  await promisify(execFile)(process.execPath, args, { cwd: ROOT, timeout: 150_000 })
  const parts = JSON.parse(readFileSync(join(out, 'performance/results.json'), 'utf8')) as Readonly<Record<string, { readonly results: readonly BenchResult[] }>>
  for (const [workload, messages] of Object.entries({ a: 2000, c: 210 })) {
    const results = parts[workload]?.results ?? []
    for (const server of ['dicomtap', 'embedded', 'storescp+B-128k']) {
      for (const phase of ['cold', 'warm']) {
        const own = results.filter((one) => one.server === server && one.phase === phase)
        t.deepEqual(own.map((one) => one.messages), [messages], `${workload} ${server} ${phase}: ${JSON.stringify(own)}`)
        t.true(own.every(({ failures, cpuSeconds = 0, messagesPerSecond = 0 }) => failures === undefined && cpuSeconds > 0 && messagesPerSecond > 0))
      }
    }
    const chart = readFileSync(join(out, 'performance', `${workload}.svg`), 'utf8')
    t.regex(chart, /^<svg [^]*<\/svg>\n$/)
    t.true(chart.includes('>storescp+B-128k<') && chart.includes(' warm<'))
  }
  const report = readFileSync(join(out, 'performance.md'), 'utf8')
  // Messages per second beside storescp, cold and warm: each met or not, with its ratio.
  t.regex(report, /^\| a +\| messages per second +\| `dicomtap` +\| `storescp\+B-128k` +\| ≥ 1\.3 x +\| (?:(?:\*\*met\*\*|not met): [\d.]+ \([\d.]+-[\d.]+\) +\| ?){2}$/m)
  t.true(report.includes('](performance/c.svg)'))
})

test('a flame graph has the frames of a profile, as wide as they took', async (t) => {
  const { flameGraph, selfTimes } = (await import(new URL('../../benchmarks/bench/flame-graph.mjs', import.meta.url).href)) as FlameGraphs
  const frame = (functionName: string, url = ''): object => ({ functionName, url, lineNumber: 9 })
  const profile = {
    nodes: [
      { id: 1, callFrame: frame('(root)'), children: [2, 4, 5] },
      { id: 2, callFrame: frame('receive', 'file:///a/packages/framework/dist/dul/inflow.js'), children: [3] },
      { id: 3, callFrame: frame('writev<1>') },
      { id: 4, callFrame: frame('(idle)') },
      { id: 5, callFrame: frame('(garbage collector)') },
    ],
    // 100 us in receive, 200 in what it calls, 5000 idle, 100 collecting.
    samples: [2, 3, 4, 5],
    timeDeltas: [100, 200, 5000, 100],
  }
  t.deepEqual(selfTimes(profile), [
    { name: 'writev<1>, called by receive', share: 0.5 },
    { name: 'receive framework/dul/inflow.js:10', share: 0.25 },
    { name: '(garbage collector)', share: 0.25 },
  ])
  const picture = flameGraph(profile, 'one & two')
  t.true(picture.includes('<title>receive framework/dul/inflow.js:10: 75.0 %</title><rect class="f" x="0"'))
  t.true(picture.includes('width="750"') && picture.includes('width="500"') && picture.includes('width="250"'))
  t.true(picture.includes('writev&lt;1&gt;') && picture.includes('one &amp; two') && !picture.includes('(idle)'))
})

interop('the benchmark of archives stores and gets back everything, from dicomtap and from dcmqrscp', async (t) => {
  t.timeout(160_000)
  const json = join(folder, 'retrieve.json')
  const args = ['benchmarks/retrieve.bench.mjs', '--archives', 'dicomtap,dcmqrscp', '--workloads', 'small', '--tasks', 'store1,get,move', '--scale', '0.01', '--repetitions', '1', '--directory', join(folder, 'retrieve'), '--json', json]
  const { code, stdout, stderr } = await run(process.execPath, args, { cwd: ROOT, limitMs: 150_000 })
  t.is(code, 0, stderr)
  const results = JSON.parse(readFileSync(json, 'utf8')) as readonly { readonly archive: string; readonly task: string; readonly error?: string; readonly messagesPerSecond?: number }[]
  t.deepEqual(
    results.map(({ archive, task }) => `${archive} ${task}`),
    ['dicomtap', 'dcmqrscp'].flatMap((archive) => ['store1', 'get', 'move'].map((task) => `${archive} ${task}`)),
  )
  for (const { error, messagesPerSecond } of results) t.true(error === undefined && (messagesPerSecond ?? 0) > 0, `${error}\n${stdout}`)
})
