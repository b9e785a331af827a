// oxlint-disable unicorn/no-thenable, typescript/only-throw-error -- handlers may do what they like
import { definePlugin, StatusError } from '@dicomtap/framework'
import type { HookFailedEvent, HookName, PluginApi, TapFacade } from '@dicomtap/framework'

/** What a plugin may do wrong in a handler. */
export interface Misbehaviour {
  readonly name: string
  /** `fails`: it throws or rejects. `wrong`: it answers nonsense. `late`: it never answers. */
  readonly kind: 'fails' | 'wrong' | 'late'
  readonly act: (...args: unknown[]) => unknown
}

const trap = (): never => {
  throw new Error('the trap of a proxy')
}
/** @param isSettled it can be told that it is no promise */
const unreadable = (target: object, isSettled = false): object =>
  new Proxy(target, { get: (_, key) => (isSettled && key === 'then' ? undefined : trap()), has: trap, ownKeys: trap, getPrototypeOf: trap, getOwnPropertyDescriptor: trap })

function withGetter(target: object, ...keys: readonly string[]): object {
  for (const key of keys) Object.defineProperty(target, key, { get: trap, enumerable: true })
  return target
}

/** Everything that `throw` takes and that hurts whoever looks at it; a path in each that has one, which no peer may see. */
const THROWN: Readonly<Record<string, () => unknown>> = {
  'an error': () => new Error('/var/lib/secret is full'),
  'undefined': () => undefined,
  'a text': () => '/var/lib/secret is full',
  'a symbol': () => Symbol('/var/lib/secret'),
  'a frozen object': () => Object.freeze({ code: 'DICOMTAP_ERR_DIMSE_STATUS', status: 0 }),
  'a proxy': () => unreadable({}),
  'an error behind a proxy': () => unreadable(new Error('x')),
  'an error that cannot be read': () => withGetter(new Error('x'), 'message', 'stack', 'name', 'code', 'cause'),
  'an error that is its own cause': () => {
    const error = new Error('/var/lib/secret is full')
    return Object.assign(error, { cause: error })
  },
  'an error whose message is none': () => Object.assign(new Error('x'), { message: { toString: trap } }),
}

export const FAILURES: readonly Misbehaviour[] = Object.entries(THROWN).flatMap(([name, make]): Misbehaviour[] => [
  {
    name: `throws ${name}`,
    kind: 'fails',
    act: () => {
      throw make()
    },
  },
  { name: `rejects with ${name}`, kind: 'fails', act: async () => Promise.reject(make() as Error) },
])

/** No answer of any hook. */
export const NONSENSE: readonly Misbehaviour[] = Object.entries<() => unknown>({
  'NaN': () => Number.NaN,
  'true': () => true,
  'a bigint': () => 10n,
  'a symbol': () => Symbol('answer'),
  'a list of nulls': () => [null],
  'a proxy': () => unreadable({}, true),
  'fields that cannot be read': () =>
    withGetter({}, 'status', 'instances', 'host', 'port', 'result', 'verified', 'invoked', 'socket', 'on', 'limits', 'identifier', 'contexts', 'level'),
}).flatMap(([name, make]): Misbehaviour[] => [
  { name: `answers ${name}`, kind: 'wrong', act: make },
  { name: `resolves with ${name}`, kind: 'wrong', act: async () => make() },
])

export const THENABLES: readonly Misbehaviour[] = [
  { name: 'answers a thenable that throws', kind: 'fails', act: () => ({ then: trap }) },
  { name: 'answers what has a then that cannot be read', kind: 'fails', act: () => withGetter({}, 'then') },
  { name: 'answers a thenable that calls both back', kind: 'fails', act: () => ({ then: (_: unknown, no: (e: unknown) => void) => (no(new Error('x')), no(1)) }) },
]

export const NEVER: Misbehaviour = { name: 'never answers', kind: 'late', act: () => new Promise(() => {}) }
export const NEVER_THENABLE: Misbehaviour = { name: 'answers a thenable that does nothing', kind: 'late', act: () => ({ then: () => {} }) }

/** A StatusError of which nothing can be read. */
export const UNREADABLE_STATUS: Misbehaviour = {
  name: 'throws a StatusError that cannot be read',
  kind: 'wrong',
  act: () => {
    throw withGetter(new StatusError(0xa700), 'status', 'errorComment')
  },
}

/** An error like others where there is no operation to end. */
export const STATUS_ERROR: Misbehaviour = {
  name: 'throws a StatusError',
  kind: 'fails',
  act: () => {
    throw new StatusError(0xa700)
  },
}

/** A plugin whose handlers do what it is told at the moment, and what `hookFailed` told of it. */
export interface Rogue {
  readonly plugin: ReturnType<ReturnType<typeof definePlugin>>
  readonly failed: HookFailedEvent[]
  misbehaviour: Misbehaviour | undefined
}

export function rogue(...hooks: readonly HookName[]): Rogue {
  const state: Omit<Rogue, 'plugin'> = { failed: [], misbehaviour: undefined }
  const factory = definePlugin({
    name: 'rogue',
    apply(api: PluginApi) {
      for (const hook of hooks) (api.hooks[hook] as TapFacade<HookName>).tap(((...args: unknown[]) => state.misbehaviour?.act(...args)) as never)
      if (!hooks.includes('hookFailed')) api.hooks.hookFailed.tap((event) => void state.failed.push(event))
    },
  })
  return Object.assign(state, { plugin: factory() as Rogue['plugin'] })
}
