import { DicomtapError } from '../errors/index.ts'
import type { CommandSet } from './command-set.ts'

/** Error Comment is VR LO: at most 64 characters (PS3.5 table 6.2-1). */
const MAXIMUM_ERROR_COMMENT = 64

/** Counters of more sub-operations than a US can say stay at its largest value. */
const MAXIMUM_US = 0xffff
const MAXIMUM_TAG = 0xffffffff

/**
 * Encodes a command set: Implicit VR Little Endian, group length first, tags ascending (PS3.7 6.3.1).
 * Empty strings and lists are left out. Error Comment is cut to 64 characters of the default repertoire,
 * sub-operation counters beyond 65535 are sent as 65535.
 *
 * @throws DICOMTAP_ERR_DIMSE_COMMAND when a number does not fit its element.
 */
export function encodeCommandSet(command: CommandSet): Buffer {
  const errorComment = command.errorComment === undefined ? undefined : defaultRepertoire(command.errorComment)
  const total =
    12 +
    textSize(command.affectedSopClassUid) +
    textSize(command.requestedSopClassUid) +
    10 +
    numberSize(command.messageId) +
    numberSize(command.messageIdBeingRespondedTo) +
    textSize(command.moveDestination) +
    numberSize(command.priority) +
    numberSize(command.commandDataSetType) +
    numberSize(command.status) +
    tagsSize(command.offendingElements) +
    textSize(errorComment) +
    numberSize(command.errorId) +
    textSize(command.affectedSopInstanceUid) +
    textSize(command.requestedSopInstanceUid) +
    numberSize(command.eventTypeId) +
    tagsSize(command.attributeIdentifierList) +
    numberSize(command.actionTypeId) +
    numberSize(command.numberOfRemainingSuboperations) +
    numberSize(command.numberOfCompletedSuboperations) +
    numberSize(command.numberOfFailedSuboperations) +
    numberSize(command.numberOfWarningSuboperations) +
    textSize(command.moveOriginatorApplicationEntityTitle) +
    numberSize(command.moveOriginatorMessageId)

  const out = Buffer.allocUnsafe(total)
  writeHead(out, 0, 0x0000, 4)
  out.writeUInt32LE(total - 12, 8)
  let at = 12
  at = writeText(out, at, 0x0002, command.affectedSopClassUid, NUL)
  at = writeText(out, at, 0x0003, command.requestedSopClassUid, NUL)
  at = writeNumber(out, at, 0x0100, command.commandField)
  at = writeNumber(out, at, 0x0110, command.messageId)
  at = writeNumber(out, at, 0x0120, command.messageIdBeingRespondedTo)
  at = writeText(out, at, 0x0600, command.moveDestination, SPACE)
  at = writeNumber(out, at, 0x0700, command.priority)
  at = writeNumber(out, at, 0x0800, command.commandDataSetType)
  at = writeNumber(out, at, 0x0900, command.status)
  at = writeTags(out, at, 0x0901, command.offendingElements)
  at = writeText(out, at, 0x0902, errorComment, SPACE)
  at = writeNumber(out, at, 0x0903, command.errorId)
  at = writeText(out, at, 0x1000, command.affectedSopInstanceUid, NUL)
  at = writeText(out, at, 0x1001, command.requestedSopInstanceUid, NUL)
  at = writeNumber(out, at, 0x1002, command.eventTypeId)
  at = writeTags(out, at, 0x1005, command.attributeIdentifierList)
  at = writeNumber(out, at, 0x1008, command.actionTypeId)
  at = writeCounter(out, at, 0x1020, command.numberOfRemainingSuboperations)
  at = writeCounter(out, at, 0x1021, command.numberOfCompletedSuboperations)
  at = writeCounter(out, at, 0x1022, command.numberOfFailedSuboperations)
  at = writeCounter(out, at, 0x1023, command.numberOfWarningSuboperations)
  at = writeText(out, at, 0x1030, command.moveOriginatorApplicationEntityTitle, SPACE)
  writeNumber(out, at, 0x1031, command.moveOriginatorMessageId)
  return out
}

const NUL = 0x00
const SPACE = 0x20

function textSize(value: string | undefined): number {
  return value === undefined || value.length === 0 ? 0 : 8 + value.length + (value.length & 1)
}

function numberSize(value: number | undefined): number {
  return value === undefined ? 0 : 10
}

function tagsSize(value: readonly number[] | undefined): number {
  return value === undefined || value.length === 0 ? 0 : 8 + value.length * 4
}

function writeHead(out: Buffer, at: number, element: number, length: number): void {
  out[at] = 0
  out[at + 1] = 0
  out[at + 2] = element & 0xff
  out[at + 3] = element >>> 8
  out[at + 4] = length & 0xff
  out[at + 5] = (length >>> 8) & 0xff
  out[at + 6] = (length >>> 16) & 0xff
  out[at + 7] = length >>> 24
}

function writeText(out: Buffer, at: number, element: number, value: string | undefined, padding: number): number {
  if (value === undefined || value.length === 0) return at
  const length = value.length
  writeHead(out, at, element, length + (length & 1))
  const start = at + 8
  for (let index = 0; index < length; index++) out[start + index] = value.charCodeAt(index)
  if ((length & 1) === 0) return start + length
  out[start + length] = padding
  return start + length + 1
}

function writeNumber(out: Buffer, at: number, element: number, value: number | undefined): number {
  if (value === undefined) return at
  if (!(value >= 0 && value <= MAXIMUM_US && Number.isInteger(value))) {
    const tag = `(0000,${element.toString(16).padStart(4, '0')})`
    const what = `${value} is no value for command element ${tag}: it takes 0 to 65535`
    throw new DicomtapError('DICOMTAP_ERR_DIMSE_COMMAND', what)
  }
  writeHead(out, at, element, 2)
  out[at + 8] = value & 0xff
  out[at + 9] = value >>> 8
  return at + 10
}

function writeCounter(out: Buffer, at: number, element: number, value: number | undefined): number {
  return writeNumber(out, at, element, value !== undefined && value > MAXIMUM_US ? MAXIMUM_US : value)
}

function writeTags(out: Buffer, at: number, element: number, tags: readonly number[] | undefined): number {
  if (tags === undefined || tags.length === 0) return at
  writeHead(out, at, element, tags.length * 4)
  let next = at + 8
  for (const tag of tags) {
    if (!(tag >= 0 && tag <= MAXIMUM_TAG && Number.isInteger(tag))) {
      throw new DicomtapError('DICOMTAP_ERR_DIMSE_COMMAND', `${String(tag)} is no tag: tags are numbers, e.g. 0x00100020`)
    }
    out[next] = (tag >>> 16) & 0xff
    out[next + 1] = tag >>> 24
    out[next + 2] = tag & 0xff
    out[next + 3] = (tag >>> 8) & 0xff
    next += 4
  }
  return next
}

/** LO of the default repertoire: no control characters, no backslash, at most 64 characters. */
function defaultRepertoire(comment: string): string {
  const cut = comment.length > MAXIMUM_ERROR_COMMENT ? comment.slice(0, MAXIMUM_ERROR_COMMENT) : comment
  return /^[ -[\]-~]*$/.test(cut) ? cut : cut.replace(/[^ -[\]-~]/g, '?')
}
