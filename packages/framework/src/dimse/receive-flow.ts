/**
 * Back-pressure of one association: counts data set bytes that nobody has taken yet and holds placed by
 * a full queue; the socket is paused while either is over its limit.
 */
export class ReceiveFlow {
  readonly #highWaterBytes: number
  readonly #pause: () => void
  readonly #resume: () => void
  #bytes = 0
  #holds = 0
  #isPaused = false

  constructor(highWaterBytes: number, pause: () => void, resume: () => void) {
    this.#highWaterBytes = highWaterBytes
    this.#pause = pause
    this.#resume = resume
  }

  get isPaused(): boolean {
    return this.#isPaused
  }

  add(bytes: number): void {
    this.#bytes += bytes
    if (this.#bytes > this.#highWaterBytes) this.#update()
  }

  remove(bytes: number): void {
    this.#bytes -= bytes
    if (this.#isPaused) this.#update()
  }

  hold(): void {
    this.#holds += 1
    this.#update()
  }

  release(): void {
    this.#holds -= 1
    this.#update()
  }

  #update(): void {
    // Half of the mark, so that the socket is not switched on and off for every fragment.
    const limit = this.#isPaused ? this.#highWaterBytes / 2 : this.#highWaterBytes
    const isFull = this.#holds > 0 || this.#bytes > limit
    if (isFull === this.#isPaused) return
    this.#isPaused = isFull
    if (isFull) this.#pause()
    else this.#resume()
  }
}
