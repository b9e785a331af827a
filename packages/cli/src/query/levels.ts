import type { DataSet } from '@dicomtap/framework'
import { UsageError } from '../scu/exit.ts'
import { singleValue } from './identifier.ts'
import type { QueryModel } from './models.ts'

/** Query/Retrieve Level (0008,0052), PS3.4 C.6 and Y.4. */
export type QueryLevel = 'PATIENT' | 'STUDY' | 'SERIES' | 'IMAGE' | 'FRAME'

export const QUERY_LEVELS: readonly QueryLevel[] = ['PATIENT', 'STUDY', 'SERIES', 'IMAGE', 'FRAME']

/** Levels with a unique key each, from the top. */
const UNIQUE_KEYS: readonly (readonly [level: QueryLevel, key: string])[] = [
  ['PATIENT', 'PatientID'],
  ['STUDY', 'StudyInstanceUID'],
  ['SERIES', 'SeriesInstanceUID'],
  ['IMAGE', 'SOPInstanceUID'],
]

const OF_PATIENT = ['PatientName', 'PatientID', 'PatientBirthDate'] as const
const OF_STUDY = [
  'StudyDate',
  'StudyTime',
  'AccessionNumber',
  'ModalitiesInStudy',
  'StudyDescription',
  'NumberOfStudyRelatedInstances',
] as const

const RETURN_KEYS: Readonly<Partial<Record<QueryLevel, readonly string[]>>> = {
  PATIENT: [...OF_PATIENT, 'PatientSex', 'NumberOfPatientRelatedStudies'],
  STUDY: OF_STUDY,
  SERIES: [
    'SeriesNumber',
    'Modality',
    'SeriesDate',
    'SeriesTime',
    'BodyPartExamined',
    'SeriesDescription',
    'NumberOfSeriesRelatedInstances',
  ],
  IMAGE: ['InstanceNumber', 'SOPClassUID', 'NumberOfFrames', 'ContentDate', 'ContentTime'],
}

/** The level that somebody wrote: `study`, `INSTANCE` for IMAGE. @throws UsageError */
export function parseLevel(text: string): QueryLevel {
  const wanted = text.trim().toUpperCase()
  const level = QUERY_LEVELS.find((one) => one === (wanted === 'INSTANCE' ? 'IMAGE' : wanted))
  if (level === undefined) throw new UsageError(`A level is one of ${QUERY_LEVELS.join(', ')}; got "${text}"`)
  return level
}

/**
 * The level of a query that names none: that of the deepest unique key in it. Of a retrieval only keys with
 * a value count.
 */
export function impliedLevel(model: QueryModel, identifier: DataSet, isRetrieval: boolean): QueryLevel | undefined {
  const named = UNIQUE_KEYS.filter(([, key]) => Object.hasOwn(identifier, key) && (!isRetrieval || identifier[key] !== null))
  const deepest = named.at(-1)?.[0]
  const top = topLevel(model)
  if (deepest === undefined || (deepest === 'PATIENT' && top !== 'PATIENT')) return isRetrieval ? undefined : top
  return deepest
}

/** What to ask for at a level when nobody said; the unique keys down to it are always among them. */
export function returnKeysOf(model: QueryModel, level: QueryLevel): readonly string[] {
  const top = topLevel(model)
  const unique = uniqueKeysTo(top, level)
  // In the study root model patients are attributes of studies; below a level only unique keys of it are allowed.
  const ofPatient = level === 'STUDY' && top === 'STUDY' ? OF_PATIENT : []
  return [...ofPatient, ...(RETURN_KEYS[level] ?? []), ...unique.filter((key) => key !== 'PatientID' || top === 'PATIENT')]
}

/** The unique keys that the model wants with one value above, and for a retrieval at, the level. */
export function missingUniqueKeys(
  model: QueryModel,
  level: QueryLevel,
  identifier: DataSet,
  isRetrieval: boolean,
): readonly string[] {
  const keys = uniqueKeysTo(topLevel(model), level)
  const needed = isRetrieval ? keys : keys.slice(0, -1)
  return needed.filter((key, index) => {
    const isOwn = isRetrieval && index === needed.length - 1
    return isOwn ? !hasValue(identifier[key]) : singleValue(identifier, key) === undefined
  })
}

function hasValue(value: unknown): boolean {
  return value !== null && value !== undefined && value !== ''
}

function topLevel({ name }: QueryModel): QueryLevel {
  if (name === 'composite-instance' || name === 'without-bulk-data') return 'IMAGE'
  return name === 'patient' || name === 'patient-study' ? 'PATIENT' : 'STUDY'
}

function uniqueKeysTo(top: QueryLevel, level: QueryLevel): string[] {
  const from = QUERY_LEVELS.indexOf(top)
  const to = QUERY_LEVELS.indexOf(level)
  return UNIQUE_KEYS.filter((_, index) => index >= from && index <= to).map(([, key]) => key)
}
