#!/usr/bin/env node
// `npm run bench`: the whole comparison, and the report of it. See README.md.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus, loadavg, release, totalmem } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { generator } from './bench/generator.mjs'
import { runGrowth } from './bench/growth.mjs'
import { runInTurns } from './bench/in-turns.mjs'
import { findPeers } from './bench/peers.mjs'
import { runProfiles } from './bench/profiles.mjs'
import { preparePublished } from './bench/published.mjs'
import { measuredParts } from './bench/report.mjs'
import { openResults } from './bench/results.mjs'
import { SENDING, runSending } from './bench/sending.mjs'
import { SERVERS } from './bench/servers.mjs'
import { commit } from './bench/tables.mjs'
import { makeWorkFolder } from './bench/work-folder.mjs'
import { WORKLOADS } from './bench/workloads.mjs'
import { warmUp } from './load/warm-up.mjs'

const here = (path) => fileURLToPath(new URL(path, import.meta.url))
const PARTS = [...Object.keys(WORKLOADS), ...Object.keys(SENDING), 'growth', 'profiles']
const USAGE = `npm run bench -- [options]

Measures dicomtap beside the peers that are installed, in turns, and writes the report with its charts.

  --only <a,b,...>      parts: ${PARTS.join(', ')}
  --repetitions <n>     default 5; ranges of less than 3 say nothing
  --quick               2 repetitions, a quarter of the warm-up, objects of growth up to 256 MiB: does it work at all?
  --directory <path>    where servers store; default benchmarks/data. On a tmpfs (/dev/shm) the disk has no part in it
  --out <folder>        where performance.md and the folder performance are written. Default docs/reference of a whole
                        run, benchmarks/data/report with --only or --quick. Results that are there and are not
                        measured now stay in the report
  --report              measure nothing, write the report again from the results that are there
  -h, --help

Progress goes to stderr, the paths of what was written to stdout. Ctrl-C stops the servers and removes their data;
parts that were done are kept.`

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    repetitions: { type: 'string' },
    quick: { type: 'boolean', default: false },
    directory: { type: 'string', default: here('./data') },
    out: { type: 'string' },
    report: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
})
const names = values.only?.split(',') ?? PARTS
const unknown = names.filter((name) => !PARTS.includes(name))
if (values.help || unknown.length > 0) {
  console.error(unknown.length > 0 ? `unknown: ${unknown.join(', ')}\n\n${USAGE}` : USAGE)
  process.exit(values.help ? 0 : 2)
}
for (const [signal, code] of [['SIGINT', 130], ['SIGTERM', 143]]) process.once(signal, () => process.exit(code))

const KIB_256 = 256 * 2 ** 20
const FREE_BYTES = 6 * 2 ** 30
const TEMPLATE = here('../docs/reference/performance.md')
const MEASURED = /(<!-- measured:([a-z]+) -->\n)[\s\S]*?(<!-- \/measured -->)/g
const isWhole = values.only === undefined && !values.quick
const out = values.out ?? (isWhole ? here('../docs/reference') : here('./data/report'))
const repetitions = Number(values.repetitions ?? (values.quick ? 2 : 5))
const progress = (text) => console.error(`${new Date().toISOString().slice(11, 19)} ${text}`)

const peers = findPeers()
const { language } = generator()
const missing = Object.values(peers).filter(({ version }) => version === undefined)
for (const { name, install } of missing) console.error(`${name} is not installed (${install}): nothing is compared with it.`)
if (language !== 'C') console.error('There is no C compiler (cc): the load generator is the one in JavaScript, the sinks in C, growth, TLS and sending are left out.')
const isThere = (server) => {
  const { needs } = SERVERS[server]
  if (needs === 'c') return language === 'C'
  return needs === undefined || peers[needs].version !== undefined
}

const results = openResults(join(out, 'performance', 'results.json'))
if (!values.report) await measure()
writeReport()

async function measure() {
  progress('joining the packages as they are published')
  preparePublished()
  const folder = await makeWorkFolder(values.directory, FREE_BYTES)
  if (language !== 'C') await warmUp()
  const measured = {
    machine: `${cpus().length} cores, ${cpus()[0].model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB`,
    system: `${process.platform} ${release().match(/^[\d.]+/)[0]}`,
    node: process.version,
    commit: commit(),
    generator: language,
    peers: Object.values(peers).filter(({ version }) => version !== undefined).map(({ name, version }) => `${name} ${version}`),
    missing: missing.map(({ name }) => name),
    repetitions,
    isQuick: values.quick,
    load: loadavg()[0].toFixed(1),
  }
  for (const name of names) {
    try {
      const own = await measurePart(name, folder)
      if (own !== undefined) results.set(name, { measured: { at: new Date().toISOString(), ...measured }, results: own })
    } catch (error) {
      // One part that fails must not cost the others.
      progress(`${name}: ${error.stack}`)
      process.exitCode = 1
    }
  }
  folder.remove()
}

async function measurePart(name, folder) {
  const common = { folder, repetitions, progress }
  if (name in WORKLOADS) {
    const workload = WORKLOADS[name]
    if (workload.isTls === true && !generator().hasTls) return skip(name, 'the load generator was built without OpenSSL (apt-get install libssl-dev)')
    return runInTurns(name, workload, {
      ...common,
      servers: workload.servers.filter(isThere),
      repetitions: repetitions * (values.quick ? 1 : (workload.repetitionsTimes ?? 1)),
      warmUps: Math.ceil(workload.warmUps / (values.quick ? 4 : 1)),
    })
  }
  if (name === 'profiles') return runProfiles({ folder, pictures: join(out, 'performance'), warmUps: values.quick ? 3 : 12, hasSink: language === 'C', progress })
  if (language !== 'C') return skip(name, 'it needs the load generator in C')
  if (name === 'growth') {
    return runGrowth({ ...common, repetitions: Math.min(repetitions, 3), servers: ['dicomtap', 'c-sink-file'], largestBytes: values.quick ? 2 * KIB_256 : Number.POSITIVE_INFINITY })
  }
  return runSending(name, SENDING[name], { ...common, hasDcmtk: peers.dcmtk.version !== undefined })
}

function skip(name, why) {
  progress(`${name}: left out, ${why}`)
  return undefined
}

function writeReport() {
  const parts = Object.fromEntries(PARTS.flatMap((name) => (results.parts[name] === undefined ? [] : [[name, results.parts[name]]])))
  const measured = measuredParts(parts, { pictures: join(out, 'performance'), link: 'performance' })
  const page = readFileSync(TEMPLATE, 'utf8').replaceAll(MEASURED, (_, start, name, end) => `${start}${measured[name] ?? ''}\n${end}`)
  mkdirSync(out, { recursive: true })
  writeFileSync(join(out, 'performance.md'), page)
  console.log(`${join(out, 'performance.md')}\n${join(out, 'performance')}/`)
}
