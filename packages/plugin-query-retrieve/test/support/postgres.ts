import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { chownSync, existsSync, readdirSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'

/** A database of its own in a PostgreSQL. */
export interface TestDatabase {
  readonly url: string
  /** Collects its statistics, which autovacuum does within a minute. */
  analyze(): Promise<void>
  /** Ends what is connected to it, as a restart of the server does. */
  drop(): Promise<void>
}

export interface TestPostgres {
  /** Undefined for one of DICOMTAP_POSTGRES_URL, which is not ours to stop. */
  readonly cluster: { stop(): Promise<void>; start(): Promise<void> } | undefined
  createDatabase(): Promise<TestDatabase>
  close(): Promise<void>
}

const given = process.env['DICOMTAP_POSTGRES_URL']
const binaries = findBinaries()

/** Whether there is a PostgreSQL to test with. It says so when there is none. */
export const hasPostgres: boolean = given !== undefined || binaries !== undefined
if (!hasPostgres) process.stderr.write('SKIPPED: PostgreSQL is not installed (apt-get install postgresql) and DICOMTAP_POSTGRES_URL is not set; the index was not tried in it\n')

/** DICOMTAP_POSTGRES_URL, or a cluster in a temporary folder, on a free port of 127.0.0.1. */
export async function startPostgres(): Promise<TestPostgres> {
  if (given !== undefined) return { cluster: undefined, createDatabase: () => createDatabase(given), close: () => Promise.resolve() }
  if (binaries === undefined) throw new Error('PostgreSQL is not installed')
  const folder = await mkdtemp(path.join(tmpdir(), 'dicomtap-postgres-'))
  const user = unprivilegedUser()
  if (user !== undefined) chownSync(folder, user.uid, user.gid)
  const data = path.join(folder, 'data')
  const options = { cwd: folder, ...user, env: { PATH: process.env['PATH'], LC_ALL: 'C', HOME: folder } }
  const made = spawnSync(path.join(binaries, 'initdb'), ['-D', data, '-U', 'dicomtap', '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync'], options)
  if (made.status !== 0) throw new Error(`initdb: ${made.stderr?.toString() ?? String(made.error)}`)
  // Whoever is called so has to give a password; the others are trusted.
  const access = path.join(data, 'pg_hba.conf')
  await writeFile(access, `host all ${PASSWORD_USER} 127.0.0.1/32 scram-sha-256\n${await readFile(access, 'utf8')}`)
  const port = await freePort()
  const settings = { listen_addresses: '127.0.0.1', port: String(port), unix_socket_directories: folder, fsync: 'off', full_page_writes: 'off', max_connections: '60', deadlock_timeout: '200ms' }
  const program = path.join(binaries, 'postgres')
  const url = (database: string): string => `postgres://dicomtap@127.0.0.1:${port}/${database}`
  let server: ChildProcess | undefined

  const cluster = {
    async start() {
      server = spawn(program, ['-D', data, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])], { ...options, stdio: ['ignore', 'ignore', 'pipe'] })
      await isReady(server)
    },
    async stop() {
      const running = server
      server = undefined
      if (running === undefined || running.exitCode !== null) return
      const exited = new Promise((resolve) => running.once('exit', resolve))
      // Fast shutdown: connections are ended.
      running.kill('SIGINT')
      await exited
    },
  }
  // Whatever ends the tests ends the server: it is no child that survives.
  const kill = (): void => void server?.kill('SIGQUIT')
  process.once('exit', kill)
  await cluster.start()
  return {
    cluster,
    createDatabase: () => createDatabase(url('postgres')),
    async close() {
      await cluster.stop()
      process.removeListener('exit', kill)
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** A role that a test may create: it is asked for its password. */
export const PASSWORD_USER = 'with_password'

let count = 0

async function createDatabase(url: string): Promise<TestDatabase> {
  const { default: pg } = await import('pg')
  const name = `dicomtap_test_${process.pid}_${Date.now()}_${count++}`
  const run = async (statement: string, connectionString = url): Promise<void> => {
    const client = new pg.Client({ connectionString })
    await client.connect()
    try {
      await client.query(statement)
    } finally {
      await client.end()
    }
  }
  await run(`create database ${name} template template0 encoding 'UTF8'`)
  const own = new URL(url)
  own.pathname = `/${name}`
  return { url: own.href, analyze: () => run('vacuum analyze', own.href), drop: () => run(`drop database if exists ${name} with (force)`) }
}

/** Of the newest version that is installed. Debian keeps them out of PATH. */
function findBinaries(): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(path.delimiter)
  for (const parent of ['/usr/lib/postgresql', '/opt/homebrew/opt', '/usr/local/opt']) {
    if (!existsSync(parent)) continue
    const versions = readdirSync(parent).filter((name) => /^(?:postgresql@)?\d+$/.test(name)).sort((a, b) => Number(/\d+$/.exec(b)?.[0]) - Number(/\d+$/.exec(a)?.[0]))
    folders.push(...versions.map((version) => path.join(parent, version, 'bin')))
  }
  return folders.find((folder) => existsSync(path.join(folder, 'initdb')) && existsSync(path.join(folder, 'postgres')))
}

/** PostgreSQL refuses to run as root. */
function unprivilegedUser(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined
  for (const name of ['postgres', 'nobody']) {
    const [uid, gid] = ['-u', '-g'].map((flag) => Number(spawnSync('id', [flag, name]).stdout?.toString().trim() || Number.NaN))
    if (uid !== undefined && gid !== undefined && uid > 0 && gid > 0) return { uid, gid }
  }
  throw new Error('PostgreSQL does not run as root, and there is no user postgres or nobody')
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number }
      server.close(() => resolve(port))
    })
  })
}

function isReady(server: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let output = ''
    server.once('error', reject)
    server.once('exit', (code) => reject(new Error(`postgres ended with ${String(code)}: ${output}`)))
    server.stderr?.setEncoding('utf8').on('data', (text: string) => {
      output = (output + text).slice(-4096)
      if (output.includes('ready to accept connections')) resolve()
    })
  })
}
