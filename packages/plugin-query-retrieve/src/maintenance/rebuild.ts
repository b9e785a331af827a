import type { InstanceIndex } from '../database/instance-index.ts'
import { MAXIMUM_SETTLED, type Reindexed, type Reindexer } from './reindexer.ts'
import { IndexSettings, type RebuildPosition } from './settings.ts'
import { compareFolderAndIndex } from './compare.ts'
import { type UnreadableFolder, walkFolder } from './walk-folder.ts'

export interface RebuildOptions {
  readonly root: string
  readonly index: InstanceIndex
  readonly reindexer: Reindexer
  /** Of the attributes that rows are written with. */
  readonly fingerprint: string
  readonly signal: AbortSignal
  /** From the first file, whatever was done before. */
  readonly isRestarted: boolean
  readonly onResumed: (position: RebuildPosition) => void
  readonly onProgress: (files: number) => void
  /** A file that is not in the index now, and why. */
  readonly onUnusable: (path: string, reason: string) => void
  readonly onUnreadable: (folder: UnreadableFolder) => void
}

export interface RebuildResult {
  /** Looked at, those of the run that was broken off included. */
  readonly files: number
  readonly indexed: number
  /** Older files of an instance that was stored several times. */
  readonly superseded: number
  /** Not in the index: no instance, or cannot be read. */
  readonly unusable: number
  /** Rows that had no file. */
  readonly removed: number
}

/** While one is written, others are read. */
const PARALLEL_BATCHES = 3
const REMEMBER_MS = 1000
const FORGET_AT_ONCE = 500

/**
 * Reads every file of a folder into the index, in the order of paths, and forgets rows without a file. What is there
 * is written over, so that a server can go on meanwhile. Broken off in any way, it goes on behind the files whose rows
 * are committed.
 */
export async function rebuildIndex(options: RebuildOptions): Promise<RebuildResult> {
  const { root, index, reindexer, fingerprint, signal, onProgress, onUnreadable } = options
  const settings = new IndexSettings(index)
  const start = await startOf(options, settings)
  let { files, unusable } = start
  let [indexed, superseded, removed] = [0, 0, 0]
  let { after } = start
  let rememberedAtMs = performance.now()
  const queue: { readonly paths: readonly string[]; readonly work: Promise<readonly Reindexed[]> }[] = []

  const count = (path: string, result: Reindexed): void => {
    if (result.did === 'added') indexed += 1
    else if (result.did === 'superseded') superseded += 1
    else if (result.did === 'removed') removed += 1
    else if (result.did === 'nothing') {
      unusable += 1
      options.onUnusable(path, result.why.reason)
    }
  }
  const begin = (paths: readonly string[]): void => {
    const work = reindexer.settleAll(paths)
    work.catch(() => undefined) // looked at when it is the first
    queue.push({ paths, work })
  }
  const finishFirst = async (): Promise<void> => {
    const first = queue.shift()
    if (first === undefined) return
    for (const [at, result] of (await first.work).entries()) count(first.paths[at] as string, result)
    after = first.paths.at(-1) as string
    files += first.paths.length
    onProgress(files)
    if (performance.now() - rememberedAtMs < REMEMBER_MS) return
    rememberedAtMs = performance.now()
    await settings.setRebuild({ ...start, after, files, unusable })
  }

  try {
    let batch: string[] = []
    for await (const path of walkFolder({ root, after: start.after, signal, onUnreadable })) {
      batch.push(path)
      if (batch.length < MAXIMUM_SETTLED) continue
      begin(batch)
      batch = []
      if (queue.length >= PARALLEL_BATCHES) await finishFirst()
    }
    if (batch.length > 0) begin(batch)
    while (queue.length > 0) {
      signal.throwIfAborted()
      await finishFirst()
    }
  } catch (error) {
    await Promise.allSettled(queue.map(({ work }) => work))
    await settings.setRebuild({ ...start, after, files, unusable }).catch(() => undefined)
    throw error
  }

  // An empty folder is one that is not mounted.
  if (files > 0) removed += await forgetMissing(options)
  await index.recomputeStudies(signal)
  await settings.setFingerprint(fingerprint)
  await settings.setRebuild(undefined)
  return { files, indexed, superseded, unusable, removed }
}

async function startOf({ root, fingerprint, isRestarted, onResumed }: RebuildOptions, settings: IndexSettings): Promise<RebuildPosition> {
  const last = isRestarted ? undefined : await settings.rebuild()
  if (last?.folder === root && last.fingerprint === fingerprint) {
    onResumed(last)
    return last
  }
  const start = { folder: root, fingerprint, after: '', startedAtMs: Date.now(), files: 0, unusable: 0 }
  await settings.setRebuild(start)
  return start
}

async function forgetMissing({ root, index, reindexer, signal, onUnreadable }: RebuildOptions): Promise<number> {
  let removed = 0
  let missing: string[] = []
  const forget = async (): Promise<void> => {
    removed += await reindexer.forget(missing)
    missing = []
  }
  for await (const { kind, path } of compareFolderAndIndex({ root, index, signal, onUnreadable })) {
    if (kind === 'missing') missing.push(path)
    if (missing.length >= FORGET_AT_ONCE) await forget()
  }
  if (missing.length > 0) await forget()
  return removed
}
