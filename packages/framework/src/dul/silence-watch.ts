import { Deadline } from './deadline.ts'
import type { DulState } from './transition-table.ts'
import type { Transport } from './transport.ts'

/** What a {@link SilenceWatch} asks, and tells. */
export interface SilenceHost {
  readonly state: DulState
  /** Undefined: there is none, or it is gone. */
  readonly openTransport: Transport | undefined
  readonly isMidPdu: boolean
  /** The peer did not answer in a state that waits for its answer. */
  unanswered(message: string): void
  /** Nothing was received or sent. */
  silent(isMidPdu: boolean): void
}

/** Finds the connection on which nothing is received or sent. */
export class SilenceWatch {
  readonly #host: SilenceHost
  readonly #deadline = new Deadline(() => this.#expired())
  /** Null: there is none, or it is over. */
  #timeoutMs: number | null = null

  constructor(timeoutMs: number | null, host: SilenceHost) {
    this.#host = host
    this.adopt(timeoutMs)
  }

  /** Another time-out holds from now on; null: none. */
  adopt(timeoutMs: number | null): void {
    this.#timeoutMs = timeoutMs
    if (timeoutMs === null) this.#deadline.stop()
    else this.#deadline.start(timeoutMs)
  }

  /** Something was received or sent. */
  interrupted(): void {
    if (this.#timeoutMs !== null) this.#deadline.start(this.#timeoutMs)
  }

  stop(): void {
    // What is interrupted later does not begin again.
    this.#timeoutMs = null
    this.#deadline.stop()
  }

  #expired(): void {
    const { openTransport: transport, state, isMidPdu } = this.#host
    if (transport === undefined) {
      this.stop()
      return
    }
    // What waits to be read by the peer is the write watch's.
    if (transport.pendingBytes === 0) {
      if (state === 'Sta4' || state === 'Sta5') return this.#host.unanswered('The peer was silent for too long')
      // Sta2 and Sta13 are ARTIM's; while we do not read, the silence is ours.
      const isCovered = state === 'Sta2' || state === 'Sta13' || transport.isPaused
      if (!isCovered) this.#host.silent(isMidPdu)
    }
    this.interrupted()
  }
}
