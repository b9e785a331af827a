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
