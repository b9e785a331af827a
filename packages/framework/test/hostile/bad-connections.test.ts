import { fork, spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { scriptedPeer } from '../../dist/testing/index.js'
import { healthy } from '../support/healthy.ts'
import { Random } from '../support/random.ts'
import { BAD_PEERS } from './support/bad-peers.ts'
import type { Sample } from './support/victim.ts'

// 10 000 bad connections against a server in a process of its own, with DICOMTAP_HOSTILE=full; else some hundred.

const isFull = process.env['DICOMTAP_HOSTILE'] === 'full'
const CONNECTIONS = isFull ? 10_000 : 150
const AT_ONCE = 40
/** What the allocator keeps; a leak of one kilobyte per connection would be 8 MB more after the warm-up. */
const ALLOWED_HEAP_BYTES = 2_000_000
const ALLOWED_RSS_BYTES = 32_000_000

const VICTIM = new URL('./support/victim.js', import.meta.url)

async function sampleOf(victim: ChildProcess): Promise<Sample> {
  victim.send('sample')
  const [sample] = (await once(victim, 'message')) as [Sample]
  return sample
}

/** When nothing is open any more: what the server ends by time-out it ends within a second or so. */
async function settledSample(victim: ChildProcess): Promise<Sample> {
  let sample = await sampleOf(victim)
  for (let tries = 0; tries < 100 && (sample.connections > 0 || sample.timers > 0); tries++) {
    await delay(100)
    sample = await sampleOf(victim)
  }
  return sample
}

test.serial('10 000 bad connections leave memory and descriptors as they were, and a healthy peer is served all the while', async (t) => {
  t.timeout(isFull ? 300_000 : 60_000)
  const seed = Number(process.env['DICOMTAP_SEED'] ?? 1)
  t.log(`DICOMTAP_SEED=${seed}`)
  const victim = fork(VICTIM, { execArgv: [], stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  t.teardown(() => victim.kill())
  const [port] = (await once(victim, 'message')) as [number]
  const failures: string[] = []
  let next = 0
  const attack = async (until: number): Promise<void> => {
    while (next < until) {
      const index = next++
      const random = new Random(seed * 1_000_003 + index)
      const peer = await scriptedPeer(port)
      try {
        await BAD_PEERS[index % BAD_PEERS.length]!(peer, random)
      } catch (error) {
        // What is changed by chance may be answered in any way, silence until a time-out included.
        if (!/closed after|did not arrive|A message was expected|Before the close/.test(String(error))) failures.push(`${index}: ${String(error)}`)
      } finally {
        peer.destroy()
      }
    }
  }
  const round = async (until: number): Promise<Sample> => {
    await Promise.all(Array.from({ length: AT_ONCE }, () => attack(until)))
    await healthy(t, { port }, `${until} bad connections`)
    return settledSample(victim)
  }
  const samples: Sample[] = []
  for (let part = 1; part <= 5; part++) samples.push(await round((CONNECTIONS / 5) * part))
  // By then each bad peer has been there, and what is loaded when it is needed is loaded.
  const warmUp = samples[1] as Sample
  const last = samples.at(-1) as Sample
  for (const { rssBytes, heapBytes, descriptors } of samples) t.log(`RSS ${(rssBytes / 1e6).toFixed(1)} MB, heap ${(heapBytes / 1e6).toFixed(1)} MB, ${descriptors} descriptors`)
  t.deepEqual(failures, [])
  t.deepEqual(last.strays, [])
  t.is(last.connections, 0)
  t.is(last.timers, 0)
  t.is(last.descriptors, warmUp.descriptors)
  t.true(last.heapBytes < warmUp.heapBytes + ALLOWED_HEAP_BYTES, `heap ${warmUp.heapBytes} -> ${last.heapBytes}`)
  if (isFull) t.true(last.rssBytes < warmUp.rssBytes + ALLOWED_RSS_BYTES, `RSS ${warmUp.rssBytes} -> ${last.rssBytes}`)
})

const onPosix = process.platform === 'win32' ? test.serial.skip : test.serial

onPosix('a server that runs out of descriptors turns connections away, lives on and serves again', async (t) => {
  const victim = spawn('sh', ['-c', 'ulimit -n 250; exec "$0" "$1"', process.execPath, fileURLToPath(VICTIM)], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  t.teardown(() => victim.kill())
  const [port] = (await once(victim, 'message')) as [number]
  const silent = await Promise.all(Array.from({ length: 400 }, () => scriptedPeer(port)))
  const deadline = Date.now() + 10_000
  // Those that had no descriptor, and then the others, by ARTIM.
  while (silent.some(({ isClosed }) => !isClosed) && Date.now() < deadline) await delay(20)
  t.true(silent.every(({ isClosed }) => isClosed))
  for (const peer of silent) peer.destroy()
  await healthy(t, { port }, 'the lack of descriptors')
  t.like(await settledSample(victim), { connections: 0, timers: 0, strays: [] })
})
