import { X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import { connect, createSecureContext } from 'node:tls'
import type { ConnectionOptions as TlsOptions, SecureContext, TLSSocket } from 'node:tls'
import type { OutgoingAssociationOptions } from '@dicomtap/framework'
import { askSecret } from './ask-secret.ts'
import { UsageError } from './exit.ts'
import { wantsTls } from './options.ts'
import type { ConnectionOptions } from './options.ts'
import { readOptionFile, readSecret } from './secret-files.ts'

const CERTIFICATES = /-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----/gsu

/** Opens secure connections as the options ask for. */
export type TlsConnector = (target: Pick<OutgoingAssociationOptions, 'host' | 'port' | 'localAddress' | 'localPort'>) => TLSSocket

/**
 * Reads certificates and key once; undefined when no TLS is asked for.
 * @throws UsageError when a file cannot be read or is not what it should be.
 */
export async function tlsConnectorOf(options: ConnectionOptions): Promise<TlsConnector | undefined> {
  if (!wantsTls(options)) return undefined
  const secureContext = await secureContextOf(options)
  return (target) => {
    const socket = connect(tlsOptionsOf(options, secureContext, target))
    socket.on('error', sayReason)
    return socket
  }
}

/** OpenSSL's own line has addresses and file names of its sources around the reason; Node adds advice that is not ours. */
function sayReason(error: Error & { readonly reason?: unknown }): void {
  error.message = error.message.replace(/; if the root CA is installed locally.*$/s, '')
  if (typeof error.reason === 'string' && error.message.includes(':error:')) error.message = `TLS: ${error.reason}`
}

function tlsOptionsOf(
  { tlsServerName, tlsInsecure = false }: ConnectionOptions,
  secureContext: SecureContext,
  { host, port, localAddress, localPort }: Pick<OutgoingAssociationOptions, 'host' | 'port' | 'localAddress' | 'localPort'>,
): TlsOptions {
  const name = tlsServerName ?? host
  return {
    host,
    port,
    secureContext,
    minVersion: 'TLSv1.2',
    rejectUnauthorized: !tlsInsecure,
    // An address is no server name (RFC 6066 3); without one Node checks the certificate against `host`.
    ...(isIP(name) === 0 ? { servername: name } : {}),
    ...({ localAddress, localPort } as { localAddress?: string; localPort?: number }),
  }
}

async function secureContextOf(options: ConnectionOptions): Promise<SecureContext> {
  const { tlsCa, tlsCert, tlsKey, tlsPassphraseFile } = options
  if ((tlsCert === undefined) !== (tlsKey === undefined)) throw new UsageError('--tls-cert and --tls-key: give both, or none')
  if (tlsPassphraseFile !== undefined && tlsKey === undefined) throw new UsageError('--tls-passphrase-file: there is no key; add --tls-key <file>')
  const ca = tlsCa === undefined ? undefined : await Promise.all(tlsCa.map((file) => readPem('--tls-ca', file, 'CERTIFICATE')))
  const cert = tlsCert === undefined ? undefined : await readPem('--tls-cert', tlsCert, 'CERTIFICATE')
  const key = tlsKey === undefined ? undefined : await readPem('--tls-key', tlsKey, 'PRIVATE KEY')
  const passphrase = await passphraseOf(options, key)
  try {
    return createSecureContext({
      minVersion: 'TLSv1.2',
      ...(ca === undefined ? {} : { ca }),
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
      ...(passphrase === undefined ? {} : { passphrase }),
    })
  } catch (cause) {
    const { reason, message } = cause as Error & { reason?: string }
    const why = reason ?? message
    const what = tlsKey === undefined ? `--tls-ca ${tlsCa?.join(', ') ?? ''}` : `--tls-cert ${tlsCert} and --tls-key ${tlsKey}`
    const hint = passphrase === undefined ? '' : '; is the passphrase right?'
    throw new UsageError(`${what} cannot be used: ${why}${hint}`, { cause })
  }
}

async function readPem(option: string, file: string, label: string): Promise<string> {
  const text = (await readOptionFile(option, file)).toString('latin1')
  if (!new RegExp(`-----BEGIN [A-Z ]*${label}-----`, 'u').test(text)) {
    throw new UsageError(`${option}: ${file} holds no ${label.toLowerCase()} in PEM (-----BEGIN ...)`)
  }
  // Node passes over certificates to trust that it cannot read.
  const certificates = label === 'CERTIFICATE' ? (text.match(CERTIFICATES) ?? []) : []
  for (const certificate of certificates) {
    try {
      new X509Certificate(certificate)
    } catch (cause) {
      throw new UsageError(`${option}: ${file} holds a certificate that cannot be read`, { cause })
    }
  }
  return text
}

async function passphraseOf({ tlsPassphraseFile, tlsKey }: ConnectionOptions, key: string | undefined): Promise<string | undefined> {
  if (key === undefined) return undefined
  if (tlsPassphraseFile !== undefined) return readSecret('--tls-passphrase-file', tlsPassphraseFile)
  if (!/ENCRYPTED/u.test(key)) return undefined
  if (!process.stdin.isTTY) throw new UsageError(`--tls-key: ${tlsKey} is encrypted; add --tls-passphrase-file <file>`)
  return askSecret(`Passphrase of ${tlsKey}`)
}
