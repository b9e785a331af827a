import path from 'node:path'
import { RESERVED_FOLDER } from './path-template.ts'

/**
 * The absolute path of `relativePath` below `root`, or undefined when it would be outside of it, is the
 * folder itself or one of the plugin's own. The last check before a path is used, whoever made it.
 */
export function containedPath(root: string, relativePath: string): string | undefined {
  if (relativePath === '' || relativePath.includes('\0') || path.isAbsolute(relativePath)) return undefined
  const absolute = path.resolve(root, relativePath)
  const prefix = root.endsWith(path.sep) ? root : root + path.sep
  if (!absolute.startsWith(prefix)) return undefined
  const [first] = absolute.slice(prefix.length).split(path.sep)
  // Without regard to case: the folder is the same on Windows and macOS.
  return first?.toLowerCase() === RESERVED_FOLDER ? undefined : absolute
}

const MAXIMUM_KNOWN_FOLDERS = 1024
const PLAIN_NAME = /^[A-Za-z0-9_-][A-Za-z0-9._-]*$/

/** `containedPath` for one root, which remembers the folders it checked: objects come many to a folder. */
export class PathJail {
  readonly #root: string
  readonly #folders = new Map<string, string>()

  constructor(root: string) {
    this.#root = root
  }

  resolve(relativePath: string): string | undefined {
    const nameStart = relativePath.lastIndexOf('/') + 1
    const name = relativePath.slice(nameStart)
    if (nameStart < 2 || !PLAIN_NAME.test(name)) return containedPath(this.#root, relativePath)
    const folder = this.#resolveFolder(relativePath.slice(0, nameStart - 1))
    return folder === undefined ? containedPath(this.#root, relativePath) : folder + path.sep + name
  }

  #resolveFolder(relativePath: string): string | undefined {
    const known = this.#folders.get(relativePath)
    if (known !== undefined) return known
    const folder = containedPath(this.#root, relativePath)
    if (folder === undefined) return undefined
    if (this.#folders.size >= MAXIMUM_KNOWN_FOLDERS) this.#folders.clear()
    this.#folders.set(relativePath, folder)
    return folder
  }
}
