import { harmless, messageOf } from '../errors/index.ts'
import type { Logger } from '../logger.ts'
import type { NamedHandler } from './asked.ts'
import { toHookError } from './hook-error.ts'

type Listener = Parameters<EventTarget['addEventListener']>[1]
type Options = Parameters<EventTarget['addEventListener']>[2]
type Failed = (thrown: unknown) => void

/**
 * A controller of a signal that plugins listen on. What a listener of an EventTarget throws becomes an uncaught
 * exception, which ends the process: with a signal that a peer can have aborted, at the peer's will. Here it is told
 * to whom `failedOf` names when the listener is added. Signals that are made of this one (`AbortSignal.any`) are
 * those of who made them.
 */
export function containedController(failedOf: () => Failed): AbortController {
  const controller = new AbortController()
  const { signal } = controller
  const contained = new WeakMap<Listener, (event: Event) => void>()
  const add = signal.addEventListener.bind(signal) as EventTarget['addEventListener']
  const remove = signal.removeEventListener.bind(signal) as EventTarget['removeEventListener']
  const containedOf = (listener: Listener): ((event: Event) => void) => {
    let known = contained.get(listener)
    if (known === undefined) contained.set(listener, (known = contain(listener, signal, failedOf())))
    return known
  }
  // `onabort` and what Node listens with itself come this way as well.
  return Object.defineProperty(controller, 'signal', {
    value: Object.defineProperties(signal, {
      addEventListener: method((type: string, listener: unknown, options?: Options) => {
        add(type, isListener(listener) ? containedOf(listener) : (listener as never), options)
      }),
      removeEventListener: method((type: string, listener: unknown, options?: Options) => {
        remove(type, isListener(listener) ? (contained.get(listener) ?? listener) : (listener as never), options)
      }),
    }),
  })
}

/** Says whose listener it was when that is known. */
export function listenerFailed(asked: NamedHandler | undefined, log: Logger): Failed {
  return (thrown) => {
    const error = new Error(`a listener on the signal threw: ${messageOf(thrown)}`, { cause: harmless(thrown) })
    if (asked === undefined) log.error('a listener on a signal threw', { error: error.cause })
    else asked.failed(toHookError(asked.hook, asked.plugin, error))
  }
}

function contain(listener: Listener, signal: AbortSignal, failed: Failed): (event: Event) => void {
  return (event) => {
    try {
      const result: unknown = typeof listener === 'function' ? listener.call(signal, event) : listener.handleEvent(event)
      // Node takes the rejection of an async listener for an exception that was thrown.
      if (typeof result === 'object' && result !== null) Promise.resolve(result).catch(failed)
    } catch (thrown) {
      failed(thrown)
    }
  }
}

function isListener(value: unknown): value is Listener {
  return typeof value === 'function' || (typeof value === 'object' && value !== null)
}

function method(value: unknown): PropertyDescriptor {
  return { value, configurable: true, writable: true }
}
