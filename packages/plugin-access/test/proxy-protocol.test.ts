import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import type { Duplex } from 'node:stream'
import test from 'ava'
import type { ExecutionContext } from 'ava'
import { ApplicationEntity, SopClass, TransferSyntax, encodePdu } from '@dicomtap/framework'
import { associateRequest } from '@dicomtap/framework/testing'
import { tls } from '@dicomtap/plugin-tls'
import { parseProxyHeader } from '../dist/proxy-protocol/parse.js'
import { accessServer, temporaryFolder } from './support/server.js'
import type { AccessServer } from './support/server.js'
import { CERTIFICATE, KEY } from './support/certificate.js'

const SIGNATURE = '0d0a0d0a000d0a515549540a'

function v2(versionAndCommand: string, familyAndProtocol: string, rest: string): Buffer {
  const body = Buffer.from(rest, 'hex')
  const length = Buffer.alloc(2)
  length.writeUInt16BE(body.length)
  return Buffer.concat([Buffer.from(SIGNATURE + versionAndCommand + familyAndProtocol, 'hex'), length, body])
}

/** 192.0.2.1:40000 to 198.51.100.2:11112 over TCP/IPv4. */
const V2_TCP4 = v2(
  '21', // version 2, PROXY
  '11', // AF_INET, STREAM
  'c0000201' + // source address 192.0.2.1
    'c6336402' + // destination address 198.51.100.2
    '9c40' + // source port 40000
    '2b68' + // destination port 11112
    '03000400000000', // TLV: PP2_TYPE_CRC32C, 4 bytes
)
const V2_TCP6 = v2('21', '21', '20010db8000000000000000000000001' + '20010db8000000000000000000000002' + '9c40' + '2b68')
const V2_MAPPED = v2('21', '21', '00000000000000000000ffffc0000201' + '00000000000000000000ffffc6336402' + '9c40' + '2b68')
const V1_TCP4 = Buffer.from('PROXY TCP4 192.0.2.1 198.51.100.2 40000 11112\r\n')

const REAL = { remoteAddress: '192.0.2.1', remotePort: 40_000, localAddress: '198.51.100.2', localPort: 11_112 }

test('headers of versions 1 and 2', (t) => {
  t.deepEqual(parseProxyHeader(V1_TCP4)?.endpoints, REAL)
  t.deepEqual(parseProxyHeader(V2_TCP4)?.endpoints, REAL)
  t.deepEqual(parseProxyHeader(V2_MAPPED)?.endpoints, REAL, 'IPv4 in IPv6')
  t.deepEqual(parseProxyHeader(V2_TCP6)?.endpoints, { remoteAddress: '2001:db8::1', localAddress: '2001:db8::2', remotePort: 40_000, localPort: 11_112 })
  t.deepEqual(parseProxyHeader(Buffer.from('PROXY TCP6 2001:db8::1 2001:db8::2 1 65535\r\n'))?.endpoints?.remoteAddress, '2001:db8::1')
  for (const silent of [
    v2('20', '00', ''), // LOCAL
    v2('20', '11', 'c0000201c63364029c402b68'), // LOCAL with addresses: they do not count
    v2('21', '00', '0102'), // UNSPEC
    v2('21', '31', '00'.repeat(216)), // AF_UNIX
    v2('21', '12', 'c0000201c63364029c402b68'), // UDP
    Buffer.from('PROXY UNKNOWN\r\n'),
    Buffer.from('PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n'),
  ]) {
    const header = parseProxyHeader(silent)
    t.is(header?.endpoints, undefined)
    t.is(header?.lengthBytes, silent.length)
  }
})

test('in any pieces: not there yet until the last byte, and what follows is left', (t) => {
  for (const header of [V1_TCP4, V2_TCP4, V2_TCP6, v2('20', '00', '')]) {
    for (let length = 0; length < header.length; length++) t.is(parseProxyHeader(header.subarray(0, length)), undefined)
    t.is(parseProxyHeader(Buffer.concat([header, Buffer.from([1, 2, 3])]))?.lengthBytes, header.length)
  }
})

test('what is no header is refused at once', (t) => {
  for (const wrong of [
    Buffer.from([0x01]), // an A-ASSOCIATE-RQ
    Buffer.from([0x16, 0x03]), // a TLS handshake
    Buffer.from('PROXX'),
    Buffer.from('PROXY TCP4 192.0.2.1 198.51.100.2 40000\r\n'),
    Buffer.from('PROXY TCP4 192.0.2.1 198.51.100.2 40000 65536\r\n'),
    Buffer.from('PROXY TCP4 192.0.2.1 198.51.100.2 040 1\r\n'),
    Buffer.from('PROXY TCP4 2001:db8::1 198.51.100.2 1 1\r\n'),
    Buffer.from('PROXY TCP6 192.0.2.1 198.51.100.2 1 1\r\n'),
    Buffer.from('PROXY  TCP4 192.0.2.1 198.51.100.2 1 1\r\n'),
    Buffer.from('PROXY UDP4 192.0.2.1 198.51.100.2 1 1\r\n'),
    Buffer.from(`PROXY UNKNOWN ${'x'.repeat(107)}`),
    v2('11', '11', 'c0000201c63364029c402b68'), // version 1 in the binary form
    v2('22', '11', 'c0000201c63364029c402b68'), // an unknown command
    v2('21', '41', '00'.repeat(64)), // an unknown family
    v2('21', '13', '00'.repeat(64)), // an unknown protocol
    v2('21', '11', 'c0000201'), // addresses cut off
    Buffer.concat([Buffer.from(`${SIGNATURE}2111`, 'hex'), Buffer.from([0xff, 0xff])]), // 65535 bytes announced
  ]) {
    t.throws(() => parseProxyHeader(wrong), { name: 'ProxyHeaderError' }, wrong.toString('latin1'))
  }
  t.throws(() => parseProxyHeader(V1_TCP4, [2]), { name: 'ProxyHeaderError' })
  t.throws(() => parseProxyHeader(V2_TCP4, [1]), { name: 'ProxyHeaderError' })
})

const REQUEST = encodePdu(associateRequest({ callingAeTitle: 'CT1' }))
const PEERS = 'peers: [{ aeTitle: CT1, host: 192.0.2.1 }]'

async function behindBalancer(t: ExecutionContext, proxyProtocol: object, more: object = {}): Promise<AccessServer> {
  return accessServer(t, PEERS, {}, { listener: { proxyProtocol: proxyProtocol as never, ...more } })
}

async function dial(t: ExecutionContext, server: AccessServer): Promise<Socket> {
  const socket = connect({ port: server.port, host: '127.0.0.1' })
  t.teardown(() => socket.destroy())
  await once(socket, 'connect')
  return socket
}

/** The first PDU that comes back as hexadecimal digits, or `closed`. */
async function answer(socket: Duplex): Promise<string> {
  socket.on('error', () => {})
  const gone = (): undefined => undefined
  const chunk = await Promise.race([once(socket, 'data').then(([data]) => data as Buffer, gone), once(socket, 'close').then(gone, gone)])
  return chunk === undefined ? 'closed' : chunk.subarray(0, 1).toString('hex')
}

test('the address of the header is that of the peer, in rules, association and log', async (t) => {
  const server = await behindBalancer(t, { trusted: ['127.0.0.0/8'] })
  for (const header of [V1_TCP4, V2_TCP4]) {
    const socket = await dial(t, server)
    socket.write(Buffer.concat([header, REQUEST]))
    t.is(await answer(socket), '02')
    const association = server.server.activeAssociations.at(-1)
    t.is(association?.remoteAddress, '192.0.2.1')
    t.is(association?.remotePort, 40_000)
    t.is(association?.localAddress, '198.51.100.2')
    socket.destroy()
    await association?.closed
  }
  const other = await dial(t, server)
  other.write(Buffer.concat([Buffer.from('PROXY TCP4 192.0.2.9 198.51.100.2 40000 11112\r\n'), REQUEST]))
  t.is(await answer(other), '03')
  t.is(server.log.find(({ message }) => message === 'association refused')?.fields['remoteAddress'], '192.0.2.9')
})

test('header and request byte by byte', async (t) => {
  const server = await behindBalancer(t, { trusted: ['127.0.0.1'] })
  const socket = await dial(t, server)
  socket.setNoDelay(true)
  const answered = answer(socket)
  for (const byte of Buffer.concat([V2_TCP4, REQUEST.subarray(0, 20)])) await new Promise((resolve) => socket.write(Buffer.from([byte]), () => setImmediate(resolve)))
  socket.write(REQUEST.subarray(20))
  t.is(await answered, '02')
})

test('LOCAL: the balancer itself; health checks leave no line in the log', async (t) => {
  const server = await behindBalancer(t, { trusted: ['127.0.0.1'] })
  const local = await dial(t, server)
  local.write(Buffer.concat([v2('20', '00', ''), REQUEST]))
  t.is(await answer(local), '03', '127.0.0.1 is not the address of CT1')
  const lines = server.log.filter(({ level }) => level !== 'debug' && level !== 'trace').length
  for (const bytes of [Buffer.alloc(0), v2('20', '00', '')]) {
    const check = await dial(t, server)
    check.on('error', () => {})
    check.end(bytes)
    check.resume()
    await once(check, 'close')
  }
  t.is(server.log.filter(({ level }) => level !== 'debug' && level !== 'trace').length, lines)
})

test('only balancers are believed', async (t) => {
  const strict = await behindBalancer(t, { trusted: ['10.0.0.1'] })
  const refused = await dial(t, strict)
  refused.write(Buffer.concat([V1_TCP4, REQUEST]))
  t.is(await answer(refused), 'closed')
  t.like(strict.log.find(({ message }) => message === 'connection refused: PROXY protocol')?.fields, { remoteAddress: '127.0.0.1', why: 'it comes from no trusted balancer' })

  const mixed = await behindBalancer(t, { trusted: ['10.0.0.1'], others: 'plain' })
  await mixed.change('peers: [{ aeTitle: CT1, host: 127.0.0.1 }]')
  const direct = await dial(t, mixed)
  direct.write(REQUEST)
  t.is(await answer(direct), '02')
  const liar = await dial(t, mixed)
  liar.write(Buffer.concat([V1_TCP4, REQUEST]))
  t.not(await answer(liar), '02', 'its header is no PDU')
})

test('no header, a wrong one, half of one: the connection is cut, and the log says why', async (t) => {
  const server = await behindBalancer(t, { trusted: ['127.0.0.1'], timeoutMs: 700 })
  const plain = await dial(t, server)
  plain.write(REQUEST)
  t.is(await answer(plain), 'closed')
  const half = await dial(t, server)
  half.write(V1_TCP4.subarray(0, 10))
  t.is(await answer(half), 'closed')
  t.deepEqual(server.log.filter(({ message }) => message === 'connection refused: PROXY protocol').map(({ fields }) => fields['why']), [
    'it does not start with a PROXY protocol header',
    'the PROXY protocol header did not come in time',
  ])
})

// The table "At a listener behind a balancer" of docs/reference/hostile-input.md; what comes is one write.
const HOSTILE: readonly [sent: string, bytes: Buffer, gets: string][] = [
  ['HTTP', Buffer.from('GET / HTTP/1.1\r\n\r\n'), 'closed'],
  ['no end of the line within 107 bytes', Buffer.from(`PROXY TCP4 ${'1'.repeat(200)}`), 'closed'],
  ['an address that is none', Buffer.from('PROXY TCP4 192.0.2.999 198.51.100.2 1 2\r\n'), 'closed'],
  ['a port that is none', Buffer.from('PROXY TCP4 192.0.2.1 198.51.100.2 65536 2\r\n'), 'closed'],
  ['other words', Buffer.from('PROXY UDP4 192.0.2.1 198.51.100.2 1 2\r\n'), 'closed'],
  ['another version', v2('31', '11', 'c0000201c63364029c402b68'), 'closed'],
  ['another command', v2('22', '11', 'c0000201c63364029c402b68'), 'closed'],
  ['another family', v2('21', '41', '00'.repeat(64)), 'closed'],
  ['addresses cut off', v2('21', '11', 'c0000201'), 'closed'],
  ['more than 4096 bytes', Buffer.from(`${SIGNATURE}21111001`, 'hex'), 'closed'],
  ['half a header, then silence', V2_TCP4.subarray(0, 14), 'closed'],
  // The connection is the balancer's own, and CT1 has another address in the peers file: an A-ASSOCIATE-RJ.
  ['UNKNOWN', Buffer.concat([Buffer.from('PROXY UNKNOWN ffff:f...f:ffff\r\n'), REQUEST]), '03'],
  ['LOCAL', Buffer.concat([v2('20', '00', ''), REQUEST]), '03'],
  ['UNSPEC', Buffer.concat([v2('21', '00', ''), REQUEST]), '03'],
  ['UNIX', Buffer.concat([v2('21', '31', '00'.repeat(216)), REQUEST]), '03'],
  ['a second header', Buffer.concat([V1_TCP4, V1_TCP4, REQUEST]), '07'],
]

test('what hostile peers get at a listener behind a balancer', async (t) => {
  const server = await behindBalancer(t, { trusted: ['127.0.0.1'], timeoutMs: 300 })
  await Promise.all(
    HOSTILE.map(async ([sent, bytes, gets]) => {
      const socket = await dial(t, server)
      socket.write(bytes)
      t.is(await answer(socket), gets, sent)
    }),
  )
  const healthy = await dial(t, server)
  healthy.write(Buffer.concat([V2_TCP4, REQUEST]))
  t.is(await answer(healthy), '02')
  const old = await behindBalancer(t, { trusted: ['127.0.0.1'], versions: [2] })
  const first = await dial(t, old)
  first.write(Buffer.concat([V1_TCP4, REQUEST]))
  t.is(await answer(first), 'closed', 'a version that is not taken')
})

test('a listener that trusts nobody in particular is a mistake in the configuration', async (t) => {
  for (const wrong of [true, {}, { trusted: [] }, { trusted: ['balancer.example'] }]) {
    const error = await t.throwsAsync(behindBalancer(t, wrong as object))
    t.is((error as { code?: string }).code, 'DICOMTAP_ERR_CFG_INVALID')
    t.regex(error?.message ?? '', /proxyProtocol\.trusted/)
  }
})

/** A load balancer: a header, in one write with what the client sends first or not, and then what both sides send. */
async function balancer(t: ExecutionContext, port: number, isTogether: boolean): Promise<number> {
  const server = createServer((client) => {
    const upstream = connect(port, '127.0.0.1')
    for (const socket of [client, upstream]) socket.on('error', () => {})
    if (!isTogether) upstream.write(V2_TCP4)
    client.once('data', (first) => {
      upstream.write(isTogether ? Buffer.concat([V2_TCP4, first]) : first)
      client.pipe(upstream)
    })
    upstream.pipe(client)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  return (server.address() as AddressInfo).port
}

for (const isTogether of [true, false]) {
  test(`objects by way of a balancer arrive byte for byte, in large reads, the header ${isTogether ? 'and the request together' : 'alone'}`, async (t) => {
    const received: Buffer[] = []
    let largest = 0
    const server = await accessServer(t, PEERS, {}, {
      listener: { proxyProtocol: { trusted: ['127.0.0.1'] } as never },
      handlers: {
        cStore: async ({ dataSet }) => (received.push(await dataSet.buffer()), 0),
        dataReceived: ({ data }) => void (largest = Math.max(largest, data.length)),
      },
    })
    const sent = Array.from({ length: 5 }, (_, index) => Buffer.from(Array.from({ length: 400_000 + 2 * index }, (_byte, at) => (at * 7 + index) & 0xff)))
    const port = await balancer(t, server.port, isTogether)
    const client = new ApplicationEntity({ aeTitle: 'CT1', logLevel: 'silent' })
    t.teardown(() => client.close())
    const contexts = [{ abstractSyntax: SopClass.CTImageStorage, transferSyntaxes: [TransferSyntax.ImplicitVRLittleEndian] }]
    const association = await client.associate({ host: '127.0.0.1', port, contexts })
    for (const [index, bytes] of sent.entries()) {
      const instance = { sopClassUid: SopClass.CTImageStorage, sopInstanceUid: `1.2.${index + 1}`, transferSyntaxUid: TransferSyntax.ImplicitVRLittleEndian, bytes: () => [bytes] }
      t.is((await association.cStore(instance)).status, 0)
    }
    await association.release()
    t.is(received.length, sent.length)
    for (const [index, bytes] of sent.entries()) t.true(received[index]!.equals(bytes), `object ${index}`)
    // Without buffers of its own a socket reads 65 536 bytes at most.
    t.true(largest > 65_536, `${largest} bytes`)
  })
}

test('the header comes before TLS, in one piece with the handshake or not', async (t) => {
  const pki = await temporaryFolder(t)
  await Promise.all([writeFile(join(pki, 'cert.pem'), CERTIFICATE), writeFile(join(pki, 'key.pem'), KEY, { mode: 0o600 })])
  const listener = { proxyProtocol: { trusted: ['127.0.0.1'] }, tls: { cert: join(pki, 'cert.pem'), key: join(pki, 'key.pem'), clientCertificates: 'none' as const } }
  const server = await accessServer(t, PEERS, {}, { plugins: [tls()], listener })
  for (const header of [V1_TCP4, V2_TCP4]) {
    const socket = await dial(t, server)
    // Corked: header and ClientHello leave in one write.
    if (header === V2_TCP4) socket.cork()
    socket.write(header)
    const secure = connectTls({ socket, ca: CERTIFICATE, servername: 'localhost' })
    if (header === V2_TCP4) setImmediate(() => socket.uncork())
    await once(secure, 'secureConnect')
    secure.write(REQUEST)
    t.is(await answer(secure), '02')
    const association = server.server.activeAssociations.at(-1)
    t.is(association?.remoteAddress, '192.0.2.1')
    t.regex(association?.security?.protocol ?? '', /^TLSv1\.[23]$/)
    secure.destroy()
    await association?.closed
  }
})
