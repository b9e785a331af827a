import { statfs } from 'node:fs/promises'

/** A call of this length was held up: by the disk, or because the system gave the processor to others. */
const HELD_UP_MS = 5
/**
 * How much of a second may go into such calls. A disk that stalls exceeds it with one or a few of them; a machine whose
 * processors are busy elsewhere does not, and a thread of the pool would wait for a processor just the same.
 */
const TOLERATED_MS_PER_S = 50
/** Longer than a call into the page cache takes; one that the processor was taken from takes as long. */
const SLOW_MS = 1.5
/** A slow call outweighs three quick ones. A busy machine holds up one of fifty, a slow disk most of them. */
const SLOW_WEIGHT = 3
const SLOW_CALLS = 8
const FIRST_PAUSE_MS = 100
const LONGEST_PAUSE_MS = 10_000
/** A disk that is slow stalls again as soon as it is tried; one that does not for so long is forgiven. */
const FORGIVEN_AFTER_MS = 1000

/**
 * Linux: `f_type` of statfs(2) for file systems on a disk of this machine or in its memory, whose calls end
 * in the page cache within microseconds: ext2 to ext4, XFS, Btrfs, F2FS, ZFS, tmpfs, overlayfs.
 */
const LOCAL_TYPES: ReadonlySet<number> = new Set([
  0xef53, 0x58465342, 0x9123683e, 0xf2f52010, 0x2fc12fc1, 0x01021994, 0x794c7630,
])

/** Whether calls to a file system of that type may be made without the thread pool. */
export function isLocalFileSystemType(type: number): boolean {
  return process.platform === 'linux' && LOCAL_TYPES.has(type)
}

/** As {@link isLocalFileSystemType}, for the file system that a path is on; false when that cannot be found out. */
export async function isOnLocalFileSystem(path: string): Promise<boolean> {
  try {
    return isLocalFileSystemType((await statfs(path)).type)
  } catch {
    return false
  }
}

/**
 * How long calls to a file system take, and whether they may hold up the event loop. The way to a thread and
 * back costs several times what a call into the page cache does, so plugins that handle many small files make
 * such calls at once; after one that took long, those of the next while should go to the thread pool.
 */
export class StallWatch {
  #pausedUntilMs = Number.NEGATIVE_INFINITY
  #pauseMs = FIRST_PAUSE_MS
  /** Time lost in calls that were held up, less what is tolerated since. */
  #lostMs = 0
  #lostAtMs = Number.NEGATIVE_INFINITY
  /** By how much slow calls outweigh quick ones. */
  #slowness = 0

  /** False for a while after calls that stalled. */
  isQuick(nowMs: number): boolean {
    return nowMs >= this.#pausedUntilMs
  }

  report(startMs: number, endMs: number): void {
    const tookMs = endMs - startMs
    if (tookMs < SLOW_MS) {
      if (this.#slowness > 0) this.#slowness -= 1
      return
    }
    this.#slowness = Math.min(this.#slowness + SLOW_WEIGHT, SLOW_CALLS * SLOW_WEIGHT)
    if (this.#slowness === SLOW_CALLS * SLOW_WEIGHT) this.#pause(startMs, endMs)
    else if (tookMs >= HELD_UP_MS) this.#heldUp(startMs, endMs)
  }

  #heldUp(startMs: number, endMs: number): void {
    const forgivenMs = (Math.max(0, startMs - this.#lostAtMs) / 1000) * TOLERATED_MS_PER_S
    this.#lostMs = Math.max(0, this.#lostMs - forgivenMs) + endMs - startMs
    this.#lostAtMs = endMs
    if (this.#lostMs >= TOLERATED_MS_PER_S) this.#pause(startMs, endMs)
  }

  #pause(startMs: number, endMs: number): void {
    const isRepeated = startMs - this.#pausedUntilMs < FORGIVEN_AFTER_MS
    this.#pauseMs = isRepeated ? Math.min(this.#pauseMs * 2, LONGEST_PAUSE_MS) : FIRST_PAUSE_MS
    this.#pausedUntilMs = endMs + this.#pauseMs
    // Whether it is quick again shows when it is tried again: then one call is enough.
    this.#lostMs = TOLERATED_MS_PER_S
    this.#lostAtMs = this.#pausedUntilMs
  }
}
