import { types } from 'node:util'
import type { Operation } from '../dimse/types.ts'
import { DicomtapError } from '../errors/index.ts'
import { suggestion } from '../near-names.ts'
import { HOOK_CATALOG, HOOK_NAMES } from './catalog.ts'
import type { GuardContext } from './guard-context.ts'
import type { AnyHandler, GuardedHandler } from './guard.ts'
import { guardHandler, operationFinder } from './guard.ts'
import { Stage } from './stages.ts'
import type { HookFacade, HookName, HookTable, TapOptions } from './types.ts'

const TAP_OPTIONS: readonly string[] = ['stage', 'before', 'sopClasses'] satisfies (keyof TapOptions)[]

interface TapDescription {
  readonly name: string
  readonly stage: number
  readonly before?: string
  readonly sopClasses?: readonly string[]
}

/** What every hook class of the table has in common, as far as tapping goes. */
interface TappableHook {
  readonly taps: readonly { readonly name: string }[]
  tap(description: TapDescription, handler: GuardedHandler): void
  tapAsync(description: TapDescription, handler: (...args: unknown[]) => void): void
}

/**
 * The hooks of `table` as one plugin sees them: it can tap, not call; taps carry its name; handlers
 * run guarded.
 */
export function tapFacade(table: HookTable, plugin: { readonly name: string }, context: GuardContext): HookFacade {
  const facade: Record<string, unknown> = {}
  for (const hook of HOOK_NAMES) {
    const isSync = HOOK_CATALOG[hook].tapable.startsWith('Sync')
    const tap = (first: unknown, second?: unknown): void => {
      if (context.isSealed()) {
        throw new DicomtapError(
          'DICOMTAP_ERR_HOOK_AFTER_LISTEN',
          `Plugin '${plugin.name}' tapped the hook ${hook} after the server started; tap it in apply(), or use bind() at run time`,
        )
      }
      const [options, handler] = checkTap(hook, plugin.name, first, second)
      addTap(table, hook, plugin.name, options, handler, context)
    }
    const refuse = (): never => {
      throw tapError(hook, plugin.name, 'does not wait for promises: use tap with a synchronous function')
    }
    facade[hook] = Object.freeze({ tap, tapPromise: isSync ? refuse : tap })
  }
  return Object.freeze(facade) as HookFacade
}

/** Taps one hook with a guarded handler, whether the table is sealed or not. */
export function addTap(
  table: HookTable,
  hook: HookName,
  plugin: string,
  options: TapOptions,
  handler: AnyHandler,
  context: GuardContext,
): void {
  const target = table[hook] as unknown as TappableHook
  const { stage = Stage.Default, before, sopClasses } = options
  // tapable puts a tap before all others, guards included, when it must precede one that is not there.
  const precedes = before !== undefined && target.taps.some((tap) => tap.name === before)
  const description: TapDescription = {
    name: plugin,
    stage,
    ...(precedes ? { before } : {}),
    ...(sopClasses === undefined ? {} : { sopClasses: [...sopClasses] }),
  }
  const guarded = routed(hook, guardHandler(hook, plugin, handler, context), sopClasses)
  if (HOOK_CATALOG[hook].tapable.startsWith('Sync')) target.tap(description, guarded)
  else target.tapAsync(description, withCallback(guarded))
}

function routed(hook: HookName, guarded: GuardedHandler, sopClasses: readonly string[] | undefined): GuardedHandler {
  const findOperation = operationFinder(hook)
  if (sopClasses === undefined || findOperation === undefined) return guarded
  const served = new Set(sopClasses)
  return (...args) => {
    const operation = findOperation(args)
    return operation !== undefined && isServed(operation, served) ? guarded(...args) : undefined
  }
}

/** A SOP class that common extended negotiation named a special case of another is served as that one (PS3.7 D.3.3.6). */
function isServed({ sopClassUid, association }: Operation, served: ReadonlySet<string>): boolean {
  if (served.has(sopClassUid)) return true
  const item = association.acceptedCommonExtended.find((accepted) => accepted.sopClassUid === sopClassUid)
  return item?.relatedGeneralSopClassUids.some((uid) => served.has(uid)) ?? false
}

/** Callbacks let a handler that answers at once be passed without a trip through the promise queue. */
function withCallback(guarded: GuardedHandler): (...args: unknown[]) => void {
  return (...args) => {
    const done = args.pop() as (error: unknown, result?: unknown) => void
    let result: unknown
    try {
      result = guarded(...args)
    } catch (error) {
      done(error)
      return
    }
    if (types.isPromise(result)) result.then((answer) => done(null, answer), done)
    else done(null, result)
  }
}

function checkTap(hook: HookName, plugin: string, first: unknown, second: unknown): [TapOptions, AnyHandler] {
  const isHandlerAlone = typeof first === 'function' && second === undefined
  const handler = isHandlerAlone ? first : second
  const options = isHandlerAlone ? {} : first
  if (typeof options !== 'object' || options === null) {
    throw tapError(hook, plugin, 'takes (handler) or (options, handler); the name of a tap is always the name of its plugin')
  }
  if (typeof handler !== 'function') throw tapError(hook, plugin, `needs a function as handler, got ${kindOf(handler)}`)
  for (const key of Object.keys(options)) {
    if (!TAP_OPTIONS.includes(key)) {
      throw tapError(hook, plugin, `has no tap option '${key}'${suggestion(key, TAP_OPTIONS)} Known are ${TAP_OPTIONS.join(', ')}`)
    }
  }
  checkOptions(hook, plugin, options)
  return [options, handler as AnyHandler]
}

function checkOptions(hook: HookName, plugin: string, { stage, before, sopClasses }: TapOptions): void {
  if (stage !== undefined && !Number.isFinite(stage)) {
    throw tapError(hook, plugin, `needs a number as stage (see Stage), got ${kindOf(stage)}`)
  }
  if (before !== undefined && typeof before !== 'string') {
    throw tapError(hook, plugin, `needs one name of a plugin as before, got ${kindOf(before)}`)
  }
  if (sopClasses === undefined) return
  if (!Array.isArray(sopClasses) || sopClasses.some((uid) => typeof uid !== 'string')) {
    throw tapError(hook, plugin, `needs a list of UIDs as sopClasses, got ${kindOf(sopClasses)}`)
  }
  if (operationFinder(hook) === undefined) {
    throw tapError(hook, plugin, 'is not about an operation, so that sopClasses cannot choose among its events')
  }
}

function tapError(hook: HookName, plugin: string, message: string): DicomtapError {
  return new DicomtapError('DICOMTAP_ERR_HOOK_TAP', `Plugin '${plugin}': the hook ${hook} ${message}`)
}

function kindOf(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'an array'
  return typeof value === 'number' ? String(value) : typeof value
}
