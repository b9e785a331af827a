import { describeStatus, statusServiceOf } from '@dicomtap/framework'
import type { DimseRequest, HookFacade, LogLevel, Operation, OperationCompletedEvent } from '@dicomtap/framework'
import type { LogWriter } from '../log-writer.ts'
import { bytesInWords, durationInWords, plural, statusInHex } from '../words.ts'
import { sopClassName } from './context-table.ts'
import { FloodCounter } from './flood-counter.ts'
import { statusInWords } from './tally.ts'
import type { SubOperationTally, Tallies } from './tally.ts'

export interface OperationLineOptions {
  readonly slowOperationMs: number | null
}

/** Failures and warnings of one kind. */
export interface RepeatedStatus {
  readonly service: Operation['service']
  readonly status: number
  readonly statusLabel: string
}

/** While a disk is full or a database away, every image of every modality fails alike. */
const REPETITIONS = { windowMs: 60_000, tellEveryMs: 10_000, linesPerSubject: 5, linesInAll: 100, maximumSubjects: 32 } as const

/**
 * One line per operation; how severe depends on how it ended. What ends with the same failure or warning again and
 * again is counted: `endWindow` of the counter that is given back says the rest.
 */
export function logOperations(
  hooks: HookFacade,
  writer: LogWriter,
  tallies: Tallies,
  options: OperationLineOptions,
): FloodCounter<RepeatedStatus> {
  const repetitions = new FloodCounter<RepeatedStatus>(REPETITIONS, (count, kind) => tellRepetitions(writer, count, kind))
  hooks.subOperationCompleted.tap(({ operation, status }) => tallies.addSubOperation(operation, status))
  hooks.operationCompleted.tap((event) => {
    const { operation, status, receivedBytes } = event
    if (!isUnanswered(event)) tallies.addOperation(operation, status, receivedBytes)
    const isSlow = isTooSlow(event, options.slowOperationMs)
    const ownLevel = levelOf(event)
    const isRepeated = ownLevel === 'warn' && isRepetition(event, repetitions)
    const level = isRepeated ? 'debug' : isSlow ? 'warn' : ownLevel
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
  return repetitions
}

function isRepetition({ operation, status }: OperationCompletedEvent, repetitions: FloodCounter<RepeatedStatus>): boolean {
  const { service, sopClassUid } = operation
  const statusService = statusServiceOf(service, sopClassUid)
  const { label: statusLabel } = describeStatus(status, statusService)
  return repetitions.isFlood(`${service} ${statusService} ${status}`, { service, status, statusLabel })
}

/** `C-STORE: 312 more were answered A700 Refused: out of resources within 10 s`. */
function tellRepetitions(writer: LogWriter, count: number, kind: RepeatedStatus | undefined): void {
  const within = `within ${REPETITIONS.tellEveryMs / 1000} s`
  const more = `${count} more ${count === 1 ? 'was' : 'were'} answered`
  const message =
    kind === undefined
      ? `other operations: ${more} with a failure or warning ${within}`
      : `${kind.service}: ${more} ${statusInWords(kind.status, kind.service)} ${within}`
  const kindFields = kind === undefined ? {} : { ...kind, status: statusInHex(kind.status) }
  const fields = { event: 'operation.repetitions', count, ...kindFields }
  writer.writeOwn({ level: 'warn', area: 'dimse', message, fields, isSentence: true })
}

/**
 * Operations that come by the thousand and succeed are summed up when their association ends; what failed
 * or was answered with a warning is worth a line of its own at once.
 */
function levelOf(event: OperationCompletedEvent): LogLevel {
  if (isUnanswered(event)) return 'info'
  const { operation, status } = event
  switch (describeStatus(status, statusServiceOf(operation.service, operation.sopClassUid)).category) {
    case 'success':
      return operation.service === 'C-STORE' || operation.service === 'C-ECHO' ? 'debug' : 'info'
    case 'cancel':
      return 'info'
    default:
      return 'warn'
  }
}

/** The association ended before the final response: its status was never sent. */
function isUnanswered({ operation, responses }: OperationCompletedEvent): boolean {
  return responses === 0 || operation.association.isAborted
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
  const isAnswered = !isUnanswered(event)
  const parts = [isAnswered ? statusInWords(status, service) : 'not answered, the association ended first']
  if (service === 'C-FIND') parts.push(plural(isAnswered ? responses - 1 : responses, 'match', 'matches'))
  if (subOperations !== undefined) parts.push(subOperationsInWords(subOperations))
  parts.push(isSlow ? `${durationInWords(durationMs)} (slow)` : durationInWords(durationMs))
  if (service === 'C-STORE') parts.push(bytesInWords(receivedBytes))
  if (sopInstanceUid !== undefined) parts.push(sopInstanceUid)
  const comment = errorComment === undefined || errorComment === '' ? '' : ` "${errorComment}"`
  return `${service} ${sopClassName(operation.sopClassUid)}: ${parts.join(', ')}${comment}`
}

function fieldsOf(
  event: OperationCompletedEvent,
  sopInstanceUid: string | undefined,
  subOperations: SubOperationTally | undefined,
): Record<string, unknown> {
  const { operation, status, errorComment, durationMs, receivedBytes, responses } = event
  const isAnswered = !isUnanswered(event)
  const { association, messageId, service, sopClassUid } = operation
  return {
    association: association.id,
    messageId,
    event: 'operation.completed',
    callingAeTitle: association.callingAeTitle,
    service,
    sopClassUid,
    sopInstanceUid,
    status: isAnswered ? statusInHex(status) : undefined,
    statusLabel: isAnswered ? describeStatus(status, statusServiceOf(service, sopClassUid)).label : undefined,
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
