import { elementOf } from '../load/data-set.mjs'
import { INSTANCES_PER_PATIENT, INSTANCES_PER_STUDY, dateOf, patientOf, seriesOf, studyOf } from './synthetic.mjs'

export const STUDY_ROOT_FIND = '1.2.840.10008.5.1.4.1.2.2.1'
export const PATIENT_ROOT_FIND = '1.2.840.10008.5.1.4.1.2.1.1'

const SERIES_PER_STUDY = 4
const STUDY_KEYS = { StudyDate: '', StudyTime: '', AccessionNumber: '', PatientName: '', PatientID: '', PatientBirthDate: '', StudyInstanceUID: '', StudyDescription: '', ModalitiesInStudy: '' }
const COUNTS = { NumberOfStudyRelatedSeries: '', NumberOfStudyRelatedInstances: '' }
const SERIES_KEYS = { Modality: '', SeriesInstanceUID: '', SeriesNumber: '', SeriesDescription: '', NumberOfSeriesRelatedInstances: '' }
const IMAGE_KEYS = { SOPClassUID: '', SOPInstanceUID: '', InstanceNumber: '' }

/**
 * Twelve queries as viewers and worklists send them. `keys` gets an arbitrary number below 2^31 and what is in the index, so that
 * no two runs ask for the same; `isTarget`: its first response is promised within 20 ms over a million instances.
 */
export const QUERIES = [
  { name: 'study by StudyInstanceUID', level: 'STUDY', isTarget: true, keys: (n, of) => ({ ...STUDY_KEYS, ...COUNTS, StudyInstanceUID: studyOf(n % of.studies).StudyInstanceUID }) },
  { name: 'studies of a PatientID', level: 'STUDY', isTarget: true, keys: (n, of) => ({ ...STUDY_KEYS, ...COUNTS, PatientID: patientOf(n % of.patients).PatientID }) },
  { name: 'studies of a day (StudyDate)', level: 'STUDY', isTarget: true, keys: (n, of) => ({ ...STUDY_KEYS, ...COUNTS, StudyDate: studyOf(n % of.studies).StudyDate }) },
  { name: 'CT studies of a month', level: 'STUDY', keys: (n) => ({ ...STUDY_KEYS, ...COUNTS, StudyDate: `${dateOf(n % 5800)}-${dateOf((n % 5800) + 30)}`, ModalitiesInStudy: 'CT' }) },
  { name: 'study by AccessionNumber', level: 'STUDY', keys: (n, of) => ({ ...STUDY_KEYS, AccessionNumber: studyOf(n % of.studies).AccessionNumber }) },
  { name: 'studies by PatientName, Sch*', level: 'STUDY', keys: (n, of) => ({ ...STUDY_KEYS, PatientName: `${familyOf(n % of.patients).slice(0, 5)}*` }) },
  { name: 'studies by PatientName, *mann*', level: 'STUDY', keys: (n, of) => ({ ...STUDY_KEYS, PatientName: `*${familyOf(n % of.patients).slice(-5)}*` }) },
  { name: 'patient by PatientID', level: 'PATIENT', root: PATIENT_ROOT_FIND, keys: (n, of) => ({ PatientName: '', PatientID: patientOf(n % of.patients).PatientID, PatientBirthDate: '', PatientSex: '', NumberOfPatientRelatedStudies: '' }) },
  { name: 'series of a study', level: 'SERIES', keys: (n, of) => ({ ...SERIES_KEYS, StudyInstanceUID: studyOf(n % of.studies).StudyInstanceUID }) },
  {
    name: 'instances of a series',
    level: 'IMAGE',
    keys: (n, of) => ({ ...IMAGE_KEYS, StudyInstanceUID: studyOf(n % of.studies).StudyInstanceUID, SeriesInstanceUID: seriesOf((n % of.studies) * SERIES_PER_STUDY + 1).SeriesInstanceUID }),
  },
  { name: 'all studies', level: 'STUDY', isLong: true, keys: () => STUDY_KEYS },
  // Relational: no unique keys above (PS3.4 C.4.1.2.2.1).
  { name: 'MR instances of a year', level: 'IMAGE', isLong: true, keys: (n) => ({ ...IMAGE_KEYS, Modality: 'MR', StudyDate: `${2011 + (n % 14)}0101-${2011 + (n % 14)}1231`, SeriesInstanceUID: '', StudyInstanceUID: '' }) },
]

export function sizesOf(instances) {
  return { instances, studies: Math.floor(instances / INSTANCES_PER_STUDY), patients: Math.floor(instances / INSTANCES_PER_PATIENT) }
}

function familyOf(patient) {
  return patientOf(patient).PatientName.split('^')[0]
}

const ATTRIBUTES = {
  SpecificCharacterSet: [0x0008_0005, 'CS'],
  SOPClassUID: [0x0008_0016, 'UI'],
  SOPInstanceUID: [0x0008_0018, 'UI'],
  StudyDate: [0x0008_0020, 'DA'],
  StudyTime: [0x0008_0030, 'TM'],
  AccessionNumber: [0x0008_0050, 'SH'],
  QueryRetrieveLevel: [0x0008_0052, 'CS'],
  Modality: [0x0008_0060, 'CS'],
  ModalitiesInStudy: [0x0008_0061, 'CS'],
  StudyDescription: [0x0008_1030, 'LO'],
  SeriesDescription: [0x0008_103e, 'LO'],
  PatientName: [0x0010_0010, 'PN'],
  PatientID: [0x0010_0020, 'LO'],
  PatientBirthDate: [0x0010_0030, 'DA'],
  PatientSex: [0x0010_0040, 'CS'],
  StudyInstanceUID: [0x0020_000d, 'UI'],
  SeriesInstanceUID: [0x0020_000e, 'UI'],
  SeriesNumber: [0x0020_0011, 'IS'],
  InstanceNumber: [0x0020_0013, 'IS'],
  NumberOfPatientRelatedStudies: [0x0020_1200, 'IS'],
  NumberOfStudyRelatedSeries: [0x0020_1206, 'IS'],
  NumberOfStudyRelatedInstances: [0x0020_1208, 'IS'],
  NumberOfSeriesRelatedInstances: [0x0020_1209, 'IS'],
}

/** An identifier in Explicit VR Little Endian, in UTF-8. */
export function identifierOf(level, keys) {
  return Buffer.concat(
    Object.entries({ SpecificCharacterSet: 'ISO_IR 192', QueryRetrieveLevel: level, ...keys })
      .map(([name, value]) => ({ tag: ATTRIBUTES[name][0], vr: ATTRIBUTES[name][1], value }))
      .sort((a, b) => a.tag - b.tag)
      .map(({ tag, vr, value }) => {
        const bytes = Buffer.from(value)
        const even = bytes.length % 2 === 0 ? bytes : Buffer.concat([bytes, Buffer.from(vr === 'UI' ? '\0' : ' ')])
        return elementOf(tag, vr, even, even.length, true)
      }),
  )
}
