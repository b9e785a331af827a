import { isLocalFileSystemType, type Logger, StallWatch } from '@dicomtap/framework'
import type { Compilable, Kysely } from 'kysely'
import { realpath, statfs } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { IndexedInstance } from '../../model/instance.ts'
import type { Arrival, DatabaseKind, IndexAccess, IndexCounts, HeadIndex, InstanceIndex, KnownFile, QueryWork, Removed } from '../instance-index.ts'
import type { IndexSchema } from '../schema.ts'
import { unlessAborted } from '../unless-aborted.ts'
import { ArrivalFiles } from './arrival-files.ts'
import { ForeignArrivals, type Reindex } from './foreign-arrivals.ts'
import { LATE_MS } from './limits.ts'
import { OwnArrivals, type OwnArrivalsOptions } from './own-arrivals.ts'

export interface ArrivingIndexOptions extends Pick<Partial<OwnArrivalsOptions>, 'watch' | 'limits'> {
  /** The file of the database: what arrives is beside it, in `<path>-arrivals`. Of a link, beside what it leads to, as SQLite does. */
  readonly path: string
  readonly log: Logger
  readonly access: IndexAccess
  /** Makes an index tell the truth of files. Undefined: nobody knows where they are, and nothing arrives. */
  readonly reindex?: ((index: InstanceIndex, paths: readonly string[]) => Promise<boolean>) | undefined
}

/**
 * An index that takes what was stored a moment later, and shows nobody the difference: whoever reads or removes, in
 * whichever process, does so when all that was acknowledged before is in it.
 */
export class ArrivingIndex implements InstanceIndex {
  readonly #index: HeadIndex
  readonly #options: ArrivingIndexOptions
  /** Undefined where nothing arrives, in no process. */
  #foreign: ForeignArrivals | undefined
  #own: OwnArrivals | undefined
  #files: ArrivalFiles | undefined

  constructor(index: HeadIndex, options: ArrivingIndexOptions) {
    this.#index = index
    this.#options = options
  }

  get kind(): DatabaseKind {
    return this.#index.kind
  }

  get database(): Kysely<IndexSchema> {
    return this.#index.database
  }

  get isReady(): boolean {
    return this.#index.isReady
  }

  async start(): Promise<void> {
    await this.#index.start()
    const { access, log, watch = new StallWatch(), reindex: reindexOf } = this.#options
    const path = await realpath(this.#options.path).catch(() => this.#options.path)
    const isLocal = await statfs(dirname(path)).then(({ type }) => isLocalFileSystemType(type), () => undefined)
    if (isLocal === false) return
    const files = (this.#files = new ArrivalFiles(`${path}-arrivals`))
    const reindex: Reindex | undefined = reindexOf && ((paths) => reindexOf(this.#index, paths))
    this.#foreign = new ForeignArrivals({ files, log, reindex })
    if (isLocal === undefined || access !== 'write' || reindex === undefined) return
    this.#own = new OwnArrivals({ ...this.#options, path, index: this.#index, files, reindex, watch })
    // Whoever reads waits for it, and meets what goes wrong.
    void this.#foreign.settled().catch(() => undefined)
  }

  addSoon(arrive: () => Arrival | undefined): boolean {
    return this.#own?.accept(arrive) ?? false
  }

  async add(instance: IndexedInstance): Promise<void> {
    // What has arrived goes first: it may be of an older file of that name. If it cannot, that file is read when it is tried again.
    await this.#own?.flush(LATE_MS).catch(() => undefined)
    await this.#index.add(instance)
    this.#own?.committed()
  }

  async remove(paths: readonly string[]): Promise<Removed> {
    await this.#settled()
    return this.#index.remove(paths)
  }

  async *rows<Row>(query: Compilable<Row>, signal?: AbortSignal, work?: QueryWork): AsyncIterable<Row> {
    await unlessAborted(this.#settled(), signal)
    yield* this.#index.rows(query, signal, work)
  }

  async knownPaths(paths: readonly string[]): Promise<ReadonlyMap<string, KnownFile>> {
    await this.#settled()
    return this.#index.knownPaths(paths)
  }

  async *paths(after?: string, signal?: AbortSignal): AsyncIterable<KnownFile & { readonly path: string }> {
    await unlessAborted(this.#settled(), signal)
    yield* this.#index.paths(after, signal)
  }

  async recomputeStudies(signal?: AbortSignal): Promise<void> {
    await unlessAborted(this.#settled(), signal)
    await this.#index.recomputeStudies(signal)
  }

  setting(name: string): Promise<string | undefined> {
    return this.#index.setting(name)
  }

  setSetting(name: string, value: string | undefined): Promise<void> {
    return this.#index.setSetting(name, value)
  }

  async counts(): Promise<IndexCounts> {
    await this.#settled()
    return this.#index.counts()
  }

  async close(): Promise<void> {
    await this.#own?.close()
    this.#files?.close()
    await this.#index.close()
  }

  async #settled(): Promise<void> {
    await this.#own?.flush()
    await this.#foreign?.settled()
  }
}
