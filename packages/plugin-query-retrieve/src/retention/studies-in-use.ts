const REMEMBERED_MS = 3_600_000
const MAXIMUM_REMEMBERED = 100_000

/** Studies that this process is busy with: retention leaves them alone. */
export class StudiesInUse {
  readonly #holds = new Map<string, number>()
  /** When they were answered for last, oldest first. */
  readonly #touched = new Map<string, number>()

  /**
   * While a study is retrieved. Call what it gives back when that has ended, once.
   */
  hold(studyInstanceUids: Iterable<string>): () => void {
    const held = [...studyInstanceUids]
    for (const uid of held) this.#holds.set(uid, (this.#holds.get(uid) ?? 0) + 1)
    return () => {
      for (const uid of held.splice(0)) {
        const left = (this.#holds.get(uid) ?? 1) - 1
        if (left > 0) this.#holds.set(uid, left)
        else this.#holds.delete(uid)
      }
    }
  }

  /** Somebody sent an instance of it again, which was there already: no row is newer for it. */
  touch(studyInstanceUid: string, nowMs: number = Date.now()): void {
    this.#touched.delete(studyInstanceUid)
    this.#touched.set(studyInstanceUid, nowMs)
    for (const [uid, atMs] of this.#touched) {
      if (this.#touched.size <= MAXIMUM_REMEMBERED && atMs > nowMs - REMEMBERED_MS) break
      this.#touched.delete(uid)
    }
  }

  isInUse(studyInstanceUid: string, nowMs: number = Date.now()): boolean {
    return this.#holds.has(studyInstanceUid) || (this.#touched.get(studyInstanceUid) ?? Number.NEGATIVE_INFINITY) > nowMs - REMEMBERED_MS
  }
}
