// `npm run soak`: good and bad peers, mixed, against `dicomtap start` for an hour. Fails when anything was lost or
// damaged, a healthy peer was not served, memory or descriptors grew, or the server died.
//   --minutes <n> (60)  --good <peers> (6)  --bad <peers> (40)  --mib-per-minute <n> (25)  --seed <n>
//   --durability fsync|close (fsync)  --folder <path> for data and log (a temporary one, removed when all is well)
//   --json <file> for the numbers
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { makeCertificates } from './certificates.mjs'
import { verifyStored } from './ledger.mjs'
import { PeersProcess, joined } from './peers-process.mjs'
import { printProgress, printSummary } from './print.mjs'
import { startServer } from './server.mjs'
import { failuresOf } from './verdict.mjs'

const COLLECT_MS = 15_000
const PROGRESS_MS = 60_000

const { values } = parseArgs({
  options: {
    'minutes': { type: 'string', default: '60' },
    'good': { type: 'string', default: '6' },
    'bad': { type: 'string', default: '40' },
    'mib-per-minute': { type: 'string', default: '25' },
    'seed': { type: 'string', default: String(Date.now() % 2 ** 31) },
    'durability': { type: 'string', default: 'fsync' },
    'folder': { type: 'string' },
    'json': { type: 'string' },
  },
})
const plan = {
  minutes: Number(values.minutes),
  good: Number(values.good),
  bad: Number(values.bad),
  mibPerMinute: Number(values['mib-per-minute']),
  seed: Number(values.seed),
}
if (Object.values(plan).some((value) => !(value >= 0))) {
  console.error('--minutes, --good, --bad, --mib-per-minute and --seed are numbers')
  process.exit(2)
}
const folder = values.folder ?? mkdtempSync(join(tmpdir(), 'dicomtap-soak-'))
console.log(`soak: ${plan.minutes} min, ${plan.good} good and ${plan.bad} bad peers, seed ${plan.seed}, in ${folder}`)

const certificates = await makeCertificates()
const server = await startServer({ folder, durability: values.durability, certificates: certificates.server })
const before = await server.collect()
const collected = []
const collecting = setInterval(() => void server.collect().then((sample) => sample && collected.push(sample)), COLLECT_MS)

const started = Date.now()
const secure = { ...certificates.client, port: server.securePort }
const load = new PeersProcess({ ...plan, healthy: 0, port: server.port, secure })
const health = new PeersProcess({ ...plan, good: 0, bad: 0, healthy: 1, port: server.port })
const progressing = setInterval(() => {
  if (load.report && health.report) printProgress({ started, server, load: joined(load.report, health.report) })
}, PROGRESS_MS)
const deathWatch = setInterval(() => {
  if (!server.isRunning) for (const peers of [load, health]) peers.stop()
}, 1_000)
await Promise.all([load.ended, health.ended])
for (const timer of [collecting, progressing, deathWatch]) clearInterval(timer)

const isServerAlive = server.isRunning
const after = isServerAlive ? await server.settled() : undefined
const exitCode = await server.stop()
await certificates.remove()
if (!load.isComplete || !health.isComplete) {
  console.error('the load did not come to its end')
  process.exit(1)
}
const peers = joined(load.report, health.report)
const stored = verifyStored(join(folder, 'data'), peers.ledger)
const result = { server, before, after, collected, load: peers, stored, exitCode, isServerAlive }
const failures = failuresOf(result)
printSummary(result, failures)
if (values.json !== undefined) {
  const { ledger: _, ...counts } = peers
  writeFileSync(values.json, JSON.stringify({ plan, before, after, collected, samples: server.samples, load: counts, stored, exitCode, failures }))
}
if (failures.length === 0 && values.folder === undefined) rmSync(folder, { recursive: true })
else console.log(`data and log are in ${folder}`)
process.exitCode = failures.length === 0 ? 0 : 1
