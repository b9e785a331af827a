const INITIAL_BYTES = 1024

/** Bytes that grow as they are written, in one byte order. */
export class ByteWriter {
  readonly bigEndian: boolean
  #bytes: Buffer = Buffer.allocUnsafe(INITIAL_BYTES)
  #length = 0

  constructor(bigEndian: boolean) {
    this.bigEndian = bigEndian
  }

  get length(): number {
    return this.#length
  }

  /** Makes room and returns where it is. */
  #reserve(count: number): number {
    const at = this.#length
    const needed = at + count
    if (needed > this.#bytes.length) {
      const grown = Buffer.allocUnsafe(Math.max(needed, this.#bytes.length * 2))
      this.#bytes.copy(grown, 0, 0, at)
      this.#bytes = grown
    }
    this.#length = needed
    return at
  }

  uint8(value: number): void {
    const at = this.#reserve(1)
    this.#bytes[at] = value
  }

  uint16(value: number): void {
    const at = this.#reserve(2)
    if (this.bigEndian) this.#bytes.writeUInt16BE(value, at)
    else this.#bytes.writeUInt16LE(value, at)
  }

  uint32(value: number): void {
    const at = this.#reserve(4)
    this.setUint32(at, value)
  }

  /** Overwrites four bytes, e.g. a length that is known only now. */
  setUint32(at: number, value: number): void {
    if (this.bigEndian) this.#bytes.writeUInt32BE(value, at)
    else this.#bytes.writeUInt32LE(value, at)
  }

  bytes(source: Uint8Array): void {
    const at = this.#reserve(source.length)
    this.#bytes.set(source, at)
  }

  /** What was written; later writes may or may not show in it. */
  finish(): Buffer {
    return this.#bytes.subarray(0, this.#length)
  }
}
