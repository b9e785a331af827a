import { ApplicationEventStatus, SopClass, Status, WellKnownInstance, presentationContexts } from '@dicomtap/framework'
import type { Association, DataSet } from '@dicomtap/framework'
import { createTestServer } from '@dicomtap/framework/testing'
import test from 'ava'
import { applicationEvent } from '../dist/application-event.js'
import type { LoggedEvent } from '../dist/application-event.js'
import { associate } from './support/requestor.js'

const contexts = presentationContexts.applicationEvent
const PROCEDURAL = {
  requestedSopClassUid: SopClass.ProceduralEventLogging,
  requestedSopInstanceUid: WellKnownInstance.ProceduralEventLoggingInstance,
  actionTypeId: 1,
}
const SUBSTANCE = {
  requestedSopClassUid: SopClass.SubstanceAdministrationLogging,
  requestedSopInstanceUid: WellKnownInstance.SubstanceAdministrationLoggingInstance,
  actionTypeId: 1,
}
const STUDIES = [
  { studyInstanceUid: '2.25.1', patientId: 'P1' },
  { studyInstanceUid: '2.25.2', patientId: 'P2' },
  { studyInstanceUid: '2.25.3', patientId: 'P3', closed: true },
  { studyInstanceUid: '2.25.4', patientId: 'P4' },
  { studyInstanceUid: '2.25.5', patientId: 'P4' },
]

const EVENT: DataSet = {
  StudyInstanceUID: '2.25.1',
  PatientID: 'P1',
  SynchronizationFrameOfReferenceUID: '2.25.7',
  ValueType: 'CONTAINER',
  ContinuityOfContent: 'SEPARATE',
  ContentTemplateSequence: [{ MappingResource: 'DCMR', TemplateIdentifier: '3001' }],
  ContentSequence: [{ RelationshipType: 'CONTAINS', ObservationDateTime: '20260705090000', ValueType: 'TEXT', TextValue: 'Balloon in' }],
}
const GIVEN: DataSet = {
  PatientID: 'P1',
  PatientName: 'Doe^Jane',
  ProductName: 'Contrast',
  SubstanceAdministrationDateTime: '20260705090000',
  AdministrationRouteCodeSequence: [],
  OperatorIdentificationSequence: [{ PersonIdentificationCodeSequence: [{ CodeValue: 'RN1', CodingSchemeDesignator: '99EX', CodeMeaning: 'Nurse' }] }],
}

function log(association: Association, event: DataSet, changes: DataSet = {}, target: typeof PROCEDURAL | typeof SUBSTANCE = PROCEDURAL) {
  return association.nAction({ ...target, actionInformation: { ...event, ...changes } })
}

test('an event of a procedure is logged for its study, and the answer says for which', async (t) => {
  const logged: LoggedEvent[] = []
  const plugin = applicationEvent({ studies: STUDIES, synchronizationFrameOfReferenceUid: '2.25.7', record: (event) => void logged.push(event) })
  await using server = await createTestServer({ plugins: [plugin] })
  const association = await associate(t, server, { contexts })
  const answer = await log(association, EVENT)
  t.is(answer.status, 0x0000)
  t.deepEqual(answer.dataset, { StudyInstanceUID: '2.25.1', PatientID: 'P1' })
  t.like(logged, [{ kind: 'procedure', of: '2.25.1', information: { ContentSequence: [{ TextValue: 'Balloon in' }] } }])

  const coerced = await log(association, EVENT, { StudyInstanceUID: '2.25.404', PatientID: 'P2' })
  t.like(coerced, { status: ApplicationEventStatus.StudyCoerced, category: 'warning', dataset: { StudyInstanceUID: '2.25.2', PatientID: 'P2' } })
  const clock = await log(association, EVENT, { SynchronizationFrameOfReferenceUID: '2.25.8' })
  t.like(clock, { status: ApplicationEventStatus.FrameOfReferenceDiffers, dataset: { StudyInstanceUID: '2.25.1' } })
  t.deepEqual(logged.map(({ of }) => of), ['2.25.1', '2.25.2', '2.25.1'])
})

test('procedures: C101 to C104 log nothing, B104 does', async (t) => {
  const logged: LoggedEvent[] = []
  const record = (event: LoggedEvent) => void logged.push(event)
  await using server = await createTestServer({ plugins: [applicationEvent({ studies: STUDIES, record })] })
  const association = await associate(t, server, { contexts })
  const cases: [changes: DataSet, status: number][] = [
    [{ StudyInstanceUID: '2.25.3', PatientID: 'P3' }, ApplicationEventStatus.LoggingNotAvailable],
    [{ ContentTemplateSequence: [{ MappingResource: 'DCMR', TemplateIdentifier: '2000' }] }, ApplicationEventStatus.TemplateMismatch],
    [{ ContentSequence: [] }, ApplicationEventStatus.TemplateMismatch],
    [{ StudyInstanceUID: '', PatientID: 'P404' }, ApplicationEventStatus.NoCurrentStudy],
    [{ StudyInstanceUID: '', PatientID: 'P4' }, ApplicationEventStatus.NoCurrentStudy],
    [{ PatientID: 'P2' }, ApplicationEventStatus.IdsInconsistentNotLogged],
  ]
  for (const [changes, status] of cases) {
    const answer = await log(association, EVENT, changes)
    t.is(answer.status, status, JSON.stringify(changes))
    t.is(answer.dataset, undefined)
  }
  t.deepEqual(logged, [])
  await using lenient = await createTestServer({ plugins: [applicationEvent({ studies: STUDIES, inconsistentIds: 'log', record })] })
  const other = await associate(t, lenient, { contexts })
  t.like(await log(other, EVENT, { PatientID: 'P2' }), { status: ApplicationEventStatus.IdsInconsistentLogged, dataset: { PatientID: 'P1' } })
  t.is(logged.length, 1)
})

test('what was given goes into the medication record of the patient, by ID or admission', async (t) => {
  const logged: LoggedEvent[] = []
  const options = { studies: STUDIES, admissions: { A1: 'P9' }, operators: ['RN1'] }
  await using server = await createTestServer({ plugins: [applicationEvent({ ...options, record: (event) => void logged.push(event) })] })
  const association = await associate(t, server, { contexts })
  const give = async (changes: DataSet) => (await log(association, GIVEN, changes, SUBSTANCE)).status
  t.is(await give({}), 0x0000)
  t.is(await give({ PatientID: '', AdmissionID: 'A1' }), 0x0000)
  t.deepEqual(logged.map(({ kind, of }) => `${kind} ${of}`), ['substance P1', 'substance P9'])

  t.is(await give({ PatientID: 'P404' }), ApplicationEventStatus.PatientUnknown)
  t.is(await give({ PatientID: '' }), ApplicationEventStatus.PatientUnknown)
  t.is(await give({ AdmissionID: 'A1' }), ApplicationEventStatus.PatientUnknown, 'that is the admission of another')
  t.is(await give({ OperatorIdentificationSequence: [{ PersonIdentificationCodeSequence: [{ CodeValue: 'X' }] }] }), ApplicationEventStatus.OperatorNotAuthorized)
  for (const keyword of ['ProductName', 'SubstanceAdministrationDateTime', 'OperatorIdentificationSequence']) {
    t.is(await give({ [keyword]: keyword === 'OperatorIdentificationSequence' ? [] : '' }), Status.InvalidArgumentValue, keyword)
  }
  t.is(logged.length, 2)
})

test('a medication record that cannot be written is C111; 0112 and 0123', async (t) => {
  const record = () => Promise.reject(new Error('Full'))
  await using server = await createTestServer({ plugins: [applicationEvent({ studies: STUDIES, operators: ['RN1'], record })] })
  const association = await associate(t, server, { contexts })
  t.is((await log(association, GIVEN, {}, SUBSTANCE)).status, ApplicationEventStatus.UpdateFailed)
  t.deepEqual(server.logged('error'), ['a medication record could not be updated'])
  // The instance of the other SOP class is none of this one.
  t.is((await log(association, GIVEN, {}, { ...SUBSTANCE, requestedSopInstanceUid: PROCEDURAL.requestedSopInstanceUid } as never)).status, Status.NoSuchSopInstance)
  t.is((await log(association, GIVEN, {}, { ...SUBSTANCE, actionTypeId: 2 })).status, Status.NoSuchAction)
})
