/** How long a handshake may hold a place that another one waits for. */
const YIELD_AFTER_MS = 1_000

interface Holder {
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
  readonly #waiting = new Set<() => void>()
  #timer: NodeJS.Timeout | undefined

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
  async take(cut: () => void, signal: AbortSignal): Promise<(() => void) | undefined> {
    if (this.#holders.size >= this.#maximum) await this.#turn(signal)
    if (signal.aborted) {
      // A place that was offered to it goes to the next one.
      this.#next()
      return undefined
    }
    const holder: Holder = { since: performance.now(), cut }
    this.#holders.add(holder)
    return () => {
      if (this.#holders.delete(holder)) this.#next()
    }
  }

  #turn(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        this.#waiting.delete(done)
        signal.removeEventListener('abort', done)
        resolve()
      }
      this.#waiting.add(done)
      signal.addEventListener('abort', done, { once: true })
      this.#yieldWhenSlow()
    })
  }

  #next(): void {
    if (this.#holders.size >= this.#maximum) return
    const [next] = this.#waiting
    next?.()
  }

  /** As long as somebody waits, the oldest one goes when its second is over. */
  #yieldWhenSlow(): void {
    const [oldest] = this.#holders
    if (this.#timer !== undefined || this.#waiting.size === 0 || oldest === undefined) return
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined
        const slow = performance.now() - YIELD_AFTER_MS
        // As many as wait, at most: the others harm nobody.
        const stalled = [...this.#holders].filter(({ since }) => since <= slow).slice(0, this.#waiting.size)
        for (const { cut } of stalled) cut()
        this.#yieldWhenSlow()
      },
      Math.max(1, oldest.since + YIELD_AFTER_MS - performance.now()),
    )
    this.#timer.unref()
  }
}
