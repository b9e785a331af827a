import { errors, jwtVerify } from 'jose'
import type { JWTPayload } from 'jose'
import type { AssociationRequestInfo } from '@dicomtap/framework'
import { IdentityType } from '../identity.ts'
import type { VerifiedIdentity } from '../identity.ts'
import { claimValue, rolesIn } from '../jwt/claims.ts'
import type { KeySet } from '../jwt/key-set.ts'
import { nameProblem } from '../names.ts'
import type { ResolvedJwtOptions } from '../options.ts'
import { refused } from './verifier.ts'
import type { Finding, Verifier } from './verifier.ts'

/** Type 5: a signed token of an identity provider (RFC 7519). */
export function tokenVerifier(options: ResolvedJwtOptions, keys: KeySet, now: () => number = Date.now): Verifier {
  return async ({ primaryField }, info) => {
    const token = asciiOf(primaryField)
    if (token === undefined) return refused('the token is no JSON web token')
    let payload: JWTPayload
    try {
      const result = await jwtVerify(token, await keys.resolver(), {
        issuer: [...options.issuer],
        audience: [...options.audience],
        algorithms: [...options.algorithms],
        clockTolerance: options.clockToleranceMs / 1000,
        currentDate: new Date(now()),
        // Without it a token that leaked would be good forever.
        requiredClaims: ['exp'],
      })
      payload = result.payload
    } catch (error) {
      return findingOf(error)
    }
    const user = claimValue(payload, options.userClaim)
    if (typeof user !== 'string' || nameProblem(user) !== undefined) return refused(`the token has no username in ${options.userClaim}`)
    const claims = Object.freeze({ ...payload })
    const identity = { type: IdentityType.JsonWebToken, user, roles: rolesIn(payload, options.rolesClaim), claims }
    return { verified: true, identity, response: await respond(options, identity, info) }
  }
}

async function respond(
  { response }: ResolvedJwtOptions,
  identity: VerifiedIdentity,
  info: AssociationRequestInfo,
): Promise<Uint8Array | undefined> {
  const answer = await response?.(identity, info)
  return typeof answer === 'string' ? Buffer.from(answer, 'utf8') : answer
}

/** Base64url and dots (RFC 7515 7.1); what files and paddings leave behind it is no part of a token. */
function asciiOf(bytes: Uint8Array): string | undefined {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1').replace(/[\0\r\n ]{1,2}$/, '')
  return /^[\w-]+\.[\w-]+\.[\w-]*$/.test(text) ? text : undefined
}

/** Jose's messages name claims, not values; the reasons here are ours all the same. */
function findingOf(error: unknown): Finding {
  if (error instanceof errors.JWTExpired) return refused('the token has expired')
  if (error instanceof errors.JWTClaimValidationFailed) return refused(`the token's claim ${error.claim} is not as expected`)
  if (error instanceof errors.JWSSignatureVerificationFailed) return refused("the token's signature is wrong")
  if (error instanceof errors.JOSEAlgNotAllowed) return refused("the token's algorithm is not allowed")
  if (error instanceof errors.JWKSNoMatchingKey) return refused('no key fits the token')
  if (error instanceof errors.JWSInvalid || error instanceof errors.JWTInvalid || error instanceof errors.JOSENotSupported) {
    return refused('the token is no JSON web token')
  }
  if (error instanceof errors.JWKSMultipleMatchingKeys) return refused('several keys fit the token, which names none')
  // The keys: not the peer's fault.
  return refused('the keys are not available', false)
}
