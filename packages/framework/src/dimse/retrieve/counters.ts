import type { Outcome } from '../outcome.ts'
import { statusCategory } from '../status.ts'
import { RetrieveStatus, Status } from '../status-names.ts'

/** Number of Remaining Sub-operations is US (PS3.7 annex E.1). */
const LARGEST_COUNT = 0xffff

/** Counters of C-GET and C-MOVE and what they mean for the final response (PS3.4 C.4.2.1.6, C.4.3.1.4). */
export class SubOperationCounters {
  /** How many there are in all, once that is known. */
  total: number | undefined
  readonly #failedUids: string[] = []
  #completed = 0
  #failed = 0
  #warning = 0

  constructor(total: number | undefined) {
    this.total = total
  }

  count(sopInstanceUid: string | undefined, status: number): void {
    const category = statusCategory(status)
    if (category === 'success') this.#completed += 1
    else if (category === 'warning') this.#warning += 1
    else this.fail(sopInstanceUid)
  }

  /** @param sopInstanceUid undefined when it is not known what was to be sent */
  fail(sopInstanceUid: string | undefined): void {
    this.#failed += 1
    if (sopInstanceUid !== undefined) this.#failedUids.push(sopInstanceUid)
  }

  /** A Pending response: all four counters, no identifier. */
  pending(): Outcome {
    return { status: Status.Pending, ...this.#counts(), numberOfRemainingSuboperations: capped(this.#remaining) }
  }

  /** No instance is left. Who promised more than there were has not delivered: the difference failed. */
  finished(): Outcome {
    this.#failed += this.#remaining ?? 0
    if (this.#failed === 0 && this.#warning === 0) return { status: Status.Success, ...this.#counts() }
    const isNothingDone = this.#completed === 0 && this.#warning === 0
    const status = isNothingDone ? RetrieveStatus.CannotPerformSubOperations : RetrieveStatus.SubOperationsWithFailures
    return { status, ...this.#counts(), dataset: this.#failedList() }
  }

  /** Ended early with a status: what was not tried counts as failed, except on cancel, which reports it as remaining. */
  ended(outcome: Outcome): Outcome {
    if (outcome.status === Status.Cancel) {
      return { ...outcome, ...this.#counts(), numberOfRemainingSuboperations: capped(this.#remaining), dataset: this.#failedList() }
    }
    this.#failed += this.#remaining ?? 0
    return { ...outcome, ...this.#counts(), dataset: this.#failedList() }
  }

  get #remaining(): number | undefined {
    if (this.total === undefined) return undefined
    return Math.max(0, this.total - this.#completed - this.#failed - this.#warning)
  }

  #counts(): Omit<Outcome, 'status'> {
    return {
      numberOfCompletedSuboperations: capped(this.#completed),
      numberOfFailedSuboperations: capped(this.#failed),
      numberOfWarningSuboperations: capped(this.#warning),
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
