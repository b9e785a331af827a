import type { AssociationRequestInfo, UserIdentityRequest } from '@dicomtap/framework'
import type { IdentityType, VerifiedIdentity } from '../identity.ts'

/** What a verifier found. */
export type Finding =
  | { readonly verified: true; readonly identity: VerifiedIdentity; readonly response?: Uint8Array | undefined }
  | {
      readonly verified: false
      /** For the log: no secrets, no text of the peer. */
      readonly reason: string
      /** False when it says nothing about the peer, e.g. keys that cannot be fetched: it is not counted. */
      readonly isCounted: boolean
      /** The name may be logged, because the configuration knows it. */
      readonly isKnownUser?: boolean
    }

/** Verifies the items of one type. `name` is the username of types 1 and 2. */
export type Verifier = (item: UserIdentityRequest, info: AssociationRequestInfo, name: string) => Promise<Finding>

export type Verifiers = Readonly<Partial<Record<IdentityType, Verifier>>>

export function refused(reason: string, isCounted = true): Finding {
  return { verified: false, reason, isCounted }
}
