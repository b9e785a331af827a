import type { AcceptedContext, OperationsWindow, ProposedContext, RejectedContext } from '../acse/types.ts'
import { userIdentityResponseOf } from '../acse/user-information.ts'
import type { ApplicationEntity } from '../application-entity.ts'
import type { AssociationServer } from '../association-server.ts'
import { describeAssociation, describeNegotiation, printsAs } from '../describe.ts'
import type { DimseServiceProvider } from '../dimse/provider.ts'
import type { Operation } from '../dimse/types.ts'
import type { HandlerBindings } from '../hooks/bindings.ts'
import type { HookHandlers, HookTable } from '../hooks/types.ts'
import type { Logger } from '../logger.ts'
import type { AAssociateAc, AAssociateRq } from '../pdu/types.ts'
import type { SopClassCommonExtended } from '../pdu/user-items/types.ts'
import type { AssociationUser } from './association-user.ts'
import { AssociationControl } from './control.ts'
import type { AssociationOrigin } from './origin.ts'
import type { AssociationRegistry } from './registry.ts'
import { DimseServiceUser } from './service-user.ts'
import type { ConnectionSecurity } from './security.ts'
import type { AssociationSettings } from './settings.ts'

/** Where an association is in its life. */
export type AssociationState =
  | 'connecting'
  | 'connected'
  | 'negotiating'
  | 'established'
  | 'releasing'
  | 'released'
  | 'rejected'
  | 'aborted'
  | 'closed'

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

/**
 * An association with a peer (PS3.8 section 7): made for each connection, in either role, and handed to
 * every hook. Who has one reads what was negotiated, sends requests and may end it.
 */
export class Association extends DimseServiceUser {
  static {
    printsAs(Association.prototype, describeNegotiation)
  }

  /** Short and unique within its ApplicationEntity, e.g. `a17`: what log lines carry. */
  readonly id: string
  readonly ae: ApplicationEntity
  /** The listener it came in on; undefined when this side requested it. */
  readonly server: AssociationServer | undefined
  readonly openedAt: Date = new Date()
  /** A place for plugins to keep what belongs to this association; use a symbol or the plugin's name as key. */
  readonly notes: Map<unknown, unknown> = new Map()
  /** @internal */
  override readonly bindings: HandlerBindings
  readonly #control: AssociationControl

  /** @internal Made by AssociationServer and ApplicationEntity. */
  constructor(environment: AssociationEnvironment, origin: AssociationOrigin, handlers?: HookHandlers) {
    super()
    const { id, settings, log, hooks, registry } = environment
    this.id = id
    this.ae = environment.ae
    this.server = environment.server
    this.bindings = environment.bindings
    this.bindAll(handlers)
    this.#control = new AssociationControl(this, settings, registry, hooks, log, origin)
    this.#control.start(origin)
  }

  /** The role of this side. */
  get role(): 'acceptor' | 'requestor' {
    return this.#control.role
  }
  /**
   * `connecting` and `negotiating`, or `connected` and `negotiating` for an acceptor, come before `established`;
   * `releasing` waits for what is under way. `released`, `rejected`, `aborted` and `closed` are ends.
   */
  override get state(): AssociationState {
    return this.#control.state
  }
  /** Why it was aborted or rejected, in words for the log; undefined when it was not, or was released. */
  override get endReason(): string | undefined {
    return this.#control.endReason
  }
  override get isEstablished(): boolean {
    return this.state === 'established'
  }
  get isReleased(): boolean {
    return this.state === 'released'
  }
  get isRejected(): boolean {
    return this.state === 'rejected'
  }
  get isAborted(): boolean {
    return this.state === 'aborted'
  }

  /** What it goes by: of the listener or of `associate`, until `associationSettings` says what holds for the peer. */
  get settings(): AssociationSettings {
    return this.#control.settings
  }
  /** How the connection is secured; undefined: it is not, or is not there yet. */
  get security(): ConnectionSecurity | undefined {
    return this.#control.security
  }
  /** Address of the peer; before a requested connection is there, the host that was asked for. */
  get remoteAddress(): string {
    return this.#control.remote.address
  }
  get remotePort(): number {
    return this.#control.remote.port
  }
  get localAddress(): string {
    return this.#control.local.address
  }
  get localPort(): number {
    return this.#control.local.port
  }

  /** The title the requestor gave itself; empty before its request arrived. */
  get callingAeTitle(): string {
    return this.#control.request?.callingAeTitle ?? ''
  }
  /** The title the requestor addressed. */
  get calledAeTitle(): string {
    return this.#control.request?.calledAeTitle ?? ''
  }
  /** The title of the other side: who called, or whom this side called. */
  get peerAeTitle(): string {
    return this.role === 'acceptor' ? this.callingAeTitle : this.calledAeTitle
  }
  /** The requestor's side; undefined before its request arrived. */
  get requestor(): AssociationUser | undefined {
    return this.#control.requestor
  }
  /** The acceptor's side; undefined before the request was accepted. */
  get acceptor(): AssociationUser | undefined {
    return this.#control.acceptor
  }
  /** The A-ASSOCIATE-RQ, as received or sent. */
  get request(): AAssociateRq | undefined {
    return this.#control.request
  }
  /** The A-ASSOCIATE-AC, as sent or received. */
  get accept(): AAssociateAc | undefined {
    return this.#control.accept
  }
  /** As in the A-ASSOCIATE-RQ; empty before it arrived. */
  get proposedContexts(): readonly ProposedContext[] {
    return this.#control.request?.presentationContexts ?? []
  }
  /** Those that requests can be sent on, or performed; empty before the answer. */
  override get acceptedContexts(): readonly AcceptedContext[] {
    return [...this.#control.contexts.values()]
  }
  /** Those that the acceptor refused, or left out of its answer, each with the result (PS3.8 table 9-18). */
  get rejectedContexts(): readonly RejectedContext[] {
    return this.#control.rejectedContexts
  }
  /** SOP class common extended negotiation items that a handler accepted. */
  get acceptedCommonExtended(): readonly SopClassCommonExtended[] {
    return this.#control.commonExtended
  }
  /** The negotiated asynchronous operations window, as the requestor sees it; 0 is unlimited. */
  get asynchronousOperations(): OperationsWindow {
    return this.#control.window
  }
  /** What the acceptor answered to a user identity (PS3.7 D.3.3.7.2); empty for types 1 and 2. */
  get userIdentityResponse(): Uint8Array | undefined {
    return userIdentityResponseOf(this.accept?.userInformation ?? [])
  }
  /** Operations of the peer that are running or waiting for their turn. */
  get operations(): readonly Operation[] {
    return this.dimse?.runningOperations ?? []
  }

  /** Resolves when the connection is gone. Never rejects. */
  get closed(): Promise<void> {
    return this.#control.closed
  }

  /**
   * Aborts the association: A-ABORT, source service-user (PS3.8 7.3). Nothing happens when it has ended.
   * @param message why, for the log and `associationAborted`; the peer does not see it.
   */
  abort(message = 'Aborted by this side'): void {
    this.#control.abort(message)
  }

  /**
   * Releases the association (PS3.8 7.2) when the operations of the peer that there are now and requests of this side are done;
   * resolves when it is over, also when the release was under way. Responses that nobody reads are not waited
   * for. Nothing happens when it is not established. Never rejects.
   */
  release(): Promise<void> {
    return this.#control.release()
  }

  /** Releases the association, so that `await using` does; one that is not established is aborted. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.isEstablished || this.state === 'releasing') await this.release()
    else this.abort('It went out of use')
    await this.closed
  }

  /** Titles, role, state and peer, on one line. */
  override toString(): string {
    return describeAssociation(this)
  }

  /** Resolves when no operation of the peer is running or waiting. */
  async operationsEnded(): Promise<void> {
    await this.dimse?.idle()
  }

  /** Cuts the connection without an A-ABORT, for connections that are not worth one; resolves when it is gone. */
  async kill(): Promise<void> {
    await this.#control.dul.kill()
    await this.closed
  }

  /** @internal Resolves when a requested association is established. @throws what `associate` throws. */
  opened(): Promise<void> {
    return this.#control.opened()
  }

  /** @internal */
  protected override get dimse(): DimseServiceProvider | undefined {
    return this.#control.dimse
  }
}
