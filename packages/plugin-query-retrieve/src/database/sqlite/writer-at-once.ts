import { isLocalFileSystemType, StallWatch } from '@dicomtap/framework'
import { statfsSync } from 'node:fs'
import { statfs } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Digested } from '../digested.ts'
import { arriveTogether } from './arrivals.ts'
import type { Connection } from './connection.ts'

/** About what an arrival dirties in the log, besides its own length, until it is taken in. */
const BYTES_OF_ROW = 16_384
/** Of the log, before it is written into the file: about as much as the thread lets it grow. */
const CHECKPOINT_BYTES = 16_777_216
/** After a statement that could not be made at once: whoever was in the way has its time. */
const PAUSE_MS = 10
/** What arrived is taken in by a thread after so long, or when it is so many. */
const SETTLE_MS = 100
const SETTLE_ROWS = 512
/** The thread had no time: nothing more arrives until it had. */
const MAXIMUM_ROWS = 1024
/** When that failed, so many times as long. */
const LATER = 10
/** Nothing arrives on a disk that is nearly full: what has arrived must find room in the tables. */
const MINIMUM_FREE_BYTES = 268_435_456

const NONE: ReadonlySet<Digested> = new Set()

type Watch = Pick<StallWatch, 'isQuick' | 'report'>

/** For tests. */
export interface AtOnceOptions {
  readonly watch?: Watch
  readonly checkpointBytes?: number
  readonly settleMs?: number
  readonly minimumFreeBytes?: number
}

/** What threads do for it, and whether one of them may hold the lock of the file. */
export interface ThreadsBehind {
  readonly isWriting: boolean
  /** Moves the log into the file. */
  checkpoint(): Promise<void>
  /** Takes in what has arrived. */
  settle(): Promise<void>
}

/**
 * Writes on the thread of the service: the way to another one takes several times as long as a row does that
 * goes into the page cache. It never waits: where the file is not on a disk of this machine, while that disk is slow or
 * nearly full, while others write, and for whatever goes wrong nothing is done, and the thread has to do it.
 */
export class WriterAtOnce {
  readonly #path: string
  readonly #threads: ThreadsBehind
  readonly #options: Required<AtOnceOptions>
  #connection: Connection | undefined
  #logBytes = 0
  #isCheckpointing = false
  /** And may not have been taken in. */
  #arrived = 0
  #isSettling = false
  #settleTimer: NodeJS.Timeout | undefined
  #notBeforeMs = 0
  #isClosed = false

  constructor(path: string, threads: ThreadsBehind, options: AtOnceOptions = {}) {
    this.#path = path
    this.#threads = threads
    this.#options = { watch: new StallWatch(), checkpointBytes: CHECKPOINT_BYTES, settleMs: SETTLE_MS, minimumFreeBytes: MINIMUM_FREE_BYTES, ...options }
  }

  /** When the file is there and has its tables. What goes wrong leaves the work to the thread. */
  async open(): Promise<void> {
    await this.#open().catch(() => undefined)
  }

  /** Which of them arrived, all in one transaction; undefined: nothing was done. */
  add(batch: readonly Digested[]): ReadonlySet<Digested> | undefined {
    if (this.#arrived >= MAXIMUM_ROWS) return undefined
    const added = this.#attempt((connection) => {
      if (this.#arrived === 0 && !this.#hasRoom()) return NONE
      return arriveTogether(connection, batch)
    })
    if (added !== undefined && added.size > 0) this.#haveArrived(added)
    return added
  }

  /** The thread does it all from here on. A checkpoint that runs is its matter, for it does not wait for a disk that hangs. */
  close(): void {
    this.#isClosed = true
    clearTimeout(this.#settleTimer)
    const connection = this.#connection
    this.#connection = undefined
    connection?.close()
  }

  async #open(): Promise<void> {
    if (this.#connection !== undefined || !isLocalFileSystemType((await statfs(dirname(this.#path))).type)) return
    const { openConnection } = await import('./connection.ts')
    if (this.#isClosed || this.#connection !== undefined) return
    this.#connection = openConnection({ path: this.#path, role: 'at once', busyTimeoutMs: 0 })
  }

  #attempt<T>(work: (connection: Connection) => T): T | undefined {
    const connection = this.#connection
    const startMs = performance.now()
    const { watch } = this.#options
    if (connection === undefined || this.#threads.isWriting || startMs < this.#notBeforeMs || !watch.isQuick(startMs)) return undefined
    try {
      return work(connection)
    } catch (error) {
      if (!isOfTheRow(error)) this.#notBeforeMs = startMs + PAUSE_MS
      // What is written inside a transaction that stays open would be told as stored, and is not.
      if (connection.inTransaction) this.close()
      return undefined
    } finally {
      watch.report(startMs, performance.now())
    }
  }

  #hasRoom(): boolean {
    const { bavail, bsize } = statfsSync(dirname(this.#path))
    return bavail * bsize >= this.#options.minimumFreeBytes
  }

  #haveArrived(added: ReadonlySet<Digested>): void {
    this.#arrived += added.size
    for (const { instance } of added) this.#logBytes += BYTES_OF_ROW + instance.instance.attributes.length
    if (this.#arrived >= SETTLE_ROWS) this.#askToSettle()
    else this.#settleAfter(this.#options.settleMs)
    if (this.#logBytes > this.#options.checkpointBytes) this.#checkpoint()
  }

  #settleAfter(timeMs: number): void {
    if (!this.#isClosed) this.#settleTimer ??= setTimeout(() => this.#askToSettle(), timeMs).unref()
  }

  #askToSettle(): void {
    clearTimeout(this.#settleTimer)
    this.#settleTimer = undefined
    if (this.#isSettling) return
    this.#isSettling = true
    const before = this.#arrived
    const done = (timeMs: number): void => {
      this.#isSettling = false
      if (this.#arrived > 0) this.#settleAfter(timeMs)
    }
    this.#threads.settle().then(
      () => {
        this.#arrived = Math.max(0, this.#arrived - before)
        done(this.#options.settleMs)
      },
      // Whoever reads or writes will meet the reason, and say so. If nobody does, there is time.
      () => done(LATER * this.#options.settleMs),
    )
  }

  #checkpoint(): void {
    if (this.#isCheckpointing) return
    this.#isCheckpointing = true
    this.#logBytes = 0
    // A failure shows in what the thread does next.
    this.#threads
      .checkpoint()
      .catch(() => undefined)
      .finally(() => (this.#isCheckpointing = false))
  }
}

function isOfTheRow(error: unknown): boolean {
  return String((error as { code?: unknown }).code).startsWith('SQLITE_CONSTRAINT')
}
