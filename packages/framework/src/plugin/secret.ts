import { readFile } from 'node:fs/promises'
import { DicomtapError } from '../errors/index.ts'

/** A secret in plugin options: itself, a file that holds it, or an environment variable that does. */
export type Secret = string | { readonly file: string } | { readonly env: string }

const MAXIMUM_SECRET_BYTES = 65_536

/**
 * The value of a secret; of a file without its final line break. Messages name the place, never the value.
 * @throws DICOMTAP_ERR_PLG_OPTIONS when the file or variable is absent, unreadable, empty or over 64 KiB.
 */
export async function resolveSecret(secret: Secret, resolvePath: (path: string) => string): Promise<string> {
  if (typeof secret === 'string') return nonEmpty(secret, 'The secret')
  if ('env' in secret) return nonEmpty(process.env[secret.env], `The environment variable ${secret.env}`)
  const path = resolvePath(secret.file)
  let bytes: Buffer
  try {
    bytes = await readFile(path)
  } catch (cause) {
    const reason = (cause as NodeJS.ErrnoException).code ?? 'unreadable'
    throw new DicomtapError('DICOMTAP_ERR_PLG_OPTIONS', `The secret file ${path} cannot be read (${reason})`, { cause })
  }
  if (bytes.length > MAXIMUM_SECRET_BYTES) {
    throw new DicomtapError('DICOMTAP_ERR_PLG_OPTIONS', `The secret file ${path} is larger than 64 KiB`)
  }
  return nonEmpty(bytes.toString('utf8').replace(/\r?\n$/, ''), `The secret file ${path}`)
}

function nonEmpty(value: string | undefined, what: string): string {
  if (value === undefined) throw new DicomtapError('DICOMTAP_ERR_PLG_OPTIONS', `${what} is not set`)
  if (value === '') throw new DicomtapError('DICOMTAP_ERR_PLG_OPTIONS', `${what} is empty`)
  return value
}

export const REDACTED = '***'

const SECRET_WORDS = new Set(
  'password passwords passwd passcode passcodes passphrase pwd secret secrets token tokens credential credentials key keys'.split(' '),
)

/** Of `user:password@host`, up to the last `@`: some are not encoded as they should be. Digits before a path are a port. */
const URL_PASSWORD = /(\w:\/\/[^\s:/@?#]*):(?!\d{1,5}(?:[/?#]|$))\S+@/g
const URL_PARAMETER = /([?&](?:password|passwd|passphrase|passcode|pwd|secret|token)=)[^&#\s]+/gi

/**
 * Options in a form that can be printed: values under names like password, secret, token, passcode or
 * key are hidden, as are passwords in URLs; where a secret comes from (`{ file }`, `{ env }`, the path of the file
 * of a private key) is shown.
 */
export function redactOptions(options: unknown): unknown {
  return redact(options, [])
}

function redact(value: unknown, ancestors: readonly object[]): unknown {
  switch (typeof value) {
    case 'string':
      return value.replace(URL_PASSWORD, `$1:${REDACTED}@`).replace(URL_PARAMETER, `$1${REDACTED}`)
    case 'bigint':
    case 'symbol':
      return String(value)
    case 'function':
      return `[function${value.name === '' ? '' : ` ${value.name}`}]`
    case 'object':
      return value === null ? null : redactObject(value, ancestors)
    default:
      return value
  }
}

function redactObject(value: object, ancestors: readonly object[]): unknown {
  if (ancestors.includes(value)) return '[circular]'
  if (value instanceof Uint8Array) return `[${value.byteLength} bytes]`
  if (value instanceof Date) return value.toISOString()
  if (value instanceof RegExp || value instanceof URL) return redact(String(value), ancestors)
  const within = [...ancestors, value]
  if (Array.isArray(value) || value instanceof Set) return [...value].map((entry) => redact(entry, within))
  const entries = value instanceof Map ? [...value].map(([key, entry]) => [String(key), entry] as const) : Object.entries(value)
  return Object.fromEntries(entries.map(([key, entry]) => [key, isSecretName(key) && !isPathOfKey(key, entry, value) ? hide(entry) : redact(entry, within)]))
}

function hide(value: unknown): unknown {
  if (value === undefined || value === null || typeof value === 'boolean') return value
  if (typeof value === 'object' && Object.keys(value).length === 1 && ('file' in value || 'env' in value)) return { ...value }
  return REDACTED
}

const KEY_FILE_NAMES = /^(?:(?:private|server|client|tls|ssl)[-_]?)?key$/i
const KEY_FILE = /^[^\r\n]{0,1023}\.(?:pem|key|der|p8)$/i
/** Not the slash alone: Base64 may begin with one. */
const PATH = /^(?:\.{1,2}[\\/]|~\/|\/(?:[\w.-]+\/)+[\w.-]+$|[a-z]:\\)[^\r\n]{0,1023}$/i

/**
 * The path of the file of a private key, as TLS options have it: under `key` or `privateKey`, one line that ends as
 * such files do; or a path beside a `cert` that is one as well. Neither Base64 nor hexadecimal digits end like that.
 */
function isPathOfKey(name: string, value: unknown, { cert }: { readonly cert?: unknown }): boolean {
  if (typeof value !== 'string' || !KEY_FILE_NAMES.test(name)) return false
  return KEY_FILE.test(value) || (PATH.test(value) && typeof cert === 'string' && (PATH.test(cert) || KEY_FILE.test(cert) || /\.crt$/i.test(cert)))
}

/** Whole words only: `apiKey`, `DB_PASSWORD`, `private-key`, not `keyword`, `monkey` or `keyField`. */
function isSecretName(name: string): boolean {
  const words = name.replace(/([a-z0-9])([A-Z])/g, '$1 $2').toLowerCase().split(/[^a-z]+/)
  return words.some((word, index) => SECRET_WORDS.has(word) && (!word.startsWith('key') || index === words.length - 1))
}
