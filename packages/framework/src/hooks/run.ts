import type { AsyncSeriesBailHook, AsyncSeriesHook, AsyncSeriesWaterfallHook, SyncHook, SyncWaterfallHook } from 'tapable'
import { HOOK_CATALOG, HOOK_NAMES } from './catalog.ts'
import type { HookKind, HookName, HookTable, TapExtras } from './types.ts'

const NO_ANSWER: Promise<undefined> = Promise.resolve(undefined)
const DONE: Promise<void> = Promise.resolve()

/**
 * Tells the handlers of a notification hook. Where the event costs something to build, check
 * `hook.taps.length > 0` before: `isUsed()` is also true for a hook that has an interceptor alone.
 */
export function notify<Event>(hook: SyncHook<[Event], void, TapExtras>, event: Event): void {
  if (hook.taps.length > 0) hook.call(event)
}

/**
 * Asks the handlers of an intervention hook in order; the first answer wins, undefined means that
 * nobody answered.
 * @throws HookError (DICOMTAP_ERR_HOOK_FAILED), already logged; StatusError as thrown by the handler.
 */
export function ask<Arguments extends [unknown, ...unknown[]], Answer>(
  hook: AsyncSeriesBailHook<Arguments, Answer, TapExtras>,
  ...args: Arguments
): Promise<Answer | undefined> {
  if (hook.taps.length === 0) return NO_ANSWER
  return (hook as { promise(...args: unknown[]): Promise<Answer> }).promise(...args)
}

/**
 * Passes a value through the handlers of a transform hook.
 * @throws HookError (DICOMTAP_ERR_HOOK_FAILED), already logged; StatusError as thrown by the handler.
 */
export function transform<Value, Context>(
  hook: AsyncSeriesWaterfallHook<[Value, Context], Value, TapExtras>,
  value: Value,
  context: Context,
): Promise<Value> {
  if (hook.taps.length === 0) return Promise.resolve(value)
  return hook.promise(value, context)
}

/** As {@link transform}, for a hook whose handlers are synchronous. It does not throw. */
export function transformSync<Value, Context>(
  hook: SyncWaterfallHook<[Value, Context], Value, TapExtras>,
  value: Value,
  context: Context,
): Value {
  return hook.taps.length === 0 ? value : hook.call(value, context)
}

/**
 * Runs the handlers of a lifecycle hook one after another.
 * @throws HookError (DICOMTAP_ERR_HOOK_FAILED), not yet logged; `preClose` alone never throws.
 */
export function runLifecycle<Event>(hook: AsyncSeriesHook<[Event], TapExtras>, event: Event): Promise<void> {
  return hook.taps.length === 0 ? DONE : hook.promise(event)
}

/** One hook with its taps in the order in which they run. */
export interface HookListing {
  readonly hook: HookName
  readonly kind: HookKind
  readonly taps: readonly TapListing[]
}
export interface TapListing {
  readonly plugin: string
  readonly stage: number
  readonly sopClasses?: readonly string[]
}

/** Every hook with its taps in running order, for `dicomtap hooks`. */
export function listTaps(table: HookTable): HookListing[] {
  return HOOK_NAMES.map((hook) => ({
    hook,
    kind: HOOK_CATALOG[hook].kind,
    taps: table[hook].taps.map((tap) => {
      const { sopClasses } = tap as typeof tap & TapExtras
      return { plugin: tap.name, stage: tap.stage ?? 0, ...(sopClasses === undefined ? {} : { sopClasses }) }
    }),
  }))
}
