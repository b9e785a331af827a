import type { IndexedInstance, LevelRow } from '../model/instance.ts'
import { digestOf } from './digest.ts'

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
