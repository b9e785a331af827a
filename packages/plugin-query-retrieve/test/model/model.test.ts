import { DicomtapError, decodeDataSet, encodeDataSet } from '@dicomtap/framework'
import type { DataSet } from '@dicomtap/framework'
import test from 'ava'
import { buildCatalogue } from '../../dist/model/catalogue.js'
import { describeInstance } from '../../dist/model/describe-instance.js'
import { attributesOf } from '../../dist/model/stored-attributes.js'
import { LEVELS, UNIQUE_KEYS } from '../../dist/model/levels.js'
import { FILE, UIDS, catalogue } from '../matching/ask.ts'

const NOTHING = { patient: [], study: [], series: [], instance: [] }

// PS3.4 tables C.6-1 to C.6-4: unique and required keys.
const REQUIRED = {
  PATIENT: ['PatientName', 'PatientID'],
  STUDY: ['StudyDate', 'StudyTime', 'AccessionNumber', 'StudyID', 'StudyInstanceUID'],
  SERIES: ['Modality', 'SeriesNumber', 'SeriesInstanceUID'],
  IMAGE: ['InstanceNumber', 'SOPInstanceUID'],
}

test('required and unique keys are there, at their level and with a column', async (t) => {
  const attributes = await buildCatalogue(NOTHING)
  for (const level of LEVELS) {
    for (const keyword of [...REQUIRED[level], UNIQUE_KEYS[level]]) {
      const attribute = attributes.byName(keyword)
      t.is(attribute?.level, level, keyword)
      t.not(attribute?.column, undefined, keyword)
    }
    t.deepEqual(attributes.ofLevel(level), attributes.all.filter((attribute) => attribute.level === level))
  }
  t.is(new Set(attributes.all.map(({ tag }) => tag)).size, attributes.all.length)
  t.is(attributes.byName('SpecificCharacterSet'), undefined, 'no key: PS3.4 C.2.2.2')
  t.is(attributes.byName('StudyStatusID')?.name, 'RETIRED_StudyStatusID', 'as a data set calls it')
})

test('attributes of the options', async (t) => {
  const attributes = await buildCatalogue({
    ...NOTHING,
    study: ['StudyVerifiedDate', { attribute: 'StudyDescription', indexed: true }],
    series: [{ attribute: '00291010', vr: 'LO', indexed: true }, '00180087'],
  })
  t.like(attributes.byName('RETIRED_StudyVerifiedDate'), { level: 'STUDY', vr: 'DA', isIndexed: false })
  t.like(attributes.byName('StudyDescription'), { isIndexed: true, column: undefined })
  t.like(attributes.byName('00291010'), { tag: 0x00291010, vr: 'LO', level: 'SERIES', isIndexed: true })
  t.like(attributes.byName('MagneticFieldStrength'), { level: 'SERIES', vr: 'DS' }, 'by hexadecimal digits')
  const plain = await buildCatalogue(NOTHING)
  t.not(attributes.fingerprint, plain.fingerprint)
  t.is((await buildCatalogue(NOTHING)).fingerprint, plain.fingerprint)
})

test('wrong attributes of the options: a line for each', async (t) => {
  const study = [
    'StudyDescripton',
    'zzzz',
    '00091002',
    'PixelData',
    'SeriesDescription',
    'ModalitiesInStudy',
    '00080000',
    '00020010',
    { attribute: 'StudyComments', vr: 'SH' },
    { attribute: 'ProcedureCodeSequence', indexed: true },
  ]
  const error = await t.throwsAsync(() => buildCatalogue({ ...NOTHING, study }), { instanceOf: DicomtapError })
  t.is(error?.code, 'DICOMTAP_ERR_PLG_OPTIONS')
  const lines = error?.message.split('\n') ?? []
  t.is(lines.length, study.length)
  t.regex(lines[0] ?? '', /^plugins\[query-retrieve\]\.options\.attributes\.study\[0\]: 'StudyDescripton' is no attribute; did you mean StudyDescription/)
  t.regex(lines[2] ?? '', /give its vr/)
  t.regex(lines[4] ?? '', /of the level SERIES/)
})

test('attributes of items', (t) => {
  const sequence = catalogue.byName('ProcedureCodeSequence')
  if (sequence === undefined) return t.fail()
  t.like(catalogue.itemOf(sequence, 'CodeValue'), { tag: 0x00080100, vr: 'SH', level: 'STUDY', column: undefined })
  t.is(catalogue.itemOf(sequence, 'CodeValue'), catalogue.itemOf(sequence, 'CodeValue'))
  t.is(catalogue.itemOf(sequence, 'PixelData'), undefined)
  t.is(catalogue.itemOf(sequence, '00091011'), undefined)
  t.is(catalogue.itemOf(sequence, '00091011', 'LO')?.vr, 'LO')
  for (const name of ['constructor', 'nonsense', '']) t.is(catalogue.itemOf(sequence, name), undefined)
})

const IMAGE: DataSet = {
  ...UIDS,
  SpecificCharacterSet: ['', 'ISO 2022 IR 87'],
  TimezoneOffsetFromUTC: '+0900',
  PatientID: ' P1 ',
  IssuerOfPatientID: 'HOSPITAL',
  PatientName: [{ Alphabetic: 'Yamada^Tarou', Ideographic: '山田^太郎' }],
  PatientBirthDate: '1970.01.02',
  StudyDate: '20240615',
  StudyTime: '1030',
  AccessionNumber: 'A1',
  StudyID: 'S1',
  StudyDescription: 'CT Thorax',
  PatientWeight: 70.5,
  ProcedureCodeSequence: [{ CodeValue: 'T-1', CodingSchemeDesignator: '99X', CodeMeaning: '胸部' }],
  Modality: 'CT',
  SeriesNumber: 3,
  InstanceNumber: 12,
  ImageType: ['ORIGINAL', 'PRIMARY'],
  Rows: 512,
  PixelSpacing: [0.5, 0.5],
  PixelData: [new ArrayBuffer(10)],
  '00091010': 'private',
  _vrMap: { '00091010': 'LO' },
}

test('what the index keeps of an instance', (t) => {
  const instance = describeInstance(IMAGE, FILE, catalogue)
  t.like(instance, {
    patientKey: '["P1","HOSPITAL"]',
    studyInstanceUid: '1.2.3',
    seriesInstanceUid: '1.2.3.4',
    sopInstanceUid: '1.2.3.4.5',
    sopClassUid: '1.2.840.10008.5.1.4.1.1.2',
    ...FILE,
  })
  t.deepEqual(instance?.patient.columns, {
    patient_id: 'P1',
    issuer: 'HOSPITAL',
    name_alphabetic: 'yamada^tarou',
    name_ideographic: '山田^太郎',
    name_phonetic: '',
    birth_date: '19700102',
  })
  t.deepEqual(instance?.study.columns, { study_date: '20240615', study_time: '103000.000000', accession_number: 'A1', study_id: 'S1' })
  t.deepEqual(instance?.study.keyValues, [{ tag: 0x00081030, value: 'CT Thorax' }])
  t.deepEqual(instance?.series.columns, { modality: 'CT', series_number: '3' })
  t.deepEqual(instance?.instance.columns, { instance_number: '12' })
  t.deepEqual(attributesOf(instance?.patient.attributes ?? ''), {
    SpecificCharacterSet: ['', 'ISO 2022 IR 87'],
    TimezoneOffsetFromUTC: '+0900',
    PatientID: ' P1 ',
    IssuerOfPatientID: 'HOSPITAL',
    PatientName: [{ Alphabetic: 'Yamada^Tarou', Ideographic: '山田^太郎' }],
    PatientBirthDate: '1970.01.02',
  })
  t.deepEqual(attributesOf(instance?.instance.attributes ?? ''), {
    SpecificCharacterSet: ['', 'ISO 2022 IR 87'],
    TimezoneOffsetFromUTC: '+0900',
    SOPInstanceUID: '1.2.3.4.5',
    SOPClassUID: '1.2.840.10008.5.1.4.1.1.2',
    InstanceNumber: 12,
    ImageType: ['ORIGINAL', 'PRIMARY'],
    Rows: 512,
    PixelSpacing: [0.5, 0.5],
    '00091010': 'private',
    _vrMap: { '00091010': 'LO' },
  })
})

test('what was kept can be encoded again, in the character set it came in', async (t) => {
  const { PixelData: _, ...image } = IMAGE
  for (const syntax of ['1.2.840.10008.1.2', '1.2.840.10008.1.2.1']) {
    const received = await decodeDataSet(await encodeDataSet(image, '1.2.840.10008.1.2.1'), '1.2.840.10008.1.2.1')
    const instance = describeInstance(received, FILE, catalogue)
    const kept = Object.assign({}, ...[instance?.patient, instance?.study, instance?.series, instance?.instance].map((level) => attributesOf(level?.attributes ?? ''))) as DataSet
    const sent = await decodeDataSet(await encodeDataSet(kept, syntax), syntax)
    t.deepEqual(sent['SpecificCharacterSet'], ['', 'ISO 2022 IR 87'], 'it was enough for all of the text')
    t.is((sent['PatientName'] as [{ Ideographic: string }])[0].Ideographic, '山田^太郎')
    t.is((sent['ProcedureCodeSequence'] as [{ CodeMeaning: string }])[0].CodeMeaning, '胸部')
    t.is(sent['PatientWeight'], 70.5)
  }
})

test('an instance without one of its UIDs is none', (t) => {
  for (const name of Object.keys(UIDS)) {
    for (const wrong of [undefined, null, '', 'abc', '1.*', ['1.2', '1.3'], '1'.repeat(65), {}]) {
      t.is(describeInstance({ ...UIDS, [name]: wrong }, FILE, catalogue), undefined, `${name} ${JSON.stringify(wrong)}`)
    }
  }
})

test('patients: Patient ID and issuer, without an ID the study (PS3.3 C.7.1.1)', (t) => {
  const key = (dataset: DataSet): string | undefined => describeInstance({ ...UIDS, ...dataset }, FILE, catalogue)?.patientKey
  t.is(key({ PatientID: 'A' }), key({ PatientID: 'A ', PatientName: 'Doe' }))
  t.not(key({ PatientID: 'A' }), key({ PatientID: 'A', IssuerOfPatientID: 'X' }))
  t.not(key({ PatientID: 'A' }), key({ PatientID: 'a' }))
  t.not(key({}), key({ StudyInstanceUID: '1.9' }))
  t.is(key({}), key({ PatientID: ' ', IssuerOfPatientID: 'X' }))
  t.not(key({ PatientID: 'A","B' }), key({ PatientID: 'A', IssuerOfPatientID: 'B' }))
  t.not(key({ PatientID: `${'x'.repeat(300)}1` }), key({ PatientID: `${'x'.repeat(300)}2` }), 'of any length')
})

test('hostile instances are cut, and never fail', (t) => {
  const deep = (depth: number): DataSet => (depth === 0 ? { CodeValue: 'X' } : { EquivalentCodeSequence: [deep(depth - 1)] })
  const hostile: DataSet = {
    ...UIDS,
    SpecificCharacterSet: Array.from({ length: 10_000 }, () => 'x'.repeat(100)),
    PatientID: 'p'.repeat(65_536),
    PatientName: [{ Alphabetic: 'n'.repeat(65_536), Ideographic: '\ud800\0' }],
    PatientComments: 'c'.repeat(1_000_000),
    OtherPatientIDs: Array.from({ length: 100_000 }, (_, index) => `id${index}`),
    StudyDescription: ['\0', 'a\0b'],
    ProcedureCodeSequence: Array.from({ length: 10_000 }, () => ({ CodeMeaning: 'm'.repeat(10_000), PixelData: [new ArrayBuffer(100)] })),
    AdmittingDiagnosesCodeSequence: [deep(50)],
    RequestAttributesSequence: [Object.fromEntries(Array.from({ length: 10_000 }, (_, index) => [`0009${(0x1000 + index).toString(16)}`, 'v']))],
    SeriesNumber: Number.NaN,
    Modality: [null, 'CT', 'MR'],
    InstanceNumber: 12345678901234567890n,
    PixelSpacing: [Number.POSITIVE_INFINITY, 1],
    ImageType: 'a sequence'.split('').map((CodeValue) => ({ CodeValue })),
    Rows: new ArrayBuffer(2),
    ConceptNameCodeSequence: new ArrayBuffer(2),
    ReferencedSeriesSequence: [null, 'x', { SeriesInstanceUID: '1' }],
  }
  const instance = describeInstance(hostile, FILE, catalogue)
  if (instance === undefined) return t.fail()
  for (const level of [instance.patient, instance.study, instance.series, instance.instance]) {
    t.true(level.attributes.length < 80_000)
    t.false(level.attributes.includes('\\u0000'))
    for (const value of [...Object.values(level.columns), ...level.keyValues.map(({ value: one }) => one)]) {
      t.true(value.length <= 256 && !value.includes('\0') && value.isWellFormed())
    }
  }
  t.is(instance.series.columns['modality'], 'CT', 'the first value counts')
  t.is(instance.series.columns['series_number'], '')
  t.is(instance.instance.columns['instance_number'], '12345678901234567890')
  t.deepEqual(instance.study.keyValues.map(({ value }) => value), ['ab'])
  const kept = attributesOf(instance.instance.attributes)
  t.false('Rows' in kept || 'ConceptNameCodeSequence' in kept || 'ImageType' in kept)
  t.notThrows(() => describeInstance({ ...UIDS, PatientName: 7, ProcedureCodeSequence: 'x', _vrMap: null }, FILE, catalogue))
})

test('private attributes that came without a VR are read as the options say', (t) => {
  const bytes = (text: string): ArrayBuffer => new Uint8Array(Buffer.from(text)).buffer
  const kept = (value: unknown): unknown => attributesOf(describeInstance({ ...UIDS, '00091010': value }, FILE, catalogue)?.instance.attributes ?? '')['00091010']
  t.is(kept([bytes('ACME ')]), 'ACME')
  t.deepEqual(kept([bytes('A\\Ü')]), ['A', 'Ü'])
  t.is(kept([new Uint8Array([0xdc]).buffer]), 'Ü', 'no UTF-8: Latin-1')
})
