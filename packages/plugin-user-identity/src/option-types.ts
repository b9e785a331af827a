import type { AssociationAnswerInfo, AssociationRequestInfo, OutgoingAssociationOptions } from '@dicomtap/framework'
import type { IdentityCallback } from './acceptor/verify-by-callback.ts'
import type { VerifiedIdentity } from './identity.ts'

type Awaitable<T> = T | Promise<T>

/** Signature algorithms with a public key (RFC 7518 3.1, RFC 8037 3.1, RFC 9864). */
export const JWT_ALGORITHMS = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
] as const
export type JwtAlgorithm = (typeof JWT_ALGORITHMS)[number]

/** JSON web tokens (type 5). */
export interface JwtOptions {
  /** The provider's public keys (JWKS): an https URL, or a file. */
  readonly jwks: string
  /** Accepted values of the claim `iss`. */
  readonly issuer: string | readonly string[]
  /** Accepted values of the claim `aud`. */
  readonly audience: string | readonly string[]
  /** Default: all of {@link JWT_ALGORITHMS}. */
  readonly algorithms?: readonly JwtAlgorithm[] | undefined
  /** How far the clocks may differ. Default 5000. */
  readonly clockToleranceMs?: number | undefined
  /** Default `sub`. A dot leads into an object. */
  readonly userClaim?: string | undefined
  /** Claim with the roles, e.g. `realm_access.roles`. Default: no roles. */
  readonly rolesClaim?: string | undefined
  /** Code only: the server's token, for a peer that asks for a response. */
  readonly response?: ((identity: VerifiedIdentity, info: AssociationRequestInfo) => Awaitable<Uint8Array | string | undefined>) | undefined
}

/** The same with defaults filled in. */
export interface ResolvedJwtOptions {
  readonly jwks: string
  readonly issuer: readonly string[]
  readonly audience: readonly string[]
  readonly algorithms: readonly JwtAlgorithm[]
  readonly clockToleranceMs: number
  readonly userClaim: string
  readonly rolesClaim?: string | undefined
  readonly response?: JwtOptions['response']
}

export interface LockoutOptions {
  /** Failures of one username within the window that lock it. Default 5. */
  readonly attempts?: number | undefined
  /** Failures of one remote address within the window that lock it. Default 20. */
  readonly attemptsPerAddress?: number | undefined
  /** Default 300 000. */
  readonly windowMs?: number | undefined
  /** Default 900 000. */
  readonly lockMs?: number | undefined
}

/** What is sent: from a file or an environment variable, or of code that makes it for each association. */
export type OutgoingField =
  | { readonly file: string }
  | { readonly env: string }
  | ((options: OutgoingAssociationOptions) => Awaitable<Uint8Array | string>)

/** Who this side says it is to a peer. One of `username`, `ticket`, `assertion` and `token`. */
export interface IdentityRuleInput {
  /** The peer; one of `calledAeTitle` and `host` must be there. */
  readonly calledAeTitle?: string | undefined
  readonly host?: string | undefined
  readonly port?: number | undefined
  /** Type 1, and with a passcode type 2. */
  readonly username?: string | undefined
  readonly passcode?: OutgoingField | undefined
  /** Type 3, code only: a Kerberos service ticket is good for one association. */
  readonly ticket?: ((options: OutgoingAssociationOptions) => Awaitable<Uint8Array | string>) | undefined
  /** Type 4: a SAML assertion. */
  readonly assertion?: OutgoingField | undefined
  /** Type 5: a JSON web token. */
  readonly token?: OutgoingField | undefined
  /** Ask the peer to confirm, and abort when it does not. Default false. */
  readonly requireResponse?: boolean | undefined
  /** Code only: whether the server's ticket, response or token is good. Sets `requireResponse`. */
  readonly verifyResponse?: ((response: Uint8Array, info: AssociationAnswerInfo) => Awaitable<boolean>) | undefined
  /** Refuse to send it without TLS. Default false: a warning. */
  readonly requireTls?: boolean | undefined
}

export interface IdentityRule extends IdentityRuleInput {
  readonly requireResponse: boolean
  readonly requireTls: boolean
}

/** What is written in a config. */
export interface UserIdentityPluginOptions {
  /** Refuse who does not identify. Default true when anything is verified here. */
  readonly required?: boolean | undefined
  /** Usernames and passcodes (type 2), and the roles of users. */
  readonly users?: { readonly file: string } | undefined
  /** Usernames let in without proof (type 1). Default: none. */
  readonly usernameOnly?: readonly string[] | undefined
  readonly jwt?: JwtOptions | undefined
  /** Code only: verifies Kerberos service tickets (type 3). */
  readonly kerberos?: IdentityCallback | undefined
  /** Code only: verifies SAML assertions (type 4). */
  readonly saml?: IdentityCallback | undefined
  /** false: failures are not counted. */
  readonly lockout?: LockoutOptions | false | undefined
  /** As requestor: who this side says it is. The first rule that fits the peer holds. */
  readonly identifyAs?: readonly IdentityRuleInput[] | undefined
}

/** The same with defaults filled in. */
export interface ResolvedUserIdentityOptions {
  readonly required: boolean
  readonly users?: { readonly file: string } | undefined
  readonly usernameOnly: readonly string[]
  readonly jwt?: ResolvedJwtOptions | undefined
  readonly kerberos?: IdentityCallback | undefined
  readonly saml?: IdentityCallback | undefined
  readonly lockout: Readonly<Required<{ [Key in keyof LockoutOptions]: number }>> | false
  readonly identifyAs: readonly IdentityRule[]
}
