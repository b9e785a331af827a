import { X509Certificate } from 'node:crypto'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, readFile, symlink, truncate, writeFile } from 'node:fs/promises'
import { createSecureContext } from 'node:tls'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import type { ExecutionContext } from 'ava'
import { ApplicationEntity, HookError, definePlugin, parseConfig } from '@dicomtap/framework'
import { TLS_PROFILES, TLS_PROFILE_NAMES, clientTlsOptions, listenerTlsOptions, tls, tlsOptions } from '@dicomtap/plugin-tls'
import type { DicomtapError } from '@dicomtap/framework'
import type { ListenerTlsOptions, TlsPluginOptions } from '@dicomtap/plugin-tls'
import { z } from 'zod'
import { expiryOf } from '../dist/expiry.js'
import { HandshakeSlots } from '../dist/handshake-slots.js'
import { identityIn } from '../dist/identity.js'
import { HANDSHAKE_FAILED, LimitedWarnings } from '../dist/limited-warnings.js'
import { clientSettings, listenerSettings } from '../dist/options.js'
import { contextOptionsOf, profileWarning } from '../dist/profiles.js'
import { secureServer } from './support/peers.js'
import { Pki, daysAgo } from './support/pki.js'

const DAY_MS = 86_400_000

/** What stops the start of a listener; `started` when nothing does. */
async function startOf(t: ExecutionContext, listener: ListenerTlsOptions | boolean, plugin: TlsPluginOptions = {}): Promise<string> {
  const ae = new ApplicationEntity({ ...parseConfig({ listen: [{ port: 0, host: '127.0.0.1', tls: listener as never }] }), logLevel: 'silent' })
  t.teardown(() => ae.close({ deadlineMs: 0 }))
  try {
    await ae.use(tls(plugin))
    await ae.listenAll()
    return 'started'
  } catch (error) {
    // As the command line shows it: without the hook that failed.
    const cause = error instanceof HookError ? (error.cause as DicomtapError) : (error as DicomtapError)
    return `${cause.code}: ${cause.message}`
  }
}

test('schema.json is that of the options', async (t) => {
  const file = JSON.parse(await readFile(new URL('../schema.json', import.meta.url), 'utf8')) as unknown
  t.deepEqual(file, z.toJSONSchema(tlsOptions, { io: 'input', unrepresentable: 'any' }))
})

test('options: defaults, and what is refused', (t) => {
  t.deepEqual(tlsOptions.parse({}), { listener: {}, client: {}, watchMs: 10_000 })
  const problems = (schema: z.ZodType, value: unknown): string[] =>
    (schema.safeParse(value).error?.issues ?? []).map(({ path, message }) => `${path.join('.')}: ${message}`)
  t.deepEqual(problems(listenerTlsOptions, { passphrase: 'geheim' }), [
    'passphrase: must be { file: ... } or { env: ... }: secrets do not belong into a configuration',
  ])
  t.deepEqual(problems(listenerTlsOptions, { identities: [{ aeTitles: ['CT1'] }] }), [
    'identities.0: must say which certificates it is for: commonName, dnsName, ipAddress, uri or fingerprint',
  ])
  t.deepEqual(problems(listenerTlsOptions, { identities: [{ commonName: 'x', aeTitles: ['longer than sixteen'] }] }), [
    'identities.0.aeTitles.0: must be an AE title: 1 to 16 characters',
  ])
  t.deepEqual(problems(clientTlsOptions, { fingerprints: ['12:34'] }), ['fingerprints.0: must be the SHA-256 of a certificate: 64 hexadecimal digits'])
  t.deepEqual(problems(clientTlsOptions, { crl: 'x.pem' }), [': has crl without ca: whose lists are they?'])
  t.is(problems(listenerTlsOptions, { profile: 'ssl3', certificate: 'x' }).length, 2)
})

test('what a listener leaves out comes from the plugin; a certificate never gets the key of another', (t) => {
  const shared: ListenerTlsOptions = { cert: 'a.pem', key: 'a.key', ca: 'ca.pem', handshakeMs: 1, passphrase: { env: 'X' } }
  t.like(listenerSettings({}, shared, 'listen[0].tls'), { cert: 'a.pem', key: 'a.key', ca: ['ca.pem'], handshakeMs: 1, profile: 'bcp195-rfc9325' })
  t.like(listenerSettings({ cert: 'b.pem', handshakeMs: 2 }, shared, 'x'), { cert: 'b.pem', key: undefined, passphrase: undefined, handshakeMs: 2 })
  t.like(listenerSettings({ key: 'c.key' }, shared, 'x'), { cert: 'a.pem', key: 'c.key' })
  const client = { ca: 'ca.pem', cert: 'a.pem', key: 'a.key', fingerprints: ['F'] }
  t.like(clientSettings({}, client), { ca: ['ca.pem'], fingerprints: ['F'] })
  t.like(clientSettings({ ca: 'other.pem' }, client), { ca: ['other.pem'], fingerprints: [], cert: 'a.pem' })
  t.like(clientSettings({ fingerprints: ['G'] }, client), { ca: [], fingerprints: ['G'] })
})

test('a listener whose files cannot be used does not open: one line with option, file and what to do', async (t) => {
  await using pki = await Pki.make({ algorithm: 'rsa' })
  const { cert, key } = await pki.server()
  const other = await pki.server('other')
  const locked = await pki.server('locked', { passphrase: 'correct horse' })
  await writeFile(pki.path('passphrase'), 'correct horse\n')
  await writeFile(pki.path('wrong'), 'battery staple\n')
  await writeFile(pki.path('empty.pem'), 'nothing\n')
  await writeFile(pki.path('bad.pem'), '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n')
  await writeFile(pki.path('both.pem'), (await readFile(cert, 'utf8')) + (await readFile(key, 'utf8')))
  await writeFile(pki.path('large.pem'), '')
  await truncate(pki.path('large.pem'), 2_000_000)
  const { ca } = pki
  const cases: readonly (readonly [ListenerTlsOptions | true, RegExp])[] = [
    [true, /^DICOMTAP_ERR_CFG_INVALID: listen\[0\]\.tls\.cert: is missing: .*\nlisten\[0\]\.tls\.ca: is missing: .*clientCertificates: none/],
    [{ cert, key }, /^DICOMTAP_ERR_CFG_INVALID: listen\[0\]\.tls\.ca: is missing/],
    [{ cert, key, clientCertificates: 'none', crl: 'x' }, /listen\[0\]\.tls\.crl: has no use/],
    [{ cert: pki.path('absent.pem'), ca }, /^DICOMTAP_ERR_TLS_CREDENTIALS: listen\[0\]\.tls\.cert: .*absent\.pem is not there: correct the path/],
    [{ cert, key: pki.folder, ca }, /tls\.key: .* is no file/],
    [{ cert: pki.path('empty.pem'), key, ca }, /tls\.cert: .*empty\.pem holds no certificate in PEM/],
    [{ cert: pki.path('bad.pem'), key, ca }, /tls\.cert: .*bad\.pem holds a certificate that cannot be read \(number 1\)/],
    [{ cert: pki.path('large.pem'), key, ca }, /large\.pem is larger than 1 MiB/],
    [{ cert, ca }, /tls\.cert: .*server\.pem holds no private key in PEM/],
    [{ cert, key: other.key, ca }, /tls\.key: .*other\.key is not the key of the certificate .*server\.pem \(CN=ARCHIVE\)/],
    [{ cert, key, ca: key }, /tls\.ca: .*server\.key holds no certificate/],
    [{ cert, key, ca: [ca, pki.path('absent.pem')] }, /tls\.ca\[1\]: .*absent\.pem is not there/],
    [{ cert, key, ca, crl: ca }, /tls\.crl: .*ca\.pem holds no revocation list/],
    [{ cert: locked.cert, key: locked.key, ca }, /tls\.key: .*locked\.key is encrypted: add passphrase/],
    [{ cert: locked.cert, key: locked.key, ca, passphrase: { file: pki.path('wrong') } }, /locked\.key cannot be decrypted: the passphrase is wrong/],
    [{ cert: locked.cert, key: locked.key, ca, passphrase: { env: 'DICOMTAP_TEST_UNSET' } }, /tls\.passphrase: The environment variable DICOMTAP_TEST_UNSET is not set/],
    [{ cert, key, ca, sni: [{ names: ['x'], cert, key: other.key }] }, /tls\.sni\[0\]\.key: .*other\.key is not the key/],
    [{ cert, key, ca, profile: 'basic' }, /^DICOMTAP_ERR_TLS_PROFILE: listen\[0\]\.tls\.profile: profile basic .* needs DES-CBC3-SHA, which the OpenSSL of this Node .* does not have/],
    [{ cert, key, ca }, /^started$/],
    [{ cert: pki.path('both.pem'), ca }, /^started$/],
    [{ cert: locked.cert, key: locked.key, ca, passphrase: { file: pki.path('passphrase') } }, /^started$/],
  ]
  for (const [options, expected] of cases) {
    const outcome = await startOf(t, options)
    t.regex(outcome, expected)
    t.notRegex(outcome, /correct horse|battery|PRIVATE KEY-----\n/)
  }
  t.is(await startOf(t, true, { listener: { cert, key, ca } }), 'started')
  t.regex(await startOf(t, false, { client: { ca: pki.path('absent.pem') } }), /^DICOMTAP_ERR_TLS_CREDENTIALS: plugins\[tls\]\.options\.client\.ca: /)
})

test('what works and somebody should look at: a key that all may read, a purpose, dates', async (t) => {
  await using pki = await Pki.make()
  const { cert, key } = await pki.issue('server', 'CT1', { usage: 'client', notBefore: daysAgo(30), days: 10 })
  if (process.platform !== 'win32') await chmod(key, 0o644)
  await using scp = await secureServer({ cert, key, clientCertificates: 'none' })
  t.true(scp.server.isListening)
  const findings = (await scp.ae.diagnose()).map(({ level, plugin, message }) => `${level} ${plugin} ${message}`)
  t.true(findings.some((line) => /^error tls listen\.tls\.cert: .*server\.pem \(CN=CT1\) has expired on \d{4}-\d\d-\d\d, and peers refuse it: renew it$/.test(line)))
  t.true(findings.some((line) => /^warning tls listen\.tls\.cert: .* is not meant for servers \(serverAuth\)/.test(line)))
  if (process.platform !== 'win32') t.true(findings.some((line) => /^warning tls listen\.tls\.key: .*server\.key can be read by every user/.test(line)))
  t.is(scp.logged('error').filter((message) => message.includes('has expired')).length, 1)
  // `dicomtap check` starts and does not listen: it prints what it finds, and the log does not say it once more.
  const log: string[] = []
  const sink = definePlugin({ name: 'sink', version: '1.0.0', apply: ({ setLogSink }) => void setLogSink(({ message }) => void log.push(message)) })
  const checked = new ApplicationEntity(parseConfig({ listen: [{ port: 0, tls: { cert, key, clientCertificates: 'none' } }] }))
  await checked.use(sink())
  await checked.use(tls())
  t.true((await checked.diagnose()).some(({ message }) => message.includes('has expired')))
  await checked.close()
  t.deepEqual(log.filter((message) => /has expired|serverAuth|every user/.test(message)), [])
  await using old = await secureServer({ cert, key, clientCertificates: 'none', profile: 'aes' })
  t.true(old.logged('warn').includes('listen.tls.key: profile aes needs an RSA key: with this one nobody can connect'))
})

test('the operator hears at 30, 14 and 7 days, and every day of the last week', (t) => {
  const validFrom = new Date('2026-01-01T00:00:00Z')
  const validTo = new Date('2027-01-01T00:00:00Z')
  const at = (days: number, kind: 'certificate' | 'revocation list' = 'certificate', from = validFrom): string | undefined => {
    const expiry = expiryOf({ what: 'x', kind, validFrom: from, validTo }, new Date(validTo.getTime() - days * DAY_MS))
    return expiry === undefined ? undefined : `${expiry.level} ${expiry.step}`
  }
  t.is(at(31), undefined)
  t.deepEqual([30, 29, 15].map((days) => at(days)), Array(3).fill('warning below 30'))
  t.deepEqual([14, 8].map((days) => at(days)), Array(2).fill('warning below 14'))
  t.deepEqual([7, 6, 1, 0.5].map((days) => at(days)), ['warning in 7', 'warning in 6', 'warning in 1', 'warning in 0'])
  t.deepEqual([0, -1, -2.5].map((days) => at(days)), ['error expired 0', 'error expired 1', 'error expired 3'])
  t.is(at(400), 'error not yet')
  // A list that lives for a week is not worth a word each day of it.
  const week = new Date(validTo.getTime() - 7 * DAY_MS)
  t.is(at(5, 'revocation list', week), undefined)
  t.is(at(1, 'revocation list', week), 'warning in 1')
  t.is(expiryOf({ what: 'x', kind: 'revocation list', validFrom, validTo: undefined }, validTo), undefined)
})

test('profiles: versions, suites and security level that OpenSSL takes', (t) => {
  for (const name of TLS_PROFILE_NAMES.filter((one) => one !== 'basic')) {
    const options = contextOptionsOf(name)
    t.notThrows(() => createSecureContext(options), name)
    t.is(options.minVersion, name === 'aes' ? 'TLSv1' : 'TLSv1.2')
  }
  // RFC 9325 4.2: what TLS 1.2 should have, and nothing else.
  t.deepEqual([...TLS_PROFILES['bcp195-rfc9325'].suites12].sort(), [
    'ECDHE-ECDSA-AES128-GCM-SHA256',
    'ECDHE-ECDSA-AES256-GCM-SHA384',
    'ECDHE-RSA-AES128-GCM-SHA256',
    'ECDHE-RSA-AES256-GCM-SHA384',
  ])
  t.regex(contextOptionsOf('bcp195-rfc9325').ciphers, /:@SECLEVEL=2$/)
  for (const name of ['bcp195-rfc9325', 'bcp195-rfc9325-modified'] as const) t.is(profileWarning(name), undefined)
  for (const name of ['bcp195', 'aes', 'basic'] as const) t.regex(String(profileWarning(name)), /retired and WEAK/)
  for (const name of ['non-downgrading', 'extended'] as const) t.regex(String(profileWarning(name)), /is retired; use bcp195-rfc9325$/)
  t.throws(() => contextOptionsOf('basic'), { code: 'DICOMTAP_ERR_TLS_PROFILE' } as never)
})

test('names in certificates: no value can pretend to be two, several common names are none', async (t) => {
  await using pki = await Pki.make()
  const policy = { identities: [], aeTitlesFrom: ['commonName', 'dnsName'] as const }
  const read = async (file: string): Promise<X509Certificate> => new X509Certificate(await readFile(file))
  const one = await pki.issue('one', 'CT1', { names: ['ct1.example, DNS:archive.example', '::1', '*.wild.example'] })
  const identity = identityIn(await read(one.cert), policy)
  t.deepEqual(identity.dnsNames, ['ct1.example, DNS:archive.example', '*.wild.example'])
  t.deepEqual(identity.aeTitles, ['CT1'])
  t.is(identity.ipAddresses.length, 1)
  const two = identityIn(await read((await pki.issue('two', String.raw`bad\title`, { names: ['a.example'] })).cert), policy)
  t.deepEqual(two.aeTitles, ['A'])
  const rules = (rule: object): readonly string[] =>
    identityIn(new X509Certificate(pemOfOne), { ...policy, identities: [{ aeTitles: ['RULE'], ...rule }] }).aeTitles
  const pemOfOne = await readFile(one.cert)
  t.deepEqual(rules({ commonName: 'C*1' }), ['RULE'])
  t.deepEqual(rules({ commonName: 'c*1' }), ['CT1'])
  t.deepEqual(rules({ commonName: 'CT1*T1' }), ['CT1'])
  t.deepEqual(rules({ dnsName: '*.WILD.example' }), ['RULE'])
  t.deepEqual(rules({ commonName: 'CT1', uri: '*' }), ['CT1'])
  t.deepEqual(rules({ fingerprint: identity.fingerprint256.toLowerCase().replaceAll(':', '') }), ['RULE'])
  t.deepEqual(identityIn(new X509Certificate(pemOfOne), { identities: [], aeTitlesFrom: [] }).aeTitles, [])
})

test('of a certificate a hundred names of each kind are read, and that there are more is told', async (t) => {
  await using pki = await Pki.make()
  const names = Array.from({ length: 400 }, (_, index) => [`ct${index}.example`, `10.0.${index >> 8}.${index & 0xff}`]).flat()
  const certificate = new X509Certificate(await readFile((await pki.issue('many', 'CT', { names })).cert))
  let told = 0
  const policy = { identities: [{ dnsName: 'ct100.*', aeTitles: ['LATE'] }], aeTitlesFrom: ['dnsName'] as const }
  const identity = identityIn(certificate, policy, () => (told += 1))
  t.deepEqual(identity.dnsNames, Array.from({ length: 100 }, (_, index) => `ct${index}.example`))
  t.is(identity.ipAddresses.at(-1), '10.0.0.99')
  t.is(identity.ipAddresses.length, 100)
  t.is(identity.aeTitles.at(-1), 'CT99', 'what comes after them is as if it were not there')
  t.is(told, 1)
  const few = new X509Certificate(await readFile((await pki.issue('few', 'CT', { names: names.slice(0, 200) })).cert))
  t.is(identityIn(few, policy, () => (told += 1)).dnsNames.length, 100)
  t.is(told, 1)
})

/** The timers of the places keep no process alive: connections do, of which there are none here. */
function staysAlive(t: ExecutionContext): void {
  const timer = setInterval(() => {}, 60_000)
  t.teardown(() => clearInterval(timer))
}

test('places for handshakes: more wait, who is gone gives its turn away, slow ones make room', async (t) => {
  staysAlive(t)
  const slots = new HandshakeSlots(1)
  const never = new AbortController().signal
  const cuts: string[] = []
  const first = await slots.take(() => cuts.push('first'), never)
  const gone = new AbortController()
  const second = slots.take(() => cuts.push('second'), gone.signal)
  const third = slots.take(() => cuts.push('third'), never)
  t.deepEqual([slots.inProgress, slots.waiting], [1, 2])
  gone.abort()
  t.is(await second, undefined)
  first?.()
  first?.()
  const release = await third
  t.deepEqual([slots.inProgress, slots.waiting, cuts.length], [1, 0, 0])
  // The third one is slow: after its second it is told to go.
  const fourth = slots.take(() => {}, never)
  await new Promise<void>((resolve) => {
    cuts.push = (...lines: string[]) => {
      cuts[cuts.length] = String(lines)
      release?.()
      resolve()
      return cuts.length
    }
  })
  t.deepEqual([...cuts], ['third'])
  ;(await fourth)?.()
  t.is(slots.inProgress, 0)
})

test('places for handshakes: time in which this process did nothing is no slowness of the peer', async (t) => {
  staysAlive(t)
  const slots = new HandshakeSlots(1)
  const never = new AbortController().signal
  const cuts: string[] = []
  const first = await slots.take(() => cuts.push('first'), never)
  const second = slots.take(() => cuts.push('second'), never)
  // What the peer has sent meanwhile is read in the turns that follow.
  const until = performance.now() + 1_300
  while (performance.now() < until);
  for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve))
  t.deepEqual(cuts, [])
  first?.()
  ;(await second)?.()
})

test('handshakes that fail: five lines for an address, sixty in all, the rest is counted', (t) => {
  const lines: [string, Record<string, unknown> | undefined][] = []
  const log = { warn: (message: string, fields?: Record<string, unknown>) => lines.push([message, fields]) }
  const failures = new LimitedWarnings(log, HANDSHAKE_FAILED)
  for (let count = 0; count < 100; count += 1) failures.note('10.0.0.1', { reason: 'x' })
  t.is(lines.length, 5)
  for (let host = 0; host < 5_000; host += 1) failures.note(`10.1.${host >> 8}.${host & 0xff}`, { reason: 'x' })
  t.is(lines.length, 60)
  failures.dispose()
  t.is(lines[60]?.[0], 'more TLS handshakes failed than were logged')
  t.is(lines[60]?.[1]?.['leftOut'], 5_040)
})

test('dicomtap check: a listener with tls while the plugin is missing, and one with it', async (t) => {
  await using pki = await Pki.make()
  const { cert, key } = await pki.server()
  const cli = fileURLToPath(new URL('../../cli/bin/dicomtap.js', import.meta.url))
  const check = async (plugins: string, ca = 'ca.pem'): Promise<{ code: number | null; output: string }> => {
    const file = pki.path('dicomtap.config.yaml')
    await writeFile(file, `listen:\n  - port: 2762\n    tls: { cert: ${cert}, key: ${key}, ca: ${ca} }\nplugins: [${plugins}]\n`)
    const child = spawn(process.execPath, [cli, 'check', '--config', file], { cwd: pki.folder })
    let output = ''
    child.stdout.on('data', (text) => (output += String(text)))
    child.stderr.on('data', (text) => (output += String(text)))
    const [code] = (await once(child, 'close')) as [number | null]
    return { code, output }
  }
  const without = await check('')
  t.is(without.code, 78)
  t.regex(without.output, /listen\[0\]\.tls: no plugin is loaded that brings it; npm install @dicomtap\/plugin-tls/)
  await mkdir(pki.path('node_modules/@dicomtap'), { recursive: true })
  await symlink(fileURLToPath(new URL('..', import.meta.url)), pki.path('node_modules/@dicomtap/plugin-tls'), 'junction')
  const present = await check('"@dicomtap/plugin-tls"')
  t.is(present.code, 0, present.output)
  const absent = await check('"@dicomtap/plugin-tls"', 'absent.pem')
  t.is(absent.code, 78)
  t.regex(absent.output, /DICOMTAP_ERR_TLS_CREDENTIALS.*: listen\[0\]\.tls\.ca: .*absent\.pem is not there/)
})
