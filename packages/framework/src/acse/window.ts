import type { AsynchronousOperationsWindow } from '../pdu/user-items/types.ts'
import type { OperationsWindow } from './types.ts'

/** One operation at a time: what holds without negotiation (PS3.7 D.3.3.3). */
export const SYNCHRONOUS: OperationsWindow = { invoked: 1, performed: 1 }

/** An answer must not be wider than the proposal (PS3.7 D.3.3.3.2); 0 is unlimited. */
export function narrowerWindow(
  answer: OperationsWindow,
  proposal: Pick<AsynchronousOperationsWindow, 'maximumNumberOperationsInvoked' | 'maximumNumberOperationsPerformed'>,
): OperationsWindow {
  return {
    invoked: narrower(answer.invoked, proposal.maximumNumberOperationsInvoked),
    performed: narrower(answer.performed, proposal.maximumNumberOperationsPerformed),
  }
}

function narrower(a: number, b: number): number {
  if (a === 0) return b
  return b === 0 ? a : Math.min(a, b)
}

/** How many operations a window comes to with a limit of this side; a window of 0 is unlimited. */
export function withinLimit(window: number, limit: number): number {
  return window === 0 ? limit : Math.min(window, limit)
}
