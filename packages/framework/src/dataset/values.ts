import { decodeText, isReset } from './character-sets.ts'
import type { CharacterSet } from './character-sets.ts'
import { VRS } from './vr.ts'

/** A person name in its component groups (PS3.5 6.2.1). */
export interface PersonName {
  Alphabetic?: string
  Ideographic?: string
  Phonetic?: string
}

/** VRs whose text is in the data set's character set (PS3.5 6.1.2.3). */
export const ENCODED_TEXT: ReadonlySet<string> = new Set(['LO', 'LT', 'PN', 'SH', 'ST', 'UC', 'UT'])

/** VRs with one value, in which a backslash is a character like others (PS3.5 6.2). */
export const SINGLE_TEXT: ReadonlySet<string> = new Set(['LT', 'ST', 'UR', 'UT'])

/** VRs in which leading spaces mean something. */
const KEEPS_LEADING_SPACES: ReadonlySet<string> = new Set(['LT', 'ST', 'UC', 'UT'])

/**
 * The values of an element. Numbers, and text that stands for numbers, become numbers; text that is none
 * stays text. SV and UV become bigint, AT the tag as a number, bytes an ArrayBuffer in little endian order.
 */
export function decodeValues(
  vr: string,
  bytes: Buffer,
  bigEndian: boolean,
  characterSet: CharacterSet,
): readonly unknown[] {
  if (bytes.length === 0) return []
  switch (VRS[vr]?.kind) {
    case 'text':
      return decodeTexts(vr, bytes, characterSet)
    case 'numeric-text':
      return decodeTexts(vr, bytes, characterSet).map(toNumber)
    case 'name':
      return decodeNames(bytes, characterSet)
    case 'integer':
    case 'float':
    case 'tag':
      return decodeNumbers(vr, bytes, bigEndian)
    default:
      return [toArrayBuffer(vr, bytes, bigEndian)]
  }
}

/**
 * How many values {@link decodeValues} will make: counted before they take memory and time. Text that
 * switches repertoires costs as much per switch as several values.
 */
export function countValues(vr: string, bytes: Buffer): number {
  const { kind, unitBytes } = VRS[vr] ?? { kind: 'bytes', unitBytes: 1 }
  if (kind === 'integer' || kind === 'float' || kind === 'tag') return Math.ceil(bytes.length / unitBytes)
  if (kind === 'bytes') return 1
  if (ENCODED_TEXT.has(vr) && bytes.includes(ESCAPE)) {
    return 1 + COST_OF_SWITCH * countWhere(bytes, (byte) => byte === ESCAPE || isReset(byte, '\\^='))
  }
  return SINGLE_TEXT.has(vr) ? 1 : 1 + countWhere(bytes, (byte) => byte === BACKSLASH)
}

const BACKSLASH = 0x5c
const ESCAPE = 0x1b
const COST_OF_SWITCH = 4

function countWhere(bytes: Buffer, matches: (byte: number) => boolean): number {
  let count = 0
  for (let at = 0; at < bytes.length; at++) if (matches(bytes[at] as number)) count++
  return count
}

function decodeTexts(vr: string, bytes: Buffer, characterSet: CharacterSet): string[] {
  const isSingle = SINGLE_TEXT.has(vr)
  const text = ENCODED_TEXT.has(vr) ? decodeText(bytes, characterSet, isSingle ? '' : '\\') : bytes.toString('latin1')
  const trim = KEEPS_LEADING_SPACES.has(vr) ? trimEnd : trimBoth
  if (!isSingle && text.includes('\\')) return text.split('\\').map(trim)
  const value = trim(text)
  return value === '' ? [] : [value]
}

function decodeNames(bytes: Buffer, characterSet: CharacterSet): PersonName[] {
  const text = trimBoth(decodeText(bytes, characterSet, '\\^='))
  return text === '' ? [] : text.split('\\').map(parsePersonName)
}

/** `Alphabetic=Ideographic=Phonetic`; absent groups are left out. */
function parsePersonName(text: string): PersonName {
  const [alphabetic = '', ideographic = '', phonetic = ''] = text.split('=', 3).map(trimBoth)
  const name: PersonName = {}
  if (alphabetic !== '') name.Alphabetic = alphabetic
  if (ideographic !== '') name.Ideographic = ideographic
  if (phonetic !== '') name.Phonetic = phonetic
  return name
}

function isPadding(code: number): boolean {
  return code === 0x20 || code === 0x00
}

/** Without spaces and NULs at the end. Linear, unlike a regular expression. */
export function trimEnd(text: string): string {
  let end = text.length
  while (end > 0 && isPadding(text.charCodeAt(end - 1))) end--
  return text.slice(0, end)
}

/** Without spaces and NULs on both sides. */
export function trimBoth(text: string): string {
  const trimmed = trimEnd(text)
  let start = 0
  while (isPadding(trimmed.charCodeAt(start))) start++
  return trimmed.slice(start)
}

const DECIMAL = /^[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$/

function toNumber(text: string): number | string | null {
  if (text === '') return null
  return DECIMAL.test(text) ? Number(text) : text
}

/** Bytes that do not make up a whole number at the end are left out. */
function decodeNumbers(vr: string, bytes: Buffer, bigEndian: boolean): (number | bigint)[] {
  const width = vr === 'AT' ? 4 : (VRS[vr]?.unitBytes ?? 1)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const values: (number | bigint)[] = []
  for (let at = 0; at + width <= bytes.length; at += width) values.push(decodeNumber(vr, view, at, !bigEndian))
  return values
}

function decodeNumber(vr: string, view: DataView, at: number, littleEndian: boolean): number | bigint {
  switch (vr) {
    case 'US':
      return view.getUint16(at, littleEndian)
    case 'SS':
      return view.getInt16(at, littleEndian)
    case 'UL':
      return view.getUint32(at, littleEndian)
    case 'SL':
      return view.getInt32(at, littleEndian)
    case 'FL':
      return view.getFloat32(at, littleEndian)
    case 'FD':
      return view.getFloat64(at, littleEndian)
    case 'SV':
      return view.getBigInt64(at, littleEndian)
    case 'UV':
      return view.getBigUint64(at, littleEndian)
    default:
      return view.getUint16(at, littleEndian) * 0x10000 + view.getUint16(at + 2, littleEndian)
  }
}

function toArrayBuffer(vr: string, bytes: Buffer, bigEndian: boolean): ArrayBuffer {
  const copy = new Uint8Array(bytes)
  if (bigEndian) swapUnits(copy, VRS[vr]?.unitBytes ?? 1)
  return copy.buffer
}

/** Reverses the byte order of each unit, in place; an incomplete unit at the end stays. */
export function swapUnits(bytes: Uint8Array, unitBytes: number): void {
  if (unitBytes === 1) return
  for (let at = 0; at + unitBytes <= bytes.length; at += unitBytes) bytes.subarray(at, at + unitBytes).reverse()
}
