import { once } from 'node:events'
import { Socket, createServer } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { PduReader } from './pdu-reader.mjs'
import { PduType, RELEASE_RESPONSE, associateAccept, commandSet, pData, readRequest } from './pdus.mjs'
import { round } from './process-usage.mjs'
import { TRANSFER_SYNTAXES } from './uids.mjs'

const READ_BUFFER_BYTES = 1_048_576
const NO_DATA_SET = 0x0101
const IS_RESPONSE = 0x8000

/**
 * Listens as an acceptor that answers every request with 0000 and drops every data set, without looking into it.
 *
 * @param maximumLength what it announces; 0 is any length
 * @param pause `{ everyBytes, ms }`: reads nothing for so long after each so many bytes
 * @param onAssociation called with the figures of an association when its connection has ended
 * @returns `{ port, close, received }`: what was received so far on all associations, `{ messages, dataSetBytes }`
 */
export async function startSink({ port = 0, maximumLength, pause, onAssociation }) {
  const ended = { messages: 0, dataSetBytes: 0 }
  const open = new Set()
  const server = createServer({ noDelay: true, pauseOnConnect: true }, (accepted) => {
    const association = new SinkAssociation(maximumLength, pause)
    const socket = takeOver(accepted, (chunk) => association.received(chunk))
    association.socket = socket
    open.add(association)
    socket.on('error', () => {})
    socket.on('close', () => {
      open.delete(association)
      const figures = association.figures()
      for (const name of Object.keys(ended)) ended[name] += figures[name]
      onAssociation?.(figures)
    })
  })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: server.address().port,
    close: () => server.close(),
    received: () => [...open].reduce(
      (sum, association) => ({ messages: sum.messages + association.figures().messages, dataSetBytes: sum.dataSetBytes + association.figures().dataSetBytes }),
      { ...ended },
    ),
  }
}

/**
 * A socket that reads into one buffer, where Node's internals permit it: otherwise each read costs memory of
 * its own, and the sink is slower than what it is to measure.
 */
export function takeOver(accepted, onChunk, bufferBytes = READ_BUFFER_BYTES) {
  const handle = accepted._handle
  if (typeof handle?.useUserBuffer !== 'function') return accepted.on('data', onChunk).resume()
  const buffer = Buffer.allocUnsafeSlow(bufferBytes)
  const callback = (length) => {
    onChunk(buffer.subarray(0, length))
    return true
  }
  const socket = new Socket({ handle, onread: { buffer, callback } })
  accepted._handle = null
  return socket.resume()
}

/** One association: keeps commands alone. */
class SinkAssociation {
  socket
  #maximumLength
  #pause
  #unpaused = 0
  #reader = new PduReader({
    onPdu: (type, body) => this.#pdu(type, body),
    onFragment: (contextId, control, bytes, isEnd) => this.#fragment(contextId, control, bytes, isEnd),
  })
  #kept = []
  #request
  #cpu = process.cpuUsage()
  #acceptedAt = performance.now()
  #answeredAt
  #messages = 0
  #dataSetBytes = 0
  #isReleased = false

  constructor(maximumLength, pause) {
    this.#maximumLength = maximumLength
    this.#pause = pause
  }

  received(chunk) {
    this.#reader.received(chunk)
    if (this.#pause === undefined) return
    this.#unpaused += chunk.length
    if (this.#unpaused < this.#pause.everyBytes) return
    this.#unpaused = 0
    this.socket.pause()
    void delay(this.#pause.ms).then(() => this.socket.resume())
  }

  figures() {
    const { user, system } = process.cpuUsage(this.#cpu)
    return {
      messages: this.#messages,
      dataSetBytes: this.#dataSetBytes,
      // From the connection to the last answer: without the start of the sender's process and its end.
      seconds: this.#answeredAt === undefined ? undefined : round((this.#answeredAt - this.#acceptedAt) / 1000, 4),
      longestPduBytes: this.#reader.longestPduBytes,
      isReleased: this.#isReleased,
      sinkCpuSeconds: round((user + system) / 1e6, 3),
    }
  }

  #fragment(contextId, control, bytes, isEnd) {
    const isCommand = (control & 1) !== 0
    // The memory is read into again.
    if (isCommand) this.#kept.push(Buffer.from(bytes))
    else this.#dataSetBytes += bytes.length
    if (!isEnd || (control & 2) === 0) return
    if (isCommand) {
      this.#request = readRequest(Buffer.concat(this.#kept))
      this.#kept = []
      if (this.#request.hasDataSet) return
    }
    this.#answer(contextId)
  }

  #answer(contextId) {
    const { sopClassUid, sopInstanceUid, commandField, messageId } = this.#request
    this.socket.write(pData(contextId, true, true, commandSet({
      '0002': sopClassUid,
      '0100': commandField | IS_RESPONSE,
      '0120': messageId,
      '0800': NO_DATA_SET,
      '0900': 0,
      ...(sopInstanceUid === undefined ? {} : { '1000': sopInstanceUid }),
    })))
    this.#messages += 1
    this.#answeredAt = performance.now()
  }

  #pdu(type, body) {
    if (type === PduType.AssociateRq) {
      this.socket.write(associateAccept(body, { transferSyntax: TRANSFER_SYNTAXES.explicit, maximumLength: this.#maximumLength }))
    } else if (type === PduType.ReleaseRq) {
      this.#isReleased = true
      this.socket.write(RELEASE_RESPONSE)
    } else {
      this.socket.destroy()
    }
  }
}
