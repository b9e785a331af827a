/** What a peer may have at once and open in a while. */
export interface SlotLimits {
  readonly maximumAssociations: number | undefined
  readonly associationsPerMinute: number | undefined
  readonly burst: number | undefined
}

interface Count {
  active: number
  tokens: number
  refilledAtMs: number
}

const MINUTE_MS = 60_000

/**
 * Counts the associations of peers, and when they were opened. Counts go by name, so that they outlive a reload of
 * the peers file. Taking and counting is one step without a wait in between: two requests cannot have the last place.
 */
export class AssociationSlots {
  readonly #counts = new Map<string, Count>()
  readonly #now: () => number

  constructor(now: () => number = () => performance.now()) {
    this.#now = now
  }

  activeOf(key: string): number {
    return this.#counts.get(key)?.active ?? 0
  }

  /** Takes a place, or says what is used up. What is refused costs nothing. */
  take(key: string, { maximumAssociations, associationsPerMinute, burst }: SlotLimits): 'limit' | 'rate' | Slot {
    const count = this.#count(key)
    if (maximumAssociations !== undefined && count.active >= maximumAssociations) return 'limit'
    if (associationsPerMinute !== undefined) {
      this.#refill(count, associationsPerMinute, burst ?? associationsPerMinute)
      if (count.tokens < 1) return 'rate'
      count.tokens -= 1
    }
    count.active += 1
    let isTaken = true
    return {
      release: () => {
        if (!isTaken) return
        isTaken = false
        count.active -= 1
      },
    }
  }

  /** Lets go the counts of names that are not there any more. */
  keepOnly(keys: ReadonlySet<string>): void {
    for (const [key, { active }] of this.#counts) if (active === 0 && !keys.has(key)) this.#counts.delete(key)
  }

  #count(key: string): Count {
    const known = this.#counts.get(key)
    if (known !== undefined) return known
    const count: Count = { active: 0, tokens: Number.POSITIVE_INFINITY, refilledAtMs: this.#now() }
    this.#counts.set(key, count)
    return count
  }

  #refill(count: Count, perMinute: number, capacity: number): void {
    const now = this.#now()
    const grown = count.tokens + ((now - count.refilledAtMs) * perMinute) / MINUTE_MS
    count.tokens = Math.min(capacity, grown)
    count.refilledAtMs = now
  }
}

/** A place that is taken. */
export interface Slot {
  /** Gives it back; more than once does no harm. */
  release(): void
}
