import { AssociationAbortedError, AssociationRejectedError, DicomtapError } from '@dicomtap/framework'

/** By the `code` that Node gives errors of sockets, names and certificates. */
const SYSTEM_HINTS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there: is the port right, is the server running?',
  ENOTFOUND: 'the name is not known: check its spelling, or give the address',
  EAI_AGAIN: 'names cannot be looked up right now: check the network, or give the address',
  EHOSTUNREACH: 'there is no way to that host: check address, network and VPN',
  ENETUNREACH: 'there is no way to that network: check address, network and VPN',
  ETIMEDOUT: 'the host does not answer: check address and firewall',
  ECONNRESET: 'the peer closed the connection: does it expect TLS, or know this host?',
  EADDRNOTAVAIL: '--local-address must be an address of this host',
  EPROTO: 'the peer does not speak TLS as expected: is this its TLS port?',
  ERR_SSL_WRONG_VERSION_NUMBER: 'the peer does not speak TLS there: leave --tls out, or use its TLS port',
  ERR_SSL_PACKET_LENGTH_TOO_LONG: 'the peer does not speak TLS there: leave --tls out, or use its TLS port',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'the certificate of the peer is self-signed: trust it with --tls-ca <file>',
  SELF_SIGNED_CERT_IN_CHAIN: 'trust the authority of the peer with --tls-ca <file>',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'trust the authority of the peer with --tls-ca <file>',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'trust the authority of the peer with --tls-ca <file>',
  CERT_HAS_EXPIRED: 'the certificate of the peer has expired; it needs a new one',
  ERR_TLS_CERT_ALTNAME_INVALID: 'the certificate is for another name: give it with --tls-server-name <name>',
  ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED: 'the peer wants a certificate: --tls-cert <file> --tls-key <file>',
  ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE: 'no common TLS parameters, or the peer wants a certificate: --tls-cert <file> --tls-key <file>',
}

/** PS3.8 table 9-21, by `source.reason`. */
const REJECTION_HINTS: Readonly<Record<string, string>> = {
  '1.1': 'the log of the peer may say why; often it does not know this AE title (--aet) or host',
  '1.3': 'the peer must know this AE title: set it with --aet, or add it at the peer',
  '1.7': 'check the AE title of the peer: set it with --aec',
  '2.1': 'the log of the peer may say why; it may want a user identity (--user)',
  '3.1': 'the peer is busy: try again later',
  '3.2': 'the peer has too many associations: try again later',
}

/** What a person can do about an error; undefined when its message says it all. */
export function hintFor(error: unknown): string | undefined {
  if (error instanceof AssociationRejectedError) return REJECTION_HINTS[`${error.source}.${error.reason}`]
  const system = systemCodes(error).map((code) => SYSTEM_HINTS[code]).find((hint) => hint !== undefined)
  if (system !== undefined) return system
  if (error instanceof AssociationAbortedError) {
    if (error.by === 'network') return 'the peer closed the connection: is it a DICOM port? does it expect TLS (--tls), or know this host?'
    if (error.by === 'peer') return 'the log of the peer may say why; --debug shows what was sent and received'
    // This side as service provider: what came is no PDU, or not one that may come now (PS3.8 9.3.8).
    return error.source === 2 ? 'does the peer speak DICOM there? is the port right?' : undefined
  }
  if (!(error instanceof DicomtapError)) return undefined
  if (error.code === 'DICOMTAP_ERR_NET_CONNECT') return 'check host, port and firewall; --timeout-connection waits longer'
  if (error.code === 'DICOMTAP_ERR_ACSE_TIMEOUT') return 'is it a DICOM port? does it expect TLS (--tls)? --timeout-acse waits longer'
  if (error.code === 'DICOMTAP_ERR_DIMSE_TIMEOUT') return 'the peer may be slow: --timeout-dimse waits longer'
  if (error.code === 'DICOMTAP_ERR_ACSE_CONTEXT') return 'the peer does not offer this service, or not in these transfer syntaxes: --verbose shows what it answered'
  return undefined
}

function systemCodes(error: unknown): string[] {
  const codes: string[] = []
  for (let one = error; one instanceof Error && codes.length < 8; one = one.cause) {
    const { code } = one as NodeJS.ErrnoException
    // OpenSSL 3.5, of Node 24, calls the alerts that came with SSL 3.0 those of `SSL/TLS`.
    if (typeof code === 'string') codes.push(code.replace('SSL/TLS_ALERT', 'SSLV3_ALERT'))
    // Node tries every address of a name and gives all the errors.
    if (one instanceof AggregateError) codes.push(...one.errors.flatMap(systemCodes))
  }
  return codes
}
