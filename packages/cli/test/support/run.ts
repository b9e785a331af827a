import { spawn } from 'node:child_process'
import type { ChildProcessWithoutNullStreams } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { ExecutionContext } from 'ava'

const BIN = fileURLToPath(new URL('../../bin/dicomtap.js', import.meta.url))

export interface Result {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}
export interface RunOptions {
  readonly cwd: string
  readonly env?: Readonly<Record<string, string>>
}

/** Processes at once: the tests of a file all start together. */
const SLOTS = 3
let running = 0
const waiting: (() => void)[] = []

async function slot(): Promise<() => void> {
  if (running >= SLOTS) await new Promise<void>((resolve) => waiting.push(resolve))
  running += 1
  return () => {
    running -= 1
    waiting.shift()?.()
  }
}

function launch(args: readonly string[], { cwd, env = {} }: RunOptions): ChildProcessWithoutNullStreams {
  const { NODE_OPTIONS: _options, FORCE_COLOR: _color, DEBUG: _debug, ...inherited } = process.env
  return spawn(process.execPath, [BIN, ...args], { cwd, env: { ...inherited, ...env } })
}

/** Runs the command to its end. */
export async function run(args: readonly string[], options: RunOptions): Promise<Result> {
  const free = await slot()
  try {
    const child = launch(args, options)
    let stdout = ''
    let stderr = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
    const [code] = (await once(child, 'close')) as [number | null]
    return { code, stdout, stderr }
  } finally {
    free()
  }
}

/** A `dicomtap start` that runs. */
export interface RunningServer {
  readonly port: number
  readonly readyLine: string
  kill(signal: NodeJS.Signals): void
  /** As when the reader of a pipe goes away. */
  closeStreams(): void
  /** Resolves when something was written to stderr. @throws when the server has ended. */
  loggedMore(): Promise<void>
  /** Resolves when stderr holds the text. */
  logged(text: string): Promise<void>
  readonly log: () => string
  readonly ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>
}

/** Starts a server and waits for its ready line; ends it with the test. */
export async function startServer(t: ExecutionContext, args: readonly string[], options: RunOptions): Promise<RunningServer> {
  const free = await slot()
  const child = launch(['start', ...args], options)
  let log = ''
  let output = ''
  const ended = once(child, 'close').then(([code, signal]) => {
    free()
    return { code: code as number | null, signal: signal as NodeJS.Signals | null }
  })
  t.teardown(async () => {
    child.kill('SIGKILL')
    await ended
  })
  child.stdout.setEncoding('utf8')
  child.stderr.setEncoding('utf8').on('data', (text: string) => (log += text))
  const readyLine = await new Promise<string>((resolve, reject) => {
    child.stdout.on('data', (text: string) => {
      output += text
      if (output.includes('\n')) resolve(output.trimEnd())
    })
    void ended.then(({ code }) => reject(new Error(`ended with ${code} before it was ready: ${log}`)))
  })
  const loggedMore = async (wanted = 'more'): Promise<void> => {
    const gone = ended.then(() => {
      throw new Error(`ended without "${wanted}": ${log}`)
    })
    await Promise.race([once(child.stderr, 'data'), gone])
  }
  return {
    port: Number(/port (\d+)|:(\d+)/u.exec(readyLine)?.slice(1).find(Boolean)),
    readyLine,
    kill: (signal) => void child.kill(signal),
    closeStreams() {
      child.stdout.destroy()
      child.stderr.destroy()
    },
    loggedMore,
    async logged(text) {
      while (!log.includes(text)) await loggedMore(text)
    },
    log: () => log,
    ended,
  }
}
