import { utimes, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import test from 'ava'
import type { ExecutionContext } from 'ava'
import type { Association, AssociationRequestInfo } from '@dicomtap/framework'
import { createTestServer } from '@dicomtap/framework/testing'
import { userIdentity } from '@dicomtap/plugin-user-identity'
import type { JwtOptions } from '@dicomtap/plugin-user-identity'
import { createLocalJWKSet, exportJWK, generateKeyPair, SignJWT, UnsecuredJWT } from 'jose'
import type { CryptoKey, JWK } from 'jose'
import { tokenVerifier } from '../dist/acceptor/verify-token.js'
import { claimValue, rolesIn } from '../dist/jwt/claims.js'
import { userIdentityOptions } from '../dist/options.js'
import { identityItem, isAccepted, listener, logText, outcome, refusal, responseIn, temporaryFolder } from './support/peer.js'

const ISSUER = 'https://idp.hospital.example'
const AUDIENCE = 'dicomtap'

const rsa = await generateKeyPair('RS256')
const ec = await generateKeyPair('ES256')
const stranger = await generateKeyPair('ES256')
const publicJwk = async (key: CryptoKey, kid: string, alg: string): Promise<JWK> => ({ ...(await exportJWK(key)), kid, alg, use: 'sig' })
const jwks = { keys: [await publicJwk(rsa.publicKey, 'rsa', 'RS256'), await publicJwk(ec.publicKey, 'ec', 'ES256')] }

interface TokenOptions {
  readonly key?: CryptoKey | Uint8Array
  readonly header?: { readonly alg: string; readonly kid?: string }
  readonly claims?: Readonly<Record<string, unknown>>
}

/** A token as the provider makes it, good for a minute, with what a test changes. */
function token({ key = ec.privateKey, header = { alg: 'ES256', kid: 'ec' }, claims = {} }: TokenOptions = {}): Promise<string> {
  const now = Math.floor(Date.now() / 1000)
  return new SignJWT({ iss: ISSUER, aud: AUDIENCE, sub: 'alice', iat: now, exp: now + 60, ...claims }).setProtectedHeader(header).sign(key)
}

async function jwksFile(t: ExecutionContext, content: unknown = jwks): Promise<string> {
  const file = join(await temporaryFolder(t), 'jwks.json')
  await writeFile(file, typeof content === 'string' ? content : JSON.stringify(content))
  return file
}

const jwtOptions = (keys: string, more: Partial<JwtOptions> = {}): { jwt: JwtOptions } => ({ jwt: { jwks: keys, issuer: ISSUER, audience: AUDIENCE, ...more } })

/** Why the last identity was refused. */
const lastReason = (log: readonly { readonly message: string; readonly fields: Readonly<Record<string, unknown>> }[]): unknown =>
  log.findLast(({ message }) => message === 'user identity refused')?.fields['reason']

/** A provider's server on a free port. */
async function jwksServer(t: ExecutionContext, answer: (response: ServerResponse, request: IncomingMessage) => void): Promise<{ url: string; requests: () => number }> {
  let requests = 0
  const server = createServer((request, response) => {
    requests += 1
    answer(response, request)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks.json`, requests: () => requests }
}

test('a good token lets in; its claims are there for later plugins', async (t) => {
  const { plugin, service } = listener()
  let association: Association | undefined
  const options = jwtOptions(await jwksFile(t), { userClaim: 'preferred_username', rolesClaim: 'realm_access.roles' })
  await using server = await createTestServer({
    plugins: [userIdentity(options), plugin],
    handlers: { associationEstablished: (event) => void (association = event.association) },
  })
  const claims = { preferred_username: 'Alice', realm_access: { roles: ['radiology', 'admin', 7] } }
  t.is(responseIn(await outcome(server, identityItem(5, await token({ claims }), '', true))), '')
  const identity = association === undefined ? undefined : service().identityOf(association)
  t.like(identity, { type: 5, user: 'Alice', roles: ['radiology', 'admin'] })
  t.like(identity?.claims, { sub: 'alice', iss: ISSUER })
  const rs256 = await token({ key: rsa.privateKey, header: { alg: 'RS256', kid: 'rsa' }, claims })
  t.true(isAccepted(await outcome(server, identityItem(5, rs256))))
})

test("the server's token is sent to who asks for it", async (t) => {
  const response: JwtOptions['response'] = async ({ user }, { association }) => `${user} of ${association.callingAeTitle}`
  await using server = await createTestServer({ plugins: [userIdentity(jwtOptions(await jwksFile(t), { response }))] })
  t.is(responseIn(await outcome(server, identityItem(5, await token(), '', true))), 'alice of CT01')
  const quiet = await outcome(server, identityItem(5, await token()))
  t.true(isAccepted(quiet))
  t.is(responseIn(quiet), undefined)
})

test('tokens that are not good are refused, and the log says why', async (t) => {
  await using server = await createTestServer({ plugins: [userIdentity({ ...jwtOptions(await jwksFile(t)), lockout: false })] })
  const now = Math.floor(Date.now() / 1000)
  const good = await token()
  const [header = '', payload = '', signature = ''] = good.split('.')
  const rsaPublic = Buffer.from(JSON.stringify(await exportJWK(rsa.publicKey)))
  const cases: readonly (readonly [string, string, RegExp])[] = [
    ['expired', await token({ claims: { exp: now - 60 } }), /has expired/],
    ['not yet valid', await token({ claims: { nbf: now + 60 } }), /claim nbf/],
    ['without an end', await token({ claims: { exp: undefined } }), /claim exp/],
    ['of another issuer', await token({ claims: { iss: 'https://other.example' } }), /claim iss/],
    ['for somebody else', await token({ claims: { aud: 'other' } }), /claim aud/],
    ['for nobody', await token({ claims: { aud: undefined } }), /claim aud/],
    ['without a user', await token({ claims: { sub: undefined } }), /no username in sub/],
    ['with a user of control characters', await token({ claims: { sub: 'a\nb' } }), /no username in sub/],
    ['with a user that is no text', await token({ claims: { sub: ['alice'] } }), /no username in sub/],
    ['of an unknown key', await token({ key: stranger.privateKey, header: { alg: 'ES256', kid: 'stranger' } }), /no key fits/],
    ['signed by a stranger', await token({ key: stranger.privateKey }), /signature is wrong/],
    ['with a changed payload', [header, Buffer.from(JSON.stringify({ sub: 'root', exp: now + 60 })).toString('base64url'), signature].join('.'), /signature is wrong/],
    ['unsigned', new UnsecuredJWT({ sub: 'alice' }).setIssuer(ISSUER).setAudience(AUDIENCE).setExpirationTime(now + 60).encode(), /algorithm is not allowed|no JSON web token/],
    // The public key as a shared secret.
    ['signed with the public key', await token({ key: rsaPublic, header: { alg: 'HS256', kid: 'rsa' } }), /algorithm is not allowed/],
    ['without a signature', `${header}.${payload}.`, /signature is wrong/],
    ['empty', '', /no JSON web token/],
    ['text', 'alice', /no JSON web token/],
    ['dots', '..', /no JSON web token/],
    ['with a line break in it', `${header}.\n${payload}.${signature}`, /no JSON web token/],
    ['with a second line', `${good}\n${good}`, /no JSON web token/],
    ['of two parts', `${header}.${payload}`, /no JSON web token/],
    ['with a nested header', `${Buffer.from('[]').toString('base64url')}.${payload}.${signature}`, /no JSON web token/],
    ['long', `${header}.${'A'.repeat(60_000)}.${signature}`, /no JSON web token|signature is wrong/],
  ]
  for (const [what, text, reason] of cases) {
    t.regex(refusal(await outcome(server, identityItem(5, text))), /no reason given/, what)
    t.regex(String(lastReason(server.log)), reason, what)
    if (text.length > 20) t.false(logText(server.log).includes(text), what)
  }
  // What the end of a file or a padding leaves is no harm.
  for (const end of ['', '\n', '\r\n', ' ', '\0']) t.true(isAccepted(await outcome(server, identityItem(5, `${good}${end}`))))
  t.deepEqual(server.logged('error'), [])
})

test('the algorithms that the options name, and no other', async (t) => {
  await using server = await createTestServer({ plugins: [userIdentity(jwtOptions(await jwksFile(t), { algorithms: ['RS256'] }))] })
  t.false(isAccepted(await outcome(server, identityItem(5, await token()))))
  t.is(lastReason(server.log), "the token's algorithm is not allowed")
  t.true(isAccepted(await outcome(server, identityItem(5, await token({ key: rsa.privateKey, header: { alg: 'RS256', kid: 'rsa' } })))))
})

test('clocks may differ by the tolerance, and no more', async (t) => {
  const { jwt } = userIdentityOptions.parse(jwtOptions('./jwks.json', { clockToleranceMs: 2_000, issuer: [ISSUER, 'other'] }))
  if (jwt === undefined) return t.fail()
  let now = Date.now()
  const keys = createLocalJWKSet(jwks)
  const verify = tokenVerifier(jwt, { load: async () => {}, resolver: async () => keys }, () => now)
  const end = Math.floor(now / 1000) + 60
  const item = identityItem(5, await token({ claims: { exp: end } }))
  const info = {} as AssociationRequestInfo
  now = (end + 1) * 1000
  t.true((await verify(item, info, '')).verified)
  now = (end + 3) * 1000
  t.like(await verify(item, info, ''), { verified: false, reason: 'the token has expired' })
})

test('keys of a file are read again when it changed', async (t) => {
  const file = await jwksFile(t, { keys: [jwks.keys[0]] })
  await using server = await createTestServer({ plugins: [userIdentity(jwtOptions(file))] })
  t.false(isAccepted(await outcome(server, identityItem(5, await token()))))
  await writeFile(file, JSON.stringify(jwks))
  await utimes(file, new Date(), new Date(Date.now() + 5_000))
  t.true(isAccepted(await outcome(server, identityItem(5, await token()))))
})

test('the start stops at a file of keys that cannot be used', async (t) => {
  const secret = { kty: 'oct', k: 'c2VjcmV0', kid: 's' }
  const cases: readonly (readonly [string, RegExp])[] = [
    ['./absent.json', /options\.jwt\.jwks: the file of keys .*absent\.json cannot be read \(ENOENT\)/],
    [await jwksFile(t, 'nothing'), /it is not JSON/],
    [await jwksFile(t, {}), /no JSON Web Key Set/],
    [await jwksFile(t, { keys: [] }), /no JSON Web Key Set/],
    [await jwksFile(t, { keys: [7] }), /a key that is no object/],
    [await jwksFile(t, { keys: [secret] }), /private or secret key/],
    [await jwksFile(t, { keys: [{ ...jwks.keys[1], d: 'AAAA' }] }), /private or secret key/],
  ]
  for (const [file, expected] of cases) {
    const error = await t.throwsAsync(createTestServer({ plugins: [userIdentity(jwtOptions(file))] }), { code: 'DICOMTAP_ERR_PLG_OPTIONS' })
    t.regex(error?.message ?? '', expected)
    t.false(error?.message.includes('c2VjcmV0'))
  }
})

test('keys of a URL are fetched once, not for each token', async (t) => {
  const provider = await jwksServer(t, (response) => response.end(JSON.stringify(jwks)))
  await using server = await createTestServer({ plugins: [userIdentity(jwtOptions(provider.url))] })
  for (let count = 0; count < 3; count++) t.true(isAccepted(await outcome(server, identityItem(5, await token()))))
  // Neither do unknown keys, for half a minute.
  const unknown = await token({ key: stranger.privateKey, header: { alg: 'ES256', kid: 'stranger' } })
  for (let count = 0; count < 3; count++) t.false(isAccepted(await outcome(server, identityItem(5, unknown))))
  t.is(provider.requests(), 1)
})

for (const [what, answer] of [
  ['an error', (response: ServerResponse) => response.writeHead(500).end('oops')],
  ['a redirect', (response: ServerResponse) => response.writeHead(302, { location: 'http://127.0.0.1:9/' }).end()],
  ['no key set', (response: ServerResponse) => response.end('<html>')],
  ['endless bytes', (response: ServerResponse) => endless(response)],
  ['a broken connection', (response: ServerResponse) => response.destroy()],
] as const) {
  test(`a provider that answers with ${what}: refused, logged, not counted, not asked for each token`, async (t) => {
    const provider = await jwksServer(t, (response) => void answer(response))
    await using server = await createTestServer({ plugins: [userIdentity({ ...jwtOptions(provider.url), lockout: { attempts: 1, attemptsPerAddress: 1 } })] })
    for (let count = 0; count < 3; count++) t.regex(refusal(await outcome(server, identityItem(5, await token()))), /no reason given/)
    t.is(lastReason(server.log), 'the keys are not available')
    t.false(server.logged('warn').some((line) => line.includes('locked')))
    t.is(provider.requests(), 1)
    t.deepEqual(server.logged('error'), ['the keys for JSON web tokens cannot be fetched'])
  })
}

function endless(response: ServerResponse): void {
  const chunk = Buffer.alloc(65_536, 0x20)
  const more = (): void => {
    while (!response.destroyed && response.write(chunk)) {
      // Until the reader is full.
    }
  }
  response.on('drain', more)
  more()
}

test('claims: names, paths and names that look like paths', (t) => {
  const claims = { a: { b: { c: 'deep' } }, 'https://x.example/roles': ['r'], 'a.b': 'flat' }
  t.is(claimValue(claims, 'a.b.c'), 'deep')
  t.is(claimValue(claims, 'a.b'), 'flat')
  t.deepEqual(claimValue(claims, 'https://x.example/roles'), ['r'])
  for (const name of ['a.c', 'b', 'toString', 'a.constructor.name', '']) t.is(claimValue(claims, name), undefined, name)
  t.deepEqual(rolesIn({ scope: 'a b  a' }, 'scope'), ['a', 'b'])
  t.deepEqual(rolesIn({ roles: ['a', 1, '', null] }, 'roles'), ['a'])
  for (const roles of [undefined, null, 7, { a: 1 }]) t.deepEqual(rolesIn({ roles }, 'roles'), [])
  t.deepEqual(rolesIn({ roles: ['a'] }, undefined), [])
})
