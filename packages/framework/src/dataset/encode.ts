import { DicomtapError } from '../errors/index.ts'
import { ByteWriter } from './byte-writer.ts'
import { DEFAULT_CHARACTER_SET, UTF_8, parseCharacterSet } from './character-sets.ts'
import type { CharacterSet } from './character-sets.ts'
import { VR_MAP } from './decode.ts'
import { isPrivateCreator } from './dictionary.ts'
import type { Dictionary } from './dictionary.ts'
import { UnencodableText, encodeValues, toBytes } from './encode-values.ts'
import type { TransferSyntaxEncoding } from './transfer-syntaxes.ts'
import type { DataSet } from './types.ts'
import { VRS, hasLongLength, tagText } from './vr.ts'

const MAXIMUM_DEPTH = 64
const SPECIFIC_CHARACTER_SET = 0x00080005
const PIXEL_DATA = 0x7fe00010
const ITEM = [0xfffe, 0xe000] as const
const SEQUENCE_DELIMITATION = [0xfffe, 0xe0dd] as const
const UNDEFINED_LENGTH = 0xffffffff
const UTF_8_TERM = 'ISO_IR 192'

interface Context {
  readonly writer: ByteWriter
  readonly encoding: TransferSyntaxEncoding
  readonly dictionary: Dictionary
  /** Overrides every Specific Character Set: text did not fit what was declared. */
  readonly asUtf8: boolean
  readonly pixelRepresentation: unknown
}

/** Encodes a data set, not deflated yet. What its character set cannot say is encoded as UTF-8 instead. */
export function writeDataSet(dataset: DataSet, encoding: TransferSyntaxEncoding, dictionary: Dictionary): Buffer {
  const attempt = (asUtf8: boolean): Buffer => {
    const writer = new ByteWriter(encoding.bigEndian)
    const pixelRepresentation = dataset['PixelRepresentation']
    writeElements(dataset, { writer, encoding, dictionary, asUtf8, pixelRepresentation }, DEFAULT_CHARACTER_SET, 0)
    return writer.finish()
  }
  try {
    return attempt(false)
  } catch (error) {
    if (!(error instanceof UnencodableText)) throw error
    return attempt(true)
  }
}

interface Element {
  readonly tag: number
  readonly vr: string
  readonly value: unknown
}

function writeElements(dataset: DataSet, context: Context, inherited: CharacterSet, depth: number): void {
  if (depth > MAXIMUM_DEPTH) throw unencodable(`its sequences are nested deeper than ${MAXIMUM_DEPTH}`)
  const elements = elementsOf(dataset, context)
  const characterSet = applyCharacterSet(elements, context, inherited, depth)
  for (const element of elements) {
    if (element.vr === 'SQ') writeSequence(element, context, characterSet, depth)
    else if (element.tag === PIXEL_DATA && context.encoding.encapsulated) writeFragments(element, context)
    else writeElement(element, context, characterSet)
  }
}

function elementsOf(dataset: DataSet, context: Context): Element[] {
  const vrs = (dataset[VR_MAP] ?? {}) as Readonly<Record<string, string>>
  const elements: Element[] = []
  for (const [name, value] of Object.entries(dataset)) {
    if (value === undefined || name.startsWith('_')) continue
    const tag = context.dictionary.byName(name)?.tag ?? tagFromKey(name)
    if (tag === undefined) throw unencodable(`"${name}" is no attribute keyword and no tag of eight hexadecimal digits`)
    if (tag >>> 16 < 0x0004 || tag >>> 16 === 0xfffe) throw unencodable(`${tagText(tag)} does not belong in a data set`)
    const given = Object.hasOwn(vrs, name) ? vrs[name] : undefined
    // Queries are written with '' for no value, whatever the VR.
    elements.push({ tag, vr: vrFor(tag, given, value, dataset, context), value: value === '' ? null : value })
  }
  return elements.sort((a, b) => a.tag - b.tag)
}

function tagFromKey(name: string): number | undefined {
  return /^[0-9a-fA-F]{8}$/.test(name) ? Number.parseInt(name, 16) : undefined
}

function vrFor(tag: number, given: string | undefined, value: unknown, dataset: DataSet, context: Context): string {
  const vr = given ?? context.dictionary.vrOf(tag) ?? (isPrivateCreator(tag) ? 'LO' : guessVr(tag, value))
  switch (vr) {
    case 'xs':
      return (dataset['PixelRepresentation'] ?? context.pixelRepresentation) === 1 ? 'SS' : 'US'
    case 'ox':
      return tag === PIXEL_DATA && isByteWide(dataset, context) ? 'OB' : 'OW'
    case 'lt':
      return 'OW'
    default:
      if (!Object.hasOwn(VRS, vr)) throw unencodable(`${tagText(tag)} has "${vr}" for a VR`)
      return vr
  }
}

/** Native pixels are OW in Implicit VR whatever their size; encapsulated ones are always OB (PS3.5 A.1 to A.4). */
function isByteWide(dataset: DataSet, { encoding }: Context): boolean {
  if (encoding.encapsulated) return true
  return encoding.explicitVr && Number(dataset['BitsAllocated'] ?? 16) <= 8
}

/** A private attribute whose VR nobody gave: text and sequences tell theirs, numbers do not. */
function guessVr(tag: number, value: unknown): string {
  const first: unknown = Array.isArray(value) ? value[0] : value
  if (value === null || first === undefined || toBytes(first) !== undefined) return 'UN'
  if (typeof first === 'string') return first.length > 64 ? 'UT' : 'LO'
  if (Array.isArray(value) && typeof first === 'object') return 'SQ'
  throw unencodable(`${tagText(tag)} needs a VR in ${VR_MAP}`)
}

/** Reads Specific Character Set, and declares UTF-8 where text needs more than was declared. */
function applyCharacterSet(elements: Element[], context: Context, inherited: CharacterSet, depth: number): CharacterSet {
  const index = elements.findIndex(({ tag }) => tag === SPECIFIC_CHARACTER_SET)
  if (context.asUtf8) {
    const declaration: Element = { tag: SPECIFIC_CHARACTER_SET, vr: 'CS', value: UTF_8_TERM }
    if (index >= 0) elements.splice(index, 1)
    if (depth === 0) {
      const at = elements.findIndex(({ tag }) => tag > SPECIFIC_CHARACTER_SET)
      elements.splice(at < 0 ? elements.length : at, 0, declaration)
    }
    return UTF_8
  }
  const value = index < 0 ? undefined : (elements[index] as Element).value
  if (value === undefined || value === null) return inherited
  return parseCharacterSet((Array.isArray(value) ? value : [value]).map(String))
}

function writeHeader(tag: number, vr: string, length: number, { writer, encoding }: Context): void {
  writer.uint16(tag >>> 16)
  writer.uint16(tag & 0xffff)
  if (!encoding.explicitVr) {
    writer.uint32(length)
    return
  }
  // A value too long for a 16-bit length is written as UN (PS3.5 6.2.2 note 4).
  const written = !hasLongLength(vr) && length > 0xfffe ? 'UN' : vr
  writer.uint8(written.charCodeAt(0))
  writer.uint8(written.charCodeAt(1))
  if (hasLongLength(written)) {
    writer.uint16(0)
    writer.uint32(length)
  } else {
    writer.uint16(length)
  }
}

function writeElement({ tag, vr, value }: Element, context: Context, characterSet: CharacterSet): void {
  const values = value === null ? [] : Array.isArray(value) ? (value as readonly unknown[]) : [value]
  const isBytes = VRS[vr]?.kind === 'bytes'
  if (isBytes && values.length > 1) {
    throw unencodable(`${tagText(tag)} has ${values.length} frames, which only encapsulation can hold`)
  }
  const bytes = encodeValues(tag, vr, values, characterSet, context.encoding.bigEndian)
  const isOdd = (bytes.length & 1) === 1
  writeHeader(tag, vr, bytes.length + (isOdd ? 1 : 0), context)
  context.writer.bytes(bytes)
  if (isOdd) context.writer.uint8(isBytes || vr === 'UI' ? 0x00 : 0x20)
}

function writeSequence({ tag, vr, value }: Element, context: Context, characterSet: CharacterSet, depth: number): void {
  const { writer } = context
  const items = value === null ? [] : Array.isArray(value) ? (value as readonly unknown[]) : [value]
  writeHeader(tag, vr, 0, context)
  const start = writer.length
  for (const item of items) {
    if (typeof item !== 'object' || item === null) throw unencodable(`${tagText(tag)} has an item that is no data set`)
    writer.uint16(ITEM[0])
    writer.uint16(ITEM[1])
    writer.uint32(0)
    const itemStart = writer.length
    writeElements(item as DataSet, context, characterSet, depth + 1)
    writer.setUint32(itemStart - 4, writer.length - itemStart)
  }
  writer.setUint32(start - 4, writer.length - start)
}

/** One fragment per frame, after a Basic Offset Table that finds them (PS3.5 A.4). */
function writeFragments({ tag, value }: Element, context: Context): void {
  const { writer } = context
  const frames = (value === null ? [] : Array.isArray(value) ? (value as readonly unknown[]) : [value]).map((frame) => {
    const bytes = toBytes(frame)
    if (bytes === undefined) throw unencodable(`${tagText(tag)} has a frame that is not bytes`)
    return bytes
  })
  const writeItem = (length: number, marker: readonly [number, number] = ITEM): void => {
    writer.uint16(marker[0])
    writer.uint16(marker[1])
    writer.uint32(length)
  }
  writeHeader(tag, 'OB', UNDEFINED_LENGTH, context)
  writeItem(frames.length * 4)
  let offset = 0
  for (const frame of frames) {
    writer.uint32(offset)
    offset += 8 + frame.length + (frame.length & 1)
  }
  for (const frame of frames) {
    writeItem(frame.length + (frame.length & 1))
    writer.bytes(frame)
    if ((frame.length & 1) === 1) writer.uint8(0)
  }
  writeItem(0, SEQUENCE_DELIMITATION)
}

function unencodable(what: string): DicomtapError {
  return new DicomtapError('DICOMTAP_ERR_DS_ENCODE', `The data set cannot be encoded: ${what}`)
}
