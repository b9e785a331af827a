import type { DataSet } from '@dicomtap/framework'
import type { IndexedAttribute } from '../model/attributes.ts'
import type { DateTimeKey, Matching } from '../model/query.ts'
import { END_OF_DAY, parseOffset, START_OF_DAY } from '../text/date-time.ts'
import { normalizedValues, textOf } from '../text/values.ts'
import { isBetween, matchesTexts } from './match-texts.ts'
import { ANY_DATE, MOMENT_CHARACTERS, shift, toUtc, WITHOUT_ZONE, type LocalOffset } from './moments.ts'

/** Time zones of a comparison. */
export interface Zones {
  /** Of the instance. */
  readonly instance: LocalOffset
  /** Of the query, when it counts (PS3.4 C.2.2.2.1.3); undefined: times are compared as they are written. */
  readonly queryMinutes: number | undefined
}

/** @param otherwise the offset of instances without Timezone Offset From UTC (0008,0201) */
export function zonesOf(attributes: DataSet, queryMinutes: number | undefined, otherwise: LocalOffset): Zones {
  const own = parseOffset(textOf(attributes['TimezoneOffsetFromUTC']))
  return { instance: own === undefined ? otherwise : () => own, queryMinutes }
}

/** A local moment of the instance, in the zone of the query. */
function inQueryZone(moment: string, { instance, queryMinutes }: Zones): string {
  return queryMinutes === undefined ? moment : shift(moment, queryMinutes - instance(moment))
}

/**
 * The values of a DA or TM attribute in the zone of the query. A date moves with its time, when it has one, and a time
 * around the clock; other dates stay (PS3.4 C.2.2.2.1.3, C.2.2.2.5.4 note).
 */
export function datesInQueryZone({ name, vr }: IndexedAttribute, attributes: DataSet, zones: Zones): readonly string[] {
  const values = normalizedValues(vr, attributes[name])
  if (zones.queryMinutes === undefined || WITHOUT_ZONE.has(name)) return values
  if (vr === 'TM') {
    const dates = normalizedValues('DA', attributes[name.replace(/Time$/, 'Date')])
    return values.map((time, index) => inQueryZone((dates[index] ?? ANY_DATE) + time, zones).slice(8))
  }
  const times = normalizedValues('TM', attributes[name.replace(/Date$/, 'Time')])
  return values.map((date, index) => {
    const time = times[index]
    return time === undefined ? date : inQueryZone(date + time, zones).slice(0, 8)
  })
}

/** A key on a DT, which is a moment: an offset in the value counts before that of the instance or the query (PS3.4 C.2.2.2.5.3). */
export function matchesDateTimes(matching: Matching, { name }: IndexedAttribute, attributes: DataSet, zones: Zones): boolean {
  const { queryMinutes, instance } = zones
  const ofKey = (text: string): string => toUtc(text, queryMinutes === undefined ? instance : () => queryMinutes)
  const values = normalizedValues('DT', attributes[name]).map((value) => toUtc(value, instance))
  if (matching.kind === 'single') return values.includes(ofKey(matching.value))
  if (matching.kind !== 'range') return matchesTexts(matching, values)
  const from = matching.from === undefined ? undefined : ofKey(matching.from)
  const to = matching.to === undefined ? undefined : ofKey(matching.to)
  return values.some((value) => isBetween(value, from, to))
}

/** A date and its time as one moment. One without time is any moment of its day, and matches when one of them does. */
export function matchesCombined({ date, time, from, to }: DateTimeKey, attributes: DataSet, zones: Zones): boolean {
  const [day] = normalizedValues('DA', attributes[date.name])
  if (day === undefined) return false
  const [clock] = normalizedValues('TM', attributes[time.name])
  const moved = (moment: string): string => (WITHOUT_ZONE.has(date.name) ? moment : inQueryZone(moment, zones)).slice(0, MOMENT_CHARACTERS)
  const first = moved(day + (clock ?? START_OF_DAY))
  const last = moved(day + (clock ?? END_OF_DAY))
  return (from === undefined || last >= from) && (to === undefined || first <= to)
}
