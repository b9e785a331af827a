import type { DataSet } from '@dicomtap/framework'
import { ANY_DATE, shift, WITHOUT_ZONE } from '../matching/moments.ts'
import type { LocalOffset } from '../matching/moments.ts'
import { parseDate, parseTime } from '../text/date-time.ts'

/** `+0100` of an offset in minutes (PS3.3 C.12.1.1.8). */
export function offsetText(minutes: number): string {
  const absolute = Math.abs(minutes)
  return `${minutes < 0 ? '-' : '+'}${twoDigits(Math.floor(absolute / 60))}${twoDigits(absolute % 60)}`
}

/**
 * Dates and times of an answer in the zone of the query. A date moves together with its time, `StudyDate` with
 * `StudyTime`; without a time it stays, since nobody knows its moment. Of a time alone the clock is set. DT moves
 * unless it has an offset of its own.
 *
 * @param stored the attributes of the level, among which the other half is found when it is not returned
 * @param ofInstance the offset of the instance
 */
export function inZoneOfQuery(name: string, vr: string, stored: DataSet, ofInstance: LocalOffset, queryMinutes: number): unknown {
  const value = stored[name]
  if (typeof value !== 'string' || WITHOUT_ZONE.has(name)) return value
  const moved = (date: string, time: string): Moment | undefined => shiftedMoment(date, time, (moment) => queryMinutes - ofInstance(moment))
  if (vr === 'DT') {
    const [, date, time] = /^(\d{8})(\d\d(?:\d\d(?:\d\d(?:\.\d{1,6})?)?)?)$/.exec(value.trim()) ?? []
    const moment = date === undefined || time === undefined ? undefined : moved(date, time)
    return moment === undefined ? value : moment.date + moment.time
  }
  if (vr === 'DA') {
    const time = stored[otherHalf(name, 'Date', 'Time')]
    return typeof time === 'string' ? (moved(value, time)?.date ?? value) : value
  }
  if (vr !== 'TM') return value
  const date = stored[otherHalf(name, 'Time', 'Date')]
  return moved(typeof date === 'string' ? date : ANY_DATE, value)?.time ?? value
}

interface Moment {
  readonly date: string
  readonly time: string
}

function otherHalf(name: string, half: string, other: string): string {
  return name.endsWith(half) ? name.slice(0, -half.length) + other : ''
}

const CLOCK = /^(\d\d):?(\d\d)?:?(.*)$/

/** What is finer than minutes stays as it is written. */
function shiftedMoment(date: string, time: string, shiftAt: (moment: string) => number): Moment | undefined {
  const [day, clock] = [parseDate(date.trim()), parseTime(time.trim())]
  const [, hour, minute, rest = ''] = CLOCK.exec(time.trim()) ?? []
  if (day === undefined || clock === undefined || hour === undefined) return undefined
  const moment = day + clock.from
  const shifted = shift(moment, shiftAt(moment))
  const isHourOnly = minute === undefined && shifted.slice(10, 12) === '00'
  return { date: shifted.slice(0, 8), time: shifted.slice(8, isHourOnly ? 10 : 12) + rest }
}

function twoDigits(number: number): string {
  return String(number).padStart(2, '0')
}
