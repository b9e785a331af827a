import { deflateRawSync, inflateRawSync } from 'node:zlib'
import test from 'ava'
import fc from 'fast-check'
import {
  TransferSyntax,
  checkDataSetStructure,
  decodeDataSet,
  encodeDataSet,
  encodePart10Header,
  canEncodeText,
  selectAttributes,
} from '../../dist/dataset/index.js'
import type { DataSet } from '../../dist/dataset/index.js'
import { encodeText } from '../../dist/dataset/character-encoder.js'
import { decodeText, decodeTextInPieces, parseCharacterSet } from '../../dist/dataset/character-sets.js'
import { buildInPieces } from '../../dist/dataset/decode.js'
import { loadDictionary } from '../../dist/dataset/dictionary.js'
import { encodingOf } from '../../dist/dataset/structure.js'
import { DicomtapError } from '../../dist/errors/index.js'
import { SAMPLE_KINDS, encodedSample, sampleDataset } from '../../dist/testing/sample-datasets.js'

const runs = Number(process.env['DICOMTAP_FUZZ_RUNS'] ?? 200)
const seed = Number(process.env['DICOMTAP_FUZZ_SEED'] ?? 20260102)

const { ImplicitVRLittleEndian: IMPLICIT, ExplicitVRLittleEndian: EXPLICIT, ExplicitVRBigEndian: BIG } = TransferSyntax
const DEFLATED = TransferSyntax.DeflatedExplicitVRLittleEndian
const SYNTAXES = [IMPLICIT, EXPLICIT, BIG, DEFLATED]

/** Hexadecimal with blanks to bytes; `'text'` stands for itself. */
function bytes(...parts: string[]): Buffer {
  return Buffer.concat(
    parts.map((part) => (part.startsWith("'") ? Buffer.from(part.slice(1, -1), 'latin1') : Buffer.from(part.replaceAll(' ', ''), 'hex'))),
  )
}

/** A decoded data set without accessors, proxies and remembered VRs, buffers as arrays. */
function plain(value: unknown): unknown {
  if (value instanceof ArrayBuffer || value instanceof Uint8Array) return [...new Uint8Array(value)]
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).filter(([key]) => key !== '_vrMap').map(([key, inner]) => [key, plain(inner)]))
}

const REFERENCE: DataSet = {
  PatientName: 'Doe^Jane',
  Rows: 258,
  ReferencedImageSequence: [{ ReferencedSOPInstanceUID: '1.2.3' }],
  TextValue: 'abc',
  PixelData: new Uint8Array([1, 2, 3, 4]),
}

test('bytes in Explicit VR Little Endian', async (t) => {
  const expected = bytes(
    '0800 4011', "'SQ'", '0000 16000000', // Referenced Image Sequence, 32-bit length 22
    'feff 00e0 0e000000', // item of 14 bytes
    '0800 5511', "'UI'", '0600', "'1.2.3'", '00', // Referenced SOP Instance UID, padded with NUL
    '1000 1000', "'PN'", '0800', "'Doe^Jane'", // Patient's Name, 16-bit length
    '2800 1000', "'US'", '0200 0201', // Rows 258
    '4000 60a1', "'UT'", '0000 04000000', "'abc '", // Text Value, padded with a space
    'e07f 1000', "'OW'", '0000 04000000 01020304', // Pixel Data, bits allocated not said
  )
  t.is((await encodeDataSet(REFERENCE, EXPLICIT)).toString('hex'), expected.toString('hex'))
})

test('bytes in Implicit VR Little Endian', async (t) => {
  const expected = bytes(
    '0800 4011 16000000', 'feff 00e0 0e000000', '0800 5511 06000000', "'1.2.3'", '00',
    '1000 1000 08000000', "'Doe^Jane'",
    '2800 1000 02000000 0201',
    '4000 60a1 04000000', "'abc '",
    'e07f 1000 04000000 01020304',
  )
  t.is((await encodeDataSet(REFERENCE, IMPLICIT)).toString('hex'), expected.toString('hex'))
})

test('bytes in Explicit VR Big Endian: words swapped, bytes not', async (t) => {
  const expected = bytes(
    '0008 1140', "'SQ'", '0000 00000016', 'fffe e000 0000000e', '0008 1155', "'UI'", '0006', "'1.2.3'", '00',
    '0010 0010', "'PN'", '0008', "'Doe^Jane'",
    '0028 0010', "'US'", '0002 0102',
    '0040 a160', "'UT'", '0000 00000004', "'abc '",
    '7fe0 0010', "'OW'", '0000 00000004 02010403',
  )
  t.is((await encodeDataSet(REFERENCE, BIG)).toString('hex'), expected.toString('hex'))
  const asBytes = await encodeDataSet({ BitsAllocated: 8, PixelData: new Uint8Array([1, 2]) }, BIG)
  t.is(asBytes.subarray(-14).toString('hex'), bytes('7fe0 0010', "'OB'", '0000 00000002 0102').toString('hex'))
})

test('Deflated is raw deflate of Explicit VR Little Endian, of even length', async (t) => {
  const explicit = await encodeDataSet(REFERENCE, EXPLICIT)
  let sawPadding = false
  for (let length = 1; length <= 8; length++) {
    const dataset = { ...REFERENCE, PatientID: 'x'.repeat(length) }
    const deflated = await encodeDataSet(dataset, DEFLATED)
    t.is(deflated.length % 2, 0)
    sawPadding ||= deflated.length !== deflateRawSync(await encodeDataSet(dataset, EXPLICIT)).length
    t.deepEqual(plain(await decodeDataSet(deflated, DEFLATED)), plain(await decodeDataSet(await encodeDataSet(dataset, EXPLICIT), EXPLICIT)))
  }
  t.true(sawPadding, 'one of the lengths needed a pad byte')
  t.deepEqual(inflateRawSync(await encodeDataSet(REFERENCE, DEFLATED)), explicit)
})

const EVERY_VR: DataSet = {
  RetrieveAETitle: ['AE1', 'AE2'],
  PatientAge: '034Y',
  FrameIncrementPointer: [0x00181063, 0xfffefffe],
  ImageType: ['ORIGINAL', '', 'AXIAL'],
  StudyDate: '20200101-20201231',
  SliceThickness: 0.333333,
  AcquisitionDateTime: '20200101000000.123456+0100',
  TimeRange: [0.1, -1e300],
  BeatRejectionFlag: 'Y',
  RecommendedDisplayFrameRateInFloat: 0.5,
  SeriesNumber: -2147483648,
  PatientID: 'ID 1',
  AdditionalPatientHistory: ' keeps its leading space \\ and backslash',
  SelectorOBValue: new Uint8Array([1, 2, 3, 4]).buffer,
  SelectorODValue: new Uint8Array(16).map((_, index) => index),
  VectorGridData: new Uint8Array(8).map((_, index) => index),
  TrackPointIndexList: new Uint8Array(8).map((_, index) => index),
  SelectorOVValue: new Uint8Array(16).map((_, index) => index),
  RedPaletteColorLookupTableData: new Uint8Array(6).map((_, index) => index),
  PatientName: [{ Alphabetic: 'Doe^Jane' }],
  OtherPatientNames: [{ Alphabetic: 'A' }, { Alphabetic: 'B', Phonetic: 'C' }],
  AccessionNumber: 'A1',
  ReferencePixelX0: -5,
  ReferencedImageSequence: [{ ReferencedSOPInstanceUID: '1.2' }, {}, { ReferencedSOPClassUID: '1.3', PurposeOfReferenceCodeSequence: [] }],
  TagAngleSecondAxis: -7,
  InstitutionAddress: 'Street 1\r\nTown',
  SelectorSVValue: [-9223372036854775808n, 1n],
  StudyTime: '0102',
  LongCodeValue: ['a\u00e9', ' b'],
  SOPInstanceUID: '1.2.840.10008.1.1',
  SimpleFrameList: [0, 4294967295],
  SelectorUNValue: new Uint8Array([9, 8]).buffer,
  RetrieveURL: 'https://example.org/a\\b',
  Rows: 65535,
  TextValue: 'word '.repeat(20_000).trim(),
  TotalNumberOfStudyRecords: 18446744073709551615n,
  StudyDescription: null,
  SpecificCharacterSet: 'ISO_IR 100',
}

test('every VR survives encoding and decoding in four transfer syntaxes', async (t) => {
  const expected = plain({
    ...EVERY_VR,
    ...Object.fromEntries(
      Object.entries(EVERY_VR).filter(([, value]) => value instanceof ArrayBuffer || value instanceof Uint8Array).map(([key, value]) => [key, [value]]),
    ),
  })
  for (const syntax of SYNTAXES) {
    const encoded = await encodeDataSet(EVERY_VR, syntax)
    const decoded = await decodeDataSet(encoded, syntax)
    t.deepEqual(plain(decoded), expected, syntax)
    t.deepEqual(await encodeDataSet(decoded, syntax), encoded, 'and once more, to the byte')
    for (const other of SYNTAXES) {
      t.deepEqual(plain(await decodeDataSet(await encodeDataSet(decoded, other), other)), expected, `${syntax} to ${other}`)
    }
  }
})

const DCMJS: string = 'dcmjs'

test('dcmjs reads what is written, and decodes it to the same', async (t) => {
  const dcmjs = (await import(DCMJS)) as {
    data: {
      DicomMessage: { readFile(bytes: ArrayBufferLike): { dict: unknown } }
      DicomMetaDictionary: { naturalizeDataset(dict: unknown): DataSet }
    }
    log: { getLogger(name: string): { setLevel(level: string): void } }
  }
  dcmjs.log.getLogger('validation.dcmjs').setLevel('silent')
  for (const kind of SAMPLE_KINDS) {
    for (const syntax of [IMPLICIT, EXPLICIT, BIG, DEFLATED, TransferSyntax.JPEGBaseline8Bit]) {
      const dataSet = await encodedSample(kind, syntax)
      const header = encodePart10Header({ sopClassUid: '1.2', sopInstanceUid: '1.3', transferSyntaxUid: syntax, implementationClassUid: '1.4' })
      const file = new Uint8Array(Buffer.concat([header, dataSet]))
      const theirs = dcmjs.data.DicomMetaDictionary.naturalizeDataset(dcmjs.data.DicomMessage.readFile(file.buffer).dict)
      const ours = await decodeDataSet(dataSet, syntax)
      theirs['SpecificCharacterSet'] = ours['SpecificCharacterSet'] // it says ISO_IR 192 once decoded
      // Two things it does not do: null for every empty value, and words of Big Endian in one order.
      for (const [name, value] of Object.entries(ours)) if (value === null) theirs[name] = null
      if (syntax === BIG && 'PixelData' in ours) theirs['PixelData'] = ours['PixelData']
      t.deepEqual(plain(ours), plain(theirs), `${kind} ${syntax}`)
    }
  }
})

test('values are those of the naturalized form, with its accessors', async (t) => {
  const dataset = await decodeDataSet(await encodeDataSet(REFERENCE, EXPLICIT), EXPLICIT)
  t.is(String(dataset['PatientName']), 'Doe^Jane')
  t.is((dataset['PatientName'] as { Alphabetic: string }).Alphabetic, 'Doe^Jane')
  t.is(JSON.stringify(dataset['PatientName']), '[{"Alphabetic":"Doe^Jane"}]')
  t.is((dataset['ReferencedImageSequence'] as DataSet)['ReferencedSOPInstanceUID'], '1.2.3')
  t.is((dataset['ReferencedImageSequence'] as DataSet[]).length, 1)
  t.true((dataset['PixelData'] as ArrayBuffer[])[0] instanceof ArrayBuffer)
})

test('simpler values are taken too', async (t) => {
  const given: DataSet = {
    _meta: { TransferSyntaxUID: '1.2' },
    PatientName: new String('A^B'),
    OtherPatientNames: ['A', { Alphabetic: 'B', Ideographic: 'C' }],
    Rows: '12',
    FrameIncrementPointer: '(0018,1063)',
    ReferencedImageSequence: { ReferencedSOPInstanceUID: '1.2' },
    PatientID: undefined,
    SeriesNumber: '',
    StudyStatusID: 'X', // retired: without the prefix of the dictionary
    '00080060': 'CT',
    PixelData: Buffer.from([1]),
  }
  const dataset = await decodeDataSet(await encodeDataSet(given, EXPLICIT), EXPLICIT)
  t.deepEqual(plain(dataset), {
    Modality: 'CT',
    ReferencedImageSequence: [{ ReferencedSOPInstanceUID: '1.2' }],
    PatientName: [{ Alphabetic: 'A^B' }],
    OtherPatientNames: [{ Alphabetic: 'A' }, { Alphabetic: 'B', Ideographic: 'C' }],
    SeriesNumber: null,
    FrameIncrementPointer: 0x00181063,
    Rows: 12,
    RETIRED_StudyStatusID: 'X',
    PixelData: [[1, 0]],
  })
})

test('an empty string is no value, whatever the VR', async (t) => {
  const encoded = await encodeDataSet({ ReferencedImageSequence: '', PatientName: '', Rows: '', FrameIncrementPointer: '', PixelAspectRatio: '' }, EXPLICIT)
  const expected = bytes(
    '0800 4011', "'SQ'", '0000 00000000', // (0008,1140) Referenced Image Sequence without items
    '1000 1000', "'PN'", '0000', // (0010,0010)
    '2800 0900', "'AT'", '0000', // (0028,0009)
    '2800 1000', "'US'", '0000', // (0028,0010)
    '2800 3400', "'IS'", '0000', // (0028,0034)
  )
  t.deepEqual(encoded, expected)
})

test('private elements, repeating groups and ambiguous VRs come back as they were', async (t) => {
  const dataset: DataSet = {
    _vrMap: { '00091002': 'FD', '60020010': 'US' },
    '00090010': 'DICOMTAP',
    '00091001': 'text',
    '00091002': [1.5, 2.5],
    '00091003': new Uint8Array([1, 2, 3, 4]),
    '00091004': [{ '00090010': 'DICOMTAP', '00091001': 'inner' }],
    PixelRepresentation: 1,
    SmallestImagePixelValue: -5,
    OverlayRows: 1,
    '60020010': 2,
    '60023000': new Uint8Array([1, 2]),
  }
  for (const syntax of [EXPLICIT, BIG]) {
    const decoded = await decodeDataSet(await encodeDataSet(dataset, syntax), syntax)
    t.deepEqual(plain(decoded), plain({ ...dataset, '00091003': [dataset['00091003']], '60023000': [dataset['60023000']] }), syntax)
  }
  const implicit = await decodeDataSet(await encodeDataSet(dataset, IMPLICIT), IMPLICIT)
  t.is(implicit['SmallestImagePixelValue'], -5, 'signed, because Pixel Representation says so')
  t.is(implicit['00090010'], 'DICOMTAP')
  t.deepEqual(plain(implicit['00091001']), [[...Buffer.from('text')]], 'Implicit VR does not tell private VRs')
  const { PixelRepresentation: _, ...unsigned } = dataset
  t.is((await decodeDataSet(await encodeDataSet({ ...unsigned, SmallestImagePixelValue: 65531 }, IMPLICIT), IMPLICIT))['SmallestImagePixelValue'], 65531)
})

// The examples of PS3.5 annexes H (Japanese), I (Korean), J (UTF-8, GB18030) and K (GB 2312).
const TEXTS: readonly (readonly [terms: string, text: string, encoded: string])[] = [
  ['\\ISO 2022 IR 87', 'Yamada^Tarou=山田^太郎=やまだ^たろう',
    '59616d6164615e5461726f753d1b24423b3345441b28425e1b244242404f3a1b28423d1b24422464245e24401b28425e1b2442243f246d24261b2842'],
  ['ISO 2022 IR 13\\ISO 2022 IR 87', 'ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう',
    'd4cfc0de5ec0dbb33d1b24423b3345441b284a5e1b244242404f3a1b284a3d1b24422464245e24401b284a5e1b2442243f246d24261b284a'],
  ['\\ISO 2022 IR 149', 'Hong^Gildong=洪^吉洞=홍^길동',
    '486f6e675e47696c646f6e673d1b242943fbf35e1b242943d1ced4d73d1b242943c8ab5e1b242943b1e6b5bf'],
  ['\\ISO 2022 IR 58', 'Zhang^XiaoDong=张^小东=', '5a68616e675e5869616f446f6e673d1b242941d5c55e1b242941d0a1b6ab3d'],
  ['GB18030', 'Wang^XiaoDong=王^小东=', '57616e675e5869616f446f6e673dcdf55ed0a1b6ab3d'],
  ['GBK', 'Wang^XiaoDong=王^小东=', '57616e675e5869616f446f6e673dcdf55ed0a1b6ab3d'],
  ['ISO_IR 192', 'Wang^XiaoDong=王^小東=', '57616e675e5869616f446f6e673de78e8b5ee5b08fe69db13d'],
  ['ISO_IR 100', 'Buc^Jérôme', '4275635e4ae972f46d65'],
  ['ISO_IR 101', 'Wałęsa', '5761b3ea7361'],
  ['ISO_IR 126', 'Διονυσιος', 'c4e9efedf5f3e9eff2'],
  ['ISO_IR 127', 'قباني^لنزار', 'e2c8c7e6ea5ee4e6d2c7d1'],
  ['ISO_IR 138', 'שרון^דבורה', 'f9f8e5ef5ee3e1e5f8e4'],
  ['ISO_IR 144', 'Люксембург', 'bbeedae1d5dcd1e3e0d3'],
  ['ISO_IR 148', 'Çavuşoğlu', 'c7617675fe6ff06c75'],
  ['ISO_IR 166', 'ไทย', 'e4b7c2'],
  ['ISO_IR 203', 'Œ€', 'bca4'],
  ['ISO 2022 IR 100\\ISO 2022 IR 126', 'é^Διον', 'e95e1b2d46c4e9efed'],
  ['\\ISO 2022 IR 159', '丂', '1b28244430211b2842'],
]

test('character sets: the examples of PS3.5, both ways', (t) => {
  for (const [terms, text, encoded] of TEXTS) {
    if (terms.endsWith('159')) continue
    const characterSet = parseCharacterSet(terms.split('\\'))
    t.is(decodeText(Buffer.from(encoded, 'hex'), characterSet, '\\^='), text, terms)
    t.is(encodeText(text, characterSet, '\\^=')?.toString('hex'), encoded, terms)
  }
  const supplementary = parseCharacterSet(['', 'ISO 2022 IR 159'])
  t.is(encodeText('丂', supplementary, '')?.toString('hex'), '1b24284430211b2842', 'JIS X 0212')
  t.is(decodeText(Buffer.from('1b24284430211b2842', 'hex'), supplementary, ''), '丂')
})

/** Pieces that a computation was made in, and what came of it. */
function counted<T>(work: Generator<void, T, void>): { pieces: number; value: T } {
  for (let pieces = 1; ; pieces++) {
    const { done, value } = work.next()
    if (done === true) return { pieces, value }
  }
}

test('text that switches character sets, or is long in one, is decoded in pieces', (t) => {
  const japanese = parseCharacterSet(['', 'ISO 2022 IR 87', 'ISO 2022 IR 149'])
  const inPieces = (hex: string, times: number, then = ''): { pieces: number; value: string } =>
    counted(decodeTextInPieces(Buffer.from(hex.slice(0, 8) + hex.slice(8).repeat(times) + then, 'hex'), japanese, '\\^='))
  // 1b2442 JIS X 0208, 3b33 山, 1b2842 ASCII, 61 a
  const switching = inPieces('611b24423b331b2842611b2442', 9_999, '3b331b2842')
  t.is(switching.value.length, 1 + 9_999 * 2 + 1)
  t.true(switching.pieces >= 9_999 / 256, `${switching.pieces} pieces`)
  // Line ends bring back the initial sets, as often.
  t.true(inPieces('1b2442610a', 19_999).pieces >= 19_999 / 512)
  // An odd start, so that the pieces of the bytes are not those of the characters; 1b242943 KS X 1001, b1e8 김.
  const long = counted(decodeTextInPieces(Buffer.from(`61611b2442${'3b33'.repeat(100_001)}1b2842611b242943${'b1e8'.repeat(100_000)}`, 'hex'), japanese, ''))
  t.true(long.value === `aa${'山'.repeat(100_001)}a${'김'.repeat(100_000)}`)
  t.true(long.pieces >= 6, `${long.pieces} pieces`)
})

test('many elements that each take a while are decoded in pieces, too', async (t) => {
  const dictionary = await loadDictionary()
  // Private LT elements of 1 000 switches each, fewer than make pieces of one.
  const value = Buffer.from('1b2442611b284261'.replace('61', '3b33').repeat(500), 'hex')
  const elements = Array.from({ length: 200 }, (_, index) => {
    const header = Buffer.from('090000104c540000', 'hex')
    header.writeUInt16LE(0x1000 + index, 2)
    header.writeUInt16LE(value.length, 6)
    return Buffer.concat([header, value])
  })
  // (0008,0005) CS \\ISO 2022 IR 87
  const declared = bytes('0800 0500', "'CS'", '1000', "'\\ISO 2022 IR 87 '")
  const { pieces, value: dataset } = counted(buildInPieces(Buffer.concat([declared, ...elements]), encodingOf(EXPLICIT), dictionary, {}))
  t.is(dataset['00091000'], '山a'.repeat(500))
  t.true(pieces >= 200, `${pieces} pieces`)
})

test('what fits a character set is known before it is encoded', (t) => {
  t.true(canEncodeText('Doe^Jane', []))
  t.false(canEncodeText('Müller', []))
  t.true(canEncodeText('Müller', ['ISO_IR 100']))
  t.false(canEncodeText('Müller Αθηνά', ['ISO_IR 100']))
  t.true(canEncodeText('Müller Αθηνά', ['ISO 2022 IR 100', 'ISO 2022 IR 126']))
  t.true(canEncodeText('Yamada^Tarou=山田^太郎', ['', 'ISO 2022 IR 87']))
  t.false(canEncodeText('山田', ['ISO 2022 IR 13']))
  t.true(canEncodeText('山田 ü 🩻', ['ISO_IR 192']))
  t.false(canEncodeText('ü', ['NO SUCH TERM']))
})

test('character sets in a data set: per item, per value, and UTF-8 where nothing else will do', async (t) => {
  const roundTrip = async (dataset: DataSet): Promise<DataSet> => decodeDataSet(await encodeDataSet(dataset, EXPLICIT), EXPLICIT)
  for (const [terms, text] of TEXTS) {
    const dataset = { SpecificCharacterSet: terms.split('\\'), PatientName: text, InstitutionName: [text.replaceAll('=', ''), 'x'], TextValue: text }
    const decoded = await roundTrip(dataset)
    t.deepEqual([decoded['SpecificCharacterSet']].flat(), dataset.SpecificCharacterSet, terms)
    t.is(String(decoded['PatientName']), text.replace(/=+$/, ''))
    t.deepEqual(decoded['InstitutionName'], dataset.InstitutionName)
    t.is(decoded['TextValue'], text)
  }
  const undeclared = await roundTrip({ PatientName: 'Wałęsa' })
  t.is(undeclared['SpecificCharacterSet'], 'ISO_IR 192')
  t.is(String(undeclared['PatientName']), 'Wałęsa')
  const tooNarrow = await roundTrip({
    SpecificCharacterSet: 'ISO_IR 100',
    PatientName: '山田',
    ReferencedImageSequence: [{ SpecificCharacterSet: 'ISO_IR 100', InstitutionName: 'é' }],
  })
  t.is(tooNarrow['SpecificCharacterSet'], 'ISO_IR 192')
  t.is(String(tooNarrow['PatientName']), '山田')
  t.deepEqual(plain(tooNarrow['ReferencedImageSequence']), [{ InstitutionName: 'é' }], 'the item inherits UTF-8')
  const perItem = await roundTrip({
    SpecificCharacterSet: 'ISO_IR 100',
    InstitutionName: 'é',
    ReferencedImageSequence: [{ SpecificCharacterSet: 'ISO_IR 144', InstitutionName: 'Ж' }, { InstitutionName: 'ü' }],
  })
  t.deepEqual(plain(perItem), {
    SpecificCharacterSet: 'ISO_IR 100',
    InstitutionName: 'é',
    ReferencedImageSequence: [{ SpecificCharacterSet: 'ISO_IR 144', InstitutionName: 'Ж' }, { InstitutionName: 'ü' }],
  })
  const forgotten = await decodeDataSet(bytes('1000 2000', "'LO'", '0200', "'\u00e9 '"), EXPLICIT)
  t.is(forgotten['PatientID'], 'é', 'no character set declared: Latin-1')
})

const anyText = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 }).map((text) => text.replace(/[\\\p{Cc}]/gu, 'x').trim() || 'x')
const anyItem = fc.record(
  {
    PatientID: anyText,
    InstitutionName: fc.array(anyText, { minLength: 2, maxLength: 4 }),
    Rows: fc.integer({ min: 0, max: 65535 }),
    TimeRange: fc.array(fc.double({ noNaN: true }), { minLength: 2, maxLength: 3 }),
    SeriesNumber: fc.integer({ min: -0x80000000, max: 0x7fffffff }),
    TotalNumberOfStudyRecords: fc.bigInt({ min: 0n, max: 0xffffffffffffffffn }),
    SOPInstanceUID: fc.stringMatching(/^[1-9]([0-9.]{0,62}[0-9])?$/),
    RedPaletteColorLookupTableData: fc.uint8Array({ maxLength: 50 }).map((value) => [value.length % 2 === 0 ? value : value.slice(1)]).map(([value]) => (value?.length === 0 ? null : [value])),
    StudyDate: fc.constant(null),
  },
  { requiredKeys: [] },
)
const nest = (inner: fc.Arbitrary<DataSet>): fc.Arbitrary<DataSet> =>
  fc
    .tuple(anyItem, fc.option(fc.array(inner, { maxLength: 3 }), { nil: undefined }))
    .map(([item, items]) => (items === undefined ? item : { ...item, ReferencedSeriesSequence: items }))
const anyDataSet = nest(nest(nest(anyItem)))

test('decoding undoes encoding, whatever the data set', async (t) => {
  await fc.assert(
    fc.asyncProperty(anyDataSet, fc.constantFrom(...SYNTAXES), async (dataset, syntax) => {
      const encoded = await encodeDataSet(dataset, syntax)
      const decoded = await decodeDataSet(encoded, syntax)
      if (dataset['SpecificCharacterSet'] === undefined) delete decoded['SpecificCharacterSet']
      t.deepEqual(plain(decoded), plain(dataset))
    }),
    { numRuns: runs, seed },
  )
})

async function refuse(t: { is(a: unknown, b: unknown, message?: string): boolean }, code: string, input: Buffer, syntax: string, options = {}): Promise<string> {
  const error: unknown = await decodeDataSet(input, syntax, options).then(() => undefined, (reason: unknown) => reason)
  t.is((error as DicomtapError | undefined)?.code, code, input.subarray(0, 40).toString('hex'))
  return (error as DicomtapError).message
}

test('random and mutilated data sets only ever throw DICOMTAP_ERR_DS_*', async (t) => {
  const samples = await Promise.all(SAMPLE_KINDS.flatMap((kind) => [...SYNTAXES, TransferSyntax.RLELossless].map((syntax) => encodedSample(kind, syntax, { rows: 2, columns: 2 }).then((encoded) => ({ encoded, syntax })))))
  const attempt = async (input: Uint8Array, syntax: string): Promise<void> => {
    try {
      await encodeDataSet(await decodeDataSet(input, syntax, { maximumInflatedBytes: 1_000_000 }), EXPLICIT)
    } catch (error) {
      t.true(error instanceof DicomtapError && error.code.startsWith('DICOMTAP_ERR_DS_'), String((error as Error).stack))
    }
  }
  await fc.assert(fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), fc.constantFrom(...SYNTAXES), attempt), { numRuns: runs, seed })
  const change = fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 }))
  await fc.assert(
    fc.asyncProperty(fc.nat({ max: samples.length - 1 }), fc.array(change, { maxLength: 6 }), fc.option(fc.nat()), async (index, changes, cut) => {
      const { encoded, syntax } = samples[index] as (typeof samples)[0]
      const mutilated = Buffer.from(encoded)
      for (const [at, value] of changes) mutilated[at % mutilated.length] = value
      await attempt(cut === null ? mutilated : mutilated.subarray(0, cut % mutilated.length), syntax)
    }),
    { numRuns: runs, seed },
  )
})

const SEQUENCE = '0800 4011 ffffffff' // Referenced Image Sequence of undefined length, Implicit VR
const ITEM = 'feff 00e0 ffffffff'
const END_ITEM = 'feff 0de0 00000000'
const END_SEQUENCE = 'feff dde0 00000000'

test('hostile data sets are refused at once, whatever they claim', async (t) => {
  const malformed = async (pattern: RegExp, syntax: string, ...parts: string[]): Promise<void> => {
    t.regex(await refuse(t, 'DICOMTAP_ERR_DS_MALFORMED', bytes(...parts), syntax), pattern)
  }
  await malformed(/\(0010,0020\) claims more bytes/, IMPLICIT, '1000 2000 feffffff 4142')
  await malformed(/\(7FE0,0010\) claims more bytes/, EXPLICIT, 'e07f 1000', "'OW'", '0000 feffffff 4142')
  await malformed(/no valid VR/, EXPLICIT, '1000 2000', "'l?'", '0200 4142')
  await malformed(/claims more bytes/, EXPLICIT, '1000 2000', "'ZZ'", '0000 00ffffff 4142')
  await malformed(/within the header/, EXPLICIT, '1000 2000', "'LO'")
  await malformed(/within the header/, EXPLICIT, 'e07f 1000', "'OW'", '0000')
  await malformed(/\(0000,0000\) does not belong/, EXPLICIT, '00'.repeat(132), "'DICM'")
  await malformed(/\(0002,0010\) does not belong/, EXPLICIT, '0200 1000', "'UI'", '0200 3100')
  await malformed(/undefined length/, EXPLICIT, 'e07f 1000', "'UT'", '0000 ffffffff')
  await malformed(/undefined length/, IMPLICIT, 'e07f 1000 ffffffff', 'feff 00e0 00000000', END_SEQUENCE)
  await malformed(/stands in a sequence/, IMPLICIT, SEQUENCE, '1000 2000 00000000')
  await malformed(/stands in a dataset/, IMPLICIT, END_SEQUENCE)
  await malformed(/stands in a item/, IMPLICIT, SEQUENCE, ITEM, END_SEQUENCE)
  await malformed(/within a sequence of undefined length/, IMPLICIT, SEQUENCE, ITEM, END_ITEM)
  await malformed(/within a item of undefined length/, IMPLICIT, SEQUENCE, ITEM)
  await malformed(/claims more bytes/, IMPLICIT, '0800 4011 10000000', 'feff 00e0 ffff0000', '0000 0000 0000 0000')
  await malformed(/within a fragments of undefined length/, EXPLICIT, 'e07f 1000', "'OB'", '0000 ffffffff', 'feff 00e0 00000000')
  await malformed(/claims more bytes/, EXPLICIT, 'e07f 1000', "'OB'", '0000 ffffffff', 'feff 00e0 ffffffff')
  await malformed(/cannot be inflated/, DEFLATED, 'ffffffff')
  await malformed(/cannot be inflated/, DEFLATED, deflateRawSync(Buffer.alloc(100, 7)).subarray(0, 3).toString('hex'))

  const nested = (depth: number): Buffer =>
    Buffer.concat([...Array.from({ length: depth }, () => bytes(SEQUENCE, ITEM)), ...Array.from({ length: depth }, () => bytes(END_ITEM, END_SEQUENCE))])
  await t.notThrowsAsync(decodeDataSet(nested(64), IMPLICIT))
  t.regex(await refuse(t, 'DICOMTAP_ERR_DS_TOO_LARGE', nested(65), IMPLICIT), /nested deeper than 64/)
  t.regex(await refuse(t, 'DICOMTAP_ERR_DS_TOO_LARGE', nested(20_000), IMPLICIT), /nested deeper/)
  await refuse(t, 'DICOMTAP_ERR_DS_TOO_LARGE', nested(3), IMPLICIT, { maximumDepth: 2 })

  const items = Buffer.concat([bytes(SEQUENCE), Buffer.alloc(8 * 600_000, bytes('feff 00e0 00000000')), bytes(END_SEQUENCE)])
  t.regex(await refuse(t, 'DICOMTAP_ERR_DS_TOO_LARGE', items, IMPLICIT), /too many elements/)
  const values = Buffer.alloc(8 + 4_000_000, '\\')
  bytes('0800 0800').copy(values)
  values.writeUInt32LE(4_000_000, 4)
  t.regex(await refuse(t, 'DICOMTAP_ERR_DS_TOO_LARGE', values, IMPLICIT, { maximumValues: 3_999_999 }), /\(0008,0008\) has too many values/)
  t.regex(await refuse(t, 'DICOMTAP_ERR_DS_TOO_LARGE', values, IMPLICIT, { maximumTextBytes: 3_999_999 }), /\(0008,0008\) has a text of more than 3999999 bytes/)

  const bomb = deflateRawSync(Buffer.alloc(300_000_000))
  t.true(bomb.length < 400_000)
  t.regex(await refuse(t, 'DICOMTAP_ERR_DS_TOO_LARGE', bomb, DEFLATED, { maximumInflatedBytes: 1_000_000 }), /more than 1000000 bytes/)
})

test('undefined lengths, UN, odd lengths, repeated elements and group lengths are read', async (t) => {
  const decode = async (syntax: string, ...parts: string[]): Promise<unknown> => plain(await decodeDataSet(bytes(...parts), syntax))
  t.deepEqual(
    await decode(
      EXPLICIT,
      '0800 4011', "'SQ'", '0000 ffffffff', // sequence of undefined length
      ITEM, '0800 5511', "'UI'", '0400', "'1.2'", '00', END_ITEM, // item of undefined length
      'feff 00e0 0c000000', '0800 5511', "'UI'", '0400', "'1.3'", '00', // item of 12 bytes
      END_SEQUENCE,
      '1000 2000', "'LO'", '0200', "'ab'",
    ),
    { ReferencedImageSequence: [{ ReferencedSOPInstanceUID: '1.2' }, { ReferencedSOPInstanceUID: '1.3' }], PatientID: 'ab' },
  )
  const un = { ReferencedImageSequence: [{ ReferencedSOPInstanceUID: '1.2' }], PatientID: 'ab' }
  const inImplicit = ['0800 5511 04000000', "'1.2'", '00']
  t.deepEqual(await decode(EXPLICIT, '0800 4011', "'UN'", '0000 ffffffff', ITEM, ...inImplicit, END_ITEM, END_SEQUENCE, '1000 2000', "'UN'", '0000 02000000', "'ab'"), un)
  t.deepEqual(await decode(EXPLICIT, '0800 4011', "'UN'", '0000 14000000', 'feff 00e0 0c000000', ...inImplicit, '1000 2000', "'LO'", '0200', "'ab'"), un)
  t.deepEqual(await decode(BIG, '0008 1140', "'UN'", '0000 ffffffff', ITEM, ...inImplicit, END_ITEM, END_SEQUENCE, '0010 0020', "'LO'", '0002', "'ab'"), un)
  t.deepEqual(await decode(EXPLICIT, '0800 4011', "'UN'", '0000 02000000 4142'), { ReferencedImageSequence: [[0x41, 0x42]] }, 'UN that is no sequence stays bytes')
  t.deepEqual(await decode(IMPLICIT, '1000 2000 03000000', "'abc'", '1000 4000 02000000', "'F '"), { PatientID: 'abc', PatientSex: 'F' })
  t.deepEqual(await decode(IMPLICIT, '1000 2000 02000000', "'ab'", '1000 2000 02000000', "'cd'"), { PatientID: 'ab' }, 'the first counts')
  t.deepEqual(await decode(IMPLICIT, '1000 0000 04000000 0a000000', '1000 2000 02000000', "'ab'"), { PatientID: 'ab' })
  t.deepEqual(await decode(EXPLICIT, '1000 2000', "'LO'", '0200', "'  '", '2800 1000', "'US'", '0000', '0800 4011', "'SQ'", '0000 00000000'), { PatientID: null, Rows: null, ReferencedImageSequence: [] })
  t.deepEqual(await decode(EXPLICIT, '2000 1300', "'IS'", '0400', "' 12 '", '1800 5000', "'DS'", '0600', "'1.5\\x '"), { InstanceNumber: 12, SliceThickness: [1.5, 'x'] }, 'what is no number stays text')
  t.deepEqual(await decode(EXPLICIT, '0800 1800', "'UI'", '0c00', "'../../x\\1.2'", '00'), { SOPInstanceUID: ['../../x', '1.2'] }, 'nothing is taken out of a UID')
  t.deepEqual(await decode(EXPLICIT, '0800 0500', "'US'", '0200 0100', '1000 2000', "'FL'", '0400 0000803f'), { SpecificCharacterSet: 1, PatientID: 1 }, 'the VR that is written counts')
})

test('encapsulated frames: by offset table, or one fragment each', async (t) => {
  const frames = [new Uint8Array([1, 2, 3]), new Uint8Array([4, 5])]
  const encoded = await encodeDataSet({ PixelData: frames }, TransferSyntax.JPEGBaseline8Bit)
  t.is(
    encoded.toString('hex'),
    bytes(
      'e07f 1000', "'OB'", '0000 ffffffff', // Pixel Data of undefined length
      'feff 00e0 08000000 00000000 0c000000', // Basic Offset Table: 0 and 12
      'feff 00e0 04000000 01020300', // frame 1, padded
      'feff 00e0 02000000 0405', // frame 2
      END_SEQUENCE,
    ).toString('hex'),
  )
  t.deepEqual(plain(await decodeDataSet(encoded, TransferSyntax.JPEGBaseline8Bit)), { PixelData: [[1, 2, 3, 0], [4, 5]] })
  const fragment = (value: string): string => `feff 00e0 02000000 ${value}`
  const decode = async (table: string): Promise<unknown> =>
    (plain(await decodeDataSet(bytes('e07f 1000', "'OB'", '0000 ffffffff', table, fragment('0101'), fragment('0202'), fragment('0303'), END_SEQUENCE), TransferSyntax.JPEGBaseline8Bit)) as DataSet)['PixelData']
  t.deepEqual(await decode('feff 00e0 00000000'), [[1, 1], [2, 2], [3, 3]], 'an empty table')
  t.deepEqual(await decode('feff 00e0 08000000 00000000 14000000'), [[1, 1, 2, 2], [3, 3]], 'two frames in three fragments')
  t.deepEqual(await decode('feff 00e0 08000000 00000000 15000000'), [[1, 1], [2, 2], [3, 3]], 'a table that fits nothing')
})

test('what cannot be encoded is refused, naming the element', async (t) => {
  const refused = async (pattern: RegExp, dataset: DataSet, syntax: string = EXPLICIT): Promise<void> => {
    const error = await t.throwsAsync(encodeDataSet(dataset, syntax), { instanceOf: DicomtapError, code: 'DICOMTAP_ERR_DS_ENCODE' })
    t.regex(error?.message ?? '', pattern)
    t.notRegex(error?.message ?? '', /Secret/)
  }
  await refused(/"PatientsName" is no attribute keyword/, { PatientsName: 'Secret' })
  await refused(/\(0028,0010\) \(US\) is out of range/, { Rows: 65536 })
  await refused(/\(0028,0010\) \(US\) is out of range/, { Rows: 'Secret' })
  await refused(/\(0020,0013\) \(IS\) is no 32-bit integer/, { InstanceNumber: 1.5 })
  await refused(/\(0018,0050\) \(DS\) is not a finite number/, { SliceThickness: Number.NaN })
  await refused(/\(0010,0020\) \(LO\) is not text/, { PatientID: { a: 'Secret' } })
  await refused(/\(0008,0018\) \(UI\) has a character outside/, { SOPInstanceUID: 'Secret山' })
  await refused(/\(7FE0,0010\) \(OW\) is not bytes/, { PixelData: 'Secret' })
  await refused(/has 2 frames/, { PixelData: [new Uint8Array(2), new Uint8Array(2)] })
  await refused(/a frame that is not bytes/, { PixelData: ['Secret'] }, TransferSyntax.RLELossless)
  await refused(/\(0002,0010\) does not belong/, { TransferSyntaxUID: '1.2' })
  await refused(/an item that is no data set/, { ReferencedImageSequence: ['Secret'] })
  await refused(/needs a VR in _vrMap/, { '00091001': 5 })
  await refused(/"XX" for a VR/, { _vrMap: { '00091001': 'XX' }, '00091001': 5 })
  await refused(/\(0040,A160\) \(UT\) has more than one value/, { TextValue: ['a', 'b'] })
  await refused(/\(0028,0009\) \(AT\) is no tag/, { FrameIncrementPointer: 'Secret' })
  const circular: DataSet = {}
  circular['ReferencedImageSequence'] = [circular]
  await refused(/nested deeper than 64/, circular)
})

test('decimal strings keep as much as 16 characters can say', async (t) => {
  const written = async (value: number): Promise<string> => {
    const encoded = await encodeDataSet({ SliceThickness: value }, IMPLICIT)
    return encoded.subarray(8).toString('latin1').trim()
  }
  for (const value of [0, -0.5, 1e-7, 123456789.125, 1e22]) t.is(Number(await written(value)), value)
  t.is(await written(1 / 3), '0.33333333333333')
  t.is(await written(-1 / 3), '-0.3333333333333')
  t.is(await written(-1.2345678901234567e-200), '-1.23456789e-200')
  for (const value of [Math.PI * 1e13, -Math.PI * 1e13, Math.PI * 1e-9, Math.PI * 1e300, 0.1 + 0.2, 2 ** 53 + 2]) {
    const text = await written(value)
    t.true(text.length <= 16, text)
    t.true(Math.abs(Number(text) / value - 1) < 1e-8, text)
  }
})

test('a value too long for its VR field becomes UN, and is read back as what it is', async (t) => {
  const points = Array.from({ length: 20_000 }, (_, index) => index + 0.25)
  const encoded = await encodeDataSet({ ContourData: points }, EXPLICIT)
  t.is(encoded.subarray(4, 6).toString('latin1'), 'UN')
  t.deepEqual((await decodeDataSet(encoded, EXPLICIT))['ContourData'], points)
})

test('structure can be checked without decoding', async (t) => {
  for (const syntax of [IMPLICIT, EXPLICIT, BIG, TransferSyntax.RLELossless]) {
    const encoded = await encodedSample('sr', syntax)
    t.notThrows(() => checkDataSetStructure(encoded, syntax))
    t.throws(() => checkDataSetStructure(encoded.subarray(0, -1), syntax), { code: 'DICOMTAP_ERR_DS_MALFORMED' })
  }
  t.notThrows(() => checkDataSetStructure(new Uint8Array(0), EXPLICIT))
  t.notThrows(() => checkDataSetStructure(bytes('1000 2000', "'LO'", '0200', "'ab'"), '1.2.3.4'), 'a private transfer syntax')
})

test('samples are made up, reproducible and different by seed', async (t) => {
  for (const kind of SAMPLE_KINDS) {
    const dataset = sampleDataset(kind)
    t.regex(String(dataset['PatientName']), /^Sample\^/)
    t.deepEqual(dataset, sampleDataset(kind, { seed: 1 }))
    t.notDeepEqual(dataset['SOPInstanceUID'], sampleDataset(kind, { seed: 2 })['SOPInstanceUID'])
    t.is(new Set(['SOPInstanceUID', 'SeriesInstanceUID', 'StudyInstanceUID'].map((name) => dataset[name])).size, 3)
    t.is(sampleDataset(kind, { sopInstanceUid: '1.2' })['SOPInstanceUID'], '1.2')
  }
  const dataset = sampleDataset('multi-frame', { rows: 4, columns: 5, frames: 6 })
  t.is((dataset['PixelData'] as Uint8Array).length, 4 * 5 * 6)
})

test('attributes are selected by tag, private ones with the VR they need', async (t) => {
  const { ExplicitVRLittleEndian } = TransferSyntax
  const instance: DataSet = { PatientName: 'Doe^Jane', PatientID: null, Rows: 4, '00090010': 'ACME', '00091001': 7, _vrMap: { '00091001': 'US' } }
  t.deepEqual(await selectAttributes(instance, []), { dataset: instance, missing: [] })
  const { dataset, missing } = await selectAttributes(instance, [0x00280011, 0x00100020, 0x00091001, 0x00090010, 0x00280011, 0x00100040])
  t.deepEqual(missing, [0x00280011, 0x00100040])
  const decoded = await decodeDataSet(await encodeDataSet(dataset, ExplicitVRLittleEndian), ExplicitVRLittleEndian)
  t.like(decoded, { PatientID: null, '00090010': 'ACME', '00091001': 7 })
  t.false('PatientName' in decoded || 'Rows' in decoded)
})
