import { StallWatch } from '@dicomtap/framework'

/** A sync that takes longer says that the disk is slow; calls into the page cache may have to wait for it. */
const SLOW_SYNC_MS = 10
/** After a slow sync calls stay in threads for so many times as long as it took: on a busy disk one of hundreds takes a little longer. */
const PAUSE_FACTOR = 10
const LONGEST_PAUSE_MS = 1000
/** After so long without a call it is not known how the disk is. */
const KNOWN_FOR_MS = 1000

/**
 * Whether calls may be made in the event loop: those before showed that the disk is quick, and none says otherwise by
 * not coming back. The first call after a rest, and all while a sync is under way for long, go to the thread pool: a disk
 * that hangs holds up threads, and seldom the event loop.
 */
export class DiskWatch {
  readonly #stalls = new StallWatch()
  /** When syncs under way began, in that order. */
  readonly #syncs = new Set<{ readonly startMs: number }>()
  #answeredAtMs = Number.NEGATIVE_INFINITY
  #slowUntilMs = Number.NEGATIVE_INFINITY

  isQuick(nowMs: number): boolean {
    if (nowMs - this.#answeredAtMs > KNOWN_FOR_MS || nowMs < this.#slowUntilMs) return false
    const [oldest] = this.#syncs
    if (oldest !== undefined && nowMs - oldest.startMs > SLOW_SYNC_MS) return false
    return this.#stalls.isQuick(nowMs)
  }

  /** A call in the event loop ended. */
  made(startMs: number, endMs: number): void {
    this.#answeredAtMs = endMs
    this.#stalls.report(startMs, endMs)
  }

  /** A call in a thread ended. */
  answered(nowMs: number): void {
    this.#answeredAtMs = nowMs
  }

  /** A sync began; the returned function is to be called when it has ended. */
  syncs(startMs: number): (endMs: number) => void {
    const sync = { startMs }
    this.#syncs.add(sync)
    return (endMs) => {
      this.#syncs.delete(sync)
      this.#answeredAtMs = endMs
      const tookMs = endMs - startMs
      if (tookMs > SLOW_SYNC_MS) this.#slowUntilMs = Math.max(this.#slowUntilMs, endMs + Math.min(PAUSE_FACTOR * tookMs, LONGEST_PAUSE_MS))
    }
  }
}
