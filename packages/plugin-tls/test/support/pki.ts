import type { KeyObject } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { AsnConvert } from '@peculiar/asn1-schema'
import { Certificate } from '@peculiar/asn1-x509'
import { issueCertificate, issueRevocationList, makeKeyPair } from '../../dist/cert/issue.js'
import type { Authority, CertificateRequest, KeyAlgorithm } from '../../dist/cert/issue.js'

const DAY_MS = 86_400_000

export interface PkiOptions {
  readonly algorithm?: KeyAlgorithm
  readonly name?: string
}

export interface MadeCertificate {
  readonly cert: string
  readonly key: string
  readonly serialNumber: ArrayBuffer
  readonly privateKey: KeyObject
}

/** A CA in a folder of its own, and what it signs. */
export class Pki implements AsyncDisposable {
  readonly folder: string
  readonly #authority: Authority
  readonly #algorithm: KeyAlgorithm
  #lists = 0

  static async make({ algorithm = 'ecdsa', name = 'Test CA' }: PkiOptions = {}): Promise<Pki> {
    const folder = await mkdtemp(join(tmpdir(), 'dicomtap-tls-'))
    const { publicKey, privateKey } = await makeKeyPair(algorithm)
    const der = issueCertificate({ subject: { commonName: name }, publicKey, usage: 'ca', days: 365 }, { privateKey })
    await writeFile(join(folder, 'ca.pem'), pem('CERTIFICATE', der))
    return new Pki(folder, { certificate: AsnConvert.parse(der, Certificate), privateKey }, algorithm)
  }

  private constructor(folder: string, authority: Authority, algorithm: KeyAlgorithm) {
    this.folder = folder
    this.#authority = authority
    this.#algorithm = algorithm
  }

  get ca(): string {
    return join(this.folder, 'ca.pem')
  }

  path(name: string): string {
    return join(this.folder, name)
  }

  /** Writes `<file>.pem` and `<file>.key`. */
  async issue(
    file: string,
    commonName: string,
    request: Partial<Pick<CertificateRequest, 'usage' | 'days' | 'names' | 'notBefore'>> & { readonly passphrase?: string } = {},
  ): Promise<MadeCertificate> {
    const { passphrase, ...rest } = request
    const { publicKey, privateKey } = await makeKeyPair(this.#algorithm)
    const der = issueCertificate({ subject: { commonName }, publicKey, usage: 'client', days: 365, ...rest }, this.#authority)
    const cert = this.path(`${file}.pem`)
    const key = this.path(`${file}.key`)
    await writeFile(cert, pem('CERTIFICATE', der))
    const cipher = passphrase === undefined ? {} : { cipher: 'aes-256-cbc', passphrase }
    await writeFile(key, privateKey.export({ type: 'pkcs8', format: 'pem', ...cipher }), { mode: 0o600 })
    return { cert, key, serialNumber: AsnConvert.parse(der, Certificate).tbsCertificate.serialNumber, privateKey }
  }

  server(file = 'server', request: Parameters<Pki['issue']>[2] = {}): Promise<MadeCertificate> {
    return this.issue(file, 'ARCHIVE', { usage: 'server', names: ['localhost', '127.0.0.1', '::1'], ...request })
  }

  /** Writes `crl.pem`. @param days negative: it has expired */
  async revoke(serialNumbers: readonly ArrayBuffer[], days = 30, file = 'crl.pem'): Promise<string> {
    const thisUpdate = days < 0 ? new Date(Date.now() + 2 * days * DAY_MS) : new Date()
    const der = issueRevocationList(
      {
        revoked: serialNumbers.map((serialNumber) => ({ serialNumber, date: thisUpdate })),
        days: Math.abs(days),
        number: (this.#lists += 1),
        thisUpdate,
      },
      this.#authority,
    )
    await writeFile(this.path(file), pem('X509 CRL', der))
    return this.path(file)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.folder, { recursive: true, force: true })
  }
}

export function pem(label: string, der: Uint8Array): string {
  const lines = Buffer.from(der).toString('base64').match(/.{1,64}/g) ?? []
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`
}

export const daysAgo = (days: number): Date => new Date(Date.now() - days * DAY_MS)
