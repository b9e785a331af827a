#!/usr/bin/env node
// `npm run bench:check`: fails when the server takes more than it used to, by figures that neither the machine nor other
// work on it changes. See README.md.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { generator } from './bench/generator.mjs'
import { runLoad } from './bench/run-load.mjs'
import { freePort } from './bench/server-process.mjs'
import { markdown, summary } from './bench/tables.mjs'

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

const CPU_ROUNDS = 5
const BYTE_ROUNDS = 3
const ATTEMPTS = 4
/** Room for everything that is allocated in one run, and no collection because the process has been idle. */
const NO_COLLECTION = ['--expose-gc', '--no-memory-reducer', '--max-semi-space-size=256', '--min-semi-space-size=256']
/** Files in memory: what a disk takes is no business of this check. */
const MEMORY = '/dev/shm'
const PDV_OVERHEAD = 6
const PDU_BYTES = 128 * KIB
const SHORT_PDU_BYTES = 16 * KIB
const LARGE_BYTES = 512 * KIB

/** What runs: how often to warm up, and what is counted in it. */
const store = (n, size, pduBytes = PDU_BYTES) => ['store', '--n', String(n), '--size', String(size), '--pdu', String(pduBytes)]
const LOADS = {
  echo: { load: ['echo', '--n', '2000'], messages: 2000, warmUps: 4 },
  association: { load: ['assoc', '--n', '200'], messages: 200, warmUps: 6 },
  small: { load: store(500, 8 * KIB), messages: 500, warmUps: 8 },
  large: { load: store(60, LARGE_BYTES), messages: 60, warmUps: 8 },
  // So few that the memory outside the heap, which is collected by other rules, is not either.
  fewLarge: { load: store(8, LARGE_BYTES), messages: 8, warmUps: 4 },
  pdvs: { load: store(8, LARGE_BYTES, SHORT_PDU_BYTES), messages: 8, warmUps: 12 },
}
const FOR_BYTES = ['echo', 'association', 'small', 'fewLarge', 'pdvs']
const FOR_CPU = ['echo', 'association', 'small', 'large']

console.error(`load generator in ${generator().language}, Node ${process.version}`)
const figures = { ...(await allocated([], BYTE_ROUNDS)), ...(await compared(CPU_ROUNDS)) }
report(figures)
const above = exceeded(figures)
for (const name of above) console.error(`${name}: ${figures[name].toFixed(2)} is more than ${LIMITS[name].limit}`)
if (above.length > 0) process.exitCode = 1
if (values.prove) {
  const handicapped = exceeded(await allocated(['--handicap'], 1))
  if (handicapped.length === 0) {
    console.error('A server that allocates 8 KiB more for each PDU was not noticed: the limits are too wide')
    process.exitCode = 1
  } else {
    console.log(`proof: a server that allocates 8 KiB more for each PDU exceeds ${handicapped.join(', ')}`)
  }
}
if (process.exitCode === undefined) console.log('bench:check: all figures within their limits')

/** Bytes and calls, on a server in which nothing is collected meanwhile. */
async function allocated(options, times) {
  const rounds = await runs(NO_COLLECTION, options, times, FOR_BYTES)
  // The same each time, but for a collection that was told too late to be noticed.
  const usual = (name, field) => summary(rounds[name].map(({ own }) => own[field]))?.median
  const writes = usual('echo', 'writes')
  const furtherPdvs = Math.ceil(LARGE_BYTES / (SHORT_PDU_BYTES - PDV_OVERHEAD)) - Math.ceil(LARGE_BYTES / (PDU_BYTES - PDV_OVERHEAD))
  return {
    bytesPerEcho: usual('echo', 'bytes'),
    bytesPerAssociation: usual('association', 'bytes'),
    bytesPerSmallStore: usual('small', 'bytes'),
    bytesPerLargeStore: usual('fewLarge', 'bytes'),
    bytesPerPdv: (usual('pdvs', 'bytes') - usual('fewLarge', 'bytes')) / furtherPdvs,
    ...(Number.isFinite(writes) ? { writesPerEcho: writes, writesPerSmallStore: usual('small', 'writes') } : {}),
  }
}

/** CPU beside the bare receiver's, on a server as it is usually started. */
async function compared(times) {
  const rounds = await runs([], [], times, FOR_CPU)
  const ratio = (name) => leastOf(rounds[name].map(({ own }) => own.cpu)) / leastOf(rounds[name].map(({ reference }) => reference.cpu))
  return { cpuOfEcho: ratio('echo'), cpuOfAssociation: ratio('association'), cpuOfSmallStore: ratio('small'), cpuOfLargeStore: ratio('large') }
}

/** What disturbs adds to them: the least is the truest. */
function leastOf(numbers) {
  return Math.min(...numbers)
}

/** Warms a server up, and the bare receiver, then runs each load `times` times on both: `{ load: [{ own, reference }] }`. */
async function runs(execArgv, options, times, names) {
  const directory = mkdtempSync(join(existsSync(MEMORY) ? MEMORY : tmpdir(), 'dicomtap-check-'))
  const remove = () => rmSync(directory, { recursive: true, force: true })
  process.once('exit', remove)
  const [port, referencePort] = [await freePort(), await freePort()]
  const child = fork(SERVER, ['--port', String(port), '--reference-port', String(referencePort), '--directory', directory, ...options], { execArgv })
  const kill = () => child.kill('SIGKILL')
  process.once('exit', kill)
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
      // Nothing may be forgotten where bytes are counted.
      if (names === FOR_CPU || after.collections === before.collections) return { bytes: of('allocatedBytes'), writes: of('writes'), cpu: of('cpuSeconds') }
    }
    throw new Error(`garbage was collected in each run of ${what.load.join(' ')}: the new space is too small`)
  }
  const loads = names.map((name) => LOADS[name])
  const ports = names === FOR_CPU ? [port, referencePort] : [port]
  try {
    for (const what of loads) for (let count = 0; count < what.warmUps; count++) for (const at of ports) await run(what, at)
    const rounds = Object.fromEntries(names.map((name) => [name, []]))
    for (let round = 0; round < times; round++) {
      for (const name of names) {
        const own = await used(LOADS[name], port)
        rounds[name].push({ own, reference: names === FOR_CPU ? await used(LOADS[name], referencePort) : undefined })
      }
    }
    return rounds
  } finally {
    child.disconnect()
    await once(child, 'exit')
    process.off('exit', kill)
    remove()
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
