import { ask, transform } from '../../hooks/run.ts'
import type { Exchange } from '../exchange.ts'
import type { RunningOperation } from '../operation.ts'
import type { Outcome } from '../outcome.ts'
import { GetSender } from '../retrieve/get-sender.ts'
import { performSubOperations } from '../sub-operations.ts'
import type { CGetRequest } from '../types.ts'
import { isRetrieve, outcomeOfRetrieve } from './retrieve-answer.ts'

/** C-GET (PS3.7 9.1.3): the instances go out as C-STORE sub-operations on the same association. */
export async function performCGet(operation: RunningOperation, exchange: Exchange): Promise<Outcome> {
  const { hooks } = exchange
  const request = operation.request as CGetRequest
  operation.dataSet!.mapDataSet = (dataset) => transform(hooks.findIdentifier, dataset, operation)
  const answer = await exchange.withinHandlerTime(operation, operation.untilEnd(ask(hooks.cGet, request, operation)))
  if (!isRetrieve(answer)) return outcomeOfRetrieve(answer, 'C-GET')
  return performSubOperations(operation, exchange, answer, new GetSender(operation, exchange))
}
