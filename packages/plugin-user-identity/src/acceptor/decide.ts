import type { Association, AssociationRequestInfo, Logger, UserIdentityAnswer, UserIdentityRequest } from '@dicomtap/framework'
import { IDENTITY_NOTE, IdentityType, identityTypeName } from '../identity.ts'
import type { VerifiedIdentity } from '../identity.ts'
import type { Lockout } from '../lockout.ts'
import { decodeName, printable } from '../names.ts'
import type { RefusalLines } from '../refusal-lines.ts'
import { refused } from './verifier.ts'
import type { Finding, Verifiers } from './verifier.ts'

export interface AcceptorParts {
  readonly verifiers: Verifiers
  /** Undefined when lockout is off. */
  readonly lockout: Lockout | undefined
  readonly lockMs: number
  readonly log: Logger
  readonly refusals: RefusalLines
}

/** The acceptor's side: decides on each User Identity item, and keeps who it was. */
export class IdentityAcceptor {
  readonly #parts: AcceptorParts
  readonly #identities = new WeakMap<Association, VerifiedIdentity>()

  constructor(parts: AcceptorParts) {
    this.#parts = parts
  }

  identityOf(association: Association): VerifiedIdentity | undefined {
    return this.#identities.get(association)
  }

  /** The handler of `userIdentity`: an identity that cannot be verified is refused. */
  async decide(item: UserIdentityRequest, info: AssociationRequestInfo): Promise<UserIdentityAnswer> {
    const { association } = info
    const name = hasName(item) ? decodeName(item.primaryField) : undefined
    if (this.#isLocked(association, name)) return this.#refuse(item, info, 'locked after repeated failures', 'debug')
    const finding = await this.#verify(item, info, name)
    // Others may have failed meanwhile: guesses at the same time are worth no more than guesses in turn.
    if (this.#isLocked(association, name)) return this.#refuse(item, info, 'locked after repeated failures', 'debug')
    if (!finding.verified) {
      if (finding.isCounted) this.#count(association, name, finding.isKnownUser === true)
      return this.#refuse(item, info, finding.reason, 'warn', finding.isKnownUser === true ? name : undefined)
    }
    const { identity, response } = finding
    if (name !== undefined) this.#parts.lockout?.succeeded(name)
    this.#identities.set(association, identity)
    association.notes.set(IDENTITY_NOTE, identity)
    this.#parts.log.info('user identified', { ...this.#describe(item, info), user: printable(identity.user) })
    return { verified: true, ...(response === undefined ? {} : { response }) }
  }

  async #verify(item: UserIdentityRequest, info: AssociationRequestInfo, name: string | undefined): Promise<Finding> {
    const verifier = this.#parts.verifiers[item.userIdentityType as IdentityType]
    if (verifier === undefined) return refused('this type is not configured', false)
    if (hasName(item) && name === undefined) return refused('the username is empty, too long or no printable text')
    return verifier(item, info, name ?? '')
  }

  #isLocked(association: Association, name: string | undefined): boolean {
    const { lockout } = this.#parts
    if (lockout === undefined) return false
    return lockout.isLocked('address', association.remoteAddress) || (name !== undefined && lockout.isLocked('user', name))
  }

  #count(association: Association, name: string | undefined, isKnownUser: boolean): void {
    const { lockout, lockMs, log } = this.#parts
    if (lockout === undefined) return
    const { remoteAddress } = association
    if (name !== undefined && lockout.failed('user', name)) {
      log.warn('username locked after repeated failures', { user: isKnownUser ? printable(name) : '(unknown)', remoteAddress, lockMs })
    }
    if (lockout.failed('address', remoteAddress)) log.warn('address locked after repeated failures', { remoteAddress, lockMs })
  }

  /** The rejection is the framework's for a refused identity: 2,2,1. */
  #refuse(item: UserIdentityRequest, info: AssociationRequestInfo, reason: string, level: 'warn' | 'debug', user?: string): UserIdentityAnswer {
    // A name that nobody knows is not logged: people type passcodes into the wrong field.
    const { log, refusals } = this.#parts
    const fields = { ...this.#describe(item, info), reason, user: user === undefined ? undefined : printable(user) }
    if (level === 'warn') refusals.warn('user identity refused', fields)
    else log.debug('user identity refused', fields)
    return { verified: false }
  }

  #describe({ userIdentityType }: UserIdentityRequest, { association }: AssociationRequestInfo): Record<string, unknown> {
    const { id, callingAeTitle, remoteAddress } = association
    return { association: id, type: identityTypeName(userIdentityType), callingAeTitle: printable(callingAeTitle), remoteAddress }
  }
}

function hasName({ userIdentityType }: UserIdentityRequest): boolean {
  return userIdentityType === IdentityType.Username || userIdentityType === IdentityType.UsernameAndPasscode
}
