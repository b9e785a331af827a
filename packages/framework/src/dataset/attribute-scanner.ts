import { DicomtapError } from '../errors/index.ts'
import type { TransferSyntaxEncoding } from './transfer-syntaxes.ts'
import { hasLongLength, tagText, vrFromBytes } from './vr.ts'

export interface ScannerOptions {
  readonly encoding: TransferSyntaxEncoding
  /** Of the dictionary, for Implicit VR. */
  readonly vrOf: (tag: number) => string | undefined
  readonly isWanted: (tag: number) => boolean
  /** It is finished at the first element of the data set with this tag, or a higher one. */
  readonly stopBefore: number
  /** Longer elements are passed over. */
  readonly maximumValueBytes: number
  /** Of all that is picked. */
  readonly maximumPickedBytes: number
  readonly maximumElements: number
}

/** What {@link AttributeScanner.scan} wants next. */
export type ScanStep =
  | 'finished'
  /** Others should have their turn; then the same again. */
  | 'pause'
  /** `bytes` bytes from `position` on; more are welcome. */
  | { readonly position: number; readonly bytes: number }

/** An item or a sequence of undefined length. */
interface Level {
  readonly isItem: boolean
  readonly explicitVr: boolean
  readonly bigEndian: boolean
}

const MAXIMUM_DEPTH = 64
const PIECE_ELEMENTS = 1024
const UNDEFINED_LENGTH = 0xffffffff
const SHORT_HEADER_BYTES = 8
const LONG_HEADER_BYTES = 12
const ITEM_GROUP = 0xfffe
const ITEM = 0xe000
const ITEM_DELIMITATION = 0xe00d
const SEQUENCE_DELIMITATION = 0xe0dd
const PIXEL_DATA = 0x7fe00010

/**
 * Picks whole top-level elements out of an encoded data set of which it sees parts: it says what it wants to see
 * next, and jumps over the values of all others. Memory is what was picked and a frame per level; what is in a
 * sequence of defined length is left to who decodes what was picked.
 *
 * `scan` throws DICOMTAP_ERR_DS_MALFORMED and DICOMTAP_ERR_DS_TOO_LARGE; what was picked before stands.
 */
export class AttributeScanner {
  readonly #options: ScannerOptions
  readonly #root: Level
  readonly #levels: Level[] = []
  /** Encoded elements, as they stood there. */
  readonly picked: Buffer[] = []
  #detached = 0
  #pickedBytes = 0
  #elementsLeft: number
  #position = 0
  /** Where the wanted sequence began that is walked through. */
  #keptFrom: number | undefined

  constructor(options: ScannerOptions) {
    this.#options = options
    this.#elementsLeft = options.maximumElements
    this.#root = { isItem: true, explicitVr: options.encoding.explicitVr, bigEndian: options.encoding.bigEndian }
  }

  /**
   * Goes on as far as it can.
   * @param window bytes of the data set from `windowStart` on, never before that of the last call. What is picked is a
   * view of it until `detach`
   * @param isEnd the data set ends with the window
   */
  scan(window: Buffer, windowStart: number, isEnd: boolean): ScanStep {
    for (let count = 0; count < PIECE_ELEMENTS; count++) {
      const at = this.#position - windowStart
      const available = window.length - at
      if (isEnd && available === 0 && this.#levels.length === 0) return 'finished'
      const size = available < SHORT_HEADER_BYTES || at < 0 ? SHORT_HEADER_BYTES : this.#headerSize(window, at)
      if (at < 0 || available < size) {
        if (isEnd && at >= 0) throw malformed(this.#position, 'it ends within an element, or before a delimiter')
        return this.#want(size)
      }
      const step = this.#element(window, windowStart, at, size, isEnd)
      if (step !== undefined) return step
      if (--this.#elementsLeft < 0) throw new DicomtapError('DICOMTAP_ERR_DS_TOO_LARGE', 'The data set has too many elements')
    }
    return 'pause'
  }

  /** The window is about to be used for something else. */
  detach(): void {
    for (; this.#detached < this.picked.length; this.#detached++) {
      this.picked[this.#detached] = Buffer.from(this.picked[this.#detached] as Buffer)
    }
  }

  /** What is to be kept must be seen in one piece. */
  #want(bytes: number): ScanStep {
    const start = this.#keptFrom ?? this.#position
    const length = this.#position + bytes - start
    if (length <= this.#options.maximumValueBytes || this.#keptFrom === undefined) return { position: start, bytes: length }
    this.#keptFrom = undefined
    return { position: this.#position, bytes }
  }

  #level(): Level {
    return this.#levels.length === 0 ? this.#root : (this.#levels[this.#levels.length - 1] as Level)
  }

  #headerSize(window: Buffer, at: number): number {
    const { isItem, explicitVr, bigEndian } = this.#level()
    if (!isItem || !explicitVr) return SHORT_HEADER_BYTES
    if ((bigEndian ? window.readUInt16BE(at) : window.readUInt16LE(at)) === ITEM_GROUP) return SHORT_HEADER_BYTES
    const vr = vrFromBytes(window[at + 4] as number, window[at + 5] as number)
    return vr !== undefined && hasLongLength(vr) ? LONG_HEADER_BYTES : SHORT_HEADER_BYTES
  }

  /** Undefined: it is behind the element, or inside. */
  #element(window: Buffer, windowStart: number, at: number, size: number, isEnd: boolean): ScanStep | undefined {
    const level = this.#level()
    const { bigEndian, explicitVr } = level
    const group = bigEndian ? window.readUInt16BE(at) : window.readUInt16LE(at)
    const tag = group * 0x10000 + (bigEndian ? window.readUInt16BE(at + 2) : window.readUInt16LE(at + 2))
    if (group === ITEM_GROUP || !level.isItem) return this.#itemHeader(level, tag, readUint32(window, at + 4, bigEndian), window, windowStart)
    if (group === 0x0000 || group === 0x0002) throw malformed(this.#position, `${tagText(tag)} does not belong in a data set`)
    const isTop = level === this.#root
    if (isTop && tag >= this.#options.stopBefore) return 'finished'

    let vr: string | undefined
    if (explicitVr) {
      vr = vrFromBytes(window[at + 4] as number, window[at + 5] as number)
      if (vr === undefined) throw malformed(this.#position, `${tagText(tag)} has no valid VR`)
    }
    const isShort = explicitVr && size === SHORT_HEADER_BYTES
    const length = isShort ? (bigEndian ? window.readUInt16BE(at + 6) : window.readUInt16LE(at + 6)) : readUint32(window, at + size - 4, bigEndian)
    const isWanted = isTop && this.#options.isWanted(tag)
    if (length === UNDEFINED_LENGTH) {
      const actualVr = vr ?? this.#options.vrOf(tag)
      const isFragments = explicitVr && (actualVr === 'OB' || actualVr === 'OW')
      if (!isFragments && (explicitVr ? actualVr !== 'SQ' && actualVr !== 'UN' : tag === PIXEL_DATA)) {
        throw malformed(this.#position, `${tagText(tag)} has an undefined length`)
      }
      if (isWanted) this.#keptFrom = this.#position
      const isImplicit = !explicitVr || actualVr === 'UN'
      this.#enter({ isItem: false, explicitVr: !isImplicit, bigEndian: bigEndian && !isImplicit }, tag)
      this.#position += size
      return
    }
    if (isEnd && length > window.length - at - size) throw malformed(this.#position, `${tagText(tag)} claims more bytes than there are`)
    if (!isWanted || length > this.#options.maximumValueBytes) {
      this.#position += size + length
      return
    }
    if (length > window.length - at - size) return { position: this.#position, bytes: size + length }
    this.#position += size + length
    this.#pick(window.subarray(at, at + size + length))
  }

  #itemHeader(level: Level, tag: number, length: number, window: Buffer, windowStart: number): undefined {
    if (tag === ITEM_GROUP * 0x10000 + ITEM && !level.isItem) {
      this.#position += SHORT_HEADER_BYTES
      if (length === UNDEFINED_LENGTH) this.#enter({ ...level, isItem: true }, tag)
      else this.#position += length
    } else if (this.#levels.length > 0 && tag === ITEM_GROUP * 0x10000 + (level.isItem ? ITEM_DELIMITATION : SEQUENCE_DELIMITATION)) {
      this.#position += SHORT_HEADER_BYTES
      this.#levels.pop()
      if (this.#levels.length > 0 || this.#keptFrom === undefined) return
      const start = this.#keptFrom - windowStart
      this.#keptFrom = undefined
      const end = this.#position - windowStart
      if (start >= 0 && end - start <= this.#options.maximumValueBytes) this.#pick(window.subarray(start, end))
    } else {
      throw malformed(this.#position, `${tagText(tag)} stands in ${level.isItem ? 'a data set' : 'a sequence'}`)
    }
  }

  #enter(level: Level, tag: number): void {
    if (this.#levels.length >= MAXIMUM_DEPTH * 2) {
      throw new DicomtapError('DICOMTAP_ERR_DS_TOO_LARGE', `${tagText(tag)} is nested deeper than ${MAXIMUM_DEPTH} sequences`)
    }
    this.#levels.push(level)
  }

  #pick(element: Buffer): void {
    this.#pickedBytes += element.length
    if (this.#pickedBytes > this.#options.maximumPickedBytes) {
      throw new DicomtapError('DICOMTAP_ERR_DS_TOO_LARGE', `The attributes take more than ${this.#options.maximumPickedBytes} bytes`)
    }
    this.picked.push(element)
  }
}

function readUint32(source: Buffer, at: number, bigEndian: boolean): number {
  return bigEndian ? source.readUInt32BE(at) : source.readUInt32LE(at)
}

function malformed(at: number, what: string): DicomtapError {
  return new DicomtapError('DICOMTAP_ERR_DS_MALFORMED', `Malformed data set at byte ${at}: ${what}`)
}
