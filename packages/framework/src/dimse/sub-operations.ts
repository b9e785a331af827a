import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises'
import { harmless } from '../errors/index.ts'
import { givenBy } from '../hooks/asked.ts'
import type { HandlerName } from '../hooks/asked.ts'
import { notify } from '../hooks/run.ts'
import type { Exchange } from './exchange.ts'
import { HANDLER_TOOK_TOO_LONG, isHandlerLate } from './handler-time.ts'
import type { RunningOperation } from './operation.ts'
import { outcomeOfError } from './outcome.ts'
import type { Outcome } from './outcome.ts'
import { SubOperationCounters } from './retrieve/counters.ts'
import type { InstanceSender, Unsendable } from './retrieve/instance-sender.ts'
import { KeepAlive } from './retrieve/keep-alive.ts'
import { LookAhead } from './retrieve/look-ahead.ts'
import { isUnusable } from './retrieve/pulled-instance.ts'
import type { PulledInstance, UnusableInstance } from './retrieve/pulled-instance.ts'
import type { RetrieveAnswerInstances } from './types.ts'
import { statusCategory } from './status.ts'
import { RetrieveStatus, Status } from './status-names.ts'

/** How long the handler is waited for to learn what else a new association will be needed for. */
const PATIENCE_MS = 100
/** How long the handler is asked what would have been sent, when nothing can be, for the list of what failed. */
const NAMING_MS = 2_000

/**
 * Performs the C-STORE sub-operations of a C-GET or C-MOVE: pulls instances, has each sent, answers each
 * with a Pending response. The core owns counters, the Failed SOP Instance UID List and the final status.
 */
export function performSubOperations(
  operation: RunningOperation,
  exchange: Exchange,
  answer: RetrieveAnswerInstances,
  sender: InstanceSender,
): Promise<Outcome> {
  return new SubOperations(operation, exchange, answer, sender).perform()
}

class SubOperations {
  readonly #operation: RunningOperation
  readonly #exchange: Exchange
  readonly #sender: InstanceSender
  readonly #counters: SubOperationCounters
  readonly #instances: LookAhead
  readonly #keepAlive: KeepAlive
  /** Whose instances they are, for the log. */
  readonly #by: HandlerName | undefined
  readonly #running = new Set<Promise<void>>()
  readonly #refusals = new Set<number>()
  #isBeatUnderWay = false
  /** The Pending response of the sub-operation that completed last. */
  #told: Promise<void> = Promise.resolve()

  constructor(operation: RunningOperation, exchange: Exchange, answer: RetrieveAnswerInstances, sender: InstanceSender) {
    this.#operation = operation
    this.#exchange = exchange
    this.#sender = sender
    this.#by = givenBy(answer.instances)
    this.#counters = new SubOperationCounters(answer.total)
    this.#instances = new LookAhead(answer.instances, operation, {
      depth: sender.lookAhead,
      withinTime: (work) => exchange.withinHandlerTime(operation, work),
    })
    this.#keepAlive = new KeepAlive(sender.keepAliveMs, () => {
      void this.#beat()
    })
  }

  async perform(): Promise<Outcome> {
    const operation = this.#operation
    try {
      const unsendable = await this.#sendAll()
      await operation.untilEnd(this.#told)
      if (unsendable === undefined) return this.#counters.finished()
      await this.#failRest()
      const outcome = this.#counters.finished()
      return outcome.status === RetrieveStatus.CannotPerformSubOperations ? { ...outcome, ...unsendable } : outcome
    } catch (error) {
      this.#stopPulling()
      if (operation.endReason !== undefined && !operation.isCancelled && !isHandlerLate(operation)) throw error
      // What is under way ends, and counts (PS3.4 C.4.2.3.1).
      await Promise.all(this.#running)
      await this.#told
      return this.#counters.ended(this.#endedBy(error))
    } finally {
      this.#keepAlive.stop()
      this.#stopPulling()
      this.#sender.end(Promise.all(this.#running))
    }
  }

  #endedBy(error: unknown): Outcome {
    if (this.#operation.isCancelled) return { status: Status.Cancel }
    return isHandlerLate(this.#operation) ? HANDLER_TOOK_TOO_LONG : outcomeOfError(error, this.#operation.service)
  }

  /** @throws the operation's end reason; what the iterator threw, when all before it was sent. */
  async #sendAll(): Promise<Unsendable | undefined> {
    const instances = this.#instances
    const sender = this.#sender
    for (;;) {
      if (this.#operation.endReason !== undefined) throw this.#operation.endReason
      const [next] = instances.waiting
      if (next !== undefined && isUnusable(next)) {
        instances.take()
        await this.#operation.untilEnd(this.#fail(next))
      } else if (!sender.hasRoom(next)) {
        await this.#untilOneEnds()
      } else if (next === undefined) {
        if (!instances.isExhausted) await this.#untilOneEnds(instances.pull())
        else if (this.#running.size > 0) await this.#untilOneEnds()
        else if (instances.failure === undefined) return undefined
        else throw instances.failure.error
      } else if (sender.isReadyFor(next)) {
        instances.take()
        this.#start(next)
      } else if (this.#running.size > 0) {
        await this.#untilOneEnds()
      } else {
        await this.#operation.untilEnd(instances.filled(PATIENCE_MS))
        const unsendable = await this.#operation.untilEnd(sender.prepare(instances.waiting))
        if (unsendable !== undefined) return unsendable
      }
    }
  }

  /** What is not tried has failed: who asked for it wants to know what it was (PS3.4 C.4.2.3). */
  async #failRest(): Promise<void> {
    const untilMs = performance.now() + NAMING_MS
    const instances = this.#instances
    for (;;) {
      const next = instances.take()
      if (next !== undefined) {
        this.#counters.fail(next.sopInstanceUid)
        if (!isUnusable(next)) next.close().catch(() => {}) // nothing was read of it
      } else if (instances.isExhausted || performance.now() > untilMs) {
        return
      } else {
        await this.#operation.untilEnd(Promise.race([instances.pull(), delay(Math.max(0, untilMs - performance.now()), undefined, { ref: false })]))
      }
    }
  }

  #untilOneEnds(...others: Promise<void>[]): Promise<void> {
    return this.#operation.untilEnd(Promise.race([...this.#running, ...others]))
  }

  #start(instance: PulledInstance): void {
    const work = this.#perform(instance).finally(() => {
      this.#running.delete(work)
    })
    this.#running.add(work)
  }

  /** Never rejects. */
  async #perform(instance: PulledInstance): Promise<void> {
    const { sopInstanceUid } = instance
    const status = await this.#send(instance)
    instance.close().catch(() => {}) // what matters of it was sent, or failed for a reason of its own
    if (status === undefined) this.#instances.putBack(instance)
    else await this.#completed(sopInstanceUid, status)
  }

  /** What cannot be opened is a sub-operation that failed. */
  #fail({ sopInstanceUid, error }: UnusableInstance): Promise<void> {
    this.#exchange.log.warn('a sub-operation failed', { messageId: this.#operation.messageId, ...this.#by, error: harmless(error) })
    return this.#completed(sopInstanceUid, Status.ProcessingFailure)
  }

  /** Never rejects. */
  async #completed(sopInstanceUid: string | undefined, status: number): Promise<void> {
    const operation = this.#operation
    this.#counters.count(sopInstanceUid, status)
    const { hooks } = this.#exchange
    if (hooks.subOperationCompleted.taps.length > 0) notify(hooks.subOperationCompleted, { operation, sopInstanceUid, status })
    if (operation.endReason !== undefined) return
    if (!this.#sender.isApart) return this.#sendPending()
    // The next instance goes first, and the destination has it to do meanwhile. Only one waits: the peer may not read.
    const before = this.#told
    this.#told = this.#sendPendingSoon(before, this.#pending())
    await before
  }

  async #sendPendingSoon(before: Promise<void>, counts: Outcome): Promise<void> {
    await before
    await nextTurn()
    if (this.#operation.endReason === undefined) await this.#sendPending(counts)
  }

  #pending(): Outcome {
    const instances = this.#instances
    if (instances.isExhausted && instances.failure === undefined) this.#counters.total ??= instances.pulled
    return this.#counters.pending()
  }

  async #send(instance: PulledInstance): Promise<number | undefined> {
    try {
      const status = await this.#sender.send(instance)
      if (status !== undefined) this.#tellRefusal(status)
      return status
    } catch (error) {
      const { messageId, endReason } = this.#operation
      // Not to be told of an association that is gone for each instance.
      if (endReason === undefined) this.#exchange.log.warn('a sub-operation failed', { messageId, ...this.#by, error: harmless(error) })
      return Status.ProcessingFailure
    }
  }

  /** Once for each status. That there is no context for an instance was told by the sender. */
  #tellRefusal(status: number): void {
    const category = statusCategory(status)
    if (category === 'success' || category === 'warning' || status === Status.SopClassNotSupported || this.#refusals.has(status)) return
    this.#refusals.add(status)
    const { messageId } = this.#operation
    this.#exchange.log.warn('a sub-operation was answered with a failure', { messageId, status: `0x${status.toString(16).padStart(4, '0')}` })
  }

  async #sendPending(counts: Outcome = this.#pending()): Promise<void> {
    this.#keepAlive.sent()
    try {
      await this.#exchange.sendPending(this.#operation, counts)
    } catch (error) {
      // It ends the operation otherwise: the association is gone, or going.
      this.#exchange.log.debug('a Pending response could not be sent', { messageId: this.#operation.messageId, error })
    }
  }

  /** Nothing was sent for a while: the peer is told that the operation lives. One at a time: it may not read. */
  async #beat(): Promise<void> {
    if (this.#isBeatUnderWay || this.#operation.endReason !== undefined) return
    this.#isBeatUnderWay = true
    await this.#sendPending()
    this.#isBeatUnderWay = false
  }

  #stopPulling(): void {
    this.#instances.stop((error) => {
      this.#exchange.log.warn('a retrieve handler failed while it was stopped', { messageId: this.#operation.messageId, ...this.#by, error })
    })
  }
}
