import { DicomtapError } from '../errors/index.ts'
import { trimBoth } from './values.ts'
import { hasLongLength, vrFromBytes } from './vr.ts'

/** File Meta Information (PS3.10 table 7.1-1). */
export interface FileMeta {
  /** (0002,0002) Media Storage SOP Class UID */
  readonly sopClassUid: string
  /** (0002,0003) Media Storage SOP Instance UID */
  readonly sopInstanceUid: string
  /** (0002,0010) */
  readonly transferSyntaxUid: string
  /** (0002,0012) */
  readonly implementationClassUid: string
  /** (0002,0013) at most 16 characters */
  readonly implementationVersionName?: string | undefined
  /** (0002,0016) the AE that wrote the file */
  readonly sourceApplicationEntityTitle?: string | undefined
  /** (0002,0017) the AE that sent the object over the network */
  readonly sendingApplicationEntityTitle?: string | undefined
  /** (0002,0018) the AE that received the object over the network */
  readonly receivingApplicationEntityTitle?: string | undefined
}

/** What {@link decodePart10Header} found; files in the field leave mandatory elements out. */
export type DecodedFileMeta = { readonly [K in keyof FileMeta]?: FileMeta[K] }

type Field = readonly [element: number, vr: 'UI' | 'SH' | 'AE', name: keyof FileMeta]

const FIELDS: readonly Field[] = [
  [0x0002, 'UI', 'sopClassUid'],
  [0x0003, 'UI', 'sopInstanceUid'],
  [0x0010, 'UI', 'transferSyntaxUid'],
  [0x0012, 'UI', 'implementationClassUid'],
  [0x0013, 'SH', 'implementationVersionName'],
  [0x0016, 'AE', 'sourceApplicationEntityTitle'],
  [0x0017, 'AE', 'sendingApplicationEntityTitle'],
  [0x0018, 'AE', 'receivingApplicationEntityTitle'],
]
const FIELDS_BY_ELEMENT: ReadonlyMap<number, Field> = new Map(FIELDS.map((field) => [field[0], field]))

const PREAMBLE_BYTES = 128
const PREFIX = 'DICM'
const META_GROUP = 0x0002

/**
 * The start of a DICOM file (PS3.10 7.1): a preamble of zeros, never that of the sender, which could be an
 * executable's header; `DICM`; and File Meta Information in Explicit VR Little Endian. The encoded data set
 * follows it as it is.
 */
export function encodePart10Header(meta: FileMeta): Buffer {
  const fields = FIELDS.filter(([, , name]) => meta[name] !== undefined && meta[name] !== '')
  const valueBytes = fields.reduce((total, [, , name]) => total + 8 + evenLength(meta[name] as string), 0)
  // Group Length counts what follows its own 12 bytes; (0002,0001) takes 12 bytes and a value of 2.
  const groupLength = 14 + valueBytes
  const out = Buffer.alloc(PREAMBLE_BYTES + 4 + 12 + groupLength)
  let at = PREAMBLE_BYTES + out.write(PREFIX, PREAMBLE_BYTES, 'latin1')
  at = writeHeader(out, at, 0x0000, 'UL', 4)
  at = out.writeUInt32LE(groupLength, at)
  at = writeHeader(out, at, 0x0001, 'OB', 2)
  out[at + 1] = 0x01 // File Meta Information Version 00H 01H
  at += 2
  for (const [element, vr, name] of fields) {
    const value = meta[name] as string
    const length = evenLength(value)
    at = writeHeader(out, at, element, vr, length)
    out.write(value, at, 'latin1')
    if (vr !== 'UI' && length > value.length) out[at + value.length] = 0x20
    at += length
  }
  return out
}

function evenLength(value: string): number {
  return value.length + (value.length & 1)
}

function writeHeader(out: Buffer, start: number, element: number, vr: string, length: number): number {
  let at = out.writeUInt16LE(META_GROUP, start)
  at = out.writeUInt16LE(element, at)
  at += out.write(vr, at, 'latin1')
  if (!hasLongLength(vr)) return out.writeUInt16LE(length, at)
  return out.writeUInt32LE(length, at + 2)
}

export interface Part10Header {
  readonly meta: DecodedFileMeta
  /** Where the encoded data set starts. */
  readonly dataSetOffset: number
}

/**
 * Reads the start of a DICOM file. The group length is not relied on, since files exist where it is missing
 * or wrong: the group ends where the first element of another group begins. A value that is all padding
 * counts as absent.
 *
 * @param bytes the first bytes of the file; a few KiB hold any real header
 * @throws DICOMTAP_ERR_DS_MALFORMED when it is no DICOM file, or `bytes` ends within the header
 */
export function decodePart10Header(bytes: Uint8Array): Part10Header {
  const source = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (source.toString('latin1', PREAMBLE_BYTES, PREAMBLE_BYTES + 4) !== PREFIX) {
    throw malformed('"DICM" does not stand at byte 128')
  }
  const meta: { -readonly [K in keyof FileMeta]?: FileMeta[K] } = {}
  let at = PREAMBLE_BYTES + 4
  while (at + 2 <= source.length && source.readUInt16LE(at) === META_GROUP) {
    if (at + 8 > source.length) throw malformed('the file meta information is cut off')
    const element = source.readUInt16LE(at + 2)
    const vr = vrFromBytes(source[at + 4] as number, source[at + 5] as number)
    if (vr === undefined) throw malformed('an element of the file meta information has no valid VR')
    const start = at + (hasLongLength(vr) ? 12 : 8)
    if (start > source.length) throw malformed('the file meta information is cut off')
    const length = hasLongLength(vr) ? source.readUInt32LE(at + 8) : source.readUInt16LE(at + 6)
    if (length > source.length - start) throw malformed('the file meta information is cut off')
    at = start + length
    const name = FIELDS_BY_ELEMENT.get(element)?.[2]
    if (name === undefined || length === 0) continue
    const value = trimBoth(source.toString('latin1', start, at))
    if (value !== '') meta[name] = value
  }
  return { meta, dataSetOffset: at }
}

function malformed(what: string): DicomtapError {
  return new DicomtapError('DICOMTAP_ERR_DS_MALFORMED', `Not a DICOM file: ${what}`)
}
