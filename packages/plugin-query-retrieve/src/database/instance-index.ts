import type { Compilable, Kysely } from 'kysely'
import type { FileHead } from '../model/head-describer.ts'
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

/** A file as the index knows it. */
export interface KnownFile {
  readonly sizeBytes: number
  readonly storedAtMs: number
}

/** What the index holds. */
export interface IndexCounts {
  readonly patients: number
  readonly studies: number
  readonly series: number
  readonly instances: number
  /** Of all files together. */
  readonly bytes: number
  /** Most instances first; `''` for series without a modality. */
  readonly byModality: readonly { readonly modality: string; readonly series: number; readonly instances: number; readonly bytes: number }[]
  /** What the database itself takes on its disk. */
  readonly databaseBytes: number
}

/**
 * What a query costs the database: `lookup`, the default, finds its rows by an index; `scan` looks at many for each
 * one that it gives, and must not keep the others waiting.
 */
export type QueryWork = 'lookup' | 'scan'

/** What is wanted of an index. */
export type IndexAccess = 'read' | 'write'

/** So many paths at most can be asked for at once. */
export const MAXIMUM_KNOWN_PATHS = 500

/** The beginning of a file that was stored a moment ago. */
export interface ArrivedHead extends FileHead {
  readonly arrivedAtMs: number
}

/** `added`; or what is in it, as that takes more than a thread does by itself; `unread`: its file has to be read. */
export type HeadOutcome = 'added' | 'unread' | IndexedInstance

/** A file that was stored a moment ago. */
export interface Arrival {
  readonly head: ArrivedHead
  /** Reads the file: what is in it; undefined where there is nothing to be known of it. What it rejects with may pass, and it is called again. */
  read(): Promise<IndexedInstance | undefined>
  /** The database does not take it, though it takes others. */
  refused(error: Error): void
}

/**
 * The index of what is stored, in one of the databases. All of it may reject with DICOMTAP_ERR_QR_DATABASE. Before
 * `start` is called, and after `close`, everything rejects.
 */
export interface InstanceIndex {
  readonly kind: DatabaseKind
  /** For queries that are made elsewhere; `kind` where the databases differ. */
  readonly database: Kysely<IndexSchema>
  /**
   * Connects, and brings the tables to this version. When the database does not answer, or is locked or full, it
   * resolves and goes on trying: see `isReady`.
   * @throws DICOMTAP_ERR_QR_DATABASE when somebody has to do something first: no file can be made, it is damaged, it is
   * newer than this program, PostgreSQL does not let this user in
   */
  start(): Promise<void>
  /**
   * Adds an instance, or takes its row over: the same SOP instance in the same series, or the same path, is
   * replaced. What was added at the same time goes into one transaction. Resolves when it is committed.
   */
  add(instance: IndexedInstance): Promise<void>
  /**
   * True: the index will have it, after a crash as well, and whoever asks waits until it does. False: nothing was done.
   * Not on every database, and not always. @param arrive is called when there is time for it; undefined: there is too little to go by
   */
  addSoon?(arrive: () => Arrival | undefined): boolean
  /** Forgets files, and the series, studies and patients that have nothing left. */
  remove(paths: readonly string[]): Promise<Removed>
  /**
   * The rows of a query, drawn from the database's cursor as they are needed. Ending the loop early, or
   * aborting, closes the cursor; aborting rejects with the reason of the signal.
   */
  rows<Row>(query: Compilable<Row>, signal?: AbortSignal, work?: QueryWork): AsyncIterable<Row>
  /** Which of these paths have a row. Up to {@link MAXIMUM_KNOWN_PATHS} at once. */
  knownPaths(paths: readonly string[]): Promise<ReadonlyMap<string, KnownFile>>
  /** All files in the order of their paths (by code point), from the first one after `after`. Not one snapshot: it goes on where it was. */
  paths(after?: string, signal?: AbortSignal): AsyncIterable<KnownFile & { readonly path: string }>
  /** Computes size and last time of all studies from their instances: a time of a study never goes back by itself. */
  recomputeStudies(signal?: AbortSignal): Promise<void>
  /** What the index remembers of itself. */
  setting(name: string): Promise<string | undefined>
  /** `undefined` forgets it. */
  setSetting(name: string, value: string | undefined): Promise<void>
  counts(): Promise<IndexCounts>
  /** False while the database does not answer: it is tried again with longer and longer pauses. */
  readonly isReady: boolean
  /** Writes what was added, then ends everything. What comes later rejects. */
  close(): Promise<void>
}

/** One that understands beginnings of files. */
export interface HeadIndex extends InstanceIndex {
  /** Adds those of which the beginning says enough, as far as that is a matter of one statement; resolves when it is committed. */
  addHeads(heads: readonly ArrivedHead[]): Promise<readonly HeadOutcome[]>
}
