import { readFile } from 'node:fs/promises'
import test from 'ava'
import { configJsonSchema, DicomtapError, HOOK_CATALOG, HOOK_NAMES } from '@dicomtap/framework'
import { exitCodeOf, problemsOf, reportError } from '../dist/output/report-error.js'
import { createProgram } from '../dist/program.js'
import type { CheckReport, HookReport, PluginsReport } from '../dist/index.js'
import { run } from './support/run.js'
import { ECHO, makeSite, pluginPackage } from './support/site.js'

const CONFIG = { 'dicomtap.config.yaml': 'aeTitle: ARCHIVE\nlisten: [{ port: 11112 }, { host: "::1", port: 2762, aeTitle: TLS }]\nplugins: [dicomtap-plugin-echo]\n' }

test('every command has a help with examples and exit codes', async (t) => {
  const cwd = await makeSite(t)
  const program = createProgram({} as never, () => {})
  const names = program.commands.map((command) => command.name())
  t.deepEqual(names, ['start', 'check', 'hooks', 'plugins', 'schema', 'echo', 'store', 'find', 'get', 'move'])
  const top = await run(['--help'], { cwd })
  t.is(top.code, 0)
  for (const name of names) {
    t.regex(top.stdout, new RegExp(`^  ${name} `, 'm'))
    const help = await run([name, '--help'], { cwd })
    t.is(help.code, 0)
    t.regex(help.stdout, new RegExp(`^Examples:\n  dicomtap ${name}`, 'm'), name)
    t.regex(help.stdout, /^Exit codes: 0 /m, name)
  }
})

test('the README has every command and option', async (t) => {
  const readme = await readFile(new URL('../README.md', import.meta.url), 'utf8')
  for (const command of createProgram({} as never, () => {}).commands) {
    t.regex(readme, new RegExp(`^\\| \`dicomtap ${command.name()}\\b`, 'm'))
    for (const { flags } of command.options) t.true(readme.includes(`| \`${flags}\` |`), `${command.name()} ${flags}`)
  }
})

test('--version is the version of the package', async (t) => {
  const { version } = JSON.parse(await readFile(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }
  t.deepEqual(await run(['--version'], { cwd: await makeSite(t) }), { code: 0, stdout: `${version}\n`, stderr: '' })
})

const USAGE: readonly (readonly [args: readonly string[], says: RegExp])[] = [
  [[], /^Usage: dicomtap/],
  [['strat'], /unknown command 'strat'\n\(Did you mean start\?\)/],
  [['start', '--prot', '1'], /unknown option '--prot'\n\(Did you mean --port\?\)/],
  [['start', 'extra'], /too many arguments/],
  [['start', '--port', '65536'], /A port is a number from 0 to 65535/],
  [['start', '--port', ''], /A port is a number/],
  [['start', '--ae-title', 'SEVENTEEN_LETTERS'], /An AE title has 1 to 16 characters/],
  [['start', '--ae-title', 'A\\B'], /An AE title has 1 to 16 characters/],
  [['start', '--ae-title', '  '], /An AE title has 1 to 16 characters/],
  [['start', '--log-level', 'loud'], /Allowed choices are error, warn, info, debug, trace, silent/],
  [['start', '--config'], /argument missing/],
  [['hooks', 'cStroe'], /^error DICOMTAP_ERR_HOOK_UNKNOWN: There is no hook 'cStroe'; did you mean cStore/],
]
for (const [args, says] of USAGE) {
  test(`usage: dicomtap ${args.join(' ')}`, async (t) => {
    const { code, stdout, stderr } = await run(args, { cwd: await makeSite(t) })
    t.is(code, 2)
    t.is(stdout, '')
    t.regex(stderr, says)
  })
}

test('errors have no stack without --verbose, and have one with it', async (t) => {
  const cwd = await makeSite(t, { 'dicomtap.config.json': '{"plugins":["absent"]}' })
  t.notRegex((await run(['start'], { cwd })).stderr, /\n\s+at /)
  t.regex((await run(['start', '--verbose'], { cwd })).stderr, /\n\s+at /)
  t.regex((await run(['check', '--verbose'], { cwd })).stderr, /\n\s+at /)
  t.regex((await run(['check'], { cwd, env: { DEBUG: '1' } })).stderr, /\n\s+at /)
})

test('problems and exit codes of errors, also of several', (t) => {
  const config = new DicomtapError('DICOMTAP_ERR_CFG_INVALID', 'a.yaml: one\na.yaml: two')
  const plugin = new DicomtapError('DICOMTAP_ERR_PLG_NOT_FOUND', 'three')
  t.deepEqual(problemsOf(new AggregateError([config, plugin], 'two')), [
    { code: 'DICOMTAP_ERR_CFG_INVALID', message: 'a.yaml: one' },
    { code: 'DICOMTAP_ERR_CFG_INVALID', message: 'a.yaml: two' },
    { code: 'DICOMTAP_ERR_PLG_NOT_FOUND', message: 'three' },
  ])
  t.is(exitCodeOf(new AggregateError([config, plugin], 'two')), 78)
  const bug = new RangeError('bug\nwith details')
  t.deepEqual(problemsOf(bug), [{ code: undefined, message: 'RangeError: bug' }])
  t.is(exitCodeOf(new AggregateError([config, bug], 'two')), 1)
  t.is(exitCodeOf(new DicomtapError('DICOMTAP_ERR_NET_LISTEN', 'in use')), 1)
})

test('colours are on only when asked for or on a terminal', async (t) => {
  const cwd = await makeSite(t, { ...ECHO, ...CONFIG })
  const isColored = async (env: Record<string, string>) => (await run(['plugins'], { cwd, env })).stdout.includes('\u001b[1m')
  t.false(await isColored({}))
  t.true(await isColored({ FORCE_COLOR: '1' }))
  t.false(await isColored({ FORCE_COLOR: '1', NO_COLOR: '1' }))
})

test('check prints title, listeners, plugins and settings; nothing on stderr', async (t) => {
  const cwd = await makeSite(t, { ...ECHO, ...CONFIG })
  const { code, stdout, stderr } = await run(['check'], { cwd })
  t.is(code, 0)
  t.is(stderr, '')
  for (const line of [
    /^The configuration is right\. dicomtap\.config\.yaml$/m,
    /^AE title {3}ARCHIVE$/m,
    /^Listeners {2}port 11112$/m,
    /^ {11}\[::1\]:2762 as TLS$/m,
    /^Contexts {3}1 supported$/m,
    /^ {2}1\. dicomtap-plugin-echo 1\.2\.3 \([\d.]+ ms\)\n {5}loud: false$/m,
    /^ {2}timeouts\.acseMs: 30000$/m,
    /^ {2}limits\.maximumAssociations: 100$/m,
  ]) {
    t.regex(stdout, line)
  }
})

test('check --json has the resolved configuration and no secret', async (t) => {
  const cwd = await makeSite(t, {
    ...pluginPackage('vault', `export const vault = definePlugin({ name: 'vault', options: { '~standard': { version: 1, vendor: 'test', validate: (value) => ({ value }) } }, apply() {} })`),
    'dicomtap.config.yaml': `plugins:
  - use: vault
    options: { password: hunter2, url: "postgres://me:hunter2@db/x", token: { file: ./token }, deep: [{ apiKey: hunter2 }] }
`,
  })
  const { code, stdout, stderr } = await run(['check', '--json'], { cwd })
  t.is(code, 0, stderr)
  t.notRegex(stdout + stderr, /hunter2/)
  const report = JSON.parse(stdout) as CheckReport
  t.deepEqual(Object.keys(report), ['ok', 'problems', 'findings', 'file', 'aeTitle', 'listeners', 'plugins', 'supportedContexts', 'config'])
  t.deepEqual(report.listeners, [{ host: null, port: 11112, aeTitle: 'DICOMTAP' }])
  t.like(report.plugins?.[0]?.options, { token: { file: './token' } })
  t.like(report.config, { aeTitle: 'DICOMTAP', timeouts: { acseMs: 30000 } })
  t.notRegex((await run(['check'], { cwd })).stdout, /hunter2/)
  t.notRegex((await run(['plugins', '--json'], { cwd })).stdout, /hunter2/)
})

test('check tells what plugins found; an error among it is exit code 1', async (t) => {
  const config = (findings: string): string => `import { definePlugin } from '@dicomtap/framework'
export default { plugins: [definePlugin({ name: 'finder', apply(api) {
  api.hooks.diagnose.tapPromise(async ({ report }) => { for (const one of ${findings}) report({ plugin: 'finder', ...one }) })
} })()] }`
  const warning = "{ level: 'warning', message: 'expires in 7 days\\u001b[2J' }"
  const cwd = await makeSite(t, {
    'dicomtap.config.mjs': config(`[${warning}]`),
    'other.mjs': config(`[${warning}, { level: 'error', message: 'has expired' }]`),
  })
  const fine = await run(['check'], { cwd })
  t.is(fine.code, 0)
  t.is(fine.stderr, 'warning finder: expires in 7 days\\u001b[2J\n')
  t.regex(fine.stdout, /^The configuration is right\./)
  const wrong = await run(['check', '--config', 'other.mjs'], { cwd })
  t.is(wrong.code, 1)
  t.regex(wrong.stderr, /^warning finder: .*\nerror finder: has expired\n$/)
  t.regex(wrong.stdout, /^The server would start, but something is wrong\./)
  const { ok, findings } = JSON.parse((await run(['check', '--json', '--config', 'other.mjs'], { cwd })).stdout) as CheckReport
  t.false(ok)
  t.deepEqual(findings?.map(({ level }) => level), ['warning', 'error'])
})

test('check starts plugins without a port and disposes them', async (t) => {
  const cwd = await makeSite(t, {
    'dicomtap.config.mjs': `import { definePlugin } from '@dicomtap/framework'
const log = (text) => () => process.stderr.write(text + '\\n')
export default { plugins: [definePlugin({ name: 'steps', apply(api) {
  api.hooks.ready.tapPromise(async () => log('ready')())
  api.hooks.listening.tapPromise(async () => log('listening')())
  api.onDispose(log('disposed'))
  setInterval(() => {}, 1000)
} })()] }`,
  })
  const { code, stderr } = await run(['check'], { cwd })
  t.is(code, 0)
  t.is(stderr, 'ready\ndisposed\n')
})

test('hooks lists hooks in use with their taps in order', async (t) => {
  const cwd = await makeSite(t, {
    ...ECHO,
    ...pluginPackage('guard', `export const guard = definePlugin({ name: 'guard', apply(api) { api.hooks.cEcho.tap({ stage: Stage.Guard, sopClasses: ['1.2.840.10008.1.1'] }, () => undefined) } })`),
    'dicomtap.config.yaml': 'plugins: [dicomtap-plugin-echo, guard]\n',
  })
  t.is((await run(['hooks'], { cwd })).stdout, 'cEcho intervention\n  1.  guard                 Guard  1.2.840.10008.1.1\n  2.  dicomtap-plugin-echo  Late\n')
  const reports = JSON.parse((await run(['hooks', '--json'], { cwd })).stdout) as HookReport[]
  t.deepEqual(reports.map(({ hook, taps }) => ({ hook, taps })), [
    {
      hook: 'cEcho',
      taps: [
        { plugin: 'guard', stage: -1000, sopClasses: ['1.2.840.10008.1.1'] },
        { plugin: 'dicomtap-plugin-echo', stage: 100 },
      ],
    },
  ])
  const all = JSON.parse((await run(['hooks', '--all', '--json'], { cwd })).stdout) as HookReport[]
  t.deepEqual(all.map(({ hook }) => hook), [...HOOK_NAMES])
  const one = JSON.parse((await run(['hooks', 'cEcho', '--json'], { cwd })).stdout) as HookReport
  t.like(one, { hook: 'cEcho', fires: HOOK_CATALOG.cEcho.fires })
  t.is(one.taps.length, 2)
})

test('hooks explains a hook without a configuration, and lists only with one', async (t) => {
  const cwd = await makeSite(t)
  const { code, stdout, stderr } = await run(['hooks', 'cStore'], { cwd })
  t.is(code, 0)
  t.is(stderr, 'No configuration in this folder: no plugins are shown.\n')
  for (const text of [HOOK_CATALOG.cStore.fires, HOOK_CATALOG.cStore.noAnswer, 'PS3.7 9.1.1', 'EVT_C_STORE']) t.true(stdout.includes(text), text)
  t.is((await run(['hooks', '--all'], { cwd })).stdout.split('\n').length - 1, HOOK_NAMES.length)
  t.is((await run(['hooks'], { cwd })).code, 78)
  t.is((await run(['hooks', 'cStore', '--config', 'absent.yaml'], { cwd })).code, 78)
})

test('plugins tells loaded from installed ones', async (t) => {
  const cwd = await makeSite(t, {
    ...ECHO,
    ...CONFIG,
    ...pluginPackage('dicomtap-plugin-spare', ''),
    ...pluginPackage('not-a-plugin', '', { keywords: [] }),
    'package.json': JSON.stringify({
      dependencies: { 'dicomtap-plugin-echo': '1', 'dicomtap-plugin-spare': '1', 'not-a-plugin': '1', 'not-installed': '1' },
    }),
  })
  const { code, stdout } = await run(['plugins'], { cwd })
  t.is(code, 0)
  t.regex(stdout, /^ {2}dicomtap-plugin-echo {2}1\.2\.3 {2}[\d.]+ ms {2}cEcho$/m)
  t.regex(stdout, /Installed, not loaded\n {2}dicomtap-plugin-spare {2}1\.2\.3 {2}The dicomtap-plugin-spare plugin\n/)
  const report = JSON.parse((await run(['plugins', '--json'], { cwd })).stdout) as PluginsReport
  t.like(report.loaded[0], { name: 'dicomtap-plugin-echo', version: '1.2.3', hooks: ['cEcho'], options: { loud: false } })
  t.deepEqual(report.installed, [{ package: 'dicomtap-plugin-spare', version: '1.2.3', description: 'The dicomtap-plugin-spare plugin' }])
})

test('schema: the one in the package is that of the framework, the printed one knows the installed plugins', async (t) => {
  const shipped = JSON.parse(await readFile(new URL('../schema.json', import.meta.url), 'utf8')) as object
  t.deepEqual(shipped, JSON.parse(JSON.stringify(configJsonSchema())), 'run: dicomtap schema --no-plugins > packages/cli/schema.json')
  const cwd = await makeSite(t, {
    ...ECHO,
    'node_modules/dicomtap-plugin-echo/schema.json': JSON.stringify({ $schema: 'x', type: 'object', properties: { loud: { type: 'boolean' } } }),
    'package.json': JSON.stringify({ dependencies: { 'dicomtap-plugin-echo': '1' } }),
  })
  t.deepEqual(JSON.parse((await run(['schema', '--no-plugins'], { cwd })).stdout), shipped)
  const printed = JSON.parse((await run(['schema'], { cwd })).stdout) as { properties: { plugins: { anyOf: unknown; items: { allOf: unknown[] } } } }
  t.truthy(printed.properties.plugins.anyOf)
  t.deepEqual(printed.properties.plugins.items.allOf, [
    {
      if: { type: 'object', properties: { use: { const: 'dicomtap-plugin-echo' } }, required: ['use'] },
      // oxlint-disable-next-line unicorn/no-thenable -- a keyword of JSON Schema
      then: { properties: { options: { type: 'object', properties: { loud: { type: 'boolean' } } } } },
    },
  ])
})

test.serial('an error prints nothing that steers the terminal: names and values of a peer may be in it', (t) => {
  const written: string[] = []
  const { write } = process.stderr
  process.stderr.write = (text: string | Uint8Array) => written.push(String(text)) > 0
  try {
    reportError(new DicomtapError('DICOMTAP_ERR_NET_CONNECT', 'Cannot connect: \u001b]0;title\u0007 \u009b2J\u202e'), true)
  } finally {
    process.stderr.write = write
  }
  t.regex(written.join(''), /Cannot connect: \\u001b\]0;title\\u0007 \\u009b2J\\u202e\n/u)
  // oxlint-disable-next-line no-control-regex -- they are what must not be there
  t.notRegex(written.join(''), /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/u)
})
