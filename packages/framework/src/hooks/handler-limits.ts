import type { Timeouts } from '../config/types.ts'
import { HOOK_CATALOG } from './catalog.ts'
import type { HookName } from './types.ts'

/** However short the deadline of a close is, a plugin may take so long to finish what it has begun. */
const LEAST_CLEAN_UP_MS = 1_000

const OF_REQUESTED_ASSOCIATIONS: ReadonlySet<HookName> = new Set<HookName>(['outgoingAssociation', 'outgoingConnection', 'associationAnswer'])

/**
 * How long a handler may take where nobody else bounds it; null: somebody does, or it is a choice. Handlers of a request
 * of a peer have until the association is given up, those of an operation `timeouts.handlerMs`.
 * @param closesAtMs the deadline of a close that has begun, on the clock of `performance`
 */
export function handlerLimitMs(hook: HookName, { acseMs, lifecycleMs }: Timeouts, closesAtMs: number = 0): number | null {
  if (hook === 'preClose') return Math.max(LEAST_CLEAN_UP_MS, Math.ceil(closesAtMs - performance.now()))
  if (HOOK_CATALOG[hook].kind === 'lifecycle' || hook === 'listenerOptions') return lifecycleMs
  return OF_REQUESTED_ASSOCIATIONS.has(hook) ? acseMs : null
}
