import { createHash } from 'node:crypto'

/**
 * Of a longer text only the beginning is kept, matched and returned: 10240 characters are what the longest VRs with
 * a limit (LT) may have (PS3.5 6.2). The same holds for keys, so that both sides of a comparison are cut alike.
 */
export const MAXIMUM_TEXT_CHARACTERS = 10_240

/** What a column holds at most; four times what the VRs of these attributes allow. */
export const MAXIMUM_COLUMN_CHARACTERS = 256

const KEPT_CHARACTERS = 200

/** Text that every database and encoder takes: without NUL and halves of surrogate pairs, and not too long. */
export function boundText(text: string): string {
  const cut = text.length > MAXIMUM_TEXT_CHARACTERS ? text.slice(0, MAXIMUM_TEXT_CHARACTERS) : text
  const whole = cut.includes('\0') ? cut.replaceAll('\0', '') : cut
  return whole.isWellFormed() ? whole : whole.toWellFormed()
}

/**
 * A normalized value as its column holds it. One of more than {@link MAXIMUM_COLUMN_CHARACTERS} is replaced by its
 * beginning and a hash of the whole: equal values stay equal and others differ, in the database as in JavaScript.
 * Wildcards see its first 200 characters only.
 */
export function columnText(value: string): string {
  if (value.length <= MAXIMUM_COLUMN_CHARACTERS) return value
  return `${value.slice(0, KEPT_CHARACTERS).toWellFormed()}~${createHash('sha256').update(value).digest('base64url')}`
}
