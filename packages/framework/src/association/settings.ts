import type { SupportedContext } from '../acse/types.ts'
import type { Limits, ListenerOptions, NetworkTimeoutAction, Timeouts } from '../config/types.ts'

/** Where a listener, or `associate`, may differ from its ApplicationEntity. */
export type AssociationSettingsOptions = Omit<ListenerOptions, 'port' | 'host' | 'backlog' | 'contexts' | 'handlers'>

/** What an association goes by: a snapshot of listener and AE taken when the connection arrives or is requested. */
export interface AssociationSettings {
  readonly aeTitle: string
  readonly implementationClassUid: string
  readonly implementationVersionName: string | null
  readonly supportedContexts: ReadonlyMap<string, SupportedContext>
  readonly timeouts: Timeouts
  readonly limits: Limits
  readonly requireCalledAeTitle: boolean
  readonly requireCallingAeTitles: readonly string[]
  readonly requireUserIdentity: boolean
  readonly unrestrictedStorage: boolean
  readonly rejectWhenNoContext: boolean
  readonly networkTimeoutAction: NetworkTimeoutAction
}
