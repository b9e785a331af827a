import type { Logger } from '@dicomtap/framework'
import type { Backend } from './backend.ts'
import { databaseError } from './database-error.ts'

const FIRST_PAUSE_MS = 250
const LONGEST_PAUSE_MS = 30_000

/** What can be done at present. */
type State = 'ready' | 'unwritable' | 'away'

/** Remembers that the database does not answer, says so once, and looks whether it is back: ever more rarely, and not all processes at once. */
export class Availability {
  readonly #backend: Backend
  readonly #log: Logger
  /** Connects and writes; rejects while it cannot. */
  readonly #probe: () => Promise<void>
  #state: State = 'ready'
  #reason = ''
  #attempts = 0
  #timer: NodeJS.Timeout | undefined
  #isClosed = false
  #readySinceMs = Number.NEGATIVE_INFINITY

  constructor(backend: Backend, log: Logger, probe: () => Promise<void>) {
    this.#backend = backend
    this.#log = log
    this.#probe = probe
  }

  get isReady(): boolean {
    return this.#state === 'ready'
  }

  /** @throws DICOMTAP_ERR_QR_DATABASE */
  assert(what: 'read' | 'write'): void {
    if (this.#state === 'away' || (this.#state === 'unwritable' && what === 'write')) throw this.#unavailable()
  }

  /** The error that callers get for one of the database, which is remembered when it is about more than one statement. */
  report(error: unknown): Error {
    const trouble = this.#backend.troubleOf(error)
    const reason = this.#backend.explain(error)
    if (trouble === 'statement' || trouble === 'retry' || this.#isClosed) {
      return databaseError(`The index ${this.#backend.place} refused a statement: ${reason}`)
    }
    const state = trouble === 'unwritable' ? 'unwritable' : 'away'
    const wasReady = this.isReady
    if (wasReady || state === 'away') {
      this.#state = state
      this.#reason = reason
    }
    if (wasReady) {
      // One that is back for a moment only is asked as rarely as before.
      if (performance.now() - this.#readySinceMs > LONGEST_PAUSE_MS) this.#attempts = 0
      this.#log.error(`The index ${this.#backend.place} ${state === 'away' ? 'does not answer' : 'cannot be written'}: ${reason}. It is tried again.`)
      this.#schedule()
    }
    return this.#unavailable()
  }

  close(): void {
    this.#isClosed = true
    clearTimeout(this.#timer)
  }

  #unavailable(): Error {
    return databaseError(`The index ${this.#backend.place} ${this.#state === 'unwritable' ? 'cannot be written' : 'does not answer'}: ${this.#reason}`)
  }

  #schedule(): void {
    const pauseMs = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** this.#attempts) * (0.5 + Math.random())
    this.#attempts = Math.min(this.#attempts + 1, 16)
    this.#timer = setTimeout(() => void this.#try(), pauseMs)
    this.#timer.unref()
  }

  async #try(): Promise<void> {
    try {
      await this.#probe()
    } catch (error) {
      if (this.#isClosed) return
      const trouble = this.#backend.troubleOf(error)
      this.#state = trouble === 'unwritable' ? 'unwritable' : 'away'
      const reason = this.#backend.explain(error)
      if (reason !== this.#reason) this.#log.debug(`The index ${this.#backend.place}: ${reason}`)
      this.#reason = reason
      this.#schedule()
      return
    }
    if (this.#isClosed) return
    this.#state = 'ready'
    this.#readySinceMs = performance.now()
    this.#log.info(`The index ${this.#backend.place} answers again`)
  }
}
