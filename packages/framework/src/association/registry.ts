import type { Association } from './association.ts'

/** A connection that handlers of `incomingConnection` are asked about. */
export interface ArrivingConnection {
  /** Lets it go. */
  cut(why: string): void
}

/** A connection that has sent no request for this long may be dropped to let another one in. */
const STALE_AFTER_MS = 1_000
/** Connections beyond the pending limit, young and ended ones, before the oldest is cut however young it is. */
const PENDING_MARGIN = 1_024

/**
 * The associations of one ApplicationEntity and its limits. A connection is pending until its
 * A-ASSOCIATE-RQ is admitted, active from then until it is gone.
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

  get activeCount(): number {
    return this.#active.size
  }

  get pendingCount(): number {
    return this.#pending.size + this.#arriving.size
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
    if (waiting < maximumPending + PENDING_MARGIN) return true
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
    this.#arriving.delete(connection)
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
    return this.#active.size >= maximumAssociations
  }

  /** The request passed admission: it takes a place among the associations. */
  admit(association: Association): void {
    this.#pending.delete(association)
    this.#active.add(association)
  }

  /** The association has ended; its connection may wait for the peer to close it (Sta13). */
  remove(association: Association): void {
    this.#pending.delete(association)
    this.#active.delete(association)
    this.#requested.delete(association)
    if (this.#connections.has(association)) this.#ended.add(association)
  }

  disconnected(association: Association): void {
    this.remove(association)
    this.#connections.delete(association)
    this.#ended.delete(association)
  }

  #makeRoom(maximumPending: number): void {
    const staleBefore = Date.now() - STALE_AFTER_MS
    while (this.pendingCount >= maximumPending && this.#dropOldest(staleBefore));
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
