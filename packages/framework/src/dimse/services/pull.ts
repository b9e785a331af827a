import type { RunningOperation } from '../operation.ts'

/** Pulls items one by one; gives up waiting as soon as the operation is ended from outside. */
export class ItemPuller<T> {
  readonly #iterator: AsyncIterator<T> | Iterator<T>
  readonly #operation: RunningOperation
  #isDone = false

  constructor(items: AsyncIterable<T> | Iterable<T>, operation: RunningOperation) {
    const asynchronous = (items as Partial<AsyncIterable<T>>)[Symbol.asyncIterator]
    this.#iterator =
      asynchronous === undefined ? (items as Iterable<T>)[Symbol.iterator]() : asynchronous.call(items as AsyncIterable<T>)
    this.#operation = operation
  }

  /** @throws the operation's end reason; what the iterator throws. */
  async next(): Promise<IteratorResult<T, unknown>> {
    const result = await this.#operation.untilEnd(Promise.resolve(this.#iterator.next()))
    if (result.done === true) this.#isDone = true
    return result
  }

  /**
   * Lets the iterator clean up. Not waited for: `return()` of a generator that is stuck in an await does
   * not run before that await ends.
   */
  stop(failed: (error: unknown) => void): void {
    if (this.#isDone) return
    this.#isDone = true
    void (async () => this.#iterator.return?.())().catch(failed)
  }
}
