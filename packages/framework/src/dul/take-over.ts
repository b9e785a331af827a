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
}
type Internals = { _handle?: TcpHandle | null; _server?: unknown; server?: unknown }

/**
 * Gives an accepted connection a socket that reads into its own buffers. `net.createServer` does not
 * pass `onread` on to the sockets it makes, so the accepted socket's handle moves to a new one; that is
 * the one undocumented thing here, and where Node does not have it as expected the accepted socket is
 * used as it is, with `data` events.
 *
 * @param accepted from a server with `pauseOnConnect`: nothing may have been read.
 */
export function takeOver(accepted: Socket): Socket | BufferedSocket {
  const internals = accepted as unknown as Internals
  const handle = internals._handle
  // A TLS socket reads decrypted bytes, and what somebody has read from is half-way through them.
  if (accepted instanceof TLSSocket || accepted.bytesRead > 0) return accepted
  if (handle == null || typeof handle.useUserBuffer !== 'function' || typeof handle.readStart !== 'function') return accepted
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
  })
  return socket
}
