import type { ScuContext } from '../scu/connect.ts'
import { EXIT } from '../scu/exit.ts'
import { formatBytes } from '../scu/progress.ts'
import type { Budget } from './budget.ts'
import type { ReceivedFile, Receiver } from './receive.ts'
import { countWords } from './retrieval.ts'
import type { RetrievalOutcome } from './retrieval.ts'
import { printable } from './text-width.ts'

/** What was received here, for the summary. */
export interface Received {
  readonly receiver: Receiver
  readonly budget: Budget
  /** Undefined when nothing is written. */
  readonly folder: string | undefined
  readonly files: readonly ReceivedFile[]
}

const LISTED_FAILURES = 10

/** Says what a retrieval came to, in words or as JSON, and gives the exit code. */
export function reportRetrieval(outcome: RetrievalOutcome | undefined, received: Received | undefined, context: ScuContext): number {
  const { reporter, interrupts } = context
  const exitCode = exitCodeOf(outcome, received?.receiver)
  reporter.json(jsonOf(outcome, received, exitCode))
  if (!reporter.isJson) printOutcome(outcome, received, exitCode, context)
  return outcome?.exitCode === EXIT.ok ? exitCode : interrupts.exitCode(exitCode)
}

/** What the server counts as done and what arrived here need not be the same. */
function exitCodeOf(outcome: RetrievalOutcome | undefined, receiver: Receiver | undefined): number {
  const code = outcome?.exitCode ?? EXIT.failed
  if (receiver === undefined || receiver.failed === 0 || code !== EXIT.ok) return code
  return receiver.received + receiver.kept > 0 ? EXIT.partlyFailed : EXIT.failed
}

function jsonOf(outcome: RetrievalOutcome | undefined, received: Received | undefined, exitCode: number): object {
  const { status, words, completed = null, failed = null, warning = null, remaining = null, failedSopInstanceUids = [] } = outcome ?? {}
  return {
    ok: exitCode === EXIT.ok,
    status: status ?? null,
    message: words ?? 'no final response',
    completed,
    failed,
    warning,
    remaining,
    failedSopInstanceUids,
    ...(received === undefined ? {} : receivedJson(received)),
  }
}

/** What was received, as part of the JSON of a result. */
export function receivedJson({ receiver: { received, kept, bytes }, files }: Received): object {
  return { received, kept, bytes, files: files.map(({ sopInstanceUid, path, isNew }) => ({ sopInstanceUid, path, isNew })) }
}

function printOutcome(
  outcome: RetrievalOutcome | undefined,
  received: Received | undefined,
  exitCode: number,
  { reporter }: ScuContext,
): void {
  // What could not be written here has been said, with the reason.
  const failures = (outcome?.failedSopInstanceUids ?? []).filter((uid) => received?.receiver.hasFailed(uid) !== true)
  for (const uid of failures.slice(0, LISTED_FAILURES)) reporter.warn(`failed: ${printable(uid)}`)
  const others = failures.length - LISTED_FAILURES
  if (others > 0) reporter.warn(`failed: ${others} more (--json lists them all)`)
  const counts = outcome === undefined ? '' : countWords(outcome)
  const nothing = exitCode === EXIT.ok ? 'nothing matched' : 'nothing was sent'
  const words = `${counts === '' ? nothing : counts}. ${printable(outcome?.words ?? 'No final response')}`
  if (exitCode === EXIT.ok) reporter.note(words)
  else reporter.warn(`${reporter.paint.err('red', 'error')}: ${words}`)
  if (received !== undefined && (received.receiver.received > 0 || received.receiver.kept > 0)) reporter.line(receivedWords(received))
}

/** `12 objects written to study (6.3 MB), 3 were there already`; `12 objects received (6.3 MB), none written`. */
export function receivedWords({ receiver: { received, kept, bytes }, folder }: Received): string {
  const objects = (count: number): string => (count === 1 ? '1 object' : `${count} objects`)
  const there = kept === 1 ? 'was there already (--overwrite writes it again)' : 'were there already (--overwrite writes them again)'
  if (folder === undefined) return `${objects(received)} received (${formatBytes(bytes)}), none written`
  if (received === 0) return `nothing new in ${folder}: ${objects(kept)} ${there}`
  return `${objects(received)} written to ${folder} (${formatBytes(bytes)})${kept === 0 ? '' : `; ${objects(kept)} ${there}`}`
}
