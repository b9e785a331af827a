import type { LogWriter } from '../log-writer.ts'
import { plural } from '../words.ts'

const WINDOW_MS = 60_000
/** Lines about one address in a window; what comes after them is debug. */
const LINES_PER_ADDRESS = 20
const LINES_IN_ALL = 200
const MAXIMUM_ADDRESSES = 256

/** Counts what is refused by address, so that a scanner is a number in the log and not a line for each of its connections. */
export class RefusalCounter {
  readonly #writer: LogWriter
  readonly #counts = new Map<string, { lines: number; others: number }>()
  #lines = 0
  #othersElsewhere = 0
  #timer: NodeJS.Timeout | undefined

  constructor(writer: LogWriter) {
    this.#writer = writer
  }

  /** Counts a refusal, and tells whether its line is one too many. */
  isFlood(address: string): boolean {
    this.#timer ??= setTimeout(() => this.endWindow(), WINDOW_MS).unref()
    let count = this.#counts.get(address)
    if (count === undefined) {
      if (this.#counts.size >= MAXIMUM_ADDRESSES) {
        this.#othersElsewhere += 1
        return true
      }
      count = { lines: 0, others: 0 }
      this.#counts.set(address, count)
    }
    if (count.lines >= LINES_PER_ADDRESS || this.#lines >= LINES_IN_ALL) {
      count.others += 1
      return true
    }
    count.lines += 1
    this.#lines += 1
    return false
  }

  /** Says what was counted meanwhile. */
  endWindow(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    for (const [remoteAddress, { others }] of this.#counts) if (others > 0) this.#tell(others, remoteAddress)
    if (this.#othersElsewhere > 0) this.#tell(this.#othersElsewhere, undefined)
    this.#counts.clear()
    this.#lines = 0
    this.#othersElsewhere = 0
  }

  #tell(refused: number, remoteAddress: string | undefined): void {
    const message = `${plural(refused, 'more connection')} of ${remoteAddress ?? 'other addresses'} refused within a minute`
    const fields = { event: 'association.refusals', refused, ...(remoteAddress === undefined ? {} : { remoteAddress }) }
    this.#writer.writeOwn({ level: 'warn', area: 'acse', message, fields, isSentence: true })
  }
}
