import type { Transaction } from 'kysely'
import type { Level } from '../model/levels.ts'
import type { DatabaseKind, Removed } from './instance-index.ts'
import { LEVEL_NUMBERS, type IndexSchema } from './schema.ts'

/** Rows that may have nothing left below them. */
export interface Emptied {
  readonly series: Set<number>
  readonly studies: Set<number>
  readonly patients: Set<number>
}

/** Parameters of one statement. */
const AT_ONCE = 1000

/** Forgets files, and what is empty then. */
export async function removePaths(transaction: Transaction<IndexSchema>, kind: DatabaseKind, paths: readonly string[]): Promise<Removed> {
  const emptied: Emptied = { series: new Set(), studies: new Set(), patients: new Set() }
  const ids: number[] = []
  for (const part of parts(paths)) {
    const found = await transaction
      .selectFrom('instance')
      .innerJoin('series', 'series.id', 'instance.series')
      .innerJoin('study', 'study.id', 'series.study')
      .select(['instance.id', 'instance.series', 'series.study', 'study.patient'])
      .where('instance.path', 'in', part)
      .execute()
    for (const row of found) {
      ids.push(row.id)
      emptied.series.add(row.series)
      emptied.studies.add(row.study)
      emptied.patients.add(row.patient)
    }
  }
  if (ids.length === 0) return { instances: 0, series: 0, studies: 0, patients: 0 }
  // In the order of those who add: patients, studies, series.
  if (kind === 'postgres') {
    for (const [table, rows] of [['patient', emptied.patients], ['study', emptied.studies], ['series', emptied.series]] as const) await lock(transaction, table, rows)
  }
  let instances = 0
  for (const part of parts(ids)) {
    const { numDeletedRows } = await transaction.deleteFrom('instance').where('id', 'in', part).executeTakeFirstOrThrow()
    instances += Number(numDeletedRows)
    await transaction.deleteFrom('key_value').where('level', '=', LEVEL_NUMBERS.IMAGE).where('owner', 'in', part).execute()
  }
  return { instances, ...(await removeEmpty(transaction, kind, emptied)) }
}

/** Of these rows, deletes those that nothing is below of, and goes on above them. */
export async function removeEmpty(transaction: Transaction<IndexSchema>, kind: DatabaseKind, { series, studies, patients }: Emptied): Promise<Omit<Removed, 'instances'>> {
  let [seriesGone, studiesGone, patientsGone] = [0, 0, 0]
  for (const part of parts([...series])) {
    if (kind === 'postgres') await lock(transaction, 'series', part)
    const gone = await transaction
      .deleteFrom('series')
      .where('id', 'in', part)
      .where(({ not, exists, selectFrom }) => not(exists(selectFrom('instance').select('instance.id').whereRef('instance.series', '=', 'series.id'))))
      .returning(['id', 'study'])
      .execute()
    await forgetValues(transaction, 'SERIES', gone)
    for (const { study } of gone) studies.add(study)
    seriesGone += gone.length
  }
  for (const part of parts([...studies])) {
    if (kind === 'postgres') await lock(transaction, 'study', part)
    const gone = await transaction
      .deleteFrom('study')
      .where('id', 'in', part)
      .where(({ not, exists, selectFrom }) => not(exists(selectFrom('series').select('series.id').whereRef('series.study', '=', 'study.id'))))
      .returning(['id', 'patient'])
      .execute()
    await forgetValues(transaction, 'STUDY', gone)
    for (const { patient } of gone) patients.add(patient)
    studiesGone += gone.length
  }
  for (const part of parts([...patients])) {
    if (kind === 'postgres') await lock(transaction, 'patient', part)
    const gone = await transaction
      .deleteFrom('patient')
      .where('id', 'in', part)
      .where(({ not, exists, selectFrom }) => not(exists(selectFrom('study').select('study.id').whereRef('study.patient', '=', 'patient.id'))))
      .returning(['id'])
      .execute()
    await forgetValues(transaction, 'PATIENT', gone)
    patientsGone += gone.length
  }
  return { series: seriesGone, studies: studiesGone, patients: patientsGone }
}

/**
 * Waits for those who add something below these rows. The statement after this one sees what they added; one that
 * deletes without it would decide by what was there when it began.
 */
async function lock(transaction: Transaction<IndexSchema>, table: 'patient' | 'study' | 'series', ids: Iterable<number>): Promise<void> {
  for (const part of parts([...ids].sort((a, b) => a - b))) await transaction.selectFrom(table).select('id').where('id', 'in', part).orderBy('id').forUpdate().execute()
}

async function forgetValues(transaction: Transaction<IndexSchema>, level: Level, gone: readonly { readonly id: number }[]): Promise<void> {
  if (gone.length === 0) return
  await transaction.deleteFrom('key_value').where('level', '=', LEVEL_NUMBERS[level]).where('owner', 'in', gone.map(({ id }) => id)).execute()
}

function parts<T>(list: readonly T[]): readonly (readonly T[])[] {
  return Array.from({ length: Math.ceil(list.length / AT_ONCE) }, (_, index) => list.slice(index * AT_ONCE, (index + 1) * AT_ONCE))
}
