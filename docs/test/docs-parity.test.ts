import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import test from 'ava'
import { CONFIG_FILE_NAMES, createProgram, FIRST_PARTY_COMMANDS, loadConfig } from '@dicomtap/cli'
import { commandsOfPlugins } from './plugin-commands.js'
import { ApplicationEntity, configJsonSchema, DEFAULT_LIMITS, DEFAULT_TIMEOUTS, ERROR_CODES, HOOK_CATALOG, HOOK_NAMES, SopClass, TransferSyntax } from '@dicomtap/framework'
import type { HookName } from '@dicomtap/framework'
import { createTestServer, encodedSample, hookRecorder, testScu } from '@dicomtap/framework/testing'
import { run, writeExamples } from './examples.js'
import { anchorOf, codeBlocks, prose, readPage, readPages, ROOT } from './pages.js'

type Notes = Readonly<Record<string, string>>
const notes = async <T>(name: string): Promise<T> => (await import(new URL(`../../scripts/docs/${name}.mjs`, import.meta.url).href)) as T
const { ERROR_NOTES } = await notes<{ ERROR_NOTES: Readonly<Record<string, { isReserved?: true }>> }>('error-notes')
const { LIMIT_NOTES, TIMEOUT_NOTES } = await notes<{ LIMIT_NOTES: Notes; TIMEOUT_NOTES: Notes }>('limit-notes')
const { DEPENDENCY_NOTES } = await notes<{ DEPENDENCY_NOTES: Notes }>('dependency-notes')

const pages = readPages()
const everything = pages.map(({ text }) => text).join('\n')

/** The sources of the published packages, without the table that the codes stand in. */
const sources = ['create-app', ...readdirSync(join(ROOT, 'packages')).map((name) => join('packages', name))]
  .map((folder) => join(ROOT, folder, 'src'))
  .filter((folder) => existsSync(folder))
  .flatMap((folder) => readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name)))
  .filter((file) => file.endsWith('.ts') && !file.endsWith(join('errors', 'codes.ts')))
  .map((file) => readFileSync(file, 'utf8'))
  .join('\n')

function headings(path: string): string[] {
  return [...readPage(path).text.matchAll(/^###? (.+)$/gm)].map(([, heading = '']) => heading)
}

test('generated parts are up to date', async (t) => {
  const { code, stderr } = await run(process.execPath, ['scripts/generate-docs.mjs', '--check'], { cwd: ROOT })
  t.is(stderr, '')
  t.is(code, 0)
})

test('every hook has an entry, and the page has no other', (t) => {
  const entries = headings('docs/reference/hooks.md').filter((heading) => !heading.endsWith(' hooks'))
  t.deepEqual([...entries].sort(), [...HOOK_NAMES].sort())
})

test('hooks that the pages name exist', (t) => {
  const named = [...everything.matchAll(/\bhooks\.(\w+)\.(?:tap|tapPromise|taps)\b/g), ...everything.matchAll(/\bbind\('(\w+)'/g)]
  t.true(named.length > 5)
  for (const [text, name = ''] of named) t.true(name === 'hook' || Object.hasOwn(HOOK_CATALOG, name), text)
})

test('every error code has an entry with cause and remedy, and the pages name no other', (t) => {
  const codes = Object.keys(ERROR_CODES)
  t.deepEqual(headings('docs/reference/errors.md').filter((heading) => heading.startsWith('DICOMTAP_ERR_')).sort(), [...codes].sort())
  t.deepEqual(Object.keys(ERROR_NOTES).sort(), [...codes].sort())
  for (const [code] of everything.matchAll(/DICOMTAP_ERR_[A-Z]+_[A-Z_]+[A-Z]/g)) t.true(codes.includes(code), code)
})

test('codes that are called reserved are not raised, the others are', (t) => {
  for (const [code, { isReserved = false }] of Object.entries(ERROR_NOTES)) {
    t.is(sources.includes(`'${code}'`), !isReserved, code)
  }
})

test('every option of the configuration is in its table, and every note has its option', (t) => {
  const cells = [...readPage('docs/reference/config.md').text.matchAll(/^\| `([\w.]+)` \|/gm)].map(([, name]) => name)
  const { properties } = configJsonSchema() as { properties: Record<string, unknown> }
  for (const name of Object.keys(properties).filter((one) => one !== '$schema')) t.true(cells.includes(name), name)
  const limits = readPage('docs/reference/limits.md').text
  for (const name of Object.keys(DEFAULT_LIMITS)) t.true(limits.includes(`\`limits.${name}\``), name)
  for (const name of Object.keys(DEFAULT_TIMEOUTS)) t.true(limits.includes(`\`timeouts.${name}\``), name)
  t.deepEqual(Object.keys(LIMIT_NOTES).sort(), Object.keys(DEFAULT_LIMITS).sort())
  t.deepEqual(Object.keys(TIMEOUT_NOTES).sort(), Object.keys(DEFAULT_TIMEOUTS).sort())
})

test('limits and time-outs that the pages name exist', (t) => {
  for (const [text, group = '', name = ''] of everything.matchAll(/`(limits|timeouts)\.(\w+)`/g)) {
    t.true(Object.hasOwn(group === 'limits' ? DEFAULT_LIMITS : DEFAULT_TIMEOUTS, name), text)
  }
})

test('every command and flag is in its page', async (t) => {
  const page = readPage('docs/reference/cli.md')
  const program = createProgram({} as never, () => {})
  for (const command of program.commands) {
    t.true(headings('docs/reference/cli.md').includes(`dicomtap ${command.name()}`), command.name())
    for (const { long } of command.options) t.true(page.text.includes(long ?? ''), `${command.name()} ${long}`)
  }
  for (const { name } of await commandsOfPlugins()) t.true(headings('docs/reference/cli.md').includes(`dicomtap ${name}`), name)
  for (const name of CONFIG_FILE_NAMES) t.true(readPage('docs/reference/config.md').text.includes(`\`${name}\``), name)
})

test('the commands of our plugins are those that the command line knows to come with them', async (t) => {
  const brought = (await commandsOfPlugins()).map(({ name, summary, package: from }) => [name, { package: from, summary }] as const)
  t.deepEqual(Object.fromEntries(brought), FIRST_PARTY_COMMANDS)
})

test('commands that the pages name in their text exist', async (t) => {
  const own = createProgram({} as never, () => {}).commands.map((command) => command.name())
  const names = [...own, ...(await commandsOfPlugins()).map(({ name }) => name), 'census']
  for (const page of pages) {
    for (const [text, name = ''] of prose(page).matchAll(/`(?:npx )?dicomtap ([a-z]+)/g)) t.true(names.includes(name), `${page.path}: ${text}`)
  }
})

test('npm scripts that the pages name in their text exist', (t) => {
  const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { scripts: Record<string, string> }
  for (const page of pages) {
    for (const [text, name = ''] of prose(page).matchAll(/`npm run ([\w:]+)/g)) t.true(Object.hasOwn(scripts, name), `${page.path}: ${text}`)
  }
})

test('every runtime dependency has its reason, and no other', (t) => {
  const folders = ['create-app', ...readdirSync(join(ROOT, 'packages')).map((name) => join('packages', name))]
  const dependencies = folders
    .map((folder) => JSON.parse(readFileSync(join(ROOT, folder, 'package.json'), 'utf8')) as { dependencies?: Record<string, string> })
    .flatMap((manifest) => Object.keys(manifest.dependencies ?? {}))
    .filter((name) => !name.startsWith('@dicomtap/'))
  t.deepEqual(Object.keys(DEPENDENCY_NOTES).sort(), [...new Set(dependencies)].sort())
})

test('workflows: actions are pinned by commit, and every job says what it may', (t) => {
  const folder = join(ROOT, '.github/workflows')
  for (const name of readdirSync(folder)) {
    const text = readFileSync(join(folder, name), 'utf8')
    for (const [, action = ''] of text.matchAll(/uses: (.+)/g)) t.regex(action, /^[\w-]+\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/, `${name}: ${action}`)
    t.regex(text, /^permissions: \{\}$/m, name)
    t.is([...text.matchAll(/^ {4}runs-on: /gm)].length, [...text.matchAll(/^ {4}permissions:$/gm)].length, name)
  }
})

test('links lead somewhere', (t) => {
  for (const page of pages) {
    for (const [, target = ''] of prose(page).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^https?:/.test(target)) continue
      const [path = '', anchor] = target.split('#')
      const file = path === '' ? page.path : join(dirname(page.path), path)
      t.true(existsSync(join(ROOT, file)), `${page.path}: ${target}`)
      if (anchor === undefined || !file.endsWith('.md')) continue
      const anchors = [...readFileSync(join(ROOT, file), 'utf8').matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) => anchorOf(heading))
      t.true(anchors.includes(anchor), `${page.path}: ${target}`)
    }
  }
})

test('files and folders that the architecture names exist', (t) => {
  for (const [text, path = ''] of readPage('ARCHITECTURE.md').text.matchAll(/`((?:[\w-]+\/)+[\w.*-]*)`/g)) {
    const candidates = [path, join('packages/framework/src', path), join('packages/framework', path), join('packages/plugin-query-retrieve/src', path)].map((one) => join(ROOT, one.replace(/\/[^/]*\*.*$/, '')))
    t.true(candidates.some((one) => existsSync(one)), text)
  }
})

test('the configuration of getting started is that of npm start', async (t) => {
  const examples = writeExamples()
  t.teardown(() => examples.remove())
  const block = examples.blocks.find(({ page, name }) => page === 'docs/guides/getting-started.md' && name === 'dicomtap.config.yaml')
  const [{ config: shown }, { config: real }] = await Promise.all([
    loadConfig({ file: block === undefined ? '' : examples.fileOf(block) }),
    loadConfig({ file: join(ROOT, 'dicomtap.config.yaml') }),
  ])
  t.deepEqual({ ...shown, file: '' }, { ...real, file: '' })
})

test('the README has the two commands on lines of their own', (t) => {
  const lines = codeBlocks(readPage('README.md')).flatMap(({ code }) => code.trim().split('\n'))
  t.true(lines.includes('npm ci && npm start'))
  t.true(lines.includes('npm ci && npm test'))
})

test('lifecycle: the close has the steps that the code has', (t) => {
  const text = readFileSync(join(ROOT, 'packages/framework/src/close.ts'), 'utf8')
  const steps = [...text.matchAll(/^ {2}\/\/ (\d+)\. (\w+ \w+)/gm)].map(([, number, words = '']) => [number, words.toLowerCase()])
  const section = readPage('docs/reference/lifecycle.md').text.split('## Close')[1]?.split('## ')[0] ?? ''
  const documented = [...section.matchAll(/^(\d+)\. (.+)$/gm)].map(([, number]) => number)
  t.true(steps.length >= 4)
  t.deepEqual(documented, steps.map(([number]) => number))
})

test('lifecycle: hooks fire in the order of the page', async (t) => {
  await using server = await createTestServer()
  server.ae.addSupportedContext(SopClass.CTImageStorage, undefined, { scu: true, scp: true })
  using recorder = hookRecorder(server.ae)
  const asked: HookName[] = []
  const note = (name: HookName): void => {
    asked.push(name)
  }
  for (const name of recorderHooks) server.ae.bind(name, () => note(name))
  server.ae.bind('associationRequest', () => note('associationRequest') as undefined)
  server.ae.bind('acceptedContexts', (contexts) => (note('acceptedContexts'), contexts))
  for (const name of ['userIdentity', 'roleSelection', 'sopClassCommonExtended', 'asyncOperations', 'sopClassExtended'] as const) {
    server.ae.bind(name, () => note(name) as undefined)
  }
  server.ae.bind('cStore', () => (note('cStore'), 0x0000))
  server.ae.bind('responseStatus', (status) => (note('responseStatus'), status))

  const transferSyntaxUid = TransferSyntax.ExplicitVRLittleEndian
  const sopClassUid = SopClass.CTImageStorage
  const scu = await testScu(server, {
    contexts: [[sopClassUid, transferSyntaxUid]],
    roles: [{ sopClassUid, scuRole: true, scpRole: true }],
    userInformation: [
      { type: 0x53, maximumNumberOperationsInvoked: 2, maximumNumberOperationsPerformed: 2 },
      { type: 0x56, sopClassUid, serviceClassApplicationInformation: Uint8Array.of(2) },
      { type: 0x57, subItemVersion: 0, sopClassUid: '2.25.2', serviceClassUid: '1.2.840.10008.4.2', relatedGeneralSopClassUids: [sopClassUid] },
      { type: 0x58, userIdentityType: 1, positiveResponseRequested: false, primaryField: Uint8Array.of(1), secondaryField: new Uint8Array(0) },
    ],
  })
  const dataSet = await encodedSample('ct', transferSyntaxUid)
  await scu.store({ sopClassUid: SopClass.CTImageStorage, sopInstanceUid: '2.25.1', transferSyntaxUid, dataSet })
  await scu.release()
  await recorder.next('connectionClosed')

  const text = readPage('docs/reference/lifecycle.md').text
  for (const [title, firstHook, lastHook] of [
    ['## An association', 'connectionOpened', 'associationEstablished'],
    ['## An operation', 'dimseReceived', 'operationCompleted'],
  ] as const) {
    const section = text.split(`${title}\n`)[1]?.split('\n## ')[0] ?? ''
    const documented = [...section.matchAll(/`(\w+)`/g)].map(([, name = '']) => name).filter((name) => (asked as string[]).includes(name))
    const fired = asked.slice(asked.indexOf(firstHook), asked.indexOf(lastHook) + 1)
    // Each in its place; a hook that fires again was documented at its first time.
    t.deepEqual(firstTimes(fired), firstTimes(documented.slice(0, documented.indexOf(lastHook) + 1)), title)
  }
})

test('lifecycle: hooks fire in the order of the page for an association of this side', async (t) => {
  await using server = await createTestServer()
  server.ae.addSupportedContext(SopClass.Verification)
  const ae = new ApplicationEntity({ logLevel: 'silent' })
  const fired: HookName[] = []
  for (const name of HOOK_NAMES) {
    ae.bind(name, ((value: unknown) => {
      fired.push(name)
      return HOOK_CATALOG[name].kind === 'transform' ? value : undefined
    }) as never)
  }
  const association = await ae.associate({ host: '127.0.0.1', port: server.port, contexts: [{ abstractSyntax: SopClass.Verification }] })
  await association.cEcho()
  const section = readPage('docs/reference/lifecycle.md').text.split('## An association that this side requests\n')[1]?.split('\n## ')[0] ?? ''
  // Bytes and the machine are everywhere.
  const documented = [...section.matchAll(/`(\w+)`/g)]
    .map(([, name = '']) => name)
    .filter((name) => (HOOK_NAMES as readonly string[]).includes(name) && !['stateChanged', 'pduReceived', 'associationRejected', 'connectionClosed'].includes(name))
  t.deepEqual(firstTimes(fired).filter((name) => documented.includes(name)), documented)
  t.true(documented.length >= 12)
  await association.release()
  await ae.close()
  t.is(fired.filter((name) => name !== 'preClose').at(-1), 'connectionClosed')
})

const recorderHooks = [
  'connectionOpened',
  'acseReceived',
  'acseSent',
  'associationRequested',
  'associationAccepted',
  'associationEstablished',
  'dimseReceived',
  'dimseSent',
  'operationStarted',
  'operationCompleted',
] as const satisfies readonly HookName[]

function firstTimes(names: readonly string[]): string[] {
  return [...new Set(names)]
}
