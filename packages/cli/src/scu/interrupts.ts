import { note } from '../output/terminal.ts'
import { EXIT } from './exit.ts'

/** How long the peer is given to take an A-ABORT. */
const ABORT_GRACE_MS = 500

/** What a person or a supervisor who wants an end asks for. */
export interface Interrupts {
  /** Aborted by the first Ctrl-C or SIGTERM: cancel what runs, release, say what was done. */
  readonly cancel: AbortSignal
  /** Aborted by the second: abort the association. Half a second later the process ends. */
  readonly abort: AbortSignal
  readonly isInterrupted: boolean
  /** 130 when interrupted, else `code`. */
  exitCode(code: number): number
  dispose(): void
}

export function watchInterrupts(): Interrupts {
  const cancel = new AbortController()
  const abort = new AbortController()
  const onSignal = (signal: 'SIGINT' | 'SIGTERM'): void => {
    if (!cancel.signal.aborted) {
      note(`${signal}: ending; once more to abort at once`)
      cancel.abort()
    } else if (!abort.signal.aborted) {
      note(`${signal}: aborting`)
      abort.abort()
      setTimeout(() => process.exit(EXIT.interrupted), ABORT_GRACE_MS).unref()
    }
  }
  process.on('SIGINT', onSignal)
  process.on('SIGTERM', onSignal)
  return {
    cancel: cancel.signal,
    abort: abort.signal,
    get isInterrupted() {
      return cancel.signal.aborted
    },
    exitCode: (code) => (cancel.signal.aborted ? EXIT.interrupted : code),
    dispose() {
      process.off('SIGINT', onSignal)
      process.off('SIGTERM', onSignal)
    },
  }
}
