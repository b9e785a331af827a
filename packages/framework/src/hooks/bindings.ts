import { DicomtapError } from '../errors/index.ts'
import { suggestion } from '../near-names.ts'
import { HOOK_CATALOG, HOOK_NAMES, isHookName } from './catalog.ts'
import { carrierContext } from './guard-context.ts'
import type { GuardContext } from './guard-context.ts'
import type { AnyHandler, GuardedHandler } from './guard.ts'
import { guardHandler } from './guard.ts'
import { addTap } from './tap-facade.ts'
import type { HookHandler, HookName, HookTable } from './types.ts'

/** The name that taps and errors of bound handlers carry in place of a plugin's. */
export const BOUND = '(bound)'

/** What has handlers of its own: an ApplicationEntity, an AssociationServer, an Association. */
export interface BindingScope {
  readonly bindings: HandlerBindings
}

/** An association as the dispatcher sees it. */
export interface AssociationBindingScope extends BindingScope {
  /** The listener that accepted it; undefined for a requestor. */
  readonly server?: BindingScope | undefined
}

interface BoundHandler {
  readonly handler: AnyHandler
  readonly guarded: GuardedHandler
}

const NONE: readonly BoundHandler[] = []

/** The handlers bound at run time on one scope. */
export class HandlerBindings {
  readonly #dispatcher: BindingDispatcher
  #handlers: Map<HookName, readonly BoundHandler[]> | undefined

  constructor(dispatcher: BindingDispatcher) {
    this.#dispatcher = dispatcher
  }

  /**
   * Binds a handler to a hook, also while the server runs. The same handler counts once per hook.
   * @throws DICOMTAP_ERR_HOOK_UNKNOWN, DICOMTAP_ERR_HOOK_TAP when `handler` is not a function.
   */
  bind<Name extends HookName>(name: Name, handler: HookHandler<Name>): void {
    checkName(name)
    if (typeof handler !== 'function') {
      throw new DicomtapError('DICOMTAP_ERR_HOOK_TAP', `bind('${name}') needs a function as handler, got ${typeof handler}`)
    }
    const bound = this.bound(name)
    if (bound.some((entry) => entry.handler === handler)) return
    const guarded = this.#dispatcher.prepare(name, handler)
    this.#handlers ??= new Map()
    this.#handlers.set(name, [...bound, { handler, guarded }])
  }

  /** Takes a handler back; one that is not bound is ignored. @throws DICOMTAP_ERR_HOOK_UNKNOWN */
  unbind<Name extends HookName>(name: Name, handler: HookHandler<Name>): void {
    checkName(name)
    const rest = this.bound(name).filter((entry) => entry.handler !== handler)
    if (rest.length > 0) this.#handlers?.set(name, rest)
    else this.#handlers?.delete(name)
  }

  /** The hooks that have a handler here, sorted by name. */
  boundEvents(): HookName[] {
    return [...(this.#handlers?.keys() ?? [])].sort()
  }

  /** The handlers of one hook, in the order in which they were bound. @throws DICOMTAP_ERR_HOOK_UNKNOWN */
  handlers<Name extends HookName>(name: Name): HookHandler<Name>[] {
    checkName(name)
    return this.bound(name).map((entry) => entry.handler as unknown as HookHandler<Name>)
  }

  /** For the dispatcher. The list is replaced on every change, so that a running dispatch keeps its own. */
  bound(name: HookName): readonly BoundHandler[] {
    return this.#handlers?.get(name) ?? NONE
  }
}

/**
 * Carries the events of one ApplicationEntity's hooks to the handlers bound on its association, then on
 * the listener, then on the AE. A hook gets one tap, with the first handler bound to it anywhere, so
 * that binding does not recompile hooks and an unused hook still has no taps.
 */
export class BindingDispatcher {
  readonly #table: HookTable
  readonly #context: GuardContext
  readonly #tapped = new Set<HookName>()
  /** The bindings of the ApplicationEntity itself. */
  readonly root: HandlerBindings

  constructor(table: HookTable, context: GuardContext) {
    this.#table = table
    this.#context = context
    this.root = new HandlerBindings(this)
  }

  /** The bindings of one more scope: a listener or an association. */
  createBindings(): HandlerBindings {
    return new HandlerBindings(this)
  }

  /** For {@link HandlerBindings.bind}: guards the handler and sees to the hook's tap. */
  prepare(name: HookName, handler: AnyHandler): GuardedHandler {
    if (!this.#tapped.has(name)) {
      addTap(this.#table, name, BOUND, {}, DISPATCH[HOOK_CATALOG[name].kind](this, name), carrierContext(this.#context))
      this.#tapped.add(name)
    }
    return guardHandler(name, BOUND, handler, this.#context)
  }

  /** The handlers that one call concerns, nearest scope first. */
  concerned(name: HookName, args: readonly unknown[]): readonly BoundHandler[] {
    const association = associationOf(args)
    const own = association?.bindings?.bound(name) ?? NONE
    const server = (association?.server ?? serverOf(args))?.bindings?.bound(name) ?? NONE
    const root = this.root.bound(name)
    if (own.length === 0 && server.length === 0) return root
    return [...own, ...server, ...root]
  }
}

type Dispatch = (dispatcher: BindingDispatcher, name: HookName) => GuardedHandler

const DISPATCH: Readonly<Record<'notification' | 'intervention' | 'transform' | 'lifecycle', Dispatch>> = {
  notification: (dispatcher, name) => (event) => {
    for (const { guarded } of dispatcher.concerned(name, [event])) guarded(event)
  },
  intervention: (dispatcher, name) => (...args) => {
    const handlers = dispatcher.concerned(name, args)
    return handlers.length === 0 ? undefined : firstAnswer(handlers, args)
  },
  transform: (dispatcher, name) => (...args) => {
    const handlers = dispatcher.concerned(name, args)
    if (handlers.length === 0) return undefined
    return HOOK_CATALOG[name].tapable.startsWith('Sync') ? chainSync(handlers, args) : chain(handlers, args)
  },
  lifecycle: (dispatcher, name) => (...args) => {
    const handlers = dispatcher.concerned(name, args)
    return handlers.length === 0 ? undefined : runAll(handlers, args)
  },
}

async function firstAnswer(handlers: readonly BoundHandler[], args: readonly unknown[]): Promise<unknown> {
  for (const { guarded } of handlers) {
    const answer = await guarded(...args)
    if (answer !== undefined) return answer
  }
  return undefined
}

async function chain(handlers: readonly BoundHandler[], args: readonly unknown[]): Promise<unknown> {
  const [first, ...rest] = args
  let value = first
  for (const { guarded } of handlers) value = (await guarded(value, ...rest)) ?? value
  return value
}

function chainSync(handlers: readonly BoundHandler[], args: readonly unknown[]): unknown {
  const [first, ...rest] = args
  let value = first
  for (const { guarded } of handlers) value = guarded(value, ...rest) ?? value
  return value
}

async function runAll(handlers: readonly BoundHandler[], args: readonly unknown[]): Promise<void> {
  for (const { guarded } of handlers) await guarded(...args)
}

type Carrier = {
  readonly association?: AssociationBindingScope
  readonly operation?: { readonly association?: AssociationBindingScope }
  readonly server?: BindingScope
} | null | undefined

/** Operations and requests come second, events first; the first argument of the rest is plain data. */
function associationOf(args: readonly unknown[]): AssociationBindingScope | undefined {
  const carrier = (args.length > 1 ? args[1] : args[0]) as Carrier
  return carrier?.association ?? carrier?.operation?.association
}

function serverOf(args: readonly unknown[]): BindingScope | undefined {
  return (args.at(-1) as Carrier)?.server
}

function checkName(name: unknown): asserts name is HookName {
  if (isHookName(name)) return
  const text = String(name)
  const translated = HOOK_NAMES.filter((hook) => HOOK_CATALOG[hook].pynetdicom === text)
  const hint = translated.length > 0 ? `; in dicomtap it is ${translated[0]}` : suggestion(text, HOOK_NAMES)
  throw new DicomtapError('DICOMTAP_ERR_HOOK_UNKNOWN', `There is no hook '${text}'${hint}`)
}
