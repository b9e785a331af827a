import type { Kysely } from 'kysely'
import type { ArrivedHead, DatabaseKind, HeadOutcome, QueryWork } from './instance-index.ts'
import type { IndexSchema } from './schema.ts'

/**
 * What an error of a database means for whoever met it:
 * - `retry`: others were in the way (deadlock, serialization): the same transaction may succeed now
 * - `lost`: the connection broke or cannot be made: nothing works until it comes back
 * - `unwritable`: locked, full or read-only: nothing can be written until that changes
 * - `unusable`: a matter for the operator, that waiting does not change: damaged file, wrong password
 * - `statement`: this statement with these values
 */
export type Trouble = 'retry' | 'lost' | 'unwritable' | 'unusable' | 'statement'

/** What differs between the databases. */
export interface Backend {
  readonly kind: DatabaseKind
  /** For messages: the file, or host, port and database; without secrets. */
  readonly place: string
  readonly database: Kysely<IndexSchema>
  /** Makes ready to connect: folders, passwords. */
  prepare(): Promise<void>
  /** See `HeadIndex`; undefined where they are not understood. */
  readonly addHeads?: ((heads: readonly ArrivedHead[]) => Promise<readonly HeadOutcome[]>) | undefined
  /** A statement of its own that comes again and again: `name` stands for its text. */
  run<Row>(name: string, sql: string, parameters: readonly unknown[]): Promise<readonly Row[]>
  stream<Row>(sql: string, parameters: readonly unknown[], signal: AbortSignal | undefined, work: QueryWork): AsyncIterable<Row>
  troubleOf(error: unknown): Trouble
  /** What went wrong without any value of a row, and what to do. */
  explain(error: unknown): string
  /** Whether a start with this error goes on trying; otherwise somebody has to do something first. */
  isPassing(error: unknown): boolean
  /** After a statement that did not answer for long: nobody knows whether its connection still exists. */
  breakConnections(): void
  databaseBytes(): Promise<number>
  close(): Promise<void>
}
