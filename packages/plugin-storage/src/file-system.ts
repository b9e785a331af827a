import fs from 'node:fs'
import path from 'node:path'

/** What is asked of a file's entry. */
export interface FileStatus {
  readonly sizeBytes: number
  readonly modifiedAtMs: number
  /** Of content, name, links or permissions. */
  readonly changedAtMs: number
  readonly isDirectory: boolean
  readonly isFile: boolean
  /** Names that the file has. */
  readonly links: number
  /** Tells files of one file system apart. */
  readonly fileId: number
}

/** One entry of a folder. */
export interface FolderEntry {
  readonly name: string
  readonly isDirectory: boolean
  readonly isFile: boolean
}

/** Of a file system on a disk of this machine. */
export interface LocalDisk {
  /** Whether calls are made in the event loop now. */
  isQuick(): boolean
  /** Whether an open file still has a name. It does not wait, nor throw. */
  hasName(descriptor: number): boolean
}

/**
 * The calls this plugin makes to the operating system, one to one, so that tests can make each of them
 * fail or hang. All but those of `local` run in Node's thread pool, unless a file system says otherwise: a disk that
 * stalls delays the objects on it and nothing else.
 */
export interface FileSystem {
  open(path: string, flags: number, mode?: number): Promise<number>
  /**
   * Appends; may write less than asked, as writev(2). Without a promise it is done already; an error may be thrown then.
   * @param positionBytes how much is in the file
   */
  write(descriptor: number, pieces: readonly Uint8Array[], positionBytes: number): Promise<number> | number
  read(descriptor: number, buffer: Uint8Array, position: number): Promise<number>
  fsync(descriptor: number): Promise<void>
  close(descriptor: number): Promise<void>
  rename(from: string, to: string): Promise<void>
  link(existing: string, path: string): Promise<void>
  unlink(path: string): Promise<void>
  /** With all missing parents. Resolves with the uppermost folder that was made, undefined when none was missing. */
  makeFolders(path: string, mode: number): Promise<string | undefined>
  removeFolder(path: string): Promise<void>
  stat(path: string): Promise<FileStatus>
  /** Of a disk of this machine, where some calls are made at once. */
  readonly local?: LocalDisk
  /** Rejects unless this process may make and remove names in the folder. */
  mayChange(folder: string): Promise<void>
  readFolder(path: string): Promise<FolderEntry[]>
  realPath(path: string): Promise<string>
  /** Bytes that an unprivileged process may still write. */
  freeBytes(path: string): Promise<number>
  /** `f_type` of statfs(2). */
  fileSystemType(path: string): Promise<number>
}

type Callback<T> = (error: NodeJS.ErrnoException | null, value: T) => void

// By hand, because `fs.promises` costs about a tenth more per call through its FileHandle.
function call<T>(start: (callback: Callback<T>) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    start((error, value) => {
      if (error === null) resolve(value)
      else reject(error)
    })
  })
}

function run(start: (callback: (error: NodeJS.ErrnoException | null) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    start((error) => {
      if (error === null) resolve()
      else reject(error)
    })
  })
}

/**
 * By hand, because `recursive: true` tries for ever where a folder exists in which none can be made
 * (/proc, for one).
 */
async function makeFolders(folder: string, mode: number): Promise<string | undefined> {
  try {
    return await makeFolder(folder, mode)
  } catch (error) {
    const parent = path.dirname(folder)
    if (systemCode(error) !== 'ENOENT' || parent === folder) throw error
    const uppermost = await makeFolders(parent, mode)
    const made = await makeFolder(folder, mode)
    return uppermost ?? made
  }
}

/** Undefined when it is there already. */
async function makeFolder(folder: string, mode: number): Promise<string | undefined> {
  try {
    await run((done) => fs.mkdir(folder, { mode }, done))
    return folder
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw error
    const status = await call<fs.Stats>((done) => fs.stat(folder, done))
    if (!status.isDirectory()) throw error
    return undefined
  }
}

/** The operating system's. */
export const nodeFileSystem: FileSystem = {
  open: (path, flags, mode) => call((done) => fs.open(path, flags, mode, done)),
  write: (descriptor, pieces) => call((done) => fs.writev(descriptor, pieces, done)),
  read: (descriptor, buffer, position) =>
    call((done) => fs.read(descriptor, buffer, 0, buffer.length, position, done)),
  fsync: (descriptor) => run((done) => fs.fsync(descriptor, done)),
  close: (descriptor) => run((done) => fs.close(descriptor, done)),
  rename: (from, to) => run((done) => fs.rename(from, to, done)),
  link: (existing, path) => run((done) => fs.link(existing, path, done)),
  unlink: (path) => run((done) => fs.unlink(path, done)),
  makeFolders,
  removeFolder: (path) => run((done) => fs.rmdir(path, done)),
  mayChange: (folder) => run((done) => fs.access(folder, fs.constants.W_OK | fs.constants.X_OK, done)),
  stat: async (path) => {
    const status = await call<fs.Stats>((done) => fs.stat(path, done))
    return {
      sizeBytes: status.size,
      modifiedAtMs: status.mtimeMs,
      changedAtMs: status.ctimeMs,
      isDirectory: status.isDirectory(),
      isFile: status.isFile(),
      links: status.nlink,
      fileId: status.ino,
    }
  },
  readFolder: async (path) => {
    const entries = await call<fs.Dirent[]>((done) => fs.readdir(path, { withFileTypes: true }, done))
    return entries.map((entry) => ({ name: entry.name, isDirectory: entry.isDirectory(), isFile: entry.isFile() }))
  },
  realPath: (path) => call((done) => fs.realpath(path, done)),
  freeBytes: async (path) => {
    const status = await call<fs.StatsFs>((done) => fs.statfs(path, done))
    return status.bavail * status.bsize
  },
  fileSystemType: async (path) => (await call<fs.StatsFs>((done) => fs.statfs(path, done))).type,
}

/**
 * Writes all of it behind what is there. Undefined when it is done already; an error may be thrown then.
 * @param positionBytes how much is in the file
 */
export function writeAll(fileSystem: FileSystem, descriptor: number, pieces: readonly Uint8Array[], positionBytes = 0): Promise<void> | undefined {
  let lengthBytes = 0
  for (const piece of pieces) lengthBytes += piece.length
  let done = 0
  while (done < lengthBytes) {
    const written = fileSystem.write(descriptor, done === 0 ? pieces : after(pieces, done), positionBytes + done)
    if (typeof written !== 'number') return writeRest(fileSystem, descriptor, pieces, { positionBytes, lengthBytes, done, written })
    done += someOf(written)
  }
  return undefined
}

interface Progress {
  readonly positionBytes: number
  readonly lengthBytes: number
  readonly done: number
  readonly written: Promise<number>
}

async function writeRest(fileSystem: FileSystem, descriptor: number, pieces: readonly Uint8Array[], progress: Progress): Promise<void> {
  const { positionBytes, lengthBytes } = progress
  let done = progress.done + someOf(await progress.written)
  while (done < lengthBytes) done += someOf(await fileSystem.write(descriptor, after(pieces, done), positionBytes + done))
}

/** A disk that is full may say so by writing nothing. */
function someOf(written: number): number {
  if (written === 0) throw Object.assign(new Error('ENOSPC: nothing was written'), { code: 'ENOSPC', syscall: 'write' })
  return written
}

/** What is left of the pieces after so many bytes. */
function after(pieces: readonly Uint8Array[], bytes: number): Uint8Array[] {
  let skipped = 0
  return pieces.flatMap((piece) => {
    const from = Math.min(piece.length, Math.max(0, bytes - skipped))
    skipped += piece.length
    return from < piece.length ? [piece.subarray(from)] : []
  })
}

/** The system's name of an error (`ENOENT`), or undefined when it is not one of the system. */
export function systemCode(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null) return undefined
  const { code, syscall } = error as NodeJS.ErrnoException
  return typeof code === 'string' && typeof syscall === 'string' ? code : undefined
}

/** Undefined when there is no such file. */
export async function statusOf(fileSystem: FileSystem, file: string): Promise<FileStatus | undefined> {
  try {
    return await fileSystem.stat(file)
  } catch (error) {
    if (systemCode(error) === 'ENOENT' || systemCode(error) === 'ENOTDIR') return undefined
    throw error
  }
}
