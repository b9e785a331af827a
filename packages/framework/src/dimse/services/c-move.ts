import { ask, transform } from '../../hooks/run.ts'
import type { Exchange } from '../exchange.ts'
import type { RunningOperation } from '../operation.ts'
import { outcomeOfStatus } from '../outcome.ts'
import type { Outcome } from '../outcome.ts'
import type { CMoveRequest } from '../types.ts'
import { Status } from '../well-known-status.ts'
import { isRetrieve } from './c-get.ts'

/**
 * C-MOVE (PS3.7 9.1.4), as far as it goes without the requestor role: the destination is looked up and
 * the instances are asked for; that they cannot be sent is told by A702, never by a success.
 */
export async function performCMove(operation: RunningOperation, { hooks, log }: Exchange): Promise<Outcome> {
  operation.dataSet!.mapDataSet = (dataset) => transform(hooks.findIdentifier, dataset, operation)
  const request = operation.request as CMoveRequest
  const answer = await operation.untilEnd(ask(hooks.cMove, request, operation))
  if (!isRetrieve(answer)) return outcomeOfStatus(answer, 'C-MOVE', Status.SopClassNotSupported)
  const destination = await operation.untilEnd(ask(hooks.moveDestination, request.moveDestination, operation))
  if (destination === undefined) {
    return { status: Status.MoveDestinationUnknown, errorComment: 'Move destination unknown' }
  }
  log.warn('C-MOVE needs the requestor role, which this version does not have', { messageId: operation.messageId })
  return { status: Status.UnableToPerformSubOperations, errorComment: 'Sub-operations cannot be performed' }
}
