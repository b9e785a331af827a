import type { FindNegotiation } from '@dicomtap/framework'
import type { IndexedAttribute } from '../model/attributes.ts'
import type { Matching } from '../model/query.ts'
import { columnText } from '../text/bounded.ts'
import { normalizeValue, NUMBER_VRS, WILDCARD_VRS } from '../text/values.ts'
import { matchingOfDate } from './date-key.ts'
import { MAXIMUM_VALUES, checkedPattern, hasWildcard, isAnything, textsOfKey } from './key-texts.ts'
import { matchingOfName } from './name-key.ts'
import { violation } from './violation.ts'

/** VRs of PS3.4 C.2.2.2.8. */
const MULTIPLE_VALUE_VRS: ReadonlySet<string> = new Set(['AE', 'AS', 'AT', 'CS', 'LO', 'PN', 'SH', 'UC'])

/**
 * What several values mean when nothing was negotiated is not defined (PS3.4 C.2.2.2.8 note 4). Viewers ask for
 * `CT\MR` and want studies or series of any of these, so here it is a list; in other attributes it is refused.
 */
const LISTS: ReadonlySet<string> = new Set(['ModalitiesInStudy', 'Modality'])

const EMPTY = '""'

/**
 * How a key that is no sequence is matched (PS3.4 C.2.2.2).
 * @throws StatusError A900 when its value is none of its VR, or has wildcards or several values where there are none
 */
export function matchingOf(attribute: IndexedAttribute, value: unknown, negotiated: FindNegotiation): Matching {
  const values = attribute.vr === 'PN' ? namesOf(attribute, value) : textsOfKey(attribute, value)
  if (values.length === 0) return { kind: 'universal' }
  if (values.length === 1) return matchingOfOne(attribute, values[0], negotiated)
  const { name, tag, vr } = attribute
  if (vr === 'UI') return { kind: 'list', values: [...new Set(values.map((uid) => uidOf(attribute, uid as string)))] }
  const isAll = negotiated.multipleValueMatching && MULTIPLE_VALUE_VRS.has(vr) && name !== 'Modality'
  if (!isAll && !LISTS.has(name)) throw violation(`Several values: ${name}`, tag)
  const each = values.map((one) => matchingOfOne(attribute, one, { ...negotiated, emptyValueMatching: false, fuzzySemanticMatching: false }))
  if (each.some((one) => hasWildcardInside(one))) throw violation(`Wildcard among several values: ${name}`, tag)
  if (isAll) return { kind: 'all', each }
  return { kind: 'list', values: [...new Set(each.map((one) => (one as Matching & { kind: 'single' }).value))] }
}

function hasWildcardInside(matching: Matching): boolean {
  if (matching.kind === 'name') return [matching.any, matching.alphabetic, matching.ideographic, matching.phonetic].some((pattern) => hasWildcard(pattern ?? ''))
  return matching.kind !== 'single'
}

/** Names without any group are no values. */
function namesOf({ name: keyword, tag }: IndexedAttribute, value: unknown): readonly unknown[] {
  const names: readonly unknown[] = Array.isArray(value) ? value : [value]
  if (names.length > MAXIMUM_VALUES) throw violation(`Too many values: ${keyword}`, tag)
  return names.filter((name) => (typeof name === 'object' && name !== null ? Object.values(name as object).some((group) => group !== '') : typeof name === 'string' && name.trim() !== ''))
}

function matchingOfOne(attribute: IndexedAttribute, value: unknown, negotiated: FindNegotiation): Matching {
  const { name, tag, vr } = attribute
  if (vr === 'PN') {
    if (negotiated.emptyValueMatching && isEmptyName(value)) return { kind: 'empty' }
    return matchingOfName(attribute, value, negotiated.fuzzySemanticMatching)
  }
  const text = value as string
  // Not only where wildcards are defined: SCUs send an asterisk in any key to have its value returned.
  if (isAnything(text)) return { kind: 'universal' }
  if (negotiated.emptyValueMatching && text.trim() === EMPTY) return { kind: 'empty' }
  if (WILDCARD_VRS.has(vr)) return matchingOfText(attribute, text)
  if (hasWildcard(text)) throw violation(`No wildcards in ${vr}: ${name}`, tag)
  if (vr === 'UI') return { kind: 'single', value: uidOf(attribute, text) }
  if (vr === 'DA' || vr === 'TM' || vr === 'DT') return matchingOfDate(attribute, text)
  const normalized = normalizeValue(vr, text)
  if ((NUMBER_VRS.has(vr) || vr === 'xs') && !isNumber(normalized)) throw violation(`Not a number: ${name}`, tag)
  return { kind: 'single', value: comparable(attribute, normalized) }
}

function matchingOfText(attribute: IndexedAttribute, text: string): Matching {
  const normalized = normalizeValue(attribute.vr, text)
  if (!hasWildcard(normalized)) return { kind: 'single', value: comparable(attribute, normalized) }
  return { kind: 'wildcard', pattern: checkedPattern(attribute, normalized) }
}

/** As the database holds it, when it does. */
function comparable({ column, isIndexed }: IndexedAttribute, value: string): string {
  return column !== undefined || isIndexed ? columnText(value) : value
}

function isEmptyName(value: unknown): boolean {
  const text = typeof value === 'object' && value !== null ? (value as { Alphabetic?: unknown }).Alphabetic : value
  return typeof text === 'string' && text.trim() === EMPTY
}

const NUMBER = /^-?[0-9.]+(?:e[+-]?[0-9]+)?$/

function isNumber(text: string): boolean {
  return NUMBER.test(text)
}

const UID = /^[0-9.]{1,64}$/

function uidOf({ name, tag }: IndexedAttribute, text: string): string {
  // Most are in order, and there may be very many.
  if (UID.test(text)) return text
  const uid = normalizeValue('UI', text)
  if (hasWildcard(uid)) throw violation(`No wildcards in UI: ${name}`, tag)
  if (!UID.test(uid)) throw violation(`Not a UID: ${name}`, tag)
  return uid
}
