import { StatusError } from '@dicomtap/framework'
import { constants } from 'node:fs'
import path from 'node:path'
import type { FolderSyncer } from './durability.ts'
import { systemCode, type FileSystem } from './file-system.ts'
import { isSameObject } from './same-object.ts'
import type { StagedFile } from './staged-file.ts'

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
  readonly duplicates: DuplicatePolicy
  readonly directoryMode: number
  /** Undefined when names need not survive a crash. */
  readonly syncer: FolderSyncer | undefined
}

const MAXIMUM_VERSIONS = 1000
const NO_LINKS: ReadonlySet<string | undefined> = new Set(['EPERM', 'EACCES', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'])

/**
 * Gives complete files their final names. A name appears with the whole object behind it or not at all,
 * and is durable, as the options say, when `publish` resolves.
 *
 * Except for `replace`, a name is given by link(2), which fails when it is taken: two objects that come at
 * the same time, in one process or in two, cannot overwrite each other.
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
   * @param wantsOutcome false when the caller does not care whether a file was replaced; saves a call.
   * @throws StatusError 0111 under the policy `reject`.
   */
  async publish(staged: StagedFile, file: string, wantsOutcome: boolean): Promise<Publication> {
    const publication = await this.#place(staged, file, wantsOutcome)
    const { syncer } = this.#options
    if (syncer === undefined) {
      await staged.discard()
    } else {
      await Promise.all([staged.discard(), this.#makeDurable(syncer, publication)])
    }
    return publication
  }

  /** Takes a name back that `publish` gave: the object was not accepted after all. */
  async withdraw({ path: file }: Publication): Promise<void> {
    await this.#options.fileSystem.unlink(file)
    await this.#options.syncer?.makeDurable(file)
  }

  async #makeDurable(syncer: FolderSyncer, publication: Publication): Promise<void> {
    if (publication.outcome === 'kept') await this.#syncFile(publication.path)
    try {
      await syncer.makeDurable(publication.path)
    } catch (error) {
      // The sender will be told that it failed, so the object must not be there. One that may have taken the
      // place of another stays: that one is gone, and a third may have taken the place of this one.
      if (this.claimsNames && publication.outcome !== 'kept') {
        await this.#options.fileSystem.unlink(publication.path).catch(() => undefined)
      }
      throw error
    }
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
    const { fileSystem, duplicates } = this.#options
    if (duplicates === 'replace') {
      const replaced = wantsOutcome ? await this.#sizeOf(file) : undefined
      await this.#inFolder(file, () => fileSystem.rename(staged.path, file))
      staged.markMoved()
      const outcome = !wantsOutcome ? 'written' : replaced === undefined ? 'new' : 'replaced'
      return { path: file, outcome, sizeBytes: staged.sizeBytes, replacedBytes: replaced ?? 0 }
    }
    if (await this.#claim(staged, file)) return written(staged, file, 'new')
    if (duplicates === 'reject') throw new StatusError(0x0111, { errorComment: 'The instance is stored already' })
    if (duplicates === 'keep') return this.#kept(file)
    return this.#placeVersion(staged, file)
  }

  async #placeVersion(staged: StagedFile, file: string): Promise<Publication> {
    const { dir, name, ext } = path.parse(file)
    let taken = file
    for (let version = 2; version <= MAXIMUM_VERSIONS; version++) {
      if (await isSameObject(this.#options.fileSystem, staged.path, taken)) return this.#kept(taken)
      taken = path.join(dir, `${name}_v${version}${ext}`)
      if (await this.#claim(staged, taken)) return written(staged, taken, 'version')
    }
    throw new StatusError(0xa700, { errorComment: 'Too many versions of the instance' })
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
      if (systemCode(error) === 'EEXIST') return false
      throw error
    }
  }

  /** Runs `place`; when the folder of `file` is missing, makes it and runs it again. */
  async #inFolder(file: string, place: () => Promise<void>): Promise<void> {
    try {
      await place()
    } catch (error) {
      if (systemCode(error) !== 'ENOENT') throw error
      await this.#options.fileSystem.makeFolders(path.dirname(file), this.#options.directoryMode)
      this.#options.syncer?.forget(file)
      await place()
    }
  }

  async #kept(file: string): Promise<Publication> {
    return { path: file, outcome: 'kept', sizeBytes: (await this.#sizeOf(file)) ?? 0, replacedBytes: 0 }
  }

  /** Undefined when there is no such file. */
  async #sizeOf(file: string): Promise<number | undefined> {
    try {
      return (await this.#options.fileSystem.stat(file)).sizeBytes
    } catch (error) {
      if (systemCode(error) === 'ENOENT' || systemCode(error) === 'ENOTDIR') return undefined
      throw error
    }
  }
}

function written(staged: StagedFile, file: string, outcome: 'new' | 'version'): Publication {
  return { path: file, outcome, sizeBytes: staged.sizeBytes, replacedBytes: 0 }
}
