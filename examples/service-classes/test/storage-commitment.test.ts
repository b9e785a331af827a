import { DEFAULT_TRANSFER_SYNTAXES, SopClass, Status, WellKnownInstance, presentationContexts, presentationContextsFor } from '@dicomtap/framework'
import type { Association, DataSet } from '@dicomtap/framework'
import { createTestServer, sampleDataset } from '@dicomtap/framework/testing'
import test from 'ava'
import { storageCommitment } from '../dist/storage-commitment.js'
import { eventCollector } from './support/events.js'
import { associate } from './support/requestor.js'

const SOP_CLASS = SopClass.StorageCommitmentPushModel
const { CTImageStorage, MRImageStorage, UltrasoundImageStorage } = SopClass
const contexts = [...presentationContextsFor([CTImageStorage, MRImageStorage]), ...presentationContexts.storageCommitment]

/** An archive that takes CT and MR, whatever it does with them. */
function archive(options: Parameters<typeof storageCommitment>[0] = {}) {
  return createTestServer({
    aeTitle: 'ARCHIVE',
    plugins: [storageCommitment(options)],
    contexts: [CTImageStorage, MRImageStorage].map((abstractSyntax) => ({ abstractSyntax, transferSyntaxes: DEFAULT_TRANSFER_SYNTAXES })),
    handlers: { cStore: ({ affectedSopInstanceUid }) => (affectedSopInstanceUid === '2.25.666' ? 0xa700 : 0x0000) },
  })
}

/** The same modality, as it listens for results. */
function modality(events: ReturnType<typeof eventCollector>) {
  return createTestServer({
    aeTitle: 'EXAMPLE-SCU',
    contexts: [{ abstractSyntax: SOP_CLASS, transferSyntaxes: DEFAULT_TRANSFER_SYNTAXES, roles: { scu: false, scp: true } }],
    handlers: { nEventReport: events.nEventReport },
  })
}

function reference(sopClassUid: string, sopInstanceUid: string): DataSet {
  return { ReferencedSOPClassUID: sopClassUid, ReferencedSOPInstanceUID: sopInstanceUid }
}

function request(association: Association, transactionUid: string, references: DataSet[], other: object = {}) {
  return association.nAction({
    requestedSopClassUid: SOP_CLASS,
    requestedSopInstanceUid: WellKnownInstance.StorageCommitmentPushModelInstance,
    actionTypeId: 1,
    actionInformation: { TransactionUID: transactionUid, ReferencedSOPSequence: references },
    ...other,
  })
}

async function store(association: Association, ...uids: string[]): Promise<void> {
  for (const sopInstanceUid of uids) await association.cStore(sampleDataset('ct', { sopInstanceUid }))
}

test('what was stored is committed: event 1 on the association that is still open', async (t) => {
  await using server = await archive()
  const events = eventCollector()
  const received: unknown[] = []
  const association = await associate(t, server, {
    contexts,
    handlers: { nEventReport: events.nEventReport, dimseReceived: ({ command }) => received.push(command.commandField) },
  })
  await store(association, '2.25.1', '2.25.2')
  received.length = 0
  const references = [reference(CTImageStorage, '2.25.1'), reference(CTImageStorage, '2.25.2')]
  t.is((await request(association, '2.25.100', references)).status, 0x0000)
  const [event] = await events.take(1)
  t.like(event, { eventTypeId: 1, sopInstanceUid: '1.2.840.10008.1.20.1.1', callingAeTitle: 'EXAMPLE-SCU' })
  t.deepEqual(event?.information, { TransactionUID: '2.25.100', ReferencedSOPSequence: references })
  // N-ACTION-RSP, then N-EVENT-REPORT-RQ
  t.deepEqual(received, [0x8130, 0x0100])
})

test('what is not safe is named with its reason: event 2', async (t) => {
  await using server = await archive()
  const events = eventCollector()
  const association = await associate(t, server, { contexts, handlers: { nEventReport: events.nEventReport } })
  await store(association, '2.25.1', '2.25.666')
  const references = [
    reference(CTImageStorage, '2.25.1'),
    reference(MRImageStorage, '2.25.1000'),
    reference(CTImageStorage, '2.25.666'),
    reference(UltrasoundImageStorage, '2.25.7'),
  ]
  t.is((await request(association, '2.25.100', references)).status, 0x0000)
  const [event] = await events.take(1)
  t.is(event?.eventTypeId, 2)
  t.deepEqual(event?.information?.['ReferencedSOPSequence'], [references[0]])
  t.deepEqual(event?.information?.['FailedSOPSequence'], [
    { ...references[1], FailureReason: 0x0112 },
    { ...references[2], FailureReason: 0x0112 },
    { ...references[3], FailureReason: 0x0122 },
  ])

  t.is((await request(association, '2.25.101', [reference(MRImageStorage, '2.25.1')])).status, 0x0000)
  const [conflict] = await events.take(1)
  t.is(conflict?.eventTypeId, 2)
  t.deepEqual(conflict?.information, {
    TransactionUID: '2.25.101',
    FailedSOPSequence: [{ ...reference(MRImageStorage, '2.25.1'), FailureReason: 0x0119 }],
  })
})

test('a Transaction UID is good for one request: 0131, also for what is safe', async (t) => {
  await using server = await archive()
  const events = eventCollector()
  const association = await associate(t, server, { contexts, handlers: { nEventReport: events.nEventReport } })
  await store(association, '2.25.1')
  const references = [reference(CTImageStorage, '2.25.1')]
  await request(association, '2.25.100', references)
  await request(association, '2.25.100', references)
  const [first, second] = await events.take(2)
  t.is(first?.eventTypeId, 1)
  t.is(second?.eventTypeId, 2)
  t.deepEqual(second?.information?.['FailedSOPSequence'], [{ ...references[0], FailureReason: 0x0131 }])
})

test('the result comes on an association of its own, on which the SCP has asked for its role', async (t) => {
  const events = eventCollector()
  await using listener = await modality(events)
  await using server = await archive({ newAssociation: true, requestors: { 'EXAMPLE-SCU': { host: '127.0.0.1', port: listener.port } } })
  const association = await associate(t, server, { contexts, calledAeTitle: 'VAULT' })
  await store(association, '2.25.1')
  t.is((await request(association, '2.25.100', [reference(CTImageStorage, '2.25.1')])).status, 0x0000)
  const [event] = await events.take(1)
  // PS3.4 J.3.3.1.2 note 2: under the title that the requestor called.
  t.like(event, { eventTypeId: 1, callingAeTitle: 'VAULT', abstractSyntax: SOP_CLASS })
})

test('the requestor has left meanwhile: the result follows it', async (t) => {
  const events = eventCollector()
  await using listener = await modality(events)
  await using server = await archive({ requestors: { 'EXAMPLE-SCU': { host: '127.0.0.1', port: listener.port } } })
  const association = await associate(t, server, {
    contexts,
    handlers: {
      nEventReport: (_, operation) => {
        operation.association.abort()
        return undefined
      },
    },
  })
  t.is((await request(association, '2.25.100', [reference(CTImageStorage, '2.25.1')])).status, 0x0000)
  const [event] = await events.take(1)
  t.like(event, { eventTypeId: 2, callingAeTitle: 'ANY-SCP' })
})

test('a server that closes says first what it has promised to say', async (t) => {
  const events = eventCollector()
  await using listener = await modality(events)
  await using server = await archive({ newAssociation: true, requestors: { 'EXAMPLE-SCU': { host: '127.0.0.1', port: listener.port } } })
  const association = await associate(t, server, { contexts })
  await request(association, '2.25.100', [reference(CTImageStorage, '2.25.1')])
  await server.ae.close()
  t.is(events.waiting, 1)
})

test('N-ACTION: 0112, 0115 and 0123, and then no event', async (t) => {
  await using server = await archive()
  const events = eventCollector()
  const association = await associate(t, server, { contexts, handlers: { nEventReport: events.nEventReport } })
  const one = reference(CTImageStorage, '2.25.1')
  t.is((await request(association, '2.25.1', [one], { requestedSopInstanceUid: '2.25.9' })).status, Status.NoSuchSopInstance)
  t.is((await request(association, '2.25.1', [one], { actionTypeId: 2 })).status, Status.NoSuchAction)
  for (const [transactionUid, references] of [
    ['', [one]],
    ['2.25.1', []],
    ['2.25.1', [one, one]],
    ['2.25.1', [reference(CTImageStorage, '')]],
  ] as const) {
    const { status, errorComment } = await request(association, transactionUid, [...references])
    t.is(status, Status.InvalidArgumentValue, errorComment ?? '')
  }
  await request(association, '2.25.1', [one])
  t.is((await events.take(1))[0]?.information?.['TransactionUID'], '2.25.1')
  t.is(events.waiting, 0)
})
