import type { Association } from '@dicomtap/framework'
import test from 'ava'
import { createHash } from 'node:crypto'
import { readdir, stat, symlink } from 'node:fs/promises'
import path from 'node:path'
import { associationOf, CT_IMAGE_STORAGE, dataSetOf, EXPLICIT_LE, requestFor } from './support/objects.js'
import { storeFixture, temporaryFolder } from './support/store-fixture.js'

const DEFAULT_PATH = '1.2.3/1.2.3.4/1.2.3.4.5.dcm'

/** Splits a file of PS3.10 by its group length: 132 bytes, then (0002,0000) UL with 4 bytes of value. */
function splitFile(file: Buffer): { head: Buffer; meta: Buffer; dataSet: Buffer } {
  const end = 144 + file.readUInt32LE(140)
  return { head: file.subarray(0, 132), meta: file.subarray(132, end), dataSet: file.subarray(end) }
}

function metaElements(meta: Buffer): Map<string, string> {
  const elements = new Map<string, string>()
  for (let at = 0; at < meta.length; ) {
    const tag = `${meta.readUInt16LE(at).toString(16).padStart(4, '0')},${meta.readUInt16LE(at + 2).toString(16).padStart(4, '0')}`
    const isLong = meta.toString('latin1', at + 4, at + 6) === 'OB'
    const length = isLong ? meta.readUInt32LE(at + 8) : meta.readUInt16LE(at + 6)
    const start = at + (isLong ? 12 : 8)
    elements.set(tag, meta.toString('latin1', start, start + length))
    at = start + length
  }
  return elements
}

test('an object becomes a Part 10 file with its data set byte for byte', async (t) => {
  const { sendBytes, read, files } = await storeFixture(t)
  const dataSet = dataSetOf()
  t.is(await sendBytes(dataSet), 0x0000)
  t.deepEqual(await files(), [path.normalize(DEFAULT_PATH)])

  const file = splitFile(await read(DEFAULT_PATH))
  t.deepEqual(file.head, Buffer.concat([Buffer.alloc(128), Buffer.from('DICM')]))
  t.deepEqual(file.dataSet, dataSet)
  const meta = metaElements(file.meta)
  t.is(meta.get('0002,0001'), '\x00\x01')
  t.is(meta.get('0002,0002'), `${CT_IMAGE_STORAGE}\0`)
  t.is(meta.get('0002,0003'), '1.2.3.4.5\0')
  t.is(meta.get('0002,0010'), `${EXPLICIT_LE}\0`)
  t.is(meta.get('0002,0012'), '1.2.3.999\0')
  t.is(meta.get('0002,0013'), 'TEST_1')
  t.is(meta.get('0002,0016'), 'SENDER')
  t.is(meta.get('0002,0018'), 'ARCHIVE ')
})

for (const [size, fragmentBytes] of [
  [1, 65536],
  [300_001, 1],
  [300_000, 7919],
  [262_144, 65536],
  [1_048_576 - 331, 262_144],
  [3_000_000, 1_000_000],
] as const) {
  test(`an object of about ${size} bytes in fragments of ${fragmentBytes} arrives unchanged`, async (t) => {
    const { sendBytes, read } = await storeFixture(t)
    const dataSet = dataSetOf({ pixelBytes: size })
    // Not all the same, so that a lost or doubled buffer shows.
    for (let i = dataSet.length - size; i < dataSet.length; i++) dataSet[i] = (i * 31 + (i >>> 8)) & 0xff
    t.is(await sendBytes(dataSet, { fragmentBytes }), 0x0000)
    t.true(splitFile(await read(DEFAULT_PATH)).dataSet.equals(dataSet))
  })
}

test('the file has the permissions of the options', async (t) => {
  if (process.platform === 'win32') return t.pass('Windows has none')
  const { send, directory } = await storeFixture(t, { options: { fileMode: '600', directoryMode: 0o700 } })
  t.is(await send(), 0)
  t.is((await stat(path.join(directory, DEFAULT_PATH))).mode & 0o777, 0o600)
  t.is((await stat(path.join(directory, '1.2.3'))).mode & 0o777, 0o700)
})

test('the path follows the template, the association and the request', async (t) => {
  const { send, files } = await storeFixture(t, { options: { path: '{CallingAETitle}/{Modality}/{PatientID|hash}/{SOPInstanceUID}' } })
  t.is(await send({ patientId: 'DOE', sopInstanceUid: '1.2.9' }), 0)
  t.deepEqual(await files(), [path.join('SENDER', 'CT', 'c558ca848b23fa74', '1.2.9')])
})

test('hostile UIDs get a hash for a name and stay in the folder', async (t) => {
  const parent = await temporaryFolder(t)
  const { send, files } = await storeFixture(t, { directory: path.join(parent, 'store') })
  const uids = ['../../escape', '/tmp/escape', '..', '1.2.3.', '1.2/../../3', 'x\\y']
  for (const uid of uids) {
    t.is(await send({ studyInstanceUid: uid, seriesInstanceUid: uid, sopInstanceUid: uid }), 0, uid)
  }
  const stored = await files()
  t.is(stored.length, uids.length)
  for (const file of stored) t.regex(file, /^uid-[0-9a-f]{32}[/\\]uid-[0-9a-f]{32}[/\\]uid-[0-9a-f]{32}\.dcm$/)
  t.deepEqual(await readdir(parent), ['store'])
})

test('an object without study and series has a place too', async (t) => {
  const { send, files } = await storeFixture(t)
  t.is(await send({ studyInstanceUid: undefined, seriesInstanceUid: undefined }), 0)
  t.deepEqual(await files(), [path.join('unknown', 'unknown', '1.2.3.4.5.dcm')])
})

test('a data set of another instance or class than the request is refused with A900', async (t) => {
  const { sendBytes, files } = await storeFixture(t)
  t.like(await sendBytes(dataSetOf(), { sopInstanceUid: '1.2.3.4.6' }), { status: 0xa900, offendingElements: [0x0008_0018] })
  t.like(await sendBytes(dataSetOf(), { sopClassUid: '1.2.840.10008.5.1.4.1.1.4' }), { status: 0xa900, offendingElements: [0x0008_0016] })
  t.like(await sendBytes(dataSetOf({ sopClassUid: undefined, sopInstanceUid: undefined })), { status: 0xa900 })
  t.deepEqual(await files(), [])
})

test('bytes that are no data set are refused with C000, none at all too', async (t) => {
  const { sendBytes, files, store } = await storeFixture(t)
  t.like(await sendBytes(Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')), { status: 0xc000 })
  t.like(await sendBytes(Buffer.alloc(0)), { status: 0xc000 })
  t.deepEqual(await files(), [])
  t.is(store.stats().failures, 2)
})

test('without checkSopInstance they are stored under the UIDs of the request', async (t) => {
  const { sendBytes, read, files } = await storeFixture(t, { options: { checkSopInstance: false } })
  const bytes = Buffer.from('not a data set, and of odd length')
  t.is(await sendBytes(bytes, { sopInstanceUid: '1.9' }), 0)
  t.deepEqual(await files(), [path.join('unknown', 'unknown', '1.9.dcm')])
  t.deepEqual(splitFile(await read('unknown/unknown/1.9.dcm')).dataSet, bytes)
})

test('an object larger than maximumObjectBytes is refused with A700', async (t) => {
  const { send, files } = await storeFixture(t, { options: { maximumObjectBytes: '100 kB' } })
  t.is(await send({ pixelBytes: 200_000 }), 0xa700)
  t.is(await send({ pixelBytes: 50_000 }), 0)
  t.is((await files()).length, 1)
})

for (const truncatedAt of [0, 65536, 400_000]) {
  test(`a transfer broken off after ${truncatedAt} bytes leaves nothing`, async (t) => {
    const { send, files, store } = await storeFixture(t)
    await t.throwsAsync(send({ pixelBytes: 1_000_000 }, { truncatedAt }), { code: 'DICOMTAP_ERR_DIMSE_TRUNCATED' })
    t.deepEqual(await files(), [])
    t.is(store.stats().inFlight, 0)
    t.is(await send(), 0)
  })
}

test('an operation that was given up before the object had its name leaves nothing', async (t) => {
  const { send, files } = await storeFixture(t)
  const reason = new Error('aborted')
  const association = { ...associationOf(), state: 'aborted' } as Association
  await t.throwsAsync(send({}, { signal: AbortSignal.abort(reason), association }), { is: reason })
  // Of an association that lives on: a time-out, which takes a while.
  const until = new Promise((resolve) => setTimeout(resolve, 20))
  await t.throwsAsync(send({}, { signal: AbortSignal.abort(reason), pause: { at: 0, until } }), { is: reason })
  t.deepEqual(await files(), [])
})

test('sha256 is that of the file', async (t) => {
  const { send, hooks, read } = await storeFixture(t, { options: { sha256: true } })
  let sha256: string | undefined
  hooks.instanceStored.tap('test', (instance) => {
    sha256 = instance.sha256
  })
  t.is(await send({ pixelBytes: 700_000 }), 0)
  t.is(sha256, createHash('sha256').update(await read(DEFAULT_PATH)).digest('hex'))
})

test('the folder may be reached over a link', async (t) => {
  const parent = await temporaryFolder(t)
  const { directory } = await storeFixture(t, { directory: path.join(parent, 'real') }).then(async (fixture) => {
    await fixture.store.start()
    return fixture
  })
  const link = path.join(parent, 'link')
  await symlink(directory, link, 'junction')
  const { send } = await storeFixture(t, { directory: link })
  t.is(await send(), 0)
  t.is((await stat(path.join(directory, DEFAULT_PATH))).isFile(), true)
})

test('many objects at once, of the same and of different studies', async (t) => {
  const { send, files, store } = await storeFixture(t, { options: { durability: 'fsync' } })
  const statuses = await Promise.all(
    Array.from({ length: 60 }, (_, i) =>
      send({ studyInstanceUid: `1.${i % 3}`, seriesInstanceUid: `1.${i % 3}.${i % 2}`, sopInstanceUid: `1.9.${i}`, pixelBytes: i * 9000 }),
    ),
  )
  t.deepEqual(new Set(statuses), new Set([0]))
  t.is((await files()).length, 60)
  t.like(store.stats(), { instancesStored: 60, duplicates: 0, failures: 0, inFlight: 0 })
})

test('stats count what was answered', async (t) => {
  const { send, store } = await storeFixture(t)
  const bytes = dataSetOf().length
  await send()
  await send()
  await send({ pixelBytes: 0, sopClassUid: undefined })
  t.deepEqual(store.stats(), { instancesStored: 2, duplicates: 1, bytesStored: 2 * bytes, failures: 1, inFlight: 0, leftoversRemoved: 0 })
})

test('a folder that cannot be made is an error an operator can act on', async (t) => {
  const { store, directory } = await storeFixture(t, { directory: path.join(await temporaryFolder(t), 'a\0b') })
  await t.throwsAsync(store.start(), { message: /.+/ }, directory)
  const file = await storeFixture(t, { directory: path.join(process.execPath, 'sub') })
  await t.throwsAsync(file.store.start(), { code: 'DICOMTAP_ERR_STO_DIRECTORY', message: /option directory: .* cannot be used \(ENOTDIR\)/ })
})

test('the object of a request is not touched before the store is ready', async (t) => {
  const { store } = await storeFixture(t)
  const [request, operation] = requestFor(dataSetOf())
  const answer = store.store(request, operation)
  t.is(request.dataSet.receivedBytes, 0)
  t.is(await answer, 0)
})
