#!/usr/bin/env node
// Runs dicomtap and DCMTK's storescp in turns through the same workloads. See README.md.
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { orthancVersion } from './compare/orthanc.mjs'
import { machine, table } from './compare/report.mjs'
import { runLoad } from './compare/run-load.mjs'
import { startServer } from './compare/server-process.mjs'
import { DEFAULT_SERVERS, SERVERS, dcmtkVersion } from './compare/servers.mjs'
import { makeWorkFolder } from './compare/work-folder.mjs'
import { DEFAULT_WORKLOADS, WORKLOADS } from './compare/workloads.mjs'
import { round } from './load/process-usage.mjs'
import { warmUp } from './load/warm-up.mjs'

const USAGE = `node compare.mjs [options]

  --repetitions <n>     default 3; ranges of less than 3 say nothing
  --workloads <letters> default ${DEFAULT_WORKLOADS}, of ${Object.keys(WORKLOADS).join('')}
  --servers <a,b,...>   default ${DEFAULT_SERVERS.join(',')}
                        also ${Object.keys(SERVERS).filter((name) => !DEFAULT_SERVERS.includes(name)).join(', ')}
  --directory <path>    where the servers store; default ./data in this package
  --minutes <n>         start no run after this time; default 30
  --json <file>         also write every single result, as a JSON array

Ratios are those of the first server named.`

const { values } = parseArgs({
  options: {
    repetitions: { type: 'string', default: '3' },
    workloads: { type: 'string', default: DEFAULT_WORKLOADS },
    servers: { type: 'string', default: DEFAULT_SERVERS.join(',') },
    directory: { type: 'string', default: fileURLToPath(new URL('./data', import.meta.url)) },
    minutes: { type: 'string', default: '30' },
    json: { type: 'string' },
    help: { type: 'boolean', short: 'h', default: false },
  },
})
const letters = [...values.workloads]
const names = values.servers.split(',')
const unknown = [...letters.filter((letter) => !(letter in WORKLOADS)), ...names.filter((name) => !(name in SERVERS))]
if (values.help || unknown.length > 0) {
  console.error(unknown.length > 0 ? `unknown: ${unknown.join(', ')}\n\n${USAGE}` : USAGE)
  process.exit(values.help ? 0 : 2)
}

const RUN_LIMIT_SECONDS = 120
const LARGE_BYTES = 2 ** 29
/** More than any server here takes to start. */
const PROCESS_BYTES = 2 ** 28
const repetitions = Number(values.repetitions)
const startedAt = performance.now()
const results = []

for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1))

const dcmtk = dcmtkVersion()
const orthanc = orthancVersion()
const servers = names.filter(
  (name) => (dcmtk !== undefined || SERVERS[name].needsDcmtk !== true) && (orthanc !== undefined || SERVERS[name].needsOrthanc !== true),
)
const missing = names.filter((name) => !servers.includes(name))
if (missing.length > 0) console.error(`Not installed, and not compared with: ${missing.join(', ')}.`)
const folder = await makeWorkFolder(values.directory, neededBytes())
await warmUp()
for (let repetition = 1; repetition <= repetitions; repetition++) {
  for (const letter of letters) await runInTurns(letter, repetition)
}
console.log(`${machine(dcmtk, orthanc)}\n${repetitions} repetitions in turns: median (min-max)\n`)
for (const letter of letters) {
  console.log(`${table(WORKLOADS[letter], servers, results.filter(({ workload }) => workload === letter))}\n`)
}
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(results, undefined, 1)}\n`)
folder.remove()

/** All servers one after the other, each time beginning with another one. */
async function runInTurns(letter, repetition) {
  const able = servers.filter((name) => canRun(SERVERS[name], letter))
  for (let turn = 0; turn < able.length; turn++) {
    if (performance.now() - startedAt > Number(values.minutes) * 60_000) return
    const server = able[(turn + repetition - 1) % able.length]
    const result = await runOnce(SERVERS[server], letter)
    results.push({ workload: letter, server, repetition, ...result })
    console.error(`${repetition}/${repetitions} ${letter} ${server} ${JSON.stringify(result)}`)
  }
}

function canRun(server, letter) {
  if (server.isStartOnly) return letter === 'h'
  return !(server.isSerial && WORKLOADS[letter].isConcurrent)
}

async function runOnce(server, letter) {
  const { load, bytes = 0 } = WORKLOADS[letter]
  const directory = folder.next()
  let running
  try {
    folder.touch(PROCESS_BYTES)
    running = await startServer(server, directory)
    const { startMs, cpuSeconds, peakRssMib } = running
    if (load === undefined) return { mode: 'start', startMs: round(startMs, 1), cpuSeconds, peakRssMib: round(peakRssMib, 1) }
    folder.touch(bytes + PROCESS_BYTES)
    return await runLoad(load, { ...running, timeoutSeconds: RUN_LIMIT_SECONDS })
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) }
  } finally {
    await running?.stop()
    // One large file is no trap, and there is not room for many.
    if (bytes >= LARGE_BYTES) folder.removeOne(directory)
    if (bytes > 0) await folder.settle()
  }
}

function neededBytes() {
  const small = letters.map((letter) => WORKLOADS[letter].bytes ?? 0).filter((bytes) => bytes < LARGE_BYTES)
  const large = letters.map((letter) => WORKLOADS[letter].bytes ?? 0).filter((bytes) => bytes >= LARGE_BYTES)
  return small.reduce((sum, bytes) => sum + bytes, 0) * repetitions * servers.length + Math.max(0, ...large)
}
