import { type Logger, StatusError, StorageStatus } from '@dicomtap/framework'
import type { PluginContext } from '../context.ts'
import { databaseError } from '../database/database-error.ts'
import type { Arrival, InstanceIndex } from '../database/instance-index.ts'
import { arrivedHead } from './arrived-head.ts'
import { LimitedLines } from './limited-lines.ts'
import { InstanceReader } from '../maintenance/read-instance.ts'
import { Reindexer } from '../maintenance/reindexer.ts'
import { registerScan } from './register-scan.ts'
import { StaleFiles } from './stale-files.ts'
import type { StoredFile } from '../storage-service.ts'

const LAST = 1_000_000
/** Shorter than any time-out for handlers that makes sense (`timeouts.handlerMs`). */
const SLOW_MS = 1000

const NOT_INDEXED = {
  each: 'a stored object cannot be queried: it is not in the index',
  more: 'more stored objects cannot be queried than were logged',
}

const UNREADABLE = {
  each: 'a stored object cannot be read for the index: it is refused with A700',
  more: 'more stored objects were refused because they cannot be read than were logged',
}

/** Keeps the index in step with what plugin-storage stores and removes. */
export function registerIntake(context: PluginContext): void {
  const { api, index, directory, attributes, storage } = context
  const { hooks } = storage
  const reader = new InstanceReader(directory, attributes)
  const reindexer = new Reindexer(directory, index, reader)
  const intake = new Intake({ index, reader, stale: new StaleFiles(reindexer), log: api.log })
  // Behind all others: an object that one of them refuses has no row.
  hooks.instanceStored.tapPromise({ name: 'query-retrieve', stage: LAST }, (stored) => intake.stored(stored))
  hooks.instanceRemoved.tapPromise({ name: 'query-retrieve', stage: LAST }, ({ relativePath }) => intake.removed(relativePath))
  hooks.instanceRestored.tapPromise({ name: 'query-retrieve' }, ({ relativePath }) => intake.restored(relativePath))
  registerScan(context, reindexer)
  api.onDispose(() => intake.close())
}

type NewFile = Omit<StoredFile, 'studyInstanceUid'>

interface IntakeOptions {
  readonly index: InstanceIndex
  readonly reader: InstanceReader
  readonly stale: StaleFiles
  readonly log: Logger
}

/** The index's part of a C-STORE: what is answered 0000 has its row, or will have it before anybody reads, or cannot have one. */
export class Intake {
  readonly #options: IntakeOptions
  readonly #notIndexed: LimitedLines
  readonly #unreadableLines: LimitedLines
  #isFailing = false

  constructor(options: IntakeOptions) {
    this.#options = options
    this.#notIndexed = new LimitedLines(options.log, NOT_INDEXED)
    this.#unreadableLines = new LimitedLines(options.log, UNREADABLE)
  }

  /**
   * Resolves when the row is committed, or certain to be. An object without the UIDs of its place, or one that cannot be decoded, is
   * left stored, and logged: to refuse it would lose an image for want of a query.
   * @throws StatusError A700 when the index cannot be written
   */
  async stored(file: NewFile): Promise<void> {
    const { relativePath, sopInstanceUid, outcome } = file
    const { index, reader } = this.#options
    if (index.addSoon?.(() => this.#arrival(file)) === true) return
    const read = (await reader.readHead(file)) ?? (await reader.read(relativePath))
    if ('code' in read && read.code !== undefined) throw this.#unreadable(relativePath, read.code)
    if (!('instance' in read)) {
      this.#notIndexed.note({ sopInstanceUid, reason: read.reason })
      // Whatever had this path before is no longer there.
      if (outcome === 'replaced') await this.#write(relativePath, () => index.remove([relativePath]))
      return
    }
    const startMs = performance.now()
    await this.#write(relativePath, () => index.add(read.instance))
    // Nobody may have waited for so long: the object was refused then, and its file taken back.
    if (performance.now() - startMs > SLOW_MS) await this.#doubt(relativePath)
  }

  #arrival(file: NewFile): Arrival | undefined {
    const head = arrivedHead(file)
    if (head === undefined) return undefined
    const { relativePath, sopInstanceUid } = file
    const { reader, stale } = this.#options
    const leaveOut = (reason: string): void => this.#notIndexed.note({ sopInstanceUid, reason })
    return {
      head,
      read: async () => {
        const read = await reader.read(relativePath)
        if ('instance' in read) return read.instance
        if (read.code === 'ENOENT') return undefined
        if (read.code !== undefined) throw databaseError(`A stored object is not in the index yet: ${read.reason}`)
        leaveOut(read.reason)
        return undefined
      },
      refused: ({ message }) => {
        stale.add(relativePath)
        leaveOut(message)
      },
    }
  }

  /** Before the file is removed. */
  async removed(relativePath: string): Promise<void> {
    await this.#write(relativePath, () => this.#options.index.remove([relativePath]))
  }

  async restored(relativePath: string): Promise<void> {
    const read = await this.#options.reader.read(relativePath)
    if ('instance' in read) await this.#write(relativePath, () => this.#options.index.add(read.instance))
  }

  async close(): Promise<void> {
    this.#notIndexed.close()
    this.#unreadableLines.close()
    await this.#options.stale.close()
  }

  async #doubt(relativePath: string): Promise<void> {
    const { reader, stale } = this.#options
    const read = await reader.read(relativePath)
    if ('instance' in read || read.code !== 'ENOENT') return
    stale.add(relativePath)
    stale.settle()
  }

  /** It was written a moment ago: the system lacks something, or is broken. */
  #unreadable(relativePath: string, code: string): StatusError {
    this.#options.stale.add(relativePath)
    this.#unreadableLines.note({ code })
    return new StatusError(StorageStatus.OutOfResources, { errorComment: 'The object could not be stored' })
  }

  async #write(relativePath: string, work: () => Promise<unknown>): Promise<void> {
    const { stale, log } = this.#options
    try {
      await work()
    } catch (error) {
      // It may have been written all the same, and its answer lost.
      stale.add(relativePath)
      if (!this.#isFailing) log.error('the index cannot be written: objects are refused with A700', { error })
      this.#isFailing = true
      throw new StatusError(StorageStatus.OutOfResources, { errorComment: 'The object could not be stored', cause: error })
    }
    if (this.#isFailing) log.info('the index can be written again: objects are accepted')
    this.#isFailing = false
    stale.settle()
  }
}
