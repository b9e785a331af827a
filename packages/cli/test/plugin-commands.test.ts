import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { defineCommand } from '@dicomtap/framework'
import { buildCommand, createProgram, FIRST_PARTY_COMMANDS } from '@dicomtap/cli'
import { OWN_COMMANDS } from '../dist/own-commands.js'
import { notInstalled } from '../dist/plugin-commands/first-party.js'
import { addPluginCommands } from '../dist/plugin-commands/register.js'
import type { PluginsReport } from '../dist/index.js'
import { run } from './support/run.js'
import { runUntilKilled } from './support/scu.js'
import { ECHO, makeSite, pluginPackage } from './support/site.js'

/** An installed plugin package with commands: their modules by name. */
function withCommands(name: string, commands: Readonly<Record<string, string>>, plugin: string = ''): Record<string, string> {
  const files = Object.entries(commands).map(([command, source]) => [
    `node_modules/${name}/${command}.js`,
    `import { defineCommand, DicomtapError } from '@dicomtap/framework'\n${source}`,
  ])
  const paths = Object.fromEntries(Object.keys(commands).map((command) => [command, `./${command}.js`]))
  return { ...pluginPackage(name, plugin, { dicomtap: { commands: paths } }), ...Object.fromEntries(files) }
}

const dependsOn = (...names: readonly string[]): Record<string, string> => ({
  'package.json': JSON.stringify({ dependencies: Object.fromEntries(names.map((name) => [name, '1'])) }),
})

const SHOW = `export const command = defineCommand({
  name: 'show', summary: 'Show what came.', help: 'Examples:\\n  dicomtap show a b',
  arguments: [{ name: '<first>', description: 'one' }, { name: '[rest...]', description: 'more' }],
  options: [{ flags: '--depth <n>', description: 'how deep', default: '1', choices: ['1', '2'] }, { flags: '--not-after <day>', description: 'until' }],
  async run({ arguments: args, options, cwd, stdout }) { stdout.write(JSON.stringify({ args, options, cwd })) },
})`

test('a command of a plugin gets its arguments and options, and stands in the list', async (t) => {
  const cwd = await makeSite(t, { ...withCommands('dicomtap-plugin-show', { show: SHOW }), ...dependsOn('dicomtap-plugin-show') })
  const { code, stdout, stderr } = await run(['show', 'a', 'b', 'c', '--not-after', 'today', '--verbose'], { cwd })
  t.is(stderr, '')
  t.is(code, 0)
  t.deepEqual(JSON.parse(stdout), { args: ['a', ['b', 'c']], options: { depth: '1', notAfter: 'today' }, cwd })
  const [list, help, explained] = await Promise.all([run(['--help'], { cwd }), run(['show', '--help'], { cwd }), run(['help', 'show'], { cwd })])
  t.regex(list.stdout, /^Commands of plugins:\n {2}show +Comes with dicomtap-plugin-show\.$/m)
  t.regex(help.stdout, /^Usage: dicomtap show \[options\] <first> \[rest\.\.\.\]\n\nShow what came\./)
  for (const text of ['--not-after <day>', '-c, --config <file>', '--verbose', 'Examples:\n  dicomtap show a b', 'Exit codes: 0 fine']) t.true(help.stdout.includes(text), text)
  t.is(explained.stdout, help.stdout)
})

test('wrong usage of a plugin\'s command: exit code 2', async (t) => {
  const cwd = await makeSite(t, { ...withCommands('dicomtap-plugin-show', { show: SHOW }), ...dependsOn('dicomtap-plugin-show') })
  for (const [args, says] of [
    [['show'], /missing required argument 'first'/],
    [['show', 'a', '--depth', '3'], /Allowed choices are 1, 2/],
    [['show', 'a', '--deth', '1'], /unknown option '--deth'\n\(Did you mean --depth\?\)/],
    [['shwo'], /unknown command 'shwo'/],
  ] as const) {
    const { code, stdout, stderr } = await run(args, { cwd })
    t.is(code, 2)
    t.is(stdout, '')
    t.regex(stderr, says)
  }
})

test('commands within a command, to any depth', async (t) => {
  const source = `const leaf = (name) => ({ name, summary: 'Leaf.', async run({ stdout }) { stdout.write(name) ; return 3 } })
export const command = defineCommand({ name: 'tree', summary: 'A tree.', commands: [leaf('one'), { name: 'more', summary: 'More.', commands: [leaf('two')] }] })`
  const cwd = await makeSite(t, { ...withCommands('dicomtap-plugin-tree', { tree: source }), ...dependsOn('dicomtap-plugin-tree') })
  t.deepEqual(await run(['tree', 'one'], { cwd }), { code: 3, stdout: 'one', stderr: '' })
  t.deepEqual(await run(['tree', 'more', 'two'], { cwd }), { code: 3, stdout: 'two', stderr: '' })
  const none = await run(['tree'], { cwd })
  t.is(none.code, 2)
  t.regex(none.stderr, /^Usage: dicomtap tree/)
  t.regex((await run(['tree', 'tow'], { cwd })).stderr, /unknown command 'tow'/)
})

test('what a command throws is one line, with the exit code that it deserves', async (t) => {
  const source = (name: string, error: string): string => `export const command = defineCommand({ name: '${name}', summary: 'Fails.', async run() { throw ${error} } })`
  const commands = {
    config: source('config', "new DicomtapError('DICOMTAP_ERR_CFG_INVALID', 'a.yaml: no')"),
    net: source('net', "new DicomtapError('DICOMTAP_ERR_NET_CONNECT', 'no\\u001b[2J way')"),
    bug: source('bug', "new RangeError('bug')"),
    nonsense: `export const command = defineCommand({ name: 'nonsense', summary: 'Nonsense.', async run() { return 'fine' } })`,
  }
  const cwd = await makeSite(t, { ...withCommands('dicomtap-plugin-failing', commands), ...dependsOn('dicomtap-plugin-failing') })
  t.deepEqual(await run(['config'], { cwd }), { code: 78, stdout: '', stderr: 'error DICOMTAP_ERR_CFG_INVALID: a.yaml: no\n' })
  t.deepEqual(await run(['net'], { cwd }), { code: 1, stdout: '', stderr: 'error DICOMTAP_ERR_NET_CONNECT: no\\u001b[2J way\n' })
  t.regex((await run(['bug'], { cwd })).stderr, /^error: RangeError: bug\nRun it again with --verbose/)
  t.regex((await run(['bug', '--verbose'], { cwd })).stderr, /\n\s+at /)
  t.is((await run(['nonsense'], { cwd })).code, 1)
})

test('a command sees the configuration and the validated options of its plugin', async (t) => {
  const source = `export const command = defineCommand({ name: 'ask', summary: 'Asks.', async run({ loadConfig, pluginOptions, stdout }) {
  const echo = await pluginOptions('dicomtap-plugin-echo')
  stdout.write(JSON.stringify([(await loadConfig()).aeTitle, echo.options, echo.resolvePath('x'), await pluginOptions('storage') ?? null]))
} })`
  const config = (options: string): string => `aeTitle: ARCHIVE\nplugins: [{ use: dicomtap-plugin-echo, options: ${options} }]\n`
  const cwd = await makeSite(t, {
    ...ECHO,
    ...withCommands('dicomtap-plugin-ask', { ask: source }),
    ...dependsOn('dicomtap-plugin-ask'),
    'site/dicomtap.config.yaml': config('{ loud: true }'),
    'site/wrong.yaml': config('{ loud: 1 }'),
  })
  const given = await run(['ask', '--config', 'site/dicomtap.config.yaml'], { cwd })
  t.deepEqual(JSON.parse(given.stdout), ['ARCHIVE', { loud: true }, join(cwd, 'site', 'x'), null])
  const wrong = await run(['ask', '-c', 'site/wrong.yaml'], { cwd })
  t.is(wrong.code, 78)
  t.regex(wrong.stderr, /DICOMTAP_ERR_PLG_OPTIONS: wrong\.yaml: plugins\[dicomtap-plugin-echo\]\.options\.loud: expected a boolean/)
  const absent = await run(['ask'], { cwd })
  t.is(absent.code, 78)
  t.regex(absent.stderr, /DICOMTAP_ERR_CFG_NOT_FOUND/)
})

test('a command works with the services of the plugins, which start without listening and stop', async (t) => {
  const plugin = `export const counter = definePlugin({
    name: 'dicomtap-plugin-counter',
    apply(api) {
      const steps = ['apply']
      api.hooks.ready.tap(() => { steps.push('ready') })
      api.hooks.listening.tap(() => { steps.push('listening') })
      api.hooks.preClose.tap(() => { steps.push('preClose') })
      api.onDispose(() => { process.stderr.write([...steps, 'disposed'].join(' ')) })
      api.log.info('of no interest')
      api.provideService('counter', { steps })
    },
  })`
  const source = `export const command = defineCommand({ name: 'count', summary: 'Counts.', options: [{ flags: '--fail', description: 'fails' }], async run({ withServices, options, stdout }) {
  const seen = await withServices(async ({ inject, injectOptional }) => {
    if (options.fail) throw new DicomtapError('DICOMTAP_ERR_NET_CONNECT', 'no way')
    inject('counter').steps.push('used')
    return [injectOptional('nothing') ?? null, ...inject('counter').steps]
  })
  stdout.write(JSON.stringify(seen))
} })`
  const cwd = await makeSite(t, {
    ...withCommands('dicomtap-plugin-counter', { count: source }, plugin),
    ...dependsOn('dicomtap-plugin-counter'),
    'dicomtap.config.yaml': 'plugins: [dicomtap-plugin-counter]\nlisten: [{ port: 1 }]\n',
    'wrong.yaml': 'plugins: [dicomtap-plugin-counter]\nlisten: [{ port: -1 }]\n',
  })
  t.deepEqual(await run(['count'], { cwd }), { code: 0, stdout: '[null,"apply","ready","used"]', stderr: 'apply ready used preClose disposed' })
  const failed = await run(['count', '--fail'], { cwd })
  t.is(failed.code, 1)
  t.regex(failed.stderr, /^apply ready preClose disposederror DICOMTAP_ERR_NET_CONNECT: no way$/m)
  t.is((await run(['count', '-c', 'wrong.yaml'], { cwd })).code, 78)
})

test('commands that cannot be used: why, and by which package', async (t) => {
  const one = (name: string): string => `export const command = defineCommand({ name: '${name}', summary: 'One.', async run() {} })`
  const cwd = await makeSite(t, {
    ...withCommands('dicomtap-plugin-a', { twice: one('twice'), start: one('start'), other: one('another'), broken: 'throw new Error("not today")', empty: 'export const nothing = 1' }),
    ...withCommands('dicomtap-plugin-b', { twice: one('twice'), doubled: "export const command = { name: 'doubled', summary: 'x', options: [{ flags: '--config <x>', description: '' }], run() {} }" }),
    ...pluginPackage('dicomtap-plugin-c', '', { dicomtap: { commands: { away: '../dicomtap-plugin-a/twice.js', rooted: '/etc/passwd', 'UP PER': './x.js', number: 1, gone: './gone.js' } } }),
    ...pluginPackage('not-a-plugin', '', { keywords: [], dicomtap: { commands: { stray: './x.js' } } }),
    ...pluginPackage('dicomtap-plugin-d', '', { dicomtap: 'none' }),
    ...dependsOn('dicomtap-plugin-a', 'dicomtap-plugin-b', 'dicomtap-plugin-c', 'dicomtap-plugin-d', 'not-a-plugin'),
    'dicomtap.config.yaml': 'plugins: [dicomtap-plugin-a]\n',
    'node_modules/dicomtap-plugin-a/index.js': "import { definePlugin } from '@dicomtap/framework'\nexport const a = definePlugin({ name: 'dicomtap-plugin-a', apply() {} })\n",
  })
  for (const [name, says] of [
    ['twice', /both dicomtap-plugin-a and dicomtap-plugin-b bring this command; keep one/],
    ['other', /dicomtap other of dicomtap-plugin-a: its module exports the command "another"/],
    ['broken', /dicomtap broken of dicomtap-plugin-a: it cannot be loaded: not today/],
    ['empty', /exports no command/],
    ['doubled', /every command has --config <x>/],
    ['away', /dicomtap-plugin-c: dicomtap\.commands\.away in its package\.json leads out of the package/],
    ['rooted', /leads out of the package/],
    ['number', /must be the path of a module/],
    ['gone', /there is no .*gone\.js; is the package built\?/],
  ] as const) {
    const adding = addPluginCommands(createProgram({} as never, () => {}), [name, '--config', join(cwd, 'dicomtap.config.yaml')], () => {})
    const { message } = await t.throwsAsync(adding, { code: 'DICOMTAP_ERR_PLG_COMMAND', message: says }, name)
    t.false(message.includes('\n'), name)
  }
  const { code, stdout, stderr } = await run(['gone'], { cwd })
  t.is(code, 1)
  t.is(stdout, '')
  t.regex(stderr, /^error DICOMTAP_ERR_PLG_COMMAND: dicomtap gone of dicomtap-plugin-c: [^\n]*\n$/)
  t.regex((await run(['stray'], { cwd })).stderr, /unknown command 'stray'/)
  t.regex((await run(['start', '--help'], { cwd })).stdout, /Run the server until it is told to stop/)
  const list = await run(['--help'], { cwd })
  t.is(list.code, 0)
  t.regex(list.stderr, /warning: dicomtap-plugin-a: its command "start" cannot be used, dicomtap has one of this name\n/)
  t.notRegex(list.stdout, /twice/)
  const { commands, commandProblems } = JSON.parse((await run(['plugins', '--json'], { cwd })).stdout) as PluginsReport
  t.deepEqual(commands.filter(({ package: from }) => from === 'dicomtap-plugin-a').map(({ name }) => name), ['other', 'broken', 'empty'])
  t.true(commandProblems.some((problem) => problem.includes('"UP PER"')))
})

test('a plugin package can try its own command where it is written, and is not taken for a configuration', async (t) => {
  const cwd = await makeSite(t, {
    'package.json': JSON.stringify({ name: 'dicomtap-plugin-mine', type: 'module', keywords: ['dicomtap-plugin'], dicomtap: { commands: { mine: './mine.js' } } }),
    'mine.js': "import { defineCommand } from '@dicomtap/framework'\nexport const command = defineCommand({ name: 'mine', summary: 'Mine.', async run({ stdout }) { stdout.write('mine') } })",
  })
  t.is((await run(['mine'], { cwd })).stdout, 'mine')
  t.regex((await run(['check'], { cwd })).stderr, /DICOMTAP_ERR_CFG_NOT_FOUND/)
})

test('first-party commands say which package they come with, also in an empty folder', async (t) => {
  const cwd = await makeSite(t)
  const absent = Object.entries(FIRST_PARTY_COMMANDS)
  t.deepEqual(absent.map(([name]) => name), ['cert', 'index', 'peers', 'users', 'verify'])
  for (const name of OWN_COMMANDS) t.false(Object.hasOwn(FIRST_PARTY_COMMANDS, name))
  for (const [name, { package: from }] of absent) t.is(notInstalled(name), `dicomtap ${name} comes with ${from}: npm install ${from}`)
  t.is(notInstalled('toString'), undefined)
  await writeFile(join(cwd, 'package.json'), '{}')
  t.regex((await run(['users', '--help'], { cwd })).stdout, /^Usage: dicomtap users/)
})

test('the names that plugins may not take are those of the program', (t) => {
  const names = createProgram({} as never, () => {}).commands.map((command) => command.name())
  t.deepEqual([...OWN_COMMANDS], [...names, 'help'])
})

test('Ctrl-C aborts the signal of a command; a command that goes on is ended by the second', async (t) => {
  const source = (name: string, body: string): string =>
    `export const command = defineCommand({ name: '${name}', summary: 'Waits.', async run({ signal, stdout }) { setInterval(() => {}, 1000); stdout.write('waits\\n'); ${body} } })`
  const commands = {
    listens: source('listens', "await new Promise((resolve) => signal.addEventListener('abort', resolve)); stdout.write('ended\\n')"),
    deaf: source('deaf', 'await new Promise(() => {})'),
  }
  const cwd = await makeSite(t, { ...withCommands('dicomtap-plugin-slow', commands), ...dependsOn('dicomtap-plugin-slow') })
  if (process.platform === 'win32') return t.pass('no such signals there')
  const listening = runUntilKilled(t, ['listens'], cwd)
  await listening.said('waits')
  listening.kill('SIGINT')
  t.like(await listening.ended, { code: 130, stdout: 'waits\nended\n' })
  const deaf = runUntilKilled(t, ['deaf'], cwd)
  await deaf.said('waits')
  deaf.kill('SIGINT')
  await deaf.said('once more')
  deaf.kill('SIGINT')
  t.is((await deaf.ended).code, 130)
})

test('a definition that is none is refused when it is built', (t) => {
  t.throws(() => buildCommand({ name: 'x', summary: 'x' }, async () => {}), { message: /run or commands/ })
  t.throws(() => buildCommand(defineCommand({ name: 'x', summary: 'x', options: [{ flags: '-c', description: '' }], async run() {} }), async () => {}), {
    message: /every command has -c/,
  })
})
