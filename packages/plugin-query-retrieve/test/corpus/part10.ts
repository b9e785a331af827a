import { deflateRawSync } from 'node:zlib'

/**
 * Writes DICOM files (PS3.10) of the corpus: nothing of the framework is used, so that what it reads was not written
 * by itself. Text is given as the bytes that stand in the file: each character of a string is one byte.
 */
export type Item = readonly Element[]
export type Value = string | readonly number[] | readonly Item[] | Encapsulated
export type Element = readonly [tag: string, vr: string, value: Value]

/** Pixel data in fragments (PS3.5 A.4); the Basic Offset Table is empty. */
export interface Encapsulated {
  readonly fragments: readonly Buffer[]
}

export interface Encoding {
  readonly uid: string
  readonly isImplicit?: true
  readonly isBigEndian?: true
  readonly isDeflated?: true
  readonly isEncapsulated?: true
}

/** Transfer syntaxes of the corpus (PS3.5 A.1 to A.4). */
export const ENCODINGS = {
  implicit: { uid: '1.2.840.10008.1.2', isImplicit: true },
  explicit: { uid: '1.2.840.10008.1.2.1' },
  bigEndian: { uid: '1.2.840.10008.1.2.2', isBigEndian: true },
  deflated: { uid: '1.2.840.10008.1.2.1.99', isDeflated: true },
  jpegBaseline: { uid: '1.2.840.10008.1.2.4.50', isEncapsulated: true },
  jpegLossless: { uid: '1.2.840.10008.1.2.4.70', isEncapsulated: true },
  jpeg2000Lossless: { uid: '1.2.840.10008.1.2.4.90', isEncapsulated: true },
  rle: { uid: '1.2.840.10008.1.2.5', isEncapsulated: true },
} as const satisfies Record<string, Encoding>
export type EncodingName = keyof typeof ENCODINGS

/** VRs with a reserved field and a length of four bytes (PS3.5 table 7.1-1). */
const LONG = new Set(['OB', 'OW', 'OF', 'OD', 'OL', 'SQ', 'UT', 'UN', 'UC', 'UR'])
const NUMBER_BYTES: Readonly<Record<string, number>> = { US: 2, SS: 2, OW: 2, UL: 4, SL: 4, AT: 2, FL: 4, FD: 8, OB: 1 }

export function encode(elements: Item, encoding: Encoding): Buffer {
  const sorted = elements.toSorted(([a], [b]) => (a < b ? -1 : 1))
  return Buffer.concat(sorted.map((element) => encodeElement(element, encoding)))
}

function encodeElement([tag, vr, value]: Element, encoding: Encoding): Buffer {
  if (isEncapsulated(value)) return Buffer.concat([header(tag, vr, 0xffffffff, encoding), ...fragments(value, encoding)])
  const bytes = valueBytes(vr, value, encoding)
  return Buffer.concat([header(tag, vr, bytes.length, encoding), bytes])
}

function isEncapsulated(value: Value): value is Encapsulated {
  return typeof value === 'object' && 'fragments' in value
}

function header(tag: string, vr: string, length: number, { isImplicit, isBigEndian }: Encoding): Buffer {
  const hasLongLength = isImplicit === true || vr === '' || LONG.has(vr)
  const bytes = Buffer.alloc(!hasLongLength || isImplicit === true || vr === '' ? 8 : 12)
  const u16 = (number: number, at: number): number => (isBigEndian === true ? bytes.writeUInt16BE(number, at) : bytes.writeUInt16LE(number, at))
  const u32 = (number: number, at: number): number => (isBigEndian === true ? bytes.writeUInt32BE(number, at) : bytes.writeUInt32LE(number, at))
  u16(parseInt(tag.slice(0, 4), 16), 0)
  u16(parseInt(tag.slice(4), 16), 2)
  if (isImplicit !== true && vr !== '') bytes.write(vr, 4, 'latin1')
  if (hasLongLength) u32(length, bytes.length - 4)
  else u16(length, 6)
  return bytes
}

function valueBytes(vr: string, value: Exclude<Value, Encapsulated>, encoding: Encoding): Buffer {
  if (vr === 'SQ') {
    const items = (value as readonly Item[]).map((item) => encode(item, encoding))
    return Buffer.concat(items.flatMap((bytes) => [header('fffee000', '', bytes.length, encoding), bytes]))
  }
  if (typeof value === 'string') {
    const bytes = Buffer.from(value, 'latin1')
    return bytes.length % 2 === 0 ? bytes : Buffer.concat([bytes, Buffer.from(vr === 'UI' ? '\0' : ' ')])
  }
  const size = NUMBER_BYTES[vr] ?? 2
  const bytes = Buffer.alloc(value.length * size + ((value.length * size) % 2))
  for (const [index, number] of (value as readonly number[]).entries()) writeNumber(bytes, index * size, size, vr, number)
  if (encoding.isBigEndian === true && size === 2) bytes.swap16()
  if (encoding.isBigEndian === true && size === 4) bytes.swap32()
  if (encoding.isBigEndian === true && size === 8) bytes.swap64()
  return bytes
}

function writeNumber(bytes: Buffer, at: number, size: number, vr: string, number: number): void {
  if (vr === 'FL') bytes.writeFloatLE(number, at)
  else if (vr === 'FD') bytes.writeDoubleLE(number, at)
  else if (number < 0) bytes.writeIntLE(number, at, size)
  else bytes.writeUIntLE(number, at, size)
}

function fragments({ fragments: all }: Encapsulated, encoding: Encoding): Buffer[] {
  return [Buffer.alloc(0), ...all].flatMap((bytes) => [header('fffee000', '', bytes.length, encoding), bytes]).concat(header('fffee0dd', '', 0, encoding))
}

/** A file with preamble and file meta information (PS3.10 7.1). */
export function part10(elements: Item, encoding: Encoding): Buffer {
  const valueOf = (tag: string): Value => elements.find(([name]) => name === tag)?.[2] ?? ''
  const group2 = encode(
    [
      ['00020001', 'OB', [0, 1]],
      ['00020002', 'UI', valueOf('00080016')],
      ['00020003', 'UI', valueOf('00080018')],
      ['00020010', 'UI', encoding.uid],
      ['00020012', 'UI', '2.25.59'],
    ],
    ENCODINGS.explicit,
  )
  const length = encode([['00020000', 'UL', [group2.length]]], ENCODINGS.explicit)
  const dataSet = encode(elements, encoding)
  return Buffer.concat([Buffer.alloc(128), Buffer.from('DICM'), length, group2, encoding.isDeflated === true ? deflate(dataSet) : dataSet])
}

/** PS3.5 A.5: a data set of odd length gets a zero byte. */
function deflate(dataSet: Buffer): Buffer {
  const bytes = deflateRawSync(dataSet)
  return bytes.length % 2 === 0 ? bytes : Buffer.concat([bytes, Buffer.alloc(1)])
}
