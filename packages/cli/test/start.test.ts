import { once } from 'node:events'
import { readFile, symlink } from 'node:fs/promises'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { Peer } from './support/peer.js'
import { run, startServer } from './support/run.js'
import { ECHO, makeSite, pluginPackage, writeFiles } from './support/site.js'

const LISTEN = 'listen: [{ host: 127.0.0.1, port: 0 }]\n'
const CONFIG = { 'dicomtap.config.yaml': `${LISTEN}plugins: [dicomtap-plugin-echo]\n` }

/** Answers C-ECHO after SIGUSR2, so that the test decides how long an operation runs. */
const SLOW = {
  ...pluginPackage(
    'slow',
    `export const slow = definePlugin({ name: 'slow', apply(api) {
      api.supportSopClass({ uid: '1.2.840.10008.1.1', transferSyntaxes: ['1.2.840.10008.1.2'] })
      api.hooks.cEcho.tapPromise(() => new Promise((resolve) => { process.once('SIGUSR2', () => resolve(0)); api.log.info('echo is waiting') }))
      api.onDispose(() => api.log.info('disposed'))
    } })`,
  ),
  'dicomtap.config.yaml': `${LISTEN}plugins: [slow]\n`,
}

test('start prints one ready line on stdout and answers C-ECHO; SIGTERM stops it with 0', async (t) => {
  const server = await startServer(t, [], { cwd: await makeSite(t, { ...ECHO, ...CONFIG }) })
  t.regex(server.readyLine, /^ready DICOMTAP on 127\.0\.0\.1:\d+ \(1 plugin, dicomtap\.config\.yaml, \d+ ms\)$/)
  const peer = await Peer.connect(server.port)
  t.is(await peer.associate(), 2)
  peer.echo()
  t.is(await peer.nextType(), 4)
  t.is(await peer.release(), 6)
  peer.end()
  server.kill('SIGTERM')
  t.deepEqual(await server.ended, { code: 0, signal: null })
  t.regex(server.log(), /SIGTERM: closing, new associations are refused/)
})

test('--port, --ae-title and --log-level go over the configuration', async (t) => {
  const cwd = await makeSite(t, { ...ECHO, 'dicomtap.config.yaml': 'aeTitle: CONFIGURED\nlisten: [{ host: 127.0.0.1, port: 1 }]\nlogLevel: error\n' })
  const server = await startServer(t, ['--port', '0', '--ae-title', ' GIVEN ', '--log-level', 'info'], { cwd })
  t.regex(server.readyLine, /^ready GIVEN on /)
  server.kill('SIGINT')
  t.is((await server.ended).code, 0)
  t.regex(server.log(), /SIGINT: closing/)
})

test('a server that nobody needs warms up, unless the configuration says otherwise', async (t) => {
  const plugin = pluginPackage(
    'seen',
    `export const seen = definePlugin({ name: 'seen', apply(api) {
      api.hooks.warmUp.tap(({ rehearsal }) => api.log.info(rehearsal === api.applicationEntity ? 'wrong' : 'warming up'))
      process.once('SIGUSR2', () => api.applicationEntity.warmUp({ budgetMs: 1 }).then(({ spentMs }) => api.log.info(\`warmed up for \${spentMs < 1000 ? 'a moment' : 'long'}\`)))
    } })`,
  )
  const config = `${LISTEN}plugins: [seen]\n`
  const warm = await startServer(t, [], { cwd: await makeSite(t, { ...plugin, 'dicomtap.config.yaml': config }) })
  await warm.logged('warming up')
  const cold = await startServer(t, [], { cwd: await makeSite(t, { ...plugin, 'dicomtap.config.yaml': `warmUp: false\n${config}` }) })
  // Had it begun by itself, it would go on with that for longer.
  cold.kill('SIGUSR2')
  await cold.logged('warmed up for a moment')
  for (const server of [warm, cold]) {
    server.kill('SIGTERM')
    t.is((await server.ended).code, 0)
  }
})

test('on SIGTERM the running operation ends, new associations are refused, plugins are disposed', async (t) => {
  const server = await startServer(t, [], { cwd: await makeSite(t, SLOW) })
  const peer = await Peer.connect(server.port)
  await peer.associate()
  peer.echo()
  await server.logged('echo is waiting')
  server.kill('SIGTERM')
  await server.logged('waiting for association')
  t.regex(server.log(), /waiting for association.* association=a1 callingAeTitle=TESTER remoteAddress=\S*127\.0\.0\.1 operations=C-ECHO/)
  const late = await Peer.connect(server.port)
  t.is(await late.associate(), 3)
  server.kill('SIGUSR2')
  t.is(await peer.nextType(), 4)
  t.deepEqual(await server.ended, { code: 0, signal: null })
  t.regex(server.log(), /disposed/)
})

for (const [signal, code] of [['SIGINT', 130], ['SIGTERM', 143]] as const) {
  test(`a second ${signal} aborts at once with ${code}`, async (t) => {
    const server = await startServer(t, [], { cwd: await makeSite(t, SLOW) })
    const peer = await Peer.connect(server.port)
    await peer.associate()
    peer.echo()
    await server.logged('echo is waiting')
    server.kill(signal)
    await server.logged('waiting for association')
    server.kill(signal)
    t.is(await peer.nextType(), 7)
    t.deepEqual(await server.ended, { code, signal: null })
    t.regex(server.log(), new RegExp(`${signal} again: aborting`))
  })
}

test('a signal while plugins start ends the process', async (t) => {
  const cwd = await makeSite(t, {
    'dicomtap.config.mjs': `import { definePlugin } from '@dicomtap/framework'
process.once('SIGUSR2', () => {})
const stuck = definePlugin({ name: 'stuck', apply: () => { process.kill(process.pid, 'SIGTERM'); return new Promise(() => {}) } })
export default { plugins: [stuck()] }`,
  })
  t.is((await run(['start'], { cwd })).code, 143)
})

test('SIGHUP reads the configuration again; a wrong one is reported and the server goes on', async (t) => {
  const cwd = await makeSite(t, {
    'dicomtap.config.mjs': `import { title } from './title.mjs'
import { definePlugin } from '@dicomtap/framework'
const watch = definePlugin({ name: 'watch', apply(api) { api.hooks.configReload.tap(({ config }) => api.log.info('now ' + config.logLevel)) } })
export default { logLevel: 'info', listen: [{ host: '127.0.0.1', port: 0 }], plugins: [watch()] }`,
    'title.mjs': `export const title = 'X'`,
  })
  const server = await startServer(t, [], { cwd })
  await writeFiles(cwd, { 'dicomtap.config.mjs': `export default { logLevel: 'debug' }` })
  server.kill('SIGHUP')
  await server.logged('now debug')
  await server.logged('configuration reloaded')
  await writeFiles(cwd, { 'dicomtap.config.mjs': `export default { logLevel: 'loud' }` })
  server.kill('SIGHUP')
  await server.logged('not reloaded: dicomtap.config.mjs: logLevel: ')
  const peer = await Peer.connect(server.port)
  t.is(await peer.associate(), 2)
  peer.end()
  server.kill('SIGTERM')
  t.is((await server.ended).code, 0)
})

const STRAY = (action: string) => ({
  ...pluginPackage('stray', `export const stray = definePlugin({ name: 'stray', apply() { process.on('SIGUSR2', () => ${action}) } })`),
  'dicomtap.config.yaml': `${LISTEN}plugins: [stray]\n`,
})

test('a rejected promise that nobody handles is logged and the server goes on', async (t) => {
  // Of what cannot be read at all, and then of more than anybody wants to read.
  const unreadable = `new Proxy({}, { get() { throw new Error('trap') }, getPrototypeOf() { throw new Error('trap') } })`
  const silent = `Object.defineProperty(new Error(), 'message', { get() { throw new Error('trap') } })`
  const stray = `{
    for (const thrown of [new Error('floating'), undefined, Object.freeze({}), Symbol('s'), ${unreadable}, ${silent}]) void Promise.reject(thrown)
    for (let i = 0; i < 10_000; i++) void Promise.reject(new Error('flood'))
  }`
  const server = await startServer(t, [], { cwd: await makeSite(t, STRAY(stray)) })
  server.kill('SIGUSR2')
  await server.logged('come faster than they are logged')
  t.is(server.log().match(/a promise was rejected and nobody handled it/g)?.length, 19)
  t.is(server.log().match(/what was thrown cannot be read/g)?.length, 2)
  t.regex(server.log(), /a promise was rejected and nobody handled it code=DICOMTAP_ERR_PLG_UNHANDLED error=floating from=stray/)
  const peer = await Peer.connect(server.port)
  t.is(await peer.associate(), 2)
  peer.end()
  server.kill('SIGTERM')
  t.is((await server.ended).code, 0)
})

test('an exception that nobody catches closes the server with 1', async (t) => {
  const server = await startServer(t, [], { cwd: await makeSite(t, STRAY(`{ throw new Error('flying') }`)) })
  server.kill('SIGUSR2')
  t.deepEqual(await server.ended, { code: 1, signal: null })
  t.regex(server.log(), /an exception was not caught; the server closes code=DICOMTAP_ERR_PLG_UNHANDLED error=flying/)
})

test('stray errors while plugins start: a rejection is logged, an exception ends it', async (t) => {
  const config = (stray: string) => `import { definePlugin } from '@dicomtap/framework'
const early = definePlugin({ name: 'early', apply: () => new Promise((resolve) => { setTimeout(() => { setTimeout(resolve, 10); ${stray} }, 1) }) })
export default { listen: [{ host: '127.0.0.1', port: 0 }], plugins: [early()] }`
  const cwd = await makeSite(t, { 'a.mjs': config(`void Promise.reject(new Error('floating'))`), 'b.mjs': config(`throw new Error('flying')`) })
  const server = await startServer(t, ['--config', 'a.mjs'], { cwd })
  await server.logged('nobody handled it code=DICOMTAP_ERR_PLG_UNHANDLED error=floating')
  const { code, stdout, stderr } = await run(['start', '--config', 'b.mjs'], { cwd })
  t.is(code, 1)
  t.is(stdout, '')
  t.regex(stderr, /an exception was not caught; the server closes code=DICOMTAP_ERR_PLG_UNHANDLED error=flying/)
})

test('a port in use is one line that says what to do', async (t) => {
  const other = createServer().listen(0, '127.0.0.1')
  await once(other, 'listening')
  t.teardown(() => other.close())
  const { port } = other.address() as AddressInfo
  const cwd = await makeSite(t, { 'dicomtap.config.json': JSON.stringify({ listen: [{ host: '127.0.0.1', port: 0 }, { host: '127.0.0.1', port }] }) })
  const { code, stdout, stderr } = await run(['start'], { cwd })
  t.is(code, 1)
  t.is(stdout, '')
  t.is(stderr, `error DICOMTAP_ERR_NET_LISTEN: Cannot listen on 127.0.0.1 port ${port}: another process listens there; stop it or choose another port\n`)
  const checked = await run(['check', '--ports'], { cwd })
  t.is(checked.code, 1)
  t.is(checked.stderr, `error DICOMTAP_ERR_NET_LISTEN: listen[1]: 127.0.0.1:${port} cannot be opened: another process listens there; stop it or choose another port\n`)
})

test('a broken pipe of stdout or stderr does not end the server', async (t) => {
  const server = await startServer(t, ['--log-level', 'trace'], { cwd: await makeSite(t, { ...ECHO, ...CONFIG }) })
  server.closeStreams()
  for (const _ of [1, 2]) {
    const peer = await Peer.connect(server.port)
    t.is(await peer.associate(), 2)
    peer.echo()
    t.is(await peer.nextType(), 4)
    t.is(await peer.release(), 6)
    peer.end()
  }
  server.kill('SIGTERM')
  t.is((await server.ended).code, 0)
})

test('the configuration in the root of the repository starts and answers C-ECHO', async (t) => {
  const root = fileURLToPath(new URL('../../../', import.meta.url))
  const cwd = await makeSite(t, { 'dicomtap.config.yaml': await readFile(join(root, 'dicomtap.config.yaml'), 'utf8') })
  for (const name of ['plugin-logging', 'plugin-storage', 'plugin-verification']) {
    await symlink(join(root, 'packages', name), join(cwd, 'node_modules/@dicomtap', name), 'dir')
  }
  const server = await startServer(t, ['--port', '0'], { cwd })
  t.regex(server.readyLine, /^ready DICOMTAP on port \d+ \(3 plugins, /)
  const peer = await Peer.connect(server.port)
  t.is(await peer.associate(), 2)
  peer.echo()
  t.is(await peer.nextType(), 4)
  t.is(await peer.release(), 6)
  peer.end()
  server.kill('SIGTERM')
  t.is((await server.ended).code, 0)
})
