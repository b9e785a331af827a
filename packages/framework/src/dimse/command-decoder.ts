import { DicomtapError } from '../errors/index.ts'
import type { CommandSet } from './command-set.ts'

type Name = keyof CommandSet
type Read = (source: Buffer, start: number, end: number) => unknown

/** The elements of PS3.7 table E.1-1 by element number. */
const ELEMENTS: ReadonlyMap<number, readonly [name: Name, read: Read]> = new Map<number, readonly [Name, Read]>([
  [0x0002, ['affectedSopClassUid', readText]],
  [0x0003, ['requestedSopClassUid', readText]],
  [0x0100, ['commandField', readUnsigned]],
  [0x0110, ['messageId', readUnsigned]],
  [0x0120, ['messageIdBeingRespondedTo', readUnsigned]],
  [0x0600, ['moveDestination', readText]],
  [0x0700, ['priority', readUnsigned]],
  [0x0800, ['commandDataSetType', readUnsigned]],
  [0x0900, ['status', readUnsigned]],
  [0x0901, ['offendingElements', readTags]],
  [0x0902, ['errorComment', readText]],
  [0x0903, ['errorId', readUnsigned]],
  [0x1000, ['affectedSopInstanceUid', readText]],
  [0x1001, ['requestedSopInstanceUid', readText]],
  [0x1002, ['eventTypeId', readUnsigned]],
  [0x1005, ['attributeIdentifierList', readTags]],
  [0x1008, ['actionTypeId', readUnsigned]],
  [0x1020, ['numberOfRemainingSuboperations', readUnsigned]],
  [0x1021, ['numberOfCompletedSuboperations', readUnsigned]],
  [0x1022, ['numberOfFailedSuboperations', readUnsigned]],
  [0x1023, ['numberOfWarningSuboperations', readUnsigned]],
  [0x1030, ['moveOriginatorApplicationEntityTitle', readText]],
  [0x1031, ['moveOriginatorMessageId', readUnsigned]],
])

const HEADER_BYTES = 8
const UNDEFINED_LENGTH = 0xffffffff

/**
 * Decodes a command set (PS3.7 6.3). Elements of group 0000 that {@link CommandSet} does not name, retired
 * ones among them, are passed over. A wrong or missing group length and descending tags are tolerated: the
 * end of a command set is told by its last fragment (PS3.8 annex E.2), not by its content. A US with
 * several values keeps the first; a value that is empty or all padding counts as absent.
 *
 * @throws DICOMTAP_ERR_DIMSE_COMMAND for a length beyond the end, an undefined length, a tag outside group
 * 0000, a value whose size does not fit its VR, a tag that occurs twice, a missing Command Field.
 */
export function decodeCommandSet(bytes: Uint8Array): CommandSet {
  const source = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const end = source.length
  const command: Partial<Record<Name, unknown>> = {}
  let at = 0
  while (at < end) {
    if (end - at < HEADER_BYTES) throw malformed('it ends within the header of an element')
    const group = source.readUInt16LE(at)
    const element = source.readUInt16LE(at + 2)
    const length = source.readUInt32LE(at + 4)
    if (group !== 0) throw malformed(`it contains ${tagText(group, element)}, which is not of group 0000`)
    at += HEADER_BYTES
    if (length === UNDEFINED_LENGTH) throw malformed(`${tagText(0, element)} has an undefined length`)
    if (length > end - at) throw malformed(`${tagText(0, element)} claims more bytes than there are`)
    const known = ELEMENTS.get(element)
    if (known !== undefined && length !== 0) {
      const name = known[0]
      if (command[name] !== undefined) throw malformed(`${tagText(0, element)} occurs twice`)
      const value = known[1](source, at, at + length)
      if (value === WRONG_SIZE) throw malformed(`${tagText(0, element)} has ${length} bytes, which does not fit its VR`)
      if (value !== '') command[name] = value
    }
    at += length
  }
  if (command.commandField === undefined) throw malformed('it has no Command Field (0000,0100)')
  return command as unknown as CommandSet
}

const WRONG_SIZE: unique symbol = Symbol('size')

function readUnsigned(source: Buffer, start: number, end: number): unknown {
  return ((end - start) & 1) === 0 ? source.readUInt16LE(start) : WRONG_SIZE
}

function readTags(source: Buffer, start: number, end: number): unknown {
  if (((end - start) & 3) !== 0) return WRONG_SIZE
  const tags: number[] = []
  for (let at = start; at < end; at += 4) {
    tags.push(source.readUInt16LE(at) * 0x10000 + source.readUInt16LE(at + 2))
  }
  return tags
}

/** UI ends in NUL, AE and LO in spaces, and peers mix them up; leading spaces of AE and LO say nothing (PS3.5 6.2). */
function readText(source: Buffer, start: number, end: number): unknown {
  let first = start
  let last = end
  while (last > first && isPadding(source[last - 1])) last--
  while (first < last && isPadding(source[first])) first++
  return source.toString('latin1', first, last)
}

function isPadding(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x00
}

function tagText(group: number, element: number): string {
  return `(${group.toString(16).padStart(4, '0')},${element.toString(16).padStart(4, '0')})`
}

function malformed(what: string): DicomtapError {
  return new DicomtapError('DICOMTAP_ERR_DIMSE_COMMAND', `Malformed command set: ${what}`)
}
