import type { ObjectRecord } from '../records/record.ts'

/** Records of several processes that are so close have no order: clocks differ, and names are given before they are recorded. */
const SAME_TIME_MS = 10_000

/** What the records say of one file. */
export class Expectation {
  #latestMs = Number.NEGATIVE_INFINITY
  #records: ObjectRecord[] = []
  #kept: ObjectRecord | undefined

  /** In any order. */
  add(record: ObjectRecord): void {
    if (record.kind === 'kept') {
      if (this.#kept === undefined || record.recordedAtMs > this.#kept.recordedAtMs) this.#kept = record
      return
    }
    this.#records.push(record)
    // What is about to be replaced is still there until it was.
    if (record.kind !== 'replacing') this.#latestMs = Math.max(this.#latestMs, record.recordedAtMs)
    if (this.#records.length > 1) this.#records = this.#records.filter(({ recordedAtMs }) => recordedAtMs >= this.#latestMs - SAME_TIME_MS)
  }

  /** Nothing need be there: it was removed, or what was about to come there first may not have come to it. */
  get allowsAbsence(): boolean {
    return this.#expected.every(({ kind }) => kind === 'replacing') || this.#expected.some(({ kind }) => kind === 'removed')
  }

  /** The objects that may be there: one, but for moments in which it was replaced. Empty when nothing is expected. */
  get objects(): readonly ObjectRecord[] {
    return this.#expected.filter(({ kind }) => kind !== 'removed')
  }

  /** Of an object that was there before anything was recorded of it, only the size is known. */
  get #expected(): readonly ObjectRecord[] {
    const kept = this.#kept
    if (kept === undefined) return this.#records
    const isKnown = this.#records.some(({ kind }) => kind !== 'removed')
    return isKnown || kept.recordedAtMs < this.#latestMs ? this.#records : [kept]
  }
}
