import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const SINK = fileURLToPath(new URL('../sink.mjs', import.meta.url))

/**
 * Starts a sink as a process of its own.
 * @param command program and first arguments; default the sink in JavaScript
 * @returns `{ pid, port, next, stop }`; `next` resolves with the figures of the next association
 */
export async function startSinkProcess(options, [program, ...first] = [process.execPath, SINK]) {
  const child = spawn(program, [...first, ...options], { stdio: ['ignore', 'pipe', 'inherit'] })
  const kill = () => child.kill('SIGKILL')
  process.once('exit', kill)
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const next = async () => {
    const { done, value } = await lines.next()
    if (done) throw new Error('the sink has ended')
    return JSON.parse(value)
  }
  const { port } = await next()
  return {
    pid: child.pid,
    port,
    next,
    async stop() {
      process.off('exit', kill)
      child.kill('SIGTERM')
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    },
  }
}
