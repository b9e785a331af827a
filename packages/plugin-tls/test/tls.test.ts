import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { copyFile, mkdir, readFile, rename, symlink, unlink } from 'node:fs/promises'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import type { ConnectionOptions } from 'node:tls'
import test from 'ava'
import { AssociationRejectedError, SopClass, Stage, TransferSyntax, definePlugin } from '@dicomtap/framework'
import type { Association, Plugin } from '@dicomtap/framework'
import { createTestServer, sampleDataset } from '@dicomtap/framework/testing'
import { tls } from '@dicomtap/plugin-tls'
import type { ListenerTlsOptions, TlsService } from '@dicomtap/plugin-tls'
import { associate, echo, failedHandshake, failures, handshake, rawConnection, secureClient, secureServer, until, untilClosed } from './support/peers.js'
import { Pki, daysAgo } from './support/pki.js'

/** Catches the service that the plugin offers to others. */
function catching(found: (service: TlsService) => void): Plugin {
  return definePlugin({ name: 'test-service', requires: ['tls'], apply: (api) => found(api.inject('tls')) })()
}

/** A CA, the server's certificate, and what a listener takes of them. */
async function listenerOf(pki: Pki, options: ListenerTlsOptions = {}): Promise<ListenerTlsOptions> {
  const { cert, key } = await pki.server()
  return { cert, key, ca: pki.ca, ...options }
}

test('both sides with a certificate: what secures the association, and who the peer is', async (t) => {
  await using pki = await Pki.make()
  const client = await pki.issue('ct1', 'CT1', { names: ['ct1.hospital.example', '10.0.0.7'] })
  let service: TlsService | undefined
  await using scp = await secureServer(await listenerOf(pki), { plugins: [catching((one) => (service = one))] })
  const { ae } = await secureClient(t, { client: { ca: pki.ca, cert: client.cert, key: client.key } })
  const association = await associate(ae, scp.port)
  t.is(association.security?.protocol, 'TLSv1.3')
  t.true(association.security?.isAuthorized)
  t.is((await association.cEcho()).status, 0)
  const [accepted] = scp.server.activeAssociations as [Association]
  t.true(accepted.security?.isAuthorized)
  t.deepEqual(service?.identityOf(accepted), {
    subject: 'CN=CT1',
    commonName: 'CT1',
    dnsNames: ['ct1.hospital.example'],
    ipAddresses: ['10.0.0.7'],
    uris: [],
    fingerprint256: new X509Certificate(await readFile(client.cert)).fingerprint256,
    aeTitles: ['CT1'],
  })
  await association.release()
})

test('a large object crosses TLS 1.2 and 1.3 unchanged', async (t) => {
  await using pki = await Pki.make()
  const client = await pki.issue('ct1', 'CT1')
  const received: Buffer[] = []
  const contexts = [{ abstractSyntax: SopClass.CTImageStorage, transferSyntaxes: [TransferSyntax.ExplicitVRLittleEndian] }]
  await using scp = await secureServer(await listenerOf(pki), {
    contexts,
    handlers: {
      async cStore({ dataSet }) {
        received.push(await dataSet.buffer())
        return 0x0000
      },
    },
  })
  const { ae } = await secureClient(t, { client: { ca: pki.ca, cert: client.cert, key: client.key } })
  const object = sampleDataset('ct', { rows: 1024, columns: 1024 })
  for (const profile of ['extended', 'bcp195-rfc9325'] as const) {
    const association = await associate(ae, scp.port, { contexts, tls: { profile } })
    t.is(association.security?.protocol, profile === 'extended' ? 'TLSv1.2' : 'TLSv1.3')
    t.is((await association.cStore(object)).status, 0)
    await association.release()
  }
  const [first, second] = received
  t.true((first?.length ?? 0) > 2 * 1024 * 1024)
  t.true(second?.equals(first as Buffer))
})

test('client certificates that are required: who is refused, and what the log says of it', async (t) => {
  await using pki = await Pki.make()
  await using other = await Pki.make()
  const good = await pki.issue('good', 'CT1')
  const expired = await pki.issue('expired', 'CT1', { notBefore: daysAgo(30), days: 10 })
  const early = await pki.issue('early', 'CT1', { notBefore: daysAgo(-5) })
  const revoked = await pki.issue('revoked', 'CT1')
  const wrongUse = await pki.server('wrong-use')
  const foreign = await other.issue('foreign', 'CT1')
  await using scp = await secureServer(await listenerOf(pki, { crl: await pki.revoke([revoked.serialNumber]) }))
  const { ae } = await secureClient(t, { client: { ca: pki.ca } })
  t.is(await echo(ae, scp.port, { tls: { cert: good.cert, key: good.key } }), 0)
  const refused = [
    [{}, 'it showed no certificate'],
    [{ cert: foreign.cert, key: foreign.key }, 'its certificate is of a CA that is not trusted here'],
    [{ cert: expired.cert, key: expired.key }, 'its certificate has expired'],
    [{ cert: early.cert, key: early.key }, 'its certificate is not valid yet: one of the clocks is wrong'],
    [{ cert: revoked.cert, key: revoked.key }, 'its certificate was revoked'],
  ] as const
  for (const [credentials] of refused) t.is(typeof (await echo(ae, scp.port, { tls: credentials })), 'string')
  t.deepEqual(await failures(scp, refused.length), refused.map(([, reason]) => reason))
  // One address gets five lines a minute.
  t.is(typeof (await echo(ae, scp.port)), 'string')
  t.is((await failures(scp, 5)).length, 5)
  t.is(await echo(ae, scp.port, { tls: { cert: good.cert, key: good.key } }), 0)
  // A certificate of a server, and a CA whose list is not there.
  await using again = await secureServer(await listenerOf(pki, { ca: [pki.ca, other.ca], crl: pki.path('crl.pem') }))
  t.is(typeof (await echo(ae, again.port, { tls: { cert: wrongUse.cert, key: wrongUse.key } })), 'string')
  t.is(typeof (await echo(ae, again.port, { tls: { cert: foreign.cert, key: foreign.key } })), 'string')
  t.deepEqual(await failures(again, 2), [
    'its certificate is not meant for this side of a connection (extended key usage)',
    'there is no revocation list of its CA here',
  ])
  // The peer that showed none is told so, in the words of TLS 1.3.
  const bare = await handshake(scp.port, { ca: await readFile(pki.ca) })
  const [error] = (await once(bare, 'error')) as [{ code: string }]
  t.is(error.code, 'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED')
  t.is(await failedHandshake(scp.port, { maxVersion: 'TLSv1.2' }), 'ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE')
})

test('client certificates that are optional: one that is shown must be good', async (t) => {
  await using pki = await Pki.make()
  await using other = await Pki.make()
  const good = await pki.issue('good', 'CT1')
  const foreign = await other.issue('foreign', 'CT1')
  let service: TlsService | undefined
  await using scp = await secureServer(await listenerOf(pki, { clientCertificates: 'optional' }), { plugins: [catching((one) => (service = one))] })
  const { ae } = await secureClient(t, { client: { ca: pki.ca } })
  const titles: unknown[] = []
  scp.ae.bind('associationEstablished', ({ association }) => titles.push(service?.identityOf(association)?.aeTitles))
  t.is(await echo(ae, scp.port), 0)
  t.is(await echo(ae, scp.port, { tls: { cert: good.cert, key: good.key } }), 0)
  t.is(typeof (await echo(ae, scp.port, { tls: { cert: foreign.cert, key: foreign.key } })), 'string')
  t.deepEqual(await failures(scp, 1), ['its certificate is of a CA that is not trusted here'])
  t.deepEqual(titles, [undefined, ['CT1']])
})

test('without client certificates: encryption alone, beside a plain listener, defaults from the plugin', async (t) => {
  await using pki = await Pki.make()
  const { cert, key } = await pki.server()
  await using scp = await secureServer(true, { plugin: { listener: { cert, key, clientCertificates: 'none' } } })
  const plain = await scp.ae.listen({ port: 0, host: '127.0.0.1' })
  const { ae } = await secureClient(t, { client: { ca: pki.ca } })
  t.is(await echo(ae, scp.port), 0)
  t.is(await echo(ae, plain.port, { tls: false }), 0)
})

test('a certificate stands for AE titles: by its names, by rules; a calling AE title that is none of them is rejected', async (t) => {
  await using pki = await Pki.make()
  const one = await pki.issue('ct1', 'CT1')
  const two = await pki.issue('mr2', 'A name longer than AE titles are', { names: ['mr2.hospital.example'] })
  const three = await pki.issue('us3', 'Ultrasound', { names: ['us3.hospital.example'] })
  await using scp = await secureServer(
    await listenerOf(pki, { checkCallingAeTitle: true, identities: [{ commonName: 'Ultra*', dnsName: 'US3.*.example', aeTitles: ['US3', 'US3_QA'] }] }),
  )
  const { ae } = await secureClient(t, { client: { ca: pki.ca } })
  const attempt = (callingAeTitle: string, { cert, key }: { cert: string; key: string }): Promise<number | string> =>
    echo(ae, scp.port, { callingAeTitle, tls: { cert, key } })
  t.is(await attempt('CT1', one), 0)
  t.is(await attempt('MR2', two), 0)
  t.is(await attempt('US3_QA', three), 0)
  // The rule holds alone: the common name is no title then.
  const error = await t.throwsAsync(associate(ae, scp.port, { callingAeTitle: 'Ultrasound', tls: { cert: three.cert, key: three.key } }), {
    instanceOf: AssociationRejectedError,
  })
  t.like(error, { result: 1, source: 1, reason: 3 })
  t.regex(String(await attempt('MR2', one)), /calling AE title not recognized/i)
  const told = (): number => scp.logged('warn').filter((message) => message === 'association rejected: the calling AE title is not one of its certificate').length
  t.is(told(), 2)
  for (let count = 0; count < 6; count += 1) await attempt('MR2', one)
  t.is(told(), 5, 'five lines a minute for an address, as of handshakes that fail')
  await scp.ae.close()
  t.true(scp.logged('warn').includes('more associations were rejected for their calling AE title than were logged'))
})

test('what is no TLS: plain DICOM, HTTP and noise are named; a port check is no failure', async (t) => {
  await using pki = await Pki.make()
  await using scp = await secureServer(await listenerOf(pki))
  const { ae } = await secureClient(t)
  t.is(typeof (await echo(ae, scp.port, { tls: false })), 'string')
  for (const bytes of ['GET / HTTP/1.1\r\n\r\n', [0x00, 0xff], [0x16, 0x03, 0x01, 0x00, 0x04, 0xff, 0x00, 0x00, 0x00]]) {
    t.is((await untilClosed(await rawConnection(t, scp.port, bytes))).toString('latin1').includes('HTTP'), false)
  }
  const reasons = await failures(scp, 4)
  t.is(reasons[0], 'plain DICOM on a TLS port: switch TLS on at the peer, or let it use the plain port')
  t.is(reasons[1], 'it is no TLS: it looks like HTTP or text')
  t.is(reasons[2], 'it is no TLS: it begins with 0x00')
  const check = await rawConnection(t, scp.port)
  check.end()
  await untilClosed(check)
  await until(() => scp.logged('debug').includes('a connection ended before a TLS handshake'))
  t.is((await failures(scp, 4)).length, 4)
})

test('versions and ciphers outside the profile are refused', async (t) => {
  await using pki = await Pki.make({ algorithm: 'rsa' })
  await using scp = await secureServer(await listenerOf(pki, { clientCertificates: 'none' }))
  const attempt = (options: ConnectionOptions): Promise<string> => failedHandshake(scp.port, options)
  const old = 'ALL:@SECLEVEL=0'
  t.is(await attempt({ minVersion: 'TLSv1', maxVersion: 'TLSv1', ciphers: old }), 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION')
  t.is(await attempt({ minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: old }), 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION')
  for (const ciphers of ['AES128-SHA', 'AES128-GCM-SHA256', 'NULL-SHA256:@SECLEVEL=0', 'DHE-RSA-AES128-GCM-SHA256', 'ECDHE-RSA-AES128-SHA']) {
    t.is(await attempt({ maxVersion: 'TLSv1.2', ciphers }), 'ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE', ciphers)
  }
  for (const ciphers of ['ECDHE-RSA-AES128-GCM-SHA256', 'ECDHE-RSA-AES256-GCM-SHA384']) t.is(await attempt({ maxVersion: 'TLSv1.2', ciphers }), 'connected')
  for (const ciphers of ['TLS_AES_128_GCM_SHA256', 'TLS_CHACHA20_POLY1305_SHA256']) t.is(await attempt({ minVersion: 'TLSv1.3', ciphers }), 'connected')
  const reasons = await failures(scp, 5)
  t.is(reasons[0], 'it offers only versions of TLS that the profile does not allow')
  t.is(reasons[2], 'it offers no cipher suite that the profile and the key of our certificate allow')
})

test('a retired profile: old equipment gets in, and the operator is told loudly', async (t) => {
  await using pki = await Pki.make({ algorithm: 'rsa' })
  await using scp = await secureServer(await listenerOf(pki, { profile: 'aes', clientCertificates: 'none' }))
  const socket = await handshake(scp.port, { minVersion: 'TLSv1', maxVersion: 'TLSv1', ciphers: 'AES128-SHA:@SECLEVEL=0' })
  t.is(socket.getProtocol(), 'TLSv1')
  socket.destroy()
  t.regex(scp.logged('warn').join('\n'), /listen\.tls: profile aes \(AES TLS .*PS3\.15 B\.3\) is retired and WEAK/)
  const findings = await scp.ae.diagnose()
  t.true(findings.some(({ level, plugin, message }) => level === 'warning' && plugin === 'tls' && message.includes('WEAK')))
})

test('no session is resumed, and none renegotiated', async (t) => {
  await using pki = await Pki.make()
  await using scp = await secureServer(await listenerOf(pki, { clientCertificates: 'none' }), { timeouts: { acseMs: 2_000 } })
  for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
    const first = await handshake(scp.port, { maxVersion })
    let session = first.getSession()
    first.on('session', (one) => (session = one))
    // A PDU of no known type is answered with A-ABORT: by then a session would have come.
    first.write(Uint8Array.of(0xff, 0, 0, 0, 0, 0))
    await once(first, 'data')
    first.destroy()
    const second = await handshake(scp.port, { maxVersion, ...(session === undefined ? {} : { session }) })
    t.false(second.isSessionReused())
    second.destroy()
  }
  const socket = await handshake(scp.port, { maxVersion: 'TLSv1.2' })
  socket.on('error', () => {})
  const renegotiated = await new Promise<boolean>((resolve) => {
    socket.on('close', () => resolve(false))
    socket.renegotiate({}, (error) => resolve(error === null))
  })
  t.false(renegotiated)
  socket.destroy()
})

test('several certificates by the name that is asked for', async (t) => {
  await using pki = await Pki.make()
  const pacs = await pki.issue('pacs', 'PACS', { usage: 'server', names: ['pacs.example'] })
  const wild = await pki.issue('wild', 'WILD', { usage: 'server', names: ['*.test.example'] })
  const client = await pki.issue('ct1', 'CT1')
  const revoked = await pki.issue('old', 'OLD')
  await using scp = await secureServer(
    await listenerOf(pki, {
      crl: await pki.revoke([revoked.serialNumber]),
      sni: [
        { names: ['PACS.example'], cert: pacs.cert, key: pacs.key },
        { names: ['*.test.example'], cert: wild.cert, key: wild.key },
      ],
    }),
  )
  // Peers are checked whatever name they ask for.
  const { ae } = await secureClient(t, { client: { ca: pki.ca, serverName: 'pacs.example' } })
  t.is(await echo(ae, scp.port, { tls: { cert: client.cert, key: client.key } }), 0)
  t.is(typeof (await echo(ae, scp.port)), 'string')
  t.is(typeof (await echo(ae, scp.port, { tls: { cert: revoked.cert, key: revoked.key } })), 'string')
  t.deepEqual(await failures(scp, 2), ['it showed no certificate', 'its certificate was revoked'])
  const credentials = { cert: await readFile(client.cert), key: await readFile(client.key) }
  const nameFor = async (servername?: string): Promise<string | undefined> => {
    const socket = await handshake(scp.port, { ...credentials, ...(servername === undefined ? {} : { servername }) })
    const { subject } = socket.getPeerX509Certificate() as X509Certificate
    socket.destroy()
    return subject
  }
  t.is(await nameFor('pacs.example'), 'CN=PACS')
  t.is(await nameFor('a.test.example'), 'CN=WILD')
  t.is(await nameFor('b.a.test.example'), 'CN=ARCHIVE')
  t.is(await nameFor('unknown.example'), 'CN=ARCHIVE')
  t.is(await nameFor(), 'CN=ARCHIVE')
})

test('certificates that change are taken without dropping an association; bad ones are not', async (t) => {
  await using pki = await Pki.make()
  const client = await pki.issue('ct1', 'CT1')
  const options = await listenerOf(pki)
  await using scp = await secureServer(options, { plugin: { watchMs: 100 } })
  const { ae } = await secureClient(t, { client: { ca: pki.ca, cert: client.cert, key: client.key } })
  const association = await associate(ae, scp.port)
  const serial = async (): Promise<string | undefined> => {
    const one = await associate(ae, scp.port)
    const number = one.security?.peerCertificate?.serialNumber
    await one.release()
    return number
  }
  const before = await serial()

  // As programs that renew certificates do it: a new file takes the place of the old one, one after the other.
  const next = await pki.server('next')
  await rename(next.cert, options.cert as string)
  await rename(next.key, options.key as string)
  await until(() => scp.logged('info').some((message) => message.startsWith('certificates changed')))
  const after = await serial()
  t.not(after, before)
  t.is((await association.cEcho()).status, 0)

  // A key that does not fit, found by a reload, which does not wait.
  const foreign = await pki.server('foreign')
  await copyFile(foreign.key, options.key as string)
  await scp.ae.reload(scp.ae.config)
  const [line] = scp.log.filter(({ message }) => message === 'certificates changed and cannot be used; the ones before stay')
  t.regex(String(line?.fields['reason']), /listen\.tls\.key: .*server\.key is not the key of the certificate .*server\.pem \(CN=ARCHIVE\)$/)
  t.is(await serial(), after)
  await copyFile(foreign.cert, options.cert as string)
  await scp.ae.reload(scp.ae.config)
  t.not(await serial(), after)

  // A reload takes other files, not other options.
  await scp.ae.reload({ ...scp.ae.config, listen: [{ tls: {} }] })
  t.is(scp.logged('warn').filter((message) => message.startsWith('tls of the listeners changed')).length, 1)
  // A file that is gone is told of at the second look.
  await unlink(options.key as string)
  await until(() => scp.logged('error').length === 2)
  t.is((await association.cEcho()).status, 0)
  await association.release()
})

test('certificates behind a link whose folder is swapped, and those of the requestor', async (t) => {
  await using pki = await Pki.make()
  const first = await pki.issue('first', 'CT1')
  const second = await pki.issue('second', 'CT2')
  for (const [name, { cert, key }] of Object.entries({ v1: first, v2: second })) {
    await mkdir(pki.path(name))
    await copyFile(cert, pki.path(`${name}/tls.crt`))
    await copyFile(key, pki.path(`${name}/tls.key`))
  }
  await symlink(pki.path('v1'), pki.path('current'))
  await using scp = await secureServer(await listenerOf(pki))
  const { ae, log } = await secureClient(t, {
    client: { ca: pki.ca, cert: pki.path('current/tls.crt'), key: pki.path('current/tls.key') },
    watchMs: 100,
  })
  const subjects: unknown[] = []
  scp.ae.bind('associationEstablished', ({ association }) => subjects.push(association.security?.peerCertificate?.subject))
  t.is(await echo(ae, scp.port), 0)
  await symlink(pki.path('v2'), pki.path('next'))
  await rename(pki.path('next'), pki.path('current'))
  await until(() => log.some(({ message }) => message.startsWith('certificates changed')))
  t.is(await echo(ae, scp.port), 0)
  t.deepEqual(subjects, ['CN=CT1', 'CN=CT2'])
})

test('what is revoked while the server runs is refused from then on; the association that is open goes on', async (t) => {
  await using pki = await Pki.make()
  const client = await pki.issue('ct1', 'CT1')
  await using scp = await secureServer(await listenerOf(pki, { crl: await pki.revoke([]) }))
  const { ae } = await secureClient(t, { client: { ca: pki.ca, cert: client.cert, key: client.key } })
  const association = await associate(ae, scp.port)
  await pki.revoke([client.serialNumber])
  await scp.ae.reload(scp.ae.config)
  t.is(typeof (await echo(ae, scp.port)), 'string')
  t.deepEqual(await failures(scp, 1), ['its certificate was revoked'])
  t.is((await association.cEcho()).status, 0)
  await association.release()
  // A list that is too old lets nobody in: who was revoked since cannot be known.
  await pki.revoke([], -2)
  await scp.ae.reload(scp.ae.config)
  t.is(typeof (await echo(ae, scp.port)), 'string')
  t.is((await failures(scp, 2))[1], 'the revocation list of its CA has expired')
  t.true((await scp.ae.diagnose()).some(({ level, message }) => level === 'error' && message.includes('crl.pem') && message.includes('has expired')))
})

test('handshakes that stall: they are given up in time, and keep nobody out', async (t) => {
  await using pki = await Pki.make()
  const client = await pki.issue('ct1', 'CT1')
  await using scp = await secureServer(await listenerOf(pki, { maximumHandshakes: 2, handshakeMs: 5_000 }))
  const { ae } = await secureClient(t, { client: { ca: pki.ca, cert: client.cert, key: client.key } })
  // A TLS record that announces 512 bytes and does not send them; and peers that say nothing.
  const stalled = await Promise.all(Array.from({ length: 3 }, () => rawConnection(t, scp.port, [0x16, 0x03, 0x01, 0x02, 0x00, 0x01])))
  await Promise.all(Array.from({ length: 6 }, () => rawConnection(t, scp.port)))
  t.is(await echo(ae, scp.port), 0)
  await Promise.all(stalled.slice(0, 2).map((socket) => untilClosed(socket)))
  t.is((await failures(scp, 2))[0], 'it was slow, and another one waited')

  await using quick = await secureServer(await listenerOf(pki, { handshakeMs: 100 }))
  await untilClosed(await rawConnection(t, quick.port, [0x16, 0x03, 0x01, 0x02, 0x00, 0x01]))
  await untilClosed(await rawConnection(t, quick.port))
  t.deepEqual(await failures(quick, 2), ['it did not finish the handshake in time', 'it did not finish the handshake in time'])
  t.is(quick.ae.activeAssociations.length, 0)
})

test('what the peer must show to a requestor: CA, name, fingerprint', async (t) => {
  await using pki = await Pki.make()
  await using other = await Pki.make()
  const { cert, key } = await pki.issue('named', 'NAMED', { usage: 'server', names: ['pacs.example'] })
  const fingerprint = new X509Certificate(await readFile(cert)).fingerprint256
  await using scp = await secureServer({ cert, key, clientCertificates: 'none' })
  const { ae } = await secureClient(t)
  t.regex(String(await echo(ae, scp.port)), /TLS failed: its certificate is of a CA that is not trusted here/)
  t.regex(String(await echo(ae, scp.port, { tls: { ca: other.ca } })), /TLS failed: its certificate is of a CA that is not trusted here|not signed by/)
  t.regex(String(await echo(ae, scp.port, { tls: { ca: pki.ca } })), /TLS failed: its certificate is for another name .*see serverName/)
  t.is(await echo(ae, scp.port, { tls: { ca: pki.ca, serverName: 'pacs.example' } }), 0)
  t.is(await echo(ae, scp.port, { tls: { ca: pki.ca, checkServerName: false } }), 0)
  t.is(await echo(ae, scp.port, { tls: { fingerprints: [fingerprint.toLowerCase().replaceAll(':', '')] } }), 0)
  t.regex(String(await echo(ae, scp.port, { tls: { fingerprints: ['00'.repeat(32)] } })), /not one of fingerprints/)
  // With a CA both must hold.
  t.regex(String(await echo(ae, scp.port, { tls: { ca: other.ca, fingerprints: [fingerprint], serverName: 'pacs.example' } })), /TLS failed/)
  t.is(await echo(ae, scp.port, { tls: { ca: pki.ca, fingerprints: [fingerprint], serverName: 'pacs.example' } }), 0)
})

test('a requestor whose options cannot be used, or whose peer speaks no TLS, gets one line that says so', async (t) => {
  await using pki = await Pki.make()
  const { ae } = await secureClient(t)
  const { ae: unreachable } = await secureClient(t)
  t.regex(String(await echo(ae, 1, { tls: { ca: pki.path('absent.pem') } })), /tls\.ca: .*absent\.pem is not there/)
  t.regex(String(await echo(ae, 1, { tls: { caFile: 'x' } as never })), /caFile/)
  t.regex(String(await echo(ae, 1, { tls: { key: pki.path('x') } })), /tls: has a key without a certificate/)
  const plain = createServer((socket) => socket.on('error', () => {}).end('\x04 no TLS here')).listen(0, '127.0.0.1')
  t.teardown(() => plain.close())
  await once(plain, 'listening')
  t.regex(String(await echo(unreachable, (plain.address() as AddressInfo).port)), /TLS failed: what it sends is no TLS|disconnected/)
})

test('a handler before it may read from the connection and give back what it read, as for the PROXY protocol', async (t) => {
  await using pki = await Pki.make()
  const seen: number[] = []
  const reader = definePlugin({
    name: 'test-reader',
    apply(api) {
      api.hooks.incomingConnection.tapPromise({ stage: Stage.Early }, async (connection) => {
        const { socket } = connection
        await once(socket, 'readable')
        const header = socket.read(5) as Buffer
        socket.unshift(header)
        seen.push(header[0] ?? 0)
        return { ...connection, remoteAddress: '192.0.2.7', remotePort: 7 }
      })
    },
  })
  await using scp = await secureServer(await listenerOf(pki, { clientCertificates: 'none' }), { plugins: [reader()] })
  const { ae } = await secureClient(t, { client: { ca: pki.ca } })
  const association = await associate(ae, scp.port)
  t.is(scp.ae.activeAssociations[0]?.remoteAddress, '192.0.2.7')
  t.is((await association.cEcho()).status, 0)
  await association.release()
  t.is(typeof (await echo(ae, scp.port, { tls: false })), 'string')
  await failures(scp, 1)
  t.is(scp.log.find(({ message }) => message === 'TLS handshake failed')?.fields['remoteAddress'], '192.0.2.7')
  t.deepEqual(seen, [0x16, 0x01])
})

test('a C-MOVE goes to its destination over TLS when the address book says so', async (t) => {
  await using pki = await Pki.make()
  const client = await pki.issue('archive', 'ARCHIVE')
  const contexts = [{ abstractSyntax: SopClass.CTImageStorage, transferSyntaxes: [TransferSyntax.ExplicitVRLittleEndian] }]
  const stored: (string | undefined)[] = []
  await using destination = await secureServer(await listenerOf(pki), {
    contexts,
    handlers: {
      async cStore({ dataSet }, { association }) {
        await dataSet.buffer()
        stored.push(association.security?.peerCertificate?.subject)
        return 0x0000
      },
    },
  })
  await using archive = await createTestServer({
    plugins: [tls({ client: { cert: client.cert, key: client.key } })],
    contexts: [{ abstractSyntax: SopClass.StudyRootQueryRetrieveInformationModelMove, transferSyntaxes: ['1.2.840.10008.1.2'] }],
    handlers: {
      cMove: () => ({ instances: [sampleDataset('ct')] }),
      moveDestination: () => ({ host: '127.0.0.1', port: destination.port, tls: { ca: pki.ca } }),
    },
  })
  const { ae } = await secureClient(t)
  const association = await associate(ae, archive.port, { tls: false, contexts: [{ abstractSyntax: SopClass.StudyRootQueryRetrieveInformationModelMove }] })
  let last: { status: number } | undefined
  for await (const response of association.cMove({ QueryRetrieveLevel: 'STUDY', StudyInstanceUID: '1.2' }, { destination: 'DEST', model: SopClass.StudyRootQueryRetrieveInformationModelMove })) last = response
  t.is(last?.status, 0)
  t.deepEqual(stored, ['CN=ARCHIVE'])
  await association.release()
})
