import { execFile, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readdir } from 'node:fs/promises'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import test from 'ava'
import { SopClass, TransferSyntax } from '@dicomtap/framework'
import { sampleDataset, writeSampleFile } from '@dicomtap/framework/testing'
import type { TestServer } from '@dicomtap/framework/testing'
import type { ListenerTlsOptions } from '@dicomtap/plugin-tls'
import { associate, failures, rawConnection, secureClient, secureServer, untilClosed } from './support/peers.js'
import { Pki, daysAgo } from './support/pki.js'

// DCMTK with TLS on the other side. It must be installed: without it these are skipped.
const hasDcmtk = ['echoscu', 'storescu', 'storescp'].every((tool) => spawnSync(tool, ['--version']).error === undefined)
const interop = hasDcmtk ? test : test.skip
if (!hasDcmtk) process.stderr.write('SKIPPED: echoscu, storescu and storescp of DCMTK are not installed, TLS was not tried with them\n')

interface Ran {
  readonly code: number
  readonly output: string
}

function dcmtk(tool: string, options: readonly string[]): Promise<Ran> {
  return new Promise((resolve) => {
    execFile(tool, [...options], { timeout: 30_000 }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : 1, output: stdout + stderr })
    })
  })
}

const withTls = ({ cert, key }: { cert: string; key: string }, ca: string): readonly string[] => ['+tls', key, cert, '+cf', ca]
const echoscu = (server: TestServer, options: readonly string[]): Promise<Ran> =>
  dcmtk('echoscu', ['-to', '5', ...options, '-aet', 'CT1', '127.0.0.1', String(server.port)])

async function listenerOf(pki: Pki, options: ListenerTlsOptions = {}): Promise<ListenerTlsOptions> {
  const { cert, key } = await pki.server()
  return { cert, key, ca: pki.ca, ...options }
}

for (const algorithm of ['rsa', 'ecdsa'] as const) {
  interop(`echoscu and storescu with ${algorithm} certificates`, async (t) => {
    await using pki = await Pki.make({ algorithm })
    const client = await pki.issue('ct1', 'CT1', { names: ['localhost', '127.0.0.1'] })
    const received: number[] = []
    const secured: unknown[] = []
    await using scp = await secureServer(await listenerOf(pki, { checkCallingAeTitle: true }), {
      contexts: [
        { abstractSyntax: SopClass.Verification, transferSyntaxes: [TransferSyntax.ImplicitVRLittleEndian] },
        { abstractSyntax: SopClass.CTImageStorage, transferSyntaxes: [TransferSyntax.ExplicitVRLittleEndian] },
      ],
      handlers: {
        async cStore({ dataSet }, { association }) {
          secured.push(association.security?.protocol)
          received.push((await dataSet.buffer()).length)
          return 0x0000
        },
      },
    })
    const echoed = await echoscu(scp, withTls(client, pki.ca))
    t.is(echoed.code, 0, echoed.output)
    const file = pki.path('ct.dcm')
    await writeSampleFile(file, 'ct', TransferSyntax.ExplicitVRLittleEndian)
    const stored = await dcmtk('storescu', [...withTls(client, pki.ca), '-aet', 'CT1', '127.0.0.1', String(scp.port), file])
    t.is(stored.code, 0, stored.output)
    t.deepEqual(secured, ['TLSv1.3'])
    t.is(received.length, 1)
  })
}

interop('profiles of DCMTK: those that are current and retired ones, where the server takes them', async (t) => {
  await using pki = await Pki.make({ algorithm: 'rsa' })
  const client = await pki.issue('ct1', 'CT1')
  const credentials = withTls(client, pki.ca)
  await using current = await secureServer(await listenerOf(pki))
  await using retired = await secureServer(await listenerOf(pki, { profile: 'aes' }))
  await using extended = await secureServer(await listenerOf(pki, { profile: 'extended' }))
  const protocols: unknown[] = []
  for (const scp of [current, retired, extended]) {
    scp.ae.bind('associationEstablished', ({ association: { security } }) => protocols.push([security?.protocol, security?.cipher]))
  }
  // +py non-downgrading, +px BCP 195, +pz extended, +pa AES
  for (const profile of ['+py', '+px']) t.is((await echoscu(current, [...credentials, profile])).code, 0, profile)
  for (const profile of ['+pz', '+pa']) t.is((await echoscu(profile === '+pz' ? extended : retired, [...credentials, profile])).code, 0, profile)
  t.deepEqual(protocols, [
    ['TLSv1.3', 'TLS_AES_256_GCM_SHA384'],
    ['TLSv1.3', 'TLS_AES_256_GCM_SHA384'],
    ['TLSv1.2', 'TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384'],
    ['TLSv1.2', 'TLS_RSA_WITH_AES_128_CBC_SHA'],
  ])
  t.is((await echoscu(current, [...credentials, '+pa'])).code, 1)
  t.deepEqual(await failures(current, 1), ['it offers no cipher suite that the profile and the key of our certificate allow'])
})

interop('who is refused: wrong CA, expired, no certificate, no TLS; and a good peer is let in after all of it', async (t) => {
  await using pki = await Pki.make()
  await using other = await Pki.make()
  const good = await pki.issue('ct1', 'CT1')
  const expired = await pki.issue('expired', 'CT1', { notBefore: daysAgo(30), days: 10 })
  const foreign = await other.issue('foreign', 'CT1')
  await using scp = await secureServer(await listenerOf(pki))
  const refused: readonly (readonly [readonly string[], string])[] = [
    [withTls(foreign, pki.ca), 'its certificate is of a CA that is not trusted here'],
    [withTls(expired, pki.ca), 'its certificate has expired'],
    [['+tla', '+cf', pki.ca], 'it showed no certificate'],
    [[], 'plain DICOM on a TLS port: switch TLS on at the peer, or let it use the plain port'],
    [withTls(good, other.ca), 'it does not trust our certificate (unknown CA)'],
  ]
  for (const [options] of refused) {
    const { code } = await echoscu(scp, options)
    t.is(code, 1, options.join(' '))
  }
  t.deepEqual(await failures(scp, refused.length), refused.map(([, reason]) => reason))
  // A handshake that stalls beside it.
  const stalled = await rawConnection(t, scp.port, [0x16, 0x03, 0x01, 0x02, 0x00, 0x01])
  t.is((await echoscu(scp, withTls(good, pki.ca))).code, 0)
  stalled.destroy()
  await untilClosed(stalled)
})

interop('TLS to storescp: with our certificate, and refused without it', async (t) => {
  await using pki = await Pki.make()
  const server = await pki.server()
  const client = await pki.issue('archive', 'ARCHIVE')
  const folder = pki.path('received')
  await mkdir(folder)
  const port = await freePort()
  const storescp = spawn('storescp', [...withTls(server, pki.ca), '-od', folder, String(port)], { stdio: 'ignore' })
  t.teardown(() => storescp.kill('SIGKILL'))
  const { ae } = await secureClient(t, { client: { ca: pki.ca, cert: client.cert, key: client.key } })
  const contexts = [{ abstractSyntax: SopClass.CTImageStorage, transferSyntaxes: [TransferSyntax.ExplicitVRLittleEndian] }]
  const association = await retried(() => associate(ae, port, { contexts, tls: { serverName: 'localhost' } }))
  t.is((await association.cStore(sampleDataset('ct', { rows: 512, columns: 512 }))).status, 0)
  await association.release()
  t.is((await readdir(folder)).length, 1)
  const { ae: stranger } = await secureClient(t, { client: { ca: pki.ca } })
  await t.throwsAsync(associate(stranger, port, { contexts }))
})

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/** Until the program listens. */
async function retried<T>(attempt: () => Promise<T>): Promise<T> {
  for (let left = 100; ; left -= 1) {
    try {
      return await attempt()
    } catch (error) {
      if (left === 0 || !(error as Error).message.includes('ECONNREFUSED')) throw error
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
}
