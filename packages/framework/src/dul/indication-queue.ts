import { DicomtapError } from '../errors/index.ts'
import type { AAssociateAc, AAssociateRj, AAssociateRq } from '../pdu/types.ts'
import type { Transport } from './transport.ts'
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

/** P-DATA bytes that may wait to be received before the socket is paused. */
const HIGH_WATER_BYTES = 1_048_576

/** Turns a provider's calls into a queue, for users that pull. */
export class IndicationQueue implements DulUser {
  readonly #transport: () => Transport | undefined
  readonly #waiting: DulIndication[] = []
  readonly #receivers: { resolve(indication: DulIndication): void; reject(error: Error): void }[] = []
  #queuedBytes = 0
  #isKilled = false

  constructor(transport: () => Transport | undefined) {
    this.#transport = transport
  }

  receive(timeoutMs: number | null): Promise<DulIndication> {
    const next = this.#waiting.shift()
    if (next !== undefined) {
      if (next.type === 'P-DATA') {
        this.#queuedBytes -= next.data.length
        if (this.#queuedBytes < HIGH_WATER_BYTES / 2) this.#transport()?.resume()
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
    this.#queuedBytes += fragment.length
    this.#give({ type: 'P-DATA', presentationContextId: id, isCommand, isLast: isLast && end, data: Buffer.from(fragment) })
    if (this.#queuedBytes > HIGH_WATER_BYTES) this.#transport()?.pause()
  }
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
      return
    }
    if (indication.type === 'P-DATA') this.#queuedBytes -= indication.data.length
    receiver.resolve(indication)
  }
}
