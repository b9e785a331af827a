/**
 * The bytes of an instance to send, the first piece of which has been drawn: a file that cannot be opened
 * fails before anything is on the wire, and costs its sub-operation, not the association.
 */
export class DrawnBytes implements AsyncIterable<Uint8Array> {
  readonly #iterator: AsyncIterator<Uint8Array> | Iterator<Uint8Array>
  #first: IteratorResult<Uint8Array> | undefined

  private constructor(iterator: AsyncIterator<Uint8Array> | Iterator<Uint8Array>, first: IteratorResult<Uint8Array>) {
    this.#iterator = iterator
    this.#first = first
  }

  /** @throws what the source throws at its first piece, TypeError when that is no bytes. */
  static async of(source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<DrawnBytes> {
    if (!isIterable(source)) throw new TypeError('bytes() of an instance to send must give bytes or an iterable of them')
    const iterator = Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]()
    const first = await iterator.next()
    if (first.done !== true && !(first.value instanceof Uint8Array)) {
      await iterator.return?.()
      throw new TypeError('bytes() of an instance to send must give pieces of type Uint8Array')
    }
    return new DrawnBytes(iterator, first)
  }

  /** Lets the source clean up. Not waited for: what has begun to draw from it may never end. */
  close(): void {
    void (async () => this.#iterator.return?.())().catch(() => {})
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    return {
      next: async () => {
        const first = this.#first
        this.#first = undefined
        return first ?? this.#iterator.next()
      },
      return: async () => {
        await this.#iterator.return?.()
        return { done: true, value: undefined }
      },
    }
  }
}

function isIterable(source: unknown): boolean {
  return typeof source === 'object' && source !== null && (Symbol.asyncIterator in source || Symbol.iterator in source)
}
