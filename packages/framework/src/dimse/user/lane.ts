/** Runs tasks in the order they come, so many at once: 10 000 calls must not open 10 000 files. */
export class Lane {
  readonly #width: number
  readonly #waiting: (() => void)[] = []
  #position = 0
  #running = 0

  constructor(width: number) {
    this.#width = width
  }

  async run<T>(task: () => Promise<T>): Promise<T> {
    if (this.#running >= this.#width) await new Promise<void>((resolve) => this.#waiting.push(resolve))
    else this.#running += 1
    try {
      return await task()
    } finally {
      this.#next()
    }
  }

  /** Hands the place on. */
  #next(): void {
    const wake = this.#waiting[this.#position]
    if (wake === undefined) {
      this.#waiting.length = 0
      this.#position = 0
      this.#running -= 1
      return
    }
    this.#position += 1
    wake()
  }
}
