import type { DataSet } from '@dicomtap/framework'
import { matches } from '../matching/matches.ts'
import type { LocalOffset } from '../matching/moments.ts'
import type { Level } from '../model/levels.ts'
import type { Query } from '../model/query.ts'
import type { FindPlan } from './plan.ts'
import type { RowAttributes } from './row-attributes.ts'

/** Whether a row of a plan is a match: what SQL could not decide. */
export function rowMatches(row: RowAttributes, { keys, dateTimeKeys }: FindPlan['undecided'], query: Query, timezone: LocalOffset): boolean {
  if (keys.length === 0 && dateTimeKeys.length === 0) return true
  const of = (level: Level): DataSet | undefined => (row.has(level) ? row.of(level) : undefined)
  const levels = { patient: of('PATIENT'), study: of('STUDY'), series: of('SERIES'), instance: of('IMAGE') }
  return matches({ keys, dateTimeKeys, timezoneOffsetMinutes: query.timezoneOffsetMinutes }, levels, timezone)
}
