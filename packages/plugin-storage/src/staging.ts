import { constants } from 'node:fs'
import path from 'node:path'
import { statusOf, systemCode, type FileSystem, writeAll } from './file-system.ts'
import { RESERVED_FOLDER } from './path-template.ts'
import { currentProcess, stagingFolderName } from './process-identity.ts'
import { StagedFile, type StagedFileKeeper } from './staged-file.ts'
import { HEARTBEAT_FILE, removeStagingFolder, sweepLeftovers } from './sweep.ts'

const HEARTBEAT_INTERVAL_MS = 30_000
const HEARTBEATS_PER_SWEEP = 10
/** After so long without an object the file that was made for the next one is removed. */
const SPARE_KEPT_MS = 1000
const CREATE_NEW = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL
const CREATE = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC

export interface StagingOptions {
  readonly fileSystem: FileSystem
  /** The storage folder. */
  readonly root: string
  readonly fileMode: number
  readonly directoryMode: number
  /** Told how many unfinished objects of processes that are gone were removed. */
  readonly onSwept: (objects: number) => void
}

/**
 * Where objects lie until they are complete: `.dicomtap/partial/<process>/` in the storage folder, hence
 * in the same file system. Each process has a folder of its own in it, so that several can share a
 * storage folder and each knows what a crash left behind.
 */
export class StagingArea implements StagedFileKeeper {
  readonly #options: StagingOptions
  /** Holds one folder for each process. */
  readonly partialDirectory: string
  /** Files of records, of all processes. */
  readonly recordDirectory: string
  /** No other process, nor another store of this one, has the same. */
  readonly name: string
  /** Files that are through with, and could not be removed. */
  readonly left: Set<string> = new Set()
  readonly #directory: string
  readonly #here = currentProcess()
  #timer: NodeJS.Timeout | undefined
  #heartbeats = 0
  #files = 0
  /** Of accepted objects. */
  #accepted: StagedFile[] = []
  #tidyingSoon: NodeJS.Immediate | undefined
  /** Made ahead for the next object. */
  #spare: StagedFile | undefined
  #makingSpare: Promise<void> | undefined
  #spareTimer: NodeJS.Timeout | undefined
  /** Under way. */
  readonly #removals = new Set<Promise<void>>()
  #isStopped = false

  constructor(options: StagingOptions) {
    this.#options = options
    this.partialDirectory = path.join(options.root, RESERVED_FOLDER, 'partial')
    this.recordDirectory = path.join(options.root, RESERVED_FOLDER, 'records')
    this.name = stagingFolderName(this.#here)
    this.#directory = path.join(this.partialDirectory, this.name)
  }

  /** Makes the folder and removes what processes that are gone left behind. Rejects when it cannot be written to. */
  async start(): Promise<void> {
    await this.makeDirectory()
    await this.#beat().catch(ignoreFullDisk)
    await this.#sweep()
    this.#timer = setInterval(() => void this.#onTimer(), HEARTBEAT_INTERVAL_MS)
    this.#timer.unref()
  }

  /** A new, empty file that no other object has. */
  create(): Promise<StagedFile> {
    const spare = this.#spare
    if (spare === undefined) return this.#create()
    this.#spare = undefined
    const { local } = this.#options.fileSystem
    if (local?.isQuick() === true && local.hasName(spare.descriptor)) return Promise.resolve(spare)
    // The disk became slow, or somebody tidied up under a running server.
    this.#remove(spare)
    return this.#create()
  }

  /**
   * Removes the temporary name of an accepted object, and makes the file of the next one, when this turn of the event
   * loop is over, in which the answer leaves: the peer is busy with its next request then.
   */
  removeSoon(staged: StagedFile): void {
    this.#accepted.push(staged)
    this.#tidyingSoon ??= setImmediate(() => this.#tidy())
  }

  #tidy(): void {
    this.#tidyingSoon = undefined
    for (const staged of this.#accepted) this.#remove(staged)
    this.#accepted = []
    if (!this.#isStopped) this.#makingSpare ??= this.#makeSpare().finally(() => (this.#makingSpare = undefined))
  }

  #remove(staged: StagedFile): void {
    const removal = staged.remove()
    this.#removals.add(removal)
    void removal.then(() => this.#removals.delete(removal))
  }

  async #makeSpare(): Promise<void> {
    // On a slow disk it would be in the way of those that wait.
    if (this.#spare !== undefined || this.#options.fileSystem.local?.isQuick() !== true) return
    try {
      this.#spare = await this.#create()
    } catch {
      // The next object will see it, and say so.
      return
    }
    this.#spareTimer ??= setTimeout(() => this.#removeSpare(), SPARE_KEPT_MS).unref()
    this.#spareTimer.refresh()
  }

  #removeSpare(): void {
    const spare = this.#spare
    this.#spare = undefined
    if (spare !== undefined) this.#remove(spare)
  }

  async #create(): Promise<StagedFile> {
    const { fileSystem, fileMode } = this.#options
    const file = this.newName('part')
    let descriptor: number
    try {
      descriptor = await fileSystem.open(file, CREATE_NEW, fileMode)
    } catch (error) {
      if (systemCode(error) !== 'ENOENT') throw error
      // Somebody tidied up under a running server.
      await this.makeDirectory()
      descriptor = await fileSystem.open(file, CREATE_NEW, fileMode)
    }
    return new StagedFile(fileSystem, file, descriptor, this)
  }

  /** A path in the folder of this process that was never given before. */
  newName(extension: string): string {
    this.#files += 1
    return `${this.#directory}${path.sep}${this.#files}.${extension}`
  }

  async makeDirectory(): Promise<void> {
    await this.#options.fileSystem.makeFolders(this.#directory, this.#options.directoryMode)
  }

  /** Removes the folder. */
  async stop(): Promise<void> {
    clearInterval(this.#timer)
    this.#isStopped = true
    clearImmediate(this.#tidyingSoon)
    this.#tidy()
    await this.#makingSpare
    clearTimeout(this.#spareTimer)
    this.#removeSpare()
    await Promise.all(this.#removals)
    await removeStagingFolder(this.#options.fileSystem, this.#directory)
  }

  async #onTimer(): Promise<void> {
    try {
      await this.#beat()
      this.#heartbeats += 1
      await this.#removeLeft()
      if (this.#heartbeats % HEARTBEATS_PER_SWEEP === 0) await this.#sweep()
    } catch {
      // A full or broken disk: each object reports it.
    }
  }

  async #removeLeft(): Promise<void> {
    for (const file of this.left) {
      const isThere = (await statusOf(this.#options.fileSystem, file)) !== undefined
      if (isThere) await this.#options.fileSystem.unlink(file)
      this.left.delete(file)
    }
  }

  async #beat(): Promise<void> {
    const { fileSystem, fileMode } = this.#options
    const descriptor = await fileSystem.open(path.join(this.#directory, HEARTBEAT_FILE), CREATE, fileMode)
    try {
      await writeAll(fileSystem, descriptor, [Buffer.from(`${this.#here.pid}\n`)])
    } finally {
      await fileSystem.close(descriptor)
    }
  }

  async #sweep(): Promise<void> {
    const { fileSystem, onSwept } = this.#options
    // By the clock of the disk, which another machine may keep.
    const nowMs = await fileSystem.stat(path.join(this.#directory, HEARTBEAT_FILE)).then(
      (status) => status.modifiedAtMs,
      () => Date.now(),
    )
    const objects = await sweepLeftovers({
      fileSystem,
      partialDirectory: this.partialDirectory,
      ownName: this.name,
      here: this.#here,
      nowMs,
    })
    if (objects > 0) onSwept(objects)
  }
}

// A server on a full disk has to start, to refuse objects and to be asked for those it has.
function ignoreFullDisk(error: unknown): void {
  const code = systemCode(error)
  if (code !== 'ENOSPC' && code !== 'EDQUOT') throw error
}
