import { setImmediate as turn } from 'node:timers/promises'
import test from 'ava'
import { CommandField, SopClass, TransferSyntax, encodeDataSet } from '@dicomtap/framework'
import type { CStoreRequest, CommandSet, IncomingDataSet, UserItem } from '@dicomtap/framework'
import { createTestServer, scriptedPeer, testScu } from '@dicomtap/framework/testing'
import type { ScriptedPeer, TestInstance, TestServer, TestServerOptions } from '@dicomtap/framework/testing'
import { asyncOperations } from '@dicomtap/plugin-async-operations'
import type { AsyncOperationsOptions } from '@dicomtap/plugin-async-operations'

const IMPLICIT_LE = TransferSyntax.ImplicitVRLittleEndian
const CT = SopClass.CTImageStorage
const FIND = SopClass.StudyRootQueryRetrieveInformationModelFind
const COMMITMENT = SopClass.StorageCommitmentPushModel
const PROPOSED = [[SopClass.Verification], [CT], [FIND], [COMMITMENT]] as const
const SUPPORTED = PROPOSED.map(([abstractSyntax]) => ({ abstractSyntax, transferSyntaxes: [IMPLICIT_LE] }))
const NO_DATA_SET = 0x0101

/** Proposes as many operations as the acceptor likes, each way. */
const UNLIMITED: UserItem = { type: 0x53, maximumNumberOperationsInvoked: 0, maximumNumberOperationsPerformed: 0 }

function serverFor(performed: number, options: TestServerOptions = {}, more: AsyncOperationsOptions = {}): Promise<TestServer> {
  return createTestServer({ contexts: SUPPORTED, plugins: [asyncOperations({ acceptor: { performed }, ...more })], ...options })
}

async function peerOf(server: TestServer, userInformation: readonly UserItem[] = [UNLIMITED]): Promise<ScriptedPeer> {
  const peer = await scriptedPeer(server.port)
  await peer.associate({ contexts: PROPOSED, userInformation })
  return peer
}

interface Gate {
  readonly promise: Promise<void>
  open(): void
}
function gate(): Gate {
  let open!: () => void
  const promise = new Promise<void>((resolve) => (open = resolve))
  return { promise, open }
}

async function until(isMet: () => boolean): Promise<void> {
  while (!isMet()) await turn()
}

/** What must not happen has had its chance. */
async function settle(): Promise<void> {
  for (let count = 0; count < 50; count++) await turn()
}

function content(number: number, length: number): Buffer {
  return Buffer.from(Array.from({ length }, (_, index) => (index * 7 + number * 13) & 0xff))
}

function instance(number: number, dataSet: TestInstance['dataSet']): TestInstance {
  return { sopClassUid: CT, sopInstanceUid: `1.2.${number}`, transferSyntaxUid: IMPLICIT_LE, dataSet }
}

const numberOf = (request: CStoreRequest): number => Number(request.affectedSopInstanceUid.slice(4))

const readers: Readonly<Record<string, (dataSet: IncomingDataSet) => Promise<Buffer>>> = {
  buffer: (dataSet) => dataSet.buffer(),
  bytes: async (dataSet) => {
    const pieces: Uint8Array[] = []
    for await (const piece of dataSet.bytes()) pieces.push(piece)
    return Buffer.concat(pieces)
  },
  pipeTo: async (dataSet) => {
    const pieces: Buffer[] = []
    await dataSet.pipeTo({
      async write(fragments) {
        for (const fragment of fragments) pieces.push(Buffer.from(fragment))
        await turn()
      },
    })
    return Buffer.concat(pieces)
  },
}

for (const [name, read] of Object.entries(readers)) {
  test(`8 C-STOREs read with ${name} are committed at once, and answered as they end`, async (t) => {
    // Objects larger than the receive buffer, so that each must be read before the next one arrives.
    const length = 150_000
    const committing = new Map<number, Gate>()
    await using server = await serverFor(8, {
      limits: { receiveBufferBytes: 65_536 },
      handlers: {
        cStore: async (request) => {
          const number = numberOf(request)
          if (!(await read(request.dataSet)).equals(content(number, length))) return 0xa900
          const commit = gate()
          committing.set(number, commit)
          await commit.promise
          return 0
        },
      },
    })
    for (const target of [server.port, server]) {
      committing.clear()
      await using scu = await testScu(target, { contexts: PROPOSED, userInformation: [UNLIMITED] })
      const answered: number[] = []
      const answers = Array.from({ length: 8 }, async (_, number) => {
        const { status } = await scu.store(instance(number, content(number, length)))
        answered.push(number)
        return status
      })
      await until(() => committing.size === 8)
      t.deepEqual(answered, [], 'all are in the hands of their handlers, none is answered')
      for (const number of [7, 3, 0, 5, 6, 1, 4, 2]) {
        committing.get(number)?.open()
        await until(() => answered.includes(number))
      }
      t.deepEqual(answered, [7, 3, 0, 5, 6, 1, 4, 2])
      t.deepEqual(await Promise.all(answers), Array.from({ length: 8 }, () => 0))
    }
  })
}

test('a handler that waits before it reads holds up the data sets behind its own, and nothing is lost', async (t) => {
  const length = 300_000
  const first = gate()
  const begun: number[] = []
  const committing: number[] = []
  await using server = await serverFor(4, {
    limits: { receiveBufferBytes: 65_536 },
    handlers: {
      cStore: async (request) => {
        const number = numberOf(request)
        begun.push(number)
        if (number === 0) await first.promise
        const isWhole = (await request.dataSet.buffer()).equals(content(number, length))
        committing.push(number)
        return isWhole ? 0 : 0xa900
      },
    },
  })
  await using scu = await testScu(server, { contexts: PROPOSED, userInformation: [UNLIMITED] })
  let drawn = 0
  const pieces = function* (number: number): Generator<Uint8Array> {
    const whole = content(number, length)
    for (let offset = 0; offset < length; offset += 10_000) {
      drawn += 10_000
      yield whole.subarray(offset, offset + 10_000)
    }
  }
  const answers = [0, 1, 2, 3].map((number) => scu.store(instance(number, pieces(number))))
  await until(() => begun.length > 0)
  await settle()
  t.deepEqual(begun, [0], 'the others are behind a data set that nobody reads')
  t.true(drawn < length, `${drawn} bytes were taken by a buffer of 65 536`)
  first.open()
  for (const answer of answers) t.is((await answer).status, 0)
  t.deepEqual(committing, [0, 1, 2, 3])
})

test('small objects whose handlers have not begun to read are all there at once', async (t) => {
  const start = gate()
  let running = 0
  await using server = await serverFor(8, {
    handlers: {
      cStore: async (request) => {
        running += 1
        await start.promise
        return (await request.dataSet.buffer()).equals(content(numberOf(request), 5_000)) ? 0 : 0xa900
      },
    },
  })
  await using scu = await testScu(server.port, { contexts: PROPOSED, userInformation: [UNLIMITED] })
  const answers = Array.from({ length: 8 }, (_, number) => scu.store(instance(number, content(number, 5_000))))
  await until(() => running === 8)
  start.open()
  for (const answer of answers) t.is((await answer).status, 0)
})

test('objects that handlers refuse unread do not hold up the others', async (t) => {
  await using server = await serverFor(4, {
    limits: { receiveBufferBytes: 65_536 },
    handlers: { cStore: async (request) => (numberOf(request) % 2 === 0 ? 0xa700 : (await request.dataSet.buffer()).length === 200_000 ? 0 : 0xa900) },
  })
  await using scu = await testScu(server.port, { contexts: PROPOSED, userInformation: [UNLIMITED] })
  const answers = Array.from({ length: 20 }, (_, number) => scu.store(instance(number, content(number, 200_000))))
  const statuses = (await Promise.all(answers)).map(({ status }) => status)
  t.deepEqual(statuses, Array.from({ length: 20 }, (_, number) => (number % 2 === 0 ? 0xa700 : 0)))
})

// ── order, cancel, reports ──────────────────────────────────────────────────────────────────────────────

function find(messageId: number): CommandSet {
  return { commandField: CommandField.C_FIND_RQ, messageId, affectedSopClassUid: FIND, priority: 0, commandDataSetType: 1 }
}
function echo(messageId: number): CommandSet {
  return { commandField: CommandField.C_ECHO_RQ, messageId, affectedSopClassUid: SopClass.Verification, commandDataSetType: NO_DATA_SET }
}
function cancel(messageIdBeingRespondedTo: number): CommandSet {
  return { commandField: CommandField.C_CANCEL_RQ, messageIdBeingRespondedTo, commandDataSetType: NO_DATA_SET }
}
const REPORT: CommandSet = {
  commandField: CommandField.N_EVENT_REPORT_RQ,
  messageId: 900,
  affectedSopClassUid: COMMITMENT,
  affectedSopInstanceUid: '1.2.840.10008.1.20.1.1',
  eventTypeId: 1,
  commandDataSetType: NO_DATA_SET,
}

test('several C-FINDs at once: whole messages interleaved, one of them cancelled, one cancelled before its turn', async (t) => {
  const matches = new Map<number, Gate[]>()
  const asked: number[] = []
  await using server = await serverFor(3, {
    handlers: {
      cFind: async function* ({ messageId }, operation) {
        asked.push(messageId)
        const gates = [gate(), gate(), gate()]
        matches.set(messageId, gates)
        for (const [index, { promise }] of gates.entries()) {
          await Promise.race([promise, new Promise<void>((resolve) => operation.signal.addEventListener('abort', () => resolve()))])
          // Long enough for several P-DATA-TF: another message in between would be seen.
          yield { StudyDescription: `${messageId} ${index} ${'x'.repeat(40_000)}` }
        }
      },
    },
  })
  using peer = await peerOf(server)
  const identifier = await encodeDataSet({ QueryRetrieveLevel: 'STUDY' }, IMPLICIT_LE)
  for (const messageId of [1, 2, 3, 4]) await peer.sendMessage(5, find(messageId), Buffer.from(identifier))
  await until(() => matches.size === 3)
  await settle()
  t.deepEqual(asked, [1, 2, 3], 'the fourth waits')
  const receive = async (): Promise<string> => {
    const { command, dataSet } = await peer.receiveMessage()
    const text = dataSet === undefined ? '' : ` ${(/\d \d (?=x)/.exec(dataSet.toString('latin1'))?.[0] ?? '').trim()} ${dataSet.length}`
    return `${command.messageIdBeingRespondedTo} ${command.status?.toString(16)}${text}`
  }
  // (0008,1030) with an 8-byte header, and 40 004 characters.
  const open = (messageId: number, index: number): void => matches.get(messageId)?.[index]?.open()
  open(3, 0)
  t.is(await receive(), '3 ff00 3 0 40012')
  open(1, 0)
  t.is(await receive(), '1 ff00 1 0 40012')
  for (const messageId of [1, 3]) open(messageId, 1)
  t.deepEqual([await receive(), await receive()].sort(), ['1 ff00 1 1 40012', '3 ff00 3 1 40012'])

  await peer.sendMessage(5, cancel(4))
  await peer.sendMessage(5, cancel(2))
  // The second one has ended without a match; its place goes to the fourth, which ends unasked.
  t.is(await receive(), '2 fe00')
  t.is(await receive(), '4 fe00')
  t.deepEqual(asked, [1, 2, 3])
  open(1, 2)
  t.deepEqual([await receive(), await receive()], ['1 ff00 1 2 40012', '1 0'])
  open(3, 2)
  t.deepEqual([await receive(), await receive()], ['3 ff00 3 2 40012', '3 0'])
})

test('N-EVENT-REPORT passes when every place is taken', async (t) => {
  const end = gate()
  let running = 0
  await using server = await serverFor(2, {
    handlers: {
      cEcho: async () => {
        running += 1
        await end.promise
        return 0
      },
      nEventReport: () => 0,
    },
  })
  using peer = await peerOf(server)
  for (const messageId of [1, 2, 3]) await peer.sendMessage(1, echo(messageId))
  await until(() => running === 2)
  await peer.sendMessage(7, REPORT)
  t.like((await peer.receiveMessage()).command, { commandField: 0x8100, messageIdBeingRespondedTo: 900, status: 0 })
  t.is(running, 2)
  end.open()
  const order = []
  for (let count = 0; count < 3; count++) order.push((await peer.receiveMessage()).command.messageIdBeingRespondedTo)
  t.deepEqual(order, [1, 2, 3])
})

for (const [name, options, proposal] of [
  ['a peer that proposed no window', {}, []],
  ['a peer that is switched off', { peers: [{ aeTitle: 'TEST-SCU', off: true }] }, [UNLIMITED]],
] as const) {
  test(`${name} and pipelines all the same: one at a time, in order, none dropped`, async (t) => {
    let running = 0
    let most = 0
    await using server = await serverFor(
      8,
      {
        handlers: {
          cStore: async (request) => {
            most = Math.max(most, (running += 1))
            const { length } = await request.dataSet.buffer()
            // The sooner one was sent, the longer it takes.
            for (let turns = 0; turns < 40 - numberOf(request); turns++) await turn()
            running -= 1
            return length === 20_000 ? 0 : 0xa900
          },
        },
      },
      options,
    )
    await using scu = await testScu(server.port, { contexts: PROPOSED, userInformation: proposal })
    const answered: number[] = []
    const answers = Array.from({ length: 40 }, async (_, number) => {
      const { status } = await scu.store(instance(number, content(number, 20_000)))
      answered.push(number)
      return status
    })
    t.deepEqual(await Promise.all(answers), Array.from({ length: 40 }, () => 0))
    t.deepEqual(answered, Array.from({ length: 40 }, (_, number) => number))
    t.is(most, 1)
    t.is(server.ae.activeAssociations[0]?.asynchronousOperations.invoked, 1)
  })
}

test('a peer that sends more than it negotiated: as many as were run at once, the others in order behind them', async (t) => {
  const gates: Gate[] = []
  await using server = await serverFor(3, {
    handlers: {
      cEcho: async () => {
        const one = gate()
        gates.push(one)
        await one.promise
        return 0
      },
    },
  })
  using peer = await peerOf(server)
  for (let messageId = 1; messageId <= 30; messageId++) await peer.sendMessage(1, echo(messageId))
  for (let ended = 0; ended < 30; ended++) {
    await until(() => gates.length === Math.min(30, ended + 3))
    await turn()
    t.is(gates.length, Math.min(30, ended + 3))
    gates[ended]?.open()
    t.is((await peer.receiveMessage()).command.messageIdBeingRespondedTo, ended + 1)
  }
})

test('an abort ends everything that runs at once', async (t) => {
  const ended: string[] = []
  let running = 0
  await using server = await serverFor(4, {
    handlers: {
      cStore: async (request, operation) => {
        running += 1
        operation.signal.addEventListener('abort', () => ended.push(`${request.messageId}`))
        await request.dataSet.buffer()
        await new Promise(() => {})
        return 0
      },
    },
  })
  const scu = await testScu(server.port, { contexts: PROPOSED, userInformation: [UNLIMITED] })
  const storing = Array.from({ length: 4 }, (_, number) => scu.storing(instance(number, content(number, 1_000))).final())
  await until(() => running === 4)
  await scu.abort()
  for (const one of storing) await t.throwsAsync(one, { code: 'DICOMTAP_ERR_ACSE_ABORTED' })
  await until(() => ended.length === 4)
  t.deepEqual(ended.sort(), ['1', '2', '3', '4'])
})

// ── requests of this side ───────────────────────────────────────────────────────────────────────────────

test('as requestor: as many requests are outstanding as were agreed, and the others wait here', async (t) => {
  const gates = new Map<number, Gate>()
  await using scp = await serverFor(3, {
    handlers: {
      cStore: async (request) => {
        const isWhole = (await request.dataSet.buffer()).equals(content(numberOf(request), 30_000))
        const commit = gate()
        gates.set(numberOf(request), commit)
        await commit.promise
        return isWhole ? 0 : 0xa900
      },
    },
  })
  await using scu = await serverFor(1)
  const association = await scu.ae.associate({ host: '127.0.0.1', port: scp.port, contexts: [{ abstractSyntax: CT, transferSyntaxes: [IMPLICIT_LE] }] })
  t.is(association.asynchronousOperations.invoked, 3)
  const answered: number[] = []
  const answers = Array.from({ length: 6 }, async (_, number) => {
    const { sopClassUid, sopInstanceUid, transferSyntaxUid } = instance(number, [])
    const { status } = await association.cStore({ sopClassUid, sopInstanceUid, transferSyntaxUid, bytes: () => content(number, 30_000) })
    answered.push(number)
    return status
  })
  for (const [count, number] of [2, 0, 3, 1, 5, 4].entries()) {
    await until(() => gates.size === Math.min(6, count + 3))
    await settle()
    t.is(gates.size, Math.min(6, count + 3), 'as many reached the peer as the window has room for')
    gates.get(number)?.open()
    await until(() => answered.includes(number))
  }
  t.deepEqual(await Promise.all(answers), [0, 0, 0, 0, 0, 0])
  t.deepEqual(answered, [2, 0, 3, 1, 5, 4])
  await association.release()
})

test('requests of the acceptor: as many at once as it may invoke', async (t) => {
  const gates: Gate[] = []
  await using scu = await createTestServer({
    plugins: [asyncOperations({ requestor: { performed: 2 } })],
    handlers: {
      nEventReport: async () => {
        const one = gate()
        gates.push(one)
        await one.promise
        return 0
      },
    },
  })
  await using scp = await serverFor(8)
  const contexts = [{ abstractSyntax: COMMITMENT, transferSyntaxes: [IMPLICIT_LE] }]
  const association = await scu.ae.associate({ host: '127.0.0.1', port: scp.port, contexts })
  t.deepEqual(association.asynchronousOperations, { invoked: 8, performed: 2 })
  const [other] = scp.ae.activeAssociations
  const report = { affectedSopClassUid: COMMITMENT, affectedSopInstanceUid: '1.2.840.10008.1.20.1.1', eventTypeId: 1 }
  const answers = [1, 2, 3, 4].map(() => other!.nEventReport(report))
  for (let ended = 0; ended < 4; ended++) {
    await until(() => gates.length === Math.min(4, ended + 2))
    await settle()
    t.is(gates.length, Math.min(4, ended + 2))
    gates[ended]?.open()
    t.is((await answers[ended])?.status, 0)
  }
  await association.release()
})
