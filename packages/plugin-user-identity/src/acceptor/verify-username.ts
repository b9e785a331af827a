import { IdentityType } from '../identity.ts'
import { limitConcurrency } from '../limit-concurrency.ts'
import type { UserDirectory } from '../users/user-directory.ts'
import { verifyPasscode } from '../users/phc.ts'
import { refused } from './verifier.ts'
import type { Verifier } from './verifier.ts'

/** The users as they are now. */
interface UsersSource {
  current(): Promise<UserDirectory>
}

/** Of the four threads that Node has by default, hashing takes two. */
const MAXIMUM_HASHING = 2

/** Type 1: names that the configuration lists; their roles stand in the file of users. */
export function usernameVerifier(names: readonly string[], users: UsersSource | undefined): Verifier {
  const allowed = new Set(names)
  return async (_item, _info, name) => {
    if (!allowed.has(name)) return refused('the username is not in usernameOnly')
    const user = (await users?.current())?.find(name)
    // It was given a passcode after the start.
    if (user?.passcode !== undefined) return { verified: false, reason: 'the user has a passcode', isCounted: true, isKnownUser: true }
    return { verified: true, identity: { type: IdentityType.Username, user: name, roles: user?.roles ?? [] } }
  }
}

/** Type 2: the passcode is checked for unknown users too, so that both take the same time. */
export function passcodeVerifier(users: UsersSource): Verifier {
  const limited = limitConcurrency(MAXIMUM_HASHING)
  return async ({ secondaryField }, { association }, name) => {
    const directory = await users.current()
    const user = directory.find(name)
    const hash = user?.passcode ?? directory.decoyFor(name)
    const isRight = await limited(async () => {
      // It gave up while it waited: nobody would hear the answer.
      if (association.state !== 'negotiating') return undefined
      return verifyPasscode(hash, secondaryField)
    })
    if (isRight === undefined) return refused('the association ended', false)
    if (user?.passcode === undefined) return { verified: false, reason: 'unknown user', isCounted: true, isKnownUser: user !== undefined }
    if (!isRight) return { verified: false, reason: 'wrong passcode', isCounted: true, isKnownUser: true }
    return { verified: true, identity: { type: IdentityType.UsernameAndPasscode, user: name, roles: user.roles } }
  }
}
