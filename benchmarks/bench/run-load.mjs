import { spawn } from 'node:child_process'
import { generator } from './generator.mjs'

/**
 * Runs the generator in a process of its own; its result, or `{ error }`.
 * @param load mode and options
 * @param command for the mode `start`: what to start
 */
export async function runLoad(load, { port, pid, timeoutSeconds, isTls = false, command = [], environment = {} }) {
  const [mode, ...options] = load
  const { program, load: first } = generator()
  const args = [...first, mode, ...options, '--port', String(port), '--timeout', String(timeoutSeconds)]
  if (pid !== undefined) args.push('--pid', String(pid))
  if (isTls) args.push('--tls')
  if (command.length > 0) args.push('--', ...command)
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, ...environment } })
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
