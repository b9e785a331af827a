import {
  CommandField,
  PatientRoot,
  PatientStudyOnly,
  SopClass,
  StudyRoot,
  TransferSyntax,
  definePlugin,
  encodeDataSet,
  filterUserItems,
  retrieveNegotiation,
  storageNegotiation,
} from '@dicomtap/framework'
import type { DataSet, FindNegotiation, PluginApi } from '@dicomtap/framework'
import { testScu } from '@dicomtap/framework/testing'
import test from 'ava'
import type { ExecutionContext } from 'ava'
import { find, startArchive } from './support/archive.js'
import type { Archive } from './support/archive.js'
import { surviveHostileIdentifiers } from './support/hostile.js'

let instances = 0

function instance(study: string, attributes: DataSet, series = 'a', modality = 'CT'): DataSet {
  return {
    SOPClassUID: modality === 'MR' ? SopClass.MRImageStorage : SopClass.CTImageStorage,
    SOPInstanceUID: `1.9.${++instances}`,
    StudyInstanceUID: `1.2.${study}`,
    SeriesInstanceUID: `1.3.${study}.${series === 'a' ? 1 : 2}`,
    Modality: modality,
    ...attributes,
  }
}

const JANE = { PatientID: 'P1', PatientName: 'Doe^Jane', PatientBirthDate: '19700101' }
const WORLD: readonly DataSet[] = [
  instance('1', { ...JANE, StudyDate: '20240101', StudyTime: '120000', AccessionNumber: 'A1', StudyID: '50%_x', StudyDescription: 'CHEST', SeriesNumber: '1', InstanceNumber: '1', ProcedureCodeSequence: [{ CodeValue: 'C1', CodeMeaning: 'Thorax' }, { CodeValue: 'C2' }] }),
  instance('1', { ...JANE, StudyDate: '20240101', StudyTime: '120000', AccessionNumber: 'A1', StudyID: '50%_x', StudyDescription: 'CHEST', SeriesNumber: '1', InstanceNumber: '2', ProcedureCodeSequence: [{ CodeValue: 'C1', CodeMeaning: 'Thorax' }, { CodeValue: 'C2' }] }),
  instance('1', { ...JANE, StudyDate: '20240101', StudyTime: '120000', AccessionNumber: 'A1', StudyID: '50%_x', StudyDescription: 'CHEST', SeriesNumber: '2', InstanceNumber: '1', ProcedureCodeSequence: [{ CodeValue: 'C1', CodeMeaning: 'Thorax' }, { CodeValue: 'C2' }] }, 'b', 'MR'),
  instance('2', { SpecificCharacterSet: 'ISO_IR 100', PatientID: 'P2', PatientName: 'Müller^Jörg', StudyDate: '20240101', StudyTime: '233000', TimezoneOffsetFromUTC: '-0500', AccessionNumber: 'A2', StudyDescription: 'chest [1]' }),
  instance('3', { SpecificCharacterSet: ['', 'ISO 2022 IR 87'], PatientID: 'P3', PatientName: 'Yamada^Tarou=山田^太郎=やまだ^たろう', StudyDate: '20240229', AccessionNumber: 'A3' }, 'a', 'MR'),
  instance('4', { SpecificCharacterSet: 'ISO_IR 126', PatientID: 'P4', PatientName: 'Παπαδόπουλος^Γιώργος', StudyDate: '20240301', StudyTime: '0005' }),
  instance('5', { SpecificCharacterSet: 'ISO_IR 127', PatientID: 'P5', PatientName: 'قباني^لنزار' }),
  instance('6', { SpecificCharacterSet: ['', 'ISO 2022 IR 149'], PatientID: 'P6', PatientName: 'Hong^Gildong=洪^吉洞=홍^길동', StudyDate: '20231231' }),
  instance('7', { SpecificCharacterSet: 'ISO_IR 192', PatientID: 'P7', PatientName: 'Smith^John=山田^Ω', StudyDate: '20230101' }),
]

const world: { archive?: Archive } = {}
const endWorld: (() => unknown)[] = []
test.before(async () => {
  const archive = await startArchive({ teardown: (end: () => unknown) => endWorld.push(end) }, { attributes: { study: [{ attribute: 'StudyDescription', indexed: true }] } })
  await archive.store(WORLD)
  world.archive = archive
})
test.after.always(async () => {
  for (const end of endWorld.splice(0)) await end()
})

const studiesOf = (matches: readonly DataSet[]): string[] => matches.map((match) => String(match['StudyInstanceUID']).slice(4)).sort()

/** The studies that keys find, by the number at the end of their UIDs. */
async function studies(t: ExecutionContext, keys: DataSet, expected: string, negotiated?: Partial<FindNegotiation>): Promise<void> {
  await using scu = await (world.archive as Archive).associate(negotiated)
  const { status, matches } = await find(scu, { SpecificCharacterSet: 'ISO_IR 192', QueryRetrieveLevel: 'STUDY', StudyInstanceUID: '', ...keys })
  t.is(status, 0x0000)
  t.deepEqual(studiesOf(matches).join(''), expected, JSON.stringify(keys))
}

test('single values: case counts, and nothing in them is special (PS3.4 C.2.2.2.1)', async (t) => {
  await studies(t, { PatientID: 'P1' }, '1')
  await studies(t, { PatientID: 'p1' }, '')
  await studies(t, { AccessionNumber: 'A2' }, '2')
  await studies(t, { StudyID: '50%_x' }, '1')
  await studies(t, { StudyID: '50%' }, '')
  await studies(t, { StudyDate: '20240101' }, '12')
  await studies(t, { StudyTime: '1200' }, '1')
})

test('lists of UIDs (PS3.4 C.2.2.2.2)', async (t) => {
  await studies(t, { StudyInstanceUID: ['1.2.1', '1.2.4', '1.2.99'] }, '14')
  await studies(t, { StudyInstanceUID: Array.from({ length: 1000 }, (_, index) => `1.2.${index + 5}`) }, '567')
  await studies(t, { SOPClassesInStudy: [SopClass.MRImageStorage] }, '13')
})

test('wildcards (PS3.4 C.2.2.2.4)', async (t) => {
  await studies(t, { AccessionNumber: 'A*' }, '123')
  await studies(t, { AccessionNumber: '?2' }, '2')
  await studies(t, { StudyDescription: 'C*T' }, '1')
  await studies(t, { StudyDescription: '*[?]' }, '2')
  await studies(t, { StudyID: '50%*' }, '1')
  await studies(t, { AccessionNumber: '*' }, '1234567')
})

test('ranges of dates and times; what has none is in no range (PS3.4 C.2.2.2.5)', async (t) => {
  await studies(t, { StudyDate: '20240101-20240229' }, '123')
  await studies(t, { StudyDate: '-20231231' }, '67')
  await studies(t, { StudyDate: '20240229-' }, '34')
  await studies(t, { StudyTime: '0000-1200' }, '14')
  await studies(t, { StudyDate: '20240101-20240301', StudyTime: '0000-1300' }, '14')
})

test('a date and its time as one range, when that was negotiated (PS3.4 C.2.2.2.5.4)', async (t) => {
  const keys = { StudyDate: '20240101-20240301', StudyTime: '1300-0010' }
  await studies(t, keys, '234', { dateTimeMatching: true })
})

test('the zone of a query counts when that was negotiated, and the answer is in it', async (t) => {
  // 23:30 at -0500 is 04:30 of the next day.
  await studies(t, { StudyDate: '20240102', TimezoneOffsetFromUTC: '+0000' }, '2', { timezoneQueryAdjustment: true })
  await studies(t, { StudyDate: '20240102', TimezoneOffsetFromUTC: '+0000' }, '')
  await using scu = await (world.archive as Archive).associate({ timezoneQueryAdjustment: true })
  const query = { QueryRetrieveLevel: 'STUDY', StudyInstanceUID: '1.2.2', StudyDate: '', StudyTime: '', TimezoneOffsetFromUTC: '+0100' }
  const [match] = (await find(scu, query)).matches
  t.deepEqual([match?.['StudyDate'], match?.['StudyTime'], match?.['TimezoneOffsetFromUTC']], ['20240102', '053000', '+0100'])
})

test('sequences: one item that matches, and what was asked for of it (PS3.4 C.2.2.2.6)', async (t) => {
  await studies(t, { ProcedureCodeSequence: [{ CodeValue: 'C1' }] }, '1')
  await studies(t, { ProcedureCodeSequence: [{ CodeValue: 'C2', CodeMeaning: 'Thorax' }] }, '')
  await using scu = await (world.archive as Archive).associate()
  const { matches } = await find(scu, { QueryRetrieveLevel: 'STUDY', PatientID: 'P1', ProcedureCodeSequence: [{ CodeValue: 'C*', CodeMeaning: '' }] })
  t.like(matches[0]?.['ProcedureCodeSequence'], { 0: { CodeValue: 'C1', CodeMeaning: 'Thorax' }, 1: { CodeValue: 'C2', CodeMeaning: null }, length: 2 })
})

test('names: without case and accents, in any component group or in its own (PS3.4 C.2.2.2.1.1)', async (t) => {
  await studies(t, { PatientName: 'doe^jane' }, '1')
  await studies(t, { PatientName: 'MULLER*' }, '2')
  await studies(t, { PatientName: 'παπαδοπουλος*' }, '4')
  await studies(t, { PatientName: '山田*' }, '37')
  await studies(t, { PatientName: '=山田^太郎' }, '3')
  await studies(t, { PatientName: 'Hong*=*=홍*' }, '6')
  await studies(t, { PatientName: 'قباني*' }, '5')
  await studies(t, { PatientName: 'Jane' }, '')
})

test('names by their sound and words, when that was negotiated', async (t) => {
  await studies(t, { PatientName: 'Smyth' }, '7', { fuzzySemanticMatching: true })
  await studies(t, { PatientName: 'jane dow' }, '1', { fuzzySemanticMatching: true })
  await studies(t, { PatientName: 'Smyth' }, '')
})

test('empty and multiple values, when that was negotiated (PS3.4 C.2.2.2.7, C.2.2.2.8)', async (t) => {
  await studies(t, { AccessionNumber: '""' }, '4567', { emptyValueMatching: true })
  await studies(t, { StudyDate: '""' }, '5', { emptyValueMatching: true })
  await studies(t, { AccessionNumber: '""' }, '')
  await studies(t, { ModalitiesInStudy: ['CT', 'MR'] }, '1', { multipleValueMatching: true })
  await studies(t, { ModalitiesInStudy: ['CT', 'MR'] }, '1234567')
})

test('computed attributes: modalities, SOP classes, counts, where to retrieve', async (t) => {
  await studies(t, { ModalitiesInStudy: 'MR' }, '13')
  await studies(t, { NumberOfStudyRelatedInstances: '3' }, '1')
  // Returned, not matched, and told so.
  await studies(t, { InstanceAvailability: 'OFFLINE', PatientID: 'P1' }, '1')
  await using scu = await (world.archive as Archive).associate()
  const asked = ['ModalitiesInStudy', 'NumberOfStudyRelatedSeries', 'NumberOfStudyRelatedInstances', 'NumberOfPatientRelatedStudies', 'RetrieveAETitle', 'InstanceAvailability', 'StudyTime', 'StudyID']
  const { matches } = await find(scu, { QueryRetrieveLevel: 'STUDY', StudyInstanceUID: '1.2.1', ...Object.fromEntries(asked.map((name) => [name, ''])) })
  t.deepEqual(matches, [
    {
      QueryRetrieveLevel: 'STUDY',
      StudyInstanceUID: '1.2.1',
      StudyTime: '120000',
      StudyID: '50%_x',
      ModalitiesInStudy: ['CT', 'MR'],
      NumberOfStudyRelatedSeries: 2,
      NumberOfStudyRelatedInstances: 3,
      NumberOfPatientRelatedStudies: 1,
      RetrieveAETitle: 'ANY-SCP',
      InstanceAvailability: 'ONLINE',
    },
  ])
  const series = await find(scu, { QueryRetrieveLevel: 'SERIES', StudyInstanceUID: '1.2.1', SeriesInstanceUID: '', Modality: '', NumberOfSeriesRelatedInstances: '' })
  t.deepEqual(series.matches.map((match) => `${String(match['Modality'])} ${String(match['NumberOfSeriesRelatedInstances'])}`).sort(), ['CT 2', 'MR 1'])
})

test('models and levels: patients, studies, series, instances', async (t) => {
  await using scu = await (world.archive as Archive).associate()
  const patients = await find(scu, { QueryRetrieveLevel: 'PATIENT', PatientID: 'P*', PatientBirthDate: '' }, PatientRoot.Find)
  t.deepEqual(patients.matches.map((match) => String(match['PatientID'])).sort(), ['P1', 'P2', 'P3', 'P4', 'P5', 'P6', 'P7'])
  t.is((await find(scu, { QueryRetrieveLevel: 'STUDY', PatientID: 'P1', StudyInstanceUID: '' }, PatientStudyOnly.Find)).matches.length, 1)
  const images = await find(scu, { QueryRetrieveLevel: 'IMAGE', StudyInstanceUID: '1.2.1', SeriesInstanceUID: '1.3.1.1', SOPInstanceUID: '', InstanceNumber: '2' })
  t.deepEqual(images.matches.map((match) => match['InstanceNumber']), [2])
})

test('a hierarchical query names the levels above; a relational one must have been negotiated (PS3.4 C.4.1.2.1)', async (t) => {
  const query = { QueryRetrieveLevel: 'SERIES', SeriesInstanceUID: '', Modality: 'MR' }
  await using hierarchical = await (world.archive as Archive).associate()
  t.like(await find(hierarchical, query), { status: 0xa900, offendingElements: [0x0020000d] })
  await using relational = await (world.archive as Archive).associate({ relationalQueries: true })
  t.is((await find(relational, query)).matches.length, 2)
})

test('keys that are not supported are told by FF01, and not returned', async (t) => {
  await using scu = await (world.archive as Archive).associate()
  const { pending, matches } = await find(scu, { QueryRetrieveLevel: 'STUDY', StudyInstanceUID: '1.2.1', KVP: '', PatientName: '' })
  t.deepEqual(pending, [0xff01])
  t.deepEqual(Object.keys(matches[0] ?? {}).sort(), ['PatientName', 'QueryRetrieveLevel', 'RetrieveAETitle', 'StudyInstanceUID'])
})

test('any other handler of C-FIND, C-MOVE and C-GET is asked first, also one that came later', async (t) => {
  const other = definePlugin({
    name: 'other',
    apply({ hooks }: PluginApi) {
      hooks.cFind.tap(() => 0xc101)
      hooks.cMove.tap(() => 0xc102)
      hooks.cGet.tap(() => 0xc103)
    },
  })
  const { server } = await startArchive(t, {}, [other()])
  await using scu = await testScu(server, { contexts: [StudyRoot.Find, StudyRoot.Move, StudyRoot.Get].map((uid) => [uid, TransferSyntax.ExplicitVRLittleEndian] as const) })
  const identifier = { QueryRetrieveLevel: 'STUDY', StudyInstanceUID: '1.2.3' }
  t.is((await find(scu, identifier)).status, 0xc101)
  t.is((await (await scu.move(identifier, StudyRoot.Move, 'NOBODY')).final()).status, 0xc102)
  t.is((await (await scu.get(identifier, StudyRoot.Get)).final()).status, 0xc103)
})

test('the character set of answers: none, that of the query, that of the instance, UTF-8', async (t) => {
  await using scu = await (world.archive as Archive).associate()
  const answer = async (study: string, SpecificCharacterSet?: string | readonly string[]): Promise<unknown[]> => {
    const [match] = (await find(scu, { QueryRetrieveLevel: 'STUDY', StudyInstanceUID: `1.2.${study}`, PatientName: '', ...(SpecificCharacterSet && { SpecificCharacterSet }) })).matches
    return [match?.['SpecificCharacterSet'], String(match?.['PatientName'])]
  }
  t.deepEqual(await answer('1', 'ISO_IR 192'), [undefined, 'Doe^Jane'])
  t.deepEqual(await answer('2', 'ISO_IR 192'), ['ISO_IR 192', 'Müller^Jörg'])
  t.deepEqual(await answer('2'), ['ISO_IR 100', 'Müller^Jörg'])
  t.deepEqual(await answer('3'), [['', 'ISO 2022 IR 87'], 'Yamada^Tarou=山田^太郎=やまだ^たろう'])
  t.deepEqual(await answer('3', ['', 'ISO 2022 IR 149']), [['', 'ISO 2022 IR 87'], 'Yamada^Tarou=山田^太郎=やまだ^たろう'])
  t.deepEqual(await answer('4', 'ISO_IR 100'), ['ISO_IR 126', 'Παπαδόπουλος^Γιώργος'])
  t.deepEqual(await answer('5'), ['ISO_IR 127', 'قباني^لنزار'])
  t.deepEqual(await answer('6', ['', 'ISO 2022 IR 149']), [['', 'ISO 2022 IR 149'], 'Hong^Gildong=洪^吉洞=홍^길동'])
  t.deepEqual(await answer('7', 'ISO_IR 100'), ['ISO_IR 192', 'Smith^John=山田^Ω'])
})

test('keys in the character sets of hospitals find the same as in UTF-8', async (t) => {
  await using scu = await (world.archive as Archive).associate()
  const found = async (SpecificCharacterSet: string | readonly string[], PatientName: string): Promise<string> =>
    studiesOf((await find(scu, { SpecificCharacterSet, QueryRetrieveLevel: 'STUDY', StudyInstanceUID: '', PatientName })).matches).join('')
  t.is(await found('ISO_IR 100', 'müller*'), '2')
  t.is(await found(['', 'ISO 2022 IR 87'], '*山田*'), '37')
  t.is(await found(['', 'ISO 2022 IR 149'], '*홍*'), '6')
  t.is(await found('ISO_IR 126', 'Παπαδ?πουλος*'), '4')
  t.is(await found('ISO_IR 127', 'قباني*'), '5')
})

test('every transfer syntax that is offered', async (t) => {
  await using scu = await (world.archive as Archive).associate()
  for (const transferSyntax of [TransferSyntax.ImplicitVRLittleEndian, TransferSyntax.ExplicitVRLittleEndian, TransferSyntax.DeflatedExplicitVRLittleEndian]) {
    const { status, matches } = await find(scu, { QueryRetrieveLevel: 'STUDY', PatientID: 'P2', PatientName: '' }, StudyRoot.Find, transferSyntax)
    t.deepEqual([status, matches.length, String(matches[0]?.['PatientName'])], [0, 1, 'Müller^Jörg'])
  }
})

test('hostile identifiers: a status, and the association goes on', async (t) => {
  await surviveHostileIdentifiers(t, world.archive as Archive)
  await using scu = await (world.archive as Archive).associate()
  t.is((await find(scu, { QueryRetrieveLevel: 'STUDY', PatientID: 'P1' })).matches.length, 1)
})

test('a C-FIND without identifier fails before it is a query (PS3.7 C.5)', async (t) => {
  await using scu = await (world.archive as Archive).associate()
  const { command } = await scu.request(StudyRoot.Find, { commandField: CommandField.C_FIND_RQ, affectedSopClassUid: StudyRoot.Find, priority: 0 }).final()
  t.like(command, { status: 0x0212, errorComment: 'Missing data set' })
})

test('relational retrieval is negotiated; other services keep their answers (PS3.4 C.5.2.1, C.5.3.1)', async (t) => {
  const archive = await startArchive(t, { models: { patientRoot: ['get'] } })
  const general = (sopClassUid: string) => ({ type: 0x56 as const, sopClassUid, serviceClassApplicationInformation: Uint8Array.of(2, 0, 0, 0, 0, 0) })
  archive.server.ae.bind('sopClassExtended', (proposals) => {
    const own = proposals.filter(({ sopClassUid }) => sopClassUid === SopClass.CTImageStorage)
    return own.length === 0 ? undefined : own.map(({ sopClassUid }) => general(sopClassUid))
  })
  const proposed = [StudyRoot.Move, PatientRoot.Get, PatientRoot.Move].map((uid) => retrieveNegotiation(uid, { relationalRetrieval: true, enhancedMultiFrameImageConversion: true }))
  await using scu = await testScu(archive.server, {
    contexts: [[SopClass.CTImageStorage], ...proposed.map(({ sopClassUid }) => [sopClassUid] as const)],
    userInformation: [storageNegotiation(SopClass.CTImageStorage, {}), ...proposed],
  })
  const answers = filterUserItems(scu.accept.userInformation, 0x56).map((item) => [item.sopClassUid, [...item.serviceClassApplicationInformation]] as const)
  t.deepEqual(Object.fromEntries(answers), { [SopClass.CTImageStorage]: [2, 0, 0, 0, 0, 0], [StudyRoot.Move]: [1], [PatientRoot.Get]: [1] })
})

test('what was stored wrong does not make a query fail: it is returned as text, or without a value', async (t) => {
  const archive = await startArchive(t, { relationalQueries: 'always' })
  await archive.store([
    {
      ...(WORLD[0] as DataSet),
      SeriesNumber: '20240101123456789012',
      InstanceNumber: 'seven',
      PixelSpacing: ['0.5', 'x'],
      Rows: 'many',
      Columns: 512,
      FrameOfReferenceUID: 'ü',
      BodyPartExamined: 'B\u00fcste',
      ImageComments: ['one', 'two'],
      SliceLocation: '1e400',
      RequestAttributesSequence: [{ ScheduledProcedureStepID: 'S1', NumberOfFrames: '1.5' }],
      ReferencedPatientSequence: 'none',
      _vrMap: { Rows: 'LO', ImageComments: 'LO', ReferencedPatientSequence: 'LO' },
    },
  ])
  await using scu = await archive.associate()
  const asked = ['SeriesNumber', 'InstanceNumber', 'PixelSpacing', 'Rows', 'Columns', 'FrameOfReferenceUID', 'BodyPartExamined', 'ImageComments', 'SliceLocation', 'RequestAttributesSequence', 'ReferencedPatientSequence']
  const { status, matches } = await find(scu, { QueryRetrieveLevel: 'IMAGE', ...Object.fromEntries(asked.map((name) => [name, ''])) })
  t.is(status, 0x0000)
  t.is(matches.length, 1)
  t.is(matches[0]?.['Columns'], 512)
  t.is(matches[0]?.['Rows'], null)
  t.is(String(matches[0]?.['SeriesNumber']), '20240101123456790000')
  t.deepEqual(archive.server.logged('error'), [])
})

test('a limit ends a query with B001 when there is more', async (t) => {
  const archive = await startArchive(t, { maximumMatches: 2 })
  await archive.store(WORLD.slice(0, 5))
  await using scu = await archive.associate()
  const limited = await find(scu, { QueryRetrieveLevel: 'STUDY', StudyInstanceUID: '' })
  t.like(limited, { status: 0xb001, pending: [0xff00, 0xff00], comment: 'There are more than 2 matches' })
  t.is((await find(scu, { QueryRetrieveLevel: 'STUDY', StudyInstanceUID: ['1.2.1', '1.2.2'] })).status, 0x0000)
})

test('only the models of the options are served; what is denied is not negotiated', async (t) => {
  const archive = await startArchive(t, { models: { patientRoot: [], patientStudyOnly: ['move'] }, relationalQueries: 'always', fuzzyNames: false, retrieveAeTitle: 'ELSEWHERE' })
  await archive.store(WORLD.slice(0, 1))
  await using scu = await archive.associate({ relationalQueries: true, fuzzySemanticMatching: true, enhancedMultiFrameImageConversion: true, multipleValueMatching: true })
  t.deepEqual([...new Set(scu.contexts.map(({ abstractSyntax }) => abstractSyntax))], [StudyRoot.Find])
  const items = filterUserItems(scu.accept.userInformation, 0x56)
  // One byte for each of relational, date-time, fuzzy, zone, multi-frame, empty, multiple (PS3.4 table C.5-2).
  t.deepEqual(items.map(({ sopClassUid, serviceClassApplicationInformation }) => [sopClassUid, [...serviceClassApplicationInformation]]), [[StudyRoot.Find, [1, 0, 0, 0, 0, 0, 1]]])
  await using plain = await testScu(archive.server, { contexts: [[StudyRoot.Find, TransferSyntax.ExplicitVRLittleEndian]] })
  const { matches } = await find(plain, { QueryRetrieveLevel: 'IMAGE', RetrieveAETitle: '', Modality: 'CT' })
  t.deepEqual(matches.map((match) => match['RetrieveAETitle']), ['ELSEWHERE'])
})

test('a private attribute is matched and returned, with what reserves it', async (t) => {
  const archive = await startArchive(t, { attributes: { instance: [{ attribute: '00091001', vr: 'LO' }] } })
  const own = { '00090010': 'ACME', '00091001': 'secret sauce', _vrMap: { '00090010': 'LO', '00091001': 'LO' } }
  await archive.store([{ ...(WORLD[0] as DataSet), ...own }])
  await using scu = await archive.associate({ relationalQueries: true })
  const query = { QueryRetrieveLevel: 'IMAGE', SOPInstanceUID: '', '00090010': 'ACME', '00091001': 'secret*', _vrMap: { '00090010': 'LO', '00091001': 'LO' } }
  const { matches } = await find(scu, await encodeDataSet(query, TransferSyntax.ExplicitVRLittleEndian))
  t.like(matches, { 0: { '00090010': 'ACME', '00091001': 'secret sauce' }, length: 1 })
})
