import type { Matching, NameMatching } from '../model/query.ts'
import { foldName, namePatterns, type FoldedName } from '../text/names.ts'
import { soundsOf, wordsOfName } from '../text/sounds.ts'
import { matchesWildcard } from './wildcard.ts'

/** Person names of an attribute as stored, folded; without those that are empty. */
export function foldedNames(value: unknown): readonly FoldedName[] {
  if (value === null || value === undefined) return []
  const names: readonly unknown[] = Array.isArray(value) ? value : [value]
  return names.map((name) => foldName(name)).filter(({ alphabetic, ideographic, phonetic }) => alphabetic !== '' || ideographic !== '' || phonetic !== '')
}

/** Any of several names may match (PS3.4 C.2.2.3). */
export function matchesNames(matching: Matching, names: readonly FoldedName[]): boolean {
  switch (matching.kind) {
    case 'universal':
      return true
    case 'empty':
      return names.length === 0
    case 'name':
      return names.some((name) => matchesName(matching, name))
    case 'fuzzyName':
      return names.some((name) => matchesTokens(matching.tokens, name))
    case 'all':
      return matching.each.every((one) => matchesNames(one, names))
    default:
      return false
  }
}

function matchesName({ any, alphabetic, ideographic, phonetic }: NameMatching, name: FoldedName): boolean {
  if (any !== undefined) return [name.alphabetic, name.ideographic, name.phonetic].some((group) => matchesGroup(any, group))
  return (
    (alphabetic === undefined || matchesGroup(alphabetic, name.alphabetic)) &&
    (ideographic === undefined || matchesGroup(ideographic, name.ideographic)) &&
    (phonetic === undefined || matchesGroup(phonetic, name.phonetic))
  )
}

function matchesGroup(pattern: string, group: string): boolean {
  if (group === '') return false
  return namePatterns(pattern).some((one) => matchesWildcard(one, group))
}

/** Semantic matching: each word of the key is the beginning of a word of the name, or sounds like one, in any order. */
function matchesTokens(tokens: readonly string[], name: FoldedName): boolean {
  const words = wordsOfName(name)
  let sounds: ReadonlySet<string> | undefined
  return tokens.every((token) => {
    if (words.some((word) => word.startsWith(token))) return true
    sounds ??= new Set(words.flatMap(soundsOf))
    const heard = sounds
    return soundsOf(token).some((sound) => heard.has(sound))
  })
}
