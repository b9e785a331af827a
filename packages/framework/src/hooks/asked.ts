import type { HookError } from './hook-error.ts'
import type { HookName } from './types.ts'

/** Whose handler it is. */
export interface HandlerName {
  readonly hook: HookName
  readonly plugin: string
}

/** The handler that was asked last about something. */
export interface AskedHandler extends HandlerName {
  /** It has not answered yet. */
  isPending: boolean
  /** Logs, and fires `hookFailed`. */
  failed(error: HookError): void
}

const asked = new WeakMap<object, AskedHandler>()
const givers = new WeakMap<object, HandlerName>()

/** @param subject what handlers are asked about: an operation, an association, the signal of a connection that came in */
export function nowAsked(subject: object, handler: AskedHandler): void {
  asked.set(subject, handler)
}

/** The handler that was asked last about an operation, an association or a connection. */
export function lastAsked(subject: object): AskedHandler | undefined {
  return asked.get(subject)
}

/** Whose answer an iterable is. */
export function givenBy(items: object): HandlerName | undefined {
  return givers.get(items)
}

export function isGivenBy(items: object, handler: HandlerName): void {
  givers.set(items, handler)
}
