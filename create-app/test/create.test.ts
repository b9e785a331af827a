import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, readFile, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import type { ExecutionContext } from 'ava'
import { detectPackageManager, runCommand } from '../dist/package-manager.js'
import { exportNameOf, packageNameOf, pluginPackageNameOf } from '../dist/names.js'
import { createProgram } from '../dist/program.js'
import { shellWord } from '../dist/scaffold.js'
import { fillText } from '../dist/template.js'
import { parseAeTitle, parsePort, parseServices } from '../dist/validate.js'

const PACKAGE = new URL('../', import.meta.url)
const BIN = fileURLToPath(new URL('bin/create-dicomtap.js', PACKAGE))
const { version } = JSON.parse(await readFile(new URL('package.json', PACKAGE), 'utf8')) as { version: string }

interface Result {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}
interface Manifest {
  readonly name: string
  readonly scripts: Readonly<Record<string, string>>
  readonly dependencies: Readonly<Record<string, string>>
  readonly devDependencies: Readonly<Record<string, string>>
  readonly peerDependencies: Readonly<Record<string, string>>
}

async function emptyFolder(t: ExecutionContext): Promise<string> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'create dicomtap ')))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  return folder
}

/** Runs the command without a terminal. */
async function create(cwd: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Result> {
  const { npm_config_user_agent: _agent, DICOMTAP_PACKAGES: _packages, ...inherited } = process.env
  const child = spawn(process.execPath, [BIN, ...args], { cwd, env: { ...inherited, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, stdout, stderr }
}

async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .filter((path) => !path.startsWith('.git/'))
    .sort()
}

async function manifestOf(folder: string): Promise<Manifest> {
  return JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as Manifest
}

/** A package manager that does what the test says, in front of the real one. */
async function fakeNpm(folder: string, script: string): Promise<Record<string, string>> {
  const bin = join(folder, 'fake-bin')
  await mkdir(bin)
  await writeFile(join(bin, 'npm'), `#!${process.execPath}\n${script}\n`, { mode: 0o755 })
  return { PATH: `${bin}:${process.env['PATH'] ?? ''}` }
}

const onPosix = process.platform === 'win32' ? test.skip : test

const QUICK = ['--yes', '--no-install', '--no-git']
const TEMPLATES: readonly (readonly [template: string, flags: readonly string[]])[] = [
  ['scp-ts', []],
  ['scp-yaml', ['--language', 'yaml']],
  ['plugin', ['--template', 'plugin']],
]

for (const [template, flags] of TEMPLATES) {
  test(`${template}: the files of the template, nothing left to fill in`, async (t) => {
    const cwd = await emptyFolder(t)
    const { code, stderr } = await create(cwd, ['made', ...QUICK, ...flags])
    t.is(code, 0, stderr)
    const expected = (await filesIn(fileURLToPath(new URL(`templates/${template}`, PACKAGE)))).filter((path) => path !== 'peers.yaml')
    t.deepEqual(await filesIn(join(cwd, 'made')), expected.map((path) => path.replace(/(^|\/)_/u, '$1.')).sort())
    for (const path of await filesIn(join(cwd, 'made'))) {
      t.notRegex(await readFile(join(cwd, 'made', path), 'utf8'), /\{\{|@if|@end/u, path)
    }
    t.deepEqual(await readdir(cwd), ['made'])
  })
}

test('without a terminal it asks nothing and takes the defaults', async (t) => {
  const cwd = await emptyFolder(t)
  const { code, stdout, stderr } = await create(cwd, ['--no-install', '--no-git'])
  t.is(code, 0)
  t.is(stderr, '')
  t.is(
    stdout,
    'Made a server in my-scp (5 files): AE title DICOMTAP, port 11112, Verification, Storage.\n\nNext:\n  cd my-scp\n  npm install\n  npm start\n',
  )
})

test('package.json: the packages have the version of this one, whatever the template says', async (t) => {
  const cwd = await emptyFolder(t)
  await create(cwd, ['My SCP', ...QUICK])
  const server = await manifestOf(join(cwd, 'My SCP'))
  t.is(server.name, 'my-scp')
  t.like(server.scripts, { start: 'dicomtap start', check: 'dicomtap check' })
  t.deepEqual(server.dependencies, {
    '@dicomtap/cli': `^${version}`,
    '@dicomtap/framework': `^${version}`,
    '@dicomtap/plugin-logging': `^${version}`,
    '@dicomtap/plugin-storage': `^${version}`,
    '@dicomtap/plugin-verification': `^${version}`,
  })
  await create(cwd, ['night-shift', '--template', 'plugin', ...QUICK])
  const plugin = await manifestOf(join(cwd, 'night-shift'))
  t.is(plugin.name, 'dicomtap-plugin-night-shift')
  t.is(plugin.peerDependencies['@dicomtap/framework'], `>=${version} <1`)
  t.is(plugin.devDependencies['@dicomtap/framework'], `^${version}`)
  t.regex(await readFile(join(cwd, 'night-shift/src/plugin.ts'), 'utf8'), /export const nightShift = definePlugin\(\{\n {2}name: 'dicomtap-plugin-night-shift'/)
})

test('every flag arrives in the files', async (t) => {
  const cwd = await emptyFolder(t)
  const flags = ['--ae-title', "it's: 1", '--port', '104', '--services', 'storage', '--package-manager', 'yarn', '--no-install', '--no-git']
  const typescript = await create(cwd, ['typed', '--language', 'ts', ...flags])
  t.regex(typescript.stdout, /Next:\n {2}cd typed\n {2}yarn install\n {2}yarn start\n$/)
  const config = await readFile(join(cwd, 'typed/dicomtap.config.ts'), 'utf8')
  t.true(config.includes(String.raw`aeTitle: 'it\'s: 1'`))
  t.true(config.includes('listen: [{ port: 104 }]'))
  t.true(config.includes('storage({'))
  t.false(config.includes('verification'))
  t.deepEqual(Object.keys((await manifestOf(join(cwd, 'typed'))).dependencies), ['@dicomtap/cli', '@dicomtap/framework', '@dicomtap/plugin-logging', '@dicomtap/plugin-storage'])
  const readme = await readFile(join(cwd, 'typed/README.md'), 'utf8')
  t.true(readme.includes(String.raw`storescu -v -aec 'it'\''s: 1' localhost 104 image.dcm`))
  t.false(readme.includes('echoscu'))
  t.true(readme.includes('AmbientCapabilities=CAP_NET_BIND_SERVICE'))
  t.is(await readFile(join(cwd, 'typed/.yarnrc.yml'), 'utf8'), 'nodeLinker: node-modules\n')

  await create(cwd, ['plain', '--language', 'yaml', ...flags])
  t.true((await readFile(join(cwd, 'plain/dicomtap.config.yaml'), 'utf8')).includes(`aeTitle: "it's: 1"\n`))
})

test('TLS and access: listeners, plugins, packages, scripts and what to do next', async (t) => {
  const cwd = await emptyFolder(t)
  for (const language of ['ts', 'yaml']) {
    const config = async (folder: string): Promise<string> => readFile(join(cwd, folder, `dicomtap.config.${language}`), 'utf8')
    const both = await create(cwd, [`both-${language}`, ...QUICK, '--tls', '--access', 'deny', '--language', language])
    t.is(both.code, 0, both.stderr)
    t.regex(both.stdout, /ports 11112 and 2762 \(TLS\), .*, the peers of peers\.yaml\./)
    t.regex(both.stdout, /npm install\n {2}npm run certificates\n {2}npm start\n$/)
    const files = await filesIn(join(cwd, `both-${language}`))
    t.true(files.includes('peers.yaml'))
    for (const file of files) t.notRegex(await readFile(join(cwd, `both-${language}`, file), 'utf8'), /\{\{|@if|@end/u, file)
    const manifest = await manifestOf(join(cwd, `both-${language}`))
    t.is(manifest.dependencies['@dicomtap/plugin-tls'], `^${version}`)
    t.is(manifest.dependencies['@dicomtap/plugin-access'], `^${version}`)
    t.regex(manifest.scripts['certificates'] ?? '', /^dicomtap cert ca && dicomtap cert server && /)
    t.regex(await config(`both-${language}`), /port: 11112[\s\S]*port: 2762[\s\S]*tls: \{ cert: [\s\S]*plugin-access|plugin-access[\s\S]*port: 11112[\s\S]*port: 2762[\s\S]*tls: \{/)
    t.notRegex(await config(`both-${language}`), /requireCallingAeTitles/)

    const only = await create(cwd, [`only-${language}`, ...QUICK, '--tls', 'only', '--language', language])
    t.regex(only.stdout, /port 2762 \(TLS\)/)
    t.notRegex(await config(`only-${language}`), /11112/)
    t.notRegex(await readFile(join(cwd, `only-${language}/README.md`), 'utf8'), /localhost 11112|peers\.yaml/)
    t.false((await filesIn(join(cwd, `only-${language}`))).includes('peers.yaml'))
    t.deepEqual(Object.keys((await manifestOf(join(cwd, `only-${language}`))).dependencies).filter((name) => name.endsWith('-access')), [])
  }
})

onPosix('with TLS the certificates are made after the install', async (t) => {
  const cwd = await emptyFolder(t)
  const env = await fakeNpm(cwd, `require('node:fs').appendFileSync('calls', process.argv.slice(2).join(' ') + '\\n'); process.exit(process.argv[3] === 'certificates' && process.env.NO_CERTIFICATES ? 1 : 0)`)
  const { code, stdout } = await create(cwd, ['made', '--no-git', '--tls'], env)
  t.is(code, 0)
  t.is(await readFile(join(cwd, 'made/calls'), 'utf8'), 'install\nrun certificates\n')
  t.regex(stdout, /Made certificates to try TLS out, in pki\/\.\n\nNext:\n {2}cd made\n {2}npm start\n$/)
  const failed = await create(cwd, ['other', '--no-git', '--tls'], { ...env, NO_CERTIFICATES: '1' })
  t.is(failed.code, 1)
  t.regex(failed.stderr, /has no certificates yet\. Go on with: cd other && npm run certificates/)
})

test('query/retrieve: plugin, package, an address book, what to try', async (t) => {
  const cwd = await emptyFolder(t)
  for (const language of ['ts', 'yaml']) {
    const read = async (folder: string, file: string): Promise<string> => readFile(join(cwd, `${folder}-${language}`, file), 'utf8')
    const open = await create(cwd, [`open-${language}`, ...QUICK, '--query-retrieve', '--language', language])
    t.is(open.code, 0, open.stderr)
    t.true(open.stdout.includes(`(${language === 'ts' ? 6 : 5} files)`))
    t.regex(open.stdout, /: AE title DICOMTAP, port 11112, Verification, Storage, Query\/Retrieve\.\n/)
    for (const file of await filesIn(join(cwd, `open-${language}`))) t.notRegex(await read('open', file), /\{\{|@if|@end/u, file)
    t.regex(await read('open', `dicomtap.config.${language}`), /default: '?allow[\s\S]*directory: '?\.\/data[\s\S]*sqlite: '?\.\/index\/index\.sqlite/)
    t.regex(await read('open', 'peers.yaml'), /^unknown:\n {2}allow: \[echo, store, find, get, move\]\ndefaults:[\s\S]*\n\npeers:\n/m)
    t.regex(await read('open', 'README.md'), /findscu -v -S -aec DICOMTAP localhost 11112 -k QueryRetrieveLevel=STUDY/)
    const { dependencies, scripts } = await manifestOf(join(cwd, `open-${language}`))
    t.is(dependencies['@dicomtap/plugin-query-retrieve'], `^${version}`)
    t.is(dependencies['@dicomtap/plugin-access'], `^${version}`)
    t.is(scripts['peers'], 'dicomtap peers')

    await create(cwd, [`deny-${language}`, ...QUICK, '-q', '--access', 'deny', '--language', language])
    t.notRegex(await read('deny', `dicomtap.config.${language}`), /default: '?allow/)
    const peers = await read('deny', 'peers.yaml')
    t.notRegex(peers, /unknown/)
    t.regex(peers, /host: \["127\.0\.0\.1", "::1"\]\n {4}allow: \[echo, store, find, get, move\]\n/)
  }
})

test('the package manager that runs it is the default', async (t) => {
  const cwd = await emptyFolder(t)
  const { stdout } = await create(cwd, ['a', ...QUICK], { npm_config_user_agent: 'pnpm/10.1.0 npm/? node/v22.1.0 linux x64' })
  t.regex(stdout, /pnpm install\n {2}pnpm start\n$/)
  t.is(detectPackageManager('bun/1.2.0'), 'bun')
  t.is(detectPackageManager('unknown/1'), 'npm')
  t.is(detectPackageManager(undefined), 'npm')
  t.is(runCommand('bun', 'test'), 'bun run test')
  t.is(runCommand('npm', 'check'), 'npm run check')
})

test('a folder with files is refused before anything is asked or written; --overwrite keeps the others', async (t) => {
  const cwd = await emptyFolder(t)
  await mkdir(join(cwd, 'full'))
  await writeFile(join(cwd, 'full/mine.txt'), 'mine')
  await writeFile(join(cwd, 'full/package.json'), '{}')
  const refused = await create(cwd, ['full', ...QUICK])
  t.deepEqual(refused, { code: 1, stdout: '', stderr: 'error: full is not empty. Choose another folder, or write into it with --overwrite.\n' })
  t.deepEqual(await filesIn(join(cwd, 'full')), ['mine.txt', 'package.json'])
  t.is((await create(cwd, ['full', ...QUICK, '--overwrite'])).code, 0)
  t.is(await readFile(join(cwd, 'full/mine.txt'), 'utf8'), 'mine')
  t.is((await manifestOf(join(cwd, 'full'))).name, 'full')
})

test('a file where the folder should be is an error', async (t) => {
  const cwd = await emptyFolder(t)
  await writeFile(join(cwd, 'taken'), '')
  const { code, stderr } = await create(cwd, ['taken', ...QUICK])
  t.is(code, 1)
  t.regex(stderr, /^error: /)
})

test('"." and nested folders', async (t) => {
  const cwd = await emptyFolder(t)
  await mkdir(join(cwd, 'here/.git'), { recursive: true })
  const here = await create(join(cwd, 'here'), ['.', ...QUICK])
  t.is(here.code, 0, here.stderr)
  t.regex(here.stdout, /Next:\n {2}npm install\n {2}npm start\n$/)
  t.is((await manifestOf(join(cwd, 'here'))).name, 'here')
  t.is((await create(cwd, ['deep/er', ...QUICK])).code, 0)
  t.is((await manifestOf(join(cwd, 'deep/er'))).name, 'er')
})

const USAGE: readonly (readonly [flags: readonly string[], says: RegExp])[] = [
  [['--port', '0'], /^error: A port is a number from 1 to 65535\.$/m],
  [['--port', '1e3'], /^error: A port is/m],
  [['--ae-title', ''], /^error: An AE title has 1 to 16 characters/m],
  [['--ae-title', 'A\\B'], /^error: An AE title/m],
  [['--ae-title', 'SEVENTEEN_LETTERS'], /^error: An AE title/m],
  [['--services', 'printing'], /^error: There is no service "printing"; the services are: verification, storage\.$/m],
  [['--services', ','], /^error: Name at least one service/m],
  [['--query-retrieve', '--services', 'verification'], /^error: --query-retrieve needs the service storage: it answers for what that keeps\.$/m],
  [['--tls', 'never'], /Allowed choices are beside, only/],
  [['--access', 'allow'], /Allowed choices are open, deny/],
  [['--language', 'js'], /Allowed choices are ts, yaml/],
  [['--template', 'app'], /Allowed choices are scp, plugin/],
  [['--package-manager', 'cargo'], /Allowed choices are npm, pnpm, yarn, bun/],
  [['--packages', '/nowhere'], /^error: --packages: \/nowhere cannot be read \(ENOENT\)$/m],
  [['--unknown'], /unknown option '--unknown'/],
]
for (const [flags, says] of USAGE) {
  test(`usage: ${flags.join(' ')}`, async (t) => {
    const cwd = await emptyFolder(t)
    const { code, stderr } = await create(cwd, ['made', ...QUICK, ...flags])
    t.is(code, 2)
    t.regex(stderr, says)
    t.deepEqual(await readdir(cwd), [])
  })
}

test('--help has every flag and examples; --version', async (t) => {
  const cwd = await emptyFolder(t)
  const { code, stdout } = await create(cwd, ['--help'])
  t.is(code, 0)
  for (const flag of ['--ae-title', '--port', '--services', '--query-retrieve', '--language', '--package-manager', '--no-install', '--no-git', '--template', '--yes', '--overwrite', '--packages']) {
    t.true(stdout.includes(flag), flag)
  }
  const readme = await readFile(new URL('README.md', PACKAGE), 'utf8')
  for (const { flags } of createProgram(async () => {}).options) t.true(flags.includes('--version') || readme.includes(`| \`${flags}\` |`), flags)
  t.regex(stdout, /Examples:\n {2}npm create dicomtap@latest my-scp\n/)
  t.is((await create(cwd, ['--version'])).stdout, `${version}\n`)
})

test('a git repository is made, except inside another one', async (t) => {
  const cwd = await emptyFolder(t)
  const first = await create(cwd, ['outer', '--no-install'])
  t.regex(first.stdout, /Made a git repository\./)
  t.true((await readdir(join(cwd, 'outer'))).includes('.git'))
  const second = await create(join(cwd, 'outer'), ['inner', '--no-install'])
  t.notRegex(second.stdout, /git/)
  t.false((await readdir(join(cwd, 'outer/inner'))).includes('.git'))
})

test('--packages takes the tarballs of a folder', async (t) => {
  const cwd = await emptyFolder(t)
  const packed = join(cwd, 'packed')
  await mkdir(packed)
  for (const name of ['cli', 'framework', 'plugin-logging', 'plugin-verification']) await writeFile(join(packed, `dicomtap-${name}-${version}.tgz`), '')
  const incomplete = await create(cwd, ['made', ...QUICK, '--packages', 'packed'])
  t.is(incomplete.code, 2)
  t.regex(incomplete.stderr, /there is no tarball of @dicomtap\/plugin-storage/)
  t.deepEqual(await readdir(cwd), ['packed'])
  const { code, stderr } = await create(cwd, ['made', ...QUICK, '--services', 'verification'], { DICOMTAP_PACKAGES: packed })
  t.is(code, 0, stderr)
  t.is((await manifestOf(join(cwd, 'made'))).dependencies['@dicomtap/cli'], `file:${packed}/dicomtap-cli-${version}.tgz`)
})

onPosix('packages are installed in the new folder', async (t) => {
  const cwd = await emptyFolder(t)
  const env = await fakeNpm(cwd, `require('node:fs').writeFileSync('installed', process.argv.slice(2).join(' '))`)
  const { code, stdout } = await create(cwd, ['made', '--no-git'], env)
  t.is(code, 0)
  t.is(await readFile(join(cwd, 'made/installed'), 'utf8'), 'install')
  t.regex(stdout, /Installing packages with npm \.\.\.\nInstalled the packages\.\n\nNext:\n {2}cd made\n {2}npm start\n$/)
})

onPosix('when installing fails the files stay and it says how to go on', async (t) => {
  const cwd = await emptyFolder(t)
  const env = await fakeNpm(cwd, `console.error('no network'); process.exit(7)`)
  const { code, stdout, stderr } = await create(cwd, ['made', '--no-git'], env)
  t.is(code, 1)
  t.regex(stdout, /npm install failed:\n$/)
  t.regex(stderr, /^no network\nerror: The files in made are complete, .*cd made && npm install\n$/)
  t.is((await filesIn(join(cwd, 'made'))).length, 5)
})

for (const existed of [false, true]) {
  onPosix(`cancelled while it installs, nothing is left ${existed ? 'in the folder that was there' : 'behind'}`, async (t) => {
    const cwd = await emptyFolder(t)
    if (existed) await mkdir(join(cwd, 'made'))
    // The package manager waits until it is killed, and tells by a signal that it runs.
    const env = await fakeNpm(cwd, `process.kill(process.ppid, 'SIGINT'); setInterval(() => {}, 1000)`)
    const { code, stderr } = await create(cwd, ['made', '--no-git'], env)
    t.is(code, 130)
    t.is(stderr, '\nCancelled; nothing was made.\n')
    t.deepEqual(await readdir(cwd), existed ? ['fake-bin', 'made'] : ['fake-bin'])
    if (existed) t.deepEqual(await readdir(join(cwd, 'made')), [])
  })
}

test('names', (t) => {
  t.is(packageNameOf('/srv/My SCP!'), 'my-scp')
  t.is(packageNameOf('/srv/..'), 'dicomtap-server')
  t.is(pluginPackageNameOf('/x/quarantine'), 'dicomtap-plugin-quarantine')
  t.is(pluginPackageNameOf('/x/dicomtap-plugin-quarantine'), 'dicomtap-plugin-quarantine')
  t.is(exportNameOf('dicomtap-plugin-night.shift-2'), 'nightShift2')
  t.is(exportNameOf('dicomtap-plugin-default'), 'defaultPlugin')
  t.is(exportNameOf('dicomtap-plugin-3d'), 'my3dPlugin')
  t.is(shellWord('my-scp'), 'my-scp')
  t.is(shellWord('a b'), "'a b'")
})

test('values', (t) => {
  t.is(parseAeTitle(' A B '), 'A B')
  t.is(parsePort('65535'), 65535)
  t.throws(() => parsePort('65536'), { name: 'UsageError' })
  t.deepEqual(parseServices('storage, verification,storage'), ['verification', 'storage'])
})

test('sections and placeholders of a template', (t) => {
  const fill = { values: { a: '$& 1' }, isOn: (name: string) => name === 'on' }
  t.is(fillText('x\n  // @if on\n{{a}}\n  // @end\n# @if off\nhidden\n# @end\n<!-- @if on -->\ny\n<!-- @end -->\nz', fill), 'x\n$& 1\ny\nz')
  t.throws(() => fillText('{{b}}', fill), { message: /\{\{b\}\}/ })
})
