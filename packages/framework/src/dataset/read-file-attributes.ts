import type { Stats } from 'node:fs'
import { constants } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { DicomtapError } from '../errors/index.ts'
import { ioFor } from '../file-io.ts'
import { anotherTurn, inTurns, isTurnOver } from '../turns.ts'
import { AttributeScanner } from './attribute-scanner.ts'
import { DataSetWindow, FILE_READ_BYTES, InflatedWindow } from './attribute-window.ts'
import type { ReadAt } from './attribute-window.ts'
import { buildInPieces } from './decode.ts'
import { loadDictionary } from './dictionary.ts'
import type { Dictionary } from './dictionary.ts'
import { decodePart10Header } from './file-meta.ts'
import type { DecodedFileMeta } from './file-meta.ts'
import { encodingOf } from './structure.ts'
import type { TransferSyntaxEncoding } from './transfer-syntaxes.ts'
import type { DataSet } from './types.ts'

export interface ReadFileAttributesOptions {
  /**
   * Which top-level attributes are decoded: keywords, eight hexadecimal digits, or tags as numbers; or a function
   * that is asked for each tag. Reading ends behind the highest one of a list. Default: all.
   */
  readonly attributes?: Iterable<string | number> | ((tag: number) => boolean) | undefined
  /** Reading ends before this tag. Default 0x7FE00000: before Pixel Data, and what describes it. */
  readonly stopBefore?: number | undefined
  /** Elements whose value is longer, sequences included, are passed over as if absent; default 256 KiB. */
  readonly maximumValueBytes?: number | undefined
  /** How much is read, or inflated, at most; default 16 MiB. */
  readonly maximumBytes?: number | undefined
  /**
   * A data set that is malformed, cut off or beyond a limit gives what could be decoded of it, with `problem`.
   * Default false: it is an error.
   */
  readonly isTolerant?: boolean | undefined
}

/** What {@link readFileAttributes} found. */
export interface FileAttributes {
  readonly meta: DecodedFileMeta
  /** As {@link decodeDataSet} gives it. */
  readonly dataset: DataSet
  /** Size of the file. */
  readonly sizeBytes: number
  /** When the file was last written, in milliseconds since 1970. */
  readonly modifiedAtMs: number
  /** With `isTolerant`: why `dataset` lacks attributes that the file may have. */
  readonly problem: DicomtapError | undefined
}

/** Opening a named pipe must not wait for who writes into it. Windows does not have the flag. */
const OPEN_FLAGS = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0)
const HEADER_READ_BYTES = [65_536, 1_048_576] as const
const DEFAULT_STOP_BEFORE = 0x7fe00000
const DEFAULT_VALUE_BYTES = 256 * 1024
const DEFAULT_READ_BYTES = 16 * 1024 * 1024
const MAXIMUM_PICKED_BYTES = 4 * 1024 * 1024
const MAXIMUM_ELEMENTS = 500_000
const SPECIFIC_CHARACTER_SET = 0x00080005
/** Decides what other elements mean: US or SS (PS3.6). */
const PIXEL_REPRESENTATION = 0x00280103

/**
 * Reads attributes of a DICOM file (PS3.10): as far as needed, some 16 KiB at once, jumping over long values and
 * what was not asked for. Memory and time are bounded whatever the file claims, also for a deflated data set. What
 * was asked for is decoded as {@link decodeDataSet} does; Specific Character Set and Pixel Representation are always
 * there when they stand before the end.
 *
 * A FileHandle is read at positions and stays open. Errors of the system are passed on as they are.
 *
 * @throws DICOMTAP_ERR_DS_MALFORMED when it is no DICOM file, or not a file at all; with `isTolerant` only then
 * @throws DICOMTAP_ERR_DS_TOO_LARGE beyond a limit
 * @example
 * const { meta, dataset } = await readFileAttributes('image.dcm', { attributes: ['PatientID', 'StudyInstanceUID'] })
 */
export async function readFileAttributes(file: string | URL | FileHandle, options: ReadFileAttributesOptions = {}): Promise<FileAttributes> {
  if (typeof file === 'object' && !(file instanceof URL)) {
    const readAt: ReadAt = async (buffer, length, position) => (await file.read(buffer, 0, length, position)).bytesRead
    return readOpenFile(await file.stat(), readAt, options)
  }
  const path = typeof file === 'string' ? file : fileURLToPath(file)
  const io = ioFor(path)
  const descriptor = await io.open(path, OPEN_FLAGS)
  try {
    const readAt: ReadAt = (buffer, length, position) => io.read(descriptor, buffer, 0, length, position)
    return await readOpenFile(await io.stat(descriptor), readAt, options)
  } finally {
    await io.close(descriptor)
  }
}

/** Memory that files are read into, used again: nothing of a result is a view of it. */
const MAXIMUM_KEPT_BUFFERS = 16
const buffers: Buffer[] = []

async function readOpenFile(stats: Stats, readAt: ReadAt, options: ReadFileAttributesOptions): Promise<FileAttributes> {
  if (!stats.isFile()) throw notDicom('it is not a regular file')
  const buffer = buffers.pop() ?? Buffer.allocUnsafeSlow(FILE_READ_BYTES)
  try {
    const { meta, dataSetOffset, bytes } = await readHeader(buffer, stats, readAt)
    const { transferSyntaxUid } = meta
    if (transferSyntaxUid === undefined) throw notDicom('it does not tell its transfer syntax')
    const dictionary = await loadDictionary()
    const encoding = encodingOf(transferSyntaxUid)
    const window = encoding.deflated
      ? new InflatedWindow({ readAt, dataSetOffset, maximumBytes: options.maximumBytes ?? DEFAULT_READ_BYTES })
      : new DataSetWindow({ readAt, dataSetOffset, maximumBytes: options.maximumBytes ?? DEFAULT_READ_BYTES, sizeBytes: stats.size, first: bytes })
    const { dataset, problem } = await readDataSet(window, encoding, dictionary, options)
    return { meta, dataset, sizeBytes: stats.size, modifiedAtMs: stats.mtimeMs, problem }
  } finally {
    if (buffers.length < MAXIMUM_KEPT_BUFFERS) buffers.push(buffer)
  }
}

interface HeaderRead {
  readonly meta: DecodedFileMeta
  readonly dataSetOffset: number
  /** From the beginning of the file. */
  readonly bytes: Buffer
}

/** The start of the file, as much of it as its header takes. */
async function readHeader(first: Buffer, { size }: Stats, readAt: ReadAt): Promise<HeaderRead> {
  let buffer = first
  for (const next of [...HEADER_READ_BYTES, undefined]) {
    const bytes = buffer.subarray(0, await readFully(readAt, buffer, 0))
    const isEnd = bytes.length < buffer.length || bytes.length >= size
    const mayBeCut = !isEnd && next !== undefined
    try {
      const { meta, dataSetOffset } = decodePart10Header(bytes)
      if (!mayBeCut || dataSetOffset + 2 <= bytes.length) return { meta, dataSetOffset, bytes }
    } catch (error) {
      if (!mayBeCut || bytes.toString('latin1', 128, 132) !== 'DICM') throw error
    }
    buffer = Buffer.allocUnsafe(next ?? 0)
  }
  throw notDicom('its header is too long')
}

async function readFully(readAt: ReadAt, buffer: Buffer, position: number): Promise<number> {
  const bytesRead = await readAt(buffer, buffer.length, position)
  if (bytesRead === 0 || bytesRead === buffer.length) return bytesRead
  return bytesRead + (await readFully(readAt, buffer.subarray(bytesRead), position + bytesRead))
}

interface Decoded {
  readonly dataset: DataSet
  readonly problem: DicomtapError | undefined
}

async function readDataSet(
  window: DataSetWindow | InflatedWindow,
  encoding: TransferSyntaxEncoding,
  dictionary: Dictionary,
  options: ReadFileAttributesOptions,
): Promise<Decoded> {
  const { isWanted, end } = selectionOf(options.attributes, dictionary)
  const scanner = new AttributeScanner({
    encoding,
    vrOf: dictionary.vrOf,
    isWanted: (tag) => isWanted(tag) || tag === SPECIFIC_CHARACTER_SET || tag === PIXEL_REPRESENTATION,
    stopBefore: Math.min(options.stopBefore ?? DEFAULT_STOP_BEFORE, end),
    maximumValueBytes: options.maximumValueBytes ?? DEFAULT_VALUE_BYTES,
    maximumPickedBytes: MAXIMUM_PICKED_BYTES,
    maximumElements: MAXIMUM_ELEMENTS,
  })
  let problem: DicomtapError | undefined
  try {
    await scanAll(scanner, window)
  } catch (error) {
    problem = tolerated(error, options)
  } finally {
    await window.close()
  }
  const plain = encoding.deflated ? { ...encoding, deflated: false } : encoding
  try {
    const dataset = await inTurns(buildInPieces(Buffer.concat(scanner.picked), plain, dictionary, {}))
    return { dataset, problem }
  } catch (error) {
    const first = tolerated(error, options)
    return { dataset: await decodeWhatCanBe(scanner.picked, plain, dictionary, options), problem: problem ?? first }
  }
}

async function scanAll(scanner: AttributeScanner, window: DataSetWindow | InflatedWindow): Promise<void> {
  for (;;) {
    const step = scanner.scan(window.bytes, window.start, window.isEnd)
    if (step === 'finished') return
    if (step === 'pause') {
      if (isTurnOver()) await anotherTurn()
    } else {
      scanner.detach()
      await window.load(step.position, step.bytes)
    }
  }
}

/** Element by element: what is malformed inside one does not take the others with it. */
async function decodeWhatCanBe(
  picked: readonly Buffer[],
  encoding: TransferSyntaxEncoding,
  dictionary: Dictionary,
  options: ReadFileAttributesOptions,
): Promise<DataSet> {
  const good: Buffer[] = []
  for (const element of picked) {
    try {
      await inTurns(buildInPieces(element, encoding, dictionary, {}))
      good.push(element)
    } catch (error) {
      tolerated(error, options)
    }
  }
  return inTurns(buildInPieces(Buffer.concat(good), encoding, dictionary, {}))
}

function tolerated(error: unknown, { isTolerant }: ReadFileAttributesOptions): DicomtapError {
  if (isTolerant === true && error instanceof DicomtapError) return error
  throw error
}

interface Selection {
  isWanted(tag: number): boolean
  /** No tag from here on is wanted. */
  readonly end: number
}

function selectionOf(attributes: ReadFileAttributesOptions['attributes'], dictionary: Dictionary): Selection {
  if (attributes === undefined) return { isWanted: () => true, end: Number.POSITIVE_INFINITY }
  if (typeof attributes === 'function') return { isWanted: attributes, end: Number.POSITIVE_INFINITY }
  const tags = new Set<number>()
  let highest = -1
  for (const attribute of attributes) {
    const tag = typeof attribute === 'number' ? attribute : tagOf(attribute, dictionary)
    tags.add(tag)
    if (tag > highest) highest = tag
  }
  return { isWanted: (tag) => tags.has(tag), end: highest + 1 }
}

function tagOf(name: string, dictionary: Dictionary): number {
  const tag = dictionary.byName(name)?.tag
  if (tag !== undefined) return tag
  if (/^[0-9A-Fa-f]{8}$/.test(name)) return Number.parseInt(name, 16)
  throw new DicomtapError('DICOMTAP_ERR_DS_ENCODE', `${JSON.stringify(name)} is no attribute: give a keyword, or eight hexadecimal digits`)
}

function notDicom(what: string): DicomtapError {
  return new DicomtapError('DICOMTAP_ERR_DS_MALFORMED', `Not a DICOM file: ${what}`)
}
