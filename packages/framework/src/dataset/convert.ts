import { DicomtapError } from '../errors/index.ts'
import { ElementConverter } from './convert-elements.ts'
import { deflate, inflate } from './deflate-stream.ts'
import type { Pieces } from './deflate-stream.ts'
import { loadDictionary } from './dictionary.ts'
import { transferSyntaxByUid } from './registry.ts'
import { TransferSyntax } from './transfer-syntaxes.ts'
import type { TransferSyntaxEncoding } from './transfer-syntaxes.ts'

/** Larger pieces are converted part by part, so that the output of one does not pile up. */
const PART_BYTES = 262_144

/**
 * Can {@link convertDataSet} convert between these transfer syntaxes? Both must be one of Implicit VR Little
 * Endian, Explicit VR Little Endian and Deflated Explicit VR Little Endian.
 */
export function canConvertDataSet(from: string, to: string): boolean {
  return nativeLittleEndian(from) !== undefined && nativeLittleEndian(to) !== undefined
}

const CONVERTIBLE: ReadonlySet<string> = new Set([
  TransferSyntax.ImplicitVRLittleEndian,
  TransferSyntax.ExplicitVRLittleEndian,
  TransferSyntax.DeflatedExplicitVRLittleEndian,
])

function nativeLittleEndian(uid: string): TransferSyntaxEncoding | undefined {
  return CONVERTIBLE.has(uid) ? transferSyntaxByUid(uid)?.encoding : undefined
}

/**
 * Converts an encoded data set between uncompressed little endian transfer syntaxes while it streams, within
 * fixed memory whatever its size. No element is lost, values stay byte by byte as they are.
 *
 * Between Implicit and Explicit VR sequences and items are written with undefined length, and group lengths
 * (gggg,0000) are left out, because they would be wrong. VRs come from the dictionary of PS3.6; attributes
 * it does not know, private ones among them, and values too long for their VR become UN (PS3.5 6.2.2). Between
 * Explicit VR and Deflated Explicit VR the data set is compressed or inflated and nothing else.
 *
 * Nothing is drawn from `source` before the first piece is asked for; pieces given must not change afterwards.
 * Iterating may throw DICOMTAP_ERR_DS_MALFORMED, DICOMTAP_ERR_DS_TOO_LARGE for sequences nested deeper than
 * 64, and what `source` throws.
 *
 * @throws DICOMTAP_ERR_DS_ENCODE for other transfer syntaxes; see {@link canConvertDataSet}
 * @example
 * const bytes = convertDataSet(createReadStream(path, { start }), TransferSyntax.ExplicitVRLittleEndian,
 *   TransferSyntax.ImplicitVRLittleEndian)
 */
export function convertDataSet(source: Uint8Array | Pieces, from: string, to: string): AsyncIterable<Uint8Array> {
  const input = nativeLittleEndian(from)
  const output = nativeLittleEndian(to)
  if (input === undefined || output === undefined) {
    throw new DicomtapError('DICOMTAP_ERR_DS_ENCODE', `Data sets are not converted from ${from} to ${to}`)
  }
  let pieces: Pieces = source instanceof Uint8Array ? [source] : source
  if (from !== to) {
    if (input.deflated) pieces = inflate(pieces)
    if (input.explicitVr !== output.explicitVr) pieces = convertElements(pieces, input.explicitVr)
    if (output.deflated) pieces = deflate(pieces)
  }
  return given(pieces)
}

async function* given(pieces: Pieces): AsyncGenerator<Uint8Array, void, undefined> {
  yield* pieces
}

async function* convertElements(pieces: Pieces, fromExplicit: boolean): AsyncGenerator<Uint8Array, void, undefined> {
  const converter = new ElementConverter(fromExplicit, !fromExplicit, await loadDictionary())
  for await (const piece of pieces) {
    for (let at = 0; at < piece.length; at += PART_BYTES) yield* converter.push(piece.subarray(at, at + PART_BYTES))
  }
  yield* converter.end()
}
