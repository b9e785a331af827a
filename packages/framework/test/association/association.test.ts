import test from 'ava'
import type { ExecutionContext } from 'ava'
import type { Association } from '../../dist/association/association.js'
import type { AcsePrimitive } from '../../dist/hooks/types.js'
import { associateRequest, createTestServer, cutMessage, hookRecorder, testScu } from '../../dist/testing/index.js'
import type { HookRecorder, ScriptedPeer, TestServer, TestServerOptions } from '../../dist/testing/index.js'
import { connected, deferred, settle, turnsUntil } from '../support/connections.ts'
import { IDENTIFIER, PROPOSED, requestOf, SUPPORTED } from '../support/requests.ts'
import { VERIFICATION } from '../support/uids.ts'

interface Sides extends AsyncDisposable {
  readonly server: TestServer
  readonly peer: ScriptedPeer
  readonly recorder: HookRecorder
  readonly association: Association
}

async function established(options: TestServerOptions = {}): Promise<Sides> {
  const server = await createTestServer({ contexts: SUPPORTED, ...options })
  const recorder = hookRecorder(server.ae)
  const peer = connected(server)
  await peer.associate({ contexts: PROPOSED })
  const [association] = server.ae.activeAssociations
  return {
    server,
    peer,
    recorder,
    association: association!,
    async [Symbol.asyncDispose]() {
      peer.destroy()
      await server[Symbol.asyncDispose]()
    },
  }
}

/** What was told about the association's service primitives and its life, in order. */
function story(recorder: HookRecorder): string[] {
  return recorder.events.flatMap(({ hook, event }) => {
    if (hook === 'acseReceived' || hook === 'acseSent') return [`${hook} ${(event as unknown as { primitive: AcsePrimitive }).primitive.type}`]
    return hook.startsWith('association') || hook.startsWith('connection') ? [hook] : []
  })
}

async function checkStory(t: ExecutionContext, { recorder }: Sides, expected: string): Promise<void> {
  await recorder.next('connectionClosed')
  t.deepEqual(story(recorder), expected.trim().split(/\s*\n\s*/))
}

const OPENING = `
  connectionOpened
  acseReceived A-ASSOCIATE-RQ
  associationRequested
  acseSent A-ASSOCIATE-AC
  associationAccepted
  associationEstablished
`

// ── each way an association can go ──────────────────────────────────────────────────────────────────────

test('released by the peer', async (t) => {
  await using side = await established()
  t.is(side.association.state, 'established')
  t.true(side.association.isEstablished)
  await side.peer.release()
  await checkStory(
    t,
    side,
    `${OPENING}
    acseReceived A-RELEASE-RQ
    acseSent A-RELEASE-RP
    associationReleased
    connectionClosed`,
  )
  t.is(side.association.state, 'released')
  t.true(side.association.isReleased)
})

test('released by this side', async (t) => {
  await using side = await established()
  const released = side.association.release()
  t.is(side.association.state, 'releasing')
  t.deepEqual(await side.peer.receivePdu(), { type: 'A-RELEASE-RQ' })
  await side.peer.sendPdu({ type: 'A-RELEASE-RP' })
  await side.peer.receiveClose()
  await released
  await checkStory(
    t,
    side,
    `${OPENING}
    acseSent A-RELEASE-RQ
    acseReceived A-RELEASE-RP
    associationReleased
    connectionClosed`,
  )
})

test('a peer that goes on asking does not put off a release: what was there before it is answered, and no more', async (t) => {
  const echoes = [deferred<number>(), deferred<number>(), deferred<number>()]
  let asked = 0
  await using side = await established({ handlers: { cEcho: () => echoes[asked++]!.promise } })
  const { contextId, command } = requestOf('C-ECHO')
  const ask = (messageId: number): Promise<void> => side.peer.sendMessage(contextId, { ...command, messageId })
  await ask(1)
  await ask(2)
  t.true(await turnsUntil(() => side.association.operations.length === 2))
  const released = side.association.release()
  for (const [index, { resolve }] of echoes.slice(0, 2).entries()) {
    // There is always another one that waits.
    await ask(index + 3)
    await settle()
    resolve(0)
    t.like((await side.peer.receiveMessage()).command, { messageIdBeingRespondedTo: index + 1, status: 0 })
  }
  t.deepEqual(await side.peer.receivePdu(), { type: 'A-RELEASE-RQ' })
  await side.peer.sendPdu({ type: 'A-RELEASE-RP' })
  await released
  t.is(side.association.state, 'released')
  echoes[2]!.resolve(0)
})

test('a request that is refused, and waits for its turn when this side asks for release, is answered before', async (t) => {
  const echo = deferred<number>()
  await using side = await established({ handlers: { cEcho: () => echo.promise } })
  const { contextId, command } = requestOf('C-ECHO')
  await side.peer.sendMessage(contextId, { ...command, messageId: 1 })
  // The Message ID of one that runs (PS3.7 9.1.5.1.4), and a command that there is not.
  await side.peer.sendMessage(contextId, { ...command, messageId: 1 })
  await side.peer.sendMessage(contextId, { commandField: 0x0099, messageId: 2, commandDataSetType: 0 })
  t.true(await turnsUntil(() => side.association.operations.length === 1))
  await settle()
  const released = side.association.release()
  // In Sta7 nothing could be sent any more (PS3.8 table 9-10): no cell for Evt9.
  await settle()
  t.is(side.peer.unreadBytes, 0)
  // The operation ends; one refused request waits for the rest of its data set still.
  echo.resolve(0)
  t.like((await side.peer.receiveMessage()).command, { messageIdBeingRespondedTo: 1, status: 0 })
  t.like((await side.peer.receiveMessage()).command, { messageIdBeingRespondedTo: 1, status: 0x0210 })
  await settle()
  t.is(side.association.state, 'releasing')
  t.is(side.peer.unreadBytes, 0, 'no A-RELEASE-RQ yet')
  await side.peer.sendPdu(cutMessage(contextId, command, IDENTIFIER).at(-1)!)
  t.like((await side.peer.receiveMessage()).command, { messageIdBeingRespondedTo: 2, status: 0x0211 })
  t.deepEqual(await side.peer.receivePdu(), { type: 'A-RELEASE-RQ' })
  await side.peer.sendPdu({ type: 'A-RELEASE-RP' })
  await released
  t.is(side.association.state, 'released')
})

test('both sides ask for release at once', async (t) => {
  await using side = await established()
  const released = side.association.release()
  await side.peer.receivePdu()
  await side.peer.sendPdu({ type: 'A-RELEASE-RQ' })
  await settle()
  t.is(side.peer.unreadBytes, 0, 'as acceptor this side waits for the answer of the peer')
  await side.peer.sendPdu({ type: 'A-RELEASE-RP' })
  t.deepEqual(await side.peer.receivePdu(), { type: 'A-RELEASE-RP' })
  await side.peer.close()
  await released
  await checkStory(
    t,
    side,
    `${OPENING}
    acseSent A-RELEASE-RQ
    acseReceived A-RELEASE-RQ
    acseReceived A-RELEASE-RP
    acseSent A-RELEASE-RP
    associationReleased
    connectionClosed`,
  )
})

test('a release that the peer does not answer is aborted (2, 0)', async (t) => {
  await using side = await established({ timeouts: { acseMs: 400 } })
  const released = side.association.release()
  await side.peer.receivePdu()
  t.deepEqual(await side.peer.receivePdu(), { type: 'A-ABORT', source: 2, reason: 0 })
  await side.peer.close()
  await released
  t.like(side.recorder.of('associationAborted')[0], { by: 'local', source: 2, message: 'The peer did not answer the release request in time' })
})

test('aborted by this side', async (t) => {
  await using side = await established()
  side.association.abort('out of coffee')
  t.deepEqual(await side.peer.receivePdu(), { type: 'A-ABORT', source: 0, reason: 0 })
  t.is(side.association.state, 'aborted')
  t.true(side.association.isAborted)
  t.like(side.recorder.of('associationAborted')[0], { by: 'local', source: 0, reason: 0, message: 'out of coffee' })
  await side.peer.close()
  await side.association.closed
  await checkStory(
    t,
    side,
    `${OPENING}
    acseSent A-ABORT
    associationAborted
    connectionClosed`,
  )
})

test('aborted by the peer, its user or its provider', async (t) => {
  for (const [source, reason, primitive] of [
    [0, 0, 'A-ABORT'],
    [2, 5, 'A-P-ABORT'],
  ] as const) {
    await using side = await established()
    await side.peer.sendPdu({ type: 'A-ABORT', source, reason })
    await side.peer.receiveClose()
    await checkStory(
      t,
      side,
      `${OPENING}
      acseReceived ${primitive}
      associationAborted
      connectionClosed`,
    )
    t.like(side.recorder.of('associationAborted')[0], { by: 'peer', source, reason })
  }
})

test('the connection is lost', async (t) => {
  await using side = await established()
  side.peer.destroy()
  await checkStory(
    t,
    side,
    `${OPENING}
    acseReceived A-P-ABORT
    associationAborted
    connectionClosed`,
  )
  t.like(side.recorder.of('associationAborted')[0], { by: 'network', source: undefined, reason: 0 })
})

test('rejected', async (t) => {
  await using server = await createTestServer({ requireCalledAeTitle: true, aeTitle: 'ME' })
  using recorder = hookRecorder(server.ae)
  using peer = connected(server)
  t.deepEqual(await peer.requestAssociation({ calledAeTitle: 'YOU' }), { type: 'A-ASSOCIATE-RJ', result: 1, source: 1, reason: 7 })
  await peer.close()
  const { association } = await recorder.next('connectionClosed')
  t.deepEqual(story(recorder), [
    'connectionOpened',
    'acseReceived A-ASSOCIATE-RQ',
    'associationRequested',
    'acseSent A-ASSOCIATE-RJ',
    'associationRejected',
    'connectionClosed',
  ])
  t.is(association.state, 'rejected')
  t.true(association.isRejected)
  t.deepEqual(association.acceptedContexts, [])
  t.like(recorder.of('associationRejected')[0], { result: 1, source: 1, reason: 7, why: 'the called AE title is not ME' })
})

test('a connection that is no association: opened, closed, and nothing else', async (t) => {
  await using server = await createTestServer()
  using recorder = hookRecorder(server.ae)
  using peer = connected(server)
  await settle()
  await peer.close()
  const { association, remoteAddress } = await recorder.next('connectionClosed')
  t.deepEqual(story(recorder), ['connectionOpened', 'connectionClosed'])
  t.is(association.state, 'closed')
  t.is(remoteAddress, '127.0.0.1')
  t.is(association.request, undefined)
  t.is(association.callingAeTitle, '')
})

test('a protocol error: A-ABORT (2, reason), and the message is for the log alone', async (t) => {
  await using side = await established()
  await side.peer.sendPdu(associateRequest())
  t.deepEqual(await side.peer.receivePdu(), { type: 'A-ABORT', source: 2, reason: 2 })
  await side.peer.close()
  await checkStory(
    t,
    side,
    `${OPENING}
    acseSent A-ABORT
    associationAborted
    connectionClosed`,
  )
  t.like(side.recorder.of('associationAborted')[0], { by: 'local', source: 2, reason: 2, message: 'Unexpected A-ASSOCIATE-RQ in Sta6' })
})

// ── calls on an association that has ended, or not begun ────────────────────────────────────────────────

test('an association that has ended cannot be ended again', async (t) => {
  await using side = await established()
  await side.peer.release()
  await side.association.closed
  const before = side.recorder.events.length
  side.association.abort()
  await side.association.release()
  await side.association.kill()
  t.is(side.recorder.events.length, before)
  t.is(side.association.state, 'released')
})

test('abort of a connection that has not asked for an association closes it, without an A-ABORT', async (t) => {
  await using server = await createTestServer()
  using recorder = hookRecorder(server.ae)
  using peer = connected(server)
  const { association } = await recorder.next('connectionOpened')
  await settle()
  association.abort('not today')
  await peer.receiveClose()
  await association.closed
  t.is(association.state, 'aborted')
  t.like(recorder.of('associationAborted')[0], { by: 'local', message: 'not today' })
})

test('kill cuts the connection while it is negotiated', async (t) => {
  const asked = deferred<Association>()
  await using server = await createTestServer({
    handlers: { associationRequest: ({ association }) => (asked.resolve(association), new Promise<never>(() => {})) },
  })
  using peer = connected(server)
  await peer.sendPdu(associateRequest())
  const association = await asked.promise
  t.is(association.state, 'negotiating')
  await association.kill()
  await peer.receiveClose()
  t.is(association.state, 'aborted')
  t.deepEqual(server.ae.activeAssociations, [])
})

test('kill resolves when the connection is gone, how often it is called', async (t) => {
  await using side = await established({ handlers: { cStore: () => new Promise<never>(() => {}) } })
  await side.peer.sendMessage(3, requestOf('C-STORE').command, Buffer.alloc(10))
  await turnsUntil(() => side.association.operations.length === 1)
  await Promise.all([side.association.kill(), side.association.kill()])
  await side.association.closed
  await side.peer.receiveClose()
  t.is(side.recorder.of('connectionClosed').length, 1)
})

// ── idle ────────────────────────────────────────────────────────────────────────────────────────────────

test.serial('an idle association is aborted after networkMs; one with an operation under way is not', async (t) => {
  const gate = deferred<number>()
  await using server = await createTestServer({
    contexts: SUPPORTED,
    timeouts: { networkMs: 300 },
    handlers: { cEcho: () => gate.promise },
  })
  using recorder = hookRecorder(server.ae)
  using busy = connected(server)
  await busy.associate({ contexts: PROPOSED })
  await busy.sendMessage(1, requestOf('C-ECHO').command)
  await recorder.next('operationStarted')
  using idle = connected(server)
  await idle.associate({ contexts: PROPOSED })
  t.deepEqual(await idle.receivePdu(), { type: 'A-ABORT', source: 2, reason: 0 })
  t.like(await recorder.next('associationAborted'), { by: 'local', message: 'The association was idle for too long' })
  await new Promise((resolve) => setTimeout(resolve, 500))
  t.is(busy.unreadBytes, 0)
  gate.resolve(0)
  t.is((await busy.receiveMessage()).command.status, 0)
  t.deepEqual(await busy.receivePdu(), { type: 'A-ABORT', source: 2, reason: 0 }, 'idle now')
})

// ── what plugins can read ───────────────────────────────────────────────────────────────────────────────

test('ids are short and unique, notes belong to one association', async (t) => {
  await using server = await createTestServer({ contexts: SUPPORTED })
  using first = connected(server)
  using second = connected(server)
  await first.associate()
  await second.associate()
  const [a, b] = server.ae.activeAssociations
  t.deepEqual([a?.id, b?.id], ['a1', 'a2'])
  const key = Symbol('mine')
  a!.notes.set(key, 1)
  t.false(b!.notes.has(key))
  t.true(a!.openedAt.getTime() <= Date.now())
  t.is(a!.server, server.server)
  t.is(a!.ae, server.ae)
  t.is(a!.role, 'acceptor')
})

test('operations that run and wait can be seen', async (t) => {
  const gate = deferred<number>()
  await using side = await established({ handlers: { cEcho: () => gate.promise } })
  for (const messageId of [4, 5]) await side.peer.sendMessage(1, { ...requestOf('C-ECHO').command, messageId })
  await turnsUntil(() => side.association.operations.length === 2)
  t.deepEqual(
    side.association.operations.map(({ service, messageId }) => [service, messageId]),
    [
      ['C-ECHO', 4],
      ['C-ECHO', 5],
    ],
  )
  let isIdle = false
  const ended = side.association.operationsEnded().then(() => (isIdle = true))
  await settle()
  t.false(isIdle)
  gate.resolve(0)
  await ended
  t.deepEqual(side.association.operations, [])
})

test('P-DATA is summarised for pduReceived and pduSent, without its bytes', async (t) => {
  await using side = await established()
  await side.peer.sendMessage(3, requestOf('C-STORE').command, Buffer.alloc(100), { fragmentBytes: 60, pdvsPerPdu: 2 })
  await side.peer.receiveMessage()
  const pdus = side.recorder.of('pduReceived').filter(({ pdu }) => pdu.type === 'P-DATA-TF')
  const pdvs = pdus.flatMap(({ pdu }) => (pdu as { pdvs: readonly object[] }).pdvs)
  t.like(pdvs.at(-1), { presentationContextId: 3, isCommand: false, isLast: true, lengthBytes: 40 })
  t.like(pdvs.at(-2), { presentationContextId: 3, isCommand: false, isLast: false, lengthBytes: 60 })
  t.true(pdvs.every((pdv) => !('data' in pdv)))
  t.like(side.recorder.of('pduSent').at(-1)?.pdu, { type: 'P-DATA-TF', pdvs: [{ presentationContextId: 3, isCommand: true, isLast: true }] })
})

test('dataReceived and dataSent show every byte in both directions', async (t) => {
  await using server = await createTestServer({ contexts: SUPPORTED })
  using recorder = hookRecorder(server.ae, ['dataReceived', 'dataSent'])
  const scu = await testScu(server.port, { contexts: [[VERIFICATION]] })
  await scu.echo()
  await scu.release()
  await turnsUntil(() => Buffer.concat(recorder.of('dataSent').map(({ data }) => data)).length > 300)
  const received = Buffer.concat(recorder.of('dataReceived').map(({ data }) => data))
  const sent = Buffer.concat(recorder.of('dataSent').map(({ data }) => data))
  const types = (bytes: Buffer): number[] => {
    const found: number[] = []
    for (let at = 0; at < bytes.length; at += 6 + bytes.readUInt32BE(at + 2)) found.push(bytes.readUInt8(at))
    return found
  }
  t.deepEqual(types(received), [1, 4, 5])
  t.deepEqual(types(sent), [2, 4, 6])
})
