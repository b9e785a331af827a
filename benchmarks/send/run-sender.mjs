import { spawn } from 'node:child_process'
import { endedChildrenCpuSeconds, peakRssMib, round } from '../load/process-usage.mjs'

const SAMPLE_MS = 10
const LIMIT_MS = 120_000

/**
 * Runs a sender as a process, from its start to its end.
 * @returns its output, and what the whole process took: `{ output, processSeconds, cpuSeconds, peakRssMib }`
 */
export async function runSender({ program, args }, environment) {
  const cpuBefore = endedChildrenCpuSeconds()
  const startedAt = performance.now()
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...environment } })
  const kill = () => child.kill('SIGKILL')
  process.once('exit', kill)
  const timer = setTimeout(kill, LIMIT_MS)
  // Not from the resource usage of the ended process: Linux begins that with what its parent had at the fork.
  let peak = 0
  const sampling = setInterval(() => (peak = Math.max(peak, peakRssMib(child.pid))), SAMPLE_MS)
  let processSeconds
  child.once('exit', () => (processSeconds = (performance.now() - startedAt) / 1000))
  try {
    const [output, complaint, ended] = await Promise.all([textOf(child.stdout), textOf(child.stderr), endOf(child)])
    if (ended !== 0) throw new Error(`${program} ended with ${ended}: ${complaint.trim()}`)
    const cpuSeconds = cpuBefore === undefined ? undefined : round(endedChildrenCpuSeconds() - cpuBefore, 3)
    return { output, processSeconds: round(processSeconds, 4), cpuSeconds, peakRssMib: peak === 0 ? undefined : round(peak, 1) }
  } finally {
    clearInterval(sampling)
    clearTimeout(timer)
    process.off('exit', kill)
  }
}

async function textOf(stream) {
  let text = ''
  for await (const chunk of stream) text += chunk
  return text
}

function endOf(child) {
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => resolve(signal ?? code))
  })
}
