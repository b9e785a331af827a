import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import { isRunning } from '../is-running.ts'
import type { IndexSettings, Scanner } from '../maintenance/settings.ts'

/** A scanner that has said nothing for so long is gone. */
const SILENT_MS = 60_000
const RENEW_MS = 10_000
const LOOK_AGAIN_MS = 2_000

/** Leases of this process, which its number cannot tell apart. */
const held = new Set<string>()

/**
 * Of several processes with one index, one scans at a time; the others wait. It is a courtesy and no lock: two that
 * scan at once do the work twice, and no harm.
 */
export class ScanLease {
  readonly #settings: IndexSettings
  readonly #token = randomUUID()
  readonly #lookAgainMs: number
  #timer: NodeJS.Timeout | undefined

  constructor(settings: IndexSettings, lookAgainMs: number = LOOK_AGAIN_MS) {
    this.#settings = settings
    this.#lookAgainMs = lookAgainMs
  }

  /**
   * Waits for its turn.
   * @returns false when another one has scanned since `sinceMs`, so that there is nothing left to do
   */
  async acquire(sinceMs: number, signal: AbortSignal): Promise<boolean> {
    for (;;) {
      const last = await this.#settings.lastScan()
      if (last !== undefined && last.startedAtMs >= sinceMs) return false
      if (!(await isScanUnderWay(this.#settings))) break
      await delay(this.#lookAgainMs, undefined, { signal, ref: false })
    }
    held.add(this.#token)
    await this.#renew()
    this.#timer = setInterval(() => void this.#renew().catch(() => undefined), RENEW_MS).unref()
    return true
  }

  async release(): Promise<void> {
    clearInterval(this.#timer)
    held.delete(this.#token)
    if ((await this.#settings.scanner())?.token === this.#token) await this.#settings.setScanner(undefined)
  }

  #renew(): Promise<void> {
    return this.#settings.setScanner({ host: hostname(), pid: process.pid, token: this.#token, atMs: Date.now() })
  }
}

/** Does one of the processes with this index scan now? */
export async function isScanUnderWay(settings: IndexSettings): Promise<boolean> {
  const scanner = await settings.scanner()
  return scanner !== undefined && isAlive(scanner)
}

function isAlive({ host, pid, token, atMs }: Scanner): boolean {
  if (Math.abs(Date.now() - atMs) > SILENT_MS) return false
  if (host !== hostname()) return true
  if (pid === process.pid) return held.has(token)
  return isRunning(pid)
}
