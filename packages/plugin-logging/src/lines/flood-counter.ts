/** What repeats is told line by line up to here; the bounds hold for a window. */
export interface FloodBounds {
  /** After it the lines start anew. A multiple of `tellEveryMs`. */
  readonly windowMs: number
  /** How often it is said what was only counted. */
  readonly tellEveryMs: number
  readonly linesPerSubject: number
  readonly linesInAll: number
  readonly maximumSubjects: number
}

interface Count<Subject> {
  readonly subject: Subject
  lines: number
  others: number
}

/** Counts what comes again and again by its subject, so that it is a number in the log and not a line each time. */
export class FloodCounter<Subject> {
  readonly #bounds: FloodBounds
  readonly #tell: (others: number, subject: Subject | undefined) => void
  readonly #counts = new Map<string, Count<Subject>>()
  #lines = 0
  #othersElsewhere = 0
  #elapsedMs = 0
  #timer: NodeJS.Timeout | undefined

  /** `tell` gets how many had no line; without a subject for those that were too many to be counted apart. */
  constructor(bounds: FloodBounds, tell: (others: number, subject: Subject | undefined) => void) {
    this.#bounds = bounds
    this.#tell = tell
  }

  /** Counts one, and tells whether its line is one too many. */
  isFlood(key: string, subject: Subject): boolean {
    const { linesPerSubject, linesInAll, maximumSubjects, tellEveryMs } = this.#bounds
    this.#timer ??= setInterval(() => this.#endPeriod(), tellEveryMs).unref()
    let count = this.#counts.get(key)
    if (count === undefined) {
      if (this.#counts.size >= maximumSubjects) {
        this.#othersElsewhere += 1
        return true
      }
      count = { subject, lines: 0, others: 0 }
      this.#counts.set(key, count)
    }
    if (count.lines >= linesPerSubject || this.#lines >= linesInAll) {
      count.others += 1
      return true
    }
    count.lines += 1
    this.#lines += 1
    return false
  }

  /** Says what was counted meanwhile, and starts anew. */
  endWindow(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
    this.#tellOthers()
    this.#counts.clear()
    this.#lines = 0
    this.#elapsedMs = 0
  }

  #endPeriod(): void {
    this.#elapsedMs += this.#bounds.tellEveryMs
    if (this.#elapsedMs >= this.#bounds.windowMs) this.endWindow()
    else this.#tellOthers()
  }

  #tellOthers(): void {
    for (const count of this.#counts.values()) {
      if (count.others > 0) this.#tell(count.others, count.subject)
      count.others = 0
    }
    if (this.#othersElsewhere > 0) this.#tell(this.#othersElsewhere, undefined)
    this.#othersElsewhere = 0
  }
}
