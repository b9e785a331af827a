import test from 'ava'
import type { ExecutionContext } from 'ava'
import { execFile, spawn } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { connect, createServer } from 'node:net'
import { delimiter, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

/** DCMTK as shipped waits 40 ms per message for an acknowledgement. */
const ENVIRONMENT = { ...process.env, TCP_NODELAY: '1' }
const TOOLS = [
  'dcmcjpeg', 'dcmcjpls', 'dcmconv', 'dcmcrle', 'dcmqrscp', 'dump2dcm', 'echoscu', 'findscu', 'getscu', 'movescu', 'storescp', 'storescu', 'wlmscpfs',
] as const
export type Tool = (typeof TOOLS)[number]

const missing = TOOLS.filter((tool) => !(process.env['PATH'] ?? '').split(delimiter).some((folder) => isExecutable(join(folder, tool))))
if (missing.length > 0) {
  const message = `${missing.join(', ')} of DCMTK not installed, neither role was tried against it`
  if (process.env['DICOMTAP_REQUIRE_DCMTK'] === '1') throw new Error(message)
  process.stderr.write(`SKIPPED: ${message}\n`)
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** A test that needs DCMTK, and may be silent for half a minute at most: what hangs is a failure. */
export function interop(title: string, implementation: (t: ExecutionContext) => Promise<void>): void {
  if (missing.length > 0) test.skip(title, implementation)
  else {
    test(title, async (t) => {
      t.timeout(30_000)
      await implementation(t)
    })
  }
}

/** What a program of DCMTK printed, and how it ended. */
export interface Outcome {
  /** Null when a signal ended it. */
  readonly code: number | null
  /** What it logged: stdout and stderr. */
  readonly output: string
}

/** Runs a program of DCMTK to its end; a failure is an outcome like any other. */
export function dcmtk(tool: Tool, args: readonly string[], cwd?: string): Promise<Outcome> {
  return new Promise((resolve) => {
    const options = { env: ENVIRONMENT, cwd, maxBuffer: 64 * 1024 * 1024, timeout: 25_000 }
    const child = execFile(tool, args, options, (_, stdout, stderr) => resolve({ code: child.exitCode, output: stdout + stderr }))
  })
}

/** As `dcmtk`, and fails the test when the program does. */
export async function succeeds(t: ExecutionContext, tool: Tool, args: readonly string[], cwd?: string): Promise<string> {
  const { code, output } = await dcmtk(tool, args, cwd)
  if (code !== 0) t.fail(`${tool} ${args.join(' ')}: exit ${code}\n${output}`)
  return output
}

/** A server of DCMTK that runs. */
export interface Scp {
  readonly port: number
  /** All it logged so far. */
  readonly output: string
  /** Resolves when it has logged a match. */
  logged(pattern: RegExp): Promise<RegExpExecArray>
  stop(): Promise<void>
}

/** Starts a server of DCMTK on a free port; it ends with the test. @param args the command line for a port */
export async function startScp(t: ExecutionContext, tool: Tool, args: (port: number) => readonly string[], cwd?: string): Promise<Scp> {
  // A port that was free a moment ago may be taken by now.
  for (let attempt = 1; ; attempt++) {
    const port = await freePort()
    const scp = await startOn(port, tool, args(port), cwd)
    if (scp !== undefined) {
      t.teardown(scp.stop)
      return scp
    }
    if (attempt === 3) throw new Error(`${tool} does not listen: ${args(port).join(' ')}`)
  }
}

async function startOn(port: number, tool: Tool, args: readonly string[], cwd: string | undefined): Promise<Scp | undefined> {
  let output = ''
  let heard = (): void => {}
  let hasExited = false
  const child = spawn(tool, args, { env: ENVIRONMENT, cwd, stdio: ['ignore', 'pipe', 'pipe'] })
  const exited = new Promise<void>((resolve) => {
    child.once('close', () => {
      hasExited = true
      heard()
      resolve()
    })
  })
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text
      heard()
    })
  }
  while (!(await isOpen(port))) {
    if (hasExited) return undefined
    await delay(20)
  }
  if (hasExited) return undefined
  return {
    port,
    get output() {
      return output
    },
    async logged(pattern) {
      for (;;) {
        const match = pattern.exec(output)
        if (match !== null) return match
        if (hasExited) throw new Error(`${tool} ended without logging ${pattern}:\n${output}`)
        await new Promise<void>((resolve) => (heard = resolve))
      }
    },
    async stop() {
      child.kill()
      await exited
    },
  }
}

/** Below the ports that systems give to outgoing connections: one of those may be taken again at any moment. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 10_000)
    const server = createServer()
    const isFree = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false)).listen(port, () => resolve(true))
    })
    if (!isFree) continue
    await new Promise((resolve) => server.close(resolve))
    return port
  }
}

function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}
