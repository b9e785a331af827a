import { codeOf, DicomtapError, harmless, isFaultOfPeer, messageOf } from '../errors/index.ts'
import type { Operation } from '../dimse/types.ts'
import { isMadeBy } from '../dul/socket-makers.ts'
import type { TransportSocket } from '../dul/transport.ts'
import { AskedHandler, nowAsked } from './asked.ts'
import type { NamedHandler } from './asked.ts'
import { HOOK_CATALOG } from './catalog.ts'
import type { AnswerCheck, GuardContext } from './guard-context.ts'
import { withGuardedItems } from './guard-items.ts'
import { toHookError } from './hook-error.ts'
import type { AssociationRequestInfo, DiagnoseEvent, HookName, IncomingConnection } from './types.ts'

/** Everybody else waits meanwhile: a handler that takes so long at a stretch is told of. */
const STALL_MS = 100

/**
 * A handler behind its guard. Of a synchronous hook it never throws and never returns a promise; of an
 * asynchronous one it throws or rejects with a HookError or a StatusError only, and answers at once
 * when the handler does.
 */
export type GuardedHandler = (...args: unknown[]) => unknown
export type AnyHandler = (...args: never[]) => unknown

/**
 * Closes the traps of tapable around one handler: a throw that would skip the later taps of a SyncHook,
 * an async function on a hook that does not wait, `null` that would count as an answer.
 */
export function guardHandler(hook: HookName, plugin: string, handler: AnyHandler, context: GuardContext): GuardedHandler {
  const call = handler as GuardedHandler
  switch (HOOK_CATALOG[hook].tapable) {
    case 'SyncHook':
    case 'SyncWaterfallHook':
      return guardSync(hook, plugin, call, context)
    default:
      return guardAsync(hook, plugin, call, context)
  }
}

function guardSync(hook: HookName, plugin: string, handler: GuardedHandler, context: GuardContext): GuardedHandler {
  const fail = (error: unknown): void => context.onFailure(hook, plugin, toHookError(hook, plugin, error))
  const isNotification = HOOK_CATALOG[hook].kind === 'notification'
  const check = context.checkOf(hook)
  return (first, second) => {
    const startedAtMs = performance.now()
    try {
      const result = handler(first, second)
      if (isThenable(result)) {
        context.onMistake(hook, plugin, 'returned a promise, but this hook does not wait: use a synchronous function')
        Promise.resolve(result).catch(fail)
        return undefined
      }
      if (isNotification) return undefined
      const answer = withoutNull(hook, plugin, result, context)
      return check === undefined || answer === undefined ? answer : checked(check, answer)
    } catch (error) {
      fail(error)
      return undefined
    } finally {
      const durationMs = performance.now() - startedAtMs
      if (durationMs > STALL_MS) context.onStall(hook, plugin, durationMs)
    }
  }
}

function guardAsync(hook: HookName, plugin: string, handler: GuardedHandler, context: GuardContext): GuardedHandler {
  const isLifecycle = HOOK_CATALOG[hook].kind === 'lifecycle'
  const findOperation = operationFinder(hook)
  const findSubject = subjectFinder(hook)
  const named: NamedHandler = { hook, plugin, failed: (error) => context.onFailure(hook, plugin, error) }
  const check = context.checkOf(hook)

  const fail = (thrown: unknown, args: readonly unknown[]): undefined => {
    const operation = findOperation?.(args)
    // It ends an operation; elsewhere it is an error like others.
    if (operation !== undefined && isStatusError(thrown)) throw thrown
    const error = toHookError(hook, plugin, thrown)
    // A close goes on whatever happens; the other lifecycle errors reach whoever starts or reloads.
    if (hook === 'preClose') {
      context.onFailure(hook, plugin, error)
      return undefined
    }
    // Whoever asks whether all is well is told, and the others are still asked.
    if (hook === 'diagnose') {
      ;(args[0] as DiagnoseEvent).report({ level: 'error', plugin, message: error.message })
      return undefined
    }
    // What fails because its operation was ended is no failure of the handler.
    const wasEnded = operation?.signal.aborted === true
    // Nor is what a peer sent and nobody can decode.
    if (!isLifecycle && !wasEnded && error !== thrown && !isFaultOfPeer(thrown)) context.onFailure(hook, plugin, error)
    throw error
  }

  const settle = (result: unknown, args: readonly unknown[]): unknown => {
    if (isLifecycle) return undefined
    const answer = answerOf(hook, plugin, result, context)
    if (check === undefined || answer === undefined) return answer
    const good = checked(check, answer)
    const socket = madeSocket(hook, good, args)
    if (socket !== undefined) isMadeBy(socket, (thrown) => context.onFailure(hook, plugin, toHookError(hook, plugin, socketError(thrown))))
    return withGuardedItems(good, { hook, plugin }, findOperation?.(args), context)
  }

  return (...args) => {
    const subject = findSubject?.(args)
    const asked = new AskedHandler(named)
    if (subject !== undefined) nowAsked(subject, asked)
    const startedAtMs = performance.now()
    try {
      const result = handler(...args)
      if (!isThenable(result)) {
        asked.isPending = false
        return settle(result, args)
      }
      const answered = inTime(Promise.resolve(result), context.limitMs(hook), hook === 'outgoingConnection' ? letGo : undefined)
      return answered.then(
        (answer) => {
          asked.isPending = false
          try {
            return settle(answer, args)
          } catch (error) {
            return fail(error, args)
          }
        },
        (error: unknown) => {
          asked.isPending = false
          return fail(error, args)
        },
      )
    } catch (error) {
      asked.isPending = false
      return fail(error, args)
    } finally {
      const durationMs = performance.now() - startedAtMs
      if (durationMs > STALL_MS) context.onStall(hook, plugin, durationMs)
    }
  }
}

/** The answer, or a rejection when there is none in time. @param late what to do with one that comes afterwards */
function inTime<T>(answer: Promise<T>, limitMs: number | null, late?: (answer: T) => void): Promise<T> {
  if (limitMs === null) return answer
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(new DicomtapError('DICOMTAP_ERR_HOOK_TIMEOUT', `within ${limitMs} ms`))
      if (late !== undefined) answer.then(late).catch(() => {})
    }, limitMs)
    answer.then(resolve, reject).finally(() => {
      clearTimeout(timer)
    })
  })
}

/** A connection that came too late has nobody who would close it. */
function letGo(socket: unknown): void {
  const { destroy } = (socket ?? {}) as { readonly destroy?: unknown }
  if (typeof destroy === 'function') (socket as TransportSocket).on('error', () => {}).destroy()
}

/** A socket that a handler brought, whose failures are its plugin's. */
function madeSocket(hook: HookName, answer: unknown, args: readonly unknown[]): TransportSocket | undefined {
  if (hook === 'outgoingConnection') return answer as TransportSocket
  if (hook !== 'incomingConnection') return undefined
  const { socket } = answer as IncomingConnection
  return socket === (args[0] as IncomingConnection).socket ? undefined : socket
}

function socketError(thrown: unknown): Error {
  return new Error(`its socket threw: ${messageOf(thrown)}`, { cause: harmless(thrown) })
}

/** @throws DICOMTAP_ERR_HOOK_ANSWER, also for an answer that throws when it is looked at. */
function checked(check: AnswerCheck, answer: unknown): unknown {
  try {
    return check(answer)
  } catch (error) {
    if (codeOf(error) === 'DICOMTAP_ERR_HOOK_ANSWER') throw error
    throw new DicomtapError('DICOMTAP_ERR_HOOK_ANSWER', `it cannot be read: ${messageOf(error)}`, { cause: harmless(error) })
  }
}

/** Hooks whose handlers answer for the SOP classes that they serve: an empty list answers for none. */
const LISTS_BY_SOP_CLASS: ReadonlySet<HookName> = new Set<HookName>(['roleSelection', 'sopClassExtended', 'sopClassCommonExtended'])

function answerOf(hook: HookName, plugin: string, answer: unknown, context: GuardContext): unknown {
  if (Array.isArray(answer) && answer.length === 0 && LISTS_BY_SOP_CLASS.has(hook)) return undefined
  return withoutNull(hook, plugin, answer, context)
}

function withoutNull(hook: HookName, plugin: string, answer: unknown, context: GuardContext): unknown {
  if (answer !== null) return answer
  context.onMistake(hook, plugin, 'returned null, which is taken as undefined: return undefined to leave it to the next handler')
  return undefined
}

/** How to find the operation among the arguments of a hook; undefined for a hook that is not about one. */
export function operationFinder(hook: HookName): ((args: readonly unknown[]) => Operation | undefined) | undefined {
  const [first, second] = HOOK_CATALOG[hook].arguments
  if (second?.type.startsWith('Operation')) return (args) => args[1] as Operation | undefined
  if (first !== undefined && /^(?:Sub)?Operation\w*Event$/.test(first.type)) {
    return (args) => (args[0] as { operation: Operation }).operation
  }
  return undefined
}

/** What is told by name when it does not answer: an operation, an association, the signal of a connection that came in. */
function subjectFinder(hook: HookName): ((args: readonly unknown[]) => object | undefined) | undefined {
  const findOperation = operationFinder(hook)
  if (findOperation !== undefined) return findOperation
  if (hook === 'incomingConnection') return (args) => (args[0] as IncomingConnection).signal
  const position = HOOK_CATALOG[hook].arguments.findIndex(({ type }) => type === 'AssociationRequestInfo')
  return position < 0 ? undefined : (args) => (args[position] as AssociationRequestInfo).association
}

/** As `instanceof StatusError`, and true for one of another installed copy; of what it says nothing is known yet. */
function isStatusError(error: unknown): boolean {
  return codeOf(error) === 'DICOMTAP_ERR_DIMSE_STATUS'
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    (typeof value === 'object' || typeof value === 'function') &&
    value !== null &&
    typeof (value as { then?: unknown }).then === 'function'
  )
}
