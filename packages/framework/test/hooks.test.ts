import test from 'ava'
import { AsyncSeriesBailHook, AsyncSeriesHook, AsyncSeriesWaterfallHook, SyncHook, SyncWaterfallHook } from 'tapable'
import { DicomtapError, StatusError } from '../dist/errors/index.js'
import { BindingDispatcher } from '../dist/hooks/bindings.js'
import { HOOK_CATALOG, HOOK_NAMES } from '../dist/hooks/catalog.js'
import { createHooks } from '../dist/hooks/create-hooks.js'
import type { GuardContext } from '../dist/hooks/guard-context.js'
import { createGuardContext } from '../dist/hooks/guard-context.js'
import { HookError } from '../dist/hooks/hook-error.js'
import { ask, listTaps, notify, runLifecycle, transform, transformSync } from '../dist/hooks/run.js'
import { Stage } from '../dist/hooks/stages.js'
import { tapFacade } from '../dist/hooks/tap-facade.js'
import type { HookFacade, HookName, HookTable } from '../dist/hooks/types.js'
import { createLogger } from '../dist/console-log.js'
import type { LogRecord } from '../dist/logger.js'

interface Bench {
  readonly table: HookTable
  readonly context: GuardContext
  readonly records: LogRecord[]
  readonly plugin: (name: string) => HookFacade
  readonly seal: () => void
}

function bench(): Bench {
  const table = createHooks()
  const records: LogRecord[] = []
  const log = createLogger({ sink: (record) => records.push(record) })
  let isSealed = false
  const context = createGuardContext({ table, log, isSealed: () => isSealed })
  return {
    table,
    context,
    records,
    plugin: (name) => tapFacade(table, { name }, context),
    seal: () => {
      isSealed = true
    },
  }
}

/** Stand-ins: the hook engine looks at nothing but what is given here. */
const CT = '1.2.840.10008.5.1.4.1.1.2'
const MR = '1.2.840.10008.5.1.4.1.1.4'
const fake = <T>(value: object): T => value as T
const operation = (sopClassUid = CT, controller = new AbortController(), association: object = {}): never =>
  fake({ sopClassUid, signal: controller.signal, association: { acceptedCommonExtended: [], ...association } })
const request = fake<never>({})
const event = fake<never>({ association: {} })

const codeOf = (code: string): { instanceOf: typeof DicomtapError; code: string } => ({ instanceOf: DicomtapError, code })

// The table and its catalog

const CLASSES_BY_DESIGN: readonly (readonly [unknown, HookName[]])[] = [
  [
    SyncHook,
    [
      'connectionOpened', 'connectionClosed', 'dataReceived', 'dataSent', 'pduReceived', 'pduSent', 'acseReceived',
      'acseSent', 'dimseReceived', 'dimseSent', 'stateChanged', 'associationRequested', 'associationAccepted',
      'associationEstablished', 'associationRejected', 'associationReleased', 'associationAborted', 'operationStarted',
      'operationCancelled', 'operationCompleted', 'subOperationCompleted', 'hookFailed',
    ],
  ],
  [
    AsyncSeriesBailHook,
    [
      'associationRequest', 'userIdentity', 'authorization', 'asyncOperations', 'roleSelection', 'sopClassExtended',
      'sopClassCommonExtended', 'outgoingConnection', 'associationAnswer', 'cEcho', 'cStore', 'cFind', 'cGet', 'cMove', 'moveDestination', 'nEventReport', 'nGet',
      'nSet', 'nAction', 'nCreate', 'nDelete',
    ],
  ],
  [AsyncSeriesWaterfallHook, ['incomingConnection', 'associationSettings', 'acceptedContexts', 'listenerOptions', 'outgoingAssociation', 'findIdentifier', 'findMatch']],
  [SyncWaterfallHook, ['responseStatus']],
  [AsyncSeriesHook, ['configResolved', 'ready', 'listening', 'warmUp', 'configReload', 'preClose', 'diagnose']],
]

test('the table has every hook of the design, with the class of its kind, and is frozen', (t) => {
  const table = createHooks()
  for (const [hookClass, names] of CLASSES_BY_DESIGN) {
    for (const name of names) {
      t.true(table[name].constructor === hookClass, name)
      t.is(table[name].name, name)
    }
  }
  t.deepEqual(Object.keys(table).sort(), CLASSES_BY_DESIGN.flatMap(([, names]) => names).sort())
  t.true(Object.isFrozen(table))
  t.not(createHooks().cStore, table.cStore)
})

test('the catalog says something in every field, and arguments count as the hooks take them', (t) => {
  for (const name of HOOK_NAMES) {
    const entry = HOOK_CATALOG[name]
    for (const text of [entry.fires, entry.returns, entry.noAnswer, entry.onError]) t.regex(text, /\w{2}/, name)
    t.regex(entry.fires, /\.$/, name)
    t.deepEqual(
      (createHooks()[name] as unknown as { _args: string[] })._args,
      entry.arguments.map((argument) => argument.name),
    )
    if (entry.clause !== undefined) t.regex(entry.clause, /^PS3\.[478] [1-9A-Za-z]/, name)
  }
})

test('every event of pynetdicom 3 has its hook', (t) => {
  const events = [
    'CONN_OPEN CONN_CLOSE DATA_RECV DATA_SENT PDU_RECV PDU_SENT ACSE_RECV ACSE_SENT DIMSE_RECV DIMSE_SENT FSM_TRANSITION',
    'REQUESTED ACCEPTED ESTABLISHED REJECTED RELEASED ABORTED ASYNC_OPS SOP_EXTENDED SOP_COMMON USER_ID',
    'C_ECHO C_STORE C_FIND C_GET C_MOVE N_EVENT_REPORT N_GET N_SET N_ACTION N_CREATE N_DELETE',
  ].flatMap((line) => line.split(' ').map((name) => `EVT_${name}`))
  t.is(events.length, 32)
  const mapped = new Set(HOOK_NAMES.map((name) => HOOK_CATALOG[name].pynetdicom).filter((name) => name !== undefined))
  t.deepEqual([...mapped].sort(), events.sort())
})

// The traps of tapable: what the bare hook does, and what a guarded tap does

test('trap: a throw in a SyncHook skips the later taps and reaches the caller', (t) => {
  const bare = new SyncHook<[object]>(['event'])
  const ran: string[] = []
  bare.tap('a', () => {
    throw new Error('boom')
  })
  bare.tap('b', () => void ran.push('bare'))
  t.throws(() => bare.call({}), { message: 'boom' })
  t.deepEqual(ran, [])

  const { table, plugin, records } = bench()
  plugin('a').associationAccepted.tap(() => {
    throw new Error('boom')
  })
  plugin('b').associationAccepted.tap(() => void ran.push('guarded'))
  t.notThrows(() => notify(table.associationAccepted, event))
  t.deepEqual(ran, ['guarded'])
  t.is(records.length, 1)
  t.like(records[0], { level: 'error', fields: { hook: 'associationAccepted', plugin: 'a', code: 'DICOMTAP_ERR_HOOK_FAILED' } })
  t.regex(records[0]!.message, /'a'.*associationAccepted.*boom/)
})

test('trap: an async function on a hook that does not wait floats its rejection', async (t) => {
  const bare = new SyncHook<[object]>(['event'])
  let lost: Promise<void> | undefined
  bare.tap('a', () => (lost = Promise.reject(new Error('boom'))) as never)
  t.is(bare.call({}), undefined)
  await t.throwsAsync(lost!, { message: 'boom' })

  const { table, plugin, records } = bench()
  const failed = new Promise<HookError>((resolve) => plugin('watch').hookFailed.tap(({ error }) => resolve(error as HookError)))
  // oxlint-disable-next-line typescript/no-misused-promises -- that is the trap
  plugin('a').pduReceived.tap(async () => {
    throw new Error('boom')
  })
  notify(table.pduReceived, event)
  notify(table.pduReceived, event)
  const error = await failed
  t.is(error.plugin, 'a')
  t.is(error.hook, 'pduReceived')
  t.is((error.cause as Error).message, 'boom')
  const warnings = records.filter(({ level }) => level === 'warn')
  t.is(warnings.length, 1, 'said once')
  t.regex(warnings[0]!.message, /'a'.*pduReceived.*promise/)
})

test('trap: isUsed() is true for an interceptor alone, taps.length is not', (t) => {
  const { table } = bench()
  let intercepted = 0
  table.dataReceived.intercept({ call: () => void intercepted++ })
  t.true(table.dataReceived.isUsed())
  notify(table.dataReceived, event)
  t.is(intercepted, 0)
})

test('trap: null counts as an answer', async (t) => {
  const bare = new AsyncSeriesBailHook<[object], number | null>(['request'])
  bare.tap('a', () => null)
  bare.tap('b', () => 0)
  t.is(await bare.promise({}), null)

  const { table, plugin, records } = bench()
  plugin('a').cEcho.tap(() => null as never)
  plugin('b').cEcho.tapPromise(async () => null as never)
  plugin('c').cEcho.tap(() => 0x0122)
  t.is(await ask(table.cEcho, request, operation()), 0x0122)
  t.is(await ask(table.cEcho, request, operation()), 0x0122)
  t.deepEqual(records.map(({ level, fields }) => [level, fields.plugin]), [['warn', 'a'], ['warn', 'b']], 'each said once')
})

test('trap: null becomes the value of a waterfall', async (t) => {
  const bare = new AsyncSeriesWaterfallHook<[object | null]>(['value'])
  bare.tap('a', () => null)
  t.is(await bare.promise({}), null)

  const { table, plugin, records } = bench()
  const match = { identifier: {} }
  plugin('a').findMatch.tap(() => null as never)
  plugin('b').findMatch.tap(() => undefined as never)
  t.is(await transform(table.findMatch, match, operation()), match)
  t.is(records.length, 1)
})

test('trap: a promise becomes the value of a synchronous waterfall', (t) => {
  const bare = new SyncWaterfallHook<[object]>(['value'])
  bare.tap('a', async () => ({}))
  t.true(bare.call({}) instanceof Promise)

  const { table, plugin, records } = bench()
  plugin('a').responseStatus.tap((async () => ({ status: 0xa700 })) as never)
  plugin('b').responseStatus.tap((status) => ({ ...status, errorComment: 'b' }))
  t.deepEqual(transformSync(table.responseStatus, { status: 0 }, operation()), { status: 0, errorComment: 'b' })
  t.is(records.length, 1)
})

test('trap: a tap before one that is not there goes before all, guards included', async (t) => {
  const bare = new AsyncSeriesBailHook<[object], number>(['request'])
  bare.tap({ name: 'guard', stage: Stage.Guard }, () => 1)
  bare.tap({ name: 'late', stage: Stage.Late, before: 'absent' }, () => 2)
  t.is(await bare.promise({}), 2)

  const { table, plugin } = bench()
  plugin('guard').cStore.tap({ stage: Stage.Guard }, () => 1)
  plugin('late').cStore.tap({ stage: Stage.Late, before: 'absent' }, () => 2)
  t.is(await ask(table.cStore, request, operation()), 1)
})

test('trap: a falsy rejection passes for success in callback taps', async (t) => {
  const bare = new AsyncSeriesBailHook<[object], number>(['request'])
  bare.tapAsync('a', (_request, done) => done(undefined))
  bare.tap('b', () => 0)
  t.is(await bare.promise({}), 0)

  const { table, plugin } = bench()
  plugin('a').cStore.tap(() => {
    // oxlint-disable-next-line no-throw-literal, typescript/only-throw-error -- that is the trap
    throw undefined
  })
  plugin('b').cStore.tap(() => 0)
  const error = await t.throwsAsync(ask(table.cStore, request, operation()), codeOf('DICOMTAP_ERR_HOOK_FAILED'))
  t.is(error?.cause, undefined)
})

// Order, routing, errors

test('taps run by stage, then in the order of tapping; before puts one in front of a plugin', async (t) => {
  const { table, plugin } = bench()
  const ran: string[] = []
  const add = (name: string, options: { stage?: number; before?: string }): void =>
    plugin(name).cStore.tap(options, () => {
      ran.push(name)
      return undefined
    })
  add('fallback', { stage: Stage.Fallback })
  add('first', {})
  add('second', {})
  add('guard', { stage: Stage.Guard })
  add('late', { stage: Stage.Late })
  add('early', { stage: Stage.Early })
  add('inserted', { before: 'second' })
  t.is(await ask(table.cStore, request, operation()), undefined)
  const expected = ['guard', 'early', 'first', 'inserted', 'second', 'late', 'fallback']
  t.deepEqual(ran, expected)
  const listed = listTaps(table).find(({ hook }) => hook === 'cStore')
  t.is(listed?.kind, 'intervention')
  t.deepEqual(listed?.taps.map((tap) => tap.plugin), expected)
  t.deepEqual(listed?.taps[0], { plugin: 'guard', stage: -1000 })
})

test('the first answer wins and later taps are not asked, be they sync or async', async (t) => {
  const { table, plugin } = bench()
  const asked: string[] = []
  plugin('a').cEcho.tapPromise(async () => void asked.push('a'))
  plugin('b').cEcho.tap(() => {
    asked.push('b')
    return 0
  })
  plugin('c').cEcho.tap(() => {
    asked.push('c')
    return 1
  })
  t.is(await ask(table.cEcho, request, operation()), 0)
  t.deepEqual(asked, ['a', 'b'])
})

test('sopClasses: a service tap is asked for its SOP classes only', async (t) => {
  const { table, plugin } = bench()
  plugin('ct').cStore.tap({ sopClasses: [CT] }, () => 1)
  plugin('mr').cStore.tapPromise({ sopClasses: [MR] }, async () => 2)
  t.is(await ask(table.cStore, request, operation(CT)), 1)
  t.is(await ask(table.cStore, request, operation(MR)), 2)
  t.is(await ask(table.cStore, request, operation('1.2.3')), undefined)
  t.deepEqual(listTaps(table).find(({ hook }) => hook === 'cStore')?.taps[0]?.sopClasses, [CT])
})

test('sopClasses: a specialized class is served as the general one that common extended negotiation accepted', async (t) => {
  const { table, plugin } = bench()
  plugin('ct').cStore.tap({ sopClasses: [CT] }, () => 1)
  const item = { sopClassUid: '1.2.3', relatedGeneralSopClassUids: [MR, CT] }
  t.is(await ask(table.cStore, request, operation('1.2.3', undefined, { acceptedCommonExtended: [item] })), 1)
  t.is(await ask(table.cStore, request, operation('1.2.4', undefined, { acceptedCommonExtended: [item] })), undefined)
})

test('sopClasses: transforms, operation events and requests without an operation', async (t) => {
  const { table, plugin } = bench()
  const seen: string[] = []
  const { responseStatus, operationStarted, outgoingAssociation } = plugin('mr')
  responseStatus.tap({ sopClasses: [MR] }, () => ({ status: 1 }))
  operationStarted.tap({ sopClasses: [MR] }, (started) => void seen.push(started.operation.sopClassUid))
  outgoingAssociation.tap({ sopClasses: [MR] }, (options) => ({ ...options, host: 'mr' }))
  t.is(transformSync(table.responseStatus, { status: 0 }, operation(CT)).status, 0)
  t.is(transformSync(table.responseStatus, { status: 0 }, operation(MR)).status, 1)
  notify(table.operationStarted, { operation: operation(CT) })
  notify(table.operationStarted, { operation: operation(MR) })
  t.deepEqual(seen, [MR])
  const target = { host: 'pacs', port: 104, calledAeTitle: 'A', callingAeTitle: 'B', contexts: [], sopClassExtended: [], sopClassCommonExtended: [] }
  t.is(await transform(table.outgoingAssociation, target, undefined), target)
  t.is((await transform(table.outgoingAssociation, target, operation(MR))).host, 'mr')
})

for (const [how, thrower] of [
  ['throws', () => { throw new Error('boom') }],
  ['rejects', async () => { throw new Error('boom') }],
] as const) {
  test(`an intervention handler that ${how} leaves as a HookError, reported once`, async (t) => {
    const { table, plugin, records } = bench()
    const failures: string[] = []
    plugin('watch').hookFailed.tap((failure) => void failures.push(`${failure.plugin} ${failure.hook}`))
    plugin('a').cStore.tap(thrower)
    const error = await t.throwsAsync(ask(table.cStore, request, operation()), { instanceOf: HookError })
    t.true(error instanceof DicomtapError)
    t.is(error?.code, 'DICOMTAP_ERR_HOOK_FAILED')
    t.is(error?.plugin, 'a')
    t.is(error?.hook, 'cStore')
    t.like(error?.cause, { message: 'boom' })
    t.deepEqual(failures, ['a cStore'])
    t.is(records.length, 1)
  })
}

test('a StatusError passes as it is and is not reported; in a notification it is a failure like others', async (t) => {
  const { table, plugin, records } = bench()
  const status = new StatusError(0xa700, { errorComment: 'Out of space' })
  plugin('a').cStore.tapPromise(async () => {
    throw status
  })
  t.is(await t.throwsAsync(ask(table.cStore, request, operation())), status)
  t.is(records.length, 0)
  plugin('a').pduSent.tap(() => {
    throw status
  })
  notify(table.pduSent, event)
  t.is(records.length, 1)
})

test('a HookError of another hook keeps its blame and is reported once', async (t) => {
  const { table, plugin, records } = bench()
  plugin('inner').outgoingAssociation.tap(() => {
    throw new Error('boom')
  })
  plugin('outer').cStore.tapPromise(async () => {
    await transform(table.outgoingAssociation, fake<never>({}), undefined)
    return 0
  })
  const error = await t.throwsAsync(ask(table.cStore, request, operation()), { instanceOf: HookError })
  t.is(error?.plugin, 'inner')
  t.is(records.length, 1)
})

test('what fails because its operation was ended is thrown, not reported as a failure of the handler', async (t) => {
  const { table, plugin, records } = bench()
  const controller = new AbortController()
  plugin('a').cFind.tapPromise(
    (_request, { signal }) => new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(new Error('ended')))),
  )
  const asking = ask(table.cFind, request, operation(CT, controller))
  controller.abort()
  await t.throwsAsync(asking, codeOf('DICOMTAP_ERR_HOOK_FAILED'))
  t.is(records.length, 0)
})

test('a hookFailed handler that throws is logged and does not call itself', (t) => {
  const { table, plugin, records } = bench()
  let calls = 0
  plugin('watch').hookFailed.tap(() => {
    calls++
    throw new Error('also broken')
  })
  const told: string[] = []
  plugin('second').hookFailed.tap(({ plugin: name }) => void told.push(name))
  plugin('a').pduReceived.tap(() => {
    throw new Error('boom')
  })
  notify(table.pduReceived, event)
  t.is(calls, 1)
  t.deepEqual(told, ['a'])
  t.deepEqual(records.map(({ fields }) => fields.plugin), ['a', 'watch'])
})

test('a hookFailed tap past the guard that throws cannot break the caller', (t) => {
  const { table, plugin, records } = bench()
  table.hookFailed.tap('raw', () => {
    throw new Error('raw')
  })
  plugin('a').pduReceived.tap(() => {
    throw new Error('boom')
  })
  t.notThrows(() => notify(table.pduReceived, event))
  t.is(records.length, 2)
})

test('lifecycle: awaited in order; an error stops the start and is left to the caller to log', async (t) => {
  const { table, plugin, records } = bench()
  const ran: string[] = []
  plugin('a').ready.tapPromise(async () => {
    await new Promise(setImmediate)
    ran.push('a')
  })
  plugin('b').ready.tap(() => {
    ran.push('b')
    throw new Error('boom')
  })
  plugin('c').ready.tap(() => void ran.push('c'))
  const error = await t.throwsAsync(runLifecycle(table.ready, fake<never>({})), { instanceOf: HookError })
  t.is(error?.plugin, 'b')
  t.deepEqual(ran, ['a', 'b'])
  t.is(records.length, 0)
})

test('lifecycle: preClose goes on after an error, which is logged', async (t) => {
  const { table, plugin, records } = bench()
  const ran: string[] = []
  plugin('a').preClose.tapPromise(async () => {
    throw new Error('boom')
  })
  plugin('b').preClose.tap(() => void ran.push('b'))
  await runLifecycle(table.preClose, fake<never>({}))
  t.deepEqual(ran, ['b'])
  t.is(records[0]?.fields.plugin, 'a')
})

test('transforms chain; an error ends them as a HookError, of responseStatus the value goes on', async (t) => {
  const { table, plugin, records } = bench()
  plugin('a').findMatch.tap((match) => ({ ...match, status: 0xff01 }))
  plugin('b').findMatch.tapPromise(async ({ status }) => ({ identifier: { seen: status } }))
  t.deepEqual(await transform(table.findMatch, { identifier: {} }, operation()), { identifier: { seen: 0xff01 } })

  plugin('c').findMatch.tap(() => {
    throw new Error('boom')
  })
  await t.throwsAsync(transform(table.findMatch, { identifier: {} }, operation()), { instanceOf: HookError })

  plugin('c').responseStatus.tap(() => {
    throw new Error('boom')
  })
  plugin('d').responseStatus.tap((status) => ({ status: status.status + 1 }))
  t.deepEqual(transformSync(table.responseStatus, { status: 1 }, operation()), { status: 2 })
  t.is(records.length, 2)
})

test('without taps: nothing is called, asked or changed', async (t) => {
  const { table } = bench()
  notify(table.pduReceived, event)
  t.is(await ask(table.cStore, request, operation()), undefined)
  const value = { identifier: {} }
  t.is(await transform(table.findMatch, value, operation()), value)
  t.is(transformSync(table.responseStatus, { status: 7 }, operation()).status, 7)
  t.is(await runLifecycle(table.ready, fake<never>({})), undefined)
  t.true(listTaps(table).every(({ taps }) => taps.length === 0))
})

test('tapping after the start is refused, with plugin and hook named', (t) => {
  const { plugin, seal } = bench()
  const facade = plugin('tardy')
  seal()
  t.throws(() => facade.cStore.tap(() => 0), { ...codeOf('DICOMTAP_ERR_HOOK_AFTER_LISTEN'), message: /'tardy'.*cStore.*bind/ })
})

const WRONG_TAPS: readonly (readonly [string, (facade: never) => void, RegExp])[] = [
  ['no handler', (f: HookFacade) => f.cStore.tap({} as never), /needs a function as handler, got undefined/],
  ['a name as tapable takes it', (f: HookFacade) => f.cStore.tap('me' as never, () => 0), /\(handler\) or \(options, handler\)/],
  ['a handler that is none', (f: HookFacade) => f.cStore.tap({ stage: 1 }, 5 as never), /got 5/],
  ['an unknown option', (f: HookFacade) => f.cStore.tap({ sopClass: [] } as never, () => 0), /'sopClass'; did you mean sopClasses\?/],
  ['a stage that is no number', (f: HookFacade) => f.cStore.tap({ stage: 'Early' as never }, () => 0), /stage.*got string/],
  ['a list as before', (f: HookFacade) => f.cStore.tap({ before: ['a'] as never }, () => 0), /before, got an array/],
  ['one UID as sopClasses', (f: HookFacade) => f.cStore.tap({ sopClasses: CT as never }, () => 0), /list of UIDs/],
  ['sopClasses without an operation', (f: HookFacade) => f.ready.tap({ sopClasses: [CT] }, () => undefined), /not about an operation/],
  ['tapPromise on a notification', (f: HookFacade) => (f.pduSent as never as HookFacade['cStore']).tapPromise(() => 0), /does not wait/],
]
for (const [what, tap, message] of WRONG_TAPS) {
  test(`a wrong tap is refused: ${what}`, (t) => {
    const { table, plugin } = bench()
    t.throws(() => tap(plugin('p') as never), { ...codeOf('DICOMTAP_ERR_HOOK_TAP'), message })
    t.true(listTaps(table).every(({ taps }) => taps.length === 0))
  })
}

test('the facade can only tap', (t) => {
  const facade = bench().plugin('p')
  t.deepEqual(Object.keys(facade.cStore), ['tap', 'tapPromise'])
  t.deepEqual(Object.keys(facade), [...HOOK_NAMES])
  t.true(Object.isFrozen(facade) && Object.isFrozen(facade.cStore))
})

// Handlers bound at run time

interface Scopes {
  readonly dispatcher: BindingDispatcher
  readonly server: { bindings: BindingDispatcher['root'] }
  readonly association: { bindings: BindingDispatcher['root']; server?: object }
  readonly other: { bindings: BindingDispatcher['root'] }
}
function scopes({ table, context }: Bench): Scopes {
  const dispatcher = new BindingDispatcher(table, context)
  const server = { bindings: dispatcher.createBindings() }
  return {
    dispatcher,
    server,
    association: { bindings: dispatcher.createBindings(), server },
    other: { bindings: dispatcher.createBindings() },
  }
}

test('bindings: association, then server, then AE, of that association only', (t) => {
  const b = bench()
  const { dispatcher, server, association, other } = scopes(b)
  const ran: string[] = []
  dispatcher.root.bind('pduReceived', () => void ran.push('ae'))
  server.bindings.bind('pduReceived', () => void ran.push('server'))
  association.bindings.bind('pduReceived', () => void ran.push('association'))
  other.bindings.bind('pduReceived', () => void ran.push('other'))
  notify(b.table.pduReceived, fake<never>({ association }))
  t.deepEqual(ran.splice(0), ['association', 'server', 'ae'])
  notify(b.table.pduReceived, fake<never>({ association: other }))
  t.deepEqual(ran, ['other', 'ae'])
})

test('bindings: one tap per hook, added with the first binding, also after the start', (t) => {
  const b = bench()
  const { dispatcher, association } = scopes(b)
  b.seal()
  t.is(b.table.cStore.taps.length, 0)
  dispatcher.root.bind('cStore', () => 0)
  association.bindings.bind('cStore', () => 0)
  t.is(b.table.cStore.taps.length, 1)
  t.like(b.table.cStore.taps[0], { name: '(bound)', stage: Stage.Default })
  t.is(b.table.cFind.taps.length, 0)
})

test('bindings: of interventions the nearest answer wins, and none leaves it to later taps', async (t) => {
  const b = bench()
  const { dispatcher, association, other } = scopes(b)
  const asked: string[] = []
  association.bindings.bind('cStore', () => void asked.push('association'))
  dispatcher.root.bind('cStore', async () => {
    asked.push('ae')
    return 0xb000
  })
  b.plugin('late').cStore.tap({ stage: Stage.Late }, () => 0x0110)
  t.is(await ask(b.table.cStore, request, operation(CT, undefined, association)), 0xb000)
  t.deepEqual(asked, ['association', 'ae'])
  other.bindings.bind('cEcho', () => 5)
  b.plugin('late').cEcho.tap({ stage: Stage.Late }, () => 7)
  t.is(await ask(b.table.cEcho, request, operation(CT, undefined, other)), 5)
  t.is(await ask(b.table.cEcho, request, operation(CT, undefined, association)), 7)
})

test('bindings: the association is found in every form of argument', async (t) => {
  const b = bench()
  const { association, server } = scopes(b)
  const found: string[] = []
  const bind = (name: HookName): void => association.bindings.bind(name, (() => void found.push(name)) as never)
  for (const name of ['associationRequest', 'userIdentity', 'operationStarted', 'acceptedContexts', 'moveDestination', 'findMatch'] as const) bind(name)
  server.bindings.bind('listening', () => void found.push('listening'))
  const info = fake<never>({ association })
  const running = operation(CT, undefined, association)
  await ask(b.table.associationRequest, info)
  await ask(b.table.userIdentity, fake<never>({}), info)
  notify(b.table.operationStarted, { operation: running })
  await transform(b.table.acceptedContexts, [], info)
  await ask(b.table.moveDestination, 'ARCHIVE', running)
  await transform(b.table.findMatch, { identifier: {} }, running)
  await runLifecycle(b.table.listening, fake<never>({ server }))
  t.deepEqual(found, [
    'associationRequest', 'userIdentity', 'operationStarted', 'acceptedContexts', 'moveDestination', 'findMatch', 'listening',
  ])
})

test('bindings: events without an association go to the AE', async (t) => {
  const b = bench()
  const { dispatcher } = scopes(b)
  const ran: string[] = []
  dispatcher.root.bind('ready', async () => void ran.push('ready'))
  dispatcher.root.bind('outgoingAssociation', (options) => ({ ...options, host: 'b' }))
  await runLifecycle(b.table.ready, fake<never>({}))
  const target = { host: 'a', port: 104, calledAeTitle: 'A', callingAeTitle: 'B', contexts: [], sopClassExtended: [], sopClassCommonExtended: [] }
  t.is((await transform(b.table.outgoingAssociation, target, undefined)).host, 'b')
  t.deepEqual(ran, ['ready'])
})

test('bindings: transforms chain over the scopes', async (t) => {
  const b = bench()
  const { dispatcher, association } = scopes(b)
  const running = operation(CT, undefined, association)
  dispatcher.root.bind('responseStatus', ({ status }) => ({ status: status * 10 }))
  association.bindings.bind('responseStatus', ({ status }) => ({ status: status + 1 }))
  t.deepEqual(transformSync(b.table.responseStatus, { status: 1 }, running), { status: 20 })
  dispatcher.root.bind('findIdentifier', async (identifier) => ({ ...identifier, b: 2 }))
  association.bindings.bind('findIdentifier', (identifier) => ({ ...identifier, a: 1 }))
  t.deepEqual(await transform(b.table.findIdentifier, {}, running), { a: 1, b: 2 })
})

test('bindings: each handler is guarded, a failure is reported once', async (t) => {
  const b = bench()
  const { dispatcher, association } = scopes(b)
  const ran: string[] = []
  association.bindings.bind('pduSent', () => {
    throw new Error('boom')
  })
  dispatcher.root.bind('pduSent', () => void ran.push('ae'))
  notify(b.table.pduSent, fake<never>({ association }))
  t.deepEqual(ran, ['ae'])
  t.is(b.records.length, 1)
  dispatcher.root.bind('cStore', async () => {
    throw new Error('boom')
  })
  const error = await t.throwsAsync(ask(b.table.cStore, request, operation()), { instanceOf: HookError })
  t.is(error?.plugin, '(bound)')
  t.is(b.records.length, 2)
})

test('bindings: the same handler counts once, and unbinding leaves a tap that does nothing', async (t) => {
  const b = bench()
  const { dispatcher } = scopes(b)
  let calls = 0
  const handler = (): undefined => {
    calls++
  }
  dispatcher.root.bind('cStore', handler)
  dispatcher.root.bind('cStore', handler)
  t.is(await ask(b.table.cStore, request, operation()), undefined)
  t.is(calls, 1)
  t.deepEqual(dispatcher.root.handlers('cStore'), [handler])
  dispatcher.root.unbind('cStore', () => 0)
  dispatcher.root.unbind('cStore', handler)
  dispatcher.root.unbind('cStore', handler)
  t.is(await ask(b.table.cStore, request, operation()), undefined)
  t.is(calls, 1)
  t.deepEqual(dispatcher.root.handlers('cStore'), [])
  t.is(b.table.cStore.taps.length, 1)
})

test('bindings: a handler may unbind itself while it runs without losing the others', (t) => {
  const b = bench()
  const { dispatcher } = scopes(b)
  const ran: string[] = []
  const once = (): void => {
    ran.push('once')
    dispatcher.root.unbind('pduSent', once)
  }
  dispatcher.root.bind('pduSent', once)
  dispatcher.root.bind('pduSent', () => void ran.push('always'))
  notify(b.table.pduSent, event)
  notify(b.table.pduSent, event)
  t.deepEqual(ran, ['once', 'always', 'always'])
})

test('bindings: boundEvents is sorted', (t) => {
  const { root } = new BindingDispatcher(createHooks(), bench().context)
  t.deepEqual(root.boundEvents(), [])
  root.bind('pduSent', () => undefined)
  root.bind('cEcho', () => 0)
  root.bind('associationAccepted', () => undefined)
  t.deepEqual(root.boundEvents(), ['associationAccepted', 'cEcho', 'pduSent'])
})

test('bindings: unknown names and handlers are refused with a hint', (t) => {
  const { root } = new BindingDispatcher(createHooks(), bench().context)
  const bind = (name: string): void => root.bind(name as never, () => 0)
  const unknown = codeOf('DICOMTAP_ERR_HOOK_UNKNOWN')
  t.throws(() => bind('cStroe'), { ...unknown, message: /'cStroe'; did you mean cStore\?/ })
  t.throws(() => bind('EVT_C_FIND'), { ...unknown, message: /in dicomtap it is cFind/ })
  t.throws(() => bind('constructor'), unknown)
  t.throws(() => root.unbind('nope' as never, () => 0), unknown)
  t.throws(() => root.handlers('nope' as never), unknown)
  t.throws(() => root.bind('cStore', undefined as never), codeOf('DICOMTAP_ERR_HOOK_TAP'))
})
