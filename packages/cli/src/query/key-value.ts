import type { Dictionary } from '@dicomtap/framework'
import { UsageError } from '../scu/exit.ts'
import { keywordOf, parseAttributePath } from './attribute-path.ts'
import type { PathStep } from './attribute-path.ts'

/** VRs with one value, in which a backslash is a character like others (PS3.5 6.2). */
const SINGLE_TEXT: ReadonlySet<string> = new Set(['LT', 'ST', 'UR', 'UT'])
const BYTES: ReadonlySet<string> = new Set(['OB', 'OD', 'OF', 'OL', 'OV', 'OW', 'UN', 'ox', 'lt'])

/**
 * The value of a key as a DataSet holds it, from the text behind the `=`. A backslash separates values.
 * Dates may be written `2026-01-31`, `today`, `yesterday`, `today-7`, times `08:30`, and ranges of both
 * `2026-01-01..2026-01-31`.
 *
 * @throws UsageError
 */
export function keyValue(step: PathStep, text: string, dictionary: Dictionary, now: Date = new Date()): unknown {
  if (text === '') return null
  const { vr } = step
  if (vr === 'SQ') throw wrong(step, 'is a sequence: give the attributes in it, e.g. Sequence[0].Attribute=value')
  if (BYTES.has(vr)) {
    throw wrong(step, vr === 'UN' ? 'needs its VR, e.g. 0009,1001:LO=value' : 'holds bytes; only its name can be given')
  }
  if (SINGLE_TEXT.has(vr)) return text
  const values = text.split('\\').map((one) => convert(step, one, dictionary, now))
  return values.length === 1 ? values[0] : values
}

function convert(step: PathStep, text: string, dictionary: Dictionary, now: Date): unknown {
  switch (step.vr) {
    case 'DA':
      return range(text, '-', (one) => date(step, one, now))
    case 'TM':
      return range(text, '-', (one) => time(step, one))
    case 'AT':
      return parseAttributePath(text, dictionary)[0]?.tag
    default:
      return text
  }
}

/** `a..b` and `a-b`, each end of which may be missing (PS3.4 C.2.2.2.5). */
function range(text: string, separator: string, convertOne: (text: string) => string): string {
  if (text === '' || text === '*' || text === '""') return text
  const [from, to, ...more] = text.includes('..') ? text.split('..') : isDicomRange(text) ? text.split('-') : [text]
  if (to === undefined || more.length > 0) return convertOne(text)
  const ends = [from ?? '', to].map((one) => (one === '' ? '' : convertOne(one)))
  return ends.join(separator)
}

function isDicomRange(text: string): boolean {
  return text.length > 1 && /^[\d:.]*-[\d:.]*$/u.test(text)
}

const DAY_MS = 86_400_000

function date(step: PathStep, text: string, now: Date): string {
  const relative = /^(?:(yesterday)|today(?:-(\d{1,5}))?)$/iu.exec(text)
  if (relative !== null) {
    const daysAgo = relative[1] === undefined ? Number(relative[2] ?? 0) : 1
    // From noon, so that no change of summer time leads to another day.
    const noon = new Date(now.getFullYear(), now.getMonth(), now.getDate(), 12).getTime()
    return dicomDate(new Date(noon - daysAgo * DAY_MS))
  }
  const [, year = '', month = '', day = ''] = /^(\d{4})(-?)(\d{2})\2(\d{2})$/u.exec(text)?.filter((_, index) => index !== 2) ?? []
  const parsed = new Date(Number(year), Number(month) - 1, Number(day))
  if (year === '' || parsed.getMonth() !== Number(month) - 1 || parsed.getDate() !== Number(day)) {
    const forms = 'a date such as 20260131, 2026-01-31, today, today-7, or a range such as 2026-01-01..2026-01-31'
    throw wrong(step, `takes ${forms}; got "${text}"`)
  }
  return year + month + day
}

function dicomDate(day: Date): string {
  const two = (number: number): string => String(number).padStart(2, '0')
  return `${String(day.getFullYear()).padStart(4, '0')}${two(day.getMonth() + 1)}${two(day.getDate())}`
}

function time(step: PathStep, text: string): string {
  const isTime = /^(?:[01]\d|2[0-3])(?::?[0-5]\d(?::?(?:[0-5]\d|60)(?:\.\d{1,6})?)?)?$/u.test(text)
  if (!isTime) throw wrong(step, `takes a time such as 0830, 08:30, or a range such as 08:30..17:00; got "${text}"`)
  return text.replaceAll(':', '')
}

function wrong(step: PathStep, what: string): UsageError {
  return new UsageError(`${keywordOf(step)} ${what}`)
}
