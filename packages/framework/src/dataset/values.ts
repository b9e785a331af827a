import { decodeText, decodeTextInPieces, isReset } from './character-sets.ts'
import type { CharacterSet, Delimiters } from './character-sets.ts'
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

/** Values between two pauses, and bytes that are only copied. */
const PIECE_VALUES = 4_096
const PIECE_BYTES = 1_048_576

/** As {@link decodeValues}, for elements with many values: it yields every few thousand of them. */
export function* decodeInPieces(
  vr: string,
  bytes: Buffer,
  bigEndian: boolean,
  characterSet: CharacterSet,
): Generator<void, readonly unknown[], void> {
  switch (VRS[vr]?.kind) {
    case 'text':
    case 'numeric-text':
    case 'name':
      return yield* decodeManyTexts(vr, bytes, characterSet)
    case 'integer':
    case 'float':
    case 'tag': {
      const values: unknown[] = []
      const pieceBytes = PIECE_VALUES * 8
      for (let at = 0; at < bytes.length; at += pieceBytes) {
        for (const value of decodeNumbers(vr, bytes.subarray(at, at + pieceBytes), bigEndian)) values.push(value)
        yield
      }
      return values
    }
    default: {
      const copy = new Uint8Array(bytes.length)
      for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
        copy.set(bytes.subarray(at, at + PIECE_BYTES), at)
        if (bigEndian) swapUnits(copy.subarray(at, at + PIECE_BYTES), VRS[vr]?.unitBytes ?? 1)
        yield
      }
      return [copy.buffer]
    }
  }
}

function* decodeManyTexts(vr: string, bytes: Buffer, characterSet: CharacterSet): Generator<void, unknown[], void> {
  const { kind } = VRS[vr] ?? {}
  const decoded = ENCODED_TEXT.has(vr) ? yield* decodeTextInPieces(bytes, characterSet, delimitersOf(vr)) : bytes.toString('latin1')
  if (SINGLE_TEXT.has(vr)) return valuesOf(trimmerOf(vr)(decoded))
  const text = kind === 'name' ? trimBoth(decoded) : decoded
  if (text === '') return []
  const read: (value: string) => unknown = kind === 'name' ? parsePersonName : kind === 'numeric-text' ? (value) => toNumber(trimBoth(value)) : trimmerOf(vr)
  const values: unknown[] = []
  for (let start = 0; ; ) {
    const end = text.indexOf('\\', start)
    values.push(read(text.slice(start, end === -1 ? undefined : end)))
    if (end === -1) return values
    start = end + 1
    if (values.length % PIECE_VALUES === 0) yield
  }
}

/**
 * How many values {@link decodeValues} will make: counted before they take memory and time. Infinity for text
 * that switches repertoires so often, or for so long, that it holds everybody up.
 */
export function countValues(vr: string, bytes: Buffer): number {
  const { kind, unitBytes } = VRS[vr] ?? { kind: 'bytes', unitBytes: 1 }
  if (kind === 'integer' || kind === 'float' || kind === 'tag') return Math.ceil(bytes.length / unitBytes)
  if (kind === 'bytes') return 1
  if (ENCODED_TEXT.has(vr) && bytes.includes(ESCAPE)) {
    if (bytes.length > MAXIMUM_SWITCHING_BYTES) return Number.POSITIVE_INFINITY
    const switches = countWhere(bytes, (byte) => byte === ESCAPE || isReset(byte, '\\^='))
    return switches > MAXIMUM_SWITCHES ? Number.POSITIVE_INFINITY : 1 + switches
  }
  return SINGLE_TEXT.has(vr) ? 1 : 1 + countWhere(bytes, (byte) => byte === BACKSLASH)
}

const BACKSLASH = 0x5c
const ESCAPE = 0x1b
/** Escape sequences, and what makes them void, in one text: each costs as much as some hundred characters. */
const MAXIMUM_SWITCHES = 20_000
const MAXIMUM_SWITCHING_BYTES = 1_048_576

function countWhere(bytes: Buffer, matches: (byte: number) => boolean): number {
  let count = 0
  for (let at = 0; at < bytes.length; at++) if (matches(bytes[at] as number)) count++
  return count
}

function decodeTexts(vr: string, bytes: Buffer, characterSet: CharacterSet): string[] {
  const isSingle = SINGLE_TEXT.has(vr)
  const text = wholeText(vr, bytes, characterSet)
  const trim = trimmerOf(vr)
  if (!isSingle && text.includes('\\')) return text.split('\\').map(trim)
  return valuesOf(trim(text))
}

function valuesOf(text: string): string[] {
  return text === '' ? [] : [text]
}

function wholeText(vr: string, bytes: Buffer, characterSet: CharacterSet): string {
  return ENCODED_TEXT.has(vr) ? decodeText(bytes, characterSet, delimitersOf(vr)) : bytes.toString('latin1')
}

function delimitersOf(vr: string): Delimiters {
  if (vr === 'PN') return '\\^='
  return SINGLE_TEXT.has(vr) ? '' : '\\'
}

function trimmerOf(vr: string): (text: string) => string {
  return KEEPS_LEADING_SPACES.has(vr) ? trimEnd : trimBoth
}

function decodeNames(bytes: Buffer, characterSet: CharacterSet): PersonName[] {
  const text = trimBoth(wholeText('PN', bytes, characterSet))
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
export function swapUnits(bytes: Uint8Array, unitBytes: 1 | 2 | 4 | 8): void {
  if (unitBytes === 1) return
  const units = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length - (bytes.length % unitBytes))
  if (unitBytes === 2) units.swap16()
  else if (unitBytes === 4) units.swap32()
  else units.swap64()
}
