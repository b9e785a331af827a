import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { connect as connectTls, createServer as createTlsServer } from 'node:tls'
import type { ConnectionOptions } from 'node:tls'
import test from 'ava'
import type { ExecutionContext } from 'ava'
import { ApplicationEntity, AssociationRejectedError, DEFAULT_TRANSFER_SYNTAXES, DicomtapError, SopClass, TransferSyntax, VIDEO_TRANSFER_SYNTAXES } from '@dicomtap/framework'
import type { AssociateOptions, Association, AssociationAbortedError, RequestedContext } from '@dicomtap/framework'
import { createTestServer, ScriptedPeer } from '@dicomtap/framework/testing'
import { CERTIFICATE, KEY } from '../fixtures/tls.ts'
import { closeRequestors, established, requested } from '../support/requested.ts'
import type { Requested } from '../support/requested.ts'

test.after.always(closeRequestors)

const CT = SopClass.CTImageStorage
const IMPLICIT = TransferSyntax.ImplicitVRLittleEndian
const EXPLICIT = TransferSyntax.ExplicitVRLittleEndian

async function failure(t: ExecutionContext, promise: Promise<unknown>): Promise<DicomtapError> {
  return (await t.throwsAsync(promise, { instanceOf: DicomtapError })) as DicomtapError
}

test('the request carries what was asked for, item by item (PS3.8 9.3.2, PS3.7 D.3.3)', async (t) => {
  const side = requested({
    callingAeTitle: 'OTHER',
    contexts: [
      { abstractSyntax: CT, transferSyntaxes: [EXPLICIT, IMPLICIT], roles: { scu: true, scp: true } },
      { abstractSyntax: CT, transferSyntaxes: [IMPLICIT], roles: { scu: true, scp: true } },
      { abstractSyntax: SopClass.Verification },
    ],
    asynchronousOperations: { invoked: 8, performed: 0 },
    userIdentity: { type: 2, primaryField: 'müller', secondaryField: Buffer.from([1, 2]), positiveResponseRequested: true },
    sopClassExtended: [{ sopClassUid: CT, serviceClassApplicationInformation: Buffer.from([2, 0, 3, 0, 1, 0]) }],
    sopClassCommonExtended: [{ sopClassUid: '1.2.3.4', serviceClassUid: '1.2.840.10008.4.2', relatedGeneralSopClassUids: [CT] }],
    limits: { maximumPduBytes: 20_000 },
  })
  const request = await side.peer.acceptAssociation()
  const { implementationClassUid, implementationVersionName } = side.ae
  t.deepEqual(
    { ...request, userInformation: request.userInformation.map((item) => ({ ...item })) },
    {
      type: 'A-ASSOCIATE-RQ',
      protocolVersion: 1,
      calledAeTitle: 'PACS',
      callingAeTitle: 'OTHER',
      applicationContextName: '1.2.840.10008.3.1.1.1',
      presentationContexts: [
        { id: 1, abstractSyntax: CT, transferSyntaxes: [EXPLICIT, IMPLICIT] },
        { id: 3, abstractSyntax: CT, transferSyntaxes: [IMPLICIT] },
        // The default: PS3.5 10, the uncompressed ones.
        {
          id: 5,
          abstractSyntax: '1.2.840.10008.1.1',
          transferSyntaxes: ['1.2.840.10008.1.2.1', '1.2.840.10008.1.2', '1.2.840.10008.1.2.1.99', '1.2.840.10008.1.2.2'],
        },
      ],
      userInformation: [
        { type: 0x51, maximumLengthReceived: 20_000 },
        { type: 0x52, implementationClassUid },
        { type: 0x55, implementationVersionName: implementationVersionName ?? '' },
        { type: 0x53, maximumNumberOperationsInvoked: 8, maximumNumberOperationsPerformed: 0 },
        // One role item per SOP class, however many contexts it has.
        { type: 0x54, sopClassUid: CT, scuRole: true, scpRole: true },
        { type: 0x56, sopClassUid: CT, serviceClassApplicationInformation: Uint8Array.of(2, 0, 3, 0, 1, 0) },
        { type: 0x57, subItemVersion: 0, sopClassUid: '1.2.3.4', serviceClassUid: '1.2.840.10008.4.2', relatedGeneralSopClassUids: [CT] },
        {
          type: 0x58,
          userIdentityType: 2,
          positiveResponseRequested: true,
          primaryField: new TextEncoder().encode('müller'),
          secondaryField: Uint8Array.of(1, 2),
        },
      ],
    },
  )
  await side.association
})

test('what was agreed is what the association says, and the hooks fire in order', async (t) => {
  const side = requested({
    contexts: [
      { abstractSyntax: CT, transferSyntaxes: [EXPLICIT, IMPLICIT] },
      { abstractSyntax: SopClass.MRImageStorage, transferSyntaxes: [IMPLICIT] },
      { abstractSyntax: SopClass.Verification, transferSyntaxes: [IMPLICIT] },
    ],
    asynchronousOperations: { invoked: 8, performed: 4 },
  })
  await side.peer.acceptAssociation({
    // Titles of an A-ASSOCIATE-AC are reserved and not tested (PS3.8 9.3.3).
    calledAeTitle: 'X',
    presentationContexts: [
      { id: 1, result: 0, transferSyntax: IMPLICIT },
      { id: 3, result: 4, transferSyntax: '' },
    ],
    userInformation: [
      { type: 0x51, maximumLengthReceived: 4_096 },
      { type: 0x52, implementationClassUid: '2.25.9' },
      { type: 0x55, implementationVersionName: 'PEER' },
      // Wider than proposed: the proposal holds (PS3.7 D.3.3.3.2).
      { type: 0x53, maximumNumberOperationsInvoked: 0, maximumNumberOperationsPerformed: 2 },
      { type: 0x59, serverResponse: Buffer.from('token') },
    ],
  })
  const association = await side.association
  t.deepEqual(association.acceptedContexts, [{ id: 1, abstractSyntax: CT, transferSyntax: IMPLICIT, asScu: true, asScp: false }])
  t.deepEqual(association.rejectedContexts, [
    { id: 3, abstractSyntax: SopClass.MRImageStorage, result: 4 },
    // Left out of the answer.
    { id: 5, abstractSyntax: SopClass.Verification, result: 2 },
  ])
  t.deepEqual(association.asynchronousOperations, { invoked: 8, performed: 2 })
  t.is(association.role, 'requestor')
  t.is(association.server, undefined)
  t.is(association.state, 'established')
  t.is(association.calledAeTitle, 'PACS')
  t.is(association.peerAeTitle, 'PACS')
  t.like(association.acceptor, { aeTitle: 'PACS', maximumLength: 4_096, implementationClassUid: '2.25.9', implementationVersionName: 'PEER' })
  t.like(association.requestor, { aeTitle: 'SCU', maximumLength: 262_144 })
  t.is(Buffer.from(association.userIdentityResponse ?? '').toString(), 'token')
  t.deepEqual(side.ae.activeAssociations, [association])
  t.deepEqual(side.happened, ['connectionOpened', 'associationRequested', 'associationAccepted', 'associationEstablished'])

  const released = association.release()
  t.deepEqual(await side.peer.receivePdu(), { type: 'A-RELEASE-RQ' })
  await side.peer.sendPdu({ type: 'A-RELEASE-RP' })
  await released
  t.true(association.isReleased)
  t.deepEqual(side.happened.slice(4), ['associationReleased', 'connectionClosed'])
  t.deepEqual(side.ae.activeAssociations, [])
})

test('without an item in the answer there is no window', async (t) => {
  const { association } = await established({ asynchronousOperations: { invoked: 8, performed: 8 } })
  t.deepEqual(association.asynchronousOperations, { invoked: 1, performed: 1 })
})

/** PS3.7 D.3.3.4: proposal x reply of scu and scp; the roles of the requestor, `rejected` when it has none. */
const ROLES: readonly (readonly [proposal: string, reply: string, outcome: string])[] = [
  ['none', 'none', 'scu'],
  ['none', 'TT', 'scu'],
  ['none', 'FT', 'scu'],
  ['TT', 'none', 'scu'],
  ['TT', 'TT', 'both'],
  ['TT', 'TF', 'scu'],
  ['TT', 'FT', 'scp'],
  ['TT', 'FF', 'rejected'],
  ['TF', 'none', 'scu'],
  ['TF', 'TT', 'scu'],
  ['TF', 'TF', 'scu'],
  ['TF', 'FT', 'rejected'],
  ['TF', 'FF', 'rejected'],
  ['FT', 'none', 'scu'],
  ['FT', 'TT', 'scp'],
  ['FT', 'TF', 'rejected'],
  ['FT', 'FT', 'scp'],
  ['FT', 'FF', 'rejected'],
]

test('the role outcome table, whole', async (t) => {
  for (const [proposal, reply, outcome] of ROLES) {
    const roles = proposal === 'none' ? {} : { roles: { scu: proposal[0] === 'T', scp: proposal[1] === 'T' } }
    const contexts: RequestedContext[] = [{ abstractSyntax: CT, transferSyntaxes: [IMPLICIT], ...roles }, { abstractSyntax: SopClass.Verification }]
    const side = requested({ contexts })
    const item = { type: 0x54, sopClassUid: CT, scuRole: reply[0] === 'T', scpRole: reply[1] === 'T' } as const
    await side.peer.acceptAssociation({
      userInformation: [{ type: 0x51, maximumLengthReceived: 0 }, { type: 0x52, implementationClassUid: '2.25.2' }, ...(reply === 'none' ? [] : [item])],
    })
    const association = await side.association
    const context = association.acceptedContexts.find(({ id }) => id === 1)
    const name = context === undefined ? 'rejected' : context.asScu && context.asScp ? 'both' : context.asScu ? 'scu' : 'scp'
    t.is(name, outcome, `${proposal} x ${reply}`)
    if (outcome === 'rejected') t.deepEqual(association.rejectedContexts, [{ id: 1, abstractSyntax: CT, result: 1 }])
  }
})

test('a rejection is an error with result, source, reason and their words', async (t) => {
  const side = requested()
  await side.peer.receivePdu()
  await side.peer.sendPdu({ type: 'A-ASSOCIATE-RJ', result: 1, source: 1, reason: 7 })
  const error = (await failure(t, side.association)) as AssociationRejectedError
  t.true(error instanceof AssociationRejectedError)
  t.is(error.code, 'DICOMTAP_ERR_ACSE_REJECTED')
  t.deepEqual([error.result, error.source, error.reason], [1, 1, 7])
  t.is(error.message, 'PACS at pacs:104 rejected the association: permanent, service-user: called AE title not recognized')
  await side.peer.receiveClose()
  t.deepEqual(side.happened, ['connectionOpened', 'associationRequested', 'associationRejected', 'connectionClosed'])
  t.deepEqual(side.ae.activeAssociations, [])
})

const ENDINGS: readonly (readonly [string, (side: Requested) => Promise<void>, Partial<AssociationAbortedError>])[] = [
  [
    'an abort by the peer',
    (side) => side.peer.sendPdu({ type: 'A-ABORT', source: 0, reason: 0 }),
    { code: 'DICOMTAP_ERR_ACSE_ABORTED', message: 'PACS at pacs:104 aborted the association: service-user', source: 0, by: 'peer' },
  ],
  [
    'an abort by the provider of the peer',
    (side) => side.peer.sendPdu({ type: 'A-ABORT', source: 2, reason: 6 }),
    {
      code: 'DICOMTAP_ERR_ACSE_ABORTED',
      message: 'PACS at pacs:104 aborted the association: service-provider: invalid PDU parameter value',
      source: 2,
      reason: 6,
    },
  ],
  [
    'a lost connection',
    async (side) => side.peer.destroy(),
    { code: 'DICOMTAP_ERR_ACSE_ABORTED', by: 'network', source: undefined },
  ],
  [
    'a PDU that cannot come now',
    (side) => side.peer.sendPdu({ type: 'A-RELEASE-RP' }),
    { code: 'DICOMTAP_ERR_ACSE_ABORTED', by: 'local', source: 2, reason: 2 },
  ],
]

for (const [what, end, expected] of ENDINGS) {
  test(`${what} before the answer`, async (t) => {
    const side = requested()
    await side.peer.receivePdu()
    await end(side)
    const error = await failure(t, side.association)
    t.like(error, expected)
    t.is(side.happened.filter((name) => name === 'associationAborted').length, 1)
    t.false(side.happened.includes('associationEstablished'))
  })
}

test('an answer to a context that was not proposed, or with another transfer syntax, is aborted: invalid parameter value', async (t) => {
  const answers = [
    [{ id: 3, result: 0, transferSyntax: IMPLICIT }],
    [{ id: 1, result: 0, transferSyntax: TransferSyntax.JPEGBaseline8Bit }],
  ]
  for (const presentationContexts of answers) {
    const side = requested()
    await side.peer.acceptAssociation({ presentationContexts })
    t.like(await failure(t, side.association), { code: 'DICOMTAP_ERR_ACSE_ABORTED', by: 'local', source: 2, reason: 6 })
    t.deepEqual(await side.peer.receivePdu(), { type: 'A-ABORT', source: 2, reason: 6 })
  }
})

test('an answer with two transfer syntaxes in one context is no PDU of PS3.8 9.3.3.2', async (t) => {
  const side = requested()
  await side.peer.receivePdu()
  const transferSyntax = Buffer.concat([Buffer.from([0x40, 0, 0, 17]), Buffer.from(IMPLICIT)])
  const context = Buffer.concat([Buffer.from([1, 0, 0, 0]), transferSyntax, transferSyntax])
  const items = Buffer.concat([Buffer.from([0x21, 0, 0, context.length]), context])
  const fixed = Buffer.alloc(68)
  fixed.writeUInt16BE(1)
  const header = Buffer.from([2, 0, 0, 0, 0, 0])
  header.writeUInt32BE(fixed.length + items.length, 2)
  await side.peer.send(header, fixed, items)
  t.like(await failure(t, side.association), { code: 'DICOMTAP_ERR_ACSE_ABORTED', by: 'local', source: 2 })
  t.deepEqual(await side.peer.receivePdu(), { type: 'A-ABORT', source: 2, reason: 5 })
})

test('no context accepted: the association is aborted, and the error says so', async (t) => {
  const side = requested()
  await side.peer.acceptAssociation({ presentationContexts: [{ id: 1, result: 3, transferSyntax: '' }] })
  t.like(await failure(t, side.association), {
    code: 'DICOMTAP_ERR_ACSE_CONTEXT',
    message: 'PACS accepted none of the proposed presentation contexts',
  })
  t.deepEqual(await side.peer.receivePdu(), { type: 'A-ABORT', source: 0, reason: 0 })
})

test('a peer that does not answer is aborted after the ACSE time-out', async (t) => {
  const side = requested({ timeouts: { acseMs: 30 } })
  await side.peer.receivePdu()
  t.is((await failure(t, side.association)).code, 'DICOMTAP_ERR_ACSE_TIMEOUT')
  t.deepEqual(await side.peer.receivePdu(), { type: 'A-ABORT', source: 2, reason: 0 })
})

test('nobody listens, the name is unknown: one error, with the reason as its cause', async (t) => {
  // tcpmux (RFC 1078), which nobody serves. A port that was just free may be somebody's by now.
  const port = 1
  const { ae } = requested()
  ae.unbind('outgoingConnection', ae.handlers('outgoingConnection')[0] as never)
  const target = { contexts: [{ abstractSyntax: CT }] }
  const refused = await failure(t, ae.associate({ ...target, host: '127.0.0.1', port }))
  t.is(refused.code, 'DICOMTAP_ERR_NET_CONNECT')
  t.is(refused.message, `Cannot connect to 127.0.0.1:${port}: connect ECONNREFUSED 127.0.0.1:${port}`)
  t.is((refused.cause as NodeJS.ErrnoException).code, 'ECONNREFUSED')
  const misbound = await failure(t, ae.associate({ ...target, host: '127.0.0.1', port, localAddress: 'nowhere' }))
  t.is(misbound.code, 'DICOMTAP_ERR_NET_CONNECT')
  t.deepEqual(ae.activeAssociations.filter(({ remoteAddress }) => remoteAddress === '127.0.0.1'), [])
})

test('a signal gives the attempt up, and aborts the association later', async (t) => {
  const early = AbortSignal.abort('enough')
  const refused = await failure(t, requested({ signal: early }).association)
  t.like(refused, { code: 'DICOMTAP_ERR_ACSE_ABORTED', cause: 'enough' })

  const during = new AbortController()
  const side = requested({ signal: during.signal })
  await side.peer.receivePdu()
  during.abort('enough')
  t.like(await failure(t, side.association), { code: 'DICOMTAP_ERR_ACSE_ABORTED', cause: 'enough' })
  t.deepEqual(await side.peer.receivePdu(), { type: 'A-ABORT', source: 0, reason: 0 })

  const after = new AbortController()
  const { association, peer } = await established({ signal: after.signal })
  after.abort()
  t.true(association.isAborted)
  t.deepEqual(await peer.receivePdu(), { type: 'A-ABORT', source: 0, reason: 0 })
})

const BAD_OPTIONS: readonly (readonly [Partial<AssociateOptions> | Record<string, unknown>, RegExp])[] = [
  [{ contexts: [] }, /at least one presentation context/],
  [{ contexts: Array.from({ length: 129 }, () => ({ abstractSyntax: CT })) }, /contexts: at most 128 fit an association, got 129/],
  [{ contexts: [{ abstractSyntax: 'CT' }] }, /contexts\[0\]\.abstractSyntax: must be a UID/],
  [{ contexts: [{ abstractSyntax: CT, transferSyntaxes: [] }] }, /contexts\[0\]\.transferSyntaxes: must have at least 1 entry/],
  [{ contexts: [{ abstractSyntax: CT, roles: { scu: false, scp: false } }] }, /one of scu and scp must be true/],
  [
    { contexts: [{ abstractSyntax: CT, roles: { scu: true, scp: true } }, { abstractSyntax: CT, roles: { scu: true, scp: false } }] },
    /contexts\[1\]\.roles: another context of 1\.2\.840\.10008\.5\.1\.4\.1\.1\.2 proposes other roles/,
  ],
  [{ calledAeTitle: 'SEVENTEEN_LETTERS' }, /calledAeTitle: must be an AE title/],
  [{ callingAeTitle: '' }, /callingAeTitle: must be an AE title/],
  [{ port: 0 }, /port: must be 1 to 65535/],
  [{ asynchronousOperations: { invoked: 65_536, performed: 1 } }, /asynchronousOperations\.invoked: must be 0 to 65535/],
  [{ userIdentity: { type: 2, primaryField: 'u' } }, /secondaryField: is missing/],
  [{ userIdentity: { type: 1, primaryField: 'u', secondaryField: 'p' } }, /only type 2 has a passcode/],
  [{ userIdentity: { type: 6, primaryField: 'u' } }, /userIdentity\.type: must be 1 to 5/],
  [{ calledAETitle: 'X' }, /calledAETitle: is not an option; did you mean/],
  [{ timeouts: { acseMs: -1 } }, /timeouts\.acseMs: must be/],
]

test('options that no request can be made of are refused at once, with the option named', async (t) => {
  for (const [options, message] of BAD_OPTIONS) {
    const side = requested(options)
    const error = await failure(t, side.association)
    t.is(error.code, 'DICOMTAP_ERR_ACSE_REQUEST', String(message))
    t.regex(error.message, message)
    t.deepEqual(side.happened, [])
  }
})

test('handlers that are none are refused before a connection is there', async (t) => {
  const side = requested({ handlers: { cEcko: () => 0, cStore: 'x' } as never })
  const { code, message } = await failure(t, side.association)
  t.is(code, 'DICOMTAP_ERR_ACSE_REQUEST')
  t.deepEqual(message.split('\n'), ['handlers.cEcko: is not an option; did you mean cEcho?', 'handlers.cStore: must be a function, got "x"'])
  t.deepEqual(side.happened, [])
})

test('an association says of itself what the AE does not: implementation class UID and version name', async (t) => {
  const { association } = await established({ implementationClassUid: '2.25.7', implementationVersionName: 'OTHER' })
  t.like(association.requestor, { implementationClassUid: '2.25.7', implementationVersionName: 'OTHER' })
  t.like(association.settings, { implementationClassUid: '2.25.7', implementationVersionName: 'OTHER' })
  const silent = await established({ implementationVersionName: null })
  t.is(silent.association.requestor?.implementationVersionName, undefined)
  t.is(silent.association.requestor?.implementationClassUid, silent.ae.implementationClassUid)
  const wrong = requested({ implementationClassUid: '1.02', implementationVersionName: 'more than 16 characters' })
  t.deepEqual((await failure(t, wrong.association)).message.split('\n').map((line) => line.split(':')[0]), ['implementationClassUid', 'implementationVersionName'])
})

test('a bad user identity is not shown', async (t) => {
  const side = requested({ userIdentity: { type: 2, primaryField: 'u', secondaryField: 'hunter2'.repeat(20_000) } })
  t.notRegex((await failure(t, side.association)).message, /hunter2/)
})

test('items that fit one by one and not together are refused before the connection', async (t) => {
  const sopClassExtended = Array.from({ length: 3 }, (_, index) => ({
    sopClassUid: `1.2.3.${index}`,
    serviceClassApplicationInformation: Buffer.alloc(30_000),
  }))
  const side = requested({ sopClassExtended })
  t.is((await failure(t, side.association)).code, 'DICOMTAP_ERR_ACSE_REQUEST')
})

test('tls without a plugin for it: an error, never plain TCP', async (t) => {
  const { ae } = requested()
  ae.unbind('outgoingConnection', ae.handlers('outgoingConnection')[0] as never)
  const error = await failure(t, ae.associate({ host: '127.0.0.1', port: 1, tls: {}, contexts: [{ abstractSyntax: CT }] }))
  t.is(error.code, 'DICOMTAP_ERR_TLS_UNAVAILABLE')
})

test('outgoingAssociation changes what is proposed, and what it throws reaches the caller', async (t) => {
  const side = requested({}, {})
  side.ae.bind('outgoingAssociation', (options) => ({ ...options, calledAeTitle: 'ELSEWHERE', asynchronousOperations: { invoked: 3, performed: 1 } }))
  const request = await side.peer.acceptAssociation()
  t.is(request.calledAeTitle, 'ELSEWHERE')
  t.deepEqual(request.userInformation.find(({ type }) => type === 0x53), {
    type: 0x53,
    maximumNumberOperationsInvoked: 3,
    maximumNumberOperationsPerformed: 1,
  })
  await side.association

  const failing = requested()
  failing.ae.bind('outgoingAssociation', () => {
    throw new Error('no such site')
  })
  const error = await failure(t, failing.association)
  t.is(error.code, 'DICOMTAP_ERR_HOOK_FAILED')
})

test('associationAnswer may find the answer wanting; nothing of the peer is performed before it has decided', async (t) => {
  const order: string[] = []
  let decide!: (refusal: string | undefined) => void
  const decision = new Promise<string | undefined>((resolve) => (decide = resolve))
  const side = requested({
    contexts: [{ abstractSyntax: SopClass.Verification, transferSyntaxes: [IMPLICIT], roles: { scu: true, scp: true } }],
    handlers: {
      associationAnswer: async () => {
        order.push('asked')
        return decision
      },
      cEcho: () => {
        order.push('performed')
        return 0
      },
      associationEstablished: () => {
        order.push('established')
      },
    },
  })
  await side.peer.acceptAssociation({
    userInformation: [
      { type: 0x51, maximumLengthReceived: 0 },
      { type: 0x52, implementationClassUid: '2.25.2' },
      { type: 0x54, sopClassUid: SopClass.Verification, scuRole: true, scpRole: true },
    ],
  })
  await side.peer.sendMessage(1, { commandField: 0x30, messageId: 7, affectedSopClassUid: SopClass.Verification, commandDataSetType: 0x101 })
  await new Promise((resolve) => setImmediate(resolve))
  decide(undefined)
  await side.association
  t.like((await side.peer.receiveMessage()).command, { commandField: 0x8030, messageIdBeingRespondedTo: 7, status: 0 })
  t.deepEqual(order, ['asked', 'established', 'performed'])

  const refused = requested({ handlers: { associationAnswer: () => 'the server token does not verify' } })
  await refused.peer.acceptAssociation()
  t.like(await failure(t, refused.association), {
    code: 'DICOMTAP_ERR_ACSE_ABORTED',
    message: 'No association with PACS at pacs:104: the server token does not verify',
  })
  t.deepEqual(await refused.peer.receivePdu(), { type: 'A-ABORT', source: 0, reason: 0 })
})

test('release collision: the requestor answers first, then waits (AR-8, AR-9, AR-3)', async (t) => {
  const { association, peer } = await established()
  const released = association.release()
  t.deepEqual(await peer.receivePdu(), { type: 'A-RELEASE-RQ' })
  await peer.sendPdu({ type: 'A-RELEASE-RQ' })
  t.deepEqual(await peer.receivePdu(), { type: 'A-RELEASE-RP' })
  await peer.sendPdu({ type: 'A-RELEASE-RP' })
  await released
  t.true(association.isReleased)
})

test('a peer that does not confirm a release is aborted after the ACSE time-out', async (t) => {
  const { association, peer } = await established({ timeouts: { acseMs: 500 } })
  const released = association.release()
  t.deepEqual(await peer.receivePdu(), { type: 'A-RELEASE-RQ' })
  t.deepEqual(await peer.receivePdu(), { type: 'A-ABORT', source: 2, reason: 0 })
  peer.destroy()
  await released
  t.true(association.isAborted)
})

test('a release and an abort by the peer end the association', async (t) => {
  const releasing = await established()
  await releasing.peer.sendPdu({ type: 'A-RELEASE-RQ' })
  t.deepEqual(await releasing.peer.receivePdu(), { type: 'A-RELEASE-RP' })
  await releasing.peer.close()
  await releasing.association.closed
  t.true(releasing.association.isReleased)

  const aborting = await established()
  await aborting.peer.sendPdu({ type: 'A-ABORT', source: 0, reason: 0 })
  await aborting.association.closed
  t.true(aborting.association.isAborted)
})

test('await using releases; one that has ended already is left alone', async (t) => {
  const { association, peer } = await established()
  const confirmed = peer.receivePdu().then((pdu) => {
    t.deepEqual(pdu, { type: 'A-RELEASE-RQ' })
    return peer.sendPdu({ type: 'A-RELEASE-RP' })
  })
  {
    await using used = association
    t.true(used.isEstablished)
  }
  await confirmed
  t.true(association.isReleased)
  await association[Symbol.asyncDispose]()
})

test('idle for too long: aborted, or released when that is asked for', async (t) => {
  const aborted = await established({ timeouts: { networkMs: 1_500 } })
  t.deepEqual(await aborted.peer.receivePdu(), { type: 'A-ABORT', source: 2, reason: 0 })

  const { association, peer } = await established({ timeouts: { networkMs: 1_500 }, networkTimeoutAction: 'release' })
  t.deepEqual(await peer.receivePdu(), { type: 'A-RELEASE-RQ' })
  await peer.sendPdu({ type: 'A-RELEASE-RP' })
  await association.closed
  t.true(association.isReleased)
})

test('close releases what this side requested', async (t) => {
  const { ae, association, peer } = await established()
  const closed = ae.close()
  t.deepEqual(await peer.receivePdu(), { type: 'A-RELEASE-RQ' })
  await peer.sendPdu({ type: 'A-RELEASE-RP' })
  await closed
  t.true(association.isReleased)
  const late = await t.throwsAsync(ae.associate({ host: 'pacs', port: 104, contexts: [{ abstractSyntax: CT }] }))
  t.is((late as DicomtapError).code, 'DICOMTAP_ERR_ACSE_REQUEST')
})

test('preClose may still associate, to finish what was begun; after it nobody may', async (t) => {
  const told: string[] = []
  await using peer = await createTestServer({
    contexts: [{ abstractSyntax: CT, transferSyntaxes: DEFAULT_TRANSFER_SYNTAXES }],
    handlers: { associationEstablished: ({ association }) => told.push(association.callingAeTitle) },
  })
  const ae = new ApplicationEntity({ aeTitle: 'CLOSING', logLevel: 'silent' })
  const options = { host: '127.0.0.1', port: peer.port, contexts: [{ abstractSyntax: CT }] }
  ae.bind('preClose', async () => {
    await using association = await ae.associate(options)
    t.true(association.isEstablished)
  })
  await ae.close()
  t.deepEqual(told, ['CLOSING'])
  await t.throwsAsync(ae.associate(options), { code: 'DICOMTAP_ERR_ACSE_REQUEST' })
})

test('requested contexts are kept by the AE: added, listed, removed, replaced', async (t) => {
  const { ae } = requested()
  ae.addRequestedContext(CT, [EXPLICIT])
  ae.addRequestedContext(CT, [IMPLICIT], { scu: true, scp: true })
  ae.addRequestedContext(SopClass.Verification)
  t.deepEqual(ae.requestedContexts, [
    { abstractSyntax: CT, transferSyntaxes: [EXPLICIT] },
    { abstractSyntax: CT, transferSyntaxes: [IMPLICIT], roles: { scu: true, scp: true } },
    { abstractSyntax: SopClass.Verification },
  ])
  ae.removeRequestedContext(CT, [EXPLICIT])
  ae.removeRequestedContext('1.2.3')
  t.deepEqual(ae.requestedContexts.map(({ abstractSyntax }) => abstractSyntax), [CT, SopClass.Verification])
  ae.removeRequestedContext(SopClass.Verification, [EXPLICIT, TransferSyntax.ExplicitVRBigEndian])
  t.deepEqual(ae.requestedContexts[1]?.transferSyntaxes, [IMPLICIT, TransferSyntax.DeflatedExplicitVRLittleEndian])
  ae.requestedContexts = Array.from({ length: 128 }, () => ({ abstractSyntax: CT }))
  const error = t.throws(() => ae.addRequestedContext(CT)) as DicomtapError
  t.is(error.code, 'DICOMTAP_ERR_ACSE_REQUEST')
  t.is(ae.requestedContexts.length, 128)

  await using server = await createTestServer({ contexts: [{ abstractSyntax: CT, transferSyntaxes: [EXPLICIT] }] })
  const own = server.ae
  own.addRequestedContext(CT)
  await using association = await own.associate({ host: '127.0.0.1', port: server.port })
  t.deepEqual(association.proposedContexts.map(({ abstractSyntax }) => abstractSyntax), [CT])
})

test('a video class without transfer syntaxes is proposed with its codecs, and accepted with any', async (t) => {
  const VIDEO = SopClass.VideoEndoscopicImageStorage
  const side = requested({ contexts: [{ abstractSyntax: VIDEO }, { abstractSyntax: CT }] })
  const { presentationContexts } = await side.peer.acceptAssociation()
  t.deepEqual(presentationContexts.map(({ transferSyntaxes }) => transferSyntaxes), [VIDEO_TRANSFER_SYNTAXES, DEFAULT_TRANSFER_SYNTAXES])

  await using server = await createTestServer()
  server.ae.addSupportedContext(VIDEO)
  server.ae.addRequestedContext(VIDEO)
  server.ae.removeRequestedContext(VIDEO, [TransferSyntax.MPEG4HP41])
  t.deepEqual(server.ae.requestedContexts[0]?.transferSyntaxes, VIDEO_TRANSFER_SYNTAXES.filter((uid) => uid !== TransferSyntax.MPEG4HP41))
  // Whatever the order it is proposed in, a video is taken as it is.
  const proposals = [[EXPLICIT], [EXPLICIT, TransferSyntax.HEVCMP51], [TransferSyntax.MPEG2MPML], [TransferSyntax.JPEGBaseline8Bit]]
  await using association = await server.ae.associate({
    host: '127.0.0.1',
    port: server.port,
    contexts: proposals.map((transferSyntaxes) => ({ abstractSyntax: VIDEO, transferSyntaxes })),
  })
  t.deepEqual(association.acceptedContexts.map(({ id, transferSyntax }) => [id, transferSyntax]), [
    [1, EXPLICIT],
    [3, TransferSyntax.HEVCMP51],
    [5, TransferSyntax.MPEG2MPML],
  ])
})

test('128 contexts get the odd IDs from 1 to 255', async (t) => {
  const side = requested({ contexts: Array.from({ length: 128 }, (_, index) => ({ abstractSyntax: `1.2.3.${index + 1}` })) })
  const { presentationContexts } = await side.peer.acceptAssociation()
  t.deepEqual(presentationContexts.map(({ id }) => id), Array.from({ length: 128 }, (_, index) => 2 * index + 1))
  t.is((await side.association).acceptedContexts.length, 128)
})

test('associations of this side do not count against the limit for peers', async (t) => {
  await using server = await createTestServer({ limits: { maximumAssociations: 1 }, contexts: [{ abstractSyntax: SopClass.Verification, transferSyntaxes: [IMPLICIT] }] })
  const options = { host: '127.0.0.1', port: server.port, contexts: [{ abstractSyntax: SopClass.Verification }] }
  // To itself: one requested, one accepted.
  const first: Association = await server.ae.associate(options)
  t.is(server.ae.activeAssociations.length, 2)
  const error = await failure(t, server.ae.associate(options))
  t.like(error, { code: 'DICOMTAP_ERR_ACSE_REJECTED', result: 2, source: 3, reason: 2 })
  await first.release()
})

test('a secure connection by a handler: the association begins when the handshake is over', async (t) => {
  await using server = await createTestServer({ contexts: [{ abstractSyntax: CT, transferSyntaxes: [EXPLICIT] }] })
  const secure = createTlsServer({ key: KEY, cert: CERTIFICATE }, (socket) => {
    server.server.inject(socket)
  })
  secure.listen(0, '127.0.0.1')
  await once(secure, 'listening')
  const { port } = secure.address() as AddressInfo
  server.ae.bind('outgoingConnection', ({ host, port, tls }) => connectTls({ host, port, ...(tls as ConnectionOptions) }))
  const target = { host: '127.0.0.1', port, contexts: [{ abstractSyntax: CT }] }
  const association = await server.ae.associate({ ...target, tls: { ca: CERTIFICATE } })
  t.true(association.isEstablished)
  await association.release()

  const distrusted = await failure(t, server.ae.associate({ ...target, tls: {} }))
  t.is(distrusted.code, 'DICOMTAP_ERR_NET_CONNECT')
  t.regex(distrusted.message, /self-signed certificate/)
  secure.close()
})

test('an A-ABORT with a reset right behind it is heard, also when a write fails of the reset first', async (t) => {
  // As DCMTK aborts inside a data set: it closes with bytes of ours unread.
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const ae = new ApplicationEntity({ aeTitle: 'SCU', logLevel: 'silent' })
  t.teardown(() => ae.close({ deadlineMs: 0 }))
  const connected = once(server, 'connection') as Promise<[Socket]>
  const associated = ae.associate({
    host: '127.0.0.1',
    port: (server.address() as AddressInfo).port,
    contexts: [{ abstractSyntax: SopClass.Verification, transferSyntaxes: [IMPLICIT] }],
  })
  const [socket] = await connected
  const peer = new ScriptedPeer(socket)
  await peer.acceptAssociation()
  const association = await associated
  const ended: unknown[] = []
  association.bind('associationAborted', ({ by, source, reason }) => ended.push({ by, source, reason }))

  let echo: Promise<unknown> | undefined
  socket.once('close', () => {
    // Both are there, and neither was looked at: the event loop has not come round.
    echo = association.cEcho()
    echo.catch(() => {})
  })
  socket.pause()
  socket.write(Buffer.from('07000000000400000206', 'hex'))
  socket.resetAndDestroy()
  await association.closed
  // Service-provider, invalid PDU parameter value (PS3.8 table 9-26).
  t.deepEqual(ended, [{ by: 'peer', source: 2, reason: 6 }])
  const error = await t.throwsAsync(echo ?? Promise.resolve(), { code: 'DICOMTAP_ERR_ACSE_ABORTED' })
  t.like(error?.cause, { by: 'peer', source: 2, reason: 6 })
})
