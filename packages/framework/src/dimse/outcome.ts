import { DicomtapError, StatusError } from '../errors/index.ts'
import type { ErrorCode } from '../errors/index.ts'
import { statusCategory } from './status.ts'
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
  return { status: service.startsWith('C-') ? INVALID_HANDLER_ANSWER : Status.ProcessingFailure }
}

/** What a response of a C service takes of a handler's answer: its data set and counters are the core's. */
function statusDetailsOf({ status, errorComment, offendingElements, errorId }: StatusDetails): Outcome {
  return { status, errorComment, offendingElements, errorId }
}

export function isFinalStatus(status: unknown): status is number {
  return (
    typeof status === 'number' &&
    Number.isInteger(status) &&
    status >= 0 &&
    status <= 0xffff &&
    statusCategory(status) !== 'pending'
  )
}

/** The outcome of a handler that threw; nothing of the error goes to the peer but what it meant to tell. */
export function outcomeOfError(error: unknown, service: DimseService): Outcome {
  if (error instanceof StatusError) {
    if (!isFinalStatus(error.status)) return { status: INVALID_HANDLER_ANSWER }
    const details = statusDetailsOf(error)
    return service.startsWith('C-') ? details : { ...details, attributeIdentifierList: error.attributeIdentifierList }
  }
  if (service.startsWith('C-') && isUndecodable(error)) {
    return { status: StorageStatus.CannotUnderstand, errorComment: 'The data set cannot be decoded' }
  }
  return { status: HANDLER_FAILED[service] ?? Status.ProcessingFailure, errorComment: 'Processing failure' }
}

/** Nesting without end is a matter of size. */
const UNDECODABLE: readonly ErrorCode[] = ['DICOMTAP_ERR_DS_MALFORMED', 'DICOMTAP_ERR_DS_TOO_LARGE']

function isUndecodable(error: unknown): boolean {
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
    if (cause instanceof StatusError) return false
    if (cause instanceof DicomtapError && UNDECODABLE.includes(cause.code)) return true
  }
  return false
}
