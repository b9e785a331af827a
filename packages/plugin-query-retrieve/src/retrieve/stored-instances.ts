import { sql } from 'kysely'
import type { InstanceIndex } from '../database/instance-index.ts'
import { oneOf } from './selected-series.ts'
import type { SelectedSeries } from './selected-series.ts'

/** What a sub-operation needs to know of an instance. */
export interface StoredInstance {
  readonly path: string
  readonly sopClassUid: string
  readonly sopInstanceUid: string
  readonly transferSyntaxUid: string
}

/**
 * Rows that are read at once. The database's cursor is closed before the first of them is sent: a retrieval takes as
 * long as its destination does, and a connection or a snapshot of the database must not.
 */
const PAGE_ROWS = 2_000

/**
 * The instances of these series, in order of series and instance number.
 * @param sopInstanceUids empty: all of them
 */
export async function* storedInstances(
  index: InstanceIndex,
  series: readonly SelectedSeries[],
  sopInstanceUids: readonly string[],
  signal?: AbortSignal,
  pageRows: number = PAGE_ROWS,
): AsyncGenerator<StoredInstance, void, undefined> {
  for (const { id } of series) {
    let page: readonly Row[] = []
    do {
      page = await readPage(index, { seriesId: id, sopInstanceUids, after: page.at(-1), pageRows }, signal)
      for (const { path, sopClassUid, sopInstanceUid, transferSyntaxUid } of page) yield { path, sopClassUid, sopInstanceUid, transferSyntaxUid }
    } while (page.length === pageRows)
  }
}

interface Row extends StoredInstance {
  readonly id: number
  readonly number: string
}

interface Page {
  readonly seriesId: number
  readonly sopInstanceUids: readonly string[]
  readonly after: Row | undefined
  readonly pageRows: number
}

async function readPage(index: InstanceIndex, { seriesId, sopInstanceUids, after, pageRows }: Page, signal: AbortSignal | undefined): Promise<Row[]> {
  let query = index.database
    .selectFrom('instance')
    .select([
      'instance.id as id',
      'instance.instance_number as number',
      'instance.path as path',
      'instance.sop_class_uid as sopClassUid',
      'instance.sop_instance_uid as sopInstanceUid',
      'instance.transfer_syntax_uid as transferSyntaxUid',
    ])
    .where('instance.series', '=', seriesId)
    // Normalized numbers of the same length are in order as text.
    .orderBy(sql`length(instance.instance_number)`)
    .orderBy('instance.instance_number')
    .orderBy('instance.id')
    .limit(pageRows)
  for (const condition of oneOf(index, sql.ref('instance.sop_instance_uid'), sopInstanceUids)) query = query.where(condition)
  if (after !== undefined) {
    query = query.where(
      sql<boolean>`(length(instance.instance_number), instance.instance_number, instance.id) > (length(${after.number}), ${after.number}, ${after.id})`,
    )
  }
  const rows: Row[] = []
  for await (const row of index.rows(query, signal)) rows.push(row)
  return rows
}
