import test from 'ava'
import { constants } from 'node:fs'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { nodeFileSystem } from '../dist/file-system.js'
import { inlineFileSystem, isLocalType, StallWatch } from '../dist/inline-file-system.js'
import { FaultyFileSystem } from './support/faulty-file-system.js'
import { dataSetOf } from './support/objects.js'
import { storeFixture, temporaryFolder } from './support/store-fixture.js'

const CREATE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL

test('short calls are made at once, longer writes in the thread pool while there is something else to do', async (t) => {
  const folder = await temporaryFolder(t)
  const threads = new FaultyFileSystem()
  let isBusy = false
  const inline = inlineFileSystem(threads.fileSystem, () => isBusy)
  const file = path.join(folder, 'a')
  const descriptor = await inline.open(file, CREATE, 0o600)
  const buffer = Buffer.alloc(100_000, 7)
  t.is(await inline.write(descriptor, buffer, 0, 1000), 1000)
  t.is(await inline.write(descriptor, buffer, 0, 100_000), 100_000)
  t.deepEqual(threads.calls, [])
  isBusy = true
  t.is(await inline.write(descriptor, buffer, 0, 100_000), 100_000)
  t.deepEqual(threads.calls, ['write'])
  await inline.close(descriptor)
  await inline.link(file, path.join(folder, 'b'))
  await inline.rename(file, path.join(folder, 'c'))
  await inline.unlink(path.join(folder, 'c'))
  t.deepEqual(threads.calls, ['write'])
  t.is((await readFile(path.join(folder, 'b'))).length, 201_000)
})

test('an error is a rejection, never a throw', async (t) => {
  const inline = inlineFileSystem(nodeFileSystem, () => false)
  const opened = inline.open(path.join(await temporaryFolder(t), 'missing', 'a'), CREATE)
  await t.throwsAsync(opened, { code: 'ENOENT' })
})

test('a stall is felt once: the next calls go to the thread pool, for longer each time it happens again', (t) => {
  const watch = new StallWatch()
  t.true(watch.isQuick(0))
  watch.report(0, 0.5)
  t.true(watch.isQuick(1), 'half a millisecond is no stall')
  watch.report(1000, 1050)
  t.false(watch.isQuick(1050))
  t.false(watch.isQuick(1149))
  t.true(watch.isQuick(1150), '100 ms after the first')
  watch.report(1200, 1210)
  t.false(watch.isQuick(1409))
  t.true(watch.isQuick(1410), '200 ms after the second')
  for (let at = 2000; at < 200_000; at += 15_000) watch.report(at, at + 100)
  watch.report(200_000, 200_100)
  t.false(watch.isQuick(210_099))
  t.true(watch.isQuick(210_100), 'never more than ten seconds')
  watch.report(300_000, 300_100)
  t.true(watch.isQuick(300_200), 'forgiven after half a minute without one')
})

test('network and user-space file systems are never local', (t) => {
  // statfs(2): NFS, SMB2, CIFS, FUSE, 9P, Ceph
  for (const type of [0x6969, 0xfe534d42, 0xff534d42, 0x65735546, 0x01021997, 0x00c36400, 0]) t.false(isLocalType(type))
  t.is(isLocalType(0xef53), process.platform === 'linux')
})

test('a store on the system’s own calls works either way', async (t) => {
  for (const durability of ['close', 'fsync']) {
    const { send, read, directory } = await storeFixture(t, { options: { durability } })
    t.is(await send({ pixelBytes: 700_000 }), 0)
    const dataSet = dataSetOf({ pixelBytes: 700_000 })
    t.true((await read('1.2.3/1.2.3.4/1.2.3.4.5.dcm')).subarray(-dataSet.length).equals(dataSet), directory)
  }
})
