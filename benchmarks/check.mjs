#!/usr/bin/env node
// `npm run bench:check`: fails when the server takes more than it used to, by figures that neither the machine nor other
// work on it changes. See README.md.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { generator } from './bench/generator.mjs'
import { runLoad } from './bench/run-load.mjs'
import { freePort } from './bench/server-process.mjs'
import { markdown } from './bench/tables.mjs'

const KIB = 1024
const LIMITS = JSON.parse(readFileSync(new URL('./check/limits.json', import.meta.url), 'utf8'))
const SERVER = fileURLToPath(new URL('./check/server.mjs', import.meta.url))
const USAGE = `npm run bench:check -- [options]

  --prove   check a second server as well, one that allocates more than it needs to: fails unless that is noticed
  --json    the figures as one line of JSON`

const { values } = parseArgs({
  options: { prove: { type: 'boolean', default: false }, json: { type: 'boolean', default: false }, help: { type: 'boolean', short: 'h', default: false } },
})
if (values.help) {
  console.error(USAGE)
  process.exit(0)
}
for (const [signal, code] of [['SIGINT', 130], ['SIGTERM', 143]]) process.once(signal, () => process.exit(code))

const ROUNDS = 5
const ATTEMPTS = 4
/** Room for everything that is allocated in one run: nothing is collected meanwhile, so that nothing is forgotten. */
const NEW_SPACE_MIB = 256
const SHORT_PDU_BYTES = 16 * KIB
const LARGE_BYTES = 512 * KIB

/** What runs: how often to warm up, and what is counted in it. */
const store = (n, size, ...more) => ['store', '--n', String(n), '--size', String(size), '--pdu', String(128 * KIB), ...more]
const LOADS = {
  echo: { load: ['echo', '--n', '2000'], messages: 2000, warmUps: 4 },
  association: { load: ['assoc', '--n', '200'], messages: 200, warmUps: 8 },
  small: { load: store(500, 8 * KIB), messages: 500, warmUps: 8 },
  large: { load: store(60, LARGE_BYTES), messages: 60, warmUps: 8, isForCpu: true },
  // So few that the memory outside the heap, which is collected by other rules, is not either.
  fewLarge: { load: store(8, LARGE_BYTES), messages: 8, warmUps: 4 },
  pdvs: { load: ['store', '--n', '8', '--size', String(LARGE_BYTES), '--pdu', String(SHORT_PDU_BYTES)], messages: 8, warmUps: 24 },
}
const PDVS = Math.ceil(LARGE_BYTES / (SHORT_PDU_BYTES - 6))

console.error(`load generator in ${generator().language}, Node ${process.version}`)
const figures = await measure([], ROUNDS)
report(figures)
const above = exceeded(figures)
for (const name of above) console.error(`${name}: ${figures[name].toFixed(2)} is more than ${LIMITS[name].limit}`)
if (above.length > 0) process.exitCode = 1
if (values.prove) {
  const handicapped = exceeded(await measure(['--handicap'], 1))
  if (handicapped.length === 0) {
    console.error('A server that allocates 8 KiB more for each read was not noticed: the limits are too wide')
    process.exitCode = 1
  } else {
    console.log(`proof: a server that allocates more for each read exceeds ${handicapped.join(', ')}`)
  }
}
if (process.exitCode === undefined) console.log('bench:check: all figures within their limits')

/** Figures by name, of a server of its own, the least of so many rounds. */
async function measure(options, times) {
  const directory = mkdtempSync(join(tmpdir(), 'dicomtap-check-'))
  process.once('exit', () => rmSync(directory, { recursive: true, force: true }))
  const [port, referencePort] = [await freePort(), await freePort()]
  const child = fork(SERVER, ['--port', String(port), '--reference-port', String(referencePort), '--directory', directory, ...options], {
    // Nor is any collected because the process has been idle.
    execArgv: ['--expose-gc', '--no-memory-reducer', `--max-semi-space-size=${NEW_SPACE_MIB}`, `--min-semi-space-size=${NEW_SPACE_MIB}`],
  })
  await once(child, 'message')
  const ask = async (question) => {
    child.send(question)
    return (await once(child, 'message'))[0]
  }
  const run = async ({ load }, at) => {
    const { error, failures } = await runLoad(load, { port: at, timeoutSeconds: 60 })
    if (error !== undefined || failures !== undefined) throw new Error(`${load.join(' ')}: ${error ?? JSON.stringify(failures)}`)
  }
  const used = async (what, at) => {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      await ask('collect')
      const before = await ask('usage')
      await run(what, at)
      const after = await ask('usage')
      const of = (field) => (after[field] - before[field]) / what.messages
      // Of the bare receiver, and of some loads, the CPU alone is of interest.
      if (at === referencePort || what.isForCpu === true || after.collections === before.collections) return { bytes: of('allocatedBytes'), writes: of('writes'), cpu: of('cpuSeconds') }
    }
    throw new Error(`garbage was collected in each run of ${what.load.join(' ')}: the new space is too small`)
  }
  try {
    for (const what of Object.values(LOADS)) {
      for (let count = 0; count < what.warmUps; count++) for (const at of [port, referencePort]) await run(what, at)
    }
    const rounds = Object.fromEntries(Object.keys(LOADS).map((name) => [name, { own: [], reference: [] }]))
    for (let round = 0; round < times; round++) {
      for (const [name, what] of Object.entries(LOADS)) {
        rounds[name].own.push(await used(what, port))
        rounds[name].reference.push(await used(what, referencePort))
      }
    }
    return figuresOf(rounds)
  } finally {
    child.disconnect()
    await once(child, 'exit')
    rmSync(directory, { recursive: true, force: true })
  }
}

function figuresOf(rounds) {
  // What disturbs adds to all of these: the least is the truest.
  const least = (name, who, field) => Math.min(...rounds[name][who].map((one) => one[field]))
  const bytes = (name) => least(name, 'own', 'bytes')
  const cpu = (name) => least(name, 'own', 'cpu') / least(name, 'reference', 'cpu')
  const writes = least('echo', 'own', 'writes')
  return {
    bytesPerEcho: bytes('echo'),
    bytesPerAssociation: bytes('association'),
    bytesPerSmallStore: bytes('small'),
    bytesPerLargeStore: bytes('fewLarge'),
    bytesPerPdv: (bytes('pdvs') - bytes('fewLarge')) / (PDVS - Math.ceil(LARGE_BYTES / (128 * KIB - 6))),
    ...(Number.isFinite(writes) ? { writesPerEcho: writes, writesPerSmallStore: least('small', 'own', 'writes') } : {}),
    cpuOfEcho: cpu('echo'),
    cpuOfAssociation: cpu('association'),
    cpuOfSmallStore: cpu('small'),
    cpuOfLargeStore: cpu('large'),
  }
}

function exceeded(found) {
  return Object.keys(found).filter((name) => found[name] > LIMITS[name].limit)
}

function report(found) {
  if (values.json) {
    console.log(JSON.stringify(found))
    return
  }
  const rows = Object.entries(found).map(([name, value]) => [LIMITS[name].what, value.toFixed(value < 100 ? 2 : 0), String(LIMITS[name].limit)])
  console.log(`${markdown(['', 'now', 'limit'], rows)}\n`)
}
