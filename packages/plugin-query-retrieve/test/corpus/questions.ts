import type { OracleLevel } from './oracle.ts'
import type { Element, Item, Value } from './part10.ts'
import { TEXTS } from './texts.ts'

/** A query as a client sends it: text is bytes. */
export interface Query {
  readonly title: string
  readonly root: 'P' | 'S' | 'O'
  readonly level: OracleLevel
  readonly elements: Item
  /** Extended negotiation that the answer depends on; DCMTK's client has none. */
  readonly negotiates?: 'relational'
}

const ATTRIBUTES = {
  SpecificCharacterSet: ['00080005', 'CS'],
  SOPClassUID: ['00080016', 'UI'],
  SOPInstanceUID: ['00080018', 'UI'],
  StudyDate: ['00080020', 'DA'],
  StudyTime: ['00080030', 'TM'],
  AccessionNumber: ['00080050', 'SH'],
  QueryRetrieveLevel: ['00080052', 'CS'],
  Modality: ['00080060', 'CS'],
  ModalitiesInStudy: ['00080061', 'CS'],
  ReferringPhysicianName: ['00080090', 'PN'],
  StudyDescription: ['00081030', 'LO'],
  ProcedureCodeSequence: ['00081032', 'SQ'],
  SeriesDescription: ['0008103e', 'LO'],
  PatientName: ['00100010', 'PN'],
  PatientID: ['00100020', 'LO'],
  IssuerOfPatientID: ['00100021', 'LO'],
  PatientBirthDate: ['00100030', 'DA'],
  PatientSex: ['00100040', 'CS'],
  BodyPartExamined: ['00180015', 'CS'],
  StudyInstanceUID: ['0020000d', 'UI'],
  SeriesInstanceUID: ['0020000e', 'UI'],
  StudyID: ['00200010', 'SH'],
  SeriesNumber: ['00200011', 'IS'],
  InstanceNumber: ['00200013', 'IS'],
  NumberOfPatientRelatedStudies: ['00201200', 'IS'],
  NumberOfPatientRelatedSeries: ['00201202', 'IS'],
  NumberOfPatientRelatedInstances: ['00201204', 'IS'],
  NumberOfStudyRelatedSeries: ['00201206', 'IS'],
  NumberOfStudyRelatedInstances: ['00201208', 'IS'],
  NumberOfSeriesRelatedInstances: ['00201209', 'IS'],
  NumberOfFrames: ['00280008', 'IS'],
  RequestAttributesSequence: ['00400275', 'SQ'],
  PerformedProcedureStepStartDate: ['00400244', 'DA'],
  PerformedProcedureStepStartTime: ['00400245', 'TM'],
  ContentLabel: ['00700080', 'CS'],
} as const
export type Keys = Partial<Record<keyof typeof ATTRIBUTES, Value>>

/** The elements of an identifier. */
export function elementsOf(keys: Keys): Item {
  return Object.entries(keys).map(([name, value]): Element => [...ATTRIBUTES[name as keyof typeof ATTRIBUTES], value])
}

/** The UIDs that the corpus gives. */
export const STUDY_OF = (seed: number, patient: number, study: number): string => `2.25.59${seed}.${patient}.${study}`

const step = (value: string): Item => [['00400009', 'SH', value]]
const procedureCode = (value: string, scheme = ''): Item => [['00080100', 'SH', value], ['00080102', 'LO', scheme]]

/** Queries over the corpus of a seed. */
export function queries(seed: number): Query[] {
  const all: Query[] = []
  const ask = (root: Query['root'], level: OracleLevel, keys: Keys, why = ''): void => {
    const elements = elementsOf({ QueryRetrieveLevel: level, ...keys })
    all.push({ title: `${root} ${level} ${describe(keys)}${why === '' ? '' : `: ${why}`}`, root, level, elements })
  }
  const study = (keys: Keys, why?: string): void => ask('S', 'STUDY', { StudyInstanceUID: '', ...keys }, why)
  const patient = (keys: Keys, why?: string): void => ask('P', 'PATIENT', { PatientID: '', PatientName: '', ...keys }, why)

  // Everything, at each level of each model.
  patient({ IssuerOfPatientID: '', PatientBirthDate: '', PatientSex: '' })
  ask('O', 'PATIENT', { PatientID: '', PatientName: '' })
  study({ PatientID: '', PatientName: '', StudyDate: '', StudyTime: '', AccessionNumber: '', StudyID: '', StudyDescription: '', ReferringPhysicianName: '' })
  study({ ModalitiesInStudy: '', NumberOfStudyRelatedSeries: '', NumberOfStudyRelatedInstances: '' })
  patient({ NumberOfPatientRelatedStudies: '', NumberOfPatientRelatedSeries: '', NumberOfPatientRelatedInstances: '' })
  ask('P', 'STUDY', { PatientID: 'SEQ', StudyInstanceUID: '', StudyDescription: '' })
  ask('O', 'STUDY', { PatientID: 'JP-1', StudyInstanceUID: '', StudyDate: '' })
  ask('P', 'STUDY', { PatientID: 'SAME', StudyInstanceUID: '', StudyDate: '' }, 'of two issuers')
  ask('P', 'STUDY', { PatientID: 'nobody', StudyInstanceUID: '' })

  // Names of all scripts: as they are stored, by a wildcard, and asked for in UTF-8.
  for (const [name, { bytes, characterSet, text }] of Object.entries(TEXTS)) {
    if (name === 'chestJapanese') continue
    patient({ SpecificCharacterSet: characterSet, PatientName: bytes }, name)
    patient({ SpecificCharacterSet: 'ISO_IR 192', PatientName: utf8(text) }, `${name} in UTF-8`)
    const family = text.split('^')[0] ?? ''
    if (!family.includes('=')) study({ SpecificCharacterSet: 'ISO_IR 192', PatientName: utf8(`${family}*`), PatientID: '' }, `${name} begins with`)
  }
  patient({ SpecificCharacterSet: 'ISO_IR 192', PatientName: utf8('山田*') }, 'another component group')
  patient({ SpecificCharacterSet: 'ISO_IR 192', PatientName: utf8('=山田*') }, 'the second group')
  patient({ SpecificCharacterSet: 'ISO_IR 192', PatientName: utf8('==やまだ*') }, 'the third group')
  patient({ SpecificCharacterSet: '\\ISO 2022 IR 87', PatientName: '=\x1b$B;3ED\x1b(B*' }, 'the second group in JIS X 0208')
  patient({ SpecificCharacterSet: 'ISO_IR 192', PatientName: utf8('*홍*') }, 'hangul')
  patient({ SpecificCharacterSet: 'ISO_IR 192', PatientName: utf8('王*') }, 'han, from two character sets')
  patient({ SpecificCharacterSet: 'ISO_IR 100', PatientName: 'm\xdcLLER*' }, 'case')
  patient({ PatientName: 'Muller*' }, 'accents')
  patient({ PatientName: 'MULLER*' }, 'case and accents')
  patient({ PatientName: 'GROSSMANN^JORG' }, 'sharp s')
  patient({ SpecificCharacterSet: 'ISO_IR 144', PatientName: '\xd8\xd2\xd0\xdd\xde\xd2*' }, 'cyrillic, in lower case')
  patient({ SpecificCharacterSet: 'ISO_IR 126', PatientName: '\xc4\xc9\xcf\xcd\xd5\xd3*' }, 'greek, in upper case')

  // ASCII names.
  for (const name of ['smith^mary', 'SMITH*', 'S*', '*', '*th*', 'Sm?th*', 'Sm??h*', '*^Anna', 'Van Dyke*', '?', 'Nobody*', 'Unknown', 'Numbers^Ned^von^Dr^III', "O'Brien*", '*"Bob"*']) patient({ PatientName: name })
  for (const name of ['Smi*', 'House*', 'house^gregory']) study({ ReferringPhysicianName: name, PatientName: '' })

  // Identifiers: case counts, and nothing is special to the database.
  for (const id of ['R0001', 'R000?', 'R*1', 'low', 'LOW', 'l*', '50%', '50?', '50*', "O'B;--", "O'B*", 'r0001', 'R0001 ', ' R0001', '*', 'SAME', '?', '??']) patient({ PatientID: id })
  patient({ PatientID: 'SAME', IssuerOfPatientID: 'HOSPITAL_A' })
  patient({ IssuerOfPatientID: 'HOSPITAL_?' })
  for (const accession of ['A_1', 'A?1', 'A%1', "'OR 1=1", 'lower', 'LOWER', 'JA*', 'ACC1-*', '*-0']) study({ AccessionNumber: accession })
  for (const text of ['Chest', 'chest', 'Knee*', '* left', 'Knee ?????', 'Chest and abdomen', 'C*t']) study({ StudyDescription: text })
  study({ SpecificCharacterSet: 'ISO_IR 192', StudyDescription: utf8('胸部*') }, 'a description in Japanese')
  for (const sex of ['M', 'F', 'O', 'm']) patient({ PatientSex: sex })

  // Dates and times.
  for (const date of ['20240101', '20191231', '20200101', '20191231-20200101', '-20001231', '20240401-', '20240229', '19000101-19000102', '20230101-20231231']) study({ StudyDate: date, StudyTime: '' })
  for (const time of ['000000-000100', '235900-', '-000000', '2359-2359', '000000.000001-000000.5', '090000', '22-23', '101010-111112']) study({ StudyTime: time, StudyDate: '' })
  study({ StudyDate: '20191231-20200101', StudyTime: '235900-' }, 'each on its own')
  for (const date of ['19991231', '19600101-19600102', '-19301231']) patient({ PatientBirthDate: date })

  // UIDs, alone and in lists.
  const first = STUDY_OF(seed, 0, 0)
  const second = STUDY_OF(seed, 0, 1)
  study({ StudyInstanceUID: first, PatientID: '' })
  study({ StudyInstanceUID: `${first}\\${second}\\2.25.1`, PatientName: '' })
  study({ StudyInstanceUID: '2.25.1' })
  study({ StudyInstanceUID: first.slice(0, -2) }, 'the beginning of others')
  study({ StudyInstanceUID: first, PatientID: 'SEQ' }, 'both must match')

  // What is computed.
  for (const modality of ['CT', 'SR', 'PR', 'SEG', 'XA', 'C?', '*R']) study({ ModalitiesInStudy: modality })

  // Series and instances.
  for (const patientIndex of [0, 1, 2, 6, 18, 28]) {
    const uid = STUDY_OF(seed, patientIndex, 0)
    ask('S', 'SERIES', { StudyInstanceUID: uid, SeriesInstanceUID: '', Modality: '', SeriesNumber: '', NumberOfSeriesRelatedInstances: '' })
    ask('S', 'IMAGE', { StudyInstanceUID: uid, SeriesInstanceUID: `${uid}.1`, SOPInstanceUID: '', SOPClassUID: '', InstanceNumber: '' })
  }
  const sequences = STUDY_OF(seed, SEQUENCES, 0)
  const within = (keys: Keys, why?: string): void => ask('S', 'SERIES', { StudyInstanceUID: sequences, SeriesInstanceUID: '', ...keys }, why)
  for (const modality of ['CT', 'PR', 'S*', 'ct']) within({ Modality: modality, SeriesDescription: '' })
  for (const number of ['1', '01', '5', '9']) within({ SeriesNumber: number })
  within({ SeriesDescription: 'A*', BodyPartExamined: '' })
  within({ BodyPartExamined: 'ABDOMEN' })
  within({ PerformedProcedureStepStartDate: '20210102-', PerformedProcedureStepStartTime: '' })
  ask('P', 'SERIES', { PatientID: 'SEQ', StudyInstanceUID: sequences, SeriesInstanceUID: '', Modality: '' })
  ask('P', 'SERIES', { PatientID: 'JP-1', StudyInstanceUID: sequences, SeriesInstanceUID: '' }, 'a study of somebody else')
  ask('P', 'IMAGE', { PatientID: 'SEQ', StudyInstanceUID: sequences, SeriesInstanceUID: `${sequences}.3`, SOPInstanceUID: '', ContentLabel: '' })
  ask('S', 'IMAGE', { StudyInstanceUID: sequences, SeriesInstanceUID: `${sequences}.1`, SOPInstanceUID: '', InstanceNumber: '2' })
  ask('S', 'IMAGE', { StudyInstanceUID: sequences, SeriesInstanceUID: `${sequences}.1`, SOPInstanceUID: `${sequences}.1.1\\${sequences}.1.2\\2.25.1` })
  ask('S', 'IMAGE', { StudyInstanceUID: sequences, SeriesInstanceUID: `${sequences}.2`, SOPInstanceUID: `${sequences}.1.1` }, 'of another series')
  const numbers = STUDY_OF(seed, NUMBERS, 0)
  for (const number of ['7', '007', '70']) ask('S', 'SERIES', { StudyInstanceUID: numbers, SeriesInstanceUID: '', SeriesNumber: number })
  ask('S', 'IMAGE', { StudyInstanceUID: numbers, SeriesInstanceUID: `${numbers}.1`, SOPInstanceUID: '', InstanceNumber: '' })

  // Keys in sequences.
  study({ ProcedureCodeSequence: [procedureCode('CTCHEST')] })
  study({ ProcedureCodeSequence: [procedureCode('CTCHEST', 'LOCAL')] })
  study({ ProcedureCodeSequence: [procedureCode('CT*')], StudyDescription: '' })
  study({ ProcedureCodeSequence: [procedureCode('CTABD', 'OTHER')] }, 'of two items')
  study({ ProcedureCodeSequence: [procedureCode('')], PatientID: 'SEQ' }, 'returned')
  within({ RequestAttributesSequence: [step('SPS1')] })
  within({ RequestAttributesSequence: [step('SPS?')] })
  within({ RequestAttributesSequence: [[['00400009', 'SH', 'SPS2'], ['00400007', 'LO', 'Chest']]] }, 'of two items')
  within({ RequestAttributesSequence: [[['00401001', 'SH', ''], ['00400009', 'SH', '']]] }, 'returned')
  within({ RequestAttributesSequence: [] }, 'the whole sequence')
  return all
}

/** Places in the list of patients. */
const SEQUENCES = 28
const NUMBERS = 31

export function utf8(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1')
}

function describe(keys: Keys): string {
  return Object.entries(keys)
    .filter(([name, value]) => value !== '' && name !== 'SpecificCharacterSet')
    .map(([name, value]) => `${name}=${typeof value === 'string' ? value.replaceAll(/[^ -~]/g, '.') : JSON.stringify(value)}`)
    .join(' ')
}
