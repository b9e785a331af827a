/** Who gets the events of which unified procedure step (PS3.4 table CC.2.3-2). */
export class Subscriptions {
  /** By AE title: do its subscriptions hold a deletion lock? */
  readonly #global = new Map<string, boolean>()
  readonly #bySopInstance = new Map<string, Map<string, boolean>>()

  /** A step was created. @returns the AEs that are subscribed to it from the beginning. */
  add(uid: string): string[] {
    this.#bySopInstance.set(uid, new Map(this.#global))
    return [...this.#global.keys()]
  }

  remove(uid: string): void {
    this.#bySopInstance.delete(uid)
  }

  of(uid: string): string[] {
    return [...(this.#bySopInstance.get(uid)?.keys() ?? [])]
  }

  isLocked(uid: string): boolean {
    return [...(this.#bySopInstance.get(uid)?.values() ?? [])].includes(true)
  }

  subscribe(uid: string, aeTitle: string, lock: boolean): void {
    this.#bySopInstance.get(uid)?.set(aeTitle, lock)
  }

  unsubscribe(uid: string, aeTitle: string): void {
    this.#bySopInstance.get(uid)?.delete(aeTitle)
  }

  /** To steps that will be created and, without a change for those that it has, to every step. @returns the new ones. */
  subscribeToAll(aeTitle: string, lock: boolean): string[] {
    this.#global.set(aeTitle, lock)
    const added = [...this.#bySopInstance].filter(([, subscribers]) => !subscribers.has(aeTitle))
    for (const [, subscribers] of added) subscribers.set(aeTitle, lock)
    return added.map(([uid]) => uid)
  }

  /** Subscriptions to single steps go as well. */
  unsubscribeFromAll(aeTitle: string): void {
    this.#global.delete(aeTitle)
    for (const subscribers of this.#bySopInstance.values()) subscribers.delete(aeTitle)
  }

  /** Steps that will be created are not subscribed to any more. */
  suspend(aeTitle: string): void {
    this.#global.delete(aeTitle)
  }
}
