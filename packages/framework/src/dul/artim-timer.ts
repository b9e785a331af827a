/** The Association Request/Reject/Release Timer (PS3.8 9.1.5). `null` milliseconds never expire. */
export class ArtimTimer {
  readonly #expired: () => void
  readonly #timeoutMs: number | null
  #timer: NodeJS.Timeout | undefined

  constructor(timeoutMs: number | null, expired: () => void) {
    this.#timeoutMs = timeoutMs
    this.#expired = expired
  }

  get isRunning(): boolean {
    return this.#timer !== undefined
  }

  /** Starts it, or restarts it when it runs. */
  start(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (this.#timeoutMs === null) return
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.#expired()
    }, this.#timeoutMs)
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }
}
