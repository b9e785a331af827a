/** Severity, most severe first. */
export type LogLevel = 'error' | 'warn' | 'info' | 'debug' | 'trace'

/** The parts of the system a log line can come from. */
export type LogArea = 'server' | 'dul' | 'acse' | 'dimse' | 'plugin'

/** One log line before it is written. `fields` must be free of patient data and secrets. */
export interface LogRecord {
  readonly level: LogLevel
  readonly area: LogArea
  readonly message: string
  readonly fields: Readonly<Record<string, unknown>>
}

/** Where log lines go. plugin-logging replaces it with winston. */
export type LogSink = (record: LogRecord) => void

/** What the framework and plugins log through. */
export interface Logger {
  error(message: string, fields?: Record<string, unknown>): void
  warn(message: string, fields?: Record<string, unknown>): void
  info(message: string, fields?: Record<string, unknown>): void
  debug(message: string, fields?: Record<string, unknown>): void
  trace(message: string, fields?: Record<string, unknown>): void
  /** A logger that adds `fields` to each line, e.g. `{ plugin: 'storage' }` or `{ association: 'a1' }`. */
  child(fields: Record<string, unknown>, area?: LogArea): Logger
  /** False when a line of that level would be dropped: guard costly fields with it. */
  isEnabled(level: LogLevel): boolean
}
