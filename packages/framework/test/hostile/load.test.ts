import { setTimeout as delay } from 'node:timers/promises'
import test from 'ava'
import type { ExecutionContext } from 'ava'
import { encodePdu } from '../../dist/pdu/encode.js'
import { associateRequest, createTestServer, cutMessage, hookRecorder, scriptedPeer } from '../../dist/testing/index.js'
import type { ScriptedPeer, TestServer, TestServerOptions } from '../../dist/testing/index.js'
import { turnsUntil } from '../support/connections.ts'
import { healthy } from '../support/healthy.ts'
import { PROPOSED, requestOf, SUPPORTED } from '../support/requests.ts'
import { VERIFICATION } from '../support/uids.ts'

// Many peers at once, good and bad ones. What is asserted is that everybody who may is served; how long it took is
// told, not asserted. With DICOMTAP_HOSTILE=full in the numbers that are promised, else in smaller ones.

const isFull = process.env['DICOMTAP_HOSTILE'] === 'full'
/** What takes its time, in whatever number. */
const long = isFull ? test.serial : test.serial.skip
const scaled = (full: number): number => (isFull ? full : Math.ceil(full / 10))

const ASSOCIATE = encodePdu(associateRequest({ contexts: [[VERIFICATION]] }))

async function serving(options: TestServerOptions = {}): Promise<TestServer> {
  return createTestServer({ contexts: SUPPORTED, ...options })
}

async function gone(t: ExecutionContext, server: TestServer): Promise<void> {
  const deadline = Date.now() + 20_000
  while (server.server.connections > 0 && Date.now() < deadline) await delay(5)
  t.is(server.server.connections, 0)
  t.deepEqual(server.ae.activeAssociations, [])
}

const times = <T>(count: number, make: (index: number) => Promise<T>): Promise<T[]> => Promise.all(Array.from({ length: count }, (_, index) => make(index)))

test.serial('500 associations open at once, each of them answers, each is released', async (t) => {
  t.timeout(60_000)
  const count = scaled(500)
  await using server = await serving({ limits: { maximumAssociations: count, maximumPendingAssociations: count } })
  const started = performance.now()
  const peers = await times(count, async () => {
    const peer = await scriptedPeer(server.port)
    await peer.associate({ contexts: [[VERIFICATION]] })
    return peer
  })
  const associated = performance.now()
  t.is(server.ae.activeAssociations.length, count)
  const statuses = await Promise.all(
    peers.map(async (peer) => {
      await peer.sendMessage(1, requestOf('C-ECHO').command)
      return (await peer.receiveMessage(30_000)).command.status
    }),
  )
  const answered = performance.now()
  t.deepEqual(statuses, Array.from({ length: count }, () => 0))
  // One more is one too many, and told so.
  using late = await scriptedPeer(server.port)
  t.like(await late.requestAssociation(), { type: 'A-ASSOCIATE-RJ', result: 2, source: 3, reason: 2 })
  await late.close()
  await Promise.all(peers.map((peer) => peer.release()))
  t.log(`${count} associations in ${Math.round(associated - started)} ms, their C-ECHOs in ${Math.round(answered - associated)} ms`)
  await gone(t, server)
})

/** Ways to hold a connection without getting anywhere. */
const SLOW: readonly ((peer: ScriptedPeer, isOver: () => boolean) => Promise<void>)[] = [
  async () => {},
  async (peer, isOver) => {
    for (let at = 0; at < ASSOCIATE.length && !isOver() && !peer.isClosed; at++) {
      await peer.send(ASSOCIATE.subarray(at, at + 1))
      await delay(20)
    }
  },
  (peer) => peer.send(ASSOCIATE.subarray(0, 100)),
  (peer) => peer.send(ASSOCIATE.subarray(0, 3)),
  async (peer) => {
    await peer.associate({ contexts: PROPOSED })
    await peer.send(encodePdu(cutMessage(3, requestOf('C-STORE').command)[0]!).subarray(0, 20))
  },
  async (peer, isOver) => {
    await peer.associate({ contexts: PROPOSED })
    await peer.sendMessage(3, requestOf('C-STORE').command, undefined)
    while (!isOver() && !peer.isClosed) {
      await peer.sendPdu({ type: 'P-DATA-TF', pdvs: [{ presentationContextId: 3, isCommand: false, isLast: false, data: Uint8Array.of(0) }] })
      await delay(20)
    }
  },
]

test.serial('100 slow-loris connections and a healthy peer side by side: it is always served', async (t) => {
  t.timeout(60_000)
  const count = scaled(100)
  await using server = await serving({
    timeouts: { acseMs: 60_000 },
    handlers: { cStore: async (request) => ((await request.dataSet.buffer()).length >= 0 ? 0 : 0xa900) },
  })
  let isOver = false
  const peers = await times(count, () => scriptedPeer(server.port))
  const slow = peers.map((peer, index) => SLOW[index % SLOW.length]!(peer, () => isOver).catch(() => {}))
  const durations: number[] = []
  for (let index = 0; index < scaled(100); index++) {
    const started = performance.now()
    await healthy(t, server, `${index} healthy peers among ${count} slow ones`)
    durations.push(performance.now() - started)
  }
  t.log(`the slowest of ${durations.length} healthy peers took ${Math.round(Math.max(...durations))} ms`)
  isOver = true
  for (const peer of peers) peer.destroy()
  await Promise.all(slow)
  await gone(t, server)
})

long('a flood of connections that say nothing keeps nobody out who asks, however fast it comes', async (t) => {
  t.timeout(60_000)
  await using server = await serving({ timeouts: { acseMs: 60_000 }, limits: { maximumPendingAssociations: 20 } })
  const silent: ScriptedPeer[] = []
  // Far more than 20 and the 1024 that are borne beyond them, all of them younger than a second or not.
  for (let batch = 0; batch < scaled(100); batch++) {
    silent.push(...(await times(20, () => scriptedPeer(server.port))))
    await healthy(t, server, `${silent.length} silent connections`)
  }
  await turnsUntil(() => silent[0]!.isClosed, 20_000)
  t.true(silent[0]!.isClosed)
  t.false(silent.at(-1)!.isClosed)
  t.log(`of ${silent.length} connections ${silent.filter(({ isClosed }) => !isClosed).length} are left`)
  for (const peer of silent) peer.destroy()
  await gone(t, server)
})

test.serial('many that are refused one after the other leave nothing, and keep nobody out', async (t) => {
  t.timeout(60_000)
  await using server = await serving({ requireCalledAeTitle: true, aeTitle: 'MINE', limits: { maximumAssociations: 5 } })
  for (let round = 0; round < 5; round++) {
    await times(scaled(200), async () => {
      using peer = await scriptedPeer(server.port)
      t.like(await peer.requestAssociation({ calledAeTitle: 'OTHER' }), { type: 'A-ASSOCIATE-RJ', result: 1, source: 1, reason: 7 })
      await peer.close()
    })
    using peer = await scriptedPeer(server.port)
    t.is((await peer.requestAssociation({ calledAeTitle: 'MINE', contexts: [[VERIFICATION]] })).type, 'A-ASSOCIATE-AC')
    await peer.release()
  }
  await gone(t, server)
})

long('peers that ask for much and never read are cut one by one; others are served meanwhile', async (t) => {
  t.timeout(60_000)
  const count = scaled(50)
  await using server = await serving({
    // Long enough for the healthy peers on a machine that has much else to do.
    timeouts: { networkMs: 3_000 },
    handlers: {
      cFind: async function* () {
        for (;;) yield Buffer.alloc(50_000)
      } as never,
    },
  })
  using recorder = hookRecorder(server.ae, ['associationAborted'])
  const deaf = await times(count, async () => {
    const peer = await scriptedPeer(server.port)
    await peer.associate({ contexts: PROPOSED, callingAeTitle: 'DEAF' })
    peer.pause()
    await peer.sendMessage(5, requestOf('C-FIND').command, Buffer.alloc(0))
    return peer
  })
  for (let index = 0; index < 5; index++) await healthy(t, server, `${count} peers that do not read`)
  for (let index = 0; index < count; index++) t.like(await recorder.next('associationAborted', ({ association }) => association.callingAeTitle === 'DEAF', 30_000), { by: 'network' })
  for (const peer of deaf) peer.destroy()
  await gone(t, server)
})
