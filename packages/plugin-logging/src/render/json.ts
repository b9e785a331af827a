import type { LogEntry } from '../entry.ts'

/** Of what a terminal or a reader of lines obeys JSON escapes only the characters below U+0020. */
const LEFT_BY_JSON = /[\u007f-\u009f\u2028\u2029\p{Bidi_Control}]/gu

/** One JSON object, in which nothing steers a terminal or ends a line. */
export function renderJson(entry: LogEntry): string {
  return JSON.stringify(entry).replace(LEFT_BY_JSON, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
