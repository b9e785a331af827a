import { isTurnOver } from '../turns.ts'

/** Pieces of its input that one connection may have walked before others have their turn. */
const PIECES_PER_TURN = 256
/** So many it has whatever the others do. */
const LEAST_PIECES = 16

/**
 * What one connection has of the event loop. A read brings 256 KiB, and the system may bring 32 of them without
 * a pause: thousands of small messages, in the time of which nobody else would be heard.
 */
export class TurnShare {
  #pieces = 0
  #isAskedAt = LEAST_PIECES

  /** So many pieces were walked. True when the others are to have their turn. */
  spend(pieces: number): boolean {
    this.#pieces += pieces
    if (this.#pieces < this.#isAskedAt) return false
    this.#isAskedAt = this.#pieces + LEAST_PIECES
    return this.#pieces >= PIECES_PER_TURN || isTurnOver()
  }

  /** Another turn has begun. */
  renew(): void {
    this.#pieces = 0
    this.#isAskedAt = LEAST_PIECES
  }
}
