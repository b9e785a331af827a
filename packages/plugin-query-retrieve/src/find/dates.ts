const DAY_MS = 86_400_000

/** A date so many days later; undefined when `YYYYMMDD` is none, or leaves the years that can be written. */
export function shiftedDate(date: string, days: number): string | undefined {
  const [, year, month, day] = /^(\d{4})(\d\d)(\d\d)$/.exec(date) ?? []
  if (year === undefined) return undefined
  const moment = new Date(0)
  moment.setUTCFullYear(Number(year), Number(month) - 1, Number(day))
  return dateText(new Date(moment.getTime() + days * DAY_MS))
}

/** `YYYYMMDD` in UTC. */
export function dateText(moment: Date): string | undefined {
  const year = moment.getUTCFullYear()
  if (!(year >= 0 && year <= 9999)) return undefined
  const two = (number: number): string => String(number).padStart(2, '0')
  return `${String(year).padStart(4, '0')}${two(moment.getUTCMonth() + 1)}${two(moment.getUTCDate())}`
}
