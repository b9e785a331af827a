import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { DicomtapError, harmless, messageOf } from '../errors/index.ts'
import { hearLastWords } from './last-words.ts'
import type { ReadBuffers } from './read-buffers.ts'
import { tellMaker } from './socket-makers.ts'

/** What the DUL needs of a socket: `net.Socket`, `tls.TLSSocket` and the in-memory socket of the tests have it. */
export interface TransportSocket extends Duplex {
  readonly remoteAddress?: string | undefined
  readonly remotePort?: number | undefined
  readonly localAddress?: string | undefined
  readonly localPort?: number | undefined
  /** Of `tls.TLSSocket`. */
  readonly encrypted?: boolean
  /** Of `tls.TLSSocket`: until the handshake is over. */
  readonly secureConnecting?: boolean
  setNoDelay?(noDelay?: boolean): unknown
  /** Of one that a listener of ours accepted: it was opened without delay. */
  hasNoDelay?: boolean
  destroySoon?(): void
  /** Set when the socket reads into buffers that are used again; then `onChunk` gets the chunks, not `data`. */
  readonly readBuffers?: ReadBuffers
  onChunk?: ((chunk: Buffer) => void) | undefined
}

export interface TransportHandler {
  transportConnected(): void
  transportData(chunk: Buffer): void
  transportDrained(): void
  /** Once, when the connection is gone in both directions or the peer closed its side. */
  transportClosed(error: Error | undefined): void
}

/** How long a closing connection may take to flush its last PDU before it is cut. */
const FLUSH_DEADLINE_MS = 2_000

/**
 * The TCP (or TLS) connection under an association: reads, gathered writes, pause and close. The only
 * place of the DUL that touches a socket. What the socket of a plugin throws ends the connection, and
 * nothing else.
 */
export class Transport {
  readonly socket: TransportSocket
  #handler: TransportHandler
  #isConnected: boolean
  #isClosed = false
  /** A method of the socket threw. */
  #isBroken = false
  #isPaused = false
  #error: Error | undefined
  #flushTimer: NodeJS.Timeout | undefined
  /** When `hasGotOn` was last asked, and what was written since. */
  #unsentBytes = 0
  #writtenBytes = 0

  constructor(socket: TransportSocket, handler: TransportHandler, isConnected: boolean) {
    this.socket = socket
    this.#handler = handler
    this.#isConnected = isConnected
    try {
      this.#listen()
    } catch (thrown) {
      this.#failed(thrown)
    }
  }

  #listen(): void {
    const { socket } = this
    if (socket.hasNoDelay !== true) socket.setNoDelay?.(true)
    if (this.socket instanceof Socket) hearLastWords(this.socket)
    const receive = (chunk: Buffer): void => {
      if (Buffer.isBuffer(chunk)) this.#handler.transportData(chunk)
      else this.#failed(new TypeError('it gave something else than a Buffer'))
    }
    if (socket.readBuffers === undefined) socket.on('data', receive)
    else socket.onChunk = receive
    socket.on('drain', () => {
      this.#handler.transportDrained()
    })
    socket.on('error', (error: unknown) => {
      const thrown = harmless(error)
      this.#error = thrown instanceof Error ? thrown : new Error(messageOf(thrown))
    })
    // The peer's FIN ends the association (PS3.8 9.1.4): nobody sends on half a connection. What was
    // written may leave, in the time that a close has.
    socket.on('end', () => {
      // With nothing to flush the system does in one step what takes Node three turns of the event loop.
      if (this.socket instanceof Socket && socket.encrypted !== true && socket.writableLength === 0) this.destroy()
      else this.close()
      this.#closed()
    })
    socket.on('close', () => {
      clearTimeout(this.#flushTimer)
      socket.readBuffers?.close()
      this.#closed()
    })
    // An accepted one is paused until there is somebody to hear it.
    if (this.#isConnected) socket.resume()
    else this.#awaitConnection()
  }

  #awaitConnection(): void {
    const { socket } = this
    const connected = (): void => {
      if (this.#isConnected || this.#isClosed || socket.destroyed) return
      this.#isConnected = true
      this.#handler.transportConnected()
    }
    // A TLS connection is one when its handshake is over.
    socket.once(socket.encrypted === true ? 'secureConnect' : 'connect', connected)
    // Who gave the socket may have waited for it: its events are over then.
    if (isOpen(socket)) process.nextTick(connected)
    else if (socket.closed) {
      this.#error = socket.errored ?? undefined
      process.nextTick(() => {
        this.#closed()
      })
    }
  }

  /** Undefined when each chunk has memory of its own. */
  get readBuffers(): ReadBuffers | undefined {
    return this.socket.readBuffers
  }

  get isPaused(): boolean {
    return this.#isPaused
  }

  /** Bytes written but not yet taken by the operating system; those of one write count until all of it was. */
  get pendingBytes(): number {
    return this.socket.writableLength
  }

  /**
   * Have `minimumBytes` left since this was last asked, or all that waited then? What was written meanwhile counts
   * as if it had left. Node counts a large write until it is over, however long it takes on a slow link; the handle
   * knows how much of it is left.
   */
  hasGotOn(minimumBytes: number): boolean {
    const { _handle: handle } = this.socket as { _handle?: { readonly writeQueueSize?: unknown } | null }
    const queuedBytes = typeof handle?.writeQueueSize === 'number' ? handle.writeQueueSize : 0
    const before = this.#unsentBytes
    const leftBytes = before - this.pendingBytes - queuedBytes + 2 * this.#writtenBytes
    this.#unsentBytes = this.pendingBytes + queuedBytes
    this.#writtenBytes = 0
    return leftBytes >= Math.min(minimumBytes, before)
  }

  get remoteAddress(): string {
    return this.socket.remoteAddress ?? ''
  }
  get remotePort(): number {
    return this.socket.remotePort ?? 0
  }
  get localAddress(): string {
    return this.socket.localAddress ?? ''
  }
  get localPort(): number {
    return this.socket.localPort ?? 0
  }

  /**
   * Returns false when the caller should wait for `transportDrained`.
   * @param left called when the operating system has the bytes; never for other streams, which may hand the
   * memory itself on to their reader
   */
  write(bytes: Uint8Array, left?: () => void): boolean {
    if (this.#isOver()) return true
    try {
      return this.#write(bytes, left)
    } catch (thrown) {
      this.#failed(thrown)
      return true
    }
  }

  /** Writes header and body in one system call. @param left as for `write` */
  writePair(header: Uint8Array, body: Uint8Array, left?: () => void): boolean {
    if (this.#isOver()) return true
    try {
      this.socket.cork()
      this.socket.write(header)
      const isWritable = this.#write(body, left)
      this.socket.uncork()
      return isWritable
    } catch (thrown) {
      this.#failed(thrown)
      return true
    }
  }

  /** Writes pieces in one system call. @param left as for `write` */
  writeAll(pieces: readonly Uint8Array[], left?: () => void): boolean {
    if (pieces.length === 1) return this.write(pieces[0] as Uint8Array, left)
    if (this.#isOver()) return true
    try {
      const last = pieces.length - 1
      this.socket.cork()
      for (let index = 0; index < last; index++) this.#write(pieces[index] as Uint8Array, undefined)
      const isWritable = this.#write(pieces[last] as Uint8Array, left)
      this.socket.uncork()
      return isWritable
    } catch (thrown) {
      this.#failed(thrown)
      return true
    }
  }

  /** Until `uncork` what is written is gathered. */
  cork(): void {
    this.#try(() => this.socket.cork())
  }

  uncork(): void {
    this.#try(() => this.socket.uncork())
  }

  pause(): void {
    if (this.#isPaused) return
    this.#isPaused = true
    this.#try(() => this.socket.pause())
  }

  resume(): void {
    if (!this.#isPaused) return
    this.#isPaused = false
    this.#try(() => this.socket.resume())
  }

  /** Flushes what was written, then closes; cuts the connection when the peer does not take it in time. */
  close(): void {
    if (this.socket.destroyed || this.#flushTimer !== undefined) return
    if (!this.#isConnected) {
      this.destroy()
      return
    }
    this.resume()
    this.#flushTimer = setTimeout(() => {
      this.destroy()
    }, FLUSH_DEADLINE_MS)
    this.#try(() => {
      if (this.socket.destroySoon === undefined) this.socket.end(() => this.destroy())
      else this.socket.destroySoon()
    })
  }

  /** Cuts the connection at once. @param why for `transportClosed` */
  destroy(why?: Error): void {
    this.#try(() => this.socket.destroy(why))
  }

  #isOver(): boolean {
    return this.#isClosed || this.#isBroken || this.socket.destroyed
  }

  #write(bytes: Uint8Array, left: (() => void) | undefined): boolean {
    this.#writtenBytes += bytes.length
    return this.socket.write(bytes, left !== undefined && this.socket instanceof Socket ? whenFlushed(left) : undefined)
  }

  #try(act: () => unknown): void {
    if (this.#isBroken) return
    try {
      act()
    } catch (thrown) {
      this.#failed(thrown)
    }
  }

  /** It may be in any state now, and may never say that it has closed. */
  #failed(thrown: unknown): void {
    if (this.#isBroken) return
    this.#isBroken = true
    tellMaker(this.socket, thrown)
    this.#error = new DicomtapError('DICOMTAP_ERR_NET_CLOSED', `The socket failed: ${messageOf(thrown)}`, { cause: harmless(thrown) })
    try {
      this.socket.destroy()
    } catch {
      // The first that it threw was told.
    }
    process.nextTick(() => {
      clearTimeout(this.#flushTimer)
      this.#closed()
    })
  }

  #closed(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    const handler = this.#handler
    // Node keeps a socket until it next looks through all of its memory: nothing else should stay with it.
    this.#handler = NOBODY
    if (this.socket.readBuffers !== undefined) this.socket.onChunk = undefined
    handler.transportClosed(this.#error)
  }
}

const NOBODY: TransportHandler = { transportConnected() {}, transportData() {}, transportDrained() {}, transportClosed() {} }

function whenFlushed(left: () => void): (error?: Error | null) => void {
  return (error) => {
    if (error == null) left()
  }
}

/** Of streams of other kinds it cannot be told: they emit `connect`. */
function isOpen(socket: TransportSocket): boolean {
  if (socket.destroyed) return false
  return socket.encrypted === true ? socket.secureConnecting === false : socket instanceof Socket && socket.readyState === 'open'
}
