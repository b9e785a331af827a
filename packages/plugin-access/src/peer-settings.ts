import type { AssociationSettings } from '@dicomtap/framework'
import { OMITTABLE_USER_ITEMS } from './peers-file/types.ts'
import type { Profile } from './peers-file/types.ts'

/** The settings of an association with what holds for its peer. */
export function settingsFor(settings: AssociationSettings, profile: Profile): AssociationSettings {
  const { limits, timeouts, quirks, requireUserIdentity, unrestrictedStorage, rejectWhenNoContext } = profile
  const omitted = new Set(settings.omittedUserItems)
  for (const item of quirks?.omitUserItems ?? []) omitted.add(OMITTABLE_USER_ITEMS[item])
  if (quirks?.noAsynchronousOperations === true) omitted.add(OMITTABLE_USER_ITEMS.asynchronousOperations)
  return {
    ...settings,
    limits: { ...settings.limits, ...withoutUndefined(limits) },
    timeouts: { ...settings.timeouts, ...withoutUndefined(timeouts) },
    omittedUserItems: [...omitted],
    ...withoutUndefined({ requireUserIdentity, unrestrictedStorage, rejectWhenNoContext }),
  }
}

function withoutUndefined<T extends object>(values: T | undefined): { [Key in keyof T]?: Exclude<T[Key], undefined> } {
  return Object.fromEntries(Object.entries(values ?? {}).filter(([, value]) => value !== undefined)) as never
}
