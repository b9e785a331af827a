const WIDE = /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u
const COMBINING = /\p{Mn}|\p{Me}/u
// What moves the cursor, changes colours or turns the direction of writing must not come from a peer.
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu

/** Text of a peer on one line of a terminal, with nothing in it that a terminal would obey. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, ' ').trim()
}

/** Columns that the text takes on a terminal: East Asian characters take two. */
export function textWidth(text: string): number {
  let width = 0
  for (const character of text) width += COMBINING.test(character) ? 0 : WIDE.test(character) ? 2 : 1
  return width
}

export function padEnd(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - textWidth(text)))
}

/** The text in at most `width` columns; `…` stands for what is left out. */
export function cut(text: string, width: number): string {
  if (textWidth(text) <= width) return text
  let kept = ''
  let used = 1
  for (const character of text) {
    used += textWidth(character)
    if (used > width) break
    kept += character
  }
  return `${kept.trimEnd()}…`
}
