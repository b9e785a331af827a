import type { Logger } from '@dicomtap/framework'

const WINDOW_MS = 60_000
const LINES_PER_ADDRESS = 5
const LINES = 60
/** Of which they are counted one by one. */
const ADDRESSES = 1_000

export interface WarningWords {
  readonly each: string
  /** Of those that were left out. */
  readonly more: string
}

export const HANDSHAKE_FAILED: WarningWords = { each: 'TLS handshake failed', more: 'more TLS handshakes failed than were logged' }

export const TITLE_REJECTED: WarningWords = {
  each: 'association rejected: the calling AE title is not one of its certificate',
  more: 'more associations were rejected for their calling AE title than were logged',
}

/**
 * Warnings about what peers do, in the log: five lines a minute for each address and sixty in all, so that a scanner
 * cannot fill it. What was left out is counted in one line at the end of the minute.
 */
export class LimitedWarnings {
  readonly #log: Pick<Logger, 'warn'>
  readonly #words: WarningWords
  readonly #lines = new Map<string, number>()
  #written = 0
  #leftOut = 0
  #window: NodeJS.Timeout | undefined

  constructor(log: Pick<Logger, 'warn'>, words: WarningWords) {
    this.#log = log
    this.#words = words
  }

  note(remoteAddress: string, details: Readonly<Record<string, unknown>>): void {
    this.#window ??= setTimeout(() => this.#close(), WINDOW_MS).unref()
    const lines = this.#lines.get(remoteAddress) ?? 0
    const isKnown = lines > 0 || this.#lines.size < ADDRESSES
    if (!isKnown || lines >= LINES_PER_ADDRESS || this.#written >= LINES) {
      this.#leftOut += 1
      return
    }
    this.#lines.set(remoteAddress, lines + 1)
    this.#written += 1
    this.#log.warn(this.#words.each, { remoteAddress, ...details })
  }

  #close(): void {
    this.#window = undefined
    if (this.#leftOut > 0) this.#log.warn(this.#words.more, { leftOut: this.#leftOut, withinMs: WINDOW_MS, addresses: this.#lines.size })
    this.#lines.clear()
    this.#written = 0
    this.#leftOut = 0
  }

  dispose(): void {
    clearTimeout(this.#window)
    this.#close()
  }
}
