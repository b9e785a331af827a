import { HangingProtocol, QueryStatus, RetrieveStatus, SopClass, TransferSyntax, encodeDataSet, presentationContextsFor } from '@dicomtap/framework'
import type { Association, DataSet } from '@dicomtap/framework'
import { createTestServer } from '@dicomtap/framework/testing'
import test from 'ava'
import { KINDS, nonPatientObjects } from '../dist/non-patient-objects.js'
import { all, associate, hex } from './support/requestor.js'

/** Contexts of one kind: to store and to be stored to, and to ask. */
function contextsOf({ model, storage }: (typeof KINDS)[keyof typeof KINDS]) {
  return [...presentationContextsFor(Object.values(model)), ...presentationContextsFor(storage, { roles: { scu: true, scp: true } })]
}

const CHEST: DataSet = {
  SOPClassUID: SopClass.HangingProtocolStorage,
  SOPInstanceUID: '2.25.1',
  HangingProtocolName: 'CHEST',
  HangingProtocolLevel: 'SITE',
  HangingProtocolDefinitionSequence: [
    { Modality: 'CR', Laterality: null, AnatomicRegionSequence: [{ CodeValue: '51185008', CodingSchemeDesignator: 'SCT', CodeMeaning: 'Chest' }] },
  ],
  NumberOfPriorsReferenced: 1,
}
const BREAST: DataSet = { ...CHEST, SOPInstanceUID: '2.25.2', HangingProtocolName: 'BREAST', HangingProtocolDefinitionSequence: [{ Modality: 'MG' }] }

async function find(association: Association, query: DataSet) {
  const responses = await all(association.cFind(query, { model: HangingProtocol.Find }))
  return { statuses: responses.map(({ status }) => hex(status)), names: responses.flatMap(({ identifier }) => identifier?.['HangingProtocolName'] ?? []) }
}

test('hanging protocols: store and find', async (t) => {
  await using server = await createTestServer({ plugins: [nonPatientObjects({ kinds: ['hangingProtocol'] })] })
  const association = await associate(t, server, { contexts: contextsOf(KINDS.hangingProtocol) })
  for (const protocol of [CHEST, BREAST]) t.is((await association.cStore(protocol)).status, 0x0000)

  const cases: [query: DataSet, names: string[]][] = [
    [{}, ['CHEST', 'BREAST']],
    [{ HangingProtocolName: '?H*' }, ['CHEST']],
    [{ HangingProtocolDefinitionSequence: [{ Modality: 'MG' }] }, ['BREAST']],
    [{ HangingProtocolDefinitionSequence: [{ AnatomicRegionSequence: [{ CodeValue: '51185008' }] }] }, ['CHEST']],
    [{ SOPInstanceUID: ['2.25.2', '2.25.3'] }, ['BREAST']],
  ]
  for (const [query, names] of cases) {
    t.deepEqual(await find(association, { HangingProtocolName: '', ...query }), { statuses: [...names.map(() => 'FF00'), '0000'], names })
  }
  t.deepEqual((await find(association, { HangingProtocolName: 'CHEST', PatientName: '' })).statuses, ['FF01', '0000'])
  const [withLevel] = await all(association.cFind({ QueryRetrieveLevel: 'IMAGE' }, { model: HangingProtocol.Find }))
  t.like(withLevel, { status: QueryStatus.IdentifierMismatch, offendingElements: [0x00080052] })
})

test('hanging protocols: get and move', async (t) => {
  const moved: string[] = []
  await using workstation = await createTestServer({
    contexts: [{ abstractSyntax: SopClass.HangingProtocolStorage, transferSyntaxes: ['1.2.840.10008.1.2', '1.2.840.10008.1.2.1'] }],
    handlers: { cStore: ({ affectedSopInstanceUid }) => (moved.push(affectedSopInstanceUid), 0x0000) },
  })
  const destinations = { WORKSTATION: { host: '127.0.0.1', port: workstation.port } }
  await using server = await createTestServer({ plugins: [nonPatientObjects({ kinds: ['hangingProtocol'], destinations })] })
  const got: DataSet[] = []
  const association = await associate(t, server, {
    contexts: contextsOf(KINDS.hangingProtocol),
    handlers: { cStore: async ({ dataSet }) => (got.push(await dataSet.dataset()), 0x0000) },
  })
  for (const protocol of [CHEST, BREAST]) await association.cStore(protocol)

  const { Get, Move } = HangingProtocol
  const responses = await all(association.cGet({ SOPInstanceUID: ['2.25.1', '2.25.404'] }, { model: Get }))
  t.like(responses.at(-1), { status: 0x0000, numberOfCompletedSuboperations: 1 })
  t.deepEqual(JSON.parse(JSON.stringify(got)), [CHEST])
  const sent = await all(association.cMove({ SOPInstanceUID: ['2.25.1', '2.25.2'] }, { model: Move, destination: 'WORKSTATION' }))
  t.like(sent.at(-1), { status: 0x0000, numberOfCompletedSuboperations: 2 })
  t.deepEqual(moved.sort(), ['2.25.1', '2.25.2'])

  const [unknown] = await all(association.cMove({ SOPInstanceUID: '2.25.1' }, { model: Move, destination: 'NOWHERE' }))
  t.is(unknown?.status, RetrieveStatus.MoveDestinationUnknown)
  for (const identifier of [{ SOPInstanceUID: '' }, { SOPInstanceUID: '2.25.*' }, { SOPInstanceUID: '2.25.1', QueryRetrieveLevel: 'IMAGE' }]) {
    const [answer] = await all(association.cGet(identifier, { model: Get }))
    t.is(answer?.status, RetrieveStatus.IdentifierMismatch)
  }
})

test('every kind can be stored, found by each of its keys, and fetched', async (t) => {
  await using server = await createTestServer({ plugins: [nonPatientObjects()] })
  for (const kind of Object.values(KINDS)) {
    for (const [index, sopClassUid] of kind.storage.entries()) {
      const uid = `${sopClassUid}.${index}.1`
      const got: string[] = []
      const association = await associate(t, server, {
        contexts: contextsOf(kind),
        handlers: { cStore: ({ affectedSopInstanceUid }) => (got.push(affectedSopInstanceUid), 0x0000) },
      })
      t.is((await association.cStore({ SOPClassUID: sopClassUid, SOPInstanceUID: uid })).status, 0x0000)
      const keys = Object.fromEntries(Object.keys(kind.keys).map((keyword) => [keyword, '']))
      const responses = await all(association.cFind({ ...keys, SOPInstanceUID: uid }, { model: kind.model.Find }))
      t.deepEqual(responses.map(({ status }) => hex(status)), ['FF00', '0000'], kind.model.Find)
      t.deepEqual(Object.keys(responses[0]?.identifier ?? {}).sort(), [...Object.keys(keys), 'SOPInstanceUID'].sort())
      const final = (await all(association.cGet({ SOPInstanceUID: uid }, { model: kind.model.Get }))).at(-1)
      t.like(final, { status: 0x0000, numberOfCompletedSuboperations: 1 })
      t.deepEqual(got, [uid])
    }
  }
})

test('A700 and A900; a kind that is not served gets no context', async (t) => {
  const encoded = await encodeDataSet(CHEST, TransferSyntax.ExplicitVRLittleEndian)
  // Room for one, decoded as well, not for two.
  const maximumBytes = encoded.length + 8_000
  await using server = await createTestServer({ plugins: [nonPatientObjects({ kinds: ['hangingProtocol'], maximumBytes })] })
  const contexts = [...contextsOf(KINDS.hangingProtocol), ...contextsOf(KINDS.inventory)]
  const association = await associate(t, server, { contexts })
  t.true(association.rejectedContexts.some(({ abstractSyntax, result }) => abstractSyntax === SopClass.InventoryStorage && result === 3))
  const otherInstance = await association.cStore({
    sopClassUid: SopClass.HangingProtocolStorage,
    sopInstanceUid: '2.25.9',
    transferSyntaxUid: TransferSyntax.ExplicitVRLittleEndian,
    bytes: () => [encoded],
  })
  t.is(otherInstance.status, 0xa900)
  t.is((await association.cStore(CHEST)).status, 0x0000)
  t.is((await association.cStore(BREAST)).status, 0xa700)
})
