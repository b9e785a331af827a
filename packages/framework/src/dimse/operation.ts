import type { AcceptedContext } from '../acse/types.ts'
import type { Association } from '../association/association.ts'
import { DicomtapError } from '../errors/index.ts'
import { lastAsked } from '../hooks/asked.ts'
import { containedController, listenerFailed } from '../hooks/contained-signal.ts'
import type { DataSetStream } from './data-set-stream.ts'
import type { DimseRequest, DimseService, Operation } from './types.ts'

/** A request being performed, from its command to its final response. */
export class RunningOperation implements Operation {
  readonly association: Association
  readonly context: AcceptedContext
  readonly request: DimseRequest
  readonly sopClassUid: string
  readonly dataSet: DataSetStream | undefined
  readonly startedAtMs: number
  responses = 0
  #isCancelled = false
  #end: DicomtapError | undefined
  #abortController: AbortController | undefined
  #answered: Promise<void> | undefined
  #resolveAnswered: (() => void) | undefined
  #isAnswered = false
  #enders: Set<(reason: DicomtapError) => void> | undefined

  constructor(
    association: Association,
    context: AcceptedContext,
    request: DimseRequest,
    sopClassUid: string,
    dataSet: DataSetStream | undefined,
  ) {
    this.association = association
    this.context = context
    this.request = request
    this.sopClassUid = sopClassUid
    this.dataSet = dataSet
    this.startedAtMs = performance.now()
  }

  get service(): DimseService {
    return this.request.service
  }
  get messageId(): number {
    return this.request.messageId
  }
  get isCancelled(): boolean {
    return this.#isCancelled
  }
  /** Why the operation was ended before its handler finished. */
  get endReason(): DicomtapError | undefined {
    return this.#end
  }

  /** Made when a handler asks for it: most never do. */
  get signal(): AbortSignal {
    if (this.#abortController === undefined) {
      // A C-CANCEL must not end the process, whatever a listener does.
      this.#abortController = containedController(() => listenerFailed(lastAsked(this), this.association.ae.log))
      if (this.#end !== undefined) this.#abortController.abort(this.#end)
    }
    return this.#abortController.signal
  }

  /** C-CANCEL arrived (PS3.7 9.3.2.3). */
  cancel(): void {
    this.#isCancelled = true
    this.end(new DicomtapError('DICOMTAP_ERR_DIMSE_CANCELLED', 'The peer cancelled the operation'))
  }

  /** The handler's work is of no use any more. */
  end(reason: DicomtapError): void {
    if (this.#end !== undefined) return
    this.#end = reason
    this.#abortController?.abort(reason)
    for (const ender of this.#enders ?? []) ender(reason)
    this.#enders = undefined
  }

  /** Changes whenever something came of it: of the data set, or as a response. */
  get progress(): number {
    return (this.dataSet?.receivedBytes ?? 0) + this.responses
  }

  /** Resolves when it has its final response, or will get none. */
  get answered(): Promise<void> {
    this.#answered ??= this.#isAnswered ? Promise.resolve() : new Promise((resolve) => (this.#resolveAnswered = resolve))
    return this.#answered
  }

  /** Nothing more comes of it. */
  over(): void {
    this.#isAnswered = true
    this.#resolveAnswered?.()
  }

  /** `work`, or a rejection with the reason as soon as the operation is ended from outside. */
  untilEnd<T>(work: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.#end !== undefined) reject(this.#end)
      else (this.#enders ??= new Set()).add(reject)
      work.then(
        (value) => {
          this.#enders?.delete(reject)
          resolve(value)
        },
        (error: unknown) => {
          this.#enders?.delete(reject)
          reject(error as Error)
        },
      )
    })
  }
}
