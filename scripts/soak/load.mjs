// The load, in a process of its own so that it does not slow down what it measures, and the healthy peer in another
// one, so that the load does not slow it down. Argument: { port, seed, minutes, good, bad, healthy, mibPerMinute, secure }.
import { Random } from '../../packages/framework/dist-test/support/random.js'
import { BadPeers } from './bad-peers.mjs'
import { GoodPeers } from './good-peers.mjs'
import { Health } from './health.mjs'
import { Ledger } from './ledger.mjs'
import { Latencies, Tally } from './tally.mjs'

const { port, seed, minutes, good, bad, healthy, mibPerMinute, secure } = JSON.parse(process.argv[2])
const REPORT_MS = 10_000
const started = Date.now()
const stop = new AbortController()
const ledger = new Ledger()
const latencies = new Latencies()
const tallies = { health: new Tally(), good: new Tally(), bad: new Tally() }

let storedBytes = 0
/** Keeps the disk from filling up: so many bytes a minute. */
function mayStore(bytes) {
  if (storedBytes > ((Date.now() - started) / 60_000 + 0.1) * mibPerMinute * 1024 * 1024) return false
  storedBytes += bytes
  return true
}

const randomOf = (index) => new Random(seed + index)
/** Where the peer of this number goes, and how: every third over TLS. */
const doorOf = (index) => (secure !== undefined && index % 3 === 2 ? { port: secure.port, tls: secure } : { port })
const healthyPeers = Array.from({ length: healthy }, (_, index) => new Health({ port, random: randomOf(index), tally: tallies.health, ledger, latencies }))
const goodPeers = Array.from({ length: good }, (_, index) => new GoodPeers({ ...doorOf(index), random: randomOf(1_000 + index), tally: tallies.good, ledger, mayStore }))
const badPeers = Array.from({ length: bad }, (_, index) => new BadPeers({ ...doorOf(index), random: randomOf(100_000 * (index + 1)), tally: tallies.bad }))

const report = (kind, more, then) =>
  process.send({ kind, ...tallies, acknowledged: ledger.acknowledged, storedMib: storedBytes / 1024 / 1024, latencies, ...more }, then)
const reporting = setInterval(report, REPORT_MS, 'progress')
const over = setTimeout(() => stop.abort(), minutes * 60_000)
process.on('disconnect', () => process.exit(1))
process.on('unhandledRejection', (error) => tallies.good.problem('the load itself', error))
// A server that is gone is noticed by the process that started it.
process.on('message', (message) => message === 'stop' && stop.abort())

await Promise.all([...healthyPeers, ...goodPeers, ...badPeers].map((peers) => peers.work(stop.signal)))
clearInterval(reporting)
clearTimeout(over)
await Promise.all([...healthyPeers, ...goodPeers].map((peers) => peers.close()))
report('over', { ledger }, () => process.exit(0))
