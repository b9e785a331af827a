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
    table[name] = new CLASSES[entry.tapable](argumentNames as never, name) as AnyHook
  }
  return Object.freeze(table) as HookTable
}
