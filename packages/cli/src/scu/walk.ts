import type { Dirent } from 'node:fs'
import { opendir, stat } from 'node:fs/promises'
import { join } from 'node:path'

/** A file that was found, or a folder that cannot be read. */
export type Found = { readonly path: string } | { readonly path: string; readonly error: Error }

export interface WalkOptions {
  /** Folders within folders too. Default true. */
  readonly recurse?: boolean
}

/** A folder is read in pieces of this many entries, each in the order of names: a folder of millions fits. */
const ENTRIES = 4096

/**
 * The files at the paths, one by one: a file itself, a folder's files. Links to files are followed, links to
 * folders are not, except for the paths given: a tree that links to itself has an end.
 */
export async function* walk(paths: Iterable<string>, { recurse = true }: WalkOptions = {}): AsyncGenerator<Found, void, undefined> {
  for (const path of paths) {
    const error = await stat(path).then(
      (stats) => (stats.isDirectory() ? 'folder' : undefined),
      (cause: unknown) => cause as Error,
    )
    if (error === undefined) yield { path }
    else if (error === 'folder') yield* walkFolder(path, recurse)
    else yield { path, error }
  }
}

async function* walkFolder(root: string, recurse: boolean): AsyncGenerator<Found, void, undefined> {
  const folders = [root]
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    const within: string[] = []
    try {
      for await (const entries of piecesOf(folder)) {
        for (const entry of entries) {
          const path = join(folder, entry.name)
          if (entry.isDirectory()) within.push(path)
          else if (entry.isFile() || (entry.isSymbolicLink() && (await isFile(path)))) yield { path }
        }
      }
    } catch (error) {
      yield { path: folder, error: error as Error }
    }
    // The last one is walked next.
    if (recurse) folders.push(...within.toSorted().toReversed())
  }
}

async function* piecesOf(folder: string): AsyncGenerator<Dirent[], void, undefined> {
  let entries: Dirent[] = []
  for await (const entry of await opendir(folder, { bufferSize: 256 })) {
    entries.push(entry)
    if (entries.length < ENTRIES) continue
    yield inOrder(entries)
    entries = []
  }
  yield inOrder(entries)
}

function inOrder(entries: readonly Dirent[]): Dirent[] {
  return entries.toSorted((one, other) => (one.name < other.name ? -1 : 1))
}

async function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    (stats) => stats.isFile(),
    () => false,
  )
}
