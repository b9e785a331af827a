import type { Reindexer } from '../maintenance/reindexer.ts'

const MAXIMUM_FILES = 100_000
const FIRST_PAUSE_MS = 1000
const LONGEST_PAUSE_MS = 60_000
/** Then it is not for one of them that the index does not take it. */
const MAXIMUM_FAILURES = 3

/**
 * Files of which the index may not tell the truth because it could not be written, or they could not be read: one that
 * was replaced, or one that was refused while its row may have been written. They are settled when the index can be
 * written again, and then ever more rarely; of those that are too many, or when the process ends before, the scan at the
 * next start finds what is wrong.
 */
export class StaleFiles {
  readonly #reindexer: Reindexer
  readonly #paths = new Set<string>()
  #settling: Promise<void> | undefined
  #timer: NodeJS.Timeout | undefined
  #pauseMs = FIRST_PAUSE_MS
  #isClosed = false

  constructor(reindexer: Reindexer) {
    this.#reindexer = reindexer
  }

  add(relativePath: string): void {
    if (this.#paths.size < MAXIMUM_FILES) this.#paths.add(relativePath)
    this.#settleLater()
  }

  get size(): number {
    return this.#paths.size
  }

  /** The index was written: perhaps these can be, too. */
  settle(): void {
    if (this.#isClosed || this.#paths.size === 0 || this.#settling !== undefined) return
    this.#settling = this.#settleAll().finally(() => {
      this.#settling = undefined
      if (this.#paths.size === 0) this.#pauseMs = FIRST_PAUSE_MS
      else this.#settleLater()
    })
  }

  /** Resolves when nothing is under way. */
  async close(): Promise<void> {
    this.#isClosed = true
    clearTimeout(this.#timer)
    await this.#settling
  }

  async #settleAll(): Promise<void> {
    let failures = 0
    for (const relativePath of this.#paths) {
      try {
        const result = await this.#reindexer.settle(relativePath)
        if (result.did !== 'nothing' || result.why.code === undefined) this.#paths.delete(relativePath)
      } catch {
        failures += 1
        if (failures === MAXIMUM_FAILURES) return
      }
    }
  }

  #settleLater(): void {
    if (this.#isClosed || this.#timer !== undefined) return
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.settle()
    }, this.#pauseMs).unref()
    this.#pauseMs = Math.min(2 * this.#pauseMs, LONGEST_PAUSE_MS)
  }
}
