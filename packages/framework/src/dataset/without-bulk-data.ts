import { DicomtapError } from '../errors/index.ts'
import { BulkDataRemover } from './bulk-data-remover.ts'
import { deflate, inflate } from './deflate-stream.ts'
import type { Pieces } from './deflate-stream.ts'
import { encodingOf } from './structure.ts'

/** Larger pieces are taken part by part, so that the output of one does not pile up. */
const PART_BYTES = 262_144

/**
 * An encoded data set without its bulk data, as Composite Instance Retrieve Without Bulk Data sends it (PS3.4
 * Z.1.3), while it streams and within fixed memory. Left out at the top level are Pixel Data, Float and Double Float
 * Pixel Data, Pixel Data Provider URL, Spectroscopy Data, Overlay Data (60xx,3000), Curve Data (50xx,3000), Audio
 * Sample Data (50xx,200C) and Encapsulated Document, and Waveform Data in the items of Waveform Sequence.
 * Icons keep their pixels.
 *
 * All other elements stay byte by byte as they are, but for two things that would no longer be true: Waveform
 * Sequence and its items get undefined lengths, and group lengths (gggg,0000) of groups that have such an attribute,
 * and Length to End (0008,0001), are left out. A deflated data set is inflated and deflated again.
 *
 * Nothing is drawn from `source` before the first piece is asked for; pieces given must not change afterwards.
 * Iterating may throw DICOMTAP_ERR_DS_MALFORMED, DICOMTAP_ERR_DS_TOO_LARGE for sequences nested deeper than 64, and
 * what `source` throws.
 *
 * @param transferSyntaxUid that of `source` and of what is given; private ones are taken for Explicit VR Little Endian
 * @throws DICOMTAP_ERR_DS_ENCODE for Explicit VR Big Endian
 * @example
 * const header = withoutBulkData(createReadStream(path, { start: dataSetOffset }), TransferSyntax.JPEG2000Lossless)
 */
export function withoutBulkData(source: Uint8Array | Pieces, transferSyntaxUid: string): AsyncIterable<Uint8Array> {
  const { bigEndian, deflated, explicitVr } = encodingOf(transferSyntaxUid)
  if (bigEndian) {
    throw new DicomtapError('DICOMTAP_ERR_DS_ENCODE', 'Bulk data is not taken out of data sets in Explicit VR Big Endian')
  }
  const pieces: Pieces = source instanceof Uint8Array ? [source] : source
  return deflated ? deflate(removed(inflate(pieces), explicitVr)) : removed(pieces, explicitVr)
}

async function* removed(pieces: Pieces, explicitVr: boolean): AsyncGenerator<Uint8Array, void, undefined> {
  const remover = new BulkDataRemover(explicitVr)
  for await (const piece of pieces) {
    for (let at = 0; at < piece.length; at += PART_BYTES) yield* remover.push(piece.subarray(at, at + PART_BYTES))
  }
  yield* remover.end()
}
