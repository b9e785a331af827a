import { mkdir, readFile, rename, rm, symlink, utimes, writeFile } from 'node:fs/promises'
import { execFileSync, spawnSync } from 'node:child_process'
import { hostname } from 'node:os'
import { join, relative } from 'node:path'
import { decodePart10Header, definePlugin, DicomtapError, StatusError } from '@dicomtap/framework'
import test from 'ava'
import { openIndex } from '../../dist/database/open-index.js'
import { InstanceReader } from '../../dist/maintenance/read-instance.js'
import { Intake } from '../../dist/intake/register-intake.js'
import { Reindexer } from '../../dist/maintenance/reindexer.js'
import { ScanLease } from '../../dist/intake/scan-lease.js'
import { IndexSettings } from '../../dist/maintenance/settings.js'
import { StaleFiles } from '../../dist/intake/stale-files.js'
import { buildCatalogue } from '../../dist/model/catalogue.js'
import { queryRetrieveOptions } from '../../dist/options.js'
import { writeCorpus } from '../corpus/write-corpus.js'
import { silentLog } from './support/log.js'
import { archive, client, found, image, scanned, store, temporaryFolder, writeImage } from './support/archive.js'

test('what is answered 0000 is found, by a second server too; the newest file of an instance wins', async (t) => {
  const folder = await temporaryFolder(t)
  const first = await archive(t, { folder, index: { scanAtStart: false }, storage: { duplicates: 'replace' } })
  const association = await client(t, first.server.port)
  t.is(await store(association, image(1, {}, { InstanceNumber: 1 })), 0)
  t.is(await store(association, image(2, {}, { InstanceNumber: 2 })), 0)
  t.deepEqual(await found(association), { '2.25.3.1': '1', '2.25.3.2': '2' })
  t.is(await store(association, image(1, {}, { InstanceNumber: 17 })), 0)
  t.deepEqual(await found(association), { '2.25.3.1': '17', '2.25.3.2': '2' })
  await first.close()

  const second = await archive(t, { folder, index: { scanAtStart: false } })
  t.deepEqual(await found(await client(t, second.server.port)), { '2.25.3.1': '17', '2.25.3.2': '2' })
})

test('duplicates: a kept file keeps its row, of versions the last one has it, after a scan too', async (t) => {
  const folder = await temporaryFolder(t)
  for (const [duplicates, expected] of [['keep', '1'], ['version', '2']] as const) {
    const one = await archive(t, { folder: join(folder, duplicates), index: { scanAtStart: false }, storage: { duplicates } })
    const association = await client(t, one.server.port)
    t.is(await store(association, image(1, {}, { InstanceNumber: 1 })), 0)
    t.is(await store(association, image(1, {}, { InstanceNumber: 2 })), 0)
    t.deepEqual(await found(association), { '2.25.3.1': expected }, duplicates)
    await one.close()
    const again = await archive(t, { folder: join(folder, duplicates) })
    t.like(await scanned(again), { files: duplicates === 'keep' ? 1 : 2, added: 0, removed: 0, unusable: 0 })
    t.deepEqual(await found(await client(t, again.server.port)), { '2.25.3.1': expected }, duplicates)
  }
})

test('an object that cannot be in the index is stored and answered 0000, with a line that says why', async (t) => {
  const one = await archive(t, { folder: await temporaryFolder(t), storage: { path: '{SOPInstanceUID}.dcm' } })
  const association = await client(t, one.server.port)
  const { StudyInstanceUID: _study, ...without } = image(1)
  t.is(await store(association, without), 0)
  t.true((await readFile(join(one.data, '2.25.3.1.dcm'))).length > 0)
  t.deepEqual(await found(association), {})
  const lines = one.lines('warn').filter(({ message }) => message.startsWith('a stored object cannot be queried'))
  t.deepEqual(lines.map(({ fields }) => [fields['sopInstanceUid'], fields['reason']]), [['2.25.3.1', 'it lacks the UID of its study, series or instance']])
})

test('removed through the service of storage: forgotten before the file is gone', async (t) => {
  const one = await archive(t, { folder: await temporaryFolder(t) })
  const association = await client(t, one.server.port)
  for (const seed of [1, 2]) t.is(await store(association, image(seed)), 0)
  const { removed } = await one.service.remove(['2.25.1/2.25.3.1.dcm'], { reason: 'test' })
  t.is(removed, 1)
  t.deepEqual(Object.keys(await found(association)), ['2.25.3.2'])
})

test('an object that another handler refuses, wherever it stands, has neither file nor row', async (t) => {
  let isRefusing = true
  const refuse = definePlugin({
    name: 'refuse',
    requires: ['storage'],
    after: ['query-retrieve'],
    apply(api) {
      api.inject('storage').hooks.instanceStored.tapPromise('refuse', async () => {
        if (isRefusing) throw new StatusError(0xa700)
      })
    },
  })
  const one = await archive(t, { folder: await temporaryFolder(t), plugins: [refuse()] })
  const association = await client(t, one.server.port)
  t.is(await store(association, image(1)), 0xa700)
  isRefusing = false
  t.is(await store(association, image(2)), 0)
  t.deepEqual(Object.keys(await found(association)), ['2.25.3.2'])
})

test('the beginning of a data set gives the same row as its file does, or none', async (t) => {
  const folder = await temporaryFolder(t)
  const files = await writeCorpus(folder, { ordinaryPatients: 60, largestStudy: 0 })
  const extra = { instance: [{ attribute: 'SliceThickness', indexed: true }], series: ['StationAETitle', { attribute: '00091001', vr: 'LO', indexed: true }] }
  const attributes = await buildCatalogue(queryRetrieveOptions.parse({ attributes: extra }).attributes)
  const reader = new InstanceReader(folder, attributes)
  const known: string[] = []
  for (const { path, encoding } of files) {
    const bytes = await readFile(path)
    const { meta, dataSetOffset } = decodePart10Header(bytes)
    const relativePath = relative(folder, path)
    const dataSet = bytes.subarray(dataSetOffset)
    for (const length of [dataSet.length, 16_384, 700, 100]) {
      const head = { relativePath, transferSyntaxUid: meta.transferSyntaxUid, dataSetHead: dataSet.subarray(0, length), dataSetBytes: dataSet.length }
      const read = await reader.readHead(head)
      if (read === undefined) continue
      t.deepEqual(read, await reader.read(relativePath), `${path}, ${length}`)
      known.push(encoding)
    }
  }
  t.true(known.length >= files.length)
  t.false(known.includes('deflated'))
  for (const encoding of ['explicit', 'implicit']) t.true(known.includes(encoding), encoding)
})

test('the index cannot be written: A700 each time, one line, and what may be wrong is put right afterwards', async (t) => {
  const folder = await temporaryFolder(t)
  await writeImage(join(folder, 'a.dcm'), image(1))
  const attributes = await buildCatalogue(queryRetrieveOptions.parse({}).attributes)
  const index = openIndex({ database: { sqlite: join(folder, 'index.sqlite') }, resolvePath: (path) => path, log: silentLog() })
  await index.start()
  t.teardown(() => index.close())
  let isBroken = true
  const broken = new Proxy(index, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target)
      if (typeof value !== 'function') return value
      // Written, and the answer lost: the worst case.
      if (name === 'add' && isBroken) return async (instance: never) => {
        await index.add(instance)
        throw new DicomtapError('DICOMTAP_ERR_QR_DATABASE', 'gone')
      }
      return (value as () => unknown).bind(target)
    },
  })
  const lines: string[] = []
  const reader = new InstanceReader(folder, attributes)
  const stale = new StaleFiles(new Reindexer(folder, index, reader))
  const intake = new Intake({ index: broken, reader, stale, log: { ...silentLog(), error: (line) => lines.push(line), info: (line) => lines.push(line) } })
  const file = { relativePath: 'a.dcm', sopInstanceUid: '2.25.3.1', outcome: 'new' } as const
  for (let attempt = 0; attempt < 3; attempt++) await t.throwsAsync(intake.stored(file), { instanceOf: StatusError, message: 'The object could not be stored' })
  t.is((await index.knownPaths(['a.dcm'])).size, 1)
  // Storage takes the file back.
  await rm(join(folder, 'a.dcm'))
  await writeImage(join(folder, 'b.dcm'), image(2))
  isBroken = false
  await intake.stored({ ...file, relativePath: 'b.dcm' })
  // Nothing is told that could not be read: it may be whole.
  await t.throwsAsync(intake.stored({ ...file, relativePath: 'never there.dcm' }), { instanceOf: StatusError })
  await intake.close()
  t.deepEqual([...(await index.knownPaths(['a.dcm', 'b.dcm'])).keys()], ['b.dcm'])
  t.deepEqual(lines, ['the index cannot be written: objects are refused with A700', 'the index can be written again: objects are accepted'])
})

test('the scan at the start: files without a row, rows without a file, files that were replaced, and what is no instance', async (t) => {
  const folder = await temporaryFolder(t)
  const first = await archive(t, { folder })
  const association = await client(t, first.server.port)
  for (const seed of [1, 2, 3]) t.is(await store(association, image(seed, {}, { InstanceNumber: seed })), 0)
  await first.close()

  const at = (name: string): string => join(first.data, name)
  await writeImage(at('elsewhere/new.dcm'), image(4, {}, { InstanceNumber: 4 }))
  await rename(at('2.25.1/2.25.3.1.dcm'), at('elsewhere/moved.dcm'))
  await rm(at('2.25.1/2.25.3.2.dcm'))
  await writeImage(at('2.25.1/2.25.3.3.dcm'), image(3, {}, { InstanceNumber: 33 }))
  await writeFile(at('notes.txt'), 'no instance')
  await writeImage(at('.hidden/hidden.dcm'), image(5))
  await symlink(first.data, at('circle'))
  await writeImage(join(folder, 'outside.dcm'), image(6))
  await symlink(join(folder, 'outside.dcm'), at('link.dcm'))
  if (process.platform !== 'win32') execFileSync('mkfifo', [at('pipe.dcm')])

  const second = await archive(t, { folder })
  t.like(await scanned(second), { files: 4, added: 3, removed: 1, unusable: 1, left: 0 })
  t.deepEqual(await found(await client(t, second.server.port)), { '2.25.3.1': '1', '2.25.3.3': '33', '2.25.3.4': '4' })
})

test('the scan drops no rows when the folder is empty, as one is that is not mounted', async (t) => {
  const folder = await temporaryFolder(t)
  const first = await archive(t, { folder })
  const association = await client(t, first.server.port)
  for (const seed of [1, 2]) t.is(await store(association, image(seed)), 0)
  await first.close()
  await rename(first.data, join(folder, 'elsewhere'))
  await mkdir(first.data)
  const second = await archive(t, { folder })
  t.like(await scanned(second), { files: 0, removed: 0, left: 2 })
  t.true(second.lines('error').some(({ message }) => message.includes('not mounted') && message.includes('dicomtap index check --repair')))
  t.deepEqual(Object.keys(await found(await client(t, second.server.port))), ['2.25.3.1', '2.25.3.2'])
})

test('a change of the option attributes is told at the start and by a check', async (t) => {
  const folder = await temporaryFolder(t)
  const first = await archive(t, { folder })
  await scanned(first)
  const [summary, ...others] = await first.server.ae.diagnose()
  t.like(summary, { level: 'info', plugin: 'query-retrieve' })
  t.regex(summary?.message ?? '', /^the index in SQLite answers: 0 instances, tables 0001-instances, compared with the folder 20\d\d-\d\d-\d\dT\d\d:\d\dZ$/)
  t.deepEqual(others, [])
  await first.close()
  const second = await archive(t, { folder, index: { attributes: { study: ['InstitutionalDepartmentName'] } } })
  await scanned(second)
  const changed = (message: string): boolean => message.includes('option attributes has changed') && message.endsWith('dicomtap index rebuild')
  t.true(second.lines('warn').some(({ message }) => changed(message)))
  const findings = await second.server.ae.diagnose()
  t.true(findings.some(({ level, plugin, message }) => level === 'warning' && plugin === 'query-retrieve' && changed(message)))
})

test('the time of a file is that of its row: a file that was touched is read again, and nothing else', async (t) => {
  const folder = await temporaryFolder(t)
  const first = await archive(t, { folder })
  const association = await client(t, first.server.port)
  for (const seed of [1, 2]) t.is(await store(association, image(seed)), 0)
  await first.close()
  await utimes(join(first.data, '2.25.1/2.25.3.1.dcm'), 1_000_000_000, 1_000_000_000)
  const second = await archive(t, { folder })
  t.like(await scanned(second), { files: 2, added: 1 })
  await second.close()
  t.like(await scanned(await archive(t, { folder })), { files: 2, added: 0 })
})

test('of several processes with one index one scans at a time, and none again what was scanned since its start', async (t) => {
  const values = new Map<string, string>()
  const index = {
    setting: async (name: string) => values.get(name),
    setSetting: async (name: string, value: string | undefined) => void (value === undefined ? values.delete(name) : values.set(name, value)),
  }
  const settings = new IndexSettings(index as never)
  const { signal } = new AbortController()
  const [first, second, third] = [new ScanLease(settings), new ScanLease(settings, 1), new ScanLease(settings)]
  t.true(await first.acquire(1000, signal))
  let isWaiting = true
  const waiting = second.acquire(2000, signal).finally(() => (isWaiting = false))
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setTimeout(resolve, 1))
  t.true(isWaiting)
  await settings.setLastScan({ startedAtMs: 1000, finishedAtMs: 1500, files: 0, added: 0, removed: 0, unusable: 0, left: 0 })
  await first.release()
  // What was there at 2000 need not have been there when the first one passed by.
  t.true(await waiting)
  await settings.setLastScan({ startedAtMs: 2000, finishedAtMs: 2500, files: 0, added: 0, removed: 0, unusable: 0, left: 0 })
  t.false(await third.acquire(1800, signal))
  await second.release()
  // One that was killed holds up nobody: its process is gone, or it has not spoken for a minute.
  const gone = spawnSync(process.execPath, ['-e', '']).pid
  for (const scanner of [
    { host: hostname(), pid: gone, token: 'x', atMs: Date.now() },
    { host: 'another', pid: 1, token: 'x', atMs: Date.now() - 61_000 },
    { host: hostname(), pid: process.pid, token: 'of an earlier server', atMs: Date.now() },
  ]) {
    await settings.setScanner(scanner)
    const lease = new ScanLease(settings)
    t.true(await lease.acquire(3000, signal))
    await lease.release()
  }
  t.is(await settings.scanner(), undefined)
  const stop = new AbortController()
  await settings.setScanner({ host: 'another', pid: 1, token: 'x', atMs: Date.now() })
  const stopped = new ScanLease(settings).acquire(3000, stop.signal)
  stop.abort()
  await t.throwsAsync(stopped, { name: 'AbortError' })
})
