import { problemsOf } from '../output/report-error.ts'
import type { ScuContext } from '../scu/connect.ts'
import { EXIT, UsageError } from '../scu/exit.ts'
import { reportFailure } from '../scu/run.ts'
import { receivedJson, receivedWords } from './report-retrieval.ts'
import type { Received } from './report-retrieval.ts'

/**
 * An association that was lost on the way: what has come by then is not lost. Gives 3 when something has;
 * otherwise nothing is said here and the error goes on.
 *
 * @throws `error` when nothing has come, or it is one of usage
 */
export function partlyLost(error: unknown, count: number, received: Received | undefined, { reporter, interrupts }: ScuContext): number {
  if (count === 0 || error instanceof UsageError) throw error
  if (received !== undefined) {
    reporter.json({ ok: false, problems: problemsOf(error), ...receivedJson(received) })
    reporter.line(receivedWords(received))
  }
  if (interrupts.isInterrupted) return EXIT.interrupted
  reportFailure(error, reporter)
  return EXIT.partlyFailed
}
