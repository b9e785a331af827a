import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const GENERATOR = fileURLToPath(new URL('../load.mjs', import.meta.url))

/** Runs the generator in a process of its own; its result, or `{ error }`. */
export async function runLoad(load, { port, pid, timeoutSeconds }) {
  const [mode, ...options] = load
  const args = [GENERATOR, mode, ...options, '--port', String(port), '--pid', String(pid), '--timeout', String(timeoutSeconds)]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const kill = () => child.kill('SIGKILL')
  process.once('exit', kill)
  const timer = setTimeout(kill, (timeoutSeconds + 10) * 1000)
  try {
    let output = ''
    for await (const chunk of child.stdout) output += chunk
    return output === '' ? { error: 'the generator was killed' } : JSON.parse(output)
  } finally {
    clearTimeout(timer)
    process.off('exit', kill)
  }
}
