import {
  type CompiledQuery,
  SelectQueryNode,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  type QueryResult,
} from 'kysely'
import { rowObjects, type SqliteThreads } from './threads.ts'
import type { WorkerRows } from './messages.ts'

/** Kysely over {@link SqliteThreads}. What reads goes to the readers, the rest and transactions to the writer. */
export function sqliteDialect(threads: SqliteThreads): Dialect {
  return {
    createAdapter: () => new Adapter(),
    createDriver: () => driver(threads),
    createIntrospector: (database) => new SqliteIntrospector(database),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  }
}

/** Changes of tables are part of a transaction in SQLite too; ours are immediate, so that one process at a time migrates. */
class Adapter extends SqliteAdapter {
  override get supportsTransactionalDdl(): boolean {
    return true
  }
}

const READS = /^\s*(?:select|with|values|explain)\b/i
/** Of the connection, and no part of a transaction. */
const PRAGMA = /^\s*pragma\b/i

class Connection implements DatabaseConnection {
  readonly #threads: SqliteThreads
  /** In a transaction. */
  #release: (() => void) | undefined

  constructor(threads: SqliteThreads) {
    this.#threads = threads
  }

  async begin(): Promise<void> {
    this.#release = await this.#threads.begin()
  }

  async end(how: 'commit' | 'rollback'): Promise<void> {
    if (this.#release === undefined) return
    try {
      await this.#threads.end(how)
    } finally {
      this.release()
    }
  }

  release(): void {
    this.#release?.()
    this.#release = undefined
  }

  async executeQuery<Row>({ sql, parameters, query }: CompiledQuery): Promise<QueryResult<Row>> {
    if (this.#release !== undefined || PRAGMA.test(sql)) return resultOf(await this.#threads.run(sql, parameters))
    const isReading = SelectQueryNode.is(query) || READS.test(sql)
    return resultOf(isReading ? await this.#threads.read(sql, parameters) : await this.#threads.write(sql, parameters))
  }

  async *streamQuery<Row>({ sql, parameters }: CompiledQuery): AsyncIterableIterator<QueryResult<Row>> {
    for await (const batch of this.#threads.stream(sql, parameters, undefined, 'lookup')) yield resultOf<Row>(batch)
  }
}

function resultOf<Row>(rows: WorkerRows): QueryResult<Row> {
  return { rows: rowObjects<Row>(rows), numAffectedRows: BigInt(rows.changes) }
}

function driver(threads: SqliteThreads): Driver {
  return {
    init: () => Promise.resolve(),
    acquireConnection: () => Promise.resolve(new Connection(threads)),
    beginTransaction: (connection) => (connection as Connection).begin(),
    commitTransaction: (connection) => (connection as Connection).end('commit'),
    rollbackTransaction: (connection) => (connection as Connection).end('rollback'),
    releaseConnection(connection) {
      ;(connection as Connection).release()
      return Promise.resolve()
    },
    destroy: () => threads.close(),
  }
}
