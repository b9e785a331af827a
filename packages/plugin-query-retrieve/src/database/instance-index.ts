import type { Compilable, Kysely } from 'kysely'
import type { IndexedInstance } from '../model/instance.ts'
import type { IndexSchema } from './schema.ts'

export type DatabaseKind = 'sqlite' | 'postgres'

/** What was removed, counted. */
export interface Removed {
  readonly instances: number
  readonly series: number
  readonly studies: number
  readonly patients: number
}

/** The index of what is stored, in one of the databases. All of it may reject with DICOMTAP_ERR_QR_DATABASE. */
export interface InstanceIndex {
  readonly kind: DatabaseKind
  /** For queries that are made elsewhere; `kind` where the databases differ. */
  readonly database: Kysely<IndexSchema>
  /** Connects, and brings the tables to this version. @throws DICOMTAP_ERR_QR_DATABASE when that cannot be done */
  start(): Promise<void>
  /**
   * Adds an instance, or takes its row over: the same SOP instance in the same series, or the same path, is
   * replaced. What was added at the same time goes into one transaction. Resolves when it is committed.
   */
  add(instance: IndexedInstance): Promise<void>
  /** Forgets files, and the series, studies and patients that have nothing left. */
  remove(paths: readonly string[]): Promise<Removed>
  /**
   * The rows of a query, drawn from the database's cursor as they are needed. Ending the loop early, or
   * aborting, closes the cursor.
   */
  rows<Row>(query: Compilable<Row>, signal?: AbortSignal): AsyncIterable<Row>
  /** False while the database does not answer: it is tried again with longer and longer pauses. */
  readonly isReady: boolean
  close(): Promise<void>
}
