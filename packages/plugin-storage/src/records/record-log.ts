import { constants } from 'node:fs'
import path from 'node:path'
import { syncFolder } from '../durability.ts'
import { type FileSystem, statusOf, systemCode, writeAll } from '../file-system.ts'
import { encodeRecord, type ObjectRecord } from './record.ts'

/** Records that are at most so old may be lost in a power failure; the objects are not. */
export const RECORD_SYNC_MS: number = 1000

const DAY_CHARACTERS = 10
const DAY_MS = 86_400_000
const APPEND = constants.O_WRONLY | constants.O_CREAT | constants.O_APPEND

export interface RecordLogOptions {
  readonly fileSystem: FileSystem
  /** `.dicomtap/records` in the storage folder. */
  readonly directory: string
  /** No other process has the same. */
  readonly name: string
  readonly fileMode: number
  readonly directoryMode: number
  /** Whether records survive a power failure, too. */
  readonly isSynced: boolean
  /** Told once when records cannot be written, and once when they can again. */
  readonly onFailure: (error: unknown) => void
  readonly onRecovery?: () => void
}

/**
 * Appends records to a file of this process, a new one each day. What comes while a write is under way goes out with
 * the next one, and syncs happen once a second, so that an object costs at most one short write more.
 *
 * A record that cannot be written is no reason to refuse an object that is safe: `verify` will call it unrecorded.
 */
export class RecordLog {
  readonly #options: RecordLogOptions
  #pending = ''
  #writing: Promise<void> | undefined
  #next: Promise<void> | undefined
  #descriptor: number | undefined
  #file = ''
  #fileId = 0
  /** Of UTC, since 1970. Undefined: the next record begins a file. */
  #day: number | undefined
  #isNewFile = false
  /** Part of a line may have been written. */
  #isTorn = false
  #isFailing = false
  #syncTimer: NodeJS.Timeout | undefined
  #syncing: Promise<void> | undefined

  constructor(options: RecordLogOptions) {
    this.#options = options
  }

  /** Resolves when the record is with the operating system, or could not be written. Never rejects. */
  append(record: ObjectRecord): Promise<void> {
    this.#pending += encodeRecord(record)
    if (this.#writing !== undefined) {
      this.#next ??= this.#writing.then(() => this.#startNext())
      return this.#next
    }
    return this.#startNext()
  }

  /** Resolves when what was appended before is as durable as records become. Never rejects. */
  async sync(): Promise<void> {
    while (this.#writing !== undefined) await (this.#next ?? this.#writing)
    await this.#sync()
  }

  /** Writes and syncs what is left. Never rejects. */
  async stop(): Promise<void> {
    while (this.#writing !== undefined) await (this.#next ?? this.#writing)
    clearTimeout(this.#syncTimer)
    await this.#syncing
    await this.#close()
  }

  #startNext(): Promise<void> {
    this.#next = undefined
    const writing = this.#write()
    this.#writing = writing
    void writing.then(() => {
      if (this.#next === undefined) this.#writing = undefined
    })
    return writing
  }

  async #write(): Promise<void> {
    const lines = this.#pending
    this.#pending = ''
    try {
      const descriptor = await this.#opened(Math.floor(Date.now() / DAY_MS))
      const bytes = Buffer.from(this.#isTorn ? `\n${lines}` : lines)
      this.#isTorn = true
      await writeAll(this.#options.fileSystem, descriptor, [bytes])
      this.#isTorn = false
      if (this.#isFailing) this.#options.onRecovery?.()
      this.#isFailing = false
      this.#syncSoon()
    } catch (error) {
      if (!this.#isFailing) this.#options.onFailure(error)
      this.#isFailing = true
    }
  }

  async #opened(day: number): Promise<number> {
    if (this.#descriptor !== undefined && day === this.#day) return this.#descriptor
    await this.#close()
    const { fileSystem, directory, name, fileMode, directoryMode } = this.#options
    const file = path.join(directory, `${new Date(day * DAY_MS).toISOString().slice(0, DAY_CHARACTERS)}-${name}.records`)
    let descriptor: number
    try {
      descriptor = await fileSystem.open(file, APPEND, fileMode)
    } catch (error) {
      if (systemCode(error) !== 'ENOENT') throw error
      await fileSystem.makeFolders(directory, directoryMode)
      descriptor = await fileSystem.open(file, APPEND, fileMode)
    }
    this.#descriptor = descriptor
    this.#day = day
    this.#file = file
    this.#fileId = (await statusOf(fileSystem, file))?.fileId ?? 0
    this.#isNewFile = true
    return descriptor
  }

  async #close(): Promise<void> {
    const descriptor = this.#descriptor
    if (descriptor === undefined) return
    await this.#sync()
    this.#descriptor = undefined
    await this.#options.fileSystem.close(descriptor).catch(() => undefined)
  }

  #syncSoon(): void {
    this.#syncTimer ??= setTimeout(() => {
      this.#syncTimer = undefined
      this.#syncing ??= this.#syncAndLook().finally(() => (this.#syncing = undefined))
    }, RECORD_SYNC_MS).unref()
  }

  async #syncAndLook(): Promise<void> {
    await this.#sync()
    // Somebody tidied up under a running server: what is appended to a file without a name is lost.
    const status = await statusOf(this.#options.fileSystem, this.#file).catch(() => undefined)
    if (status?.fileId !== this.#fileId) this.#day = undefined
  }

  async #sync(): Promise<void> {
    const { fileSystem, directory, isSynced } = this.#options
    const descriptor = this.#descriptor
    if (!isSynced || descriptor === undefined) return
    try {
      await fileSystem.fsync(descriptor)
      if (!this.#isNewFile) return
      for (const folder of [directory, path.dirname(directory), path.dirname(path.dirname(directory))]) await syncFolder(fileSystem, folder)
      this.#isNewFile = false
    } catch {
      // The disk fails: each object reports it.
    }
  }
}
