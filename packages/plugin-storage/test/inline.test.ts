import test from 'ava'
import { isLocalFileSystemType, StallWatch } from '@dicomtap/framework'
import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { DiskWatch } from '../dist/disk-watch.js'
import { nodeFileSystem, writeAll } from '../dist/file-system.js'
import { inlineFileSystem } from '../dist/inline-file-system.js'
import { FaultyFileSystem } from './support/faulty-file-system.js'
import { dataSetOf } from './support/objects.js'
import { storeFixture, temporaryFolder } from './support/store-fixture.js'

const CREATE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL

test('calls are made at once when the first one, in a thread, showed that the disk is quick', async (t) => {
  const folder = await temporaryFolder(t)
  const threads = new FaultyFileSystem()
  const inline = inlineFileSystem(threads.fileSystem, () => 0)
  const file = path.join(folder, 'a')
  const descriptor = await inline.open(file, CREATE, 0o600)
  t.deepEqual(threads.calls, [`open ${file}`])
  threads.calls.length = 0
  const buffer = Buffer.alloc(100_000, 7)
  t.is(inline.write(descriptor, [buffer.subarray(0, 400), buffer.subarray(0, 600)], 0), 1000)
  t.is(inline.write(descriptor, [buffer], 1000), 100_000)
  await inline.close(descriptor)
  await inline.link(file, path.join(folder, 'b'))
  await inline.rename(file, path.join(folder, 'c'))
  await inline.unlink(path.join(folder, 'c'))
  t.deepEqual(threads.calls, [])
  t.is((await readFile(path.join(folder, 'b'))).length, 101_000)
})

test('pieces of any size, from any position, are written in their order', async (t) => {
  const folder = await temporaryFolder(t)
  const inline = inlineFileSystem(nodeFileSystem)
  const bytes = randomBytes(700_000)
  for (const sizes of [[999], [65_535, 1, 65_536, 65_537], [3, 131_071, 2], [200_000], [65_536, 65_536]]) {
    const file = path.join(folder, sizes.join('-'))
    const descriptor = await inline.open(file, CREATE, 0o600)
    for (let position = 0, end = 0; position < bytes.length; position = end) {
      const pieces = sizes.map((size) => bytes.subarray(end, (end += size)))
      await writeAll(inline, descriptor, pieces, position)
    }
    await inline.close(descriptor)
    t.true((await readFile(file)).equals(bytes), sizes.join())
  }
})

test('an error is a rejection, never a throw', async (t) => {
  const inline = inlineFileSystem(nodeFileSystem)
  const opened = inline.open(path.join(await temporaryFolder(t), 'missing', 'a'), CREATE)
  await t.throwsAsync(opened, { code: 'ENOENT' })
})

test('a stall is felt once: the next calls go to the thread pool, for longer each time it happens again', (t) => {
  const watch = new StallWatch()
  t.true(watch.isQuick(0))
  watch.report(0, 4)
  t.true(watch.isQuick(4), 'four milliseconds are no stall')
  watch.report(100, 110)
  watch.report(900, 925)
  t.true(watch.isQuick(925), 'less than 50 ms within a second may be the processor')
  watch.report(1000, 1050)
  t.false(watch.isQuick(1050))
  t.false(watch.isQuick(1149))
  t.true(watch.isQuick(1150), '100 ms after the first')
  watch.report(1200, 1210)
  t.false(watch.isQuick(1409), 'a short one is enough for a disk that stalled just before')
  t.true(watch.isQuick(1410), '200 ms after the second')
  let end = 1410
  for (const pauseMs of [400, 800, 1600, 3200, 6400, 10_000, 10_000]) {
    watch.report(end, end + 100)
    end += 100 + pauseMs
    t.false(watch.isQuick(end - 1))
    t.true(watch.isQuick(end), `then ${pauseMs} ms`)
  }
  watch.report(end + 1000, end + 1100)
  t.true(watch.isQuick(end + 1200), 'forgiven after a second without one')
})

test('a disk of which most calls take some milliseconds is slow, a processor that others use is not', (t) => {
  // What a small object takes: calls that end in the page cache, and those that wait for the disk.
  const callsUntilSlow = (durations: readonly number[]): number => {
    const watch = new StallWatch()
    let now = 0
    for (let calls = 0; calls < 100_000; calls++) {
      if (!watch.isQuick(now)) return calls
      const tookMs = durations[calls % durations.length] ?? 0
      watch.report(now, now + tookMs)
      now += tookMs + 0.1
    }
    return Infinity
  }
  t.is(callsUntilSlow([2]), 8)
  t.true(callsUntilSlow([0.03, 2]) <= 24, 'the writes alone')
  t.is(callsUntilSlow(Array.from({ length: 100 }, (_, call) => (call === 50 ? 4 : 0.03))), Infinity, 'a time slice now and then')
  t.is(callsUntilSlow([0.03, 0.4]), Infinity)
})

test('many short stalls are as bad as a long one', (t) => {
  const watch = new StallWatch()
  let calls = 0
  for (let now = 0; watch.isQuick(now); now += 40) {
    watch.report(now, now + 10)
    calls += 1
  }
  t.is(calls, 6, '10 of each 40 ms, of which 1.5 are tolerated')
})

test('a sync that is long under way, or took long, sends calls to the thread pool; so does a rest', (t) => {
  const watch = new DiskWatch()
  t.false(watch.isQuick(0), 'nothing is known yet')
  watch.answered(0)
  t.true(watch.isQuick(1000))
  t.false(watch.isQuick(1001), 'nothing is known any more')
  watch.answered(2000)
  const first = watch.syncs(2000)
  const second = watch.syncs(2008)
  t.true(watch.isQuick(2010))
  t.false(watch.isQuick(2011))
  watch.answered(2012)
  t.false(watch.isQuick(2012), 'the sync is still under way')
  first(2009)
  t.true(watch.isQuick(2018))
  t.false(watch.isQuick(2019), 'the next one is, too')
  second(2019)
  t.false(watch.isQuick(2128))
  t.true(watch.isQuick(2129), 'forgotten after ten times as long as it took')
  const [long, short] = [watch.syncs(2200), watch.syncs(2690)]
  long(2700)
  short(2701)
  watch.answered(3699)
  t.false(watch.isQuick(3699), 'nor by one that took less')
  t.true(watch.isQuick(3700), 'or after a second')
})

test('a call that stalls sends the next ones to the thread pool', async (t) => {
  const folder = await temporaryFolder(t)
  const threads = new FaultyFileSystem()
  let clock = 0
  let stepMs = 50
  const inline = inlineFileSystem(threads.fileSystem, () => (clock += stepMs))
  await inline.open(folder, constants.O_RDONLY)
  threads.calls.length = 0
  const descriptor = await inline.open(path.join(folder, 'a'), CREATE, 0o600)
  t.deepEqual(threads.calls, [])
  stepMs = 1
  t.is(await inline.write(descriptor, [Buffer.from('x')], 0), 1)
  t.deepEqual(threads.calls, ['write'])
  clock += 200
  await inline.close(descriptor)
  t.deepEqual(threads.calls, ['write'])
})

test('a large write that is held up goes on in the thread pool', async (t) => {
  const folder = await temporaryFolder(t)
  const threads = new FaultyFileSystem()
  let clock = 0
  let stepMs = 0
  const inline = inlineFileSystem(threads.fileSystem, () => (clock += stepMs))
  await inline.open(folder, constants.O_RDONLY)
  const file = path.join(folder, 'a')
  const descriptor = await inline.open(file, CREATE, 0o600)
  threads.calls.length = 0
  stepMs = 50
  const bytes = randomBytes(300_000)
  t.is(inline.write(descriptor, [bytes], 0), 65_536, 'the first of five calls')
  stepMs = 0
  await writeAll(inline, descriptor, [bytes.subarray(65_536)], 65_536)
  t.deepEqual(threads.calls, ['write'], 'the rest')
  t.true((await readFile(file)).equals(bytes))
})

test('network and user-space file systems are never local', (t) => {
  // statfs(2): NFS, SMB2, CIFS, FUSE, 9P, Ceph
  for (const type of [0x6969, 0xfe534d42, 0xff534d42, 0x65735546, 0x01021997, 0x00c36400, 0]) t.false(isLocalFileSystemType(type))
  t.is(isLocalFileSystemType(0xef53), process.platform === 'linux')
})

test('a store on the system’s own calls works either way', async (t) => {
  for (const durability of ['close', 'fsync']) {
    const { send, read, directory } = await storeFixture(t, { options: { durability } })
    t.is(await send({ pixelBytes: 700_000 }), 0)
    const dataSet = dataSetOf({ pixelBytes: 700_000 })
    t.true((await read('1.2.3/1.2.3.4/1.2.3.4.5.dcm')).subarray(-dataSet.length).equals(dataSet), directory)
  }
})
