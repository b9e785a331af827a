import test from 'ava'
import type { ExecutionContext } from 'ava'
import type { Association } from '../../dist/association/association.js'
import type { HookName } from '../../dist/hooks/types.js'
import { decodePdu } from '../../dist/pdu/decode.js'
import { associateRequest, createTestServer, hookRecorder, testScu } from '../../dist/testing/index.js'
import type { ScriptedPeer, TestServer } from '../../dist/testing/index.js'
import { connected, turnsUntil } from '../support/connections.ts'
import { CT_IMAGE, IMPLICIT_LE, STUDY_ROOT_FIND, VERIFICATION } from '../support/uids.ts'

// What a plugin may do to an association it may do from inside any hook. Whatever is going on around it,
// the association ends once, is said to have ended once, nothing follows its A-ABORT, nothing is left.

const CONTEXTS = [VERIFICATION, CT_IMAGE, STUDY_ROOT_FIND].map((abstractSyntax) => ({ abstractSyntax, transferSyntaxes: [IMPLICIT_LE] }))

const ECHO = { commandField: 0x0030, messageId: 1, affectedSopClassUid: VERIFICATION, commandDataSetType: 0x0101 }
const STORE = {
  commandField: 0x0001,
  messageId: 2,
  affectedSopClassUid: CT_IMAGE,
  affectedSopInstanceUid: '1.2.3',
  priority: 0,
  commandDataSetType: 1,
}
const FIND = { commandField: 0x0020, messageId: 3, affectedSopClassUid: STUDY_ROOT_FIND, priority: 0, commandDataSetType: 1 }

/** A whole association: request, echo, store, find, release. Stops where the other side ends it. */
async function wholeAssociation(peer: ScriptedPeer): Promise<void> {
  await peer.sendPdu(associateRequest({ contexts: [[VERIFICATION], [CT_IMAGE], [STUDY_ROOT_FIND]] }))
  if (!(await arrives(peer, 1))) return
  await peer.sendMessage(1, ECHO)
  if (!(await arrives(peer, 2))) return
  await peer.sendMessage(3, STORE, Buffer.alloc(40_000))
  if (!(await arrives(peer, 3))) return
  await peer.sendMessage(5, FIND, new Uint8Array(0))
  if (!(await arrives(peer, 6))) return
  await peer.sendPdu({ type: 'A-RELEASE-RQ' })
}

/** PDUs that arrived so far, without taking them. */
const seen = new WeakMap<ScriptedPeer, string[]>()

function watch(peer: ScriptedPeer): void {
  const types: string[] = []
  seen.set(peer, types)
  let bytes = Buffer.alloc(0)
  peer.socket.on('data', (chunk: Buffer) => {
    bytes = Buffer.concat([bytes, chunk])
    while (bytes.length >= 6 && bytes.length >= 6 + bytes.readUInt32BE(2)) {
      const end = 6 + bytes.readUInt32BE(2)
      types.push(decodePdu(bytes.readUInt8(0), bytes.subarray(6, end)).type)
      bytes = bytes.subarray(end)
    }
  })
}

async function arrives(peer: ScriptedPeer, count: number): Promise<boolean> {
  const types = seen.get(peer)!
  await turnsUntil(() => types.length >= count || types.includes('A-ABORT') || types.includes('A-ASSOCIATE-RJ') || peer.isClosed)
  return types.length >= count && !types.includes('A-ABORT') && !types.includes('A-ASSOCIATE-RJ') && !peer.isClosed
}

async function* twoMatches(): AsyncGenerator<Uint8Array, void, undefined> {
  yield new Uint8Array(0)
  yield new Uint8Array(0)
}

function associationOf(args: readonly unknown[]): Association | undefined {
  for (const argument of args) {
    const { association, operation } = argument as { association?: Association; operation?: { association: Association } }
    const found = association ?? operation?.association
    if (found !== undefined) return found
  }
  return undefined
}

/** Every place where a handler gets an association, and which of its calls acts: the first, second ... */
const PLACES: readonly (readonly [HookName, number])[] = [
  ['connectionOpened', 1],
  ...Array.from({ length: 14 }, (_, index) => ['stateChanged', index + 1] as const),
  ['dataReceived', 1],
  ['dataReceived', 2],
  ['dataReceived', 4],
  ['dataSent', 1],
  ['dataSent', 2],
  ['pduReceived', 1],
  ['pduReceived', 2],
  ['pduReceived', 3],
  ['pduReceived', 7],
  ['pduSent', 1],
  ['pduSent', 2],
  ['pduSent', 4],
  ['acseReceived', 1],
  ['acseReceived', 2],
  ['acseSent', 1],
  ['acseSent', 2],
  ['dimseReceived', 1],
  ['dimseReceived', 2],
  ['dimseReceived', 3],
  ['dimseSent', 1],
  ['dimseSent', 2],
  ['dimseSent', 3],
  ['associationRequested', 1],
  ['associationAccepted', 1],
  ['associationEstablished', 1],
  ['associationReleased', 1],
  ['associationRequest', 1],
  ['acceptedContexts', 1],
  ['operationStarted', 1],
  ['operationStarted', 2],
  ['operationCompleted', 1],
  ['operationCompleted', 2],
  ['cEcho', 1],
  ['cStore', 1],
  ['cFind', 1],
  ['findMatch', 1],
  ['findMatch', 2],
  ['responseStatus', 1],
  ['responseStatus', 2],
  ['responseStatus', 3],
  ['connectionClosed', 1],
]

const ACTS: Readonly<Record<string, (association: Association) => unknown>> = {
  abort: (association) => association.abort('the test says so'),
  'abort twice': (association) => {
    association.abort('the test says so')
    association.abort('and again')
  },
  kill: (association) => association.kill(),
  release: (association) => association.release(),
}

async function run(t: ExecutionContext, [hook, call]: readonly [HookName, number], act: string): Promise<void> {
  const name = `${act} in ${hook} ${call}`
  await using server: TestServer = await createTestServer({
    contexts: CONTEXTS,
    timeouts: { acseMs: 2_000 },
    handlers: {
      cStore: async (request) => {
        for await (const piece of request.dataSet.bytes()) void piece
        return 0
      },
      cFind: () => twoMatches(),
    },
  })
  using recorder = hookRecorder(server.server)
  let calls = 0
  let associations = 0
  let first: Association | undefined
  server.ae.bind('connectionOpened', ({ association }) => {
    associations += 1
    first ??= association
  })
  const handler = (...args: unknown[]): undefined => {
    const association = associationOf(args)
    if (association === undefined || associations > 1) return undefined
    calls += 1
    if (calls === call) void ACTS[act]!(association)
    return undefined
  }
  // Before the handlers of the AE, which answer.
  server.server.bind(hook, handler as never)

  const peer = connected(server)
  watch(peer)
  await wholeAssociation(peer)
  const types = seen.get(peer)!
  // What a peer does when it is told of an end: confirms it by closing.
  await turnsUntil(() => ['A-ABORT', 'A-RELEASE-RP', 'A-RELEASE-RQ'].includes(types.at(-1) ?? '') || peer.isClosed)
  if (types.at(-1) === 'A-RELEASE-RQ') await peer.sendPdu({ type: 'A-RELEASE-RP' })
  await turnsUntil(() => ['A-ABORT', 'A-RELEASE-RP'].includes(types.at(-1) ?? '') || peer.isClosed)
  await peer.close()
  await first!.closed
  await turnsUntil(() => server.ae.activeAssociations.length === 0)

  t.true(calls >= call, `${name}: the hook fired`)
  const events = recorder.events.filter(({ associationId }) => associationId === first!.id).map((event) => event.hook)
  const ends = events.filter((event) => event === 'associationAborted' || event === 'associationReleased')
  t.true(!types.includes('A-ABORT') || types.indexOf('A-ABORT') === types.length - 1, `${name}: after A-ABORT ${types.join()}`)
  t.true(types.filter((type) => type === 'A-ASSOCIATE-AC').length <= 1, name)
  // A connection that is cut before it is an association is closed, and nothing else.
  const isEnded = act !== 'kill' || events.includes('associationRequested')
  t.is(ends.length, isEnded ? 1 : 0, `${name}: ${events.join()}`)
  if (act.startsWith('abort') && !['associationReleased', 'connectionClosed'].includes(hook) && ends[0] === 'associationAborted') {
    t.like(recorder.of('associationAborted')[0], { by: 'local', source: 0, message: 'the test says so' }, name)
  }
  t.is(events.filter((event) => event !== 'operationCompleted').at(-1), 'connectionClosed', name)
  t.is(events.filter((event) => event === 'connectionClosed').length, 1, name)
  const endIndex = isEnded ? events.indexOf(ends[0]!) : events.indexOf('connectionClosed')
  for (const late of ['associationRequested', 'associationAccepted', 'associationEstablished', 'operationStarted'] as const) {
    t.true(events.lastIndexOf(late) < endIndex, `${name}: ${late} after the end: ${events.join()}`)
  }
  t.is(events.filter((event) => event === 'operationStarted').length, events.filter((event) => event === 'operationCompleted').length, name)
  t.true((isEnded ? ['aborted', 'released'] : ['closed']).includes(first!.state), `${name}: ${first!.state}`)
  t.deepEqual(server.ae.activeAssociations, [], name)
  t.deepEqual(server.logged('error'), [], name)

  // Others are served as ever.
  await using scu = await testScu(server, { contexts: [[VERIFICATION]] })
  t.is((await scu.echo()).status, 0, name)
}

for (const act of Object.keys(ACTS)) {
  test(`${act} from inside every hook`, async (t) => {
    for (const place of PLACES) await run(t, place, act)
  })
}
