import { once } from 'node:events'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { Worker } from 'node:worker_threads'
import test from 'ava'
import { DEFAULT_LIMITS } from '../../dist/config/defaults.js'
import { createTestServer } from '../../dist/testing/index.js'
import { turnsUntil } from '../support/connections.ts'
import { SUPPORTED } from '../support/requests.ts'
import { GREED_NAMES } from './support/greedy-peers.ts'
import type { GreedyPeers } from './support/greedy-peers.ts'

// What docs/reference/limits.md says an association can cost, held against peers that want all they can have: with
// DICOMTAP_HOSTILE=full all of them and many of each, else some.

setFlagsFromString('--expose_gc')
const collectGarbage = runInNewContext('gc') as () => void

const { receiveBufferBytes, maximumCommandSetBytes, maximumAssociatePduBytes } = DEFAULT_LIMITS
const isFull = process.env['DICOMTAP_HOSTILE'] === 'full'
const READ_BUFFER_BYTES = 262_144
const BATCH_BYTES = 1_114_112
const OBJECTS_BYTES = 65_536

const PER_ASSOCIATION = receiveBufferBytes + 3 * READ_BUFFER_BYTES + 5 * maximumCommandSetBytes + 2 * BATCH_BYTES + OBJECTS_BYTES
const PER_CONNECTION = 2 * maximumAssociatePduBytes + OBJECTS_BYTES

/** Single bytes, command sets, association requests. */
const SHORT: ReadonlySet<number> = new Set([0, 4, 6])

async function heldBytes(): Promise<number> {
  collectGarbage()
  await new Promise((resolve) => setImmediate(resolve))
  collectGarbage()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

for (const [index, greed] of GREED_NAMES.entries()) {
  if (!isFull && !SHORT.has(index)) continue
  test.serial(`memory that peers can have: ${greed}`, async (t) => {
    const count = isFull ? 50 : 8
    const isRequest = greed === 'association requests that never end'
    const never = new Promise<never>(() => {})
    await using server = await createTestServer({
      contexts: SUPPORTED,
      limits: { closeDeadlineMs: 0 },
      handlers: {
        cStore: () => never,
        nGet: () => never,
        cFind: async function* () {
          for (;;) yield Buffer.alloc(50_000)
        } as never,
      },
    })
    const before = await heldBytes()
    const workerData: GreedyPeers = { greed, count, port: server.port }
    const worker = new Worker(new URL('support/greedy-peers.js', import.meta.url), { workerData })
    await once(worker, 'message')
    t.is(server.server.connections, count)
    const perPeer = ((await heldBytes()) - before) / count
    const budget = isRequest ? PER_CONNECTION : PER_ASSOCIATION
    t.true(perPeer < budget, `${Math.round(perPeer)} bytes each, ${budget} at most`)
    t.log(`${Math.round(perPeer / 1024)} KiB of ${Math.round(budget / 1024)} KiB`)
    worker.postMessage('over')
    await once(worker, 'exit')
    await turnsUntil(() => server.server.connections === 0, 100_000)
  })
}
