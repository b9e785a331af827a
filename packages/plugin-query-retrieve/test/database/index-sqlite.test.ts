import test, { type ExecutionContext } from 'ava'
import Database from 'libsql'
import { sql } from 'kysely'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readFile, readdir, readlink, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { DatabaseIndex } from '../../dist/database/database-index.js'
import type { InstanceIndex } from '../../dist/database/instance-index.js'
import { sqliteBackend } from '../../dist/database/sqlite/backend.js'
import { WriteQueue } from '../../dist/database/write-queue.js'
import type { IndexedInstance } from '../../dist/model/instance.js'
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

const sopsOf = async (index: InstanceIndex): Promise<readonly string[]> => {
  const sops: string[] = []
  for await (const row of index.rows(index.database.selectFrom('instance').select('sop_instance_uid').orderBy('id'))) sops.push(row.sop_instance_uid)
  return sops
}

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

test('after a lock was met, what is acknowledged is committed, and nothing stays locked', async (t) => {
  const file = await temporaryFile(t)
  const log = silentLog()
  const index = new DatabaseIndex(sqliteBackend(file, { busyTimeoutMs: 50 }), log)
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

test('what is no instance is refused to whoever adds it, and to nobody else', async (t) => {
  const written: string[] = []
  const queue = new WriteQueue(async (instances) => {
    written.push(...instances.map(({ path: name }) => name))
    return instances.map(() => undefined)
  })
  const before = queue.add(instanceOf({ path: 'before' }))
  const broken = queue.add({ path: 'broken' } as IndexedInstance)
  await t.throwsAsync(broken, { instanceOf: TypeError })
  await Promise.all([before, queue.add(instanceOf({ path: 'after', sop: 'other' }))])
  t.deepEqual(written, ['before', 'after'])
})
