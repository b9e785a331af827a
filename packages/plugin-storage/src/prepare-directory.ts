import { DicomtapError } from '@dicomtap/framework'
import path from 'node:path'
import { syncFolder } from './durability.ts'
import { type FileSystem, systemCode } from './file-system.ts'
import { RESERVED_FOLDER } from './path-template.ts'

/**
 * Makes the storage folder when it is missing; resolves with its real path, links on the way followed.
 * @throws DICOMTAP_ERR_STO_DIRECTORY
 */
export async function prepareDirectory(fileSystem: FileSystem, directory: string, mode: number, isSynced: boolean): Promise<string> {
  return orDirectoryError(directory, async () => {
    const made = await fileSystem.makeFolders(directory, mode)
    const root = await fileSystem.realPath(directory)
    if (isSynced && made !== undefined) await syncParents(fileSystem, directory, made)
    else if (isSynced) await syncAfterCrash(fileSystem, root)
    return root
  })
}

/** The process that made the folder may have ended before its name was durable; it had made nothing in it then. */
async function syncAfterCrash(fileSystem: FileSystem, root: string): Promise<void> {
  try {
    await fileSystem.stat(path.join(root, RESERVED_FOLDER))
  } catch {
    // Folders that cannot be opened are not those that it made.
    await syncParents(fileSystem, root, '').catch(() => undefined)
  }
}

/** Runs `work`; what the system refuses becomes an error an operator can act on. */
export async function orDirectoryError<T>(directory: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    const code = systemCode(error)
    if (code === undefined) throw error
    throw new DicomtapError(
      'DICOMTAP_ERR_STO_DIRECTORY',
      `Plugin storage, option directory: ${directory} cannot be used (${code}): ${ADVICE[code] ?? 'check the folder and the disk'}`,
      { cause: error },
    )
  }
}

const ADVICE: Readonly<Record<string, string>> = {
  EACCES: 'give the user of the server the right to write there',
  EPERM: 'give the user of the server the right to write there',
  EROFS: 'the file system is read-only',
  ENOTDIR: 'a part of the path is a file',
  EEXIST: 'there is a file of that name',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the quota of the user is used up',
}

async function syncParents(fileSystem: FileSystem, directory: string, uppermostMade: string): Promise<void> {
  for (let folder = directory; folder.length >= uppermostMade.length && folder !== path.dirname(folder); folder = path.dirname(folder)) {
    await syncFolder(fileSystem, path.dirname(folder))
  }
}
