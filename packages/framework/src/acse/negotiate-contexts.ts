import type { PresentationContextAc, PresentationContextRq } from '../pdu/types.ts'
import { sopClassByUid } from '../dataset/index.ts'
import type { SopClassCommonExtended } from '../pdu/user-items/types.ts'
import { ContextResult } from './types.ts'
import type { AcceptedContext, RejectedContext, RoleSelection, SupportedContext } from './types.ts'
import { negotiateRoles } from './roles.ts'

export interface ContextPolicy {
  readonly supportedContexts: ReadonlyMap<string, SupportedContext>
  /** Accept private and unknown SOP classes as storage, in the first transfer syntax proposed. */
  readonly unrestrictedStorage: boolean
  /** Common extended negotiation items that were accepted, by SOP class. */
  readonly commonExtended: ReadonlyMap<string, SopClassCommonExtended>
  /** What the `roleSelection` hook allows, by SOP class; goes before the supported context's roles. */
  readonly roleAnswers: ReadonlyMap<string, { readonly scu: boolean; readonly scp: boolean }>
}

export interface ContextNegotiation {
  readonly accepted: readonly AcceptedContext[]
  readonly rejected: readonly RejectedContext[]
  /** Role replies for the A-ASSOCIATE-AC, at most one per SOP class. */
  readonly roles: readonly RoleSelection[]
}

/** Both roles, as unrestricted storage grants them when they are proposed. */
const ANY_ROLE = { scu: true, scp: true } as const

function isUnrestrictedStorage(abstractSyntax: string): boolean {
  const sopClass = sopClassByUid(abstractSyntax)
  return sopClass === undefined || sopClass.service === 'storage'
}

/**
 * What an acceptor supports for an abstract syntax under `policy`. Under unrestricted storage the
 * proposal's own transfer syntaxes are the acceptor's, so that the first one proposed wins.
 */
function supportFor(proposal: PresentationContextRq, policy: ContextPolicy): SupportedContext | undefined {
  const supported = policy.supportedContexts.get(proposal.abstractSyntax)
  if (policy.unrestrictedStorage && isUnrestrictedStorage(proposal.abstractSyntax)) {
    return { abstractSyntax: proposal.abstractSyntax, transferSyntaxes: proposal.transferSyntaxes, roles: supported?.roles ?? ANY_ROLE }
  }
  return supported ?? generalSupport(proposal.abstractSyntax, policy)
}

/** A specialized SOP class is served as the first related general one that is supported (PS3.7 D.3.3.6.1). */
function generalSupport(abstractSyntax: string, { commonExtended, supportedContexts }: ContextPolicy): SupportedContext | undefined {
  for (const uid of commonExtended.get(abstractSyntax)?.relatedGeneralSopClassUids ?? []) {
    const general = supportedContexts.get(uid)
    if (general !== undefined) return { ...general, abstractSyntax }
  }
  return undefined
}

/**
 * Presentation context negotiation as acceptor (PS3.8 9.3.3.2, PS3.7 D.3.3.4): each proposed context on
 * its own, in the acceptor's order of preference for transfer syntaxes; in the requestor's, where that is
 * to be the SCP and nothing else.
 */
export function negotiateContexts(
  proposals: readonly PresentationContextRq[],
  proposedRoles: readonly RoleSelection[],
  policy: ContextPolicy,
): ContextNegotiation {
  const roleProposals = proposedRoles.length === 0 ? undefined : new Map(proposedRoles.map((role) => [role.sopClassUid, role]))
  const accepted: AcceptedContext[] = []
  const rejected: RejectedContext[] = []
  let replies: Map<string, RoleSelection> | undefined
  for (const proposal of proposals) {
    const { id, abstractSyntax } = proposal
    const support = supportFor(proposal, policy)
    if (support === undefined) {
      rejected.push({ id, abstractSyntax, result: ContextResult.AbstractSyntaxNotSupported })
      continue
    }
    const transferSyntax = support.transferSyntaxes.find((uid) => proposal.transferSyntaxes.includes(uid))
    if (transferSyntax === undefined) {
      rejected.push({ id, abstractSyntax, result: ContextResult.TransferSyntaxesNotSupported })
      continue
    }
    const roles = negotiateRoles(roleProposals?.get(abstractSyntax), policy.roleAnswers.get(abstractSyntax) ?? support.roles)
    if (roles === undefined) {
      rejected.push({ id, abstractSyntax, result: ContextResult.UserRejection })
      continue
    }
    if (roles.reply !== undefined) (replies ??= new Map()).set(abstractSyntax, roles.reply)
    const { acceptorAsScu: asScu, acceptorAsScp: asScp } = roles
    // Data sets of this context go to the requestor alone (C-GET): what it would rather have goes before what this side would.
    const preferred = asScu && !asScp ? proposal.transferSyntaxes.find((uid) => support.transferSyntaxes.includes(uid)) : undefined
    accepted.push({ id, abstractSyntax, transferSyntax: preferred ?? transferSyntax, asScu, asScp })
  }
  return { accepted, rejected, roles: replies === undefined ? [] : [...replies.values()] }
}

/**
 * The result list of an A-ASSOCIATE-AC: one item per proposed context, by context id, each with exactly
 * one transfer syntax; strict peers refuse anything else.
 */
export function contextResults(
  proposals: readonly PresentationContextRq[],
  accepted: readonly AcceptedContext[],
  rejected: readonly RejectedContext[],
): PresentationContextAc[] {
  const results: PresentationContextAc[] = []
  const [acceptedInOrder, rejectedInOrder] = [inOrder(accepted), inOrder(rejected)]
  let [nextAccepted, nextRejected] = [0, 0]
  for (const { id, transferSyntaxes } of inOrder(proposals)) {
    const acceptedContext = acceptedInOrder[nextAccepted]
    const rejectedContext = rejectedInOrder[nextRejected]
    if (acceptedContext?.id === id) {
      nextAccepted += 1
      results.push({ id, result: ContextResult.Acceptance, transferSyntax: acceptedContext.transferSyntax })
      continue
    }
    const isRejected = rejectedContext?.id === id
    if (isRejected) nextRejected += 1
    // A context that a transform took away was refused by the user, not by the provider.
    const result = isRejected ? rejectedContext.result : ContextResult.UserRejection
    results.push({ id, result, transferSyntax: transferSyntaxes[0] ?? '' })
  }
  return results
}

/** By id; nearly always they come like that. */
function inOrder<T extends { readonly id: number }>(contexts: readonly T[]): readonly T[] {
  let before = 0
  for (const { id } of contexts) {
    if (id < before) return [...contexts].sort((a, b) => a.id - b.id)
    before = id
  }
  return contexts
}
