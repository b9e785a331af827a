import type { Server } from 'node:net'
import { SOCKET_OPTIONS } from './connect.ts'

/** The parts of Node's listening handle and server that are looked at before they are used. */
interface ListeningServer {
  readonly _handle?: {
    setNoDelay?(isOn: boolean): unknown
    setKeepAlive?(isOn: boolean, delaySeconds: number): unknown
  } | null
  noDelay?: unknown
  keepAlive?: unknown
}

const SECONDS = 1_000

/**
 * @internal
 * Sets {@link SOCKET_OPTIONS} on a listening socket. On Linux the connections that it accepts have them from there, and
 * the server need not make five system calls for each. Where that is not so, or Node does not have its handle as expected,
 * the server goes on setting them on each connection.
 */
export function setOnListener(server: Server): void {
  const listening = server as unknown as ListeningServer
  const handle = listening._handle
  if (process.platform !== 'linux' || typeof handle?.setNoDelay !== 'function' || typeof handle.setKeepAlive !== 'function') return
  // What these are is not documented either.
  if (listening.noDelay !== true || listening.keepAlive !== true) return
  if (handle.setNoDelay(true) === 0) listening.noDelay = false
  if (handle.setKeepAlive(true, SOCKET_OPTIONS.keepAliveInitialDelay / SECONDS) === 0) listening.keepAlive = false
}
