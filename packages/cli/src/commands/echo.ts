import { setTimeout as wait } from 'node:timers/promises'
import { SopClass } from '@dicomtap/framework'
import type { Association } from '@dicomtap/framework'
import { openAssociation } from '../scu/connect.ts'
import type { ScuContext } from '../scu/connect.ts'
import type { EchoOptions } from '../scu/program.ts'
import { EXIT } from '../scu/exit.ts'
import type { Target } from '../scu/options.ts'
import { formatDuration } from '../scu/progress.ts'
import { explain, reportFailure, runScu } from '../scu/run.ts'
import type { ScuProblem } from '../scu/run.ts'
import { statusCode } from '../scu/store-tally.ts'
import { transferSyntaxUids } from '../scu/transfer-syntaxes.ts'

/** What `dicomtap echo --json` prints. */
export interface EchoReport {
  readonly ok: boolean
  readonly peer: string
  /** From the connection to the established association. */
  readonly associationMs: number
  readonly sent: number
  readonly succeeded: number
  /** Round trip; absent when none succeeded. */
  readonly minimumMs?: number
  readonly averageMs?: number
  readonly maximumMs?: number
  /** The first thousand. */
  readonly echoes: readonly { readonly status: number; readonly label: string; readonly roundTripMs: number }[]
  /** Why it ended early. */
  readonly problems?: readonly ScuProblem[]
}

const LISTED = 1000
const LONG_INTERVAL_MS = 30_000

interface Tally {
  sent: number
  succeeded: number
  minimumMs: number
  maximumMs: number
  totalMs: number
  readonly echoes: EchoReport['echoes'][number][]
}

/** C-ECHO, once or several times on one association (PS3.4 A). The answer is the exit code. */
export function echo(target: Target, options: EchoOptions): Promise<number> {
  return runScu(options, async (context) => {
    const { reporter, interrupts } = context
    const transferSyntaxes = transferSyntaxUids(options.transferSyntax)
    const contexts = [{ abstractSyntax: SopClass.Verification, ...(transferSyntaxes === undefined ? {} : { transferSyntaxes }) }]
    const { association, associationMs, peer, close } = await openAssociation(target, withoutIdleEnd(options), { contexts }, context)
    const tally: Tally = { sent: 0, succeeded: 0, minimumMs: Infinity, maximumMs: 0, totalMs: 0, echoes: [] }
    let failure: { readonly error: unknown } | undefined
    try {
      await echoes(association, options, context, tally)
    } catch (error) {
      if (!interrupts.isInterrupted) failure = { error }
    }
    if (options.abort === true) association.abort('--abort')
    await close()
    if (failure !== undefined) reportFailure(failure.error, reporter, options.debug)
    reporter.line(summary(tally, associationMs))
    const ok = failure === undefined && tally.succeeded === tally.sent && tally.sent > 0
    reporter.json(report(ok, peer, associationMs, tally, failure === undefined ? [] : explain(failure.error)))
    // Without a number of repetitions Ctrl-C is the end that was meant.
    return options.repeat === 0 || !interrupts.isInterrupted ? (ok ? EXIT.ok : EXIT.failed) : EXIT.interrupted
  })
}

/** Long intervals are meant: this side must not end the association for their silence. */
function withoutIdleEnd(options: EchoOptions): EchoOptions {
  return options.timeoutNetwork === undefined && options.interval >= LONG_INTERVAL_MS ? { ...options, timeoutNetwork: Infinity } : options
}

async function echoes(association: Association, { repeat, interval }: EchoOptions, { reporter, interrupts }: ScuContext, tally: Tally): Promise<void> {
  for (let number = 1; repeat === 0 || number <= repeat; number += 1) {
    if (number > 1) await wait(interval, undefined, { signal: interrupts.cancel })
    const startedAt = performance.now()
    tally.sent += 1
    const { status, category, label } = await association.cEcho()
    const roundTripMs = performance.now() - startedAt
    if (tally.echoes.length < LISTED) tally.echoes.push({ status, label, roundTripMs: rounded(roundTripMs) })
    if (category === 'success') {
      tally.succeeded += 1
      tally.totalMs += roundTripMs
      tally.minimumMs = Math.min(tally.minimumMs, roundTripMs)
      tally.maximumMs = Math.max(tally.maximumMs, roundTripMs)
    }
    const words = category === 'success' ? reporter.paint.out('green', 'success') : reporter.paint.out('red', `${statusCode(status)} ${label}`)
    reporter.line(`echo ${number}: ${words}, ${formatDuration(roundTripMs)}`)
    if (interrupts.isInterrupted) return
  }
}

function summary({ sent, succeeded, minimumMs, maximumMs, totalMs }: Tally, associationMs: number): string {
  const times =
    succeeded === 0
      ? ''
      : succeeded === 1
        ? `, round trip ${formatDuration(totalMs)}`
        : `, round trip ${formatDuration(totalMs / succeeded)} on average, ${formatDuration(minimumMs)} to ${formatDuration(maximumMs)}`
  return `${sent} sent, ${succeeded} answered with success; association in ${formatDuration(associationMs)}${times}`
}

function report(ok: boolean, peer: string, associationMs: number, tally: Tally, problems: readonly ScuProblem[]): EchoReport {
  const { sent, succeeded, minimumMs, maximumMs, totalMs, echoes: list } = tally
  return {
    ok,
    peer,
    associationMs: rounded(associationMs),
    sent,
    succeeded,
    ...(succeeded === 0 ? {} : { minimumMs: rounded(minimumMs), averageMs: rounded(totalMs / succeeded), maximumMs: rounded(maximumMs) }),
    echoes: list,
    ...(problems.length === 0 ? {} : { problems }),
  }
}

function rounded(milliseconds: number): number {
  return Math.round(milliseconds * 100) / 100
}
