import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { createTestServer } from '@dicomtap/framework/testing'
import { userIdentity } from '@dicomtap/plugin-user-identity'
import { identityItem, isAccepted, outcome, temporaryFolder } from './support/peer.js'

const BIN = fileURLToPath(new URL('../../cli/bin/dicomtap.js', import.meta.url))

interface Result {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs `dicomtap users` to its end, with `input` as its standard input. */
async function run(cwd: string, args: readonly string[], input = ''): Promise<Result> {
  const { NODE_OPTIONS: _options, FORCE_COLOR: _color, ...env } = process.env
  const child = spawn(process.execPath, [BIN, 'users', ...args], { cwd, env })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  // It may end before it read its input.
  child.stdin.on('error', () => {})
  child.stdin.end(input)
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, stdout, stderr }
}

test('adds, lists, verifies and removes users, and a server takes them', async (t) => {
  const folder = await temporaryFolder(t)
  const file = join(folder, 'users.yaml')
  t.deepEqual(await run(folder, ['add', 'users.yaml', 'alice', '--roles', 'radiology, admin'], 'correct horse\n'), {
    code: 0,
    stdout: '',
    stderr: "users.yaml: 'alice' can identify.\n",
  })
  if (process.platform !== 'win32') t.is((await stat(file)).mode & 0o777, 0o600)
  await writeFile(join(folder, 'passcode'), 'battery staple\r\nsecond line\n')
  t.is((await run(folder, ['add', 'users.yaml', '007', '--algorithm', 'scrypt', '--passcode-file', 'passcode'])).code, 0)
  t.is((await run(folder, ['add', 'users.yaml', 'OLDCT', '--username-only', '-r', 'modality'])).code, 0)

  const text = await readFile(file, 'utf8')
  t.regex(text, /\$argon2id\$v=19\$m=19456,t=2,p=1\$/)
  t.regex(text, /\$scrypt\$ln=17,r=8,p=1\$/)
  t.notRegex(text, /horse|staple/)
  t.is((await run(folder, ['list', 'users.yaml'])).stdout, 'alice  argon2id     radiology, admin\n007    scrypt\nOLDCT  no passcode  modality\n')
  t.deepEqual(JSON.parse((await run(folder, ['list', 'users.yaml', '--json'])).stdout), [
    { username: 'alice', passcode: 'argon2id', roles: ['radiology', 'admin'] },
    { username: '007', passcode: 'scrypt', roles: [] },
    { username: 'OLDCT', passcode: null, roles: ['modality'] },
  ])

  await using server = await createTestServer({ plugins: [userIdentity({ users: { file }, usernameOnly: ['OLDCT'] })] })
  t.true(isAccepted(await outcome(server, identityItem(2, 'alice', 'correct horse'))))
  t.true(isAccepted(await outcome(server, identityItem(2, '007', 'battery staple'))))
  t.true(isAccepted(await outcome(server, identityItem(1, 'OLDCT'))))
  t.deepEqual(server.logged('warn'), [])

  t.deepEqual(await run(folder, ['verify', 'users.yaml', '007'], 'battery staple'), { code: 0, stdout: '', stderr: 'The passcode is right.\n' })
  t.deepEqual(await run(folder, ['verify', 'users.yaml', '007'], 'battery'), { code: 1, stdout: '', stderr: 'error: The passcode is wrong\n' })
  t.is((await run(folder, ['remove', 'users.yaml', '007'])).code, 0)
  t.false(isAccepted(await outcome(server, identityItem(2, '007', 'battery staple'))))
  t.deepEqual(await readdir(folder), ['passcode', 'users.yaml'])
})

test('what stands in the file stays: comments, order, roles, the link to it', async (t) => {
  const folder = await temporaryFolder(t)
  const file = join(folder, 'real.yaml')
  await writeFile(file, '# kept\nusers:\n  b: # the second one\n    roles: [x]\n  a: {}\n')
  if (process.platform === 'win32') return t.pass('links need rights there')
  await symlink(file, join(folder, 'users.yaml'))
  t.is((await run(folder, ['add', 'users.yaml', 'c', '--username-only'])).code, 0)
  t.is((await run(folder, ['add', 'users.yaml', 'b', '--replace'], 'correct horse')).code, 0)
  const text = await readFile(file, 'utf8')
  t.regex(text, /^# kept\nusers:\n {2}b:/)
  t.deepEqual(JSON.parse((await run(folder, ['list', 'users.yaml', '--json'])).stdout), [
    { username: 'b', passcode: 'argon2id', roles: ['x'] },
    { username: 'a', passcode: null, roles: [] },
    { username: 'c', passcode: null, roles: [] },
  ])
})

test('two commands at once: none undoes what the other did', async (t) => {
  const folder = await temporaryFolder(t)
  const names = ['a', 'b', 'c', 'd']
  const results = await Promise.all(names.map((name) => run(folder, ['add', 'users.yaml', name, '--username-only'])))
  const added = names.filter((_name, index) => results[index]?.code === 0)
  t.true(added.length >= 1)
  for (const { code, stderr } of results) if (code !== 0) t.regex(stderr, /^error: .*users\.yaml is being changed; .*delete .*\.users\.yaml\.new\n$/)
  const listed = JSON.parse((await run(folder, ['list', 'users.yaml', '--json'])).stdout) as { username: string }[]
  t.deepEqual(listed.map(({ username }) => username).sort(), added)
  t.deepEqual(await readdir(folder), ['users.yaml'])
})

test('failures: one line, exit code 1, the file as it was', async (t) => {
  const folder = await temporaryFolder(t)
  await writeFile(join(folder, 'users.yaml'), 'users:\n  alice: {}\n', { mode: 0o600 })
  await writeFile(join(folder, 'broken.yaml'), 'users:\n  alice: { passcode: hunter2 }\n')
  const cases: readonly (readonly [readonly string[], string, RegExp])[] = [
    [['add', 'users.yaml', 'alice'], 'correct horse', /has the user 'alice'; change it with --replace/],
    [['add', 'users.yaml', 'bob'], '', /no passcode in standard input/],
    [['add', 'users.yaml', 'bob'], 'short', /less than 8 characters/],
    [['add', 'users.yaml', 'bob'], 'x'.repeat(70_000), /more than 65535 bytes/],
    [['add', 'users.yaml', 'bob', '--passcode-file', 'absent'], '', /absent cannot be read \(ENOENT\)/],
    [['add', 'no/such/users.yaml', 'bob'], 'correct horse', /cannot be written \(ENOENT\)/],
    [['add', 'broken.yaml', 'bob'], 'correct horse', /users\.alice\.passcode is neither/],
    [['list', 'broken.yaml'], '', /users\.alice\.passcode is neither/],
    [['list', 'absent.yaml'], '', /There is no absent\.yaml; "dicomtap users add absent\.yaml <username>" makes it/],
    [['list', '.'], '', /cannot be read \(EISDIR\)/],
    [['remove', 'users.yaml', 'bob'], '', /has no user 'bob'/],
    [['verify', 'users.yaml', 'bob'], 'x', /has no user 'bob'/],
    [['verify', 'users.yaml', 'alice'], 'x', /has no passcode/],
  ]
  const results = await Promise.all(cases.map(([args, input]) => run(folder, args, input)))
  for (const [index, [args, , expected]] of cases.entries()) {
    const { code, stdout, stderr } = results[index] ?? { code: null, stdout: '', stderr: '' }
    t.is(code, 1, args.join(' '))
    t.is(stdout, '', args.join(' '))
    t.regex(stderr, /^error: .*\n$/, args.join(' '))
    t.regex(stderr, expected)
    t.notRegex(stderr, /hunter2|horse/)
  }
  t.is(await readFile(join(folder, 'users.yaml'), 'utf8'), 'users:\n  alice: {}\n')
  t.deepEqual((await readdir(folder)).sort(), ['broken.yaml', 'users.yaml'])
})

test('wrong usage: exit code 2, and a passcode as an argument is not repeated', async (t) => {
  const folder = await temporaryFolder(t)
  const cases: readonly (readonly string[])[] = [
    [],
    ['unknown'],
    ['add'],
    ['add', 'users.yaml'],
    ['add', 'users.yaml', ''],
    ['add', 'users.yaml', ' alice'],
    ['add', 'users.yaml', 'alice', 'hunter2-hunter2'],
    ['add', 'users.yaml', 'alice', '--algorithm', 'md5'],
    ['add', 'users.yaml', 'alice', '--roles', 'a,,b'],
    ['list', 'users.yaml', '--unknown'],
  ]
  const results = await Promise.all(cases.map((args) => run(folder, args)))
  for (const [index, args] of cases.entries()) {
    t.is(results[index]?.code, 2, args.join(' '))
    t.notRegex(results[index]?.stderr ?? '', /hunter2/)
  }
  t.deepEqual(await readdir(folder), [])
})

test('help: exit code 0, on stdout', async (t) => {
  const folder = await temporaryFolder(t)
  for (const args of [['--help'], ['help', 'add'], ['add', '--help'], ['list', '-h'], ['remove', '-h'], ['verify', '-h']]) {
    const { code, stdout } = await run(folder, args)
    t.is(code, 0)
    t.regex(stdout, /^Usage: dicomtap users/)
    t.regex(stdout, /Exit codes: 0 fine, 1 failure, 2 wrong usage/)
  }
})

const asOrdinaryUser = process.platform !== 'win32' && process.getuid?.() !== 0 ? test : test.skip
asOrdinaryUser('a folder that may not be written is said to be so', async (t) => {
  const folder = await temporaryFolder(t)
  await chmod(folder, 0o500)
  t.teardown(() => chmod(folder, 0o700))
  t.regex((await run(folder, ['add', 'users.yaml', 'alice', '--username-only'])).stderr, /cannot be written \(EACCES\)/)
})
