import test, { type ExecutionContext } from 'ava'
import { existsSync } from 'node:fs'
import { mkdir, open, readFile, rename, rm, symlink, unlink, utimes, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { nodeFileSystem } from '../dist/file-system.js'
import type { RemovedInstance } from '../dist/index.js'
import { readRecords, recordFiles } from '../dist/records/read-records.js'
import { Verification } from '../dist/verify/verify.js'
import { FaultyFileSystem } from './support/faulty-file-system.js'
import { dataSetOf } from './support/objects.js'
import { filesIn, type StoreFixture, storeFixture, temporaryFolder } from './support/store-fixture.js'
import { POLICIES } from './support/stored-objects.js'

const FOLDER = '1.2.3/1.2.3.4'
const FILE = `${FOLDER}/1.2.3.4.5.dcm`
const WHY = { reason: 'test' }

/** What `dicomtap verify --strict` would find. */
async function problemsIn(directory: string): Promise<string[]> {
  const problems: string[] = []
  await new Verification({
    root: directory, recordDirectory: path.join(directory, '.dicomtap', 'records'), signal: new AbortController().signal, isQuick: false, parallel: 2,
    onProblem: async ({ kind, relativePath }) => void problems.push(`${kind} ${relativePath}`),
  }).run()
  return problems
}

/** Paths that an index has which does as it is told. */
function indexOf({ hooks }: StoreFixture, rows = new Set<string>()): Set<string> {
  hooks.instanceStored.tapPromise('index', async ({ relativePath }) => void rows.add(relativePath))
  hooks.instanceRemoved.tapPromise('index', async ({ relativePath }) => void rows.delete(relativePath))
  hooks.instanceRestored.tapPromise('index', async ({ relativePath }) => void rows.add(relativePath))
  return rows
}

async function lastRecords(directory: string): Promise<string[]> {
  const records = path.join(directory, '.dicomtap', 'records')
  const kinds: string[] = []
  for await (const batch of readRecords(nodeFileSystem, records, await recordFiles(nodeFileSystem, records))) kinds.push(...batch.records.map(({ kind }) => kind))
  return kinds
}

for (const duplicates of POLICIES) {
  for (const durability of ['close', 'fsync']) {
    test(`${duplicates}, ${durability}: a file is removed, its folders when they are empty, and its bytes no longer count`, async (t) => {
      const fixture = await storeFixture(t, { options: { duplicates, durability, quota: 2500, record: 'sha256' } })
      const { send, store, directory, hooks } = fixture
      t.is(await send({ pixelBytes: 1000 }), 0)
      t.is(await send({ sopInstanceUid: '1.1', seriesInstanceUid: '1.2.3.9', pixelBytes: 400 }), 0)
      t.is(await send({ sopInstanceUid: '1.2', pixelBytes: 1000 }), 0xa700, 'the quota is used up')
      const told: (RemovedInstance & { readonly isThere: boolean })[] = []
      hooks.instanceRemoved.tap('test', (instance) => void told.push({ ...instance, isThere: existsSync(instance.path) }))
      const { length: sizeBytes } = await fixture.read(FILE)
      t.deepEqual(await store.remove([FILE], WHY), { removed: 1, removedBytes: sizeBytes, missing: 0, unremoved: [] })
      t.deepEqual(told, [{ path: path.join(directory, FILE), relativePath: FILE, sizeBytes, reason: 'test', isThere: true }], 'an index forgets it before it is gone')
      t.deepEqual(await fixture.files(), ['1.2.3/1.2.3.9/1.1.dcm'])
      t.false(existsSync(path.join(directory, FOLDER)))
      t.deepEqual((await lastRecords(directory)).slice(-2), ['removing', 'removed'])
      t.deepEqual(await problemsIn(directory), [])
      t.is(await send({ sopInstanceUid: '1.2', pixelBytes: 1000 }), 0, 'there is room again')
      t.is((await store.remove(['1.2.3/1.2.3.9/1.1.dcm', `${FOLDER}/1.2.dcm`], WHY)).removed, 2)
      t.false(existsSync(path.join(directory, '1.2.3')))
      t.true(existsSync(directory))
      t.is(await send(), 0, 'and it can come again')
      t.deepEqual(await problemsIn(directory), [])
    })
  }

  test(`${duplicates}: a handler that fails keeps the file, and who forgot it is told`, async (t) => {
    const fixture = await storeFixture(t, { options: { duplicates } })
    const { send, store, directory, hooks } = fixture
    const rows = indexOf(fixture)
    t.is(await send(), 0)
    hooks.instanceRemoved.tapPromise('away', () => Promise.reject(new Error('index away')))
    t.deepEqual(await store.remove([FILE], WHY), { removed: 0, removedBytes: 0, missing: 0, unremoved: [{ relativePath: FILE, why: 'handler', code: undefined }] })
    t.deepEqual([...rows], [FILE])
    t.deepEqual(await fixture.files(), [FILE])
    t.deepEqual((await lastRecords(directory)).slice(-2), ['removing', 'remains'])
    await unlink(path.join(directory, FILE))
    t.deepEqual(await problemsIn(directory), [`missing ${FILE}`], 'and what becomes of it later is seen')
  })

  for (const [call, code] of [['unlink', 'EACCES'], ['unlink', 'EIO'], ['mayChange', 'EROFS']] as const) {
    test(`${duplicates}: ${code} of ${call} is reported, and changes nothing`, async (t) => {
      const disk = new FaultyFileSystem()
      const fixture = await storeFixture(t, { fileSystem: disk.fileSystem, options: { duplicates } })
      const { send, store, hooks, directory } = fixture
      const rows = indexOf(fixture)
      const told: string[] = []
      hooks.instanceRemoved.tap('test', () => void told.push('removed'))
      hooks.instanceRestored.tap('test', () => void told.push('restored'))
      t.is(await send(), 0)
      t.is(await send({ sopInstanceUid: '1.1' }), 0)
      // Temporary names are removed after the answer.
      await nextTurn()
      const failing = duplicates === 'replace' && call === 'unlink' ? 'rename' : call
      disk.fail(failing, code, { times: 1 })
      t.deepEqual((await store.remove([FILE], WHY)).unremoved, [{ relativePath: FILE, why: 'system', code }])
      t.deepEqual(told, call === 'mayChange' ? [] : ['removed', 'restored'])
      disk.heal()
      t.deepEqual([...rows].sort(), [`${FOLDER}/1.1.dcm`, FILE])
      t.true((await readFile(path.join(directory, FILE))).subarray(-dataSetOf().length).equals(dataSetOf()))
      t.deepEqual(await problemsIn(directory), [])
      t.deepEqual(await fixture.files(), [`${FOLDER}/1.1.dcm`, FILE], 'nothing is left in the staging folder')
      t.is((await store.remove([FILE], WHY)).removed, 1)
    })
  }
}

test('paths that lead elsewhere are not followed', async (t) => {
  const fixture = await storeFixture(t)
  const { send, store, directory, hooks } = fixture
  t.is(await send(), 0)
  const outside = await temporaryFolder(t)
  await writeFile(path.join(outside, 'a.dcm'), 'outside')
  await symlink(outside, path.join(directory, 'link'))
  await symlink(path.join(outside, 'a.dcm'), path.join(directory, 'a.dcm'))
  await symlink(path.join(directory, FILE), path.join(directory, 'inside.dcm'))
  hooks.instanceRemoved.tap('test', ({ relativePath }) => t.fail(relativePath))
  const [records] = (await filesInAll(directory)).filter((file) => file.endsWith('.records'))
  const paths = [
    '', '.', '..', `../${path.basename(outside)}/a.dcm`, path.join(outside, 'a.dcm'), `./${FILE}`, `1.2.3/../${FILE}`, `1.2.3//1.2.3.4/1.2.3.4.5.dcm`,
    'a\0b', '.dicomtap/partial', `.dicomtap/records/${path.basename(records ?? '')}`, `.DICOMTAP/records/${path.basename(records ?? '')}`, 'link/a.dcm', 'a.dcm', 'inside.dcm', '1.2.3',
  ]
  const { removed, missing, unremoved } = await store.remove(paths, WHY)
  t.deepEqual({ removed, missing }, { removed: 0, missing: 0 })
  t.deepEqual(unremoved.map(({ relativePath }) => relativePath).sort(), paths.toSorted())
  t.deepEqual(new Set(unremoved.map(({ why }) => why)), new Set(['path']))
  t.is(await readFile(path.join(outside, 'a.dcm'), 'utf8'), 'outside')
  t.true(existsSync(path.join(directory, FILE)))
})

async function filesInAll(folder: string): Promise<string[]> {
  const { readdir } = await import('node:fs/promises')
  return readdir(folder, { recursive: true })
}

test('of a file that is gone handlers are told, so that no row is left', async (t) => {
  const fixture = await storeFixture(t)
  const rows = indexOf(fixture)
  t.is(await fixture.send(), 0)
  await rm(path.join(fixture.directory, '1.2.3'), { recursive: true })
  t.deepEqual(await fixture.store.remove([FILE, FILE, 'never/was.dcm'], WHY), { removed: 0, removedBytes: 0, missing: 2, unremoved: [] })
  t.is(rows.size, 0)
  t.deepEqual(await problemsIn(fixture.directory), [])
})

test('what was written since, and versions', async (t) => {
  const fixture = await storeFixture(t)
  const { send, store, directory } = fixture
  for (const fill of [1, 2, 3]) t.is(await send({ fill }), 0)
  t.is(await send({ sopInstanceUid: '1.2.3.4.50', fill: 1 }), 0)
  const version = (n: number): string => `${FOLDER}/1.2.3.4.5_v${n}.dcm`
  // Somebody gave another instance such a name.
  await writeFile(path.join(directory, version(9)), await fixture.read(`${FOLDER}/1.2.3.4.50.dcm`))
  await utimes(path.join(directory, version(2)), new Date(2001, 1), new Date(2001, 1))
  const writtenBeforeMs = new Date(2002, 1).getTime()
  t.deepEqual(await store.remove([FILE, version(2), version(3)], { ...WHY, writtenBeforeMs }), {
    removed: 1, removedBytes: (await fixture.read(FILE)).length, missing: 0,
    unremoved: [FILE, version(3)].map((relativePath) => ({ relativePath, why: 'newer', code: undefined })),
  })
  t.is((await store.remove([version(3)], { ...WHY, withVersions: true })).removed, 2)
  t.deepEqual(await fixture.files(), [`${FOLDER}/1.2.3.4.50.dcm`, version(9)])
})

test('a reader that has the file open reads it to its end', async (t) => {
  const fixture = await storeFixture(t)
  t.is(await fixture.send({ pixelBytes: 300_000 }), 0)
  const reader = await open(path.join(fixture.directory, FILE))
  t.teardown(() => reader.close())
  t.is((await fixture.store.remove([FILE], WHY)).removed, 1)
  const bytes = await reader.readFile()
  t.true(bytes.subarray(-300_000).equals(Buffer.alloc(300_000, 1)))
})

test('aborting ends it between files that share a sync', async (t) => {
  const fixture = await storeFixture(t)
  const paths = Array.from({ length: 70 }, (_, i) => `${FOLDER}/1.${i}.dcm`)
  for (const file of paths) t.is(await fixture.send({ sopInstanceUid: path.basename(file, '.dcm') }), 0)
  const abort = new AbortController()
  fixture.hooks.instanceRemoved.tap('test', () => abort.abort())
  t.like(await fixture.store.remove(paths, { ...WHY, signal: abort.signal }), { removed: 64, unremoved: [] })
  t.is((await fixture.files()).length, 6)
  t.deepEqual(await problemsIn(fixture.directory), [])
})

test('fsync: the records are on the disk before a name goes, and the folder after it', async (t) => {
  const disk = new FaultyFileSystem()
  const { send, store, directory } = await storeFixture(t, { fileSystem: disk.fileSystem, options: { durability: 'fsync' } })
  t.is(await send(), 0)
  t.is(await send({ sopInstanceUid: '1.1' }), 0)
  disk.calls.length = 0
  t.is((await store.remove([FILE], WHY)).removed, 1)
  const unlinked = disk.calls.indexOf(`unlink ${path.join(directory, FILE)}`)
  t.true(disk.calls.slice(0, unlinked).includes('fsync'))
  const tidied = disk.calls.indexOf(`removeFolder ${path.join(directory, FOLDER)}`)
  t.true(tidied > unlinked)
  const opened = disk.calls.indexOf(`open ${path.join(directory, FOLDER)}`, tidied)
  t.true(opened > 0 && disk.calls.indexOf('fsync', opened) > 0)
})

for (const duplicates of ['version', 'keep'] as const) {
  test(`${duplicates}: a file that another process answers for at this moment stays`, async (t) => {
    const one = await storeFixture(t, { options: { duplicates } })
    const two = await storeFixture(t, { directory: one.directory, options: { duplicates } })
    await two.store.start()
    t.is(await one.send(), 0)
    let during: unknown
    one.hooks.instanceStored.tapPromise('slow', async ({ outcome }) => {
      t.is(outcome, 'kept')
      during = await two.store.remove([FILE], WHY)
    })
    t.is(await one.send(), 0)
    t.like(during, { removed: 0, unremoved: [{ relativePath: FILE, why: 'in-use', code: undefined }] })
    t.is((await two.store.remove([FILE], WHY)).removed, 1, 'once that is answered it goes')
    t.deepEqual(await problemsIn(one.directory), [])
  })

  test(`${duplicates}: an object that comes while another process removes the same is stored anew`, async (t) => {
    const one = await storeFixture(t, { options: { duplicates } })
    const two = await storeFixture(t, { directory: one.directory, options: { duplicates } })
    t.is(await one.send(), 0)
    let sent: Promise<number> | undefined
    two.hooks.instanceRemoved.tapPromise('slow', async () => {
      sent = one.send()
      // It may look as often as it likes: it is not answered for a file that goes.
      await new Promise((resolve) => setTimeout(resolve, 60))
    })
    t.is((await two.store.remove([FILE], WHY)).removed, 1)
    t.is(await sent, 0)
    t.deepEqual(await one.files(), [FILE])
    t.like(one.store.stats(), { duplicates: 0 })
    t.deepEqual(await problemsIn(one.directory), [])
  })
}

test('a new file is not removed while its process may take it back', async (t) => {
  const one = await storeFixture(t)
  const two = await storeFixture(t, { directory: one.directory })
  await two.store.start()
  one.hooks.instanceStored.tapPromise('slow', async () => {
    t.like(await two.store.remove([FILE], WHY), { removed: 0, unremoved: [{ relativePath: FILE, why: 'in-use' }] })
  })
  t.is(await one.send(), 0)
})

test('replace: what takes the place in the last moment stays, and indexes are told', async (t) => {
  const disk = new FaultyFileSystem()
  const fixture = await storeFixture(t, { fileSystem: disk.fileSystem, options: { duplicates: 'replace' } })
  const { send, store, directory } = fixture
  const rows = indexOf(fixture)
  t.is(await send({ fill: 1 }), 0)
  const newer = path.join(await temporaryFolder(t), 'newer.dcm')
  await writeFile(newer, 'newer')
  disk.before('rename', () => rename(newer, path.join(directory, FILE)))
  t.deepEqual((await store.remove([FILE], WHY)).unremoved, [{ relativePath: FILE, why: 'newer', code: undefined }])
  t.is((await fixture.read(FILE)).toString(), 'newer')
  t.deepEqual([...rows], [FILE])
  t.deepEqual(await fixture.files(), [FILE])
})

test('replace: a crash between taking a newer object and giving it back loses nothing', async (t) => {
  const disk = new FaultyFileSystem()
  const { send, store, directory } = await storeFixture(t, { fileSystem: disk.fileSystem, options: { duplicates: 'replace' }, isStopped: false })
  t.is(await send({ fill: 1 }), 0)
  const newer = path.join(await temporaryFolder(t), 'newer.dcm')
  await writeFile(newer, 'newer')
  disk.before('rename', () => rename(newer, path.join(directory, FILE)))
  const isTaken = new Promise<void>((resolve) => {
    disk.before('link', () => {
      resolve()
      return new Promise(() => {})
    })
  })
  void store.remove([FILE], WHY)
  await isTaken
  t.false(existsSync(path.join(directory, FILE)))
  // The process is gone: its folder gets the name of one that never was.
  const partial = path.join(directory, '.dicomtap', 'partial')
  const { readdir } = await import('node:fs/promises')
  const [own = ''] = await readdir(partial)
  await rename(path.join(partial, own), path.join(partial, own.replace(/-\d+-(\d+)-/, '-4194305-$1-')))
  const again = await storeFixture(t, { directory, options: { duplicates: 'replace' } })
  await again.store.start()
  t.is((await again.read(FILE)).toString(), 'newer')
  t.deepEqual(await again.files(), [FILE])
})

test('a store that finds its folder gone makes it again, as often as need be', async (t) => {
  const disk = new FaultyFileSystem()
  const { send, directory } = await storeFixture(t, { fileSystem: disk.fileSystem, options: { durability: 'fsync' } })
  t.is(await send({ sopInstanceUid: '1.1' }), 0)
  for (let i = 0; i < 5; i++) disk.before('link', () => rm(path.join(directory, '1.2.3'), { recursive: true, force: true }))
  t.is(await send(), 0)
  t.deepEqual(await filesIn(directory), [FILE])
})

test('what another process stores while handlers are told that nothing is there stays known to them', async (t) => {
  const disk = new FaultyFileSystem()
  const one = await storeFixture(t, { fileSystem: disk.fileSystem, options: { duplicates: 'reject' } })
  const two = await storeFixture(t, { directory: one.directory, options: { duplicates: 'reject' } })
  const rows = indexOf(one)
  indexOf(two, rows)
  one.hooks.instanceRemoved.tapPromise({ name: 'other process', stage: -1 }, async () => void t.is(await two.send(), 0))
  t.like(await one.store.remove([FILE], WHY), { removed: 0, missing: 0, unremoved: [{ relativePath: FILE, why: 'newer' }] })
  t.deepEqual([...rows], [FILE])
  t.deepEqual(await one.files(), [FILE])
})

for (const duplicates of POLICIES) {
  test(`${duplicates}: two processes store and remove the same objects; what the index has is there, and what is there the index has`, async (t) => {
    const options = { duplicates, record: 'sha256' }
    const one = await storeFixture(t, { options })
    const two = await storeFixture(t, { directory: one.directory, options })
    const rows = indexOf(one)
    indexOf(two, rows)
    const uids = ['1.1', '1.2', '1.3']
    const pathOf = (uid: string): string => `${FOLDER}/${uid}.dcm`
    const act = async (who: StoreFixture, seed: number): Promise<void> => {
      for (let i = 0; i < 25; i++) {
        const uid = uids[(i * seed) % 3] as string
        const isStore = ((i * seed) >> 1) % 2 === 0
        if (isStore) t.true([0, 0x0111, 0xa700].includes(await who.send({ sopInstanceUid: uid, pixelBytes: 20_000 })))
        else await who.store.remove([pathOf(uid)], WHY)
      }
    }
    await Promise.all([act(one, 1), act(one, 3), act(two, 5), act(two, 7)])
    const files = (await one.files()).map((file) => file.split(path.sep).join('/'))
    t.deepEqual([...rows].sort(), files)
    t.deepEqual(await problemsIn(one.directory), [])
  })
}

test('verify looks again at what was removed while it ran', async (t: ExecutionContext) => {
  const { send, store, directory } = await storeFixture(t)
  for (const uid of ['1.1', '1.2']) t.is(await send({ sopInstanceUid: uid }), 0)
  await mkdir(path.join(directory, 'more'))
  const disk = new FaultyFileSystem()
  // The records have been read by then.
  disk.before('stat', () => {})
  const problems: unknown[] = []
  let isRemoved = false
  const fileSystem = {
    ...disk.fileSystem,
    close: async (descriptor: number) => {
      await disk.fileSystem.close(descriptor)
      if (isRemoved) return
      isRemoved = true
      t.is((await store.remove([`${FOLDER}/1.1.dcm`], WHY)).removed, 1)
    },
  }
  const counts = await new Verification({
    root: directory, recordDirectory: path.join(directory, '.dicomtap', 'records'), signal: new AbortController().signal, isQuick: false, parallel: 2, fileSystem,
    onProblem: async (problem) => void problems.push(problem),
  }).run()
  t.true(isRemoved)
  t.deepEqual(problems, [])
  t.like(counts, { verified: 1, missing: 0 })
})
