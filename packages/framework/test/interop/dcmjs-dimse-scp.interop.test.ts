// Our SCU against the server of dcmjs-dimse.
//
// Its quirks, where they matter here:
// - it has all responses to a C-FIND, C-GET or C-MOVE before it sends the first, unless a handler sends some
//   of them another way;
// - it keeps the space behind a value of odd length, but for the text VRs;
// - for C-GET it has no sub-operations of its own: its handler sends C-STORE requests over the association.
import test from 'ava'
import type { ExecutionContext } from 'ava'
import dcmjs from 'dcmjs-dimse'
import type { association, requests } from 'dcmjs-dimse'
import {
  AssociationRejectedError,
  decodeDataSet,
  DicomtapError,
  ModalityWorklist,
  presentationContexts,
  presentationContextsFor,
  SopClass,
  StudyRoot,
  TransferSyntax,
  WellKnownInstance,
} from '@dicomtap/framework'
import type { AssociateOptions, Association, AssociationAbortedError, DataSet } from '@dicomtap/framework'
import { encodedSample, sampleDataset } from '@dicomtap/framework/testing'
import { plain, startServer, valuesOf } from './support/dcmjs-dimse.ts'
import type { Response } from './support/dcmjs-dimse.ts'
import { associate, collect } from './support/scu.ts'

const { Dataset, Scp } = dcmjs
const { CEchoResponse, CFindResponse, CGetResponse, CMoveResponse, CStoreResponse } = dcmjs.responses
const { NActionResponse, NCreateResponse, NDeleteResponse, NEventReportResponse, NGetResponse, NSetResponse } = dcmjs.responses
const ACCEPTED = 0
const PENDING = 0xff00

type Callback<R> = (response: R) => void
type RequestOf<Name extends keyof typeof requests> = InstanceType<(typeof requests)[Name]>

/** Accepts each context in its first transfer syntax, and answers releases and echoes. */
class PoliteScp extends Scp {
  protected negotiated: association.Association | undefined
  override associationRequested(association: association.Association): void {
    this.negotiated = association
    for (const { context } of association.getPresentationContexts() as unknown as { context: association.PresentationContext }[]) {
      context.setResult(ACCEPTED, context.getTransferSyntaxUids()[0] as string)
    }
    this.sendAssociationAccept()
  }
  override associationReleaseRequested(): void {
    this.sendAssociationReleaseResponse()
  }
  override cEchoRequest(request: RequestOf<'CEchoRequest'>, callback: Callback<Response>): void {
    callback(answered(CEchoResponse.fromRequest(request), 0x0000))
  }
  override abort(): void {}
}

/** A response with a status and, where given, a data set. */
function answered<R extends Response>(response: R, status: number, elements?: Record<string, unknown>): R {
  response.setStatus(status)
  if (elements !== undefined) response.setDataset(new Dataset(elements))
  return response
}

async function connect(t: ExecutionContext, scp: typeof Scp, options: Partial<AssociateOptions>): Promise<Association> {
  return associate(t, await startServer(t, scp), options)
}

test('C-ECHO, what it says of itself, release', async (t) => {
  const association = await connect(t, PoliteScp, { contexts: presentationContexts.verification })
  const responses = await Promise.all(Array.from({ length: 10 }, () => association.cEcho()))
  t.deepEqual(responses.map(({ status }) => status), Array.from({ length: 10 }, () => 0x0000))
  t.regex(association.acceptor?.implementationVersionName ?? '', /^DCMJS-DIMSE/)
  await association.release()
  t.true(association.isReleased)
})

test('C-STORE: what it decodes is what was sent, in each transfer syntax that it takes; statuses', async (t) => {
  const received = new Map<string, DataSet>()
  class StoreScp extends PoliteScp {
    override cStoreRequest(request: RequestOf<'CStoreRequest'>, callback: Callback<Response>): void {
      const uid = request.getAffectedSopInstanceUid()
      received.set(uid, valuesOf(request.getDataset()))
      const response = answered(CStoreResponse.fromRequest(request), uid === '2.25.102' ? 0xa700 : uid === '2.25.103' ? 0xb000 : 0x0000)
      if (uid === '2.25.102') response.setErrorComment('No room')
      callback(response)
    }
  }
  const { ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian, JPEGBaseline8Bit } = TransferSyntax
  const syntaxes = [ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian, JPEGBaseline8Bit]
  const kinds = ['ct', 'mr', 'sr', 'multi-frame'] as const
  const contexts = kinds.map((kind, index) => ({ abstractSyntax: sampleDataset(kind)['SOPClassUID'] as string, transferSyntaxes: [syntaxes[index] as string] }))
  const association = await connect(t, StoreScp, { contexts })
  const sent = new Map<string, DataSet>()
  const responses = await Promise.all(
    kinds.map(async (kind, index) => {
      const [sopInstanceUid, transferSyntaxUid] = [`2.25.10${index + 1}`, syntaxes[index] as string]
      const bytes = await encodedSample(kind, transferSyntaxUid, { sopInstanceUid, rows: 200, columns: 200 })
      sent.set(sopInstanceUid, plain(await decodeDataSet(bytes, transferSyntaxUid)) as DataSet)
      return association.cStore(bytes, { sopClassUid: sampleDataset(kind)['SOPClassUID'] as string, sopInstanceUid, transferSyntaxUid })
    }),
  )
  t.deepEqual(responses.map(({ status }) => status), [0x0000, 0xa700, 0xb000, 0x0000])
  t.deepEqual(responses.map(({ category }) => category), ['success', 'failure', 'warning', 'success'])
  t.is(responses[1]?.errorComment, 'No room')
  t.is(received.size, 4)
  for (const [uid, values] of sent) t.deepEqual(received.get(uid), values, uid)
  await association.release()
})

const MATCH = {
  SpecificCharacterSet: 'ISO_IR 192',
  PatientName: 'M\u00fcller^\u00c4nne',
  PatientID: '4711',
  ModalitiesInStudy: ['CT', 'MR'],
  ScheduledProcedureStepSequence: [{ Modality: 'CT', ScheduledProtocolCodeSequence: [{ CodeValue: 'A' }, { CodeValue: 'B' }] }],
}

test('C-FIND: identifiers both ways, with sequences; a failure; a thousand matches', async (t) => {
  const asked: DataSet[] = []
  class FindScp extends PoliteScp {
    override cFindRequest(request: RequestOf<'CFindRequest'>, callback: Callback<InstanceType<typeof CFindResponse>[]>): void {
      const identifier = valuesOf(request.getDataset())
      asked.push(identifier)
      const answer = (status: number, elements?: Record<string, unknown>): InstanceType<typeof CFindResponse> => answered(CFindResponse.fromRequest(request), status, elements)
      if (identifier['PatientID'] === 'none') return callback([answer(0xa900)])
      const count = identifier['PatientID'] === 'many' ? 1000 : 2
      callback([...Array.from({ length: count }, () => answer(PENDING, MATCH)), answer(0x0000)])
    }
  }
  const association = await connect(t, FindScp, { contexts: presentationContextsFor([StudyRoot.Find, ModalityWorklist.Find]) })
  const query = {
    SpecificCharacterSet: 'ISO_IR 192',
    QueryRetrieveLevel: 'STUDY',
    PatientName: 'M\u00fc*',
    StudyDate: '20260102',
    ScheduledProcedureStepSequence: [{ Modality: 'CT' }],
  }
  for (const model of [StudyRoot.Find, ModalityWorklist.Find]) {
    const responses = await collect(association.cFind(query, { model }))
    t.deepEqual(responses.map(({ status }) => status), [PENDING, PENDING, 0x0000])
    t.deepEqual(plain(responses[0]?.identifier), { ...(plain(MATCH) as object), PatientName: [{ Alphabetic: 'M\u00fcller^\u00c4nne' }] })
    t.deepEqual(asked.at(-1), { ...(plain(query) as object), PatientName: [{ Alphabetic: 'M\u00fc*' }] })
  }
  const [failure, ...more] = await collect(association.cFind({ PatientID: 'none' }, { model: StudyRoot.Find }))
  t.deepEqual([failure?.status, failure?.category, more.length], [0xa900, 'failure', 0])
  t.is((await collect(association.cFind({ PatientID: 'many' }, { model: StudyRoot.Find }))).length, 1001)
  await association.release()
})

test('C-FIND that is cancelled: dcmjs-dimse learns which, and its FE00 is the last response', async (t) => {
  class CancelScp extends PoliteScp {
    #finish: ((messageId: number) => void) | undefined
    override cFindRequest(request: RequestOf<'CFindRequest'>, callback: Callback<InstanceType<typeof CFindResponse>[]>): void {
      // The callback takes all that is left to say: it may be called once.
      this.sendResponse(request, answered(CFindResponse.fromRequest(request), PENDING, MATCH))
      this.#finish = (messageId) => callback([answered(CFindResponse.fromRequest(request), messageId === request.getMessageId() ? 0xfe00 : 0xc000)])
    }
    override cCancelRequest(request: RequestOf<'CCancelRequest'>): void {
      this.#finish?.(request.getMessageIdBeingRespondedTo())
    }
  }
  const association = await connect(t, CancelScp, { contexts: [...presentationContextsFor([StudyRoot.Find]), ...presentationContexts.verification] })
  const controller = new AbortController()
  const statuses: number[] = []
  for await (const { status } of association.cFind({}, { model: StudyRoot.Find, signal: controller.signal })) {
    statuses.push(status)
    controller.abort()
  }
  t.deepEqual(statuses, [PENDING, 0xfe00])
  for await (const { category } of association.cFind({}, { model: StudyRoot.Find })) {
    t.is(category, 'pending')
    break
  }
  t.is((await association.cEcho()).status, 0x0000)
  await association.release()
})

test('C-GET: the instances come to cStore, with the roles that were proposed; the counters', async (t) => {
  const samples = [1, 2].map((seed) => sampleDataset('ct', { seed }))
  class GetScp extends PoliteScp {
    override cGetRequest(request: RequestOf<'CGetRequest'>, callback: Callback<InstanceType<typeof CGetResponse>[]>): void {
      const stores = samples.map((sample) => new dcmjs.requests.CStoreRequest(new Dataset(sample)))
      let completed = 0
      for (const store of stores) {
        store.on('response', (response: Response) => {
          if (response.getStatus() === 0x0000) completed += 1
          if (store !== stores.at(-1)) return
          const final = answered(CGetResponse.fromRequest(request), 0xb000, { FailedSOPInstanceUIDList: [samples[1]?.['SOPInstanceUID']] })
          final.setCompleted(completed)
          final.setFailures(stores.length - completed)
          final.setWarnings(0)
          callback([final])
        })
      }
      this.sendRequests(stores)
    }
  }
  const association = await connect(t, GetScp, {
    contexts: [
      ...presentationContextsFor([StudyRoot.Get], { transferSyntaxes: [TransferSyntax.ImplicitVRLittleEndian] }),
      ...presentationContextsFor([SopClass.CTImageStorage], { transferSyntaxes: [TransferSyntax.ImplicitVRLittleEndian], roles: { scu: false, scp: true } }),
    ],
  })
  t.deepEqual(association.acceptedContexts.map(({ asScu, asScp }) => [asScu, asScp]), [[true, false], [false, true]])
  const received: DataSet[] = []
  association.bind('cStore', async ({ dataSet }) => {
    received.push(await dataSet.dataset())
    return received.length === 1 ? 0x0000 : 0xa700
  })
  const responses = await collect(association.cGet({ QueryRetrieveLevel: 'STUDY', StudyInstanceUID: '2.25.1' }, { model: StudyRoot.Get }))
  t.deepEqual(received.map(({ SOPInstanceUID: uid }) => uid), samples.map(({ SOPInstanceUID: uid }) => uid))
  t.is(responses.length, 1)
  t.like(responses[0], { status: 0xb000, category: 'warning', numberOfCompletedSuboperations: 1, numberOfFailedSuboperations: 1, numberOfWarningSuboperations: 0 })
  t.deepEqual(responses[0]?.failedSopInstanceUids, [samples[1]?.['SOPInstanceUID']])
  await association.release()
})

test('C-MOVE: destination, counters, a destination that is not known', async (t) => {
  const asked: unknown[] = []
  class MoveScp extends PoliteScp {
    override cMoveRequest(request: RequestOf<'CMoveRequest'>, callback: Callback<InstanceType<typeof CMoveResponse>[]>): void {
      const destination = request.getCommandDataset().getElement('MoveDestination')
      asked.push([destination, valuesOf(request.getDataset())])
      if (destination === 'NOBODY') return callback([answered(CMoveResponse.fromRequest(request), 0xa801)])
      const responses = [0, 1, 2].map((completed) => {
        const response = answered(CMoveResponse.fromRequest(request), completed === 2 ? 0x0000 : PENDING)
        if (completed < 2) response.setRemaining(2 - completed)
        response.setCompleted(completed)
        response.setFailures(0)
        response.setWarnings(0)
        return response
      })
      callback(responses)
    }
  }
  const association = await connect(t, MoveScp, { contexts: presentationContextsFor([StudyRoot.Move]) })
  const query = { QueryRetrieveLevel: 'STUDY', StudyInstanceUID: ['2.25.1', '2.25.2'] }
  const responses = await collect(association.cMove(query, { model: StudyRoot.Move, destination: 'RECEIVER' }))
  t.deepEqual(responses.map(({ status }) => status), [PENDING, PENDING, 0x0000])
  t.deepEqual(responses.map(({ numberOfRemainingSuboperations: remaining }) => remaining), [2, 1, undefined])
  t.deepEqual(responses.map(({ numberOfCompletedSuboperations: completed }) => completed), [0, 1, 2])
  const unknown = await collect(association.cMove(query, { model: StudyRoot.Move, destination: 'NOBODY' }))
  t.deepEqual(unknown.map(({ status }) => status), [0xa801])
  t.deepEqual(asked, [['RECEIVER', query], ['NOBODY', query]])
  await association.release()
})

test('N-CREATE, N-SET, N-GET, N-ACTION, N-DELETE, N-EVENT-REPORT: what was sent, and what was answered', async (t) => {
  const seen: unknown[] = []
  const see = (name: string, request: RequestOf<'Request'>, ...more: unknown[]): void => {
    const [classUid, instanceUid] = [request.getAffectedSopClassUid() ?? request.getRequestedSopClassUid(), request.getAffectedSopInstanceUid() ?? request.getRequestedSopInstanceUid()]
    seen.push([name, classUid, instanceUid, ...more, ...(request.getDataset() === undefined ? [] : [valuesOf(request.getDataset())])])
  }
  class NServiceScp extends PoliteScp {
    override nCreateRequest(request: RequestOf<'NCreateRequest'>, callback: Callback<Response>): void {
      see('N-CREATE', request)
      const response = answered(NCreateResponse.fromRequest(request), 0x0000, { PerformedProcedureStepID: 'created' })
      response.setAffectedSopInstanceUid('2.25.78')
      callback(response)
    }
    override nSetRequest(request: RequestOf<'NSetRequest'>, callback: Callback<Response>): void {
      see('N-SET', request)
      callback(answered(NSetResponse.fromRequest(request), 0x0107, { PerformedProcedureStepStatus: 'COMPLETED' }))
    }
    override nGetRequest(request: RequestOf<'NGetRequest'>, callback: Callback<Response>): void {
      see('N-GET', request, request.getAttributeIdentifierList())
      callback(answered(NGetResponse.fromRequest(request), 0x0000, { PrinterStatus: 'NORMAL', PrinterName: 'P' }))
    }
    override nActionRequest(request: RequestOf<'NActionRequest'>, callback: Callback<InstanceType<typeof NActionResponse>>): void {
      see('N-ACTION', request, request.getActionTypeId())
      callback(answered(NActionResponse.fromRequest(request), 0x0000))
    }
    override nDeleteRequest(request: RequestOf<'NDeleteRequest'>, callback: Callback<Response>): void {
      see('N-DELETE', request)
      const response = answered(NDeleteResponse.fromRequest(request), 0x0112)
      response.setErrorComment('It is gone already')
      callback(response)
    }
    override nEventReportRequest(request: RequestOf<'NEventReportRequest'>, callback: Callback<InstanceType<typeof NEventReportResponse>>): void {
      see('N-EVENT-REPORT', request, request.getEventTypeId())
      callback(answered(NEventReportResponse.fromRequest(request), 0x0000))
    }
  }
  const step = SopClass.ModalityPerformedProcedureStep
  const metaSopClassUid = SopClass.BasicGrayscalePrintManagementMeta
  const pushModel = SopClass.StorageCommitmentPushModel
  const association = await connect(t, NServiceScp, {
    contexts: [
      ...presentationContextsFor([step, metaSopClassUid]),
      ...presentationContextsFor([pushModel], { roles: { scu: true, scp: true } }),
    ],
  })
  const commitment = { TransactionUID: '2.25.5', ReferencedSOPSequence: [{ ReferencedSOPClassUID: SopClass.CTImageStorage, ReferencedSOPInstanceUID: '2.25.6' }] }
  const created = await association.nCreate({ affectedSopClassUid: step, attributeList: { PerformedProcedureStepStatus: 'IN PROGRESS' } })
  t.like(created, { status: 0x0000, affectedSopInstanceUid: '2.25.78' })
  t.deepEqual(plain(created.dataset), { PerformedProcedureStepID: 'created' })
  const changed = await association.nSet({ requestedSopClassUid: step, requestedSopInstanceUid: '2.25.78', modificationList: { PerformedProcedureStepStatus: 'COMPLETED' } })
  t.like(changed, { status: 0x0107, category: 'warning' })
  t.deepEqual(plain(changed.dataset), { PerformedProcedureStepStatus: 'COMPLETED' })
  const printer = { requestedSopClassUid: SopClass.Printer, requestedSopInstanceUid: WellKnownInstance.PrinterInstance, metaSopClassUid }
  const got = await association.nGet({ ...printer, attributeIdentifierList: ['PrinterStatus', 0x21100030] })
  t.is(got.status, 0x0000)
  t.deepEqual(plain(got.dataset), { PrinterStatus: 'NORMAL', PrinterName: 'P' })
  const push = { requestedSopClassUid: pushModel, requestedSopInstanceUid: WellKnownInstance.StorageCommitmentPushModelInstance }
  t.is((await association.nAction({ ...push, actionTypeId: 1, actionInformation: commitment })).status, 0x0000)
  const deleted = await association.nDelete({ requestedSopClassUid: SopClass.BasicFilmSession, requestedSopInstanceUid: '2.25.79', metaSopClassUid })
  t.like(deleted, { status: 0x0112, category: 'failure', errorComment: 'It is gone already' })
  const report = { affectedSopClassUid: pushModel, affectedSopInstanceUid: WellKnownInstance.StorageCommitmentPushModelInstance }
  t.is((await association.nEventReport({ ...report, eventTypeId: 2, eventInformation: commitment })).status, 0x0000)
  t.deepEqual(seen, [
    ['N-CREATE', step, undefined, { PerformedProcedureStepStatus: 'IN PROGRESS' }],
    ['N-SET', step, '2.25.78', { PerformedProcedureStepStatus: 'COMPLETED' }],
    ['N-GET', SopClass.Printer, WellKnownInstance.PrinterInstance, ['PrinterStatus', 'PrinterName']],
    ['N-ACTION', pushModel, WellKnownInstance.StorageCommitmentPushModelInstance, 1, commitment],
    ['N-DELETE', SopClass.BasicFilmSession, '2.25.79'],
    ['N-EVENT-REPORT', pushModel, WellKnownInstance.StorageCommitmentPushModelInstance, 2, commitment],
  ])
  await association.release()
})

test('window, user identity and roles as dcmjs-dimse sees them, and what it answers', async (t) => {
  let seen: unknown
  class NegotiatingScp extends PoliteScp {
    override associationRequested(association: association.Association): void {
      seen = {
        titles: [association.getCallingAeTitle(), association.getCalledAeTitle()],
        window: [association.getMaxAsyncOpsInvoked(), association.getMaxAsyncOpsPerformed()],
        identity: [association.getUserIdentityType(), association.getUserIdentityPositiveResponseRequested(), association.getUserIdentityPrimaryField(), association.getUserIdentitySecondaryField()],
        maximum: association.getMaxPduLength(),
      }
      association.setMaxAsyncOpsInvoked(3)
      association.setMaxAsyncOpsPerformed(1)
      association.setNegotiateAsyncOps(true)
      association.setUserIdentityServerResponse('server token')
      association.setNegotiateUserIdentityServerResponse(true)
      super.associationRequested(association)
    }
  }
  const association = await connect(t, NegotiatingScp, {
    contexts: presentationContexts.verification,
    asynchronousOperations: { invoked: 6, performed: 2 },
    userIdentity: { type: 5, primaryField: 'a.b.c', positiveResponseRequested: true },
    limits: { maximumPduBytes: 20_000 },
  })
  t.deepEqual(seen, { titles: ['SCU', 'PEER'], window: [6, 2], identity: [5, true, 'a.b.c', ''], maximum: 20_000 })
  t.deepEqual(association.asynchronousOperations, { invoked: 3, performed: 1 })
  t.is(Buffer.from(association.userIdentityResponse ?? []).toString(), 'server token')
  // With a window of three they are outstanding together.
  const responses = await Promise.all(Array.from({ length: 20 }, () => association.cEcho()))
  t.true(responses.every(({ status }) => status === 0x0000))
  await association.release()
})

test('it rejects, accepts nothing, aborts, closes the connection', async (t) => {
  class RejectingScp extends PoliteScp {
    override associationRequested(): void {
      // Permanent, service-user, calling AE title not recognized (PS3.8 table 9-21).
      this.sendAssociationReject(1, 1, 3)
    }
  }
  const rejected = await t.throwsAsync(connect(t, RejectingScp, { contexts: presentationContexts.verification }), { instanceOf: AssociationRejectedError })
  t.deepEqual([rejected?.result, rejected?.source, rejected?.reason], [1, 1, 3])

  class AbortingScp extends PoliteScp {
    override cEchoRequest(): void {
      // Service-provider, unexpected PDU (PS3.8 table 9-26).
      this.sendAbort(2, 2)
    }
  }
  const aborted = await connect(t, AbortingScp, { contexts: presentationContexts.verification })
  const abort = (await t.throwsAsync(aborted.cEcho(), { instanceOf: DicomtapError })) as DicomtapError
  t.is(abort.code, 'DICOMTAP_ERR_ACSE_ABORTED')
  const { by, source, reason } = abort.cause as AssociationAbortedError
  t.deepEqual([by, source, reason], ['peer', 2, 2])

  class ClosingScp extends PoliteScp {
    override cEchoRequest(): void {
      ;(this as unknown as { socket: { destroy(): void } }).socket.destroy()
    }
  }
  const closed = await connect(t, ClosingScp, { contexts: presentationContexts.verification })
  const loss = (await t.throwsAsync(closed.cEcho(), { instanceOf: DicomtapError })) as DicomtapError
  t.is((loss.cause as AssociationAbortedError).by, 'network')
  t.true(closed.isAborted)
})
