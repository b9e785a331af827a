import { Duplex } from 'node:stream'
import type { TransportSocket } from '../dul/transport.ts'

export interface MemorySocketOptions {
  /** Bytes that each direction holds before a write has to wait; default 65 536. */
  readonly bufferBytes?: number
  /** Address that both ends claim; default `127.0.0.1`. */
  readonly address?: string
}

const CLIENT_PORT = 49_152
const SERVER_PORT = 104

/**
 * One end of an in-memory connection: behaves as a `net.Socket` does, back-pressure and half close
 * included, without a network.
 */
export class MemorySocket extends Duplex implements TransportSocket {
  readonly remoteAddress: string
  readonly remotePort: number
  readonly localAddress: string
  readonly localPort: number
  /** Set by `pair`, before anybody sees the socket. */
  #peer!: MemorySocket
  #dispatchedBytes = 0
  /** The peer's write that waits until this end reads. */
  #heldWrite: (() => void) | undefined
  #isEndDelivered = false

  /** @internal Made in pairs by {@link memorySocket}. */
  constructor(options: Required<MemorySocketOptions>, localPort: number, remotePort: number) {
    super({ allowHalfOpen: false, highWaterMark: options.bufferBytes })
    this.localAddress = options.address
    this.remoteAddress = options.address
    this.localPort = localPort
    this.remotePort = remotePort
  }

  /** @internal */
  static pair(options: Required<MemorySocketOptions>): readonly [MemorySocket, MemorySocket] {
    const client = new MemorySocket(options, CLIENT_PORT, SERVER_PORT)
    const server = new MemorySocket(options, SERVER_PORT, CLIENT_PORT)
    client.#peer = server
    server.#peer = client
    return [client, server]
  }

  /** As of `net.Socket`: bytes that were written, those that still wait included. */
  get bytesWritten(): number {
    return this.#dispatchedBytes + this.writableLength
  }

  setNoDelay(): this {
    return this
  }

  /** Sends what was written, then closes both directions. */
  destroySoon(): void {
    if (this.writable) this.end()
    if (this.writableFinished) this.destroy()
    else this.once('finish', () => this.destroy())
  }

  /** Cuts the connection as a reset does: the other end gets `ECONNRESET`. */
  reset(): void {
    const peer = this.#peer
    peer.#isEndDelivered = true
    this.destroy()
    setImmediate(() => peer.destroy(failure('read', 'ECONNRESET')))
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#send(chunk, done)
  }

  override _writev(chunks: { chunk: Buffer; encoding: BufferEncoding }[], done: (error?: Error | null) => void): void {
    this.#send(Buffer.concat(chunks.map(({ chunk }) => chunk)), done)
  }

  override _final(done: (error?: Error | null) => void): void {
    setImmediate(() => {
      this.#peer.#receiveEnd()
      done()
    })
  }

  override _read(): void {
    const write = this.#heldWrite
    this.#heldWrite = undefined
    write?.()
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    const write = this.#heldWrite
    this.#heldWrite = undefined
    write?.()
    setImmediate(() => this.#peer.#receiveEnd())
    done(error)
  }

  #send(chunk: Buffer, done: (error?: Error | null) => void): void {
    // A turn of the event loop later, as bytes of a network are: nothing is received inside a write.
    setImmediate(() => {
      const peer = this.#peer
      if (peer.destroyed) {
        done(failure('write', 'EPIPE'))
        return
      }
      peer.#receive(chunk, () => {
        this.#dispatchedBytes += chunk.length
        done()
      })
    })
  }

  #receive(chunk: Buffer, taken: () => void): void {
    // Copied, because the sender may use its memory again once the write is done.
    if (this.#isEndDelivered || this.push(Buffer.from(chunk))) taken()
    else this.#heldWrite = taken
  }

  #receiveEnd(): void {
    if (this.#isEndDelivered || this.destroyed) return
    this.#isEndDelivered = true
    this.push(null)
  }
}

function failure(call: string, code: string): Error {
  return Object.assign(new Error(`${call} ${code}`), { code })
}

/**
 * A connection without a network: two sockets, each the other's peer. Give one to
 * `AssociationServer.inject` or to a `DulServiceProvider`, keep the other.
 *
 * @example
 * const [client, socket] = memorySocket()
 * server.inject(socket)
 * client.write(bytes)
 */
export function memorySocket(options: MemorySocketOptions = {}): readonly [client: MemorySocket, server: MemorySocket] {
  return MemorySocket.pair({ bufferBytes: options.bufferBytes ?? 65_536, address: options.address ?? '127.0.0.1' })
}
