import { setTimeout as delay } from 'node:timers/promises'
import { CursorSlots } from '../cursor-slots.ts'
import { Turnstile } from './turnstile.ts'
import { SqliteWorker } from './worker-client.ts'
import type { QueryWork } from '../instance-index.ts'
import { NOTHING, type OnArrivals, type WorkerOptions, type WorkerRows } from './messages.ts'

/** Each has a thread: a step of a scan cannot be interrupted, and a lookup need not wait for it. */
const READERS: readonly QueryWork[] = ['lookup', 'scan']
const MAXIMUM_CURSORS = 64
const BATCH_ROWS = [16, 64, 256, 1024] as const
/** How long a statement that runs may hold up the end. */
const CLOSE_DEADLINE_MS = 15_000
/** So long others may take with what this process may not write. */
const OTHERS_MS = 1000

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
  /** Statements that may hold the lock of the file. */
  #writing = 0
  #settling: Promise<void> | undefined
  /** One that has not begun: whoever comes meanwhile is served by it, too. */
  #nextSettling: Promise<void> | undefined
  readonly #slots = new CursorSlots({ maximum: MAXIMUM_CURSORS })

  constructor(options: Omit<WorkerOptions, 'role'>) {
    this.#writer = new SqliteWorker({ ...options, role: 'writer' })
    const reader = (): Reader => ({ worker: new SqliteWorker({ ...options, role: 'reader' }), openings: new Turnstile(1) })
    this.#readers = { lookup: reader(), scan: reader() }
  }

  /** Whether a thread may be in the way of who writes at once. */
  get isWriting(): boolean {
    return this.#writing > 0
  }

  /** A statement of a transaction that was begun. */
  run(sql: string, parameters: readonly unknown[]): Promise<WorkerRows> {
    return this.#writer.request({ type: 'run', sql, parameters, onArrivals: 'ignore' })
  }

  /** A statement that is its own transaction. */
  async write(sql: string, parameters: readonly unknown[]): Promise<WorkerRows> {
    const release = await this.#takeWriter()
    try {
      return await this.#locking(() => this.#writer.request({ type: 'write', sql, parameters }))
    } finally {
      release()
    }
  }

  /** What is returned lets the next one write. It is called when the transaction was ended, or not. */
  async begin(): Promise<() => void> {
    const release = await this.#takeWriter()
    this.#writing++
    const leave = (): void => {
      this.#writing--
      release()
    }
    await this.#writer.request({ type: 'begin' }).catch((error: unknown) => {
      leave()
      throw error
    })
    return leave
  }

  async end(how: 'commit' | 'rollback'): Promise<void> {
    await this.#writer.request({ type: how })
  }

  /** Takes in what has arrived so far, of all processes. */
  settle(): Promise<void> {
    return (this.#nextSettling ??= this.#settle())
  }

  /**
   * Moves the log into the file, most of it while others write, in the thread of scans, which can wait; the rest while
   * they may not: only then is the next one to write, here, able to begin the log anew, which waits for the disk.
   */
  async checkpoint(): Promise<void> {
    await this.#readers.scan.worker.request({ type: 'run', sql: 'pragma wal_checkpoint(passive)', parameters: [], onArrivals: 'ignore' })
    const release = await this.#takeWriter()
    try {
      await this.#locking(async () => {
        await this.run('pragma wal_checkpoint(passive)', [])
        await this.#writer.request({ type: 'write', sql: "update setting set value = value where name = 'lastContact'", parameters: [] })
      })
    } finally {
      release()
    }
  }

  read(sql: string, parameters: readonly unknown[]): Promise<WorkerRows> {
    return this.#upToDate((onArrivals) => this.#readers.lookup.worker.request({ type: 'run', sql, parameters, onArrivals }))
  }

  /** Rows as they are drawn: the first at once, then more at a time. */
  async *stream(sql: string, parameters: readonly unknown[], signal: AbortSignal | undefined, work: QueryWork): AsyncGenerator<WorkerRows> {
    const { worker, openings } = this.#readers[work]
    let endCursor = (): Promise<void> => Promise.resolve()
    const slot = await this.#slots.take(() => endCursor(), signal)
    let isDone = false
    let ending: Promise<void> | undefined
    let cursor = 0
    const open = async (onArrivals: OnArrivals): Promise<WorkerRows> => {
      const leave = await openings.enter(signal)
      if (ending !== undefined) {
        leave()
        return NOTHING
      }
      const { id, result } = worker.send({ type: 'open', sql, parameters, onArrivals })
      cursor = id
      return result.finally(leave)
    }
    const opened = this.#upToDate(open)
    opened.catch(() => undefined) // a slot that was ended meanwhile does not look at it
    endCursor = () =>
      (ending ??= (isDone ? Promise.resolve() : worker.request({ type: 'end', cursor })).then(
        () => undefined,
        () => undefined,
      ).finally(() => slot.release()))
    try {
      let batch = await slot.busy(() => unlessAborted(opened, signal))
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

  /** What is to be read is: everything that was acknowledged before, whoever wrote it. `ask` is asked again after that was seen to. */
  async #upToDate(ask: (onArrivals: OnArrivals) => Promise<WorkerRows>): Promise<WorkerRows> {
    const rows = await ask('say so')
    if (rows.isBehind === undefined) return rows
    await this.settle().catch((error: unknown) => this.#settledByOthers(rows.isBehind, error))
    return ask('ignore')
  }

  /** Who may read the file and not write it: a server that stores takes in what arrived, all of it, after a moment. */
  async #settledByOthers(first: string | undefined, error: unknown): Promise<void> {
    if (!String((error as { code?: unknown }).code).startsWith('SQLITE_READONLY')) throw error
    for (const untilMs = performance.now() + OTHERS_MS; performance.now() < untilMs; await delay(OTHERS_MS / 20)) {
      const { isBehind } = await this.#readers.lookup.worker.request({ type: 'run', sql: 'select 1', parameters: [], onArrivals: 'say so' })
      // All are taken in together.
      if (isBehind !== first) return
    }
    throw error
  }

  async #settle(): Promise<void> {
    let release = (): void => {}
    try {
      // Those who came while one went on that failed, for a lock that was waited for in vain, do not wait as long again.
      await this.#settling
      release = await this.#takeWriter()
    } finally {
      this.#nextSettling = undefined
    }
    this.#settling = this.#locking(async () => {
      await this.#writer.request({ type: 'settle' })
    })
    try {
      await this.#settling
    } finally {
      this.#settling = undefined
      release()
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

  async #locking<T>(work: () => Promise<T>): Promise<T> {
    this.#writing++
    try {
      return await work()
    } finally {
      this.#writing--
    }
  }

  async close(): Promise<void> {
    // The writer last: what others read keeps it from emptying the log.
    await Promise.all(READERS.map((work) => this.#readers[work].worker.close(CLOSE_DEADLINE_MS)))
    await this.#writer.close(CLOSE_DEADLINE_MS)
  }
}

/** Rejects with the reason of the signal as soon as it is aborted. */
export function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason as Error)
    if (signal.aborted) {
      promise.catch(() => undefined)
      abort()
      return
    }
    signal.addEventListener('abort', abort, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}

/** Rows as objects. */
export function rowObjects<Row>({ columns, rows }: WorkerRows): Row[] {
  return rows.map((values) => {
    const row: Record<string, unknown> = {}
    for (let index = 0; index < columns.length; index++) row[columns[index] as string] = values[index]
    return row as Row
  })
}
