import { sql, type Transaction } from 'kysely'
import type { Digested } from './digested.ts'
import type { DatabaseKind } from './instance-index.ts'
import { TAKE_OVER } from './known-series.ts'
import { rowKey, writeKeyValues, writeLevel, type WantedRow } from './levels-above.ts'
import { removeEmpty, type Emptied } from './remove-rows.ts'
import { LEVEL_NUMBERS, type IndexSchema } from './schema.ts'

/**
 * Instances of which something is new. The rows above them come first, from the patient down and in a fixed order,
 * so that processes that write at once wait for each other instead of blocking one another.
 */
export async function addAny(transaction: Transaction<IndexSchema>, kind: DatabaseKind, batch: readonly Digested[]): Promise<void> {
  const emptied: Emptied = { series: new Set(), studies: new Set(), patients: new Set() }

  const patients = await writeLevel(
    transaction,
    kind,
    'patient',
    newest(batch, ({ instance, patient }) => ({ key: instance.patientKey, parent: undefined, digest: patient, row: instance.patient, instance })),
  )
  const studies = await writeLevel(
    transaction,
    kind,
    'study',
    newest(batch, ({ instance, study }) => ({ key: instance.studyInstanceUid, parent: patients.ids.get(instance.patientKey), digest: study, row: instance.study, instance })),
  )
  for (const patient of studies.left) emptied.patients.add(patient)
  if (studies.kept > 0) for (const patient of patients.ids.values()) emptied.patients.add(patient)
  const series = await writeLevel(
    transaction,
    kind,
    'series',
    newest(batch, ({ instance, series }) => ({ key: instance.seriesInstanceUid, parent: studies.ids.get(instance.studyInstanceUid), digest: series, row: instance.series, instance })),
  )

  const rows = batch
    .map(({ instance }) => ({ instance, series: series.ids.get(rowKey(instance.seriesInstanceUid, studies.ids.get(instance.studyInstanceUid))) as number }))
    .sort((a, b) => a.series - b.series || (a.instance.sopInstanceUid < b.instance.sopInstanceUid ? -1 : 1))
  await forgetOverwritten(transaction, rows, emptied)

  const values = rows.map(
    ({ instance, series }) =>
      sql`(${sql.join([
        series,
        instance.sopInstanceUid,
        instance.sopClassUid,
        instance.transferSyntaxUid,
        instance.instance.columns['instance_number'] ?? '',
        instance.path,
        instance.sizeBytes,
        instance.storedAtMs,
        instance.instance.attributes,
      ])})`,
  )
  const { rows: written } = await sql<{ id: number; path: string; replaced: number }>`
    insert into instance (series, sop_instance_uid, sop_class_uid, transfer_syntax_uid, instance_number, path, size_bytes, stored_at_ms, attributes)
    values ${sql.join(values)} ${sql.raw(TAKE_OVER)} returning id, path, replaced`.execute(transaction)
  const byPath = new Map(rows.map(({ instance }) => [instance.path, instance.instance]))
  await writeKeyValues(
    transaction,
    'IMAGE',
    written.filter(({ replaced }) => replaced > 0).map(({ id }) => id),
    written.flatMap(({ id, path }) => {
      const row = byPath.get(path)
      return row === undefined ? [] : [{ id, row }]
    }),
  )
  await removeEmpty(transaction, kind, emptied)
}

/** Of each row, what the instance says that was stored last. */
function newest(batch: readonly Digested[], wantedOf: (digested: Digested) => WantedRow): readonly WantedRow[] {
  const wanted = new Map<string, WantedRow>()
  for (const digested of batch) {
    const row = wantedOf(digested)
    const key = rowKey(row.key, row.parent)
    const other = wanted.get(key)
    if (other === undefined || row.instance.storedAtMs >= other.instance.storedAtMs) wanted.set(key, row)
  }
  return [...wanted.values()]
}

/** A file that holds another instance now: the one that it held is gone. */
async function forgetOverwritten(
  transaction: Transaction<IndexSchema>,
  rows: readonly { readonly instance: Digested['instance']; readonly series: number }[],
  emptied: Emptied,
): Promise<void> {
  const held = await transaction
    .selectFrom('instance')
    .select(['id', 'series', 'sop_instance_uid', 'path'])
    .where('path', 'in', rows.map(({ instance }) => instance.path))
    .execute()
  if (held.length === 0) return
  const byPath = new Map(rows.map((row) => [row.instance.path, row]))
  const gone = held.filter(({ path, series, sop_instance_uid: uid }) => {
    const now = byPath.get(path)
    return now !== undefined && (now.series !== series || now.instance.sopInstanceUid !== uid)
  })
  if (gone.length === 0) return
  const ids = gone.map(({ id }) => id)
  await transaction.deleteFrom('instance').where('id', 'in', ids).execute()
  await transaction.deleteFrom('key_value').where('level', '=', LEVEL_NUMBERS.IMAGE).where('owner', 'in', ids).execute()
  for (const { series } of gone) emptied.series.add(series)
}
