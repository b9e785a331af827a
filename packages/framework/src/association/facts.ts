import type { AcceptedContext, OperationsWindow, RejectedContext } from '../acse/types.ts'
import { SYNCHRONOUS, withinLimit } from '../acse/window.ts'
import type { TransportSocket } from '../dul/transport.ts'
import type { AAssociateAc, AAssociateRq } from '../pdu/types.ts'
import type { SopClassCommonExtended } from '../pdu/user-items/types.ts'
import { userOf } from './association-user.ts'
import type { AssociationUser } from './association-user.ts'
import { localEndpoint, remoteEndpoint, UNKNOWN_ENDPOINT } from './endpoint.ts'
import type { Endpoint } from './endpoint.ts'
import type { Confirmation } from './requestor.ts'
import { securityOf } from './security.ts'
import type { ConnectionSecurity } from './security.ts'
import type { AssociationSettings } from './settings.ts'

const NO_CONTEXTS: ReadonlyMap<number, AcceptedContext> = new Map()

/** What is known of one association: where it is, how it is secured, what both sides said, and what follows of it. */
export class AssociationFacts {
  readonly role: 'acceptor' | 'requestor'
  settings: AssociationSettings
  remote: Endpoint = UNKNOWN_ENDPOINT
  local: Endpoint = UNKNOWN_ENDPOINT
  security: ConnectionSecurity | undefined
  request: AAssociateRq | undefined
  accept: AAssociateAc | undefined
  requestor: AssociationUser | undefined
  acceptor: AssociationUser | undefined
  contexts: ReadonlyMap<number, AcceptedContext> = NO_CONTEXTS
  rejectedContexts: readonly RejectedContext[] = []
  commonExtended: readonly SopClassCommonExtended[] = []
  window: OperationsWindow = SYNCHRONOUS

  constructor(role: 'acceptor' | 'requestor', settings: AssociationSettings) {
    this.role = role
    this.settings = settings
  }

  get limits(): AssociationSettings['limits'] {
    return this.settings.limits
  }
  get timeouts(): AssociationSettings['timeouts'] {
    return this.settings.timeouts
  }
  /** Maximum Length Received of the peer (PS3.8 D.1), and no more than the settings allow; 0: no limit. */
  get peerMaximumLength(): number {
    const announced = (this.role === 'acceptor' ? this.requestor : this.acceptor)?.maximumLength ?? 0
    const { maximumSentPduBytes } = this.limits
    if (announced === 0 || maximumSentPduBytes === 0) return Math.max(announced, maximumSentPduBytes)
    return Math.min(announced, maximumSentPduBytes)
  }
  /** The window is the requestor's: what it may invoke is what the acceptor performs (PS3.7 D.3.3.3). */
  get maximumOperationsPerformed(): number {
    const performed = this.role === 'acceptor' ? this.window.invoked : this.window.performed
    return withinLimit(performed, this.limits.maximumPerformedOperations)
  }
  get maximumOperationsInvoked(): number {
    const invoked = this.role === 'acceptor' ? this.window.performed : this.window.invoked
    return withinLimit(invoked, this.limits.maximumInvokedOperations)
  }

  /** @param given where they are not those of the socket */
  protected connectedThrough(socket: TransportSocket, given: { readonly remote?: Endpoint; readonly local?: Endpoint } = {}): void {
    this.remote = given.remote ?? remoteEndpoint(socket)
    this.local = given.local ?? localEndpoint(socket)
    this.security = securityOf(socket)
  }

  protected requestIs(request: AAssociateRq): void {
    this.request = request
    this.requestor = userOf(request.callingAeTitle, request.userInformation)
  }

  protected acceptIs(accept: AAssociateAc, { accepted, rejected, window }: Confirmation): void {
    this.accept = accept
    // The titles of an A-ASSOCIATE-AC are not tested (PS3.8 9.3.3).
    this.acceptor = userOf(this.request?.calledAeTitle ?? '', accept.userInformation)
    this.contexts = new Map(accepted.map((context) => [context.id, context]))
    this.rejectedContexts = rejected
    this.window = window
  }
}
