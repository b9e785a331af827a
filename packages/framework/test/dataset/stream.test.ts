import { randomBytes } from 'node:crypto'
import { deflateRawSync } from 'node:zlib'
import test from 'ava'
import type { ExecutionContext } from 'ava'
import fc from 'fast-check'
import { DataSetHeadParser, TransferSyntax, decodePart10Header, encodeDataSet, encodePart10Header } from '../../dist/dataset/index.js'
import type { FileMeta } from '../../dist/dataset/index.js'
import { DicomtapError } from '../../dist/errors/index.js'
import { SAMPLE_KINDS, encodedSample, sampleDataset } from '../../dist/testing/sample-datasets.js'

const runs = Number(process.env['DICOMTAP_FUZZ_RUNS'] ?? 300)
const seed = Number(process.env['DICOMTAP_FUZZ_SEED'] ?? 20260103)

const { ImplicitVRLittleEndian: IMPLICIT, ExplicitVRLittleEndian: EXPLICIT, ExplicitVRBigEndian: BIG } = TransferSyntax
const DEFLATED = TransferSyntax.DeflatedExplicitVRLittleEndian
const SYNTAXES = [IMPLICIT, EXPLICIT, BIG, DEFLATED, TransferSyntax.JPEGBaseline8Bit]

const SOP_CLASS = 0x00080016
const SOP_INSTANCE = 0x00080018
const PATIENT_ID = 0x00100020
const STUDY = 0x0020000d
const SERIES = 0x0020000e
const WANTED = [SOP_CLASS, SOP_INSTANCE, PATIENT_ID, STUDY, SERIES]

/** Hexadecimal with blanks to bytes; `'text'` stands for itself. */
function bytes(...parts: string[]): Buffer {
  return Buffer.concat(
    parts.map((part) => (part.startsWith("'") ? Buffer.from(part.slice(1, -1), 'latin1') : Buffer.from(part.replaceAll(' ', ''), 'hex'))),
  )
}

/** Pushes `input` in pieces that end at the cuts; the pieces are overwritten afterwards, as a receive buffer is. */
function parse(input: Buffer, syntax: string, wanted: readonly number[], cuts: readonly number[] = [], options = {}): DataSetHeadParser {
  const parser = new DataSetHeadParser(syntax, wanted, options)
  let from = 0
  for (const to of [...cuts, input.length]) {
    const piece = new Uint8Array(input.subarray(from, to))
    parser.push(piece)
    piece.fill(0xff)
    from = to
  }
  parser.end()
  return parser
}

function texts(parser: DataSetHeadParser, wanted: readonly number[] = WANTED): (string | undefined)[] {
  return wanted.map((tag) => parser.text(tag))
}

test('finds the attributes of every sample in every encoding, wherever it is cut', async (t) => {
  for (const kind of SAMPLE_KINDS) {
    const { SOPClassUID, SOPInstanceUID, PatientID, StudyInstanceUID, SeriesInstanceUID } = sampleDataset(kind)
    const expected = [SOPClassUID, SOPInstanceUID, PatientID, StudyInstanceUID, SeriesInstanceUID] as string[]
    for (const syntax of SYNTAXES) {
      const encoded = await encodedSample(kind, syntax)
      const end = Math.min(encoded.length, 700)
      for (let cut = 0; cut <= end; cut += kind === 'ct' ? 1 : 37) {
        const parser = parse(encoded, syntax, WANTED, [cut])
        if (!parser.isMalformed && texts(parser).every((text, index) => text === expected[index])) continue
        t.deepEqual(texts(parser), expected, `${kind} ${syntax} cut at ${cut}`)
      }
      const byteByByte = parse(encoded, syntax, WANTED, Array.from({ length: encoded.length - 1 }, (_, index) => index + 1))
      t.deepEqual(texts(byteByByte), expected, `${kind} ${syntax} byte by byte`)
    }
  }
})

/** Everything that has to be stepped over, before the Patient ID. */
const BEFORE = {
  [EXPLICIT]: bytes(
    '0800 0500', "'CS'", '0a00', "'ISO_IR 100'",
    '0800 1600', "'UI'", '0400', "'1.2'", '00',
    '0800 1032', "'SQ'", '0000 ffffffff', // sequence of undefined length
    'feff 00e0 ffffffff', // item of undefined length
    '1000 2000', "'LO'", '0400', "'DECOY'".slice(0, 5) + "'", // a Patient ID that is not at the top
    '0800 4011', "'SQ'", '0000 ffffffff', 'feff 00e0 0a000000', '1000 2000', "'LO'", '0200', "'XX'", 'feff dde0 00000000', // nested
    'feff 0de0 00000000',
    'feff 00e0 0c000000', '1000 2000', "'LO'", '0400', "'NOPE'", // item of defined length
    'feff dde0 00000000',
    '0800 4011', "'SQ'", '0000 14000000', 'feff 00e0 0c000000', '1000 2000', "'LO'", '0400', "'NOPE'", // sequence of defined length
    '0900 1000', "'UN'", '0000 ffffffff', 'feff 00e0 ffffffff', '1000 2000 04000000', "'NOPE'", 'feff 0de0 00000000', 'feff dde0 00000000', // UN is implicit
    '0900 1110', "'OB'", '0000 ffffffff', 'feff 00e0 00000000', 'feff 00e0 04000000 10002000', 'feff dde0 00000000', // fragments
    '0900 1210', "'ZZ'", '0000 02000000 4142', // a VR of the future
  ),
  [IMPLICIT]: bytes(
    '0800 0500 0a000000', "'ISO_IR 100'",
    '0800 1600 04000000', "'1.2'", '00',
    '0800 1032 ffffffff', 'feff 00e0 ffffffff', '1000 2000 04000000', "'NOPE'",
    '0800 4011 ffffffff', 'feff 00e0 0a000000', '1000 2000 02000000', "'XX'", 'feff dde0 00000000',
    'feff 0de0 00000000', 'feff dde0 00000000',
    '0800 4011 14000000', 'feff 00e0 0c000000', '1000 2000 04000000', "'NOPE'",
    '0900 1010 02000000 4142',
  ),
  [BIG]: bytes(
    '0008 0005', "'CS'", '000a', "'ISO_IR 100'",
    '0008 0016', "'UI'", '0004', "'1.2'", '00',
    '0008 3210', "'SQ'", '0000 ffffffff', 'fffe e000 ffffffff', '0010 0020', "'LO'", '0004', "'NOPE'", 'fffe e00d 00000000', 'fffe e0dd 00000000',
    '0009 0010', "'UN'", '0000 ffffffff', 'feff 00e0 ffffffff', '1000 2000 04000000', "'NOPE'", 'feff 0de0 00000000', 'feff dde0 00000000',
  ),
}
const PATIENT = {
  [EXPLICIT]: bytes('1000 2000', "'LO'", '0600', "' Jos\u00e9 '"),
  [IMPLICIT]: bytes('1000 2000 06000000', "' Jos\u00e9 '"),
  [BIG]: bytes('0010 0020', "'LO'", '0006', "' Jos\u00e9 '"),
}

test('steps over sequences of every form and finds the top level only, cut at every byte', (t) => {
  for (const syntax of [EXPLICIT, IMPLICIT, BIG] as const) {
    const input = Buffer.concat([BEFORE[syntax], PATIENT[syntax]])
    for (let cut = 0; cut <= input.length; cut++) {
      const parser = parse(input, syntax, [SOP_CLASS, PATIENT_ID], [cut])
      if (parser.text(PATIENT_ID) === 'José' && parser.text(SOP_CLASS) === '1.2' && !parser.isMalformed) continue
      t.deepEqual([parser.isMalformed, parser.text(SOP_CLASS), parser.text(PATIENT_ID)], [false, '1.2', 'José'], `${syntax} cut at ${cut}`)
    }
    t.deepEqual(Buffer.from(parse(input, syntax, [PATIENT_ID]).values.get(PATIENT_ID) ?? []).toString('latin1'), ' José ', 'raw values keep their padding')
  }
})

test('stops as soon as it can', (t) => {
  const input = Buffer.concat([BEFORE[EXPLICIT], PATIENT[EXPLICIT], bytes('2000 0d00', "'UI'", '0400', "'1.2'", '00')])
  const whenFinished = (wanted: readonly number[]): number => {
    const parser = new DataSetHeadParser(EXPLICIT, wanted)
    for (let at = 0; at < input.length; at++) if (parser.push(input.subarray(at, at + 1))) return at + 1
    return -1
  }
  t.is(whenFinished([PATIENT_ID]), BEFORE[EXPLICIT].length + 14, 'with the last byte of the last value')
  t.is(whenFinished([0x00100010]), BEFORE[EXPLICIT].length + 8, 'with the header of a higher tag')
  t.is(whenFinished([SERIES]), -1, 'not before the end')
  const nothing = new DataSetHeadParser(EXPLICIT, [])
  t.true(nothing.isFinished && nothing.push(input))
  const ended = new DataSetHeadParser(EXPLICIT, [SERIES])
  t.false(ended.push(input))
  ended.end()
  t.true(ended.isFinished)
  t.false(ended.isMalformed)
  t.is(ended.text(SERIES), undefined)
})

test('limits: how far it looks, how long a value may be', (t) => {
  const padding = bytes('0900 1010', "'OB'", '0000 00000100', '00'.repeat(65536)) // 64 KiB
  const far = Buffer.concat([bytes('0800 1800', "'UI'", '0400', "'1.2'", '00'), padding, PATIENT[EXPLICIT]])
  const limited = parse(far, EXPLICIT, [SOP_INSTANCE, PATIENT_ID])
  t.deepEqual([limited.text(SOP_INSTANCE), limited.text(PATIENT_ID), limited.isFinished, limited.isMalformed], ['1.2', undefined, true, false])
  t.is(parse(far, EXPLICIT, [PATIENT_ID], [], { maximumBytes: 100_000 }).text(PATIENT_ID), 'José')

  const long = bytes('1000 2000', "'LO'", '0100 41', '2000 0d00', "'UI'", '0400', "'1.2'", '00')
  t.deepEqual(texts(parse(long, EXPLICIT, [PATIENT_ID, STUDY]), [PATIENT_ID, STUDY]), ['A', '1.2'])
  const tooLong = Buffer.concat([bytes('1000 2000', "'LO'", 'd007', '41'.repeat(2000)), bytes('2000 0d00', "'UI'", '0400', "'1.2'", '00')])
  t.deepEqual(texts(parse(tooLong, EXPLICIT, [PATIENT_ID, STUDY]), [PATIENT_ID, STUDY]), [undefined, '1.2'])
  const claim = new DataSetHeadParser(IMPLICIT, [PATIENT_ID])
  t.true(claim.push(bytes('1000 2000 feffffff 41')), 'four gigabytes are claimed: none are taken, none waited for')
  t.is(claim.values.size, 0)
})

test('a value that the data set ends in is not there, an empty one is', (t) => {
  const parser = parse(bytes('0800 1600', "'UI'", '0000', '1000 2000', "'LO'", '0800 4142'), EXPLICIT, [SOP_CLASS, PATIENT_ID])
  t.deepEqual(texts(parser, [SOP_CLASS, PATIENT_ID]), ['', undefined])
  const repeated = parse(bytes('0800 1600', "'UI'", '0200 3100', '0800 1600', "'UI'", '0200 3200', '0800 1800', "'UI'", '0200 3300'), EXPLICIT, [SOP_CLASS, SOP_INSTANCE])
  t.deepEqual(texts(repeated, [SOP_CLASS, SOP_INSTANCE]), ['1', '3'], 'the first of two counts')
})

test('what is no data set is malformed, and stops it', (t) => {
  const malformed = (t: ExecutionContext, syntax: string, ...parts: string[]): void => {
    const parser = parse(bytes(...parts), syntax, [PATIENT_ID])
    t.true(parser.isMalformed && parser.isFinished, parts.join(' '))
  }
  malformed(t, EXPLICIT, '0800 1600', "'??'", '0000 00000000')
  malformed(t, EXPLICIT, '00'.repeat(132), "'DICM'")
  malformed(t, EXPLICIT, '0200 0000', "'UL'", '0400 00000000')
  malformed(t, EXPLICIT, 'feff 0de0 00000000')
  malformed(t, IMPLICIT, '0800 4011 ffffffff', '0800 1600 00000000')
  malformed(t, IMPLICIT, '0800 4011 ffffffff', 'feff 00e0 ffffffff', 'feff dde0 00000000')
  malformed(t, IMPLICIT, ...Array.from({ length: 65 }, () => '0800 4011 ffffffff feff 00e0 ffffffff'))
  malformed(t, DEFLATED, 'ffffffff')
  const partly = parse(bytes('0800 1600', "'UI'", '0200 3100', '0900 0000', "'??'", '0000'), EXPLICIT, [SOP_CLASS, PATIENT_ID])
  t.is(partly.text(SOP_CLASS), '1')
  t.true(partly.isMalformed)
})

test('text follows the character set of the data set', async (t) => {
  const cases: readonly (readonly [terms: string | string[], name: string])[] = [
    ['ISO_IR 192', 'Łucja^小東'],
    [['', 'ISO 2022 IR 87'], 'Yamada^Tarou=山田^太郎=やまだ^たろう'],
    ['ISO_IR 144', 'Люксембург'],
    ['GB18030', '王^小东'],
  ]
  for (const [SpecificCharacterSet, PatientName] of cases) {
    for (const syntax of [IMPLICIT, EXPLICIT, BIG, DEFLATED]) {
      const encoded = await encodeDataSet({ SpecificCharacterSet, PatientName, PatientID: 'A\\B' }, syntax)
      const parser = parse(encoded, syntax, [0x00100010, PATIENT_ID])
      t.deepEqual(texts(parser, [0x00100010, PATIENT_ID]), [PatientName, 'A\\B'])
    }
  }
})

test('deflated: within fixed memory, whatever it inflates to', async (t) => {
  const { StudyInstanceUID } = sampleDataset('ct')
  const encoded = await encodedSample('ct', DEFLATED, { rows: 512, columns: 512 })
  const parser = new DataSetHeadParser(DEFLATED, WANTED)
  t.true(parser.push(encoded.subarray(0, 2048)), 'the first bytes are enough')
  t.is(parser.text(STUDY), StudyInstanceUID as string)

  const incompressible = await encodeDataSet(
    { '00091001': randomBytes(40_000), PatientID: 'after 40 kB', '00110010': 'x' },
    DEFLATED,
  )
  t.is(parse(incompressible, DEFLATED, [PATIENT_ID], [1, 2, 600, 5000]).text(PATIENT_ID), 'after 40 kB')

  const bomb = deflateRawSync(Buffer.concat([bytes('0800 1800', "'UI'", '0400', "'1.2'", '00', '0900 1010', "'OB'", '0000 f0ffffff'), Buffer.alloc(50_000_000)]))
  const bombed = new DataSetHeadParser(DEFLATED, [SOP_INSTANCE, PATIENT_ID])
  t.true(bombed.push(bomb.subarray(0, 40_000)))
  t.deepEqual([bombed.text(SOP_INSTANCE), bombed.text(PATIENT_ID), bombed.isMalformed], ['1.2', undefined, false])

  const empty = Buffer.alloc(5, bytes('00 0000 ffff')) // stored blocks of no bytes: input without end, output never
  const starving = new DataSetHeadParser(DEFLATED, [PATIENT_ID])
  let pushed = 0
  while (!starving.push(Buffer.alloc(5000, empty)) && pushed < 10_000_000) pushed += 5000
  t.true(pushed < 300_000, `gave up after ${pushed} bytes`)
})

test('random bytes never throw, and pieces make no difference', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.constantFrom(...SYNTAXES), fc.array(fc.nat({ max: 200 }), { maxLength: 5 }), (input, syntax, cuts) => {
      const whole = parse(Buffer.from(input), syntax, WANTED)
      const sorted = cuts.filter((cut) => cut <= input.length).toSorted((a, b) => a - b)
      const inPieces = parse(Buffer.from(input), syntax, WANTED, sorted)
      t.deepEqual([whole.isMalformed, [...whole.values]], [inPieces.isMalformed, [...inPieces.values]])
    }),
    { numRuns: runs, seed },
  )
})

const META: FileMeta = {
  sopClassUid: '1.2.840.10008.5.1.4.1.1.2',
  sopInstanceUid: '1.2.3.4',
  transferSyntaxUid: '1.2.840.10008.1.2.1',
  implementationClassUid: '2.25.7',
  implementationVersionName: 'DICOMTAP_1',
  sourceApplicationEntityTitle: 'STORE',
  sendingApplicationEntityTitle: 'CT1',
  receivingApplicationEntityTitle: 'ARCHIVE',
}

test('the header of a DICOM file, byte by byte', (t) => {
  const expected = bytes(
    '00'.repeat(128), "'DICM'",
    '0200 0000', "'UL'", '0400 a6000000', // Group Length: 14 + 34 + 16 + 28 + 14 + 18 + 14 + 12 + 16 = 166
    '0200 0100', "'OB'", '0000 02000000 0001', // File Meta Information Version
    '0200 0200', "'UI'", '1a00', "'1.2.840.10008.5.1.4.1.1.2'", '00', // Media Storage SOP Class UID
    '0200 0300', "'UI'", '0800', "'1.2.3.4'", '00', // Media Storage SOP Instance UID
    '0200 1000', "'UI'", '1400', "'1.2.840.10008.1.2.1'", '00', // Transfer Syntax UID
    '0200 1200', "'UI'", '0600', "'2.25.7'", // Implementation Class UID
    '0200 1300', "'SH'", '0a00', "'DICOMTAP_1'", // Implementation Version Name
    '0200 1600', "'AE'", '0600', "'STORE '", // Source Application Entity Title
    '0200 1700', "'AE'", '0400', "'CT1 '", // Sending Application Entity Title
    '0200 1800', "'AE'", '0800', "'ARCHIVE '", // Receiving Application Entity Title
  )
  const header = encodePart10Header(META)
  t.is(header.toString('hex'), expected.toString('hex'))
  t.deepEqual(decodePart10Header(header), { meta: META, dataSetOffset: header.length })
  t.is(header.readUInt32LE(140), header.length - 144, 'the length counts what follows it')

  const { sopClassUid, sopInstanceUid, transferSyntaxUid, implementationClassUid } = META
  const least = { sopClassUid, sopInstanceUid, transferSyntaxUid, implementationClassUid }
  t.deepEqual(decodePart10Header(Buffer.concat([encodePart10Header(least), PATIENT[EXPLICIT]])), {
    meta: least,
    dataSetOffset: encodePart10Header(least).length,
  })
})

test('a header is read with a wrong group length or none, and never beyond its bytes', (t) => {
  const header = encodePart10Header(META)
  const wrong = Buffer.from(header)
  wrong.writeUInt32LE(0xffffffff, 140)
  t.deepEqual(decodePart10Header(wrong), { meta: META, dataSetOffset: header.length })
  const without = Buffer.concat([header.subarray(0, 132), header.subarray(144)])
  t.deepEqual(decodePart10Header(new Uint8Array(without)), { meta: META, dataSetOffset: header.length - 12 })

  t.throws(() => decodePart10Header(PATIENT[EXPLICIT]), { code: 'DICOMTAP_ERR_DS_MALFORMED', message: /"DICM" does not stand/ })
  t.throws(() => decodePart10Header(header.subarray(0, 131)), { code: 'DICOMTAP_ERR_DS_MALFORMED' })
  t.throws(() => decodePart10Header(bytes('00'.repeat(128), "'DICM'", '0200 0100', "'OB'", '0000 ffffffff')), { message: /cut off/ })
  t.throws(() => decodePart10Header(bytes('00'.repeat(128), "'DICM'", '0200 0100', "'  '", '0000 ffffffff')), { message: /no valid VR/ })
  for (let cut = 132; cut < header.length; cut++) {
    try {
      const { dataSetOffset } = decodePart10Header(header.subarray(0, cut))
      if (dataSetOffset > cut) t.fail(`read beyond ${cut}`)
    } catch (error) {
      if (!(error instanceof DicomtapError)) t.fail(`cut at ${cut}: ${String(error)}`)
    }
  }
})
