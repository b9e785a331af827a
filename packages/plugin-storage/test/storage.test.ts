import { DicomtapError, definePlugin, SopClass, Stage, TransferSyntax } from '@dicomtap/framework'
import {
  createTestServer,
  encodedSample,
  sampleDataset,
  SAMPLE_KINDS,
  scriptedPeer,
  type SampleKind,
  type TestInstance,
  testScu,
  type TestServer,
} from '@dicomtap/framework/testing'
import { storage, storageHooks, type StorageOptions, type StorageService, type StoredInstance } from '@dicomtap/plugin-storage'
import test, { type ExecutionContext } from 'ava'
import { fork, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { dataSetOf } from './support/objects.js'
import { filesIn, storeFixture, temporaryFolder } from './support/store-fixture.js'

const { CTImageStorage } = SopClass
const { ExplicitVRLittleEndian } = TransferSyntax
const CT: readonly [string, string] = [CTImageStorage, ExplicitVRLittleEndian]

interface StorageServer extends TestServer {
  readonly directory: string
  readonly service: StorageService
}

async function storageServer(t: ExecutionContext, options: Partial<StorageOptions> = {}, settings: { unrestrictedStorage?: boolean } = {}): Promise<StorageServer> {
  const directory = path.join(await temporaryFolder(t), 'store')
  let service: StorageService | undefined
  const later = definePlugin({
    name: 'dicomtap-plugin-later',
    requires: ['storage'],
    apply(api) {
      service = api.inject('storage')
    },
  })
  const server = await createTestServer({
    ...settings,
    plugins: [later(), storage({ directory, minimumFreeSpace: null, ...options })],
  })
  if (service === undefined) throw new Error('no service')
  return { ...server, directory, service }
}

function ctImage(fill: number, sopInstanceUid = '1.2.3.4.5', pixelBytes = 1000): TestInstance {
  return {
    sopClassUid: CTImageStorage,
    sopInstanceUid,
    transferSyntaxUid: ExplicitVRLittleEndian,
    dataSet: dataSetOf({ sopInstanceUid, fill, pixelBytes }),
  }
}

/** What follows the file meta information. */
async function storedDataSet(file: string): Promise<Buffer> {
  const bytes = await readFile(file)
  return bytes.subarray(144 + bytes.readUInt32LE(140))
}

async function sampleInstance(kind: SampleKind, transferSyntaxUid: string): Promise<TestInstance> {
  const { SOPClassUID, SOPInstanceUID } = sampleDataset(kind)
  return {
    sopClassUid: SOPClassUID as string,
    sopInstanceUid: SOPInstanceUID as string,
    transferSyntaxUid,
    dataSet: await encodedSample(kind, transferSyntaxUid),
  }
}

for (const transferSyntaxUid of [
  ExplicitVRLittleEndian,
  TransferSyntax.ImplicitVRLittleEndian,
  TransferSyntax.ExplicitVRBigEndian,
  TransferSyntax.DeflatedExplicitVRLittleEndian,
  TransferSyntax.JPEGBaseline8Bit,
  TransferSyntax.JPEG2000Lossless,
  TransferSyntax.HTJ2KLossless,
  TransferSyntax.RLELossless,
  TransferSyntax.MPEG4HP41,
]) {
  test(`stores every kind of sample in ${transferSyntaxUid} byte for byte`, async (t) => {
    await using server = await storageServer(t)
    const instances = await Promise.all(SAMPLE_KINDS.map((kind) => sampleInstance(kind, transferSyntaxUid)))
    await using scu = await testScu(server, { contexts: instances.map(({ sopClassUid }) => [sopClassUid, transferSyntaxUid]) })
    for (const [index, instance] of instances.entries()) {
      t.is((await scu.store(instance)).status, 0x0000)
      const { StudyInstanceUID, SeriesInstanceUID } = sampleDataset(SAMPLE_KINDS[index] as SampleKind)
      const file = path.join(server.directory, String(StudyInstanceUID), String(SeriesInstanceUID), `${instance.sopInstanceUid}.dcm`)
      t.true((await storedDataSet(file)).equals(instance.dataSet as Buffer))
    }
    t.like(server.service.stats(), { instancesStored: SAMPLE_KINDS.length, inFlight: 0 })
  })
}

test('an object over a real socket in small PDUs, and a second association with the same one', async (t) => {
  await using server = await storageServer(t)
  const instance = ctImage(3, '1.2.9', 1_000_000)
  for (let i = 0; i < 2; i++) {
    await using scu = await testScu(server.port, { contexts: [CT], maximumLength: 4096 })
    t.is((await scu.store(instance)).status, 0x0000)
  }
  t.deepEqual(await filesIn(server.directory), [path.join('1.2.3', '1.2.3.4', '1.2.9.dcm')])
  t.true((await storedDataSet(path.join(server.directory, '1.2.3/1.2.3.4/1.2.9.dcm'))).equals(instance.dataSet as Buffer))
  t.is(server.service.stats().duplicates, 1)
})

test('many associations store the same and other instances at once', async (t) => {
  await using server = await storageServer(t, { durability: 'close' })
  const send = async (association: number): Promise<number[]> => {
    await using scu = await testScu(server.port, { contexts: [CT], callingAeTitle: `SCU${association}` })
    const statuses: number[] = []
    for (let i = 0; i < 10; i++) {
      statuses.push((await scu.store(ctImage(association, '1.7.7', 200_000))).status)
      statuses.push((await scu.store(ctImage(1, `1.8.${association}.${i}`, 20_000))).status)
    }
    return statuses
  }
  const statuses = (await Promise.all([1, 2, 3, 4].map(send))).flat()
  t.deepEqual(new Set(statuses), new Set([0]))
  const files = await filesIn(server.directory)
  t.is(files.length, 4 + 40, 'four that differ under one UID, forty others')
  for (const file of files.filter((name) => path.basename(name).startsWith('1.7.7'))) {
    const dataSet = await storedDataSet(path.join(server.directory, file))
    t.true(dataSet.equals(ctImage(dataSet.at(-1) as number, '1.7.7', 200_000).dataSet as Buffer))
  }
})

test('a refused object leaves the association to the next one', async (t) => {
  await using server = await storageServer(t, { duplicates: 'reject', maximumObjectBytes: 500_000 })
  await using scu = await testScu(server, { contexts: [CT] })
  t.is((await scu.store(ctImage(1))).status, 0x0000)
  t.is((await scu.store(ctImage(1))).status, 0x0111)
  const tooLarge = await scu.store(ctImage(1, '1.5', 3_000_000))
  t.is(tooLarge.status, 0xa700)
  t.is(tooLarge.command.errorComment, 'The object is too large')
  const mismatch = await scu.store({ ...ctImage(1, '1.6'), sopInstanceUid: '1.7' })
  t.is(mismatch.status, 0xa900)
  t.deepEqual(mismatch.command.offendingElements, [0x0008_0018])
  t.is((await scu.store({ ...ctImage(1, '1.8'), dataSet: Buffer.from('no data set at all') })).status, 0xc000)
  t.is((await scu.store(ctImage(1, '1.9'))).status, 0x0000)
  t.is((await filesIn(server.directory)).length, 2)
})

for (const how of ['abort', 'disconnect'] as const) {
  test(`a transfer that ends with a ${how} leaves nothing`, async (t) => {
    await using server = await storageServer(t)
    using peer = await scriptedPeer(server.port)
    await peer.associate({ contexts: [CT] })
    const completed = new Promise<void>((resolve) => server.ae.bind('connectionClosed', () => resolve()))
    const { dataSet } = ctImage(1, '1.2', 2_000_000)
    const command = { commandField: 0x0001, messageId: 1, affectedSopClassUid: CTImageStorage, affectedSopInstanceUid: '1.2', priority: 0, commandDataSetType: 1 }
    // All but the last bytes, as PDVs none of which is the last one.
    await peer.sendMessage(1, command)
    const fragment = (dataSet as Buffer).subarray(0, 16_000)
    for (let i = 0; i < 60; i++) {
      await peer.sendPdu({ type: 'P-DATA-TF', pdvs: [{ presentationContextId: 1, isCommand: false, isLast: false, data: i === 0 ? fragment : Buffer.alloc(16_000) }] })
    }
    while ((await filesIn(server.directory)).length === 0) await new Promise((resolve) => setImmediate(resolve))
    t.true((await filesIn(server.directory)).every((file) => file.startsWith('.dicomtap')), 'nothing has its name yet')
    if (how === 'abort') await peer.sendPdu({ type: 'A-ABORT', source: 0, reason: 0 })
    else peer.destroy()
    await completed
    while (server.service.stats().inFlight > 0) await new Promise((resolve) => setImmediate(resolve))
    t.deepEqual(await filesIn(server.directory), [])
    t.is(server.service.stats().failures, 1)
  })
}

test('hooks of another plugin: told before the answer, and of the end of the study', async (t) => {
  const directory = await temporaryFolder(t)
  const events: string[] = []
  const told: StoredInstance[] = []
  const index = definePlugin({
    name: 'dicomtap-plugin-index',
    apply(api) {
      const hooks = storageHooks(api.applicationEntity)
      hooks.instanceStored.tapPromise('index', async (instance) => {
        await new Promise((resolve) => setImmediate(resolve))
        told.push(instance)
        events.push('stored')
      })
      hooks.studyCompleted.tap('index', ({ instances, reason }) => void events.push(`complete ${instances} ${reason}`))
      api.hooks.operationCompleted.tap(() => void events.push('answered'))
    },
  })
  await using server = await createTestServer({ plugins: [index(), storage({ directory, sha256: true, studyQuietPeriodMs: null })] })
  {
    await using scu = await testScu(server.port, { contexts: [CT], callingAeTitle: 'CT01', calledAeTitle: 'ARCHIVE' })
    const closed = new Promise<void>((resolve) => server.ae.bind('connectionClosed', () => resolve()))
    t.is((await scu.store(ctImage(1))).status, 0)
    await scu.release()
    await closed
  }
  t.deepEqual(events, ['stored', 'answered', 'complete 1 association-ended'])
  t.like(told[0], { studyInstanceUid: '1.2.3', peer: { callingAeTitle: 'CT01', calledAeTitle: 'ARCHIVE', address: '127.0.0.1' } })
  t.regex(told[0]?.sha256 ?? '', /^[0-9a-f]{64}$/)
})

test('other handlers go first', async (t) => {
  const directory = await temporaryFolder(t)
  const quarantine = definePlugin({
    name: 'dicomtap-plugin-quarantine',
    apply: (api) => api.hooks.cStore.tap({ stage: Stage.Default }, (request) => (request.affectedSopInstanceUid === '1.1' ? 0x0124 : undefined)),
  })
  await using server = await createTestServer({ plugins: [storage({ directory }), quarantine()] })
  await using scu = await testScu(server, { contexts: [CT] })
  t.is((await scu.store(ctImage(1, '1.1'))).status, 0x0124)
  t.is((await scu.store(ctImage(1, '1.2'))).status, 0x0000)
  t.deepEqual(await filesIn(directory), [path.join('1.2.3', '1.2.3.4', '1.2.dcm')])
})

test('sopClasses and transferSyntaxes limit what is accepted', async (t) => {
  await using server = await storageServer(t, { sopClasses: ['CTImageStorage'], transferSyntaxes: ['ImplicitVRLittleEndian', 'ExplicitVRLittleEndian'] })
  await using scu = await testScu(server, {
    contexts: [
      [CTImageStorage, ExplicitVRLittleEndian, TransferSyntax.ImplicitVRLittleEndian],
      [SopClass.MRImageStorage, ExplicitVRLittleEndian],
      [CTImageStorage, TransferSyntax.JPEG2000],
    ],
  })
  t.deepEqual(
    scu.contexts.map(({ abstractSyntax, transferSyntax }) => [abstractSyntax, transferSyntax]),
    [[CTImageStorage, TransferSyntax.ImplicitVRLittleEndian]],
  )
})

test('with unrestrictedStorage, private classes are stored too', async (t) => {
  await using server = await storageServer(t, {}, { unrestrictedStorage: true })
  const privateClass = '1.3.6.1.4.1.99999.7'
  await using scu = await testScu(server, { contexts: [[privateClass, ExplicitVRLittleEndian]] })
  const dataSet = dataSetOf({ sopClassUid: privateClass, sopInstanceUid: '1.1' })
  t.is((await scu.store({ sopClassUid: privateClass, sopInstanceUid: '1.1', transferSyntaxUid: ExplicitVRLittleEndian, dataSet })).status, 0)
  t.is((await filesIn(server.directory)).length, 1)
})

test('a folder that cannot be used stops the start, in one line', async (t) => {
  const error = await t.throwsAsync(createTestServer({ plugins: [storage({ directory: path.join(process.execPath, 'data') })] }), {
    instanceOf: DicomtapError,
  })
  const causes = [error, error?.cause].filter((cause) => cause instanceof Error)
  t.true(causes.some(({ message }) => /option directory: .* cannot be used \(ENOTDIR\): a part of the path is a file$/.test(message)))
})

test('wrong options stop the start and say what is possible', async (t) => {
  await t.throwsAsync(createTestServer({ plugins: [storage({ directory: 'x', path: '{Study}/{SOPInstanceUID}' })] }), {
    code: 'DICOMTAP_ERR_PLG_OPTIONS',
    message: /unknown field \{Study\}; known are .*StudyInstanceUID/,
  })
})

test('closing leaves no staging folder, and a second server goes on in the same folder', async (t) => {
  const directory = await temporaryFolder(t)
  for (const uid of ['1.1', '1.2']) {
    await using server = await createTestServer({ plugins: [storage({ directory })] })
    await using scu = await testScu(server, { contexts: [CT] })
    t.is((await scu.store(ctImage(1, uid))).status, 0)
  }
  t.is((await filesIn(directory)).length, 2)
  t.deepEqual(await readdir(path.join(directory, '.dicomtap', 'partial')), [])
})

test('logs name no patient', async (t) => {
  await using server = await storageServer(t, { path: '{PatientID}/{SOPInstanceUID}', duplicates: 'reject' })
  await using scu = await testScu(server, { contexts: [CT] })
  const dataSet = dataSetOf({ patientId: 'SECRET-7', sopInstanceUid: '1.1' })
  const instance = { sopClassUid: CTImageStorage, sopInstanceUid: '1.1', transferSyntaxUid: ExplicitVRLittleEndian, dataSet }
  t.is((await scu.store(instance)).status, 0)
  t.is((await scu.store(instance)).status, 0x0111)
  t.true(server.logged('debug').includes('stored'))
  t.false(JSON.stringify(server.log).includes('SECRET-7'))
})

for (const durability of ['close', 'fsync']) {
  test(`kill -9 in the middle of a busy store loses nothing that was answered 0000, ${durability}`, async (t) => {
    const directory = await temporaryFolder(t)
    const child = fork(fileURLToPath(new URL('support/crash-server.js', import.meta.url)), [directory, durability], { execArgv: [] })
    t.teardown(() => child.kill('SIGKILL'))
    const [port] = (await once(child, 'message')) as [number]
    const acknowledged: string[] = []
    const send = async (association: number): Promise<void> => {
      const scu = await testScu(port, { contexts: [CT] })
      try {
        for (let i = 0; ; i++) {
          const uid = `1.${association}.${i}`
          if ((await scu.store(ctImage(association, uid, 100_000 * association))).status === 0) acknowledged.push(uid)
          if (acknowledged.length >= 40) child.kill('SIGKILL')
        }
      } catch {
        // The association is gone with the process.
      } finally {
        await scu.dul.kill()
      }
    }
    const exited = once(child, 'exit')
    await Promise.all([1, 2, 3, 4].map(send))
    await exited
    t.true(acknowledged.length >= 40)

    const { store } = await storeFixture(t, { directory })
    await store.start()
    const partial = await readdir(path.join(directory, '.dicomtap', 'partial'))
    t.is(partial.length, 1, 'only the folder of the new store')
    const files = await filesIn(directory)
    const names = new Set(files.map((file) => path.basename(file, '.dcm')))
    for (const uid of acknowledged) t.true(names.has(uid), uid)
    for (const file of files) {
      const uid = path.basename(file, '.dcm')
      const association = Number(uid.split('.')[1])
      const sent = ctImage(association, uid, 100_000 * association).dataSet as Buffer
      t.true((await storedDataSet(path.join(directory, file))).equals(sent), 'whole')
    }
  })
}

test('discard takes everything, answers 0000, keeps nothing and says so', async (t) => {
  const directory = path.join(await temporaryFolder(t), 'store')
  let service: StorageService | undefined
  const later = definePlugin({
    name: 'dicomtap-plugin-later',
    requires: ['storage'],
    apply(api) {
      service = api.inject('storage')
      storageHooks(api.applicationEntity).instanceStored.tap('test', () => t.fail('nothing was stored'))
    },
  })
  for (const options of [{ discard: true, directory }, { discard: true }] as const) {
    await using server = await createTestServer({ plugins: [storage(options), later()] })
    t.deepEqual(server.logged('warn'), ['discard is set: every object is answered 0000 and thrown away, nothing is stored'])
    await using scu = await testScu(server, { contexts: [CT] })
    const [small, large] = [ctImage(1), ctImage(2, '1.2.3.4.6', 3_000_000)]
    for (const image of [small, large, small]) t.is((await scu.store(image)).status, 0x0000)
    // Under `checkSopInstance` it would be A900.
    t.is((await scu.store({ ...small, sopInstanceUid: '1.2.3.4.7' })).status, 0x0000)
    const bytes = 3 * (small.dataSet as Buffer).length + (large.dataSet as Buffer).length
    t.deepEqual(service?.stats(), { instancesStored: 4, duplicates: 0, bytesStored: bytes, failures: 0, inFlight: 0, leftoversRemoved: 0 })
    t.is(service?.directory, undefined)
  }
  await t.throwsAsync(readdir(directory), { code: 'ENOENT' })
})

test('discard: a transfer that is broken off counts as a failure', async (t) => {
  let service: StorageService | undefined
  const later = definePlugin({ name: 'dicomtap-plugin-later', requires: ['storage'], apply: (api) => void (service = api.inject('storage')) })
  await using server = await createTestServer({ plugins: [storage({ discard: true }), later()] })
  const scu = await testScu(server, { contexts: [CT] })
  const { dataSet } = ctImage(1)
  const stuck = scu.storing({
    ...ctImage(1),
    dataSet: (async function* () {
      yield (dataSet as Buffer).subarray(0, 500)
      await new Promise(() => {})
    })(),
  })
  stuck.final().catch(() => {})
  const received = new Promise<void>((resolve) => server.ae.bind('operationStarted', () => resolve()))
  const ended = new Promise<void>((resolve) => server.ae.bind('operationCompleted', () => resolve()))
  await received
  await scu.dul.kill()
  await ended
  t.like(service?.stats(), { instancesStored: 0, failures: 1, inFlight: 0 })
})

// ── warm-up ─────────────────────────────────────────────────────────────────────────────────────────────

const MEMORY = '/dev/shm'
// One after the other: they look what is left of this process.
const inMemory = existsSync(MEMORY) ? test.serial : test.skip

async function rehearsalFolders(pid: number | undefined): Promise<string[]> {
  return (await readdir(MEMORY)).filter((name) => name.startsWith(`dicomtap-rehearsal-${pid}-`))
}

const UNASKED = { instancesStored: 0, duplicates: 0, bytesStored: 0, failures: 0, inFlight: 0, leftoversRemoved: 0 }

for (const [how, options] of [
  ['with the defaults', {}],
  ['with everything that limits', { durability: 'close', quota: '1 MB', maximumObjectBytes: '1 KB', minimumFreeSpace: '1 GB', sha256: true, path: 'flat/{SOPInstanceUID}.dcm' }],
  ['replacing', { durability: 'close', duplicates: 'replace', record: 'none' }],
] as const) {
  inMemory(`a warm-up stores elsewhere, and leaves nothing there: ${how}`, async (t) => {
    await using server = await storageServer(t, options as Partial<StorageOptions>)
    let asked = 0
    const hooks = storageHooks(server.ae)
    hooks.instanceStored.tap('spy', () => void (asked += 1))
    const before = await filesIn(server.directory)
    const { objects, error } = await server.ae.warmUp({ budgetMs: 600_000, rounds: 2 })
    t.is(error, undefined)
    t.true(objects > 0)
    t.deepEqual(server.service.stats(), UNASKED)
    t.is(asked, 0)
    t.deepEqual(await filesIn(server.directory), before)
    t.deepEqual(await rehearsalFolders(process.pid), [])
    t.deepEqual(server.logged('error'), [])
  })
}

inMemory('what a process that was killed while it rehearsed has left is removed by the next one', async (t) => {
  const { pid } = spawnSync(process.execPath, ['--version'])
  const left = path.join(MEMORY, `dicomtap-rehearsal-${pid}-abcdef`)
  t.teardown(() => rm(left, { recursive: true, force: true }))
  await mkdir(path.join(left, 'study'), { recursive: true })
  await using server = await storageServer(t)
  t.is((await server.ae.warmUp({ rounds: 0 })).error, undefined)
  t.false(existsSync(left))
})

inMemory('what somebody else has put there under such a name is left alone, and so is a link', async (t) => {
  const { pid } = spawnSync(process.execPath, ['--version'])
  const [folder, link] = ['foreign', 'link'].map((name) => path.join(MEMORY, `dicomtap-rehearsal-${pid}-${name}`)) as [string, string]
  const elsewhere = await mkdtemp(path.join(tmpdir(), 'dicomtap-elsewhere-'))
  const { geteuid } = process
  t.teardown(async () => {
    process.geteuid = geteuid as () => number
    for (const one of [link, folder, elsewhere]) await rm(one, { recursive: true, force: true })
  })
  await mkdir(folder)
  await symlink(elsewhere, link)
  await using server = await storageServer(t)
  // As if another user were running this.
  process.geteuid = () => (geteuid?.() ?? 0) + 1
  t.is((await server.ae.warmUp({ rounds: 0 })).error, undefined)
  t.true(existsSync(folder))
  t.true(existsSync(link))
})

test.serial('what throws objects away rehearses to throw them away', async (t) => {
  await using server = await createTestServer({ plugins: [storage({ discard: true })] })
  const { objects, error } = await server.ae.warmUp({ budgetMs: 600_000, rounds: 2 })
  t.is(error, undefined)
  t.true(objects > 0)
})
