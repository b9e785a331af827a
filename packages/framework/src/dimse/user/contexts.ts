import type { AcceptedContext } from '../../acse/types.ts'
import { sopClassByUid, SopClass, transferSyntaxByUid } from '../../dataset/index.ts'
import { DicomtapError } from '../../errors/index.ts'

/** The role that this side must have on a presentation context (PS3.7 D.3.3.4). */
export type Role = 'scu' | 'scp'

type Contexts = ReadonlyMap<number, AcceptedContext>

/** SCU and SCP of a class may be told apart by the context only when the roles were negotiated. */
function hasRole(context: AcceptedContext, role: Role): boolean {
  return role === 'scu' ? context.asScu : context.asScp
}

/**
 * The accepted context for requests on a SOP class. Those on UPS Push go over the context of any UPS
 * class, since all of them name UPS Push (PS3.4 CC.3.1).
 * @param id the context that was asked for
 * @param upsClasses for UPS Push, the classes that have the service (PS3.4 CC.2): theirs are taken before others
 * @throws DICOMTAP_ERR_ACSE_CONTEXT
 */
export function contextFor(
  contexts: Contexts,
  sopClassUid: string,
  role: Role,
  id?: number,
  upsClasses: readonly string[] = [],
): AcceptedContext {
  if (id !== undefined) return contextById(contexts, sopClassUid, role, id)
  const all = [...contexts.values()]
  const ofClass = (uid: string): AcceptedContext[] => all.filter(({ abstractSyntax }) => abstractSyntax === uid)
  const candidates =
    sopClassUid === SopClass.UnifiedProcedureStepPush
      ? [...upsClasses.flatMap(ofClass), ...ofClass(sopClassUid), ...all.filter(isUps)]
      : ofClass(sopClassUid)
  const context = candidates.find((candidate) => hasRole(candidate, role))
  if (context === undefined) throw missing(sopClassUid, candidates.length > 0 ? role : undefined)
  return context
}

/**
 * The accepted context to send an object on: its own transfer syntax first, then one that it can be
 * converted to.
 * @param transferSyntaxUid undefined when it is to be encoded in that of the context
 * @param canConvertTo may and can the object be sent in another transfer syntax
 * @throws DICOMTAP_ERR_ACSE_CONTEXT
 */
export function storageContextFor(
  contexts: Contexts,
  sopClassUid: string,
  transferSyntaxUid: string | undefined,
  canConvertTo: (transferSyntaxUid: string) => boolean,
  id?: number,
): AcceptedContext {
  const candidates: AcceptedContext[] = []
  if (id === undefined) {
    for (const context of contexts.values()) if (context.abstractSyntax === sopClassUid) candidates.push(context)
  } else {
    candidates.push(contextById(contexts, sopClassUid, 'scu', id))
  }
  const sendable = candidates.filter(({ asScu }) => asScu)
  if (sendable.length === 0) throw missing(sopClassUid, candidates.length > 0 ? 'scu' : undefined)
  const context =
    sendable.find(({ transferSyntax }) => transferSyntax === transferSyntaxUid) ??
    sendable.find(({ transferSyntax }) => canConvertTo(transferSyntax))
  if (context !== undefined) return context
  const accepted = sendable.map(({ transferSyntax }) => transferSyntaxName(transferSyntax)).join(', ')
  const wanted = transferSyntaxUid === undefined ? 'a transfer syntax it can be encoded in' : transferSyntaxName(transferSyntaxUid)
  throw noContext(`${sopClassName(sopClassUid)} was not accepted with ${wanted}, only with ${accepted}`)
}

function contextById(contexts: Contexts, sopClassUid: string, role: Role, id: number): AcceptedContext {
  const context = contexts.get(id)
  if (context === undefined) throw noContext(`Presentation context ${id} was not accepted`)
  const isFitting = context.abstractSyntax === sopClassUid || (sopClassUid === SopClass.UnifiedProcedureStepPush && isUps(context))
  if (!isFitting) {
    throw noContext(`Presentation context ${id} is for ${sopClassName(context.abstractSyntax)}, not for ${sopClassName(sopClassUid)}`)
  }
  if (!hasRole(context, role)) throw missing(sopClassUid, role)
  return context
}

function isUps({ abstractSyntax }: AcceptedContext): boolean {
  return sopClassByUid(abstractSyntax)?.service === 'unified-procedure-step'
}

/** @param role the one that is missing, where there are contexts */
function missing(sopClassUid: string, role: Role | undefined): DicomtapError {
  const name = sopClassName(sopClassUid)
  if (role === undefined) return noContext(`No presentation context was accepted for ${name}`)
  return noContext(`${name} was accepted without the role of ${role.toUpperCase()} for this side`)
}

function noContext(message: string): DicomtapError {
  return new DicomtapError('DICOMTAP_ERR_ACSE_CONTEXT', message)
}

function sopClassName(uid: string): string {
  const keyword = sopClassByUid(uid)?.keyword ?? ''
  return keyword === '' ? uid : keyword
}

function transferSyntaxName(uid: string): string {
  return transferSyntaxByUid(uid)?.keyword ?? uid
}
