/** How long a handshake may hold a place that another one waits for. */
const YIELD_AFTER_MS = 1_000
/** How often it is looked at; what a look is late, this process was busy with something else. */
const LOOK_MS = 100

interface Holder {
  /** By the clock that stands still while this process is busy. */
  readonly since: number
  /** Gives it up. */
  cut(): void
}

/**
 * Handshakes in progress at once. When all places are taken the next one waits; those that are slow make room
 * then, the oldest first, so that peers that stall keep nobody out for long.
 */
export class HandshakeSlots {
  readonly #maximum: number
  readonly #holders = new Set<Holder>()
  /** In the order in which they came. */
  readonly #waiting = new Set<() => void>()
  #timer: NodeJS.Timeout | undefined
  /** Seen while somebody waited: no peer is slow for it. */
  #busyMs = 0

  constructor(maximum: number) {
    this.#maximum = maximum
  }

  get inProgress(): number {
    return this.#holders.size
  }

  get waiting(): number {
    return this.#waiting.size
  }

  /**
   * Waits for a place.
   * @param cut called when it has to be given up
   * @returns how to give it back; undefined when the signal was aborted first.
   */
  take(cut: () => void, signal: AbortSignal): Promise<(() => void) | undefined> {
    return new Promise((resolve) => {
      if (signal.aborted) {
        resolve(undefined)
        return
      }
      const enter = (): void => {
        leave()
        const holder: Holder = { since: this.#now(), cut }
        this.#holders.add(holder)
        resolve(() => {
          if (this.#holders.delete(holder)) this.#next()
        })
      }
      const gone = (): void => {
        leave()
        resolve(undefined)
      }
      const leave = (): void => {
        this.#waiting.delete(enter)
        signal.removeEventListener('abort', gone)
      }
      this.#waiting.add(enter)
      signal.addEventListener('abort', gone, { once: true })
      this.#next()
      this.#yieldWhenSlow()
    })
  }

  #next(): void {
    while (this.#holders.size < this.#maximum) {
      const [enter] = this.#waiting
      if (enter === undefined) return
      enter()
    }
  }

  #now(): number {
    return performance.now() - this.#busyMs
  }

  /** As long as somebody waits, the oldest one goes when its second is over. */
  #yieldWhenSlow(): void {
    const [oldest] = this.#holders
    if (this.#timer !== undefined || this.#waiting.size === 0 || oldest === undefined) return
    const waitMs = Math.max(1, Math.min(LOOK_MS, oldest.since + YIELD_AFTER_MS - this.#now()))
    const dueAtMs = performance.now() + waitMs
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.#busyMs += Math.max(0, performance.now() - dueAtMs)
      const slow = this.#now() - YIELD_AFTER_MS
      // As many as wait, at most: the others harm nobody.
      const stalled = [...this.#holders].filter(({ since }) => since <= slow).slice(0, this.#waiting.size)
      for (const { cut } of stalled) cut()
      this.#yieldWhenSlow()
    }, waitMs)
    this.#timer.unref()
  }
}
