import { ChunkedOutput } from './convert-output.ts'
import { UndecidedVrs } from './convert-undecided.ts'
import type { Dictionary } from './dictionary.ts'
import { ElementWalker, LONG_HEADER_BYTES, SHORT_HEADER_BYTES, UNDEFINED_LENGTH, isGroupLength } from './element-walker.ts'
import type { ElementVisitor } from './element-walker.ts'
import { VRS, hasLongLength } from './vr.ts'

/** The largest even number of a 16-bit length (PS3.5 7.1.2). */
const LARGEST_SHORT_LENGTH = 0xfffe

const ITEM = 0xfffee000
const ITEM_DELIMITATION = 0xfffee00d
const SEQUENCE_DELIMITATION = 0xfffee0dd
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

/** The data set or an item: values met so far that decide the VR of others. */
interface Scope {
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
export class ElementConverter implements ElementVisitor {
  readonly #toExplicit: boolean
  readonly #dictionary: Dictionary
  readonly #walker: ElementWalker
  readonly #out: ChunkedOutput = new ChunkedOutput()
  readonly #undecided: UndecidedVrs = new UndecidedVrs()
  readonly #outer: Scope[] = []
  #scope: Scope = newScope()
  #isDropped = false
  /** Of the value that is passing, when it is a number that decides VRs. */
  #numberTag = 0
  #numberBytes = 0
  #number = 0

  constructor(fromExplicit: boolean, toExplicit: boolean, dictionary: Dictionary) {
    this.#toExplicit = toExplicit
    this.#dictionary = dictionary
    this.#walker = new ElementWalker({ explicitVr: fromExplicit, encapsulated: false, vrOf: (tag) => dictionary.vrOf(tag) }, this)
  }

  /** Takes the next bytes of the data set and gives what is complete. Views of `piece` are among it. */
  push(piece: Uint8Array): Uint8Array[] {
    this.#walker.push(Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength))
    return this.#undecided.mayRelease(this.#out.readyBytes) ? this.#out.take() : []
  }

  /** The data set is over; gives the rest. */
  end(): Uint8Array[] {
    this.#walker.end()
    return this.#out.finish()
  }

  // ElementVisitor

  /** Implicit VR stays as it is within UN: then a value need not be understood. */
  walks(_tag: number, vr: string, explicitVr: boolean): boolean {
    return vr === 'SQ' && (explicitVr || this.#toExplicit)
  }

  value(tag: number, vr: string | undefined, length: number): void {
    this.#passed(tag)
    this.#isDropped = isGroupLength(tag)
    if (this.#isDropped) return
    if (this.#toExplicit) this.#writeHeader(tag, this.#explicitVrOf(tag, vr, length), length)
    else this.#writeHeader(tag, 'UN', length)
    this.#numberTag = this.#toExplicit && length >= 2 && DECIDING.has(tag) ? tag : 0
    this.#numberBytes = 0
    this.#number = 0
  }

  bytes(piece: Buffer): void {
    if (!this.#isDropped) this.#out.bytes(piece)
    if (this.#numberTag !== 0) this.#takeNumber(piece)
  }

  sequenceStart(tag: number): void {
    this.#passed(tag)
    this.#writeHeader(tag, 'SQ', UNDEFINED_LENGTH)
  }

  itemStart(length: number): void {
    this.#writeItem(ITEM, length === 0 ? 0 : UNDEFINED_LENGTH)
    if (length === 0) return
    this.#outer.push(this.#scope)
    this.#scope = newScope()
  }

  itemEnd(): void {
    this.#writeItem(ITEM_DELIMITATION, 0)
    const ended = this.#scope
    this.#scope = this.#outer.pop() as Scope
    this.#undecided.ended(ended, this.#scope)
  }

  sequenceEnd(): void {
    this.#writeItem(SEQUENCE_DELIMITATION, 0)
  }

  fragmentsStart(): void {}
  fragment(): void {}

  #passed(tag: number): void {
    if (tag > PIXEL_REPRESENTATION && this.#walker.depth === 0) this.#undecided.giveUp()
  }

  /** The first two bytes of a value of VR US. */
  #takeNumber(value: Buffer): void {
    for (let at = 0; at < value.length && this.#numberBytes < 2; at++) {
      this.#number += (value[at] as number) << (8 * this.#numberBytes++)
    }
    if (this.#numberBytes < 2) return
    if (this.#numberTag === PIXEL_REPRESENTATION) {
      this.#scope.pixelRepresentation = this.#number
      this.#undecided.decide(this.#scope, this.#number)
    } else {
      this.#scope.bitsAllocated = this.#number
    }
    this.#numberTag = 0
  }

  /** PS3.5 6.2.2 for what is unknown or too long, A.2 for what depends on other attributes. */
  #explicitVrOf(tag: number, vr: string | undefined, length: number): string {
    let actual = vr ?? 'UN'
    if (actual === 'ox') actual = SAMPLES.has(tag) && (this.#scope.bitsAllocated ?? 16) <= 8 ? 'OB' : 'OW'
    else if (actual === 'lt') actual = 'OW'
    else if (actual === 'xs') actual = this.#pixelRepresentation() === 1 ? 'SS' : 'US'
    if (VRS[actual] === undefined) return 'UN'
    return !hasLongLength(actual) && length > LARGEST_SHORT_LENGTH ? 'UN' : actual
  }

  /** That of the item or, where it has none, of what is around it. */
  #pixelRepresentation(): number | undefined {
    if (this.#scope.pixelRepresentation !== undefined) return this.#scope.pixelRepresentation
    return this.#outer.findLast((scope) => scope.pixelRepresentation !== undefined)?.pixelRepresentation
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
    if (isUndecided) this.#undecided.add(this.#scope, chunk, at + 4)
  }

  #writeItem(tag: number, length: number): void {
    const { chunk, at } = this.#out.reserve(SHORT_HEADER_BYTES)
    chunk.writeUInt16LE(tag >>> 16, at)
    chunk.writeUInt16LE(tag & 0xffff, at + 2)
    chunk.writeUInt32LE(length, at + 4)
  }
}

function newScope(): Scope {
  return { pixelRepresentation: undefined, bitsAllocated: undefined }
}
