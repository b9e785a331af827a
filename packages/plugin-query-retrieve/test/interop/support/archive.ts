import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { CorpusFile } from '../../corpus/write-corpus.js'
import { run } from './programs.js'

export const ROOT: string = fileURLToPath(new URL('../../../../../', import.meta.url))
export const BIN = join(ROOT, 'packages/cli/bin/dicomtap.js')

/** `database:` of the plugin's options. */
export type DatabaseConfig = { readonly sqlite: string } | { readonly postgres: { readonly url: string } }

export interface ArchiveOptions {
  readonly database: DatabaseConfig
  /** Where C-MOVE may send to: the port of each AE title. */
  readonly destinations: Readonly<Record<string, number>>
}

/** A folder as a site has it, with the configuration of a small archive. */
export async function makeSite(folder: string, { database, destinations }: ArchiveOptions): Promise<void> {
  await mkdir(folder, { recursive: true })
  await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'), 'dir')
  await writeFile(
    join(folder, 'dicomtap.config.yaml'),
    `aeTitle: ARCHIVE
listen:
  - { port: 0, host: 127.0.0.1 }
plugins:
  - use: "@dicomtap/plugin-access"
    options: { peers: ./peers.yaml, default: allow }
  - use: "@dicomtap/plugin-storage"
    options: { directory: ./data, minimumFreeSpace: null }
  - use: "@dicomtap/plugin-query-retrieve"
    options: { database: ${JSON.stringify(database)}, timezone: "+0000" }
`,
  )
  const peers = Object.entries(destinations).map(([title, port]) => `  - { aeTitle: ${title}, host: 127.0.0.1, port: ${port}, allow: [all] }`)
  await writeFile(join(folder, 'peers.yaml'), `peers:\n${peers.join('\n')}\nunknown:\n  allow: [all]\n`)
}

/** A `dicomtap start` that runs. */
export interface RunningArchive {
  readonly port: number
  /** What it logged so far. */
  log(): string
  /** Ends it as an operator does, or as a power failure does; resolves with its exit code. */
  stop(signal?: 'SIGTERM' | 'SIGKILL'): Promise<number | null>
}

export async function startArchive(folder: string): Promise<RunningArchive> {
  const { NODE_OPTIONS: _options, FORCE_COLOR: _color, ...environment } = process.env
  const child = spawn(process.execPath, [BIN, 'start'], { cwd: folder, env: environment, stdio: ['ignore', 'pipe', 'pipe'] })
  const output = listenTo(child)
  const ended = once(child, 'close').then(([code]) => code as number | null)
  await Promise.race([
    output.says(/\n/, 'stdout'),
    ended.then((code) => {
      throw new Error(`dicomtap ended with ${code} before it was ready:\n${output.text('stderr')}`)
    }),
  ])
  const readyLine = output.text('stdout')
  return {
    port: Number(/port (\d+)|:(\d+)/.exec(readyLine)?.slice(1).find(Boolean)),
    log: () => output.text('stderr'),
    stop(signal = 'SIGTERM') {
      child.kill(signal)
      return ended
    },
  }
}

interface Output {
  text(stream: 'stdout' | 'stderr'): string
  says(pattern: RegExp, stream: 'stdout' | 'stderr'): Promise<void>
}

function listenTo(child: ChildProcess): Output {
  const texts = { stdout: '', stderr: '' }
  for (const stream of ['stdout', 'stderr'] as const) child[stream]?.setEncoding('utf8').on('data', (text: string) => (texts[stream] += text))
  return {
    text: (stream) => texts[stream],
    async says(pattern, stream) {
      while (!pattern.test(texts[stream])) await once(child[stream] as NonNullable<ChildProcess['stdout']>, 'data')
    },
  }
}

/** Another server that runs, until it is stopped. */
export async function serve(program: string, args: readonly string[], port: number, cwd?: string): Promise<{ log(): string; stop(): Promise<void> }> {
  const child = spawn(program, args, { cwd, env: { ...process.env, TCP_NODELAY: '1' }, stdio: ['ignore', 'pipe', 'pipe'] })
  const output = listenTo(child)
  const ended = once(child, 'close')
  const deadline = Date.now() + 30_000
  while (!(await isOpen(port))) {
    if (child.exitCode !== null || Date.now() > deadline) throw new Error(`${program} does not listen:\n${output.text('stderr')}${output.text('stdout')}`)
    await new Promise((resolve) => setTimeout(resolve, 30))
  }
  return {
    log: () => output.text('stdout') + output.text('stderr'),
    async stop() {
      child.kill('SIGTERM')
      await ended
    },
  }
}

export async function isOpen(port: number): Promise<boolean> {
  const { connect } = await import('node:net')
  const socket = connect(port, '127.0.0.1')
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}

/** Below the ports that systems give to outgoing connections: one of those may be taken again at any moment. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 10_000)
    const server = createServer()
    const isFree = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false)).listen(port, '127.0.0.1', () => resolve(true))
    })
    if (!isFree) continue
    await new Promise((resolve) => server.close(resolve))
    return port
  }
}

/** The option of `storescu` that proposes a transfer syntax first. */
export const STORESCU_OPTION: Readonly<Record<CorpusFile['encoding'], string>> = {
  implicit: '-xi',
  explicit: '-xe',
  bigEndian: '-xb',
  deflated: '-xd',
  jpegBaseline: '-xy',
  jpegLossless: '-xs',
  jpeg2000Lossless: '-xv',
  rle: '-xr',
}

/** Of more files than these the rest is sent by several senders at once. */
const IN_ORDER = 1000

/**
 * Sends files in their order, the first thousand of each transfer syntax; resolves with what `storescu` complained of.
 */
export async function store(files: readonly CorpusFile[], port: number, aeTitle = 'ARCHIVE'): Promise<string> {
  let complaints = ''
  for (const [encoding, option] of Object.entries(STORESCU_OPTION)) {
    const paths = files.filter((file) => file.encoding === encoding).map(({ path }) => path)
    const send = async (some: readonly string[]): Promise<void> => {
      if (some.length === 0) return
      const { code, output } = await run('storescu', ['-nh', '-R', option, '-aec', aeTitle, '127.0.0.1', String(port), ...some])
      if (code !== 0 || /^[EF]:/m.test(output)) complaints += `${encoding}: exit ${code} ${output.slice(0, 2000)}\n`
    }
    await send(paths.slice(0, IN_ORDER))
    const rest = paths.slice(IN_ORDER)
    await Promise.all([0, 1, 2].map((sender) => send(rest.filter((_, index) => index % 3 === sender))))
  }
  return complaints
}
