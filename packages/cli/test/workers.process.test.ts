import { readFile, readdir, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import type { ExecutionContext } from 'ava'
import { ApplicationEntity } from '@dicomtap/framework'
import type { StoreBytes } from '@dicomtap/framework'
import { Peer } from './support/peer.js'
import { run, startServer } from './support/run.js'
import type { RunningServer } from './support/run.js'
import { makeSite, pluginPackage, writeFiles } from './support/site.js'
import { CERTIFICATE, KEY } from './support/tls.js'

const LISTEN = 'listen: [{ host: 127.0.0.1, port: 0 }]\n'
const CT = '1.2.840.10008.5.1.4.1.1.2'
const EXPLICIT_VR_LITTLE_ENDIAN = '1.2.840.10008.1.2.1'

/** Answers C-ECHO; the calling title says what else the process does. SLOW is answered after SIGUSR2. */
const DUTY = pluginPackage(
  'duty',
  `export const duty = definePlugin({ name: 'duty', apply(api) {
    api.supportSopClass({ uid: '1.2.840.10008.1.1', transferSyntaxes: ['1.2.840.10008.1.2'] })
    api.log.info('pid ' + process.pid)
    api.hooks.cEcho.tapPromise(async (_request, { association }) => {
      const { callingAeTitle } = association
      if (callingAeTitle === 'EXIT') process.exit(7)
      if (callingAeTitle === 'THROW') setImmediate(() => { throw new Error('flying') })
      if (callingAeTitle === 'SPIN') { api.log.info('spinning'); for (;;); }
      if (callingAeTitle === 'SLOW') {
        api.log.info('echo is waiting')
        await new Promise((resolve) => process.once('SIGUSR2', resolve))
      }
      return 0
    })
    api.hooks.configReload.tap(({ config }) => api.log.info('now ' + config.logLevel))
    api.onDispose(() => api.log.info('disposed'))
  } })`,
)

function site(t: ExecutionContext, config: string, files: Readonly<Record<string, string>> = DUTY): Promise<string> {
  return makeSite(t, { ...files, 'dicomtap.config.yaml': `${LISTEN}${config}` })
}

const PLUGINS = 'plugins: [duty]\n'

/** Lines of the log with that text, and the worker that each is of. */
function told(server: RunningServer, text: string): { readonly worker: string; readonly line: string }[] {
  return server
    .log()
    .split('\n')
    .filter((line) => line.includes(text))
    .map((line) => ({ worker: / worker=(\w+)/.exec(line)?.[1] ?? '', line }))
}

function pids(server: RunningServer): number[] {
  return told(server, ' pid ').map(({ line }) => Number(/ pid (\d+)/.exec(line)?.[1]))
}

/** Until the text was logged so many times. */
async function loggedTimes(server: RunningServer, text: string, times: number): Promise<void> {
  for (;;) {
    const { length } = told(server, text)
    if (length >= times) return
    await server.loggedMore()
  }
}

async function isGone(pid: number): Promise<void> {
  for (;;) {
    try {
      process.kill(pid, 0)
    } catch {
      return
    }
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

test('associations spread evenly over the workers; one ready line; SIGTERM ends all with 0', async (t) => {
  const server = await startServer(t, ['--workers', '2', '--log-level', 'debug'], { cwd: await site(t, PLUGINS) })
  t.regex(server.readyLine, /^ready DICOMTAP on 127\.0\.0\.1:\d+ \(2 workers, 1 plugin, dicomtap\.config\.yaml, \d+ ms\)$/)
  const peers = await Promise.all(Array.from({ length: 8 }, () => Peer.connect(server.port)))
  const answers = await Promise.all(peers.map((peer) => peer.associate('DICOMTAP', 'SLOW')))
  t.deepEqual(answers, Array.from({ length: 8 }, () => 2))
  for (const peer of peers) peer.echo()
  await loggedTimes(server, 'echo is waiting', 8)
  t.deepEqual(told(server, 'echo is waiting').map(({ worker }) => worker).toSorted((a, b) => a.localeCompare(b)), ['w1', 'w1', 'w1', 'w1', 'w2', 'w2', 'w2', 'w2'])

  server.kill('SIGTERM')
  await server.logged('SIGTERM: closing')
  t.regex(server.log(), /SIGTERM: closing, new associations are refused worker=primary associations=8 atMostMs=10000/)
  await loggedTimes(server, 'waiting for association', 8)
  t.regex(server.log(), /waiting for association.* association=w\d-a\d .*operations=C-ECHO/)
  const late = await Peer.connect(server.port)
  t.is(await late.associate(), 3)
  for (const pid of pids(server)) process.kill(pid, 'SIGUSR2')
  t.deepEqual(await Promise.all(peers.map((peer) => peer.nextType())), Array.from({ length: 8 }, () => 4))
  t.deepEqual(await server.ended, { code: 0, signal: null })
  t.is(told(server, 'disposed').length, 2)
})

test('limits.maximumAssociations holds for the sum, and a place comes back with its association', async (t) => {
  const server = await startServer(t, [], { cwd: await site(t, `workers: 3\nlimits: { maximumAssociations: 5 }\n${PLUGINS}`) })
  for (let round = 0; round < 3; round++) {
    const peers = await Promise.all(Array.from({ length: 12 }, () => Peer.connect(server.port)))
    const types = await Promise.all(peers.map((peer) => peer.associate()))
    t.deepEqual(types.toSorted((a, b) => a - b), [2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3])
    for (const [index, peer] of peers.entries()) if (types[index] === 2) t.is(await peer.release(), 6)
    for (const peer of peers) peer.end()
  }
  server.kill('SIGTERM')
  t.is((await server.ended).code, 0, server.log())
})

test('a worker that ends is replaced, its places come back, and others go on', async (t) => {
  const server = await startServer(t, [], { cwd: await site(t, `workers: 2\nlimits: { maximumAssociations: 4 }\n${PLUGINS}`) })
  const peers: Peer[] = []
  for (let index = 0; index < 4; index++) {
    const peer = await Peer.connect(server.port)
    t.is(await peer.associate('DICOMTAP', index === 0 ? 'EXIT' : 'TESTER'), 2)
    peers.push(peer)
  }
  peers[0]?.echo()
  // It and the other one on its process.
  t.is(await peers[0]?.nextType(), 0)
  await server.logged('a worker ended, and its associations with it')
  t.regex(server.log(), /a worker ended, and its associations with it .*ended=w\d pid=\d+ exitCode=7 connections=2 replacedInMs=100/)
  t.is(await peers[2]?.nextType(), 0)
  for (const peer of [peers[1], peers[3]]) {
    peer?.echo()
    t.is(await peer?.nextType(), 4)
  }
  await loggedTimes(server, ' pid ', 3)
  // Two places are free again, on whichever worker.
  for (const expected of [2, 2, 3]) {
    const peer = await Peer.connect(server.port)
    t.is(await peer.associate(), expected)
  }
  server.kill('SIGTERM')
  t.is((await server.ended).code, 0, server.log())
})

test('an exception that nobody catches ends one worker, which lets others finish', async (t) => {
  const server = await startServer(t, ['-w', '2'], { cwd: await site(t, PLUGINS) })
  const peer = await Peer.connect(server.port)
  await peer.associate('DICOMTAP', 'THROW')
  peer.echo()
  t.is(await peer.nextType(), 4)
  await server.logged('a worker ended')
  t.regex(server.log(), /an exception was not caught; the server closes worker=w\d code=DICOMTAP_ERR_PLG_UNHANDLED error=flying/)
  t.regex(server.log(), /a worker ended.* exitCode=1 /)
  const next = await Peer.connect(server.port)
  t.is(await next.associate(), 2)
  server.kill('SIGTERM')
  t.is((await server.ended).code, 0, server.log())
})

test('a signal while a worker is being replaced ends them all', async (t) => {
  const server = await startServer(t, ['-w', '2'], { cwd: await site(t, PLUGINS) })
  for (const count of [1, 2]) {
    process.kill(pids(server)[count - 1] ?? 0, 'SIGKILL')
    await loggedTimes(server, 'a worker ended', count)
  }
  // The first replacement is forked after 0.1 s: whether it hears already is left to chance.
  await new Promise((resolve) => setTimeout(resolve, 150))
  server.kill('SIGTERM')
  t.is((await server.ended).code, 0, server.log())
})

test('a second signal aborts what is left, on all workers', async (t) => {
  const server = await startServer(t, ['-w', '2'], { cwd: await site(t, PLUGINS) })
  const peers = await Promise.all(['SLOW', 'SLOW'].map(async (title) => {
    const peer = await Peer.connect(server.port)
    await peer.associate('DICOMTAP', title)
    peer.echo()
    return peer
  }))
  await loggedTimes(server, 'echo is waiting', 2)
  server.kill('SIGTERM')
  await server.logged('SIGTERM: closing')
  server.kill('SIGTERM')
  t.deepEqual(await Promise.all(peers.map((peer) => peer.nextType())), [7, 7])
  t.deepEqual(await server.ended, { code: 143, signal: null })
  await Promise.all(pids(server).map(isGone))
  t.pass()
})

test('a worker that hangs is killed when the close takes too long, which is exit code 1', async (t) => {
  const server = await startServer(t, ['-w', '2'], { cwd: await site(t, `limits: { closeDeadlineMs: 10 }\n${PLUGINS}`) })
  const peer = await Peer.connect(server.port)
  await peer.associate('DICOMTAP', 'SPIN')
  peer.echo()
  await server.logged('spinning')
  server.kill('SIGTERM')
  t.deepEqual(await server.ended, { code: 1, signal: null })
  t.regex(server.log(), /a worker does not end and is killed worker=primary ended=w\d pid=\d+ afterMs=15010/)
  t.regex(server.log(), /w\d did not end within 15010 ms and had to be killed/)
})

test('signals that reach the workers too, as from a terminal, are for the primary', async (t) => {
  const server = await startServer(t, ['-w', '2'], { cwd: await site(t, PLUGINS) })
  for (const pid of pids(server)) for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.kill(pid, signal)
  const peer = await Peer.connect(server.port)
  t.is(await peer.associate(), 2)
  server.kill('SIGINT')
  t.is((await server.ended).code, 0, server.log())
  t.false(server.log().includes('a worker ended'))
})

test('the workers end with the primary, however it ends', async (t) => {
  const server = await startServer(t, ['-w', '2'], { cwd: await site(t, PLUGINS) })
  const peer = await Peer.connect(server.port)
  await peer.associate()
  const workers = pids(server)
  t.is(workers.length, 2)
  server.kill('SIGKILL')
  t.is(await peer.nextType(), 0)
  await Promise.all(workers.map(isGone))
  t.deepEqual(await server.ended, { code: null, signal: 'SIGKILL' })
})

test('SIGHUP reloads in all workers; a wrong configuration is told once and changes nothing', async (t) => {
  const cwd = await site(t, `workers: 2\n${PLUGINS}`)
  const server = await startServer(t, [], { cwd })
  await writeFiles(cwd, { 'dicomtap.config.yaml': `${LISTEN}logLevel: debug\n${PLUGINS}` })
  server.kill('SIGHUP')
  await server.logged('configuration reloaded')
  t.deepEqual(told(server, 'now debug').map(({ worker }) => worker).toSorted((a, b) => a.localeCompare(b)), ['w1', 'w2'])
  await writeFiles(cwd, { 'dicomtap.config.yaml': `${LISTEN}logLevel: loud\n${PLUGINS}` })
  server.kill('SIGHUP')
  await server.logged('not reloaded: dicomtap.config.yaml: logLevel: ')
  server.kill('SIGTERM')
  t.is((await server.ended).code, 0, server.log())
  t.is(told(server, 'not reloaded').length, 1)
  t.is(told(server, 'now ').length, 2)
})

test('what is wrong at the start is told once, with the exit code of one process', async (t) => {
  const config = await run(['start', '-w', '2'], { cwd: await site(t, 'logLevel: loud\n') })
  t.is(config.code, 78)
  t.is(config.stderr.match(/^error /gm)?.length, 1)
  const options = await run(['start', '-w', '2'], { cwd: await site(t, 'plugins: [{ use: nowhere }]\n') })
  t.is(options.code, 78)
  t.is(options.stderr.match(/^error DICOMTAP_ERR_PLG_NOT_FOUND/gm)?.length, 1, options.stderr)
  const failing = pluginPackage('failing', `export const failing = definePlugin({ name: 'failing', apply() { throw new Error('no disk') } })`)
  const plugin = await run(['start', '-w', '2'], { cwd: await site(t, 'plugins: [failing]\n', failing) })
  t.is(plugin.code, 1)
  t.is(plugin.stderr.match(/^error DICOMTAP_ERR_PLG_FAILED/gm)?.length, 1, plugin.stderr)
  const exiting = pluginPackage('exiting', `export const exiting = definePlugin({ name: 'exiting', apply() { process.exit(9) } })`)
  const gone = await run(['start', '-w', '2'], { cwd: await site(t, 'plugins: [exiting]\n', exiting) })
  t.is(gone.code, 1)
  t.regex(gone.stderr, /^error DICOMTAP_ERR_NET_PROCESS: Worker w\d ended with exit code 9 before it was ready\n$/)
  const taken = await startServer(t, [], { cwd: await site(t, PLUGINS) })
  const listen = await run(['start', '-w', '2', '--port', String(taken.port), '-l', 'error'], { cwd: await site(t, PLUGINS) })
  t.is(listen.code, 1)
  t.is(listen.stderr.match(/^error DICOMTAP_ERR_NET_LISTEN/gm)?.length, 1, listen.stderr)
  const many = await run(['start', '-w', '3'], { cwd: await site(t, `limits: { maximumPendingAssociations: 2 }\n${PLUGINS}`) })
  t.is(many.code, 78)
  t.regex(many.stderr, /^error DICOMTAP_ERR_CFG_INVALID: workers: 3 processes cannot share limits\.maximumPendingAssociations, 2/)
  const checked = await run(['check'], { cwd: await site(t, `workers: 3\nlimits: { maximumPendingAssociations: 2 }\n${PLUGINS}`) })
  t.is(checked.code, 78)
  for (const workers of ['0', '65', 'two', '1.5']) t.is((await run(['start', '-w', workers], { cwd: '/' })).code, 2)
})

test('workers that do not start any more end the server with an error', async (t) => {
  const fragile = pluginPackage(
    'fragile',
    `import { existsSync } from 'node:fs'
    export const fragile = definePlugin({ name: 'fragile', apply(api) {
      if (existsSync(api.resolvePath('broken'))) throw new Error('it is broken')
      api.log.info('pid ' + process.pid)
    } })`,
  )
  const cwd = await site(t, 'plugins: [fragile]\n', fragile)
  const server = await startServer(t, ['-w', '2'], { cwd })
  await writeFiles(cwd, { broken: '' })
  const [pid] = pids(server)
  process.kill(pid ?? 0, 'SIGKILL')
  t.deepEqual(await server.ended, { code: 1, signal: null })
  t.regex(server.log(), /a worker ended.* signal=SIGKILL /)
  t.is(told(server, 'a worker did not start').length, 5)
  t.regex(server.log(), /^error DICOMTAP_ERR_NET_PROCESS: 5 workers in a row did not start, the server ends; the last one: .*it is broken/m)
})

const PLUGIN_PACKAGES = fileURLToPath(new URL('../../', import.meta.url))

test('under load, workers that are killed lose nothing that was acknowledged', async (t) => {
  const cwd = await site(t, "workers: 2\nplugins:\n  - duty\n  - use: '@dicomtap/plugin-storage'\n    options: { directory: ./data, durability: close }\n")
  await symlink(`${PLUGIN_PACKAGES}plugin-storage`, join(cwd, 'node_modules/@dicomtap/plugin-storage'))
  const server = await startServer(t, [], { cwd })
  const acknowledged = new Set<string>()
  let isOver = false
  const sender = async (number: number): Promise<void> => {
    const ae = new ApplicationEntity({ aeTitle: `SENDER${number}`, logLevel: 'silent' })
    for (let index = 0; !isOver; ) {
      try {
        const association = await ae.associate({
          host: '127.0.0.1',
          port: server.port,
          calledAeTitle: 'DICOMTAP',
          contexts: [{ abstractSyntax: CT, transferSyntaxes: [EXPLICIT_VR_LITTLE_ENDIAN] }],
        })
        for (; !isOver; index++) {
          const uid = `2.25.${number}${String(index).padStart(6, '0')}`
          const { status } = await association.cStore(object(uid))
          if (status === 0) acknowledged.add(uid)
        }
        await association.release()
      } catch {
        // Its worker was killed: once more.
        index++
      }
    }
    await ae.close()
  }
  const senders = [1, 2, 3, 4].map(sender)
  for (let killed = 0; killed < 3; killed++) {
    await loggedTimes(server, ' pid ', 2 + killed)
    const before = acknowledged.size
    while (acknowledged.size < before + 50) await new Promise((resolve) => setTimeout(resolve, 10))
    process.kill(pids(server)[killed] ?? 0, 'SIGKILL')
  }
  await loggedTimes(server, ' pid ', 5)
  isOver = true
  await Promise.all(senders)
  server.kill('SIGTERM')
  t.is((await server.ended).code, 0, server.log())
  t.is(told(server, 'a worker ended').length, 3)
  t.true(acknowledged.size >= 150)
  const files = (await readdir(join(cwd, 'data'), { recursive: true })).filter((path) => path.endsWith('.dcm') && !path.startsWith('.'))
  const stored = new Set(await Promise.all(files.map(async (path) => /2\.25\.\d{7}/.exec((await readFile(join(cwd, 'data', path))).toString('latin1'))?.[0])))
  t.deepEqual([...acknowledged].filter((uid) => !stored.has(uid)), [])
})

test('several listeners, TLS and the PROXY protocol are as with one process', async (t) => {
  const cwd = await makeSite(t, {
    ...DUTY,
    'cert.pem': CERTIFICATE,
    'key.pem': KEY,
    'peers.yaml': 'peers: [{ aeTitle: ECHOSCU, host: [10.1.2.3, 127.0.0.1], allow: [echo] }]\n',
    'dicomtap.config.yaml': `workers: 2
listen:
  - { host: 127.0.0.1, port: 0, aeTitle: PLAIN }
  - { host: 127.0.0.1, port: 0, aeTitle: SECURE, tls: { cert: ./cert.pem, key: ./key.pem, clientCertificates: none } }
  - { host: 127.0.0.1, port: 0, aeTitle: PROXIED, proxyProtocol: { trusted: [127.0.0.1] } }
plugins:
  - '@dicomtap/plugin-tls'
  - use: '@dicomtap/plugin-access'
    options: { peers: ./peers.yaml, unknownPeers: false }
  - duty
`,
  })
  for (const name of ['tls', 'access']) await symlink(`${PLUGIN_PACKAGES}plugin-${name}`, join(cwd, `node_modules/@dicomtap/plugin-${name}`))
  const server = await startServer(t, [], { cwd })
  const [plain, secure, proxied] = [...server.readyLine.matchAll(/127\.0\.0\.1:(\d+)/g)].map(([, port]) => Number(port))
  t.regex(server.readyLine, /^ready PLAIN on \S+, SECURE on \S+ with TLS, PROXIED on \S+ \(2 workers, /)
  // Each worker once at least.
  for (let round = 0; round < 4; round++) {
    t.like(await run(['echo', `localhost:${plain}`, '--aet', 'ECHOSCU'], { cwd }), { code: 0 })
    t.like(await run(['echo', `localhost:${secure}`, '--aet', 'ECHOSCU', '--tls-ca', 'cert.pem'], { cwd }), { code: 0, stderr: '' })
  }
  for (const [source, type] of [['10.1.2.3', 2], ['10.1.2.3', 2], ['10.9.9.9', 3], ['10.9.9.9', 3]] as const) {
    const peer = await Peer.connect(proxied ?? 0)
    peer.write(`PROXY TCP4 ${source} 10.0.0.1 40000 104\r\n`)
    t.is(await peer.associate('PROXIED', 'ECHOSCU'), type, server.log())
    peer.end()
  }
  server.kill('SIGTERM')
  t.is((await server.ended).code, 0, server.log())
})

test('limits of peers, failures that lock, the list of unknown peers and the log file are of the whole server', async (t) => {
  const cwd = await site(
    t,
    `workers: 2
plugins:
  - use: '@dicomtap/plugin-logging'
    options: { stderr: true, format: pretty, file: { path: ./logs/dicom.log, format: json, maximumBytes: 4096, maximumFiles: 50 } }
  - use: '@dicomtap/plugin-access'
    options: { peers: ./peers.yaml }
  - use: '@dicomtap/plugin-user-identity'
    options: { required: false, users: { file: ./users.yaml }, lockout: { attempts: 3, attemptsPerAddress: 100 } }
  - duty
`,
    {
      ...DUTY,
      'peers.yaml': 'peers:\n  - { aeTitle: CT1, host: 127.0.0.1, allow: [echo], maximumAssociations: 2 }\n  - { aeTitle: CT2, host: 127.0.0.1, allow: [echo], associationsPerMinute: 3 }\n  - { aeTitle: CT3, host: 127.0.0.1, allow: [echo] }\n',
      'users.yaml': 'users: {}\n',
    },
  )
  for (const name of ['logging', 'access', 'user-identity']) await symlink(`${PLUGIN_PACKAGES}plugin-${name}`, join(cwd, `node_modules/@dicomtap/plugin-${name}`))
  const server = await startServer(t, [], { cwd })
  const ask = async (title: string): Promise<{ readonly type: number; readonly peer: Peer }> => {
    const peer = await Peer.connect(server.port)
    return { peer, type: await peer.associate('DICOMTAP', title) }
  }
  for (let round = 0; round < 2; round++) {
    const answers = await Promise.all(Array.from({ length: 6 }, () => ask('CT1')))
    t.deepEqual(answers.map(({ type }) => type).toSorted((a, b) => a - b), [2, 2, 3, 3, 3, 3], server.log())
    for (const { peer, type } of answers) {
      if (type === 2) t.is(await peer.release(), 6)
      peer.end()
    }
  }
  t.deepEqual((await Promise.all(Array.from({ length: 6 }, () => ask('CT2')))).map(({ type }) => type).toSorted((a, b) => a - b), [2, 2, 2, 3, 3, 3])
  for (let knock = 0; knock < 4; knock++) t.is((await ask('STRANGER')).type, 3)

  const ae = new ApplicationEntity({ aeTitle: 'CT3', logLevel: 'silent' })
  t.teardown(() => ae.close())
  for (let guess = 0; guess < 5; guess++) {
    const wrong = ae.associate({
      host: '127.0.0.1',
      port: server.port,
      calledAeTitle: 'DICOMTAP',
      contexts: [{ abstractSyntax: '1.2.840.10008.1.1' }],
      userIdentity: { type: 2, primaryField: 'jane', secondaryField: `guess ${guess}` },
    })
    await t.throwsAsync(wrong, { code: 'DICOMTAP_ERR_ACSE_REJECTED' })
  }
  server.kill('SIGTERM')
  t.is((await server.ended).code, 0, server.log())

  const list = JSON.parse(await readFile(join(cwd, 'peers.unknown.json'), 'utf8')) as { unknownPeers: { aeTitle: string; count: number }[] }
  t.deepEqual(list.unknownPeers.map(({ aeTitle, count }) => [aeTitle, count]), [['STRANGER', 4]])
  const files = await readdir(join(cwd, 'logs'))
  t.true(files.filter((name) => name.startsWith('dicom.log')).length > 1, 'it was rotated')
  const texts = await Promise.all(files.map((name) => readFile(join(cwd, 'logs', name), 'utf8')))
  const lines = texts.flatMap((text) => text.split('\n').filter((line) => line.startsWith('{')))
  const entries = lines.map((line) => JSON.parse(line) as { worker?: string; message: string; event?: string })
  t.deepEqual([...new Set(entries.map(({ worker = '' }) => worker))].toSorted((a, b) => a.localeCompare(b)), ['primary', 'w1', 'w2'])
  // Nothing of it is lost between files: as many as on standard error.
  for (const text of ['association accepted', 'association rejected', 'locked after']) {
    t.is(entries.filter(({ message }) => message.includes(text)).length, told(server, text).length, text)
  }
  t.is(told(server, 'username locked after repeated failures').length, 1)
  t.is(told(server, 'association accepted').length, 7)
})

/** A CT image of a few elements, Explicit VR Little Endian. */
function object(sopInstanceUid: string): StoreBytes {
  const element = (group: number, number: number, vr: string, text: string, pad: string): Buffer => {
    const value = Buffer.from(text.length % 2 === 0 ? text : text + pad)
    const head = Buffer.alloc(8)
    head.writeUInt16LE(group, 0)
    head.writeUInt16LE(number, 2)
    head.write(vr, 4, 'latin1')
    head.writeUInt16LE(value.length, 6)
    return Buffer.concat([head, value])
  }
  const dataSet = Buffer.concat([
    element(0x0008, 0x0016, 'UI', CT, '\0'),
    element(0x0008, 0x0018, 'UI', sopInstanceUid, '\0'),
    element(0x0020, 0x000d, 'UI', '2.25.1', '\0'),
    element(0x0020, 0x000e, 'UI', '2.25.2', '\0'),
    element(0x0020, 0x4000, 'LT', 'x'.repeat(8_000), ' '),
  ])
  return { sopClassUid: CT, sopInstanceUid, transferSyntaxUid: EXPLICIT_VR_LITTLE_ENDIAN, bytes: () => [dataSet] }
}
