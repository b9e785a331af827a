import { codeOf, DicomtapError } from '../errors/index.ts'
import type { ErrorCode } from '../errors/index.ts'
import { isHookError } from '../hooks/hook-error.ts'
import { checkedStatus, isFinalStatus } from './answers.ts'
import type { ServiceHookName } from '../hooks/types.ts'
import type { DimseService, OutgoingDataSet, StatusAnswer, StatusDetails } from './types.ts'
import { Status, StorageStatus } from './status-names.ts'

/** What the final response of an operation says. */
export interface Outcome extends StatusDetails {
  readonly dataset?: OutgoingDataSet | undefined
  /** N-CREATE: the UID that the SCP assigned (PS3.7 10.1.5.1.4). */
  readonly affectedSopInstanceUid?: string | undefined
  readonly numberOfRemainingSuboperations?: number | undefined
  readonly numberOfCompletedSuboperations?: number | undefined
  readonly numberOfFailedSuboperations?: number | undefined
  readonly numberOfWarningSuboperations?: number | undefined
}

/** A handler of a C service answered something that is no status: of the range C000 to CFFF, which is ours to fill. */
export const INVALID_HANDLER_ANSWER = 0xc002

/** Hooks whose answer is that of the operation. */
const ANSWERERS: ReadonlySet<string> = new Set<ServiceHookName | 'moveDestination'>([
  'cEcho', 'cStore', 'cFind', 'cGet', 'cMove', 'moveDestination', 'nEventReport', 'nGet', 'nSet', 'nAction', 'nCreate', 'nDelete',
])

/** Answered when a handler threw something that is not a StatusError. */
const HANDLER_FAILED: Readonly<Partial<Record<DimseService, number>>> = {
  'C-STORE': 0xc211,
  'C-FIND': 0xc311,
  'C-GET': 0xc411,
  'C-MOVE': 0xc511,
}

/** A handler's plain status answer, checked: it must be a status that can end an operation. */
export function outcomeOfStatus(answer: StatusAnswer | undefined, service: DimseService, noAnswer: number): Outcome {
  if (answer === undefined) return { status: noAnswer }
  const details = typeof answer === 'number' ? { status: answer } : answer
  if (isFinalStatus(details.status)) return service.startsWith('C-') ? statusDetailsOf(details) : details
  return outcomeOfWrongAnswer(service)
}

function outcomeOfWrongAnswer(service: DimseService): Outcome {
  return { status: service.startsWith('C-') ? INVALID_HANDLER_ANSWER : Status.ProcessingFailure, errorComment: 'Processing failure' }
}

/** What a response of a C service takes of a handler's answer: its data set and counters are the core's. */
function statusDetailsOf({ status, errorComment, offendingElements, errorId }: StatusDetails): Outcome {
  return { status, errorComment, offendingElements, errorId }
}

/**
 * The outcome of a handler that threw; nothing of the error goes to the peer but what it meant to tell.
 * @throws DICOMTAP_ERR_HOOK_ANSWER for a StatusError whose status cannot end an operation, or whose details are none
 */
export function outcomeOfError(error: unknown, service: DimseService): Outcome {
  if (codeOf(error) === 'DICOMTAP_ERR_DIMSE_STATUS') {
    const details = checkedStatus(error) as StatusDetails
    return service.startsWith('C-') ? statusDetailsOf(details) : { ...statusDetailsOf(details), attributeIdentifierList: details.attributeIdentifierList }
  }
  if (isHookError(error) && error.code === 'DICOMTAP_ERR_HOOK_ANSWER' && ANSWERERS.has(error.hook)) return outcomeOfWrongAnswer(service)
  if (service.startsWith('C-') && isUndecodable(error)) {
    return { status: StorageStatus.CannotUnderstand, errorComment: 'The data set cannot be decoded' }
  }
  return { status: HANDLER_FAILED[service] ?? Status.ProcessingFailure, errorComment: 'Processing failure' }
}

/** A cause may be its own. */
const DEEPEST_CAUSE = 10
/** Nesting without end is a matter of size. */
const UNDECODABLE: readonly ErrorCode[] = ['DICOMTAP_ERR_DS_MALFORMED', 'DICOMTAP_ERR_DS_TOO_LARGE']

function isUndecodable(error: unknown): boolean {
  let cause: unknown = error
  for (let depth = 0; depth < DEEPEST_CAUSE && cause instanceof Error; depth++, cause = cause.cause) {
    if (codeOf(cause) === 'DICOMTAP_ERR_DIMSE_STATUS') return false
    if (cause instanceof DicomtapError && UNDECODABLE.includes(cause.code)) return true
  }
  return false
}
