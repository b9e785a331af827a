import { AssociationSlots } from './slots.ts'
import type { Slot, SlotLimits } from './slots.ts'

/** The associations of peers in all processes of a server. */
export class SharedSlots {
  readonly #slots: AssociationSlots
  /** By process and name. */
  readonly #held = new Map<string, Map<string, Slot[]>>()

  constructor(slots: AssociationSlots = new AssociationSlots()) {
    this.#slots = slots
  }

  /** Takes a place of that name, or says what is used up. */
  take(caller: string, key: string, limits: Partial<SlotLimits>): 'taken' | 'limit' | 'rate' {
    const slot = this.#slots.take(key, { maximumAssociations: undefined, associationsPerMinute: undefined, burst: undefined, ...limits })
    if (typeof slot === 'string') return slot
    const byKey = this.#held.get(caller) ?? new Map<string, Slot[]>()
    this.#held.set(caller, byKey)
    const held = byKey.get(key)
    if (held === undefined) byKey.set(key, [slot])
    else held.push(slot)
    return 'taken'
  }

  give(caller: string, key: string): void {
    const byKey = this.#held.get(caller)
    const held = byKey?.get(key)
    held?.pop()?.release()
    if (held?.length === 0) byKey?.delete(key)
  }

  /** Lets go the counts of names that are not there any more. */
  keepOnly(_caller: string, keys: readonly string[]): void {
    this.#slots.keepOnly(new Set(keys))
  }

  left(caller: string): void {
    for (const held of this.#held.get(caller)?.values() ?? []) for (const slot of held) slot.release()
    this.#held.delete(caller)
  }
}

export function createSharedState(): SharedSlots {
  return new SharedSlots()
}
