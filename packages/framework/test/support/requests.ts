import type { CommandSet } from '../../dist/dimse/command-set.js'
import type { DimseService } from '../../dist/dimse/types.js'
import type { HookName } from '../../dist/hooks/types.js'
import {
  CT_IMAGE,
  IMPLICIT_LE,
  MPPS,
  STORAGE_COMMITMENT,
  STUDY_ROOT_FIND,
  STUDY_ROOT_GET,
  STUDY_ROOT_MOVE,
  VERIFICATION,
} from './uids.ts'

/** A complete request of one service (PS3.7 9.1, 9.3, 10.1, 10.3), with what else a test needs to know of it. */
export interface SampleRequest {
  readonly service: DimseService
  readonly hook: HookName
  readonly contextId: number
  readonly command: CommandSet
  readonly dataSet: Uint8Array | undefined
  /** Elements that are mandatory, by their names in CommandSet. */
  readonly mandatory: readonly (keyof CommandSet)[]
  /** The status when no handler answers, and when one fails with an error of no status. */
  readonly noAnswer: number
  readonly failed: number
}

const NO_DATA_SET = 0x0101
const INSTANCE = '1.2.3.4'
// (0010,0020) Patient ID, length 2, "42", in Implicit VR Little Endian.
export const IDENTIFIER: Uint8Array = Buffer.from('10002000020000003432', 'hex')

const cService = ['messageId', 'affectedSopClassUid', 'priority'] as const
const onInstance = ['messageId', 'requestedSopClassUid', 'requestedSopInstanceUid'] as const

export const REQUESTS: readonly SampleRequest[] = [
  {
    service: 'C-ECHO',
    hook: 'cEcho',
    contextId: 1,
    command: { commandField: 0x0030, messageId: 1, affectedSopClassUid: VERIFICATION, commandDataSetType: NO_DATA_SET },
    dataSet: undefined,
    mandatory: ['messageId', 'affectedSopClassUid'],
    noAnswer: 0x0000,
    failed: 0x0110,
  },
  {
    service: 'C-STORE',
    hook: 'cStore',
    contextId: 3,
    command: {
      commandField: 0x0001,
      messageId: 2,
      affectedSopClassUid: CT_IMAGE,
      affectedSopInstanceUid: INSTANCE,
      priority: 0,
      commandDataSetType: 0,
    },
    dataSet: IDENTIFIER,
    mandatory: [...cService, 'affectedSopInstanceUid'],
    noAnswer: 0x0122,
    failed: 0xc211,
  },
  {
    service: 'C-FIND',
    hook: 'cFind',
    contextId: 5,
    command: { commandField: 0x0020, messageId: 3, affectedSopClassUid: STUDY_ROOT_FIND, priority: 0, commandDataSetType: 0 },
    dataSet: IDENTIFIER,
    mandatory: cService,
    noAnswer: 0x0122,
    failed: 0xc311,
  },
  {
    service: 'C-GET',
    hook: 'cGet',
    contextId: 7,
    command: { commandField: 0x0010, messageId: 4, affectedSopClassUid: STUDY_ROOT_GET, priority: 0, commandDataSetType: 0 },
    dataSet: IDENTIFIER,
    mandatory: cService,
    noAnswer: 0x0122,
    failed: 0xc411,
  },
  {
    service: 'C-MOVE',
    hook: 'cMove',
    contextId: 9,
    command: {
      commandField: 0x0021,
      messageId: 5,
      affectedSopClassUid: STUDY_ROOT_MOVE,
      priority: 0,
      moveDestination: 'ELSEWHERE',
      commandDataSetType: 0,
    },
    dataSet: IDENTIFIER,
    mandatory: [...cService, 'moveDestination'],
    noAnswer: 0x0122,
    failed: 0xc511,
  },
  {
    service: 'N-EVENT-REPORT',
    hook: 'nEventReport',
    contextId: 11,
    command: {
      commandField: 0x0100,
      messageId: 6,
      affectedSopClassUid: STORAGE_COMMITMENT,
      affectedSopInstanceUid: INSTANCE,
      eventTypeId: 1,
      commandDataSetType: 0,
    },
    dataSet: IDENTIFIER,
    mandatory: ['messageId', 'affectedSopClassUid', 'affectedSopInstanceUid', 'eventTypeId'],
    noAnswer: 0x0211,
    failed: 0x0110,
  },
  {
    service: 'N-GET',
    hook: 'nGet',
    contextId: 13,
    command: {
      commandField: 0x0110,
      messageId: 7,
      requestedSopClassUid: MPPS,
      requestedSopInstanceUid: INSTANCE,
      attributeIdentifierList: [0x00100010],
      commandDataSetType: NO_DATA_SET,
    },
    dataSet: undefined,
    mandatory: onInstance,
    noAnswer: 0x0211,
    failed: 0x0110,
  },
  {
    service: 'N-SET',
    hook: 'nSet',
    contextId: 13,
    command: {
      commandField: 0x0120,
      messageId: 8,
      requestedSopClassUid: MPPS,
      requestedSopInstanceUid: INSTANCE,
      commandDataSetType: 0,
    },
    dataSet: IDENTIFIER,
    mandatory: onInstance,
    noAnswer: 0x0211,
    failed: 0x0110,
  },
  {
    service: 'N-ACTION',
    hook: 'nAction',
    contextId: 11,
    command: {
      commandField: 0x0130,
      messageId: 9,
      requestedSopClassUid: STORAGE_COMMITMENT,
      requestedSopInstanceUid: INSTANCE,
      actionTypeId: 1,
      commandDataSetType: 0,
    },
    dataSet: IDENTIFIER,
    mandatory: [...onInstance, 'actionTypeId'],
    noAnswer: 0x0211,
    failed: 0x0110,
  },
  {
    service: 'N-CREATE',
    hook: 'nCreate',
    contextId: 13,
    command: {
      commandField: 0x0140,
      messageId: 10,
      affectedSopClassUid: MPPS,
      affectedSopInstanceUid: INSTANCE,
      commandDataSetType: 0,
    },
    dataSet: IDENTIFIER,
    mandatory: ['messageId', 'affectedSopClassUid'],
    noAnswer: 0x0211,
    failed: 0x0110,
  },
  {
    service: 'N-DELETE',
    hook: 'nDelete',
    contextId: 13,
    command: {
      commandField: 0x0150,
      messageId: 11,
      requestedSopClassUid: MPPS,
      requestedSopInstanceUid: INSTANCE,
      commandDataSetType: NO_DATA_SET,
    },
    dataSet: undefined,
    mandatory: onInstance,
    noAnswer: 0x0211,
    failed: 0x0110,
  },
]

export function requestOf(service: DimseService): SampleRequest {
  return REQUESTS.find((request) => request.service === service)!
}

/** Abstract syntaxes of the requests above, as they stand on contexts 1, 3, 5 ... */
const ABSTRACT_SYNTAXES = [
  VERIFICATION,
  CT_IMAGE,
  STUDY_ROOT_FIND,
  STUDY_ROOT_GET,
  STUDY_ROOT_MOVE,
  STORAGE_COMMITMENT,
  MPPS,
] as const

export const SUPPORTED = ABSTRACT_SYNTAXES.map((abstractSyntax) => ({ abstractSyntax, transferSyntaxes: [IMPLICIT_LE] }))
export const PROPOSED = ABSTRACT_SYNTAXES.map((abstractSyntax) => [abstractSyntax, IMPLICIT_LE] as const)
