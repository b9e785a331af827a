import type { Logger } from '@dicomtap/framework'

/** A line of the log about something that was refused. */
export interface RefusalLine {
  readonly message: string
  /** What makes it another one: cause, title, address. */
  readonly key: string
  readonly fields: Readonly<Record<string, unknown>>
}

interface Told {
  line: RefusalLine
  toldAtMs: number
  untold: number
}

const WINDOW_MS = 60_000
const MAXIMUM_KEYS = 256
/** Lines about different ones in a window; a flood of made-up titles is a number. */
const MAXIMUM_NEW_LINES = 60

/**
 * Logs what is refused: the first time at once, repetitions as a number once a minute. Neither a peer that tries again
 * ten times a second nor one that makes up titles can fill the log.
 */
export class RefusalLog {
  readonly #log: Pick<Logger, 'warn'>
  readonly #now: () => number
  readonly #told = new Map<string, Told>()
  #newLines = 0
  #others = 0
  #timer: NodeJS.Timeout | undefined

  constructor(log: Pick<Logger, 'warn'>, now: () => number = () => performance.now()) {
    this.#log = log
    this.#now = now
  }

  start(): void {
    this.#timer ??= setInterval(() => this.sweep(), WINDOW_MS).unref()
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
    for (const told of this.#told.values()) this.#tellRest(told)
    this.#tellOthers()
  }

  note(line: RefusalLine): void {
    const told = this.#told.get(line.key)
    if (told !== undefined) {
      told.untold += 1
      told.line = line
      if (this.#now() - told.toldAtMs >= WINDOW_MS) this.#tellRest(told)
      return
    }
    if (this.#told.size >= MAXIMUM_KEYS || this.#newLines >= MAXIMUM_NEW_LINES) {
      this.#others += 1
      return
    }
    this.#newLines += 1
    this.#told.set(line.key, { line, toldAtMs: this.#now(), untold: 0 })
    this.#log.warn(line.message, line.fields)
  }

  /** Once a minute: tells of what was counted meanwhile. */
  sweep(): void {
    for (const [key, told] of this.#told) {
      if (this.#now() - told.toldAtMs < WINDOW_MS) continue
      if (told.untold === 0) this.#told.delete(key)
      else this.#tellRest(told)
    }
    this.#newLines = 0
    this.#tellOthers()
  }

  #tellRest(told: Told): void {
    if (told.untold === 0) return
    this.#log.warn(told.line.message, { ...told.line.fields, repeated: told.untold })
    told.untold = 0
    told.toldAtMs = this.#now()
  }

  #tellOthers(): void {
    if (this.#others > 0) this.#log.warn('many others were refused as well', { refused: this.#others })
    this.#others = 0
  }
}
