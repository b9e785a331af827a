import { decodePart10Header, transferSyntaxByUid } from '@dicomtap/framework'
import type { Element, Item } from './element-reader.ts'
import { ElementReader } from './element-reader.ts'
import type { FileWindow } from './file-window.ts'
import { cannotCreate, cannotExtract } from './refused.ts'

const HEAD_BYTES = 65_536
const MAXIMUM_FRAMES = 250_000
/** A Decimal String and a backslash for each frame. */
const MAXIMUM_VALUE_BYTES = 17 * MAXIMUM_FRAMES

const NUMBER_OF_FRAMES = 0x00280008
const PER_FRAME_FUNCTIONAL_GROUPS = 0x52009230
/** Float Pixel Data, Double Float Pixel Data, Pixel Data. */
const PIXEL_DATA: ReadonlySet<number> = new Set([0x7fe00008, 0x7fe00009, 0x7fe00010])

/** A multi-frame image in a file: where its elements are, and the values of those that are asked for. */
export class SourceImage {
  readonly sopClassUid: string
  readonly transferSyntaxUid: string
  readonly explicitVr: boolean
  readonly encapsulated: boolean
  readonly reader: ElementReader
  /** Before the pixel data, in the order of the file. */
  readonly elements: readonly Element[]
  readonly pixelData: Element
  readonly numberOfFrames: number
  /** Of Per-frame Functional Groups Sequence, one for each frame; empty without it. */
  readonly perFrameItems: readonly Item[]
  readonly #byTag: ReadonlyMap<number, Element>

  private constructor(fields: Pick<SourceImage, 'sopClassUid' | 'transferSyntaxUid' | 'explicitVr' | 'encapsulated' | 'reader' | 'elements' | 'pixelData' | 'numberOfFrames' | 'perFrameItems'>, byTag: ReadonlyMap<number, Element>) {
    this.sopClassUid = fields.sopClassUid
    this.transferSyntaxUid = fields.transferSyntaxUid
    this.explicitVr = fields.explicitVr
    this.encapsulated = fields.encapsulated
    this.reader = fields.reader
    this.elements = fields.elements
    this.pixelData = fields.pixelData
    this.numberOfFrames = fields.numberOfFrames
    this.perFrameItems = fields.perFrameItems
    this.#byTag = byTag
  }

  /**
   * @throws StatusError AA01 for what is no multi-frame image, AA02 for what cannot be cut
   * @throws DICOMTAP_ERR_DS_MALFORMED for what is no DICOM file
   */
  static async read(window: FileWindow, sopInstanceUid: string, signal?: AbortSignal): Promise<SourceImage> {
    const head = decodePart10Header(await window.view(0, Math.min(HEAD_BYTES, window.size)))
    const { sopClassUid, transferSyntaxUid } = head.meta
    if (head.meta.sopInstanceUid !== sopInstanceUid || sopClassUid === undefined) throw cannotExtract('The file is another instance')
    const encoding = transferSyntaxByUid(transferSyntaxUid ?? '')?.encoding
    if (transferSyntaxUid === undefined || encoding === undefined || encoding.bigEndian || encoding.deflated) {
      throw cannotExtract('Frames are not cut out of this transfer syntax')
    }
    const { explicitVr, encapsulated } = encoding
    const reader = new ElementReader(window, signal)
    const elements: Element[] = []
    const byTag = new Map<number, Element>()
    let pixelData: Element | undefined
    for (let at = head.dataSetOffset; at < window.size && pixelData === undefined; ) {
      const header = await reader.header(at, window.size, explicitVr)
      // The fragments are for who cuts them.
      if (PIXEL_DATA.has(header.tag)) pixelData = { ...header, explicitItems: explicitVr, end: window.size }
      else {
        const element = await reader.element(at, window.size, explicitVr)
        elements.push(element)
        if (byTag.has(element.tag)) throw cannotExtract('The object has an attribute twice')
        byTag.set(element.tag, element)
        at = element.end
      }
    }
    const framesElement = byTag.get(NUMBER_OF_FRAMES)
    if (framesElement === undefined || pixelData === undefined) throw cannotCreate('The instance is no multi-frame image')
    const numberOfFrames = Number((await reader.value(framesElement, 64)).toString('latin1').replaceAll('\0', ''))
    if (!Number.isInteger(numberOfFrames) || numberOfFrames < 1 || numberOfFrames > MAXIMUM_FRAMES) {
      throw cannotExtract('Number of Frames is not in order')
    }
    const perFrameItems = await itemsOf(reader, byTag.get(PER_FRAME_FUNCTIONAL_GROUPS), numberOfFrames)
    return new SourceImage({ sopClassUid, transferSyntaxUid, explicitVr, encapsulated, reader, elements, pixelData, numberOfFrames, perFrameItems }, byTag)
  }

  element(tag: number): Element | undefined {
    return this.#byTag.get(tag)
  }

  /** Undefined when the attribute is absent or has no value. */
  async bytes(tag: number): Promise<Buffer | undefined> {
    const element = this.#byTag.get(tag)
    if (element === undefined || element.length === 0) return undefined
    return this.reader.value(element, MAXIMUM_VALUE_BYTES)
  }

  /** The values of text, as they stand there; empty when there are none. */
  async texts(tag: number): Promise<string[]> {
    const bytes = await this.bytes(tag)
    return bytes === undefined ? [] : bytes.toString('latin1').split('\\', MAXIMUM_FRAMES + 1)
  }

  /** Of an IS or DS. */
  async number(tag: number): Promise<number | undefined> {
    const [text] = await this.texts(tag)
    return text === undefined ? undefined : numberOf(text)
  }

  /** Of a US. */
  async uint16s(tag: number): Promise<number[]> {
    const bytes = (await this.bytes(tag)) ?? Buffer.alloc(0)
    return Array.from({ length: bytes.length >>> 1 }, (_, index) => bytes.readUInt16LE(index * 2))
  }

  /** Of an AT. */
  async tags(tag: number): Promise<number[]> {
    const words = await this.uint16s(tag)
    return Array.from({ length: words.length >>> 1 }, (_, index) => (words[index * 2] ?? 0) * 0x10000 + (words[index * 2 + 1] ?? 0))
  }
}

/** NaN for what is none. */
export function numberOf(text: string): number {
  const trimmed = text.replaceAll('\0', '').trim()
  return trimmed === '' ? Number.NaN : Number(trimmed)
}

async function itemsOf(reader: ElementReader, sequence: Element | undefined, numberOfFrames: number): Promise<Item[]> {
  const items: Item[] = []
  if (sequence === undefined) return items
  for await (const item of reader.items(sequence)) {
    if (items.length === numberOfFrames) throw cannotExtract('Functional groups do not fit Number of Frames')
    items.push(item)
  }
  if (items.length !== numberOfFrames) throw cannotExtract('Functional groups do not fit Number of Frames')
  return items
}
