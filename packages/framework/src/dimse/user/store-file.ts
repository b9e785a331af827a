import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs'
import type { Stats } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { lstat } from 'node:fs/promises'
import { DicomtapError } from '../../errors/index.ts'
import type { DataSetBytes } from '../fragmenter.ts'
import type { CStoreOptions } from '../user-types.ts'
import { MORE, UnusableObject, parseStoreHead } from './store-head.ts'
import type { StoreHead } from './store-head.ts'
import { callsInline, ioFor, threadedIo } from '../../file-io.ts'
import type { FileIo } from '../../file-io.ts'
import { loanOf } from '../loans.ts'
import { SLAB_BYTES, lendSlab, returnSlab, takeSlab, takeWholeSlab } from './store-slabs.ts'

/** How much of the start is looked at, until it tells what the object is. */
const HEAD_BYTES = [4096, 65_536, 1_048_576] as const

/** Opening a named pipe must not wait for who writes into it. Windows does not have the flag. */
const OPEN_FLAGS = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0)
/** Windows does not have it either. */
const NO_FOLLOW: number | undefined = constants.O_NOFOLLOW

/**
 * So many files stay open between head and data set, which spares one that is sent at once a second opening.
 * The others, when thousands of requests wait, have neither a file descriptor nor bytes.
 */
const MAXIMUM_KEPT_OPEN = 16
let keptOpen = 0

/** A file that is open, and how it is read. */
class OpenFile {
  readonly #io: FileIo
  readonly #descriptor: number
  #closing: Promise<void> | undefined

  private constructor(io: FileIo, descriptor: number) {
    this.#io = io
    this.#descriptor = descriptor
  }

  static async open(path: string, followsLinks: boolean): Promise<OpenFile> {
    const io = ioFor(path)
    if (!followsLinks && NO_FOLLOW === undefined && (await lstat(path)).isSymbolicLink()) throw new UnusableObject(IS_LINK)
    return new OpenFile(io, await io.open(path, flagsFor(followsLinks)))
  }

  stat(): Promise<Stats> {
    return this.#io.stat(this.#descriptor)
  }

  /** What one call gives. @param io large pieces are read by the thread pool while others are sent */
  read(buffer: Buffer, offset: number, length: number, position: number, io: FileIo = this.#io): Promise<number> {
    return io.read(this.#descriptor, buffer, offset, length, position)
  }

  close(): Promise<void> {
    this.#closing ??= this.#io.close(this.#descriptor)
    return this.#closing
  }
}

function flagsFor(followsLinks: boolean): number {
  return followsLinks ? OPEN_FLAGS : OPEN_FLAGS | (NO_FOLLOW ?? 0)
}

const IS_LINK = 'is a symbolic link'

/** How a file is opened, and what it is called. */
export interface FileOpening {
  /** What it is called in errors; then they do not say its path. */
  readonly name?: string
  /** Default true. False: {@link FileToSend.followsLinks}. */
  readonly followsLinks?: boolean
}

/** The same, all of it. */
interface Called {
  readonly name: string
  readonly isPath: boolean
  readonly followsLinks: boolean
}

/** Quoted as JSON, so that it stays one line whatever the name. */
function calledBy(path: string, { name, followsLinks = true }: FileOpening): Called {
  return { name: name ?? JSON.stringify(path), isPath: name === undefined, followsLinks }
}

/** A DICOM file to send. */
export class StoreFile {
  readonly head: StoreHead
  readonly #path: string
  readonly #called: Called
  readonly #stats: Stats
  #file: OpenFile | undefined
  /** The data set, when it was read with the head. */
  #dataSet: Buffer | undefined
  #isKeptOpen = false
  #isClosed = false
  #closing: Promise<void> | undefined

  private constructor(path: string, called: Called, head: StoreHead, stats: Stats) {
    this.#path = path
    this.#called = called
    this.head = head
    this.#stats = stats
  }

  /** @throws DICOMTAP_ERR_DIMSE_REQUEST */
  static async open(location: string | URL, options: CStoreOptions, opening: FileOpening = {}): Promise<StoreFile> {
    const path = pathOf(location)
    const called = calledBy(path, opening)
    return withReason(called, async () => {
      const file = await OpenFile.open(path, called.followsLinks)
      try {
        const reading = readUpTo(file, HEAD_BYTES[0])
        reading.catch(() => {}) // looked at below
        const stats = await file.stat()
        const store = new StoreFile(path, called, await readHead(file, stats, reading, options), stats)
        if (!store.#keepOpen(file)) await file.close()
        return store
      } catch (error) {
        await file.close()
        throw error
      }
    })
  }

  /**
   * As `open`, in one turn and with all its bytes. Undefined where `open` is the way: for large files, on disks that
   * may be slow, and for what is no file.
   * @throws DICOMTAP_ERR_DIMSE_REQUEST
   */
  static openWhole(location: string | URL, options: CStoreOptions, opening: FileOpening = {}): StoreFile | undefined {
    const path = pathOf(location)
    const called = calledBy(path, opening)
    if (!called.followsLinks && NO_FOLLOW === undefined) return undefined
    try {
      return callsInline(path, () => {
        const descriptor = openSync(path, flagsFor(called.followsLinks))
        try {
          return StoreFile.#readWhole(path, called, descriptor, options)
        } finally {
          closeSync(descriptor)
        }
      })
    } catch (error) {
      throw withReasonOf(called, error)
    }
  }

  static #readWhole(path: string, called: Called, descriptor: number, options: CStoreOptions): StoreFile | undefined {
    const stats = fstatSync(descriptor)
    const { size } = stats
    if (!stats.isFile() || size === 0 || size > SLAB_BYTES) return undefined
    const slab = takeWholeSlab()
    let store: StoreFile | undefined
    try {
      for (let done = 0; done < size; ) {
        const bytesRead = readSync(descriptor, slab, done, size - done, done)
        if (bytesRead === 0) return undefined
        done += bytesRead
      }
      const head = parseStoreHead(slab.subarray(0, size), true, options)
      if (head === MORE) return undefined
      store = new StoreFile(path, called, head, stats)
      store.#dataSet = lendSlab(slab, head.dataSetOffset, size)
      return store
    } finally {
      if (store === undefined) returnSlab(slab)
    }
  }

  /** The data set, once, when it was read with the head. */
  takeDataSet(): Uint8Array | undefined {
    const dataSet = this.#isClosed ? undefined : this.#dataSet
    if (dataSet !== undefined) this.#dataSet = undefined
    return dataSet
  }

  #keepOpen(file: OpenFile): boolean {
    if (keptOpen >= MAXIMUM_KEPT_OPEN) return false
    keptOpen += 1
    this.#isKeptOpen = true
    this.#file = file
    return true
  }

  /**
   * The encoded data set: whole when it is small, else in large pieces that are read as they are drawn.
   * @throws DICOMTAP_ERR_DIMSE_REQUEST also when it is no longer the file whose head was read
   */
  async bytes(): Promise<DataSetBytes> {
    const whole = this.takeDataSet()
    if (whole !== undefined) return whole
    const { dataSetOffset } = this.head
    const size = this.#stats.size - dataSetOffset
    return withReason(this.#called, async () => {
      const file = (this.#file ??= await OpenFile.open(this.#path, this.#called.followsLinks))
      try {
        if (this.#isClosed) throw new UnusableObject('was closed before it was read')
        const reading = size <= SLAB_BYTES ? readExactly(file, dataSetOffset, size) : undefined
        reading?.catch(() => {}) // a file that changed says more
        if (!isSameFile(await file.stat(), this.#stats)) throw new UnusableObject('changed after it was opened')
        if (reading === undefined) return this.#pieces(file, dataSetOffset, size)
        const bytes = await reading
        this.close().catch(() => {}) // it was read: nothing is lost
        return bytes
      } catch (error) {
        await this.close().catch(() => {})
        throw error
      }
    })
  }

  async close(): Promise<void> {
    this.#isClosed = true
    if (this.#isKeptOpen) keptOpen -= 1
    this.#isKeptOpen = false
    if (this.#dataSet !== undefined) loanOf(this.#dataSet)?.()
    this.#dataSet = undefined
    const file = this.#file
    this.#file = undefined
    if (file !== undefined) this.#closing = file.close()
    await this.#closing
  }

  /** The next piece is read while the one before is sent. */
  async *#pieces(file: OpenFile, offset: number, size: number): AsyncGenerator<Uint8Array, void, undefined> {
    const end = offset + size
    const read = (at: number): Promise<Buffer> => {
      const reading = withReason(this.#called, () => readExactly(file, at, Math.min(SLAB_BYTES, end - at), threadedIo))
      reading.catch(() => {}) // it is looked at when its turn comes
      return reading
    }
    try {
      let next: Promise<Buffer> | undefined = read(offset)
      for (let at = offset + SLAB_BYTES; next !== undefined; at += SLAB_BYTES) {
        const piece: Buffer = await next
        next = at < end ? read(at) : undefined
        yield piece
      }
    } finally {
      await this.close()
    }
  }
}

function pathOf(location: string | URL): string {
  if (typeof location === 'string') return location
  try {
    return fileURLToPath(location)
  } catch (cause) {
    throw new DicomtapError('DICOMTAP_ERR_DIMSE_REQUEST', 'cStore takes a path or a URL that begins with file:', { cause })
  }
}

async function readHead(file: OpenFile, stats: Stats, reading: Promise<Buffer>, options: CStoreOptions): Promise<StoreHead> {
  if (!stats.isFile()) throw new UnusableObject(stats.isDirectory() ? 'is a directory' : 'is not a regular file')
  for (const bytes of HEAD_BYTES) {
    const start = bytes === HEAD_BYTES[0] ? await reading : await readUpTo(file, bytes)
    const head = parseStoreHead(start, start.length >= stats.size, options)
    if (head !== MORE) return head
  }
  throw new UnusableObject('is no DICOM file, or its header is cut off')
}

/** The start of a file. */
async function readUpTo(file: OpenFile, length: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(length)
  return buffer.subarray(0, await file.read(buffer, 0, length, 0))
}

async function readExactly(file: OpenFile, position: number, length: number, io?: FileIo): Promise<Buffer> {
  const buffer = takeSlab(length)
  for (let done = 0; done < length; ) {
    const bytesRead = await file.read(buffer, done, length - done, position + done, io)
    if (bytesRead === 0) throw new UnusableObject('is shorter than it was when it was opened')
    done += bytesRead
  }
  return buffer
}

function isSameFile(a: Stats, b: Stats): boolean {
  return a.size === b.size && a.ino === b.ino && a.dev === b.dev && a.mtimeMs === b.mtimeMs
}

/** Says which file it was, and keeps the cause where its path may be told: the system's errors do. */
async function withReason<T>(called: Called, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw withReasonOf(called, error)
  }
}

function withReasonOf({ name, isPath }: Called, error: unknown): DicomtapError {
  const reason = error instanceof UnusableObject ? `it ${error.message}` : reasonOf(error)
  const cause = error instanceof UnusableObject || !isPath ? undefined : { cause: error }
  return new DicomtapError('DICOMTAP_ERR_DIMSE_REQUEST', `${name} cannot be sent: ${reason}`, cause)
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'it does not exist',
  EACCES: 'reading it is not permitted',
  EISDIR: 'it is a directory',
  // Also a circle of links, of which there is no more to say.
  ELOOP: `it ${IS_LINK}`,
}

function reasonOf(error: unknown): string {
  const code = (error as NodeJS.ErrnoException | null)?.code
  return (code === undefined ? undefined : REASONS[code]) ?? `it cannot be read (${code ?? 'no reason given'})`
}
