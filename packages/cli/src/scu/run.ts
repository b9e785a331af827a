import { note } from '../output/terminal.ts'
import { exitCodeOf, problemsOf, reportError } from '../output/report-error.ts'
import type { Problem } from '../output/report-error.ts'
import type { ScuContext } from './connect.ts'
import { EXIT, UsageError } from './exit.ts'
import { hintFor } from './hints.ts'
import { watchInterrupts } from './interrupts.ts'
import type { ConnectionOptions } from './options.ts'
import { createReporter } from './reporter.ts'
import type { Reporter } from './reporter.ts'

/**
 * Runs an SCU command: gives it a reporter and Ctrl-C, turns what it throws into a line, a hint and an exit
 * code. With --json an error is an object too: `{ ok: false, problems }`.
 */
export async function runScu(options: ConnectionOptions, command: (context: ScuContext) => Promise<number>): Promise<number> {
  const reporter = createReporter(options)
  const interrupts = watchInterrupts()
  try {
    return await command({ reporter, interrupts })
  } catch (error) {
    reporter.progress.end()
    if (error instanceof UsageError) {
      note(`error: ${error.message}`)
      return EXIT.usage
    }
    if (interrupts.isInterrupted) return EXIT.interrupted
    reporter.json({ ok: false, problems: explain(error) })
    reportFailure(error, reporter, options.debug === true)
    return exitCodeOf(error)
  } finally {
    interrupts.dispose()
  }
}

/** A problem, as --json shows it. */
export interface ScuProblem extends Problem {
  /** What can be done about it, where that is known. */
  readonly hint?: string
}

/** For --json: what is wrong, and what to do about it. */
export function explain(error: unknown): ScuProblem[] {
  const hint = hintFor(error)
  return problemsOf(error).map((problem) => ({ ...problem, ...(hint === undefined ? {} : { hint }) }))
}

/** An error line and, where there is one, what to do about it. */
export function reportFailure(error: unknown, reporter: Reporter, isDebug: boolean = false): void {
  reporter.progress.above(() => {
    reportError(error, isDebug)
    const hint = hintFor(error)
    if (hint !== undefined) note(`${reporter.paint.err('cyan', 'hint')}: ${hint}`)
  })
}
