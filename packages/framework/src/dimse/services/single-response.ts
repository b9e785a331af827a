import type { AsyncSeriesBailHook } from 'tapable'
import { ask } from '../../hooks/run.ts'
import type { TapExtras } from '../../hooks/types.ts'
import type { RunningOperation } from '../operation.ts'
import { outcomeOfStatus } from '../outcome.ts'
import type { Outcome } from '../outcome.ts'
import type { NServiceAnswer, Operation, StatusAnswer } from '../types.ts'

type ServiceHook<Request, Answer> = AsyncSeriesBailHook<[Request, Operation], Answer | undefined, TapExtras>

/** Asks a hook whose answer is one status: C-ECHO, C-STORE, N-DELETE and, with a data set, the other N services. */
export async function askForStatus<Request>(
  hook: ServiceHook<Request, StatusAnswer> | ServiceHook<Request, NServiceAnswer>,
  operation: RunningOperation,
  noAnswer: number,
): Promise<Outcome> {
  const answer = await ask(hook as ServiceHook<Request, NServiceAnswer>, operation.request as Request, operation)
  return outcomeOfStatus(answer, operation.service, noAnswer)
}
