import type { AcceptedContext } from '../acse/types.ts'
import type { HookTable } from '../hooks/types.ts'
import type { Logger } from '../logger.ts'
import type { RunningOperation } from './operation.ts'
import type { Outcome } from './outcome.ts'
import type { InstanceToSend } from './types.ts'

/** What a service performer may do besides returning its outcome. */
export interface Exchange {
  readonly hooks: HookTable
  readonly log: Logger
  /** Sends a Pending response and waits until the socket took it. */
  sendPending(operation: RunningOperation, outcome: Outcome): Promise<void>
  /** The accepted context that this side may send an instance on as SCU, for C-GET sub-operations. */
  contextFor(sopClassUid: string, transferSyntaxUid: string): AcceptedContext | undefined
  /** Performs one C-STORE sub-operation on this association; resolves with the peer's status. */
  storeOnAssociation(context: AcceptedContext, instance: InstanceToSend): Promise<number>
}
