import test from 'ava'
import { AbortReason, PduError } from '../../dist/errors/index.js'
import type { ErrorCode } from '../../dist/errors/index.js'
import { PduFramer } from '../../dist/pdu/framer.js'
import type { FramerHandler, FramerLimits } from '../../dist/pdu/framer.js'
import { A_ABORT, A_ASSOCIATE_RQ, A_RELEASE_RQ, bytes, P_DATA_TF, PDU_FIXTURES } from '../fixtures/pdus.ts'
import type { FramerEvent } from './recorder.ts'
import { byteByByte, frame, FramerRecorder, LIMITS } from './recorder.ts'

const ALL = Buffer.concat(PDU_FIXTURES.map((fixture) => fixture.bytes))
const P_DATA_EVENTS: FramerEvent[] = [
  ['start', 25],
  ['pdv', 1, true, true, 'dead', true],
  ['pdv', 3, false, false, '0102030405', true],
  ['pdv', 255, false, true, '', true],
  ['end'],
]
const ALL_EVENTS = PDU_FIXTURES.flatMap((fixture): FramerEvent[] =>
  fixture === P_DATA_TF ? P_DATA_EVENTS : [['pdu', fixture.type, fixture.bytes.subarray(6).toString('hex')]],
)

/** A P-DATA-TF around the given bytes, whatever they are. */
function pData(...pieces: readonly string[]): Buffer {
  const body = bytes(...pieces)
  const header = Buffer.from([4, 0, 0, 0, 0, 0])
  header.writeUInt32BE(body.length, 2)
  return Buffer.concat([header, body])
}

/** The stream must fail exactly at its last byte, in one chunk and byte by byte. */
function failsAtLastByte(
  stream: Buffer,
  code: ErrorCode,
  abortReason: number,
  limits: FramerLimits = LIMITS,
): FramerEvent[] | string {
  if (frame(byteByByte(stream.subarray(0, -1)), limits).error !== undefined) return 'failed too early'
  for (const chunks of [[stream], byteByByte(stream)]) {
    const { error } = frame(chunks, limits)
    if (!(error instanceof PduError)) return `no PduError: ${String(error)}`
    if (error.code !== code || error.abortReason !== abortReason) return `${error.code} ${error.abortReason}`
    if (error.message.includes('\n')) return 'a message of more than one line'
  }
  return frame([stream], limits).events
}

test('cuts a stream of all PDUs, whole, byte by byte and at every place', (t) => {
  t.deepEqual(frame([ALL]), { events: ALL_EVENTS, error: undefined })
  t.deepEqual(frame(byteByByte(ALL)), { events: ALL_EVENTS, error: undefined })
  for (let cut = 1; cut < ALL.length; cut++) {
    t.deepEqual(frame([ALL.subarray(0, cut), ALL.subarray(cut)]).events, ALL_EVENTS, `cut at ${cut}`)
  }
})

test('empty chunks change nothing', (t) => {
  const empty = Buffer.alloc(0)
  t.deepEqual(frame([empty, ALL.subarray(0, 9), empty, empty, ALL.subarray(9), empty]).events, ALL_EVENTS)
})

test('a PDU type is refused at its first byte: HTTP, TLS, and everything else that is not DICOM', (t) => {
  for (let type = 0; type <= 255; type++) {
    if (type >= 1 && type <= 7) continue
    t.deepEqual(failsAtLastByte(Buffer.from([type]), 'DICOMTAP_ERR_PDU_UNRECOGNIZED', AbortReason.UnrecognizedPdu), [])
  }
  t.is((frame([Buffer.from('GET / HTTP/1.1\r\n\r\n')]).error as PduError).abortReason, 1)
})

test('a type that is wrong after a good PDU is refused, and the good PDU delivered', (t) => {
  const stream = Buffer.concat([A_RELEASE_RQ.bytes, Buffer.from([0x47])])
  t.deepEqual(failsAtLastByte(stream, 'DICOMTAP_ERR_PDU_UNRECOGNIZED', 1), [['pdu', 5, '00000000']])
})

test('an A-ASSOCIATE PDU over the limit is refused at its header', (t) => {
  for (const type of ['01', '02']) {
    t.deepEqual(failsAtLastByte(bytes(type, '00 00 01 00 01'), 'DICOMTAP_ERR_PDU_TOO_LARGE', 6), [])
    t.deepEqual(failsAtLastByte(bytes(type, '00 ff ff ff ff'), 'DICOMTAP_ERR_PDU_TOO_LARGE', 6), [])
    t.deepEqual(failsAtLastByte(bytes(type, '00 00 00 00 00'), 'DICOMTAP_ERR_PDU_MALFORMED', 6), [])
  }
})

test('an A-ASSOCIATE PDU of exactly the limit is delivered', (t) => {
  const body = Buffer.alloc(65536, 0xa5)
  const stream = Buffer.concat([bytes('01 00 00 01 00 00'), body])
  for (const chunks of [[stream], [stream.subarray(0, 7), stream.subarray(7)], byteByByte(stream)]) {
    t.deepEqual(frame(chunks).events, [['pdu', 1, body.toString('hex')]])
  }
})

test('the limit of A-ASSOCIATE PDUs is not that of P-DATA-TF', (t) => {
  const limits = { maximumPduBytes: 16, maximumAssociatePduBytes: 452 }
  t.is(frame([A_ASSOCIATE_RQ.bytes], limits).error, undefined)
  t.is((frame([P_DATA_TF.bytes], limits).error as PduError).code, 'DICOMTAP_ERR_PDU_TOO_LARGE')
})

test('PDUs without variable items must have a length of 4', (t) => {
  for (const type of ['03', '05', '06', '07']) {
    for (const length of ['00 00 00 00', '00 00 00 03', '00 00 00 05', 'ff ff ff ff']) {
      t.deepEqual(failsAtLastByte(bytes(type, '00', length), 'DICOMTAP_ERR_PDU_MALFORMED', 6), [], `${type} ${length}`)
    }
  }
})

test('a P-DATA-TF over the announced maximum is refused at its header', (t) => {
  t.deepEqual(failsAtLastByte(bytes('04 00 00 01 00 01'), 'DICOMTAP_ERR_PDU_TOO_LARGE', 6), [])
  t.deepEqual(failsAtLastByte(bytes('04 00 ff ff ff ff'), 'DICOMTAP_ERR_PDU_TOO_LARGE', 6), [])
  t.deepEqual(frame([bytes('04 00 00 01 00 00')]).events, [['start', 65536]])
})

test('0 announces no maximum: any length begins', (t) => {
  const limits = { maximumPduBytes: 0, maximumAssociatePduBytes: 65536 }
  const { events, error } = frame([bytes('04 00 ff ff ff ff', 'ff ff ff fb', '01 00', '2a')], limits)
  t.is(error, undefined)
  t.deepEqual(events, [
    ['start', 0xffffffff],
    ['pdv', 1, false, false, '2a', false],
  ])
})

test('the maximum can be set after negotiation, and holds from the next header on', (t) => {
  const recorder = new FramerRecorder()
  const framer = new PduFramer(recorder, LIMITS)
  framer.push(P_DATA_TF.bytes.subarray(0, 10))
  framer.maximumPduBytes = 24
  t.is(framer.maximumPduBytes, 24)
  framer.push(P_DATA_TF.bytes.subarray(10))
  t.deepEqual(recorder.events, P_DATA_EVENTS)
  t.throws(() => framer.push(P_DATA_TF.bytes), { code: 'DICOMTAP_ERR_PDU_TOO_LARGE' })
})

test('a P-DATA-TF without room for a PDV item is refused at its header', (t) => {
  for (let length = 0; length < 6; length++) {
    t.deepEqual(failsAtLastByte(bytes('04 00 00 00 00', `0${length}`), 'DICOMTAP_ERR_PDU_MALFORMED', 6), [])
  }
})

test('bytes after the last PDV that are no PDV item are refused when that PDV is complete', (t) => {
  for (let left = 1; left < 6; left++) {
    const stream = pData('00 00 00 03 01 00 2a', '00'.repeat(left)).subarray(0, 13)
    t.deepEqual(failsAtLastByte(stream, 'DICOMTAP_ERR_PDU_MALFORMED', 6), [
      ['start', 7 + left],
      ['pdv', 1, false, false, '2a', true],
    ])
  }
})

test('a PDV item length that is too small or too large is refused at its last byte', (t) => {
  for (const length of ['00 00 00 00', '00 00 00 01', '00 00 00 05', '00 00 01 00', 'ff ff ff ff']) {
    const stream = pData(length, '01 00 2a 2a').subarray(0, 10)
    t.deepEqual(failsAtLastByte(stream, 'DICOMTAP_ERR_PDU_MALFORMED', 6), [['start', 8]], length)
  }
  t.is(frame([pData('00 00 00 04', '01 00 2a 2a')]).error, undefined)
})

test('a presentation context id that is even is refused at its byte', (t) => {
  for (let id = 0; id <= 255; id++) {
    const stream = pData('00 00 00 02', id.toString(16).padStart(2, '0'), '00')
    if (id % 2 === 1) t.is(frame([stream]).error, undefined)
    else t.deepEqual(failsAtLastByte(stream.subarray(0, 11), 'DICOMTAP_ERR_PDU_VALUE', 6), [['start', 6]])
  }
})

test('only bits 0 and 1 of the message control header count (PS3.8 E.2)', (t) => {
  for (let control = 0; control <= 255; control++) {
    const { events } = frame([pData('00 00 00 02', '01', control.toString(16).padStart(2, '0'))])
    t.deepEqual(events[1], ['pdv', 1, (control & 1) === 1, (control & 2) === 2, '', true])
  }
})

test('reserved bytes of the PDU header are not tested', (t) => {
  t.deepEqual(frame([bytes('05 ff 00 00 00 04 ff ff ff ff')]).events, [['pdu', 5, 'ffffffff']])
})

test('a PDV is handed over as it arrives, in one view of each chunk', (t) => {
  const stream = pData('00 00 00 0a', '01 02', '01 02 03 04 05 06 07 08')
  const calls: [data: string, first: boolean, end: boolean, isView: boolean][] = []
  let chunk = stream
  const handler: FramerHandler = {
    pdu: () => t.fail(),
    pDataStart: () => {},
    pdvFragment: (_id, _command, _last, fragment, first, end) => {
      calls.push([fragment.toString('hex'), first, end, fragment.buffer === chunk.buffer])
    },
    pDataEnd: () => {},
  }
  const framer = new PduFramer(handler, LIMITS)
  for (const [from, to] of [[0, 12], [12, 13], [13, 17], [17, 20]] as const) {
    chunk = stream.subarray(from, to)
    framer.push(chunk)
  }
  t.deepEqual(calls, [
    ['01', true, false, true],
    ['02030405', false, false, true],
    ['060708', false, true, true],
  ])
})

test('a body that lies in one chunk is a view of it', (t) => {
  let body: Uint8Array | undefined
  const recorder = new FramerRecorder()
  recorder.pdu = (_type, view) => {
    body = view
  }
  new PduFramer(recorder, LIMITS).push(A_ASSOCIATE_RQ.bytes)
  t.is(body?.buffer, A_ASSOCIATE_RQ.bytes.buffer)
})

test('a body that arrives in pieces survives that the transport uses its buffer again', (t) => {
  const recorder = new FramerRecorder()
  const framer = new PduFramer(recorder, LIMITS)
  const shared = Buffer.alloc(50)
  for (let at = 0; at < ALL.length; at += 50) {
    const size = ALL.copy(shared, 0, at, at + 50)
    framer.push(shared.subarray(0, size))
    shared.fill(0xff)
  }
  t.deepEqual(recorder.events, ALL_EVENTS)
})

test.serial('memory follows the bytes that arrived, not the length that was claimed', (t) => {
  const descriptor = Object.getOwnPropertyDescriptor(Buffer, 'allocUnsafe')
  const original = Buffer.allocUnsafe.bind(Buffer)
  const sizes: number[] = []
  const associateHeader = bytes('01 00 40 00 00 00')
  const pDataHeaders = bytes('04 00 ff ff ff ff', 'ff ff ff fb', '01 00')
  const piece = Buffer.alloc(1000)
  Buffer.allocUnsafe = (size) => {
    sizes.push(size)
    return original(size)
  }
  try {
    const claim = 1 << 30
    const framer = new PduFramer(new FramerRecorder(), { maximumPduBytes: 0, maximumAssociatePduBytes: claim })
    framer.push(associateHeader)
    t.deepEqual(sizes, [])
    for (let received = 1000; received <= 100_000; received += 1000) {
      framer.push(piece)
      t.true(Math.max(...sizes) <= Math.max(4096, 2 * received))
    }
    t.true(sizes.length < 10, 'and grows in few steps')
    const unlimited = new PduFramer(new FramerRecorder(), { maximumPduBytes: 0, maximumAssociatePduBytes: claim })
    sizes.length = 0
    unlimited.push(pDataHeaders)
    unlimited.push(piece)
    t.deepEqual(sizes, [])
  } finally {
    if (descriptor !== undefined) Object.defineProperty(Buffer, 'allocUnsafe', descriptor)
  }
})

test('stop inside any callback silences the rest of the chunk and all that follows', (t) => {
  const stream = Buffer.concat([A_ASSOCIATE_RQ.bytes, P_DATA_TF.bytes, A_ABORT.bytes])
  const all = frame([stream]).events
  for (let calls = 1; calls <= all.length; calls++) {
    const recorder = new FramerRecorder()
    const framer: PduFramer = new PduFramer(recorder, LIMITS)
    const push = recorder.events.push.bind(recorder.events)
    recorder.events.push = (...items) => {
      const count = push(...items)
      if (count === calls) framer.stop()
      return count
    }
    framer.push(stream)
    framer.push(stream)
    framer.push(Buffer.from('GET /'))
    t.deepEqual([...recorder.events], all.slice(0, calls), `after ${calls} calls`)
    t.false(framer.isFailed)
  }
})

test('stop before a violation in the same chunk hides it', (t) => {
  const recorder = new FramerRecorder()
  const framer: PduFramer = new PduFramer(recorder, LIMITS)
  recorder.pdu = () => framer.stop()
  t.notThrows(() => framer.push(Buffer.concat([A_ABORT.bytes, Buffer.from('GET /')])))
})

test('after a violation it stays failed and is silent', (t) => {
  const recorder = new FramerRecorder()
  const framer = new PduFramer(recorder, LIMITS)
  t.false(framer.isFailed)
  t.throws(() => framer.push(Buffer.from('GET /')), { instanceOf: PduError })
  t.true(framer.isFailed)
  framer.push(ALL)
  t.deepEqual(recorder.events, [])
})

test('a handler that throws fails the framer: its place in the stream is lost', (t) => {
  for (const name of ['pdu', 'pDataStart', 'pdvFragment', 'pDataEnd'] as const) {
    const recorder = new FramerRecorder()
    recorder[name] = () => {
      throw new RangeError('handler')
    }
    const framer = new PduFramer(recorder, LIMITS)
    t.throws(() => framer.push(ALL), { instanceOf: RangeError })
    t.true(framer.isFailed)
    const before = recorder.events.length
    framer.push(ALL)
    t.is(recorder.events.length, before)
  }
})

test('isMidPdu is true from the first byte of a PDU until its last', (t) => {
  const states: boolean[] = []
  const recorder = new FramerRecorder()
  const framer: PduFramer = new PduFramer(recorder, LIMITS)
  recorder.pdu = () => states.push(framer.isMidPdu)
  recorder.pDataEnd = () => states.push(framer.isMidPdu)
  for (const fixture of PDU_FIXTURES) {
    t.false(framer.isMidPdu)
    for (const byte of byteByByte(fixture.bytes.subarray(0, -1))) {
      framer.push(byte)
      t.true(framer.isMidPdu, fixture.name)
    }
    framer.push(fixture.bytes.subarray(-1))
    t.false(framer.isMidPdu, fixture.name)
  }
  t.deepEqual(states, PDU_FIXTURES.map(() => false))
})
