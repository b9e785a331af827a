// `dicomtap start` in a process of its own, with what it tells of itself.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { ROOT } from '../workspaces.mjs'

const BIN = join(ROOT, 'packages/cli/bin/dicomtap.js')
const CONFIG = join(ROOT, 'scripts/soak/dicomtap.config.mjs')
const START_MS = 30_000
const STOP_MS = 30_000

/**
 * @param {{ folder: string, durability?: string, certificates?: object }} options `folder` takes data and log; with
 * `certificates` a second listener has TLS
 */
export async function startServer({ folder, durability = 'fsync', certificates }) {
  mkdirSync(folder, { recursive: true })
  const child = fork(BIN, ['start', '--config', CONFIG], {
    cwd: folder,
    env: {
      ...process.env,
      DICOMTAP_SOAK_FOLDER: folder,
      DICOMTAP_SOAK_DURABILITY: durability,
      ...(certificates === undefined ? {} : { DICOMTAP_SOAK_TLS: JSON.stringify(certificates) }),
    },
    execArgv: ['--expose-gc'],
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  })
  const server = new Server(child, folder)
  await server.ready()
  return server
}

class Server {
  folder
  port = 0
  /** Of the listener with TLS; undefined without one. */
  securePort
  /** What it told each second: see probe-plugin.mjs. */
  samples = []
  /** Lines that it wrote to standard error: nothing should be there. */
  complaints = []
  #child
  #exit

  constructor(child, folder) {
    this.#child = child
    this.folder = folder
    this.#exit = once(child, 'exit')
    child.on('message', (message) => {
      if (message?.kind === 'sample') this.samples.push({ at: Date.now(), ...message })
    })
    child.stderr.setEncoding('utf8').on('data', (text) => this.complaints.push(...text.split('\n').filter(Boolean)))
  }

  get pid() {
    return this.#child.pid
  }

  get isRunning() {
    return this.#child.exitCode === null && this.#child.signalCode === null
  }

  async ready() {
    let output = ''
    this.#child.stdout.setEncoding('utf8').on('data', (text) => (output += text))
    const deadline = Date.now() + START_MS
    while (this.isRunning && Date.now() < deadline) {
      const line = /ready.*\n/.exec(output)?.[0]
      const ports = [...(line ?? '').matchAll(/127\.0\.0\.1:(\d+)/g)].map(([, port]) => Number(port))
      if (ports.length > 0) {
        ;[this.port, this.securePort] = ports
        return
      }
      await pause(20)
    }
    this.#child.kill('SIGKILL')
    throw new Error(`the server did not start: ${output} ${this.complaints.join('\n')}`)
  }

  /** How it is after a garbage collection; undefined when it does not tell in time. */
  async collect(timeoutMs = 10_000) {
    if (!this.isRunning) return undefined
    return new Promise((resolve) => {
      const timer = setTimeout(done, timeoutMs, undefined)
      const child = this.#child
      function done(sample) {
        clearTimeout(timer)
        child.off('message', listen)
        resolve(sample)
      }
      function listen(message) {
        if (message?.kind === 'collected') done({ at: Date.now(), ...message })
      }
      child.on('message', listen)
      child.send({ kind: 'collect' })
    })
  }

  /** Waits until no connection is left, and tells how it is then. */
  async settled(withinMs = 60_000) {
    const deadline = Date.now() + withinMs
    let sample = await this.collect()
    while (sample !== undefined && sample.sockets > 0 && Date.now() < deadline) {
      await pause(500)
      sample = await this.collect()
    }
    return sample
  }

  /** Ends it as an operator would. @returns what it exited with: 0 when it closed in order */
  async stop() {
    if (this.isRunning) this.#child.kill('SIGTERM')
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), STOP_MS)
    const [code, signal] = await this.#exit
    clearTimeout(timer)
    return code ?? signal
  }
}
