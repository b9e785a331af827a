import { CompiledQuery, Kysely } from 'kysely'
import { mkdir, open, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Backend, Trouble } from '../backend.ts'
import type { QueryWork } from '../instance-index.ts'
import type { IndexSchema } from '../schema.ts'
import { sqliteDialect } from './dialect.ts'
import type { StorageFolder } from './messages.ts'
import { rowObjects, SqliteThreads } from './threads.ts'

/** How long a statement waits for a lock that another process holds. */
const BUSY_TIMEOUT_MS = 10_000

const TROUBLE: Readonly<Record<string, Trouble>> = {
  SQLITE_BUSY: 'unwritable',
  SQLITE_LOCKED: 'unwritable',
  SQLITE_FULL: 'unwritable',
  SQLITE_READONLY: 'unwritable',
  SQLITE_IOERR: 'lost',
  SQLITE_NOMEM: 'unwritable',
  SQLITE_CANTOPEN: 'unusable',
  SQLITE_CORRUPT: 'unusable',
  SQLITE_NOTADB: 'unusable',
  SQLITE_PERM: 'unusable',
  SQLITE_AUTH: 'unusable',
  THREAD_ENDED: 'lost',
}

const EXPLANATIONS: Readonly<Record<string, string>> = {
  SQLITE_BUSY: 'it is locked by another program; end that program, or wait for it',
  SQLITE_LOCKED: 'it is locked',
  SQLITE_FULL: 'the disk is full; make room',
  SQLITE_READONLY: 'it cannot be written; give the user that runs dicomtap the right to write the file and its folder',
  SQLITE_IOERR: 'the disk fails or is full; make room, or look into the log of the system',
  SQLITE_CANTOPEN: 'it cannot be opened; give the user that runs dicomtap the right to read and write the file and its folder',
  SQLITE_CORRUPT: 'it is damaged; move it away and run dicomtap index rebuild',
  SQLITE_NOTADB: 'it is no SQLite database; name another file in database.sqlite, or move it away and run dicomtap index rebuild',
  SQLITE_NOMEM: 'there is no memory left',
}

const BELOW_A_FILE = 'what stands above it is a file and no folder; name another place in database.sqlite'

/** Of what is done before SQLite has the file. */
const SYSTEM_EXPLANATIONS: Readonly<Record<string, string>> = {
  EISDIR: 'it is a folder; name a file in database.sqlite, as index.sqlite in that folder',
  ENOTDIR: BELOW_A_FILE,
  // Of mkdir, when the folder that is to be made is a file.
  EEXIST: BELOW_A_FILE,
  ENOSPC: 'the disk is full; make room',
  EROFS: 'the file system is read-only; name another place in database.sqlite',
}

export interface SqliteOptions {
  readonly busyTimeoutMs?: number | undefined
  /** Undefined: beginnings of files are not understood. */
  readonly folder?: StorageFolder | undefined
}

/** The index in a file. */
export function sqliteBackend(path: string, { busyTimeoutMs = BUSY_TIMEOUT_MS, folder }: SqliteOptions = {}): Backend {
  const threads = new SqliteThreads({ path, busyTimeoutMs, folder })
  const database = new Kysely<IndexSchema>({ dialect: sqliteDialect(threads) })
  return {
    kind: 'sqlite',
    place: path,
    database,
    async prepare() {
      await mkdir(dirname(path), { recursive: true, mode: 0o750 })
      // Patients are in it: not for everybody to read. The files beside it get the same mode. One that is there is not
      // opened: to close it again would take the locks of this process from it (fcntl(2)), and SQLite in another one
      // would take the file for unused.
      const file = await open(path, 'wx', 0o640).catch((error: unknown) => {
        if (isSystemError(error) && error.code === 'EEXIST') return undefined
        throw error
      })
      // SQLite would say only that it cannot be opened.
      if (file === undefined && (await stat(path).catch(() => undefined))?.isDirectory() === true) throw Object.assign(new Error('It is a folder'), { code: 'EISDIR', syscall: 'open' })
      await file?.close()
    },
    addHeads: folder && ((heads) => threads.addHeads(heads)),
    async run<Row>(_name: string, sql: string, parameters: readonly unknown[]): Promise<readonly Row[]> {
      const { rows } = await database.executeQuery<Row>(CompiledQuery.raw(sql, [...parameters]))
      return rows
    },
    async *stream<Row>(sql: string, parameters: readonly unknown[], signal: AbortSignal | undefined, work: QueryWork): AsyncGenerator<Row> {
      for await (const batch of threads.stream(sql, parameters, signal, work)) yield* rowObjects<Row>(batch)
    },
    troubleOf: (error) => (isSystemError(error) ? 'unusable' : (TROUBLE[primaryCode(error)] ?? 'statement')),
    isPassing: (error) => !isSystemError(error) && primaryCode(error) !== 'SQLITE_READONLY' && ['lost', 'unwritable'].includes(TROUBLE[primaryCode(error)] ?? 'statement'),
    // A thread cannot be ended in the midst of a statement; each waits for locks for a limited time.
    breakConnections: () => undefined,
    explain(error) {
      if (isSystemError(error)) return SYSTEM_EXPLANATIONS[error.code] ?? `${error.syscall} failed with ${error.code}; give the user that runs dicomtap the right to write there`
      const code = primaryCode(error)
      const explanation = EXPLANATIONS[code]
      return explanation === undefined ? code : `${explanation} (${code})`
    },
    async databaseBytes() {
      const sizes = await Promise.all(['', '-wal', '-shm'].map((end) => stat(path + end).then(({ size }) => size, () => 0)))
      return sizes.reduce((sum, size) => sum + size, 0)
    },
    close: () => threads.close(),
  }
}

function isSystemError(error: unknown): error is NodeJS.ErrnoException & { code: string; syscall: string } {
  const { code, syscall } = (error ?? {}) as NodeJS.ErrnoException
  return typeof code === 'string' && typeof syscall === 'string'
}

/** `SQLITE_IOERR_WRITE` is a `SQLITE_IOERR`. */
function primaryCode(error: unknown): string {
  const { code: given } = (error ?? {}) as { code?: unknown }
  const code = typeof given === 'string' && given !== '' ? given : 'ERROR'
  return /^SQLITE_[A-Z]+/.exec(code)?.[0] ?? code
}
