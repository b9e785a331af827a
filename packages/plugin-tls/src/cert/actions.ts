import { X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { relative } from 'node:path'
import { readRevocationLists } from '../crl.ts'
import { identityIn } from '../identity.ts'
import { isAeTitle } from '../options.ts'
import { CertError, pem } from './folder.ts'
import type { PkiFolder } from './folder.ts'
import { issueCertificate, issueRevocationList, makeKeyPair } from './issue.ts'
import type { KeyAlgorithm } from './issue.ts'

export interface MakeOptions {
  readonly algorithm: KeyAlgorithm
  readonly days: number
  readonly force: boolean
}

export interface CertContext {
  readonly folder: PkiFolder
  readonly cwd: string
  /** Results. */
  print(text: string): void
  /** What to know besides. */
  note(text: string): void
}

const NOTE = 'For development and closed test networks: the key of the CA lies here unprotected. In a hospital, have its own CA sign.'

export async function makeAuthority(context: CertContext, { name, ...options }: MakeOptions & { readonly name: string }): Promise<void> {
  const { folder } = context
  const { publicKey, privateKey } = await makeKeyPair(options.algorithm)
  const der = issueCertificate({ subject: { commonName: name }, publicKey, usage: 'ca', days: options.days }, { privateKey })
  await folder.write(
    [
      { name: 'ca.key', content: keyPem(privateKey), isSecret: true },
      { name: 'ca.pem', content: pem('CERTIFICATE', der) },
    ],
    options.force,
  )
  context.print(`${shown(context, 'ca.pem')}  CA "${name}", for ${inDays(options.days)}`)
  context.print(`${shown(context, 'ca.key')}  its key`)
  context.note(NOTE)
}

export async function makeServer(
  context: CertContext,
  { names, commonName, ...options }: MakeOptions & { readonly names: readonly string[]; readonly commonName: string },
): Promise<void> {
  const all = [...new Set(['localhost', hostname().toLowerCase(), ...names, '127.0.0.1', '::1'])]
  await issue(context, 'server', { ...options, usage: 'server', commonName, names: all })
  const at = (file: string): string => shown(context, file)
  context.note(`
In dicomtap.config.yaml:

  listen:
    - port: 2762
      tls: { cert: ${at('server.pem')}, key: ${at('server.key')}, ca: ${at('ca.pem')} }
  plugins:
    - "@dicomtap/plugin-tls"

Peers need ${at('ca.pem')} and a certificate of their own: dicomtap cert client CT1`)
}

export async function makeClient(
  context: CertContext,
  { aeTitle, names, ...options }: MakeOptions & { readonly aeTitle: string; readonly names: readonly string[] },
): Promise<void> {
  if (!isAeTitle(aeTitle)) throw new CertError(`"${aeTitle}" is no AE title: 1 to 16 characters, without a backslash`)
  // A title may hold what a file name may not.
  const file = aeTitle.replace(/[^\w-]/g, '_')
  if (['ca', 'server', 'crl'].includes(file.toLowerCase())) throw new CertError(`${file}.pem is the name of another file here; choose another AE title, or another folder with --dir`)
  await issue(context, file, { ...options, usage: 'client', commonName: aeTitle, names })
  const at = (name: string): string => shown(context, name)
  context.note(`
Try it with DCMTK:

  echoscu +tls ${at(`${file}.key`)} ${at(`${file}.pem`)} +cf ${at('ca.pem')} -aet ${quoted(aeTitle)} localhost 2762`)
}

/** Adds a certificate to the list, and writes the list anew. */
export async function revoke(context: CertContext, path: string, days: number): Promise<void> {
  const { folder } = context
  const authority = await folder.authority()
  const { tbsCertificate } = await folder.readIssued(path)
  const before = await folder.revocations()
  const known = before?.revoked ?? []
  const isKnown = known.some(({ serialNumber }) => Buffer.from(serialNumber).equals(Buffer.from(tbsCertificate.serialNumber)))
  const revoked = isKnown ? known : [...known, { serialNumber: tbsCertificate.serialNumber, date: new Date() }]
  const der = issueRevocationList({ revoked, days, number: (before?.number ?? 0) + 1 }, authority)
  await folder.write([{ name: 'crl.pem', content: pem('X509 CRL', der) }], true)
  context.print(`${shown(context, 'crl.pem')}  ${revoked.length} revoked, good for ${inDays(days)}`)
  context.note(`At the listener: tls: { crl: ${shown(context, 'crl.pem')} }. It holds for associations requested from then on.`)
}

/** Writes the list anew with what it has, before it expires. */
export async function renewList(context: CertContext, days: number): Promise<void> {
  const { folder } = context
  const before = await folder.revocations()
  const revoked = before?.revoked ?? []
  const der = issueRevocationList({ revoked, days, number: (before?.number ?? 0) + 1 }, await folder.authority())
  await folder.write([{ name: 'crl.pem', content: pem('X509 CRL', der) }], true)
  context.print(`${shown(context, 'crl.pem')}  ${revoked.length} revoked, good for ${inDays(days)}`)
}

/** What is in a file, as `dicomtap cert show --json` prints it. */
export type Shown = CertificateShown | ListShown
export interface CertificateShown {
  readonly type: 'certificate'
  readonly subject: string
  readonly issuer: string
  readonly isCa: boolean
  readonly names: readonly string[]
  readonly aeTitles: readonly string[]
  readonly validFrom: string
  readonly validTo: string
  readonly serialNumber: string
  readonly fingerprint256: string
  readonly key: string
}
export interface ListShown {
  readonly type: 'revocation list'
  readonly issuer: string
  readonly thisUpdate: string
  readonly nextUpdate: string | null
  readonly revoked: number
}

export async function show(path: string): Promise<readonly Shown[]> {
  const text = await readFile(path, 'latin1').catch((cause: unknown) => {
    throw new CertError(`${path} cannot be read (${(cause as NodeJS.ErrnoException).code ?? String(cause)})`, { cause })
  })
  if (text.includes('X509 CRL')) {
    const lists = await readRevocationLists(path, 'cert show')
    return lists.map(({ issuer, thisUpdate, nextUpdate, revoked }) => ({
      type: 'revocation list',
      issuer,
      thisUpdate: thisUpdate.toISOString(),
      nextUpdate: nextUpdate?.toISOString() ?? null,
      revoked,
    }))
  }
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? []
  if (blocks.length === 0) throw new CertError(`${path} holds no certificate and no revocation list in PEM`)
  return blocks.map((block) => describe(new X509Certificate(block)))
}

function describe(certificate: X509Certificate): CertificateShown {
  const { subject, dnsNames, ipAddresses, uris, aeTitles, fingerprint256 } = identityIn(certificate, {
    identities: [],
    aeTitlesFrom: ['commonName', 'dnsName'],
  })
  const { asymmetricKeyType = 'unknown', asymmetricKeyDetails } = certificate.publicKey
  return {
    type: 'certificate',
    subject,
    issuer: certificate.issuer.split('\n').join(', '),
    isCa: certificate.ca,
    names: [...dnsNames, ...ipAddresses, ...uris],
    aeTitles: certificate.ca ? [] : aeTitles,
    validFrom: new Date(certificate.validFrom).toISOString(),
    validTo: new Date(certificate.validTo).toISOString(),
    serialNumber: certificate.serialNumber,
    fingerprint256,
    key: `${asymmetricKeyType} ${asymmetricKeyDetails?.modulusLength ?? asymmetricKeyDetails?.namedCurve ?? ''}`.trim(),
  }
}

interface Issue extends MakeOptions {
  readonly usage: 'server' | 'client'
  readonly commonName: string
  readonly names: readonly string[]
}

async function issue(context: CertContext, file: string, { usage, commonName, names, algorithm, days, force }: Issue): Promise<void> {
  const { folder } = context
  const authority = await folder.authority()
  const { publicKey, privateKey } = await makeKeyPair(algorithm)
  const der = issueCertificate({ subject: { commonName }, publicKey, usage, days, names }, authority)
  await folder.write(
    [
      { name: `${file}.key`, content: keyPem(privateKey), isSecret: true },
      { name: `${file}.pem`, content: pem('CERTIFICATE', der) },
    ],
    force,
  )
  const named = names.length === 0 ? '' : `, ${names.join(', ')}`
  context.print(`${shown(context, `${file}.pem`)}  ${usage} "${commonName}"${named}, for ${inDays(days)}`)
  context.print(`${shown(context, `${file}.key`)}  its key`)
}

function keyPem(key: { export(options: { type: 'pkcs8'; format: 'pem' }): string | Buffer }): string {
  return String(key.export({ type: 'pkcs8', format: 'pem' }))
}

/** As one would write it in a file of the working folder. */
function shown({ folder, cwd }: CertContext, name: string): string {
  const path = relative(cwd, folder.file(name))
  return path.startsWith('..') ? folder.file(name) : `./${path}`
}

function quoted(text: string): string {
  return /^[\w.-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`
}

function inDays(days: number): string {
  return days === 1 ? '1 day' : `${days} days`
}
