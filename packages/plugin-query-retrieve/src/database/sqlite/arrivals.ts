import type { Digested } from '../digested.ts'
import { TAKE_OVER } from '../known-series.ts'
import type { Connection } from './connection.ts'

/**
 * Instances that are new to a known series arrive in a table of their own: one row there changes two pages of the
 * database, one in `instance` with its indexes and the sums of its study about nine. Many are moved together, for a
 * fraction of that.
 *
 * Nobody sees the difference, in whichever process: what reads does so after what had arrived was taken in, and what
 * writes anything else takes it in first, in its own transaction. So the rows above an arrival are as they were when it
 * came, and neither its path nor its UID in its series is in `instance`.
 */
const COLUMNS = ['series', 'sop_instance_uid', 'sop_class_uid', 'transfer_syntax_uid', 'instance_number', 'path', 'size_bytes', 'stored_at_ms', 'attributes'] as const

/** Changes nothing where the series is not known, or not as it is, or the instance or its path has a row. */
const ARRIVE = `insert into arrival (${COLUMNS.join(', ')})
select s.id, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8
from study as t cross join patient as p cross join series as s
where t.study_instance_uid = ?9 and t.digest = ?10 and p.id = t.patient and p.patient_key = ?11 and p.digest = ?12
and s.study = t.id and s.series_instance_uid = ?13 and s.digest = ?14
and not exists (select 1 from instance as i where i.series = s.id and i.sop_instance_uid = ?1)
and not exists (select 1 from instance as i where i.path = ?5)`

/** Whether it did; else it needs more than that. */
function arrives(connection: Connection, { instance, patient, study, series }: Digested): boolean {
  const { changes } = connection.run(ARRIVE, [
    instance.sopInstanceUid,
    instance.sopClassUid,
    instance.transferSyntaxUid,
    instance.instance.columns['instance_number'] ?? '',
    instance.path,
    instance.sizeBytes,
    instance.storedAtMs,
    instance.instance.attributes,
    instance.studyInstanceUid,
    study,
    instance.patientKey,
    patient,
    instance.seriesInstanceUid,
    series,
  ])
  return changes === 1
}

const FIRST_ARRIVAL = 'select path from arrival order by id limit 1'

const TAKE_IN = `insert into instance (${COLUMNS.join(', ')})
select ${COLUMNS.join(', ')} from arrival where true order by id
${TAKE_OVER}`

/** Rows of files that hold another instance now. */
const FORGET_OVERWRITTEN = `delete from instance where path in (select path from arrival) and not exists (
select 1 from arrival as a where a.path = instance.path and a.series = instance.series and a.sop_instance_uid = instance.sop_instance_uid)`

/** The path of the one that arrived before all others. Before the tables are made, nothing arrives. */
export function firstArrival(connection: Connection): string | undefined {
  try {
    return connection.run(FIRST_ARRIVAL, []).rows[0]?.[0] as string | undefined
  } catch (error) {
    if ((error as Error).message.includes('no such table')) return undefined
    throw error
  }
}

function hasArrivals(connection: Connection): boolean {
  return firstArrival(connection) !== undefined
}

/** Inside of a transaction. */
function takeIn(connection: Connection): void {
  if (!hasArrivals(connection)) return
  try {
    connection.run(TAKE_IN, [])
  } catch (error) {
    if (!String((error as { code?: unknown }).code).startsWith('SQLITE_CONSTRAINT')) throw error
    // By the rules above no path has a row yet; but a program that does not know them must not keep all others from reading.
    connection.run(FORGET_OVERWRITTEN, [])
    connection.run(TAKE_IN, [])
  }
  connection.run('delete from arrival', [])
}

/** Begins a transaction in which nothing is left to be taken in. */
export function beginSettled(connection: Connection): void {
  connection.begin()
  try {
    takeIn(connection)
  } catch (error) {
    connection.rollBack()
    throw error
  }
}

/** Takes in what has arrived. */
export function settle(connection: Connection): void {
  if (hasArrivals(connection)) settled(connection, () => undefined)
}

/** The same, and does something in the same transaction. */
export function settled<T>(connection: Connection, work: () => T): T {
  beginSettled(connection)
  return endOf(connection, work)
}

/** Has those arrive that can, in one transaction. */
export function arriveTogether(connection: Connection, batch: readonly Digested[]): ReadonlySet<Digested> {
  connection.begin()
  return endOf(connection, () => new Set(batch.filter((one) => arrives(connection, one))))
}

/** Does the last part of a transaction. */
export function endOf<T>(connection: Connection, work: () => T): T {
  try {
    const result = work()
    connection.commit()
    return result
  } catch (error) {
    connection.rollBack()
    throw error
  }
}
