import { execFile } from 'node:child_process'
import { chown, mkdir, readFile, readdir, stat, utimes, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test from 'ava'
import type { CommandDefinition, CommandInvocation } from '@dicomtap/framework'
import { SopClass } from '@dicomtap/framework'
import { access } from '@dicomtap/plugin-access'
import type { AccessPluginOptions } from '@dicomtap/plugin-access'
import { command } from '../dist/peers-command.js'
import { readUnknownPeers, writeUnknownPeers } from '../dist/unknown-peers/file.js'
import { UnknownPeersKeeper } from '../dist/unknown-peers/keeper.js'
import type { UnknownPeer } from '../dist/unknown-peers/list.js'
import { accessServer, outcome, temporaryFolder } from './support/server.js'

const BIN = fileURLToPath(new URL('../../cli/bin/dicomtap.js', import.meta.url))

interface Ran {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

class Sink extends Writable {
  text = ''
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += String(chunk)
    done()
  }
}

/** Runs a command as the command line would, in a folder whose configuration has these options. */
async function run(cwd: string, name: string, args: readonly string[] = [], options: Record<string, unknown> = {}, plugin: AccessPluginOptions = {}): Promise<Ran> {
  const definition: CommandDefinition | undefined = name === '' ? command : command.commands?.find((one) => one.name === name)
  const [stdout, stderr] = [new Sink(), new Sink()]
  const defaults = Object.fromEntries((definition?.options ?? []).flatMap(({ flags, default: value }) => (value === undefined ? [] : [[/--(\w+)/.exec(flags)?.[1] ?? '', value]])))
  const schema = access.plugin.options!
  const invocation: CommandInvocation = {
    arguments: args,
    options: { ...defaults, ...options },
    cwd,
    stdout,
    stderr,
    signal: new AbortController().signal,
    loadConfig: () => Promise.resolve(CONFIG as never),
    pluginOptions: async () => {
      const result = await schema['~standard'].validate(plugin)
      if (result.issues !== undefined) throw new Error(result.issues[0]?.message)
      return { options: result.value, resolvePath: (path: string) => resolve(cwd, path) }
    },
    withServices: () => Promise.reject(new Error('not asked for')),
  }
  const code = (await definition?.run?.(invocation)) ?? 0
  return { code, stdout: stdout.text, stderr: stderr.text }
}

/** As much of a configuration as the commands look at. */
const CONFIG = { aeTitle: 'ARCHIVE', listen: [{ port: 104 }, { port: 2762, tls: true, aeTitle: 'SECURED' }] }

const KNOCK: UnknownPeer = {
  aeTitle: 'CT9',
  address: '10.0.0.9',
  calledAeTitle: 'ARCHIVE',
  cause: 'unknown',
  wasLetIn: false,
  firstSeen: '2026-01-01T10:00:00.000Z',
  lastSeen: '2026-01-02T11:30:00.000Z',
  count: 12,
  contexts: [SopClass.Verification, SopClass.CTImageStorage, SopClass.ModalityWorklistInformationModelFind],
  implementationVersionName: 'OFFIS_DCMTK_367',
  certificate: { subject: 'CN=CT9', fingerprint: 'ab'.repeat(32) },
}

test('add: one who knocked is let in with a word, at the address it knocked from', async (t) => {
  const folder = await temporaryFolder(t)
  await writeUnknownPeers(join(folder, 'peers.unknown.json'), [KNOCK])
  const added = await run(folder, 'add', ['CT9'])
  t.is(added.stdout, 'peers.yaml: CT9 may associate, at 10.0.0.9.\nIt asked for: echo, store, worklist. To say what it may: dicomtap peers add CT9 --allow echo,store,worklist\n')
  t.is(
    await readFile(join(folder, 'peers.yaml'), 'utf8'),
    `# yaml-language-server: $schema=./node_modules/@dicomtap/plugin-access/peers.schema.json
# Who may associate. A server that runs reads it again by itself.
# dicomtap peers add | remove | test
peers:
  - aeTitle: CT9
    host: 10.0.0.9
`,
  )
  await run(folder, 'add', ['CT9'], { allow: 'echo, store,worklist', pin: true, port: '104', group: undefined, description: 'upstairs' })
  t.true((await readFile(join(folder, 'peers.yaml'), 'utf8')).endsWith(`  - aeTitle: CT9
    host: 10.0.0.9
    port: 104
    allow: [echo, store, worklist]
    certificate:
      fingerprint: ${'ab'.repeat(32)}
    description: upstairs
`))
})

test('the file keeps comments, order and anchors; what a server could not use is not written', async (t) => {
  const folder = await temporaryFolder(t)
  const file = join(folder, 'peers.yaml')
  const before = `# Radiology, ask Ada before you change it
defaults: &all
  allow: [echo, store]

peers:
  # The old one
  - aeTitle: CT1 # first floor
    host: 10.0.0.1
  - aeTitle: [WS1, WS2]
`
  await writeFile(file, before, { mode: 0o600 })
  t.is((await run(folder, 'add', ['007'], { host: '10.0.0.7,ct7.example' })).code, 0)
  t.is(await readFile(file, 'utf8'), `${before}  - aeTitle: "007"\n    host: [10.0.0.7, ct7.example]\n`)
  if (process.platform !== 'win32') t.is((await stat(file)).mode & 0o777, 0o600)

  const wrong = await run(folder, 'add', ['CT2'], { host: '10.0.0.2', allow: 'ecko' })
  t.deepEqual([wrong.code, wrong.stdout], [1, ''])
  t.regex(wrong.stderr, /^error: peers\.yaml:\d+:\d+: peers\[3\]\.allow\[0\]: 'ecko' is no right; did you mean echo\?\n$/)
  t.is((await run(folder, 'remove', ['007'])).code, 0)
  t.is((await run(folder, 'remove', ['WS1'])).code, 0)
  t.is(await readFile(file, 'utf8'), before.replace('[WS1, WS2]', 'WS2'))
  t.is((await run(folder, 'remove', ['XX'])).stderr, 'error: peers.yaml has no peer XX\n')
  t.deepEqual((await readdir(folder)).filter((name) => name.startsWith('.')), [], 'nothing is left behind')
})

test('list: the peers are shown also when the list of unknown ones cannot be read', async (t) => {
  const folder = await temporaryFolder(t)
  await writeFile(join(folder, 'peers.yaml'), 'peers: [{ aeTitle: CT1, host: 10.0.0.1 }]\n')
  await writeFile(join(folder, 'peers.unknown.json'), '{')
  const shown = await run(folder, '')
  t.is(shown.code, 1)
  t.regex(shown.stdout, /CT1 +CT1 +10\.0\.0\.1/)
  t.regex(shown.stderr, /^error: The list of unknown peers .* cannot be read/)
  t.like(await run(folder, '', [], { json: true }), { code: 1, stdout: '' })
})

const asRoot = process.getuid?.() === 0
;(asRoot ? test : test.skip)('files that an administrator changes stay those of the account that the server runs as', async (t) => {
  const folder = await temporaryFolder(t)
  const [peers, unknown] = [join(folder, 'peers.yaml'), join(folder, 'peers.unknown.json')]
  await writeFile(peers, 'peers: []\n')
  await writeUnknownPeers(unknown, [KNOCK])
  for (const path of [peers, unknown]) await chown(path, 65_534, 65_534)
  t.is((await run(folder, 'forget', [KNOCK.aeTitle])).code, 0)
  t.is((await run(folder, 'add', ['CT1'], { host: '10.0.0.1' })).code, 0)
  for (const path of [peers, unknown]) t.like(await stat(path), { uid: 65_534, gid: 65_534 }, path)
  t.is((await stat(unknown)).mode & 0o777, 0o600)
})

test('one change at a time; JSON stays JSON', async (t) => {
  const folder = await temporaryFolder(t)
  const results = await Promise.all(['A', 'B', 'C', 'D'].map((title) => run(folder, 'add', [title], { anyHost: true })))
  const text = await readFile(join(folder, 'peers.yaml'), 'utf8')
  for (const [index, title] of ['A', 'B', 'C', 'D'].entries()) {
    t.is(results[index]!.code === 0, text.includes(`aeTitle: ${title}`), results[index]!.stderr)
    if (results[index]!.code !== 0) t.regex(results[index]!.stderr, /is being changed/)
  }
  await writeFile(join(folder, '.peers.yaml.new'), '')
  t.regex((await run(folder, 'add', ['E'], { anyHost: true })).stderr, /is being changed; when nobody is at it, delete/)

  const json = { peers: './peers.json' }
  await run(folder, 'add', ['CT1'], { host: '10.0.0.1' }, json)
  await run(folder, 'add', ['CT2'], { host: '10.0.0.2', allow: 'echo' }, json)
  t.deepEqual(JSON.parse(await readFile(join(folder, 'peers.json'), 'utf8')), { peers: [{ aeTitle: 'CT1', host: '10.0.0.1' }, { aeTitle: 'CT2', host: '10.0.0.2', allow: ['echo'] }] })
})

test('add: where it comes from must be known', async (t) => {
  const folder = await temporaryFolder(t)
  await writeUnknownPeers(join(folder, 'peers.unknown.json'), [KNOCK, { ...KNOCK, address: '10.0.0.10' }])
  t.is((await run(folder, 'add', ['CT1'])).stderr, 'error: CT1 has not knocked: say where it comes from with --host, or --any-host\n')
  t.is((await run(folder, 'add', ['CT9'])).stderr, 'error: CT9 knocked from 10.0.0.9, 10.0.0.10: say which with --host\n')
  t.is((await run(folder, 'add', ['A\\B'], { anyHost: true })).code, 2)
  t.is((await run(folder, 'add', ['CT1'], { anyHost: true, port: 'x' })).code, 2)
  t.regex((await run(folder, 'add', ['CT1'], { anyHost: true, pin: true })).stderr, /no certificate was seen/)
  t.deepEqual((await readdir(folder)).sort(), ['peers.unknown.json'])
})

test('list: peers and those that knocked; what a peer sent steers no terminal', async (t) => {
  const folder = await temporaryFolder(t)
  await writeFile(join(folder, 'peers.yaml'), 'peers:\n  - { aeTitle: CT1, host: 10.0.0.0/8, port: 104, allow: [echo] }\n  - { aeTitle: "WS*" }\n')
  await writeUnknownPeers(join(folder, 'peers.unknown.json'), [KNOCK, { ...KNOCK, aeTitle: '\u001b[2JX', implementationVersionName: '\u009b2J', cause: 'address', contexts: [] }])
  const listed = await run(folder, '')
  t.is(
    listed.stdout,
    `PEER  AE TITLE  HOST        PORT  GROUP  MAY
CT1   CT1       10.0.0.0/8  104          echo
WS*   WS*       anywhere                 echo, store
Everybody else is refused.

Unknown, and knocked:
AE TITLE  ADDRESS   LAST SEEN            TIMES  ASKED FOR              IMPLEMENTATION
CT9       10.0.0.9  2026-01-02 11:30:00  12     echo, store, worklist  OFFIS_DCMTK_367
?[2JX     10.0.0.9  2026-01-02 11:30:00  12                            ?2J              the calling AE title is known, and not at this address

To let one in: dicomtap peers add <AE title>
`,
  )
  const { stdout } = await run(folder, 'list', [], { json: true })
  // oxlint-disable-next-line no-control-regex -- it is what must not be there
  t.notRegex(stdout, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/)
  const json = JSON.parse(stdout) as { peers: unknown[]; unknown: { rights: string[]; implementationVersionName: string }[] }
  t.is(json.unknown[1]?.implementationVersionName, '\u009b2J')
  t.deepEqual(json.peers[0], { name: 'CT1', aeTitles: ['CT1'], hosts: ['10.0.0.0/8'], port: 104, rights: ['echo'] })
  t.deepEqual(json.unknown[0]?.rights, ['echo', 'store', 'worklist'])
})

test('test: says which rule or peer decides; 0 for let in, 1 for refused', async (t) => {
  const folder = await temporaryFolder(t)
  await writeFile(join(folder, 'peers.yaml'), 'peers: [{ aeTitle: CT1, host: 10.0.0.1, maximumAssociations: 4 }]\nrules: [{ action: deny, called: PRIVATE, description: nobody there }, { action: allow, user: { role: admin } }]\n')
  const explain = (title: string, host: string, more: object = {}): Promise<Ran> => run(folder, 'test', [title], { host, ...more })
  t.deepEqual(await explain('CT1', '10.0.0.1'), {
    code: 0,
    stdout: `CT1 at 10.0.0.1, which calls ARCHIVE on port 104: let in
  rule 1 (deny: nobody there) does not fit
  rule 2 (allow) does not fit
  decided by: peer CT1
  peer: CT1
  may: echo, store
  associations at once: 4
`,
    stderr: '',
  })
  const refused = await explain('CT1', '10.0.0.2')
  t.is(refused.code, 1)
  t.regex(refused.stdout, /why: the calling AE title is known, and not at this address; decided by host of peer CT1\n {2}rejection: 1,1,1 permanent, service-user: no reason given/)
  t.regex((await explain('CT1', '10.0.0.1', { called: 'PRIVATE' })).stdout, /why: a rule denies it; decided by rule 1 \(deny: nobody there\)/)
  t.regex((await explain('XX', '1.1.1.1', { user: 'ada', roles: 'admin,x' })).stdout, /decided by: rule 2 \(allow\)/)
  t.regex((await explain('CT1', '10.0.0.1', { tls: true })).stdout, /which calls SECURED on port 2762/)
  t.regex((await explain('CT1', '10.0.0.1', { called: 'X', port: '11' })).stdout, /which calls X on port 11:/)
  t.regex((await explain('CT1', '10.0.0.1', { file: join(folder, 'peers.yaml') })).stdout, /which calls ANY-SCP on port 11112:/)
  t.is((await explain('CT1', 'pacs.example')).code, 2)
  const json = JSON.parse((await explain('XX', '1.1.1.1', { json: true })).stdout) as { isLetIn: boolean; details: { rejection: string } }
  t.deepEqual([json.isLetIn, json.details.rejection], [false, '1,1,3 permanent, service-user: calling AE title not recognized'])
})

test('forget: takes one off the list, also while a server keeps it', async (t) => {
  const server = await accessServer(t, '# nobody\n', { unknownPeers: { maximum: 8 } })
  for (const callingAeTitle of ['CT1', 'CT2']) await outcome(server, { callingAeTitle })
  const path = join(server.folder, 'peers.unknown.json')
  await writeUnknownPeers(path, [])
  await server.ae.close({ deadlineMs: 0 })
  t.deepEqual((await readUnknownPeers(path)).map(({ aeTitle }) => aeTitle), ['CT2', 'CT1'])
  t.is((await run(server.folder, 'forget', ['CT1'])).stdout, '1 forgotten.\n')
  t.deepEqual((await readUnknownPeers(path)).map(({ aeTitle }) => aeTitle), ['CT2'])
  t.is((await run(server.folder, 'forget', ['CT1'])).code, 1)
  t.is((await run(server.folder, 'forget', [undefined as never])).code, 2)
  t.is((await run(server.folder, 'forget', [undefined as never], { all: true })).stdout, '1 forgotten.\n')
})

test('the list that a server keeps is read again when it has changed, and not otherwise', async (t) => {
  const path = join(await temporaryFolder(t), 'peers.unknown.json')
  await writeUnknownPeers(path, [KNOCK])
  const then = new Date('2026-03-01T00:00:00Z')
  await utimes(path, then, then)
  const keeper = new UnknownPeersKeeper({ path, maximum: 8, log: { warn: (message) => t.fail(message) } })
  await keeper.load()
  // What cannot be read would be a list with nothing in it.
  await writeFile(path, ' '.repeat((await stat(path)).size))
  await utimes(path, then, then)
  keeper.note({ ...KNOCK, aeTitle: 'CT2' })
  await keeper.flush()
  const titles = async (): Promise<string[]> => (await readUnknownPeers(path)).map(({ aeTitle }) => aeTitle)
  t.deepEqual(await titles(), ['CT2', KNOCK.aeTitle])
  await writeUnknownPeers(path, [KNOCK])
  keeper.note({ ...KNOCK, aeTitle: 'CT3' })
  await keeper.flush()
  t.deepEqual(await titles(), ['CT3', KNOCK.aeTitle], 'what somebody took out is forgotten')
  const { issues } = await access.plugin.options!['~standard'].validate({ unknownPeers: { maximum: 1_001 } })
  t.deepEqual(issues?.map(({ path: at }) => at), [['unknownPeers', 'maximum']])
})

test('from an unknown one to a peer, while the server runs', async (t) => {
  const server = await accessServer(t, '# nobody\n', { watchMs: 100 })
  t.is(await outcome(server, { callingAeTitle: 'CT1' }), '1,1,3')
  t.is((await run(server.folder, 'add', ['CT1'], { host: '127.0.0.1' })).code, 0)
  await server.ae.hooks.configReload.promise({ applicationEntity: server.ae, config: {} as never })
  t.is(await outcome(server, { callingAeTitle: 'CT1' }), 'accepted')
})

test('by the command line: found by its package, with the options of the configuration', async (t) => {
  const folder = await temporaryFolder(t)
  await mkdir(join(folder, 'etc'))
  await writeFile(join(folder, 'dicomtap.config.yaml'), `plugins:\n  - use: ${JSON.stringify(fileURLToPath(new URL('../dist/index.js', import.meta.url)))}\n    options: { peers: ./etc/peers.yaml }\n`)
  const { NODE_OPTIONS: _options, FORCE_COLOR: _color, ...env } = process.env
  const cli = (...args: string[]): Promise<{ stdout: string }> => promisify(execFile)(process.execPath, [BIN, 'peers', ...args], { cwd: folder, env })
  t.is((await cli('add', 'CT1', '--host', '10.0.0.1')).stdout, 'peers.yaml: CT1 may associate, at 10.0.0.1.\n')
  const failed = await t.throwsAsync(cli('test', 'CT2', '--host', '10.0.0.1', '--file', join(folder, 'etc/peers.yaml')))
  t.is((failed as { code?: unknown }).code, 1)
})
