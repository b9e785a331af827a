import { type FileSystem, writeAll } from './file-system.ts'
import { HOLD_SUFFIX } from './undecided.ts'

/** Keeps the folder of staged files. */
export interface StagedFileKeeper {
  /** Files that could not be removed. */
  readonly left: Set<string>
  /** Calls `remove` once nobody waits for it. */
  removeSoon(staged: StagedFile): void
}

/** A file under its temporary name, from its first byte to its publication or removal. */
export class StagedFile {
  readonly path: string
  readonly #fileSystem: FileSystem
  readonly #keeper: StagedFileKeeper | undefined
  #descriptor: number | undefined
  #isRemoved = false
  #isRemovedSoon = false
  /** Second name of a file that stands for this one. */
  #held: string | undefined
  #sizeBytes = 0

  constructor(fileSystem: FileSystem, path: string, descriptor: number, keeper?: StagedFileKeeper) {
    this.#fileSystem = fileSystem
    this.#keeper = keeper
    this.path = path
    this.#descriptor = descriptor
  }

  get descriptor(): number {
    if (this.#descriptor === undefined) throw new Error('The staged file is closed')
    return this.#descriptor
  }

  get sizeBytes(): number {
    return this.#sizeBytes
  }

  /** Undefined when it is done already; an error may be thrown then. */
  append(pieces: readonly Uint8Array[]): Promise<void> | undefined {
    const positionBytes = this.#sizeBytes
    for (const { length } of pieces) this.#sizeBytes += length
    return writeAll(this.#fileSystem, this.descriptor, pieces, positionBytes)
  }

  async sync(): Promise<void> {
    await this.#fileSystem.fsync(this.descriptor)
  }

  /** Reports what the system found out late, e.g. a quota on a network file system. */
  async close(): Promise<void> {
    const descriptor = this.#descriptor
    this.#descriptor = undefined
    if (descriptor !== undefined) await this.#fileSystem.close(descriptor)
  }

  /** The temporary name is gone: the file was renamed. */
  markMoved(): void {
    this.#isRemoved = true
  }

  /**
   * Gives a second name to another file, which is there already and will stand for this one, until this one is
   * discarded. Undefined when it cannot have one.
   */
  async hold(file: string): Promise<string | undefined> {
    await this.release()
    const held = this.path + HOLD_SUFFIX
    try {
      await this.#fileSystem.link(file, held)
    } catch {
      // The file is gone, which shows next, or it is one that may not be linked to: somebody put it there.
      return undefined
    }
    this.#held = held
    return held
  }

  /** Never rejects. */
  async release(): Promise<void> {
    const held = this.#held
    this.#held = undefined
    if (held !== undefined) await this.#fileSystem.unlink(held).catch(() => this.#keeper?.left.add(held))
  }

  /** Closes and removes what is left, unless that was put off. Never rejects: what stays behind is swept later. */
  discard(): Promise<void> | undefined {
    return this.#isRemovedSoon || (this.#descriptor === undefined && this.#isRemoved) ? undefined : this.remove()
  }

  /** Puts it off until the answer has left: the object is accepted, and nobody waits for its temporary name to go. */
  discardSoon(): void {
    if (this.#keeper === undefined || this.#isRemovedSoon) return
    this.#isRemovedSoon = true
    this.#keeper.removeSoon(this)
  }

  /** Closes and removes what is left. Never rejects. */
  async remove(): Promise<void> {
    await this.close().catch(() => undefined)
    if (this.#held !== undefined) await this.release()
    if (this.#isRemoved) return
    this.#isRemoved = true
    await this.#fileSystem.unlink(this.path).catch(() => this.#keeper?.left.add(this.path))
  }
}
