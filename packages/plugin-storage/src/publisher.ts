import { type Logger, StatusError } from '@dicomtap/framework'
import { constants } from 'node:fs'
import path from 'node:path'
import type { FolderSyncer } from './durability.ts'
import { statusOf, systemCode, type FileSystem } from './file-system.ts'
import { isSameInstance, isSameObject } from './same-object.ts'
import type { StagedFile } from './staged-file.ts'
import { awaitDecision, type Decision } from './undecided.ts'

/** What to do with an object whose path is taken. */
export type DuplicatePolicy = 'replace' | 'keep' | 'reject' | 'version'

/** Where an object ended up. */
export interface Publication {
  readonly path: string
  /**
   * `new`: nothing was there. `replaced`: it took the place of a file. `kept`: the file that was there
   * stands for it. `version`: it differs from the file that was there and lies beside it. `written`: it has
   * its name, and nobody asked whether it took the place of a file.
   */
  readonly outcome: 'new' | 'replaced' | 'kept' | 'version' | 'written'
  readonly sizeBytes: number
  /** Size of the file that was replaced; 0 when there was none. */
  readonly replacedBytes: number
}

export interface PublisherOptions {
  readonly fileSystem: FileSystem
  readonly log: Logger
  readonly duplicates: DuplicatePolicy
  readonly directoryMode: number
  /** The folder that holds one staging folder for each process. */
  readonly partialDirectory: string
  /** Temporary names of this process that could not be removed. */
  readonly left: ReadonlySet<string>
  /** How long to wait until another process has decided on its object; default 5 s. */
  readonly decisionWaitMs?: number | undefined
  /** Undefined when names need not survive a crash. */
  readonly syncer: FolderSyncer | undefined
}

/** Of one instance. */
export const MAXIMUM_VERSIONS = 1000
const DECISION_WAIT_MS = 5000
/** A folder that is empty is removed after the last file in it, and that may be just when the next one comes. */
const FOLDER_ATTEMPTS = 20
const NO_LINKS: ReadonlySet<string | undefined> = new Set(['EPERM', 'EACCES', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'])

/**
 * Gives complete files their final names. A name appears with the whole object behind it or not at all,
 * and is durable, as the options say, when `publish` resolves.
 *
 * Except for `replace`, a name is given by link(2), which fails when it is taken: two objects that come at
 * the same time, in one process or in two, cannot overwrite each other. The temporary name stays until the object
 * is accepted, which tells other processes that the final one may be taken back: see `awaitDecision`.
 */
export class Publisher {
  readonly #options: PublisherOptions
  #hasLinks = true

  constructor(options: PublisherOptions) {
    this.#options = options
  }

  /** Without links (FAT, some network shares), callers must not publish equal paths at the same time. */
  get hasLinks(): boolean {
    return this.#hasLinks
  }

  /** Whether names are given only once, so that a name that was given can be taken back. */
  get claimsNames(): boolean {
    return this.#options.duplicates !== 'replace'
  }

  /** Finds out whether the file system has hard links, with a file that is then removed. */
  async probeLinks(staged: StagedFile): Promise<void> {
    const { fileSystem } = this.#options
    const link = `${staged.path}.link`
    try {
      await fileSystem.link(staged.path, link)
      await fileSystem.unlink(link)
    } catch (error) {
      this.#hasLinks = !NO_LINKS.has(systemCode(error))
    } finally {
      await staged.discard()
    }
  }

  /**
   * The caller removes the temporary name, and does so once it will not withdraw the object any more.
   *
   * @param wantsOutcome false when the caller does not care whether a file was replaced; saves a call.
   * @throws StatusError 0111 under the policy `reject`, A700 when another process does not come to a decision, 0110
   *   under the policy `keep` when something else has the name.
   */
  async publish(staged: StagedFile, file: string, wantsOutcome: boolean): Promise<Publication> {
    const publication = await this.#place(staged, file, wantsOutcome)
    const { syncer } = this.#options
    if (syncer !== undefined) await this.#makeDurable(syncer, staged, publication)
    return publication
  }

  /** Takes a name back that `publish` gave: the object was not accepted after all. */
  async withdraw(staged: StagedFile, { path: file }: Publication): Promise<void> {
    if (!(await this.#isOurs(staged))) return
    await this.#options.fileSystem.unlink(file)
    try {
      await this.#options.syncer?.makeDurable(file)
    } catch (error) {
      // The folder was empty, and somebody removed it.
      if (systemCode(error) !== 'ENOENT') throw error
    }
  }

  async #makeDurable(syncer: FolderSyncer, staged: StagedFile, publication: Publication): Promise<void> {
    if (publication.outcome === 'kept') await this.#syncFile(publication.path)
    try {
      await syncer.makeDurable(publication.path)
    } catch (error) {
      // The sender will be told that it failed, so the object must not be there. One that may have taken the
      // place of another stays: that one is gone, and a third may have taken the place of this one.
      if (this.claimsNames && publication.outcome !== 'kept' && (await this.#isOurs(staged))) {
        await this.#options.fileSystem.unlink(publication.path).catch(() => undefined)
      }
      throw error
    }
  }

  /** A process elsewhere that took this one for gone has removed the temporary name, and counts on the final one. */
  async #isOurs(staged: StagedFile): Promise<boolean> {
    if (!this.#hasLinks) return true
    const status = await this.#options.fileSystem.stat(staged.path).catch(() => undefined)
    return status !== undefined
  }

  /** Whoever wrote a kept file may not have come to it yet. */
  async #syncFile(file: string): Promise<void> {
    const { fileSystem } = this.#options
    const flags = process.platform === 'win32' ? constants.O_RDWR : constants.O_RDONLY
    const descriptor = await fileSystem.open(file, flags)
    try {
      await fileSystem.fsync(descriptor)
    } finally {
      await fileSystem.close(descriptor)
    }
  }

  async #place(staged: StagedFile, file: string, wantsOutcome: boolean): Promise<Publication> {
    const { fileSystem, duplicates, log } = this.#options
    if (duplicates === 'replace') {
      const replaced = wantsOutcome ? await this.#sizeOf(file) : undefined
      await this.#inFolder(file, () => fileSystem.rename(staged.path, file))
      staged.markMoved()
      const outcome = !wantsOutcome ? 'written' : replaced === undefined ? 'new' : 'replaced'
      return { path: file, outcome, sizeBytes: staged.sizeBytes, replacedBytes: replaced ?? 0 }
    }
    if (duplicates === 'version') return this.#placeVersion(staged, file)
    for (;;) {
      if (await this.#claim(staged, file)) return written(staged, file, 'new')
      if (duplicates === 'reject') {
        const decision = await this.#decision(file)
        if (decision === 'gone') continue
        if (decision === 'undecided') throw this.#undecided()
        throw new StatusError(0x0111, { errorComment: 'The instance is stored already' })
      }
      const held = await this.#hold(staged, file)
      if (held === 'gone') continue
      if (held === 'undecided') throw this.#undecided()
      if (await isSameInstance(fileSystem, staged.path, held.path)) return this.#kept(file)
      log.error('keep: what has the path of an object is not the same instance; the object is refused')
      throw new StatusError(0x0110, { errorComment: 'The object could not be stored' })
    }
  }

  async #placeVersion(staged: StagedFile, file: string): Promise<Publication> {
    const { dir, name, ext } = path.parse(file)
    for (let version = 1; version <= MAXIMUM_VERSIONS; ) {
      const candidate = version === 1 ? file : path.join(dir, `${name}_v${version}${ext}`)
      if (await this.#claim(staged, candidate)) return written(staged, candidate, version === 1 ? 'new' : 'version')
      const { fileSystem } = this.#options
      const compared = await statusOf(fileSystem, candidate)
      if (await isSameObject(fileSystem, staged.path, candidate)) {
        const held = await this.#hold(staged, candidate)
        if (held === 'gone') continue
        // It may have been removed and stored again since it was compared.
        if (held !== 'undecided' && (await statusOf(fileSystem, held.path))?.fileId !== compared?.fileId) continue
        if (held !== 'undecided') return this.#kept(candidate)
      } else if ((await this.#sizeOf(candidate)) === undefined) {
        // Taken back meanwhile.
        continue
      }
      version += 1
    }
    throw new StatusError(0xa700, { errorComment: 'Too many versions of the instance' })
  }

  #undecided(): StatusError {
    this.#options.log.warn('another process does not come to a decision on the same instance; the object is refused')
    return new StatusError(0xa700, { errorComment: 'The instance is being stored' })
  }

  #decision(file: string, ownNames = 0): Promise<Decision> {
    const { fileSystem, partialDirectory, left, decisionWaitMs = DECISION_WAIT_MS } = this.#options
    if (!this.#hasLinks) return Promise.resolve('accepted')
    return awaitDecision(file, { fileSystem, partialDirectory, left, waitMs: decisionWaitMs, ownNames })
  }

  /**
   * Makes sure that a file which is there stays until the staged one is discarded: 0000 is answered for it. A process
   * that is about to remove it has marked it, or will see that it is held.
   *
   * @returns a name of the file that is held; its own, where it cannot get another.
   */
  async #hold(staged: StagedFile, file: string): Promise<{ readonly path: string } | 'gone' | 'undecided'> {
    const path = this.#hasLinks ? await staged.hold(file) : undefined
    const decision = await this.#decision(file, path === undefined ? 0 : 1)
    if (decision === 'accepted') return { path: path ?? file }
    await staged.release()
    return decision
  }

  /** Gives `file` as a name to the staged file; false when it is taken. */
  async #claim(staged: StagedFile, file: string): Promise<boolean> {
    const { fileSystem } = this.#options
    if (!this.#hasLinks) {
      if ((await this.#sizeOf(file)) !== undefined) return false
      await this.#inFolder(file, () => fileSystem.rename(staged.path, file))
      staged.markMoved()
      return true
    }
    try {
      await this.#inFolder(file, () => fileSystem.link(staged.path, file))
      return true
    } catch (error) {
      if (systemCode(error) === 'EEXIST') return this.#isLinked(staged, file)
      throw error
    }
  }

  /** A network file system that lost the answer to a call makes it again, and then reports what it did itself. */
  async #isLinked(staged: StagedFile, file: string): Promise<boolean> {
    const { fileSystem } = this.#options
    const status = await statusOf(fileSystem, file)
    if (status === undefined || status.links < 2) return false
    return (await statusOf(fileSystem, staged.path))?.fileId === status.fileId
  }

  /** Runs `place`; when the folder of `file` is missing, makes it and runs it again. */
  async #inFolder(file: string, place: () => Promise<void>): Promise<void> {
    const { fileSystem, directoryMode, syncer } = this.#options
    for (let attempt = 1; ; attempt++) {
      try {
        // Before and after: whoever uses the folder while it is new must sync it.
        if (attempt > 1) {
          syncer?.forget(file)
          await fileSystem.makeFolders(path.dirname(file), directoryMode)
          syncer?.forget(file)
        }
        await place()
        return
      } catch (error) {
        if (systemCode(error) !== 'ENOENT' || attempt === FOLDER_ATTEMPTS) throw error
      }
    }
  }

  async #kept(file: string): Promise<Publication> {
    return { path: file, outcome: 'kept', sizeBytes: (await this.#sizeOf(file)) ?? 0, replacedBytes: 0 }
  }

  /** Undefined when there is no such file. */
  async #sizeOf(file: string): Promise<number | undefined> {
    return (await statusOf(this.#options.fileSystem, file))?.sizeBytes
  }
}

function written(staged: StagedFile, file: string, outcome: 'new' | 'version'): Publication {
  return { path: file, outcome, sizeBytes: staged.sizeBytes, replacedBytes: 0 }
}
