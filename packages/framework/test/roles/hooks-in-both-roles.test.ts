import test from 'ava'
import type { ExecutionContext } from 'ava'
import { ApplicationEntity, HOOK_CATALOG, HOOK_NAMES, parseConfig } from '@dicomtap/framework'
import type { AssociateOptions, Association, DataSet, HookHandlers, HookName, RequestedContext } from '@dicomtap/framework'
import { deferred } from '../support/connections.ts'
import { SHAPES } from '../support/hook-shapes.ts'
import { CT_IMAGE, IMPLICIT_LE, MPPS, STORAGE_COMMITMENT, STUDY_ROOT_FIND, STUDY_ROOT_GET, STUDY_ROOT_MOVE, VERIFICATION } from '../support/uids.ts'

// Every hook of the catalog, seen on both sides of the same conversation: in each role that it is for, and in
// no other, with the arguments that its types say, about the association that is meant.

/** The roles of the associations that a hook fires for; `ae`: it is not about an association. */
const ROLES: Readonly<Record<HookName, 'both' | 'acceptor' | 'requestor' | 'ae'>> = {
  connectionOpened: 'both',
  connectionClosed: 'both',
  dataReceived: 'both',
  dataSent: 'both',
  pduReceived: 'both',
  pduSent: 'both',
  acseReceived: 'both',
  acseSent: 'both',
  dimseReceived: 'both',
  dimseSent: 'both',
  stateChanged: 'both',
  associationRequested: 'both',
  associationAccepted: 'both',
  associationEstablished: 'both',
  associationRejected: 'both',
  associationReleased: 'both',
  associationAborted: 'both',
  // Services are performed by who has the role of SCP, which is negotiated.
  operationStarted: 'both',
  operationCancelled: 'both',
  operationCompleted: 'both',
  subOperationCompleted: 'both',
  cEcho: 'both',
  cStore: 'both',
  cFind: 'both',
  cGet: 'both',
  cMove: 'both',
  moveDestination: 'both',
  nEventReport: 'both',
  nGet: 'both',
  nSet: 'both',
  nAction: 'both',
  nCreate: 'both',
  nDelete: 'both',
  findIdentifier: 'both',
  findMatch: 'both',
  responseStatus: 'both',
  associationRequest: 'acceptor',
  associationSettings: 'acceptor',
  userIdentity: 'acceptor',
  authorization: 'acceptor',
  asyncOperations: 'acceptor',
  roleSelection: 'acceptor',
  sopClassExtended: 'acceptor',
  sopClassCommonExtended: 'acceptor',
  acceptedContexts: 'acceptor',
  associationAnswer: 'requestor',
  // Asked before there is an association: of what has none here the AE is told.
  incomingConnection: 'ae',
  outgoingAssociation: 'ae',
  outgoingConnection: 'ae',
  listenerOptions: 'ae',
  hookFailed: 'ae',
  configResolved: 'ae',
  ready: 'ae',
  listening: 'ae',
  warmUp: 'ae',
  configReload: 'ae',
  preClose: 'ae',
  diagnose: 'ae',
}

const PERFORMED = [VERIFICATION, CT_IMAGE, STUDY_ROOT_FIND, STUDY_ROOT_GET, STUDY_ROOT_MOVE, MPPS, STORAGE_COMMITMENT]
const BOTH = { scu: true, scp: true }
const CONTEXTS: readonly (RequestedContext & { transferSyntaxes: readonly string[] })[] = PERFORMED.map((abstractSyntax) => ({
  abstractSyntax,
  transferSyntaxes: [IMPLICIT_LE],
  roles: BOTH,
}))
const INSTANCE = { requestedSopClassUid: MPPS, requestedSopInstanceUid: '1.2.3' }
const IDENTIFIER: DataSet = { QueryRetrieveLevel: 'STUDY', PatientID: '42' }

/** One call of a handler. */
interface Call {
  readonly hook: HookName
  readonly ae: ApplicationEntity
  readonly args: readonly unknown[]
}

function associationOf(args: readonly unknown[]): Association | undefined {
  for (const argument of args) {
    const carrier = argument as { association?: Association; operation?: { association: Association } } | undefined
    const association = carrier?.association ?? carrier?.operation?.association
    if (association !== undefined) return association
  }
  return undefined
}

function answers(portOf: () => number): HookHandlers {
  const instances = (): { instances: unknown[] } => ({
    instances: [{ sopClassUid: CT_IMAGE, sopInstanceUid: '1.2.9', transferSyntaxUid: IMPLICIT_LE, bytes: () => [Buffer.from('10002000020000003432', 'hex')] }],
  })
  let echoes = 0
  return {
    userIdentity: () => ({ verified: true }),
    asyncOperations: () => ({ invoked: 4, performed: 4 }),
    roleSelection: (proposed) => proposed,
    sopClassExtended: (proposed) => proposed,
    sopClassCommonExtended: (proposed) => proposed,
    cEcho: () => {
      echoes += 1
      if (echoes === 1) throw new Error('of the handler')
      return 0
    },
    cStore: async ({ dataSet }) => (await dataSet.buffer(), 0),
    cFind: ({ identifier }, { signal }) =>
      (async function* () {
        const query = await identifier.dataset()
        yield query
        if (query['PatientID'] === 'CANCEL' && !signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve))
      })(),
    cGet: instances as never,
    cMove: instances as never,
    moveDestination: () => ({ host: '127.0.0.1', port: portOf() }),
    nEventReport: () => 0,
    nGet: () => 0,
    nSet: () => 0,
    nAction: () => 0,
    nCreate: () => ({ status: 0, affectedSopInstanceUid: '1.2.3' }),
    nDelete: () => 0,
  }
}

/** An AE whose handlers of every hook write down that and how they were called. */
function observed(aeTitle: string, calls: Call[], handlers: HookHandlers): ApplicationEntity {
  const ae = new ApplicationEntity({ aeTitle, contexts: CONTEXTS as never, logLevel: 'silent' })
  for (const hook of HOOK_NAMES) {
    ae.bind(hook, ((...args: unknown[]) => {
      calls.push({ hook, ae, args })
      return (handlers[hook] as ((...given: unknown[]) => unknown) | undefined)?.(...args)
    }) as never)
  }
  return ae
}

/** Has the peer perform every service, on an association of either role. */
async function requestEverything(association: Association): Promise<number[]> {
  const statuses: number[] = []
  const keep = async (response: Promise<{ status: number }>): Promise<void> => void statuses.push((await response).status)
  await keep(association.cEcho())
  await keep(association.cEcho())
  await keep(association.cStore({ ...IDENTIFIER, SOPClassUID: CT_IMAGE, SOPInstanceUID: '1.2.3' }))
  for await (const { status } of association.cFind(IDENTIFIER, { model: STUDY_ROOT_FIND })) statuses.push(status)
  for await (const { status } of association.cGet(IDENTIFIER, { model: STUDY_ROOT_GET })) statuses.push(status)
  for await (const { status } of association.cMove(IDENTIFIER, { model: STUDY_ROOT_MOVE, destination: 'THERE' })) statuses.push(status)
  const cancel = new AbortController()
  for await (const { status } of association.cFind({ ...IDENTIFIER, PatientID: 'CANCEL' }, { model: STUDY_ROOT_FIND, signal: cancel.signal })) {
    statuses.push(status)
    cancel.abort()
  }
  await keep(association.nEventReport({ affectedSopClassUid: STORAGE_COMMITMENT, affectedSopInstanceUid: '1.2.3', eventTypeId: 1, eventInformation: IDENTIFIER }))
  await keep(association.nGet(INSTANCE))
  await keep(association.nSet({ ...INSTANCE, modificationList: IDENTIFIER }))
  await keep(association.nAction({ requestedSopClassUid: STORAGE_COMMITMENT, requestedSopInstanceUid: '1.2.3', actionTypeId: 1, actionInformation: IDENTIFIER }))
  await keep(association.nCreate({ affectedSopClassUid: MPPS, attributeList: IDENTIFIER }))
  await keep(association.nDelete(INSTANCE))
  return statuses
}

// Of a handler that failed, then success; Pending is FF00, cancelled FE00.
const STATUSES = [0x0110, 0, 0, 0xff00, 0, 0xff00, 0, 0xff00, 0, 0xff00, 0xfe00, 0, 0, 0, 0, 0, 0]

test('every hook fires in each role that it is for, and in no other, with what its types say', async (t) => {
  const calls: Call[] = []
  const portOf = (): number => server.port
  const acceptor = observed('ACCEPTOR', calls, answers(portOf))
  const requestor = observed('REQUESTOR', calls, answers(portOf))
  for (const ae of [requestor, acceptor]) t.teardown(() => ae.close({ deadlineMs: 0 }))
  const server = await acceptor.listen({ port: 0, host: '127.0.0.1' })
  // While nobody needs them.
  for (const ae of [requestor, acceptor]) await ae.warmUp({ budgetMs: 1 })
  const options: AssociateOptions = {
    host: '127.0.0.1',
    port: server.port,
    calledAeTitle: 'ACCEPTOR',
    contexts: CONTEXTS,
    asynchronousOperations: { invoked: 4, performed: 4 },
    userIdentity: { type: 2, primaryField: 'alice', secondaryField: 'secret', positiveResponseRequested: true },
    sopClassExtended: [{ sopClassUid: STUDY_ROOT_FIND, serviceClassApplicationInformation: Buffer.from([1]) }],
    sopClassCommonExtended: [{ sopClassUid: '1.2.3.4', serviceClassUid: '1.2.840.10008.4.2', relatedGeneralSopClassUids: [CT_IMAGE] }],
  }
  // A whole life, in which each side performs every service.
  const ours = await requestor.associate(options)
  const theirs = acceptor.activeAssociations.find((association) => association.role === 'acceptor')!
  t.deepEqual(await requestEverything(ours), STATUSES)
  t.deepEqual(await requestEverything(theirs), STATUSES)
  await ours.release()
  await theirs.closed
  // One that is aborted, one that is rejected.
  const aborted = await requestor.associate(options)
  const abortedThere = acceptor.activeAssociations.findLast(({ role, isEstablished }) => role === 'acceptor' && isEstablished)!
  aborted.abort()
  await Promise.all([aborted.closed, abortedThere.closed])
  const reject = (): { result: 1; source: 1; reason: 1 } => ({ result: 1, source: 1, reason: 1 })
  acceptor.bind('associationRequest', reject)
  await t.throwsAsync(requestor.associate(options), { code: 'DICOMTAP_ERR_ACSE_REJECTED' })
  acceptor.unbind('associationRequest', reject)
  for (const ae of [requestor, acceptor]) {
    await ae.listen({ port: 0, host: '127.0.0.1' })
    await ae.reload(parseConfig({}))
    await ae.diagnose()
    await ae.close({ deadlineMs: 1_000 })
  }

  // A hook without a row is a failure of this test, also of its compilation.
  t.deepEqual(Object.keys(ROLES).sort(), HOOK_NAMES.toSorted())
  for (const hook of HOOK_NAMES) {
    const its = calls.filter((call) => call.hook === hook)
    const seen = new Set(its.map(({ args }) => (ROLES[hook] === 'ae' ? 'ae' : (associationOf(args)?.role ?? 'none'))))
    t.deepEqual([...seen].sort(), ROLES[hook] === 'both' ? ['acceptor', 'requestor'] : [ROLES[hook]], hook)
    const { arguments: documented } = HOOK_CATALOG[hook]
    for (const { args, ae } of its) {
      t.true(args.slice(documented.length).every((argument) => argument === undefined), hook)
      for (const [index, { name, type }] of documented.entries()) {
        const shape = SHAPES[type]
        if (shape === undefined) t.fail(`${hook}: nothing is known of the type ${type}`)
        else t.is(shape(args[index]), undefined, `${hook}, ${name}: ${type}`)
      }
      const association = associationOf(args)
      // That of the AE whose hook it is; of a C-MOVE the association it came on, which is the AE's, too.
      if (association !== undefined) t.is(association.ae, ae, hook)
    }
  }
  // The objects that users hold, and no copies of them.
  for (const [held, ae] of [[ours, requestor], [theirs, acceptor], [aborted, requestor], [abortedThere, acceptor]] as const) {
    const its = calls.filter((call) => call.ae === ae && associationOf(call.args)?.id === held.id)
    t.true(its.length > 10)
    t.true(its.every(({ args }) => associationOf(args) === held))
  }
  // What is not about an association is told to the AE, once for each time; a C-MOVE is the operation of its associations.
  for (const ae of [requestor, acceptor]) {
    const count = (hook: HookName): number => calls.filter((call) => call.ae === ae && call.hook === hook).length
    const listeners = ae === acceptor ? 2 : 1
    t.deepEqual(
      [count('configResolved'), count('ready'), count('listenerOptions'), count('listening'), count('configReload'), count('preClose')],
      [1, 1, listeners, listeners, 1, 1],
    )
    t.is(count('hookFailed'), 1)
    const outgoing = calls.filter((call) => call.ae === ae && call.hook === 'outgoingAssociation')
    const operations = outgoing.map(({ args }) => (args[1] as { service: string } | undefined)?.service)
    t.deepEqual(operations, ae === requestor ? [undefined, 'C-MOVE', undefined, undefined] : ['C-MOVE'])
    t.is(count('outgoingConnection'), outgoing.length)
  }
})

/** Notifications of the four endings, as they fire; DATA and FSM alone have their place by what they tell. */
const OPENED = {
  acceptor: [
    'connectionOpened', 'stateChanged Sta2', 'dataReceived', 'pduReceived A-ASSOCIATE-RQ', 'stateChanged Sta3', 'acseReceived A-ASSOCIATE-RQ',
    'associationRequested',
  ],
  requestor: [
    'stateChanged Sta4', 'connectionOpened', 'stateChanged Sta5', 'dataSent', 'pduSent A-ASSOCIATE-RQ', 'acseSent A-ASSOCIATE-RQ',
    'associationRequested',
  ],
}
const ESTABLISHED = {
  acceptor: [
    ...OPENED.acceptor,
    'stateChanged Sta6', 'dataSent', 'pduSent A-ASSOCIATE-AC', 'acseSent A-ASSOCIATE-AC', 'associationAccepted', 'associationEstablished',
    'dataReceived', 'stateChanged Sta6', 'dimseReceived C-ECHO-RQ', 'operationStarted', 'pduReceived P-DATA-TF',
    'dimseSent C-ECHO-RSP', 'dataSent', 'pduSent P-DATA-TF', 'stateChanged Sta6', 'operationCompleted',
  ],
  requestor: [
    ...OPENED.requestor,
    'dataReceived', 'pduReceived A-ASSOCIATE-AC', 'stateChanged Sta6', 'acseReceived A-ASSOCIATE-AC', 'associationAccepted', 'associationEstablished',
    'dimseSent C-ECHO-RQ', 'dataSent', 'pduSent P-DATA-TF', 'stateChanged Sta6',
    'dataReceived', 'stateChanged Sta6', 'dimseReceived C-ECHO-RSP', 'pduReceived P-DATA-TF',
  ],
}
const ASKS_FOR_RELEASE = [
  'stateChanged Sta7', 'dataSent', 'pduSent A-RELEASE-RQ', 'acseSent A-RELEASE-RQ',
  'dataReceived', 'pduReceived A-RELEASE-RP', 'stateChanged Sta1', 'acseReceived A-RELEASE-RP', 'associationReleased', 'connectionClosed',
]
const ANSWERS_RELEASE = [
  'dataReceived', 'pduReceived A-RELEASE-RQ', 'stateChanged Sta8', 'acseReceived A-RELEASE-RQ',
  'stateChanged Sta13', 'dataSent', 'pduSent A-RELEASE-RP', 'acseSent A-RELEASE-RP', 'associationReleased', 'stateChanged Sta1', 'connectionClosed',
]
const ABORTS = ['stateChanged Sta13', 'dataSent', 'pduSent A-ABORT', 'acseSent A-ABORT', 'associationAborted', 'stateChanged Sta1', 'connectionClosed']
const IS_ABORTED = ['dataReceived', 'pduReceived A-ABORT', 'stateChanged Sta1', 'acseReceived A-ABORT', 'associationAborted', 'connectionClosed']

interface Ending {
  readonly name: string
  readonly end: (ours: Association, theirs: Association) => unknown
  readonly acceptor: readonly string[]
  readonly requestor: readonly string[]
}
const ENDINGS: readonly Ending[] = [
  {
    name: 'released by the requestor',
    end: (ours) => ours.release(),
    acceptor: [...ESTABLISHED.acceptor, ...ANSWERS_RELEASE],
    requestor: [...ESTABLISHED.requestor, ...ASKS_FOR_RELEASE],
  },
  {
    name: 'released by the acceptor',
    end: (_, theirs) => theirs.release(),
    acceptor: [...ESTABLISHED.acceptor, ...ASKS_FOR_RELEASE],
    requestor: [...ESTABLISHED.requestor, ...ANSWERS_RELEASE],
  },
  {
    name: 'aborted by the requestor',
    end: (ours) => ours.abort(),
    acceptor: [...ESTABLISHED.acceptor, ...IS_ABORTED],
    requestor: [...ESTABLISHED.requestor, ...ABORTS],
  },
  {
    name: 'aborted by the acceptor',
    end: (_, theirs) => theirs.abort(),
    acceptor: [...ESTABLISHED.acceptor, ...ABORTS],
    requestor: [...ESTABLISHED.requestor, ...IS_ABORTED],
  },
]

const COMMANDS: Readonly<Record<number, string>> = { 0x0030: 'C-ECHO-RQ', 0x8030: 'C-ECHO-RSP' }

/** A notification in a few words. */
function told(hook: HookName, event: Record<string, unknown>): string {
  const { pdu, primitive, command, nextState } = event as {
    pdu?: { type: string }
    primitive?: { type: string }
    command?: { commandField: number }
    nextState?: string
  }
  const detail = pdu?.type ?? primitive?.type ?? nextState ?? (command === undefined ? undefined : COMMANDS[command.commandField])
  return detail === undefined ? hook : `${hook} ${detail}`
}

interface Watched {
  readonly acceptor: ApplicationEntity
  readonly requestor: ApplicationEntity
  readonly port: number
  readonly heard: Readonly<Record<'acceptor' | 'requestor', string[]>>
  /** Both were told that the connection is closed. */
  readonly closed: Promise<unknown>
}

/** Two AEs, and what they are told. */
async function watched(t: ExecutionContext): Promise<Watched> {
  const heard = { acceptor: [] as string[], requestor: [] as string[] }
  const contexts = [{ abstractSyntax: VERIFICATION, transferSyntaxes: [IMPLICIT_LE] }]
  const closed = []
  const aes = { acceptor: new ApplicationEntity({ contexts, logLevel: 'silent' }), requestor: new ApplicationEntity({ logLevel: 'silent' }) }
  for (const role of ['acceptor', 'requestor'] as const) {
    t.teardown(() => aes[role].close({ deadlineMs: 0 }))
    const over = deferred()
    closed.push(over.promise)
    for (const hook of HOOK_NAMES) {
      if (HOOK_CATALOG[hook].kind !== 'notification') continue
      aes[role].bind(hook, ((event: Record<string, unknown>) => {
        heard[role].push(told(hook, event))
        if (hook === 'connectionClosed') over.resolve()
      }) as never)
    }
  }
  const { port } = await aes.acceptor.listen({ port: 0, host: '127.0.0.1' })
  return { ...aes, port, heard, closed: Promise.all(closed) }
}

for (const { name, end, acceptor: ofAcceptor, requestor: ofRequestor } of ENDINGS) {
  test(`the notifications of a life in order, in both roles: ${name}`, async (t) => {
    const { acceptor, requestor, port, heard, closed } = await watched(t)
    const ours = await requestor.associate({ host: '127.0.0.1', port, contexts: [{ abstractSyntax: VERIFICATION, transferSyntaxes: [IMPLICIT_LE] }] })
    const [theirs] = acceptor.activeAssociations
    const completed = new Promise((resolve) => theirs!.bind('operationCompleted', resolve))
    await ours.cEcho()
    await completed
    void end(ours, theirs!)
    await closed
    t.deepEqual(heard.acceptor, ofAcceptor)
    t.deepEqual(heard.requestor, ofRequestor)
  })
}

test('the notifications of a rejection in order, in both roles', async (t) => {
  const { acceptor, requestor, port, heard, closed } = await watched(t)
  acceptor.bind('associationRequest', () => ({ result: 1, source: 1, reason: 1 }))
  await t.throwsAsync(requestor.associate({ host: '127.0.0.1', port, contexts: [{ abstractSyntax: VERIFICATION }] }))
  await closed
  t.deepEqual(heard.acceptor, [
    ...OPENED.acceptor,
    'stateChanged Sta13', 'dataSent', 'pduSent A-ASSOCIATE-RJ', 'acseSent A-ASSOCIATE-RJ', 'associationRejected', 'stateChanged Sta1', 'connectionClosed',
  ])
  t.deepEqual(heard.requestor, [
    ...OPENED.requestor,
    'dataReceived', 'pduReceived A-ASSOCIATE-RJ', 'stateChanged Sta1', 'acseReceived A-ASSOCIATE-RJ', 'associationRejected', 'connectionClosed',
  ])
})
