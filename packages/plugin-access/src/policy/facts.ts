import type { Association, ConnectionSecurity } from '@dicomtap/framework'
import { plainAddress } from '../addresses.ts'

/** A certificate, as far as conditions ask about it. */
export interface CertificateFacts {
  /** 64 lower-case hexadecimal digits. */
  readonly fingerprint: string
  readonly subject: string
  /** Of several none: they would not say which one is meant. */
  readonly commonName: string | undefined
  /** DNS names, addresses, URIs and e-mail addresses; none when it was not verified. */
  readonly names: readonly string[]
  /** AE titles that plugin-tls reads from it. */
  readonly aeTitles: readonly string[]
  /** Verified; otherwise its names are only claimed. */
  readonly isAuthorized: boolean
}

export interface UserFacts {
  /** Of PS3.7 D.3.3.7.1; 1 proves nothing. */
  readonly type: number
  readonly user: string
  readonly roles: readonly string[]
  readonly claims?: Readonly<Record<string, unknown>>
}

/** What is known of somebody who asks for an association. */
export interface Facts {
  readonly callingAeTitle: string
  readonly calledAeTitle: string
  readonly address: string
  /** Of the listener. */
  readonly port: number
  readonly isSecured: boolean
  readonly certificate: CertificateFacts | undefined
  /** `pending`: not verified yet. */
  readonly user: UserFacts | 'pending' | undefined
}

export interface TlsService {
  identityOf(association: Association): { readonly aeTitles: readonly string[] } | undefined
}

export interface UserIdentityService {
  identityOf(association: Association): UserFacts | undefined
}

export function normalFingerprint(text: string): string {
  return text.replaceAll(':', '').toLowerCase()
}

const NAME_KINDS: ReadonlySet<string> = new Set(['DNS', 'IP Address', 'URI', 'email'])

/** Alternative names of each kind that are read: each is held against each condition, at every association. */
export const MAXIMUM_NAMES = 100

/**
 * `DNS:a, IP Address:10.0.0.1, URI:"..."` as Node writes it: values with special characters are quoted as in JSON.
 * Values of every kind are passed over whole, so that what is quoted in one cannot pretend to be another.
 * @param tooMany there are more than {@link MAXIMUM_NAMES} of a kind; those after them are as if they were not there
 */
export function namesOf(subjectAltName: string | undefined, tooMany?: () => void): string[] {
  const names: string[] = []
  const counts = new Map<string, number>()
  for (const [, kind = '', value = ''] of (subjectAltName ?? '').matchAll(/(?:^|, )([A-Za-z0-9 ]+):("(?:[^"\\]|\\.)*"|[^,"]*)/g)) {
    if (!NAME_KINDS.has(kind)) continue
    const count = (counts.get(kind) ?? 0) + 1
    counts.set(kind, count)
    if (count <= MAXIMUM_NAMES) names.push(value.startsWith('"') ? unquoted(value) : value)
  }
  if ([...counts.values()].some((count) => count > MAXIMUM_NAMES)) tooMany?.()
  return names
}

function unquoted(text: string): string {
  try {
    return String(JSON.parse(text))
  } catch {
    return ''
  }
}

export function certificateFacts(
  security: ConnectionSecurity | undefined,
  aeTitles: readonly string[],
  tooManyNames?: (fingerprint: string) => void,
): CertificateFacts | undefined {
  const certificate = security?.peerCertificate
  if (certificate === undefined) return undefined
  const fingerprint = normalFingerprint(certificate.fingerprint256)
  const isAuthorized = security?.isAuthorized === true
  const subjectLines = certificate.subject?.split('\n') ?? []
  const commonNames = subjectLines.filter((line) => line.startsWith('CN=')).map((line) => line.slice(3))
  return {
    fingerprint,
    subject: subjectLines.join(', '),
    commonName: commonNames.length === 1 ? commonNames[0] : undefined,
    // Anybody can make a certificate with as many names as he likes.
    names: isAuthorized ? namesOf(certificate.subjectAltName, () => tooManyNames?.(fingerprint)) : [],
    aeTitles,
    isAuthorized,
  }
}

/** What is known when the request has come; who the user is comes later. */
export function factsOf(association: Association, tls: TlsService | undefined, tooManyNames?: (fingerprint: string) => void): Facts {
  const { callingAeTitle, calledAeTitle, remoteAddress, security, server, localPort } = association
  return {
    callingAeTitle,
    calledAeTitle,
    address: plainAddress(remoteAddress),
    port: server?.port ?? localPort,
    isSecured: security !== undefined,
    certificate: certificateFacts(security, tls?.identityOf(association)?.aeTitles ?? [], tooManyNames),
    user: 'pending',
  }
}
