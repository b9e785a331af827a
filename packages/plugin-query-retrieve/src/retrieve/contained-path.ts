import path from 'node:path'

/**
 * The file of a row, or undefined when it would not be below the storage folder: whoever can write into a database
 * that several nodes share must not have any file of this machine sent.
 */
export function containedPath(directory: string, relativePath: string): string | undefined {
  if (relativePath === '' || relativePath.includes('\0') || path.isAbsolute(relativePath)) return undefined
  const file = path.resolve(directory, relativePath)
  return file.startsWith(directory.endsWith(path.sep) ? directory : directory + path.sep) ? file : undefined
}
