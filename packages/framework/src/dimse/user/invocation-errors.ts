import { AssociationAbortedError, DicomtapError } from '../../errors/index.ts'
import type { Invocation } from './invocation.ts'

/** A request in words: the service and, once it has one, the message ID. */
export function nameOf({ service, messageId }: Invocation): string {
  return messageId === undefined ? `The ${service}` : `${service} request ${messageId}`
}

/** The association ended first. */
export function notAnswered(invocation: Invocation, cause: DicomtapError): DicomtapError {
  const what = invocation.messageId === undefined ? 'was not sent' : 'was not answered'
  const message = `${nameOf(invocation)} ${what}: ${cause.message}`
  if (cause instanceof AssociationAbortedError) return new AssociationAbortedError(cause, message, { cause })
  return new DicomtapError(cause.code, message, { cause })
}

/** Its signal was aborted. */
export function cancelled(invocation: Invocation, cause: unknown): DicomtapError {
  return new DicomtapError('DICOMTAP_ERR_DIMSE_CANCELLED', `${nameOf(invocation)} was taken back before it was sent`, { cause })
}

/** It could not be made, and nothing of it was sent. */
export function notPrepared(invocation: Invocation, error: unknown): DicomtapError {
  if (error instanceof DicomtapError) return error
  return new DicomtapError('DICOMTAP_ERR_DIMSE_REQUEST', `${nameOf(invocation)} could not be prepared: ${reasonOf(error)}`, { cause: error })
}

export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
