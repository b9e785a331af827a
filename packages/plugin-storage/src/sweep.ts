import path from 'node:path'
import { type FileSystem, statusOf } from './file-system.ts'
import { giveBackAll } from './taken-files.ts'
import { isRunning, parseStagingFolderName, type ProcessIdentity } from './process-identity.ts'

/** A file that a running process rewrites in its staging folder. */
export const HEARTBEAT_FILE = 'alive'

/** Silence after which a process that cannot be looked at is taken as gone. */
export const HEARTBEAT_STALE_MS: number = 5 * 60_000

export interface SweepOptions {
  readonly fileSystem: FileSystem
  /** The folder that holds one staging folder for each process. */
  readonly partialDirectory: string
  /** Name of the own staging folder, which is left alone. */
  readonly ownName: string
  readonly here: ProcessIdentity
  /** The disk's own clock: the time of the last own heartbeat. */
  readonly nowMs: number
}

/**
 * Removes the staging folders of processes that are gone, with the unfinished objects in them. Folders of
 * running processes and anything with another name are left alone.
 *
 * @returns how many unfinished objects were removed.
 */
export async function sweepLeftovers(options: SweepOptions): Promise<number> {
  let removed = 0
  for (const { name, isDirectory } of await options.fileSystem.readFolder(options.partialDirectory)) {
    if (!isDirectory || name === options.ownName) continue
    if (await isAbandoned(name, options)) removed += await removeStagingFolder(options.fileSystem, path.join(options.partialDirectory, name))
  }
  return removed
}

async function isAbandoned(name: string, { fileSystem, partialDirectory, here, nowMs }: SweepOptions): Promise<boolean> {
  const owner = parseStagingFolderName(name)
  if (owner === undefined) return false
  const running = isRunning(owner, here)
  if (running !== undefined) return !running
  const folder = path.join(partialDirectory, name)
  try {
    const { modifiedAtMs } = await fileSystem.stat(path.join(folder, HEARTBEAT_FILE)).catch(() => fileSystem.stat(folder))
    return nowMs - modifiedAtMs > HEARTBEAT_STALE_MS
  } catch {
    return false
  }
}

/** Removes a staging folder; another process may be doing the same. Returns how many objects were in it. */
export async function removeStagingFolder(fileSystem: FileSystem, folder: string): Promise<number> {
  let removed = 0
  try {
    // It is <storage folder>/.dicomtap/partial/<process>.
    await giveBackAll(fileSystem, folder, path.resolve(folder, '..', '..', '..'))
    for (const { name, isFile } of await fileSystem.readFolder(folder)) {
      if (!isFile) continue
      const file = path.join(folder, name)
      const status = await statusOf(fileSystem, file)
      if (status === undefined) continue
      await fileSystem.unlink(file)
      // Not a file that was made ahead, nor an object that has its final name.
      if (name.endsWith('.part') && status.sizeBytes > 0 && status.links === 1) removed += 1
    }
    await fileSystem.removeFolder(folder)
  } catch {
    // Gone already, or to be tried again at the next sweep.
  }
  return removed
}
