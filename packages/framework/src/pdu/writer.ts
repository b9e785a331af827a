import { DicomtapError } from '../errors/index.ts'
import { AE_TITLE_BYTES, MAX_UID_BYTES } from './limits.ts'

const INITIAL_BYTES = 512
const MAX_U16 = 0xffff

/** A buffer that grows, for PDUs and items whose length stands before fields that are not written yet. */
export class PduWriter {
  #buffer: Buffer
  #length = 0

  /** @param memory to begin in; what does not fit goes elsewhere */
  constructor(memory: Buffer = Buffer.allocUnsafe(INITIAL_BYTES)) {
    this.#buffer = memory
  }

  /** What has been written: a view that the next write may leave behind. */
  get bytes(): Buffer {
    return this.#buffer.subarray(0, this.#length)
  }

  u8(value: number): void {
    const at = this.#reserve(1, value, 0xff)
    this.#buffer.writeUInt8(value, at)
  }

  u16(value: number): void {
    const at = this.#reserve(2, value, MAX_U16)
    this.#buffer.writeUInt16BE(value, at)
  }

  u32(value: number): void {
    const at = this.#reserve(4, value, 0xffffffff)
    this.#buffer.writeUInt32BE(value, at)
  }

  /** Reserved fields (PS3.8 9.3.1). */
  zeros(length: number): void {
    const at = this.#grow(length)
    this.#buffer.fill(0, at, at + length)
  }

  raw(bytes: Uint8Array): void {
    const at = this.#grow(bytes.length)
    this.#buffer.set(bytes, at)
  }

  latin1(text: string): void {
    const at = this.#grow(text.length)
    const buffer = this.#buffer
    for (let index = 0; index < text.length; index++) {
      const code = text.charCodeAt(index)
      if (code > 0xff) failEncode('a text has a character that does not fit one byte')
      buffer[at + index] = code
    }
  }

  uid(uid: string): void {
    if (uid.length > MAX_UID_BYTES) failEncode(`a UID has ${uid.length} characters; ${MAX_UID_BYTES} are allowed`)
    this.latin1(uid)
  }

  /** A two-byte length and the UID. */
  uidWithLength(uid: string): void {
    this.u16(uid.length)
    this.uid(uid)
  }

  /** A two-byte length and the bytes. */
  rawWithLength(bytes: Uint8Array): void {
    this.u16(bytes.length)
    this.raw(bytes)
  }

  /** Padded with spaces to 16 bytes (PS3.8 9.3.2). */
  aeTitle(title: string): void {
    if (title.length > AE_TITLE_BYTES) failEncode(`an AE title has ${title.length} characters; 16 are allowed`)
    this.latin1(title.padEnd(AE_TITLE_BYTES))
  }

  /** An item: `writeFields` writes what its length counts. `secondByte` is reserved in most items. */
  item(type: number, writeFields: () => void, secondByte = 0): void {
    this.u8(type)
    this.u8(secondByte)
    this.fieldsWithLength(writeFields)
  }

  /** A two-byte length, patched in after `writeFields` wrote what it counts. */
  fieldsWithLength(writeFields: () => void): void {
    const at = this.#grow(2)
    writeFields()
    const length = this.#length - at - 2
    if (length > MAX_U16) failEncode(`an item has ${length} bytes; ${MAX_U16} are possible`)
    this.#buffer.writeUInt16BE(length, at)
  }

  /** A PDU: `writeBody` writes its variable field. */
  pdu(type: number, writeBody: () => void): void {
    this.u8(type)
    this.u8(0)
    const at = this.#grow(4)
    writeBody()
    this.#buffer.writeUInt32BE(this.#length - at - 4, at)
  }

  #reserve(length: number, value: number, maximum: number): number {
    if (!Number.isInteger(value) || value < 0 || value > maximum) {
      failEncode(`the value ${value} does not fit a field of ${length} bytes`)
    }
    return this.#grow(length)
  }

  /** Makes room and returns where it begins. Replaces `#buffer`: call it before `#buffer` is evaluated. */
  #grow(length: number): number {
    const start = this.#length
    const needed = start + length
    if (needed > this.#buffer.length) {
      const grown = Buffer.allocUnsafe(Math.max(needed, this.#buffer.length * 2))
      this.#buffer.copy(grown, 0, 0, start)
      this.#buffer = grown
    }
    this.#length = needed
    return start
  }
}

/** A PDU of this side that cannot be encoded: a mistake of the caller, not of the peer. */
export function failEncode(message: string): never {
  throw new DicomtapError('DICOMTAP_ERR_PDU_VALUE', `A PDU cannot be encoded: ${message}`)
}
