import type { Logger } from '@dicomtap/framework'
import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises'
import type { InstanceIndex } from '../database/instance-index.ts'
import { type Compared, compareFolderAndIndex, isSameFile, statusOf } from '../maintenance/compare.ts'
import { MAXIMUM_SETTLED, type Reindexed, type Reindexer } from '../maintenance/reindexer.ts'

export interface ScanOptions {
  readonly root: string
  readonly index: InstanceIndex
  readonly reindexer: Reindexer
  readonly log: Logger
  readonly signal: AbortSignal
  /** Whether objects are being stored: they go first. */
  readonly isBusy: () => boolean
}

export interface ScanResult {
  readonly files: number
  readonly added: number
  /** Rows whose file was gone. */
  readonly removed: number
  /** Files without a row that cannot have one. */
  readonly unusable: number
  /** Rows without a file that were left, because there are too many to believe it. */
  readonly left: number
}

/** Of a file system that is not mounted all files are gone. So many are believed, or this part of all rows. */
const BELIEVED_GONE = 1000
const BELIEVED_PART = 0.1
/** Of which it is remembered which they are. */
const MAXIMUM_GONE = 100_000
const FORGET_AT_ONCE = 500
const BUSY_MS = 20

/**
 * Compares the storage folder with the index and makes the index tell the truth: files without a row, rows without a
 * file, and files that are not those their rows were made of. Rows are dropped only when that can be believed.
 */
export async function scanFolder({ root, index, reindexer, log, signal, isBusy }: ScanOptions): Promise<ScanResult> {
  let [files, rows, added, removed, unusable, unreadable] = [0, 0, 0, 0, 0, 0]
  const gone: string[] = []
  let isTooManyGone = false

  const count = ({ did }: Reindexed): void => {
    if (did === 'added') added += 1
    else if (did === 'removed') removed += 1
    else if (did === 'nothing') unusable += 1
  }
  let doubtful: string[] = []
  const settle = async (): Promise<void> => {
    const paths = doubtful
    doubtful = []
    for (const result of await reindexer.settleAll(paths)) count(result)
  }
  const doubt = async (path: string): Promise<void> => {
    doubtful.push(path)
    if (doubtful.length >= MAXIMUM_SETTLED) await settle()
  }
  const look = async ({ kind, path, ...compared }: Compared): Promise<void> => {
    if (kind !== 'missing') files += 1
    if (kind !== 'unindexed') rows += 1
    if (kind === 'unindexed') return doubt(path)
    const status = await statusOf(root, path)
    if (status === 'gone') {
      if (gone.length < MAXIMUM_GONE) gone.push(path)
      else isTooManyGone = true
    } else if (!('code' in status) && 'row' in compared && !isSameFile(compared.row, status)) {
      await doubt(path)
    }
  }

  const onUnreadable = ({ code }: { readonly code: string }): void => {
    unreadable += 1
    if (unreadable === 1) log.warn('a folder cannot be looked at: what is in it stays as the index has it', { code })
  }
  let looked = 0
  for await (const compared of compareFolderAndIndex({ root, index, signal, onUnreadable })) {
    await look(compared)
    // Low priority: others have their turn, and stores go first.
    if (++looked % 64 === 0) await (isBusy() ? delay(BUSY_MS, undefined, { ref: false }) : nextTurn())
  }
  if (doubtful.length > 0) await settle()

  // An empty folder is one that is not mounted, as is one of which most is gone.
  const isBelieved = files > 0 && !isTooManyGone && gone.length <= Math.max(BELIEVED_GONE, rows * BELIEVED_PART)
  if (isBelieved) {
    for (let at = 0; at < gone.length; at += FORGET_AT_ONCE) {
      signal.throwIfAborted()
      removed += await reindexer.forget(gone.slice(at, at + FORGET_AT_ONCE))
    }
    return { files, added, removed, unusable, left: 0 }
  }
  if (gone.length > 0) {
    log.error('files of many stored objects are gone: their rows stay, in case the folder is not mounted. If it is right, run: dicomtap index check --repair', {
      directory: root,
      gone: isTooManyGone ? `more than ${gone.length}` : gone.length,
      rows,
    })
  }
  return { files, added, removed, unusable, left: gone.length }
}
