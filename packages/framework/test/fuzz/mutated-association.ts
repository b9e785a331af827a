import { once } from 'node:events'
import { connect } from 'node:net'
import { encodePdu } from '../../dist/pdu/encode.js'
import type { Pdu } from '../../dist/pdu/types.js'
import { associateRequest, cutMessage } from '../../dist/testing/index.js'
import type { Random } from '../support/random.ts'
import { PROPOSED, REQUESTS } from '../support/requests.ts'
import { CT_IMAGE, IMPLICIT_LE } from '../support/uids.ts'

const REQUEST = associateRequest({
  contexts: [...PROPOSED, [CT_IMAGE, '1.2.840.10008.1.2.1', IMPLICIT_LE]],
  roles: [{ sopClassUid: CT_IMAGE, scuRole: true, scpRole: true }],
  userInformation: [
    { type: 0x53, maximumNumberOperationsInvoked: 3, maximumNumberOperationsPerformed: 1 },
    { type: 0x55, implementationVersionName: 'FUZZ' },
    { type: 0x56, sopClassUid: CT_IMAGE, serviceClassApplicationInformation: Uint8Array.of(1, 0, 2) },
    { type: 0x57, subItemVersion: 0, sopClassUid: CT_IMAGE, serviceClassUid: '1.2.840.10008.4.2', relatedGeneralSopClassUids: ['1.2.3'] },
    {
      type: 0x58,
      userIdentityType: 2,
      positiveResponseRequested: true,
      primaryField: Buffer.from('alice'),
      secondaryField: Buffer.from('secret'),
    },
  ],
})

/** A valid association: request, a few messages, an end. */
function conversation(random: Random): Pdu[] {
  const pdus: Pdu[] = [REQUEST]
  for (let count = random.below(5); count >= 0; count--) {
    const { contextId, command, dataSet } = random.one(REQUESTS)
    const data = dataSet === undefined ? undefined : random.one([dataSet, random.bytes(300), Buffer.alloc(40_000)])
    const cut = { fragmentBytes: random.one([16_378, 16_378, 7, 100]), pdvsPerPdu: random.one([1, 1, 3]) }
    pdus.push(...cutMessage(contextId, { ...command, messageId: random.below(8) }, data, data !== undefined && data.length > 10_000 ? {} : cut))
  }
  if (random.below(4) === 0) {
    pdus.push(...cutMessage(5, { commandField: 0x0fff, messageIdBeingRespondedTo: random.below(8), commandDataSetType: 0x0101 }))
  }
  pdus.push(random.one<Pdu>([{ type: 'A-RELEASE-RQ' }, { type: 'A-RELEASE-RQ' }, { type: 'A-ABORT', source: 0, reason: 0 }]))
  return pdus
}

const INTERESTING = [0x00, 0x01, 0x02, 0x04, 0x05, 0x07, 0x10, 0x20, 0x50, 0x54, 0x7f, 0x80, 0xfe, 0xff]

/** Changes of a stream that is already bytes. */
const BYTE_MUTATIONS: readonly ((bytes: Buffer, random: Random) => Buffer)[] = [
  // A bit flips.
  (bytes, random) => {
    const at = random.below(bytes.length)
    bytes[at] = bytes[at]! ^ (1 << random.below(8))
    return bytes
  },
  // A byte is another one, now and then in a header.
  (bytes, random) => {
    bytes[random.below(random.below(2) === 0 ? Math.min(bytes.length, 80) : bytes.length)] = random.one(INTERESTING)
    return bytes
  },
  // Four bytes in a row: a length.
  (bytes, random) => {
    const at = random.below(Math.max(1, bytes.length - 4))
    random.one([Buffer.from('ffffffff', 'hex'), Buffer.from('7fffffff', 'hex'), Buffer.alloc(4), random.bytes(4)]).copy(bytes, at)
    return bytes
  },
  (bytes, random) => bytes.subarray(0, random.below(bytes.length)),
  (bytes, random) => {
    const at = random.below(bytes.length)
    return Buffer.concat([bytes.subarray(0, at), random.bytes(1 + random.below(40)), bytes.subarray(at)])
  },
  (bytes, random) => {
    const at = random.below(bytes.length)
    return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + random.below(40))])
  },
  (bytes, random) => {
    const at = random.below(bytes.length)
    const end = at + 1 + random.below(200)
    return Buffer.concat([bytes.subarray(0, end), bytes.subarray(at)])
  },
]

/** Changes of the order of PDUs. */
const PDU_MUTATIONS: readonly ((pdus: Buffer[], random: Random) => void)[] = [
  (pdus, random) => void pdus.splice(random.below(pdus.length), 1),
  (pdus, random) => {
    const at = random.below(pdus.length)
    pdus.splice(at, 0, pdus[at]!)
  },
  (pdus, random) => {
    const [moved] = pdus.splice(random.below(pdus.length), 1)
    pdus.splice(random.below(pdus.length + 1), 0, moved!)
  },
  (pdus, random) =>
    void pdus.splice(
      random.below(pdus.length + 1),
      0,
      encodePdu(
        random.one<Pdu>([
          { type: 'A-RELEASE-RQ' },
          { type: 'A-RELEASE-RP' },
          { type: 'A-ABORT', source: 2, reason: 1 },
          { type: 'A-ASSOCIATE-RJ', result: 1, source: 1, reason: 1 },
          REQUEST,
        ]),
      ),
    ),
]

export interface MutatedAssociation {
  /** Sent at once. */
  readonly first: Buffer
  /** Sent when an answer to the first part came, or did not in time. */
  readonly rest: Buffer
}

/** The bytes of an association, right or wrong. */
export function mutatedAssociation(random: Random): MutatedAssociation {
  const pdus = conversation(random).map(encodePdu)
  const mutations = random.one([0, 1, 1, 1, 2, 2, 3, 5])
  for (let count = 0; count < mutations; count++) {
    if (random.below(3) === 0 && pdus.length > 0) {
      random.one(PDU_MUTATIONS)(pdus, random)
    } else if (pdus.length > 0) {
      // Most often something behind the request, so that the association comes about.
      const at = random.below(6) === 0 || pdus.length === 1 ? 0 : 1 + random.below(pdus.length - 1)
      if (pdus[at]!.length > 0) pdus[at] = random.one(BYTE_MUTATIONS)(Buffer.from(pdus[at]!), random)
    }
  }
  return { first: pdus[0] ?? Buffer.alloc(0), rest: Buffer.concat(pdus.slice(1)) }
}

/** Plays one against a server; resolves when the connection is over on this side. */
export async function playMutated(port: number, random: Random): Promise<void> {
  const { first, rest } = mutatedAssociation(random)
  const waitsForAccept = random.below(12) !== 0
  const chunkBytes = random.one([1_000_000, 1_000_000, 1_400, 11])
  const end = random.one(['wait', 'wait', 'wait', 'end', 'destroy', 'reset'] as const)
  const socket = connect({ port, host: '127.0.0.1' })
  socket.on('error', () => {})
  socket.setTimeout(150, () => socket.destroy())
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
  const answered = new Promise<void>((resolve) => {
    socket.once('data', () => resolve())
    socket.once('close', () => resolve())
    setTimeout(resolve, 60).unref()
  })
  socket.resume()
  await Promise.race([once(socket, 'connect'), closed])
  socket.write(first)
  if (waitsForAccept) await answered
  for (let at = 0; at < rest.length && !socket.destroyed; at += chunkBytes) {
    socket.write(rest.subarray(at, at + chunkBytes))
    // A turn of the event loop, so that small chunks arrive as such; not for thousands of them.
    if (chunkBytes < 1_000_000 && at < chunkBytes * 50) await new Promise((resolve) => setImmediate(resolve))
  }
  if (end === 'end') socket.end()
  else if (end === 'destroy') socket.destroy()
  else if (end === 'reset') socket.resetAndDestroy()
  await closed
}
