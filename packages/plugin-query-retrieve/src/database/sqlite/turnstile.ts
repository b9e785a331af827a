/** Lets so many in at once, in the order in which they came. Who gives up meanwhile costs nothing. */
export class Turnstile {
  readonly #maximum: number
  #inside = 0
  readonly #waiting: (() => void)[] = []

  constructor(maximum: number) {
    this.#maximum = maximum
  }

  /** What is returned lets the next one in. @throws the reason of the signal */
  async enter(signal: AbortSignal | undefined): Promise<() => void> {
    signal?.throwIfAborted()
    if (this.#inside < this.#maximum) this.#inside++
    else await this.#turn(signal)
    let isLeft = false
    return () => {
      if (isLeft) return
      isLeft = true
      const next = this.#waiting.shift()
      if (next === undefined) this.#inside--
      else next()
    }
  }

  #turn(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const enter = (): void => {
        signal?.removeEventListener('abort', abort)
        resolve()
      }
      const abort = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(enter), 1)
        reject(signal?.reason as Error)
      }
      this.#waiting.push(enter)
      signal?.addEventListener('abort', abort, { once: true })
    })
  }
}
