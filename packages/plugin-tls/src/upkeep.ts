import type { Finding, Logger } from '@dicomtap/framework'
import { expiryOf } from './expiry.ts'
import type { WatchedCredentials } from './watched-credentials.ts'

const HOUR_MS = 3_600_000

/** Looks after what was read: files that change, dates that come near. Its timers keep no process alive. */
export class Upkeep {
  readonly #log: Logger
  readonly #credentials = new Set<WatchedCredentials>()
  /** For the operator, whatever the files say: retired profiles. */
  readonly #standing = new Set<string>()
  /** What was said of each thing that ends, so that it is not said every hour. */
  readonly #said = new Map<string, string>()
  /** Before, there is a `dicomtap check` that prints the findings, or nobody whom it concerns. */
  #isInUse = false
  readonly #timers: readonly (NodeJS.Timeout | undefined)[]

  constructor(log: Logger, watchMs: number | null) {
    this.#log = log
    const watch = watchMs === null ? undefined : setInterval(() => void this.checkFiles(false), watchMs).unref()
    this.#timers = [watch, setInterval(() => this.checkDates(new Date()), HOUR_MS).unref()]
  }

  add(credentials: WatchedCredentials): void {
    this.#credentials.add(credentials)
    if (this.#isInUse) this.#tell(credentials)
    credentials.onChange(() => process.nextTick(() => this.checkDates(new Date())))
  }

  remove(credentials: WatchedCredentials): void {
    this.#credentials.delete(credentials)
  }

  /** Something that holds as long as the configuration does. */
  warn(message: string): void {
    if (this.#standing.has(message)) return
    this.#standing.add(message)
    if (this.#isInUse) this.#log.warn(message)
  }

  /** Somebody listens or connects: from here on the log says what it finds, and now what it has found. */
  start(): void {
    if (this.#isInUse) return
    this.#isInUse = true
    for (const message of this.#standing) this.#log.warn(message)
    for (const credentials of this.#credentials) this.#tell(credentials)
  }

  /** @param isAsked a reload: what is wrong is told at once */
  async checkFiles(isAsked: boolean): Promise<void> {
    for (const credentials of this.#credentials) await credentials.check(isAsked)
  }

  /** Logs what ends in 30, 14 and 7 days, and each of the last days. */
  checkDates(now: Date): void {
    if (!this.#isInUse) return
    for (const { current } of this.#credentials) {
      for (const dated of current.dated) {
        const expiry = expiryOf(dated, now)
        const step = expiry === undefined ? '' : `${String(dated.validTo)} ${expiry.step}`
        if (this.#said.get(dated.what) === step) continue
        this.#said.set(dated.what, step)
        if (expiry !== undefined) this.#log[expiry.level === 'error' ? 'error' : 'warn'](expiry.message)
      }
    }
  }

  findings(now: Date = new Date()): readonly Omit<Finding, 'plugin'>[] {
    const all = [...this.#credentials].map(({ current }) => current)
    const ends = all.flatMap(({ dated }) => dated.map((one) => expiryOf(one, now)).filter((one) => one !== undefined))
    const warnings = [...this.#standing, ...all.flatMap((one) => one.warnings)]
    const messages = [...ends.map(({ level, message }) => ({ level, message })), ...warnings.map((message) => ({ level: 'warning' as const, message }))]
    return messages.filter(({ message }, index) => messages.findIndex((one) => one.message === message) === index)
  }

  #tell({ current }: WatchedCredentials): void {
    for (const warning of current.warnings) this.#log.warn(warning)
    this.checkDates(new Date())
  }

  dispose(): void {
    for (const timer of this.#timers) clearInterval(timer)
    this.#credentials.clear()
  }
}
