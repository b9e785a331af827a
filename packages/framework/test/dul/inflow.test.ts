import test from 'ava'
import { Inflow } from '../../dist/dul/inflow.js'
import { ReadBuffers } from '../../dist/dul/read-buffers.js'
import type { Transport } from '../../dist/dul/transport.js'

// What Node does with a socket that reads into buffers of ours: it reads, calls back, and asks for the next buffer
// at once, also when the callback paused the socket.
const READ_BYTES = 200_000
const KEPT_BYTES = 40_000

interface Side {
  readonly buffers: ReadBuffers
  readonly inflow: Inflow
  readonly walked: Buffer[]
  /** The next walk takes so much, and keeps a fragment of it. */
  takes: number
  kept: Buffer | undefined
  /** A read of bytes of one value. */
  read(value: number): void
}

function side(): Side {
  const buffers = new ReadBuffers()
  const transport = { pause: () => {}, resume: () => {}, readBuffers: buffers } as unknown as Transport
  const walked: Buffer[] = []
  let target = buffers.next()
  const walk = (chunk: Buffer): number => {
    const taken = Math.min(self.takes, chunk.length)
    if (taken > 0) self.kept = buffers.keep(chunk.subarray(0, KEPT_BYTES))
    walked.push(Buffer.from(chunk.subarray(0, taken)))
    return taken
  }
  const self: Side = {
    buffers,
    inflow: new Inflow({ walk, interrupt: () => {} }, () => transport),
    walked,
    takes: READ_BYTES,
    kept: undefined,
    read(value) {
      target.fill(value, 0, READ_BYTES)
      self.inflow.receive(target.subarray(0, READ_BYTES))
      target = buffers.next()
    },
  }
  return self
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

test('what was read and is not walked yet is not read into, when what was kept of it is let go', async (t) => {
  const [slow, other] = [side(), side()]
  slow.takes = 50_000
  slow.inflow.hold()
  slow.read(1)
  slow.buffers.release(slow.kept!)
  // Another connection takes buffers that came back.
  other.takes = READ_BYTES
  for (let value = 2; value < 40; value++) other.read(value)
  slow.takes = READ_BYTES
  slow.inflow.resume()
  await turn()
  t.is(Buffer.concat(slow.walked).length, READ_BYTES)
  t.true(Buffer.concat(slow.walked).every((byte) => byte === 1))
})

test('what is kept of bytes that were walked late is not read into', async (t) => {
  const slow = side()
  slow.takes = 0
  slow.inflow.hold()
  slow.read(1)
  slow.takes = READ_BYTES
  slow.inflow.resume()
  await turn()
  const kept = slow.kept!
  for (let value = 2; value < 10; value++) slow.read(value)
  t.true(kept.every((byte) => byte === 1))
})

test('whoever ends the connection in the midst of bytes that were walked late may still keep some of them', async (t) => {
  const buffers = new ReadBuffers()
  const transport = { pause: () => {}, resume: () => {}, readBuffers: buffers } as unknown as Transport
  let kept: Buffer | undefined
  let isLate = false
  const walk = (chunk: Buffer): number => {
    if (!isLate) return 0
    // A handler aborts, and a write of what has come is begun in the same call.
    inflow.stop()
    kept = buffers.keep(chunk.subarray(0, KEPT_BYTES))
    return chunk.length
  }
  const inflow = new Inflow({ walk, interrupt: () => {} }, () => transport)
  inflow.hold()
  inflow.receive(buffers.next().fill(1))
  buffers.next()
  isLate = true
  inflow.resume()
  await turn()
  const other = side()
  for (let value = 2; value < 40; value++) other.read(value)
  t.true(kept!.every((byte) => byte === 1))
  t.true(buffers.isPinned(kept!))
  buffers.release(kept!)
  t.is(buffers.pinnedBytes, 0)
})

test('what is held back costs one buffer, which comes back', async (t) => {
  const slow = side()
  for (let round = 0; round < 100; round++) {
    slow.takes = 50_000
    slow.inflow.hold()
    slow.read(1)
    slow.buffers.release(slow.kept!)
    slow.takes = READ_BYTES
    slow.inflow.resume()
    await turn()
    slow.buffers.release(slow.kept!)
    t.is(slow.buffers.pinnedBytes, 0)
  }
  t.is(Buffer.concat(slow.walked).length, 100 * READ_BYTES)
})

// ── which buffers ───────────────────────────────────────────────────────────────────────────────────────

const SHARED_BYTES = 32_768
const LARGE_BYTES = 262_144

test('connections share a buffer until a read fills it, and give the large one back when they have little to say', (t) => {
  const [one, other] = [new ReadBuffers(false), new ReadBuffers(false)]
  const shared = one.next()
  t.is(shared.length, SHARED_BYTES)
  t.is(other.next(), shared)
  one.received(SHARED_BYTES)
  t.is(one.next(), shared, 'no association yet')
  one.isLarge = true
  t.is(one.next().length, LARGE_BYTES)
  t.is(other.next(), shared)
  const large = one.next()
  for (let reads = 0; reads < 7; reads++) {
    one.received(SHARED_BYTES - 1)
    t.is(one.next(), large, 'a short read, as at the end of every object')
  }
  one.received(LARGE_BYTES)
  one.received(1)
  t.is(one.next(), large, 'begun anew')
  for (let reads = 0; reads < 7; reads++) one.received(1)
  t.is(one.next(), shared)
  one.received(SHARED_BYTES)
  one.isLarge = false
  t.is(one.next(), shared, 'the association is over')
})

test('what is kept of the shared buffer, or left for later, is a copy however long', (t) => {
  const [one, other] = [new ReadBuffers(false), new ReadBuffers(false)]
  const shared = one.next().fill(1)
  const kept = one.keep(shared)
  const left = one.leave(shared.subarray(1))
  t.is(one.pinnedBytes, 0)
  other.next().fill(2)
  t.true(kept.every((byte) => byte === 1))
  t.true(left.every((byte) => byte === 1))
  t.is(left.length, SHARED_BYTES - 1)
})

test('held and let go within a walk, the rest is walked all the same', async (t) => {
  const walked: number[] = []
  const transport = { pause: () => {}, resume: () => {} } as unknown as Transport
  const inflow: Inflow = new Inflow(
    {
      walk(chunk) {
        walked.push(chunk.length)
        if (walked.length > 1) return chunk.length
        inflow.hold()
        inflow.resume()
        return 10
      },
      interrupt: () => {},
    },
    () => transport,
  )
  inflow.receive(Buffer.alloc(100))
  await turn()
  t.deepEqual(walked, [100, 90])
})
