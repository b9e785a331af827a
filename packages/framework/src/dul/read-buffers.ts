/** One read fills at most this: larger reads cost fewer turns of the event loop per MiB. */
const BUFFER_BYTES = 262_144
/** Fits into the read buffer that all connections share. */
const SMALL_BYTES = 32_768
/** Buffers kept for the next connection; the rest is left to the garbage collector. */
const SPARE_BUFFERS = 32
/** Fragments smaller than this pin a whole buffer only as long as few do. */
const COPY_BELOW_BYTES = 32_768
/** A smaller fragment that a handler gets is copied: it would keep far more memory than is counted for it. */
const GIVEN_AWAY_FROM_BYTES = BUFFER_BYTES / 2
/** After so many reads that one of the shared size would have taken, the large buffer goes back. */
const FEW_BYTES_READS = 8
/** Of all connections. Most are let go within the turn: that costs less than a copy. */
const SLOTS_OF_SMALL_FRAGMENTS = 16

interface Slot {
  readonly buffer: Buffer
  /** Fragments of it that somebody keeps. */
  pins: number
  /** The first of them was a small one. */
  isForSmallFragments: boolean
  /** A fragment of it belongs to a handler: it is never read into again. */
  isGivenAway: boolean
}

const spares: Buffer[] = []
let slotsOfSmallFragments = 0

/**
 * Connections that have little to say, which are most at any time, are all read into this one: a read is walked before
 * the next one of anybody, and what is kept of it is copied.
 */
const SHARED: Slot = { buffer: Buffer.allocUnsafeSlow(SMALL_BYTES), pins: 0, isForSmallFragments: false, isGivenAway: false }

function takeBuffer(): Buffer {
  return spares.pop() ?? Buffer.allocUnsafeSlow(BUFFER_BYTES)
}

function giveBack(buffer: Buffer): void {
  if (buffer.length === BUFFER_BYTES && spares.length < SPARE_BUFFERS) spares.push(buffer)
}

/**
 * The buffers that one connection is read into: the one that all share until much comes, then large ones. A large one
 * is read into again and again as long as nobody keeps a fragment of it; one that is pinned is replaced for the next
 * read and returns when its last fragment is let go. So data sets reach their sink without a copy, and memory stays the
 * same however much is received.
 */
export class ReadBuffers {
  readonly #manyBytes: number
  #mayBeLarge: boolean
  /** So many more reads into a large buffer, unless they bring much. */
  #largeReads: number
  #current: Slot
  #pinned: Map<ArrayBufferLike, Slot> | undefined
  /** Part of it is not walked yet. */
  #left: Slot | undefined
  #isClosed = false

  /**
   * @param isLarge begin with large buffers
   * @param manyBytes of one read, after which there may be more: it filled the shared buffer, or what is read is cut smaller
   */
  constructor(isLarge = true, manyBytes: number = SMALL_BYTES) {
    this.#manyBytes = manyBytes
    this.#mayBeLarge = isLarge
    this.#largeReads = isLarge ? FEW_BYTES_READS : 0
    this.#current = isLarge ? largeSlot() : SHARED
  }

  /** There is an association: much may be read. Before and after it the shared buffer is enough. */
  set isLarge(value: boolean) {
    this.#mayBeLarge = value
  }

  /** So many bytes were read into the last buffer that was asked for. */
  received(bytes: number): void {
    if (bytes >= this.#manyBytes) this.#largeReads = FEW_BYTES_READS
    else if (this.#largeReads > 0) this.#largeReads -= 1
  }

  /** Where the next read goes. */
  next(): Buffer {
    const before = this.#current
    const isLarge = this.#largeReads > 0 && this.#mayBeLarge
    // Nothing of the shared one is ever in use when somebody reads.
    if (before === SHARED && !isLarge) return before.buffer
    const isInUse = before.pins > 0 || before.isGivenAway || before === this.#left
    if (isInUse || before === SHARED || !isLarge) {
      this.#current = isLarge ? largeSlot() : SHARED
      this.#giveBackUnlessUsed(before)
    }
    return this.#current.buffer
  }

  /**
   * Keeps what is walked later of the read under way, or of what was left of one before; what is small comes
   * back as a copy. Node asks for the next buffer as soon as a read was handed over, walked or not.
   */
  leave(rest: Buffer): Buffer {
    const slot = this.#slotOf(rest)
    if (slot === undefined) return rest
    if (rest.length < COPY_BELOW_BYTES || slot === SHARED) {
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

  /** Keeps a fragment of what is being walked; small ones may come back as a copy. */
  keep(fragment: Buffer): Buffer {
    const slot = this.#slotOf(fragment)
    if (slot === undefined) return fragment
    if (slot === SHARED) return Buffer.from(fragment)
    if (fragment.length < COPY_BELOW_BYTES && slot.pins === 0) {
      if (slotsOfSmallFragments >= SLOTS_OF_SMALL_FRAGMENTS) return Buffer.from(fragment)
      slot.isForSmallFragments = true
      slotsOfSmallFragments += 1
    }
    this.#pin(slot)
    return fragment
  }

  /** Can it be kept where it is, should that be needed? */
  isPinnable(fragment: Buffer): boolean {
    return this.#slotOf(fragment) !== SHARED
  }

  /** Keeps a fragment where it is that {@link isPinnable}. False when it is in memory of its own. */
  pin(fragment: Buffer): boolean {
    const slot = this.#slotOf(fragment)
    if (slot !== undefined) this.#pin(slot)
    return slot !== undefined
  }

  /** Lets a kept fragment go. False when it was not pinned: a copy, or memory of its own. */
  release(fragment: Buffer): boolean {
    return this.#unpin(this.#pinned?.get(fragment.buffer))
  }

  /**
   * Hands a kept fragment over for good: its buffer is never read into again, or, where it fills little of it, what
   * comes back is a copy. Undefined when it was not pinned.
   */
  giveAway(fragment: Buffer): Buffer | undefined {
    const slot = this.#pinned?.get(fragment.buffer)
    if (slot === undefined) return undefined
    const isCopied = fragment.length < GIVEN_AWAY_FROM_BYTES
    const given = isCopied ? Buffer.from(fragment) : fragment
    if (!isCopied) slot.isGivenAway = true
    this.#unpin(slot)
    return given
  }

  /** Lets a kept fragment go that is still in use: its buffer is never read into again. False as for `release`. */
  abandon(fragment: Buffer): boolean {
    const slot = this.#pinned?.get(fragment.buffer)
    if (slot !== undefined) slot.isGivenAway = true
    return this.#unpin(slot)
  }

  /** Was the fragment kept without a copy? */
  isPinned(fragment: Buffer): boolean {
    return this.#pinned?.has(fragment.buffer) === true
  }

  /** Memory that is pinned, in bytes. */
  get pinnedBytes(): number {
    return (this.#pinned?.size ?? 0) * BUFFER_BYTES
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

  #pin(slot: Slot): void {
    slot.pins += 1
    if (slot.pins > 1) return
    this.#pinned ??= new Map()
    this.#pinned.set(slot.buffer.buffer, slot)
  }

  #unpin(slot: Slot | undefined): boolean {
    if (slot === undefined) return false
    slot.pins -= 1
    if (slot.pins > 0) return true
    this.#pinned?.delete(slot.buffer.buffer)
    if (slot.isForSmallFragments) {
      slot.isForSmallFragments = false
      slotsOfSmallFragments -= 1
    }
    this.#giveBackUnlessUsed(slot)
    return true
  }

  #giveBackUnlessUsed(slot: Slot): void {
    if (slot.pins > 0 || slot.isGivenAway || slot === this.#left || (slot === this.#current && !this.#isClosed)) return
    giveBack(slot.buffer)
  }
}

function largeSlot(): Slot {
  return { buffer: takeBuffer(), pins: 0, isForSmallFragments: false, isGivenAway: false }
}
