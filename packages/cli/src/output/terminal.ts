import { styleText } from 'node:util'

export type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan'

/** NO_COLOR and FORCE_COLOR as at https://no-color.org and https://force-color.org, else: is it a terminal. */
export function hasColor(stream: NodeJS.WriteStream, env: NodeJS.ProcessEnv = process.env): boolean {
  if (env['NO_COLOR'] !== undefined && env['NO_COLOR'] !== '') return false
  if (env['FORCE_COLOR'] !== undefined && env['FORCE_COLOR'] !== '' && env['FORCE_COLOR'] !== '0') return true
  return stream.isTTY && env['TERM'] !== 'dumb'
}

/** Colours for one stream, or the text as it is. */
export function painter(stream: NodeJS.WriteStream): (style: Style, text: string) => string {
  return hasColor(stream) ? (style, text) => styleText(style, text, { validateStream: false }) : (_style, text) => text
}

/** Results go to stdout. */
export function print(text: string): void {
  process.stdout.write(`${text}\n`)
}

/** Notes for the person at the terminal go to stderr, so that stdout can be piped. */
export function note(text: string): void {
  process.stderr.write(`${text}\n`)
}

export function printJson(value: unknown): void {
  print(jsonText(value, 2))
}

// Of what a terminal would obey JSON escapes only the characters below U+0020.
const LEFT_BY_JSON = /[\u007f-\u009f\u2028\u2029\p{Bidi_Control}]/gu

/** JSON with nothing in it that steers a terminal; what a parser makes of it is the same. */
export function jsonText(value: unknown, indent?: number): string {
  return JSON.stringify(value, null, indent).replace(LEFT_BY_JSON, escaped)
}

/** Text that may be a peer's, on its own lines: it must not steer the terminal. */
export function visible(text: string): string {
  return text.replace(/[^\P{Cc}\n]|[\u2028\u2029\p{Bidi_Control}]/gu, escaped)
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
}

/** Columns, separated by two spaces; the last one is not padded. */
export function table(rows: readonly (readonly string[])[], indent = ''): string {
  const widths: number[] = []
  for (const row of rows) {
    for (const [index, cell] of row.entries()) widths[index] = Math.max(widths[index] ?? 0, cell.length)
  }
  return rows
    .map((row) => indent + row.map((cell, index) => cell.padEnd(widths[index] ?? 0)).join('  ').trimEnd())
    .join('\n')
}
