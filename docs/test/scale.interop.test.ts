import { spawn, spawnSync } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { ApplicationEntity, SopClass, TransferSyntax } from '@dicomtap/framework'
import type { Association } from '@dicomtap/framework'
import { writeSampleFile } from '@dicomtap/framework/testing'
import { hasPostgres, startPostgres } from '../../packages/plugin-query-retrieve/dist-test/support/postgres.js'
import type { TestPostgres } from '../../packages/plugin-query-retrieve/dist-test/support/postgres.js'
import { run } from './examples.js'
import { codeBlocks, readPage, ROOT } from './pages.js'

const PAGE = 'docs/guides/scale.md'
const DICOMTAP = join(ROOT, 'packages/cli/bin/dicomtap.js')
/** Debian keeps it out of the PATH of users. */
const HAPROXY = ['/usr/sbin/haproxy', '/opt/homebrew/bin/haproxy', '/usr/local/sbin/haproxy'].find((path) => existsSync(path)) ?? 'haproxy'
const NODES = ['node1', 'node2', 'node3'] as const
type NodeName = (typeof NODES)[number]

const missing = [
  ...(spawnSync('storescu', ['--version']).error === undefined ? [] : ['DCMTK']),
  ...(spawnSync(HAPROXY, ['-v']).error === undefined ? [] : ['HAProxy']),
  ...(hasPostgres ? [] : ['PostgreSQL']),
]
if (missing.length > 0) process.stderr.write(`SKIPPED: ${missing.join(' and ')} not installed, the guide "Beyond one machine" is not tried out\n`)
const interop = missing.length === 0 ? test.serial : test.serial.skip

const folder = mkdtempSync(join(tmpdir(), 'dicomtap-scale-'))
const images = join(folder, 'images')
const scu = new ApplicationEntity({ aeTitle: 'CT1', logLevel: 'silent' })
const nodes = new Map<NodeName, Node>()
const addresses = new Map<string, string>()
let cluster: TestPostgres | undefined
let balancer: Process | undefined
let balancerPort = 0

interface Process {
  readonly child: ChildProcess
  log(): string
  /** Resolves when the log says so, from `since` on. */
  said(text: string | RegExp, since?: number): Promise<void>
  /** Exit code, or the signal that ended it. */
  readonly ended: Promise<number | string>
}

interface Node extends Process {
  readonly name: NodeName
}

function start(name: string, command: string, args: readonly string[], cwd: string, env: NodeJS.ProcessEnv = {}): Process {
  const child = spawn(command, args, { cwd, env: { ...process.env, NO_COLOR: '1', FORCE_COLOR: '0', ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
  let log = ''
  const waiting = new Set<() => void>()
  const heard = (text: string): void => {
    log += text
    for (const look of waiting) look()
  }
  child.stdout.setEncoding('utf8').on('data', heard)
  child.stderr.setEncoding('utf8').on('data', heard)
  const ended = once(child, 'exit').then(([code, signal]) => (code ?? signal) as number | string)
  return {
    child,
    ended,
    log: () => log,
    said: (text, since = 0) =>
      new Promise((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error(`${name} did not say "${text}":\n${log.slice(since)}`)), 20_000)
        const look = (): void => {
          const tail = log.slice(since)
          if (typeof text === 'string' ? !tail.includes(text) : !text.test(tail)) return
          clearTimeout(timer)
          waiting.delete(look)
          resolve()
        }
        waiting.add(look)
        void ended.then((code) => reject(new Error(`${name} ended with ${code}:\n${log}`)))
        look()
      }),
  }
}

/** Several at once, so that no two are the same; below the ports that systems give to outgoing connections. */
async function freePorts(count: number): Promise<number[]> {
  const servers = []
  while (servers.length < count) {
    const server = createServer().listen(20_000 + Math.floor(Math.random() * 10_000), '127.0.0.1')
    if (await once(server, 'listening').then(() => true, () => false)) servers.push(server)
  }
  const ports = servers.map((server) => (server.address() as { port: number }).port)
  for (const server of servers) server.close()
  return ports
}

function block(name: string): string {
  const found = codeBlocks(readPage(PAGE)).find((one) => one.name === name)
  if (found === undefined) throw new Error(`${PAGE} has no ${name}`)
  return found.code
}

/** The page's text with what is of a hospital replaced by what is of this machine: each must be there. */
function here(text: string, replacements: readonly (readonly [RegExp | string, string])[]): string {
  for (const [from, to] of replacements) {
    const replaced = text.replace(from, to)
    if (replaced === text) throw new Error(`${PAGE} does not have ${String(from)}`)
    text = replaced
  }
  return text
}

// The balancer has an address of its own, so that peers and balancer can be told apart.
const BALANCER = '127.0.0.2'

async function startNode(name: NodeName): Promise<Node> {
  const process = start(name, globalThis.process.execPath, [DICOMTAP, 'start', '--config', 'node.yaml'], join(folder, name), { DICOMTAP_DATABASE_PASSWORD: 'secret' })
  const node: Node = { ...process, name }
  nodes.set(name, node)
  await node.said('ready ')
  return node
}

const nodeOf = (name: NodeName): Node => nodes.get(name) as Node

/** One command to the administration socket, as `socat` sends it. */
function admin(command: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = ''
    const socket = connect(join(folder, 'admin.sock'), () => socket.end(`${command}\n`))
    socket.setEncoding('utf8').on('data', (text: string) => (answer += text))
    socket.on('error', reject).on('close', () => resolve(answer.trim()))
  })
}

interface ServerState {
  readonly status: string
  readonly checkStatus: string
  readonly sessions: number
}

/** An asterisk says that the next check is under way. */
async function stateOf(name: NodeName): Promise<ServerState> {
  const [head = '', ...rows] = (await admin('show stat')).replace(/^# /, '').split('\n')
  const row = rows.map((line) => line.split(',')).find(([backend, server]) => backend === 'nodes' && server === name) ?? []
  const column = (title: string): string => row[head.split(',').indexOf(title)] ?? ''
  return { status: column('status'), checkStatus: column('check_status').replace('* ', ''), sessions: Number(column('scur')) }
}

async function untilState(name: NodeName, isSo: (state: ServerState) => boolean): Promise<ServerState> {
  const giveUpAtMs = performance.now() + 15_000
  for (;;) {
    const state = await stateOf(name).catch(() => undefined)
    if (state !== undefined && isSo(state)) return state
    if (performance.now() > giveUpAtMs) throw new Error(`${name}: ${JSON.stringify(state)}\n${balancer?.log()}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

async function associate(): Promise<Association> {
  const contexts = [SopClass.Verification, SopClass.CTImageStorage].map((abstractSyntax) => ({ abstractSyntax, transferSyntaxes: [TransferSyntax.ExplicitVRLittleEndian] }))
  return scu.associate({ host: '127.0.0.1', port: balancerPort, calledAeTitle: 'PACS', contexts })
}

/** The node that took it: by the port that the peer has, which only the PROXY protocol tells. */
async function nodeFor({ localPort }: Association): Promise<NodeName> {
  const line = `CT1 (127.0.0.1:${localPort}) to PACS`
  return Promise.any(NODES.map(async (name) => (await nodeOf(name).said(line), name)))
}

async function onePerNode(): Promise<Map<NodeName, Association>> {
  const found = new Map<NodeName, Association>()
  const others: Association[] = []
  while (found.size < NODES.length) {
    const association = await associate()
    const name = await nodeFor(association)
    if (found.has(name)) others.push(association)
    else found.set(name, association)
  }
  for (const association of others) await association.release()
  return found
}

/** What follows the file meta information: group 0002 begins at 132 with its own length (PS3.10 7.1). */
function dataSetOf(file: string): string {
  const bytes = readFileSync(file)
  return bytes.subarray(144 + bytes.readUInt32LE(140)).toString('latin1')
}

const filesIn = (path: string): string[] =>
  existsSync(path) ? readdirSync(path, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.dcm')).map((name) => join(path, name)) : []
/** By the SOP Instance UID, which the file is named by. */
const stored = (): Map<string, string> => new Map(filesIn(join(folder, 'data')).map((file) => [/([\d.]+)\.dcm$/.exec(file)?.[1] ?? '', file]))

let made = 0
/** A CT image of 128 KiB in a study of its own. */
async function makeImage(into = images): Promise<{ readonly file: string; readonly uid: string }> {
  made += 1
  const uid = `1.2.840.113619.2.40.${made}`
  const file = join(into, `${made}.dcm`)
  await writeSampleFile(file, 'ct', undefined, { seed: made, rows: 256, columns: 256, studyInstanceUid: `${uid}.1`, seriesInstanceUid: `${uid}.2`, sopInstanceUid: uid, patientId: `P${made}` })
  return { file, uid }
}

/** Study Instance UIDs that a C-FIND through the balancer finds. */
async function findAll(): Promise<string[]> {
  const { code, stdout, stderr } = await run('findscu', ['-S', '-aet', 'READING1', '-aec', 'PACS', '-k', 'QueryRetrieveLevel=STUDY', '-k', 'StudyInstanceUID', '127.0.0.1', String(balancerPort)], { cwd: folder, env: { TCP_NODELAY: '1' } })
  if (code !== 0) throw new Error(stdout + stderr)
  return [...(stdout + stderr).matchAll(/\(0020,000d\) UI \[([\d.]+)/g)].map(([, uid = '']) => uid).filter((uid) => uid !== '').sort()
}

/** Everything that was answered 0000 so far, by its SOP Instance UID: the file that was sent. */
const acknowledged = new Map<string, string>()

async function store(association: Association): Promise<void> {
  const { file, uid } = await makeImage()
  const { status } = await association.cStore(file)
  if (status !== 0) throw new Error(`0x${status.toString(16)}`)
  acknowledged.set(uid, file)
}

test.before(async () => {
  if (missing.length > 0) return
  cluster = await startPostgres()
  const database = await cluster.createDatabase()
  const [port = 0, ...nodePorts] = await freePorts(1 + NODES.length)
  balancerPort = port
  mkdirSync(images)
  mkdirSync(join(folder, 'data'))
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'), 'junction')
  const peers = here(block('peers.yaml'), [['10.20.0.5', BALANCER], ['10.30.1.17', '127.0.0.1'], ['10.30.0.21', '127.0.0.1']])
  for (const [index, name] of NODES.entries()) {
    mkdirSync(join(folder, name))
    const address = `127.0.0.1:${nodePorts[index]}`
    addresses.set(name, address)
    const url = new URL(database.url)
    const config = here(block('node.yaml'), [
      ['- port: 11112', `- port: ${nodePorts[index]}\n    host: 127.0.0.1`],
      ['10.20.0.5', BALANCER],
      ['workers: auto', 'workers: 2'],
      ['format: json', 'format: pretty'],
      ['./data', join(folder, 'data')],
      ['postgres://pacs@db.hospital.example:5432/pacs', url.href],
      // Of a cluster that asks for none.
      ...(url.password === '' ? [] : [[/^ +password: .*\n/m, ''] as const]),
    ])
    writeFileSync(join(folder, name, 'node.yaml'), config)
    writeFileSync(join(folder, name, 'peers.yaml'), peers)
  }
  await Promise.all(NODES.map(startNode))
  const config = here(block('haproxy.cfg'), [
    ['log /dev/log local0', 'log stdout format raw local0'],
    [/^ +user haproxy\n +group haproxy\n/m, ''],
    ['/run/haproxy/admin.sock', join(folder, 'admin.sock')],
    ['bind :104', `bind 127.0.0.1:${balancerPort}`],
    ['10.20.0.11:11112', addresses.get('node1') ?? ''],
    ['10.20.0.12:11112', addresses.get('node2') ?? ''],
    ['10.20.0.13:11112', addresses.get('node3') ?? ''],
    ['inter 5s fastinter 1s downinter 2s', `source ${BALANCER} inter 500ms fastinter 200ms downinter 200ms`],
  ])
  writeFileSync(join(folder, 'haproxy.cfg'), config)
  const checked = await run(HAPROXY, ['-c', '-f', 'haproxy.cfg'], { cwd: folder })
  if (checked.code !== 0 || checked.stderr.includes('WARNING')) throw new Error(checked.stderr)
  balancer = start('HAProxy', HAPROXY, ['-db', '-f', 'haproxy.cfg'], folder)
  for (const name of NODES) await untilState(name, ({ status, checkStatus }) => status === 'UP' && checkStatus === 'L7OK')
})

test.after.always(async () => {
  await scu.close({ deadlineMs: 0 })
  for (const child of [balancer?.child, ...[...nodes.values()].map((node) => node.child)]) child?.kill('SIGKILL')
  await cluster?.close()
  rmSync(folder, { recursive: true, force: true })
})

interop('storescu on twelve associations: the nodes share them, each file is byte-exact, each node finds all', async (t) => {
  const senders = await Promise.all(
    Array.from({ length: 12 }, async (_, index) => {
      const from = join(images, `sender${index}`)
      mkdirSync(from)
      return { from, sent: [await makeImage(from), await makeImage(from), await makeImage(from)] }
    }),
  )
  const ran = await Promise.all(senders.map(({ from }) => run('storescu', ['-aet', 'CT1', '-aec', 'PACS', '+sd', '127.0.0.1', String(balancerPort), from], { cwd: folder, env: { TCP_NODELAY: '1' } })))
  for (const { code, stdout, stderr } of ran) t.is(code, 0, stdout + stderr)
  for (const { file, uid } of senders.flatMap(({ sent }) => sent)) acknowledged.set(uid, file)
  const files = stored()
  t.is(files.size, acknowledged.size)
  for (const [uid, file] of acknowledged) t.is(dataSetOf(files.get(uid) ?? ''), dataSetOf(file), uid)

  for (const name of NODES) t.regex(nodeOf(name).log(), /association released: CT1 .*C-STORE/, name)

  const studies = [...acknowledged.keys()].map((uid) => `${uid}.1`).sort()
  const answered = (name: NodeName): boolean => /READING1.*C-FIND 1 Success/.test(nodeOf(name).log())
  for (let times = 0; times < 12 && !NODES.every(answered); times++) t.deepEqual(await findAll(), studies)
  t.deepEqual(NODES.filter(answered), [...NODES])
})

interop('the nodes know the peers by their own addresses, and hear nobody but the balancer', async (t) => {
  // 127.0.0.1:41234 [date] dicom nodes/node2 ...
  const logged = [...(balancer?.log() ?? '').matchAll(/^127\.0\.0\.1:(\d+) \[.*\] dicom nodes\/(node\d)/gm)]
  t.true(logged.length >= 12)
  for (const [line, port = '', name = ''] of logged) t.true(nodeOf(name as NodeName).log().includes(` (127.0.0.1:${port}) to PACS`), line)

  const [host = '', port = ''] = (addresses.get('node1') ?? '').split(':')
  const direct = await run('echoscu', ['-aet', 'CT1', '-aec', 'PACS', host, port], { cwd: folder })
  t.not(direct.code, 0)
  await nodeOf('node1').said(/connection refused: PROXY protocol .*it comes from no trusted balancer/)
})

interop('what is no DICOM ends at the balancer', async (t) => {
  const socket = connect(balancerPort, '127.0.0.1')
  socket.on('error', () => {})
  socket.write('GET / HTTP/1.0\r\n\r\n')
  await once(socket, 'close')
  await balancer?.said(/dicom dicom\/<NOSRV>/)
  t.pass()
})

interop('health checks leave no line in the log and nobody on the list of those who knocked in vain', async (t) => {
  for (const name of NODES) {
    t.like(await stateOf(name), { status: 'UP', checkStatus: 'L7OK' })
    t.false(nodeOf(name).log().includes('HEALTHCHECK'), nodeOf(name).log())
    t.false(nodeOf(name).log().includes(`(${BALANCER}:`), nodeOf(name).log())
    const { stdout } = await run(process.execPath, [DICOMTAP, 'peers', '--config', 'node.yaml'], { cwd: join(folder, name), env: { DICOMTAP_DATABASE_PASSWORD: 'secret' } })
    t.regex(stdout, /^CT1\b/m)
    t.notRegex(stdout, /knocked/)
  }
})

interop('a node that drains finishes what it has and gets nothing new, and an update loses no association', async (t) => {
  const held = await onePerNode()
  const own = held.get('node1') as Association
  await store(own)
  t.is(await admin('set server nodes/node1 state drain'), '')
  const since = nodeOf('node1').log().length
  for (let times = 0; times < 6; times++) {
    const association = await associate()
    t.not(await nodeFor(association), 'node1')
    await store(association)
    await association.release()
    // It goes on.
    await store(own)
  }
  t.notRegex(nodeOf('node1').log().slice(since), /association accepted/)
  t.like(await stateOf('node1'), { sessions: 1 })
  await own.release()
  await untilState('node1', ({ sessions }) => sessions === 0)

  nodeOf('node1').child.kill('SIGTERM')
  t.is(await nodeOf('node1').ended, 0)
  await untilState('node1', ({ checkStatus }) => checkStatus !== 'L7OK')
  await startNode('node1')
  await untilState('node1', ({ checkStatus }) => checkStatus === 'L7OK')
  t.is(await admin('set server nodes/node1 state ready'), '')
  await untilState('node1', ({ status }) => status === 'UP')
  for (const name of ['node2', 'node3'] as const) {
    await store(held.get(name) as Association)
    await held.get(name)?.release()
  }
  const again = await onePerNode()
  for (const association of again.values()) await association.release()
})

interop('a node that is killed loses its own associations alone and nothing that was acknowledged', async (t) => {
  const held = await onePerNode()
  const victim = nodeOf('node2')
  let isKilled = false
  const work = [...held].map(async ([name, association]) => {
    // Each goes on until well after the kill.
    for (let rest = 10; rest > 0; isKilled && rest--) await store(association)
    await association.release()
    return name
  })
  await Promise.all([...held.values()].map((association) => store(association)))
  victim.child.kill('SIGKILL')
  t.is(await victim.ended, 'SIGKILL')
  isKilled = true
  const outcomes = await Promise.allSettled(work)
  t.deepEqual(outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : [])).sort(), ['node1', 'node3'])

  // Before the health check knows: the next node takes it.
  for (let times = 0; times < 4; times++) {
    const association = await associate()
    await store(association)
    await association.release()
  }
  await untilState('node2', ({ status }) => status === 'DOWN')

  const files = stored()
  for (const [uid, file] of acknowledged) t.is(dataSetOf(files.get(uid) ?? ''), dataSetOf(file), uid)
  const found = new Set(await findAll())
  t.deepEqual([...acknowledged.keys()].filter((uid) => !found.has(`${uid}.1`)), [])

  await startNode('node2')
  await untilState('node2', ({ status, checkStatus }) => status === 'UP' && checkStatus === 'L7OK')
  const again = await onePerNode()
  for (const association of again.values()) {
    await store(association)
    await association.release()
  }
})

interop('nothing of it was an error', (t) => {
  for (const name of NODES) t.notRegex(nodeOf(name).log(), / error /)
})
