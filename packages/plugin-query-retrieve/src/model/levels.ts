import { CompositeInstanceRoot, CompositeInstanceWithoutBulkData, PatientRoot, PatientStudyOnly, StudyRoot } from '@dicomtap/framework'

/** Query/Retrieve Level (0008,0052), from the top (PS3.4 C.3). */
export type Level = 'PATIENT' | 'STUDY' | 'SERIES' | 'IMAGE'

export const LEVELS: readonly Level[] = ['PATIENT', 'STUDY', 'SERIES', 'IMAGE']

/** The unique key of each level (PS3.4 C.6.1.1). */
export const UNIQUE_KEYS: Readonly<Record<Level, string>> = {
  PATIENT: 'PatientID',
  STUDY: 'StudyInstanceUID',
  SERIES: 'SeriesInstanceUID',
  IMAGE: 'SOPInstanceUID',
}

/** An information model, by its name in the options. */
export type ModelName = 'patientRoot' | 'studyRoot' | 'patientStudyOnly' | 'compositeInstanceRoot' | 'compositeInstanceWithoutBulkData'

export type ModelService = 'find' | 'move' | 'get'

export interface InformationModel {
  readonly name: ModelName
  /** From the top. A study root has patient attributes at STUDY (PS3.4 C.6.2.1). */
  readonly levels: readonly Level[]
  /** SOP Class UIDs of the services that the standard defines for it. */
  readonly sopClasses: Readonly<Partial<Record<ModelService, string>>>
}

export const MODELS: Readonly<Record<ModelName, InformationModel>> = {
  patientRoot: { name: 'patientRoot', levels: LEVELS, sopClasses: { find: PatientRoot.Find, move: PatientRoot.Move, get: PatientRoot.Get } },
  studyRoot: { name: 'studyRoot', levels: ['STUDY', 'SERIES', 'IMAGE'], sopClasses: { find: StudyRoot.Find, move: StudyRoot.Move, get: StudyRoot.Get } },
  patientStudyOnly: {
    name: 'patientStudyOnly',
    levels: ['PATIENT', 'STUDY'],
    sopClasses: { find: PatientStudyOnly.Find, move: PatientStudyOnly.Move, get: PatientStudyOnly.Get },
  },
  compositeInstanceRoot: { name: 'compositeInstanceRoot', levels: ['IMAGE'], sopClasses: { move: CompositeInstanceRoot.Move, get: CompositeInstanceRoot.Get } },
  compositeInstanceWithoutBulkData: { name: 'compositeInstanceWithoutBulkData', levels: ['IMAGE'], sopClasses: { get: CompositeInstanceWithoutBulkData.Get } },
}
