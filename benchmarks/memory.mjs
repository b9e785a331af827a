#!/usr/bin/env node
// Objects far larger than the memory they may take, sent and received. See README.md.
import { closeSync, openSync, readSync, statSync, statfsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { machine, markdown } from './bench/tables.mjs'
import { makeWorkFolder } from './bench/work-folder.mjs'
import { writeObject } from './load/part10.mjs'
import { sopInstanceUid } from './load/uids.mjs'
import { SCENARIOS } from './memory/scenarios.mjs'
import { byQuarter } from './memory/watched-client.mjs'

const MIB = 2 ** 20
const USAGE = `node memory.mjs [options]

  --scenarios <a,b,...> default ${Object.keys(SCENARIOS).join(',')}
  --large <MiB>         object of store and drop; default 4096
  --medium <MiB>        object of get and move; default 1024
  --small <MiB>         object of the slow ones; default 256
  --durability <name>   of store: fsync or close; default fsync
  --limit <MiB>         peak RSS that is asked for; default 150
  --check               exit with 1 when a process took more
  --directory <path>    where the files are made; default ./data in this package
  --json                the results as one line of JSON`

const { values } = parseArgs({
  options: {
    scenarios: { type: 'string', default: Object.keys(SCENARIOS).join(',') },
    large: { type: 'string', default: '4096' },
    medium: { type: 'string', default: '1024' },
    small: { type: 'string', default: '256' },
    durability: { type: 'string', default: 'fsync' },
    limit: { type: 'string', default: '150' },
    check: { type: 'boolean', default: false },
    directory: { type: 'string', default: fileURLToPath(new URL('./data', import.meta.url)) },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
})
const names = values.scenarios.split(',')
const unknown = names.filter((name) => !(name in SCENARIOS))
if (values.help || unknown.length > 0) {
  console.error(unknown.length > 0 ? `unknown: ${unknown.join(', ')}\n\n${USAGE}` : USAGE)
  process.exit(values.help ? 0 : 2)
}
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1))

/** What is left free on the disk. */
const SPARE_BYTES = 2 ** 31
const folder = await makeWorkFolder(values.directory, 0)
const results = []
for (const name of names) {
  const scenario = SCENARIOS[name]
  const sizeBytes = Number(values[scenario.size]) * MIB
  const { bavail, bsize } = statfsSync(folder.root)
  if (scenario.needsRoom === true && bavail * bsize < sizeBytes + SPARE_BYTES) {
    console.error(`${name}: left out, there is not room for ${sizeBytes / MIB} MiB in ${values.directory}`)
    continue
  }
  results.push({ name, title: scenario.title, mib: sizeBytes / MIB, ...(await runOnce(scenario, sizeBytes)) })
  console.error(JSON.stringify(results.at(-1)))
}
folder.remove()

const limit = Number(values.limit)
if (values.json) console.log(JSON.stringify(results))
else report()
const failed = results.filter(({ error }) => error !== undefined)
const above = results.flatMap(({ name, roles = [] }) => roles.filter(({ peakRssMib }) => peakRssMib > limit).map(({ role }) => `${name}: ${role}`))
if (values.check && above.length > 0) console.error(`more than ${limit} MiB: ${above.join(', ')}`)
if (failed.length > 0 || (values.check && above.length > 0)) process.exitCode = 1

async function runOnce({ run, needsRoom = false }, sizeBytes) {
  const directory = folder.next()
  try {
    const path = join(directory, 'large.dcm')
    const uid = sopInstanceUid(2, 1)
    const bytes = writeObject(path, { sizeBytes, sopInstanceUid: uid, isSparse: true })
    const object = { path, uid, bytes, offset: statSync(path).size - bytes }
    if (needsRoom) folder.touch(sizeBytes)
    readThrough(path)
    const { seconds, roles } = await run({ object, directory: join(directory, 'stored'), durability: values.durability })
    return {
      seconds,
      mibPerSecond: Math.round(bytes / MIB / seconds),
      roles: roles.map(({ rss, ...role }) => ({
        ...role,
        cpuSecondsPerGib: Number(((role.cpuSeconds * 2 ** 30) / bytes).toFixed(2)),
        rssByQuarterMib: byQuarter(rss),
      })),
    }
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) }
  } finally {
    folder.removeOne(directory)
  }
}

/** Into the page cache, as far as it holds it: the first to read a file pays for that memory. */
function readThrough(path) {
  const buffer = Buffer.allocUnsafe(MIB)
  const file = openSync(path, 'r')
  while (readSync(file, buffer) > 0);
  closeSync(file)
}

function report() {
  console.log(`${machine(null)}\n`)
  const rows = results.flatMap(({ name, mib, seconds, mibPerSecond, roles, error }) => {
    if (error !== undefined) return [[name], [`^ ${error}`]]
    return roles.map(({ role, cpuSecondsPerGib, peakRssMib, rssByQuarterMib }, index) => [
      ...(index === 0 ? [name, String(mib), seconds.toFixed(1), String(mibPerSecond)] : ['', '', '', '']),
      role,
      Number.isFinite(cpuSecondsPerGib) ? cpuSecondsPerGib.toFixed(2) : '-',
      peakRssMib === undefined ? '-' : peakRssMib.toFixed(0),
      rssByQuarterMib.map((mibOfQuarter) => mibOfQuarter ?? '-').join(' '),
    ])
  })
  console.log(markdown(['', 'MiB', 's', 'MiB/s', 'process', 'CPU s/GiB', 'peak RSS MiB', 'RSS by quarter'], rows))
}
