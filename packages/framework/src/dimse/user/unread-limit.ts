import type { Invocation } from './invocation.ts'

/** Responses to one request that may wait unread. */
const MAXIMUM_UNREAD = 64

/** What is held: the receiving of the association. */
interface Receiving {
  readonly maximumUnreadBytes: number
  hold(): void
  unhold(): void
}

/**
 * Keeps responses that nobody takes from filling the memory: when too many wait, nothing is read any
 * more until half of them were taken. Only while every request has a response waiting: one that has none
 * waits for the peer, who must be read to be heard, e.g. a C-MOVE for each match of a C-FIND. While nothing
 * is read the peer's requests, its release and its abort wait too.
 */
export class UnreadLimit {
  readonly #receiving: Receiving
  #isHolding = false
  #isLifted = false

  constructor(receiving: Receiving) {
    this.#receiving = receiving
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
    if (this.#isLifted) return
    this.#set(open.size === size && this.#isExceeded(open))
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
