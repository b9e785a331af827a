import { sql } from 'kysely'
import type { CompiledQuery, Compilable, Kysely, RawBuilder } from 'kysely'
import type { DatabaseKind, InstanceIndex, QueryWork } from '../database/instance-index.ts'
import type { IndexSchema } from '../database/schema.ts'
import type { IndexedAttribute } from '../model/attributes.ts'
import type { Level } from '../model/levels.ts'
import type { Key, Query } from '../model/query.ts'
import type { Condition, SqlDecision } from '../database/conditions.ts'
import { derivedColumn, derivedCondition, levelOfDerived } from './derived.ts'
import { drivingKeys, isScan } from './driving-keys.ts'
import { dateTimeCondition, keyCondition } from './key-conditions.ts'
import type { KeyContext } from './key-conditions.ts'
import { TABLES, columnOf, depthOf, joined } from './tables.ts'

/** One match, maybe: `<table>_attributes`, UIDs by keyword, computed attributes by keyword. */
export type FindRow = Readonly<Record<string, string | number | bigint | null>>

export interface FindPlan {
  readonly query: Compilable<FindRow>
  /** What must be decided of each row: SQL gives more than match. */
  readonly undecided: Pick<Query, 'keys' | 'dateTimeKeys'>
  /** Whether few rows of many that the database looks at may come out. */
  readonly work: QueryWork
}

/** Attributes that are returned from a column: they are stored as they came. */
export const UID_COLUMNS: Readonly<Record<string, { readonly level: Level; readonly column: string }>> = {
  StudyInstanceUID: { level: 'STUDY', column: 'study_instance_uid' },
  SeriesInstanceUID: { level: 'SERIES', column: 'series_instance_uid' },
  SOPInstanceUID: { level: 'IMAGE', column: 'sop_instance_uid' },
  SOPClassUID: { level: 'IMAGE', column: 'sop_class_uid' },
}

/** The column of a row that has the attributes of a level, as JSON. */
export function attributesColumn(level: Level): string {
  return `${TABLES[level]}_attributes`
}

/**
 * A query in SQL: no match is missing from its rows, and those that are too many are told by `undecided`. Rows are
 * not sorted, so that the first one comes before the last one is known.
 */
export function planFind(query: Query, { kind, database }: Pick<InstanceIndex, 'kind' | 'database'>): FindPlan {
  const plan = new Plan(query, kind)
  for (const key of query.keys) plan.addKey(key)
  for (const key of query.dateTimeKeys) plan.addDateTimeKey(key)
  for (const { name, matching } of query.derivedKeys) plan.addDerivedKey(levelOfDerived(name), derivedCondition(name, matching, kind))
  for (const attribute of query.returned) plan.addReturned(attribute)
  for (const name of query.derived) {
    const column = derivedColumn(name, kind)
    const level = levelOfDerived(name)
    if (column !== undefined && level !== undefined) plan.addColumn(level, name, column)
  }
  return { query: plan.compilable(database), undecided: plan.undecided, work: isScan(query) ? 'scan' : 'lookup' }
}

class Plan {
  readonly #query: Query
  readonly #context: KeyContext
  readonly #columns = new Map<string, RawBuilder<unknown>>()
  readonly #conditions: Condition[] = []
  readonly #undecidedKeys: Key[] = []
  readonly #undecidedDateTimeKeys: Query['dateTimeKeys'][number][] = []
  #highest: Level

  constructor(query: Query, kind: DatabaseKind) {
    this.#query = query
    this.#highest = query.level
    this.#context = { kind, isZoned: query.timezoneOffsetMinutes !== undefined, driving: drivingKeys(query) }
  }

  get undecided(): FindPlan['undecided'] {
    return { keys: this.#undecidedKeys, dateTimeKeys: this.#undecidedDateTimeKeys }
  }

  /** Keys are of the level of the query or above: others are not supported. */
  addKey(key: Key): void {
    const { condition, isExact } = keyCondition(key, this.#context)
    this.#useTable(key.attribute.level)
    if (condition !== undefined) this.#conditions.push(condition)
    if (isExact) return
    this.#undecidedKeys.push(key)
    this.#addAttributes(key.attribute.level)
  }

  addDateTimeKey(key: Query['dateTimeKeys'][number]): void {
    const condition = dateTimeCondition(key, this.#context)
    this.#addAttributes(key.date.level)
    this.#addAttributes(key.time.level)
    if (condition !== undefined) this.#conditions.push(condition)
    this.#undecidedDateTimeKeys.push(key)
  }

  addDerivedKey(level: Level | undefined, { condition }: SqlDecision): void {
    if (level === undefined || condition === undefined || this.#isBelow(level)) return
    this.#useTable(level)
    this.#conditions.push(condition)
  }

  addReturned({ name, level }: IndexedAttribute): void {
    if (this.#isBelow(level)) return
    const uid = UID_COLUMNS[name]
    if (uid === undefined) this.#addAttributes(level)
    else this.addColumn(uid.level, name, columnOf(uid.level, uid.column))
  }

  addColumn(level: Level, name: string, column: RawBuilder<unknown>): void {
    if (this.#isBelow(level)) return
    this.#useTable(level)
    this.#columns.set(name, column)
  }

  compilable(database: Kysely<IndexSchema>): Compilable<FindRow> {
    const columns = [...this.#columns].map(([name, column]) => sql`${column} as ${sql.id(name)}`)
    const what = columns.length === 0 ? sql`1 as found` : sql.join(columns)
    const which = this.#conditions.length === 0 ? sql`` : sql` where ${sql.join(this.#conditions, sql` and `)}`
    const statement = sql<FindRow>`select ${what} from ${joined(this.#query.level, this.#highest)}${which}`
    return { compile: (): CompiledQuery<FindRow> => statement.compile(database) }
  }

  #addAttributes(level: Level): void {
    this.addColumn(level, attributesColumn(level), columnOf(level, 'attributes'))
  }

  #useTable(level: Level): void {
    if (depthOf(level) < depthOf(this.#highest)) this.#highest = level
  }

  #isBelow(level: Level): boolean {
    return depthOf(level) > depthOf(this.#query.level)
  }
}
