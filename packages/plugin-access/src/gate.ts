import type { Association, Logger, Rejection, SharedState } from '@dicomtap/framework'
import { RefusalLog } from './admission/refusal-log.ts'
import type { SharedSlots } from './admission/shared-slots.ts'
import type { SlotLimits } from './admission/slots.ts'
import type { HostNames } from './host-names.ts'
import { decide, describeRefusal, identify } from './policy/decide.ts'
import type { Admission, Refusal } from './policy/decide.ts'
import type { CompiledPeer, Policy } from './policy/compile.ts'
import { MAXIMUM_NAMES, factsOf } from './policy/facts.ts'
import type { Facts, TlsService, UserIdentityService } from './policy/facts.ts'
import { CAUSE_WORDS, rejectionOf } from './rejections.ts'
import type { RefusalCause, RejectionTriple } from './rejections.ts'
import type { UnknownPeer } from './unknown-peers/list.ts'
import type { SharedUnknownPeers } from './unknown-peers/shared-list.ts'

export interface GateOptions {
  readonly policy: () => Policy
  readonly hostNames: HostNames
  readonly log: Logger
  /** Of the whole server, however many processes it has. */
  readonly slots: SharedState<SharedSlots>
  readonly unknownPeers: () => SharedState<SharedUnknownPeers> | undefined
  readonly tls: TlsService | undefined
  readonly userIdentity: UserIdentityService | undefined
}

/** The process that counts for all does not answer. Presentation, temporary congestion. */
const CONGESTION: Rejection = { result: 2, source: 3, reason: 1, why: 'the process that counts the associations of peers does not answer' }

/** Certificates that are told of; a line for each, once. */
const MAXIMUM_TOLD = 100

/** An association that was let in, by the policy that held then. */
export interface Guest {
  readonly policy: Policy
  readonly facts: Facts
  readonly admission: Admission
}

/** Decides on each association, and remembers by what it was let in. */
export class Gate {
  readonly refusals: RefusalLog
  readonly #options: GateOptions
  /** Certificates of which it was told that they have too many. */
  readonly #manyNames = new Set<string>()
  readonly #guests = new WeakMap<Association, Guest>()

  constructor(options: GateOptions) {
    this.#options = options
    this.refusals = new RefusalLog(options.log)
  }

  guestOf(association: Association): Guest | undefined {
    return this.#guests.get(association)
  }

  /** When the request has come: who calls from where. */
  async request(association: Association): Promise<Rejection | undefined> {
    const { policy: current, hostNames, tls } = this.#options
    const facts = factsOf(association, tls, (fingerprint) => this.#tooManyNames(association, fingerprint))
    let policy = current()
    if (needsNames(policy, facts, hostNames)) {
      const names = namesOf(policy, facts)
      // Equipment gets another address now and then.
      if (await hostNames.refresh(names)) policy = current()
    }
    const verdict = decide(policy, facts, hostNames.addressesOf)
    if (verdict.outcome === 'deny') return this.#refuse(association, facts, verdict)
    const { profile, peer } = verdict
    const taken = await this.#takeSlot(profile.key, profile.profile)
    if (taken === 'congestion') return CONGESTION
    if (taken !== 'taken') {
      return this.#refuse(association, facts, { outcome: 'deny', cause: taken, rejection: policy.settings.rejections[taken], by: verdict.by, peer })
    }
    releaseAtEnd(association, this.#releaser(profile.key))
    this.#guests.set(association, { policy, facts, admission: verdict })
    return undefined
  }

  async #takeSlot(key: string, { maximumAssociations, associationsPerMinute, burst }: Partial<SlotLimits>): Promise<'taken' | 'limit' | 'rate' | 'congestion'> {
    const { slots } = this.#options
    if (maximumAssociations === undefined && associationsPerMinute === undefined) {
      // Counted for the case that the file gets a limit; nothing depends on the answer.
      slots.tell('take', key, {})
      return 'taken'
    }
    try {
      return await slots.call('take', key, { maximumAssociations, associationsPerMinute, burst })
    } catch {
      return 'congestion'
    }
  }

  /** Gives a place back; more than once does no harm. */
  #releaser(key: string): () => void {
    let isTaken = true
    return () => {
      if (isTaken) this.#options.slots.tell('give', key)
      isTaken = false
    }
  }

  /** When it is known who the user is: what he may do. */
  authorize(association: Association): Rejection | undefined {
    const guest = this.#guests.get(association)
    // No request went through here: nobody knows who it is.
    if (guest === undefined) return { result: 2, source: 1, reason: 1 }
    const { policy } = guest
    const facts = { ...guest.facts, user: this.#options.userIdentity?.identityOf(association) }
    const verdict = decide(policy, facts, this.#options.hostNames.addressesOf)
    if (verdict.outcome === 'deny') {
      this.#guests.delete(association)
      return this.#refuse(association, facts, verdict)
    }
    this.#guests.set(association, { policy, facts, admission: verdict })
    this.#options.log.debug('association let in', { association: association.id, by: verdict.by, peer: verdict.peer?.name })
    if (verdict.peer === undefined) this.#noteUnknown(association, facts, 'unknown', true)
    return undefined
  }

  /** Let in, and there is nothing that it may do on what it proposed. */
  noteNoContext(association: Association): void {
    const { callingAeTitle, remoteAddress } = association
    const admission = this.#guests.get(association)?.admission
    this.refusals.note({
      message: 'the peer may do nothing of what it asks for',
      key: `contexts ${remoteAddress} ${callingAeTitle}`,
      fields: { association: association.id, callingAeTitle, remoteAddress, peer: admission?.peer?.name, may: admission?.grant.rights.names.join(', ') },
    })
  }

  #tooManyNames({ callingAeTitle, remoteAddress }: Association, fingerprint: string): void {
    const { tls, log } = this.#options
    // Plugin-tls has said so.
    if (tls !== undefined || this.#manyNames.has(fingerprint) || this.#manyNames.size >= MAXIMUM_TOLD) return
    this.#manyNames.add(fingerprint)
    log.warn('the certificate of a peer has more names than are read', { callingAeTitle, remoteAddress, fingerprint, readOfEachKind: MAXIMUM_NAMES })
  }

  #refuse(association: Association, facts: Facts, refusal: Refusal): Rejection {
    const { cause, rejection, peer } = refusal
    this.refusals.note({
      message: 'association refused',
      key: `${cause} ${facts.address} ${facts.callingAeTitle}`,
      fields: refusalFields(association, facts, refusal, peer, rejection),
    })
    if (cause === 'unknown' || cause === 'address' || cause === 'certificate') this.#noteUnknown(association, facts, cause, false)
    return { ...rejectionOf(rejection), why: whyOf(refusal) }
  }

  #noteUnknown(association: Association, facts: Facts, cause: UnknownPeer['cause'], wasLetIn: boolean): void {
    const { requestor, proposedContexts } = association
    const { certificate } = facts
    this.#options.unknownPeers()?.tell('note', {
      aeTitle: facts.callingAeTitle,
      address: facts.address,
      calledAeTitle: facts.calledAeTitle,
      cause,
      wasLetIn,
      contexts: proposedContexts.map(({ abstractSyntax }) => abstractSyntax),
      implementationClassUid: requestor?.implementationClassUid,
      implementationVersionName: requestor?.implementationVersionName,
      certificate: certificate === undefined ? undefined : { subject: certificate.subject, fingerprint: certificate.fingerprint },
    })
  }
}

function refusalFields(
  association: Association,
  facts: Facts,
  refusal: Refusal,
  peer: CompiledPeer | undefined,
  [result, source, reason]: RejectionTriple,
): Record<string, unknown> {
  const hint = hintFor(refusal.cause, facts)
  return {
    association: association.id,
    callingAeTitle: facts.callingAeTitle,
    calledAeTitle: facts.calledAeTitle,
    remoteAddress: facts.address,
    cause: refusal.cause,
    why: whyOf(refusal),
    rejection: `${result},${source},${reason}`,
    ...(peer === undefined ? {} : { peer: peer.name }),
    ...(hint === undefined ? {} : { hint }),
  }
}

function whyOf(refusal: Refusal): string {
  return refusal.cause === 'limit' || refusal.cause === 'rate' ? CAUSE_WORDS[refusal.cause] : describeRefusal(refusal)
}

/** Titles of peers go into no command that somebody may copy unless they are harmless in a shell. */
function hintFor(cause: RefusalCause, { callingAeTitle, address }: Facts): string | undefined {
  if ((cause !== 'unknown' && cause !== 'address') || !/^\w[\w.-]*$/.test(callingAeTitle)) return undefined
  return `to let it in: dicomtap peers add ${callingAeTitle} --host ${address}`
}

function namesOf(policy: Policy, facts: Facts): string[] {
  return policy.candidates(facts.callingAeTitle).flatMap(({ hosts }) => hosts.flatMap((host) => (host.kind === 'name' ? [host.name] : [])))
}

/** Somebody has a known title and comes from elsewhere, and where he belongs is said by name. */
function needsNames(policy: Policy, facts: Facts, hostNames: HostNames): boolean {
  return namesOf(policy, facts).length > 0 && identify(policy, facts, hostNames.addressesOf).mismatch === 'address'
}

/** A place is free again when the association is over, whatever the connection still waits for (Sta13). */
const atEnd = new WeakMap<Association, () => void>()

function releaseAtEnd(association: Association, release: () => void): void {
  atEnd.set(association, release)
  void association.closed.then(release)
}

/** The association was rejected, released or aborted. */
export function associationEnded(association: Association): void {
  atEnd.get(association)?.()
  atEnd.delete(association)
}
