import { ask, transform } from '../../hooks/run.ts'
import type { Exchange } from '../exchange.ts'
import type { RunningOperation } from '../operation.ts'
import { outcomeOfStatus } from '../outcome.ts'
import type { Outcome } from '../outcome.ts'
import { performSubOperations } from '../sub-operations.ts'
import type { CGetRequest, InstanceToSend, RetrieveAnswer, RetrieveAnswerInstances } from '../types.ts'
import { Status } from '../well-known-status.ts'

/** C-GET (PS3.7 9.1.3): the instances go out as C-STORE sub-operations on the same association. */
export async function performCGet(operation: RunningOperation, exchange: Exchange): Promise<Outcome> {
  const { hooks } = exchange
  operation.dataSet!.mapDataSet = (dataset) => transform(hooks.findIdentifier, dataset, operation)
  const answer = await operation.untilEnd(ask(hooks.cGet, operation.request as CGetRequest, operation))
  if (!isRetrieve(answer)) return outcomeOfStatus(answer, 'C-GET', Status.SopClassNotSupported)
  return performSubOperations(operation, exchange, answer, async (instance: InstanceToSend) => {
    const context = exchange.contextFor(instance.sopClassUid, instance.transferSyntaxUid)
    // PS3.4 C.4.3.2: without a context that the requestor serves as SCP the sub-operation fails.
    return context === undefined ? Status.SopClassNotSupported : exchange.storeOnAssociation(context, instance)
  })
}

export function isRetrieve(answer: RetrieveAnswer | undefined): answer is RetrieveAnswerInstances {
  return typeof answer === 'object' && 'instances' in answer
}

