import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { hasPostgres, startPostgres, type TestPostgres } from '../support/postgres.js'
import { archive, client, found, image, scanned, store, temporaryFolder, writeImage } from './support/archive.js'
import { kill, startServer, storeUntilKilled } from './support/crash.js'
import { run } from './support/run-command.js'

// One of them ends the server.
const needsPostgres = hasPostgres ? test.serial : test.serial.skip
let postgres: TestPostgres | undefined
if (hasPostgres) {
  test.before(async () => {
    postgres = await startPostgres()
  })
  test.after.always(() => postgres?.close())
}

needsPostgres('two servers with one index and one folder: kill -9 of one, what each of them acknowledged is found by the other', async (t) => {
  t.timeout(120_000)
  const { url } = await postgres!.createDatabase()
  const folder = await temporaryFolder(t)
  const [first, second] = await Promise.all([startServer(t, folder, 'close', 'replace', url), startServer(t, folder, 'close', 'replace', url)])
  const acknowledged = new Map<string, string>()
  let stored = 0
  const onAcknowledged = (): void => {
    stored += 1
    if (stored === 60) first.child.kill('SIGKILL')
    if (stored === 120) second.child.kill('SIGKILL')
  }
  await Promise.all([first.port, first.port, second.port, second.port].map((port, sender) => storeUntilKilled(t, port, sender + 1, { round: 1, isReplacing: true }, acknowledged, onAcknowledged)))
  await Promise.all([kill(first), kill(second)])

  const third = await archive(t, { folder, index: { database: { postgres: { url } } } })
  const association = await client(t, third.server.port)
  const atOnce = await found(association)
  for (const [uid, number] of acknowledged) t.true(Number(atOnce[uid]) >= Number(number), `${uid}: ${atOnce[uid]}, answered ${number}`)
  await scanned(third)
  const files = (await readdir(join(third.data, '2.25.1'))).map((name) => name.replace('.dcm', ''))
  t.deepEqual(Object.keys(await found(association)), files.sort())
  await third.close()
  t.is((await run(folder, 'check', { database: url, deep: true })).code, 0)
})

needsPostgres('rebuild, check and stats', async (t) => {
  const { url } = await postgres!.createDatabase()
  const folder = await temporaryFolder(t)
  for (const seed of [1, 2, 3]) await writeImage(join(folder, `data/é\u{1f600}/${seed}.dcm`), image(seed))
  t.regex((await run(folder, 'rebuild', { database: url })).stdout, /3 files, 3 instances indexed/)
  await writeImage(join(folder, 'data/new.dcm'), image(4))
  t.is((await run(folder, 'check', { database: url })).code, 1)
  t.is((await run(folder, 'check', { database: url, repair: true, deep: true })).code, 0)
  const { stdout } = await run(folder, 'stats', { database: url, json: true })
  t.like(JSON.parse(stdout), { patients: 1, studies: 1, series: 1, instances: 4, oldestStudyDate: '20200102', database: { kind: 'postgres' } })
})

needsPostgres('PostgreSQL ends: A700 and no file; it is back: stores are accepted again, and the index is right', async (t) => {
  const { cluster } = postgres!
  if (cluster === undefined) return t.pass('a server that was given is left alone')
  t.timeout(120_000)
  const { url } = await postgres!.createDatabase()
  const one = await archive(t, { folder: await temporaryFolder(t), index: { database: { postgres: { url } } } })
  await scanned(one)
  const association = await client(t, one.server.port)
  t.is(await store(association, image(1)), 0)
  await cluster.stop()
  t.is(await store(association, image(2)), 0xa700)
  t.deepEqual(await readdir(join(one.data, '2.25.1')), ['2.25.3.1.dcm'])
  await cluster.start()
  let status = 0xa700
  for (let attempt = 0; status !== 0 && attempt < 600; attempt++) {
    status = await store(association, image(2))
    if (status !== 0) await new Promise((resolve) => setTimeout(resolve, 50))
  }
  t.is(status, 0)
  t.deepEqual(Object.keys(await found(association)), ['2.25.3.1', '2.25.3.2'])
})
