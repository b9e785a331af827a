import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { connect as connectTcp, createServer as createTcpServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { createServer as createTlsServer } from 'node:tls'
import test from 'ava'
import type { ExecutionContext } from 'ava'
import { SopClass, TransferSyntax } from '@dicomtap/framework'
import type { UserIdentityRequest } from '@dicomtap/framework'
import type { EchoReport } from '../dist/commands/echo.js'
import { run } from './support/run.js'
import type { Result } from './support/run.js'
import { peer, runUntilKilled } from './support/scu.js'
import { makeSite, pluginPackage } from './support/site.js'
import { CERTIFICATE, KEY } from './support/tls.js'

const contexts = [{ abstractSyntax: SopClass.Verification, transferSyntaxes: [TransferSyntax.ImplicitVRLittleEndian] }]

async function echo(t: ExecutionContext, port: number, ...args: readonly string[]): Promise<Result> {
  return run(['echo', `PACS@127.0.0.1:${port}`, ...args], { cwd: await makeSite(t) })
}

test('echo says how long it took', async (t) => {
  const titles: string[][] = []
  const server = await peer(t, {
    contexts,
    handlers: { associationRequested: ({ association: { callingAeTitle, calledAeTitle } }) => void titles.push([callingAeTitle, calledAeTitle]) },
  })
  const { code, stdout, stderr } = await echo(t, server.port, '--repeat', '3', '--interval', '1ms', '--aet', 'ME')
  t.regex(stdout, /^echo 1: success, [\d.]+ m?s\necho 2: .*\necho 3: .*\n3 sent, 3 answered with success; association in .*, round trip .* on average, .* to .*\n$/u)
  t.is(stderr, '')
  t.is(code, 0)
  t.deepEqual(titles, [['ME', 'PACS']])
})

test('echo --json, --quiet and --verbose', async (t) => {
  const statuses = [0x0000, 0x0122, 0x0000]
  const server = await peer(t, { contexts, handlers: { cEcho: () => statuses.shift() ?? 0 } })
  const failed = await echo(t, server.port, '-n', '3', '-i', '0', '--json')
  t.is(failed.code, 1)
  const report = JSON.parse(failed.stdout) as EchoReport
  t.like(report, { ok: false, peer: `PACS at 127.0.0.1:${server.port}`, sent: 3, succeeded: 2 })
  t.deepEqual(report.echoes.map(({ status }) => status), [0, 0x0122, 0])
  t.is(failed.stderr, '')

  t.deepEqual(await echo(t, server.port, '--quiet'), { code: 0, stdout: '', stderr: '' })

  const { stderr, code } = await echo(t, server.port, '--verbose', '-x', 'explicit,implicit', '--outstanding', '4')
  t.is(code, 0)
  t.regex(stderr, /^association  DICOMTAP -> PACS at 127\.0\.0\.1:\d+$/mu)
  t.regex(stderr, /^ {2}1 {2}Verification SOP Class {2}accepted, ImplicitVRLittleEndian$/mu)
})

test('echo --abort ends with an A-ABORT of the service user, and is no failure', async (t) => {
  const ends: string[] = []
  const server = await peer(t, {
    contexts,
    handlers: {
      associationReleased: () => void ends.push('released'),
      associationAborted: ({ by, source }) => void ends.push(`aborted by ${by}, source ${String(source)}`),
    },
  })
  const { code, stdout, stderr } = await echo(t, server.port, '--abort')
  t.is(code, 0)
  t.regex(stdout, /^1 sent, 1 answered with success/mu)
  t.is(stderr, '')
  t.deepEqual(ends, ['aborted by peer, source 0'])
})

test('why there is no association, in the words of the standard, and what to do', async (t) => {
  const server = await peer(t, { contexts, requireCalledAeTitle: true, requireCallingAeTitles: ['DICOMTAP'] })
  const cwd = await makeSite(t)
  const other = await run(['echo', `OTHER@127.0.0.1:${server.port}`], { cwd })
  t.is(other.code, 1)
  t.is(other.stdout, '')
  t.is(
    other.stderr,
    `error DICOMTAP_ERR_ACSE_REJECTED: OTHER at 127.0.0.1:${server.port} rejected the association: permanent, service-user: called AE title not recognized\n` +
      'hint: check the AE title of the peer: set it with --aec\n',
  )
  const stranger = await echo(t, server.port, '--aet', 'STRANGER', '--json')
  t.is(stranger.code, 1)
  t.like(JSON.parse(stranger.stdout), { ok: false, problems: [{ code: 'DICOMTAP_ERR_ACSE_REJECTED', hint: 'the peer must know this AE title: set it with --aet, or add it at the peer' }] })
  const refused = await echo(t, server.port, '-x', 'explicit', '--verbose')
  t.is(refused.code, 1)
  t.regex(refused.stderr, /rejected, transfer syntaxes not supported/u)
  t.regex(refused.stderr, /DICOMTAP_ERR_ACSE_CONTEXT/u)

  const closed = createTcpServer().listen(0, '127.0.0.1')
  await once(closed, 'listening')
  const { port } = closed.address() as AddressInfo
  closed.close()
  const nobody = await echo(t, port)
  t.is(nobody.code, 1)
  t.regex(nobody.stderr, /^error DICOMTAP_ERR_NET_CONNECT: .*ECONNREFUSED.*\nhint: nothing listens there/u)
})

test('wrong usage is told before anything is connected', async (t) => {
  const cwd = await makeSite(t)
  for (const [args, says] of [
    [['echo'], /missing required argument 'host:port'/],
    [['echo', 'pacs:0'], /The port must be a number from 1 to 65535/],
    [['echo', 'pacs:104', '-x', 'nonsense'], /^error: --transfer-syntax: 'nonsense'/],
    [['echo', 'A@pacs:104', '--aec', 'B'], /^error: two AE titles/],
    [['echo', 'pacs:104', '--user', 'jane', '--ask-passcode'], /^error: Passcode of jane: there is no terminal to ask at/],
    [['echo', 'pacs:104', '--local-address', 'here'], /an IPv4 or IPv6 address/],
    [['echo', 'pacs:104', '--timeout-acse', 'soon'], /A time is a number of seconds/],
  ] as const) {
    const { code, stdout, stderr } = await run(args, { cwd })
    t.is(code, 2, args.join(' '))
    t.is(stdout, '')
    t.regex(stderr, says)
  }
})

test('echo over TLS: trusted, not trusted, not verified', async (t) => {
  const server = await peer(t, { contexts })
  const tls = createTlsServer({ key: KEY, cert: CERTIFICATE }, (socket) => {
    const plain = connectTcp(server.port, '127.0.0.1')
    for (const one of [socket, plain]) one.on('error', () => {})
    socket.pipe(plain).pipe(socket)
  })
  tls.on('tlsClientError', () => {})
  tls.listen(0, '127.0.0.1')
  await once(tls, 'listening')
  t.teardown(() => void tls.close())
  const { port } = tls.address() as AddressInfo
  const cwd = await makeSite(t, { 'ca.pem': CERTIFICATE, 'key.pem': KEY })
  const to = (host: string, ...args: readonly string[]): Promise<Result> => run(['echo', `${host}:${port}`, ...args], { cwd })

  t.like(await to('localhost', '--tls-ca', 'ca.pem', '--tls-cert', 'ca.pem', '--tls-key', 'key.pem'), { code: 0, stderr: '' })
  t.like(await to('127.0.0.1', '--tls-ca', 'ca.pem'), { code: 0, stderr: '' })
  const untrusted = await to('localhost', '--tls')
  t.is(untrusted.code, 1)
  t.regex(untrusted.stderr, /self-signed certificate\nhint: .*--tls-ca <file>/u)
  const misnamed = await to('localhost', '--tls-ca', 'ca.pem', '--tls-server-name', 'pacs.example.org')
  t.is(misnamed.code, 1)
  t.regex(misnamed.stderr, /\nhint: .*--tls-server-name/u)
  const insecure = await to('localhost', '--tls-insecure')
  t.is(insecure.code, 0)
  t.regex(insecure.stderr, /^warning: --tls-insecure: the peer is not verified/u)
  const plain = await run(['echo', `localhost:${server.port}`, '--tls'], { cwd })
  t.is(plain.code, 1)
  t.regex(plain.stderr, /^error DICOMTAP_ERR_NET_CONNECT: .*: TLS: .*\nhint: .*leave --tls out/u)
})

test('a user identity is sent, and a confirmation required where it is asked for', async (t) => {
  const seen: UserIdentityRequest[] = []
  let answer: { verified: boolean; response?: Uint8Array } = { verified: true, response: Buffer.from('ok') }
  const server = await peer(t, {
    contexts,
    handlers: {
      userIdentity: (identity) => {
        seen.push(identity)
        return answer
      },
    },
  })
  const cwd = await makeSite(t)
  const env = { DICOMTAP_PASSCODE: 's3cret' }
  const confirmed = await run(['echo', `127.0.0.1:${server.port}`, '--user', 'jane', '--identity-response'], { cwd, env })
  t.is(confirmed.code, 0)
  t.is(seen[0]?.userIdentityType, 2)
  t.true(seen[0]?.positiveResponseRequested)
  t.is(Buffer.from(seen[0]?.secondaryField ?? []).toString(), 's3cret')

  // A server that looks at no identity confirms none.
  const careless = await peer(t, { contexts })
  const unconfirmed = await run(['echo', `127.0.0.1:${careless.port}`, '--user', 'jane', '--identity-response'], { cwd })
  t.is(unconfirmed.code, 1)
  t.regex(unconfirmed.stderr, /did not confirm the user identity/u)

  answer = { verified: false }
  await writeFile(join(cwd, 'passcode'), 'wr0ng\n')
  const refused = await run(['echo', `127.0.0.1:${server.port}`, '--user', 'jane', '--passcode-file', 'passcode', '--debug'], { cwd })
  t.is(refused.code, 1)
  t.notRegex(refused.stderr, /wr0ng/u)
})

test('a secret sent without TLS to another host is warned of once; a name alone is not', async (t) => {
  const server = await peer(t, { contexts })
  const cwd = await makeSite(t)
  const env = { DICOMTAP_PASSCODE: 's3cret' }
  // An address of this host that does not look like one.
  const elsewhere = await run(['echo', `0.0.0.0:${server.port}`, '--user', 'jane', '--quiet'], { cwd, env })
  t.is(elsewhere.code, 0, elsewhere.stderr)
  t.is(elsewhere.stderr, 'warning: without TLS anyone on the way can read the passcode that is sent: add --tls\n')
  t.is((await run(['echo', `0.0.0.0:${server.port}`, '--user', 'jane', '--quiet'], { cwd })).stderr, '')
  t.is((await run(['echo', `127.0.0.1:${server.port}`, '--user', 'jane', '--quiet'], { cwd, env })).stderr, '')
})

test('--config loads plugins and the AE title', async (t) => {
  const server = await peer(t, { contexts })
  const titles: string[] = []
  server.ae.bind('associationRequested', ({ association }) => void titles.push(association.callingAeTitle))
  const cwd = await makeSite(t, {
    'site.yaml': 'aeTitle: CONFIGURED\nplugins: [dicomtap-plugin-out]\n',
    ...pluginPackage(
      'dicomtap-plugin-out',
      `export const out = definePlugin({
        name: 'dicomtap-plugin-out',
        apply(api) {
          api.hooks.outgoingAssociation.tap((options) => (process.stderr.write('asked the plugin\\n'), options))
        },
      })`,
    ),
  })
  const { code, stderr } = await run(['echo', `127.0.0.1:${server.port}`, '--config', 'site.yaml'], { cwd })
  t.is(code, 0)
  t.is(stderr, 'asked the plugin\n')
  await run(['echo', `127.0.0.1:${server.port}`, '--config', 'site.yaml', '--aet', 'ME'], { cwd })
  t.deepEqual(titles, ['CONFIGURED', 'ME'])
  t.is((await run(['echo', `127.0.0.1:${server.port}`, '--config', 'nothing.yaml'], { cwd })).code, 78)
})

test('Ctrl-C ends an echo without end with its summary; the second one aborts', async (t) => {
  const cwd = await makeSite(t)
  const ends: string[] = []
  const handlers = {
    associationReleased: () => void ends.push('released'),
    associationAborted: () => void ends.push('aborted'),
  }
  const server = await peer(t, { contexts, handlers })
  const endless = runUntilKilled(t, ['echo', `127.0.0.1:${server.port}`, '--repeat', '0', '--interval', '10ms'], cwd)
  await endless.said('echo 3: success')
  endless.kill('SIGINT')
  const { code, stdout } = await endless.ended
  t.is(code, 0)
  t.regex(stdout, /\n\d+ sent, \d+ answered with success; .*\n$/u)
  t.deepEqual(ends, ['released'])

  let asked: () => void = () => {}
  const isAsked = new Promise<void>((resolve) => (asked = resolve))
  const silent = await peer(t, { contexts, handlers: { ...handlers, cEcho: () => (asked(), new Promise<number>(() => {})) } })
  const stuck = runUntilKilled(t, ['echo', `127.0.0.1:${silent.port}`], cwd)
  await isAsked
  stuck.kill('SIGINT')
  await stuck.said('once more to abort')
  stuck.kill('SIGINT')
  t.is((await stuck.ended).code, 130)
  t.deepEqual(ends, ['released', 'aborted'])
})
