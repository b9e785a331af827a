import { lstat, realpath } from 'node:fs/promises'
import path from 'node:path'

/**
 * The file of a row, or undefined when it would not be below the storage folder, or one of the storage's own: whoever
 * can write into a database that several nodes share must not have any file of this machine sent.
 */
export function containedPath(directory: string, relativePath: string): string | undefined {
  if (relativePath === '' || relativePath.includes('\0') || path.isAbsolute(relativePath)) return undefined
  const file = path.resolve(directory, relativePath)
  if (!isBelow(directory, file)) return undefined
  return path.relative(directory, file).startsWith('.') ? undefined : file
}

function isBelow(directory: string, file: string): boolean {
  return file.startsWith(directory.endsWith(path.sep) ? directory : directory + path.sep)
}

const MAXIMUM_FOLDERS = 1024

/** The same with regard to links: of none that is on the way to a file may the end be outside. */
export class ContainedFiles {
  readonly #directory: string
  #realDirectory: Promise<string> | undefined
  /** Instances of a series are in one folder, mostly. */
  readonly #folders = new Map<string, Promise<boolean>>()

  constructor(directory: string) {
    this.#directory = directory
  }

  /** A file that is not there is let through: whoever opens it says so. */
  async resolve(relativePath: string): Promise<string | undefined> {
    const [file, stats] = await Promise.all([this.resolveFolder(relativePath), lstat(path.join(this.#directory, relativePath)).catch(() => undefined)])
    return stats?.isSymbolicLink() === true ? undefined : file
  }

  /** The same for who opens the file without following a link. */
  async resolveFolder(relativePath: string): Promise<string | undefined> {
    const file = containedPath(this.#directory, relativePath)
    return file !== undefined && (await this.#isFolderInside(path.dirname(file))) ? file : undefined
  }

  #isFolderInside(folder: string): Promise<boolean> {
    let isInside = this.#folders.get(folder)
    if (isInside === undefined) {
      if (this.#folders.size >= MAXIMUM_FOLDERS) this.#folders.clear()
      this.#folders.set(folder, (isInside = this.#look(folder)))
    }
    return isInside
  }

  async #look(folder: string): Promise<boolean> {
    const real = await realpath(folder).catch(() => undefined)
    if (real === undefined) return true
    const root = await (this.#realDirectory ??= realpath(this.#directory))
    return real === root || isBelow(root, real)
  }
}

/**
 * Whether a file would count among those that are stored: below the storage folder, however links lead there, and not
 * below a name with a leading dot. Neither has to exist yet.
 */
export async function isAmongStoredFiles(directory: string, file: string): Promise<boolean> {
  const relative = path.relative(await realPlace(directory), await realPlace(file))
  return !path.isAbsolute(relative) && relative.split(path.sep).every((name) => !name.startsWith('.'))
}

/** The real path of what is there, and the rest as it is. */
async function realPlace(place: string): Promise<string> {
  const real = await realpath(place).catch(() => undefined)
  const above = path.dirname(place)
  return real ?? (above === place ? place : path.join(await realPlace(above), path.basename(place)))
}
