import { setImmediate as turn } from 'node:timers/promises'
import { givenBy } from '../../hooks/asked.ts'
import { isIterable } from '../../hooks/guard-items.ts'
import { ask, transform } from '../../hooks/run.ts'
import type { Exchange } from '../exchange.ts'
import type { RunningOperation } from '../operation.ts'
import { isFinalStatus } from '../answers.ts'
import { outcomeOfStatus } from '../outcome.ts'
import type { Outcome } from '../outcome.ts'
import type { CFindAnswer, CFindRequest, FindMatch, OutgoingDataSet, StatusAnswer } from '../types.ts'
import { QueryStatus, Status } from '../status-names.ts'
import { ItemPuller } from './pull.ts'

/**
 * Matches that are all there already leave the event loop no turn in between, as long as the network takes them:
 * neither a C-CANCEL nor another association would be heard before the last one.
 */
const MATCHES_PER_TURN = 32

/** C-FIND (PS3.7 9.1.2): one Pending per match, pulled only when the one before has left. */
export async function performCFind(operation: RunningOperation, exchange: Exchange): Promise<Outcome> {
  const { hooks, log } = exchange
  const request = operation.request as CFindRequest
  operation.dataSet!.mapDataSet = (dataset) => transform(hooks.findIdentifier, dataset, operation)
  const answer = (await operation.untilEnd(ask(hooks.cFind, request, operation))) as CFindAnswer | undefined
  if (!isIterable(answer)) {
    return outcomeOfStatus(answer as StatusAnswer | undefined, 'C-FIND', Status.SopClassNotSupported)
  }
  const by = givenBy(answer)
  const matches = new ItemPuller(answer as AsyncIterable<OutgoingDataSet | FindMatch>, operation)
  try {
    for (let sent = 1; ; sent++) {
      const { done, value } = await matches.next()
      if (done === true) return finalOutcome(value)
      const match = await transform(hooks.findMatch, matchOf(value), operation)
      const status = match.status === QueryStatus.PendingOptionalKeysNotSupported ? match.status : Status.Pending
      await exchange.sendPending(operation, { status, dataset: match.identifier })
      if (sent % MATCHES_PER_TURN === 0) await turn()
    }
  } finally {
    matches.stop((error) => {
      log.warn('a C-FIND handler failed while it was stopped', { messageId: operation.messageId, ...by, error })
    })
  }
}

/** Keywords start with a capital letter, so `identifier` cannot be an attribute. */
function matchOf(item: OutgoingDataSet | FindMatch): FindMatch {
  if (!(item instanceof Uint8Array) && 'identifier' in item) return item as FindMatch
  return { identifier: item }
}

/** What the iterable returned: a final status of its own, e.g. B001 for a limit, else 0000. */
function finalOutcome(returned: unknown): Outcome {
  const status = typeof returned === 'object' && returned !== null ? (returned as { status?: unknown }).status : returned
  return isFinalStatus(status) ? outcomeOfStatus(returned as StatusAnswer, 'C-FIND', Status.Success) : { status: Status.Success }
}
