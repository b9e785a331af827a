import type { InstanceFile, Scanned } from './scan.ts'

/** A file that waits to be sent. */
export interface PooledFile extends InstanceFile {
  /** Its place among the files; the first one goes first. */
  sequence: number
  /** SOP class and transfer syntax: the presentation context it needs. */
  readonly contextKey: string
  /** How often it was on its way when an association was lost. */
  attempts: number
}

/** Files known and not yet sent; the scan waits for room. */
const LOOK_AHEAD = 100_000
/** How long the scan may look for further presentation contexts before the first association is requested. */
const SETTLE_MS = 2_000

/**
 * The files between scan and associations, by the presentation context that they need. It is filled while
 * files are sent: the first one does not wait for the last one to be found.
 */
export class StorePool {
  readonly #files = new Map<string, FileQueue>()
  readonly #lookAhead: number
  readonly #wake = new Set<() => void>()
  #size = 0
  #found = 0
  #sequence = 0
  #isEnded = false
  #isStopped = false
  #isSettled = false

  constructor(lookAhead: number = LOOK_AHEAD) {
    this.#lookAhead = lookAhead
  }

  /** Files found so far. */
  get found(): number {
    return this.#found
  }
  /** There is nothing more to be found. */
  get isEnded(): boolean {
    return this.#isEnded
  }
  get isStopped(): boolean {
    return this.#isStopped
  }
  get size(): number {
    return this.#size
  }
  /** Contexts that files wait for, the one of the oldest file first. */
  get contextKeys(): string[] {
    return [...this.#files].toSorted(([, one], [, other]) => one.oldest - other.oldest).map(([key]) => key)
  }

  /** Takes from the scan until it ends; `isWanted` sees everything and says what is to be sent. */
  async fill(scan: AsyncIterable<Scanned>, isWanted: (scanned: Scanned) => scanned is InstanceFile): Promise<void> {
    const settle = setTimeout(() => this.#settle(), SETTLE_MS)
    try {
      for await (const scanned of scan) {
        if (this.#isStopped) break
        if (!isWanted(scanned)) continue
        this.#found += 1
        this.#sequence += 1
        this.#add({ ...scanned, sequence: this.#sequence, contextKey: contextKeyOf(scanned), attempts: 0 })
        while (this.#size >= this.#lookAhead && !this.#isStopped) {
          this.#settle()
          await this.#change()
        }
      }
    } finally {
      clearTimeout(settle)
      this.#isEnded = true
      this.#settle()
    }
  }

  /** Resolves when it is worth requesting an association: when much or all is known, and something waits. */
  async settled(): Promise<void> {
    while (!this.#isStopped && !(this.#isEnded || (this.#isSettled && this.#size > 0))) await this.#change()
  }

  /**
   * The oldest file for one of the contexts. Undefined when it is time for another association, or when
   * there is nothing left: waits only while nothing at all is there and the scan goes on.
   */
  async take(contextKeys: ReadonlySet<string>): Promise<PooledFile | undefined> {
    for (;;) {
      if (this.#isStopped) return undefined
      let oldest: FileQueue | undefined
      for (const key of contextKeys) {
        const files = this.#files.get(key)
        if (files !== undefined && (oldest === undefined || files.oldest < oldest.oldest)) oldest = files
      }
      if (oldest !== undefined) return this.#shift(oldest)
      if (this.#isEnded || this.#size > 0) return undefined
      await this.#change()
    }
  }

  /** Every file that waits for a context: nobody will take them. */
  takeAll(contextKey: string): PooledFile[] {
    const files = this.#files.get(contextKey)?.rest() ?? []
    this.#files.delete(contextKey)
    this.#size -= files.length
    this.#changed()
    return files
  }

  /** A file whose association was lost goes last: should it be what ends them, the others are sent before. */
  giveBack(file: PooledFile): void {
    this.#sequence += 1
    file.sequence = this.#sequence
    this.#add(file)
  }

  /** From now on nothing is taken and nothing is looked for. */
  stop(): void {
    this.#isStopped = true
    this.#changed()
  }

  #add(file: PooledFile): void {
    this.#queueOf(file.contextKey).add(file)
    this.#size += 1
    this.#changed()
  }

  #queueOf(contextKey: string): FileQueue {
    const known = this.#files.get(contextKey)
    if (known !== undefined) return known
    const queue = new FileQueue()
    this.#files.set(contextKey, queue)
    return queue
  }

  #shift(files: FileQueue): PooledFile {
    const file = files.take()
    if (files.size === 0) this.#files.delete(file.contextKey)
    this.#size -= 1
    this.#changed()
    return file
  }

  #settle(): void {
    this.#isSettled = true
    this.#changed()
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#wake.add(resolve))
  }

  #changed(): void {
    const waiting = [...this.#wake]
    this.#wake.clear()
    for (const resume of waiting) resume()
  }
}

export function contextKeyOf({ sopClassUid, transferSyntaxUid }: Pick<InstanceFile, 'sopClassUid' | 'transferSyntaxUid'>): string {
  return `${sopClassUid} ${transferSyntaxUid}`
}

/** First in, first out, however long it is. */
class FileQueue {
  #files: PooledFile[] = []
  #taken = 0

  get size(): number {
    return this.#files.length - this.#taken
  }
  /** Place of the first file in the order of the scan. */
  get oldest(): number {
    return this.#files[this.#taken]?.sequence ?? Infinity
  }
  add(file: PooledFile): void {
    this.#files.push(file)
  }
  take(): PooledFile {
    const file = this.#files[this.#taken] as PooledFile
    this.#taken += 1
    // Now and then what was taken is let go of.
    if (this.#taken >= 1024 && this.#taken * 2 >= this.#files.length) {
      this.#files = this.#files.slice(this.#taken)
      this.#taken = 0
    }
    return file
  }
  rest(): PooledFile[] {
    return this.#files.slice(this.#taken)
  }
}
