import type { DatabaseKind } from './instance-index.ts'
import type { Backend } from './backend.ts'
import type { Digested } from './digested.ts'
import { LEVEL_NUMBERS } from './schema.ts'

const TYPES = [...Array.from({ length: 11 }, () => 'text'), 'bigint', 'bigint', 'text'] as const
const PADDING: readonly unknown[] = TYPES.map((type) => (type === 'text' ? '' : 0))

/** A row of an instance that was added. `replaced`: how often it was before. */
export interface AddedRow {
  readonly id: number
  readonly path: string
  readonly replaced: number
}

/** It has no values of its own that the options want looked up. */
export function isPlain({ instance }: Digested): boolean {
  return instance.instance.keyValues.length === 0
}

/**
 * The usual instance: patient, study and series are known and have the attributes that it brings. One statement adds
 * all of those, and is its own transaction. Which rows they belong to, and whether these are still as they were, the
 * statement finds out by itself: other processes may have changed them.
 *
 * @param batch plain ones
 * @returns the paths that were added; the others need more than that
 */
export async function addToKnownSeries(backend: Backend, batch: readonly Digested[]): Promise<ReadonlySet<string>> {
  const { name, sql, parameters } = additionToKnownSeries(backend.kind, batch)
  const rows = await backend.run<AddedRow>(name, sql, parameters)
  const replaced = replacedOf(rows)
  if (replaced.length > 0) await backend.database.deleteFrom('key_value').where('level', '=', LEVEL_NUMBERS.IMAGE).where('owner', 'in', replaced).execute()
  return new Set(rows.map((row) => row.path))
}

/** Rows that another file of the instance had, with values of its own. Where those stay, they cost a look at an instance that does not match. */
export function replacedOf(rows: readonly AddedRow[]): readonly number[] {
  return rows.filter((row) => row.replaced > 0).map((row) => row.id)
}

/** Returns {@link AddedRow}s. `name` stands for the text. */
export function additionToKnownSeries(kind: DatabaseKind, batch: readonly Digested[]): { readonly name: string; readonly sql: string; readonly parameters: readonly unknown[] } {
  const size = 2 ** Math.ceil(Math.log2(batch.length))
  const parameters = batch.flatMap(({ instance, patient, study, series }) => [
    instance.studyInstanceUid,
    study,
    patient,
    instance.seriesInstanceUid,
    series,
    instance.sopInstanceUid,
    instance.sopClassUid,
    instance.transferSyntaxUid,
    instance.instance.columns['instance_number'] ?? '',
    instance.path,
    instance.patientKey,
    instance.sizeBytes,
    instance.storedAtMs,
    instance.instance.attributes,
  ])
  // Few statements of different sizes can be kept prepared. No study has an empty UID.
  for (let index = batch.length; index < size; index++) parameters.push(...(PADDING as string[]))
  return { name: `add${size}`, sql: statementFor(kind, size), parameters }
}

const statements = new Map<string, string>()

function statementFor(kind: DatabaseKind, size: number): string {
  const name = `${kind}${size}`
  let statement = statements.get(name)
  if (statement === undefined) statements.set(name, (statement = makeStatement(kind, size)))
  return statement
}

function makeStatement(kind: DatabaseKind, size: number): string {
  const parameter = (index: number): string => `cast(${kind === 'postgres' ? `$${index + 1}` : '?'} as ${TYPES[index % TYPES.length] as string})`
  const rows = Array.from({ length: size }, (_, row) => `(${TYPES.map((_type, column) => parameter(row * TYPES.length + column)).join(', ')})`)
  // The study is locked before the series, as everybody does. "cross join" tells SQLite to go from the few new rows to the tables.
  return `insert into instance (series, sop_instance_uid, sop_class_uid, transfer_syntax_uid, instance_number, path, size_bytes, stored_at_ms, attributes)
select s.id, v.column6, v.column7, v.column8, v.column9, v.column10, v.column12, v.column13, v.column14
from (values ${rows.join(', ')}) as v
cross join study as t cross join patient as p cross join series as s
where t.study_instance_uid = v.column1 and t.digest = v.column2
and p.id = t.patient and p.patient_key = v.column11 and p.digest = v.column3
and s.study = t.id and s.series_instance_uid = v.column4 and s.digest = v.column5
${kind === 'postgres' ? 'order by t.id for no key update of t' : ''}
${TAKE_OVER}
returning id, path, replaced`
}

/** The newest file of an instance wins; a file that was written again is its own successor. */
export const TAKE_OVER = `on conflict (series, sop_instance_uid) do update set
sop_class_uid = excluded.sop_class_uid, transfer_syntax_uid = excluded.transfer_syntax_uid, instance_number = excluded.instance_number,
path = excluded.path, size_bytes = excluded.size_bytes, stored_at_ms = excluded.stored_at_ms, attributes = excluded.attributes, replaced = instance.replaced + 1
where excluded.stored_at_ms >= instance.stored_at_ms or excluded.path = instance.path`
