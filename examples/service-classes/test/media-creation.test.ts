import { MediaCreationStatus, SopClass, Status, presentationContexts, presentationContextsFor } from '@dicomtap/framework'
import type { Association, DataSet } from '@dicomtap/framework'
import { createTestServer, sampleDataset } from '@dicomtap/framework/testing'
import test from 'ava'
import { mediaCreation } from '../dist/media-creation.js'
import type { MediaRequest, RecordedMedium } from '../dist/media-creation.js'
import { associate, hex } from './support/requestor.js'

const SOP_CLASS = SopClass.MediaCreationManagement
const contexts = [...presentationContexts.mediaCreation, ...presentationContextsFor([SopClass.CTImageStorage])]
const DISC: RecordedMedium = { fileSetId: 'DISC1', fileSetUid: '2.25.99' }

/** A server with a drive that works until the test says what came of it. */
function recorder(options: Parameters<typeof mediaCreation>[0] = {}) {
  const writing: { request: MediaRequest; signal: AbortSignal; resolve: (media: RecordedMedium[]) => void; reject: (error: Error) => void }[] = []
  const begun: (() => void)[] = []
  const plugin = mediaCreation({
    ...options,
    record: (request, signal) =>
      new Promise((resolve, reject) => {
        writing.push({ request, signal, resolve, reject })
        begun.shift()?.()
      }),
  })
  const server = createTestServer({
    plugins: [plugin],
    contexts: [{ abstractSyntax: SopClass.CTImageStorage, transferSyntaxes: ['1.2.840.10008.1.2.1'] }],
    handlers: { cStore: () => 0x0000 },
  })
  return {
    server,
    async next() {
      if (writing.length === 0) await new Promise<void>((resolve) => begun.push(resolve))
      return writing.shift() ?? { request: undefined, signal: undefined, resolve: () => {}, reject: () => {} }
    },
  }
}

const stored = sampleDataset('ct', { sopInstanceUid: '2.25.1' })
function reference(uid: string): DataSet {
  return { ReferencedSOPClassUID: SopClass.CTImageStorage, ReferencedSOPInstanceUID: uid, RequestedMediaApplicationProfile: 'STD-GEN-CD' }
}
function create(association: Association, uid: string, references: DataSet[] = [reference('2.25.1')]) {
  return association.nCreate({ affectedSopClassUid: SOP_CLASS, affectedSopInstanceUid: uid, attributeList: { ReferencedSOPSequence: references } })
}
async function act(association: Association, uid: string, actionTypeId: number, actionInformation?: DataSet): Promise<string> {
  const target = { requestedSopClassUid: SOP_CLASS, requestedSopInstanceUid: uid, actionTypeId }
  return hex((await association.nAction({ ...target, ...(actionInformation === undefined ? {} : { actionInformation }) })).status)
}
function get(association: Association, uid: string, attributeIdentifierList: string[] = []) {
  return association.nGet({ requestedSopClassUid: SOP_CLASS, requestedSopInstanceUid: uid, attributeIdentifierList })
}
/** Asks until the request has got there: it does so when the media are written, not when it is asked. */
async function until(association: Association, uid: string, status: string): Promise<DataSet | undefined> {
  for (;;) {
    const { dataset } = await get(association, uid)
    if (dataset?.['ExecutionStatus'] === status) return dataset
  }
}

test('from IDLE to DONE', async (t) => {
  const { server: starting, next } = recorder()
  await using server = await starting
  const association = await associate(t, server, { contexts })
  await association.cStore(stored)
  t.like(await create(association, '2.25.10'), { status: 0x0000, affectedSopInstanceUid: '2.25.10' })
  t.deepEqual((await get(association, '2.25.10')).dataset, {
    ExecutionStatus: 'IDLE',
    ExecutionStatusInfo: 'NORMAL',
    TotalNumberOfPiecesOfMediaCreated: 0,
    FailedSOPSequence: [],
    ReferencedStorageMediaSequence: [],
  })
  t.is(await act(association, '2.25.10', 1, { NumberOfCopies: 2, RequestPriority: 'LOW' }), '0000')
  const { request, resolve } = await next()
  t.like(request, { sopInstanceUid: '2.25.10', copies: 2, sopInstanceUids: ['2.25.1'] })
  t.is((await get(association, '2.25.10')).dataset?.['ExecutionStatus'], 'CREATING')
  resolve([DISC, DISC])
  t.like(await until(association, '2.25.10', 'DONE'), {
    TotalNumberOfPiecesOfMediaCreated: 2,
    ReferencedStorageMediaSequence: [
      { StorageMediaFileSetID: 'DISC1', StorageMediaFileSetUID: '2.25.99' },
      { StorageMediaFileSetID: 'DISC1', StorageMediaFileSetUID: '2.25.99' },
    ],
  })
  t.is(await act(association, '2.25.10', 2), 'C201')
})

test('FAILURE: what was not stored is named; so is a drive that fails', async (t) => {
  const { server: starting, next } = recorder()
  await using server = await starting
  const association = await associate(t, server, { contexts })
  await association.cStore(stored)
  await create(association, '2.25.10', [reference('2.25.1'), reference('2.25.404')])
  t.is(await act(association, '2.25.10', 1), '0000')
  t.like(await until(association, '2.25.10', 'FAILURE'), {
    ExecutionStatusInfo: 'NO_INSTANCE',
    TotalNumberOfPiecesOfMediaCreated: 0,
    FailedSOPSequence: [{ ReferencedSOPClassUID: SopClass.CTImageStorage, ReferencedSOPInstanceUID: '2.25.404', FailureReason: 0x0112 }],
  })
  await create(association, '2.25.11')
  await act(association, '2.25.11', 1)
  const { reject } = await next()
  reject(new Error('Laser'))
  t.like(await until(association, '2.25.11', 'FAILURE'), { ExecutionStatusInfo: 'MCD_FAILURE', FailedSOPSequence: [] })
  t.deepEqual(server.logged('error'), ['media were not created'])
})

test('N-CREATE and N-ACTION: 0111, 0112, 0120, 0121, 0123 and A510; N-GET: 0001 and 0112', async (t) => {
  const { server: starting } = recorder()
  await using server = await starting
  const association = await associate(t, server, { contexts })
  await association.cStore(stored)
  const bare = await association.nCreate({ affectedSopClassUid: SOP_CLASS, affectedSopInstanceUid: '2.25.10', attributeList: { LabelText: 'Doe' } })
  t.like(bare, { status: Status.MissingAttribute, attributeIdentifierList: [0x00081199] })
  t.is((await create(association, '2.25.10', [])).status, Status.MissingAttributeValue)
  t.is((await create(association, '2.25.10', [{ ReferencedSOPClassUID: SopClass.CTImageStorage }])).status, Status.MissingAttribute)
  t.is((await create(association, '2.25.10')).status, 0x0000)
  t.is((await create(association, '2.25.10')).status, Status.DuplicateSopInstance)
  t.is(await act(association, '2.25.10', 3), '0123')
  t.is(await act(association, '2.25.404', 1), '0112')
  t.is(await act(association, '2.25.10', 1), '0000')
  t.is(await act(association, '2.25.10', 1), 'A510')
  t.is((await create(association, '2.25.10')).status, MediaCreationStatus.AlreadyInitiated)
  const some = await get(association, '2.25.10', ['ExecutionStatus', 'LabelText'])
  t.is(some.status, Status.OptionalAttributesNotSupported)
  t.deepEqual(Object.keys(some.dataset ?? {}), ['ExecutionStatus'])
  t.is((await get(association, '2.25.404')).status, Status.NoSuchSopInstance)
})

test('cancelling: one that waits is gone, one that is being written is not (C202)', async (t) => {
  const { server: starting, next } = recorder()
  await using server = await starting
  const association = await associate(t, server, { contexts })
  await association.cStore(stored)
  for (const uid of ['2.25.10', '2.25.11', '2.25.12']) await create(association, uid)
  t.is(await act(association, '2.25.12', 2), '0000', 'not begun')
  await act(association, '2.25.10', 1)
  await act(association, '2.25.11', 1)
  const { resolve } = await next()
  t.is((await get(association, '2.25.11')).dataset?.['ExecutionStatusInfo'], 'QUEUED')
  t.is(await act(association, '2.25.11', 2), '0000')
  t.is(await act(association, '2.25.10', 2), 'C202')
  for (const uid of ['2.25.11', '2.25.12']) t.is((await get(association, uid)).status, Status.NoSuchSopInstance)
  resolve([DISC])
  await until(association, '2.25.10', 'DONE')
})

test('an SCP may interrupt the drive, or deny to cancel anything (C203)', async (t) => {
  const { server: starting, next } = recorder({ cancel: 'always' })
  await using server = await starting
  const association = await associate(t, server, { contexts })
  await association.cStore(stored)
  await create(association, '2.25.10')
  await act(association, '2.25.10', 1)
  const { signal, reject } = await next()
  t.is(await act(association, '2.25.10', 2), '0000')
  t.true(signal?.aborted)
  reject(new Error('Interrupted'))
  t.is((await get(association, '2.25.10')).status, Status.NoSuchSopInstance)

  const { server: denying } = recorder({ cancel: 'never' })
  await using other = await denying
  const denied = await associate(t, other, { contexts })
  await create(denied, '2.25.10')
  t.is(await act(denied, '2.25.10', 2), 'C203')
})
