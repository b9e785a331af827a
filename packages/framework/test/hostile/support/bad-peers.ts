import { setTimeout as delay } from 'node:timers/promises'
import { encodePdu } from '../../../dist/pdu/encode.js'
import { associateRequest, cutMessage } from '../../../dist/testing/index.js'
import type { ScriptedPeer } from '../../../dist/testing/index.js'
import { A_ASSOCIATE_AC, A_RELEASE_RP, bytes } from '../../fixtures/pdus.ts'
import type { Random } from '../../support/random.ts'
import { IDENTIFIER, PROPOSED, REQUESTS, requestOf } from '../../support/requests.ts'
import { OPENINGS } from './openings.ts'

/** One bad connection, from its first byte to its end. */
export type BadPeer = (peer: ScriptedPeer, random: Random) => Promise<unknown>

const ASSOCIATE = encodePdu(associateRequest({ contexts: PROPOSED }))
const RELEASE = encodePdu({ type: 'A-RELEASE-RQ' })
const streamOf = (...messages: readonly Parameters<typeof cutMessage>[]): Buffer => Buffer.concat(messages.flatMap((message) => cutMessage(...message).map(encodePdu)))
/** Every service once, a store of several PDUs, a release. */
const EXCHANGES = [
  Buffer.concat([streamOf(...REQUESTS.map(({ contextId, command, dataSet }) => [contextId, command, dataSet] as Parameters<typeof cutMessage>)), RELEASE]),
  Buffer.concat([streamOf([3, requestOf('C-STORE').command, Buffer.alloc(60_000, 7), { fragmentBytes: 9_000 }]), RELEASE]),
]

function mutated(stream: Buffer, random: Random): Buffer {
  const copy = Buffer.from(stream)
  for (let count = 1 + random.below(4); count > 0; count--) copy[random.below(copy.length)] = random.below(256)
  return copy
}

async function end(peer: ScriptedPeer, random: Random): Promise<void> {
  if (random.once(3)) (peer.socket as unknown as { resetAndDestroy(): void }).resetAndDestroy()
  else if (random.once(2)) peer.end()
  else peer.destroy()
}

async function letIn(peer: ScriptedPeer): Promise<void> {
  await peer.associate({ contexts: PROPOSED })
}

/** What the tests of this folder send one by one, and whatever comes of it by chance. */
export const BAD_PEERS: readonly BadPeer[] = [
  // Not DICOM, or not an association request.
  ...Object.values(OPENINGS).map<BadPeer>((opening) => async (peer) => {
    await peer.send(opening)
    await peer.receiveRawPdu()
  }),
  async (peer, random) => end(peer, random),
  // Half a request.
  async (peer, random) => {
    await peer.send(ASSOCIATE.subarray(0, 1 + random.below(ASSOCIATE.length)))
    await end(peer, random)
  },
  // Changed somewhere.
  async (peer, random) => {
    await peer.send(mutated(ASSOCIATE, random), mutated(random.one(EXCHANGES), random))
    await delay(random.below(10))
    await end(peer, random)
  },
  // Refused, and it holds on for a while.
  async (peer, random) => {
    await peer.requestAssociation({ applicationContextName: '1.2.3' })
    await delay(random.below(20))
  },
  // A good beginning, cut or changed.
  ...EXCHANGES.flatMap<BadPeer>((exchange) => [
    async (peer, random) => {
      await letIn(peer)
      await peer.send(exchange.subarray(0, random.below(exchange.length)))
      await end(peer, random)
    },
    async (peer, random) => {
      await letIn(peer)
      await peer.send(mutated(exchange, random))
      await delay(random.below(10))
      await end(peer, random)
    },
    // Does not read.
    async (peer, random) => {
      await letIn(peer)
      peer.pause()
      await peer.send(exchange)
      await delay(random.below(10))
      await end(peer, random)
    },
  ]),
  // Out of place.
  async (peer) => {
    await letIn(peer)
    await peer.send(A_ASSOCIATE_AC.bytes)
    await peer.receiveRawPdu()
  },
  async (peer) => {
    await letIn(peer)
    await peer.send(bytes('04 00 ff ff ff ff'))
    await peer.receiveRawPdu()
  },
  async (peer, random) => {
    await letIn(peer)
    await peer.send(A_RELEASE_RP.bytes)
    await end(peer, random)
  },
  // Nested sequences that are never closed.
  async (peer, random) => {
    await letIn(peer)
    await peer.sendMessage(5, requestOf('C-FIND').command, Buffer.alloc(32_000, Buffer.from('400030a7fffffffffeff00e0ffffffff', 'hex')))
    await peer.receiveMessage()
    await end(peer, random)
  },
  // Cancelled, aborted, released in the middle.
  async (peer) => {
    await letIn(peer)
    await peer.sendMessage(5, requestOf('C-FIND').command, IDENTIFIER)
    await peer.sendPdu({ type: 'A-RELEASE-RQ' })
    await peer.receiveRawPdu()
  },
  async (peer) => {
    await letIn(peer)
    await peer.sendPdu(cutMessage(3, requestOf('C-STORE').command)[0]!, { type: 'A-ABORT', source: 0, reason: 0 })
    await peer.receiveClose()
  },
  // Silence, which the server ends.
  async (peer) => {
    await letIn(peer)
    await peer.send(Uint8Array.of(4))
    await peer.receiveRawPdu()
  },
]
