import { ALL_TRANSFER_SYNTAXES, DEFAULT_TRANSFER_SYNTAXES, isValidUid, TRANSFER_SYNTAXES, TransferSyntax, transferSyntaxByKeyword } from '@dicomtap/framework'
import { UsageError } from './exit.ts'

/** Short names for --transfer-syntax. */
export const TRANSFER_SYNTAX_NAMES: Readonly<Record<string, readonly string[]>> = {
  implicit: [TransferSyntax.ImplicitVRLittleEndian],
  explicit: [TransferSyntax.ExplicitVRLittleEndian],
  'big-endian': [TransferSyntax.ExplicitVRBigEndian],
  deflated: [TransferSyntax.DeflatedExplicitVRLittleEndian],
  uncompressed: DEFAULT_TRANSFER_SYNTAXES,
  jpeg: [TransferSyntax.JPEGBaseline8Bit],
  'jpeg-extended': [TransferSyntax.JPEGExtended12Bit],
  'jpeg-lossless': [TransferSyntax.JPEGLosslessSV1],
  'jpeg-ls': [TransferSyntax.JPEGLSLossless],
  'jpeg-ls-near': [TransferSyntax.JPEGLSNearLossless],
  'jpeg2000-lossless': [TransferSyntax.JPEG2000Lossless],
  jpeg2000: [TransferSyntax.JPEG2000],
  'htj2k-lossless': [TransferSyntax.HTJ2KLossless],
  htj2k: [TransferSyntax.HTJ2K],
  rle: [TransferSyntax.RLELossless],
  all: ALL_TRANSFER_SYNTAXES,
}

/**
 * The UIDs that --transfer-syntax names, in order, each once; undefined when it was not given.
 * @throws UsageError for a name that is none.
 */
export function transferSyntaxUids(names: readonly string[] | undefined): readonly string[] | undefined {
  return names === undefined ? undefined : [...new Set(names.flatMap(uidsOf))]
}

function uidsOf(name: string): readonly string[] {
  const short = Object.hasOwn(TRANSFER_SYNTAX_NAMES, name.toLowerCase()) ? TRANSFER_SYNTAX_NAMES[name.toLowerCase()] : undefined
  const entry = transferSyntaxByKeyword(name) ?? TRANSFER_SYNTAXES.find(({ keyword }) => keyword.toLowerCase() === name.toLowerCase())
  if (short !== undefined) return short
  if (entry !== undefined) return [entry.uid]
  if (isValidUid(name)) return [name]
  throw new UsageError(
    `--transfer-syntax: '${name}' is no UID, no keyword such as ExplicitVRLittleEndian and none of the short names ${Object.keys(TRANSFER_SYNTAX_NAMES).join(', ')}`,
  )
}
