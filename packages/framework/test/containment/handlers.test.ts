import { once } from 'node:events'
import { connect } from 'node:net'
import test from 'ava'
import type { ExecutionContext } from 'ava'
import { ApplicationEntity, decodeDataSet, DicomtapError, HOOK_CATALOG, HOOK_NAMES, parseConfig } from '@dicomtap/framework'
import type { HookName, LogRecord } from '@dicomtap/framework'
import { associateRequest, createTestServer, memorySocket, ScriptedPeer, scriptedListener } from '@dicomtap/framework/testing'
import type { AssociateRequestOptions, TestServer, TestServerOptions } from '@dicomtap/framework/testing'
import { connected } from '../support/connections.ts'
import { IDENTIFIER, PROPOSED, requestOf, REQUESTS, SUPPORTED } from '../support/requests.ts'
import { FAILURES, NEVER, NEVER_THENABLE, NONSENSE, rogue, STATUS_ERROR, THENABLES, UNREADABLE_STATUS } from '../support/rogue.ts'
import type { Misbehaviour, Rogue } from '../support/rogue.ts'
import { CT_IMAGE, IMPLICIT_LE, VERIFICATION } from '../support/uids.ts'

// Every hook with handlers that do everything wrong: what the peer or the caller gets, that the server lives on, and
// that the log names the plugin and the hook.

/** What is seen of a misbehaviour from outside, in a few characters. */
interface Case {
  readonly fails: string
  readonly wrong: string
  readonly late: string
  readonly drive: (bench: Bench) => Promise<string>
  readonly options?: TestServerOptions
  /** Its failure reaches the caller, who logs it or not. */
  readonly isThrown?: true
  readonly except?: readonly string[]
}

interface Bench {
  readonly t: ExecutionContext
  readonly hook: HookName
  readonly server: TestServer
  readonly rogue: Rogue
  /** Established before anything went wrong. */
  readonly peer: ScriptedPeer
}

type Asked = Exclude<HookName, (typeof NOTIFICATIONS)[number]>

const NOTIFICATIONS = [
  'connectionOpened', 'connectionClosed', 'dataReceived', 'dataSent', 'pduReceived', 'pduSent', 'acseReceived', 'acseSent',
  'dimseReceived', 'dimseSent', 'stateChanged', 'associationRequested', 'associationAccepted', 'associationEstablished',
  'associationRejected', 'associationReleased', 'associationAborted', 'operationStarted', 'operationCancelled',
  'operationCompleted', 'subOperationCompleted', 'hookFailed',
] as const satisfies readonly HookName[]

/** For handlers that never answer; the others have time, however busy the machine is. */
const LIMIT_MS = 300
const SHORT = { handlerMs: LIMIT_MS, acseMs: LIMIT_MS, lifecycleMs: LIMIT_MS }
const COMMENTS = [undefined, 'Processing failure', 'The handler took too long', 'Move destination unknown', 'Cannot associate with the move destination']

const hex = (status: number | undefined): string => (status ?? -1).toString(16).padStart(4, '0')

/** One request of the service; its status, when nothing in the response tells of the inside. */
async function performed({ t, peer }: Bench, hook: HookName): Promise<string> {
  const request = REQUESTS.find((sample) => sample.hook === hook)!
  await peer.sendMessage(request.contextId, request.command, request.dataSet)
  const { command } = await peer.receiveMessage()
  t.true(COMMENTS.includes(command.errorComment), `${command.errorComment} is told to the peer`)
  return hex(command.status)
}

const service = (hook: HookName, fails: string): Case => ({
  fails,
  wrong: hook.startsWith('c') ? 'c002' : '0110',
  late: '0110',
  drive: (bench) => performed(bench, hook),
})

const ITEMS = [
  { type: 0x53, maximumNumberOperationsInvoked: 2, maximumNumberOperationsPerformed: 2 },
  { type: 0x54, sopClassUid: CT_IMAGE, scuRole: true, scpRole: true },
  { type: 0x56, sopClassUid: CT_IMAGE, serviceClassApplicationInformation: Buffer.of(1) },
  { type: 0x57, subItemVersion: 0, sopClassUid: CT_IMAGE, serviceClassUid: '1.2.840.10008.4.2', relatedGeneralSopClassUids: [] },
  { type: 0x58, userIdentityType: 1, positiveResponseRequested: true, primaryField: Buffer.from('u'), secondaryField: Buffer.alloc(0) },
] as const

/** A connection that brings its request with it: no timer runs before it is read. */
async function arriving({ server }: TestServer, options: AssociateRequestOptions): Promise<ScriptedPeer> {
  const [client, socket] = memorySocket()
  const peer = new ScriptedPeer(client)
  await peer.sendPdu(associateRequest(options))
  server.inject(socket)
  return peer
}

/** Requests an association with everything that there is to negotiate. */
async function requested({ server, hook }: Bench): Promise<string> {
  const everything = { contexts: PROPOSED, userInformation: ITEMS }
  let peer: ScriptedPeer
  if (hook === 'incomingConnection') {
    const socket = connect(server.port, '127.0.0.1')
    await once(socket, 'connect')
    peer = new ScriptedPeer(socket)
    await peer.sendPdu(associateRequest(everything))
  } else {
    peer = await arriving(server, everything)
  }
  try {
    const answer = await peer.receivePdu()
    if (answer.type === 'A-ASSOCIATE-RJ') return `RJ ${answer.result},${answer.source},${answer.reason}`
    if (answer.type !== 'A-ASSOCIATE-AC') return answer.type === 'A-ABORT' ? `ABORT ${answer.source},${answer.reason}` : answer.type
    await peer.release()
    return 'AC'
  } catch {
    return 'cut'
  } finally {
    peer.destroy()
  }
}

const association = (fails: string, more: Partial<Case> = {}): Case => ({ fails, wrong: fails, late: 'ABORT 2,0', drive: requested, ...more })

/** Requests an association with somebody else. */
async function associated({ server: { ae }, hook }: Bench): Promise<string> {
  await using listener = await scriptedListener()
  const contexts = [{ abstractSyntax: VERIFICATION, transferSyntaxes: [IMPLICIT_LE] }]
  const associating = ae.associate({ host: '127.0.0.1', port: listener.port, contexts, timeouts: { acseMs: 5_000 } })
  if (hook === 'associationAnswer') void listener.accept().then((peer) => peer.acceptAssociation(), () => {})
  return await outcome(associating)
}

async function outcome(work: Promise<unknown>): Promise<string> {
  try {
    await work
    return 'done'
  } catch (error) {
    return error instanceof DicomtapError ? error.code.replace('DICOMTAP_ERR_', '') : 'an error of no code'
  }
}

const requestor: Case = { fails: 'HOOK_FAILED', wrong: 'HOOK_ANSWER', late: 'HOOK_TIMEOUT', drive: associated }

const lifecycle = (drive: Case['drive'], more: Partial<Case> = {}): Case => ({
  fails: 'HOOK_FAILED',
  // What they answer is nobody's concern.
  wrong: 'done',
  late: 'HOOK_TIMEOUT',
  isThrown: true,
  drive,
  ...more,
})

/** An AE of its own, with the same plugin: of starts there is one each. */
async function started({ rogue: { plugin }, server }: Bench): Promise<string> {
  const ae = new ApplicationEntity({ logLevel: 'silent', timeouts: server.ae.timeouts })
  await ae.use(plugin)
  const result = await outcome(ae.listen({ port: 0, host: '127.0.0.1' }))
  await ae.close({ deadlineMs: 0 })
  return result
}

/** An AE of its own, with the same plugin: nobody is connected to it. */
async function warmedUp({ rogue: { plugin }, server }: Bench): Promise<string> {
  await using ae = new ApplicationEntity({ logLevel: 'silent', timeouts: server.ae.timeouts })
  await ae.use(plugin)
  await ae.listen({ port: 0, host: '127.0.0.1' })
  const { error } = await ae.warmUp({ budgetMs: 1 })
  return error === undefined ? 'done' : 'not warm'
}

async function found({ server: { ae } }: Bench): Promise<string> {
  const findings = await ae.diagnose()
  return findings.length === 0 ? 'done' : `${findings[0]?.level} of ${findings[0]?.plugin}`
}

const query: Partial<TestServerOptions> = {
  handlers: {
    cFind: async function* (request) {
      yield await request.identifier.dataset()
    },
    cMove: () => ({ instances: [] }),
  },
}

const CASES: Readonly<Record<Asked, Case>> = {
  cEcho: service('cEcho', '0110'),
  cStore: service('cStore', 'c211'),
  // A list of anything is one of matches.
  cFind: { ...service('cFind', 'c311'), except: ['a list of nulls'] },
  cGet: service('cGet', 'c411'),
  cMove: service('cMove', 'c511'),
  nEventReport: service('nEventReport', '0110'),
  nGet: service('nGet', '0110'),
  nSet: service('nSet', '0110'),
  nAction: service('nAction', '0110'),
  nCreate: service('nCreate', '0110'),
  nDelete: service('nDelete', '0110'),
  moveDestination: { fails: 'c511', wrong: 'c002', late: '0110', drive: (bench) => performed(bench, 'cMove'), options: query },
  findIdentifier: {
    fails: 'c311', wrong: 'c311', late: '0110', drive: (bench) => performed(bench, 'cFind'), options: query,
    // Any object may be a data set; that no element can be read of it is seen when it is read.
    except: ['fields that cannot be read'],
  },
  findMatch: { fails: 'c311', wrong: 'c311', late: '0110', drive: (bench) => performed(bench, 'cFind'), options: query },
  responseStatus: { fails: '0000', wrong: '0000', late: '0000', drive: (bench) => performed(bench, 'cEcho') },
  incomingConnection: association('cut', { late: 'cut' }),
  associationRequest: association('RJ 2,1,1'),
  associationSettings: association('RJ 2,1,1'),
  userIdentity: association('RJ 2,2,1'),
  authorization: association('RJ 2,1,1'),
  asyncOperations: association('AC'),
  roleSelection: association('AC'),
  sopClassExtended: association('AC'),
  sopClassCommonExtended: association('AC'),
  acceptedContexts: association('RJ 2,1,1'),
  outgoingAssociation: requestor,
  outgoingConnection: requestor,
  associationAnswer: { ...requestor, fails: 'ACSE_ABORTED', wrong: 'ACSE_ABORTED', late: 'ACSE_ABORTED' },
  listenerOptions: { ...requestor, drive: ({ server: { ae } }) => outcome(ae.listen({ port: 0, host: '127.0.0.1' }).then((server) => server.close())), except: ['fields that cannot be read'] },
  configResolved: lifecycle(started),
  ready: lifecycle(started),
  listening: lifecycle(({ server: { ae } }) => outcome(ae.listen({ port: 0, host: '127.0.0.1' }).then((server) => server.close()))),
  configReload: lifecycle(({ server: { ae } }) => outcome(ae.reload(parseConfig({})))),
  warmUp: lifecycle(warmedUp, { fails: 'not warm', late: 'not warm' }),
  diagnose: lifecycle(found, { fails: 'error of rogue', late: 'error of rogue' }),
  preClose: lifecycle(
    async ({ rogue: { plugin } }) => {
      const server = await createTestServer({ plugins: [plugin] })
      const result = await outcome(server.ae.close({ deadlineMs: 0 }))
      // Of its own server nothing is left that could be asked.
      return server.log.some(({ level, fields }) => level === 'error' && fields['plugin'] === 'rogue' && fields['hook'] === 'preClose') ? `${result}, told` : result
    },
    { fails: 'done, told', late: 'done, told' },
  ),
}

function accused(log: readonly LogRecord[], hook: HookName): LogRecord[] {
  return log.filter(({ level, fields }) => level !== 'debug' && fields['plugin'] === 'rogue' && fields['hook'] === hook)
}

// The decoder is loaded with the first data set, which is not the handlers' time.
test.before(() => decodeDataSet(IDENTIFIER, IMPLICIT_LE))

/** Has the handler do one thing wrong after another, on one server. */
async function misbehave(t: ExecutionContext, hook: Asked, options: TestServerOptions, misbehaviours: readonly Misbehaviour[]): Promise<void> {
  const one = CASES[hook]
  const isSync = HOOK_CATALOG[hook].tapable.startsWith('Sync')
  const bad = rogue(hook)
  await using server = await createTestServer({ contexts: SUPPORTED, plugins: [bad.plugin], ...one.options, ...options })
  const peer = await arriving(server, { contexts: PROPOSED })
  t.is((await peer.receivePdu()).type, 'A-ASSOCIATE-AC')
  const bench = { t, hook, server, rogue: bad, peer }
  for (const misbehaviour of misbehaviours) {
    const { name, kind } = misbehaviour
    if (one.except?.some((part) => name.endsWith(part)) === true) continue
    const linesBefore = accused(server.log, hook).length
    bad.failed.length = 0
    bad.misbehaviour = misbehaviour
    const seen = await one.drive(bench)
    bad.misbehaviour = undefined
    t.is(seen, misbehaviour === UNREADABLE_STATUS ? 'c002' : one[kind], name)
    // A hook that does not wait says once that it got a promise. Whether a connection is ready is up to the peer, too.
    const isIgnored = isSync && (kind === 'late' || name.startsWith('resolves'))
    if (one.isThrown === true || isIgnored || (hook === 'incomingConnection' && kind === 'late')) continue
    const lines = accused(server.log, hook).slice(linesBefore)
    t.true(lines.length > 0, `${name}: the log names plugin and hook`)
    t.deepEqual(bad.failed.map((event) => [event.hook, event.plugin]), [[hook, 'rogue']], `${name}: hookFailed, once`)
    t.true(bad.failed[0]!.error.message.startsWith(`Handler of 'rogue' for the hook ${hook} `), name)
  }
  // Nothing of it stays: the association from before lives, and is all there is.
  const echo = requestOf('C-ECHO')
  await peer.sendMessage(echo.contextId, echo.command)
  t.is((await peer.receiveMessage()).command.status, 0)
  await peer.release()
  t.deepEqual(server.ae.activeAssociations, [])
}

for (const hook of Object.keys(CASES) as Asked[]) {
  test(`handlers of ${hook} that throw anything, or answer nonsense`, async (t) => {
    const isService = REQUESTS.some((request) => request.hook === hook)
    const isOfOperation = isService || HOOK_CATALOG[hook].arguments.some(({ type }) => type === 'Operation')
    const more = [...(isService ? [UNREADABLE_STATUS] : []), ...(isOfOperation ? [] : [STATUS_ERROR])]
    await misbehave(t, hook, {}, [...FAILURES, ...NONSENSE, ...THENABLES, ...more])
  })

  test(`handlers of ${hook} that never answer`, async (t) => {
    // What is given a second in any case is tried once.
    await misbehave(t, hook, { timeouts: SHORT }, hook === 'preClose' ? [NEVER] : [NEVER, NEVER_THENABLE])
  })
}

test('no hook is without a case', (t) => {
  t.deepEqual([...Object.keys(CASES), ...NOTIFICATIONS].sort(), HOOK_NAMES.toSorted())
  t.deepEqual(HOOK_NAMES.filter((hook) => HOOK_CATALOG[hook].kind === 'notification'), [...NOTIFICATIONS])
})

/** Fires every notification of an acceptor; what the peer saw. */
async function conversation(server: TestServer): Promise<string[]> {
  const seen: string[] = []
  const peer = connected(server)
  await peer.associate({ contexts: PROPOSED })
  const [echo, find, get] = [requestOf('C-ECHO'), requestOf('C-FIND'), requestOf('C-GET')]
  await peer.sendMessage(echo.contextId, echo.command)
  seen.push(hex((await peer.receiveMessage()).command.status))
  await peer.sendMessage(find.contextId, find.command, find.dataSet)
  seen.push(hex((await peer.receiveMessage()).command.status))
  await peer.sendMessage(find.contextId, { commandField: 0x0fff, messageIdBeingRespondedTo: find.command.messageId, commandDataSetType: 0x0101 })
  seen.push(hex((await peer.receiveMessage()).command.status))
  await peer.sendMessage(get.contextId, get.command, get.dataSet)
  seen.push(hex((await peer.receiveMessage()).command.status), hex((await peer.receiveMessage()).command.status))
  await peer.release()
  const refused = connected(server)
  seen.push((await refused.requestAssociation({ contexts: PROPOSED, callingAeTitle: 'UNWANTED' })).type)
  await refused.close()
  const aborting = connected(server)
  await aborting.associate({ contexts: PROPOSED })
  await aborting.sendPdu({ type: 'A-ABORT', source: 0, reason: 0 })
  await aborting.close()
  await Promise.all(server.ae.activeAssociations.map(({ closed }) => closed))
  return seen
}

test('notifications whose handlers do everything wrong change nothing', async (t) => {
  for (const misbehaviour of [undefined, ...FAILURES, ...NONSENSE, ...THENABLES, NEVER]) {
    const bad = rogue(...NOTIFICATIONS)
    await using server = await createTestServer({
      contexts: SUPPORTED,
      plugins: [bad.plugin],
      handlers: {
        associationRequest: ({ request }) => (request.callingAeTitle === 'UNWANTED' ? { result: 1, source: 1, reason: 3 } : undefined),
        cFind: async function* (_request, { signal }) {
          yield { PatientID: '1' }
          await new Promise((resolve) => signal.addEventListener('abort', resolve))
        },
        cGet: () => ({ instances: [{ sopClassUid: CT_IMAGE, sopInstanceUid: '1.2.3', transferSyntaxUid: IMPLICIT_LE, bytes: () => [] }] }),
      },
    })
    bad.misbehaviour = misbehaviour
    t.deepEqual(await conversation(server), ['0000', 'ff00', 'fe00', 'ff00', 'a702', 'A-ASSOCIATE-RJ'], misbehaviour?.name)
    bad.misbehaviour = undefined
    // What they answer is nobody's concern.
    if (misbehaviour?.kind !== 'fails') continue
    const lines = server.log.filter(({ level, fields }) => level === 'error' && fields['plugin'] === 'rogue')
    t.deepEqual([...new Set(lines.map(({ fields }) => String(fields['hook'])))].sort(), [...NOTIFICATIONS].sort(), misbehaviour.name)
  }
})
