import type { Generated } from 'kysely'
import type { Level } from '../model/levels.ts'

/**
 * The tables. Values of key columns are normalized (see `text/`), and `''` when there is none; `attributes` is JSON
 * of what is returned, as it was decoded.
 */
export interface IndexSchema {
  patient: PatientTable
  study: StudyTable
  series: SeriesTable
  instance: InstanceTable
  key_value: KeyValueTable
  name_token: NameTokenTable
  setting: SettingTable
}

export interface PatientTable {
  id: Generated<number>
  /** Unique: Patient ID and issuer, or the study of a patient without one. */
  patient_key: string
  patient_id: string
  issuer: string
  /** Component groups of the name, folded: without case and accents. */
  name_alphabetic: string
  name_ideographic: string
  name_phonetic: string
  birth_date: string
  attributes: string
  /** Of all that is kept of this level, key values included: what is the same is not written again. */
  digest: Generated<string>
}

export interface StudyTable {
  id: Generated<number>
  patient: number
  study_instance_uid: string
  study_date: string
  study_time: string
  accession_number: string
  study_id: string
  attributes: string
  digest: Generated<string>
  /** The greatest `stored_at_ms` of its instances: retention takes studies in this order. Indexed with `size_bytes`. */
  last_stored_at_ms: Generated<number>
  /** The sum of `size_bytes` of its instances. Both are kept by triggers on `instance`. */
  size_bytes: Generated<number>
}

export interface SeriesTable {
  id: Generated<number>
  study: number
  series_instance_uid: string
  modality: string
  series_number: string
  attributes: string
  digest: Generated<string>
}

export interface InstanceTable {
  id: Generated<number>
  series: number
  sop_instance_uid: string
  sop_class_uid: string
  transfer_syntax_uid: string
  instance_number: string
  /** Below the storage folder, with `/`; unique. */
  path: string
  size_bytes: number
  stored_at_ms: number
  attributes: string
  /** How often the row was taken over by another file. */
  replaced: Generated<number>
}

/** Values of attributes that the options want looked up by the database. */
export interface KeyValueTable {
  /** Of the table of `owner`: see {@link LEVEL_NUMBERS}. */
  level: number
  owner: number
  tag: number
  value: string
}

/** What fuzzy matching looks up: the words of a patient's name, and how they sound. */
export interface NameTokenTable {
  patient: number
  token: string
  code: string
}

/** What the index remembers of itself, e.g. which attributes it holds. */
export interface SettingTable {
  name: string
  value: string
}

/** How `key_value` calls the levels. */
export const LEVEL_NUMBERS: Readonly<Record<Level, number>> = { PATIENT: 0, STUDY: 1, SERIES: 2, IMAGE: 3 }
