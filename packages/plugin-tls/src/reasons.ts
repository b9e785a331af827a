/** What OpenSSL and Node say, in words for operators. */
const REASONS: Readonly<Record<string, string>> = {
  // X509_V_ERR_*, of the peer's certificate
  UNABLE_TO_GET_ISSUER_CERT: 'its certificate is of a CA that is not trusted here',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'its certificate is of a CA that is not trusted here',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its certificate is of a CA that is not trusted here',
  SELF_SIGNED_CERT_IN_CHAIN: 'its certificate is of a CA that is not trusted here',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is self-signed and not trusted here',
  CERT_SIGNATURE_FAILURE: 'its certificate was not signed by the CA that it names',
  CERT_UNTRUSTED: 'its certificate is not trusted here',
  CERT_HAS_EXPIRED: 'its certificate has expired',
  CERT_NOT_YET_VALID: 'its certificate is not valid yet: one of the clocks is wrong',
  CERT_REVOKED: 'its certificate was revoked',
  UNABLE_TO_GET_CRL: 'there is no revocation list of its CA here',
  CRL_HAS_EXPIRED: 'the revocation list of its CA has expired',
  CRL_NOT_YET_VALID: 'the revocation list of its CA is not valid yet: one of the clocks is wrong',
  CRL_SIGNATURE_FAILURE: 'the revocation list was not signed by its CA',
  INVALID_PURPOSE: 'its certificate is not meant for this side of a connection (extended key usage)',
  INVALID_CA: 'its certificate was signed by a certificate that is no CA',
  EE_KEY_TOO_SMALL: 'the key of its certificate is too short for the profile',
  CA_KEY_TOO_SMALL: 'the key of its CA is too short for the profile',
  CA_MD_TOO_WEAK: 'its certificate is signed with a hash that is too weak for the profile',
  CERT_CHAIN_TOO_LONG: 'its certificate has too many CAs above it',
  // ERR_SSL_*
  ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE: 'it showed no certificate',
  ERR_SSL_UNSUPPORTED_PROTOCOL: 'it offers only versions of TLS that the profile does not allow',
  ERR_SSL_VERSION_TOO_LOW: 'it offers only versions of TLS that the profile does not allow',
  ERR_SSL_NO_SHARED_CIPHER: 'it offers no cipher suite that the profile and the key of our certificate allow',
  ERR_SSL_NO_SUITABLE_SIGNATURE_ALGORITHM: 'it takes no signature that the key of our certificate can make',
  ERR_SSL_WRONG_VERSION_NUMBER: 'what it sends is no TLS',
  ERR_SSL_HTTP_REQUEST: 'it speaks HTTP',
  ERR_SSL_TLSV1_ALERT_UNKNOWN_CA: 'it does not trust our certificate (unknown CA)',
  ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE: 'it does not take our certificate',
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_UNKNOWN: 'it does not take our certificate',
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED: 'it says that our certificate has expired',
  ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE: 'it refused the handshake: no common cipher suite, or it wants a certificate',
  ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION: 'it takes only versions of TLS that the profile does not allow',
  ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED: 'it wants a certificate: give cert and key',
  ERR_SSL_TLSV1_ALERT_DECRYPT_ERROR: 'it could not check a signature of ours',
  ERR_TLS_HANDSHAKE_TIMEOUT: 'it did not finish the handshake in time',
  ECONNRESET: 'it closed the connection during the handshake',
}

/** OpenSSL 3.5, of Node 24, calls the alerts that came with SSL 3.0 those of `SSL/TLS`. */
function withoutVersion(code: string): string {
  return code.replace('SSL/TLS_ALERT', 'SSLV3_ALERT')
}

/** One line without what OpenSSL puts around its reason; nothing that a peer wrote. */
export function reasonOf(error: unknown): string {
  const { code, reason, message } = error as { code?: unknown; reason?: unknown; message?: unknown }
  const known = typeof code === 'string' ? REASONS[withoutVersion(code)] : undefined
  if (known !== undefined) return known
  return typeof reason === 'string' ? reason : typeof message === 'string' ? message : String(code)
}

/** Is it a code of `authorizationError` that is known here? */
export function isVerificationCode(code: string): boolean {
  return code in REASONS && !/^(ERR_|ECONN)/.test(code)
}

/** As {@link reasonOf}, for codes of `authorizationError`. */
export function verificationReason(code: string): string {
  return REASONS[code] ?? `its certificate cannot be verified (${code})`
}
