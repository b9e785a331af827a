import { once } from 'node:events'
import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import Database from 'libsql'
import { archive, client, found, image, scanned, store, temporaryFolder } from './support/archive.js'
import { startServer, storeUntilKilled } from './support/crash.js'

const isFull = process.env['DICOMTAP_FAULTS'] === 'full'
const SENDERS = 4

// What replaces is in the index when it is answered; what is new is on its way there.
for (const [durability, duplicates] of [['close', 'replace'], ['close', 'keep'], ...(isFull ? [['fsync', 'replace'], ['fsync', 'keep']] as const : [])] as const) {
  test(`kill -9 of a server that stores, ${durability}, ${duplicates}: whatever was answered 0000 is found, with what was sent last`, async (t) => {
    t.timeout(300_000)
    const folder = await temporaryFolder(t)
    const acknowledged = new Map<string, string>()
    for (let round = 1; round <= (isFull ? 8 : 2); round++) {
      const { child, port } = await startServer(t, folder, durability, duplicates)
      const killAt = acknowledged.size + 25 + Math.floor(Math.random() * 50)
      let stored = acknowledged.size
      const onAcknowledged = (): void => {
        if (++stored === killAt) child.kill('SIGKILL')
      }
      await Promise.all(Array.from({ length: SENDERS }, (_, sender) => storeUntilKilled(t, port, sender + 1, { round, isReplacing: duplicates === 'replace' }, acknowledged, onAcknowledged)))
      if (child.signalCode === null) await once(child, 'exit')
      t.is(child.signalCode, 'SIGKILL')
    }
    t.true(acknowledged.size >= 15)

    const again = await archive(t, { folder })
    const association = await client(t, again.server.port)
    // At once: the scan is for what was not answered.
    const atOnce = await found(association)
    // Of an instance that was being replaced the file may be newer than what was answered, and the row not yet.
    for (const [uid, number] of acknowledged) t.true(Number(atOnce[uid]) >= Number(number), `${uid}: ${atOnce[uid]}, answered ${number}`)
    await scanned(again)
    const files = (await readdir(join(again.data, '2.25.1'))).map((name) => name.replace('.dcm', '')).sort()
    const rows = await found(association)
    t.deepEqual(Object.keys(rows).sort(), files)
    for (const [uid, number] of acknowledged) t.true(Number(rows[uid]) >= Number(number), uid)
    await again.close()
    t.like(await scanned(await archive(t, { folder })), { added: 0, removed: 0, unusable: 0 })
  })
}

test('two servers with one index: what one has answered 0000 the other finds at once, also when the one is killed', async (t) => {
  t.timeout(60_000)
  const folder = await temporaryFolder(t)
  const [one, other] = [await startServer(t, folder, 'close', 'keep'), await startServer(t, folder, 'close', 'keep')]
  const [sender, asker] = [await client(t, one.port), await client(t, other.port)]
  const stored: string[] = []
  for (let round = 1; round <= 20; round++) {
    for (let seed = 1; seed <= 5; seed++) {
      const sopInstanceUid = `2.25.3.${round}.${seed}`
      t.is(await store(sender, image(1, { sopInstanceUid })), 0)
      stored.push(sopInstanceUid)
    }
    if (round === 20) one.child.kill('SIGKILL')
    t.deepEqual(Object.keys(await found(asker)).sort(), stored.toSorted())
  }
})

// It takes as long as a statement waits for a lock.
if (isFull) {
  test('the database is locked by another program: A700, the file is taken back, one line; then all goes on', async (t) => {
    t.timeout(60_000)
    const one = await archive(t, { folder: await temporaryFolder(t) })
    await scanned(one)
    const association = await client(t, one.server.port)
    t.is(await store(association, image(1)), 0)
    const other = new Database(one.database)
    other.exec('begin immediate')
    // What comes at once after another is answered while that is being written.
    await new Promise((resolve) => setTimeout(resolve, 150))
    t.is(await store(association, image(2)), 0xa700)
    t.is(await store(association, image(3)), 0xa700)
    await t.throwsAsync(readFile(join(one.data, '2.25.1/2.25.3.2.dcm')), { code: 'ENOENT' })
    // What is there is still found.
    t.deepEqual(Object.keys(await found(association)), ['2.25.3.1'])
    t.is(one.lines('error').filter(({ message }) => message.startsWith('the index cannot be written')).length, 1)
    other.exec('rollback')
    other.close()
    let status = 0xa700
    for (let attempt = 0; status !== 0 && attempt < 300; attempt++) {
      status = await store(association, image(2))
      if (status !== 0) await new Promise((resolve) => setTimeout(resolve, 50))
    }
    t.is(status, 0)
    t.deepEqual(Object.keys(await found(association)), ['2.25.3.1', '2.25.3.2'])
  })
}
