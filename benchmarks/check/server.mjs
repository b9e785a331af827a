// The process whose figures are checked: dicomtap on one port, the bare receiver on another. Told `usage` it says what it
// used so far; told `collect` it collects garbage first, if it can. With --handicap each PDU allocates more than it needs to.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { PerformanceObserver } from 'node:perf_hooks'
import { parseArgs } from 'node:util'
import { ApplicationEntity, definePlugin } from '@dicomtap/framework'
import { logging } from '@dicomtap/plugin-logging'
import { storage } from '@dicomtap/plugin-storage'
import { verification } from '@dicomtap/plugin-verification'
import { startReference } from './reference.mjs'

const HANDICAP_FIELDS = 1024
const OBSERVED_AFTER_MS = 20

const { values } = parseArgs({
  options: { port: { type: 'string' }, 'reference-port': { type: 'string' }, directory: { type: 'string' }, handicap: { type: 'boolean', default: false } },
})

const wasteful = definePlugin({
  name: 'wasteful',
  apply(api) {
    let waste
    api.hooks.pduReceived.tap(() => (waste = Array.from({ length: HANDICAP_FIELDS }, (_, index) => index)))
    process.on('exit', () => waste)
  },
})

let collections = 0
new PerformanceObserver((list) => (collections += list.getEntries().length)).observe({ entryTypes: ['gc'] })

const ae = new ApplicationEntity({ aeTitle: 'CHECK' })
await ae.use(
  logging({ stderr: false, file: { path: join(values.directory, 'log', 'dicom.log') } }),
  verification(),
  values.handicap && wasteful(),
  storage({ directory: join(values.directory, 'stored'), durability: 'close' }),
)
await ae.listen({ port: Number(values.port), host: '127.0.0.1' })
startReference(values.directory, Number(values['reference-port']))

process.on('message', (question) => {
  if (question === 'collect') globalThis.gc?.()
  // Entries of the observer come a turn later.
  setTimeout(answer, OBSERVED_AFTER_MS)
})
process.on('disconnect', () => process.exit(0))
process.send('ready')

function answer() {
  const { heapUsed, external } = process.memoryUsage()
  const { user, system } = process.cpuUsage()
  process.send({ allocatedBytes: heapUsed + external, cpuSeconds: (user + system) / 1e6, collections, writes: writeCalls() })
}

/** System calls that wrote, of this process: to sockets and files. */
function writeCalls() {
  try {
    return Number(/^syscw: (\d+)/m.exec(readFileSync('/proc/self/io', 'utf8'))[1])
  } catch {
    return undefined
  }
}
