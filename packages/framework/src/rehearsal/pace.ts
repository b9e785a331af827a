import { setTimeout as delay } from 'node:timers/promises'

/** How often is looked whether the server is idle again. */
const LOOK_AGAIN_MS = 50
/** After a server was busy it may be so again at once. */
const QUIET_LOOKS = 3

export interface PaceOptions {
  /** Whether nobody needs the server: no association is open or being opened. */
  readonly isIdle: () => boolean
  /** Processor time that may be used, of all threads of the process. */
  readonly budgetMs: number
  /** How long to wait for an idle server, in all. */
  readonly patienceMs: number
  readonly signal: AbortSignal
}

/** When a rehearsal may go on, and when it is over. */
export class Pace {
  readonly #options: PaceOptions
  readonly #givesUpAtMs: number
  #spentMicros = 0
  #since: NodeJS.CpuUsage = process.cpuUsage()
  #isStopped = false

  constructor(options: PaceOptions) {
    this.#options = options
    this.#givesUpAtMs = performance.now() + options.patienceMs
  }

  /** Processor time used while nothing else went on. */
  get spentMs(): number {
    return this.#spentMicros / 1000
  }

  /** Nothing more is to be rehearsed. */
  get isOver(): boolean {
    return this.#isStopped || this.#options.signal.aborted || this.spentMs >= this.#options.budgetMs
  }

  /** Before each step: undefined when it may be made at once. Afterwards `isOver` tells whether there is to be one. */
  step(): Promise<void> | undefined {
    this.#count()
    return this.#options.isIdle() || this.isOver ? undefined : this.untilIdle()
  }

  /** Resolves when the server has been idle for a moment, or the rehearsal is over. */
  async untilIdle(): Promise<void> {
    for (let quiet = 0; quiet < QUIET_LOOKS && !this.isOver; ) {
      await delay(LOOK_AGAIN_MS, undefined, { ref: false, signal: this.#options.signal }).catch(() => {})
      quiet = this.#options.isIdle() ? quiet + 1 : 0
      if (performance.now() > this.#givesUpAtMs) this.#isStopped = true
    }
    this.#since = process.cpuUsage()
  }

  #count(): void {
    const { user, system } = process.cpuUsage(this.#since)
    this.#since = process.cpuUsage()
    this.#spentMicros += user + system
  }
}
