import { constants, inflateRawSync } from 'node:zlib'

const FIRST_ATTEMPT_BYTES = 512
const MAXIMUM_INPUT_BYTES = 256 * 1024
/** Deflate makes at most 1032 bytes of one: the first attempt always fits, and a bomb never does. */
const MAXIMUM_OUTPUT_BYTES = 1024 * 1024

/**
 * Inflates the first bytes of a deflated data set, synchronously and within fixed memory: a short piece,
 * then one twice as long, until the caller has what it wants. Starting anew each time costs at most as much
 * again as the last attempt.
 */
export class HeadInflater {
  readonly #enoughBytes: number
  #input: Buffer = Buffer.allocUnsafe(FIRST_ATTEMPT_BYTES)
  #inputBytes = 0
  #attemptBytes = FIRST_ATTEMPT_BYTES
  #outputBytes = 0
  #isExhausted = false
  #isMalformed = false

  /** @param enoughBytes stop when that much was inflated */
  constructor(enoughBytes: number) {
    this.#enoughBytes = enoughBytes
  }

  get isMalformed(): boolean {
    return this.#isMalformed
  }

  /** Nothing more will come, whatever is added. */
  get isExhausted(): boolean {
    return this.#isExhausted
  }

  add(fragment: Uint8Array): void {
    const room = MAXIMUM_INPUT_BYTES - this.#inputBytes
    if (room === 0 || this.#isExhausted) return
    const taken = fragment.length > room ? fragment.subarray(0, room) : fragment
    const needed = this.#inputBytes + taken.length
    if (needed > this.#input.length) {
      const grown = Buffer.allocUnsafe(Math.min(MAXIMUM_INPUT_BYTES, Math.max(needed, this.#input.length * 2)))
      this.#input.copy(grown, 0, 0, this.#inputBytes)
      this.#input = grown
    }
    this.#input.set(taken, this.#inputBytes)
    this.#inputBytes = needed
  }

  /** The next inflated bytes; undefined when more input is needed, or none will help. */
  next(isLast: boolean): Uint8Array | undefined {
    while (!this.#isExhausted) {
      const isFinal = isLast && this.#inputBytes < this.#attemptBytes
      if (this.#inputBytes < this.#attemptBytes && !isFinal) return undefined
      const input = this.#input.subarray(0, Math.min(this.#attemptBytes, this.#inputBytes))
      this.#isExhausted = isFinal || this.#attemptBytes >= MAXIMUM_INPUT_BYTES
      this.#attemptBytes *= 2
      const inflated = this.#attempt(input)
      if (inflated === undefined) {
        this.#isExhausted = true
        return undefined
      }
      const fresh = inflated.subarray(this.#outputBytes)
      this.#outputBytes = inflated.length
      if (this.#outputBytes >= this.#enoughBytes) this.#isExhausted = true
      if (fresh.length > 0) return fresh
    }
    return undefined
  }

  #attempt(input: Buffer): Buffer | undefined {
    try {
      return inflateRawSync(input, { finishFlush: constants.Z_SYNC_FLUSH, maxOutputLength: MAXIMUM_OUTPUT_BYTES })
    } catch (error) {
      this.#isMalformed = (error as NodeJS.ErrnoException).code !== 'ERR_BUFFER_TOO_LARGE'
      return undefined
    }
  }
}
