#!/usr/bin/env node
// Benchmarks of the inner loops: node micro/run.mjs [part of a name] [--json]
import { Bench } from 'tinybench'
import { addCodecs } from './codecs.mjs'
import { addDataSets } from './data-sets.mjs'
import { addFramer } from './framer.mjs'
import { addHooks } from './hooks.mjs'

const TIME_MS = 300
const WARM_UP_MS = 150
const MIB = 1_048_576

const isJson = process.argv.includes('--json')
const [wanted = ''] = process.argv.slice(2).filter((argument) => !argument.startsWith('--'))
const sizes = new Map()
const bench = new Bench({ time: TIME_MS, warmupTime: WARM_UP_MS })

/** A call takes less than a clock's tick: `batch` of them are timed at once. */
function add(name, work, { batch, bytes = 0, isAsync = false }) {
  if (!name.includes(wanted)) return
  sizes.set(name, { batch, bytes })
  bench.add(name, isAsync
    ? async () => {
        for (let count = 0; count < batch; count++) await work()
      }
    : () => {
        for (let count = 0; count < batch; count++) work()
      })
}

addFramer(add)
addCodecs(add)
await addHooks(add)
await addDataSets(add)
if (sizes.size === 0) throw new Error(`no benchmark has '${wanted}' in its name`)
await bench.run()

const results = bench.tasks.map(({ name, result }) => {
  if (result.state !== 'completed') throw new Error(`${name}: ${result.state}`, { cause: result.error })
  const { batch, bytes } = sizes.get(name)
  const nanoseconds = (result.latency.p50 * 1e6) / batch
  return {
    name,
    nanosecondsPerOperation: nanoseconds,
    operationsPerSecond: 1e9 / nanoseconds,
    spread: result.latency.mad / result.latency.p50,
    ...(bytes > 0 ? { mibPerSecond: (bytes / MIB) * (1e9 / nanoseconds) } : {}),
  }
})

if (isJson) {
  console.log(JSON.stringify(results, undefined, 1))
} else {
  console.log(`Node ${process.version}; medians, spread is the median deviation from them\n`)
  console.log(`${'ns/op'.padStart(10)} ${'ops/s'.padStart(13)} ${'MiB/s'.padStart(9)} ${'spread'.padStart(7)}`)
  for (const { name, nanosecondsPerOperation, operationsPerSecond, mibPerSecond, spread } of results) {
    const rate = mibPerSecond === undefined ? '' : whole(mibPerSecond)
    const cells = [whole(nanosecondsPerOperation).padStart(10), whole(operationsPerSecond).padStart(13), rate.padStart(9)]
    console.log(`${cells.join(' ')} ${`${whole(spread * 100)} %`.padStart(7)}  ${name}`)
  }
}

function whole(value) {
  return Math.round(value).toLocaleString('en')
}
