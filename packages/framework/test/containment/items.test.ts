// oxlint-disable unicorn/no-thenable, require-yield, typescript/prefer-promise-reject-errors -- handlers may do what they like
import { once } from 'node:events'
import { connect } from 'node:net'
import { Duplex } from 'node:stream'
import test from 'ava'
import type { ExecutionContext } from 'ava'
import { ApplicationEntity, definePlugin } from '@dicomtap/framework'
import type { CFindRequest, InstanceToSend } from '@dicomtap/framework'
import { HandlerTime } from '../../dist/dimse/handler-time.js'
import { createLogger } from '../../dist/console-log.js'
import { createHooks } from '../../dist/hooks/create-hooks.js'
import { createGuardContext } from '../../dist/hooks/guard-context.js'
import { tapFacade } from '../../dist/hooks/tap-facade.js'
import type { LogRecord } from '../../dist/logger.js'
import { createTestServer, ScriptedPeer } from '../../dist/testing/index.js'
import type { TestServer, TestServerOptions } from '../../dist/testing/index.js'
import { connected, deferred, turnsUntil } from '../support/connections.ts'
import { IDENTIFIER, PROPOSED, requestOf, SUPPORTED } from '../support/requests.ts'
import { FAILURES, rogue } from '../support/rogue.ts'
import { CT_IMAGE, IMPLICIT_LE } from '../support/uids.ts'

// What handlers give bit by bit: matches, instances and their bytes. And what plugins hold up: the event loop, a
// socket, the close.

const trap = (): never => {
  throw new Error('/var/lib/secret is full')
}
const never = (): Promise<never> => new Promise(() => {})
const iterable = (iterator: unknown): unknown => ({ [Symbol.asyncIterator]: () => iterator })
const unreadable = (): object => Object.defineProperties({}, { done: { get: trap }, value: { get: trap } })

const BROKEN: Readonly<Record<string, () => unknown>> = {
  'cannot be begun': () => ({ [Symbol.asyncIterator]: trap }),
  'cannot be begun, of the other kind': () => ({ [Symbol.iterator]: trap }),
  'has no iterator': () => iterable(undefined),
  'has what is no function': () => ({ [Symbol.asyncIterator]: 5 }),
  'has an iterator without next': () => iterable({}),
  'throws': () => iterable({ next: trap }),
  'rejects': () => iterable({ next: async () => trap() }),
  'rejects with nothing': () => iterable({ next: () => Promise.reject() }),
  'gives no result': () => iterable({ next: () => undefined }),
  'gives a number': () => iterable({ next: async () => 5 }),
  'gives a result that cannot be read': () => iterable({ next: async () => unreadable() }),
  'gives a thenable that throws': () => iterable({ next: () => ({ then: trap }) }),
  'gives null': () => [null],
  'gives a number as item': () => [5],
  'gives a list': () => [[]],
  'throws, and again when it is let go': () => iterable({ next: trap, return: trap }),
  'gives null, and throws when it is let go': () => iterable({ next: async () => ({ done: false, value: null }), return: trap }),
  'gives null, and hangs when it is let go': () => iterable({ next: async () => ({ done: false, value: null }), return: never }),
}

interface Side extends AsyncDisposable {
  readonly server: TestServer
  readonly peer: ScriptedPeer
}

const BOTH = { scu: true, scp: true }

async function side(options: TestServerOptions): Promise<Side> {
  const contexts = SUPPORTED.map((context) => (context.abstractSyntax === CT_IMAGE ? { ...context, roles: BOTH } : context))
  const server = await createTestServer({ contexts, ...options })
  const peer = connected(server)
  await peer.associate({ contexts: PROPOSED, roles: [{ sopClassUid: CT_IMAGE, scuRole: true, scpRole: true }] })
  return {
    server,
    peer,
    async [Symbol.asyncDispose]() {
      peer.destroy()
      await server[Symbol.asyncDispose]()
    },
  }
}

async function echoes(t: ExecutionContext, peer: ScriptedPeer, after: string): Promise<void> {
  await peer.sendMessage(1, requestOf('C-ECHO').command)
  t.like((await peer.receiveMessage()).command, { commandField: 0x8030, status: 0 }, `C-ECHO after ${after}`)
}

for (const [service, hook, failed] of [['C-FIND', 'cFind', 0xc311], ['C-GET', 'cGet', 0xc411], ['C-MOVE', 'cMove', 0xc511]] as const) {
  test(`${service}: iterables that are broken in every way`, async (t) => {
    const bad = rogue(hook)
    await using both = await side({ plugins: [bad.plugin], handlers: { moveDestination: () => ({ host: '127.0.0.1', port: 104 }) } })
    const { peer, server } = both
    const { contextId, command, dataSet } = requestOf(service)
    for (const [name, make] of Object.entries(BROKEN)) {
      bad.failed.length = 0
      bad.misbehaviour = { name, kind: 'fails', act: () => (hook === 'cFind' ? make() : { instances: make() }) }
      await peer.sendMessage(contextId, command, dataSet)
      const response = (await peer.receiveMessage()).command
      t.like(response, { status: failed, errorComment: 'Processing failure' }, name)
      t.deepEqual(bad.failed.map((event) => [event.hook, event.plugin]), [[hook, 'rogue']], name)
      const line = server.log.findLast(({ level }) => level === 'error')
      t.like(line?.fields, { hook, plugin: 'rogue' }, name)
      await echoes(t, peer, name)
    }
    const letGo = server.log.filter(({ message }) => message.endsWith('failed while it was stopped'))
    t.true(letGo.length >= 2 && letGo.every(({ fields }) => fields['plugin'] === 'rogue' && fields['hook'] === hook))
  })

  test(`${service}: an iterable that never gives anything is answered for after handlerMs, by name`, async (t) => {
    const bad = rogue(hook)
    await using both = await side({
      plugins: [bad.plugin],
      timeouts: { handlerMs: 50 },
      handlers: { moveDestination: () => ({ host: '127.0.0.1', port: 104 }) },
    })
    const isLetGo = deferred()
    const items = iterable({ next: never, return: () => (isLetGo.resolve(), never()) })
    bad.misbehaviour = { name: '', kind: 'late', act: () => (hook === 'cFind' ? items : { instances: items }) }
    const { contextId, command, dataSet } = requestOf(service)
    await both.peer.sendMessage(contextId, command, dataSet)
    t.like((await both.peer.receiveMessage()).command, { status: 0x0110, errorComment: 'The handler took too long' })
    await isLetGo.promise
    t.deepEqual(bad.failed.map(({ error }) => error.code), ['DICOMTAP_ERR_HOOK_TIMEOUT'])
    t.like(both.server.log.find(({ message }) => message === 'a handler took too long')?.fields, { hook, plugin: 'rogue' })
    await echoes(t, both.peer, 'it')
  })
}

test('matches without end go on until the peer has enough', async (t) => {
  const isEnded = deferred()
  await using both = await side({
    handlers: {
      cFind: async function* () {
        try {
          for (;;) {
            yield { PatientID: '1' }
          }
        } finally {
          isEnded.resolve()
        }
      },
    },
  })
  const { contextId, command, dataSet } = requestOf('C-FIND')
  await both.peer.sendMessage(contextId, command, dataSet)
  for (let i = 0; i < 20; i++) t.is((await both.peer.receiveMessage()).command.status, 0xff00)
  await both.peer.sendMessage(contextId, { commandField: 0x0fff, messageIdBeingRespondedTo: command.messageId!, commandDataSetType: 0x0101 })
  let status: number | undefined = 0xff00
  while (status === 0xff00) status = (await both.peer.receiveMessage()).command.status
  t.is(status, 0xfe00)
  await isEnded.promise
})

test('a handler is late when nothing has come of it for so long, however long it takes in all', async (t) => {
  let steps = 0
  let isGoingOn = true
  const ended: unknown[] = []
  const operation = {
    service: 'C-FIND',
    messageId: 1,
    // A step further each time that it is looked at.
    get progress() {
      return isGoingOn ? ++steps : steps
    },
    endReason: undefined as unknown,
    end(reason: unknown) {
      ended.push(reason)
      this.endReason = reason
    },
  }
  const work = new HandlerTime(2, () => createLogger({ level: 'silent' })).within(operation as never, never())
  while (steps < 10) await new Promise((resolve) => setTimeout(resolve, 1))
  t.deepEqual(ended, [])
  isGoingOn = false
  await t.throwsAsync(work, { code: 'DICOMTAP_ERR_DIMSE_TIMEOUT' })
  t.is(ended.length, 1)
})

const bytesOf = (bytes: unknown): InstanceToSend =>
  ({ sopClassUid: CT_IMAGE, sopInstanceUid: '1.2.3', transferSyntaxUid: IMPLICIT_LE, bytes }) as InstanceToSend

/** Nothing of them is on the wire: the sub-operation fails, and the others go on. */
const UNUSABLE: Readonly<Record<string, unknown>> = {
  'an empty object': {},
  'no UIDs': { bytes: () => [IDENTIFIER] },
  'UIDs that are none': { ...bytesOf(() => [IDENTIFIER]), sopInstanceUid: '../../x' },
  'UIDs that are no text': { ...bytesOf(() => [IDENTIFIER]), sopClassUid: 5 },
  'UIDs that cannot be read': Object.defineProperty({ ...bytesOf(() => [IDENTIFIER]) }, 'sopInstanceUid', { get: trap }),
  'a path that does not exist': '/nowhere/x.dcm',
  'bytes that are no object': Buffer.from('no DICOM'),
  'bytes() that throws': bytesOf(trap),
  'bytes() that rejects': bytesOf(async () => trap()),
  'bytes() that gives a number': bytesOf(() => 5),
  'bytes() that gives null': bytesOf(() => null),
  'bytes() that never gives anything': bytesOf(never),
  'bytes() whose iterable throws': bytesOf(() => iterable({ next: trap, return: trap })),
  'bytes() whose iterable hangs': bytesOf(() => iterable({ next: never, return: never })),
  'bytes() whose iterable gives a text': bytesOf(() => ['text']),
}

test('C-GET: instances that cannot be sent fail, by the name of their plugin, and the next one is sent', async (t) => {
  const bad = rogue('cGet')
  await using both = await side({ plugins: [bad.plugin], timeouts: { handlerMs: 500 } })
  const { peer, server } = both
  const { contextId, command, dataSet } = requestOf('C-GET')
  for (const [name, instance] of Object.entries(UNUSABLE)) {
    const before = server.log.length
    bad.misbehaviour = { name, kind: 'wrong', act: () => ({ instances: [instance, bytesOf(() => [IDENTIFIER])] }) }
    await peer.sendMessage(contextId, command, dataSet)
    t.like((await peer.receiveMessage()).command, { commandField: 0x8010, status: 0xff00, numberOfFailedSuboperations: 1 }, name)
    const store = await peer.receiveMessage()
    t.like(store.command, { commandField: 0x0001, affectedSopInstanceUid: '1.2.3' }, name)
    t.deepEqual(store.dataSet, Buffer.from(IDENTIFIER), name)
    const { messageId, affectedSopClassUid, affectedSopInstanceUid } = store.command
    const answer = { commandField: 0x8001, messageIdBeingRespondedTo: messageId!, affectedSopClassUid, affectedSopInstanceUid, status: 0, commandDataSetType: 0x0101 }
    await peer.sendMessage(3, answer)
    t.like((await peer.receiveMessage()).command, { status: 0xff00, numberOfCompletedSuboperations: 1 }, name)
    t.like((await peer.receiveMessage()).command, { status: 0xb000, errorComment: undefined }, name)
    const lines = server.log.slice(before).filter(({ message }) => message === 'a sub-operation failed')
    t.deepEqual(lines.map(({ fields }) => [fields['hook'], fields['plugin']]), [['cGet', 'rogue']], name)
  }
})

test('bytes that stop in the middle of an object end the association: half of it is on the wire', async (t) => {
  const first = Buffer.alloc(40_000)
  const STOPS: Readonly<Record<string, () => unknown>> = {
    'hangs': async function* () {
      yield first
      await never()
    },
    'throws': async function* () {
      yield first
      trap()
    },
    'gives a text': async function* () {
      yield first
      yield 'text'
    },
  }
  for (const [name, bytes] of Object.entries(STOPS)) {
    await using both = await side({ timeouts: { handlerMs: 50 }, handlers: { cGet: () => ({ instances: [bytesOf(bytes)] }) } })
    const { contextId, command, dataSet } = requestOf('C-GET')
    await both.peer.sendMessage(contextId, command, dataSet)
    let pdu = await both.peer.receivePdu()
    while (pdu.type === 'P-DATA-TF') pdu = await both.peer.receivePdu()
    t.deepEqual(pdu, { type: 'A-ABORT', source: 0, reason: 0 }, name)
    t.deepEqual(both.server.ae.activeAssociations, [], name)
  }
})

test('C-STORE of this side: a source that hangs costs its call, or the association when part of it was sent', async (t) => {
  await using acceptor = await createTestServer({ contexts: SUPPORTED, handlers: { cStore: async ({ dataSet }) => (await dataSet.buffer(), 0) } })
  await using requestor = await createTestServer({ timeouts: { handlerMs: 50 } })
  const contexts = [{ abstractSyntax: CT_IMAGE, transferSyntaxes: [IMPLICIT_LE] }]
  const association = await requestor.ae.associate({ host: '127.0.0.1', port: acceptor.port, contexts })
  await t.throwsAsync(association.cStore(bytesOf(never)), { code: 'DICOMTAP_ERR_DIMSE_TIMEOUT', message: /gave nothing for 50 ms/ })
  t.is((await association.cStore(bytesOf(() => [IDENTIFIER]))).status, 0)
  const half = async function* (): AsyncGenerator<Uint8Array> {
    yield Buffer.alloc(40_000)
    await never()
  }
  await t.throwsAsync(association.cStore(bytesOf(half)), { code: 'DICOMTAP_ERR_DIMSE_TRUNCATED', message: /gave nothing for 50 ms/ })
  await association.closed
})

test('a peer that vanishes behind a handler that is stuck is let go after handlerMs', async (t) => {
  await using server = await createTestServer({
    contexts: SUPPORTED,
    timeouts: { handlerMs: 100 },
    limits: { receiveBufferBytes: 65_536 },
    // Nothing is read any more once the buffer is full, so that nobody hears that the peer has gone.
    handlers: { cStore: async ({ dataSet }) => (await dataSet.pipeTo({ write: never }), 0) },
  })
  const socket = connect(server.port, '127.0.0.1')
  await once(socket, 'connect')
  const peer = new ScriptedPeer(socket)
  await peer.associate({ contexts: PROPOSED })
  const [association] = server.ae.activeAssociations
  void peer.sendMessage(3, requestOf('C-STORE').command, Buffer.alloc(4_000_000)).catch(() => {})
  await new Promise((resolve) => server.ae.bind('operationStarted', resolve))
  socket.destroy()
  await association!.closed
  t.deepEqual(server.ae.activeAssociations, [])
  t.true(server.log.some(({ message, fields }) => message === 'a handler took too long' && fields['plugin'] === '(bound)' && fields['hook'] === 'cStore'))
})

// Before the others: they would wait for it, too.
test.serial('a handler that holds up the event loop is told of by name, and not each time', async (t) => {
  const busy = (): void => {
    const endMs = performance.now() + 110
    while (performance.now() < endMs);
  }
  const slow = definePlugin({
    name: 'slow',
    apply(api) {
      api.hooks.cEcho.tap(() => (busy(), 0))
      api.hooks.associationReleased.tap(busy)
    },
  })
  await using both = await side({ plugins: [slow()] })
  for (let i = 0; i < 3; i++) await echoes(t, both.peer, 'an echo')
  await both.peer.release()
  const lines = both.server.log.filter(({ message }) => message.includes('held up the event loop'))
  t.deepEqual(lines.map(({ level, fields }) => [level, fields['plugin'], fields['hook']]), [['warn', 'slow', 'cEcho'], ['warn', 'slow', 'associationReleased']])
  t.true(lines.every(({ fields }) => Number(fields['durationMs']) >= 110))
})

test('a close ends, whatever plugins hold', async (t) => {
  const order: string[] = []
  const log: LogRecord[] = []
  const holder = definePlugin({
    name: 'holder',
    apply(api) {
      api.setLogSink((record) => log.push(record))
      api.onDispose(() => void order.push('the first'))
      api.onDispose(async () => {
        order.push('the one that hangs')
        await never()
      })
      for (const { act } of FAILURES) api.onDispose(act as () => void)
      // A socket that does not even close when it is told to.
      api.hooks.outgoingConnection.tap(() => new Duplex({ read() {}, write: (_bytes, _encoding, done) => done(), destroy() {} }) as never)
    },
  })
  const ae = new ApplicationEntity({ limits: { closeDeadlineMs: 50 } })
  await ae.use(holder())
  const opening = ae.associate({ host: 'pacs', port: 104, contexts: [{ abstractSyntax: CT_IMAGE }] }).catch(() => {})
  await turnsUntil(() => ae.activeAssociations.length > 0)
  await ae.close()
  void opening
  t.deepEqual(order, ['the one that hangs', 'the first'], 'the others run all the same')
  const messages = log.filter(({ level }) => level === 'error').map(({ message }) => message)
  t.is(messages.filter((message) => message.startsWith(`Plugin 'holder' failed to close: `)).length, FAILURES.length)
  t.true(messages.some((message) => /^Plugin 'holder' did not finish its close within \d+ ms/.test(message)))
})

test('a handler that fails without end does not fill the log; hookFailed fires each time', (t) => {
  const lines: string[] = []
  const table = createHooks()
  const context = createGuardContext({ table, log: createLogger({ sink: ({ level, message }) => level === 'error' && lines.push(message) }), isSealed: () => false })
  tapFacade(table, { name: 'rogue' }, context).stateChanged.tap(trap)
  let failed = 0
  tapFacade(table, { name: 'witness' }, context).hookFailed.tap(() => void (failed += 1))
  for (let i = 0; i < 5_000; i++) table.stateChanged.call({} as never)
  t.is(failed, 5_000)
  t.is(lines.length, 1_000)
  t.is(lines.at(-1), "Handler of 'rogue' for the hook stateChanged fails faster than it is logged: no more for a minute")
})

test('a connection that comes when nobody waits for it any more is closed', async (t) => {
  const late = deferred<Duplex>()
  const ae = new ApplicationEntity({ logLevel: 'silent', timeouts: { acseMs: 20 } })
  ae.bind('outgoingConnection', () => late.promise as never)
  const contexts = [{ abstractSyntax: CT_IMAGE }]
  await t.throwsAsync(ae.associate({ host: 'pacs', port: 104, contexts }), { code: 'DICOMTAP_ERR_HOOK_TIMEOUT', message: /'\(bound\)' for the hook outgoingConnection/ })
  const socket = new Duplex()
  late.resolve(socket)
  await once(socket, 'close')
  await ae.close()
})

test('what only looks like a socket is none, and leaves nothing behind', async (t) => {
  const ae = new ApplicationEntity({ logLevel: 'silent' })
  ae.bind('outgoingConnection', () => ({ on() {}, write() {}, destroy() {} }) as never)
  await t.throwsAsync(ae.associate({ host: 'pacs', port: 104, contexts: [{ abstractSyntax: CT_IMAGE }] }), { code: 'DICOMTAP_ERR_HOOK_ANSWER' })
  t.deepEqual(ae.activeAssociations, [])
  await ae.close()
})

test('a log sink that throws harms nobody: the lines go where they went without it', async (t) => {
  const own: LogRecord[] = []
  const log = createLogger({ sink: (record) => own.push(record) })
  log.setSink(trap, trap)
  t.true(log.isEnabled('trace'))
  log.warn('first')
  log.child({ a: 1 }, 'dimse').error('second')
  t.deepEqual(own.map(({ message }) => message), ['The log sink failed: /var/lib/secret is full', 'first', 'second'])
  const deaf = createLogger({ sink: trap })
  t.notThrows(() => deaf.error('nobody hears it'))
})

test('what a handler of C-FIND reads after its operation was ended is over, and nobody is blamed', async (t) => {
  const bad = rogue('cFind')
  await using both = await side({ plugins: [bad.plugin] })
  const isCancelled = deferred()
  bad.misbehaviour = {
    name: '',
    kind: 'fails',
    act: async function* (request) {
      await (request as CFindRequest).identifier.dataset()
      await isCancelled.promise
      trap()
    },
  }
  const { contextId, command, dataSet } = requestOf('C-FIND')
  await both.peer.sendMessage(contextId, command, dataSet)
  await both.peer.sendMessage(contextId, { commandField: 0x0fff, messageIdBeingRespondedTo: command.messageId!, commandDataSetType: 0x0101 })
  t.is((await both.peer.receiveMessage()).command.status, 0xfe00)
  isCancelled.resolve()
  await echoes(t, both.peer, 'it')
  t.deepEqual(bad.failed, [])
})

test('what a peer sent and nobody can decode is told of as its fault, not as that of the plugin that wanted it', async (t) => {
  const failed: unknown[] = []
  const decodes = definePlugin({
    name: 'decodes',
    apply(api) {
      api.hooks.cStore.tapPromise(async ({ dataSet }) => (await dataSet.dataset(), 0))
      api.hooks.cFind.tap(async function* ({ identifier }: CFindRequest) {
        yield await identifier.dataset()
      } as never)
      api.hooks.hookFailed.tap((event) => void failed.push(event))
    },
  })
  await using both = await side({ plugins: [decodes()] })
  const { peer, server } = both
  for (const service of ['C-STORE', 'C-FIND'] as const) {
    const { contextId, command } = requestOf(service)
    // An element that claims more bytes than there are.
    await peer.sendMessage(contextId, command, Buffer.from('10002000ffffff7f3432', 'hex'))
    t.is((await peer.receiveMessage()).command.status, 0xc000, service)
  }
  t.deepEqual(failed, [])
  t.deepEqual([...server.logged('error'), ...server.logged('warn')], [])
  t.is(server.logged('debug').filter((line) => line === 'what the peer sent cannot be decoded').length, 2)
})
