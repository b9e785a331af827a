import { ASSOCIATION_INTERVENTIONS } from './catalog-association.ts'
import { NOTIFICATIONS } from './catalog-notifications.ts'
import { SERVICE_INTERVENTIONS } from './catalog-services.ts'
import { LIFECYCLES, TRANSFORMS } from './catalog-transforms.ts'
import type { HookCatalogEntry } from './catalog-entry.ts'
import type { HookName } from './types.ts'

/**
 * Every hook in the order of the reference page: what it is for, what its handlers get and give, and
 * what holds without them. The hook table is built from it, `docs/reference/hooks.md` is generated
 * from it and `dicomtap hooks` prints it.
 */
export const HOOK_CATALOG: Readonly<Record<HookName, HookCatalogEntry>> = Object.freeze({
  ...NOTIFICATIONS,
  ...ASSOCIATION_INTERVENTIONS,
  ...SERVICE_INTERVENTIONS,
  ...TRANSFORMS,
  ...LIFECYCLES,
})

/** The names of all hooks, in the order of the catalog. */
export const HOOK_NAMES: readonly HookName[] = Object.freeze(Object.keys(HOOK_CATALOG) as HookName[])

export function isHookName(name: unknown): name is HookName {
  return typeof name === 'string' && Object.hasOwn(HOOK_CATALOG, name)
}
