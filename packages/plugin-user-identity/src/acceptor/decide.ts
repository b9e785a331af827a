import type { Association, AssociationRequestInfo, Logger, Rejection, SharedState, UserIdentityAnswer, UserIdentityRequest } from '@dicomtap/framework'
import { IDENTITY_NOTE, IdentityType, identityTypeName } from '../identity.ts'
import type { VerifiedIdentity } from '../identity.ts'
import { decodeName, printable } from '../names.ts'
import type { RefusalLines } from '../refusal-lines.ts'
import type { Outcome, Settled, SharedLockout } from '../shared-lockout.ts'
import { refused } from './verifier.ts'
import type { Finding, Verifiers } from './verifier.ts'

export interface AcceptorParts {
  readonly verifiers: Verifiers
  /** Of the whole server, however many processes it has; undefined when lockout is off. */
  readonly lockout: SharedState<SharedLockout> | undefined
  readonly lockMs: number
  readonly log: Logger
  readonly refusals: RefusalLines
}

/** Presentation, temporary congestion. */
const CONGESTION: Rejection = { result: 2, source: 3, reason: 1 }

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
    let finding: Finding
    let settled: Settled | undefined
    try {
      if (await this.#isLocked(association, name)) return this.#refuse(item, info, 'locked after repeated failures', 'debug')
      finding = await this.#verify(item, info, name)
      settled = await this.#settle(association, name, outcomeOf(finding))
    } catch (error) {
      if ((error as { code?: unknown }).code !== 'DICOMTAP_ERR_NET_PROCESS') throw error
      return { ...this.#refuse(item, info, 'the process that counts failures does not answer', 'warn'), rejection: CONGESTION }
    }
    // Others may have failed meanwhile: guesses at the same time are worth no more than guesses in turn.
    if (settled?.isLocked === true) return this.#refuse(item, info, 'locked after repeated failures', 'debug')
    if (!finding.verified) {
      if (settled !== undefined) this.#tellLocks(association, name, finding.isKnownUser === true, settled)
      return this.#refuse(item, info, finding.reason, 'warn', finding.isKnownUser === true ? name : undefined)
    }
    const { identity, response } = finding
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

  async #isLocked({ remoteAddress }: Association, name: string | undefined): Promise<boolean> {
    return (await this.#parts.lockout?.call('isLocked', remoteAddress, name ?? null)) ?? false
  }

  async #settle({ remoteAddress }: Association, name: string | undefined, outcome: Outcome): Promise<Settled | undefined> {
    return this.#parts.lockout?.call('settle', remoteAddress, name ?? null, outcome)
  }

  #tellLocks({ remoteAddress }: Association, name: string | undefined, isKnownUser: boolean, { locksUser, locksAddress }: Settled): void {
    const { lockMs, log } = this.#parts
    if (locksUser && name !== undefined) {
      log.warn('username locked after repeated failures', { user: isKnownUser ? printable(name) : '(unknown)', remoteAddress, lockMs })
    }
    if (locksAddress) log.warn('address locked after repeated failures', { remoteAddress, lockMs })
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

function outcomeOf(finding: Finding): Outcome {
  if (finding.verified) return 'succeeded'
  return finding.isCounted ? 'failed' : 'uncounted'
}

function hasName({ userIdentityType }: UserIdentityRequest): boolean {
  return userIdentityType === IdentityType.Username || userIdentityType === IdentityType.UsernameAndPasscode
}
