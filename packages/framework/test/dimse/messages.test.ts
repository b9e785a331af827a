import { setImmediate as turn } from 'node:timers/promises'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import test from 'ava'
import fc from 'fast-check'
import type { AcceptedContext } from '../../dist/acse/types.js'
import { MessageAssembler } from '../../dist/dimse/assembler.js'
import { encodeCommandSet } from '../../dist/dimse/command-set.js'
import type { CommandSet } from '../../dist/dimse/command-set.js'
import { DataSetStream } from '../../dist/dimse/data-set-stream.js'
import { lend } from '../../dist/dimse/loans.js'
import { Transport } from '../../dist/dul/transport.js'
import { MessageFragmenter } from '../../dist/dimse/fragmenter.js'
import type { DataSetBytes } from '../../dist/dimse/fragmenter.js'
import { ReceiveFlow } from '../../dist/dimse/receive-flow.js'
import { DicomtapError, PduError } from '../../dist/errors/index.js'
import type { AbortReason } from '../../dist/errors/index.js'
import { encodePdu } from '../../dist/pdu/encode.js'
import { PduFramer } from '../../dist/pdu/framer.js'
import type { Pdv } from '../../dist/pdu/types.js'
import { cutMessage } from '../../dist/testing/index.js'
import type { ReceivedMessage } from '../../dist/testing/index.js'
import { turnsUntil } from '../support/connections.ts'
import { acceptorIn } from '../support/dul-sides.ts'
import { CT_IMAGE, EXPLICIT_LE, IMPLICIT_LE, VERIFICATION } from '../support/uids.ts'

const RUNS = Number(process.env['DICOMTAP_FUZZ_RUNS'] ?? 200)
const SEED = Number(process.env['DICOMTAP_FUZZ_SEED'] ?? 20240608)

const CONTEXTS = new Map<number, AcceptedContext>([
  [1, { id: 1, abstractSyntax: VERIFICATION, transferSyntax: IMPLICIT_LE, asScu: false, asScp: true }],
  [3, { id: 3, abstractSyntax: CT_IMAGE, transferSyntax: EXPLICIT_LE, asScu: false, asScp: true }],
])
const ECHO: CommandSet = { commandField: 0x0030, messageId: 7, affectedSopClassUid: VERIFICATION, commandDataSetType: 0x0101 }
const STORE: CommandSet = {
  commandField: 0x0001,
  messageId: 9,
  affectedSopClassUid: CT_IMAGE,
  affectedSopInstanceUid: '1.2.3',
  priority: 0,
  commandDataSetType: 0x0000,
}

interface Assembly {
  readonly assembler: MessageAssembler
  readonly messages: { contextId: number; command: CommandSet; dataSet: DataSetStream | undefined }[]
}

function assembly(maximumCommandSetBytes = 65_536): Assembly {
  const messages: Assembly['messages'] = []
  const flow = new ReceiveFlow(Number.POSITIVE_INFINITY, undefined, () => {}, () => {})
  const assembler = new MessageAssembler(
    {
      contextById: (id) => CONTEXTS.get(id),
      createDataSet: (context) => new DataSetStream(context.transferSyntax, flow, Number.POSITIVE_INFINITY),
      message: (context, command, dataSet) => messages.push({ contextId: context.id, command, dataSet }),
    },
    maximumCommandSetBytes,
  )
  return { assembler, messages }
}

/** Feeds bytes through the framer, as a socket would, in chunks of the given sizes in turn. */
function feed({ assembler }: Assembly, bytes: Buffer, chunkSizes: readonly number[] = [bytes.length]): void {
  const framer = new PduFramer(
    {
      pdu: () => {},
      pDataStart: () => {},
      pDataEnd: () => {},
      pdvFragment: (id, isCommand, isLast, fragment, first, end) => {
        // As from a read buffer: the memory is only lent.
        const lent = Buffer.from(fragment)
        assembler.fragment(id, isCommand, isLast, lent, first, end)
        if (isCommand) lent.fill(0xff)
      },
    },
    { maximumPduBytes: 0, maximumAssociatePduBytes: 1_000 },
  )
  for (let at = 0, index = 0; at < bytes.length; index++) {
    const size = chunkSizes[index % chunkSizes.length]!
    framer.push(bytes.subarray(at, at + size))
    at += size
  }
}

// ── assembler ───────────────────────────────────────────────────────────────────────────────────────────

test('messages come out whole, however they are cut into PDVs, PDUs and chunks', async (t) => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 400 }),
      fc.integer({ min: 1, max: 5 }),
      fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1, maxLength: 5 }),
      fc.uint8Array({ maxLength: 1_500 }),
      async (fragmentBytes, pdvsPerPdu, chunkSizes, dataSet) => {
        const cut = { fragmentBytes, pdvsPerPdu }
        const pdus = [...cutMessage(3, STORE, dataSet, cut), ...cutMessage(1, ECHO, undefined, cut), ...cutMessage(3, STORE, dataSet, cut)]
        const result = assembly()
        feed(result, Buffer.concat(pdus.map(encodePdu)), chunkSizes)
        const got = await Promise.all(
          result.messages.map(async (message) => [message.contextId, message.command.messageId, (await message.dataSet?.buffer())?.toString('hex')]),
        )
        const hex = Buffer.from(dataSet).toString('hex')
        return JSON.stringify(got) === JSON.stringify([[3, 9, hex], [1, 7, undefined], [3, 9, hex]]) && !result.assembler.isMidMessage
      },
    ),
    { numRuns: RUNS, seed: SEED },
  )
  t.pass()
})

test('a message is handed over when its command is complete, before its data set', (t) => {
  const result = assembly()
  const [command, ...rest] = cutMessage(3, STORE, Buffer.alloc(30), { fragmentBytes: 200 })
  feed(result, encodePdu(command!))
  t.is(result.messages.length, 1)
  t.true(result.assembler.isMidMessage)
  const { dataSet } = result.messages[0]!
  t.false(dataSet?.isSettled)
  t.is(dataSet?.transferSyntaxUid, EXPLICIT_LE)
  for (const pdu of rest) feed(result, encodePdu(pdu))
  t.true(dataSet?.isSettled)
  t.is(dataSet?.receivedBytes, 30)
  t.false(result.assembler.isMidMessage)
})

test('a command and its data set may share a P-DATA-TF, and empty fragments are fragments', async (t) => {
  const result = assembly()
  const command = encodeCommandSet(STORE)
  const pdv = (isCommand: boolean, isLast: boolean, data: Uint8Array): Pdv => ({ presentationContextId: 3, isCommand, isLast, data })
  const empty = new Uint8Array(0)
  feed(
    result,
    encodePdu({
      type: 'P-DATA-TF',
      pdvs: [
        pdv(true, false, empty),
        pdv(true, false, command),
        pdv(true, true, empty),
        pdv(false, false, Uint8Array.of(1, 2)),
        pdv(false, false, empty),
        pdv(false, true, empty),
      ],
    }),
  )
  t.deepEqual(await result.messages[0]?.dataSet?.buffer(), Buffer.from([1, 2]))
})

const VIOLATIONS: Readonly<Record<string, { pdvs: readonly [id: number, isCommand: boolean, isLast: boolean, data: Uint8Array][]; reason: AbortReason; says: RegExp }>> = {
  'a PDV on a context that was not accepted': { pdvs: [[5, true, true, encodeCommandSet(ECHO)]], reason: 6, says: /context 5, which was not accepted/ },
  'a data set without a command': { pdvs: [[3, false, true, Uint8Array.of(1)]], reason: 5, says: /without a command/ },
  'another message inside a command': {
    pdvs: [[3, true, false, encodeCommandSet(STORE).subarray(0, 9)], [1, true, true, encodeCommandSet(ECHO)]],
    reason: 5,
    says: /context 1 inside a message on 3/,
  },
  'another message inside a data set': {
    pdvs: [[3, true, true, encodeCommandSet(STORE)], [3, false, false, Uint8Array.of(1)], [1, true, true, encodeCommandSet(ECHO)]],
    reason: 5,
    says: /context 1 inside a message on 3/,
  },
  'a command inside a data set on the same context': {
    pdvs: [[3, true, true, encodeCommandSet(STORE)], [3, true, true, encodeCommandSet(STORE)]],
    reason: 5,
    says: /Command fragment inside a data set/,
  },
  'a data set inside a command': {
    pdvs: [[3, true, false, encodeCommandSet(STORE).subarray(0, 9)], [3, false, true, Uint8Array.of(1)]],
    reason: 5,
    says: /Data set fragment inside a command/,
  },
  'a data set after a command that announced none': {
    pdvs: [[1, true, true, encodeCommandSet(ECHO)], [1, false, true, Uint8Array.of(1)]],
    reason: 5,
    says: /without a command/,
  },
  'a command set that is not one': { pdvs: [[1, true, true, Buffer.from('GET / HTTP/1.1')]], reason: 6, says: /Malformed command set/ },
  'an empty command set': { pdvs: [[1, true, true, new Uint8Array(0)]], reason: 6, says: /no Command Field/ },
  'a command set over the limit': {
    pdvs: [[1, true, false, Buffer.alloc(600)], [1, true, false, Buffer.alloc(425)]],
    reason: 6,
    says: /larger than 1024 bytes/,
  },
}

for (const [name, { pdvs, reason, says }] of Object.entries(VIOLATIONS)) {
  test(`refused: ${name}`, (t) => {
    const result = assembly(1_024)
    const bytes = encodePdu({
      type: 'P-DATA-TF',
      pdvs: pdvs.map(([presentationContextId, isCommand, isLast, data]) => ({ presentationContextId, isCommand, isLast, data })),
    })
    const error = t.throws(() => feed(result, bytes), { instanceOf: PduError, message: says })
    t.is(error?.abortReason, reason)
  })
}

test('a command set of exactly the limit is taken, in one piece and in many', (t) => {
  const command = encodeCommandSet(ECHO)
  for (const fragmentBytes of [command.length, 1]) {
    const result = assembly(command.length)
    for (const pdu of cutMessage(1, command, undefined, { fragmentBytes })) feed(result, encodePdu(pdu))
    t.is(result.messages.length, 1)
  }
})

test('when the association ends, the data set under way is cut off and the next message is none', async (t) => {
  const result = assembly()
  feed(result, encodePdu(cutMessage(3, STORE, Buffer.alloc(1))[0]!))
  const buffer = result.messages[0]?.dataSet?.buffer()
  result.assembler.fail(new DicomtapError('DICOMTAP_ERR_DIMSE_TRUNCATED', 'gone'))
  await t.throwsAsync(buffer!, { code: 'DICOMTAP_ERR_DIMSE_TRUNCATED' })
  t.false(result.assembler.isMidMessage)
})

// ── fragmenter ──────────────────────────────────────────────────────────────────────────────────────────

async function sent(
  peerMaximumLength: number,
  messages: readonly [contextId: number, command: CommandSet, dataSet?: DataSetBytes][],
): Promise<ReceivedMessage[]> {
  const side = await acceptorIn('Sta6')
  const fragmenter = new MessageFragmenter(side.dul, peerMaximumLength)
  const sending = Promise.all(messages.map(async ([id, command, dataSet]) => fragmenter.send(id, command, dataSet)))
  const received: ReceivedMessage[] = []
  for (let index = 0; index < messages.length; index++) received.push(await side.peer.receiveMessage())
  await sending
  side.peer.destroy()
  return received
}

const DATA = Buffer.from(Array.from({ length: 700 }, (_, index) => index & 0xff))

for (const maximum of [7, 8, 17, 100, 706, 16_384, 0]) {
  test(`a peer that takes ${maximum === 0 ? 'PDUs of any length' : `${maximum} bytes`} gets no longer PDU, command sets included`, async (t) => {
    const [echo, store] = await sent(maximum, [
      [1, ECHO],
      [3, STORE, DATA],
    ])
    t.like(echo, { presentationContextId: 1, command: ECHO, dataSet: undefined })
    t.like(store, { presentationContextId: 3, command: STORE })
    t.deepEqual(store!.dataSet, DATA)
    for (const length of [...echo!.pduLengths, ...store!.pduLengths]) t.true(maximum === 0 || length <= maximum, `${length}`)
    // As far as they can be with fragments of an even length.
    if (maximum > 7 && maximum < 706) t.true(store!.pduLengths.includes(maximum - (maximum % 2)), 'PDUs are filled')
  })
}

test('pieces of any length leave in fragments of even ones, the last of an odd whole apart', async (t) => {
  for (const sizes of [[101, 101, 3], [1, 1, 1, 1, 1], [7, 0, 2], [0], [100, 1], [1_001, 33, 2_000]]) {
    const pieces = sizes.map((size, index) => Buffer.alloc(size, index + 1))
    for (const maximum of [8, 17, 300, 0]) {
      const side = await acceptorIn('Sta6')
      const fragmenter = new MessageFragmenter(side.dul, maximum)
      const leaving = fragmenter.send(3, STORE, pieces)
      const { dataSet, pduLengths } = await side.peer.receiveMessage()
      await leaving
      t.deepEqual(dataSet, Buffer.concat(pieces))
      for (const length of pduLengths.slice(0, -1)) t.is(length % 2, 0)
      side.peer.destroy()
    }
  }
})

test('memory that was lent comes back when its bytes have left, and not over a stream that may keep it', async (t) => {
  const server = createServer((socket) => socket.resume())
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const piece = Buffer.alloc(100_000)
  let returned = 0
  let wake: (() => void) | undefined
  lend(piece, () => {
    returned += 1
    wake?.()
  })
  const dul = { isWritable: true, drained: async () => {}, together: (write: () => void) => write() }
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
  const transport = new Transport(socket, { transportConnected() {}, transportData() {}, transportDrained() {}, transportClosed() {} }, false)
  await once(socket, 'connect')
  const sendPData = (header: Uint8Array, body?: Uint8Array, left?: () => void): boolean =>
    body === undefined ? transport.write(header, left) : transport.writePair(header, body, left)
  const sendMessage = (pieces: readonly Uint8Array[], left?: () => void): boolean => transport.writeAll(pieces, left)
  // PDU by PDU where somebody is told of each, else all at once.
  for (const isPDataSentWatched of [true, false]) {
    const back = new Promise<void>((resolve) => (wake = resolve))
    returned = 0
    await new MessageFragmenter({ ...dul, sendPData, sendMessage, isPDataSentWatched } as never, 16_384).send(3, STORE, piece)
    await back
    t.is(returned, 1)
  }
  transport.destroy()
  server.close()

  const side = await acceptorIn('Sta6')
  await new MessageFragmenter(side.dul, 16_384).send(3, STORE, piece)
  await side.peer.receiveMessage()
  t.is(returned, 1)
  side.peer.destroy()
})

test('each message is told of when its turn has come, not when it was asked for', async (t) => {
  const side = await acceptorIn('Sta6')
  const fragmenter = new MessageFragmenter(side.dul, 1_000)
  const order: string[] = []
  async function* source(): AsyncGenerator<Uint8Array, void, undefined> {
    order.push('drawn')
    yield DATA
    await turn()
    order.push('ends')
  }
  const storing = fragmenter.send(3, STORE, source(), () => order.push('store'))
  const echoing = fragmenter.send(1, ECHO, undefined, () => order.push('echo'))
  await storing
  await echoing
  await turn()
  t.deepEqual(order, ['store', 'drawn', 'ends', 'echo'])
  // At once, where nothing is before it.
  void fragmenter.send(1, ECHO, undefined, () => order.push('next'))
  t.is(order.at(-1), 'next')
  // One that cannot be encoded does not begin.
  t.throws(() => fragmenter.send(1, { ...ECHO, messageId: 70_000 }, undefined, () => t.fail()))
  side.peer.destroy()
})

test('a peer that takes a few bytes at a time is sent to in writes of a bounded number of PDUs', async (t) => {
  const data = Buffer.alloc(300_000, 7)
  const sizes: number[] = []
  let bytes = 0
  const dul = {
    isWritable: true,
    drained: async () => {},
    sendPData: (header: Uint8Array, body?: Uint8Array) => {
      sizes[sizes.length - 1]! += 1
      bytes += header.length - 12 + (body?.length ?? 0)
      return true
    },
    together: (write: () => void) => {
      sizes.push(0)
      write()
    },
  }
  for (const source of [data, [data]]) {
    sizes.length = 0
    bytes = -encodeCommandSet(STORE).length
    await new MessageFragmenter(dul as never, 8).send(3, STORE, source)
    t.is(bytes, data.length)
    t.true(Math.max(...sizes) < 5_000, `${Math.max(...sizes)} PDUs in one write`)
  }
})

test('a maximum length that says "any" does not make a PDU of any length', async (t) => {
  const [store] = await sent(0, [[3, STORE, Buffer.alloc(3_000_000)]])
  t.is(Math.max(...store!.pduLengths), 262_144)
  t.is(store!.dataSet?.length, 3_000_000)
})

async function* slowly(...pieces: Uint8Array[]): AsyncGenerator<Uint8Array, void, undefined> {
  for (const piece of pieces) {
    await turn()
    yield piece
  }
}

test('a data set comes from bytes, from pieces of any size, and from pieces that take their time', async (t) => {
  const pieces = [DATA.subarray(0, 1), DATA.subarray(1, 1), DATA.subarray(1, 300), DATA.subarray(300)]
  for (const source of [DATA, pieces, slowly(...pieces), new Uint8Array(DATA)]) {
    const [store] = await sent(100, [[3, STORE, source]])
    t.deepEqual(store!.dataSet, DATA)
  }
})

test('an empty data set is one empty fragment that is the last', async (t) => {
  for (const source of [new Uint8Array(0), [], slowly(), [new Uint8Array(0), new Uint8Array(0)]]) {
    const [store] = await sent(16_384, [[3, STORE, source]])
    t.deepEqual(store!.dataSet, Buffer.alloc(0))
    t.is(store!.pduLengths.at(-1), 6)
  }
})

test('messages sent at once leave whole, one after the other', async (t) => {
  const received = await sent(50, [
    [3, { ...STORE, messageId: 1 }, slowly(DATA, DATA)],
    [1, { ...ECHO, messageId: 2 }],
    [3, { ...STORE, messageId: 3 }, DATA],
    [1, { ...ECHO, messageId: 4 }],
  ])
  t.deepEqual(received.map(({ command }) => command.messageId), [1, 2, 3, 4])
  t.is(received[0]!.dataSet?.length, 1_400)
})

test('a data set is drawn from its source only as fast as the peer reads', async (t) => {
  const side = await acceptorIn('Sta6', { socketOptions: { bufferBytes: 10_000 } })
  const fragmenter = new MessageFragmenter(side.dul, 1_000)
  let drawn = 0
  const source = (function* () {
    for (; drawn < 200; drawn++) yield Buffer.alloc(994)
  })()
  side.peer.pause()
  const sending = fragmenter.send(3, STORE, source)
  await turnsUntil(() => drawn === 200)
  t.true(drawn < 60, `${drawn} of 200 pieces drawn while the peer does not read`)
  side.peer.resume()
  t.is((await side.peer.receiveMessage()).dataSet?.length, 200 * 994)
  await sending
  side.peer.destroy()
})

test('what a source throws is the error of its message', async (t) => {
  const side = await acceptorIn('Sta6')
  const fragmenter = new MessageFragmenter(side.dul, 1_000)
  const source = (function* () {
    yield Buffer.alloc(10)
    throw new RangeError('the file ends here')
  })()
  await t.throwsAsync(fragmenter.send(3, STORE, source)!, { instanceOf: RangeError })
  side.peer.destroy()
})

test('a command that cannot be encoded sends nothing', async (t) => {
  const side = await acceptorIn('Sta6')
  const fragmenter = new MessageFragmenter(side.dul, 1_000)
  t.throws(() => fragmenter.send(1, { ...ECHO, messageId: 70_000 }), { code: 'DICOMTAP_ERR_DIMSE_COMMAND' })
  void fragmenter.send(1, ECHO)
  t.is((await side.peer.receiveMessage()).command.messageId, 7)
  side.peer.destroy()
})

test('nothing is sent when the association is gone', async (t) => {
  const side = await acceptorIn('Sta6')
  const fragmenter = new MessageFragmenter(side.dul, 1_000)
  side.peer.destroy()
  await turnsUntil(() => side.dul.state === 'Sta1')
  t.throws(() => fragmenter.send(1, ECHO), { code: 'DICOMTAP_ERR_DUL_STATE' })
  t.throws(() => fragmenter.send(3, STORE, DATA), { code: 'DICOMTAP_ERR_DUL_STATE' })
  await t.throwsAsync(fragmenter.send(3, STORE, [DATA])!, { code: 'DICOMTAP_ERR_DUL_STATE' })
})
