import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import type { ExecutionContext } from 'ava'
import { decodeDataSet, encodeDataSet, encodePart10Header, loadDictionary, SOP_CLASSES, TransferSyntax } from '@dicomtap/framework'
import type { DataSet, RetrieveResponse } from '@dicomtap/framework'
import { columnsOf, elementAt, rawText, readableText } from '../dist/query/columns.js'
import { csvLine } from '../dist/query/csv.js'
import { fromDicomJson, toDicomJson, toKeywordJson } from '../dist/query/dicom-json.js'
import { parseFileNameTemplate } from '../dist/query/file-name.js'
import { parseKey, setKey } from '../dist/query/identifier.js'
import { matchTable } from '../dist/query/match-table.js'
import { modelNames, QUERY_MODELS, resolveModel } from '../dist/query/models.js'
import { prepareQuery } from '../dist/query/prepare.js'
import { fromObject, readQueryFile } from '../dist/query/query-file.js'
import { parseReceive } from '../dist/query/register.js'
import { countWords, outcomeOf, statusWords } from '../dist/query/retrieval.js'
import { storageContexts, storageSopClassUids } from '../dist/query/storage-contexts.js'
import { cut, printable, textWidth } from '../dist/query/text-width.js'

const dictionary = await loadDictionary()
/** Local time, a few hours after midnight. */
const NOW = new Date(2026, 2, 1, 4, 30)

function keys(...texts: readonly string[]): DataSet {
  const dataset: DataSet = {}
  for (const text of texts) setKey(dataset, parseKey(text, dictionary, NOW))
  return dataset
}

const KEYS: readonly (readonly [text: string, dataset: DataSet])[] = [
  ['PatientID=123', { PatientID: '123' }],
  ['PatientID', { PatientID: null }],
  ['PatientID=', { PatientID: null }],
  ['patientid=1', { PatientID: '1' }],
  ['0010,0020=123', { PatientID: '123' }],
  ['(0010,0020)=123', { PatientID: '123' }],
  ['(0010,0020)', { PatientID: null }],
  ['00100020=123', { PatientID: '123' }],
  ['PatientName=Doe^J*', { PatientName: 'Doe^J*' }],
  ['PatientName=Yamada^Tarou=山田^太郎', { PatientName: 'Yamada^Tarou=山田^太郎' }],
  ['StudyInstanceUID=1.2\\1.3', { StudyInstanceUID: ['1.2', '1.3'] }],
  ['StudyDescription=a=b', { StudyDescription: 'a=b' }],
  ['AdditionalPatientHistory=a\\b', { AdditionalPatientHistory: 'a\\b' }],
  ['ScheduledProcedureStepSequence[0].Modality=CT', { ScheduledProcedureStepSequence: [{ Modality: 'CT' }] }],
  ['ScheduledProcedureStepSequence.Modality=CT', { ScheduledProcedureStepSequence: [{ Modality: 'CT' }] }],
  ['0040,0100[0].0008,0060=CT', { ScheduledProcedureStepSequence: [{ Modality: 'CT' }] }],
  ['(0040,0100)[0].(0008,0060)', { ScheduledProcedureStepSequence: [{ Modality: null }] }],
  ['ScheduledProcedureStepSequence[1].Modality=CT', { ScheduledProcedureStepSequence: [{}, { Modality: 'CT' }] }],
  ['ScheduledProcedureStepSequence', { ScheduledProcedureStepSequence: [] }],
  ['ScheduledProcedureStepSequence[0]', { ScheduledProcedureStepSequence: [{}] }],
  [
    'ScheduledProcedureStepSequence.ScheduledProtocolCodeSequence.CodeValue=X',
    { ScheduledProcedureStepSequence: [{ ScheduledProtocolCodeSequence: [{ CodeValue: 'X' }] }] },
  ],
  ['0009,0010=ACME', { '00090010': 'ACME' }],
  ['0009,1001:LO=a', { '00091001': 'a', _vrMap: { '00091001': 'LO' } }],
  ['0009,1001:US=7', { '00091001': '7', _vrMap: { '00091001': 'US' } }],
  ['0009,1001', { '00091001': null, _vrMap: { '00091001': 'UN' } }],
  ['0009,1001:sq[0].PatientID=1', { '00091001': [{ PatientID: '1' }], _vrMap: { '00091001': 'SQ' } }],
  ['StudyDate=20260131', { StudyDate: '20260131' }],
  ['StudyDate=2026-01-31', { StudyDate: '20260131' }],
  ['StudyDate=20260101-20260131', { StudyDate: '20260101-20260131' }],
  ['StudyDate=20260101-', { StudyDate: '20260101-' }],
  ['StudyDate=-20260131', { StudyDate: '-20260131' }],
  ['StudyDate=2026-01-01..2026-01-31', { StudyDate: '20260101-20260131' }],
  ['StudyDate=2026-01-01..', { StudyDate: '20260101-' }],
  ['StudyDate=..today', { StudyDate: '-20260301' }],
  ['StudyDate=today', { StudyDate: '20260301' }],
  ['StudyDate=yesterday', { StudyDate: '20260228' }],
  ['StudyDate=today-7..today', { StudyDate: '20260222-20260301' }],
  ['StudyDate=*', { StudyDate: '*' }],
  ['StudyDate=20260101\\20260102', { StudyDate: ['20260101', '20260102'] }],
  ['StudyTime=08:30', { StudyTime: '0830' }],
  ['StudyTime=08:30..17:00', { StudyTime: '0830-1700' }],
  ['StudyTime=083000.5-170000', { StudyTime: '083000.5-170000' }],
  ['StudyTime=08:30-', { StudyTime: '0830-' }],
  ['SelectorAttribute=PatientID', { SelectorAttribute: 0x00100020 }],
  ['FrameIncrementPointer=0018,1063', { FrameIncrementPointer: 0x00181063 }],
  ['OtherPatientIDs', { OtherPatientIDs: null }],
]
for (const [text, dataset] of KEYS) {
  test(`key ${text}`, (t) => {
    t.deepEqual(keys(text), dataset)
  })
}

const WRONG_KEYS: readonly (readonly [text: string, says: RegExp])[] = [
  ['=1', /"=1" is no key; a key looks like PatientID=123/],
  ['', /is no key/],
  ['PatientsName=Doe', /There is no attribute "PatientsName"; did you mean PatientName/],
  ['Xyzzy=1', /There is no attribute "Xyzzy"; a tag such as 0010,0020 works too/],
  ['0010-0020=1', /"0010-0020" is neither a keyword, as PatientID, nor a tag/],
  ['PatientID.StudyDate=1', /PatientID is no sequence, so nothing can be in it/],
  ['PatientID[0]=1', /\[0\] goes with a sequence/],
  ['ScheduledProcedureStepSequence=CT', /is a sequence: give the attributes in it/],
  ['ScheduledProcedureStepSequence[100].Modality=CT', /an item is one of 0 to 99/],
  ['ScheduledProcedureStepSequence.=CT', /"" is neither a keyword/],
  ['0009,1001=a', /\(0009,1001\) needs its VR, e\.g\. 0009,1001:LO=value/],
  ['0009,1001:XX=a', /"XX" is no VR/],
  ['0002,0010=1.2', /\(0002,0010\) does not belong in a query/],
  ['0008,0000', /does not belong in a query/],
  ['PixelData=1', /PixelData holds bytes/],
  ['StudyDate=31.01.2026', /StudyDate takes a date such as 20260131, 2026-01-31, today/],
  ['StudyDate=2026-02-30', /got "2026-02-30"/],
  ['StudyDate=20261301', /got "20261301"/],
  ['StudyTime=25:00', /StudyTime takes a time such as 0830, 08:30/],
]
for (const [text, says] of WRONG_KEYS) {
  test(`no key: ${text}`, (t) => {
    const error = t.throws(() => keys(text), { name: 'UsageError' })
    t.regex(error.message, says)
    t.false(error.message.includes('\n'))
  })
}

test('several keys make one identifier, whose bytes are those of the standard', async (t) => {
  const identifier = keys('0040,0100[0].0008,0060=CT', 'ScheduledProcedureStepSequence.ScheduledStationAETitle', 'PatientID=1', 'PatientID=12')
  t.deepEqual(identifier, { ScheduledProcedureStepSequence: [{ Modality: 'CT', ScheduledStationAETitle: null }], PatientID: '12' })
  t.deepEqual(keys('PatientID=1', 'PatientID'), { PatientID: '1' })
  t.deepEqual(keys('PatientID=1', 'PatientID='), { PatientID: null })
  const bytes = await encodeDataSet(identifier, TransferSyntax.ImplicitVRLittleEndian)
  t.is(
    bytes.toString('hex'),
    [
      '10002000 02000000 3132', // (0010,0020) PatientID, 2 bytes: "12"
      '40000001 1a000000', // (0040,0100) sequence of 26 bytes
      'feff00e0 12000000', // item of 18 bytes
      '08006000 02000000 4354', // (0008,0060) Modality: "CT"
      '40000100 00000000', // (0040,0001) ScheduledStationAETitle, no value: a return key
    ]
      .join('')
      .replaceAll(' ', ''),
  )
})

test('a query that only says what to match also asks for what is useful at its level', async (t) => {
  const { identifier, uid, defaults } = await prepareQuery('find', ['PatientID=123'], {})
  t.is(uid, '1.2.840.10008.5.1.4.1.2.2.1')
  t.is(identifier['QueryRetrieveLevel'], 'STUDY')
  t.is(identifier['PatientID'], '123')
  t.is(identifier['StudyInstanceUID'], null)
  t.true(defaults.has('StudyInstanceUID'))
  t.false(defaults.has('PatientID'))
  t.deepEqual((await prepareQuery('find', ['PatientID=123', 'StudyDescription'], {})).identifier, {
    PatientID: '123',
    StudyDescription: null,
    QueryRetrieveLevel: 'STUDY',
  })
  t.deepEqual((await prepareQuery('find', ['PatientID=123'], { defaultKeys: false })).identifier, { PatientID: '123', QueryRetrieveLevel: 'STUDY' })
  // Only unique keys of upper levels are allowed (PS3.4 C.4.1.1.3.1).
  const series = (await prepareQuery('find', [], { level: 'series' })).identifier
  t.deepEqual([Object.hasOwn(series, 'PatientName'), series['StudyInstanceUID'], series['SeriesInstanceUID']], [false, null, null])
})

const LEVELS: readonly (readonly [keys: readonly string[], options: Parameters<typeof prepareQuery>[2], level: unknown])[] = [
  [['PatientID=1'], {}, 'STUDY'],
  [['PatientID=1'], { patient: true }, 'PATIENT'],
  [['PatientName=D*'], { model: 'patient' }, 'PATIENT'],
  [['StudyInstanceUID=1.2'], { patient: true }, 'STUDY'],
  [['StudyInstanceUID=1.2', 'SeriesInstanceUID'], {}, 'SERIES'],
  [['SOPInstanceUID'], {}, 'IMAGE'],
  [['PatientID=1'], { level: 'image' }, 'IMAGE'],
  [['PatientID=1'], { level: 'Instance' }, 'IMAGE'],
  [['PatientID=1', 'QueryRetrieveLevel=SERIES'], {}, 'SERIES'],
  [['PatientID=1', 'QueryRetrieveLevel=SERIES'], { level: 'STUDY' }, 'STUDY'],
  [['PatientID=1'], { worklist: true }, undefined],
]
for (const [texts, options, level] of LEVELS) {
  test(`level of ${texts.join(' ')} ${JSON.stringify(options)}`, async (t) => {
    t.is((await prepareQuery('find', texts, options)).identifier['QueryRetrieveLevel'], level)
  })
}

const UNUSABLE: readonly (readonly [operation: 'find' | 'get' | 'move', keys: readonly string[], options: Parameters<typeof prepareQuery>[2], says: RegExp])[] = [
  ['find', [], { level: 'FOLDER' }, /A level is one of PATIENT, STUDY, SERIES, IMAGE, FRAME; got "FOLDER"/],
  ['find', [], { worklist: true, level: 'STUDY' }, /the model worklist has no levels/],
  ['find', [], { worklist: true, patient: true }, /two models: patient and worklist/],
  ['find', [], { model: 'worklst' }, /There is no model "worklst"; give one of study, patient/],
  ['find', [], { model: 'composite-instance' }, /The model composite-instance has no C-FIND/],
  ['get', [], { worklist: true }, /The model worklist has no C-GET/],
  ['find', [], { defaultKeys: false }, /there is no key/],
  ['get', ['PatientID=1'], {}, /it does not say what to retrieve: give StudyInstanceUID=/],
  ['get', ['StudyInstanceUID'], {}, /it does not say what to retrieve/],
  ['move', ['SeriesInstanceUID=1.2'], { level: 'STUDY' }, /at level STUDY the model study retrieves by StudyInstanceUID/],
  ['find', ['Rows=many'], {}, /the query cannot be encoded: \(0028,0010\)/],
]
for (const [operation, texts, options, says] of UNUSABLE) {
  test(`unusable: ${operation} ${texts.join(' ')} ${JSON.stringify(options)}`, async (t) => {
    t.regex((await t.throwsAsync(prepareQuery(operation, texts, options), { name: 'UsageError' })).message, says)
  })
}

test('a missing unique key of an upper level is remarked upon, unless the query is relational', async (t) => {
  const remarks = async (texts: readonly string[], options = {}): Promise<readonly string[]> => (await prepareQuery('find', texts, options)).remarks
  t.regex((await remarks(['SeriesInstanceUID', 'Modality=CT'])).join(), /At level SERIES most servers want StudyInstanceUID/)
  t.regex((await remarks(['SOPInstanceUID', 'StudyInstanceUID=1.*'])).join(), /want StudyInstanceUID and SeriesInstanceUID/)
  t.deepEqual(await remarks(['SeriesInstanceUID', 'StudyInstanceUID=1.2']), [])
  t.deepEqual(await remarks(['SeriesInstanceUID'], { relational: true }), [])
  t.deepEqual((await prepareQuery('get', ['StudyInstanceUID=1.2', 'SeriesInstanceUID=1.2.3\\1.2.4'], {})).remarks, [])
})

test('the character set is UTF-8 when it is needed, or the one asked for', async (t) => {
  const characterSet = async (text: string, options = {}): Promise<unknown> => (await prepareQuery('find', [text], options)).identifier['SpecificCharacterSet']
  t.is(await characterSet('PatientName=Doe'), undefined)
  t.is(await characterSet('PatientName=Müller'), 'ISO_IR 192')
  t.is(await characterSet('ScheduledProcedureStepSequence.ScheduledPerformingPhysicianName=Müller'), 'ISO_IR 192')
  t.is(await characterSet('PatientName=Müller', { charset: 'ISO_IR 100' }), 'ISO_IR 100')
  t.is(await characterSet('PatientName=Müller', { charset: 'latin1' }), 'ISO_IR 100')
  t.deepEqual(await characterSet('PatientName=Doe', { charset: '\\ISO 2022 IR 87' }), ['', 'ISO 2022 IR 87'])
  const { identifier } = await prepareQuery('find', ['PatientName=Müller'], { charset: 'ISO_IR 100', defaultKeys: false })
  t.true((await encodeDataSet(identifier, TransferSyntax.ImplicitVRLittleEndian)).includes(Buffer.from('M\xfcller', 'latin1')))
})

test('models: names, aliases, keywords and UIDs', (t) => {
  t.is(resolveModel('STUDY', 'get').uid, '1.2.840.10008.5.1.4.1.2.2.3')
  t.is(resolveModel('mwl', 'find').uid, '1.2.840.10008.5.1.4.31')
  t.is(resolveModel('ups', 'find').uid, '1.2.840.10008.5.1.4.34.6.3')
  t.is(resolveModel('HangingProtocolInformationModelMove', 'move').model.name, 'hanging-protocol')
  t.is(resolveModel('1.2.840.10008.5.1.4.1.2.1.1', 'find').model.name, 'patient')
  t.deepEqual(resolveModel('1.3.6.1.4.1.99', 'find'), { model: { name: '1.3.6.1.4.1.99', hasLevels: false }, uid: '1.3.6.1.4.1.99' })
  t.false(modelNames('get').includes('worklist'))
})

test('models: every one has a SOP class that the registry knows, and return keys that the dictionary knows', async (t) => {
  for (const { name, find, get, move, hasLevels } of QUERY_MODELS) {
    for (const uid of [find, get, move]) t.true(uid === undefined || SOP_CLASSES.some((one) => one.uid === uid), name)
    if (find === undefined) continue
    for (const level of hasLevels ? ['PATIENT', 'STUDY', 'SERIES', 'IMAGE'] : [undefined]) {
      const { identifier } = await prepareQuery('find', [], { model: name, ...(level === undefined ? {} : { level }) })
      t.true(Object.keys(identifier).length > 1, `${name} ${level}`)
    }
  }
})

async function queryFile(t: ExecutionContext, name: string, content: string | Uint8Array): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'dicomtap-query-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const file = join(folder, name)
  await writeFile(file, content)
  return file
}

test('query files: JSON and YAML with keys of every form', async (t) => {
  const json = await queryFile(
    t,
    'query.json',
    JSON.stringify({
      PatientID: '00123',
      '0008,0020': '2026-01-31',
      ModalitiesInStudy: ['CT', 'MR'],
      StudyInstanceUID: '',
      Rows: 512,
      ScheduledProcedureStepSequence: [{ Modality: 'CT', ScheduledStationAETitle: null }],
      'ScheduledProcedureStepSequence[0].ScheduledProcedureStepStartDate': '20260101-',
      '00100010': { vr: 'PN', Value: [{ Alphabetic: 'Doe^J' }] },
      '00091001': { vr: 'LO', Value: ['x'] },
    }),
  )
  t.deepEqual(await readQueryFile(json, dictionary), {
    PatientID: '00123',
    StudyDate: '20260131',
    ModalitiesInStudy: ['CT', 'MR'],
    StudyInstanceUID: null,
    Rows: '512',
    ScheduledProcedureStepSequence: [{ Modality: 'CT', ScheduledStationAETitle: null, ScheduledProcedureStepStartDate: '20260101-' }],
    PatientName: 'Doe^J',
    '00091001': 'x',
    _vrMap: { '00091001': 'LO' },
  })
  const yaml = await queryFile(t, 'query.yaml', 'PatientID: "00123"\nStudyDate: 2026-01-31\nStudyInstanceUID:\nOtherPatientIDsSequence: [{ PatientID: A }]\n')
  t.deepEqual(await readQueryFile(yaml, dictionary), {
    PatientID: '00123',
    StudyDate: '20260131',
    StudyInstanceUID: null,
    OtherPatientIDsSequence: [{ PatientID: 'A' }],
  })
})

test('query files: DICOM, with a header and without', async (t) => {
  const dataset: DataSet = { PatientName: 'Müller', SpecificCharacterSet: 'ISO_IR 100', ScheduledProcedureStepSequence: [{ Modality: 'CT' }] }
  const encoded = await encodeDataSet(dataset, TransferSyntax.ImplicitVRLittleEndian)
  const header = encodePart10Header({ sopClassUid: '1.2', sopInstanceUid: '1.2.3', transferSyntaxUid: TransferSyntax.ImplicitVRLittleEndian, implementationClassUid: '1.2.4' })
  for (const content of [encoded, Buffer.concat([header, encoded])]) {
    t.deepEqual(await readQueryFile(await queryFile(t, 'query.dcm', content), dictionary), dataset)
  }
})

test('keys of the command line go over those of the file, and nothing is added', async (t) => {
  const file = await queryFile(t, 'query.json', '{"PatientID":"1","StudyDate":null,"QueryRetrieveLevel":"SERIES"}')
  t.deepEqual((await prepareQuery('find', ['PatientID=2'], { file })).identifier, { PatientID: '2', StudyDate: null, QueryRetrieveLevel: 'SERIES' })
})

test('query files that are none are named', async (t) => {
  const says = async (name: string, content: string): Promise<string> => {
    const file = await queryFile(t, name, content)
    const { message } = await t.throwsAsync(readQueryFile(file, dictionary), { name: 'UsageError' })
    t.true(message.startsWith(file), message)
    t.false(message.includes('\n'))
    return message
  }
  await says('query.json', '{')
  await says('query.yaml', 'a: [')
  t.regex(await says('query.json', '[1, 2]'), /expected an object of keys/)
  t.regex(await says('query.json', '{"PatientsName": "Doe"}'), /did you mean PatientName/)
  // YAML reads 00123 as a number, and its zeros are lost.
  t.regex(await says('query.yaml', 'PatientID: 00123'), /PatientID must be text: put its value in quotes/)
  t.regex(await says('query.txt', 'PatientID=1'), /neither a DICOM file nor named \.json, \.yaml or \.yml/)
  t.regex((await t.throwsAsync(readQueryFile('/nonexistent/query.dcm', dictionary))).message, /cannot be read: ENOENT/)
  t.deepEqual(fromObject([{ PatientID: 'x' }], 'a.json', dictionary), { PatientID: 'x' })
})

/** A match as the framework decodes it. */
async function decoded(dataset: DataSet): Promise<DataSet> {
  return decodeDataSet(await encodeDataSet(dataset, TransferSyntax.ExplicitVRLittleEndian), TransferSyntax.ExplicitVRLittleEndian)
}

const MATCH: DataSet = {
  SpecificCharacterSet: 'ISO_IR 192',
  StudyDate: '20260131',
  StudyTime: '083015.25',
  ModalitiesInStudy: ['CT', 'MR'],
  SOPClassUID: '1.2.840.10008.5.1.4.1.1.2',
  PatientName: 'Yamada^Tarou^^Dr=山田^太郎',
  PatientWeight: 72.5,
  StudyInstanceUID: '1.2.3',
  ScheduledProcedureStepSequence: [{ Modality: 'CT', ScheduledProtocolCodeSequence: [{ CodeValue: 'A', CodeMeaning: 'Abdomen' }] }],
  '00091001': 'private',
  _vrMap: { '00091001': 'LO' },
}

test('matches as JSON by keyword', async (t) => {
  t.deepEqual(toKeywordJson(await decoded(MATCH), dictionary), {
    SpecificCharacterSet: 'ISO_IR 192',
    SOPClassUID: '1.2.840.10008.5.1.4.1.1.2',
    StudyDate: '20260131',
    StudyTime: '083015.25',
    ModalitiesInStudy: ['CT', 'MR'],
    '00091001': 'private',
    PatientName: 'Yamada^Tarou^^Dr=山田^太郎',
    PatientWeight: 72.5,
    StudyInstanceUID: '1.2.3',
    ScheduledProcedureStepSequence: [{ Modality: 'CT', ScheduledProtocolCodeSequence: [{ CodeValue: 'A', CodeMeaning: 'Abdomen' }] }],
  })
})

test('matches in the DICOM JSON Model, and back', async (t) => {
  const json = toDicomJson(await decoded({ ...MATCH, PatientID: null, FrameIncrementPointer: 0x00181063 }), dictionary)
  // PS3.18 F.2.2 and F.2.3
  t.deepEqual(json['00100010'], { vr: 'PN', Value: [{ Alphabetic: 'Yamada^Tarou^^Dr', Ideographic: '山田^太郎' }] })
  t.deepEqual(json['00100020'], { vr: 'LO' })
  t.deepEqual(json['00280009'], { vr: 'AT', Value: ['00181063'] })
  t.deepEqual(json['00080061'], { vr: 'CS', Value: ['CT', 'MR'] })
  t.deepEqual(json['00400100']?.Value?.[0], {
    '00080060': { vr: 'CS', Value: ['CT'] },
    '00400008': { vr: 'SQ', Value: [{ '00080100': { vr: 'SH', Value: ['A'] }, '00080104': { vr: 'LO', Value: ['Abdomen'] } }] },
  })
  const { PatientName, ModalitiesInStudy, _vrMap } = fromDicomJson(json, dictionary)
  t.deepEqual({ PatientName, ModalitiesInStudy, _vrMap }, { PatientName: MATCH['PatientName'], ModalitiesInStudy: ['CT', 'MR'], _vrMap: { '00091001': 'LO' } })
})

test('columns follow the query, UIDs last; values are readable', async (t) => {
  const query = keys('StudyInstanceUID', 'PatientName', 'StudyDate', 'StudyTime', 'ModalitiesInStudy', 'SOPClassUID', 'ScheduledProcedureStepSequence.Modality', 'ScheduledProcedureStepSequence.ScheduledProtocolCodeSequence', 'Modality', '0009,1001:LO', 'PatientID', 'QueryRetrieveLevel=STUDY')
  const columns = columnsOf(query, dictionary)
  const match = await decoded(MATCH)
  t.deepEqual(
    columns.map((column) => [column.title, readableText(elementAt(match, column, dictionary), dictionary)]),
    [
      ['PatientName', 'Yamada, Dr Tarou (山田 太郎)'],
      ['StudyDate', '2026-01-31'],
      ['StudyTime', '08:30:15'],
      ['ModalitiesInStudy', 'CT, MR'],
      ['ScheduledProcedureStepSequence.Modality', 'CT'],
      ['ScheduledProtocolCodeSequence', 'Abdomen'],
      ['Modality', ''],
      ['(0009,1001)', 'private'],
      ['PatientID', ''],
      ['StudyInstanceUID', '1.2.3'],
      ['SOPClassUID', 'CT Image Storage'],
    ],
  )
  t.deepEqual(columns.slice(0, 4).map((column) => rawText(elementAt(match, column, dictionary))), ['Yamada^Tarou^^Dr=山田^太郎', '20260131', '083015.25', 'CT\\MR'])
})

test('CSV quotes what it must (RFC 4180)', (t) => {
  t.is(csvLine(['a', 'b,c', 'd"e', 'f\ng', '', ' h']), 'a,"b,c","d""e","f\ng",," h"')
})

test('CSV has nothing that a spreadsheet runs, unless it is to be raw', (t) => {
  const hostile = ['=1+1', '+cmd', '-2+3', '@SUM(A1)', '=HYPERLINK("http://x","y")', ' =1', '\t=1', '\uff1d1', '=Yamada^Tarou']
  for (const cell of hostile) t.regex(csvLine([cell]), /^"?'/u, cell)
  t.is(csvLine(['=a,b']), '"\'=a,b"')
  const harmless = ['-5', '+3.5', '-1.2e-3', '2026-01-31', 'a=b', 'Doe^Jane', '']
  t.is(csvLine(harmless), harmless.join(','))
  t.is(csvLine(['=1+1'], true), '=1+1')
})

const STYLE = { bold: (text: string) => `<b>${text}</b>`, dim: (text: string) => `<d>${text}</d>` }
const TABLE = [
  { title: 'Name', isUid: false },
  { title: 'Description', isUid: false },
  { title: 'UID', isUid: true },
]
const ROWS = [
  ['Doe', 'A description of thirty letters', '1.2.3'],
  ['山田', '', '1.2.4'],
]

test('a table is as wide as its values when it is not on a terminal, or fits', (t) => {
  const lines = ['<b>Name  Description                      UID</b>', 'Doe   A description of thirty letters  1.2.3', '山田                                   1.2.4']
  t.deepEqual(matchTable(TABLE, { width: undefined, ...STYLE }).lines(ROWS), lines)
  t.deepEqual(matchTable(TABLE, { width: 44, ...STYLE }).lines(ROWS), lines)
})

test('on a narrow terminal values are cut, and UIDs stand whole below their row', (t) => {
  const table = matchTable(TABLE, { width: 24, ...STYLE })
  t.deepEqual(table.lines(ROWS), [
    '<b>Name  Description</b>',
    'Doe   A description of…',
    '<d>  UID 1.2.3</d>',
    '山田',
    '<d>  UID 1.2.4</d>',
  ])
  const piped = matchTable(TABLE, { width: undefined, ...STYLE })
  piped.lines(ROWS)
  t.deepEqual(piped.lines([['Longer than the first', '', '']]), ['Longer than the first'])
  // Rows that come later keep to the widths of the first.
  t.deepEqual(table.lines([['Longer name', '', '']]), ['Lon…'])
})

test('text of a peer has no control over the terminal', (t) => {
  t.is(printable('a\u001b[31mb\r\nc\u202ed\u009be'), 'a [31mb c d e')
  t.is(textWidth('山田 é'), 6)
  t.is(cut('山田太郎', 5), '山田…')
  t.is(cut('abc', 3), 'abc')
})

test('file names: fields, and values that would lead elsewhere', (t) => {
  const name = (template: string, values: Record<number, string>): string => parseFileNameTemplate(template).render((tag) => values[tag])
  t.is(name('{PatientID}/{Modality}-{SOPInstanceUID}.dcm', { 0x00100020: 'P1', 0x00080060: 'CT', 0x00080018: '1.2.3' }), 'P1/CT-1.2.3.dcm')
  t.is(name('{PatientID}/{SOPInstanceUID}', { 0x00100020: '../../etc', 0x00080018: '1.2' }), '__.._etc/1.2')
  t.is(name('{PatientID}/x', { 0x00100020: '..' }), 'none/x')
  t.is(name('{PatientID}/x', { 0x00100020: '/a\\b\u0000c' }), '_a_b_c/x')
  t.is(name('{PatientID}', {}), 'none')
  t.is(name('{PatientID}', { 0x00100020: 'con' }), '_con')
  t.is(name('{PatientName}', { 0x00100010: 'Müller^Änne' }), 'Müller_Änne')
  t.is(name('{PatientID}', { 0x00100020: 'x'.repeat(500) }).length, 64)
  // File systems count bytes, 255 of them: a part ends before the character that would be too much.
  const long = name('{PatientName}{PatientID}', { 0x00100010: '山'.repeat(64), 0x00100020: '田'.repeat(64) })
  t.is(long, `${'山'.repeat(64)}${'田'.repeat(21)}`)
  t.is(name('x{PatientName}{PatientID}', { 0x00100010: '山'.repeat(64), 0x00100020: '田'.repeat(64) }), `x${'山'.repeat(64)}${'田'.repeat(20)}`)
  t.is(name('{PatientName}', { 0x00100010: `a${'\u{20000}'.repeat(64)}` }), `a${'\u{20000}'.repeat(63)}`, 'nor is a value cut inside of one')
  t.is(name(`con.${'x'.repeat(240)}{PatientID}`, { 0x00100020: 'y'.repeat(64) }), `_con.${'x'.repeat(240)}${'y'.repeat(10)}`)
  t.is(name(`${'x'.repeat(254)}.{PatientID}`, { 0x00100020: '1' }), `${'x'.repeat(254)}_`)
  for (const template of ['', '/abs/{PatientID}', '../{PatientID}', 'a//{PatientID}', 'fixed.dcm', '{PatientAge}', 'a\\{PatientID}', 'C:{PatientID}']) {
    t.throws(() => parseFileNameTemplate(template), { name: 'UsageError' }, template)
  }
})

test('storage contexts: 127 at most, in the role of SCP, each transfer syntax apart when there is room', (t) => {
  const { model } = resolveModel('study', 'get')
  const contexts = storageContexts(model, undefined, undefined)
  t.true(contexts.length > 100 && contexts.length <= 127)
  for (const { roles } of contexts) t.deepEqual(roles, { scu: false, scp: true })
  t.is(new Set(contexts.map(({ abstractSyntax }) => abstractSyntax)).size, contexts.length)

  const few = storageContexts(model, ['CTImageStorage'], undefined)
  t.deepEqual(few[0]?.transferSyntaxes?.includes(TransferSyntax.ExplicitVRLittleEndian), true)
  t.true(few.some(({ transferSyntaxes }) => transferSyntaxes?.join() === TransferSyntax.JPEG2000Lossless))
  t.true(few.length <= 127)
  t.true(few.every(({ transferSyntaxes }) => transferSyntaxes?.length === 1))

  // 60 classes have room for two contexts each: what is held in implicit VR comes without conversion, too.
  const sixty = [...new Set(contexts.map(({ abstractSyntax }) => abstractSyntax))].slice(0, 60)
  const ofOne = storageContexts(model, sixty, undefined).filter(({ abstractSyntax }) => abstractSyntax === sixty[0])
  t.is(ofOne.length, 2)
  t.deepEqual(ofOne[0]?.transferSyntaxes?.[0], TransferSyntax.ExplicitVRLittleEndian)
  t.deepEqual(ofOne[1]?.transferSyntaxes, [TransferSyntax.ImplicitVRLittleEndian])

  const chosen = [TransferSyntax.JPEG2000, TransferSyntax.RLELossless]
  t.deepEqual(storageContexts(model, ['CTImageStorage'], chosen).map(({ transferSyntaxes }) => transferSyntaxes), [[chosen[0]], [chosen[1]]])
  t.deepEqual(storageContexts(model, undefined, chosen)[0]?.transferSyntaxes, chosen)
  // 127 contexts for 60 classes: two each, the first transfer syntax in one and the others in the other.
  const threeOfSixty = storageContexts(model, sixty, [...chosen, '1.2.840.10008.1.2.5']).filter(({ abstractSyntax }) => abstractSyntax === sixty[0])
  t.deepEqual(threeOfSixty.map(({ transferSyntaxes }) => transferSyntaxes), [[chosen[0]], [chosen[1], '1.2.840.10008.1.2.5']])
  t.true(storageContexts(resolveModel('hanging-protocol', 'get').model, undefined, undefined).some(({ abstractSyntax }) => abstractSyntax === '1.2.840.10008.5.1.4.38.1'))
})

test('storage classes by keyword, modality and UID; every name of a modality exists', async (t) => {
  t.deepEqual(storageSopClassUids('CTImageStorage'), ['1.2.840.10008.5.1.4.1.1.2'])
  t.deepEqual(storageSopClassUids('rtdose'), ['1.2.840.10008.5.1.4.1.1.481.2'])
  t.true(storageSopClassUids('ct').includes('1.2.840.10008.5.1.4.1.1.2.1'))
  t.deepEqual(storageSopClassUids('1.3.6.1.4.1.99.1'), ['1.3.6.1.4.1.99.1'])
  t.throws(() => storageSopClassUids('XYZ'), { name: 'UsageError', message: /"XYZ" is no storage SOP class/ })
  const source = await readFile(new URL('../dist/query/storage-contexts.js', import.meta.url), 'utf8')
  const named = [...source.matchAll(/'(\w+Storage\w*)'/gu)].map(([, keyword]) => keyword)
  t.true(named.length > 30)
  for (const keyword of named) t.true(SOP_CLASSES.some((one) => one.keyword === keyword), keyword)
})

function response(status: number, counts: Partial<RetrieveResponse> = {}): RetrieveResponse {
  return {
    status,
    category: 'unknown',
    label: 'label',
    errorComment: undefined,
    offendingElements: undefined,
    command: {} as never,
    numberOfRemainingSuboperations: undefined,
    numberOfCompletedSuboperations: undefined,
    numberOfFailedSuboperations: undefined,
    numberOfWarningSuboperations: undefined,
    failedSopInstanceUids: [],
    ...counts,
  }
}
const counted = (completed: number, failed: number, warning = 0): Partial<RetrieveResponse> => ({
  numberOfCompletedSuboperations: completed,
  numberOfFailedSuboperations: failed,
  numberOfWarningSuboperations: warning,
})

const OUTCOMES: readonly (readonly [what: string, final: RetrieveResponse, last: RetrieveResponse | undefined, isWanted: boolean, exitCode: number])[] = [
  ['all', response(0x0000, counted(3, 0)), undefined, false, 0],
  ['nothing matched', response(0x0000, counted(0, 0)), undefined, false, 0],
  ['success without counters', response(0x0000), undefined, false, 0],
  ['success that is none', response(0x0000, counted(2, 1)), undefined, false, 3],
  ['some failed', response(0xb000, counted(2, 1)), undefined, false, 3],
  ['all failed, said as a warning', response(0xb000, counted(0, 3)), undefined, false, 1],
  ['only warnings', response(0xb000, counted(2, 0, 1)), undefined, false, 0],
  ['a warning without counters', response(0xb000), undefined, false, 3],
  ['counters of the last Pending', response(0xb000), response(0xff00, counted(0, 2)), false, 1],
  ['failed ones by their list', response(0xb000, { failedSopInstanceUids: ['1.2'] }), response(0xff00, counted(5, 0)), false, 3],
  ['refused', response(0xa801), undefined, false, 1],
  ['failed on the way', response(0xc000, counted(1, 1)), undefined, false, 3],
  ['cancelled as wanted', response(0xfe00, counted(1, 0)), undefined, true, 0],
  ['cancelled', response(0xfe00, counted(1, 0)), undefined, false, 3],
  ['cancelled before anything', response(0xfe00, counted(0, 0)), undefined, false, 1],
]
for (const [what, final, last, isWanted, exitCode] of OUTCOMES) {
  test(`outcome: ${what}`, (t) => {
    t.is(outcomeOf(final, last, isWanted).exitCode, exitCode)
  })
}

test('outcomes in words', (t) => {
  t.is(statusWords({ status: 0xa801, label: 'Refused: Move Destination unknown', errorComment: 'no such AE' }), 'Refused: Move Destination unknown (A801): no such AE')
  t.is(statusWords({ status: 0x0abc, label: '0x0abc', errorComment: undefined }), 'unknown status (0ABC)')
  t.is(countWords({ completed: 3, failed: 1, warning: 0, remaining: undefined }), '3 completed, 1 failed')
})

test('where to receive: port, or host and port', (t) => {
  t.deepEqual(parseReceive('11113'), { host: undefined, port: 11113 })
  t.deepEqual(parseReceive('127.0.0.1:0'), { host: '127.0.0.1', port: 0 })
  t.deepEqual(parseReceive('[::1]:104'), { host: '::1', port: 104 })
  for (const text of ['', 'port', '65536', '::1:104', 'a b:1']) t.throws(() => parseReceive(text), { message: /port or host:port/ }, text)
})
