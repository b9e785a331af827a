import { transferSyntaxByUid, VIDEO_TRANSFER_SYNTAXES } from '@dicomtap/framework'
import { ITEM, SEQUENCE_DELIMITATION, UNDEFINED_LENGTH } from './element-reader.ts'
import { encodeElement, encodeHeader, encodeItemHeader, uint32s } from './encode-elements.ts'
import type { FileRange, Piece } from './pieces.ts'
import { cannotExtract } from './refused.ts'
import type { SourceImage } from './source-image.ts'

const SAMPLES_PER_PIXEL = 0x00280002
const PHOTOMETRIC_INTERPRETATION = 0x00280004
const ROWS = 0x00280010
const COLUMNS = 0x00280011
const BITS_ALLOCATED = 0x00280100
export const EXTENDED_OFFSET_TABLE = 0x7fe00001
export const EXTENDED_OFFSET_TABLE_LENGTHS = 0x7fe00002

const MAXIMUM_FRAGMENTS = 500_000
const MAXIMUM_TABLE_BYTES = 8 * MAXIMUM_FRAGMENTS

/** Samples per pixel that are stored of those whose chrominance has fewer (PS3.3 C.7.6.3.1.2). */
const SUBSAMPLED: Readonly<Record<string, number>> = { YBR_FULL_422: 2, YBR_PARTIAL_422: 2, YBR_PARTIAL_420: 1.5 }

/** Pixel data of some frames, and the attributes that tell where in it they are. */
export interface CutPixelData {
  readonly pixelData: readonly Piece[]
  /** Elements before it, by tag. */
  readonly tables: ReadonlyMap<number, Buffer>
}

/** @throws StatusError AA02 when it cannot be told where frames begin and end */
export async function cutPixelData(image: SourceImage, frames: readonly number[]): Promise<CutPixelData> {
  if (image.pixelData.length === UNDEFINED_LENGTH) return cutFragments(image, frames)
  if (image.encapsulated) throw cannotExtract('The pixel data is not encapsulated')
  return { pixelData: await cutNative(image, frames), tables: new Map() }
}

async function cutNative(image: SourceImage, frames: readonly number[]): Promise<Piece[]> {
  const { pixelData, numberOfFrames, explicitVr } = image
  const one = async (tag: number): Promise<number> => (await image.uint16s(tag))[0] ?? 0
  const samples = await one(SAMPLES_PER_PIXEL)
  const [photometric = ''] = await image.texts(PHOTOMETRIC_INTERPRETATION)
  const stored = samples === 3 ? (SUBSAMPLED[photometric.replaceAll('\0', '').trim()] ?? 3) : samples
  const frameBytes = ((await one(ROWS)) * (await one(COLUMNS)) * stored * (await one(BITS_ALLOCATED))) / 8
  if (frameBytes === 0) throw cannotExtract('The image does not tell its size')
  if (!Number.isInteger(frameBytes)) throw cannotExtract('Frames do not begin at whole bytes')
  const expected = frameBytes * numberOfFrames
  if (pixelData.length !== expected && pixelData.length !== expected + (expected & 1)) {
    throw cannotExtract('The pixel data does not fit Number of Frames')
  }
  const length = frameBytes * frames.length
  const padding = length % 2
  const ranges = frames.map((frame): FileRange => ({ start: pixelData.valueStart + frame * frameBytes, end: pixelData.valueStart + (frame + 1) * frameBytes }))
  return [encodeHeader(pixelData.tag, pixelData.vr ?? 'OW', length + padding, explicitVr), ...ranges, Buffer.alloc(padding)]
}

async function cutFragments(image: SourceImage, frames: readonly number[]): Promise<CutPixelData> {
  const { transferSyntaxUid, encapsulated, pixelData, explicitVr } = image
  if (!encapsulated) throw cannotExtract('The pixel data has no length')
  if (isOneStream(transferSyntaxUid)) throw cannotExtract('The frames are one stream')
  const { tableBytes, ranges } = await readFragments(image)
  const isBasic = tableBytes.length > 0
  const extended = isBasic ? undefined : await extendedTable(image)
  const offsets = isBasic ? readOffsets(tableBytes, 4) : extended?.offsets
  const all = framesOf(ranges, offsets, image.numberOfFrames)
  const chosen = frames.map((frame) => all[frame] as FileRange)
  const starts: number[] = []
  let position = 0
  for (const { start, end } of chosen) {
    starts.push(position)
    position += end - start
  }
  const canHaveTable = (starts.at(-1) ?? 0) <= 0xffffffff
  const table = isBasic && canHaveTable ? uint32s(starts) : Buffer.alloc(0)
  return {
    pixelData: [
      encodeHeader(pixelData.tag, pixelData.vr ?? 'OB', UNDEFINED_LENGTH, explicitVr),
      encodeItemHeader(ITEM, table.length),
      table,
      ...chosen,
      encodeItemHeader(SEQUENCE_DELIMITATION, 0),
    ],
    tables: extended === undefined ? new Map() : extendedTables(starts, frames.map((frame) => extended.lengths[frame] ?? 0), explicitVr),
  }
}

/** Video and multi-component compression: fragments have nothing to do with frames (PS3.5 8.2.5, A.4.4). */
function isOneStream(transferSyntaxUid: string): boolean {
  const keyword = transferSyntaxByUid(transferSyntaxUid)?.keyword ?? ''
  return VIDEO_TRANSFER_SYNTAXES.includes(transferSyntaxUid) || /^(MPEG|HEVC|SMPTE|JPEG2000MC|JPIP)/.test(keyword)
}

interface Fragments {
  /** Basic Offset Table (PS3.5 A.4). */
  readonly tableBytes: Buffer
  /** Items with their headers. */
  readonly ranges: readonly FileRange[]
}

async function readFragments({ reader, pixelData }: SourceImage): Promise<Fragments> {
  let tableBytes: Buffer | undefined
  const ranges: FileRange[] = []
  for await (const { start, contentStart, contentEnd, end } of reader.items(pixelData)) {
    if (end !== contentEnd) throw cannotExtract('A fragment has no length')
    if (tableBytes === undefined) {
      const header = { tag: ITEM, vr: undefined, start, valueStart: contentStart, length: contentEnd - contentStart }
      tableBytes = await reader.value(header, MAXIMUM_TABLE_BYTES)
    } else if (ranges.push({ start, end }) > MAXIMUM_FRAGMENTS) {
      throw cannotExtract('The pixel data has too many fragments')
    }
  }
  if (tableBytes === undefined) throw cannotExtract('The pixel data has no fragments')
  return { tableBytes, ranges }
}

/** Where the fragments of each frame are; without offsets only when each has one. */
function framesOf(ranges: readonly FileRange[], offsets: readonly number[] | undefined, numberOfFrames: number): readonly FileRange[] {
  const base = ranges[0]?.start ?? 0
  if (offsets === undefined) {
    if (numberOfFrames === 1 && ranges.length > 0) return [{ start: base, end: ranges.at(-1)?.end ?? base }]
    if (ranges.length !== numberOfFrames) throw cannotExtract('Nothing tells which fragments are of which frame')
    return ranges
  }
  if (offsets.length !== numberOfFrames || offsets[0] !== 0) throw cannotExtract('The offset table does not fit Number of Frames')
  const starts = new Set(ranges.map(({ start }) => start - base))
  const end = (ranges.at(-1)?.end ?? base) - base
  return offsets.map((offset, frame) => {
    const next = offsets[frame + 1] ?? end
    if (!starts.has(offset) || next <= offset) throw cannotExtract('The offset table points at no fragments')
    return { start: base + offset, end: base + next }
  })
}

interface ExtendedTable {
  readonly offsets: readonly number[]
  readonly lengths: readonly number[]
}

/** Extended Offset Table (7FE0,0001) and its lengths (PS3.3 C.7.6.3.1.8), which allow one fragment for each frame. */
async function extendedTable(image: SourceImage): Promise<ExtendedTable | undefined> {
  const offsets = await image.bytes(EXTENDED_OFFSET_TABLE)
  const lengths = await image.bytes(EXTENDED_OFFSET_TABLE_LENGTHS)
  if (offsets === undefined) return undefined
  if (lengths === undefined || lengths.length !== offsets.length) throw cannotExtract('The offset table has no lengths')
  return { offsets: readOffsets(offsets, 8), lengths: readOffsets(lengths, 8) }
}

function readOffsets(bytes: Buffer, size: 4 | 8): number[] {
  if (bytes.length % size !== 0) throw cannotExtract('The offset table is malformed')
  return Array.from({ length: bytes.length / size }, (_, index) => (size === 4 ? bytes.readUInt32LE(index * 4) : Number(bytes.readBigUInt64LE(index * 8))))
}

function extendedTables(offsets: readonly number[], lengths: readonly number[], explicitVr: boolean): Map<number, Buffer> {
  const element = (tag: number, numbers: readonly number[]): Buffer => {
    const bytes = Buffer.alloc(numbers.length * 8)
    numbers.forEach((number, index) => bytes.writeBigUInt64LE(BigInt(number), index * 8))
    return encodeElement(tag, 'OV', bytes, explicitVr)
  }
  return new Map([
    [EXTENDED_OFFSET_TABLE, element(EXTENDED_OFFSET_TABLE, offsets)],
    [EXTENDED_OFFSET_TABLE_LENGTHS, element(EXTENDED_OFFSET_TABLE_LENGTHS, lengths)],
  ])
}
