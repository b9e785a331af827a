import { deflateRawSync, inflateRawSync } from 'node:zlib'
import test from 'ava'
import type { ExecutionContext } from 'ava'
import fc from 'fast-check'
import { TransferSyntax, checkDataSetStructure, decodeDataSet, withoutBulkData } from '../../dist/dataset/index.js'
import { DicomtapError } from '../../dist/errors/index.js'
import { SAMPLE_KINDS, encodedSample } from '../../dist/testing/sample-datasets.js'

const runs = Number(process.env['DICOMTAP_FUZZ_RUNS'] ?? 300)
const seed = Number(process.env['DICOMTAP_FUZZ_SEED'] ?? 20260717)

const { ImplicitVRLittleEndian: IMPLICIT, ExplicitVRLittleEndian: EXPLICIT, JPEG2000Lossless: JPEG_2000 } = TransferSyntax
const DEFLATED = TransferSyntax.DeflatedExplicitVRLittleEndian

/** Hexadecimal with blanks to bytes; `'text'` stands for itself. */
function bytes(...parts: string[]): Buffer {
  return Buffer.concat(
    parts.map((part) => (part.startsWith("'") ? Buffer.from(part.slice(1, -1), 'latin1') : Buffer.from(part.replaceAll(' ', ''), 'hex'))),
  )
}

async function stripped(source: Uint8Array | Iterable<Uint8Array>, transferSyntaxUid: string): Promise<Buffer> {
  const out: Uint8Array[] = []
  for await (const piece of withoutBulkData(source, transferSyntaxUid)) out.push(piece)
  for (const piece of out.slice(0, -1)) if (piece.length % 2 !== 0) throw new Error('a piece of odd length before the last')
  return Buffer.concat(out)
}

/** Whole and byte by byte. */
async function becomes(t: ExecutionContext, transferSyntaxUid: string, input: Buffer, expected: Buffer, what?: string): Promise<void> {
  t.is((await stripped(input, transferSyntaxUid)).toString('hex'), expected.toString('hex'), what)
  t.is((await stripped([...input].map((byte) => Buffer.of(byte)), transferSyntaxUid)).toString('hex'), expected.toString('hex'), what)
}

const ID = bytes('10 00 20 00', "'LO'", '04 00', "'ID42'")
const PADDING = bytes('fc ff fc ff', "'OB'", '00 00 02 00 00 00 00 00') // Data Set Trailing Padding
const IMPLICIT_ID = bytes('10 00 20 00 04 00 00 00', "'ID42'")

/** Each of PS3.4 table Z.1-1, with the VR it is written with. */
const TABLE: readonly (readonly [name: string, tag: string, vr: string])[] = [
  ['Pixel Data', 'e0 7f 10 00', 'OW'],
  ['Float Pixel Data', 'e0 7f 08 00', 'OF'],
  ['Double Float Pixel Data', 'e0 7f 09 00', 'OD'],
  ['Pixel Data Provider URL', '28 00 e0 7f', 'UR'],
  ['Spectroscopy Data', '00 56 20 00', 'OF'],
  ['Overlay Data', '00 60 00 30', 'OW'],
  ['Overlay Data of the last overlay', '1e 60 00 30', 'OB'],
  ['Curve Data', '00 50 00 30', 'OB'],
  ['Curve Data of the last curve', '1e 50 00 30', 'OW'],
  ['Audio Sample Data', '02 50 0c 20', 'OW'],
  ['Encapsulated Document', '42 00 11 00', 'OB'],
]

for (const [name, tag, vr] of TABLE) {
  test(`${name} is left out, whatever is around it`, async (t) => {
    const explicit = bytes(tag, `'${vr}'`, '00 00 08 00 00 00', "'01234567'")
    await becomes(t, EXPLICIT, Buffer.concat([ID, explicit, PADDING]), Buffer.concat([ID, PADDING]))
    await becomes(t, EXPLICIT, explicit, Buffer.alloc(0), 'alone')
    await becomes(t, EXPLICIT, bytes(tag, `'${vr}'`, '00 00 00 00 00 00'), Buffer.alloc(0), 'empty')
    await becomes(t, EXPLICIT, bytes(tag, "'UN'", '00 00 08 00 00 00', "'01234567'"), Buffer.alloc(0), 'as UN')
    await becomes(t, IMPLICIT, Buffer.concat([IMPLICIT_ID, bytes(tag, '08 00 00 00', "'01234567'"), IMPLICIT_ID]), Buffer.concat([IMPLICIT_ID, IMPLICIT_ID]))
  })
}

test('what only looks like it stays: rows of an overlay, private groups, icons, other sequences', async (t) => {
  const pixels = ['e0 7f 10 00', "'OW'", '00 00 02 00 00 00 01 02'] as const
  for (const kept of [
    bytes('00 60 10 00', "'US'", '02 00 00 02'), // Overlay Rows
    bytes('01 60 00 30', "'OB'", '00 00 02 00 00 00 01 02'), // a private group
    bytes('01 50 0c 20', "'OB'", '00 00 02 00 00 00 01 02'),
    bytes('00 60 0c 20', "'OB'", '00 00 02 00 00 00 01 02'),
    bytes('e0 7f 01 00', "'OV'", '00 00 08 00 00 00', "'01234567'"), // Extended Offset Table
    bytes('42 00 12 00', "'LO'", '04 00', "'text'"), // MIME Type of Encapsulated Document
    // Icon Image Sequence (0088,0200), of either length
    bytes('88 00 00 02', "'SQ'", '00 00 16 00 00 00', 'fe ff 00 e0 0e 00 00 00', ...pixels),
    bytes('88 00 00 02', "'SQ'", '00 00 ff ff ff ff', 'fe ff 00 e0 ff ff ff ff', ...pixels, 'fe ff 0d e0 00 00 00 00', 'fe ff dd e0 00 00 00 00'),
    bytes('88 00 00 02', "'SQ'", '00 00 ff ff ff ff', 'fe ff 00 e0 0e 00 00 00', ...pixels, 'fe ff 00 e0 00 00 00 00', 'fe ff dd e0 00 00 00 00'),
    // Waveform Data that is in no Waveform Sequence of the top level
    bytes('00 54 10 10', "'OW'", '00 00 02 00 00 00 01 02'),
    bytes('40 00 60 a1', "'SQ'", '00 00 ff ff ff ff', 'fe ff 00 e0 ff ff ff ff', '00 54 10 10', "'OW'", '00 00 02 00 00 00 01 02', 'fe ff 0d e0 00 00 00 00', 'fe ff dd e0 00 00 00 00'),
  ]) {
    checkDataSetStructure(kept, EXPLICIT)
    const whole = Buffer.concat([ID, kept, PADDING])
    await becomes(t, EXPLICIT, whole, whole, kept.toString('hex'))
  }
})

// Waveform Sequence (5400,0100): number of channels (003A,0005), channel definitions (003A,0200), bits (5400,1004), data.
const CHANNELS = bytes('3a 00 05 00', "'US'", '02 00 01 00')
const DEFINITIONS = bytes('3a 00 00 02', "'SQ'", '00 00 14 00 00 00', 'fe ff 00 e0 0c 00 00 00', '3a 00 03 02', "'SH'", '04 00', "'lead'")
const BITS = bytes('00 54 04 10', "'US'", '02 00 10 00')
const SAMPLES = bytes('00 54 10 10', "'OW'", '00 00 04 00 00 00 01 02 03 04')
const UNDEFINED = 'ff ff ff ff'
const ITEM_END = 'fe ff 0d e0 00 00 00 00'
const SEQUENCE_END = 'fe ff dd e0 00 00 00 00'

test('Waveform Data is left out of the items of Waveform Sequence, of either length', async (t) => {
  const item = Buffer.concat([CHANNELS, DEFINITIONS, BITS, SAMPLES])
  t.is(item.length, 0x44)
  const rest = Buffer.concat([CHANNELS, DEFINITIONS, BITS]).toString('hex')
  const header = ['00 54 00 01', "'SQ'", '00 00'] as const
  const expected = Buffer.concat([
    ID,
    bytes(...header, UNDEFINED, 'fe ff 00 e0', UNDEFINED, rest, ITEM_END, 'fe ff 00 e0', UNDEFINED, rest, ITEM_END, 'fe ff 00 e0 00 00 00 00', SEQUENCE_END),
    PADDING,
  ])
  checkDataSetStructure(expected, EXPLICIT)
  const hex = item.toString('hex')
  const cases: Readonly<Record<string, Buffer>> = {
    'defined lengths': bytes(...header, 'a0 00 00 00', 'fe ff 00 e0 44 00 00 00', hex, 'fe ff 00 e0 44 00 00 00', hex, 'fe ff 00 e0 00 00 00 00'),
    'undefined lengths': bytes(...header, UNDEFINED, 'fe ff 00 e0', UNDEFINED, hex, ITEM_END, 'fe ff 00 e0', UNDEFINED, hex, ITEM_END, 'fe ff 00 e0 00 00 00 00', SEQUENCE_END),
    'items of defined length': bytes(...header, UNDEFINED, 'fe ff 00 e0 44 00 00 00', hex, 'fe ff 00 e0 44 00 00 00', hex, 'fe ff 00 e0 00 00 00 00', SEQUENCE_END),
    'a sequence of defined length': bytes(...header, 'b0 00 00 00', 'fe ff 00 e0', UNDEFINED, hex, ITEM_END, 'fe ff 00 e0', UNDEFINED, hex, ITEM_END, 'fe ff 00 e0 00 00 00 00'),
  }
  for (const [what, input] of Object.entries(cases)) {
    checkDataSetStructure(input, EXPLICIT)
    await becomes(t, EXPLICIT, Buffer.concat([ID, input, PADDING]), expected, what)
  }
  const empty = Buffer.concat([bytes(...header, '00 00 00 00'), PADDING])
  await becomes(t, EXPLICIT, empty, empty)
})

test('a sequence nested in a waveform stays as it is, with what is called Waveform Data in there', async (t) => {
  const nested = bytes('3a 00 00 02', "'SQ'", '00 00', UNDEFINED, 'fe ff 00 e0 0e 00 00 00', SAMPLES.subarray(0, 8).toString('hex'), '02 00 00 00 01 02', SEQUENCE_END)
  const start = bytes('00 54 00 01', "'SQ'", '00 00', UNDEFINED, 'fe ff 00 e0', UNDEFINED)
  const end = bytes(ITEM_END, SEQUENCE_END)
  const input = Buffer.concat([start, nested, SAMPLES, end])
  checkDataSetStructure(input, EXPLICIT)
  await becomes(t, EXPLICIT, input, Buffer.concat([start, nested, end]))
})

test('Waveform Sequence in Implicit VR, and as UN', async (t) => {
  const bits = '00 54 04 10 02 00 00 00 10 00'
  const samples = '00 54 10 10 04 00 00 00 01 02 03 04'
  const lengths = ['1e 00 00 00', 'fe ff 00 e0 16 00 00 00', bits, samples] as const
  const undefinedLengths = [UNDEFINED, 'fe ff 00 e0', UNDEFINED, bits, ITEM_END, SEQUENCE_END] as const
  await becomes(t, IMPLICIT, Buffer.concat([bytes('00 54 00 01', ...lengths), IMPLICIT_ID]), Buffer.concat([bytes('00 54 00 01', ...undefinedLengths), IMPLICIT_ID]))
  const un = ['00 54 00 01', "'UN'", '00 00'] as const
  await becomes(t, EXPLICIT, Buffer.concat([bytes(...un, ...lengths), PADDING]), Buffer.concat([bytes(...un, ...undefinedLengths), PADDING]))
  await becomes(t, EXPLICIT, Buffer.concat([bytes(...un, UNDEFINED, ...lengths.slice(1), SEQUENCE_END), PADDING]), Buffer.concat([bytes(...un, UNDEFINED, 'fe ff 00 e0', UNDEFINED, bits, ITEM_END, SEQUENCE_END), PADDING]))
})

test('encapsulated Pixel Data is left out with all its fragments; that of an icon stays', async (t) => {
  const fragments = ['e0 7f 10 00', "'OB'", '00 00', UNDEFINED, 'fe ff 00 e0 04 00 00 00 00 00 00 00', 'fe ff 00 e0 06 00 00 00', "'ff4fff'", 'fe ff 00 e0 00 00 00 00', SEQUENCE_END] as const
  await becomes(t, JPEG_2000, Buffer.concat([ID, bytes(...fragments), PADDING]), Buffer.concat([ID, PADDING]))
  // A value that looks like the end of the fragments is none.
  const disguised = bytes('e0 7f 10 00', "'OB'", '00 00', UNDEFINED, 'fe ff 00 e0 00 00 00 00', 'fe ff 00 e0 08 00 00 00', SEQUENCE_END, SEQUENCE_END)
  await becomes(t, JPEG_2000, Buffer.concat([ID, disguised, PADDING]), Buffer.concat([ID, PADDING]))
  const icon = Buffer.concat([bytes('88 00 00 02', "'SQ'", '00 00', UNDEFINED, 'fe ff 00 e0', UNDEFINED, ...fragments, ITEM_END, SEQUENCE_END), ID])
  await becomes(t, JPEG_2000, icon, icon)
  // Waveforms are not encapsulated by the standard; who does it all the same loses them too.
  const waveform = (...content: string[]): Buffer => bytes('00 54 00 01', "'SQ'", '00 00', UNDEFINED, 'fe ff 00 e0', UNDEFINED, ...content, ITEM_END, SEQUENCE_END)
  await becomes(t, JPEG_2000, waveform('00 54 10 10', ...fragments.slice(1), BITS.toString('hex')), waveform(BITS.toString('hex')))
})

test('lengths of groups that would be wrong are left out, those of other groups stay', async (t) => {
  const length = (group: string): string[] => [`${group} 00 00`, "'UL'", '04 00 10 00 00 00']
  for (const group of ['28 00', '42 00', '00 50', '00 54', '00 56', '02 60', 'e0 7f']) {
    await becomes(t, EXPLICIT, Buffer.concat([ID, bytes(...length(group))]), ID, group)
  }
  await becomes(t, EXPLICIT, Buffer.concat([bytes('08 00 01 00', "'UL'", '04 00 10 00 00 00'), ID]), ID, 'Length to End')
  for (const group of ['08 00', '10 00', '01 60', '20 00']) {
    const kept = Buffer.concat([ID, bytes(...length(group))])
    await becomes(t, EXPLICIT, kept, kept, group)
  }
})

test('a deflated data set is inflated and deflated again', async (t) => {
  const pixels = bytes('e0 7f 10 00', "'OW'", '00 00 08 00 00 00', "'01234567'")
  const out = await stripped(deflateRawSync(Buffer.concat([ID, pixels])), DEFLATED)
  t.is(out.length % 2, 0)
  t.deepEqual(inflateRawSync(out), ID)
  await t.throwsAsync(stripped(Buffer.from('no deflate stream'), DEFLATED), { code: 'DICOMTAP_ERR_DS_MALFORMED' })
})

test('big endian is refused at once; a private transfer syntax is taken for explicit', async (t) => {
  t.throws(() => withoutBulkData(ID, TransferSyntax.ExplicitVRBigEndian), { code: 'DICOMTAP_ERR_DS_ENCODE' })
  await becomes(t, '1.2.3.4', ID, ID)
})

test('malformed data sets end with an error', async (t) => {
  const cases: readonly (readonly [Buffer, RegExp])[] = [
    [ID.subarray(0, 5), /within the header of an element/],
    [ID.subarray(0, 10), /within a value/],
    [bytes('e0 7f 10 00', "'OW'", '00 00 08 00 00 00', "'0123'"), /within a value/],
    [bytes('e0 7f 10 00', "'OB'", '00 00', UNDEFINED, 'fe ff 00 e0 04 00 00 00 00 00 00 00'), /within a sequence/],
    [bytes('e0 7f 10 00', "'OB'", '00 00', UNDEFINED, 'fe ff 00 e0', UNDEFINED), /undefined length/],
    [bytes('e0 7f 10 00', "'OB'", '00 00', UNDEFINED, ID.toString('hex')), /stands in a sequence/],
    [bytes('00 54 00 01', "'SQ'", '00 00 10 00 00 00', 'fe ff 00 e0 20 00 00 00', BITS.toString('hex')), /longer than what it is in/],
    [bytes('00 54 00 01', "'SQ'", '00 00 12 00 00 00', 'fe ff 00 e0', UNDEFINED, BITS.toString('hex')), /delimitation item is missing/],
    [bytes('02 00 10 00', "'UI'", '02 00', "'1'", '00'), /does not belong in a data set/],
    [bytes('10 00 20 00', '01 02', '04 00', "'ID42'"), /no valid VR/],
  ]
  for (const [input, message] of cases) {
    for (const source of [[input], [...input].map((byte) => Buffer.of(byte))]) {
      const error = await t.throwsAsync(stripped(source, JPEG_2000), { instanceOf: DicomtapError, message })
      t.is((error as DicomtapError).code, 'DICOMTAP_ERR_DS_MALFORMED')
    }
  }
})

test('gigabytes of pixels flow by and are gone', async (t) => {
  const length = 3 * 1024 ** 3
  const header = bytes('e0 7f 10 00', "'OW'", '00 00 00 00 00 00')
  header.writeUInt32LE(length, 8)
  const piece = Buffer.alloc(1024 * 1024, 7)
  let drawn = 0
  const source = (function* (): Generator<Uint8Array> {
    yield ID
    yield header
    for (; drawn < length; drawn += piece.length) yield piece
    yield PADDING
  })()
  t.deepEqual(await stripped(source, EXPLICIT), Buffer.concat([ID, PADDING]))
  t.is(drawn, length)
})

test('the samples lose their bulk data and nothing else', async (t) => {
  const bulk = ['PixelData', 'EncapsulatedDocument']
  // Which VR pixels have is kept beside them.
  const of = (dataSet: object): [string, unknown][] => Object.entries(dataSet).filter(([keyword]) => ![...bulk, '_vrMap'].includes(keyword))
  for (const kind of SAMPLE_KINDS) {
    for (const transferSyntaxUid of [IMPLICIT, EXPLICIT, DEFLATED]) {
      const sample = await encodedSample(kind, transferSyntaxUid)
      const before = await decodeDataSet(sample, transferSyntaxUid)
      const after = await decodeDataSet(await stripped(sample, transferSyntaxUid), transferSyntaxUid)
      t.deepEqual(Object.keys(after).filter((keyword) => bulk.includes(keyword)), [])
      t.deepEqual(of(after), of(before), kind)
      t.is(bulk.some((keyword) => keyword in before), kind !== 'sr', kind)
    }
  }
})

// ── any data set, cut anywhere ───────────────────────────────────────────────────────────────────────────

/** Bytes of Explicit VR, and what is to become of them. */
interface Part {
  readonly input: Buffer
  readonly expected: Buffer
}
const kept = (input: Buffer): Part => ({ input, expected: input })
const element = (tag: number, vr: string, value: Uint8Array): Buffer => {
  const header = Buffer.alloc(12)
  header.writeUInt16LE(tag >>> 16, 0)
  header.writeUInt16LE(tag & 0xffff, 2)
  header.write(vr, 4, 'latin1')
  header.writeUInt32LE(value.length, 8)
  return Buffer.concat([header, value])
}
const content = fc.uint8Array({ maxLength: 300 })
const ordinary: fc.Arbitrary<Part> = fc.record({ tag: fc.constantFrom(0x00090010, 0x00281201, 0x7fe00001, 0x00420012), value: content }).map(({ tag, value }) => kept(element(tag, 'OB', value)))
const bulky: fc.Arbitrary<Part> = fc
  .record({ tag: fc.constantFrom(0x7fe00010, 0x00287fe0, 0x60023000, 0x500a200c, 0x00420011), value: content })
  .map(({ tag, value }) => ({ input: element(tag, 'OB', value), expected: Buffer.alloc(0) }))
const fragmented: fc.Arbitrary<Part> = fc.record({ isTop: fc.boolean(), pieces: fc.array(content, { maxLength: 4 }) }).map(({ isTop, pieces }) => {
  const items = pieces.map((value) => Buffer.concat([bytes('fe ff 00 e0'), sized(value.length), value]))
  const fragments = Buffer.concat([bytes('e0 7f 10 00', "'OB'", '00 00', UNDEFINED), ...items, bytes(SEQUENCE_END)])
  if (isTop) return { input: fragments, expected: Buffer.alloc(0) }
  return kept(Buffer.concat([bytes('88 00 00 02', "'SQ'", '00 00', UNDEFINED, 'fe ff 00 e0', UNDEFINED), fragments, bytes(ITEM_END, SEQUENCE_END)]))
})
const waveforms: fc.Arbitrary<Part> = fc
  .record({
    hasLength: fc.boolean(),
    items: fc.array(fc.record({ hasLength: fc.boolean(), before: fc.array(ordinary, { maxLength: 2 }), samples: content, after: fc.array(ordinary, { maxLength: 2 }) }), { maxLength: 3 }),
  })
  .map(({ hasLength, items }) => {
    const parts = items.map((item) => {
      const inputs = [...item.before.map(({ input }) => input), element(0x54001010, 'OB', item.samples), ...item.after.map(({ input }) => input)]
      const expected = [...item.before, ...item.after].map((part) => part.expected)
      const start = bytes('fe ff 00 e0', UNDEFINED)
      const whole = Buffer.concat(inputs)
      return {
        input: item.hasLength ? Buffer.concat([bytes('fe ff 00 e0'), sized(whole.length), whole]) : Buffer.concat([start, whole, bytes(ITEM_END)]),
        expected: Buffer.concat([start, ...expected, bytes(ITEM_END)]),
      }
    })
    const whole = Buffer.concat(parts.map(({ input }) => input))
    const header = bytes('00 54 00 01', "'SQ'", '00 00')
    const isEmpty = hasLength && whole.length === 0
    return {
      input: hasLength ? Buffer.concat([header, sized(whole.length), whole]) : Buffer.concat([header, bytes(UNDEFINED), whole, bytes(SEQUENCE_END)]),
      expected: isEmpty ? Buffer.concat([header, sized(0)]) : Buffer.concat([header, bytes(UNDEFINED), ...parts.map(({ expected }) => expected), bytes(SEQUENCE_END)]),
    }
  })

function sized(length: number): Buffer {
  const field = Buffer.alloc(4)
  field.writeUInt32LE(length)
  return field
}

test('any data set, cut anywhere, loses its bulk data and nothing else', async (t) => {
  const parts = fc.array(fc.oneof(ordinary, bulky, fragmented, waveforms), { maxLength: 8 })
  await fc.assert(
    fc.asyncProperty(parts, fc.array(fc.nat(2_000), { maxLength: 6 }), async (all, cuts) => {
      const input = Buffer.concat(all.map((part) => part.input))
      const ends = [...new Set([...cuts.map((cut) => cut % (input.length + 1)), input.length])].sort((a, b) => a - b)
      const pieces = ends.map((end, index) => input.subarray(ends[index - 1] ?? 0, end))
      const out = await stripped(pieces, JPEG_2000)
      return out.equals(Buffer.concat(all.map(({ expected }) => expected)))
    }),
    { numRuns: runs, seed },
  )
  t.pass()
})
