/** Those that wait equally long, the one that began first at the head: they end in that order. */
interface Line {
  readonly holdsProcess: boolean
  first: Deadline | undefined
  last: Deadline | undefined
  /** It stays when nobody waits any more, and holds no process then. */
  timer: NodeJS.Timeout | undefined
}

/** By length; of those that hold no process by the negative of it. */
const lines = new Map<number, Line>()
/** Time-outs are few; where they are not, the lines that nobody waits in are forgotten. */
const MANY_LINES = 64

/**
 * A time-out that is started and stopped far more often than it expires: with each association and each of its states. A
 * timer of Node's own is made and thrown away every time; these share one for each length.
 */
export class Deadline {
  readonly #expired: () => void
  #line: Line | undefined
  #before: Deadline | undefined
  #after: Deadline | undefined
  #atMs = 0
  readonly #holdsProcess: boolean

  /** @param holdsProcess a process that has nothing else to do waits for it */
  constructor(expired: () => void, holdsProcess = true) {
    this.#expired = expired
    this.#holdsProcess = holdsProcess
  }

  get isRunning(): boolean {
    return this.#line !== undefined
  }

  /** Starts it, or starts it anew. */
  start(timeoutMs: number): void {
    const line = lineOf(timeoutMs, this.#holdsProcess)
    this.#atMs = performance.now() + timeoutMs
    // The only one, or the one that began last.
    if (this.#line === line && line.last === this) return
    this.stop()
    this.#line = line
    this.#before = line.last
    if (line.last === undefined) line.first = this
    else line.last.#after = this
    line.last = this
    if (line.timer === undefined) line.timer = arm(line, Deadline.#elapsed, timeoutMs)
    else if (line.first === this && line.holdsProcess) line.timer.ref()
  }

  stop(): void {
    const line = this.#line
    if (line === undefined) return
    const [before, after] = [this.#before, this.#after]
    if (before === undefined) line.first = after
    else before.#after = after
    if (after === undefined) line.last = before
    else after.#before = before
    this.#line = undefined
    this.#before = undefined
    this.#after = undefined
    if (line.first === undefined && line.holdsProcess) line.timer?.unref()
  }

  static #elapsed(line: Line): void {
    line.timer = undefined
    try {
      for (let next = line.first; next !== undefined && next.#atMs <= performance.now(); next = line.first) {
        next.stop()
        next.#expired()
      }
    } finally {
      const { first } = line
      clearTimeout(line.timer)
      // Timers of Node are of whole milliseconds, and may be early by a part of one.
      const leftMs = first === undefined ? 0 : Math.max(1, Math.ceil(first.#atMs - performance.now()))
      line.timer = first === undefined ? undefined : arm(line, Deadline.#elapsed, leftMs)
    }
  }
}

function lineOf(timeoutMs: number, holdsProcess: boolean): Line {
  const key = holdsProcess ? timeoutMs : -timeoutMs
  let line = lines.get(key)
  if (line === undefined) {
    if (lines.size >= MANY_LINES) forgetUnused()
    lines.set(key, (line = { holdsProcess, first: undefined, last: undefined, timer: undefined }))
  }
  return line
}

function arm(line: Line, elapsed: (line: Line) => void, timeoutMs: number): NodeJS.Timeout {
  const timer = setTimeout(elapsed, timeoutMs, line)
  return line.holdsProcess ? timer : timer.unref()
}

function forgetUnused(): void {
  for (const [key, { first, timer }] of lines) {
    if (first !== undefined) continue
    clearTimeout(timer)
    lines.delete(key)
  }
}
