import type { HookKind } from './types.ts'

/** The tapable classes in use. */
export type HookClassName = 'SyncHook' | 'SyncWaterfallHook' | 'AsyncSeriesHook' | 'AsyncSeriesBailHook' | 'AsyncSeriesWaterfallHook'

/** One row of the catalog. */
export interface HookCatalogEntry {
  readonly kind: HookKind
  /** The class of the hook in the table. */
  readonly tapable: HookClassName
  /** One sentence: when it fires. */
  readonly fires: string
  /** Argument names with a short description each, in order. */
  readonly arguments: readonly { readonly name: string; readonly type: string; readonly description: string }[]
  /** What a handler gives back; 'nothing' for notification hooks. */
  readonly returns: string
  /** What happens when no handler answers. */
  readonly noAnswer: string
  /** What happens when a handler throws. */
  readonly onError: string
  /** The clause of the standard, e.g. `PS3.7 9.1.1`. */
  readonly clause?: string
  /** pynetdicom's event, for people who come from there. */
  readonly pynetdicom?: string
  readonly since: string
  readonly stability: 'stable' | 'experimental'
}
