import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { ScriptedPeer } from './scripted-peer.ts'

const DEFAULT_TIMEOUT_MS = 5_000

/** A port of 127.0.0.1 where a test answers by hand; made by {@link scriptedListener}. */
export interface ScriptedListener extends AsyncDisposable {
  readonly port: number
  /** The next connection; each is given out once. @throws when none comes in time. */
  accept(timeoutMs?: number): Promise<ScriptedPeer>
  /** Cuts every connection and closes the port. */
  [Symbol.asyncDispose](): Promise<void>
}

/**
 * Listens on a free port of 127.0.0.1 and hands each connection over as a {@link ScriptedPeer}: for tests of what
 * requests associations.
 *
 * @example
 * await using listener = await scriptedListener()
 * const associating = ae.associate({ host: '127.0.0.1', port: listener.port, contexts })
 * const peer = await listener.accept()
 * const request = await peer.acceptAssociation()
 * const association = await associating
 */
export async function scriptedListener(): Promise<ScriptedListener> {
  const peers: ScriptedPeer[] = []
  const unclaimed: ScriptedPeer[] = []
  const waiting: ((peer: ScriptedPeer) => void)[] = []
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    const peer = new ScriptedPeer(socket)
    peers.push(peer)
    const take = waiting.shift()
    if (take === undefined) unclaimed.push(peer)
    else take(peer)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    accept(timeoutMs = DEFAULT_TIMEOUT_MS) {
      const peer = unclaimed.shift()
      if (peer !== undefined) return Promise.resolve(peer)
      return new Promise((resolve, reject) => {
        const timer = setTimeout(() => {
          waiting.splice(waiting.indexOf(take), 1)
          reject(new Error(`Within ${timeoutMs} ms nobody connected`))
        }, timeoutMs)
        const take = (connected: ScriptedPeer): void => {
          clearTimeout(timer)
          resolve(connected)
        }
        waiting.push(take)
      })
    },
    async [Symbol.asyncDispose]() {
      for (const peer of peers) peer.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
