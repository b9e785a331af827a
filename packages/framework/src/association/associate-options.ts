import type { OperationsWindow, RequestedContext } from '../acse/types.ts'
import type { Limits, NetworkTimeoutAction, Timeouts } from '../config/types.ts'
import type { HookHandlers } from '../hooks/types.ts'
import type { SopClassCommonExtended, SopClassExtended } from '../pdu/user-items/types.ts'

/** The user on whose behalf an association is requested (PS3.7 D.3.3.7). */
export interface UserIdentityOptions {
  /** 1 username, 2 username and passcode, 3 Kerberos service ticket, 4 SAML assertion, 5 JSON web token. */
  readonly type: 1 | 2 | 3 | 4 | 5
  /** Username, ticket, assertion or token. A string is encoded as UTF-8. */
  readonly primaryField: string | Uint8Array
  /** The passcode; type 2 only, and then not empty. */
  readonly secondaryField?: string | Uint8Array
  /** Ask the acceptor to confirm. Its answer is `association.userIdentityResponse`. Default false. */
  readonly positiveResponseRequested?: boolean
}

/** What `ApplicationEntity.associate` takes. */
export interface AssociateOptions {
  /** Host name, IPv4 or IPv6 address of the acceptor. */
  readonly host: string
  readonly port: number
  /** Default `ANY-SCP`. */
  readonly calledAeTitle?: string
  /** Default: the title of the ApplicationEntity. */
  readonly callingAeTitle?: string
  /** Default: that of the ApplicationEntity. */
  readonly implementationClassUid?: string
  /** `null` leaves it out. Default: that of the ApplicationEntity. */
  readonly implementationVersionName?: string | null
  /** 1 to 128 contexts to propose. Default: `requestedContexts` of the ApplicationEntity. */
  readonly contexts?: readonly RequestedContext[]
  /** Asynchronous operations window to propose; 0 is unlimited. Default: none, one operation at a time. */
  readonly asynchronousOperations?: OperationsWindow
  readonly userIdentity?: UserIdentityOptions
  readonly sopClassExtended?: readonly Omit<SopClassExtended, 'type'>[]
  readonly sopClassCommonExtended?: readonly Omit<SopClassCommonExtended, 'type' | 'subItemVersion'>[]
  /** Local address and port to bind; by default the operating system chooses. */
  readonly localAddress?: string
  readonly localPort?: number
  /**
   * Asks for a secure connection. What it may hold is said by the plugin that provides TLS; without one
   * `associate` rejects with DICOMTAP_ERR_TLS_UNAVAILABLE and never falls back to plain TCP.
   */
  readonly tls?: unknown
  /** Override those of the ApplicationEntity. */
  readonly timeouts?: Partial<Timeouts>
  /** Override those of the ApplicationEntity, `maximumPduBytes` first of all. */
  readonly limits?: Partial<Limits>
  readonly networkTimeoutAction?: NetworkTimeoutAction
  /** Handlers bound on the association before it connects. */
  readonly handlers?: HookHandlers
  /** Ends the attempt, or aborts the association once it is there. */
  readonly signal?: AbortSignal
}
