import { sql } from 'kysely'
import type { Expression, RawBuilder } from 'kysely'
import type { DatabaseKind } from '../database/instance-index.ts'
import type { Level } from '../model/levels.ts'
import type { DerivedName, Matching } from '../model/query.ts'
import { NEVER, UNDECIDED, any, columnCondition } from '../database/conditions.ts'
import type { Condition, SqlDecision } from '../database/conditions.ts'
import { columnOf, descendants, notByIndex } from './tables.ts'

/** Attributes that are computed from the rows of the index: of which level they are, and from what. */
type Computed =
  | { readonly kind: 'count'; readonly level: Level; readonly of: Level }
  /** The different values of a column below. */
  | { readonly kind: 'values'; readonly level: Level; readonly of: Level; readonly column: string }
  | { readonly kind: 'column'; readonly level: Level; readonly column: string }

const COMPUTED: Readonly<Partial<Record<DerivedName, Computed>>> = {
  ModalitiesInStudy: { kind: 'values', level: 'STUDY', of: 'SERIES', column: 'modality' },
  SOPClassesInStudy: { kind: 'values', level: 'STUDY', of: 'IMAGE', column: 'sop_class_uid' },
  NumberOfPatientRelatedStudies: { kind: 'count', level: 'PATIENT', of: 'STUDY' },
  NumberOfPatientRelatedSeries: { kind: 'count', level: 'PATIENT', of: 'SERIES' },
  NumberOfPatientRelatedInstances: { kind: 'count', level: 'PATIENT', of: 'IMAGE' },
  NumberOfStudyRelatedSeries: { kind: 'count', level: 'STUDY', of: 'SERIES' },
  NumberOfStudyRelatedInstances: { kind: 'count', level: 'STUDY', of: 'IMAGE' },
  NumberOfSeriesRelatedInstances: { kind: 'count', level: 'SERIES', of: 'IMAGE' },
  AvailableTransferSyntaxUID: { kind: 'column', level: 'IMAGE', column: 'transfer_syntax_uid' },
}

/** The level whose table must be there; undefined when it is not computed from rows. */
export function levelOfDerived(name: DerivedName): Level | undefined {
  return COMPUTED[name]?.level
}

/** A column of the result: a number, a text, or the JSON of a list of texts. */
export function derivedColumn(name: DerivedName, kind: DatabaseKind): RawBuilder<unknown> | undefined {
  const computed = COMPUTED[name]
  switch (computed?.kind) {
    case undefined:
      return undefined
    case 'column':
      return columnOf(computed.level, computed.column)
    case 'count':
      return countOf(computed)
    case 'values': {
      const column = columnOf(computed.of, computed.column)
      const list = kind === 'sqlite' ? sql`json_group_array(distinct ${column})` : sql`json_agg(distinct ${column})::text`
      return sql`(select ${list} ${descendants(computed.of, computed.level)})`
    }
  }
}

/** What the column above says, as a data set has it. */
export function derivedValue(name: DerivedName, value: unknown): unknown {
  switch (COMPUTED[name]?.kind) {
    case 'count':
      return Number(value)
    case 'values': {
      const values = (JSON.parse(typeof value === 'string' ? value : '[]') as string[]).filter((one) => one !== '')
      return values.length === 0 ? null : values.sort()
    }
    default:
      return value === '' || value === undefined ? null : value
  }
}

/** A key on a computed attribute: one of the values must match, or the count. */
export function derivedCondition(name: DerivedName, matching: Matching, kind: DatabaseKind): SqlDecision {
  const computed = COMPUTED[name]
  switch (computed?.kind) {
    case undefined:
      return UNDECIDED
    case 'column':
      return columnCondition(columnOf(computed.level, computed.column), matching, kind)
    case 'count':
      return countCondition(countOf(computed), matching)
    case 'values':
      return oneOfValues(computed, matching, kind)
  }
}

function countOf({ of, level }: Extract<Computed, { kind: 'count' }>): RawBuilder<number> {
  return sql<number>`(select count(*) ${descendants(of, level)})`
}

function countCondition(count: Expression<number>, matching: Matching): SqlDecision {
  const texts = matching.kind === 'single' ? [matching.value] : matching.kind === 'list' ? matching.values : undefined
  if (texts === undefined) return matching.kind === 'universal' ? { condition: undefined, isExact: true } : NEVER
  const numbers = texts.map((text) => (/^\s*\+?\d{1,15}\s*$/.test(text) ? Number(text) : -1))
  return { condition: any(numbers.slice(0, 100).map((number): Condition => sql`${count} = ${number}`)), isExact: true }
}

function oneOfValues(computed: Extract<Computed, { kind: 'values' }>, matching: Matching, kind: DatabaseKind): SqlDecision {
  if (matching.kind === 'all') return allOfValues(computed, matching.each, kind)
  const column = columnOf(computed.of, computed.column)
  const below = descendants(computed.of, computed.level)
  if (matching.kind === 'empty') return { condition: sql`not exists (select 1 ${below} and ${column} <> '')`, isExact: true }
  const { condition, isExact } = columnCondition(notByIndex(column, kind), matching, kind)
  return { condition: condition === undefined ? undefined : sql`exists (select 1 ${below} and ${condition})`, isExact }
}

/** As many of the values are there as were asked for: one condition, however many these are. */
function allOfValues(computed: Extract<Computed, { kind: 'values' }>, each: readonly Matching[], kind: DatabaseKind): SqlDecision {
  const values = [...new Set(each.flatMap((one) => (one.kind === 'single' ? [one.value] : [])))]
  const column = columnOf(computed.of, computed.column)
  const { condition } = columnCondition(notByIndex(column, kind), { kind: 'list', values }, kind)
  if (condition === undefined) return UNDECIDED
  const count = sql`(select count(distinct ${column}) ${descendants(computed.of, computed.level)} and ${condition})`
  return { condition: sql`${count} = ${values.length}`, isExact: true }
}
