import { constants } from 'node:fs'
import path from 'node:path'
import type { FileStatus, FileSystem } from '../../dist/file-system.js'
import { type Call, systemError } from './faulty-file-system.js'

type Calls = { [Name in Call]: (...args: Parameters<FileSystem[Name]>) => Awaited<ReturnType<FileSystem[Name]>> }

class ModelFile {
  readonly id: number
  data: Buffer = Buffer.alloc(0)
  /** What fsync(2) has put on the disk. */
  durable: Buffer = Buffer.alloc(0)
  links = 1
  changedAtMs = Date.now()

  constructor(id: number) {
    this.id = id
  }
}

class ModelFolder {
  readonly id: number
  entries = new Map<string, ModelFile | ModelFolder>()
  /** What fsync(2) of the folder has put on the disk. */
  durable = new Map<string, ModelFile | ModelFolder>()

  constructor(id: number) {
    this.id = id
  }
}

/** Says whether a change that nobody synced is on the disk all the same. */
export type Luck = () => boolean

/**
 * A disk in memory that promises no more than POSIX does: bytes are safe after fsync(2) of their file, names after
 * fsync(2) of their folder, and a power failure may leave any of the other changes and none.
 */
export class ModelDisk {
  readonly fileSystem: FileSystem
  calls = 0
  /** Which call fails, once, and how. */
  error: { readonly atCall: number; readonly code: string } | undefined
  /** Before which call the power fails; that one and all later ones never return. */
  failBeforeCall = Infinity
  /** Called when it does. */
  onPowerFailure: () => void = () => {}
  #root = new ModelFolder(1)
  #ids = 1
  readonly #open = new Map<number, ModelFile | ModelFolder>()
  #descriptors = 10

  constructor() {
    const calls = this.#calls()
    const counted = Object.fromEntries(
      Object.entries(calls).map(([name, call]) => [
        name,
        async (...args: never[]) => {
          this.calls += 1
          const at = this.calls
          if (at >= this.failBeforeCall) {
            if (at === this.failBeforeCall) this.onPowerFailure()
            await new Promise(() => {})
          }
          // As a thread would: the answer comes later.
          await Promise.resolve()
          if (at === this.error?.atCall) throw systemError(this.error.code, name)
          return (call as (...args: never[]) => unknown)(...args)
        },
      ]),
    ) as unknown as FileSystem
    const hasName = (descriptor: number): boolean => (this.#opened(descriptor) as ModelFile).links > 0
    this.fileSystem = { ...counted, local: { isQuick: () => true, hasName } }
  }

  /** What is there when the power is back. */
  afterPowerFailure(luck: Luck): ModelDisk {
    const disk = new ModelDisk()
    const files = new Map<ModelFile, ModelFile>()
    const surviving = (one: ModelFile | ModelFolder): ModelFile | ModelFolder => {
      if (one instanceof ModelFile) {
        const known = files.get(one)
        if (known !== undefined) {
          known.links += 1
          return known
        }
        const file = new ModelFile(disk.#nextId())
        file.data = one.data.equals(one.durable) || luck() ? one.data : one.durable
        file.durable = file.data
        files.set(one, file)
        return file
      }
      const folder = new ModelFolder(disk.#nextId())
      for (const name of new Set([...one.entries.keys(), ...one.durable.keys()])) {
        const now = one.entries.get(name)
        const synced = one.durable.get(name)
        const chosen = now === synced || luck() ? now : synced
        if (chosen !== undefined) folder.entries.set(name, surviving(chosen))
      }
      folder.durable = new Map(folder.entries)
      return folder
    }
    disk.#root = surviving(this.#root) as ModelFolder
    return disk
  }

  /** Files with their bytes, by path. */
  files(): Map<string, Buffer> {
    const found = new Map<string, Buffer>()
    const walk = (folder: ModelFolder, at: string): void => {
      for (const [name, one] of folder.entries) {
        if (one instanceof ModelFile) found.set(`${at}/${name}`, one.data)
        else walk(one, `${at}/${name}`)
      }
    }
    walk(this.#root, '')
    return found
  }

  #nextId(): number {
    this.#ids += 1
    return this.#ids
  }

  #find(file: string): ModelFile | ModelFolder | undefined {
    let at: ModelFile | ModelFolder | undefined = this.#root
    for (const part of file.split('/').filter((name) => name !== '')) {
      if (!(at instanceof ModelFolder)) return undefined
      at = at.entries.get(part)
    }
    return at
  }

  #folder(file: string, syscall: string): ModelFolder {
    const folder = this.#find(file)
    if (folder === undefined) throw systemError('ENOENT', syscall, file)
    if (!(folder instanceof ModelFolder)) throw systemError('ENOTDIR', syscall, file)
    return folder
  }

  #file(file: string, syscall: string): ModelFile {
    const found = this.#find(file)
    if (found === undefined) throw systemError('ENOENT', syscall, file)
    if (!(found instanceof ModelFile)) throw systemError('EISDIR', syscall, file)
    return found
  }

  #opened(descriptor: number): ModelFile | ModelFolder {
    const one = this.#open.get(descriptor)
    if (one === undefined) throw systemError('EBADF', 'write')
    return one
  }

  #calls(): Calls {
    return {
      open: (file, flags) => {
        const parent = this.#folder(path.dirname(file), 'open')
        let one = this.#find(file)
        if (one === undefined) {
          if ((flags & constants.O_CREAT) === 0) throw systemError('ENOENT', 'open', file)
          one = new ModelFile(this.#nextId())
          parent.entries.set(path.basename(file), one)
        } else if ((flags & constants.O_EXCL) !== 0) {
          throw systemError('EEXIST', 'open', file)
        }
        if (one instanceof ModelFile && (flags & constants.O_TRUNC) !== 0) one.data = Buffer.alloc(0)
        this.#descriptors += 1
        this.#open.set(this.#descriptors, one)
        return this.#descriptors
      },
      write: (descriptor, pieces) => {
        const file = this.#opened(descriptor) as ModelFile
        const before = file.data.length
        file.data = Buffer.concat([file.data, ...pieces])
        file.changedAtMs = Date.now()
        return file.data.length - before
      },
      read: (descriptor, buffer, position) => (this.#opened(descriptor) as ModelFile).data.copy(buffer, 0, position),
      fsync: (descriptor) => {
        const one = this.#opened(descriptor)
        if (one instanceof ModelFile) one.durable = one.data
        else one.durable = new Map(one.entries)
      },
      close: (descriptor) => {
        this.#opened(descriptor)
        this.#open.delete(descriptor)
      },
      rename: (from, to) => {
        const file = this.#file(from, 'rename')
        const target = this.#folder(path.dirname(to), 'rename')
        const replaced = target.entries.get(path.basename(to))
        if (replaced instanceof ModelFile) replaced.links -= 1
        target.entries.set(path.basename(to), file)
        this.#folder(path.dirname(from), 'rename').entries.delete(path.basename(from))
      },
      link: (existing, to) => {
        const file = this.#file(existing, 'link')
        const target = this.#folder(path.dirname(to), 'link')
        if (target.entries.has(path.basename(to))) throw systemError('EEXIST', 'link', to)
        target.entries.set(path.basename(to), file)
        file.links += 1
      },
      unlink: (file) => {
        this.#file(file, 'unlink').links -= 1
        this.#folder(path.dirname(file), 'unlink').entries.delete(path.basename(file))
      },
      makeFolders: (folder) => {
        let at = this.#root
        let uppermost: string | undefined
        let made = ''
        for (const part of folder.split('/').filter((name) => name !== '')) {
          made += `/${part}`
          let next = at.entries.get(part)
          if (next === undefined) {
            next = new ModelFolder(this.#nextId())
            at.entries.set(part, next)
            uppermost ??= made
          }
          if (!(next instanceof ModelFolder)) throw systemError('ENOTDIR', 'mkdir', made)
          at = next
        }
        return uppermost
      },
      removeFolder: (folder) => {
        if (this.#folder(folder, 'rmdir').entries.size > 0) throw systemError('ENOTEMPTY', 'rmdir', folder)
        this.#folder(path.dirname(folder), 'rmdir').entries.delete(path.basename(folder))
      },
      stat: (file): FileStatus => {
        const one = this.#find(file)
        if (one === undefined) throw systemError('ENOENT', 'stat', file)
        const isFile = one instanceof ModelFile
        const changedAtMs = isFile ? one.changedAtMs : 0
        return {
          sizeBytes: isFile ? one.data.length : 0, modifiedAtMs: changedAtMs, changedAtMs, isDirectory: !isFile, isFile,
          links: isFile ? one.links : 2, fileId: one.id,
        }
      },
      mayChange: (folder) => void this.#folder(folder, 'access'),
      readFolder: (folder) =>
        [...this.#folder(folder, 'scandir').entries].map(([name, one]) => ({
          name, isDirectory: one instanceof ModelFolder, isFile: one instanceof ModelFile,
        })),
      realPath: (file) => {
        this.#folder(file, 'realpath')
        return file
      },
      freeBytes: () => 1e12,
      fileSystemType: () => 0,
    }
  }
}
