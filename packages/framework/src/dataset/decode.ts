import { DicomtapError } from '../errors/index.ts'
import { DEFAULT_CHARACTER_SET, parseCharacterSet } from './character-sets.ts'
import type { CharacterSet } from './character-sets.ts'
import type { Dictionary } from './dictionary.ts'
import { walkDataSet } from './structure.ts'
import type { StructureLimits, StructureVisitor } from './structure.ts'
import type { TransferSyntaxEncoding } from './transfer-syntaxes.ts'
import type { DataSet } from './types.ts'
import { countValues, decodeValues } from './values.ts'
import { tagText } from './vr.ts'

const SPECIFIC_CHARACTER_SET = 0x00080005

/** A data set being built: the main one or that of an item. */
interface Level {
  readonly dataset: DataSet
  characterSet: CharacterSet
  /** Where the sequence it holds now goes when that ends. */
  name: string
  items: DataSet[]
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
}

const DEFAULT_VALUES = 5_000_000

/** Decodes a data set that is not deflated. */
export function buildDataSet(
  bytes: Buffer,
  encoding: TransferSyntaxEncoding,
  dictionary: Dictionary,
  limits: DecodeLimits,
): DataSet {
  const builder = new DataSetBuilder(bytes, dictionary, limits.maximumValues ?? DEFAULT_VALUES)
  walkDataSet(bytes, encoding, dictionary.vrOf, builder, limits)
  return builder.finish()
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

  constructor(bytes: Buffer, dictionary: Dictionary, maximumValues: number) {
    this.#valuesLeft = maximumValues
    this.#bytes = bytes
    this.#dictionary = dictionary
    this.#root = newLevel(DEFAULT_CHARACTER_SET)
    this.#level = this.#root
  }

  value(tag: number, vr: string, start: number, end: number, bigEndian: boolean): void {
    if ((tag & 0xffff) === 0) return // group lengths are retired and say nothing about the content (PS3.5 7.2)
    const { dataset, characterSet } = this.#level
    const name = this.#dictionary.nameOf(tag)
    if (Object.hasOwn(dataset, name)) return
    const bytes = this.#bytes.subarray(start, end)
    this.#valuesLeft -= countValues(vr, bytes)
    if (this.#valuesLeft < 0) throw new DicomtapError('DICOMTAP_ERR_DS_TOO_LARGE', `${tagText(tag)} has too many values`)
    if (vr === 'xs') {
      dataset[name] = null
      this.#waiting.push({ dataset, name, bytes, bigEndian })
      return
    }
    const actualVr = vr === 'ox' || vr === 'lt' ? 'OW' : vr
    this.#noteVr(tag, name, actualVr)
    const values = decodeValues(actualVr, bytes, bigEndian, characterSet)
    if (tag === SPECIFIC_CHARACTER_SET) this.#level.characterSet = parseCharacterSet(values.map(String))
    dataset[name] = this.#natural(actualVr, values)
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
  }

  fragmentsEnd(): void {
    const { dataset, name } = this.#level
    if (!Object.hasOwn(dataset, name)) dataset[name] = joinFrames(this.#fragments)
  }

  finish(): DataSet {
    const { dataset } = this.#root
    for (const { dataset: owner, name, bytes, bigEndian } of this.#waiting) {
      const isSigned = (owner['PixelRepresentation'] ?? dataset['PixelRepresentation']) === 1
      const vr = isSigned ? 'SS' : 'US'
      noteVrOf(owner, name, vr)
      owner[name] = this.#natural(vr, decodeValues(vr, bytes, bigEndian, DEFAULT_CHARACTER_SET))
    }
    return dataset
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

/** The name under which dcmjs keeps VRs that the dictionary does not tell. */
export const VR_MAP = '_vrMap'

function noteVrOf(dataset: DataSet, name: string, vr: string): void {
  const vrs = (dataset[VR_MAP] ??= {}) as Record<string, string>
  vrs[name] = vr
}

function newLevel(characterSet: CharacterSet): Level {
  return { dataset: {}, characterSet, name: '', items: [] }
}

/**
 * Fragments to frames, by the Basic Offset Table when there is one and it fits, else one fragment each
 * (PS3.5 A.4). The Extended Offset Table is left to who reads the pixels.
 */
function joinFrames(fragments: readonly Buffer[]): ArrayBuffer[] {
  const [table, ...data] = fragments
  const offsets = new Set<number>()
  for (let at = 0; table !== undefined && at + 4 <= table.length; at += 4) offsets.add(table.readUInt32LE(at))
  const frames: Buffer[][] = []
  let offset = 0
  let found = 0
  for (const fragment of data) {
    const startsFrame = offsets.size === 0 || offsets.has(offset)
    if (startsFrame) found++
    if (startsFrame || frames.length === 0) frames.push([fragment])
    else (frames.at(-1) as Buffer[]).push(fragment)
    offset += 8 + fragment.length
  }
  const isConsistent = offsets.size === 0 || found === offsets.size
  return (isConsistent ? frames : data.map((fragment) => [fragment])).map((parts) => {
    const joined = new Uint8Array(parts.reduce((total, part) => total + part.length, 0))
    let at = 0
    for (const part of parts) {
      joined.set(part, at)
      at += part.length
    }
    return joined.buffer
  })
}
