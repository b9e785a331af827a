import type { Kind } from './objects.ts'
import { code, random } from './objects.ts'
import type { EncodingName, Item } from './part10.ts'
import type { EncodedText } from './texts.ts'
import { TEXTS } from './texts.ts'

/** Of a series: how many instances, of what, and attributes that are its own. `undefined` leaves an attribute out. */
export interface SeriesPlan {
  readonly kind: Kind
  readonly count: number
  readonly encoding?: EncodingName
  readonly modality?: string | undefined
  readonly number?: string | undefined
  readonly elements?: Item
}
export interface StudyPlan {
  readonly date?: string | undefined
  readonly time?: string | undefined
  readonly accession?: string | undefined
  readonly elements?: Item
  /** Patient attributes of this study, where they differ. */
  readonly patient?: Item
  readonly series: readonly SeriesPlan[]
}
export interface PatientPlan {
  /** Undefined: the attribute is missing; '': it is empty. */
  readonly id: string | undefined
  readonly issuer?: string
  readonly name: EncodedText | string
  readonly birthDate?: string
  readonly sex?: string
  readonly elements?: Item
  readonly studies: readonly StudyPlan[]
}

const requested = (procedure: string, step: string, description = 'Chest'): Item => [
  ['00401001', 'SH', procedure],
  ['00400009', 'SH', step],
  ['00400007', 'LO', description],
]
const one = (kind: Kind, count = 1, more: Partial<SeriesPlan> = {}): SeriesPlan => ({ kind, count, ...more })

const beyondAscii: readonly PatientPlan[] = [
  {
    id: 'JP-1', name: TEXTS.yamada, birthDate: '19600101', sex: 'M',
    studies: [
      { date: '20240101', time: '101010', accession: 'JA1', elements: [['00081030', 'LO', TEXTS.chestJapanese.bytes], ['00080090', 'PN', TEXTS.yamada.bytes]], series: [one('CT', 3), one('SR')] },
      { date: '20240215', time: '0900', accession: 'JA2', series: [one('MR', 2)] },
    ],
  },
  { id: 'JP-2', name: TEXTS.yamadaKatakana, birthDate: '19600102', sex: 'M', studies: [{ date: '20240101', time: '111111.5', accession: 'JA3', series: [one('CR')] }] },
  { id: 'KR-1', name: TEXTS.hong, birthDate: '19700703', sex: 'O', studies: [{ date: '20240301', time: '120000', accession: 'KA1', series: [one('MR', 2), one('PR')] }] },
  { id: 'CN-1', name: TEXTS.wangUtf8, birthDate: '19810203', sex: 'F', studies: [{ date: '20240302', time: '130000', accession: 'CA1', series: [one('CT', 2)] }] },
  { id: 'CN-2', name: TEXTS.wangGb18030, birthDate: '19810204', sex: 'F', studies: [{ date: '20240303', time: '130001', accession: 'CA2', series: [one('CT', 2)] }] },
  { id: 'CN-3', name: TEXTS.zhang, birthDate: '19810205', sex: 'M', studies: [{ date: '20240304', time: '130002', accession: 'CA3', series: [one('US')] }] },
  { id: 'GR-1', name: TEXTS.greek, birthDate: '19550505', sex: 'M', studies: [{ date: '20231231', time: '235959.999999', accession: 'GA1', series: [one('CR', 2)] }] },
  { id: 'DE-1', name: TEXTS.german, birthDate: '19400229', sex: 'M', studies: [{ date: '20240229', time: '000000', accession: 'DA1', series: [one('CT', 2), one('OT')] }] },
  { id: 'DE-2', name: TEXTS.sharpS, birthDate: '19410301', sex: 'M', studies: [{ date: '20240301', time: '00', accession: 'DA2', elements: [['00080080', 'LO', 'Universit\xe4tsklinikum']], series: [one('CT')] }] },
  {
    id: 'DE-3', name: TEXTS.umlaut, birthDate: '19500101', sex: 'F',
    studies: [
      { date: '20230101', time: '000000', accession: 'DA3', series: [one('MR')] },
      // Married since: the patient is who the instance that was stored last says.
      { date: '20240401', time: '080000', accession: 'DA4', patient: [['00100010', 'PN', 'M\xfcller-L\xfcdenscheidt^\xc4nne']], series: [one('MR', 2)] },
    ],
  },
  { id: 'DE-4', name: TEXTS.umlautDecomposed, studies: [{ date: '20240402', time: '080001', accession: 'DA5', series: [one('MR')] }] },
  { id: 'FR-1', name: TEXTS.french, birthDate: '19660606', sex: 'M', studies: [{ date: '20240403', time: '235900', accession: 'FA1', series: [one('CT')] }] },
  { id: 'PL-1', name: TEXTS.polish, sex: 'M', studies: [{ date: '20240404', time: '235959', accession: 'PA1', series: [one('CR')] }] },
  { id: 'AR-1', name: TEXTS.arabic, birthDate: '19300321', sex: 'M', studies: [{ date: '20240405', time: '060000', accession: 'AA1', series: [one('CT', 2)] }] },
  { id: 'RU-1', name: TEXTS.russian, sex: 'O', studies: [{ date: '20240406', time: '060001', accession: 'RA1', series: [one('MR')] }] },
  { id: 'RU-2', name: TEXTS.ivanov, sex: 'M', studies: [{ date: '20240407', time: '060002', accession: 'RA2', series: [one('MR')] }] },
  { id: 'IL-1', name: TEXTS.hebrew, sex: 'F', studies: [{ date: '20240408', time: '060003', accession: 'IA1', series: [one('CR')] }] },
  { id: 'TH-1', name: TEXTS.thai, sex: 'F', studies: [{ date: '20240409', time: '060004', accession: 'TA1', series: [one('US')] }] },
]

const special: readonly PatientPlan[] = [
  // The same ID given by two hospitals: two patients.
  { id: 'SAME', issuer: 'HOSPITAL_A', name: 'Twin^Anna', sex: 'F', studies: [{ date: '20220101', time: '120000', accession: 'I1', series: [one('CT', 2)] }] },
  { id: 'SAME', issuer: 'HOSPITAL_B', name: 'Twin^Bert', sex: 'M', studies: [{ date: '20220102', time: '120000', accession: 'I2', series: [one('MR')] }] },
  // Without an ID nobody knows whether they are the same.
  { id: undefined, name: 'Unknown', studies: [{ date: '20220201', time: '010000', accession: 'U1', series: [one('CR')] }] },
  { id: '', name: 'Unknown', studies: [{ date: '20220202', time: '010000', accession: 'U2', series: [one('CR')] }] },
  // Characters that are special to somebody: SQL, LIKE, a shell, DICOM itself.
  { id: "O'B;--", name: "O'Brien^Sean \"Bob\"", sex: 'M', studies: [{ date: '20220301', time: '010203', accession: "'OR 1=1", series: [one('CT')] }] },
  { id: '50%', name: 'Per^Cent', studies: [{ date: '20220302', time: '010203', accession: 'A_1', series: [one('CT')] }] },
  { id: '50X', name: 'Per^Mille', studies: [{ date: '20220303', time: '010203', accession: 'AX1', series: [one('CT')] }] },
  { id: 'low', name: 'Case^Lower', studies: [{ date: '20220304', time: '010203', accession: 'lower', series: [one('CT')] }] },
  { id: 'LOW', name: 'Case^Upper', studies: [{ date: '20220305', time: '010203', accession: 'LOWER', series: [one('CT')] }] },
  {
    id: 'TIMES', name: 'Midnight^Mary', birthDate: '19991231', sex: 'F',
    studies: [
      { date: '20191231', time: '235959', accession: 'T1', series: [one('CT')] },
      { date: '20191231', time: '2359', accession: 'T2', series: [one('CT')] },
      { date: '20200101', time: '000000', accession: 'T3', series: [one('CT')] },
      { date: '20200101', time: '000000.000001', accession: 'T4', series: [one('CT')] },
      { date: '20200101', time: undefined, accession: 'T5', series: [one('CT')] },
      { date: undefined, time: undefined, accession: 'T6', series: [one('CT')] },
      { date: '20200101', time: '0130', accession: 'T7', elements: [['00080201', 'SH', '+0900']], series: [one('CT')] },
      { date: '20191231', time: '2200', accession: 'T8', elements: [['00080201', 'SH', '-0500']], series: [one('CT')] },
      { date: '', time: '', accession: '', series: [one('CT')] },
    ],
  },
  {
    id: 'SEQ', name: 'Sequence^Sue', birthDate: '19801010', sex: 'F', elements: [['00101000', 'LO', 'OLD1\\OLD2'], ['00104000', 'LT', 'a comment']],
    studies: [
      {
        date: '20210101', time: '070000', accession: 'S1',
        elements: [['00081032', 'SQ', [code('CTCHEST', 'LOCAL', 'CT of the chest'), code('CTABD', 'LOCAL', 'CT of the abdomen')]], ['00081030', 'LO', 'Chest and abdomen'], ['00201206', 'IS', '99']],
        series: [
          one('CT', 2, { elements: [['00400275', 'SQ', [requested('RP1', 'SPS1'), requested('RP1', 'SPS2', 'Abdomen')]], ['0008103e', 'LO', 'Axial'], ['00180015', 'CS', 'CHEST'], ['00400244', 'DA', '20210101'], ['00400245', 'TM', '070500']] }),
          one('CT', 1, { elements: [['00400275', 'SQ', [requested('RP1', 'SPS3')]], ['0008103e', 'LO', 'Coronal'], ['00180015', 'CS', 'ABDOMEN'], ['00400244', 'DA', '20210102'], ['00400245', 'TM', '000100']] }),
          one('PR', 2), one('SR', 1), one('SEG', 1, { modality: 'SEG' }),
        ],
      },
      { date: '20210102', time: '070000', accession: 'S2', elements: [['00081032', 'SQ', [code('CTCHEST', 'OTHER', 'Another')]], ['00081030', 'LO', 'chest']], series: [one('MR', 1, { elements: [['00400275', 'SQ', [requested('RP2', 'SPS1')]]] })] },
      { date: '20210103', time: '070000', accession: 'S3', elements: [['00081032', 'SQ', []]], series: [one('MR', 1, { elements: [['00400275', 'SQ', []]] })] },
    ],
  },
  {
    id: 'SYNTAX', name: 'Syntax^Tess', sex: 'F',
    studies: [
      {
        date: '20210601', time: '101112', accession: 'X1',
        series: (['implicit', 'explicit', 'bigEndian', 'deflated'] as const).map((encoding) => one('CT', 2, { encoding })),
      },
      {
        date: '20210602', time: '101112', accession: 'X2',
        series: [one('US', 1, { encoding: 'jpegBaseline' }), one('CT', 2, { encoding: 'jpegLossless' }), one('MR', 1, { encoding: 'jpeg2000Lossless' }), one('US', 1, { encoding: 'rle' })],
      },
    ],
  },
  { id: 'BARE', name: '', studies: [{ date: undefined, time: undefined, accession: undefined, series: [one('OT', 1, { modality: undefined, number: undefined })] }] },
  { id: 'NUMBERS', name: 'Numbers^Ned^von^Dr^III', studies: [{ date: '20200606', time: '120000', accession: 'N1', series: [one('CT', 12, { number: '007' }), one('CT', 1, { number: ' 7' }), one('CT', 1, { number: '70' })] }] },
]

const FAMILY = ['Smith', 'Smythe', 'Schmidt', 'Jones', 'Johnson', 'Brown', 'Miller', 'Adams', 'McDonald', 'Van Dyke']
const GIVEN = ['Mary', 'John', 'Anna', 'Peter', 'Susan', 'Paul', 'Catherine', 'Kathryn']
const KINDS: readonly Kind[] = ['CT', 'MR', 'CR', 'US']

/** Ordinary patients, by seed: enough of them that a condition that is too wide or too narrow is seen. */
function ordinary(seed: number, count: number): readonly PatientPlan[] {
  const next = random(seed)
  const pick = <T>(values: readonly T[]): T => values[next(values.length)] as T
  const digits = (below: number, from = 0): string => String(from + next(below)).padStart(2, '0')
  return Array.from({ length: count }, (_, index) => ({
    id: `R${String(index).padStart(4, '0')}`,
    name: `${pick(FAMILY)}^${pick(GIVEN)}`,
    birthDate: `19${digits(100)}${digits(12, 1)}${digits(28, 1)}`,
    sex: pick(['M', 'F', 'O']),
    studies: Array.from({ length: 1 + next(3) }, (__, study) => ({
      date: `20${digits(20)}${digits(12, 1)}${digits(28, 1)}`,
      time: `${digits(24)}${digits(60)}${digits(60)}`,
      accession: `ACC${index}-${study}`,
      elements: [['00081030', 'LO', pick(['Head', 'Chest', 'Knee left', 'Knee right'])], ['00080090', 'PN', pick(['House^Gregory', 'Who^Doctor'])]] satisfies Item,
      series: Array.from({ length: 1 + next(2) }, () => one(pick(KINDS), 1 + next(2))),
    })),
  }))
}

/** One study of many instances, in series of 1, 2, and the rest. */
function large(count: number): readonly PatientPlan[] {
  if (count < 10) return []
  return [{
    id: 'LARGE', name: 'Large^Larry', birthDate: '19770707', sex: 'M',
    studies: [{ date: '20240501', time: '090000', accession: 'L1', series: [one('CT', 1), one('CT', 2), one('MR', Math.floor(count / 4)), one('CT', count - 3 - Math.floor(count / 4))] }],
  }]
}

export function patientPlans(seed: number, ordinaryPatients: number, largestStudy: number): readonly PatientPlan[] {
  return [...beyondAscii, ...special, ...ordinary(seed, ordinaryPatients), ...large(largestStudy)]
}
