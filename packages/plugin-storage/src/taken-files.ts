import { constants } from 'node:fs'
import path from 'node:path'
import { containedPath } from './contained-path.ts'
import { type FileSystem, statusOf, systemCode, writeAll } from './file-system.ts'

/** Ends the name of a file that was taken away from the storage folder, into a staging folder. */
export const TAKEN_SUFFIX = '.taken'
/** Ends the name of what says where it was. */
const ORIGIN_SUFFIX = '.from'
const LONGEST_PATH_BYTES = 64 * 1024
const ORIGIN_MODE = 0o640
const FOLDER_MODE = 0o750

/** Before a file is taken: writes down where it is, so that it can be given back should this process end at once. */
export async function writeOrigin(fileSystem: FileSystem, taken: string, root: string, file: string): Promise<void> {
  const bytes = Buffer.from(path.relative(root, file))
  const descriptor = await fileSystem.open(taken + ORIGIN_SUFFIX, constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC, ORIGIN_MODE)
  try {
    await writeAll(fileSystem, descriptor, [bytes])
  } finally {
    await fileSystem.close(descriptor)
  }
}

/** It is decided what becomes of the file: without it a taken file is only something to be removed. Never rejects. */
export async function removeOrigin(fileSystem: FileSystem, taken: string): Promise<void> {
  await fileSystem.unlink(taken + ORIGIN_SUFFIX).catch(() => undefined)
}

/** What took the place of the file that was meant gets its name back, unless there is something newer still. */
export async function giveBack(fileSystem: FileSystem, taken: string, file: string): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await fileSystem.link(taken, file)
      return
    } catch (error) {
      const code = systemCode(error)
      if (code === 'EEXIST') return
      if (code === 'ENOENT' && attempt < 20) await fileSystem.makeFolders(path.dirname(file), FOLDER_MODE)
      // Without links only one process stores here, and it waits for this one.
      else if (code !== 'ENOENT' && (await statusOf(fileSystem, file)) === undefined) return fileSystem.rename(taken, file)
      else throw error
    }
  }
}

/**
 * Gives back what a process that is gone had taken: one of the files may not have been the one that it meant. Those
 * that were are there once more, and can be removed again.
 *
 * @param folder the staging folder of that process.
 */
export async function giveBackAll(fileSystem: FileSystem, folder: string, root: string): Promise<void> {
  for (const { name, isFile } of await fileSystem.readFolder(folder)) {
    if (!isFile || !name.endsWith(TAKEN_SUFFIX)) continue
    const taken = path.join(folder, name)
    const file = containedPath(root, (await readOrigin(fileSystem, taken)) ?? '')
    if (file !== undefined) await giveBack(fileSystem, taken, file)
  }
}

async function readOrigin(fileSystem: FileSystem, taken: string): Promise<string | undefined> {
  let descriptor: number
  try {
    descriptor = await fileSystem.open(taken + ORIGIN_SUFFIX, constants.O_RDONLY)
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined
    throw error
  }
  try {
    const buffer = Buffer.alloc(LONGEST_PATH_BYTES)
    return buffer.toString('utf8', 0, await fileSystem.read(descriptor, buffer, 0))
  } finally {
    await fileSystem.close(descriptor)
  }
}
