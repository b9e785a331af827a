import { sql } from 'kysely'
import type { Backend } from './backend.ts'
import type { IndexCounts } from './instance-index.ts'

/** Counts everything: takes as long as a scan of the table of instances. */
export async function readCounts(backend: Backend): Promise<IndexCounts> {
  const { database } = backend
  const count = async (table: 'patient' | 'study'): Promise<number> =>
    (await database.selectFrom(table).select(({ fn }) => fn.countAll<number>().as('count')).executeTakeFirstOrThrow()).count
  const byModality = await database
    .selectFrom('series')
    .leftJoin('instance', 'instance.series', 'series.id')
    .select(({ fn }) => [
      'series.modality',
      fn.count<number>('series.id').distinct().as('series'),
      fn.count<number>('instance.id').as('instances'),
      sql<number>`coalesce(sum(instance.size_bytes), 0)`.as('bytes'),
    ])
    .groupBy('series.modality')
    .orderBy('instances', 'desc')
    .orderBy('series.modality')
    .execute()
  return {
    patients: await count('patient'),
    studies: await count('study'),
    series: byModality.reduce((sum, { series }) => sum + series, 0),
    instances: byModality.reduce((sum, { instances }) => sum + instances, 0),
    bytes: byModality.reduce((sum, { bytes }) => sum + bytes, 0),
    byModality,
    databaseBytes: await backend.databaseBytes(),
  }
}
