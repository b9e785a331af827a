import { once } from 'node:events'
import { createServer } from 'node:net'
import { echoMessage, storeMessage } from './messages.mjs'
import { connect } from './peer.mjs'
import { PduType, RELEASE_RESPONSE, associateRequest, commandSet, pData } from './pdus.mjs'
import { startSink } from './sink.mjs'
import { CT_IMAGE_STORAGE, TRANSFER_SYNTAXES, VERIFICATION } from './uids.mjs'

const CONTEXT_ID = 1
const ASSOCIATIONS = 40
const ECHOES = 50
const STORES = 10

/** A-ASSOCIATE-AC that accepts context 1, without a word about the rest (PS3.8 9.3.3). */
const ASSOCIATE_ACCEPT = Buffer.concat([
  Buffer.from([PduType.AssociateAc, 0, 0, 0, 0, 68 + 8, 0, 1]),
  Buffer.alloc(66),
  Buffer.from([0x21, 0, 0, 4, CONTEXT_ID, 0, 0, 0]),
])
const RESPONSE = pData(CONTEXT_ID, true, true, commandSet({ '0100': 0x8030, '0120': 1, '0800': 0x0101, '0900': 0 }))

/**
 * Runs the generator against a stub in this process until its code is compiled: otherwise the first
 * thousand messages measure the generator.
 */
export async function warmUp() {
  const server = createServer({ noDelay: true }, answer).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const target = { host: '127.0.0.1', port: server.address().port }
  const request = associateRequest({
    calledAeTitle: 'STUB',
    callingAeTitle: 'STUB',
    contexts: [{ abstractSyntax: VERIFICATION, transferSyntax: TRANSFER_SYNTAXES.implicit }],
  })
  const store = storeMessage({
    presentationContextId: CONTEXT_ID,
    transferSyntax: TRANSFER_SYNTAXES.explicit,
    sizeBytes: 4096,
    association: 0,
    maximumLength: 0,
    pduBytes: 0,
  })
  for (let count = 0; count < ASSOCIATIONS; count++) {
    const peer = await connect(target)
    await peer.associate(request)
    const echo = echoMessage(CONTEXT_ID)
    for (let echoes = 0; echoes < ECHOES; echoes++) await peer.exchange(echo)
    for (let stores = 0; stores < STORES; stores++) await peer.exchange(store)
    await peer.release()
  }
  server.close()
}

const SINK_ASSOCIATIONS = 10
const SINK_STORES = 40
const SINK_OBJECT_BYTES = 262_144

/** Sends the sink of this process objects, until its code is compiled. */
export async function warmUpSink(maximumLength) {
  const sink = await startSink({ maximumLength })
  const transferSyntax = TRANSFER_SYNTAXES.explicit
  const contexts = [{ abstractSyntax: CT_IMAGE_STORAGE, transferSyntax }]
  const request = associateRequest({ calledAeTitle: 'SINK', callingAeTitle: 'SINK', contexts })
  for (let count = 0; count < SINK_ASSOCIATIONS; count++) {
    const peer = await connect({ host: '127.0.0.1', port: sink.port })
    const answer = await peer.associate(request)
    const message = storeMessage({
      presentationContextId: CONTEXT_ID,
      transferSyntax,
      sizeBytes: SINK_OBJECT_BYTES,
      association: 0,
      maximumLength: answer.maximumLength,
      pduBytes: 0,
    })
    for (let stores = 0; stores < SINK_STORES; stores++) await peer.exchange(message)
    await peer.release()
  }
  sink.close()
}

/** Small messages on the loopback arrive whole, or in a few pieces: PDU headers are enough to count them. */
function answer(socket) {
  let pending = Buffer.alloc(0)
  socket.on('error', () => {})
  socket.on('data', (chunk) => {
    pending = Buffer.concat([pending, chunk])
    while (pending.length >= 6 && pending.length >= 6 + pending.readUInt32BE(2)) {
      const end = 6 + pending.readUInt32BE(2)
      const reply = replyTo(pending)
      if (reply !== undefined) socket.write(reply)
      pending = pending.subarray(end)
    }
  })
}

function replyTo(bytes) {
  if (bytes[0] === 1) return ASSOCIATE_ACCEPT
  if (bytes[0] === 5) return RELEASE_RESPONSE
  // A command says itself whether it is an echo; a data set is answered at its last fragment.
  const isCommand = (bytes[11] & 1) !== 0
  const isLast = (bytes[11] & 2) !== 0
  const isEcho = isCommand && bytes.includes(VERIFICATION)
  return isEcho || (!isCommand && isLast) ? RESPONSE : undefined
}
