import { constants } from 'node:crypto'
import { isIP } from 'node:net'
import { checkServerIdentity, connect, createSecureContext } from 'node:tls'
import type { ConnectionOptions, SecureContext, TLSSocket } from 'node:tls'
import { DicomtapError } from '@dicomtap/framework'
import type { AssociateTls, Logger, OutgoingAssociationOptions } from '@dicomtap/framework'
import { filesOf, loadClientCredentials } from './credentials.ts'
import type { ClientTlsOptions, ClientTlsSettings } from './option-types.ts'
import { clientSettings, clientTlsOptions, normalFingerprint } from './options.ts'
import { isVerificationCode, reasonOf } from './reasons.ts'
import { WatchedCredentials } from './watched-credentials.ts'

/** Credentials kept for destinations; those that were not used for longest go. */
const MAXIMUM_KEPT = 100

interface Destination {
  readonly settings: ClientTlsSettings
  readonly credentials: WatchedCredentials
  context: SecureContext
}

export interface ConnectorEnvironment {
  /** What holds where a destination does not say otherwise. */
  readonly shared: ClientTlsOptions
  resolvePath(path: string): string
  readonly log: Logger
  /** Told of credentials when they are read for the first time, and when they are let go. */
  readonly opened: (credentials: WatchedCredentials) => void
  readonly closed: (credentials: WatchedCredentials) => void
}

/** Opens connections with TLS, each as its destination says. */
export class TlsConnector {
  readonly #environment: ConnectorEnvironment
  /** By their settings; the one used last is the last. */
  readonly #destinations = new Map<string, Promise<Destination>>()

  constructor(environment: ConnectorEnvironment) {
    this.#environment = environment
  }

  /** Reads what is shared by all destinations, so that mistakes are found at the start. */
  async check(): Promise<void> {
    await this.#destination({}, 'plugins[tls].options.client')
  }

  /**
   * A socket that connects.
   * @throws DICOMTAP_ERR_ACSE_REQUEST when `tls` is not what it should be, DICOMTAP_ERR_TLS_CREDENTIALS
   */
  async connect({ host, port, localAddress, localPort, tls }: OutgoingAssociationOptions): Promise<TLSSocket> {
    const { settings, context } = await this.#destination(parsed(tls), 'tls')
    const { serverName = host, checkServerName, ca, fingerprints } = settings
    const isPinnedAlone = fingerprints.length > 0 && ca.length === 0
    const socket = connect({
      host,
      port,
      ...({ localAddress, localPort } as Pick<ConnectionOptions, 'host'>),
      secureContext: context,
      rejectUnauthorized: !isPinnedAlone,
      // An address is no server name (RFC 6066 3); without one Node checks the certificate against `host`.
      ...(isIP(serverName) === 0 ? { servername: serverName } : {}),
      checkServerIdentity: (_host, certificate) => (checkServerName ? checkServerIdentity(serverName, certificate) : undefined),
    })
    socket.setNoDelay(true)
    socket.on('error', explain)
    if (fingerprints.length > 0) {
      // Before whoever takes the socket hears that it is connected.
      socket.on('secureConnect', () => {
        const shown = normalFingerprint(socket.getPeerX509Certificate()?.fingerprint256 ?? '')
        if (shown === undefined || !fingerprints.includes(shown)) {
          socket.destroy(new Error('TLS: the certificate of the peer is not one of fingerprints'))
        }
      })
    }
    return socket
  }

  #destination(own: ClientTlsOptions, where: string): Promise<Destination> {
    const settings = clientSettings(own, this.#environment.shared)
    const key = JSON.stringify(settings)
    const kept = this.#destinations.get(key)
    this.#destinations.delete(key)
    const destination = kept ?? this.#open(settings, where)
    this.#destinations.set(key, destination)
    // What cannot be used now may be there the next time.
    destination.catch(() => {
      if (this.#destinations.get(key) === destination) this.#destinations.delete(key)
    })
    this.#letGo()
    return destination
  }

  async #open(settings: ClientTlsSettings, where: string): Promise<Destination> {
    const { resolvePath, log, opened } = this.#environment
    const credentials = await WatchedCredentials.open({
      where,
      files: filesOf(settings, resolvePath),
      load: () => loadClientCredentials(settings, { where, resolvePath }),
      log,
    })
    const contextOf = (options: typeof credentials.current.context): SecureContext =>
      createSecureContext({ ...options, secureOptions: constants.SSL_OP_NO_RENEGOTIATION | constants.SSL_OP_NO_COMPRESSION })
    const destination: Destination = { settings, credentials, context: contextOf(credentials.current.context) }
    credentials.onChange(({ context }) => (destination.context = contextOf(context)))
    opened(credentials)
    return destination
  }

  #letGo(): void {
    if (this.#destinations.size <= MAXIMUM_KEPT) return
    const [oldest] = this.#destinations
    if (oldest === undefined) return
    this.#destinations.delete(oldest[0])
    void oldest[1].then(({ credentials }) => this.#environment.closed(credentials), () => {})
  }
}

function parsed(tls: AssociateTls | boolean | undefined): ClientTlsOptions {
  if (typeof tls === 'boolean' || tls === undefined) return {}
  const result = clientTlsOptions.safeParse(tls)
  if (result.success) return result.data
  const lines = result.error.issues.map(({ path, message }) => `${['tls', ...path].map(String).join('.')}: ${message}`)
  throw new DicomtapError('DICOMTAP_ERR_ACSE_REQUEST', lines.join('\n'))
}

/** It lists the names of the certificate, of which there may be thousands. */
const LONGEST_REASON = 300

/** OpenSSL's own line has addresses and file names of its sources around the reason; Node adds advice that is not ours. */
function explain(error: Error & { readonly code?: string; readonly reason?: unknown }): void {
  const { code = '' } = error
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    error.message = `TLS failed: its certificate is for another name (${String(error.reason).slice(0, LONGEST_REASON)}); see serverName`
  } else if (code.startsWith('ERR_SSL_') || isVerificationCode(code)) {
    error.message = `TLS failed: ${reasonOf(error)}`
  }
}
