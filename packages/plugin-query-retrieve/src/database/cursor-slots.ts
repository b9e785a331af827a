import { databaseError } from './database-error.ts'

export interface CursorLimits {
  /** Cursors at once. */
  readonly maximum: number
  /** How long a query waits for one. */
  readonly waitMs?: number
  /** Whose reader has not come back for so long gives its cursor to a query that waits. */
  readonly graceMs?: number
  /** How long a cursor may be open: it keeps the database's state as it was, and with it all that was written since. */
  readonly longestMs?: number
}

/** The place of an open cursor. */
export interface CursorSlot {
  /**
   * Has the database do something for the cursor, which nobody ends meanwhile.
   * @throws DICOMTAP_ERR_QR_DATABASE when it was ended before
   */
  busy<T>(work: () => Promise<T>): Promise<T>
  /** The cursor is closed. */
  release(): void
}

const WAIT_MS = 20_000
const GRACE_MS = 2_000
const LONGEST_MS = 3_600_000
const LOOK_MS = 250

interface Waiting {
  enter(): void
}

/**
 * How many cursors there may be. Peers choose how fast they read their matches: some that do not read at all must not
 * keep others from asking, so a query that waits takes the cursor whose reader has been away for longest.
 */
export class CursorSlots {
  readonly #limits: Required<CursorLimits>
  readonly #open = new Set<OpenSlot>()
  readonly #waiting: Waiting[] = []
  #looking: NodeJS.Timeout | undefined

  constructor({ maximum, waitMs = WAIT_MS, graceMs = GRACE_MS, longestMs = LONGEST_MS }: CursorLimits) {
    this.#limits = { maximum, waitMs, graceMs, longestMs }
  }

  /**
   * Waits for its turn.
   * @param end closes the cursor before its reader is done, and gives back what it holds
   * @throws DICOMTAP_ERR_QR_DATABASE when there is none in time; the reason of the signal when it is aborted
   */
  async take(end: () => Promise<void>, signal: AbortSignal | undefined): Promise<CursorSlot> {
    signal?.throwIfAborted()
    const isFree = this.#open.size < this.#limits.maximum && this.#waiting.length === 0
    return isFree ? this.#newSlot(end) : this.#turn(end, signal)
  }

  #newSlot(end: () => Promise<void>): OpenSlot {
    const slot: OpenSlot = new OpenSlot(end, this.#limits.longestMs, () => {
      this.#open.delete(slot)
      if (this.#open.size < this.#limits.maximum) this.#waiting.shift()?.enter()
    })
    this.#open.add(slot)
    return slot
  }

  #turn(end: () => Promise<void>, signal: AbortSignal | undefined): Promise<CursorSlot> {
    return new Promise((resolve, reject) => {
      const done = (): void => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', abort)
        if (this.#waiting.length > 0) return
        clearInterval(this.#looking)
        this.#looking = undefined
      }
      const waiting: Waiting = {
        enter: () => {
          done()
          resolve(this.#newSlot(end))
        },
      }
      const leave = (error: Error): void => {
        const index = this.#waiting.indexOf(waiting)
        if (index < 0) return
        this.#waiting.splice(index, 1)
        done()
        reject(error)
      }
      const abort = (): void => leave(signal?.reason as Error)
      const timer = setTimeout(() => leave(databaseError('Too many queries are open at once, and all of them are being read')), this.#limits.waitMs)
      this.#waiting.push(waiting)
      signal?.addEventListener('abort', abort, { once: true })
      this.#looking ??= setInterval(() => this.#endIdle(), LOOK_MS)
      this.#endIdle()
    })
  }

  #endIdle(): void {
    const before = performance.now() - this.#limits.graceMs
    const idle = [...this.#open].filter(({ idleSinceMs }) => idleSinceMs !== undefined && idleSinceMs <= before)
    idle.sort((a, b) => (a.idleSinceMs as number) - (b.idleSinceMs as number))
    for (const slot of idle.slice(0, this.#waiting.length)) slot.end('it was read more slowly than others that waited for its place')
  }
}

class OpenSlot implements CursorSlot {
  readonly #end: () => Promise<void>
  readonly #released: () => void
  readonly #timer: NodeJS.Timeout
  #isReleased = false
  #isOverdue = false
  #ended: Error | undefined
  /** Since when the reader has rows to look at; undefined while the database works. */
  #idleSinceMs: number | undefined

  constructor(end: () => Promise<void>, longestMs: number, released: () => void) {
    this.#end = end
    this.#released = released
    this.#timer = setTimeout(() => {
      this.#isOverdue = true
      if (this.#idleSinceMs !== undefined) this.#expire()
    }, longestMs).unref()
  }

  get idleSinceMs(): number | undefined {
    return this.#ended === undefined ? this.#idleSinceMs : undefined
  }

  async busy<T>(work: () => Promise<T>): Promise<T> {
    if (this.#ended !== undefined) throw this.#ended
    this.#idleSinceMs = undefined
    try {
      return await work()
    } finally {
      this.#idleSinceMs = performance.now()
      if (this.#isOverdue) this.#expire()
    }
  }

  end(why: string): void {
    if (this.#ended !== undefined || this.#isReleased) return
    this.#ended = databaseError(`A query was ended: ${why}`)
    void this.#end().catch(() => undefined).finally(() => this.release())
  }

  release(): void {
    if (this.#isReleased) return
    this.#isReleased = true
    clearTimeout(this.#timer)
    this.#released()
  }

  #expire(): void {
    this.end('it was open for too long')
  }
}
