import { connect as connectTcp } from 'node:net'
import { PduType, RELEASE_REQUEST, readAssociateAccept, statusOf } from './pdus.mjs'

const READ_BUFFER_BYTES = 65_536
const EMPTY = Buffer.alloc(0)

/** The peer did not do what was asked: it rejected, aborted, or went away. */
export class PeerError extends Error {}

/** Opens a TCP connection to a server under test. */
export function connect({ host, port }) {
  return new Promise((resolve, reject) => {
    const buffer = Buffer.allocUnsafeSlow(READ_BUFFER_BYTES)
    const socket = connectTcp({
      host,
      port,
      noDelay: true,
      onread: {
        buffer,
        callback: (length) => {
          peer.received(buffer.subarray(0, length))
          return true
        },
      },
    })
    const peer = new Peer(socket)
    socket.once('connect', () => resolve(peer))
    socket.once('error', (error) => reject(new PeerError(`no connection: ${error.code ?? error.message}`)))
  })
}

/** One connection, on which one thing is asked at a time. */
class Peer {
  #socket
  #pending = EMPTY
  #command = EMPTY
  #waiting
  #drained

  constructor(socket) {
    this.#socket = socket
    socket.on('drain', () => this.#drained?.())
    socket.on('error', (error) => this.#settle('reject', new PeerError(error.code ?? error.message)))
    socket.on('close', () => {
      this.#settle('reject', new PeerError('closed by peer'))
      this.#drained?.()
    })
  }

  /** Results by presentation context id and the peer's maximum length. @throws PeerError when rejected. */
  async associate(request) {
    this.#socket.write(request)
    return this.#answer()
  }

  /** Sends one message, resolves with the status of its response. */
  async exchange(message) {
    const answer = this.#answer()
    for (const piece of message.next()) {
      if (this.#waiting === undefined) break
      if (!this.#socket.write(piece)) await new Promise((resolve) => (this.#drained = resolve))
    }
    return answer
  }

  async release() {
    this.#socket.write(RELEASE_REQUEST)
    await this.#answer()
    // The requestor closes the connection (PS3.8 9.2.3, AR-3); the acceptor's own part is not waited for.
    this.destroy()
  }

  destroy() {
    this.#socket.destroy()
  }

  received(chunk) {
    let bytes = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk])
    while (bytes.length >= 6) {
      const end = 6 + bytes.readUInt32BE(2)
      if (bytes.length < end) break
      this.#pdu(bytes[0], bytes.subarray(6, end))
      bytes = bytes.subarray(end)
    }
    // The read buffer is read into again: what is left must be copied out of it.
    this.#pending = bytes.length === 0 ? EMPTY : Buffer.from(bytes)
  }

  #pdu(type, body) {
    if (type === PduType.PData) this.#pData(body)
    else if (type === PduType.AssociateAc) this.#settle('resolve', readAssociateAccept(body))
    else if (type === PduType.ReleaseRp) this.#settle('resolve')
    else if (type === PduType.AssociateRj) this.#settle('reject', new PeerError(`rejected (${[...body.subarray(1)].join(',')})`))
    else this.#settle('reject', new PeerError(`aborted (${[...body.subarray(2)].join(',')})`))
  }

  #pData(body) {
    for (let at = 0; at + 6 <= body.length; ) {
      const end = at + 4 + body.readUInt32BE(at)
      const control = body[at + 5]
      const data = body.subarray(at + 6, end)
      at = end
      if ((control & 1) === 0) continue
      const command = this.#command.length === 0 ? data : Buffer.concat([this.#command, data])
      this.#command = (control & 2) === 0 ? Buffer.from(command) : EMPTY
      if ((control & 2) !== 0) this.#settle('resolve', statusOf(command))
    }
  }

  #answer() {
    return new Promise((resolve, reject) => {
      if (this.#socket.destroyed) return reject(new PeerError('closed by peer'))
      this.#waiting = { resolve, reject }
      return undefined
    })
  }

  #settle(how, value) {
    const waiting = this.#waiting
    this.#waiting = undefined
    waiting?.[how](value)
  }
}
