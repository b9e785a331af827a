import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type FileStatus, type FileSystem, type FolderEntry, statusOf, systemCode } from './file-system.ts'
import { currentProcess, isRunning, parseStagingFolderName } from './process-identity.ts'

const RECHECK_MS = 20

export interface StagedOptions {
  readonly fileSystem: FileSystem
  /** The folder that holds one staging folder for each process. */
  readonly partialDirectory: string
  /** Temporary names that mean nothing any more, because they could not be removed. */
  readonly left: ReadonlySet<string>
}

export interface WaitOptions extends StagedOptions {
  /** How long to wait for a decision. */
  readonly waitMs: number
  /** Names in the staging folder that who asks has given to the file; default 0. */
  readonly ownNames?: number | undefined
}

/** Ends the name by which who answers for a file that is there already holds it. It leaves the file where it is. */
export const HOLD_SUFFIX = '.kept'

/** `accepted`: nobody takes the name back. `gone`: there is no such file. `undecided`: not known after the wait. */
export type Decision = 'accepted' | 'gone' | 'undecided'

/**
 * Waits until it is decided whether `file`, which another process may have named, keeps its name.
 *
 * A file has its temporary name for as long as its process may take the final one back, because a sync failed or a
 * handler refuses the object. To take it back is to remove the final name first, the temporary one after it; when
 * the object is accepted the temporary one goes soon. A file with one name is accepted, therefore. A file that is being
 * removed looks the same, and ends the same: see `Remover`.
 */
export async function awaitDecision(file: string, options: WaitOptions): Promise<Decision> {
  const { fileSystem, waitMs, ownNames = 0 } = options
  for (let waitedMs = 0; ; waitedMs += RECHECK_MS) {
    const status = await statusOf(fileSystem, file)
    if (status === undefined) return 'gone'
    if (status.links < 2 + ownNames || status.isDirectory) return 'accepted'
    if (!(await isStaged(status, options, (name) => !name.endsWith(HOLD_SUFFIX)))) {
      // The temporary name is gone, or the second one is nothing of ours; what it means shows at the final name.
      const now = await statusOf(fileSystem, file)
      if (now?.fileId === status.fileId) return 'accepted'
    } else if (waitedMs >= waitMs) {
      return 'undecided'
    } else {
      await delay(RECHECK_MS)
    }
  }
}

/**
 * Whether a process that may still run has a temporary name for the file.
 *
 * @param isMeant which names count, by their absolute path.
 */
export async function isStaged({ fileId }: FileStatus, { fileSystem, partialDirectory, left }: StagedOptions, isMeant: (file: string) => boolean): Promise<boolean> {
  const here = currentProcess()
  for (const folder of await entriesOf(fileSystem, partialDirectory)) {
    const owner = folder.isDirectory ? parseStagingFolderName(folder.name) : undefined
    // Who is gone takes nothing back.
    if (owner === undefined || isRunning(owner, here) === false) continue
    const directory = path.join(partialDirectory, folder.name)
    for (const { name, isFile } of await entriesOf(fileSystem, directory)) {
      const file = path.join(directory, name)
      if (!isFile || left.has(file) || !isMeant(file)) continue
      const staged = await statusOf(fileSystem, file)
      if (staged?.fileId === fileId) return true
    }
  }
  return false
}

/** None when the folder is gone: a process that ends removes its own. */
async function entriesOf(fileSystem: FileSystem, folder: string): Promise<readonly FolderEntry[]> {
  try {
    return await fileSystem.readFolder(folder)
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return []
    throw error
  }
}
