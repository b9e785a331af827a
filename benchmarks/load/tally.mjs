import { round } from './process-usage.mjs'

/** Counts messages, how long each took and what they were answered. */
export class Tally {
  #milliseconds = []
  #statuses = new Map()

  get count() {
    return this.#milliseconds.length
  }

  /** `work` resolves with the status of the response. */
  async time(work) {
    const startedAt = performance.now()
    const status = await work()
    this.#milliseconds.push(performance.now() - startedAt)
    if (status !== 0) this.#statuses.set(status, (this.#statuses.get(status) ?? 0) + 1)
  }

  latencies() {
    const sorted = Float64Array.from(this.#milliseconds).sort()
    const at = (share) => round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0, 3)
    return { p50Ms: at(0.5), p99Ms: at(0.99) }
  }

  /** Statuses other than 0000 with their counts; absent when there was none. */
  failures() {
    if (this.#statuses.size === 0) return {}
    return { failures: Object.fromEntries([...this.#statuses].map(([status, count]) => [nameOf(status), count])) }
  }
}

function nameOf(status) {
  return status === undefined ? 'no status' : status.toString(16).padStart(4, '0').toUpperCase()
}
