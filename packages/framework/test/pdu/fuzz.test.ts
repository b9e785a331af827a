import assert from 'node:assert/strict'
import test from 'ava'
import fc from 'fast-check'
import { DicomtapError, PduError } from '../../dist/errors/index.js'
import { decodePdu } from '../../dist/pdu/decode.js'
import { encodePdu } from '../../dist/pdu/encode.js'
import type { Pdu } from '../../dist/pdu/types.js'
import type { UserItem } from '../../dist/pdu/user-items/types.js'
import { PDU_FIXTURES } from '../fixtures/pdus.ts'
import type { FramerEvent } from './recorder.ts'
import { byteByByte, frame } from './recorder.ts'

// Short by default. `DICOMTAP_FUZZ_RUNS=100000 DICOMTAP_FUZZ_SEED=$RANDOM` for a long run elsewhere in the space.
const RUNS = Number(process.env['DICOMTAP_FUZZ_RUNS'] ?? 300)
const SEED = Number(process.env['DICOMTAP_FUZZ_SEED'] ?? 20240607)

function check<T>(arbitrary: fc.Arbitrary<T>, property: (value: T) => void): void {
  fc.assert(fc.property(arbitrary, property), { numRuns: RUNS, seed: SEED })
}

/** With the prototype that decoded objects have. */
function record<T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> {
  return fc.record(model, { noNullPrototype: true })
}

const u8 = fc.nat(0xff)
const u16 = fc.nat(0xffff)
const u32 = fc.nat(0xffffffff)
const bytesUpTo = (maxLength: number): fc.Arbitrary<Uint8Array> =>
  fc.uint8Array({ maxLength }).map((array) => new Uint8Array(array))
const uid = fc.stringMatching(/^[0-9.]{0,64}$/)
const text = (maxLength: number): fc.Arbitrary<string> =>
  fc.string({ unit: fc.integer({ min: 0x21, max: 0xff }).map((code) => String.fromCharCode(code)), maxLength })
const oddId = fc.nat(127).map((half) => 2 * half + 1)

const KNOWN = new Set([0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59])
const userItem: fc.Arbitrary<UserItem> = fc.oneof(
  record({ type: fc.constant(0x51 as const), maximumLengthReceived: u32 }),
  record({ type: fc.constant(0x52 as const), implementationClassUid: uid }),
  record({
    type: fc.constant(0x53 as const),
    maximumNumberOperationsInvoked: u16,
    maximumNumberOperationsPerformed: u16,
  }),
  record({ type: fc.constant(0x54 as const), sopClassUid: uid, scuRole: fc.boolean(), scpRole: fc.boolean() }),
  record({ type: fc.constant(0x55 as const), implementationVersionName: text(16) }),
  record({
    type: fc.constant(0x56 as const),
    sopClassUid: uid,
    serviceClassApplicationInformation: bytesUpTo(40),
  }),
  record({
    type: fc.constant(0x57 as const),
    subItemVersion: u8,
    sopClassUid: uid,
    serviceClassUid: uid,
    relatedGeneralSopClassUids: fc.array(uid, { maxLength: 4 }),
  }),
  record({
    type: fc.constant(0x58 as const),
    userIdentityType: u8,
    positiveResponseRequested: fc.boolean(),
    primaryField: bytesUpTo(40),
    secondaryField: bytesUpTo(40),
  }),
  record({ type: fc.constant(0x59 as const), serverResponse: bytesUpTo(40) }),
  record({
    type: u8.filter((type) => !KNOWN.has(type)),
    unknown: fc.constant(true as const),
    data: bytesUpTo(40),
  }),
)

const sharedFields = {
  protocolVersion: u16,
  calledAeTitle: text(16),
  callingAeTitle: text(16),
  applicationContextName: uid,
  userInformation: fc.array(userItem, { maxLength: 12 }),
}
const contextsOf = <T extends { id: number }>(context: fc.Arbitrary<T>): fc.Arbitrary<T[]> =>
  fc.uniqueArray(context, { selector: (item) => item.id, maxLength: 12 })

const pdu: fc.Arbitrary<Pdu> = fc.oneof(
  record({
    type: fc.constant('A-ASSOCIATE-RQ' as const),
    ...sharedFields,
    presentationContexts: contextsOf(
      record({ id: oddId, abstractSyntax: uid, transferSyntaxes: fc.array(uid, { minLength: 1, maxLength: 4 }) }),
    ),
  }),
  record({
    type: fc.constant('A-ASSOCIATE-AC' as const),
    ...sharedFields,
    presentationContexts: contextsOf(record({ id: oddId, result: u8, transferSyntax: uid })),
  }),
  record({ type: fc.constant('A-ASSOCIATE-RJ' as const), result: u8, source: u8, reason: u8 }),
  record({
    type: fc.constant('P-DATA-TF' as const),
    pdvs: fc.array(
      record({
        presentationContextId: oddId,
        isCommand: fc.boolean(),
        isLast: fc.boolean(),
        data: bytesUpTo(60),
      }),
      { minLength: 1, maxLength: 5 },
    ),
  }),
  record({ type: fc.constant('A-RELEASE-RQ' as const) }),
  record({ type: fc.constant('A-RELEASE-RP' as const) }),
  record({ type: fc.constant('A-ABORT' as const), source: u8, reason: u8 }),
)

/** The bytes of a valid PDU with a few of them changed, inserted or removed. */
const mutated: fc.Arbitrary<Buffer> = fc
  .tuple(
    fc.oneof(fc.constantFrom(...PDU_FIXTURES.map((fixture) => fixture.bytes)), pdu.map(encodePdu)),
    fc.array(record({ at: fc.nat(), remove: fc.nat(3), insert: fc.uint8Array({ maxLength: 3 }) }), { maxLength: 4 }),
    fc.boolean(),
  )
  .map(([original, edits, fixLength]) => {
    let result = Buffer.from(original)
    for (const { at, remove, insert } of edits) {
      // The header stays, so that the mutation reaches the decoder.
      const start = 6 + (at % Math.max(1, result.length - 6))
      result = Buffer.concat([result.subarray(0, start), insert, result.subarray(start + remove)])
    }
    if (fixLength) result.writeUInt32BE(result.length - 6, 2)
    return result
  })

/** Decodes what may be anything: a PDU, or undefined for a PduError with a reason of table 9-26. */
function decodeHostile(type: number, body: Uint8Array): Pdu | undefined {
  try {
    return decodePdu(type, body)
  } catch (error) {
    assertPduError(error)
    return undefined
  }
}

function assertPduError(error: unknown): asserts error is PduError {
  if (!(error instanceof PduError)) throw new Error('Something else than a PduError was thrown', { cause: error })
  assert.ok([1, 5, 6].includes(error.abortReason))
}

/** What the framer must report for a PDU: from the PDU itself, not from its bytes. */
function expectedEvents(value: Pdu): FramerEvent[] {
  const encoded = encodePdu(value)
  if (value.type !== 'P-DATA-TF') return [['pdu', encoded[0] ?? 0, encoded.subarray(6).toString('hex')]]
  return [
    ['start', value.pdvs.reduce((sum, pdv) => sum + 6 + pdv.data.length, 0)],
    ...value.pdvs.map(
      (pdv): FramerEvent => [
        'pdv',
        pdv.presentationContextId,
        pdv.isCommand,
        pdv.isLast,
        Buffer.from(pdv.data).toString('hex'),
        true,
      ],
    ),
    ['end'],
  ]
}

function cut(stream: Buffer, places: readonly number[]): Buffer[] {
  const sorted = places.map((place) => place % (stream.length + 1)).toSorted((a, b) => a - b)
  return [0, ...sorted].map((start, index) => stream.subarray(start, sorted[index] ?? stream.length))
}

const places = fc.array(fc.nat(), { maxLength: 30 })

test('what is encoded is decoded to the same PDU', (t) => {
  check(pdu, (value) => {
    const encoded = encodePdu(value)
    assert.equal(encoded.readUInt32BE(2), encoded.length - 6)
    assert.deepEqual(decodePdu(encoded[0] ?? 0, encoded.subarray(6)), value)
  })
  t.pass()
})

test('random bytes are a PDU or a PduError', (t) => {
  check(fc.tuple(fc.oneof(fc.integer({ min: 1, max: 7 }), u8), bytesUpTo(400)), ([type, body]) => {
    decodeHostile(type, body)
  })
  t.pass()
})

test('random items are a PDU or a PduError', (t) => {
  const item: fc.Arbitrary<Buffer> = fc
    .tuple(fc.constantFrom(0x10, 0x20, 0x21, 0x30, 0x40, 0x50, 0x51, 0x54, 0x56, 0x57, 0x58, 0x59, 0x99), bytesUpTo(90))
    .map(([type, fields]) => Buffer.concat([Buffer.from([type, 0, 0, fields.length]), fields]))
  const nested = fc
    .tuple(fc.constantFrom(0x20, 0x21, 0x50), u8, fc.array(item, { maxLength: 2 }))
    .map(([type, id, items]) => {
      const fields = Buffer.concat([type === 0x50 ? Buffer.alloc(0) : Buffer.from([id, 0, 0, 0]), ...items])
      return Buffer.concat([Buffer.from([type, 0, fields.length >> 8, fields.length & 0xff]), fields])
    })
  check(
    fc.tuple(fc.constantFrom(1, 2), fc.array(fc.oneof(item, nested), { maxLength: 8 })),
    ([type, items]) => {
      const value = decodeHostile(type, Buffer.concat([Buffer.alloc(68, 0x20), ...items]))
      if (value !== undefined) assert.doesNotThrow(() => encodePdu(value))
    },
  )
  t.pass()
})

test('a valid PDU with bytes changed is a PDU that can be encoded, or a PduError', (t) => {
  let decoded = 0
  check(mutated, (stream) => {
    const value = decodeHostile(stream[0] ?? 0, stream.subarray(6))
    if (value === undefined) return
    decoded++
    const again = encodePdu(value)
    assert.deepEqual(decodePdu(again[0] ?? 0, again.subarray(6)), value)
  })
  t.true(decoded > 0)
})

test('the framer reports every PDU of a stream, however it is cut', (t) => {
  check(fc.tuple(fc.array(pdu, { maxLength: 6 }), places), ([values, at]) => {
    const stream = Buffer.concat(values.map(encodePdu))
    const expected = values.flatMap(expectedEvents)
    assert.deepEqual(frame([stream]), { events: expected, error: undefined })
    assert.deepEqual(frame(cut(stream, at)), { events: expected, error: undefined })
    assert.deepEqual(frame(byteByByte(stream)), { events: expected, error: undefined })
  })
  t.pass()
})

test('the framer reports the same of a hostile stream, however it is cut: events, then the error', (t) => {
  let failed = 0
  check(fc.tuple(fc.array(mutated, { minLength: 1, maxLength: 4 }), places), ([streams, at]) => {
    const stream = Buffer.concat(streams)
    const whole = frame([stream])
    for (const other of [frame(cut(stream, at)), frame(byteByByte(stream))]) {
      assert.deepEqual(other.events, whole.events)
      assert.deepEqual(messageOf(other.error), messageOf(whole.error))
    }
    if (whole.error === undefined) return
    failed++
    assertPduError(whole.error)
  })
  t.true(failed > 0)
})

test('the framer takes random bytes as PDUs or a PduError', (t) => {
  check(fc.tuple(fc.integer({ min: 1, max: 7 }), bytesUpTo(200)), ([type, rest]) => {
    const { error } = frame([Buffer.from([type, 0, 0, 0]), Buffer.from(rest)])
    if (error !== undefined) assertPduError(error)
  })
  t.pass()
})

function messageOf(error: unknown): string | undefined {
  return error instanceof DicomtapError ? `${error.code}: ${error.message}` : error === undefined ? undefined : 'other'
}
