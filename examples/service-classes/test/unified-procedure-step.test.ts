import { DEFAULT_TRANSFER_SYNTAXES, SopClass, Status, UnifiedProcedureStepStatus, WellKnownInstance, presentationContexts } from '@dicomtap/framework'
import type { Association, DataSet } from '@dicomtap/framework'
import { createTestServer } from '@dicomtap/framework/testing'
import test from 'ava'
import { unifiedProcedureStep } from '../dist/unified-procedure-step.js'
import { eventCollector } from './support/events.js'
import { all, associate, hex } from './support/requestor.js'

const PUSH = SopClass.UnifiedProcedureStepPush
const EVENT = SopClass.UnifiedProcedureStepEvent
const { UPSGlobalSubscriptionInstance: ALL_STEPS, UPSFilteredGlobalSubscriptionInstance: FILTERED_STEPS } = WellKnownInstance
const contexts = presentationContexts.unifiedProcedureStep

const code = (CodeValue: string) => ({ CodeValue, CodingSchemeDesignator: '99EX', CodeMeaning: CodeValue })
const SCHEDULED: DataSet = {
  ProcedureStepState: 'SCHEDULED',
  ScheduledProcedureStepPriority: 'MEDIUM',
  ProcedureStepLabel: 'Segment the liver',
  WorklistLabel: 'SEGMENTATION',
  ScheduledProcedureStepStartDateTime: '20260705090000',
  InputReadinessState: 'READY',
  PatientName: 'Doe^Jane',
  PatientID: 'P1',
  ScheduledStationNameCodeSequence: [],
  ScheduledWorkitemCodeSequence: [code('SEG')],
  InputInformationSequence: [],
  TransactionUID: '',
}
const PERFORMED: DataSet = {
  UnifiedProcedureStepPerformedProcedureSequence: [
    {
      PerformedStationNameCodeSequence: [code('WS1')],
      PerformedProcedureStepStartDateTime: '20260705091000',
      PerformedWorkitemCodeSequence: [code('SEG')],
      PerformedProcedureStepEndDateTime: '20260705092000',
      OutputInformationSequence: [],
    },
  ],
}

function create(association: Association, uid: string, changes: DataSet = {}) {
  return association.nCreate({ affectedSopClassUid: PUSH, affectedSopInstanceUid: uid, attributeList: { ...SCHEDULED, ...changes } })
}
function step(uid: string) {
  return { requestedSopClassUid: PUSH, requestedSopInstanceUid: uid }
}
function get(association: Association, uid: string, attributeIdentifierList: string[] = []) {
  return association.nGet({ ...step(uid), attributeIdentifierList })
}
function set(association: Association, uid: string, modificationList: DataSet) {
  return association.nSet({ ...step(uid), modificationList })
}
async function change(association: Association, uid: string, state: string, transactionUid?: string): Promise<string> {
  const information = { ProcedureStepState: state, ...(transactionUid === undefined ? {} : { TransactionUID: transactionUid }) }
  const { status } = await association.nAction({ ...step(uid), actionTypeId: 1, actionInformation: information })
  return hex(status)
}
async function cancel(association: Association, uid: string, information: DataSet = {}): Promise<string> {
  return hex((await association.nAction({ ...step(uid), actionTypeId: 2, actionInformation: information })).status)
}
async function subscription(association: Association, actionTypeId: 3 | 4 | 5, uid: string, information: DataSet = {}): Promise<string> {
  const actionInformation = { ReceivingAE: 'EXAMPLE-SCU', ...(actionTypeId === 3 ? { DeletionLock: 'FALSE' } : {}), ...information }
  return hex((await association.nAction({ ...step(uid), actionTypeId, actionInformation })).status)
}
/** One step in each state; the Transaction UID is 2.25.9. */
async function oneOfEach(association: Association): Promise<void> {
  for (const uid of ['2.25.1', '2.25.2', '2.25.3', '2.25.4']) await create(association, uid)
  for (const uid of ['2.25.2', '2.25.3', '2.25.4']) await change(association, uid, 'IN PROGRESS', '2.25.9')
  await set(association, '2.25.3', { ...PERFORMED, TransactionUID: '2.25.9' })
  await change(association, '2.25.3', 'COMPLETED', '2.25.9')
  await change(association, '2.25.4', 'CANCELED', '2.25.9')
}

test('pushed, found, taken, worked on and completed', async (t) => {
  await using server = await createTestServer({ plugins: [unifiedProcedureStep()] })
  const association = await associate(t, server, { contexts })
  t.like(await create(association, '2.25.1'), { status: 0x0000, affectedSopInstanceUid: '2.25.1' })

  const query = { ProcedureStepState: 'SCHEDULED', WorklistLabel: 'SEGMENTATION', SOPInstanceUID: '', ProcedureStepLabel: '' }
  const [match, final] = await all(association.cFind(query, { model: SopClass.UnifiedProcedureStepPull }))
  t.deepEqual(match?.identifier, {
    SOPInstanceUID: '2.25.1',
    ProcedureStepState: 'SCHEDULED',
    ProcedureStepLabel: 'Segment the liver',
    WorklistLabel: 'SEGMENTATION',
  })
  t.is(final?.status, 0x0000)

  t.is(await change(association, '2.25.1', 'IN PROGRESS', '2.25.9'), '0000')
  t.is((await set(association, '2.25.1', { ...PERFORMED, TransactionUID: '2.25.9' })).status, 0x0000)
  t.is(await change(association, '2.25.1', 'COMPLETED', '2.25.9'), '0000')
  const { status, dataset } = await get(association, '2.25.1')
  t.is(status, 0x0000)
  t.like(dataset, { SOPClassUID: PUSH, ProcedureStepState: 'COMPLETED' })
  t.regex(String(dataset?.['ScheduledProcedureStepModificationDateTime']), /^20\d{12}\+0000$/)
  t.false('TransactionUID' in (dataset ?? {}), 'the lock is nobody else’s (CC.2.7.3)')
})

test('every cell of table CC.1.1-2 for a change of state', async (t) => {
  await using server = await createTestServer({ plugins: [unifiedProcedureStep()] })
  const association = await associate(t, server, { contexts })
  // By state of the step: none, SCHEDULED, IN PROGRESS, COMPLETED, CANCELED. What would succeed is in other tests.
  const table: [to: string, isCorrect: boolean, answers: (string | undefined)[]][] = [
    ['IN PROGRESS', true, ['C307', undefined, 'C302', 'C300', 'C300']],
    ['IN PROGRESS', false, ['C307', 'C301', 'C301', 'C301', 'C301']],
    ['SCHEDULED', true, ['C307', 'C303', 'C303', 'C303', 'C303']],
    ['COMPLETED', true, ['C307', 'C310', undefined, 'B306', 'C300']],
    ['COMPLETED', false, ['C307', 'C301', 'C301', 'C301', 'C301']],
    ['CANCELED', true, ['C307', 'C310', undefined, 'C300', 'B304']],
    ['CANCELED', false, ['C307', 'C301', 'C301', 'C301', 'C301']],
  ]
  await oneOfEach(association)
  for (const [to, isCorrect, answers] of table) {
    for (const [index, answer] of answers.entries()) {
      const uid = `2.25.${index}`
      // To a step that nobody has taken, every Transaction UID is a correct one: wrong is none.
      const transactionUid = isCorrect ? '2.25.9' : index === 1 ? undefined : '2.25.8'
      if (answer !== undefined) t.is(await change(association, uid, to, transactionUid), answer, `${uid} to ${to}, ${isCorrect}`)
    }
  }
  t.is(await change(association, '2.25.2', 'FINISHED', '2.25.9'), '0115')
  t.is(hex((await association.nAction({ ...step('2.25.2'), actionTypeId: 6 })).status), '0123')
})

test('a step is completed when it says what was done (C304), and canceled with a reason', async (t) => {
  await using server = await createTestServer({ plugins: [unifiedProcedureStep()] })
  const association = await associate(t, server, { contexts })
  await create(association, '2.25.1')
  await change(association, '2.25.1', 'IN PROGRESS', '2.25.9')
  t.is(await change(association, '2.25.1', 'COMPLETED', '2.25.9'), 'C304')
  const [performed] = PERFORMED['UnifiedProcedureStepPerformedProcedureSequence'] as DataSet[]
  const unfinished = [{ ...performed, PerformedProcedureStepEndDateTime: '' }]
  await set(association, '2.25.1', { UnifiedProcedureStepPerformedProcedureSequence: unfinished, TransactionUID: '2.25.9' })
  t.is(await change(association, '2.25.1', 'COMPLETED', '2.25.9'), 'C304')
  t.is(await change(association, '2.25.1', 'CANCELED', '2.25.9'), '0000')
  const { dataset } = await get(association, '2.25.1', ['ProcedureStepProgressInformationSequence'])
  const [progress] = (dataset?.['ProcedureStepProgressInformationSequence'] ?? []) as DataSet[]
  t.regex(String(progress?.['ProcedureStepCancellationDateTime']), /^20\d{12}\+0000$/)
  t.like(progress?.['ProcedureStepDiscontinuationReasonCodeSequence'], [{ CodeValue: '110513', CodingSchemeDesignator: 'DCM' }])
})

test('N-CREATE: B300, 0106, 0111, 0120, 0121 and C309', async (t) => {
  await using server = await createTestServer({ plugins: [unifiedProcedureStep({ worklistLabel: 'ALL' })] })
  const association = await associate(t, server, { contexts })
  t.like(await create(association, '2.25.1', { WorklistLabel: '' }), { status: 0xb300, category: 'warning' })
  t.like((await get(association, '2.25.1')).dataset, { WorklistLabel: 'ALL' })
  t.is((await create(association, '2.25.1')).status, Status.DuplicateSopInstance)
  const locked = await create(association, '2.25.2', { TransactionUID: '2.25.9' })
  t.like(locked, { status: Status.InvalidAttributeValue, attributeIdentifierList: [0x00081195] })
  const { ProcedureStepLabel: _, ...unlabelled } = SCHEDULED
  const missing = await association.nCreate({ affectedSopClassUid: PUSH, affectedSopInstanceUid: '2.25.2', attributeList: unlabelled })
  t.like(missing, { status: Status.MissingAttribute, attributeIdentifierList: [0x00741204], errorComment: 'ProcedureStepLabel' })
  t.like(await create(association, '2.25.2', { InputReadinessState: '' }), { status: Status.MissingAttributeValue, attributeIdentifierList: [0x00404041] })
  t.is((await create(association, '2.25.2', { ProcedureStepState: 'IN PROGRESS' })).status, UnifiedProcedureStepStatus.NotScheduled)
  t.is((await get(association, '2.25.2')).status, UnifiedProcedureStepStatus.NoSuchInstance)
})

test('N-SET: who may, and when; N-GET of what is not there', async (t) => {
  await using server = await createTestServer({ plugins: [unifiedProcedureStep()] })
  const association = await associate(t, server, { contexts })
  await oneOfEach(association)
  const label = { ProcedureStepLabel: 'Again' }
  const cases: [uid: string, changes: DataSet, status: string][] = [
    ['2.25.0', label, 'C307'],
    ['2.25.1', label, '0000'],
    ['2.25.1', { ...label, TransactionUID: '2.25.9' }, 'C310'],
    ['2.25.2', label, 'C301'],
    ['2.25.2', { ...label, TransactionUID: '2.25.8' }, 'C301'],
    ['2.25.2', { ...label, TransactionUID: '2.25.9' }, '0000'],
    ['2.25.3', { ...label, TransactionUID: '2.25.9' }, 'C300'],
    ['2.25.4', { ...label, TransactionUID: '2.25.9' }, 'C300'],
    ['2.25.1', { ProcedureStepState: 'IN PROGRESS' }, '0105'],
  ]
  for (const [uid, changes, status] of cases) t.is(hex((await set(association, uid, changes)).status), status, `${uid} ${JSON.stringify(changes)}`)
  t.like((await get(association, '2.25.1')).dataset, { ProcedureStepLabel: 'Again', ProcedureStepState: 'SCHEDULED' })
  const some = await get(association, '2.25.2', ['ProcedureStepLabel', 'TransactionUID'])
  t.is(some.status, Status.OptionalAttributesNotSupported)
  t.deepEqual(some.dataset, { ProcedureStepLabel: 'Again' })
})

test('C-FIND: by time and by what is in a sequence, on UPS Query; FF01 for keys that are none', async (t) => {
  await using server = await createTestServer({ plugins: [unifiedProcedureStep()] })
  const association = await associate(t, server, { contexts })
  await create(association, '2.25.1', { ScheduledStationNameCodeSequence: [code('WS1')] })
  await create(association, '2.25.2', { ScheduledProcedureStepStartDateTime: '20260706090000' })
  const find = async (query: DataSet) => {
    const answers = await all(association.cFind({ SOPInstanceUID: '', ...query }, { model: SopClass.UnifiedProcedureStepQuery }))
    return answers.map(({ status, identifier }) => `${hex(status)} ${(identifier?.['SOPInstanceUID'] as string | undefined) ?? ''}`)
  }
  t.deepEqual(await find({ ScheduledStationNameCodeSequence: [{ CodeValue: 'WS1' }] }), ['FF00 2.25.1', '0000 '])
  t.deepEqual(await find({ ScheduledProcedureStepStartDateTime: '20260706-' }), ['FF00 2.25.2', '0000 '])
  t.deepEqual(await find({ TransactionUID: '' }), ['FF01 2.25.1', 'FF01 2.25.2', '0000 '])
})

test('a cancel request: granted, passed on to who listens (C312 when nobody does), too late', async (t) => {
  await using server = await createTestServer({ plugins: [unifiedProcedureStep()] })
  const events = eventCollector()
  const association = await associate(t, server, { contexts, handlers: { nEventReport: events.nEventReport } })
  await oneOfEach(association)
  t.is(await cancel(association, '2.25.0'), 'C307')
  t.is(await cancel(association, '2.25.3'), 'C311')
  t.is(await cancel(association, '2.25.4'), 'B304')
  t.is(await cancel(association, '2.25.2'), 'C312')

  t.is(await subscription(association, 3, '2.25.2'), '0000')
  t.is(await cancel(association, '2.25.2', { ReasonForCancellation: 'Wrong patient', ContactDisplayName: 'Dr. Roe' }), '0000')
  const [initial, requested] = await events.take(2)
  t.like(initial, { eventTypeId: 1, information: { ProcedureStepState: 'IN PROGRESS', InputReadinessState: 'READY' } })
  t.like(requested, { eventTypeId: 2, sopInstanceUid: '2.25.2' })
  t.deepEqual(requested?.information, { RequestingAE: 'EXAMPLE-SCU', ReasonForCancellation: 'Wrong patient', ContactDisplayName: 'Dr. Roe' })
  t.like((await get(association, '2.25.2')).dataset, { ProcedureStepState: 'IN PROGRESS' }, 'that is for the performer to decide')

  await subscription(association, 3, '2.25.1')
  t.is(await cancel(association, '2.25.1', { ReasonForCancellation: 'Wrong patient' }), '0000')
  const [, ...three] = await events.take(4)
  t.deepEqual(
    three.map(({ eventTypeId, information }) => [eventTypeId, information?.['ProcedureStepState']]),
    [
      [2, undefined],
      [1, 'IN PROGRESS'],
      [1, 'CANCELED'],
    ],
  )
  const { dataset } = await get(association, '2.25.1')
  t.like(dataset, { ProcedureStepState: 'CANCELED', ProcedureStepProgressInformationSequence: [{ ReasonForCancellation: 'Wrong patient' }] })
})

test('a watcher is told on its own association what happens to a step', async (t) => {
  const events = eventCollector()
  await using watcher = await createTestServer({
    aeTitle: 'WATCHER',
    contexts: [{ abstractSyntax: EVENT, transferSyntaxes: DEFAULT_TRANSFER_SYNTAXES, roles: { scu: false, scp: true } }],
    handlers: { nEventReport: events.nEventReport },
  })
  const plugin = unifiedProcedureStep({ subscribers: { WATCHER: { host: '127.0.0.1', port: watcher.port } } })
  await using server = await createTestServer({ aeTitle: 'MANAGER', plugins: [plugin] })
  const association = await associate(t, server, { contexts })
  await create(association, '2.25.1')
  t.is(await subscription(association, 3, '2.25.1', { ReceivingAE: 'NOBODY' }), 'C308')
  t.is(await subscription(association, 3, '2.25.1', { ReceivingAE: 'WATCHER' }), '0000')
  const [initial] = await events.take(1)
  t.like(initial, { eventTypeId: 1, callingAeTitle: 'MANAGER', abstractSyntax: EVENT, information: { ProcedureStepState: 'SCHEDULED' } })

  await set(association, '2.25.1', { ScheduledStationNameCodeSequence: [code('WS1')], ProcedureStepLabel: 'Now' })
  await change(association, '2.25.1', 'IN PROGRESS', '2.25.9')
  const progress = { ProcedureStepProgressInformationSequence: [{ ProcedureStepProgress: 50 }] }
  await set(association, '2.25.1', { ...progress, TransactionUID: '2.25.9' })
  await set(association, '2.25.1', { InputReadinessState: 'INCOMPLETE', TransactionUID: '2.25.9' })
  const [assigned, begun, half, unready] = await events.take(4)
  t.like(assigned, { eventTypeId: 5, information: { ScheduledStationNameCodeSequence: [code('WS1')] } })
  t.like(begun, { eventTypeId: 1, information: { ProcedureStepState: 'IN PROGRESS' } })
  t.like(half, { eventTypeId: 3, information: progress })
  t.like(unready, { eventTypeId: 1, information: { ProcedureStepState: 'IN PROGRESS', InputReadinessState: 'INCOMPLETE' } })

  t.is(await subscription(association, 4, '2.25.1', { ReceivingAE: 'WATCHER' }), '0000')
  await change(association, '2.25.1', 'CANCELED', '2.25.9')
  await subscription(association, 3, '2.25.1', { ReceivingAE: 'WATCHER' })
  const [again] = await events.take(1)
  t.like(again, { eventTypeId: 1, information: { ProcedureStepState: 'CANCELED' } })
  t.is(events.waiting, 0, 'nothing came while it was unsubscribed')
})

test('global subscriptions: steps to come, steps that are there, suspended, given up', async (t) => {
  await using server = await createTestServer({ plugins: [unifiedProcedureStep()] })
  const events = eventCollector()
  const association = await associate(t, server, { contexts, handlers: { nEventReport: events.nEventReport } })
  const told = async (count: number) => (await events.take(count)).map(({ sopInstanceUid, information }) => `${sopInstanceUid} ${String(information?.['ProcedureStepState'])}`)
  await create(association, '2.25.1')

  t.is(await subscription(association, 3, ALL_STEPS), '0000')
  await create(association, '2.25.2')
  t.deepEqual(await told(1), ['2.25.2 SCHEDULED'], 'without a lock the state of what is there is not told')
  await change(association, '2.25.1', 'IN PROGRESS', '2.25.9')
  t.deepEqual(await told(1), ['2.25.1 IN PROGRESS'])

  t.is(await subscription(association, 5, ALL_STEPS), '0000')
  t.is(await subscription(association, 5, '2.25.1'), 'C314')
  await create(association, '2.25.3')
  await change(association, '2.25.2', 'IN PROGRESS', '2.25.9')
  t.deepEqual(await told(1), ['2.25.2 IN PROGRESS'])

  t.is(await subscription(association, 4, ALL_STEPS), '0000')
  await change(association, '2.25.2', 'CANCELED', '2.25.9')
  t.is(await subscription(association, 3, ALL_STEPS, { DeletionLock: 'TRUE' }), '0000')
  t.deepEqual(await told(3), ['2.25.1 IN PROGRESS', '2.25.2 CANCELED', '2.25.3 SCHEDULED'])

  t.is(await subscription(association, 3, FILTERED_STEPS), 'C307')
  t.is(await subscription(association, 3, '2.25.404'), 'C307')
  t.is(await subscription(association, 3, '2.25.1', { DeletionLock: 'MAYBE' }), '0115')
})

test('a deletion lock keeps a step that is over; an SCP may grant none (B301)', async (t) => {
  await using server = await createTestServer({ plugins: [unifiedProcedureStep({ keepFinished: 0 })] })
  const association = await associate(t, server, { contexts, handlers: { nEventReport: () => 0x0000 } })
  const held = ['2.25.1', '2.25.3']
  for (const uid of [...held, '2.25.2']) await create(association, uid)
  for (const uid of held) t.is(await subscription(association, 3, uid, { DeletionLock: 'TRUE' }), '0000')
  for (const uid of [...held, '2.25.2']) t.is(await cancel(association, uid), '0000')
  for (const uid of held) t.is(hex((await get(association, uid)).status), '0000')
  t.is(hex((await get(association, '2.25.2')).status), 'C307')
  // CC.2.3.2: the lock goes by unsubscribing, or by subscribing without it.
  t.is(await subscription(association, 4, '2.25.1'), '0000')
  t.is(await subscription(association, 3, '2.25.3', { DeletionLock: 'FALSE' }), '0000')
  for (const uid of held) t.is(hex((await get(association, uid)).status), 'C307')

  await using other = await createTestServer({ plugins: [unifiedProcedureStep({ deletionLocks: false })] })
  const unlocked = await associate(t, other, { contexts, handlers: { nEventReport: () => 0x0000 } })
  await create(unlocked, '2.25.1')
  t.is(await subscription(unlocked, 3, '2.25.1', { DeletionLock: 'TRUE' }), 'B301')
})
