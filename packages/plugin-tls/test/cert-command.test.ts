import { X509Certificate, createPrivateKey } from 'node:crypto'
import { mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import test from 'ava'
import type { ExecutionContext } from 'ava'
import { command } from '../dist/cert-command.js'
import { readRevocationLists } from '../dist/crl.js'
import { echo, failures, secureClient, secureServer } from './support/peers.js'

interface Ran {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs `dicomtap cert <name>` in a folder of the test's own, defaults of the flags filled in. */
async function certIn(t: ExecutionContext): Promise<{ folder: string; cert: (name: string, given?: readonly string[], options?: object) => Promise<Ran> }> {
  const folder = await mkdtemp(join(tmpdir(), 'dicomtap-cert-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const cert = async (name: string, given: readonly string[] = [], options: object = {}): Promise<Ran> => {
    const found = command.commands?.find((one) => one.name === name)
    const defaults = Object.fromEntries(
      (found?.options ?? []).filter((one) => one.default !== undefined).map((one) => [camelCase(/--([\w-]+)/.exec(one.flags)?.[1] ?? ''), one.default]),
    )
    const output = { stdout: '', stderr: '' }
    const sink = (to: keyof typeof output): Writable =>
      new Writable({
        write(chunk: Buffer, _encoding, done) {
          output[to] += chunk.toString()
          done()
        },
      })
    const code = await found?.run?.({
      arguments: given,
      options: { ...defaults, ...options },
      cwd: folder,
      stdout: sink('stdout'),
      stderr: sink('stderr'),
      signal: new AbortController().signal,
      loadConfig: () => Promise.reject(new Error('not needed')),
      pluginOptions: () => Promise.reject(new Error('not needed')),
      withServices: () => Promise.reject(new Error('not asked for')),
    })
    return { code: code ?? 0, ...output }
  }
  return { folder, cert }
}

const camelCase = (name: string): string => name.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase())

test('what dicomtap cert makes is what a server and a peer need', async (t) => {
  const { folder, cert } = await certIn(t)
  const pki = (name: string): string => join(folder, 'pki', name)
  const ca = await cert('ca', [], { algorithm: 'ecdsa' })
  t.is(ca.code, 0)
  t.regex(ca.stdout, /^\.[/\\]pki[/\\]ca\.pem {2}CA "dicomtap development CA", for 3650 days$/m)
  t.regex(ca.stderr, /development and closed test networks/)
  const server = await cert('server', [], { algorithm: 'ecdsa', name: ['PACS.test', '10.0.0.5'] })
  t.is(server.code, 0)
  t.regex(server.stderr, /tls: \{ cert: \.[/\\]pki[/\\]server\.pem, key: .*server\.key, ca: .*ca\.pem \}/)
  const client = await cert('client', ['CT1'], { algorithm: 'rsa' })
  t.regex(client.stderr, /echoscu \+tls \.[/\\]pki[/\\]CT1\.key .*CT1\.pem \+cf .*ca\.pem -aet CT1 localhost 2762/)
  t.deepEqual((await readdir(join(folder, 'pki'))).sort(), ['CT1.key', 'CT1.pem', 'ca.key', 'ca.pem', 'server.key', 'server.pem'])
  if (process.platform !== 'win32') {
    for (const name of ['ca.key', 'server.key', 'CT1.key']) t.is((await stat(pki(name))).mode & 0o777, 0o600, name)
  }

  const certificate = new X509Certificate(await readFile(pki('server.pem')))
  for (const name of ['localhost', 'pacs.test']) t.is(certificate.checkHost(name), name)
  for (const address of ['127.0.0.1', '::1', '10.0.0.5']) t.truthy(certificate.checkIP(address), address)
  t.true(certificate.checkPrivateKey(createPrivateKey(await readFile(pki('server.key')))))
  t.true(certificate.checkIssued(new X509Certificate(await readFile(pki('ca.pem')))))
  t.true(certificate.verify(new X509Certificate(await readFile(pki('ca.pem'))).publicKey))
  t.is(new X509Certificate(await readFile(pki('CT1.pem'))).publicKey.asymmetricKeyDetails?.modulusLength, 2048)

  await using scp = await secureServer({ cert: pki('server.pem'), key: pki('server.key'), ca: pki('ca.pem'), checkCallingAeTitle: true })
  const { ae } = await secureClient(t, { client: { ca: pki('ca.pem'), cert: pki('CT1.pem'), key: pki('CT1.key') } })
  t.is(await echo(ae, scp.port), 0)
})

test('revoking: the list grows, and the server goes by it', async (t) => {
  const { folder, cert } = await certIn(t)
  const pki = (name: string): string => join(folder, 'pki', name)
  const options = { algorithm: 'ecdsa' }
  for (const [name, ...given] of [['ca'], ['server'], ['client', 'CT1'], ['client', 'CT2']] as const) t.is((await cert(name, given, options)).code, 0)
  t.is((await cert('revoke', [pki('CT1.pem')])).code, 0)
  t.is((await cert('revoke', [pki('CT1.pem')])).code, 0)
  const [list] = await readRevocationLists(pki('crl.pem'), 'crl')
  t.is(list?.revoked, 1)
  await using scp = await secureServer({ cert: pki('server.pem'), key: pki('server.key'), ca: pki('ca.pem'), crl: pki('crl.pem') })
  const { ae } = await secureClient(t, { client: { ca: pki('ca.pem') } })
  const attempt = (name: string): Promise<number | string> => echo(ae, scp.port, { tls: { cert: pki(`${name}.pem`), key: pki(`${name}.key`) } })
  t.is(typeof (await attempt('CT1')), 'string')
  t.deepEqual(await failures(scp, 1), ['its certificate was revoked'])
  t.is(await attempt('CT2'), 0)
  t.is((await cert('revoke', [pki('CT2.pem')])).code, 0)
  t.is((await cert('crl', [], { days: '7' })).code, 0)
  t.is((await readRevocationLists(pki('crl.pem'), 'crl'))[0]?.revoked, 2)
  await scp.ae.reload(scp.ae.config)
  t.is(typeof (await attempt('CT2')), 'string')

  const shown = JSON.parse((await cert('show', [pki('crl.pem')], { json: true })).stdout) as { revoked: number }[]
  t.is(shown[0]?.revoked, 2)
})

test('nothing is overwritten without --force, and mistakes are one line', async (t) => {
  const { folder, cert } = await certIn(t)
  const options = { algorithm: 'ecdsa' }
  const failed = async (name: string, given: readonly string[], more: object, code: number, expected: RegExp): Promise<void> => {
    const ran = await cert(name, given, { ...options, ...more })
    t.is(ran.code, code, ran.stderr)
    t.regex(ran.stderr, expected)
    t.is(ran.stderr.split('\n').length, 2)
  }
  await failed('server', [], {}, 1, /^error: .*ca\.pem is not there: make a CA first, with "dicomtap cert ca"$/m)
  t.is((await cert('ca', [], options)).code, 0)
  const key = await readFile(join(folder, 'pki', 'ca.key'))
  await failed('ca', [], {}, 1, /ca\.key is there already; --force replaces it/)
  t.deepEqual(await readFile(join(folder, 'pki', 'ca.key')), key)
  await failed('client', ['a title that is too long'], {}, 1, /is no AE title/)
  await failed('client', ['CA'], {}, 1, /is the name of another file here/)
  await failed('server', [], { name: ['no host!'] }, 2, /"no host!" is no host name and no address/)
  await failed('server', [], { days: '0' }, 2, /--days takes a number of days/)
  await failed('revoke', ['absent.pem'], { days: '30' }, 1, /absent\.pem is not there/)
  // A title with what a path may not have stays in the folder.
  t.is((await cert('client', ['../../x'], options)).code, 0)
  t.true((await readdir(join(folder, 'pki'))).includes('______x.pem'))
  // Of another CA.
  const { folder: elsewhere, cert: other } = await certIn(t)
  await other('ca', [], options)
  await other('client', ['CT9'], options)
  await failed('revoke', [join(elsewhere, 'pki', 'CT9.pem')], { days: '30' }, 1, /CT9\.pem is not of the CA/)
  await writeFile(join(folder, 'text'), 'nothing')
  await failed('show', [join(folder, 'text')], {}, 1, /holds no certificate and no revocation list/)
  t.regex((await cert('show', [join(elsewhere, 'pki', 'CT9.pem')])).stdout, /^AE titles +CT9$/m)
  t.is((await cert('ca', [], { ...options, force: true })).code, 0)
  t.notDeepEqual(await readFile(join(folder, 'pki', 'ca.key')), key)
})
