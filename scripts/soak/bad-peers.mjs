// Peers that do what no peer should. None of them waits for anything longer than HOLD_MS.
import { once, setMaxListeners } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { connect as connectTls } from 'node:tls'
import { deflateRawSync } from 'node:zlib'
import { SopClass, TransferSyntax } from '@dicomtap/framework'
import { associateRequest, cutMessage, scriptedPeer } from '@dicomtap/framework/testing'
import { encodePdu } from '../../packages/framework/dist/pdu/encode.js'
import { playMutated } from '../../packages/framework/dist-test/fuzz/mutated-association.js'

const HOLD_MS = 25_000
const FIND = '1.2.840.10008.5.1.4.1.2.2.1'
const { ImplicitVRLittleEndian: IMPLICIT, DeflatedExplicitVRLittleEndian: DEFLATED } = TransferSyntax
const CONTEXTS = [
  ['1.2.840.10008.1.1', IMPLICIT],
  [FIND, IMPLICIT],
  [SopClass.CTImageStorage, IMPLICIT],
  [FIND, DEFLATED],
]
const REQUEST = encodePdu(associateRequest({ contexts: CONTEXTS, calledAeTitle: 'SOAK', callingAeTitle: 'BAD' }))
const find = (messageId) => ({ commandField: 0x0020, messageId, affectedSopClassUid: FIND, priority: 0, commandDataSetType: 0 })
const store = (sopInstanceUid) => ({
  commandField: 0x0001,
  messageId: 1,
  affectedSopClassUid: SopClass.CTImageStorage,
  affectedSopInstanceUid: sopInstanceUid,
  priority: 0,
  commandDataSetType: 0,
})
// (0010,0020) Patient ID, length 2, "42", in Implicit VR Little Endian.
const IDENTIFIER = Buffer.from('10002000020000003432', 'hex')
/** 100 MB of zeros. */
const BOMB = deflateRawSync(Buffer.alloc(100_000_000))
/** Content Sequence (0040,A730) within an item of itself, a thousand times, all of undefined length. */
const NESTED = Buffer.concat(Array.from({ length: 1_000 }, () => Buffer.from('400030a7fffffffffeff00e0ffffffff', 'hex')))
// Handshake record of TLS 1.2 with the start of a ClientHello.
const CLIENT_HELLO = Buffer.from('16030100c8010000c40303', 'hex')

export class BadPeers {
  #port
  #random
  #tally
  #signal
  #tls

  /** @param tls paths of a certificate, its key and the CA, for a port with TLS, which then gets plain bytes as well */
  constructor({ port, random, tally, tls }) {
    this.#tls = tls && { cert: readFileSync(tls.cert), key: readFileSync(tls.key), ca: readFileSync(tls.ca), checkServerIdentity: () => undefined }
    this.#port = port
    this.#random = random
    this.#tally = tally
  }

  async work(signal) {
    this.#signal = signal
    setMaxListeners(0, signal)
    const often = [this.#mutated, this.#mutated, this.#mutated, this.#garbage, this.#claims, this.#evilRequests, this.#resets]
    const seldom = [this.#slowLoris, this.#halfPdu, this.#halfMessage, this.#neverReads, this.#flood, this.#silent]
    while (!signal.aborted) {
      const scenario = this.#random.one(this.#random.once(4) ? seldom : often)
      // Whatever comes of it: only the server is looked at.
      await scenario.call(this).catch(() => {})
      this.#tally.add(`${scenario.name.slice(1)}${this.#tls === undefined ? '' : ' at TLS'}`)
      await pause(this.#random.below(200))
    }
  }

  async #open(bytes = Buffer.alloc(0)) {
    const isSecured = this.#tls !== undefined && this.#random.once(2)
    const place = { port: this.#port, host: '127.0.0.1' }
    const socket = isSecured ? connectTls({ ...place, ...this.#tls }) : connect(place)
    socket.on('error', () => {})
    const abort = () => socket.destroy()
    this.#signal.addEventListener('abort', abort, { once: true })
    socket.once('close', () => this.#signal.removeEventListener('abort', abort))
    await Promise.race([once(socket, isSecured ? 'secureConnect' : 'connect'), once(socket, 'close')])
    socket.resume()
    if (bytes.length > 0) socket.write(bytes)
    return socket
  }

  /** Until the server closes, or the patience of this peer ends. */
  async #held(socket, ms = HOLD_MS) {
    if (!socket.destroyed) await Promise.race([once(socket, 'close'), pause(ms, undefined, { signal: this.#signal }).catch(() => {})])
    socket.destroy()
  }

  async #mutated() {
    await playMutated(this.#port, this.#random)
  }

  async #garbage() {
    const bytes = this.#random.one([
      () => this.#random.bytes(1 + this.#random.below(5_000)),
      () => Buffer.concat([CLIENT_HELLO, this.#random.bytes(200)]),
      () => Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'),
      () => Buffer.from('PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n'),
    ])()
    await this.#held(await this.#open(bytes), 2_000)
  }

  /** Lengths that nothing follows. */
  async #claims() {
    const claim = this.#random.one(['0100ffffffff', '0400ffffffff', '01000003ffff', '0700ffffffff', '02007fffffff'])
    const isAssociated = this.#random.once(2)
    const socket = await this.#open(isAssociated ? REQUEST : Buffer.alloc(0))
    if (isAssociated) await Promise.race([once(socket, 'data'), pause(500)])
    socket.write(Buffer.from(claim, 'hex'))
    await this.#held(socket, 1_000)
  }

  async #withPeer(act) {
    const peer = await scriptedPeer(this.#port)
    try {
      await peer.associate({ contexts: CONTEXTS, calledAeTitle: 'SOAK', callingAeTitle: 'BAD' })
      await act(peer)
    } finally {
      peer.destroy()
    }
  }

  #evilRequests() {
    return this.#withPeer(async (peer) => {
      const request = this.#random.one([
        () => peer.sendMessage(7, find(1), BOMB),
        () => peer.sendMessage(3, find(1), NESTED),
        () => peer.sendMessage(5, store('../../../../tmp/evil'), IDENTIFIER),
        () => peer.sendMessage(5, store('1.2.3'), IDENTIFIER),
        () => peer.sendMessage(5, store(`1.2.${'9'.repeat(70)}`), Buffer.alloc(300_000)),
        () => peer.sendMessage(3, find(1), this.#random.bytes(5_000)),
        () => peer.sendMessage(1, Buffer.alloc(60_000, 0x20)),
      ])
      await request()
      await peer.receiveMessage(3_000).catch(() => {})
    })
  }

  async #resets() {
    for (let left = 10; left > 0; left--) {
      const socket = await this.#open(this.#random.one([REQUEST, REQUEST.subarray(0, 40), Buffer.alloc(0)]))
      if (this.#random.once(2)) await pause(this.#random.below(20))
      // A TLS socket cannot: it is gone without a word.
      if (socket.encrypted) socket.destroy()
      else socket.resetAndDestroy()
    }
  }

  async #slowLoris() {
    const socket = await this.#open()
    for (let at = 0; at < REQUEST.length && !socket.destroyed && !this.#signal.aborted; at++) {
      socket.write(REQUEST.subarray(at, at + 1))
      await pause(500)
    }
    await this.#held(socket)
  }

  async #halfPdu() {
    const socket = await this.#open(REQUEST)
    await Promise.race([once(socket, 'data'), pause(1_000)])
    socket.write(Buffer.from('040000000100000000', 'hex'))
    await this.#held(socket)
  }

  async #halfMessage() {
    const socket = await this.#open(REQUEST)
    await Promise.race([once(socket, 'data'), pause(1_000)])
    const pdus = cutMessage(5, store('1.2.3.4'), Buffer.alloc(100_000)).map(encodePdu)
    socket.write(Buffer.concat(pdus.slice(0, -2)))
    await this.#held(socket)
  }

  /** Asks and asks, and takes no answer. */
  #neverReads() {
    return this.#withPeer(async (peer) => {
      peer.pause()
      const ask = async () => {
        for (let messageId = 1; !peer.socket.destroyed; messageId = (messageId % 60_000) + 1) await peer.sendMessage(3, find(messageId), IDENTIFIER)
      }
      const asking = ask().catch(() => {})
      await this.#held(peer.socket, 40_000)
      await asking
    })
  }

  async #flood() {
    const sockets = await Promise.all(Array.from({ length: 40 }, () => this.#open()))
    await pause(this.#random.below(2_000))
    for (const socket of sockets) socket.destroy()
  }

  async #silent() {
    await this.#held(await this.#open(this.#random.one([REQUEST, Buffer.alloc(0)])))
  }
}
