// Our SCP against the client of dcmjs-dimse, a DICOM library of other authors on the same runtime.
//
// Its quirks, where they matter here:
// - it sends the next request when the one before is done, whatever window was negotiated;
// - a Pending status other than FF00 ends a request for it;
// - data sets go through dcmjs: what it sends of a file is decoded and encoded again.
import { join } from 'node:path'
import test from 'ava'
import dcmjs from 'dcmjs-dimse'
import type { Client, requests } from 'dcmjs-dimse'
import { decodeDataSet, DEFAULT_TRANSFER_SYNTAXES, ModalityWorklist, SopClass, StudyRoot, TransferSyntax, WellKnownInstance } from '@dicomtap/framework'
import type { CStoreRequest, DataSet, InstanceToSend, SupportedContext } from '@dicomtap/framework'
import { createTestServer, encodedSample, sampleDataset, writeSampleFile } from '@dicomtap/framework/testing'
import { exchange, plain, valuesOf } from './support/dcmjs-dimse.ts'
import type { Response } from './support/dcmjs-dimse.ts'
import { temporaryFolder } from './support/files.ts'

const { CEchoRequest, CFindRequest, CGetRequest, CMoveRequest, CStoreRequest: StoreRequest } = dcmjs.requests
const { NActionRequest, NCreateRequest, NDeleteRequest, NEventReportRequest, NGetRequest, NSetRequest } = dcmjs.requests
const { Dataset } = dcmjs

const supports = (...abstractSyntaxes: readonly string[]): SupportedContext[] =>
  abstractSyntaxes.map((abstractSyntax) => ({ abstractSyntax, transferSyntaxes: DEFAULT_TRANSFER_SYNTAXES }))
const statuses = (responses: readonly Response[] = []): number[] => responses.map((response) => response.getStatus())
const done = ['accepted', 'released']

test('C-ECHO, several on one association', async (t) => {
  await using server = await createTestServer({ contexts: supports(SopClass.Verification) })
  const { responses, events, association } = await exchange(server.port, [new CEchoRequest(), new CEchoRequest(), new CEchoRequest()])
  t.deepEqual(responses.map(statuses), [[0], [0], [0]])
  t.deepEqual(events, done)
  t.is(association?.getImplementationVersion(), server.ae.implementationVersionName as string)
})

test('C-STORE: files and data sets in each transfer syntax, small PDUs and large ones', async (t) => {
  const folder = await temporaryFolder(t)
  const kinds = ['ct', 'mr', 'multi-frame', 'sr', 'pdf'] as const
  const syntaxes = [TransferSyntax.ExplicitVRLittleEndian, TransferSyntax.ImplicitVRLittleEndian, TransferSyntax.JPEGBaseline8Bit]
  const contexts = kinds.map((kind) => ({ abstractSyntax: sampleDataset(kind)['SOPClassUID'] as string, transferSyntaxes: [...syntaxes] }))
  for (const maximumPduBytes of [4096, 262_144]) {
    const received = new Map<string, { transferSyntax: string; dataset: DataSet }>()
    await using server = await createTestServer({
      contexts,
      limits: { maximumPduBytes },
      handlers: {
        cStore: async ({ affectedSopInstanceUid, dataSet }, { context }) => {
          const bytes = await dataSet.buffer()
          received.set(affectedSopInstanceUid, { transferSyntax: context.transferSyntax, dataset: await decodeDataSet(bytes, context.transferSyntax) })
          return 0x0000
        },
      },
    })
    const sent = new Map<string, { transferSyntax: string; dataset: DataSet }>()
    const all: InstanceType<typeof StoreRequest>[] = []
    for (const [index, kind] of kinds.entries()) {
      const transferSyntax = syntaxes[index % 2] as string
      const file = join(folder, `${kind}.dcm`)
      const { sopInstanceUid, dataSet } = await writeSampleFile(file, kind, transferSyntax, { rows: 128, columns: 128 })
      sent.set(sopInstanceUid, { transferSyntax, dataset: await decodeDataSet(dataSet, transferSyntax) })
      // By path, and as a data set that it has read.
      all.push(new StoreRequest(index % 2 === 0 ? file : (Dataset.fromFile(file) as InstanceType<typeof Dataset>)))
    }
    const compressed = join(folder, 'compressed.dcm')
    const { sopInstanceUid, dataSet } = await writeSampleFile(compressed, 'multi-frame', TransferSyntax.JPEGBaseline8Bit, { seed: 5 })
    sent.set(sopInstanceUid, { transferSyntax: TransferSyntax.JPEGBaseline8Bit, dataset: await decodeDataSet(dataSet, TransferSyntax.JPEGBaseline8Bit) })
    all.push(new StoreRequest(compressed))
    const { responses, events } = await exchange(server.port, all)
    t.deepEqual(responses.map(statuses), all.map(() => [0x0000]))
    t.deepEqual(events, done)
    t.is(received.size, sent.size)
    for (const [uid, { dataset }] of sent) t.deepEqual(plain(received.get(uid)?.dataset), plain(dataset), uid)
    t.is(received.get(sopInstanceUid)?.transferSyntax, TransferSyntax.JPEGBaseline8Bit)
  }
})

test('C-STORE that is refused: the status, the comment, and the next one', async (t) => {
  const answers = [{ status: 0xa700, errorComment: 'No room' }, 0xb000, 0x0000]
  await using server = await createTestServer({ contexts: supports(SopClass.CTImageStorage), handlers: { cStore: () => answers.shift() as number } })
  const all = [1, 2, 3].map((seed) => new StoreRequest(new Dataset(sampleDataset('ct', { seed }))))
  const { responses } = await exchange(server.port, all)
  t.deepEqual(responses.map(statuses), [[0xa700], [0xb000], [0x0000]])
  t.is(responses[0]?.[0]?.getErrorComment(), 'No room')
})

test('C-FIND: study, series, image and worklist, with nested sequences in keys and matches', async (t) => {
  const asked: { model: string; identifier: DataSet }[] = []
  const match = {
    SpecificCharacterSet: 'ISO_IR 192',
    PatientName: 'M\u00fcller^\u00c4nne',
    PatientID: '4711',
    StudyDate: '20260102',
    ModalitiesInStudy: ['CT', 'MR'],
    NumberOfStudyRelatedInstances: 12,
    ScheduledProcedureStepSequence: [
      { Modality: 'CT', ScheduledProtocolCodeSequence: [{ CodeValue: 'A' }, { CodeValue: 'B' }] },
      { Modality: 'MR', ScheduledProtocolCodeSequence: [] },
    ],
  }
  await using server = await createTestServer({
    contexts: supports(StudyRoot.Find, ModalityWorklist.Find),
    handlers: {
      cFind: async ({ affectedSopClassUid, identifier }) => {
        asked.push({ model: affectedSopClassUid, identifier: await identifier.dataset() })
        return [match, match]
      },
    },
  })
  const { responses, events } = await exchange(server.port, [
    CFindRequest.createStudyFindRequest({ PatientName: 'M*', StudyDate: '20260101-' }),
    CFindRequest.createSeriesFindRequest({ StudyInstanceUID: '2.25.1' }),
    CFindRequest.createImageFindRequest({ StudyInstanceUID: '2.25.1', SeriesInstanceUID: '2.25.2' }),
    CFindRequest.createWorklistFindRequest({ ScheduledProcedureStepSequence: [{ Modality: 'CT', ScheduledProcedureStepStartDate: '20260102' }] }),
  ])
  t.deepEqual(responses.map(statuses), [1, 2, 3, 4].map(() => [0xff00, 0xff00, 0x0000]))
  t.deepEqual(events, done)
  t.deepEqual(asked.map(({ model }) => model), [StudyRoot.Find, StudyRoot.Find, StudyRoot.Find, ModalityWorklist.Find])
  t.deepEqual(asked.slice(0, 3).map(({ identifier }) => identifier['QueryRetrieveLevel']), ['STUDY', 'SERIES', 'IMAGE'])
  t.is(asked[0]?.identifier['StudyDate'], '20260101-')
  t.is(String(asked[0]?.identifier['PatientName']), 'M*')
  t.deepEqual(plain(asked[3]?.identifier['ScheduledProcedureStepSequence']), [{ Modality: 'CT', ScheduledProcedureStepStartDate: '20260102' }])
  for (const response of responses.flatMap((of) => of.slice(0, 2))) {
    t.deepEqual(valuesOf(response.getDataset()), { ...(plain(match) as DataSet), PatientName: [{ Alphabetic: 'M\u00fcller^\u00c4nne' }] })
  }
})

test('C-FIND that is cancelled after its second match: FE00, and the next request is served', async (t) => {
  let hasEnded = false
  await using server = await createTestServer({
    contexts: supports(StudyRoot.Find, SopClass.Verification),
    handlers: {
      cFind: (_, { signal }) =>
        (async function* () {
          try {
            for (let number = 1; !signal.aborted; number++) {
              yield { PatientID: `P${number}` }
              if (number === 3) await new Promise((resolve) => signal.addEventListener('abort', resolve))
            }
          } finally {
            hasEnded = true
          }
        })(),
    },
  })
  const find = CFindRequest.createStudyFindRequest({})
  let count = 0
  const { responses, events } = await exchange(server.port, [find, new CEchoRequest()], {}, (client) => {
    find.on('response', () => {
      if (++count === 2) client.cancel(find)
    })
  })
  t.is(statuses(responses[0]).at(-1), 0xfe00)
  t.true(hasEnded)
  t.deepEqual(statuses(responses[1]), [0x0000])
  t.deepEqual(events, done)
})

/** Two CT and one MR of study 2.25.1. */
async function instances(): Promise<{ toSend: InstanceToSend[]; bytes: Map<string, Buffer> }> {
  const bytes = new Map<string, Buffer>()
  const toSend: InstanceToSend[] = []
  for (const [index, kind] of (['ct', 'ct', 'mr'] as const).entries()) {
    const sopInstanceUid = `2.25.1.${index}`
    const encoded = await encodedSample(kind, TransferSyntax.ImplicitVRLittleEndian, { sopInstanceUid, seed: index + 1, rows: 64, columns: 64 })
    bytes.set(sopInstanceUid, encoded)
    const sopClassUid = kind === 'ct' ? SopClass.CTImageStorage : SopClass.MRImageStorage
    toSend.push({ sopClassUid, sopInstanceUid, transferSyntaxUid: TransferSyntax.ImplicitVRLittleEndian, bytes: () => [encoded] })
  }
  return { toSend, bytes }
}

const IMPLICIT = [TransferSyntax.ImplicitVRLittleEndian]

test('C-GET: the roles that it proposes are granted, the instances arrive, a refused one is counted', async (t) => {
  const { toSend, bytes } = await instances()
  const storage = [SopClass.CTImageStorage, SopClass.MRImageStorage].map((abstractSyntax) => ({
    abstractSyntax,
    transferSyntaxes: IMPLICIT,
    roles: { scu: true, scp: true },
  }))
  const proposed: number[] = []
  await using server = await createTestServer({
    contexts: [...supports(StudyRoot.Get), ...storage],
    handlers: {
      cGet: () => ({ instances: toSend, total: toSend.length }),
      roleSelection: (roles) => {
        proposed.push(roles.length)
        return undefined
      },
    },
  })
  const received = new Map<string, DataSet>()
  const { responses, events } = await exchange(server.port, [CGetRequest.createStudyGetRequest('2.25.1')], {}, (client) => {
    client.on('cStoreRequest', (request: InstanceType<typeof StoreRequest>, callback: (response: Response) => void) => {
      const response = dcmjs.responses.CStoreResponse.fromRequest(request)
      response.setStatus(request.getAffectedSopInstanceUid() === '2.25.1.1' ? 0xa700 : 0x0000)
      received.set(request.getAffectedSopInstanceUid(), valuesOf(request.getDataset()))
      callback(response)
    })
  })
  t.deepEqual(events, done)
  // One item for each storage class that dcmjs-dimse knows.
  t.is(proposed.length, 1)
  t.true((proposed[0] as number) > 50)
  for (const [uid, encoded] of bytes) {
    t.deepEqual(received.get(uid), plain(await decodeDataSet(encoded, TransferSyntax.ImplicitVRLittleEndian)) as DataSet, uid)
  }
  const final = responses[0]?.at(-1) as InstanceType<typeof dcmjs.responses.CGetResponse>
  t.is(final.getStatus(), 0xb000)
  t.deepEqual([final.getCompleted(), final.getFailures(), final.getWarnings()], [2, 1, 0])
  t.deepEqual(valuesOf(final.getDataset()), { FailedSOPInstanceUIDList: '2.25.1.1' })
  t.deepEqual(statuses(responses[0]).slice(0, -1), [0xff00, 0xff00, 0xff00].slice(0, (responses[0]?.length ?? 0) - 1))
})

test('C-MOVE to an AE of ours, with counters as it goes; to nobody', async (t) => {
  const { toSend, bytes } = await instances()
  const received = new Map<string, Buffer>()
  const originators = new Set<string>()
  await using destination = await createTestServer({
    aeTitle: 'RECEIVER',
    contexts: [SopClass.CTImageStorage, SopClass.MRImageStorage].map((abstractSyntax) => ({ abstractSyntax, transferSyntaxes: IMPLICIT })),
    handlers: {
      cStore: async (request: CStoreRequest) => {
        received.set(request.affectedSopInstanceUid, await request.dataSet.buffer())
        originators.add(`${request.moveOriginatorApplicationEntityTitle} ${request.moveOriginatorMessageId}`)
        return 0x0000
      },
    },
  })
  await using server = await createTestServer({
    contexts: supports(StudyRoot.Move),
    handlers: {
      cMove: () => ({ instances: toSend, total: toSend.length }),
      moveDestination: (title) => (title === 'RECEIVER' ? { host: '127.0.0.1', port: destination.port } : undefined),
    },
  })
  const { responses, events } = await exchange(server.port, [
    CMoveRequest.createStudyMoveRequest('RECEIVER', '2.25.1'),
    CMoveRequest.createStudyMoveRequest('NOBODY', '2.25.1'),
  ])
  t.deepEqual(events, done)
  const final = responses[0]?.at(-1) as InstanceType<typeof dcmjs.responses.CMoveResponse>
  t.deepEqual([final.getStatus(), final.getCompleted(), final.getFailures(), final.getWarnings()], [0x0000, 3, 0, 0])
  t.deepEqual(statuses(responses[1]), [0xa801])
  t.deepEqual([...originators], ['DCMJS 1'])
  t.is(received.size, 3)
  for (const [uid, encoded] of bytes) t.true(received.get(uid)?.equals(encoded), uid)
})

const INSTANCE = '2.25.77'

test('N-CREATE, N-SET, N-GET, N-ACTION, N-DELETE, N-EVENT-REPORT: what was sent, and what was answered', async (t) => {
  const seen: unknown[] = []
  const step = SopClass.ModalityPerformedProcedureStep
  const print = SopClass.BasicGrayscalePrintManagementMeta
  await using server = await createTestServer({
    contexts: supports(step, SopClass.StorageCommitmentPushModel, print),
    handlers: {
      nCreate: async ({ affectedSopClassUid, affectedSopInstanceUid, attributeList }) => {
        seen.push(['N-CREATE', affectedSopClassUid, affectedSopInstanceUid, plain(await attributeList?.dataset())])
        return { status: 0x0000, dataset: { PerformedProcedureStepID: 'created' } }
      },
      nSet: async ({ requestedSopClassUid, requestedSopInstanceUid, modificationList }) => {
        seen.push(['N-SET', requestedSopClassUid, requestedSopInstanceUid, plain(await modificationList.dataset())])
        return { status: 0x0107, dataset: { PerformedProcedureStepStatus: 'COMPLETED' } }
      },
      nGet: ({ requestedSopClassUid, requestedSopInstanceUid, attributeIdentifierList }) => {
        seen.push(['N-GET', requestedSopClassUid, requestedSopInstanceUid, attributeIdentifierList])
        return { status: 0x0000, dataset: { PrinterStatus: 'NORMAL', PrinterName: 'P' } }
      },
      nAction: async ({ requestedSopClassUid, requestedSopInstanceUid, actionTypeId, actionInformation }) => {
        seen.push(['N-ACTION', requestedSopClassUid, requestedSopInstanceUid, actionTypeId, plain(await actionInformation?.dataset())])
        return 0x0000
      },
      nDelete: ({ requestedSopClassUid, requestedSopInstanceUid }) => {
        seen.push(['N-DELETE', requestedSopClassUid, requestedSopInstanceUid])
        return { status: 0x0112, errorComment: 'It is gone already' }
      },
      nEventReport: async ({ affectedSopClassUid, affectedSopInstanceUid, eventTypeId, eventInformation }) => {
        seen.push(['N-EVENT-REPORT', affectedSopClassUid, affectedSopInstanceUid, eventTypeId, plain(await eventInformation?.dataset())])
        return 0x0000
      },
    },
  })
  const commitment = { TransactionUID: '2.25.5', ReferencedSOPSequence: [{ ReferencedSOPClassUID: SopClass.CTImageStorage, ReferencedSOPInstanceUID: '2.25.6' }] }
  const withDataset = <R extends InstanceType<typeof requests.Request>>(request: R, elements: Record<string, unknown>): R => {
    request.setDataset(new Dataset(elements))
    return request
  }
  const push = [SopClass.StorageCommitmentPushModel, WellKnownInstance.StorageCommitmentPushModelInstance] as const
  const printer = [SopClass.Printer, WellKnownInstance.PrinterInstance] as const
  const { responses, events } = await exchange(server.port, [
    withDataset(new NCreateRequest(step, INSTANCE), { PerformedProcedureStepStatus: 'IN PROGRESS', ScheduledStepAttributesSequence: [{ AccessionNumber: 'A1' }] }),
    withDataset(new NSetRequest(step, INSTANCE), { PerformedProcedureStepStatus: 'COMPLETED' }),
    new NGetRequest(...printer, ['PrinterStatus', 'PrinterName'], print),
    withDataset(new NActionRequest(...push, 1), commitment),
    new NDeleteRequest(SopClass.BasicFilmSession, INSTANCE, print),
    withDataset(new NEventReportRequest(...push, 2), commitment),
  ])
  t.deepEqual(events, done)
  t.deepEqual(responses.map(statuses), [[0x0000], [0x0107], [0x0000], [0x0000], [0x0112], [0x0000]])
  t.deepEqual(seen, [
    ['N-CREATE', step, INSTANCE, { PerformedProcedureStepStatus: 'IN PROGRESS', ScheduledStepAttributesSequence: [{ AccessionNumber: 'A1' }] }],
    ['N-SET', step, INSTANCE, { PerformedProcedureStepStatus: 'COMPLETED' }],
    // Printer Status (2110,0010), Printer Name (2110,0030).
    ['N-GET', ...printer, [0x21100010, 0x21100030]],
    ['N-ACTION', ...push, 1, commitment],
    ['N-DELETE', SopClass.BasicFilmSession, INSTANCE],
    ['N-EVENT-REPORT', ...push, 2, commitment],
  ])
  const [created, changed, got, , deleted] = responses.map(([response]) => response)
  t.deepEqual(valuesOf(created?.getDataset()), { PerformedProcedureStepID: 'created' })
  t.is(created?.getAffectedSopInstanceUid(), INSTANCE)
  t.deepEqual(valuesOf(changed?.getDataset()), { PerformedProcedureStepStatus: 'COMPLETED' })
  t.deepEqual(valuesOf(got?.getDataset()), { PrinterStatus: 'NORMAL', PrinterName: 'P' })
  t.is(got?.getAffectedSopClassUid(), SopClass.Printer)
  t.is(deleted?.getErrorComment(), 'It is gone already')
})

test('N-EVENT-REPORT of ours over the association that asked for storage commitment', async (t) => {
  const push = { affectedSopClassUid: SopClass.StorageCommitmentPushModel, affectedSopInstanceUid: WellKnownInstance.StorageCommitmentPushModelInstance }
  let reported: Promise<{ status: number }> | undefined
  await using server = await createTestServer({
    contexts: supports(SopClass.StorageCommitmentPushModel),
    handlers: {
      nAction: () => 0x0000,
      operationCompleted: ({ operation }) => {
        reported = operation.association.nEventReport({ ...push, eventTypeId: 1, eventInformation: { TransactionUID: '2.25.5' } })
      },
    },
  })
  const action = new NActionRequest(push.affectedSopClassUid, push.affectedSopInstanceUid, 1)
  action.setDataset(new Dataset({ TransactionUID: '2.25.5' }))
  const seen: unknown[] = []
  // It stays for the report: without it the release would come first.
  await exchange(server.port, [action], { associationLingerTimeout: 1000 }, (client) => {
    client.on('nEventReportRequest', (request: InstanceType<typeof NEventReportRequest>, callback: (response: Response) => void) => {
      seen.push([request.getEventTypeId(), request.getAffectedSopInstanceUid(), valuesOf(request.getDataset())])
      const response = dcmjs.responses.NEventReportResponse.fromRequest(request)
      response.setStatus(0x0000)
      callback(response)
    })
  })
  t.deepEqual(seen, [[1, push.affectedSopInstanceUid, { TransactionUID: '2.25.5' }]])
  t.is((await reported)?.status, 0x0000)
})

test('the window of asynchronous operations and the user identity, with what was answered', async (t) => {
  const asked: unknown[] = []
  await using server = await createTestServer({
    contexts: supports(SopClass.Verification),
    handlers: {
      asyncOperations: ({ maximumNumberOperationsInvoked: invoked, maximumNumberOperationsPerformed: performed }) => {
        asked.push([invoked, performed])
        return { invoked: 3, performed: 2 }
      },
      userIdentity: ({ userIdentityType, primaryField, secondaryField }) => {
        const [primary, secondary] = [Buffer.from(primaryField).toString(), Buffer.from(secondaryField).toString()]
        asked.push([userIdentityType, primary, secondary])
        return primary === 'mallory' ? { verified: false } : { verified: true, response: Buffer.from('server token') }
      },
    },
  })
  const echo = (userIdentity: object): ReturnType<typeof exchange> =>
    exchange(server.port, [new CEchoRequest(), new CEchoRequest()], { asyncOps: { maxAsyncOpsInvoked: 5, maxAsyncOpsPerformed: 4 }, userIdentity })
  const token = await echo({ type: 5, primaryField: 'a.b.c', positiveResponseRequested: true })
  t.deepEqual(token.events, done)
  t.deepEqual(token.responses.map(statuses), [[0], [0]])
  t.deepEqual([token.association?.getMaxAsyncOpsInvoked(), token.association?.getMaxAsyncOpsPerformed()], [3, 2])
  t.is(token.association?.getUserIdentityServerResponse(), 'server token')
  t.deepEqual((await echo({ type: 2, primaryField: 'alice', secondaryField: 'secret', positiveResponseRequested: true })).events, done)
  // Transient, service-provider (ACSE), no reason given (PS3.8 table 9-21).
  t.deepEqual((await echo({ type: 1, primaryField: 'mallory' })).events, ['rejected 2 2 1'])
  t.deepEqual(asked.filter((_, index) => index % 2 === 0), [[5, 'a.b.c', ''], [2, 'alice', 'secret'], [1, 'mallory', '']])
})

test('contexts that are refused, a title that is not known, an abort', async (t) => {
  const ended: string[] = []
  await using server = await createTestServer({
    aeTitle: 'ARCHIVE',
    contexts: supports(SopClass.Verification),
    handlers: { associationAborted: ({ by, source }) => ended.push(`${by} ${source}`) },
  })
  // No context for the second request: dcmjs-dimse skips it.
  const some = await exchange(server.port, [new CEchoRequest(), CFindRequest.createStudyFindRequest({})])
  t.deepEqual(some.responses.map(statuses), [[0], []])
  t.deepEqual(
    some.association?.getPresentationContexts().map(({ context }: { context: { getResult(): number } }) => context.getResult()),
    // Acceptance, abstract syntax not supported (PS3.8 table 9-18).
    [0, 3],
  )
  await using strict = await createTestServer({ aeTitle: 'OTHER', requireCalledAeTitle: true, contexts: supports(SopClass.Verification) })
  t.deepEqual((await exchange(strict.port, [new CEchoRequest()])).events, ['rejected 1 1 7'])

  const echo = new CEchoRequest()
  const aborted = await exchange(server.port, [echo], {}, (client: Client) => {
    echo.on('response', () => client.abort())
  })
  t.deepEqual(aborted.events, ['accepted'])
  t.deepEqual(ended, ['peer 0'])
})
