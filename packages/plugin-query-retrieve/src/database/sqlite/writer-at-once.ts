import { isLocalFileSystemType, StallWatch } from '@dicomtap/framework'
import type Database from 'libsql'
import { statfs } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { RepeatedStatement } from '../backend.ts'
import { bindable } from './bindable.ts'

const PRAGMAS = ['busy_timeout = 0', 'synchronous = NORMAL', 'foreign_keys = ON', 'cache_size = -16384', 'wal_autocheckpoint = 0']

/** About what a row dirties in the log, besides its own length. */
const BYTES_OF_ROW = 24_576
/** Of the log, before it is written into the file: about as much as the thread lets it grow. */
const CHECKPOINT_BYTES = 16_777_216
/** After a statement that could not be made at once: whoever was in the way has its time. */
const PAUSE_MS = 10

type Watch = Pick<StallWatch, 'isQuick' | 'report'>

/** For tests. */
export interface AtOnceOptions {
  readonly watch?: Watch
  readonly checkpointBytes?: number
}

/**
 * Writes on the thread of the service: the way to another one takes several times as long as a row does that
 * goes into the page cache. It never waits: where the file is not on a disk of this machine, while that disk is slow,
 * while others write, and for whatever goes wrong the answer is undefined, and the thread has to do it.
 */
export class WriterAtOnce {
  readonly #path: string
  readonly #checkpoint: (hold: (isHeld: boolean) => void) => Promise<void>
  readonly #watch: Watch
  readonly #checkpointBytes: number
  readonly #statements = new Map<string, Database.Statement>()
  #database: Database.Database | undefined
  #logBytes = 0
  #checkpointing: Promise<void> | undefined
  #notBeforeMs = 0
  #isHeld = false
  #isClosed = false

  /** @param checkpoint moves the log into the file, in a thread; while it calls for it, nothing is written here */
  constructor(path: string, checkpoint: (hold: (isHeld: boolean) => void) => Promise<void>, { watch = new StallWatch(), checkpointBytes = CHECKPOINT_BYTES }: AtOnceOptions = {}) {
    this.#path = path
    this.#checkpoint = checkpoint
    this.#watch = watch
    this.#checkpointBytes = checkpointBytes
  }

  /** When the file is there and has its tables. What goes wrong leaves the work to the thread. */
  async open(): Promise<void> {
    await this.#open().catch(() => undefined)
  }

  /** How many rows each set of parameters changed; undefined: nothing was done. */
  write({ sql, parameters }: RepeatedStatement): readonly number[] | undefined {
    const database = this.#database
    const startMs = performance.now()
    if (database === undefined || this.#isHeld || startMs < this.#notBeforeMs || !this.#watch.isQuick(startMs)) return undefined
    try {
      const statement = this.#statement(database, sql)
      if (parameters.length === 1) return [this.#run(statement, parameters[0] as readonly unknown[])]
      database.exec('begin immediate')
      try {
        const changes = parameters.map((values) => this.#run(statement, values))
        database.exec('commit')
        return changes
      } catch (error) {
        // SQLite may have done it by itself.
        if (database.inTransaction) database.exec('rollback')
        throw error
      }
    } catch (error) {
      if (!isOfTheRow(error)) this.#notBeforeMs = startMs + PAUSE_MS
      // What is written inside a transaction that stays open would be told as stored, and is not.
      if (database.inTransaction) this.close()
      return undefined
    } finally {
      this.#watch.report(startMs, performance.now())
      if (this.#logBytes > this.#checkpointBytes) this.#startCheckpoint()
    }
  }

  /** The thread does it all from here on. A checkpoint that runs is its matter, for it does not wait for a disk that hangs. */
  close(): void {
    this.#isClosed = true
    const database = this.#database
    this.#database = undefined
    this.#statements.clear()
    database?.close()
  }

  async #open(): Promise<void> {
    if (this.#database !== undefined || !isLocalFileSystemType((await statfs(dirname(this.#path))).type)) return
    const { default: LibsqlDatabase } = await import('libsql')
    if (this.#isClosed || this.#database !== undefined) return
    const database = new LibsqlDatabase(this.#path)
    for (const pragma of PRAGMAS) database.prepare(`PRAGMA ${pragma}`).all([])
    this.#database = database
  }

  #statement(database: Database.Database, sql: string): Database.Statement {
    let statement = this.#statements.get(sql)
    if (statement === undefined) this.#statements.set(sql, (statement = database.prepare(sql)))
    return statement
  }

  #run(statement: Database.Statement, values: readonly unknown[]): number {
    this.#logBytes += BYTES_OF_ROW
    const bound = values.map(bindable)
    for (const value of bound) if (typeof value === 'string') this.#logBytes += value.length
    return statement.run(bound).changes
  }

  #startCheckpoint(): void {
    if (this.#checkpointing !== undefined) return
    this.#logBytes = 0
    // A failure shows in what the thread does next.
    this.#checkpointing = this.#checkpoint((isHeld) => (this.#isHeld = isHeld))
      .catch(() => undefined)
      .finally(() => {
        this.#isHeld = false
        this.#checkpointing = undefined
      })
  }
}

function isOfTheRow(error: unknown): boolean {
  return String((error as { code?: unknown }).code).startsWith('SQLITE_CONSTRAINT')
}
