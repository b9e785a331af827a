import { CursorSlots } from '../cursor-slots.ts'
import { Turnstile } from './turnstile.ts'
import { SqliteWorker } from './worker-client.ts'
import type { ArrivedHead, HeadOutcome, QueryWork } from '../instance-index.ts'
import { unlessAborted } from '../unless-aborted.ts'
import type { WorkerOptions, WorkerRows } from './messages.ts'

/** Each has a thread: a step of a scan cannot be interrupted, and a lookup need not wait for it. */
const READERS: readonly QueryWork[] = ['lookup', 'scan']
const MAXIMUM_CURSORS = 64
const BATCH_ROWS = [16, 64, 256, 1024] as const
/** How long a statement that runs may hold up the end. */
const CLOSE_DEADLINE_MS = 15_000

interface Reader {
  readonly worker: SqliteWorker
  /** What a thread has begun cannot be called off: queries wait for their turn here, where they can. */
  readonly openings: Turnstile
}

/** The threads of one database file: one that writes, in turn, one that looks rows up, and one that scans. */
export class SqliteThreads {
  readonly #writer: SqliteWorker
  readonly #readers: Readonly<Record<QueryWork, Reader>>
  /** Resolves when the one before has given the writer back. */
  #turn: Promise<void> = Promise.resolve()
  readonly #slots = new CursorSlots({ maximum: MAXIMUM_CURSORS })

  constructor(options: Omit<WorkerOptions, 'role'>) {
    this.#writer = new SqliteWorker({ ...options, role: 'writer' })
    const reader = (): Reader => ({ worker: new SqliteWorker({ ...options, role: 'reader' }), openings: new Turnstile(1) })
    this.#readers = { lookup: reader(), scan: reader() }
  }

  /** A statement of a transaction that was begun. */
  run(sql: string, parameters: readonly unknown[]): Promise<WorkerRows> {
    return this.#writer.request({ type: 'run', sql, parameters })
  }

  /** A statement that is its own transaction. */
  async write(sql: string, parameters: readonly unknown[]): Promise<WorkerRows> {
    const release = await this.#takeWriter()
    try {
      return await this.#writer.request({ type: 'write', sql, parameters })
    } finally {
      release()
    }
  }

  /** What is returned lets the next one write. It is called when the transaction was ended, or not. */
  async begin(): Promise<() => void> {
    const release = await this.#takeWriter()
    await this.#writer.request({ type: 'begin' }).catch((error: unknown) => {
      release()
      throw error
    })
    return release
  }

  async end(how: 'commit' | 'rollback'): Promise<void> {
    await this.#writer.request({ type: how })
  }

  /** See `HeadIndex.addHeads`. */
  async addHeads(heads: readonly ArrivedHead[]): Promise<readonly HeadOutcome[]> {
    const release = await this.#takeWriter()
    try {
      const { rows } = await this.#writer.request({ type: 'heads', heads })
      return rows.map(([outcome]) => outcome as HeadOutcome)
    } finally {
      release()
    }
  }

  read(sql: string, parameters: readonly unknown[]): Promise<WorkerRows> {
    return this.#readers.lookup.worker.request({ type: 'run', sql, parameters })
  }

  /** Rows as they are drawn: the first at once, then more at a time. */
  async *stream(sql: string, parameters: readonly unknown[], signal: AbortSignal | undefined, work: QueryWork): AsyncGenerator<WorkerRows> {
    const { worker, openings } = this.#readers[work]
    let endCursor = (): Promise<void> => Promise.resolve()
    const slot = await this.#slots.take(() => endCursor(), signal)
    const leave = await openings.enter(signal).catch((error: unknown) => {
      slot.release()
      throw error
    })
    const { id: cursor, result } = worker.send({ type: 'open', sql, parameters })
    result.then(leave, leave)
    let isDone = false
    let ending: Promise<void> | undefined
    endCursor = () =>
      (ending ??= (isDone ? Promise.resolve() : worker.request({ type: 'end', cursor })).then(
        () => undefined,
        () => undefined,
      ).finally(() => slot.release()))
    try {
      let batch = await slot.busy(() => unlessAborted(result, signal))
      for (let size = 0; ; size++) {
        isDone = batch.isDone
        // The thread has closed it: how fast these rows are read is nobody else's concern.
        if (isDone) await endCursor()
        yield batch
        if (isDone) return
        signal?.throwIfAborted()
        const rows = BATCH_ROWS[Math.min(size, BATCH_ROWS.length - 1)] as number
        batch = await slot.busy(() => unlessAborted(worker.request({ type: 'pull', cursor, rows }), signal))
      }
    } finally {
      const ended = endCursor()
      // Whoever aborts has no time: a thread in the midst of a long statement ends the cursor after it.
      if (signal?.aborted !== true) await ended
    }
  }

  /** Waits for the writer's other users. What is returned gives it back. */
  async #takeWriter(): Promise<() => void> {
    const before = this.#turn
    let release = (): void => {}
    this.#turn = new Promise((resolve) => (release = resolve))
    await before
    return release
  }

  async close(): Promise<void> {
    // The writer last: what others read keeps it from emptying the log.
    await Promise.all(READERS.map((work) => this.#readers[work].worker.close(CLOSE_DEADLINE_MS)))
    await this.#writer.close(CLOSE_DEADLINE_MS)
  }
}

/** Rows as objects. */
export function rowObjects<Row>({ columns, rows }: WorkerRows): Row[] {
  return rows.map((values) => {
    const row: Record<string, unknown> = {}
    for (let index = 0; index < columns.length; index++) row[columns[index] as string] = values[index]
    return row as Row
  })
}
