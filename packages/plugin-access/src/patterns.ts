/** How AE titles are compared: `exact` as PS3.5 6.2 says, where only the spaces around them do not count. */
export type TitleComparison = 'exact' | 'lenient'

/** Lenient: upper and lower case are the same, spaces anywhere and trailing NULs do not count. */
export function comparableTitle(title: string, comparison: TitleComparison): string {
  const plain = unpadded(title)
  return comparison === 'exact' ? plain : plain.replaceAll(' ', '').toUpperCase()
}

/** Without spaces around it and the NULs that old equipment pads with. Linear: a Move Destination is as long as a peer likes. */
function unpadded(title: string): string {
  let start = 0
  let end = title.length
  while (end > 0 && (title[end - 1] === ' ' || title[end - 1] === '\0')) end--
  while (start < end && title[start] === ' ') start++
  return title.slice(start, end)
}

export function hasWildcard(pattern: string): boolean {
  return /[*?]/.test(pattern)
}

/** `*` is any text, also none; `?` one character. Linear in both lengths, whatever the pattern. */
export function matchesPattern(pattern: string, text: string): boolean {
  let at = 0
  let in_ = 0
  let starAt = -1
  let starIn = 0
  while (in_ < text.length) {
    if (pattern[at] === '*') {
      starAt = at++
      starIn = in_
    } else if (at < pattern.length && (pattern[at] === '?' || pattern[at] === text[in_])) {
      at++
      in_++
    } else if (starAt >= 0) {
      at = starAt + 1
      in_ = ++starIn
    } else {
      return false
    }
  }
  while (pattern[at] === '*') at++
  return at === pattern.length
}

/** A test for titles that fit one of the patterns. */
export function titleMatcher(patterns: readonly string[], comparison: TitleComparison): (title: string) => boolean {
  const wanted = patterns.map((pattern) => comparableTitle(pattern, comparison))
  return (title) => {
    const given = comparableTitle(title, comparison)
    return wanted.some((pattern) => matchesPattern(pattern, given))
  }
}
