import { isLocalFileSystemType } from '@dicomtap/framework'
import test, { type ExecutionContext } from 'ava'
import Database from 'libsql'
import { sql } from 'kysely'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync } from 'node:fs'
import { appendFile, mkdir, mkdtemp, readFile, rm, stat, statfs, symlink, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { ArrivingIndex, type ArrivingIndexOptions } from '../../dist/database/arrivals/arriving-index.js'
import { DatabaseIndex } from '../../dist/database/database-index.js'
import type { Arrival, InstanceIndex } from '../../dist/database/instance-index.js'
import { openIndex } from '../../dist/database/open-index.js'
import { sqliteBackend } from '../../dist/database/sqlite/backend.js'
import type { IndexedInstance } from '../../dist/model/instance.js'
import { instanceOf, type Given } from './support/instances.js'
import { silentLog, type TestLog } from './support/log.js'

const isLocal = isLocalFileSystemType((await statfs(tmpdir())).type)
const local = isLocal ? test : test.skip
if (!isLocal) process.stderr.write('SKIPPED: the folder for temporary files is not known to be local, nothing arrives there\n')

/** As long as a test runs, nothing happens by itself. */
const FOR_EVER = 2 ** 30
const QUICK = { isQuick: () => true, report: () => undefined }
const REFUSED = { code: 'DICOMTAP_ERR_QR_DATABASE', message: /locked by another program/ }

async function temporaryFile(t: ExecutionContext): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), 'dicomtap-arrivals-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  return path.join(folder, 'index.sqlite')
}

interface Opened {
  readonly file: string
  readonly index: ArrivingIndex
  readonly log: TestLog
  /** Paths that somebody had a doubt about, in the order in which it was. */
  readonly reindexed: string[]
}

/** An index that takes in what has arrived when it is asked to, or later than any test. */
async function open(t: ExecutionContext, file: string, options: Partial<ArrivingIndexOptions> & { readonly busyTimeoutMs?: number } = {}): Promise<Opened> {
  const log = silentLog()
  const reindexed: string[] = []
  const { busyTimeoutMs = 100, access = 'write', limits, ...others } = options
  const reindex = async (inner: InstanceIndex, paths: readonly string[]): Promise<boolean> => {
    reindexed.push(...paths)
    await Promise.all(paths.map((one) => inner.add(instanceOf({ sop: path.basename(one, '.dcm'), path: one }))))
    return true
  }
  const index = new ArrivingIndex(new DatabaseIndex(sqliteBackend(file, { busyTimeoutMs }), log, access), {
    path: file, log, access, reindex, watch: QUICK, ...others, limits: { lingerMs: FOR_EVER, recentMs: FOR_EVER, lateMs: FOR_EVER, ...limits },
  })
  t.teardown(() => index.close())
  await index.start()
  return { file, index, log, reindexed }
}

/** One with an instance, so that it is known to take more. */
async function openWithOne(t: ExecutionContext, options: Parameters<typeof open>[2] = {}): Promise<Opened> {
  const opened = await open(t, await temporaryFile(t), options)
  await opened.index.add(instanceOf({ sop: '1' }))
  return opened
}

/** One that has to be read. */
function arrival(given: Given, changes: Partial<Arrival> = {}): () => Arrival {
  const instance = instanceOf(given)
  const { path: relativePath, transferSyntaxUid } = instance
  const head = { relativePath, transferSyntaxUid, dataSetHead: new Uint8Array(0), dataSetBytes: 0, arrivedAtMs: Date.now() }
  return () => ({ head, read: () => Promise.resolve(instance), refused: (error) => { throw error }, ...changes })
}

/** One that is read when the promise resolves. */
function arrivalAfter(promise: Promise<unknown>, given: Given): () => Arrival {
  const instance = instanceOf(given)
  return arrival(given, { read: () => promise.then(() => instance) })
}

const sopsOf = async (index: InstanceIndex): Promise<readonly string[]> => {
  const sops: string[] = []
  for await (const row of index.rows(index.database.selectFrom('instance').select('sop_instance_uid').orderBy('id'))) sops.push(row.sop_instance_uid)
  return sops
}

const filesOf = (file: string): readonly string[] => (existsSync(`${file}-arrivals`) ? readdirSync(`${file}-arrivals`) : [])
const rowsIn = async ({ index }: Opened): Promise<number> => (await sql<{ n: number }>`select count(*) as n from instance`.execute(index.database)).rows[0]?.n ?? 0

for (const [how, read] of [
  ['rows', async (index) => (await sopsOf(index)).length],
  ['rows of a scan', async (index) => {
    let count = 0
    for await (const _row of index.rows(index.database.selectFrom('instance').select('id'), undefined, 'scan')) count++
    return count
  }],
  ['known paths', async (index) => (await index.knownPaths(['P1/1.dcm', 'P1/2.dcm', 'P1/3.dcm'])).size],
  ['paths', async (index) => {
    let count = 0
    for await (const _path of index.paths()) count++
    return count
  }],
  ['counts', async (index) => (await index.counts()).instances],
  ['a removal', async (index) => (await index.remove(['P1/1.dcm', 'P1/2.dcm', 'P1/3.dcm'])).instances],
] satisfies readonly (readonly [string, (index: InstanceIndex) => Promise<number>])[]) {
  local(`what has arrived is there for whoever reads, in this process and in others: ${how}`, async (t) => {
    for (const reader of ['this', 'another'] as const) {
      const one = await openWithOne(t, reader === 'this' ? {} : { limits: { lingerMs: 50 } })
      const other = reader === 'this' ? one : await open(t, one.file)
      t.true(one.index.addSoon(arrival({ sop: '2' })))
      t.true(one.index.addSoon(arrival({ sop: '3' })))
      if (reader === 'this') {
        t.is(filesOf(one.file).length, 1)
        t.is(await rowsIn(one), 1)
      }
      const startMs = performance.now()
      t.is(await read(other.index), 3)
      t.deepEqual(filesOf(one.file), [])
      // On a machine that has no time the other one may have taken it for hung.
      if (performance.now() - startMs < 1000) t.deepEqual(other.reindexed, [], 'its process has seen to it')
    }
  })
}

local('its path is in a file before it is taken, in a folder that others cannot read', async (t) => {
  const { file, index } = await openWithOne(t)
  t.true(index.addSoon(arrival({ sop: '2', path: 'a\n"b"/ü.dcm' })))
  t.true(index.addSoon(arrival({ sop: '3' })))
  const [name] = filesOf(file) as [string]
  t.is(await readFile(path.join(`${file}-arrivals`, name), 'utf8'), '"a\\n\\"b\\"/ü.dcm"\n"P1/3.dcm"\n')
  t.is((await stat(`${file}-arrivals`)).mode & 0o007, 0)
  t.is((await stat(path.join(`${file}-arrivals`, name))).mode & 0o137, 0)
})

local('nobody has to ask: it is taken in after a moment, and when it is much', async (t) => {
  const soon = await openWithOne(t, { limits: { lingerMs: 1 } })
  t.true(soon.index.addSoon(arrival({ sop: '2' })))
  while ((await rowsIn(soon)) < 2 || filesOf(soon.file).length > 0) await new Promise((resolve) => setImmediate(resolve))
  const much = await openWithOne(t)
  for (let sop = 2; sop <= 65; sop++) t.true(much.index.addSoon(arrival({ sop: String(sop) })))
  while ((await rowsIn(much)) < 65 || filesOf(much.file).length > 0) await new Promise((resolve) => setImmediate(resolve))
  t.pass()
})

local('what is added for good, or added otherwise, comes after it', async (t) => {
  const { index } = await openWithOne(t)
  t.true(index.addSoon(arrival({ sop: '2', sizeBytes: 1 })))
  await index.add(instanceOf({ sop: '2', sizeBytes: 2 }))
  t.deepEqual([...(await index.knownPaths(['P1/2.dcm'])).values()].map(({ sizeBytes }) => sizeBytes), [2])
})

local('new series, changed ones, values of their own and the same one twice arrive as well', async (t) => {
  const { index } = await openWithOne(t)
  for (const given of [{ sop: '2', series: 'new' }, { sop: '3', modality: 'MR' }, { sop: '4', keyValues: [{ tag: 1, value: 'x' }] }, { sop: '5', patient: 'P2', study: '1.3' }, { sop: '2', series: 'new' }]) {
    t.true(index.addSoon(arrival(given)))
  }
  t.like(await index.counts(), { patients: 2, studies: 2, series: 3, instances: 5 })
})

local('one that is described as nothing has no row', async (t) => {
  const { file, index } = await openWithOne(t)
  t.true(index.addSoon(arrival({ sop: '2' }, { read: () => Promise.resolve(undefined) })))
  t.true(index.addSoon(arrival({ sop: '3' })))
  t.deepEqual(await sopsOf(index), ['1', '3'])
  t.deepEqual(filesOf(file), [])
})

local('nothing arrives where that might not end well', async (t) => {
  const take = ({ index }: Opened): boolean => index.addSoon(arrival({ sop: '2' }))
  const none: readonly (readonly [string, Opened])[] = [
    ['nothing was written yet', await open(t, await temporaryFile(t))],
    ['nothing was written for a while', await openWithOne(t, { limits: { recentMs: 0 } })],
    ['the disk is slow', await openWithOne(t, { watch: { ...QUICK, isQuick: () => false } })],
    ['the disk is nearly full', await openWithOne(t, { limits: { minimumFreeBytes: Number.MAX_SAFE_INTEGER } })],
    ['nobody knows where the files are', await openWithOne(t, { reindex: undefined })],
    ['who opened it only reads', await open(t, (await openWithOne(t)).file, { access: 'read' })],
  ]
  for (const [why, opened] of none) {
    t.false(take(opened), why)
    t.deepEqual(filesOf(opened.file), [], why)
  }
  const noFolder = await openWithOne(t)
  await writeFile(`${noFolder.file}-arrivals`, '')
  t.false(take(noFolder), 'a file has the name of the folder')
  const closed = await openWithOne(t)
  await closed.index.close()
  t.false(take(closed), 'it is closed')
  t.true(take(await openWithOne(t)), 'and else it does')
})

local('a database that has no time: nothing more arrives when it has become much', async (t) => {
  const { index } = await openWithOne(t)
  let go = (): void => {}
  const held = new Promise<void>((resolve) => (go = resolve))
  let added = 0
  while (added < 1000 && index.addSoon(arrivalAfter(held, { sop: `s${added}` }))) added++
  t.is(added, 512)
  go()
  t.is((await index.counts()).instances, 513)
  t.true(index.addSoon(arrival({ sop: 'later' })))
})

local('locked while something arrives: nothing more does, queries fail rather than leave it out, then it is found', async (t) => {
  const { file, index } = await openWithOne(t)
  const other = new Database(file)
  t.teardown(() => other.close())
  other.exec('begin immediate')
  t.true(index.addSoon(arrival({ sop: '2' })))
  const startMs = performance.now()
  await Promise.all([...Array.from({ length: 20 }, () => sopsOf(index)), index.counts(), index.knownPaths(['x']), index.remove(['x'])].map((one) => t.throwsAsync<Error>(one as Promise<never>, REFUSED)))
  t.true(performance.now() - startMs < 20 * 100, 'all of them waited for the one lock, and not one after the other')
  t.false(index.isReady)
  t.false(index.addSoon(arrival({ sop: '3' })))
  await t.throwsAsync(index.add(instanceOf({ sop: '3' })), REFUSED)
  t.is(filesOf(file).length, 1)
  other.exec('rollback')
  while (!index.isReady) await new Promise((resolve) => setImmediate(resolve))
  t.deepEqual(await sopsOf(index), ['1', '2'])
  t.deepEqual(filesOf(file), [])
})

local('locked when it ends: what has arrived is taken in by the next one', async (t) => {
  const first = await openWithOne(t)
  const other = new Database(first.file)
  t.teardown(() => other.close())
  other.exec('begin immediate')
  t.true(first.index.addSoon(arrival({ sop: '2' })))
  await first.index.close()
  other.exec('rollback')
  t.is(filesOf(first.file).length, 1)
  const next = await open(t, first.file)
  t.deepEqual([...(await sopsOf(next.index))].sort(), ['1', '2'])
  t.deepEqual(next.reindexed, ['P1/2.dcm'])
})

local('the end takes in what has arrived', async (t) => {
  const { file, index } = await openWithOne(t)
  t.true(index.addSoon(arrival({ sop: '2' })))
  await index.close()
  t.deepEqual(filesOf(file), [])
  t.deepEqual(await sopsOf((await open(t, file)).index), ['1', '2'])
})

local('one that the database does not take, though it takes others, is told, and keeps nobody waiting for ever', async (t) => {
  const { index } = await openWithOne(t, { limits: { pauseMs: 1, patienceMs: 0 } })
  const errors: string[] = []
  const broken = (): Promise<IndexedInstance> => Promise.reject(new Error('it cannot be described'))
  t.true(index.addSoon(arrival({ sop: '2' }, { read: broken, refused: ({ message }) => errors.push(message) })))
  t.true(index.addSoon(arrival({ sop: '3' })))
  await t.throwsAsync(sopsOf(index), { message: 'it cannot be described' })
  await index.add(instanceOf({ sop: '4' }))
  while (errors.length === 0) await new Promise((resolve) => setTimeout(resolve, 5))
  t.deepEqual([...(await sopsOf(index))].sort(), ['1', '3', '4'])
  t.deepEqual(errors, ['it cannot be described'])
})

/** Where this process is counted. */
async function ownSpace(t: ExecutionContext): Promise<string> {
  const { file, index } = await openWithOne(t)
  index.addSoon(arrival({ sop: '2' }))
  return (filesOf(file)[0] as string).split('-')[0] as string
}

/** No system has so many. */
const NOBODY = 2 ** 22 + 1

/** The file of a process: by default of one that is gone. */
async function leftBehind(t: ExecutionContext, file: string, text: string, { space, pid = NOBODY, number = 1 }: { readonly space?: string; readonly pid?: number; readonly number?: number } = {}): Promise<string> {
  await mkdir(`${file}-arrivals`, { recursive: true })
  const left = path.join(`${file}-arrivals`, `${space ?? (await ownSpace(t))}-${pid}-0123456789abcdef-${number}`)
  await appendFile(left, text)
  return left
}

const sorted = async (index: InstanceIndex): Promise<readonly string[]> => [...(await sopsOf(index))].sort()

async function makeOld(file: string): Promise<void> {
  const longAgo = new Date(Date.now() - 120_000)
  await utimes(file, longAgo, longAgo)
}

local('what a process that is gone has left is seen to before anybody reads, and its file removed', async (t) => {
  const { file, index, reindexed } = await openWithOne(t)
  // A power failure may cut the last line, or leave zeros.
  await leftBehind(t, file, '"P1/2.dcm"\n"P1/3.dcm"\n"P1/cu')
  await leftBehind(t, file, '\0\0\0\0\n17\n', { number: 2 })
  await writeFile(path.join(`${file}-arrivals`, 'README'), 'not one of these')
  await mkdir(path.join(`${file}-arrivals`, `0-${NOBODY}-0123456789abcdef-9`))
  t.deepEqual(await sorted(index), ['1', '2', '3'])
  t.deepEqual(reindexed, ['P1/2.dcm', 'P1/3.dcm'])
  t.deepEqual(filesOf(file), [`0-${NOBODY}-0123456789abcdef-9`, 'README'])
})

local('what this process left when it had the same number is that of one that is gone', async (t) => {
  const { file, index, reindexed } = await openWithOne(t)
  await leftBehind(t, file, '"P1/2.dcm"\n', { pid: process.pid })
  t.deepEqual(await sorted(index), ['1', '2'])
  t.deepEqual(reindexed, ['P1/2.dcm'])
  t.deepEqual(filesOf(file), [])
})

local('nobody reads: it is seen to at the start', async (t) => {
  const { file } = await openWithOne(t)
  await leftBehind(t, file, '"P1/2.dcm"\n')
  const next = await open(t, file)
  while (filesOf(file).length > 0) await new Promise((resolve) => setImmediate(resolve))
  t.deepEqual(next.reindexed, ['P1/2.dcm'])
})

local('much that was left, and many who read at once: each file is seen to once', async (t) => {
  const { file, index, reindexed } = await openWithOne(t)
  const space = await ownSpace(t)
  for (let number = 0; number < 300; number++) await leftBehind(t, file, number % 50 === 0 ? `"P1/l${number}.dcm"\n` : '', { space, number })
  const counts = await Promise.all(Array.from({ length: 30 }, async () => (await sopsOf(index)).length))
  t.deepEqual([...new Set(counts)], [7])
  t.is(reindexed.length, 6)
  t.deepEqual(filesOf(file), [])
})

local('a process that may live is waited for; then what it wrote down is seen to, once, and the file stays until it is old', async (t) => {
  const { file, index, reindexed } = await openWithOne(t)
  const left = await leftBehind(t, file, '"P1/2.dcm"\n', { space: '0' })
  const startMs = performance.now()
  await Promise.all([sopsOf(index), sopsOf(index)])
  t.true(performance.now() - startMs >= 1000)
  t.deepEqual(await sorted(index), ['1', '2'])
  t.deepEqual(reindexed, ['P1/2.dcm'])
  await appendFile(left, '"P1/3.dcm"\n')
  t.is((await sopsOf(index)).length, 3)
  t.deepEqual(reindexed, ['P1/2.dcm', 'P1/2.dcm', 'P1/3.dcm'])
  await makeOld(left)
  t.is((await sopsOf(index)).length, 3)
  t.deepEqual(filesOf(file), [])
})

local('one that lived, and was late, and is gone then: what it wrote down is seen to again', async (t) => {
  const { file, index, reindexed } = await openWithOne(t)
  const other = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' })
  t.teardown(() => other.kill('SIGKILL'))
  await leftBehind(t, file, '"P1/2.dcm"\n', { pid: other.pid as number })
  t.deepEqual(await sorted(index), ['1', '2'])
  t.is(filesOf(file).length, 1)
  other.kill('SIGKILL')
  await once(other, 'exit')
  await index.remove(['P1/2.dcm'])
  t.deepEqual(filesOf(file), [])
  t.deepEqual(reindexed, ['P1/2.dcm', 'P1/2.dcm'])
})

local('a storage folder that is not mounted: what was left stays where it is, for the next start', async (t) => {
  const { file, index, log } = await openWithOne(t, { reindex: () => Promise.resolve(false) })
  await leftBehind(t, file, '"P1/2.dcm"\n')
  t.deepEqual(await sorted(index), ['1'])
  await sorted(index)
  t.is(filesOf(file).length, 1)
  t.deepEqual(log.lines, ['warn: the storage folder is empty: what a server stored before it ended is looked for at the next start'])
  const next = await open(t, file)
  t.deepEqual(await sorted(next.index), ['1', '2'])
  t.deepEqual(filesOf(file), [])
})

local('what cannot be seen to at present fails those who read, and is seen to later', async (t) => {
  let isBroken = true
  const { file, index } = await openWithOne(t, {
    reindex: async (inner) => {
      if (isBroken) throw new Error('there are no descriptors left')
      await inner.add(instanceOf({ sop: '2' }))
      return true
    },
  })
  await leftBehind(t, file, '"P1/2.dcm"\n')
  await Promise.all([1, 2, 3].map(() => t.throwsAsync(sopsOf(index), { message: 'there are no descriptors left' })))
  t.is(filesOf(file).length, 1)
  isBroken = false
  t.deepEqual(await sorted(index), ['1', '2'])
  t.deepEqual(filesOf(file), [])
})

local('what was late is doubted: another process may have seen to it, and removed it, meanwhile', async (t) => {
  const { index, reindexed } = await openWithOne(t, { limits: { lateMs: 1000 } })
  t.true(index.addSoon(arrivalAfter(new Promise((resolve) => setTimeout(resolve, 1100)), { sop: '2' })))
  t.deepEqual(await sopsOf(index), ['1', '2'])
  t.deepEqual(reindexed, ['P1/2.dcm', 'P1/2.dcm'])
})

local('a query that is called off does not wait for what has arrived', async (t) => {
  const { index } = await openWithOne(t)
  t.true(index.addSoon(arrival({ sop: '2' }, { read: () => new Promise((resolve) => setTimeout(resolve, 200, undefined)) })))
  const controller = new AbortController()
  const query = index.rows(index.database.selectFrom('instance').selectAll(), controller.signal)[Symbol.asyncIterator]().next()
  controller.abort(new Error('enough'))
  await t.throwsAsync(query, { message: 'enough' })
})

local('a file that cannot be read, for its disk hangs, holds up neither queries nor the end for ever', async (t) => {
  const { file, index } = await openWithOne(t, { limits: { flushMs: 100, closeMs: 100 } })
  t.true(index.addSoon(arrivalAfter(new Promise(() => {}), { sop: '2' })))
  await t.throwsAsync(sopsOf(index), { code: 'DICOMTAP_ERR_QR_DATABASE', message: /does not answer/ })
  await index.close()
  t.is(filesOf(file).length, 1)
})

local('by whichever name a database is opened, all have one folder', async (t) => {
  const one = await openWithOne(t)
  const link = path.join(path.dirname(one.file), 'link.sqlite')
  await symlink(one.file, link)
  const other = await open(t, link)
  t.true(one.index.addSoon(arrival({ sop: '2' })))
  await other.index.add(instanceOf({ sop: '3' }))
  t.true(other.index.addSoon(arrival({ sop: '4' })))
  t.is(filesOf(one.file).length, 2)
  t.deepEqual(filesOf(link), [])
})

async function openReader(t: ExecutionContext, file: string): Promise<{ readonly index: InstanceIndex; readonly log: TestLog }> {
  const log = silentLog()
  const index = openIndex({ database: { sqlite: file }, resolvePath: (name) => name, log, access: 'read' })
  t.teardown(() => index.close())
  await index.start()
  return { index, log }
}

local('who does not know where the files are says what is missing of a process that is gone, once', async (t) => {
  const { file } = await openWithOne(t)
  const left = await leftBehind(t, file, '"P1/2.dcm"\n')
  for (const isOld of [false, true]) {
    if (isOld) await makeOld(left)
    const { index, log } = await openReader(t, file)
    t.deepEqual(await sopsOf(index), ['1'])
    await index.counts()
    t.deepEqual(log.lines, ['warn: what a server stored before it ended is not in the index yet: it will be after its next start'])
    t.is(filesOf(file).length, 1)
  }
})

local('who does not know where the files are leaves out nothing of a process that lives', async (t) => {
  const { file } = await openWithOne(t)
  await leftBehind(t, file, '"P1/2.dcm"\n', { space: '0' })
  const { index } = await openReader(t, file)
  await t.throwsAsync(sopsOf(index), { code: 'DICOMTAP_ERR_QR_DATABASE', message: /Another process has stored objects and cannot write the index/ })
})
