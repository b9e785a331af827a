import { sql } from 'kysely'
import type { Expression, RawBuilder, SqlBool } from 'kysely'
import type { DatabaseKind } from './instance-index.ts'
import type { Matching } from '../model/query.ts'
import { LONGEST_SQL_PATTERN, behindPrefix, globPattern, isPrefixPattern, likePattern, literalPrefix } from './patterns.ts'

export type Condition = RawBuilder<SqlBool>

/** What SQL says of one key. */
export interface SqlDecision {
  /** What a match must fulfil; undefined: SQL restricts nothing. */
  readonly condition: Condition | undefined
  /** False: rows that fulfil it may still not match. */
  readonly isExact: boolean
}

export const UNDECIDED: SqlDecision = { condition: undefined, isExact: false }
const ALWAYS: SqlDecision = { condition: undefined, isExact: true }
export const NEVER: SqlDecision = { condition: sql<SqlBool>`1 = 0`, isExact: true }

/** Longer lists go to the database as one parameter: it bounds their number. */
const LONGEST_LIST = 200

export function all(conditions: readonly Condition[]): Condition {
  return conditions.length === 0 ? sql<SqlBool>`1 = 1` : sql<SqlBool>`(${sql.join(conditions, sql` and `)})`
}

export function any(conditions: readonly Condition[]): Condition {
  return conditions.length === 0 ? sql<SqlBool>`1 = 0` : sql<SqlBool>`(${sql.join(conditions, sql` or `)})`
}

/** One of them decides: where one restricts nothing, together they do not. */
export function anyOf(decisions: readonly SqlDecision[]): SqlDecision {
  const conditions = decisions.flatMap(({ condition }) => condition ?? [])
  const isExact = decisions.every((decision) => decision.isExact)
  return { condition: conditions.length < decisions.length ? undefined : any(conditions), isExact }
}

export function allOf(decisions: readonly SqlDecision[]): SqlDecision {
  const conditions = decisions.flatMap(({ condition }) => condition ?? [])
  return { condition: conditions.length === 0 ? undefined : all(conditions), isExact: decisions.every(({ isExact }) => isExact) }
}

const exactly = (condition: Condition): SqlDecision => ({ condition, isExact: true })

/** PostgreSQL has no text with NUL, and the values of the columns have none. */
const cannotBe = (text: string | undefined): boolean => text?.includes('\0') === true

/**
 * A column of normalized values, or one of `key_value`, against a matching. Values are parameters always; what they
 * consist of can change nothing but what is compared.
 */
export function columnCondition(column: Expression<string>, matching: Matching, kind: DatabaseKind): SqlDecision {
  switch (matching.kind) {
    case 'universal':
      return ALWAYS
    case 'empty':
      return exactly(sql<SqlBool>`${column} = ''`)
    case 'single':
      return cannotBe(matching.value) ? NEVER : exactly(sql<SqlBool>`${column} = ${matching.value}`)
    case 'list':
      return exactly(isOneOf(column, matching.values.filter((value) => !cannotBe(value)), kind))
    case 'wildcard':
      return cannotBe(matching.pattern) ? NEVER : wildcardCondition(column, matching.pattern, kind)
    case 'range':
      return cannotBe(matching.from) || cannotBe(matching.to) ? NEVER : exactly(rangeCondition(column, matching.from, matching.to))
    case 'all':
    case 'name':
    case 'fuzzyName':
    case 'sequence':
      return UNDECIDED
  }
}

function isOneOf(column: Expression<string>, values: readonly string[], kind: DatabaseKind): Condition {
  if (values.length === 0) return any([])
  if (values.length === 1) return sql<SqlBool>`${column} = ${values[0]}`
  if (values.length <= LONGEST_LIST) return sql<SqlBool>`${column} in (${sql.join(values)})`
  return kind === 'sqlite'
    ? sql<SqlBool>`${column} in (select value from json_each(${JSON.stringify(values)}))`
    : sql<SqlBool>`${column} = any(${values}::text[])`
}

/** What starts with the prefix is a range of the index; the rest of the pattern is looked at within it. */
function wildcardCondition(column: Expression<string>, pattern: string, kind: DatabaseKind): SqlDecision {
  if (/^\*+$/.test(pattern)) return ALWAYS
  const prefix = literalPrefix(pattern)
  if (prefix === pattern) return exactly(sql<SqlBool>`${column} = ${pattern}`)
  const conditions = prefix === '' ? [] : [startsWith(column, prefix)]
  if (isPrefixPattern(pattern)) return exactly(all(conditions))
  if (pattern.length > LONGEST_SQL_PATTERN) return { condition: all(conditions), isExact: false }
  const matches = kind === 'sqlite' ? sql<SqlBool>`${column} glob ${globPattern(pattern)}` : sql<SqlBool>`${column} like ${likePattern(pattern)}`
  return exactly(all([...conditions, matches]))
}

export function startsWith(column: Expression<string>, prefix: string): Condition {
  const behind = behindPrefix(prefix)
  const from = sql<SqlBool>`${column} >= ${prefix}`
  return behind === undefined ? from : all([from, sql<SqlBool>`${column} < ${behind}`])
}

/** Inclusive; what has no value is in no range. */
export function rangeCondition(column: Expression<string>, from: string | undefined, to: string | undefined): Condition {
  const start = from === undefined || from === '' ? sql<SqlBool>`${column} > ''` : sql<SqlBool>`${column} >= ${from}`
  return to === undefined ? start : all([start, sql<SqlBool>`${column} <= ${to}`])
}
