import type { StallWatch } from '@dicomtap/framework'
import { statfsSync } from 'node:fs'
import { dirname } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { databaseError } from '../database-error.ts'
import type { Arrival, HeadIndex, HeadOutcome } from '../instance-index.ts'
import type { ArrivalFiles } from './arrival-files.ts'
import type { Reindex } from './foreign-arrivals.ts'
import { ARRIVAL_LIMITS, type ArrivalLimits } from './limits.ts'

const MAXIMUM_BATCH = 64
/** That wait, or are being written: with more, who stores waits for the database. */
const MAXIMUM_BATCHES = 8
/** And so often: see `patienceMs`. */
const MAXIMUM_REFUSALS = 3
/** More than is between the removal of a row and that of its file. */
const REMOVAL_MS = 250

interface Waiter {
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

interface Batch {
  readonly arrivals: Arrival[]
  readonly sinceMs: number
  readonly waiters: Waiter[]
  file: string | undefined
  hasFailed: boolean
  /** While the database took others. */
  refusals: number
  failedSinceMs: number
}

export interface OwnArrivalsOptions {
  /** Whatever is called here does not wait for arrivals. */
  readonly index: HeadIndex
  readonly files: ArrivalFiles
  /** The database's, which is on a local disk. */
  readonly path: string
  readonly reindex: Reindex
  readonly watch: Pick<StallWatch, 'isQuick' | 'report'>
  readonly limits?: Partial<ArrivalLimits> | undefined
}

/**
 * What this process stored and acknowledged, on its way into the index: written down in a file at once, described and
 * added a moment later in a thread, many together.
 */
export class OwnArrivals {
  readonly #options: OwnArrivalsOptions
  readonly #limits: ArrivalLimits
  #open: Batch | undefined
  /** The first one is being written. */
  readonly #sealed: Batch[] = []
  #isWorking = false
  #isClosed = false
  #notBeforeMs = 0
  #committedMs = Number.NEGATIVE_INFINITY
  #timer: NodeJS.Timeout | undefined
  #retry: NodeJS.Timeout | undefined
  /** What was tried and is not tried again before. */
  #failure: { readonly error: Error; readonly untilMs: number } | undefined

  constructor(options: OwnArrivalsOptions) {
    this.#options = options
    this.#limits = { ...ARRIVAL_LIMITS, ...options.limits }
  }

  /** False: nothing was done, as it might take long, or not succeed. */
  accept(arrive: () => Arrival | undefined): boolean {
    const startMs = performance.now()
    if (!this.#hasTime(startMs)) return false
    const arrival = arrive()
    if (arrival === undefined) return false
    const { files, watch } = this.#options
    try {
      if (this.#open === undefined && !this.#hasRoom()) return false
      files.append(arrival.head.relativePath)
    } catch {
      // Nobody knows what is in the file: the next one begins another.
      this.#notBeforeMs = startMs + this.#limits.pauseMs
      this.#seal()
      return false
    } finally {
      watch.report(startMs, performance.now())
    }
    const batch = (this.#open ??= { arrivals: [], sinceMs: startMs, waiters: [], file: undefined, hasFailed: false, refusals: 0, failedSinceMs: 0 })
    batch.arrivals.push(arrival)
    if (batch.arrivals.length >= MAXIMUM_BATCH) this.#seal()
    else this.#timer ??= setTimeout(() => this.#seal(), this.#limits.lingerMs).unref()
    return true
  }

  /** Something was committed. */
  committed(): void {
    this.#committedMs = performance.now()
  }

  /** Resolves when the index has all that was accepted so far; rejects when that cannot be written at present, or takes too long. */
  async flush(deadlineMs: number = this.#limits.flushMs): Promise<void> {
    this.#seal()
    const last = this.#sealed.at(-1)
    if (last === undefined) return
    if (this.#failure !== undefined && performance.now() < this.#failure.untilMs) throw this.#failure.error
    let timer: NodeJS.Timeout | undefined
    await new Promise<void>((resolve, reject) => {
      timer = setTimeout(() => reject(databaseError('Stored objects are not in the index yet: the database or the storage folder does not answer')), deadlineMs)
      last.waiters.push({ resolve, reject })
      this.#work()
    }).finally(() => clearTimeout(timer))
  }

  /** Nothing is accepted any more. What cannot be written stays in its files. Never rejects. */
  async close(): Promise<void> {
    this.#isClosed = true
    await this.flush(this.#limits.closeMs).catch(() => undefined)
    clearTimeout(this.#retry)
  }

  #hasTime(nowMs: number): boolean {
    const { index, watch } = this.#options
    const { recentMs, lateMs } = this.#limits
    if (this.#isClosed || !index.isReady || nowMs < this.#notBeforeMs || this.#sealed.length >= MAXIMUM_BATCHES) return false
    const oldest = this.#sealed[0] ?? this.#open
    const isTakingMore = oldest === undefined ? nowMs - this.#committedMs < recentMs : !oldest.hasFailed && nowMs - oldest.sinceMs < lateMs
    return isTakingMore && watch.isQuick(nowMs)
  }

  #hasRoom(): boolean {
    const { bavail, bsize } = statfsSync(dirname(this.#options.path))
    return bavail * bsize >= this.#limits.minimumFreeBytes
  }

  #seal(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const batch = this.#open
    this.#open = undefined
    const file = this.#options.files.seal()
    if (batch === undefined) {
      if (file !== undefined) this.#remove(file)
      return
    }
    batch.file = file
    this.#sealed.push(batch)
    this.#work()
  }

  #work(): void {
    if (this.#isWorking) return
    this.#isWorking = true
    clearTimeout(this.#retry)
    void this.#writeAll()
  }

  async #writeAll(): Promise<void> {
    for (let batch = this.#sealed[0]; batch !== undefined; batch = this.#sealed[0]) {
      try {
        await this.#write(batch)
      } catch (error) {
        this.#isWorking = false
        this.#hasFailed(batch, error as Error)
        return
      }
      this.#failure = undefined
      this.committed()
      this.#sealed.shift()
      if (batch.file !== undefined) this.#remove(batch.file)
      for (const { resolve } of batch.waiters) resolve()
    }
    this.#isWorking = false
  }

  #hasFailed(batch: Batch, error: Error): void {
    const { index } = this.#options
    const { pauseMs } = this.#limits
    const nowMs = performance.now()
    batch.hasFailed = true
    // Otherwise it can be tried as soon as the database answers.
    if (index.isReady) {
      if (batch.refusals === 0) batch.failedSinceMs = nowMs
      batch.refusals += 1
      this.#failure = { error, untilMs: nowMs + pauseMs }
    }
    for (const { waiters } of this.#sealed) for (const { reject } of waiters.splice(0)) reject(error)
    if (!this.#isClosed) this.#retry = setTimeout(() => this.#work(), pauseMs).unref()
  }

  async #write({ arrivals, sinceMs, refusals, failedSinceMs }: Batch): Promise<void> {
    const { index, reindex } = this.#options
    const { patienceMs, lateMs } = this.#limits
    const isPatient = refusals < MAXIMUM_REFUSALS || performance.now() - failedSinceMs < patienceMs
    const isLate = (): boolean => performance.now() - sinceMs > lateMs
    // Another process may have taken this one for dead, and seen to these files itself, and removed some since: who
    // removes one does so with its row first.
    const reindexAll = async (): Promise<void> => {
      const paths = arrivals.map(({ head }) => head.relativePath)
      await reindex(paths)
      await delay(REMOVAL_MS)
      await reindex(paths)
    }
    if (isPatient && isLate()) return reindexAll()
    const add = async (arrival: Arrival, outcome: HeadOutcome): Promise<void> => {
      try {
        const instance = outcome === 'unread' ? await arrival.read() : outcome
        if (instance !== undefined && instance !== 'added') await index.add(instance)
      } catch (error) {
        if (isPatient || !index.isReady) throw error
        arrival.refused(error as Error)
      }
    }
    // What failed for these beginnings may succeed for the files.
    const outcomes = refusals > 0 ? [] : await index.addHeads(arrivals.map(({ head }) => head))
    const results = await Promise.allSettled(arrivals.map((arrival, at) => add(arrival, outcomes[at] ?? 'unread')))
    const failure = results.find((result) => result.status === 'rejected')
    if (failure !== undefined) throw failure.reason
    if (isPatient && isLate()) await reindexAll()
  }

  /** One that stays is looked into by the next start. */
  #remove(file: string): void {
    try {
      this.#options.files.remove(file)
    } catch {
      // E.g. somebody took the right to.
    }
  }
}
