import type { RoleSelection } from './types.ts'

export interface NegotiatedRoles {
  readonly acceptorAsScu: boolean
  readonly acceptorAsScp: boolean
  /** The reply item; undefined when the proposal is ignored. */
  readonly reply: RoleSelection | undefined
}

const DEFAULT_ROLES: NegotiatedRoles = { acceptorAsScu: false, acceptorAsScp: true, reply: undefined }

/**
 * SCP/SCU role selection as acceptor (PS3.7 D.3.3.4). A role the requestor did not propose stays off, a
 * proposed one is on when the acceptor allows it. Undefined: nobody would have a role, the context is
 * rejected by the user.
 */
export function negotiateRoles(
  proposal: RoleSelection | undefined,
  allowed: { readonly scu: boolean; readonly scp: boolean } | undefined,
): NegotiatedRoles | undefined {
  if (proposal === undefined || allowed === undefined) return DEFAULT_ROLES
  const scuRole = proposal.scuRole && allowed.scu
  const scpRole = proposal.scpRole && allowed.scp
  if (!scuRole && !scpRole) return undefined
  // The requestor as SCU needs this side as SCP, and the other way round.
  return { acceptorAsScu: scpRole, acceptorAsScp: scuRole, reply: { sopClassUid: proposal.sopClassUid, scuRole, scpRole } }
}

/**
 * SCP/SCU role selection as requestor: what the reply makes of the proposal (PS3.7 D.3.3.4). Without a reply
 * the default roles hold; a role that was not proposed cannot be granted. Undefined: nobody would have a
 * role.
 */
export function requestorRoles(
  proposal: RoleSelection | undefined,
  reply: RoleSelection | undefined,
): { readonly asScu: boolean; readonly asScp: boolean } | undefined {
  if (proposal === undefined || reply === undefined) return { asScu: true, asScp: false }
  const asScu = proposal.scuRole && reply.scuRole
  const asScp = proposal.scpRole && reply.scpRole
  return asScu || asScp ? { asScu, asScp } : undefined
}
