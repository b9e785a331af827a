/** What a {@link MessageDeadline} asks, and ends. */
export interface AwaitedMessage {
  readonly timeoutMs: number | null
  /** Less than this within `timeoutMs` is no progress. */
  readonly minimumProgressBytes: number
  /** Is a message under way? */
  isIncomplete(): boolean
  /** While this side does not read, the peer cannot go on. */
  isHeldUp(): boolean
  late(): void
}

/** How long a message of the peer may make no progress. One timer, which stays when a message is complete: a fragment costs a refresh at most. */
export class MessageDeadline {
  readonly #awaited: AwaitedMessage
  #timer: NodeJS.Timeout | undefined
  #isArmed = false
  /** Received since the timer began anew. */
  #progressBytes = 0

  constructor(awaited: AwaitedMessage) {
    this.#awaited = awaited
  }

  /** A piece of a message arrived that is not its last. @param bytes of it; infinite for the first one of a message */
  received(bytes: number): void {
    const { timeoutMs, minimumProgressBytes } = this.#awaited
    if (timeoutMs === null) return
    this.#progressBytes += bytes
    // One byte at a time is no progress: it would keep the association for ever.
    if (this.#isArmed && this.#progressBytes < minimumProgressBytes) return
    this.#progressBytes = 0
    this.#isArmed = true
    if (this.#timer === undefined) this.#timer = setTimeout(() => this.#expired(), timeoutMs)
    else this.#timer.refresh()
  }

  stop(): void {
    clearTimeout(this.#timer)
  }

  #expired(): void {
    this.#isArmed = false
    if (!this.#awaited.isIncomplete()) return
    if (this.#awaited.isHeldUp()) this.received(0)
    else this.#awaited.late()
  }
}
