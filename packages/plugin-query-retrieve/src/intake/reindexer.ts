import type { InstanceIndex } from '../database/instance-index.ts'
import { isSameFile, statusOf } from '../maintenance/compare.ts'
import type { IndexedInstance } from '../model/instance.ts'
import type { InstanceReader, Unusable } from './read-instance.ts'

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
  async settle(relativePath: string, attempts = 3): Promise<Reindexed> {
    const read = await this.#reader.read(relativePath)
    if (!('instance' in read)) {
      if (read.code === 'ENOENT' || read.code === 'ENOTDIR') return { did: (await this.forget([relativePath])) === 0 ? 'gone' : 'removed' }
      return { did: 'nothing', why: read }
    }
    const { instance } = read
    if (await this.isSuperseded(instance)) return { did: 'superseded' }
    await this.#index.add(instance)
    // What was read may have been replaced, and its row with it, before this one was written.
    const now = await statusOf(this.#root, relativePath)
    const isCurrent = typeof now === 'object' && ('code' in now || isSameFile(instance, now))
    return isCurrent || attempts === 1 ? { did: 'added' } : this.settle(relativePath, attempts - 1)
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

  /** Of the versions of an instance the newest file has the row. */
  async isSuperseded({ seriesInstanceUid, sopInstanceUid, path: relativePath, storedAtMs }: IndexedInstance): Promise<boolean> {
    const query = this.#index.database
      .selectFrom('instance')
      .innerJoin('series', 'series.id', 'instance.series')
      .select(['instance.path as path', 'instance.stored_at_ms as storedAtMs'])
      .where('instance.sop_instance_uid', '=', sopInstanceUid)
      .where('series.series_instance_uid', '=', seriesInstanceUid)
    for await (const row of this.#index.rows(query)) {
      if (row.path === relativePath || Number(row.storedAtMs) < storedAtMs) continue
      // Copies that were written at the same time: the one that has the row keeps it.
      if ((await statusOf(this.#root, row.path)) !== 'gone') return true
    }
    return false
  }

  async #gone(relativePaths: readonly string[]): Promise<string[]> {
    const statuses = await Promise.all(relativePaths.map((one) => statusOf(this.#root, one)))
    return relativePaths.filter((_, at) => statuses[at] === 'gone')
  }
}
