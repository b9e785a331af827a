import { readFileSync, readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { setTimeout as delay } from 'node:timers/promises'
import test from 'ava'
import { DEFAULT_LIMITS, DEFAULT_TIMEOUTS } from '../../dist/config/defaults.js'
import type { Limits, Timeouts } from '../../dist/config/types.js'
import { gatheredBytesOf } from '../../dist/dimse/gathered-bytes.js'
import { encodePdu } from '../../dist/pdu/encode.js'
import type { UserItem } from '../../dist/pdu/user-items/types.js'
import { associateRequest, createTestServer, hookRecorder } from '../../dist/testing/index.js'
import type { ScriptedPeer, TestServer, TestServerOptions } from '../../dist/testing/index.js'
import { bytes, P_DATA_TF } from '../fixtures/pdus.ts'
import { connected, deferred, turnsUntil } from '../support/connections.ts'
import { acceptorIn, killSides, receive } from '../support/dul-sides.ts'
import { IDENTIFIER, PROPOSED, requestOf, SUPPORTED } from '../support/requests.ts'
import { VERIFICATION } from '../support/uids.ts'

// What happens at each limit that nobody else tests. Time-outs are long where a test does not wait for one.

const ABORT_BY_USER = bytes('07 00 00 00 00 04 00 00 00 00')
const ABORT_BY_PROVIDER = bytes('07 00 00 00 00 04 00 00 02 00')
const RELEASE_RQ = bytes('05 00 00 00 00 04 00 00 00 00')

test.after.always(killSides)

async function serving(limits: Partial<Limits>, options: TestServerOptions = {}): Promise<TestServer> {
  return createTestServer({ contexts: SUPPORTED, ...options, limits })
}

async function letIn(server: TestServer): Promise<ScriptedPeer> {
  const peer = connected(server)
  await peer.associate({ contexts: PROPOSED })
  return peer
}

/** An element in Implicit VR Little Endian (PS3.5 7.1.3). */
function element(tag: string, value: Uint8Array): Buffer {
  const length = Buffer.alloc(4)
  length.writeUInt32LE(value.length)
  return Buffer.concat([Buffer.from(tag, 'hex'), length, value])
}

// ── A-ASSOCIATE ─────────────────────────────────────────────────────────────────────────────────────────

test('contexts, items and user items of an A-ASSOCIATE-RQ: as many as the limit are let in, one more is none', async (t) => {
  const contexts = (count: number): Buffer => encodePdu(associateRequest({ contexts: Array.from({ length: count }, () => [VERIFICATION] as const) }))
  const { userInformation } = associateRequest()
  const userItems = (count: number): Buffer => {
    const more = Array.from({ length: count - userInformation.length }, (): UserItem => ({ type: 0xee, unknown: true, data: new Uint8Array(0) }))
    return encodePdu({ ...associateRequest({ contexts: [[VERIFICATION]] }), userInformation: [...userInformation, ...more] })
  }
  // An application context, a user information with its items, and for each context one, its abstract syntax and its transfer syntax.
  const items = (count: number): Buffer => {
    const own = 2 + userInformation.length + 3
    return Buffer.concat([contexts(1), Buffer.alloc(4 * (count - own), bytes('77 00 00 00'))])
  }
  const withLength = (pdu: Buffer): Buffer => {
    pdu.writeUInt32BE(pdu.length - 6, 2)
    return pdu
  }
  const cases: readonly [Partial<Limits>, (count: number) => Buffer, number][] = [
    [{ maximumPresentationContexts: 3 }, contexts, 3],
    [{ maximumUserItems: 5 }, userItems, 5],
    [{ maximumAssociateItems: 40 }, items, 40],
    [{}, items, DEFAULT_LIMITS.maximumAssociateItems],
    [{}, userItems, DEFAULT_LIMITS.maximumUserItems],
  ]
  for (const [limits, request, count] of cases) {
    await using server = await serving(limits)
    const [modest, greedy] = [connected(server), connected(server)]
    await modest.send(withLength(request(count)))
    t.is((await modest.receivePdu()).type, 'A-ASSOCIATE-AC', `${JSON.stringify(limits)} ${count}`)
    await greedy.send(withLength(request(count + 1)))
    t.deepEqual(await greedy.receiveRawPdu(), ABORT_BY_USER, `${JSON.stringify(limits)} ${count + 1}`)
    modest.destroy()
    greedy.destroy()
  }
})

test('the related classes of a common extended negotiation are items as well', async (t) => {
  await using server = await serving({ maximumAssociateItems: 50 })
  const request = (related: number): Buffer => {
    const relatedGeneralSopClassUids = Array.from({ length: related }, () => '')
    const item: UserItem = { type: 0x57, subItemVersion: 0, sopClassUid: '1.2.3', serviceClassUid: '1.2.4', relatedGeneralSopClassUids }
    return encodePdu({ ...associateRequest({ contexts: [[VERIFICATION]] }), userInformation: [...associateRequest().userInformation, item] })
  }
  const [modest, greedy] = [connected(server), connected(server)]
  await modest.send(request(30))
  t.is((await modest.receivePdu()).type, 'A-ASSOCIATE-AC')
  await greedy.send(request(60))
  t.deepEqual(await greedy.receiveRawPdu(), ABORT_BY_USER)
  modest.destroy()
  greedy.destroy()
})

// ── peers that are never silent and never get on ────────────────────────────────────────────────────────

/** Sends a piece at a time until the connection is closed, or all of it was sent. Returns how many pieces that were. */
async function trickle(peer: ScriptedPeer, sent: Buffer, pieceBytes: number, everyMs: number): Promise<number> {
  let pieces = 0
  for (let at = 0; at < sent.length && peer.unreadBytes === 0 && !peer.isClosed; at += pieceBytes) {
    await peer.send(sent.subarray(at, at + pieceBytes))
    pieces += 1
    await delay(everyMs)
  }
  return pieces
}

/** A P-DATA-TF of one PDV on context 3. */
function pData(control: number, data: Uint8Array): Buffer {
  const header = Buffer.from([4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, control])
  header.writeUInt32BE(6 + data.length, 2)
  header.writeUInt32BE(2 + data.length, 6)
  return Buffer.concat([header, data])
}

test('a message that trickles: A-ABORT after dimseMs, however often a byte comes; one that gets on is heard out', async (t) => {
  await using server = await serving(
    { minimumProgressBytes: 200 },
    { timeouts: { dimseMs: 1_500 }, handlers: { cStore: async (request) => ((await request.dataSet.buffer()).length === 4_000 ? 0 : 0xa900) } },
  )
  const [slow, honest] = [await letIn(server), await letIn(server)]
  const { command } = requestOf('C-STORE')
  await slow.sendMessage(3, command, undefined)
  await honest.sendMessage(3, command, undefined)
  const [pieces] = await Promise.all([
    trickle(slow, pData(2, Buffer.alloc(4_000)), 4, 30),
    // Twice as long as the time-out, and enough of it in each part.
    trickle(honest, pData(2, Buffer.alloc(4_000)), 200, 90),
  ])
  t.deepEqual(await slow.receiveRawPdu(), ABORT_BY_USER)
  t.true(pieces < 1_000, `${pieces} pieces`)
  t.is((await honest.receiveMessage()).command.status, 0)
  slow.destroy()
  honest.destroy()
})

test('headers and PDUs without business there that trickle keep no association alive', async (t) => {
  const unexpected = Buffer.alloc(50_000)
  bytes('01 00 00 00 c3 4a').copy(unexpected)
  const streams: Readonly<Record<string, Buffer>> = {
    'a PDU header': Buffer.from(P_DATA_TF.bytes.subarray(0, 6)),
    'a PDV header': Buffer.from(P_DATA_TF.bytes.subarray(0, 12)),
    'an A-ASSOCIATE-RQ': unexpected,
  }
  await Promise.all(
    Object.entries(streams).map(async ([name, stream]) => {
      const side = await acceptorIn('Sta6', { networkTimeoutMs: 800 })
      await trickle(side.peer, stream, 1, 100)
      t.deepEqual(await side.peer.receiveRawPdu(), ABORT_BY_PROVIDER, name)
      t.like(await receive(side, 'ABORT'), { message: 'The peer stopped in the middle of a PDU' }, name)
      side.peer.destroy()
    }),
  )
})

test('a peer that reads at a crawl, and one that reads nothing and sends all the while, are cut', async (t) => {
  const crawling = async (): Promise<void> => {
    const side = await acceptorIn('Sta6', { networkTimeoutMs: 150, minimumProgressBytes: 100, socketOptions: { bufferBytes: 1_000 } })
    side.peer.pause()
    let queuedBytes = 100_000
    Object.assign(side.socket, {
      _handle: {
        get writeQueueSize() {
          queuedBytes -= 10
          return queuedBytes
        },
      },
    })
    side.dul.sendPData(Buffer.concat([bytes('04 00 00 01 86 a0'), Buffer.alloc(100_000)]))
    t.like(await receive(side, 'ABORT'), { by: 'network', message: 'The peer does not read what is sent to it' })
  }
  const deaf = async (): Promise<void> => {
    const side = await acceptorIn('Sta6', { networkTimeoutMs: 300, socketOptions: { bufferBytes: 1_000 } })
    side.peer.pause()
    side.dul.sendPData(Buffer.concat([bytes('04 00 00 01 86 a0'), Buffer.alloc(100_000)]))
    const indications: string[] = []
    const chatter = (async () => {
      while (!indications.includes('CLOSED')) {
        await Promise.race([side.peer.send(P_DATA_TF.bytes), delay(50)])
        await delay(20)
      }
    })()
    while (indications.at(-1) !== 'CLOSED') indications.push((await side.dul.receive(5_000)).type)
    t.deepEqual(indications.slice(-2), ['ABORT', 'CLOSED'])
    await chatter
  }
  await Promise.all([crawling(), deaf()])
})

// ── queues ──────────────────────────────────────────────────────────────────────────────────────────────

test('indications that nobody receives are bounded, empty ones too, and none is lost', async (t) => {
  const side = await acceptorIn('Sta6', { receiveQueueBytes: 10_000 })
  const count = 2_000
  const empty = bytes('04 00 00 00 00 06 00 00 00 02 01 00')
  const sending = side.peer.send(...Array.from({ length: count }, () => empty))
  await turnsUntil(() => side.socket.isPaused())
  t.true(side.socket.isPaused())
  let waiting = 0
  for (; waiting < 1_000; waiting++) {
    const next = await Promise.race([side.dul.receive(5_000), Promise.resolve('none')])
    if (next === 'none') break
  }
  t.true(waiting <= 50, `${waiting} indications waited`)
  for (let received = waiting + 1; received < count; received++) await receive(side, 'P-DATA')
  await sending
  side.peer.destroy()
})

test('requests that wait count with their command sets: large ones pause the socket before there are many', async (t) => {
  const answer = deferred()
  await using server = await serving(
    { receiveBufferBytes: 100_000 },
    { handlers: { nGet: async () => (await answer.promise, { status: 0, dataset: {} }) } },
  )
  using recorder = hookRecorder(server.ae, ['dimseReceived'])
  const peer = await letIn(server)
  const { command, contextId } = requestOf('N-GET')
  const large = { ...command, attributeIdentifierList: Array.from({ length: 2_500 }, (_, index) => index) }
  const sending = (async () => {
    for (let messageId = 1; messageId <= 30; messageId++) await peer.sendMessage(contextId, { ...large, messageId })
  })()
  await turnsUntil(() => recorder.events.length >= 5)
  await turnsUntil(() => recorder.events.length > 6, 500)
  // Each costs about 31 KB while it waits.
  t.true(recorder.events.length >= 4 && recorder.events.length <= 6, `${recorder.events.length} requests were taken`)
  answer.resolve()
  for (let messageId = 1; messageId <= 30; messageId++) t.is((await peer.receiveMessage()).command.messageIdBeingRespondedTo, messageId)
  await sending
  peer.destroy()
})

// ── data sets that are taken whole ──────────────────────────────────────────────────────────────────────

test('however wide the window, so many requests are performed at once', async (t) => {
  const answer = deferred()
  let running = 0
  await using server = await serving(
    { maximumPerformedOperations: 3 },
    { handlers: { asyncOperations: () => ({ invoked: 0, performed: 1 }), cEcho: async () => ((running += 1), await answer.promise, 0) } },
  )
  const peer = connected(server)
  const window: UserItem = { type: 0x53, maximumNumberOperationsInvoked: 0, maximumNumberOperationsPerformed: 1 }
  const request = associateRequest({ contexts: [[VERIFICATION]] })
  await peer.sendPdu({ ...request, userInformation: [...request.userInformation, window] })
  t.is((await peer.receivePdu()).type, 'A-ASSOCIATE-AC')
  for (let messageId = 1; messageId <= 8; messageId++) await peer.sendMessage(1, { ...requestOf('C-ECHO').command, messageId })
  await turnsUntil(() => running > 3, 200)
  t.is(running, 3)
  answer.resolve()
  for (let count = 0; count < 8; count++) t.is((await peer.receiveMessage()).command.status, 0)
  peer.destroy()
})

test('buffer() and dataset() take no more than the limit, bytes() takes anything', async (t) => {
  const codes: string[] = []
  await using server = await serving(
    { maximumDecodedDataSetBytes: 1_000 },
    {
      handlers: {
        cStore: async ({ dataSet, messageId }) => {
          if (messageId === 3) for await (const _ of dataSet.bytes());
          else await (messageId === 1 ? dataSet.buffer() : dataSet.dataset()).catch((error: unknown) => codes.push((error as { code: string }).code))
          return 0
        },
      },
    },
  )
  const peer = await letIn(server)
  for (let messageId = 1; messageId <= 3; messageId++) {
    await peer.sendMessage(3, { ...requestOf('C-STORE').command, messageId }, element('10000040', Buffer.alloc(2_000, 'A')))
    t.is((await peer.receiveMessage()).command.status, 0)
  }
  t.deepEqual(codes, ['DICOMTAP_ERR_DS_TOO_LARGE', 'DICOMTAP_ERR_DS_TOO_LARGE'])
  peer.destroy()
})

test('an identifier has a limit of its own', async (t) => {
  const caught: unknown[] = []
  await using server = await serving(
    { maximumIdentifierBytes: 1_000 },
    {
      handlers: {
        cFind: async ({ identifier }) => (await identifier.dataset().catch((error: unknown) => (caught.push(error), Promise.reject(error as Error))), []),
        cStore: async ({ dataSet }) => (await dataSet.dataset(), 0),
      },
    },
  )
  const peer = await letIn(server)
  const dataSet = element('10000040', Buffer.alloc(2_000, 'A'))
  await peer.sendMessage(5, requestOf('C-FIND').command, dataSet)
  t.is((await peer.receiveMessage()).command.status, 0xc000)
  t.like(caught, [{ code: 'DICOMTAP_ERR_DS_TOO_LARGE', message: 'The data set is larger than 1000 bytes' }])
  await peer.sendMessage(3, requestOf('C-STORE').command, dataSet)
  t.is((await peer.receiveMessage()).command.status, 0)
  peer.destroy()
})

test('the limits of what is decoded are those of the configuration', async (t) => {
  const caught: unknown[] = []
  const item = (content: Buffer): Buffer => element('400030a7', element('feff00e0', content))
  const cases: readonly [Partial<Limits>, Buffer, RegExp][] = [
    [{ maximumDecodedElements: 2 }, Buffer.concat([element('10001000', Buffer.from('A ')), IDENTIFIER, element('10003000', Buffer.alloc(0))]), /too many elements/],
    [{ maximumDecodedValues: 5 }, element('08000800', Buffer.from('A\\B\\C\\D\\E\\F ')), /too many values/],
    [{ maximumDecodedTextBytes: 100 }, element('10000040', Buffer.alloc(102, 'A')), /a text of more than 100 bytes/],
    [{ maximumNestingDepth: 2 }, item(item(item(Buffer.alloc(0)))), /nested deeper than 2/],
  ]
  for (const [limits, dataSet, message] of cases) {
    await using server = await serving(limits, {
      handlers: { cFind: async ({ identifier }) => (await identifier.dataset().catch((error: unknown) => (caught.push(error), Promise.reject(error as Error))), []) },
    })
    const peer = await letIn(server)
    await peer.sendMessage(5, requestOf('C-FIND').command, dataSet)
    t.is((await peer.receiveMessage()).command.status, 0xc000)
    const { code, message: told } = caught.pop() as { code: string; message: string }
    t.is(code, 'DICOMTAP_ERR_DS_TOO_LARGE')
    t.regex(told, message)
    peer.destroy()
  }
})

test('data sets held whole count in the whole AE until their requests are answered', async (t) => {
  const answer = deferred()
  const held = deferred()
  await using server = await serving(
    { maximumGatheredBytes: 50_000 },
    {
      handlers: {
        cStore: async ({ dataSet }) => {
          await dataSet.buffer()
          held.resolve()
          await answer.promise
          return 0
        },
      },
    },
  )
  const [first, second] = [await letIn(server), await letIn(server)]
  const { command } = requestOf('C-STORE')
  await first.sendMessage(3, command, Buffer.alloc(30_000))
  await held.promise
  t.is(gatheredBytesOf(server.ae).bytes, 30_000)
  await second.sendMessage(3, command, Buffer.alloc(30_000))
  t.is((await second.receiveMessage()).command.status, 0xc000, 'no room for another')
  t.is(gatheredBytesOf(server.ae).bytes, 30_000)
  answer.resolve()
  t.is((await first.receiveMessage()).command.status, 0)
  await second.sendMessage(3, { ...command, messageId: 9 }, Buffer.alloc(30_000))
  t.is((await second.receiveMessage()).command.status, 0)
  t.is(gatheredBytesOf(server.ae).bytes, 0)
  first.destroy()
  second.destroy()
})

test('what a decoded data set takes is more than its bytes, and counts', async (t) => {
  const small = Buffer.concat([bytes('40 00 30 a7 ff ff ff ff'), Buffer.alloc(80_000, bytes('fe ff 00 e0 00 00 00 00')), bytes('fe ff dd e0 00 00 00 00')])
  await using server = await serving({ maximumGatheredBytes: 1_000_000 }, { handlers: { cStore: async ({ dataSet }) => (await dataSet.dataset(), 0) } })
  const peer = await letIn(server)
  await peer.sendMessage(3, requestOf('C-STORE').command, small)
  t.is((await peer.receiveMessage()).command.status, 0xc000)
  t.is(gatheredBytesOf(server.ae).bytes, 0)
  peer.destroy()
})

// ── age ─────────────────────────────────────────────────────────────────────────────────────────────────

test('associationMs: a release when nothing runs, after the answer when something does, an abort when that never ends', async (t) => {
  const answer = deferred()
  await using server = await serving({}, {
    timeouts: { associationMs: 300, acseMs: 700 },
    handlers: { cStore: async ({ affectedSopInstanceUid }) => (await (affectedSopInstanceUid === '1.2' ? answer.promise : new Promise(() => {})), 0) },
  })
  const [idle, busy, stuck] = [await letIn(server), await letIn(server), await letIn(server)]
  const { command } = requestOf('C-STORE')
  await busy.sendMessage(3, { ...command, affectedSopInstanceUid: '1.2' }, IDENTIFIER)
  await stuck.sendMessage(3, { ...command, affectedSopInstanceUid: '1.3' }, IDENTIFIER)
  t.deepEqual(await idle.receiveRawPdu(), RELEASE_RQ)
  await idle.sendPdu({ type: 'A-RELEASE-RP' })
  t.is(busy.unreadBytes, 0)
  answer.resolve()
  t.is((await busy.receiveMessage()).command.status, 0)
  t.deepEqual(await busy.receiveRawPdu(), RELEASE_RQ)
  await busy.sendPdu({ type: 'A-RELEASE-RP' })
  t.deepEqual(await stuck.receiveRawPdu(), ABORT_BY_USER)
  for (const peer of [idle, busy, stuck]) peer.destroy()
})

// ── all of them ─────────────────────────────────────────────────────────────────────────────────────────

test('every limit and time-out is named by a test that sets it', (t) => {
  const root = fileURLToPath(new URL('../../test/', import.meta.url))
  const sources = readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.test.ts') && !file.endsWith('config.test.ts'))
    .map((file) => readFileSync(`${root}${file}`, 'utf8'))
    .join('\n')
  const names = [...Object.keys(DEFAULT_LIMITS), ...Object.keys(DEFAULT_TIMEOUTS)] as (keyof Limits | keyof Timeouts)[]
  // Others are set where the line goes on: `{ acseMs: 600 }`.
  t.deepEqual(names.filter((name) => !new RegExp(`\\b${name}(: |,| })`).test(sources)), [])
})
