import { SopClass, Status, WellKnownInstance, presentationContexts } from '@dicomtap/framework'
import { createTestServer } from '@dicomtap/framework/testing'
import test from 'ava'
import { displaySystemManagement } from '../dist/display-system.js'
import { associate } from './support/requestor.js'

const DISPLAY = {
  DisplaySubsystemID: 1,
  DisplaySubsystemName: 'LEFT',
  DisplayDeviceTypeCodeSequence: [{ CodeValue: 'LCD', CodingSchemeDesignator: '99EX', CodeMeaning: 'Liquid crystal' }],
  SystemStatus: 'ENABLED',
  DisplaySubsystemConfigurationSequence: [{ ConfigurationID: 1, ConfigurationName: 'GSDF' }],
  CurrentConfigurationID: 1,
}
const DISPLAYS = { StationName: 'READING1', InstitutionName: 'Hospital', NumberOfDisplaySubsystems: 1, DisplaySubsystemSequence: [DISPLAY] }
const target = { requestedSopClassUid: SopClass.DisplaySystem, requestedSopInstanceUid: WellKnownInstance.DisplaySystemInstance }
const contexts = presentationContexts.displaySystem

test('all of it, some of it, and what it does not tell (0107)', async (t) => {
  await using server = await createTestServer({ plugins: [displaySystemManagement({ displaySystem: DISPLAYS })] })
  const association = await associate(t, server, { contexts })
  const all = await association.nGet(target)
  t.is(all.status, 0x0000)
  t.like(all.dataset, { SOPInstanceUID: '1.2.840.10008.5.1.1.40.1', InstitutionName: 'Hospital', NumberOfDisplaySubsystems: 1 })
  t.like(all.dataset?.['DisplaySubsystemSequence'], [{ DisplaySubsystemName: 'LEFT', DisplayDeviceTypeCodeSequence: [{ CodeValue: 'LCD' }] }])
  const some = await association.nGet({ ...target, attributeIdentifierList: ['StationName', 0x00080080] })
  t.is(some.status, 0x0000)
  t.deepEqual(some.dataset, { InstitutionName: 'Hospital', StationName: 'READING1' })
  const missing = await association.nGet({ ...target, attributeIdentifierList: ['StationName', 'PatientID'] })
  t.like(missing, { status: Status.AttributeListError, category: 'warning', attributeIdentifierList: [0x00100020] })
  t.deepEqual(missing.dataset, { StationName: 'READING1' })
})

test('another instance is none: 0112', async (t) => {
  await using server = await createTestServer({ plugins: [displaySystemManagement({ displaySystem: DISPLAYS })] })
  const association = await associate(t, server, { contexts })
  t.like(await association.nGet({ ...target, requestedSopInstanceUid: '2.25.1' }), { status: Status.NoSuchSopInstance, dataset: undefined })
})

test('a display system that lacks something, does not add up or is no data set does not start', async (t) => {
  const start = (displaySystem: object) => createTestServer({ plugins: [displaySystemManagement({ displaySystem: displaySystem as never })] })
  const { SystemStatus: _, ...unknown } = DISPLAY
  const lacking = await t.throwsAsync(start({ ...DISPLAYS, DisplaySubsystemSequence: [unknown] }), { code: 'DICOMTAP_ERR_PLG_OPTIONS' })
  t.regex(lacking.message, /DisplaySubsystemSequence.*SystemStatus/)
  const wrong = await t.throwsAsync(start({ ...DISPLAYS, NumberOfDisplaySubsystems: 2 }), { code: 'DICOMTAP_ERR_PLG_OPTIONS' })
  t.regex(wrong.message, /NumberOfDisplaySubsystems/)
  const mistyped = await t.throwsAsync(start({ ...DISPLAYS, Stationname: 'READING1' }))
  t.regex(mistyped.message, /Stationname/)
})
