import { type CStoreRequest, DicomtapError, isLocalFileSystemType, type Logger, type Operation, type StatusAnswer, StatusError } from '@dicomtap/framework'
import { setTimeout as delay } from 'node:timers/promises'
import { Acceptor } from './acceptance.ts'
import { BufferPool } from './buffer-pool.ts'
import { FolderSyncer } from './durability.ts'
import { answerToSystemError, isStatusError, StoreStatus, systemError } from './failure.ts'
import { type FileSystem, nodeFileSystem, systemCode } from './file-system.ts'
import { guardStorageHooks } from './guard-hooks.ts'
import type { StorageHooks } from './hooks.ts'
import { inlineFileSystem } from './inline-file-system.ts'
import { KeyedLock } from './keyed-lock.ts'
import { notifyStudyCompleted } from './notify-study.ts'
import { Tag } from './object-head.ts'
import { tagsOf } from './object-path.ts'
import type { ResolvedStorageOptions } from './options.ts'
import { isImpersonal } from './path-fields.ts'
import { parsePathTemplate, type PathTemplate } from './path-template.ts'
import { orDirectoryError, prepareDirectory } from './prepare-directory.ts'
import { type Publication, Publisher } from './publisher.ts'
import { Reception, type ReceptionEnvironment } from './reception.ts'
import { RecordLog } from './records/record-log.ts'
import { Remover } from './removal.ts'
import type { RemovalResult, RemoveOptions, StorageStats } from './service.ts'
import { SpaceGuard } from './space-guard.ts'
import { StagingArea } from './staging.ts'
import { StudyTracker } from './study-tracker.ts'
import { UsageCounter } from './usage-counter.ts'

const USAGE_COUNT_WAIT_MS = 2000
const SHORTEST_TIMEOUT_MS = 10

export interface ObjectStoreOptions {
  /** Absolute path of the storage folder. */
  readonly directory: string
  readonly options: Omit<ResolvedStorageOptions, 'directory' | 'discard'>
  readonly hooks: StorageHooks
  readonly log: Logger
  /** How long handlers of the hooks may take; null, the default: as long as they like. */
  readonly handlerMs?: number | null
  /** Default: the operating system's. */
  readonly fileSystem?: FileSystem
}

/** What exists once the folder was looked at. */
interface Started {
  readonly staging: StagingArea
  readonly acceptor: Acceptor
  readonly remover: Remover
  readonly guard: SpaceGuard
  readonly usage: UsageCounter | undefined
  readonly records: RecordLog | undefined
}

/** What answers C-STORE requests. */
export interface ObjectTaker {
  /** Before the first request. @throws DICOMTAP_ERR_STO_DIRECTORY when the folder cannot be used. */
  start(): Promise<void>
  /** The answer to a C-STORE request. Rejects when the association ends before the object is complete. */
  store(request: CStoreRequest, operation: Operation): Promise<StatusAnswer>
  stats(): StorageStats
  /** Removes files. @throws DICOMTAP_ERR_STO_DIRECTORY when the folder cannot be used */
  remove(relativePaths: readonly string[], removal: RemoveOptions): Promise<RemovalResult>
  associationEnded(association: object): void
  stop(): Promise<void>
}

/** Stores the objects of C-STORE requests below one folder. */
export class ObjectStore implements ObjectTaker {
  readonly #directory: string
  readonly #options: ObjectStoreOptions['options']
  readonly #hooks: StorageHooks
  readonly #log: Logger
  readonly #fileSystem: FileSystem
  readonly #template: PathTemplate
  readonly #templateTags: readonly number[]
  readonly #pool = new BufferPool()
  readonly #tracker: StudyTracker
  readonly #running = new Set<Promise<StatusAnswer>>()
  readonly #removals = new Set<Promise<RemovalResult>>()
  readonly #announcements = new Set<Promise<void>>()
  #started: Promise<Started> | undefined
  #isRefusing = false
  #instancesStored = 0
  #duplicates = 0
  #bytesStored = 0
  #failures = 0
  #leftoversRemoved = 0

  constructor({ directory, options, hooks, log, handlerMs = null, fileSystem = nodeFileSystem }: ObjectStoreOptions) {
    guardStorageHooks(hooks, log, handlerMs)
    this.#directory = directory
    this.#options = options
    this.#hooks = hooks
    this.#log = log
    this.#fileSystem = fileSystem
    this.#template = parsePathTemplate(options.path)
    this.#templateTags = tagsOf(this.#template.fields)
    this.#tracker = new StudyTracker({
      quietPeriodMs: options.studyQuietPeriodMs ?? undefined,
      onCompleted: (study) => {
        const announcement = notifyStudyCompleted(hooks.studyCompleted, study)
        this.#announcements.add(announcement)
        void announcement.then(() => this.#announcements.delete(announcement))
      },
    })
  }

  /**
   * Makes the folder ready: created, its leftovers swept. Called again, it returns the same promise.
   * @throws DICOMTAP_ERR_STO_DIRECTORY when the folder cannot be used.
   */
  async start(): Promise<void> {
    await this.#start()
  }

  stats(): StorageStats {
    return {
      instancesStored: this.#instancesStored,
      duplicates: this.#duplicates,
      bytesStored: this.#bytesStored,
      failures: this.#failures,
      inFlight: this.#running.size,
      leftoversRemoved: this.#leftoversRemoved,
    }
  }

  /** The answer to a C-STORE request. Rejects when the association ends before the object is complete. */
  store(request: CStoreRequest, operation: Operation): Promise<StatusAnswer> {
    const running = this.#store(request, operation)
    this.#running.add(running)
    const done = (): void => void this.#running.delete(running)
    running.then(done, done)
    return running
  }

  remove(relativePaths: readonly string[], removal: RemoveOptions): Promise<RemovalResult> {
    const running = this.#start().then(({ remover }) => remover.remove(relativePaths, removal))
    this.#removals.add(running)
    const done = (): void => void this.#removals.delete(running)
    running.then(done, done)
    return running
  }

  associationEnded(association: object): void {
    if (this.#hooks.studyCompleted.taps.length > 0) this.#tracker.associationEnded(association)
  }

  /** Waits for running stores, announces open studies and removes the staging folder. */
  async stop(): Promise<void> {
    await Promise.allSettled([...this.#running, ...this.#removals])
    this.#tracker.close()
    await Promise.allSettled(this.#announcements)
    const started = await this.#started?.catch(() => undefined)
    await started?.usage?.stop()
    await started?.records?.stop()
    await started?.staging.stop()
  }

  /** What is recorded when the options do not say: a digest costs time that only `close` saves. */
  get #record(): 'sha256' | 'size' | 'none' {
    const { record, durability } = this.#options
    return record ?? (durability === 'fsync' ? 'sha256' : 'size')
  }

  #start(): Promise<Started> {
    this.#started ??= this.#open().catch((error: unknown) => {
      // A disk that is not there yet may be there for the next object.
      this.#started = undefined
      throw error
    })
    return this.#started
  }

  async #open(): Promise<Started> {
    const { directoryMode, fileMode, durability, duplicates, minimumFreeSpace, quota } = this.#options
    const isSynced = durability === 'fsync'
    const root = await prepareDirectory(this.#fileSystem, this.#directory, directoryMode, isSynced)
    const fileSystem = await this.#quickest(root)
    const staging = new StagingArea({ fileSystem, root, fileMode, directoryMode, onSwept: (objects) => this.#swept(objects) })
    const syncer = isSynced ? new FolderSyncer(fileSystem, root) : undefined
    const { partialDirectory, left } = staging
    const publisher = new Publisher({ fileSystem, log: this.#log, duplicates, directoryMode, syncer, partialDirectory, left })
    await orDirectoryError(this.#directory, async () => {
      await staging.start()
      if (duplicates !== 'replace') await publisher.probeLinks(await staging.create())
    })
    if (!publisher.hasLinks) {
      this.#log.warn('the file system of the storage folder has no hard links: let only one process store into it', {
        directory: this.#directory,
      })
    }
    const guard = new SpaceGuard({
      fileSystem,
      root,
      minimumFreeBytes: minimumFreeSpace ?? undefined,
      quotaBytes: quota ?? undefined,
    })
    const usage = quota === null ? undefined : new UsageCounter(fileSystem, root, guard)
    // A large archive takes minutes to count, and is served meanwhile.
    if (usage !== undefined) await Promise.race([usage.start(), delay(USAGE_COUNT_WAIT_MS, undefined, { ref: false })])
    const records = this.#recordLog(fileSystem, staging)
    const paths = new KeyedLock()
    const { claimsNames } = publisher
    const remover = new Remover({
      fileSystem, root, staging, paths, records, syncer, claimsNames, hooks: this.#hooks, log: this.#log, onRemoved: (sizeBytes) => guard.settle(0, -sizeBytes),
    })
    const acceptor = new Acceptor({
      root,
      paths,
      template: this.#template,
      publisher,
      records,
      hooks: this.#hooks,
      log: this.#log,
      countsSpace: quota !== null,
    })
    return { staging, acceptor, remover, guard, usage, records }
  }

  #recordLog(fileSystem: FileSystem, { recordDirectory, name }: StagingArea): RecordLog | undefined {
    if (this.#record === 'none') return undefined
    const { fileMode, directoryMode, durability } = this.#options
    return new RecordLog({
      fileSystem,
      directory: recordDirectory,
      name,
      fileMode,
      directoryMode,
      isSynced: durability === 'fsync',
      onFailure: (error) =>
        this.#log.error('stored objects cannot be recorded: dicomtap verify will call them unrecorded', {
          directory: recordDirectory,
          error: systemError(systemCode(error) ?? 'EIO', (error as NodeJS.ErrnoException).syscall, recordDirectory),
        }),
      onRecovery: () => this.#log.info('stored objects are recorded again', { directory: recordDirectory }),
    })
  }

  /** With the system's own calls a local disk answers faster than a thread does. */
  async #quickest(root: string): Promise<FileSystem> {
    const fileSystem = this.#fileSystem
    if (fileSystem !== nodeFileSystem) return fileSystem
    const type = await fileSystem.fileSystemType(root).catch(() => 0)
    return isLocalFileSystemType(type) ? inlineFileSystem(fileSystem) : fileSystem
  }

  async #store(request: CStoreRequest, operation: Operation): Promise<StatusAnswer> {
    const startMs = performance.now()
    try {
      const started = await this.#start()
      await this.#admit(started)
      const reception = new Reception(this.#environment(started), request, operation, this.#tags())
      try {
        const file = await reception.receive()
        throwIfEnded(operation, startMs)
        const publication = await started.acceptor.accept({ request, operation, head: reception.head, file })
        this.#stored(publication, reception, request, operation)
      } finally {
        await reception.end()
      }
      return StoreStatus.Success
    } catch (error) {
      this.#failures += 1
      return this.#answerTo(error)
    }
  }

  #stored({ outcome, sizeBytes, replacedBytes }: Publication, reception: Reception, request: CStoreRequest, operation: Operation): void {
    if (outcome !== 'kept') reception.settleStored(sizeBytes - replacedBytes)
    const isDuplicate = outcome !== 'new' && outcome !== 'written'
    this.#instancesStored += 1
    if (isDuplicate) this.#duplicates += 1
    this.#bytesStored += reception.receivedBytes
    const studyInstanceUid = reception.head.uid(Tag.StudyInstanceUid)
    const { association } = operation
    if (this.#hooks.studyCompleted.taps.length > 0 && studyInstanceUid !== undefined) {
      this.#tracker.add({ studyInstanceUid, callingAeTitle: association.callingAeTitle.trim(), isDuplicate, association })
    }
    if (this.#log.isEnabled('debug')) {
      this.#log.debug('stored', {
        association: association.id,
        sopInstanceUid: request.affectedSopInstanceUid,
        outcome,
        sizeBytes,
      })
    }
  }

  /** Refusals and errors of the disk become answers; what is not about storing is left to the framework. */
  #answerTo(error: unknown): StatusAnswer {
    if (isStatusError(error)) {
      const { status, errorComment, offendingElements } = error
      return { status, errorComment, offendingElements }
    }
    const code = systemCode(error)
    if (code !== undefined) {
      this.#log.error('an object could not be stored', { error: this.#describe(code, error as NodeJS.ErrnoException) })
      return answerToSystemError(code)
    }
    if (error instanceof DicomtapError && error.code === 'DICOMTAP_ERR_STO_DIRECTORY') {
      this.#log.error(error.message, {})
      return { status: StoreStatus.OutOfResources, errorComment: 'Out of resources' }
    }
    throw error
  }

  /** For the log: with the path, unless something of the patient may stand in it. */
  #describe(code: string, { syscall, path }: NodeJS.ErrnoException): DicomtapError {
    const isShown = this.#template.fields.every(isImpersonal) && this.#hooks.filePath.taps.length === 0
    return systemError(code, syscall, isShown ? path : `a path in ${this.#directory}`)
  }

  #environment({ staging, guard }: Started): ReceptionEnvironment {
    const { maximumObjectBytes, checkSopInstance, sha256, durability } = this.#options
    return {
      pool: this.#pool,
      staging,
      guard,
      tracker: this.#hooks.studyCompleted.taps.length > 0 ? this.#tracker : undefined,
      maximumObjectBytes: maximumObjectBytes ?? undefined,
      checkSopInstance,
      sha256: sha256 || this.#record === 'sha256',
      isSynced: durability === 'fsync',
      keepsHead: this.#hooks.instanceStored.taps.length > 0,
      onFull: () => this.#log.warn('out of space for the rest of an object: it is refused with A700', { directory: this.#directory }),
    }
  }

  /** A handler of `filePath` may ask for any field. */
  #tags(): readonly number[] {
    return this.#hooks.filePath.taps.length > 0 ? tagsOf() : this.#templateTags
  }

  async #admit({ guard, usage }: Started): Promise<void> {
    await guard.admit()
    if (guard.isOverQuota(1)) await usage?.recountWhenFull()
    const isFull = guard.isFull(1)
    if (isFull !== this.#isRefusing) {
      this.#isRefusing = isFull
      const fields = { directory: this.#directory, storedBytes: usage === undefined ? undefined : guard.storedBytes }
      if (isFull) this.#log.error('out of space: objects are refused with A700', fields)
      else this.#log.info('there is space again: objects are accepted', fields)
    }
    if (isFull) throw new StatusError(StoreStatus.OutOfResources, { errorComment: 'Out of space' })
  }

  #swept(objects: number): void {
    this.#leftoversRemoved += objects
    this.#log.info('removed unfinished objects of a process that is gone', { objects, directory: this.#directory })
  }
}

/**
 * Rejects what nobody waits for any more, so that nobody will believe it was stored. Asking for the signal makes
 * one, so it is only asked where it can say something: the association ended, or a time-out may have passed.
 */
function throwIfEnded(operation: Operation, startMs: number): void {
  const { state } = operation.association
  const isOpen = state === 'established' || state === 'releasing'
  if (!isOpen || performance.now() - startMs > SHORTEST_TIMEOUT_MS) operation.signal.throwIfAborted()
}
