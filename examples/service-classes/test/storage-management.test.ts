import { DEFAULT_TRANSFER_SYNTAXES, SopClass, StorageManagementStatus, WellKnownInstance, presentationContexts } from '@dicomtap/framework'
import type { Association, DataSet } from '@dicomtap/framework'
import { createTestServer } from '@dicomtap/framework/testing'
import test from 'ava'
import { storageManagement } from '../dist/storage-management.js'
import { eventCollector } from './support/events.js'
import type { ReceivedEvent } from './support/events.js'
import { associate, hex } from './support/requestor.js'

const SOP_CLASS = SopClass.InventoryCreation
const contexts = presentationContexts.storageManagement
const STUDIES = ['1', '2', '3'].map((number) => ({ StudyInstanceUID: `2.25.${number}`, PatientID: `P${number}`, StudyDate: `2026070${number}` }))

function act(association: Association, actionTypeId: number, actionInformation: DataSet = {}, requestedSopInstanceUid: string = WellKnownInstance.StorageManagementInstance) {
  const information = { TransactionUID: '2.25.100', ...actionInformation }
  return association.nAction({ requestedSopClassUid: SOP_CLASS, requestedSopInstanceUid, actionTypeId, actionInformation: information })
}
function initiate(association: Association, scope: DataSet[] = [], changes: DataSet = {}) {
  return act(association, 11, { InventoryLevel: 'STUDY', ScopeOfInventorySequence: scope, ...changes })
}
function summary({ eventTypeId, information }: ReceivedEvent): string {
  return `${eventTypeId} ${String(information?.['TransactionStatus'])} ${String(information?.['TotalNumberOfStudyRecords'])}`
}

/** Studies that come one by one, as the test lets them. */
function archive() {
  let open: () => void = () => {}
  const arrivals: (() => void)[] = []
  return {
    async *studies() {
      for (const study of STUDIES) {
        await new Promise<void>((resolve) => {
          open = resolve
          arrivals.shift()?.()
        })
        yield study
      }
    },
    /** Gives out the study that is waited for; resolves when the next one is. */
    async next() {
      await new Promise<void>((resolve) => {
        arrivals.push(resolve)
        open()
      })
    },
    open: () => open(),
    waiting: () => new Promise<void>((resolve) => arrivals.push(resolve)),
  }
}

test('an inventory of all, and where it is', async (t) => {
  const saved: DataSet[] = []
  const plugin = storageManagement({ studies: () => STUDIES, save: (inventory) => void saved.push(inventory) })
  await using server = await createTestServer({ aeTitle: 'ARCHIVE', plugins: [plugin] })
  const events = eventCollector()
  const association = await associate(t, server, { contexts, handlers: { nEventReport: events.nEventReport } })
  t.is((await initiate(association)).status, 0x0000)
  const [begun, done] = await events.take(2)
  t.like(begun, { eventTypeId: 12, sopInstanceUid: '1.2.840.10008.5.1.4.1.1.201.1.1' })
  t.deepEqual(begun?.information, { TransactionUID: '2.25.100', TransactionStatus: 'PROCESSING', TotalNumberOfStudyRecords: 0n })
  t.like(done, { eventTypeId: 11, information: { TransactionStatus: 'COMPLETE', TotalNumberOfStudyRecords: 3n, RetrieveAETitle: 'ARCHIVE' } })
  t.is(saved.length, 1)
  t.like(saved[0], { InventoryCompletionStatus: 'COMPLETE', SOPInstanceUID: done?.information?.['ReferencedSOPInstanceUID'], InventoryLevel: 'STUDY' })
})

test('a scope of dates and patients; B010 when a key is not supported', async (t) => {
  const saved: DataSet[] = []
  const plugin = storageManagement({ studies: () => STUDIES, save: (inventory) => void saved.push(inventory) })
  await using server = await createTestServer({ plugins: [plugin] })
  const events = eventCollector()
  const association = await associate(t, server, { contexts, handlers: { nEventReport: events.nEventReport } })
  const dates = { RangeMatchingSequence: [{ StudyDate: '20260702-' }], ExtendedMatchingMechanisms: '' }
  t.is((await initiate(association, [dates])).status, 0x0000)
  const other = { GeneralMatchingSequence: [{ PatientID: 'P1', InstitutionName: 'X' }] }
  t.is((await initiate(association, [other], { TransactionUID: '2.25.101' })).status, StorageManagementStatus.KeysNotSupported)
  await events.take(4)
  const uids = saved.map(({ InventoriedStudiesSequence: records }) => (records as DataSet[]).map(({ StudyInstanceUID }) => StudyInstanceUID))
  t.deepEqual(uids, [['2.25.2', '2.25.3'], ['2.25.1']])
})

test('paused, resumed, asked for, cancelled; what there is may be kept', async (t) => {
  const saved: DataSet[] = []
  const { studies, next, open, waiting } = archive()
  await using server = await createTestServer({ plugins: [storageManagement({ studies, save: (inventory) => void saved.push(inventory) })] })
  const events = eventCollector()
  const association = await associate(t, server, { contexts, handlers: { nEventReport: events.nEventReport } })
  const first = waiting()
  await initiate(association)
  await first
  await next()
  t.is((await act(association, 12)).status, 0x0000)
  t.is((await act(association, 14)).status, 0x0000)
  t.is((await act(association, 14)).status, 0x0000)
  open()
  t.is((await act(association, 15)).status, 0x0000)
  t.deepEqual((await events.take(5)).map(summary), ['12 PROCESSING 0', '12 PROCESSING 1', '12 PAUSED 1', '12 PAUSED 1', '12 PROCESSING 1'])
  t.is((await act(association, 13, { RetainInstances: 'YES' })).status, 0x0000)
  open()
  const [end] = await events.take(1)
  t.like(end, { eventTypeId: 11, information: { TransactionStatus: 'CANCELED' } })
  t.like(saved, [{ InventoryCompletionStatus: 'PARTIAL' }])
  t.is((await act(association, 15)).status, 0x0000)
  t.like(await events.take(1), [{ eventTypeId: 12, information: { TransactionStatus: 'CANCELED' } }])
})

test('13 when nothing is kept, and when the archive fails', async (t) => {
  const { studies, waiting, open } = archive()
  await using server = await createTestServer({ plugins: [storageManagement({ studies })] })
  const events = eventCollector()
  const association = await associate(t, server, { contexts, handlers: { nEventReport: events.nEventReport } })
  const first = waiting()
  await initiate(association)
  await first
  await act(association, 13, { RetainInstances: 'NO' })
  open()
  const [, end] = await events.take(2)
  t.is(end?.eventTypeId, 13)
  t.deepEqual(end?.information, { TransactionUID: '2.25.100', TransactionStatus: 'CANCELED' })

  const failing = storageManagement({
    studies: () => {
      throw new Error('Index away')
    },
  })
  await using other = await createTestServer({ plugins: [failing] })
  const unlucky = await associate(t, other, { contexts, handlers: { nEventReport: events.nEventReport } })
  await initiate(unlucky)
  t.like((await events.take(2))[1], { eventTypeId: 13, information: { TransactionStatus: 'FAILURE' } })
  t.deepEqual(other.logged('error'), ['an inventory was not produced'])
})

test('a requestor that has gone is told at its address', async (t) => {
  const events = eventCollector()
  await using listener = await createTestServer({
    aeTitle: 'EXAMPLE-SCU',
    contexts: [{ abstractSyntax: SOP_CLASS, transferSyntaxes: DEFAULT_TRANSFER_SYNTAXES, roles: { scu: false, scp: true } }],
    handlers: { nEventReport: events.nEventReport },
  })
  const { studies, open, waiting } = archive()
  const plugin = storageManagement({ studies, requestors: { 'EXAMPLE-SCU': { host: '127.0.0.1', port: listener.port } } })
  await using server = await createTestServer({ plugins: [plugin] })
  const first = waiting()
  const association = await associate(t, server, { contexts, handlers: { nEventReport: () => 0x0000 } })
  await initiate(association)
  await first
  await association.release()
  for (let study = 0; study < STUDIES.length; study++) {
    const more = study + 1 < STUDIES.length ? waiting() : undefined
    open()
    await more
  }
  t.like(await events.take(1), [{ eventTypeId: 11, callingAeTitle: 'ANY-SCP', information: { TotalNumberOfStudyRecords: 3n } }])
})

test('0112, 0115 and 0123', async (t) => {
  await using server = await createTestServer({ plugins: [storageManagement({ studies: () => STUDIES })] })
  const association = await associate(t, server, { contexts, handlers: { nEventReport: () => 0x0000 } })
  t.is(hex((await act(association, 11, {}, '2.25.1')).status), '0112')
  t.is(hex((await act(association, 1)).status), '0123')
  t.is(hex((await initiate(association, [], { TransactionUID: '' })).status), '0115')
  t.is(hex((await initiate(association, [], { InventoryLevel: 'PATIENT' })).status), '0115')
  t.is(hex((await act(association, 12)).status), '0115', 'nothing was begun')
  t.is(hex((await initiate(association)).status), '0000')
  t.is(hex((await initiate(association)).status), '0115', 'it is in use')
})
