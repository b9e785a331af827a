/** One read fills at most this: larger reads cost fewer turns of the event loop per MiB. */
const BUFFER_BYTES = 262_144
/** Buffers kept for the next connection; the rest is left to the garbage collector. */
const SPARE_BUFFERS = 32
/** A fragment smaller than this is copied rather than pin a whole buffer. */
const COPY_BELOW_BYTES = 32_768

interface Slot {
  readonly buffer: Buffer
  /** Fragments of it that somebody keeps. */
  pins: number
  /** A fragment of it belongs to a handler: it is never read into again. */
  isGivenAway: boolean
}

const spares: Buffer[] = []

function takeBuffer(): Buffer {
  return spares.pop() ?? Buffer.allocUnsafeSlow(BUFFER_BYTES)
}

function giveBack(buffer: Buffer): void {
  if (spares.length < SPARE_BUFFERS) spares.push(buffer)
}

/**
 * The buffers that one connection is read into. A buffer is read into again and again as long as nobody
 * keeps a fragment of it; one that is pinned is replaced for the next read and returns when its last
 * fragment is let go. So data sets reach their sink without a copy, and memory stays the same however
 * much is received.
 */
export class ReadBuffers {
  #current: Slot = newSlot()
  readonly #pinned = new Map<ArrayBufferLike, Slot>()
  #isClosed = false

  /** Where the next read goes. */
  next(): Buffer {
    if (this.#current.pins > 0 || this.#current.isGivenAway) this.#current = newSlot()
    return this.#current.buffer
  }

  /** Keeps a fragment that came in with the read under way; small ones come back as a copy. */
  keep(fragment: Buffer): Buffer {
    const slot = this.#current
    if (fragment.buffer !== slot.buffer.buffer) return fragment
    if (fragment.length < COPY_BELOW_BYTES) return Buffer.from(fragment)
    slot.pins += 1
    this.#pinned.set(fragment.buffer, slot)
    return fragment
  }

  /** Lets a kept fragment go. False when it was not pinned: a copy, or memory of its own. */
  release(fragment: Buffer): boolean {
    return this.#unpin(this.#pinned.get(fragment.buffer))
  }

  /** Hands a kept fragment over for good: its buffer is never read into again. False as for `release`. */
  giveAway(fragment: Buffer): boolean {
    const slot = this.#pinned.get(fragment.buffer)
    if (slot !== undefined) slot.isGivenAway = true
    return this.#unpin(slot)
  }

  /** Was the fragment kept without a copy? */
  isPinned(fragment: Buffer): boolean {
    return this.#pinned.has(fragment.buffer)
  }

  /** Memory that is pinned, in bytes. */
  get pinnedBytes(): number {
    return this.#pinned.size * BUFFER_BYTES
  }

  /** The connection is closed: nothing is read any more. */
  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    if (this.#current.pins === 0 && !this.#current.isGivenAway) giveBack(this.#current.buffer)
  }

  #unpin(slot: Slot | undefined): boolean {
    if (slot === undefined) return false
    slot.pins -= 1
    if (slot.pins > 0) return true
    this.#pinned.delete(slot.buffer.buffer)
    if (!slot.isGivenAway && (slot !== this.#current || this.#isClosed)) giveBack(slot.buffer)
    return true
  }
}

function newSlot(): Slot {
  return { buffer: takeBuffer(), pins: 0, isGivenAway: false }
}
