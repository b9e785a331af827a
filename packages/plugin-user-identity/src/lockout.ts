/** When repeated failures lock a username or an address. */
export interface LockoutRules {
  /** Failures of one username within the window that lock it. */
  readonly attempts: number
  /** Failures of one remote address within the window that lock it. */
  readonly attemptsPerAddress: number
  readonly windowMs: number
  readonly lockMs: number
}

export type LockSubject = 'user' | 'address'

interface Failures {
  count: number
  readonly windowEndsAt: number
}

const MAXIMUM_ENTRIES = 10_000

/**
 * Counts failures per username and per remote address. Both are counted whether the username exists or
 * not, so that a lock tells nothing; memory is bounded whatever names peers invent.
 */
export class Lockout {
  readonly #rules: LockoutRules
  readonly #now: () => number
  readonly #maximumEntries: number
  /** Oldest first, as a Map keeps them; counters go before locks when room is needed. */
  readonly #failures: Readonly<Record<LockSubject, Map<string, Failures>>> = { user: new Map(), address: new Map() }
  readonly #lockedUntil: Readonly<Record<LockSubject, Map<string, number>>> = { user: new Map(), address: new Map() }

  constructor(rules: LockoutRules, now: () => number = Date.now, maximumEntries: number = MAXIMUM_ENTRIES) {
    this.#rules = rules
    this.#now = now
    this.#maximumEntries = maximumEntries
  }

  /** Entries in memory. */
  get size(): number {
    const maps = [...Object.values(this.#failures), ...Object.values(this.#lockedUntil)]
    return maps.reduce((sum, { size }) => sum + size, 0)
  }

  isLocked(subject: LockSubject, key: string): boolean {
    const until = this.#lockedUntil[subject].get(key)
    if (until === undefined) return false
    if (this.#now() < until) return true
    this.#lockedUntil[subject].delete(key)
    return false
  }

  /** Counts a failure; true when it is the one that locks. */
  failed(subject: LockSubject, key: string): boolean {
    if (this.isLocked(subject, key)) return false
    const now = this.#now()
    const { attempts, attemptsPerAddress, windowMs, lockMs } = this.#rules
    const counters = this.#failures[subject]
    const known = counters.get(key)
    const failures = known === undefined || now >= known.windowEndsAt ? { count: 0, windowEndsAt: now + windowMs } : known
    counters.delete(key)
    failures.count += 1
    if (failures.count < (subject === 'user' ? attempts : attemptsPerAddress)) {
      this.#put(counters, key, failures)
      return false
    }
    this.#put(this.#lockedUntil[subject], key, now + lockMs)
    return true
  }

  /**
   * The right passcode: the username starts anew. Its address does not, or one valid account would allow
   * guessing at all the others.
   */
  succeeded(user: string): void {
    this.#failures.user.delete(user)
  }

  #put<T>(map: Map<string, T>, key: string, value: T): void {
    map.set(key, value)
    if (map.size <= this.#maximumEntries) return
    for (const [oldest] of map) {
      map.delete(oldest)
      break
    }
  }
}
