import { DicomtapError } from '../errors/index.ts'
import type { AAssociateAc, AAssociateRj, AAssociateRq } from '../pdu/types.ts'
import type { AbortIndication, DulUser } from './user.ts'

/** An indication or confirmation as {@link DulServiceProvider.receive} gives it. */
export type DulIndication =
  | AAssociateRq
  | AAssociateAc
  | AAssociateRj
  | {
      readonly type: 'P-DATA'
      readonly presentationContextId: number
      readonly isCommand: boolean
      /** The fragment ends the command set or data set. */
      readonly isLast: boolean
      readonly data: Buffer
    }
  | { readonly type: 'A-RELEASE'; readonly isCollision: boolean }
  | { readonly type: 'A-RELEASE-CONFIRMATION' }
  | ({ readonly type: 'ABORT' } & AbortIndication)
  | { readonly type: 'CLOSED' }

/** What an indication costs besides its bytes: fragments without any must not cost nothing. */
const INDICATION_OVERHEAD_BYTES = 256

/** What is paused while too much waits. */
export interface PausedReceiving {
  holdReceiving(): void
  resumeReceiving(): void
}

/** Turns a provider's calls into a queue, for users that pull. */
export class IndicationQueue implements DulUser {
  readonly #highWaterBytes: number
  readonly #receiving: PausedReceiving
  readonly #waiting: DulIndication[] = []
  readonly #receivers: { resolve(indication: DulIndication): void; reject(error: Error): void }[] = []
  #queuedBytes = 0
  #isKilled = false
  #isPaused = false

  constructor(highWaterBytes: number, receiving: PausedReceiving) {
    this.#highWaterBytes = highWaterBytes
    this.#receiving = receiving
  }

  receive(timeoutMs: number | null): Promise<DulIndication> {
    const next = this.#waiting.shift()
    if (next !== undefined) {
      this.#queuedBytes -= costOf(next)
      if (this.#isPaused && this.#queuedBytes < this.#highWaterBytes / 2) {
        this.#isPaused = false
        this.#receiving.resumeReceiving()
      }
      return Promise.resolve(next)
    }
    if (this.#isKilled) return Promise.reject(new DicomtapError('DICOMTAP_ERR_DUL_KILLED', 'The provider was killed'))
    return new Promise((resolve, reject) => {
      const receiver = { resolve, reject }
      this.#receivers.push(receiver)
      if (timeoutMs === null) return
      const timer = setTimeout(() => {
        this.#receivers.splice(this.#receivers.indexOf(receiver), 1)
        reject(new DicomtapError('DICOMTAP_ERR_DUL_TIMEOUT', `Nothing was received within ${timeoutMs} ms`))
      }, timeoutMs)
      receiver.resolve = (indication) => {
        clearTimeout(timer)
        resolve(indication)
      }
      receiver.reject = (error) => {
        clearTimeout(timer)
        reject(error)
      }
    })
  }

  killed(): void {
    this.#isKilled = true
    const error = new DicomtapError('DICOMTAP_ERR_DUL_KILLED', 'The provider was killed')
    for (const receiver of this.#receivers.splice(0)) receiver.reject(error)
  }

  associateIndication(request: AAssociateRq): void {
    this.#give(request)
  }
  refusalIndication(): void {}
  refusedIndication(): void {}
  associateConfirmation(accept: AAssociateAc): void {
    this.#give(accept)
  }
  associateRejection(reject: AAssociateRj): void {
    this.#give(reject)
  }
  pDataIndication(id: number, isCommand: boolean, isLast: boolean, fragment: Buffer, _first: boolean, end: boolean): void {
    this.#give({ type: 'P-DATA', presentationContextId: id, isCommand, isLast: isLast && end, data: Buffer.from(fragment) })
    if (this.#isPaused || this.#queuedBytes <= this.#highWaterBytes) return
    this.#isPaused = true
    this.#receiving.holdReceiving()
  }
  readIndication(): void {}
  releaseIndication(isCollision: boolean): void {
    this.#give({ type: 'A-RELEASE', isCollision })
  }
  releaseConfirmation(): void {
    this.#give({ type: 'A-RELEASE-CONFIRMATION' })
  }
  abortIndication(abort: AbortIndication): void {
    this.#give({ type: 'ABORT', ...abort })
  }
  silenceIndication(): boolean {
    return true
  }
  closedIndication(): void {
    this.#give({ type: 'CLOSED' })
  }

  #give(indication: DulIndication): void {
    const receiver = this.#receivers.shift()
    if (receiver === undefined) {
      this.#waiting.push(indication)
      this.#queuedBytes += costOf(indication)
      return
    }
    receiver.resolve(indication)
  }
}

function costOf(indication: DulIndication): number {
  return INDICATION_OVERHEAD_BYTES + (indication.type === 'P-DATA' ? indication.data.length : 0)
}
