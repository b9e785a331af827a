import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import test from 'ava'
import { z } from 'zod'
import { createLogger } from '../dist/console-log.js'
import type { ResolvedConfig } from '../dist/config/types.js'
import { defineConfig, definePlugin, definePreset, isPlugin, isPluginFactory } from '../dist/define.js'
import { DicomtapError } from '../dist/errors/index.js'
import { createHooks } from '../dist/hooks/create-hooks.js'
import { createGuardContext } from '../dist/hooks/guard-context.js'
import { listTaps } from '../dist/hooks/run.js'
import type { HookTable } from '../dist/hooks/types.js'
import type { LogRecord } from '../dist/logger.js'
import { PluginContainer } from '../dist/plugin/container.js'
import { orderPlugins } from '../dist/plugin/order.js'
import { redactOptions, resolveSecret } from '../dist/plugin/secret.js'
import { LocalStates } from '../dist/server-process.js'
import type { Plugin, PluginApi, PluginDefinition, SopClassSupport } from '../dist/plugin/types.js'

interface Bench {
  readonly container: PluginContainer
  readonly hooks: HookTable
  readonly records: LogRecord[]
  readonly supported: SopClassSupport[]
}

function bench(options: { bootTimeoutMs?: number | null; file?: string; frameworkVersion?: string } = {}): Bench {
  const hooks = createHooks()
  const records: LogRecord[] = []
  const supported: SopClassSupport[] = []
  const logger = createLogger({ level: 'trace', sink: (record) => records.push(record) })
  const config: ResolvedConfig = { aeTitle: 'TEST', listen: [], file: options.file }
  const states = new LocalStates(logger)
  const container = new PluginContainer({
    applicationEntity: {} as never,
    hooks,
    config,
    frameworkVersion: options.frameworkVersion ?? '0.1.0',
    guardContext: createGuardContext({ table: hooks, log: logger, isSealed: () => false }),
    host: {
      supportSopClass: (support) => supported.push(support),
      setLogSink: logger.setSink,
      logger,
      signal: new AbortController().signal,
      resolvePath: (path) => resolve('/config', path),
      shareState: (name, module, given) => states.open(name, module, given),
    },
    ...(options.bootTimeoutMs === undefined ? {} : { bootTimeoutMs: options.bootTimeoutMs }),
  })
  return { container, hooks, records, supported }
}

function plugin(name: string, fields: Partial<PluginDefinition<undefined>> = {}): Plugin {
  return definePlugin({ name, apply: () => undefined, ...fields })()
}

const codeOf = (code: string, message?: RegExp | string): { instanceOf: typeof DicomtapError; code: string; message?: RegExp | string } => ({
  instanceOf: DicomtapError,
  code,
  ...(message === undefined ? {} : { message }),
})
const names = (plugins: readonly { readonly name: string }[]): string[] => plugins.map(({ name }) => name)
const order = (...plugins: Plugin[]): string[] => names(orderPlugins(plugins, '0.1.0'))

// definePlugin

test('a factory gives a frozen plugin with its options bound', (t) => {
  const storage = definePlugin({
    name: '@dicomtap/plugin-storage',
    version: '1.2.3',
    requires: ['index@^1'],
    options: z.object({ directory: z.string() }),
    apply: () => undefined,
  })
  const one = storage({ directory: './data' })
  t.like(one, { name: 'storage', version: '1.2.3', requires: ['index@^1'], before: [], after: [], framework: undefined })
  t.deepEqual(one.options, { directory: './data' })
  t.true(Object.isFrozen(one))
  t.true(isPlugin(one))
  t.true(isPluginFactory(storage))
  t.is(storage.plugin.name, '@dicomtap/plugin-storage')
  t.is(storage.name, 'storage')
  t.false(isPlugin(storage) || isPluginFactory(one) || isPlugin(null) || isPlugin({ name: 'x' }) || isPluginFactory(() => one))
})

for (const [what, definition, message] of [
  ['nothing', undefined, /object with name and apply/],
  ['no name', { apply() {} }, /must be a package name/],
  ['a name with a space', { name: 'my plugin', apply() {} }, /got "my plugin"/],
  ['no apply', { name: 'a' }, /'a' needs a function apply/],
  ['a version that is none', { name: 'a', version: 'one', apply() {} }, /version 'one'/],
  ['a framework range that is none', { name: 'a', framework: 'new', apply() {} }, /framework 'new'/],
  ['one name in requires', { name: 'a', requires: 'b', apply() {} }, /requires must be a list/],
  ['a bad range in requires', { name: 'a', requires: ['b@new'], apply() {} }, /'b@new'/],
  ['options that are no schema', { name: 'a', options: { directory: 'string' }, apply() {} }, /Standard Schema/],
] as const) {
  test(`definePlugin refuses ${what} at once`, (t) => {
    t.throws(() => definePlugin(definition as never), codeOf('DICOMTAP_ERR_PLG_INVALID', message))
  })
}

test('defineConfig and definePreset give back what they get', async (t) => {
  const config = { aeTitle: 'A' }
  t.is(defineConfig(config), config)
  t.is(await defineConfig(Promise.resolve(config)), config)
  t.is(defineConfig(() => config)(), config)
  const a = plugin('a')
  t.deepEqual(definePreset(a, 'b', false), [a, 'b', false])
})

// Order

test('order: as given unless something must move', (t) => {
  t.deepEqual(order(plugin('c'), plugin('a'), plugin('b')), ['c', 'a', 'b'])
  t.deepEqual(order(plugin('a', { requires: ['c'] }), plugin('b'), plugin('c')), ['c', 'a', 'b'])
  t.deepEqual(order(plugin('a', { after: ['c', 'absent'] }), plugin('b'), plugin('c')), ['c', 'a', 'b'])
  t.deepEqual(order(plugin('a'), plugin('b'), plugin('c', { before: ['b', 'absent'] })), ['a', 'c', 'b'])
})

test('order: names may be given as packages', (t) => {
  t.deepEqual(order(plugin('a', { requires: ['@dicomtap/plugin-b@*'] }), plugin('b')), ['b', 'a'])
  t.deepEqual(order(plugin('a', { requires: ['@site/b@^1'] }), plugin('@site/b', { version: '1.5.0' })), ['@site/b', 'a'])
})

test('order: duplicates', (t) => {
  t.throws(() => order(plugin('a'), plugin('b'), plugin('a')), codeOf('DICOMTAP_ERR_PLG_DUPLICATE', /'a' is loaded 2 times/))
})

test('order: a missing dependency names who requires it and what to do, all at once', (t) => {
  const error = t.throws(
    () => order(plugin('router', { requires: ['storage', 'queue@^1'] }), plugin('index', { requires: ['storage'] })),
    codeOf('DICOMTAP_ERR_PLG_MISSING_DEPENDENCY'),
  )
  t.deepEqual(error?.message.split('\n'), [
    "Plugin 'router' requires 'storage', which is not loaded: add 'storage' to plugins",
    "Plugin 'router' requires 'queue', which is not loaded: add 'queue' to plugins",
    "Plugin 'index' requires 'storage', which is not loaded: add 'storage' to plugins",
  ])
})

test('order: version ranges of the framework and of plugins, prereleases included', (t) => {
  const version = codeOf('DICOMTAP_ERR_PLG_VERSION')
  t.throws(() => orderPlugins([plugin('a', { framework: '^1.0.0' })], '0.1.0'), { ...version, message: /\^1\.0\.0, installed is 0\.1\.0/ })
  t.notThrows(() => orderPlugins([plugin('a', { framework: '^1.0.0' })], '1.1.0-rc.1'))
  t.throws(() => orderPlugins([plugin('a', { framework: '^1.0.0' })], '2.0.0-rc.1'), version)
  const needy = plugin('a', { requires: ['storage@^1'] })
  t.throws(() => order(needy, plugin('storage', { version: '2.0.0' })), { ...version, message: /'a' requires 'storage' \^1, loaded is 2\.0\.0/ })
  t.notThrows(() => order(needy, plugin('storage', { version: '1.9.0-beta.2' })))
})

test('order: a circle is printed with its reasons', (t) => {
  const error = t.throws(
    () => order(plugin('x'), plugin('a', { requires: ['b'] }), plugin('b', { after: ['c'] }), plugin('c'), plugin('a2', { before: ['c'], after: ['a'] })),
    codeOf('DICOMTAP_ERR_PLG_CYCLE'),
  )
  t.is(
    error?.message,
    'Plugins order each other in a circle, a > b > c > a2 > a: a requires b, b stands after c, a2 stands before c, a2 stands after a',
  )
  t.throws(() => order(plugin('a', { requires: ['a'] })), codeOf('DICOMTAP_ERR_PLG_CYCLE', /a > a/))
})

// Container

test('boot applies in order, awaits each, and list tells what was started', async (t) => {
  const { container } = bench()
  const ran: string[] = []
  const slow = definePlugin({
    name: 'slow',
    version: '1.0.0',
    options: z.object({ size: z.number().default(3) }),
    async apply(_api, { size }) {
      await new Promise(setImmediate)
      ran.push(`slow ${size}`)
    },
  })
  container.use(plugin('first', { requires: ['slow@1'], apply: () => void ran.push('first') }), false, [null, [slow(), undefined]])
  t.deepEqual(container.list(), [])
  await container.boot()
  t.deepEqual(ran, ['slow 3', 'first'])
  t.deepEqual(
    container.list().map(({ name, version, requires, options }) => ({ name, version, requires, options })),
    [
      { name: 'slow', version: '1.0.0', requires: [], options: { size: 3 } },
      { name: 'first', version: '0.0.0', requires: ['slow@1'], options: undefined },
    ],
  )
  t.true(container.list().every(({ bootMs }) => bootMs >= 0))
})

test('boot again starts what was added since, which may require what runs', async (t) => {
  const { container, records } = bench()
  const ran: string[] = []
  const tracked = (name: string, fields: object = {}): Plugin => plugin(name, { apply: () => void ran.push(name), ...fields })
  container.use(tracked('a'))
  await container.boot()
  container.use(tracked('b', { requires: ['a'] }), tracked('c', { before: ['a'] }))
  await Promise.all([container.boot(), container.boot()])
  t.is(ran[0], 'a')
  t.deepEqual(ran.toSorted(), ['a', 'b', 'c'], 'each once')
  t.true(records.some(({ level, message }) => level === 'warn' && /'c'.*before a, already started/.test(message)))
  container.use(tracked('a'))
  await t.throwsAsync(container.boot(), codeOf('DICOMTAP_ERR_PLG_DUPLICATE'))
})

test('the api: hooks tapped in the name of the plugin, log with its name, host calls passed on', async (t) => {
  const { container, hooks, records, supported } = bench()
  let api: PluginApi | undefined
  container.use(
    plugin('p', {
      apply(given) {
        api = given
        given.hooks.cEcho.tap(() => 0)
        given.supportSopClass({ uid: '1.2.840.10008.1.1', transferSyntaxes: ['1.2.840.10008.1.2'] })
        given.log.info('hello', { n: 1 })
      },
    }),
  )
  await container.boot()
  t.deepEqual(listTaps(hooks).find(({ hook }) => hook === 'cEcho')?.taps, [{ plugin: 'p', stage: 0 }])
  t.is(supported[0]?.uid, '1.2.840.10008.1.1')
  t.deepEqual(records.find(({ message }) => message === 'hello'), { level: 'info', area: 'plugin', message: 'hello', fields: { plugin: 'p', n: 1 } })
  t.is(api?.resolvePath('data'), '/config/data')
  t.is(api?.config.aeTitle, 'TEST')
  const restore = api!.setLogSink(() => undefined)
  api!.log.info('unseen')
  restore()
  api!.log.info('seen')
  t.deepEqual(records.map(({ message }) => message).filter((message) => message.endsWith('seen')), ['seen'])
})

test('services: provided before they are injected', async (t) => {
  const { container } = bench()
  let injected: unknown
  container.use(
    plugin('index', { apply: (api) => api.provideService('index.query', 42) }),
    plugin('router', {
      apply(api) {
        injected = [api.inject('index.query'), api.injectOptional('absent')]
      },
    }),
  )
  await container.boot()
  t.deepEqual(injected, [42, undefined])
})

test('services: absent or taken ones say who provides what', async (t) => {
  const service = codeOf('DICOMTAP_ERR_PLG_SERVICE')
  const absent = bench().container
  absent.use(plugin('index', { apply: (api) => api.provideService('index.query', 1) }), plugin('router', { apply: (api) => void api.inject('index.qeury') }))
  await t.throwsAsync(absent.boot(), { ...service, message: /'router'.*'index\.qeury'.*did you mean index\.query.*'index\.query' by index/ })
  const nothing = bench().container
  nothing.use(plugin('router', { apply: (api) => void api.inject('x') }))
  await t.throwsAsync(nothing.boot(), { ...service, message: /No service is provided so far/ })
  const taken = bench().container
  taken.use(plugin('a', { apply: (api) => api.provideService('s', 1) }), plugin('b', { apply: (api) => api.provideService('s', 2) }))
  await t.throwsAsync(taken.boot(), { ...service, message: /'b' provides the service 's', which plugin 'a' provides already/ })
})

test('options: every bad path of every plugin, with the file, before anything is applied', async (t) => {
  const { container } = bench({ file: '/etc/dicomtap.config.yaml' })
  let applied = false
  const storage = definePlugin({
    name: 'storage',
    options: z.object({ directory: z.string(), rules: z.array(z.object({ keep: z.boolean() })) }),
    apply: () => undefined,
  })
  container.use(
    plugin('fine', { apply: () => void (applied = true) }),
    storage({ directory: 3, rules: [{ keep: 'yes' }] } as never),
    definePlugin({ name: 'plain', apply: () => undefined })({ surprise: 1 } as never),
  )
  const error = await t.throwsAsync(container.boot(), codeOf('DICOMTAP_ERR_PLG_OPTIONS'))
  const lines = error?.message.split('\n') ?? []
  t.is(lines.length, 3)
  t.regex(lines[0]!, /^dicomtap\.config\.yaml: plugins\[storage\]\.options\.directory: .*string/)
  t.regex(lines[1]!, /^dicomtap\.config\.yaml: plugins\[storage\]\.options\.rules\[0\]\.keep: .*boolean/)
  t.is(lines[2], 'dicomtap.config.yaml: plugins[plain].options: this plugin takes no options')
  t.false(applied)
})

test('options: absent ones validate as {}, any Standard Schema will do, a broken one is told', async (t) => {
  let got: unknown
  const schema = (validate: (value: unknown) => unknown): never => ({ '~standard': { version: 1, vendor: 'test', validate } }) as never
  const { container } = bench()
  container.use(
    definePlugin({ name: 'a', options: schema(async (value) => ({ value: { was: value } })), apply: (_api, options) => void (got = options) })(),
    definePlugin({ name: 'none', apply: () => undefined })(null as never),
  )
  await container.boot()
  t.deepEqual(got, { was: {} })

  const issue = bench().container
  issue.use(definePlugin({ name: 'a', options: schema(() => ({ issues: [{ message: 'bad', path: [{ key: 'list' }, 0] }, { message: 'all' }] })), apply: () => undefined })())
  const error = await t.throwsAsync(issue.boot(), codeOf('DICOMTAP_ERR_PLG_OPTIONS'))
  t.is(error?.message, 'plugins[a].options.list[0]: bad\nplugins[a].options: all')

  const broken = bench().container
  broken.use(definePlugin({ name: 'a', options: schema(() => { throw new Error('boom') }), apply: () => undefined })())
  await t.throwsAsync(broken.boot(), codeOf('DICOMTAP_ERR_PLG_OPTIONS', /the schema failed: boom/))
})

test('a failing apply disposes what was started, in reverse, and the container stays failed', async (t) => {
  const { container, records } = bench()
  const ran: string[] = []
  const disposing = (name: string): Plugin => plugin(name, { apply: (api) => api.onDispose(() => void ran.push(name)) })
  container.use(
    disposing('a'),
    plugin('b', {
      apply(api) {
        api.onDispose(() => {
          throw new Error('stuck')
        })
        api.onDispose(() => void ran.push('b'))
      },
    }),
    plugin('broken', {
      async apply(api) {
        api.onDispose(() => void ran.push('broken'))
        throw new Error('no disk')
      },
    }),
    plugin('never', { apply: () => void ran.push('never') }),
  )
  const error = await t.throwsAsync(container.boot(), codeOf('DICOMTAP_ERR_PLG_FAILED', "Plugin 'broken' failed to start: no disk"))
  t.true(error?.cause instanceof Error && error.cause.message === 'no disk')
  t.deepEqual(ran, ['broken', 'b', 'a'])
  t.true(records.some(({ message }) => message.includes("'b' failed to close: stuck")))
  await t.throwsAsync(container.boot(), { is: error })
})

test('a wrong tap in apply keeps its own code', async (t) => {
  const { container } = bench()
  container.use(plugin('a', { apply: (api) => api.hooks.cEcho.tap(5 as never) }))
  await t.throwsAsync(container.boot(), codeOf('DICOMTAP_ERR_HOOK_TAP'))
})

test('a start that takes too long stops the boot; what it registers later is disposed at once', async (t) => {
  const { container } = bench({ bootTimeoutMs: 1 })
  let goOn: () => void = () => undefined
  const disposed = new Promise<string>((resolveDisposed) => {
    container.use(
      plugin('slow', {
        async apply(api) {
          await new Promise<void>((go) => (goOn = go))
          api.onDispose(() => resolveDisposed('late'))
        },
      }),
    )
  })
  await t.throwsAsync(container.boot(), codeOf('DICOMTAP_ERR_PLG_TIMEOUT', /'slow' did not finish its start within 1 ms/))
  goOn()
  t.is(await disposed, 'late')
})

test('dispose: reverse over all plugins, each awaited, errors collected, once', async (t) => {
  const { container } = bench()
  const ran: string[] = []
  const two = (name: string): Plugin =>
    plugin(name, {
      apply(api) {
        api.onDispose(async () => {
          await new Promise(setImmediate)
          ran.push(`${name}1`)
        })
        api.onDispose(() => {
          ran.push(`${name}2`)
          throw new Error(`${name} boom`)
        })
      },
    })
  container.use(two('a'), two('b'))
  await container.boot()
  const errors = await container.dispose()
  t.deepEqual(ran, ['b2', 'b1', 'a2', 'a1'])
  t.deepEqual(errors.map(({ message }) => message), ["Plugin 'b' failed to close: b boom", "Plugin 'a' failed to close: a boom"])
  t.is(await container.dispose(), errors)
  t.is(ran.length, 4)
})

for (const [what, input, message] of [
  ['a factory that was not called', definePlugin({ name: 'a', apply: () => undefined }), /'a' is a factory: call it/],
  ['a package name', 'dicomtap-plugin-a', /'dicomtap-plugin-a' is a package name/],
  ['a package name with options', { use: 'dicomtap-plugin-a' }, /'dicomtap-plugin-a' is a package name/],
  ['an object that is no plugin', { name: 'a' }, /got object/],
  ['true', true, /got boolean/],
] as const) {
  test(`use refuses ${what}`, (t) => {
    t.throws(() => bench().container.use([input as never]), codeOf('DICOMTAP_ERR_PLG_INVALID', message))
  })
}

// Secrets

test('resolveSecret: a value, a file without its last line break, a variable', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'dicomtap-secret-'))
  t.teardown(() => rm(directory, { recursive: true }))
  await writeFile(join(directory, 'passcode'), 'open sesame \n')
  await writeFile(join(directory, 'empty'), '\n')
  await writeFile(join(directory, 'huge'), Buffer.alloc(65_537, 'a'))
  const resolvePath = (path: string): string => join(directory, path)
  process.env.DICOMTAP_TEST_SECRET = 'from env'
  t.teardown(() => delete process.env.DICOMTAP_TEST_SECRET)

  t.is(await resolveSecret('plain', resolvePath), 'plain')
  t.is(await resolveSecret({ file: 'passcode' }, resolvePath), 'open sesame ')
  t.is(await resolveSecret({ env: 'DICOMTAP_TEST_SECRET' }, resolvePath), 'from env')
  const options = (message: RegExp): object => codeOf('DICOMTAP_ERR_PLG_OPTIONS', message)
  await t.throwsAsync(resolveSecret({ file: 'absent' }, resolvePath), options(/absent cannot be read \(ENOENT\)/))
  await t.throwsAsync(resolveSecret({ file: 'empty' }, resolvePath), options(/empty is empty/))
  await t.throwsAsync(resolveSecret({ file: 'huge' }, resolvePath), options(/larger than 64 KiB/))
  await t.throwsAsync(resolveSecret({ env: 'DICOMTAP_TEST_ABSENT' }, resolvePath), options(/DICOMTAP_TEST_ABSENT is not set/))
})

test('redactOptions hides what is named like a secret and shows where secrets come from', (t) => {
  const circular: Record<string, unknown> = { name: 'c' }
  circular.self = circular
  const original = {
    password: 'p', dbPassword: 'p', DB_PASSWORD: 'p', passcode: 1234, 'api-key': 'p', clientSecret: 'p', accessTokens: ['p', 'q'], key: Buffer.from('p'),
    privateKey: { file: './key.pem' }, token: { env: 'TOKEN' }, nested: [{ secret: { value: 'p' } }], passphrase: null, hasPassword: true,
    keyword: 'shown', monkey: 'shown', keyFile: './key.pem', passive: 'shown', url: 'postgres://me:p@host/db', inQuery: 'postgres://me@host/db?sslmode=require&password=p', raw: 'postgres://me:p/a@q@host/db', plain: 'http://host:80/a',
    bytes: Buffer.from('abc'), big: 1n, run: function hello() {}, circular,
    map: new Map([['password', 'p'], ['user', 'shown']]),
  }
  const redacted = redactOptions(original)
  t.deepEqual(redacted, {
    password: '***', dbPassword: '***', DB_PASSWORD: '***', passcode: '***', 'api-key': '***', clientSecret: '***', accessTokens: '***', key: '***',
    privateKey: { file: './key.pem' }, token: { env: 'TOKEN' }, nested: [{ secret: '***' }], passphrase: null, hasPassword: true,
    keyword: 'shown', monkey: 'shown', keyFile: './key.pem', passive: 'shown', url: 'postgres://me:***@host/db', inQuery: 'postgres://me@host/db?sslmode=require&password=***', raw: 'postgres://me:***@host/db', plain: 'http://host:80/a',
    bytes: '[3 bytes]', big: '1', run: '[function hello]', circular: { name: 'c', self: '[circular]' },
    map: { password: '***', user: 'shown' },
  })
  t.is(original.password, 'p')
  const pem = '-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----\n'
  const shown = [
    { cert: './server.pem', key: './server.key' }, { privateKey: '/etc/dicomtap/tls/server.pem' }, { tlsKey: 'C:\\keys\\server.p8' },
    { cert: '/run/secrets/tls_cert', key: '/run/secrets/tls_key' }, { cert: 'server.crt', key: '../keys/server' },
  ]
  for (const each of shown) t.deepEqual(redactOptions(each), each)
  const hidden = [
    { key: 'p' }, { key: '/run/secrets/tls_key' }, { key: '/9j/4AAQSkZJRgABAQ==' }, { cert: './server.pem', key: '/9j+4AAQSkZJRgABAQ==' },
    { cert: pem, key: pem }, { cert: './server.pem', key: pem }, { cert: './server.pem', key: './a\nb.pem' }, { apiKey: 'prod.key' },
    { cert: './server.pem', key: 'correct horse battery staple' }, { key: ['./a.pem'] }, { key: `${'a'.repeat(2000)}.pem` },
  ]
  for (const each of hidden) t.is((redactOptions(each) as Record<string, unknown>)[Object.keys(each).at(-1)!], '***', JSON.stringify(each))
  t.notThrows(() => JSON.stringify(redacted))
})
