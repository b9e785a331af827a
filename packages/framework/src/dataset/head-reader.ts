import { DicomtapError } from '../errors/index.ts'
import { AttributeScanner } from './attribute-scanner.ts'
import { buildDataSet } from './decode.ts'
import type { Dictionary } from './dictionary.ts'
import { encodingOf } from './structure.ts'
import type { DataSet } from './types.ts'

/** An element as it is encoded: tag, VR, length and value. */
export interface EncodedElement {
  readonly tag: number
  readonly bytes: Buffer
}

/** Reads attributes of data sets of which the beginning is in memory. */
export interface HeadReader {
  /**
   * The wanted top-level elements, in their order: views of `head`. Undefined where the beginning does not tell: some
   * may stand behind its end, or the data set is deflated, malformed or very large. Then the file does, see
   * {@link readFileAttributes}.
   * @param isWhole whether the data set ends with `head`
   */
  pick(head: Uint8Array, transferSyntaxUid: string, isWhole: boolean): readonly EncodedElement[] | undefined
  /** Some of the elements that were picked, as {@link decodeDataSet} gives them. @throws DICOMTAP_ERR_DS_MALFORMED */
  decode(elements: readonly EncodedElement[], transferSyntaxUid: string): DataSet
}

const PIXEL_GROUP = 0x7fe00000
const MAXIMUM_HEAD_BYTES = 1_048_576
const SPECIFIC_CHARACTER_SET = 0x00080005
/** Decides what other elements mean: US or SS (PS3.6). */
const PIXEL_REPRESENTATION = 0x00280103

/**
 * A reader of attributes by their tags. Specific Character Set and Pixel Representation are always picked; nothing is
 * from Pixel Data on, and from what describes it.
 *
 * @example
 * const reader = headReader([0x00100020, 0x0020000d], await loadDictionary())
 * storageHooks(ae).instanceStored.tap('mine', ({ dataSetHead, dataSetBytes, transferSyntaxUid }) => {
 *   const elements = dataSetHead && reader.pick(dataSetHead, transferSyntaxUid, dataSetBytes === dataSetHead.length)
 *   const dataset = elements && reader.decode(elements, transferSyntaxUid)
 * })
 */
export function headReader(tags: Iterable<number>, dictionary: Dictionary): HeadReader {
  const asked = [...tags]
  const wanted = new Set([...asked, SPECIFIC_CHARACTER_SET, PIXEL_REPRESENTATION])
  const stopBefore = Math.min(PIXEL_GROUP, Math.max(...asked, SPECIFIC_CHARACTER_SET) + 1)
  const isWanted = (tag: number): boolean => wanted.has(tag)
  return {
    pick(head, transferSyntaxUid, isWhole) {
      const encoding = encodingOf(transferSyntaxUid)
      if (encoding.deflated || head.length > MAXIMUM_HEAD_BYTES) return undefined
      const limit = head.length
      const scanner = new AttributeScanner({
        encoding, vrOf: dictionary.vrOf, isWanted, stopBefore, maximumValueBytes: limit, maximumPickedBytes: limit, maximumElements: limit,
      })
      if (!scanOnce(scanner, asBuffer(head), isWhole)) return undefined
      return scanner.picked.map((bytes) => ({ tag: tagAt(bytes, encoding.bigEndian), bytes }))
    },
    decode(elements, transferSyntaxUid) {
      const encoding = encodingOf(transferSyntaxUid)
      return buildDataSet(Buffer.concat(elements.map(({ bytes }) => bytes)), encoding, dictionary, {})
    },
  }
}

/** Whether the end was reached, of the data set or of what is wanted, in a piece that nobody has to wait for. */
function scanOnce(scanner: AttributeScanner, window: Buffer, isWhole: boolean): boolean {
  try {
    return scanner.scan(window, 0, isWhole) === 'finished'
  } catch (error) {
    if (error instanceof DicomtapError) return false
    throw error
  }
}

function tagAt(bytes: Buffer, bigEndian: boolean): number {
  return bigEndian ? bytes.readUInt16BE(0) * 0x10000 + bytes.readUInt16BE(2) : bytes.readUInt16LE(0) * 0x10000 + bytes.readUInt16LE(2)
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
