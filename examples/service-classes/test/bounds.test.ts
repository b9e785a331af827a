/** What a peer sends without end takes neither all memory nor all time: whoever copies an example copies that, too. */
import { DEFAULT_TRANSFER_SYNTAXES, SopClass, WellKnownInstance, presentationContexts, presentationContextsFor } from '@dicomtap/framework'
import type { Association, CStoreRequest, DataSet } from '@dicomtap/framework'
import { createTestServer, encodedSample, sampleDataset } from '@dicomtap/framework/testing'
import test from 'ava'
import { mediaCreation } from '../dist/media-creation.js'
import { performedProcedureStep } from '../dist/performed-procedure-step.js'
import { print } from '../dist/print.js'
import { attributesOf, keepLatest } from '../dist/shared/bounds.js'
import { InstanceStore } from '../dist/shared/instance-store.js'
import { loadMatching, textsOf } from '../dist/shared/matching.js'
import { storageCommitment } from '../dist/storage-commitment.js'
import { storageManagement } from '../dist/storage-management.js'
import { unifiedProcedureStep } from '../dist/unified-procedure-step.js'
import { eventCollector } from './support/events.js'
import { associate, hex } from './support/requestor.js'

async function statuses(count: number, send: (uid: string) => Promise<{ status: number }>): Promise<string[]> {
  const found: string[] = []
  for (let index = 1; index <= count; index += 1) found.push(hex((await send(`2.25.${index}`)).status))
  return found
}

test('the latest of a collection are kept', (t) => {
  const numbers = new Set([1, 2, 3, 4])
  keepLatest(numbers, 2)
  t.deepEqual([...numbers], [3, 4])
  const names = new Map([['a', 1], ['b', 2]])
  keepLatest(names, 2)
  t.deepEqual([...names.keys()], ['a', 'b'])
})

test('a list of attributes has a size, deflated or not', async (t) => {
  const deflated = '1.2.840.10008.1.2.1.99'
  const list = await encodedSample('ct', '1.2.840.10008.1.2.1')
  const incoming = (bytes: Buffer, transferSyntaxUid: string) =>
    ({ transferSyntaxUid, receivedBytes: bytes.length, buffer: (most: number) => (bytes.length > most ? Promise.reject(new Error('too large')) : Promise.resolve(bytes)) }) as never
  t.deepEqual(await attributesOf(undefined), {})
  t.is((await attributesOf(incoming(list, '1.2.840.10008.1.2.1')))['SOPClassUID'], SopClass.CTImageStorage)
  await t.throwsAsync(attributesOf(incoming(list, '1.2.840.10008.1.2.1'), 50), { message: 'too large' })
  const zeros = (await import('node:zlib')).deflateRawSync(Buffer.alloc(100_000))
  await t.throwsAsync(attributesOf(incoming(zeros, deflated), 1_000), { code: 'DICOMTAP_ERR_DS_TOO_LARGE' })
})

test('matching: what is longer than any value of a key is no pattern', async (t) => {
  const { matches } = await loadMatching()
  const long = 'a'.repeat(100_000)
  t.true(matches({ PatientID: '*b' }, { PatientID: 'aaab' }))
  t.false(matches({ PatientID: `*${long}b` }, { PatientID: `${long}${long}b` }))
  t.false(matches({ PatientName: { Alphabetic: `${'^'.repeat(100_000)}x` } }, { PatientName: { Alphabetic: long } }))
  t.deepEqual(textsOf({ Alphabetic: '', Ideographic: '', Phonetic: '' }), [''])
  t.deepEqual(textsOf({ Alphabetic: 'A', Ideographic: '', Phonetic: 'C' }), ['A==C'])
})

test('instances that come at the same time have one room', async (t) => {
  const store = new InstanceStore(300_000)
  const requests = await Promise.all(
    ['2.25.1', '2.25.2', '2.25.3'].map(async (sopInstanceUid): Promise<CStoreRequest> => {
      const dataset: DataSet = { SOPClassUID: SopClass.CTImageStorage, SOPInstanceUID: sopInstanceUid }
      const dataSet = { transferSyntaxUid: '1.2.840.10008.1.2.1', buffer: () => Promise.resolve(Buffer.alloc(200_000)), dataset: () => Promise.resolve(dataset) }
      return { affectedSopClassUid: SopClass.CTImageStorage, affectedSopInstanceUid: sopInstanceUid, dataSet } as never
    }),
  )
  const added = await Promise.allSettled(requests.map((request) => store.add(request)))
  t.deepEqual(added.map(({ status }) => status), ['fulfilled', 'rejected', 'rejected'])
  t.like((added[1] as PromiseRejectedResult).reason, { status: 0xa700 })
  t.is(store.list().length, 1)
})

test('many small instances have an end as well', async (t) => {
  const store = new InstanceStore(100_000)
  const uids = Array.from({ length: 200 }, (_, index) => `2.25.${index}`)
  const added = await Promise.allSettled(
    uids.map((sopInstanceUid) => {
      const dataset: DataSet = { SOPClassUID: SopClass.CTImageStorage, SOPInstanceUID: sopInstanceUid }
      const dataSet = { transferSyntaxUid: '1.2.840.10008.1.2.1', buffer: () => Promise.resolve(Buffer.alloc(50)), dataset: () => Promise.resolve(dataset) }
      return store.add({ affectedSopClassUid: SopClass.CTImageStorage, affectedSopInstanceUid: sopInstanceUid, dataSet } as never)
    }),
  )
  t.true(added.some(({ status }) => status === 'rejected'))
  t.true(store.list().length > 0)
})

test('an instance costs what it is when it is decoded', async (t) => {
  const store = new InstanceStore(100_000)
  const dataset: DataSet = { SOPClassUID: SopClass.CTImageStorage, SOPInstanceUID: '2.25.1', ImageComments: ' '.repeat(200_000) }
  const dataSet = { transferSyntaxUid: '1.2.840.10008.1.2.1.99', buffer: () => Promise.resolve(Buffer.alloc(50)), dataset: () => Promise.resolve(dataset) }
  await t.throwsAsync(store.add({ affectedSopClassUid: SopClass.CTImageStorage, affectedSopInstanceUid: '2.25.1', dataSet } as never), { message: /a700/ })
})

test('unified procedure steps: 0213 when there are too many', async (t) => {
  await using server = await createTestServer({ plugins: [unifiedProcedureStep({ maximumSteps: 2 })] })
  const association = await associate(t, server, { contexts: presentationContexts.unifiedProcedureStep })
  const attributeList = {
    ProcedureStepState: 'SCHEDULED',
    ScheduledProcedureStepPriority: 'MEDIUM',
    ProcedureStepLabel: 'L',
    ScheduledProcedureStepStartDateTime: '20260705090000',
    InputReadinessState: 'READY',
  }
  const create = (affectedSopInstanceUid: string) => association.nCreate({ affectedSopClassUid: SopClass.UnifiedProcedureStepPush, affectedSopInstanceUid, attributeList })
  t.deepEqual(await statuses(3, create), ['B300', 'B300', '0213'])
})

test('performed procedure steps: 0213 when all are in progress', async (t) => {
  await using server = await createTestServer({ plugins: [performedProcedureStep({ maximumSteps: 1 })] })
  const association = await associate(t, server, { contexts: presentationContexts.procedureStep })
  const empty = (...keywords: string[]): DataSet => Object.fromEntries(keywords.map((keyword) => [keyword, '']))
  const attributeList: DataSet = {
    ...empty('PatientName', 'PatientID', 'PatientBirthDate', 'PatientSex', 'PerformedStationName', 'PerformedLocation', 'PerformedProcedureStepDescription'),
    ...empty('PerformedProcedureTypeDescription', 'PerformedProcedureStepEndDate', 'PerformedProcedureStepEndTime', 'StudyID'),
    ReferencedPatientSequence: [],
    ProcedureCodeSequence: [],
    PerformedProtocolCodeSequence: [],
    PerformedSeriesSequence: [],
    ScheduledStepAttributesSequence: [
      {
        ...empty('AccessionNumber', 'RequestedProcedureID', 'RequestedProcedureDescription', 'ScheduledProcedureStepID', 'ScheduledProcedureStepDescription'),
        StudyInstanceUID: '2.25.1',
        ReferencedStudySequence: [],
        ScheduledProtocolCodeSequence: [],
      },
    ],
    PerformedProcedureStepID: 'PPS1',
    PerformedStationAETitle: 'CT01',
    PerformedProcedureStepStartDate: '20260705',
    PerformedProcedureStepStartTime: '0900',
    PerformedProcedureStepStatus: 'IN PROGRESS',
    Modality: 'CT',
  }
  const requestedSopClassUid = SopClass.ModalityPerformedProcedureStep
  const create = (affectedSopInstanceUid: string) => association.nCreate({ affectedSopClassUid: requestedSopClassUid, affectedSopInstanceUid, attributeList })
  t.deepEqual(await statuses(2, create), ['0000', '0213'])
  const end = {
    PerformedProcedureStepStatus: 'COMPLETED',
    PerformedProcedureStepEndDate: '20260705',
    PerformedProcedureStepEndTime: '0910',
    PerformedSeriesSequence: [{ SeriesInstanceUID: '2.25.9', ProtocolName: 'P' }],
  }
  t.is((await association.nSet({ requestedSopClassUid, requestedSopInstanceUid: '2.25.1', modificationList: end })).status, 0x0000)
  // One that is over makes room.
  t.is((await create('2.25.3')).status, 0x0000)
})

test('media creation: 0213 when too many requests are not over', async (t) => {
  await using server = await createTestServer({ plugins: [mediaCreation({ maximumRequests: 1 })] })
  const association = await associate(t, server, { contexts: presentationContexts.mediaCreation })
  const attributeList = { ReferencedSOPSequence: [{ ReferencedSOPClassUID: SopClass.CTImageStorage, ReferencedSOPInstanceUID: '2.25.1' }] }
  const create = (affectedSopInstanceUid: string) => association.nCreate({ affectedSopClassUid: SopClass.MediaCreationManagement, affectedSopInstanceUid, attributeList })
  t.deepEqual(await statuses(2, create), ['0000', '0213'])
})

test('inventories: 0213 when too many are being made', async (t) => {
  async function* endless(signal: AbortSignal): AsyncGenerator<DataSet> {
    yield { StudyInstanceUID: '2.25.1' }
    await new Promise((resolve) => signal.addEventListener('abort', resolve))
  }
  await using server = await createTestServer({ plugins: [storageManagement({ studies: endless, maximumRunning: 1 })] })
  const events = eventCollector()
  const association = await associate(t, server, { contexts: presentationContexts.storageManagement, handlers: { nEventReport: events.nEventReport } })
  const initiate = (TransactionUID: string) =>
    association.nAction({
      requestedSopClassUid: SopClass.InventoryCreation,
      requestedSopInstanceUid: WellKnownInstance.StorageManagementInstance,
      actionTypeId: 11,
      actionInformation: { TransactionUID, InventoryLevel: 'STUDY', ScopeOfInventorySequence: [] },
    })
  t.deepEqual(await statuses(2, initiate), ['0000', '0213'])
})

test('storage commitment: what was forgotten is not called safe', async (t) => {
  const { CTImageStorage, StorageCommitmentPushModel } = SopClass
  await using server = await createTestServer({
    aeTitle: 'ARCHIVE',
    plugins: [storageCommitment({ maximumInstances: 1 })],
    contexts: [{ abstractSyntax: CTImageStorage, transferSyntaxes: DEFAULT_TRANSFER_SYNTAXES }],
    handlers: { cStore: () => 0x0000 },
  })
  const events = eventCollector()
  const association: Association = await associate(t, server, {
    contexts: [...presentationContextsFor([CTImageStorage]), ...presentationContexts.storageCommitment],
    handlers: { nEventReport: events.nEventReport },
  })
  for (const sopInstanceUid of ['2.25.1', '2.25.2']) await association.cStore(sampleDataset('ct', { sopInstanceUid }))
  await association.nAction({
    requestedSopClassUid: StorageCommitmentPushModel,
    requestedSopInstanceUid: WellKnownInstance.StorageCommitmentPushModelInstance,
    actionTypeId: 1,
    actionInformation: {
      TransactionUID: '2.25.100',
      ReferencedSOPSequence: ['2.25.1', '2.25.2'].map((uid) => ({ ReferencedSOPClassUID: CTImageStorage, ReferencedSOPInstanceUID: uid })),
    },
  })
  const [event] = await events.take(1)
  t.like(event?.information, { ReferencedSOPSequence: [{ ReferencedSOPInstanceUID: '2.25.2' }], FailedSOPSequence: [{ ReferencedSOPInstanceUID: '2.25.1', FailureReason: 0x0112 }] })
})

test('films of a session have a number', async (t) => {
  await using server = await createTestServer({ plugins: [print({ maximumFilms: 2 })] })
  const association = await associate(t, server, { contexts: presentationContexts.printManagement })
  const meta = { metaSopClassUid: SopClass.BasicGrayscalePrintManagementMeta }
  const reference = { ReferencedSOPClassUID: SopClass.BasicFilmSession, ReferencedSOPInstanceUID: '2.25.99' }
  await association.nCreate({ ...meta, affectedSopClassUid: SopClass.BasicFilmSession, affectedSopInstanceUid: '2.25.99', attributeList: {} })
  const film = () =>
    association.nCreate({
      ...meta,
      affectedSopClassUid: SopClass.BasicFilmBox,
      attributeList: { ImageDisplayFormat: 'STANDARD\\1,1', ReferencedFilmSessionSequence: [reference] },
    })
  t.deepEqual(await statuses(3, film), ['0000', '0000', '0213'])
})
