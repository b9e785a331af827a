import type { Invocation } from './invocation.ts'

/** Responses to one request that may wait unread. */
const MAXIMUM_UNREAD = 64

/** What is held: the receiving of the association. */
interface Receiving {
  readonly maximumUnreadBytes: number
  /** Bytes of unread responses to all requests that end the association, where nothing may be held. */
  readonly largestUnreadBytes: number
  hold(): void
  unhold(): void
}

/**
 * Keeps responses that nobody takes from filling the memory: when too many wait, nothing is read any
 * more until half of them were taken. Only while every request has a response waiting: one that has none
 * waits for the peer, who must be read to be heard, e.g. a C-MOVE for each match of a C-FIND. While nothing
 * is read the peer's requests, its release and its abort wait too. A peer that makes use of the exception, and
 * sends responses without end, is not borne with for ever.
 */
export class UnreadLimit {
  readonly #receiving: Receiving
  readonly #exceeded: (invocation: Invocation) => void
  #isHolding = false
  #isLifted = false
  #isOver = false

  /** @param exceeded called once, with the request that most is unread of */
  constructor(receiving: Receiving, exceeded: (invocation: Invocation) => void) {
    this.#receiving = receiving
    this.#exceeded = exceeded
  }

  /** Nothing is held from here on. */
  lift(): void {
    this.#isLifted = true
    this.#set(false)
  }

  /**
   * @param open the requests that were sent
   * @param size how many there are, with those that wait for their turn
   */
  update(open: ReadonlyMap<number, Invocation>, size: number): void {
    this.#endBeyondMeasure(open)
    if (this.#isLifted) return
    this.#set(open.size === size && this.#isExceeded(open))
  }

  #endBeyondMeasure(open: ReadonlyMap<number, Invocation>): void {
    let bytes = 0
    let largest: Invocation | undefined
    for (const invocation of open.values()) {
      bytes += invocation.unreadBytes
      if (largest === undefined || invocation.unreadBytes > largest.unreadBytes) largest = invocation
    }
    if (largest === undefined || bytes <= this.#receiving.largestUnreadBytes || this.#isOver) return
    this.#isOver = true
    this.#exceeded(largest)
  }

  #isExceeded(open: ReadonlyMap<number, Invocation>): boolean {
    const share = this.#isHolding ? 0.5 : 1
    const maximumBytes = this.#receiving.maximumUnreadBytes * share
    let isExceeded = false
    for (const { unread, unreadBytes } of open.values()) {
      if (unread === 0) return false
      if (unread > MAXIMUM_UNREAD * share || unreadBytes > maximumBytes) isExceeded = true
    }
    return isExceeded
  }

  #set(isHolding: boolean): void {
    if (isHolding === this.#isHolding) return
    this.#isHolding = isHolding
    if (isHolding) this.#receiving.hold()
    else this.#receiving.unhold()
  }
}
