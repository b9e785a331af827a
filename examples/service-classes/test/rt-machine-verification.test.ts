import { RtMachineVerificationStatus, SopClass, Status, definePlugin, presentationContexts } from '@dicomtap/framework'
import type { Association, DataSet } from '@dicomtap/framework'
import { createTestServer } from '@dicomtap/framework/testing'
import test from 'ava'
import { rtMachineVerification } from '../dist/rt-machine-verification.js'
import { eventCollector } from './support/events.js'
import { associate, hex } from './support/requestor.js'

const CONVENTIONAL = SopClass.RTConventionalMachineVerification
const contexts = presentationContexts.rtMachineVerification
const beams = [{ number: 1, treatmentMachineName: 'LINAC1', accessoryCodes: ['W30'], parameters: { GantryAngle: { value: 90, tolerance: 0.5 } } }]
const plans = [
  { sopInstanceUid: '2.25.1', fractionGroups: [{ number: 1, beams }] },
  {
    sopInstanceUid: '2.25.2',
    fractionGroups: [
      { number: 1, beams: [] },
      { number: 2, beams },
    ],
  },
  { sopInstanceUid: '2.25.3', ion: true, fractionGroups: [{ number: 1, beams: [{ ...beams[0]!, treatmentMachineName: 'ION1' }] }] },
]

function creation(plan: string, changes: DataSet = {}, planClass: string = SopClass.RTPlanStorage): DataSet {
  return {
    ReferencedRTPlanSequence: [{ ReferencedSOPClassUID: planClass, ReferencedSOPInstanceUID: plan }],
    PatientID: 'P1',
    GeneralMachineVerificationSequence: [],
    ConventionalMachineVerificationSequence: [],
    ...changes,
  }
}
async function create(association: Association, uid: string, attributeList: DataSet): Promise<string> {
  return hex((await association.nCreate({ affectedSopClassUid: CONVENTIONAL, affectedSopInstanceUid: uid, attributeList })).status)
}
function setup(general: DataSet = {}, controlPoint: DataSet = {}): DataSet {
  const common = { TreatmentMachineName: 'LINAC1', RadiationType: 'PHOTON', ReferencedBeamNumber: 1, NumberOfControlPoints: 1, NumberOfWedges: 0 }
  return {
    GeneralMachineVerificationSequence: [{ ...common, ...general }],
    ConventionalMachineVerificationSequence: [
      { ConventionalControlPointVerificationSequence: [{ ReferencedControlPointIndex: 0, GantryAngle: 90.25, ...controlPoint }] },
    ],
  }
}
const target = (uid: string) => ({ requestedSopClassUid: CONVENTIONAL, requestedSopInstanceUid: uid })
async function set(association: Association, uid: string, modificationList: DataSet): Promise<string> {
  return hex((await association.nSet({ ...target(uid), modificationList })).status)
}
async function verify(association: Association, uid: string, actionTypeId = 1): Promise<string> {
  return hex((await association.nAction({ ...target(uid), actionTypeId })).status)
}
async function remove(association: Association, uid: string): Promise<string> {
  return hex((await association.nDelete(target(uid))).status)
}

test('a machine that stands as planned is verified: pending, then done', async (t) => {
  await using server = await createTestServer({ plugins: [rtMachineVerification({ plans })] })
  const events = eventCollector()
  const association = await associate(t, server, { contexts, handlers: { nEventReport: events.nEventReport } })
  t.is(await create(association, '2.25.10', creation('2.25.1')), '0000')
  t.is(await set(association, '2.25.10', setup()), '0000')
  t.is(await verify(association, '2.25.10'), '0000')
  const [pending, done] = await events.take(2)
  t.like(pending, { eventTypeId: 1, sopInstanceUid: '2.25.10', information: undefined, abstractSyntax: CONVENTIONAL })
  t.like(done, { eventTypeId: 2, sopInstanceUid: '2.25.10' })
  t.deepEqual(done?.information, { TreatmentVerificationStatus: 'VERIFIED' })
  const { status, dataset } = await association.nGet(target('2.25.10'))
  t.is(status, 0x0000)
  t.like(dataset, { PatientID: 'P1', TreatmentVerificationStatus: 'VERIFIED', FailedAttributesSequence: [], OverriddenAttributesSequence: [] })
  const some = await association.nGet({ ...target('2.25.10'), attributeIdentifierList: ['TreatmentVerificationStatus', 'PatientName'] })
  t.like(some, { status: Status.AttributeListError, attributeIdentifierList: [0x00100010], dataset: { TreatmentVerificationStatus: 'VERIFIED' } })
  t.is(await remove(association, '2.25.10'), '0000')
  t.is(await remove(association, '2.25.10'), '0112')
})

test('what is out of range is named, and can be overridden by an operator', async (t) => {
  let override: (uid: string, name: string, reason: string) => boolean = () => false
  const operator = definePlugin({
    name: 'test-operator',
    after: ['example-rt-machine-verification'],
    apply(api) {
      override = api.inject('example-rt-machine-verification.operator').override
    },
  })
  await using server = await createTestServer({ plugins: [rtMachineVerification({ plans }), operator()] })
  const events = eventCollector()
  const association = await associate(t, server, { contexts, handlers: { nEventReport: events.nEventReport } })
  await create(association, '2.25.10', creation('2.25.1'))
  t.is(await set(association, '2.25.10', setup({}, { GantryAngle: 90.75 })), '0000')
  await verify(association, '2.25.10')
  const [, done] = await events.take(2)
  t.deepEqual(done?.information, { TreatmentVerificationStatus: 'NOT_VERIFIED' })
  const { dataset } = await association.nGet(target('2.25.10'))
  t.like(dataset?.['FailedAttributesSequence'], [
    { SelectorAttribute: 0x300a011e, SelectorValueNumber: 1, SelectorSequencePointer: [0x00741044, 0x0074104c], SelectorSequencePointerItems: [1, 1] },
  ])

  t.true(override('2.25.10', 'Roe^Jane', 'Couch checked by hand'))
  t.false(override('2.25.10', 'Roe^Jane', 'Again'))
  t.like(await events.take(1), [{ eventTypeId: 2, information: { TreatmentVerificationStatus: 'VERIFIED_OVR' } }])
  const after = (await association.nGet(target('2.25.10'))).dataset
  t.like(after, { FailedAttributesSequence: [], OverriddenAttributesSequence: [{ SelectorAttribute: 0x300a011e, OverrideReason: 'Couch checked by hand' }] })
  t.is(await set(association, '2.25.10', setup({ TreatmentMachineName: 'LINAC2' })), '0000', 'the next beam is verified anew')
  await verify(association, '2.25.10')
  t.like((await events.take(2))[1], { information: { TreatmentVerificationStatus: 'NOT_VERIFIED' } })
})

test('nothing set is nothing verified', async (t) => {
  await using server = await createTestServer({ plugins: [rtMachineVerification({ plans })] })
  const events = eventCollector()
  const association = await associate(t, server, { contexts, handlers: { nEventReport: events.nEventReport } })
  await create(association, '2.25.10', creation('2.25.1'))
  t.is(await verify(association, '2.25.10'), '0000')
  t.like((await events.take(2))[1], { eventTypeId: 2, information: { TreatmentVerificationStatus: 'NOT_VERIFIED' } })
  t.like((await association.nGet(target('2.25.10'))).dataset, { FailedAttributesSequence: [{ SelectorAttribute: 0x00741042 }] })
})

test('N-CREATE: C221, C222, C223 and C227; 0105, 0106, 0111 and 0120', async (t) => {
  await using server = await createTestServer({ plugins: [rtMachineVerification({ plans })] })
  const association = await associate(t, server, { contexts })
  const cases: [attributes: DataSet, status: string][] = [
    [creation('2.25.404'), 'C227'],
    [creation('2.25.3'), 'C227'],
    [creation('2.25.1', {}, SopClass.RTIonPlanStorage), 'C227'],
    [creation('2.25.1', { ReferencedFractionGroupNumber: 7 }), 'C221'],
    [creation('2.25.2', { ReferencedFractionGroupNumber: 1 }), 'C222'],
    [creation('2.25.2'), '0120'],
    [creation('2.25.1', { TreatmentVerificationStatus: 'VERIFIED' }), '0105'],
    [creation('2.25.1', { GeneralMachineVerificationSequence: [{ TreatmentMachineName: 'LINAC1' }] }), '0106'],
    [creation('2.25.1', { PatientID: '' }), '0121'],
  ]
  for (const [attributes, status] of cases) t.is(await create(association, '2.25.10', attributes), status)
  t.is(await create(association, '2.25.10', creation('2.25.2', { ReferencedFractionGroupNumber: 2 })), '0000')
  t.is(await create(association, '2.25.10', creation('2.25.1')), '0111')
  t.is(await create(association, '2.25.11', creation('2.25.1')), 'C223')

  const other = await associate(t, server, { contexts, callingAeTitle: 'LINAC2' })
  t.is(await create(other, '2.25.11', creation('2.25.1')), '0000', 'another SCU may')
  await remove(association, '2.25.10')
  t.is(await create(association, '2.25.12', creation('2.25.1')), '0000')
})

test('the end of the association ends its session', async (t) => {
  await using server = await createTestServer({ plugins: [rtMachineVerification({ plans })] })
  const first = await associate(t, server, { contexts })
  await create(first, '2.25.10', creation('2.25.1'))
  const gone = server.ae.activeAssociations[0]?.closed
  await first.release()
  await gone
  const second = await associate(t, server, { contexts })
  t.is(await create(second, '2.25.11', creation('2.25.1')), '0000')
})

test('N-SET: C224, C225 and C226; N-GET and N-ACTION: C112', async (t) => {
  const plugin = rtMachineVerification({ plans, devices: ['RecordedWedgeSequence'] })
  await using server = await createTestServer({ plugins: [plugin] })
  const association = await associate(t, server, { contexts })
  await create(association, '2.25.10', creation('2.25.1'))
  const wedge = (code: string) => ({ NumberOfWedges: 1, RecordedWedgeSequence: [{ WedgeNumber: 1, AccessoryCode: code }] })
  const cases: [changes: DataSet, status: string][] = [
    [setup({ ReferencedBeamNumber: 2 }), 'C224'],
    [setup({ ApplicatorSequence: [{ AccessoryCode: 'A10', ApplicatorType: 'ELECTRON_SQUARE' }] }), 'C225'],
    [setup(wedge('W60')), 'C226'],
    [setup(wedge('W30')), '0000'],
    [{ ...setup(), PatientID: 'P2' }, '0105'],
    [setup({ RadiationType: '' }), '0121'],
    [{ GeneralMachineVerificationSequence: setup()['GeneralMachineVerificationSequence'] }, '0120'],
    [{ ...setup(), GeneralMachineVerificationSequence: [{}, {}] }, '0106'],
  ]
  for (const [changes, status] of cases) t.is(await set(association, '2.25.10', changes), status, JSON.stringify(changes))
  t.is(await set(association, '2.25.404', setup()), '0112')
  t.is((await association.nGet(target('2.25.404'))).status, RtMachineVerificationStatus.NoSuchVerification)
  t.is(await verify(association, '2.25.404'), 'C112')
  t.is(await verify(association, '2.25.10', 2), '0123')
})

test('ion: its own plans and its own sequences', async (t) => {
  await using server = await createTestServer({ plugins: [rtMachineVerification({ plans })] })
  const events = eventCollector()
  const association = await associate(t, server, { contexts, handlers: { nEventReport: events.nEventReport } })
  const ion = { requestedSopClassUid: SopClass.RTIonMachineVerification, requestedSopInstanceUid: '2.25.10' }
  const { ConventionalMachineVerificationSequence: _, ...general } = creation('2.25.3', {}, SopClass.RTIonPlanStorage)
  const attributeList = { ...general, IonMachineVerificationSequence: [] }
  const created = await association.nCreate({ affectedSopClassUid: ion.requestedSopClassUid, affectedSopInstanceUid: '2.25.10', attributeList })
  t.is(created.status, 0x0000)
  const modificationList = {
    GeneralMachineVerificationSequence: setup({ TreatmentMachineName: 'ION1', RadiationType: 'PROTON' })['GeneralMachineVerificationSequence'],
    IonMachineVerificationSequence: [{ IonControlPointVerificationSequence: [{ ReferencedControlPointIndex: 0, GantryAngle: 90 }] }],
  }
  t.is((await association.nSet({ ...ion, modificationList })).status, 0x0000)
  t.is((await association.nAction({ ...ion, actionTypeId: 1 })).status, 0x0000)
  const [, done] = await events.take(2)
  t.like(done, { eventTypeId: 2, abstractSyntax: SopClass.RTIonMachineVerification, information: { TreatmentVerificationStatus: 'VERIFIED' } })
})
