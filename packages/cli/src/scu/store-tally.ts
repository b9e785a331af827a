import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { open } from 'node:fs/promises'
import type { Writable } from 'node:stream'
import { UsageError } from './exit.ts'
import { printable } from './negotiation.ts'
import type { Reporter } from './reporter.ts'

/** What became of one file: a line of --report. */
export interface FileOutcome {
  readonly path: string
  readonly outcome: 'stored' | 'warning' | 'failed' | 'skipped' | 'not sent'
  /** Status of the C-STORE response; undefined when there was none. */
  readonly status?: number | undefined
  /** What the status means, or why there is none. */
  readonly message?: string | undefined
  readonly sopClassUid?: string | undefined
  readonly sopInstanceUid?: string | undefined
  readonly transferSyntaxUid?: string | undefined
  readonly sizeBytes?: number | undefined
  readonly durationMs?: number | undefined
}

/** Lines about single files that are printed; after that --report has them. */
const PRINTED_LINES = 100
/** Failures that --json lists. */
const LISTED_FAILURES = 1000

/** Counts what becomes of the files, tells about those that failed, and keeps the report. */
export class StoreTally {
  stored = 0
  warnings = 0
  failed = 0
  notSent = 0
  /** Of the failed: files that were never on their way. */
  unusable = 0
  readonly skipped: Record<string, number> = {}
  bytes = 0
  /** The first failures, for --json. */
  readonly failures: FileOutcome[] = []
  readonly #reporter: Reporter
  readonly #report: Writable | undefined
  #printed = 0

  constructor(reporter: Reporter, report: Writable | undefined) {
    this.#reporter = reporter
    this.#report = report
    report?.on('error', (error: NodeJS.ErrnoException) => {
      reporter.warn(`${reporter.paint.err('yellow', 'warning')}: the report cannot be written any further (${error.code ?? error.message})`)
    })
  }

  /** Files that are done with, in one way or another. */
  get done(): number {
    return this.stored + this.warnings + this.failed
  }
  get skippedTotal(): number {
    return Object.values(this.skipped).reduce((total, one) => total + one, 0)
  }

  /** Waits when the report is slower than the network. */
  async add(one: FileOutcome): Promise<void> {
    const { outcome, sizeBytes = 0, message = '' } = one
    if (outcome === 'stored') this.stored += 1
    if (outcome === 'warning') this.warnings += 1
    if (outcome === 'failed') this.failed += 1
    if (outcome === 'not sent') this.notSent += 1
    if (outcome === 'skipped') this.skipped[message] = (this.skipped[message] ?? 0) + 1
    if (outcome === 'stored' || outcome === 'warning') this.bytes += sizeBytes
    if (outcome === 'failed' && this.failures.length < LISTED_FAILURES) this.failures.push(one)
    if (outcome === 'failed' || outcome === 'warning') this.#print(one)
    if (outcome === 'skipped' && this.#reporter.isVerbose) this.#reporter.note(`skipped ${printable(one.path)}: ${message}`)
    if (this.#report?.writable === true && !this.#report.write(`${JSON.stringify(one)}\n`)) await once(this.#report, 'drain').catch(() => {})
  }

  /** The report is complete on the disk. */
  async close(): Promise<void> {
    const report = this.#report
    if (report === undefined || report.closed) return
    const closed = once(report, 'close').catch(() => {})
    report.end()
    await closed
  }

  #print({ path, outcome, status, message = '' }: FileOutcome): void {
    this.#printed += 1
    if (this.#printed === PRINTED_LINES + 1) this.#reporter.warn('... further files are not listed here; --report <file> has them all')
    if (this.#printed > PRINTED_LINES) return
    const paint = this.#reporter.paint.err
    const word = outcome === 'failed' ? paint('red', 'failed ') : paint('yellow', 'warning')
    this.#reporter.warn(`${word} ${printable(path)}: ${status === undefined ? '' : `${statusCode(status)} `}${printable(message)}`)
  }
}

/** `A700`, as the standard writes it. */
export function statusCode(status: number): string {
  return status.toString(16).toUpperCase().padStart(4, '0')
}

/** Opens the file of --report before anything is sent. @throws UsageError */
export async function openReport(file: string | undefined): Promise<Writable | undefined> {
  if (file === undefined) return undefined
  try {
    await (await open(file, 'w')).close()
  } catch (cause) {
    throw new UsageError(`--report: ${file} cannot be written (${(cause as NodeJS.ErrnoException).code ?? 'unwritable'})`, { cause })
  }
  return createWriteStream(file)
}
