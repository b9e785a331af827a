import type { DateTimeKey, Key, Matching } from '../model/query.ts'

type Range = Matching & { readonly kind: 'range' }

/** The date that a time belongs to, where their keywords tell. */
export function dateKeywordOf(timeKeyword: string): string | undefined {
  return timeKeyword.endsWith('Time') && !timeKeyword.endsWith('DateTime') ? `${timeKeyword.slice(0, -'Time'.length)}Date` : undefined
}

/**
 * With combined date-time matching, a range of a date and one of its time that have the same form are one range: from
 * the first time on the first date to the last time on the last (PS3.4 C.2.2.2.5.4).
 *
 * @param isRange whether the key was given as a range: `1030` alone is none
 */
export function combineDateTimes(keys: readonly Key[], isRange: (key: Key) => boolean): { keys: readonly Key[]; dateTimeKeys: readonly DateTimeKey[] } {
  const byName = new Map(keys.map((key) => [key.attribute.name, key]))
  const combined = new Set<Key>()
  const dateTimeKeys: DateTimeKey[] = []
  for (const timeKey of keys) {
    const dateName = timeKey.attribute.vr === 'TM' ? dateKeywordOf(timeKey.attribute.name) : undefined
    const dateKey = byName.get(dateName ?? '')
    if (dateKey?.attribute.vr !== 'DA' || !isRange(timeKey) || !isRange(dateKey)) continue
    const date = dateKey.matching as Range
    const time = timeKey.matching as Range
    const isSameForm = (date.from === undefined) === (time.from === undefined) && (date.to === undefined) === (time.to === undefined)
    if (!isSameForm) continue
    combined.add(timeKey).add(dateKey)
    dateTimeKeys.push({
      date: dateKey.attribute,
      time: timeKey.attribute,
      from: date.from === undefined ? undefined : `${date.from}${time.from}`,
      to: date.to === undefined ? undefined : `${date.to}${time.to}`,
    })
  }
  return { keys: keys.filter((key) => !combined.has(key)), dateTimeKeys }
}
