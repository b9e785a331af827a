import type { Finding } from '@dicomtap/framework'
import type { Dated } from './credentials.ts'

const DAY_MS = 86_400_000
/** Days before the end at which the operator hears of it; in the last of them every day. */
const WARN_DAYS = [30, 14, 7] as const

/** Why something dated needs attention; undefined when it does not. */
export interface Expiry {
  readonly level: Finding['level']
  /** Changes whenever the operator should hear of it again. */
  readonly step: string
  readonly message: string
}

export function expiryOf({ what, kind, validFrom, validTo }: Dated, now: Date): Expiry | undefined {
  if (validFrom > now) {
    return { level: 'error', step: 'not yet', message: `${what} is not valid before ${day(validFrom)}: is the clock of this machine right?` }
  }
  if (validTo === undefined) return undefined
  const days = Math.floor((validTo.getTime() - now.getTime()) / DAY_MS)
  if (validTo <= now) {
    const effect = kind === 'certificate' ? 'peers refuse it: renew it' : 'every certificate of its CA is refused: get the current list'
    return { level: 'error', step: `expired ${-days}`, message: `${what} has expired on ${day(validTo)}, and ${effect}` }
  }
  const limit = WARN_DAYS.findLast((each) => days <= each)
  // A list lives a week or a day: only its last quarter is worth a word.
  if (limit === undefined || (kind === 'revocation list' && now.getTime() - validFrom.getTime() < 0.75 * (validTo.getTime() - validFrom.getTime()))) return undefined
  const step = limit === WARN_DAYS.at(-1) ? `in ${days}` : `below ${limit}`
  const remaining = days === 0 ? 'today or tomorrow' : `in ${days} ${days === 1 ? 'day' : 'days'}`
  return { level: 'warning', step, message: `${what} expires ${remaining}, on ${day(validTo)}: ${kind === 'certificate' ? 'renew it' : 'get the next list'}` }
}

function day(date: Date): string {
  return Number.isNaN(date.getTime()) ? 'an unknown day' : date.toISOString().slice(0, 10)
}
