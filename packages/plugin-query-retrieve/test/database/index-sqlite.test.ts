import { isLocalFileSystemType } from '@dicomtap/framework'
import test, { type ExecutionContext } from 'ava'
import Database from 'libsql'
import { sql } from 'kysely'
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, readdir, readlink, rm, stat, statfs, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { DatabaseIndex } from '../../dist/database/database-index.js'
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

/** An index, and what its backend answered when it was asked to write at once. */
async function spiedIndex(t: ExecutionContext, file: string, options: Parameters<typeof sqliteBackend>[1]): Promise<{ readonly index: DatabaseIndex; readonly answers: unknown[] } | undefined> {
  const backend = sqliteBackend(file, options)
  const answers: unknown[] = []
  const writeAtOnce: NonNullable<typeof backend.writeAtOnce> = (statement) => {
    const answer = backend.writeAtOnce?.(statement)
    answers.push(answer)
    return answer
  }
  const index = new DatabaseIndex({ ...backend, writeAtOnce }, silentLog())
  t.teardown(() => index.close())
  await index.start()
  if (isLocalFileSystemType((await statfs(path.dirname(file))).type)) return { index, answers }
  t.pass('only on file systems that are known to be local')
  return undefined
}

test('an instance of a known series is added at once, several of one turn in one transaction; a thread does all else', async (t) => {
  const file = await temporaryFile(t)
  const spied = await spiedIndex(t, file, { watch: QUICK })
  if (spied === undefined) return
  const { index, answers } = spied
  const last = async (...instances: readonly Given[]): Promise<unknown> => {
    await Promise.all(instances.map((given) => index.add(instanceOf(given))))
    return answers.at(-1)
  }
  t.deepEqual(await last({ sop: '1' }), [0], 'a new series')
  t.deepEqual(await last({ sop: '2' }), [1])
  t.deepEqual(await last({ sop: '3' }, { sop: '4' }, { sop: '5', series: 'new' }), [1, 1, 0])
  t.is(await last({ sop: '2' }), undefined, 'it is there')
  t.is(await last({ sop: '6' }, { sop: '3', path: 'elsewhere' }), undefined, 'one of two is there')
  t.deepEqual(await last({ sop: '7', modality: 'MR' }), [0], 'the series changes')
  t.deepEqual(await last({ sop: '8', modality: 'MR' }, { sop: '9', modality: 'MR', keyValues: [{ tag: 1, value: 'x' }] }), [1], 'with values of its own')
  t.is((await index.counts()).instances, 9)
  t.deepEqual([...(await index.knownPaths(['elsewhere', 'P1/3.dcm'])).keys()], ['elsewhere'])
  t.deepEqual((await index.database.selectFrom('study').select('size_bytes').execute()).map((row) => row.size_bytes), [9000])

  const other = new Database(file)
  t.teardown(() => other.close())
  other.exec('begin immediate')
  const asked = answers.length
  const adding = index.add(instanceOf({ sop: '10', modality: 'MR' }))
  while (answers.length === asked) await new Promise((resolve) => setImmediate(resolve))
  t.is(answers.at(-1), undefined, 'somebody else writes')
  other.exec('commit')
  await adding
  t.is((await index.counts()).instances, 10)
  // Not before the other one has had its time.
  const again = index.add(instanceOf({ sop: '11', modality: 'MR' }))
  await again
  t.is((await index.counts()).instances, 11)
})

test('nothing is written at once while the disk is slow', async (t) => {
  const spied = await spiedIndex(t, await temporaryFile(t), { watch: { ...QUICK, isQuick: () => false } })
  if (spied === undefined) return
  for (const sop of ['1', '2', '3']) await spied.index.add(instanceOf({ sop }))
  t.deepEqual(spied.answers, [undefined, undefined, undefined])
  t.is((await spied.index.counts()).instances, 3)
})

test('what is written at once makes the log of changes no longer than a thread lets it become', async (t) => {
  const file = await temporaryFile(t)
  const spied = await spiedIndex(t, file, { watch: QUICK, checkpointBytes: 262_144 })
  if (spied === undefined) return
  const { index } = spied
  for (let sop = 0; sop < 600; sop++) await index.add(instanceOf({ sop: String(sop) }))
  // Of 600 transactions it is 20 MB.
  t.true((await stat(`${file}-wal`)).size < 12_000_000)
  t.is((await index.counts()).instances, 600)
  await index.close()
  const log = await stat(`${file}-wal`).then(({ size }) => size, () => 0)
  t.is(log, 0, 'who copies the file has all of it')
  t.is(await countIn(file), 600)
})

test('the end waits for no checkpoint that hangs', async (t) => {
  const file = await temporaryFile(t)
  await (await startIndex(t, { sqlite: file })).close()
  let hasBegun = false
  const writer = new WriterAtOnce(
    file,
    () => {
      hasBegun = true
      return new Promise(() => {})
    },
    { watch: QUICK, checkpointBytes: 1 },
  )
  await writer.open()
  const written = writer.write({ sql: 'update setting set value = value where name = ?', parameters: [['lastContact']] })
  if (written === undefined) return t.pass()
  t.true(hasBegun)
  t.is(writer.close() as unknown, undefined, 'there is nothing to wait for')
  t.is(writer.write({ sql: 'select 1', parameters: [[]] }), undefined)
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
