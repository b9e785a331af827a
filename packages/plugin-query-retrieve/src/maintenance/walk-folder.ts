import { readdir } from 'node:fs/promises'
import path from 'node:path'
import { compareCodePoints } from './code-point-order.ts'

/** A folder that could not be looked at: what is in it is not known. */
export interface UnreadableFolder {
  readonly relativePath: string
  readonly code: string
}

export interface WalkOptions {
  readonly root: string
  /** Only files behind this path, in the order in which they come. */
  readonly after?: string | undefined
  readonly signal?: AbortSignal | undefined
  readonly onUnreadable: (folder: UnreadableFolder) => void
}

/** Is there nothing at all? A folder that is not mounted looks so. */
export async function isEmptyFolder(root: string): Promise<boolean> {
  const files = walkFolder({ root, onUnreadable: () => undefined })
  const { done } = await files.next()
  await files.return()
  return done === true
}

interface Entry {
  readonly name: string
  /** Decides the order: that of a folder is the one of what is in it. */
  readonly key: string
  readonly isFolder: boolean
}

/**
 * Every file below a folder, with `/`, in the order of their paths by code point. Names that begin with a dot are left
 * out: the storage folder's own, and what others are writing. So are links, which could lead out of the folder or in
 * circles, and what is neither file nor folder. Memory is the names of the folders on the way to one file.
 */
export async function* walkFolder({ root, after = '', signal, onUnreadable }: WalkOptions): AsyncGenerator<string, void, undefined> {
  const levels: { readonly prefix: string; readonly entries: readonly Entry[]; next: number }[] = []
  const enter = async (prefix: string): Promise<void> => {
    levels.push({ prefix, entries: await entriesOf(root, prefix, after, onUnreadable), next: 0 })
  }
  await enter('')
  for (let level = levels.at(-1); level !== undefined; level = levels.at(-1)) {
    signal?.throwIfAborted()
    const entry = level.entries[level.next++]
    if (entry === undefined) levels.pop()
    else if (entry.isFolder) await enter(level.prefix + entry.key)
    else yield level.prefix + entry.name
  }
}

async function entriesOf(root: string, prefix: string, after: string, onUnreadable: WalkOptions['onUnreadable']): Promise<Entry[]> {
  const entries: Entry[] = []
  try {
    for (const dirent of await readdir(path.join(root, prefix), { withFileTypes: true })) {
      const { name } = dirent
      const isFolder = dirent.isDirectory()
      if (name.startsWith('.') || (!isFolder && !dirent.isFile())) continue
      const key = isFolder ? `${name}/` : name
      const isBehind = isFolder ? isFolderBehind(prefix + key, after) : compareCodePoints(prefix + key, after) > 0
      if (isBehind) entries.push({ name, key, isFolder })
    }
  } catch (error) {
    const { code = 'unknown' } = error as NodeJS.ErrnoException
    // Removed while this runs.
    if (code !== 'ENOENT' || prefix === '') onUnreadable({ relativePath: prefix, code })
  }
  return entries.sort((a, b) => compareCodePoints(a.key, b.key))
}

/** May there be files behind `after` in it? */
function isFolderBehind(folder: string, after: string): boolean {
  return after.startsWith(folder) || compareCodePoints(folder, after) > 0
}
