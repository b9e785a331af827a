import type { HookError } from './hook-error.ts'
import type { HookName } from './types.ts'

/** Whose handler it is. */
export interface HandlerName {
  readonly hook: HookName
  readonly plugin: string
}

/** A handler by name, and whom to tell what it did wrong. */
export interface NamedHandler extends HandlerName {
  /** Logs, and fires `hookFailed`. */
  failed(error: HookError): void
}

/** A handler that was asked. One is made for each question: it is two fields. */
export class AskedHandler {
  readonly handler: NamedHandler
  /** It has not answered yet. */
  isPending = true

  constructor(handler: NamedHandler) {
    this.handler = handler
  }
}

/** Kept on what handlers are asked about itself: a WeakMap would cost every operation more than its handlers do. */
const ASKED = Symbol('the handler that was asked last')
type Subject = object & { [ASKED]?: AskedHandler }

const givers = new WeakMap<object, HandlerName>()

/** @param subject what handlers are asked about: an operation, an association, the signal of a connection that came in */
export function nowAsked(subject: object, asked: AskedHandler): void {
  ;(subject as Subject)[ASKED] = asked
}

/** For a handler that another one asks. @returns call it when it has answered: the other one has it in hand again */
export function askedMeanwhile(subject: object, asked: AskedHandler): () => void {
  const before = (subject as Subject)[ASKED]
  ;(subject as Subject)[ASKED] = asked
  return () => {
    asked.isPending = false
    if (before !== undefined && (subject as Subject)[ASKED] === asked) (subject as Subject)[ASKED] = before
  }
}

/** The handler that was asked last about an operation, an association or a connection. */
export function lastAsked(subject: object): NamedHandler | undefined {
  return (subject as Subject)[ASKED]?.handler
}

/** As `lastAsked`, when it has not answered. */
export function pendingHandler(subject: object): NamedHandler | undefined {
  const asked = (subject as Subject)[ASKED]
  return asked?.isPending === true ? asked.handler : undefined
}

/** Whose answer an iterable is. */
export function givenBy(items: object): HandlerName | undefined {
  return givers.get(items)
}

export function isGivenBy(items: object, handler: HandlerName): void {
  givers.set(items, handler)
}
