import { StatusError, decodeDataSet, encodeDataSet, loadDictionary } from '@dicomtap/framework'
import type { DataSet, FindNegotiation } from '@dicomtap/framework'
import test from 'ava'
import type { ExecutionContext } from 'ava'
import fc from 'fast-check'
import { parseIdentifier } from '../../dist/identifier/parse-identifier.js'
import { parseRetrieveIdentifier } from '../../dist/identifier/parse-retrieve-identifier.js'
import { MODELS } from '../../dist/model/levels.js'
import type { ModelName } from '../../dist/model/levels.js'
import type { Query } from '../../dist/model/query.js'
import { NOTHING_NEGOTIATED, catalogue } from '../matching/ask.ts'

interface How {
  readonly model?: ModelName
  readonly relational?: boolean
  readonly negotiated?: Partial<FindNegotiation>
}

function parse(identifier: DataSet, { model = 'studyRoot', relational = false, negotiated = {} }: How = {}): Query {
  return parseIdentifier(identifier, { model: MODELS[model], attributes: catalogue, relational, negotiated: { ...NOTHING_NEGOTIATED, ...negotiated } })
}

const study = (keys: DataSet): DataSet => ({ QueryRetrieveLevel: 'STUDY', ...keys })

function refuses(t: ExecutionContext, act: () => unknown, tag: number, comment?: RegExp): void {
  const error = t.throws(act, { instanceOf: StatusError })
  t.is(error?.status, 0xa900)
  t.deepEqual(error?.offendingElements, [tag])
  t.true((error?.errorComment ?? '').length <= 64)
  if (comment !== undefined) t.regex(error?.errorComment ?? '', comment)
}

const TAGS = { level: 0x00080052, patientId: 0x00100020, study: 0x0020000d, series: 0x0020000e, sop: 0x00080018 }

// Query/Retrieve Level

for (const [why, identifier, model] of [
  ['missing', { PatientID: '1' }, 'patientRoot'],
  ['empty', { QueryRetrieveLevel: '' }, 'patientRoot'],
  ['unknown', { QueryRetrieveLevel: 'FRAME' }, 'patientRoot'],
  ['in the wrong case', { QueryRetrieveLevel: 'study' }, 'patientRoot'],
  ['several', { QueryRetrieveLevel: ['STUDY', 'SERIES'] }, 'patientRoot'],
  ['not of the model: a study root has no patients', { QueryRetrieveLevel: 'PATIENT' }, 'studyRoot'],
  ['not of the model: patient/study only', { QueryRetrieveLevel: 'SERIES' }, 'patientStudyOnly'],
] as const) {
  test(`Query/Retrieve Level ${why}: A900`, (t) => refuses(t, () => parse(identifier as DataSet, { model }), TAGS.level))
}

test('the level is trimmed as CS is', (t) => {
  t.is(parse({ QueryRetrieveLevel: 'STUDY ' }).level, 'STUDY')
})

// Unique keys of the levels above, PS3.4 C.4.1.2.1

for (const [why, identifier, model, tag] of [
  ['missing', { QueryRetrieveLevel: 'SERIES' }, 'studyRoot', TAGS.study],
  ['empty', { QueryRetrieveLevel: 'SERIES', StudyInstanceUID: '' }, 'studyRoot', TAGS.study],
  ['a list', { QueryRetrieveLevel: 'SERIES', StudyInstanceUID: ['1.2', '1.3'] }, 'studyRoot', TAGS.study],
  ['an asterisk', { QueryRetrieveLevel: 'SERIES', StudyInstanceUID: '*' }, 'studyRoot', TAGS.study],
  ['missing two levels above', { QueryRetrieveLevel: 'IMAGE', SeriesInstanceUID: '1.2' }, 'studyRoot', TAGS.study],
  ['missing, of a patient', { QueryRetrieveLevel: 'STUDY' }, 'patientRoot', TAGS.patientId],
  ['a wildcard, of a patient', { QueryRetrieveLevel: 'STUDY', PatientID: '1*' }, 'patientRoot', TAGS.patientId],
] as const) {
  test(`unique key of a level above ${why}: A900`, (t) => {
    refuses(t, () => parse(identifier as DataSet, { model }), tag)
    t.notThrows(() => parse(identifier as DataSet, { model, relational: true }), 'not when relational queries were negotiated (PS3.4 C.4.1.2.2.1)')
  })
}

test('a hierarchical query with all it needs', (t) => {
  const query = parse({ QueryRetrieveLevel: 'IMAGE', PatientID: 'P1', StudyInstanceUID: '1.2', SeriesInstanceUID: '1.2.3', SOPInstanceUID: '' }, { model: 'patientRoot' })
  t.deepEqual(query.keys.map(({ attribute, matching }) => [attribute.name, matching]), [
    ['PatientID', { kind: 'single', value: 'P1' }],
    ['StudyInstanceUID', { kind: 'single', value: '1.2' }],
    ['SeriesInstanceUID', { kind: 'single', value: '1.2.3' }],
  ])
  t.deepEqual(query.returned.map(({ name }) => name), ['PatientID', 'StudyInstanceUID', 'SeriesInstanceUID', 'SOPInstanceUID'])
})

test('more lenient than the standard, because SCUs are', (t) => {
  t.notThrows(() => parse(study({})), 'the unique key of the level itself may be absent')
  const patients = parse({ QueryRetrieveLevel: 'PATIENT', PatientID: '1*' }, { model: 'patientRoot' })
  t.deepEqual(patients.keys[0]?.matching, { kind: 'wildcard', pattern: '1*' }, 'a Patient ID may have wildcards at its level')
  const above = parse({ QueryRetrieveLevel: 'STUDY', PatientID: '1', PatientName: 'Doe*' }, { model: 'patientRoot' })
  t.deepEqual(above.keys.map(({ attribute }) => attribute.name), ['PatientID', 'PatientName'], 'keys of the levels above are matched')
})

// Matching by VR

const { byTag } = await loadDictionary()
/** Of some hundred attributes of the group of acquisitions, those that any text is a value of. */
const KEYWORDS = Array.from({ length: 0x9000 }, (_, element) => byTag(0x00180000 + element)).flatMap((attribute) => (attribute !== undefined && ['LO', 'SH', 'CS', 'IS', 'DS'].includes(attribute.vr) ? [attribute.name] : []))

for (const [why, keys, tag] of [
  ['wildcard in UI', { StudyInstanceUID: '1.2.*' }, TAGS.study],
  ['wildcard in a list of UID', { StudyInstanceUID: ['1.2', '1.3.?'] }, TAGS.study],
  ['no UID', { StudyInstanceUID: 'abc' }, TAGS.study],
  ['UID of 65 characters', { StudyInstanceUID: '1'.repeat(65) }, TAGS.study],
  ['wildcard in DA', { StudyDate: '2024*' }, 0x00080020],
  ['wildcard in TM', { StudyTime: '10??' }, 0x00080030],
  ['wildcard in AS', { PatientAge: '0*Y' }, 0x00101010],
  ['wildcard in DS', { PatientWeight: '7*' }, 0x00101030],
  ['no number', { PatientWeight: 'heavy' }, 0x00101030],
  ['no date', { StudyDate: '20241301' }, 0x00080020],
  ['no date: a month', { StudyDate: '202401' }, 0x00080020],
  ['no date: ISO 8601', { StudyDate: '2024-01-01' }, 0x00080020],
  ['no range of dates', { StudyDate: '20240101-x' }, 0x00080020],
  ['no range of dates: nothing on both sides', { StudyDate: '-' }, 0x00080020],
  ['range of dates that runs backwards', { StudyDate: '20240102-20240101' }, 0x00080020],
  ['no time', { StudyTime: '2500' }, 0x00080030],
  ['no time: one digit', { StudyTime: '9' }, 0x00080030],
  ['range of times over midnight', { StudyTime: '2200-0600' }, 0x00080030],
  ['several values', { AccessionNumber: ['A', 'B'] }, 0x00080050],
  ['several names', { ReferringPhysicianName: [{ Alphabetic: 'A' }, { Alphabetic: 'B' }] }, 0x00080090],
  ['several dates', { StudyDate: ['20240101', '20240102'] }, 0x00080020],
  ['a sequence where there is none', { AccessionNumber: [{ CodeValue: 'A' }] }, 0x00080050],
  ['bytes', { AccessionNumber: [new ArrayBuffer(4)] }, 0x00080050],
  ['text where a sequence is', { ProcedureCodeSequence: 'A' }, 0x00081032],
  ['two items', { ProcedureCodeSequence: [{ CodeValue: 'A' }, { CodeValue: 'B' }] }, 0x00081032],
  ['a wrong key in an item', { ReferencedStudySequence: [{ ReferencedSOPInstanceUID: '1.*' }] }, 0x00081155],
  ['text that is not of its character set', { StudyDescription: 'Sch\ufffddel' }, 0x00081030],
  ['a name that is not of its character set', { PatientName: [{ Alphabetic: 'M\ufffdller' }] }, 0x00100010],
  ['a date-time of thousands of ranges', { ProcedureCodeSequence: [{ ContextGroupVersion: '-'.repeat(1_000_000) }] }, 0x00080106],
  ['thousands of keys in an item', { ProcedureCodeSequence: [Object.fromEntries(KEYWORDS.map((keyword) => [keyword, '1']))] }, 0x00081032],
  ['wildcards without end', { StudyDescription: '*a'.repeat(200) }, 0x00081030],
] as const) {
  test(`${why}: A900, whose comment has no value`, (t) => {
    refuses(t, () => parse(study(keys as unknown as DataSet)), tag)
  })
}

test('values become what the columns hold', (t) => {
  const { keys } = parse(
    study({ PatientID: ' P1 ', PatientName: 'Müller^*', StudyDate: '2024.01.02', StudyTime: '10:15', AccessionNumber: 'A**1', StudyID: 'x'.repeat(300), Modality: 'CT' }),
  )
  t.deepEqual(
    keys.filter(({ attribute }) => attribute.name !== 'StudyID').map(({ attribute, matching }) => [attribute.column, matching]),
    [
      ['patient_id', { kind: 'single', value: 'P1' }],
      ['name_alphabetic', { kind: 'name', any: 'muller^*' }],
      ['study_date', { kind: 'single', value: '20240102' }],
      ['study_time', { kind: 'range', from: '101500.000000', to: '101559.999999' }],
      ['accession_number', { kind: 'wildcard', pattern: 'A*1' }],
    ],
  )
  const studyId = keys.find(({ attribute }) => attribute.name === 'StudyID')?.matching as { value: string }
  t.true(studyId.value.length <= 256, 'longer ones are cut as the column is')
})

test('modalities are a list although nothing was negotiated, as viewers mean it', (t) => {
  const { derivedKeys, derived } = parse(study({ ModalitiesInStudy: ['CT', 'MR'], NumberOfStudyRelatedInstances: '' }))
  t.deepEqual(derivedKeys, [{ name: 'ModalitiesInStudy', matching: { kind: 'list', values: ['CT', 'MR'] } }])
  t.deepEqual(derived, ['ModalitiesInStudy', 'NumberOfStudyRelatedInstances'])
  const negotiated = parse(study({ ModalitiesInStudy: ['CT', 'PT'] }), { negotiated: { multipleValueMatching: true } })
  t.deepEqual(negotiated.derivedKeys[0]?.matching, { kind: 'all', each: [{ kind: 'single', value: 'CT' }, { kind: 'single', value: 'PT' }] }, 'the example of PS3.4 C.2.2.2.8: both')
  refuses(t, () => parse(study({ ModalitiesInStudy: ['CT', 'M*'] }), { negotiated: { multipleValueMatching: true } }), 0x00080061, /Wildcard/)
})

test('date and time are combined when that was negotiated and both are ranges of one form', (t) => {
  const keys = study({ StudyDate: '20060705-20060707', StudyTime: '1000-1800' })
  const { dateTimeKeys, keys: rest } = parse(keys, { negotiated: { dateTimeMatching: true } })
  t.deepEqual(rest, [])
  t.deepEqual(dateTimeKeys.map(({ date, time, from, to }) => [date.name, time.name, from, to]), [
    ['StudyDate', 'StudyTime', '20060705100000.000000', '20060707180059.999999'],
  ])
  t.is(parse(keys).dateTimeKeys.length, 0)
  refuses(t, () => parse(study({ StudyDate: '20060707-20060705', StudyTime: '1000-1800' })), 0x00080020, /backwards/)
})

// Special attributes

test('what is not supported is told: unknown keys, keys of levels below, private ones', (t) => {
  const query = parse(study({ StudyInstanceUID: '', SeriesInstanceUID: '1.2', ContrastFlowRate: '3', '00291020': 'x', '00290010': 'ACME', NumberOfSeriesRelatedInstances: '', QueryRetrieveView: 'ENHANCED' }))
  t.deepEqual(query.unsupported, ['SeriesInstanceUID', 'ContrastFlowRate', '00291020', 'NumberOfSeriesRelatedInstances', 'QueryRetrieveView'])
  t.deepEqual(query.keys, [])
  t.deepEqual(query.returned.map(({ name }) => name), ['StudyInstanceUID'])
  const own = parse({ QueryRetrieveLevel: 'IMAGE', '00091010': 'x' }, { relational: true })
  t.deepEqual(own.keys.map(({ attribute }) => attribute.name), ['00091010'], 'a private attribute of the options')
})

test('keys that are returned and not matched are told too, when they have a value', (t) => {
  const query = parse(study({ RetrieveAETitle: 'PACS', InstanceAvailability: '', ProcedureCodeSequence: [{ CodeValue: 'A', '00091011': 'x', '00091012': null }] }))
  t.deepEqual(query.unsupported, ['RetrieveAETitle', '00091011'])
  t.deepEqual(query.derived, ['RetrieveAETitle', 'InstanceAvailability'])
})

test('attributes of items that were asked for', (t) => {
  const { itemAttributes, keys } = parse(
    study({ ProcedureCodeSequence: [{ CodeValue: '', CodeMeaning: '', EquivalentCodeSequence: [{ CodeValue: 'X' }] }], AdmittingDiagnosesCodeSequence: [] }),
  )
  t.deepEqual([...itemAttributes].map(([{ name }, names]) => [name, names]), [
    ['EquivalentCodeSequence', ['CodeValue']],
    ['ProcedureCodeSequence', ['CodeValue', 'CodeMeaning', 'EquivalentCodeSequence']],
  ])
  t.is(keys.length, 1)
})

test('time zone of the query', (t) => {
  const zone = (text: string, timezoneQueryAdjustment = true): number | undefined =>
    parse(study({ TimezoneOffsetFromUTC: text }), { negotiated: { timezoneQueryAdjustment } }).timezoneOffsetMinutes
  t.is(zone('+0530'), 330)
  t.is(zone('-0330'), -210)
  t.is(zone(''), undefined)
  t.is(zone('+0100', false), undefined, 'not negotiated')
  for (const wrong of ['0100', '+1', '+0160', '+1500', 'CET']) refuses(t, () => zone(wrong), 0x00080201)
})

test('Specific Character Set: known, and unknown with keys that mean the same in all of them', (t) => {
  t.deepEqual(parse(study({ SpecificCharacterSet: 'ISO_IR 192' })).characterSets, ['ISO_IR 192'])
  t.deepEqual(parse(study({ SpecificCharacterSet: ['', 'ISO 2022 IR 87'] })).characterSets, ['', 'ISO 2022 IR 87'])
  t.deepEqual(parse(study({})).characterSets, [])
  t.deepEqual(parse(study({ SpecificCharacterSet: 'EBCDIC', PatientName: 'Doe' })).characterSets, [])
  refuses(t, () => parse(study({ SpecificCharacterSet: 'EBCDIC', PatientName: [{ Alphabetic: 'Döe' }] })), 0x00080005)
})

test('as identifiers arrive: Japanese with escape sequences (PS3.3 C.12.1.1.2, PS3.5 H.3.1), padded values, multiple UIDs', async (t) => {
  const text = (tag: readonly number[], vr: string, value: Buffer): Buffer => {
    const padded = value.length % 2 === 0 ? value : Buffer.concat([value, Buffer.from(vr === 'UI' ? '\0' : ' ')])
    // Explicit VR Little Endian: group, element, VR, 16-bit length (PS3.5 7.1.2).
    const head = Buffer.alloc(8)
    head.writeUInt16LE(tag[0] as number, 0)
    head.writeUInt16LE(tag[1] as number, 2)
    head.write(vr, 4, 'latin1')
    head.writeUInt16LE(padded.length, 6)
    return Buffer.concat([head, padded])
  }
  const bytes = Buffer.concat([
    text([0x0008, 0x0005], 'CS', Buffer.from('\\ISO 2022 IR 87')),
    text([0x0008, 0x0052], 'CS', Buffer.from('STUDY')),
    // =山田^太郎, each component with its own escape sequences.
    text([0x0010, 0x0010], 'PN', Buffer.from('=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B', 'latin1')),
    text([0x0020, 0x000d], 'UI', Buffer.from('1.2\\1.3')),
  ])
  const query = parse(await decodeDataSet(bytes, '1.2.840.10008.1.2.1'))
  t.deepEqual(query.keys.map(({ matching }) => matching), [
    { kind: 'name', alphabetic: undefined, ideographic: '山田^太郎', phonetic: undefined },
    { kind: 'list', values: ['1.2', '1.3'] },
  ])
})

test('what would cost more than it may be worth is refused: values, keys in items, keys', (t) => {
  const many = <T>(count: number, make: (index: number) => T): T[] => Array.from({ length: count }, (_, index) => make(index))
  const all = { negotiated: { multipleValueMatching: true } }
  refuses(t, () => parse(study({ PatientName: many(300_000, () => ({ Alphabetic: 'A' })) }), all), 0x00100010, /^Too many values/)
  refuses(t, () => parse(study({ StudyDescription: many(257, () => 'CHEST') }), all), 0x00081030, /^Too many values/)
  t.notThrows(() => parse(study({ StudyDescription: many(256, () => 'CHEST') }), all))
  const privateKeys = (count: number): DataSet => Object.fromEntries(many(count, (index) => [(0x00111000 + index).toString(16).padStart(8, '0').toUpperCase(), null]))
  refuses(t, () => parse(study({ ProcedureCodeSequence: [privateKeys(257)] })), 0x00081032, /^Too many keys/)
  const error = t.throws(() => parse(study(privateKeys(1025))), { instanceOf: StatusError })
  t.is(error?.status, 0xa900)
  const uids = many(65_536, (index) => `1.2.${index}`)
  const [key] = parse(study({ StudyInstanceUID: uids })).keys
  t.is(key?.matching.kind === 'list' ? key.matching.values.length : undefined, 65_536)
  refuses(t, () => parse(study({ StudyInstanceUID: [...uids, '1.3'] })), TAGS.study, /^Too many values/)
})

test('a name is folded after it is cut: one character may become eighteen', (t) => {
  const [key] = parse(study({ PatientName: [{ Alphabetic: '\ufdfa'.repeat(10_000) }] })).keys
  t.deepEqual(parse(study({ PatientName: [{ Alphabetic: '\ufdfa'.repeat(2000) }] })).keys[0]?.matching, key?.matching)
})

test('whatever arrives is understood or refused with A900', (t) => {
  const value = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 30 }),
    fc.constantFrom('*', '""', '-', '20240101-', '1.2.3', '?', '', ' ', '=', '^', '\u0000'),
    fc.double(),
    fc.bigInt(),
    fc.constant(null),
    fc.array(fc.oneof(fc.string({ maxLength: 5 }), fc.constant(null), fc.integer()), { maxLength: 3 }),
    fc.array(fc.dictionary(fc.constantFrom('CodeValue', 'Alphabetic', '00091010', '_vrMap', 'x'), fc.string({ maxLength: 5 }), { noNullPrototype: true }), { maxLength: 2 }),
    fc.constant([new ArrayBuffer(2)]),
  )
  const name = fc.constantFrom('PatientName', 'PatientID', 'StudyDate', 'StudyTime', 'StudyInstanceUID', 'InstanceNumber', 'AcquisitionDateTime', 'ProcedureCodeSequence', 'ModalitiesInStudy', 'Rows', 'SpecificCharacterSet', 'TimezoneOffsetFromUTC', 'PatientWeight', '00091010', 'constructor', '__proto__', 'toString')
  const flags = fc.record(Object.fromEntries(Object.keys(NOTHING_NEGOTIATED).map((key) => [key, fc.boolean()])), { noNullPrototype: true })
  const property = fc.property(fc.array(fc.tuple(name, value), { maxLength: 4 }), flags, (entries, negotiated) => {
    const identifier = { ...Object.fromEntries(entries), QueryRetrieveLevel: 'IMAGE' } as DataSet
    for (const act of [
      () => parse(identifier, { model: 'patientRoot', relational: true, negotiated }),
      () => parseRetrieveIdentifier(identifier, { model: MODELS.patientRoot, relational: true, tagOf: catalogue.tagOf }),
    ]) {
      try {
        act()
      } catch (error) {
        if (!(error instanceof StatusError) || error.status !== 0xa900) throw error
      }
    }
  })
  t.notThrows(() => fc.assert(property, { numRuns: 500, seed: 20261121 }))
})

// C-MOVE and C-GET, PS3.4 C.4.2.1.4.1

function retrieve(identifier: DataSet, model: ModelName = 'patientRoot', relational = false): ReturnType<typeof parseRetrieveIdentifier> {
  return parseRetrieveIdentifier(identifier, { model: MODELS[model], relational, tagOf: catalogue.tagOf })
}

test('what a retrieve asks for', (t) => {
  const nothing = { patientId: undefined, studyInstanceUids: [], seriesInstanceUids: [], sopInstanceUids: [] }
  t.deepEqual(retrieve({ QueryRetrieveLevel: 'PATIENT', PatientID: 'P1 ' }), { ...nothing, level: 'PATIENT', patientId: 'P1' })
  t.deepEqual(retrieve({ QueryRetrieveLevel: 'STUDY', PatientID: 'P1', StudyInstanceUID: ['1.2', '1.3', '1.2'] }), {
    ...nothing,
    level: 'STUDY',
    patientId: 'P1',
    studyInstanceUids: ['1.2', '1.3'],
  })
  t.deepEqual(retrieve({ QueryRetrieveLevel: 'IMAGE', StudyInstanceUID: '1', SeriesInstanceUID: '1.2', SOPInstanceUID: ['1.2.3', '1.2.4\0'] }, 'studyRoot'), {
    ...nothing,
    level: 'IMAGE',
    studyInstanceUids: ['1'],
    seriesInstanceUids: ['1.2'],
    sopInstanceUids: ['1.2.3', '1.2.4'],
  })
  t.deepEqual(retrieve({ QueryRetrieveLevel: 'IMAGE', SOPInstanceUID: '1.2.3' }, 'compositeInstanceRoot'), { ...nothing, level: 'IMAGE', sopInstanceUids: ['1.2.3'] }, 'PS3.4 Y.3.2')
  t.deepEqual(retrieve({ QueryRetrieveLevel: 'SERIES', SeriesInstanceUID: '1.2' }, 'patientRoot', true), { ...nothing, level: 'SERIES', seriesInstanceUids: ['1.2'] }, 'relational retrieval')
})

test('what does no harm in a retrieve is ignored', (t) => {
  const selection = retrieve(
    { QueryRetrieveLevel: 'STUDY', StudyInstanceUID: '1.2', SpecificCharacterSet: 'ISO_IR 100', QueryRetrieveView: '', TimezoneOffsetFromUTC: '+0100', PatientName: '', StudyDate: null, SeriesInstanceUID: '' },
    'studyRoot',
  )
  t.deepEqual(selection.studyInstanceUids, ['1.2'])
  t.is(retrieve({ QueryRetrieveLevel: 'STUDY', StudyInstanceUID: '1.2', PatientID: 'P1' }, 'studyRoot').patientId, 'P1', 'a Patient ID in a study root restricts')
})

for (const [why, identifier, model, tag] of [
  ['no level', { StudyInstanceUID: '1' }, 'studyRoot', TAGS.level],
  ['a level that is not of the model', { QueryRetrieveLevel: 'PATIENT', PatientID: '1' }, 'studyRoot', TAGS.level],
  ['frames of composite instances, which are not made', { QueryRetrieveLevel: 'FRAME', SOPInstanceUID: '1' }, 'compositeInstanceRoot', TAGS.level],
  ['no unique key', { QueryRetrieveLevel: 'STUDY', StudyInstanceUID: '' }, 'studyRoot', TAGS.study],
  ['no unique key of a level above', { QueryRetrieveLevel: 'STUDY', StudyInstanceUID: '1' }, 'patientRoot', TAGS.patientId],
  ['a list above the level', { QueryRetrieveLevel: 'SERIES', StudyInstanceUID: ['1', '2'], SeriesInstanceUID: '1.1' }, 'studyRoot', TAGS.study],
  ['a list of patients', { QueryRetrieveLevel: 'PATIENT', PatientID: ['1', '2'] }, 'patientRoot', TAGS.patientId],
  ['a wildcard', { QueryRetrieveLevel: 'PATIENT', PatientID: '*' }, 'patientRoot', TAGS.patientId],
  ['a wildcard in a UID', { QueryRetrieveLevel: 'STUDY', StudyInstanceUID: '1.*' }, 'studyRoot', TAGS.study],
  ['no UID', { QueryRetrieveLevel: 'STUDY', StudyInstanceUID: 'x' }, 'studyRoot', TAGS.study],
  ['a key below the level', { QueryRetrieveLevel: 'STUDY', StudyInstanceUID: '1', SeriesInstanceUID: '1.1' }, 'studyRoot', TAGS.series],
  ['another key', { QueryRetrieveLevel: 'STUDY', StudyInstanceUID: '1', StudyDate: '20240101' }, 'studyRoot', 0x00080020],
] as const) {
  test(`a retrieve with ${why}: A900`, (t) => refuses(t, () => retrieve(identifier as unknown as DataSet, model), tag))
}

test('a retrieve of many instances, as it arrives', async (t) => {
  const uids = Array.from({ length: 2000 }, (_, index) => `1.2.3.${index}`)
  const bytes = await encodeDataSet({ QueryRetrieveLevel: 'IMAGE', StudyInstanceUID: '1.2', SeriesInstanceUID: '1.2.3', SOPInstanceUID: uids }, '1.2.840.10008.1.2')
  t.deepEqual(retrieve(await decodeDataSet(bytes, '1.2.840.10008.1.2'), 'studyRoot').sopInstanceUids, uids)
})
