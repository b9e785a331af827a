import type { Invocation, Response } from './invocation.ts'

/**
 * The responses to a request as an async generator. Unlike a plain one it lets the request go when it is
 * returned before it was iterated, or while a `next` is under way.
 */
export class ResponseGenerator<T> implements AsyncGenerator<T, void, undefined> {
  readonly #giveUp: () => void
  readonly #inner: AsyncGenerator<T, void, undefined>

  constructor(invocation: Invocation, giveUp: (invocation: Invocation) => void, convert: (response: Response) => Promise<T>) {
    this.#giveUp = () => {
      giveUp(invocation)
    }
    this.#inner = iterate(invocation, this.#giveUp, convert)
  }

  next(): Promise<IteratorResult<T, void>> {
    return this.#inner.next()
  }

  /** Sends C-CANCEL, unless the final response is there; what still comes is dropped. */
  return(): Promise<IteratorResult<T, void>> {
    this.#giveUp()
    return this.#inner.return()
  }

  throw(error: unknown): Promise<IteratorResult<T, void>> {
    this.#giveUp()
    return this.#inner.throw(error)
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return()
  }
}

async function* iterate<T>(
  invocation: Invocation,
  giveUp: () => void,
  convert: (response: Response) => Promise<T>,
): AsyncGenerator<T, void, undefined> {
  try {
    for (let response = await invocation.next(); response !== undefined; response = await invocation.next()) {
      yield await convert(response)
    }
  } finally {
    giveUp()
  }
}
