import { runLoad } from './run-load.mjs'
import { atRest, freePort, startServer } from './server-process.mjs'
import { SERVERS } from './servers.mjs'

const RUN_LIMIT_SECONDS = 120
/** More than any server here takes to start. */
const PROCESS_BYTES = 2 ** 28

/**
 * Runs a workload on its servers in turns, each time beginning with another one: first cold, on processes that have
 * started and were asked nothing yet, then warm, on the last of these processes after they have run the same load `warmUps` times.
 * @returns the results, `{ workload, server, phase, repetition, ... }`
 */
export async function runInTurns(name, workload, { servers, folder, repetitions, warmUps, progress }) {
  const results = []
  const note = (server, phase, repetition, result) => {
    results.push({ workload: name, server, phase, repetition, ...result })
    progress(`${name} ${phase} ${repetition}/${repetitions} ${server} ${JSON.stringify(result)}`)
  }
  const kept = new Map()
  try {
    for (let repetition = 1; repetition <= repetitions; repetition++) {
      for (const server of inTurn(servers, repetition)) {
        const place = { directory: folder.next(), emptied: new Set() }
        if (workload.isStart === true) {
          note(server, 'cold', repetition, await startOnce(SERVERS[server], place.directory, folder))
          continue
        }
        let running
        try {
          folder.touch(PROCESS_BYTES + (workload.bytes ?? 0))
          running = await startServer(SERVERS[server], place.directory)
          await atRest(running)
          note(server, 'cold', repetition, await loadOnce(workload, running, place, folder))
        } catch (error) {
          note(server, 'cold', repetition, { error: error instanceof Error ? error.message : String(error) })
        } finally {
          if (repetition < repetitions) await running?.stop()
          else if (running !== undefined) kept.set(server, { running, place })
        }
      }
    }
    await runWarm([...kept.keys()], kept, workload, { folder, repetitions, warmUps, note, progress: (text) => progress(`${name} ${text}`) })
  } finally {
    for (const { running } of kept.values()) await running.stop()
  }
  return results
}

async function runWarm(servers, kept, workload, { folder, repetitions, warmUps, note, progress }) {
  for (const server of servers) {
    const { running, place } = kept.get(server)
    for (let count = 0; count < warmUps; count++) await loadOnce(workload, running, place, folder)
    progress(`warm: ${server} has run ${warmUps} times more`)
  }
  for (let repetition = 1; repetition <= repetitions; repetition++) {
    for (const server of inTurn(servers, repetition)) {
      const { running, place } = kept.get(server)
      folder.touch(workload.bytes ?? 0)
      note(server, 'warm', repetition, await loadOnce(workload, running, place, folder))
    }
  }
}

async function loadOnce({ load, bytes = 0 }, running, { directory, emptied }, folder) {
  const result = await runLoad(load, { ...running, timeoutSeconds: RUN_LIMIT_SECONDS })
  if (bytes > 0) {
    folder.empty(directory, emptied)
    // What was written must not be written back during the next run, nor be synced with what that syncs.
    await folder.settle()
  }
  return result
}

async function startOnce(server, directory, folder) {
  folder.touch(PROCESS_BYTES)
  const port = await freePort()
  const { program, args } = server.command(port, directory)
  return runLoad(['start'], { port, timeoutSeconds: 30, command: [program, ...args], environment: server.environment })
}

/** Each time another one begins. */
export function inTurn(names, repetition) {
  return names.map((_, turn) => names[(turn + repetition - 1) % names.length])
}
