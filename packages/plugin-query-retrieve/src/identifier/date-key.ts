import type { IndexedAttribute } from '../model/attributes.ts'
import type { Matching } from '../model/query.ts'
import { parseDate, parseDateTime, parseTime, type Span } from '../text/date-time.ts'
import { violation } from './violation.ts'

/** Two DT of 26 characters, and some spaces. */
const MAXIMUM_CHARACTERS = 64

type Parse = (text: string) => Span | undefined

const PARSERS: Readonly<Record<string, Parse>> = {
  DA: (text) => {
    const date = parseDate(text)
    return date === undefined ? undefined : { from: date, to: date }
  },
  TM: parseTime,
  DT: parseDateTime,
}

/**
 * A key on a date or time: one value, or a range with `-` (PS3.4 C.2.2.2.1.3, C.2.2.2.5). A value is as precise as it
 * was given: `1030` is the minute, and so is the end of `0900-1030`.
 *
 * Whether a range runs backwards is not looked at: that of a time may, when it is part of a combined one.
 */
export function matchingOfDate(attribute: IndexedAttribute, text: string): Matching {
  const { name, tag, vr } = attribute
  const parse = PARSERS[vr] as Parse
  const trimmed = text.trim()
  if (trimmed.length > MAXIMUM_CHARACTERS) throw violation(`Not a ${NOUNS[vr]} or range: ${name}`, tag)
  if (!trimmed.includes('-')) {
    const span = parse(trimmed)
    if (span === undefined) throw violation(`Not a ${NOUNS[vr]}: ${name}`, tag)
    return asMatching(span)
  }
  const range = vr === 'DT' ? dateTimeRange(trimmed) : rangeAt(trimmed, trimmed.indexOf('-'), parse)
  if (range === undefined) throw violation(`Not a ${NOUNS[vr]} or range: ${name}`, tag)
  return range
}

const NOUNS: Readonly<Record<string, string>> = { DA: 'date', TM: 'time', DT: 'date-time' }

function asMatching({ from, to }: Span): Matching {
  return from === to ? { kind: 'single', value: from } : { kind: 'range', from, to }
}

function rangeAt(text: string, at: number, parse: Parse): (Matching & { kind: 'range' }) | undefined {
  const [before, after] = [text.slice(0, at).trim(), text.slice(at + 1).trim()]
  const from = before === '' ? undefined : parse(before)
  const to = after === '' ? undefined : parse(after)
  if ((before !== '' && from === undefined) || (after !== '' && to === undefined) || (before === '' && after === '')) return undefined
  return { kind: 'range', from: from?.from, to: to?.to }
}

/**
 * In a DT the `-` may also stand before an offset from UTC. A key that can be read as a range that does not run
 * backwards is one (PS3.4 C.2.2.2.1.3 note 3); else a value with a negative offset is taken for that.
 */
function dateTimeRange(text: string): Matching | undefined {
  let backwards: Matching | undefined
  for (let at = text.indexOf('-'); at !== -1; at = text.indexOf('-', at + 1)) {
    const range = rangeAt(text, at, parseDateTime)
    if (range === undefined) continue
    if (range.from === undefined || range.to === undefined || range.from.slice(0, 21) <= range.to.slice(0, 21)) return range
    backwards = range
  }
  const span = parseDateTime(text)
  return span === undefined ? backwards : asMatching(span)
}

/** @throws StatusError A900 for a range that ends before it begins (PS3.4 C.2.2.2.5.1 to C.2.2.2.5.3) */
export function checkOrder({ name, tag, vr }: IndexedAttribute, matching: Matching): void {
  if (matching.kind !== 'range' || matching.from === undefined || matching.to === undefined) return
  // Two offsets of a DT may be a day apart.
  const [from, to] = vr === 'DT' ? [matching.from.slice(0, 21), matching.to.slice(0, 21)] : [matching.from, matching.to]
  const hasOffsets = vr === 'DT' && (matching.from.length > 21 || matching.to.length > 21)
  if (from > to && !hasOffsets) throw violation(`Range runs backwards: ${name}`, tag)
}
