import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import test from 'ava'
import { buildCommand, createApplication, createProgram } from '@dicomtap/cli'
import type { Actions } from '@dicomtap/cli'
import { isPluginFactory } from '@dicomtap/framework'
import { createTestServer } from '@dicomtap/framework/testing'
import { createProgram as createScaffolder } from '../../create-app/dist/program.js'
import { compileExamples, onFreePort, packageConfigurations, run, writeExamples } from './examples.js'
import { ROOT } from './pages.js'
import type { CodeBlock } from './pages.js'
import { commandsOfPlugins } from './plugin-commands.js'

const examples = writeExamples()
const compilation = compileExamples(examples)
const certificates = makeCertificates()
test.after.always(() => examples.remove())

const named = (language: string): CodeBlock[] =>
  examples.blocks.filter((block) => block.language === language && block.name !== undefined)
const at = ({ page, line, name }: CodeBlock): string => `${page}:${line} ${name ?? ''}`.trim()

test('every block says what it is', (t) => {
  const languages = new Set(['bash', 'js', 'json', 'mermaid', 'text', 'ts', 'yaml'])
  for (const block of examples.blocks) {
    t.true(languages.has(block.language), `${at(block)}: language ${block.language}`)
    if (['ts', 'js', 'yaml', 'json'].includes(block.language)) t.not(block.name, undefined, `${at(block)}: it needs the name of a file, so that it is tried out`)
  }
})

test('TypeScript examples have no type errors', async (t) => {
  const { code, stdout } = await compilation
  t.is(stdout, '')
  t.is(code, 0)
})

for (const { block, text } of examples.shown('output')) {
  test(`prints what the page says: ${at(block)}`, async (t) => {
    await compilation
    const file = onFreePort(block.language === 'ts' ? examples.compiledFileOf(block) : examples.fileOf(block))
    // A server runs until it is told to stop.
    const isServer = block.code.includes("process.once('SIGTERM'")
    const isDone = (stdout: string): boolean => isServer && stdout.length >= text.length
    const { code, stdout, stderr } = await run(process.execPath, [file], { cwd: dirname(file), isDone })
    t.is(stdout, text, stderr)
    t.is(code, 0, stderr)
  })
}

test('tests in the guides pass', async (t) => {
  await compilation
  const files = named('ts').filter(({ name }) => name?.endsWith('.test.ts')).map((block) => examples.compiledFileOf(block))
  const { code, stdout, stderr } = await run(process.execPath, ['--test', '--test-reporter=tap', ...files], { cwd: examples.folder })
  t.is(code, 0, stdout + stderr)
  const [, passed] = /^# pass (\d+)$/m.exec(stdout) ?? []
  t.true(Number(passed) >= files.length, stdout)
})

test('plugins in the guides start', async (t) => {
  await compilation
  let started = 0
  for (const block of named('ts').filter(({ name }) => name?.startsWith('src/'))) {
    if (block.code.includes('new ApplicationEntity')) continue
    const module = (await import(pathToFileURL(examples.compiledFileOf(block)).href)) as Record<string, unknown>
    const factories = Object.values(module).filter(isPluginFactory)
    t.true(factories.length > 0, `${at(block)} exports a plugin`)
    for (const factory of factories) {
      // Those with required options, or with a plugin they require, are started by the guide's tests.
      if (factory.plugin.options !== undefined || factory.plugin.requires !== undefined) continue
      await using server = await createTestServer({ plugins: [factory()] })
      t.deepEqual(server.logged('error'), [], at(block))
      started += 1
    }
  }
  t.true(started >= 3)
})

// A configuration of the guides takes its secret from there.
process.env['DICOMTAP_DATABASE_PASSWORD'] = 'secret'

/** Files that a configuration names, not configurations themselves. */
const BESIDE = ['invalid.yaml', 'peers.yaml']

for (const block of [...named('yaml'), ...named('ts').filter(({ name }) => name === 'dicomtap.config.ts')]) {
  if (BESIDE.includes(block.name ?? '')) continue
  test(`the configuration is right: ${at(block)}`, async (t) => {
    await certificates
    const { ae } = await createApplication(examples.fileOf(block))
    t.true(ae.plugins().length > 0)
    await ae.close({ deadlineMs: 0 })
  })
}

test('the guide on security: its certificates and peers hold, and what it says of the commands is so', async (t) => {
  await certificates
  const block = examples.blocks.find(({ page, name }) => page === 'docs/guides/secure.md' && name === 'secure.yaml')
  const cwd = dirname(block === undefined ? '' : examples.fileOf(block))
  const bin = join(ROOT, 'packages/cli/bin/dicomtap.js')
  const dicomtap = (...args: string[]): ReturnType<typeof run> => run(process.execPath, [bin, ...args, '--config', 'secure.yaml'], { cwd })
  const checked = await dicomtap('check', '--json')
  t.like(JSON.parse(checked.stdout) as object, { ok: true, problems: [], findings: [] }, checked.stderr)
  const { code } = await dicomtap('peers', 'add', 'CT02', '--host', '10.20.1.16', '--group', 'modality')
  t.is(code, 0)
  t.is((await dicomtap('peers', 'test', 'CT02', '--host', '10.20.1.16')).code, 0)
  t.is((await dicomtap('peers', 'test', 'CT02', '--host', '10.20.1.99')).code, 1)
  t.is((await dicomtap('peers', 'test', 'READING1', '--host', '10.30.0.21')).code, 1)
  t.is((await dicomtap('peers', 'test', 'STRANGER', '--host', '10.20.1.16')).code, 1)
})

for (const block of packageConfigurations()) {
  test(`the configuration is right: ${at(block)}`, async (t) => {
    const file = join(examples.folder, `${block.page.replaceAll('/', '-')}-${block.line}.yaml`)
    writeFileSync(file, block.code)
    for (const [, path = '', name = ''] of block.code.matchAll(/- "?(\.\/([\w-]+)\.[jt]s)/g)) {
      writeFileSync(join(examples.folder, path), `import { definePlugin } from '@dicomtap/framework'\nexport const plugin = definePlugin({ name: '${name}', apply() {} })\n`)
    }
    const { ae } = await createApplication(file)
    t.true(ae.plugins().length > 0)
    await ae.close({ deadlineMs: 0 })
  })
}

for (const { block, text } of examples.shown('problems')) {
  test(`the problems are those that the page says: ${at(block)}`, async (t) => {
    const bin = join(ROOT, 'packages/cli/bin/dicomtap.js')
    const file = examples.fileOf(block)
    const { code, stderr } = await run(process.execPath, [bin, 'check', '--config', file], { cwd: dirname(file) })
    t.is(stderr, text)
    t.is(code, 78)
  })
}

function overrideExit(command: Program): void {
  command.exitOverride()
  for (const one of command.commands) overrideExit(one)
}

type Program = ReturnType<typeof createProgram>

/** The certificates that a page's configurations name are made by the commands of that page, in its folder. */
async function makeCertificates(): Promise<void> {
  const bin = join(ROOT, 'packages/cli/bin/dicomtap.js')
  for (const { block, words } of commands().filter(({ words: [, dicomtap, cert] }) => dicomtap === 'dicomtap' && cert === 'cert')) {
    const cwd = dirname(examples.fileOf({ ...block, name: 'x' }))
    const { code, stderr } = await run(process.execPath, [bin, ...words.slice(2)], { cwd })
    if (code !== 0) throw new Error(`${at(block)}: ${words.join(' ')}: ${stderr}`)
  }
}

interface Command {
  readonly block: CodeBlock
  readonly words: readonly string[]
}

/** The commands of the bash blocks, without what is piped or redirected. */
function commands(): Command[] {
  return examples.blocks
    .filter(({ language }) => language === 'bash')
    .flatMap((block) => block.code.trim().split('\n').map((line) => ({ block, line: line.replace(/\s+#.*$/, '') })))
    .flatMap(({ block, line }) => line.split(/ && | \| .*$| > .*$/).map((text) => ({ block, words: text.trim().split(/\s+/) })))
    .filter(({ words }) => words[0] !== '' && words[0] !== undefined)
}

function scriptsOf(folder: string): Record<string, string> {
  return (JSON.parse(readFileSync(join(ROOT, folder, 'package.json'), 'utf8')) as { scripts: Record<string, string> }).scripts
}

/** Actions that note that they were asked for. */
function noting(asked: string[]): Actions {
  const names = ['start', 'check', 'hooks', 'plugins', 'schema', 'echo', 'store', 'find', 'get', 'move'] as const
  const note = (name: string) => async (): Promise<number> => {
    asked.push(name)
    return 0
  }
  return Object.fromEntries(names.map((name) => [name, note(name)])) as unknown as Actions
}

/** First words, or first two, of commands that other tests try out, or that are none of ours. */
const OTHERS = ['cd', 'git clone', 'git switch', 'git commit', 'npm ci', 'npm install', 'echoscu', 'storescu', 'findscu', 'getscu', 'movescu', 'sudo -u postgres', 'tar', 'npx tsc', 'npx ava', 'npx oxlint', 'node --test', 'kill']

for (const { block, words } of commands()) {
  test(`the command exists: ${at(block)}: ${words.join(' ')} [${block.line}]`, async (t) => {
    const line = words.join(' ')
    const dicomtap = /^(?:npx )?dicomtap (.*)$/.exec(line)
    const scaffolder = /^(?:npx create-dicomtap|npm create dicomtap@latest) (.*)$/.exec(line)
    if (dicomtap !== null) {
      const asked: string[] = []
      const program = createProgram(noting(asked), () => {})
      for (const one of await commandsOfPlugins()) program.addCommand(buildCommand(one, async ({ name }) => void asked.push(name)))
      overrideExit(program)
      await program.parseAsync((dicomtap[1] ?? '').split(' '), { from: 'user' })
      t.is(asked.length, 1)
    } else if (scaffolder !== null) {
      await createScaffolder(async (folder) => void t.not(folder, undefined)).parseAsync((scaffolder[1] ?? '').replace(' -- ', ' ').split(' '), { from: 'user' })
    } else if (/^npm (?:run \S+|start|test)/.test(line)) {
      const script = words[1] === 'run' ? words[2] : words[1]
      const workspace = words.includes('-w') ? (words[words.indexOf('-w') + 1] ?? '') : '.'
      t.true(Object.hasOwn(scriptsOf(workspace), script ?? ''), `${workspace}/package.json has no script ${script}`)
    } else if (/^(?:node|bash) (?:\.|scripts|benchmarks|tools|packages|create-app)/.test(line) || line.startsWith('.ci/')) {
      const file = words.find((word) => word.includes('/')) ?? ''
      t.true(readdirSync(join(ROOT, dirname(file))).includes(basename(file)), `there is no ${file}`)
    } else {
      t.true(OTHERS.some((known) => line === known || line.startsWith(`${known} `)), `nobody tries out "${line}"`)
    }
  })
}

