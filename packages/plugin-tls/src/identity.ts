import type { X509Certificate } from 'node:crypto'
import type { Association } from '@dicomtap/framework'
import type { AeTitleSource, IdentityRule } from './option-types.ts'
import { isAeTitle, normalFingerprint } from './options.ts'

/** Whom the certificate of a peer names. It was verified: signed by a trusted CA, in its time, not revoked. */
export interface TlsIdentity {
  /** All of the subject on one line: `CN=CT1, O=Hospital`. */
  readonly subject: string
  readonly commonName?: string
  /** DNS names in the subject alternative name. */
  readonly dnsNames: readonly string[]
  readonly ipAddresses: readonly string[]
  readonly uris: readonly string[]
  /** SHA-256 of the certificate: upper-case hexadecimal digits with colons. */
  readonly fingerprint256: string
  /** The AE titles that it may use; empty when none are known. */
  readonly aeTitles: readonly string[]
}

/** What the plugin offers to others: `api.inject('tls')`. */
export interface TlsService {
  /** Who the peer is by its certificate; undefined without TLS, without a certificate, or with one that was not verified. */
  identityOf(association: Association): TlsIdentity | undefined
}

declare module '@dicomtap/framework' {
  interface PluginServices {
    tls: TlsService
  }
}

export interface IdentityPolicy {
  readonly identities: readonly IdentityRule[]
  readonly aeTitlesFrom: readonly AeTitleSource[]
}

/** Alternative names of each kind that are read: each is held against each rule, at every association. */
export const MAXIMUM_NAMES = 100

/**
 * Reads names out of a verified certificate.
 * @param tooMany it has more than {@link MAXIMUM_NAMES} of a kind; those after them are as if they were not there
 */
export function identityIn(certificate: X509Certificate, { identities, aeTitlesFrom }: IdentityPolicy, tooMany?: () => void): TlsIdentity {
  const commonName = commonNameOf(certificate)
  const { byKind, isCut } = alternativeNames(certificate.subjectAltName ?? '')
  if (isCut) tooMany?.()
  const facts = {
    subject: certificate.subject.split('\n').join(', '),
    ...(commonName === undefined ? {} : { commonName }),
    dnsNames: byKind.DNS,
    ipAddresses: byKind['IP Address'],
    uris: byKind.URI,
    fingerprint256: certificate.fingerprint256,
  }
  const rule = identities.find((one) => fits(one, facts))
  return { ...facts, aeTitles: rule?.aeTitles ?? titlesIn(facts, aeTitlesFrom) }
}

type Facts = Omit<TlsIdentity, 'aeTitles'>

function fits(rule: IdentityRule, { commonName, dnsNames, ipAddresses, uris, fingerprint256 }: Facts): boolean {
  return (
    matches(rule.commonName, commonName === undefined ? [] : [commonName], 'exact') &&
    matches(rule.dnsName, dnsNames, 'anyCase') &&
    matches(rule.ipAddress, ipAddresses, 'anyCase') &&
    matches(rule.uri, uris, 'exact') &&
    (rule.fingerprint === undefined || normalFingerprint(rule.fingerprint) === normalFingerprint(fingerprint256))
  )
}

function matches(pattern: string | undefined, values: readonly string[], how: 'exact' | 'anyCase'): boolean {
  if (pattern === undefined) return true
  const parts = (how === 'exact' ? pattern : pattern.toLowerCase()).split('*')
  return values.some((value) => hasParts(how === 'exact' ? value : value.toLowerCase(), parts))
}

/** Text that has the parts in their order, the first at its start and the last at its end. No expression, so no backtracking. */
function hasParts(value: string, parts: readonly string[]): boolean {
  const [first = '', ...rest] = parts
  const last = rest.pop()
  if (last === undefined) return value === first
  if (!value.startsWith(first)) return false
  let at = first.length
  for (const part of rest) {
    const found = value.indexOf(part, at)
    if (found < 0) return false
    at = found + part.length
  }
  return value.length - last.length >= at && value.endsWith(last)
}

function titlesIn({ commonName, dnsNames }: Facts, sources: readonly AeTitleSource[]): readonly string[] {
  const titles: string[] = []
  if (sources.includes('commonName') && commonName !== undefined) titles.push(commonName.trim())
  // ct1.hospital.example is CT1: DNS does not tell cases apart, AE titles do, and are upper case by custom.
  if (sources.includes('dnsName')) titles.push(...dnsNames.filter((name) => !name.startsWith('*')).map((name) => (name.split('.')[0] ?? '').toUpperCase()))
  return [...new Set(titles.filter(isAeTitle))]
}

/** Of several none: they would not say which one is meant. */
function commonNameOf(certificate: X509Certificate): string | undefined {
  const { CN } = (certificate.toLegacyObject().subject ?? {}) as { CN?: string | readonly string[] }
  return typeof CN === 'string' ? CN : undefined
}

interface AlternativeNames {
  readonly byKind: Readonly<Record<'DNS' | 'IP Address' | 'URI', readonly string[]>>
  readonly isCut: boolean
}

/**
 * Node's text of a subject alternative name: `DNS:a.example, IP Address:10.0.0.1`. A value that has a comma or a
 * quote in it is a JSON string there, so that no value can pretend to be two.
 */
function alternativeNames(text: string): AlternativeNames {
  const byKind: Record<'DNS' | 'IP Address' | 'URI', string[]> = { DNS: [], 'IP Address': [], URI: [] }
  let isCut = false
  for (const [, kind = '', value = ''] of text.matchAll(/(?:^|, )([A-Za-z0-9 ]+):("(?:[^"\\]|\\.)*"|[^,"]*)/g)) {
    if (kind !== 'DNS' && kind !== 'IP Address' && kind !== 'URI') continue
    if (byKind[kind].length < MAXIMUM_NAMES) byKind[kind].push(value.startsWith('"') ? unquoted(value) : value)
    else isCut = true
  }
  return { byKind, isCut }
}

function unquoted(value: string): string {
  try {
    return String(JSON.parse(value))
  } catch {
    return ''
  }
}
