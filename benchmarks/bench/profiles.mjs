import { once } from 'node:events'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { flameGraph, selfTimes } from './flame-graph.mjs'
import { runLoad } from './run-load.mjs'
import { startServer } from './server-process.mjs'
import { SERVERS } from './servers.mjs'
import { WORKLOADS } from './workloads.mjs'

const PROFILED = ['a', 'b', 'c', 'd', 'e', 'f', 'fsync-c', 'tls']
const RUNS_IN_PROFILE = { cold: 1, warm: 5 }
const TOP = 12
const PRELOAD = new URL('./profiled.mjs', import.meta.url).href

/** CPU profiles of the first server of some workloads, which is `dicomtap start`, cold and warm, as flame graphs and lists of self times. */
export async function runProfiles({ folder, pictures, warmUps, progress }) {
  mkdirSync(pictures, { recursive: true })
  const results = []
  for (const workload of PROFILED) {
    const { load, bytes = 0, title, servers } = WORKLOADS[workload]
    const directory = folder.next()
    const emptied = new Set()
    const environment = { NODE_OPTIONS: `${process.env.NODE_OPTIONS ?? ''} --import ${PRELOAD}`.trim() }
    // Of the clone: there each module has its own name.
    const clone = { ...SERVERS[servers[0]], command: (port, place) => SERVERS[servers[0]].command(port, place, 'clone') }
    const server = await startServer(clone, directory, { environment, hasChannel: true })
    const run = async () => {
      const { error } = await runLoad(load, { ...server, timeoutSeconds: 60 })
      if (error !== undefined) throw new Error(error)
      if (bytes > 0) folder.empty(directory, emptied)
    }
    try {
      for (const phase of ['cold', 'warm']) {
        if (phase === 'warm') for (let count = 0; count < warmUps; count++) await run()
        const file = `${directory}.${phase}.cpuprofile`
        await tell(server, { profile: 'start' })
        for (let count = 0; count < RUNS_IN_PROFILE[phase]; count++) await run()
        await tell(server, { profile: 'stop', file })
        const profile = JSON.parse(readFileSync(file, 'utf8'))
        const words = `${title}, ${phase}`
        writeFileSync(join(pictures, `flame-${workload}-${phase}.svg`), flameGraph(profile, words))
        results.push({ name: `${workload}-${phase}`, title: words, top: selfTimes(profile).slice(0, TOP) })
        progress(`profile of ${words}`)
      }
    } finally {
      await server.stop()
    }
  }
  return results
}

async function tell({ child }, message) {
  child.send(message)
  await once(child, 'message')
}
