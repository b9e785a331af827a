import type { ResolvedQueryRetrieveOptions } from '../../options.ts'
import type { ArrivedHead } from '../instance-index.ts'

/** What goes to a worker. Each is answered by one {@link WorkerAnswer} with its `id`. */
export type WorkerRequest =
  | { readonly id: number; readonly type: 'run'; readonly sql: string; readonly parameters: readonly unknown[] }
  /** A cursor called `id`, and its first row. */
  | { readonly id: number; readonly type: 'open'; readonly sql: string; readonly parameters: readonly unknown[] }
  /** The transaction stays open. */
  | { readonly id: number; readonly type: 'begin' }
  | { readonly id: number; readonly type: 'commit' | 'rollback' }
  /** A statement that is its own transaction. */
  | { readonly id: number; readonly type: 'write'; readonly sql: string; readonly parameters: readonly unknown[] }
  /** Adds those of which the beginning says enough. The row of each is its {@link HeadOutcome}. */
  | { readonly id: number; readonly type: 'heads'; readonly heads: readonly ArrivedHead[] }
  | { readonly id: number; readonly type: 'pull'; readonly cursor: number; readonly rows: number }
  | { readonly id: number; readonly type: 'end'; readonly cursor: number }
  | { readonly id: number; readonly type: 'close' }

export interface WorkerRows {
  /** Empty for statements that return nothing. */
  readonly columns: readonly string[]
  readonly rows: readonly (readonly unknown[])[]
  readonly changes: number
  /** Of a cursor: nothing comes after these rows, and it is closed. */
  readonly isDone: boolean
}

export const NOTHING: WorkerRows = { columns: [], rows: [], changes: 0, isDone: true }

export interface WorkerAnswer {
  readonly id: number
  readonly result?: WorkerRows
  readonly error?: WorkerFailure
}

/** `code` as SQLite names it, e.g. `SQLITE_BUSY`. */
export interface WorkerFailure {
  readonly message: string
  readonly code: string
  /** The extended result code. */
  readonly number: number
}

export interface WorkerOptions {
  readonly path: string
  readonly role: 'writer' | 'reader'
  readonly busyTimeoutMs: number
  /** What the writer needs to know of files to understand their beginnings. */
  readonly folder?: StorageFolder | undefined
}

/** The storage folder, and which attributes of what is in it are kept. */
export interface StorageFolder {
  readonly root: string
  readonly attributes: ResolvedQueryRetrieveOptions['attributes']
}
