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

/**
 * What a handler does for an operation. When nothing comes of it for `handlerMs`, the operation is ended, and its
 * handler is waited for no more. One whose operation ended otherwise, such as with the association, may clean up as long.
 */
export function withinHandlerTime<T>(operation: RunningOperation, work: Promise<T>, handlerMs: number | null, log: Logger): Promise<T> {
  if (handlerMs === null) return work
  return new Promise((resolve, reject) => {
    let progress = operation.progress
    const timer = setTimeout(() => {
      if (operation.progress !== progress && operation.endReason === undefined) {
        progress = operation.progress
        timer.refresh()
        return
      }
      tooLate(operation, handlerMs, log)
      operation.end(new DicomtapError('DICOMTAP_ERR_DIMSE_TIMEOUT', `No answer within ${handlerMs} ms`))
      reject(operation.endReason as DicomtapError)
    }, handlerMs)
    // A handler that is stuck does not keep a process that has nothing else to do: connections do.
    timer.unref()
    work.then(
      (result) => {
        clearTimeout(timer)
        resolve(result)
      },
      (error: unknown) => {
        clearTimeout(timer)
        reject(error as Error)
      },
    )
  })
}

/** Says whose handler it is, which is what an operator needs to know. */
function tooLate(operation: RunningOperation, handlerMs: number, log: Logger): void {
  const { service, messageId } = operation
  const asked = lastAsked(operation)
  log.error('a handler took too long', { service, messageId, handlerMs, hook: asked?.hook, plugin: asked?.plugin })
  if (asked !== undefined) asked.failed(new HookError(asked.hook, asked.plugin, `within ${handlerMs} ms`, 'DICOMTAP_ERR_HOOK_TIMEOUT'))
}
