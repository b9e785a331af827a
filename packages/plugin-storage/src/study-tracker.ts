import type { CompletedStudy } from './hooks.ts'

export interface StudyTrackerOptions {
  /** Undefined: a study is complete when the associations that added to it have ended. */
  readonly quietPeriodMs: number | undefined
  readonly onCompleted: (study: CompletedStudy) => void
}

interface StudyEntry {
  instances: number
  duplicates: number
  readonly firstStoredAt: Date
  lastStoredAt: Date
  readonly callingAeTitles: Set<string>
  /** Associations that may add to it. */
  readonly associations: Set<object>
  timer: NodeJS.Timeout | undefined
}

/** One acknowledged store. */
export interface StudyAddition {
  readonly studyInstanceUid: string
  readonly callingAeTitle: string
  readonly isDuplicate: boolean
  readonly association: object
}

/** Finds out when a study is complete. DICOM has no message that says so. */
export class StudyTracker {
  readonly #options: StudyTrackerOptions
  readonly #studies = new Map<string, StudyEntry>()
  /** Objects of a study that are being received: it is not quiet meanwhile. */
  readonly #receiving = new Map<string, number>()
  readonly #ended = new WeakSet<object>()

  constructor(options: StudyTrackerOptions) {
    this.#options = options
  }

  /** An object of the study is on its way. Pair it with `endReceiving`. */
  beginReceiving(studyInstanceUid: string): void {
    this.#receiving.set(studyInstanceUid, (this.#receiving.get(studyInstanceUid) ?? 0) + 1)
    clearTimeout(this.#studies.get(studyInstanceUid)?.timer)
  }

  endReceiving(studyInstanceUid: string): void {
    const count = (this.#receiving.get(studyInstanceUid) ?? 1) - 1
    if (count > 0) {
      this.#receiving.set(studyInstanceUid, count)
      return
    }
    this.#receiving.delete(studyInstanceUid)
    const entry = this.#studies.get(studyInstanceUid)
    if (entry !== undefined) this.#startQuietPeriod(studyInstanceUid, entry)
  }

  add({ studyInstanceUid, callingAeTitle, isDuplicate, association }: StudyAddition): void {
    const now = new Date()
    let entry = this.#studies.get(studyInstanceUid)
    if (entry === undefined) {
      entry = {
        instances: 0,
        duplicates: 0,
        firstStoredAt: now,
        lastStoredAt: now,
        callingAeTitles: new Set(),
        associations: new Set(),
        timer: undefined,
      }
      this.#studies.set(studyInstanceUid, entry)
    }
    entry.instances += 1
    if (isDuplicate) entry.duplicates += 1
    entry.lastStoredAt = now
    entry.callingAeTitles.add(callingAeTitle)
    entry.associations.add(association)
    if (!this.#receiving.has(studyInstanceUid)) this.#startQuietPeriod(studyInstanceUid, entry)
    if (this.#ended.has(association)) this.associationEnded(association)
  }

  associationEnded(association: object): void {
    this.#ended.add(association)
    for (const [studyInstanceUid, entry] of this.#studies) {
      if (!entry.associations.delete(association)) continue
      if (this.#options.quietPeriodMs === undefined && entry.associations.size === 0) {
        this.#complete(studyInstanceUid, entry, 'association-ended')
      }
    }
  }

  /** Announces every study that is still open. */
  close(): void {
    for (const [studyInstanceUid, entry] of this.#studies) this.#complete(studyInstanceUid, entry, 'closed')
  }

  #startQuietPeriod(studyInstanceUid: string, entry: StudyEntry): void {
    const { quietPeriodMs } = this.#options
    if (quietPeriodMs === undefined) return
    clearTimeout(entry.timer)
    entry.timer = setTimeout(() => this.#complete(studyInstanceUid, entry, 'quiet-period'), quietPeriodMs)
    entry.timer.unref()
  }

  #complete(studyInstanceUid: string, entry: StudyEntry, reason: CompletedStudy['reason']): void {
    clearTimeout(entry.timer)
    this.#studies.delete(studyInstanceUid)
    const { instances, duplicates, firstStoredAt, lastStoredAt, callingAeTitles } = entry
    this.#options.onCompleted({
      studyInstanceUid,
      instances,
      duplicates,
      firstStoredAt,
      lastStoredAt,
      callingAeTitles: [...callingAeTitles],
      reason,
    })
  }
}
