import type { AcceptedContext } from '../acse/types.ts'
import { decodeDataSet } from '../dataset/index.ts'
import type { DataSet } from '../dataset/types.ts'
import type { CommandSet } from '../dimse/command-set.ts'
import { statusCategory } from '../dimse/status.ts'

/** A response to a request of a {@link TestScu}. */
export interface TestResponse {
  readonly command: CommandSet
  readonly status: number
  /** The data set as it came, encoded. */
  readonly bytes: Buffer | undefined
  /** The data set decoded. */
  dataset(): Promise<DataSet | undefined>
}

/** A request that was sent: its responses as they come, the final one last. */
export class TestRequest implements AsyncIterable<TestResponse> {
  readonly messageId: number
  readonly context: AcceptedContext
  /** Resolves when the socket took the whole request. */
  readonly sent: Promise<void>
  readonly #responses: TestResponse[] = []
  #isComplete = false
  #error: Error | undefined
  #waiting: (() => void)[] = []

  /** @internal */
  constructor(messageId: number, context: AcceptedContext, sent: Promise<void>) {
    this.messageId = messageId
    this.context = context
    this.sent = sent
  }

  /** Responses that arrived so far. */
  get responses(): readonly TestResponse[] {
    return this.#responses
  }

  /** The next responses in order; ends after the final one. @throws when the association ends before. */
  async *[Symbol.asyncIterator](): AsyncGenerator<TestResponse, void, undefined> {
    for (let index = 0; ; index++) {
      while (index >= this.#responses.length && !this.#isComplete) {
        if (this.#error !== undefined) throw this.#error
        await new Promise<void>((resolve) => this.#waiting.push(resolve))
      }
      const response = this.#responses[index]
      if (response === undefined) return
      yield response
    }
  }

  /** All responses, when the final one is there. @throws when the association ends before. */
  async all(): Promise<readonly TestResponse[]> {
    const all: TestResponse[] = []
    for await (const response of this) all.push(response)
    return all
  }

  /** The final response. @throws when the association ends before. */
  async final(): Promise<TestResponse> {
    return (await this.all()).at(-1) as TestResponse
  }

  /** @internal True when it was the final one. */
  respond(command: CommandSet, bytes: Buffer | undefined): boolean {
    const { transferSyntax } = this.context
    const status = command.status ?? 0
    this.#responses.push({
      command,
      status,
      bytes,
      dataset: async () => (bytes === undefined ? undefined : decodeDataSet(bytes, transferSyntax)),
    })
    this.#isComplete = statusCategory(status) !== 'pending'
    this.#wake()
    return this.#isComplete
  }

  /** @internal */
  fail(error: Error): void {
    this.#error ??= error
    this.#wake()
  }

  #wake(): void {
    for (const wake of this.#waiting.splice(0)) wake()
  }
}
