import type { Transport } from './transport.ts'

export interface WriteWatchOptions {
  /** How long a peer may read less than `minimumBytes` of what waits for it; null: for ever. */
  readonly timeoutMs: number | null
  /** Less than this, or than what waits, is no reading. */
  readonly minimumBytes: number
}

/**
 * Finds the peer that does not read what is written to it, or so little of it at a time that it will never be
 * done. It has a timer of its own, because a peer may send all the while.
 */
export class WriteWatch {
  readonly #transport: () => Transport | undefined
  readonly #stalled: () => void
  #options: WriteWatchOptions
  #timer: NodeJS.Timeout | undefined
  #isFull = false

  constructor(options: WriteWatchOptions, transport: () => Transport | undefined, stalled: () => void) {
    this.#options = options
    this.#transport = transport
    this.#stalled = stalled
  }

  /** Something was written. @param isRoomLeft false when nothing more is written until `drained` */
  wrote(isRoomLeft: boolean): void {
    const { timeoutMs } = this.#options
    const isFull = !isRoomLeft && !this.#isFull
    this.#isFull ||= isFull
    // From here on what leaves can be told exactly.
    if (timeoutMs === null || (this.#timer !== undefined && !isFull)) return
    const transport = this.#transport()
    if (transport === undefined || transport.pendingBytes === 0) return
    transport.hasGotOn(0)
    this.#arm(timeoutMs)
  }

  drained(): void {
    this.#isFull = false
  }

  /** Other limits hold from now on. */
  adopt(options: WriteWatchOptions): void {
    this.#options = options
    if (this.#timer === undefined) return
    this.stop()
    this.wrote(true)
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  #arm(timeoutMs: number): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.#check()
    }, timeoutMs)
  }

  #check(): void {
    const transport = this.#transport()
    const { timeoutMs, minimumBytes } = this.#options
    if (transport === undefined || transport.pendingBytes === 0 || timeoutMs === null) return
    if (transport.hasGotOn(minimumBytes)) this.#arm(timeoutMs)
    else this.#stalled()
  }
}
