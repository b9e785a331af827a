import { Deadline } from '../dul/deadline.ts'
import { DicomtapError } from '../errors/index.ts'
import { lastAsked } from '../hooks/asked.ts'
import { HookError } from '../hooks/hook-error.ts'
import type { Logger } from '../logger.ts'
import type { RunningOperation } from './operation.ts'
import type { Outcome } from './outcome.ts'
import { Status } from './status-names.ts'

/** What the peer is told when a handler did nothing for longer than `timeouts.handlerMs`. */
export const HANDLER_TOOK_TOO_LONG: Outcome = { status: Status.ProcessingFailure, errorComment: 'The handler took too long' }

export function isHandlerLate({ endReason }: RunningOperation): boolean {
  return endReason?.code === 'DICOMTAP_ERR_DIMSE_TIMEOUT'
}

/** What a handler does for an operation. */
interface Work {
  readonly operation: RunningOperation
  readonly reject: (reason: Error) => void
  progress: number
  sinceMs: number
}

/** The time that handlers have for the operations of one association. One timer serves them all: most are done at once. */
export class HandlerTime {
  readonly #handlerMs: number | null
  readonly #log: () => Logger
  readonly #running = new Set<Work>()
  /** A handler that is stuck does not keep a process that has nothing else to do. */
  readonly #deadline = new Deadline(() => this.#check(), false)
  #isEnded = false

  constructor(handlerMs: number | null, log: () => Logger) {
    this.#handlerMs = handlerMs
    this.#log = log
  }

  /**
   * What a handler does for an operation. When nothing comes of it for `handlerMs`, the operation is ended, and its
   * handler is waited for no more. One whose operation ended otherwise, such as with the association, may clean up as long.
   */
  within<T>(operation: RunningOperation, result: Promise<T>): Promise<T> {
    const handlerMs = this.#handlerMs
    if (handlerMs === null) return result
    return new Promise((resolve, reject) => {
      const work: Work = { operation, reject, progress: operation.progress, sinceMs: performance.now() }
      this.#running.add(work)
      if (!this.#deadline.isRunning) this.#deadline.start(handlerMs)
      result.then(
        (value) => {
          this.#done(work)
          resolve(value)
        },
        (error: unknown) => {
          this.#done(work)
          reject(error as Error)
        },
      )
    })
  }

  /** Nothing more begins. */
  end(): void {
    this.#isEnded = true
    this.#letGo()
  }

  #done(work: Work): void {
    this.#running.delete(work)
    if (this.#isEnded) this.#letGo()
  }

  /** Otherwise the timer stays for what comes next. */
  #letGo(): void {
    if (this.#running.size === 0) this.#deadline.stop()
  }

  #check(): void {
    const handlerMs = this.#handlerMs as number
    const nowMs = performance.now()
    let nextMs = handlerMs
    for (const work of this.#running) {
      const { operation } = work
      if (operation.progress !== work.progress && operation.endReason === undefined) {
        work.progress = operation.progress
        work.sinceMs = nowMs
      }
      // Timers are of whole milliseconds.
      const leftMs = Math.ceil(work.sinceMs + handlerMs - nowMs)
      if (leftMs > 0) nextMs = Math.min(nextMs, leftMs)
      else this.#late(work, handlerMs)
    }
    if (this.#running.size > 0) this.#deadline.start(nextMs)
  }

  #late(work: Work, handlerMs: number): void {
    const { operation } = work
    this.#running.delete(work)
    tooLate(operation, handlerMs, this.#log())
    operation.end(new DicomtapError('DICOMTAP_ERR_DIMSE_TIMEOUT', `No answer within ${handlerMs} ms`))
    work.reject(operation.endReason as DicomtapError)
  }
}

/** Says whose handler it is, which is what an operator needs to know. */
function tooLate(operation: RunningOperation, handlerMs: number, log: Logger): void {
  const { service, messageId } = operation
  const asked = lastAsked(operation)
  log.error('a handler took too long', { service, messageId, handlerMs, hook: asked?.hook, plugin: asked?.plugin })
  if (asked !== undefined) asked.failed(new HookError(asked.hook, asked.plugin, `within ${handlerMs} ms`, 'DICOMTAP_ERR_HOOK_TIMEOUT'))
}
