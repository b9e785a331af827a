import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { parentPort, workerData } from 'node:worker_threads'
import { encodeCommandSet } from '../../../dist/dimse/command-set.js'
import { encodePdu } from '../../../dist/pdu/encode.js'
import { associateRequest, cutMessage } from '../../../dist/testing/index.js'
import { PROPOSED, requestOf } from '../../support/requests.ts'

// Peers that want as much memory of a server as they can have, in a thread of their own, so that what they hold is
// not counted. Each sends until the server takes no more, and holds on.

export type Greed = keyof typeof GREEDS

export interface GreedyPeers {
  readonly greed: Greed
  readonly count: number
  readonly port: number
}

const MIB = 1_048_576
const STORE = requestOf('C-STORE').command
const GET = requestOf('N-GET')

/** A C-STORE with some MiB of data in fragments of one size: more than anybody buffers. */
function store(fragmentBytes: number): Buffer {
  const pdv = Buffer.alloc(6 + fragmentBytes, 1)
  pdv.writeUInt32BE(fragmentBytes + 2)
  pdv.set([3, 0], 4)
  const count = Math.max(1, Math.floor(200_000 / pdv.length))
  const header = Buffer.from([4, 0, 0, 0, 0, 0])
  header.writeUInt32BE(count * pdv.length, 2)
  const pdu = Buffer.concat([header, Buffer.alloc(count * pdv.length, pdv)])
  const command = cutMessage(3, { ...STORE, commandDataSetType: 0 }).map(encodePdu)
  return Buffer.concat([...command, ...Array.from({ length: Math.ceil((6 * MIB) / pdu.length) }, () => pdu)])
}

const GREEDS = {
  'data sets in PDVs of one byte': () => store(1),
  'data sets in PDVs of 300 bytes': () => store(300),
  'data sets in PDVs of 40 000 bytes': () => store(40_000),
  'data sets in one PDV of 256 KiB each': () => store(262_138),
  'requests with the largest command sets': () => {
    const attributeIdentifierList = Array.from({ length: 16_000 }, (_, index) => 0xff000000 + index)
    return Buffer.concat(
      Array.from({ length: 100 }, (_, index) =>
        Buffer.concat(cutMessage(GET.contextId, encodeCommandSet({ ...GET.command, messageId: index, attributeIdentifierList })).map(encodePdu)),
      ),
    )
  },
  'matches that nobody reads': () => Buffer.concat(cutMessage(5, requestOf('C-FIND').command, Buffer.alloc(0)).map(encodePdu)),
  'association requests that never end': undefined,
} as const satisfies Readonly<Record<string, (() => Buffer) | undefined>>

export const GREED_NAMES = Object.keys(GREEDS) as Greed[]

function open(port: number, greed: Greed): Promise<Socket> {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => {})
  const what: (() => Buffer) | undefined = GREEDS[greed]
  return new Promise((resolve) => {
    if (what === undefined) {
      const header = Buffer.from([1, 0, 0, 4, 0, 0])
      socket.write(Buffer.concat([header, Buffer.alloc(262_143)]), () => resolve(socket))
      return
    }
    socket.write(encodePdu(associateRequest({ contexts: PROPOSED })))
    socket.once('data', () => {
      socket.pause()
      socket.write(what())
      resolve(socket)
    })
  })
}

async function start({ greed, count, port }: GreedyPeers): Promise<void> {
  const sockets = await Promise.all(Array.from({ length: count }, () => open(port, greed)))
  // The server takes no more when nothing has left for a while.
  let before = -1
  let still = 0
  const timer = setInterval(() => {
    const waiting = sockets.reduce((sum, socket) => sum + socket.writableLength, 0)
    still = waiting === before ? still + 1 : 0
    before = waiting
    if (still < 10) return
    clearInterval(timer)
    parentPort?.postMessage('full')
  }, 20)
  parentPort?.once('message', () => {
    for (const socket of sockets) socket.destroy()
    parentPort?.close()
  })
}

if (parentPort !== null) void start(workerData as GreedyPeers)
