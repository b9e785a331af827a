import { encodeDataSet } from '../../dataset/codec.ts'
import { canConvertDataSet, convertDataSet } from '../../dataset/convert.ts'
import { TransferSyntax } from '../../dataset/transfer-syntaxes.ts'
import type { DataSet } from '../../dataset/types.ts'
import { DicomtapError } from '../../errors/index.ts'
import type { DataSetBytes } from '../fragmenter.ts'
import { madeWhole } from '../made-whole.ts'
import type { CStoreOptions, CStoreSource, StoreBytes } from '../user-types.ts'
import { StoreFile } from './store-file.ts'
import { MORE, UnusableObject, parseStoreHead, uid } from './store-head.ts'

/** What a C-STORE sends, before a presentation context is chosen for it. */
export interface StoreObject {
  readonly sopClassUid: string
  readonly sopInstanceUid: string
  /** Undefined: a data set that is encoded in whatever the context has. */
  readonly transferSyntaxUid: string | undefined
  /** Can it be had in this transfer syntax? Always in its own. */
  canConvertTo(transferSyntaxUid: string): boolean
  /** The encoded data set in that transfer syntax. Opens the file; call it once. */
  bytesIn(transferSyntaxUid: string): DataSetBytes | Promise<DataSetBytes>
  /** As `bytesIn`, where the bytes are in memory already as they are to be sent; undefined: `bytesIn` has them. */
  bytesAtOnceIn?(transferSyntaxUid: string): Uint8Array | undefined
  /** Lets go of the file, if one is open. */
  close(): Promise<void>
}

/**
 * Finds out what an object is: SOP class, instance and transfer syntax (PS3.7 9.3.1.1). Of a file only the
 * head is read, and nothing of it kept.
 *
 * @throws DICOMTAP_ERR_DIMSE_REQUEST when it cannot be sent; the message names the file and the reason
 */
export async function openStoreSource(source: CStoreSource, options: CStoreOptions): Promise<StoreObject> {
  if (typeof source === 'string' || source instanceof URL) {
    const file = await StoreFile.open(source, options)
    return encoded(file.head, () => file.bytes(), () => file.close())
  }
  if (source instanceof Uint8Array) return named('The object', () => fromBytes(source, options))
  if (isStoreBytes(source)) return named('The object', () => fromStoreBytes(source, options))
  if (typeof source !== 'object' || source === null) {
    throw new DicomtapError('DICOMTAP_ERR_DIMSE_REQUEST', 'cStore takes a path, a file URL, bytes or a data set')
  }
  return named('The data set', () => fromDataSet(source, options))
}

/**
 * As {@link openStoreSource}, in one turn: for small files on a disk that answers at once. Undefined where that is not
 * the way.
 */
export function openStoreSourceAtOnce(source: CStoreSource, options: CStoreOptions): StoreObject | undefined {
  if (typeof source !== 'string' && !(source instanceof URL)) return undefined
  const file = StoreFile.openWhole(source, options)
  if (file === undefined) return undefined
  return encoded(file.head, () => file.bytes(), () => file.close(), () => file.takeDataSet())
}

function named(what: string, open: () => StoreObject): StoreObject {
  try {
    return open()
  } catch (error) {
    if (!(error instanceof UnusableObject)) throw error
    throw new DicomtapError('DICOMTAP_ERR_DIMSE_REQUEST', `${what} cannot be sent: it ${error.message}`)
  }
}

function isStoreBytes(source: DataSet | StoreBytes): source is StoreBytes {
  return typeof source === 'object' && source !== null && typeof source['bytes'] === 'function'
}

interface Identity {
  readonly sopClassUid: string
  readonly sopInstanceUid: string
  readonly transferSyntaxUid: string
}

/** An object that is encoded already: its bytes as they are, or converted. */
function encoded(
  { sopClassUid, sopInstanceUid, transferSyntaxUid }: Identity,
  bytes: () => DataSetBytes | Promise<DataSetBytes>,
  close: () => Promise<void> = async () => {},
  bytesAtOnce: () => Uint8Array | undefined = () => undefined,
): StoreObject {
  return {
    sopClassUid,
    sopInstanceUid,
    transferSyntaxUid,
    canConvertTo: (other) => other === transferSyntaxUid || canConvertDataSet(transferSyntaxUid, other),
    bytesIn: async (other) =>
      other === transferSyntaxUid ? bytes() : madeWhole(await bytes(), (all) => convertDataSet(all, transferSyntaxUid, other)),
    bytesAtOnceIn: (other) => (other === transferSyntaxUid ? bytesAtOnce() : undefined),
    close,
  }
}

function fromBytes(source: Uint8Array, options: CStoreOptions): StoreObject {
  const bytes = Buffer.from(source.buffer, source.byteOffset, source.byteLength)
  const head = parseStoreHead(bytes, true, options)
  if (head === MORE) throw new UnusableObject('is incomplete')
  return encoded(head, () => bytes.subarray(head.dataSetOffset))
}

function fromStoreBytes(source: StoreBytes, options: CStoreOptions): StoreObject {
  const identity: Identity = {
    sopClassUid: uid('SOP Class UID', 'sopClassUid', source.sopClassUid, options),
    sopInstanceUid: uid('SOP Instance UID', 'sopInstanceUid', source.sopInstanceUid, options),
    transferSyntaxUid: uid('Transfer Syntax UID', 'transferSyntaxUid', source.transferSyntaxUid, options),
  }
  return encoded(identity, () => source.bytes())
}

/**
 * A data set is encoded in the transfer syntax of the context, unless it is compressed or `options` say which
 * one. What `options` name and it lacks goes into it: the SCP looks there.
 */
function fromDataSet(source: DataSet, options: CStoreOptions): StoreObject {
  const sopClassUid = uid('SOP Class UID', 'sopClassUid', textOf(source['SOPClassUID']), options)
  const sopInstanceUid = uid('SOP Instance UID', 'sopInstanceUid', textOf(source['SOPInstanceUID']), options)
  const transferSyntaxUid = options.transferSyntaxUid ?? compressedSyntaxOf(source)
  return {
    sopClassUid,
    sopInstanceUid,
    transferSyntaxUid,
    canConvertTo: (other) =>
      other === transferSyntaxUid || (isNative(other) && (transferSyntaxUid === undefined || isNative(transferSyntaxUid))),
    bytesIn: (other) => encodeDataSet({ ...source, SOPClassUID: sopClassUid, SOPInstanceUID: sopInstanceUid }, other),
    close: async () => {},
  }
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}

/** In others Pixel Data is compressed or elsewhere; of private ones nothing is known. */
function isNative(transferSyntaxUid: string): boolean {
  return canConvertDataSet(transferSyntaxUid, transferSyntaxUid) || transferSyntaxUid === TransferSyntax.ExplicitVRBigEndian
}

/** Which compression the frames have is said in `_meta`, where dcmjs leaves the file meta information. */
function compressedSyntaxOf({ _meta: meta }: DataSet): string | undefined {
  const element: unknown = (meta as { TransferSyntaxUID?: unknown } | null | undefined)?.TransferSyntaxUID
  const value = textOf(element) ?? textOf((element as { Value?: unknown[] } | null | undefined)?.Value?.[0])
  return value === undefined || isNative(value) ? undefined : value
}
