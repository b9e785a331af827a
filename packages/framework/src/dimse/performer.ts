import type { AcceptedContext } from '../acse/types.ts'
import { encodeDataSet } from '../dataset/index.ts'
import { codeOf, DicomtapError, isFaultOfPeer, messageOf } from '../errors/index.ts'
import { lastAsked } from '../hooks/asked.ts'
import { isHookError, toHookError } from '../hooks/hook-error.ts'
import { notify, transformSync } from '../hooks/run.ts'
import type { HookTable } from '../hooks/types.ts'
import type { Logger } from '../logger.ts'
import { CommandField, DATA_SET_PRESENT } from './command-set.ts'
import type { CommandSet } from './command-set.ts'
import type { Exchange } from './exchange.ts'
import { isFinalStatus } from './answers.ts'
import { DrawnBytes, withinSourceTime } from './drawn-bytes.ts'
import type { DataSetBytes } from './fragmenter.ts'
import { HANDLER_TOOK_TOO_LONG, HandlerTime, isHandlerLate } from './handler-time.ts'
import type { Response } from './invocations.ts'
import type { RunningOperation } from './operation.ts'
import { INVALID_HANDLER_ANSWER, outcomeOfError } from './outcome.ts'
import type { Outcome } from './outcome.ts'
import type { DimseHost } from './provider.ts'
import { responseTo } from './responses.ts'
import type { SubAssociations } from './retrieve/sub-association.ts'
import { performCEcho } from './services/c-echo.ts'
import { performCFind } from './services/c-find.ts'
import { performCGet } from './services/c-get.ts'
import { performCMove } from './services/c-move.ts'
import { performCStore } from './services/c-store.ts'
import { performNService } from './services/n-services.ts'
import type { PulledInstance } from './retrieve/pulled-instance.ts'
import type { DimseService, OutgoingDataSet, Priority } from './types.ts'
import { Status } from './status-names.ts'

/** A requestor that waits as long as this side does by default must hear of a C-MOVE several times meanwhile. */
const LARGEST_KEEP_ALIVE_MS = 10_000

type Performer = (operation: RunningOperation, exchange: Exchange) => Promise<Outcome>

const PERFORMERS: Readonly<Record<DimseService, Performer>> = {
  'C-ECHO': performCEcho,
  'C-STORE': performCStore,
  'C-FIND': performCFind,
  'C-GET': performCGet,
  'C-MOVE': performCMove,
  'N-EVENT-REPORT': performNService,
  'N-GET': performNService,
  'N-SET': performNService,
  'N-ACTION': performNService,
  'N-CREATE': performNService,
  'N-DELETE': performNService,
}

/** The message exchange below the performer. */
export interface MessageExchange {
  send(context: AcceptedContext, command: CommandSet, dataSet?: DataSetBytes): Promise<void> | undefined
  invoke(context: AcceptedContext, command: CommandSet, dataSet?: DataSetBytes): AsyncIterable<Response>
}

/**
 * Performs requests of the peer: asks the service's hook, sends what it answers. The only place that
 * sends responses, so that each request gets exactly one final response, or none when the association
 * is gone.
 */
export class OperationPerformer implements Exchange {
  readonly hooks: HookTable
  readonly #host: DimseHost
  readonly #messages: MessageExchange
  readonly #handlerTime: HandlerTime

  constructor(host: DimseHost, messages: MessageExchange) {
    this.hooks = host.hooks
    this.#host = host
    this.#messages = messages
    this.#handlerTime = new HandlerTime(host.timeouts.handlerMs, () => host.log)
  }

  get log(): Logger {
    return this.#host.log
  }

  /** The association has ended. */
  end(): void {
    this.#handlerTime.end()
  }

  /** Never rejects. */
  async perform(operation: RunningOperation): Promise<void> {
    try {
      await this.#perform(operation)
    } catch (error) {
      // A mistake of ours ends the association that met it, and no other.
      this.log.error('an operation could not be performed', { service: operation.service, messageId: operation.messageId, error })
      this.#host.abort('An operation could not be performed')
    }
  }

  async #perform(operation: RunningOperation): Promise<void> {
    const { hooks } = this
    if (hooks.operationStarted.taps.length > 0) notify(hooks.operationStarted, { operation })
    let outcome = await this.#outcome(operation)
    const { dataSet } = operation
    if (dataSet !== undefined) {
      // What the handler has not read, it will not read. A response before the end of the request would
      // overtake it.
      dataSet.discard()
      if (!dataSet.isSettled) await dataSet.settled()
    }
    if (!this.#isAssociationGone(operation)) outcome = await this.#respond(operation, this.#reviewed(operation, outcome))
    if (hooks.operationCompleted.taps.length === 0) return
    notify(hooks.operationCompleted, {
      operation,
      status: outcome.status,
      errorComment: outcome.errorComment,
      durationMs: performance.now() - operation.startedAtMs,
      receivedBytes: dataSet?.receivedBytes ?? 0,
      responses: operation.responses,
    })
  }

  get subAssociations(): SubAssociations {
    return this.#host.association.ae.subAssociations
  }

  get maximumSubOperations(): number {
    return this.#host.maximumOperationsInvoked
  }

  get keepAliveMs(): number {
    const { dimseMs } = this.#host.timeouts
    return dimseMs === null ? LARGEST_KEEP_ALIVE_MS : Math.min(LARGEST_KEEP_ALIVE_MS, Math.ceil(dimseMs / 3))
  }

  withinHandlerTime<T>(operation: RunningOperation, work: Promise<T>): Promise<T> {
    return this.#handlerTime.within(operation, work)
  }

  withinSourceTime<T>(work: Promise<T>): Promise<T> {
    return withinSourceTime(work, this.#host.timeouts.handlerMs)
  }

  async sendPending(operation: RunningOperation, outcome: Outcome): Promise<void> {
    if (operation.endReason !== undefined) throw operation.endReason
    await this.#send(operation, outcome)
    if (!this.#host.dul.isWritable) await operation.untilEnd(this.#host.dul.drained())
  }

  contextFor(instance: PulledInstance): AcceptedContext | undefined {
    let converted: AcceptedContext | undefined
    for (const context of this.#host.contexts.values()) {
      if (context.abstractSyntax !== instance.sopClassUid || !context.asScu) continue
      if (context.transferSyntax === instance.transferSyntaxUid) return context
      if (converted === undefined && instance.canBeIn(context.transferSyntax)) converted = context
    }
    return converted
  }

  async storeOnAssociation(context: AcceptedContext, instance: PulledInstance, source: DataSetBytes, priority: Priority): Promise<number> {
    const command: CommandSet = {
      commandField: CommandField.C_STORE_RQ,
      affectedSopClassUid: instance.sopClassUid,
      affectedSopInstanceUid: instance.sopInstanceUid,
      priority,
      commandDataSetType: DATA_SET_PRESENT,
    }
    const bytes = source instanceof Uint8Array ? source : await DrawnBytes.of(source, this.#host.timeouts.handlerMs)
    try {
      for await (const response of this.#messages.invoke(context, command, bytes)) {
        response.dataSet?.discard()
        return response.command.status ?? Status.ProcessingFailure
      }
    } catch (error) {
      if (bytes instanceof DrawnBytes) bytes.close()
      throw error
    }
    return Status.ProcessingFailure
  }

  async #outcome(operation: RunningOperation): Promise<Outcome> {
    try {
      // Ended before its turn: there is nothing to ask a handler.
      if (operation.endReason !== undefined) throw operation.endReason
      const work = PERFORMERS[operation.service](operation, this)
      // Sending instances is not the handler's time: these two bound what is.
      const isRetrieve = operation.service === 'C-GET' || operation.service === 'C-MOVE'
      return await (isRetrieve ? work : this.withinHandlerTime(operation, work))
    } catch (error) {
      if (operation.isCancelled) return { status: Status.Cancel }
      if (isHandlerLate(operation)) return HANDLER_TOOK_TOO_LONG
      return this.#outcomeOfFailure(operation, error)
    }
  }

  /** Handlers that throw or give nonsense were told of where it is known whose they are; what they gave may be found wanting only here. */
  #outcomeOfFailure(operation: RunningOperation, error: unknown): Outcome {
    try {
      const outcome = outcomeOfError(error, operation.service)
      if (isFaultOfPeer(isHookError(error) ? error.cause : error)) {
        const { service, messageId } = operation
        this.log.debug('what the peer sent cannot be decoded', { service, messageId, error: messageOf(error) })
        return outcome
      }
      const isTold = isHookError(error) || codeOf(error) === 'DICOMTAP_ERR_DIMSE_STATUS'
      const isOver = operation.endReason !== undefined || !this.#host.isOpenForSending
      if (!isTold && !isOver) this.#blame(operation, error)
      return outcome
    } catch (wrong) {
      this.#blame(operation, wrong)
      return { status: INVALID_HANDLER_ANSWER }
    }
  }

  #blame(operation: RunningOperation, error: unknown): void {
    const asked = lastAsked(operation)
    if (asked !== undefined) asked.failed(toHookError(asked.hook, asked.plugin, error))
    else this.log.error('an operation failed', { service: operation.service, messageId: operation.messageId, error })
  }

  /** The outcome after `responseStatus`, whose handlers own the status and its details and nothing else. */
  #reviewed(operation: RunningOperation, outcome: Outcome): Outcome {
    if (this.hooks.responseStatus.taps.length === 0) return outcome
    const { status, errorComment, offendingElements, errorId, attributeIdentifierList } = outcome
    const details = { status, errorComment, offendingElements, errorId, attributeIdentifierList }
    const reviewed = transformSync(this.hooks.responseStatus, details, operation)
    if (isFinalStatus(reviewed.status)) {
      return { ...outcome, errorComment: undefined, offendingElements: undefined, errorId: undefined, attributeIdentifierList: undefined, ...reviewed }
    }
    this.log.error('a handler of responseStatus answered no status that can end an operation', { service: operation.service })
    return outcome
  }

  #isAssociationGone(operation: RunningOperation): boolean {
    return operation.dataSet?.isTruncated === true || !this.#host.isOpenForSending
  }

  /** Sends the final response; one that cannot be encoded becomes a failure. */
  async #respond(operation: RunningOperation, outcome: Outcome): Promise<Outcome> {
    try {
      await this.#send(operation, outcome)
      return outcome
    } catch (error) {
      if (!this.#host.isOpenForSending) return outcome
      const failure = this.#outcomeOfFailure(operation, error)
      await this.#send(operation, failure).catch(() => {
        this.#host.abort('A response could not be sent')
      })
      return failure
    }
  }

  async #send(operation: RunningOperation, outcome: Outcome): Promise<void> {
    const dataSet = outcome.dataset === undefined ? undefined : await this.#encode(outcome.dataset, operation.context)
    const command = responseTo(operation.request.command, outcome, dataSet !== undefined)
    operation.responses += 1
    await this.#messages.send(operation.context, command, dataSet)
  }

  async #encode(dataset: OutgoingDataSet, context: AcceptedContext): Promise<Uint8Array> {
    if (dataset instanceof Uint8Array) return dataset
    if (typeof dataset === 'object' && !Array.isArray(dataset)) return encodeDataSet(dataset, context.transferSyntax)
    throw new DicomtapError('DICOMTAP_ERR_DS_ENCODE', 'What a handler gave as a data set is neither bytes nor an object')
  }
}
