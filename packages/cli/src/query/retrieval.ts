import { describeStatus } from '@dicomtap/framework'
import type { DimseResponse, RetrieveResponse } from '@dicomtap/framework'
import { EXIT } from '../scu/exit.ts'

/** What a C-GET or C-MOVE came to. */
export interface RetrievalOutcome {
  readonly exitCode: number
  readonly status: number
  readonly words: string
  readonly completed: number | undefined
  readonly failed: number | undefined
  readonly warning: number | undefined
  readonly remaining: number | undefined
  readonly failedSopInstanceUids: readonly string[]
}

/** `Success (0000)`, `Refused: Move Destination unknown (A801): the peer's comment`. */
export function statusWords({ status, label, errorComment }: Pick<DimseResponse, 'status' | 'label' | 'errorComment'>): string {
  const code = status.toString(16).toUpperCase().padStart(4, '0')
  const words = label === `0x${code.toLowerCase()}` ? 'unknown status' : label
  const isSaid = errorComment === undefined || words.toLowerCase().includes(errorComment.trim().toLowerCase())
  return `${words} (${code})${isSaid ? '' : `: ${errorComment}`}`
}

/**
 * The outcome of the final response. Servers may leave counters out: then those of the last Pending
 * response stand, and the list of what failed is counted.
 *
 * @param isWanted whether this side cancelled because it was told to in advance
 */
export function outcomeOf(final: RetrieveResponse, last: RetrieveResponse | undefined, isWanted: boolean): RetrievalOutcome {
  const { failedSopInstanceUids, status } = final
  const completed = final.numberOfCompletedSuboperations ?? last?.numberOfCompletedSuboperations
  const listed = failedSopInstanceUids.length === 0 ? undefined : failedSopInstanceUids.length
  const failed = final.numberOfFailedSuboperations ?? listed ?? last?.numberOfFailedSuboperations
  const warning = final.numberOfWarningSuboperations ?? last?.numberOfWarningSuboperations
  const { numberOfRemainingSuboperations: remaining } = final
  const counts = { completed, failed, warning, remaining }
  return { exitCode: exitCode(status, counts, isWanted), status, words: statusWords(final), ...counts, failedSopInstanceUids }
}

type Counts = Pick<RetrievalOutcome, 'completed' | 'failed' | 'warning'>

function exitCode(status: number, { completed = 0, failed = 0, warning = 0 }: Counts, isWanted: boolean): number {
  const isSomethingDone = completed + warning > 0
  switch (describeStatus(status).category) {
    case 'success':
      return failed === 0 ? EXIT.ok : isSomethingDone ? EXIT.partlyFailed : EXIT.failed
    case 'warning':
      // B000 says that something failed or warned; only a warning is no failure.
      if (failed === 0 && warning > 0) return EXIT.ok
      return isSomethingDone || failed === 0 ? EXIT.partlyFailed : EXIT.failed
    case 'cancel':
      return isWanted ? EXIT.ok : isSomethingDone ? EXIT.partlyFailed : EXIT.failed
    default:
      return isSomethingDone ? EXIT.partlyFailed : EXIT.failed
  }
}

/** `12 completed, 1 failed, 2 with warnings`; what is zero or unknown is left out. */
export function countWords({ completed, failed, warning, remaining }: Counts & Pick<RetrievalOutcome, 'remaining'>): string {
  const parts = [
    [completed, 'completed'],
    [failed, 'failed'],
    [warning, 'with warnings'],
    [remaining, 'not done'],
  ] as const
  return parts.flatMap(([count, words]) => (count === undefined || count === 0 ? [] : [`${count} ${words}`])).join(', ')
}
