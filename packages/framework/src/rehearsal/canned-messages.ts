import { writePDataTfHeader } from '../pdu/p-data-tf.ts'
import { encodePdu } from '../pdu/encode.ts'
import { APPLICATION_CONTEXT_NAME } from '../pdu/types.ts'
import { IMPLEMENTATION_CLASS_UID } from '../identity.ts'

// By hand: with the encoders of command sets and data sets, what they see here would be part of what they are compiled
// for.

/** A presentation context to propose: its abstract syntax and one transfer syntax. */
export interface CannedContext {
  readonly id: number
  readonly abstractSyntax: string
  readonly transferSyntax: string
}

/** A message as bytes, laid out once; what differs from one message to the next is written into them. */
export interface CannedMessage {
  readonly bytes: Buffer
  /** The same bytes with the next message ID and SOP Instance UID. Not before the last were sent. */
  next(): Buffer
}

const IMPLICIT_VR_LITTLE_ENDIAN = '1.2.840.10008.1.2'
const VERIFICATION = '1.2.840.10008.1.1'
/** Of P-DATA-TF: PDU header (6), PDV item length, presentation context ID and message control header. */
const PDU_OVERHEAD_BYTES = 12
/** UIDs under 2.25 that no instance has (PS3.5 B.2: what follows is meant to be a UUID). */
const UID_ROOT = '2.25.0'
const UID_DIGITS = 9

const MAXIMUM_LENGTH_RECEIVED = 131_072

export function cannedAssociateRequest(contexts: readonly CannedContext[], calledAeTitle: string, callingAeTitle: string): Buffer {
  return encodePdu({
    type: 'A-ASSOCIATE-RQ',
    protocolVersion: 1,
    calledAeTitle,
    callingAeTitle,
    applicationContextName: APPLICATION_CONTEXT_NAME,
    presentationContexts: contexts.map(({ id, abstractSyntax, transferSyntax }) => ({ id, abstractSyntax, transferSyntaxes: [transferSyntax] })),
    userInformation: [
      { type: 0x51, maximumLengthReceived: MAXIMUM_LENGTH_RECEIVED },
      { type: 0x52, implementationClassUid: IMPLEMENTATION_CLASS_UID },
      { type: 0x55, implementationVersionName: 'REHEARSAL' },
    ],
  })
}

export function cannedReleaseRequest(): Buffer {
  return encodePdu({ type: 'A-RELEASE-RQ' })
}

/** C-ECHO-RQ (PS3.7 9.3.5.1). */
export function cannedEcho(presentationContextId: number): CannedMessage {
  const command = commandSet([
    [0x0002, uid(VERIFICATION)],
    [0x0100, us(0x0030)],
    [0x0110, us(0)],
    [0x0800, us(0x0101)],
  ])
  const bytes = pData(presentationContextId, true, command, command.length)
  return numbered(bytes, [])
}

/**
 * C-STORE-RQ (PS3.7 9.3.1.1) with the data set of a CT image, or of what would be one of another SOP class.
 * @param dataSetBytes how large the data set is, about.
 * @param maximumPduBytes the largest P-DATA-TF.
 * @param association makes studies and instances of their own.
 */
export function cannedStore(
  { id, abstractSyntax, transferSyntax }: CannedContext,
  dataSetBytes: number,
  maximumPduBytes: number,
  association: number,
): CannedMessage {
  // Of even and of odd length in turn: the odd are padded.
  const sopInstanceUid = `${UID_ROOT}.${association}.1${association % 2 === 0 ? '' : '0'}${'0'.repeat(UID_DIGITS)}`
  const command = commandSet([
    [0x0002, uid(abstractSyntax)],
    [0x0100, us(0x0001)],
    [0x0110, us(0)],
    [0x0700, us(0)],
    [0x0800, us(0x0001)],
    [0x1000, uid(sopInstanceUid)],
  ])
  const dataSet = imageDataSet(transferSyntax !== IMPLICIT_VR_LITTLE_ENDIAN, abstractSyntax, sopInstanceUid, association, dataSetBytes)
  const fragmentBytes = maximumPduBytes - PDU_OVERHEAD_BYTES + 6
  const bytes = Buffer.concat([pData(id, true, command, fragmentBytes), pData(id, false, dataSet, fragmentBytes)])
  return numbered(bytes, placesOf(bytes, sopInstanceUid))
}

/** Message ID and the digits at the end of the SOP Instance UID count up. */
function numbered(bytes: Buffer, digitsAt: readonly number[]): CannedMessage {
  // (0000,0110) in Implicit VR Little Endian, 2 bytes long; the command comes first.
  const messageIdAt = bytes.indexOf(Buffer.from([0x00, 0x00, 0x10, 0x01, 0x02, 0x00, 0x00, 0x00])) + 8
  let count = 0
  return {
    bytes,
    next() {
      count += 1
      bytes.writeUInt16LE(count & 0xffff, messageIdAt)
      for (const at of digitsAt) {
        for (let digit = UID_DIGITS - 1, rest = count; digit >= 0; digit--, rest = Math.floor(rest / 10)) bytes[at + digit] = 0x30 + (rest % 10)
      }
      return bytes
    },
  }
}

/** Where the digits that count stand: in the command and in the data set. */
function placesOf(bytes: Buffer, sopInstanceUid: string): number[] {
  const inCommand = bytes.indexOf(sopInstanceUid)
  const inDataSet = bytes.indexOf(sopInstanceUid, inCommand + 1)
  return [inCommand, inDataSet].map((at) => at + sopInstanceUid.length - UID_DIGITS)
}

/** P-DATA-TF PDUs of one PDV each. */
function pData(presentationContextId: number, isCommand: boolean, data: Buffer, fragmentBytes: number): Buffer {
  const pieces: Buffer[] = []
  for (let at = 0; at < data.length; at += fragmentBytes) {
    const fragment = data.subarray(at, at + fragmentBytes)
    const header = Buffer.alloc(PDU_OVERHEAD_BYTES)
    writePDataTfHeader(header, 0, presentationContextId, isCommand, at + fragmentBytes >= data.length, fragment.length)
    pieces.push(header, fragment)
  }
  return Buffer.concat(pieces)
}

/** Implicit VR Little Endian, group length first (PS3.7 6.3.1). */
function commandSet(elements: readonly (readonly [element: number, value: Buffer])[]): Buffer {
  const body = Buffer.concat(elements.map(([element, value]) => implicitElement(0x0000, element, value)))
  const length = Buffer.alloc(4)
  length.writeUInt32LE(body.length)
  return Buffer.concat([implicitElement(0x0000, 0x0000, length), body])
}

function imageDataSet(isExplicit: boolean, sopClassUid: string, sopInstanceUid: string, association: number, totalBytes: number): Buffer {
  const study = `${UID_ROOT}.${association}`
  const elements: (readonly [tag: number, vr: string, value: Buffer])[] = [
    [0x0008_0005, 'CS', text('ISO_IR 100')],
    [0x0008_0008, 'CS', text('ORIGINAL\\PRIMARY\\AXIAL')],
    [0x0008_0016, 'UI', uid(sopClassUid)],
    [0x0008_0018, 'UI', uid(sopInstanceUid)],
    [0x0008_0020, 'DA', text('20000101')],
    [0x0008_0030, 'TM', text('101112')],
    [0x0008_0050, 'SH', text('REHEARSAL')],
    [0x0008_0060, 'CS', text('CT')],
    [0x0008_0070, 'LO', text('dicomtap')],
    [0x0008_0090, 'PN', text('Rehearsal^Nobody')],
    [0x0010_0010, 'PN', text('Rehearsal^Nobody')],
    [0x0010_0020, 'LO', text('REHEARSAL')],
    [0x0010_0030, 'DA', text('20000101')],
    [0x0010_0040, 'CS', text('O')],
    [0x0018_0050, 'DS', text('1.25')],
    [0x0018_0060, 'DS', text('120')],
    [0x0020_000d, 'UI', uid(study)],
    [0x0020_000e, 'UI', uid(`${study}.1`)],
    [0x0020_0010, 'SH', text('1')],
    [0x0020_0011, 'IS', text('1')],
    [0x0020_0013, 'IS', text('1')],
    [0x0028_0002, 'US', us(1)],
    [0x0028_0004, 'CS', text('MONOCHROME2')],
    [0x0028_0010, 'US', us(512)],
    [0x0028_0011, 'US', us(512)],
    [0x0028_0100, 'US', us(16)],
    [0x0028_0101, 'US', us(12)],
    [0x0028_0102, 'US', us(11)],
    [0x0028_0103, 'US', us(0)],
  ]
  const element = isExplicit ? explicitElement : (tag: number, _vr: string, value: Buffer) => implicitElement(tag >>> 16, tag & 0xffff, value)
  const head = Buffer.concat(elements.map(([tag, vr, value]) => element(tag, vr, value)))
  const pixelBytes = Math.max(2, (totalBytes - head.length) & ~1)
  return Buffer.concat([head, element(0x7fe0_0010, 'OW', Buffer.alloc(pixelBytes))])
}

function implicitElement(group: number, element: number, value: Buffer): Buffer {
  const header = Buffer.alloc(8)
  header.writeUInt16LE(group, 0)
  header.writeUInt16LE(element, 2)
  header.writeUInt32LE(value.length, 4)
  return Buffer.concat([header, value])
}

/** PS3.5 7.1.2: OW has a length of 32 bits, the others used here one of 16. */
function explicitElement(tag: number, vr: string, value: Buffer): Buffer {
  const isLong = vr === 'OW'
  const header = Buffer.alloc(isLong ? 12 : 8)
  header.writeUInt16LE(tag >>> 16, 0)
  header.writeUInt16LE(tag & 0xffff, 2)
  header.write(vr, 4, 'latin1')
  if (isLong) header.writeUInt32LE(value.length, 8)
  else header.writeUInt16LE(value.length, 6)
  return Buffer.concat([header, value])
}

function uid(value: string): Buffer {
  return Buffer.from(value.length % 2 === 0 ? value : `${value}\0`, 'latin1')
}

function text(value: string): Buffer {
  return Buffer.from(value.length % 2 === 0 ? value : `${value} `, 'latin1')
}

function us(value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeUInt16LE(value)
  return bytes
}
