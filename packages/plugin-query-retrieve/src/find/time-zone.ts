import type { DataSet } from '@dicomtap/framework'
import { dateText } from './dates.ts'

const MINUTE_MS = 60_000

/** `+0100` of an offset in minutes (PS3.3 C.12.1.1.8). */
export function offsetText(minutes: number): string {
  const absolute = Math.abs(minutes)
  return `${minutes < 0 ? '-' : '+'}${twoDigits(Math.floor(absolute / 60))}${twoDigits(absolute % 60)}`
}

/**
 * Dates and times of an answer in another time zone. A date moves together with its time, `StudyDate` with
 * `StudyTime`; without a time it stays, since nobody knows its moment, as a birth date does. Of a time alone the
 * clock is set. DT moves unless it has an offset of its own.
 *
 * @param stored the attributes of the level, among which the other half is found when it is not returned
 * @param shiftMinutes how much later the clocks of the query are
 */
export function inOtherZone(name: string, vr: string, stored: DataSet, shiftMinutes: number): unknown {
  const value = stored[name]
  if (shiftMinutes === 0 || typeof value !== 'string') return value
  if (vr === 'DT') return shiftedDateTime(value, shiftMinutes)
  if (vr === 'DA') {
    const time = stored[otherHalf(name, 'Date', 'Time')]
    return typeof time === 'string' ? (shiftedMoment(value, time, shiftMinutes)?.date ?? value) : value
  }
  if (vr !== 'TM') return value
  const date = stored[otherHalf(name, 'Time', 'Date')]
  return shiftedMoment(typeof date === 'string' ? date : '20000101', value, shiftMinutes)?.time ?? value
}

function otherHalf(name: string, half: string, other: string): string {
  return name.endsWith(half) ? name.slice(0, -half.length) + other : ''
}

const CLOCK = /^(\d\d):?(\d\d)?:?(.*)$/

/** What is finer than minutes stays as it is written. */
function shiftedMoment(date: string, time: string, shiftMinutes: number): { date: string; time: string } | undefined {
  const [, year, month, day] = /^(\d{4})\.?(\d\d)\.?(\d\d)$/.exec(date.trim()) ?? []
  const [, hour, minute, rest = ''] = CLOCK.exec(time.trim()) ?? []
  if (year === undefined || hour === undefined) return undefined
  const moment = new Date(0)
  moment.setUTCFullYear(Number(year), Number(month) - 1, Number(day))
  moment.setUTCHours(Number(hour), Number(minute ?? 0) + shiftMinutes)
  const shifted = dateText(moment)
  if (shifted === undefined) return undefined
  const minutes = minute === undefined && moment.getUTCMinutes() === 0 ? '' : twoDigits(moment.getUTCMinutes())
  return { date: shifted, time: `${twoDigits(moment.getUTCHours())}${minutes}${rest}` }
}

function shiftedDateTime(value: string, shiftMinutes: number): string {
  const [, date, time] = /^(\d{8})(\d\d(?:\d\d(?:\d\d(?:\.\d{1,6})?)?)?)$/.exec(value.trim()) ?? []
  if (date === undefined || time === undefined) return value
  const moment = shiftedMoment(date, time, shiftMinutes)
  return moment === undefined ? value : moment.date + moment.time
}

function twoDigits(number: number): string {
  return String(number).padStart(2, '0')
}

/** Offset from UTC of this machine at that local date, in minutes. */
export function localOffsetMinutes(date: unknown): number {
  const [, year, month, day] = typeof date === 'string' ? (/^(\d{4})(\d\d)(\d\d)/.exec(date) ?? []) : []
  const moment = year === undefined ? new Date() : new Date(Number(year), Number(month) - 1, Number(day), 12)
  return Math.round((-moment.getTimezoneOffset() * MINUTE_MS) / MINUTE_MS)
}
