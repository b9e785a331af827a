import type { Priority } from '../types.ts'
import type { PulledInstance, UnusableInstance } from './pulled-instance.ts'

/** Why nothing more can be sent. */
export interface Unsendable {
  readonly errorComment: string
}

/**
 * How sub-operations leave: on the association of a C-GET, or on associations with the destination of a
 * C-MOVE.
 */
export interface InstanceSender {
  /** How many instances may be pulled before their turn. */
  readonly lookAhead: number
  /** While nothing else is sent, a Pending response says this often that the operation lives; undefined: never. */
  readonly keepAliveMs: number | undefined
  /** Whether instances leave on another association than the responses, which then need not be waited for. */
  readonly isApart: boolean
  /** May another sub-operation begin, as far as the window goes? */
  hasRoom(instance?: PulledInstance): boolean
  /** False: `prepare` must come before `send`. */
  isReadyFor(instance: PulledInstance): boolean
  /** Makes ready for the first one that waits, and others with it. Only while no sub-operation runs. */
  prepare(waiting: readonly (PulledInstance | UnusableInstance)[]): Promise<Unsendable | undefined>
  /**
   * One C-STORE sub-operation; resolves with its status, undefined when the instance must be sent again.
   * What it throws counts as failed.
   */
  send(instance: PulledInstance): Promise<number | undefined>
  /** Over. What runs may go on until `settled`; nothing is begun any more. */
  end(settled: Promise<unknown>): void
}

/** Sub-operations have the priority of the C-GET or C-MOVE (PS3.4 C.4.2.1.3); one that is none counts as medium. */
export function subOperationPriority(requested: Priority): Priority {
  return requested === 1 || requested === 2 ? requested : 0
}
