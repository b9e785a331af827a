import { mkdir, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import type { ExecutionContext } from 'ava'
import { run } from './support/run.js'
import { ECHO, makeSite, pluginPackage, writeFiles } from './support/site.js'

interface Report {
  readonly ok: boolean
  readonly file: string
  readonly aeTitle: string
  readonly problems: readonly { readonly code: string; readonly message: string }[]
  readonly plugins: readonly { readonly name: string; readonly options: unknown }[]
}

async function check(folder: string, ...args: string[]): Promise<{ report: Report; code: number | null; stderr: string }> {
  const { code, stdout, stderr } = await run(['check', '--json', ...args], { cwd: folder })
  return { report: JSON.parse(stdout) as Report, code, stderr }
}

/** Checks a folder whose configuration is wrong: one problem, which `dicomtap check` says on one line of stderr. */
async function wrong(t: ExecutionContext, folder: string, ...args: string[]): Promise<{ code: string; message: string }> {
  const { report, code, stderr } = await check(folder, ...args)
  t.is(code, 78, stderr)
  t.false(report.ok)
  t.is(report.problems.length, 1, stderr)
  const [problem] = report.problems
  t.is(stderr, `error ${problem!.code}: ${problem!.message}\n`)
  return problem!
}

const TITLE = { aeTitle: 'FOUND', plugins: ['dicomtap-plugin-echo'] }
const JSON_TITLE = JSON.stringify(TITLE)
const TYPED = `import { defineConfig } from '@dicomtap/framework'
import { echo } from 'dicomtap-plugin-echo'
const aeTitle: string = 'FOUND'
export default defineConfig({ aeTitle, plugins: [echo({ loud: true }), false] })
`

const FORMATS: readonly (readonly [name: string, text: string])[] = [
  ['dicomtap.config.ts', TYPED],
  ['dicomtap.config.mts', TYPED],
  ['dicomtap.config.mjs', `export default ${JSON_TITLE}`],
  ['dicomtap.config.js', `module.exports = ${JSON_TITLE}`],
  ['dicomtap.config.cjs', `module.exports = () => (${JSON_TITLE})`],
  ['dicomtap.config.json', `\ufeff${JSON_TITLE}`],
  ['dicomtap.config.yaml', 'aeTitle: FOUND\nplugins:\n  - dicomtap-plugin-echo\n'],
  ['dicomtap.config.yml', 'aeTitle: FOUND\nplugins: [{ use: dicomtap-plugin-echo, options: { loud: true } }]\n'],
  ['.dicomtaprc.json', JSON_TITLE],
  ['.dicomtaprc.yaml', 'aeTitle: FOUND\nplugins: [dicomtap-plugin-echo]\n'],
  ['package.json', JSON.stringify({ name: 'site', dicomtap: TITLE })],
]

for (const [name, text] of FORMATS) {
  test(`${name} is found in the working folder`, async (t) => {
    const folder = await makeSite(t, { ...ECHO, [name]: text })
    const { report, code, stderr } = await check(folder)
    t.is(code, 0, stderr)
    t.is(report.file, join(folder, name))
    t.is(report.aeTitle, 'FOUND')
    t.deepEqual(report.plugins.map((plugin) => plugin.name), ['dicomtap-plugin-echo'])
  })
}

test('a TypeScript config has helpers, enums, promises and top-level await, and shares the framework with the command', async (t) => {
  const folder = await makeSite(t, {
    'dicomtap.config.ts': `import { ApplicationEntity, definePlugin } from '@dicomtap/framework'
import { title } from './helper.ts'
enum Port { Test = 11113 }
const same = definePlugin({ name: 'same', apply: (api) => {
  if (!(api.applicationEntity instanceof ApplicationEntity)) throw new Error('a second copy of the framework')
} })
export default Promise.resolve(async () => ({ aeTitle: await title, listen: [{ port: Port.Test }], plugins: [same(), [[null, './local.ts']]] }))
`,
    'helper.ts': `export const title: Promise<string> = Promise.resolve('HELPED')`,
    'local.ts': `import { definePlugin, Stage } from '@dicomtap/framework'
export const local = definePlugin({ name: 'local', after: ['same'] as const, apply(api) { api.hooks.cEcho.tap({ stage: Stage.Early }, () => 0 as number) } })
`,
  })
  const { report, code, stderr } = await check(folder)
  t.is(code, 0, stderr)
  t.is(report.aeTitle, 'HELPED')
  t.deepEqual(report.plugins.map(({ name }) => name), ['same', 'local'])
})

test('--config wins over what is in the folder and is relative to it', async (t) => {
  const folder = await makeSite(t, { 'dicomtap.config.json': '{"aeTitle":"FOLDER"}', 'sites/a.yaml': 'aeTitle: NAMED\n' })
  t.is((await check(folder, '--config', 'sites/a.yaml')).report.aeTitle, 'NAMED')
})

test('$import merges a shared file', async (t) => {
  const folder = await makeSite(t, { 'dicomtap.config.yaml': '$import: ./base.yaml\naeTitle: OWN\n', 'base.yaml': 'aeTitle: BASE\nplugins: [dicomtap-plugin-echo]\n', ...ECHO })
  const { report } = await check(folder)
  t.is(report.aeTitle, 'OWN')
  t.is(report.plugins.length, 1)
})

test('no other folder is searched', async (t) => {
  const folder = await makeSite(t, { 'dicomtap.config.json': '{}', 'inner/package.json': '{"name":"inner"}' })
  const { code, message } = await wrong(t, join(folder, 'inner'))
  t.is(code, 'DICOMTAP_ERR_CFG_NOT_FOUND')
  t.true(message.startsWith(`${folder}/inner: no dicomtap.config.* here; `), message)
})

test('a named file that is not there is not found', async (t) => {
  const folder = await makeSite(t, { 'dicomtap.config.json': '{}' })
  t.deepEqual(await wrong(t, folder, '--config', 'nowhere.yaml'), {
    code: 'DICOMTAP_ERR_CFG_NOT_FOUND',
    message: `${folder}/nowhere.yaml: there is no such file; check the path given with --config`,
  })
})

test('a config that is a folder or a dead link is unreadable, never absent', async (t) => {
  const folder = await makeSite(t)
  await mkdir(join(folder, 'dicomtap.config.yaml'))
  t.deepEqual(await wrong(t, folder), { code: 'DICOMTAP_ERR_CFG_UNREADABLE', message: `${folder}/dicomtap.config.yaml: it is not a file` })
  const other = await makeSite(t)
  await symlink('gone.yaml', join(other, '.dicomtaprc.yaml'))
  t.is((await wrong(t, other)).code, 'DICOMTAP_ERR_CFG_UNREADABLE')
})

const asRoot = process.getuid?.() === 0
;(asRoot || process.platform === 'win32' ? test.skip : test)('a config without read permission is unreadable', async (t) => {
  const folder = await makeSite(t, { 'dicomtap.config.yaml': 'aeTitle: X' })
  const { chmod } = await import('node:fs/promises')
  await chmod(join(folder, 'dicomtap.config.yaml'), 0)
  t.is((await wrong(t, folder)).code, 'DICOMTAP_ERR_CFG_UNREADABLE')
})

test('two configs in one folder are an error that names both', async (t) => {
  const folder = await makeSite(t, { 'dicomtap.config.ts': 'export default {}', 'dicomtap.config.yaml': '{}', 'package.json': '{"dicomtap":{}}' })
  t.deepEqual(await wrong(t, folder), {
    code: 'DICOMTAP_ERR_CFG_INVALID',
    message: `${folder}: more than one configuration: dicomtap.config.ts, dicomtap.config.yaml, package.json#dicomtap; keep one, or name one with --config`,
  })
})

test('a broken package.json is named', async (t) => {
  const folder = await makeSite(t, { 'package.json': '{ "dicomtap": }' })
  t.deepEqual(await wrong(t, folder), { code: 'DICOMTAP_ERR_CFG_SYNTAX', message: `${folder}/package.json:1:15: Unexpected token '}'` })
  const beside = await makeSite(t, { 'package.json': '{ "name": }', 'dicomtap.config.yaml': 'plugins: []' })
  const { code, message } = await wrong(t, beside)
  t.is(code, 'DICOMTAP_ERR_CFG_SYNTAX')
  t.true(message.startsWith(`${beside}/package.json: Unexpected token '}'`), message)
})

const SYNTAX: readonly (readonly [name: string, text: string, place: string, says: RegExp])[] = [
  ['dicomtap.config.ts', 'const a: number = 1\nexport default {\n  aeTitle: "X"\n  listen: []\n}\n', ':4:3', /^Syntax error: Unexpected token/],
  ['dicomtap.config.mjs', 'export default {\n  aeTitle: "X"\n  listen: []\n}\n', ':3:3', /^Syntax error: Unexpected token/],
  ['dicomtap.config.cjs', 'module.exports = {\n  aeTitle: "X"\n  listen: []\n}\n', ':3:3', /^Syntax error: Unexpected token/],
  ['dicomtap.config.json', '{\n  "aeTitle": "X",\n}\n', ':3:1', /double-quoted property name/],
  ['.dicomtaprc.json', '{\n  "aeTitle": "b \\" b",\n  "port": blue\n}\n', ':3:11', /^Unexpected token 'b'$/],
  ['dicomtap.config.yaml', 'aeTitle: X\nlisten:\n\t- port: 1\n', ':3:1', /indent with spaces$/],
  ['dicomtap.config.yml', 'aeTitle: X\naeTitle: Y\n', ':2:1', /^duplicated mapping key$/],
]
for (const [name, text, place, says] of SYNTAX) {
  test(`a syntax error in ${name} names file, line and column`, async (t) => {
    const folder = await makeSite(t, { [name]: text })
    const { code, message } = await wrong(t, folder)
    t.is(code, 'DICOMTAP_ERR_CFG_SYNTAX')
    const start = `${folder}/${name}${place}: `
    t.true(message.startsWith(start), message)
    t.regex(message.slice(start.length), says)
  })
}

test('a config that throws names the line', async (t) => {
  const folder = await makeSite(t, { 'dicomtap.config.ts': 'const a: number = 1\nexport default { aeTitle: nobody }\n', 'other.mjs': 'export default {\n a: nobody }\n' })
  t.deepEqual(await wrong(t, folder), { code: 'DICOMTAP_ERR_CFG_SYNTAX', message: `${folder}/dicomtap.config.ts:2: ReferenceError: nobody is not defined` })
  t.deepEqual(await wrong(t, folder, '-c', 'other.mjs'), { code: 'DICOMTAP_ERR_CFG_SYNTAX', message: `${folder}/other.mjs:2:5: ReferenceError: nobody is not defined` })
})

test('an import that is not installed is said to be so', async (t) => {
  const folder = await makeSite(t, { 'dicomtap.config.ts': `import { x } from 'dicomtap-plugin-absent'\nexport default { plugins: [x()] }\n` })
  const { code, message } = await wrong(t, folder)
  t.is(code, 'DICOMTAP_ERR_CFG_SYNTAX')
  t.regex(message, /dicomtap-plugin-absent/)
})

test('what is no configuration is said to be none', async (t) => {
  const folder = await makeSite(t, { 'empty.yaml': '# nothing\n', 'named.mjs': 'export const config = {}\n', 'list.json': '[]', 'site.conf': '', 'package.json': '{}' })
  const message = async (file: string) => (await wrong(t, folder, '-c', file)).message
  t.is(await message('empty.yaml'), `${folder}/empty.yaml: the configuration is empty; give at least plugins`)
  t.is(await message('named.mjs'), `${folder}/named.mjs: the configuration must be the default export; it exports config only`)
  t.regex(await message('list.json'), /^list\.json: /)
  t.is(await message('site.conf'), `${folder}/site.conf: a config file ends in .ts, .mts, .mjs, .js, .cjs, .json, .yaml, .yml`)
  t.is(await message('package.json'), `${folder}/package.json: it has no key "dicomtap"`)
})

test('every unknown key and wrong value is told at once, with its path', async (t) => {
  const folder = await makeSite(t, { 'dicomtap.config.yaml': 'aetitle: X\nlisten: [{ port: 99999 }]\ntimeouts: { acseMs: -1 }\n' })
  const { report, code } = await check(folder)
  t.is(code, 78)
  t.deepEqual(report.problems.map((problem) => problem.code), Array(3).fill('DICOMTAP_ERR_CFG_INVALID'))
  const all = report.problems.map(({ message }) => message).join('\n')
  t.regex(all, /^dicomtap\.config\.yaml: .*aetitle.*did you mean aeTitle/m)
  t.regex(all, /^dicomtap\.config\.yaml: listen\[0\]\.port: /m)
  t.regex(all, /^dicomtap\.config\.yaml: timeouts\.acseMs: /m)
})

test('plugin names are resolved from the folder of the config file', async (t) => {
  const folder = await makeSite(t, { ...Object.fromEntries(Object.entries(ECHO).map(([path, text]) => [`site/${path}`, text])), 'site/my.yaml': 'plugins: [dicomtap-plugin-echo, ./own.mjs]\n' })
  await writeFiles(folder, { 'site/own.mjs': `import { definePlugin } from '@dicomtap/framework'\nexport default definePlugin({ name: 'own', apply() {} })` })
  const { report, code, stderr } = await check(folder, '-c', 'site/my.yaml')
  t.is(code, 0, stderr)
  t.deepEqual(report.plugins.map(({ name }) => name), ['dicomtap-plugin-echo', 'own'])
})

test('packages that only export to import, and their subpaths, are loaded', async (t) => {
  const define = (name: string) => `import { definePlugin } from '@dicomtap/framework'\nexport const one = definePlugin({ name: '${name}', apply() {} })`
  const folder = await makeSite(t, {
    ...pluginPackage('esm-only', '', { exports: { '.': { import: './main.js' }, './sub/*': { import: './lib/*.js', require: './absent.cjs' } } }),
    'node_modules/esm-only/main.js': define('main'),
    'node_modules/esm-only/lib/two.js': define('two'),
    'dicomtap.config.yaml': 'plugins: [esm-only, esm-only/sub/two]\n',
  })
  const { report, code, stderr } = await check(folder)
  t.is(code, 0, stderr)
  t.deepEqual(report.plugins.map(({ name }) => name), ['main', 'two'])
})

const BAD_PLUGINS: readonly (readonly [title: string, use: string, code: string, message: RegExp])[] = [
  ['is not installed', 'dicomtap-plugin-absent', 'PLG_NOT_FOUND', /^dicomtap\.config\.json: plugins\[0\]: "dicomtap-plugin-absent" is not installed; run: npm install dicomtap-plugin-absent$/],
  ['is a missing file', './absent.ts', 'PLG_NOT_FOUND', /^dicomtap\.config\.json: plugins\[0\]: there is no file .*absent\.ts$/],
  ['is a file without ./', 'own.mjs', 'PLG_NOT_FOUND', /is a file: write "\.\/own\.mjs"$/],
  ['is a short name', 'known', 'PLG_NOT_FOUND', /is not installed; did you mean "@dicomtap\/plugin-known"\?$/],
  ['exports no plugin', './own.mjs', 'PLG_INVALID', /"\.\/own\.mjs" exports no plugin; /],
  ['exports several plugins', 'several', 'PLG_INVALID', /"several" exports several plugins \(one, two\) and none is named "several"; /],
  ['throws when it is loaded', './throws.mjs', 'PLG_NOT_FOUND', /"\.\/throws\.mjs" cannot be loaded: broken$/],
  ['has an entry that is not there', 'hollow', 'PLG_NOT_FOUND', /"hollow" is installed in .*hollow, but has nothing to load: /],
  ['wants another framework', 'newer', 'PLG_VERSION', /newer/],
]
for (const [title, use, code, message] of BAD_PLUGINS) {
  test(`a plugin that ${title}`, async (t) => {
    const define = (name: string, more = '') => `definePlugin({ name: '${name}', ${more} apply() {} })`
    const folder = await makeSite(t, {
      'own.mjs': 'export const nothing = 1',
      'throws.mjs': `throw new Error('broken')`,
      ...pluginPackage('several', `export const one = ${define('one')}; export const two = ${define('two')}`),
      ...pluginPackage('@dicomtap/plugin-known', `export const known = ${define('known')}`),
      ...pluginPackage('newer', `export const newer = ${define('newer', `framework: '^99.0.0',`)}`),
      ...pluginPackage('hollow', '', { exports: undefined, main: './absent.js' }),
      'dicomtap.config.json': JSON.stringify({ plugins: [use] }),
    })
    if (use === 'hollow') await (await import('node:fs/promises')).rm(join(folder, 'node_modules/hollow/index.js'))
    const problem = await wrong(t, folder)
    t.is(problem.code, `DICOMTAP_ERR_${code}`)
    t.regex(problem.message, message)
  })
}

test('of several plugins the one with the name of the package is taken', async (t) => {
  const define = (name: string) => `definePlugin({ name: '${name}', apply() {} })`
  const folder = await makeSite(t, {
    ...pluginPackage('@dicomtap/plugin-known', `export const known = ${define('known')}; export const helper = ${define('helper')}`),
    'dicomtap.config.json': '{"plugins":["@dicomtap/plugin-known"]}',
  })
  t.deepEqual((await check(folder)).report.plugins.map(({ name }) => name), ['known'])
})

test('all plugins that cannot be loaded are told at once', async (t) => {
  const folder = await makeSite(t, { 'dicomtap.config.json': '{"plugins":["absent-a",["./absent-b.js"],{"use":"absent-c"}]}' })
  const { report, code } = await check(folder)
  t.is(code, 78)
  t.deepEqual(report.problems.map(({ message }) => /plugins\S+:/.exec(message)?.[0]), ['plugins[0]:', 'plugins[1][0]:', 'plugins[2]:'])
})

test('wrong options name plugin and path; a plugin that fails to start is no config error', async (t) => {
  const folder = await makeSite(t, {
    ...ECHO,
    'dicomtap.config.json': '{"plugins":[{"use":"dicomtap-plugin-echo","options":{"loud":"very"}}]}',
    'fails.mjs': `import { definePlugin } from '@dicomtap/framework'
export default { plugins: [definePlugin({ name: 'fails', apply() { throw new Error('no disk') } })()] }`,
  })
  t.deepEqual(await wrong(t, folder), {
    code: 'DICOMTAP_ERR_PLG_OPTIONS',
    message: 'dicomtap.config.json: plugins[dicomtap-plugin-echo].options.loud: expected a boolean',
  })
  const { report, code } = await check(folder, '-c', 'fails.mjs')
  t.is(code, 1)
  t.deepEqual(report.problems, [{ code: 'DICOMTAP_ERR_PLG_FAILED', message: "Plugin 'fails' failed to start: no disk" }])
})
