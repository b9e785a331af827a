import { X509Certificate, createPrivateKey, createPublicKey } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { chmod, mkdir, open, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { AsnConvert } from '@peculiar/asn1-schema'
import { Certificate, CertificateList } from '@peculiar/asn1-x509'
import type { Authority } from './issue.ts'

/** A mistake of who called; shown without a stack. */
export class CertError extends Error {}

export interface Revoked {
  readonly serialNumber: ArrayBuffer
  readonly date: Date
}

/** The folder of a development CA: `ca.pem`, `ca.key`, `crl.pem` and what it signed. */
export class PkiFolder {
  readonly path: string

  constructor(path: string) {
    this.path = path
  }

  file(name: string): string {
    return join(this.path, name)
  }

  /** @throws CertError when there is no CA, or its key cannot be used */
  async authority(): Promise<Authority> {
    const certificate = new X509Certificate(await this.#read('ca.pem'))
    const privateKey = this.#key(await this.#read('ca.key'))
    if (!certificate.checkPrivateKey(privateKey)) throw new CertError(`${this.file('ca.key')} is not the key of ca.pem`)
    return { certificate: AsnConvert.parse(certificate.raw, Certificate), privateKey }
  }

  /** What the list has; undefined without one. */
  async revocations(): Promise<{ readonly revoked: readonly Revoked[]; readonly number: number } | undefined> {
    const text = await readFile(this.file('crl.pem'), 'latin1').catch(ignoreAbsent)
    const base64 = text?.match(/-----BEGIN X509 CRL-----([^-]*)-----END/)?.[1]
    if (base64 === undefined) return undefined
    const { tbsCertList } = AsnConvert.parse(Buffer.from(base64, 'base64'), CertificateList)
    const { revokedCertificates = [], crlExtensions = [] } = tbsCertList
    const number = crlExtensions.find(({ extnID }) => extnID === '2.5.29.20')
    return {
      revoked: revokedCertificates.map(({ userCertificate, revocationDate }) => ({ serialNumber: userCertificate, date: revocationDate.getTime() })),
      // An INTEGER of few bytes: tag, length, digits.
      number: number === undefined ? 0 : Number.parseInt(Buffer.from(number.extnValue.buffer).subarray(2).toString('hex'), 16),
    }
  }

  /** A certificate that the CA signed. @throws CertError */
  async readIssued(path: string): Promise<Certificate> {
    const { privateKey } = await this.authority()
    let certificate: X509Certificate
    try {
      certificate = new X509Certificate(await readFile(path))
    } catch (cause) {
      const { code = '' } = cause as NodeJS.ErrnoException
      throw new CertError(`${path} ${code === 'ENOENT' ? 'is not there' : `holds no certificate that can be read (${code})`}`, { cause })
    }
    if (!certificate.verify(createPublicKey(privateKey.export({ type: 'pkcs8', format: 'pem' })))) throw new CertError(`${path} is not of the CA in ${this.path}`)
    return AsnConvert.parse(certificate.raw, Certificate)
  }

  async write(files: readonly { readonly name: string; readonly content: string; readonly isSecret?: boolean }[], force: boolean): Promise<void> {
    await mkdir(this.path, { recursive: true, mode: 0o700 })
    if (!force) for (const { name } of files) await this.#refuseWhenThere(name)
    for (const { name, content, isSecret = false } of files) await writeWhole(this.file(name), content, isSecret ? 0o600 : 0o644)
  }

  async #refuseWhenThere(name: string): Promise<void> {
    const file = await open(this.file(name)).catch(ignoreAbsent)
    if (file === undefined) return
    await file.close()
    throw new CertError(`${this.file(name)} is there already; --force replaces it`)
  }

  async #read(name: string): Promise<string> {
    const text = await readFile(this.file(name), 'latin1').catch(ignoreAbsent)
    if (text === undefined) throw new CertError(`${this.file(name)} is not there: make a CA first, with "dicomtap cert ca"`)
    return text
  }

  #key(text: string): KeyObject {
    try {
      return createPrivateKey(text)
    } catch (cause) {
      throw new CertError(`${this.file('ca.key')} cannot be read`, { cause })
    }
  }
}

export function pem(label: 'CERTIFICATE' | 'X509 CRL', der: Uint8Array): string {
  const lines = Buffer.from(der).toString('base64').match(/.{1,64}/g) ?? []
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`
}

/** In one step, so that a server that looks meanwhile sees the old file or the new one; never readable by others on the way. */
async function writeWhole(path: string, content: string, mode: number): Promise<void> {
  const temporary = `${path}.${process.pid}.new`
  await rm(temporary, { force: true })
  try {
    const file = await open(temporary, 'wx', 0o600)
    try {
      await file.writeFile(content)
      await file.sync()
    } finally {
      await file.close()
    }
    await chmod(temporary, mode)
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
}

function ignoreAbsent(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw new CertError(`${error.path ?? 'a file'} cannot be read (${error.code ?? error.message})`, { cause: error })
  return undefined
}
