import { credentialsError, readOptionFile } from './files.ts'

const BLOCK = /-----BEGIN X509 CRL-----([A-Za-z0-9+/=\s]*)-----END X509 CRL-----/g

/** A certificate revocation list (RFC 5280 5). */
export interface RevocationList {
  readonly pem: string
  readonly issuer: string
  readonly thisUpdate: Date
  /** RFC 5280 requires it; a list without one never ends. */
  readonly nextUpdate: Date | undefined
  readonly revoked: number
}

/** All lists of a file, PEM or DER. @throws DICOMTAP_ERR_TLS_CREDENTIALS */
export async function readRevocationLists(path: string, where: string): Promise<readonly RevocationList[]> {
  const { bytes } = await readOptionFile(path, where)
  // A sequence: DER. PEM is text.
  const lists = bytes[0] === 0x30 ? [bytes] : [...bytes.toString('latin1').matchAll(BLOCK)].map(([, base64 = '']) => Buffer.from(base64, 'base64'))
  if (lists.length === 0) throw credentialsError(where, `${path} holds no revocation list (-----BEGIN X509 CRL-----)`)
  const { decodeRevocationList } = await import('./crl-codec.ts')
  return lists.map((der) => {
    try {
      return { ...decodeRevocationList(der), pem: pemOf(der) }
    } catch (cause) {
      throw credentialsError(where, `${path} holds a revocation list that cannot be read`, cause)
    }
  })
}

/** OpenSSL reads lists in PEM alone. */
export function pemOf(der: Uint8Array): string {
  const lines = Buffer.from(der).toString('base64').match(/.{1,64}/g) ?? []
  return `-----BEGIN X509 CRL-----\n${lines.join('\n')}\n-----END X509 CRL-----\n`
}
