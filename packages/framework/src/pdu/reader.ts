import { AE_TITLE_BYTES, MAX_UID_BYTES } from './limits.ts'
import { failMalformed, failTooLarge, failValue } from './violations.ts'

/** An item of an A-ASSOCIATE PDU (PS3.8 9.3.1): type, a byte that most items reserve, and its fields. */
export interface PduItem {
  readonly type: number
  readonly secondByte: number
  readonly fields: PduReader
}

const NO_ITEM = -1

/** Items that a PDU may still have, shared by the readers of its items. */
interface ItemCount {
  left: number
}

/**
 * A cursor over the fields of one PDU or item. No read leaves its bounds: that is a `PduError`, whose
 * message starts with `name`.
 */
export class PduReader {
  readonly #bytes: Buffer
  readonly #pduName: string
  readonly #itemType: number
  readonly #end: number
  readonly #items: ItemCount
  #at: number

  private constructor(bytes: Buffer, start: number, end: number, pduName: string, itemType: number, items: ItemCount) {
    this.#bytes = bytes
    this.#at = start
    this.#end = end
    this.#pduName = pduName
    this.#itemType = itemType
    this.#items = items
  }

  /** Over the variable field of a PDU. @param maximumItems items of items included */
  static of(body: Uint8Array, pduName: string, maximumItems: number = Number.POSITIVE_INFINITY): PduReader {
    const bytes = Buffer.isBuffer(body) ? body : Buffer.from(body.buffer, body.byteOffset, body.byteLength)
    return new PduReader(bytes, 0, bytes.length, pduName, NO_ITEM, { left: maximumItems })
  }

  /** What is being read, e.g. `A-ASSOCIATE-RQ, item 0x58`. */
  get name(): string {
    if (this.#itemType === NO_ITEM) return this.#pduName
    return `${this.#pduName}, item 0x${this.#itemType.toString(16).padStart(2, '0')}`
  }

  get remaining(): number {
    return this.#end - this.#at
  }

  u8(): number {
    return this.#bytes.readUInt8(this.#take(1))
  }

  u16(): number {
    return this.#bytes.readUInt16BE(this.#take(2))
  }

  u32(): number {
    return this.#bytes.readUInt32BE(this.#take(4))
  }

  skip(length: number): void {
    this.#take(length)
  }

  /** A view: valid as long as the bytes are. */
  view(length: number): Uint8Array {
    const start = this.#take(length)
    return new Uint8Array(this.#bytes.buffer, this.#bytes.byteOffset + start, length)
  }

  /** As {@link view}, and they are still to be read. */
  peek(length: number): Uint8Array {
    const at = this.#at
    const bytes = this.view(length)
    this.#at = at
    return bytes
  }

  /** Bytes that outlive the PDU. */
  copy(length: number): Uint8Array {
    return new Uint8Array(this.view(length))
  }

  latin1(length: number): string {
    const start = this.#take(length)
    return this.#bytes.toString('latin1', start, start + length)
  }

  /**
   * A UID without the padding that some peers add. Only what no peer may send is refused: more than
   * 64 bytes, control characters. Whether the UID means anything is for negotiation to say.
   */
  uid(length: number): string {
    if (length > MAX_UID_BYTES) failValue(`${this.name}: a UID of ${length} bytes`)
    const uid = withoutPadding(this.latin1(length))
    if (hasControlCharacter(uid)) failValue(`${this.name}: a UID with control characters`)
    return uid
  }

  /** A UID in a field that is not to be tested: empty when it cannot be one. */
  untestedUid(length: number): string {
    const uid = withoutPadding(this.latin1(length))
    return uid.length > MAX_UID_BYTES || hasControlCharacter(uid) ? '' : uid
  }

  /** PS3.8 9.3.2: leading and trailing spaces are not significant. Some peers pad with NUL. */
  aeTitle(): string {
    const title = withoutPadding(this.latin1(AE_TITLE_BYTES))
    let start = 0
    while (title[start] === ' ') start++
    return title.slice(start)
  }

  /** The next item, its length checked against what is left here. */
  item(): PduItem {
    this.countItem()
    const type = this.u8()
    const secondByte = this.u8()
    return { type, secondByte, fields: this.#sub(this.u16(), type) }
  }

  /** For what is no item and yet may come any number of times. */
  countItem(): void {
    this.#items.left -= 1
    if (this.#items.left < 0) failTooLarge(`${this.#pduName} has too many items`)
  }

  /** The next bytes as fields of their own. */
  sub(length: number): PduReader {
    return this.#sub(length, this.#itemType)
  }

  /** For items whose length follows from their fields. */
  expectEnd(): void {
    if (this.remaining > 0) failMalformed(`${this.name}: ${this.remaining} bytes after its last field`)
  }

  #sub(length: number, itemType: number): PduReader {
    const start = this.#take(length, itemType)
    return new PduReader(this.#bytes, start, start + length, this.#pduName, itemType, this.#items)
  }

  #take(length: number, itemType = this.#itemType): number {
    const start = this.#at
    if (length > this.#end - start) {
      const item = itemType === this.#itemType ? 'a field' : `item 0x${itemType.toString(16).padStart(2, '0')}`
      failMalformed(`${this.name}: ${item} of ${length} bytes where ${this.#end - start} are left`)
    }
    this.#at = start + length
    return start
  }
}

/** The text without the spaces and NULs at its end. */
export function withoutPadding(text: string): string {
  let end = text.length
  while (end > 0 && (text.charCodeAt(end - 1) === 0 || text.charCodeAt(end - 1) === 0x20)) end--
  return text.slice(0, end)
}

function hasControlCharacter(text: string): boolean {
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index)
    if (code < 0x20 || (code >= 0x7f && code < 0xa0)) return true
  }
  return false
}
