import { AsnConvert } from '@peculiar/asn1-schema'
import { CertificateList } from '@peculiar/asn1-x509'
import type { RevocationList } from './crl.ts'

/** In a file of its own, because the ASN.1 library takes half a second to load. */
export function decodeRevocationList(der: Uint8Array): Omit<RevocationList, 'pem'> {
  const { tbsCertList } = AsnConvert.parse(der, CertificateList)
  const { issuer, thisUpdate, nextUpdate, revokedCertificates } = tbsCertList
  return {
    issuer: [...issuer].flatMap((name) => [...name].map(({ value }) => String(value))).join(', '),
    thisUpdate: thisUpdate.getTime(),
    nextUpdate: nextUpdate?.getTime(),
    revoked: revokedCertificates?.length ?? 0,
  }
}
