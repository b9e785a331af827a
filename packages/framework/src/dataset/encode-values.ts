import { DicomtapError } from '../errors/index.ts'
import { encodeText } from './character-encoder.ts'
import type { CharacterSet } from './character-sets.ts'
import { ENCODED_TEXT, SINGLE_TEXT, swapUnits } from './values.ts'
import type { PersonName } from './values.ts'
import { VRS, tagText } from './vr.ts'

/** Text that the declared character set has no code for. */
export class UnencodableText extends Error {}

/** The value field of an element, not padded yet. */
export function encodeValues(
  tag: number,
  vr: string,
  values: readonly unknown[],
  characterSet: CharacterSet,
  bigEndian: boolean,
): Uint8Array {
  if (values.length === 0) return EMPTY
  switch (VRS[vr]?.kind) {
    case 'text':
    case 'numeric-text':
    case 'name': {
      const isSingle = SINGLE_TEXT.has(vr)
      if (isSingle && values.length > 1) throw wrong(tag, vr, 'has more than one value')
      const text = values.map((value) => textOf(tag, vr, value)).join('\\')
      if (!ENCODED_TEXT.has(vr)) return encodeDefault(tag, vr, text)
      const encoded = encodeText(text, characterSet, vr === 'PN' ? '\\^=' : isSingle ? '' : '\\')
      if (encoded === undefined) throw new UnencodableText()
      return encoded
    }
    case 'integer':
    case 'float':
    case 'tag':
      return encodeNumbers(tag, vr, values, bigEndian)
    default: {
      const bytes = toBytes(values[0])
      if (bytes === undefined) throw wrong(tag, vr, 'is not bytes')
      const unitBytes = VRS[vr]?.unitBytes ?? 1
      if (!bigEndian || unitBytes === 1) return bytes
      const swapped = new Uint8Array(bytes)
      swapUnits(swapped, unitBytes)
      return swapped
    }
  }
}

const EMPTY = new Uint8Array(0)

/** VRs of the default repertoire keep what Latin-1 can say, so that a decoded data set can be written again. */
function encodeDefault(tag: number, vr: string, text: string): Buffer {
  for (let index = 0; index < text.length; index++) {
    if (text.charCodeAt(index) > 0xff) throw wrong(tag, vr, 'has a character outside the default repertoire')
  }
  return Buffer.from(text, 'latin1')
}

/** An ArrayBuffer, a view or a Buffer as bytes; undefined for anything else. */
export function toBytes(value: unknown): Uint8Array | undefined {
  if (value instanceof Uint8Array) return value
  if (value instanceof ArrayBuffer || value instanceof SharedArrayBuffer) return new Uint8Array(value)
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
  return undefined
}

function textOf(tag: number, vr: string, value: unknown): string {
  if (value === null || value === undefined) return ''
  if (typeof value === 'string') return value
  if (value instanceof String) return value.valueOf()
  if (typeof value === 'number' || typeof value === 'bigint') {
    if (vr === 'DS') return decimalString(tag, Number(value))
    if (vr === 'IS') return integerString(tag, Number(value))
    return String(value)
  }
  if (vr === 'PN' && typeof value === 'object') return nameText(value)
  throw wrong(tag, vr, 'is not text')
}

function nameText({ Alphabetic = '', Ideographic = '', Phonetic = '' }: PersonName): string {
  return `${Alphabetic}=${Ideographic}=${Phonetic}`.replace(/=+$/, '')
}

const MAXIMUM_DECIMAL_STRING = 16

/** The most precise decimal of at most 16 characters (PS3.5 6.2). */
function decimalString(tag: number, value: number): string {
  if (!Number.isFinite(value)) throw wrong(tag, 'DS', 'is not a finite number')
  let text = String(value)
  for (let digits = 16; text.length > MAXIMUM_DECIMAL_STRING; digits--) text = shortest(value.toPrecision(digits))
  return text
}

function shortest(text: string): string {
  const [mantissa = '', exponent] = text.split('e')
  const trimmed = mantissa.includes('.') ? mantissa.replace(/\.?0+$/, '') : mantissa
  return exponent === undefined ? trimmed : `${trimmed}e${exponent.replace('+', '')}`
}

function integerString(tag: number, value: number): string {
  if ((value | 0) !== value) throw wrong(tag, 'IS', 'is no 32-bit integer')
  return String(value)
}

const RANGES: Readonly<Record<string, readonly [bigint, bigint]>> = {
  US: [0n, 0xffffn],
  SS: [-0x8000n, 0x7fffn],
  UL: [0n, 0xffffffffn],
  SL: [-0x80000000n, 0x7fffffffn],
  UV: [0n, 0xffffffffffffffffn],
  SV: [-0x8000000000000000n, 0x7fffffffffffffffn],
}

function encodeNumbers(tag: number, vr: string, values: readonly unknown[], bigEndian: boolean): Uint8Array {
  const width = vr === 'AT' ? 4 : (VRS[vr]?.unitBytes ?? 1)
  const bytes = new Uint8Array(values.length * width)
  const view = new DataView(bytes.buffer)
  values.forEach((value, index) => encodeNumber(tag, vr, value, view, index * width, !bigEndian))
  return bytes
}

function encodeNumber(tag: number, vr: string, value: unknown, view: DataView, at: number, littleEndian: boolean): void {
  if (vr === 'FL') return view.setFloat32(at, floatOf(tag, vr, value), littleEndian)
  if (vr === 'FD') return view.setFloat64(at, floatOf(tag, vr, value), littleEndian)
  if (vr === 'AT') {
    const referenced = typeof value === 'string' ? Number.parseInt(value.replace(/[(),]/g, ''), 16) : Number(value)
    if (!(referenced >= 0 && referenced <= 0xffffffff)) throw wrong(tag, vr, 'is no tag')
    view.setUint16(at, referenced >>> 16, littleEndian)
    return view.setUint16(at + 2, referenced & 0xffff, littleEndian)
  }
  const integer = integerOf(tag, vr, value)
  switch (vr) {
    case 'US':
    case 'SS':
      return view.setUint16(at, Number(BigInt.asUintN(16, integer)), littleEndian)
    case 'UL':
    case 'SL':
      return view.setUint32(at, Number(BigInt.asUintN(32, integer)), littleEndian)
    default:
      return view.setBigUint64(at, BigInt.asUintN(64, integer), littleEndian)
  }
}

function floatOf(tag: number, vr: string, value: unknown): number {
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value
  if (typeof number !== 'number') throw wrong(tag, vr, 'is not a number')
  return number
}

function integerOf(tag: number, vr: string, value: unknown): bigint {
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value
  const isInteger = typeof number === 'bigint' || (typeof number === 'number' && Number.isInteger(number))
  const integer = isInteger ? BigInt(number) : undefined
  const [lowest, highest] = RANGES[vr] as readonly [bigint, bigint]
  if (integer === undefined || integer < lowest || integer > highest) throw wrong(tag, vr, 'is out of range')
  return integer
}

function wrong(tag: number, vr: string, what: string): DicomtapError {
  return new DicomtapError('DICOMTAP_ERR_DS_ENCODE', `The data set cannot be encoded: ${tagText(tag)} (${vr}) ${what}`)
}
