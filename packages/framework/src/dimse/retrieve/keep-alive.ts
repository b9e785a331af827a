/** Calls `beat` whenever nothing was sent for a while. */
export class KeepAlive {
  readonly #timer: NodeJS.Timeout | undefined

  constructor(intervalMs: number | undefined, beat: () => void) {
    if (intervalMs !== undefined) this.#timer = setInterval(beat, intervalMs)
  }

  /** Something was sent. */
  sent(): void {
    this.#timer?.refresh()
  }

  stop(): void {
    clearInterval(this.#timer)
  }
}
