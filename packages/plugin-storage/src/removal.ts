import type { Logger } from '@dicomtap/framework'
import path from 'node:path'
import { containedPath } from './contained-path.ts'
import { type FolderSyncer, syncFolder } from './durability.ts'
import { type FileSystem, statusOf, systemCode } from './file-system.ts'
import type { RemovedInstance, StorageHooks } from './hooks.ts'
import type { KeyedLock } from './keyed-lock.ts'
import type { RecordKind } from './records/record.ts'
import { MAXIMUM_VERSIONS } from './publisher.ts'
import type { RecordLog } from './records/record-log.ts'
import type { RemovalResult, RemoveOptions, UnremovedFile } from './service.ts'
import type { StagingArea } from './staging.ts'
import { isSameInstance } from './same-object.ts'
import { takeAway } from './take-away.ts'

/** Files that share one sync of the records and of their folders. */
const FILES_AT_ONCE = 64
const PARALLEL = 8
/** How the publisher names them. */
const VERSIONED = /^(.+)_v(\d{1,4})$/

export interface RemoverOptions {
  readonly fileSystem: FileSystem
  /** The storage folder, its real path. */
  readonly root: string
  readonly staging: StagingArea
  /** What stores hold while they give a path a file. */
  readonly paths: KeyedLock
  /** Undefined when nothing is recorded. */
  readonly records: RecordLog | undefined
  /** Undefined when names need not survive a crash. */
  readonly syncer: FolderSyncer | undefined
  readonly hooks: Pick<StorageHooks, 'instanceRemoved' | 'instanceRestored'>
  readonly log: Logger
  /** Whether a name is given only when it is free; otherwise an object may take the place of another at any moment. */
  readonly claimsNames: boolean
  /** Told how many bytes are gone. */
  readonly onRemoved: (sizeBytes: number) => void
}

interface Candidate {
  readonly relativePath: string
  readonly file: string
}

type Outcome =
  | { readonly kind: 'removed'; readonly sizeBytes: number }
  | { readonly kind: 'missing' }
  | { readonly kind: 'unremoved'; readonly why: UnremovedFile['why']; readonly code?: string | undefined }

/** A result as it grows. */
interface Count {
  removed: number
  removedBytes: number
  missing: number
  readonly unremoved: UnremovedFile[]
}

/**
 * Removes files from the storage folder. What happens to one of them, in this order:
 *
 * 1. It is recorded as `removing`: from here on `verify` takes its presence and its absence.
 * 2. It gets a second name in the staging folder, by which other processes see that its first one is not certain;
 *    those that are about to answer for it have put a second name there, too, and then it stays.
 * 3. `instanceRemoved`: indexes forget it.
 * 4. Its names are removed, and folders that are empty then.
 * 5. It is recorded as `removed`.
 *
 * A crash after 3 leaves a file that no index knows, which a scan finds. A crash before leaves the object as it was.
 */
export class Remover {
  readonly #options: RemoverOptions

  constructor(options: RemoverOptions) {
    this.#options = options
  }

  /** Never rejects for a file that cannot be removed. */
  async remove(relativePaths: readonly string[], removal: RemoveOptions): Promise<RemovalResult> {
    const count: Count = { removed: 0, removedBytes: 0, missing: 0, unremoved: [] }
    for (let at = 0; at < relativePaths.length; at += FILES_AT_ONCE) {
      if (removal.signal?.aborted === true) break
      await this.#removeSome(relativePaths.slice(at, at + FILES_AT_ONCE), removal, count)
    }
    return count
  }

  async #removeSome(relativePaths: readonly string[], removal: RemoveOptions, count: Count): Promise<void> {
    const candidates: Candidate[] = []
    for (const relativePath of new Set(relativePaths)) {
      const file = await this.#contained(relativePath)
      if (file === undefined) count.unremoved.push({ relativePath, why: 'path' })
      else candidates.push({ relativePath, file })
    }
    if (removal.withVersions === true) candidates.push(...(await this.#versionsOf(candidates)))
    await Promise.all(candidates.map((candidate) => this.#record('removing', candidate)))
    // Before any name is gone: records say what is missing on purpose.
    await this.#options.records?.sync()
    const gone: Candidate[] = []
    const entries = candidates.values()
    const work = async (): Promise<void> => {
      for (const candidate of entries) {
        const outcome = await this.#removeOne(candidate, removal)
        if (outcome.kind === 'unremoved') {
          count.unremoved.push({ relativePath: candidate.relativePath, why: outcome.why, code: outcome.code })
          void this.#record('remains', candidate)
          continue
        }
        gone.push(candidate)
        if (outcome.kind === 'missing') count.missing += 1
        else {
          count.removed += 1
          count.removedBytes += outcome.sizeBytes
        }
      }
    }
    await Promise.all(Array.from({ length: PARALLEL }, work))
    for (const folder of new Set(gone.map(({ file }) => path.dirname(file)))) await this.#tidy(folder)
    await Promise.all(gone.map((candidate) => this.#record('removed', candidate)))
  }

  #removeOne(candidate: Candidate, removal: RemoveOptions): Promise<Outcome> {
    return this.#options.paths.run(candidate.file, async () => {
      try {
        return await this.#take(candidate, removal)
      } catch (error) {
        const code = systemCode(error)
        if (code === undefined) throw error
        return { kind: 'unremoved', why: 'system', code }
      }
    })
  }

  async #take({ relativePath, file }: Candidate, { reason, writtenBeforeMs = Infinity }: RemoveOptions): Promise<Outcome> {
    const { fileSystem, onRemoved } = this.#options
    const status = await statusOf(fileSystem, file)
    const instance: RemovedInstance = { path: file, relativePath, sizeBytes: status?.sizeBytes ?? 0, reason }
    if (status === undefined) return (await this.#announce('instanceRemoved', instance)) ? this.#missing(instance) : { kind: 'unremoved', why: 'handler' }
    if (!status.isFile) return { kind: 'unremoved', why: 'path' }
    if (status.modifiedAtMs >= writtenBeforeMs) return { kind: 'unremoved', why: 'newer' }
    // What can be known before: an index need not forget what cannot be removed.
    await fileSystem.mayChange(path.dirname(file))
    const { outcome, code, isMistold } = await takeAway(file, status, this.#options, () => this.#announce('instanceRemoved', instance))
    if (isMistold) await this.#announce('instanceRestored', instance)
    if (outcome === 'removed') {
      onRemoved(status.sizeBytes)
      return { kind: 'removed', sizeBytes: status.sizeBytes }
    }
    return outcome === 'gone' ? this.#missing(instance) : { kind: 'unremoved', why: outcome, code }
  }

  /** Handlers were told that it is gone; another process may have stored an object there just before they were. */
  async #missing(instance: RemovedInstance): Promise<Outcome> {
    if ((await statusOf(this.#options.fileSystem, instance.path)) === undefined) return { kind: 'missing' }
    await this.#announce('instanceRestored', instance)
    return { kind: 'unremoved', why: 'newer' }
  }

  /** False when a handler failed: its guard has logged it. */
  async #announce(name: 'instanceRemoved' | 'instanceRestored', instance: RemovedInstance): Promise<boolean> {
    try {
      await this.#options.hooks[name].promise(instance)
      return true
    } catch {
      return false
    }
  }

  /**
   * The absolute path, when it is one inside the folder and no link is on the way that leads out of it.
   */
  async #contained(relativePath: string): Promise<string | undefined> {
    const { fileSystem, root } = this.#options
    const file = containedPath(root, relativePath)
    if (file === undefined || path.relative(root, file).split(path.sep).join('/') !== relativePath) return undefined
    try {
      const real = await fileSystem.realPath(file)
      const isPlain = real === path.join(await fileSystem.realPath(path.dirname(file)), path.basename(file))
      return isPlain && containedPath(root, path.relative(root, real)) !== undefined ? file : undefined
    } catch (error) {
      const code = systemCode(error)
      if (code === undefined) throw error
      // It is not there, or cannot be looked at: what is made of it shows later.
      return file
    }
  }

  /** Files beside them that hold other versions of the same instances. */
  async #versionsOf(candidates: readonly Candidate[]): Promise<Candidate[]> {
    const { fileSystem } = this.#options
    const known = new Set(candidates.map(({ file }) => file))
    const versions: Candidate[] = []
    for (const { file, relativePath } of candidates) {
      const { name, ext } = path.parse(file)
      const [, first = name, own = '1'] = VERSIONED.exec(name) ?? []
      // By name, as a folder may have millions of files. The one that is given may be any of them.
      for (let version = 1; version <= MAXIMUM_VERSIONS; version++) {
        const base = version === 1 ? first + ext : `${first}_v${version}${ext}`
        const other = path.join(path.dirname(file), base)
        if (known.has(other)) continue
        const isThere = (await statusOf(fileSystem, other).catch(() => undefined))?.isFile === true
        if (!isThere && version > Number(own)) break
        // A handler of `filePath` may give such names to anything.
        if (!isThere || !(await isSameInstance(fileSystem, file, other).catch(() => false))) continue
        known.add(other)
        versions.push({ file: other, relativePath: relativePath.slice(0, -path.basename(file).length) + base })
      }
    }
    return versions
  }

  /** Removes folders that are empty now, and makes durable that names are gone from those that stay. */
  async #tidy(folder: string): Promise<void> {
    const { fileSystem, root, syncer } = this.#options
    let at = folder
    for (; at.length > root.length; at = path.dirname(at)) {
      try {
        await fileSystem.removeFolder(at)
      } catch (error) {
        if (systemCode(error) !== 'ENOENT') break
      }
      // Who makes it again must make its name durable.
      syncer?.forget(path.join(at, 'file'))
    }
    if (syncer === undefined) return
    try {
      await syncFolder(fileSystem, at)
    } catch (error) {
      const code = systemCode(error)
      if (code === undefined) throw error
      // Somebody else removed it, and what was in it.
      if (code !== 'ENOENT') this.#options.log.error('a folder could not be synced: after a power failure, files that were removed from it may be back', { code })
    }
  }

  async #record(kind: RecordKind, { relativePath }: Candidate): Promise<void> {
    await this.#options.records?.append({ kind, relativePath, sizeBytes: 0, recordedAtMs: Date.now() })
  }
}
