import { DicomtapError } from '../errors/index.ts'
import { atOnce } from '../turns.ts'
import { transferSyntaxByUid } from './registry.ts'
import type { TransferSyntaxEncoding } from './transfer-syntaxes.ts'
import { hasLongLength, tagText, vrFromBytes } from './vr.ts'

/** How much structure a data set may have before it is refused. */
export interface StructureLimits {
  /** Sequences within sequences; default 64. */
  readonly maximumDepth?: number | undefined
  /** Elements, items and fragments together; default 500 000. */
  readonly maximumElements?: number | undefined
}

/** What a visitor has still to do before the walk goes on, piece by piece. */
export type MoreWork = Generator<void, void, void> | void

/** What {@link walkDataSet} reports, in the order of the bytes. Offsets are into the bytes walked. */
export interface StructureVisitor {
  /** An element that is no sequence; `bigEndian` is the byte order of its value. */
  value(tag: number, vr: string, start: number, end: number, bigEndian: boolean): MoreWork
  sequenceStart(tag: number): void
  itemStart(): void
  itemEnd(): void
  sequenceEnd(): void
  /** Encapsulated pixel data; the first fragment is the Basic Offset Table (PS3.5 A.4). */
  fragmentsStart(tag: number, vr: string): void
  fragment(start: number, end: number): void
  fragmentsEnd(): MoreWork
}

/** The VR of a standard attribute, for Implicit VR and for UN; undefined when not known. */
export type VrLookup = (tag: number) => string | undefined

const DEFAULT_DEPTH = 64
const DEFAULT_ELEMENTS = 500_000

/** Elements between two pauses. */
const PIECE_ELEMENTS = 256

const UNDEFINED_LENGTH = 0xffffffff
const ITEM_GROUP = 0xfffe
const ITEM = 0xe000
const ITEM_DELIMITATION = 0xe00d
const SEQUENCE_DELIMITATION = 0xe0dd
const PIXEL_DATA = 0x7fe00010

type Kind = 'dataset' | 'sequence' | 'item' | 'fragments'

interface Frame {
  readonly kind: Kind
  /** Where it ends at the latest: its own end, or that of what it is in when its length is undefined. */
  readonly end: number
  readonly hasLength: boolean
  readonly explicitVr: boolean
  readonly bigEndian: boolean
}

/**
 * Walks an encoded data set (PS3.5 7) and checks every length against what contains it before anything is
 * made of it. One pass, no recursion, no memory beyond a frame per level. It yields every few hundred elements.
 *
 * Tolerated, because senders do it: odd lengths, elements out of order, a length other than 0 in a
 * delimitation item. UN is read as what the attribute is, in Implicit VR Little Endian (PS3.5 6.2.2).
 *
 * @throws DICOMTAP_ERR_DS_MALFORMED, DICOMTAP_ERR_DS_TOO_LARGE beyond the limits.
 */
export function* walkDataSet(
  bytes: Buffer,
  encoding: TransferSyntaxEncoding,
  vrOf: VrLookup,
  visitor: StructureVisitor,
  limits: StructureLimits = {},
): Generator<void, void, void> {
  const maximumFrames = (limits.maximumDepth ?? DEFAULT_DEPTH) * 2
  let elementsLeft = limits.maximumElements ?? DEFAULT_ELEMENTS
  const outer: Frame[] = []
  let frame: Frame = {
    kind: 'dataset',
    end: bytes.length,
    hasLength: true,
    explicitVr: encoding.explicitVr,
    bigEndian: encoding.bigEndian,
  }
  let at = 0

  const enter = (kind: Kind, length: number, explicitVr: boolean, bigEndian: boolean, tag: number): void => {
    if (kind !== 'item' && outer.length >= maximumFrames) {
      const what = `${tagText(tag)} is nested deeper than ${maximumFrames / 2} sequences`
      throw new DicomtapError('DICOMTAP_ERR_DS_TOO_LARGE', what)
    }
    const hasLength = length !== UNDEFINED_LENGTH
    outer.push(frame)
    frame = { kind, end: hasLength ? at + length : frame.end, hasLength, explicitVr, bigEndian }
  }
  const leave = (): MoreWork => {
    const { kind } = frame
    frame = outer.pop() as Frame
    if (kind === 'fragments') return visitor.fragmentsEnd()
    if (kind === 'item') visitor.itemEnd()
    else visitor.sequenceEnd()
  }

  for (;;) {
    if (at === frame.end) {
      if (!frame.hasLength) throw malformed(at, `it ends within a ${frame.kind} of undefined length`)
      if (outer.length === 0) return
      yield* leave() ?? NO_WORK
      continue
    }
    if (frame.end - at < 8) throw malformed(at, 'it ends within the header of an element')
    if (elementsLeft-- === 0) throw new DicomtapError('DICOMTAP_ERR_DS_TOO_LARGE', 'The data set has too many elements')
    if (elementsLeft % PIECE_ELEMENTS === 0) yield

    const { kind, bigEndian } = frame
    const group = bigEndian ? bytes.readUInt16BE(at) : bytes.readUInt16LE(at)
    const element = bigEndian ? bytes.readUInt16BE(at + 2) : bytes.readUInt16LE(at + 2)
    const tag = group * 0x10000 + element

    if (group === ITEM_GROUP || kind === 'sequence' || kind === 'fragments') {
      const length = bigEndian ? bytes.readUInt32BE(at + 4) : bytes.readUInt32LE(at + 4)
      const isContainer = kind === 'sequence' || kind === 'fragments'
      const delimitation = isContainer ? SEQUENCE_DELIMITATION : ITEM_DELIMITATION
      at += 8
      if (group === ITEM_GROUP && element === ITEM && isContainer) {
        if (length > frame.end - at && (length !== UNDEFINED_LENGTH || kind === 'fragments')) throw tooLong(at - 8, tag)
        if (kind === 'sequence') {
          enter('item', length, frame.explicitVr, bigEndian, tag)
          visitor.itemStart()
        } else {
          visitor.fragment(at, at + length)
          at += length
        }
      } else if (group === ITEM_GROUP && element === delimitation && !frame.hasLength) {
        yield* leave() ?? NO_WORK
      } else {
        throw malformed(at - 8, `${tagText(tag)} stands in a ${kind}`)
      }
      continue
    }

    if (group === 0x0000 || group === 0x0002) throw malformed(at, `${tagText(tag)} does not belong in a data set`)
    const start = at
    let vr: string | undefined
    let length: number
    if (frame.explicitVr) {
      vr = vrFromBytes(bytes[at + 4] as number, bytes[at + 5] as number)
      if (vr === undefined) throw malformed(at, `${tagText(tag)} has no valid VR`)
      if (hasLongLength(vr)) {
        if (frame.end - at < 12) throw malformed(at, 'it ends within the header of an element')
        length = bigEndian ? bytes.readUInt32BE(at + 8) : bytes.readUInt32LE(at + 8)
        at += 12
      } else {
        length = bigEndian ? bytes.readUInt16BE(at + 6) : bytes.readUInt16LE(at + 6)
        at += 8
      }
    } else {
      length = bytes.readUInt32LE(at + 4)
      vr = vrOf(tag)
      at += 8
    }

    if (length === UNDEFINED_LENGTH) {
      if (frame.explicitVr && (vr === 'OB' || vr === 'OW')) {
        enter('fragments', length, true, bigEndian, tag)
        visitor.fragmentsStart(tag, vr)
      } else if (vr === 'SQ' || (frame.explicitVr ? vr === 'UN' : tag !== PIXEL_DATA)) {
        enter('sequence', length, frame.explicitVr && vr === 'SQ', bigEndian && vr === 'SQ', tag)
        visitor.sequenceStart(tag)
      } else {
        throw malformed(start, `${tagText(tag)} has an undefined length`)
      }
      continue
    }
    if (length > frame.end - at) throw tooLong(start, tag)

    const isUnknown = frame.explicitVr && vr === 'UN'
    const actualVr = (isUnknown ? vrOf(tag) : vr) ?? 'UN'
    if (actualVr === 'SQ' && (!isUnknown || startsWithItem(bytes, at, length))) {
      enter('sequence', length, frame.explicitVr && !isUnknown, bigEndian && !isUnknown, tag)
      visitor.sequenceStart(tag)
    } else {
      const more = visitor.value(tag, actualVr === 'SQ' ? 'UN' : actualVr, at, at + length, bigEndian && !isUnknown)
      if (more !== undefined) yield* more
      at += length
    }
  }
}

/** Is the value of a UN element a sequence in Implicit VR Little Endian, or empty? */
function startsWithItem(bytes: Buffer, at: number, length: number): boolean {
  return length === 0 || (length >= 8 && bytes.readUInt32LE(at) === 0xe000fffe)
}

function tooLong(at: number, tag: number): DicomtapError {
  return malformed(at, `${tagText(tag)} claims more bytes than there are`)
}

function malformed(at: number, what: string): DicomtapError {
  return new DicomtapError('DICOMTAP_ERR_DS_MALFORMED', `Malformed data set at byte ${at}: ${what}`)
}

/**
 * The encoding of a transfer syntax. Private ones are taken for Explicit VR Little Endian, which all standard
 * ones but the oldest are (PS3.5 annex A).
 */
export function encodingOf(transferSyntaxUid: string): TransferSyntaxEncoding {
  return transferSyntaxByUid(transferSyntaxUid)?.encoding ?? ENCAPSULATED
}

const ENCAPSULATED: TransferSyntaxEncoding = { explicitVr: true, bigEndian: false, deflated: false, encapsulated: true }

const NO_WORK: readonly never[] = []
const NOTHING = (): void => {}
const NO_VISITOR: StructureVisitor = {
  value: NOTHING,
  sequenceStart: NOTHING,
  itemStart: NOTHING,
  itemEnd: NOTHING,
  sequenceEnd: NOTHING,
  fragmentsStart: NOTHING,
  fragment: NOTHING,
  fragmentsEnd: NOTHING,
}

/**
 * Checks the structure of an encoded data set without decoding it; a deflated one must be inflated first.
 * Without a dictionary, sequences of defined length in Implicit VR are checked as one value.
 *
 * @throws DICOMTAP_ERR_DS_MALFORMED, DICOMTAP_ERR_DS_TOO_LARGE
 */
export function checkDataSetStructure(bytes: Uint8Array, transferSyntaxUid: string, limits: StructureLimits = {}): void {
  const source = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  atOnce(walkDataSet(source, encodingOf(transferSyntaxUid), () => undefined, NO_VISITOR, limits))
}
