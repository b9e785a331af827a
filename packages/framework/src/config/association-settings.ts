import type { AssociationSettings, AssociationSettingsOptions } from '../association/settings.ts'
import type { SupportedContexts } from '../association/supported-contexts.ts'
import { resolveLimits, resolveTimeouts } from './defaults.ts'
import type { Limits, ResolvedConfig, Timeouts } from './types.ts'

/** What holds in an ApplicationEntity where a listener or `associate` does not say otherwise. */
export interface SettingsScope {
  readonly aeTitle: string
  readonly implementationClassUid: string
  readonly implementationVersionName: string | null
  readonly timeouts: Timeouts
  readonly limits: Limits
  readonly config: ResolvedConfig
}

/** What of the settings of a listener is the same for each of its associations. */
export interface ResolvedScope {
  readonly contexts: SupportedContexts
  readonly timeouts: Timeouts
  readonly limits: Limits
}

/** Contexts, time-outs and limits in the scope of a listener or of `associate`. */
export function resolveScope(
  options: AssociationSettingsOptions,
  { timeouts, limits }: Pick<SettingsScope, 'timeouts' | 'limits'>,
  contexts: SupportedContexts,
): ResolvedScope {
  return { contexts, timeouts: resolveTimeouts(timeouts, options.timeouts), limits: resolveLimits(limits, options.limits) }
}

/** What an association goes by: the options of its listener or of `associate` before those of the ApplicationEntity. */
export function associationSettings(
  options: AssociationSettingsOptions,
  defaults: SettingsScope,
  { contexts, timeouts, limits }: ResolvedScope,
): AssociationSettings {
  const { config } = defaults
  return {
    aeTitle: options.aeTitle ?? defaults.aeTitle,
    implementationClassUid: options.implementationClassUid ?? defaults.implementationClassUid,
    implementationVersionName:
      options.implementationVersionName === undefined ? defaults.implementationVersionName : options.implementationVersionName,
    supportedContexts: contexts.map,
    timeouts,
    limits,
    requireCalledAeTitle: options.requireCalledAeTitle ?? config.requireCalledAeTitle ?? false,
    requireCallingAeTitles: options.requireCallingAeTitles ?? config.requireCallingAeTitles ?? [],
    requireUserIdentity: options.requireUserIdentity ?? config.requireUserIdentity ?? false,
    unrestrictedStorage: options.unrestrictedStorage ?? config.unrestrictedStorage ?? false,
    rejectWhenNoContext: options.rejectWhenNoContext ?? config.rejectWhenNoContext ?? false,
    networkTimeoutAction: options.networkTimeoutAction ?? config.networkTimeoutAction ?? 'abort',
    omittedUserItems: [],
  }
}
