import type { Association } from './association.ts'

/** A connection that has sent no request for this long may be dropped to let another one in. */
const STALE_AFTER_MS = 1_000
/** Connections beyond the pending limit that are still heard out before they are rejected. */
const PENDING_MARGIN = 1_024

/**
 * The associations of one ApplicationEntity and its limits. A connection is pending until its
 * A-ASSOCIATE-RQ is admitted, active from then until it is gone.
 */
export class AssociationRegistry {
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
    return this.#pending.size
  }

  /** From now on every request is over the limit: the AE is closing. */
  refuseNew(): void {
    this.#isClosing = true
  }

  /** May another connection be heard at all? Of the ended ones the oldest makes room. */
  hasRoomFor(maximumPending: number): boolean {
    if (this.#connections.size - this.#active.size - this.#requested.size < maximumPending + PENDING_MARGIN) return true
    const [oldest] = this.#ended
    if (oldest === undefined) return false
    this.#ended.delete(oldest)
    void oldest.kill()
    return true
  }

  /**
   * A connection arrived. When too many say nothing, the one that has said nothing for longest makes
   * room, so that silent connections cannot lock others out.
   */
  add(association: Association, maximumPending: number): void {
    if (this.#pending.size >= maximumPending) this.#dropStale()
    this.#pending.set(association, Date.now())
    this.#connections.add(association)
  }

  /** This side requests an association. */
  addRequested(association: Association): void {
    this.#requested.add(association)
    this.#connections.add(association)
  }

  isOverPendingLimit(maximumPending: number): boolean {
    return this.#isClosing || this.#pending.size > maximumPending
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

  #dropStale(): void {
    const oldest = this.#pending.entries().next().value
    if (oldest === undefined || Date.now() - oldest[1] < STALE_AFTER_MS) return
    this.#pending.delete(oldest[0])
    void oldest[0].kill()
  }
}
