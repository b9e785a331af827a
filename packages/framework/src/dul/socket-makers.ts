import type { TransportSocket } from './transport.ts'

const makers = new WeakMap<TransportSocket, (thrown: unknown) => void>()

/** @param failed told what a method of the socket threw, by whom it was made */
export function isMadeBy(socket: TransportSocket, failed: (thrown: unknown) => void): void {
  makers.set(socket, failed)
}

export function tellMaker(socket: TransportSocket, thrown: unknown): void {
  makers.get(socket)?.(thrown)
}
