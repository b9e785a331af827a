import { writeFile } from 'node:fs/promises'
import { encodeDataSet, encodePart10Header, SopClass, TransferSyntax } from '@dicomtap/framework'
import type { DataSet } from '@dicomtap/framework'

export const SOURCE_UID = '2.25.77.1'
export const US_MULTI_FRAME: string = SopClass.UltrasoundMultiFrameImageStorage
const UNDEFINED = Buffer.from('ffffffff', 'hex')

export interface ImageOptions {
  readonly transferSyntaxUid?: string
  readonly frames?: number
  readonly rows?: number
  readonly columns?: number
  readonly samples?: number
  readonly bits?: number
  readonly attributes?: DataSet
  /** Instead of native pixel data that fits: the encoded element, to be put behind all others. */
  readonly pixelData?: Buffer
}

export interface MadeImage {
  readonly dataSet: Buffer
  /** Native frames, one by one. */
  readonly frames: readonly Buffer[]
}

/** Bytes that tell which frame they are of, and where in it. */
export function frameBytes(frame: number, length: number): Buffer {
  return Buffer.from(Array.from({ length }, (_, at) => (frame * 31 + at * 7 + (at >>> 8)) & 0xff))
}

/** A multi-frame image; times and functional groups are for `attributes`. */
export async function makeImage({ transferSyntaxUid = TransferSyntax.ExplicitVRLittleEndian, frames = 5, rows = 3, columns = 5, samples = 1, bits = 8, attributes = {}, pixelData }: ImageOptions = {}): Promise<MadeImage> {
  const length = (rows * columns * samples * bits) / 8
  const made = Array.from({ length: frames }, (_, frame) => frameBytes(frame, Math.ceil(length)))
  const dataset: DataSet = {
    ImageType: ['ORIGINAL', 'PRIMARY'],
    InstanceCreationDate: '20240102',
    SOPClassUID: US_MULTI_FRAME,
    SOPInstanceUID: SOURCE_UID,
    ContentDate: '20240102',
    ContentTime: '101500.25',
    Modality: 'US',
    PatientName: 'Frames^Made',
    PatientID: 'F1',
    StudyInstanceUID: '2.25.77.2',
    SeriesInstanceUID: '2.25.77.3',
    InstanceNumber: 4,
    SamplesPerPixel: samples,
    PhotometricInterpretation: samples === 3 ? 'RGB' : 'MONOCHROME2',
    ...(samples === 3 ? { PlanarConfiguration: 0 } : {}),
    NumberOfFrames: frames,
    Rows: rows,
    Columns: columns,
    BitsAllocated: bits,
    BitsStored: bits,
    HighBit: bits - 1,
    PixelRepresentation: 0,
    ...attributes,
  }
  const native = { ...dataset, PixelData: Buffer.concat(made) }
  const dataSet = pixelData === undefined ? await encodeDataSet(native, transferSyntaxUid) : Buffer.concat([await encodeDataSet(dataset, transferSyntaxUid), pixelData])
  return { dataSet, frames: made }
}

export async function writeImage(path: string, dataSet: Buffer, transferSyntaxUid: string = TransferSyntax.ExplicitVRLittleEndian, sopClassUid = US_MULTI_FRAME): Promise<void> {
  const meta = { sopClassUid, sopInstanceUid: SOURCE_UID, transferSyntaxUid, implementationClassUid: '2.25.2' }
  await writeFile(path, [encodePart10Header(meta), dataSet])
}

/** (FFFE,E000) with its length (PS3.5 A.4). */
export function fragmentItem(value: Buffer): Buffer {
  const header = Buffer.from('feff00e000000000', 'hex')
  header.writeUInt32LE(value.length, 4)
  return Buffer.concat([header, value])
}

export function uint32s(...numbers: number[]): Buffer {
  const bytes = Buffer.alloc(numbers.length * 4)
  numbers.forEach((number, index) => bytes.writeUInt32LE(number, index * 4))
  return bytes
}

/** Encapsulated Pixel Data (7FE0,0010) in Explicit VR: OB, the Basic Offset Table, the fragments, the delimiter. */
export function encapsulated(table: Buffer, fragments: readonly Buffer[]): Buffer {
  return Buffer.concat([
    Buffer.from('e07f1000', 'hex'), Buffer.from('OB\0\0'), UNDEFINED,
    fragmentItem(table), ...fragments.map(fragmentItem),
    Buffer.from('feffdde000000000', 'hex'),
  ])
}

/** The items of encapsulated Pixel Data at the end of a data set: the offset table, and the fragments. */
export function readEncapsulated(dataSet: Buffer): Buffer[] {
  const items: Buffer[] = []
  let at = dataSet.lastIndexOf(Buffer.concat([Buffer.from('e07f1000', 'hex'), Buffer.from('OB\0\0'), UNDEFINED])) + 12
  while (dataSet.readUInt32LE(at) === 0xe000fffe) {
    const length = dataSet.readUInt32LE(at + 4)
    items.push(dataSet.subarray(at + 8, at + 8 + length))
    at += 8 + length
  }
  if (dataSet.toString('hex', at) !== 'feffdde000000000') throw new Error('no end')
  return items
}
