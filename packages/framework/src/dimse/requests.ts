import { isValidUid, sopClassByUid } from '../dataset/index.ts'
import type { AcceptedContext } from '../acse/types.ts'
import { AE_TITLE_BYTES } from '../pdu/limits.ts'
import { missingElements, requiresDataSet, serviceOf } from './command-set.ts'
import type { CommandSet } from './command-set.ts'
import type { DataSetStream } from './data-set-stream.ts'
import { RetrieveStatus, Status } from './status-names.ts'
import type { DimseRequest, StatusDetails } from './types.ts'

/** The SOP class a request is about: Affected or Requested SOP Class UID (PS3.7 9.3, 10.3). */
export function sopClassOf(command: CommandSet): string {
  return command.affectedSopClassUid ?? command.requestedSopClassUid ?? ''
}

/**
 * Why a request is answered without asking anybody (PS3.7 annex C); undefined when it may be performed.
 * Only what makes the request impossible to hand over is checked here.
 */
export function refusalOf(command: CommandSet, context: AcceptedContext, hasDataSet: boolean): StatusDetails | undefined {
  const service = serviceOf(command.commandField)
  if (service === undefined) return { status: Status.UnrecognizedOperation, errorComment: 'Unrecognized operation' }
  const missing = missingElements(command)
  if (missing.length > 0) return { status: Status.MistypedArgument, errorComment: comment(`Missing ${missing.join(', ')}`) }
  if (requiresDataSet(command.commandField) && !hasDataSet) {
    return { status: Status.MistypedArgument, errorComment: 'Missing data set' }
  }
  const instanceUid = command.affectedSopInstanceUid ?? command.requestedSopInstanceUid
  // Leading zeros and the like come from equipment in the field; what passes is digits and dots.
  if (instanceUid !== undefined && !isValidUid(instanceUid, 'lenient')) {
    return { status: Status.InvalidObjectInstance, errorComment: 'The SOP Instance UID is not a valid UID' }
  }
  if (service === 'C-MOVE' && (command.moveDestination?.length ?? 0) > AE_TITLE_BYTES) {
    return { status: RetrieveStatus.MoveDestinationUnknown, errorComment: 'The Move Destination is longer than an AE title' }
  }
  const isCService = service.startsWith('C-')
  if (!isOnContext(sopClassOf(command), context.abstractSyntax, isCService)) {
    const status = isCService ? Status.SopClassNotSupported : Status.NoSuchSopClass
    return { status, errorComment: 'The SOP class is not the one of the presentation context' }
  }
  // PS3.7 D.3.3.4: N-EVENT-REPORT goes from the SCP to the SCU, everything else the other way.
  const isRoleHeld = service === 'N-EVENT-REPORT' ? context.asScu || context.asScp : context.asScp
  if (!isRoleHeld) return { status: Status.SopClassNotSupported, errorComment: 'The SCP role was not negotiated' }
  return undefined
}

/**
 * C services name the context's abstract syntax. N services may name another class of the same service:
 * Meta SOP classes (PS3.4 H.3.1, print) and the UPS classes (PS3.4 CC.1).
 */
function isOnContext(sopClassUid: string, abstractSyntax: string, isCService: boolean): boolean {
  if (sopClassUid === abstractSyntax) return true
  if (isCService) return false
  const service = sopClassByUid(abstractSyntax)?.service
  return service != null && sopClassByUid(sopClassUid)?.service === service
}

function comment(text: string): string {
  return text.slice(0, 64)
}

/** The request of a command that {@link refusalOf} let pass. */
export function requestOf(command: CommandSet, dataSet: DataSetStream | undefined): DimseRequest {
  const messageId = command.messageId as number
  const affectedSopClassUid = command.affectedSopClassUid as string
  const requestedSopClassUid = command.requestedSopClassUid as string
  const requestedSopInstanceUid = command.requestedSopInstanceUid as string
  const priority = command.priority as number
  const identifier = dataSet as DataSetStream
  const service = serviceOf(command.commandField)
  switch (service) {
    case 'C-ECHO':
      return { service, messageId, command, affectedSopClassUid }
    case 'C-STORE':
      return {
        service,
        messageId,
        command,
        affectedSopClassUid,
        affectedSopInstanceUid: command.affectedSopInstanceUid as string,
        priority,
        moveOriginatorApplicationEntityTitle: command.moveOriginatorApplicationEntityTitle,
        moveOriginatorMessageId: command.moveOriginatorMessageId,
        dataSet: identifier,
      }
    case 'C-FIND':
    case 'C-GET':
      return { service, messageId, command, affectedSopClassUid, priority, identifier }
    case 'C-MOVE':
      return {
        service,
        messageId,
        command,
        affectedSopClassUid,
        priority,
        moveDestination: command.moveDestination as string,
        identifier,
      }
    case 'N-EVENT-REPORT':
      return {
        service,
        messageId,
        command,
        affectedSopClassUid,
        affectedSopInstanceUid: command.affectedSopInstanceUid as string,
        eventTypeId: command.eventTypeId as number,
        eventInformation: dataSet,
      }
    case 'N-GET':
      return {
        service,
        messageId,
        command,
        requestedSopClassUid,
        requestedSopInstanceUid,
        attributeIdentifierList: command.attributeIdentifierList ?? [],
      }
    case 'N-SET':
      return { service, messageId, command, requestedSopClassUid, requestedSopInstanceUid, modificationList: identifier }
    case 'N-ACTION':
      return {
        service,
        messageId,
        command,
        requestedSopClassUid,
        requestedSopInstanceUid,
        actionTypeId: command.actionTypeId as number,
        actionInformation: dataSet,
      }
    case 'N-CREATE':
      return {
        service,
        messageId,
        command,
        affectedSopClassUid,
        affectedSopInstanceUid: command.affectedSopInstanceUid,
        attributeList: dataSet,
      }
    default:
      return { service: 'N-DELETE', messageId, command, requestedSopClassUid, requestedSopInstanceUid }
  }
}
