import { DicomtapError, type Logger } from '@dicomtap/framework'
import type { Compilable, Kysely } from 'kysely'
import { randomBytes } from 'node:crypto'
import type { IndexedInstance } from '../model/instance.ts'
import { addAny } from './any-instances.ts'
import { Availability } from './availability.ts'
import type { Backend } from './backend.ts'
import { readCounts } from './counts.ts'
import { databaseError } from './database-error.ts'
import { digested, type Digested } from './digested.ts'
import { MAXIMUM_KNOWN_PATHS, type ArrivedHead, type DatabaseKind, type HeadIndex, type HeadOutcome, type IndexAccess, type IndexCounts, type KnownFile, type QueryWork, type Removed } from './instance-index.ts'
import { addToKnownSeries, isPlain } from './known-series.ts'
import { Collision } from './levels-above.ts'
import { migrate } from './migrate.ts'
import { recomputeStudies, STUDIES_AT_ONCE } from './recompute-studies.ts'
import { removePaths } from './remove-rows.ts'
import type { IndexSchema } from './schema.ts'
import { WriteQueue, type BatchOutcome } from './write-queue.ts'

/** How long a transaction is tried again that others were in the way of. */
const RETRY_MS = 10_000
/** Longer than any limit of the databases themselves: only a connection that is gone unnoticed takes so long. */
const NO_ANSWER_MS = 75_000
const PROBE_BYTES = 262_144
/** SQLSTATE. In SQLite nobody writes at the same time. */
const UNIQUE_VIOLATION = '23505'

/** The index over either database. */
export class DatabaseIndex implements HeadIndex {
  readonly #backend: Backend
  readonly #availability: Availability
  readonly #queue: WriteQueue
  readonly #access: IndexAccess
  #phase: 'new' | 'open' | 'closing' | 'closed' = 'new'
  #isPrepared = false
  #closed: Promise<void> | undefined

  constructor(backend: Backend, log: Logger, access: IndexAccess = 'write') {
    this.#access = access
    this.#backend = backend
    this.#availability = new Availability(backend, log, () => this.#probe())
    this.#queue = new WriteQueue((instances) => this.#writeBatch(instances))
  }

  get kind(): DatabaseKind {
    return this.#backend.kind
  }

  get database(): Kysely<IndexSchema> {
    return this.#backend.database
  }

  get isReady(): boolean {
    return this.#phase === 'open' && this.#availability.isReady
  }

  async start(): Promise<void> {
    if (this.#phase !== 'new') throw databaseError(`The index ${this.#backend.place} was started before`)
    try {
      await this.#prepare()
    } catch (error) {
      if (error instanceof DicomtapError) throw error
      if (!this.#backend.isPassing(error)) throw databaseError(`The index ${this.#backend.place} cannot be used: ${this.#backend.explain(error)}`)
      this.#availability.report(error)
    }
    this.#phase = 'open'
  }

  async add(instance: IndexedInstance): Promise<void> {
    this.#assert('write')
    await this.#queue.add(instance)
  }

  async addHeads(heads: readonly ArrivedHead[]): Promise<readonly HeadOutcome[]> {
    const { addHeads } = this.#backend
    return addHeads === undefined ? heads.map(() => 'unread') : this.#writing(() => addHeads(heads))
  }

  remove(paths: readonly string[]): Promise<Removed> {
    return this.#writing(() => this.database.transaction().execute((transaction) => removePaths(transaction, this.kind, paths)))
  }

  async *rows<Row>(query: Compilable<Row>, signal?: AbortSignal, work: QueryWork = 'lookup'): AsyncIterable<Row> {
    this.#assert('read')
    const { sql, parameters } = query.compile()
    let hasBegun = false
    for (let attempt = 1; ; attempt++) {
      try {
        for await (const row of this.#backend.stream<Row>(sql, parameters, signal, work)) {
          hasBegun = true
          yield row
        }
        return
      } catch (error) {
        if (signal?.aborted === true) throw signal.reason
        if (error instanceof DicomtapError) throw error
        // A connection that broke while it was idle: another one may do.
        const mayBeTriedAgain = !hasBegun && attempt === 1 && this.#backend.troubleOf(error) === 'lost'
        if (!mayBeTriedAgain) throw this.#availability.report(error)
      }
    }
  }

  async knownPaths(paths: readonly string[]): Promise<ReadonlyMap<string, KnownFile>> {
    if (paths.length > MAXIMUM_KNOWN_PATHS) throw new RangeError(`Up to ${MAXIMUM_KNOWN_PATHS} paths can be asked for at once`)
    if (paths.length === 0) return new Map()
    const rows = await this.#reading(() =>
      this.database.selectFrom('instance').select(['path', 'size_bytes', 'stored_at_ms']).where('path', 'in', paths).execute(),
    )
    return new Map(rows.map((row) => [row.path, { sizeBytes: row.size_bytes, storedAtMs: row.stored_at_ms }]))
  }

  async *paths(after = '', signal?: AbortSignal): AsyncIterable<KnownFile & { readonly path: string }> {
    // Page by page: a cursor would keep the state of the database as it was when it began, for as long as a scan takes.
    const pageSize = 1000
    for (let last = after; ; ) {
      signal?.throwIfAborted()
      const page = await this.#reading(() =>
        this.database.selectFrom('instance').select(['path', 'size_bytes', 'stored_at_ms']).where('path', '>', last).orderBy('path').limit(pageSize).execute(),
      )
      for (const row of page) {
        signal?.throwIfAborted()
        yield { path: row.path, sizeBytes: row.size_bytes, storedAtMs: row.stored_at_ms }
      }
      const end = page.at(-1)
      if (end === undefined || page.length < pageSize) return
      last = end.path
    }
  }

  async recomputeStudies(signal?: AbortSignal): Promise<void> {
    for (let last = -1; ; ) {
      signal?.throwIfAborted()
      const page = await this.#reading(() => this.database.selectFrom('study').select('id').where('id', '>', last).orderBy('id').limit(STUDIES_AT_ONCE).execute())
      const ids = page.map(({ id }) => id)
      const end = ids.at(-1)
      if (end === undefined) return
      await this.#writing(() => this.database.transaction().execute((transaction) => recomputeStudies(transaction, this.kind, ids)))
      last = end
    }
  }

  async setting(name: string): Promise<string | undefined> {
    const row = await this.#reading(() => this.database.selectFrom('setting').select('value').where('name', '=', name).executeTakeFirst())
    return row?.value
  }

  setSetting(name: string, value: string | undefined): Promise<void> {
    return this.#writing(() => this.#writeSetting(name, value))
  }

  counts(): Promise<IndexCounts> {
    return this.#reading(() => readCounts(this.#backend))
  }

  close(): Promise<void> {
    return (this.#closed ??= this.#close())
  }

  async #close(): Promise<void> {
    const wasOpen = this.#phase === 'open'
    this.#phase = 'closing'
    if (wasOpen) await this.#queue.drained()
    this.#phase = 'closed'
    this.#availability.close()
    await this.#backend.close()
  }

  /** Connects; the first time, makes the tables. Writes something, as only that shows whether it can be written; but not for who only reads. */
  async #prepare(): Promise<void> {
    if (!this.#isPrepared) {
      await this.#backend.prepare()
      await migrate(this.#backend)
      this.#isPrepared = true
    }
    if (this.#access !== 'write') return
    await this.#writeSetting('lastContact', String(Date.now()))
  }

  /** On a full disk a few bytes may still find room: it is back when there is some for many instances. */
  async #probe(): Promise<void> {
    await this.#prepare()
    await this.#writeSetting('lastContact', randomBytes(PROBE_BYTES / 2).toString('hex'))
    await this.#writeSetting('lastContact', String(Date.now()))
  }

  async #writeSetting(name: string, value: string | undefined): Promise<void> {
    if (value === undefined) await this.database.deleteFrom('setting').where('name', '=', name).execute()
    else {
      await this.database
        .insertInto('setting')
        .values({ name, value })
        .onConflict((conflict) => conflict.column('name').doUpdateSet({ value }))
        .execute()
    }
  }

  #assert(what: 'read' | 'write'): void {
    if (this.#phase !== 'open' && !(this.#phase === 'closing' && what === 'read')) {
      throw databaseError(`The index ${this.#backend.place} is ${this.#phase === 'new' ? 'not started' : 'closed'}`)
    }
    this.#availability.assert(what)
  }

  async #reading<T>(read: () => Promise<T>): Promise<T> {
    this.#assert('read')
    try {
      return await this.#retried(read)
    } catch (error) {
      throw error instanceof DicomtapError ? error : this.#availability.report(error)
    }
  }

  async #writing<T>(write: () => Promise<T>): Promise<T> {
    this.#assert('write')
    const written = await this.#queue.run(async () => {
      try {
        this.#availability.assert('write')
        return await this.#retried(write)
      } catch (error) {
        throw error instanceof DicomtapError ? error : this.#availability.report(error)
      }
    })
    return written
  }

  /** Again while others are in the way; and once when the connection broke, on another one. All that we write may be written twice. */
  async #retried<T>(action: () => Promise<T>): Promise<T> {
    const until = performance.now() + RETRY_MS
    for (let attempt = 1; ; attempt++) {
      const timer = setTimeout(() => this.#backend.breakConnections(), NO_ANSWER_MS)
      try {
        return await action()
      } catch (error) {
        const trouble = error instanceof Collision ? 'retry' : this.#backend.troubleOf(error)
        const isWorthIt = trouble === 'retry' ? performance.now() < until : trouble === 'lost' && attempt === 1
        if (!isWorthIt) throw error
        await new Promise((resolve) => setTimeout(resolve, Math.random() * Math.min(5 * 2 ** attempt, 200)))
      } finally {
        clearTimeout(timer)
      }
    }
  }

  async #writeBatch(instances: readonly IndexedInstance[]): Promise<BatchOutcome> {
    try {
      this.#availability.assert('write')
      const batch = instances.map(digested)
      await this.#retried(() => this.#write(batch))
      return instances.map(() => undefined)
    } catch (error) {
      if (error instanceof DicomtapError) return instances.map(() => error)
      if (this.#backend.troubleOf(error) !== 'statement' || instances.length === 1) {
        const reported = this.#availability.report(error)
        return instances.map(() => reported)
      }
      // One of them cannot be written; the others do not have to suffer for it.
      const half = Math.ceil(instances.length / 2)
      return [...(await this.#writeBatch(instances.slice(0, half))), ...(await this.#writeBatch(instances.slice(half)))]
    }
  }

  async #write(batch: readonly Digested[]): Promise<void> {
    const plain = batch.filter(isPlain)
    let added: ReadonlySet<string> = new Set()
    if (plain.length > 0) {
      try {
        added = await addToKnownSeries(this.#backend, plain)
      } catch (error) {
        // E.g. a path that another instance had. The transaction below does it in more steps, or says what is wrong.
        if (this.#backend.troubleOf(error) !== 'statement') throw error
      }
    }
    const rest = batch.filter(({ instance }) => !added.has(instance.path))
    if (rest.length === 0) return
    try {
      await this.database.transaction().execute((transaction) => addAny(transaction, this.kind, rest))
    } catch (error) {
      // Whoever has the path was not there when we looked.
      throw (error as { code?: unknown }).code === UNIQUE_VIOLATION ? new Collision() : error
    }
  }
}
