import { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import type { OnReadOpts } from 'node:net'
import { ReadBuffers } from './read-buffers.ts'

/** A socket that hands over what it reads in buffers that are used again. */
export interface BufferedSocket extends Socket {
  readonly readBuffers: ReadBuffers
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
interface Internals {
  _handle?: TcpHandle | null
  _server?: unknown
  readonly _readableState?: { readonly ended?: unknown }
}

/**
 * Gives an accepted connection a socket that reads into its own buffers. `net.createServer` does not
 * pass `onread` on to the sockets it makes, so the accepted socket's handle moves to a new one; that is
 * the one undocumented thing here, and where Node does not have it as expected the accepted socket is
 * used as it is, with `data` events.
 *
 * @param accepted from a server with `pauseOnConnect`, paused. What was read and not taken, or put back with
 * `unshift`, as after a header before the first PDU, comes first.
 */
export function takeOver(accepted: Socket): Socket | BufferedSocket {
  const internals = accepted as unknown as Internals
  const handle = internals._handle
  // A TLS socket reads decrypted bytes.
  if (accepted instanceof TLSSocket || handle == null || !isAsExpected(handle)) return accepted
  const hasRead = accepted.bytesRead > 0
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
    callback: (length, buffer) => {
      socket.onChunk?.((buffer as Buffer).subarray(0, length))
      return true
    },
  }
  const socket = new Socket({ handle, onread } as never) as Socket & { -readonly [K in keyof BufferedSocket]: BufferedSocket[K] }
  socket.readBuffers = readBuffers
  // The server counts its connections down through these.
  ;(socket as unknown as Internals)._server = internals._server
  internals._server = null
  internals._handle = null
  socket.on('close', () => {
    readBuffers.close()
    // Who has seen the accepted one may wait for it.
    if (hasRead) accepted.destroy()
  })
  if (waiting !== undefined) {
    // Before anything else is read, and when there is somebody who hears it.
    process.nextTick(() => {
      if (!socket.destroyed) socket.onChunk?.(waiting)
    })
  }
  return socket
}

function isAsExpected(handle: TcpHandle): handle is TcpHandle & { readStop(): void } {
  return [handle.useUserBuffer, handle.readStart, handle.readStop].every((method) => typeof method === 'function')
}

/** No more than its buffer holds. */
function waitingIn(socket: Socket): Buffer | undefined {
  const chunks: Buffer[] = []
  for (let chunk = socket.read() as Buffer | null; chunk !== null; chunk = socket.read() as Buffer | null) chunks.push(chunk)
  return chunks.length > 1 ? Buffer.concat(chunks) : chunks[0]
}
