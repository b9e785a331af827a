import type { AcceptedContext, OperationsWindow, ProposedContext, RejectedContext, Rejection } from '../acse/types.ts'
import { describeRejection } from '../acse/rejections.ts'
import type { ApplicationEntity } from '../application-entity.ts'
import type { AssociationServer } from '../association-server.ts'
import { DimseServiceProvider } from '../dimse/provider.ts'
import type { DimseHost } from '../dimse/provider.ts'
import type { Operation } from '../dimse/types.ts'
import { DulServiceProvider } from '../dul/provider.ts'
import type { TransportSocket } from '../dul/transport.ts'
import type { AbortIndication, DulUser } from '../dul/user.ts'
import { DicomtapError, PduError } from '../errors/index.ts'
import type { HandlerBindings } from '../hooks/bindings.ts'
import type { HookTable } from '../hooks/types.ts'
import type { Logger } from '../logger.ts'
import type { AAssociateAc, AAssociateRq } from '../pdu/types.ts'
import type { SopClassCommonExtended } from '../pdu/user-items/types.ts'
import { SYNCHRONOUS, admit, decide } from './acceptor.ts'
import type { Acceptance } from './acceptor.ts'
import { acceptorOf, requestorOf } from './association-user.ts'
import type { AssociationUser } from './association-user.ts'
import { HookObserver } from './hook-observer.ts'
import type { AssociationRegistry } from './registry.ts'
import { DimseServiceUser } from './service-user.ts'
import type { AssociationSettings } from './settings.ts'

/** Where an association is in its life. */
export type AssociationState = 'connected' | 'negotiating' | 'established' | 'releasing' | 'released' | 'rejected' | 'aborted' | 'closed'

/** What the AE gives an association to live in. */
export interface AssociationEnvironment {
  readonly ae: ApplicationEntity
  readonly server: AssociationServer | undefined
  readonly id: string
  readonly hooks: HookTable
  readonly log: Logger
  readonly registry: AssociationRegistry
  readonly settings: AssociationSettings
  readonly bindings: HandlerBindings
}

const NO_CONTEXTS: ReadonlyMap<number, AcceptedContext> = new Map()

/**
 * An association with a peer (PS3.8 section 7): made for each connection, handed to every hook. Plugins
 * read what was negotiated and may end it.
 */
export class Association extends DimseServiceUser implements DimseHost {
  /** Short and unique within the process, e.g. `a17`: what log lines carry. */
  readonly id: string
  readonly ae: ApplicationEntity
  /** The listener it came in on. */
  readonly server: AssociationServer | undefined
  readonly role: 'acceptor' | 'requestor' = 'acceptor'
  readonly settings: AssociationSettings
  readonly openedAt: Date = new Date()
  /** Resolves when the connection is gone. Never rejects. */
  readonly closed: Promise<void>
  /** A place for plugins to keep what belongs to this association; use a symbol or the plugin's name as key. */
  readonly notes: Map<unknown, unknown> = new Map()
  /** @internal */
  override readonly bindings: HandlerBindings
  /** @internal */
  readonly hooks: HookTable
  /** @internal */
  readonly log: Logger
  /** @internal */
  readonly dul: DulServiceProvider
  readonly remoteAddress: string
  readonly remotePort: number
  readonly localAddress: string
  readonly localPort: number
  readonly #registry: AssociationRegistry
  readonly #observer: HookObserver
  #resolveClosed!: () => void
  #state: AssociationState = 'connected'
  #request: AAssociateRq | undefined
  #accept: AAssociateAc | undefined
  #requestor: AssociationUser | undefined
  #acceptor: AssociationUser | undefined
  #contexts: ReadonlyMap<number, AcceptedContext> = NO_CONTEXTS
  #rejectedContexts: readonly RejectedContext[] = []
  #commonExtended: readonly SopClassCommonExtended[] = []
  #window: OperationsWindow = SYNCHRONOUS
  #dimse: DimseServiceProvider | undefined

  /** @internal Made by AssociationServer. */
  constructor(environment: AssociationEnvironment, socket: TransportSocket) {
    super()
    const { settings, log, hooks } = environment
    this.id = environment.id
    this.ae = environment.ae
    this.server = environment.server
    this.settings = settings
    this.bindings = environment.bindings
    this.hooks = hooks
    this.log = log.child({ association: this.id })
    this.#registry = environment.registry
    this.closed = new Promise((resolve) => (this.#resolveClosed = resolve))
    // A listener on every address sees IPv4 peers as IPv6 ones (RFC 4291 2.5.5.2).
    this.remoteAddress = (socket.remoteAddress ?? '').replace(/^::ffff:(?=\d+\.)/, '')
    this.remotePort = socket.remotePort ?? 0
    this.localAddress = socket.localAddress ?? ''
    this.localPort = socket.localPort ?? 0
    this.#registry.add(this, settings.limits.maximumPendingAssociations)
    this.#observer = new HookObserver(hooks, this)
    this.dul = new DulServiceProvider({
      acseTimeoutMs: settings.timeouts.acseMs,
      networkTimeoutMs: settings.timeouts.networkMs,
      maximumPduBytes: settings.limits.maximumPduBytes,
      maximumAssociatePduBytes: settings.limits.maximumAssociatePduBytes,
      user: this.#dulUser(),
      observer: this.#observer,
    })
    this.#observer.connectionOpened()
    this.dul.accept(socket)
    // By a handler of connectionOpened.
    if (this.#hasEnded()) this.dul.closeTransport()
  }

  get state(): AssociationState {
    return this.#state
  }
  override get isEstablished(): boolean {
    return this.#state === 'established'
  }
  get isReleased(): boolean {
    return this.#state === 'released'
  }
  get isRejected(): boolean {
    return this.#state === 'rejected'
  }
  get isAborted(): boolean {
    return this.#state === 'aborted'
  }

  /** The title the requestor gave itself; empty before its request arrived. */
  get callingAeTitle(): string {
    return this.#request?.callingAeTitle ?? ''
  }
  /** The title the requestor addressed. */
  get calledAeTitle(): string {
    return this.#request?.calledAeTitle ?? ''
  }
  /** The requestor's side; undefined before its request arrived. */
  get requestor(): AssociationUser | undefined {
    return this.#requestor
  }
  /** The acceptor's side; undefined before the request was accepted. */
  get acceptor(): AssociationUser | undefined {
    return this.#acceptor
  }
  /** The A-ASSOCIATE-RQ as received. */
  get request(): AAssociateRq | undefined {
    return this.#request
  }
  /** The A-ASSOCIATE-AC as sent. */
  get accept(): AAssociateAc | undefined {
    return this.#accept
  }
  get proposedContexts(): readonly ProposedContext[] {
    return this.#request?.presentationContexts ?? []
  }
  override get acceptedContexts(): readonly AcceptedContext[] {
    return [...this.#contexts.values()]
  }
  get rejectedContexts(): readonly RejectedContext[] {
    return this.#rejectedContexts
  }
  /** SOP class common extended negotiation items that a handler accepted. */
  get acceptedCommonExtended(): readonly SopClassCommonExtended[] {
    return this.#commonExtended
  }
  /** The negotiated asynchronous operations window, as the requestor sees it; 0 is unlimited. */
  get asynchronousOperations(): OperationsWindow {
    return this.#window
  }
  /** Operations of the peer that are running or waiting for their turn. */
  get operations(): readonly Operation[] {
    return this.#dimse?.runningOperations ?? []
  }

  /** @internal */
  protected override get dimse(): DimseServiceProvider | undefined {
    return this.#dimse
  }

  // DimseHost

  /** @internal */
  get association(): Association {
    return this
  }
  /** @internal */
  get limits(): AssociationSettings['limits'] {
    return this.settings.limits
  }
  /** @internal */
  get timeouts(): AssociationSettings['timeouts'] {
    return this.settings.timeouts
  }
  /** @internal */
  get contexts(): ReadonlyMap<number, AcceptedContext> {
    return this.#contexts
  }
  /** @internal */
  get peerMaximumLength(): number {
    return this.#requestor?.maximumLength ?? 0
  }
  /**
   * @internal The window is the requestor's: what it may invoke is what this side performs. Unlimited
   * is bounded by `limits.maximumPerformedOperations`.
   */
  get maximumOperationsPerformed(): number {
    return this.#window.invoked === 0 ? this.settings.limits.maximumPerformedOperations : this.#window.invoked
  }
  /** @internal P-DATA may be sent: Sta6, and Sta8 while a release waits (PS3.8 table 9-10). */
  get isOpenForSending(): boolean {
    return this.dul.state === 'Sta6' || this.dul.state === 'Sta8'
  }

  /**
   * Aborts the association: A-ABORT, source service-user (PS3.8 7.3). Nothing happens when it has ended.
   * @param message why, for the log and `associationAborted`; the peer does not see it.
   */
  abort(message = 'Aborted by this side'): void {
    if (this.#hasEnded()) return
    const { state, transport } = this.dul
    // It is over, and the call that says so is under way.
    if (state === 'Sta13' || (state === 'Sta1' && transport !== undefined)) return
    // Before Sta3 there is no association to abort, only a connection.
    if (state === 'Sta1' || state === 'Sta2') this.dul.closeTransport()
    else this.dul.issue({ type: 'A-ABORT', source: 0, reason: 0 })
    this.#aborted({ source: 0, reason: 0, by: 'local', message })
  }

  /**
   * Releases the association (PS3.8 7.2) when running operations are done; resolves when it is over.
   * Nothing happens unless it is established.
   */
  async release(): Promise<void> {
    if (this.#state !== 'established') return
    this.#state = 'releasing'
    await Promise.race([this.operationsEnded(), this.closed])
    if (this.dul.state === 'Sta6') {
      this.dul.issue({ type: 'A-RELEASE-RQ' })
      this.#observer.acseSent({ type: 'A-RELEASE-RQ' })
    }
    await this.closed
  }

  /** Resolves when no operation of the peer is running or waiting. */
  async operationsEnded(): Promise<void> {
    await this.#dimse?.idle()
  }

  /** Cuts the connection without a word. For connections that are not worth one. */
  async kill(): Promise<void> {
    await this.dul.kill()
    await this.closed
  }

  #hasEnded(): boolean {
    const state = this.#state
    return state === 'released' || state === 'rejected' || state === 'aborted' || state === 'closed'
  }

  #dulUser(): DulUser {
    return {
      associateIndication: (request) => {
        this.#requested(request)
      },
      associateConfirmation: () => {},
      associateRejection: () => {},
      pDataIndication: (id, isCommand, isLast, fragment, first, end) => {
        this.#pData(id, isCommand, isLast, fragment, first, end)
      },
      releaseIndication: (isCollision) => {
        void this.#releaseRequested(isCollision)
      },
      releaseConfirmation: () => {
        this.#observer.acseReceived({ type: 'A-RELEASE-RP' })
        // Sta12: after a collision the acceptor still owes its answer (AR-4).
        if (this.dul.state === 'Sta12') {
          this.dul.issue({ type: 'A-RELEASE-RP' })
          this.#observer.acseSent({ type: 'A-RELEASE-RP' })
        }
        this.#released()
      },
      abortIndication: (abort) => {
        this.#aborted(abort)
      },
      silenceIndication: (isMidPdu) => isMidPdu || this.#dimse === undefined || this.#dimse.isWaitingForPeer,
      writableIndication: () => {},
      closedIndication: () => {
        this.#connectionClosed()
      },
    }
  }

  #requested(request: AAssociateRq): void {
    this.#state = 'negotiating'
    this.#request = request
    this.#requestor = requestorOf(request)
    this.#observer.acseReceived(request)
    if (this.#hasEnded()) return
    this.#observer.happened('associationRequested')
    if (this.#hasEnded()) return
    const context = { settings: this.settings, hooks: this.hooks, log: this.log, registry: this.#registry }
    const refused = admit(request, context)
    if (refused !== undefined) {
      this.#reject(refused.rejection, refused.why)
      return
    }
    this.#registry.admit(this)
    void decide({ association: this, request }, context).then(
      (decision) => {
        // While handlers were asked the peer may have gone, or the time be over.
        if (this.#state !== 'negotiating' || this.dul.state !== 'Sta3') return
        if ('rejection' in decision) this.#reject(decision.rejection, decision.why)
        else this.#establish(decision)
      },
      (error: unknown) => {
        this.log.error('the negotiation failed', { error })
        this.abort('The negotiation failed')
      },
    )
  }

  #reject(rejection: Rejection, why: string): void {
    this.#state = 'rejected'
    this.#registry.remove(this)
    const primitive = { type: 'A-ASSOCIATE-RJ', ...rejection } as const
    this.dul.issue(primitive)
    this.#observer.acseSent(primitive)
    this.log.debug('rejected', { why, rejection: describeRejection(rejection) })
    this.#observer.rejected(rejection, why)
  }

  #establish(decision: Acceptance): void {
    const { accept } = decision
    this.#accept = accept
    this.#acceptor = acceptorOf(accept, this.settings)
    this.#contexts = new Map(decision.accepted.map((context) => [context.id, context]))
    this.#rejectedContexts = decision.rejected
    this.#commonExtended = decision.commonExtended
    this.#window = decision.window
    this.#dimse = new DimseServiceProvider(this)
    this.#state = 'established'
    this.dul.issue(accept)
    // Any of the handlers that are told may end it.
    if (this.#hasEnded()) return
    this.#observer.acseSent(accept)
    if (this.#hasEnded()) return
    this.#observer.happened('associationAccepted')
    if (this.#hasEnded()) return
    this.#observer.happened('associationEstablished')
  }

  #pData(id: number, isCommand: boolean, isLast: boolean, fragment: Buffer, first: boolean, end: boolean): void {
    try {
      this.#dimse?.fragment(id, isCommand, isLast, fragment, first, end)
    } catch (error) {
      if (error instanceof PduError) {
        this.dul.protocolError(error.abortReason, error.message)
        return
      }
      // A mistake of ours ends the association that met it, and no other.
      this.log.error('the message exchange failed', { error })
      this.abort('The message exchange failed')
    }
  }

  async #releaseRequested(isCollision: boolean): Promise<void> {
    this.#observer.acseReceived({ type: 'A-RELEASE-RQ' })
    if (this.#hasEnded()) return
    // Sta10: we asked first and the peer answers first (PS3.8 9.2.3, AR-8, AR-10).
    if (isCollision && this.dul.state === 'Sta10') return
    this.#state = 'releasing'
    this.#dimse?.releaseRequested()
    await this.operationsEnded()
    if (this.dul.state !== 'Sta8' && this.dul.state !== 'Sta9') return
    const isDone = this.dul.state === 'Sta8'
    this.dul.issue({ type: 'A-RELEASE-RP' })
    this.#observer.acseSent({ type: 'A-RELEASE-RP' })
    if (isDone) this.#released()
  }

  #released(): void {
    if (this.#hasEnded()) return
    this.#state = 'released'
    this.#dimse?.end(() => new DicomtapError('DICOMTAP_ERR_ACSE_RELEASED', 'The association was released'))
    this.#registry.remove(this)
    this.#observer.happened('associationReleased')
  }

  #aborted(abort: AbortIndication): void {
    if (this.#hasEnded()) return
    const hadRequest = this.#request !== undefined
    this.#state = 'aborted'
    const text = abort.message ?? 'The peer aborted the association'
    this.#dimse?.end(() => new DicomtapError('DICOMTAP_ERR_ACSE_ABORTED', text))
    this.#registry.remove(this)
    this.log.debug('aborted', { by: abort.by, source: abort.source, reason: abort.reason, why: text, hadRequest })
    this.#observer.aborted(abort)
  }

  #connectionClosed(): void {
    this.#registry.disconnected(this)
    if (!this.#hasEnded()) {
      this.log.debug('the connection ended before an association request')
      this.#state = 'closed'
    }
    this.#dimse?.end(() => new DicomtapError('DICOMTAP_ERR_NET_CLOSED', 'The connection was closed'))
    this.#observer.connectionClosed()
    this.#resolveClosed()
  }
}
