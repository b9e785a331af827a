#!/usr/bin/env node
// How fast archives store with their index, and send back by C-GET and C-MOVE, in turns. See README.md.
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { generator } from './bench/generator.mjs'
import { orthancVersion } from './bench/orthanc.mjs'
import { preparePublished } from './bench/published.mjs'
import { machine, table } from './bench/tables.mjs'
import { runLoad } from './bench/run-load.mjs'
import { atRest, startServer } from './bench/server-process.mjs'
import { dcmtkVersion } from './bench/peers.mjs'
import { makeWorkFolder } from './bench/work-folder.mjs'
import { startSink } from './load/sink.mjs'
import { warmUp } from './load/warm-up.mjs'
import { ARCHIVES, USUAL } from './retrieve/archives.mjs'
import { TASKS, WORKLOADS } from './retrieve/tasks.mjs'

const USAGE = `node retrieve.bench.mjs [options]

  --repetitions <n>     default 3; ranges of less than 3 say nothing
  --archives <a,b,...>  default ${USUAL.join(',')};
                        besides ${Object.keys(ARCHIVES).filter((name) => !USUAL.includes(name)).join(',')}
  --workloads <list>    default ${Object.keys(WORKLOADS).join(',')}
  --tasks <list>        default ${Object.keys(TASKS).join(',')}
  --scale <number>      so many times the objects; default 1
  --directory <path>    where the archives store; default ./data in this package
  --minutes <n>         start no archive after this time; default 30
  --json <file>         also write every single result, as a JSON array

Ratios are those of the first archive named.`

const { values } = parseArgs({
  options: {
    repetitions: { type: 'string', default: '3' },
    archives: { type: 'string', default: USUAL.join(',') },
    workloads: { type: 'string', default: Object.keys(WORKLOADS).join(',') },
    tasks: { type: 'string', default: Object.keys(TASKS).join(',') },
    scale: { type: 'string', default: '1' },
    directory: { type: 'string', default: fileURLToPath(new URL('./data', import.meta.url)) },
    minutes: { type: 'string', default: '30' },
    json: { type: 'string' },
    help: { type: 'boolean', short: 'h', default: false },
  },
})
const names = values.archives.split(',')
const workloads = values.workloads.split(',')
const tasks = values.tasks.split(',')
const unknown = [...names.filter((name) => !(name in ARCHIVES)), ...workloads.filter((name) => !(name in WORKLOADS)), ...tasks.filter((name) => !(name in TASKS))]
if (values.help || unknown.length > 0) {
  console.error(unknown.length > 0 ? `unknown: ${unknown.join(', ')}\n\n${USAGE}` : USAGE)
  process.exit(values.help ? 0 : 2)
}

const RUN_LIMIT_SECONDS = 300
/** More than what a server and a generator take; a small try measures nothing, and a slow disk is not to be kept busy for it. */
const PROCESS_BYTES = 2 ** 29 * Math.min(1, Number(values.scale))
const repetitions = Number(values.repetitions)
const startedAt = performance.now()
const results = []

for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1))

const [dcmtk, orthanc] = [dcmtkVersion(), orthancVersion()]
const isThere = { dcmtk: dcmtk !== undefined, orthanc: orthanc !== undefined, c: generator().language === 'C' }
const archives = names.filter((name) => isThere[ARCHIVES[name].needs] ?? true)
const missing = names.filter((name) => !archives.includes(name))
if (missing.length > 0) console.error(`Not installed, and not compared with: ${missing.join(', ')}.`)
const workloadsOf = workloads.map((name) => [name, WORKLOADS[name](Number(values.scale))])
const perArchive = workloadsOf.reduce((sum, [, { storedBytes }]) => sum + storedBytes, 0)
const folder = await makeWorkFolder(values.directory, perArchive * archives.length * repetitions)
preparePublished()
// One sink is every archive's destination.
const sink = await startSink({ maximumLength: 131_072 })
await warmUp()
for (let repetition = 1; repetition <= repetitions; repetition++) {
  for (const [name, workload] of workloadsOf) {
    for (let turn = 0; turn < archives.length; turn++) {
      if (performance.now() - startedAt > Number(values.minutes) * 60_000) continue
      await runOnce(archives[(turn + repetition - 1) % archives.length], name, workload, repetition)
    }
  }
}
sink.close()
console.log(`${machine(dcmtk, orthanc)}\n${repetitions} repetitions in turns: median (min-max)\n`)
for (const [name, workload] of workloadsOf) {
  for (const task of tasks) {
    const shown = { title: `${TASKS[task].title(workload)}`, metrics: TASKS[task].metrics }
    const shownArchives = archives.filter((archive) => TASKS[task].stores || ARCHIVES[archive].storesOnly !== true)
    console.log(`${table(shown, shownArchives, results.filter((result) => result.workload === name && result.task === task))}\n`)
  }
}
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(results, undefined, 1)}\n`)
folder.remove()

/** What the page cache will need. */
function loadBytes(load) {
  const option = (name) => Number(load[load.indexOf(name) + 1])
  return option('--n') * option('--associations') * option('--size')
}

/** An archive in an empty folder: objects are stored, and sent back from what was stored. */
async function runOnce(archive, name, workload, repetition) {
  const { command, isCompiled, storesOnly, ...others } = ARCHIVES[archive]
  const directory = folder.next()
  const note = (task, result) => {
    results.push({ archive, server: archive, workload: name, task, repetition, ...result })
    console.error(`${repetition}/${repetitions} ${name} ${archive} ${task} ${JSON.stringify(result)}`)
  }
  const has = (task) => storesOnly !== true || TASKS[task].stores
  let server
  try {
    folder.touch(PROCESS_BYTES)
    server = await startServer({ ...others, command: (port, path) => command(port, path, sink.port) }, directory)
    await atRest(server)
    const target = { ...server, timeoutSeconds: RUN_LIMIT_SECONDS }
    const store = (load) => {
      folder.touch(loadBytes(load) + PROCESS_BYTES)
      return runLoad(load, target)
    }
    // What is measured is a server that has been running for a while.
    if (isCompiled !== true) for (const load of workload.warmUps) await store(load)
    const state = { server, workload, sink, store }
    for (const task of Object.keys(TASKS).filter((one) => tasks.includes(one) || TASKS[one].isNeeded).filter(has)) {
      const result = await TASKS[task].run(state).catch((error) => ({ error: error instanceof Error ? error.message : String(error) }))
      if (tasks.includes(task)) note(task, result)
    }
  } catch (error) {
    for (const task of tasks.filter(has)) note(task, { error: error instanceof Error ? error.message : String(error) })
  } finally {
    await server?.stop()
    await folder.settle()
  }
}
