import { AsyncSeriesBailHook, AsyncSeriesHook, AsyncSeriesWaterfallHook, SyncHook, SyncWaterfallHook } from 'tapable'
import { HOOK_CATALOG, HOOK_NAMES } from './catalog.ts'
import type { HookClassName } from './catalog-entry.ts'
import type { HookTable } from './types.ts'

type AnyHook = HookTable[keyof HookTable]
type HookClass = new (argumentNames: never, name: string) => unknown

const CLASSES: Readonly<Record<HookClassName, HookClass>> = {
  SyncHook,
  SyncWaterfallHook,
  AsyncSeriesHook,
  AsyncSeriesBailHook,
  AsyncSeriesWaterfallHook,
}

/** The hook table of one ApplicationEntity. A test holds it against the types of {@link HookTable}. */
export function createHooks(): HookTable {
  const table: Partial<Record<keyof HookTable, AnyHook>> = {}
  for (const name of HOOK_NAMES) {
    const entry = HOOK_CATALOG[name]
    const argumentNames = entry.arguments.map((argument) => argument.name)
    const hook = new CLASSES[entry.tapable](argumentNames as never, name) as AnyHook
    settleKind(hook.taps)
    settleKind(hook.interceptors)
    table[name] = hook
  }
  return Object.freeze(table) as HookTable
}

/**
 * V8 has kinds of arrays. An empty one begins as one of integers, until it has seen what others from the same place
 * became: those of the first table would be of another kind than those of the next, and code that was compiled for the
 * one not fit for the other.
 */
function settleKind(list: unknown[]): void {
  list.push(undefined)
  list.pop()
}
