import type { AcceptedContext } from '../acse/types.ts'
import { DicomtapError } from '../errors/index.ts'
import { CommandField, NO_DATA_SET, serviceOf } from './command-set.ts'
import type { CommandSet } from './command-set.ts'
import type { DataSetStream } from './data-set-stream.ts'
import type { DataSetBytes } from './fragmenter.ts'
import { sopClassOf } from './requests.ts'
import { statusCategory } from './status.ts'
import type { DimseService } from './types.ts'
import { checkSignal } from './user/checks.ts'
import { Invocation } from './user/invocation.ts'
import type { OutgoingRequest, Response } from './user/invocation.ts'
import { cancelled, nameOf, notAnswered, notPrepared, reasonOf } from './user/invocation-errors.ts'
import { RequestWindow } from './user/request-window.ts'
import { violationOf } from './user/response-rules.ts'
import { UnreadLimit } from './user/unread-limit.ts'

export type { Response } from './user/invocation.ts'

const LARGEST_MESSAGE_ID = 0xffff
/** PS3.4 C.6.4.4: B001 ends the matches; some SCPs still send a Success after it. */
const REPOSITORY_QUERY = '1.2.840.10008.5.1.4.1.1.201.6'
const RESPONSE_LIMIT_REACHED = 0xb001

/** What the invocations need of the provider they belong to. */
export interface InvocationHost {
  /** Requests outstanding at once (PS3.7 D.3.3.3), at least 1. */
  readonly window: number
  /** Wait for a response, restarted by each; null: none. */
  readonly timeoutMs: number | null
  /** Bytes of unread responses to one request from which on nothing is read. */
  readonly maximumUnreadBytes: number
  /** Bytes of unread responses to all requests that end the association. */
  readonly largestUnreadBytes: number
  send(context: AcceptedContext, command: CommandSet, dataSet?: DataSetBytes): Promise<void> | undefined
  /** The peer cannot answer now: nothing is read, or it is in the middle of a message. */
  isPeerHeldUp(): boolean
  /** Requests of the peer are performed, e.g. the sub-operations of a C-GET. */
  isPerforming(): boolean
  hold(): void
  unhold(): void
  /** Ends the association because of what the peer did, or did not. */
  abort(message: string): void
}

/**
 * The requests of this side that have not got their final response (PS3.7 9.1.1.1.1): as many outstanding
 * as were negotiated, the others in line behind them; responses found by message ID. A slot of the window
 * is free again when the request was sent and its final response is there, or when it failed.
 */
export class Invocations {
  readonly #host: InvocationHost
  readonly #window: RequestWindow
  /** By message ID, from the first byte sent. */
  readonly #open = new Map<number, Invocation>()
  /** Message IDs of which one more response may come. */
  readonly #tolerated = new Set<number>()
  readonly #unreadLimit: UnreadLimit
  readonly #emptyWaiters: (() => void)[] = []
  #retrieves = 0
  #lastMessageId = 0
  #ended: DicomtapError | undefined

  constructor(host: InvocationHost) {
    this.#host = host
    this.#unreadLimit = new UnreadLimit(host, (invocation) => {
      const message = `${nameOf(invocation)}: more than ${host.largestUnreadBytes} bytes of responses came that nobody has read`
      this.#abort(invocation, new DicomtapError('DICOMTAP_ERR_DS_TOO_LARGE', message), message)
    })
    this.#window = new RequestWindow(Math.min(host.window, LARGEST_MESSAGE_ID), {
      send: (invocation, request, dataSet) => {
        this.#send(invocation, request, dataSet)
      },
      fail: (invocation, error) => {
        this.#end(invocation, notPrepared(invocation, error))
      },
    })
  }

  /** Requests that have not got their final response, those that wait for their turn included. */
  get size(): number {
    return this.#window.size
  }

  /** Would a request that is ready be sent, or made ready to be the next one, at once? */
  isNextAtOnce(signal: AbortSignal | undefined): boolean {
    return signal === undefined && this.#ended === undefined && this.#window.isNextAtOnce
  }

  /** Resolves when every request has its final response. From here on nothing waits for who does not read. */
  empty(): Promise<void> {
    this.#unreadLimit.lift()
    if (this.size === 0) return Promise.resolve()
    return new Promise((resolve) => this.#emptyWaiters.push(resolve))
  }

  /**
   * Takes a request up; it is sent when the window has room, at once when it has.
   * @param signal takes it back while nothing was sent; then sends C-CANCEL where the service has it
   * @throws DICOMTAP_ERR_DIMSE_CANCELLED when the signal is aborted already, DICOMTAP_ERR_DIMSE_REQUEST when it is none
   */
  open(
    service: DimseService,
    sopClassUid: string,
    request: OutgoingRequest | Promise<OutgoingRequest>,
    signal?: AbortSignal,
  ): Invocation {
    const invocation = new Invocation(service, sopClassUid, request, () => {
      this.#unreadLimit.update(this.#open, this.size)
    })
    if (request instanceof Promise) {
      // It need not wait for its turn to fail, and may have nobody who waits.
      request.catch((error: unknown) => {
        this.#end(invocation, notPrepared(invocation, error))
      })
    }
    checkSignal(signal)
    if (signal?.aborted === true) throw cancelled(invocation, signal.reason)
    if (this.#ended !== undefined) {
      this.#end(invocation, this.#ended)
      return invocation
    }
    if (signal !== undefined) {
      const listener = (): void => this.#cancelBySignal(invocation, signal.reason)
      signal.addEventListener('abort', listener, { once: true })
      invocation.unlisten = () => {
        signal.removeEventListener('abort', listener)
      }
    }
    this.#window.add(invocation)
    this.#unreadLimit.update(this.#open, this.size)
    return invocation
  }

  /** As `open`, for a C-STORE sub-operation and the like, with the responses as an iterable; the final one comes last. */
  invoke(context: AcceptedContext, command: CommandSet, dataSet?: DataSetBytes): AsyncIterable<Response> {
    const service = serviceOf(command.commandField) as DimseService
    return this.#responses(this.open(service, sopClassOf(command), { context, command, dataSet: dataSet && (() => dataSet) }))
  }

  async *#responses(invocation: Invocation): AsyncGenerator<Response, void, undefined> {
    try {
      for (let response = await invocation.next(); response !== undefined; response = await invocation.next()) yield response
    } finally {
      this.abandon(invocation)
    }
  }

  /** Nobody wants the responses any more: C-CANCEL where the service has it, and the rest is dropped. */
  abandon(invocation: Invocation): void {
    invocation.abandon()
    const { state } = invocation
    if (state === 'waiting' || state === 'preparing') this.#over(invocation)
    else if (state !== 'over') this.cancel(invocation)
    this.#unreadLimit.update(this.#open, this.size)
  }

  /** Sends C-CANCEL-RQ, once (PS3.7 9.3.2.3). The responses go on until the final one. */
  cancel(invocation: Invocation): void {
    if (!invocation.isMultiResponse || invocation.isCancelSent || invocation.context === undefined) return
    // Not before the request: a handler of dimseSent may ask for it.
    invocation.isCancelWanted = invocation.isLeaving
    if (invocation.isLeaving) return
    invocation.isCancelSent = true
    this.#sendCancel(invocation.context, invocation.messageId as number)
  }

  /**
   * Sends C-CANCEL-RQ by message ID; once for a request that is outstanding. False when none is and no context
   * is given.
   */
  cancelById(messageId: number, context: AcceptedContext | undefined): boolean {
    const invocation = this.#open.get(messageId)
    if (invocation !== undefined && (context === undefined || context === invocation.context)) this.cancel(invocation)
    else if (context !== undefined) this.#sendCancel(context, messageId)
    else return false
    return true
  }

  /** A response arrived. */
  respond(context: AcceptedContext, command: CommandSet, dataSet: DataSetStream | undefined): void {
    const messageId = command.messageIdBeingRespondedTo ?? -1
    const invocation = this.#open.get(messageId)
    if (invocation === undefined || invocation.early !== undefined) {
      dataSet?.discard()
      if (this.#tolerated.delete(messageId)) return
      this.#host.abort(`The peer answered a request that is not outstanding, message ID ${command.messageIdBeingRespondedTo ?? 'none'}`)
      return
    }
    const violation = violationOf(invocation, context.id, command, dataSet !== undefined)
    if (violation !== undefined) {
      dataSet?.discard()
      const message = `${nameOf(invocation)} got an invalid response: ${violation}`
      this.#abort(invocation, new DicomtapError('DICOMTAP_ERR_DIMSE_RESPONSE', message), message)
      return
    }
    const response = { command, dataSet }
    if (statusCategory(command.status as number) === 'pending') {
      // PS3.7 annex C: more will follow; each restarts the wait, unless nobody waits for more than the end.
      if (!invocation.isAbandoned) invocation.timer?.refresh()
      invocation.push(response)
      this.#unreadLimit.update(this.#open, this.size)
    } else if (invocation.state === 'sending') {
      invocation.early = response
      void dataSet?.buffer()
    } else {
      this.#answered(invocation, response)
    }
  }

  /** The data set of a response cannot be decoded: ends the association. Returns the error for the caller. */
  undecodable(invocation: Invocation, cause: unknown): DicomtapError {
    // It was cut off when the association ended.
    if (invocation.error !== undefined) return invocation.error
    if (this.#ended !== undefined && (cause as Partial<DicomtapError>).code === 'DICOMTAP_ERR_DIMSE_TRUNCATED') {
      return notAnswered(invocation, this.#ended)
    }
    const message = `${nameOf(invocation)} got a response whose data set cannot be decoded: ${reasonOf(cause)}`
    const error = new DicomtapError('DICOMTAP_ERR_DIMSE_RESPONSE', message, { cause })
    this.#abort(invocation, error, message)
    return error
  }

  /** The peer does something for a C-GET, or was kept from it: the waits begin anew. */
  restartRetrieves(): void {
    if (this.#retrieves === 0) return
    for (const invocation of this.#open.values()) if (invocation.service === 'C-GET') invocation.timer?.refresh()
  }
  restart(): void {
    for (const { timer } of this.#open.values()) timer?.refresh()
  }

  /** The association is over, or will bring no responses any more. */
  end(error: DicomtapError): void {
    this.#ended ??= error
    for (const invocation of this.#window.close()) {
      // A response that only waited for the rest of the request is one.
      if (invocation.early !== undefined) this.#answered(invocation, invocation.early)
      else this.#end(invocation, error)
    }
  }

  #send(invocation: Invocation, { context, command }: OutgoingRequest, dataSet: DataSetBytes | undefined): void {
    const messageId = this.#nextMessageId()
    this.#open.set(messageId, invocation)
    if (invocation.service === 'C-GET') this.#retrieves += 1
    invocation.state = 'sending'
    invocation.context = context
    invocation.messageId = messageId
    let sent: Promise<void> | undefined
    invocation.isLeaving = true
    try {
      sent = this.#host.send(context, { ...command, messageId }, dataSet)
    } catch (error) {
      this.#end(invocation, notPrepared(invocation, error))
      return
    } finally {
      invocation.isLeaving = false
    }
    if (invocation.isCancelWanted) this.cancel(invocation)
    if (sent === undefined) {
      this.#sent(invocation)
      return
    }
    sent.then(
      () => {
        this.#sent(invocation)
      },
      (cause: unknown) => {
        if (invocation.state === 'over') return
        // Part of the message may be on the wire: the association cannot go on.
        const why = reasonOf(cause)
        const message = `${nameOf(invocation)} could not be sent: ${why}`
        this.#abort(invocation, new DicomtapError('DICOMTAP_ERR_DIMSE_TRUNCATED', message, { cause }), `A request could not be sent: ${why}`)
      },
    )
  }

  #sent(invocation: Invocation): void {
    if (invocation.state !== 'sending') return
    invocation.state = 'sent'
    if (invocation.early !== undefined) {
      this.#answered(invocation, invocation.early)
    } else if (this.#host.timeoutMs !== null) {
      invocation.timer = setTimeout(() => {
        this.#timedOut(invocation)
      }, this.#host.timeoutMs)
    }
  }

  #timedOut(invocation: Invocation): void {
    const isWorking = invocation.service === 'C-GET' && this.#host.isPerforming()
    if (isWorking || this.#host.isPeerHeldUp()) {
      invocation.timer?.refresh()
      return
    }
    const message = `${nameOf(invocation)} was not answered within ${this.#host.timeoutMs} ms`
    this.#abort(invocation, new DicomtapError('DICOMTAP_ERR_DIMSE_TIMEOUT', message), 'The peer did not answer a request in time')
  }

  /** The association ends because of one request, which learns the reason; the others learn of the end. */
  #abort(invocation: Invocation, error: DicomtapError, message: string): void {
    invocation.early = undefined
    invocation.fail(error)
    this.#host.abort(message)
    this.#end(invocation, error)
  }

  #answered(invocation: Invocation, final: Response): void {
    const isTolerated = invocation.sopClassUid === REPOSITORY_QUERY && final.command.status === RESPONSE_LIMIT_REACHED
    if (isTolerated) this.#tolerated.add(invocation.messageId as number)
    invocation.push(final)
    this.#over(invocation)
  }

  #end(invocation: Invocation, error: DicomtapError): void {
    if (invocation.state === 'over') return
    invocation.fail(error === this.#ended ? notAnswered(invocation, error) : error)
    this.#over(invocation)
  }

  /** Frees the slot of the window, and lets the next request have it. */
  #over(invocation: Invocation): void {
    clearTimeout(invocation.timer)
    invocation.unlisten?.()
    if (invocation.messageId !== undefined && this.#open.delete(invocation.messageId) && invocation.service === 'C-GET') this.#retrieves -= 1
    invocation.finish()
    this.#window.remove(invocation)
    this.#unreadLimit.update(this.#open, this.size)
    if (this.size === 0) for (const wake of this.#emptyWaiters.splice(0)) wake()
  }

  #cancelBySignal(invocation: Invocation, reason: unknown): void {
    if (invocation.state === 'waiting' || invocation.state === 'preparing') this.#end(invocation, cancelled(invocation, reason))
    else this.cancel(invocation)
  }

  #sendCancel(context: AcceptedContext, messageIdBeingRespondedTo: number): void {
    const command = { commandField: CommandField.C_CANCEL_RQ, messageIdBeingRespondedTo, commandDataSetType: NO_DATA_SET }
    try {
      // What fails here fails because the association is over, which the requests learn by themselves.
      this.#host.send(context, command)?.catch(() => {})
    } catch {}
  }

  #nextMessageId(): number {
    do {
      this.#lastMessageId = (this.#lastMessageId % LARGEST_MESSAGE_ID) + 1
    } while (this.#open.has(this.#lastMessageId))
    this.#tolerated.delete(this.#lastMessageId)
    return this.#lastMessageId
  }
}
