import type { ReceiveFlow } from './receive-flow.ts'

interface Waiting {
  readonly run: () => Promise<void>
  readonly bytes: number
}

/**
 * Runs the operations that a peer invokes: as many at once as were negotiated (PS3.7 D.3.3.3), the others
 * in order behind them, none dropped. When too many wait, the socket is paused.
 */
export class OperationScheduler {
  readonly #performed: number
  readonly #maximumQueued: number
  readonly #flow: ReceiveFlow
  readonly #queue: Waiting[] = []
  #running = 0
  #isHolding = false
  #isPaused = false

  /** @param performed operations at once, 0 for no limit. */
  constructor(performed: number, maximumQueued: number, flow: ReceiveFlow) {
    this.#performed = performed === 0 ? Number.POSITIVE_INFINITY : performed
    this.#maximumQueued = maximumQueued
    this.#flow = flow
  }

  /** Requests wait for their turn: the peer sent more than may run at once. */
  get hasWaiting(): boolean {
    return this.#queue.length > 0
  }

  /** What is added from here on waits until `resume`. */
  pause(): void {
    this.#isPaused = true
  }

  resume(): void {
    this.#isPaused = false
    while (this.#running < this.#performed) {
      const next = this.#next()
      if (next === undefined) break
      this.#run(next)
    }
    this.#unhold()
  }

  /**
   * @param run must not reject
   * @param bytes what it holds in memory while it waits
   */
  add(run: () => Promise<void>, bytes: number): void {
    if (!this.#isPaused && this.#running < this.#performed) {
      this.#run(run)
      return
    }
    this.#queue.push({ run, bytes })
    this.#flow.count(bytes)
    if (!this.#isHolding && this.#queue.length >= this.#maximumQueued) {
      this.#isHolding = true
      this.#flow.hold()
    }
  }

  #run(run: () => Promise<void>): void {
    this.#running += 1
    void run().finally(() => {
      this.#running -= 1
      const next = this.#isPaused ? undefined : this.#next()
      this.#unhold()
      if (next !== undefined) this.#run(next)
    })
  }

  #next(): (() => Promise<void>) | undefined {
    const next = this.#queue.shift()
    if (next === undefined) return undefined
    this.#flow.count(-next.bytes)
    return next.run
  }

  #unhold(): void {
    if (!this.#isHolding || this.#queue.length >= this.#maximumQueued) return
    this.#isHolding = false
    this.#flow.unhold()
  }
}
