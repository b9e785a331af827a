/** One read fills at most this: larger reads cost fewer turns of the event loop per MiB. */
const BUFFER_BYTES = 262_144
/** For connections that are no associations, of which there may be many. */
const SMALL_BUFFER_BYTES = 16_384
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
  if (buffer.length === BUFFER_BYTES && spares.length < SPARE_BUFFERS) spares.push(buffer)
}

/**
 * The buffers that one connection is read into. A buffer is read into again and again as long as nobody
 * keeps a fragment of it; one that is pinned is replaced for the next read and returns when its last
 * fragment is let go. So data sets reach their sink without a copy, and memory stays the same however
 * much is received.
 */
export class ReadBuffers {
  #isLarge: boolean
  #current: Slot
  readonly #pinned = new Map<ArrayBufferLike, Slot>()
  /** Part of it is not walked yet. */
  #left: Slot | undefined
  #isClosed = false

  constructor(isLarge = true) {
    this.#isLarge = isLarge
    this.#current = newSlot(isLarge)
  }

  /** Much is to be read: there is an association. Before and after it small buffers are enough. */
  set isLarge(value: boolean) {
    this.#isLarge = value
  }

  /** Where the next read goes. */
  next(): Buffer {
    const before = this.#current
    const isInUse = before.pins > 0 || before.isGivenAway || before === this.#left
    if (isInUse || isLargeSlot(before) !== this.#isLarge) this.#current = newSlot(this.#isLarge)
    if (before !== this.#current) this.#giveBackUnlessUsed(before)
    return this.#current.buffer
  }

  /**
   * Keeps what is walked later of the read under way, or of what was left of one before; what is small comes
   * back as a copy. Node asks for the next buffer as soon as a read was handed over, walked or not.
   */
  leave(rest: Buffer): Buffer {
    const slot = this.#slotOf(rest)
    if (slot === undefined) return rest
    if (rest.length < COPY_BELOW_BYTES) {
      const copy = Buffer.from(rest)
      this.returnLeft()
      return copy
    }
    if (slot !== this.#left) this.returnLeft()
    this.#left = slot
    return rest
  }

  /** What was left is walked, or never will be. */
  returnLeft(): void {
    const slot = this.#left
    this.#left = undefined
    if (slot !== undefined) this.#giveBackUnlessUsed(slot)
  }

  /** Keeps a fragment of what is being walked; small ones come back as a copy. */
  keep(fragment: Buffer): Buffer {
    const slot = this.#slotOf(fragment)
    if (slot === undefined) return fragment
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
    this.#giveBackUnlessUsed(this.#current)
  }

  /** The buffer that bytes lie in which are being walked; undefined: memory of their own. */
  #slotOf(bytes: Buffer): Slot | undefined {
    if (bytes.buffer === this.#current.buffer.buffer) return this.#current
    return bytes.buffer === this.#left?.buffer.buffer ? this.#left : undefined
  }

  #unpin(slot: Slot | undefined): boolean {
    if (slot === undefined) return false
    slot.pins -= 1
    if (slot.pins > 0) return true
    this.#pinned.delete(slot.buffer.buffer)
    this.#giveBackUnlessUsed(slot)
    return true
  }

  #giveBackUnlessUsed(slot: Slot): void {
    if (slot.pins > 0 || slot.isGivenAway || slot === this.#left || (slot === this.#current && !this.#isClosed)) return
    giveBack(slot.buffer)
  }
}

function isLargeSlot({ buffer }: Slot): boolean {
  return buffer.length === BUFFER_BYTES
}

function newSlot(isLarge: boolean): Slot {
  return { buffer: isLarge ? takeBuffer() : Buffer.allocUnsafeSlow(SMALL_BUFFER_BYTES), pins: 0, isGivenAway: false }
}
