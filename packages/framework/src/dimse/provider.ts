import type { AcceptedContext } from '../acse/types.ts'
import type { Association } from '../association/association.ts'
import type { Limits, Timeouts } from '../config/types.ts'
import { TransferSyntax } from '../dataset/transfer-syntaxes.ts'
import type { DulServiceProvider } from '../dul/provider.ts'
import { AbortReason, DicomtapError, PduError } from '../errors/index.ts'
import { notify } from '../hooks/run.ts'
import type { HookTable } from '../hooks/types.ts'
import type { Logger } from '../logger.ts'
import { MessageAssembler } from './assembler.ts'
import type { AssemblerHandler } from './assembler.ts'
import { CommandField, commandName, isResponse } from './command-set.ts'
import type { CommandSet } from './command-set.ts'
import { DataSetStream } from './data-set-stream.ts'
import { evenBytes } from './even-bytes.ts'
import { MessageFragmenter } from './fragmenter.ts'
import type { DataSetBytes } from './fragmenter.ts'
import { gatheredBytesOf } from './gathered-bytes.ts'
import type { GatheredBytes } from './gathered-bytes.ts'
import { Invocations } from './invocations.ts'
import { MessageDeadline } from './message-deadline.ts'
import { RunningOperation } from './operation.ts'
import { OperationPerformer } from './performer.ts'
import { ReceiveFlow } from './receive-flow.ts'
import { refusalOf, requestOf, sopClassOf } from './requests.ts'
import { responseTo } from './responses.ts'
import { OperationScheduler } from './scheduler.ts'
import { Status } from './status-names.ts'

/** Warnings about one peer: what it sends must not fill the log. */
const MAXIMUM_WARNINGS = 20

/** What a request that waits costs in memory, for each byte of its command set and besides. */
const WAITING_COST_PER_BYTE = 3
const WAITING_OVERHEAD_BYTES = 1_024

/** What the DIMSE layer needs of the association it runs on. */
export interface DimseHost {
  readonly association: Association
  readonly dul: DulServiceProvider
  readonly hooks: HookTable
  readonly log: Logger
  readonly limits: Limits
  readonly timeouts: Timeouts
  /** Accepted contexts by id. */
  readonly contexts: ReadonlyMap<number, AcceptedContext>
  /** Maximum Length Received of the peer; 0: no limit. */
  readonly peerMaximumLength: number
  /** Operations the peer may have us perform at once; 0: no limit (PS3.7 D.3.3.3). */
  readonly maximumOperationsPerformed: number
  /** Operations this side may have the peer perform at once; at least 1 (PS3.7 D.3.3.3). */
  readonly maximumOperationsInvoked: number
  /** P-DATA may be sent. */
  readonly isOpenForSending: boolean
  /** Ends the association because of this side. */
  abort(message: string): void
}

/**
 * The DIMSE service provider of one association (PS3.7): messages in and out, requests of the peer
 * performed through the hooks, requests of our own matched with their responses.
 */
export class DimseServiceProvider implements AssemblerHandler {
  /** The requests of this side. */
  readonly invocations: Invocations
  readonly #host: DimseHost
  readonly #flow: ReceiveFlow
  readonly #gathered: GatheredBytes
  readonly #assembler: MessageAssembler
  readonly #fragmenter: MessageFragmenter
  readonly #scheduler: OperationScheduler
  /** N-EVENT-REPORT has a line of its own (PS3.7 10.1.1): it must not wait behind what it reports about. */
  readonly #reports: OperationScheduler
  readonly #performer: OperationPerformer
  readonly #operations = new Map<number, RunningOperation>()
  /** Requests that are refused and have not been told so. */
  readonly #refusals = new Set<Promise<void>>()
  readonly #idleWaiters: (() => void)[] = []
  /** Requests that have not got their final response, refused ones included. */
  #unanswered = 0
  readonly #messageDeadline: MessageDeadline
  #isEnded = false
  #warnings = 0

  constructor(host: DimseHost) {
    this.#host = host
    const { dul, limits } = host
    this.#gathered = gatheredBytesOf(host.association.ae)
    this.#flow = new ReceiveFlow(
      limits.receiveBufferBytes,
      dul.transport?.readBuffers,
      () => {
        dul.pauseReceiving()
      },
      () => {
        dul.resumeReceiving()
        // The peer could not answer while it was not read.
        this.invocations.restart()
      },
      () => {
        dul.holdReceiving()
      },
    )
    this.#assembler = new MessageAssembler(this, limits.maximumCommandSetBytes, limits.maximumEmptyFragments)
    this.#messageDeadline = new MessageDeadline({
      timeoutMs: host.timeouts.dimseMs,
      minimumProgressBytes: limits.minimumProgressBytes,
      isIncomplete: () => !this.#isEnded && this.#assembler.isMidMessage,
      isHeldUp: () => this.#flow.isPaused,
      late: () => {
        host.abort('The peer stopped in the middle of a message')
      },
    })
    this.#fragmenter = new MessageFragmenter(dul, host.peerMaximumLength)
    this.#scheduler = new OperationScheduler(host.maximumOperationsPerformed, limits.maximumQueuedOperations, this.#flow)
    this.#reports = new OperationScheduler(host.maximumOperationsPerformed, limits.maximumQueuedOperations, this.#flow)
    this.invocations = new Invocations({
      window: host.maximumOperationsInvoked,
      timeoutMs: host.timeouts.dimseMs,
      maximumUnreadBytes: limits.receiveBufferBytes,
      largestUnreadBytes: limits.maximumUnreadResponseBytes,
      send: (context, command, dataSet) => this.sendMessage(context, command, dataSet),
      isPeerHeldUp: () => this.#isPeerHeldUp,
      isPerforming: () => this.#unanswered > 0,
      hold: () => {
        this.#flow.hold()
      },
      unhold: () => {
        this.#flow.unhold()
      },
      abort: (message) => {
        host.abort(message)
      },
    })
    this.#performer = new OperationPerformer(host, {
      send: (context, command, dataSet) => this.sendMessage(context, command, dataSet),
      invoke: (context, command, dataSet) => this.invocations.invoke(context, command, dataSet),
    })
  }

  /** Operations being performed or waiting for their turn. */
  get runningOperations(): readonly RunningOperation[] {
    return [...this.#operations.values()]
  }

  /** No message is under way and every request has its final response. */
  get isIdle(): boolean {
    return this.#unanswered === 0 && !this.#assembler.isMidMessage
  }

  /**
   * Nothing is under way but what the peer has to finish or to begin. A request of ours that it has not
   * answered is under way, and has its own time-out.
   */
  get isWaitingForPeer(): boolean {
    return this.#assembler.isMidMessage || (this.#unanswered === 0 && this.invocations.size === 0)
  }

  /**
   * The peer cannot answer now, because it is not read or in the middle of a message. Not so when it sent
   * more requests than may run at once: what runs may wait for the answers behind them, and would for ever.
   */
  get #isPeerHeldUp(): boolean {
    if (this.#scheduler.hasWaiting || this.#reports.hasWaiting) return false
    return this.#flow.isPaused || this.#assembler.isMidMessage
  }

  /** How long a source of bytes to send may give nothing. */
  get sourceMs(): number | null {
    return this.#host.timeouts.handlerMs
  }

  get log(): Logger {
    return this.#host.log
  }

  /** Accepted presentation contexts by id. */
  get contexts(): ReadonlyMap<number, AcceptedContext> {
    return this.#host.contexts
  }

  /** Requests of the peer wait until `unhold`. */
  hold(): void {
    this.#scheduler.pause()
    this.#reports.pause()
  }
  unhold(): void {
    this.#scheduler.resume()
    this.#reports.resume()
  }

  /** Every request has its final response. */
  get isAnswered(): boolean {
    return this.#unanswered === 0
  }

  /** Resolves when every request has its final response. */
  idle(): Promise<void> {
    if (this.#unanswered === 0) return Promise.resolve()
    return new Promise((resolve) => this.#idleWaiters.push(resolve))
  }

  /** Resolves when the requests that there are now have their final response: a peer that goes on asking cannot put off the end for ever. */
  async idleSoFar(): Promise<void> {
    await Promise.all([...this.runningOperations.map(({ answered }) => answered), ...this.#refusals])
  }

  /** A piece of a PDV, straight from the framer. @throws PduError when it does not belong there. */
  fragment(id: number, isCommand: boolean, isLast: boolean, fragment: Buffer, first: boolean, end: boolean): void {
    const isGoingOn = this.#assembler.isMidMessage
    this.#assembler.fragment(id, isCommand, isLast, fragment, first, end)
    if (this.#assembler.isMidMessage) this.#messageDeadline.received(isGoingOn ? fragment.length : Number.POSITIVE_INFINITY)
  }

  /** All fragments of one read were given: their memory is lent no longer. */
  readEnd(): void {
    this.#assembler.readEnd()
  }

  /**
   * The association is over: nothing more is received or sent. The error is made only when something is
   * under way that it ends, for most associations end with nothing.
   */
  end(makeError: () => DicomtapError): void {
    if (this.#isEnded) return
    this.#isEnded = true
    this.#messageDeadline.stop()
    this.#performer.end()
    if (this.isIdle && this.invocations.size === 0) return
    const error = makeError()
    this.#assembler.fail(new DicomtapError('DICOMTAP_ERR_DIMSE_TRUNCATED', `The message is incomplete: ${error.message}`))
    for (const operation of this.#operations.values()) operation.end(error)
    this.invocations.end(error)
  }

  /**
   * The peer asked for release. A message it has not finished will not be finished; multi-response
   * operations are of no use to it any more; the others still get their answer (PS3.8 9.2, AR-7).
   */
  releaseRequested(): void {
    if (this.isIdle && this.invocations.size === 0) return
    const message = 'The association was released inside a message'
    this.#assembler.fail(new DicomtapError('DICOMTAP_ERR_DIMSE_TRUNCATED', message))
    const error = new DicomtapError('DICOMTAP_ERR_ACSE_RELEASED', 'The peer released the association')
    for (const operation of this.#operations.values()) {
      const { service } = operation
      if (service === 'C-FIND' || service === 'C-GET' || service === 'C-MOVE') operation.end(error)
    }
    // In Sta8 the peer may not send P-DATA: what was asked of it will not be answered.
    this.invocations.end(error)
  }

  /** Sends a message; undefined when it left at once. */
  sendMessage(context: AcceptedContext, command: CommandSet, dataSet?: DataSetBytes): Promise<void> | undefined {
    const { hooks, association } = this.#host
    // Made for those who listen alone: this is every message.
    const begins =
      hooks.dimseSent.taps.length === 0
        ? undefined
        : (): void => {
            if (this.#host.isOpenForSending) notify(hooks.dimseSent, { association, presentationContextId: context.id, command })
          }
    const isDeflated = dataSet !== undefined && context.transferSyntax === TransferSyntax.DeflatedExplicitVRLittleEndian
    const bytes = isDeflated ? evenBytes(dataSet) : dataSet
    return this.#fragmenter.send(context.id, command, bytes, begins)
  }

  // AssemblerHandler

  contextById(presentationContextId: number): AcceptedContext | undefined {
    return this.#host.contexts.get(presentationContextId)
  }

  createDataSet(context: AcceptedContext, { commandField }: CommandSet): DataSetStream {
    const { limits } = this.#host
    const maximumBytes = isQuery(commandField) ? limits.maximumIdentifierBytes : limits.maximumDecodedDataSetBytes
    return new DataSetStream(context.transferSyntax, this.#flow, maximumBytes, {
      maximumElements: limits.maximumDecodedElements,
      maximumValues: limits.maximumDecodedValues,
      maximumTextBytes: limits.maximumDecodedTextBytes,
      maximumDepth: limits.maximumNestingDepth,
      maximumGatheredBytes: limits.maximumGatheredBytes,
      // Responses have a limit of their own.
      gathered: isResponse(commandField) ? undefined : this.#gathered,
    })
  }

  message(context: AcceptedContext, command: CommandSet, dataSet: DataSetStream | undefined, commandBytes: number): void {
    const { hooks, association } = this.#host
    if (hooks.dimseReceived.taps.length > 0) {
      notify(hooks.dimseReceived, { association, presentationContextId: context.id, command })
      // A handler may have ended the association.
      if (this.#isEnded) return
    }
    const { commandField } = command
    if (commandField === CommandField.C_CANCEL_RQ) {
      dataSet?.discard()
      this.#cancel(command)
    } else if (isResponse(commandField)) {
      this.invocations.respond(context, command, dataSet)
    } else {
      this.#request(context, command, dataSet, WAITING_OVERHEAD_BYTES + WAITING_COST_PER_BYTE * commandBytes)
    }
  }

  #cancel(command: CommandSet): void {
    const operation = this.#operations.get(command.messageIdBeingRespondedTo ?? -1)
    if (operation === undefined || operation.isCancelled) return
    // PS3.7 9.3.2.3 to 9.3.4.3: only these can be cancelled.
    if (operation.service !== 'C-FIND' && operation.service !== 'C-GET' && operation.service !== 'C-MOVE') return
    const { hooks } = this.#host
    if (hooks.operationCancelled.taps.length > 0) notify(hooks.operationCancelled, { operation })
    operation.cancel()
  }

  #request(context: AcceptedContext, command: CommandSet, dataSet: DataSetStream | undefined, bytes: number): void {
    if (command.messageId === undefined) {
      // Without an ID there is nothing that a response could refer to.
      const name = commandName(command.commandField)
      throw new PduError('DICOMTAP_ERR_PDU_VALUE', AbortReason.InvalidPduParameterValue, `${name} without Message ID`)
    }
    const refusal = this.#operations.has(command.messageId)
      ? { status: Status.DuplicateInvocation, errorComment: 'The Message ID is in use' }
      : refusalOf(command, context, dataSet !== undefined)
    this.#unanswered += 1
    this.invocations.restartRetrieves()
    if (refusal !== undefined) {
      this.#warn('a request was refused', {
        command: commandName(command.commandField),
        messageId: command.messageId,
        status: refusal.status,
        errorComment: refusal.errorComment,
      })
      dataSet?.discard()
      // Takes its place in the order of answers, and is answered when its data set is through.
      let told = (): void => {}
      const refused = new Promise<void>((resolve) => (told = resolve))
      this.#refusals.add(refused)
      this.#scheduler.add(async () => {
        await dataSet?.settled()
        await this.#respondRefusal(context, command, refusal)
        this.#refusals.delete(refused)
        told()
        this.#answered()
      }, bytes)
      return
    }
    const request = requestOf(command, dataSet)
    const operation = new RunningOperation(this.#host.association, context, request, sopClassOf(command), dataSet)
    this.#operations.set(command.messageId, operation)
    const run = async (): Promise<void> => {
      if (!this.#isEnded) await this.#performer.perform(operation)
      this.#operations.delete(operation.messageId)
      operation.over()
      this.#answered()
    }
    if (operation.service === 'N-EVENT-REPORT') this.#reports.add(run, bytes)
    else this.#scheduler.add(run, bytes)
  }

  async #respondRefusal(context: AcceptedContext, command: CommandSet, refusal: { status: number; errorComment?: string | undefined }): Promise<void> {
    if (this.#isEnded) return
    try {
      await this.sendMessage(context, responseTo(command, refusal, false))
    } catch (error) {
      this.#host.log.debug('a response could not be sent', { error })
    }
  }

  /** About what the peer does wrong, which it may do without end. */
  #warn(message: string, fields: Record<string, unknown>): void {
    this.#warnings += 1
    if (this.#warnings > MAXIMUM_WARNINGS) return
    this.#host.log.warn(message, fields)
    if (this.#warnings === MAXIMUM_WARNINGS) this.#host.log.warn('no more is logged of what this peer does wrong')
  }

  #answered(): void {
    this.#unanswered -= 1
    this.invocations.restartRetrieves()
    if (this.#unanswered > 0) return
    for (const wake of this.#idleWaiters.splice(0)) wake()
  }
}

function isQuery(commandField: number): boolean {
  return commandField === CommandField.C_FIND_RQ || commandField === CommandField.C_GET_RQ || commandField === CommandField.C_MOVE_RQ
}
