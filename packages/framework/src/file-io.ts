import fs from 'node:fs'
import type { Stats } from 'node:fs'
import { dirname } from 'node:path'
import { promisify } from 'node:util'
import { StallWatch, isOnLocalFileSystem } from './stall-watch.ts'

/** The calls that reading a file takes. */
export interface FileIo {
  open(path: string, flags: number): Promise<number>
  stat(descriptor: number): Promise<Stats>
  read(descriptor: number, buffer: Buffer, offset: number, length: number, position: number): Promise<number>
  close(descriptor: number): Promise<void>
}

const open = promisify(fs.open)
const stat = promisify(fs.fstat)
const close = promisify(fs.close)

/** By the thread pool. */
export const threadedIo: FileIo = {
  open: (path, flags) => open(path, flags),
  stat: (descriptor) => stat(descriptor),
  read: (descriptor, buffer, offset, length, position) =>
    new Promise((resolve, reject) => {
      fs.read(descriptor, buffer, offset, length, position, (error, bytesRead) => {
        if (error === null) resolve(bytesRead)
        else reject(error)
      })
    }),
  close: (descriptor) => close(descriptor),
}

const watch = new StallWatch()

/** Makes the call here, or has it made in the thread pool while the disk is slow. */
async function call<T>(inline: () => T, threaded: () => Promise<T>): Promise<T> {
  const start = performance.now()
  if (!watch.isQuick(start)) return threaded()
  try {
    return inline()
  } finally {
    watch.report(start, performance.now())
  }
}

const inlineIo: FileIo = {
  open: (path, flags) => call(() => fs.openSync(path, flags), () => threadedIo.open(path, flags)),
  stat: (descriptor) => call(() => fs.fstatSync(descriptor), () => threadedIo.stat(descriptor)),
  read: (descriptor, buffer, offset, length, position) =>
    call(
      () => fs.readSync(descriptor, buffer, offset, length, position),
      () => threadedIo.read(descriptor, buffer, offset, length, position),
    ),
  close: (descriptor) => call(() => fs.closeSync(descriptor), () => threadedIo.close(descriptor)),
}

/** Folders of which it is known whether they are on a disk of this machine. */
const MAXIMUM_FOLDERS = 64
const folders = new Map<string, boolean>()

/** How to read a file: inline where calls end in the page cache of this machine. */
export function ioFor(path: string): FileIo {
  return isLocal(path) ? inlineIo : threadedIo
}

/**
 * Makes several calls on a file here, where they end in the page cache of this machine. Undefined, and nothing done,
 * where they belong into the thread pool.
 */
export function callsInline<T>(path: string, calls: () => T): T | undefined {
  const start = performance.now()
  if (!isLocal(path) || !watch.isQuick(start)) return undefined
  try {
    return calls()
  } finally {
    watch.report(start, performance.now())
  }
}

function isLocal(path: string): boolean {
  const folder = dirname(path)
  const known = folders.get(folder)
  if (known === undefined) {
    if (folders.size >= MAXIMUM_FOLDERS) folders.clear()
    // Until it is known.
    folders.set(folder, false)
    void isOnLocalFileSystem(folder).then((answer) => folders.set(folder, answer))
  }
  return known === true
}
