import { DicomtapError } from '../errors/index.ts'
import { hasLongLength, tagText, vrFromBytes } from './vr.ts'

const MAXIMUM_DEPTH = 64
export const SHORT_HEADER_BYTES = 8
export const LONG_HEADER_BYTES = 12
export const UNDEFINED_LENGTH = 0xffffffff

const ITEM_GROUP = 0xfffe
const ITEM = 0xe000
const ITEM_DELIMITATION = 0xe00d
const SEQUENCE_DELIMITATION = 0xe0dd
const PIXEL_DATA = 0x7fe00010

/**
 * What an {@link ElementWalker} meets, in the order of the bytes. `vr` is that of the bytes or, where these have
 * none, of the dictionary; undefined when nobody knows.
 */
export interface ElementVisitor {
  /** Is a sequence of defined length to be walked? Else its items are a value like any other. */
  walks(tag: number, vr: string, explicitVr: boolean): boolean
  /** An element; the `length` bytes of its value follow through `bytes`. */
  value(tag: number, vr: string | undefined, length: number): void
  /** Bytes of the value that began last, or of a fragment: a view, however many came. */
  bytes(piece: Buffer): void
  /** Its items follow. `length` as it stands there, 0xFFFFFFFF when undefined. */
  sequenceStart(tag: number, length: number): void
  /** An empty one, of length 0, has no end. */
  itemStart(length: number): void
  /** @param isDelimited false: it ended where its length says */
  itemEnd(isDelimited: boolean): void
  sequenceEnd(isDelimited: boolean): void
  /** Encapsulated Pixel Data, ended as a sequence is; its fragments follow (PS3.5 A.4). */
  fragmentsStart(tag: number): void
  /** The bytes follow through `bytes`. */
  fragment(length: number): void
}

export interface WalkerOptions {
  readonly explicitVr: boolean
  /** May Pixel Data be encapsulated? */
  readonly encapsulated: boolean
  /** VRs of Implicit VR. */
  readonly vrOf: (tag: number) => string | undefined
}

/** The data set, a sequence, an item of one, or encapsulated Pixel Data. */
interface Frame {
  readonly kind: 'item' | 'sequence' | 'fragments'
  /** Where in the input it ends at the latest: its own end, or that of what it is in. */
  readonly end: number
  readonly hasLength: boolean
  /** Within UN it is implicit whatever is around it (PS3.5 6.2.2). */
  readonly explicitVr: boolean
}

/**
 * Walks a little endian data set (PS3.5 7) while it streams by, cut however it may be, and checks every length
 * against what it is in. Memory is a frame per level, whatever the length of values and the number of elements.
 *
 * Its methods throw DICOMTAP_ERR_DS_MALFORMED, and DICOMTAP_ERR_DS_TOO_LARGE for sequences nested deeper than 64.
 */
export class ElementWalker {
  readonly #options: WalkerOptions
  readonly #visitor: ElementVisitor
  readonly #outer: Frame[] = []
  #frame: Frame
  #position = 0
  readonly #kept: Buffer = Buffer.alloc(LONG_HEADER_BYTES)
  #keptBytes = 0
  #valueLeft = 0
  #source: Buffer = this.#kept
  #at = 0
  #size = 0

  constructor(options: WalkerOptions, visitor: ElementVisitor) {
    this.#options = options
    this.#visitor = visitor
    this.#frame = { kind: 'item', end: Number.POSITIVE_INFINITY, hasLength: true, explicitVr: options.explicitVr }
  }

  /** The bytes of the header that the visitor is told of: for the time of the call. */
  get header(): Buffer {
    return this.#source.subarray(this.#at, this.#at + this.#size)
  }

  /** Frames around what is met now; 0 in the data set itself. */
  get depth(): number {
    return this.#outer.length
  }

  /** Takes the next bytes of the data set. */
  push(source: Buffer): void {
    for (let at = 0; at < source.length; ) {
      at += this.#valueLeft > 0 ? this.#takeValue(source, at) : this.#takeHeader(source, at)
      if (this.#valueLeft === 0 && this.#keptBytes === 0) this.#leaveEnded()
    }
  }

  /** The data set is over. */
  end(): void {
    if (this.#keptBytes > 0) throw this.#malformed('it ends within the header of an element')
    if (this.#valueLeft > 0) throw this.#malformed('it ends within a value')
    if (this.#outer.length > 0) throw this.#malformed(`it ends within ${this.#frame.kind === 'item' ? 'an item' : 'a sequence'}`)
  }

  #takeValue(source: Buffer, at: number): number {
    const taken = Math.min(this.#valueLeft, source.length - at)
    this.#valueLeft -= taken
    this.#position += taken
    this.#visitor.bytes(source.subarray(at, at + taken))
    return taken
  }

  #takeHeader(source: Buffer, at: number): number {
    if (this.#keptBytes === 0 && source.length - at >= LONG_HEADER_BYTES) {
      const size = this.#headerSize(source, at)
      this.#readHeader(source, at, size)
      return size
    }
    let taken = 0
    for (;;) {
      const size = this.#keptBytes < SHORT_HEADER_BYTES ? SHORT_HEADER_BYTES : this.#headerSize(this.#kept, 0)
      if (this.#keptBytes === size) break
      if (at + taken === source.length) return taken
      this.#kept[this.#keptBytes++] = source[at + taken++] as number
    }
    const size = this.#keptBytes
    this.#keptBytes = 0
    this.#readHeader(this.#kept, 0, size)
    return taken
  }

  /** Of the header at `at`, of which eight bytes are there. */
  #headerSize(source: Buffer, at: number): number {
    const { kind, explicitVr } = this.#frame
    if (kind !== 'item' || !explicitVr || source.readUInt16LE(at) === ITEM_GROUP) return SHORT_HEADER_BYTES
    const vr = vrFromBytes(source[at + 4] as number, source[at + 5] as number)
    return vr !== undefined && hasLongLength(vr) ? LONG_HEADER_BYTES : SHORT_HEADER_BYTES
  }

  #readHeader(source: Buffer, at: number, size: number): void {
    const frame = this.#frame
    if (frame.end - this.#position < size) throw this.#malformed('an element is longer than what it is in')
    const group = source.readUInt16LE(at)
    const tag = group * 0x10000 + source.readUInt16LE(at + 2)
    this.#position += size
    this.#source = source
    this.#at = at
    this.#size = size
    if (group === ITEM_GROUP || frame.kind !== 'item') return this.#readItemHeader(tag, source.readUInt32LE(at + 4))
    if (group === 0x0000 || group === 0x0002) throw this.#malformed(`${tagText(tag)} does not belong in a data set`)

    let vr: string | undefined
    let length: number
    if (frame.explicitVr) {
      vr = vrFromBytes(source[at + 4] as number, source[at + 5] as number)
      if (vr === undefined) throw this.#malformed(`${tagText(tag)} has no valid VR`)
      length = size === LONG_HEADER_BYTES ? source.readUInt32LE(at + 8) : source.readUInt16LE(at + 6)
    } else {
      vr = this.#options.vrOf(tag)
      length = source.readUInt32LE(at + 4)
    }
    if (length === UNDEFINED_LENGTH) return this.#startUndefined(tag, vr)
    this.#checkLength(tag, length)
    if (length > 0 && (vr === 'SQ' || vr === 'UN') && this.#visitor.walks(tag, vr, frame.explicitVr)) {
      this.#visitor.sequenceStart(tag, length)
      this.#enter(tag, 'sequence', length, frame.explicitVr && vr === 'SQ')
    } else {
      this.#valueLeft = length
      this.#visitor.value(tag, vr, length)
    }
  }

  /** Encapsulated Pixel Data has no place in native transfer syntaxes (PS3.5 A.1, A.2). */
  #startUndefined(tag: number, vr: string | undefined): void {
    const { explicitVr } = this.#frame
    if (this.#options.encapsulated && explicitVr && (vr === 'OB' || vr === 'OW')) {
      this.#visitor.fragmentsStart(tag)
      return this.#enter(tag, 'fragments', UNDEFINED_LENGTH, explicitVr)
    }
    const isSequence = explicitVr ? vr === 'SQ' || vr === 'UN' : tag !== PIXEL_DATA
    if (!isSequence || isGroupLength(tag)) throw this.#malformed(`${tagText(tag)} has an undefined length`)
    this.#visitor.sequenceStart(tag, UNDEFINED_LENGTH)
    this.#enter(tag, 'sequence', UNDEFINED_LENGTH, explicitVr && vr === 'SQ')
  }

  #readItemHeader(tag: number, length: number): void {
    const frame = this.#frame
    const element = tag & 0xffff
    const isItemTag = tag >>> 16 === ITEM_GROUP
    if (isItemTag && element === ITEM && frame.kind === 'fragments') {
      this.#checkLength(tag, length)
      this.#valueLeft = length
      this.#visitor.fragment(length)
    } else if (isItemTag && element === ITEM && frame.kind === 'sequence') {
      if (length !== UNDEFINED_LENGTH) this.#checkLength(tag, length)
      this.#visitor.itemStart(length)
      if (length > 0) this.#enter(tag, 'item', length, frame.explicitVr)
    } else if (isItemTag && !frame.hasLength && element === (frame.kind === 'item' ? ITEM_DELIMITATION : SEQUENCE_DELIMITATION)) {
      this.#leave(true)
    } else {
      throw this.#malformed(`${tagText(tag)} stands in ${frame.kind === 'item' ? 'a data set' : 'a sequence'}`)
    }
  }

  #enter(tag: number, kind: Frame['kind'], length: number, explicitVr: boolean): void {
    if (kind !== 'item' && this.#outer.length >= MAXIMUM_DEPTH * 2) {
      const what = `${tagText(tag)} is nested deeper than ${MAXIMUM_DEPTH} sequences`
      throw new DicomtapError('DICOMTAP_ERR_DS_TOO_LARGE', what)
    }
    const hasLength = length !== UNDEFINED_LENGTH
    this.#outer.push(this.#frame)
    this.#frame = { kind, end: hasLength ? this.#position + length : this.#frame.end, hasLength, explicitVr }
  }

  #leave(isDelimited: boolean): void {
    const { kind } = this.#frame
    this.#frame = this.#outer.pop() as Frame
    if (kind === 'item') this.#visitor.itemEnd(isDelimited)
    else this.#visitor.sequenceEnd(isDelimited)
  }

  #leaveEnded(): void {
    while (this.#position === this.#frame.end) {
      if (!this.#frame.hasLength) throw this.#malformed('a delimitation item is missing')
      this.#leave(false)
    }
  }

  #checkLength(tag: number, length: number): void {
    if (length > this.#frame.end - this.#position) throw this.#malformed(`${tagText(tag)} is longer than what it is in`)
    if (length === UNDEFINED_LENGTH) throw this.#malformed(`${tagText(tag)} has an undefined length`)
  }

  #malformed(what: string): DicomtapError {
    return new DicomtapError('DICOMTAP_ERR_DS_MALFORMED', `Malformed data set at byte ${this.#position}: ${what}`)
  }
}

/** Of a group (gggg,0000); retired, and no longer true when something of the group changes (PS3.5 7.2). */
export function isGroupLength(tag: number): boolean {
  return (tag & 0xffff) === 0
}
