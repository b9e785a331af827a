// What of the numbers is a failure.

const MIB_OF_NOISE = { heap: 10, rss: 48 }
const GROWTH = 1.25
/** Of the log, the standard input and output, and what node opens when it first needs it. */
const MORE_DESCRIPTORS = 6

/** Least squares, per hour. */
export function slopePerHour(samples, value) {
  const count = samples.length
  if (count < 3) return 0
  const first = samples[0].at
  const points = samples.map((sample) => [(sample.at - first) / 3_600_000, value(sample)])
  const meanX = points.reduce((sum, [x]) => sum + x, 0) / count
  const meanY = points.reduce((sum, [, y]) => sum + y, 0) / count
  const above = points.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0)
  const below = points.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0)
  return below === 0 ? 0 : above / below
}

export function median(values) {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[sorted.length >> 1] ?? 0
}

/** Of the second quarter against the last: before that caches fill and code is compiled. */
export function grew(values, noise) {
  const quarter = values.length >> 2
  if (quarter < 2) return false
  return median(values.slice(-quarter)) > median(values.slice(quarter, quarter * 2)) * GROWTH + noise
}

/** @returns {string[]} what is wrong, in words; empty when nothing is */
export function failuresOf({ server, collected, load, stored, before, after, exitCode, isServerAlive }) {
  const failures = []
  const fail = (isFailure, what) => void (isFailure && failures.push(what))
  fail(!isServerAlive, 'the server did not live to the end')
  fail(isServerAlive && exitCode !== 0, `the server ended with ${exitCode} when it was told to stop`)
  fail(server.complaints.length > 0, `the server wrote to standard error: ${server.complaints.slice(0, 3).join(' | ')}`)
  fail(stored.lost.length > 0, `${stored.lost.length} instances were acknowledged and are not there: ${stored.lost.slice(0, 3).join(', ')}`)
  fail(stored.damaged.length > 0, `${stored.damaged.length} files are not what was sent: ${stored.damaged.slice(0, 3).join(', ')}`)
  fail(stored.unfinished.length > 0, `${stored.unfinished.length} unfinished files are left: ${stored.unfinished.slice(0, 3).join(', ')}`)
  for (const { what, times } of [...load.health.problems, ...load.good.problems]) failures.push(`${what} (${times} times)`)
  fail(load.latencies.count === 0, 'no healthy peer was served')
  fail(grew(collected.map(({ heapMib, externalMib }) => heapMib + externalMib), MIB_OF_NOISE.heap), 'the heap grew')
  fail(grew(server.samples.map(({ rssMib }) => rssMib), MIB_OF_NOISE.rss), 'RSS grew')
  fail(after !== undefined && after.sockets > 0, `${after?.sockets} connections are open after all peers have gone`)
  const isLeaking = before !== undefined && after !== undefined && after.descriptors > before.descriptors + MORE_DESCRIPTORS
  fail(isLeaking, `descriptors: ${before?.descriptors} before, ${after?.descriptors} after all connections were closed`)
  return failures
}
