import {
  PatientRoot,
  QueryStatus,
  RetrieveStatus,
  SopClass,
  StudyRoot,
  TransferSyntax,
  presentationContextsFor,
  queryNegotiation,
  retrieveNegotiation,
} from '@dicomtap/framework'
import type { Association, DataSet } from '@dicomtap/framework'
import { createTestServer, encodedSample, sampleDataset } from '@dicomtap/framework/testing'
import type { SampleOptions, TestServer } from '@dicomtap/framework/testing'
import test from 'ava'
import type { ExecutionContext } from 'ava'
import { queryRetrieve } from '../dist/query-retrieve.js'
import { all, associate, hex } from './support/requestor.js'

const { CTImageStorage, MRImageStorage } = SopClass
const CONTEXTS = [
  ...presentationContextsFor([StudyRoot.Find, StudyRoot.Get, StudyRoot.Move, PatientRoot.Find]),
  // Both: the test stores on these, and is stored to by C-GET.
  ...presentationContextsFor([CTImageStorage, MRImageStorage], {
    transferSyntaxes: [TransferSyntax.ExplicitVRLittleEndian],
    roles: { scu: true, scp: true },
  }),
]

const DOE: SampleOptions = { patientName: 'Doe^John', patientId: 'P1', studyInstanceUid: '2.25.10' }
const INSTANCES: readonly (readonly ['ct' | 'mr', SampleOptions])[] = [
  ['ct', { ...DOE, seed: 1, seriesInstanceUid: '2.25.11', sopInstanceUid: '2.25.111' }],
  ['ct', { ...DOE, seed: 2, seriesInstanceUid: '2.25.11', sopInstanceUid: '2.25.112' }],
  ['mr', { ...DOE, seed: 3, seriesInstanceUid: '2.25.12', sopInstanceUid: '2.25.121' }],
  ['ct', { seed: 4, patientName: 'Roe^Jane', patientId: 'P2', studyInstanceUid: '2.25.20', seriesInstanceUid: '2.25.21', sopInstanceUid: '2.25.211' }],
]

/** A server with the four instances, stored by C-STORE. */
async function filled(t: ExecutionContext, server: TestServer, options: Parameters<typeof associate>[2] = {}): Promise<Association> {
  const association = await associate(t, server, { contexts: CONTEXTS, ...options })
  for (const [kind, sample] of INSTANCES) t.is((await association.cStore(sampleDataset(kind, sample))).status, 0x0000)
  return association
}

async function find(association: Association, query: DataSet, model = StudyRoot.Find): Promise<{ statuses: string[]; matches: DataSet[] }> {
  const responses = await all(association.cFind(query, { model }))
  return { statuses: responses.map(({ status }) => hex(status)), matches: responses.flatMap(({ identifier }) => (identifier === undefined ? [] : [identifier])) }
}

test('studies by a wildcard in the name, with what is counted below them', async (t) => {
  await using server = await createTestServer({ aeTitle: 'ARCHIVE', plugins: [queryRetrieve()] })
  const association = await filled(t, server)
  const query = { QueryRetrieveLevel: 'STUDY', PatientName: 'DOE^J?HN*', StudyInstanceUID: '', ModalitiesInStudy: '', NumberOfStudyRelatedInstances: '' }
  const { statuses, matches } = await find(association, query)
  t.deepEqual(statuses, ['FF00', '0000'])
  t.deepEqual(JSON.parse(JSON.stringify(matches[0])), {
    QueryRetrieveLevel: 'STUDY',
    RetrieveAETitle: 'ARCHIVE',
    PatientName: [{ Alphabetic: 'Doe^John' }],
    StudyInstanceUID: '2.25.10',
    ModalitiesInStudy: ['CT', 'MR'],
    NumberOfStudyRelatedInstances: 3,
  })
  t.is((await find(association, { ...query, PatientName: '' })).matches.length, 2)
  t.deepEqual((await find(association, { ...query, PatientName: 'Nobody' })).statuses, ['0000'])
  const inRange = { QueryRetrieveLevel: 'STUDY', StudyInstanceUID: ['2.25.20', '2.25.99'], StudyDate: '20200101-' }
  t.is((await find(association, inRange)).matches.length, 1)
  t.is((await find(association, { ...inRange, StudyDate: '-20200101' })).matches.length, 0)
})

test('each level of both models', async (t) => {
  await using server = await createTestServer({ plugins: [queryRetrieve()] })
  const association = await filled(t, server)
  const cases: [model: string, query: DataSet, unique: string, expected: string[]][] = [
    [PatientRoot.Find, { QueryRetrieveLevel: 'PATIENT', PatientID: '' }, 'PatientID', ['P1', 'P2']],
    [PatientRoot.Find, { QueryRetrieveLevel: 'STUDY', PatientID: 'P2', StudyInstanceUID: '' }, 'StudyInstanceUID', ['2.25.20']],
    [StudyRoot.Find, { QueryRetrieveLevel: 'SERIES', StudyInstanceUID: '2.25.10', SeriesInstanceUID: '', Modality: 'MR' }, 'SeriesInstanceUID', ['2.25.12']],
    [
      StudyRoot.Find,
      { QueryRetrieveLevel: 'IMAGE', StudyInstanceUID: '2.25.10', SeriesInstanceUID: '2.25.11', SOPInstanceUID: '' },
      'SOPInstanceUID',
      ['2.25.111', '2.25.112'],
    ],
  ]
  for (const [model, query, unique, expected] of cases) {
    const { statuses, matches } = await find(association, query, model)
    t.is(statuses.at(-1), '0000')
    t.deepEqual(matches.map((match) => match[unique]), expected)
  }
})

test('A900: a level that the model does not have, a unique key that is missing or a pattern', async (t) => {
  await using server = await createTestServer({ plugins: [queryRetrieve()] })
  const association = await filled(t, server)
  const cases: [query: DataSet, offending: number][] = [
    [{ StudyInstanceUID: '' }, 0x00080052],
    [{ QueryRetrieveLevel: 'PATIENT', PatientID: '' }, 0x00080052],
    [{ QueryRetrieveLevel: 'SERIES', SeriesInstanceUID: '' }, 0x0020000d],
    [{ QueryRetrieveLevel: 'SERIES', StudyInstanceUID: '2.25.*', SeriesInstanceUID: '' }, 0x0020000d],
    [{ QueryRetrieveLevel: 'IMAGE', StudyInstanceUID: '2.25.10', SOPInstanceUID: '' }, 0x0020000e],
  ]
  for (const [query, offending] of cases) {
    const [answer] = await all(association.cFind(query, { model: StudyRoot.Find }))
    t.like(answer, { status: QueryStatus.IdentifierMismatch, category: 'failure', offendingElements: [offending] })
  }
})

test('FF01 when a key is not supported; it is not in the match', async (t) => {
  await using server = await createTestServer({ plugins: [queryRetrieve()] })
  const association = await filled(t, server)
  const { statuses, matches } = await find(association, { QueryRetrieveLevel: 'STUDY', StudyInstanceUID: '2.25.10', InstitutionName: 'X' })
  t.deepEqual(statuses, ['FF01', '0000'])
  t.false('InstitutionName' in (matches[0] ?? {}))
})

test('relational queries and retrievals, when they were negotiated', async (t) => {
  await using server = await createTestServer({ plugins: [queryRetrieve()] })
  const association = await filled(t, server, {
    sopClassExtended: [queryNegotiation(StudyRoot.Find, { relationalQueries: true }), retrieveNegotiation(StudyRoot.Get, { relationalRetrieval: true })],
    handlers: { cStore: () => 0x0000 },
  })
  const { statuses, matches } = await find(association, { QueryRetrieveLevel: 'IMAGE', PatientID: 'P1', Modality: 'CT', SOPInstanceUID: '' })
  t.deepEqual(statuses, ['FF00', 'FF00', '0000'])
  t.deepEqual(matches.map(({ SOPInstanceUID }) => SOPInstanceUID), ['2.25.111', '2.25.112'])
  const responses = await all(association.cGet({ QueryRetrieveLevel: 'SERIES', SeriesInstanceUID: ['2.25.11', '2.25.12'] }, { model: StudyRoot.Get }))
  t.like(responses.at(-1), { status: 0x0000, numberOfCompletedSuboperations: 3 })
})

test('C-GET sends the instances back on the same association, byte by byte', async (t) => {
  await using server = await createTestServer({ plugins: [queryRetrieve()] })
  const received = new Map<string, Buffer>()
  const association = await filled(t, server, {
    handlers: {
      cStore: async ({ affectedSopInstanceUid, dataSet }) => {
        received.set(affectedSopInstanceUid, await dataSet.buffer())
        return 0x0000
      },
    },
  })
  const responses = await all(association.cGet({ QueryRetrieveLevel: 'STUDY', StudyInstanceUID: '2.25.10' }, { model: StudyRoot.Get }))
  t.like(responses.at(-1), {
    status: 0x0000,
    numberOfCompletedSuboperations: 3,
    numberOfFailedSuboperations: 0,
    numberOfWarningSuboperations: 0,
    failedSopInstanceUids: [],
  })
  t.is(received.size, 3)
  for (const [kind, sample] of INSTANCES.slice(0, 3)) {
    t.deepEqual(received.get(sample.sopInstanceUid ?? ''), await encodedSample(kind, undefined, sample))
  }
  const [nothing] = await all(association.cGet({ QueryRetrieveLevel: 'STUDY', StudyInstanceUID: '2.25.404' }, { model: StudyRoot.Get }))
  t.like(nothing, { status: 0x0000, numberOfCompletedSuboperations: 0 })
  const [incomplete] = await all(association.cGet({ QueryRetrieveLevel: 'SERIES', SeriesInstanceUID: '2.25.11' }, { model: StudyRoot.Get }))
  t.like(incomplete, { status: RetrieveStatus.IdentifierMismatch, offendingElements: [0x0020000d] })
})

test('C-GET without the role of SCP for a class: B000, and which instances were not sent', async (t) => {
  await using server = await createTestServer({ plugins: [queryRetrieve()] })
  await filled(t, server)
  const association = await associate(t, server, {
    contexts: [
      ...presentationContextsFor([StudyRoot.Get]),
      ...presentationContextsFor([MRImageStorage], { transferSyntaxes: [TransferSyntax.ExplicitVRLittleEndian], roles: { scu: false, scp: true } }),
    ],
    handlers: { cStore: () => 0x0000 },
  })
  const responses = await all(association.cGet({ QueryRetrieveLevel: 'STUDY', StudyInstanceUID: '2.25.10' }, { model: StudyRoot.Get }))
  const final = responses.at(-1)
  t.like(final, { status: RetrieveStatus.SubOperationsWithFailures, category: 'warning', numberOfCompletedSuboperations: 1, numberOfFailedSuboperations: 2 })
  t.deepEqual([...(final?.failedSopInstanceUids ?? [])].sort(), ['2.25.111', '2.25.112'])
})

test('C-MOVE sends to the AE that is configured for the title, and to no other', async (t) => {
  const received: string[] = []
  await using viewer = await createTestServer({
    aeTitle: 'VIEWER',
    contexts: [CTImageStorage, MRImageStorage].map((abstractSyntax) => ({ abstractSyntax, transferSyntaxes: [TransferSyntax.ExplicitVRLittleEndian] })),
    handlers: {
      cStore: ({ affectedSopInstanceUid, moveOriginatorApplicationEntityTitle }) => {
        received.push(`${affectedSopInstanceUid} for ${moveOriginatorApplicationEntityTitle}`)
        return 0x0000
      },
    },
  })
  await using server = await createTestServer({ plugins: [queryRetrieve({ destinations: { VIEWER: { host: '127.0.0.1', port: viewer.port } } })] })
  const association = await filled(t, server)
  const series = { QueryRetrieveLevel: 'SERIES', StudyInstanceUID: '2.25.10', SeriesInstanceUID: '2.25.11' }
  const responses = await all(association.cMove(series, { model: StudyRoot.Move, destination: 'VIEWER' }))
  t.like(responses.at(-1), { status: 0x0000, numberOfCompletedSuboperations: 2, numberOfFailedSuboperations: 0 })
  t.deepEqual(received.sort(), ['2.25.111 for EXAMPLE-SCU', '2.25.112 for EXAMPLE-SCU'])
  const [unknown] = await all(association.cMove(series, { model: StudyRoot.Move, destination: 'ELSEWHERE' }))
  t.is(unknown?.status, RetrieveStatus.MoveDestinationUnknown)
  await viewer.ae.close()
  const unreachable = await all(association.cMove(series, { model: StudyRoot.Move, destination: 'VIEWER' }))
  t.is(unreachable.at(-1)?.status, RetrieveStatus.CannotPerformSubOperations)
})

test('A700 when the memory is full', async (t) => {
  await using server = await createTestServer({ plugins: [queryRetrieve({ maximumBytes: 100 })] })
  const association = await associate(t, server, { contexts: CONTEXTS })
  t.is((await association.cStore(sampleDataset('ct'))).status, 0xa700)
})
