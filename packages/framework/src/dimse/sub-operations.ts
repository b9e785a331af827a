import { notify } from '../hooks/run.ts'
import type { Exchange } from './exchange.ts'
import type { RunningOperation } from './operation.ts'
import { outcomeOfError } from './outcome.ts'
import type { Outcome } from './outcome.ts'
import { statusCategory } from './status.ts'
import { ItemPuller } from './services/pull.ts'
import type { InstanceToSend, RetrieveAnswerInstances } from './types.ts'
import { Status } from './well-known-status.ts'

/** Number of Remaining Sub-operations is US (PS3.7 annex E.1). */
const LARGEST_COUNT = 0xffff

/** Counters of C-GET and C-MOVE and what they mean for the final response (PS3.4 C.4.2.1.6, C.4.3.1.4). */
export class SubOperationCounters {
  readonly #total: number | undefined
  readonly #failedUids: string[] = []
  completed = 0
  failed = 0
  warning = 0

  constructor(total: number | undefined) {
    this.#total = total
  }

  count(sopInstanceUid: string, status: number): void {
    const category = statusCategory(status)
    if (category === 'success') this.completed += 1
    else if (category === 'warning') this.warning += 1
    else this.#fail(sopInstanceUid)
  }

  get remaining(): number | undefined {
    if (this.#total === undefined) return undefined
    return Math.max(0, this.#total - this.completed - this.failed - this.warning)
  }

  /** A Pending response: all four counters, no identifier. */
  pending(): Outcome {
    return { status: Status.Pending, ...this.#counts(), numberOfRemainingSuboperations: capped(this.remaining) }
  }

  /** Every instance was tried. */
  finished(): Outcome {
    if (this.failed === 0 && this.warning === 0) return { status: Status.Success, ...this.#counts() }
    const isNothingDone = this.completed === 0 && this.warning === 0
    const status = isNothingDone ? Status.UnableToPerformSubOperations : Status.SubOperationsCompleteWithFailures
    return { status, ...this.#counts(), dataset: this.#failedList() }
  }

  /** Ended early with a status: what was not tried counts as failed, except on cancel, which reports it as remaining. */
  ended(outcome: Outcome): Outcome {
    if (outcome.status === Status.Cancel) {
      return { ...outcome, ...this.#counts(), numberOfRemainingSuboperations: capped(this.remaining), dataset: this.#failedList() }
    }
    this.failed += this.remaining ?? 0
    return { ...outcome, ...this.#counts(), dataset: this.#failedList() }
  }

  #fail(sopInstanceUid: string): void {
    this.failed += 1
    this.#failedUids.push(sopInstanceUid)
  }

  #counts(): Omit<Outcome, 'status'> {
    return {
      numberOfCompletedSuboperations: capped(this.completed),
      numberOfFailedSuboperations: capped(this.failed),
      numberOfWarningSuboperations: capped(this.warning),
    }
  }

  /** Failed SOP Instance UID List (0008,0058); left out when empty. */
  #failedList(): { FailedSOPInstanceUIDList: string[] } | undefined {
    return this.#failedUids.length === 0 ? undefined : { FailedSOPInstanceUIDList: this.#failedUids }
  }
}

function capped(count: number | undefined): number | undefined {
  return count === undefined ? undefined : Math.min(count, LARGEST_COUNT)
}

/**
 * Pulls instances and sends each with `store`, one Pending response after each; the core owns counters,
 * the failed list and the final status. `store` resolves with the status of the C-STORE; what it throws
 * counts as failed.
 */
export async function performSubOperations(
  operation: RunningOperation,
  exchange: Exchange,
  answer: RetrieveAnswerInstances,
  store: (instance: InstanceToSend) => Promise<number>,
): Promise<Outcome> {
  const { hooks, log } = exchange
  const counters = new SubOperationCounters(answer.total)
  const instances = new ItemPuller(answer.instances, operation)
  try {
    for (;;) {
      const { done, value } = await instances.next()
      if (done === true) return finished(counters)
      const instance = value
      const status = await storeOne(instance, operation, store, log)
      counters.count(instance.sopInstanceUid, status)
      if (hooks.subOperationCompleted.taps.length > 0) {
        notify(hooks.subOperationCompleted, { operation, sopInstanceUid: instance.sopInstanceUid, status })
      }
      await exchange.sendPending(operation, counters.pending())
      if (operation.endReason !== undefined) throw operation.endReason
    }
  } catch (error) {
    if (operation.isCancelled) return counters.ended({ status: Status.Cancel })
    if (operation.endReason !== undefined) throw error
    return counters.ended(outcomeOfError(error, operation.service))
  } finally {
    instances.stop((error) => {
      log.warn('a retrieve handler failed while it was stopped', { messageId: operation.messageId, error })
    })
  }
}

/** A handler that promised more than it gave has not delivered: the difference failed. */
function finished(counters: SubOperationCounters): Outcome {
  counters.failed += counters.remaining ?? 0
  return counters.finished()
}

async function storeOne(
  instance: InstanceToSend,
  operation: RunningOperation,
  store: (instance: InstanceToSend) => Promise<number>,
  log: Exchange['log'],
): Promise<number> {
  try {
    return await store(instance)
  } catch (error) {
    if (operation.endReason !== undefined && !operation.isCancelled) throw error
    log.warn('a sub-operation failed', { messageId: operation.messageId, error })
    return Status.ProcessingFailure
  }
}
