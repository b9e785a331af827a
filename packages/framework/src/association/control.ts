import { OVER_ASSOCIATION_LIMIT } from '../acse/admission.ts'
import { REJECTIONS, describeRejection } from '../acse/rejections.ts'
import type { Rejection } from '../acse/types.ts'
import { DimseServiceProvider } from '../dimse/provider.ts'
import type { DimseHost } from '../dimse/provider.ts'
import { DulServiceProvider } from '../dul/provider.ts'
import type { AbortIndication, DulUser } from '../dul/user.ts'
import { AssociationAbortedError, DicomtapError, PduError } from '../errors/index.ts'
import { pendingHandler } from '../hooks/asked.ts'
import { HookError } from '../hooks/hook-error.ts'
import { ask } from '../hooks/run.ts'
import type { HookTable } from '../hooks/types.ts'
import type { Logger } from '../logger.ts'
import type { AAssociateAc, AAssociateRj, AAssociateRq } from '../pdu/types.ts'
import { admit, decide } from './acceptor.ts'
import type { Acceptance, AcceptorContext } from './acceptor.ts'
import { limitAge } from './age.ts'
import type { Association, AssociationState } from './association.ts'
import { AssociationFacts } from './facts.ts'
import { HookObserver } from './hook-observer.ts'
import { Opening } from './opening.ts'
import type { AssociationOrigin, IncomingOrigin } from './origin.ts'
import type { AssociationRegistry, NoPlace } from './registry.ts'
import { confirmation } from './requestor.ts'
import type { Confirmation } from './requestor.ts'
import type { AssociationSettings } from './settings.ts'

/**
 * The association control of one association (PS3.8 section 7, ACSE), in either role: the user of its upper
 * layer provider and the host of its message exchange. {@link Association} is its public face.
 */
export class AssociationControl extends AssociationFacts implements DulUser, DimseHost {
  readonly association: Association
  readonly hooks: HookTable
  readonly dul: DulServiceProvider
  /** Resolves when the connection is gone. */
  readonly closed: Promise<void>
  dimse: DimseServiceProvider | undefined
  /** Why it was aborted or rejected. */
  endReason: string | undefined
  readonly #registry: AssociationRegistry
  readonly #observer: HookObserver
  #resolveClosed!: () => void
  #state: AssociationState
  /** Requestor: until the association is established, or is not. */
  #opening: Opening | undefined
  readonly #serverLog: Logger
  #log: Logger | undefined

  constructor(
    association: Association,
    settings: AssociationSettings,
    registry: AssociationRegistry,
    hooks: HookTable,
    log: Logger,
    origin: AssociationOrigin,
  ) {
    const isRequestor = 'request' in origin
    super(isRequestor ? 'requestor' : 'acceptor', settings)
    this.association = association
    this.hooks = hooks
    this.#serverLog = log
    this.#registry = registry
    this.#state = isRequestor ? 'connecting' : 'connected'
    this.closed = new Promise((resolve) => (this.#resolveClosed = resolve))
    this.#observer = new HookObserver(hooks, association, () => {
      this.#connected()
    })
    this.dul = new DulServiceProvider({
      acseTimeoutMs: settings.timeouts.acseMs,
      networkTimeoutMs: settings.timeouts.networkMs,
      connectionTimeoutMs: settings.timeouts.connectionMs,
      maximumPduBytes: settings.limits.maximumPduBytes,
      maximumAssociatePduBytes: settings.limits.maximumAssociatePduBytes,
      associateLimits: settings.limits,
      minimumProgressBytes: settings.limits.minimumProgressBytes,
      user: this,
      observer: this.#observer,
      ...(isRequestor ? { connect: origin.connect } : {}),
    })
  }

  /** Made when there is something to log: of most associations there is not. */
  get log(): Logger {
    this.#log ??= this.#serverLog.child({ association: this.association.id })
    return this.#log
  }

  get state(): AssociationState {
    return this.#state
  }

  /** P-DATA may be sent: Sta6, and Sta8 while a release waits (PS3.8 table 9-10). */
  get isOpenForSending(): boolean {
    return this.dul.state === 'Sta6' || this.dul.state === 'Sta8'
  }

  /** Begins: hears the connection that arrived, or opens one. */
  start(origin: AssociationOrigin): void {
    if ('request' in origin) this.#requestAssociation(origin)
    else this.#acceptConnection(origin)
  }

  /** Resolves when a requested association is established. @throws what `associate` throws. */
  opened(): Promise<void> {
    return this.#opening?.done ?? Promise.resolve()
  }

  abort(message: string): void {
    if (this.#hasEnded()) return
    const { state, transport } = this.dul
    // It is over, and the call that says so is under way.
    if (state === 'Sta13' || (state === 'Sta1' && transport !== undefined)) return
    // Before Sta3 there is no association to abort, only a connection.
    if (state === 'Sta1' || state === 'Sta2') this.dul.closeTransport()
    else this.dul.issue({ type: 'A-ABORT', source: 0, reason: 0 })
    this.abortIndication({ source: 0, reason: 0, by: 'local', message })
  }

  async release(): Promise<void> {
    // Whoever asks again waits as well.
    if (this.#state === 'releasing') return this.closed
    if (this.#state !== 'established') return
    this.#state = 'releasing'
    await Promise.race([Promise.all([this.dimse?.idleSoFar(), this.dimse?.invocations.empty()]), this.closed])
    if (this.dul.state === 'Sta6') {
      this.dul.issue({ type: 'A-RELEASE-RQ' })
      this.#observer.acseSent({ type: 'A-RELEASE-RQ' })
    }
    await this.closed
  }

  // DulUser

  associateIndication(request: AAssociateRq): void {
    this.#requested(request)
    if (this.#hasEnded()) return
    const context: AcceptorContext = {
      settings: this.settings,
      hooks: this.hooks,
      log: () => this.log,
      registry: this.#registry,
      adopt: (settings) => {
        this.#adopt(settings)
      },
    }
    const refused = admit(request, context)
    if (refused !== undefined) {
      this.#reject(refused.rejection, refused.why)
      return
    }
    this.#registry.admit(this.association)
    const place = this.#registry.place(this.association, this.settings.limits.maximumAssociations)
    if (place === undefined) this.#decide(request, context)
    else void this.#whenPlaced(place, request, context)
  }

  /** One of several processes that share the limits. */
  async #whenPlaced(place: Promise<NoPlace | undefined>, request: AAssociateRq, context: AcceptorContext): Promise<void> {
    const none = await place
    // Meanwhile the peer may have gone, or the time be over.
    if (this.#state !== 'negotiating' || this.dul.state !== 'Sta3') return
    if (none === undefined) this.#decide(request, context)
    else if (none === 'limit') this.#reject(REJECTIONS.localLimit, OVER_ASSOCIATION_LIMIT)
    else this.#reject(REJECTIONS.congestion, 'the process that counts the associations of this server does not answer')
  }

  #decide(request: AAssociateRq, context: AcceptorContext): void {
    void decide({ association: this.association, request }, context).then(
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

  refusalIndication(request: AAssociateRq): void {
    this.#requested(request)
    if (!this.dul.isKilled) this.#rejectedFor('its protocol version is not supported: bit 0 is not set')
  }

  refusedIndication(rejection: AAssociateRj): void {
    if (this.#state !== 'rejected') return
    const why = this.endReason ?? ''
    this.#observer.acseSent(rejection)
    this.log.debug('rejected', { why, rejection: describeRejection(rejection) })
    this.#observer.rejected(rejection as Rejection, why)
  }

  associateConfirmation(accept: AAssociateAc): void {
    this.#observer.acseReceived(accept)
    if (this.#hasEnded()) return
    try {
      this.#agreed(accept, confirmation(this.request as AAssociateRq, accept))
    } catch (error) {
      this.#invalid(error)
      return
    }
    this.#observer.happened('associationAccepted')
    if (this.#hasEnded()) return
    if (this.contexts.size === 0) {
      const why = `${this.association.calledAeTitle} accepted none of the proposed presentation contexts`
      this.#opening?.failed(new DicomtapError('DICOMTAP_ERR_ACSE_CONTEXT', why))
      this.abort(why)
    } else if (this.hooks.associationAnswer.taps.length === 0) {
      this.#established()
    } else {
      void this.#review(accept)
    }
  }

  associateRejection(rejection: AAssociateRj): void {
    this.#rejectedFor(describeRejection(rejection))
    this.#observer.acseReceived(rejection)
    this.#opening?.rejected(rejection)
    this.#observer.rejected(rejection as Rejection, 'the peer rejected it')
  }

  pDataIndication(id: number, isCommand: boolean, isLast: boolean, fragment: Buffer, first: boolean, end: boolean): void {
    try {
      this.dimse?.fragment(id, isCommand, isLast, fragment, first, end)
    } catch (error) {
      this.#invalid(error)
    }
  }

  readIndication(): void {
    this.dimse?.readEnd()
  }

  releaseIndication(isCollision: boolean): void {
    this.#releaseRequested(isCollision)
  }

  releaseConfirmation(): void {
    this.#observer.acseReceived({ type: 'A-RELEASE-RP' })
    // Sta12: after a collision the acceptor still owes its answer (AR-4).
    if (this.dul.state === 'Sta12') {
      this.dul.issue({ type: 'A-RELEASE-RP' })
      this.#observer.acseSent({ type: 'A-RELEASE-RP' })
    }
    this.#released()
  }

  abortIndication(abort: AbortIndication): void {
    if (this.#hasEnded()) return
    if (abort.isTimeout === true && this.#state === 'negotiating') this.#blameLateHandler()
    this.#state = 'aborted'
    const text = abort.message ?? 'The peer aborted the association'
    this.endReason = text
    this.dimse?.end(() => new AssociationAbortedError(abort, text, { cause: abort.cause }))
    this.#opening?.aborted(abort)
    this.#registry.remove(this.association)
    this.log.debug('aborted', { by: abort.by, source: abort.source, reason: abort.reason, why: text, hadRequest: this.request !== undefined })
    this.#observer.aborted(abort)
  }

  silenceIndication(isMidPdu: boolean): boolean {
    const isSilent = isMidPdu || this.dimse === undefined || this.dimse.isWaitingForPeer
    if (!isSilent || isMidPdu || this.#state !== 'established' || this.settings.networkTimeoutAction === 'abort') return isSilent
    void this.release()
    return false
  }

  closedIndication(): void {
    this.#registry.disconnected(this.association)
    if (!this.#hasEnded()) {
      this.log.debug('the connection ended before an association request')
      this.#state = 'closed'
    }
    this.#opening?.closed()
    this.dimse?.end(() => new DicomtapError('DICOMTAP_ERR_NET_CLOSED', 'The connection was closed'))
    this.#observer.connectionClosed()
    this.#resolveClosed()
  }

  /** Who kept the peer waiting for the answer to its request. */
  #blameLateHandler(): void {
    const asked = pendingHandler(this.association)
    if (asked === undefined) return
    const { acseMs } = this.timeouts
    asked.failed(new HookError(asked.hook, asked.plugin, `within ${String(acseMs)} ms`, 'DICOMTAP_ERR_HOOK_TIMEOUT'))
  }

  #hasEnded(): boolean {
    const state = this.#state
    return state === 'released' || state === 'rejected' || state === 'aborted' || state === 'closed'
  }

  /** From here on what was decided for this peer holds. */
  #adopt(settings: AssociationSettings): void {
    this.settings = settings
    this.dul.adopt({ networkTimeoutMs: settings.timeouts.networkMs, ...settings.limits })
  }

  #acceptConnection({ socket, ...given }: IncomingOrigin): void {
    this.connectedThrough(socket, given)
    this.#registry.add(this.association, this.limits.maximumPendingAssociations)
    this.#observer.connectionOpened()
    this.dul.accept(socket)
    // By a handler of connectionOpened.
    if (this.#hasEnded()) this.dul.closeTransport()
  }

  #requestAssociation({ request, host, port }: Extract<AssociationOrigin, { request: unknown }>): void {
    this.remote = { address: host, port }
    this.requestIs(request)
    this.#opening = new Opening({ host, port, calledAeTitle: request.calledAeTitle })
    this.#registry.addRequested(this.association)
    this.dul.issue(request)
  }

  #connected(): void {
    if (this.#opening === undefined) return
    this.#opening.isConnected = true
    this.#state = 'negotiating'
    const { transport } = this.dul
    if (transport !== undefined) this.connectedThrough(transport.socket)
  }

  #requested(request: AAssociateRq): void {
    this.#state = 'negotiating'
    this.requestIs(request)
    this.#observer.acseReceived(request)
    if (!this.#hasEnded()) this.#observer.happened('associationRequested')
  }

  #reject(rejection: Rejection, why: string): void {
    this.#rejectedFor(why)
    const primitive = { type: 'A-ASSOCIATE-RJ', ...rejection } as const
    this.dul.issue(primitive)
    this.refusedIndication(primitive)
  }

  #rejectedFor(why: string): void {
    this.#state = 'rejected'
    this.endReason = why
    this.#registry.remove(this.association)
  }

  #establish(decision: Acceptance): void {
    const { accept } = decision
    this.commonExtended = decision.commonExtended
    this.#agreed(accept, decision)
    this.#state = 'established'
    limitAge(this, this.timeouts)
    this.dul.issue(accept, decision.bytes)
    // Any of the handlers that are told may end it.
    if (this.#hasEnded()) return
    this.#observer.acseSent(accept)
    if (this.#hasEnded()) return
    this.#observer.happened('associationAccepted')
    if (this.#hasEnded()) return
    this.#observer.happened('associationEstablished')
  }

  #agreed(accept: AAssociateAc, confirmed: Confirmation): void {
    this.acceptIs(accept, confirmed)
    this.dimse = new DimseServiceProvider(this)
  }

  /** Handlers may find the answer wanting; until they have decided nothing of the peer is performed. */
  async #review(accept: AAssociateAc): Promise<void> {
    const { association, dimse } = this
    dimse?.hold()
    let refusal: string | undefined
    try {
      refusal = await ask(this.hooks.associationAnswer, { association, request: this.request as AAssociateRq, accept })
    } catch (error) {
      refusal = 'a handler of associationAnswer failed'
      this.#opening?.failed(new AssociationAbortedError({ source: 0, reason: 0, by: 'local' }, refusal, { cause: error }))
    }
    if (this.#hasEnded()) return
    if (refusal === undefined) {
      this.#established()
      dimse?.unhold()
    } else {
      this.abort(refusal)
    }
  }

  #established(): void {
    this.#state = 'established'
    this.#observer.happened('associationEstablished')
    if (!this.#hasEnded()) this.#opening?.succeeded()
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

  #releaseRequested(isCollision: boolean): void {
    this.#observer.acseReceived({ type: 'A-RELEASE-RQ' })
    if (this.#hasEnded()) return
    // Sta10: we asked first and the peer answers first (PS3.8 9.2.3, AR-8, AR-10).
    if (isCollision && this.dul.state === 'Sta10') return
    this.#state = 'releasing'
    this.dimse?.releaseRequested()
    // What there is still to answer is answered first (PS3.8 9.2, AR-7).
    if (this.dimse?.isAnswered === false) void this.dimse.idle().then(() => this.#answerRelease())
    else this.#answerRelease()
  }

  #answerRelease(): void {
    if (this.dul.state !== 'Sta8' && this.dul.state !== 'Sta9') return
    const isDone = this.dul.state === 'Sta8'
    this.dul.issue({ type: 'A-RELEASE-RP' })
    this.#observer.acseSent({ type: 'A-RELEASE-RP' })
    if (isDone) this.#released()
  }

  #released(): void {
    if (this.#hasEnded()) return
    this.#state = 'released'
    this.dimse?.end(() => new DicomtapError('DICOMTAP_ERR_ACSE_RELEASED', 'The association was released'))
    this.#registry.remove(this.association)
    this.#observer.happened('associationReleased')
  }
}
