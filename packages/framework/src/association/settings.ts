import type { SupportedContext } from '../acse/types.ts'
import type { Limits, ListenerOptions, NetworkTimeoutAction, Timeouts } from '../config/types.ts'
import { DicomtapError } from '../errors/index.ts'

/** Where a listener, or `associate`, may differ from its ApplicationEntity. */
export type AssociationSettingsOptions = Omit<ListenerOptions, 'port' | 'host' | 'backlog' | 'contexts' | 'handlers' | 'tls' | 'proxyProtocol'>

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
  /** Types of user items (PS3.7 D.3.3) that are left out of the answer, for peers that cannot bear them. Default none. */
  readonly omittedUserItems: readonly number[]
}

/** What a timer of Node can wait at most. */
const LONGEST_MS = 2_147_483_647

/**
 * What a handler of `associationSettings` gave back.
 * @throws DICOMTAP_ERR_HOOK_ANSWER when an association cannot go by it.
 */
export function checkedSettings(answer: AssociationSettings): AssociationSettings {
  const { limits, timeouts, omittedUserItems, supportedContexts } = answer
  const wrong =
    Object.entries(limits).find(([, value]) => !Number.isSafeInteger(value) || value < 0) ??
    Object.entries(timeouts).find(([, value]) => value !== null && !(Number.isInteger(value) && value >= 1 && value <= LONGEST_MS))
  if (wrong === undefined && Array.isArray(omittedUserItems) && supportedContexts instanceof Map) return Object.freeze({ ...answer })
  throw new DicomtapError(
    'DICOMTAP_ERR_HOOK_ANSWER',
    `A handler of associationSettings gave settings that cannot be${wrong === undefined ? '' : `: ${wrong[0]} is ${String(wrong[1])}`}`,
  )
}
