import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { waitForEcho } from '../load/modes.mjs'
import { processUsage } from '../load/process-usage.mjs'
import { runLoad } from './run-load.mjs'

const START_LIMIT_MS = 20_000
const STOP_LIMIT_MS = 5_000
/** A server is at rest that used so little in so long; dicomtap begins its rehearsal a quarter of a second after it listens. */
const REST_MS = 600
const REST_CPU_SECONDS = 0.03
const REST_LIMIT_MS = 10_000
const TARGET = { host: '127.0.0.1', calledAeTitle: 'ANY-SCP', callingAeTitle: 'DICOMTAP-LOAD' }

const running = new Set()

// Whatever ends this process takes with it what it started, forked children included, and nothing else.
process.on('exit', () => {
  for (const child of running) killGroup(child, 'SIGKILL')
})

/**
 * Starts a server in a process group of its own and waits until it answers a C-ECHO. What it writes to stderr, its log
 * among it, goes to a file beside its folder; without a folder it is kept to be shown when the server does not start.
 * @param extra `{ environment, hasChannel }`: what is added for this run; a channel to send messages through
 * @returns `{ pid, port, isTls, startMs, cpuSeconds, peakRssMib, child, stop }`
 */
export async function startServer(server, directory, { environment = {}, hasChannel = false } = {}) {
  const port = await freePort()
  const { program, args } = server.command(port, directory)
  const log = directory === undefined ? undefined : `${directory}.log`
  const file = log === undefined ? 'pipe' : openSync(log, 'a')
  const startedAt = performance.now()
  const child = spawn(program, args, {
    detached: true,
    stdio: ['ignore', 'ignore', file, ...(hasChannel ? ['ipc'] : [])],
    env: { ...process.env, ...server.environment, ...environment },
  })
  if (log !== undefined) closeSync(file)
  running.add(child)
  const stderr = []
  child.stderr?.on('data', (chunk) => stderr.push(chunk))
  const complaints = () => (log === undefined ? Buffer.concat(stderr).toString() : readFileSync(log, 'utf8')).trim().split('\n').slice(-8).join('\n')
  const ended = new Promise((resolve) => {
    child.once('error', (error) => resolve(error.message))
    child.once('exit', (code, signal) => resolve(`it ended with ${signal ?? code}`))
  })
  void ended.then(() => running.delete(child))
  const controller = new AbortController()
  const stop = () => stopServer(child, ended)
  try {
    const failure = await Promise.race([
      server.isTls === true
        ? waitForTlsEcho(port, controller.signal)
        : waitForEcho({ ...TARGET, ...(server.calledAeTitle === undefined ? {} : { calledAeTitle: server.calledAeTitle }), port, signal: controller.signal }),
      ended,
      delay(START_LIMIT_MS, `no answer within ${START_LIMIT_MS} ms`, { signal: controller.signal }),
    ])
    const startMs = performance.now() - startedAt
    if (failure !== undefined) throw new Error(`${program} did not start: ${failure}\n${complaints()}`)
    const { cpuSeconds, peakRssMib } = processUsage(child.pid) ?? {}
    return { pid: child.pid, port, isTls: server.isTls === true, startMs, cpuSeconds, peakRssMib, child, stop }
  } catch (error) {
    await stop()
    throw error
  } finally {
    controller.abort()
  }
}

/** Resolves when a server that has started does nothing more on its own account. */
export async function atRest({ pid }) {
  const givesUpAt = performance.now() + REST_LIMIT_MS
  for (let before = processUsage(pid); before !== undefined && performance.now() < givesUpAt; ) {
    await delay(REST_MS)
    const after = processUsage(pid)
    if (after === undefined || after.cpuSeconds - before.cpuSeconds < REST_CPU_SECONDS) return
    before = after
  }
}

async function waitForTlsEcho(port, signal) {
  while (!signal.aborted) {
    const { error } = await runLoad(['echo', '--n', '1'], { port, timeoutSeconds: 5, isTls: true })
    if (error === undefined) return
    await delay(20)
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

/** A port that nobody listens on. */
export async function freePort() {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  await new Promise((resolve) => server.close(resolve))
  return port
}
