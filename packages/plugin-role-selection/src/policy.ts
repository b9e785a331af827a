import type { ProposalRule, RoleRule } from './options.ts'
import { sopClassSelector } from './sop-class-selector.ts'
import type { SopClassSelector } from './sop-class-selector.ts'

/** The roles of the requestor, as in the item (PS3.7 D.3.3.4). */
export interface Roles {
  readonly scu: boolean
  readonly scp: boolean
}

/** Asked after those of the site. */
const ROLE_RULES: readonly RoleRule[] = [
  // Objects of a C-GET come on the association that the peer requested, where it is their SCP (PS3.4 C.5.3).
  { sopClasses: ['storage', 'non-patient-object'], scu: 'allow', scp: 'allow' },
  // Results and events come from the SCP, later and on an association that it requests (PS3.4 J.3.3, CC.2.4).
  { sopClasses: ['storage-commitment', 'unified-procedure-step'], scu: 'allow', scp: 'allow' },
  { sopClasses: ['*'], scu: 'allow', scp: 'refuse' },
]
const PROPOSAL_RULES: readonly ProposalRule[] = [{ sopClasses: ['storage', 'non-patient-object'], with: ['c-get'], role: 'scp' }]

const PROPOSED_ROLES: Readonly<Record<ProposalRule['role'], Roles | undefined>> = {
  scu: { scu: true, scp: false },
  scp: { scu: false, scp: true },
  both: { scu: true, scp: true },
  none: undefined,
}

/** What a peer may be. */
export class RolePolicy {
  readonly #ownRules: readonly Rule<Roles>[]
  readonly #rules: readonly Rule<Roles>[] = ROLE_RULES.map(roleRule)

  constructor(rules: readonly RoleRule[]) {
    this.#ownRules = rules.map(roleRule)
  }

  /**
   * The roles that `peer` may have for a SOP class. `supported`: what the supported context says, which goes
   * before the rules that come with the plugin; undefined then.
   */
  allowed(sopClassUid: string, peer: string, isUnrestricted: boolean, supported: Roles | undefined): Roles | undefined {
    const question = { sopClassUid, peer, isUnrestricted, beside: [] }
    return answerOf(this.#ownRules, question) ?? (supported === undefined ? answerOf(this.#rules, question) : undefined)
  }
}

/** What this side proposes to be. */
export class ProposalPolicy {
  readonly #rules: readonly Rule<{ readonly roles: Roles | undefined }>[]

  constructor(rules: readonly ProposalRule[]) {
    this.#rules = [...rules, ...PROPOSAL_RULES].map(proposalRule)
  }

  /** The roles to propose to `peer` for a SOP class; undefined: none. `beside`: every SOP class of the association. */
  proposed(sopClassUid: string, peer: string, isUnrestricted: boolean, beside: readonly string[]): Roles | undefined {
    return answerOf(this.#rules, { sopClassUid, peer, isUnrestricted, beside })?.roles
  }
}

interface Question {
  readonly sopClassUid: string
  readonly peer: string
  readonly isUnrestricted: boolean
  readonly beside: readonly string[]
}

interface Rule<Answer> {
  readonly answer: Answer
  isFor(question: Question): boolean
}

function answerOf<Answer>(rules: readonly Rule<Answer>[], question: Question): Answer | undefined {
  return rules.find((rule) => rule.isFor(question))?.answer
}

function roleRule(rule: RoleRule): Rule<Roles> {
  const isForClass = anyOf(rule.sopClasses)
  return {
    answer: { scu: rule.scu === 'allow', scp: rule.scp === 'allow' },
    isFor: ({ sopClassUid, peer, isUnrestricted }) => isForPeer(rule.peers, peer) && isForClass(sopClassUid, isUnrestricted),
  }
}

function proposalRule(rule: ProposalRule): Rule<{ readonly roles: Roles | undefined }> {
  const isForClass = anyOf(rule.sopClasses)
  const isCompanion = rule.with === undefined ? undefined : anyOf(rule.with)
  return {
    answer: { roles: PROPOSED_ROLES[rule.role] },
    isFor: ({ sopClassUid, peer, isUnrestricted, beside }) =>
      isForPeer(rule.peers, peer) &&
      isForClass(sopClassUid, isUnrestricted) &&
      (isCompanion === undefined || beside.some((uid) => isCompanion(uid, isUnrestricted))),
  }
}

function anyOf(names: readonly string[]): SopClassSelector {
  const selectors = names.flatMap((name) => sopClassSelector(name) ?? [])
  return (uid, isUnrestricted) => selectors.some((isSelected) => isSelected(uid, isUnrestricted))
}

function isForPeer(patterns: readonly string[] | undefined, peer: string): boolean {
  return patterns === undefined || patterns.some((pattern) => isTitleLike(pattern, peer.trim()))
}

/** AE titles are compared without the spaces around them (PS3.5 6.2), and with their case. */
function isTitleLike(pattern: string, title: string): boolean {
  return pattern.endsWith('*') ? title.startsWith(pattern.slice(0, -1).trimStart()) : title === pattern.trim()
}
