#!/usr/bin/env node
// How fast queries over a large index are answered, over the wire, on SQLite and PostgreSQL. See README.md.
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { machine, markdown, spread } from './bench/tables.mjs'
import { startServer } from './bench/server-process.mjs'
import { round } from './load/process-usage.mjs'
import { openRequestor } from './load/requestor.mjs'
import { fillIndex } from './query/fill.mjs'
import { internal } from './query/internal.mjs'
import { PATIENT_ROOT_FIND, QUERIES, STUDY_ROOT_FIND, identifierOf, sizesOf } from './query/queries.mjs'

const USAGE = `node query.bench.mjs [options]

  --instances <n>       synthetic instances in the index; default 1000000
  --databases <list>    sqlite, postgres; default both
  --repetitions <n>     of each query, each with other keys; default 15, of long ones a third
  --directory <path>    where the indexes are made; default ./data/query in this package
  --keep                leave the SQLite index there, and take it the next time
  --json <file>         also write the results as JSON; - is stdout, instead of the table
  --check               fail when a first response that is promised within 20 ms takes longer`

const { values } = parseArgs({
  options: {
    instances: { type: 'string', default: '1000000' },
    databases: { type: 'string', default: 'sqlite,postgres' },
    repetitions: { type: 'string', default: '15' },
    directory: { type: 'string', default: fileURLToPath(new URL('./data/query', import.meta.url)) },
    keep: { type: 'boolean', default: false },
    json: { type: 'string' },
    check: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
})
const databases = values.databases.split(',')
const unknown = databases.filter((name) => !['sqlite', 'postgres'].includes(name))
if (values.help || unknown.length > 0) {
  console.error(unknown.length > 0 ? `unknown: ${unknown.join(', ')}\n\n${USAGE}` : USAGE)
  process.exit(values.help ? 0 : 2)
}

const TARGET_MS = 20
const EXPLICIT_LITTLE_ENDIAN = '1.2.840.10008.1.2.1'
const SERVER = fileURLToPath(new URL('./server.mjs', import.meta.url))
const CONTEXTS = [
  { abstractSyntax: STUDY_ROOT_FIND, transferSyntax: EXPLICIT_LITTLE_ENDIAN },
  { abstractSyntax: PATIENT_ROOT_FIND, transferSyntax: EXPLICIT_LITTLE_ENDIAN },
]
const instances = Number(values.instances)
const sizes = sizesOf(instances)
const repetitions = Number(values.repetitions)
const results = []
const ends = []

for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1))
mkdirSync(values.directory, { recursive: true })
try {
  for (const database of databases) await measureDatabase(database)
} finally {
  for (const end of ends.reverse()) await end()
}
report()

async function measureDatabase(database) {
  const place = database === 'sqlite' ? sqlite() : await postgres()
  if (place === undefined) return
  if (!place.isFilled) {
    const { seconds, databaseBytes } = await fillIndex({ database: place.option, instances, onProgress: progressOf(database) })
    await place.filled?.()
    console.error(`${database}: ${instances} instances in ${seconds.toFixed(1)} s (${Math.round(instances / seconds)}/s), ${Math.round(databaseBytes / 2 ** 20)} MiB`)
    results.push({ database, fill: { seconds: round(seconds, 1), instancesPerSecond: Math.round(instances / seconds), databaseBytes } })
  }
  const storage = join(values.directory, 'empty')
  const server = await startServer({ command: (port) => ({ program: process.execPath, args: [SERVER, '--port', String(port), '--directory', storage, '--index', place.argument] }) })
  ends.push(server.stop)
  const requestor = await openRequestor({ port: server.port, calledAeTitle: 'BENCHMARK', callingAeTitle: 'DICOMTAP-LOAD', contexts: CONTEXTS })
  for (const query of QUERIES) {
    const runs = []
    const count = query.isLong ? Math.max(1, Math.floor(repetitions / 3)) : repetitions
    // The first ones compile what they run, in the server and here.
    for (let turn = -2; turn < count; turn++) {
      const figures = await ask(requestor, query, (turn + 3) * 7919 + 13)
      if (turn >= 0) runs.push(figures)
    }
    results.push({ database, query: query.name, isTarget: query.isTarget === true, runs })
    console.error(`${database}: ${query.name}: first ${spread(runs.map(({ firstMs }) => firstMs), 1)} ms, ${spread(runs.map(({ matches }) => matches), 0)} matches`)
  }
  await requestor.release()
}

async function ask(requestor, { level, root = STUDY_ROOT_FIND, keys, name }, number) {
  const identifier = identifierOf(level, keys(number, sizes))
  const { status, matches, firstMs, ms, matchBytes } = await requestor.ask(root === STUDY_ROOT_FIND ? 1 : 3, { '0002': root, '0100': 0x0020 }, identifier)
  if (status !== 0) throw new Error(`${name}: answered ${status.toString(16).padStart(4, '0').toUpperCase()}`)
  return { firstMs, ms, matches, matchBytes }
}

function sqlite() {
  const file = join(values.directory, `index-${instances}.sqlite`)
  const remove = () => {
    for (const suffix of ['', '-wal', '-shm']) rmSync(`${file}${suffix}`, { force: true })
  }
  const isFilled = values.keep && existsSync(`${file}.filled`)
  if (!isFilled) remove()
  if (!values.keep) ends.push(remove)
  return { option: { sqlite: file }, argument: file, isFilled, filled: () => (values.keep ? writeFileSync(`${file}.filled`, '') : undefined) }
}

/** A throw-away cluster, of the plugin's own tests. */
async function postgres() {
  const { hasPostgres, startPostgres } = await internal('../dist-test/support/postgres.js')
  if (!hasPostgres) return undefined
  const cluster = await startPostgres()
  ends.push(() => cluster.close())
  const { url, analyze } = await cluster.createDatabase()
  return { option: { postgres: { url } }, argument: url, isFilled: false, filled: analyze }
}

function report() {
  const isSlow = results.filter(({ isTarget, runs }) => isTarget && medianOf(runs.map(({ firstMs }) => firstMs)) > TARGET_MS)
  if (values.json === '-') console.log(JSON.stringify(results))
  else {
    const title = `${instances.toLocaleString('en')} instances, ${sizes.studies.toLocaleString('en')} studies, ${sizes.patients.toLocaleString('en')} patients`
    console.log(`${machine(null)}\n${title}; medians (least-most) of ${repetitions} runs, of the last two queries of ${Math.max(1, Math.floor(repetitions / 3))}\n`)
    const head = ['query', ...databases.flatMap((name) => [`${name}: first response, ms`, 'matches', 'matches/s'])]
    console.log(markdown(head, QUERIES.map(({ name }) => [name, ...databases.flatMap((database) => cells(database, name))])))
    for (const { database, fill } of results) if (fill !== undefined) console.log(`\n${database}: filled with ${fill.instancesPerSecond} instances/s; ${Math.round(fill.databaseBytes / 2 ** 20)} MiB`)
    if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(results, undefined, 1)}\n`)
  }
  for (const { database, query, runs } of isSlow) console.error(`${database}: ${query}: the first response took ${medianOf(runs.map(({ firstMs }) => firstMs)).toFixed(1)} ms`)
  if (values.check && isSlow.length > 0) process.exitCode = 1
}

function cells(database, name) {
  const runs = results.find((result) => result.database === database && result.query === name)?.runs ?? []
  // Of one or two matches there is no rate.
  const rates = runs.filter(({ matches }) => matches >= 10).map(({ matches, ms }) => (matches * 1000) / ms)
  return [spread(runs.map(({ firstMs }) => firstMs), 1), spread(runs.map(({ matches }) => matches), 0), spread(rates, 0)]
}

function medianOf(numbers) {
  return numbers.sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN
}

function progressOf(database) {
  let told = 0
  return (count) => {
    if (count - told < 100_000) return
    told = count
    console.error(`${database}: ${count} of ${instances}`)
  }
}
