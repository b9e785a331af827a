import { once } from 'node:events'
import { setImmediate as turn } from 'node:timers/promises'
import test from 'ava'
import type { Association } from '../../dist/association/association.js'
import { definePlugin } from '../../dist/define.js'
import { encodePdu } from '../../dist/pdu/encode.js'
import {
  associateRequest,
  createTestServer,
  cutMessage,
  hookRecorder,
  memorySocket,
  scriptedListener,
  ScriptedPeer,
  scriptedPeer,
  testScu,
} from '../../dist/testing/index.js'
import type { TestServerOptions } from '../../dist/testing/index.js'
import { bytes } from '../fixtures/pdus.ts'
import { connected, settle } from '../support/connections.ts'
import { PROPOSED, requestOf, SUPPORTED } from '../support/requests.ts'
import { CT_IMAGE, EXPLICIT_LE, IMPLICIT_LE, STUDY_ROOT_FIND, VERIFICATION } from '../support/uids.ts'

// The tools that plugin authors build on, held against what a socket and a peer really do.

// ── memorySocket ────────────────────────────────────────────────────────────────────────────────────────

test('what one end writes the other reads, in order, and never inside the write', async (t) => {
  const [client, server] = memorySocket()
  const seen: string[] = []
  server.on('data', (chunk: Buffer) => seen.push(chunk.toString()))
  client.write('one')
  client.write('two')
  t.deepEqual(seen, [])
  await settle(4)
  t.is(seen.join(''), 'onetwo')
  server.write('back')
  const [answer] = (await once(client, 'data')) as [Buffer]
  t.is(answer.toString(), 'back')
  t.is(client.remotePort, server.localPort)
  t.is(client.localPort, server.remotePort)
  t.is(server.remoteAddress, '127.0.0.1')
})

test('the reader’s memory is its own: the writer may use its again', async (t) => {
  const [client, server] = memorySocket()
  const chunk = Buffer.from('first')
  const written = new Promise((resolve) => client.write(chunk, resolve))
  const [read] = (await once(server, 'data')) as [Buffer]
  await written
  chunk.fill('x')
  t.is(read.toString(), 'first')
})

test('a peer that does not read holds the writer back', async (t) => {
  const [client, server] = memorySocket({ bufferBytes: 10 })
  server.pause()
  t.false(client.write(Buffer.alloc(30)))
  client.write(Buffer.alloc(5))
  await settle()
  t.true(client.writableNeedDrain)
  t.is(client.writableLength, 35, 'nothing was taken for good')
  t.is(client.bytesWritten, 35)
  const drained = once(client, 'drain')
  server.resume()
  server.on('data', () => {})
  await drained
  t.is(client.writableLength, 0)
  t.is(client.bytesWritten, 35)
})

test('end, destroySoon, destroy and reset are seen as a network shows them', async (t) => {
  const ended = memorySocket()
  ended[1].resume()
  ended[0].write('last words')
  ended[0].end()
  await once(ended[1], 'end')
  await once(ended[1], 'close')
  t.true(ended[0].destroyed || ended[0].writableFinished)

  const soon = memorySocket()
  const words = once(soon[1], 'data')
  soon[0].write('last words')
  soon[0].destroySoon()
  t.is(String((await words)[0]), 'last words')
  await once(soon[1], 'end')

  const cut = memorySocket()
  cut[1].resume()
  cut[0].destroy()
  await once(cut[1], 'end')

  const reset = memorySocket()
  reset[1].resume()
  reset[0].reset()
  const [error] = (await once(reset[1], 'error')) as [NodeJS.ErrnoException]
  t.is(error.code, 'ECONNRESET')
})

test('writing to an end that is gone fails as to a closed socket', async (t) => {
  const [client, server] = memorySocket()
  server.destroy()
  client.resume()
  const error = await new Promise<NodeJS.ErrnoException | null | undefined>((resolve) => {
    client.on('error', () => {})
    client.write('anybody there?', resolve)
  })
  t.is(error?.code, 'EPIPE')
})

// ── scriptedPeer ────────────────────────────────────────────────────────────────────────────────────────

test('a scripted peer gives bytes, PDUs and messages, and says what it waited for in vain', async (t) => {
  const [mine, theirs] = memorySocket()
  using peer = new ScriptedPeer(mine)
  theirs.write(bytes('01 02 03'))
  t.deepEqual(await peer.receiveBytes(2), bytes('01 02'))
  t.is(peer.unreadBytes, 1)
  await t.throwsAsync(peer.receiveBytes(5, 10), { message: 'Within 10 ms 5 bytes did not arrive; 1 bytes are unread' })
  await t.throwsAsync(peer.receivePdu(10), { message: /Within 10 ms 6 bytes did not arrive/ })
  t.deepEqual(await peer.receiveBytes(1), bytes('03'))
  for (const pdu of cutMessage(5, requestOf('C-FIND').command, bytes('ab cd ef'), { fragmentBytes: 2, pdvsPerPdu: 3 })) theirs.write(encodePdu(pdu))
  const message = await peer.receiveMessage()
  t.like(message, { presentationContextId: 5, command: requestOf('C-FIND').command })
  t.deepEqual(message.dataSet, bytes('ab cd ef'))
  theirs.write(encodePdu({ type: 'A-RELEASE-RQ' }))
  await t.throwsAsync(peer.receiveMessage(), { message: /A message was expected, \{"type":"A-RELEASE-RQ"\} arrived/ })
  theirs.end(bytes('ff'))
  await t.throwsAsync(peer.receiveBytes(2), { message: 'The connection was closed after ff; 2 bytes were expected' })
  t.true(peer.isClosed)
})

test('receiveClose does not pass over what came before the close', async (t) => {
  const [mine, theirs] = memorySocket()
  using peer = new ScriptedPeer(mine)
  await t.throwsAsync(peer.receiveClose(10), { message: /the close did not arrive/ })
  theirs.end(bytes('07'))
  await t.throwsAsync(peer.receiveClose(), { message: 'Before the close arrived 07' })
  await peer.receiveClose()
})

test('associate and release say what arrived instead', async (t) => {
  await using server = await createTestServer({ requireCalledAeTitle: true, aeTitle: 'ME' })
  using peer = await scriptedPeer(server.port)
  await t.throwsAsync(peer.associate({ calledAeTitle: 'YOU' }), { message: /not accepted: .*"reason":7/ })
  using other = await scriptedPeer(server.port)
  await other.associate({ calledAeTitle: 'ME' })
  await other.send(bytes('55'))
  await t.throwsAsync(other.release(), { message: /A-RELEASE-RP was expected, .*A-ABORT/ })
})

test('a half close still reads, a pause reads nothing', async (t) => {
  await using server = await createTestServer({ contexts: SUPPORTED })
  using peer = await scriptedPeer(server.port)
  await peer.associate()
  peer.end()
  await peer.receiveClose()
  using paused = connected(server)
  paused.pause()
  await paused.sendPdu(associateRequest())
  await settle()
  t.is(paused.unreadBytes, 0)
  paused.resume()
  t.is((await paused.receivePdu()).type, 'A-ASSOCIATE-AC')
  await paused.close()
  t.true(paused.isClosed)
})

// ── testScu ─────────────────────────────────────────────────────────────────────────────────────────────

test('a scripted listener gives out each connection once, in order, also those that came before it was asked', async (t) => {
  await using listener = await scriptedListener()
  await t.throwsAsync(listener.accept(1), { message: 'Within 1 ms nobody connected' })
  const asked = listener.accept()
  using first = await scriptedPeer(listener.port)
  await first.send(Buffer.from('first'))
  t.is((await (await asked).receiveBytes(5)).toString(), 'first')
  using second = await scriptedPeer(listener.port)
  await second.send(Buffer.from('second'))
  using third = await scriptedPeer(listener.port)
  await third.send(Buffer.from('third'))
  t.is((await (await listener.accept()).receiveBytes(6)).toString(), 'second')
  t.is((await (await listener.accept()).receiveBytes(5)).toString(), 'third')
  await listener[Symbol.asyncDispose]()
  await third.receiveClose()
  await t.throwsAsync(scriptedPeer(listener.port), { code: 'ECONNREFUSED' })
})

test('a scripted peer accepts what is requested, or answers what it is told', async (t) => {
  await using listener = await scriptedListener()
  await using server = await createTestServer()
  const { port } = listener
  const contexts = [{ abstractSyntax: VERIFICATION, transferSyntaxes: [EXPLICIT_LE, IMPLICIT_LE] }, { abstractSyntax: CT_IMAGE }]
  const associate = (): Promise<Association> => server.ae.associate({ host: '127.0.0.1', port, calledAeTitle: 'PEER', contexts })
  const associating = associate()
  const request = await (await listener.accept()).acceptAssociation()
  t.is(request.calledAeTitle, 'PEER')
  const association = await associating
  t.deepEqual(association.acceptedContexts.map(({ id, transferSyntax }) => [id, transferSyntax]), [[1, EXPLICIT_LE], [3, EXPLICIT_LE]])
  const refused = t.throwsAsync(associate(), { code: 'DICOMTAP_ERR_ACSE_CONTEXT' })
  await (await listener.accept()).acceptAssociation({ presentationContexts: [1, 3].map((id) => ({ id, result: 3, transferSyntax: '' })) })
  await refused
  using odd = await scriptedPeer(port)
  await odd.sendPdu({ type: 'A-RELEASE-RQ' })
  await t.throwsAsync((await listener.accept()).acceptAssociation(), { message: /^A-ASSOCIATE-RQ was expected, .*A-RELEASE-RQ/ })
})

test('a test SCU says why there is no association', async (t) => {
  await using server = await createTestServer({
    requireCalledAeTitle: true,
    aeTitle: 'ME',
    handlers: { associationRequested: ({ association }) => association.calledAeTitle === 'ME' && association.abort() },
  } as TestServerOptions)
  for (const target of [server, server.server, server.port]) {
    const rejected = await t.throwsAsync(testScu(target, { calledAeTitle: 'YOU' }), { code: 'DICOMTAP_ERR_ACSE_REJECTED', message: /called AE title/ })
    t.like(rejected?.cause, { result: 1, source: 1, reason: 7 })
    await t.throwsAsync(testScu(target, { calledAeTitle: 'ME' }), { code: 'DICOMTAP_ERR_ACSE_ABORTED' })
  }
  // tcpmux (RFC 1078), which nobody serves. A port that was just free may be somebody's by now.
  await t.throwsAsync(testScu(1), { code: 'DICOMTAP_ERR_ACSE_ABORTED', message: /ECONNREFUSED/ })
})

test('a test SCU knows its contexts', async (t) => {
  await using server = await createTestServer({ contexts: SUPPORTED })
  await using scu = await testScu(server, { contexts: [...PROPOSED, [CT_IMAGE, EXPLICIT_LE]] })
  t.is(scu.contexts.length, PROPOSED.length)
  t.is(scu.contextFor(CT_IMAGE, IMPLICIT_LE).id, 3)
  t.throws(() => scu.contextFor(CT_IMAGE, EXPLICIT_LE), { code: 'DICOMTAP_ERR_ACSE_CONTEXT' })
  t.throws(() => scu.contextFor('1.2.3'), { code: 'DICOMTAP_ERR_ACSE_CONTEXT' })
})

test('requests of a test SCU may be pipelined, and each gets its own responses', async (t) => {
  await using server = await createTestServer({
    contexts: SUPPORTED,
    handlers: {
      cFind: async function* () {
        yield { PatientID: '1' }
        yield { PatientID: '2' }
      } as never,
    },
  })
  await using scu = await testScu(server, { contexts: PROPOSED })
  const echo = scu.request(VERIFICATION, { commandField: 0x0030, affectedSopClassUid: VERIFICATION })
  const find = await scu.find({ PatientID: '' }, STUDY_ROOT_FIND)
  const second = scu.echo()
  t.deepEqual((await find.all()).map(({ status }) => status), [0xff00, 0xff00, 0])
  t.deepEqual(await Promise.all(find.responses.map(async (response) => (await response.dataset())?.['PatientID'])), ['1', '2', undefined])
  t.is((await echo.final()).command.messageIdBeingRespondedTo, echo.messageId)
  t.is((await second).status, 0)
  await echo.sent
})

test('a request that is never answered rejects when the association ends', async (t) => {
  await using server = await createTestServer({ contexts: SUPPORTED, handlers: { cEcho: (_request, { association }) => (association.abort(), 0) } })
  await using scu = await testScu(server, { contexts: PROPOSED })
  await t.throwsAsync(scu.echo(), { code: 'DICOMTAP_ERR_ACSE_ABORTED', message: 'Aborted: service-user' })
  t.like(await scu.ended, { type: 'ABORT', by: 'peer', source: 0 })
})

test('a test SCU confirms a release that the server asks for', async (t) => {
  await using server = await createTestServer({ contexts: SUPPORTED })
  await using scu = await testScu(server, { contexts: PROPOSED })
  await server.ae.activeAssociations[0]!.release()
  t.is((await scu.ended).type, 'CLOSED')
})

test('a test SCU that goes out of scope releases', async (t) => {
  await using server = await createTestServer({ contexts: SUPPORTED })
  using recorder = hookRecorder(server.ae)
  {
    await using scu = await testScu(server, { contexts: PROPOSED })
    await scu.echo()
  }
  await recorder.next('associationReleased')
  t.deepEqual(recorder.of('associationAborted'), [])
})

// ── createTestServer and hookRecorder ───────────────────────────────────────────────────────────────────

test('a test server keeps its log, of all levels, and takes plugins and handlers', async (t) => {
  const plugin = definePlugin({
    name: 'greeter',
    apply(api) {
      api.hooks.associationEstablished.tap(({ association }) => api.log.info('hello', { association: association.id }))
      api.log.trace('applied')
    },
  })
  await using server = await createTestServer({ plugins: [plugin()], aeTitle: 'GREETER' })
  await using _scu = await testScu(server)
  t.deepEqual(server.logged('trace'), ['applied'])
  t.deepEqual(server.logged('info'), ['hello'])
  t.like(server.log.find(({ message }) => message === 'hello'), { level: 'info', area: 'plugin', fields: { plugin: 'greeter', association: 'a1' } })
  t.is(server.server.aeTitle, 'GREETER')
  t.is(server.server.host, '127.0.0.1')
})

test('a recorder gives each event once, also those that fired before it was asked', async (t) => {
  await using server = await createTestServer({ contexts: SUPPORTED })
  const recorder = hookRecorder(server.ae)
  await using first = await testScu(server, { callingAeTitle: 'FIRST' })
  await using _second = await testScu(server, { callingAeTitle: 'SECOND' })
  t.is((await recorder.next('associationEstablished')).association.callingAeTitle, 'FIRST')
  t.is((await recorder.next('associationEstablished')).association.callingAeTitle, 'SECOND')
  await t.throwsAsync(recorder.next('associationEstablished', () => true, 10), {
    message: /^Within 10 ms associationEstablished did not fire; these did: connectionOpened, /,
  })
  const released = recorder.next('associationReleased', ({ association }) => association.callingAeTitle === 'FIRST')
  await turn()
  await first.release()
  await released
  t.is(recorder.events.find(({ hook }) => hook === 'associationReleased')?.associationId, 'a1')
  recorder.clear()
  t.deepEqual(recorder.names(), [])
  recorder[Symbol.dispose]()
  await using _third = await testScu(server)
  t.deepEqual(recorder.names(), [])
  t.deepEqual(server.ae.boundEvents(), [])
})

test('a recorder of one listener, and of some hooks, hears of nothing else', async (t) => {
  await using server = await createTestServer()
  const other = await server.ae.listen({ port: 0, host: '127.0.0.1' })
  using recorder = hookRecorder(other, ['associationEstablished', 'dataReceived'])
  await using _here = await testScu(server)
  await using _there = await testScu(other)
  t.deepEqual(recorder.names(), ['dataReceived', 'associationEstablished'])
  t.is(recorder.of('dataReceived')[0]?.data[0], 1, 'a copy of the A-ASSOCIATE-RQ')
})
