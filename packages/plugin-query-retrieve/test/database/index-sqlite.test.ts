import { isLocalFileSystemType } from '@dicomtap/framework'
import test, { type ExecutionContext } from 'ava'
import Database from 'libsql'
import { sql } from 'kysely'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readFile, readdir, readlink, rm, stat, statfs, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { DatabaseIndex } from '../../dist/database/database-index.js'
import { digested } from '../../dist/database/digested.js'
import type { InstanceIndex } from '../../dist/database/instance-index.js'
import { openIndex } from '../../dist/database/open-index.js'
import { WriterAtOnce } from '../../dist/database/sqlite/writer-at-once.js'
import { sqliteBackend } from '../../dist/database/sqlite/backend.js'
import { WriteQueue } from '../../dist/database/write-queue.js'
import { instanceOf, type Given } from './support/instances.js'
import { silentLog, type TestLog } from './support/log.js'
import { indexSuite, startIndex } from './support/suite.js'

async function temporaryFile(t: ExecutionContext): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), 'dicomtap-index-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  return path.join(folder, 'index', 'index.sqlite')
}

const sqlite = { create: async (t: ExecutionContext) => ({ sqlite: await temporaryFile(t) }) }

indexSuite(test, {
  ...sqlite,
  // What is still open keeps the log of changes from being emptied.
  openCursors: async (_index, database) => {
    const other = new Database((database as { sqlite: string }).sqlite)
    try {
      other.exec('create table if not exists probe (x); insert into probe values (1)')
      const row = other.prepare('pragma wal_checkpoint(truncate)').raw().get([]) as unknown as [number]
      return row[0]
    } finally {
      other.close()
    }
  },
})

/** One that waits 50 ms for a lock. */
async function impatient(t: ExecutionContext, file: string, log: TestLog): Promise<DatabaseIndex> {
  const index = new DatabaseIndex(sqliteBackend(file, { busyTimeoutMs: 50 }), log)
  t.teardown(() => index.close())
  await index.start()
  return index
}

test('the folder is made for its user and group, the file is in WAL mode', async (t) => {
  const file = await temporaryFile(t)
  const index = await startIndex(t, { sqlite: file })
  await index.add(instanceOf())
  t.is((await stat(path.dirname(file))).mode & 0o777, 0o750)
  for (const end of ['', '-wal', '-shm']) t.is((await stat(file + end)).mode & 0o007, 0)
  for (const end of ['', '-wal', '-shm']) t.is((await stat(file + end)).mode & 0o137, 0, `${end}: others may not read it`)
  const header = await readFile(file)
  // The file format: read and write version 2 at offset 18 are WAL.
  t.deepEqual([header.subarray(0, 15).toString(), header[18], header[19]], ['SQLite format 3', 2, 2])
})

test('a second index of one process takes no locks from the first: what it writes is not lost to a program that comes and goes', async (t) => {
  const file = await temporaryFile(t)
  const first = await startIndex(t, { sqlite: file })
  await first.add(instanceOf())
  const second = await startIndex(t, { sqlite: file })
  await second.close()
  // Whoever closes a file that nobody else has locked removes its log.
  t.is(await countIn(file), 1)
  await first.add(instanceOf({ sop: '2' }))
  t.is(await countIn(file), 2)
})

const QUICK = { isQuick: () => true, report: () => undefined }

/** Nothing is taken in unless somebody wants it. */
const PATIENT = { watch: QUICK, settleMs: 2 ** 30 }

/** An index, and how many its backend added each time it was asked to at once. */
async function spiedIndex(t: ExecutionContext, file: string, options: Parameters<typeof sqliteBackend>[1]): Promise<{ readonly index: DatabaseIndex; readonly answers: (number | undefined)[] } | undefined> {
  const backend = sqliteBackend(file, options)
  const answers: (number | undefined)[] = []
  const addAtOnce: NonNullable<typeof backend.addAtOnce> = (batch) => {
    const added = backend.addAtOnce?.(batch)
    answers.push(added?.size)
    return added
  }
  const index = new DatabaseIndex({ ...backend, addAtOnce }, silentLog())
  t.teardown(() => index.close())
  await index.start()
  if (isLocalFileSystemType((await statfs(path.dirname(file))).type)) return { index, answers }
  t.pass('only on file systems that are known to be local')
  return undefined
}

test('an instance of a known series is added at once, several of one turn in one transaction; a thread does all else', async (t) => {
  const file = await temporaryFile(t)
  const spied = await spiedIndex(t, file, PATIENT)
  if (spied === undefined) return
  const { index, answers } = spied
  const last = async (...instances: readonly Given[]): Promise<unknown> => {
    await Promise.all(instances.map((given) => index.add(instanceOf(given))))
    return answers.at(-1)
  }
  t.is(await last({ sop: '1' }), 0, 'a new series')
  t.is(await last({ sop: '2' }), 1)
  t.is(await last({ sop: '3' }, { sop: '4' }, { sop: '5', series: 'new' }), 2)
  t.is(await last({ sop: '2' }), 0, 'it is there')
  t.is(await last({ sop: '2a' }), 1)
  t.is(await last({ sop: '2a' }), undefined, 'it has arrived')
  t.is(await last({ sop: '6' }, { sop: '3', path: 'elsewhere' }), 1, 'one of two is there')
  t.is(await last({ sop: '7', modality: 'MR' }), 0, 'the series changes')
  t.is(await last({ sop: '8', modality: 'MR' }, { sop: '9', modality: 'MR', keyValues: [{ tag: 1, value: 'x' }] }), 1, 'with values of its own')
  t.is((await index.counts()).instances, 10)
  t.deepEqual([...(await index.knownPaths(['elsewhere', 'P1/3.dcm'])).keys()], ['elsewhere'])
  t.deepEqual((await index.database.selectFrom('study').select('size_bytes').execute()).map((row) => row.size_bytes), [10_000])

  const other = new Database(file)
  t.teardown(() => other.close())
  other.exec('begin immediate')
  const asked = answers.length
  const adding = index.add(instanceOf({ sop: '10', modality: 'MR' }))
  while (answers.length === asked) await new Promise((resolve) => setImmediate(resolve))
  t.is(answers.at(-1), undefined, 'somebody else writes')
  other.exec('commit')
  await adding
  t.is((await index.counts()).instances, 11)
  // Not before the other one has had its time.
  const again = index.add(instanceOf({ sop: '11', modality: 'MR' }))
  await again
  t.is((await index.counts()).instances, 12)
})

for (const [what, options] of [
  ['slow', { watch: { ...QUICK, isQuick: () => false } }],
  ['nearly full', { watch: QUICK, minimumFreeBytes: Number.MAX_SAFE_INTEGER }],
] as const) {
  test(`nothing is written at once while the disk is ${what}`, async (t) => {
    const file = await temporaryFile(t)
    const spied = await spiedIndex(t, file, options)
    if (spied === undefined) return
    for (const sop of ['1', '2', '3']) await spied.index.add(instanceOf({ sop }))
    t.deepEqual(spied.answers.map((added) => added ?? 0), [0, 0, 0])
    t.is(arrivals(file), 0)
    t.is((await spied.index.counts()).instances, 3)
  })
}

test('what is written at once makes the log of changes no longer than a thread lets it become', async (t) => {
  const file = await temporaryFile(t)
  const spied = await spiedIndex(t, file, { watch: QUICK, checkpointBytes: 262_144 })
  if (spied === undefined) return
  const { index } = spied
  for (let sop = 0; sop < 1200; sop++) await index.add(instanceOf({ sop: String(sop) }))
  // Of 1200 transactions it is 15 MB.
  t.true((await stat(`${file}-wal`)).size < 8_000_000)
  t.is((await index.counts()).instances, 1200)
  await index.close()
  const log = await stat(`${file}-wal`).then(({ size }) => size, () => 0)
  t.is(log, 0, 'who copies the file has all of it')
  t.is(await countIn(file), 1200)
})

test('the end waits for no checkpoint that hangs', async (t) => {
  const file = await temporaryFile(t)
  const index = await startIndex(t, { sqlite: file })
  await index.add(instanceOf())
  await index.close()
  let hasBegun = false
  const checkpoint = (): Promise<void> => {
    hasBegun = true
    return new Promise(() => {})
  }
  const writer = new WriterAtOnce(file, { isWriting: false, checkpoint, settle: () => Promise.resolve() }, { watch: QUICK, checkpointBytes: 1 })
  await writer.open()
  const added = writer.add([digested(instanceOf({ sop: '2' }))])
  if (added === undefined) return t.pass()
  t.is(added.size, 1)
  t.true(hasBegun)
  t.is(writer.close() as unknown, undefined, 'there is nothing to wait for')
  t.is(writer.add([digested(instanceOf({ sop: '3' }))]), undefined)
})

/** How many instances have arrived and are not in their table yet. */
function arrivals(file: string): number {
  const other = new Database(file)
  try {
    return (other.prepare('select count(*) from arrival').raw().get([]) as unknown as [number])[0]
  } finally {
    other.close()
  }
}

/** An index in which the instances from 2 to `until` have arrived, and are not in their table. */
async function indexWithArrivals(t: ExecutionContext, file: string, until: number): Promise<DatabaseIndex | undefined> {
  const spied = await spiedIndex(t, file, PATIENT)
  if (spied === undefined) return undefined
  for (let sop = 1; sop <= until; sop++) await spied.index.add(instanceOf({ sop: String(sop), storedAtMs: 1000 + sop }))
  t.is(arrivals(file), until - 1)
  return spied.index
}

const sopsOf = async (index: InstanceIndex): Promise<readonly string[]> => {
  const sops: string[] = []
  for await (const row of index.rows(index.database.selectFrom('instance').select('sop_instance_uid').orderBy('id'))) sops.push(row.sop_instance_uid)
  return sops
}

for (const [how, read] of [
  ['rows', async (index) => (await sopsOf(index)).length],
  ['rows of a scan', async (index) => {
    let count = 0
    for await (const _row of index.rows(index.database.selectFrom('instance').select('id'), undefined, 'scan')) count++
    return count
  }],
  ['known paths', async (index) => (await index.knownPaths(['P1/2.dcm', 'P1/3.dcm', 'P1/4.dcm'])).size + 1],
  ['paths', async (index) => {
    let count = 0
    for await (const _path of index.paths()) count++
    return count
  }],
  ['counts', async (index) => (await index.counts()).instances],
  ['sums', async (index) => (await index.database.selectFrom('study').select('size_bytes').executeTakeFirstOrThrow()).size_bytes / 1000],
] satisfies readonly (readonly [string, (index: InstanceIndex) => Promise<number>])[]) {
  test(`what has arrived is read, of the same process and of others: ${how}`, async (t) => {
    const file = await temporaryFile(t)
    const index = await indexWithArrivals(t, file, 4)
    if (index === undefined) return
    t.is(await read(index), 4)
    t.is(arrivals(file), 0)
    await index.add(instanceOf({ sop: '5' }))
    t.is(arrivals(file), 1)
    const other = openIndex({ database: { sqlite: file }, resolvePath: (name) => name, log: silentLog(), access: 'read' })
    t.teardown(() => other.close())
    await other.start()
    t.is(await read(other), how === 'known paths' ? 4 : 5)
  })
}

test('many queries at once take in what has arrived once, and one that is called off leaves no cursor', async (t) => {
  const file = await temporaryFile(t)
  const index = await indexWithArrivals(t, file, 30)
  if (index === undefined) return
  const controller = new AbortController()
  const calledOff = index.rows(index.database.selectFrom('instance').selectAll(), controller.signal)[Symbol.asyncIterator]().next()
  const others = Array.from({ length: 20 }, () => sopsOf(index))
  controller.abort(new Error('enough'))
  await t.throwsAsync(calledOff, { message: 'enough' })
  for (const sops of await Promise.all(others)) t.deepEqual(sops, Array.from({ length: 30 }, (_, number) => String(number + 1)))
})

test('what writes anything else finds what has arrived in its table', async (t) => {
  const file = await temporaryFile(t)
  const index = await indexWithArrivals(t, file, 4)
  if (index === undefined) return
  t.like(await index.remove(['P1/1.dcm', 'P1/2.dcm']), { instances: 2, series: 0 })
  t.is(arrivals(file), 0)
  await index.add(instanceOf({ sop: '5' }))
  // The same file again, and newer; another instance in its file; an older file of it.
  await index.add(instanceOf({ sop: '5', sizeBytes: 5, storedAtMs: 9000 }))
  await index.add(instanceOf({ sop: '6', path: 'P1/6.dcm' }))
  await index.add(instanceOf({ sop: '7', path: 'P1/6.dcm' }))
  await index.add(instanceOf({ sop: '5', path: 'old', storedAtMs: 1 }))
  t.deepEqual(await sopsOf(index), ['3', '4', '5', '7'])
  t.deepEqual([...(await index.knownPaths(['P1/5.dcm', 'P1/6.dcm', 'old']))].map(([name, { sizeBytes }]) => [name, sizeBytes]), [
    ['P1/5.dcm', 5],
    ['P1/6.dcm', 1000],
  ])
  // A series that changes, and is gone, while an instance of it waits.
  await index.add(instanceOf({ sop: '8' }))
  await index.add(instanceOf({ sop: '9', modality: 'MR' }))
  await index.add(instanceOf({ sop: '10', modality: 'MR' }))
  t.is(arrivals(file), 1)
  t.like(await index.remove(['3', '4', '5', '6', '8', '9', '10'].map((sop) => `P1/${sop}.dcm`)), { instances: 7, series: 1, studies: 1, patients: 1 })
  t.deepEqual(await sopsOf(index), [])
})

test('the same instance in two files, both arrived: the newer one has the row', async (t) => {
  for (const times of [[5000, 6000], [6000, 5000]] as const) {
    const file = await temporaryFile(t)
    const index = await indexWithArrivals(t, file, 1)
    if (index === undefined) return
    for (const [number, storedAtMs] of times.entries()) await index.add(instanceOf({ sop: '2', path: `file${number}`, storedAtMs, sizeBytes: storedAtMs }))
    t.is(arrivals(file), 2)
    t.deepEqual((await index.database.selectFrom('instance').select(['sop_instance_uid', 'size_bytes']).orderBy('id').execute()).map((row) => [row.sop_instance_uid, row.size_bytes]), [
      ['1', 1000],
      ['2', 6000],
    ])
    t.is((await index.database.selectFrom('study').select('size_bytes').executeTakeFirstOrThrow()).size_bytes, 7000)
  }
})

test('nobody has to ask: what has arrived is taken in after a while, and when it is much', async (t) => {
  const file = await temporaryFile(t)
  const spied = await spiedIndex(t, file, { watch: QUICK, settleMs: 20 })
  if (spied === undefined) return
  await spied.index.add(instanceOf({ sop: '1' }))
  await spied.index.add(instanceOf({ sop: '2' }))
  while ((await countIn(file)) < 2) await new Promise((resolve) => setImmediate(resolve))
  t.is(arrivals(file), 0)

  const much = await temporaryFile(t)
  const index = await indexWithArrivals(t, much, 512)
  await index?.add(instanceOf({ sop: '513' }))
  while (arrivals(much) > 0) await new Promise((resolve) => setImmediate(resolve))
  t.is(await countIn(much), 513)
})

/** A writer at once whose threads settle when the test says so. */
async function writerWithThreads(t: ExecutionContext, settle: () => Promise<void>): Promise<{ readonly writer: WriterAtOnce; readonly file: string; readonly add: (sop: string) => number | undefined } | undefined> {
  const file = await temporaryFile(t)
  const index = await startIndex(t, { sqlite: file })
  await index.add(instanceOf({ sop: '1' }))
  await index.close()
  const writer = new WriterAtOnce(file, { isWriting: false, checkpoint: () => new Promise(() => {}), settle }, { watch: QUICK, settleMs: 5 })
  t.teardown(() => writer.close())
  await writer.open()
  const add = (sop: string): number | undefined => writer.add([digested(instanceOf({ sop }))])?.size
  if (add('2') !== undefined) return { writer, file, add }
  t.pass('only on file systems that are known to be local')
  return undefined
}

test('threads that have no time: nothing more arrives when it has become much', async (t) => {
  const one = await writerWithThreads(t, () => new Promise(() => {}))
  if (one === undefined) return
  let added = 1
  for (let sop = 3; sop < 3000; sop++) added += one.add(String(sop)) ?? 0
  t.is(added, 1024)
  t.is(arrivals(one.file), 1024)
})

test('threads that take longer than it takes until they are asked again: they are asked again', async (t) => {
  const asked: { readonly resolve: () => void; readonly reject: (error: Error) => void }[] = []
  let wasAsked = (): void => {}
  const one = await writerWithThreads(t, () =>
    new Promise((resolve, reject) => {
      asked.push({ resolve, reject })
      wasAsked()
    }),
  )
  if (one === undefined) return
  const nextTime = (): Promise<void> => new Promise((resolve) => (wasAsked = resolve))
  if (asked.length === 0) await nextTime()
  t.is(one.add('3'), 1)
  // Longer than the timer of that one.
  await new Promise((resolve) => setTimeout(resolve, 30))
  let asking = nextTime()
  asked.at(-1)?.resolve()
  await asking
  asking = nextTime()
  asked.at(-1)?.resolve()
  await new Promise((resolve) => setTimeout(resolve, 30))
  t.is(one.add('4'), 1)
  await asking
  asking = nextTime()
  asked.at(-1)?.reject(new Error('locked'))
  await asking
  t.pass()
})

const BUSY_MS = 250

test('locked by another program while something has arrived: queries fail rather than leave it out, and then find it', async (t) => {
  const file = await temporaryFile(t)
  const spied = await spiedIndex(t, file, { ...PATIENT, busyTimeoutMs: BUSY_MS })
  if (spied === undefined) return
  const { index } = spied
  await index.add(instanceOf({ sop: '1' }))
  await index.add(instanceOf({ sop: '2' }))
  const other = new Database(file)
  t.teardown(() => other.close())
  other.exec('begin immediate')
  const locked = { code: 'DICOMTAP_ERR_QR_DATABASE', message: /locked by another program/ }
  // All of them for the one lock, and not one after the other.
  const startMs = performance.now()
  await Promise.all([...Array.from({ length: 20 }, () => sopsOf(index)), index.counts(), index.knownPaths(['x'])].map((query) => t.throwsAsync(query, locked)))
  t.true(performance.now() - startMs < 20 * BUSY_MS)
  other.exec('rollback')
  while (!index.isReady) await new Promise((resolve) => setImmediate(resolve))
  t.deepEqual(await sopsOf(index), ['1', '2'])
})

async function countIn(file: string): Promise<number> {
  const visit = `const database = new (require('libsql'))(process.argv[1]); console.log(database.prepare('select count(*) from instance').raw().get()[0]); database.close()`
  return Number((await promisify(execFile)(process.execPath, ['-e', visit, file])).stdout)
}

test('locked by another program: refused, said once, and back by itself', async (t) => {
  const file = await temporaryFile(t)
  const log = silentLog()
  const index = await impatient(t, file, log)
  await index.add(instanceOf())
  const other = new Database(file)
  t.teardown(() => other.close())
  other.exec('begin immediate')
  await t.throwsAsync(index.add(instanceOf({ sop: '2' })), { code: 'DICOMTAP_ERR_QR_DATABASE', message: /locked by another program.*SQLITE_BUSY/ })
  t.false(index.isReady)
  // Now without waiting; what is there can be read.
  await t.throwsAsync(index.add(instanceOf({ sop: '3' })), { code: 'DICOMTAP_ERR_QR_DATABASE' })
  await t.throwsAsync(index.remove(['x']), { code: 'DICOMTAP_ERR_QR_DATABASE' })
  t.is((await index.counts()).instances, 1)
  other.exec('rollback')
  await log.line(/answers again/)
  t.true(index.isReady)
  await index.add(instanceOf({ sop: '4' }))
  t.is((await index.counts()).instances, 2)
  t.deepEqual(log.lines.map((line) => line.replace(file, 'FILE')), [
    'error: The index FILE cannot be written: it is locked by another program; end that program, or wait for it (SQLITE_BUSY). It is tried again.',
    'info: The index FILE answers again',
  ])
})

test('a program that does not know of arrivals and writes into the tables keeps nobody from reading, and none of them is lost', async (t) => {
  const file = await temporaryFile(t)
  const index = await indexWithArrivals(t, file, 3)
  if (index === undefined) return
  const other = new Database(file)
  t.teardown(() => other.close())
  other.exec('pragma foreign_keys = on')
  // The file of one of them holds another instance, and the other one is in another file.
  other.exec("update instance set sop_instance_uid = '2'")
  other.exec("insert into instance (series, sop_instance_uid, sop_class_uid, transfer_syntax_uid, instance_number, path, attributes) select series, 'x', '', '', '', 'P1/2.dcm', '{}' from instance")
  t.deepEqual([...(await sopsOf(index))].sort(), ['2', '3'])
  t.deepEqual([...(await index.knownPaths(['P1/2.dcm', 'P1/3.dcm'])).keys()].sort(), ['P1/2.dcm', 'P1/3.dcm'])
  await index.add(instanceOf({ sop: '4' }))
  t.is(arrivals(file), 1)
  other.exec('delete from instance')
  t.throws(() => other.exec('delete from series'), { any: true, message: /FOREIGN KEY/ })
})

test('who may read and not write the file reads what a server has taken in', async (t) => {
  const file = await temporaryFile(t)
  const index = await indexWithArrivals(t, file, 3)
  if (index === undefined) return
  const reader = new DatabaseIndex(sqliteBackend(file), silentLog(), 'read')
  t.teardown(() => reader.close())
  await reader.start()
  await index.add(instanceOf({ sop: '4' }))
  await sql.raw('pragma query_only = on').execute(reader.database)
  t.is(arrivals(file), 1)
  const reading = sopsOf(reader)
  // Of which the path comes before that of the other one.
  await index.add(instanceOf({ sop: '4b', path: 'A/4b.dcm' }))
  const hasWaited = await Promise.race([reading.then(() => false), new Promise((resolve) => setTimeout(resolve, 100, true))])
  t.true(hasWaited)
  await sopsOf(index)
  await index.add(instanceOf({ sop: '5' }))
  t.deepEqual(await reading, ['1', '2', '3', '4', '4b'], 'what was there when it was asked')
  await t.throwsAsync(sopsOf(reader), { code: 'DICOMTAP_ERR_QR_DATABASE', message: /cannot be written/ })
})

test('after a lock was met, what is acknowledged is committed, and nothing stays locked', async (t) => {
  const file = await temporaryFile(t)
  const log = silentLog()
  const index = new DatabaseIndex(sqliteBackend(file, { busyTimeoutMs: 50, watch: { ...QUICK, isQuick: () => false } }), log)
  t.teardown(() => index.close())
  await index.start()
  await index.add(instanceOf({ sop: '1' }))
  const other = new Database(file)
  t.teardown(() => other.close())
  for (const round of [1, 2]) {
    other.exec('begin immediate')
    // By the statement for known series, and by a transaction.
    await t.throwsAsync(index.add(instanceOf(round === 1 ? { sop: '2' } : { sop: '2', modality: 'MR' })), { code: 'DICOMTAP_ERR_QR_DATABASE' })
    other.exec('rollback')
    while (!index.isReady) await new Promise((resolve) => setImmediate(resolve))
    await Promise.all([index.add(instanceOf({ sop: `3.${round}` })), index.add(instanceOf({ sop: `4.${round}` }))])
    t.is(await countIn(file), 1 + 2 * round)
    t.notThrows(() => other.exec('begin immediate; rollback'))
  }
})

test('of a reader that met a lock nothing stays behind: what is written later is read', async (t) => {
  const file = await temporaryFile(t)
  await mkdir(path.dirname(file))
  const holder = spawn(process.execPath, ['-e', HOLD, file], { stdio: ['pipe', 'pipe', 'inherit'], cwd: path.dirname(fileURLToPath(import.meta.url)) })
  t.teardown(() => holder.kill())
  await once(holder.stdout, 'data')
  const index = await impatient(t, file, silentLog())
  t.false(index.isReady)
  holder.stdin.end()
  await once(holder, 'exit')
  while (!index.isReady) await new Promise((resolve) => setImmediate(resolve))
  for (const sop of ['1', '2', '3']) {
    await index.add(instanceOf({ sop }))
    t.is((await sopsOf(index)).length, Number(sop))
  }
})

/** Nobody else may even read. */
const HOLD = `const database = new (require('libsql'))(process.argv[1])
database.exec('pragma locking_mode = exclusive')
database.prepare('pragma journal_mode = wal').all([])
database.exec('create table other (x)')
console.log('held')
process.stdin.on('end', () => database.close()).resume()`

for (const [what, pragma, undo, message] of [
  ['full', 'max_page_count = 1', 'max_page_count = 1000000', /disk is full; make room \(SQLITE_FULL\)/],
  ['read-only', 'query_only = on', 'query_only = off', /cannot be written.*SQLITE_READONLY/],
] as const) {
  test(`${what}: what was not written is not acknowledged`, async (t) => {
    const log = silentLog()
    const index = await impatient(t, await temporaryFile(t), log)
    await sql.raw(`pragma ${pragma}`).execute(index.database)
    const results = await Promise.allSettled(Array.from({ length: 300 }, (_, number) => index.add(instanceOf({ sop: String(number), name: `doe^${'x'.repeat(200)}` }))))
    const refused = results.filter((result) => result.status === 'rejected')
    t.true(refused.length > 0)
    for (const { reason } of refused) t.regex((reason as Error).message, message)
    t.is((await index.counts()).instances, results.length - refused.length)
    t.false(index.isReady)
    await sql.raw(`pragma ${undo}`).execute(index.database)
    await log.line(/answers again/)
    await index.add(instanceOf({ sop: 'after' }))
    t.is(log.lines.length, 2)
  })
}

test('what is no index stops the start with one line', async (t) => {
  const file = await temporaryFile(t)
  const folder = path.dirname(path.dirname(file))
  await writeFile(path.join(folder, 'text.sqlite'), 'This is no database. '.repeat(1000))
  await writeFile(path.join(folder, 'plain'), '')
  for (const [name, message] of [
    ['text.sqlite', /cannot be used: it is no SQLite database.*SQLITE_NOTADB/],
    ['plain/index.sqlite', /cannot be used: what stands above it is a file and no folder; name another place in database\.sqlite$/],
    ['plain/deep/index.sqlite', /cannot be used: what stands above it is a file and no folder;/],
    ['.', /cannot be used: it is a folder; name a file in database\.sqlite, as index\.sqlite in that folder$/],
  ] as const) {
    const error = await t.throwsAsync(startIndex(t, { sqlite: path.join(folder, name) }), { code: 'DICOMTAP_ERR_QR_DATABASE', message })
    t.notRegex(error?.message ?? '', /\n/)
  }
})

test('connections that many queries at once needed are used again by the next ones', async (t) => {
  if (process.platform !== 'linux') return t.pass('there is no /proc')
  const file = await temporaryFile(t)
  const index = await startIndex(t, { sqlite: file })
  await Promise.all(Array.from({ length: 100 }, (_, number) => index.add(instanceOf({ sop: String(number) }))))
  const openFiles = async (): Promise<number> => {
    const links = await Promise.all((await readdir('/proc/self/fd')).map((one) => readlink(`/proc/self/fd/${one}`).catch(() => '')))
    return links.filter((link) => link.startsWith(file)).length
  }
  const manyQueries = async (): Promise<number> => {
    const iterators = Array.from({ length: 40 }, () => index.rows(index.database.selectFrom('instance').selectAll())[Symbol.asyncIterator]())
    await Promise.all(iterators.map((one) => one.next()))
    await Promise.all(iterators.map(async (one) => one.return?.()))
    return openFiles()
  }
  let open = 0
  for (let round = 0; round < 8; round++) open = await manyQueries()
  // The file and its log, for as many connections as each of two threads may have needed, and one that writes.
  t.true(open <= 2 * (2 * 40 + 1) + 2, String(open))
})

test('a statement that takes long holds up neither other queries nor an abort', async (t) => {
  const index = await startIndex(t, { sqlite: await temporaryFile(t) })
  await index.add(instanceOf())
  const endless = { compile: () => ({ sql: 'with recursive n(x) as (select 1 union all select x + 1 from n limit 3000000) select max(x) as x from n', parameters: [] }) as never }
  const controller = new AbortController()
  const slow = index.rows(endless, controller.signal, 'scan')[Symbol.asyncIterator]().next()
  t.is((await index.counts()).instances, 1)
  controller.abort(new Error('enough'))
  await t.throwsAsync(slow, { message: 'enough' })
  t.is(await index.setting('x'), undefined)
})

test('scans wait for each other, and lookups for none of them', async (t) => {
  const index = await startIndex(t, { sqlite: await temporaryFile(t) })
  await index.add(instanceOf())
  const long = { compile: () => ({ sql: 'with recursive n(x) as (select 1 union all select x + 1 from n limit 400000) select max(x) as x from n', parameters: [] }) as never }
  const order: string[] = []
  const first = async (name: string, rows: AsyncIterable<unknown>): Promise<void> => {
    for await (const _row of rows) break
    order.push(name)
  }
  await Promise.all([
    first('scan', index.rows(long, undefined, 'scan')),
    first('another scan', index.rows(long, undefined, 'scan')),
    first('lookup', index.rows(index.database.selectFrom('instance').select('path'))),
  ])
  t.deepEqual(order, ['lookup', 'scan', 'another scan'])
})

test('what is added while a transaction runs goes into the next one together, in its order, and apart where one row would be written twice', async (t) => {
  const batches: string[][] = []
  let release = (): void => {}
  let running = new Promise<void>((resolve) => (release = resolve))
  const queue = new WriteQueue(async (instances) => {
    batches.push(instances.map(({ path: name }) => name))
    await running
    return instances.map(({ sizeBytes }) => (sizeBytes < 0 ? new Error('negative') : undefined))
  })
  const add = (name: string, given: Given = {}): Promise<void> => queue.add(instanceOf({ sop: name, path: name, ...given }))
  const first = add('a')
  await new Promise((resolve) => setImmediate(resolve))
  const order: string[] = []
  const later = [
    add('b'),
    add('c', { sizeBytes: -1 }).catch(() => order.push('c failed')),
    add('d', { path: 'b' }),
    add('e', { sop: 'd' }),
    add('f', { patient: 'P2' }),
    queue.run(() => Promise.resolve(order.push('task'))),
    ...Array.from({ length: 300 }, (_, number) => add(`n${number}`)),
  ]
  release()
  running = Promise.resolve()
  await Promise.all([first, ...later])
  // The same path, the same instance, and the same study of another patient begin a new one each.
  t.deepEqual(batches.slice(0, 5), [['a'], ['b', 'c'], ['b'], ['e'], ['f']])
  t.deepEqual(batches.slice(5).map(({ length }) => length), [256, 44])
  t.deepEqual(order, ['c failed', 'task'])
  // From the turn in which the last one ended.
  await add('x').then(() => add('y'))
  t.deepEqual(batches.slice(7), [['x'], ['y']])
  await queue.drained()
})
