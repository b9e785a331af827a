import type { ReadBuffers } from '../dul/read-buffers.ts'

/** What an object costs besides its bytes: fragments of a byte each must not cost a hundred times the limit. */
const FRAGMENT_OVERHEAD_BYTES = 256

/** Larger ones are not copied. */
const COPY_BELOW_BYTES = 32_768

/** A small fragment must not keep the memory of all that came with it. */
function ownBytes(fragment: Buffer): Buffer {
  return fragment.length < COPY_BELOW_BYTES && fragment.buffer.byteLength > 2 * fragment.length ? Buffer.from(fragment) : fragment
}

function costOf(fragment: Buffer): number {
  return fragment.length + FRAGMENT_OVERHEAD_BYTES
}

/**
 * Back-pressure of one association: counts the memory of data set fragments that nobody has taken yet
 * and holds placed by a full queue; the socket is paused while either is over its limit.
 */
export class ReceiveFlow {
  readonly #highWaterBytes: number
  readonly #pause: () => void
  readonly #resume: () => void
  readonly #hold: () => void
  readonly #buffers: ReadBuffers | undefined
  /** Fragments kept in memory of their own; pinned read buffers count themselves. */
  #bytes = 0
  #holds = 0
  #isPaused = false

  /**
   * @param pause nothing more is to be read; what was read already may still come
   * @param hold nothing more is to come, of what was read already either
   */
  constructor(highWaterBytes: number, buffers: ReadBuffers | undefined, pause: () => void, resume: () => void, hold: () => void = pause) {
    this.#buffers = buffers
    this.#highWaterBytes = highWaterBytes
    this.#pause = pause
    this.#resume = resume
    this.#hold = hold
  }

  get isPaused(): boolean {
    return this.#isPaused
  }

  /** Keeps a fragment that has just arrived; use what comes back in its place. */
  keep(fragment: Buffer): Buffer {
    const kept = this.#buffers?.keep(fragment) ?? ownBytes(fragment)
    if (this.#buffers?.isPinned(kept) !== true) this.#bytes += costOf(kept)
    this.#update()
    return kept
  }

  /** May a fragment that has just arrived be used before it is known whether it must be kept? Then {@link pin} keeps it. */
  isPinnable(fragment: Buffer): boolean {
    return this.#buffers?.isPinnable(fragment) !== false
  }

  /** Keeps a fragment that has just arrived where it is: somebody has begun to use it. */
  pin(fragment: Buffer): void {
    if (this.#buffers?.pin(fragment) !== true) this.#bytes += costOf(fragment)
    this.#update()
  }

  /** Counts a fragment in memory that is the caller's own. */
  adopt(fragment: Buffer): void {
    this.#bytes += costOf(fragment)
    this.#update()
  }

  /** The fragment was written or dropped: its memory may be used again. */
  release(fragment: Buffer): void {
    if (this.#buffers?.release(fragment) !== true) this.#bytes -= costOf(fragment)
    if (this.#isPaused) this.#update()
  }

  /** Somebody has the fragment and does not let it go: from here on it is the memory of whoever that is. */
  abandon(fragment: Buffer): void {
    if (this.#buffers?.abandon(fragment) !== true) this.#bytes -= costOf(fragment)
    if (this.#isPaused) this.#update()
  }

  /** What comes back, the fragment or a copy of it, belongs to a handler from here on. */
  giveAway(fragment: Buffer): Buffer {
    const given = this.#buffers?.giveAway(fragment)
    if (given === undefined) this.#bytes -= costOf(fragment)
    if (this.#isPaused) this.#update()
    return given ?? fragment
  }

  /** A kept fragment has grown by so many bytes: what comes in small pieces shares its memory. */
  grow(bytes: number): void {
    this.#bytes += bytes
    this.#update()
  }

  /** Memory of another kind, e.g. of requests that wait. Give it back with a negative number. */
  count(bytes: number): void {
    this.#bytes += bytes
    this.#update()
  }

  hold(): void {
    this.#holds += 1
    this.#update()
    this.#hold()
  }

  unhold(): void {
    this.#holds -= 1
    this.#update()
  }

  #update(): void {
    // Half of the mark, so that the socket is not switched on and off for every fragment.
    const limit = this.#isPaused ? this.#highWaterBytes / 2 : this.#highWaterBytes
    const isFull = this.#holds > 0 || this.#bytes + (this.#buffers?.pinnedBytes ?? 0) > limit
    if (isFull === this.#isPaused) return
    this.#isPaused = isFull
    if (isFull) this.#pause()
    else this.#resume()
  }
}
