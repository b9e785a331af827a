import type { DimseService } from '@dicomtap/framework'
import type { RefusalCause, RejectionTriple } from '../rejections.ts'
import { CAUSE_WORDS } from '../rejections.ts'
import { Rights, servicesOf } from '../rights.ts'
import type { CompiledPeer, CompiledProfile, CompiledRule, NameAddresses, Policy } from './compile.ts'
import type { Facts } from './facts.ts'

/** What somebody who was let in may ask for. */
export interface Grant {
  /** Rules on services, in order; the first that covers a request decides. */
  readonly rules: readonly CompiledRule[]
  /** Of the peer, or of unknown ones; they decide when no rule did. */
  readonly rights: Rights
}

export interface Refusal {
  readonly outcome: 'deny'
  readonly cause: RefusalCause
  readonly rejection: RejectionTriple
  /** For the log: what decided. */
  readonly by: string
  readonly peer: CompiledPeer | undefined
}

export interface Admission {
  /** `pending`: for now; it depends on who the user is. */
  readonly outcome: 'allow' | 'pending'
  readonly by: string
  readonly peer: CompiledPeer | undefined
  /** Limits and settings: of the peer, or of unknown ones. */
  readonly profile: CompiledProfile
  readonly grant: Grant
}

export type Verdict = Refusal | Admission

interface Identified {
  readonly peer: CompiledPeer | undefined
  /** Its title is known, and what is wrong. */
  readonly mismatch: 'address' | 'certificate' | undefined
  /** Those that have its title. */
  readonly candidates: readonly CompiledPeer[]
  /** Of these, those at its address. */
  readonly here: readonly CompiledPeer[]
}

/** Decides whether somebody is let in, and what for. */
export function decide(policy: Policy, facts: Facts, addressesOf: NameAddresses): Verdict {
  const identified = identify(policy, facts, addressesOf)
  const { peer, mismatch } = identified
  const profile = peer ?? policy.unknown
  const deny = (cause: RefusalCause, by: string, rejection?: RejectionTriple): Refusal => ({
    outcome: 'deny',
    cause,
    rejection: rejection ?? policy.settings.rejections[cause],
    by,
    peer,
  })

  if (policy.mayBeCalled?.(facts.calledAeTitle) === false && peer?.profile.quirks?.anyCalledAeTitle !== true) {
    return deny('calledAeTitle', 'calledAeTitles of the options')
  }

  const lacking = lackingProof(identified, profile, facts)
  // A rule lets in whatever peer and default say, but for how the peer must prove who it is.
  const admitByRule = (by: string, rights: Rights, outcome: 'allow' | 'pending' = 'allow'): Verdict =>
    lacking === undefined ? admit(by, rights, outcome) : deny(lacking.cause, lacking.by)

  const serviceRules: CompiledRule[] = []
  let isPending = false
  let hasUserRule = false
  for (const rule of policy.rules) {
    const fit = rule.fit(facts, peer?.entry.group)
    if (rule.entry.user !== undefined) hasUserRule = true
    if (fit === 'no') continue
    if (fit === 'pending') {
      isPending = true
    } else if (rule.services !== undefined) {
      serviceRules.push(rule)
    } else if (isPending) {
      // A rule before it may decide otherwise on this user.
      break
    } else if (rule.entry.action === 'deny') {
      return deny('rule', describeRule(rule), rule.entry.rejection)
    } else {
      return admitByRule(describeRule(rule), profile.rights)
    }
  }
  if (isPending) return admitByRule('rules on users, which are decided when the user is known', profile.rights, 'pending')

  const mayByService = serviceRules.find(({ entry }) => entry.action === 'allow')
  if (peer !== undefined) {
    if (lacking !== undefined) return deny(lacking.cause, lacking.by)
    if (peer.mayCall?.(facts.calledAeTitle) === false) return deny('calledAeTitle', `calledAeTitles of peer ${peer.name}`)
    return admit(`peer ${peer.name}`, peer.rights)
  }
  if (mayByService !== undefined) return admitByRule(describeRule(mayByService), Rights.NONE)
  if (mismatch !== undefined) return deny(mismatch, `${mismatch === 'address' ? 'host' : 'certificate'} of peer ${identified.candidates.map(({ name }) => name).join(', ')}`)
  if (policy.settings.default === 'allow') {
    if (lacking !== undefined) return deny(lacking.cause, lacking.by)
    if (policy.unknown.mayCall?.(facts.calledAeTitle) === false) return deny('calledAeTitle', 'calledAeTitles of unknown')
    return admit('the default', policy.unknown.rights)
  }
  return hasUserRule && facts.user !== 'pending' && facts.user !== undefined ? deny('user', 'no rule') : deny('unknown', 'no peer')

  function admit(by: string, rights: Rights, outcome: 'allow' | 'pending' = 'allow'): Admission {
    return { outcome, by, peer, profile, grant: { rules: serviceRules, rights } }
  }
}

/** The peer that somebody is: by title, of these the first that is at the address and has the certificate. */
export function identify(policy: Policy, facts: Facts, addressesOf: NameAddresses): Identified {
  const candidates = policy.candidates(facts.callingAeTitle)
  const here = candidates.filter((peer) => peer.isAt(facts.address, addressesOf))
  const peer = here.find(({ hasCertificate }) => hasCertificate === undefined || hasCertificate(facts))
  if (peer !== undefined) return { peer, mismatch: undefined, candidates, here }
  const wrong = here.length > 0 ? 'certificate' : 'address'
  return { peer: undefined, mismatch: candidates.length > 0 ? wrong : undefined, candidates, here }
}

interface Lacking {
  readonly cause: 'tls' | 'certificate'
  readonly by: string
}

/**
 * TLS or a certificate, where the peer must have it. Of somebody who has the title of a peer and is none, what all
 * peers of that title must have: those at his address, or if there are none those anywhere.
 */
function lackingProof({ peer, here, candidates }: Identified, profile: CompiledProfile, facts: Facts): Lacking | undefined {
  const namesakes = here.length > 0 ? here : candidates
  const lacking = peer === undefined ? namesakes.map((one) => lackingOf(one, facts)) : [lackingOf(peer, facts)]
  const [first] = lacking
  if (first !== undefined && lacking.every((one) => one !== undefined)) return first
  if (peer === undefined && profile.profile.requireTls === true && !facts.isSecured) return { cause: 'tls', by: 'requireTls of unknown' }
  return undefined
}

function lackingOf({ name, profile, hasCertificate }: CompiledPeer, facts: Facts): Lacking | undefined {
  if (profile.requireTls === true && !facts.isSecured) return { cause: 'tls', by: `requireTls of peer ${name}` }
  if (hasCertificate !== undefined && !hasCertificate(facts)) return { cause: 'certificate', by: `certificate of peer ${name}` }
  return undefined
}

/** Which rule, or undefined: the rights decide. */
export function decidingRule(grant: Grant, covers: (rights: Rights) => boolean): CompiledRule | undefined {
  return grant.rules.find(({ services }) => services !== undefined && covers(services))
}

function isGranted(grant: Grant, covers: (rights: Rights) => boolean): boolean {
  const rule = decidingRule(grant, covers)
  return rule === undefined ? covers(grant.rights) : rule.entry.action === 'allow'
}

/**
 * May a request be performed?
 * @param abstractSyntax of its presentation context; the SOP class that a request names may be one of several that
 * a context is for (PS3.4 H.2.2, meta SOP classes).
 */
export function isRequestGranted(grant: Grant, service: DimseService, abstractSyntax: string, sopClassUid: string): boolean {
  if (!isGranted(grant, (rights) => rights.covers(service, abstractSyntax))) return false
  return sopClassUid === abstractSyntax || !service.startsWith('C-') || isGranted(grant, (rights) => rights.covers(service, sopClassUid))
}

/** Is there anything to ask for on a presentation context? @param asScu this side may send on it, as for C-GET */
export function isContextGranted(grant: Grant, abstractSyntax: string, asScu: boolean): boolean {
  const may = (rights: Rights): boolean => rights.coversContext(abstractSyntax)
  const allowing = grant.rules.filter(({ entry }) => entry.action === 'allow')
  // A rule that denies one of the services of a class leaves the others: requests are looked at one by one.
  if (may(grant.rights) || allowing.some(({ services }) => services !== undefined && may(services))) return !isDeniedWhole(grant, abstractSyntax)
  const mayGet = grant.rights.mayGet || allowing.some(({ services }) => services?.mayGet === true)
  return asScu && mayGet && new Rights(['store']).coversContext(abstractSyntax)
}

function isDeniedWhole(grant: Grant, abstractSyntax: string): boolean {
  return !servicesOf(abstractSyntax).some((service) => isGranted(grant, (rights) => rights.covers(service, abstractSyntax)))
}

export function describeRule({ number, entry: { action, description } }: CompiledRule): string {
  return `rule ${number} (${action}${description === undefined ? '' : `: ${description}`})`
}

export function describeRefusal({ cause, by }: Refusal): string {
  return `${CAUSE_WORDS[cause]}; decided by ${by}`
}
