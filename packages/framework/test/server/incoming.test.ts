import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { connect as connectTls, TLSSocket } from 'node:tls'
import test from 'ava'
import type { ExecutionContext } from 'ava'
import { ApplicationEntity, definePlugin } from '@dicomtap/framework'
import type { ApplicationEntityOptions, AssociationSettings, IncomingConnection } from '@dicomtap/framework'
import { createTestServer, ScriptedPeer } from '@dicomtap/framework/testing'
import type { TestServer, TestServerOptions } from '@dicomtap/framework/testing'
import { takeOver } from '../../dist/dul/take-over.js'
import { CERTIFICATE, KEY } from '../fixtures/tls.ts'
import { connected, deferred, turnsUntil } from '../support/connections.ts'
import { requestOf } from '../support/requests.ts'
import { CT_IMAGE, IMPLICIT_LE, VERIFICATION } from '../support/uids.ts'

const CONTEXTS = [{ abstractSyntax: VERIFICATION, transferSyntaxes: [IMPLICIT_LE] }]

async function serving(t: ExecutionContext, options: TestServerOptions): Promise<TestServer> {
  const server = await createTestServer({ contexts: CONTEXTS, ...options })
  t.teardown(() => server[Symbol.asyncDispose]())
  return server
}

async function tcp(t: ExecutionContext, { port }: TestServer): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1' }).on('error', () => {})
  t.teardown(() => socket.destroy())
  await once(socket, 'connect')
  return socket
}

async function echo(socket: Socket): Promise<number | undefined> {
  const peer = new ScriptedPeer(socket)
  await peer.associate()
  await peer.sendMessage(1, requestOf('C-ECHO').command)
  return (await peer.receiveMessage()).command.status
}

// ── incomingConnection ──────────────────────────────────────────────────────────────────────────────────

test('a handler sees who connected before anything is read, and what it leaves alone goes on as it was', async (t) => {
  const seen: IncomingConnection[] = []
  const server = await serving(t, {
    handlers: {
      incomingConnection: (connection, { server: listener }) => {
        seen.push(connection)
        t.is(listener, server.server)
        t.is((connection.socket as Socket).bytesRead, 0)
        return connection
      },
    },
  })
  const socket = await tcp(t, server)
  t.is(await echo(socket), 0)
  t.is(seen.length, 1)
  t.like(seen[0], { remoteAddress: '127.0.0.1', remotePort: socket.localPort!, localPort: server.port })
  t.false(seen[0]!.signal.aborted)
  t.is(server.ae.activeAssociations[0]?.security, undefined)
})

test('a handler that knows better whose connection it is changes the addresses', async (t) => {
  const server = await serving(t, {
    handlers: { incomingConnection: (connection) => ({ ...connection, remoteAddress: '192.0.2.7', remotePort: 4242, localAddress: '192.0.2.1', localPort: 104 }) },
  })
  t.is(await echo(await tcp(t, server)), 0)
  t.like(server.ae.activeAssociations[0], { remoteAddress: '192.0.2.7', remotePort: 4242, localAddress: '192.0.2.1', localPort: 104 })
})

test('a header that a handler reads is gone, and what came with it is not lost', async (t) => {
  const server = await serving(t, {
    handlers: {
      incomingConnection: async (connection) => {
        const { socket } = connection
        await once(socket, 'readable')
        const bytes = socket.read() as Buffer
        t.is(bytes.toString('latin1', 0, 6), 'HEADER')
        socket.unshift(bytes.subarray(6))
        return connection
      },
    },
  })
  const socket = await tcp(t, server)
  const peer = new ScriptedPeer(socket)
  socket.cork()
  socket.write('HEADER')
  const accepted = peer.associate()
  socket.uncork()
  await accepted
  await peer.sendMessage(1, requestOf('C-ECHO').command)
  t.is((await peer.receiveMessage()).command.status, 0)
})

/** Everything that arrives at a socket that a handler has read a header from, taken over or not. */
async function takenOver(t: ExecutionContext, header: number, play: (client: Socket) => Promise<void>): Promise<{ readonly isTaken: boolean; readonly bytes: Buffer }> {
  const server = createServer({ pauseOnConnect: true })
  t.teardown(() => server.close())
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const connected = once(server, 'connection') as Promise<[Socket]>
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1')
  const playing = play(client)
  const [accepted] = await connected
  let received = Buffer.alloc(0)
  while (received.length < header) {
    await once(accepted, 'readable')
    for (let chunk = accepted.read() as Buffer | null; chunk !== null; chunk = accepted.read() as Buffer | null) received = Buffer.concat([received, chunk])
  }
  accepted.unshift(received.subarray(header))
  // What comes meanwhile is read by the accepted socket still.
  await turnsUntil(() => false, 20)
  const socket = takeOver(accepted)
  const chunks: Buffer[] = []
  const isTaken = 'readBuffers' in socket
  if (isTaken) socket.onChunk = (chunk) => void chunks.push(Buffer.from(chunk))
  else socket.on('data', (chunk) => chunks.push(chunk))
  const ended = once(socket, 'end')
  socket.resume()
  await playing
  await ended
  socket.destroy()
  client.destroy()
  return { isTaken, bytes: Buffer.concat(chunks) }
}

const HEADER = Buffer.from('PROXY UNKNOWN\r\n')
const BODY = Buffer.from(Array.from({ length: 3_000_000 }, (_, index) => (index * 31 + (index >> 8)) & 0xff))
const send = (socket: Socket, bytes: Buffer): Promise<void> => new Promise((resolve) => socket.write(bytes, () => resolve()))

for (const [name, cuts] of Object.entries({
  'together': [HEADER.length + BODY.length],
  'the header alone': [HEADER.length],
  'the header and some of it': [HEADER.length + 100, HEADER.length + 5_000, HEADER.length + 200_000],
  'the header in pieces': [1, 7, HEADER.length - 1, HEADER.length + 1],
})) {
  test(`a socket that a header was read from reads into its own buffers from there on, and nothing is lost: ${name}`, async (t) => {
    const all = Buffer.concat([HEADER, BODY])
    const { isTaken, bytes } = await takenOver(t, HEADER.length, async (client) => {
      client.setNoDelay(true)
      let at = 0
      for (const cut of [...cuts, all.length]) {
        await send(client, all.subarray(at, cut))
        at = cut
      }
      client.end()
    })
    t.true(isTaken)
    t.is(bytes.length, BODY.length)
    t.true(bytes.equals(BODY))
  })
}

test('a socket whose end was read already is not taken over, and what came before the end is there', async (t) => {
  const { bytes } = await takenOver(t, HEADER.length, async (client) => {
    client.end(Buffer.concat([HEADER, BODY.subarray(0, 1_000)]))
  })
  t.true(bytes.equals(BODY.subarray(0, 1_000)))
})

test('TLS: the handler waits for the handshake, the association tells how it is secured', async (t) => {
  const server = await serving(t, {
    handlers: {
      incomingConnection: async (connection) => {
        const socket = new TLSSocket(connection.socket, { isServer: true, cert: CERTIFICATE, key: KEY })
        await once(socket, 'secure')
        return { ...connection, socket }
      },
    },
  })
  const socket = connectTls({ port: server.port, host: '127.0.0.1', rejectUnauthorized: false })
  t.teardown(() => socket.destroy())
  await once(socket, 'secureConnect')
  t.is(await echo(socket), 0)
  const [association] = server.ae.activeAssociations
  t.like(association?.security, { protocol: 'TLSv1.3', isAuthorized: false })
  t.is(association!.security!.peerCertificate, undefined)
  t.regex(association!.security!.cipher, /^TLS_/)
  t.is(association!.remotePort, socket.localPort!)
})

test('a handler lets nobody in by destroying the socket; one that throws, or gives no connection, cuts it', async (t) => {
  const handlers: [handler: (connection: IncomingConnection) => IncomingConnection, errors: RegExp[]][] = [
    [(connection) => (connection.socket.destroy(), connection), []],
    [
      () => {
        throw new Error('not this one')
      },
      [/incomingConnection failed: not this one/],
    ],
    [(connection) => ({ ...connection, socket: {} }) as never, [/incomingConnection must return a connection/]],
    [(connection) => ({ ...connection, remoteAddress: 7 }) as never, [/incomingConnection must return a connection/]],
  ]
  for (const [incomingConnection, errors] of handlers) {
    const server = await serving(t, { handlers: { incomingConnection } })
    const socket = await tcp(t, server)
    await once(socket, 'close')
    const logged = server.logged('error')
    t.is(logged.length, errors.length)
    for (const [index, pattern] of errors.entries()) t.regex(logged[index]!, pattern)
    t.is(server.server.connections, 0)
  }
})

test('a handler that never answers is given up with the time for a request, and told so', async (t) => {
  const told = deferred<unknown>()
  const server = await serving(t, {
    timeouts: { acseMs: 500 },
    handlers: {
      incomingConnection: ({ signal }) => {
        signal.addEventListener('abort', () => told.resolve(signal.reason))
        return new Promise<never>(() => {})
      },
    },
  })
  const socket = await tcp(t, server)
  await once(socket, 'close')
  t.regex(String(await told.promise), /not ready in time/)
})

test('a peer that goes while handlers are asked leaves nothing behind, also what a handler makes too late', async (t) => {
  const asked = deferred()
  const goOn = deferred()
  const made = deferred<TLSSocket>()
  const server = await serving(t, {
    handlers: {
      incomingConnection: async (connection) => {
        asked.resolve()
        await goOn.promise
        const socket = new TLSSocket(connection.socket, { isServer: true, cert: CERTIFICATE, key: KEY }).on('error', () => {})
        made.resolve(socket)
        return { ...connection, socket }
      },
    },
  })
  const socket = await tcp(t, server)
  await asked.promise
  socket.resetAndDestroy()
  goOn.resolve()
  const tlsSocket = await made.promise
  t.true(await turnsUntil(() => tlsSocket.destroyed && server.server.connections === 0))
})

test('connections that are being prepared count as pending: the one that waits longest makes room', async (t) => {
  const waiting: IncomingConnection[] = []
  const server = await serving(t, {
    limits: { maximumPendingAssociations: 2 },
    handlers: {
      incomingConnection: (connection) => {
        waiting.push(connection)
        return waiting.length > 2 ? connection : new Promise<never>(() => {})
      },
    },
  })
  const [first] = [await tcp(t, server), await tcp(t, server)]
  t.true(await turnsUntil(() => waiting.length === 2))
  // What is silent for less than a second is not cut for another.
  await new Promise((resolve) => setTimeout(resolve, 1_100))
  const closed = once(first, 'close')
  t.is(await echo(await tcp(t, server)), 0)
  await closed
  t.true(waiting[0]!.signal.aborted)
  t.false(waiting[1]!.signal.aborted)
})

test('a close lets go of what is being prepared', async (t) => {
  const asked = deferred()
  const server = await serving(t, { handlers: { incomingConnection: () => (asked.resolve(), new Promise<never>(() => {})) } })
  const socket = await tcp(t, server)
  await asked.promise
  const closed = once(socket, 'close')
  await server.ae.close({ deadlineMs: 0 })
  await closed
  t.pass()
})

// ── associationSettings, authorization ──────────────────────────────────────────────────────────────────

test('a peer gets limits and time-outs of its own, which the association announces and keeps', async (t) => {
  const server = await serving(t, {
    contexts: [...CONTEXTS, { abstractSyntax: CT_IMAGE, transferSyntaxes: [IMPLICIT_LE] }],
    handlers: {
      associationSettings: (settings, { association }) =>
        association.callingAeTitle === 'OLD'
          ? { ...settings, limits: { ...settings.limits, maximumPduBytes: 16_384, maximumSentPduBytes: 4_096 }, timeouts: { ...settings.timeouts, networkMs: 500 } }
          : settings,
    },
  })
  for (const [callingAeTitle, announced] of [['OLD', 16_384], ['NEW', 262_144]] as const) {
    using peer = connected(server)
    const accept = await peer.associate({ callingAeTitle, contexts: [[VERIFICATION, IMPLICIT_LE], [CT_IMAGE, IMPLICIT_LE]] })
    t.like(accept.userInformation[0], { type: 0x51, maximumLengthReceived: announced })
    const association = server.ae.activeAssociations.find((one) => one.callingAeTitle === callingAeTitle)!
    t.is(association.settings.limits.maximumPduBytes, announced)
    if (callingAeTitle !== 'OLD') continue
    // The shorter silence holds at once.
    t.like(await peer.receivePdu(), { type: 'A-ABORT', source: 2, reason: 0 })
  }
})

test('a P-DATA-TF longer than what was announced to this peer is refused', async (t) => {
  const server = await serving(t, {
    handlers: { associationSettings: (settings) => ({ ...settings, limits: { ...settings.limits, maximumPduBytes: 1_024 } }) },
  })
  using peer = connected(server)
  await peer.associate()
  await peer.send(Buffer.from('04 00 00 00 04 01'.replaceAll(' ', ''), 'hex'))
  t.like(await peer.receivePdu(), { type: 'A-ABORT', source: 2, reason: 6 })
})

test('what a peer cannot bear is left out of the answer, and does not hold', async (t) => {
  const server = await serving(t, {
    handlers: {
      associationSettings: (settings) => ({ ...settings, omittedUserItems: [0x51, 0x53, 0x55] }),
      asyncOperations: () => t.fail('what is not answered is not negotiated') as never,
    },
  })
  using peer = connected(server)
  const accept = await peer.associate({ userInformation: [{ type: 0x53, maximumNumberOperationsInvoked: 5, maximumNumberOperationsPerformed: 1 }] })
  // The maximum length and the implementation class UID must be there (PS3.7 D.3.3.1, D.3.3.2).
  t.deepEqual(accept.userInformation.map(({ type }) => type), [0x51, 0x52])
  t.deepEqual(server.ae.activeAssociations[0]?.asynchronousOperations, { invoked: 1, performed: 1 })
})

test('settings that no association can go by reject it, and say which', async (t) => {
  const wrong: [settings: (settings: AssociationSettings) => unknown, message: RegExp][] = [
    [(settings) => ({ ...settings, limits: { ...settings.limits, maximumPduBytes: -1 } }), /maximumPduBytes is -1/],
    [(settings) => ({ ...settings, timeouts: { ...settings.timeouts, networkMs: Number.NaN } }), /networkMs is NaN/],
    [(settings) => ({ ...settings, omittedUserItems: undefined }), /settings that cannot be/],
  ]
  for (const [change, message] of wrong) {
    const server = await serving(t, { handlers: { associationSettings: (settings) => change(settings) as AssociationSettings } })
    using peer = connected(server)
    t.like(await peer.requestAssociation(), { type: 'A-ASSOCIATE-RJ', result: 2, source: 1, reason: 1 })
    t.regex(server.logged('error').join(), message)
  }
})

test('who is known and may not: asked after the user identity, with settings that may ask for one', async (t) => {
  const asked: string[] = []
  const server = await serving(t, {
    handlers: {
      associationSettings: (settings) => (asked.push('associationSettings'), { ...settings, requireUserIdentity: true }),
      userIdentity: () => (asked.push('userIdentity'), { verified: true }),
      authorization: () => (asked.push('authorization'), { result: 1, source: 1, reason: 3 }),
      acceptedContexts: () => t.fail('it was refused') as never,
    },
  })
  using nobody = connected(server)
  t.like(await nobody.requestAssociation(), { type: 'A-ASSOCIATE-RJ', result: 2, source: 2, reason: 1 })
  t.deepEqual(asked.splice(0), ['associationSettings'])
  using peer = connected(server)
  const identity = { type: 0x58, userIdentityType: 1, positiveResponseRequested: false, primaryField: Buffer.from('eve'), secondaryField: new Uint8Array(0) } as const
  t.like(await peer.requestAssociation({ userInformation: [identity] }), { type: 'A-ASSOCIATE-RJ', result: 1, source: 1, reason: 3 })
  t.deepEqual(asked, ['associationSettings', 'userIdentity', 'authorization'])
})

// ── keys of listeners, diagnose ─────────────────────────────────────────────────────────────────────────

const schema = <T>(check: (value: Record<string, unknown>) => T) => ({
  '~standard': {
    version: 1 as const,
    vendor: 'test',
    validate: (value: unknown) => {
      const result = check(value as Record<string, unknown>)
      return typeof result === 'string' ? { issues: [{ message: result, path: ['cert'] }] } : { value: result }
    },
  },
})

const silent = (options: ApplicationEntityOptions & { listen?: unknown } = {}): ApplicationEntity =>
  new ApplicationEntity({ logLevel: 'silent', ...options } as ApplicationEntityOptions)

test('a listener that asks for TLS and finds no plugin does not open, nor does the AE get ready', async (t) => {
  const code = 'DICOMTAP_ERR_CFG_INVALID'
  const message = 'listen.tls: no plugin is loaded that brings it; npm install @dicomtap/plugin-tls, and add "@dicomtap/plugin-tls" to plugins'
  await t.throwsAsync(silent().listen({ port: 0, tls: {} }), { code, message })
  await t.throwsAsync(silent({ listen: [{}, { port: 2762, tls: true }] }).ready(), { code, message: /^listen\[1\]\.tls: / })
  await t.throwsAsync(silent().listen({ port: 0, proxyProtocol: true }), { code, message: /plugin-access/ })
  await using ae = silent()
  t.deepEqual(Object.keys((await ae.listen({ port: 0, host: '127.0.0.1', tls: false })).options), ['port', 'host'])
})

test('a plugin checks its key of each listener, and finds it as checked', async (t) => {
  const plugin = definePlugin({
    name: 'some-tls',
    listenerOptions: { tls: schema(({ cert = 'default.pem' }) => (cert === 'bad' ? 'is no certificate' : { cert })) },
    apply() {},
  })
  await using ae = silent()
  await ae.use(plugin())
  const listen = async (tls: unknown): Promise<unknown> => (await ae.listen({ port: 0, host: '127.0.0.1', tls } as never)).options.tls
  t.deepEqual(await listen(true), { cert: 'default.pem' })
  t.deepEqual(await listen({ cert: 'other.pem' }), { cert: 'other.pem' })
  await t.throwsAsync(listen({ cert: 'bad' }), { code: 'DICOMTAP_ERR_CFG_INVALID', message: 'listen.tls.cert: is no certificate' })
  for (const listenerOptions of [{ port: schema(() => 1) }, { tls: {} }]) {
    t.throws(() => definePlugin({ name: 'wrong', listenerOptions: listenerOptions as never, apply() {} }), { code: 'DICOMTAP_ERR_PLG_INVALID' })
  }
})

test('diagnose gathers what plugins report; one that fails is a finding, and the others are asked', async (t) => {
  const failing = definePlugin({
    name: 'failing',
    apply(api) {
      api.hooks.diagnose.tap(() => {
        throw new Error('cannot tell')
      })
    },
  })
  const reporting = definePlugin({
    name: 'reporting',
    apply(api) {
      api.hooks.diagnose.tapPromise(async ({ report }) => report({ level: 'warning', plugin: 'reporting', message: 'server.pem expires in 5 days' }))
    },
  })
  await using ae = silent()
  await ae.use(failing(), reporting())
  t.deepEqual(await ae.diagnose(), [
    { level: 'error', plugin: 'failing', message: "Handler of 'failing' for the hook diagnose failed: cannot tell" },
    { level: 'warning', plugin: 'reporting', message: 'server.pem expires in 5 days' },
  ])
})
