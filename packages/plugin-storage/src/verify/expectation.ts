import type { ObjectRecord } from '../records/record.ts'

/** Records of several processes that are so close have no order: clocks differ, and names are given before they are recorded. */
const SAME_TIME_MS = 10_000

/** What the records say of one file. */
export class Expectation {
  #latestMs = Number.NEGATIVE_INFINITY
  #records: ObjectRecord[] = []
  #kept: ObjectRecord | undefined
  /** When its removal was begun, and when one was given up. */
  #removingAtMs = Number.NEGATIVE_INFINITY
  #remainsAtMs = Number.NEGATIVE_INFINITY

  /** In any order. */
  add(record: ObjectRecord): void {
    const { kind, recordedAtMs } = record
    if (kind === 'removing') {
      this.#removingAtMs = Math.max(this.#removingAtMs, recordedAtMs)
      return
    }
    if (kind === 'remains') {
      this.#remainsAtMs = Math.max(this.#remainsAtMs, recordedAtMs)
      return
    }
    if (kind === 'kept') {
      if (this.#kept === undefined || recordedAtMs > this.#kept.recordedAtMs) this.#kept = record
      return
    }
    this.#records.push(record)
    // What is about to be replaced is still there until it was.
    if (kind !== 'replacing') this.#latestMs = Math.max(this.#latestMs, recordedAtMs)
    if (this.#records.length > 1) this.#records = this.#records.filter((one) => one.recordedAtMs >= this.#latestMs - SAME_TIME_MS)
  }

  /** Nothing need be there: it was removed, is being removed, or what was about to come there first may not have come to it. */
  get allowsAbsence(): boolean {
    return this.#isBeingRemoved || this.#expected.every(({ kind }) => kind === 'replacing') || this.#expected.some(({ kind }) => kind === 'removed')
  }

  /** The objects that may be there: one, but for moments in which it was replaced. Empty when nothing is expected. */
  get objects(): readonly ObjectRecord[] {
    return this.#expected.filter(({ kind }) => kind !== 'removed')
  }

  /** Begun and neither finished nor given up; nobody has stored or answered for the file since. */
  get #isBeingRemoved(): boolean {
    const sinceMs = Math.max(this.#latestMs, this.#kept?.recordedAtMs ?? Number.NEGATIVE_INFINITY) - SAME_TIME_MS
    return this.#removingAtMs > this.#remainsAtMs && this.#removingAtMs >= sinceMs
  }

  /** Of an object that was there before anything was recorded of it, only the size is known. */
  get #expected(): readonly ObjectRecord[] {
    const kept = this.#kept
    if (kept === undefined) return this.#records
    const isKnown = this.#records.some(({ kind }) => kind !== 'removed')
    return isKnown || kept.recordedAtMs < this.#latestMs ? this.#records : [kept]
  }
}
