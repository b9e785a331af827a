import { DicomtapError } from '@dicomtap/framework'
import type { AssociationRequestInfo } from '@dicomtap/framework'
import type { IdentityType } from '../identity.ts'
import { nameProblem } from '../names.ts'
import { refused } from './verifier.ts'
import type { Verifier } from './verifier.ts'

/** What a callback for Kerberos or SAML answers. */
export type CallbackAnswer =
  | { readonly verified: false }
  | {
      readonly verified: true
      readonly user: string
      readonly roles?: readonly string[] | undefined
      /** For other plugins. */
      readonly claims?: Readonly<Record<string, unknown>> | undefined
      /** Kerberos server ticket or SAML response; sent when the peer asked for it. */
      readonly response?: Uint8Array | undefined
    }

/** Verifies a Kerberos service ticket or a SAML assertion. An error refuses the association. */
export type IdentityCallback = (field: Uint8Array, info: AssociationRequestInfo) => Promise<CallbackAnswer> | CallbackAnswer

/** Types 3 and 4: code of the site decides. */
export function callbackVerifier(type: IdentityType, option: string, callback: IdentityCallback): Verifier {
  return async ({ primaryField }, info) => {
    const answer: unknown = await callback(primaryField, info)
    if (!isAnswer(answer)) {
      throw new DicomtapError('DICOMTAP_ERR_HOOK_ANSWER', `The callback ${option} must answer { verified: false } or { verified: true, user }`)
    }
    if (!answer.verified) return refused('the callback did not verify it')
    const { user, roles = [], claims, response } = answer
    return {
      verified: true,
      identity: { type, user, roles: Object.freeze([...roles]), ...(claims === undefined ? {} : { claims: Object.freeze({ ...claims }) }) },
      response,
    }
  }
}

function isAnswer(answer: unknown): answer is CallbackAnswer {
  if (typeof answer !== 'object' || answer === null || !('verified' in answer)) return false
  if (answer.verified === false) return true
  return answer.verified === true && 'user' in answer && typeof answer.user === 'string' && nameProblem(answer.user) === undefined
}
