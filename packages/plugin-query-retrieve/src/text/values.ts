import { boundText } from './bounded.ts'
import { parseDate, parseDateTime, parseTime } from './date-time.ts'

/** VRs that may have wildcards in a key (PS3.4 C.2.2.2.4). */
export const WILDCARD_VRS: ReadonlySet<string> = new Set(['AE', 'CS', 'LO', 'LT', 'PN', 'SH', 'ST', 'UC', 'UR', 'UT'])

/** VRs whose values are numbers in a data set. */
export const NUMBER_VRS: ReadonlySet<string> = new Set(['IS', 'DS', 'US', 'SS', 'UL', 'SL', 'FL', 'FD', 'SV', 'UV'])

/** VRs that have no value to compare. */
export const BULK_VRS: ReadonlySet<string> = new Set(['OB', 'OD', 'OF', 'OL', 'OV', 'OW', 'UN', 'ox', 'lt'])

/** VRs in which spaces at the beginning mean something (PS3.5 6.2). */
const KEEPS_LEADING_SPACES: ReadonlySet<string> = new Set(['LT', 'ST', 'UC', 'UT'])

/**
 * One value of a data set as it is compared, for rows and queries alike; `''` for none. Not for names, which
 * `foldName` is for, and sequences.
 *
 * DA is `YYYYMMDD`, TM `HHMMSS.FFFFFF`, DT `YYYYMMDDHHMMSS.FFFFFF` with its offset, what was left out being zero;
 * one that is malformed is none. Numbers have no signs and zeros that mean nothing. Text loses its padding, keeps
 * its case (PS3.4 C.2.2.2.1), and composed and decomposed letters are the same. AT is eight hexadecimal digits.
 */
export function normalizeValue(vr: string, value: unknown): string {
  if (value === null || value === undefined) return ''
  switch (vr) {
    case 'DA':
      return parseDate(textOf(value)) ?? ''
    case 'TM':
      return parseTime(textOf(value))?.from ?? ''
    case 'DT':
      return parseDateTime(textOf(value))?.from ?? ''
    case 'AT':
      return typeof value === 'number' ? value.toString(16).toUpperCase().padStart(8, '0') : textOf(value).replaceAll(/[(),]/g, '').toUpperCase()
    case 'xs':
      return numberText(value)
    default:
      if (NUMBER_VRS.has(vr)) return numberText(value)
      return KEEPS_LEADING_SPACES.has(vr) ? trimmedEnd(rawText(value)).normalize('NFC') : textOf(value).normalize('NFC')
  }
}

/** All values of an attribute that are not empty, normalized. */
export function normalizedValues(vr: string, value: unknown): readonly string[] {
  const values: readonly unknown[] = Array.isArray(value) ? value : [value]
  return values.map((one) => normalizeValue(vr, one)).filter((text) => text !== '')
}

const DECIMAL = /^[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$/

/** `1`, `01` and `+1.0` are the same number; text that is none stays as it is. */
function numberText(value: unknown): string {
  const text = textOf(value)
  if (!DECIMAL.test(text)) return text
  const number = Number(text)
  if (Number.isInteger(number) && !Number.isSafeInteger(number) && /^[+-]?\d+$/.test(text)) return String(BigInt(text))
  return String(number === 0 ? 0 : number)
}

function rawText(value: unknown): string {
  if (typeof value === 'string') return boundText(value)
  if (typeof value === 'number' || typeof value === 'bigint' || value instanceof String) return boundText(String(value))
  return ''
}

const PADDING = new Set([' ', '\0'])

/** Without the padding of PS3.5 6.2 on both sides. */
export function textOf(value: unknown): string {
  const text = trimmedEnd(rawText(value))
  let start = 0
  while (PADDING.has(text[start] ?? '')) start++
  return start === 0 ? text : text.slice(start)
}

/** Linear, unlike a regular expression. */
function trimmedEnd(text: string): string {
  let end = text.length
  while (end > 0 && PADDING.has(text[end - 1] ?? '')) end--
  return end === text.length ? text : text.slice(0, end)
}
