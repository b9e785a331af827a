import test from 'ava'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fstatSync, openSync } from 'node:fs'
import { link, mkdir, readdir, readFile, utimes, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { type FileSystem, nodeFileSystem } from '../dist/file-system.js'
import { currentProcess, isRunning, parseStagingFolderName, stagingFolderName, type ProcessIdentity } from '../dist/process-identity.js'
import { sweepLeftovers } from '../dist/sweep.js'
import { FaultyFileSystem } from './support/faulty-file-system.js'
import { storeFixture, temporaryFolder } from './support/store-fixture.js'

const here = currentProcess()

/** A process that was there and is gone. */
async function goneProcess(): Promise<ProcessIdentity> {
  const child = spawn(process.execPath, ['-e', ''])
  const { pid } = child
  await once(child, 'exit')
  return { ...here, pid: pid as number, startTicks: here.startTicks + 1 }
}

async function stagingFolder(directory: string, owner: ProcessIdentity, files: readonly string[]): Promise<string> {
  const folder = path.join(directory, '.dicomtap', 'partial', stagingFolderName(owner))
  await mkdir(folder, { recursive: true })
  for (const file of files) await writeFile(path.join(folder, file), 'unfinished')
  return folder
}

const partial = (directory: string): string => path.join(directory, '.dicomtap', 'partial')

test('the name of a staging folder says whose it is', (t) => {
  const name = stagingFolderName(here)
  t.deepEqual(parseStagingFolderName(name), here)
  t.not(stagingFolderName(here), name)
  for (const other of ['backup', '..', 'x-1-2-3', `${name}-old`]) t.is(parseStagingFolderName(other), undefined)
})

test('whether a process runs is known for this machine', async (t) => {
  t.true(isRunning(here, here))
  t.false(isRunning(await goneProcess(), here))
  t.is(isRunning({ ...here, hostKey: '000000000000' }, here), undefined, 'another machine')
  // The number of this process in the hands of an earlier one; only Linux tells the difference.
  t.is(isRunning({ ...here, startTicks: here.startTicks + 1 }, here), process.platform === 'linux' ? false : undefined)
})

test('what a crash left behind is removed at the start, counted and logged', async (t) => {
  const directory = await temporaryFolder(t)
  const left = await stagingFolder(directory, await goneProcess(), ['1.part', '2.part', '3.part', 'alive'])
  await link(path.join(left, '3.part'), path.join(directory, 'stored.dcm'))
  await writeFile(path.join(left, '4.part'), '')
  const { store, log } = await storeFixture(t, { directory })
  await store.start()
  t.is((await readdir(partial(directory))).length, 1, 'the own one')
  t.is(await readFile(path.join(directory, 'stored.dcm'), 'utf8'), 'unfinished', 'an object that has its name keeps it')
  t.is(store.stats().leftoversRemoved, 2)
  t.like(log.find((line) => line.level === 'info'), { fields: { objects: 2 } })
})

test('what belongs to a running process, or to nobody we know, is left alone', async (t) => {
  const directory = await temporaryFolder(t)
  const first = await storeFixture(t, { directory })
  await first.store.start()
  const foreign = path.join(partial(directory), 'backup')
  await mkdir(foreign)
  await writeFile(path.join(foreign, '1.part'), 'mine')
  await writeFile(path.join(partial(directory), 'note.txt'), 'mine')
  const other = await stagingFolder(directory, { ...here, hostKey: '0123456789ab' }, ['1.part', 'alive'])
  const second = await storeFixture(t, { directory })
  await second.store.start()
  t.is((await readdir(partial(directory))).length, 5)
  t.deepEqual((await readdir(other)).sort(), ['1.part', 'alive'])
  t.is(second.store.stats().leftoversRemoved, 0)
  t.is(await first.send(), 0)
})

test('of another machine, what has been silent for long is removed', async (t) => {
  const directory = await temporaryFolder(t)
  const silent = await stagingFolder(directory, { ...here, hostKey: '0123456789ab' }, ['1.part', 'alive'])
  const old = new Date(Date.now() - 3_600_000)
  await utimes(path.join(silent, 'alive'), old, old)
  const neverBeat = await stagingFolder(directory, { ...here, hostKey: '0123456789ab' }, ['7.part'])
  await utimes(neverBeat, old, old)
  const { store } = await storeFixture(t, { directory })
  await store.start()
  t.is(store.stats().leftoversRemoved, 2)
})

test('two that sweep at once do not disturb each other', async (t) => {
  const directory = await temporaryFolder(t)
  const gone = await goneProcess()
  for (let i = 0; i < 5; i++) await stagingFolder(directory, gone, ['1.part', '2.part'])
  const options = { fileSystem: nodeFileSystem, partialDirectory: partial(directory), ownName: '', here, nowMs: Date.now() }
  await Promise.all([sweepLeftovers(options), sweepLeftovers(options)])
  // What one of them could not finish, because the other was at it, the next sweep does.
  await sweepLeftovers(options)
  t.deepEqual(await readdir(partial(directory)), [])
})

/** The real file system in threads, with files made ahead. */
function watchedFileSystem(): { disk: FaultyFileSystem; fileSystem: FileSystem } {
  const disk = new FaultyFileSystem()
  return { disk, fileSystem: { ...disk.fileSystem, local: { isQuick: () => true, hasName: (descriptor) => fstatSync(descriptor).nlink > 0 } } }
}

test('nobody waits for the temporary name of an accepted object to go', async (t) => {
  const { disk, fileSystem } = watchedFileSystem()
  const { send, store, directory } = await storeFixture(t, { fileSystem })
  let release!: () => void
  const until = new Promise<void>((resolve) => (release = resolve))
  await store.start()
  disk.before('unlink', () => until)
  t.is(await send(), 0)
  const [folder] = await readdir(partial(directory))
  const isThere = async (): Promise<boolean> => (await readdir(path.join(partial(directory), folder as string))).includes('2.part')
  t.true(await isThere())
  const stopped = store.stop()
  release()
  await stopped
  t.deepEqual(await readdir(partial(directory)), [], 'but who stops the store does')
  t.deepEqual(disk.calls.filter((call) => call.startsWith('unlink') && call.endsWith('2.part')).length, 1, 'once')
})

test('the file of the next object is made ahead, and removed when none comes', async (t) => {
  const { disk, fileSystem } = watchedFileSystem()
  let made = 0
  fileSystem.open = async (file, flags, mode) => {
    if (file.endsWith('.part')) made += 1
    return openSync(file, flags, mode)
  }
  const { send, files } = await storeFixture(t, { fileSystem })
  t.is(await send(), 0)
  while (made < 3) await nextTurn()
  const ahead = made
  t.is(await send({ sopInstanceUid: '1.7' }), 0)
  t.is(made, ahead, 'the probe for links, the first object, and one ahead')
  // The timer of the store keeps no process alive.
  const alive = setInterval(() => {}, 1000)
  t.teardown(() => clearInterval(alive))
  // Of the probe, both objects, and the one that nobody used.
  await disk.until((calls) => calls.filter((call) => call.startsWith('unlink') && call.endsWith('.part')).length === 4)
  t.is((await files()).length, 2)
})

test('a store that is stopped leaves no staging folder', async (t) => {
  const { store, send, directory } = await storeFixture(t)
  t.is(await send(), 0)
  await store.stop()
  t.deepEqual(await readdir(partial(directory)), [])
})

test('stopping waits for objects that are being stored', async (t) => {
  const { store, send, files } = await storeFixture(t)
  let release!: () => void
  const until = new Promise<void>((resolve) => (release = resolve))
  const answer = send({ pixelBytes: 300_000 }, { pause: { at: 100_000, until } })
  const stopped = store.stop()
  release()
  await stopped
  t.is(await answer, 0)
  t.is((await files()).length, 1)
})

test('folders are made with all their parents; where none can be made it ends with an error', async (t) => {
  const root = await temporaryFolder(t)
  const deep = path.join(root, 'a', 'b', 'c')
  t.is(await nodeFileSystem.makeFolders(deep, 0o750), path.join(root, 'a'))
  t.is(await nodeFileSystem.makeFolders(deep, 0o750), undefined)
  await writeFile(path.join(root, 'file'), '')
  await t.throwsAsync(nodeFileSystem.makeFolders(path.join(root, 'file'), 0o750), { code: 'EEXIST' })
  await t.throwsAsync(nodeFileSystem.makeFolders(path.join(root, 'file', 'x'), 0o750), { code: 'ENOTDIR' })
  // A recursive mkdir would try here for ever.
  if (process.platform === 'linux') await t.throwsAsync(nodeFileSystem.makeFolders('/proc/nope/x', 0o750), { code: 'ENOENT' })
})
