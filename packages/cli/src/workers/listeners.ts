import { createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import { listenError, setOnListener } from '@dicomtap/framework'
import type { Logger, SharedListenerOptions } from '@dicomtap/framework'

/** Connections that wait while there is no worker to take them. */
const MAXIMUM_WAITING = 1_024

/** Who takes a connection; false when nobody does now. */
export type Dispatch = (listener: number, socket: Socket) => boolean

interface Open {
  readonly server: Server
  readonly address: Promise<AddressInfo>
  readonly waiting: Set<Socket>
}

/** The listening sockets of the server: they stay open whatever becomes of its workers. */
export class Listeners {
  readonly #open = new Map<number, Open>()
  readonly #dispatch: Dispatch
  readonly #log: Logger

  constructor(dispatch: Dispatch, log: Logger) {
    this.#dispatch = dispatch
    this.#log = log
  }

  /** The first worker that asks opens it. @throws DICOMTAP_ERR_NET_LISTEN */
  listen(listener: number, request: SharedListenerOptions): Promise<AddressInfo> {
    const known = this.#open.get(listener)
    if (known !== undefined) return known.address
    const { port, host, backlog, ...socketOptions } = request
    const waiting = new Set<Socket>()
    const server = createServer({ ...socketOptions, pauseOnConnect: true }, (socket) => {
      if (!this.#dispatch(listener, socket)) keepWaiting(waiting, socket)
    })
    const address = new Promise<AddressInfo>((resolve, reject) => {
      server.once('error', (error) => reject(listenError(error, port, host)))
      server.listen({ port, backlog, ...(host === undefined ? {} : { host }) }, () => {
        server.removeAllListeners('error')
        // EMFILE and the like: the listener lives on, the connection is lost.
        server.on('error', (error) => this.#log.error('a connection could not be accepted', { error }))
        setOnListener(server)
        resolve(server.address() as AddressInfo)
      })
    })
    this.#open.set(listener, { server, address, waiting })
    return address
  }

  /** There is somebody who takes connections again. */
  dispatchWaiting(): void {
    for (const [listener, { waiting }] of this.#open) {
      for (const socket of waiting) {
        if (!this.#dispatch(listener, socket)) break
        waiting.delete(socket)
      }
    }
  }

  close(): void {
    for (const { server, waiting } of this.#open.values()) {
      server.close()
      for (const socket of waiting) socket.destroy()
    }
  }
}

function keepWaiting(waiting: Set<Socket>, socket: Socket): void {
  if (waiting.size >= MAXIMUM_WAITING) {
    socket.destroy()
    return
  }
  waiting.add(socket)
  socket.on('error', () => {})
  socket.once('close', () => waiting.delete(socket))
}
