import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { hearLastWords } from './last-words.ts'
import type { ReadBuffers } from './read-buffers.ts'

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
 * place of the DUL that touches a socket.
 */
export class Transport {
  readonly socket: TransportSocket
  readonly #handler: TransportHandler
  #isConnected: boolean
  #isClosed = false
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
    socket.setNoDelay?.(true)
    if (socket instanceof Socket) hearLastWords(socket)
    const receive = (chunk: Buffer): void => {
      handler.transportData(chunk)
    }
    if (socket.readBuffers === undefined) socket.on('data', receive)
    else socket.onChunk = receive
    socket.on('drain', () => {
      handler.transportDrained()
    })
    socket.on('error', (error) => {
      this.#error = error
    })
    // The peer's FIN ends the association (PS3.8 9.1.4): nobody sends on half a connection. What was
    // written may leave, in the time that a close has.
    socket.on('end', () => {
      this.close()
      this.#closed()
    })
    socket.on('close', () => {
      clearTimeout(this.#flushTimer)
      this.#closed()
    })
    if (isConnected) return
    const connected = (): void => {
      if (this.#isConnected || this.#isClosed || socket.destroyed) return
      this.#isConnected = true
      handler.transportConnected()
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
    if (this.#isClosed || this.socket.destroyed) return true
    this.#writtenBytes += bytes.length
    return this.socket.write(bytes, left !== undefined && this.socket instanceof Socket ? whenFlushed(left) : undefined)
  }

  /** Writes header and body in one system call. @param left as for `write` */
  writePair(header: Uint8Array, body: Uint8Array, left?: () => void): boolean {
    if (this.#isClosed || this.socket.destroyed) return true
    this.socket.cork()
    this.socket.write(header)
    const isWritable = this.write(body, left)
    this.socket.uncork()
    return isWritable
  }

  /** Until `uncork` what is written is gathered. */
  cork(): void {
    this.socket.cork()
  }

  uncork(): void {
    this.socket.uncork()
  }

  pause(): void {
    if (this.#isPaused) return
    this.#isPaused = true
    this.socket.pause()
  }

  resume(): void {
    if (!this.#isPaused) return
    this.#isPaused = false
    this.socket.resume()
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
      this.socket.destroy()
    }, FLUSH_DEADLINE_MS)
    if (this.socket.destroySoon === undefined) this.socket.end(() => this.socket.destroy())
    else this.socket.destroySoon()
  }

  /** Cuts the connection at once. @param why for `transportClosed` */
  destroy(why?: Error): void {
    this.socket.destroy(why)
  }

  #closed(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#handler.transportClosed(this.#error)
  }
}

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
