/**
 * Attribute matching of C-FIND (PS3.4 C.2.2.2), shared by the examples that answer queries: single values, lists of
 * UIDs, universal, wildcard, range and sequence matching.
 *
 * It does not do: fuzzy matching of names, time zones, empty value matching, a date and a time as one range (the worklist
 * does). A key with several values, which must be negotiated except for UIDs, matches when one of them does.
 */
import { loadDictionary } from '@dicomtap/framework'
import type { DataSet } from '@dicomtap/framework'

/** Which keys are supported: `true`, or for a sequence those of its item. */
export interface SupportedKeys {
  readonly [keyword: string]: true | SupportedKeys
}

export interface Matching {
  /** Does an entity match all keys? Keys it has no attribute for match only when they are universal. */
  matches(keys: DataSet, entity: DataSet): boolean
  /** What is sent for a match: the attributes that the keys ask for, empty where the entity has none. */
  response(keys: DataSet, entity: DataSet): DataSet
}

/** In an identifier without being keys. */
const NO_KEYS: ReadonlySet<string> = new Set(['SpecificCharacterSet', 'QueryRetrieveLevel', 'TimezoneOffsetFromUTC'])

/** The keys of a query that are supported, and whether that is all of them: else matches are sent with FF01. */
export function supportedKeys(query: DataSet, supported: SupportedKeys): { readonly keys: DataSet; readonly isAll: boolean } {
  const keys: DataSet = {}
  let isAll = true
  for (const [keyword, value] of Object.entries(query)) {
    // dcmjs keeps the VRs of unknown attributes under a name with an underscore.
    if (NO_KEYS.has(keyword) || keyword.startsWith('_')) continue
    const support = Object.hasOwn(supported, keyword) ? supported[keyword] : undefined
    if (support === undefined) {
      isAll = false
    } else if (support === true) {
      keys[keyword] = value
    } else {
      const item = supportedKeys(itemsOf(value)[0] ?? {}, support)
      keys[keyword] = [item.keys]
      isAll &&= item.isAll
    }
  }
  return { keys, isAll }
}

/** The values of an attribute as text; a person name with its groups behind `=`. */
export function textsOf(value: unknown): string[] {
  if (value === null || value === undefined || value === '') return []
  if (Array.isArray(value)) return value.flatMap(textsOf)
  if (typeof value !== 'object') return [String(value as string | number)]
  const { Alphabetic = '', Ideographic = '', Phonetic = '' } = value as Record<string, string>
  if (Phonetic !== '') return [`${Alphabetic}=${Ideographic}=${Phonetic}`]
  return [Ideographic === '' ? Alphabetic : `${Alphabetic}=${Ideographic}`]
}

export function itemsOf(value: unknown): DataSet[] {
  return Array.isArray(value) ? (value as DataSet[]) : []
}

export async function loadMatching(): Promise<Matching> {
  const { byName } = await loadDictionary()

  function matches(keys: DataSet, entity: DataSet): boolean {
    return Object.entries(keys).every(([keyword, key]) => {
      const vr = byName(keyword)?.vr
      if (vr !== 'SQ') return matchesValue(vr, textsOf(key), textsOf(entity[keyword]))
      const [item = {}] = itemsOf(key)
      return isUniversal(item) || itemsOf(entity[keyword]).some((one) => matches(item, one))
    })
  }

  function isUniversal(item: DataSet): boolean {
    return Object.entries(item).every(([keyword, key]) =>
      byName(keyword)?.vr === 'SQ' ? itemsOf(key).every(isUniversal) : textsOf(key).every((text) => text === '*'),
    )
  }

  function response(keys: DataSet, entity: DataSet): DataSet {
    return Object.fromEntries(
      Object.entries(keys).map(([keyword, key]) => {
        const value = entity[keyword]
        if (byName(keyword)?.vr !== 'SQ') return [keyword, value ?? null]
        const [item = {}] = itemsOf(key)
        // An empty item asks for whatever there is.
        return [keyword, itemsOf(value).map((one) => (Object.keys(item).length === 0 ? one : response(item, one)))]
      }),
    )
  }

  return { matches, response }
}

const RANGES: ReadonlySet<string | undefined> = new Set(['DA', 'TM', 'DT'])
/** VRs without wildcards (PS3.4 C.2.2.2.4), as far as they are text. */
const NO_WILDCARDS: ReadonlySet<string | undefined> = new Set(['AS', 'DS', 'IS', 'UI'])

/** More than any value of a key has: what is longer matches nothing, and costs nothing. */
const MAXIMUM_LENGTH = 1_024

function matchesValue(vr: string | undefined, keys: readonly string[], all: readonly string[]): boolean {
  if (keys.length === 0 || keys.includes('*')) return true
  const values = all.filter(({ length }) => length <= MAXIMUM_LENGTH)
  return keys.some((key) => {
    if (key.length > MAXIMUM_LENGTH) return false
    if (RANGES.has(vr)) return values.some((value) => isWithin(key, value))
    if (vr === 'PN') return values.some((value) => isNameLike(key, value))
    if (NO_WILDCARDS.has(vr)) return values.includes(key)
    return values.some((value) => isLike(key, value))
  })
}

/** Longer than any date and time: what is left out of a bound is the whole of it. */
const DIGITS = 24

/** Does a date, a time or both together match a value or a range (PS3.4 C.2.2.2.5)? */
export function isWithin(key: string, value: string): boolean {
  // Old systems write 2024.11.07 and 10:30 (PS3.5 6.2).
  const [from = '', to = from] = key.replace(/[.: ]/g, '').split('-', 2)
  const digits = value.replace(/[.: ]/g, '').padEnd(DIGITS, '0')
  if (!key.includes('-')) return digits === from.padEnd(DIGITS, '0')
  return digits >= from.padEnd(DIGITS, '0') && (to === '' || digits <= to.padEnd(DIGITS, '9'))
}

/** Group by group, without regard to case, which PS3.4 C.2.2.2.1 leaves to the SCP. */
function isNameLike(key: string, value: string): boolean {
  const groups = groupsOf(value)
  return groupsOf(key).every((group, index) => group === '' || isLike(group, groups[index] ?? ''))
}

function groupsOf(name: string): string[] {
  return name.split('=').map((group) => group.replace(/\^+$/, '').toUpperCase())
}

/** `*` stands for any text, `?` for one character. Linear steps back to the last `*` alone: patterns come from peers. */
function isLike(pattern: string, text: string): boolean {
  let at = 0
  let star = -1
  let resume = 0
  let position = 0
  while (position < text.length) {
    if (pattern[at] === '*') {
      star = at++
      resume = position
    } else if (pattern[at] === '?' || pattern[at] === text[position]) {
      at += 1
      position += 1
    } else if (star >= 0) {
      at = star + 1
      position = ++resume
    } else {
      return false
    }
  }
  while (pattern[at] === '*') at += 1
  return at === pattern.length
}
