import { lstat } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { InstanceIndex } from '../database/instance-index.ts'
import type { RemovalResult, StorageRemoval } from '../storage-service.ts'

const BATCH = 64
/** What a pause between two batches is at least. The disk has as long for others as a batch took. */
const SHORTEST_PAUSE_MS = 10
const LONGEST_PAUSE_MS = 5000

export interface DeleteOptions {
  readonly index: InstanceIndex
  readonly storage: StorageRemoval
  /** The storage folder. */
  readonly directory: string
  /** Told to those who look at what is removed. */
  readonly reason: string
  /** Files that were written at this time or later stay. */
  readonly writtenBeforeMs?: number | undefined
  readonly signal?: AbortSignal | undefined
  /** Whether to leave others as much time as this takes; default true. */
  readonly isGentle?: boolean | undefined
  /** Told after each batch what was deleted so far; false breaks it off. */
  readonly onBatch?: ((soFar: { readonly files: number; readonly bytes: number }) => boolean | Promise<boolean>) | undefined
}

/** What was deleted of a study or a series. */
export interface Deleted {
  readonly files: number
  readonly bytes: number
  /** Files that stay, by why; empty when all is gone. */
  readonly unremoved: RemovalResult['unremoved']
  /**
   * `done`: each file was looked at. `broken-off`: by the signal, or by `onBatch`. `no-files`: none of the first ones is
   * there, so the folder may not be mounted, and nothing was done.
   */
  readonly end: 'done' | 'broken-off' | 'no-files' | 'failed'
  /** Why it `failed`: the index is away, or the storage folder. */
  readonly error?: unknown
}

/** Deletes the files of a study, or of one of its series. Their rows go with them, by the hooks of the storage. Never rejects. */
export async function deleteInstances(of: { readonly study: number; readonly seriesInstanceUid?: string | undefined }, options: DeleteOptions): Promise<Deleted> {
  const { storage, directory, reason, writtenBeforeMs, signal, isGentle = true, onBatch } = options
  const unremoved: RemovalResult['unremoved'][number][] = []
  let files = 0
  let bytes = 0
  const ended = (end: Deleted['end']): Deleted => ({ files, bytes, unremoved, end })
  const isAborted = (): boolean => signal?.aborted === true
  try {
    for (let after = ''; ; ) {
      if (isAborted()) return ended('broken-off')
      const paths = await pathsAfter(after, of, options)
      const last = paths.at(-1)
      if (last === undefined) return ended('done')
      if (after === '' && !(await isAnyThere(directory, paths))) return ended('no-files')
      const startedAtMs = performance.now()
      const result = await storage.remove(paths, { reason, writtenBeforeMs, withVersions: true, signal })
      files += result.removed
      bytes += result.removedBytes
      unremoved.push(...result.unremoved)
      after = last
      if ((await onBatch?.({ files, bytes })) === false) return ended('broken-off')
      if (paths.length < BATCH) return ended(isAborted() ? 'broken-off' : 'done')
      if (isGentle) await pause(performance.now() - startedAtMs, signal)
    }
  } catch (error) {
    // What was deleted until then must be told.
    return { ...ended('failed'), error }
  }
}

async function isAnyThere(directory: string, paths: readonly string[]): Promise<boolean> {
  for (const one of paths) {
    const isThere = await lstat(path.join(directory, one)).then(
      () => true,
      (error: unknown) => !['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? ''),
    )
    if (isThere) return true
  }
  return false
}

async function pathsAfter(after: string, { study, seriesInstanceUid }: Parameters<typeof deleteInstances>[0], { index }: DeleteOptions): Promise<string[]> {
  let query = index.database
    .selectFrom('instance')
    .innerJoin('series', 'series.id', 'instance.series')
    .select('instance.path')
    .where('series.study', '=', study)
    .where('instance.path', '>', after)
    .orderBy('instance.path')
    .limit(BATCH)
  if (seriesInstanceUid !== undefined) query = query.where('series.series_instance_uid', '=', seriesInstanceUid)
  const paths: string[] = []
  for await (const row of index.rows(query)) paths.push(row.path)
  return paths
}

/** As long as the work took: the disk and the database have as much time for others. */
export async function pause(tookMs: number, signal: AbortSignal | undefined): Promise<void> {
  const ms = Math.min(Math.max(tookMs, SHORTEST_PAUSE_MS), LONGEST_PAUSE_MS)
  await delay(ms, undefined, signal === undefined ? {} : { signal }).catch(() => undefined)
}
