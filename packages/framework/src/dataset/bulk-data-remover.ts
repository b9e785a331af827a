import { ChunkedOutput } from './convert-output.ts'
import { ElementWalker, SHORT_HEADER_BYTES, UNDEFINED_LENGTH, isGroupLength } from './element-walker.ts'
import type { ElementVisitor } from './element-walker.ts'

const ITEM_DELIMITATION = 0xfffee00d
const SEQUENCE_DELIMITATION = 0xfffee0dd
const LENGTH_TO_END = 0x00080001
const WAVEFORM_SEQUENCE = 0x54000100
const WAVEFORM_DATA = 0x54001010

/** PS3.4 table Z.1-1, but for the repeating groups. */
const BULK_DATA: ReadonlySet<number> = new Set([
  0x00287fe0, // Pixel Data Provider URL
  0x00420011, // Encapsulated Document
  0x56000020, // Spectroscopy Data
  0x7fe00008, // Float Pixel Data
  0x7fe00009, // Double Float Pixel Data
  0x7fe00010, // Pixel Data
])
const OVERLAYS = 0x60
const CURVES = 0x50
const AUDIO_SAMPLE_DATA = 0x200c
/** Of an overlay or a curve. */
const DATA = 0x3000

const GROUPS_WITH_BULK_DATA: ReadonlySet<number> = new Set([...BULK_DATA, WAVEFORM_SEQUENCE].map((tag) => tag >>> 16))

/** Depths of the walker: in the data set, and in a top-level sequence and its items. */
const TOP = 0
const ITEMS = 1
const IN_ITEM = 2

/** Takes bulk data out of a little endian data set that streams by; see `withoutBulkData`. */
export class BulkDataRemover implements ElementVisitor {
  readonly #walker: ElementWalker
  readonly #out: ChunkedOutput = new ChunkedOutput()
  /** Is the top-level sequence that passes, or passed last, Waveform Sequence? */
  #isWaveforms = false
  /** How deep what is left out stands; undefined when nothing is. */
  #leftOutDepth: number | undefined
  #isValueLeftOut = false

  constructor(explicitVr: boolean) {
    const vrOf = (tag: number): string | undefined => (tag === WAVEFORM_SEQUENCE ? 'SQ' : undefined)
    this.#walker = new ElementWalker({ explicitVr, encapsulated: true, vrOf }, this)
  }

  /** Takes the next bytes of the data set and gives what is complete. Views of `piece` are among it. */
  push(piece: Uint8Array): Uint8Array[] {
    this.#walker.push(Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength))
    return this.#out.take()
  }

  /** The data set is over; gives the rest. */
  end(): Uint8Array[] {
    this.#walker.end()
    return this.#out.finish()
  }

  // ElementVisitor

  /** Also when its writer did not know it, and called it UN (PS3.5 6.2.2). */
  walks(tag: number): boolean {
    return tag === WAVEFORM_SEQUENCE && this.#walker.depth === TOP
  }

  value(tag: number): void {
    this.#isValueLeftOut = this.#isLeftOut(tag)
    if (!this.#isValueLeftOut) this.#copyHeader()
  }

  bytes(piece: Buffer): void {
    if (!this.#isValueLeftOut) this.#out.bytes(piece)
  }

  sequenceStart(tag: number, length: number): void {
    if (this.#isLeftOut(tag)) {
      this.#leftOutDepth ??= this.#walker.depth
      return
    }
    if (this.#walker.depth === TOP) this.#isWaveforms = tag === WAVEFORM_SEQUENCE
    this.#startWith(length)
  }

  itemStart(length: number): void {
    if (this.#leftOutDepth === undefined) this.#startWith(length)
  }

  itemEnd(isDelimited: boolean): void {
    if (this.#leftOutDepth === undefined) this.#endWith(isDelimited, ITEM_DELIMITATION)
  }

  sequenceEnd(isDelimited: boolean): void {
    if (this.#leftOutDepth === undefined) this.#endWith(isDelimited, SEQUENCE_DELIMITATION)
    else if (this.#leftOutDepth === this.#walker.depth) this.#leftOutDepth = undefined
  }

  fragmentsStart(tag: number): void {
    this.sequenceStart(tag, UNDEFINED_LENGTH)
  }

  fragment(): void {
    this.#isValueLeftOut = this.#leftOutDepth !== undefined
    if (!this.#isValueLeftOut) this.#copyHeader()
  }

  #isLeftOut(tag: number): boolean {
    if (this.#leftOutDepth !== undefined) return true
    const { depth } = this.#walker
    if (depth === TOP) return tag === LENGTH_TO_END || isBulkData(tag) || (isGroupLength(tag) && hasBulkData(tag >>> 16))
    if (depth !== IN_ITEM || !this.#isWaveforms) return false
    return tag === WAVEFORM_DATA || (isGroupLength(tag) && tag >>> 16 === WAVEFORM_DATA >>> 16)
  }

  /** Waveform Sequence and its items become shorter, by how much is not known when they begin. */
  get #hasNewLength(): boolean {
    return this.#isWaveforms && this.#walker.depth <= ITEMS
  }

  #startWith(length: number): void {
    const { chunk, at } = this.#copyHeader()
    if (!this.#hasNewLength || length === 0 || length === UNDEFINED_LENGTH) return
    chunk.writeUInt32LE(UNDEFINED_LENGTH, at + this.#walker.header.length - 4)
  }

  #endWith(isDelimited: boolean, delimitation: number): void {
    if (isDelimited) {
      this.#copyHeader()
    } else if (this.#hasNewLength) {
      const { chunk, at } = this.#out.reserve(SHORT_HEADER_BYTES)
      chunk.writeUInt16LE(delimitation >>> 16, at)
      chunk.writeUInt16LE(delimitation & 0xffff, at + 2)
      chunk.writeUInt32LE(0, at + 4)
    }
  }

  #copyHeader(): { readonly chunk: Buffer; readonly at: number } {
    const { header } = this.#walker
    const place = this.#out.reserve(header.length)
    header.copy(place.chunk, place.at)
    return place
  }
}

function isBulkData(tag: number): boolean {
  if (BULK_DATA.has(tag)) return true
  const element = tag & 0xffff
  if (isRepeating(tag >>> 16, OVERLAYS)) return element === DATA
  return isRepeating(tag >>> 16, CURVES) && (element === DATA || element === AUDIO_SAMPLE_DATA)
}

function hasBulkData(group: number): boolean {
  return GROUPS_WITH_BULK_DATA.has(group) || isRepeating(group, OVERLAYS) || isRepeating(group, CURVES)
}

/** Odd groups are private (PS3.5 7.6, 7.8). */
function isRepeating(group: number, family: number): boolean {
  return group >>> 8 === family && (group & 1) === 0
}
