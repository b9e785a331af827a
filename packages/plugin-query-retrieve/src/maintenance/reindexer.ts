import type { Logger } from '@dicomtap/framework'
import { readdir } from 'node:fs/promises'
import { databaseError } from '../database/database-error.ts'
import type { InstanceIndex } from '../database/instance-index.ts'
import { isSameFile, statusOf } from './compare.ts'
import type { IndexedInstance } from '../model/instance.ts'
import type { InstanceReader, ReadInstance, Unusable } from './read-instance.ts'

/** So many files at most are settled at once. */
export const MAXIMUM_SETTLED = 256
const READERS = 16

export type Reindexed =
  | { readonly did: 'added' }
  /** Another file of the same instance was stored later, and has the row. */
  | { readonly did: 'superseded' }
  | { readonly did: 'removed' }
  /** Neither file nor row is there. */
  | { readonly did: 'gone' }
  | { readonly did: 'nothing'; readonly why: Unusable }

/** Makes the index tell the truth of files that somebody had a doubt about, while others store and remove. */
export class Reindexer {
  readonly #root: string
  readonly #index: InstanceIndex
  readonly #reader: InstanceReader

  constructor(root: string, index: InstanceIndex, reader: InstanceReader) {
    this.#root = root
    this.#index = index
    this.#reader = reader
  }

  /** Takes the file in as it is now, or forgets it. */
  async settle(relativePath: string): Promise<Reindexed> {
    return (await this.settleAll([relativePath]))[0] as Reindexed
  }

  /** The same of several at once, up to {@link MAXIMUM_SETTLED}: one question and one transaction for all of them. */
  async settleAll(relativePaths: readonly string[], attempts = 3): Promise<readonly Reindexed[]> {
    const reads = await inParallel(relativePaths, (one) => this.#reader.read(one))
    const instances = reads.flatMap((read) => ('instance' in read ? [read.instance] : []))
    const superseded = await this.supersededOf(instances)
    return Promise.all(
      relativePaths.map(async (relativePath, at): Promise<Reindexed> => {
        const read = reads[at] as ReadInstance
        if ('instance' in read) return superseded.has(relativePath) ? { did: 'superseded' } : this.#add(read.instance, attempts)
        if (read.code !== 'ENOENT' && read.code !== 'ENOTDIR') return { did: 'nothing', why: read }
        return { did: (await this.forget([relativePath])) === 0 ? 'gone' : 'removed' }
      }),
    )
  }

  async #add(instance: IndexedInstance, attempts: number): Promise<Reindexed> {
    await this.#index.add(instance)
    // What was read may have been replaced, and its row with it, before this one was written.
    const now = await statusOf(this.#root, instance.path)
    const isCurrent = typeof now === 'object' && ('code' in now || isSameFile(instance, now))
    return isCurrent || attempts === 1 ? { did: 'added' } : ((await this.settleAll([instance.path], attempts - 1))[0] as Reindexed)
  }

  /**
   * Forgets files that are gone. One that is stored again in the same moment is taken in again: its sender may have
   * been told that it is there.
   */
  async forget(relativePaths: readonly string[]): Promise<number> {
    const gone = await this.#gone(relativePaths)
    if (gone.length === 0) return 0
    const { instances } = await this.#index.remove(gone)
    const stillGone = new Set(await this.#gone(gone))
    for (const back of gone) {
      if (stillGone.has(back)) continue
      const read = await this.#reader.read(back)
      if ('instance' in read) await this.#index.add(read.instance)
    }
    return instances
  }

  /** Paths of files that another file of the same instance was stored after: of all versions the newest has the row. */
  async supersededOf(instances: readonly IndexedInstance[]): Promise<ReadonlySet<string>> {
    const superseded = new Set<string>()
    if (instances.length === 0) return superseded
    const newest = new Map<string, Version>()
    const compare = (key: string, version: Version): void => {
      const other = newest.get(key)
      // Copies that were written at the same time: the one that has the row keeps it.
      if (other === undefined || version.storedAtMs > other.storedAtMs) newest.set(key, version)
    }
    const query = this.#index.database
      .selectFrom('instance')
      .innerJoin('series', 'series.id', 'instance.series')
      .select(['instance.path as path', 'instance.stored_at_ms as storedAtMs', 'instance.sop_instance_uid as sop', 'series.series_instance_uid as series'])
      .where('instance.sop_instance_uid', 'in', [...new Set(instances.map(({ sopInstanceUid }) => sopInstanceUid))])
    for await (const { path, storedAtMs, sop, series } of this.#index.rows(query)) {
      compare(`${series} ${sop}`, { path, storedAtMs, isRow: true })
    }
    for (const { path, storedAtMs, seriesInstanceUid, sopInstanceUid } of instances) {
      compare(`${seriesInstanceUid} ${sopInstanceUid}`, { path, storedAtMs, isRow: false })
    }
    for (const instance of instances) {
      const first = newest.get(`${instance.seriesInstanceUid} ${instance.sopInstanceUid}`) as Version
      if (first.path === instance.path) continue
      const isThere = !first.isRow || (await statusOf(this.#root, first.path)) !== 'gone'
      if (isThere) superseded.add(instance.path)
    }
    return superseded
  }

  async #gone(relativePaths: readonly string[]): Promise<string[]> {
    const statuses = await Promise.all(relativePaths.map((one) => statusOf(this.#root, one)))
    return relativePaths.filter((_, at) => statuses[at] === 'gone')
  }
}

/** The system lacks something: a moment later the file may be read. */
const PASSING: ReadonlySet<string> = new Set(['EAGAIN', 'EBUSY', 'EINTR', 'EMFILE', 'ENFILE', 'ENOMEM', 'ESTALE', 'ETIMEDOUT'])

/**
 * For `openIndex`: has an index tell the truth of files that were stored a moment ago. False when it is that none of
 * them is there, nor anything else in the folder: it may not be mounted.
 */
export function reindexWith(reader: InstanceReader, root: string, log: Pick<Logger, 'warn'>): (index: InstanceIndex, paths: readonly string[]) => Promise<boolean> {
  return async (index, paths) => {
    const reindexer = new Reindexer(root, index, reader)
    const results: Reindexed[] = []
    for (let at = 0; at < paths.length; at += MAXIMUM_SETTLED) results.push(...(await reindexer.settleAll(paths.slice(at, at + MAXIMUM_SETTLED))))
    const codes = results.flatMap((result) => (result.did === 'nothing' ? (result.why.code ?? []) : []))
    const passing = codes.find((code) => PASSING.has(code))
    if (passing !== undefined) throw databaseError(`Stored files cannot be read for the index at present (${passing})`)
    if (codes.length > 0) log.warn('stored objects cannot be queried: their files cannot be read', { files: codes.length, code: codes[0] })
    return results.some(({ did }) => did !== 'gone' && did !== 'removed') || !(await isEmpty(root))
  }
}

async function isEmpty(folder: string): Promise<boolean> {
  const names = await readdir(folder).catch(() => [])
  return names.every((name) => name.startsWith('.'))
}

/** A file of an instance. */
interface Version {
  readonly path: string
  readonly storedAtMs: number
  readonly isRow: boolean
}

/** In order, so many at once that no disk is idle, and few enough for file descriptors. */
async function inParallel<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = []
  let next = 0
  const worker = async (): Promise<void> => {
    for (let at = next++; at < items.length; at = next++) results[at] = await work(items[at] as T)
  }
  await Promise.all(Array.from({ length: Math.min(READERS, items.length) }, worker))
  return results
}
