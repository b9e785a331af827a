import type { Logger } from '@dicomtap/framework'

const WINDOW_MS = 60_000
/** What comes after them in a window is a number. */
const LINES = 60

/** Warnings about who is not let in: so many a minute, so that nobody who knocks without end fills the log. */
export class RefusalLines {
  readonly #log: Pick<Logger, 'warn'>
  readonly #lines: number
  #told = 0
  #untold = 0
  #window: NodeJS.Timeout | undefined

  constructor(log: Pick<Logger, 'warn'>, lines: number = LINES) {
    this.#log = log
    this.#lines = lines
  }

  warn(message: string, fields: Record<string, unknown>): void {
    this.#window ??= setTimeout(() => this.endWindow(), WINDOW_MS).unref()
    if (this.#told < this.#lines) {
      this.#told += 1
      this.#log.warn(message, fields)
    } else {
      this.#untold += 1
    }
  }

  /** Says how many were left out, and begins anew. */
  endWindow(): void {
    clearTimeout(this.#window)
    this.#window = undefined
    if (this.#untold > 0) this.#log.warn('many others were refused as well', { refused: this.#untold })
    this.#told = 0
    this.#untold = 0
  }
}
