import type { TransportSocket } from '../dul/transport.ts'

/** One end of the transport connection. */
export interface Endpoint {
  readonly address: string
  readonly port: number
}

/** What knows both ends. */
export type Connection = Pick<TransportSocket, 'remoteAddress' | 'remotePort' | 'localAddress' | 'localPort'>

export const UNKNOWN_ENDPOINT: Endpoint = { address: '', port: 0 }

/** A listener on every address sees IPv4 peers as IPv6 ones (RFC 4291 2.5.5.2): they are shown as IPv4. */
export function remoteEndpoint({ remoteAddress = '', remotePort = 0 }: Connection): Endpoint {
  return { address: remoteAddress.replace(/^::ffff:(?=\d+\.)/, ''), port: remotePort }
}

export function localEndpoint({ localAddress = '', localPort = 0 }: Connection): Endpoint {
  return { address: localAddress, port: localPort }
}
