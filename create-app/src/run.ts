import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'

/** How a child process ended, and what it printed. */
export interface Outcome {
  readonly ok: boolean
  readonly output: string
}

/**
 * Runs a command without a terminal; a missing command is an outcome, not an error. While it runs it is
 * one of `children`.
 */
export function run(command: string, args: readonly string[], cwd: string, children?: Set<ChildProcess>): Promise<Outcome> {
  return new Promise((resolve) => {
    // Windows finds npm.cmd only through a shell; the arguments are fixed words.
    const child = spawn(command, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'], shell: process.platform === 'win32' })
    children?.add(child)
    let output = ''
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => (output += text))
    child.on('error', (error) => resolve({ ok: false, output: error.message }))
    child.on('close', (code) => {
      children?.delete(child)
      resolve({ ok: code === 0, output })
    })
  })
}

/** Makes a repository, unless there is no git or the folder already lies in one. */
export async function initGit(target: string): Promise<boolean> {
  const { ok: isInside } = await run('git', ['rev-parse', '--is-inside-work-tree'], target)
  if (isInside) return false
  return (await run('git', ['init', '--quiet'], target)).ok
}
