import { DicomtapError } from '../errors/index.ts'
import { ChunkedOutput } from './convert-output.ts'
import { UndecidedVrs } from './convert-undecided.ts'
import type { Dictionary } from './dictionary.ts'
import { VRS, hasLongLength, tagText, vrFromBytes } from './vr.ts'

const MAXIMUM_DEPTH = 64
const SHORT_HEADER_BYTES = 8
const LONG_HEADER_BYTES = 12
const UNDEFINED_LENGTH = 0xffffffff
/** The largest even number of a 16-bit length (PS3.5 7.1.2). */
const LARGEST_SHORT_LENGTH = 0xfffe

const ITEM_GROUP = 0xfffe
const ITEM = 0xe000
const ITEM_DELIMITATION = 0xe00d
const SEQUENCE_DELIMITATION = 0xe0dd
const BITS_ALLOCATED = 0x00280100
const PIXEL_REPRESENTATION = 0x00280103
const WAVEFORM_BITS_ALLOCATED = 0x54001004
const WAVEFORM_PADDING_VALUE = 0x5400100a
const WAVEFORM_DATA = 0x54001010
const PIXEL_DATA = 0x7fe00010

/** Of VR US; others depend on them. */
const DECIDING: ReadonlySet<number> = new Set([BITS_ALLOCATED, PIXEL_REPRESENTATION, WAVEFORM_BITS_ALLOCATED])
/** OB when their samples are at most 8 bits wide, else OW. Of other `ox` nothing tells: they are OW. */
const SAMPLES: ReadonlySet<number> = new Set([WAVEFORM_PADDING_VALUE, WAVEFORM_DATA, PIXEL_DATA])

/** The data set, a sequence, or an item of one. */
interface Frame {
  readonly isItem: boolean
  /** Where in the input it ends at the latest: its own end, or that of what it is in. */
  readonly end: number
  readonly hasLength: boolean
  /** Of the input; within UN it is implicit whatever is around it (PS3.5 6.2.2). */
  readonly explicitVr: boolean
  /** Values met so far that decide the VR of others. */
  pixelRepresentation: number | undefined
  /** Of pixels or of a waveform: no item has both. */
  bitsAllocated: number | undefined
}

/**
 * Rewrites a little endian data set between Implicit and Explicit VR while it streams by (PS3.5 7.1). Memory
 * is a frame per level and one chunk of output, whatever the length of values and the number of elements.
 *
 * Sequences and items get undefined lengths, as their new ones are not known when they begin; empty ones
 * length 0. Group lengths (gggg,0000), retired and no longer true, are left out (PS3.5 7.2). Values are not
 * touched.
 */
export class ElementConverter {
  readonly #toExplicit: boolean
  readonly #dictionary: Dictionary
  readonly #out: ChunkedOutput = new ChunkedOutput()
  readonly #undecided: UndecidedVrs = new UndecidedVrs()
  readonly #outer: Frame[] = []
  #frame: Frame
  #position = 0
  readonly #header: Buffer = Buffer.alloc(LONG_HEADER_BYTES)
  #headerBytes = 0
  #valueLeft = 0
  #isDropped = false
  /** Of the value that is passing, when it is a number that decides VRs. */
  #numberTag = 0
  #numberBytes = 0
  #number = 0

  constructor(fromExplicit: boolean, toExplicit: boolean, dictionary: Dictionary) {
    this.#toExplicit = toExplicit
    this.#dictionary = dictionary
    this.#frame = newFrame(true, Number.POSITIVE_INFINITY, true, fromExplicit)
  }

  /** Takes the next bytes of the data set and gives what is complete. Views of `piece` are among it. */
  push(piece: Uint8Array): Uint8Array[] {
    const source = Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength)
    for (let at = 0; at < source.length; ) {
      at += this.#valueLeft > 0 ? this.#takeValue(source, at) : this.#takeHeader(source, at)
      if (this.#valueLeft === 0 && this.#headerBytes === 0) this.#leaveEnded()
    }
    return this.#undecided.mayRelease(this.#out.readyBytes) ? this.#out.take() : []
  }

  /** The data set is over; gives the rest. */
  end(): Uint8Array[] {
    if (this.#headerBytes > 0) throw this.#malformed('it ends within the header of an element')
    if (this.#valueLeft > 0) throw this.#malformed('it ends within a value')
    if (this.#outer.length > 0) throw this.#malformed(`it ends within ${this.#frame.isItem ? 'an item' : 'a sequence'}`)
    return this.#out.finish()
  }

  #takeValue(source: Buffer, at: number): number {
    const taken = Math.min(this.#valueLeft, source.length - at)
    const value = source.subarray(at, at + taken)
    if (!this.#isDropped) this.#out.bytes(value)
    this.#valueLeft -= taken
    this.#position += taken
    if (this.#numberTag !== 0) this.#takeNumber(value)
    return taken
  }

  /** The first two bytes of a value of VR US. */
  #takeNumber(value: Buffer): void {
    for (let at = 0; at < value.length && this.#numberBytes < 2; at++) {
      this.#number += (value[at] as number) << (8 * this.#numberBytes++)
    }
    if (this.#numberBytes < 2) return
    if (this.#numberTag === PIXEL_REPRESENTATION) {
      this.#frame.pixelRepresentation = this.#number
      this.#undecided.decide(this.#frame, this.#number)
    } else {
      this.#frame.bitsAllocated = this.#number
    }
    this.#numberTag = 0
  }

  #takeHeader(source: Buffer, at: number): number {
    if (this.#headerBytes === 0 && source.length - at >= LONG_HEADER_BYTES) {
      const size = this.#headerSize(source, at)
      this.#readHeader(source, at, size)
      return size
    }
    let taken = 0
    for (;;) {
      const size = this.#headerBytes < SHORT_HEADER_BYTES ? SHORT_HEADER_BYTES : this.#headerSize(this.#header, 0)
      if (this.#headerBytes === size) break
      if (at + taken === source.length) return taken
      this.#header[this.#headerBytes++] = source[at + taken++] as number
    }
    const size = this.#headerBytes
    this.#headerBytes = 0
    this.#readHeader(this.#header, 0, size)
    return taken
  }

  /** Of the header at `at`, of which eight bytes are there. */
  #headerSize(source: Buffer, at: number): number {
    if (!this.#frame.isItem || !this.#frame.explicitVr || source.readUInt16LE(at) === ITEM_GROUP) return SHORT_HEADER_BYTES
    const vr = vrFromBytes(source[at + 4] as number, source[at + 5] as number)
    return vr !== undefined && hasLongLength(vr) ? LONG_HEADER_BYTES : SHORT_HEADER_BYTES
  }

  #readHeader(source: Buffer, at: number, size: number): void {
    const frame = this.#frame
    if (frame.end - this.#position < size) throw this.#malformed('an element is longer than what it is in')
    const group = source.readUInt16LE(at)
    const tag = group * 0x10000 + source.readUInt16LE(at + 2)
    this.#position += size
    if (group === ITEM_GROUP || !frame.isItem) return this.#readItemHeader(tag, source.readUInt32LE(at + 4))
    if (group === 0x0000 || group === 0x0002) throw this.#malformed(`${tagText(tag)} does not belong in a data set`)
    if (tag > PIXEL_REPRESENTATION && this.#outer.length === 0) this.#undecided.giveUp()

    let vr: string | undefined
    let length: number
    if (frame.explicitVr) {
      vr = vrFromBytes(source[at + 4] as number, source[at + 5] as number)
      if (vr === undefined) throw this.#malformed(`${tagText(tag)} has no valid VR`)
      length = size === LONG_HEADER_BYTES ? source.readUInt32LE(at + 8) : source.readUInt16LE(at + 6)
    } else {
      vr = this.#dictionary.vrOf(tag)
      length = source.readUInt32LE(at + 4)
    }
    if (length === UNDEFINED_LENGTH) return this.#startUndefined(tag, vr)
    this.#checkLength(tag, length)
    // Implicit VR stays as it is within UN: then a value need not be understood.
    if (vr === 'SQ' && length > 0 && (frame.explicitVr || this.#toExplicit)) {
      this.#writeHeader(tag, 'SQ', UNDEFINED_LENGTH)
      this.#enter(tag, newFrame(false, this.#position + length, true, frame.explicitVr))
    } else {
      this.#startValue(tag, vr, length)
    }
  }

  /** Sequences only: encapsulated Pixel Data has no place in these transfer syntaxes (PS3.5 A.1, A.2). */
  #startUndefined(tag: number, vr: string | undefined): void {
    const frame = this.#frame
    const isSequence = frame.explicitVr ? vr === 'SQ' || vr === 'UN' : tag !== PIXEL_DATA
    if (!isSequence || isGroupLength(tag)) throw this.#malformed(`${tagText(tag)} has an undefined length`)
    this.#writeHeader(tag, 'SQ', UNDEFINED_LENGTH)
    this.#enter(tag, newFrame(false, frame.end, false, frame.explicitVr && vr === 'SQ'))
  }

  #startValue(tag: number, vr: string | undefined, length: number): void {
    this.#isDropped = isGroupLength(tag)
    this.#valueLeft = length
    if (this.#isDropped) return
    if (this.#toExplicit) this.#writeHeader(tag, this.#explicitVrOf(tag, vr, length), length)
    else this.#writeHeader(tag, 'UN', length)
    this.#numberTag = this.#toExplicit && length >= 2 && DECIDING.has(tag) ? tag : 0
    this.#numberBytes = 0
    this.#number = 0
  }

  /** PS3.5 6.2.2 for what is unknown or too long, A.2 for what depends on other attributes. */
  #explicitVrOf(tag: number, vr: string | undefined, length: number): string {
    let actual = vr ?? 'UN'
    if (actual === 'ox') actual = SAMPLES.has(tag) && (this.#frame.bitsAllocated ?? 16) <= 8 ? 'OB' : 'OW'
    else if (actual === 'lt') actual = 'OW'
    else if (actual === 'xs') actual = this.#pixelRepresentation() === 1 ? 'SS' : 'US'
    if (VRS[actual] === undefined) return 'UN'
    return !hasLongLength(actual) && length > LARGEST_SHORT_LENGTH ? 'UN' : actual
  }

  /** That of the item or, where it has none, of what is around it. */
  #pixelRepresentation(): number | undefined {
    if (this.#frame.pixelRepresentation !== undefined) return this.#frame.pixelRepresentation
    return this.#outer.findLast((frame) => frame.pixelRepresentation !== undefined)?.pixelRepresentation
  }

  #readItemHeader(tag: number, length: number): void {
    const frame = this.#frame
    const element = tag & 0xffff
    const isItemTag = tag >>> 16 === ITEM_GROUP
    if (isItemTag && element === ITEM && !frame.isItem) {
      const hasLength = length !== UNDEFINED_LENGTH
      if (hasLength) this.#checkLength(tag, length)
      this.#writeItem(ITEM, length === 0 ? 0 : UNDEFINED_LENGTH)
      if (length > 0) this.#enter(tag, newFrame(true, hasLength ? this.#position + length : frame.end, hasLength, frame.explicitVr))
    } else if (isItemTag && !frame.hasLength && element === (frame.isItem ? ITEM_DELIMITATION : SEQUENCE_DELIMITATION)) {
      this.#leave()
    } else {
      throw this.#malformed(`${tagText(tag)} stands in ${frame.isItem ? 'a data set' : 'a sequence'}`)
    }
  }

  #enter(tag: number, frame: Frame): void {
    if (!frame.isItem && this.#outer.length >= MAXIMUM_DEPTH * 2) {
      const what = `${tagText(tag)} is nested deeper than ${MAXIMUM_DEPTH} sequences`
      throw new DicomtapError('DICOMTAP_ERR_DS_TOO_LARGE', what)
    }
    this.#outer.push(this.#frame)
    this.#frame = frame
  }

  #leave(): void {
    const ended = this.#frame
    this.#writeItem(ended.isItem ? ITEM_DELIMITATION : SEQUENCE_DELIMITATION, 0)
    this.#frame = this.#outer.pop() as Frame
    this.#undecided.ended(ended, this.#frame)
  }

  #leaveEnded(): void {
    while (this.#position === this.#frame.end) {
      if (!this.#frame.hasLength) throw this.#malformed('a delimitation item is missing')
      this.#leave()
    }
  }

  #writeHeader(tag: number, vr: string, length: number): void {
    const isLong = this.#toExplicit && hasLongLength(vr)
    const { chunk, at } = this.#out.reserve(isLong ? LONG_HEADER_BYTES : SHORT_HEADER_BYTES)
    chunk.writeUInt16LE(tag >>> 16, at)
    chunk.writeUInt16LE(tag & 0xffff, at + 2)
    if (!this.#toExplicit) {
      chunk.writeUInt32LE(length, at + 4)
      return
    }
    chunk.write(vr, at + 4, 'latin1')
    if (isLong) {
      chunk.writeUInt16LE(0, at + 6)
      chunk.writeUInt32LE(length, at + 8)
    } else {
      chunk.writeUInt16LE(length, at + 6)
    }
    const isUndecided = vr === 'US' && this.#dictionary.vrOf(tag) === 'xs' && this.#pixelRepresentation() === undefined
    if (isUndecided) this.#undecided.add(this.#frame, chunk, at + 4)
  }

  #writeItem(element: number, length: number): void {
    const { chunk, at } = this.#out.reserve(SHORT_HEADER_BYTES)
    chunk.writeUInt16LE(ITEM_GROUP, at)
    chunk.writeUInt16LE(element, at + 2)
    chunk.writeUInt32LE(length, at + 4)
  }

  #checkLength(tag: number, length: number): void {
    if (length > this.#frame.end - this.#position) throw this.#malformed(`${tagText(tag)} is longer than what it is in`)
  }

  #malformed(what: string): DicomtapError {
    return new DicomtapError('DICOMTAP_ERR_DS_MALFORMED', `Malformed data set at byte ${this.#position}: ${what}`)
  }
}

function newFrame(isItem: boolean, end: number, hasLength: boolean, explicitVr: boolean): Frame {
  return { isItem, end, hasLength, explicitVr, pixelRepresentation: undefined, bitsAllocated: undefined }
}

function isGroupLength(tag: number): boolean {
  return (tag & 0xffff) === 0
}
