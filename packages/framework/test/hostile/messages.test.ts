import test from 'ava'
import { encodeCommandSet } from '../../dist/dimse/command-set.js'
import type { CStoreRequest } from '../../dist/dimse/types.js'
import { encodePdu } from '../../dist/pdu/encode.js'
import { createTestServer, cutMessage, hookRecorder, scriptedPeer } from '../../dist/testing/index.js'
import type { ScriptedPeer, TestServer, TestServerOptions } from '../../dist/testing/index.js'
import { bytes } from '../fixtures/pdus.ts'
import { turnsUntil } from '../support/connections.ts'
import { healthy } from '../support/healthy.ts'
import { IDENTIFIER, PROPOSED, requestOf, SUPPORTED } from '../support/requests.ts'

// A peer that was let in may send anything. Context 3 is CT Image Storage, accepted; 99 was never proposed.

const abortByProvider = (reason: number): Buffer => bytes('07 00 00 00 00 04 00 00', '02', `0${reason}`)
const STORE = encodeCommandSet(requestOf('C-STORE').command)

async function serving(options: TestServerOptions = {}): Promise<TestServer> {
  return createTestServer({
    contexts: SUPPORTED,
    ...options,
    handlers: { cStore: async (request) => ((await request.dataSet.buffer()).length > 0 ? 0 : 0xa900), ...options.handlers },
  })
}

async function letIn(server: TestServer): Promise<ScriptedPeer> {
  const peer = await scriptedPeer(server.port)
  await peer.associate({ contexts: PROPOSED })
  return peer
}

/** A P-DATA-TF around PDVs whose every byte is the test's. */
function pData(...pdvs: readonly Buffer[]): Buffer {
  const body = Buffer.concat(pdvs)
  const header = bytes('04 00 00 00 00 00')
  header.writeUInt32BE(body.length, 2)
  return Buffer.concat([header, body])
}

/** control: bit 0 command, bit 1 last (PS3.8 annex E.2). */
function pdv(contextId: number, control: number, data: Uint8Array, lengthBytes = data.length + 2): Buffer {
  const header = Buffer.from([0, 0, 0, 0, contextId, control])
  header.writeUInt32BE(lengthBytes, 0)
  return Buffer.concat([header, data])
}

/** An element of a command set, with any length (PS3.7 6.3.1). */
function element(number: number, value: Uint8Array | string, lengthBytes?: number, group = 0): Buffer {
  const data = Buffer.from(value as never)
  const header = Buffer.alloc(8)
  header.writeUInt16LE(group, 0)
  header.writeUInt16LE(number, 2)
  header.writeUInt32LE(lengthBytes ?? data.length, 4)
  return Buffer.concat([header, data])
}

const us = (value: number): Buffer => Buffer.from([value & 0xff, value >>> 8])
const COMMAND_FIELD = element(0x0100, us(0x0030))
const FIELD_AND_ID = [COMMAND_FIELD, element(0x0110, us(1))]
const command = (...elements: Buffer[]): Buffer => pData(pdv(1, 3, Buffer.concat(elements)))

const VIOLATIONS: Readonly<Record<string, { sent: Buffer; reason: number }>> = {
  'a command on a context that was not accepted': { sent: pData(pdv(99, 3, STORE)), reason: 6 },
  'a command on an even context id': { sent: pData(pdv(2, 3, STORE)), reason: 6 },
  'a command on context 0': { sent: pData(pdv(0, 3, STORE)), reason: 6 },
  'a PDV of length 0': { sent: pData(bytes('00 00 00 00 01 03')), reason: 6 },
  'a PDV of length 1': { sent: pData(bytes('00 00 00 01 01 03')), reason: 6 },
  'a PDV longer than its PDU': { sent: pData(pdv(3, 3, STORE, STORE.length + 3)), reason: 6 },
  'a PDV that claims 4 GiB': { sent: pData(pdv(3, 3, STORE, 0xffffffff)), reason: 6 },
  'bytes behind the last PDV': { sent: pData(pdv(3, 1, STORE), bytes('00 00 00')), reason: 6 },
  'a data set without a command': { sent: pData(pdv(3, 2, IDENTIFIER)), reason: 5 },
  'a data set on another context than its command': { sent: pData(pdv(3, 3, STORE), pdv(5, 2, IDENTIFIER)), reason: 5 },
  'a command inside a data set': { sent: pData(pdv(3, 3, STORE), pdv(3, 0, IDENTIFIER), pdv(3, 3, STORE)), reason: 5 },
  'two messages fragment by fragment': { sent: pData(pdv(3, 3, STORE), pdv(3, 0, IDENTIFIER), pdv(5, 3, STORE)), reason: 5 },
  'a data set inside a command': { sent: pData(pdv(3, 1, STORE.subarray(0, 20)), pdv(3, 0, IDENTIFIER)), reason: 5 },
  'a command set of text': { sent: command(Buffer.from('not a command set at all')), reason: 6 },
  'an empty command set': { sent: command(), reason: 6 },
  'a command set that ends in a header': { sent: command(COMMAND_FIELD, bytes('00 00 10')), reason: 6 },
  'an element longer than the command set': { sent: command(...FIELD_AND_ID, element(0x0002, '1.2', 100)), reason: 6 },
  'an element of undefined length': { sent: command(...FIELD_AND_ID, element(0x0002, '1.2', 0xffffffff)), reason: 6 },
  'an element of group 0010': { sent: command(...FIELD_AND_ID, element(0x0010, 'Doe^Jane', undefined, 0x0010)), reason: 6 },
  'an element twice': { sent: command(...FIELD_AND_ID, COMMAND_FIELD), reason: 6 },
  'a command field of one byte': { sent: command(element(0x0100, us(0x30).subarray(0, 1)), element(0x0110, us(1))), reason: 6 },
  'a message id of three bytes': { sent: command(COMMAND_FIELD, element(0x0110, Buffer.alloc(3))), reason: 6 },
  'no command field': { sent: command(element(0x0110, us(1))), reason: 6 },
  'no message id': { sent: command(COMMAND_FIELD, element(0x0002, '1.2.840.10008.1.1\0'), element(0x0800, us(0x0101))), reason: 6 },
}

test('what breaks the rules of messages: A-ABORT, service-provider, with its reason, and the next peer is served', async (t) => {
  await using server = await serving()
  using recorder = hookRecorder(server.ae)
  for (const [name, { sent, reason }] of Object.entries(VIOLATIONS)) {
    // At once, and byte by byte.
    for (const chunk of [sent.length, 1]) {
      using peer = await letIn(server)
      for (let at = 0; at < sent.length; at += chunk) await peer.send(sent.subarray(at, at + chunk))
      t.deepEqual(await peer.receiveRawPdu(), abortByProvider(reason), name)
      t.like(await recorder.next('associationAborted'), { by: 'local', source: 2, reason }, name)
    }
  }
  await healthy(t, server, 'all that')
  await turnsUntil(() => server.ae.activeAssociations.length === 0, 20_000)
  t.deepEqual(server.ae.activeAssociations, [])
})

test('a command set over the limit is refused before it is complete', async (t) => {
  await using server = await serving({ limits: { maximumCommandSetBytes: 1_024 } })
  using peer = await letIn(server)
  await peer.send(pData(pdv(1, 1, Buffer.alloc(1_000))))
  await peer.send(pData(pdv(1, 1, Buffer.alloc(25))))
  t.deepEqual(await peer.receiveRawPdu(), abortByProvider(6))
  using one = await letIn(server)
  // One PDU that would hold it: refused without waiting for the rest.
  await one.send(pData(pdv(1, 3, Buffer.alloc(200_000))).subarray(0, 5_000))
  t.deepEqual(await one.receiveRawPdu(), abortByProvider(6))
})

test('layouts that are odd and right are served', async (t) => {
  const lengths: number[] = []
  await using server = await serving({ handlers: { cStore: async (request) => (lengths.push((await request.dataSet.buffer()).length), 0) } })
  const streams: Readonly<Record<string, Buffer>> = {
    'command and data set in one PDU': pData(pdv(3, 3, STORE), pdv(3, 2, IDENTIFIER)),
    'command and many data PDVs in one PDU': pData(pdv(3, 3, STORE), ...Array.from({ length: 20 }, (_, index) => pdv(3, index === 19 ? 2 : 0, IDENTIFIER))),
    'a PDV for each byte': pData(...[...STORE].map((byte, index) => pdv(3, index === STORE.length - 1 ? 3 : 1, Uint8Array.of(byte))), pdv(3, 2, IDENTIFIER)),
    'empty PDVs between': pData(pdv(3, 1, Buffer.alloc(0)), pdv(3, 1, STORE), pdv(3, 3, Buffer.alloc(0)), pdv(3, 0, Buffer.alloc(0)), pdv(3, 0, IDENTIFIER), pdv(3, 2, Buffer.alloc(0))),
    'bits of the control header that mean nothing': pData(pdv(3, 0xff, STORE), pdv(3, 0xfe, IDENTIFIER)),
  }
  for (const [name, stream] of Object.entries(streams)) {
    using peer = await letIn(server)
    await peer.send(stream)
    t.is((await peer.receiveMessage()).command.status, 0, name)
    await peer.release()
  }
  t.deepEqual(lengths, [10, 200, 10, 10, 10])
})

test('a command set without group length, elements in any order, private and retired ones among them, is understood', async (t) => {
  await using server = await serving()
  using peer = await letIn(server)
  await peer.send(
    command(
      element(0x0800, us(0x0101)),
      element(0x5010, us(1)),
      element(0x0110, us(9)),
      element(0x0002, '1.2.840.10008.1.1\0'),
      element(0x0001, 'retired '),
      COMMAND_FIELD,
      element(0x0902, ''),
    ),
  )
  t.like((await peer.receiveMessage()).command, { status: 0, messageIdBeingRespondedTo: 9 })
})

test('any two bytes in the place of a command field or a data set type do no harm', async (t) => {
  await using server = await serving()
  for (let value = 0; value < 0x10000; value += 0x0d0d) {
    using peer = await letIn(server)
    await peer.sendMessage(1, { commandField: value, messageId: 1, affectedSopClassUid: PROPOSED[0]![0], commandDataSetType: 0x0101 })
    await peer.sendMessage(1, { ...requestOf('C-ECHO').command, messageId: 2, commandDataSetType: value === 0 ? 0x0101 : value }, value === 0x0101 || value === 0 ? undefined : IDENTIFIER)
    // C-CANCEL and responses get no answer; the C-ECHO behind them does.
    let last
    do last = (await peer.receiveMessage()).command
    while (last.messageIdBeingRespondedTo !== 2)
    t.is(last.status, 0, value.toString(16))
  }
})

test('empty fragments without end: A-ABORT, and some of them are none', async (t) => {
  await using server = await serving({ limits: { maximumEmptyFragments: 10 } })
  const empties = (count: number, control: number): Buffer[] => Array.from({ length: count }, () => pdv(3, control, Buffer.alloc(0)))
  using patient = await letIn(server)
  await patient.send(pData(...empties(10, 1), pdv(3, 3, STORE), ...empties(10, 0), pdv(3, 0, IDENTIFIER), ...empties(10, 0), pdv(3, 2, IDENTIFIER)))
  t.is((await patient.receiveMessage()).command.status, 0)
  for (const [name, sent] of Object.entries({
    'in a command': pData(...empties(11, 1)),
    'in a data set': pData(pdv(3, 3, STORE), pdv(3, 0, IDENTIFIER), ...empties(11, 0)),
    'one in each PDU': Buffer.concat([pData(pdv(3, 3, STORE)), ...empties(11, 0).map((empty) => pData(empty))]),
  })) {
    using peer = await letIn(server)
    await peer.send(sent)
    t.deepEqual(await peer.receiveRawPdu(), abortByProvider(6), name)
  }
  await healthy(t, server, 'them')
})

test.serial('fragments of a byte each pause the socket before they cost more than the receive limit, and arrive', async (t) => {
  let release!: () => void
  const gate = new Promise<void>((resolve) => (release = resolve))
  const total = 400_000
  await using server = await serving({
    limits: { receiveBufferBytes: 50_000 },
    handlers: {
      cStore: async (request) => {
        await gate
        return (await request.dataSet.buffer()).equals(Buffer.alloc(total, 5)) ? 0 : 0xa900
      },
    },
  })
  using recorder = hookRecorder(server.ae)
  using peer = await letIn(server)
  const sending = peer.sendMessage(3, STORE, Buffer.alloc(total, 5), { fragmentBytes: 1, pdvsPerPdu: 1_000 })
  const { operation } = await recorder.next('operationStarted')
  const { dataSet } = operation.request as CStoreRequest
  let before = -1
  let still = 0
  await turnsUntil(() => {
    still = dataSet.receivedBytes === before && before > 0 ? still + 1 : 0
    before = dataSet.receivedBytes
    return still > 50
  }, 20_000)
  // What fits, and what one turn brings besides.
  t.true(dataSet.receivedBytes < 50_000, `${dataSet.receivedBytes} fragments were taken`)
  release()
  await sending
  t.is((await peer.receiveMessage()).command.status, 0)
})

test.serial('sequences nested 20 000 deep end their request, not the process', async (t) => {
  const nested = (depth: number): Buffer => {
    // (0040,A730) SQ of undefined length, item of undefined length, again and again; never closed.
    const level = bytes('40 00 30 a7 ff ff ff ff', 'fe ff 00 e0 ff ff ff ff')
    return Buffer.concat(Array.from({ length: depth }, () => level))
  }
  await using server = await serving({ handlers: { cFind: async (request) => (await request.identifier.dataset(), 0) } })
  for (const depth of [100, 20_000, 200_000]) {
    using peer = await letIn(server)
    await peer.sendMessage(5, requestOf('C-FIND').command, nested(depth))
    t.is((await peer.receiveMessage()).command.status, 0xc000, `${depth} levels`)
    await peer.release()
  }
  await healthy(t, server, 'them')
})

test('data sets cut anywhere, decoded: C000 or a data set, never worse', async (t) => {
  await using server = await serving({ handlers: { cFind: async (request) => (await request.identifier.dataset(), 0) } })
  const identifier = Buffer.from('08000500 0a000000 49534f5f4952203130 30 08005200 06000000 535455445920 10001000 08000000 446f655e4a616e65 400100a3 00000000'.replaceAll(' ', ''), 'hex')
  using peer = await letIn(server)
  for (let cut = 0; cut <= identifier.length; cut++) {
    await peer.sendMessage(5, { ...requestOf('C-FIND').command, messageId: cut + 1 }, identifier.subarray(0, cut))
    const { status } = (await peer.receiveMessage()).command
    t.true(status === 0 || status === 0xc000, `${cut} bytes: ${status?.toString(16)}`)
  }
})

test.serial('a peer that sends many requests and never reads holds its own place alone', async (t) => {
  // Long enough for the healthy peer on a machine that has much else to do.
  await using server = await serving({ timeouts: { networkMs: 5_000 } })
  using recorder = hookRecorder(server.ae, ['associationAborted'])
  using peer = await letIn(server)
  peer.pause()
  const echoes = Buffer.concat(Array.from({ length: 1_000 }, (_, index) => encodePdu(cutMessage(1, { ...requestOf('C-ECHO').command, messageId: index })[0]!)))
  const sending = (async () => {
    for (let i = 0; i < 400 && !peer.isClosed; i++) await peer.send(echoes)
  })()
  await healthy(t, server, 'a flood of requests')
  t.like(await recorder.next('associationAborted', () => true, 30_000), { by: 'network' })
  peer.destroy()
  await sending
  await turnsUntil(() => server.server.connections === 0, 20_000)
  t.is(server.server.connections, 0)
})
