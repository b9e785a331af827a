import Database from 'libsql'
import { bindable } from './bindable.ts'
import type { WorkerOptions, WorkerRows } from './messages.ts'

/**
 * Writes are made between `begin` and `commit`, each of them: a statement of libsql that met a lock stays under way,
 * and those that come after it are committed only when it is run again, though they seem to be.
 */
export interface Connection {
  readonly inTransaction: boolean
  /** Waits for others that write, for as long as was said when it was opened. */
  begin(): void
  commit(): void
  /** After some errors (a full disk) SQLite has done it by itself. Where it fails, `inTransaction` stays true. */
  rollBack(): void
  run(sql: string, parameters: readonly unknown[]): WorkerRows
  open(sql: string, parameters: readonly unknown[]): Cursor
  /** Gives back memory: it may not be used for long. */
  cool(): void
  /** Moves all of the log into the file. Nothing happens while others are in the way. */
  emptyLog(): void
  close(): void
}

export interface Cursor {
  /** Up to so many rows; fewer when they are large or take long. */
  pull(rows: number): WorkerRows
  /** Ends the statement, so that it keeps no old state of the database alive. */
  end(): void
}

/** libsql's iterator takes 100 rows ahead; with its buffer set by us it takes as many as are wanted. */
interface LibsqlIterator extends Iterator<unknown> {
  nextRows: unknown[]
  nextRowIndex: number
}

interface CachedStatement {
  readonly statement: Database.Statement
  readonly columns: readonly string[]
}

const LIBSQL_ROWS_AHEAD = 100
const MAXIMUM_BATCH_BYTES = 1_048_576
const MAXIMUM_BATCH_MS = 20
const MAXIMUM_STATEMENTS = 64

const PRAGMAS: Readonly<Record<WorkerOptions['role'], readonly string[]>> = {
  // A file without a row is found at the next start: what a power failure takes comes back. A crash takes nothing.
  writer: ['journal_mode = WAL', 'synchronous = NORMAL', 'foreign_keys = ON', 'case_sensitive_like = ON', 'cache_size = -65536', 'wal_autocheckpoint = 4000', 'journal_size_limit = 67108864'],
  reader: ['query_only = ON', 'case_sensitive_like = ON', 'cache_size = -4096'],
}

/** Opens the file. */
export function openConnection({ path, role, busyTimeoutMs }: WorkerOptions): Connection {
  const database = openFile(path)
  try {
    for (const pragma of [`busy_timeout = ${busyTimeoutMs}`, ...PRAGMAS[role]]) database.prepare(`PRAGMA ${pragma}`).all([])
  } catch (error) {
    database.close()
    throw error
  }
  const statements = new Map<string, CachedStatement>()

  function prepare(sql: string): CachedStatement {
    const known = statements.get(sql)
    if (known !== undefined) {
      statements.delete(sql)
      statements.set(sql, known)
      return known
    }
    const statement = database.prepare(sql)
    // Raw: arrays are smaller than objects on their way to the main thread.
    if (statement.reader) statement.raw()
    const cached = { statement, columns: statement.reader ? statement.columns().map((column) => column.name) : [] }
    statements.set(sql, cached)
    if (statements.size > MAXIMUM_STATEMENTS) statements.delete(statements.keys().next().value as string)
    return cached
  }

  return {
    get inTransaction() {
      return database.inTransaction
    },
    // Not prepared, as they may meet a lock.
    begin: () => database.exec('begin immediate'),
    commit: () => database.exec('commit'),
    rollBack() {
      try {
        if (database.inTransaction) database.exec('rollback')
      } catch {
        // Who goes on has to look.
      }
    },
    run(sql, parameters) {
      const { statement, columns } = prepare(sql)
      const values = parameters.map(bindable)
      if (!statement.reader) return { columns, rows: [], changes: statement.run(values).changes, isDone: true }
      const rows = statement.all(values) as unknown[][]
      return { columns, rows, changes: rows.length, isDone: true }
    },
    open(sql, parameters) {
      const { statement, columns } = prepare(sql)
      return openCursor(database, statement, columns, parameters.map(bindable))
    },
    cool() {
      database.prepare('PRAGMA shrink_memory').all([])
    },
    emptyLog() {
      try {
        database.prepare('PRAGMA wal_checkpoint(TRUNCATE)').all([])
      } catch {
        // A log that stays is read at the next start.
      }
    },
    close() {
      statements.clear()
      database.close()
    },
  }
}

/** Does something in a transaction of its own. */
export function inTransaction<T>(connection: Connection, work: () => T): T {
  connection.begin()
  return endOf(connection, work)
}

/** Does the last part of one. */
export function endOf<T>(connection: Connection, work: () => T): T {
  try {
    const result = work()
    connection.commit()
    return result
  } catch (error) {
    connection.rollBack()
    throw error
  }
}

/** libsql says in words only what went wrong here. */
function openFile(path: string): Database.Database {
  try {
    return new Database(path)
  } catch (cause) {
    throw Object.assign(new Error('The file cannot be opened', { cause }), { code: 'SQLITE_CANTOPEN', rawCode: 14 })
  }
}

function openCursor(database: Database.Database, statement: Database.Statement, columns: readonly string[], values: readonly unknown[]): Cursor {
  const iterator = statement.iterate(values) as unknown as LibsqlIterator
  let isDone = false

  /** The next rows, as many as asked for unless there are no more. */
  function take(count: number): unknown[][] {
    iterator.nextRows = Array.from<unknown>({ length: count })
    iterator.nextRowIndex = LIBSQL_ROWS_AHEAD
    const rows: unknown[][] = []
    while (rows.length < count) {
      const next = iterator.next()
      if (next.done === true) {
        isDone = true
        break
      }
      rows.push(next.value as unknown[])
    }
    return rows
  }

  return {
    pull(wanted) {
      const until = performance.now() + MAXIMUM_BATCH_MS
      const rows: unknown[][] = []
      let bytes = 0
      while (!isDone && rows.length < wanted && bytes < MAXIMUM_BATCH_BYTES && (rows.length === 0 || performance.now() < until)) {
        // One at a time first: each may take long.
        for (const row of take(Math.min(rows.length === 0 ? 1 : 16, wanted - rows.length))) {
          rows.push(row)
          for (const value of row) bytes += typeof value === 'string' ? value.length : 8
        }
      }
      return { columns, rows, changes: 0, isDone }
    },
    end() {
      if (isDone) return
      isDone = true
      // libsql closes a statement when its garbage is collected. An interrupted one ends with its next step.
      ;(database as Database.Database & { interrupt(): void }).interrupt()
      try {
        take(1)
      } catch {
        // SQLITE_INTERRUPT, as wanted.
      }
    },
  }
}
