/** The first and the last moment that a value of limited precision stands for: `2024` is a year long. */
export interface Span {
  readonly from: string
  readonly to: string
}

const DATE = /^(\d{4})(?:(\d\d)(\d\d)|\.(\d\d)\.(\d\d))$/
const TIME = /^(\d\d)(?::?(\d\d)(?::?(\d\d)(?:\.(\d{1,6}))?)?)?$/
const DATE_TIME = /^(\d{4})(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:\.(\d{1,6}))?)?)?)?)?)?([+-]\d{4})?$/

/**
 * DA as `YYYYMMDD`, also from the form `YYYY.MM.DD` of ACR-NEMA (PS3.5 6.2 note 1); undefined when it is none. Any
 * month may have 31 days: ranges are sent so.
 */
export function parseDate(text: string): string | undefined {
  const [, year, month, day, oldMonth, oldDay] = DATE.exec(text) ?? []
  if (year === undefined) return undefined
  const date = `${year}${month ?? oldMonth}${day ?? oldDay}`
  return isMonthAndDay(date.slice(4, 6), date.slice(6)) ? date : undefined
}

/**
 * TM as `HHMMSS.FFFFFF`, also from the form `HH:MM:SS.frac` of ACR-NEMA. What is left out is zero in `from`, and as
 * late as it can be in `to`.
 */
export function parseTime(text: string): Span | undefined {
  const [, hour, minute, second, fraction] = TIME.exec(text) ?? []
  if (hour === undefined || hour > '23' || (minute ?? '00') > '59' || (second ?? '00') > '60') return undefined
  return { from: timeText(hour, minute, second, fraction, '00', '0'), to: timeText(hour, minute, second, fraction, '59', '9') }
}

function timeText(hour: string, minute: string | undefined, second: string | undefined, fraction: string | undefined, missing: string, digit: string): string {
  return `${hour}${minute ?? missing}${second ?? missing}.${(fraction ?? '').padEnd(6, digit)}`
}

/** As {@link parseTime}, for DT: `YYYYMMDDHHMMSS.FFFFFF`, followed by the offset from UTC when it has one. */
export function parseDateTime(text: string): Span | undefined {
  const [, year, month, day, hour, minute, second, fraction, offset] = DATE_TIME.exec(text) ?? []
  if (year === undefined || !isMonthAndDay(month ?? '01', day ?? '01')) return undefined
  const clock = hour === undefined ? undefined : parseTime(`${hour}${minute ?? ''}${second ?? ''}${fraction === undefined ? '' : `.${fraction}`}`)
  if (hour !== undefined && clock === undefined) return undefined
  const zone = offset ?? ''
  if (zone !== '' && parseOffset(zone) === undefined) return undefined
  const from = `${year}${month ?? '01'}${day ?? '01'}${clock?.from ?? START_OF_DAY}${zone}`
  const to = `${year}${month ?? '12'}${day ?? lastDay(year, month ?? '12')}${clock?.to ?? END_OF_DAY}${zone}`
  return { from, to }
}

export const START_OF_DAY = '000000.000000'
export const END_OF_DAY = '235959.999999'

/** Offset from UTC `+0100` in minutes (PS3.5 6.2, DT); undefined when it is none. */
export function parseOffset(text: string): number | undefined {
  const [, sign, hours, minutes] = /^([+-])(\d\d)(\d\d)$/.exec(text) ?? []
  if (hours === undefined || minutes === undefined || minutes > '59') return undefined
  const total = (Number(hours) * 60 + Number(minutes)) * (sign === '-' ? -1 : 1)
  return total >= -12 * 60 && total <= 14 * 60 ? total : undefined
}

function isMonthAndDay(month: string, day: string): boolean {
  return month >= '01' && month <= '12' && day >= '01' && day <= '31'
}

function lastDay(year: string, month: string): string {
  return String(new Date(Date.UTC(2000 + (Number(year) % 400), Number(month), 0)).getUTCDate()).padStart(2, '0')
}
