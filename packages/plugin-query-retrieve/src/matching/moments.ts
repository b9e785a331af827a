import { parseOffset } from '../text/date-time.ts'

/** Offset from UTC in minutes of a local date and time `YYYYMMDDHHMMSS.FFFFFF`. */
export type LocalOffset = (moment: string) => number

/**
 * The offset of instances that do not say theirs: a fixed one, or that of this machine at that time.
 * @param timezone `+0100`, as in the options
 */
export function localOffset(timezone: string | undefined): LocalOffset {
  const fixed = timezone === undefined ? undefined : parseOffset(timezone)
  if (fixed !== undefined) return () => fixed
  return (moment) => {
    const [year, month, day, hour, minute] = partsOf(moment)
    const date = new Date(2000, 0)
    date.setFullYear(year, month - 1, day)
    date.setHours(hour, minute)
    // Offsets of long ago have seconds.
    return -Math.round(date.getTimezoneOffset())
  }
}

function partsOf(moment: string): readonly [number, number, number, number, number] {
  return [Number(moment.slice(0, 4)), Number(moment.slice(4, 6)), Number(moment.slice(6, 8)), Number(moment.slice(8, 10)), Number(moment.slice(10, 12))]
}

/** `YYYYMMDDHHMMSS.FFFFFF` without and its offset at the end. */
export const MOMENT_CHARACTERS = 21

/** Nobody is born in a zone: birthdays do not move with who asks. */
export const WITHOUT_ZONE: ReadonlySet<string> = new Set(['PatientBirthDate', 'PatientBirthTime'])

/** The day that a time is on which has no date. */
export const ANY_DATE = '20000101'

/** A local date and time moved by so many minutes. */
export function shift(moment: string, minutes: number): string {
  if (minutes === 0) return moment
  const [year, month, day, hour, minute] = partsOf(moment)
  const date = new Date(0)
  date.setUTCFullYear(year, month - 1, day)
  date.setUTCHours(hour, minute + minutes)
  if (date.getUTCFullYear() < 0 || date.getUTCFullYear() > 9999) return moment
  const text = `${digits(date.getUTCFullYear(), 4)}${digits(date.getUTCMonth() + 1)}${digits(date.getUTCDate())}${digits(date.getUTCHours())}${digits(date.getUTCMinutes())}`
  return text + moment.slice(12, MOMENT_CHARACTERS)
}

function digits(value: number, count = 2): string {
  return String(value).padStart(count, '0')
}

/** A normalized DT in UTC; `otherwise` is the offset of one that has none. */
export function toUtc(dateTime: string, otherwise: LocalOffset): string {
  const moment = dateTime.slice(0, MOMENT_CHARACTERS)
  const offset = parseOffset(dateTime.slice(MOMENT_CHARACTERS)) ?? otherwise(moment)
  return shift(moment, -offset)
}
