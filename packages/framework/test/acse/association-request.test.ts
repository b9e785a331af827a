import { inspect } from 'node:util'
import test from 'ava'
import { StatusError } from '../../dist/errors/index.js'
import type { AAssociateAc } from '../../dist/pdu/types.js'
import type { SopClassExtended, UserItem } from '../../dist/pdu/user-items/types.js'
import { associateRequest, createTestServer, hookRecorder } from '../../dist/testing/index.js'
import type { AssociateRequestOptions, ScriptedPeer, TestServerOptions } from '../../dist/testing/index.js'
import { connected, deferred, settle, turnsUntil } from '../support/connections.ts'
import { CT_IMAGE, IMPLICIT_LE, VERIFICATION } from '../support/uids.ts'

const VERIFICATION_CONTEXT = { abstractSyntax: VERIFICATION, transferSyntaxes: [IMPLICIT_LE] }

/** The answer to an association request, as `1,1,7` of a rejection or the items of an accept. */
async function answer(peer: ScriptedPeer, request?: AssociateRequestOptions): Promise<string | AAssociateAc> {
  const pdu = await peer.requestAssociation(request)
  if (pdu.type === 'A-ASSOCIATE-RJ') return `${pdu.result},${pdu.source},${pdu.reason}`
  return pdu.type === 'A-ASSOCIATE-AC' ? pdu : JSON.stringify(pdu)
}

function itemsOf(accept: string | AAssociateAc, type: number): UserItem[] {
  return typeof accept === 'string' ? [] : accept.userInformation.filter((item) => item.type === type)
}

// ── rejections (PS3.8 table 9-21) ───────────────────────────────────────────────────────────────────────

test('checks run in order and the first that fails ends them: no handler runs for a peer that is refused', async (t) => {
  const asked: string[] = []
  await using server = await createTestServer({
    aeTitle: 'ARCHIVE',
    requireCalledAeTitle: true,
    requireCallingAeTitles: ['FRIEND'],
    rejectWhenNoContext: true,
    contexts: [VERIFICATION_CONTEXT],
    limits: { maximumAssociations: 1 },
    handlers: {
      associationRequest: ({ request }) => {
        asked.push('associationRequest')
        return request.userInformation.some(({ type }) => type === 0x55) ? undefined : { result: 2, source: 1, reason: 1 }
      },
      userIdentity: (identity) => {
        asked.push('userIdentity')
        return { verified: identity.primaryField.length > 0 }
      },
    },
  })
  const identity = (name: string): UserItem => ({
    type: 0x58,
    userIdentityType: 1,
    positiveResponseRequested: false,
    primaryField: Buffer.from(name),
    secondaryField: new Uint8Array(0),
  })
  // Everything wrong; then one thing after the other is put right.
  let request: AssociateRequestOptions = {
    protocolVersion: 2,
    applicationContextName: '1.2.840.10008.3.1.1.2',
    calledAeTitle: 'OTHER',
    callingAeTitle: 'STRANGER',
    maximumLength: 6,
    contexts: [[CT_IMAGE]],
    userInformation: [identity('')],
  }
  const steps: [expected: string, asks: string[], right: AssociateRequestOptions][] = [
    ['1,2,2', [], { protocolVersion: 1 }],
    ['1,1,2', [], { applicationContextName: '1.2.840.10008.3.1.1.1' }],
    ['1,1,7', [], { calledAeTitle: 'ARCHIVE' }],
    ['1,1,3', [], { callingAeTitle: 'FRIEND' }],
    ['1,2,1', [], { maximumLength: 7 }],
    ['2,1,1', ['associationRequest'], { userInformation: [{ type: 0x55, implementationVersionName: 'V' }, identity('')] }],
    [
      '2,2,1',
      ['associationRequest', 'userIdentity'],
      { userInformation: [{ type: 0x55, implementationVersionName: 'V' }, identity('alice')] },
    ],
    ['1,1,1', ['associationRequest', 'userIdentity'], { contexts: [[VERIFICATION]] }],
  ]
  for (const [expected, asks, right] of steps) {
    asked.length = 0
    using peer = connected(server)
    t.is(await answer(peer, request), expected)
    t.deepEqual(asked, asks, expected)
    request = { ...request, ...right }
  }
  using peer = connected(server)
  t.like(await answer(peer, request), { type: 'A-ASSOCIATE-AC' })
  asked.length = 0
  using second = connected(server)
  t.is(await answer(second, request), '2,3,2', 'the limit comes before the handlers')
  t.deepEqual(asked, [])
})

test('a protocol version that is not supported is told as every other rejection, and no handler is asked', async (t) => {
  const asked: string[] = []
  await using server = await createTestServer({ handlers: { associationRequest: () => void asked.push('associationRequest') } })
  using recorder = hookRecorder(server.ae)
  const told: string[][] = []
  for (const wrong of [{ protocolVersion: 2 }, { applicationContextName: '1.2.3' }]) {
    using peer = connected(server)
    // PS3.8 9.3.4: rejected permanently (1), by the service provider, ACSE (2): protocol version not supported (2).
    t.is(await answer(peer, wrong), 'protocolVersion' in wrong ? '1,2,2' : '1,1,2')
    const { association } = await recorder.next('associationRejected')
    t.is(association.state, 'rejected')
    t.deepEqual(server.ae.activeAssociations, [])
    t.is(association.callingAeTitle, 'TEST-SCU')
    peer.destroy()
    await recorder.next('connectionClosed')
    t.true(association.isRejected)
    const names = recorder.events.filter(({ associationId }) => associationId === association.id).map(({ hook }) => hook)
    told.push(names.filter((name) => name !== 'stateChanged'))
  }
  const [first, second] = told
  t.deepEqual(first, second)
  t.deepEqual(first, [
    'connectionOpened', 'pduReceived', 'acseReceived', 'associationRequested', 'pduSent', 'acseSent', 'associationRejected', 'connectionClosed',
  ])
  t.like(recorder.of('associationRejected')[0], { result: 1, source: 2, reason: 2, why: 'its protocol version is not supported: bit 0 is not set' })
  t.like(recorder.of('acseReceived')[0]?.primitive, { type: 'A-ASSOCIATE-RQ', protocolVersion: 2 })
  t.deepEqual(recorder.of('acseSent')[0]?.primitive, { type: 'A-ASSOCIATE-RJ', result: 1, source: 2, reason: 2 })
  t.deepEqual(asked, [])
})

for (const act of ['abort', 'kill'] as const) {
  test(`${act} while a wrong protocol version is told: one end, and nothing is left`, async (t) => {
    await using server = await createTestServer({ handlers: { associationRequested: ({ association }) => void association[act]() } })
    using recorder = hookRecorder(server.ae)
    using peer = connected(server)
    await peer.sendPdu(associateRequest({ protocolVersion: 2 }))
    // The rejection is under way: an abort changes nothing of it, a kill cuts the connection.
    if (act === 'abort') t.like(await peer.receivePdu(), { type: 'A-ASSOCIATE-RJ' })
    await peer.close()
    await recorder.next('connectionClosed')
    t.is(recorder.of('associationAborted').length, 0)
    t.is(recorder.of('associationRejected').length, act === 'abort' ? 1 : 0)
    t.is(server.server.connections, 0)
    t.deepEqual(server.logged('error'), [])
  })
}

test('what associationRequest answers is what the peer gets, for every triple of table 9-21', async (t) => {
  const triples = [
    [1, 1, 1], [1, 1, 2], [1, 1, 3], [1, 1, 7], [2, 1, 1], [2, 1, 2], [2, 1, 3], [2, 1, 7],
    [1, 2, 1], [1, 2, 2], [2, 2, 1], [2, 2, 2],
    [1, 3, 1], [1, 3, 2], [2, 3, 1], [2, 3, 2],
  ] as const
  let triple: readonly [number, number, number] = [0, 0, 0]
  await using server = await createTestServer({
    handlers: {
      associationRequest: async () => ({ result: triple[0] as 1, source: triple[1] as 1, reason: triple[2] }),
    },
  })
  using recorder = hookRecorder(server.ae)
  for (triple of triples) {
    using peer = connected(server)
    t.is(await answer(peer), triple.join())
    const [result, source, reason] = triple
    t.like(await recorder.next('associationRejected'), { result, source, reason, why: 'a handler of associationRequest refused it' })
  }
})

test('why a handler refuses is for the log; the peer gets the three numbers', async (t) => {
  await using server = await createTestServer({
    contexts: [VERIFICATION_CONTEXT],
    handlers: { authorization: () => ({ result: 1, source: 1, reason: 3, why: 'not on the list' }) },
  })
  using recorder = hookRecorder(server.ae, ['associationRejected', 'acseSent'])
  using peer = connected(server)
  t.is(await answer(peer), '1,1,3')
  t.like(await recorder.next('associationRejected'), { result: 1, source: 1, reason: 3, why: 'not on the list' })
  t.deepEqual((await recorder.next('acseSent')).primitive, { type: 'A-ASSOCIATE-RJ', result: 1, source: 1, reason: 3 })
})

const ODD_ANSWERS: Readonly<Record<string, unknown>> = {
  'a triple that is not in the table': { result: 3, source: 1, reason: 1 },
  'a reason of another source': { result: 1, source: 2, reason: 7 },
  'true': true,
  'a number': 1,
  'a text': 'no',
  'a triple of texts': { result: '1', source: '1', reason: '1' },
}

for (const [name, value] of Object.entries(ODD_ANSWERS)) {
  test(`associationRequest that answers ${name} lets nobody in: 2,1,1`, async (t) => {
    await using server = await createTestServer({ handlers: { associationRequest: () => value as never } })
    using peer = connected(server)
    t.is(await answer(peer), '2,1,1')
  })
}

for (const [name, fail] of Object.entries({
  throws: () => {
    throw new Error('the database is away')
  },
  rejects: () => Promise.reject(new Error('the database is away')),
  'throws a status': () => {
    throw new StatusError(0xa700)
  },
})) {
  test(`associationRequest that ${name} lets nobody in: 2,1,1`, async (t) => {
    await using server = await createTestServer({ handlers: { associationRequest: fail } })
    using recorder = hookRecorder(server.ae)
    using peer = connected(server)
    t.is(await answer(peer), '2,1,1')
    t.is((await recorder.next('associationRejected')).why, 'a handler of associationRequest failed')
  })
}

test('associationRequest that answers null or undefined has not answered', async (t) => {
  for (const value of [null, undefined]) {
    await using server = await createTestServer({ handlers: { associationRequest: () => value as never } })
    using peer = connected(server)
    t.like(await answer(peer), { type: 'A-ASSOCIATE-AC' })
  }
})

test('acceptedContexts that fails, or answers no list, lets nobody in', async (t) => {
  for (const handler of [
    () => {
      throw new Error('no')
    },
    () => 'all of them' as never,
    () => [null] as never,
  ]) {
    await using server = await createTestServer({ contexts: [VERIFICATION_CONTEXT], handlers: { acceptedContexts: handler } })
    using peer = connected(server)
    t.is(await answer(peer), '2,1,1')
  }
})

// ── limits ──────────────────────────────────────────────────────────────────────────────────────────────

test('the association limit is transient, counts every listener of the AE, and a place that is free again is given again', async (t) => {
  await using server = await createTestServer({ limits: { maximumAssociations: 2 } })
  const second = await server.ae.listen({ port: 0, host: '127.0.0.1' })
  using recorder = hookRecorder(server.ae)
  using a = connected(server)
  using b = connected({ server: second })
  using c = connected(server)
  await a.associate()
  await b.associate()
  t.is(await answer(c), '2,3,2')
  t.is(server.ae.activeAssociations.length, 2)
  t.is(server.server.activeAssociations.length, 1)
  t.is(second.activeAssociations.length, 1)
  await a.release()
  await recorder.next('associationReleased')
  using d = connected(server)
  t.like(await answer(d), { type: 'A-ASSOCIATE-AC' })
  b.destroy()
  await recorder.next('associationAborted')
  using e = connected(server)
  t.like(await answer(e), { type: 'A-ASSOCIATE-AC' })
})

test('an association that is being negotiated has its place', async (t) => {
  const { promise, resolve } = deferred<undefined>()
  await using server = await createTestServer({ limits: { maximumAssociations: 1 }, handlers: { associationRequest: () => promise } })
  using first = connected(server)
  const accepted = first.associate()
  await turnsUntil(() => server.ae.activeAssociations.length === 1)
  using second = connected(server)
  t.is(await answer(second), '2,3,2')
  resolve(undefined)
  await accepted
  t.pass()
})

test.serial('connections that say nothing are limited, and those silent for long make room; who speaks is heard', async (t) => {
  const realNow = Date.now
  t.teardown(() => {
    Date.now = realNow
  })
  await using server = await createTestServer({ limits: { maximumPendingAssociations: 2 } })
  using silent = connected(server)
  using other = connected(server)
  using third = connected(server)
  t.like(await answer(third), { type: 'A-ASSOCIATE-AC' }, 'nobody has been silent for long, and who has asked waits no more')
  t.false(silent.isClosed)
  Date.now = () => realNow() + 2_000
  using fourth = connected(server)
  t.like(await answer(fourth), { type: 'A-ASSOCIATE-AC' })
  await silent.receiveClose()
  t.false(other.isClosed)
})

test('of far too many that say nothing the oldest go, however young they are', async (t) => {
  await using server = await createTestServer({ limits: { maximumPendingAssociations: 1 } })
  const silent = Array.from({ length: 1_100 }, () => connected(server))
  using peer = connected(server)
  t.like(await answer(peer), { type: 'A-ASSOCIATE-AC' })
  t.true(silent[0]?.isClosed)
  t.false(silent.at(-1)?.isClosed)
  for (const one of silent) one.destroy()
})

// ── titles ──────────────────────────────────────────────────────────────────────────────────────────────

test('titles are compared without the spaces around them, and case counts', async (t) => {
  await using server = await createTestServer({
    aeTitle: 'ARCHIVE',
    requireCalledAeTitle: true,
    requireCallingAeTitles: ['MR 1', 'CT'],
  })
  const cases: [called: string, calling: string, expected: string | undefined][] = [
    ['ARCHIVE', 'CT', undefined],
    ['  ARCHIVE', ' MR 1', undefined],
    ['ARCHIVE\0\0', 'CT\0', undefined],
    ['archive', 'CT', '1,1,7'],
    ['ARCHIVE2', 'CT', '1,1,7'],
    ['', 'CT', '1,1,7'],
    ['ARCHIVE', 'ct', '1,1,3'],
    ['ARCHIVE', 'MR  1', '1,1,3'],
    ['ARCHIVE', '', '1,1,3'],
  ]
  for (const [calledAeTitle, callingAeTitle, expected] of cases) {
    using peer = connected(server)
    const got = await answer(peer, { calledAeTitle, callingAeTitle })
    if (expected === undefined) t.like(got, { type: 'A-ASSOCIATE-AC' }, `${calledAeTitle} from ${callingAeTitle}`)
    else t.is(got, expected, `${calledAeTitle} from ${callingAeTitle}`)
  }
})

test('a listener has its own title when it is given one', async (t) => {
  await using server = await createTestServer({ aeTitle: 'ONE', requireCalledAeTitle: true, listener: { aeTitle: 'TWO' } })
  t.is(server.server.aeTitle, 'TWO')
  using wrong = connected(server)
  t.is(await answer(wrong, { calledAeTitle: 'ONE' }), '1,1,7')
  using right = connected(server)
  t.like(await answer(right, { calledAeTitle: 'TWO' }), { type: 'A-ASSOCIATE-AC' })
})

test('without a requirement any titles are taken, and the accept echoes them', async (t) => {
  await using server = await createTestServer({ aeTitle: 'ARCHIVE' })
  for (const [calledAeTitle, callingAeTitle] of [
    ['', ''],
    ['SOMEBODY ELSE', 'SIXTEEN LETTERS!'],
    ['\\', 'ÄÖÜ'],
  ] as const) {
    using peer = connected(server)
    t.like(await answer(peer, { calledAeTitle, callingAeTitle }), { type: 'A-ASSOCIATE-AC', calledAeTitle, callingAeTitle })
  }
})

// ── what the accept says about this side ────────────────────────────────────────────────────────────────

test('the accept names protocol version, application context, maximum length and implementation', async (t) => {
  await using server = await createTestServer({
    implementationClassUid: '1.2.3.4',
    implementationVersionName: 'TEST_1',
    limits: { maximumPduBytes: 32_768 },
  })
  using peer = connected(server)
  const accept = await peer.associate({ protocolVersion: 3 })
  t.is(accept.protocolVersion, 1)
  t.is(accept.applicationContextName, '1.2.840.10008.3.1.1.1')
  t.deepEqual(accept.userInformation, [
    { type: 0x51, maximumLengthReceived: 32_768 },
    { type: 0x52, implementationClassUid: '1.2.3.4' },
    { type: 0x55, implementationVersionName: 'TEST_1' },
  ])
})

test('a version name of null is left out, a maximum length of 0 is announced as such', async (t) => {
  await using server = await createTestServer({ implementationVersionName: null, limits: { maximumPduBytes: 0 } })
  using peer = connected(server)
  const accept = await peer.associate()
  t.deepEqual(
    accept.userInformation.map(({ type }) => type),
    [0x51, 0x52],
  )
  t.like(accept.userInformation[0], { maximumLengthReceived: 0 })
})

test('a request without user information, and with items nobody knows, is accepted', async (t) => {
  await using server = await createTestServer({ contexts: [VERIFICATION_CONTEXT] })
  using peer = connected(server)
  const unknown: UserItem = { type: 0x5f, unknown: true, data: Uint8Array.of(1, 2, 3) }
  await peer.associate({ userInformation: [unknown] })
  const [association] = server.ae.activeAssociations
  t.deepEqual(association?.requestor?.userInformation.at(-1), unknown)
  using bare = connected(server)
  await bare.sendPdu({
    type: 'A-ASSOCIATE-RQ',
    protocolVersion: 1,
    calledAeTitle: 'A',
    callingAeTitle: 'B',
    applicationContextName: '1.2.840.10008.3.1.1.1',
    presentationContexts: [{ id: 1, abstractSyntax: VERIFICATION, transferSyntaxes: [IMPLICIT_LE] }],
    userInformation: [],
  })
  t.is((await bare.receivePdu()).type, 'A-ASSOCIATE-AC')
  t.is(server.ae.activeAssociations[1]?.requestor?.maximumLength, 0, 'no maximum length means no limit')
})

test('both sides are described to plugins', async (t) => {
  await using server = await createTestServer({ aeTitle: 'ARCHIVE', implementationClassUid: '1.2.3.4', implementationVersionName: 'TEST_1' })
  using peer = connected(server)
  await peer.associate({
    calledAeTitle: 'ARCHIVE',
    callingAeTitle: 'CT',
    maximumLength: 4_096,
    userInformation: [{ type: 0x55, implementationVersionName: 'PEER_9' }],
  })
  const [association] = server.ae.activeAssociations
  t.like(association?.requestor, { aeTitle: 'CT', maximumLength: 4_096, implementationClassUid: '2.25.1', implementationVersionName: 'PEER_9' })
  t.like(association?.acceptor, {
    aeTitle: 'ARCHIVE',
    maximumLength: 262_144,
    implementationClassUid: '1.2.3.4',
    implementationVersionName: 'TEST_1',
  })
  t.is(association?.callingAeTitle, 'CT')
  t.is(association?.remoteAddress, '127.0.0.1')
})

test('what a side proposed or answered is read without a search, and a passcode is not printed', async (t) => {
  const roles = [{ sopClassUid: CT_IMAGE, scuRole: true, scpRole: true }]
  const extended = { type: 0x56, sopClassUid: CT_IMAGE, serviceClassApplicationInformation: Uint8Array.of(2) } as const
  const common = { type: 0x57, subItemVersion: 0, sopClassUid: '1.2.3', serviceClassUid: '1.2.840.10008.4.2', relatedGeneralSopClassUids: [CT_IMAGE] } as const
  const identity = {
    type: 0x58,
    userIdentityType: 2,
    positiveResponseRequested: true,
    primaryField: new TextEncoder().encode('alice'),
    secondaryField: new TextEncoder().encode('hunter2'),
  } as const
  // As text, as the hexadecimal of a Buffer, as the numbers of an array.
  const passcode = /hunter2|68 ?75 ?6e ?74|104,\s*117/i
  await using server = await createTestServer({
    contexts: [{ abstractSyntax: CT_IMAGE, transferSyntaxes: [IMPLICIT_LE], roles: { scu: true, scp: false } }],
    handlers: {
      asyncOperations: () => ({ invoked: 2, performed: 1 }),
      sopClassExtended: (proposed) => proposed,
      userIdentity: () => ({ verified: true }),
    },
  })
  using peer = connected(server)
  const window = { type: 0x53, maximumNumberOperationsInvoked: 8, maximumNumberOperationsPerformed: 1 } as const
  await peer.associate({ contexts: [[CT_IMAGE]], roles, userInformation: [window, extended, common, identity] })
  const { requestor, acceptor } = server.ae.activeAssociations[0]!
  t.deepEqual(requestor?.asynchronousOperations, { invoked: 8, performed: 1 })
  t.deepEqual(requestor?.roleSelection, roles)
  t.deepEqual(requestor?.sopClassExtended, [extended])
  t.deepEqual(requestor?.sopClassCommonExtended, [common])
  t.deepEqual(requestor?.userIdentity, identity)
  t.deepEqual(acceptor?.asynchronousOperations, { invoked: 2, performed: 1 })
  t.deepEqual(acceptor?.roleSelection, [{ sopClassUid: CT_IMAGE, scuRole: true, scpRole: false }])
  t.deepEqual(acceptor?.sopClassExtended, [extended])
  t.deepEqual(acceptor?.sopClassCommonExtended, [])
  t.is(acceptor?.userIdentity, undefined)
  t.is(requestor?.userInformation.length, 7)
  for (const printed of [inspect(requestor, { depth: null }), JSON.stringify(requestor)]) {
    t.true(printed.includes('TEST-SCU'), printed)
    t.notRegex(printed, passcode)
  }
  t.regex(inspect(requestor?.userIdentity), passcode, 'whoever asks for it sees it')
})

test('a side that proposed nothing has nothing', async (t) => {
  await using server = await createTestServer()
  using peer = connected(server)
  await peer.associate()
  const { requestor } = server.ae.activeAssociations[0]!
  t.is(requestor?.asynchronousOperations, undefined)
  t.is(requestor?.userIdentity, undefined)
  t.deepEqual([requestor?.roleSelection, requestor?.sopClassExtended, requestor?.sopClassCommonExtended], [[], [], []])
})

// ── user identity (PS3.7 D.3.3.7) ───────────────────────────────────────────────────────────────────────

function userIdentity(userIdentityType: number, positiveResponseRequested = false): UserItem {
  return {
    type: 0x58,
    userIdentityType,
    positiveResponseRequested,
    primaryField: new Uint8Array(Buffer.from('alice')),
    secondaryField: new Uint8Array(Buffer.from(userIdentityType === 2 ? 'secret' : '')),
  }
}

test('types 1 to 5 reach the hook as they were sent; the response goes out when it was asked for', async (t) => {
  const seen: unknown[] = []
  await using server = await createTestServer({
    handlers: {
      userIdentity: (identity) => {
        seen.push(identity)
        return { verified: true, response: Uint8Array.of(0xaa, 0xbb) }
      },
    },
  })
  for (const type of [1, 2, 3, 4, 5]) {
    for (const isAsked of [false, true]) {
      using peer = connected(server)
      const sent = userIdentity(type, isAsked)
      const accept = await answer(peer, { userInformation: [sent] })
      t.deepEqual(seen.pop(), sent)
      // A username has no token to answer with: an empty response says that it was verified.
      const serverResponse = type <= 2 ? new Uint8Array(0) : Uint8Array.of(0xaa, 0xbb)
      t.deepEqual(itemsOf(accept, 0x59), isAsked ? [{ type: 0x59, serverResponse }] : [], `type ${type}`)
    }
  }
})

const IDENTITY_CASES: Readonly<Record<string, { options: TestServerOptions; item: UserItem | undefined; expected: string }>> = {
  'no handler, not required': { options: {}, item: userIdentity(2, true), expected: 'accepted' },
  'no handler, required': { options: { requireUserIdentity: true }, item: userIdentity(2), expected: '2,2,1' },
  'no item, not required': { options: { handlers: { userIdentity: () => ({ verified: false }) } }, item: undefined, expected: 'accepted' },
  'no item, required': {
    options: { requireUserIdentity: true, handlers: { userIdentity: () => ({ verified: true }) } },
    item: undefined,
    expected: '2,2,1',
  },
  refused: { options: { handlers: { userIdentity: () => ({ verified: false }) } }, item: userIdentity(1), expected: '2,2,1' },
  'refused with a rejection of its own': {
    options: { handlers: { userIdentity: async () => ({ verified: false, rejection: { result: 1, source: 1, reason: 3 } }) } },
    item: userIdentity(1),
    expected: '1,1,3',
  },
  'refused with a rejection that is none': {
    options: { handlers: { userIdentity: () => ({ verified: false, rejection: { result: 9, source: 9, reason: 900 } as never }) } },
    item: userIdentity(1),
    expected: '2,2,1',
  },
  'a handler that throws': {
    options: {
      handlers: {
        userIdentity: () => {
          throw new Error('LDAP is away')
        },
      },
    },
    item: userIdentity(1),
    expected: '2,2,1',
  },
  'an answer that is none': { options: { handlers: { userIdentity: () => 'yes' as never } }, item: userIdentity(1), expected: '2,2,1' },
  'verified that is not true': {
    options: { handlers: { userIdentity: () => ({ verified: 'of course' }) as never } },
    item: userIdentity(1),
    expected: '2,2,1',
  },
  'a response that is no bytes': {
    options: { handlers: { userIdentity: () => ({ verified: true, response: 'token' }) as never } },
    item: userIdentity(5, true),
    expected: '2,2,1',
  },
  'a response too long for its item': {
    options: { handlers: { userIdentity: () => ({ verified: true, response: new Uint8Array(70_000) }) } },
    item: userIdentity(5, true),
    expected: '2,2,1',
  },
}

for (const [name, { options, item, expected }] of Object.entries(IDENTITY_CASES)) {
  test(`user identity: ${name}: ${expected}`, async (t) => {
    await using server = await createTestServer(options)
    using peer = connected(server)
    const got = await answer(peer, item === undefined ? {} : { userInformation: [item] })
    if (expected !== 'accepted') {
      t.is(got, expected)
    } else {
      t.like(got, { type: 'A-ASSOCIATE-AC' })
      t.deepEqual(itemsOf(got, 0x59), [])
    }
  })
}

// ── asynchronous operations (PS3.7 D.3.3.3) ─────────────────────────────────────────────────────────────

function asyncWindow(invoked: number, performed: number): UserItem {
  return { type: 0x53, maximumNumberOperationsInvoked: invoked, maximumNumberOperationsPerformed: performed }
}

test('the window answered is never wider than the one proposed; 0 is unlimited', async (t) => {
  const cases: [proposed: [number, number], allowed: [number, number], expected: [number, number]][] = [
    [[5, 3], [8, 8], [5, 3]],
    [[5, 3], [2, 1], [2, 1]],
    [[0, 0], [8, 4], [8, 4]],
    [[5, 3], [0, 0], [5, 3]],
    [[0, 0], [0, 0], [0, 0]],
    [[1, 1], [4, 4], [1, 1]],
  ]
  let allowed: [number, number] = [1, 1]
  await using server = await createTestServer({ handlers: { asyncOperations: () => ({ invoked: allowed[0], performed: allowed[1] }) } })
  for (const [proposed, allowedNow, expected] of cases) {
    allowed = allowedNow
    using peer = connected(server)
    const accept = await answer(peer, { userInformation: [asyncWindow(...proposed)] })
    t.deepEqual(itemsOf(accept, 0x53), [asyncWindow(...expected)], `${proposed.join()} against ${allowedNow.join()}`)
    t.deepEqual(server.ae.activeAssociations.at(-1)?.asynchronousOperations, { invoked: expected[0], performed: expected[1] })
  }
})

test('without an answer there is no item, and one operation at a time', async (t) => {
  const handlers = [
    undefined,
    () => undefined,
    () => {
      throw new Error('no')
    },
    () => Promise.reject(new Error('no')),
    () => ({ invoked: -1, performed: 1 }),
    () => ({ invoked: 1.5, performed: 1 }),
    () => ({ invoked: 1, performed: 70_000 }),
    () => ({ invoked: '4', performed: '4' }),
    () => 4,
  ]
  for (const handler of handlers) {
    await using server = await createTestServer(handler === undefined ? {} : { handlers: { asyncOperations: handler as never } })
    using peer = connected(server)
    const accept = await answer(peer, { userInformation: [asyncWindow(0, 0)] })
    t.like(accept, { type: 'A-ASSOCIATE-AC' }, String(handler))
    t.deepEqual(itemsOf(accept, 0x53), [], String(handler))
    t.deepEqual(server.ae.activeAssociations[0]?.asynchronousOperations, { invoked: 1, performed: 1 })
  }
})

test('asyncOperations is not asked when nothing was proposed', async (t) => {
  await using server = await createTestServer({ handlers: { asyncOperations: () => t.fail() as never } })
  using peer = connected(server)
  t.deepEqual(itemsOf(await answer(peer), 0x53), [])
})

// ── extended negotiation (PS3.7 D.3.3.5, D.3.3.6) ───────────────────────────────────────────────────────

const EXTENDED = { type: 0x56, sopClassUid: CT_IMAGE, serviceClassApplicationInformation: Uint8Array.of(2, 0, 3, 0, 1, 0) } as const
const COMMON = {
  type: 0x57,
  subItemVersion: 0,
  sopClassUid: CT_IMAGE,
  serviceClassUid: '1.2.840.10008.4.2',
  relatedGeneralSopClassUids: [],
} as const

test('extended negotiation is answered with what the handler gives', async (t) => {
  const seen: unknown[] = []
  const reply = { ...EXTENDED, serviceClassApplicationInformation: Uint8Array.of(1) }
  await using server = await createTestServer({
    handlers: {
      sopClassExtended: async (proposed, { request }) => {
        seen.push(proposed, request.callingAeTitle)
        return [reply]
      },
    },
  })
  using peer = connected(server)
  const accept = await answer(peer, { userInformation: [EXTENDED] })
  t.deepEqual(seen, [[EXTENDED], 'TEST-SCU'])
  t.deepEqual(itemsOf(accept, 0x56), [reply])
})

test('extended negotiation without a usable answer gets no item, and the association stands', async (t) => {
  for (const handler of [
    undefined,
    () => undefined,
    () => [],
    () => {
      throw new Error('no')
    },
    () => EXTENDED,
    () => [null],
    () => [{ ...EXTENDED, serviceClassApplicationInformation: 'bytes' }],
    () => [{ ...EXTENDED, sopClassUid: 17 }],
    () => [{ ...EXTENDED, sopClassUid: '1'.repeat(65) }],
    () => [{ ...EXTENDED, serviceClassApplicationInformation: new Uint8Array(70_000) }],
    () => [{ type: 0x51, maximumLengthReceived: 1 }],
  ]) {
    await using server = await createTestServer(handler === undefined ? {} : { handlers: { sopClassExtended: handler as never } })
    using peer = connected(server)
    const accept = await answer(peer, { userInformation: [EXTENDED] })
    t.like(accept, { type: 'A-ASSOCIATE-AC' }, String(handler))
    t.deepEqual(itemsOf(accept, 0x56), [], String(handler))
    t.is(itemsOf(accept, 0x51).length, 1)
  }
})

test('extended items that fit one by one and not all together end the request: 2,1,1', async (t) => {
  const large = { ...EXTENDED, serviceClassApplicationInformation: new Uint8Array(40_000) }
  await using server = await createTestServer({ handlers: { sopClassExtended: () => [large, large] } })
  using peer = connected(server)
  t.is(await answer(peer, { userInformation: [EXTENDED] }), '2,1,1')
})

test('several handlers answer for their own SOP classes, and one that has nothing to say holds up nobody', async (t) => {
  const mine = (uid: string) => (proposed: readonly SopClassExtended[]) => proposed.filter(({ sopClassUid }) => sopClassUid === uid)
  const asked: string[][] = []
  await using server = await createTestServer()
  server.ae.bind('sopClassExtended', () => [])
  server.ae.bind('sopClassExtended', mine('1.2.3'))
  server.ae.bind('sopClassExtended', (proposed) => {
    asked.push(proposed.map(({ sopClassUid }) => sopClassUid))
    return mine('1.2.4')(proposed)
  })
  using peer = connected(server)
  const items = ['1.2.3', '1.2.4', '1.2.5'].map((sopClassUid) => ({ ...EXTENDED, sopClassUid }))
  const accept = await answer(peer, { userInformation: items })
  t.deepEqual(itemsOf(accept, 0x56).map((item) => (item as SopClassExtended).sopClassUid), ['1.2.3', '1.2.4'])
  t.deepEqual(asked, [['1.2.4', '1.2.5'], ['1.2.5']])
})

test('common extended items that a handler accepts are kept with the association; there is no item for the reply', async (t) => {
  await using server = await createTestServer({ handlers: { sopClassCommonExtended: (proposed) => proposed.filter(({ sopClassUid }) => sopClassUid === COMMON.sopClassUid) } })
  using peer = connected(server)
  const accept = await answer(peer, { userInformation: [COMMON, { ...COMMON, sopClassUid: '1.2.3' }] })
  t.deepEqual(itemsOf(accept, 0x57), [])
  t.deepEqual(server.ae.activeAssociations[0]?.acceptedCommonExtended, [COMMON])
  for (const handler of [undefined, () => 'all' as never, () => Promise.reject(new Error('no'))]) {
    await using other = await createTestServer(handler === undefined ? {} : { handlers: { sopClassCommonExtended: handler } })
    using second = connected(other)
    t.like(await answer(second, { userInformation: [COMMON] }), { type: 'A-ASSOCIATE-AC' })
    t.deepEqual(other.ae.activeAssociations[0]?.acceptedCommonExtended, [])
  }
})

test('extended hooks are not asked when nothing was proposed', async (t) => {
  await using server = await createTestServer({
    handlers: { sopClassExtended: () => t.fail() as never, sopClassCommonExtended: () => t.fail() as never, userIdentity: () => t.fail() as never },
  })
  using peer = connected(server)
  t.like(await answer(peer), { type: 'A-ASSOCIATE-AC' })
})

// ── while handlers are asked ────────────────────────────────────────────────────────────────────────────

test('a peer that goes away, or aborts, while a handler decides gets no answer and leaves no place taken', async (t) => {
  for (const leave of [(peer: ScriptedPeer) => peer.destroy(), (peer: ScriptedPeer) => void peer.sendPdu({ type: 'A-ABORT', source: 0, reason: 0 })]) {
    const { promise, resolve } = deferred<undefined>()
    await using server = await createTestServer({ handlers: { associationRequest: () => promise } })
    using recorder = hookRecorder(server.ae)
    using peer = connected(server)
    await peer.sendPdu(associateRequest())
    await recorder.next('associationRequested')
    t.is(server.ae.activeAssociations.length, 1)
    leave(peer)
    await recorder.next('associationAborted')
    await recorder.next('connectionClosed')
    t.is(server.ae.activeAssociations.length, 0)
    resolve(undefined)
    await settle()
    t.deepEqual(
      recorder.names('associationRequested', 'associationAccepted', 'associationEstablished', 'associationAborted', 'connectionClosed'),
      ['associationRequested', 'associationAborted', 'connectionClosed'],
    )
  }
})

test('a handler that never decides: A-ABORT (2, 0) when ARTIM is over, and the place is free', async (t) => {
  await using server = await createTestServer({
    timeouts: { acseMs: 400 },
    limits: { maximumAssociations: 1 },
    handlers: { associationRequest: () => new Promise(() => {}) },
  })
  using recorder = hookRecorder(server.ae)
  using peer = connected(server)
  t.deepEqual(await peer.requestAssociation(), { type: 'A-ABORT', source: 2, reason: 0 })
  t.like(await recorder.next('associationAborted'), { by: 'local', message: 'No handler answered the association request in time' })
  t.is(server.ae.activeAssociations.length, 0)
})
