import type { Level } from './levels.ts'
import type { DerivedName } from './query.ts'

export interface DerivedAttribute {
  readonly name: DerivedName
  readonly tag: number
  readonly vr: string
  /** Whose attribute it is; undefined: of the level of the query. */
  readonly level: Level | undefined
}

const derived = (name: DerivedName, tag: number, vr: string, level: Level | undefined): readonly [string, DerivedAttribute] => [name, { name, tag, vr, level }]

/** Attributes that no instance has: they are computed (PS3.4 table C.3-1, C.4.1.1.3.2). */
export const DERIVED_ATTRIBUTES: ReadonlyMap<string, DerivedAttribute> = new Map([
  derived('RetrieveAETitle', 0x00080054, 'AE', undefined),
  derived('InstanceAvailability', 0x00080056, 'CS', undefined),
  derived('ModalitiesInStudy', 0x00080061, 'CS', 'STUDY'),
  derived('SOPClassesInStudy', 0x00080062, 'UI', 'STUDY'),
  derived('NumberOfPatientRelatedStudies', 0x00201200, 'IS', 'PATIENT'),
  derived('NumberOfPatientRelatedSeries', 0x00201202, 'IS', 'PATIENT'),
  derived('NumberOfPatientRelatedInstances', 0x00201204, 'IS', 'PATIENT'),
  derived('NumberOfStudyRelatedSeries', 0x00201206, 'IS', 'STUDY'),
  derived('NumberOfStudyRelatedInstances', 0x00201208, 'IS', 'STUDY'),
  derived('NumberOfSeriesRelatedInstances', 0x00201209, 'IS', 'SERIES'),
  derived('AvailableTransferSyntaxUID', 0x00083002, 'UI', 'IMAGE'),
])

/** What an identifier or a response says besides keys. */
export const SPECIAL_NAMES: ReadonlySet<string> = new Set(['SpecificCharacterSet', 'TimezoneOffsetFromUTC', 'QueryRetrieveLevel', 'QueryRetrieveView'])
