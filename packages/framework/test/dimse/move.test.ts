import test from 'ava'
import type { CommandSet } from '../../dist/dimse/command-set.js'
import type { CStoreRequest, InstanceToSend, Operation, RetrieveAnswerInstances } from '../../dist/dimse/types.js'
import { StatusError } from '../../dist/errors/index.js'
import type { HookHandler } from '../../dist/hooks/types.js'
import { createTestServer, hookRecorder, testScu } from '../../dist/testing/index.js'
import type { TestResponse, TestScu, TestScuOptions, TestServer, TestServerOptions } from '../../dist/testing/index.js'
import { deferred, settle, turnsUntil } from '../support/connections.ts'
import { IDENTIFIER } from '../support/requests.ts'
import { CT_IMAGE, EXPLICIT_LE, IMPLICIT_LE, JPEG_LOSSLESS, MR_IMAGE, STUDY_ROOT_MOVE, VERIFICATION } from '../support/uids.ts'

interface Received {
  readonly request: CStoreRequest
  readonly operation: Operation
  readonly bytes: Buffer
}
type StoreStatus = (received: Received, index: number) => number | Promise<number>

/** An archive that moves, the destination it moves to, and who asks for it. */
interface Sides extends AsyncDisposable {
  readonly archive: TestServer
  readonly destination: TestServer
  readonly scu: TestScu
  /** What the destination has got, in order. */
  readonly received: Received[]
  move(moveDestination?: string): Promise<Move>
}
type Move = Awaited<ReturnType<TestScu['move']>>

interface Options {
  readonly answer: () => RetrieveAnswerInstances
  readonly archive?: TestServerOptions
  readonly destination?: TestServerOptions
  readonly scu?: TestScuOptions
  readonly store?: StoreStatus
}

async function sides({ answer, archive = {}, destination = {}, scu = {}, store = () => 0 }: Options): Promise<Sides> {
  const received: Received[] = []
  const cStore: HookHandler<'cStore'> = async (request, operation) => {
    const entry = { request, operation, bytes: await request.dataSet.buffer() }
    received.push(entry)
    return store(entry, received.length - 1)
  }
  const to = await createTestServer({
    aeTitle: 'DESTINATION',
    contexts: [
      { abstractSyntax: CT_IMAGE, transferSyntaxes: [IMPLICIT_LE, EXPLICIT_LE, JPEG_LOSSLESS] },
      { abstractSyntax: MR_IMAGE, transferSyntaxes: [IMPLICIT_LE] },
    ],
    ...destination,
    handlers: { cStore, ...destination.handlers },
  })
  const from = await createTestServer({
    aeTitle: 'ARCHIVE',
    contexts: [
      { abstractSyntax: STUDY_ROOT_MOVE, transferSyntaxes: [IMPLICIT_LE] },
      { abstractSyntax: VERIFICATION, transferSyntaxes: [IMPLICIT_LE] },
    ],
    ...archive,
    handlers: {
      cMove: answer,
      moveDestination: (title) => (title === 'UNKNOWN' ? undefined : { host: '127.0.0.1', port: to.port }),
      ...archive.handlers,
    },
  })
  const asking = await testScu(from, { contexts: [[STUDY_ROOT_MOVE], [VERIFICATION]], calledAeTitle: 'THE-ARCHIVE', callingAeTitle: 'WORKSTATION', ...scu })
  return {
    archive: from,
    destination: to,
    scu: asking,
    received,
    move: (title = 'DESTINATION') => asking.move(IDENTIFIER, STUDY_ROOT_MOVE, title),
    async [Symbol.asyncDispose]() {
      await asking.dul.kill()
      await from[Symbol.asyncDispose]()
      await to[Symbol.asyncDispose]()
    },
  }
}

function instance(number: number, changes: Partial<InstanceToSend> = {}): InstanceToSend {
  return {
    sopClassUid: CT_IMAGE,
    sopInstanceUid: `1.2.${number}`,
    transferSyntaxUid: IMPLICIT_LE,
    bytes: () => [Buffer.alloc(20_000, number)],
    ...changes,
  }
}

function instances(count: number, change: (number: number) => Partial<InstanceToSend> = () => ({})): InstanceToSend[] {
  return Array.from({ length: count }, (_, index) => instance(index + 1, change(index + 1)))
}

/** Remaining, completed, failed, warning (0000,1020 to 0000,1023). */
function counters(command: CommandSet): (number | undefined)[] {
  return [
    command.numberOfRemainingSuboperations,
    command.numberOfCompletedSuboperations,
    command.numberOfFailedSuboperations,
    command.numberOfWarningSuboperations,
  ]
}

function hex({ status }: TestResponse): string {
  return status.toString(16).padStart(4, '0')
}

async function failedUids(final: TestResponse): Promise<unknown> {
  return (await final.dataset())?.['FailedSOPInstanceUIDList']
}

// ── Sub-operations (PS3.7 9.1.4, PS3.4 C.4.2) ───────────────────────────────────────────────────────────

test('each instance arrives byte for byte in its transfer syntax, with who asked for it; one Pending after each', async (t) => {
  const pixels = Buffer.from(Array.from({ length: 300_001 }, (_, index) => (index * 31) % 251))
  await using side = await sides({
    answer: () => ({
      total: 3,
      instances: [
        instance(1, { bytes: () => [pixels.subarray(0, 7), pixels.subarray(7, 200_000), pixels.subarray(200_000)] }),
        instance(2, { transferSyntaxUid: JPEG_LOSSLESS }),
        instance(3, { sopClassUid: MR_IMAGE }),
      ],
    }),
  })
  using recorder = hookRecorder(side.archive.ae)
  const request = await side.move()
  const responses = await request.all()
  t.deepEqual(responses.map(hex), ['ff00', 'ff00', 'ff00', '0000'])
  t.deepEqual(responses.map(({ command }) => counters(command)), [
    [2, 1, 0, 0],
    [1, 2, 0, 0],
    [0, 3, 0, 0],
    [undefined, 3, 0, 0],
  ])
  t.true(responses.every(({ bytes }) => bytes === undefined))
  t.deepEqual(side.received[0]!.bytes, pixels)
  t.deepEqual(side.received.map(({ request: { affectedSopInstanceUid }, operation: { context } }) => [affectedSopInstanceUid, context.abstractSyntax, context.transferSyntax]), [
    ['1.2.1', CT_IMAGE, IMPLICIT_LE],
    ['1.2.2', CT_IMAGE, JPEG_LOSSLESS],
    ['1.2.3', MR_IMAGE, IMPLICIT_LE],
  ])
  for (const { request: store, operation } of side.received) {
    // PS3.7 9.3.1.1: the AE that invoked the C-MOVE, and the Message ID of its request.
    t.is(store.moveOriginatorApplicationEntityTitle, 'WORKSTATION')
    t.is(store.moveOriginatorMessageId, request.messageId)
    t.is(operation.association.callingAeTitle, 'THE-ARCHIVE')
    t.is(operation.association.calledAeTitle, 'DESTINATION')
  }
  t.is(new Set(side.received.map(({ operation }) => operation.association)).size, 1)
  t.deepEqual(recorder.of('subOperationCompleted').map(({ sopInstanceUid, status, operation }) => [sopInstanceUid, status, operation.service]), [
    ['1.2.1', 0, 'C-MOVE'],
    ['1.2.2', 0, 'C-MOVE'],
    ['1.2.3', 0, 'C-MOVE'],
  ])
})

interface MoveCase {
  readonly count: number
  readonly total?: number
  readonly statuses?: readonly number[]
  readonly change?: (number: number) => Partial<InstanceToSend>
  readonly final: string
  readonly counts: readonly (number | undefined)[][]
  readonly failed?: unknown
}

const CASES: Readonly<Record<string, MoveCase>> = {
  'none matches': { count: 0, total: 0, final: '0000', counts: [[undefined, 0, 0, 0]] },
  'how many is known once all were pulled': {
    count: 2,
    final: '0000',
    counts: [[1, 1, 0, 0], [0, 2, 0, 0], [undefined, 2, 0, 0]],
  },
  'a failure and a warning': {
    count: 3,
    total: 3,
    statuses: [0xa700, 0xb000, 0],
    final: 'b000',
    counts: [[2, 0, 1, 0], [1, 0, 1, 1], [0, 1, 1, 1], [undefined, 1, 1, 1]],
    failed: '1.2.1',
  },
  'warnings alone, and no list of failures': {
    count: 1,
    total: 1,
    statuses: [0xb007],
    final: 'b000',
    counts: [[0, 0, 0, 1], [undefined, 0, 0, 1]],
  },
  'all fail': {
    count: 2,
    total: 2,
    statuses: [0xa700, 0xc000],
    final: 'a702',
    counts: [[1, 0, 1, 0], [0, 0, 2, 0], [undefined, 0, 2, 0]],
    failed: ['1.2.1', '1.2.2'],
  },
  'fewer than promised': { count: 1, total: 3, final: 'b000', counts: [[2, 1, 0, 0], [undefined, 1, 2, 0]] },
  'a class that the destination refuses': {
    count: 3,
    total: 3,
    change: (number) => (number === 2 ? { sopClassUid: '1.2.840.10008.5.1.4.1.1.7' } : {}),
    final: 'b000',
    counts: [[2, 1, 0, 0], [1, 1, 1, 0], [0, 2, 1, 0], [undefined, 2, 1, 0]],
    failed: '1.2.2',
  },
  'a transfer syntax that the destination refuses: never sent as another': {
    count: 2,
    total: 2,
    change: (number) => (number === 1 ? { sopClassUid: MR_IMAGE, transferSyntaxUid: EXPLICIT_LE } : { sopClassUid: MR_IMAGE }),
    final: 'b000',
    counts: [[1, 0, 1, 0], [0, 1, 1, 0], [undefined, 1, 1, 0]],
    failed: '1.2.1',
  },
  'no context is accepted': {
    count: 2,
    total: 2,
    change: () => ({ transferSyntaxUid: '1.2.840.10008.1.2.4.50' }),
    final: 'a702',
    counts: [[1, 0, 1, 0], [0, 0, 2, 0], [undefined, 0, 2, 0]],
    failed: ['1.2.1', '1.2.2'],
  },
  'a source that cannot be opened': {
    count: 2,
    total: 2,
    change: (number) => (number === 1 ? { bytes: () => { throw new Error('ENOENT') } } : {}),
    final: 'b000',
    counts: [[1, 0, 1, 0], [0, 1, 1, 0], [undefined, 1, 1, 0]],
    failed: '1.2.1',
  },
  'a source that fails in the middle: its association ends, the others go on': {
    count: 3,
    total: 3,
    change: (number) => (number === 2 ? { bytes: function* () { yield Buffer.alloc(400_000); throw new Error('EIO') } } : {}),
    final: 'b000',
    counts: [[2, 1, 0, 0], [1, 1, 1, 0], [0, 2, 1, 0], [undefined, 2, 1, 0]],
    failed: '1.2.2',
  },
}

for (const [name, { count, total, statuses = [], change, final, counts, failed }] of Object.entries(CASES)) {
  test(`C-MOVE, ${name}: ${final}`, async (t) => {
    await using side = await sides({
      answer: () => ({ instances: instances(count, change), ...(total === undefined ? {} : { total }) }),
      store: (_, index) => statuses[index] ?? 0,
    })
    const responses = await (await side.move()).all()
    t.deepEqual(responses.map(hex), [...counts.slice(1).map(() => 'ff00'), final])
    t.deepEqual(responses.map(({ command }) => counters(command)), counts as never)
    for (const pending of responses.slice(0, -1)) t.is(pending.bytes, undefined, 'a Pending has no identifier')
    t.deepEqual(await responses.at(-1)!.dataset(), failed === undefined ? undefined : { FailedSOPInstanceUIDList: failed })
    t.is((await side.scu.echo()).status, 0)
  })
}

test('a total that can be none is an answer that the hook does not allow', async (t) => {
  for (const total of [Number.NaN, -1, 1.5]) {
    await using side = await sides({ answer: () => ({ instances: instances(1), total }) })
    t.is((await (await side.move()).final()).status, 0xc002)
    t.is(side.received.length, 0)
  }
})

// ── The destination ─────────────────────────────────────────────────────────────────────────────────────

test('an unknown destination: A801, and the instances are let go without one being pulled', async (t) => {
  let pulled = 0
  const returned = deferred()
  await using side = await sides({
    answer: () => ({
      instances: {
        [Symbol.asyncIterator]: () => ({
          next: async () => {
            pulled += 1
            return { done: true as const, value: undefined }
          },
          return: async () => {
            returned.resolve()
            return { done: true as const, value: undefined }
          },
        }),
      },
    }),
  })
  const final = await (await side.move('UNKNOWN')).final()
  t.like(final.command, { status: 0xa801, errorComment: 'Move destination unknown' })
  await returned.promise
  t.is(pulled, 0)
})

test('a handler of cMove can refuse whatever the destination', async (t) => {
  let asked = 0
  await using side = await sides({
    answer: () => 0xa900 as never,
    archive: { handlers: { moveDestination: () => { asked += 1; return undefined } } },
  })
  t.is((await (await side.move('UNKNOWN')).final()).status, 0xa900)
  t.is(asked, 0)
})

test('a destination that cannot be reached, or rejects: A702, all failed, told in the log', async (t) => {
  // Port 1 takes a privilege, and is nobody's.
  for (const [port, code] of [[1, 'DICOMTAP_ERR_NET_CONNECT'], [undefined, 'DICOMTAP_ERR_ACSE_REJECTED']] as const) {
    let isReturned = false
    await using side = await sides({
      answer: () => ({
        total: 200,
        instances: (function* () {
          try {
            yield* instances(200)
          } finally {
            isReturned = true
          }
        })(),
      }),
      destination: { requireCallingAeTitles: ['SOMEBODY'] },
      ...(port === undefined ? {} : { archive: { handlers: { moveDestination: () => ({ host: '127.0.0.1', port }) } } }),
    })
    const final = await (await side.move()).final()
    t.like(final.command, { status: 0xa702, errorComment: 'Cannot associate with the move destination' })
    t.deepEqual(counters(final.command), [undefined, 0, 200, 0])
    t.deepEqual(await failedUids(final), instances(200).map(({ sopInstanceUid }) => sopInstanceUid))
    t.true(isReturned)
    const line = side.archive.log.find(({ message }) => message === 'cannot associate with the move destination')
    t.is((line?.fields['error'] as { code?: string } | undefined)?.code, code)
  }
})

test('a destination that asks for TLS is never sent to without it', async (t) => {
  await using side = await sides({
    answer: () => ({ total: 1, instances: instances(1) }),
    archive: { handlers: { moveDestination: () => ({ host: '127.0.0.1', port: 1, tls: true }) } },
  })
  t.is((await (await side.move()).final()).status, 0xa702)
  const line = side.archive.log.find(({ message }) => message === 'cannot associate with the move destination')
  t.is((line?.fields['error'] as { code?: string } | undefined)?.code, 'DICOMTAP_ERR_TLS_UNAVAILABLE')
})

test('a context that a handler takes out of the proposal is asked for once', async (t) => {
  let asked = 0
  await using side = await sides({
    answer: () => ({ total: 3, instances: instances(3, (number) => (number === 1 ? { sopClassUid: MR_IMAGE } : {})) }),
    archive: {
      handlers: {
        outgoingAssociation: (options) => {
          asked += 1
          return { ...options, contexts: options.contexts.filter(({ abstractSyntax }) => abstractSyntax !== MR_IMAGE) }
        },
      },
    },
  })
  const final = await (await side.move()).final()
  t.deepEqual(counters(final.command), [undefined, 2, 1, 0])
  t.is(await failedUids(final), '1.2.1')
  t.is(asked, 1)
})

test('the titles of the destination come before the defaults', async (t) => {
  await using side = await sides({ answer: () => ({ instances: instances(1) }) })
  side.archive.ae.bind('outgoingAssociation', (options, operation) => {
    t.is(operation?.service, 'C-MOVE')
    t.is(operation?.association.callingAeTitle, 'WORKSTATION')
    return { ...options, calledAeTitle: 'OTHER' }
  })
  const asked = deferred<Operation | undefined>()
  side.archive.ae.bind('outgoingConnection', (_, operation) => {
    asked.resolve(operation)
    return undefined
  })
  await (await side.move()).final()
  t.is((await asked.promise)?.service, 'C-MOVE')
  t.is(side.received[0]!.operation.association.calledAeTitle, 'OTHER')
})

test('130 pairs of class and transfer syntax go over as many associations as have room for them', async (t) => {
  await using side = await sides({
    answer: () => ({ total: 130, instances: instances(130, (number) => ({ sopClassUid: `1.2.3.4.${number}`, bytes: () => [Buffer.alloc(10, number)] })) }),
    destination: { unrestrictedStorage: true },
  })
  const responses = await (await side.move()).all()
  t.is(hex(responses.at(-1)!), '0000')
  t.deepEqual(counters(responses.at(-1)!.command), [undefined, 130, 0, 0])
  const associations = [...new Set(side.received.map(({ operation }) => operation.association))]
  t.deepEqual(associations.map(({ proposedContexts }) => proposedContexts.length), [128, 128, 4], 'each, and what it can be converted to')
  t.deepEqual(side.received.map(({ bytes }) => bytes[0]), Array.from({ length: 130 }, (_, index) => index + 1))
})

test('a pair that comes up late gets an association of its own, also where the destination takes one at a time', async (t) => {
  const late = deferred()
  for (const maximumAssociations of [100, 1]) {
    await using side = await sides({
      answer: () => ({
        total: 3,
        instances: (async function* () {
          yield instance(1)
          await late.promise
          yield instance(2, { sopClassUid: MR_IMAGE })
          yield instance(3)
        })(),
      }),
      destination: { limits: { maximumAssociations } },
      store: () => {
        late.resolve()
        return 0
      },
    })
    const final = await (await side.move()).final()
    t.is(hex(final), '0000')
    t.deepEqual(side.received.map(({ request }) => request.affectedSopInstanceUid), ['1.2.1', '1.2.2', '1.2.3'])
  }
})

test('when only another association cannot be had, what there is one for is sent', async (t) => {
  const late = deferred()
  let asked = 0
  await using side = await sides({
    answer: () => ({
      total: 3,
      instances: (async function* () {
        yield instance(1)
        await late.promise
        yield instance(2, { sopClassUid: MR_IMAGE })
        yield instance(3)
      })(),
    }),
    archive: {
      handlers: {
        outgoingAssociation: (options) => {
          asked += 1
          if (asked === 2) throw new Error('the key store is away')
          return options
        },
      },
    },
    store: () => {
      late.resolve()
      return 0
    },
  })
  const final = await (await side.move()).final()
  t.is(hex(final), 'b000')
  t.deepEqual(counters(final.command), [undefined, 2, 1, 0])
  t.is(await failedUids(final), '1.2.2')
  t.is(asked, 2)
})

test('one C-MOVE has no more than four associations open at once', async (t) => {
  const stored = Array.from({ length: 9 }, () => deferred())
  let most = 0
  await using side = await sides({
    answer: () => ({
      instances: (async function* () {
        for (let number = 1; number <= 8; number++) {
          yield instance(number, { sopClassUid: `1.2.3.4.${number}` })
          await stored[number]!.promise
        }
      })(),
    }),
    destination: { unrestrictedStorage: true },
    store: (_, index) => {
      most = Math.max(most, side.destination.ae.activeAssociations.length)
      stored[index + 1]!.resolve()
      return 0
    },
  })
  const final = await (await side.move()).final()
  t.deepEqual(counters(final.command), [undefined, 8, 0, 0])
  t.is(most, 4)
})

test('an association lost in the middle: its instance is sent once more, the others go on', async (t) => {
  await using side = await sides({
    answer: () => ({ total: 3, instances: instances(3) }),
    store: ({ operation }, index) => {
      if (index === 1) operation.association.abort('enough')
      return 0
    },
  })
  const responses = await (await side.move()).all()
  t.is(hex(responses.at(-1)!), '0000')
  t.deepEqual(counters(responses.at(-1)!.command), [undefined, 3, 0, 0])
  t.deepEqual(side.received.map(({ request }) => request.affectedSopInstanceUid), ['1.2.1', '1.2.2', '1.2.2', '1.2.3'])
  t.is(side.received[0]!.operation.association, side.received[1]!.operation.association)
  t.not(side.received[1]!.operation.association, side.received[2]!.operation.association)
})

test('an instance that the destination aborts at twice fails, and the others go on', async (t) => {
  await using side = await sides({
    answer: () => ({ total: 3, instances: instances(3) }),
    store: ({ operation, request }) => {
      if (request.affectedSopInstanceUid === '1.2.2') operation.association.abort('not this one')
      return 0
    },
  })
  const final = await (await side.move()).final()
  t.is(hex(final), 'b000')
  t.deepEqual(counters(final.command), [undefined, 2, 1, 0])
  t.is(await failedUids(final), '1.2.2')
})

test('a destination that ends every association is given up', async (t) => {
  await using side = await sides({
    answer: () => ({ total: 50, instances: instances(50) }),
    store: ({ operation }) => {
      operation.association.abort('no')
      return 0
    },
  })
  const final = await (await side.move()).final()
  t.like(final.command, { status: 0xa702, errorComment: 'The move destination ends the associations' })
  t.deepEqual(counters(final.command), [undefined, 0, 50, 0])
  t.is(((await failedUids(final)) as unknown[]).length, 50)
  t.is(side.received.length, 3)
})

test('a destination that starts again gets the rest', async (t) => {
  let port = 0
  let again: TestServer | undefined
  const got: string[] = []
  await using side = await sides({
    answer: () => ({ total: 6, instances: instances(6) }),
    archive: {
      handlers: { moveDestination: () => ({ host: '127.0.0.1', port: side.destination.port }) },
    },
    store: async (_, index) => {
      if (index !== 1) return 0
      port = side.destination.port
      await side.destination.ae.close({ deadlineMs: 0 })
      // When nobody listens for it, and after the first attempt found that.
      setTimeout(() => {
        void createTestServer({
          listener: { port },
          contexts: [{ abstractSyntax: CT_IMAGE, transferSyntaxes: [IMPLICIT_LE] }],
          handlers: { cStore: async (request) => (await request.dataSet.buffer(), got.push(request.affectedSopInstanceUid), 0) },
        }).then((server) => (again = server))
      }, 100)
      return 0
    },
  })
  const final = await (await side.move()).final()
  t.is(hex(final), '0000')
  t.deepEqual(counters(final.command), [undefined, 6, 0, 0])
  t.deepEqual(got, ['1.2.2', '1.2.3', '1.2.4', '1.2.5', '1.2.6'])
  await again?.[Symbol.asyncDispose]()
})

test('a destination that goes away entirely: what is left fails', async (t) => {
  await using side = await sides({
    answer: () => ({ total: 4, instances: instances(4) }),
    store: async (_, index) => {
      if (index === 1) await side.destination.ae.close({ deadlineMs: 0 })
      return 0
    },
  })
  const final = await (await side.move()).final()
  t.is(hex(final), 'b000')
  t.deepEqual(counters(final.command), [undefined, 1, 3, 0])
  t.deepEqual(await failedUids(final), ['1.2.2', '1.2.3', '1.2.4'])
  t.is(final.command.errorComment, undefined)
})

// ── Laziness ────────────────────────────────────────────────────────────────────────────────────────────

test('instances are pulled an association’s worth ahead, and their bytes not before their turn', async (t) => {
  const gate = deferred<number>()
  let pulled = 0
  let opened = 0
  await using side = await sides({
    answer: () => ({
      instances: (function* () {
        for (; pulled < 1_000; ) {
          pulled += 1
          yield instance(pulled, {
            bytes: () => {
              opened += 1
              return [Buffer.alloc(100)]
            },
          })
        }
      })(),
    }),
    store: (_, index) => (index === 4 ? gate.promise : 0),
  })
  const request = await side.move()
  await turnsUntil(() => side.received.length === 5)
  await settle()
  t.is(opened, 5)
  t.is(pulled, 5 + 128)
  await side.scu.cancel(request)
  gate.resolve(0)
  await request.final()
})

test('an instance is read from its source as fast as the destination takes it', async (t) => {
  const gate = deferred()
  let drawn = 0
  await using side = await sides({
    answer: () => ({
      instances: [
        instance(1, {
          bytes: function* () {
            for (; drawn < 600; drawn++) yield Buffer.alloc(65_536)
          },
        }),
      ],
    }),
    destination: {
      handlers: {
        cStore: async (request) => {
          await gate.promise
          return (await request.dataSet.pipeTo({ write: () => {} })) === 600 * 65_536 ? 0 : 0xc000
        },
      },
    },
  })
  const request = await side.move()
  // What the buffers of the two sockets hold, and no more.
  let before = -1
  while (drawn !== before || drawn === 0) {
    before = drawn
    await settle(200)
  }
  t.true(drawn < 500, `${drawn} of 600 pieces were drawn`)
  gate.resolve()
  t.is((await request.final()).status, 0)
})

test('a generator that takes its time does not keep the first instance waiting', async (t) => {
  const gate = deferred()
  await using side = await sides({
    answer: () => ({
      instances: (async function* () {
        yield instance(1)
        await gate.promise
        yield instance(2)
      })(),
    }),
    store: () => {
      gate.resolve()
      return 0
    },
  })
  t.is(hex(await (await side.move()).final()), '0000')
})

test('a generator that fails: what it gave before is sent, then its status', async (t) => {
  await using side = await sides({
    answer: () => ({
      total: 5,
      instances: (async function* () {
        yield instance(1)
        yield instance(2)
        throw new StatusError(0xa701, { errorComment: 'The index is away' })
      })(),
    }),
  })
  const final = await (await side.move()).final()
  t.like(final.command, { status: 0xa701, errorComment: 'The index is away' })
  t.deepEqual(counters(final.command), [undefined, 2, 3, 0])
})

test('handlerMs bounds the wait for the next instance, and not the sending', async (t) => {
  await using side = await sides({
    answer: () => ({
      total: 2,
      instances: (async function* () {
        yield instance(1)
        await new Promise(() => {})
      })(),
    }),
    archive: { timeouts: { handlerMs: 150 } },
  })
  const final = await (await side.move()).final()
  t.like(final.command, { status: 0x0110, errorComment: 'The handler took too long' })
  // Whether the first one was sent before is a matter of time.
  const [, completed, failed] = counters(final.command)
  t.is(completed! + failed!, 2)
})

// ── The asynchronous operations window (PS3.7 D.3.3.3) ──────────────────────────────────────────────────

test('with a window as many are outstanding as it allows, and counters stay right', async (t) => {
  const gates = Array.from({ length: 6 }, () => deferred<number>())
  await using side = await sides({
    answer: () => ({ total: 6, instances: instances(6) }),
    destination: { handlers: { asyncOperations: () => ({ invoked: 3, performed: 1 }) } },
    archive: { handlers: { outgoingAssociation: (options) => ({ ...options, asynchronousOperations: { invoked: 4, performed: 1 } }) } },
    store: (_, index) => gates[index]!.promise,
  })
  const request = await side.move()
  await turnsUntil(() => side.received.length === 3)
  await settle()
  t.is(side.received.length, 3)
  gates[2]!.resolve(0xa700)
  await turnsUntil(() => request.responses.length === 1 && side.received.length === 4)
  await settle()
  t.is(side.received.length, 4)
  for (const gate of gates) gate.resolve(0)
  const responses = await request.all()
  t.deepEqual(responses.map(({ command }) => counters(command)[0]), [5, 4, 3, 2, 1, 0, undefined])
  for (const { command } of responses.slice(0, -1)) t.is(counters(command).reduce<number>((sum, count) => sum + (count ?? 0), 0), 6)
  t.deepEqual(counters(responses.at(-1)!.command), [undefined, 5, 1, 0])
  t.is(await failedUids(responses.at(-1)!), '1.2.3')
})

test('the destination is asked for a window and told a user, with limits and from an address of its own', async (t) => {
  const gates = Array.from({ length: 4 }, () => deferred<number>())
  const identities: unknown[] = []
  // macOS has no other loopback address.
  const localAddress = process.platform === 'darwin' ? '127.0.0.1' : '127.0.0.2'
  let port = 0
  await using side = await sides({
    answer: () => ({ total: 4, instances: instances(4) }),
    store: (_, index) => gates[index]!.promise,
    archive: {
      handlers: {
        moveDestination: () => ({
          host: '127.0.0.1',
          port,
          localAddress,
          timeouts: { dimseMs: 12_000 },
          limits: { maximumPduBytes: 20_480 },
          asynchronousOperations: { invoked: 3, performed: 1 },
          userIdentity: { type: 1, primaryField: 'archive', positiveResponseRequested: true },
        }),
      },
    },
    destination: {
      handlers: {
        asyncOperations: () => ({ invoked: 3, performed: 1 }),
        userIdentity: ({ primaryField }) => {
          identities.push(Buffer.from(primaryField).toString())
          return { verified: true }
        },
      },
    },
  })
  port = side.destination.port
  const request = await side.move()
  await turnsUntil(() => side.received.length === 3)
  const { association } = side.received[0]!.operation
  t.like(association.asynchronousOperations, { invoked: 3 })
  t.is(association.remoteAddress, localAddress)
  t.is(association.requestor?.maximumLength, 20_480)
  t.deepEqual(identities, ['archive'])
  const [own] = side.archive.ae.activeAssociations.filter(({ role }) => role === 'requestor')
  t.is(own?.settings.timeouts.dimseMs, 12_000)
  for (const gate of gates) gate.resolve(0)
  t.is((await request.final()).status, 0)
})

test('a destination that no association can be requested of: A702, and the log says which option', async (t) => {
  await using side = await sides({
    answer: () => ({ total: 1, instances: instances(1) }),
    archive: { handlers: { moveDestination: () => ({ host: '127.0.0.1', port: 104, userIdentity: { type: 2, primaryField: 'archive' } }) } },
  })
  const final = await (await side.move()).final()
  t.is(final.status, 0xa702)
  t.is(final.command.errorComment, 'Cannot associate with the move destination')
  const [warning] = side.archive.log.filter(({ message }) => message === 'cannot associate with the move destination')
  t.regex(String((warning?.fields as { error?: unknown } | undefined)?.error), /userIdentity.secondaryField: is missing/)
})

test('without a window one is outstanding', async (t) => {
  let running = 0
  let most = 0
  await using side = await sides({
    answer: () => ({ instances: instances(5) }),
    store: async () => {
      running += 1
      most = Math.max(most, running)
      await settle(3)
      running -= 1
      return 0
    },
  })
  await (await side.move()).final()
  t.is(most, 1)
})

// ── Cancel and end ──────────────────────────────────────────────────────────────────────────────────────

test('C-CANCEL: what runs ends and counts, then FE00 with what remains; the sub-association is released', async (t) => {
  const gate = deferred<number>()
  const returned = deferred()
  await using side = await sides({
    answer: () => ({
      total: 200,
      instances: (function* () {
        try {
          yield* instances(200)
        } finally {
          returned.resolve()
        }
      })(),
    }),
    store: (_, index) => (index === 0 ? 0xa700 : index === 2 ? gate.promise : 0),
  })
  using recorder = hookRecorder(side.destination.ae)
  const request = await side.move()
  await turnsUntil(() => side.received.length === 3)
  await side.scu.cancel(request)
  await returned.promise
  await settle()
  t.is(request.responses.length, 2, 'the sub-operation under way ends first')
  gate.resolve(0)
  const final = await request.final()
  t.is(final.status, 0xfe00)
  t.deepEqual(counters(final.command), [197, 2, 1, 0])
  t.is(await failedUids(final), '1.2.1')
  t.is(side.received.length, 3)
  await recorder.next('associationReleased')
})

test('C-CANCEL while the association is requested: FE00, and the attempt is given up', async (t) => {
  const asked = deferred()
  await using side = await sides({
    answer: () => ({ total: 2, instances: instances(2) }),
    destination: { handlers: { associationRequest: () => { asked.resolve(); return new Promise<never>(() => {}) } } },
  })
  const request = await side.move()
  await asked.promise
  await side.scu.cancel(request)
  const final = await request.final()
  t.is(final.status, 0xfe00)
  t.deepEqual(counters(final.command), [2, 0, 0, 0])
  t.true(await turnsUntil(() => side.archive.ae.activeAssociations.every(({ role }) => role === 'acceptor')))
})

test('release, abort and disconnect of who asked end the move: iterator returned, sub-association released', async (t) => {
  for (const end of ['release', 'abort', 'disconnect'] as const) {
    const gate = deferred<number>()
    const returned = deferred()
    await using side = await sides({
      answer: () => ({
        instances: (function* () {
          try {
            yield* instances(500)
          } finally {
            returned.resolve()
          }
        })(),
      }),
      store: (_, index) => (index === 1 ? gate.promise : 0),
    })
    using recorder = hookRecorder(side.destination.ae)
    using archive = hookRecorder(side.archive.ae)
    await side.move()
    await turnsUntil(() => side.received.length === 2)
    if (end === 'release') t.is((await side.scu.release()).type, 'A-RELEASE-CONFIRMATION')
    else if (end === 'abort') await side.scu.abort()
    else await side.scu.dul.kill()
    await returned.promise
    t.like(await archive.next('operationCompleted'), { operation: { service: 'C-MOVE' } })
    gate.resolve(0)
    await recorder.next('associationReleased')
    t.is(side.received.length, 2)
  }
})

// ── Pending keep-alive ──────────────────────────────────────────────────────────────────────────────────

test('while one instance takes long, Pending responses with the same counters say that it goes on', async (t) => {
  const gate = deferred()
  await using side = await sides({
    answer: () => ({
      total: 2,
      instances: [
        instance(1),
        instance(2, {
          bytes: async function* () {
            yield Buffer.alloc(10)
            await gate.promise
            yield Buffer.alloc(10)
          },
        }),
      ],
    }),
    // A third of it is the interval.
    archive: { timeouts: { dimseMs: 900 } },
  })
  const request = await side.move()
  const isWaiting = ({ command }: TestResponse): boolean => command.numberOfCompletedSuboperations === 1
  while (request.responses.filter(isWaiting).length < 3) await settle()
  gate.resolve()
  const responses = await request.all()
  for (const { command } of responses.filter(isWaiting)) t.deepEqual(counters(command), [1, 1, 0, 0])
  t.deepEqual(responses.slice(-2).map(({ command }) => counters(command)), [[0, 2, 0, 0], [undefined, 2, 0, 0]])
  t.is(side.received[1]!.bytes.length, 20)
})

// ── Associations are kept for a while ───────────────────────────────────────────────────────────────────

test('a second C-MOVE to the same destination finds the association of the first; another user’s does not', async (t) => {
  await using side = await sides({ answer: () => ({ instances: instances(2) }) })
  await (await side.move()).final()
  await (await side.move()).final()
  await (await side.move('ALIAS')).final()
  await using other = await testScu(side.archive, { contexts: [[STUDY_ROOT_MOVE]], callingAeTitle: 'OTHER' })
  await (await other.move(IDENTIFIER, STUDY_ROOT_MOVE, 'DESTINATION')).final()
  const ids = side.received.map(({ operation }) => operation.association.id)
  t.is(ids.length, 8)
  t.is(new Set(ids.slice(0, 4)).size, 1)
  t.is(new Set(ids).size, 3, 'another title, another user')
})

test('C-MOVEs at the same time get different associations', async (t) => {
  const gate = deferred<number>()
  await using side = await sides({ answer: () => ({ instances: instances(1) }), store: () => gate.promise })
  await using other = await testScu(side.archive, { contexts: [[STUDY_ROOT_MOVE]], callingAeTitle: 'WORKSTATION' })
  const moves = [await side.move(), await other.move(IDENTIFIER, STUDY_ROOT_MOVE, 'DESTINATION')]
  t.true(await turnsUntil(() => side.received.length === 2))
  gate.resolve(0)
  for (const move of moves) t.is((await move.final()).status, 0)
})

test('closing the AE waits for the C-MOVE, whose associations are then released', async (t) => {
  const gate = deferred<number>()
  await using side = await sides({
    answer: () => ({
      total: 3,
      instances: (async function* () {
        yield instance(1)
        await gate.promise
        // Needs an association that is not there yet.
        yield instance(2, { sopClassUid: MR_IMAGE })
        yield instance(3)
      })(),
    }),
    store: (_, index) => (index === 0 ? gate.promise : 0),
  })
  using recorder = hookRecorder(side.destination.ae)
  const request = await side.move()
  await turnsUntil(() => side.received.length === 1)
  const closed = side.archive.ae.close({ deadlineMs: 10_000 })
  await settle()
  gate.resolve(0)
  const final = await request.final()
  t.is(hex(final), '0000')
  await closed
  t.deepEqual(recorder.names('associationReleased', 'associationAborted'), ['associationReleased', 'associationReleased'])
})

test('closing the AE while the association is being requested lets the C-MOVE go on', async (t) => {
  const asked = deferred()
  const gate = deferred()
  await using side = await sides({
    answer: () => ({ total: 2, instances: instances(2) }),
    destination: { handlers: { associationRequest: async () => { asked.resolve(); await gate.promise; return undefined } } },
  })
  const request = await side.move()
  await asked.promise
  const closed = side.archive.ae.close({ deadlineMs: 10_000 })
  await settle()
  gate.resolve()
  t.is(hex(await request.final()), '0000')
  await closed
})

test('closing the AE releases associations that wait for another C-MOVE', async (t) => {
  await using side = await sides({ answer: () => ({ instances: instances(1) }) })
  using recorder = hookRecorder(side.destination.ae)
  await (await side.move()).final()
  await side.archive.ae.close({ deadlineMs: 10_000 })
  t.deepEqual(recorder.names('associationReleased', 'associationAborted'), ['associationReleased'])
})
