import type { AssociateTls, Limits, Timeouts } from '@dicomtap/framework'
import type { RejectionTriple } from '../rejections.ts'

/** User items that can be left out of the answer to a peer that cannot bear them (PS3.7 D.3.3). */
export const OMITTABLE_USER_ITEMS = {
  asynchronousOperations: 0x53,
  roleSelection: 0x54,
  implementationVersionName: 0x55,
  extendedNegotiation: 0x56,
  userIdentity: 0x59,
} as const

/** The name of one of {@link OMITTABLE_USER_ITEMS}. */
export type OmittableUserItem = keyof typeof OMITTABLE_USER_ITEMS

/** What equipment cannot do, or does wrong. */
export interface Quirks {
  /** It cannot bear the item of asynchronous operations: it gets none, and is sent none. */
  readonly noAsynchronousOperations?: boolean | undefined
  /** Items that are left out of the answer. */
  readonly omitUserItems?: readonly OmittableUserItem[] | undefined
  /** It calls us by whatever title: `calledAeTitles` does not hold for it. */
  readonly anyCalledAeTitle?: boolean | undefined
}

/** Limits that can differ by peer: those of one association, from when it is known whose it is. */
export type PeerLimits = Partial<
  Omit<
    Limits,
    | 'maximumAssociations'
    | 'maximumPendingAssociations'
    | 'maximumAssociatePduBytes'
    | 'maximumAssociateItems'
    | 'maximumPresentationContexts'
    | 'maximumUserItems'
    | 'maximumGatheredBytes'
    | 'closeDeadlineMs'
  >
>

/** What can be said of a peer, of a group of them, of all of them. */
export interface Profile {
  /** Rights: named ones, or SOP classes by keyword or UID. */
  readonly allow?: readonly string[] | undefined
  /** AE titles that it may have objects moved to; `*` wildcards. Default: every peer with a port. */
  readonly moveTo?: readonly string[] | undefined
  /** Titles by which it may call us; `*` wildcards. */
  readonly calledAeTitles?: readonly string[] | undefined
  readonly requireTls?: boolean | undefined
  readonly requireUserIdentity?: boolean | undefined
  readonly unrestrictedStorage?: boolean | undefined
  readonly rejectWhenNoContext?: boolean | undefined
  readonly maximumAssociations?: number | undefined
  readonly associationsPerMinute?: number | undefined
  readonly burst?: number | undefined
  readonly limits?: PeerLimits | undefined
  readonly timeouts?: Partial<Omit<Timeouts, 'lifecycleMs'>> | undefined
  readonly quirks?: Quirks | undefined
  /** Where it listens; without it nothing can be moved to it. */
  readonly port?: number | undefined
  /** Asks for TLS when this side associates with it. */
  readonly tls?: boolean | AssociateTls | undefined
  /** Who we are when this side associates with it. */
  readonly callingAeTitle?: string | undefined
}

/** Which certificate; what is given must all fit. */
export interface CertificateCondition {
  /** SHA-256, with or without colons. */
  readonly fingerprint?: readonly string[] | undefined
  /** Of the subject as `CN=CT1, O=Hospital`; `*` wildcards. */
  readonly subject?: string | undefined
  readonly commonName?: string | undefined
  /** One of the DNS names, addresses, URIs or e-mail addresses of the certificate; `*` wildcards. */
  readonly san?: string | undefined
  /** The calling AE title must be one that plugin-tls reads from the certificate. */
  readonly aeTitle?: true | undefined
}

/** Which user, as the user identity plugin knows him; what is given must all fit. */
export interface UserCondition {
  /** `*` wildcards, as in `role`. */
  readonly name?: string | undefined
  readonly role?: string | undefined
  /** Of a JSON web token, each with this value. */
  readonly claims?: Readonly<Record<string, string | number | boolean>> | undefined
  /** Usernames without a proof (type 1) too. */
  readonly unproven?: boolean | undefined
}

/** One peer: how it is recognized, and what holds for it before its group and the defaults. */
export interface PeerEntry extends Profile {
  /** Default: its first AE title. */
  readonly name?: string | undefined
  readonly aeTitle: readonly string[]
  /** Addresses, networks (CIDR) and host names that it connects from. */
  readonly host?: readonly string[] | undefined
  readonly certificate?: CertificateCondition | undefined
  readonly group?: string | undefined
  readonly description?: string | undefined
}

/** Decides on those whom every given condition fits; of several such rules the first one does. */
export interface RuleEntry {
  readonly action: 'allow' | 'deny'
  readonly description?: string | undefined
  readonly calling?: readonly string[] | undefined
  readonly called?: readonly string[] | undefined
  readonly address?: readonly string[] | undefined
  /** Of the listener. */
  readonly port?: readonly number[] | undefined
  readonly group?: readonly string[] | undefined
  readonly secured?: boolean | undefined
  readonly certificate?: CertificateCondition | undefined
  readonly user?: UserCondition | undefined
  /** Decides on these alone, not on the association. */
  readonly services?: readonly string[] | undefined
  readonly rejection?: RejectionTriple | undefined
}

/** The peers file, as it was read and checked. */
export interface PeersFile {
  readonly $schema?: string | undefined
  readonly defaults?: Profile | undefined
  readonly groups?: Readonly<Record<string, Profile>> | undefined
  readonly peers: readonly PeerEntry[]
  /** Those that no peer fits, when they are let in. */
  readonly unknown?: Profile | undefined
  readonly rules: readonly RuleEntry[]
}
