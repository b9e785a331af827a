import { decodePart10Header } from '../../dataset/file-meta.ts'
import { DataSetHeadParser } from '../../dataset/head-parser.ts'
import { isValidUid, transferSyntaxByUid } from '../../dataset/registry.ts'
import { TransferSyntax } from '../../dataset/transfer-syntaxes.ts'
import { VRS } from '../../dataset/vr.ts'
import type { CStoreOptions } from '../user-types.ts'

/** What the start of an encoded object says about it. */
export interface StoreHead {
  readonly sopClassUid: string
  readonly sopInstanceUid: string
  readonly transferSyntaxUid: string
  /** Where the encoded data set starts. */
  readonly dataSetOffset: number
}

/** Why an object cannot be sent, in words that complete "... cannot be sent: it ...". */
export class UnusableObject extends Error {}

/** More bytes are needed to tell. */
export const MORE: unique symbol = Symbol('more')

const SOP_CLASS_UID = 0x00080016
const SOP_INSTANCE_UID = 0x00080018

/** A UID with at most one byte of padding. */
const DIGITS_AND_DOTS = /^([\d.]+)[\0 ]?$/
const PREAMBLE_BYTES = 128
const PREFIX = 'DICM'

interface Located {
  readonly sopClassUid?: string | undefined
  readonly sopInstanceUid?: string | undefined
  readonly transferSyntaxUid?: string | undefined
  readonly dataSetOffset: number
}

/**
 * Tells what an object is from its first bytes: a DICOM file (PS3.10 7), one whose preamble is missing, or
 * nothing but a data set. SOP class and instance are those of the data set, which the SCP will read; where it
 * has none, those of the file meta information, then those of `options`. When `options` name others than the
 * object has, one of the two is wrong, and the object is not sent.
 *
 * @param isWhole there are no more bytes
 * @throws UnusableObject
 */
export function parseStoreHead(bytes: Buffer, isWhole: boolean, options: CStoreOptions): StoreHead | typeof MORE {
  if (bytes.length === 0 && isWhole) throw new UnusableObject('is empty')
  const located = locate(bytes, isWhole)
  if (located === MORE) return MORE
  const dataSet = bytes.subarray(located.dataSetOffset)
  if (dataSet.length === 0) {
    if (isWhole) throw new UnusableObject('ends before its data set')
    return MORE
  }
  const transferSyntaxUid =
    agreed('transferSyntaxUid', located.transferSyntaxUid, options.transferSyntaxUid) ?? recognize(dataSet)
  if (transferSyntaxUid === undefined) throw new UnusableObject('is no DICOM file, and options.transferSyntaxUid is not given')

  const head = new DataSetHeadParser(transferSyntaxUid, [SOP_CLASS_UID, SOP_INSTANCE_UID])
  const encoding = transferSyntaxByUid(transferSyntaxUid)?.encoding
  if (!head.push(dataSet)) {
    if (!isWhole) return MORE
    head.end()
    // Of a deflated one it is not told whether it ended or was cut off.
    if (encoding?.deflated === false && !head.values.has(SOP_INSTANCE_UID)) throw new UnusableObject('is cut off')
  }
  if (head.isMalformed && encoding !== undefined) {
    throw new UnusableObject('has a data set that is malformed, or in another transfer syntax than it says')
  }
  const sopClassUid = uidOf(head, SOP_CLASS_UID) || located.sopClassUid
  const sopInstanceUid = uidOf(head, SOP_INSTANCE_UID) || located.sopInstanceUid
  return {
    sopClassUid: uid('SOP Class UID', 'sopClassUid', sopClassUid, options),
    sopInstanceUid: uid('SOP Instance UID', 'sopInstanceUid', sopInstanceUid, options),
    transferSyntaxUid,
    dataSetOffset: located.dataSetOffset,
  }
}

/** Of digits and dots no character set makes anything else. */
function uidOf(head: DataSetHeadParser, tag: number): string | undefined {
  const value = head.values.get(tag)
  if (value === undefined) return undefined
  const text = Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('latin1')
  return DIGITS_AND_DOTS.exec(text)?.[1] ?? head.text(tag)
}

function locate(bytes: Buffer, isWhole: boolean): Located | typeof MORE {
  if (bytes.length < PREAMBLE_BYTES + PREFIX.length && !isWhole) return MORE
  if (bytes.toString('latin1', PREAMBLE_BYTES, PREAMBLE_BYTES + PREFIX.length) === PREFIX) return readMeta(bytes, 0, isWhole)
  // File meta information without preamble: it begins with its group length (0002,0000).
  if (bytes.length >= 4 && bytes.readUInt32LE(0) === 0x00000002) {
    const preamble = Buffer.alloc(PREAMBLE_BYTES + PREFIX.length)
    preamble.write(PREFIX, PREAMBLE_BYTES, 'latin1')
    return readMeta(Buffer.concat([preamble, bytes]), preamble.length, isWhole)
  }
  return { dataSetOffset: 0 }
}

function readMeta(bytes: Buffer, addedBytes: number, isWhole: boolean): Located | typeof MORE {
  try {
    const { meta, dataSetOffset } = decodePart10Header(bytes)
    if (dataSetOffset + 2 > bytes.length && !isWhole) return MORE
    const { sopClassUid, sopInstanceUid, transferSyntaxUid } = meta
    return { sopClassUid, sopInstanceUid, transferSyntaxUid, dataSetOffset: dataSetOffset - addedBytes }
  } catch {
    if (!isWhole) return MORE
    throw new UnusableObject('has file meta information that is malformed or cut off')
  }
}

/**
 * The transfer syntax of a data set that nothing tells it of. Data sets begin with group 0008; two letters
 * after the tag are a VR, as no length of the first elements is that large.
 */
function recognize(dataSet: Buffer): string | undefined {
  if (dataSet.length < 8 || dataSet.readUInt16LE(0) !== 0x0008) return undefined
  const isExplicit = VRS[dataSet.toString('latin1', 4, 6)] !== undefined
  return isExplicit ? TransferSyntax.ExplicitVRLittleEndian : TransferSyntax.ImplicitVRLittleEndian
}

type UidOption = 'sopClassUid' | 'sopInstanceUid' | 'transferSyntaxUid'

function agreed(option: UidOption, found: string | undefined, given: string | undefined): string | undefined {
  if (found === undefined || found === '') return given
  if (given !== undefined && given !== found) throw new UnusableObject(`has another UID than options.${option}`)
  return found
}

/** @throws UnusableObject without a UID, with one that differs from that of `options`, or that is none. */
export function uid(label: string, option: UidOption, found: string | undefined, options: CStoreOptions): string {
  const value = agreed(option, found, options[option])
  if (value === undefined) throw new UnusableObject(`has no ${label}, and options.${option} is not given`)
  if (!isValidUid(value, 'lenient')) throw new UnusableObject(`has a ${label} that is no UID`)
  return value
}
