import { ProductCharacteristics, QueryStatus, SubstanceApproval, presentationContexts } from '@dicomtap/framework'
import type { DataSet } from '@dicomtap/framework'
import { createTestServer } from '@dicomtap/framework/testing'
import test from 'ava'
import { substanceAdministration } from '../dist/substance-administration.js'
import { all, associate, hex } from './support/requestor.js'

const INTRAVENOUS = [{ CodeValue: '47625008', CodingSchemeDesignator: 'SCT', CodeMeaning: 'Intravenous route' }]
const plugins = [
  substanceAdministration({
    products: [{ ProductPackageIdentifier: '0401', ProductName: 'Contrast', Manufacturer: 'Maker', ProductLotIdentifier: 'L1' }],
    approvals: [
      {
        PatientID: 'P1',
        AdmissionID: 'V1',
        ProductPackageIdentifier: '0401',
        AdministrationRouteCodeSequence: INTRAVENOUS,
        SubstanceAdministrationApproval: 'CONTRA_INDICATED',
        ApprovalStatusFurtherDescription: 'Renal function',
      },
    ],
  }),
]
const contexts = presentationContexts.substanceAdministration

test('what is in the package', async (t) => {
  await using server = await createTestServer({ plugins })
  const association = await associate(t, server, { contexts })
  const { Find: model } = ProductCharacteristics
  const responses = await all(association.cFind({ ProductPackageIdentifier: '0401', ProductName: '', Manufacturer: '' }, { model }))
  t.deepEqual(responses.map(({ status }) => hex(status)), ['FF00', '0000'])
  t.deepEqual(responses[0]?.identifier, { Manufacturer: 'Maker', ProductPackageIdentifier: '0401', ProductName: 'Contrast' })
  const unsupported = await all(association.cFind({ ProductPackageIdentifier: '0401', PatientID: 'P1' }, { model }))
  t.deepEqual(unsupported.map(({ status }) => hex(status)), ['FF01', '0000'])
  for (const pattern of ['', '04*']) {
    const [answer] = await all(association.cFind({ ProductPackageIdentifier: pattern }, { model }))
    t.like(answer, { status: QueryStatus.IdentifierMismatch, offendingElements: [0x00440001] })
  }
})

test('may this patient have it', async (t) => {
  await using server = await createTestServer({ plugins })
  const association = await associate(t, server, { contexts })
  const { Find: model } = SubstanceApproval
  const query = {
    ProductPackageIdentifier: '0401',
    AdministrationRouteCodeSequence: [{ CodeValue: '47625008', CodingSchemeDesignator: 'SCT' }],
    SubstanceAdministrationApproval: '',
    ApprovalStatusFurtherDescription: '',
  }
  for (const who of [{ PatientID: 'P1' }, { AdmissionID: 'V1' }]) {
    const responses = await all(association.cFind({ ...query, ...who }, { model }))
    t.deepEqual(responses.map(({ status }) => hex(status)), ['FF00', '0000'])
    t.like(responses[0]?.identifier, { SubstanceAdministrationApproval: 'CONTRA_INDICATED', ApprovalStatusFurtherDescription: 'Renal function' })
  }
  const nobodyDecided = await all(association.cFind({ ...query, PatientID: 'P2' }, { model }))
  t.deepEqual(nobodyDecided.map(({ status }) => hex(status)), ['0000'])

  const cases: [query: DataSet, offendingElements: number[]][] = [
    [query, [0x00100020, 0x00380010]],
    [{ ...query, PatientID: 'P1', ProductPackageIdentifier: '' }, [0x00440001]],
    [{ ...query, PatientID: 'P1', AdministrationRouteCodeSequence: [] }, [0x00540302]],
  ]
  for (const [wrong, offendingElements] of cases) {
    const [answer] = await all(association.cFind(wrong, { model }))
    t.like(answer, { status: QueryStatus.IdentifierMismatch, offendingElements })
  }
})
