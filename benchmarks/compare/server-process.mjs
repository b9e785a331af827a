import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { waitForEcho } from '../load/modes.mjs'
import { processUsage } from '../load/process-usage.mjs'

const START_LIMIT_MS = 20_000
const STOP_LIMIT_MS = 5_000
const TARGET = { host: '127.0.0.1', calledAeTitle: 'ANY-SCP', callingAeTitle: 'DICOMTAP-LOAD' }

const running = new Set()

// Whatever ends this process takes with it what it started, forked children included, and nothing else.
process.on('exit', () => {
  for (const child of running) killGroup(child, 'SIGKILL')
})

/**
 * Starts a server in a process group of its own and waits until it answers a C-ECHO.
 * @returns `{ pid, port, startMs, cpuSeconds, peakRssMib, stop }`
 */
export async function startServer(server, directory) {
  const port = await freePort()
  const { program, args } = server.command(port, directory)
  const startedAt = performance.now()
  const child = spawn(program, args, {
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, ...server.environment },
  })
  running.add(child)
  const stderr = []
  child.stderr.on('data', (chunk) => stderr.push(chunk))
  const ended = new Promise((resolve) => {
    child.once('error', (error) => resolve(error.message))
    child.once('exit', (code, signal) => resolve(`it ended with ${signal ?? code}`))
  })
  void ended.then(() => running.delete(child))
  const controller = new AbortController()
  const stop = () => stopServer(child, ended)
  try {
    const failure = await Promise.race([
      waitForEcho({ ...TARGET, ...(server.calledAeTitle === undefined ? {} : { calledAeTitle: server.calledAeTitle }), port, signal: controller.signal }),
      ended,
      delay(START_LIMIT_MS, `no answer within ${START_LIMIT_MS} ms`, { signal: controller.signal }),
    ])
    const startMs = performance.now() - startedAt
    if (failure !== undefined) throw new Error(`${program} did not start: ${failure}\n${Buffer.concat(stderr).toString().trim()}`)
    const { cpuSeconds, peakRssMib } = processUsage(child.pid) ?? {}
    return { pid: child.pid, port, startMs, cpuSeconds, peakRssMib, stop }
  } catch (error) {
    await stop()
    throw error
  } finally {
    controller.abort()
  }
}

async function stopServer(child, ended) {
  killGroup(child, 'SIGTERM')
  const controller = new AbortController()
  await Promise.race([ended, delay(STOP_LIMIT_MS, undefined, { signal: controller.signal })])
  controller.abort()
  // Also what a forking server left behind.
  killGroup(child, 'SIGKILL')
  await ended
}

function killGroup(child, signal) {
  // It never ran.
  if (child.pid === undefined) return
  try {
    process.kill(-child.pid, signal)
  } catch (error) {
    if (error.code !== 'ESRCH') throw error
  }
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  await new Promise((resolve) => server.close(resolve))
  return port
}
