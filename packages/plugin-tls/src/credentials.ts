import { createPrivateKey } from 'node:crypto'
import type { X509Certificate } from 'node:crypto'
import { createSecureContext } from 'node:tls'
import type { SecureContextOptions } from 'node:tls'
import { credentialsError, readCertificates, readPrivateKey } from './files.ts'
import { readRevocationLists } from './crl.ts'
import type { ClientTlsSettings, ListenerTlsSettings, PlacedSecret } from './option-types.ts'
import { TLS_PROFILES, contextOptionsOf } from './profiles.ts'

const SERVER_AUTH = '1.3.6.1.5.5.7.3.1'
const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2'
/** RFC 9325 4.5 */
const MINIMUM_RSA_BITS = 2048

/** Something that ends on a date. */
export interface Dated {
  /** `listen[1].tls.cert: ./pki/server.pem (CN=ARCHIVE)` */
  readonly what: string
  readonly kind: 'certificate' | 'revocation list'
  readonly validFrom: Date
  readonly validTo: Date | undefined
}

/** What the files of one listener or destination came to. */
export interface Credentials {
  /** Certificates, keys, CAs and lists in the form that Node takes. */
  readonly context: SecureContextOptions
  readonly serverNames: readonly { readonly names: readonly string[]; readonly context: SecureContextOptions }[]
  readonly dated: readonly Dated[]
  /** What works, and somebody should look at. */
  readonly warnings: readonly string[]
}

export interface LoadEnvironment {
  /** The option that the files stand in, for messages: `listen[1].tls`. */
  readonly where: string
  resolvePath(path: string): string
}

interface Findings {
  readonly dated: Dated[]
  readonly warnings: string[]
}

/** Paths that credentials are read from, absolute. */
export function filesOf(settings: Partial<ListenerTlsSettings> | ClientTlsSettings, resolvePath: (path: string) => string): readonly string[] {
  const { cert, key, passphrase, ca = [], crl = [] } = settings
  const sni = ('sni' in settings ? settings.sni : undefined) ?? []
  const pairs = [{ cert, key, passphrase }, ...sni]
  const paths = [...ca, ...crl, ...pairs.flatMap((pair) => [pair.cert, pair.key, pair.passphrase !== undefined && 'file' in pair.passphrase ? pair.passphrase.file : undefined])]
  return [...new Set(paths.filter((path) => path !== undefined).map((path) => resolvePath(path)))]
}

/**
 * Reads what a listener needs, and checks that it fits together.
 * @throws DICOMTAP_ERR_TLS_CREDENTIALS, DICOMTAP_ERR_TLS_PROFILE: one line with option, file and what to do.
 */
export async function loadListenerCredentials(settings: ListenerTlsSettings, environment: LoadEnvironment): Promise<Credentials> {
  const { where } = environment
  const findings: Findings = { dated: [], warnings: [] }
  const trust = settings.clientCertificates === 'none' ? {} : await readTrust(settings, environment, findings)
  const common = { ...contextOptions(settings, where), ...trust }
  const context = { ...common, ...(await readPair(settings, where, environment, SERVER_AUTH, findings)) }
  tryContext(context, where)
  warnOfKeys(settings, context, where, findings)
  const serverNames = []
  for (const [index, one] of settings.sni.entries()) {
    const place = `${where}.sni[${index}]`
    const named = { ...common, ...(await readPair(one, place, environment, SERVER_AUTH, findings)) }
    tryContext(named, place)
    serverNames.push({ names: one.names, context: named })
  }
  return { context, serverNames, ...findings }
}

/** As {@link loadListenerCredentials}, for connections that go out. */
export async function loadClientCredentials(settings: ClientTlsSettings, environment: LoadEnvironment): Promise<Credentials> {
  const { where } = environment
  const findings: Findings = { dated: [], warnings: [] }
  const { cert } = settings
  const context = {
    ...contextOptions(settings, where),
    ...(settings.ca.length === 0 ? {} : await readTrust(settings, environment, findings)),
    ...(cert === undefined ? {} : await readPair({ ...settings, cert }, where, environment, CLIENT_AUTH, findings)),
  }
  tryContext(context, where)
  return { context, serverNames: [], ...findings }
}

function contextOptions({ profile }: { readonly profile: ListenerTlsSettings['profile'] }, where: string): SecureContextOptions {
  try {
    return contextOptionsOf(profile)
  } catch (error) {
    ;(error as Error).message = `${where}.profile: ${(error as Error).message}`
    throw error
  }
}

async function readTrust(
  { ca, crl }: { readonly ca: readonly string[]; readonly crl: readonly string[] },
  { where, resolvePath }: LoadEnvironment,
  { dated, warnings }: Findings,
): Promise<SecureContextOptions> {
  const certificates: string[] = []
  for (const [index, path] of ca.entries()) {
    const place = option(where, 'ca', index, ca.length)
    for (const certificate of await readCertificates(resolvePath(path), place)) {
      if (!certificate.ca) warnings.push(`${place}: ${path} holds ${nameOf(certificate)}, which is no CA: it is good for itself alone`)
      dated.push(datedCertificate(certificate, place, path))
      certificates.push(certificate.toString())
    }
  }
  const lists: string[] = []
  for (const [index, path] of crl.entries()) {
    const place = option(where, 'crl', index, crl.length)
    for (const { pem, issuer, thisUpdate, nextUpdate } of await readRevocationLists(resolvePath(path), place)) {
      dated.push({ what: `${place}: ${path} (of ${issuer})`, kind: 'revocation list', validFrom: thisUpdate, validTo: nextUpdate })
      lists.push(pem)
    }
  }
  return { ca: certificates, ...(lists.length === 0 ? {} : { crl: lists }) }
}

interface Pair {
  readonly cert: string
  readonly key?: string | undefined
  readonly passphrase?: PlacedSecret | undefined
}

async function readPair(
  { cert, key, passphrase }: Pair,
  where: string,
  { resolvePath }: LoadEnvironment,
  usage: string,
  { dated, warnings }: Findings,
): Promise<SecureContextOptions> {
  const chain = await readCertificates(resolvePath(cert), `${where}.cert`)
  const [leaf] = chain as [X509Certificate]
  const keyOption = key === undefined ? `${where}.cert` : `${where}.key`
  const privateKey = await readPrivateKey(resolvePath(key ?? cert), keyOption, passphrase, resolvePath)
  if (!leaf.checkPrivateKey(privateKey.key)) {
    throw credentialsError(keyOption, `${privateKey.path} is not the key of the certificate ${resolvePath(cert)} (${nameOf(leaf)})`)
  }
  const { asymmetricKeyType, asymmetricKeyDetails } = privateKey.key
  const bits = asymmetricKeyDetails?.modulusLength ?? Number.POSITIVE_INFINITY
  if (asymmetricKeyType === 'rsa' && bits < MINIMUM_RSA_BITS) {
    throw credentialsError(keyOption, `${privateKey.path} has ${bits} bits; RSA keys must have ${MINIMUM_RSA_BITS} at least`)
  }
  if (privateKey.isReadableByAll) {
    warnings.push(`${keyOption}: ${privateKey.path} can be read by every user of this machine: chmod 600, or 640 with a group of its own`)
  }
  const usages = leaf.keyUsage as readonly string[] | undefined
  if (usages !== undefined && usages.length > 0 && !usages.includes(usage) && !usages.includes('2.5.29.37.0')) {
    const role = usage === SERVER_AUTH ? 'servers (serverAuth)' : 'clients (clientAuth)'
    warnings.push(`${where}.cert: ${resolvePath(cert)} is not meant for ${role}: peers will refuse it`)
  }
  for (const certificate of chain) dated.push(datedCertificate(certificate, `${where}.cert`, cert))
  return { cert: chain.map(String).join(''), key: privateKey.key.export({ type: 'pkcs8', format: 'pem' }) }
}

function datedCertificate(certificate: X509Certificate, place: string, path: string): Dated {
  return {
    what: `${place}: ${path} (${nameOf(certificate)})`,
    kind: 'certificate',
    validFrom: new Date(certificate.validFrom),
    validTo: new Date(certificate.validTo),
  }
}

/** The suites of the oldest profiles encrypt with the key of the certificate, which RSA alone can. */
function warnOfKeys({ profile }: ListenerTlsSettings, { key }: SecureContextOptions, where: string, { warnings }: Findings): void {
  if (TLS_PROFILES[profile].requiredSuites.length === 0 || createPrivateKey(key as string).asymmetricKeyType === 'rsa') return
  warnings.push(`${where}.key: profile ${profile} needs an RSA key: with this one nobody can connect`)
}

/** OpenSSL has the last word. */
function tryContext(context: SecureContextOptions, where: string): void {
  try {
    createSecureContext(context)
  } catch (cause) {
    const { reason, message } = cause as Error & { reason?: string }
    throw credentialsError(where, `cannot be used by OpenSSL: ${reason ?? message}`, cause)
  }
}

/** `CN=ARCHIVE`, or all of the subject. */
function nameOf({ subject }: X509Certificate): string {
  const lines = subject.split('\n')
  return lines.find((line) => line.startsWith('CN=')) ?? lines.join(', ')
}

function option(where: string, name: string, index: number, count: number): string {
  return count === 1 ? `${where}.${name}` : `${where}.${name}[${index}]`
}
