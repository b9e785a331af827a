import type { ChildProcess } from 'node:child_process'
import { existsSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'

/** What has to go when the run is cancelled on the way. */
export interface Undo {
  /** Folders for the time being. */
  readonly drafts: Set<string>
  readonly children: Set<ChildProcess>
  /** The project is complete: from now on nothing is undone. */
  keep(): void
}

const EXIT_CANCELLED = 130

/**
 * Until `keep`, the end of the process takes back what was made: Ctrl-C arrives as a signal, or, while a
 * spinner holds the terminal, as `process.exit`. What was in the folder before stays.
 */
export function undoOnExit(target: string): Undo {
  const before = existsSync(target) ? readdirSync(target) : undefined
  const drafts = new Set<string>()
  const children = new Set<ChildProcess>()
  const undo = (): void => {
    process.exitCode = EXIT_CANCELLED
    for (const child of children) child.kill('SIGKILL')
    for (const draft of drafts) rmSync(draft, { recursive: true, force: true })
    if (before === undefined) rmSync(target, { recursive: true, force: true })
    else if (before.every((name) => name === '.git')) removeAllBut(before, target)
    process.stderr.write('\nCancelled; nothing was made.\n')
  }
  const interrupt = (): never => process.exit(EXIT_CANCELLED)
  process.once('exit', undo)
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, interrupt)
  return {
    drafts,
    children,
    keep() {
      process.removeListener('exit', undo)
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.removeListener(signal, interrupt)
    },
  }
}

function removeAllBut(names: readonly string[], folder: string): void {
  for (const name of readdirSync(folder)) {
    if (!names.includes(name)) rmSync(join(folder, name), { recursive: true, force: true })
  }
}
