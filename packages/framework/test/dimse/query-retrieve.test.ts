import { setImmediate as turn } from 'node:timers/promises'
import test from 'ava'
import type { CommandSet } from '../../dist/dimse/command-set.js'
import type { InstanceToSend, Operation } from '../../dist/dimse/types.js'
import { StatusError } from '../../dist/errors/index.js'
import type { DicomtapError } from '../../dist/errors/index.js'
import { createTestServer, hookRecorder, testScu } from '../../dist/testing/index.js'
import type { IncomingRequest, TestResponse, TestScu, TestScuOptions, TestServer, TestServerOptions } from '../../dist/testing/index.js'
import { connected, deferred, settle, turnsUntil } from '../support/connections.ts'
import { IDENTIFIER } from '../support/requests.ts'
import { CT_IMAGE, EXPLICIT_LE, IMPLICIT_LE, MR_IMAGE, STUDY_ROOT_FIND, STUDY_ROOT_GET, STUDY_ROOT_MOVE, VERIFICATION } from '../support/uids.ts'

const CONTEXTS = [
  ...[VERIFICATION, STUDY_ROOT_FIND, STUDY_ROOT_GET, STUDY_ROOT_MOVE].map((abstractSyntax) => ({ abstractSyntax, transferSyntaxes: [IMPLICIT_LE] })),
  { abstractSyntax: CT_IMAGE, transferSyntaxes: [IMPLICIT_LE], roles: { scu: true, scp: true } },
]

interface Sides extends AsyncDisposable {
  readonly server: TestServer
  readonly scu: TestScu
}

async function sides(options: TestServerOptions, scuOptions: TestScuOptions = {}): Promise<Sides> {
  const server = await createTestServer({ contexts: CONTEXTS, ...options })
  const scu = await testScu(server, {
    contexts: [[VERIFICATION], [STUDY_ROOT_FIND], [STUDY_ROOT_GET], [STUDY_ROOT_MOVE], [CT_IMAGE]],
    roles: [{ sopClassUid: CT_IMAGE, scuRole: false, scpRole: true }],
    ...scuOptions,
  })
  return {
    server,
    scu,
    async [Symbol.asyncDispose]() {
      await scu.dul.kill()
      await server[Symbol.asyncDispose]()
    },
  }
}

function statuses(responses: readonly TestResponse[]): string[] {
  return responses.map(({ status }) => status.toString(16).padStart(4, '0'))
}

// ── C-FIND ──────────────────────────────────────────────────────────────────────────────────────────────

test('each match is a Pending with its identifier, then 0000 without one', async (t) => {
  await using side = await sides({
    handlers: {
      cFind: async function* (request) {
        const query = await request.identifier.dataset()
        yield { PatientID: query['PatientID'] }
        yield { identifier: { PatientID: '43' }, status: 0xff01 }
        yield Buffer.from(IDENTIFIER)
      },
    },
  } as TestServerOptions)
  const responses = await (await side.scu.find({ PatientID: '42' }, STUDY_ROOT_FIND)).all()
  t.deepEqual(statuses(responses), ['ff00', 'ff01', 'ff00', '0000'])
  t.deepEqual(await Promise.all(responses.map((response) => response.dataset())), [
    { PatientID: '42' },
    { PatientID: '43' },
    { PatientID: '42' },
    undefined,
  ])
  t.like(responses[0]!.command, { commandField: 0x8020, affectedSopClassUid: STUDY_ROOT_FIND, commandDataSetType: 1 })
  t.like(responses[3]!.command, { commandDataSetType: 0x0101 })
})

test('no match is 0000 alone; arrays and synchronous generators are iterables too', async (t) => {
  const answers = [
    [],
    [{ PatientID: '1' }],
    (function* () {
      yield { PatientID: '1' }
      yield { PatientID: '2' }
    })(),
  ]
  for (const [index, answer] of answers.entries()) {
    await using side = await sides({ handlers: { cFind: () => answer } })
    const responses = await (await side.scu.find(IDENTIFIER, STUDY_ROOT_FIND)).all()
    t.deepEqual(statuses(responses), [...Array.from({ length: index }, () => 'ff00'), '0000'])
  }
})

test('a plain status ends the query; so does what the generator returns', async (t) => {
  const cases: [answer: () => unknown, expected: string[]][] = [
    [() => 0xa700, ['a700']],
    [() => ({ status: 0xa900, errorComment: 'no' }), ['a900']],
    [
      async function* () {
        yield { PatientID: '1' }
        return 0xb001
      },
      ['ff00', 'b001'],
    ],
    [
      async function* () {
        yield* []
        return { status: 0xa700, errorComment: 'later' }
      },
      ['a700'],
    ],
    [
      async function* () {
        yield* []
        return 0xff00
      },
      ['0000'],
    ],
    [
      async function* () {
        yield* []
        return 'done'
      },
      ['0000'],
    ],
  ]
  for (const [answer, expected] of cases) {
    await using side = await sides({ handlers: { cFind: answer as never } })
    t.deepEqual(statuses(await (await side.scu.find(IDENTIFIER, STUDY_ROOT_FIND)).all()), expected, String(answer))
  }
})

test('a generator that fails ends the query with a failure, after the matches before it', async (t) => {
  const cases: [thrown: unknown, status: string, comment: string][] = [
    [new Error('the index is away'), 'c311', 'Processing failure'],
    [new StatusError(0xa700, { errorComment: 'Out of cursors' }), 'a700', 'Out of cursors'],
    [undefined, 'c311', 'Processing failure'],
  ]
  for (const [thrown, status, comment] of cases) {
    await using side = await sides({
      handlers: {
        cFind: async function* () {
          yield { PatientID: '1' }
          throw thrown
        },
      },
    } as TestServerOptions)
    const responses = await (await side.scu.find(IDENTIFIER, STUDY_ROOT_FIND)).all()
    t.deepEqual(statuses(responses), ['ff00', status])
    t.is(responses[1]!.command.errorComment, comment)
    t.is((await side.scu.echo()).status, 0)
  }
})

test('matches that are none, or cannot be encoded, end the query with C311', async (t) => {
  for (const match of [null, 5, 'text', undefined, { NoSuchKeyword: '1' }, { identifier: null }]) {
    let isEnded = false
    await using side = await sides({
      handlers: {
        cFind: async function* () {
          try {
            yield match
            yield { PatientID: '2' }
          } finally {
            isEnded = true
          }
        },
      },
    } as never)
    t.deepEqual(statuses(await (await side.scu.find(IDENTIFIER, STUDY_ROOT_FIND)).all()), ['c311'], JSON.stringify(match))
    t.true(isEnded, 'return() ran')
  }
})

test('findIdentifier changes the query before the handler sees it, findMatch each match before it leaves', async (t) => {
  await using side = await sides({
    handlers: {
      findIdentifier: async (identifier, operation) => ({ ...identifier, PatientName: operation.association.callingAeTitle }),
      cFind: async function* (request: { identifier: { dataset(): Promise<unknown> } }) {
        yield (await request.identifier.dataset()) as never
        yield { PatientID: '2' }
      } as never,
      findMatch: (match, operation) => {
        t.is(operation.service, 'C-FIND')
        return { identifier: { ...(match.identifier as object), AccessionNumber: 'A1' }, status: 0xff01 }
      },
    },
  })
  const responses = await (await side.scu.find({ PatientID: '42' }, STUDY_ROOT_FIND)).all()
  t.deepEqual(statuses(responses), ['ff01', 'ff01', '0000'])
  t.like(await responses[0]!.dataset(), { PatientID: '42', AccessionNumber: 'A1' })
  t.regex(JSON.stringify(await responses[0]!.dataset()), /TEST-SCU/)
})

test('transforms that fail end the query; those that give undefined change nothing', async (t) => {
  for (const [handlers, expected] of [
    [{ findMatch: () => { throw new Error('no') } }, ['c311']],
    [{ findMatch: () => { throw new StatusError(0xa700) } }, ['a700']],
    [{ findIdentifier: () => Promise.reject(new StatusError(0xa900)) }, ['a900']],
    [{ findMatch: () => undefined, findIdentifier: () => undefined }, ['ff00', '0000']],
  ] as const) {
    await using side = await sides({
      handlers: {
        cFind: async function* (request: { identifier: { dataset(): Promise<unknown> } }) {
          yield (await request.identifier.dataset()) as never
        },
        ...handlers,
      } as never,
    })
    t.deepEqual(statuses(await (await side.scu.find(IDENTIFIER, STUDY_ROOT_FIND)).all()), expected)
  }
})

test('matches are pulled one by one, as fast as the peer reads', async (t) => {
  let pulled = 0
  await using server = await createTestServer({
    contexts: CONTEXTS,
    handlers: {
      cFind: async function* () {
        for (; pulled < 2_000; pulled++) yield Buffer.alloc(1_000)
      } as never,
    },
  })
  using peer = connected(server, { bufferBytes: 20_000 })
  await peer.associate({ contexts: [[STUDY_ROOT_FIND]] })
  peer.pause()
  await peer.sendMessage(1, { commandField: 0x0020, messageId: 1, affectedSopClassUid: STUDY_ROOT_FIND, priority: 0, commandDataSetType: 1 }, IDENTIFIER)
  await turnsUntil(() => pulled === 2_000, 1_000)
  t.true(pulled > 0 && pulled < 100, `${pulled} of 2000 matches were pulled while the peer does not read`)
  peer.resume()
  let responses = 0
  while ((await peer.receiveMessage()).command.status === 0xff00) responses += 1
  t.is(responses, 2_000)
})

// ── C-CANCEL (PS3.7 9.3.2.3) ────────────────────────────────────────────────────────────────────────────

test('C-CANCEL: FE00, the signal is aborted, the generator’s finally runs', async (t) => {
  const ended = deferred<Operation>()
  await using side = await sides({
    handlers: {
      cFind: async function* (_request: unknown, operation: Operation) {
        try {
          for (;;) {
            yield { PatientID: '1' }
            await turn()
          }
        } finally {
          ended.resolve(operation)
        }
      } as never,
    },
  })
  using recorder = hookRecorder(side.server.ae)
  const request = await side.scu.find(IDENTIFIER, STUDY_ROOT_FIND)
  await turnsUntil(() => request.responses.length >= 3)
  await side.scu.cancel(request)
  const final = await request.final()
  t.is(final.status, 0xfe00)
  t.is(final.bytes, undefined)
  const operation = await ended.promise
  t.true(operation.isCancelled)
  t.true(operation.isCancelled, 'and stays so')
  t.is((operation.signal.reason as DicomtapError).code, 'DICOMTAP_ERR_DIMSE_CANCELLED')
  t.is((await recorder.next('operationCancelled')).operation, operation)
  t.like(await recorder.next('operationCompleted'), { status: 0xfe00 })
  t.is((await side.scu.echo()).status, 0)
})

test('C-CANCEL: FE00 at once, even when the generator, or the handler, is stuck', async (t) => {
  const stuckGenerator = async function* (): AsyncGenerator<never, void, undefined> {
    await new Promise(() => {})
    yield* []
  }
  for (const cFind of [stuckGenerator, () => new Promise<never>(() => {})]) {
    await using side = await sides({ handlers: { cFind: cFind as never } })
    const request = await side.scu.find(IDENTIFIER, STUDY_ROOT_FIND)
    await settle()
    await side.scu.cancel(request)
    t.deepEqual(statuses(await request.all()), ['fe00'])
    t.is((await side.scu.echo()).status, 0)
  }
})

test('C-CANCEL of a request that waits for its turn: FE00, and no handler is asked', async (t) => {
  const gate = deferred<number>()
  let asked = 0
  await using side = await sides({
    handlers: {
      cEcho: () => gate.promise,
      cFind: () => {
        asked += 1
        return 0
      },
    },
  })
  const echo = side.scu.echo()
  const request = await side.scu.find(IDENTIFIER, STUDY_ROOT_FIND)
  await side.scu.cancel(request)
  await settle()
  gate.resolve(0)
  t.is((await echo).status, 0)
  t.deepEqual(statuses(await request.all()), ['fe00'])
  t.is(asked, 0)
})

test('C-CANCEL of what cannot be cancelled, is not there, or is over, changes nothing', async (t) => {
  const gate = deferred<number>()
  await using side = await sides({ handlers: { cEcho: () => gate.promise } })
  using recorder = hookRecorder(side.server.ae)
  const request = side.scu.request(VERIFICATION, { commandField: 0x0030, affectedSopClassUid: VERIFICATION })
  await side.scu.cancel(request)
  await side.scu.cancel({ ...request, messageId: 999, context: request.context } as never)
  await settle()
  gate.resolve(0)
  t.is((await request.final()).status, 0)
  await side.scu.cancel(request)
  t.is((await side.scu.echo()).status, 0)
  t.deepEqual(recorder.of('operationCancelled'), [])
})

test('a second C-CANCEL is not told again', async (t) => {
  await using side = await sides({ handlers: { cFind: () => new Promise<never>(() => {}) } })
  using recorder = hookRecorder(side.server.ae)
  const request = await side.scu.find(IDENTIFIER, STUDY_ROOT_FIND)
  await Promise.all([side.scu.cancel(request), side.scu.cancel(request)])
  t.is((await request.final()).status, 0xfe00)
  await settle()
  t.is(recorder.of('operationCancelled').length, 1)
})

test('release, abort and disconnect end a query: signal, finally, and no Pending any more', async (t) => {
  for (const [end, reason] of [
    ['release', 'DICOMTAP_ERR_ACSE_RELEASED'],
    ['abort', 'DICOMTAP_ERR_ACSE_ABORTED'],
    ['disconnect', 'DICOMTAP_ERR_ACSE_ABORTED'],
  ] as const) {
    const ended = deferred<AbortSignal>()
    await using side = await sides({
      handlers: {
        cFind: async function* (_request: unknown, operation: Operation) {
          const { signal } = operation
          try {
            for (;;) {
              yield { PatientID: '1' }
              await turn()
            }
          } finally {
            ended.resolve(signal)
          }
        } as never,
      },
    })
    using recorder = hookRecorder(side.server.ae)
    const request = await side.scu.find(IDENTIFIER, STUDY_ROOT_FIND)
    await turnsUntil(() => request.responses.length >= 2)
    if (end === 'release') t.is((await side.scu.release()).type, 'A-RELEASE-CONFIRMATION')
    else if (end === 'abort') await side.scu.abort()
    else await side.scu.dul.kill()
    const signal = await ended.promise
    t.true(signal.aborted)
    t.is((signal.reason as DicomtapError).code, reason)
    await recorder.next('operationCompleted')
    await recorder.next(end === 'release' ? 'associationReleased' : 'associationAborted')
    t.deepEqual(side.server.ae.activeAssociations, [])
  }
})

// ── C-GET (PS3.4 C.4.3) ─────────────────────────────────────────────────────────────────────────────────

function instance(number: number, changes: Partial<InstanceToSend> = {}): InstanceToSend {
  return {
    sopClassUid: CT_IMAGE,
    sopInstanceUid: `1.2.${number}`,
    transferSyntaxUid: IMPLICIT_LE,
    bytes: () => [Buffer.alloc(5_000, number), Buffer.alloc(15_000, number)],
    ...changes,
  }
}

function counters(command: CommandSet): (number | undefined)[] {
  return [
    command.numberOfRemainingSuboperations,
    command.numberOfCompletedSuboperations,
    command.numberOfFailedSuboperations,
    command.numberOfWarningSuboperations,
  ]
}

interface GetCase {
  /** What the SCU answers to each sub-operation. */
  readonly answers: readonly number[]
  readonly total?: number
  /** Default: one for each answer. */
  readonly instances?: () => readonly InstanceToSend[]
  readonly final: string
  /** Remaining, completed, failed, warning of each response. */
  readonly counts: readonly (readonly (number | undefined)[])[]
  readonly failed?: string | readonly string[]
}

// PS3.4 table C.4-3 and C.4.3.1.4: remaining in Pending and Cancel alone, the failed list in the final alone.
const GET_CASES: Readonly<Record<string, GetCase>> = {
  'all stored': {
    answers: [0, 0],
    total: 2,
    final: '0000',
    counts: [[1, 1, 0, 0], [0, 2, 0, 0], [undefined, 2, 0, 0]],
  },
  'all stored, how many not known before': {
    answers: [0, 0],
    final: '0000',
    counts: [[undefined, 1, 0, 0], [undefined, 2, 0, 0], [undefined, 2, 0, 0]],
  },
  'none to send': { answers: [], total: 0, final: '0000', counts: [[undefined, 0, 0, 0]] },
  'one failed': {
    answers: [0, 0xa700],
    total: 2,
    final: 'b000',
    counts: [[1, 1, 0, 0], [0, 1, 1, 0], [undefined, 1, 1, 0]],
    failed: '1.2.2',
  },
  'one with a warning': {
    answers: [0xb000, 0],
    total: 2,
    final: 'b000',
    counts: [[1, 0, 0, 1], [0, 1, 0, 1], [undefined, 1, 0, 1]],
  },
  'warnings alone': { answers: [0xb007], total: 1, final: 'b000', counts: [[0, 0, 0, 1], [undefined, 0, 0, 1]] },
  'all failed': {
    answers: [0xa700, 0xc000],
    total: 2,
    final: 'a702',
    counts: [[1, 0, 1, 0], [0, 0, 2, 0], [undefined, 0, 2, 0]],
    failed: ['1.2.1', '1.2.2'],
  },
  'fewer than promised': {
    answers: [0],
    total: 3,
    final: 'b000',
    counts: [[2, 1, 0, 0], [undefined, 1, 2, 0]],
  },
  'none of those promised': { answers: [], total: 2, final: 'a702', counts: [[undefined, 0, 2, 0]] },
  'more than promised': {
    answers: [0, 0],
    total: 1,
    final: '0000',
    counts: [[0, 1, 0, 0], [0, 2, 0, 0], [undefined, 2, 0, 0]],
  },
  'a class the SCU did not ask for': {
    answers: [0],
    total: 2,
    instances: () => [instance(1, { sopClassUid: MR_IMAGE }), instance(2)],
    final: 'b000',
    counts: [[1, 0, 1, 0], [0, 1, 1, 0], [undefined, 1, 1, 0]],
    failed: '1.2.1',
  },
  'a transfer syntax that was not accepted': {
    answers: [],
    total: 1,
    instances: () => [instance(1, { transferSyntaxUid: EXPLICIT_LE })],
    final: 'a702',
    counts: [[0, 0, 1, 0], [undefined, 0, 1, 0]],
    failed: '1.2.1',
  },
  'a file that cannot be opened': {
    answers: [0],
    total: 2,
    instances: () => [
      instance(1, {
        bytes: async function* () {
          yield* []
          throw new Error('ENOENT: /archive/1')
        },
      }),
      instance(2),
    ],
    final: 'b000',
    counts: [[1, 0, 1, 0], [0, 1, 1, 0], [undefined, 1, 1, 0]],
    failed: '1.2.1',
  },
  'bytes() that throws': {
    answers: [],
    total: 1,
    instances: () => [
      instance(1, {
        bytes: () => {
          throw new Error('ENOENT')
        },
      }),
    ],
    final: 'a702',
    counts: [[0, 0, 1, 0], [undefined, 0, 1, 0]],
    failed: '1.2.1',
  },
  'bytes() that gives no bytes': {
    answers: [],
    total: 1,
    instances: () => [instance(1, { bytes: () => ['text'] as never })],
    final: 'a702',
    counts: [[0, 0, 1, 0], [undefined, 0, 1, 0]],
    failed: '1.2.1',
  },
}

for (const [name, { answers, total, instances, final, counts, failed }] of Object.entries(GET_CASES)) {
  test(`C-GET, ${name}: ${final}`, async (t) => {
    let next = 0
    await using side = await sides(
      {
        handlers: {
          cGet: () => ({
            instances: instances?.() ?? answers.map((_, index) => instance(index + 1)),
            ...(total === undefined ? {} : { total }),
          }),
        },
      },
      { onRequest: () => answers[next++] },
    )
    using recorder = hookRecorder(side.server.ae)
    const responses = await (await side.scu.get(IDENTIFIER, STUDY_ROOT_GET)).all()
    t.deepEqual(statuses(responses), [...counts.slice(1).map(() => 'ff00'), final])
    t.deepEqual(responses.map(({ command }) => counters(command)), counts as never)
    for (const pending of responses.slice(0, -1)) t.is(pending.bytes, undefined, 'a Pending has no identifier')
    const identifier = await responses.at(-1)!.dataset()
    t.deepEqual(identifier, failed === undefined ? undefined : { FailedSOPInstanceUIDList: failed })
    t.is(recorder.of('subOperationCompleted').length, counts.length - 1)
    t.is((await side.scu.echo()).status, 0)
  })
}

test('a sub-operation is a C-STORE on the context of its class and transfer syntax, byte for byte', async (t) => {
  await using side = await sides({ handlers: { cGet: () => ({ instances: [instance(7), instance(8)], total: 2 }) } })
  using recorder = hookRecorder(side.server.ae)
  await (await side.scu.get(IDENTIFIER, STUDY_ROOT_GET)).final()
  t.is(side.scu.received.length, 2)
  const [first, second] = side.scu.received as [IncomingRequest, IncomingRequest]
  t.is(first.context.abstractSyntax, CT_IMAGE)
  t.like(first.command, { commandField: 0x0001, affectedSopClassUid: CT_IMAGE, affectedSopInstanceUid: '1.2.7', priority: 0 })
  t.deepEqual(first.bytes, Buffer.alloc(20_000, 7))
  t.not(first.command.messageId, second.command.messageId)
  t.is(first.command.moveOriginatorApplicationEntityTitle, undefined, 'C-GET has no originator (PS3.7 9.3.1.1)')
  t.deepEqual(recorder.of('subOperationCompleted').map(({ sopInstanceUid, status }) => [sopInstanceUid, status]), [
    ['1.2.7', 0],
    ['1.2.8', 0],
  ])
})

test('without the SCP role of the requestor no sub-operation is sent', async (t) => {
  await using side = await sides({ handlers: { cGet: () => ({ instances: [instance(1)], total: 1 }) } }, { roles: [] })
  const final = await (await side.scu.get(IDENTIFIER, STUDY_ROOT_GET)).final()
  t.is(final.status, 0xa702)
  t.deepEqual(side.scu.received, [])
})

test('C-GET with a window: as many sub-operations are outstanding as it allows, pulled no earlier', async (t) => {
  const gates = Array.from({ length: 6 }, () => deferred<number>())
  let pulled = 0
  let stored = 0
  await using server = await createTestServer({
    contexts: CONTEXTS,
    handlers: {
      asyncOperations: () => ({ invoked: 1, performed: 3 }),
      cGet: () => ({
        total: 6,
        instances: (function* () {
          while (pulled < 6) {
            pulled += 1
            yield instance(pulled)
          }
        })(),
      }),
    },
  })
  await using client = await createTestServer()
  await using association = await client.ae.associate({
    host: '127.0.0.1',
    port: server.port,
    contexts: [
      { abstractSyntax: STUDY_ROOT_GET, transferSyntaxes: [IMPLICIT_LE] },
      { abstractSyntax: CT_IMAGE, transferSyntaxes: [IMPLICIT_LE], roles: { scu: false, scp: true } },
    ],
    asynchronousOperations: { invoked: 1, performed: 4 },
    handlers: { cStore: () => gates[stored++]!.promise },
  })
  const counts: (number | undefined)[][] = []
  const failed: string[] = []
  const got = (async () => {
    for await (const response of association.cGet(IDENTIFIER, { model: STUDY_ROOT_GET })) {
      counts.push(counters(response.command))
      failed.push(...response.failedSopInstanceUids)
    }
  })()
  t.true(await turnsUntil(() => stored === 3))
  await settle()
  t.deepEqual([pulled, stored], [3, 3])
  gates[2]!.resolve(0xa700)
  t.true(await turnsUntil(() => stored === 4))
  await settle()
  t.deepEqual([pulled, stored], [4, 4])
  for (const gate of gates) gate.resolve(0)
  await got
  t.deepEqual(counts.map(([remaining]) => remaining), [5, 4, 3, 2, 1, 0, undefined])
  t.deepEqual(counts.at(-1), [undefined, 5, 1, 0])
  t.deepEqual(failed, ['1.2.3'])
})

test('C-CANCEL during C-GET: FE00 with what remains and what failed', async (t) => {
  const gate = deferred()
  const ended = deferred()
  let answered = 0
  await using side = await sides(
    {
      handlers: {
        cGet: () => ({
          total: 5,
          instances: (async function* () {
            try {
              for (let number = 1; number <= 5; number++) yield instance(number)
            } finally {
              ended.resolve()
            }
          })(),
        }),
      },
    },
    {
      onRequest: async () => {
        answered += 1
        if (answered === 3) await gate.promise
        return answered === 1 ? 0xa700 : 0
      },
    },
  )
  const request = await side.scu.get(IDENTIFIER, STUDY_ROOT_GET)
  await turnsUntil(() => answered === 3)
  await side.scu.cancel(request)
  await settle()
  t.is(request.responses.length, 2, 'the sub-operation under way ends first')
  gate.resolve()
  const final = await request.final()
  t.is(final.status, 0xfe00)
  t.deepEqual(counters(final.command), [2, 2, 1, 0])
  t.deepEqual(await final.dataset(), { FailedSOPInstanceUIDList: '1.2.1' })
  await ended.promise
  t.is(side.scu.received.length, 3)
})

test('C-CANCEL while the next instance is looked for does not wait for it', async (t) => {
  await using side = await sides({
    handlers: {
      cGet: () => ({
        total: 2,
        instances: (async function* () {
          yield instance(1)
          await new Promise(() => {})
        })(),
      }),
    },
  })
  const request = await side.scu.get(IDENTIFIER, STUDY_ROOT_GET)
  await turnsUntil(() => request.responses.length === 1)
  await side.scu.cancel(request)
  const final = await request.final()
  t.is(final.status, 0xfe00)
  t.deepEqual(counters(final.command), [1, 1, 0, 0])
})

test('a generator that fails midway: its status, what was not tried counts as failed', async (t) => {
  for (const [thrown, status] of [
    [new StatusError(0xa701, { errorComment: 'The index is away' }), 0xa701],
    [new Error('the index is away'), 0xc411],
  ] as const) {
    await using side = await sides({
      handlers: {
        cGet: () => ({
          total: 4,
          instances: (async function* () {
            yield instance(1)
            throw thrown
          })(),
        }),
      },
    })
    const final = await (await side.scu.get(IDENTIFIER, STUDY_ROOT_GET)).final()
    t.is(final.status, status)
    t.deepEqual(counters(final.command), [undefined, 1, 3, 0])
  }
})

test('answers of C-GET that are none: one final response, and the iterator is let go', async (t) => {
  for (const answer of [{ instances: 5 }, { instances: null }, { instances: [null] }, { instances: ['x'] }, { instances: [{}], total: 1 }, { instances: [instance(1)], total: Number.NaN }]) {
    await using side = await sides({ handlers: { cGet: () => answer as never } })
    const final = await (await side.scu.get(IDENTIFIER, STUDY_ROOT_GET)).final()
    t.true(final.status >= 0xa700 && final.status < 0xd000, final.status.toString(16))
    t.is((await side.scu.echo()).status, 0)
  }
})

test('a source that fails in the middle of an instance: the association cannot go on', async (t) => {
  await using side = await sides({
    handlers: {
      cGet: () => ({
        instances: [
          instance(1, {
            bytes: async function* () {
              yield Buffer.alloc(40_000)
              throw new Error('EIO')
            },
          }),
        ],
      }),
    },
  })
  using recorder = hookRecorder(side.server.ae)
  const request = await side.scu.get(IDENTIFIER, STUDY_ROOT_GET)
  await t.throwsAsync(request.final())
  t.like(await side.scu.ended, { type: 'ABORT', source: 0, by: 'peer' })
  t.like(await recorder.next('associationAborted'), { by: 'local', message: 'A request could not be sent: EIO' })
  await recorder.next('operationCompleted')
})

test('a peer that does not answer a sub-operation is aborted after dimseMs, and the generator let go', async (t) => {
  const ended = deferred()
  await using side = await sides(
    {
      timeouts: { dimseMs: 300 },
      handlers: {
        cGet: () => ({
          instances: (async function* () {
            try {
              yield instance(1)
              yield instance(2)
            } finally {
              ended.resolve()
            }
          })(),
        }),
      },
    },
    { onRequest: () => undefined },
  )
  using recorder = hookRecorder(side.server.ae)
  const request = await side.scu.get(IDENTIFIER, STUDY_ROOT_GET)
  await t.throwsAsync(request.final())
  t.like(await recorder.next('associationAborted'), { by: 'local', message: 'The peer did not answer a request in time' })
  await ended.promise
})

test('a release during a sub-operation is confirmed without waiting for its answer, which cannot come any more', async (t) => {
  const received = deferred()
  await using side = await sides(
    { handlers: { cGet: () => ({ instances: [instance(1), instance(2)], total: 2 }) } },
    {
      onRequest: () => {
        received.resolve()
        return undefined
      },
    },
  )
  using recorder = hookRecorder(side.server.ae)
  const request = await side.scu.get(IDENTIFIER, STUDY_ROOT_GET)
  await received.promise
  t.is((await side.scu.release()).type, 'A-RELEASE-CONFIRMATION')
  t.is(request.responses.length, 1, 'one final response before it')
  t.like(await recorder.next('operationCompleted'), { responses: 1 })
  await recorder.next('associationReleased', () => true, 1_000)
})

test('an instance is read from its source as fast as the peer takes it, however long that is', async (t) => {
  let drawn = 0
  await using server = await createTestServer({
    contexts: CONTEXTS,
    timeouts: { dimseMs: 250, networkMs: null },
    handlers: {
      cGet: () => ({
        instances: [
          instance(1, {
            bytes: function* () {
              for (; drawn < 300; drawn++) yield Buffer.alloc(10_000)
            },
          }),
        ],
      }),
    },
  })
  using peer = connected(server, { bufferBytes: 20_000 })
  await peer.associate({ contexts: [[STUDY_ROOT_GET], [CT_IMAGE]], roles: [{ sopClassUid: CT_IMAGE, scuRole: false, scpRole: true }] })
  peer.pause()
  await peer.sendMessage(1, { commandField: 0x0010, messageId: 1, affectedSopClassUid: STUDY_ROOT_GET, priority: 0, commandDataSetType: 1 }, IDENTIFIER)
  // Longer than dimseMs: the wait for the response begins when the request has left.
  await new Promise((resolve) => setTimeout(resolve, 600))
  t.true(drawn > 0 && drawn < 60, `${drawn} of 300 pieces were drawn`)
  peer.resume()
  const store = await peer.receiveMessage()
  t.is(store.dataSet?.length, 3_000_000)
  await peer.sendMessage(3, { commandField: 0x8001, messageIdBeingRespondedTo: store.command.messageId!, status: 0, commandDataSetType: 0x0101 })
  t.is((await peer.receiveMessage()).command.status, 0xff00)
  t.is((await peer.receiveMessage()).command.status, 0)
})

test('abort of the association during C-GET ends the generator, and sends nothing more', async (t) => {
  const ended = deferred()
  const received = deferred()
  await using side = await sides(
    {
      handlers: {
        cGet: () => ({
          instances: (async function* () {
            try {
              for (let number = 1; ; number++) yield instance(number)
            } finally {
              ended.resolve()
            }
          })(),
        }),
      },
    },
    { onRequest: () => (received.resolve(), 0) },
  )
  using recorder = hookRecorder(side.server.ae)
  await side.scu.get(IDENTIFIER, STUDY_ROOT_GET)
  await received.promise
  await side.scu.abort()
  await ended.promise
  t.like(await recorder.next('operationCompleted'), { operation: { service: 'C-GET' } })
  t.is(recorder.of('associationAborted').length, 1)
})

// ── C-MOVE: what is not in move.test.ts ─────────────────────────────────────────────────────────────────

test('C-MOVE: C-CANCEL ends it as it does the others', async (t) => {
  await using side = await sides({ handlers: { cMove: () => new Promise<never>(() => {}) } })
  const request = await side.scu.move(IDENTIFIER, STUDY_ROOT_MOVE, 'ELSEWHERE')
  await settle()
  await side.scu.cancel(request)
  t.is((await request.final()).status, 0xfe00)
})
