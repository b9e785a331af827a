export interface ReplacementsOptions {
  readonly fork: () => void
  readonly gaveUp: (message: string) => void
}

export interface EndedWorker {
  readonly wasReady: boolean
  readonly ranMs: number
  /** Exit code, signal or problem. */
  readonly how: string
}

const FIRST_MS = 100
const LONGEST_MS = 10_000
/** A worker that ran this long ended for a reason of its own. */
const HEALTHY_MS = 60_000
/** Starts in a row that failed. */
const MAXIMUM_FAILED_STARTS = 5

/** Puts new workers in the place of those that ended: later each time when they end soon, and not for ever. */
export class Replacements {
  readonly #options: ReplacementsOptions
  readonly #timers = new Set<NodeJS.Timeout>()
  #delayMs = FIRST_MS
  #failedStarts = 0
  #isStopped = false

  constructor(options: ReplacementsOptions) {
    this.#options = options
  }

  /** A worker is ready. */
  started(): void {
    this.#failedStarts = 0
  }

  /** @returns when it is replaced; undefined when it is not. */
  ended({ wasReady, ranMs, how }: EndedWorker): number | undefined {
    if (this.#isStopped) return undefined
    if (!wasReady) this.#failedStarts += 1
    if (this.#failedStarts >= MAXIMUM_FAILED_STARTS) {
      this.stop()
      // What is said of the last one comes first.
      setImmediate(() => this.#options.gaveUp(`${MAXIMUM_FAILED_STARTS} workers in a row did not start, the server ends; the last one: ${how}`))
      return undefined
    }
    if (ranMs >= HEALTHY_MS) this.#delayMs = FIRST_MS
    const delayMs = this.#delayMs
    this.#delayMs = Math.min(LONGEST_MS, delayMs * 2)
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      this.#options.fork()
    }, delayMs)
    this.#timers.add(timer)
    return delayMs
  }

  stop(): void {
    this.#isStopped = true
    for (const timer of this.#timers) clearTimeout(timer)
    this.#timers.clear()
  }
}
