import fs from 'node:fs'
import type { FileSystem } from './file-system.ts'

/** Larger writes are made in the thread pool while other objects are on their way, which go on meanwhile. */
const INLINE_BYTES = 64 * 1024
/** Longer than the system takes to give the processor to others and back. */
const STALL_MS = 5
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
export function isLocalType(type: number): boolean {
  return process.platform === 'linux' && LOCAL_TYPES.has(type)
}

/** How long calls take, and whether they may hold up the event loop. */
export class StallWatch {
  #pausedUntilMs = Number.NEGATIVE_INFINITY
  #pauseMs = FIRST_PAUSE_MS

  /** False for a while after a call that stalled. */
  isQuick(nowMs: number): boolean {
    return nowMs >= this.#pausedUntilMs
  }

  report(startMs: number, endMs: number): void {
    if (endMs - startMs < STALL_MS) return
    const isRepeated = startMs - this.#pausedUntilMs < FORGIVEN_AFTER_MS
    this.#pauseMs = isRepeated ? Math.min(this.#pauseMs * 2, LONGEST_PAUSE_MS) : FIRST_PAUSE_MS
    this.#pausedUntilMs = endMs + this.#pauseMs
  }
}

/**
 * For small objects on a local disk that need not be synced: the way to a thread and back costs several times
 * what the call itself does, so short calls are made at once. After one that took long, the calls of the next
 * while go to the thread pool: a disk that stalls is felt once, and delays nothing else afterwards.
 *
 * @param isBusy whether there is something else to do during a longer call.
 * @param now a clock in milliseconds.
 */
export function inlineFileSystem(threads: FileSystem, isBusy: () => boolean, now: () => number = () => performance.now()): FileSystem {
  const watch = new StallWatch()

  /** Makes the call here, or has it made in the thread pool while the disk is slow. */
  function call<T>(inline: () => T, threaded: () => Promise<T>): Promise<T> {
    const start = now()
    if (!watch.isQuick(start)) return threaded()
    try {
      return Promise.resolve(inline())
    } catch (error) {
      return Promise.reject(error as Error)
    } finally {
      watch.report(start, now())
    }
  }

  return {
    ...threads,
    open: (path, flags, mode) => call(() => fs.openSync(path, flags, mode), () => threads.open(path, flags, mode)),
    write: (descriptor, buffer, offset, lengthBytes) =>
      lengthBytes > INLINE_BYTES && isBusy()
        ? threads.write(descriptor, buffer, offset, lengthBytes)
        : call(
            () => fs.writeSync(descriptor, buffer, offset, lengthBytes),
            () => threads.write(descriptor, buffer, offset, lengthBytes),
          ),
    close: (descriptor) => call(() => fs.closeSync(descriptor), () => threads.close(descriptor)),
    rename: (from, to) => call(() => fs.renameSync(from, to), () => threads.rename(from, to)),
    link: (existing, path) => call(() => fs.linkSync(existing, path), () => threads.link(existing, path)),
    unlink: (path) => call(() => fs.unlinkSync(path), () => threads.unlink(path)),
  }
}
