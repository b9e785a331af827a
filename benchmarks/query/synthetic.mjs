// Made-up instances, the same at each run: what is asked for can be computed, and nothing need be remembered.

const INSTANCES_PER_SERIES = 20
const SERIES_PER_STUDY = 4
const STUDIES_PER_PATIENT = 3
export const INSTANCES_PER_STUDY = INSTANCES_PER_SERIES * SERIES_PER_STUDY
export const INSTANCES_PER_PATIENT = INSTANCES_PER_STUDY * STUDIES_PER_PATIENT

const FIRST_DAY = Date.UTC(2010, 0, 1)
const DAYS = 5844
const DAY_MS = 86_400_000
/** Shares of a department: most series are CT and MR. */
const MODALITIES = ['CT', 'CT', 'CT', 'MR', 'MR', 'CR', 'DX', 'US', 'CT', 'MR']
const SOP_CLASSES = {
  CT: '1.2.840.10008.5.1.4.1.1.2',
  MR: '1.2.840.10008.5.1.4.1.1.4',
  CR: '1.2.840.10008.5.1.4.1.1.1',
  DX: '1.2.840.10008.5.1.4.1.1.1.1',
  US: '1.2.840.10008.5.1.4.1.1.6.1',
}
const ONSETS = ['B', 'D', 'F', 'G', 'H', 'K', 'L', 'M', 'N', 'P', 'R', 'S', 'T', 'W', 'St', 'Sch']
const NUCLEI = ['a', 'e', 'i', 'o', 'u', 'au', 'ei', 'ü']
const CODAS = ['ber', 'ger', 'ler', 'mann', 'ner', 'sen', 'ski', 'ter', 'ton', 'vic']
const GIVEN = ['Anna', 'Ben', 'Clara', 'David', 'Emma', 'Felix', 'Greta', 'Hugo', 'Ida', 'Jonas', 'Klara', 'Leo', 'Marie', 'Noah', 'Olga', 'Paul']
const DESCRIPTIONS = ['Chest', 'Abdomen', 'Head routine', 'Knee left', 'Spine lumbar', 'Pelvis', 'Neck with contrast', 'Follow-up']

/** A number below `limit` that looks arbitrary and is the same for the same `seed`. */
function arbitrary(seed, limit) {
  let mixed = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
  return ((mixed ^ (mixed >>> 16)) >>> 0) % limit
}

const uid = (kind, number) => `2.25.1${kind}${String(number).padStart(20, '0')}`

export function patientOf(patient) {
  const family = ONSETS[arbitrary(patient, ONSETS.length)] + NUCLEI[arbitrary(patient + 1, NUCLEI.length)] + CODAS[arbitrary(patient + 2, CODAS.length)]
  return {
    PatientID: `P${String(patient).padStart(8, '0')}`,
    IssuerOfPatientID: 'HOSPITAL',
    PatientName: `${family}^${GIVEN[arbitrary(patient + 3, GIVEN.length)]}`,
    PatientBirthDate: dateOf(-arbitrary(patient + 4, 20_000)),
    PatientSex: arbitrary(patient + 5, 2) === 0 ? 'F' : 'M',
  }
}

export function studyOf(study) {
  return {
    StudyInstanceUID: uid(1, study),
    StudyDate: dateOf(arbitrary(study, DAYS)),
    StudyTime: `${String(7 + arbitrary(study + 1, 12)).padStart(2, '0')}${String(arbitrary(study + 2, 60)).padStart(2, '0')}00`,
    AccessionNumber: `A${String(study).padStart(9, '0')}`,
    StudyID: String(study),
    StudyDescription: DESCRIPTIONS[arbitrary(study + 3, DESCRIPTIONS.length)],
    ReferringPhysicianName: `Dr${arbitrary(study + 4, 200)}^Referring`,
  }
}

export function seriesOf(series) {
  const modality = MODALITIES[arbitrary(series, MODALITIES.length)]
  return {
    SeriesInstanceUID: uid(2, series),
    Modality: modality,
    SeriesNumber: 1 + (series % SERIES_PER_STUDY),
    SeriesDescription: `${modality} ${DESCRIPTIONS[arbitrary(series + 1, DESCRIPTIONS.length)]}`,
    BodyPartExamined: 'CHEST',
    Manufacturer: 'Made up',
    StationName: `${modality}0${arbitrary(series + 2, 5)}`,
    ProtocolName: `Protocol ${arbitrary(series + 3, 40)}`,
  }
}

/** The data set of an instance as far as an index is interested in it, and its file. */
export function instanceOf(number) {
  const series = Math.floor(number / INSTANCES_PER_SERIES)
  const study = Math.floor(series / SERIES_PER_STUDY)
  const attributes = { ...patientOf(Math.floor(study / STUDIES_PER_PATIENT)), ...studyOf(study), ...seriesOf(series) }
  const sopInstanceUid = uid(3, number)
  return {
    dataset: {
      SpecificCharacterSet: 'ISO_IR 192',
      ...attributes,
      SOPClassUID: SOP_CLASSES[attributes.Modality],
      SOPInstanceUID: sopInstanceUid,
      InstanceNumber: 1 + (number % INSTANCES_PER_SERIES),
      ContentDate: attributes.StudyDate,
      ContentTime: attributes.StudyTime,
      Rows: 512,
      Columns: 512,
      BitsAllocated: 16,
      NumberOfFrames: null,
    },
    file: {
      path: `${attributes.StudyInstanceUID}/${attributes.SeriesInstanceUID}/${sopInstanceUid}.dcm`,
      sizeBytes: 526_000,
      storedAtMs: FIRST_DAY + number * 1000,
      transferSyntaxUid: '1.2.840.10008.1.2.1',
    },
  }
}

/** `YYYYMMDD` of a day, counted from the first. */
export function dateOf(day) {
  return new Date(FIRST_DAY + day * DAY_MS).toISOString().slice(0, 10).replaceAll('-', '')
}
