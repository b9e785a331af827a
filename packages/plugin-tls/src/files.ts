import { X509Certificate, createPrivateKey } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { open } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { DicomtapError, resolveSecret } from '@dicomtap/framework'
import type { PlacedSecret } from './option-types.ts'

/** A bundle of all public CAs has a quarter of it. */
const MAXIMUM_FILE_BYTES = 1_048_576
const CERTIFICATE = /-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]*-----END CERTIFICATE-----/g
const PRIVATE_KEY = /-----BEGIN ([A-Z ]*)PRIVATE KEY-----[^-]*-----END \1PRIVATE KEY-----/

/** A file as it was read, and who else may read it. */
export interface ReadFile {
  readonly path: string
  readonly bytes: Buffer
  readonly isReadableByAll: boolean
}

export interface PrivateKey {
  readonly path: string
  readonly key: KeyObject
  readonly isReadableByAll: boolean
}

/** @param where the option, for messages */
export function credentialsError(where: string, problem: string, cause?: unknown): DicomtapError {
  return new DicomtapError('DICOMTAP_ERR_TLS_CREDENTIALS', `${where}: ${problem}`, cause === undefined ? {} : { cause })
}

/** @throws DICOMTAP_ERR_TLS_CREDENTIALS */
export async function readOptionFile(path: string, where: string): Promise<ReadFile> {
  try {
    const file = await open(path)
    try {
      const stats = await file.stat()
      if (!stats.isFile()) throw Object.assign(new Error('it is no file'), { code: 'EISDIR' })
      if (stats.size > MAXIMUM_FILE_BYTES) throw Object.assign(new Error('too large'), { code: 'EFBIG' })
      // Windows has no such bits; Node shows 666 there.
      const isReadableByAll = process.platform !== 'win32' && (stats.mode & 0o004) !== 0
      return { path, bytes: await file.readFile(), isReadableByAll }
    } finally {
      await file.close()
    }
  } catch (cause) {
    throw credentialsError(where, `${path} ${readProblem(cause as NodeJS.ErrnoException)}`, cause)
  }
}

function readProblem({ code = '', message }: NodeJS.ErrnoException): string {
  switch (code) {
    case 'ENOENT':
      return 'is not there: correct the path, or make one for tests with "dicomtap cert"'
    case 'EACCES':
    case 'EPERM':
      return `may not be read by this user (${userInfo().username}): change its owner or mode`
    case 'EISDIR':
      return 'is no file'
    case 'EFBIG':
      return 'is larger than 1 MiB: it is not what this option takes'
    default:
      return `cannot be read (${code === '' ? message : code})`
  }
}

/** All certificates of a PEM file, in their order. @throws DICOMTAP_ERR_TLS_CREDENTIALS */
export async function readCertificates(path: string, where: string): Promise<readonly X509Certificate[]> {
  const { bytes } = await readOptionFile(path, where)
  const blocks = bytes.toString('latin1').match(CERTIFICATE) ?? []
  if (blocks.length === 0) throw credentialsError(where, `${path} holds no certificate in PEM (-----BEGIN CERTIFICATE-----)`)
  return blocks.map((block, index) => {
    try {
      return new X509Certificate(block)
    } catch (cause) {
      throw credentialsError(where, `${path} holds a certificate that cannot be read (number ${index + 1})`, cause)
    }
  })
}

/** @throws DICOMTAP_ERR_TLS_CREDENTIALS */
export async function readPrivateKey(
  path: string,
  where: string,
  passphrase: PlacedSecret | undefined,
  resolvePath: (path: string) => string,
): Promise<PrivateKey> {
  const { bytes, isReadableByAll } = await readOptionFile(path, where)
  const [block] = bytes.toString('latin1').match(PRIVATE_KEY) ?? []
  if (block === undefined) throw credentialsError(where, `${path} holds no private key in PEM (-----BEGIN PRIVATE KEY-----)`)
  const isEncrypted = block.includes('ENCRYPTED')
  if (isEncrypted && passphrase === undefined) throw credentialsError(where, `${path} is encrypted: add passphrase: { file: ... } or { env: ... }`)
  const secret = isEncrypted && passphrase !== undefined ? await readPassphrase(passphrase, where, resolvePath) : undefined
  try {
    const key = createPrivateKey({ key: block, format: 'pem', ...(secret === undefined ? {} : { passphrase: secret }) })
    return { path, key, isReadableByAll }
  } catch (cause) {
    throw credentialsError(where, `${path} ${isEncrypted ? 'cannot be decrypted: the passphrase is wrong' : 'cannot be read: it is damaged'}`, cause)
  }
}

async function readPassphrase(secret: PlacedSecret, where: string, resolvePath: (path: string) => string): Promise<string> {
  try {
    return await resolveSecret(secret, resolvePath)
  } catch (cause) {
    throw credentialsError(where.replace(/[^.]*$/, 'passphrase'), (cause as Error).message, cause)
  }
}
