/** The associations of all processes of a server. */
export class SharedPlaces {
  readonly #taken = new Map<string, number>()
  #total = 0

  /** Takes one of `maximum` places. */
  take(caller: string, maximum: number): boolean {
    if (this.#total >= maximum) return false
    this.#add(caller, 1)
    return true
  }

  give(caller: string): void {
    if ((this.#taken.get(caller) ?? 0) > 0) this.#add(caller, -1)
  }

  left(caller: string): void {
    this.#total -= this.#taken.get(caller) ?? 0
    this.#taken.delete(caller)
  }

  #add(caller: string, change: number): void {
    this.#total += change
    this.#taken.set(caller, (this.#taken.get(caller) ?? 0) + change)
  }
}

export function createSharedState(): SharedPlaces {
  return new SharedPlaces()
}
