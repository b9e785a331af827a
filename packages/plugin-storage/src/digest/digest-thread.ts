import { SHARE_ENV, Worker } from 'node:worker_threads'

/** What the thread is told: how much of a file is there, that this is all, or that nobody wants to know any more. */
export type DigestTask =
  | { readonly kind: 'advance' | 'end'; readonly id: number; readonly descriptor: number; readonly toBytes: number }
  | { readonly kind: 'abandon'; readonly id: number }

export type DigestAnswer = { readonly id: number; readonly sha256: string } | { readonly id: number; readonly error: DigestFailure }

export interface DigestFailure {
  readonly code: string
  readonly syscall: string
  readonly message: string
}

interface Waiting {
  readonly resolve: (sha256: string) => void
  readonly reject: (error: Error) => void
}

const ADVANCE_BYTES = 4 * 1024 * 1024
/** It takes a buffer of its own, and a few numbers for each file. */
const RESOURCE_LIMITS = { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 1 }

/**
 * Computes SHA-256 of files beside the event loop: that of 512 KiB takes 0.3 ms, a third of all that the loop does for
 * such an object. The thread reads back what was written, from the page cache; hence only for local disks.
 *
 * It starts with the first `begin`, and while there is none, callers have to do it themselves.
 */
export class DigestThread {
  #worker: Worker | undefined
  #isReady = false
  #isStopped = false
  #ids = 0
  readonly #waiting = new Map<number, Waiting>()

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

  /** @throws what reading the file back threw, or that the thread ended; both with a `code`. */
  end(id: number, descriptor: number, toBytes: number): Promise<string> {
    return new Promise((resolve, reject) => {
      if (this.#worker === undefined) {
        reject(threadEnded())
        return
      }
      this.#waiting.set(id, { resolve, reject })
      if (this.#waiting.size === 1) this.#worker.ref()
      this.#worker.postMessage({ kind: 'end', id, descriptor, toBytes } satisfies DigestTask)
    })
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    await this.#worker?.terminate()
  }

  #start(): void {
    if (this.#worker !== undefined || this.#isStopped) return
    try {
      const worker = new Worker(new URL('./digest-worker.js', import.meta.url), {
        execArgv: [], env: SHARE_ENV, name: 'dicomtap-digest', resourceLimits: RESOURCE_LIMITS,
      })
      worker.once('online', () => (this.#isReady = true))
      worker.on('message', (answer: DigestAnswer) => this.#answered(answer))
      // `exit` follows, and says the same.
      worker.on('error', () => {})
      worker.once('exit', () => this.#ended())
      worker.unref()
      this.#worker = worker
    } catch {
      // No threads to be had: the event loop does it, as before.
      this.#isStopped = true
    }
  }

  #answered(answer: DigestAnswer): void {
    const waiting = this.#waiting.get(answer.id)
    this.#waiting.delete(answer.id)
    if (this.#waiting.size === 0) this.#worker?.unref()
    if ('error' in answer) waiting?.reject(Object.assign(new Error(answer.error.message), answer.error))
    else waiting?.resolve(answer.sha256)
  }

  #ended(): void {
    this.#worker = undefined
    this.#isReady = false
    const waiting = [...this.#waiting.values()]
    this.#waiting.clear()
    for (const { reject } of waiting) reject(threadEnded())
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
  end(descriptor: number, toBytes: number): Promise<string> {
    this.#toldBytes = 0
    return this.#thread.end(this.#id, descriptor, toBytes)
  }

  abandon(): void {
    if (this.#toldBytes > 0) this.#thread.tell({ kind: 'abandon', id: this.#id })
    this.#toldBytes = 0
  }
}

function threadEnded(): Error {
  return Object.assign(new Error('EIO: the thread that computes digests ended'), { code: 'EIO', syscall: 'digest' })
}
