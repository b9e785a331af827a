import { setTimeout as delay } from 'node:timers/promises'
import test from 'ava'
import type { ExecutionContext } from 'ava'
import { encodePdu } from '../../dist/pdu/encode.js'
import { associateRequest, createTestServer, cutMessage, hookRecorder, scriptedPeer } from '../../dist/testing/index.js'
import type { ScriptedPeer, TestServer, TestServerOptions } from '../../dist/testing/index.js'
import { A_ASSOCIATE_AC, A_ASSOCIATE_RJ, A_ASSOCIATE_RQ, A_RELEASE_RP, A_RELEASE_RQ, bytes } from '../fixtures/pdus.ts'
import { connected, settle, turnsUntil } from '../support/connections.ts'
import { healthy } from '../support/healthy.ts'
import { PROPOSED, requestOf, SUPPORTED } from '../support/requests.ts'
import { IMPLICIT_LE, VERIFICATION } from '../support/uids.ts'
import { OPENINGS, VERIFICATION_PROPOSAL } from './support/openings.ts'

// A port that anybody can reach is spoken to by anybody. Every answer here is the one of PS3.8 table 9-10,
// byte for byte; afterwards a healthy peer is served as ever, and nothing is left of the other one.

const ABORT_BY_USER = bytes('07 00 00 00 00 04 00 00', '00', '00')
const abortByProvider = (reason: number): Buffer => bytes('07 00 00 00 00 04 00 00', '02', `0${reason}`)
const ASSOCIATE = encodePdu(associateRequest({ contexts: PROPOSED }))

async function serving(options: TestServerOptions = {}): Promise<TestServer> {
  return createTestServer({ contexts: SUPPORTED, ...options })
}

async function nothingLeft(t: ExecutionContext, server: TestServer, after: string): Promise<void> {
  await turnsUntil(() => server.server.connections === 0, 20_000)
  t.is(server.server.connections, 0, `connections after ${after}`)
  t.deepEqual(server.ae.activeAssociations, [], `associations after ${after}`)
}

// ── what is not DICOM, before there is an association (Sta2) ────────────────────────────────────────────

test('what is no association request is answered with A-ABORT, service-user', async (t) => {
  await using server = await serving()
  using recorder = hookRecorder(server.ae)
  for (const [name, opening] of Object.entries(OPENINGS)) {
    using peer = await scriptedPeer(server.port)
    await peer.send(opening)
    t.deepEqual(await peer.receiveRawPdu(), ABORT_BY_USER, name)
    t.like(await recorder.next('associationAborted'), { by: 'local', source: 0 }, name)
    await peer.close()
    await recorder.next('connectionClosed')
  }
  await healthy(t, server, 'all that')
  await nothingLeft(t, server, 'all that')
})

test('an A-ABORT as the first word closes the connection, without one', async (t) => {
  await using server = await serving()
  using peer = await scriptedPeer(server.port)
  await peer.sendPdu({ type: 'A-ABORT', source: 0, reason: 0 })
  await peer.receiveClose()
  await nothingLeft(t, server, 'it')
})

test('128 contexts are a request, 129 are none', async (t) => {
  await using server = await serving()
  const contexts = Array.from({ length: 128 }, () => [VERIFICATION, IMPLICIT_LE] as const)
  using peer = await scriptedPeer(server.port)
  t.is((await peer.associate({ contexts })).presentationContexts.length, 128)
  const request = associateRequest({ contexts })
  const encoded = encodePdu(request)
  // The 129th has an id of its own no more: 1 again.
  const extra = bytes(...VERIFICATION_PROPOSAL)
  const body = Buffer.concat([encoded.subarray(6, 6 + 68 + 25), extra, encoded.subarray(6 + 68 + 25)])
  const header = bytes('01 00 00 00 00 00')
  header.writeUInt32BE(body.length, 2)
  using greedy = await scriptedPeer(server.port)
  await greedy.send(header, body)
  t.deepEqual(await greedy.receiveRawPdu(), ABORT_BY_USER)
})

test('an association request may come byte by byte, or all at once with what must wait for the answer', async (t) => {
  await using server = await serving()
  using slow = await scriptedPeer(server.port)
  for (const byte of ASSOCIATE) await slow.send(Uint8Array.of(byte))
  t.is((await slow.receivePdu()).type, 'A-ASSOCIATE-AC')
  // Data before the accept: Evt10 in Sta3.
  using hasty = await scriptedPeer(server.port)
  await hasty.send(ASSOCIATE, ...cutMessage(1, requestOf('C-ECHO').command).map(encodePdu))
  t.deepEqual(await hasty.receiveRawPdu(), abortByProvider(2))
})

// ── PDUs out of place, in every state that an acceptor can be in ────────────────────────────────────────

/** Brings a peer to where the server stands in a state; what the server sent on the way is read. */
const STATES: Readonly<Record<string, (server: TestServer) => Promise<ScriptedPeer>>> = {
  Sta3: async (server) => {
    const peer = await scriptedPeer(server.port)
    await peer.sendPdu(associateRequest({ callingAeTitle: 'UNDECIDED' }))
    return peer
  },
  Sta6: async (server) => {
    const peer = await scriptedPeer(server.port)
    await peer.associate({ contexts: PROPOSED })
    return peer
  },
  Sta7: async (server) => {
    const peer = await STATES['Sta6']!(server)
    void server.ae.activeAssociations.at(-1)!.release()
    await peer.receivePdu()
    return peer
  },
  Sta8: async (server) => {
    const peer = await STATES['Sta6']!(server)
    await peer.sendMessage(3, requestOf('C-STORE').command, Buffer.alloc(2))
    await peer.sendPdu({ type: 'A-RELEASE-RQ' })
    return peer
  },
  Sta10: async (server) => {
    const peer = await STATES['Sta7']!(server)
    await peer.sendPdu({ type: 'A-RELEASE-RQ' })
    return peer
  },
}

const OUT_OF_PLACE: Readonly<Record<string, { pdu: Buffer; expectedIn: string }>> = {
  'A-ASSOCIATE-RQ': { pdu: A_ASSOCIATE_RQ.bytes, expectedIn: '' },
  'A-ASSOCIATE-AC': { pdu: A_ASSOCIATE_AC.bytes, expectedIn: '' },
  'A-ASSOCIATE-RJ': { pdu: A_ASSOCIATE_RJ.bytes, expectedIn: '' },
  'P-DATA-TF': { pdu: encodePdu(cutMessage(1, requestOf('C-ECHO').command)[0]!), expectedIn: 'Sta6 Sta7' },
  'A-RELEASE-RQ': { pdu: A_RELEASE_RQ.bytes, expectedIn: 'Sta6 Sta7' },
  'A-RELEASE-RP': { pdu: A_RELEASE_RP.bytes, expectedIn: 'Sta7 Sta10' },
}

const INVALID: Readonly<Record<string, { bytes: Buffer; reason: number }>> = {
  'an unknown PDU type': { bytes: bytes('0f'), reason: 1 },
  'an HTTP request': { bytes: Buffer.from('GET / HTTP/1.1\r\n\r\n'), reason: 1 },
  'a P-DATA-TF that claims 4 GiB': { bytes: bytes('04 00 ff ff ff ff'), reason: 6 },
  'a P-DATA-TF one byte over the maximum announced': { bytes: bytes('04 00 00 04 00 01'), reason: 6 },
  'a P-DATA-TF without a PDV': { bytes: bytes('04 00 00 00 00 00'), reason: 6 },
  'an A-RELEASE-RQ of 5 bytes': { bytes: bytes('05 00 00 00 00 05'), reason: 6 },
  'an A-RELEASE-RP that claims 4 GiB': { bytes: bytes('06 00 ff ff ff ff'), reason: 6 },
  'an A-ABORT of 0 bytes': { bytes: bytes('07 00 00 00 00 00'), reason: 6 },
  'an A-ASSOCIATE-RQ that claims 4 GiB': { bytes: bytes('01 00 ff ff ff ff'), reason: 6 },
  'an A-ASSOCIATE-AC that claims 2 GiB': { bytes: bytes('02 00 7f ff ff ff'), reason: 6 },
}

test('PDUs out of place and invalid ones, in every state: A-ABORT, service-provider, with its reason', async (t) => {
  await using server = await serving({
    handlers: {
      associationRequest: ({ association }) => (association.callingAeTitle === 'UNDECIDED' ? new Promise<never>(() => {}) : undefined),
      cStore: (_request, operation) => new Promise((resolve) => operation.signal.addEventListener('abort', () => resolve(0))),
    },
  })
  using recorder = hookRecorder(server.ae)
  for (const [state, reach] of Object.entries(STATES)) {
    for (const [name, { pdu: sent, expectedIn }] of Object.entries(OUT_OF_PLACE)) {
      if (expectedIn.split(' ').includes(state)) continue
      using peer = await reach(server)
      await peer.send(sent)
      t.deepEqual(await peer.receiveRawPdu(), abortByProvider(2), `${name} in ${state}`)
      t.like(await recorder.next('associationAborted'), { by: 'local', source: 2, reason: 2 }, `${name} in ${state}`)
    }
    for (const [name, { bytes: sent, reason }] of Object.entries(INVALID)) {
      using peer = await reach(server)
      await peer.send(sent)
      t.deepEqual(await peer.receiveRawPdu(), abortByProvider(reason), `${name} in ${state}`)
      t.like(await recorder.next('associationAborted'), { by: 'local', source: 2, reason }, `${name} in ${state}`)
    }
    using peer = await reach(server)
    await peer.sendPdu({ type: 'A-ABORT', source: 2, reason: 1 })
    await peer.receiveClose()
    t.like(await recorder.next('associationAborted'), { by: 'peer', source: 2, reason: 1 }, `A-ABORT in ${state}`)
  }
  await nothingLeft(t, server, 'all that')
  await healthy(t, server, 'all that')
})

test('after the end (Sta13) anything is read and dropped, until ARTIM closes', async (t) => {
  await using server = await serving({ timeouts: { acseMs: 800 } })
  const ends: ((peer: ScriptedPeer) => Promise<void>)[] = [
    async (peer) => {
      await peer.associate()
      await peer.sendPdu({ type: 'A-RELEASE-RQ' })
      await peer.receivePdu()
    },
    async (peer) => {
      await peer.associate()
      await peer.send(A_ASSOCIATE_AC.bytes)
      t.deepEqual(await peer.receiveRawPdu(), abortByProvider(2))
    },
    async (peer) => {
      await peer.requestAssociation({ applicationContextName: '1.2.3' })
    },
  ]
  const afterEnd = async (end: (peer: ScriptedPeer) => Promise<void>): Promise<void> => {
    for (const { pdu: sent } of Object.values(OUT_OF_PLACE).slice(1)) {
      using peer = await scriptedPeer(server.port)
      await end(peer)
      await peer.send(sent)
      await settle()
      t.is(peer.unreadBytes, 0)
    }
    // AA-7: a request, and what is invalid, are answered once more.
    const answered = ([[A_ASSOCIATE_RQ.bytes, 2], [bytes('55'), 1]] as const).map(async ([sent, reason]) => {
      using peer = await scriptedPeer(server.port)
      await end(peer)
      await peer.send(sent)
      t.deepEqual(await peer.receiveRawPdu(), abortByProvider(reason))
      await peer.receiveClose()
    })
    // A flood does not put ARTIM off.
    using flood = await scriptedPeer(server.port)
    await end(flood)
    while (!flood.isClosed) {
      await flood.send(Buffer.alloc(60_000, 0x04))
      await delay(1)
    }
    await Promise.all(answered)
  }
  await Promise.all(ends.map(afterEnd))
  await nothingLeft(t, server, 'ARTIM')
})

// ── many of them ────────────────────────────────────────────────────────────────────────────────────────

test('connections that trickle do not keep a healthy peer waiting, and ARTIM ends them', async (t) => {
  await using server = await serving({ timeouts: { acseMs: 600 }, limits: { maximumPendingAssociations: 100 } })
  const peers = await Promise.all(Array.from({ length: 60 }, () => scriptedPeer(server.port)))
  const trickling = peers.map(async (peer, index) => {
    for (let at = 0; !peer.isClosed && at < ASSOCIATE.length; at++) {
      await peer.send(ASSOCIATE.subarray(at, at + 1))
      await delay(20 + (index % 7))
    }
  })
  for (let i = 0; i < 5; i++) await healthy(t, server, `${i} healthy peers among 60 slow ones`)
  await Promise.all(trickling)
  for (const peer of peers) {
    await peer.receiveClose()
    peer.destroy()
  }
  await nothingLeft(t, server, 'the slow ones')
})

test('silent connections beyond the limit are let go for one that speaks', async (t) => {
  await using server = await serving({ limits: { maximumPendingAssociations: 5 } })
  const silent = await Promise.all(Array.from({ length: 8 }, () => scriptedPeer(server.port)))
  await turnsUntil(() => server.server.connections === 8, 20_000)
  await delay(1_100)
  for (let i = 0; i < 4; i++) {
    using peer = await scriptedPeer(server.port)
    const answer = await peer.requestAssociation({ contexts: [[VERIFICATION]] })
    // Each connection that comes makes room for itself; the backlog of those before is gone after the fourth.
    if (i === 3) t.is(answer.type, 'A-ASSOCIATE-AC')
  }
  for (const peer of silent) peer.destroy()
  await nothingLeft(t, server, 'the silent ones')
})

test('ended associations whose peers do not close make room for others', async (t) => {
  await using server = await serving({ limits: { maximumPendingAssociations: 1 } })
  const zombies: ScriptedPeer[] = []
  for (let i = 0; i < 1_100; i++) {
    const peer = connected(server)
    zombies.push(peer)
    t.is((await peer.requestAssociation({ applicationContextName: 'none' })).type, 'A-ASSOCIATE-RJ')
  }
  await healthy(t, server, '1100 that do not close')
  t.true(server.server.connections < 1_100, 'the oldest were cut')
  t.true(zombies[0]!.isClosed)
  t.false(zombies.at(-1)!.isClosed)
  for (const peer of zombies) peer.destroy()
  await nothingLeft(t, server, 'them')
})

// ── a good exchange, cut off anywhere ───────────────────────────────────────────────────────────────────

test('a connection cut at any byte of associate and store: what was not received whole is not taken for it', async (t) => {
  const outcomes: string[] = []
  await using server = await serving({
    handlers: {
      cStore: async (request) => {
        try {
          const data = await request.dataSet.buffer()
          outcomes.push(`${data.length}`)
          return data.length === 40_000 ? 0 : 0xa900
        } catch (error) {
          outcomes.push((error as { code: string }).code)
          throw error
        }
      },
    },
  })
  using recorder = hookRecorder(server.ae, ['connectionClosed', 'associationEstablished'])
  const stream = Buffer.concat([...cutMessage(3, requestOf('C-STORE').command, Buffer.alloc(40_000, 1), { fragmentBytes: 9_000 }), { type: 'A-RELEASE-RQ' as const }].map(encodePdu))
  const cuts = [
    ...Array.from({ length: 30 }, (_, index) => index * 23),
    ASSOCIATE.length - 1,
    ...Array.from({ length: 30 }, (_, index) => ASSOCIATE.length + index * 7),
    ...Array.from({ length: 20 }, (_, index) => ASSOCIATE.length + 200 + index * 2_000),
    ASSOCIATE.length + stream.length - 11,
    ASSOCIATE.length + stream.length - 1,
  ].filter((cut) => cut <= ASSOCIATE.length + stream.length)
  let closed = 0
  for (const [index, cut] of cuts.entries()) {
    using peer = await scriptedPeer(server.port)
    await peer.send(ASSOCIATE.subarray(0, cut))
    if (cut > ASSOCIATE.length) {
      await peer.receivePdu()
      await peer.send(stream.subarray(0, cut - ASSOCIATE.length))
    }
    if (index % 3 === 0) peer.end()
    else if (index % 3 === 1) peer.destroy()
    else (peer.socket as unknown as { resetAndDestroy(): void }).resetAndDestroy()
    await recorder.next('connectionClosed')
    closed += 1
  }
  t.is(closed, cuts.length)
  await turnsUntil(() => server.ae.activeAssociations.length === 0)
  t.true(outcomes.length > 15)
  for (const outcome of outcomes) t.true(outcome === '40000' || outcome === 'DICOMTAP_ERR_DIMSE_TRUNCATED', outcome)
  t.true(outcomes.includes('40000') && outcomes.includes('DICOMTAP_ERR_DIMSE_TRUNCATED'))
  await nothingLeft(t, server, 'the cuts')
  await healthy(t, server, 'the cuts')
})

// ── peers that do not read ──────────────────────────────────────────────────────────────────────────────

test('a peer that asks and never reads the answers is cut; others are served meanwhile', async (t) => {
  await using server = await serving({
    timeouts: { networkMs: 1_000 },
    handlers: {
      cFind: async function* () {
        for (;;) yield Buffer.alloc(50_000)
      } as never,
    },
  })
  using recorder = hookRecorder(server.ae)
  using deaf = await scriptedPeer(server.port)
  await deaf.associate({ contexts: PROPOSED })
  deaf.pause()
  await deaf.sendMessage(5, requestOf('C-FIND').command, Buffer.alloc(0))
  await recorder.next('operationStarted')
  for (let i = 0; i < 3; i++) await healthy(t, server, 'one that does not read')
  t.like(await recorder.next('associationAborted', ({ association }) => association.callingAeTitle !== 'HEALTHY'), { by: 'network' })
  await recorder.next('operationCompleted', ({ operation }) => operation.service === 'C-FIND')
  await nothingLeft(t, server, 'the deaf one')
})

test('a peer that closes its side while much is on the way to it is let go', async (t) => {
  await using server = await serving({
    handlers: {
      cFind: async function* () {
        for (;;) yield Buffer.alloc(50_000)
      } as never,
    },
  })
  using recorder = hookRecorder(server.ae)
  using peer = await scriptedPeer(server.port)
  await peer.associate({ contexts: PROPOSED })
  peer.pause()
  await peer.sendMessage(5, requestOf('C-FIND').command, Buffer.alloc(0))
  await recorder.next('operationStarted')
  await turnsUntil(() => false, 200)
  peer.end()
  await recorder.next('operationCompleted')
  await recorder.next('connectionClosed')
  await nothingLeft(t, server, 'it')
})
