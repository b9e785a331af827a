import { setImmediate as turn } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import test from 'ava'
import { DataSetStream } from '../../dist/dimse/data-set-stream.js'
import { ReceiveFlow } from '../../dist/dimse/receive-flow.js'
import { ReadBuffers } from '../../dist/dul/read-buffers.js'
import { DicomtapError } from '../../dist/errors/index.js'
import { deferred, settle, turnsUntil } from '../support/connections.ts'
import { EXPLICIT_LE, IMPLICIT_LE } from '../support/uids.ts'

/** A stream below which a test stands as the socket: it sees pause and resume. */
function stream(highWaterBytes = 1_000_000, buffers?: ReadBuffers): { dataSet: DataSetStream; flow: ReceiveFlow; switches: string[] } {
  const switches: string[] = []
  const flow = new ReceiveFlow(
    highWaterBytes,
    buffers,
    () => switches.push('pause'),
    () => switches.push('resume'),
  )
  return { dataSet: new DataSetStream(EXPLICIT_LE, flow, 1_000), flow, switches }
}

const ABORTED = new DicomtapError('DICOMTAP_ERR_DIMSE_TRUNCATED', 'The message is incomplete: aborted')

// ── one consumer, everything in order ───────────────────────────────────────────────────────────────────

test('bytes gives the fragments in order, those that were there before and those that come', async (t) => {
  const { dataSet } = stream()
  dataSet.push(Buffer.from('ab'), false)
  const pieces: string[] = []
  const read = (async () => {
    for await (const piece of dataSet.bytes()) pieces.push(Buffer.from(piece).toString())
  })()
  await turn()
  dataSet.push(Buffer.from('cd'), false)
  dataSet.push(Buffer.alloc(0), false)
  await turn()
  dataSet.push(Buffer.from('e'), true)
  await read
  t.deepEqual(pieces, ['ab', 'cd', 'e'])
  t.is(dataSet.receivedBytes, 5)
})

test('what a slow consumer has taken is let go, though more is always waiting', async (t) => {
  setFlagsFromString('--expose_gc')
  const gc = runInNewContext('gc') as () => void
  const { dataSet } = stream()
  const pieces = dataSet.bytes()[Symbol.asyncIterator]()
  const taken: WeakRef<object>[] = []
  dataSet.push(Buffer.alloc(10_000, 255), false)
  for (let value = 0; value < 200; value++) {
    dataSet.push(Buffer.alloc(10_000, value), false)
    const { value: piece } = (await pieces.next()) as { value: Uint8Array }
    t.is(piece[0], value === 0 ? 255 : value - 1)
    taken.push(new WeakRef(piece.buffer))
  }
  // Not the last ones, which somebody may still be holding.
  taken.splice(-2)
  await turn()
  gc()
  t.is(taken.filter((memory) => memory.deref() !== undefined).length, 0)
  dataSet.push(Buffer.from('z'), true)
  const rest: number[] = []
  for (let next = await pieces.next(); next.done !== true; next = await pieces.next()) rest.push((next.value as Uint8Array)[0] as number)
  t.deepEqual(rest, [199, 'z'.charCodeAt(0)])
})

test('what a handler is given keeps no more than twice its memory, however little of a buffer each read fills', async (t) => {
  const buffers = new ReadBuffers()
  const { dataSet } = stream(10_000_000, buffers)
  const pieces = dataSet.bytes()[Symbol.asyncIterator]()
  for (const bytes of [1, 32_767, 32_768, 40_000, 100_000, 131_071, 131_072, 262_144]) {
    const chunk = buffers.next().fill(bytes % 251)
    dataSet.push(chunk.subarray(0, bytes), false)
    const { value: piece } = (await pieces.next()) as { value: Uint8Array }
    buffers.next().fill(0)
    t.is(piece.length, bytes)
    t.true(piece.every((byte) => byte === bytes % 251))
    // Small ones share memory of Node's pool.
    t.true(piece.buffer.byteLength <= Math.max(2 * bytes, 65_536), `${bytes} bytes keep ${piece.buffer.byteLength}`)
  }
  t.is(buffers.pinnedBytes, 0)
})

test('buffer joins everything, and may be asked twice', async (t) => {
  const { dataSet } = stream()
  const buffer = dataSet.buffer()
  dataSet.push(Buffer.from('ab'), false)
  dataSet.push(Buffer.from('c'), true)
  t.is((await buffer).toString(), 'abc')
  t.is(await dataSet.buffer(), await buffer)
})

test('an empty data set is empty, whoever reads it', async (t) => {
  for (const read of [
    async (dataSet: DataSetStream) => (await dataSet.buffer()).length,
    (dataSet: DataSetStream) => dataSet.pipeTo({ write: () => t.fail() as never }),
    async (dataSet: DataSetStream) => Object.keys(await dataSet.dataset()).length,
  ]) {
    const { dataSet } = stream()
    const result = read(dataSet)
    dataSet.push(Buffer.alloc(0), true)
    t.is(await result, 0)
  }
})

test('dataset decodes in the transfer syntax, once', async (t) => {
  const { flow } = stream()
  const dataSet = new DataSetStream(IMPLICIT_LE, flow, 1_000)
  // (0010,0020) Patient ID, length 2, "42"
  dataSet.push(Buffer.from('100020000200000034', 'hex'), false)
  dataSet.push(Buffer.from('32', 'hex'), true)
  const decoded = dataSet.dataset()
  t.is((await decoded)['PatientID'], '42')
  t.is(dataSet.dataset(), decoded)
  t.is((await dataSet.buffer()).length, 10, 'the bytes are still to be had')
})

test('what cannot be decoded is DS_MALFORMED, what is too long DS_TOO_LARGE', async (t) => {
  const { dataSet } = stream()
  dataSet.push(Buffer.from('10002000ffff', 'hex'), true)
  await t.throwsAsync(dataSet.dataset(), { code: 'DICOMTAP_ERR_DS_MALFORMED' })
  const long = stream().dataSet
  const buffer = long.buffer()
  long.push(Buffer.alloc(1_000), false)
  long.push(Buffer.alloc(1), true)
  await t.throwsAsync(buffer, { code: 'DICOMTAP_ERR_DS_TOO_LARGE', message: 'The data set is larger than 1000 bytes' })
  const own = stream().dataSet
  own.push(Buffer.alloc(11), true)
  await t.throwsAsync(own.buffer(10), { code: 'DICOMTAP_ERR_DS_TOO_LARGE' })
})

test('a second consumer is refused, by a rejection where a promise is promised', async (t) => {
  const { dataSet } = stream()
  dataSet.push(Buffer.from('a'), true)
  for await (const piece of dataSet.bytes()) t.is(piece.length, 1)
  t.throws(() => dataSet.bytes(), { code: 'DICOMTAP_ERR_DIMSE_CONSUMED' })
  await t.throwsAsync(dataSet.buffer(), { code: 'DICOMTAP_ERR_DIMSE_CONSUMED' })
  await t.throwsAsync(dataSet.dataset(), { code: 'DICOMTAP_ERR_DIMSE_CONSUMED' })
  await t.throwsAsync(dataSet.pipeTo({ write() {} }), { code: 'DICOMTAP_ERR_DIMSE_CONSUMED' })
})

// ── pipeTo ──────────────────────────────────────────────────────────────────────────────────────────────

test('pipeTo hands over what arrived since the last write, one write at a time', async (t) => {
  const { dataSet } = stream()
  const writes: { text: string; done: () => void }[] = []
  const piped = dataSet.pipeTo({
    write: (fragments) => {
      const { promise, resolve } = deferred()
      writes.push({ text: Buffer.concat(fragments).toString(), done: resolve })
      return promise
    },
  })
  dataSet.push(Buffer.from('a'), false)
  dataSet.push(Buffer.from('b'), false)
  t.deepEqual(writes, [], 'nothing before the read is over')
  dataSet.handOver()
  t.deepEqual(writes.map(({ text }) => text), ['ab'])
  dataSet.push(Buffer.from('c'), false)
  dataSet.handOver()
  dataSet.push(Buffer.from('d'), false)
  dataSet.handOver()
  await settle()
  t.deepEqual(writes.map(({ text }) => text), ['ab'])
  writes[0]!.done()
  await settle()
  t.deepEqual(writes.map(({ text }) => text), ['ab', 'cd'])
  dataSet.push(Buffer.from('e'), true)
  writes[1]!.done()
  await settle()
  writes[2]!.done()
  t.is(await piped, 5)
})

test('a sink that writes at once is as good', async (t) => {
  const { dataSet } = stream()
  let text = ''
  const piped = dataSet.pipeTo({
    write: (fragments) => {
      text += Buffer.concat(fragments).toString()
    },
  })
  for (const letter of 'abc') dataSet.push(Buffer.from(letter), letter === 'c')
  t.is(await piped, 3)
  t.is(text, 'abc')
})

for (const [name, write] of Object.entries({
  throws: () => {
    throw new RangeError('disk full')
  },
  rejects: () => Promise.reject(new RangeError('disk full')),
})) {
  test(`a sink that ${name} ends the pipe with its error, and the rest is dropped`, async (t) => {
    const { dataSet, switches } = stream(1_000)
    const piped = dataSet.pipeTo({ write })
    dataSet.push(Buffer.alloc(50), false)
    dataSet.handOver()
    await t.throwsAsync(piped, { instanceOf: RangeError, message: 'disk full' })
    for (let i = 0; i < 20; i++) dataSet.push(Buffer.alloc(50), i === 19)
    t.deepEqual(switches, [], 'nothing is held')
    t.true(dataSet.isSettled)
  })
}

// ── the end of the association ──────────────────────────────────────────────────────────────────────────

test('a data set that is cut off gives what arrived, then DIMSE_TRUNCATED', async (t) => {
  const { dataSet } = stream()
  dataSet.push(Buffer.from('ab'), false)
  const pieces: string[] = []
  const read = (async () => {
    for await (const piece of dataSet.bytes()) pieces.push(Buffer.from(piece).toString())
  })()
  await turn()
  dataSet.fail(ABORTED)
  await t.throwsAsync(read, { code: 'DICOMTAP_ERR_DIMSE_TRUNCATED' })
  t.deepEqual(pieces, ['ab'])
  t.true(dataSet.isTruncated)
})

test('a pipe that is cut off rejects when the write under way is done', async (t) => {
  const { dataSet } = stream()
  const { promise, resolve } = deferred()
  const piped = dataSet.pipeTo({ write: () => promise })
  dataSet.push(Buffer.from('ab'), false)
  dataSet.handOver()
  dataSet.push(Buffer.from('cd'), false)
  dataSet.fail(ABORTED)
  let isSettled = false
  void piped.catch(() => (isSettled = true))
  await settle()
  t.false(isSettled)
  resolve()
  await t.throwsAsync(piped, { code: 'DICOMTAP_ERR_DIMSE_TRUNCATED' })
})

test('an error that nobody waits for ends no process', async (t) => {
  const piped = stream().dataSet
  void piped.pipeTo({ write() {} })
  piped.fail(ABORTED)
  const buffered = stream().dataSet
  void buffered.buffer()
  buffered.fail(ABORTED)
  const decoded = stream().dataSet
  void decoded.dataset()
  decoded.fail(ABORTED)
  await settle()
  t.true(piped.isTruncated)
})

test('the end of the association after the end of the data set changes nothing', async (t) => {
  const { dataSet } = stream()
  dataSet.push(Buffer.from('ab'), true)
  dataSet.fail(ABORTED)
  t.is((await dataSet.buffer()).toString(), 'ab')
  t.false(dataSet.isTruncated)
})

// ── discarded by the core, because the request was answered ─────────────────────────────────────────────

test('a consumer that is not done when the rest is discarded is told that it did not get everything', async (t) => {
  const piped = stream().dataSet
  const { promise, resolve } = deferred()
  const pipe = piped.pipeTo({ write: () => promise })
  piped.push(Buffer.from('ab'), false)
  piped.push(Buffer.from('cd'), false)
  piped.discard()
  piped.push(Buffer.from('ef'), true)
  resolve()
  await t.throwsAsync(pipe, { code: 'DICOMTAP_ERR_DIMSE_TRUNCATED' })

  const iterated = stream().dataSet
  iterated.push(Buffer.from('ab'), false)
  const pieces: string[] = []
  const read = (async () => {
    for await (const piece of iterated.bytes()) {
      pieces.push(Buffer.from(piece).toString())
    }
  })()
  await turn()
  iterated.discard()
  iterated.push(Buffer.from('cd'), true)
  await t.throwsAsync(read, { code: 'DICOMTAP_ERR_DIMSE_TRUNCATED' })
  t.deepEqual(pieces, ['ab'])

  const late = stream().dataSet
  late.push(Buffer.from('ab'), true)
  late.discard()
  await t.throwsAsync(late.buffer(), { code: 'DICOMTAP_ERR_DIMSE_TRUNCATED' })
})

test('discarding what was taken already is no loss', async (t) => {
  const { dataSet } = stream()
  const { promise, resolve } = deferred()
  const pipe = dataSet.pipeTo({ write: () => promise })
  dataSet.push(Buffer.from('ab'), true)
  dataSet.discard()
  resolve()
  t.is(await pipe, 2)
  const buffered = stream().dataSet
  buffered.push(Buffer.from('ab'), true)
  t.is((await buffered.buffer()).length, 2)
  buffered.discard()
  t.is((await buffered.buffer()).length, 2)
})

// ── back-pressure ───────────────────────────────────────────────────────────────────────────────────────

test('the socket is paused over the limit, and resumed below half of it', async (t) => {
  const { dataSet, switches } = stream(12_000)
  for (let i = 0; i < 9; i++) dataSet.push(Buffer.alloc(1_000), false)
  t.deepEqual(switches, [])
  for (let i = 0; i < 3; i++) dataSet.push(Buffer.alloc(1_000), false)
  t.deepEqual(switches, ['pause'])
  const iterator = dataSet.bytes()[Symbol.asyncIterator]()
  for (let i = 0; i < 6; i++) await iterator.next()
  t.deepEqual(switches, ['pause'], 'more than half is left')
  for (let i = 0; i < 4; i++) await iterator.next()
  t.deepEqual(switches, ['pause', 'resume'])
})

test('fragments of one byte share memory, and are counted as what they cost', async (t) => {
  const { dataSet, switches } = stream(100_000)
  let pushed = 0
  while (switches.length === 0 && pushed < 100_000) {
    dataSet.push(Buffer.of(pushed), false)
    pushed += 1
  }
  // A KiB of data costs 256 bytes besides.
  t.true(pushed > 70_000 && pushed < 80_100, `${pushed} fragments of a byte in 100 000 bytes`)
  let taken = 0
  const pieces: Uint8Array[] = []
  for await (const piece of dataSet.bytes()) {
    pieces.push(piece)
    taken += piece.length
    if (taken === pushed) break
  }
  t.true(pieces.length < 100, `${pieces.length} pieces`)
  t.true(Buffer.concat(pieces).every((byte, index) => byte === (index & 0xff)), 'every byte in its place')
})

test('small fragments beside large ones: memory that a reader has is not written to', async (t) => {
  const { dataSet } = stream(1_000_000)
  const sizes = Array.from({ length: 200 }, (_, index) => [1, 300, 255, 1, 1, 256, 40_000][index % 7]!)
  const sent = sizes.map((size, index) => Buffer.alloc(size, index))
  const iterator = dataSet.bytes()[Symbol.asyncIterator]()
  const pieces: Uint8Array[] = []
  let taken = 0
  for (const [index, fragment] of sent.entries()) {
    dataSet.push(fragment, index === sent.length - 1)
    if (index % 3 !== 0) continue
    const { value } = (await iterator.next()) as { value: Uint8Array }
    pieces.push(value)
    taken += value.length
  }
  for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) pieces.push(next.value)
  t.true(taken > 0)
  t.deepEqual(Buffer.concat(pieces), Buffer.concat(sent))
})

test('several data sets share the limit; each gives back what it held, whatever becomes of it', async (t) => {
  const { flow, switches } = stream(10_000)
  const fill = (): DataSetStream => {
    const dataSet = new DataSetStream(EXPLICIT_LE, flow, 1_000_000)
    for (let i = 0; i < 4; i++) dataSet.push(Buffer.alloc(1_000), i === 3)
    return dataSet
  }
  const ends: ((dataSet: DataSetStream) => unknown)[] = [
    (dataSet) => dataSet.buffer(),
    (dataSet) => dataSet.pipeTo({ write() {} }),
    (dataSet) => dataSet.discard(),
    async (dataSet) => {
      for await (const piece of dataSet.bytes()) {
        t.is(piece.length, 1_000)
        break
      }
    },
    (dataSet) => dataSet.buffer(1_500).catch(() => {}),
  ]
  for (let round = 0; round < 10; round++) {
    const held = [fill(), fill(), fill()]
    t.is(switches.at(-1), 'pause', `round ${round}`)
    for (const [index, dataSet] of held.entries()) await ends[(round + index) % ends.length]!(dataSet)
    t.is(switches.at(-1), 'resume', `round ${round}`)
  }
  t.is(switches.length, 20)
})

// ── buffers that are read into again ────────────────────────────────────────────────────────────────────

/** Stands as a socket: reads `bytes` into the buffer of the moment and pushes it in pieces. */
function read(buffers: ReadBuffers, dataSet: DataSetStream, value: number, pieces: readonly number[]): void {
  const buffer = buffers.next()
  let at = 0
  for (const length of pieces) {
    buffer.fill(value, at, at + length)
    dataSet.push(buffer.subarray(at, at + length), false)
    at += length
  }
  dataSet.handOver()
}

test('bytes that were handed out are never read into again, and back-pressure does not wear off', async (t) => {
  const buffers = new ReadBuffers()
  const { dataSet, switches } = stream(524_288, buffers)
  const taken: { value: number; piece: Uint8Array }[] = []
  const iterator = dataSet.bytes()[Symbol.asyncIterator]()
  for (let value = 1; value <= 60; value++) {
    read(buffers, dataSet, value, [70_000, 70_000, 70_000])
    for (let i = 0; i < 3; i++) taken.push({ value, piece: (await iterator.next()).value as Uint8Array })
  }
  for (const { value, piece } of taken) t.true(piece.every((byte) => byte === value), `fragment of read ${value}`)
  t.deepEqual(switches, [])
  // Nobody takes any more: the limit holds as on the first day.
  let reads = 0
  while (switches.length === 0 && reads < 50) {
    read(buffers, dataSet, 99, [70_000, 70_000, 70_000])
    reads += 1
  }
  t.true(reads <= 4, `${reads} reads of 210 000 bytes before the socket is paused at 524 288`)
})

test('a sink sees each byte as it arrived, while buffers go round', async (t) => {
  const buffers = new ReadBuffers()
  const { dataSet } = stream(10_000_000, buffers)
  const seen: number[] = []
  const piped = dataSet.pipeTo({
    write: async (fragments) => {
      await turn()
      for (const fragment of fragments) {
        const [value = 0] = fragment
        t.true(fragment.every((byte) => byte === value), `a fragment of ${value} was written over`)
        seen.push(value)
      }
    },
  })
  for (let value = 1; value <= 40; value++) {
    read(buffers, dataSet, value, [40_000, 100, 90_000, 5])
    if (value % 3 === 0) await turn()
  }
  dataSet.push(Buffer.alloc(0), true)
  t.is(await piped, 40 * 130_105)
  t.deepEqual(seen, Array.from({ length: 160 }, (_, index) => Math.floor(index / 4) + 1))
})

test('a buffer is used again when its last fragment was let go, and not before', async (t) => {
  const buffers = new ReadBuffers()
  const { dataSet } = stream(10_000_000, buffers)
  const first = buffers.next()
  t.is(buffers.next(), first, 'nothing is kept')
  const { promise, resolve } = deferred()
  void dataSet.pipeTo({ write: () => promise })
  read(buffers, dataSet, 1, [50_000])
  const second = buffers.next()
  t.not(second, first)
  t.is(buffers.pinnedBytes, 262_144)
  resolve()
  await turnsUntil(() => buffers.pinnedBytes === 0)
  t.is(buffers.pinnedBytes, 0)
  buffers.close()
})

test('what a sink takes at once is kept nowhere, however much comes', async (t) => {
  const buffers = new ReadBuffers()
  const { dataSet, switches } = stream(1_000, buffers)
  const first = buffers.next()
  let sum = 0
  const piped = dataSet.pipeTo({
    write: (fragments) => {
      for (const fragment of fragments) for (const byte of fragment) sum += byte
    },
  })
  for (let value = 1; value <= 50; value++) {
    read(buffers, dataSet, value, [100, 30_000, 60_000])
    t.is(buffers.next(), first)
  }
  dataSet.push(Buffer.alloc(0), true)
  t.is(await piped, 50 * 90_100)
  t.is(sum, 90_100 * ((50 * 51) / 2))
  t.deepEqual(switches, [], 'nothing waits')
})

test('small fragments keep whole buffers as long as few do, and are copied then; a handler never gets such a buffer', async (t) => {
  const streams = Array.from({ length: 40 }, () => {
    const buffers = new ReadBuffers()
    const { dataSet } = stream(10_000_000, buffers)
    read(buffers, dataSet, 7, [10_000])
    return { buffers, dataSet }
  })
  const pinned = (): number => streams.filter(({ buffers }) => buffers.pinnedBytes > 0).length
  t.true(pinned() > 0 && pinned() <= 16, `${pinned()} of 40 connections keep a buffer`)
  for (const { buffers, dataSet } of streams) {
    const before = buffers.next()
    const piece = (await dataSet.bytes()[Symbol.asyncIterator]().next()).value as Uint8Array
    t.is(piece.length, 10_000)
    t.true(piece.buffer.byteLength < 262_144, 'of memory of its own')
    t.true(piece.every((byte) => byte === 7))
    t.not(piece.buffer, before.buffer)
    buffers.close()
  }
  t.is(pinned(), 0)
})

test('a read that ends the association hands out nothing more of what it lent', async (t) => {
  const { dataSet } = stream(1_000, new ReadBuffers())
  const piped = dataSet.pipeTo({ write: () => t.fail() as never })
  dataSet.push(Buffer.from('ab'), false)
  dataSet.fail(ABORTED)
  dataSet.handOver()
  await t.throwsAsync(piped, { code: 'DICOMTAP_ERR_DIMSE_TRUNCATED' })
})

test('a write that never ends holds up nothing once the request is answered, and nobody writes over its memory', async (t) => {
  const buffers = new ReadBuffers()
  const { dataSet, switches } = stream(100_000, buffers)
  let held: readonly Uint8Array[] = []
  void dataSet.pipeTo({
    write: (fragments) => {
      held = fragments
      return new Promise(() => {})
    },
  })
  read(buffers, dataSet, 1, [60_000])
  t.deepEqual(switches, ['pause'])
  dataSet.discard()
  t.deepEqual(switches, ['pause', 'resume'])
  t.is(buffers.pinnedBytes, 0)
  for (let value = 2; value < 10; value++) read(buffers, dataSet, value, [60_000])
  t.true(held.every((fragment) => fragment.every((byte) => byte === 1)))
  t.deepEqual(switches, ['pause', 'resume'])
})
