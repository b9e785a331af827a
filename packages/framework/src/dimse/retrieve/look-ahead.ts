import type { RunningOperation } from '../operation.ts'
import { ItemPuller } from '../services/pull.ts'
import type { RetrieveAnswerInstances } from '../types.ts'
import { isUnusable, openInstance } from './pulled-instance.ts'
import type { InstanceSource, PulledInstance, UnusableInstance } from './pulled-instance.ts'

/** Data sets and files in memory that may wait; others are a path or a function. */
const MAXIMUM_IN_MEMORY = 8

export interface LookAheadOptions {
  /** How many instances may wait. 0: each is pulled only when `pull` is called. */
  readonly depth: number
  /** Bounds how long the handler may take for one. */
  readonly withinTime: <T>(work: Promise<T>) => Promise<T>
}

/**
 * The instances of a handler that were pulled and not sent yet: at most `depth`, in order. Of files the heads are
 * read here, to learn what they are; the bytes of others are not touched, but for the one that is next.
 */
export class LookAhead {
  readonly #puller: ItemPuller<InstanceSource>
  readonly #options: LookAheadOptions
  readonly #waiting: (PulledInstance | UnusableInstance)[] = []
  #pulling: Promise<void> | undefined
  #isFilling = false
  #isExhausted = false
  #failure: { readonly error: unknown } | undefined
  #pulled = 0

  constructor(instances: RetrieveAnswerInstances['instances'], operation: RunningOperation, options: LookAheadOptions) {
    this.#puller = new ItemPuller(instances, operation)
    this.#options = options
  }

  get waiting(): readonly (PulledInstance | UnusableInstance)[] {
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
    while (this.#mayWaitForMore) {
      const { promise, clear } = timeout(patienceMs)
      const isLate = await Promise.race([this.pull(), promise])
      clear()
      if (isLate === true) return
    }
  }

  /** The first one; others are pulled to take its place. */
  take(): PulledInstance | UnusableInstance | undefined {
    const instance = this.#waiting.shift()
    this.#makeReady()
    void this.#fill()
    return instance
  }

  /** To be sent again before the others. */
  putBack(instance: PulledInstance): void {
    this.#waiting.unshift(instance)
  }

  /** Lets the iterator clean up, without waiting for it. What waits is still told by `waiting`. */
  stop(failed: (error: unknown) => void): void {
    this.#isExhausted = true
    this.#puller.stop(failed)
    for (const instance of this.#waiting) letGo(instance)
  }

  get #mayWaitForMore(): boolean {
    if (this.#isExhausted || this.#waiting.length >= this.#options.depth) return false
    return this.#waiting.filter((instance) => !isUnusable(instance) && instance.isInMemory).length < MAXIMUM_IN_MEMORY
  }

  /** The next one is opened while the one before is sent. What is wrong with it is told when its turn comes. */
  #makeReady(): void {
    const [next] = this.#waiting
    if (next !== undefined && !isUnusable(next)) next.confirm().catch(() => {})
  }

  async #fill(): Promise<void> {
    if (this.#isFilling) return
    this.#isFilling = true
    while (this.#mayWaitForMore) await this.pull()
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
      const opening = openInstance(value)
      // Whoever waits for it may have given up by then.
      opening.then((instance) => {
        if (this.#isExhausted) letGo(instance)
      }, () => {})
      const instance = await this.#options.withinTime(opening)
      if (this.#isExhausted) return
      this.#waiting.push(instance)
      this.#pulled += 1
      if (this.#waiting.length === 1) this.#makeReady()
    } catch (error) {
      this.#isExhausted = true
      this.#failure = { error }
    }
  }
}

function letGo(instance: PulledInstance | UnusableInstance): void {
  if (!isUnusable(instance)) instance.close().catch(() => {})
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
