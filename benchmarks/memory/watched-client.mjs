import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { rssMib } from '../load/process-usage.mjs'

const CLIENT = fileURLToPath(new URL('./client.mjs', import.meta.url))
const SAMPLE_MS = 50

/**
 * Runs a client, and looks at the memory of processes while the transfer lasts.
 * @param servers `{ name: pid }`
 * @returns the client's figures, and `rss`: the samples by name, those of the client as `client`
 */
export async function runClient(args, servers) {
  const child = spawn(process.execPath, [CLIENT, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  const kill = () => child.kill('SIGKILL')
  process.once('exit', kill)
  const pids = { ...servers, client: child.pid }
  const rss = Object.fromEntries(Object.keys(pids).map((name) => [name, []]))
  const sample = () => {
    const now = Object.entries(pids).map(([name, pid]) => [name, rssMib(pid)])
    // One that has ended has none.
    if (now.every(([, mib]) => mib > 0)) for (const [name, mib] of now) rss[name].push(mib)
  }
  let sampling
  try {
    let figures
    for await (const line of createInterface({ input: child.stdout })) {
      const { isEstablished, ...rest } = JSON.parse(line)
      if (isEstablished) {
        sample()
        sampling = setInterval(sample, SAMPLE_MS)
      } else {
        figures = rest
      }
    }
    if (figures === undefined) throw new Error('the client ended without a result')
    if (figures.status !== 0) throw new Error(`answered ${figures.status?.toString(16)}`)
    return { ...figures, rss }
  } finally {
    clearInterval(sampling)
    process.off('exit', kill)
  }
}

/** The highest of each quarter: memory that grows with what was sent shows as a staircase. */
export function byQuarter(samples) {
  return [0, 1, 2, 3].map((quarter) => {
    const own = samples.slice(Math.floor((samples.length * quarter) / 4), Math.ceil((samples.length * (quarter + 1)) / 4))
    return own.length === 0 ? undefined : Math.round(Math.max(...own))
  })
}
