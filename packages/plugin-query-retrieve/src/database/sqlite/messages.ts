/**
 * What is done about instances that have arrived and are not in `instance` (see `arrivals.ts`): nothing, or, by who
 * only reads, answer {@link WorkerRows.isBehind} instead.
 */
export type OnArrivals = 'ignore' | 'say so'

/** What goes to a worker. Each is answered by one {@link WorkerAnswer} with its `id`. */
export type WorkerRequest =
  | { readonly id: number; readonly type: 'run'; readonly sql: string; readonly parameters: readonly unknown[]; readonly onArrivals: OnArrivals }
  /** A cursor called `id`, and its first row. */
  | { readonly id: number; readonly type: 'open'; readonly sql: string; readonly parameters: readonly unknown[]; readonly onArrivals: OnArrivals }
  /** Takes in what has arrived, and leaves the transaction open. */
  | { readonly id: number; readonly type: 'begin' }
  | { readonly id: number; readonly type: 'commit' | 'rollback' }
  /** The same, and a statement, as a transaction. */
  | { readonly id: number; readonly type: 'write'; readonly sql: string; readonly parameters: readonly unknown[] }
  | { readonly id: number; readonly type: 'settle' }
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
  /** Nothing was done: something has arrived that must be taken in first, the file of this path before all others. */
  readonly isBehind?: string
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
  /** `at once`: on the thread of the service. */
  readonly role: 'writer' | 'at once' | 'reader'
  readonly busyTimeoutMs: number
}
