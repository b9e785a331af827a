import { describeStatus } from '@dicomtap/framework'
import type { DimseRequest, HookFacade, LogLevel, OperationCompletedEvent } from '@dicomtap/framework'
import type { LogWriter } from '../log-writer.ts'
import { bytesInWords, durationInWords, plural, statusInHex } from '../words.ts'
import { sopClassName } from './context-table.ts'
import { statusInWords } from './tally.ts'
import type { SubOperationTally, Tallies } from './tally.ts'

export interface OperationLineOptions {
  readonly slowOperationMs: number | null
}

/** One line per operation; how severe depends on how it ended. */
export function logOperations(hooks: HookFacade, writer: LogWriter, tallies: Tallies, options: OperationLineOptions): void {
  hooks.subOperationCompleted.tap(({ operation, status }) => tallies.addSubOperation(operation, status))
  hooks.operationCompleted.tap((event) => {
    const { operation, status, receivedBytes } = event
    tallies.addOperation(operation, status, receivedBytes)
    const isSlow = isTooSlow(event, options.slowOperationMs)
    const level = isSlow ? 'warn' : levelOf(event)
    if (!writer.isEnabled(level, 'dimse')) return
    const subOperations = tallies.subOperationsOf(operation)
    // UIDs lead to the patient in the archive: only for those who look closely.
    const sopInstanceUid = writer.isEnabled('debug', 'dimse') ? sopInstanceUidOf(operation.request) : undefined
    writer.writeOwn({
      level,
      area: 'dimse',
      message: sentence(event, sopInstanceUid, subOperations, isSlow),
      fields: fieldsOf(event, sopInstanceUid, subOperations),
      isSentence: true,
    })
  })
}

/**
 * Operations that come by the thousand and succeed are summed up when their association ends; what failed
 * or was answered with a warning is worth a line of its own at once.
 */
function levelOf({ operation, status, responses }: OperationCompletedEvent): LogLevel {
  if (responses === 0) return 'info'
  switch (describeStatus(status, operation.service).category) {
    case 'success':
      return operation.service === 'C-STORE' || operation.service === 'C-ECHO' ? 'debug' : 'info'
    case 'cancel':
      return 'info'
    default:
      return 'warn'
  }
}

function isTooSlow({ operation, durationMs }: OperationCompletedEvent, slowOperationMs: number | null): boolean {
  return slowOperationMs !== null && durationMs > slowOperationMs && operation.service !== 'C-GET' && operation.service !== 'C-MOVE'
}

/** `C-STORE CT Image Storage: A700 Out of resources, 38 ms, 524.8 kB`. */
function sentence(
  event: OperationCompletedEvent,
  sopInstanceUid: string | undefined,
  subOperations: SubOperationTally | undefined,
  isSlow: boolean,
): string {
  const { operation, status, errorComment, durationMs, receivedBytes, responses } = event
  const { service } = operation
  const parts = [responses === 0 ? 'not answered, the association ended first' : statusInWords(status, service)]
  if (service === 'C-FIND' && responses > 0) parts.push(plural(responses - 1, 'match', 'matches'))
  if (subOperations !== undefined) parts.push(subOperationsInWords(subOperations))
  parts.push(isSlow ? `${durationInWords(durationMs)} (slow)` : durationInWords(durationMs))
  if (service === 'C-STORE') parts.push(bytesInWords(receivedBytes))
  if (sopInstanceUid !== undefined) parts.push(sopInstanceUid)
  const comment = errorComment === undefined || errorComment === '' ? '' : ` "${errorComment}"`
  return `${service} ${sopClassName(operation.sopClassUid)}: ${parts.join(', ')}${comment}`
}

function fieldsOf(
  { operation, status, errorComment, durationMs, receivedBytes, responses }: OperationCompletedEvent,
  sopInstanceUid: string | undefined,
  subOperations: SubOperationTally | undefined,
): Record<string, unknown> {
  const { association, messageId, service, sopClassUid } = operation
  return {
    association: association.id,
    messageId,
    event: 'operation.completed',
    callingAeTitle: association.callingAeTitle,
    service,
    sopClassUid,
    sopInstanceUid,
    status: statusInHex(status),
    statusLabel: describeStatus(status, service).label,
    errorComment,
    durationMs: Math.round(durationMs * 1000) / 1000,
    receivedBytes,
    responses,
    subOperations,
  }
}

function subOperationsInWords({ completed, warnings, failed }: SubOperationTally): string {
  return [
    `${completed} sent`,
    ...(warnings > 0 ? [`${warnings} with a warning`] : []),
    ...(failed > 0 ? [`${failed} failed`] : []),
  ].join(', ')
}

function sopInstanceUidOf(request: DimseRequest): string | undefined {
  if ('affectedSopInstanceUid' in request) return request.affectedSopInstanceUid
  return 'requestedSopInstanceUid' in request ? request.requestedSopInstanceUid : undefined
}
