import { ITEM, SEQUENCE_DELIMITATION, UNDEFINED_LENGTH } from './element-reader.ts'

const LONG_VRS: ReadonlySet<string> = new Set(['OB', 'OV', 'OW', 'SQ', 'UN'])
const NULL_PADDED: ReadonlySet<string> = new Set(['UI', 'OB', 'OV', 'OW', 'UL', 'FD', 'US', 'AT'])

/** An element in little endian; values of an odd length are padded. */
export function encodeElement(tag: number, vr: string, value: Buffer | string, explicitVr: boolean): Buffer {
  const bytes = typeof value === 'string' ? Buffer.from(value, 'latin1') : value
  const padding = (bytes.length & 1) === 0 ? [] : [Buffer.from([NULL_PADDED.has(vr) ? 0x00 : 0x20])]
  return Buffer.concat([encodeHeader(tag, vr, bytes.length + padding.length, explicitVr), bytes, ...padding])
}

/** What is too long for a length of 16 bits is UN (PS3.5 6.2.2). */
export function encodeHeader(tag: number, vr: string, length: number, explicitVr: boolean): Buffer {
  if (!explicitVr) return encodeItemHeader(tag, length)
  const written = !LONG_VRS.has(vr) && length > 0xfffe ? 'UN' : vr
  const isLong = LONG_VRS.has(written)
  const header = Buffer.alloc(isLong ? 12 : 8)
  header.writeUInt16LE(tag >>> 16, 0)
  header.writeUInt16LE(tag & 0xffff, 2)
  header.write(written, 4, 'latin1')
  if (isLong) header.writeUInt32LE(length, 8)
  else header.writeUInt16LE(length, 6)
  return header
}

/** Of an item, a delimitation item, or an element in Implicit VR. */
export function encodeItemHeader(tag: number, length: number): Buffer {
  const header = Buffer.alloc(8)
  header.writeUInt16LE(tag >>> 16, 0)
  header.writeUInt16LE(tag & 0xffff, 2)
  header.writeUInt32LE(length, 4)
  return header
}

export function encodeItem(elements: readonly Buffer[]): Buffer {
  const content = Buffer.concat(elements)
  return Buffer.concat([encodeItemHeader(ITEM, content.length), content])
}

/** @param vr SQ, or UN as it stood there */
export function sequenceStart(tag: number, vr: string, explicitVr: boolean): Buffer {
  return encodeHeader(tag, vr, UNDEFINED_LENGTH, explicitVr)
}

export function sequenceEnd(): Buffer {
  return encodeItemHeader(SEQUENCE_DELIMITATION, 0)
}

export function uint32s(numbers: readonly number[]): Buffer {
  const bytes = Buffer.alloc(numbers.length * 4)
  numbers.forEach((number, index) => bytes.writeUInt32LE(number, index * 4))
  return bytes
}

export function uint16s(numbers: readonly number[]): Buffer {
  const bytes = Buffer.alloc(numbers.length * 2)
  numbers.forEach((number, index) => bytes.writeUInt16LE(number, index * 2))
  return bytes
}

export function float64s(numbers: readonly number[]): Buffer {
  const bytes = Buffer.alloc(numbers.length * 8)
  numbers.forEach((number, index) => bytes.writeDoubleLE(number, index * 8))
  return bytes
}

/** A Decimal String: sixteen characters at most (PS3.5 table 6.2-1). */
export function decimalString(number: number): string {
  const rounded = String(Number(number.toFixed(6)))
  if (rounded.length <= 16) return rounded
  for (let digits = 15; ; digits--) {
    const text = number.toPrecision(digits)
    if (text.length <= 16) return text
  }
}
