import { spawn, spawnSync } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import type { ExecutionContext } from 'ava'
import { parse } from 'yaml'
import { writeSampleFile } from '@dicomtap/framework/testing'
import { hasPostgres, startPostgres } from '../../packages/plugin-query-retrieve/dist-test/support/postgres.js'
import type { TestPostgres } from '../../packages/plugin-query-retrieve/dist-test/support/postgres.js'
import { run } from './examples.js'
import { codeBlocks, readPage, ROOT } from './pages.js'
import type { CodeBlock } from './pages.js'

const PAGE = 'docs/guides/small-pacs.md'
const STUDY = '1.2.840.113619.2.30.1'
const DICOMTAP = join(ROOT, 'packages/cli/bin/dicomtap.js')
const PASSWORD = { DICOMTAP_DATABASE_PASSWORD: 'secret' }

const isInstalled = spawnSync('movescu', ['--version']).error === undefined
if (!isInstalled && process.env['DICOMTAP_REQUIRE_DCMTK'] === '1') throw new Error('DCMTK is not installed')
if (!isInstalled) process.stderr.write('SKIPPED: DCMTK is not installed, the guide "A small PACS" is not tried out\n')
const interop = isInstalled ? test.serial : test.serial.skip

const parent = mkdtempSync(join(tmpdir(), 'dicomtap-pacs-'))
const folder = join(parent, 'my-pacs')
const servers: Server[] = []
/** Ports of the page and those that take their place here. */
const ports = new Map<string, number>()
let cluster: TestPostgres | undefined
/** Of the cluster: what the page's commands find it by. */
let database: URL | undefined

test.before(async () => {
  for (const port of ['11112', '11113', '11114']) ports.set(port, await freePort([...ports.values()]))
})
test.after.always(async () => {
  for (const { child } of servers) child.kill('SIGKILL')
  await cluster?.close()
  rmSync(parent, { recursive: true, force: true })
})

interface Server {
  readonly child: ChildProcess
  log(): string
  /** Resolves when the log has this. */
  said(text: string): Promise<void>
  stop(): Promise<void>
}

async function startServer(args: readonly string[]): Promise<Server> {
  const child = spawn(process.execPath, [DICOMTAP, 'start', ...args], { cwd: folder, env: { ...process.env, ...PASSWORD, NO_COLOR: '1', FORCE_COLOR: '0' }, stdio: ['ignore', 'pipe', 'pipe'] })
  let log = ''
  const waiting = new Set<() => void>()
  const heard = (text: string): void => {
    log += text
    for (const look of waiting) look()
  }
  child.stdout.setEncoding('utf8').on('data', heard)
  child.stderr.setEncoding('utf8').on('data', heard)
  const ended = once(child, 'exit')
  const server: Server = {
    child,
    log: () => log,
    said: (text) =>
      new Promise((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error(`The server did not say "${text}":\n${log}`)), 30_000)
        const look = (): void => {
          if (!log.includes(text)) return
          clearTimeout(timer)
          waiting.delete(look)
          resolve()
        }
        waiting.add(look)
        void ended.then(() => reject(new Error(`The server ended:\n${log}`)))
        look()
      }),
    async stop() {
      child.kill('SIGINT')
      const [code] = (await ended) as [number | null]
      servers.splice(servers.indexOf(server), 1)
      if (code !== 0) throw new Error(`The server ended with ${code}:\n${log}`)
    },
  }
  servers.push(server)
  await server.said('ready ')
  return server
}

async function stopServers(): Promise<void> {
  for (const server of servers.slice()) await server.stop()
}

/** Below the ports that systems give to outgoing connections. */
async function freePort(taken: readonly number[]): Promise<number> {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 10_000)
    if (taken.includes(port)) continue
    const server = createServer().listen(port, '127.0.0.1')
    const isFree = await once(server, 'listening').then(() => true, () => false)
    if (!isFree) continue
    server.close()
    await once(server, 'close')
    return port
  }
}

/** As the page has it, on the ports of this test and on this machine alone. */
function here(text: string): string {
  return text
    .replaceAll(/\b1111[234]\b/g, (port) => String(ports.get(port)))
    .replaceAll('localhost', '127.0.0.1')
    .replace(/^( +)- port: (\d+)$/m, '$1- port: $2\n$1  host: 127.0.0.1')
}

const filesIn = (path: string): string[] =>
  existsSync(path) ? readdirSync(path, { recursive: true, encoding: 'utf8', withFileTypes: true }).filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name)) : []
const stored = (): string[] => filesIn(join(folder, 'data')).filter((path) => path.endsWith('.dcm'))

/** What follows the file meta information: group 0002 begins at 132 with its own length (PS3.10 7.1). */
function dataSetOf(file: string): string {
  const bytes = readFileSync(file)
  return bytes.subarray(144 + bytes.readUInt32LE(140)).toString('latin1')
}

/** The two instances of the study, as they were sent. */
const sent = (): string[] => ['1.dcm', '2.dcm'].map((name) => dataSetOf(join(folder, 'images', name))).sort()

interface Ran {
  readonly stdout: string
  /** With stderr behind it. */
  readonly out: string
}

/** What each command has to bring about; a line of the page that fits none of these fails. */
const EXPECTED: readonly (readonly [line: RegExp, expect: (t: ExecutionContext, ran: Ran) => void])[] = [
  [/^(?:npx dicomtap store|storescu) /, (t) => t.is(stored().length, 3)],
  [/^npx dicomtap find .*--json$/, (t, { stdout }) => t.deepEqual(stdout.trim().split('\n').map((line) => (JSON.parse(line) as { StudyInstanceUID: string }).StudyInstanceUID), [STUDY])],
  [/^npx dicomtap find .*--level SERIES/, (t, { out }) => t.regex(out, /\b1\.2\.840\.113619\.2\.30\.1\.1\b/)],
  [/^npx dicomtap find /, (t, { out }) => {
    t.true(out.includes(STUDY), out)
    t.false(out.includes('1.2.840.113619.2.30.2'), out)
  }],
  [/^findscu /, (t, { out }) => {
    t.is([...out.matchAll(/StudyInstanceUID$/gm)].length, 1, out)
    // Values are shown with their padding.
    t.regex(out, /\(0020,000d\) UI \[1\.2\.840\.113619\.2\.30\.1[\0 ]?\]/)
    t.regex(out, /\(0020,1208\) IS \[2 *\]/)
  }],
  [/^npx dicomtap get .* --output compressed$/, (t) => t.deepEqual(filesIn(join(folder, 'compressed')).map(dataSetOf).sort(), sent())],
  [/^(?:npx dicomtap get|getscu) /, (t) => t.deepEqual([...new Set(filesIn(join(folder, 'got')).map(dataSetOf))].sort(), sent())],
  [/^(?:npx dicomtap move|movescu) /, (t) => t.deepEqual([...new Set(filesIn(join(folder, 'moved')).map(dataSetOf))].sort(), sent())],
  [/^npx dicomtap peers add /, () => {}],
  [/^npx dicomtap index stats$/, (t, { out }) => {
    for (const what of [/\b2\b.*stud|stud.*\b2\b/i, /\b3\b.*instance|instance.*\b3\b/i, /CT/, /MR/]) t.regex(out, what)
  }],
  [/^npx dicomtap index (?:check|rebuild \.\/data(?: --config node\.yaml)?)$/, () => {}],
  [/^npx dicomtap check --config retention\.yaml$/, (t, { out }) => t.true(out.includes('The configuration is right.'), out)],
  [/^npx dicomtap index retention /, (t, { stdout }) => t.false(stdout.includes(STUDY), stdout)],
  [/^npx dicomtap index delete /, (t) => t.is(stored().length, 2)],
  [/^tar /, (t) => void t.true(existsSync(join(folder, 'backup.tar')))],
  [/^(?:createuser|createdb) /, () => {}],
]

async function runLine(t: ExecutionContext, shown: string): Promise<void> {
  if (shown.startsWith('npm create dicomtap@latest ')) return make(t, shown)
  if (shown.startsWith('cd ')) return void t.is(join(parent, shown.slice(3)), folder)
  if (shown === 'npm start') {
    await stopServers()
    await startServer([])
    return
  }
  if (shown.startsWith('npx dicomtap start ')) return void (await startServer(here(shown).split(' ').slice(3)))
  // As on the page: the server with the SQLite index does not run while its successor is prepared.
  if (shown.includes('rebuild ./data --config node.yaml')) await stopServers()
  // The database's administrator is whoever started the cluster.
  const line = shown.replace('sudo -u postgres ', '').replace(' --pwprompt', '')
  const [, expect] = EXPECTED.find(([known]) => known.test(line)) ?? []
  if (expect === undefined) throw new Error(`${PAGE}: nobody knows what "${shown}" should bring about`)
  const words = here(line).split(' ').map((word) => word.replaceAll("'", ''))
  const [command = '', ...args] = words[0] === 'npx' ? [process.execPath, DICOMTAP, ...words.slice(2)] : words
  const { code, stdout, stderr } = await run(command, args, { cwd: folder, env: { ...PASSWORD, ...environmentOf(database) } })
  t.is(code, 0, `${shown}\n${stdout}${stderr}`)
  expect(t, { stdout, out: stdout + stderr })
  if (line.includes('peers add')) await servers[0]?.said('the peers file was read again')
}

/** What `createuser` and `createdb` are told by the environment of an administrator. */
function environmentOf(url: URL | undefined): NodeJS.ProcessEnv {
  if (url === undefined) return {}
  return { PGHOST: url.hostname, PGPORT: url.port, PGUSER: decodeURIComponent(url.username), PGPASSWORD: decodeURIComponent(url.password), PGDATABASE: url.pathname.slice(1) }
}

async function make(t: ExecutionContext, shown: string): Promise<void> {
  const args = shown.replace('npm create dicomtap@latest ', '').replace('-- ', '').split(' ')
  const { code, stderr } = await run(process.execPath, [join(ROOT, 'create-app/bin/create-dicomtap.js'), ...args, '--no-install', '--no-git'], { cwd: parent })
  t.is(code, 0, stderr)
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'), 'junction')
  const config = join(folder, 'dicomtap.config.yaml')
  writeFileSync(config, here(readFileSync(config, 'utf8')))
  const images = join(folder, 'images')
  mkdirSync(images)
  const doe = { patientName: 'Doe^Jane', patientId: 'D1', studyInstanceUid: STUDY, seriesInstanceUid: `${STUDY}.1` }
  await writeSampleFile(join(images, '1.dcm'), 'ct', undefined, { ...doe, seed: 1 })
  await writeSampleFile(join(images, '2.dcm'), 'ct', undefined, { ...doe, seed: 2 })
  await writeSampleFile(join(images, '3.dcm'), 'mr', undefined, { patientName: 'Roe^Richard', patientId: 'R1', studyInstanceUid: '1.2.840.113619.2.30.2' })
}

/** A file that the page shows is there already, as it is shown, or it is made now. */
function takeFile(t: ExecutionContext, { name = '', code }: CodeBlock): void {
  const file = join(folder, name)
  if (!existsSync(file)) return writeFileSync(file, here(code.replace('localhost:5432', database?.host ?? '')))
  t.deepEqual(parse(readFileSync(file, 'utf8')), parse(here(code)), name)
}

async function goThrough(t: ExecutionContext, isWanted: (block: CodeBlock) => boolean): Promise<void> {
  for (const block of codeBlocks(readPage(PAGE)).filter(isWanted)) {
    if (block.language === 'yaml') takeFile(t, block)
    if (block.language === 'bash') for (const line of block.code.trim().split('\n')) await runLine(t, line)
  }
}

const sectionLine = (heading: string): number => readPage(PAGE).text.split('\n').indexOf(`## ${heading}`)

interop('every command up to several servers does what the guide says', async (t) => {
  t.timeout(120_000)
  await goThrough(t, ({ line }) => line < sectionLine('Several servers'))
  await stopServers()
})

const withPostgres = isInstalled && hasPostgres ? test.serial : test.serial.skip
withPostgres('several servers on PostgreSQL', async (t) => {
  t.timeout(120_000)
  cluster = await startPostgres()
  database = new URL((await cluster.createDatabase()).url)
  await goThrough(t, ({ line }) => line > sectionLine('Several servers'))
  t.is(servers.length, 2)
  await stopServers()
})
