import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { connect as connectTls, createServer as createTlsServer } from 'node:tls'
import test from 'ava'
import type { ExecutionContext } from 'ava'
import { ApplicationEntity, DicomtapError, SopClass } from '@dicomtap/framework'
import type { AssociateOptions, Association, ErrorCode } from '@dicomtap/framework'
import { createTestServer } from '@dicomtap/framework/testing'
import { CERTIFICATE, KEY } from '../fixtures/tls.ts'
import { deferred } from '../support/connections.ts'
import { closeRequestors, established, requested } from '../support/requested.ts'
import { IMPLICIT_LE } from '../support/uids.ts'

// Options, sockets and arguments that make no sense: a typed error, and nothing left behind.

test.after.always(closeRequestors)

const CONTEXTS = [{ abstractSyntax: SopClass.Verification, transferSyntaxes: [IMPLICIT_LE] }]

async function failure(t: ExecutionContext, promise: Promise<unknown>, code: ErrorCode): Promise<DicomtapError> {
  return (await t.throwsAsync(promise, { instanceOf: DicomtapError, code })) as DicomtapError
}

/** The AE has nothing left of what failed: its close has nothing to wait for. */
async function closes(t: ExecutionContext, ae: ApplicationEntity): Promise<void> {
  t.deepEqual(ae.activeAssociations, [])
  await ae.close()
}

test('a connection that Node does not even try is one that failed', async (t) => {
  // No port of a user is checked again after a handler changed it.
  const ae = new ApplicationEntity({ logLevel: 'silent' })
  ae.bind('outgoingAssociation', (options) => ({ ...options, port: 70_000 }))
  const error = await failure(t, ae.associate({ host: 'pacs', port: 104, contexts: CONTEXTS }), 'DICOMTAP_ERR_NET_CONNECT')
  t.regex(error.message, /^Cannot connect to pacs:70000: /)
  t.is((error.cause as NodeJS.ErrnoException).code, 'ERR_SOCKET_BAD_PORT')
  await closes(t, ae)
})

test('an association that is aborted before it has a connection is over, and the connection that a handler made for it', async (t) => {
  const side = requested({ handlers: { stateChanged: ({ association }) => association.abort('not at all') } })
  const error = await failure(t, side.association, 'DICOMTAP_ERR_ACSE_ABORTED')
  t.is(error.message, 'No association with PACS at pacs:104: not at all')
  t.deepEqual(side.happened, ['associationAborted'])
  t.true(side.peer.socket.destroyed || (await once(side.peer.socket, 'close'), true))
  await closes(t, side.ae)
})

test('outgoingConnection may answer a socket that is connected already, of TCP or TLS', async (t) => {
  await using server = await createTestServer({ contexts: CONTEXTS })
  const tls = createTlsServer({ key: KEY, cert: CERTIFICATE }, (socket) => server.server.inject(socket))
  tls.listen(0, '127.0.0.1')
  await once(tls, 'listening')
  const opened = {
    connect: async () => {
      const socket = connect(server.port, '127.0.0.1')
      await once(socket, 'connect')
      return socket
    },
    secureConnect: async () => {
      const socket = connectTls({ port: (tls.address() as AddressInfo).port, host: '127.0.0.1', ca: CERTIFICATE })
      await once(socket, 'secureConnect')
      return socket
    },
    // Connected, and the handshake not over.
    connecting: async () => {
      const socket = connectTls({ port: (tls.address() as AddressInfo).port, host: '127.0.0.1', ca: CERTIFICATE })
      await once(socket, 'connect')
      return socket
    },
  }
  for (const [name, open] of Object.entries(opened)) {
    const ae = new ApplicationEntity({ logLevel: 'silent' })
    ae.bind('outgoingConnection', open)
    let connections = 0
    ae.bind('connectionOpened', () => void (connections += 1))
    const association = await ae.associate({ host: '127.0.0.1', port: server.port, contexts: CONTEXTS })
    t.is((await association.cEcho()).status, 0, name)
    await association.release()
    t.is(connections, 1, name)
    await closes(t, ae)
  }
  tls.close()
})

test('outgoingConnection that answers a socket which is closed: the connection failed, with its reason', async (t) => {
  const reason = new Error('the tunnel fell in')
  for (const cause of [undefined, reason]) {
    const ae = new ApplicationEntity({ logLevel: 'silent' })
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    ae.bind('outgoingConnection', async () => {
      const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
      socket.on('error', () => {})
      await once(socket, 'connect')
      socket.destroy(cause)
      await once(socket, 'close').catch(() => once(socket, 'close'))
      return socket
    })
    const error = await failure(t, ae.associate({ host: 'pacs', port: 104, contexts: CONTEXTS }), 'DICOMTAP_ERR_NET_CONNECT')
    t.is(error.cause, cause)
    await closes(t, ae)
    server.close()
  }
})

test('a signal ends the wait for handlers, and a socket that comes too late is let go', async (t) => {
  const abort = new AbortController()
  const asked = deferred()
  const late = deferred<ReturnType<typeof connect>>()
  const server = createServer((socket) => socket.resume()).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const side = requested({ signal: abort.signal })
  side.ae.bind('outgoingAssociation', async (options) => {
    asked.resolve()
    await new Promise((resolve) => setImmediate(resolve))
    return options
  })
  const other = new ApplicationEntity({ logLevel: 'silent' })
  other.bind('outgoingConnection', () => {
    asked.resolve()
    return late.promise
  })
  const association = other.associate({ host: 'pacs', port: 104, contexts: CONTEXTS, signal: abort.signal })
  association.catch(() => {})
  await asked.promise
  await new Promise((resolve) => setImmediate(resolve))
  abort.abort(new Error('enough'))
  for (const promise of [side.association, association]) {
    const error = await failure(t, promise, 'DICOMTAP_ERR_ACSE_ABORTED')
    t.is((error.cause as Error).message, 'enough')
  }
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
  const closed = once(socket, 'close')
  late.resolve(socket)
  await closed
  server.close()
  await closes(t, other)
})

const BAD_OPTIONS: readonly (readonly [unknown, RegExp])[] = [
  [undefined, /^associate\(\) takes an object of options$/],
  [null, /takes an object/],
  [{ handlers: null }, /^handlers: must be an object, got null$/],
  [{ handlers: [] }, /^handlers: must be an object/],
  [{ handlers: { cStroe: () => 0 } }, /^handlers\.cStroe: .*did you mean cStore\?$/],
  [{ handlers: { cStore: 5 } }, /^handlers\.cStore: must be a function, got 5$/],
  // These would never be called.
  [{ handlers: { outgoingConnection: () => {} } }, /^handlers\.outgoingConnection: is not asked for one association; bind it on the ApplicationEntity$/],
  [{ handlers: { ready: () => {} } }, /^handlers\.ready: is not asked for one association/],
  [{ signal: {} }, /^signal: must be an AbortSignal, got an object$/],
]

test('options that make no sense are refused before anything is asked or opened', async (t) => {
  const ae = new ApplicationEntity({ logLevel: 'silent' })
  ae.bind('outgoingAssociation', () => t.fail())
  for (const [options, message] of BAD_OPTIONS) {
    const whole = typeof options === 'object' && options !== null ? { host: 'pacs', port: 104, ...options } : options
    t.regex((await failure(t, ae.associate(whole as AssociateOptions), 'DICOMTAP_ERR_ACSE_REQUEST')).message, message)
  }
  await closes(t, ae)
})

test('a handler that is undefined is none', async (t) => {
  const { association } = await established({ handlers: { cEcho: undefined } as never })
  t.deepEqual(association.boundEvents(), [])
})

test('an acceptor that takes no PDU with a byte in it is no peer', async (t) => {
  for (const maximumLengthReceived of [1, 6]) {
    const side = requested()
    await side.peer.acceptAssociation({
      userInformation: [
        { type: 0x51, maximumLengthReceived },
        { type: 0x52, implementationClassUid: '2.25.2' },
      ],
    })
    t.regex((await failure(t, side.association, 'DICOMTAP_ERR_ACSE_ABORTED')).message, /PDUs of at most \d bytes: none fits/)
    // PS3.8 table 9-26: 6, invalid PDU parameter value.
    t.deepEqual(await side.peer.receivePdu(), { type: 'A-ABORT', source: 2, reason: 6 })
  }
})

test('silence while an association is opened is a time-out, whichever limit comes first', async (t) => {
  const silent = requested({ timeouts: { networkMs: 500, acseMs: null } })
  await failure(t, silent.association, 'DICOMTAP_ERR_ACSE_TIMEOUT')
  const ae = new ApplicationEntity({ logLevel: 'silent', timeouts: { networkMs: 30, connectionMs: null } })
  const [socket] = (await import('@dicomtap/framework/testing')).memorySocket()
  ae.bind('outgoingConnection', () => socket)
  await failure(t, ae.associate({ host: 'pacs', port: 104, contexts: CONTEXTS }), 'DICOMTAP_ERR_NET_CONNECT')
  await closes(t, ae)
})

const BAD_REQUESTS: readonly (readonly [string, (association: Association) => Promise<unknown>])[] = [
  ['C-ECHO: options are missing', (association) => association.cEcho(null as never)],
  ['signal must be an AbortSignal, not 5', (association) => association.cEcho({ signal: 5 as never })],
  ['signal must be an AbortSignal, not this object', (association) => association.cEcho({ signal: {} as never })],
  ['signal must be an AbortSignal, not null', (association) => association.cEcho({ signal: null as never })],
  [
    'The C-STORE could not be prepared: bytes() of an instance to send must give bytes or an iterable of them',
    (association) =>
      association.cStore({ sopClassUid: SopClass.Verification, sopInstanceUid: '1.2', transferSyntaxUid: IMPLICIT_LE, bytes: () => undefined as never }),
  ],
]

test('arguments of a request that make no sense', async (t) => {
  const { association } = await established()
  for (const [message, request] of BAD_REQUESTS) t.is((await failure(t, request(association), 'DICOMTAP_ERR_DIMSE_REQUEST')).message, message)
  t.true(association.isEstablished)
})

test('a source that comes too late is let go', async (t) => {
  const { association, peer } = await established({
    contexts: [{ abstractSyntax: SopClass.CTImageStorage, transferSyntaxes: [IMPLICIT_LE] }],
  })
  const asked = deferred()
  const late = deferred<Readable>()
  const cancel = new AbortController()
  const bytes = (): Promise<Readable> => {
    asked.resolve()
    return late.promise
  }
  const source = { sopClassUid: SopClass.CTImageStorage, sopInstanceUid: '1.2', transferSyntaxUid: IMPLICIT_LE, bytes }
  const request = association.cStore(source, { signal: cancel.signal })
  await asked.promise
  cancel.abort()
  await failure(t, request, 'DICOMTAP_ERR_DIMSE_CANCELLED')
  const stream = Readable.from([Buffer.alloc(10), Buffer.alloc(10)])
  const closed = new Promise((resolve) => stream.once('close', resolve))
  late.resolve(stream)
  await closed
  t.true(stream.destroyed)
  t.is(peer.unreadBytes, 0)
})

test.serial('a request that was taken back before it was looked at leaves no rejection behind', async (t) => {
  const unhandled: unknown[] = []
  const listener = (reason: unknown): void => void unhandled.push(reason)
  process.on('unhandledRejection', listener)
  const { association } = await established()
  const request = association.nGet({
    requestedSopClassUid: SopClass.Verification,
    requestedSopInstanceUid: '1.2',
    // Looked up in the dictionary, which takes a moment.
    attributeIdentifierList: ['NoSuchAttribute'],
    signal: AbortSignal.abort(),
  })
  await failure(t, request, 'DICOMTAP_ERR_DIMSE_CANCELLED')
  const listed = association.nGet({
    requestedSopClassUid: SopClass.Verification,
    requestedSopInstanceUid: '1.2',
    attributeIdentifierList: ['NoSuchAttribute'],
  })
  // When this one has its answer, the other one has failed too.
  await failure(t, listed, 'DICOMTAP_ERR_DIMSE_REQUEST')
  await new Promise((resolve) => setImmediate(resolve))
  process.off('unhandledRejection', listener)
  t.deepEqual(unhandled, [])
})

test('a release that is under way is waited for by whoever asks for another, and by await using', async (t) => {
  const { association, peer } = await established()
  const order: string[] = []
  const first = association.release().then(() => order.push('first'))
  const second = association.release().then(() => order.push('second'))
  const disposed = association[Symbol.asyncDispose]().then(() => order.push('disposed'))
  t.deepEqual(await peer.receivePdu(), { type: 'A-RELEASE-RQ' })
  t.deepEqual(order, [])
  await peer.sendPdu({ type: 'A-RELEASE-RP' })
  await Promise.all([first, second, disposed])
  t.true(association.isReleased)
})
