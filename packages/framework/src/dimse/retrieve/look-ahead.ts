import type { RunningOperation } from '../operation.ts'
import { ItemPuller } from '../services/pull.ts'
import type { InstanceToSend, RetrieveAnswerInstances } from '../types.ts'

export interface LookAheadOptions {
  /** How many instances may wait. 0: each is pulled only when `pull` is called. */
  readonly depth: number
  /** Bounds how long the handler may take for one. */
  readonly withinTime: <T>(work: Promise<T>) => Promise<T>
}

/**
 * The instances of a handler that were pulled and not sent yet: at most `depth`, descriptors alone, in
 * order. Their bytes are not touched here.
 */
export class LookAhead {
  readonly #puller: ItemPuller<InstanceToSend>
  readonly #options: LookAheadOptions
  readonly #waiting: InstanceToSend[] = []
  #pulling: Promise<void> | undefined
  #isFilling = false
  #isExhausted = false
  #failure: { readonly error: unknown } | undefined
  #pulled = 0

  constructor(instances: RetrieveAnswerInstances['instances'], operation: RunningOperation, options: LookAheadOptions) {
    this.#puller = new ItemPuller(instances, operation)
    this.#options = options
  }

  get waiting(): readonly InstanceToSend[] {
    return this.#waiting
  }
  /** There will be no more: the iterator is done or has failed. */
  get isExhausted(): boolean {
    return this.#isExhausted
  }
  /** What the iterator threw. */
  get failure(): { readonly error: unknown } | undefined {
    return this.#failure
  }
  /** How many instances the iterator has given. */
  get pulled(): number {
    return this.#pulled
  }

  /** Settles when one more waits, or there are no more. Never rejects: see `failure`. */
  pull(): Promise<void> {
    this.#pulling ??= this.#next().finally(() => {
      this.#pulling = undefined
    })
    return this.#pulling
  }

  /** Waits until as many wait as may, or the next one lets itself be waited for longer than `patienceMs`. */
  async filled(patienceMs: number): Promise<void> {
    while (!this.#isExhausted && this.#waiting.length < this.#options.depth) {
      const { promise, clear } = timeout(patienceMs)
      const isLate = await Promise.race([this.pull(), promise])
      clear()
      if (isLate === true) return
    }
  }

  /** The first one; others are pulled to take its place. */
  take(): InstanceToSend | undefined {
    const instance = this.#waiting.shift()
    void this.#fill()
    return instance
  }

  /** To be sent again before the others. */
  putBack(instance: InstanceToSend): void {
    this.#waiting.unshift(instance)
  }

  /** Lets the iterator clean up, without waiting for it. */
  stop(failed: (error: unknown) => void): void {
    this.#isExhausted = true
    this.#puller.stop(failed)
  }

  async #fill(): Promise<void> {
    if (this.#isFilling) return
    this.#isFilling = true
    while (!this.#isExhausted && this.#waiting.length < this.#options.depth) await this.pull()
    this.#isFilling = false
  }

  async #next(): Promise<void> {
    if (this.#isExhausted) return
    try {
      const { done, value } = await this.#options.withinTime(this.#puller.next())
      if (this.#isExhausted) return
      if (done === true) {
        this.#isExhausted = true
        return
      }
      if (typeof value !== 'object' || value === null) throw new TypeError('An instance to send must be an object')
      this.#waiting.push(value)
      this.#pulled += 1
    } catch (error) {
      this.#isExhausted = true
      this.#failure = { error }
    }
  }
}

function timeout(ms: number): { readonly promise: Promise<true>; readonly clear: () => void } {
  let timer: NodeJS.Timeout | undefined
  const promise = new Promise<true>((resolve) => {
    timer = setTimeout(resolve, ms, true)
  })
  return {
    promise,
    clear: () => {
      clearTimeout(timer)
    },
  }
}
