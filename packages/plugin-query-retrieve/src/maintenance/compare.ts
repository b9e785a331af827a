import type { Stats } from 'node:fs'
import { lstat } from 'node:fs/promises'
import type { InstanceIndex, KnownFile } from '../database/instance-index.ts'
import { containedPath } from '../contained-path.ts'
import { compareCodePoints } from './code-point-order.ts'
import { type UnreadableFolder, walkFolder } from './walk-folder.ts'

/** A file of the folder, a row of the index, or both. */
export type Compared =
  /** A file without a row. */
  | { readonly kind: 'unindexed'; readonly path: string }
  /** A row without a file, as far as was seen. */
  | { readonly kind: 'missing'; readonly path: string; readonly row: KnownFile }
  | { readonly kind: 'both'; readonly path: string; readonly row: KnownFile }

export interface CompareOptions {
  readonly root: string
  readonly index: InstanceIndex
  readonly after?: string | undefined
  readonly signal?: AbortSignal | undefined
  readonly onUnreadable: (folder: UnreadableFolder) => void
}

/**
 * Goes through folder and index side by side, both in the order of paths: one pass, whatever there is. It is no
 * snapshot: while a server stores, what it says of a path must be looked at again before something is done.
 */
export async function* compareFolderAndIndex({ root, index, after, signal, onUnreadable }: CompareOptions): AsyncGenerator<Compared, void, undefined> {
  const files = walkFolder({ root, after, signal, onUnreadable })
  const rows = index.paths(after, signal)[Symbol.asyncIterator]()
  try {
    let [file, row] = await Promise.all([files.next(), rows.next()])
    for (;;) {
      if (file.done === true && row.done === true) return
      const order = file.done === true ? 1 : row.done === true ? -1 : compareCodePoints(file.value, row.value.path)
      if (order < 0) {
        yield { kind: 'unindexed', path: file.value as string }
        file = await files.next()
      } else if (order > 0) {
        const { path: missing, ...known } = row.value as KnownFile & { readonly path: string }
        yield { kind: 'missing', path: missing, row: known }
        row = await rows.next()
      } else {
        const { path: both, ...known } = row.value as KnownFile & { readonly path: string }
        yield { kind: 'both', path: both, row: known }
        ;[file, row] = await Promise.all([files.next(), rows.next()])
      }
    }
  } finally {
    await files.return()
    await rows.return?.()
  }
}

/** What is at a path now: `gone` only when the system says that there is nothing, not when it cannot tell. */
export async function statusOf(root: string, relativePath: string): Promise<Stats | 'gone' | { readonly code: string }> {
  // Of a path that leads out of the folder there is no file in it, whatever is there.
  const file = containedPath(root, relativePath)
  if (file === undefined) return 'gone'
  try {
    const stats = await lstat(file)
    return stats.isFile() ? stats : 'gone'
  } catch (error) {
    const { code = 'unknown' } = error as NodeJS.ErrnoException
    return code === 'ENOENT' || code === 'ENOTDIR' ? 'gone' : { code }
  }
}

/** Does a row belong to the file as it is now? */
export function isSameFile(row: KnownFile, stats: Stats): boolean {
  return row.sizeBytes === stats.size && row.storedAtMs === Math.floor(stats.mtimeMs)
}
