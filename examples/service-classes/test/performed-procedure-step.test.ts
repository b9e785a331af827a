import { SopClass, Status, presentationContexts } from '@dicomtap/framework'
import type { Association, DataSet } from '@dicomtap/framework'
import { createTestServer } from '@dicomtap/framework/testing'
import test from 'ava'
import { performedProcedureStep } from '../dist/performed-procedure-step.js'
import { associate } from './support/requestor.js'

const STEP = SopClass.ModalityPerformedProcedureStep
const RETRIEVE = SopClass.ModalityPerformedProcedureStepRetrieve
const NOTIFICATION = SopClass.ModalityPerformedProcedureStepNotification
const contexts = presentationContexts.procedureStep

/** What a modality sends when it begins: table F.7.2-1 with nothing left out. */
const BEGUN: DataSet = {
  ScheduledStepAttributesSequence: [
    {
      StudyInstanceUID: '2.25.1',
      ReferencedStudySequence: [],
      AccessionNumber: 'A1',
      RequestedProcedureID: 'RP1',
      RequestedProcedureDescription: '',
      ScheduledProcedureStepID: 'SPS1',
      ScheduledProcedureStepDescription: '',
      ScheduledProtocolCodeSequence: [],
    },
  ],
  PatientName: 'Doe^John',
  PatientID: 'P1',
  PatientBirthDate: '',
  PatientSex: 'M',
  ReferencedPatientSequence: [],
  PerformedProcedureStepID: 'PPS1',
  PerformedStationAETitle: 'CT01',
  PerformedStationName: '',
  PerformedLocation: '',
  PerformedProcedureStepStartDate: '20260705',
  PerformedProcedureStepStartTime: '0900',
  PerformedProcedureStepStatus: 'IN PROGRESS',
  PerformedProcedureStepDescription: '',
  PerformedProcedureTypeDescription: '',
  ProcedureCodeSequence: [],
  PerformedProcedureStepEndDate: '',
  PerformedProcedureStepEndTime: '',
  Modality: 'CT',
  StudyID: '',
  PerformedProtocolCodeSequence: [],
  PerformedSeriesSequence: [],
}
const ENDED: DataSet = {
  PerformedProcedureStepStatus: 'COMPLETED',
  PerformedProcedureStepEndDate: '20260705',
  PerformedProcedureStepEndTime: '0915',
  PerformedSeriesSequence: [{ SeriesInstanceUID: '2.25.11', ProtocolName: 'Head' }],
}

function create(association: Association, attributeList: DataSet, uid?: string) {
  return association.nCreate({ affectedSopClassUid: STEP, attributeList, ...(uid === undefined ? {} : { affectedSopInstanceUid: uid }) })
}
function set(association: Association, uid: string, modificationList: DataSet) {
  return association.nSet({ requestedSopClassUid: STEP, requestedSopInstanceUid: uid, modificationList })
}
function get(association: Association, uid: string, attributeIdentifierList: string[] = []) {
  return association.nGet({ requestedSopClassUid: RETRIEVE, requestedSopInstanceUid: uid, attributeIdentifierList })
}

test('a step from its beginning to its end, and read in between', async (t) => {
  await using server = await createTestServer({ plugins: [performedProcedureStep()] })
  const association = await associate(t, server, { contexts })
  t.is((await create(association, BEGUN, '2.25.100')).status, 0x0000)
  t.is((await set(association, '2.25.100', { PerformedProcedureStepDescription: 'Head' })).status, 0x0000)
  t.like((await get(association, '2.25.100')).dataset, { PerformedProcedureStepStatus: 'IN PROGRESS', PerformedProcedureStepDescription: 'Head' })
  t.is((await set(association, '2.25.100', ENDED)).status, 0x0000)

  const some = await get(association, '2.25.100', ['PerformedProcedureStepStatus', 'PerformedProcedureStepEndTime'])
  t.is(some.status, 0x0000)
  t.deepEqual(some.dataset, { PerformedProcedureStepEndTime: '0915', PerformedProcedureStepStatus: 'COMPLETED' })
  const unsupported = await get(association, '2.25.100', ['PerformedProcedureStepStatus', 'PatientComments'])
  t.is(unsupported.status, Status.OptionalAttributesNotSupported)
  t.is(unsupported.category, 'warning')
  t.deepEqual(unsupported.dataset, { PerformedProcedureStepStatus: 'COMPLETED' })

  const over = await set(association, '2.25.100', { PerformedProcedureStepDescription: 'Neck' })
  t.like(over, { status: Status.ProcessingFailure, errorId: 0xa710, errorComment: 'Performed Procedure Step Object may no longer be updated' })
})

test('without a UID the SCP names the step', async (t) => {
  await using server = await createTestServer({ plugins: [performedProcedureStep()] })
  const association = await associate(t, server, { contexts })
  const { status, affectedSopInstanceUid = '' } = await create(association, BEGUN)
  t.is(status, 0x0000)
  t.regex(affectedSopInstanceUid, /^2\.25\.[1-9]\d*$/)
  t.is((await get(association, affectedSopInstanceUid)).status, 0x0000)
})

test('N-CREATE: 0106, 0111, 0120 and 0121', async (t) => {
  await using server = await createTestServer({ plugins: [performedProcedureStep()] })
  const association = await associate(t, server, { contexts })
  await create(association, BEGUN, '2.25.100')
  t.like(await create(association, BEGUN, '2.25.100'), { status: Status.DuplicateSopInstance, label: 'Duplicate SOP Instance' })

  const { PatientName: _name, ...nameless } = BEGUN
  const [scheduled] = BEGUN['ScheduledStepAttributesSequence'] as [DataSet]
  const { AccessionNumber: _number, ...numberless } = scheduled
  const cases: [attributes: DataSet, status: number, offendingElements: number[]][] = [
    [{ ...BEGUN, PerformedProcedureStepStatus: 'COMPLETED' }, Status.InvalidAttributeValue, [0x00400252]],
    [nameless, Status.MissingAttribute, [0x00100010]],
    [{ ...BEGUN, Modality: '' }, Status.MissingAttributeValue, [0x00080060]],
    [{ ...BEGUN, ScheduledStepAttributesSequence: [] }, Status.MissingAttributeValue, [0x00400270]],
    [{ ...BEGUN, ScheduledStepAttributesSequence: [numberless] }, Status.MissingAttribute, [0x00080050]],
  ]
  for (const [attributes, status, offendingElements] of cases) {
    t.like(await create(association, attributes, '2.25.101'), { status, offendingElements, category: 'failure' })
  }
  const nothing = await association.nCreate({ affectedSopClassUid: STEP, affectedSopInstanceUid: '2.25.101' })
  t.is(nothing.status, Status.MissingAttribute)
  t.is((await get(association, '2.25.101')).status, Status.NoSuchSopInstance)
})

test('N-SET: 0105, 0106, 0112 and 0121; what is refused changes nothing', async (t) => {
  await using server = await createTestServer({ plugins: [performedProcedureStep()] })
  const association = await associate(t, server, { contexts })
  await create(association, BEGUN, '2.25.100')
  t.is((await set(association, '2.25.404', ENDED)).status, Status.NoSuchSopInstance)
  const cases: [changes: DataSet, status: number, offendingElements: number[]][] = [
    [{ PatientName: 'Roe^Ann' }, Status.NoSuchAttribute, [0x00100010]],
    [{ CommentsOnThePerformedProcedureStep: 'not created' }, Status.NoSuchAttribute, [0x00400280]],
    [{ PerformedProcedureStepStatus: 'PAUSED' }, Status.InvalidAttributeValue, [0x00400252]],
    [{ ...ENDED, PerformedSeriesSequence: [] }, Status.MissingAttributeValue, [0x00400340]],
    [{ PerformedProcedureStepStatus: 'DISCONTINUED' }, Status.MissingAttributeValue, [0x00400250, 0x00400251, 0x00400340]],
    [{ ...ENDED, PerformedSeriesSequence: [{ SeriesInstanceUID: '2.25.11', ProtocolName: '' }] }, Status.MissingAttributeValue, [0x00181030]],
  ]
  for (const [changes, status, offendingElements] of cases) {
    t.like(await set(association, '2.25.100', changes), { status, offendingElements })
  }
  t.like((await get(association, '2.25.100')).dataset, { PerformedProcedureStepStatus: 'IN PROGRESS', PerformedProcedureStepEndDate: null })
})

test('subscribers are told of each change, in order, on an association that the SCP requests', async (t) => {
  const events: [uid: string, type: number][] = []
  let ended: () => void
  const end = new Promise<void>((resolve) => (ended = resolve))
  await using subscriber = await createTestServer({
    aeTitle: 'PACS',
    contexts: [{ abstractSyntax: NOTIFICATION, transferSyntaxes: ['1.2.840.10008.1.2'], roles: { scu: false, scp: true } }],
    handlers: {
      nEventReport: ({ affectedSopInstanceUid, eventTypeId }) => {
        events.push([affectedSopInstanceUid, eventTypeId])
        if (eventTypeId > 1 && eventTypeId < 4) ended()
        return 0x0000
      },
    },
  })
  const subscribers = [{ aeTitle: 'PACS', host: '127.0.0.1', port: subscriber.port }]
  await using server = await createTestServer({ plugins: [performedProcedureStep({ subscribers })] })
  const association = await associate(t, server, { contexts })
  await create(association, BEGUN, '2.25.100')
  await set(association, '2.25.100', { PerformedProcedureStepDescription: 'Head' })
  await set(association, '2.25.100', { ...ENDED, PerformedProcedureStepStatus: 'DISCONTINUED' })
  await end
  t.deepEqual(events, [['2.25.100', 1], ['2.25.100', 4], ['2.25.100', 3]])
})

test('a subscriber that is away does not keep the modality waiting', async (t) => {
  const away = await createTestServer()
  const subscribers = [{ aeTitle: 'AWAY', host: '127.0.0.1', port: away.port }]
  await away.ae.close()
  const server = await createTestServer({ plugins: [performedProcedureStep({ subscribers })] })
  const association = await associate(t, server, { contexts })
  t.is((await create(association, BEGUN)).status, 0x0000)
  await association.release()
  await server.ae.close()
  t.true(server.logged('warn').includes('a subscriber was not told of a performed procedure step'))
})
