import { chmod, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import type { Association, AssociationRequestInfo } from '@dicomtap/framework'
import { createTestServer } from '@dicomtap/framework/testing'
import type { TestServer } from '@dicomtap/framework/testing'
import { IDENTITY_NOTE, userIdentity, userIdentityOptions } from '@dicomtap/plugin-user-identity'
import type { UserIdentityPluginOptions } from '@dicomtap/plugin-user-identity'
import { parseDocument } from 'yaml'
import { z } from 'zod'
import { passcodeVerifier } from '../dist/acceptor/verify-username.js'
import { limitConcurrency } from '../dist/limit-concurrency.js'
import { Lockout } from '../dist/lockout.js'
import { SharedLockout } from '../dist/shared-lockout.js'
import { decodeName, printable } from '../dist/names.js'
import { RefusalLines } from '../dist/refusal-lines.js'
import { hashPasscode, parsePasscodeHash, verifyPasscode } from '../dist/users/phc.js'
import { UserDirectory } from '../dist/users/user-directory.js'
import { parseUsersYaml, usersOf } from '../dist/users/users-document.js'
import { ALICE, BOB, bytes, identityItem, isAccepted, listener, logText, outcome, refusal, responseIn, temporaryFolder, usersYaml } from './support/peer.js'

const USERS = `
users:
  alice:
    passcode: ${ALICE}
    roles: [radiology, admin]
  bob:
    passcode: ${BOB}
  OLDCT:
    roles: [modality]
`
/** PS3.8 table 9-21: 2 transient, 2 service-provider (ACSE), 1 no reason given. */
const REFUSED = /transient, service-provider \(ACSE\): no reason given/

const openServer = (options: UserIdentityPluginOptions): Promise<TestServer> => createTestServer({ plugins: [userIdentity(options)] })

test('passcodes: let in when right, refused when wrong, for argon2id and scrypt', async (t) => {
  await using server = await openServer({ users: { file: await usersYaml(t, USERS) } })
  t.true(isAccepted(await outcome(server, identityItem(2, 'alice', 'password'))))
  t.true(isAccepted(await outcome(server, identityItem(2, 'bob', 'pleaseletmein'))))
  t.regex(refusal(await outcome(server, identityItem(2, 'alice', 'pleaseletmein'))), REFUSED)
  t.regex(refusal(await outcome(server, identityItem(2, 'bob', 'password'))), REFUSED)
  t.regex(refusal(await outcome(server, identityItem(2, 'alice'))), REFUSED)
  t.regex(refusal(await outcome(server, identityItem(2, 'Alice', 'password'))), REFUSED)
  t.regex(refusal(await outcome(server, identityItem(2, 'nobody', 'password'))), REFUSED)
  // Known, but without a passcode.
  t.regex(refusal(await outcome(server, identityItem(2, 'OLDCT', ''))), REFUSED)
})

test('the positive response of type 2 is empty, and comes only when it is asked for', async (t) => {
  await using server = await openServer({ users: { file: await usersYaml(t, USERS) } })
  t.is(responseIn(await outcome(server, identityItem(2, 'alice', 'password', true))), '')
  const without = await outcome(server, identityItem(2, 'alice', 'password', false))
  t.true(isAccepted(without))
  t.is(responseIn(without), undefined)
})

test('usernames alone: only those of the list, with the roles of the file', async (t) => {
  const { plugin, service } = listener()
  let association: Association | undefined
  await using server = await createTestServer({
    plugins: [userIdentity({ users: { file: await usersYaml(t, USERS) }, usernameOnly: ['OLDCT', 'NEWCT'] }), plugin],
    handlers: { associationEstablished: (event) => void (association = event.association) },
  })
  t.is(responseIn(await outcome(server, identityItem(1, 'OLDCT', '', true))), '')
  t.deepEqual(association === undefined ? undefined : service().identityOf(association), { type: 1, user: 'OLDCT', roles: ['modality'] })
  t.true(isAccepted(await outcome(server, identityItem(1, 'NEWCT'))))
  // A passcode does not make a type 1 out of nothing.
  t.regex(refusal(await outcome(server, identityItem(1, 'alice', 'password'))), REFUSED)
  t.regex(refusal(await outcome(server, identityItem(1, ''))), REFUSED)
})

test('types that are not configured are refused, and those that do not exist', async (t) => {
  await using server = await openServer({ required: false, users: { file: await usersYaml(t, USERS) } })
  for (const type of [0, 1, 3, 4, 5, 6, 255]) t.regex(refusal(await outcome(server, identityItem(type, 'alice', 'password'))), REFUSED, `type ${type}`)
  const reasons = server.log.filter(({ message }) => message === 'user identity refused').map(({ fields }) => fields['reason'])
  t.deepEqual([...new Set(reasons)], ['this type is not configured'])
})

test('without an identity: refused when one is required, which is the default', async (t) => {
  const file = await usersYaml(t, USERS)
  await using strict = await openServer({ users: { file } })
  t.regex(refusal(await outcome(strict)), REFUSED)
  t.deepEqual(strict.logged('warn'), ['association refused: no user identity was given'])
  await using lenient = await openServer({ users: { file }, required: false })
  t.true(isAccepted(await outcome(lenient)))
})

test('who knocks without end fills no log: so many lines, and then a number', (t) => {
  const lines: unknown[] = []
  const refusals = new RefusalLines({ warn: (message, fields) => void lines.push([message, fields]) }, 2)
  for (let knock = 1; knock <= 12; knock += 1) refusals.warn('refused', { knock })
  t.deepEqual(lines, [['refused', { knock: 1 }], ['refused', { knock: 2 }]])
  refusals.endWindow()
  refusals.endWindow()
  t.deepEqual(lines.slice(2), [['many others were refused as well', { refused: 10 }]])
  refusals.warn('refused', { knock: 13 })
  t.is(lines.length, 4)
  refusals.endWindow()
})

test('without anything to verify with, identities are left to others', async (t) => {
  await using server = await openServer({ identifyAs: [{ host: 'pacs', username: 'gateway' }] })
  t.true(isAccepted(await outcome(server)))
  t.true(isAccepted(await outcome(server, identityItem(2, 'alice', 'x'))))
})

test('an item that is no user identity does not count as one', async (t) => {
  await using server = await openServer({ usernameOnly: ['OLDCT'] })
  t.regex(refusal(await outcome(server, { type: 0x5f, unknown: true, data: bytes('OLDCT') })), REFUSED)
})

test('later plugins learn who it is, and only of those who were let in', async (t) => {
  const { plugin, service } = listener()
  const seen: (readonly [unknown, unknown])[] = []
  await using server = await createTestServer({
    plugins: [userIdentity({ required: false, users: { file: await usersYaml(t, USERS) } }), plugin],
    handlers: {
      acceptedContexts: (contexts, { association }) => {
        seen.push([service().identityOf(association), association.notes.get(IDENTITY_NOTE)])
        return contexts
      },
      associationRejected: ({ association }) => void seen.push([service().identityOf(association), association.notes.get(IDENTITY_NOTE)]),
    },
  })
  await outcome(server, identityItem(2, 'alice', 'password'))
  await outcome(server)
  await outcome(server, identityItem(2, 'alice', 'wrong'))
  const alice = { type: 2, user: 'alice', roles: ['radiology', 'admin'] }
  t.deepEqual(seen, [[alice, alice], [undefined, undefined], [undefined, undefined]])
})

test('Kerberos and SAML: the callback decides, its token is sent', async (t) => {
  const fields: string[] = []
  const { plugin, service } = listener()
  let association: Association | undefined
  await using server = await createTestServer({
    plugins: [
      userIdentity({
        kerberos: async (ticket) => {
          fields.push(Buffer.from(ticket).toString('hex'))
          return { verified: true, user: 'ct@HOSPITAL', roles: ['a'], claims: { realm: 'HOSPITAL' }, response: bytes('server ticket') }
        },
        saml: (assertion, info) => ({ verified: assertion.length > 3 && info.association.callingAeTitle === 'CT01', user: 'saml user' }),
      }),
      plugin,
    ],
    handlers: { associationEstablished: (event) => void (association = event.association) },
  })
  t.is(responseIn(await outcome(server, identityItem(3, Uint8Array.of(0x60, 0, 0xff), '', true))), 'server ticket')
  t.deepEqual(fields, ['6000ff'])
  t.deepEqual(association === undefined ? undefined : service().identityOf(association), {
    type: 3,
    user: 'ct@HOSPITAL',
    roles: ['a'],
    claims: { realm: 'HOSPITAL' },
  })
  t.is(responseIn(await outcome(server, identityItem(3, 'x', '', false))), undefined)
  t.is(responseIn(await outcome(server, identityItem(4, '<Assertion/>', '', true))), '')
  t.regex(refusal(await outcome(server, identityItem(4, '<a>'))), REFUSED)
})

test('a callback that throws, or answers nonsense, refuses', async (t) => {
  const answers: unknown[] = [undefined, true, { verified: 'yes', user: 'x' }, { verified: true }, { verified: true, user: '' }, { verified: true, user: 'a\nb' }]
  await using server = await openServer({
    kerberos: async () => {
      throw new Error('KDC unreachable')
    },
    saml: () => answers.shift() as never,
  })
  t.regex(refusal(await outcome(server, identityItem(3, 'ticket'))), REFUSED)
  t.true(logText(server.log).includes('KDC unreachable'))
  while (answers.length > 0) t.regex(refusal(await outcome(server, identityItem(4, 'assertion'))), REFUSED)
})

test('hostile fields are refused without harm', async (t) => {
  await using server = await openServer({ users: { file: await usersYaml(t, USERS) }, usernameOnly: ['OLDCT'], lockout: false })
  const names = [
    '',
    new Uint8Array(65_000).fill(0x41),
    Uint8Array.of(0xff, 0xfe, 0x41),
    Uint8Array.of(0xc0, 0x80),
    'OLDCT\0',
    'OLDCT\nuser identified user=alice',
    ' OLDCT',
    '\u202eTCDLO',
    '__proto__',
    'constructor',
    '\ufeffOLDCT',
  ]
  for (const type of [1, 2]) {
    for (const name of names) t.regex(refusal(await outcome(server, identityItem(type, name, 'password'))), REFUSED, JSON.stringify(name).slice(0, 40))
  }
  for (const passcode of [new Uint8Array(60_000), Uint8Array.of(0xff, 0xfe), 'pass\0word', '\n']) {
    t.regex(refusal(await outcome(server, identityItem(2, 'alice', passcode))), REFUSED)
  }
  t.deepEqual(server.logged('error'), [])
  t.true(isAccepted(await outcome(server, identityItem(1, 'OLDCT'))))
  for (const { message } of server.log) t.notRegex(message, /\n/)
})

test('an item that is cut off aborts the association, and no other', async (t) => {
  await using server = await openServer({ usernameOnly: ['OLDCT'] })
  // Type 1, no response, primary length 200 with 2 bytes behind it.
  const broken = { type: 0x58, unknown: true, data: Uint8Array.of(1, 0, 0, 200, 0x41, 0x42) } as const
  t.regex(refusal(await outcome(server, broken)), /No association/)
  t.true(isAccepted(await outcome(server, identityItem(1, 'OLDCT'))))
})

test('no secret is logged, whatever happens', async (t) => {
  const secrets = ['password', 'correct-horse-battery', 'ticket-6f1a', 'assertion-77e0', 'eyJhbGciOiJub25lIn0.eyJzdWIiOiJzZWNyZXQifQ.']
  const [right = '', wrong = '', ticket = '', assertion = '', token = ''] = secrets
  const keys = join(await temporaryFolder(t), 'jwks.json')
  await writeFile(keys, JSON.stringify({ keys: [{ kty: 'OKP', crv: 'Ed25519', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' }] }))
  await using server = await openServer({
    users: { file: await usersYaml(t, USERS) },
    jwt: { jwks: keys, issuer: 'i', audience: 'a' },
    kerberos: () => ({ verified: false }),
    saml: () => {
      throw new Error('the assertion is too old')
    },
    lockout: { attempts: 3 },
  })
  const errors = [
    await outcome(server, identityItem(2, 'alice', right)),
    ...(await Promise.all([1, 2, 3, 4, 5].map(() => outcome(server, identityItem(2, 'alice', wrong))))),
    // Typed into the wrong field.
    await outcome(server, identityItem(2, wrong, 'alice')),
    await outcome(server, identityItem(1, wrong)),
    await outcome(server, identityItem(3, ticket)),
    await outcome(server, identityItem(4, assertion)),
    await outcome(server, identityItem(5, token)),
  ]
  t.is(errors.filter(isAccepted).length, 1)
  t.true(server.log.length > 20)
  const text = logText(server.log) + JSON.stringify(errors.slice(1))
  for (const secret of secrets) {
    // The type is named "username and passcode"; "password" stands in no line.
    t.false(text.includes(secret), secret)
    t.false(text.includes(Buffer.from(secret).toString('base64').replace(/=+$/, '')), secret)
  }
  t.false(text.includes(ALICE.split('$')[5] ?? '?'))
  t.true(text.includes('"user":"alice"'))
})

test('lockout: the right passcode does not help, neither from there nor for that name', async (t) => {
  await using server = await openServer({ users: { file: await usersYaml(t, USERS) }, usernameOnly: ['OLDCT'], lockout: { attempts: 3, attemptsPerAddress: 5 } })
  for (let count = 0; count < 3; count++) await outcome(server, identityItem(2, 'bob', `guess ${count}`))
  t.regex(refusal(await outcome(server, identityItem(2, 'bob', 'pleaseletmein'))), REFUSED)
  t.true(isAccepted(await outcome(server, identityItem(2, 'alice', 'password'))))
  // The names that nobody has count for the address, and are locked as others are.
  for (let count = 0; count < 2; count++) await outcome(server, identityItem(2, `nobody ${count}`, 'guess'))
  t.regex(refusal(await outcome(server, identityItem(2, 'alice', 'password'))), REFUSED)
  t.regex(refusal(await outcome(server, identityItem(1, 'OLDCT'))), REFUSED)
  t.deepEqual(server.logged('warn').filter((line) => line.includes('locked')), [
    'username locked after repeated failures',
    'address locked after repeated failures',
  ])
  // A locked one costs no line that anybody reads.
  t.is(server.log.filter(({ level, message }) => level === 'warn' && message === 'user identity refused').length, 5)
})

test('lockout: guesses at the same time are worth no more than guesses in turn', async (t) => {
  await using server = await openServer({ users: { file: await usersYaml(t, USERS) }, lockout: { attempts: 2 } })
  const guesses = ['a', 'b', 'c', 'd', 'e', 'pleaseletmein'].map((guess) => outcome(server, identityItem(2, 'bob', guess)))
  t.deepEqual((await Promise.all(guesses)).filter(isAccepted), [])
})

test('nothing is hashed for a peer that has gone, and nothing counted', async (t) => {
  const directory = new UserDirectory(usersOf(parseUsersYaml(USERS)), Buffer.alloc(32))
  const verify = passcodeVerifier({ current: async () => directory })
  const info = (state: string): AssociationRequestInfo => ({ association: { state } }) as unknown as AssociationRequestInfo
  t.deepEqual(await verify(identityItem(2, 'alice', 'password'), info('aborted'), 'alice'), {
    verified: false,
    reason: 'the association ended',
    isCounted: false,
  })
  t.like(await verify(identityItem(2, 'alice', 'password'), info('negotiating'), 'alice'), { verified: true })
})

test('lockout counts within a window, and ends', (t) => {
  let now = 1_000
  const lockout = new Lockout({ attempts: 3, attemptsPerAddress: 4, windowMs: 100, lockMs: 500 }, () => now)
  t.deepEqual([lockout.failed('user', 'a'), lockout.failed('user', 'a'), lockout.isLocked('user', 'a')], [false, false, false])
  // The window of the first failure is over: it starts anew.
  now += 100
  t.deepEqual([lockout.failed('user', 'a'), lockout.failed('user', 'a'), lockout.isLocked('user', 'a')], [false, false, false])
  t.true(lockout.failed('user', 'a'))
  t.true(lockout.isLocked('user', 'a'))
  t.false(lockout.isLocked('address', 'a'))
  now += 499
  // Trying on does not make it longer.
  t.false(lockout.failed('user', 'a'))
  t.true(lockout.isLocked('user', 'a'))
  now += 1
  t.false(lockout.isLocked('user', 'a'))
  t.deepEqual([1, 2, 3, 4].map(() => lockout.failed('address', '10.0.0.1')), [false, false, false, true])
})

test('lockout: success starts the name anew, not the address', (t) => {
  const lockout = new Lockout({ attempts: 2, attemptsPerAddress: 2, windowMs: 100, lockMs: 500 }, () => 0)
  lockout.failed('user', 'a')
  lockout.failed('address', 'x')
  lockout.succeeded('a')
  t.false(lockout.failed('user', 'a'))
  t.true(lockout.failed('address', 'x'))
})

test('lockout takes no more memory than it may, whatever names come', (t) => {
  const lockout = new Lockout({ attempts: 2, attemptsPerAddress: 2, windowMs: 1_000, lockMs: 1_000 }, () => 0, 50)
  lockout.failed('user', 'victim')
  lockout.failed('user', 'victim')
  for (let count = 0; count < 1_000; count++) lockout.failed('user', `invented ${count}`)
  t.is(lockout.size, 51)
  // Names that were counted do not push out one that is locked.
  t.true(lockout.isLocked('user', 'victim'))
})

test('hashes: the vectors of the reference implementation and of RFC 7914', async (t) => {
  for (const [encoded, passcode] of [[ALICE, 'password'], [BOB, 'pleaseletmein']] as const) {
    const hash = parsePasscodeHash(encoded)
    if (typeof hash === 'string') return t.fail(hash)
    t.true(await verifyPasscode(hash, bytes(passcode)))
    t.false(await verifyPasscode(hash, bytes(`${passcode} `)))
    t.false(await verifyPasscode(hash, bytes('')))
  }
})

test('hashes: new ones have the recommended parameters and hold any bytes', async (t) => {
  const passcode = Uint8Array.of(0, 0xff, 0xc3, 0x28, 0x20)
  const [first, second, third] = await Promise.all([hashPasscode(passcode), hashPasscode(passcode), hashPasscode(passcode, 'scrypt')])
  // OWASP Password Storage Cheat Sheet: m=19456, t=2, p=1; N=2^17, r=8, p=1.
  t.regex(first, /^\$argon2id\$v=19\$m=19456,t=2,p=1\$[\w+/]{22}\$[\w+/]{43}$/)
  t.regex(third, /^\$scrypt\$ln=17,r=8,p=1\$[\w+/]{22}\$[\w+/]{43}$/)
  t.not(first, second)
  for (const encoded of [first, third]) {
    const hash = parsePasscodeHash(encoded)
    if (typeof hash === 'string') return t.fail(hash)
    t.true(await verifyPasscode(hash, passcode))
    t.false(await verifyPasscode(hash, passcode.slice(1)))
  }
})

test('hashes of other forms, with dear parameters or broken text are not taken', (t) => {
  const [salt = '', hash = ''] = ALICE.split('$').slice(4)
  const wrong = [
    'password',
    '',
    '5f4dcc3b5aa765d61d8327deb882cf99',
    `$argon2i$v=19$m=65536,t=2,p=1$${salt}$${hash}`,
    `$argon2d$v=19$m=65536,t=2,p=1$${salt}$${hash}`,
    `$argon2id$v=16$m=65536,t=2,p=1$${salt}$${hash}`,
    `$argon2id$m=65536,t=2,p=1$${salt}$${hash}`,
    `$argon2id$v=19$m=9999999,t=2,p=1$${salt}$${hash}`,
    `$argon2id$v=19$m=65536,t=999,p=1$${salt}$${hash}`,
    `$argon2id$v=19$m=65536,t=0,p=1$${salt}$${hash}`,
    `$argon2id$v=19$m=7,t=1,p=1$${salt}$${hash}`,
    `$argon2id$v=19$m=65536,t=2,p=1$c2FsdA$${hash}`,
    `$argon2id$v=19$m=65536,t=2,p=1$${salt}$AAAA`,
    `$argon2id$v=19$m=65536,t=2,p=1$${salt}=$${hash}`,
    `$argon2id$v=19$m=65536,t=2,p=1$${salt}$${hash}$`,
    `$scrypt$ln=40,r=8,p=1$${salt}$${hash}`,
    `$scrypt$ln=20,r=32,p=1$${salt}$${hash}`,
    `$scrypt$ln=0,r=8,p=1$${salt}$${hash}`,
    `$scrypt$ln=14,r=8,p=99$${salt}$${hash}`,
    `$scrypt$16384,8,1$${salt}$${hash}`,
    '$2b$12$abcdefghijklmnopqrstuv',
  ]
  for (const text of wrong) {
    const problem = parsePasscodeHash(text)
    t.is(typeof problem, 'string', text)
    // What is wrong is said without the hash.
    if (text.length > 20) t.false(typeof problem === 'string' && problem.includes(hash))
  }
})

test('an unknown user costs what some known one costs, always the same', (t) => {
  const users = usersOf(parseUsersYaml(USERS))
  const directory = new UserDirectory(users, Buffer.alloc(32, 7))
  const names = Array.from({ length: 64 }, (_, index) => `nobody ${index}`)
  const algorithms = names.map((name) => directory.decoyFor(name).algorithm)
  t.deepEqual([...new Set(algorithms)].sort(), ['argon2id', 'scrypt'])
  t.deepEqual(names.map((name) => directory.decoyFor(name).algorithm), algorithms)
  t.is(new UserDirectory(new Map(), Buffer.alloc(32)).decoyFor('x').algorithm, 'argon2id')
})

test('the file of users: names are text, and what is wrong is said without secrets', (t) => {
  t.deepEqual([...usersOf(parseUsersYaml('users:\n  007: {}\n  true:\n  1e3: { roles: [1] }\n')).keys()], ['007', 'true', '1e3'])
  for (const empty of ['', '# nothing', 'users:', 'users: {}']) t.is(usersOf(parseUsersYaml(empty)).size, 0)
  t.is(usersOf(parseUsersYaml('users: { __proto__: { roles: [a] } }')).get('__proto__')?.roles[0], 'a')
  t.is(usersOf(parseUsersYaml('{"users": {"a": {"roles": ["b"]}}}')).get('a')?.roles[0], 'b')
  const wrong: readonly (readonly [string, RegExp])[] = [
    ['users:\n  a: {}\n  a: {}\n', /unique at line 3/],
    ['users: [a]', /users must be a map/],
    ['[]', /the file must be a map/],
    ['user: {}', /unknown key "user"/],
    ['users: { a: { password: x } }', /users\.a has the unknown key "password"/],
    ['users: { a: { passcode: hunter2 } }', /users\.a\.passcode is neither/],
    ['users: { a: { passcode: [x] } }', /users\.a\.passcode must be text/],
    ['users: { a: { roles: admin } }', /users\.a\.roles must be a list/],
    ['users: { " a": {} }', /begins or ends with a space/],
    ['users: { "a\\nb": {} }', /control characters/],
    [`users: { ${'x'.repeat(300)}: {} }`, /longer than 256/],
    [`users: {\n a: ${ALICE}`, /line \d/],
    ['a: &a [x, x]\nb: &b [*a, *a, *a, *a, *a]\nc: &c [*b, *b, *b, *b, *b]\nusers: *c', /aliases|unknown key/],
  ]
  for (const [text, expected] of wrong) {
    const error = t.throws(() => usersOf(parseUsersYaml(text)), { name: 'UsersProblem' }, text.slice(0, 40))
    t.regex(error?.message ?? '', expected)
    t.notRegex(error?.message ?? '', /hunter2|CTFhFdXP|\n/)
  }
})

test('the start stops at a file that is absent, broken or of the wrong kind', async (t) => {
  const folder = await temporaryFolder(t)
  const broken = await usersYaml(t, 'users: { a: { passcode: hunter2 } }')
  const cases: readonly (readonly [UserIdentityPluginOptions, RegExp])[] = [
    [{ users: { file: join(folder, 'absent.yaml') } }, /options\.users\.file: the file of users .*absent\.yaml cannot be read \(ENOENT\): make it with "npx dicomtap users add/],
    [{ users: { file: folder } }, /cannot be read \((?:EISDIR|it is no file)\)/],
    [{ users: { file: broken } }, /users\.yaml: users\.a\.passcode is neither/],
    [{ users: { file: await usersYaml(t, USERS) }, usernameOnly: ['alice'] }, /usernameOnly lets anyone be 'alice'/],
  ]
  for (const [options, expected] of cases) {
    const error = await t.throwsAsync(openServer(options), { code: 'DICOMTAP_ERR_PLG_OPTIONS' })
    t.regex(error?.message ?? '', expected)
    t.notRegex(error?.message ?? '', /\n|hunter2/)
  }
})

test('the file of users is read again when it changed; a broken change does not hold', async (t) => {
  const file = await usersYaml(t, USERS)
  await using server = await openServer({ users: { file }, lockout: false })
  // As dicomtap users writes: a new file in the place of the old one.
  await writeFile(`${file}.new`, `users:\n  carol:\n    passcode: ${ALICE}\n`, { mode: 0o600 })
  await rename(`${file}.new`, file)
  t.true(isAccepted(await outcome(server, identityItem(2, 'carol', 'password'))))
  t.false(isAccepted(await outcome(server, identityItem(2, 'alice', 'password'))))
  await writeFile(file, 'users: [')
  t.true(isAccepted(await outcome(server, identityItem(2, 'carol', 'password'))))
  t.true(isAccepted(await outcome(server, identityItem(2, 'carol', 'password'))))
  await rm(file)
  t.true(isAccepted(await outcome(server, identityItem(2, 'carol', 'password'))))
  t.is(server.logged('error').length, 2)
  await writeFile(file, 'users: {}')
  t.false(isAccepted(await outcome(server, identityItem(2, 'carol', 'password'))))
})

test('a reload reads the file, and says what is wrong with it', async (t) => {
  const file = await usersYaml(t, USERS)
  await using server = await openServer({ users: { file } })
  const reload = (): Promise<void> => server.ae.hooks.configReload.promise({ applicationEntity: server.ae, config: { aeTitle: 'X', listen: [], file: undefined } })
  await t.notThrowsAsync(reload())
  await writeFile(file, 'users: [')
  await t.throwsAsync(reload(), { message: /users\.yaml: .*line 1/ })
  t.true(isAccepted(await outcome(server, identityItem(2, 'alice', 'password'))))
})

const onPosix = process.platform === 'win32' ? test.skip : test
onPosix('a file that others may read or change is warned of', async (t) => {
  const file = await usersYaml(t, USERS)
  const warnings = async (mode: number): Promise<string[]> => {
    await chmod(file, mode)
    await using server = await openServer({ users: { file } })
    return server.logged('warn')
  }
  t.deepEqual(await warnings(0o600), [])
  t.deepEqual(await warnings(0o640), [])
  t.regex((await warnings(0o644))[0] ?? '', /everybody may read/)
  t.regex((await warnings(0o620))[0] ?? '', /others may change/)
})

test('options: what is wrong is said where it is', async (t) => {
  const rule = { host: 'pacs', username: 'gateway' }
  const jwt = { jwks: './jwks.json', issuer: 'i', audience: 'a' }
  const cases: readonly (readonly [unknown, RegExp])[] = [
    [{}, /who may identify/],
    [{ required: true }, /options\.required: nobody could identify/],
    [{ usernameOnly: [''] }, /usernameOnly\[0\]: is empty/],
    [{ users: { file: './users.yaml' }, lockout: { attempts: 0 } }, /options\.lockout/],
    [{ jwt: { ...jwt, jwks: 'http://idp.example/keys' } }, /jwt\.jwks: must be an https URL/],
    [{ jwt: { ...jwt, jwks: 'ftp://idp.example/keys' } }, /jwt\.jwks: must be an https URL or a file/],
    [{ jwt: { jwks: './jwks.json', audience: 'a' } }, /jwt\.issuer/],
    [{ jwt: { ...jwt, algorithms: ['HS256'] } }, /jwt\.algorithms\[0\]/],
    [{ jwt: { ...jwt, algorithms: ['none'] } }, /jwt\.algorithms\[0\]/],
    [{ kerberos: './kerberos.js' }, /kerberos: must be a function, which only a config in TypeScript/],
    [{ identifyAs: [{ username: 'x' }] }, /identifyAs\[0\]: must name the peer/],
    [{ identifyAs: [{ host: 'pacs' }] }, /identifyAs\[0\]: must have one of/],
    [{ identifyAs: [{ ...rule, token: { env: 'T' } }] }, /identifyAs\[0\]: must have one of/],
    [{ identifyAs: [{ ...rule, passcode: 'hunter2' }] }, /identifyAs\[0\]\.passcode: must be \{ file: \.\.\. \} or \{ env: \.\.\. \}/],
    [{ identifyAs: [{ host: 'pacs', token: { env: 'T' }, passcode: { env: 'P' } }] }, /passcode without a username/],
    [{ unknown: 1 }, /unknown/i],
  ]
  for (const [options, expected] of cases) {
    const error = await t.throwsAsync(openServer(options as UserIdentityPluginOptions), { code: 'DICOMTAP_ERR_PLG_OPTIONS' }, JSON.stringify(options))
    t.regex(error?.message ?? '', expected)
    t.false(error?.message.includes('hunter2'))
  }
})

test('names are decoded strictly, and printed on one line', (t) => {
  t.is(decodeName(bytes('Müller 李')), 'Müller 李')
  t.is(decodeName(bytes('x'.repeat(256)))?.length, 256)
  t.is(decodeName(bytes('x'.repeat(257))), undefined)
  t.is(printable('a\nb\u001b[31m\u2028\u202e'), 'a\\u000ab\\u001b[31m\\u2028\\u202e')
  t.is(printable('x'.repeat(100)), `${'x'.repeat(64)}...`)
})

test('no more tasks run at once than may', async (t) => {
  const limited = limitConcurrency(2)
  let running = 0
  let most = 0
  const task = (fail: boolean) => async (): Promise<void> => {
    most = Math.max(most, (running += 1))
    await new Promise((resolve) => setImmediate(resolve))
    running -= 1
    if (fail) throw new Error('failed')
  }
  const results = await Promise.allSettled([false, true, false, true, false, false, false].map((fail) => limited(task(fail))))
  t.is(most, 2)
  t.is(running, 0)
  t.is(results.filter(({ status }) => status === 'rejected').length, 2)
})

test('schema.json is that of the options', async (t) => {
  const file = await readFile(new URL('../schema.json', import.meta.url), 'utf8')
  t.deepEqual(JSON.parse(file), JSON.parse(JSON.stringify(z.toJSONSchema(userIdentityOptions, { io: 'input', unrepresentable: 'any' }))), 'run "node scripts/write-schemas.mjs"')
})

test('the examples of the README are right', async (t) => {
  const readme = await readFile(new URL('../README.md', import.meta.url), 'utf8')
  const blocks = [...readme.matchAll(/^```yaml\n([\s\S]*?)^```$/gm)].map(([, text = '']) => text)
  const options: UserIdentityPluginOptions[] = []
  for (const text of blocks) {
    if (text.includes('users:\n')) t.deepEqual([...usersOf(parseUsersYaml(text)).keys()], ['alice', 'OLDCT'])
    else options.push(...(parseDocument(text).toJS() as { options: UserIdentityPluginOptions }[]).map((entry) => entry.options))
  }
  t.is(options.length, 3)
  for (const one of options) t.deepEqual(userIdentityOptions.safeParse(one).error?.issues ?? [], [])
})

test('failures of all processes lock: what was verified meanwhile is refused, whichever process verified it', (t) => {
  const lockout = new SharedLockout(new Lockout({ attempts: 2, attemptsPerAddress: 10, windowMs: 1_000, lockMs: 1_000 }))
  t.deepEqual(lockout.settle('w1', '10.0.0.1', 'jane', 'failed'), { isLocked: false, locksUser: false, locksAddress: false })
  t.false(lockout.isLocked('w2', '10.0.0.2', 'jane'))
  t.deepEqual(lockout.settle('w2', '10.0.0.2', 'jane', 'failed'), { isLocked: false, locksUser: true, locksAddress: false })
  t.true(lockout.isLocked('w1', '10.0.0.1', 'jane'))
  t.true(lockout.settle('w1', '10.0.0.1', 'jane', 'succeeded').isLocked)
  t.false(lockout.isLocked('w1', '10.0.0.1', 'john'))
  t.false(lockout.settle('w1', '10.0.0.1', null, 'uncounted').isLocked)
})
