import { once } from 'node:events'
import { setImmediate as turn } from 'node:timers/promises'
import test from 'ava'
import type { ExecutionContext } from 'ava'
import { Deadline } from '../../dist/dul/deadline.js'
import { DulServiceProvider } from '../../dist/dul/provider.js'
import type { AbortIndication, DulUser } from '../../dist/dul/user.js'
import { DicomtapError } from '../../dist/errors/index.js'
import { encodePdu } from '../../dist/pdu/encode.js'
import type { PDataTf, Pdu } from '../../dist/pdu/types.js'
import { associateRequest, memorySocket, ScriptedPeer } from '../../dist/testing/index.js'
import { bytes } from '../fixtures/pdus.ts'
import { ACCEPT, acceptor, acceptorIn, killSides, receive, REQUEST, requestor, requestorIn } from '../support/dul-sides.ts'
import type { DulSide, SideOptions } from '../support/dul-sides.ts'

// Bytes of PS3.8 9.3.4 and 9.3.6 to 9.3.8: type, reserved, length 4, then the fields.
const RELEASE_RQ = bytes('05 00 00 00 00 04 00 00 00 00')
const RELEASE_RP = bytes('06 00 00 00 00 04 00 00 00 00')
const ABORT_BY_USER = bytes('07 00 00 00 00 04 00 00', '00', '00') // source: service-user
const abortByProvider = (reason: string): Buffer => bytes('07 00 00 00 00 04 00 00', '02', reason) // source: service-provider

const P_DATA: PDataTf = {
  type: 'P-DATA-TF',
  pdvs: [{ presentationContextId: 1, isCommand: true, isLast: true, data: Uint8Array.of(0xca, 0xfe) }],
}
const P_DATA_BYTES = bytes(
  '04 00 00 00 00 08', // P-DATA-TF, length 8
  '00 00 00 04', // PDV item length: 2 + 2
  '01 03', // presentation context id; command, last
  'ca fe',
)

function code(expected: string): (error: unknown) => boolean {
  return (error) => error instanceof DicomtapError && error.code === expected
}

test.after.always(killSides)

async function sendBytes(side: DulSide, ...pieces: Uint8Array[]): Promise<void> {
  await side.peer.send(...pieces)
}

// ── one association, step by step ───────────────────────────────────────────────────────────────────────

test('acceptor: AE-5, AE-6, AE-7, DT-2, DT-1, AR-2, AR-7, AR-4, AR-5, each seen on the wire', async (t) => {
  const side = acceptor({ acseTimeoutMs: 5_000 })
  const { dul, peer, transitions } = side
  t.is(dul.state, 'Sta2')
  t.true(dul.artim.isRunning)
  t.false(dul.isRequestor)

  await peer.sendPdu(REQUEST)
  t.deepEqual(await receive(side, 'A-ASSOCIATE-RQ'), REQUEST)
  t.is(dul.state, 'Sta3')

  await dul.send(ACCEPT)
  t.deepEqual(await peer.receivePdu(), ACCEPT)

  await peer.send(P_DATA_BYTES)
  t.deepEqual(await receive(side, 'P-DATA'), {
    type: 'P-DATA',
    presentationContextId: 1,
    isCommand: true,
    isLast: true,
    data: Buffer.from([0xca, 0xfe]),
  })
  await dul.send(P_DATA)
  t.deepEqual(await peer.receiveRawPdu(), P_DATA_BYTES)

  await peer.send(RELEASE_RQ)
  t.deepEqual(await receive(side, 'A-RELEASE'), { type: 'A-RELEASE', isCollision: false })
  t.is(dul.state, 'Sta8')
  // AR-7: what was being answered when the release arrived still goes out before its answer.
  await dul.send(P_DATA)
  await dul.send({ type: 'A-RELEASE-RP' })
  t.deepEqual(await peer.receiveRawPdu(), P_DATA_BYTES)
  t.deepEqual(await peer.receiveRawPdu(), RELEASE_RP)
  t.is(dul.state, 'Sta13')

  await peer.close()
  t.deepEqual(await dul.receive(2_000), { type: 'CLOSED' })
  t.deepEqual(transitions, [
    'Sta1 Evt5 AE-5 Sta2',
    'Sta2 Evt6 AE-6 Sta3',
    'Sta3 Evt7 AE-7 Sta6',
    'Sta6 Evt10 DT-2 Sta6',
    'Sta6 Evt9 DT-1 Sta6',
    'Sta6 Evt12 AR-2 Sta8',
    'Sta8 Evt9 AR-7 Sta8',
    'Sta8 Evt14 AR-4 Sta13',
    'Sta13 Evt17 AR-5 Sta1',
  ])
})

test('requestor: AE-1, AE-2, AE-3, DT-1, DT-2, AR-1, AR-6, AR-3, each seen on the wire', async (t) => {
  const side = requestor()
  const { dul, peer, socket, transitions } = side
  t.is(dul.state, 'Sta4')
  t.true(dul.isRequestor)
  socket.emit('connect')
  t.deepEqual(await peer.receivePdu(), REQUEST)
  t.is(dul.state, 'Sta5')
  await peer.sendPdu(ACCEPT)
  t.deepEqual(await receive(side, 'A-ASSOCIATE-AC'), ACCEPT)

  await dul.send(P_DATA)
  t.deepEqual(await peer.receiveRawPdu(), P_DATA_BYTES)
  await peer.send(P_DATA_BYTES)
  await receive(side, 'P-DATA')

  await dul.send({ type: 'A-RELEASE-RQ' })
  t.deepEqual(await peer.receiveRawPdu(), RELEASE_RQ)
  t.is(dul.state, 'Sta7')
  // AR-6: the peer may still answer.
  await peer.send(P_DATA_BYTES)
  t.is((await receive(side, 'P-DATA')).data.length, 2)
  await peer.send(RELEASE_RP)
  t.deepEqual(await receive(side, 'A-RELEASE-CONFIRMATION'), { type: 'A-RELEASE-CONFIRMATION' })
  await peer.receiveClose()
  t.deepEqual(transitions, [
    'Sta1 Evt1 AE-1 Sta4',
    'Sta4 Evt2 AE-2 Sta5',
    'Sta5 Evt3 AE-3 Sta6',
    'Sta6 Evt9 DT-1 Sta6',
    'Sta6 Evt10 DT-2 Sta6',
    'Sta6 Evt11 AR-1 Sta7',
    'Sta7 Evt10 AR-6 Sta7',
    'Sta7 Evt13 AR-3 Sta1',
  ])
})

test('AE-4: a rejection is confirmed and the connection closed', async (t) => {
  const side = await requestorIn('Sta5')
  await sendBytes(side, bytes('03 00 00 00 00 04 00', '02', '03', '01'))
  t.deepEqual(await receive(side, 'A-ASSOCIATE-RJ'), { type: 'A-ASSOCIATE-RJ', result: 2, source: 3, reason: 1 })
  await side.peer.receiveClose()
  t.is(side.dul.state, 'Sta1')
})

test('AE-8: a rejection is sent, ARTIM started, and the peer left to close', async (t) => {
  const side = await acceptorIn('Sta3')
  side.dul.issue({ type: 'A-ASSOCIATE-RJ', result: 1, source: 1, reason: 7 })
  t.deepEqual(await side.peer.receiveRawPdu(), bytes('03 00 00 00 00 04 00', '01', '01', '07'))
  t.is(side.dul.state, 'Sta13')
  t.false(side.peer.isClosed)
})

for (const [version, isAccepted] of [
  [0x0000, false],
  [0x0001, true],
  [0x0002, false],
  [0x0003, true],
  [0x8001, true],
  [0xfffe, false],
] as const) {
  test(`AE-6: protocol version 0x${version.toString(16).padStart(4, '0')} is ${isAccepted ? 'taken' : 'rejected'}: bit 0 alone counts`, async (t) => {
    const side = acceptor()
    await side.peer.sendPdu(associateRequest({ protocolVersion: version }))
    if (isAccepted) {
      t.is((await receive(side, 'A-ASSOCIATE-RQ')).protocolVersion, version)
      return
    }
    // Rejected permanently, by the service provider (ACSE), protocol version not supported.
    t.deepEqual(await side.peer.receiveRawPdu(), bytes('03 00 00 00 00 04 00', '01', '02', '02'))
    t.is(side.dul.state, 'Sta13')
    await t.throwsAsync(side.dul.receive(1), { code: 'DICOMTAP_ERR_DUL_TIMEOUT' })
  })
}

// ── every event of the peer in every state of either role ───────────────────────────────────────────────

const PDUS: Readonly<Record<string, Uint8Array>> = {
  Evt3: encodePdu(ACCEPT),
  Evt4: bytes('03 00 00 00 00 04 00', '01', '01', '01'),
  Evt6: encodePdu(REQUEST),
  Evt10: P_DATA_BYTES,
  Evt12: RELEASE_RQ,
  Evt13: RELEASE_RP,
  Evt16: bytes('07 00 00 00 00 04 00 00', '02', '06'),
  // 0x08 is no PDU type.
  Evt19: bytes('08'),
}

/** What a peer and a user see of each action that an event of the peer leads to (PS3.8 tables 9-6 to 9-9). */
const EFFECTS: Readonly<Record<string, { sends?: Buffer | ((event: string) => Buffer); indicates?: object; closes?: true; next: string }>> = {
  'AE-3': { indicates: { type: 'A-ASSOCIATE-AC' }, next: 'Sta6' },
  'AE-4': { indicates: { type: 'A-ASSOCIATE-RJ' }, closes: true, next: 'Sta1' },
  'AE-6': { indicates: { type: 'A-ASSOCIATE-RQ' }, next: 'Sta3' },
  'DT-2': { indicates: { type: 'P-DATA' }, next: 'Sta6' },
  'AR-2': { indicates: { type: 'A-RELEASE', isCollision: false }, next: 'Sta8' },
  'AR-3': { indicates: { type: 'A-RELEASE-CONFIRMATION' }, closes: true, next: 'Sta1' },
  'AR-6': { indicates: { type: 'P-DATA' }, next: 'Sta7' },
  'AR-8 requestor': { indicates: { type: 'A-RELEASE', isCollision: true }, next: 'Sta9' },
  'AR-8 acceptor': { indicates: { type: 'A-RELEASE', isCollision: true }, next: 'Sta10' },
  'AR-10': { indicates: { type: 'A-RELEASE-CONFIRMATION' }, next: 'Sta12' },
  'AA-1': { sends: ABORT_BY_USER, indicates: { type: 'ABORT', source: 0, by: 'local' }, next: 'Sta13' },
  'AA-2': { closes: true, next: 'Sta1' },
  'AA-3': { indicates: { type: 'ABORT', source: 2, reason: 6, by: 'peer' }, closes: true, next: 'Sta1' },
  'AA-6': { next: 'Sta13' },
  'AA-7': { sends: (event) => abortByProvider(event === 'Evt19' ? '01' : '02'), next: 'Sta13' },
  'AA-8': {
    sends: (event) => abortByProvider(event === 'Evt19' ? '01' : '02'),
    indicates: { type: 'ABORT', source: 2, by: 'local' },
    next: 'Sta13',
  },
}

// Table 9-10, the columns of each role; Evt16 and the PDUs of PDUS.
const ACCEPTOR_TABLE = `
         Sta2  Sta3  Sta6  Sta7          Sta8  Sta10 Sta12 Sta13
  Evt3   AA-1  AA-8  AA-8  AA-8          AA-8  AA-8  AA-8  AA-6
  Evt4   AA-1  AA-8  AA-8  AA-8          AA-8  AA-8  AA-8  AA-6
  Evt6   AE-6  AA-8  AA-8  AA-8          AA-8  AA-8  AA-8  AA-7
  Evt10  AA-1  AA-8  DT-2  AR-6          AA-8  AA-8  AA-8  AA-6
  Evt12  AA-1  AA-8  AR-2  AR-8_acceptor AA-8  AA-8  AA-8  AA-6
  Evt13  AA-1  AA-8  AA-8  AR-3          AA-8  AR-10 AA-8  AA-6
  Evt16  AA-2  AA-3  AA-3  AA-3          AA-3  AA-3  AA-3  AA-2
  Evt19  AA-1  AA-8  AA-8  AA-8          AA-8  AA-8  AA-8  AA-7
`
const REQUESTOR_TABLE = `
         Sta5  Sta6  Sta7           Sta8  Sta9  Sta11 Sta13
  Evt3   AE-3  AA-8  AA-8           AA-8  AA-8  AA-8  AA-6
  Evt4   AE-4  AA-8  AA-8           AA-8  AA-8  AA-8  AA-6
  Evt6   AA-8  AA-8  AA-8           AA-8  AA-8  AA-8  AA-7
  Evt10  AA-8  DT-2  AR-6           AA-8  AA-8  AA-8  AA-6
  Evt12  AA-8  AR-2  AR-8_requestor AA-8  AA-8  AA-8  AA-6
  Evt13  AA-8  AA-8  AR-3           AA-8  AA-8  AR-3  AA-6
  Evt16  AA-3  AA-3  AA-3           AA-3  AA-3  AA-3  AA-2
  Evt19  AA-8  AA-8  AA-8           AA-8  AA-8  AA-8  AA-7
`

function cells(table: string): { event: string; state: string; action: string }[] {
  const [head = [], ...rows] = table.trim().split('\n').map((line) => line.trim().split(/\s+/))
  return rows.flatMap(([event = '', ...actions]) =>
    actions.map((action, index) => ({ event, state: head[index] ?? '', action: action.replace('_', ' ') })),
  )
}

async function checkCell(t: ExecutionContext, side: DulSide, event: string, action: string): Promise<void> {
  const cell = `${event} in ${side.dul.state}: ${action}`
  const { dul, peer } = side
  const effect = EFFECTS[action]!
  await peer.send(PDUS[event]!)
  if (effect.sends !== undefined) {
    t.deepEqual(await peer.receiveRawPdu(), typeof effect.sends === 'function' ? effect.sends(event) : effect.sends, `${cell}, on the wire`)
  }
  if (effect.indicates !== undefined) t.like(await dul.receive(2_000), effect.indicates, cell)
  if (effect.closes === true) await peer.receiveClose()
  else if (effect.indicates === undefined) await turnsUntil(() => side.transitions.at(-1)?.split(' ')[1] === event)
  t.is(peer.unreadBytes, 0, `${cell}, nothing else on the wire`)
  t.is(dul.state as string, effect.next, cell)
  peer.destroy()
  const left = await dul.receive(2_000)
  t.true(left.type === 'CLOSED' || (left.type === 'ABORT' && left.by === 'network'), JSON.stringify(left))
}

async function turnsUntil(isMet: () => boolean): Promise<void> {
  for (let turns = 0; turns < 1_000 && !isMet(); turns++) await turn()
}

test('acceptor: what each PDU of the peer does in each state', async (t) => {
  for (const { event, state, action } of cells(ACCEPTOR_TABLE)) {
    await checkCell(t, await acceptorIn(state), event, action)
  }
})

test('requestor: what each PDU of the peer does in each state', async (t) => {
  for (const { event, state, action } of cells(REQUESTOR_TABLE)) {
    await checkCell(t, await requestorIn(state), event, action)
  }
})

test('Evt17: a lost connection is indicated where an association was, and forgotten elsewhere', async (t) => {
  const expectations = [
    ...['Sta3', 'Sta6', 'Sta7', 'Sta8', 'Sta10', 'Sta12'].map((state) => ['acceptor', state, true] as const),
    ...['Sta4', 'Sta5', 'Sta6', 'Sta7', 'Sta9', 'Sta11'].map((state) => ['requestor', state, true] as const),
    ['acceptor', 'Sta2', false] as const,
    ['acceptor', 'Sta13', false] as const,
  ]
  for (const [role, state, isIndicated] of expectations) {
    const side = await (role === 'acceptor' ? acceptorIn(state) : requestorIn(state))
    side.peer.destroy()
    if (isIndicated) {
      t.like(await side.dul.receive(2_000), { type: 'ABORT', source: undefined, reason: 0, by: 'network' }, `${role} ${state}`)
    }
    t.deepEqual(await side.dul.receive(2_000), { type: 'CLOSED' }, `${role} ${state}`)
    t.is(side.dul.state, 'Sta1')
  }
})

test('Evt17: a reset says so', async (t) => {
  const [client, socket] = memorySocket()
  const dul = new DulServiceProvider({ socket, acseTimeoutMs: null, networkTimeoutMs: null })
  const peer = new ScriptedPeer(client)
  await peer.sendPdu(REQUEST)
  await dul.receive(2_000)
  client.reset()
  t.like(await dul.receive(2_000), { type: 'ABORT', by: 'network', message: 'read ECONNRESET' })
})

test('Evt2 that never comes: a refused connection is an abort by the network', async (t) => {
  const { dul, socket, transitions } = requestor()
  socket.destroy(Object.assign(new Error('connect ECONNREFUSED 192.0.2.1:104'), { code: 'ECONNREFUSED' }))
  t.like(await dul.receive(2_000), { type: 'ABORT', by: 'network', message: 'connect ECONNREFUSED 192.0.2.1:104' })
  t.deepEqual(await dul.receive(2_000), { type: 'CLOSED' })
  t.is(transitions.at(-1), 'Sta4 Evt17 AA-4 Sta1')
})

// ── primitives of the user ──────────────────────────────────────────────────────────────────────────────

const PRIMITIVES: readonly Pdu[] = [
  REQUEST,
  ACCEPT,
  { type: 'A-ASSOCIATE-RJ', result: 1, source: 1, reason: 1 },
  P_DATA,
  { type: 'A-RELEASE-RQ' },
  { type: 'A-RELEASE-RP' },
  { type: 'A-ABORT', source: 0, reason: 0 },
]

// The rows Evt1, 7, 8, 9, 11, 14 and 15 of table 9-10: in which states each primitive may be issued.
const ALLOWED: Readonly<Record<Pdu['type'], string>> = {
  'A-ASSOCIATE-RQ': 'Sta1',
  'A-ASSOCIATE-AC': 'Sta3',
  'A-ASSOCIATE-RJ': 'Sta3',
  'P-DATA-TF': 'Sta6 Sta8',
  'A-RELEASE-RQ': 'Sta6',
  'A-RELEASE-RP': 'Sta8 Sta9 Sta12',
  'A-ABORT': 'Sta3 Sta4 Sta5 Sta6 Sta7 Sta8 Sta9 Sta10 Sta11 Sta12',
}

test('a primitive that table 9-10 has no cell for is refused, and changes and sends nothing', async (t) => {
  const states = [
    ...['Sta2', 'Sta3', 'Sta6', 'Sta7', 'Sta8', 'Sta10', 'Sta12', 'Sta13'].map((state) => ['acceptor', state] as const),
    ...['Sta4', 'Sta5', 'Sta9', 'Sta11'].map((state) => ['requestor', state] as const),
  ]
  for (const [role, state] of states) {
    const side = await (role === 'acceptor' ? acceptorIn(state) : requestorIn(state))
    const { dul, peer, transitions } = side
    for (const primitive of PRIMITIVES) {
      if (ALLOWED[primitive.type].split(' ').includes(state)) continue
      const before = transitions.length
      await t.throwsAsync(dul.send(primitive), { code: 'DICOMTAP_ERR_DUL_STATE' }, `${primitive.type} in ${state}`)
      t.is(dul.state as string, state)
      t.is(transitions.length, before)
    }
    await turn()
    t.is(peer.unreadBytes, 0)
    peer.destroy()
  }
})

test('AA-1: an abort is sent from every state that has an association', async (t) => {
  for (const state of ['Sta3', 'Sta6', 'Sta7', 'Sta8', 'Sta10', 'Sta12']) {
    const { dul, peer } = await acceptorIn(state)
    dul.issue({ type: 'A-ABORT', source: 0, reason: 0 })
    t.deepEqual(await peer.receiveRawPdu(), ABORT_BY_USER, state)
    t.is(dul.state, 'Sta13')
    peer.destroy()
  }
})

test('AA-2: an abort while the connection is being made gives it up at once', async (t) => {
  const { dul, socket } = requestor()
  const closed = once(socket, 'close')
  dul.issue({ type: 'A-ABORT', source: 0, reason: 0 })
  t.is(dul.state, 'Sta1')
  await closed
  t.pass()
})

// ── release collision ───────────────────────────────────────────────────────────────────────────────────

test('release collision as requestor: 7, 9, 11, 1', async (t) => {
  const side = await requestorIn('Sta9')
  const { dul, peer, transitions } = side
  dul.issue({ type: 'A-RELEASE-RP' })
  t.deepEqual(await peer.receiveRawPdu(), RELEASE_RP)
  await peer.send(RELEASE_RP)
  await receive(side, 'A-RELEASE-CONFIRMATION')
  await peer.receiveClose()
  t.deepEqual(transitions.slice(-4), ['Sta6 Evt11 AR-1 Sta7', 'Sta7 Evt12 AR-8 Sta9', 'Sta9 Evt14 AR-9 Sta11', 'Sta11 Evt13 AR-3 Sta1'])
})

test('release collision as acceptor: 7, 10, 12, 13, 1', async (t) => {
  const side = await acceptorIn('Sta10')
  const { dul, peer, transitions } = side
  await t.throwsAsync(dul.send({ type: 'A-RELEASE-RP' }), { code: 'DICOMTAP_ERR_DUL_STATE' }, 'the peer answers first')
  await peer.send(RELEASE_RP)
  await receive(side, 'A-RELEASE-CONFIRMATION')
  dul.issue({ type: 'A-RELEASE-RP' })
  t.deepEqual(await peer.receiveRawPdu(), RELEASE_RP)
  await peer.close()
  t.deepEqual(await dul.receive(2_000), { type: 'CLOSED' })
  t.deepEqual(transitions.slice(-5), [
    'Sta6 Evt11 AR-1 Sta7',
    'Sta7 Evt12 AR-8 Sta10',
    'Sta10 Evt13 AR-10 Sta12',
    'Sta12 Evt14 AR-4 Sta13',
    'Sta13 Evt17 AR-5 Sta1',
  ])
})

// ── timers ──────────────────────────────────────────────────────────────────────────────────────────────

test.serial('ARTIM closes a connection that brings no request, without a word', async (t) => {
  const { dul, peer, transitions } = acceptor({ acseTimeoutMs: 20 })
  await peer.receiveClose()
  t.deepEqual(await dul.receive(2_000), { type: 'CLOSED' })
  t.deepEqual(transitions, ['Sta1 Evt5 AE-5 Sta2', 'Sta2 Evt18 AA-2 Sta1'])
})

test.serial('ARTIM is not put off by a request that trickles in', async (t) => {
  const { dul, peer } = acceptor({ acseTimeoutMs: 60 })
  for (const byte of encodePdu(REQUEST)) {
    if (peer.isClosed) break
    await peer.send(Uint8Array.of(byte))
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  await peer.receiveClose()
  t.deepEqual(await dul.receive(2_000), { type: 'CLOSED' })
})

test.serial('ARTIM closes what the peer leaves open after the end: rejected, released, aborted', async (t) => {
  const ends: ((side: DulSide) => void)[] = [
    ({ dul }) => dul.issue({ type: 'A-ASSOCIATE-RJ', result: 1, source: 1, reason: 1 }),
    ({ dul }) => dul.issue({ type: 'A-ABORT', source: 0, reason: 0 }),
  ]
  for (const end of ends) {
    const side = await acceptorIn('Sta3', { acseTimeoutMs: 100 })
    t.false(side.dul.artim.isRunning, 'AE-6 stops it')
    end(side)
    t.true(side.dul.artim.isRunning)
    await side.peer.receivePdu()
    await side.peer.receiveClose()
    t.is(side.transitions.at(-1), 'Sta13 Evt18 AA-2 Sta1')
    t.false(side.dul.artim.isRunning)
  }
  const released = await acceptorIn('Sta8', { acseTimeoutMs: 100 })
  released.dul.issue({ type: 'A-RELEASE-RP' })
  await released.peer.receivePdu()
  await released.peer.receiveClose()
  t.is(released.transitions.at(-1), 'Sta13 Evt18 AA-2 Sta1')
})

test.serial('Sta13: data that keeps coming is read and dropped, and does not put off ARTIM', async (t) => {
  const side = await acceptorIn('Sta6', { acseTimeoutMs: 200 })
  const { dul, peer, transitions } = side
  dul.issue({ type: 'A-ABORT', source: 0, reason: 0 })
  t.deepEqual(await peer.receiveRawPdu(), ABORT_BY_USER)
  while (!peer.isClosed) {
    await peer.send(P_DATA_BYTES)
    await turn()
  }
  await peer.receiveClose()
  t.deepEqual(await dul.receive(2_000), { type: 'CLOSED' })
  t.true(transitions.includes('Sta13 Evt10 AA-6 Sta13'))
  t.is(transitions.at(-1), 'Sta13 Evt18 AA-2 Sta1')
})

for (const [role, state, message] of [
  ['acceptor', 'Sta3', 'No handler answered the association request in time'],
  ['acceptor', 'Sta7', 'The peer did not answer the release request in time'],
  ['acceptor', 'Sta8', 'The operations did not end in time after a release request'],
  ['acceptor', 'Sta10', 'The peer did not answer the release request in time'],
  ['acceptor', 'Sta12', 'The release was not answered in time'],
  ['requestor', 'Sta5', 'The peer did not answer the association request in time'],
  ['requestor', 'Sta9', 'The release was not answered in time'],
  ['requestor', 'Sta11', 'The peer did not answer the release request in time'],
] as const) {
  test.serial(`${role}: in ${state}, which ARTIM does not cover, the wait has an end`, async (t) => {
    const side = await (role === 'acceptor' ? acceptorIn : requestorIn)(state, { acseTimeoutMs: 150 })
    t.deepEqual(await side.peer.receiveRawPdu(), abortByProvider('00'))
    t.like(await receive(side, 'ABORT'), { source: 2, reason: 0, by: 'local', message })
    t.is(side.transitions.at(-1), `${state} Evt15 AA-1 Sta13`)
    side.peer.destroy()
  })
}

test.serial('a connection that does not open in time is given up', async (t) => {
  const { dul, socket, transitions } = requestor({ connectionTimeoutMs: 20 })
  const closed = once(socket, 'close')
  t.like(await dul.receive(2_000), { type: 'ABORT', source: undefined, by: 'network', message: 'The connection was not established in time' })
  await closed
  t.is(transitions.at(-1), 'Sta4 Evt15 AA-2 Sta1')
})

test.serial('a PDU that stops half way is aborted after the network time-out', async (t) => {
  for (const cut of [1, 5, 6, 9, 11, 12, 13]) {
    const side = await acceptorIn('Sta6', { networkTimeoutMs: 100 })
    await side.peer.send(P_DATA_BYTES.subarray(0, cut))
    t.deepEqual(await side.peer.receiveRawPdu(), abortByProvider('00'), `${cut} bytes`)
    const abort = await side.dul.receive(2_000)
    const indication = abort.type === 'P-DATA' ? await side.dul.receive(2_000) : abort
    t.like(indication, { type: 'ABORT', by: 'local', message: 'The peer stopped in the middle of a PDU' })
    side.peer.destroy()
  }
})

test.serial('bytes in either direction put off the network time-out', async (t) => {
  const side = await acceptorIn('Sta6', { networkTimeoutMs: 2_000 })
  const { dul, peer, transitions } = side
  for (let i = 0; i < 8; i++) {
    await new Promise((resolve) => setTimeout(resolve, 300))
    if (i % 2 === 0) {
      await peer.send(P_DATA_BYTES)
      await receive(side, 'P-DATA')
    } else {
      await dul.send(P_DATA)
      await peer.receivePdu()
    }
  }
  t.is(dul.state, 'Sta6', transitions.at(-1))
  t.deepEqual(await peer.receiveRawPdu(), abortByProvider('00'), 'silence at last')
  t.like(await receive(side, 'ABORT'), { message: 'The association was idle for too long' })
  peer.destroy()
})

test.serial('a user that is busy is asked, and keeps an idle association alive', async (t) => {
  const user = recordingUser()
  const silences: boolean[] = []
  const asked = new Promise<void>((resolve) => {
    user.silenceIndication = (isMidPdu) => {
      silences.push(isMidPdu)
      if (silences.length === 3) resolve()
      return false
    }
  })
  const { dul, peer } = await establishedWith(user, { networkTimeoutMs: 10 })
  await asked
  t.deepEqual(silences, [false, false, false])
  t.is(dul.state, 'Sta6')
  t.is(peer.unreadBytes, 0)
  await dul.kill()
})

test.serial('a peer that reads nothing is cut, because an abort would not reach it', async (t) => {
  const side = await acceptorIn('Sta6', { networkTimeoutMs: 150, socketOptions: { bufferBytes: 1_000 } })
  side.peer.pause()
  const stuck = side.dul.send({ type: 'P-DATA', pdus: endlessPdus() })
  t.like(await receive(side, 'ABORT'), { by: 'network' })
  t.deepEqual(await side.dul.receive(2_000), { type: 'CLOSED' })
  await t.throwsAsync(stuck, { code: 'DICOMTAP_ERR_DUL_STATE' })
  t.true(side.socket.destroyed)
})

test.serial('null time-outs start no timers', async (t) => {
  const side = await acceptorIn('Sta3')
  t.false(side.dul.artim.isRunning)
  const states = side.transitions.length
  await new Promise((resolve) => setTimeout(resolve, 30))
  t.is(side.transitions.length, states)
})

// ── send ────────────────────────────────────────────────────────────────────────────────────────────────

function* endlessPdus(drawn?: { count: number }): Generator<PDataTf, void, undefined> {
  for (;;) {
    if (drawn !== undefined) drawn.count += 1
    yield { type: 'P-DATA-TF', pdvs: [{ presentationContextId: 1, isCommand: false, isLast: false, data: Buffer.alloc(1_000) }] }
  }
}

test('a peer that reads slowly is not cut while anything leaves, one that stops is, with the reason', async (t) => {
  const side = await acceptorIn('Sta6', { networkTimeoutMs: 150, socketOptions: { bufferBytes: 1_000 } })
  const { dul, peer, socket } = side
  peer.pause()
  // What Node counts as one write; the handle of a connection knows how much of it has left.
  let queuedBytes = 100_000
  let asked = 0
  Object.assign(socket, {
    _handle: {
      get writeQueueSize() {
        asked += 1
        if (asked < 5) queuedBytes -= 2_000
        return queuedBytes
      },
    },
  })
  dul.sendPData(Buffer.concat([bytes('04 00 00 01 86 a0'), Buffer.alloc(100_000)]))
  const { by, message } = await receive(side, 'ABORT')
  t.deepEqual([by, message], ['network', 'The peer does not read what is sent to it'])
  t.true(asked >= 5)
})

test('P-DATA is drawn from its generator as the socket takes it, never ahead', async (t) => {
  const side = await acceptorIn('Sta6', { socketOptions: { bufferBytes: 4_000 } })
  const { dul, peer } = side
  const drawn = { count: 0 }
  peer.pause()
  const limited = (function* () {
    for (const pdu of endlessPdus(drawn)) {
      yield pdu
      if (drawn.count === 100) return
    }
  })()
  const sent = dul.send({ type: 'P-DATA', pdus: limited })
  await turnsUntil(() => drawn.count === 100)
  t.true(drawn.count >= 4 && drawn.count < 20, `${drawn.count} of 100 drawn while the peer does not read`)
  t.false(dul.isWritable)
  peer.resume()
  await sent
  t.is(drawn.count, 100)
  for (let i = 0; i < 100; i++) t.is((await peer.receiveRawPdu()).length, 12 + 1_000)
})

test('an asynchronous generator works as well, and what it throws reaches the caller', async (t) => {
  const side = await acceptorIn('Sta6')
  async function* failing(): AsyncGenerator<PDataTf, void, undefined> {
    yield P_DATA
    await turn()
    throw new RangeError('no more')
  }
  await t.throwsAsync(side.dul.send({ type: 'P-DATA', pdus: failing() }), { instanceOf: RangeError })
  t.deepEqual(await side.peer.receiveRawPdu(), P_DATA_BYTES)
  t.is(side.dul.state, 'Sta6')
})

test('a generator is ended when the connection goes away', async (t) => {
  const side = await acceptorIn('Sta6', { socketOptions: { bufferBytes: 1_000 } })
  let isEnded = false
  const pdus = (function* () {
    try {
      yield* endlessPdus()
    } finally {
      isEnded = true
    }
  })()
  side.peer.pause()
  const sent = side.dul.send({ type: 'P-DATA', pdus })
  await turn()
  side.peer.destroy()
  await t.throwsAsync(sent, { code: 'DICOMTAP_ERR_DUL_STATE' })
  t.true(isEnded)
})

test('a P-DATA-TF with several PDVs is one PDU on the wire', async (t) => {
  const side = await acceptorIn('Sta6')
  await side.dul.send({ type: 'P-DATA-TF', pdvs: [...P_DATA.pdvs, ...P_DATA.pdvs] })
  t.deepEqual(
    await side.peer.receiveRawPdu(),
    bytes('04 00 00 00 00 10', '00 00 00 04 01 03 ca fe', '00 00 00 04 01 03 ca fe'),
  )
})

// ── receive ─────────────────────────────────────────────────────────────────────────────────────────────

test('receive waits no longer than told, and loses nothing', async (t) => {
  const side = await acceptorIn('Sta6')
  await t.throwsAsync(side.dul.receive(5), { code: 'DICOMTAP_ERR_DUL_TIMEOUT', message: /5 ms/ })
  const waiting = [side.dul.receive(), side.dul.receive(2_000)]
  await side.peer.send(P_DATA_BYTES, RELEASE_RQ)
  t.deepEqual((await Promise.all(waiting)).map(({ type }) => type), ['P-DATA', 'A-RELEASE'])
})

test('receive is for providers without a user', async (t) => {
  const { dul } = await establishedWith(recordingUser())
  await t.throwsAsync(dul.receive(1), { code: 'DICOMTAP_ERR_DUL_STATE' })
  await dul.kill()
})

test('pieces of a PDV come as they arrive, and the last of the message is marked once', async (t) => {
  const side = await acceptorIn('Sta6')
  for (const byte of P_DATA_BYTES) {
    await side.peer.send(Uint8Array.of(byte))
    await turn()
  }
  const first = await receive(side, 'P-DATA')
  const second = await receive(side, 'P-DATA')
  t.deepEqual([first.data.toString('hex'), first.isLast], ['ca', false])
  t.deepEqual([second.data.toString('hex'), second.isLast], ['fe', true])
})

test('what nobody receives pauses the socket, and receiving goes on where it stopped', async (t) => {
  const side = await acceptorIn('Sta6', { maximumPduBytes: 0 })
  const total = 64
  let sent = 0
  const sending = (async () => {
    for (; sent < total; sent++) {
      const data = Buffer.alloc(65_000, sent)
      await side.peer.sendPdu({ type: 'P-DATA-TF', pdvs: [{ presentationContextId: 1, isCommand: false, isLast: true, data }] })
    }
  })()
  await turnsUntil(() => sent === total)
  t.true(sent < 24, `${sent} of ${total} PDUs of 65 000 bytes taken while nobody receives`)
  for (let index = 0; index < total; ) {
    const { data, isLast } = await receive(side, 'P-DATA')
    t.is(data[0], index)
    if (isLast) index += 1
  }
  await sending
})

// ── stop and kill ───────────────────────────────────────────────────────────────────────────────────────

test('stop takes effect in Sta1 alone', async (t) => {
  const idle = new DulServiceProvider({ connect: () => memorySocket()[0] })
  t.true(idle.stop())
  for (const state of ['Sta2', 'Sta6', 'Sta13']) {
    const side = await acceptorIn(state)
    t.false(side.dul.stop(), state)
    t.is(side.dul.state as string, state)
    side.peer.destroy()
    while ((await side.dul.receive(2_000)).type !== 'CLOSED');
    t.true(side.dul.stop())
  }
})

test('kill cuts the connection in any state, without an abort', async (t) => {
  const sides = [
    ...(await Promise.all(['Sta2', 'Sta3', 'Sta6', 'Sta7', 'Sta8', 'Sta10', 'Sta12', 'Sta13'].map((state) => acceptorIn(state)))),
    ...(await Promise.all(['Sta5', 'Sta9', 'Sta11'].map((state) => requestorIn(state)))),
  ]
  for (const { dul, peer } of sides) {
    await Promise.all([dul.kill(), dul.kill()])
    t.is(dul.state, 'Sta1')
    t.true(dul.isKilled)
    await peer.receiveClose()
  }
})

test('kill while the connection is being made', async (t) => {
  const { dul, socket } = requestor()
  await dul.kill()
  t.true(socket.destroyed)
  t.is(dul.state, 'Sta1')
})

test('kill ends a receive that waits, and every later one once the queue is empty', async (t) => {
  const side = await acceptorIn('Sta6')
  const waiting = side.dul.receive()
  await side.dul.kill()
  t.like(await waiting, { type: 'ABORT', by: 'network' })
  t.deepEqual(await side.dul.receive(), { type: 'CLOSED' })
  await t.throwsAsync(side.dul.receive(), { code: 'DICOMTAP_ERR_DUL_KILLED' })
})

test('a provider that was killed while somebody waits for more rejects', async (t) => {
  const side = acceptor()
  const waiting = [side.dul.receive(), side.dul.receive()]
  const rejected = Promise.all(waiting.map((promise) => t.throwsAsync(promise, { code: 'DICOMTAP_ERR_DUL_KILLED' })))
  await side.dul.kill()
  await rejected
})

// ── with a user: calls in order, whatever it does inside them ───────────────────────────────────────────

interface RecordingUser extends DulUser {
  readonly calls: string[]
  readonly aborts: AbortIndication[]
}

function recordingUser(): RecordingUser {
  const calls: string[] = []
  const aborts: AbortIndication[] = []
  const record = (name: string) => () => {
    calls.push(name)
  }
  return {
    calls,
    aborts,
    associateIndication: record('associate'),
    refusalIndication: record('refusal'),
    refusedIndication: record('refused'),
    associateConfirmation: record('confirm'),
    associateRejection: record('reject'),
    pDataIndication: (_id, _isCommand, _isLast, fragment) => {
      calls.push(`p-data ${fragment.length}`)
    },
    readIndication: () => {},
    releaseIndication: record('release'),
    releaseConfirmation: record('released'),
    abortIndication: (abort) => {
      calls.push(`abort ${abort.by}`)
      aborts.push(abort)
    },
    silenceIndication: () => true,
    closedIndication: record('closed'),
  }
}

async function establishedWith(user: DulUser, options: SideOptions = {}): Promise<DulSide> {
  const side = acceptor({ ...options, user })
  await side.peer.sendPdu(REQUEST)
  await turnsUntil(() => side.dul.state === 'Sta3')
  if (side.dul.state !== 'Sta3') return side
  side.dul.issue(ACCEPT)
  await side.peer.receivePdu()
  return side
}

test('after an abort in the middle of a P-DATA-TF its rest is not handed over', async (t) => {
  const user = recordingUser()
  const { dul, peer } = await establishedWith(user)
  await peer.send(P_DATA_BYTES.subarray(0, 13))
  await turnsUntil(() => user.calls.includes('p-data 1'))
  dul.issue({ type: 'A-ABORT', source: 0, reason: 0 })
  await peer.send(P_DATA_BYTES.subarray(13), P_DATA_BYTES)
  t.deepEqual(await peer.receiveRawPdu(), ABORT_BY_USER)
  await peer.close()
  await turnsUntil(() => user.calls.includes('closed'))
  t.deepEqual(user.calls, ['associate', 'p-data 1', 'closed'])
})

test('a user that aborts inside an indication gets no more of the same chunk', async (t) => {
  const user = recordingUser()
  const { dul, peer } = await establishedWith(user)
  user.pDataIndication = () => {
    user.calls.push('p-data')
    dul.issue({ type: 'A-ABORT', source: 0, reason: 0 })
  }
  await peer.send(P_DATA_BYTES, P_DATA_BYTES, RELEASE_RQ)
  t.deepEqual(await peer.receiveRawPdu(), ABORT_BY_USER)
  await peer.close()
  await turnsUntil(() => user.calls.includes('closed'))
  t.deepEqual(user.calls, ['associate', 'p-data', 'closed'])
})

test('protocolError answers as to an invalid PDU, and the rest of the stream is ignored', async (t) => {
  const user = recordingUser()
  const { dul, peer, transitions } = await establishedWith(user)
  user.pDataIndication = () => {
    dul.protocolError(6, 'not what was negotiated')
  }
  await peer.send(P_DATA_BYTES, P_DATA_BYTES, RELEASE_RQ)
  t.deepEqual(await peer.receiveRawPdu(), abortByProvider('06'))
  t.like(user.aborts[0], { source: 2, reason: 6, by: 'local', message: 'not what was negotiated' })
  t.is(transitions.at(-1), 'Sta6 Evt19 AA-8 Sta13')
  await peer.close()
})

test('an abort inside a notification goes out alone: the PDU that was about to be sent does not follow it', async (t) => {
  const user = recordingUser()
  const side: DulSide = acceptor({
    user,
    observer: {
      stateChanged: (_current, _event, action) => {
        if (action === 'AE-7') side.dul.issue({ type: 'A-ABORT', source: 0, reason: 0 })
      },
    },
  })
  await side.peer.sendPdu(REQUEST)
  await turnsUntil(() => side.dul.state === 'Sta3')
  side.dul.issue(ACCEPT)
  t.deepEqual(await side.peer.receiveRawPdu(), ABORT_BY_USER)
  await side.peer.close()
  await turnsUntil(() => user.calls.includes('closed'))
  t.is(side.peer.unreadBytes, 0)
  t.deepEqual(user.calls, ['associate', 'closed'])
})

test('a peer that closes its side and never reads is cut all the same', async (t) => {
  const side = await acceptorIn('Sta6', { socketOptions: { bufferBytes: 1_000 } })
  side.peer.pause()
  const stuck = side.dul.send({ type: 'P-DATA', pdus: endlessPdus() })
  await turn()
  const closed = once(side.socket, 'close')
  side.peer.end()
  await t.throwsAsync(stuck, { code: 'DICOMTAP_ERR_DUL_STATE' })
  await closed
  t.true(side.socket.destroyed)
})

test('what was sent before the peer closes its side still leaves', async (t) => {
  const side = await acceptorIn('Sta8')
  side.peer.pause()
  side.dul.issue({ type: 'A-RELEASE-RP' })
  side.peer.end()
  await turnsUntil(() => side.dul.state === 'Sta1')
  side.peer.resume()
  t.deepEqual(await side.peer.receiveRawPdu(), RELEASE_RP)
})

test('the largest PDUs accepted are those announced', async (t) => {
  const side = acceptor({ maximumPduBytes: 100, maximumAssociatePduBytes: 2_000 })
  await side.peer.send(bytes('01 00 00 00 07 d1')) // 2001 bytes
  t.deepEqual(await side.peer.receiveRawPdu(), ABORT_BY_USER)
  side.peer.destroy()
  const data = await acceptorIn('Sta6', { maximumPduBytes: 100 })
  await data.peer.send(bytes('04 00 00 00 00 65')) // 101 bytes
  t.deepEqual(await data.peer.receiveRawPdu(), abortByProvider('06'))
  data.peer.destroy()
})

test('errors of the provider carry their code and the primitive', (t) => {
  const dul = new DulServiceProvider({ connect: () => memorySocket()[0], acseTimeoutMs: null, networkTimeoutMs: null })
  const error = t.throws(() => dul.issue({ type: 'A-RELEASE-RQ' }))
  t.true(code('DICOMTAP_ERR_DUL_STATE')(error))
  t.is(error?.message, 'A-RELEASE-RQ cannot be issued in Sta1')
})

// ── deadlines ───────────────────────────────────────────────────────────────────────────────────────────

test('deadlines of one length expire in the order in which they were started, and none that was stopped', async (t) => {
  const expired: string[] = []
  await new Promise<void>((resolve) => {
    const named = (name: string, then = (): void => {}): Deadline => new Deadline(() => (expired.push(name), then()))
    const stopped = named('stopped')
    const again: Deadline = named('again', () => {
      if (expired.length < 6) again.start(5)
      else resolve()
    })
    const stopping = named('stopping', () => stopped.stop())
    const deadlines = [named('anew'), named('second'), again, stopping, stopped]
    for (const deadline of deadlines) deadline.start(5)
    deadlines[0]!.start(5)
    t.true(deadlines.every(({ isRunning }) => isRunning))
  })
  t.deepEqual(expired, ['second', 'again', 'stopping', 'anew', 'again', 'again'])
})

test('a deadline that is started from within one that expires has its whole time, and keeps none that waits', async (t) => {
  const expired: string[] = []
  const within = new Deadline(() => expired.push('within'))
  await new Promise<void>((resolve) => {
    const second = new Deadline(() => {
      expired.push('second')
      t.true(within.isRunning)
      within.stop()
      resolve()
    })
    const first = new Deadline(() => {
      expired.push('first')
      within.start(30)
      t.false(first.isRunning)
    })
    first.start(30)
    // Some milliseconds behind it in the same line.
    setTimeout(() => second.start(30), 10)
  })
  t.deepEqual(expired, ['first', 'second'])
})
