import { parseAeTitle } from '../../dataset/ae-title.ts'
import { givenBy } from '../../hooks/asked.ts'
import { ask, transform } from '../../hooks/run.ts'
import type { Exchange } from '../exchange.ts'
import type { RunningOperation } from '../operation.ts'
import type { Outcome } from '../outcome.ts'
import { MoveSender } from '../retrieve/move-sender.ts'
import { performSubOperations } from '../sub-operations.ts'
import type { CMoveRequest } from '../types.ts'
import { RetrieveStatus } from '../status-names.ts'
import { ItemPuller } from './pull.ts'
import { isRetrieve, outcomeOfRetrieve } from './retrieve-answer.ts'

const UNKNOWN_DESTINATION: Outcome = { status: RetrieveStatus.MoveDestinationUnknown, errorComment: 'Move destination unknown' }

/**
 * C-MOVE (PS3.7 9.1.4): the instances go out as C-STORE sub-operations on associations with the Move
 * Destination. `cMove` is asked first, so that its handlers can refuse by a status whatever the
 * destination; not one instance is pulled before the destination is known.
 */
export async function performCMove(operation: RunningOperation, exchange: Exchange): Promise<Outcome> {
  const { hooks, log } = exchange
  const request = operation.request as CMoveRequest
  operation.dataSet!.mapDataSet = (dataset) => transform(hooks.findIdentifier, dataset, operation)
  const answer = await exchange.withinHandlerTime(operation, operation.untilEnd(ask(hooks.cMove, request, operation)))
  if (!isRetrieve(answer)) return outcomeOfRetrieve(answer, 'C-MOVE')
  const letGo = (): void => {
    new ItemPuller(answer.instances, operation).stop((error) => {
      log.warn('a retrieve handler failed while it was stopped', { messageId: operation.messageId, ...givenBy(answer.instances), error })
    })
  }
  const destination = await exchange
    .withinHandlerTime(operation, operation.untilEnd(ask(hooks.moveDestination, request.moveDestination, operation)))
    .catch((error: unknown) => {
      letGo()
      throw error
    })
  if (destination === undefined) {
    letGo()
    return UNKNOWN_DESTINATION
  }
  const { requestedBy, addressedTo } = titlesOf(operation)
  const resolved = {
    ...destination,
    calledAeTitle: destination.calledAeTitle ?? request.moveDestination,
    callingAeTitle: destination.callingAeTitle ?? addressedTo,
  }
  return performSubOperations(operation, exchange, answer, new MoveSender(operation, exchange, resolved, requestedBy))
}

/** Who issued the C-MOVE, and the title it was addressed to, whichever side requested the association. */
function titlesOf({ association }: RunningOperation): { requestedBy: string | undefined; addressedTo: string } {
  const { role, callingAeTitle, calledAeTitle, settings } = association
  const [peer, own] = role === 'acceptor' ? [callingAeTitle, calledAeTitle] : [calledAeTitle, callingAeTitle]
  // What a peer calls itself and others need not be a title.
  return { requestedBy: parseAeTitle(peer), addressedTo: parseAeTitle(own) ?? settings.aeTitle }
}
