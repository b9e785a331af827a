import type { DimseService, RetrieveAnswer, RetrieveAnswerInstances } from '../types.ts'
import { INVALID_HANDLER_ANSWER, outcomeOfStatus } from '../outcome.ts'
import type { Outcome } from '../outcome.ts'
import { isIterable } from '../../hooks/guard-items.ts'
import { Status } from '../status-names.ts'

/** Instances to send, with a number of them that can be one. */
export function isRetrieve(answer: RetrieveAnswer | undefined): answer is RetrieveAnswerInstances {
  if (typeof answer !== 'object' || !('instances' in answer)) return false
  const { instances, total } = answer
  if (!isIterable(instances)) return false
  return total === undefined || (Number.isInteger(total) && total >= 0)
}

/** The outcome of a handler that gave no instances. */
export function outcomeOfRetrieve(answer: RetrieveAnswer | undefined, service: DimseService): Outcome {
  if (typeof answer === 'object' && 'instances' in answer) return { status: INVALID_HANDLER_ANSWER }
  return outcomeOfStatus(answer, service, Status.SopClassNotSupported)
}
