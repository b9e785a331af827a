import { syntaxError } from './syntax-error.ts'
import type { Position } from './syntax-error.ts'

/**
 * `JSON.parse` whose errors name file, line and column.
 *
 * @throws DICOMTAP_ERR_CFG_SYNTAX
 */
export function parseJson(text: string, file: string): unknown {
  const source = text.charCodeAt(0) === 0xfeff ? text.slice(1) : text
  try {
    return JSON.parse(source)
  } catch (error) {
    const { message } = error as SyntaxError
    const offset = errorOffset(source, message)
    throw syntaxError(file, positionAt(source, offset), plain(message), error)
  }
}

/** Newer engines say where, older ones only for some errors. */
function errorOffset(source: string, message: string): number {
  const said = /at position (\d+)/.exec(message)?.[1]
  if (said !== undefined) return Number(said)
  const token = /^Unexpected token '(?:\\?.)'/su.exec(message)?.[0]
  if (token === undefined) return source.length
  // The message is the same for every beginning of the source that includes the bad token, and
  // another one for every shorter beginning: search for the border.
  let low = 0
  let high = source.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (failsWith(source.slice(0, middle + 1), token)) high = middle
    else low = middle + 1
  }
  return low
}

function failsWith(source: string, start: string): boolean {
  try {
    JSON.parse(source)
    return false
  } catch (error) {
    return (error as SyntaxError).message.startsWith(start)
  }
}

function positionAt(source: string, offset: number): Position {
  const before = source.slice(0, offset).split('\n')
  return { line: before.length, column: (before.at(-1) ?? '').length + 1 }
}

/** The engine's message without its own way of saying where. */
function plain(message: string): string {
  return message.replace(/,? ?(?:\.\.\.)?".*"(?:\.\.\.)? is not valid JSON$/su, '').replace(/ in JSON at position.*$/su, '')
}
