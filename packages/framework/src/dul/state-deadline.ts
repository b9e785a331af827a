import { Deadline } from './deadline.ts'
import type { DulState } from './transition-table.ts'

/**
 * States in which somebody else has to act and ARTIM does not run (PS3.8 9.2 leaves them open): how long
 * we wait, and what the log says when nobody did.
 */
const WAITING_STATES: Readonly<Partial<Record<DulState, string>>> = {
  Sta3: 'No handler answered the association request in time',
  Sta4: 'The connection was not established in time',
  Sta5: 'The peer did not answer the association request in time',
  Sta7: 'The peer did not answer the release request in time',
  Sta8: 'The operations did not end in time after a release request',
  Sta9: 'The release was not answered in time',
  Sta10: 'The peer did not answer the release request in time',
  Sta11: 'The peer did not answer the release request in time',
  Sta12: 'The release was not answered in time',
}

/** One timer for the state that is current. */
export class StateDeadline {
  readonly #timeouts: { readonly acseTimeoutMs: number | null; readonly connectionTimeoutMs: number | null }
  readonly #deadline: Deadline
  #message = ''

  constructor(
    timeouts: { readonly acseTimeoutMs: number | null; readonly connectionTimeoutMs: number | null },
    expired: (message: string) => void,
  ) {
    this.#timeouts = timeouts
    this.#deadline = new Deadline(() => expired(this.#message))
  }

  enter(state: DulState): void {
    const message = WAITING_STATES[state]
    const timeoutMs = state === 'Sta4' ? this.#timeouts.connectionTimeoutMs : this.#timeouts.acseTimeoutMs
    if (message === undefined || timeoutMs === null) {
      this.stop()
      return
    }
    this.#message = message
    this.#deadline.start(timeoutMs)
  }

  stop(): void {
    this.#deadline.stop()
  }
}
