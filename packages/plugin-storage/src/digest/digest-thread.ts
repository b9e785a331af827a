import { Worker } from 'node:worker_threads'
import type { Received } from './read-back.ts'

/** What the thread is told: how much of a file is there, that this is all, or that nobody wants to know any more. */
export type DigestTask =
  | { readonly kind: 'advance'; readonly id: number; readonly descriptor: number; readonly toBytes: number }
  | { readonly kind: 'end'; readonly id: number; readonly descriptor: number; readonly received: Received }
  | { readonly kind: 'abandon'; readonly id: number }

/** What it tells. */
export type DigestMessage =
  | { readonly kind: 'ready' }
  | { readonly kind: 'answer'; readonly id: number; readonly sha256?: string; readonly failure?: DigestFailure }

export interface DigestFailure {
  readonly code: string
  readonly syscall: string
  readonly message: string
}

interface Waiting {
  readonly resolve: (sha256: string | undefined) => void
  readonly reject: (error: Error) => void
}

const ADVANCE_BYTES = 4 * 1024 * 1024

/**
 * Computes SHA-256 of files beside the event loop: that of 512 KiB takes 0.3 ms, a third of all that the loop does for
 * such an object. The thread reads back what was written, from the page cache; hence only for local disks.
 *
 * It starts with the first `begin`. While there is none, and when it has ended, callers have to do it themselves.
 */
export class DigestThread {
  readonly #onFailure: (error: unknown) => void
  #worker: Worker | undefined
  #isReady = false
  #isOver = false
  #ids = 0
  readonly #waiting = new Map<number, Waiting>()

  /** @param onFailure told once when the thread cannot be had, or has ended by itself */
  constructor(onFailure: (error: unknown) => void) {
    this.#onFailure = onFailure
  }

  /** The digest of one file; undefined while there is no thread. */
  begin(): ThreadDigest | undefined {
    if (!this.#isReady) {
      this.#start()
      return undefined
    }
    this.#ids += 1
    return new ThreadDigest(this, this.#ids)
  }

  tell(task: DigestTask): void {
    this.#worker?.postMessage(task)
  }

  /** Undefined when the thread has ended. @throws what reading the file back threw, with its `code` */
  end(id: number, descriptor: number, received: Received): Promise<string | undefined> {
    const worker = this.#worker
    if (worker === undefined) return Promise.resolve(undefined)
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject })
      if (this.#waiting.size === 1) worker.ref()
      this.tell({ kind: 'end', id, descriptor, received })
    })
  }

  async stop(): Promise<void> {
    this.#isOver = true
    await this.#worker?.terminate()
  }

  #start(): void {
    if (this.#worker !== undefined || this.#isOver) return
    try {
      // What the environment has Node load into each thread is nothing for this one.
      const worker = new Worker(new URL('./digest-worker.js', import.meta.url), { execArgv: [], env: {}, name: 'dicomtap-digest' })
      let failure: unknown
      worker.on('message', (message: DigestMessage) => this.#told(message))
      worker.on('error', (error) => (failure = error))
      worker.once('exit', (code) => this.#ended(failure ?? new Error(`it ended with ${code}`)))
      worker.unref()
      this.#worker = worker
    } catch (error) {
      this.#ended(error)
    }
  }

  #told(message: DigestMessage): void {
    if (message.kind === 'ready') {
      this.#isReady = true
      return
    }
    const { id, sha256, failure } = message
    const waiting = this.#waiting.get(id)
    this.#waiting.delete(id)
    if (this.#waiting.size === 0) this.#worker?.unref()
    if (failure === undefined) waiting?.resolve(sha256)
    else waiting?.reject(Object.assign(new Error(failure.message), failure))
  }

  #ended(why: unknown): void {
    this.#worker = undefined
    this.#isReady = false
    const waiting = [...this.#waiting.values()]
    this.#waiting.clear()
    for (const { resolve } of waiting) resolve(undefined)
    if (this.#isOver) return
    // One that ended for a reason would end for it again.
    this.#isOver = true
    this.#onFailure(why)
  }
}

/** Of one file. */
export class ThreadDigest {
  readonly #thread: DigestThread
  readonly #id: number
  #toldBytes = 0

  constructor(thread: DigestThread, id: number) {
    this.#thread = thread
    this.#id = id
  }

  /** So much is in the file. The thread is told now and then, so that it reads what is in memory still. */
  advance(descriptor: number, toBytes: number): void {
    if (toBytes - this.#toldBytes < ADVANCE_BYTES) return
    this.#toldBytes = toBytes
    this.#thread.tell({ kind: 'advance', id: this.#id, descriptor, toBytes })
  }

  /** The file must stay open until this has come back. */
  end(descriptor: number, received: Received): Promise<string | undefined> {
    this.#toldBytes = 0
    return this.#thread.end(this.#id, descriptor, received)
  }

  abandon(): void {
    if (this.#toldBytes > 0) this.#thread.tell({ kind: 'abandon', id: this.#id })
    this.#toldBytes = 0
  }
}
