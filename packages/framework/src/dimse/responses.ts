import { DATA_SET_PRESENT, NO_DATA_SET } from './command-set.ts'
import type { CommandSet } from './command-set.ts'
import type { Outcome } from './outcome.ts'

/**
 * The response to a request (PS3.7 9.3, 10.3): its command field with the response bit, the ID it
 * answers, and the request's UIDs, which are allowed in every response.
 */
export function responseTo(request: CommandSet, outcome: Outcome, hasDataSet: boolean): CommandSet {
  return {
    affectedSopClassUid: request.affectedSopClassUid ?? request.requestedSopClassUid,
    commandField: request.commandField | 0x8000,
    messageIdBeingRespondedTo: request.messageId,
    commandDataSetType: hasDataSet ? DATA_SET_PRESENT : NO_DATA_SET,
    status: outcome.status,
    offendingElements: outcome.offendingElements?.length === 0 ? undefined : outcome.offendingElements,
    errorComment: outcome.errorComment?.slice(0, 64),
    errorId: outcome.errorId,
    affectedSopInstanceUid: request.affectedSopInstanceUid ?? request.requestedSopInstanceUid ?? outcome.affectedSopInstanceUid,
    eventTypeId: request.eventTypeId,
    attributeIdentifierList: outcome.attributeIdentifierList,
    actionTypeId: request.actionTypeId,
    numberOfRemainingSuboperations: outcome.numberOfRemainingSuboperations,
    numberOfCompletedSuboperations: outcome.numberOfCompletedSuboperations,
    numberOfFailedSuboperations: outcome.numberOfFailedSuboperations,
    numberOfWarningSuboperations: outcome.numberOfWarningSuboperations,
  }
}
