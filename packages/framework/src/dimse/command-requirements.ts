import { CommandField, isResponse } from './command-field.ts'
import type { CommandSet } from './command-set.ts'

type Element = keyof CommandSet

const QUERY: readonly Element[] = ['affectedSopClassUid', 'messageId', 'priority', 'commandDataSetType']
const ON_REQUESTED_INSTANCE: readonly Element[] = [
  'requestedSopClassUid',
  'messageId',
  'commandDataSetType',
  'requestedSopInstanceUid',
]

/** What the tables of PS3.7 9.1 and 10.1 mark M for the invoker, and the message tables of 9.3 and 10.3 add. */
const OF_REQUESTS: ReadonlyMap<number, readonly Element[]> = new Map<number, readonly Element[]>([
  [CommandField.C_STORE_RQ, [...QUERY, 'affectedSopInstanceUid']],
  [CommandField.C_FIND_RQ, QUERY],
  [CommandField.C_GET_RQ, QUERY],
  [CommandField.C_MOVE_RQ, [...QUERY, 'moveDestination']],
  [CommandField.C_ECHO_RQ, ['affectedSopClassUid', 'messageId', 'commandDataSetType']],
  [CommandField.C_CANCEL_RQ, ['messageIdBeingRespondedTo', 'commandDataSetType']],
  [
    CommandField.N_EVENT_REPORT_RQ,
    ['affectedSopClassUid', 'messageId', 'commandDataSetType', 'affectedSopInstanceUid', 'eventTypeId'],
  ],
  [CommandField.N_GET_RQ, ON_REQUESTED_INSTANCE],
  [CommandField.N_SET_RQ, ON_REQUESTED_INSTANCE],
  [CommandField.N_ACTION_RQ, [...ON_REQUESTED_INSTANCE, 'actionTypeId']],
  [CommandField.N_CREATE_RQ, ['affectedSopClassUid', 'messageId', 'commandDataSetType']],
  [CommandField.N_DELETE_RQ, ON_REQUESTED_INSTANCE],
])

/** The same for every response: what is M for the performer in all of the tables. */
const OF_RESPONSES: readonly Element[] = ['messageIdBeingRespondedTo', 'commandDataSetType', 'status']

const NONE: readonly string[] = []

/**
 * The mandatory elements that a command lacks, by their names in {@link CommandSet}; empty when it is
 * complete or its Command Field is unknown (PS3.7 9.1, 9.3, 10.1, 10.3).
 */
export function missingElements(command: CommandSet): readonly string[] {
  const required = OF_REQUESTS.get(command.commandField) ?? (isResponse(command.commandField) ? OF_RESPONSES : NONE)
  let missing: string[] | undefined
  for (const element of required) {
    if (command[element as Element] === undefined) (missing ??= []).push(element)
  }
  return missing ?? NONE
}

/**
 * Must a data set follow this request? True for C-STORE, C-FIND, C-GET, C-MOVE and N-SET, whose data set
 * is M (PS3.7 9.1, 10.1.3).
 */
export function requiresDataSet(commandField: number): boolean {
  switch (commandField) {
    case CommandField.C_STORE_RQ:
    case CommandField.C_FIND_RQ:
    case CommandField.C_GET_RQ:
    case CommandField.C_MOVE_RQ:
    case CommandField.N_SET_RQ:
      return true
    default:
      return false
  }
}
