import test, { type ExecutionContext } from 'ava'
import { createHash, randomBytes } from 'node:crypto'
import { type FileHandle, open, readFile } from 'node:fs/promises'
import path from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { DigestThread, type ThreadDigest } from '../dist/digest/digest-thread.js'
import { nodeFileSystem } from '../dist/file-system.js'
import { readRecords, recordFiles } from '../dist/records/read-records.js'
import { storeFixture, temporaryFolder } from './support/store-fixture.js'

const MIB = 1024 * 1024

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

async function fileOf(t: ExecutionContext, bytes: Uint8Array): Promise<FileHandle> {
  const file = await open(path.join(await temporaryFolder(t), 'object'), 'w+')
  t.teardown(() => file.close())
  await file.write(bytes)
  return file
}

/** A thread that has started, and its first digest. */
async function started(t: ExecutionContext): Promise<{ thread: DigestThread; digest: ThreadDigest }> {
  const thread = new DigestThread()
  t.teardown(() => thread.stop())
  for (;;) {
    const digest = thread.begin()
    if (digest !== undefined) return { thread, digest }
    await nextTurn()
  }
}

test('a thread computes digests of files as they grow, several at once', async (t) => {
  const { thread, digest: first } = await started(t)
  const bytes = randomBytes(13 * MIB + 5)
  const { fd } = await fileOf(t, bytes)
  const second = thread.begin() as ThreadDigest
  const abandoned = thread.begin() as ThreadDigest
  for (const toBytes of [1, 5 * MIB, 6 * MIB, 9 * MIB]) for (const digest of [first, second, abandoned]) digest.advance(fd, toBytes)
  abandoned.abandon()
  t.deepEqual(await Promise.all([first.end(fd, bytes.length), second.end(fd, 9 * MIB), (thread.begin() as ThreadDigest).end(fd, 0)]), [
    sha256(bytes), sha256(bytes.subarray(0, 9 * MIB)), sha256(Buffer.alloc(0)),
  ])
})

test('a file that is shorter than what was written to it has no digest', async (t) => {
  const { thread, digest } = await started(t)
  const { fd } = await fileOf(t, Buffer.from('short'))
  await t.throwsAsync(digest.end(fd, 6), { code: 'EIO', message: /shorter/ })
  t.is(await (thread.begin() as ThreadDigest).end(fd, 5), sha256(Buffer.from('short')), 'and the thread goes on')
})

test('a thread that ends answers those who wait, and nobody after them', async (t) => {
  const { thread, digest } = await started(t)
  const { fd } = await fileOf(t, Buffer.from('bytes'))
  const waiting = digest.end(fd, 5)
  const stopped = thread.stop()
  await Promise.all([stopped, waiting.then((answer) => t.is(answer, sha256(Buffer.from('bytes'))), (error: unknown) => t.like(error, { code: 'EIO' }))])
  t.is(thread.begin(), undefined)
  await t.throwsAsync(digest.end(fd, 5), { code: 'EIO' })
})

for (const options of [{ durability: 'fsync' }, { durability: 'close', sha256: true }, { durability: 'close', record: 'sha256' }]) {
  test(`${JSON.stringify(options)}: what is recorded is the digest of the file, whoever computed it`, async (t) => {
    const { send, directory, hooks } = await storeFixture(t, { options })
    const told: (string | undefined)[] = []
    hooks.instanceStored.tap('test', (instance) => void told.push(instance.sha256))
    const sizes = [10, 100_000, 300_000, 5 * MIB, 9 * MIB, 70_000, 12]
    const sent: string[] = []
    for (const [index, pixelBytes] of sizes.entries()) {
      // Long enough for the thread to start while the first ones are stored.
      for (let more = 0; more < 3; more++) {
        const sopInstanceUid = `1.2.3.${index}.${more}`
        t.is(await send({ sopInstanceUid, pixelBytes }), 0)
        sent.push(sha256(await readFile(path.join(directory, '1.2.3/1.2.3.4', `${sopInstanceUid}.dcm`))))
      }
    }
    t.deepEqual(told, sent)
    if (options.record === undefined && options.durability === 'close') return
    const recorded: (string | undefined)[] = []
    const records = path.join(directory, '.dicomtap', 'records')
    for await (const batch of readRecords(nodeFileSystem, records, await recordFiles(nodeFileSystem, records))) recorded.push(...batch.records.map((one) => one.sha256))
    t.deepEqual(recorded, sent)
  })
}
