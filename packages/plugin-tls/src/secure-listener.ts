import { constants } from 'node:crypto'
import { Socket } from 'node:net'
import { createSecureContext, createServer } from 'node:tls'
import type { SecureContext, Server, TLSSocket, TlsOptions } from 'node:tls'
import type { IncomingConnection, Logger } from '@dicomtap/framework'
import type { Credentials } from './credentials.ts'
import { HANDSHAKE_RECORD, describeFirstByte, firstByte } from './first-byte.ts'
import { HandshakeSlots } from './handshake-slots.ts'
import { HANDSHAKE_FAILED, LimitedWarnings } from './limited-warnings.ts'
import type { ListenerTlsSettings } from './option-types.ts'
import { reasonOf, verificationReason } from './reasons.ts'
import type { WatchedCredentials } from './watched-credentials.ts'

/**
 * No session is resumed: it would be let in by the certificate checks of its first handshake, whatever was revoked
 * since. Associations last long enough for a handshake each. RFC 9325 3.4, 3.5.
 */
const SECURE_OPTIONS = constants.SSL_OP_NO_TICKET | constants.SSL_OP_NO_RENEGOTIATION | constants.SSL_OP_NO_COMPRESSION

/** The end of a handshake: the secured socket, or why there is none. */
type Outcome = { readonly socket: TLSSocket } | { readonly reason: string | undefined }

/**
 * TLS on the connections of one listener. A `tls.Server` that listens nowhere makes the handshakes: connections are
 * handed to it as Node documents it for its event `connection`.
 */
export class SecureListener {
  readonly settings: ListenerTlsSettings
  readonly credentials: WatchedCredentials
  readonly #server: Server
  readonly #slots: HandshakeSlots
  readonly #log: Logger
  readonly #failures: LimitedWarnings
  /** By the addresses of the connection: Node does not tell whose the secured socket is. */
  readonly #inProgress = new Map<string, (outcome: Outcome) => void>()
  #serverNames: readonly { readonly pattern: string; readonly context: SecureContext }[] = []

  constructor(settings: ListenerTlsSettings, credentials: WatchedCredentials, log: Logger) {
    this.settings = settings
    this.credentials = credentials
    this.#slots = new HandshakeSlots(settings.maximumHandshakes)
    this.#log = log
    this.#failures = new LimitedWarnings(log, HANDSHAKE_FAILED)
    this.#server = createServer({
      ...this.#contextOptions(credentials.current),
      requestCert: settings.clientCertificates !== 'none',
      // Without it a peer that shows none would not be told why it is let go.
      rejectUnauthorized: settings.clientCertificates === 'required',
      handshakeTimeout: settings.handshakeMs,
      SNICallback: (name, answer) => {
        answer(null, this.#contextOf(name))
      },
    })
    this.#server.on('secureConnection', (socket) => this.#finished(socket))
    this.#server.on('tlsClientError', (error, socket) => this.#failed(error, socket))
    this.#readServerNames(credentials.current)
    credentials.onChange((changed) => {
      this.#server.setSecureContext(this.#contextOptions(changed))
      this.#readServerNames(changed)
    })
  }

  /** @returns the connection with TLS on it; as it was, its socket destroyed, when that failed. */
  async secure(connection: IncomingConnection): Promise<IncomingConnection> {
    const { socket, remoteAddress, signal } = connection
    const giveUp = new AbortController()
    const deadline = setTimeout(() => giveUp.abort(), this.settings.handshakeMs)
    try {
      const outcome = await this.#handshake(socket, AbortSignal.any([signal, giveUp.signal]))
      if ('socket' in outcome) return { ...connection, socket: outcome.socket }
      const reason = giveUp.signal.aborted ? 'it did not finish the handshake in time' : outcome.reason
      if (reason === undefined) this.#log.debug('a connection ended before a TLS handshake', { remoteAddress })
      else this.#failures.note(remoteAddress, { reason, localPort: connection.localPort })
      socket.destroy()
      return connection
    } finally {
      clearTimeout(deadline)
    }
  }

  dispose(): void {
    this.#failures.dispose()
    this.#server.removeAllListeners()
  }

  async #handshake(socket: IncomingConnection['socket'], signal: AbortSignal): Promise<Outcome> {
    // What is in its place already has its own idea of bytes.
    if (!(socket instanceof Socket)) return { reason: 'TLS must come before what else is done with the connection' }
    const byte = await firstByte(socket, signal)
    if (byte === undefined) return { reason: undefined }
    if (byte !== HANDSHAKE_RECORD) return { reason: describeFirstByte(byte) }
    let whyCut: string | undefined
    const cut = (): void => {
      whyCut = 'it was slow, and another one waited'
      socket.destroy()
    }
    const giveBack = await this.#slots.take(cut, signal)
    if (giveBack === undefined) return { reason: undefined }
    try {
      const outcome = await this.#negotiate(socket, signal)
      return whyCut === undefined ? outcome : { reason: whyCut }
    } finally {
      giveBack()
    }
  }

  #negotiate(socket: Socket, signal: AbortSignal): Promise<Outcome> {
    return new Promise((resolve) => {
      const key = keyOf(socket)
      const done = (outcome: Outcome): void => {
        this.#inProgress.delete(key)
        signal.removeEventListener('abort', ended)
        socket.off('close', ended)
        resolve(outcome)
      }
      const ended = (): void => afterItsEvents(() => done({ reason: 'the connection ended during the handshake' }))
      if (signal.aborted || socket.destroyed) {
        resolve({ reason: undefined })
        return
      }
      this.#inProgress.set(key, done)
      signal.addEventListener('abort', ended, { once: true })
      socket.once('close', ended)
      this.#server.emit('connection', socket)
    })
  }

  #finished(socket: TLSSocket): void {
    // Errors from here to the association: the association hears that it is closed.
    socket.on('error', () => {})
    const done = this.#inProgress.get(keyOf(socket))
    const { clientCertificates } = this.settings
    const refusal =
      socket.authorized || clientCertificates === 'none' || (clientCertificates === 'optional' && socket.getPeerX509Certificate() === undefined)
        ? undefined
        : verificationReason(String(socket.authorizationError))
    if (done === undefined || refusal !== undefined) {
      socket.destroy()
      done?.({ reason: refusal })
      return
    }
    socket.disableRenegotiation()
    done({ socket })
  }

  #failed(error: Error, socket: TLSSocket): void {
    const code: unknown = socket.authorizationError
    const reason = typeof code === 'string' ? verificationReason(code) : reasonOf(error)
    // A socket that is gone has forgotten its addresses; the one below it has not, where Node shows it.
    const { _parent: below } = socket as { _parent?: Socket }
    const done = this.#inProgress.get(keyOf(socket)) ?? this.#inProgress.get(below === undefined ? '' : keyOf(below))
    done?.({ reason })
  }

  #contextOptions({ context }: Credentials): TlsOptions {
    return { ...context, secureOptions: SECURE_OPTIONS }
  }

  #readServerNames({ serverNames }: Credentials): void {
    this.#serverNames = serverNames.flatMap(({ names, context }) => {
      const secureContext = createSecureContext({ ...context, secureOptions: SECURE_OPTIONS })
      return names.map((name) => ({ pattern: name.toLowerCase(), context: secureContext }))
    })
  }

  /** Undefined: the certificate of the listener. */
  #contextOf(name: string): SecureContext | undefined {
    const wanted = name.toLowerCase()
    const wildcard = wanted.replace(/^[^.]+/, '*')
    const exact = this.#serverNames.find(({ pattern }) => pattern === wanted)
    return (exact ?? this.#serverNames.find(({ pattern }) => pattern === wildcard))?.context
  }
}

/** The server tells why a connection ended when the secured socket is closed, one turn of the event loop after the plain one. */
function afterItsEvents(then: () => void): void {
  setImmediate(() => setImmediate(then))
}

const KEY = Symbol('addresses')

/** Kept from the first time: a socket that is destroyed has forgotten its addresses. */
function keyOf(socket: Socket & { [KEY]?: string }): string {
  const { remoteAddress, remotePort, localAddress, localPort } = socket
  if (remoteAddress === undefined && socket[KEY] === undefined) return ''
  return (socket[KEY] ??= [remoteAddress, remotePort, localAddress, localPort].join(' '))
}
