import { encodeCommandSet, SopClass, TransferSyntax } from '@dicomtap/framework'
import type { CommandSet } from '@dicomtap/framework'

// PDUs whose every byte is the test's. Lengths are those of the fields unless a case says otherwise.

export const CONTEXT_ID = 1
export const OTHER_CONTEXT_ID = 3
export const MPPS_CONTEXT_ID = 5
export const FIND_CONTEXT_ID = 7
/** In this order on contexts 1, 3, 5, 7. */
export const ABSTRACT_SYNTAXES = [
  SopClass.CTImageStorage,
  SopClass.MRImageStorage,
  SopClass.ModalityPerformedProcedureStep,
  SopClass.StudyRootQueryRetrieveInformationModelFind,
] as const

const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1')
export const u16 = (value: number): Buffer => Buffer.from([value >>> 8, value & 0xff])

/** A PDU of any type and length (PS3.8 9.3.1). */
export function pdu(type: number, body: Uint8Array, length: number = body.length): Buffer {
  const header = Buffer.from([type, 0, 0, 0, 0, 0])
  header.writeUInt32BE(length, 2)
  return Buffer.concat([header, body])
}

/** An item of an A-ASSOCIATE PDU: type, reserved byte, length, fields (PS3.8 9.3.2). */
export function item(type: number, ...fields: readonly (Uint8Array | string)[]): Buffer {
  const body = Buffer.concat(fields.map((field) => (typeof field === 'string' ? latin1(field) : field)))
  return Buffer.concat([Buffer.from([type, 0]), u16(body.length), body])
}

/** A text with its two-byte length, as in items 0x54, 0x56, 0x57. */
export const counted = (text: string): Buffer => Buffer.concat([u16(text.length), latin1(text)])

export const APPLICATION_CONTEXT = item(0x10, '1.2.840.10008.3.1.1.1')
export const abstractSyntax = (uid: string): Buffer => item(0x30, uid)
export const transferSyntax = (uid: string = TransferSyntax.ImplicitVRLittleEndian): Buffer => item(0x40, uid)

/** A presentation context item of a request, 0x20: ID, three reserved bytes, sub-items. */
export const context = (id: number, ...subItems: readonly Uint8Array[]): Buffer => item(0x20, Buffer.from([id, 0, 0, 0]), ...subItems)
export const CONTEXTS = ABSTRACT_SYNTAXES.map((uid, index) => context(2 * index + 1, abstractSyntax(uid), transferSyntax()))

export const maximumLength = (bytes: number): Buffer => item(0x51, u16(bytes >>> 16), u16(bytes & 0xffff))
export const IMPLEMENTATION = item(0x52, '2.25.1')
export const userInformation = (...subItems: readonly Uint8Array[]): Buffer => item(0x50, maximumLength(16_384), IMPLEMENTATION, ...subItems)

export interface FixedFields {
  readonly version?: number
  /** 16 bytes each. */
  readonly called?: string
  readonly calling?: string
  /** Bytes 9 and 10, and 43 to 74. */
  readonly reserved?: number
}

/** Bytes 7 to 74 of an A-ASSOCIATE-RQ or -AC (PS3.8 tables 9-11, 9-17). */
export function fixedFields({ version = 1, called = 'HOSTILE', calling = 'PEER', reserved = 0 }: FixedFields = {}): Buffer {
  return Buffer.concat([
    u16(version),
    Buffer.alloc(2, reserved),
    latin1(called.padEnd(16)),
    latin1(calling.padEnd(16)),
    Buffer.alloc(32, reserved),
  ])
}

/** An A-ASSOCIATE-RQ around items. */
export const requestOf = (fields: FixedFields, ...items: readonly Uint8Array[]): Buffer => pdu(0x01, Buffer.concat([fixedFields(fields), ...items]))
/** A good one. */
export const request = (fields: FixedFields = {}): Buffer => requestOf(fields, APPLICATION_CONTEXT, ...CONTEXTS, userInformation())
/** A good one but for its presentation contexts, or for one sub-item more. */
export const proposing = (...contexts: readonly Uint8Array[]): Buffer => requestOf({}, APPLICATION_CONTEXT, ...contexts, userInformation())
export const negotiating = (...subItems: readonly Uint8Array[]): Buffer => requestOf({}, APPLICATION_CONTEXT, ...CONTEXTS, userInformation(...subItems))

/** A PDV item: length, context, message control header, data (PS3.8 9.3.5.1, E.2). Bit 0: command, bit 1: last. */
export function pdv(id: number, control: number, data: Uint8Array, length: number = data.length + 2): Buffer {
  const header = Buffer.from([0, 0, 0, 0, id, control])
  header.writeUInt32BE(length, 0)
  return Buffer.concat([header, data])
}
export const pDataOf = (...pdvs: readonly Uint8Array[]): Buffer => pdu(0x04, Buffer.concat(pdvs))
export const pData = (id: number, control: number, data: Uint8Array): Buffer => pDataOf(pdv(id, control, data))

export const RELEASE = pdu(0x05, Buffer.alloc(4))
export const RELEASE_RP = pdu(0x06, Buffer.alloc(4))
export const ABORT = pdu(0x07, Buffer.alloc(4))
export const REJECT = pdu(0x03, Buffer.from([0, 1, 1, 1]))

/** A C-STORE-RQ (PS3.7 table 9.3-1). */
export const STORE: CommandSet = {
  commandField: 0x0001,
  affectedSopClassUid: SopClass.CTImageStorage,
  affectedSopInstanceUid: '2.25.7',
  messageId: 1,
  priority: 0,
  commandDataSetType: 0x0001,
}
export const NO_DATA_SET = 0x0101
/** (0008,0018), empty. */
export const DATA_SET = pData(CONTEXT_ID, 2, Buffer.from([0x08, 0, 0x18, 0, 0, 0, 0, 0]))

export const commandOf = (command: CommandSet | Uint8Array, id: number = CONTEXT_ID): Buffer =>
  pData(id, 3, command instanceof Uint8Array ? command : encodeCommandSet(command))
export const command = (changes: Partial<CommandSet> = {}, id: number = CONTEXT_ID): Buffer => commandOf({ ...STORE, ...changes }, id)
export const withoutDataSet = (changes: Partial<CommandSet>, id?: number): Buffer => command({ ...changes, commandDataSetType: NO_DATA_SET }, id)

/** An element of a command set: group 0000, number, length, value (PS3.7 6.3.1). */
export function element(number: number, value: Uint8Array | string, length?: number, group = 0): Buffer {
  const data = typeof value === 'string' ? latin1(value) : value
  const header = Buffer.alloc(8)
  header.writeUInt16LE(group, 0)
  header.writeUInt16LE(number, 2)
  header.writeUInt32LE(length ?? data.length, 4)
  return Buffer.concat([header, data])
}
export const us = (value: number): Buffer => Buffer.from([value & 0xff, value >>> 8])

/** The elements of a command set, one by one. */
export function elementsOf(commandSet: CommandSet): Buffer[] {
  const bytes = encodeCommandSet(commandSet)
  const elements: Buffer[] = []
  for (let at = 0; at < bytes.length; ) {
    const end = at + 8 + bytes.readUInt32LE(at + 4)
    elements.push(bytes.subarray(at, end))
    at = end
  }
  return elements
}
const numberOf = (bytes: Buffer): number => bytes.readUInt16LE(2)

/** The C-STORE-RQ without one of its elements. */
export const commandWithout = (number: number, commandSet: CommandSet = STORE, id: number = CONTEXT_ID): Buffer =>
  commandOf(Buffer.concat(elementsOf(commandSet).filter((bytes) => numberOf(bytes) !== number)), id)
/** The C-STORE-RQ with one of its elements replaced, or with one more. */
export const commandWith = (replacement: Buffer): Buffer =>
  commandOf(Buffer.concat([...elementsOf(STORE).filter((bytes) => numberOf(bytes) !== numberOf(replacement)), replacement]))
