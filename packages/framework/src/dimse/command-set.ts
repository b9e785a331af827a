export { CommandField, commandName, isRequest, isResponse, responseFieldOf, serviceOf } from './command-field.ts'
export { missingElements, requiresDataSet } from './command-requirements.ts'
export { decodeCommandSet } from './command-decoder.ts'
export { encodeCommandSet } from './command-encoder.ts'

/**
 * A DIMSE command set (PS3.7 6.3, annex E.1), without its group length. What is absent or empty in the
 * message is absent here.
 */
export interface CommandSet {
  /** (0000,0002) */
  readonly affectedSopClassUid?: string | undefined
  /** (0000,0003) */
  readonly requestedSopClassUid?: string | undefined
  /** (0000,0100) one of `CommandField` */
  readonly commandField: number
  /** (0000,0110) */
  readonly messageId?: number | undefined
  /** (0000,0120) */
  readonly messageIdBeingRespondedTo?: number | undefined
  /** (0000,0600) */
  readonly moveDestination?: string | undefined
  /** (0000,0700) 0 medium, 1 high, 2 low */
  readonly priority?: number | undefined
  /** (0000,0800) {@link NO_DATA_SET} when no data set follows, anything else when one does */
  readonly commandDataSetType?: number | undefined
  /** (0000,0900) */
  readonly status?: number | undefined
  /** (0000,0901) tags as numbers, e.g. `0x00100020` */
  readonly offendingElements?: readonly number[] | undefined
  /** (0000,0902) */
  readonly errorComment?: string | undefined
  /** (0000,0903) */
  readonly errorId?: number | undefined
  /** (0000,1000) */
  readonly affectedSopInstanceUid?: string | undefined
  /** (0000,1001) */
  readonly requestedSopInstanceUid?: string | undefined
  /** (0000,1002) */
  readonly eventTypeId?: number | undefined
  /** (0000,1005) tags as numbers */
  readonly attributeIdentifierList?: readonly number[] | undefined
  /** (0000,1008) */
  readonly actionTypeId?: number | undefined
  /** (0000,1020) */
  readonly numberOfRemainingSuboperations?: number | undefined
  /** (0000,1021) */
  readonly numberOfCompletedSuboperations?: number | undefined
  /** (0000,1022) */
  readonly numberOfFailedSuboperations?: number | undefined
  /** (0000,1023) */
  readonly numberOfWarningSuboperations?: number | undefined
  /** (0000,1030) */
  readonly moveOriginatorApplicationEntityTitle?: string | undefined
  /** (0000,1031) */
  readonly moveOriginatorMessageId?: number | undefined
}

/** Command Data Set Type (0000,0800) that says no data set follows (PS3.7 9.3, annex E.1). */
export const NO_DATA_SET = 0x0101

/** Command Data Set Type that dicomtap sends when a data set follows; the standard allows any but 0101. */
export const DATA_SET_PRESENT = 0x0001

/**
 * Whether a data set follows the command. A command without Command Data Set Type is taken to have none:
 * waiting for a data set that may never come would hold the association, and `missingElements`
 * names the omission.
 */
export function hasDataSet(command: CommandSet): boolean {
  const type = command.commandDataSetType
  return type !== undefined && type !== NO_DATA_SET
}
