import { isDeepStrictEqual } from 'node:util'
import { isPerhapsFull, proposalsFor } from '../dimse/retrieve/sub-association.ts'
import type { InstanceContext, ResolvedDestination, SubAssociation, SubAssociations } from '../dimse/retrieve/sub-association.ts'
import type { Operation } from '../dimse/types.ts'
import type { UserItem } from '../pdu/user-items/types.ts'
import type { AssociateOptions } from './associate-options.ts'
import type { Association } from './association.ts'
import { contextLookUp, PooledAssociation, wasRefused } from './pooled-association.ts'

const DEFAULT_IDLE_MS = 2_000
/** Idle associations beyond this number are released, the oldest first. */
const MAXIMUM_IDLE = 32

export interface AssociationPoolOptions {
  /** `ApplicationEntity.associate`. */
  readonly associate: (options: AssociateOptions, operation: Operation) => Promise<Association>
  /** How long an association that no operation uses is kept. Default 2 000. */
  readonly idleMs?: number
}

/** On whose behalf an association was requested: what handlers of the outgoing hooks may go by. */
interface Originator {
  readonly aeTitle: string
  readonly address: string
  readonly userIdentity: UserItem | undefined
}

interface Idle {
  readonly association: Association
  readonly destination: ResolvedDestination
  readonly originator: Originator
  readonly timer: NodeJS.Timeout
}

/**
 * The associations that C-MOVE sub-operations go out on. One that is not needed any more is kept for a
 * short time, because a peer that retrieves series by series moves to the same destination again. It is lent
 * to one operation at a time, and only for the same destination and originator: what was negotiated on
 * behalf of one user is of no other's use.
 */
export class AssociationPool implements SubAssociations {
  readonly #associate: AssociationPoolOptions['associate']
  readonly #idleMs: number
  #idle: readonly Idle[] = []
  /** Idle and lent ones whose connection is not gone. */
  readonly #all = new Set<Association>()
  #isClosed = false

  constructor({ associate, idleMs = DEFAULT_IDLE_MS }: AssociationPoolOptions) {
    this.#associate = associate
    this.#idleMs = idleMs
  }

  /** How many associations wait for another operation. */
  get idleCount(): number {
    return this.#idle.length
  }

  /** Is this one of the pool's, idle or lent? */
  has(association: Association): boolean {
    return this.#all.has(association)
  }

  async open(destination: ResolvedDestination, contexts: readonly InstanceContext[], operation: Operation): Promise<SubAssociation> {
    const originator = originatorOf(operation)
    const kept = this.#take(destination, contexts, originator)
    if (kept !== undefined) return this.#lend(kept, [], destination, originator)
    // Many a destination takes one association at a time, and would let another wait until this one is gone.
    await this.#makeRoom(destination)
    const request = (): Promise<Association> => this.#request(destination, contexts, operation)
    let association: Association
    try {
      association = await request()
    } catch (error) {
      // One that was lent may have come back meanwhile.
      if (operation.signal.aborted || !isPerhapsFull(error) || !(await this.#makeRoom(destination))) throw error
      association = await request()
    }
    return this.#lend(association, contexts, destination, originator)
  }

  /**
   * Keeps nothing any more: idle associations are released now, lent ones when they are given back.
   * Resolves when all are gone; more may be lent meanwhile.
   */
  async close(): Promise<void> {
    this.#isClosed = true
    for (const idle of this.#idle) void this.#release(idle)
    await Promise.all([...this.#all].map(({ closed }) => closed))
  }

  #lend(
    association: Association,
    openedFor: readonly InstanceContext[],
    destination: ResolvedDestination,
    originator: Originator,
  ): SubAssociation {
    return new PooledAssociation(association, openedFor, (returned) => {
      this.#keep(returned, destination, originator)
    })
  }

  #keep(association: Association, destination: ResolvedDestination, originator: Originator): void {
    if (!association.isEstablished) return
    if (this.#isClosed || this.#idleMs === 0) {
      void association.release()
      return
    }
    const timer = setTimeout(() => {
      void this.#release(idle)
    }, this.#idleMs)
    const idle: Idle = { association, destination, originator, timer }
    this.#idle = [...this.#idle, idle]
    // Ended by the peer, or lent again.
    void association.closed.then(() => {
      this.#forget(idle)
    })
    const [oldest] = this.#idle
    if (this.#idle.length > MAXIMUM_IDLE && oldest !== undefined) void this.#release(oldest)
  }

  /** One that all of these contexts were proposed on; it accepts the first of them. */
  #take(destination: ResolvedDestination, contexts: readonly InstanceContext[], originator: Originator): Association | undefined {
    const [first] = contexts
    if (first === undefined) return undefined
    const target = targetOf(destination)
    const fit = this.#idle.find(({ association, ...idle }) => {
      if (!association.isEstablished || !isDeepStrictEqual(targetOf(idle.destination), target) || !isDeepStrictEqual(idle.originator, originator)) return false
      const contextFor = contextLookUp(association)
      return contextFor(first) !== undefined && contexts.every((context) => contextFor(context) !== undefined || wasRefused(association, context))
    })
    if (fit === undefined) return undefined
    this.#forget(fit)
    return fit.association
  }

  /** Releases the idle associations with this address; false when there are none. */
  async #makeRoom({ host, port }: ResolvedDestination): Promise<boolean> {
    const idle = this.#idle.filter(({ destination }) => destination.host === host && destination.port === port)
    await Promise.all(idle.map((one) => this.#release(one)))
    return idle.length > 0
  }

  #forget(idle: Idle): void {
    clearTimeout(idle.timer)
    this.#idle = this.#idle.filter((other) => other !== idle)
  }

  async #release(idle: Idle): Promise<void> {
    this.#forget(idle)
    await idle.association.release()
  }

  /** The signal of the operation ends the attempt, and nothing more: what is under way later may end in order. */
  async #request(destination: ResolvedDestination, contexts: readonly InstanceContext[], operation: Operation): Promise<Association> {
    const attempt = new AbortController()
    const giveUp = (): void => {
      attempt.abort(operation.signal.reason)
    }
    if (operation.signal.aborted) giveUp()
    else operation.signal.addEventListener('abort', giveUp, { once: true })
    try {
      const association = await this.#associate({ ...targetOf(destination), contexts: proposalsFor(contexts), signal: attempt.signal }, operation)
      this.#all.add(association)
      void association.closed.then(() => this.#all.delete(association))
      return association
    } finally {
      operation.signal.removeEventListener('abort', giveUp)
    }
  }
}

/** Which associations are the same: a handler may have put more than this into the destination. */
function targetOf(destination: ResolvedDestination): Omit<AssociateOptions, 'contexts'> {
  const { host, port, calledAeTitle, callingAeTitle, tls, timeouts, limits } = destination
  const { localAddress, localPort, asynchronousOperations, userIdentity } = destination
  return {
    host,
    port,
    calledAeTitle,
    callingAeTitle,
    ...(tls === undefined ? {} : { tls }),
    ...(timeouts === undefined ? {} : { timeouts }),
    ...(limits === undefined ? {} : { limits }),
    ...(localAddress === undefined ? {} : { localAddress }),
    ...(localPort === undefined ? {} : { localPort }),
    ...(asynchronousOperations === undefined ? {} : { asynchronousOperations }),
    ...(userIdentity === undefined ? {} : { userIdentity }),
  }
}

function originatorOf({ association }: Operation): Originator {
  const { role, callingAeTitle, calledAeTitle, remoteAddress, request } = association
  const userIdentity = request?.userInformation.find(({ type }) => type === 0x58)
  return { aeTitle: role === 'acceptor' ? callingAeTitle : calledAeTitle, address: remoteAddress, userIdentity }
}
