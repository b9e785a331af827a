import { inspect } from 'node:util'
import { DicomtapError, messageOf } from './errors/index.ts'
import type { LogArea, Logger, LogLevel, LogRecord, LogSink } from './logger.ts'

const LEVELS: readonly LogLevel[] = ['error', 'warn', 'info', 'debug', 'trace']

/** Which lines a sink wants; asked before a line is built. */
export type LogFilter = (level: LogLevel, area: LogArea) => boolean

/** A logger whose lines, and those of its children, can be sent elsewhere. */
export interface ReplaceableLogger extends Logger {
  /** The last sink set wins. The returned function takes it back, and the one set before it holds again. */
  readonly setSink: (sink: LogSink, isEnabled?: LogFilter) => () => void
}

export interface LoggerOptions {
  /** Least severe level that is written. Default `info`. Does not bind a sink that has a filter of its own. */
  readonly level?: LogLevel | 'silent'
  /** Fields of every line. */
  readonly common?: Readonly<Record<string, unknown>>
  /** Default: readable lines on stderr. */
  readonly sink?: LogSink
}

interface Output {
  readonly sink: LogSink
  readonly isEnabled: LogFilter
}

/** The log that works without a logging plugin. */
export function createLogger({ level = 'info', common = {}, sink = consoleSink() }: LoggerOptions = {}): ReplaceableLogger {
  const least = level === 'silent' ? -1 : LEVELS.indexOf(level)
  const byLevel: LogFilter = (candidate) => LEVELS.indexOf(candidate) <= least
  const own: Output = { sink, isEnabled: byLevel }
  const outputs: Output[] = []
  const root = childLogger(() => outputs.at(-1) ?? own, fallingBackTo(own), common, 'server')
  return {
    ...root,
    setSink(replacement, isEnabled = byLevel) {
      const output = { sink: replacement, isEnabled }
      outputs.push(output)
      return () => {
        const index = outputs.indexOf(output)
        if (index !== -1) outputs.splice(index, 1)
      }
    },
  }
}

/** Writes a line that the sink of a plugin threw at, after the first time with why. It does not throw. */
type Fallback = (record: LogRecord, thrown: unknown) => void

function fallingBackTo({ sink, isEnabled }: Output): Fallback {
  let isSaid = false
  return (record, thrown) => {
    try {
      if (!isSaid) sink({ level: 'error', area: 'plugin', message: `The log sink failed: ${messageOf(thrown)}`, fields: {} })
      isSaid = true
      if (isEnabled(record.level, record.area)) sink(record)
    } catch {
      // There is nobody left to tell.
    }
  }
}

function childLogger(output: () => Output, fallback: Fallback, common: Readonly<Record<string, unknown>>, area: LogArea): Logger {
  const write =
    (level: LogLevel) =>
    (message: string, fields?: Record<string, unknown>): void => {
      const { sink, isEnabled } = output()
      try {
        if (isEnabled(level, area)) sink({ level, area, message, fields: { ...common, ...fields } })
      } catch (thrown) {
        fallback({ level, area, message, fields: { ...common, ...fields } }, thrown)
      }
    }
  return {
    error: write('error'),
    warn: write('warn'),
    info: write('info'),
    debug: write('debug'),
    trace: write('trace'),
    child: (fields, childArea = area) => childLogger(output, fallback, { ...common, ...fields }, childArea),
    isEnabled: (level) => {
      try {
        return output().isEnabled(level, area)
      } catch {
        return true
      }
    },
  }
}

/** What {@link consoleSink} writes to: a part of `process.stderr`. */
export interface ConsoleStream {
  write(text: string): unknown
  readonly isTTY?: boolean
}

/** Writes one readable line per record, in colour on a terminal unless `NO_COLOR` is set. */
export function consoleSink(stream: ConsoleStream = process.stderr): LogSink {
  const useColour = stream.isTTY === true && (process.env.NO_COLOR ?? '') === ''
  return (record) => {
    stream.write(`${formatRecord(record, new Date(), useColour)}\n`)
  }
}

const COLOURS: Readonly<Record<LogLevel, number>> = { error: 31, warn: 33, info: 32, debug: 36, trace: 90 }

/** `12:03:04.123 info  acse   association accepted association=a1`, local time; stacks of unexpected errors below it. */
export function formatRecord({ level, area, message, fields }: LogRecord, time: Date, useColour = false): string {
  const paint = (text: string, colour: number): string => (useColour ? `\x1b[${colour}m${text}\x1b[0m` : text)
  const pairs = Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => ` ${paint(`${key}=`, 90)}${formatValue(value)}`)
  const stacks = level === 'error' ? Object.values(fields).map(stackOf) : []
  return [
    `${paint(clock(time), 90)} ${paint(level.padEnd(5), COLOURS[level])} ${area.padEnd(6)} ${printable(message)}${pairs.join('')}`,
    ...stacks.filter((stack) => stack !== undefined),
  ].join('\n')
}

function clock(time: Date): string {
  const two = (part: number): string => String(part).padStart(2, '0')
  const milliseconds = String(time.getMilliseconds()).padStart(3, '0')
  return `${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}.${milliseconds}`
}

function formatValue(value: unknown): string {
  const text =
    typeof value === 'string' ? value
    : value instanceof Error ? value.message
    : typeof value === 'object' && value !== null ? inspect(value, { breakLength: Infinity, depth: 3, compact: true })
    : String(value)
  return text === '' || /[\s"=]/.test(text) ? printable(JSON.stringify(text)) : printable(text)
}

/** A peer chooses some of the text: it must not break the line or steer the terminal. */
function printable(text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029\p{Bidi_Control}]/gu, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

/** Errors of ours explain themselves; of others the place matters. */
function stackOf(value: unknown): string | undefined {
  if (!(value instanceof Error) || value instanceof DicomtapError || value.stack === undefined) return undefined
  const places = value.stack.split('\n').filter((line) => line.startsWith('    at '))
  return places.length === 0 ? undefined : places.map(printable).join('\n')
}
