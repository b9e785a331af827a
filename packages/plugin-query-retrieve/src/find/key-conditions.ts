import { sql } from 'kysely'
import type { DatabaseKind } from '../database/instance-index.ts'
import { LEVEL_NUMBERS } from '../database/schema.ts'
import type { IndexedAttribute } from '../model/attributes.ts'
import type { DateTimeKey, Key, Matching, NameMatching } from '../model/query.ts'
import { namePatterns } from '../text/names.ts'
import { soundsOf } from '../text/sounds.ts'
import { UNDECIDED, all, allOf, any, anyOf, columnCondition, rangeCondition, startsWith } from '../database/conditions.ts'
import type { Condition, SqlDecision } from '../database/conditions.ts'
import { shiftedDate } from './dates.ts'
import { isFewRows, isManyRows } from './driving-keys.ts'
import { columnOf, idOf, notByIndex } from './tables.ts'

export interface KeyContext {
  readonly kind: DatabaseKind
  /** The query says in which time zone its dates and times are meant, so that those of an instance may fall on another day. */
  readonly isZoned: boolean
  /** The keys that rows are found by; see `drivingKeys`. */
  readonly driving: ReadonlySet<Key>
}

/** What SQL can say of a key: all that match fulfil the condition. */
export function keyCondition(key: Key, context: KeyContext): SqlDecision {
  const { attribute, matching } = key
  if (matching.kind === 'universal') return { condition: undefined, isExact: true }
  if (attribute.name === 'PatientName') return nameCondition(matching, context.kind, context.driving.has(key))
  const restricted = context.isZoned ? zoned(attribute.vr, matching) : matching
  if (restricted === undefined) return UNDECIDED
  const isAsAsked = restricted === matching
  if (attribute.column !== undefined) {
    const column = columnOf(attribute.level, attribute.column)
    const { condition, isExact } = columnCondition(context.driving.has(key) ? column : notByIndex(column, context.kind), restricted, context.kind)
    return { condition, isExact: isExact && isAsAsked }
  }
  if (!attribute.isIndexed) return UNDECIDED
  return { condition: lookedUp(attribute, restricted, { kind: context.kind, isDriving: context.driving.has(key) && !isManyRows(key) }), isExact: false }
}

/** Offsets from -1200 to +1400 are 26 hours apart; and a 31st of February, which ranges have, is counted into March. */
const WIDER_DAYS = 5

/** Dates wider on both sides; times may be any. Undefined: SQL cannot tell. */
function zoned(vr: string, matching: Matching): Matching | undefined {
  if (vr === 'TM' || vr === 'DT') return undefined
  if (vr !== 'DA') return matching
  if (matching.kind === 'range') return { kind: 'range', from: shifted(matching.from, -WIDER_DAYS), to: shifted(matching.to, WIDER_DAYS) }
  if (matching.kind === 'single') return { kind: 'range', from: shifted(matching.value, -WIDER_DAYS), to: shifted(matching.value, WIDER_DAYS) }
  return matching.kind === 'empty' ? matching : undefined
}

const shifted = (date: string | undefined, days: number): string | undefined => (date === undefined ? undefined : shiftedDate(date, days))

/** The date of a date and time attribute that are one range; the rest is decided row by row. */
export function dateTimeCondition({ date, from, to }: DateTimeKey, { kind, isZoned, driving }: KeyContext): Condition | undefined {
  if (date.column === undefined) return undefined
  const day = (moment: string | undefined, days: number): string | undefined => {
    const text = moment?.slice(0, 8)
    return isZoned ? shifted(text, days) : text
  }
  const column = columnOf(date.level, date.column)
  return rangeCondition([...driving].some(isFewRows) ? notByIndex(column, kind) : column, day(from, -WIDER_DAYS), day(to, WIDER_DAYS))
}

/** The column of each component group; names in `key_value` are matched row by row. */
const GROUPS = { alphabetic: 'name_alphabetic', ideographic: 'name_ideographic', phonetic: 'name_phonetic' } as const

function nameCondition(matching: Matching, kind: DatabaseKind, isDriving: boolean): SqlDecision {
  if (matching.kind === 'fuzzyName') return { condition: fuzzyCondition(matching.tokens), isExact: false }
  if (matching.kind === 'empty') {
    return { condition: all(Object.values(GROUPS).map((column): Condition => sql`${columnOf('PATIENT', column)} = ''`)), isExact: true }
  }
  return matching.kind === 'name' ? groupsCondition(matching, kind, isDriving) : UNDECIDED
}

function groupsCondition(matching: NameMatching, kind: DatabaseKind, isDriving: boolean): SqlDecision {
  const names = Object.keys(GROUPS) as (keyof typeof GROUPS)[]
  const group = (name: keyof typeof GROUPS, pattern: string): SqlDecision => {
    const column = isDriving ? columnOf('PATIENT', GROUPS[name]) : notByIndex(columnOf('PATIENT', GROUPS[name]), kind)
    return anyOf(namePatterns(pattern).map((one) => columnCondition(column, { kind: 'wildcard', pattern: one }, kind)))
  }
  const { any: inAnyGroup } = matching
  if (inAnyGroup !== undefined) return anyOf(names.map((name) => group(name, inAnyGroup)))
  return allOf(
    names.flatMap((name) => {
      const pattern = matching[name]
      return pattern === undefined ? [] : [group(name, pattern)]
    }),
  )
}

/** PS3.4 C.2.2.2.1.1 leaves it to the SCP: each word is the beginning of one of the name, or sounds like one. */
function fuzzyCondition(tokens: readonly string[]): Condition {
  return all(
    tokens.map((token): Condition => {
      const sounds = columnCondition(sql.ref<string>('name_token.code'), { kind: 'list', values: soundsOf(token) }, 'sqlite')
      const found = any([startsWith(sql.ref('name_token.token'), token), ...(sounds.condition === undefined ? [] : [sounds.condition])])
      return sql`${idOf('PATIENT')} in (select name_token.patient from name_token where ${found})`
    }),
  )
}

/** Of several values the first ones narrow it down enough. */
const MAXIMUM_LOOKUPS = 8

/** By a value of the attribute: looked up by its index, or by that of its owner once others have found that. */
interface LookupContext {
  readonly kind: DatabaseKind
  readonly isDriving: boolean
}

function lookedUp(attribute: IndexedAttribute, restricted: Matching, context: LookupContext): Condition | undefined {
  if (restricted.kind === 'empty') return undefined
  if (restricted.kind === 'name') return namesLookedUp(attribute, restricted, context)
  if (restricted.kind === 'all') return all(restricted.each.slice(0, MAXIMUM_LOOKUPS).flatMap((matching) => lookedUp(attribute, matching, context) ?? []))
  const { kind, isDriving } = context
  const [tag, value] = [sql.ref<number>('key_value.tag'), sql.ref<string>('key_value.value')]
  const level = sql`key_value.level = ${LEVEL_NUMBERS[attribute.level]}`
  if (isDriving) {
    const { condition } = columnCondition(value, restricted, kind)
    if (condition === undefined) return undefined
    return sql`${idOf(attribute.level)} in (select key_value.owner from key_value where ${level} and ${tag} = ${attribute.tag} and ${condition})`
  }
  const { condition } = columnCondition(notByIndex(value, kind), restricted, kind)
  if (condition === undefined) return undefined
  const which = sql`${level} and ${notByIndex(tag, kind)} = ${attribute.tag} and ${condition}`
  return sql`exists (select 1 from key_value where key_value.owner = ${idOf(attribute.level)} and ${which})`
}

/** Each component group of a name is a value. */
function namesLookedUp(attribute: IndexedAttribute, { any: inAnyGroup, alphabetic, ideographic, phonetic }: NameMatching, context: LookupContext): Condition | undefined {
  const patterns = (inAnyGroup === undefined ? [alphabetic, ideographic, phonetic] : [inAnyGroup]).filter((pattern) => pattern !== undefined)
  const conditions = patterns.flatMap((pattern) => {
    const found = namePatterns(pattern).map((one) => lookedUp(attribute, { kind: 'wildcard', pattern: one }, context) ?? [])
    return found.flat().length < found.length ? [] : [any(found.flat())]
  })
  return conditions.length === 0 ? undefined : all(conditions)
}
