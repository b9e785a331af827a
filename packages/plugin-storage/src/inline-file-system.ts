import fs from 'node:fs'
import { DiskWatch } from './disk-watch.ts'
import type { FileSystem } from './file-system.ts'

/**
 * No write made here goes beyond such a boundary of the file. Linux takes memory for its page cache in pieces as large
 * as the write and its place allow: large ones it often has to get back from the host of a virtual machine, or to make
 * by moving other pages. Writes of 128 KiB and more then take up to ten times as long as these.
 */
const WRITE_BOUNDARY_BYTES = 64 * 1024
/** What is left of a write goes the way of the next call when this much has gone by. */
const LONGEST_WRITE_MS = 5

/**
 * For a local disk: the way to a thread and back costs several times what a call into the page cache does, so short
 * calls are made at once while the disk is quick. Syncs always go to a thread.
 *
 * @param now a clock in milliseconds.
 */
export function inlineFileSystem(threads: FileSystem, now: () => number = () => performance.now()): FileSystem {
  const watch = new DiskWatch()

  /** Makes the call here, or has it made in the thread pool while the disk is slow. */
  function call<T>(inline: () => T, threaded: () => Promise<T>): Promise<T> {
    const start = now()
    if (!watch.isQuick(start)) return answered(threaded())
    try {
      return Promise.resolve(inline())
    } catch (error) {
      return Promise.reject(error as Error)
    } finally {
      watch.made(start, now())
    }
  }

  function answered<T>(made: Promise<T>): Promise<T> {
    const note = (): void => watch.answered(now())
    made.then(note, note)
    return made
  }

  return {
    ...threads,
    local: { isQuick: () => watch.isQuick(now()), hasName },
    open: (path, flags, mode) => call(() => fs.openSync(path, flags, mode), () => threads.open(path, flags, mode)),
    write(descriptor, pieces, positionBytes) {
      const start = now()
      if (!watch.isQuick(start)) return answered(Promise.resolve(threads.write(descriptor, pieces, positionBytes)))
      try {
        const roomBytes = WRITE_BOUNDARY_BYTES - (positionBytes % WRITE_BOUNDARY_BYTES)
        return writeWithin(descriptor, pieces, roomBytes, () => now() - start > LONGEST_WRITE_MS)
      } finally {
        watch.made(start, now())
      }
    },
    async fsync(descriptor) {
      const ended = watch.syncs(now())
      try {
        await threads.fsync(descriptor)
      } finally {
        ended(now())
      }
    },
    close: (descriptor) => call(() => fs.closeSync(descriptor), () => threads.close(descriptor)),
    rename: (from, to) => call(() => fs.renameSync(from, to), () => threads.rename(from, to)),
    link: (existing, path) => call(() => fs.linkSync(existing, path), () => threads.link(existing, path)),
    unlink: (path) => call(() => fs.unlinkSync(path), () => threads.unlink(path)),
  }
}

function hasName(descriptor: number): boolean {
  try {
    return fs.fstatSync(descriptor).nlink > 0
  } catch {
    return false
  }
}

/** Up to the boundary, and from there to the next ones; less when the disk holds it up. */
function writeWithin(descriptor: number, pieces: readonly Uint8Array[], roomBytes: number, isHeldUp: () => boolean): number {
  if (lengthOf(pieces) <= roomBytes) return writeOnce(descriptor, pieces)
  let written = 0
  let run: Uint8Array[] = []
  let runBytes = 0
  let mostBytes = roomBytes
  for (const piece of pieces) {
    for (let from = 0; from < piece.length; ) {
      const to = Math.min(piece.length, from + mostBytes - runBytes)
      run.push(piece.subarray(from, to))
      runBytes += to - from
      from = to
      if (runBytes < mostBytes) continue
      const wrote = writeOnce(descriptor, run)
      written += wrote
      if (wrote < runBytes || isHeldUp()) return written
      run = []
      runBytes = 0
      mostBytes = WRITE_BOUNDARY_BYTES
    }
  }
  return runBytes === 0 ? written : written + writeOnce(descriptor, run)
}

function writeOnce(descriptor: number, pieces: readonly Uint8Array[]): number {
  return pieces.length === 1 ? fs.writeSync(descriptor, pieces[0] as Uint8Array) : fs.writevSync(descriptor, pieces)
}

function lengthOf(pieces: readonly Uint8Array[]): number {
  let lengthBytes = 0
  for (const { length } of pieces) lengthBytes += length
  return lengthBytes
}
