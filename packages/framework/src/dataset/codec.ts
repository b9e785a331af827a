import { promisify } from 'node:util'
import { deflateRaw, inflateRaw } from 'node:zlib'
import { DicomtapError } from '../errors/index.ts'
import { inTurns } from '../turns.ts'
import { buildInPieces } from './decode.ts'
import type { DecodeLimits } from './decode.ts'
import { loadDictionary } from './dictionary.ts'
import { writeDataSet } from './encode.ts'
import { encodingOf } from './structure.ts'
import type { DataSet } from './types.ts'

export interface DecodeOptions extends DecodeLimits {
  /** Bytes that a deflated data set may inflate to; default 256 MiB. */
  readonly maximumInflatedBytes?: number | undefined
}

const DEFAULT_INFLATED_BYTES = 256 * 1024 * 1024

const inflate = promisify<Uint8Array, { maxOutputLength: number }, Buffer>(inflateRaw)
const deflate = promisify<Uint8Array, Buffer>(deflateRaw)

/**
 * Decodes a data set to dcmjs's naturalized form, after its structure was checked. The values own their
 * memory; `bytes` may be reused once it is there. A large one is decoded in pieces, and others have their turn
 * between them.
 *
 * @throws DICOMTAP_ERR_DS_MALFORMED when a length, a VR or a delimiter is wrong
 * @throws DICOMTAP_ERR_DS_TOO_LARGE beyond a limit of `options`
 */
export async function decodeDataSet(
  bytes: Uint8Array,
  transferSyntaxUid: string,
  options: DecodeOptions = {},
): Promise<DataSet> {
  const encoding = encodingOf(transferSyntaxUid)
  const source = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const dictionary = await loadDictionary()
  const plain = encoding.deflated ? await inflateDataSet(source, options) : source
  if (plain !== source) options.claimMemory?.(plain.length)
  return inTurns(buildInPieces(plain, encoding, dictionary, options))
}

async function inflateDataSet(bytes: Buffer, options: DecodeOptions): Promise<Buffer> {
  const maxOutputLength = options.maximumInflatedBytes ?? DEFAULT_INFLATED_BYTES
  if (bytes.length === 0) return bytes
  try {
    return await inflate(bytes, { maxOutputLength })
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') {
      throw new DicomtapError('DICOMTAP_ERR_DS_TOO_LARGE', `The data set inflates to more than ${maxOutputLength} bytes`)
    }
    throw new DicomtapError('DICOMTAP_ERR_DS_MALFORMED', 'The data set cannot be inflated', { cause })
  }
}

/**
 * Encodes a data set in a transfer syntax. Elements are sorted by tag, sequences get defined lengths, text
 * follows Specific Character Set (0008,0005); when that is absent or lacks a character, the data set is
 * written as UTF-8 and says so. In encapsulated transfer syntaxes Pixel Data must be the compressed frames;
 * nothing is compressed here.
 *
 * @throws DICOMTAP_ERR_DS_ENCODE when a keyword is unknown or a value does not fit its VR
 */
export async function encodeDataSet(dataset: DataSet, transferSyntaxUid: string): Promise<Buffer> {
  const encoding = encodingOf(transferSyntaxUid)
  const plain = writeDataSet(dataset, encoding, await loadDictionary())
  if (!encoding.deflated) return plain
  const deflated = await deflate(plain)
  return (deflated.length & 1) === 0 ? deflated : Buffer.concat([deflated, Buffer.alloc(1)])
}
