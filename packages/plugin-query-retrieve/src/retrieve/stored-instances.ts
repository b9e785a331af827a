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
/** Of a list: each is a parameter of the statement. */
const LISTED_ROWS = 500

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
  if (sopInstanceUids.length > 0) {
    yield* listedInstances(index, series, sopInstanceUids, signal)
    return
  }
  for (const { id } of series) {
    let page: readonly Row[] = []
    do {
      page = await readPage(index, { seriesId: id, after: page.at(-1), pageRows }, signal)
      yield* page.map(instanceOf)
    } while (page.length === pageRows)
  }
}

/** Of a list that may be long and spread over as many series: the list goes to the database once. */
async function* listedInstances(
  index: InstanceIndex,
  series: readonly SelectedSeries[],
  sopInstanceUids: readonly string[],
  signal: AbortSignal | undefined,
): AsyncGenerator<StoredInstance, void, undefined> {
  const places = new Map(series.map(({ id }, place) => [id, place]))
  let query = ordered(index).select(['instance.id as id', 'instance.series as series'])
  for (const condition of oneOf(index, sql.ref('instance.sop_instance_uid'), sopInstanceUids)) query = query.where(condition)
  const found: { readonly id: number; readonly place: number }[] = []
  for await (const row of index.rows(query, signal)) {
    const place = places.get(row.series)
    if (place !== undefined) found.push({ id: row.id, place })
  }
  // Within a series they stay in their order.
  found.sort((a, b) => a.place - b.place)
  for (let at = 0; at < found.length; at += LISTED_ROWS) {
    const ids = found.slice(at, at + LISTED_ROWS).map(({ id }) => id)
    const rows = new Map<number, Row>()
    for await (const row of index.rows(index.database.selectFrom('instance').select(COLUMNS).where('instance.id', 'in', ids), signal)) rows.set(row.id, row)
    yield* ids.flatMap((id) => rows.get(id) ?? []).map(instanceOf)
  }
}

function instanceOf({ path, sopClassUid, sopInstanceUid, transferSyntaxUid }: Row): StoredInstance {
  return { path, sopClassUid, sopInstanceUid, transferSyntaxUid }
}

interface Row extends StoredInstance {
  readonly id: number
  readonly number: string
}

interface Page {
  readonly seriesId: number
  readonly after: Row | undefined
  readonly pageRows: number
}

const COLUMNS = [
  'instance.id as id',
  'instance.instance_number as number',
  'instance.path as path',
  'instance.sop_class_uid as sopClassUid',
  'instance.sop_instance_uid as sopInstanceUid',
  'instance.transfer_syntax_uid as transferSyntaxUid',
] as const

/** Normalized numbers of the same length are in order as text. */
function ordered(index: InstanceIndex) {
  return index.database
    .selectFrom('instance')
    .orderBy(sql`length(instance.instance_number)`)
    .orderBy('instance.instance_number')
    .orderBy('instance.id')
}

async function readPage(index: InstanceIndex, { seriesId, after, pageRows }: Page, signal: AbortSignal | undefined): Promise<Row[]> {
  let query = ordered(index).select(COLUMNS).where('instance.series', '=', seriesId).limit(pageRows)
  if (after !== undefined) {
    query = query.where(
      sql<boolean>`(length(instance.instance_number), instance.instance_number, instance.id) > (length(${after.number}), ${after.number}, ${after.id})`,
    )
  }
  const rows: Row[] = []
  for await (const row of index.rows(query, signal)) rows.push(row)
  return rows
}
