import type { Matching } from '../model/query.ts'
import { matchesWildcard } from './wildcard.ts'

/**
 * Does a key match normalized values, of which any may (PS3.4 C.2.2.3)? Not for names and sequences.
 *
 * An attribute without value matches what matches nothing (universal, empty, `*`) only. PS3.4 C.2.2.1.2 would have it
 * match every key, as its value is unknown: then each query by accession number gave all studies without one.
 */
export function matchesTexts(matching: Matching, values: readonly string[]): boolean {
  switch (matching.kind) {
    case 'universal':
      return true
    case 'empty':
      return values.length === 0
    case 'single':
      return values.includes(matching.value)
    case 'list':
      return values.some((value) => setOf(matching.values).has(value))
    case 'all':
      return matching.each.every((one) => matchesTexts(one, values))
    case 'wildcard':
      return values.some((value) => matchesWildcard(matching.pattern, value))
    case 'range':
      return values.some((value) => isBetween(value, matching.from, matching.to))
    default:
      return false
  }
}

const sets = new WeakMap<readonly string[], ReadonlySet<string>>()

/** Lists of UIDs are long, and looked at for each row. */
function setOf(list: readonly string[]): ReadonlySet<string> {
  let set = sets.get(list)
  if (set === undefined) sets.set(list, (set = new Set(list)))
  return set
}

/** Inclusive; texts of the same form, in the order of what they mean. */
export function isBetween(value: string, from: string | undefined, to: string | undefined): boolean {
  return (from === undefined || value >= from) && (to === undefined || value <= to)
}
