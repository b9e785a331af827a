import {
  BreastImagingRelevantPatientInformation,
  GeneralRelevantPatientInformation,
  RelevantPatientQueryStatus,
  presentationContexts,
} from '@dicomtap/framework'
import type { DataSet } from '@dicomtap/framework'
import { createTestServer } from '@dicomtap/framework/testing'
import test from 'ava'
import { relevantPatientInformation } from '../dist/relevant-patient-information.js'
import { all, associate, hex } from './support/requestor.js'

const GENERAL = [{ MappingResource: 'DCMR', TemplateIdentifier: '9007' }]

function document(patientId: string, issuer: string): { template: string; dataset: { PatientID: string } & DataSet } {
  return {
    template: '9007',
    dataset: {
      PatientName: 'Doe^John',
      PatientID: patientId,
      IssuerOfPatientID: issuer,
      PatientBirthDate: '19600101',
      PatientSex: 'M',
      ObservationDateTime: '20260101120000',
      ValueType: 'CONTAINER',
      ConceptNameCodeSequence: [{ CodeValue: '121192', CodingSchemeDesignator: 'DCM', CodeMeaning: 'Patient Information' }],
      ContentSequence: [{ RelationshipType: 'CONTAINS', ValueType: 'TEXT', TextValue: 'Allergic to nothing' }],
      PatientComments: 'not asked for',
    },
  }
}

const plugins = [relevantPatientInformation({ documents: [document('1', 'A'), document('2', 'A'), document('2', 'B')] })]
const contexts = presentationContexts.relevantPatientQuery

test('one match, with its content', async (t) => {
  await using server = await createTestServer({ plugins })
  const association = await associate(t, server, { contexts })
  const cases = [
    { PatientID: '1' },
    { PatientID: '2', IssuerOfPatientID: 'B' },
  ]
  for (const keys of cases) {
    const query = { ...keys, ContentTemplateSequence: GENERAL, ContentSequence: [] }
    const responses = await all(association.cFind(query, { model: GeneralRelevantPatientInformation.Find }))
    t.deepEqual(responses.map(({ status }) => hex(status)), ['FF00', '0000'])
    t.like(responses[0]?.identifier, { ...keys, ValueType: 'CONTAINER', ContentTemplateSequence: GENERAL })
    t.like(responses[0]?.identifier?.['ContentSequence'], [{ TextValue: 'Allergic to nothing' }])
    t.false('PatientComments' in (responses[0]?.identifier ?? {}))
  }
  const unknown = await all(association.cFind({ PatientID: '3', ContentTemplateSequence: GENERAL }, { model: GeneralRelevantPatientInformation.Find }))
  t.deepEqual(unknown.map(({ status }) => hex(status)), ['0000'])
})

test('A900, C100 and C200', async (t) => {
  await using server = await createTestServer({ plugins })
  const association = await associate(t, server, { contexts })
  const { IdentifierMismatch, MoreThanOneMatch, TemplateNotSupported } = RelevantPatientQueryStatus
  const cases: [query: DataSet, status: number, label: string][] = [
    [{ PatientID: '', ContentTemplateSequence: GENERAL }, IdentifierMismatch, 'Identifier does not match SOP Class'],
    [{ PatientID: '1*', ContentTemplateSequence: GENERAL }, IdentifierMismatch, 'Identifier does not match SOP Class'],
    [{ PatientID: '1' }, IdentifierMismatch, 'Identifier does not match SOP Class'],
    [{ PatientID: '2', ContentTemplateSequence: GENERAL }, MoreThanOneMatch, 'More than one match found'],
    [
      { PatientID: '1', ContentTemplateSequence: [{ MappingResource: 'DCMR', TemplateIdentifier: '9000' }] },
      TemplateNotSupported,
      'Requested template not supported',
    ],
  ]
  for (const [query, status, label] of cases) {
    const responses = await all(association.cFind(query, { model: GeneralRelevantPatientInformation.Find }))
    t.is(responses.length, 1)
    t.like(responses[0], { status, label, category: 'failure' })
  }
  // The same template is right for no other SOP class.
  const [other] = await all(
    association.cFind({ PatientID: '1', ContentTemplateSequence: GENERAL }, { model: BreastImagingRelevantPatientInformation.Find }),
  )
  t.is(other?.status, TemplateNotSupported)
})
