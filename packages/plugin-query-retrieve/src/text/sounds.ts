import { doubleMetaphone } from 'double-metaphone'
import type { FoldedName } from './names.ts'

/** Of a name no more words than these are looked up by fuzzy matching. */
const MAXIMUM_WORDS = 32
const MAXIMUM_WORD_CHARACTERS = 64
const LATIN_WORD = /^[a-z]+$/

/** A word of a name, and how it sounds: a word that may be said in two ways stands twice. */
export interface NameToken {
  readonly token: string
  readonly code: string
}

/** The words of folded text, each once: `o'brien^mary-jane` is `o'brien`, `mary` and `jane`. */
export function nameWords(folded: string): readonly string[] {
  const words = folded.split(/[\s^=,.;\u2010-\u2015\u30fb\uff65-]+/).filter((word) => word !== '')
  return [...new Set(words.map((word) => word.slice(0, MAXIMUM_WORD_CHARACTERS).toWellFormed()))].slice(0, MAXIMUM_WORDS)
}

/** The words of all component groups of a name. */
export function wordsOfName({ alphabetic, ideographic, phonetic }: FoldedName): readonly string[] {
  return nameWords(`${alphabetic}^${ideographic}^${phonetic}`)
}

/**
 * How a folded word sounds: the codes of Double Metaphone for Latin letters, one or two; the word itself in other
 * scripts, and where it has letters without a sound only.
 */
export function soundsOf(word: string): readonly string[] {
  const letters = word.replaceAll(/['’`]/g, '')
  if (!LATIN_WORD.test(letters)) return [word]
  const [primary, secondary] = doubleMetaphone(letters)
  const codes = [...new Set([primary, secondary])].filter((code) => code !== '')
  return codes.length === 0 ? [word] : codes
}

/** What fuzzy matching looks up of a name: the rows of `name_token`. */
export function nameTokens(name: FoldedName): readonly NameToken[] {
  return wordsOfName(name).flatMap((token) => soundsOf(token).map((code) => ({ token, code })))
}
