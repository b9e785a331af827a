import type { ServerProcess, SharedState } from '../server-process.ts'
import type { Association } from './association.ts'
import type { SharedPlaces } from './shared-places.ts'

/** A connection that handlers of `incomingConnection` are asked about. */
export interface ArrivingConnection {
  /** Lets it go. */
  cut(why: string): void
}

/** A connection that has sent no request for this long may be dropped to let another one in. */
const STALE_AFTER_MS = 1_000
/** Connections beyond the pending limit, young and ended ones, before the oldest is cut however young it is. */
const PENDING_MARGIN = 1_024

/** How the processes of a server share the limits. */
export interface SharedLimits {
  readonly process: Pick<ServerProcess, 'processes' | 'connectionsLeft'>
  readonly places: SharedState<SharedPlaces>
}

/** Why there is no place: all are taken, or nobody says whether there is one. */
export type NoPlace = 'limit' | 'congestion'

/**
 * The associations of one ApplicationEntity and its limits. A connection is pending until its
 * A-ASSOCIATE-RQ is admitted, active from then until it is gone.
 *
 * In a server of several processes the places of associations are counted by one of them; of connections that are
 * pending each process has its share.
 */
export class AssociationRegistry {
  /** Connections that are being prepared: their socket is not yet an association's. */
  readonly #arriving = new Map<ArrivingConnection, number>()
  readonly #pending = new Map<Association, number>()
  readonly #active = new Set<Association>()
  /** Those that this side requested; the limits are for peers and do not count them. */
  readonly #requested = new Set<Association>()
  /** Every association whose connection is not gone, ended ones in Sta13 included. */
  readonly #connections = new Set<Association>()
  /** Of these the ones that have ended and wait for the peer to close (Sta13), oldest first. */
  readonly #ended = new Set<Association>()
  /** Those that hold a place of the server, or have asked for one. */
  readonly #holders = new Set<Association>()
  #shared: SharedLimits | undefined
  #isClosing = false

  get active(): readonly Association[] {
    return [...this.#active, ...this.#requested]
  }

  get all(): readonly Association[] {
    return [...this.#pending.keys(), ...this.#active, ...this.#requested]
  }

  get connections(): readonly Association[] {
    return [...this.#connections]
  }

  /** Nobody is connected, nor is this side with anybody. */
  get isIdle(): boolean {
    return this.#connections.size === 0 && this.#arriving.size === 0
  }

  get activeCount(): number {
    return this.#active.size
  }

  get pendingCount(): number {
    return this.#pending.size + this.#arriving.size
  }

  /** From now on the limits are those of several processes together. */
  share(shared: SharedLimits): void {
    this.#shared = shared
  }

  /** From now on every request is over the limit: the AE is closing. */
  refuseNew(): void {
    this.#isClosing = true
  }

  /**
   * May another connection be heard at all? The oldest of the ended ones makes room, else the oldest of those that
   * have not asked for an association, so that no flood of them locks out who asks at once.
   */
  hasRoomFor(maximumPending: number): boolean {
    const waiting = this.#connections.size - this.#active.size - this.#requested.size + this.#arriving.size
    if (waiting < this.#share(maximumPending + PENDING_MARGIN)) return true
    const [oldest] = this.#ended
    if (oldest === undefined) return this.#dropOldest(Date.now())
    this.#ended.delete(oldest)
    void oldest.kill()
    return true
  }

  /**
   * A connection arrived. When too many say nothing, those that have said nothing for long make room, so that
   * silent connections cannot lock others out.
   */
  add(association: Association, maximumPending: number): void {
    this.#makeRoom(maximumPending)
    this.#pending.set(association, Date.now())
    this.#connections.add(association)
  }

  /** A connection is being prepared; it makes others go as `add` does. */
  addArriving(connection: ArrivingConnection, maximumPending: number): void {
    this.#makeRoom(maximumPending)
    this.#arriving.set(connection, Date.now())
  }

  /** It has become an association, or is gone. */
  removeArriving(connection: ArrivingConnection): void {
    // What is not there made room, and was told of.
    if (this.#arriving.delete(connection)) this.#connectionsLeft()
  }

  /** Lets go what is being prepared. */
  cutArriving(why: string): void {
    for (const connection of this.#arriving.keys()) connection.cut(why)
  }

  /** This side requests an association. */
  addRequested(association: Association): void {
    this.#requested.add(association)
    this.#connections.add(association)
  }

  get isClosing(): boolean {
    return this.#isClosing
  }

  isOverAssociationLimit(maximumAssociations: number): boolean {
    return this.#shared === undefined && this.#active.size >= maximumAssociations
  }

  /** The request passed admission: it takes a place among the associations. */
  admit(association: Association): void {
    this.#pending.delete(association)
    this.#active.add(association)
  }

  /**
   * One of several processes: asks for a place of the server for an association that was admitted.
   * @returns undefined when there is nobody to ask: it has its place.
   */
  place(association: Association, maximumAssociations: number): Promise<NoPlace | undefined> | undefined {
    return this.#shared === undefined ? undefined : this.#askForPlace(this.#shared, association, maximumAssociations)
  }

  /** The association has ended; its connection may wait for the peer to close it (Sta13). */
  remove(association: Association): void {
    const wasHere = this.#pending.delete(association) || this.#active.delete(association)
    this.#requested.delete(association)
    if (this.#connections.has(association)) this.#ended.add(association)
    if (this.#holders.delete(association)) this.#shared?.places.tell('give')
    if (wasHere) this.#connectionsLeft()
  }

  disconnected(association: Association): void {
    this.remove(association)
    this.#connections.delete(association)
    this.#ended.delete(association)
  }

  async #askForPlace({ places }: SharedLimits, association: Association, maximumAssociations: number): Promise<NoPlace | undefined> {
    let isTaken: boolean
    try {
      isTaken = await places.call('take', maximumAssociations)
    } catch {
      return 'congestion'
    }
    if (!isTaken) return 'limit'
    // It may have ended meanwhile.
    if (this.#active.has(association)) this.#holders.add(association)
    else places.tell('give')
    return undefined
  }

  /** Of what all processes may have together. */
  #share(maximum: number): number {
    return this.#shared === undefined ? maximum : Math.max(1, Math.floor(maximum / this.#shared.process.processes))
  }

  #connectionsLeft(): void {
    this.#shared?.process.connectionsLeft(() => this.pendingCount + this.#active.size)
  }

  #makeRoom(maximumPending: number): void {
    const staleBefore = Date.now() - STALE_AFTER_MS
    while (this.pendingCount >= this.#share(maximumPending) && this.#dropOldest(staleBefore));
  }

  /** The connection that has not asked for an association for longest, if it came that long ago. False when there is none. */
  #dropOldest(cameBefore: number): boolean {
    const pending = this.#pending.entries().next().value
    const arriving = this.#arriving.entries().next().value
    if (arriving !== undefined && arriving[1] <= cameBefore && (pending === undefined || arriving[1] <= pending[1])) {
      this.#arriving.delete(arriving[0])
      arriving[0].cut('it had to make room for another one')
      return true
    }
    if (pending === undefined || pending[1] > cameBefore) return false
    this.#pending.delete(pending[0])
    void pending[0].kill()
    return true
  }
}
