import type { Operation } from '../dimse/types.ts'
import { codeOf, DicomtapError } from '../errors/index.ts'
import type { Logger } from '../logger.ts'
import { AskedHandler, askedMeanwhile } from './asked.ts'
import type { NamedHandler } from './asked.ts'
import { toHookError } from './hook-error.ts'
import type { HookError } from './hook-error.ts'
import type { HookName } from './types.ts'

/** What the guard around the handlers of a plugin's own hook goes by. */
export interface GuardTapsOptions {
  /** Where failures are told. */
  readonly log: Logger
  /** How long a handler may take, such as `timeouts.handlerMs`; null, the default: as long as it likes. */
  readonly timeoutMs?: number | null
  /** The operation that the arguments are about: what fails because it ended is no failure, and who holds it up is told by name. */
  readonly operationOf?: (...args: never[]) => Operation | undefined
}

/** A tap as an interceptor of tapable sees it. */
interface RegisteredTap {
  readonly type: 'sync' | 'async' | 'promise'
  readonly name: string
  readonly fn: (...args: never[]) => unknown
}

/** What the hooks of tapable have in common. */
export interface InterceptableHook {
  readonly name?: string | undefined
  intercept(interceptor: never): void
}

type Done = (error: unknown, answer?: unknown) => void
type Handler = (...args: unknown[]) => unknown

/**
 * Puts a guard around each handler of a tapable hook that a plugin publishes, those that are there and those that come.
 * As with the hooks of the framework, a handler that throws, rejects or does not answer in time is logged with its
 * name, `hook` and `plugin` among the fields, and is a {@link HookError} (DICOMTAP_ERR_HOOK_FAILED,
 * DICOMTAP_ERR_HOOK_TIMEOUT) for who asked; StatusErrors go through. `tap`, `tapPromise` and `tapAsync` do the same on
 * a hook that waits: what an async function does wrong is seen whichever was used. On a SyncHook what it throws goes
 * no further, and counts as no answer.
 *
 * @example
 * const instanceIndexed = new AsyncSeriesHook(['instance'], 'instanceIndexed')
 * guardTaps(instanceIndexed, { log: api.log, timeoutMs: api.applicationEntity.timeouts.handlerMs })
 */
export function guardTaps(hook: InterceptableHook, options: GuardTapsOptions): void {
  const name = hook.name ?? 'unknown'
  const isSync = hook.constructor.name.startsWith('Sync')
  const register = (tap: RegisteredTap): RegisteredTap => {
    const failed = (error: HookError): void => {
      options.log.error(error.message, { hook: name, plugin: tap.name, code: error.code, error: error.cause })
    }
    // It says so itself: the hooks of plugins are not among the names that the framework knows.
    const handler: NamedHandler = { hook: name as HookName, plugin: tap.name, failed }
    if (isSync) return { ...tap, fn: guardedSync(tap.fn as Handler, handler) }
    return { ...tap, type: 'async', fn: guardedAsync(answering(tap), handler, options) }
  }
  hook.intercept({ register } as never)
}

function guardedSync(call: Handler, handler: NamedHandler): Handler {
  const fail = (thrown: unknown): void => handler.failed(toHookError(handler.hook, handler.plugin, thrown))
  return (...args) => {
    try {
      const answer = call(...args)
      if (!isThenable(answer)) return answer
      Promise.resolve(answer).catch(fail)
    } catch (thrown) {
      fail(thrown)
    }
    return undefined
  }
}

function guardedAsync(call: Handler, handler: NamedHandler, { timeoutMs = null, operationOf }: GuardTapsOptions): Handler {
  return (...args) => {
    const done = args.pop() as Done
    const operation = (operationOf as Handler | undefined)?.(...args) as Operation | undefined
    const answered = operation === undefined ? undefined : askedMeanwhile(operation, new AskedHandler(handler))
    let timer: NodeJS.Timeout | undefined
    let isOver = false
    const settle: Done = (error, answer) => {
      // One that calls back twice, or late.
      if (isOver) return
      isOver = true
      clearTimeout(timer)
      answered?.()
      done(error, answer)
    }
    const fail = (thrown: unknown): void => {
      if (isOver) return
      if (codeOf(thrown) === 'DICOMTAP_ERR_DIMSE_STATUS') {
        settle(thrown)
        return
      }
      const error = toHookError(handler.hook, handler.plugin, thrown)
      if (operation?.signal.aborted !== true) handler.failed(error)
      settle(error)
    }
    try {
      const answer = call(...args)
      if (!isThenable(answer)) {
        settle(null, answer)
        return
      }
      if (timeoutMs !== null) {
        timer = setTimeout(() => fail(new DicomtapError('DICOMTAP_ERR_HOOK_TIMEOUT', `within ${timeoutMs} ms`)), timeoutMs).unref()
      }
      Promise.resolve(answer).then((value) => settle(null, value), fail)
    } catch (thrown) {
      fail(thrown)
    }
  }
}

/** The handler as a function that answers, or gives a promise. */
function answering({ type, fn }: RegisteredTap): Handler {
  if (type !== 'async') return fn as Handler
  return (...args) =>
    new Promise((resolve, reject) => {
      const done: Done = (error, answer) => {
        if (error === null || error === undefined) resolve(answer)
        // oxlint-disable-next-line typescript/prefer-promise-reject-errors -- handlers give what they like
        else reject(error)
      }
      ;(fn as Handler)(...args, done)
    })
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && typeof (value as { readonly then?: unknown }).then === 'function'
}
