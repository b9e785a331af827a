import { SopClass, Status, definePlugin, presentationContexts } from '@dicomtap/framework'
import type { Association, DataSet } from '@dicomtap/framework'
import { createTestServer } from '@dicomtap/framework/testing'
import test from 'ava'
import { instanceAvailability } from '../dist/instance-availability.js'
import type { InstanceAvailability } from '../dist/instance-availability.js'
import { associate } from './support/requestor.js'

const contexts = presentationContexts.instanceAvailability

function instance(uid: string, changes: DataSet = {}): DataSet {
  return {
    ReferencedSOPClassUID: SopClass.CTImageStorage,
    ReferencedSOPInstanceUID: uid,
    InstanceAvailability: 'ONLINE',
    RetrieveAETitle: 'ARCHIVE',
    ...changes,
  }
}
function notification(instances: DataSet[], changes: DataSet = {}): DataSet {
  return {
    ReferencedPerformedProcedureStepSequence: [],
    StudyInstanceUID: '2.25.1',
    ReferencedSeriesSequence: [{ SeriesInstanceUID: '2.25.2', ReferencedSOPSequence: instances }],
    ...changes,
  }
}
function notify(association: Association, uid: string, attributeList: DataSet) {
  return association.nCreate({ affectedSopClassUid: SopClass.InstanceAvailabilityNotification, affectedSopInstanceUid: uid, attributeList })
}

/** A server, and what a workflow manager on it knows. */
function manager() {
  let of: (studyInstanceUid: string) => readonly InstanceAvailability[] = () => []
  const workflow = definePlugin({
    name: 'test-workflow',
    after: ['example-instance-availability'],
    apply(api) {
      of = api.inject('example-instance-availability.instances').of
    },
  })
  const known = () => of('2.25.1').map(({ sopInstanceUid, availability, retrieveAeTitle }) => `${sopInstanceUid} ${availability} ${retrieveAeTitle}`)
  return { server: createTestServer({ plugins: [instanceAvailability(), workflow()] }), known }
}

test('the latest word on an instance counts, for each AE that has it', async (t) => {
  const { server: starting, known } = manager()
  await using server = await starting
  const association = await associate(t, server, { contexts })
  t.is((await notify(association, '2.25.10', notification([instance('2.25.3'), instance('2.25.4')]))).status, 0x0000)
  t.deepEqual(known(), ['2.25.3 ONLINE ARCHIVE', '2.25.4 ONLINE ARCHIVE'])
  const later = [instance('2.25.3', { InstanceAvailability: 'NEARLINE' }), instance('2.25.3', { RetrieveAETitle: 'CACHE' })]
  t.is((await notify(association, '2.25.11', notification(later))).status, 0x0000)
  t.deepEqual(known(), ['2.25.3 NEARLINE ARCHIVE', '2.25.4 ONLINE ARCHIVE', '2.25.3 ONLINE CACHE'])
})

test('0105, 0106, 0111, 0120 and 0121, and nothing is taken over', async (t) => {
  const { server: starting, known } = manager()
  await using server = await starting
  const association = await associate(t, server, { contexts })
  const { StudyInstanceUID: _, ...studyless } = notification([instance('2.25.3')])
  const step = { ReferencedSOPClassUID: SopClass.ModalityPerformedProcedureStep, ReferencedSOPInstanceUID: '2.25.9' }
  const cases: [attributes: DataSet, status: number, tag: number][] = [
    [notification([instance('2.25.3')], { PatientID: 'P1' }), Status.NoSuchAttribute, 0x00100020],
    [notification([instance('2.25.3'), instance('2.25.4', { InstanceAvailability: 'SOON' })]), Status.InvalidAttributeValue, 0x00080056],
    [studyless, Status.MissingAttribute, 0x0020000d],
    [notification([], {}), Status.MissingAttributeValue, 0x00081199],
    [notification([instance('2.25.3', { RetrieveAETitle: '' })]), Status.MissingAttributeValue, 0x00080054],
    [notification([instance('2.25.3')], { ReferencedPerformedProcedureStepSequence: [step] }), Status.MissingAttribute, 0x00404019],
  ]
  for (const [attributes, status, tag] of cases) {
    t.like(await notify(association, '2.25.10', attributes), { status, attributeIdentifierList: [tag] }, tag.toString(16))
  }
  t.deepEqual(known(), [])
  t.is((await notify(association, '2.25.10', notification([instance('2.25.3')]))).status, 0x0000)
  t.is((await notify(association, '2.25.10', notification([instance('2.25.4')]))).status, Status.DuplicateSopInstance)
  t.deepEqual(known(), ['2.25.3 ONLINE ARCHIVE'])
})
