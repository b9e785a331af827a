import type { Socket } from 'node:net'
import type { IncomingConnection } from '@dicomtap/framework'
import type { AddressSet } from '../addresses.ts'
import { plainAddress } from '../addresses.ts'
import type { ResolvedProxyProtocolOptions } from '../options.ts'
import { ProxyHeaderError, parseProxyHeader } from './parse.ts'
import type { ProxyHeader } from './parse.ts'

/** What became of a connection to a listener with the PROXY protocol. */
export type Reception =
  | { readonly outcome: 'go-on'; readonly connection: IncomingConnection }
  /** To be cut; `problem` undefined: somebody only looked whether the port is open. */
  | { readonly outcome: 'cut'; readonly problem: string | undefined }

/**
 * Takes the header off a connection of a balancer. What follows the header stays in the socket, for TLS or for the
 * first PDU.
 */
export async function receiveProxyHeader(
  connection: IncomingConnection,
  options: ResolvedProxyProtocolOptions,
  trusted: AddressSet,
): Promise<Reception> {
  if (!trusted.has(plainAddress(connection.remoteAddress))) {
    if (options.others === 'plain') return { outcome: 'go-on', connection }
    return { outcome: 'cut', problem: 'it comes from no trusted balancer' }
  }
  let header: ProxyHeader | undefined
  try {
    header = await readHeader(connection.socket as Socket, connection.signal, options)
  } catch (error) {
    if (error instanceof ProxyHeaderError) return { outcome: 'cut', problem: error.message }
    throw error
  }
  if (header === undefined) return { outcome: 'cut', problem: undefined }
  return { outcome: 'go-on', connection: header.endpoints === undefined ? connection : { ...connection, ...header.endpoints } }
}

/** @returns undefined: the connection ended before it said anything, or has to go. */
function readHeader(socket: Socket, signal: AbortSignal, { versions, timeoutMs }: ResolvedProxyProtocolOptions): Promise<ProxyHeader | undefined> {
  return new Promise((resolve, reject) => {
    let received = Buffer.alloc(0)
    const done = (settle: () => void): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', ended)
      socket.off('readable', readable)
      socket.off('end', ended)
      socket.off('close', ended)
      // As it was handed over.
      socket.pause()
      settle()
    }
    const fail = (error: unknown): void => done(() => reject(error as Error))
    const timer = setTimeout(() => fail(new ProxyHeaderError('the PROXY protocol header did not come in time')), timeoutMs)
    const ended = (): void => {
      if (received.length === 0 || signal.aborted) done(() => resolve(undefined))
      else fail(new ProxyHeaderError('the connection ended within the PROXY protocol header'))
    }
    const readable = (): void => {
      for (let chunk = socket.read() as Buffer | null; chunk !== null; chunk = socket.read() as Buffer | null) {
        // A read is at most as large as the socket's buffer, and a header is small: this is bounded.
        received = Buffer.concat([received, chunk])
        try {
          const header = parseProxyHeader(received, versions)
          if (header === undefined) continue
          const rest = received.subarray(header.lengthBytes)
          done(() => {
            if (rest.length > 0) socket.unshift(rest)
            resolve(header)
          })
        } catch (error) {
          fail(error)
        }
        return
      }
    }
    signal.addEventListener('abort', ended, { once: true })
    socket.on('readable', readable)
    socket.once('end', ended)
    socket.once('close', ended)
    if (signal.aborted) ended()
  })
}
