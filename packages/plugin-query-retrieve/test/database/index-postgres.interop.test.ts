import test, { type ExecutionContext } from 'ava'
import pg from 'pg'
import { hasPostgres, PASSWORD_USER, startPostgres, type TestPostgres } from '../support/postgres.js'
import { instanceOf } from './support/instances.js'
import { silentLog } from './support/log.js'
import { indexSuite, startIndex } from './support/suite.js'

let postgres: TestPostgres | undefined
const needsPostgres = (hasPostgres ? test : test.skip) as typeof test

if (hasPostgres) {
  test.before(async () => {
    postgres = await startPostgres()
  })
  test.after.always(() => postgres?.close())
}

async function createUrl(t: ExecutionContext): Promise<string> {
  const database = await (postgres as TestPostgres).createDatabase()
  t.teardown(() => database.drop())
  return database.url
}

async function withClient<T>(url: string, use: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url })
  client.on('error', () => undefined)
  await client.connect()
  try {
    return await use(client)
  } finally {
    await client.end()
  }
}

const urlOf = (database: unknown): string => (database as { postgres: { url: string } }).postgres.url

indexSuite(needsPostgres, {
  create: async (t) => ({ postgres: { url: await createUrl(t), maximumConnections: 6 } }),
  // What has begun a statement and not ended it, besides this one.
  openCursors: (_index, database) =>
    withClient(urlOf(database), async (client) => {
      const { rows } = await client.query<{ count: string }>(`select count(*) from pg_stat_activity where datname = current_database() and application_name = 'dicomtap' and state <> 'idle'`)
      return Number(rows[0]?.count)
    }),
})

needsPostgres('an abort ends the statement in the server, even one without a row yet', async (t) => {
  const url = await createUrl(t)
  const index = await startIndex(t, { postgres: { url } })
  const controller = new AbortController()
  const slow = index.rows({ compile: () => ({ sql: 'select pg_sleep(600)', parameters: [] }) as never }, controller.signal)[Symbol.asyncIterator]().next()
  await withClient(url, async (client) => {
    const sleeping = async (): Promise<number> => (await client.query(`select 1 from pg_stat_activity where query = 'select pg_sleep(600)' and state = 'active'`)).rowCount ?? 0
    while ((await sleeping()) === 0);
    controller.abort(new Error('enough'))
    await t.throwsAsync(slow, { message: 'enough' })
    while ((await sleeping()) > 0);
  })
  await index.add(instanceOf())
  t.true(index.isReady)
})

needsPostgres('users and databases that do not exist, and URLs that are none, stop the start without a word of a password', async (t) => {
  const url = new URL(await createUrl(t))
  url.username = 'nobody-knows'
  url.password = 'hidden-secret'
  const role = await t.throwsAsync(startIndex(t, { postgres: { url: url.href } }), { code: 'DICOMTAP_ERR_QR_DATABASE', message: /cannot be used: it does not let this user in.*SQLSTATE 28000/ })
  t.notRegex(role?.message ?? '', /hidden-secret|\n/)
  url.username = 'dicomtap'
  url.pathname = '/absent'
  await t.throwsAsync(startIndex(t, { postgres: { url: url.href } }), { code: 'DICOMTAP_ERR_QR_DATABASE', message: /PostgreSQL 127\.0\.0\.1:\d+\/absent cannot be used: the database does not exist/ })
  for (const wrong of ['mysql://x', 'postgres://u:hidden-secret@[', '']) {
    const error = await t.throwsAsync(startIndex(t, { postgres: { url: wrong } }), { code: 'DICOMTAP_ERR_PLG_OPTIONS' })
    t.notRegex(error?.message ?? '', /hidden-secret/)
  }
})

needsPostgres('read-only: what was not written is not acknowledged, and queries go on', async (t) => {
  const url = await createUrl(t)
  const log = silentLog()
  const index = await startIndex(t, { postgres: { url } }, log)
  await index.add(instanceOf())
  const name = new URL(url).pathname.slice(1)
  const end = `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and application_name = 'dicomtap'`
  await withClient(url, async (client) => {
    await client.query(`alter database ${name} set default_transaction_read_only = on`)
    await client.query(end)
    await t.throwsAsync(index.add(instanceOf({ sop: '2' })), { code: 'DICOMTAP_ERR_QR_DATABASE', message: /cannot be written: it is read-only/ })
    t.is((await index.counts()).instances, 1)
    t.false(index.isReady)
  })
  await withClient(url, async (client) => {
    await client.query('set default_transaction_read_only = off')
    await client.query(`alter database ${name} reset default_transaction_read_only`)
    await client.query(end)
  })
  await log.line(/answers again/)
  await index.add(instanceOf({ sop: '3' }))
  t.is((await index.counts()).instances, 2)
})

needsPostgres('connections that break while nobody needs them are replaced without a word', async (t) => {
  const url = await createUrl(t)
  const log = silentLog()
  const index = await startIndex(t, { postgres: { url } }, log)
  for (let round = 0; round < 3; round++) {
    await index.add(instanceOf({ sop: String(round) }))
    await withClient(url, (client) => client.query(`select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()`))
  }
  let seen = 0
  for await (const _row of index.rows(index.database.selectFrom('instance').select('id'))) seen++
  t.is(seen, 3)
  t.deepEqual(log.lines, [])
})

needsPostgres('connections that break under load: what was acknowledged is there, the rest was refused', async (t) => {
  const url = await createUrl(t)
  const index = await startIndex(t, { postgres: { url } })
  const acknowledged = new Set<string>()
  let isOver = false
  const adding = Array.from({ length: 8 }, async (_, worker) => {
    for (let number = 0; number < 60; number++) {
      const instance = instanceOf({ patient: `P${number}`, study: `1.${worker}.${number % 7}`, sop: `${worker}.${number}`, path: `${worker}/${number}` })
      await index.add(instance).then(
        () => acknowledged.add(instance.path),
        (error: unknown) => t.like(error, { code: 'DICOMTAP_ERR_QR_DATABASE' }),
      )
    }
  })
  const ending = withClient(url, async (client) => {
    while (!isOver) await client.query(`select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and application_name = 'dicomtap' and random() < 0.2`)
  })
  await Promise.all(adding)
  isOver = true
  await ending
  const again = await startIndex(t, { postgres: { url } })
  const known = new Set<string>()
  for await (const { path } of again.paths()) known.add(path)
  t.deepEqual([...acknowledged].filter((path) => !known.has(path)), [])
})

const needsCluster: typeof test = (hasPostgres && process.env['DICOMTAP_POSTGRES_URL'] === undefined ? test : test.skip) as typeof test

needsCluster('a password in the URL or apart from it, a wrong one and none', async (t) => {
  const url = new URL(await createUrl(t))
  const password = 'p@ss:w/rd#%?ß'
  await withClient(url.href, (client) => client.query(`create role ${PASSWORD_USER} login superuser password '${password}'`))
  url.username = PASSWORD_USER
  process.env['DICOMTAP_TEST_PASSWORD'] = password
  const apart = await startIndex(t, { postgres: { url: url.href, password: { env: 'DICOMTAP_TEST_PASSWORD' } } })
  await apart.add(instanceOf())
  await t.throwsAsync(startIndex(t, { postgres: { url: url.href } }), { code: 'DICOMTAP_ERR_QR_DATABASE', message: /it wants a password/ })
  url.password = 'wrong-secret'
  const overridden = await startIndex(t, { postgres: { url: url.href, password } })
  t.is((await overridden.counts()).instances, 1)
  const error = await t.throwsAsync(startIndex(t, { postgres: { url: url.href } }), { code: 'DICOMTAP_ERR_QR_DATABASE', message: /does not take user and password \(SQLSTATE 28P01\)/ })
  t.notRegex(error?.message ?? '', /wrong-secret/)
  url.password = encodeURIComponent(password)
  const within = await startIndex(t, { postgres: { url: url.href } })
  t.is((await within.counts()).instances, 1)
})

needsCluster('PostgreSQL stopped and started again: refused, said once, and back by itself; a start without it goes on trying', async (t) => {
  const own = await startPostgres()
  t.teardown(() => own.close())
  const { url } = await own.createDatabase()
  const log = silentLog()
  const index = await startIndex(t, { postgres: { url } }, log)
  await index.add(instanceOf({ sop: '1' }))
  const cursor = index.rows(index.database.selectFrom('instance').selectAll())[Symbol.asyncIterator]()
  await cursor.next()
  await own.cluster?.stop()
  await t.throwsAsync(cursor.next().then(({ done }) => (done === true ? undefined : cursor.next())), { code: 'DICOMTAP_ERR_QR_DATABASE' })
  await t.throwsAsync(index.add(instanceOf({ sop: '2' })), { code: 'DICOMTAP_ERR_QR_DATABASE', message: /does not answer/ })
  await t.throwsAsync(index.add(instanceOf({ sop: '3' })), { code: 'DICOMTAP_ERR_QR_DATABASE' })
  await t.throwsAsync(index.counts(), { code: 'DICOMTAP_ERR_QR_DATABASE' })
  t.false(index.isReady)
  const lateLog = silentLog()
  const late = await startIndex(t, { postgres: { url } }, lateLog)
  t.false(late.isReady)
  await t.throwsAsync(late.add(instanceOf()), { code: 'DICOMTAP_ERR_QR_DATABASE', message: /ECONNREFUSED/ })

  await own.cluster?.start()
  await Promise.all([log.line(/answers again/), lateLog.line(/answers again/)])
  await Promise.all([index.add(instanceOf({ sop: '4' })), late.add(instanceOf({ sop: '5' }))])
  t.is((await late.counts()).instances, 3)
  for (const { lines } of [log, lateLog]) t.deepEqual(lines.map((line) => line.split(':', 1)[0]), ['error', 'info'])
})
