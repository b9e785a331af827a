/** `*` stands for any text and `?` for one character (PS3.4 C.2.2.2.4); everything else for itself. */
const WILDCARD = /[*?]/

/** Patterns that are longer are left to JavaScript: the databases bound what they take. */
export const LONGEST_SQL_PATTERN = 1000

/** What a value starts with that matches the pattern. */
export function literalPrefix(pattern: string): string {
  const at = pattern.search(WILDCARD)
  return at < 0 ? pattern : pattern.slice(0, at)
}

/** Whether the pattern says no more than that a value starts with its prefix. */
export function isPrefixPattern(pattern: string): boolean {
  return /^[^*?]*\*+$/.test(pattern)
}

/** For GLOB of SQLite, which has sets of characters in brackets besides. */
export function globPattern(pattern: string): string {
  return oneStar(pattern).replaceAll('[', '[[]')
}

/** For LIKE of PostgreSQL, whose escape character is the backslash. */
export function likePattern(pattern: string): string {
  return oneStar(pattern)
    .replace(/[\\%_]/g, String.raw`\$&`)
    .replaceAll('*', '%')
    .replaceAll('?', '_')
}

function oneStar(pattern: string): string {
  return pattern.replace(/\*{2,}/g, '*')
}

const LAST_CODE_POINT = 0x10ffff
const SURROGATES = [0xd800, 0xdfff] as const

/** The first text behind all that start with `prefix`, by code points; undefined when there is none. */
export function behindPrefix(prefix: string): string | undefined {
  const points = [...prefix].map((character) => character.codePointAt(0) as number)
  for (let last = points.pop(); last !== undefined; last = points.pop()) {
    if (last >= LAST_CODE_POINT) continue
    const isBeforeSurrogates = last + 1 >= SURROGATES[0] && last < SURROGATES[1]
    return String.fromCodePoint(...points, isBeforeSurrogates ? SURROGATES[1] + 1 : last + 1)
  }
  return undefined
}
