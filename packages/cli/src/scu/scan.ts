import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { DataSetHeadParser, decodePart10Header, DicomtapError, isValidUid, SopClass, TransferSyntax } from '@dicomtap/framework'
import type { Part10Header } from '@dicomtap/framework'
import type { Found } from './walk.ts'

/** What one file turned out to be. */
export type Scanned = InstanceFile | SkippedFile | UnusableFile

/** A DICOM file that can be sent. */
export interface InstanceFile {
  readonly kind: 'instance'
  readonly path: string
  readonly sizeBytes: number
  readonly sopClassUid: string
  readonly sopInstanceUid: string
  readonly transferSyntaxUid: string
}
export interface SkippedFile {
  readonly kind: 'skipped'
  readonly path: string
  readonly why: 'not DICOM' | 'DICOMDIR'
}
/** It cannot be read, or is a DICOM file that lacks what a C-STORE needs. */
export interface UnusableFile {
  readonly kind: 'unusable'
  readonly path: string
  readonly message: string
}

/** Files looked at at once. */
const PARALLEL = 16
/** How much of the start is looked at, until it tells what the file is; the first is enough for nearly all. */
const HEAD_BYTES = [4096, 65_536, 1_048_576] as const
/** Opening a named pipe must not wait for who writes into it. Windows does not have the flag. */
const OPEN_FLAGS = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0)
const MORE: unique symbol = Symbol('more')
const PREAMBLE_BYTES = 128
const PREAMBLE = Buffer.concat([Buffer.alloc(PREAMBLE_BYTES), Buffer.from('DICM')])
const SOP_CLASS_UID = 0x00080016
const SOP_INSTANCE_UID = 0x00080018

/** Looks at the head of each file, several at once, and tells in their order. */
export async function* scanFiles(files: AsyncIterable<Found>): AsyncGenerator<Scanned, void, undefined> {
  const ahead: Promise<Scanned>[] = []
  for await (const found of files) {
    ahead.push('error' in found ? Promise.resolve(unreadable(found.path, found.error)) : scanFile(found.path))
    if (ahead.length >= PARALLEL) yield ahead.shift() as Promise<Scanned>
  }
  for (const scanned of ahead) yield scanned
}

/** Never rejects: what is wrong with a file is said by its result. */
export async function scanFile(path: string): Promise<Scanned> {
  let file: FileHandle | undefined
  try {
    file = await open(path, OPEN_FLAGS)
    return await scanHead(path, file)
  } catch (error) {
    return unreadable(path, error as Error)
  } finally {
    await file?.close()
  }
}

async function scanHead(path: string, file: FileHandle): Promise<Scanned> {
  const stats = await file.stat()
  if (!stats.isFile()) return { kind: 'skipped', path, why: 'not DICOM' }
  const { size } = stats
  for (const length of HEAD_BYTES) {
    const scanned = headOf(path, await readStart(file, Math.min(length, size)), size)
    if (scanned !== MORE) return scanned
  }
  return { kind: 'unusable', path, message: 'its header is longer than 1 MiB' }
}

/** What the first bytes say; MORE when the answer may be behind them. */
function headOf(path: string, bytes: Buffer, size: number): Scanned | typeof MORE {
  const isWhole = bytes.length >= size
  const isFile = bytes.toString('latin1', PREAMBLE_BYTES, PREAMBLE_BYTES + 4) === 'DICM'
  // File meta information without a preamble begins with its group length (0002,0000).
  const isBareFile = !isFile && bytes.length >= 8 && bytes.readUInt32LE(0) === 0x0000_0002 && bytes.toString('latin1', 4, 6) === 'UL'
  const meta = isFile ? metaOf(bytes) : isBareFile ? metaOf(Buffer.concat([PREAMBLE, bytes])) : undefined
  if ((isFile || isBareFile) && meta === undefined) {
    return isWhole ? { kind: 'unusable', path, message: 'its file meta information is damaged' } : MORE
  }
  if (meta?.meta.sopClassUid === SopClass.MediaStorageDirectoryStorage) return { kind: 'skipped', path, why: 'DICOMDIR' }
  const dataSet = bytes.subarray(meta === undefined ? 0 : meta.dataSetOffset - (isBareFile ? PREAMBLE.length : 0))
  const transferSyntaxUid = meta?.meta.transferSyntaxUid ?? recognize(dataSet)
  if (transferSyntaxUid === undefined) {
    return meta === undefined ? { kind: 'skipped', path, why: 'not DICOM' } : { kind: 'unusable', path, message: 'it does not name its transfer syntax' }
  }
  const parser = new DataSetHeadParser(transferSyntaxUid, [SOP_CLASS_UID, SOP_INSTANCE_UID])
  if (!parser.push(dataSet)) {
    if (!isWhole) return MORE
    parser.end()
  }
  // Those of the data set are what the SCP reads.
  const sopClassUid = parser.text(SOP_CLASS_UID) || meta?.meta.sopClassUid
  const sopInstanceUid = parser.text(SOP_INSTANCE_UID) || meta?.meta.sopInstanceUid
  const problem =
    uidProblem('SOP Class UID', sopClassUid, 'strict') ??
    uidProblem('SOP Instance UID', sopInstanceUid, 'lenient') ??
    uidProblem('Transfer Syntax UID', transferSyntaxUid, 'strict')
  if (problem === undefined) {
    return { kind: 'instance', path, sizeBytes: size, sopClassUid: sopClassUid as string, sopInstanceUid: sopInstanceUid as string, transferSyntaxUid }
  }
  return meta === undefined ? { kind: 'skipped', path, why: 'not DICOM' } : { kind: 'unusable', path, message: problem }
}

function metaOf(bytes: Buffer): Part10Header | undefined {
  try {
    const header = decodePart10Header(bytes)
    return header.dataSetOffset + 2 > bytes.length ? undefined : header
  } catch (error) {
    if (error instanceof DicomtapError) return undefined
    throw error
  }
}

/**
 * A data set alone, as old software leaves it: it begins in group 0008, and where two letters follow the tag
 * they are a VR, since no first element is that long.
 */
function recognize(dataSet: Buffer): string | undefined {
  if (dataSet.length < 8 || dataSet.readUInt16LE(0) !== 0x0008) return undefined
  const isExplicit = /^[A-Z]{2}$/u.test(dataSet.toString('latin1', 4, 6))
  return isExplicit ? TransferSyntax.ExplicitVRLittleEndian : TransferSyntax.ImplicitVRLittleEndian
}

function uidProblem(name: string, uid: string | undefined, rules: 'strict' | 'lenient'): string | undefined {
  if (uid === undefined || uid === '') return `it has no ${name}`
  return isValidUid(uid, rules) ? undefined : `its ${name} is no UID`
}

async function readStart(file: FileHandle, length: number): Promise<Buffer> {
  const bytes = Buffer.alloc(length)
  const { bytesRead } = await file.read(bytes, 0, length, 0)
  return bytes.subarray(0, bytesRead)
}

const SYSTEM_ERRORS: Readonly<Record<string, string>> = {
  ENOENT: 'it does not exist',
  EACCES: 'this user may not read it',
  EPERM: 'this user may not read it',
  EMFILE: 'too many files are open',
}

function unreadable(path: string, error: Error): UnusableFile {
  const { code } = error as NodeJS.ErrnoException
  return { kind: 'unusable', path, message: `it cannot be read: ${SYSTEM_ERRORS[code ?? ''] ?? code ?? error.message}` }
}
