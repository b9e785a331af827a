import { DicomtapError } from '../errors/index.ts'
import type { Logger } from '../logger.ts'
import type { RunningOperation } from './operation.ts'
import type { Outcome } from './outcome.ts'
import { Status } from './status-names.ts'

/** What the peer is told when a handler took longer than `timeouts.handlerMs`. */
export const HANDLER_TOOK_TOO_LONG: Outcome = { status: Status.ProcessingFailure, errorComment: 'The handler took too long' }

export function isHandlerLate({ endReason }: RunningOperation): boolean {
  return endReason?.code === 'DICOMTAP_ERR_DIMSE_TIMEOUT'
}

/** What a handler does for an operation; when it takes longer than `handlerMs`, the operation is ended. */
export function withinHandlerTime<T>(operation: RunningOperation, work: Promise<T>, handlerMs: number | null, log: Logger): Promise<T> {
  if (handlerMs === null) return work
  const timer = setTimeout(() => {
    log.error('a handler took too long', { service: operation.service, messageId: operation.messageId, handlerMs })
    operation.end(new DicomtapError('DICOMTAP_ERR_DIMSE_TIMEOUT', `No answer within ${handlerMs} ms`))
  }, handlerMs)
  return operation.untilEnd(work).finally(() => {
    clearTimeout(timer)
  })
}
