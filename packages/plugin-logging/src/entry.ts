import type { LogArea, LogLevel } from '@dicomtap/framework'

/** winston's own names for the properties that it formats by. */
export const LEVEL: unique symbol = Symbol.for('level') as never
export const MESSAGE: unique symbol = Symbol.for('message') as never
/** Lines that the pretty format adds below the message. */
export const DETAILS: unique symbol = Symbol('details') as never
/** Set when the message says all that the fields say. */
export const IS_SENTENCE: unique symbol = Symbol('isSentence') as never

/**
 * One log line, as winston passes it on: what the json format writes, and what more transports get.
 * Documented in the README; names do not change within a major version.
 */
export interface LogEntry {
  readonly time: string
  readonly level: LogLevel
  readonly area: LogArea
  readonly message: string
  /** Id of the association, e.g. `a17`. */
  readonly association?: string
  readonly messageId?: number
  readonly [field: string]: unknown
  [LEVEL]: LogLevel
  [MESSAGE]?: string
  [DETAILS]?: readonly string[]
  [IS_SENTENCE]?: boolean
}

/** Names that a line has of its own: fields so named get another. */
export const RESERVED_NAMES: ReadonlySet<string> = new Set(['time', 'level', 'area', 'message', 'event'])

export interface EntryParts {
  readonly level: LogLevel
  readonly area: LogArea
  readonly message: string
  readonly fields: Readonly<Record<string, unknown>>
  readonly details?: readonly string[] | undefined
  readonly isSentence?: boolean
}

export function createEntry({ level, area, message, fields, details, isSentence }: EntryParts): LogEntry {
  const entry: LogEntry = { time: new Date().toISOString(), level, area, message, ...fields, [LEVEL]: level }
  if (details !== undefined) entry[DETAILS] = details
  if (isSentence === true) entry[IS_SENTENCE] = true
  return entry
}
