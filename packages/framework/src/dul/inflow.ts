import type { Transport } from './transport.ts'
import { TurnShare } from './turn-share.ts'

/** What takes the bytes of an {@link Inflow}: the provider, with its framer. */
export interface InflowReader {
  /** Walks a chunk; returns how many bytes of it were taken. */
  walk(chunk: Buffer): number
  /** Leave the rest of the chunk that is being walked. */
  interrupt(): void
}

/**
 * The bytes of one connection on their way to the framer: in slices, so that a peer that sends many small
 * things leaves the event loop to others, and not at all while the user holds them back. What was read and not
 * walked stays where it was read; nothing is read meanwhile.
 */
export class Inflow {
  readonly #reader: InflowReader
  readonly #transport: () => Transport | undefined
  readonly #share = new TurnShare()
  #rest: Buffer | undefined
  #isHeld = false
  /** The others have their turn. */
  #isYielding = false
  #isWalking = false

  constructor(reader: InflowReader, transport: () => Transport | undefined) {
    this.#reader = reader
    this.#transport = transport
  }

  receive(chunk: Buffer): void {
    // A stream may have had it already when it was told to pause.
    if (this.#rest !== undefined || this.#isYielding) {
      this.#leave(this.#rest === undefined ? chunk : Buffer.concat([this.#rest, chunk]))
      return
    }
    this.#walk(chunk)
  }

  /** A piece of the chunk under way was dealt with, or is about to be. @param pieces what it is worth in small ones */
  spend(pieces = 1): void {
    if (this.#isYielding || !this.#share.spend(pieces)) return
    this.#isYielding = true
    this.#reader.interrupt()
    this.#transport()?.pause()
    this.#goOnSoon()
  }

  /** Nothing is read until `resume`. What was read and is not walked may be walked. */
  pause(): void {
    this.#isHeld = true
    this.#transport()?.pause()
  }

  /** Nothing more of what was read is walked either. */
  hold(): void {
    this.pause()
    this.#reader.interrupt()
  }

  resume(): void {
    this.#isHeld = false
    if (this.#isYielding) return
    if (this.#rest === undefined) {
      this.#transport()?.resume()
    } else {
      // Not within the call: what resumes may be what the bytes lead to.
      this.#isYielding = true
      this.#goOnSoon()
    }
  }

  /** Nothing of what was read will be walked any more. */
  stop(): void {
    this.#rest = undefined
    // Within a walk what came before may still be kept: then its end gives them back.
    if (!this.#isWalking) this.#transport()?.readBuffers?.returnLeft()
  }

  #walk(chunk: Buffer): void {
    let taken: number
    this.#isWalking = true
    try {
      taken = this.#reader.walk(chunk)
    } finally {
      this.#isWalking = false
    }
    if (taken === chunk.length) {
      this.#transport()?.readBuffers?.returnLeft()
      return
    }
    this.#leave(chunk.subarray(taken))
    // Held and let go within the walk: nobody else will go on.
    if (this.#isHeld || this.#isYielding) return
    this.#isYielding = true
    this.#goOnSoon()
  }

  #leave(rest: Buffer): void {
    const buffers = this.#transport()?.readBuffers
    this.#rest = buffers === undefined ? rest : buffers.leave(rest)
  }

  #goOnSoon(): void {
    setImmediate(() => {
      this.#isYielding = false
      this.#share.renew()
      if (this.#isHeld) return
      const rest = this.#rest
      this.#rest = undefined
      if (rest !== undefined) this.#walk(rest)
      if (!this.#isYielding && !this.#isHeld && this.#rest === undefined) this.#transport()?.resume()
    })
  }
}
