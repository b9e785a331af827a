import { sql } from 'kysely'
import type { Compilable, Expression } from 'kysely'
import type { InstanceIndex } from '../database/instance-index.ts'
import { all, columnCondition } from '../database/conditions.ts'
import type { Condition } from '../database/conditions.ts'
import type { RetrieveSelection } from '../identifier/parse-retrieve-identifier.ts'

/** Which instances are meant: those that all of these restrict to. */
export type Selection = Pick<RetrieveSelection, 'studyInstanceUids' | 'seriesInstanceUids' | 'sopInstanceUids'> & Partial<Pick<RetrieveSelection, 'patientId'>>

/** A series of which something was selected, and how much. */
export interface SelectedSeries {
  readonly id: number
  readonly studyInstanceUid: string
  readonly seriesInstanceUid: string
  readonly instances: number
}

/**
 * The series that a selection is in, in the order in which they are sent: study by study, by series number. Of each
 * only its number of instances is read, so that all can be counted before the first is sent.
 */
export async function selectedSeries(index: InstanceIndex, selection: Selection, signal?: AbortSignal): Promise<SelectedSeries[]> {
  const query = seriesQuery(index, selection)
  const found: SelectedSeries[] = []
  // A selection restricts by something: this is no way to get all that there is.
  if (query === undefined) return found
  for await (const row of index.rows(query, signal)) found.push({ ...row, instances: Number(row.instances) })
  return found
}

interface SeriesRow extends Omit<SelectedSeries, 'instances'> {
  readonly instances: number | string
}

/** Undefined when the selection restricts nothing. */
export function seriesQuery(index: InstanceIndex, selection: Selection): Compilable<SeriesRow> | undefined {
  const conditions = conditionsOf(index, selection)
  if (conditions.length === 0) return undefined
  return index.database
    .selectFrom('study')
    .innerJoin('series', 'series.study', 'study.id')
    .innerJoin('instance', 'instance.series', 'series.id')
    .select(['series.id as id', 'study.study_instance_uid as studyInstanceUid', 'series.series_instance_uid as seriesInstanceUid', sql<number | string>`count(*)`.as('instances')])
    .where(all(conditions))
    .groupBy(['study.id', 'study.study_instance_uid', 'series.series_instance_uid', 'series.series_number', 'series.id'])
    .orderBy('study.id')
    // Normalized numbers of the same length are in order as text.
    .orderBy(sql`length(series.series_number)`)
    .orderBy('series.series_number')
    .orderBy('series.id')
}

function conditionsOf(index: InstanceIndex, selection: Selection): Condition[] {
  const { patientId, studyInstanceUids, seriesInstanceUids, sopInstanceUids } = selection
  return [
    ...(patientId === undefined ? [] : [sql<boolean>`study.patient in (select id from patient where patient_id = ${patientId})`]),
    ...oneOf(index, sql.ref('study.study_instance_uid'), studyInstanceUids),
    ...oneOf(index, sql.ref('series.series_instance_uid'), seriesInstanceUids),
    ...oneOf(index, sql.ref('instance.sop_instance_uid'), sopInstanceUids),
  ]
}

/** Nothing when there are no values: then any will do. */
export function oneOf({ kind }: InstanceIndex, column: Expression<string>, values: readonly string[]): Condition[] {
  if (values.length === 0) return []
  const { condition } = columnCondition(column, { kind: 'list', values }, kind)
  return condition === undefined ? [] : [condition]
}
