import { once } from 'node:events'
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { runSender } from '../send/run-sender.mjs'
import { SENDERS } from '../send/senders.mjs'
import { flameGraph, selfTimes } from './flame-graph.mjs'
import { runLoad } from './run-load.mjs'
import { makeReceiver, SENDING } from './sending.mjs'
import { atRest, startServer } from './server-process.mjs'
import { SERVERS } from './servers.mjs'
import { WORKLOADS } from './workloads.mjs'

const PROFILED = ['a', 'b', 'c', 'd', 'e', 'f', 'fsync-c', 'fsync-d', 'tls', 'hooks-a']
const RUNS_IN_PROFILE = { cold: 1, warm: 5 }
const TOP = 12
const SAMPLE_US = 250
const PRELOAD = new URL('./profiled.mjs', import.meta.url).href

/**
 * CPU profiles of the first server of some workloads, which is `dicomtap start` for nearly all, cold and warm, and of
 * `dicomtap store`: as flame graphs and lists of self times.
 */
export async function runProfiles({ folder, pictures, warmUps, hasSink, progress }) {
  mkdirSync(pictures, { recursive: true })
  const results = []
  const keep = (name, words, file) => {
    const profile = JSON.parse(readFileSync(file, 'utf8'))
    writeFileSync(join(pictures, `flame-${name}.svg`), flameGraph(profile, words))
    results.push({ name, title: words, top: selfTimes(profile).slice(0, TOP) })
    progress(`profile of ${words}`)
  }
  for (const workload of PROFILED) {
    const { load, bytes = 0, title, servers } = WORKLOADS[workload]
    const directory = folder.next()
    const emptied = new Set()
    const environment = { NODE_OPTIONS: `${process.env.NODE_OPTIONS ?? ''} --import ${PRELOAD}`.trim() }
    // Of the clone: there each module has its own name.
    const clone = { ...SERVERS[servers[0]], command: (port, place) => SERVERS[servers[0]].command(port, place, 'clone') }
    const server = await startServer(clone, directory, { environment, hasChannel: true })
    await atRest(server)
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
        keep(`${workload}-${phase}`, `${title}, ${phase}`, file)
      }
    } finally {
      await server.stop()
    }
  }
  if (hasSink) keep('sending-cold', `${SENDING.sending.title}, cold`, await profileOfSending(folder))
  return results
}

/** Of the whole process, its start among it. */
async function profileOfSending(folder) {
  const { directory, sink } = await makeReceiver(folder)
  try {
    const { program, args } = SENDERS['dicomtap-store'].command(sink.port, directory, 'clone')
    const profiles = folder.next()
    await runSender({ program, args: ['--cpu-prof', '--cpu-prof-interval', String(SAMPLE_US), '--cpu-prof-dir', profiles, ...args] })
    return join(profiles, readdirSync(profiles)[0])
  } finally {
    await sink.stop()
  }
}

async function tell({ child }, message) {
  child.send(message)
  await once(child, 'message')
}
