import type { DataSet } from '@dicomtap/framework'
import { boundText, columnText } from '../text/bounded.ts'
import { foldName, NO_NAME } from '../text/names.ts'
import { normalizedValues, textOf } from '../text/values.ts'
import type { AttributeCatalogue, IndexedAttribute } from './attributes.ts'
import type { IndexedInstance, LevelRow } from './instance.ts'
import type { Level } from './levels.ts'
import { newRoom, storedValue } from './stored-attributes.ts'

/** Where the data set was read, and what its file meta information says. */
export interface InstanceFile {
  readonly path: string
  readonly sizeBytes: number
  readonly storedAtMs: number
  readonly transferSyntaxUid: string
}

/** Columns that are no part of a level's row: `IndexedInstance` has them. */
const IDENTIFYING_COLUMNS: ReadonlySet<string> = new Set(['study_instance_uid', 'series_instance_uid', 'sop_instance_uid', 'sop_class_uid'])

/** Kept at each level: how its text was encoded, and which zone its times are of. */
const KEPT_AT_EACH_LEVEL = ['SpecificCharacterSet', 'TimezoneOffsetFromUTC'] as const
const MAXIMUM_CHARACTER_SETS = 8
const MAXIMUM_TERM_CHARACTERS = 32

/**
 * What the index keeps of an instance. Undefined when it lacks one of the UIDs, or one is none.
 *
 * Nothing of a data set makes it fail: values, items and levels that are too large are cut (10240 characters of a
 * value, 256 values, 64 items, 64 KiB of a level; the attributes that have columns come first). What is matched and
 * returned is what was kept.
 */
export function describeInstance(dataset: DataSet, file: InstanceFile, attributes: AttributeCatalogue): IndexedInstance | undefined {
  const [studyInstanceUid, seriesInstanceUid, sopInstanceUid, sopClassUid] = [
    uidOf(dataset, 'StudyInstanceUID'),
    uidOf(dataset, 'SeriesInstanceUID'),
    uidOf(dataset, 'SOPInstanceUID'),
    uidOf(dataset, 'SOPClassUID'),
  ]
  if (studyInstanceUid === undefined || seriesInstanceUid === undefined || sopInstanceUid === undefined || sopClassUid === undefined) return undefined
  const patient = describeLevel(dataset, 'PATIENT', attributes)
  return {
    patientKey: patientKeyOf(patient, studyInstanceUid),
    patient,
    studyInstanceUid,
    study: describeLevel(dataset, 'STUDY', attributes),
    seriesInstanceUid,
    series: describeLevel(dataset, 'SERIES', attributes),
    sopInstanceUid,
    sopClassUid,
    transferSyntaxUid: columnText(boundText(file.transferSyntaxUid)),
    instance: describeLevel(dataset, 'IMAGE', attributes),
    path: file.path,
    sizeBytes: file.sizeBytes,
    storedAtMs: file.storedAtMs,
  }
}

/** Patient ID and issuer; without a Patient ID each study has a patient of its own (PS3.3 C.7.1.1). */
export function patientKeyOf(patient: LevelRow, studyInstanceUid: string): string {
  const { patient_id: patientId = '', issuer = '' } = patient.columns
  return JSON.stringify(patientId === '' ? ['', '', studyInstanceUid] : [patientId, issuer])
}

const UID = /^[0-9.]{1,64}$/

export function uidOf(dataset: DataSet, name: string): string | undefined {
  const uid = textOf(dataset[name])
  return UID.test(uid) ? uid : undefined
}

export function describeLevel(dataset: DataSet, level: Level, attributes: AttributeCatalogue): LevelRow {
  const columns: Record<string, string> = {}
  const keyValues: { tag: number; value: string }[] = []
  const stored: DataSet = {}
  const vrs: Record<string, string> = {}
  const room = newRoom()
  for (const name of KEPT_AT_EACH_LEVEL) {
    const terms = termsOf(dataset[name])
    if (terms.some((term) => term !== '')) stored[name] = terms.length === 1 ? terms[0] : terms
  }
  for (const attribute of inOrder(attributes.ofLevel(level))) {
    const value = storedValue(attribute.vr, readable(attribute, dataset[attribute.name]), room)
    if (value !== undefined) stored[attribute.name] = value
    const vr = value === undefined ? undefined : vrToKeep(attribute, dataset)
    if (vr !== undefined) vrs[attribute.name] = vr
    addColumns(columns, attribute, value)
    if (attribute.isIndexed) for (const one of comparableTexts(attribute, value)) keyValues.push({ tag: attribute.tag, value: one })
  }
  if (Object.keys(vrs).length > 0) stored['_vrMap'] = vrs
  return { columns, attributes: JSON.stringify(stored), keyValues }
}

/** The values as they stand: an empty first one of Specific Character Set is the default repertoire (PS3.3 C.12.1.1.2). */
function termsOf(value: unknown): readonly string[] {
  const terms: readonly unknown[] = Array.isArray(value) ? value.slice(0, MAXIMUM_CHARACTER_SETS) : [value]
  return terms.map((term) => textOf(term).slice(0, MAXIMUM_TERM_CHARACTERS))
}

/** The VR of an attribute that the dictionary does not tell. */
function vrToKeep({ name, tag, vr }: IndexedAttribute, dataset: DataSet): string | undefined {
  if (vr === 'xs') return (dataset['_vrMap'] as Readonly<Record<string, string>> | undefined)?.[name]
  return isPrivate(tag) ? vr : undefined
}

/** When there is no room for all: first what has a column, sequences last. */
const ordered = new WeakMap<readonly IndexedAttribute[], readonly IndexedAttribute[]>()

function inOrder(attributes: readonly IndexedAttribute[]): readonly IndexedAttribute[] {
  let order = ordered.get(attributes)
  if (order === undefined) {
    const rank = ({ column, isIndexed, vr }: IndexedAttribute): number => (column !== undefined ? 0 : isIndexed ? 1 : vr === 'SQ' ? 3 : 2)
    order = [...attributes].sort((a, b) => rank(a) - rank(b))
    ordered.set(attributes, order)
  }
  return order
}

function isPrivate(tag: number): boolean {
  return ((tag >>> 16) & 1) === 1
}

/** A private attribute that was sent in Implicit VR has no VR and is bytes: the options tell that they are text. */
function readable({ tag, vr }: IndexedAttribute, value: unknown): unknown {
  const first: unknown = Array.isArray(value) ? (value as readonly unknown[])[0] : value
  if (!isPrivate(tag) || !(first instanceof ArrayBuffer) || vr === 'SQ' || vr === 'AT') return value
  const bytes = Buffer.from(first).subarray(0, 65_536)
  const text = bytes.toString('utf8').includes('\ufffd') ? bytes.toString('latin1') : bytes.toString('utf8')
  const values = text.split('\\').map(textOf)
  return values.length === 1 ? values[0] : values
}

function addColumns(columns: Record<string, string>, attribute: IndexedAttribute, value: unknown): void {
  const { column, vr } = attribute
  if (column === undefined || IDENTIFYING_COLUMNS.has(column)) return
  if (vr === 'PN') {
    const { alphabetic, ideographic, phonetic } = Array.isArray(value) ? foldName((value as readonly unknown[])[0]) : NO_NAME
    columns['name_alphabetic'] = alphabetic
    columns['name_ideographic'] = ideographic
    columns['name_phonetic'] = phonetic
    return
  }
  columns[column] = comparableTexts(attribute, value)[0] ?? ''
}

/** The values of an attribute as the database compares them; of a name each of its groups. */
function comparableTexts({ vr }: IndexedAttribute, value: unknown): readonly string[] {
  if (value === undefined) return []
  if (vr !== 'PN') return [...new Set(normalizedValues(vr, value).map(columnText))]
  const groups = (value as readonly unknown[]).map(foldName).flatMap(({ alphabetic, ideographic, phonetic }) => [alphabetic, ideographic, phonetic])
  return [...new Set(groups.filter((group) => group !== ''))]
}
