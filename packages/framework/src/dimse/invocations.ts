import { DicomtapError } from '../errors/index.ts'
import type { CommandSet } from './command-set.ts'
import type { DataSetStream } from './data-set-stream.ts'
import { statusCategory } from './status.ts'

/** A response to a request of ours. */
export interface Response {
  readonly command: CommandSet
  readonly dataSet: DataSetStream | undefined
}

interface Invocation {
  readonly queue: Response[]
  isComplete: boolean
  error: DicomtapError | undefined
  wake: (() => void) | undefined
  timer: NodeJS.Timeout | undefined
}

const LARGEST_MESSAGE_ID = 0xffff

/** The requests this side has sent and not yet got the final response of, by message ID (PS3.7 9.1.1.1.1). */
export class Invocations {
  readonly #timeoutMs: number | null
  readonly #timedOut: () => void
  readonly #open = new Map<number, Invocation>()
  #lastMessageId = 0

  constructor(timeoutMs: number | null, timedOut: () => void) {
    this.#timeoutMs = timeoutMs
    this.#timedOut = timedOut
  }

  get size(): number {
    return this.#open.size
  }

  /** A message ID that is not in use, and the responses that will come for it. */
  open(): { readonly messageId: number; readonly responses: AsyncIterable<Response> } {
    do {
      this.#lastMessageId = (this.#lastMessageId % LARGEST_MESSAGE_ID) + 1
    } while (this.#open.has(this.#lastMessageId))
    const messageId = this.#lastMessageId
    const invocation: Invocation = { queue: [], isComplete: false, error: undefined, wake: undefined, timer: undefined }
    this.#open.set(messageId, invocation)
    return { messageId, responses: this.#responses(messageId, invocation) }
  }

  /** The request has left: from here on the peer is waited for. */
  sent(messageId: number): void {
    const invocation = this.#open.get(messageId)
    if (invocation === undefined || this.#timeoutMs === null) return
    invocation.timer ??= setTimeout(this.#timedOut, this.#timeoutMs)
  }

  /** The request has not left, and will not. */
  fail(messageId: number, error: DicomtapError): void {
    const invocation = this.#open.get(messageId)
    if (invocation === undefined) return
    invocation.error = error
    this.#complete(messageId, invocation)
    invocation.wake?.()
  }

  /** Hands a response to the request it answers. False when there is none. */
  respond(command: CommandSet, dataSet: DataSetStream | undefined): boolean {
    const invocation = this.#open.get(command.messageIdBeingRespondedTo ?? -1)
    if (invocation === undefined) return false
    // PS3.7 annex C: a Pending status says that more will follow; each restarts the wait.
    if (statusCategory(command.status ?? 0) === 'pending') invocation.timer?.refresh()
    else this.#complete(command.messageIdBeingRespondedTo as number, invocation)
    invocation.queue.push({ command, dataSet })
    invocation.wake?.()
    return true
  }

  end(error: DicomtapError): void {
    for (const messageId of this.#open.keys()) this.fail(messageId, error)
  }

  #complete(messageId: number, invocation: Invocation): void {
    clearTimeout(invocation.timer)
    invocation.isComplete = true
    this.#open.delete(messageId)
  }

  async *#responses(messageId: number, invocation: Invocation): AsyncGenerator<Response, void, undefined> {
    try {
      for (;;) {
        const response = invocation.queue.shift()
        if (response !== undefined) {
          yield response
        } else if (invocation.error !== undefined) {
          throw new DicomtapError(invocation.error.code, `Request ${messageId} was not answered: ${invocation.error.message}`)
        } else if (invocation.isComplete) {
          return
        } else {
          await new Promise<void>((resolve) => (invocation.wake = resolve))
          invocation.wake = undefined
        }
      }
    } finally {
      // Whoever asked has heard enough; what still comes is a response to nothing.
      if (!invocation.isComplete) this.#complete(messageId, invocation)
      for (const { dataSet } of invocation.queue) dataSet?.discard()
    }
  }
}
