import { note, painter, print, printJson } from '../output/terminal.ts'
import type { Style } from '../output/terminal.ts'
import type { ConnectionOptions } from './options.ts'
import { createProgress } from './progress.ts'
import type { Progress } from './progress.ts'

/** How an SCU command talks: results on stdout, everything else on stderr. */
export interface Reporter {
  readonly isJson: boolean
  readonly isVerbose: boolean
  /** A line of the result, on stdout; not with --json or --quiet. */
  line(text: string): void
  /** What is said besides the result, on stderr; not with --quiet. */
  note(text: string): void
  /** On stderr, --quiet or not. */
  warn(text: string): void
  /** With --json: the result, whole. */
  json(value: unknown): void
  readonly paint: { out(style: Style, text: string): string; err(style: Style, text: string): string }
  /** The progress line; use it between lines of any kind. */
  progress: Progress
  /** Starts a progress line, when stderr is a terminal. */
  startProgress(unit: string): Progress
}

export function createReporter({ json = false, quiet = false, verbose = false, debug = false }: ConnectionOptions): Reporter {
  const out = painter(process.stdout)
  const err = painter(process.stderr)
  const reporter: Reporter = {
    isJson: json,
    isVerbose: verbose || debug,
    paint: { out, err },
    line(text) {
      if (!json && !quiet) reporter.progress.above(() => print(text))
    },
    note(text) {
      if (!quiet) reporter.progress.above(() => note(text))
    },
    warn(text) {
      reporter.progress.above(() => note(text))
    },
    json(value) {
      if (json) printJson(value)
    },
    progress: createProgress('', process.stderr, false),
    startProgress(unit) {
      // The log of the protocol writes to the same terminal.
      reporter.progress = createProgress(unit, process.stderr, !quiet && !debug)
      return reporter.progress
    },
  }
  return reporter
}
