import { Deadline } from './deadline.ts'

/** The Association Request/Reject/Release Timer (PS3.8 9.1.5). `null` milliseconds never expire. */
export class ArtimTimer {
  readonly #timeoutMs: number | null
  readonly #deadline: Deadline

  constructor(timeoutMs: number | null, expired: () => void) {
    this.#timeoutMs = timeoutMs
    this.#deadline = new Deadline(expired)
  }

  get isRunning(): boolean {
    return this.#deadline.isRunning
  }

  /** Starts it, or restarts it when it runs. */
  start(): void {
    if (this.#timeoutMs === null) this.#deadline.stop()
    else this.#deadline.start(this.#timeoutMs)
  }

  stop(): void {
    this.#deadline.stop()
  }
}
