import { describeRejection } from '../acse/rejections.ts'
import type { AcceptedContext, OperationsWindow, ProposedContext, RejectedContext, Rejection } from '../acse/types.ts'
import { userIdentityResponseOf } from '../acse/user-information.ts'
import { SYNCHRONOUS } from '../acse/window.ts'
import type { ApplicationEntity } from '../application-entity.ts'
import type { AssociationServer } from '../association-server.ts'
import { DimseServiceProvider } from '../dimse/provider.ts'
import type { DimseHost } from '../dimse/provider.ts'
import type { Operation } from '../dimse/types.ts'
import { DulServiceProvider } from '../dul/provider.ts'
import type { TransportSocket } from '../dul/transport.ts'
import type { AbortIndication, DulUser } from '../dul/user.ts'
import { AssociationAbortedError, DicomtapError, PduError } from '../errors/index.ts'
import type { HandlerBindings } from '../hooks/bindings.ts'
import { ask } from '../hooks/run.ts'
import type { HookHandler, HookName, HookTable } from '../hooks/types.ts'
import type { Logger } from '../logger.ts'
import type { AAssociateAc, AAssociateRj, AAssociateRq } from '../pdu/types.ts'
import type { SopClassCommonExtended } from '../pdu/user-items/types.ts'
import { admit, decide } from './acceptor.ts'
import type { Acceptance } from './acceptor.ts'
import type { AssociateOptions } from './associate-options.ts'
import { userOf } from './association-user.ts'
import type { AssociationUser } from './association-user.ts'
import { HookObserver } from './hook-observer.ts'
import { Opening } from './opening.ts'
import type { AssociationRegistry } from './registry.ts'
import { confirmation } from './requestor.ts'
import type { Confirmation } from './requestor.ts'
import { DimseServiceUser } from './service-user.ts'
import type { AssociationSettings } from './settings.ts'

/** Where an association is in its life. */
export type AssociationState = 'connecting' | 'connected' | 'negotiating' | 'established' | 'releasing' | 'released' | 'rejected' | 'aborted' | 'closed'

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

/** How an association comes about: a peer connected, or this side requests it. */
export type AssociationOrigin =
  | { readonly socket: TransportSocket }
  | {
      readonly request: AAssociateRq
      readonly connect: () => TransportSocket
      readonly host: string
      readonly port: number
      readonly handlers: AssociateOptions['handlers']
    }

const NO_CONTEXTS: ReadonlyMap<number, AcceptedContext> = new Map()

/**
 * An association with a peer (PS3.8 section 7): made for each connection, in either role, and handed to
 * every hook. Who has one reads what was negotiated, sends requests and may end it.
 */
export class Association extends DimseServiceUser implements DimseHost {
  /** Short and unique within the process, e.g. `a17`: what log lines carry. */
  readonly id: string
  readonly ae: ApplicationEntity
  /** The listener it came in on; undefined when this side requested it. */
  readonly server: AssociationServer | undefined
  /** The role of this side. */
  readonly role: 'acceptor' | 'requestor'
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
  #remote = { address: '', port: 0 }
  #local = { address: '', port: 0 }
  /** Requestor: until the association is established, or is not. */
  #opening: Opening | undefined

  /** @internal Made by AssociationServer and ApplicationEntity. */
  constructor(environment: AssociationEnvironment, origin: AssociationOrigin) {
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
    this.#observer = new HookObserver(hooks, this)
    const isRequestor = 'request' in origin
    this.role = isRequestor ? 'requestor' : 'acceptor'
    this.dul = new DulServiceProvider({
      acseTimeoutMs: settings.timeouts.acseMs,
      networkTimeoutMs: settings.timeouts.networkMs,
      connectionTimeoutMs: settings.timeouts.connectionMs,
      maximumPduBytes: settings.limits.maximumPduBytes,
      maximumAssociatePduBytes: settings.limits.maximumAssociatePduBytes,
      user: this.#dulUser(),
      observer: this.#observer,
      ...(isRequestor ? { connect: origin.connect } : {}),
    })
    if (isRequestor) this.#requestAssociation(origin)
    else this.#acceptConnection(origin.socket)
  }

  get state(): AssociationState {
    return this.#state
  }
  /** Address of the peer; before a requested connection is there, the host that was asked for. */
  get remoteAddress(): string {
    return this.#remote.address
  }
  get remotePort(): number {
    return this.#remote.port
  }
  get localAddress(): string {
    return this.#local.address
  }
  get localPort(): number {
    return this.#local.port
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
  /** The A-ASSOCIATE-RQ, as received or sent. */
  get request(): AAssociateRq | undefined {
    return this.#request
  }
  /** The A-ASSOCIATE-AC, as sent or received. */
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
  /** What the acceptor answered to a user identity (PS3.7 D.3.3.7.2); empty for types 1 and 2. */
  get userIdentityResponse(): Uint8Array | undefined {
    return userIdentityResponseOf(this.#accept?.userInformation ?? [])
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
    return this.#peer?.maximumLength ?? 0
  }
  /** @internal The window is the requestor's: what it may invoke is what the acceptor performs. */
  get maximumOperationsPerformed(): number {
    const performed = this.role === 'acceptor' ? this.#window.invoked : this.#window.performed
    return performed === 0 ? this.settings.limits.maximumPerformedOperations : performed
  }
  /** @internal */
  get maximumOperationsInvoked(): number {
    const invoked = this.role === 'acceptor' ? this.#window.performed : this.#window.invoked
    return invoked === 0 ? this.settings.limits.maximumInvokedOperations : invoked
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

  /** @internal Resolves when a requested association is established. @throws what `associate` throws. */
  opened(): Promise<void> {
    return this.#opening?.done ?? Promise.resolve()
  }

  /** @internal By the observer: the connection is there. */
  connected(): void {
    if (this.#opening !== undefined) {
      this.#opening.isConnected = true
      this.#state = 'negotiating'
    }
    if (this.dul.transport !== undefined) this.#setAddresses(this.dul.transport)
  }

  /** Releases the association, so that `await using` does; one that is not established is aborted. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.isEstablished) await this.release()
    else this.abort('It went out of use')
    await this.closed
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
      associateConfirmation: (accept) => {
        this.#confirmed(accept)
      },
      associateRejection: (rejection) => {
        this.#rejected(rejection)
      },
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
      silenceIndication: (isMidPdu) => this.#isTooLongSilent(isMidPdu),
      writableIndication: () => {},
      closedIndication: () => {
        this.#connectionClosed()
      },
    }
  }

  get #peer(): AssociationUser | undefined {
    return this.role === 'acceptor' ? this.#requestor : this.#acceptor
  }

  #setAddresses(of: Pick<TransportSocket, 'remoteAddress' | 'remotePort' | 'localAddress' | 'localPort'>): void {
    // A listener on every address sees IPv4 peers as IPv6 ones (RFC 4291 2.5.5.2).
    this.#remote = { address: (of.remoteAddress ?? '').replace(/^::ffff:(?=\d+\.)/, ''), port: of.remotePort ?? 0 }
    this.#local = { address: of.localAddress ?? '', port: of.localPort ?? 0 }
  }

  #isTooLongSilent(isMidPdu: boolean): boolean {
    const isSilent = isMidPdu || this.#dimse === undefined || this.#dimse.isWaitingForPeer
    if (!isSilent || isMidPdu || this.#state !== 'established' || this.settings.networkTimeoutAction === 'abort') return isSilent
    void this.release()
    return false
  }

  #acceptConnection(socket: TransportSocket): void {
    this.#setAddresses(socket)
    this.#registry.add(this, this.settings.limits.maximumPendingAssociations)
    this.#observer.connectionOpened()
    this.dul.accept(socket)
    // By a handler of connectionOpened.
    if (this.#hasEnded()) this.dul.closeTransport()
  }

  #requestAssociation({ request, host, port, handlers = {} }: Extract<AssociationOrigin, { request: unknown }>): void {
    this.#state = 'connecting'
    for (const [name, handler] of Object.entries(handlers)) this.bind(name as HookName, handler as HookHandler<HookName>)
    this.#setAddresses({ remoteAddress: host, remotePort: port })
    this.#request = request
    this.#requestor = userOf(request.callingAeTitle, request.userInformation)
    this.#opening = new Opening({ host, port, calledAeTitle: request.calledAeTitle })
    this.#registry.addRequested(this)
    this.dul.issue(request)
  }

  #requested(request: AAssociateRq): void {
    this.#state = 'negotiating'
    this.#request = request
    this.#requestor = userOf(request.callingAeTitle, request.userInformation)
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
    this.#commonExtended = decision.commonExtended
    this.#agreed(accept, decision)
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

  #agreed(accept: AAssociateAc, { accepted, rejected, window }: Confirmation): void {
    this.#accept = accept
    this.#acceptor = userOf(this.calledAeTitle, accept.userInformation)
    this.#contexts = new Map(accepted.map((context) => [context.id, context]))
    this.#rejectedContexts = rejected
    this.#window = window
    this.#dimse = new DimseServiceProvider(this)
  }

  #confirmed(accept: AAssociateAc): void {
    this.#observer.acseReceived(accept)
    if (this.#hasEnded()) return
    try {
      this.#agreed(accept, confirmation(this.#request as AAssociateRq, accept))
    } catch (error) {
      this.#invalid(error)
      return
    }
    this.#observer.happened('associationAccepted')
    if (this.#hasEnded()) return
    if (this.#contexts.size === 0) {
      const why = `${this.calledAeTitle} accepted none of the proposed presentation contexts`
      this.#opening?.failed(new DicomtapError('DICOMTAP_ERR_ACSE_CONTEXT', why))
      this.abort(why)
    } else if (this.hooks.associationAnswer.taps.length === 0) {
      this.#opened()
    } else {
      void this.#review(accept)
    }
  }

  /** Handlers may find the answer wanting; until they have decided nothing of the peer is performed. */
  async #review(accept: AAssociateAc): Promise<void> {
    const request = this.#request as AAssociateRq
    this.#dimse?.hold()
    let refusal: string | undefined
    try {
      refusal = await ask(this.hooks.associationAnswer, { association: this, request, accept })
    } catch (error) {
      refusal = 'a handler of associationAnswer failed'
      this.#opening?.failed(new AssociationAbortedError({ source: 0, reason: 0, by: 'local' }, refusal, { cause: error }))
    }
    if (this.#hasEnded()) return
    if (refusal === undefined) {
      this.#opened()
      this.#dimse?.unhold()
    } else {
      this.abort(refusal)
    }
  }

  #opened(): void {
    this.#state = 'established'
    this.#observer.happened('associationEstablished')
    if (!this.#hasEnded()) this.#opening?.succeeded()
  }

  #rejected(rejection: AAssociateRj): void {
    this.#state = 'rejected'
    this.#registry.remove(this)
    this.#observer.acseReceived(rejection)
    this.#opening?.rejected(rejection)
    this.#observer.rejected(rejection as Rejection, 'the peer rejected it')
  }

  #pData(id: number, isCommand: boolean, isLast: boolean, fragment: Buffer, first: boolean, end: boolean): void {
    try {
      this.#dimse?.fragment(id, isCommand, isLast, fragment, first, end)
    } catch (error) {
      this.#invalid(error)
    }
  }

  /** What the peer sent cannot be: the association ends as for an invalid PDU (PS3.8 9.2.3, AA-8). */
  #invalid(error: unknown): void {
    if (error instanceof PduError) {
      this.dul.protocolError(error.abortReason, error.message)
      return
    }
    // A mistake of ours ends the association that met it, and no other.
    this.log.error('the message exchange failed', { error })
    this.abort('The message exchange failed')
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
    this.#dimse?.end(() => new AssociationAbortedError(abort, text, { cause: abort.cause }))
    this.#opening?.aborted(abort)
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
    this.#opening?.closed()
    this.#dimse?.end(() => new DicomtapError('DICOMTAP_ERR_NET_CLOSED', 'The connection was closed'))
    this.#observer.connectionClosed()
    this.#resolveClosed()
  }
}
