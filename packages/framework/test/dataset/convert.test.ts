import { deflateRawSync, inflateRawSync } from 'node:zlib'
import test from 'ava'
import type { ExecutionContext } from 'ava'
import fc from 'fast-check'
import {
  TRANSFER_SYNTAXES,
  TransferSyntax,
  canConvertDataSet,
  checkDataSetStructure,
  convertDataSet,
  decodeDataSet,
} from '../../dist/dataset/index.js'
import { DicomtapError } from '../../dist/errors/index.js'
import type { ErrorCode } from '../../dist/errors/index.js'
import { SAMPLE_KINDS, encodedSample } from '../../dist/testing/sample-datasets.js'

const runs = Number(process.env['DICOMTAP_FUZZ_RUNS'] ?? 300)
const seed = Number(process.env['DICOMTAP_FUZZ_SEED'] ?? 20260717)

const { ImplicitVRLittleEndian: IMPLICIT, ExplicitVRLittleEndian: EXPLICIT } = TransferSyntax
const DEFLATED = TransferSyntax.DeflatedExplicitVRLittleEndian

/** Hexadecimal with blanks to bytes; `'text'` stands for itself. */
function bytes(...parts: string[]): Buffer {
  return Buffer.concat(
    parts.map((part) => (part.startsWith("'") ? Buffer.from(part.slice(1, -1), 'latin1') : Buffer.from(part.replaceAll(' ', ''), 'hex'))),
  )
}

/** Cut where `cuts` say. */
function pieces(source: Buffer, cuts: readonly number[]): Buffer[] {
  const ends = [...new Set([...cuts.map((cut) => cut % (source.length + 1)), source.length])].sort((a, b) => a - b)
  return ends.map((end, index) => source.subarray(ends[index - 1] ?? 0, end))
}

async function convert(source: Uint8Array | Iterable<Uint8Array>, from: string, to: string): Promise<Buffer> {
  const out: Uint8Array[] = []
  for await (const piece of convertDataSet(source, from, to)) out.push(piece)
  for (const piece of out.slice(0, -1)) if (piece.length % 2 !== 0) throw new Error('a piece of odd length before the last')
  return Buffer.concat(out)
}

/** Converts whole and byte by byte. */
async function converts(t: ExecutionContext, from: string, input: Buffer, to: string, expected: Buffer): Promise<void> {
  t.deepEqual((await convert(input, from, to)).toString('hex'), expected.toString('hex'))
  const single = [...input].map((byte) => Buffer.of(byte))
  t.deepEqual((await convert(single, from, to)).toString('hex'), expected.toString('hex'))
}

async function fails(t: ExecutionContext, from: string, input: Buffer, to: string, message: RegExp, code: ErrorCode = 'DICOMTAP_ERR_DS_MALFORMED'): Promise<void> {
  for (const source of [[input], [...input].map((byte) => Buffer.of(byte))]) {
    const error = await t.throwsAsync(convert(source, from, to), { instanceOf: DicomtapError, message })
    t.is((error as DicomtapError).code, code)
  }
}

test('only uncompressed little endian transfer syntaxes are converted', (t) => {
  const native: readonly string[] = [IMPLICIT, EXPLICIT, DEFLATED]
  for (const from of native) for (const to of native) t.true(canConvertDataSet(from, to))
  for (const { uid } of TRANSFER_SYNTAXES) {
    if (native.includes(uid)) continue
    t.false(canConvertDataSet(uid, EXPLICIT), uid)
    t.false(canConvertDataSet(EXPLICIT, uid), uid)
    t.false(canConvertDataSet(uid, uid), uid)
    t.throws(() => convertDataSet(Buffer.alloc(0), uid, EXPLICIT), { code: 'DICOMTAP_ERR_DS_ENCODE' })
  }
  t.false(canConvertDataSet('1.2.840.113619.5.2', IMPLICIT))
})

// A tag is written group first, both little endian: (0010,0020) is 10 00 20 00 (PS3.5 7.1).
const IMPLICIT_ELEMENTS = bytes(
  '08 00 05 00 0a 00 00 00', "'ISO_IR 100'", // Specific Character Set
  '10 00 20 00 04 00 00 00', "'ID42'", // Patient ID
  '20 00 13 00 02 00 00 00', "'7 '", // Instance Number
  '28 00 02 00 02 00 00 00', '01 00', // Samples per Pixel
)
const EXPLICIT_ELEMENTS = bytes(
  '08 00 05 00', "'CS'", '0a 00', "'ISO_IR 100'",
  '10 00 20 00', "'LO'", '04 00', "'ID42'",
  '20 00 13 00', "'IS'", '02 00', "'7 '",
  '28 00 02 00', "'US'", '02 00', '01 00',
)

test('elements get and lose their VR', async (t) => {
  await converts(t, IMPLICIT, IMPLICIT_ELEMENTS, EXPLICIT, EXPLICIT_ELEMENTS)
  await converts(t, EXPLICIT, EXPLICIT_ELEMENTS, IMPLICIT, IMPLICIT_ELEMENTS)
})

test('an empty data set stays empty', async (t) => {
  await converts(t, IMPLICIT, Buffer.alloc(0), EXPLICIT, Buffer.alloc(0))
  t.is((await convert([], EXPLICIT, IMPLICIT)).length, 0)
})

test('sequences and items of either length become ones of undefined length', async (t) => {
  const item = { implicit: bytes('08 00 55 11 04 00 00 00', "'1.2'", '00'), explicit: bytes('08 00 55 11', "'UI'", '04 00', "'1.2'", '00') }
  const implicit = bytes(
    '08 00 40 11 ff ff ff ff', // Referenced Image Sequence
    'fe ff 00 e0 ff ff ff ff', item.implicit.toString('hex'), 'fe ff 0d e0 00 00 00 00',
    'fe ff 00 e0 00 00 00 00', // an empty item keeps its length
    'fe ff dd e0 00 00 00 00',
    '10 00 20 00 04 00 00 00', "'ID42'",
  )
  const explicit = bytes(
    '08 00 40 11', "'SQ'", '00 00 ff ff ff ff',
    'fe ff 00 e0 ff ff ff ff', item.explicit.toString('hex'), 'fe ff 0d e0 00 00 00 00',
    'fe ff 00 e0 00 00 00 00',
    'fe ff dd e0 00 00 00 00',
    '10 00 20 00', "'LO'", '04 00', "'ID42'",
  )
  const definedImplicit = bytes(
    '08 00 40 11 1c 00 00 00', // 28 bytes: an item of 12 with its 8 bytes of header, one of 0
    'fe ff 00 e0 0c 00 00 00', item.implicit.toString('hex'),
    'fe ff 00 e0 00 00 00 00',
    '10 00 20 00 04 00 00 00', "'ID42'",
  )
  const definedExplicit = bytes(
    '08 00 40 11', "'SQ'", '00 00 1c 00 00 00',
    'fe ff 00 e0 0c 00 00 00', item.explicit.toString('hex'),
    'fe ff 00 e0 00 00 00 00',
    '10 00 20 00', "'LO'", '04 00', "'ID42'",
  )
  await converts(t, IMPLICIT, implicit, EXPLICIT, explicit)
  await converts(t, EXPLICIT, explicit, IMPLICIT, implicit)
  await converts(t, IMPLICIT, definedImplicit, EXPLICIT, explicit)
  await converts(t, EXPLICIT, definedExplicit, IMPLICIT, implicit)
})

test('an empty sequence keeps its length of zero', async (t) => {
  const implicit = bytes('08 00 40 11 00 00 00 00')
  const explicit = bytes('08 00 40 11', "'SQ'", '00 00 00 00 00 00')
  await converts(t, IMPLICIT, implicit, EXPLICIT, explicit)
  await converts(t, EXPLICIT, explicit, IMPLICIT, implicit)
})

test('private elements: the creator is LO, the rest UN, sequences of undefined length SQ', async (t) => {
  const implicit = bytes(
    '09 00 10 00 04 00 00 00', "'ACME'",
    '09 00 01 10 02 00 00 00', '07 00',
    '09 00 02 10 ff ff ff ff', 'fe ff 00 e0 ff ff ff ff', '09 00 03 10 02 00 00 00', "'ab'", 'fe ff 0d e0 00 00 00 00', 'fe ff dd e0 00 00 00 00',
    // of defined length: its value is not looked into
    '09 00 04 10 08 00 00 00', 'fe ff 00 e0 00 00 00 00',
  )
  await converts(t, IMPLICIT, implicit, EXPLICIT, bytes(
    '09 00 10 00', "'LO'", '04 00', "'ACME'",
    '09 00 01 10', "'UN'", '00 00 02 00 00 00', '07 00',
    '09 00 02 10', "'SQ'", '00 00 ff ff ff ff', 'fe ff 00 e0 ff ff ff ff', '09 00 03 10', "'UN'", '00 00 02 00 00 00', "'ab'", 'fe ff 0d e0 00 00 00 00', 'fe ff dd e0 00 00 00 00',
    '09 00 04 10', "'UN'", '00 00 08 00 00 00', 'fe ff 00 e0 00 00 00 00',
  ))
})

test('within UN of undefined length everything is Implicit VR (PS3.5 6.2.2)', async (t) => {
  const explicit = bytes(
    '09 00 02 10', "'UN'", '00 00 ff ff ff ff',
    'fe ff 00 e0 14 00 00 00', // 20 bytes
    '10 00 20 00 04 00 00 00', "'ID42'",
    // A length whose bytes would be a VR: 'LO'
    '40 00 60 a1 00 00 00 00',
    'fe ff dd e0 00 00 00 00',
    '10 00 20 00', "'LO'", '04 00', "'ID42'",
  )
  await converts(t, EXPLICIT, explicit, IMPLICIT, bytes(
    '09 00 02 10 ff ff ff ff',
    'fe ff 00 e0 ff ff ff ff',
    '10 00 20 00 04 00 00 00', "'ID42'",
    '40 00 60 a1 00 00 00 00',
    'fe ff 0d e0 00 00 00 00',
    'fe ff dd e0 00 00 00 00',
    '10 00 20 00 04 00 00 00', "'ID42'",
  ))
})

test('UN of a known sequence becomes that sequence', async (t) => {
  const un = bytes('08 00 40 11', "'UN'", '00 00 14 00 00 00', 'fe ff 00 e0 0c 00 00 00', '08 00 55 11 04 00 00 00', "'1.2'", '00')
  const implicit = await convert(un, EXPLICIT, IMPLICIT)
  t.deepEqual(implicit, bytes('08 00 40 11 14 00 00 00', 'fe ff 00 e0 0c 00 00 00', '08 00 55 11 04 00 00 00', "'1.2'", '00'))
  t.deepEqual(
    await convert(implicit, IMPLICIT, EXPLICIT),
    bytes('08 00 40 11', "'SQ'", '00 00 ff ff ff ff', 'fe ff 00 e0 ff ff ff ff', '08 00 55 11', "'UI'", '04 00', "'1.2'", '00', 'fe ff 0d e0 00 00 00 00', 'fe ff dd e0 00 00 00 00'),
  )
})

test('group lengths are left out, the value too', async (t) => {
  await converts(t, IMPLICIT, bytes('08 00 00 00 04 00 00 00', '12 00 00 00', IMPLICIT_ELEMENTS.toString('hex')), EXPLICIT, EXPLICIT_ELEMENTS)
  await converts(t, EXPLICIT, bytes('08 00 00 00', "'UL'", '04 00', '12 00 00 00', EXPLICIT_ELEMENTS.toString('hex')), IMPLICIT, IMPLICIT_ELEMENTS)
})

test('Pixel Data is OB for at most 8 bits allocated, else OW (PS3.5 A.2)', async (t) => {
  const bits = (count: string): string => `28 00 00 01 02 00 00 00 ${count} 00`
  const pixels = 'e0 7f 10 00 04 00 00 00 01 02 03 04'
  const vrOf = async (...parts: string[]): Promise<string> => (await convert(bytes(...parts, pixels), IMPLICIT, EXPLICIT)).subarray(-12, -10).toString()
  t.is(await vrOf(bits('08')), 'OB')
  t.is(await vrOf(bits('01')), 'OB')
  t.is(await vrOf(bits('10')), 'OW')
  t.is(await vrOf(), 'OW')
})

/** (0018,9810), before Pixel Representation, and (0028,0106), after it; both US or SS. */
const ZERO_VELOCITY = ['18 00 10 98', '02 00 00 00', 'fb ff'] as const
const SMALLEST = ['28 00 06 01', '02 00 00 00', 'fd ff'] as const
const REPRESENTATION = (signed: number): string => `28 00 03 01 02 00 00 00 0${signed} 00`
const AFTER = '28 00 06 01'

test('US or SS is what Pixel Representation says, also when it comes later', async (t) => {
  for (const [signed, vr] of [[0, "'US'"], [1, "'SS'"]] as const) {
    const expected = bytes(ZERO_VELOCITY[0], vr, '02 00 fb ff', '28 00 03 01', "'US'", `02 00 0${signed} 00`, SMALLEST[0], vr, '02 00 fd ff')
    await converts(t, IMPLICIT, bytes(...ZERO_VELOCITY, REPRESENTATION(signed), ...SMALLEST), EXPLICIT, expected)
  }
  t.is((await convert(bytes(...ZERO_VELOCITY, ...SMALLEST), IMPLICIT, EXPLICIT)).toString('latin1', 4, 6), 'US')
  t.is((await convert(bytes(...ZERO_VELOCITY), IMPLICIT, EXPLICIT)).toString('latin1', 4, 6), 'US')
})

test('US or SS in an item follows the item, or what is around it', async (t) => {
  const sequence = (tag: string, ...content: string[]): string =>
    `${tag} ff ff ff ff fe ff 00 e0 ff ff ff ff ${bytes(...content).toString('hex')} fe ff 0d e0 00 00 00 00 fe ff dd e0 00 00 00 00`
  const vrsIn = async (...parts: string[]): Promise<string[]> => {
    const out = (await convert(bytes(...parts), IMPLICIT, EXPLICIT)).toString('hex')
    return [...out.matchAll(/(?:28000601|18001098)(5353|5553)/g)].map(([, vr]) => (vr === '5353' ? 'SS' : 'US'))
  }
  // Referenced Image Sequence (0008,1140) comes before the image's own, Modality LUT Sequence (0028,3000) after.
  t.deepEqual(await vrsIn(sequence('08 00 40 11', ...ZERO_VELOCITY, ...SMALLEST), REPRESENTATION(1)), ['SS', 'SS'])
  t.deepEqual(await vrsIn(sequence('08 00 40 11', ...ZERO_VELOCITY, REPRESENTATION(1)), REPRESENTATION(0), ...SMALLEST), ['SS', 'US'])
  t.deepEqual(await vrsIn(REPRESENTATION(1), sequence('28 00 00 30', ...SMALLEST)), ['SS'])
  t.deepEqual(await vrsIn(REPRESENTATION(1), sequence('28 00 00 30', REPRESENTATION(0), ...SMALLEST), AFTER, '02 00 00 00 00 00'), ['US', 'SS'])
})

test('output does not wait for Pixel Representation without end', async (t) => {
  const long = Buffer.alloc(100_000, 0x20)
  const input = bytes(...ZERO_VELOCITY, '20 00 00 40 a0 86 01 00', long.toString('hex'), REPRESENTATION(1))
  const out = convertDataSet(pieces(input, [50_000, 100_020]), IMPLICIT, EXPLICIT)
  const all: Uint8Array[] = []
  for await (const piece of out) all.push(piece)
  t.is(Buffer.concat(all).toString('latin1', 4, 6), 'US')
})

test('lookup tables are OW', async (t) => {
  await converts(t, IMPLICIT, bytes('28 00 06 30 04 00 00 00 01 00 02 00'), EXPLICIT, bytes('28 00 06 30', "'OW'", '00 00 04 00 00 00 01 00 02 00'))
})

test('a value too long for a 16-bit length is UN (PS3.5 6.2.2 note)', async (t) => {
  for (const [length, vr] of [[65_534, 'LT'], [65_536, 'UN']] as const) {
    const header = bytes('10 00 00 40', '00 00 00 00')
    header.writeUInt32LE(length, 4)
    const text = Buffer.alloc(length, 0x61)
    const out = await convert(Buffer.concat([header, text]), IMPLICIT, EXPLICIT)
    t.is(out.toString('latin1', 4, 6), vr)
    t.is(vr === 'UN' ? out.readUInt32LE(8) : out.readUInt16LE(6), length)
    t.deepEqual(out.subarray(-length), text)
    t.deepEqual(await convert(out, EXPLICIT, IMPLICIT), Buffer.concat([header, text]))
  }
})

test('trailing padding, overlays of later groups and odd lengths stay', async (t) => {
  const implicit = bytes('10 00 20 00 03 00 00 00', "'odd'", '02 60 00 30 02 00 00 00 0f 00', 'fc ff fc ff 04 00 00 00 00 00 00 00')
  const explicit = bytes('10 00 20 00', "'LO'", '03 00', "'odd'", '02 60 00 30', "'OW'", '00 00 02 00 00 00 0f 00', 'fc ff fc ff', "'OB'", '00 00 04 00 00 00 00 00 00 00')
  await converts(t, IMPLICIT, implicit, EXPLICIT, explicit)
  await converts(t, EXPLICIT, explicit, IMPLICIT, implicit)
})

test('malformed data sets end with an error', async (t) => {
  const explicit = (...parts: string[]): Buffer => bytes(...parts)
  const item = 'fe ff 00 e0 ff ff ff ff'
  const cases: readonly (readonly [string, Buffer, RegExp])[] = [
    [EXPLICIT, explicit('10 00 20 00 4c'), /within the header of an element/],
    [EXPLICIT, explicit('10 00 20 00', "'LO'", '04 00', "'I'"), /within a value/],
    [EXPLICIT, explicit('10 00 20 00 01 02 04 00 00 00 00 00'), /\(0010,0020\) has no valid VR/],
    [EXPLICIT, explicit('08 00 40 11', "'SQ'", '00 00 ff ff ff ff'), /within a sequence/],
    [EXPLICIT, explicit('08 00 40 11', "'SQ'", '00 00 ff ff ff ff', item), /within an item/],
    // the item claims more than its sequence has
    [EXPLICIT, explicit('08 00 40 11', "'SQ'", '00 00 08 00 00 00 fe ff 00 e0 08 00 00 00'), /longer than what it is in/],
    // the element claims more than its item has
    [IMPLICIT, explicit('08 00 40 11 10 00 00 00 fe ff 00 e0 08 00 00 00 08 00 55 11 04 00 00 00'), /longer than what it is in/],
    // an item of four bytes, in which no element fits
    [IMPLICIT, explicit('08 00 40 11 0c 00 00 00 fe ff 00 e0 04 00 00 00 08 00 55 11 04 00 00 00'), /longer than what it is in/],
    // the sequence ends before its item is delimited
    [IMPLICIT, explicit('08 00 40 11 08 00 00 00', item), /delimitation item is missing/],
    [IMPLICIT, explicit('08 00 40 11 ff ff ff ff 08 00 55 11 00 00 00 00'), /stands in a sequence/],
    [IMPLICIT, explicit('fe ff 0d e0 00 00 00 00'), /stands in a data set/],
    [IMPLICIT, explicit('fe ff 00 e0 00 00 00 00'), /stands in a data set/],
    [IMPLICIT, explicit('02 00 10 00 00 00 00 00'), /does not belong in a data set/],
    [IMPLICIT, explicit('00 00 10 00 00 00 00 00'), /does not belong in a data set/],
    // encapsulated pixels
    [EXPLICIT, explicit('e0 7f 10 00', "'OB'", '00 00 ff ff ff ff fe ff 00 e0 00 00 00 00'), /\(7FE0,0010\) has an undefined length/],
    [IMPLICIT, explicit('e0 7f 10 00 ff ff ff ff'), /\(7FE0,0010\) has an undefined length/],
    [EXPLICIT, explicit('10 00 00 00', "'UN'", '00 00 ff ff ff ff'), /undefined length/],
  ]
  for (const [from, input, message] of cases) await fails(t, from, input, from === IMPLICIT ? EXPLICIT : IMPLICIT, message)
})

test('sequences are nested 64 deep at most', async (t) => {
  const level = '08 00 40 11 ff ff ff ff fe ff 00 e0 ff ff ff ff '
  const end = 'fe ff 0d e0 00 00 00 00 fe ff dd e0 00 00 00 00 '
  const nested = (depth: number): Buffer => bytes(level.repeat(depth), end.repeat(depth))
  t.is((await convert(nested(64), IMPLICIT, EXPLICIT)).length, nested(64).length + 64 * 4)
  await fails(t, IMPLICIT, nested(65), EXPLICIT, /nested deeper than 64/, 'DICOMTAP_ERR_DS_TOO_LARGE')
})

test('deflating and inflating leave the data set as it is', async (t) => {
  const source = await encodedSample('ct', EXPLICIT)
  const deflated = await convert(pieces(source, [1, 99, 500]), EXPLICIT, DEFLATED)
  t.is(deflated.length % 2, 0)
  t.deepEqual(inflateRawSync(deflated), source)
  t.deepEqual(await convert(pieces(deflated, [7, 8, 100]), DEFLATED, EXPLICIT), source)
  t.deepEqual(await convert(deflated, DEFLATED, DEFLATED), deflated)
  const implicit = await encodedSample('ct', IMPLICIT)
  t.deepEqual(await convert(deflateRawSync(source), DEFLATED, IMPLICIT), implicit)
  t.deepEqual(inflateRawSync(await convert(implicit, IMPLICIT, DEFLATED)), source)
})

test('what cannot be inflated is malformed', async (t) => {
  const deflated = deflateRawSync(EXPLICIT_ELEMENTS)
  for (const input of [deflated.subarray(0, -5), Buffer.from('no deflate stream at all')]) {
    await fails(t, DEFLATED, input, EXPLICIT, /cannot be inflated/)
    await fails(t, DEFLATED, input, IMPLICIT, /cannot be inflated/)
  }
})

test('an error of the source stays what it is, and the source is ended when nobody reads on', async (t) => {
  for (const [from, to] of [[EXPLICIT, IMPLICIT], [EXPLICIT, DEFLATED], [DEFLATED, IMPLICIT], [EXPLICIT, EXPLICIT]] as const) {
    const failure = new Error('disk on fire')
    const failing = (function* (): Generator<Uint8Array> {
      yield from === DEFLATED ? deflateRawSync(EXPLICIT_ELEMENTS).subarray(0, 4) : EXPLICIT_ELEMENTS
      throw failure
    })()
    t.is(await t.throwsAsync(convert(failing, from, to)), failure)

    let markEnded = (): void => {}
    const ended = new Promise<void>((resolve) => { markEnded = resolve })
    const pixels = bytes('e0 7f 10 00', "'OW'", '00 00 00 00 00 40')
    const endless = (async function* (): AsyncGenerator<Uint8Array> {
      try {
        if (from === EXPLICIT) yield pixels
        // A stored block of deflate without end: a header for 65535 bytes, then as many.
        for (;;) yield from === EXPLICIT ? Buffer.alloc(65_536, 1) : Buffer.concat([bytes('00 ff ff 00 00'), Buffer.alloc(65_535, 0x20)])
      } finally {
        markEnded()
      }
    })()
    const reader = convertDataSet(endless, from, from === DEFLATED ? EXPLICIT : to)
    for await (const piece of reader) if (piece.length > 0) break
    await ended
  }
  t.pass()
})

test('a value of gigabytes flows through without being held', async (t) => {
  const length = 3 * 1024 ** 3
  const header = bytes('e0 7f 10 00 00 00 00 00')
  header.writeUInt32LE(length, 4)
  const piece = Buffer.alloc(1024 * 1024, 7)
  let drawn = 0
  const source = (function* (): Generator<Uint8Array> {
    yield header
    for (; drawn < length; drawn += piece.length) yield piece
  })()
  let given = 0
  let mostAhead = 0
  for await (const out of convertDataSet(source, IMPLICIT, EXPLICIT)) {
    given += out.length
    mostAhead = Math.max(mostAhead, drawn - given)
  }
  t.is(given, 12 + length)
  t.true(mostAhead <= 2 * piece.length, `${mostAhead} bytes were held`)
})

test('the samples are converted as they would be encoded', async (t) => {
  for (const kind of SAMPLE_KINDS) {
    const [implicit, explicit] = [await encodedSample(kind, IMPLICIT), await encodedSample(kind, EXPLICIT)]
    const toExplicit = await convert(implicit, IMPLICIT, EXPLICIT)
    const toImplicit = await convert(explicit, EXPLICIT, IMPLICIT)
    checkDataSetStructure(toExplicit, EXPLICIT)
    checkDataSetStructure(toImplicit, IMPLICIT)
    t.deepEqual(await decodeDataSet(toExplicit, EXPLICIT), await decodeDataSet(explicit, EXPLICIT))
    t.deepEqual(await decodeDataSet(toImplicit, IMPLICIT), await decodeDataSet(implicit, IMPLICIT))
    if (kind !== 'sr') t.deepEqual(toImplicit, implicit) // no sequences with items: the same byte by byte
  }
})

/** A data set as a tree, with the lengths that it is written with. */
interface Tree {
  readonly tag: number
  readonly vr: string
  readonly value: Uint8Array | undefined
  readonly items: readonly { readonly hasLength: boolean; readonly content: readonly Tree[] }[]
  readonly hasLength: boolean
}

const LONG = new Set(['OB', 'OW', 'SQ', 'UN', 'UT'])
/** Attributes with one VR in PS3.6. */
const PLAIN: readonly (readonly [tag: number, vr: string])[] = [
  [0x00080005, 'CS'], [0x00080018, 'UI'], [0x00080020, 'DA'], [0x00081155, 'UI'], [0x00100010, 'PN'],
  [0x00104000, 'LT'], [0x00189073, 'FD'], [0x00200013, 'IS'], [0x00280010, 'US'], [0x0040a160, 'UT'], [0x00420011, 'OB'],
]
const SEQUENCES = [0x00081140, 0x00400275, 0x0040a730]
const PRIVATE = [0x00091001, 0x00191002]

const leaf = (attribute: readonly [number, string]): fc.Arbitrary<Tree> =>
  fc.uint8Array({ maxLength: 40 }).map((value) => ({ tag: attribute[0], vr: attribute[1], value, items: [], hasLength: true }))
const plainLeaf = fc.constantFrom(...PLAIN).chain(leaf)
const privateLeaf = fc.constantFrom(...PRIVATE.map((tag) => [tag, 'UN'] as const)).chain(leaf)
const longLeaf = fc.tuple(fc.integer({ min: 15_000, max: 70_000 }), fc.nat(255)).map(([length, fill]): Tree => ({
  tag: 0x0040a160, vr: 'UT', value: new Uint8Array(length).fill(fill), items: [], hasLength: true,
}))
const { dataSet } = fc.letrec<{ dataSet: Tree[]; element: Tree; sequence: Tree }>((tie) => ({
  dataSet: fc.array(tie('element'), { maxLength: 6, depthIdentifier: 'tree' }),
  element: fc.oneof({ depthIdentifier: 'tree', depthSize: 'small' }, plainLeaf, privateLeaf, { arbitrary: longLeaf, weight: 1 }, { arbitrary: tie('sequence'), weight: 3 }),
  sequence: fc.record({
    tag: fc.constantFrom(...SEQUENCES),
    vr: fc.constant('SQ'),
    value: fc.constant(undefined),
    items: fc.array(fc.record({ hasLength: fc.boolean(), content: tie('dataSet') }), { maxLength: 3 }),
    hasLength: fc.boolean(),
  }),
}))

function word(...values: number[]): Buffer {
  const out = Buffer.alloc(values.length * 2)
  values.forEach((value, index) => out.writeUInt16LE(value, index * 2))
  return out
}

function long(value: number): Buffer {
  return word(value & 0xffff, value >>> 16)
}

/** `normal`: as a conversion writes it. */
function write(elements: readonly Tree[], explicitVr: boolean, normal: boolean): Buffer {
  return Buffer.concat(elements.map(({ tag, vr, value, items, hasLength }) => {
    const isEmpty = items.length === 0
    const content = value ?? Buffer.concat(items.map((item) => {
      const inner = write(item.content, explicitVr, normal)
      const isDefined = normal ? inner.length === 0 : item.hasLength
      const parts = [word(0xfffe, 0xe000), long(isDefined ? inner.length : 0xffffffff), inner]
      return Buffer.concat(isDefined ? parts : [...parts, word(0xfffe, 0xe00d), long(0)])
    }))
    const isDefined = vr !== 'SQ' || (normal ? isEmpty : hasLength)
    const length = isDefined ? content.length : 0xffffffff
    const head = [word(tag >>> 16, tag & 0xffff)]
    if (!explicitVr) head.push(long(length))
    else if (LONG.has(vr)) head.push(Buffer.from(vr), word(0), long(length))
    else head.push(Buffer.from(vr), word(length))
    return Buffer.concat(isDefined ? [...head, content] : [...head, content, word(0xfffe, 0xe0dd), long(0)])
  }))
}

/** What was written empty with undefined length stays so: there is no telling before its end. */
function normalEmpty(elements: readonly Tree[]): boolean {
  return elements.every(({ vr, items, hasLength }) =>
    (vr !== 'SQ' || items.length > 0 || hasLength) && items.every((item) => (item.content.length > 0 || item.hasLength) && normalEmpty(item.content)))
}

test('any data set, cut anywhere, is converted as it would be written', async (t) => {
  const cuts = fc.array(fc.nat(200_000), { maxLength: 8 })
  await fc.assert(
    fc.asyncProperty(dataSet.filter(normalEmpty), cuts, fc.boolean(), async (elements, at, fromExplicit) => {
      const [from, to] = fromExplicit ? [EXPLICIT, IMPLICIT] : [IMPLICIT, EXPLICIT]
      const converted = await convert(pieces(write(elements, fromExplicit, false), at), from, to)
      if (!converted.equals(write(elements, !fromExplicit, true))) return false
      return (await convert(pieces(converted, at), to, from)).equals(write(elements, fromExplicit, true))
    }),
    { numRuns: runs, seed },
  )
  t.pass()
})

test('damaged data sets end with an error of ours or are converted, never otherwise', async (t) => {
  const damage = fc.array(fc.tuple(fc.nat(5_000), fc.nat(255)), { minLength: 1, maxLength: 4 })
  const sources = [await encodedSample('sr', IMPLICIT), await encodedSample('sr', EXPLICIT), await encodedSample('mr', IMPLICIT)]
  const outcomes = new Set<string>()
  await fc.assert(
    fc.asyncProperty(fc.nat(2), damage, async (index, changes) => {
      const input = Buffer.from(sources[index] as Buffer)
      for (const [at, value] of changes) input[at % input.length] = value
      const [from, to] = index === 1 ? [EXPLICIT, IMPLICIT] : [IMPLICIT, EXPLICIT]
      const outcome = await convert(pieces(input, [100, 1000]), from, to).then(
        (output) => (output.length <= input.length * 3 ? 'converted' : 'blown up'),
        (error: unknown) => (error instanceof DicomtapError ? error.code : `unexpected ${String(error)}`),
      )
      outcomes.add(outcome)
    }),
    { numRuns: runs, seed },
  )
  t.deepEqual([...outcomes].sort(), ['DICOMTAP_ERR_DS_MALFORMED', 'converted'])
})
