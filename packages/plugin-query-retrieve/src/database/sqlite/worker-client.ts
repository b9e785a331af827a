import { Worker } from 'node:worker_threads'
import type { WorkerAnswer, WorkerFailure, WorkerOptions, WorkerRequest, WorkerRows } from './messages.ts'

/** Of the 48 that it would take a thread collects as fast, and keeps that much less memory. */
const YOUNG_GENERATION_MB = 8

/** An error of SQLite; `code` as SQLite names it. */
export class SqliteFailure extends Error {
  override readonly name: string = 'SqliteFailure'
  readonly code: string
  readonly number: number

  constructor({ message, code, number }: WorkerFailure) {
    super(message)
    this.code = code
    this.number = number
  }
}

type RequestBody = WorkerRequest extends infer Request ? (Request extends WorkerRequest ? Omit<Request, 'id'> : never) : never

/** A worker thread with SQLite. It is started by the first request, and again after it ended unexpectedly. */
export class SqliteWorker {
  readonly #options: WorkerOptions
  #worker: Worker | undefined
  #pending: Map<number, { resolve: (rows: WorkerRows) => void; reject: (error: Error) => void }> = new Map()
  #nextId = 1
  #isClosed = false

  constructor(options: WorkerOptions) {
    this.#options = options
  }

  request(body: RequestBody): Promise<WorkerRows> {
    return this.send(body).result
  }

  /** `id` names the cursor that an `open` makes. */
  send(body: RequestBody): { readonly id: number; readonly result: Promise<WorkerRows> } {
    const id = this.#nextId++
    if (this.#isClosed && body.type !== 'close') return { id, result: Promise.reject(ended('closed')) }
    const worker = (this.#worker ??= this.#start())
    // While there is nothing to wait for, the thread holds up no end of the process.
    if (this.#pending.size === 0) worker.ref()
    const result = new Promise<WorkerRows>((resolve, reject) => this.#pending.set(id, { resolve, reject }))
    worker.postMessage({ ...body, id } as WorkerRequest)
    return { id, result }
  }

  /** Waits for the statement that runs, but not for ever. A worker is never terminated: in the middle of a call that would abort the process. */
  async close(deadlineMs: number): Promise<void> {
    this.#isClosed = true
    const worker = this.#worker
    if (worker === undefined) return
    const exited = new Promise<void>((resolve) => worker.once('exit', () => resolve()))
    let timer: NodeJS.Timeout | undefined
    const deadline = new Promise<void>((resolve) => (timer = setTimeout(resolve, deadlineMs)))
    await Promise.race([Promise.all([this.request({ type: 'close' }).catch(() => undefined), exited]), deadline])
    clearTimeout(timer)
    worker.unref()
  }

  #start(): Worker {
    const resourceLimits = { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB }
    const worker = new Worker(new URL('./worker.js', import.meta.url), { workerData: this.#options, execArgv: [], resourceLimits, name: `dicomtap-index-${this.#options.role}` })
    worker.on('message', (answer: WorkerAnswer) => {
      const pending = this.#pending.get(answer.id)
      if (pending === undefined) return
      this.#pending.delete(answer.id)
      if (this.#pending.size === 0) worker.unref()
      if (answer.result !== undefined) pending.resolve(answer.result)
      else pending.reject(new SqliteFailure(answer.error as WorkerFailure))
    })
    const fail = (message: string): void => {
      if (this.#worker !== worker) return
      this.#worker = undefined
      const pending = [...this.#pending.values()]
      this.#pending.clear()
      for (const { reject } of pending) reject(ended(message))
    }
    worker.on('error', (error: unknown) => fail(error instanceof Error ? error.message : String(error)))
    worker.on('exit', () => fail('ended'))
    worker.unref()
    return worker
  }
}

function ended(reason: string): SqliteFailure {
  return new SqliteFailure({ message: `The thread of the database: ${reason}`, code: 'THREAD_ENDED', number: 0 })
}
