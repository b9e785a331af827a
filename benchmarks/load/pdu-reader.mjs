const PDU_HEADER_BYTES = 6
const PDV_HEADER_BYTES = 6
const P_DATA = 4

/** Cuts a stream into PDUs and PDVs (PS3.8 9.3). Of P-DATA nothing is copied: fragments are views of what came. */
export class PduReader {
  /** Of the P-DATA-TF that came. */
  longestPduBytes = 0
  #onPdu
  #onFragment
  #header = Buffer.alloc(PDU_HEADER_BYTES)
  #headerBytes = 0
  #read = this.#pduHeader
  #pduType = 0
  #pduBytes = 0
  #left = 0
  #contextId = 0
  #control = 0
  #kept = []

  /**
   * @param onPdu called with type and body of every PDU but P-DATA-TF
   * @param onFragment called with presentation context ID, message control header, bytes, and whether the PDV ends
   *   with them. The bytes are read into again afterwards
   */
  constructor({ onPdu, onFragment }) {
    this.#onPdu = onPdu
    this.#onFragment = onFragment
  }

  received(chunk) {
    for (let at = 0; at < chunk.length; ) at = this.#read(chunk, at)
  }

  #pduHeader(chunk, at) {
    const end = this.#fillHeader(chunk, at)
    if (this.#headerBytes < PDU_HEADER_BYTES) return end
    this.#headerBytes = 0
    this.#pduType = this.#header[0]
    this.#pduBytes = this.#header.readUInt32BE(2)
    if (this.#pduType === P_DATA) {
      this.longestPduBytes = Math.max(this.longestPduBytes, this.#pduBytes)
      this.#read = this.#pdvHeader
    } else {
      this.#left = this.#pduBytes
      this.#read = this.#body
      if (this.#left === 0) this.#bodyEnd()
    }
    return end
  }

  #pdvHeader(chunk, at) {
    const end = this.#fillHeader(chunk, at)
    if (this.#headerBytes < PDV_HEADER_BYTES) return end
    this.#headerBytes = 0
    const length = this.#header.readUInt32BE(0)
    this.#contextId = this.#header[4]
    this.#control = this.#header[5]
    this.#left = length - 2
    this.#pduBytes -= 4 + length
    this.#read = this.#pdvData
    return this.#left === 0 ? this.#pdvData(chunk, end) : end
  }

  #fillHeader(chunk, at) {
    const end = Math.min(chunk.length, at + PDU_HEADER_BYTES - this.#headerBytes)
    this.#headerBytes += chunk.copy(this.#header, this.#headerBytes, at, end)
    return end
  }

  #pdvData(chunk, at) {
    const end = Math.min(chunk.length, at + this.#left)
    this.#left -= end - at
    const isEnd = this.#left === 0
    if (isEnd) this.#read = this.#pduBytes > 0 ? this.#pdvHeader : this.#pduHeader
    this.#onFragment(this.#contextId, this.#control, chunk.subarray(at, end), isEnd)
    return end
  }

  #body(chunk, at) {
    const end = Math.min(chunk.length, at + this.#left)
    this.#kept.push(Buffer.from(chunk.subarray(at, end)))
    this.#left -= end - at
    if (this.#left === 0) this.#bodyEnd()
    return end
  }

  #bodyEnd() {
    const body = Buffer.concat(this.#kept)
    this.#kept = []
    this.#read = this.#pduHeader
    this.#onPdu(this.#pduType, body)
  }
}
