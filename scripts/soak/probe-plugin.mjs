import { readFileSync, readdirSync } from 'node:fs'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { definePlugin } from '@dicomtap/framework'

const SAMPLE_MS = 1_000
const MIB = 1024 * 1024

/**
 * Tells the parent process each second how the server is; memory after a garbage collection when the parent
 * asks for it with `{ kind: 'collect' }` (needs --expose-gc).
 */
export const probe = definePlugin({
  name: 'soak-probe',
  apply(api) {
    if (process.send === undefined) return
    const delay = monitorEventLoopDelay({ resolution: 10 })
    delay.enable()
    let waitedMs = waitedForCpuMs()
    const tell = (kind) => {
      const cpuWaitMs = waitedForCpuMs() - waitedMs
      waitedMs += cpuWaitMs
      const { rss, heapUsed, external, arrayBuffers } = process.memoryUsage()
      const loop = { loopMaximumMs: delay.max / 1e6 - 10, loopP99Ms: delay.percentile(99) / 1e6 - 10 }
      delay.reset()
      const memory = { rssMib: rss / MIB, heapMib: heapUsed / MIB, externalMib: (external + arrayBuffers) / MIB }
      process.send({ kind, ...memory, descriptors: descriptors(), sockets: sockets(), cpuWaitMs, ...loop })
    }
    const timer = setInterval(tell, SAMPLE_MS, 'sample')
    timer.unref()
    const listen = (message) => {
      if (message?.kind !== 'collect') return
      globalThis.gc?.()
      globalThis.gc?.()
      tell('collected')
      // The collection is ours, not the server's.
      setImmediate(() => delay.reset())
    }
    process.on('message', listen)
    process.channel?.unref()
    api.onDispose(() => {
      clearInterval(timer)
      process.off('message', listen)
    })
  },
})

/**
 * How long this thread was ready and had no CPU, where the system tells: on a machine that is busy with other
 * things most of the delay of an event loop is this.
 */
function waitedForCpuMs() {
  try {
    return Number(readFileSync('/proc/self/schedstat', 'utf8').split(' ')[1]) / 1e6
  } catch {
    return 0
  }
}

/** Connections, accepted and our own. */
function sockets() {
  return process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length
}

/** Open files and sockets, where the system tells. */
function descriptors() {
  try {
    return readdirSync('/proc/self/fd').length
  } catch {
    return 0
  }
}
