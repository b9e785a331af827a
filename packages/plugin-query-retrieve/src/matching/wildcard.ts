/**
 * Does a pattern with `*` (any text, none too) and `?` (one character) match all of a text (PS3.4 C.2.2.2.4)? Nothing
 * else in it is special. The parts between asterisks are looked for from left to right, each once: no pattern makes
 * it go back further than one part.
 */
export function matchesWildcard(pattern: string, text: string): boolean {
  if (pattern.includes('?') && (HIGH_SURROGATE.test(text) || HIGH_SURROGATE.test(pattern))) return matchesParts(partsOf(Array.from(pattern)), Array.from(text))
  return matchesParts(pattern.split('*'), text)
}

const HIGH_SURROGATE = /[\ud800-\udbff]/

/** Text by characters: a string, or an array where some characters are two units long. */
type Characters = string | readonly string[]

function partsOf(pattern: readonly string[]): readonly (readonly string[])[] {
  const parts: string[][] = [[]]
  for (const character of pattern) {
    if (character === '*') parts.push([])
    else (parts.at(-1) as string[]).push(character)
  }
  return parts
}

function matchesParts(parts: readonly Characters[], text: Characters): boolean {
  const first = parts[0] as Characters
  const last = parts.at(-1) as Characters
  if (parts.length === 1) return text.length === first.length && isAt(first, text, 0)
  const end = text.length - last.length
  if (first.length > end || !isAt(first, text, 0) || !isAt(last, text, end)) return false
  let from = first.length
  for (const part of parts.slice(1, -1)) {
    const at = find(part, text, from, end)
    if (at === -1) return false
    from = at + part.length
  }
  return true
}

/** Where a part is found, between `from` and `end`. */
function find(part: Characters, text: Characters, from: number, end: number): number {
  if (typeof part === 'string' && typeof text === 'string' && !part.includes('?')) {
    const at = text.indexOf(part, from)
    return at === -1 || at + part.length > end ? -1 : at
  }
  for (let at = from; at + part.length <= end; at++) if (isAt(part, text, at)) return at
  return -1
}

function isAt(part: Characters, text: Characters, at: number): boolean {
  for (let index = 0; index < part.length; index++) {
    if (part[index] !== '?' && part[index] !== text[at + index]) return false
  }
  return true
}
