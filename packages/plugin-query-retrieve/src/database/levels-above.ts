import { sql, type Kysely, type Transaction } from 'kysely'
import type { IndexedInstance, LevelRow } from '../model/instance.ts'
import type { Level } from '../model/levels.ts'
import { nameTokens } from '../text/sounds.ts'
import type { DatabaseKind } from './instance-index.ts'
import { LEVEL_NUMBERS, type IndexSchema } from './schema.ts'

/** Somebody else made the same row at the same time: the transaction is to be tried again. */
export class Collision extends Error {
  override readonly name: string = 'Collision'
}

type LevelTable = 'patient' | 'study' | 'series'

interface LevelDefinition {
  readonly level: Level
  readonly key: string
  readonly parent: 'patient' | 'study' | undefined
  readonly columns: readonly string[]
  /** How its row is found from `study t` and `series s`. */
  readonly row: string
}

const LEVELS: Readonly<Record<LevelTable, LevelDefinition>> = {
  patient: {
    level: 'PATIENT',
    key: 'patient_key',
    parent: undefined,
    columns: ['patient_id', 'issuer', 'name_alphabetic', 'name_ideographic', 'name_phonetic', 'birth_date'],
    row: 't.patient',
  },
  study: { level: 'STUDY', key: 'study_instance_uid', parent: 'patient', columns: ['study_date', 'study_time', 'accession_number', 'study_id'], row: 't.id' },
  series: { level: 'SERIES', key: 'series_instance_uid', parent: 'study', columns: ['modality', 'series_number'], row: 's.id' },
}

/** One of the rows above the instances, with the instance that was stored last of those that bring it. */
export interface WantedRow {
  readonly key: string
  readonly parent: number | undefined
  readonly digest: string
  readonly row: LevelRow
  readonly instance: IndexedInstance
}

export interface WrittenLevel {
  /** The row of each key; of a series with its study: see {@link rowKey}. */
  readonly ids: ReadonlyMap<string, number>
  /** Parents that rows were taken from. */
  readonly left: readonly number[]
  /** Rows that belong to another parent, but an instance that was stored later says so. */
  readonly kept: number
}

interface Found {
  readonly id: number
  readonly key: string
  readonly digest: string
  readonly parent: number | null
}

export function rowKey(key: string, parent: number | undefined): string {
  return `${parent ?? ''}\n${key}`
}

/** Makes the rows that are missing, and changes those that differ, unless an instance that was stored later made them so. */
export async function writeLevel(transaction: Transaction<IndexSchema>, kind: DatabaseKind, table: LevelTable, wanted: readonly WantedRow[]): Promise<WrittenLevel> {
  const { key, parent } = LEVELS[table]
  // The same study can be met under two patients: it is one row, which may move. A series belongs to its study.
  const identify = (name: string, above: number | null | undefined): string => (table === 'series' ? rowKey(name, above ?? undefined) : name)
  const database = transaction as unknown as Kysely<Record<string, Record<string, unknown>>>

  let query = database
    .selectFrom(table)
    .select(['id', `${key} as key`, 'digest', parent === undefined ? sql<null>`null`.as('parent') : `${parent} as parent`])
    .where(key, 'in', [...new Set(wanted.map((row) => row.key))])
    .orderBy('id')
  if (table === 'series') query = query.where('study', 'in', [...new Set(wanted.map((row) => row.parent))])
  if (kind === 'postgres') query = query.forNoKeyUpdate()
  const found = new Map(((await query.execute()) as unknown as Found[]).map((row) => [identify(row.key, row.parent), row]))

  const ids = new Map([...found].map(([name, { id }]) => [name, id]))
  const written: { readonly id: number; readonly row: LevelRow }[] = []
  const left: number[] = []
  let kept = 0

  const missing = wanted.filter((row) => !found.has(identify(row.key, row.parent))).sort((a, b) => (a.key < b.key ? -1 : 1))
  if (missing.length > 0) {
    const made = (await database
      .insertInto(table)
      .values(missing.map((row) => ({ [key]: row.key, ...valuesOf(table, row) })))
      .onConflict((conflict) => conflict.doNothing())
      .returning(['id', `${key} as key`, parent === undefined ? sql<null>`null`.as('parent') : `${parent} as parent`])
      .execute()) as unknown as Found[]
    if (made.length < missing.length) throw new Collision()
    for (const row of made) ids.set(identify(row.key, row.parent), row.id)
    for (const row of missing) written.push({ id: ids.get(identify(row.key, row.parent)) as number, row: row.row })
  }

  const changed: number[] = []
  for (const row of wanted) {
    const before = found.get(identify(row.key, row.parent))
    const hasMoved = table === 'study' && before?.parent !== row.parent
    if (before === undefined || (before.digest === row.digest && !hasMoved)) continue
    const { numUpdatedRows } = await database
      .updateTable(table)
      .set(valuesOf(table, row))
      .where('id', '=', before.id)
      .where(sql<boolean>`not ${isStoredLater(table, before.id, row.instance.storedAtMs)}`)
      .executeTakeFirst()
    if (numUpdatedRows === 0n) {
      if (hasMoved) kept++
      continue
    }
    if (hasMoved && before.parent !== null) left.push(before.parent)
    changed.push(before.id)
    written.push({ id: before.id, row: row.row })
  }
  await writeLookups(transaction, table, changed, written)
  return { ids, left, kept }
}

function valuesOf(table: LevelTable, { parent, digest, row }: WantedRow): Record<string, unknown> {
  const definition = LEVELS[table]
  return {
    ...(definition.parent === undefined ? {} : { [definition.parent]: parent }),
    ...Object.fromEntries(definition.columns.map((column) => [column, row.columns[column] ?? ''])),
    attributes: row.attributes,
    digest,
  }
}

function isStoredLater(table: LevelTable, id: number, storedAtMs: number): ReturnType<typeof sql<boolean>> {
  return sql<boolean>`exists (
    select 1 from study t join series s on s.study = t.id join instance i on i.series = s.id
    where ${sql.raw(LEVELS[table].row)} = ${id} and t.last_stored_at_ms > ${storedAtMs} and i.stored_at_ms > ${storedAtMs}
  )`
}

async function writeLookups(transaction: Transaction<IndexSchema>, table: LevelTable, changed: readonly number[], written: readonly { readonly id: number; readonly row: LevelRow }[]): Promise<void> {
  const { level } = LEVELS[table]
  await writeKeyValues(transaction, level, changed, written)
  if (table !== 'patient') return
  if (changed.length > 0) await transaction.deleteFrom('name_token').where('patient', 'in', changed).execute()
  const tokens = written.flatMap(({ id, row }) => {
    const { name_alphabetic: alphabetic = '', name_ideographic: ideographic = '', name_phonetic: phonetic = '' } = row.columns
    return nameTokens({ alphabetic, ideographic, phonetic }).map(({ token, code }) => ({ patient: id, token, code }))
  })
  for (const part of parts(tokens)) await transaction.insertInto('name_token').values(part).execute()
}

/** The values of some rows instead of those of `changed`. */
export async function writeKeyValues(
  transaction: Transaction<IndexSchema>,
  level: Level,
  changed: readonly number[],
  written: readonly { readonly id: number; readonly row: LevelRow }[],
): Promise<void> {
  if (changed.length > 0) await transaction.deleteFrom('key_value').where('level', '=', LEVEL_NUMBERS[level]).where('owner', 'in', changed).execute()
  const values = written.flatMap(({ id, row }) => row.keyValues.map(({ tag, value }) => ({ level: LEVEL_NUMBERS[level], owner: id, tag, value })))
  for (const part of parts(values)) await transaction.insertInto('key_value').values(part).execute()
}

/** So many rows as a statement can have: SQLite takes 32766 parameters. */
function parts<T>(rows: readonly T[]): readonly (readonly T[])[] {
  const size = 1000
  return Array.from({ length: Math.ceil(rows.length / size) }, (_, index) => rows.slice(index * size, (index + 1) * size))
}
