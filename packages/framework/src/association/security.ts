import type { X509Certificate } from 'node:crypto'
import type { TransportSocket } from '../dul/transport.ts'

/** How a connection is secured, as it was when its handshake was over. */
export interface ConnectionSecurity {
  /** `TLSv1.2`, `TLSv1.3`. */
  readonly protocol: string
  /** The name of RFC 8446 or IANA, e.g. `TLS_AES_256_GCM_SHA384`. */
  readonly cipher: string
  /** The peer showed a certificate, and it was verified. */
  readonly isAuthorized: boolean
  /** Of the peer; it proves nothing unless `isAuthorized`. */
  readonly peerCertificate: X509Certificate | undefined
  /** Acceptor: the name that the peer asked for (RFC 6066 3). */
  readonly serverName: string | undefined
}

/** What of `tls.TLSSocket` is looked at. */
interface SecureSocket {
  readonly authorized: boolean
  readonly servername?: string | false
  getProtocol(): string | null
  getCipher(): { readonly name: string; readonly standardName?: string }
  getPeerX509Certificate(): X509Certificate | undefined
}

/** Undefined: the connection is not secured. Taken at once, as a socket that is closed does not know any more. */
export function securityOf(socket: TransportSocket): ConnectionSecurity | undefined {
  if (socket.encrypted !== true) return undefined
  const secure = socket as TransportSocket & Partial<SecureSocket>
  const cipher = secure.getCipher?.()
  const peerCertificate = secure.getPeerX509Certificate?.()
  return {
    protocol: secure.getProtocol?.() ?? '',
    cipher: cipher?.standardName ?? cipher?.name ?? '',
    isAuthorized: secure.authorized === true && peerCertificate !== undefined,
    peerCertificate,
    serverName: typeof secure.servername === 'string' ? secure.servername : undefined,
  }
}
