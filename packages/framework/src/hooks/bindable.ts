import type { HandlerBindings } from './bindings.ts'
import type { HookHandler, HookHandlers, HookName } from './types.ts'

/** What handlers can be bound to at run time: an ApplicationEntity, a listener, an association. */
export abstract class Bindable {
  /** @internal */
  abstract readonly bindings: HandlerBindings

  /**
   * Binds a handler to a hook, for this object and what lives in it. Also while the server runs; the same
   * handler counts once per hook. The nearest handlers are asked first: association, listener, AE.
   * @throws DICOMTAP_ERR_HOOK_UNKNOWN, DICOMTAP_ERR_HOOK_TAP when `handler` is not a function.
   */
  bind<Name extends HookName>(name: Name, handler: HookHandler<Name>): void {
    this.bindings.bind(name, handler)
  }

  /** @internal Binds what options brought. */
  protected bindAll(handlers: HookHandlers = {}): void {
    for (const [name, handler] of Object.entries(handlers)) {
      if (handler !== undefined) this.bind(name as HookName, handler as HookHandler<HookName>)
    }
  }

  /** Takes a bound handler back; one that is not bound is ignored. @throws DICOMTAP_ERR_HOOK_UNKNOWN */
  unbind<Name extends HookName>(name: Name, handler: HookHandler<Name>): void {
    this.bindings.unbind(name, handler)
  }

  /** Names of the hooks that handlers are bound to here, sorted. */
  boundEvents(): HookName[] {
    return this.bindings.boundEvents()
  }

  /** The handlers bound to a hook here, in the order in which they were bound. @throws DICOMTAP_ERR_HOOK_UNKNOWN */
  handlers<Name extends HookName>(name: Name): HookHandler<Name>[] {
    return this.bindings.handlers(name)
  }
}
