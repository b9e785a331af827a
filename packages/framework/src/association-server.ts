import { createServer, Socket } from 'node:net'
import type { AddressInfo, Server } from 'node:net'
import type { SupportedContext } from './acse/types.ts'
import type { ApplicationEntity } from './application-entity.ts'
import { Association } from './association/association.ts'
import type { AssociationEnvironment } from './association/association.ts'
import type { IncomingOrigin } from './association/origin.ts'
import type { AssociationRegistry } from './association/registry.ts'
import type { AssociationSettings } from './association/settings.ts'
import { DEFAULT_BACKLOG, DEFAULT_PORT } from './config/defaults.ts'
import type { ListenerOptions } from './config/types.ts'
import { describeServer, printsAs } from './describe.ts'
import { prepareConnection } from './association/incoming.ts'
import { SOCKET_OPTIONS } from './dul/connect.ts'
import { setOnListener } from './dul/listener-options.ts'
import { takeOver } from './dul/take-over.ts'
import type { TransportSocket } from './dul/transport.ts'
import { DicomtapError } from './errors/index.ts'
import { Bindable } from './hooks/bindable.ts'
import type { HandlerBindings } from './hooks/bindings.ts'
import type { HookTable } from './hooks/types.ts'
import type { Logger } from './logger.ts'
import type { ServerProcess, SharedListener } from './server-process.ts'

/** @internal What an ApplicationEntity gives its listeners. */
export interface ServerEnvironment {
  readonly ae: ApplicationEntity
  readonly options: ListenerOptions
  readonly bindings: HandlerBindings
  readonly log: Logger
  readonly hooks: HookTable
  readonly registry: AssociationRegistry
  /** Who has the listening sockets when this is one of several processes. */
  readonly process: ServerProcess | undefined
  /** The settings for a connection that arrives now. */
  settings(): AssociationSettings
  /** What an association of this listener lives in. */
  environmentFor(server: AssociationServer, settings: AssociationSettings): AssociationEnvironment
}

const ANY_ADDRESS = { address: '0.0.0.0', port: 0 }
const ANY_IPV6_ADDRESS = '::'

const LISTEN_ADVICE: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another process listens there; stop it or choose another port',
  EACCES: 'this user may not open it; choose a port above 1023 or grant the privilege (CAP_NET_BIND_SERVICE on Linux)',
  EADDRNOTAVAIL: 'this machine has no such address; check `host`',
  ENOTFOUND: 'the host name is unknown; check `host`',
}

/** DICOMTAP_ERR_NET_LISTEN, with what to do about it. */
export function listenError(error: NodeJS.ErrnoException, port: number, host: string | undefined): DicomtapError {
  const advice = LISTEN_ADVICE[error.code ?? ''] ?? error.message
  const where = host === undefined ? `port ${port}` : `${host} port ${port}`
  return new DicomtapError('DICOMTAP_ERR_NET_LISTEN', `Cannot listen on ${where}: ${advice}`, { cause: error })
}

/**
 * One listening socket of an ApplicationEntity. Made by `ae.listen(...)`.
 *
 * @example
 * const server = await ae.listen({ port: 0 })
 * console.log(server.port)
 */
export class AssociationServer extends Bindable {
  static {
    printsAs(AssociationServer.prototype, describeServer)
  }

  readonly ae: ApplicationEntity
  readonly options: ListenerOptions
  /** @internal */
  override readonly bindings: HandlerBindings
  readonly #environment: ServerEnvironment
  readonly #server: Server
  #address: AddressInfo | undefined
  #shared: SharedListener | undefined
  #isClosed = false

  /** @internal */
  constructor(environment: ServerEnvironment) {
    super()
    this.#environment = environment
    this.ae = environment.ae
    this.options = environment.options
    this.bindings = environment.bindings
    this.bindAll(environment.options.handlers)
    this.#server = createServer({ ...SOCKET_OPTIONS, pauseOnConnect: true }, (socket) => {
      this.accept(socket)
    })
  }

  /** The port that is open; with `port: 0` the one that was free. */
  get port(): number {
    return this.#address?.port ?? this.options.port ?? DEFAULT_PORT
  }

  /** The address that is bound: `::` and `0.0.0.0` mean every address. */
  get host(): string {
    return this.#address?.address ?? this.options.host ?? '::'
  }

  get aeTitle(): string {
    return this.options.aeTitle ?? this.ae.aeTitle
  }

  /** What this listener supports: its own contexts when the options have some, else the AE's. */
  get contexts(): readonly SupportedContext[] {
    return [...this.#environment.settings().supportedContexts.values()]
  }

  get isListening(): boolean {
    return this.#shared === undefined ? this.#server.listening : !this.#isClosed
  }

  /** Associations that came in here and have not ended. */
  get activeAssociations(): readonly Association[] {
    return this.#environment.registry.active.filter((association) => association.server === this)
  }

  /** Connections that came in here and are not gone: pending ones, and ended ones that wait to be closed, included. */
  get connections(): number {
    return this.#environment.registry.connections.filter((association) => association.server === this).length
  }

  /** @internal @throws DICOMTAP_ERR_NET_LISTEN */
  async open(): Promise<void> {
    const { port = DEFAULT_PORT, host, backlog = DEFAULT_BACKLOG } = this.options
    const { process } = this.#environment
    if (process !== undefined) {
      this.#shared = await process.listen({ ...SOCKET_OPTIONS, port, backlog, ...(host === undefined ? {} : { host }) }, (socket) => {
        this.accept(socket)
      })
      this.#address = this.#shared.address
      return
    }
    await new Promise<void>((resolve, reject) => {
      const failed = (error: NodeJS.ErrnoException): void => reject(listenError(error, port, host))
      this.#server.once('error', failed)
      this.#server.listen({ port, backlog, ...(host === undefined ? {} : { host }) }, () => {
        this.#server.off('error', failed)
        // EMFILE and the like: the listener lives on, the connection is lost.
        this.#server.on('error', (error) => {
          this.#environment.log.error('a connection could not be accepted', { error })
        })
        resolve()
      })
    })
    this.#address = this.#server.address() as AddressInfo
    setOnListener(this.#server)
  }

  /** Stops listening. Associations live on; `ae.close()` ends them. */
  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    if (this.#shared !== undefined) return this.#shared.close()
    await new Promise<void>((resolve) => {
      // Its callback waits for every connection; listening ends at once.
      this.#server.close()
      resolve()
    })
  }

  /**
   * Takes a connection that came another way than through the listening socket: an in-memory one of
   * `@dicomtap/framework/testing`, or one that another server accepted. From here on it is treated as
   * one of this listener's own.
   *
   * @returns undefined when the connection was cut, because too many wait without an association request.
   */
  inject(socket: TransportSocket): Association | undefined {
    const settings = this.#environment.settings()
    return this.#hasRoomFor(socket, settings) ? this.#associate({ socket }, settings) : undefined
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  /** Title, address and what it has, on one line. */
  override toString(): string {
    return describeServer(this)
  }

  /** @internal A connection that was accepted for this listener, paused. */
  accept(accepted: Socket): void {
    // Gone between accept and now: there is nobody to talk to.
    if (accepted.remoteAddress === undefined) {
      accepted.destroy()
      return
    }
    // Of its own options, or of those of the listening socket.
    ;(accepted as TransportSocket).hasNoDelay = true
    // Those of the moment in which it arrived, however long handlers take.
    const settings = this.#environment.settings()
    if (!this.#hasRoomFor(accepted, settings)) return
    if (this.#environment.hooks.incomingConnection.taps.length === 0) this.#take(this.#originOf(accepted), settings)
    else void this.#prepare(accepted, settings)
  }

  /** Bound to one address, it need not ask the system which one a connection came to. */
  #originOf(socket: Socket): IncomingOrigin {
    const { address, port } = this.#address ?? ANY_ADDRESS
    return address === ANY_ADDRESS.address || address === ANY_IPV6_ADDRESS ? { socket } : { socket, local: { address, port } }
  }

  /** Handlers may put TLS on it, or know better whose it is. */
  async #prepare(accepted: Socket, settings: AssociationSettings): Promise<void> {
    const { ae, hooks, log, registry } = this.#environment
    const { limits, timeouts } = settings
    const prepared = await prepareConnection(accepted, { applicationEntity: ae, server: this }, { hooks, log, registry, limits, timeouts })
    if (prepared !== undefined) this.#take(prepared, settings)
  }

  #take(origin: IncomingOrigin, settings: AssociationSettings): void {
    const socket = origin.socket instanceof Socket ? takeOver(origin.socket) : origin.socket
    this.#associate({ ...origin, socket }, settings)
  }

  #associate(origin: IncomingOrigin, settings: AssociationSettings): Association {
    return new Association(this.#environment.environmentFor(this, settings), origin)
  }

  #hasRoomFor(socket: TransportSocket, { limits }: AssociationSettings): boolean {
    const { registry, log } = this.#environment
    if (registry.hasRoomFor(limits.maximumPendingAssociations)) return true
    log.warn('a connection was cut: too many wait without an association request', { remoteAddress: socket.remoteAddress })
    socket.destroy()
    return false
  }
}
