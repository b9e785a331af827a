import type { LogArea, LogLevel, LogRecord } from '@dicomtap/framework'
import type { Destination } from './destinations/destination.ts'
import { createEntry } from './entry.ts'
import type { EntryParts, LogEntry } from './entry.ts'
import type { LevelTable } from './levels.ts'
import { presentableFields, presentableMessage } from './privacy.ts'
import { plural } from './words.ts'

/** How often a destination says how many lines it dropped. */
const DROPPED_REPORT_MS = 1000
/** How often a destination that fails is complained of. */
const COMPLAINT_MS = 60_000

/** Takes log lines, decides by level, makes them presentable and hands them to every destination. */
export class LogWriter {
  readonly #levels: LevelTable
  readonly #phi: boolean
  readonly #common: Readonly<Record<string, unknown>>
  readonly #destinations: Destination[] = []
  readonly #complainedAtMs = new Map<string, number>()
  #reportedAtMs = Number.NEGATIVE_INFINITY

  /** @param common fields of every line of this plugin's own; those of the AE's log have theirs. */
  constructor(levels: LevelTable, phi: boolean, common: Readonly<Record<string, unknown>> = {}) {
    this.#levels = levels
    this.#phi = phi
    this.#common = common
  }

  add(destination: Destination): void {
    this.#destinations.push(destination)
  }

  isEnabled(level: LogLevel, area: LogArea): boolean {
    return this.#levels.isEnabled(level, area)
  }

  /** A line of the framework or of a plugin: the sink of the AE's log. */
  readonly sink = ({ level, area, message, fields }: LogRecord): void => {
    if (!this.isEnabled(level, area)) return
    let presentable: Record<string, unknown>
    try {
      presentable = presentableFields(fields, this.#phi)
      message = presentableMessage(message, fields, this.#phi)
    } catch {
      // A getter or a proxy that throws: the line matters more than its fields.
      presentable = {}
    }
    this.#write(createEntry({ level, area, message, fields: presentable }))
  }

  /** A line of this plugin's own, whose fields are known to be presentable. */
  writeOwn(parts: EntryParts): void {
    if (this.isEnabled(parts.level, parts.area)) this.#write(createEntry({ ...parts, fields: { ...this.#common, ...parts.fields } }))
  }

  /** Says that `failed` does not work, to the destinations that may; on standard error when there is none. Once a minute. */
  complain(failed: string, error: Error): void {
    const now = performance.now()
    if (now - (this.#complainedAtMs.get(failed) ?? Number.NEGATIVE_INFINITY) < COMPLAINT_MS) return
    this.#complainedAtMs.set(failed, now)
    const { code } = error as { code?: unknown }
    const message = `the log does not reach ${failed}: ${typeof code === 'string' ? code : error.name}`
    const entry = createEntry({ level: 'error', area: 'plugin', message, fields: { plugin: 'logging' } })
    const others = this.#destinations.filter(({ name }) => name !== failed)
    for (const destination of others) destination.write(entry)
    if (others.length === 0 && failed !== 'standard error') process.stderr.write(`${message}\n`)
  }

  async close(): Promise<void> {
    for (const destination of this.#destinations) if (destination.dropped > 0) reportDropped(destination)
    await Promise.all(this.#destinations.map((destination) => destination.close()))
  }

  #write(entry: LogEntry): void {
    for (const destination of this.#destinations) {
      destination.write(entry)
      if (destination.dropped > 0 && destination.isWritable()) this.#mayReportDropped(destination)
    }
  }

  #mayReportDropped(destination: Destination): void {
    const now = performance.now()
    if (now - this.#reportedAtMs < DROPPED_REPORT_MS) return
    this.#reportedAtMs = now
    reportDropped(destination)
  }
}

function reportDropped(destination: Destination): void {
  const { name, dropped } = destination
  destination.forgetDropped()
  const message = `${plural(dropped, 'log line was', 'log lines were')} dropped: ${name} did not take them in time`
  destination.write(createEntry({ level: 'warn', area: 'plugin', message, fields: { plugin: 'logging', event: 'log.dropped', dropped } }))
}
