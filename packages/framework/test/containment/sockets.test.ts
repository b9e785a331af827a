import { once } from 'node:events'
import { connect } from 'node:net'
import { Duplex } from 'node:stream'
import test from 'ava'
import { definePlugin } from '@dicomtap/framework'
import type { IncomingConnection } from '@dicomtap/framework'
import { createTestServer, memorySocket, ScriptedPeer } from '@dicomtap/framework/testing'
import { connected, deferred, turnsUntil } from '../support/connections.ts'
import { PROPOSED, requestOf, SUPPORTED } from '../support/requests.ts'
import { IMPLICIT_LE, VERIFICATION } from '../support/uids.ts'

// Connections that plugins bring and whose methods throw. What is thrown where nobody catches it would end the
// process: AVA fails when there is one.

const trap = (): never => {
  throw new Error('/var/lib/secret is full')
}

/** A connection without a network, one end of which a plugin brings. */
function brought(): { readonly socket: Duplex; readonly peer: ScriptedPeer; readonly client: Duplex } {
  const [client, end] = memorySocket()
  const socket = new Duplex({
    // A stream that destroys itself would call what throws from within Node.
    autoDestroy: false,
    read: () => void end.resume(),
    write: (bytes, _encoding, done) => void end.write(bytes, done),
    final: (done) => void end.end(done),
    destroy: (_error, done) => {
      end.destroy()
      done(null)
    },
  })
  end.on('data', (chunk) => socket.push(chunk) || end.pause())
  end.on('end', () => socket.push(null))
  return { socket, peer: new ScriptedPeer(client), client }
}

/** What of a socket throws, and what the peer does that it is called. */
const METHODS = {
  write: (peer) => peer.sendMessage(1, requestOf('C-ECHO').command),
  cork: (peer) => peer.sendMessage(requestOf('C-FIND').contextId, requestOf('C-FIND').command, requestOf('C-FIND').dataSet),
  uncork: (peer) => peer.sendMessage(requestOf('C-FIND').contextId, requestOf('C-FIND').command, requestOf('C-FIND').dataSet),
  pause: (peer) => peer.sendMessage(3, requestOf('C-STORE').command, Buffer.alloc(200_000)),
  resume: (peer) => peer.sendMessage(3, requestOf('C-STORE').command, Buffer.alloc(200_000)),
  end: (peer) => peer.sendPdu({ type: 'A-ABORT', source: 0, reason: 0 }),
  destroy: (peer) => peer.sendPdu({ type: 'A-ABORT', source: 0, reason: 0 }),
} as const satisfies Readonly<Record<string, (peer: ScriptedPeer) => Promise<unknown>>>

for (const [method, drive] of Object.entries(METHODS)) {
  for (const isBroken of ['from the start', 'once there is an association'] as const) {
    test(`incomingConnection: a socket whose ${method} throws ${isBroken} costs its connection alone`, async (t) => {
      const { socket, peer, client } = brought()
      const plugin = definePlugin({
        name: 'rogue',
        version: '1.0.0',
        apply: ({ hooks }) => hooks.incomingConnection.tap((connection: IncomingConnection) => ({ ...connection, socket: socket as never })),
      })()
      await using server = await createTestServer({
        contexts: SUPPORTED,
        plugins: [plugin],
        limits: { receiveBufferBytes: 16_384 },
        handlers: {
          // So long that it is no single piece.
          cFind: () => [{ TextValue: 'x'.repeat(20_000) }],
          cStore: async ({ dataSet }) => {
            await turnsUntil(() => socket.isPaused(), 200)
            await dataSet.buffer()
            return 0
          },
        },
      })
      const gone = deferred()
      server.ae.bind('connectionClosed', () => gone.resolve())
      const healthy = connected(server)
      await healthy.associate({ contexts: PROPOSED })
      if (isBroken === 'from the start') Object.defineProperty(socket, method, { value: trap })
      const knocking = connect(server.port, '127.0.0.1').on('error', () => {})
      await once(knocking, 'connect')
      client.on('error', () => {})
      const play = async (): Promise<void> => {
        await peer.associate({ contexts: PROPOSED })
        if (isBroken !== 'from the start') Object.defineProperty(socket, method, { value: trap })
        await drive(peer)
      }
      await Promise.race([play().catch(() => {}).then(() => gone.promise), gone.promise])
      t.deepEqual(server.logged('error'), ["Handler of 'rogue' for the hook incomingConnection failed: its socket threw: /var/lib/secret is full"])
      t.is(server.ae.activeAssociations.length, 1)
      await healthy.sendMessage(1, requestOf('C-ECHO').command)
      t.is((await healthy.receiveMessage()).command.status, 0)
      for (const each of [peer, healthy]) each.destroy()
      knocking.destroy()
    })
  }
}

for (const method of ['on', 'once', 'setNoDelay', 'write']) {
  test(`outgoingConnection: a socket whose ${method} throws fails the association that it was for`, async (t) => {
    const { socket, peer } = brought()
    const plugin = definePlugin({
      name: 'rogue',
      version: '1.0.0',
      apply: ({ hooks }) => hooks.outgoingConnection.tap(() => socket as never),
    })()
    await using server = await createTestServer({ plugins: [plugin] })
    Object.defineProperty(socket, method, { value: trap })
    const contexts = [{ abstractSyntax: VERIFICATION, transferSyntaxes: [IMPLICIT_LE] }]
    const associating = server.ae.associate({ host: '127.0.0.1', port: 104, contexts })
    setImmediate(() => socket.emit('connect'))
    await t.throwsAsync(associating, { message: /The socket failed: \/var\/lib\/secret is full/ })
    t.deepEqual(server.logged('error'), ["Handler of 'rogue' for the hook outgoingConnection failed: its socket threw: /var/lib/secret is full"])
    peer.destroy()
  })
}

test('a socket that gives something else than bytes is closed', async (t) => {
  for (const nonsense of ['text', {}, 5]) {
    const socket = new Duplex({ objectMode: true, read() {}, write: (_bytes, _encoding, done) => done() })
    await using server = await createTestServer()
    server.server.inject(socket as never)
    socket.push(nonsense)
    await once(socket, 'close')
    t.deepEqual(server.server.connections, 0)
  }
})
