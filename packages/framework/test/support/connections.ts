import { setImmediate as turn } from 'node:timers/promises'
import { memorySocket, ScriptedPeer } from '../../dist/testing/index.js'
import type { MemorySocketOptions, TestServer } from '../../dist/testing/index.js'

/** A scripted peer that is connected to a listener without a network. */
export function connected({ server }: Pick<TestServer, 'server'>, options?: MemorySocketOptions): ScriptedPeer {
  const [client, socket] = memorySocket(options)
  server.inject(socket)
  return new ScriptedPeer(client)
}

/** Lets the event loop turn until something holds; false when it does not within `turns`. */
export async function turnsUntil(isMet: () => boolean, turns = 2_000): Promise<boolean> {
  for (let count = 0; count < turns && !isMet(); count++) await turn()
  return isMet()
}

/** Lets everything happen that is about to happen: what must not happen has had its chance. */
export async function settle(turns = 20): Promise<void> {
  for (let count = 0; count < turns; count++) await turn()
}

/** A promise and what settles it. */
export function deferred<T = void>(): { promise: Promise<T>; resolve: (value: T) => void; reject: (error: Error) => void } {
  let resolve!: (value: T) => void
  let reject!: (error: Error) => void
  const promise = new Promise<T>((resolvePromise, rejectPromise) => {
    resolve = resolvePromise
    reject = rejectPromise
  })
  return { promise, resolve, reject }
}
