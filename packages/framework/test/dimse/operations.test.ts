import { setTimeout as delay } from 'node:timers/promises'
import test from 'ava'
import type { ExecutionContext } from 'ava'
import type { CommandSet } from '../../dist/dimse/command-set.js'
import type { CEchoRequest, CStoreRequest, DimseService, Operation } from '../../dist/dimse/types.js'
import { StatusError } from '../../dist/errors/index.js'
import type { DicomtapError } from '../../dist/errors/index.js'
import { createTestServer, hookRecorder, testScu } from '../../dist/testing/index.js'
import type { ReceivedMessage, ScriptedPeer, TestServer, TestServerOptions } from '../../dist/testing/index.js'
import { connected, deferred, settle, turnsUntil } from '../support/connections.ts'
import { IDENTIFIER, PROPOSED, requestOf, REQUESTS, SUPPORTED } from '../support/requests.ts'
import type { SampleRequest } from '../support/requests.ts'
import { CT_IMAGE, IMPLICIT_LE, MR_IMAGE, VERIFICATION } from '../support/uids.ts'

interface Side extends AsyncDisposable {
  readonly server: TestServer
  readonly peer: ScriptedPeer
}

async function established(options: TestServerOptions = {}, proposal: { maximumLength?: number } = {}): Promise<Side> {
  const server = await createTestServer({ contexts: SUPPORTED, ...options })
  const peer = connected(server)
  await peer.associate({ contexts: PROPOSED, ...proposal })
  return {
    server,
    peer,
    async [Symbol.asyncDispose]() {
      peer.destroy()
      await server[Symbol.asyncDispose]()
    },
  }
}

async function send(peer: ScriptedPeer, request: SampleRequest, changes: Partial<CommandSet> = {}): Promise<void> {
  const command = { ...request.command, ...changes }
  await peer.sendMessage(request.contextId, command, command.commandDataSetType === 0x0101 ? undefined : request.dataSet)
}

/** The response to a request, and that there is no second one: what comes next answers a C-ECHO. */
async function onlyResponse(t: ExecutionContext, peer: ScriptedPeer, name = ''): Promise<ReceivedMessage> {
  const response = await peer.receiveMessage()
  await send(peer, requestOf('C-ECHO'), { messageId: 60_000 })
  t.like((await peer.receiveMessage()).command, { commandField: 0x8030, messageIdBeingRespondedTo: 60_000 }, `${name}: one response`)
  return response
}

function hex(status: number | undefined): string {
  return status === undefined ? 'none' : status.toString(16).padStart(4, '0')
}

// ── nobody answers ──────────────────────────────────────────────────────────────────────────────────────

for (const request of REQUESTS) {
  test(`${request.service} that no handler answers: ${hex(request.noAnswer)}`, async (t) => {
    await using side = await established()
    await send(side.peer, request)
    const { command, presentationContextId, dataSet } = await onlyResponse(t, side.peer)
    t.is(presentationContextId, request.contextId)
    t.is(dataSet, undefined)
    t.is(command.commandField, request.command.commandField | 0x8000)
    t.is(command.messageIdBeingRespondedTo, request.command.messageId)
    t.is(command.commandDataSetType, 0x0101)
    t.is(hex(command.status), hex(request.noAnswer))
    t.is(command.affectedSopClassUid, request.command.affectedSopClassUid ?? request.command.requestedSopClassUid)
    t.is(command.affectedSopInstanceUid, request.command.affectedSopInstanceUid ?? request.command.requestedSopInstanceUid)
    t.is(command.eventTypeId, request.command.eventTypeId)
    t.is(command.actionTypeId, request.command.actionTypeId)
    t.is(command.messageId, undefined)
  })
}

// ── one final response, whatever handlers do ────────────────────────────────────────────────────────────

interface Misbehaviour {
  readonly handler: (request: unknown, operation: Operation) => unknown
  readonly status: (request: SampleRequest) => number
  readonly comment?: string
}

const INVALID = (request: SampleRequest): number => (request.service.startsWith('C-') ? 0xc002 : 0x0110)
const FAILED = (request: SampleRequest): number => request.failed

const MISBEHAVIOURS: Readonly<Record<string, Misbehaviour>> = {
  'throws': {
    handler: () => {
      throw new Error('/var/lib/secret is full')
    },
    status: FAILED,
    comment: 'Processing failure',
  },
  'rejects': { handler: () => Promise.reject(new Error('/var/lib/secret is full')), status: FAILED, comment: 'Processing failure' },
  // oxlint-disable-next-line typescript/prefer-promise-reject-errors -- handlers may do what they like
  'rejects with nothing': { handler: async () => Promise.reject(undefined), status: FAILED, comment: 'Processing failure' },
  'throws a status': {
    handler: () => {
      throw new StatusError(0xa700, { errorComment: 'Out of space' })
    },
    status: () => 0xa700,
    comment: 'Out of space',
  },
  'throws a status that is none': {
    handler: () => {
      throw new StatusError(0xff00)
    },
    status: () => 0xc002,
  },
  'answers null': { handler: () => null, status: (request) => request.noAnswer },
  'answers true': { handler: () => true, status: INVALID },
  'answers a text': { handler: () => '0000', status: INVALID },
  'answers an empty object': { handler: () => ({}), status: INVALID },
  'answers a status that is a text': { handler: () => ({ status: '0' }), status: INVALID },
  'answers NaN': { handler: () => Number.NaN, status: INVALID },
  'answers -1': { handler: () => -1, status: INVALID },
  'answers 1.5': { handler: () => 1.5, status: INVALID },
  'answers 65536': { handler: () => 65_536, status: INVALID },
  'answers a Pending status': { handler: () => 0xff00, status: INVALID },
  'answers a Pending status with details': { handler: () => ({ status: 0xff01 }), status: INVALID },
  'answers a function': { handler: () => () => 0, status: INVALID },
  'answers a comment that is no text': { handler: () => ({ status: 0, errorComment: 5 }), status: INVALID },
  'answers elements that are no tags': { handler: () => ({ status: 0xa900, offendingElements: ['(0010,0010)'] }), status: INVALID },
  'answers elements that are no list': { handler: () => ({ status: 0xa900, offendingElements: 17 }), status: INVALID },
  'answers an error id too large': { handler: () => ({ status: 0x0110, errorId: 70_000 }), status: INVALID },
  'answers a status nobody knows': { handler: () => 0x1234, status: () => 0x1234 },
}

for (const [name, { handler, status, comment }] of Object.entries(MISBEHAVIOURS)) {
  test(`a handler that ${name}: one final response from every service`, async (t) => {
    const handlers = Object.fromEntries(REQUESTS.filter(({ service }) => service !== 'C-ECHO').map(({ hook }) => [hook, handler]))
    await using side = await established({ handlers })
    for (const request of REQUESTS) {
      if (request.service === 'C-ECHO') continue
      await send(side.peer, request)
      const { command } = await onlyResponse(t, side.peer, request.service)
      t.is(hex(command.status), hex(status(request)), request.service)
      if (comment !== undefined) t.is(command.errorComment, comment, 'nothing of the error but what it means to tell')
    }
    // C-ECHO apart, because the check that there is one response uses it.
    await using echoing = await established({ handlers: { cEcho: handler as never } })
    const echo = requestOf('C-ECHO')
    await send(echoing.peer, echo)
    t.is(hex((await echoing.peer.receiveMessage()).command.status), hex(status(echo)), 'C-ECHO')
    t.is(echoing.peer.unreadBytes, 0)
  })
}

test('status details reach the peer: comment cut to 64 characters, offending elements, error id', async (t) => {
  await using side = await established({
    handlers: {
      cStore: () => ({ status: 0xa900, errorComment: 'x'.repeat(80), offendingElements: [0x00100020, 0x7fe00010], errorId: 9 }),
    },
  })
  await send(side.peer, requestOf('C-STORE'))
  t.like((await onlyResponse(t, side.peer)).command, {
    status: 0xa900,
    errorComment: 'x'.repeat(64),
    offendingElements: [0x00100020, 0x7fe00010],
    errorId: 9,
  })
})

test('a C service sends no data set and no counters of a handler', async (t) => {
  const answer = { status: 0, dataset: { PatientID: '1' }, affectedSopInstanceUid: '9.9', numberOfFailedSuboperations: 3 } as never
  await using side = await established({ handlers: { cEcho: () => answer, cStore: () => answer, cFind: () => answer, cGet: () => answer, cMove: () => answer } })
  for (const request of REQUESTS.filter(({ service }) => service.startsWith('C-'))) {
    await send(side.peer, request)
    const { command, dataSet } = await side.peer.receiveMessage()
    t.like(command, { status: 0, commandDataSetType: 0x0101, numberOfFailedSuboperations: undefined }, request.service)
    t.not(command.affectedSopInstanceUid, '9.9')
    t.is(dataSet, undefined)
  }
})

test('a data set that cannot be decoded: C000, and the association lives on', async (t) => {
  await using side = await established({
    handlers: {
      cStore: async (request) => {
        await request.dataSet.dataset()
        return 0
      },
      cFind: async (request) => {
        await request.identifier.dataset()
        return 0
      },
    },
  })
  for (const service of ['C-STORE', 'C-FIND'] as const) {
    const request = requestOf(service)
    await side.peer.sendMessage(request.contextId, request.command, Buffer.from('10002000ffffff0f', 'hex'))
    t.like((await onlyResponse(t, side.peer)).command, { status: 0xc000, errorComment: 'The data set cannot be decoded' })
  }
})

test('a handler that never answers is answered for after handlerMs; what it does later is nobody’s', async (t) => {
  const never = (): Promise<never> => new Promise(() => {})
  const late = deferred<number>()
  const signals: AbortSignal[] = []
  const handlers = {
    cStore: (_request: CStoreRequest, operation: Operation) => {
      signals.push(operation.signal)
      return late.promise
    },
    ...Object.fromEntries(REQUESTS.filter(({ service }) => service !== 'C-STORE' && service !== 'C-ECHO').map(({ hook }) => [hook, never])),
  }
  await using side = await established({ timeouts: { handlerMs: 20 }, handlers })
  for (const request of REQUESTS) {
    if (request.service === 'C-ECHO') continue
    await send(side.peer, request)
    t.like((await onlyResponse(t, side.peer)).command, { status: 0x0110, errorComment: 'The handler took too long' }, request.service)
  }
  t.true(signals[0]?.aborted)
  t.is((signals[0]!.reason as DicomtapError).code, 'DICOMTAP_ERR_DIMSE_TIMEOUT')
  late.resolve(0)
  await settle()
  t.is(side.peer.unreadBytes, 0)
})

test('a handler that rejects after it was answered for ends nothing', async (t) => {
  const late = deferred<number>()
  await using side = await established({ timeouts: { handlerMs: 10 }, handlers: { cStore: () => late.promise } })
  await send(side.peer, requestOf('C-STORE'))
  t.is((await onlyResponse(t, side.peer)).command.status, 0x0110)
  late.reject(new Error('too late'))
  await settle()
  t.is((await onlyEcho(side.peer)).status, 0)
})

async function onlyEcho(peer: ScriptedPeer): Promise<CommandSet> {
  await send(peer, requestOf('C-ECHO'), { messageId: 777 })
  return (await peer.receiveMessage()).command
}

// ── data sets that handlers read, or not ────────────────────────────────────────────────────────────────

test('a response does not overtake the data set of its request', async (t) => {
  await using side = await established({ handlers: { cStore: () => 0xa700 } })
  const { peer } = side
  const request = requestOf('C-STORE')
  await peer.sendMessage(3, request.command)
  await settle()
  t.is(peer.unreadBytes, 0, 'answered by the handler, not yet by the core')
  await peer.sendPdu({ type: 'P-DATA-TF', pdvs: [{ presentationContextId: 3, isCommand: false, isLast: false, data: Buffer.alloc(1_000) }] })
  await settle()
  t.is(peer.unreadBytes, 0)
  await peer.sendPdu({ type: 'P-DATA-TF', pdvs: [{ presentationContextId: 3, isCommand: false, isLast: true, data: Buffer.alloc(1_000) }] })
  t.is((await onlyResponse(t, peer)).command.status, 0xa700)
})

test('data sets that nobody reads cost nothing, however many come', async (t) => {
  await using server = await createTestServer({
    contexts: SUPPORTED,
    limits: { receiveBufferBytes: 65_536 },
    handlers: { cStore: () => 0, cFind: () => 0, nSet: () => 0 },
  })
  // Over TCP, where data sets are read into buffers that are used again, and in memory.
  for (const target of [server.port, server]) {
    await using scu = await testScu(target, { contexts: PROPOSED })
    for (let i = 0; i < 300; i++) {
      const { status } = await scu.store({
        sopClassUid: CT_IMAGE,
        sopInstanceUid: `1.2.${i}`,
        transferSyntaxUid: IMPLICIT_LE,
        dataSet: Buffer.alloc(i % 2 === 0 ? 2_000 : 60_000),
      })
      t.is(status, 0)
    }
    for (let i = 0; i < 300; i++) t.is((await (await scu.find(IDENTIFIER, PROPOSED[2]![0])).final()).status, 0)
  }
})

test('a handler that reads late finds everything that arrived before', async (t) => {
  const { promise, resolve } = deferred()
  const { promise: started, resolve: start } = deferred()
  await using side = await established({
    handlers: {
      cStore: async (request) => {
        start()
        await promise
        return (await request.dataSet.buffer()).equals(Buffer.alloc(100_000, 7)) ? 0 : 0xa900
      },
    },
  })
  const sending = side.peer.sendMessage(3, requestOf('C-STORE').command, Buffer.alloc(100_000, 7))
  await started
  await sending
  await settle()
  resolve()
  t.is((await onlyResponse(t, side.peer)).command.status, 0)
})

test('a slow reader pauses the socket, and everything arrives', async (t) => {
  let gate = deferred()
  let received = 0
  await using server = await createTestServer({
    contexts: SUPPORTED,
    limits: { receiveBufferBytes: 100_000 },
    handlers: {
      cStore: async (request) => {
        for await (const piece of request.dataSet.bytes()) {
          received += piece.length
          await gate.promise
        }
        return received === 40_000_000 ? 0 : 0xa900
      },
    },
  })
  for (const target of [server.port, server]) {
    received = 0
    gate = deferred()
    await using scu = await testScu(target, { contexts: PROPOSED })
    let drawn = 0
    const piece = Buffer.alloc(10_000)
    const dataSet = (function* () {
      for (; drawn < 4_000; drawn++) yield piece
    })()
    const storing = scu.store({ sopClassUid: CT_IMAGE, sopInstanceUid: '1.2.3', transferSyntaxUid: IMPLICIT_LE, dataSet })
    await turnsUntil(() => drawn === 4_000, 3_000)
    // The system itself buffers up to some 10 MB of a TCP connection on loopback.
    t.true(drawn * 10_000 < (target === server ? 1_000_000 : 30_000_000), `${drawn * 10_000} bytes were taken while the handler waits`)
    gate.resolve()
    t.is((await storing).status, 0)
  }
})

test('several objects in flight through a small receive limit arrive byte for byte, however they are read', async (t) => {
  const content = (number: number): Buffer => Buffer.from(Array.from({ length: 200_000 }, (_, index) => (index * 7 + number) & 0xff))
  const isContent = (request: CStoreRequest, data: Buffer): number =>
    data.equals(content(Number(request.affectedSopInstanceUid.slice(4)))) ? 0 : 0xa900
  const readers: ((request: CStoreRequest) => Promise<Buffer>)[] = [
    (request) => request.dataSet.buffer(),
    async (request) => {
      const pieces: Uint8Array[] = []
      for await (const piece of request.dataSet.bytes()) {
        pieces.push(piece)
        await delay(1)
      }
      return Buffer.concat(pieces)
    },
    async (request) => {
      const pieces: Buffer[] = []
      await request.dataSet.pipeTo({
        write: async (fragments) => {
          await delay(1)
          for (const fragment of fragments) pieces.push(Buffer.from(fragment))
        },
      })
      return Buffer.concat(pieces)
    },
    async (request) => {
      await delay(20)
      return request.dataSet.buffer()
    },
  ]
  let next = 0
  await using server = await createTestServer({
    contexts: SUPPORTED,
    limits: { receiveBufferBytes: 50_000 },
    handlers: {
      asyncOperations: () => ({ invoked: 3, performed: 1 }),
      cStore: async (request) => isContent(request, await readers[next++ % readers.length]!(request)),
    },
  })
  const storing = [server.port, server, server.port].map(async (target) => {
    await using scu = await testScu(target, {
      contexts: PROPOSED,
      userInformation: [{ type: 0x53, maximumNumberOperationsInvoked: 3, maximumNumberOperationsPerformed: 1 }],
    })
    const requests = Array.from({ length: 12 }, (_, number) =>
      scu.storing({ sopClassUid: CT_IMAGE, sopInstanceUid: `1.2.${number}`, transferSyntaxUid: IMPLICIT_LE, dataSet: content(number) }),
    )
    return await Promise.all(requests.map(async (request) => (await request.final()).status))
  })
  for (const statuses of await Promise.all(storing)) t.deepEqual(statuses, Array.from({ length: 12 }, () => 0))
})

test('memory stays bounded while an object much larger than the limit is read slowly over TCP', async (t) => {
  const pieces: number[] = []
  await using server = await createTestServer({
    contexts: SUPPORTED,
    handlers: {
      cStore: async (request) => {
        await request.dataSet.pipeTo({
          write: async (fragments) => {
            pieces.push(fragments.reduce((sum, fragment) => sum + fragment.length, 0))
            if (pieces.length % 16 === 0) await delay(1)
          },
        })
        return 0
      },
    },
  })
  await using scu = await testScu(server.port, { contexts: PROPOSED })
  const before = process.memoryUsage().arrayBuffers
  let most = 0
  const dataSet = (function* () {
    const piece = Buffer.alloc(1_000_000)
    for (let i = 0; i < 150; i++) {
      most = Math.max(most, process.memoryUsage().arrayBuffers - before)
      yield piece
    }
  })()
  const { status } = await scu.store({ sopClassUid: CT_IMAGE, sopInstanceUid: '1.2.3', transferSyntaxUid: IMPLICIT_LE, dataSet })
  t.is(status, 0)
  t.is(pieces.reduce((sum, length) => sum + length, 0), 150_000_000)
  t.true(Math.max(...pieces) <= 1_100_000, `${Math.max(...pieces)} bytes in one write`)
  t.true(most < 60_000_000, `${most} bytes for an object of 150 000 000`)
})

test('a data set that the association cuts off is an error for the handler, and no response', async (t) => {
  for (const end of [
    (peer: ScriptedPeer) => peer.destroy(),
    (peer: ScriptedPeer) => peer.end(),
    (peer: ScriptedPeer) => void peer.sendPdu({ type: 'A-ABORT', source: 0, reason: 0 }),
    (peer: ScriptedPeer) => void peer.sendPdu({ type: 'A-RELEASE-RQ' }),
  ]) {
    const failed = deferred<unknown>()
    await using side = await established({
      handlers: {
        cStore: async (request, operation) => {
          try {
            await request.dataSet.buffer()
          } catch (error) {
            failed.resolve([(error as DicomtapError).code, operation.signal.aborted])
            throw error
          }
          return 0
        },
      },
    })
    using recorder = hookRecorder(side.server.ae)
    await side.peer.sendMessage(3, requestOf('C-STORE').command)
    await side.peer.sendPdu({ type: 'P-DATA-TF', pdvs: [{ presentationContextId: 3, isCommand: false, isLast: false, data: Buffer.alloc(10) }] })
    await recorder.next('operationStarted')
    end(side.peer)
    const [code] = (await failed.promise) as [string, boolean]
    t.is(code, 'DICOMTAP_ERR_DIMSE_TRUNCATED')
    t.like(await recorder.next('operationCompleted'), { responses: 0, receivedBytes: 10 })
    t.deepEqual(recorder.of('dimseSent'), [])
  }
})

test('a message that stops half way is aborted by this side after dimseMs', async (t) => {
  for (const cut of ['command', 'data set'] as const) {
    await using side = await established({ timeouts: { dimseMs: 150 }, handlers: { cStore: async (request) => void (await request.dataSet.buffer()) } })
    using recorder = hookRecorder(side.server.ae)
    const { command } = requestOf('C-STORE')
    if (cut === 'command') {
      await side.peer.sendPdu({ type: 'P-DATA-TF', pdvs: [{ presentationContextId: 3, isCommand: true, isLast: false, data: Buffer.alloc(0) }] })
    } else {
      await side.peer.sendMessage(3, command)
    }
    t.deepEqual(await side.peer.receivePdu(), { type: 'A-ABORT', source: 0, reason: 0 })
    t.like(await recorder.next('associationAborted'), { by: 'local', message: 'The peer stopped in the middle of a message' })
  }
})

test('while this side does not read, the rest of a message is not late', async (t) => {
  const gate = deferred()
  await using side = await established({
    timeouts: { dimseMs: 200 },
    limits: { receiveBufferBytes: 10_000 },
    handlers: {
      cStore: async (request) => {
        await gate.promise
        return (await request.dataSet.buffer()).length === 1_000_000 ? 0 : 0xa900
      },
    },
  })
  const sending = side.peer.sendMessage(3, requestOf('C-STORE').command, Buffer.alloc(1_000_000))
  await delay(600)
  t.is(side.peer.unreadBytes, 0, 'no abort')
  gate.resolve()
  await sending
  t.is((await side.peer.receiveMessage()).command.status, 0)
})

// ── requests that are refused before a handler is asked ─────────────────────────────────────────────────

test('a mandatory element that is missing: 0212, and the comment names it', async (t) => {
  const asked: string[] = []
  const handlers = Object.fromEntries(REQUESTS.map(({ hook, service }) => [hook, () => (asked.push(service), 0)]))
  await using side = await established({ handlers })
  for (const request of REQUESTS) {
    for (const element of request.mandatory) {
      if (element === 'messageId') continue
      await send(side.peer, request, { [element]: undefined })
      const { command } = await side.peer.receiveMessage()
      const name = `${request.service} without ${element}`
      t.is(hex(command.status), '0212', name)
      t.is(command.errorComment, `Missing ${element}`, name)
      t.is(command.messageIdBeingRespondedTo, request.command.messageId)
    }
  }
  t.deepEqual(asked, [])
})

test('a data set that is missing: 0212', async (t) => {
  await using side = await established({ handlers: { cStore: () => t.fail() as never } })
  for (const service of ['C-STORE', 'C-FIND', 'C-GET', 'C-MOVE', 'N-SET'] as const) {
    await send(side.peer, requestOf(service), { commandDataSetType: 0x0101 })
    t.like((await onlyResponse(t, side.peer, service)).command, { status: 0x0212, errorComment: 'Missing data set' }, service)
  }
})

test('without Command Data Set Type no data set is awaited: 0212', async (t) => {
  await using side = await established()
  const request = requestOf('C-STORE')
  await side.peer.sendMessage(3, { ...request.command, commandDataSetType: undefined })
  const { command } = await onlyResponse(t, side.peer)
  t.like(command, { status: 0x0212, errorComment: 'Missing commandDataSetType' })
})

test('a request without Message ID cannot be answered: A-ABORT (2, 6)', async (t) => {
  for (const request of REQUESTS) {
    await using side = await established()
    await send(side.peer, request, { messageId: undefined })
    t.deepEqual(await side.peer.receivePdu(), { type: 'A-ABORT', source: 2, reason: 6 }, request.service)
  }
})

test('a command nobody knows: 0211, on its response field', async (t) => {
  await using side = await established()
  for (const commandField of [0x0002, 0x0099, 0x0160, 0x7fff]) {
    await side.peer.sendMessage(1, { commandField, messageId: 5, commandDataSetType: 0x0101 })
    t.like((await onlyResponse(t, side.peer)).command, {
      commandField: commandField | 0x8000,
      messageIdBeingRespondedTo: 5,
      status: 0x0211,
      errorComment: 'Unrecognized operation',
    })
  }
  // With a data set: the response waits for its end.
  await side.peer.sendMessage(1, { commandField: 0x0099, messageId: 6, commandDataSetType: 0 }, Buffer.alloc(50_000))
  t.like((await onlyResponse(t, side.peer)).command, { messageIdBeingRespondedTo: 6, status: 0x0211 })
})

test('a SOP class that is not that of the context: 0122 for C services, 0118 for N services', async (t) => {
  await using side = await established()
  for (const request of REQUESTS) {
    const isRequested = request.command.requestedSopClassUid !== undefined
    await send(side.peer, request, isRequested ? { requestedSopClassUid: MR_IMAGE } : { affectedSopClassUid: MR_IMAGE })
    const { command } = await side.peer.receiveMessage()
    t.is(hex(command.status), request.service.startsWith('C-') ? '0122' : '0118', request.service)
  }
})

test('instance UIDs: 0117 for what is none; leading zeros, which equipment sends, are taken', async (t) => {
  const stored: string[] = []
  await using side = await established({
    handlers: {
      cStore: (request) => {
        stored.push(request.affectedSopInstanceUid)
        return 0
      },
    },
  })
  const request = requestOf('C-STORE')
  for (const uid of ['../../etc/passwd', '1.2.3/..', '1.2\\3', '1.2\0.3', '1..2', '.1.2', '1.2.', 'abc', `1.${'2'.repeat(63)}`, '1.2 .3', '1.2.3\n']) {
    await send(side.peer, request, { affectedSopInstanceUid: uid })
    t.is(hex((await side.peer.receiveMessage()).command.status), '0117', JSON.stringify(uid))
  }
  t.deepEqual(stored, [])
  for (const uid of ['1.2.3', `1.${'2'.repeat(62)}`, '1.2.03', '3.999.007', '0.1']) {
    await send(side.peer, request, { affectedSopInstanceUid: uid })
    t.is(hex((await side.peer.receiveMessage()).command.status), '0000', uid)
  }
  t.is(stored.length, 5)
})

test('a message ID that is in use: 0210, and the first request is answered as well', async (t) => {
  const gate = deferred<number>()
  await using side = await established({ handlers: { cStore: () => gate.promise } })
  const request = requestOf('C-STORE')
  await send(side.peer, request)
  await send(side.peer, request)
  await send(side.peer, requestOf('C-ECHO'), { messageId: request.command.messageId })
  await settle()
  t.is(side.peer.unreadBytes, 0, 'in order, behind the one that runs')
  gate.resolve(0)
  t.like((await side.peer.receiveMessage()).command, { commandField: 0x8001, status: 0 })
  t.like((await side.peer.receiveMessage()).command, { commandField: 0x8001, status: 0x0210, errorComment: 'The Message ID is in use' })
  t.like((await side.peer.receiveMessage()).command, { commandField: 0x8030, status: 0x0210 })
  await send(side.peer, request)
  t.like((await onlyResponse(t, side.peer)).command, { status: 0 }, 'and may be used again')
})

test('a response that answers no request: the association is aborted', async (t) => {
  await using side = await established()
  using recorder = hookRecorder(side.server.ae)
  await side.peer.sendMessage(5, { commandField: 0x8020, messageIdBeingRespondedTo: 6, status: 0xff00, commandDataSetType: 1 }, IDENTIFIER)
  t.deepEqual(await side.peer.receivePdu(), { type: 'A-ABORT', source: 0, reason: 0 })
  t.like(await recorder.next('associationAborted'), {
    by: 'local',
    message: 'The peer answered a request that is not outstanding, message ID 6',
  })
})

test('a role that was not negotiated: 0122', async (t) => {
  await using server = await createTestServer({
    contexts: [{ abstractSyntax: CT_IMAGE, transferSyntaxes: [IMPLICIT_LE], roles: { scu: false, scp: true } }],
    handlers: { cStore: () => t.fail() as never },
  })
  using peer = connected(server)
  await peer.associate({ contexts: [[CT_IMAGE]], roles: [{ sopClassUid: CT_IMAGE, scuRole: false, scpRole: true }] })
  await peer.sendMessage(1, requestOf('C-STORE').command, IDENTIFIER)
  t.like((await peer.receiveMessage()).command, { status: 0x0122, errorComment: 'The SCP role was not negotiated' })
})

// ── order, concurrency, cancel of the waiting ───────────────────────────────────────────────────────────

test('requests that are pipelined are served one at a time and answered in order', async (t) => {
  let running = 0
  let most = 0
  await using side = await established({
    handlers: {
      cEcho: async (request: CEchoRequest) => {
        running += 1
        most = Math.max(most, running)
        await delay(10 - request.messageId)
        running -= 1
        return 0
      },
    },
  })
  for (let messageId = 1; messageId <= 9; messageId++) await send(side.peer, requestOf('C-ECHO'), { messageId })
  for (let messageId = 1; messageId <= 9; messageId++) {
    t.is((await side.peer.receiveMessage()).command.messageIdBeingRespondedTo, messageId)
  }
  t.is(most, 1)
})

for (const [window, expected] of [
  [3, 3],
  [0, 10],
] as const) {
  test(`with a negotiated window of ${window === 0 ? 'any size' : window}, that many run at once and are answered as they end`, async (t) => {
    const gates = new Map<number, ReturnType<typeof deferred<number>>>()
    await using server = await createTestServer({
      contexts: SUPPORTED,
      handlers: {
        asyncOperations: () => ({ invoked: window, performed: 1 }),
        cEcho: (request) => {
          const gate = deferred<number>()
          gates.set(request.messageId, gate)
          return gate.promise
        },
      },
    })
    using peer = connected(server)
    await peer.associate({
      contexts: PROPOSED,
      userInformation: [{ type: 0x53, maximumNumberOperationsInvoked: window, maximumNumberOperationsPerformed: 1 }],
    })
    for (let messageId = 1; messageId <= 10; messageId++) await send(peer, requestOf('C-ECHO'), { messageId })
    await turnsUntil(() => gates.size === expected)
    await settle()
    t.is(gates.size, expected)
    t.is(server.ae.activeAssociations[0]?.operations.length, 10, 'running and waiting')
    const order: number[] = []
    while (order.length < 10) {
      // The last one that runs ends first.
      const messageId = Math.max(...gates.keys())
      gates.get(messageId)!.resolve(0)
      gates.delete(messageId)
      order.push((await peer.receiveMessage()).command.messageIdBeingRespondedTo!)
      t.is(order.at(-1), messageId)
    }
    t.deepEqual([...order].sort((a, b) => a - b), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
  })
}

test('requests beyond the queue limit stay with the peer, and are answered in the end', async (t) => {
  const gate = deferred()
  await using side = await established({
    limits: { maximumQueuedOperations: 4 },
    handlers: {
      cEcho: async () => {
        await gate.promise
        return 0
      },
    },
  })
  const total = 5_000
  const sending = (async () => {
    for (let messageId = 1; messageId <= total; messageId++) await send(side.peer, requestOf('C-ECHO'), { messageId })
  })()
  let waiting = 0
  await turnsUntil(() => {
    const now = side.server.ae.activeAssociations[0]!.operations.length
    const isStill = now === waiting && now > 0
    waiting = now
    return isStill && side.peer.socket.writableLength > 0
  }, 20_000)
  t.true(waiting < 1_500, `${waiting} requests were read`)
  gate.resolve()
  for (let messageId = 1; messageId <= total; messageId++) {
    if ((await side.peer.receiveMessage()).command.messageIdBeingRespondedTo !== messageId) t.fail(`out of order at ${messageId}`)
  }
  await sending
})

for (const [what, limits, behind] of [
  ['a data set that fills the buffer', { receiveBufferBytes: 65_536 }, Buffer.alloc(500_000)],
  ['requests that fill the queue', { maximumQueuedOperations: 4 }, undefined],
] as const) {
  test(`a C-GET that waits for an answer behind ${what} ends, although nothing is read`, async (t) => {
    const object = { sopClassUid: CT_IMAGE, sopInstanceUid: '1.2.3', transferSyntaxUid: IMPLICIT_LE, bytes: () => [Buffer.alloc(8)] }
    const aborted = deferred<string | undefined>()
    await using server = await createTestServer({
      contexts: [...SUPPORTED.filter(({ abstractSyntax }) => abstractSyntax !== CT_IMAGE), { ...SUPPORTED[1]!, abstractSyntax: CT_IMAGE, roles: { scu: true, scp: true } }],
      limits,
      timeouts: { dimseMs: 50 },
      handlers: {
        cGet: () => ({ instances: (async function* () { yield object })(), total: 1 }),
        associationAborted: ({ message }) => aborted.resolve(message),
      },
    })
    using peer = connected(server)
    await peer.associate({ contexts: PROPOSED, roles: [{ sopClassUid: CT_IMAGE, scuRole: true, scpRole: true }] })
    await send(peer, requestOf('C-GET'))
    t.is((await peer.receiveMessage()).command.commandField, 0x0001)
    // One at a time was negotiated: these wait behind the C-GET, and the answer that it waits for behind them.
    if (behind === undefined) for (let messageId = 100; messageId < 110; messageId++) await send(peer, requestOf('C-ECHO'), { messageId })
    else void peer.sendMessage(3, requestOf('C-STORE').command, behind)
    t.is(await aborted.promise, 'The peer did not answer a request in time')
    t.is(server.ae.activeAssociations.length, 0)
  })
}

test('N-EVENT-REPORT does not wait behind what runs', async (t) => {
  const gate = deferred<number>()
  await using side = await established({ handlers: { cStore: () => gate.promise, nEventReport: () => 0 } })
  await send(side.peer, requestOf('C-STORE'))
  await send(side.peer, requestOf('C-ECHO'))
  await send(side.peer, requestOf('N-EVENT-REPORT'))
  t.like((await side.peer.receiveMessage()).command, { commandField: 0x8100, status: 0, eventTypeId: 1 })
  gate.resolve(0)
  t.is((await side.peer.receiveMessage()).command.commandField, 0x8001)
  t.is((await side.peer.receiveMessage()).command.commandField, 0x8030)
})

test('a flood of N-EVENT-REPORT waits in a line of its own, and stays with the peer beyond the queue limit', async (t) => {
  const gate = deferred()
  let running = 0
  await using side = await established({
    limits: { maximumQueuedOperations: 4 },
    handlers: {
      nEventReport: async () => {
        running += 1
        await gate.promise
        return 0
      },
    },
  })
  const total = 3_000
  const sending = (async () => {
    for (let messageId = 1; messageId <= total; messageId++) await send(side.peer, requestOf('N-EVENT-REPORT'), { messageId })
  })()
  let waiting = 0
  await turnsUntil(() => {
    const now = side.server.ae.activeAssociations[0]!.operations.length
    const isStill = now === waiting && now > 0
    waiting = now
    return isStill && (side.peer.socket.writableLength > 0 || now === total)
  }, 20_000)
  t.is(running, 1)
  t.true(waiting < 1_500, `${waiting} reports were read`)
  gate.resolve()
  for (let messageId = 1; messageId <= total; messageId++) {
    if ((await side.peer.receiveMessage()).command.messageIdBeingRespondedTo !== messageId) t.fail(`out of order at ${messageId}`)
  }
  await sending
})

test('a peer cannot fill the log: after some warnings about an association there are no more', async (t) => {
  await using side = await established()
  for (let i = 0; i < 500; i++) {
    await side.peer.sendMessage(1, { commandField: 0x0099, messageId: 5, commandDataSetType: 0x0101 })
    await side.peer.receiveMessage()
  }
  const warnings = side.server.logged('warn')
  t.true(warnings.length > 2 && warnings.length < 50, `${warnings.length} warnings`)
  t.regex(warnings.at(-1)!, /no more/)
})

// ── release and abort with operations under way ─────────────────────────────────────────────────────────

test('what runs and what waits is answered before the release is', async (t) => {
  const gate = deferred<number>()
  await using side = await established({ handlers: { cStore: () => gate.promise } })
  const { peer } = side
  await send(peer, requestOf('C-STORE'))
  await send(peer, requestOf('C-ECHO'))
  await peer.sendMessage(1, { commandField: 0x0099, messageId: 50, commandDataSetType: 0x0101 })
  await peer.sendPdu({ type: 'A-RELEASE-RQ' })
  await settle()
  t.is(peer.unreadBytes, 0)
  gate.resolve(0)
  const answers: (number | undefined)[] = []
  for (let i = 0; i < 3; i++) answers.push((await peer.receiveMessage()).command.commandField)
  t.deepEqual(answers, [0x8001, 0x8030, 0x8099])
  t.deepEqual(await peer.receivePdu(), { type: 'A-RELEASE-RP' })
})

test('refused requests alone are answered before the release is', async (t) => {
  await using side = await established()
  const { peer } = side
  for (let messageId = 1; messageId <= 5; messageId++) {
    await peer.sendMessage(1, { commandField: 0x0099, messageId, commandDataSetType: 0 }, Buffer.alloc(10))
  }
  await peer.sendPdu({ type: 'A-RELEASE-RQ' })
  for (let i = 0; i < 5; i++) t.is((await peer.receiveMessage()).command.status, 0x0211)
  t.deepEqual(await peer.receivePdu(), { type: 'A-RELEASE-RP' })
})

test('a release that waits too long for a handler is aborted, and the handler is told', async (t) => {
  const aborted = deferred<string>()
  await using side = await established({
    timeouts: { acseMs: 400 },
    handlers: {
      cStore: (_request, operation) => {
        operation.signal.addEventListener('abort', () => aborted.resolve((operation.signal.reason as DicomtapError).code))
        return new Promise<never>(() => {})
      },
    },
  })
  await send(side.peer, requestOf('C-STORE'))
  await side.peer.sendPdu({ type: 'A-RELEASE-RQ' })
  t.deepEqual(await side.peer.receivePdu(), { type: 'A-ABORT', source: 2, reason: 0 })
  t.is(await aborted.promise, 'DICOMTAP_ERR_ACSE_ABORTED')
})

test('release by this side waits for what runs; a stuck handler does not keep it when the association ends', async (t) => {
  const gate = deferred<number>()
  await using side = await established({ handlers: { cStore: () => gate.promise } })
  const [association] = side.server.ae.activeAssociations
  await send(side.peer, requestOf('C-STORE'))
  await turnsUntil(() => association!.operations.length === 1)
  const released = association!.release()
  await settle()
  t.is(side.peer.unreadBytes, 0)
  gate.resolve(0)
  t.is((await side.peer.receiveMessage()).command.status, 0)
  t.deepEqual(await side.peer.receivePdu(), { type: 'A-RELEASE-RQ' })
  await side.peer.sendPdu({ type: 'A-RELEASE-RP' })
  await side.peer.receiveClose()
  await released

  await using stuck = await established({ handlers: { cStore: () => new Promise<never>(() => {}) } })
  const [other] = stuck.server.ae.activeAssociations
  await send(stuck.peer, requestOf('C-STORE'))
  await turnsUntil(() => other!.operations.length === 1)
  const releasing = other!.release()
  stuck.peer.destroy()
  await releasing
  t.is(other!.state, 'aborted')
})

test('an abort ends what runs and drops what waits: no handler is asked for it', async (t) => {
  const asked: number[] = []
  const signals: AbortSignal[] = []
  await using side = await established({
    handlers: {
      cStore: (request, operation) => {
        asked.push(request.messageId)
        signals.push(operation.signal)
        return new Promise<number>((resolve) => operation.signal.addEventListener('abort', () => resolve(0)))
      },
    },
  })
  using recorder = hookRecorder(side.server.ae)
  for (const messageId of [1, 2, 3]) await send(side.peer, requestOf('C-STORE'), { messageId })
  await recorder.next('operationStarted')
  await side.peer.sendPdu({ type: 'A-ABORT', source: 0, reason: 0 })
  await recorder.next('associationAborted')
  await recorder.next('operationCompleted')
  await settle()
  t.deepEqual(asked, [1])
  t.is((signals[0]!.reason as DicomtapError).code, 'DICOMTAP_ERR_ACSE_ABORTED')
  t.deepEqual(recorder.of('dimseSent'), [])
  t.is(recorder.of('operationStarted').length, 1)
})

// ── what hooks are told ─────────────────────────────────────────────────────────────────────────────────

test('operation events carry what was received, answered and how often', async (t) => {
  await using side = await established({ handlers: { cStore: async (request) => ((await request.dataSet.buffer()).length === 30_000 ? 0xb007 : 0) } })
  using recorder = hookRecorder(side.server.ae)
  await side.peer.sendMessage(3, requestOf('C-STORE').command, Buffer.alloc(30_000))
  await onlyResponse(t, side.peer)
  const { operation } = await recorder.next('operationStarted')
  t.like(operation, { service: 'C-STORE', messageId: 2, sopClassUid: CT_IMAGE, isCancelled: false })
  t.like(operation.context, { id: 3, abstractSyntax: CT_IMAGE, transferSyntax: IMPLICIT_LE })
  const completed = await recorder.next('operationCompleted')
  t.is(completed.operation, operation)
  t.like(completed, { status: 0xb007, errorComment: undefined, receivedBytes: 30_000, responses: 1 })
  t.true(completed.durationMs >= 0)
  t.deepEqual(recorder.names('dimseReceived', 'operationStarted', 'dimseSent', 'operationCompleted').slice(0, 4), [
    'dimseReceived',
    'operationStarted',
    'dimseSent',
    'operationCompleted',
  ])
  t.like((await recorder.next('dimseReceived')).command, { commandField: 1, messageId: 2 })
  t.like(await recorder.next('dimseSent'), { presentationContextId: 3, command: { commandField: 0x8001, status: 0xb007 } })
})

test('responseStatus changes the status and its details, and nothing else of a response', async (t) => {
  await using side = await established({
    handlers: {
      nGet: () => ({ status: 0, dataset: { PatientID: '42' } }),
      responseStatus: (details, operation) => {
        t.is(operation.service, 'N-GET')
        return { status: 0x0107, errorComment: `was ${details.status}` }
      },
    },
  })
  await send(side.peer, requestOf('N-GET'))
  const { command, dataSet } = await side.peer.receiveMessage()
  t.like(command, { status: 0x0107, errorComment: 'was 0', commandDataSetType: 1 })
  t.deepEqual(dataSet, Buffer.from(IDENTIFIER))
})

test('responseStatus that fails, or answers what cannot end an operation, changes nothing', async (t) => {
  for (const handler of [
    () => {
      throw new Error('no')
    },
    () => ({ status: 0xff00 }),
    () => ({ status: 'x' }),
    () => ({}),
    () => 7,
    () => null,
    () => undefined,
  ]) {
    await using side = await established({ handlers: { cStore: () => ({ status: 0xa900, errorComment: 'kept' }), responseStatus: handler as never } })
    await send(side.peer, requestOf('C-STORE'))
    t.like((await side.peer.receiveMessage()).command, { status: 0xa900, errorComment: 'kept' }, String(handler))
  }
})

test('a handler may abort, release or kill its own association', async (t) => {
  for (const act of ['abort', 'kill', 'release'] as const) {
    await using side = await established({
      handlers: {
        cStore: async (_request, { association }) => {
          void association[act]()
          return 0
        },
      },
    })
    using recorder = hookRecorder(side.server.ae)
    await send(side.peer, requestOf('C-STORE'))
    if (act === 'release') {
      t.is((await side.peer.receiveMessage()).command.status, 0)
      t.deepEqual(await side.peer.receivePdu(), { type: 'A-RELEASE-RQ' })
      await side.peer.sendPdu({ type: 'A-RELEASE-RP' })
    } else if (act === 'abort') {
      t.deepEqual(await side.peer.receivePdu(), { type: 'A-ABORT', source: 0, reason: 0 })
      side.peer.destroy()
    }
    await recorder.next('connectionClosed')
    await recorder.next('operationCompleted')
    t.deepEqual(side.server.ae.activeAssociations, [])
  }
})

test('the services of a peer are told apart from each other by their requests', async (t) => {
  const seen: [DimseService, number][] = []
  const handlers = Object.fromEntries(
    REQUESTS.map(({ hook }) => [hook, (request: { service: DimseService; messageId: number }) => void seen.push([request.service, request.messageId])]),
  )
  await using side = await established({ handlers })
  for (const request of REQUESTS) {
    await send(side.peer, request)
    await side.peer.receiveMessage()
  }
  t.deepEqual(seen, REQUESTS.map(({ service, command }) => [service, command.messageId!]))
  t.is(VERIFICATION, PROPOSED[0]![0])
})
