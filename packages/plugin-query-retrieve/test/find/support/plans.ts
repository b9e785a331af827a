import { CompiledQuery } from 'kysely'
import type { InstanceIndex } from '../../../dist/database/instance-index.js'
import { planFind } from '../../../dist/find/plan.js'
import type { Query } from '../../../dist/model/query.js'
import { attribute, key, queryOf } from './queries.js'

/** As long as they are, about: a database weighs what it would have to read. */
const ATTRIBUTES = JSON.stringify({ StudyDescription: 'x'.repeat(400) })

/** Rows of which each has values of its own: a patient for three studies, two series and ten instances for each study. */
export async function fillSynthetic(index: InstanceIndex, studies: number): Promise<void> {
  const rows = (table: string, columns: string, values: string, count: number) =>
    index.database.executeQuery(
      CompiledQuery.raw(`insert into ${table} (${columns}) with recursive n(i) as (select 0 union all select i + 1 from n where i < ${count - 1}) select ${values} from n order by i`),
    )
  await rows('patient', 'patient_key, patient_id, issuer, name_alphabetic, name_ideographic, name_phonetic, birth_date, attributes', `'k' || i, 'P' || i, '', 'name' || i || '^x', '', '', '19700101', '${ATTRIBUTES}'`, studies / 3)
  await rows('study', 'patient, study_instance_uid, study_date, study_time, accession_number, study_id, attributes', `1 + i / 3, '1.2.' || i, '' || (20200101 + i % 1500), '100000.000000', 'A' || i, 'S' || i, '${ATTRIBUTES}'`, studies)
  await rows('series', 'study, series_instance_uid, modality, series_number, attributes', `1 + i / 2, '1.3.' || i, case when i % 2 = 0 then 'CT' else 'MR' end, '1', '${ATTRIBUTES}'`, studies * 2)
  await rows('instance', 'series, sop_instance_uid, sop_class_uid, transfer_syntax_uid, instance_number, path, attributes', `1 + i / 5, '1.4.' || i, '1.2.840', '1.2', '' || (i % 5), 'p' || i, '${ATTRIBUTES}'`, studies * 10)
}

const single = (name: string, value: string) => key(name, { kind: 'single', value })
const everything = ['PatientName', 'StudyInstanceUID', 'StudyDate'].map(attribute)

/** Queries that must be found by an index, by its name; relational and hierarchical ones. */
export const SELECTIVE: readonly (readonly [index: string, query: Query])[] = [
  ['study_by_study_instance_uid', queryOf({ keys: [single('StudyInstanceUID', '1.2.77')], returned: everything })],
  ['study_by_study_instance_uid', queryOf({ level: 'SERIES', keys: [single('StudyInstanceUID', '1.2.77')], returned: [attribute('SeriesInstanceUID'), attribute('Modality')] })],
  ['study_by_study_instance_uid', queryOf({ keys: [key('StudyInstanceUID', { kind: 'list', values: ['1.2.77', '1.2.78'] })], returned: everything })],
  ['study_by_study_instance_uid', queryOf({ level: 'SERIES', keys: [single('StudyInstanceUID', '1.2.77'), single('Modality', 'CT')], returned: [attribute('SeriesInstanceUID')] })],
  ['patient_by_patient_id', queryOf({ keys: [single('PatientID', 'P77')], returned: everything, derived: ['ModalitiesInStudy', 'NumberOfStudyRelatedInstances'] })],
  ['patient_by_patient_id', queryOf({ level: 'IMAGE', keys: [single('PatientID', 'P77'), single('Modality', 'CT')], returned: everything })],
  ['patient_by_patient_id', queryOf({ level: 'PATIENT', keys: [key('PatientID', { kind: 'wildcard', pattern: 'P77*' })], returned: [attribute('PatientName')] })],
  ['patient_by_name_alphabetic', queryOf({ keys: [key('PatientName', { kind: 'name', any: 'name77*' })], returned: everything })],
  ['study_by_study_date', queryOf({ keys: [single('StudyDate', '20200178')], returned: everything })],
  ['study_by_study_date', queryOf({ keys: [key('StudyDate', { kind: 'range', from: '20200178', to: '20200180' })], returned: everything, derivedKeys: [{ name: 'ModalitiesInStudy', matching: { kind: 'single', value: 'CT' } }] })],
  ['study_by_accession_number', queryOf({ keys: [single('AccessionNumber', 'A77')], returned: everything })],
  ['series_by_series_instance_uid', queryOf({ level: 'SERIES', keys: [single('SeriesInstanceUID', '1.3.77')], returned: [attribute('Modality')] })],
  ['series_by_', queryOf({ level: 'IMAGE', keys: [single('StudyInstanceUID', '1.2.77'), single('SeriesInstanceUID', '1.3.154')], returned: [attribute('SOPInstanceUID')] })],
  ['instance_by_sop_instance_uid', queryOf({ level: 'IMAGE', keys: [single('SOPInstanceUID', '1.4.770')], returned: [attribute('InstanceNumber')] })],
]

/** How a database goes about a query, line by line. */
export async function explain(index: InstanceIndex, query: Query): Promise<string> {
  const { sql, parameters } = planFind(query, index).query.compile()
  const prefix = index.kind === 'sqlite' ? 'explain query plan' : 'explain'
  const { rows } = await index.database.executeQuery(CompiledQuery.raw(`${prefix} ${sql}`, [...parameters]))
  return (rows as readonly Record<string, unknown>[]).map((row) => String(row['detail'] ?? row['QUERY PLAN'])).join('\n')
}

export async function run(index: InstanceIndex, statement: string): Promise<void> {
  await index.database.executeQuery(CompiledQuery.raw(statement))
}
