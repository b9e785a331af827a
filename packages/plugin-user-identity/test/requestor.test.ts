import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import type { ExecutionContext } from 'ava'
import { redactOptions, SopClass } from '@dicomtap/framework'
import type { AssociateOptions, Association, UserIdentityAnswer, UserIdentityRequest } from '@dicomtap/framework'
import { createTestServer } from '@dicomtap/framework/testing'
import type { TestServer } from '@dicomtap/framework/testing'
import { userIdentity } from '@dicomtap/plugin-user-identity'
import type { IdentityRuleInput } from '@dicomtap/plugin-user-identity'
import { ALICE, bytes, logText, temporaryFolder, usersYaml } from './support/peer.js'

interface Peer {
  readonly scp: TestServer
  /** The items 0x58 that arrived. */
  readonly items: UserIdentityRequest[]
  /** How often somebody connected. */
  readonly connections: () => number
}

/** An SCP that notes what arrives; `answer` is its handler of userIdentity. */
async function openPeer(answer?: () => UserIdentityAnswer): Promise<Peer> {
  const items: UserIdentityRequest[] = []
  let connections = 0
  const scp = await createTestServer({
    contexts: [{ abstractSyntax: SopClass.Verification, transferSyntaxes: ['1.2.840.10008.1.2'] }],
    handlers: {
      connectionOpened: () => void (connections += 1),
      associationRequested: ({ association }) => {
        for (const item of association.request?.userInformation ?? []) if (item.type === 0x58 && 'userIdentityType' in item) items.push(item)
      },
      ...(answer === undefined ? {} : { userIdentity: answer }),
    },
  })
  return { scp, items, connections: () => connections }
}

const openRequestor = (...identifyAs: IdentityRuleInput[]): Promise<TestServer> => createTestServer({ plugins: [userIdentity({ identifyAs })] })

/** Associates, echoes and releases. */
async function associate(requestor: TestServer, { scp }: Peer, more: Partial<AssociateOptions> = {}): Promise<Association> {
  const association = await requestor.ae.associate({
    host: '127.0.0.1',
    port: scp.port,
    calledAeTitle: 'PACS',
    contexts: [{ abstractSyntax: SopClass.Verification }],
    ...more,
  })
  await association.cEcho()
  await association.release()
  return association
}

async function secretFile(t: ExecutionContext, text: string): Promise<string> {
  const file = join(await temporaryFolder(t), 'secret')
  await writeFile(file, text)
  return file
}

const shown = (item: UserIdentityRequest | undefined): unknown[] =>
  item === undefined
    ? []
    : [item.userIdentityType, item.positiveResponseRequested, Buffer.from(item.primaryField).toString(), Buffer.from(item.secondaryField).toString()]

test('each type is sent as its rule says, to the peer of the rule', async (t) => {
  process.env['DICOMTAP_TEST_TOKEN'] = 'a.b.c'
  const peer = await openPeer()
  await using _scp = peer.scp
  await using requestor = await openRequestor(
    { calledAeTitle: 'ELSEWHERE', host: '127.0.0.1', username: 'wrong rule' },
    { calledAeTitle: 'PACS1', username: 'gateway' },
    { calledAeTitle: 'PACS2', host: '127.0.0.1', port: peer.scp.port, username: 'gateway', passcode: { file: await secretFile(t, 'pässcode\n') } },
    { calledAeTitle: 'PACS3', ticket: ({ calledAeTitle }) => bytes(`ticket for ${calledAeTitle}`) },
    { calledAeTitle: 'PACS4', assertion: { file: await secretFile(t, '<Assertion/>') } },
    { calledAeTitle: 'PACS5', token: { env: 'DICOMTAP_TEST_TOKEN' }, requireResponse: false },
  )
  for (let type = 1; type <= 5; type++) await associate(requestor, peer, { calledAeTitle: `PACS${type}` })
  t.deepEqual(peer.items.map(shown), [
    [1, false, 'gateway', ''],
    [2, false, 'gateway', 'pässcode'],
    [3, false, 'ticket for PACS3', ''],
    [4, false, '<Assertion/>', ''],
    [5, false, 'a.b.c', ''],
  ])
  await associate(requestor, peer, { calledAeTitle: 'PACS' })
  t.is(peer.items.length, 5)
  // A bare username is no secret.
  t.deepEqual(requestor.log.filter(({ level }) => level === 'warn').map(({ fields }) => fields['calledAeTitle']), ['PACS2', 'PACS3', 'PACS4', 'PACS5'])
})

test('what the caller gives goes before the rules', async (t) => {
  const peer = await openPeer()
  await using _scp = peer.scp
  await using requestor = await openRequestor({ calledAeTitle: 'PACS', username: 'gateway', requireResponse: true })
  await associate(requestor, peer, { userIdentity: { type: 1, primaryField: 'caller' } })
  t.deepEqual(peer.items.map(shown), [[1, false, 'caller', '']])
})

test('secrets are read for each association', async (t) => {
  const file = await secretFile(t, 'first')
  const peer = await openPeer()
  await using _scp = peer.scp
  await using requestor = await openRequestor({ calledAeTitle: 'PACS', token: { file } })
  await associate(requestor, peer)
  await writeFile(file, 'second\r\n')
  await associate(requestor, peer)
  t.deepEqual(peer.items.map((item) => shown(item)[2]), ['first', 'second'])
  // Of others, such as that the machine is busy, there may be more.
  t.is(requestor.log.filter(({ level, fields }) => level === 'warn' && fields['calledAeTitle'] !== undefined).length, 1)
  await rm(file)
  const before = peer.connections()
  await t.throwsAsync(associate(requestor, peer), { message: /cannot be read \(ENOENT\)/ })
  t.is(peer.connections(), before)
})

test('requireResponse: a peer that does not say that it looked is left', async (t) => {
  const silent = await openPeer()
  await using _silent = silent.scp
  const polite = await openPeer(() => ({ verified: true }))
  await using _polite = polite.scp
  await using requestor = await openRequestor({ calledAeTitle: 'PACS', username: 'gateway', requireResponse: true })
  await t.throwsAsync(associate(requestor, silent), { code: 'DICOMTAP_ERR_ACSE_ABORTED', message: /without a word on the user identity/ })
  await t.notThrowsAsync(associate(requestor, polite))
  t.deepEqual([...silent.items, ...polite.items].map((item) => item.positiveResponseRequested), [true, true])
})

test("verifyResponse: the server's token is checked", async (t) => {
  const seen: string[] = []
  const peer = await openPeer(() => ({ verified: true, response: bytes('server token') }))
  await using _scp = peer.scp
  const rule = (calledAeTitle: string, isGood: unknown): IdentityRuleInput => ({
    calledAeTitle,
    token: () => 'a.b.c',
    verifyResponse: async (response, { accept }) => {
      seen.push(`${accept.type} ${Buffer.from(response).toString()}`)
      if (isGood instanceof Error) throw isGood
      return isGood as boolean
    },
  })
  await using requestor = await openRequestor(rule('GOOD', true), rule('BAD', false), rule('ODD', 'yes'), rule('THROWS', new Error('no keys')))
  await t.notThrowsAsync(associate(requestor, peer, { calledAeTitle: 'GOOD' }))
  for (const calledAeTitle of ['BAD', 'ODD']) {
    await t.throwsAsync(associate(requestor, peer, { calledAeTitle }), { code: 'DICOMTAP_ERR_ACSE_ABORTED', message: /verifyResponse did not accept/ })
  }
  await t.throwsAsync(associate(requestor, peer, { calledAeTitle: 'THROWS' }), { code: 'DICOMTAP_ERR_ACSE_ABORTED' })
  t.deepEqual(seen, Array.from({ length: 4 }, () => 'A-ASSOCIATE-AC server token'))
})

test('requireTls: nothing is sent in clear', async (t) => {
  const peer = await openPeer()
  await using _scp = peer.scp
  await using requestor = await openRequestor({ calledAeTitle: 'PACS', token: () => 'a.b.c', requireTls: true })
  await t.throwsAsync(associate(requestor, peer), { message: /over TLS only \(requireTls\)/ })
  t.is(peer.connections(), 0)
})

test('fields that no item can hold are not sent', async (t) => {
  const peer = await openPeer()
  await using _scp = peer.scp
  await using requestor = await openRequestor(
    { calledAeTitle: 'EMPTY', token: () => '' },
    { calledAeTitle: 'LONG', token: () => new Uint8Array(65_536) },
    { calledAeTitle: 'ODD', token: () => 7 as never },
  )
  await t.throwsAsync(associate(requestor, peer, { calledAeTitle: 'EMPTY' }), { message: /1 to 65535 bytes, not 0/ })
  await t.throwsAsync(associate(requestor, peer, { calledAeTitle: 'LONG' }), { message: /1 to 65535 bytes, not 65536/ })
  await t.throwsAsync(associate(requestor, peer, { calledAeTitle: 'ODD' }), { message: /must give text or bytes/ })
  t.is(peer.connections(), 0)
})

test('the start stops at a secret that is not there', async (t) => {
  delete process.env['DICOMTAP_TEST_ABSENT']
  const folder = await temporaryFolder(t)
  const absent = join(folder, 'absent')
  await t.throwsAsync(openRequestor({ host: 'pacs', username: 'a', passcode: { file: absent } }), { code: 'DICOMTAP_ERR_PLG_OPTIONS', message: /options\.identifyAs\[0\]\.passcode: .*absent cannot be read/ })
  await t.throwsAsync(openRequestor({ host: 'pacs', token: { env: 'DICOMTAP_TEST_ABSENT' } }), { code: 'DICOMTAP_ERR_PLG_OPTIONS', message: /identifyAs\[0\]\.token: .*DICOMTAP_TEST_ABSENT is not set/ })
})

test('both roles together; the passcode is in no line, no error and no list of options', async (t) => {
  const file = await usersYaml(t, `users:\n  gateway:\n    passcode: ${ALICE}\n`)
  await using scp = await createTestServer({
    plugins: [userIdentity({ users: { file } })],
    contexts: [{ abstractSyntax: SopClass.Verification, transferSyntaxes: ['1.2.840.10008.1.2'] }],
  })
  const peer = { scp, items: [], connections: () => 0 }
  await using requestor = await openRequestor(
    { calledAeTitle: 'PACS', username: 'gateway', passcode: { file: await secretFile(t, 'password') }, requireResponse: true },
    { calledAeTitle: 'PACS2', username: 'gateway', passcode: { file: await secretFile(t, 'wrong-horse') } },
  )
  const association = await associate(requestor, peer)
  t.is(association.userIdentityResponse?.length, 0)
  const error = await t.throwsAsync(associate(requestor, peer, { calledAeTitle: 'PACS2' }), { code: 'DICOMTAP_ERR_ACSE_REJECTED' })
  const options = requestor.ae.plugins().map((plugin) => redactOptions(plugin.options))
  const everything = logText(requestor.log) + logText(scp.log) + JSON.stringify([error?.message, error?.stack, options])
  t.true(everything.includes('gateway'))
  for (const secret of ['password', 'wrong-horse']) t.false(everything.includes(secret), secret)
})
