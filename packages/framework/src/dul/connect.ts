import { Socket } from 'node:net'
import type { OnReadOpts, SocketConstructorOpts } from 'node:net'
import { ReadBuffers } from './read-buffers.ts'
import { handOver } from './take-over.ts'
import type { BufferedSocket } from './take-over.ts'

/**
 * Of every connection, in either role. Keep-alive finds out about a peer that lost its power or its cable where nothing
 * else does: in an idle association that has no time-out.
 */
export const SOCKET_OPTIONS = { noDelay: true, keepAlive: true, keepAliveInitialDelay: 60_000 } as const

/** Where a connection goes, and where from. */
export interface ConnectionTarget {
  readonly host: string
  readonly port: number
  readonly localAddress?: string | undefined
  readonly localPort?: number | undefined
}

/** Opens a TCP connection whose socket reads into its own buffers, as accepted ones do. */
export function connectSocket({ host, port, localAddress, localPort }: ConnectionTarget): BufferedSocket {
  const readBuffers = new ReadBuffers(false)
  const onread: OnReadOpts = {
    buffer: () => readBuffers.next(),
    callback: (length, buffer) => handOver(socket, length, buffer),
  }
  const local = { ...(localAddress === undefined ? {} : { localAddress }), ...(localPort === undefined ? {} : { localPort }) }
  // The constructor takes it (net.connect gives it its options); the types of Node 20 do not say so.
  const socket = new Socket({ onread } as SocketConstructorOpts) as Socket & { -readonly [K in keyof BufferedSocket]: BufferedSocket[K] }
  socket.readBuffers = readBuffers
  try {
    socket.connect({ host, port, ...local, ...SOCKET_OPTIONS })
  } catch (error) {
    // What Node does not even try, e.g. from a local address that is none, is a connection that failed like others.
    socket.destroy(error as Error)
  }
  return socket
}
