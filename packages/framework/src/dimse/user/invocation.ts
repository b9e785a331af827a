import type { AcceptedContext } from '../../acse/types.ts'
import { DicomtapError } from '../../errors/index.ts'
import type { CommandSet } from '../command-set.ts'
import type { DataSetStream } from '../data-set-stream.ts'
import type { DataSetBytes } from '../fragmenter.ts'
import type { DimseService } from '../types.ts'

/** A response to a request of ours. Its data set is being gathered: `dataSet.buffer()` and `.dataset()` have it. */
export interface Response {
  readonly command: CommandSet
  readonly dataSet: DataSetStream | undefined
}

/** A request that is ready to be sent but for its message ID. */
export interface OutgoingRequest {
  readonly context: AcceptedContext
  readonly command: CommandSet
  /** Gives the data set when the request's turn has come or is next; undefined when there is none after all. */
  readonly dataSet?: (() => DataSetBytes | undefined | Promise<DataSetBytes | undefined>) | undefined
}

/**
 * Where a request is on its way: `waiting` for its turn in the window, `preparing` its data set, `sending`,
 * `sent`, `over` when nothing more will come.
 */
export type InvocationState = 'waiting' | 'preparing' | 'sending' | 'sent' | 'over'

/** A response that waits to be taken. */
interface Unread {
  readonly response: Response
  bytes: number
  isTaken: boolean
}

/** What one response costs besides its bytes. */
const RESPONSE_OVERHEAD_BYTES = 512
/** Taken responses are cut off the front in lots of this: one by one costs more the more there are. */
const LOT = 1_024

/** A request of this side, from the call to its final response (PS3.7 9.1, 10.1). */
export class Invocation {
  readonly service: DimseService
  readonly sopClassUid: string
  readonly request: OutgoingRequest | Promise<OutgoingRequest>
  state: InvocationState = 'waiting'
  /** Its data set is being made, or was. */
  isPreparing = false
  /** What is to be sent, when it was ready before its turn. */
  prepared: { readonly request: OutgoingRequest; readonly dataSet: DataSetBytes | undefined } | undefined
  /** From `sending` on. */
  context: AcceptedContext | undefined
  messageId: number | undefined
  timer: NodeJS.Timeout | undefined
  /** It is being handed over to be sent. */
  isLeaving = false
  isCancelWanted = false
  isCancelSent = false
  /** The final response, when it came before the whole request was sent. */
  early: Response | undefined
  /** Ends the listening to its AbortSignal. */
  unlisten: (() => void) | undefined
  readonly #changed: () => void
  #unread: Unread[] = []
  /** Where `next` goes on in `unread`. */
  #position = 0
  #unreadBytes = 0
  #isAbandoned = false
  #error: DicomtapError | undefined
  #wake: (() => void) | undefined

  /** @param changed called when a response was taken, or the bytes of one are complete */
  constructor(service: DimseService, sopClassUid: string, request: OutgoingRequest | Promise<OutgoingRequest>, changed: () => void) {
    this.service = service
    this.sopClassUid = sopClassUid
    this.request = request
    this.#changed = changed
  }

  /** Has it Pending responses, and can it be cancelled (PS3.7 9.3.2.3, 9.3.3.3, 9.3.4.3)? */
  get isMultiResponse(): boolean {
    return this.service === 'C-FIND' || this.service === 'C-GET' || this.service === 'C-MOVE'
  }
  /** Nobody listens any more: what still comes is dropped. */
  get isAbandoned(): boolean {
    return this.#isAbandoned
  }
  get error(): DicomtapError | undefined {
    return this.#error
  }
  /** Responses that nobody has taken yet. */
  get unread(): number {
    return this.#unread.length - this.#position
  }
  get unreadBytes(): number {
    return this.#unreadBytes + this.unread * RESPONSE_OVERHEAD_BYTES
  }

  /** A response came whose turn it is. */
  push(response: Response): void {
    const { dataSet } = response
    if (this.#isAbandoned) {
      dataSet?.discard()
      return
    }
    const entry = { response, bytes: 0, isTaken: false }
    this.#unread.push(entry)
    if (dataSet !== undefined) {
      // Gathered at once: bytes left in the stream would count against the flow of the whole association.
      dataSet.buffer().then(
        ({ length }) => {
          if (entry.isTaken || this.#isAbandoned) return
          entry.bytes = length
          this.#unreadBytes += length
          this.#changed()
        },
        () => {},
      )
    }
    this.#wake?.()
  }

  /** No more responses will come. Those that came can still be taken. */
  fail(error: DicomtapError): void {
    this.#error ??= error
    this.#wake?.()
  }

  /** Nothing more will come, and nothing is wrong. */
  finish(): void {
    this.state = 'over'
    this.#wake?.()
  }

  /** Drops what is there and what will come. */
  abandon(): void {
    if (this.#isAbandoned) return
    this.#isAbandoned = true
    for (const { response } of this.#unread.slice(this.#position)) response.dataSet?.discard()
    this.#unread = []
    this.#position = 0
    this.#unreadBytes = 0
    this.#wake?.()
  }

  /** The next response, undefined after the last. One call at a time. @throws why there will be none. */
  async next(): Promise<Response | undefined> {
    for (;;) {
      const response = this.#take()
      if (response !== undefined) {
        this.#changed()
        return response
      }
      if (this.#isAbandoned) return undefined
      if (this.#error !== undefined) throw this.#error
      if (this.state === 'over') return undefined
      await new Promise<void>((resolve) => (this.#wake = resolve))
      this.#wake = undefined
    }
  }

  /** The response of a service that has one. @throws as `next` */
  async only(): Promise<Response> {
    const response = await this.next()
    if (response === undefined) throw new DicomtapError('DICOMTAP_ERR_DIMSE_CANCELLED', `The ${this.service} was given up`)
    return response
  }

  #take(): Response | undefined {
    const entry = this.#unread[this.#position]
    if (entry === undefined) return undefined
    entry.isTaken = true
    this.#unreadBytes -= entry.bytes
    this.#position += 1
    if (this.#position === this.#unread.length) {
      this.#unread = []
      this.#position = 0
    } else if (this.#position === LOT) {
      this.#unread = this.#unread.slice(LOT)
      this.#position = 0
    }
    return entry.response
  }
}
