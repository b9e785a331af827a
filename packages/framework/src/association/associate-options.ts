import type { OperationsWindow, RequestedContext } from '../acse/types.ts'
import type { AssociateTls, Limits, NetworkTimeoutAction, Timeouts } from '../config/types.ts'
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
  /** 1 to 65535; 104 and 11112 are the usual ones. */
  readonly port: number
  /** 1 to 16 characters (PS3.5 6.2, AE). Default `ANY-SCP`. */
  readonly calledAeTitle?: string
  /** Default: the title of the ApplicationEntity. */
  readonly callingAeTitle?: string
  /** Default: that of the ApplicationEntity. */
  readonly implementationClassUid?: string
  /** `null` leaves it out. Default: that of the ApplicationEntity. */
  readonly implementationVersionName?: string | null
  /**
   * 1 to 128 contexts to propose (PS3.8 7.1.1.13), see `presentationContextsFor`. The acceptor picks one transfer
   * syntax of each. Default: `requestedContexts` of the ApplicationEntity.
   */
  readonly contexts?: readonly RequestedContext[]
  /**
   * Asynchronous operations window to propose (PS3.7 D.3.3.3), 0 to 65535; 0 is unlimited. What was agreed is
   * `association.asynchronousOperations`. Default: none, one operation at a time.
   */
  readonly asynchronousOperations?: OperationsWindow
  readonly userIdentity?: UserIdentityOptions
  /** Extended negotiation by SOP class (PS3.7 D.3.3.5). What came back is `association.acceptor.sopClassExtended`. */
  readonly sopClassExtended?: readonly Omit<SopClassExtended, 'type'>[]
  /** Service class and general classes of SOP classes that the acceptor may not know (PS3.7 D.3.3.6). */
  readonly sopClassCommonExtended?: readonly Omit<SopClassCommonExtended, 'type' | 'subItemVersion'>[]
  /** IP address of this machine to connect from; by default the operating system chooses. */
  readonly localAddress?: string
  /** 0 to 65535; 0, the default, is one that the operating system chooses. */
  readonly localPort?: number
  /**
   * Asks for a secure connection. What it may hold is said by the plugin that provides TLS; without one
   * `associate` rejects with DICOMTAP_ERR_TLS_UNAVAILABLE and never falls back to plain TCP.
   */
  readonly tls?: AssociateTls | boolean
  /** In milliseconds; null is none. Those that are not given are of the ApplicationEntity. */
  readonly timeouts?: Partial<Timeouts>
  /** Those that are not given are of the ApplicationEntity; `maximumPduBytes` is what the peer is told. */
  readonly limits?: Partial<Limits>
  /** What happens when it was idle for `timeouts.networkMs`. Default: that of the ApplicationEntity, `abort`. */
  readonly networkTimeoutAction?: NetworkTimeoutAction
  /**
   * Handlers bound on the association before it connects. Hooks that are asked before there is one, such as
   * `outgoingConnection`, or that are about no association, are refused: bind them on the ApplicationEntity.
   */
  readonly handlers?: HookHandlers
  /**
   * Ends the attempt, also while handlers are waited for, or aborts the association once it is there. `associate`
   * then rejects with DICOMTAP_ERR_ACSE_ABORTED, whose `cause` is the reason of the signal.
   */
  readonly signal?: AbortSignal
}
