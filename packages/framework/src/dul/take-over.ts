import { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import type { OnReadOpts } from 'node:net'
import { ReadBuffers } from './read-buffers.ts'

/** A socket that hands over what it reads in buffers that are used again. */
export interface BufferedSocket extends Socket {
  readonly readBuffers: ReadBuffers
  hasNoDelay?: boolean
  /** Set before the first read: the event loop's next turn. */
  onChunk: ((chunk: Buffer) => void) | undefined
}

/** The parts of Node's TCP handle that are looked at before it is taken over. */
interface TcpHandle {
  readonly useUserBuffer?: unknown
  readonly readStart?: unknown
  readonly readStop?: unknown
  reading?: unknown
}
interface ReadingHandle extends TcpHandle {
  readStop(): void
  useUserBuffer(buffer: Uint8Array): void
}
interface Internals {
  _handle?: TcpHandle | null
  _server?: unknown
  readonly _readableState?: { readonly ended?: unknown }
}

/**
 * Where a socket keeps what it was given as `onread`: symbols of Node's own, found by what a socket that was made with
 * `onread` has there. Undefined where it has nothing of the like.
 */
interface OnReadKeys {
  readonly buffer: symbol
  readonly next: symbol
  readonly callback: symbol
}

const ON_READ_KEYS = findOnReadKeys()

/** Of plaintext. */
const LARGEST_TLS_RECORD_BYTES = 16_384

function findOnReadKeys(): OnReadKeys | undefined {
  const bytes = new Uint8Array(1)
  const next = (): Uint8Array => bytes
  const callback = (): boolean => true
  const fixed = new Socket({ onread: { buffer: bytes, callback } } as never)
  const changing = new Socket({ onread: { buffer: next, callback } } as never)
  const keys = {
    buffer: keyOf(fixed, bytes),
    next: keyOf(changing, next),
    callback: keyOf(fixed, callback),
  }
  const plain = new Socket() as unknown as Record<symbol, unknown>
  const isExpected = Object.values(keys).every((key) => key !== undefined && plain[key] === null)
  return isExpected && keyOf(changing, callback) === keys.callback ? (keys as OnReadKeys) : undefined
}

function keyOf(socket: Socket, value: unknown): symbol | undefined {
  return Object.getOwnPropertySymbols(socket).find((key) => (socket as unknown as Record<symbol, unknown>)[key] === value)
}

/** A read of a socket that was given buffers. */
export function handOver(socket: BufferedSocket, length: number, buffer: Uint8Array): true {
  socket.readBuffers.received(length)
  socket.onChunk?.((buffer as Buffer).subarray(0, length))
  return true
}

/**
 * Has an accepted connection read into buffers that are used again. `net.createServer` does not pass `onread` on to the
 * sockets it makes, so it is given to them afterwards. That is the one undocumented thing here, besides how the handle of
 * a socket that has read already moves to a new one; where Node does not have it as expected the accepted socket is used
 * as it is, with `data` events.
 *
 * @param accepted from a server with `pauseOnConnect`, paused. What was read and not taken, or put back with
 * `unshift`, as after a header before the first PDU, comes first.
 */
export function takeOver(accepted: Socket): Socket | BufferedSocket {
  const internals = accepted as unknown as Internals
  const handle = internals._handle
  if (handle == null || !isAsExpected(handle)) return accepted
  if (accepted instanceof TLSSocket) return takeOverSecure(accepted, handle)
  const hasRead = accepted.bytesRead > 0
  if (!hasRead && handle.reading !== true && ON_READ_KEYS !== undefined) return withOnRead(accepted, handle, ON_READ_KEYS)
  // Its handle will say nothing of what it has said already, or is about to.
  if (hasRead && (internals._readableState?.ended !== false || accepted.writableLength > 0 || accepted.readableFlowing === true)) return accepted
  const waiting = hasRead ? waitingIn(accepted) : undefined
  if (handle.reading === true) {
    handle.readStop()
    handle.reading = false
  }
  const readBuffers = new ReadBuffers(false)
  const onread: OnReadOpts = {
    buffer: () => readBuffers.next(),
    callback: (length, buffer) => handOver(socket, length, buffer),
  }
  const socket = new Socket({ handle, onread } as never) as Socket & { -readonly [K in keyof BufferedSocket]: BufferedSocket[K] }
  socket.readBuffers = readBuffers
  socket.hasNoDelay = (accepted as Partial<BufferedSocket>).hasNoDelay === true
  // The server counts its connections down through these.
  ;(socket as unknown as Internals)._server = internals._server
  internals._server = null
  internals._handle = null
  // Who has seen the accepted one may wait for it.
  if (hasRead) socket.on('close', () => accepted.destroy())
  if (waiting !== undefined) {
    // Before anything else is read, and when there is somebody who hears it.
    process.nextTick(() => {
      if (!socket.destroyed) socket.onChunk?.(waiting)
    })
  }
  return socket
}

/** Its handle hands over decrypted bytes, a record (RFC 8446 5.1) at a time, and has been read since the handshake. */
function takeOverSecure(accepted: TLSSocket, handle: ReadingHandle): Socket {
  const { _readableState: state } = accepted as unknown as Internals
  if (ON_READ_KEYS === undefined || state?.ended !== false || accepted.readableFlowing === true) return accepted
  const waiting = accepted.readableLength > 0 ? waitingIn(accepted) : undefined
  const socket = withOnRead(accepted, handle, ON_READ_KEYS, new ReadBuffers(false, LARGEST_TLS_RECORD_BYTES))
  if (waiting !== undefined) {
    process.nextTick(() => {
      if (!socket.destroyed) socket.onChunk?.(waiting)
    })
  }
  return socket
}

/** What the constructor of a socket and `connect` do with `onread`. */
function withOnRead(socket: Socket, handle: ReadingHandle, keys: OnReadKeys, readBuffers: ReadBuffers = new ReadBuffers(false)): BufferedSocket {
  const internals = socket as unknown as Record<symbol, unknown>
  const next = (): Buffer => readBuffers.next()
  const first = next()
  internals[keys.buffer] = first
  internals[keys.next] = next
  const buffered = socket as Socket & { -readonly [K in keyof BufferedSocket]: BufferedSocket[K] }
  internals[keys.callback] = (length: number, buffer: Uint8Array) => handOver(buffered, length, buffer)
  handle.useUserBuffer(first)
  buffered.readBuffers = readBuffers
  buffered.onChunk = undefined
  return buffered
}

function isAsExpected(handle: TcpHandle): handle is ReadingHandle {
  return [handle.useUserBuffer, handle.readStart, handle.readStop].every((method) => typeof method === 'function')
}

/** No more than its buffer holds. */
function waitingIn(socket: Socket): Buffer | undefined {
  const chunks: Buffer[] = []
  for (let chunk = socket.read() as Buffer | null; chunk !== null; chunk = socket.read() as Buffer | null) chunks.push(chunk)
  return chunks.length > 1 ? Buffer.concat(chunks) : chunks[0]
}
