import { appendFile, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import type { ExecutionContext } from 'ava'
import { checkDataSetStructure, CompositeInstanceRoot, decodeDataSet, encodeDataSet, SopClass, StatusError, TransferSyntax } from '@dicomtap/framework'
import type { DataSet } from '@dicomtap/framework'
import { extractFrames } from '../../dist/retrieve/frames/extract-frames.js'
import type { FrameList, FrameRequest } from '../../dist/retrieve/frames/frame-request.js'
import { selectFrames } from '../../dist/retrieve/frames/select-frames.js'
import { counts, makeArchive, makeClient } from './support/archive.js'
import { encapsulated, frameBytes, makeImage, readEncapsulated, SOURCE_UID, uint32s, US_MULTI_FRAME, writeImage } from './support/multi-frame.js'
import type { ImageOptions } from './support/multi-frame.js'

const { ExplicitVRLittleEndian: EXPLICIT, ImplicitVRLittleEndian: IMPLICIT, JPEGBaseline8Bit: JPEG, RLELossless: RLE } = TransferSyntax

let folder = ''
let files = 0
test.before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'dicomtap-frames-'))
})
test.after.always(() => rm(folder, { recursive: true, force: true }))

const simple = (...numbers: number[]): FrameRequest => ask('SimpleFrameList', numbers)
const ask = (list: FrameList, numbers: readonly number[]): FrameRequest => ({ sopInstanceUid: SOURCE_UID, list, numbers })

interface Extracted {
  readonly sopInstanceUid: string
  readonly dataSet: Buffer
  readonly dataset: DataSet
}

async function put(dataSet: Buffer, transferSyntaxUid?: string): Promise<string> {
  const path = join(folder, `${files++}.dcm`)
  await writeImage(path, dataSet, transferSyntaxUid)
  return path
}

/** What is sent of an image; its structure is checked by the framework. */
async function extracted(dataSet: Buffer, request: FrameRequest, transferSyntaxUid: string = EXPLICIT): Promise<Extracted> {
  const instance = await extractFrames(await put(dataSet, transferSyntaxUid), request)
  const pieces: Uint8Array[] = []
  for await (const piece of instance.bytes()) pieces.push(piece)
  const bytes = Buffer.concat(pieces)
  checkDataSetStructure(bytes, transferSyntaxUid)
  const dataset = await decodeDataSet(bytes, transferSyntaxUid)
  return { sopInstanceUid: instance.sopInstanceUid, dataSet: bytes, dataset }
}

const of = async (options: ImageOptions, request: FrameRequest): Promise<Extracted> =>
  extracted((await makeImage(options)).dataSet, request, options.transferSyntaxUid)

async function refusal(t: ExecutionContext, dataSet: Buffer, request: FrameRequest, transferSyntaxUid?: string): Promise<number | undefined> {
  const error = await t.throwsAsync(async () => extractFrames(await put(dataSet, transferSyntaxUid), request), { instanceOf: StatusError })
  return error?.status
}

function pixels({ dataset }: Extracted): Buffer {
  const value = dataset['PixelData'] as Uint8Array | Uint8Array[]
  return Buffer.from(Array.isArray(value) ? (value[0] as Uint8Array) : value)
}

test('native frames of every size, in both uncompressed transfer syntaxes, padded to an even length', async (t) => {
  const kinds: readonly ImageOptions[] = [
    {},
    { rows: 3, columns: 5, frames: 4 },
    { bits: 16 },
    { samples: 3 },
    { bits: 32, rows: 1, columns: 1 },
    { bits: 1, rows: 4, columns: 4 },
    { frames: 1 },
    { rows: 300, columns: 301, bits: 16, frames: 6 },
  ]
  for (const kind of kinds) {
    for (const transferSyntaxUid of [EXPLICIT, IMPLICIT]) {
      const { dataSet, frames } = await makeImage({ ...kind, transferSyntaxUid })
      for (const numbers of [[1], [1, 2, 3], [2, 4], [4]]) {
        const there = numbers.filter((number) => number <= frames.length)
        if (there.length === 0) continue
        const result = await extracted(dataSet, simple(...numbers), transferSyntaxUid)
        const expected = Buffer.concat(there.map((number) => frames[number - 1] as Buffer))
        t.deepEqual(pixels(result), Buffer.concat([expected, Buffer.alloc(expected.length % 2)]), JSON.stringify({ kind, numbers }))
        t.is(Number(result.dataset['NumberOfFrames']), there.length)
      }
    }
  }
})

test('all other attributes stay as they were, byte for byte; what is new is said (PS3.4 Y.3.3, PS3.3 C.12.3)', async (t) => {
  const attributes: DataSet = {
    SpecificCharacterSet: 'ISO_IR 100',
    PatientName: 'M\u00fcller^J\u00f6rg',
    LossyImageCompression: '01',
    LossyImageCompressionRatio: [10, 20],
    SmallestImagePixelValue: 3,
    ConcatenationUID: '2.25.9',
    InConcatenationNumber: 1,
    '00090010': 'SOMEONE',
    '00091001': Buffer.from('secret'),
    _vrMap: { '00091001': 'UN' },
  }
  // (0008,0000) UL, 4 bytes: a group length, which would no longer be true.
  const groupLength = Buffer.from('08000000554c0400', 'hex')
  const dataSet = Buffer.concat([groupLength, uint32s(500), (await makeImage({ attributes })).dataSet])
  const result = await extracted(dataSet, simple(2, 5))
  t.false(result.dataSet.includes(groupLength))
  const before = await decodeDataSet(dataSet, EXPLICIT)
  const gone = ['00080000', 'InstanceCreationDate', 'ConcatenationUID', 'InConcatenationNumber', '00090010', '00091001']
  const changed = ['SOPInstanceUID', 'NumberOfFrames', 'PixelData', '_vrMap']
  for (const [name, value] of Object.entries(before)) {
    if (gone.includes(name)) t.false(name in result.dataset, name)
    else if (!changed.includes(name)) t.deepEqual(result.dataset[name], value, name)
  }
  t.is(result.dataset['SOPInstanceUID'], result.sopInstanceUid)
  const [extraction] = result.dataset['FrameExtractionSequence'] as DataSet[]
  t.deepEqual([extraction?.['SimpleFrameList'], extraction?.['MultiFrameSourceSOPInstanceUID']], [[2, 5], SOURCE_UID])
  const [equipment] = result.dataset['ContributingEquipmentSequence'] as [DataSet]
  const [purpose] = equipment['PurposeOfReferenceCodeSequence'] as [DataSet]
  t.deepEqual([purpose['CodeValue'], purpose['CodingSchemeDesignator'], purpose['CodeMeaning']], ['109105', 'DCM', 'Frame Extracting Equipment'])
  // (0010,0010) PN, 12 bytes, in Latin-1.
  t.true(result.dataSet.includes(Buffer.from('10001000504e0c004dfc6c6c65725e4af6726720', 'hex')))
})

test('frames of frames: items are added behind those that are there, in sequences of every form', async (t) => {
  for (const transferSyntaxUid of [EXPLICIT, IMPLICIT]) {
    const first = await of({ transferSyntaxUid, attributes: { FrameExtractionSequence: [{ SimpleFrameList: [1, 2], MultiFrameSourceSOPInstanceUID: '2.25.1' }], ContributingEquipmentSequence: [{ Manufacturer: 'OTHER' }] } }, simple(1, 3, 4))
    const sources = (result: Extracted): unknown[] => (result.dataset['FrameExtractionSequence'] as DataSet[]).map((item) => item['MultiFrameSourceSOPInstanceUID'])
    t.deepEqual(sources(first), ['2.25.1', SOURCE_UID])
    t.deepEqual((first.dataset['ContributingEquipmentSequence'] as DataSet[]).map((item) => item['Manufacturer']), ['OTHER', 'dicomtap'])
    // Its sequences have undefined lengths.
    const second = await extracted(first.dataSet, simple(2, 3), transferSyntaxUid)
    t.is((second.dataset['FrameExtractionSequence'] as DataSet[]).length, 3)
    t.deepEqual(pixels(second).subarray(0, 30), Buffer.concat([frameBytes(2, 15), frameBytes(3, 15)]))
  }
})

test('the UID: the same for the same request, another for another', async (t) => {
  const { dataSet } = await makeImage()
  const uid = async (request: FrameRequest): Promise<string> => (await extracted(dataSet, request)).sopInstanceUid
  const one = await uid(simple(1, 2))
  t.regex(one, /^2\.25\.[1-9]\d{20,38}$/)
  t.is(await uid(simple(1, 2)), one)
  const others = [await uid(simple(1, 3)), await uid(ask('CalculatedFrameList', [1, 2, 1])), await uid(simple(1)), one]
  t.is(new Set(others).size, 4)
})

test('which frames are meant: the example of PS3.4 Y.3.2.1.2, what is beyond the last, times with both ends', (t) => {
  const numbers = (list: FrameList, given: readonly number[], count: number, timesMs?: readonly number[]): number[] =>
    selectFrames(ask(list, given), count, timesMs).frames.map((frame) => frame + 1)
  t.deepEqual(numbers('CalculatedFrameList', [2, 9, 3, 12, 0xffffffff, 5], 25), [2, 5, 8, 12, 17, 22])
  t.deepEqual(numbers('CalculatedFrameList', [1, 2, 1, 30, 40, 1], 25), [1, 2])
  t.deepEqual(numbers('SimpleFrameList', [24, 25, 26, 4294967295], 25), [24, 25])
  t.deepEqual(numbers('TimeRange', [0.1, 0.3], 5, [0, 100, 200, 300, 400]), [2, 3, 4])
  t.is(numbers('CalculatedFrameList', [1, 0xffffffff, 1], 100_000).length, 100_000)
  t.deepEqual(selectFrames(ask('CalculatedFrameList', [1, 9, 4, 12, 20, 1]), 6).numbers, [1, 6, 4])
})

test('encapsulated: one fragment for each frame, with and without offset tables', async (t) => {
  const frames = [10, 22, 8, 14].map((length, frame) => frameBytes(frame + 50, length))
  const plain = await makeImage({ transferSyntaxUid: JPEG, frames: 4, pixelData: encapsulated(Buffer.alloc(0), frames) })
  t.deepEqual(readEncapsulated((await extracted(plain.dataSet, simple(2, 4), JPEG)).dataSet), [Buffer.alloc(0), frames[1], frames[3]])
  const table = uint32s(0, 18, 48, 64)
  const basic = await makeImage({ transferSyntaxUid: RLE, frames: 4, pixelData: encapsulated(table, frames) })
  t.deepEqual(readEncapsulated((await extracted(basic.dataSet, simple(2, 3, 4), RLE)).dataSet), [uint32s(0, 30, 46), frames[1], frames[2], frames[3]])
})

test('encapsulated: several fragments of a frame are found by the offset table, and not without', async (t) => {
  const parts = [10, 22, 8, 14, 6].map((length, frame) => frameBytes(frame + 50, length))
  const make = async (table: Buffer, frames = 3): Promise<Buffer> => (await makeImage({ transferSyntaxUid: JPEG, frames, pixelData: encapsulated(table, parts) })).dataSet
  // 18 + 30, 16, 22 + 14 bytes.
  const found = readEncapsulated((await extracted(await make(uint32s(0, 48, 64)), simple(1, 3), JPEG)).dataSet)
  t.deepEqual(found, [uint32s(0, 48), parts[0], parts[1], parts[3], parts[4]])
  t.deepEqual(readEncapsulated((await extracted(await make(Buffer.alloc(0), 1), simple(1), JPEG)).dataSet), [Buffer.alloc(0), ...parts])
  for (const [table, why] of [
    [Buffer.alloc(0), 'no table'],
    [uint32s(0, 48), 'too short'],
    [uint32s(0, 48, 0xfffffff0), 'outside of the file'],
    [uint32s(0, 49, 64), 'within a fragment'],
    [uint32s(0, 64, 48), 'back'],
    [uint32s(0, 0, 48), 'the same twice'],
    [uint32s(18, 48, 64), 'not from the first on'],
    [Buffer.from('0000000000'), 'no numbers'],
  ] as const) {
    t.is(await refusal(t, await make(table), simple(1), JPEG), 0xaa02, why)
  }
})

test('encapsulated: Extended Offset Table', async (t) => {
  const frames = [10, 22, 8].map((length, frame) => frameBytes(frame + 50, length))
  const uint64s = (...numbers: number[]): Buffer => Buffer.concat(numbers.map((number) => uint32s(number, 0)))
  const make = async (offsets: Buffer, lengths: Buffer): Promise<Buffer> => {
    // (7FE0,0001), (7FE0,0002), (7FE0,0003): OV, OV, UV.
    const element = (number: string, vr: string, value: Buffer): Buffer => Buffer.concat([Buffer.from(`e07f${number}00`, 'hex'), Buffer.from(`${vr}\0\0`), uint32s(value.length), value])
    const tables = Buffer.concat([element('01', 'OV', offsets), element('02', 'OV', lengths), element('03', 'UV', uint64s(40))])
    return (await makeImage({ transferSyntaxUid: JPEG, frames: 3, pixelData: Buffer.concat([tables, encapsulated(Buffer.alloc(0), frames)]) })).dataSet
  }
  const { dataSet } = await extracted(await make(uint64s(0, 18, 48), uint64s(9, 22, 7)), simple(1, 3), JPEG)
  t.deepEqual(readEncapsulated(dataSet), [Buffer.alloc(0), frames[0], frames[2]])
  t.true(dataSet.includes(Buffer.concat([Buffer.from('e07f0100', 'hex'), Buffer.from('OV\0\0'), uint32s(16), uint64s(0, 18), Buffer.from('e07f0200', 'hex'), Buffer.from('OV\0\0'), uint32s(16), uint64s(9, 7)])))
  t.false(dataSet.includes(Buffer.from('e07f0300', 'hex')))
  t.is(await refusal(t, await make(uint64s(0, 18, 50), uint64s(9, 22, 7)), simple(1), JPEG), 0xaa02)
  t.is(await refusal(t, await make(uint64s(0, 18, 48), uint64s(9, 22)), simple(1), JPEG), 0xaa02)
})

test('cine: every frame keeps its time', async (t) => {
  const even: DataSet = { FrameTime: 40, FrameIncrementPointer: 0x00181063, ImageTriggerDelay: 5, EffectiveDuration: 2, StartTrim: 1, StopTrim: 5 }
  const next = (await of({ attributes: even }, simple(3, 4))).dataset
  t.deepEqual([next['FrameTime'], next['FrameDelay'], next['ImageTriggerDelay'], next['FrameTimeVector']].map((value) => (value === undefined ? undefined : Number(value))), [40, 80, 85, undefined])
  for (const name of ['EffectiveDuration', 'StartTrim', 'StopTrim']) t.false(name in next, name)
  const second = (await of({ attributes: even }, simple(1, 3, 5))).dataset
  t.deepEqual([Number(second['FrameTime']), second['FrameDelay']], [80, undefined])
  const uneven = (await of({ attributes: { ...even, FrameDelay: 7 } }, simple(2, 3, 5))).dataset
  t.deepEqual([uneven['FrameTimeVector'], uneven['FrameTime'], Number(uneven['FrameDelay'])], [[0, 40, 80], undefined, 47])
  // (0028,0009) AT, 4 bytes: (0018,1065)
  t.true((await of({ attributes: even }, simple(2, 3, 5))).dataSet.includes(Buffer.from('28000900415404001800' + '6510', 'hex')))
  const vector: DataSet = { FrameTimeVector: [0, 33.3, 33.4, 40, 10], FrameIncrementPointer: 0x00181065 }
  const cut = (await of({ attributes: vector }, simple(2, 3, 5))).dataset
  t.deepEqual([cut['FrameTimeVector'], Number(cut['FrameDelay'])], [[0, 33.4, 50], 33.3])
  t.is(await refusal(t, (await makeImage({ attributes: { ...vector, FrameTimeVector: [0, 1] } })).dataSet, simple(1)), 0xaa02)
})

test('cine: times of a request', async (t) => {
  const frames = async (attributes: DataSet, start: number, end: number, count = 5): Promise<number[]> => {
    const result = pixels(await of({ frames: count, rows: 1, columns: 2, attributes }, ask('TimeRange', [start, end])))
    const all = Array.from({ length: count }, (_, frame) => frameBytes(frame, 2).toString('hex'))
    return Array.from({ length: result.length / 2 }, (_, index) => all.indexOf(result.toString('hex', index * 2, index * 2 + 2)) + 1)
  }
  const even = { FrameTime: 33.3, FrameIncrementPointer: 0x00181063 }
  t.deepEqual(await frames(even, 0, 0.0666), [1, 2, 3])
  t.deepEqual(await frames({ ...even, FrameDelay: 1000 }, 1.01, 1.1), [2, 3, 4])
  t.deepEqual(await frames({ FrameTimeVector: [0, 10, 500, 10, 10], FrameIncrementPointer: 0x00181065 }, 0.01, 0.51), [2, 3])
  const at = (seconds: string): DataSet => ({ FrameContentSequence: [{ FrameReferenceDateTime: `202401021015${seconds}` }] })
  const groups = { PerFrameFunctionalGroupsSequence: ['00.25', '01.25', '02.250001', '03.25', '04'].map(at) }
  t.deepEqual(await frames(groups, 1, 2), [2])
  t.deepEqual(await frames(groups, 1, 3.5), [2, 3, 4])
  t.deepEqual(await frames({ TimezoneOffsetFromUTC: '+0100', PerFrameFunctionalGroupsSequence: ['00.25+0100', '10+0000', '02.25', '03.25', '04'].map(at) }, 0, 2), [1, 3])
  t.is(await refusal(t, (await makeImage({ attributes: even })).dataSet, ask('TimeRange', [9, 10])), 0xaa00)
  t.is(await refusal(t, (await makeImage()).dataSet, ask('TimeRange', [0, 10])), 0xaa03)
  t.is(await refusal(t, (await makeImage({ attributes: { ...even, FrameDelay: 'NaN' as never } })).dataSet.fill(0), ask('TimeRange', [0, 10])), 0xaa02)
})

test('functional groups, vectors and frame numbers follow their frames', async (t) => {
  for (const transferSyntaxUid of [EXPLICIT, IMPLICIT]) {
    const attributes: DataSet = {
      PerFrameFunctionalGroupsSequence: Array.from({ length: 5 }, (_, frame) => ({ FrameContentSequence: [{ FrameAcquisitionNumber: frame + 1, StackID: 'x'.repeat(frame) }], PlanePositionSequence: [{ ImagePositionPatient: [0, 0, frame] }] })),
      SharedFunctionalGroupsSequence: [{ PixelMeasuresSequence: [{ SliceThickness: 2 }] }],
      FrameIncrementPointer: 0x52009230,
      DimensionOrganizationType: '3D',
      FrameLabelVector: ['a', 'bb', 'ccc', 'd', 'e'],
      SliceLocationVector: [1, 2, 3, 4, 5],
      EnergyWindowVector: [1, 1, 2, 2, 3],
      RepresentativeFrameNumber: 4,
      RWavePointer: [1, 2, 4],
      FrameNumbersOfInterest: [1],
      OverlayRows: 3,
    }
    const { dataset } = await of({ transferSyntaxUid, attributes }, simple(2, 4, 5))
    const groups = dataset['PerFrameFunctionalGroupsSequence'] as DataSet[]
    t.deepEqual(groups.map((group) => Number((group['FrameContentSequence'] as DataSet[])[0]?.['FrameAcquisitionNumber'])), [2, 4, 5])
    t.deepEqual(groups.map((group) => ((group['PlanePositionSequence'] as [DataSet])[0]['ImagePositionPatient'] as number[]).at(2)), [1, 3, 4])
    t.deepEqual([dataset['FrameLabelVector'], dataset['SliceLocationVector'], dataset['EnergyWindowVector']], [['bb', 'd', 'e'], [2, 4, 5], [1, 2, 3]])
    t.deepEqual([dataset['RepresentativeFrameNumber'], dataset['RWavePointer']], [2, [1, 2]])
    t.is((dataset['SharedFunctionalGroupsSequence'] as DataSet[]).length, 1)
    for (const name of ['FrameNumbersOfInterest', 'DimensionOrganizationType']) t.false(name in dataset, name)
  }
})

test('sequences as UN, and with items of undefined length', async (t) => {
  const group = (frame: number): DataSet => ({ FrameContentSequence: [{ FrameReferenceDateTime: `2024010210150${frame}.25` }] })
  const implicit = await Promise.all([0, 1, 2].map((frame) => encodeDataSet(group(frame), IMPLICIT)))
  const explicit = await Promise.all([0, 1, 2].map((frame) => encodeDataSet(group(frame), EXPLICIT)))
  const tag = Buffer.from('00523092', 'hex')
  const open = Buffer.from('ffffffff', 'hex')
  const [itemTag, itemEnd, end] = [Buffer.from('feff00e0', 'hex'), Buffer.from('feff0de000000000', 'hex'), Buffer.from('feffdde000000000', 'hex')]
  const sized = Buffer.concat(implicit.map((item) => Buffer.concat([itemTag, uint32s(item.length), item])))
  const unsized = (items: readonly Buffer[]): Buffer => Buffer.concat(items.map((item) => Buffer.concat([itemTag, open, item, itemEnd])))
  const native = Buffer.concat([Buffer.from('e07f1000', 'hex'), Buffer.from('OB\0\0'), uint32s(6), Buffer.from([0, 1, 2, 3, 4, 5])])
  for (const groups of [
    Buffer.concat([tag, Buffer.from('UN\0\0'), uint32s(sized.length), sized]),
    Buffer.concat([tag, Buffer.from('UN\0\0'), open, unsized(implicit), end]),
    Buffer.concat([tag, Buffer.from('SQ\0\0'), open, unsized(explicit), end]),
  ]) {
    const { dataSet } = await makeImage({ frames: 3, rows: 1, columns: 2, pixelData: Buffer.concat([groups, native]) })
    const result = await extracted(dataSet, ask('TimeRange', [1, 2]))
    t.deepEqual(pixels(result), Buffer.from([2, 3, 4, 5]))
    const left = (result.dataset['PerFrameFunctionalGroupsSequence'] as DataSet[]).map((one) => (one['FrameContentSequence'] as [DataSet])[0]['FrameReferenceDateTime'])
    t.deepEqual(left, ['20240102101501.25', '20240102101502.25'])
  }
})

test('native pixels of which each second chrominance is not there', async (t) => {
  const attributes = { PhotometricInterpretation: 'YBR_FULL_422', SamplesPerPixel: 3, NumberOfFrames: 3 }
  const { dataSet } = await makeImage({ rows: 2, columns: 2, attributes, pixelData: Buffer.concat([Buffer.from('e07f1000', 'hex'), Buffer.from('OB\0\0'), uint32s(24), frameBytes(0, 24)]) })
  t.deepEqual(pixels(await extracted(dataSet, simple(1, 3))), Buffer.concat([frameBytes(0, 24).subarray(0, 8), frameBytes(0, 24).subarray(16)]))
})

test('AA01: nothing is sent that would say something wrong of its frames', async (t) => {
  const cases: readonly DataSet[] = [
    { FrameIncrementPointer: 0x3004000c, GridFrameOffsetVector: [0, 1, 2, 3, 4] },
    { GridFrameOffsetVector: [0, 1, 2, 3, 4] },
    { FrameIncrementPointer: 0x00540080, SliceVector: [1, 2, 3, 4, 5] },
    { FrameIncrementPointer: 0x00091001 },
    { DimensionOrganizationType: 'TILED_FULL' },
    { PositionerPrimaryAngleIncrement: [0, 1, 2, 3, 4] },
    { '60000051': 1, _vrMap: { '60000051': 'US' } },
    { AcquisitionContextSequence: [{ ReferencedFrameNumbers: [1, 2] }] },
    { IVUSPullbackStartFrameNumber: 2, IVUSPullbackStopFrameNumber: 3 },
    { NumberOfFrames: undefined },
  ]
  for (const attributes of cases) t.is(await refusal(t, (await makeImage({ attributes })).dataSet, simple(1)), 0xaa01, JSON.stringify(attributes))
  const withoutPixels = (await makeImage({ pixelData: Buffer.alloc(0) })).dataSet
  t.is(await refusal(t, withoutPixels, simple(1)), 0xaa01)
})

test('AA02: what does not fit, is cut off, or cannot be cut', async (t) => {
  const { dataSet } = await makeImage({ frames: 4 })
  t.is(await refusal(t, dataSet, simple(9)), 0xaa00)
  t.is(await refusal(t, dataSet, { ...simple(1), sopInstanceUid: '2.25.1' }), 0xaa02, 'another instance')
  t.is(await refusal(t, dataSet.subarray(0, dataSet.length - 10), simple(1)), 0xaa02, 'cut off')
  t.is(await refusal(t, Buffer.alloc(0), simple(1)), 0xaa01, 'empty')
  for (const attributes of [
    { NumberOfFrames: 5 },
    { NumberOfFrames: 3 },
    { NumberOfFrames: 0 },
    { NumberOfFrames: -1 },
    { NumberOfFrames: 2_147_483_647 },
    { NumberOfFrames: 4, FrameTimeVector: '1\\'.repeat(300_000) },
    { Rows: 4 },
    { Rows: 0 },
    { BitsAllocated: 12 },
    { PerFrameFunctionalGroupsSequence: [{}] },
    { PerFrameFunctionalGroupsSequence: Array.from({ length: 5 }, () => ({})) },
    { FrameLabelVector: ['a'] },
    { FrameLabelVector: ['a', 'b', 'c', 'd'], SpecificCharacterSet: 'GB18030' },
  ] as DataSet[]) {
    t.is(await refusal(t, (await makeImage({ frames: 4, attributes })).dataSet, simple(1)), 0xaa02, JSON.stringify(attributes))
  }
  t.is(await refusal(t, (await makeImage({ bits: 1, rows: 3, columns: 5, frames: 8 })).dataSet, simple(1)), 0xaa02, 'bits')
  const bigEndian = TransferSyntax.ExplicitVRBigEndian
  t.is(await refusal(t, (await makeImage({ transferSyntaxUid: bigEndian })).dataSet, simple(1), bigEndian), 0xaa02)
  const stream = encapsulated(Buffer.alloc(0), [frameBytes(1, 10), frameBytes(2, 10)])
  const video = await makeImage({ transferSyntaxUid: TransferSyntax.MPEG2MPML, frames: 2, pixelData: stream })
  t.is(await refusal(t, video.dataSet, simple(1), TransferSyntax.MPEG2MPML), 0xaa02, 'video')
  t.is(await refusal(t, (await makeImage({ frames: 2, pixelData: stream })).dataSet, simple(1)), 0xaa02, 'fragments of native pixel data')
  const open = (await makeImage({ transferSyntaxUid: JPEG, frames: 2, pixelData: stream })).dataSet
  t.is(await refusal(t, open.subarray(0, open.length - 8), simple(1), JPEG), 0xaa02, 'no end of the fragments')
})

test('every byte of the head may be wrong: a refusal or an instance, no other error', async (t) => {
  const { dataSet } = await makeImage({ frames: 3, attributes: { FrameTime: 40, FrameIncrementPointer: 0x00181063, PerFrameFunctionalGroupsSequence: [{}, { FrameContentSequence: [{}] }, {}] } })
  const path = await put(dataSet)
  for (let at = 0; at < dataSet.length - 48; at += 5) {
    const broken = Buffer.from(dataSet)
    broken[at] = (broken[at] ?? 0) ^ 0xff
    try {
      await writeImage(path, broken)
      for await (const piece of (await extractFrames(path, simple(2))).bytes()) t.true(piece.length > 0)
    } catch (error) {
      if (!(error instanceof StatusError)) throw error
    }
  }
  t.pass()
})

test('many frames; sequences nested too deep; a file that changes meanwhile', async (t) => {
  const count = 100_000
  const vector = Array.from({ length: count }, (_, frame) => (frame === 0 ? 0 : 1))
  const { dataSet, frames } = await makeImage({ frames: count, rows: 1, columns: 2, attributes: { FrameTimeVector: vector, FrameIncrementPointer: 0x00181065, PerFrameFunctionalGroupsSequence: vector.map((_, frame) => ({ InstanceNumber: frame + 1 })) } })
  const path = await put(dataSet)
  const instance = await extractFrames(path, ask('CalculatedFrameList', [1, 0xffffffff, 2]))
  const pieces: Uint8Array[] = []
  for await (const piece of instance.bytes()) pieces.push(piece)
  t.true(pieces.every(({ length }) => length <= 262_144))
  t.deepEqual(Buffer.concat(pieces).subarray(-count), Buffer.concat(frames.filter((_, frame) => frame % 2 === 0)))
  const pixelsAt = Buffer.concat(pieces).length - count
  t.is(Buffer.concat(pieces).readUInt32LE(pixelsAt - 4), count)

  await appendFile(path, Buffer.alloc(2))
  const error = await t.throwsAsync(async () => {
    for await (const piece of instance.bytes()) t.truthy(piece)
  })
  t.is((error as StatusError).status, 0xaa02)

  // (0040,0555) SQ of undefined length, with an item of undefined length, in itself.
  const nested = Buffer.concat(Array.from({ length: 10_000 }, () => Buffer.from('4000550553510000fffffffffeff00e0ffffffff', 'hex')))
  const head = await encodeDataSet({ SOPClassUID: US_MULTI_FRAME, SOPInstanceUID: SOURCE_UID }, EXPLICIT)
  t.is(await refusal(t, Buffer.concat([head, nested]), simple(1)), 0xaa02)
  const notDicom = join(folder, 'not-dicom')
  await writeFile(notDicom, 'nothing')
  await t.throwsAsync(extractFrames(notDicom, simple(1)), { code: 'DICOMTAP_ERR_DS_MALFORMED' })
  await t.throwsAsync(extractFrames(join(folder, 'gone'), simple(1)), { code: 'ENOENT' })
})

test('C-GET and C-MOVE: one sub-operation, one instance', async (t) => {
  const SC = SopClass.MultiFrameGrayscaleByteSecondaryCaptureImageStorage
  const stores = [{ abstractSyntax: SC, transferSyntaxes: [EXPLICIT, IMPLICIT, JPEG] }]
  await using archive = await makeArchive({ stores, destination: () => ({ host: '127.0.0.1', port: client.port }) })
  await using client = await makeClient(archive, { accepts: [[SC, EXPLICIT, IMPLICIT, JPEG]] })
  const native = await archive.put('n', 'multi-frame', EXPLICIT, { sopInstanceUid: '2.25.5', frames: 6, rows: 2, columns: 4 })
  const compressed = await archive.put('c', 'multi-frame', JPEG, { sopInstanceUid: '2.25.6', frames: 4 })
  const identifier = { QueryRetrieveLevel: 'FRAME', SOPInstanceUID: '2.25.5', SimpleFrameList: [2, 6] }
  const got = await client.get(CompositeInstanceRoot.Get, identifier)
  t.is(got.final.status, 0)
  t.deepEqual(counts(got), [1, 0, 0])
  t.deepEqual(got.pending.map((one) => one.numberOfRemainingSuboperations), [0])
  const source = Buffer.from(((await decodeDataSet(native.dataSet, EXPLICIT))['PixelData'] as Uint8Array[])[0] as Uint8Array)
  const frame = (number: number): Buffer => source.subarray((number - 1) * 8, number * 8)
  t.deepEqual(got.got[0]?.bytes.subarray(-16), Buffer.concat([frame(2), frame(6)]))
  const moved = await client.move(CompositeInstanceRoot.Move, { ...identifier, SimpleFrameList: undefined, CalculatedFrameList: [2, 6, 4] })
  t.deepEqual([moved.final.status, ...counts(moved)], [0, 1, 0, 0])
  t.deepEqual(moved.got[0]?.bytes.subarray(-16), got.got[0]?.bytes.subarray(-16))
  t.is(moved.got[0]?.sopClassUid, SC)
  t.not(moved.got[0]?.sopInstanceUid, '2.25.5')
  const timed = await client.get(CompositeInstanceRoot.Get, { QueryRetrieveLevel: 'FRAME', SOPInstanceUID: '2.25.6', TimeRange: [0.04, 0.08] })
  t.is(timed.got[0]?.transferSyntaxUid, JPEG)
  t.deepEqual(readEncapsulated(timed.got[0]?.bytes as Buffer).slice(1), readEncapsulated(compressed.dataSet).slice(2, 4))
  await using other = await makeClient(archive, { accepts: [[SC, IMPLICIT]] })
  const converted = (await other.get(CompositeInstanceRoot.Get, identifier)).got[0]
  t.is(converted?.transferSyntaxUid, IMPLICIT)
  t.deepEqual((await decodeDataSet(converted?.bytes ?? Buffer.alloc(0), IMPLICIT))['FrameExtractionSequence'], (await decodeDataSet(got.got[0]?.bytes ?? Buffer.alloc(0), EXPLICIT))['FrameExtractionSequence'])
  t.is((await client.get(CompositeInstanceRoot.Get, { ...identifier, SimpleFrameList: 7 })).final.status, 0xaa00)
  await rm(join(archive.directory, 'n'))
  const gone = await client.get(CompositeInstanceRoot.Get, identifier)
  t.deepEqual([gone.final.status, gone.final.errorComment], [0xaa02, 'The instance cannot be read'])
  t.is(archive.server.log.filter(({ message }) => message.startsWith('frames were asked for')).length, 1)
})
