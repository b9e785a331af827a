import type { Logger } from '@dicomtap/framework'
import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises'
import { databaseError } from '../database-error.ts'
import type { ArrivalFiles, ForeignFile } from './arrival-files.ts'
import { LATE_MS } from './limits.ts'

const POLL_MS = 3
/** Nobody appends to a file that is older: see `OwnArrivals.accept`. */
const OLD_MS = 60_000
/** Seen to before the folder is looked at again. */
const AT_ONCE = 32

/** Makes the index tell the truth of files. False: none of them is there, nor anything else where they should be. */
export type Reindex = (paths: readonly string[]) => Promise<boolean>

export interface ForeignArrivalsOptions {
  readonly files: ArrivalFiles
  readonly log: Logger
  /** Undefined: nobody knows where the files are. */
  readonly reindex: Reindex | undefined
}

interface Waiter {
  readonly wanted: Set<string>
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

/** What other processes stored, and those that are gone. */
export class ForeignArrivals {
  readonly #options: ForeignArrivalsOptions
  /** Files that were seen to and are still there. */
  readonly #done = new Map<string, { readonly sizeBytes: number; readonly isForGood: boolean }>()
  readonly #sinceMs = new Map<string, number>()
  readonly #waiters = new Set<Waiter>()
  #isWatching = false
  readonly #told = new Set<string>()

  constructor(options: ForeignArrivalsOptions) {
    this.#options = options
  }

  /**
   * Resolves when the index has all that others had acknowledged when it was called. A process that lives sees to its
   * files; those of one that is gone, or takes too long, are seen to here.
   * @throws DICOMTAP_ERR_QR_DATABASE
   */
  async settled(): Promise<void> {
    const wanted = new Set(this.#due())
    if (wanted.size === 0) return
    await new Promise<void>((resolve, reject) => {
      this.#waiters.add({ wanted, resolve, reject })
      if (!this.#isWatching) void this.#watch()
    })
  }

  async #watch(): Promise<void> {
    this.#isWatching = true
    while (this.#waiters.size > 0) {
      try {
        const abandoned = this.#look()
        for (const file of abandoned) await this.#seeTo(file)
        if (this.#waiters.size === 0) break
        await (abandoned.length > 0 ? nextTurn() : delay(POLL_MS))
      } catch (error) {
        this.#fail(() => true, error)
      }
    }
    this.#isWatching = false
  }

  /** Lets those go who wait for nothing any more. Returns files that nobody else will see to. */
  #look(): readonly ForeignFile[] {
    const due = new Set(this.#due())
    const abandoned = new Map<string, ForeignFile>()
    const looked = new Set<string>()
    for (const waiter of this.#waiters) {
      for (const name of waiter.wanted) {
        if (!due.has(name)) waiter.wanted.delete(name)
        else if (abandoned.size < AT_ONCE && !looked.has(name)) {
          looked.add(name)
          const file = this.#options.files.look(name)
          if (file !== undefined && (file.isOrphan || this.#isLate(name))) abandoned.set(name, file)
        }
      }
      if (waiter.wanted.size > 0) continue
      this.#waiters.delete(waiter)
      waiter.resolve()
    }
    return [...abandoned.values()]
  }

  /** Names of files that the index may not have all of. */
  #due(): readonly string[] {
    const names = this.#options.files.foreign()
    const present = new Set(names)
    for (const known of [this.#done, this.#sinceMs]) for (const name of known.keys()) if (!present.has(name)) known.delete(name)
    const nowMs = performance.now()
    for (const name of names) if (!this.#sinceMs.has(name)) this.#sinceMs.set(name, nowMs)
    return names.filter((name) => this.#isDue(name))
  }

  #isDue(name: string): boolean {
    const done = this.#done.get(name)
    if (done === undefined) return true
    if (done.isForGood) return false
    const file = this.#options.files.look(name)
    return file !== undefined && (file.isOrphan || file.sizeBytes !== done.sizeBytes || file.ageMs > OLD_MS)
  }

  #isLate(name: string): boolean {
    return performance.now() - (this.#sinceMs.get(name) ?? 0) > LATE_MS
  }

  async #seeTo(file: ForeignFile): Promise<void> {
    try {
      const isBelieved = await this.#reindex(file)
      const isForGood = file.isOrphan || file.ageMs > OLD_MS
      this.#done.set(file.name, { sizeBytes: file.sizeBytes, isForGood })
      if (isForGood && isBelieved) this.#remove(file)
    } catch (error) {
      this.#fail(({ wanted }) => wanted.has(file.name), error)
    }
  }

  async #reindex({ name, isOrphan }: ForeignFile): Promise<boolean> {
    const { files, reindex } = this.#options
    if (reindex !== undefined) {
      const isBelieved = await reindex(files.read(name))
      if (!isBelieved) this.#warn('the storage folder is empty: what a server stored before it ended is looked for at the next start')
      return isBelieved
    }
    if (!isOrphan) throw databaseError('Another process has stored objects and cannot write the index: end whatever locks it, or make room on its disk')
    this.#warn('what a server stored before it ended is not in the index yet: it will be after its next start')
    return false
  }

  #remove({ name }: ForeignFile): void {
    try {
      this.#options.files.remove(name)
    } catch (error) {
      this.#warn('a file beside the index cannot be removed: at each start what it names is looked at again', { file: name, code: (error as NodeJS.ErrnoException).code })
    }
  }

  #fail(isConcerned: (waiter: Waiter) => boolean, cause: unknown): void {
    const error = 'syscall' in (cause as object) ? unreadable(cause as NodeJS.ErrnoException) : (cause as Error)
    for (const waiter of [...this.#waiters].filter(isConcerned)) {
      this.#waiters.delete(waiter)
      waiter.reject(error)
    }
  }

  /** Each once. */
  #warn(message: string, fields?: Readonly<Record<string, unknown>>): void {
    if (!this.#told.has(message)) this.#options.log.warn(message, fields)
    this.#told.add(message)
  }
}

function unreadable({ code, path }: NodeJS.ErrnoException): Error {
  return databaseError(`What another process stored cannot be known: ${path ?? 'its file'} cannot be read (${code}); give the user that runs dicomtap the right to, or remove it and run dicomtap index check --repair`)
}
