/** Counts what happened, by name. */
export class Tally {
  counts = {}
  /** What must not happen: a few of each in words. */
  problems = new Map()

  add(name, by = 1) {
    this.counts[name] = (this.counts[name] ?? 0) + by
  }

  problem(name, error) {
    const what = `${name}: ${error?.code ?? ''} ${error?.message ?? error}`.trim()
    const key = what.replaceAll(/\d+/g, '#')
    const known = this.problems.get(key)
    if (known === undefined) this.problems.set(key, { what, times: 1, at: new Date().toISOString() })
    else known.times++
  }

  toJSON() {
    return { counts: this.counts, problems: [...this.problems.values()] }
  }
}

/** Numbers, of which percentiles are asked. */
export class Latencies {
  #values = []

  add(value) {
    this.#values.push(value)
  }

  toJSON() {
    const sorted = this.#values.toSorted((a, b) => a - b)
    const at = (share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
    return { count: sorted.length, p50: at(0.5), p95: at(0.95), p99: at(0.99), maximum: sorted.at(-1) ?? 0 }
  }
}
