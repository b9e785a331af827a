import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import type { ExecutionContext } from 'ava'
import { Command } from 'commander'
import { AssociationAbortedError, AssociationRejectedError, DicomtapError, encodeDataSet, encodePart10Header, SopClass, TransferSyntax } from '@dicomtap/framework'
import { encodedSample, sampleDataset, writeSampleFile } from '@dicomtap/framework/testing'
import { UsageError } from '../dist/scu/exit.js'
import { hintFor } from '../dist/scu/hints.js'
import { addConnectionOptions, associateOptionsOf, parseTarget, wantsTls } from '../dist/scu/options.js'
import type { ConnectionOptions } from '../dist/scu/options.js'
import { integer, parseDuration, parseMaximumPdu, parseTimeout } from '../dist/scu/parse-values.js'
import { formatBytes, formatDuration, progressLine } from '../dist/scu/progress.js'
import { scanFile, scanFiles } from '../dist/scu/scan.js'
import type { InstanceFile, Scanned } from '../dist/scu/scan.js'
import { acceptedKeys, planContexts } from '../dist/scu/store-contexts.js'
import { StorePool } from '../dist/scu/store-pool.js'
import { tlsConnectorOf } from '../dist/scu/tls.js'
import { transferSyntaxUids } from '../dist/scu/transfer-syntaxes.js'
import { userIdentityOf } from '../dist/scu/user-identity.js'
import { walk } from '../dist/scu/walk.js'
import { CERTIFICATE } from './support/tls.js'

const { ImplicitVRLittleEndian: IMPLICIT, ExplicitVRLittleEndian: EXPLICIT, DeflatedExplicitVRLittleEndian: DEFLATED, JPEG2000 } = TransferSyntax
const CT = SopClass.CTImageStorage

async function folder(t: ExecutionContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'dicomtap scu '))
  t.teardown(() => rm(path, { recursive: true, force: true }))
  return path
}

test('targets', (t) => {
  t.deepEqual(parseTarget('pacs:11112'), { host: 'pacs', port: 11112 })
  t.deepEqual(parseTarget('10.0.0.5'), { host: '10.0.0.5', port: undefined })
  t.deepEqual(parseTarget('[::1]:104'), { host: '::1', port: 104 })
  t.deepEqual(parseTarget('[fe80::1]'), { host: 'fe80::1', port: undefined })
  t.deepEqual(parseTarget('MY PACS@pacs.example.org:104'), { host: 'pacs.example.org', port: 104, calledAeTitle: 'MY PACS' })
  t.deepEqual(parseTarget('A@B@[::1]:104'), { host: '::1', port: 104, calledAeTitle: 'A@B' })
  for (const [text, says] of [
    ['::1', /brackets: \[::1\]:104/],
    ['fe80::1:104', /brackets/],
    ['', /host is missing/],
    [':104', /host is missing/],
    ['PACS@', /host is missing/],
    ['pacs:0', /port must be/],
    ['pacs:65536', /port must be/],
    ['pacs:dicom', /port must be/],
    ['dicom://pacs:104', /host:port/],
    ['./image.dcm', /no slashes/],
    ['@pacs:104', /AE title has 1 to 16/],
    ['SEVENTEEN_LETTERS@pacs:104', /AE title has 1 to 16/],
  ] as const) {
    t.throws(() => parseTarget(text), { message: says }, text)
  }
})

test('numbers, times and sizes', (t) => {
  t.deepEqual(['30', '0.5', '500ms', '2m', '10s', '0'].map(parseDuration), [30_000, 500, 500, 120_000, 10_000, 0])
  t.is(parseTimeout('0'), Infinity)
  t.is(parseTimeout('none'), Infinity)
  t.is(parseTimeout('15'), 15_000)
  for (const wrong of ['', '-1', '1h', '1e3', '9999999999']) t.throws(() => parseDuration(wrong), { message: /number of seconds/ }, wrong)
  t.deepEqual(['0', '16384', '64k', '1M'].map(parseMaximumPdu), [0, 16_384, 65_536, 1_048_576])
  for (const wrong of ['6', '-1', '4294967296', '1g']) t.throws(() => parseMaximumPdu(wrong), undefined, wrong)
  t.is(integer(1, 64)('64'), 64)
  for (const wrong of ['0', '65', '1.5', '', ' 1']) t.throws(() => integer(1, 64)(wrong), { message: /from 1 to 64/ }, wrong)
})

test('transfer syntaxes by short name, keyword and UID', (t) => {
  t.is(transferSyntaxUids(undefined), undefined)
  t.deepEqual(transferSyntaxUids(['explicit', 'ImplicitVRLittleEndian', 'jpeg2000', '1.2.3.4', 'EXPLICIT']), [EXPLICIT, IMPLICIT, JPEG2000, '1.2.3.4'])
  t.true((transferSyntaxUids(['all'])?.length ?? 0) > 20)
  t.throws(() => transferSyntaxUids(['jpeg-3000']), { instanceOf: UsageError, message: /'jpeg-3000' is no UID.*short names implicit, explicit/ })
})

test('the options of a command line become those of associate', (t) => {
  const command = addConnectionOptions(new Command()).exitOverride()
  command.parse(
    ['--aet', 'ME', '--aec', 'PACS', '--timeout-acse', '5', '--timeout-dimse', '0', '--timeout-network=250ms', '--max-pdu', '64k', '--outstanding', '8', '--local-address', '127.0.0.1', '-x', 'explicit,implicit', '-x', 'rle'],
    { from: 'user' },
  )
  const options = command.opts<ConnectionOptions>()
  t.deepEqual(options.transferSyntax, ['explicit', 'implicit', 'rle'])
  t.deepEqual(associateOptionsOf({ host: 'pacs', port: undefined }, options), {
    host: 'pacs',
    port: 104,
    calledAeTitle: 'PACS',
    callingAeTitle: 'ME',
    localAddress: '127.0.0.1',
    asynchronousOperations: { invoked: 8, performed: 1 },
    limits: { maximumPduBytes: 65_536 },
    timeouts: { acseMs: 5000, dimseMs: null, networkMs: 250 },
  })
  t.deepEqual(associateOptionsOf({ host: 'pacs', port: undefined }, { tlsInsecure: true }), { host: 'pacs', port: 2762, tls: true })
  t.false(wantsTls({}))
  t.throws(() => associateOptionsOf({ host: 'pacs', port: 1, calledAeTitle: 'A' }, { called: 'B' }), { instanceOf: UsageError, message: /two AE titles/ })
})

test('user identities; no secret in a message', async (t) => {
  const cwd = await folder(t)
  const file = async (name: string, content: string | Uint8Array): Promise<string> => {
    await writeFile(join(cwd, name), content)
    return join(cwd, name)
  }
  const none = {}
  t.is(await userIdentityOf({}, none), undefined)
  t.deepEqual(await userIdentityOf({ user: 'jane' }, none), { type: 1, primaryField: 'jane', positiveResponseRequested: false })
  t.deepEqual(await userIdentityOf({ user: 'jane', identityResponse: true }, { DICOMTAP_PASSCODE: 's3cret' }), {
    type: 2,
    primaryField: 'jane',
    secondaryField: 's3cret',
    positiveResponseRequested: true,
  })
  const passcodeFile = await file('passcode', ' s3cret \r\n')
  t.is((await userIdentityOf({ user: 'jane', passcodeFile }, { DICOMTAP_PASSCODE: 'other' }))?.secondaryField, ' s3cret ')
  t.deepEqual(await userIdentityOf({ jwtFile: await file('jwt', 'a.b.c\n') }, none), { type: 5, primaryField: 'a.b.c', positiveResponseRequested: false })
  t.is((await userIdentityOf({ samlFile: await file('saml', '<Assertion/>\n') }, none))?.type, 4)
  const ticket = Buffer.from([0x60, 0x0a, 0xff, 0x0a])
  t.deepEqual((await userIdentityOf({ kerberosFile: await file('ticket', ticket) }, none))?.primaryField, ticket)

  const empty = await file('empty', '\n')
  const large = await file('large', 'x'.repeat(65_536))
  for (const [options, says] of [
    [{ user: 'jane', jwtFile: 'x' }, /--user and --jwt-file/],
    [{ passcodeFile }, /needs a user name/],
    [{ identityResponse: true }, /give an identity/],
    [{ user: 'jane', passcodeFile, askPasscode: true }, /leave one out/],
    [{ user: 'jane', passcodeFile: empty }, /is empty/],
    [{ user: 'jane', passcodeFile: large }, /65536 bytes/],
    [{ jwtFile: join(cwd, 'nothing') }, /--jwt-file: .*nothing cannot be read \(ENOENT\)/],
  ] as const) {
    await t.throwsAsync(userIdentityOf(options, none), { instanceOf: UsageError, message: says })
  }
})

test('TLS files that cannot be used are told before anything is connected', async (t) => {
  const cwd = await folder(t)
  const text = join(cwd, 'text')
  await writeFile(text, 'no certificate')
  const bad = join(cwd, 'bad.pem')
  await writeFile(bad, '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n')
  const good = join(cwd, 'good.pem')
  await writeFile(good, CERTIFICATE)
  const encrypted = join(cwd, 'encrypted.pem')
  await writeFile(encrypted, '-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n')
  t.is(await tlsConnectorOf({}), undefined)
  for (const [options, says] of [
    [{ tlsCa: [join(cwd, 'nothing')] }, /--tls-ca: .*ENOENT/],
    [{ tlsCa: [text] }, /holds no certificate in PEM/],
    [{ tlsCa: [bad] }, /--tls-ca: .*a certificate that cannot be read/],
    [{ tlsCert: bad }, /give both/],
    [{ tlsPassphraseFile: text }, /there is no key/],
    [{ tlsCert: good, tlsKey: encrypted }, /is encrypted; add --tls-passphrase-file/],
  ] as const) {
    await t.throwsAsync(tlsConnectorOf(options), { instanceOf: UsageError, message: says })
  }
})

test('hints say what to do', (t) => {
  const connect = (code: string): DicomtapError => new DicomtapError('DICOMTAP_ERR_NET_CONNECT', 'x', { cause: Object.assign(new Error('x'), { code }) })
  t.regex(hintFor(connect('ECONNREFUSED')) ?? '', /is the server running/)
  t.regex(hintFor(connect('DEPTH_ZERO_SELF_SIGNED_CERT')) ?? '', /--tls-ca/)
  t.regex(hintFor(connect('UNHEARD_OF')) ?? '', /firewall/)
  // Node gives all errors of a name with several addresses.
  const several = new AggregateError([Object.assign(new Error('x'), { code: 'EHOSTUNREACH' })], 'x')
  t.regex(hintFor(new DicomtapError('DICOMTAP_ERR_NET_CONNECT', 'x', { cause: several })) ?? '', /VPN/)
  t.regex(hintFor(new AssociationRejectedError({ result: 1, source: 1, reason: 7 }, 'x')) ?? '', /--aec/)
  t.regex(hintFor(new AssociationRejectedError({ result: 1, source: 1, reason: 3 }, 'x')) ?? '', /--aet/)
  t.regex(hintFor(new AssociationRejectedError({ result: 2, source: 3, reason: 2 }, 'x')) ?? '', /later/)
  t.regex(hintFor(new AssociationAbortedError({ source: 2, reason: 0, by: 'peer' }, 'x')) ?? '', /log of the peer/)
  t.regex(hintFor(new AssociationAbortedError({ source: undefined, reason: 0, by: 'network' }, 'x')) ?? '', /--tls/)
  t.regex(hintFor(new AssociationAbortedError({ source: 2, reason: 1, by: 'local' }, 'x')) ?? '', /port right/)
  t.is(hintFor(new AssociationAbortedError({ source: 0, reason: 0, by: 'local' }, 'x')), undefined)
  t.is(hintFor(new Error('a bug')), undefined)
})

test('the progress line and its words', (t) => {
  t.is(progressLine({ done: 250, total: 1000, bytes: 1_000_000, remark: '2 failed' }, 'files', 10), '[######                  ] 25%  250/1000 files  1.0 MB  100 kB/s  0:30 left  2 failed')
  t.is(progressLine({ done: 7 }, 'matches', 3), '7 matches')
  t.is(progressLine({ done: 0, total: 0 }, 'files', 0), '0/0 files')
  t.deepEqual([0, 999, 1000, 999_499, 999_500, 1.5e9].map(formatBytes), ['0 B', '999 B', '1.0 kB', '999 kB', '1.0 MB', '1.5 GB'])
  t.deepEqual([1.23, 99.6, 1234, 125_000].map(formatDuration), ['1.2 ms', '100 ms', '1.2 s', '2 min 05 s'])
})

async function scanned(paths: readonly string[], recurse = true): Promise<Scanned[]> {
  const all: Scanned[] = []
  for await (const one of scanFiles(walk(paths, { recurse }))) all.push(one)
  return all
}

test('folders are walked in order, links that lead round are not', async (t) => {
  const cwd = await folder(t)
  await mkdir(join(cwd, 'b/c'), { recursive: true })
  for (const name of ['z', 'b/2', 'b/1', 'b/c/3', 'a']) await writeFile(join(cwd, name), '')
  await symlink(cwd, join(cwd, 'b/round'))
  await symlink(join(cwd, 'z'), join(cwd, 'b/link'))
  const names = (found: readonly { path: string }[]): string[] => found.map(({ path }) => path.slice(cwd.length + 1))
  t.deepEqual(names(await scanned([cwd])), ['a', 'z', 'b/1', 'b/2', 'b/link', 'b/c/3'])
  t.deepEqual(names(await scanned([cwd], false)), ['a', 'z'])
  t.deepEqual(await scanned([join(cwd, 'nothing')]), [{ kind: 'unusable', path: join(cwd, 'nothing'), message: 'it cannot be read: it does not exist' }])
})

test('the head of a file says what it is', async (t) => {
  const cwd = await folder(t)
  const path = join(cwd, 'file')
  const scan = async (content: string | Uint8Array): Promise<Scanned> => {
    await writeFile(path, content)
    return scanFile(path)
  }
  const { SOPInstanceUID } = sampleDataset('ct')
  const expected = { kind: 'instance', path, sopClassUid: CT, sopInstanceUid: SOPInstanceUID as string } as const
  const written = await writeSampleFile(path, 'ct', IMPLICIT)
  t.like(await scanFile(path), { ...expected, transferSyntaxUid: IMPLICIT })

  const meta = { sopClassUid: CT, sopInstanceUid: '1.2.3', implementationClassUid: '1.2' }
  const file = (transferSyntaxUid: string, dataSet: Uint8Array): Buffer => Buffer.concat([encodePart10Header({ ...meta, transferSyntaxUid }), dataSet])
  // The data set's own UIDs are what the SCP reads.
  t.like(await scan(file(IMPLICIT, written.dataSet)), expected)
  t.like(await scan(file(DEFLATED, await encodedSample('ct', DEFLATED))), { ...expected, transferSyntaxUid: DEFLATED })
  t.like(await scan(file(JPEG2000, await encodedSample('ct', JPEG2000))), { ...expected, transferSyntaxUid: JPEG2000 })
  // Without its preamble, and a data set alone.
  t.like(await scan(file(EXPLICIT, await encodedSample('ct')).subarray(132)), { ...expected, transferSyntaxUid: EXPLICIT })
  t.like(await scan(written.dataSet), { ...expected, transferSyntaxUid: IMPLICIT })
  t.like(await scan(await encodedSample('ct', EXPLICIT)), { ...expected, transferSyntaxUid: EXPLICIT })

  const notDicom = { kind: 'skipped', path, why: 'not DICOM' }
  for (const content of ['', 'text', '\b\0', '\b\0\x05\0CS', Buffer.alloc(200_000)]) t.deepEqual(await scan(content), notDicom)
  t.deepEqual(await scanFile('/dev/null'), { ...notDicom, path: '/dev/null' })
  const directory = encodePart10Header({ ...meta, sopClassUid: SopClass.MediaStorageDirectoryStorage, transferSyntaxUid: EXPLICIT })
  t.deepEqual(await scan(Buffer.concat([directory, Buffer.alloc(10)])), { kind: 'skipped', path, why: 'DICOMDIR' })

  for (const [content, says] of [
    [file(EXPLICIT, Buffer.alloc(0)), /file meta information is damaged/],
    [encodePart10Header({ ...meta, transferSyntaxUid: EXPLICIT }).subarray(0, 150), /file meta information is damaged/],
    [file('', written.dataSet).fill(0xff, 132, 136), /damaged|does not name/],
    [file(EXPLICIT, await encodeDataSet({ SOPClassUID: '1.2.03', PatientID: '1' }, EXPLICIT)), /its SOP Class UID is no UID/],
    [file(EXPLICIT, await encodeDataSet({ SOPInstanceUID: 'not a uid' }, EXPLICIT)), /its SOP Instance UID is no UID/],
  ] as const) {
    const { kind, message } = (await scan(content)) as { kind: string; message: string }
    t.is(kind, 'unusable')
    t.regex(message, says)
  }
  await scan(written.dataSet)
  await chmod(path, 0)
  if (process.getuid?.() !== 0) t.like(await scanFile(path), { kind: 'unusable', message: 'it cannot be read: this user may not read it' })
})

test('one context for each SOP class and transfer syntax, at most 128 of them', (t) => {
  const keys = [`${CT} ${EXPLICIT}`, `${CT} ${JPEG2000}`]
  t.deepEqual(planContexts(keys).contexts, [
    { abstractSyntax: CT, transferSyntaxes: [EXPLICIT] },
    { abstractSyntax: CT, transferSyntaxes: [JPEG2000] },
  ])
  // To convert: the alternatives too, but not for what is compressed.
  const converting = planContexts(keys, [EXPLICIT, IMPLICIT])
  t.deepEqual(converting.contexts.map(({ transferSyntaxes }) => transferSyntaxes), [[EXPLICIT], [IMPLICIT], [JPEG2000]])
  const accepted = { id: 3, abstractSyntax: CT, transferSyntax: IMPLICIT, asScu: true, asScp: false }
  t.deepEqual(acceptedKeys(converting, [accepted], [EXPLICIT, IMPLICIT]), new Set([`${CT} ${EXPLICIT}`]))
  t.deepEqual(acceptedKeys(converting, [accepted]), new Set())

  const many = Array.from({ length: 130 }, (_, index) => `1.2.${index} ${EXPLICIT}`)
  t.is(planContexts(many).keys.length, 128)
  const plan = planContexts(many, [EXPLICIT, IMPLICIT])
  t.is(plan.contexts.length, 128)
  t.is(plan.keys.length, 64)
})

function instance(path: string, sopClassUid: string = CT): InstanceFile {
  return { kind: 'instance', path, sizeBytes: 1, sopClassUid, sopInstanceUid: '1.2', transferSyntaxUid: EXPLICIT }
}
const isInstance = (one: Scanned): one is InstanceFile => one.kind === 'instance'

test('the pool holds so many files and no more, and gives them in order', async (t) => {
  const pool = new StorePool(10)
  let drawn = 0
  async function* files(): AsyncGenerator<Scanned> {
    for (; drawn < 5000; drawn += 1) yield instance(String(drawn), drawn % 2 === 0 ? CT : SopClass.MRImageStorage)
  }
  const filling = pool.fill(files(), isInstance)
  await pool.settled()
  t.is(pool.size, 10)
  t.is(drawn, 9)
  const keys = new Set(pool.contextKeys)
  t.is(keys.size, 2)
  const taken: string[] = []
  for (let file = await pool.take(keys); file !== undefined; file = await pool.take(keys)) {
    t.true(pool.size <= 10)
    taken.push(file.path)
  }
  await filling
  t.deepEqual(taken, Array.from({ length: 5000 }, (_, index) => String(index)))
  t.true(pool.isEnded)
})

test('the pool asks for another association when what waits fits none of the contexts', async (t) => {
  const pool = new StorePool()
  async function* files(): AsyncGenerator<Scanned> {
    yield instance('a')
    yield instance('b', SopClass.MRImageStorage)
    yield instance('c')
  }
  await pool.fill(files(), isInstance)
  const [ct = ''] = pool.contextKeys
  const first = await pool.take(new Set([ct]))
  t.is(first?.path, 'a')
  // Lost with its association: sent again, after the others.
  if (first !== undefined) pool.giveBack(first)
  t.deepEqual([(await pool.take(new Set([ct])))?.path, (await pool.take(new Set([ct])))?.path], ['c', 'a'])
  t.is(await pool.take(new Set([ct])), undefined)
  t.deepEqual(pool.contextKeys, [`${SopClass.MRImageStorage} ${EXPLICIT}`])
  t.deepEqual(pool.takeAll(pool.contextKeys[0] ?? '').map(({ path }) => path), ['b'])
  t.is(pool.size, 0)
})

test('a stopped pool lets go of who waits', async (t) => {
  const pool = new StorePool()
  let end: () => void = () => {}
  async function* files(): AsyncGenerator<Scanned> {
    await new Promise<void>((resolve) => (end = resolve))
    yield instance('a')
  }
  const filling = pool.fill(files(), isInstance)
  const waiting = [pool.settled(), pool.take(new Set(['x']))]
  pool.stop()
  await Promise.all(waiting)
  end()
  await filling
  t.is(pool.size, 0)
})
