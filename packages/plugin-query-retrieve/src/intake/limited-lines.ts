import type { Logger } from '@dicomtap/framework'

const WINDOW_MS = 60_000
const LINES = 20

export interface LineWords {
  readonly each: string
  /** Of those that were left out. */
  readonly more: string
}

/** Warnings that a sender can cause without end: twenty lines a minute, and one that counts the rest. */
export class LimitedLines {
  readonly #log: Pick<Logger, 'warn'>
  readonly #words: LineWords
  #written = 0
  #leftOut = 0
  #window: NodeJS.Timeout | undefined

  constructor(log: Pick<Logger, 'warn'>, words: LineWords) {
    this.#log = log
    this.#words = words
  }

  note(details: Readonly<Record<string, unknown>>): void {
    this.#window ??= setTimeout(() => this.close(), WINDOW_MS).unref()
    this.#written += 1
    if (this.#written > LINES) this.#leftOut += 1
    else this.#log.warn(this.#words.each, details)
  }

  close(): void {
    clearTimeout(this.#window)
    this.#window = undefined
    if (this.#leftOut > 0) this.#log.warn(this.#words.more, { leftOut: this.#leftOut })
    this.#written = 0
    this.#leftOut = 0
  }
}
