import type { AcceptedContext } from '../acse/types.ts'
import type { HookTable } from '../hooks/types.ts'
import type { Logger } from '../logger.ts'
import type { DataSetBytes } from './fragmenter.ts'
import type { RunningOperation } from './operation.ts'
import type { Outcome } from './outcome.ts'
import type { PulledInstance } from './retrieve/pulled-instance.ts'
import type { SubAssociations } from './retrieve/sub-association.ts'
import type { Priority } from './types.ts'

/** What a service performer may do besides returning its outcome. */
export interface Exchange {
  readonly hooks: HookTable
  readonly log: Logger
  /** Where a C-MOVE gets associations with its destination. */
  readonly subAssociations: SubAssociations
  /** C-STORE sub-operations of C-GET that may be outstanding on this association at once (PS3.7 D.3.3.3). */
  readonly maximumSubOperations: number
  /** How often the requestor of a C-MOVE is told that it goes on. */
  readonly keepAliveMs: number
  /** Bounds what a handler does for the operation by `timeouts.handlerMs`. */
  withinHandlerTime<T>(operation: RunningOperation, work: Promise<T>): Promise<T>
  /** Bounds what a source of bytes to send is asked for by `timeouts.handlerMs`. @throws DICOMTAP_ERR_DIMSE_TIMEOUT */
  withinSourceTime<T>(work: Promise<T>): Promise<T>
  /** Sends a Pending response and waits until the socket took it. */
  sendPending(operation: RunningOperation, outcome: Outcome): Promise<void>
  /** The accepted context that this side may send an instance on as SCU, for C-GET sub-operations. */
  contextFor(instance: PulledInstance): AcceptedContext | undefined
  /** Performs one C-STORE sub-operation on this association; resolves with the peer's status. */
  storeOnAssociation(context: AcceptedContext, instance: PulledInstance, bytes: DataSetBytes, priority: Priority): Promise<number>
}
