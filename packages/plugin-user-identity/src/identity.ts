import type { Association } from '@dicomtap/framework'

/** User-Identity-Type (PS3.7 D.3.3.7.1). */
export const IdentityType = {
  Username: 1,
  UsernameAndPasscode: 2,
  Kerberos: 3,
  Saml: 4,
  JsonWebToken: 5,
} as const
export type IdentityType = (typeof IdentityType)[keyof typeof IdentityType]

const NAMES: Readonly<Record<number, string>> = {
  1: 'username',
  2: 'username and passcode',
  3: 'Kerberos',
  4: 'SAML',
  5: 'JSON web token',
}

/** For the log; a type that the standard does not know is shown as its number. */
export function identityTypeName(type: number): string {
  return NAMES[type] ?? `type ${type}`
}

/** Who the requestor of an association is, as far as it was verified. */
export interface VerifiedIdentity {
  /** How it was verified. Type 1 is a bare username: allowed by the configuration, proven by nothing. */
  readonly type: IdentityType
  readonly user: string
  /** From the file of users, the token's claim or the callback; empty when there are none. */
  readonly roles: readonly string[]
  /** The claims of the token, or what the callback gave. */
  readonly claims?: Readonly<Record<string, unknown>>
}

/** What the plugin offers to others: `api.inject('user-identity')`. */
export interface UserIdentityService {
  /** Who requested the association; undefined when nobody identified, or this side is the requestor. */
  identityOf(association: Association): VerifiedIdentity | undefined
}

declare module '@dicomtap/framework' {
  interface PluginServices {
    'user-identity': UserIdentityService
  }
}

/** The key of the identity in `association.notes`. */
export const IDENTITY_NOTE = 'user-identity'
