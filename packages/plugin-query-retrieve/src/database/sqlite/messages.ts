/** What goes to a worker. Each is answered by one {@link WorkerAnswer} with its `id`. */
export type WorkerRequest =
  | { readonly id: number; readonly type: 'run'; readonly sql: string; readonly parameters: readonly unknown[] }
  /** A cursor called `id`, and its first row. */
  | { readonly id: number; readonly type: 'open'; readonly sql: string; readonly parameters: readonly unknown[] }
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
}
