import { median, slopePerHour } from './verdict.mjs'

const ms = (value) => `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`
const mib = (value) => `${value.toFixed(1)} MiB`
const sum = (counts) => Object.values(counts).reduce((total, count) => total + count, 0)
const longest = (samples) => Math.max(0, ...samples.map(({ loopMaximumMs }) => loopMaximumMs))
/** What of it cannot have been a wait for a CPU. */
const ownDelay = (samples) => Math.max(0, ...samples.map(({ loopMaximumMs, cpuWaitMs }) => loopMaximumMs - cpuWaitMs))
const inWords = (counts) => Object.entries(counts).map(([name, count]) => `${name} ${count}`).join(', ')

export function printProgress({ started, server, load }) {
  const recent = server.samples.slice(-60)
  const last = recent.at(-1)
  if (last === undefined) return
  const loop = longest(recent)
  const { p50, p99 } = load.latencies
  console.log(
    [
      `${String(Math.round((Date.now() - started) / 60_000)).padStart(3)} min`,
      `RSS ${mib(last.rssMib)}, heap ${mib(last.heapMib)}, ${last.descriptors} descriptors`,
      `event loop at most ${ms(loop)}`,
      `healthy ${load.health.counts.probes ?? 0}, p50 ${ms(p50)}, p99 ${ms(p99)}`,
      `${sum(load.good.counts)} good, ${sum(load.bad.counts)} bad`,
      `${load.acknowledged} stored (${mib(load.storedMib)})`,
      `${load.health.problems.length + load.good.problems.length} problems`,
    ].join(' | '),
  )
}

export function printSummary({ server, before, after, collected, load, stored, exitCode }, failures) {
  const { samples } = server
  const rss = samples.map(({ rssMib }) => rssMib)
  const heap = collected.map(({ heapMib, externalMib }) => heapMib + externalMib)
  const { latencies } = load
  const row = (name, text) => console.log(`  ${name.padEnd(34)}${text}`)
  const course = (values, all, value) =>
    values.length === 0
      ? 'no samples'
      : `first ${mib(values[0])}, median ${mib(median(values))}, maximum ${mib(Math.max(...values))}, last ${mib(values.at(-1))}, ` +
        `slope of the second half ${slopePerHour(all.slice(all.length >> 1), value).toFixed(1)} MiB/h`
  console.log('\nsoak: summary')
  row('RSS', course(rss, samples, ({ rssMib }) => rssMib))
  row('heap and buffers after collection', course(heap, collected, ({ heapMib, externalMib }) => heapMib + externalMib))
  row('at rest, before and after', `RSS ${mib(before?.rssMib ?? 0)} and ${mib(after?.rssMib ?? 0)}, heap ${mib(before?.heapMib ?? 0)} and ${mib(after?.heapMib ?? 0)}`)
  row('descriptors', `before ${before?.descriptors}, maximum ${Math.max(0, ...samples.map(({ descriptors }) => descriptors))}, after ${after?.descriptors}`)
  row('event loop delay', `median of p99 ${ms(median(samples.map(({ loopP99Ms }) => loopP99Ms)))}, maximum ${ms(longest(samples))}, after the first minute ${ms(longest(samples.slice(60)))}; less the wait for a CPU at most ${ms(ownDelay(samples.slice(60)))}`)
  row('healthy peer, connect to C-ECHO', `${latencies.count} times, p50 ${ms(latencies.p50)}, p95 ${ms(latencies.p95)}, p99 ${ms(latencies.p99)}, maximum ${ms(latencies.maximum)}`)
  row('healthy peer', inWords(load.health.counts))
  row('good peers', inWords(load.good.counts))
  row('bad peers', inWords(load.bad.counts))
  row('instances', `${stored.acknowledged} acknowledged (${mib(load.storedMib)}), ${stored.lost.length} lost, ${stored.damaged.length} damaged, ${stored.unfinished.length} unfinished files, ${stored.files} files`)
  row('exit code of the server', String(exitCode))
  for (const failure of failures) console.log(`  FAILED: ${failure}`)
  console.log(failures.length === 0 ? 'soak: nothing lost, nothing grew' : `soak: ${failures.length} failures`)
}
