import type { Key, Query } from '../model/query.ts'

/** Attributes of which one value finds few rows. */
const FEW_ROWS: ReadonlySet<string> = new Set([
  'PatientID',
  'StudyInstanceUID',
  'SeriesInstanceUID',
  'SOPInstanceUID',
  'AccessionNumber',
  'StudyID',
])

/** Columns without an index, or of which one value is that of many rows. */
const MANY_ROWS: ReadonlySet<string> = new Set(['IssuerOfPatientID', 'StudyTime', 'Modality', 'SeriesNumber', 'SOPClassUID', 'InstanceNumber'])

/**
 * The keys that rows are to be found by. A fresh SQLite has no statistics, and would take an index of something that
 * half of all rows have as gladly as that of a UID; so of the keys the best are chosen here, and the database chooses
 * among these.
 */
export function drivingKeys({ keys, dateTimeKeys }: Pick<Query, 'keys' | 'dateTimeKeys'>): ReadonlySet<Key> {
  const ranks = keys.map((key) => ({ key, rank: rankOf(key) }))
  const best = Math.min(...ranks.map(({ rank }) => rank), ...dateTimeKeys.map(() => 1))
  return new Set(ranks.flatMap(({ key, rank }) => (rank === best ? [key] : [])))
}

/** Many rows may be looked at for one that matches: none is found by a value of its own, and an index does not say all. */
export function isScan({ keys, dateTimeKeys, derivedKeys }: Pick<Query, 'keys' | 'dateTimeKeys' | 'derivedKeys'>): boolean {
  if (keys.some(isFewRows)) return false
  return keys.length + dateTimeKeys.length + derivedKeys.length > 1 || derivedKeys.length > 0 || keys.some(isManyRows)
}

export function isFewRows(key: Key): boolean {
  return rankOf(key) === 0
}

/** A condition that is better looked at for each row than looked up. */
export function isManyRows(key: Key): boolean {
  return rankOf(key) > 1
}

function rankOf({ attribute, matching }: Key): number {
  const isValue = matching.kind === 'single' || matching.kind === 'list'
  if (FEW_ROWS.has(attribute.name) && isValue) return 0
  if (MANY_ROWS.has(attribute.name)) return 2
  switch (matching.kind) {
    case 'single':
    case 'list':
    case 'range':
    case 'fuzzyName':
    case 'all':
      return 1
    case 'wildcard':
      return startsWithWildcard(matching.pattern) ? 2 : 1
    case 'name':
      return [matching.any, matching.alphabetic, matching.ideographic, matching.phonetic].every((pattern) => pattern === undefined || startsWithWildcard(pattern)) ? 2 : 1
    case 'universal':
    case 'empty':
    case 'sequence':
      return 3
  }
}

function startsWithWildcard(pattern: string): boolean {
  return pattern.startsWith('*') || pattern.startsWith('?')
}
