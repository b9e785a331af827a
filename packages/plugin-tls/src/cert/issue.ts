import { createHash, generateKeyPair, randomBytes, sign } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { isIP } from 'node:net'
import { promisify } from 'node:util'
import { AsnConvert, OctetString } from '@peculiar/asn1-schema'
import {
  AlgorithmIdentifier,
  AttributeTypeAndValue,
  AttributeValue,
  AuthorityKeyIdentifier,
  BasicConstraints,
  Certificate,
  CertificateList,
  CRLNumber,
  ExtendedKeyUsage,
  Extension,
  Extensions,
  GeneralName,
  KeyIdentifier,
  KeyUsage,
  KeyUsageFlags,
  Name,
  RelativeDistinguishedName,
  RevokedCertificate,
  SubjectAlternativeName,
  SubjectKeyIdentifier,
  SubjectPublicKeyInfo,
  TBSCertificate,
  TBSCertList,
  Time,
  Validity,
  Version,
  id_ce_authorityKeyIdentifier,
  id_ce_basicConstraints,
  id_ce_cRLNumber,
  id_ce_extKeyUsage,
  id_ce_keyUsage,
  id_ce_subjectAltName,
  id_ce_subjectKeyIdentifier,
  id_kp_clientAuth,
  id_kp_serverAuth,
} from '@peculiar/asn1-x509'

const generate = promisify(generateKeyPair)

const OID_COMMON_NAME = '2.5.4.3'
const OID_ORGANIZATION = '2.5.4.10'
const OID_ECDSA_SHA256 = '1.2.840.10045.4.3.2'
const OID_RSA_SHA256 = '1.2.840.113549.1.1.11'
/** Of the parameters of an RSA signature (RFC 4055 5). */
const ASN1_NULL = new Uint8Array([0x05, 0x00])
const DAY_MS = 86_400_000
/** Clocks differ: what is made now must not be of tomorrow elsewhere. */
const CLOCK_SKEW_MS = 300_000

export type KeyAlgorithm = 'rsa' | 'ecdsa'

export interface KeyPair {
  readonly publicKey: KeyObject
  readonly privateKey: KeyObject
}

export interface Subject {
  readonly commonName: string
  readonly organization?: string
}

/** A CA that signs: its certificate and key. */
export interface Authority {
  readonly certificate: Certificate
  readonly privateKey: KeyObject
}

export interface CertificateRequest {
  readonly subject: Subject
  readonly publicKey: KeyObject
  readonly usage: 'ca' | 'server' | 'client'
  readonly days: number
  /** DNS names and IP addresses for the subject alternative name. */
  readonly names?: readonly string[]
  /** Default: now, with some minutes for clocks that are slow. */
  readonly notBefore?: Date
}

export function makeKeyPair(algorithm: KeyAlgorithm): Promise<KeyPair> {
  return algorithm === 'rsa' ? generate('rsa', { modulusLength: 2048 }) : generate('ec', { namedCurve: 'P-256' })
}

/** A certificate (RFC 5280), DER. @param authority undefined: self-signed with `privateKey` */
export function issueCertificate(
  request: CertificateRequest,
  authority: Authority | { readonly privateKey: KeyObject },
): Uint8Array {
  const { subject, publicKey, usage, days, names = [], notBefore = new Date(Date.now() - CLOCK_SKEW_MS) } = request
  const subjectName = nameOf(subject)
  const spki = publicKeyInfo(publicKey)
  const issuerKey = 'certificate' in authority ? authority.certificate.tbsCertificate.subjectPublicKeyInfo : spki
  const algorithm = signatureAlgorithm(authority.privateKey)
  const tbsCertificate = new TBSCertificate({
    version: Version.v3,
    serialNumber: serialNumber(),
    signature: algorithm,
    issuer: 'certificate' in authority ? authority.certificate.tbsCertificate.subject : subjectName,
    validity: new Validity({ notBefore, notAfter: new Date(notBefore.getTime() + days * DAY_MS + CLOCK_SKEW_MS) }),
    subject: subjectName,
    subjectPublicKeyInfo: spki,
    extensions: new Extensions([
      extension(id_ce_basicConstraints, new BasicConstraints(usage === 'ca' ? { cA: true, pathLenConstraint: 0 } : {}), true),
      extension(id_ce_keyUsage, new KeyUsage(keyUsageFlags(usage, publicKey)), true),
      ...(usage === 'ca' ? [] : [extension(id_ce_extKeyUsage, new ExtendedKeyUsage([usage === 'server' ? id_kp_serverAuth : id_kp_clientAuth]))]),
      extension(id_ce_subjectKeyIdentifier, new SubjectKeyIdentifier(keyIdentifier(spki))),
      extension(id_ce_authorityKeyIdentifier, new AuthorityKeyIdentifier({ keyIdentifier: new KeyIdentifier(keyIdentifier(issuerKey)) })),
      ...(names.length === 0 ? [] : [extension(id_ce_subjectAltName, new SubjectAlternativeName(names.map(generalName)))]),
    ]),
  })
  const signatureValue = signatureOf(AsnConvert.serialize(tbsCertificate), authority.privateKey)
  return new Uint8Array(AsnConvert.serialize(new Certificate({ tbsCertificate, signatureAlgorithm: algorithm, signatureValue })))
}

export interface RevocationRequest {
  /** Serial numbers, as in the certificates, and when they were revoked. */
  readonly revoked: readonly { readonly serialNumber: ArrayBuffer; readonly date: Date }[]
  readonly days: number
  readonly number: number
  readonly thisUpdate?: Date
}

/** A certificate revocation list (RFC 5280 5), DER. */
export function issueRevocationList({ revoked, days, number, thisUpdate = new Date() }: RevocationRequest, authority: Authority): Uint8Array {
  const { subject, subjectPublicKeyInfo } = authority.certificate.tbsCertificate
  const algorithm = signatureAlgorithm(authority.privateKey)
  const tbsCertList = new TBSCertList({
    version: Version.v2,
    signature: algorithm,
    issuer: subject,
    thisUpdate: new Time(new Date(thisUpdate.getTime() - CLOCK_SKEW_MS)),
    nextUpdate: new Time(new Date(thisUpdate.getTime() + days * DAY_MS)),
    crlExtensions: [
      extension(id_ce_authorityKeyIdentifier, new AuthorityKeyIdentifier({ keyIdentifier: new KeyIdentifier(keyIdentifier(subjectPublicKeyInfo)) })),
      extension(id_ce_cRLNumber, new CRLNumber(number)),
    ],
  })
  // Absent when there are none (RFC 5280 5.1.2.6).
  if (revoked.length > 0) {
    tbsCertList.revokedCertificates = revoked.map(
      (one) => new RevokedCertificate({ userCertificate: one.serialNumber, revocationDate: new Time(one.date) }),
    )
  }
  const signature = signatureOf(AsnConvert.serialize(tbsCertList), authority.privateKey)
  return new Uint8Array(AsnConvert.serialize(new CertificateList({ tbsCertList, signatureAlgorithm: algorithm, signature })))
}

function nameOf({ commonName, organization }: Subject): Name {
  const attribute = (type: string, value: string): RelativeDistinguishedName =>
    new RelativeDistinguishedName([new AttributeTypeAndValue({ type, value: new AttributeValue({ utf8String: value }) })])
  return new Name([...(organization === undefined ? [] : [attribute(OID_ORGANIZATION, organization)]), attribute(OID_COMMON_NAME, commonName)])
}

function publicKeyInfo(key: KeyObject): SubjectPublicKeyInfo {
  return AsnConvert.parse(key.export({ type: 'spki', format: 'der' }), SubjectPublicKeyInfo)
}

/** RFC 5280 4.2.1.2 (1) */
function keyIdentifier({ subjectPublicKey }: SubjectPublicKeyInfo): Buffer {
  return createHash('sha1').update(Buffer.from(subjectPublicKey)).digest()
}

function keyUsageFlags(usage: CertificateRequest['usage'], key: KeyObject): KeyUsageFlags {
  if (usage === 'ca') return KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign
  // Suites without forward secrecy, which old equipment has, encrypt with the key.
  return key.asymmetricKeyType === 'rsa' ? KeyUsageFlags.digitalSignature | KeyUsageFlags.keyEncipherment : KeyUsageFlags.digitalSignature
}

function extension(extnID: string, value: unknown, critical = false): Extension {
  return new Extension({ extnID, critical, extnValue: new OctetString(AsnConvert.serialize(value)) })
}

function generalName(name: string): GeneralName {
  return isIP(name) !== 0 ? new GeneralName({ iPAddress: name }) : new GeneralName({ dNSName: name })
}

function signatureAlgorithm({ asymmetricKeyType }: KeyObject): AlgorithmIdentifier {
  return asymmetricKeyType === 'rsa'
    ? new AlgorithmIdentifier({ algorithm: OID_RSA_SHA256, parameters: ASN1_NULL.buffer })
    : new AlgorithmIdentifier({ algorithm: OID_ECDSA_SHA256 })
}

function signatureOf(bytes: ArrayBuffer, key: KeyObject): ArrayBuffer {
  const signature = sign('sha256', Buffer.from(bytes), key)
  return new Uint8Array(signature).buffer
}

/** 16 random bytes, positive (RFC 5280 4.1.2.2). */
function serialNumber(): ArrayBuffer {
  const bytes = new Uint8Array(randomBytes(16))
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40
  return bytes.buffer
}
