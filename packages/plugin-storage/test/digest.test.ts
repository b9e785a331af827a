import test, { type ExecutionContext } from 'ava'
import { createHash, randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, open, readFile } from 'node:fs/promises'
import path from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { crc32 } from 'node:zlib'
import { BufferPool } from '../dist/buffer-pool.js'
import { DigestThread, type ThreadDigest } from '../dist/digest/digest-thread.js'
import type { Received } from '../dist/digest/read-back.js'
import { FileSink } from '../dist/file-sink.js'
import { type FileSystem, nodeFileSystem } from '../dist/file-system.js'
import { readRecords, recordFiles } from '../dist/records/read-records.js'
import { StagedFile } from '../dist/staged-file.js'
import { storeFixture, temporaryFolder } from './support/store-fixture.js'

const MIB = 1024 * 1024

const received = (bytes: Uint8Array): Received => ({ sizeBytes: bytes.length, crc32: crc32(bytes) })

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

async function fileOf(t: ExecutionContext, bytes: Uint8Array): Promise<FileHandle> {
  const file = await open(path.join(await temporaryFolder(t), 'object'), 'w+')
  t.teardown(() => file.close())
  await file.write(bytes)
  return file
}

/** A thread that has started, and its first digest. */
async function started(t: ExecutionContext): Promise<{ thread: DigestThread; digest: ThreadDigest }> {
  const thread = new DigestThread((error) => t.fail(String(error)))
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
  const part = bytes.subarray(0, 9 * MIB)
  const none = Buffer.alloc(0)
  t.deepEqual(
    await Promise.all([first.end(fd, received(bytes)), second.end(fd, received(part)), (thread.begin() as ThreadDigest).end(fd, received(none))]),
    [bytes, part, none].map(sha256),
  )
})

test('a file that is not what was received has no digest', async (t) => {
  const { thread, digest } = await started(t)
  const bytes = Buffer.from('bytes')
  const { fd } = await fileOf(t, bytes)
  const next = (): ThreadDigest => thread.begin() as ThreadDigest
  await t.throwsAsync(digest.end(fd, { sizeBytes: 6, crc32: crc32(bytes) }), { code: 'EIO', message: /shorter/ })
  await t.throwsAsync(next().end(fd, { sizeBytes: 5, crc32: crc32(Buffer.from('bites')) }), { code: 'EIO', message: /is not what/ })
  await t.throwsAsync(next().end(2 ** 31 - 1, received(bytes)), { code: 'EBADF' })
  t.is(await next().end(fd, received(bytes)), sha256(bytes), 'and the thread goes on')
})

test('a thread that is stopped answers those who wait that it has none', async (t) => {
  const { thread, digest } = await started(t)
  const bytes = Buffer.from('bytes')
  const { fd } = await fileOf(t, bytes)
  const waiting = digest.end(fd, received(bytes))
  await thread.stop()
  t.true([undefined, sha256(bytes)].includes(await waiting))
  t.is(thread.begin(), undefined)
  t.is(await digest.end(fd, received(bytes)), undefined)
})

for (const [what, changed] of [['is read back in the event loop', false], ['is refused when it is not what was received', true]] as const) {
  test(`what the thread ended before it was told of ${what}`, async (t) => {
    const gone = { begin: () => ({ advance: () => {}, end: () => Promise.resolve(undefined), abandon: () => {} }) } as unknown as DigestThread
    const file = path.join(await temporaryFolder(t), '1.part')
    const fileSystem = { ...nodeFileSystem }
    if (changed) fileSystem.write = (descriptor, pieces) => nodeFileSystem.write(descriptor, pieces.map((piece) => Buffer.from(piece).fill(7, 1000, 1001)), 0)
    const bytes = randomBytes(600_000)
    const sink = new FileSink({
      pool: new BufferPool(), header: bytes.subarray(0, 300), inspect: () => {}, sha256: true, digests: gone,
      create: async () => new StagedFile(fileSystem, file, await fileSystem.open(file, constants.O_RDWR | constants.O_CREAT, 0o600)),
    })
    for (const [from, to] of [[300, 1300], [1300, 400_000], [400_000, 600_000]]) await sink.write([bytes.subarray(from, to)])
    if (changed) await t.throwsAsync(sink.finish(true), { code: 'EIO', message: /is not what/ })
    else t.is((await sink.finish(true)).sha256, sha256(bytes))
    await sink.discard()
  })
}

test('bytes that change on their way to the disk are refused with 0110, before the answer', async (t) => {
  let isChanging = false
  const write: FileSystem['write'] = (descriptor, pieces, positionBytes) =>
    nodeFileSystem.write(descriptor, isChanging && positionBytes > 0 ? pieces.map((piece) => Buffer.from(piece).fill(7, 0, 10)) : pieces, positionBytes)
  const fileSystem: FileSystem = { ...nodeFileSystem, write, local: { isQuick: () => true, hasName: () => true } }
  const { send, files } = await storeFixture(t, { fileSystem, options: { durability: 'fsync' } })
  // The thread starts with the first; until it has, nothing is read back.
  t.is(await send({ sopInstanceUid: '1.1', pixelBytes: 600_000 }), 0)
  isChanging = true
  let status = 0
  let count = 0
  while (status === 0) status = await send({ sopInstanceUid: `1.2.${++count}`, pixelBytes: 600_000 })
  t.is(status, 0x0110)
  t.false((await files()).some((file) => file.endsWith(`1.2.${count}.dcm`)))
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
