import type { DulAction, DulEvent, DulState } from './transition-table.ts'
import { DUL_ACTIONS, DUL_NEXT_STATES, TRANSITION_TABLE } from './transition-table.ts'

/** What the state machine says to do, and the state afterwards. Shared and frozen: compare, never change. */
export interface DulTransition {
  readonly action: DulAction
  readonly nextState: DulState
}

const FIRST = transitions((states) => states[0])
const SECOND = transitions((states) => states[1] ?? states[0])

/**
 * One step of the upper layer state machine (PS3.8 9.2). Pure, and without allocation.
 *
 * @param isRequestor this side requested the association: decides a release collision (AR-8).
 * @param acceptable the service provider can take the A-ASSOCIATE-RQ, e.g. its protocol version (AE-6).
 * @returns `undefined` for a blank cell of table 9-10.
 */
export function step(
  state: DulState,
  event: DulEvent,
  isRequestor: boolean,
  acceptable: boolean,
): DulTransition | undefined {
  const action = TRANSITION_TABLE[event][state]
  if (action === undefined) return undefined
  if (action === 'AE-6') return (acceptable ? FIRST : SECOND)[action]
  if (action === 'AR-8') return (isRequestor ? FIRST : SECOND)[action]
  return FIRST[action]
}

function transitions(
  pick: (states: readonly [DulState, DulState?]) => DulState,
): Readonly<Record<DulAction, DulTransition>> {
  const entries = DUL_ACTIONS.map(
    (action) => [action, Object.freeze({ action, nextState: pick(DUL_NEXT_STATES[action]) })] as const,
  )
  return Object.fromEntries(entries) as Record<DulAction, DulTransition>
}
