import type { IndexedAttribute } from '../model/attributes.ts'
import type { Matching, NameMatching } from '../model/query.ts'
import { columnText } from '../text/bounded.ts'
import { foldGroup, groupsOf, namePatterns } from '../text/names.ts'
import { nameWords } from '../text/sounds.ts'
import { checkedPattern, hasWildcard, isAnything } from './key-texts.ts'
import { violation } from './violation.ts'

/**
 * A key on a person name (PS3.4 C.2.2.2.1.1). Who types a name does not say which component group it is, so a key
 * without `=` matches any of them; of a key with `=` each group that is given must match its own (PS3.4 C.2.2.2.1.1
 * note, C.2.2.2.4 note 3). A group of asterisks is not given.
 */
export function matchingOfName(attribute: IndexedAttribute, value: unknown, isFuzzy: boolean): Matching {
  const groups = groupsOf(value)
  if (groups.some((group) => group.includes('\ufffd'))) throw violation(`Text is not in its character set: ${attribute.name}`, attribute.tag)
  const [alphabetic, ideographic, phonetic] = groups.map((group) => patternOf(attribute, group)) as [string | undefined, string | undefined, string | undefined]
  const given = [alphabetic, ideographic, phonetic].filter((pattern) => pattern !== undefined)
  if (given.length === 0) return { kind: 'universal' }
  const tokens = isFuzzy ? tokensOf(given) : []
  if (tokens.length > 0) return { kind: 'fuzzyName', tokens }
  const isOneGroup = groups[1] === '' && groups[2] === ''
  const matching: NameMatching = isOneGroup ? { kind: 'name', any: alphabetic } : { kind: 'name', alphabetic, ideographic, phonetic }
  return matching
}

/** Undefined: any group matches. */
function patternOf(attribute: IndexedAttribute, group: string): string | undefined {
  const folded = foldGroup(group)
  if (folded === '' || isAnything(folded)) return undefined
  if (!hasWildcard(folded)) return columnText(folded)
  const pattern = checkedPattern(attribute, folded)
  return namePatterns(pattern).includes('*') ? undefined : pattern
}

/**
 * The words of a name in semantic matching. An asterisk after a word says what holds anyway: it may go on. With
 * other wildcards the key is a pattern, and matched as one.
 */
function tokensOf(patterns: readonly string[]): readonly string[] {
  const tokens = patterns
    .flatMap((pattern) => nameWords(pattern))
    .map((word) => (word.endsWith('*') ? word.slice(0, -1) : word))
    .filter((word) => word !== '')
  return tokens.some(hasWildcard) ? [] : [...new Set(tokens)]
}
