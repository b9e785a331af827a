import type { Interrupts } from '../scu/interrupts.ts'

/** When a query is cancelled: by Ctrl-C, or after as many responses as were wanted. */
export interface Cancelling {
  /** Given to the request: its abort sends C-CANCEL. */
  readonly signal: AbortSignal
  /** Cancelled because of a number that was given in advance. */
  readonly isWanted: boolean
  cancel(): void
}

/** @param limit aborted when no more is to come for another reason */
export function cancelling(interrupts: Interrupts, limit?: AbortSignal): Cancelling {
  const wanted = new AbortController()
  return {
    signal: AbortSignal.any([interrupts.cancel, wanted.signal, ...(limit === undefined ? [] : [limit])]),
    get isWanted() {
      return wanted.signal.aborted
    },
    cancel: () => wanted.abort(),
  }
}
