import { sql } from 'kysely'
import type { RawBuilder } from 'kysely'
import type { DatabaseKind } from '../database/instance-index.ts'
import type { Level } from '../model/levels.ts'
import { LEVELS } from '../model/levels.ts'

/** The table of each level. */
export const TABLES: Readonly<Record<Level, 'patient' | 'study' | 'series' | 'instance'>> = {
  PATIENT: 'patient',
  STUDY: 'study',
  SERIES: 'series',
  IMAGE: 'instance',
}

/** What the rows of each level but the first point with at the one above. */
const PARENTS: Readonly<Record<Level, string>> = { PATIENT: '', STUDY: 'patient', SERIES: 'study', IMAGE: 'series' }

export const depthOf = (level: Level): number => LEVELS.indexOf(level)

export function columnOf(level: Level, column: string): RawBuilder<string> {
  return sql<string>`${sql.ref(`${TABLES[level]}.${column}`)}`
}

export function idOf(level: Level): RawBuilder<number> {
  return sql<number>`${sql.ref(`${TABLES[level]}.id`)}`
}

/** The rows of a level each with its rows of the levels above it, up to `highest`. */
export function joined(lowest: Level, highest: Level): RawBuilder<unknown> {
  const parts: RawBuilder<unknown>[] = [sql`${sql.table(TABLES[lowest])}`]
  for (let depth = depthOf(lowest); depth > depthOf(highest); depth--) {
    const [level, above] = [LEVELS[depth] as Level, LEVELS[depth - 1] as Level]
    parts.push(sql`inner join ${sql.table(TABLES[above])} on ${idOf(above)} = ${parentOf(level)}`)
  }
  return sql.join(parts, sql` `)
}

/** The column of a level that points at the level above it. */
export function parentOf(level: Level): RawBuilder<number> {
  return sql<number>`${sql.ref(`${TABLES[level]}.${PARENTS[level]}`)}`
}

/** Rows of `level` that belong to a row of `ancestor`, for subqueries: what follows `select ...`. */
export function descendants(level: Level, ancestor: Level): RawBuilder<unknown> {
  const below = LEVELS[depthOf(ancestor) + 1] as Level
  return sql`from ${joined(level, below)} where ${parentOf(below)} = ${idOf(ancestor)}`
}

/** The same value, which SQLite then does not look up by an index; PostgreSQL has its statistics always. */
export function notByIndex<T>(column: RawBuilder<T>, kind: DatabaseKind): RawBuilder<T> {
  return kind === 'sqlite' ? sql<T>`+${column}` : column
}
