import { DEFAULT_CHARACTER_SET, decodeText, parseCharacterSet } from './character-sets.ts'
import { HeadInflater } from './head-inflater.ts'
import { encodingOf } from './structure.ts'
import { trimBoth, trimEnd } from './values.ts'
import { hasLongLength, vrFromBytes } from './vr.ts'

export interface HeadParserOptions {
  /** How far into the data set it looks; default 64 KiB. */
  readonly maximumBytes?: number | undefined
  /** Longer values are passed over as if absent; default 1 KiB. */
  readonly maximumValueBytes?: number | undefined
}

const DEFAULT_HEAD_BYTES = 64 * 1024
const DEFAULT_VALUE_BYTES = 1024
const MAXIMUM_DEPTH = 64
const SHORT_HEADER_BYTES = 8
const MAXIMUM_HEADER_BYTES = 12
const UNDEFINED_LENGTH = 0xffffffff
const SPECIFIC_CHARACTER_SET = 0x00080005

const ITEM_GROUP = 0xfffe
const ITEM = 0xe000
const ITEM_DELIMITATION = 0xe00d
const SEQUENCE_DELIMITATION = 0xe0dd

/** An item or a sequence of undefined length that the parser is in. */
interface Level {
  readonly isItem: boolean
  readonly explicitVr: boolean
  readonly bigEndian: boolean
}

/**
 * Picks a few top-level attributes out of a data set while it streams by, e.g. the UIDs that decide where
 * it is stored. It copies headers that are cut by a fragment's end and the values asked for, nothing else,
 * and stops as soon as it can: when it has all of them, or has passed the highest tag asked for.
 *
 * @example
 * const head = new DataSetHeadParser(transferSyntaxUid, [0x00080016, 0x00080018])
 * for await (const fragment of dataSet.bytes()) if (head.push(fragment)) break
 * head.text(0x00080018)
 */
export class DataSetHeadParser {
  /** Wanted and not come by yet. */
  readonly #missing: Set<number>
  readonly #highest: number
  readonly #maximumBytes: number
  readonly #maximumValueBytes: number
  readonly #inflater: HeadInflater | undefined
  readonly #values = new Map<number, Uint8Array>()
  readonly #root: Level
  readonly #levels: Level[] = []
  #position = 0
  readonly #header: Uint8Array = new Uint8Array(MAXIMUM_HEADER_BYTES)
  #headerBytes = 0
  #skip = 0
  #value: Uint8Array | undefined
  #valueTag = 0
  #valueBytes = 0
  #isFinished = false
  #isMalformed = false

  constructor(transferSyntaxUid: string, wantedTags: readonly number[], options: HeadParserOptions = {}) {
    const { explicitVr, bigEndian, deflated } = encodingOf(transferSyntaxUid)
    this.#root = { isItem: true, explicitVr, bigEndian }
    this.#missing = new Set(wantedTags)
    this.#highest = wantedTags.reduce((highest, tag) => Math.max(highest, tag), 0)
    this.#maximumBytes = options.maximumBytes ?? DEFAULT_HEAD_BYTES
    this.#maximumValueBytes = options.maximumValueBytes ?? DEFAULT_VALUE_BYTES
    this.#inflater = deflated ? new HeadInflater(this.#maximumBytes) : undefined
    this.#isFinished = this.#missing.size === 0
  }

  /** No more bytes are needed, or no more will help. */
  get isFinished(): boolean {
    return this.#isFinished
  }

  /** It stopped at bytes that are no data set in this transfer syntax. What it found before stands. */
  get isMalformed(): boolean {
    return this.#isMalformed
  }

  /** The raw bytes of the values found, with their padding; Specific Character Set (0008,0005) too. */
  get values(): ReadonlyMap<number, Uint8Array> {
    return this.#values
  }

  /** Takes the next bytes of the data set; true when it is finished. `fragment` may be reused afterwards. */
  push(fragment: Uint8Array): boolean {
    if (this.#isFinished) return true
    if (this.#inflater === undefined) this.#parse(fragment)
    else this.#inflate(this.#inflater, fragment, false)
    return this.#isFinished
  }

  /** The data set is over. */
  end(): void {
    if (!this.#isFinished && this.#inflater !== undefined) this.#inflate(this.#inflater, new Uint8Array(0), true)
    this.#isFinished = true
    this.#value = undefined
  }

  /**
   * A value as text, without padding: in the data set's character set, with its backslashes when there are
   * several; undefined when the attribute was not found.
   */
  text(tag: number): string | undefined {
    const value = this.#values.get(tag)
    if (value === undefined) return undefined
    const declared = this.#values.get(SPECIFIC_CHARACTER_SET)
    const characterSet =
      declared === undefined || tag === SPECIFIC_CHARACTER_SET
        ? DEFAULT_CHARACTER_SET
        : parseCharacterSet(trimEnd(asBuffer(declared).toString('latin1')).split('\\'))
    return trimBoth(decodeText(asBuffer(value), characterSet, '\\^='))
  }

  #inflate(inflater: HeadInflater, fragment: Uint8Array, isLast: boolean): void {
    inflater.add(fragment)
    while (!this.#isFinished) {
      const inflated = inflater.next(isLast)
      if (inflated === undefined) break
      this.#parse(inflated)
    }
    if (inflater.isMalformed && !this.#isFinished) this.#fail()
    else if (inflater.isExhausted) this.#isFinished = true
  }

  #parse(fragment: Uint8Array): void {
    let at = 0
    while (at < fragment.length && !this.#isFinished) {
      const available = fragment.length - at
      let taken: number
      if (this.#value !== undefined) taken = this.#takeValue(this.#value, fragment, at, available)
      else if (this.#skip > 0) {
        taken = Math.min(this.#skip, available)
        this.#skip -= taken
      } else taken = this.#takeHeader(fragment, at, available)
      at += taken
      this.#position += taken
      if (this.#position >= this.#maximumBytes) this.#isFinished = true
    }
  }

  #takeValue(value: Uint8Array, fragment: Uint8Array, at: number, available: number): number {
    const taken = Math.min(value.length - this.#valueBytes, available)
    value.set(fragment.subarray(at, at + taken), this.#valueBytes)
    this.#valueBytes += taken
    if (this.#valueBytes === value.length) {
      this.#value = undefined
      this.#values.set(this.#valueTag, value)
      if (this.#missing.size === 0) this.#isFinished = true
    }
    return taken
  }

  /** Takes what is there of one header, and acts on it when it is whole. */
  #takeHeader(fragment: Uint8Array, at: number, available: number): number {
    if (this.#headerBytes === 0 && available >= MAXIMUM_HEADER_BYTES) {
      const size = this.#headerSize(fragment, at)
      this.#readHeader(fragment, at)
      return size
    }
    let taken = 0
    for (const size of [SHORT_HEADER_BYTES, MAXIMUM_HEADER_BYTES]) {
      const count = Math.min(size - this.#headerBytes, available - taken)
      if (count > 0) {
        this.#header.set(fragment.subarray(at + taken, at + taken + count), this.#headerBytes)
        this.#headerBytes += count
        taken += count
      }
      if (this.#headerBytes < size) return taken
      if (this.#headerSize(this.#header, 0) === size) break
    }
    this.#headerBytes = 0
    this.#readHeader(this.#header, 0)
    return taken
  }

  #level(): Level {
    return this.#levels.length === 0 ? this.#root : (this.#levels[this.#levels.length - 1] as Level)
  }

  /** Of the header at `at`, of which eight bytes are there. */
  #headerSize(source: Uint8Array, at: number): number {
    const level = this.#level()
    if (!level.isItem || !level.explicitVr) return SHORT_HEADER_BYTES
    if (readUint16(source, at, level.bigEndian) === ITEM_GROUP) return SHORT_HEADER_BYTES
    const vr = vrFromBytes(source[at + 4] as number, source[at + 5] as number)
    return vr !== undefined && hasLongLength(vr) ? MAXIMUM_HEADER_BYTES : SHORT_HEADER_BYTES
  }

  #readHeader(source: Uint8Array, at: number): void {
    const level = this.#level()
    const { bigEndian } = level
    const group = readUint16(source, at, bigEndian)
    const element = readUint16(source, at + 2, bigEndian)
    if (group === ITEM_GROUP) return this.#readItemHeader(level, element, readUint32(source, at + 4, bigEndian))
    if (!level.isItem) return this.#fail()

    let vr = 'UN'
    let length: number
    if (level.explicitVr) {
      const explicit = vrFromBytes(source[at + 4] as number, source[at + 5] as number)
      if (explicit === undefined) return this.#fail()
      vr = explicit
      length = hasLongLength(vr) ? readUint32(source, at + 8, bigEndian) : readUint16(source, at + 6, bigEndian)
    } else {
      length = readUint32(source, at + 4, bigEndian)
    }
    const isTop = level === this.#root
    const tag = group * 0x10000 + element
    if (isTop && (group === 0x0000 || group === 0x0002)) return this.#fail()
    if (isTop && tag > this.#highest) {
      this.#isFinished = true
    } else if (length === UNDEFINED_LENGTH) {
      const isImplicit = !level.explicitVr || vr === 'UN'
      this.#enter({ isItem: false, explicitVr: !isImplicit, bigEndian: bigEndian && !isImplicit })
    } else if (isTop) {
      this.#startValue(tag, length)
    } else {
      this.#skip = length
    }
  }

  #readItemHeader(level: Level, element: number, length: number): void {
    if (element === ITEM && !level.isItem) {
      if (length === UNDEFINED_LENGTH) this.#enter({ ...level, isItem: true })
      else this.#skip = length
    } else if (this.#levels.length > 0 && element === (level.isItem ? ITEM_DELIMITATION : SEQUENCE_DELIMITATION)) {
      this.#levels.pop()
    } else {
      this.#fail()
    }
  }

  #enter(level: Level): void {
    if (this.#levels.length >= MAXIMUM_DEPTH * 2) this.#fail()
    else this.#levels.push(level)
  }

  #startValue(tag: number, length: number): void {
    const isWanted = this.#missing.delete(tag)
    const isKept = isWanted || (tag === SPECIFIC_CHARACTER_SET && !this.#values.has(tag))
    if (isKept && length <= this.#maximumValueBytes) {
      const value = new Uint8Array(length)
      if (length === 0) this.#values.set(tag, value)
      else this.#value = value
      this.#valueTag = tag
      this.#valueBytes = 0
    } else {
      this.#skip = length
    }
    if (this.#value === undefined && this.#missing.size === 0) this.#isFinished = true
  }

  #fail(): void {
    this.#isMalformed = true
    this.#isFinished = true
  }
}

function readUint16(source: Uint8Array, at: number, bigEndian: boolean): number {
  const first = source[at] as number
  const second = source[at + 1] as number
  return bigEndian ? first * 0x100 + second : first + second * 0x100
}

function readUint32(source: Uint8Array, at: number, bigEndian: boolean): number {
  const first = readUint16(source, at, bigEndian)
  const second = readUint16(source, at + 2, bigEndian)
  return bigEndian ? first * 0x10000 + second : first + second * 0x10000
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
