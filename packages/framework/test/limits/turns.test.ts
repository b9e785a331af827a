import test from 'ava'
import { decodeDataSet } from '../../dist/dataset/index.js'
import { encodeCommandSet } from '../../dist/dimse/command-set.js'
import { encodePdu } from '../../dist/pdu/encode.js'
import { createTestServer, cutMessage } from '../../dist/testing/index.js'
import type { ScriptedPeer } from '../../dist/testing/index.js'
import { anotherTurn, inTurns } from '../../dist/turns.js'
import { connected, turnsUntil } from '../support/connections.ts'
import { acceptorIn, killSides } from '../support/dul-sides.ts'
import { PROPOSED, requestOf, SUPPORTED } from '../support/requests.ts'
import { EXPLICIT_LE, IMPLICIT_LE, VERIFICATION } from '../support/uids.ts'

// Nobody has the event loop for long. Nothing here asks the clock how long: others are seen to have their turns.

test.after.always(killSides)

/** Counts the turns of the event loop while something goes on. */
async function turnsDuring(work: Promise<unknown>): Promise<number> {
  let turns = 0
  let isOver = false
  const count = (): void => {
    turns += 1
    if (!isOver) setImmediate(count)
  }
  setImmediate(count)
  await work.catch(() => {})
  isOver = true
  return turns
}

/** An element in Implicit VR Little Endian (PS3.5 7.1.3). */
function element(tag: string, value: Uint8Array): Buffer {
  const length = Buffer.alloc(4)
  length.writeUInt32LE(value.length)
  return Buffer.concat([Buffer.from(tag, 'hex'), length, value])
}

const MIB = 1_048_576

const LARGE: Readonly<Record<string, readonly [dataSet: Buffer, transferSyntax?: string]>> = {
  'a million decimal strings': [element('06305000', Buffer.alloc(2 * MIB, '1\\'))],
  'a million names': [element('10001000', Buffer.alloc(2 * MIB, 'a\\'))],
  'numbers of eight bytes': [element('18008790', Buffer.alloc(24 * MIB))],
  'numbers whose VR is told later': [element('28000601', Buffer.alloc(8 * MIB))],
  'empty items': [Buffer.concat([Buffer.from('400030a7ffffffff', 'hex'), Buffer.alloc(8 * 400_000, Buffer.from('feff00e000000000', 'hex')), Buffer.from('feffdde000000000', 'hex')])],
  'fragments without an offset table': [
    Buffer.concat([Buffer.from('e07f10004f420000ffffffff', 'hex'), Buffer.alloc(10 * 300_000, Buffer.from('feff00e0020000000000', 'hex')), Buffer.from('feffdde000000000', 'hex')]),
    '1.2.840.10008.1.2.4.50',
  ],
}

test.serial('a data set that takes long to decode is decoded in pieces, others have their turn between', async (t) => {
  await decodeDataSet(Buffer.alloc(0), IMPLICIT_LE)
  for (const [name, [dataSet, transferSyntax = IMPLICIT_LE]] of Object.entries(LARGE)) {
    const turns = await turnsDuring(decodeDataSet(dataSet, transferSyntax))
    t.true(turns >= 2, `${name}: ${turns} turns`)
  }
})

test.serial('in pieces comes out what comes out at once', async (t) => {
  const numbers = Buffer.alloc(8 * 10_000)
  for (let index = 0; index < 10_000; index++) numbers.writeDoubleLE(index / 3, 8 * index)
  const names = Array.from({ length: 5_000 }, (_, index) => `Doe ${index}^Jane`)
  const decimals = Array.from({ length: 9_001 }, (_, index) => `${index / 8} `)
  const greek = 'Αθήνα '.repeat(20_000)
  const pixels = Buffer.from(Array.from({ length: 100_000 }, (_, index) => index & 0xff))
  const decoded = await decodeDataSet(
    Buffer.concat([
      element('08000500', Buffer.from('ISO_IR 192')),
      element('10000040', Buffer.from(greek)),
      element('10000110', Buffer.from(`${names.join('\\')} `)),
      element('18008790', numbers),
      element('06305000', Buffer.from(decimals.join('\\'))),
      element('e07f1000', pixels),
    ]),
    IMPLICIT_LE,
  )
  t.is(decoded['PatientComments'], greek.trimEnd())
  t.deepEqual((decoded['OtherPatientNames'] as { Alphabetic: string }[]).map(({ Alphabetic }) => Alphabetic), names)
  t.deepEqual(decoded['DiffusionBValue'], Array.from({ length: 10_000 }, (_, index) => index / 3))
  t.deepEqual(decoded['ContourData'], Array.from({ length: 9_001 }, (_, index) => index / 8))
  t.deepEqual(Buffer.from((decoded['PixelData'] as ArrayBuffer[])[0]!), pixels)
})

test.serial('text that switches between character sets without end, and flat data sets without end, are refused', async (t) => {
  const tooLarge = { code: 'DICOMTAP_ERR_DS_TOO_LARGE' }
  const japanese = element('08000500', Buffer.from('\\ISO 2022 IR 87 '))
  const switching = (count: number): Buffer => Buffer.concat([japanese, element('10000040', Buffer.alloc(8 * count, '\x1b$B0!\x1b(B'))])
  await t.notThrowsAsync(decodeDataSet(switching(9_000), IMPLICIT_LE))
  await t.throwsAsync(decodeDataSet(switching(11_000), IMPLICIT_LE), tooLarge)
  await t.throwsAsync(decodeDataSet(Buffer.concat([japanese, element('10000040', Buffer.concat([Buffer.from('\x1b$B'), Buffer.alloc(MIB + 1, '0!')]))]), IMPLICIT_LE), tooLarge)
  const flat = Buffer.alloc(8 * 50_001)
  for (let index = 0; index <= 50_000; index++) {
    flat.writeUInt16LE(0x11 + 2 * (index >>> 15), 8 * index)
    flat.writeUInt16LE(0x1000 + (index & 0x7fff), 8 * index + 2)
  }
  await t.notThrowsAsync(decodeDataSet(flat.subarray(8), IMPLICIT_LE))
  await t.throwsAsync(decodeDataSet(flat, IMPLICIT_LE), tooLarge)
})

test.serial('many that compute have one piece in a turn, in the order in which they came', async (t) => {
  const order: number[] = []
  let turns = 0
  const count = (): void => {
    turns += 1
    if (order.length < 5) setImmediate(count)
  }
  setImmediate(count)
  await Promise.all([1, 2, 3, 4, 5].map(async (number) => (await anotherTurn(), order.push(number))))
  t.deepEqual(order, [1, 2, 3, 4, 5])
  t.true(turns >= 4, `${turns} turns`)
  await t.throwsAsync(
    inTurns(
      (function* (): Generator<void, void, void> {
        yield
        throw new Error('of the work')
      })(),
    ),
    { message: 'of the work' },
  )
})

// ── connections ─────────────────────────────────────────────────────────────────────────────────────────

test.serial('of one read with thousands of pieces a turn brings a few hundred, all of them arrive, in order', async (t) => {
  const side = await acceptorIn('Sta6', { socketOptions: { bufferBytes: 1_000_000 }, receiveQueueBytes: 100_000_000 })
  const count = 5_000
  const pdvs = Buffer.alloc(8 * count)
  for (let index = 0; index < count; index++) {
    // Length, context 1, data, two bytes.
    Buffer.from([0, 0, 0, 4, 1, 0]).copy(pdvs, 8 * index)
    pdvs.writeUInt16BE(index, 8 * index + 6)
  }
  const header = Buffer.from([4, 0, 0, 0, 0, 0])
  header.writeUInt32BE(pdvs.length, 2)
  const seen: number[] = []
  let inTurn = 0
  let most = 0
  const count2 = (): void => {
    most = Math.max(most, inTurn)
    inTurn = 0
    if (seen.length < count) setImmediate(count2)
  }
  setImmediate(count2)
  const sending = side.peer.send(header, pdvs)
  while (seen.length < count) {
    const next = await side.dul.receive(5_000)
    if (next.type !== 'P-DATA') break
    seen.push(next.data.readUInt16BE())
    inTurn += 1
  }
  await sending
  t.deepEqual(seen, Array.from({ length: count }, (_, index) => index))
  t.true(most <= 600, `${most} in one turn`)
  side.peer.destroy()
})

test.serial('associations that flood do not keep others from being served: requests, cancels, single bytes', async (t) => {
  await using server = await createTestServer({
    contexts: [...SUPPORTED, { abstractSyntax: VERIFICATION, transferSyntaxes: [IMPLICIT_LE, EXPLICIT_LE] }],
    handlers: { cStore: async (request) => (await request.dataSet.pipeTo({ write() {} }), 0) },
  })
  const echo = Buffer.concat(Array.from({ length: 1_000 }, (_, messageId) => encodePdu(cutMessage(1, { ...requestOf('C-ECHO').command, messageId })[0]!)))
  const cancel = { commandField: 0x0fff, messageIdBeingRespondedTo: 7, commandDataSetType: 0x0101 }
  const cancels = Buffer.concat(Array.from({ length: 1_000 }, () => encodePdu(cutMessage(1, encodeCommandSet(cancel))[0]!)))
  const single = Buffer.concat([...cutMessage(3, requestOf('C-STORE').command, Buffer.alloc(5_000), { fragmentBytes: 1, pdvsPerPdu: 1_000 })].map(encodePdu))
  let isOver = false
  let sentChunks = 0
  const flood = async (chunk: Buffer): Promise<ScriptedPeer> => {
    const peer = connected(server)
    await peer.associate({ contexts: PROPOSED })
    void (async () => {
      while (!isOver && !peer.isClosed) {
        await peer.send(chunk)
        sentChunks += 1
        // Its answers are not for keeping.
        if (peer.unreadBytes > 0) await peer.receiveBytes(peer.unreadBytes)
      }
    })()
    return peer
  }
  const peers = await Promise.all([echo, cancels, single].flatMap((chunk) => Array.from({ length: 5 }, () => flood(chunk))))
  for (let round = 0; round < 5; round++) {
    const healthy = connected(server)
    await healthy.associate({ contexts: [[VERIFICATION]], callingAeTitle: 'HEALTHY' })
    await healthy.sendMessage(1, requestOf('C-ECHO').command)
    // In so many turns, though each flood has sent thousands of things by then.
    t.true(await turnsUntil(() => healthy.unreadBytes > 0, 50), `round ${round}`)
    t.is((await healthy.receiveMessage()).command.status, 0)
    await healthy.release()
  }
  t.true(sentChunks > 15, `${sentChunks} chunks of the floods`)
  isOver = true
  for (const peer of peers) peer.destroy()
})
