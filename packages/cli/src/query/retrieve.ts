import type { RetrieveResponse } from '@dicomtap/framework'
import type { ScuContext } from '../scu/connect.ts'
import type { ProgressState } from '../scu/progress.ts'
import type { Cancelling } from './cancelling.ts'
import type { Receiver } from './receive.ts'
import { outcomeOf } from './retrieval.ts'
import type { RetrievalOutcome } from './retrieval.ts'

/** Follows the responses of a C-GET or C-MOVE to the final one. */
export async function followRetrieval(
  responses: AsyncIterable<RetrieveResponse>,
  receiver: Receiver | undefined,
  cancel: Cancelling,
  cancelAfter: number | undefined,
  { reporter }: ScuContext,
): Promise<RetrievalOutcome | undefined> {
  const progress = reporter.startProgress('objects')
  let pending: RetrieveResponse | undefined
  let final: RetrieveResponse | undefined
  let count = 0
  try {
    for await (const response of responses) {
      if (response.category !== 'pending') {
        final = response
        continue
      }
      pending = response
      count += 1
      if (count === cancelAfter) cancel.cancel()
      progress.update(() => progressOf(response, receiver))
    }
  } finally {
    progress.end()
  }
  return final === undefined ? undefined : outcomeOf(final, pending, cancel.isWanted)
}

function progressOf(response: RetrieveResponse, receiver: Receiver | undefined): ProgressState {
  const { numberOfCompletedSuboperations: completed = 0, numberOfFailedSuboperations: failed = 0 } = response
  const { numberOfWarningSuboperations: warning = 0, numberOfRemainingSuboperations: remaining } = response
  const done = completed + failed + warning
  return {
    done,
    ...(remaining === undefined ? {} : { total: done + remaining }),
    ...(receiver === undefined ? {} : { bytes: receiver.bytes }),
    ...(failed === 0 ? {} : { remark: `${failed} failed` }),
  }
}
