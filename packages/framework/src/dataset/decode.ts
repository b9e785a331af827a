import { DicomtapError } from '../errors/index.ts'
import { atOnce } from '../turns.ts'
import { DEFAULT_CHARACTER_SET, parseCharacterSet } from './character-sets.ts'
import type { CharacterSet } from './character-sets.ts'
import type { Dictionary } from './dictionary.ts'
import { walkDataSet } from './structure.ts'
import type { MoreWork, StructureLimits, StructureVisitor } from './structure.ts'
import type { TransferSyntaxEncoding } from './transfer-syntaxes.ts'
import type { DataSet } from './types.ts'
import { countValues, decodeInPieces, decodeValues } from './values.ts'
import { VRS, tagText } from './vr.ts'

const SPECIFIC_CHARACTER_SET = 0x00080005

/** A data set being built: the main one or that of an item. */
interface Level {
  readonly dataset: DataSet
  characterSet: CharacterSet
  /** Where the sequence it holds now goes when that ends. */
  name: string
  items: DataSet[]
  elements: number
}

/** An element whose VR waits for Pixel Representation, which may come later. */
interface Waiting {
  readonly dataset: DataSet
  readonly name: string
  readonly bytes: Buffer
  readonly bigEndian: boolean
}

export interface DecodeLimits extends StructureLimits {
  /** Values of all elements together; default five million. */
  readonly maximumValues?: number | undefined
  /** Bytes of one text; default 4 MiB. */
  readonly maximumTextBytes?: number | undefined
  /** @internal Told now and then of so many bytes more that the decoded form takes, about; may throw. */
  readonly claimMemory?: ((bytes: number) => void) | undefined
}

const DEFAULT_VALUES = 5_000_000
const DEFAULT_TEXT_BYTES = 4 * 1024 * 1024
/** What the decoded form takes besides the bytes, about. */
const ELEMENT_COST_BYTES = 160
const VALUE_COST_BYTES = 24
const NAME_COST_BYTES = 80
const ITEM_COST_BYTES = 120
const CLAIM_BYTES = 65_536
/** Elements of one data set or item: an object of more takes long to grow. */
const MAXIMUM_SIBLINGS = 50_000
/** Elements with so many values are decoded in pieces; so are so many elements that had to wait. */
const PIECE_VALUES = 1_024
const PIECE_TEXT_BYTES = 65_536
/** How many bytes of text a value takes as long as; a switch between character sets is one. */
const COST_OF_VALUE_BYTES = 128
/** So much is copied in a piece, where a fragment costs what so many bytes do. */
const PIECE_BYTES = 1_048_576
const COST_OF_FRAGMENT_BYTES = 512

/** Decodes a data set that is not deflated, without a pause. */
export function buildDataSet(bytes: Buffer, encoding: TransferSyntaxEncoding, dictionary: Dictionary, limits: DecodeLimits): DataSet {
  return atOnce(buildInPieces(bytes, encoding, dictionary, limits))
}

/** The same, yielding between pieces of less than a millisecond. */
export function* buildInPieces(
  bytes: Buffer,
  encoding: TransferSyntaxEncoding,
  dictionary: Dictionary,
  limits: DecodeLimits,
): Generator<void, DataSet, void> {
  const builder = new DataSetBuilder(bytes, dictionary, limits)
  yield* walkDataSet(bytes, encoding, dictionary.vrOf, builder, limits)
  return yield* builder.finish()
}

class DataSetBuilder implements StructureVisitor {
  readonly #bytes: Buffer
  readonly #dictionary: Dictionary
  readonly #outer: Level[] = []
  readonly #root: Level
  #level: Level
  #waiting: Waiting[] = []
  #fragments: Buffer[] = []
  #valuesLeft: number
  readonly #maximumTextBytes: number
  readonly #claimMemory: DecodeLimits['claimMemory']
  #unclaimedBytes = 0
  #sincePauseBytes = 0

  constructor(bytes: Buffer, dictionary: Dictionary, { maximumValues, maximumTextBytes, claimMemory }: DecodeLimits) {
    this.#claimMemory = claimMemory
    this.#valuesLeft = maximumValues ?? DEFAULT_VALUES
    this.#maximumTextBytes = maximumTextBytes ?? DEFAULT_TEXT_BYTES
    this.#bytes = bytes
    this.#dictionary = dictionary
    this.#root = newLevel(DEFAULT_CHARACTER_SET)
    this.#level = this.#root
  }

  value(tag: number, vr: string, start: number, end: number, bigEndian: boolean): MoreWork {
    if ((tag & 0xffff) === 0) return // group lengths are retired and say nothing about the content (PS3.5 7.2)
    const { dataset, characterSet } = this.#level
    const name = this.#dictionary.nameOf(tag)
    if (Object.hasOwn(dataset, name)) return
    this.#level.elements += 1
    if (this.#level.elements > MAXIMUM_SIBLINGS) throw tooLarge(tag, 'has too many elements beside it')
    const bytes = this.#bytes.subarray(start, end)
    if (bytes.length > this.#maximumTextBytes && isText(vr)) throw tooLarge(tag, `has a text of more than ${this.#maximumTextBytes} bytes`)
    const count = countValues(vr, bytes)
    this.#valuesLeft -= count
    if (this.#valuesLeft < 0) throw tooLarge(tag, 'has too many values')
    this.#claim(ELEMENT_COST_BYTES + (vr === 'PN' ? NAME_COST_BYTES : VALUE_COST_BYTES) * count + bytes.length)
    if (vr === 'xs') {
      dataset[name] = null
      this.#waiting.push({ dataset, name, bytes, bigEndian })
      return
    }
    const actualVr = vr === 'ox' || vr === 'lt' ? 'OW' : vr
    this.#noteVr(tag, name, actualVr)
    if (count > PIECE_VALUES || bytes.length > PIECE_TEXT_BYTES) return this.#longValue(dataset, name, actualVr, decodeInPieces(actualVr, bytes, bigEndian, characterSet))
    const values = decodeValues(actualVr, bytes, bigEndian, characterSet)
    if (tag === SPECIFIC_CHARACTER_SET) this.#level.characterSet = parseCharacterSet(values.map(String))
    dataset[name] = this.#natural(actualVr, values)
    this.#sincePauseBytes += bytes.length + COST_OF_VALUE_BYTES * count
    if (this.#sincePauseBytes < PIECE_TEXT_BYTES) return
    this.#sincePauseBytes = 0
    return pause()
  }

  sequenceStart(tag: number): void {
    this.#level.name = this.#dictionary.nameOf(tag)
    this.#level.items = []
    this.#noteVr(tag, this.#level.name, 'SQ')
  }

  itemStart(): void {
    const item = newLevel(this.#level.characterSet)
    this.#level.items.push(item.dataset)
    this.#outer.push(this.#level)
    this.#level = item
    this.#claim(ITEM_COST_BYTES)
  }

  itemEnd(): void {
    this.#level = this.#outer.pop() as Level
  }

  sequenceEnd(): void {
    const { dataset, name, items } = this.#level
    if (!Object.hasOwn(dataset, name)) dataset[name] = this.#dictionary.addSequenceAccessors(items)
  }

  fragmentsStart(tag: number, vr: string): void {
    this.#level.name = this.#dictionary.nameOf(tag)
    this.#noteVr(tag, this.#level.name, vr)
    this.#fragments = []
  }

  fragment(start: number, end: number): void {
    this.#fragments.push(this.#bytes.subarray(start, end))
    this.#claim(ITEM_COST_BYTES + end - start)
  }

  *fragmentsEnd(): Generator<void, void, void> {
    const { dataset, name } = this.#level
    if (!Object.hasOwn(dataset, name)) dataset[name] = yield* joinFrames(this.#fragments)
  }

  *finish(): Generator<void, DataSet, void> {
    const { dataset } = this.#root
    for (const [index, { dataset: owner, name, bytes, bigEndian }] of this.#waiting.entries()) {
      if (index % PIECE_VALUES === PIECE_VALUES - 1) yield
      const isSigned = (owner['PixelRepresentation'] ?? dataset['PixelRepresentation']) === 1
      const vr = isSigned ? 'SS' : 'US'
      noteVrOf(owner, name, vr)
      owner[name] = this.#natural(vr, yield* decodeInPieces(vr, bytes, bigEndian, DEFAULT_CHARACTER_SET))
    }
    return dataset
  }

  *#longValue(dataset: DataSet, name: string, vr: string, decoding: Generator<void, readonly unknown[], void>): Generator<void, void, void> {
    dataset[name] = this.#natural(vr, yield* decoding)
  }

  #claim(bytes: number): void {
    this.#unclaimedBytes += bytes
    if (this.#unclaimedBytes < CLAIM_BYTES) return
    this.#claimMemory?.(this.#unclaimedBytes)
    this.#unclaimedBytes = 0
  }

  #natural(vr: string, values: readonly unknown[]): unknown {
    if (values.length === 0) return null
    if (vr === 'PN') {
      const names = values as object[]
      return this.#dictionary.addNameAccessors(this.#dictionary.addSequenceAccessors(names))
    }
    const [first] = values
    return values.length === 1 && !(first instanceof ArrayBuffer) ? first : values
  }

  /** Remembers a VR that the dictionary does not tell, so that the data set can be encoded again. */
  #noteVr(tag: number, name: string, vr: string): void {
    const known = this.#dictionary.vrOf(tag) ?? 'UN'
    if (vr !== known) noteVrOf(this.#level.dataset, name, vr)
  }
}

function* pause(): Generator<void, void, void> {
  yield
}

/** The name under which dcmjs keeps VRs that the dictionary does not tell. */
export const VR_MAP = '_vrMap'

function noteVrOf(dataset: DataSet, name: string, vr: string): void {
  const vrs = (dataset[VR_MAP] ??= {}) as Record<string, string>
  vrs[name] = vr
}

function newLevel(characterSet: CharacterSet): Level {
  return { dataset: {}, characterSet, name: '', items: [], elements: 0 }
}

/**
 * Fragments to frames, by the Basic Offset Table when there is one and it fits, else one fragment each
 * (PS3.5 A.4). The Extended Offset Table is left to who reads the pixels.
 */
function* joinFrames(fragments: readonly Buffer[]): Generator<void, ArrayBuffer[], void> {
  const [table, ...data] = fragments
  const offsets = new Set<number>()
  for (let at = 0; table !== undefined && at + 4 <= table.length; at += 4) offsets.add(table.readUInt32LE(at))
  const frames: Buffer[][] = []
  let offset = 0
  let found = 0
  for (const [index, fragment] of data.entries()) {
    if (index % PIECE_VALUES === PIECE_VALUES - 1) yield
    const startsFrame = offsets.size === 0 || offsets.has(offset)
    if (startsFrame) found++
    if (startsFrame || frames.length === 0) frames.push([fragment])
    else (frames.at(-1) as Buffer[]).push(fragment)
    offset += 8 + fragment.length
  }
  const isConsistent = offsets.size === 0 || found === offsets.size
  const joined: ArrayBuffer[] = []
  let copiedBytes = 0
  for (const parts of isConsistent ? frames : data.map((fragment) => [fragment])) {
    const frame = new Uint8Array(parts.reduce((total, part) => total + part.length, 0))
    let at = 0
    for (const part of parts) {
      frame.set(part, at)
      at += part.length
      copiedBytes += part.length + COST_OF_FRAGMENT_BYTES
      if (copiedBytes < PIECE_BYTES) continue
      copiedBytes = 0
      yield
    }
    joined.push(frame.buffer)
  }
  return joined
}

function isText(vr: string): boolean {
  const kind = VRS[vr]?.kind
  return kind === 'text' || kind === 'numeric-text' || kind === 'name'
}

function tooLarge(tag: number, what: string): DicomtapError {
  return new DicomtapError('DICOMTAP_ERR_DS_TOO_LARGE', `${tagText(tag)} ${what}`)
}
