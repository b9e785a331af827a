import { DicomtapError, type StatusDetails, type StatusError } from '@dicomtap/framework'

/** Statuses of the C-STORE response (PS3.4 B.2.3, PS3.7 annex C). */
export const StoreStatus = {
  Success: 0x0000,
  ProcessingFailure: 0x0110,
  DuplicateSopInstance: 0x0111,
  OutOfResources: 0xa700,
  DataSetDoesNotMatchSopClass: 0xa900,
  CannotUnderstand: 0xc000,
} as const

// What a retry may find better: the rest is for somebody to repair.
const OUT_OF_RESOURCES: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT', 'EFBIG', 'EMFILE', 'ENFILE', 'ENOMEM', 'EAGAIN', 'EMLINK'])

/** What the sender is told of an error of the system: neither path nor reason. */
export function answerToSystemError(code: string): StatusDetails {
  return OUT_OF_RESOURCES.has(code)
    ? { status: StoreStatus.OutOfResources, errorComment: 'Out of resources' }
    : { status: StoreStatus.ProcessingFailure, errorComment: 'The object could not be stored' }
}

/** An error of the system as one of dicomtap, for the log. Without the original: a path stands in its message. */
export function systemError(code: string, call: string | undefined, path: string | undefined): DicomtapError {
  const isFull = code === 'ENOSPC' || code === 'EDQUOT'
  const where = [call, path].filter((part) => part !== undefined).join(' ')
  return new DicomtapError(isFull ? 'DICOMTAP_ERR_STO_FULL' : 'DICOMTAP_ERR_STO_WRITE', `${code}: ${where}`)
}

/** True for a StatusError of any installed copy of the framework. */
export function isStatusError(error: unknown): error is StatusError {
  return error instanceof DicomtapError && error.code === 'DICOMTAP_ERR_DIMSE_STATUS'
}
