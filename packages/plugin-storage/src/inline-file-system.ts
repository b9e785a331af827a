import fs from 'node:fs'
import { StallWatch } from '@dicomtap/framework'
import type { FileSystem } from './file-system.ts'

/** Larger writes are made in the thread pool while other objects are on their way, which go on meanwhile. */
const INLINE_BYTES = 64 * 1024

/**
 * For a local disk and objects that need not be synced: the way to a thread and back costs several times what a call
 * into the page cache does, so short calls are made at once. After calls that took long, those of the next
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
    write(descriptor, pieces) {
      const start = now()
      if (!watch.isQuick(start) || (lengthOf(pieces) > INLINE_BYTES && isBusy())) return threads.write(descriptor, pieces)
      try {
        const [first] = pieces
        return pieces.length === 1 ? fs.writeSync(descriptor, first as Uint8Array) : fs.writevSync(descriptor, pieces)
      } finally {
        watch.report(start, now())
      }
    },
    close: (descriptor) => call(() => fs.closeSync(descriptor), () => threads.close(descriptor)),
    rename: (from, to) => call(() => fs.renameSync(from, to), () => threads.rename(from, to)),
    link: (existing, path) => call(() => fs.linkSync(existing, path), () => threads.link(existing, path)),
    unlink: (path) => call(() => fs.unlinkSync(path), () => threads.unlink(path)),
  }
}

function lengthOf(pieces: readonly Uint8Array[]): number {
  let lengthBytes = 0
  for (const { length } of pieces) lengthBytes += length
  return lengthBytes
}
