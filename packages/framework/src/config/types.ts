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
  /** How long a handler may take before the core answers for it. Default null. */
  readonly handlerMs: number | null
}

export interface Limits {
  /** Associations at once that this AE accepts. Default 100. */
  readonly maximumAssociations: number
  /** Connections at once that are not yet associations. Default 50. */
  readonly maximumPendingAssociations: number
  /** Maximum length announced in 0x51: the largest P-DATA-TF accepted; 0 means unlimited. */
  readonly maximumPduBytes: number
  /** Largest A-ASSOCIATE PDU accepted. Default 1 MiB. */
  readonly maximumAssociatePduBytes: number
  /** Largest command set accepted. Default 64 KiB. */
  readonly maximumCommandSetBytes: number
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
  /** Largest data set that `dataset()` decodes. Default 64 MiB. */
  readonly maximumDecodedDataSetBytes: number
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
  /** Accept queue of the operating system. Default 511. */
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
}

/** The config file: `defineConfig({...})`. */
export interface Config extends ApplicationEntityOptions {
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
