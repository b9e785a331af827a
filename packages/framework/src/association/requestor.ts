import { SMALLEST_PDU_BYTES } from '../acse/admission.ts'
import { ContextResult } from '../acse/types.ts'
import type { AcceptedContext, OperationsWindow, RejectedContext, RoleSelection } from '../acse/types.ts'
import { asynchronousOperationsOf, maximumLengthOf, rolesOf } from '../acse/user-information.ts'
import { requestorRoles } from '../acse/roles.ts'
import { narrowerWindow, SYNCHRONOUS } from '../acse/window.ts'
import { defaultTransferSyntaxesOf } from '../dataset/index.ts'
import { AbortReason, DicomtapError, PduError } from '../errors/index.ts'
import type { OutgoingAssociationOptions } from '../hooks/types.ts'
import { encodePdu } from '../pdu/encode.ts'
import { APPLICATION_CONTEXT_NAME } from '../pdu/types.ts'
import type { AAssociateAc, AAssociateRq } from '../pdu/types.ts'
import type { UserItem } from '../pdu/user-items/types.ts'
import { ownItems } from './association-user.ts'
import type { AssociateOptions } from './associate-options.ts'
import type { AssociationSettings } from './settings.ts'

/** What the A-ASSOCIATE-AC of the peer makes of the request. */
export interface Confirmation {
  readonly accepted: readonly AcceptedContext[]
  readonly rejected: readonly RejectedContext[]
  readonly window: OperationsWindow
}

const DEFAULT_CALLED_AE_TITLE = 'ANY-SCP'

/** The options of `associate` as the hooks get them: defaults filled in, items in their final form. */
export function outgoingOptions(
  options: AssociateOptions,
  defaults: Pick<OutgoingAssociationOptions, 'callingAeTitle' | 'contexts'>,
): OutgoingAssociationOptions {
  const { userIdentity } = options
  return {
    host: options.host,
    port: options.port,
    calledAeTitle: options.calledAeTitle ?? DEFAULT_CALLED_AE_TITLE,
    callingAeTitle: options.callingAeTitle ?? defaults.callingAeTitle,
    contexts: options.contexts ?? defaults.contexts,
    asynchronousOperations: options.asynchronousOperations,
    userIdentity:
      userIdentity === undefined
        ? undefined
        : {
            type: 0x58,
            userIdentityType: userIdentity.type,
            positiveResponseRequested: userIdentity.positiveResponseRequested ?? false,
            primaryField: bytesOf(userIdentity.primaryField),
            secondaryField: bytesOf(userIdentity.secondaryField ?? ''),
          },
    sopClassExtended: (options.sopClassExtended ?? []).map((item) => ({ ...item, type: 0x56 as const })),
    sopClassCommonExtended: (options.sopClassCommonExtended ?? []).map((item) => ({ ...item, type: 0x57 as const, subItemVersion: 0 })),
    tls: options.tls,
    localAddress: options.localAddress,
    localPort: options.localPort,
  }
}

/**
 * The A-ASSOCIATE-RQ (PS3.8 9.3.2).
 * @throws DICOMTAP_ERR_ACSE_REQUEST when the options do not fit one, e.g. what a handler made of them.
 */
export function associateRequest(options: OutgoingAssociationOptions, settings: AssociationSettings): AAssociateRq {
  if (options.contexts.length === 0) {
    throw new DicomtapError('DICOMTAP_ERR_ACSE_REQUEST', 'contexts: there must be at least one presentation context to propose')
  }
  const request: AAssociateRq = {
    type: 'A-ASSOCIATE-RQ',
    protocolVersion: 1,
    calledAeTitle: options.calledAeTitle,
    callingAeTitle: options.callingAeTitle,
    applicationContextName: APPLICATION_CONTEXT_NAME,
    presentationContexts: options.contexts.map(({ abstractSyntax, transferSyntaxes }, index) => ({
      id: 2 * index + 1,
      abstractSyntax,
      transferSyntaxes: transferSyntaxes ?? defaultTransferSyntaxesOf(abstractSyntax),
    })),
    userInformation: [...ownItems(settings), ...proposedItems(options)],
  }
  try {
    encodePdu(request)
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new DicomtapError('DICOMTAP_ERR_ACSE_REQUEST', `The association request cannot be encoded: ${why}`, { cause: error })
  }
  return request
}

/**
 * What was agreed, by the answer of the peer (PS3.8 9.3.3.2, PS3.7 D.3.3.3, D.3.3.4).
 * @throws PduError when the answer is none to this request.
 */
export function confirmation(request: AAssociateRq, accept: AAssociateAc): Confirmation {
  // PS3.8 9.3.3: only bit 0 is tested.
  if ((accept.protocolVersion & 1) === 0) throw invalidAnswer('bit 0 of its protocol version is not set')
  const maximumLength = maximumLengthOf(accept.userInformation)
  if (maximumLength !== 0 && maximumLength < SMALLEST_PDU_BYTES) {
    throw invalidAnswer(`it takes PDUs of at most ${maximumLength} bytes: none fits`)
  }
  const proposals = new Map(request.presentationContexts.map((context) => [context.id, context]))
  const proposedRoles = rolesByClass(rolesOf(request.userInformation))
  const repliedRoles = rolesByClass(rolesOf(accept.userInformation))
  const results = new Map(accept.presentationContexts.map((context) => [context.id, context]))
  for (const { id } of accept.presentationContexts) {
    if (!proposals.has(id)) throw invalidAnswer(`it answers presentation context ${id}, which was not proposed`)
  }
  const accepted: AcceptedContext[] = []
  const rejected: RejectedContext[] = []
  for (const { id, abstractSyntax, transferSyntaxes } of request.presentationContexts) {
    const answer = results.get(id)
    if (answer === undefined || answer.result !== ContextResult.Acceptance) {
      rejected.push({ id, abstractSyntax, result: knownResult(answer?.result) })
      continue
    }
    const { transferSyntax } = answer
    if (!transferSyntaxes.includes(transferSyntax)) {
      throw invalidAnswer(`it accepts transfer syntax ${transferSyntax} for presentation context ${id}, which was not proposed`)
    }
    const roles = requestorRoles(proposedRoles.get(abstractSyntax), repliedRoles.get(abstractSyntax))
    if (roles === undefined) rejected.push({ id, abstractSyntax, result: ContextResult.UserRejection })
    else accepted.push({ id, abstractSyntax, transferSyntax, ...roles })
  }
  return { accepted, rejected, window: windowOf(request, accept) }
}

function proposedItems(options: OutgoingAssociationOptions): UserItem[] {
  const items: UserItem[] = []
  const { asynchronousOperations: window, userIdentity } = options
  if (window !== undefined) {
    items.push({ type: 0x53, maximumNumberOperationsInvoked: window.invoked, maximumNumberOperationsPerformed: window.performed })
  }
  const roles = new Map(options.contexts.flatMap(({ abstractSyntax, roles }) => (roles === undefined ? [] : [[abstractSyntax, roles]])))
  for (const [sopClassUid, { scu, scp }] of roles) items.push({ type: 0x54, sopClassUid, scuRole: scu, scpRole: scp })
  items.push(...options.sopClassExtended, ...options.sopClassCommonExtended)
  if (userIdentity !== undefined) items.push(userIdentity)
  return items
}

/** An answer may not widen the proposal; without one there is no window (PS3.7 D.3.3.3.2). */
function windowOf(request: AAssociateRq, accept: AAssociateAc): OperationsWindow {
  const proposed = asynchronousOperationsOf(request.userInformation)
  const answered = asynchronousOperationsOf(accept.userInformation)
  if (proposed === undefined || answered === undefined) return SYNCHRONOUS
  const answer = { invoked: answered.maximumNumberOperationsInvoked, performed: answered.maximumNumberOperationsPerformed }
  return narrowerWindow(answer, proposed)
}

function rolesByClass(roles: readonly RoleSelection[]): Map<string, RoleSelection> {
  return new Map(roles.map((role) => [role.sopClassUid, role]))
}

/** PS3.8 table 9-18; a context that the answer leaves out, or a result that the table does not have, is no acceptance. */
function knownResult(result: number | undefined): ContextResult {
  return Object.values(ContextResult).find((known) => known === result) ?? ContextResult.NoReason
}

function invalidAnswer(what: string): PduError {
  return new PduError('DICOMTAP_ERR_PDU_VALUE', AbortReason.InvalidPduParameterValue, `The A-ASSOCIATE-AC is invalid: ${what}`)
}

function bytesOf(field: string | Uint8Array): Uint8Array {
  return typeof field === 'string' ? Buffer.from(field, 'utf8') : field
}
