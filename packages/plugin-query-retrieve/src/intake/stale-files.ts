import type { Reindexer } from '../maintenance/reindexer.ts'

const MAXIMUM_FILES = 100_000

/**
 * Files of which the index may not tell the truth because it could not be written: one that was replaced, or one that
 * was refused while its row may have been written. They are settled when the index can be written again; of those
 * that are too many, or when the process ends before, the scan at the next start finds what is wrong.
 */
export class StaleFiles {
  readonly #reindexer: Reindexer
  readonly #paths = new Set<string>()
  #settling: Promise<void> | undefined

  constructor(reindexer: Reindexer) {
    this.#reindexer = reindexer
  }

  add(relativePath: string): void {
    if (this.#paths.size < MAXIMUM_FILES) this.#paths.add(relativePath)
  }

  get size(): number {
    return this.#paths.size
  }

  /** The index was written: perhaps these can be, too. */
  settle(): void {
    if (this.#paths.size === 0 || this.#settling !== undefined) return
    this.#settling = this.#settleAll().finally(() => {
      this.#settling = undefined
    })
  }

  /** Resolves when nothing is under way. */
  async idle(): Promise<void> {
    await this.#settling
  }

  async #settleAll(): Promise<void> {
    for (const relativePath of this.#paths) {
      try {
        await this.#reindexer.settle(relativePath)
      } catch {
        // The index is gone again; they stay until it is back.
        return
      }
      this.#paths.delete(relativePath)
    }
  }
}
