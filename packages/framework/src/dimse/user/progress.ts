import type { Logger } from '../../logger.ts'
import type { DataSetBytes } from '../fragmenter.ts'
import { lend, loanOf } from '../loans.ts'

/** How often bytes that are there as a whole report progress. Smaller ones do once, at their end. */
const PIECE_BYTES = 1_048_576

/**
 * Tells how many bytes of a data set were taken so far. A callback that throws is logged and not called again:
 * it must not tear the message.
 */
export class Progress {
  readonly #onProgress: (sentBytes: number) => void
  readonly #log: Logger
  #sentBytes = 0
  #wholeBytes = 0
  #hasFailed = false

  constructor(onProgress: (sentBytes: number) => void, log: Logger) {
    this.#onProgress = onProgress
    this.#log = log
  }

  /** The same bytes; each time that more are asked for, the ones before are counted. */
  of(bytes: DataSetBytes): DataSetBytes {
    if (!(bytes instanceof Uint8Array)) return this.#counted(bytes)
    if (bytes.length > PIECE_BYTES) return this.#counted(pieces(bytes))
    this.#wholeBytes = bytes.length
    return bytes
  }

  /** Everything was sent. */
  ended(): void {
    if (this.#wholeBytes > 0) this.#count(this.#wholeBytes)
  }

  async *#counted(source: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
    for await (const piece of source) {
      yield piece
      this.#count(piece.length)
    }
  }

  #count(bytes: number): void {
    this.#sentBytes += bytes
    if (this.#hasFailed) return
    try {
      this.#onProgress(this.#sentBytes)
    } catch (error) {
      this.#hasFailed = true
      this.#log.error('onProgress of a C-STORE failed', { error })
    }
  }
}

function* pieces(bytes: Uint8Array): Generator<Uint8Array, void, undefined> {
  const returned = loanOf(bytes)
  for (let offset = 0; offset < bytes.length; offset += PIECE_BYTES) {
    const piece = bytes.subarray(offset, offset + PIECE_BYTES)
    // Pieces leave in order: when the last has, all have.
    if (returned !== undefined && offset + PIECE_BYTES >= bytes.length) lend(piece, returned)
    yield piece
  }
}
