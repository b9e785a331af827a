import type { SupportedContext } from '../acse/types.ts'
import type { HookHandlers } from '../hooks/types.ts'
import type { LogLevel } from '../logger.ts'
import type { PluginInput } from '../plugin/types.ts'

/** Time-outs in milliseconds; `null` means none. */
export interface Timeouts {
  /** ARTIM and every wait for an association PDU or answer. Default 30 000. */
  readonly acseMs: number | null
  /** Wait for the rest of a DIMSE message, and for a response to a request of ours. Default 30 000. */
  readonly dimseMs: number | null
  /** Idle association, half-received PDU, peer that does not read. Default 60 000. */
  readonly networkMs: number | null
  /** TCP connect. Default 15 000. */
  readonly connectionMs: number | null
  /** How long a handler of a service may do nothing before the core answers for it. Default 600 000. */
  readonly handlerMs: number | null
  /** How long a handler of a lifecycle hook, such as `ready` or `configReload`, may take. Default 60 000. */
  readonly lifecycleMs: number | null
  /** How long an association that a peer requested may last. Default null. */
  readonly associationMs: number | null
}

export interface Limits {
  /** Associations at once that this AE accepts. Default 100. */
  readonly maximumAssociations: number
  /** Connections at once that are not yet associations. Default 50. */
  readonly maximumPendingAssociations: number
  /** Maximum length announced in 0x51: the largest P-DATA-TF accepted; 0 means unlimited. */
  readonly maximumPduBytes: number
  /** Largest A-ASSOCIATE PDU accepted. Default 256 KiB. */
  readonly maximumAssociatePduBytes: number
  /** Items of one A-ASSOCIATE PDU, items of items included. Default 16 384. */
  readonly maximumAssociateItems: number
  /** Presentation contexts of one A-ASSOCIATE PDU, at most 128. Default 128. */
  readonly maximumPresentationContexts: number
  /** User information items of one A-ASSOCIATE PDU. Default 1024. */
  readonly maximumUserItems: number
  /** Largest command set accepted. Default 64 KiB. */
  readonly maximumCommandSetBytes: number
  /** PDVs without data one after the other inside a message. Default 64. */
  readonly maximumEmptyFragments: number
  /**
   * What a peer must send of a message under way within `timeouts.dimseMs`, unless it ends, and read of what waits
   * for it within `timeouts.networkMs`. Default 1024.
   */
  readonly minimumProgressBytes: number
  /** Data set bytes buffered per association before the socket is paused. Default 512 KiB. */
  readonly receiveBufferBytes: number
  /** Largest P-DATA-TF sent to the peer, whatever it takes; 0: as it says. Default 0. */
  readonly maximumSentPduBytes: number
  /** Requests of a peer waiting behind the running one before the socket is paused. Default 64. */
  readonly maximumQueuedOperations: number
  /** Requests of a peer performed at once, however wide the negotiated window. Default 64. */
  readonly maximumPerformedOperations: number
  /** Requests of ours outstanding at once, however wide the negotiated window. Default 64. */
  readonly maximumInvokedOperations: number
  /** Bytes of responses to our requests that wait to be taken, per association. Default 256 MiB. */
  readonly maximumUnreadResponseBytes: number
  /** Largest data set that `buffer()` and `dataset()` take; what a deflated one may inflate to. Default 64 MiB. */
  readonly maximumDecodedDataSetBytes: number
  /** The same for the identifier of a C-FIND, C-GET or C-MOVE request. Default 1 MiB. */
  readonly maximumIdentifierBytes: number
  /** Bytes of data sets that `buffer()` and `dataset()` have taken for running requests, in the whole AE. Default 512 MiB. */
  readonly maximumGatheredBytes: number
  /** Elements, items and fragments of a data set that is decoded. Default 500 000. */
  readonly maximumDecodedElements: number
  /** Values of all elements of a data set that is decoded. Default 5 000 000. */
  readonly maximumDecodedValues: number
  /** Bytes of one text of a data set that is decoded. Default 4 MiB. */
  readonly maximumDecodedTextBytes: number
  /** Sequences within sequences of a data set that is decoded. Default 64. */
  readonly maximumNestingDepth: number
  /** How long `close` waits for running operations before it aborts. Default 10 000. */
  readonly closeDeadlineMs: number
}

/** What happens when an association was silent for `timeouts.networkMs`. */
export type NetworkTimeoutAction = 'abort' | 'release'

/** What plugin-tls adds to a listener, by declaration merging. */
// oxlint-disable-next-line typescript/no-empty-object-type -- merged into by plugins
export interface ListenerTls {}
/** What plugin-access adds to a listener, by declaration merging. */
// oxlint-disable-next-line typescript/no-empty-object-type -- merged into by plugins
export interface ListenerProxyProtocol {}
/** What plugin-tls takes as `tls` of `associate` and of move destinations, by declaration merging. */
// oxlint-disable-next-line typescript/no-empty-object-type -- merged into by plugins
export interface AssociateTls {}

/** Keys of a listener that belong to plugins: one of them must say with `listenerOptions` what they mean. */
export type ListenerPluginKey = 'tls' | 'proxyProtocol'

/** One listening socket. Values here override those of the AE for its associations. */
export interface ListenerOptions {
  /** Default 11112. 0 picks a free port. */
  readonly port?: number
  /** Address to bind. Default: every address, IPv4 and IPv6. */
  readonly host?: string
  /** Accept queue of the operating system, which may have less. Default 4096. */
  readonly backlog?: number
  /** The title of this listener. Default: the AE's. */
  readonly aeTitle?: string
  /** Default: that of the AE. */
  readonly implementationClassUid?: string
  /** `null` leaves it out. Default: that of the AE. */
  readonly implementationVersionName?: string | null
  readonly contexts?: readonly SupportedContext[]
  readonly timeouts?: Partial<Timeouts>
  readonly limits?: Partial<Limits>
  readonly requireCalledAeTitle?: boolean
  readonly requireCallingAeTitles?: readonly string[]
  readonly requireUserIdentity?: boolean
  readonly unrestrictedStorage?: boolean
  readonly rejectWhenNoContext?: boolean
  readonly networkTimeoutAction?: NetworkTimeoutAction
  /** TLS from the first byte on (PS3.15 annex B); needs plugin-tls. `false`: plain TCP. */
  readonly tls?: ListenerTls | boolean
  /** The PROXY protocol of load balancers; needs plugin-access. */
  readonly proxyProtocol?: ListenerProxyProtocol | boolean
  /**
   * Handlers bound on the listener before it opens, so that `listening` and the first connection reach them.
   * In code only: a YAML or JSON file has no functions.
   */
  readonly handlers?: HookHandlers
}

/** Options of an ApplicationEntity. */
export interface ApplicationEntityOptions {
  /** 1 to 16 characters (PS3.5 6.2, AE). Default `DICOMTAP`. */
  readonly aeTitle?: string
  /** (0002,0012) and item 0x52. Default: dicomtap's own under 2.25. */
  readonly implementationClassUid?: string
  /** Item 0x55; `null` leaves it out. Default `DICOMTAP_<version>`. */
  readonly implementationVersionName?: string | null
  readonly contexts?: readonly SupportedContext[]
  readonly timeouts?: Partial<Timeouts>
  readonly limits?: Partial<Limits>
  /** Refuse a Called AE Title that is not ours (PS3.8 9.3.4: 1,1,7). Default false. */
  readonly requireCalledAeTitle?: boolean
  /** Calling AE Titles let in (else 1,1,3). Default: anyone. */
  readonly requireCallingAeTitles?: readonly string[]
  /** Refuse when no handler verified a user identity. Default false. */
  readonly requireUserIdentity?: boolean
  /** Accept private and unknown storage SOP classes. Default false. */
  readonly unrestrictedStorage?: boolean
  /** Reject an association none of whose contexts is accepted, instead of accepting it. Default false. */
  readonly rejectWhenNoContext?: boolean
  /** An association that was idle for `timeouts.networkMs` is aborted or released. Default `abort`. */
  readonly networkTimeoutAction?: NetworkTimeoutAction
  /** Level of the built-in log on stderr; a logging plugin replaces it. Default `info`. */
  readonly logLevel?: LogLevel | 'silent'
  /**
   * Whether a server that listens rehearses while nobody needs it, so that its first peers find compiled code: see
   * `ApplicationEntity.warmUp`. Default false in code, true for `dicomtap start`.
   */
  readonly warmUp?: boolean
}

/** The config file: `defineConfig({...})`. */
export interface Config extends ApplicationEntityOptions {
  /** Processes of `dicomtap start` that share the listeners and the limits; `auto`: one for each core. Default 1. */
  readonly workers?: number | 'auto'
  readonly listen?: readonly ListenerOptions[]
  /** Falsy entries are skipped, arrays (presets) flattened. */
  readonly plugins?: readonly PluginInput[]
}

/** A config after loading: defaults filled in, file known. */
export interface ResolvedConfig extends Config {
  readonly aeTitle: string
  readonly listen: readonly ListenerOptions[]
  /** Absolute path of the file, when there is one; relative paths in options start at its folder. */
  readonly file: string | undefined
}
