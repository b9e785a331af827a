import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { networkInterfaces } from 'node:os'
import { inspect } from 'node:util'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import test from 'ava'
import { ApplicationEntity } from '../../dist/application-entity.js'
import { definePlugin } from '../../dist/define.js'
import type { DicomtapError } from '../../dist/errors/index.js'
import { encodePdu } from '../../dist/pdu/encode.js'
import { associateRequest, createTestServer, hookRecorder, ScriptedPeer, scriptedPeer, testScu } from '../../dist/testing/index.js'
import { connected, deferred, settle, turnsUntil } from '../support/connections.ts'
import { PROPOSED, requestOf, SUPPORTED } from '../support/requests.ts'
import { CT_IMAGE, EXPLICIT_LE, IMPLICIT_LE, JPEG_LOSSLESS, MR_IMAGE, VERIFICATION } from '../support/uids.ts'

const VERIFICATION_CONTEXT = { abstractSyntax: VERIFICATION, transferSyntaxes: [IMPLICIT_LE] }
const hasIpv6 = Object.values(networkInterfaces()).flat().some((address) => address?.family === 'IPv6' && address.internal)

function silentAe(options: ConstructorParameters<typeof ApplicationEntity>[0] = {}): ApplicationEntity {
  return new ApplicationEntity({ logLevel: 'silent', ...options })
}

async function echoOverTcp(port: number, host: string): Promise<number | undefined> {
  const socket = connect({ port, host })
  await once(socket, 'connect')
  const peer = new ScriptedPeer(socket)
  await peer.associate()
  await peer.sendMessage(1, requestOf('C-ECHO').command)
  const { status } = (await peer.receiveMessage()).command
  await peer.release()
  return status
}

// ── listeners ───────────────────────────────────────────────────────────────────────────────────────────

test('port 0 picks a free port, which is told', async (t) => {
  await using ae = silentAe({ contexts: [VERIFICATION_CONTEXT] })
  const server = await ae.listen({ port: 0, host: '127.0.0.1' })
  t.true(server.port > 0)
  t.is(server.host, '127.0.0.1')
  t.true(server.isListening)
  t.is(await echoOverTcp(server.port, '127.0.0.1'), 0)
})

test('several listeners of one AE, each with its own port, share associations and hooks', async (t) => {
  await using ae = silentAe({ contexts: [VERIFICATION_CONTEXT] })
  const [first, second] = await Promise.all([ae.listen({ port: 0, host: '127.0.0.1' }), ae.listen({ port: 0, host: '127.0.0.1' })])
  t.not(first.port, second.port)
  t.deepEqual(ae.servers, [first, second])
  const ports: number[] = []
  ae.bind('associationEstablished', ({ association }) => void ports.push(association.server!.port))
  await echoOverTcp(first.port, '127.0.0.1')
  await echoOverTcp(second.port, '127.0.0.1')
  t.deepEqual(ports, [first.port, second.port])
})

const ipv6 = hasIpv6 ? test : test.skip
ipv6('IPv6, and without a host every address of both families', async (t) => {
  await using ae = silentAe({ contexts: [VERIFICATION_CONTEXT] })
  const v6 = await ae.listen({ port: 0, host: '::1' })
  t.is(v6.host, '::1')
  t.is(await echoOverTcp(v6.port, '::1'), 0)
  const any = await ae.listen({ port: 0 })
  t.is(await echoOverTcp(any.port, '::1'), 0)
  t.is(await echoOverTcp(any.port, '127.0.0.1'), 0)
})

test('a port that is taken, an address that is not here, a name nobody knows: one line with advice', async (t) => {
  const taken = createServer().listen(0, '127.0.0.1')
  await once(taken, 'listening')
  const { port } = taken.address() as AddressInfo
  await using ae = silentAe()
  const cases: [options: object, message: RegExp][] = [
    [{ port, host: '127.0.0.1' }, new RegExp(`^Cannot listen on 127\\.0\\.0\\.1 port ${port}: another process listens there; [^\\n]+$`)],
    [{ port: 0, host: '192.0.2.1' }, /^Cannot listen on 192\.0\.2\.1 port 0: this machine has no such address; check `host`$/],
  ]
  for (const [options, message] of cases) {
    const error = await t.throwsAsync(ae.listen(options), { code: 'DICOMTAP_ERR_NET_LISTEN', message })
    t.true(error?.cause instanceof Error)
  }
  t.deepEqual(ae.servers, [])
  taken.close()
  const server = await ae.listen({ port: 0, host: '127.0.0.1' })
  t.true(server.isListening, 'an AE survives a listener that did not open')
})

test('listener options that are none name the option', async (t) => {
  await using ae = silentAe()
  await t.throwsAsync(ae.listen({ port: 70_000 }), { code: 'DICOMTAP_ERR_CFG_INVALID', message: /port/ })
  await t.throwsAsync(ae.listen({ aeTitel: 'X' } as never), { code: 'DICOMTAP_ERR_CFG_INVALID', message: /aeTitle/ })
})

test('listenerOptions changes where a listener opens', async (t) => {
  await using ae = silentAe({ contexts: [VERIFICATION_CONTEXT] })
  ae.bind('listenerOptions', (options) => ({ ...options, host: '127.0.0.1', aeTitle: 'CHANGED' }))
  const server = await ae.listen({ port: 0 })
  t.is(server.host, '127.0.0.1')
  t.is(server.aeTitle, 'CHANGED')
})

test('listenAll opens every listener of the config, or none', async (t) => {
  const good = new ApplicationEntity({ logLevel: 'silent', listen: [{ port: 0, host: '127.0.0.1' }, { port: 0, host: '127.0.0.1' }] } as never)
  await using _good = good
  t.is((await good.listenAll()).length, 2)
  const bad = new ApplicationEntity({ logLevel: 'silent', listen: [{ port: 0, host: '127.0.0.1' }, { port: 0, host: '192.0.2.1' }] } as never)
  await using _bad = bad
  await t.throwsAsync(bad.listenAll(), { code: 'DICOMTAP_ERR_NET_LISTEN' })
  t.deepEqual(bad.servers, [])
})

test('server.close stops listening; its associations live on', async (t) => {
  await using server = await createTestServer({ contexts: SUPPORTED })
  await using scu = await testScu(server.port, { contexts: PROPOSED })
  await server.server.close()
  await server.server.close()
  t.false(server.server.isListening)
  t.deepEqual(server.ae.servers, [])
  t.is((await scu.echo()).status, 0)
  const socket = connect({ port: server.port, host: '127.0.0.1' })
  const [error] = (await once(socket, 'error')) as [NodeJS.ErrnoException]
  t.is(error.code, 'ECONNREFUSED')
})

test('a listener that is disposed is closed', async (t) => {
  await using ae = silentAe()
  let port = 0
  {
    await using server = await ae.listen({ port: 0, host: '127.0.0.1' })
    port = server.port
  }
  t.deepEqual(ae.servers, [])
  t.true(port > 0)
})

test('connections are counted until they are gone, associations until they have ended', async (t) => {
  await using server = await createTestServer({ contexts: SUPPORTED })
  using recorder = hookRecorder(server.ae)
  using silent = await scriptedPeer(server.port)
  using established = await scriptedPeer(server.port)
  await established.associate()
  using rejected = await scriptedPeer(server.port)
  await rejected.requestAssociation({ applicationContextName: '1.2.3' })
  await recorder.next('associationRejected')
  t.is(server.server.connections, 3)
  t.is(server.server.activeAssociations.length, 1)
  for (const peer of [silent, established, rejected]) {
    peer.destroy()
    await recorder.next('connectionClosed')
  }
  t.is(server.server.connections, 0)
  t.is(server.server.activeAssociations.length, 0)
})

test('a connection that another server accepted can be injected', async (t) => {
  await using server = await createTestServer({ contexts: SUPPORTED })
  const front = createServer((socket) => void server.server.inject(socket)).listen(0, '127.0.0.1')
  await once(front, 'listening')
  const { port } = front.address() as AddressInfo
  await using scu = await testScu(port, { contexts: PROPOSED })
  t.is((await scu.echo()).status, 0)
  const store = { sopClassUid: CT_IMAGE, sopInstanceUid: '1.2.3', transferSyntaxUid: IMPLICIT_LE, dataSet: Buffer.alloc(1_000_000) }
  t.is((await scu.store(store)).status, 0x0122)
  t.is(server.server.connections, 1)
  front.close()
})

test('nothing holds an association that has ended, whichever way', async (t) => {
  setFlagsFromString('--expose_gc')
  const collectGarbage = runInNewContext('gc') as () => void
  const refs: WeakRef<object>[] = []
  await using server = await createTestServer({
    contexts: SUPPORTED,
    handlers: {
      associationEstablished: ({ association }) => void refs.push(new WeakRef(association)),
      cStore: async (request) => ((await request.dataSet.buffer()).length > 0 ? 0 : 0xa900),
    },
  })
  const end: ((peer: ScriptedPeer) => unknown)[] = [
    (peer) => peer.release(),
    (peer) => peer.sendPdu({ type: 'A-ABORT', source: 0, reason: 0 }),
    (peer) => peer.destroy(),
    (peer) => peer.sendMessage(3, requestOf('C-STORE').command),
    (peer) => peer.send(Buffer.from('nonsense')),
  ]
  for (let i = 0; i < 50; i++) {
    const peer = i % 2 === 0 ? connected(server) : await scriptedPeer(server.port)
    await peer.associate({ contexts: PROPOSED })
    await peer.sendMessage(3, requestOf('C-STORE').command, Buffer.alloc(100_000))
    await peer.receiveMessage()
    await end[i % end.length]!(peer)
    peer.destroy()
  }
  await turnsUntil(() => server.server.connections === 0, 20_000)
  t.is(server.server.connections, 0)
  const alive = (): number => refs.filter((ref) => ref.deref() !== undefined).length
  for (let i = 0; i < 20 && alive() > 1; i++) {
    await new Promise((resolve) => setTimeout(resolve, 10))
    collectGarbage()
  }
  t.is(refs.length, 50)
  // The last one may still be in a register of the event loop's.
  t.true(alive() <= 1, `${alive()} of 50 associations are still there`)
})

// ── start ───────────────────────────────────────────────────────────────────────────────────────────────

test('configResolved and ready run once, before the first listener; listening with each', async (t) => {
  const order: string[] = []
  const ae = silentAe()
  await using _ae = ae
  for (const hook of ['configResolved', 'ready', 'listening'] as const) {
    ae.bind(hook, async () => {
      await settle(3)
      order.push(`${hook} ${ae.servers.length}`)
    })
  }
  await Promise.all([ae.listen({ port: 0, host: '127.0.0.1' }), ae.listen({ port: 0, host: '127.0.0.1' })])
  await ae.ready()
  t.deepEqual(order.slice(0, 2), ['configResolved 0', 'ready 0'])
  t.is(order.filter((entry) => entry.startsWith('listening')).length, 2)
  t.is(order.length, 4)
})

test('two listeners that open at once both wait for the plugins', async (t) => {
  const gate = deferred()
  let isStarted = false
  const slow = definePlugin({
    name: 'slow',
    async apply() {
      await gate.promise
      isStarted = true
    },
  })
  await using ae = silentAe()
  const used = ae.use(slow())
  const listening = [ae.listen({ port: 0, host: '127.0.0.1' }), ae.listen({ port: 0, host: '127.0.0.1' })].map(async (promise) => {
    await promise
    return isStarted
  })
  await settle()
  gate.resolve()
  await used
  t.deepEqual(await Promise.all(listening), [true, true])
})

test('a plugin or a handler that fails the start fails every listen, not only the first', async (t) => {
  const failing = definePlugin({
    name: 'failing',
    apply() {
      throw new Error('no licence')
    },
  })
  await using ae = silentAe()
  await t.throwsAsync(ae.use(failing()), { code: 'DICOMTAP_ERR_PLG_FAILED' })
  await t.throwsAsync(ae.listen({ port: 0, host: '127.0.0.1' }), { code: 'DICOMTAP_ERR_PLG_FAILED' })
  await t.throwsAsync(ae.listen({ port: 0, host: '127.0.0.1' }), { code: 'DICOMTAP_ERR_PLG_FAILED' })

  await using other = silentAe()
  other.bind('ready', () => Promise.reject(new Error('the database is away')))
  await t.throwsAsync(other.listen({ port: 0, host: '127.0.0.1' }), { code: 'DICOMTAP_ERR_HOOK_FAILED' })
  await t.throwsAsync(other.listen({ port: 0, host: '127.0.0.1' }), { code: 'DICOMTAP_ERR_HOOK_FAILED' })
  t.deepEqual(other.servers, [])
})

test('a listening handler that fails closes its listener', async (t) => {
  await using ae = silentAe()
  let port = 0
  ae.bind('listening', ({ server }) => {
    port = server.port
    throw new Error('no')
  })
  await t.throwsAsync(ae.listen({ port: 0, host: '127.0.0.1' }), { code: 'DICOMTAP_ERR_HOOK_FAILED' })
  t.deepEqual(ae.servers, [])
  const socket = connect({ port, host: '127.0.0.1' })
  const [error] = (await once(socket, 'error')) as [NodeJS.ErrnoException]
  t.is(error.code, 'ECONNREFUSED')
})

// ── handlers bound at three levels ──────────────────────────────────────────────────────────────────────

test('handlers of the association come first, then those of the listener, then those of the AE', async (t) => {
  await using server = await createTestServer({ contexts: SUPPORTED })
  const other = await server.ae.listen({ port: 0, host: '127.0.0.1' })
  const order: string[] = []
  const note = (who: string) => (): undefined => void order.push(who)
  server.ae.bind('cEcho', note('ae'))
  server.server.bind('cEcho', note('server'))
  other.bind('cEcho', note('other'))
  server.ae.bind('associationEstablished', ({ association }) => {
    if (association.server === server.server) association.bind('cEcho', note('association'))
  })
  await using scu = await testScu(server, { contexts: PROPOSED })
  await scu.echo()
  t.deepEqual(order.splice(0), ['association', 'server', 'ae'])
  await using elsewhere = await testScu(other, { contexts: PROPOSED })
  await elsewhere.echo()
  t.deepEqual(order, ['other', 'ae'])
})

test('the nearest answer wins; what is unbound is not asked any more, on running associations too', async (t) => {
  await using server = await createTestServer({ contexts: SUPPORTED })
  await using scu = await testScu(server, { contexts: PROPOSED })
  const [association] = server.ae.activeAssociations
  const status = async (): Promise<number> => (await scu.echo()).status
  const byAe = (): number => 0x0110
  const byServer = (): number => 0x0112
  const byAssociation = (): number => 0x0113
  t.is(await status(), 0)
  server.ae.bind('cEcho', byAe)
  t.is(await status(), 0x0110)
  server.server.bind('cEcho', byServer)
  t.is(await status(), 0x0112)
  association!.bind('cEcho', byAssociation)
  t.is(await status(), 0x0113)
  t.deepEqual(association!.boundEvents(), ['cEcho'])
  t.deepEqual(server.server.handlers('cEcho'), [byServer])
  association!.unbind('cEcho', byAssociation)
  t.is(await status(), 0x0112)
  server.server.unbind('cEcho', byServer)
  server.ae.unbind('cEcho', byAe)
  t.is(await status(), 0)
  t.deepEqual(server.ae.boundEvents(), [])
})

// ── contexts ────────────────────────────────────────────────────────────────────────────────────────────

test('contexts are added to, taken from and replaced', (t) => {
  const ae = silentAe()
  t.deepEqual(ae.supportedContexts, [])
  ae.addSupportedContext(MR_IMAGE, [IMPLICIT_LE])
  ae.addSupportedContext(CT_IMAGE, [JPEG_LOSSLESS], { scu: true, scp: true })
  t.deepEqual(ae.supportedContexts, [
    { abstractSyntax: CT_IMAGE, transferSyntaxes: [JPEG_LOSSLESS], roles: { scu: true, scp: true } },
    { abstractSyntax: MR_IMAGE, transferSyntaxes: [IMPLICIT_LE] },
  ])
  // More for the same class: appended, nothing twice; roles stay unless given.
  ae.addSupportedContext(CT_IMAGE, [EXPLICIT_LE, JPEG_LOSSLESS])
  t.deepEqual(ae.supportedContexts[0], {
    abstractSyntax: CT_IMAGE,
    transferSyntaxes: [JPEG_LOSSLESS, EXPLICIT_LE],
    roles: { scu: true, scp: true },
  })
  ae.addSupportedContext(CT_IMAGE, [], { scu: false, scp: true })
  t.deepEqual(ae.supportedContexts[0]?.roles, { scu: false, scp: true })
  ae.removeSupportedContext(CT_IMAGE, [JPEG_LOSSLESS, '1.2.3'])
  t.deepEqual(ae.supportedContexts[0]?.transferSyntaxes, [EXPLICIT_LE])
  ae.removeSupportedContext(CT_IMAGE, [EXPLICIT_LE])
  ae.removeSupportedContext('1.2.3')
  t.deepEqual(ae.supportedContexts.map(({ abstractSyntax }) => abstractSyntax), [MR_IMAGE], 'without a transfer syntax there is no context')
  // Assigning replaces, and merges what is named twice.
  ae.supportedContexts = [
    { abstractSyntax: VERIFICATION, transferSyntaxes: [IMPLICIT_LE] },
    { abstractSyntax: VERIFICATION, transferSyntaxes: [EXPLICIT_LE], roles: { scu: true, scp: false } },
  ]
  t.deepEqual(ae.supportedContexts, [
    { abstractSyntax: VERIFICATION, transferSyntaxes: [IMPLICIT_LE, EXPLICIT_LE], roles: { scu: true, scp: false } },
  ])
  ae.supportedContexts = []
  t.deepEqual(ae.supportedContexts, [])
})

test('without transfer syntaxes the uncompressed ones are meant', (t) => {
  const ae = silentAe()
  ae.addSupportedContext(CT_IMAGE)
  t.true(ae.supportedContexts[0]!.transferSyntaxes.includes(IMPLICIT_LE))
  t.true(ae.supportedContexts[0]!.transferSyntaxes.includes(EXPLICIT_LE))
  t.false(ae.supportedContexts[0]!.transferSyntaxes.includes(JPEG_LOSSLESS))
})

test('what is no UID is refused, and nothing has changed', (t) => {
  const ae = silentAe({ contexts: [VERIFICATION_CONTEXT] })
  t.throws(() => ae.addSupportedContext('CT Image', [IMPLICIT_LE]), { code: 'DICOMTAP_ERR_CFG_INVALID', message: /CT Image/ })
  t.throws(() => ae.addSupportedContext(CT_IMAGE, ['jpeg']), { code: 'DICOMTAP_ERR_CFG_INVALID', message: /jpeg/ })
  t.throws(
    () => {
      ae.supportedContexts = [{ abstractSyntax: CT_IMAGE, transferSyntaxes: [IMPLICIT_LE] }, { abstractSyntax: 'x', transferSyntaxes: [] }]
    },
    { code: 'DICOMTAP_ERR_CFG_INVALID' },
  )
  t.deepEqual(ae.supportedContexts, [VERIFICATION_CONTEXT])
})

test('contexts hold for associations requested from now on; what was agreed stays', async (t) => {
  await using server = await createTestServer({ contexts: [VERIFICATION_CONTEXT] })
  await using before = await testScu(server, { contexts: [[VERIFICATION]] })
  const [association] = server.ae.activeAssociations
  const { settings } = association!
  server.ae.removeSupportedContext(VERIFICATION)
  server.ae.addSupportedContext(CT_IMAGE, [IMPLICIT_LE])
  t.is((await before.echo()).status, 0)
  t.deepEqual([...settings.supportedContexts.keys()], [VERIFICATION])
  t.deepEqual(server.server.contexts.map(({ abstractSyntax }) => abstractSyntax), [CT_IMAGE])
  await using after = await testScu(server, { contexts: [[VERIFICATION], [CT_IMAGE]] })
  t.deepEqual(after.accept.presentationContexts.map(({ result }) => result), [3, 0])
})

test('a listener with contexts of its own does not see those of the AE', async (t) => {
  await using server = await createTestServer({ contexts: [VERIFICATION_CONTEXT], listener: { contexts: [{ abstractSyntax: CT_IMAGE, transferSyntaxes: [IMPLICIT_LE] }] } })
  await using scu = await testScu(server, { contexts: [[VERIFICATION], [CT_IMAGE]] })
  t.deepEqual(scu.accept.presentationContexts.map(({ result }) => result), [3, 0])
})

test('settings of a listener go before those of the AE, one by one', async (t) => {
  await using server = await createTestServer({
    limits: { maximumPduBytes: 20_000, maximumQueuedOperations: 3 },
    timeouts: { acseMs: 1_000, networkMs: null },
    requireCalledAeTitle: true,
    listener: { limits: { maximumPduBytes: 30_000 }, timeouts: { acseMs: 2_000 }, requireCalledAeTitle: false },
  })
  using peer = connected(server)
  await peer.associate({ calledAeTitle: 'WHOEVER' })
  const { settings } = server.ae.activeAssociations[0]!
  t.like(settings.limits, { maximumPduBytes: 30_000, maximumQueuedOperations: 3, maximumAssociations: 100 })
  t.like(settings.timeouts, { acseMs: 2_000, networkMs: null, dimseMs: 30_000 })
  t.true(Object.isFrozen(settings.limits) && Object.isFrozen(settings.timeouts))
})

test('a listener says of itself what the AE does not: implementation class UID and version name', async (t) => {
  await using server = await createTestServer({ listener: { implementationClassUid: '2.25.7', implementationVersionName: null } })
  using peer = connected(server)
  const { userInformation } = await peer.associate()
  t.like(userInformation.find(({ type }) => type === 0x52), { implementationClassUid: '2.25.7' })
  t.false(userInformation.some(({ type }) => type === 0x55))
  t.like(server.ae.activeAssociations[0]?.settings, { implementationClassUid: '2.25.7', implementationVersionName: null })
  const other = await server.ae.listen({ port: 0, host: '127.0.0.1', implementationVersionName: 'OTHER' })
  using second = await scriptedPeer(other.port)
  const told = (await second.associate()).userInformation
  t.like(told.find(({ type }) => type === 0x52), { implementationClassUid: server.ae.implementationClassUid })
  t.like(told.find(({ type }) => type === 0x55), { implementationVersionName: 'OTHER' })
})

test('handlers of a listener are bound on it before it opens: it and its associations alone ask them', async (t) => {
  const order: string[] = []
  await using server = await createTestServer({
    contexts: SUPPORTED,
    handlers: { cEcho: () => void order.push('cEcho of the AE') },
    listener: {
      handlers: {
        listening: ({ server: { port } }) => void order.push(`listening on ${port > 0}`),
        connectionOpened: () => void order.push('connectionOpened'),
        cEcho: () => void order.push('cEcho of the listener'),
        associationRejected: undefined as never,
      },
    },
  })
  t.deepEqual(server.server.boundEvents(), ['cEcho', 'connectionOpened', 'listening'])
  t.deepEqual(server.ae.boundEvents(), ['cEcho'])
  const other = await server.ae.listen({ port: 0, host: '127.0.0.1' })
  for (const { port } of [server, other]) t.is(await echoOverTcp(port, '127.0.0.1'), 0)
  t.deepEqual(order, ['listening on true', 'connectionOpened', 'cEcho of the listener', 'cEcho of the AE', 'cEcho of the AE'])
})

test('handlers of a listener that are none are told with their names', async (t) => {
  await using ae = silentAe()
  const error = await t.throwsAsync(ae.listen({ handlers: { cEcko: () => 0, cStore: 5 } as never }), { code: 'DICOMTAP_ERR_CFG_INVALID' })
  t.deepEqual(error?.message.split('\n'), [
    'handlers.cEcko: is not an option; did you mean cEcho?',
    'handlers.cStore: must be a function, got 5',
  ])
  t.deepEqual(ae.servers, [])
})

// ── printed ─────────────────────────────────────────────────────────────────────────────────────────────

test('an application entity printed: titles, listeners, contexts by name, time-outs, limits, rules, associations', async (t) => {
  await using server = await createTestServer({
    aeTitle: 'ARCHIVE',
    implementationClassUid: '2.25.7',
    implementationVersionName: 'TEST',
    requireCallingAeTitles: ['CT01', 'CT02'],
    requireUserIdentity: true,
    timeouts: { networkMs: null },
    limits: { maximumAssociations: 7 },
    contexts: [
      VERIFICATION_CONTEXT,
      { abstractSyntax: CT_IMAGE, transferSyntaxes: [EXPLICIT_LE, '1.2.3'], roles: { scu: true, scp: true } },
      { abstractSyntax: '1.2.4', transferSyntaxes: [IMPLICIT_LE] },
    ],
    handlers: { userIdentity: () => ({ verified: true }) },
  })
  server.ae.addRequestedContext(CT_IMAGE, [EXPLICIT_LE], { scu: false, scp: true })
  using peer = connected(server)
  const item = { type: 0x58, userIdentityType: 2, positiveResponseRequested: false } as const
  await peer.associate({
    callingAeTitle: 'CT01',
    userInformation: [{ ...item, primaryField: Buffer.from('alice'), secondaryField: Buffer.from('hunter2') }],
  })
  const printed = String(server.ae)
  t.is(inspect(server.ae), printed)
  const lines = printed.split('\n')
  t.is(lines[0], 'Application entity ARCHIVE')
  t.deepEqual(lines.slice(1, 14), [
    '  implementation: 2.25.7 TEST',
    `  listeners: Listener ARCHIVE at 127.0.0.1:${server.port}: open, 3 contexts, 1 association`,
    '  supported contexts: 3',
    '    1.2.4, Verification SOP Class',
    '      ImplicitVRLittleEndian',
    '    CT Image Storage',
    '      ExplicitVRLittleEndian, 1.2.3; the peer may be SCU and SCP',
    '  requested contexts: 1',
    '    CT Image Storage',
    '      ExplicitVRLittleEndian; as SCP',
    '  time-outs:',
    '    acseMs 30000, dimseMs 30000, networkMs none, connectionMs 15000, associationMs none,',
    '    handlerMs 600000, lifecycleMs 60000',
  ])
  t.true(printed.includes('maximumAssociations 7, '))
  t.true(printed.includes('closeDeadlineMs 10000\n'))
  const [association] = server.ae.activeAssociations
  t.deepEqual(lines.slice(-6), [
    '  called AE title: any',
    '  calling AE titles: CT01, CT02',
    '  user identity: required',
    '  associations:',
    '    1 of 7 by peers, 0 by this side',
    `    ${String(association)}`,
  ])
  t.true(lines.every((line) => line.length < 130), printed)
  for (const text of [inspect(server.ae), inspect(association), inspect(server.server), inspect({ association })]) t.notRegex(text, /alice|hunter2/)
})

test('a listener and an association printed, at each stage of its life', async (t) => {
  await using server = await createTestServer({ aeTitle: 'ARCHIVE', contexts: [VERIFICATION_CONTEXT] })
  const { server: listener } = server
  t.is(String(listener), `Listener ARCHIVE at 127.0.0.1:${server.port}: open, 1 context, 0 associations`)
  t.is(inspect(listener), String(listener))
  const seen: string[] = []
  for (const name of ['connectionOpened', 'associationRequested', 'associationEstablished', 'associationReleased'] as const) {
    server.ae.bind(name, ({ association }) => void seen.push(String(association)))
  }
  using peer = connected(server)
  await peer.associate({ calledAeTitle: 'ARCHIVE', callingAeTitle: 'CT01', contexts: [[VERIFICATION], [CT_IMAGE]] })
  const [association] = server.ae.activeAssociations
  const where = `peer ${association!.remoteAddress}:${association!.remotePort}`
  t.is(inspect(association), [
    `Association a1 CT01 -> ARCHIVE, acceptor, established, ${where}, 1 of 2 contexts`,
    '  1 Verification SOP Class: ImplicitVRLittleEndian, as SCP',
    '  3 CT Image Storage: rejected, abstract syntax not supported',
  ].join('\n'))
  t.false(inspect({ association }, { depth: 0 }).includes('Verification'), 'deep inside something else it is one line')
  await peer.release()
  await association!.closed
  t.deepEqual(seen, [
    `Association a1, acceptor, connected, ${where}`,
    `Association a1 CT01 -> ARCHIVE, acceptor, negotiating, ${where}`,
    `Association a1 CT01 -> ARCHIVE, acceptor, established, ${where}, 1 of 2 contexts`,
    `Association a1 CT01 -> ARCHIVE, acceptor, released, ${where}, 1 of 2 contexts`,
  ])
  await listener.close()
  t.regex(String(listener), /: not open, /)
  void server.ae.close()
  t.is(String(server.ae).split('\n')[0], 'Application entity ARCHIVE, closing')
})

test('what a peer calls itself does not steer the terminal', async (t) => {
  await using server = await createTestServer({ contexts: [VERIFICATION_CONTEXT] })
  using peer = connected(server)
  const request = encodePdu(associateRequest({ callingAeTitle: 'A---B' }))
  // ESC [ and a line break in the place of the calling AE title (PS3.8 9.3.2: bytes 27 to 42, counted from 1).
  request.set([0x1b, 0x5b, 0x0a], 26)
  await peer.send(request)
  await peer.receivePdu()
  t.regex(String(server.ae.activeAssociations[0]), /^Association a1 \?\[\?-B -> ANY-SCP, /)
})

// ── close ───────────────────────────────────────────────────────────────────────────────────────────────

test('close, step by step', async (t) => {
  const order: string[] = []
  const closing = deferred()
  const storing = deferred<number>()
  const plugin = (name: string) =>
    definePlugin({
      name,
      apply(api) {
        api.onDispose(async () => {
          await settle(2)
          order.push(`dispose ${name}`)
        })
        api.signal.addEventListener('abort', () => order.push(`signal ${name}`))
      },
    })
  await using server = await createTestServer({
    contexts: SUPPORTED,
    plugins: [plugin('first')(), plugin('second')()],
    handlers: {
      preClose: async () => {
        order.push('preClose')
        await closing.promise
        order.push('preClose done')
      },
      cStore: () => storing.promise,
      associationAborted: ({ association }) => void order.push(`aborted ${association.callingAeTitle}`),
      connectionClosed: ({ association }) => void order.push(`gone ${association.callingAeTitle}`),
    },
  })
  const { ae } = server
  using busy = connected(server)
  await busy.associate({ contexts: PROPOSED, callingAeTitle: 'BUSY' })
  await busy.sendMessage(3, requestOf('C-STORE').command, Buffer.alloc(10))
  using idle = connected(server)
  await idle.associate({ contexts: PROPOSED, callingAeTitle: 'IDLE' })
  await turnsUntil(() => ae.activeAssociations.some((association) => association.operations.length === 1))

  // 1. New associations are refused; the listener still answers.
  let isClosed = false
  const closed = ae.close()
  void closed.then(() => (isClosed = true))
  t.is(ae.close(), closed, 'every call gets the same promise')
  t.true(ae.isClosing)
  using late = await scriptedPeer(server.port)
  t.deepEqual(await late.requestAssociation({ callingAeTitle: 'LATE' }), { type: 'A-ASSOCIATE-RJ', result: 2, source: 3, reason: 1 })
  await late.close()
  // 2. preClose is waited for; what runs goes on, and so do associations that stand.
  t.deepEqual(order.filter((entry) => !entry.endsWith('LATE')), ['preClose'])
  await idle.sendMessage(1, requestOf('C-ECHO').command)
  t.is((await idle.receiveMessage()).command.status, 0)
  closing.resolve()
  // 3. An association goes as soon as nothing runs on it; what runs has time.
  t.deepEqual(await idle.receivePdu(), { type: 'A-ABORT', source: 0, reason: 0 })
  await idle.close()
  await settle()
  t.is(busy.unreadBytes, 0)
  t.false(isClosed)
  storing.resolve(0)
  t.is((await busy.receiveMessage()).command.status, 0)
  t.deepEqual(await busy.receivePdu(), { type: 'A-ABORT', source: 0, reason: 0 })
  await busy.close()
  // 4. and 5. Listeners and connections are gone; then plugins clean up, the last one first.
  await closed
  t.deepEqual(order.filter((entry) => !entry.endsWith('LATE')), [
    'preClose',
    'preClose done',
    'aborted IDLE',
    'gone IDLE',
    'aborted BUSY',
    'gone BUSY',
    'signal first',
    'signal second',
    'dispose second',
    'dispose first',
  ])
  t.deepEqual(ae.servers, [])
  const socket = connect({ port: server.port, host: '127.0.0.1' })
  const [error] = (await once(socket, 'error')) as [NodeJS.ErrnoException]
  t.is(error.code, 'ECONNREFUSED')
})

test('close aborts what runs beyond the deadline, and lets its handler clean up before plugins are disposed', async (t) => {
  const order: string[] = []
  const plugin = definePlugin({
    name: 'store',
    apply(api) {
      api.hooks.cStore.tapPromise(async (request) => {
        try {
          await request.dataSet.buffer()
          return 0
        } catch (error) {
          order.push((error as DicomtapError).code)
          await settle(1)
          order.push('cleaned up')
          throw error
        }
      })
      api.onDispose(() => void order.push('disposed'))
    },
  })
  await using server = await createTestServer({ contexts: SUPPORTED, plugins: [plugin()] })
  using peer = connected(server)
  await peer.associate({ contexts: PROPOSED })
  await peer.sendMessage(3, requestOf('C-STORE').command)
  await turnsUntil(() => server.ae.activeAssociations[0]!.operations.length === 1)
  const closed = server.ae.close({ deadlineMs: 30 })
  t.deepEqual(await peer.receivePdu(), { type: 'A-ABORT', source: 0, reason: 0 })
  await peer.close()
  await closed
  t.deepEqual(order, ['DICOMTAP_ERR_DIMSE_TRUNCATED', 'cleaned up', 'disposed'])
})

test('close cuts peers that do not close after the abort, and peers that read nothing', async (t) => {
  await using server = await createTestServer({ contexts: SUPPORTED })
  using stubborn = connected(server)
  await stubborn.associate()
  using deaf = connected(server, { bufferBytes: 1_000 })
  await deaf.associate()
  deaf.pause()
  using silent = connected(server)
  await settle()
  await server.ae.close({ deadlineMs: 0 })
  t.is(server.server.connections, 0)
  await silent.receiveClose()
  t.is((await stubborn.receivePdu()).type, 'A-ABORT')
  await stubborn.receiveClose()
})

test('a preClose handler or a disposer that fails is logged, and the close goes on', async (t) => {
  const failing = definePlugin({
    name: 'failing',
    apply(api) {
      api.onDispose(() => Promise.reject(new Error('cannot dispose')))
    },
  })
  await using server = await createTestServer({
    plugins: [failing()],
    handlers: {
      preClose: () => {
        throw new Error('cannot wait')
      },
    },
  })
  const errors: string[] = []
  const { log } = server
  await server.ae.close()
  for (const record of log) if (record.level === 'error') errors.push(record.message)
  t.true(errors.some((message) => message.includes('cannot wait')), errors.join())
  t.true(errors.some((message) => message.includes('cannot dispose')), errors.join())
})

test('listen on an AE that is closed, or closes meanwhile, is refused, and nothing stays open', async (t) => {
  const closed = silentAe()
  await closed.close()
  await t.throwsAsync(closed.listen({ port: 0, host: '127.0.0.1' }), { code: 'DICOMTAP_ERR_NET_LISTEN' })

  const ae = silentAe()
  const listening = ae.listen({ port: 0, host: '127.0.0.1' })
  const refused = t.throwsAsync(listening, { code: 'DICOMTAP_ERR_NET_LISTEN', message: /closed/ })
  await ae.close()
  await refused
  t.deepEqual(ae.servers, [])
})

test('ae.abort ends every association at once', async (t) => {
  await using server = await createTestServer({ contexts: SUPPORTED })
  using first = connected(server)
  await first.associate()
  using second = connected(server)
  await second.associate()
  server.ae.abort('power off')
  for (const peer of [first, second]) t.deepEqual(await peer.receivePdu(), { type: 'A-ABORT', source: 0, reason: 0 })
  t.deepEqual(server.ae.activeAssociations, [])
})

// ── a process that has closed its AE ends by itself ─────────────────────────────────────────────────────

const TESTING = new URL('../../dist/testing/index.js', import.meta.url).href
const INDEX = new URL('../../dist/index.js', import.meta.url).href

/** Runs a script; resolves with its output when it has ended by itself, and fails when it does not. */
async function runScript(script: string): Promise<{ code: number | null; output: string }> {
  const prologue = `import { ApplicationEntity } from '${INDEX}'\nimport * as testing from '${TESTING}'\n`
  const child = spawn(process.execPath, ['--unhandled-rejections=strict', '--input-type=module', '-e', prologue + script], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
  }
  const timer = setTimeout(() => {
    output += '\n(killed: it did not end by itself)'
    child.kill('SIGKILL')
  }, 10_000)
  const [code] = (await once(child, 'close')) as [number | null]
  clearTimeout(timer)
  return { code, output }
}

const SCRIPTS: Readonly<Record<string, string>> = {
  'an AE that never listened': `new ApplicationEntity({ logLevel: 'silent' })`,
  'a listener that is closed again': `
    const ae = new ApplicationEntity({ logLevel: 'silent' })
    await ae.listen({ port: 0, host: '127.0.0.1' })
    await ae.close()`,
  'associations in every stage, with time-outs of half a minute behind each': `
    const server = await testing.createTestServer({
      contexts: [{ abstractSyntax: '1.2.840.10008.1.1', transferSyntaxes: ['1.2.840.10008.1.2'] }],
      timeouts: { handlerMs: 30_000 },
      handlers: { cEcho: (request) => request.messageId === 2 ? new Promise(() => {}) : 0 },
    })
    const peers = []
    for (let i = 0; i < 6; i++) peers.push(await testing.scriptedPeer(server.port))
    const echo = { commandField: 0x30, messageId: 1, affectedSopClassUid: '1.2.840.10008.1.1', commandDataSetType: 0x0101 }
    await peers[0].associate()
    await peers[0].release()
    await peers[1].associate()
    await peers[1].sendMessage(1, echo)
    await peers[1].receiveMessage()
    await peers[2].associate()
    await peers[2].sendMessage(1, { ...echo, messageId: 2 })
    await peers[3].associate()
    await peers[3].send(Buffer.from('0400000001', 'hex'))
    await peers[4].send(Buffer.from('GET / HTTP/1.1'))
    await peers[4].receivePdu()
    await server.ae.close({ deadlineMs: 50 })
    for (const peer of peers) peer.destroy()
    console.log('closed')`,
  'an association over memory, released and not': `
    const server = await testing.createTestServer()
    const scu = await testing.testScu(server)
    await scu.release()
    await testing.testScu(server)
    await server[Symbol.asyncDispose]()`,
  'listeners closed one by one, associations ended by the peer': `
    const server = await testing.createTestServer()
    const scu = await testing.testScu(server.port)
    await server.server.close()
    await scu.release()`,
}

for (const [name, script] of Object.entries(SCRIPTS)) {
  test(`the process ends by itself: ${name}`, async (t) => {
    const { code, output } = await runScript(script)
    t.is(code, 0, output)
  })
}
