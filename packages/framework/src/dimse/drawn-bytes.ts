import { DicomtapError } from '../errors/index.ts'

type Source = AsyncIterable<Uint8Array> | Iterable<Uint8Array>
type Pieces = AsyncIterator<Uint8Array> | Iterator<Uint8Array>

/**
 * What a source of bytes to send is asked for, or a rejection when it gives nothing for too long: half a message may
 * be on the wire, and what is behind it waits.
 * @throws DICOMTAP_ERR_DIMSE_TIMEOUT
 */
export function withinSourceTime<T>(work: Promise<T>, limitMs: number | null): Promise<T> {
  if (limitMs === null) return work
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(new DicomtapError('DICOMTAP_ERR_DIMSE_TIMEOUT', `The source of what is to be sent gave nothing for ${limitMs} ms`))
    }, limitMs)
    // Whoever still waits when nothing else keeps the process alive waits for an association that is gone.
    timer.unref()
    work.then(resolve, reject).finally(() => {
      clearTimeout(timer)
    })
  })
}

/**
 * The bytes of an instance to send, the first piece of which has been drawn: a file that cannot be opened
 * fails before anything is on the wire, and costs its sub-operation, not the association.
 */
export class DrawnBytes implements AsyncIterable<Uint8Array> {
  readonly #iterator: Pieces
  readonly #limitMs: number | null
  #first: IteratorResult<Uint8Array> | undefined

  private constructor(iterator: Pieces, first: IteratorResult<Uint8Array>, limitMs: number | null) {
    this.#iterator = iterator
    this.#first = first
    this.#limitMs = limitMs
  }

  /**
   * @param limitMs how long the source may take for a piece
   * @throws what the source throws at its first piece, TypeError when that is no bytes, DICOMTAP_ERR_DIMSE_TIMEOUT.
   */
  static async of(source: Source, limitMs: number | null = null): Promise<DrawnBytes> {
    if (!isIterable(source)) throw new TypeError('bytes() of an instance to send must give bytes or an iterable of them')
    const iterator = Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]()
    try {
      return new DrawnBytes(iterator, await drawn(iterator, limitMs), limitMs)
    } catch (error) {
      letGo(iterator)
      throw error
    }
  }

  /** Lets the source clean up. Not waited for: what has begun to draw from it may never end. */
  close(): void {
    letGo(this.#iterator)
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    return {
      next: async () => {
        const first = this.#first
        this.#first = undefined
        return first ?? drawn(this.#iterator, this.#limitMs)
      },
      return: async () => {
        await this.#iterator.return?.()
        return { done: true, value: undefined }
      },
    }
  }
}

async function drawn(iterator: Pieces, limitMs: number | null): Promise<IteratorResult<Uint8Array>> {
  const next = iterator.next()
  const result = await ('then' in next ? withinSourceTime(Promise.resolve(next), limitMs) : next)
  // What is no bytes would be sent as zeros.
  if (result.done === true || result.value instanceof Uint8Array) return result
  throw new TypeError('bytes() of an instance to send must give pieces of type Uint8Array')
}

function letGo(iterator: Pieces): void {
  void (async () => iterator.return?.())().catch(() => {})
}

function isIterable(source: unknown): boolean {
  return typeof source === 'object' && source !== null && (Symbol.asyncIterator in source || Symbol.iterator in source)
}
