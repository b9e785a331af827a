import type { Operation } from '../dimse/types.ts'
import { codeOf, isFaultOfPeer } from '../errors/index.ts'
import { AskedHandler, isGivenBy, lastAsked, nowAsked } from './asked.ts'
import type { HandlerName, NamedHandler } from './asked.ts'
import type { GuardContext } from './guard-context.ts'
import { toHookError } from './hook-error.ts'

type Items = AsyncIterable<unknown> | Iterable<unknown>

/** An answer with the items that it gives one by one behind a guard of their own. */
export function withGuardedItems(answer: unknown, by: HandlerName, operation: Operation | undefined, context: GuardContext): unknown {
  if (by.hook === 'cFind') return isIterable(answer) ? guardItems(answer, by, operation, context) : answer
  if (by.hook !== 'cGet' && by.hook !== 'cMove') return answer
  const { instances } = answer as { readonly instances?: unknown }
  return isIterable(instances) ? { ...(answer as object), instances: guardItems(instances, by, operation, context) } : answer
}

/** Has it items to give one by one? Of bytes they would be numbers. */
export function isIterable(value: unknown): value is Items {
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return false
  return Symbol.asyncIterator in value || Symbol.iterator in value
}

/**
 * The same items. An iterator that throws, or is none, is told of by the name of its plugin; nothing of it is touched
 * before the first item is wanted.
 */
function guardItems(items: Items, { hook, plugin }: HandlerName, operation: Operation | undefined, context: GuardContext): AsyncIterable<unknown> {
  const blamed = (thrown: unknown): unknown => {
    if (codeOf(thrown) === 'DICOMTAP_ERR_DIMSE_STATUS') return thrown
    const error = toHookError(hook, plugin, thrown)
    if (operation?.signal.aborted !== true && error !== thrown && !isFaultOfPeer(thrown)) context.onFailure(hook, plugin, error)
    return error
  }
  const checked = (result: unknown): IteratorResult<unknown> => {
    const { done, value } = result as IteratorResult<unknown>
    if (done === true) return { done, value }
    if (!isItem(hook, value)) throw new TypeError(`its iterable gave ${kindOf(value)} for ${hook === 'cFind' ? 'a match' : 'an instance'}`)
    return { done: false, value }
  }
  const named: NamedHandler = { hook, plugin, failed: (error) => context.onFailure(hook, plugin, error) }
  let iterator: AsyncIterator<unknown> | Iterator<unknown> | undefined
  const guarded = {
    // A promise where the iterator gives one: what is there already costs no trip through the promise queue.
    next: () => {
      try {
        iterator ??= iteratorOf(items)
        // Handlers of other hooks may have been asked since, and may be from within.
        if (operation !== undefined && lastAsked(operation) !== named) nowAsked(operation, new AskedHandler(named))
        const result = iterator.next()
        if (!isThenable(result)) return checked(result)
        return Promise.resolve(result).then(checked).catch((thrown: unknown) => {
          throw blamed(thrown)
        })
      } catch (thrown) {
        throw blamed(thrown)
      }
    },
    // Whoever lets it go logs what goes wrong there.
    return: async () => {
      try {
        iterator ??= iteratorOf(items)
        await iterator.return?.()
      } catch (thrown) {
        throw toHookError(hook, plugin, thrown)
      }
      return { done: true, value: undefined }
    },
  }
  const iterable = { [Symbol.asyncIterator]: () => guarded as AsyncIterator<unknown> }
  isGivenBy(iterable, { hook, plugin })
  return iterable
}

function iteratorOf(items: Items): AsyncIterator<unknown> | Iterator<unknown> {
  const { [Symbol.asyncIterator]: asynchronous, [Symbol.iterator]: synchronous } = items as Partial<AsyncIterable<unknown> & Iterable<unknown>>
  const make = (asynchronous ?? synchronous) as (this: Items) => AsyncIterator<unknown> | Iterator<unknown>
  return make.call(items)
}

function isItem(hook: string, value: unknown): boolean {
  if (typeof value === 'string') return hook !== 'cFind'
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && typeof (value as { readonly then?: unknown }).then === 'function'
}

function kindOf(value: unknown): string {
  if (value === null) return 'null'
  return Array.isArray(value) ? 'a list' : `a ${typeof value}`
}
