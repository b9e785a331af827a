import { constants } from 'node:fs'
import path from 'node:path'
import { systemCode, type FileSystem } from './file-system.ts'

const MAXIMUM_KNOWN_FOLDERS = 4096

interface FolderSync {
  running: Promise<void>
  /** The one that starts when `running` is over; all who asked meanwhile share it. */
  next: Promise<void> | undefined
}

/**
 * Makes names durable. A file that was renamed into a folder, or a folder that was made in its parent, is
 * only certain to be found after a crash when the folder above it was synced, and that sync must have
 * started after the change: callers who come while one runs share the next one.
 */
export class FolderSyncer {
  readonly #fileSystem: FileSystem
  readonly #root: string
  readonly #syncs = new Map<string, FolderSync>()
  /** Folders whose own name is known to be durable. */
  readonly #durable = new Set<string>()
  /** Counts `forget`: what was synced before says nothing of a folder that was made since. */
  #generation = 0

  constructor(fileSystem: FileSystem, root: string) {
    this.#fileSystem = fileSystem
    this.#root = root
  }

  /** Resolves when `file`, already under its name, and every folder between it and the root will survive a crash. */
  async makeDurable(file: string): Promise<void> {
    const folder = path.dirname(file)
    await Promise.all([this.#sync(folder), this.#makeFolderDurable(folder)])
  }

  /** Folders on the way to `file` are made anew: what is known of them no longer holds. */
  forget(file: string): void {
    this.#generation += 1
    for (let folder = path.dirname(file); this.#isBelowRoot(folder); folder = path.dirname(folder)) this.#durable.delete(folder)
  }

  async #makeFolderDurable(folder: string): Promise<void> {
    if (!this.#isBelowRoot(folder) || this.#durable.has(folder)) return
    const parent = path.dirname(folder)
    const generation = this.#generation
    await Promise.all([this.#sync(parent), this.#makeFolderDurable(parent)])
    if (generation === this.#generation) this.#remember(folder)
  }

  #isBelowRoot(folder: string): boolean {
    return folder.length > this.#root.length
  }

  #remember(folder: string): void {
    const [oldest] = this.#durable
    if (this.#durable.size >= MAXIMUM_KNOWN_FOLDERS && oldest !== undefined) this.#durable.delete(oldest)
    this.#durable.add(folder)
  }

  #sync(folder: string): Promise<void> {
    const current = this.#syncs.get(folder)
    if (current === undefined) {
      const sync: FolderSync = { running: this.#run(folder), next: undefined }
      this.#syncs.set(folder, sync)
      return sync.running
    }
    current.next ??= current.running.catch(() => undefined).then(() => this.#startNext(folder, current))
    return current.next
  }

  #startNext(folder: string, sync: FolderSync): Promise<void> {
    sync.next = undefined
    sync.running = this.#run(folder)
    return sync.running
  }

  async #run(folder: string): Promise<void> {
    try {
      await syncFolder(this.#fileSystem, folder)
    } finally {
      // The continuation of those who wait for the next one runs after this, and finds its own entry.
      const sync = this.#syncs.get(folder)
      if (sync?.next === undefined) this.#syncs.delete(folder)
    }
  }
}

/** fsync(2) of a folder. Windows has no such thing: there the file system's own journal has to do. */
export async function syncFolder(fileSystem: FileSystem, folder: string): Promise<void> {
  if (process.platform === 'win32') return
  const descriptor = await fileSystem.open(folder, constants.O_RDONLY | constants.O_DIRECTORY)
  try {
    await fileSystem.fsync(descriptor)
  } catch (error) {
    // Some network and user-space file systems do not take it; they have nothing to sync then.
    if (systemCode(error) !== 'EINVAL' && systemCode(error) !== 'ENOTSUP') throw error
  } finally {
    // A folder has nothing to report by then, and who waits for the sync need not wait for this.
    fileSystem.close(descriptor).catch(() => undefined)
  }
}
