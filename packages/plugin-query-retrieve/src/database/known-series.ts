import type { IndexedInstance, LevelRow } from '../model/instance.ts'
import type { DatabaseKind } from './instance-index.ts'
import type { Backend } from './backend.ts'
import { digestOf } from './digest.ts'
import { LEVEL_NUMBERS } from './schema.ts'

/** What an instance brings, with the digests of its levels. */
export interface Digested {
  readonly instance: IndexedInstance
  readonly patient: string
  readonly study: string
  readonly series: string
}

export function digested(given: IndexedInstance): Digested {
  const instance = clean(given)
  return {
    instance,
    patient: rememberedDigest(instance.patient, instance.patientKey),
    study: rememberedDigest(instance.study, ''),
    series: rememberedDigest(instance.series, ''),
  }
}

/** The instances of a series may share the rows above them. */
const digests = new WeakMap<LevelRow, { readonly key: string; readonly digest: string }>()

function rememberedDigest(row: LevelRow, key: string): string {
  const known = digests.get(row)
  if (known?.key === key) return known.digest
  const digest = key === '' ? digestOf(row) : digestOf(row, key)
  digests.set(row, { key, digest })
  return digest
}

/**
 * PostgreSQL takes no NUL in text, and SQLite reads less than it wrote. Halves of surrogate pairs that are escaped in
 * JSON would come out of its functions as no UTF-8, which ends the process in libsql.
 */
function clean(instance: IndexedInstance): IndexedInstance {
  const { patient, study, series, patientKey, studyInstanceUid, seriesInstanceUid, sopInstanceUid, sopClassUid, transferSyntaxUid, path } = instance
  const texts = [patientKey, studyInstanceUid, seriesInstanceUid, sopInstanceUid, sopClassUid, transferSyntaxUid, path]
  const areHarmless = !texts.some(isHarmful) && isClean(instance.instance) && [patient, study, series].every((row) => digests.has(row) || isClean(row))
  return areHarmless ? instance : (cleanAll(instance) as IndexedInstance)
}

function isClean({ columns, attributes, keyValues }: LevelRow): boolean {
  if (isHarmful(attributes)) return false
  for (const name in columns) if (isHarmful(columns[name] as string)) return false
  return !keyValues.some(({ value }) => isHarmful(value))
}

const HARMFUL = /\0|\\u(?:d[89a-f]|0000)/i
const isHarmful = (text: string): boolean => HARMFUL.test(text)

/** In JSON: an escaped character, of which those in the first group are replaced. */
const ESCAPED = /\\(?:(u(?:d[89a-f][0-9a-f]{2}|0000))|.)/gis

function cleanAll(value: unknown, name?: string): unknown {
  if (typeof value === 'string') {
    const text = value.replaceAll('\0', '')
    return name === 'attributes' ? text.replace(ESCAPED, (escape, harmful: string | undefined) => (harmful === undefined ? escape : '\\ufffd')) : text
  }
  if (Array.isArray(value)) return value.map((entry) => cleanAll(entry))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, cleanAll(entry, key)]))
}

const TYPES = [...Array.from({ length: 11 }, () => 'text'), 'bigint', 'bigint', 'text'] as const
const PADDING: readonly unknown[] = TYPES.map((type) => (type === 'text' ? '' : 0))

/**
 * The usual instance: patient, study and series are known and have the attributes that it brings. One statement adds
 * all of those, and is its own transaction. Which rows they belong to, and whether these are still as they were, the
 * statement finds out by itself: other processes may have changed them.
 *
 * @returns the paths that were added; the others need more than that
 */
export async function addToKnownSeries(backend: Backend, batch: readonly Digested[]): Promise<ReadonlySet<string>> {
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
  const rows = await backend.run<{ id: number; path: string; replaced: number }>(`add${size}`, statementFor(backend.kind, size), parameters)
  const replaced = rows.filter((row) => row.replaced > 0).map((row) => row.id)
  // What it leaves behind when it is not reached costs a look at an instance that does not match.
  if (replaced.length > 0) await backend.database.deleteFrom('key_value').where('level', '=', LEVEL_NUMBERS.IMAGE).where('owner', 'in', replaced).execute()
  return new Set(rows.map((row) => row.path))
}

/**
 * The same for those that are new to their series, where the database can be written at once.
 * @returns those that need more than that
 */
export function addAtOnce(backend: Backend, batch: readonly Digested[]): readonly Digested[] {
  const plain = batch.filter(({ instance }) => instance.instance.keyValues.length === 0)
  if (backend.writeAtOnce === undefined || plain.length === 0) return batch
  const parameters = plain.map(({ instance, patient, study, series }) => [
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
  const changes = backend.writeAtOnce({ sql: ADD_ONE, parameters })
  if (changes === undefined) return batch
  const added = new Set(plain.filter((_one, index) => changes[index] === 1))
  return batch.filter((one) => !added.has(one))
}

/** Whatever is there already fails: what becomes of it is another statement's matter. */
const ADD_ONE = `insert into instance (series, sop_instance_uid, sop_class_uid, transfer_syntax_uid, instance_number, path, size_bytes, stored_at_ms, attributes)
select s.id, ?, ?, ?, ?, ?, ?, ?, ?
from study as t cross join patient as p cross join series as s
where t.study_instance_uid = ? and t.digest = ? and p.id = t.patient and p.patient_key = ? and p.digest = ?
and s.study = t.id and s.series_instance_uid = ? and s.digest = ?`

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
