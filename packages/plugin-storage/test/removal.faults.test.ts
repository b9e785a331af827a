import test, { type ExecutionContext } from 'ava'
import { spawn } from 'node:child_process'
import { cp } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { type FileSystem, nodeFileSystem } from '../dist/file-system.js'
import { readRecords, recordFiles } from '../dist/records/read-records.js'
import { checkFile } from '../dist/verify/check-file.js'
import { Expectation } from '../dist/verify/expectation.js'
import type { CrashTask } from './support/crash-store.js'
import { type Luck, ModelDisk } from './support/model-disk.js'
import { filesIn, type StoreFixture, storeFixture, temporaryFolder } from './support/store-fixture.js'
import { lostObjects, POLICIES, type Policy, type Sent, valuesOf } from './support/stored-objects.js'

const isFull = process.env['DICOMTAP_FAULTS'] === 'full'
const CHILD = fileURLToPath(new URL('support/crash-store.js', import.meta.url))
const DIRECTORY = '/mnt/archive/data'

/** In two folders: of one everything goes, versions too, of the other something stays. */
const SENT: readonly Sent[] = [
  { uid: '1.1', fill: 2 },
  { uid: '1.1', fill: 3 },
  { uid: '1.5.1', fill: 1 },
  { uid: '1.2', fill: 1 },
  { uid: '1.3.2', fill: 3 },
]
const REMOVALS: readonly string[] = ['1.2.3/1.2.3.1/1.1.dcm', '1.2.3/1.2.3.1/1.5.1.dcm', '1.2.3/1.2.3.2/1.3.2.dcm']
const STAYS = '1.2.3/1.2.3.2/1.2.dcm'
const OBJECT = /^[^.].*\.dcm$/

/** Problems of what is recorded; a file of which nothing is recorded is one here. */
async function wrongRecords(fileSystem: FileSystem, directory: string, files: readonly string[]): Promise<string[]> {
  const folder = path.join(directory, '.dicomtap', 'records')
  const expectations = new Map<string, Expectation>(files.map((file) => [file, new Expectation()]))
  for await (const { records } of readRecords(fileSystem, folder, await recordFiles(fileSystem, folder))) {
    for (const record of records) {
      if (!expectations.has(record.relativePath)) expectations.set(record.relativePath, new Expectation())
      expectations.get(record.relativePath)?.add(record)
    }
  }
  const wrong: string[] = []
  for (const [relativePath, expectation] of expectations) {
    const { problem } = await checkFile(fileSystem, path.join(directory, relativePath), expectation, false, new AbortController().signal)
    if (problem !== undefined) wrong.push(`${problem.kind} ${relativePath}`)
  }
  return wrong
}

/** What is there is whole; what was not to go is there; records tell the truth. */
async function assertTrue(t: ExecutionContext, policy: Policy, fileSystem: FileSystem, directory: string, files: ReadonlyMap<string, Buffer>, what: string): Promise<void> {
  const names = [...files.keys()]
  const stored = names.filter((name) => OBJECT.test(name))
  const wrong = await lostObjects(directory, stored, { policy, sent: SENT, acknowledged: [{ uid: '1.2', fill: 1 }] }, async (file) => files.get(file) as Buffer)
  t.deepEqual(wrong, [], what)
  t.true(stored.includes(STAYS), what)
  t.deepEqual(await wrongRecords(fileSystem, directory, stored), [], `${what}: records`)
}

async function filesOf(directory: string): Promise<Map<string, Buffer>> {
  const { readFile } = await import('node:fs/promises')
  const files = (await filesIn(directory)).map((file) => file.split(path.sep).join('/'))
  return new Map(await Promise.all(files.map(async (file) => [file, await readFile(path.join(directory, file))] as const)))
}

function runChild(t: ExecutionContext, task: CrashTask): Promise<{ readonly out: string; readonly isKilled: boolean }> {
  const child = spawn(process.execPath, [CHILD, JSON.stringify(task)], { stdio: ['ignore', 'pipe', 'pipe'] })
  t.teardown(() => child.kill('SIGKILL'))
  let out = ''
  let err = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text))
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code, signal) => (code === 0 || signal === 'SIGKILL' ? resolve({ out, isKilled: signal === 'SIGKILL' }) : reject(new Error(`exit ${code}: ${err}`))))
  })
}

for (const policy of POLICIES) {
  for (const durability of ['fsync', 'close']) {
    if (!isFull && (policy === 'version' ? durability === 'close' : policy !== 'replace' || durability === 'fsync')) continue
    test(`${policy}, ${durability}: kill -9 before each call of a removal leaves an object whole or gone`, async (t) => {
      t.timeout(600_000)
      const options = { duplicates: policy, durability, record: 'sha256' }
      const whole = await temporaryFolder(t)
      await runChild(t, { directory: whole, options, sent: SENT, atOnce: 1 })
      const before = await filesOf(whole)
      const copied = async (crashBeforeCall?: number): Promise<{ directory: string; out: string; isKilled: boolean }> => {
        const directory = await temporaryFolder(t)
        await cp(whole, directory, { recursive: true, preserveTimestamps: true })
        return { directory, ...(await runChild(t, { directory, options, sent: [], atOnce: 1, removals: REMOVALS, crashBeforeCall })) }
      }
      const complete = await copied()
      const calls = Number(/^calls (\d+)$/m.exec(complete.out)?.[1])
      const removed = policy === 'version' ? 4 : 3
      t.is(Number(/^removed (\d+)$/m.exec(complete.out)?.[1]), removed)
      t.deepEqual([...(await filesOf(complete.directory)).keys()], [STAYS])
      const points = isFull ? Array.from({ length: calls }, (_, i) => i + 1) : [1, 2].map((i) => Math.ceil((calls * (i - Math.random())) / 2))
      const work = async (): Promise<void> => {
        for (let point = points.pop(); point !== undefined; point = points.pop()) {
          const what = `killed before call ${point} of ${calls}`
          const { directory, out, isKilled } = await copied(point)
          t.true(isKilled, what)
          const { store } = await storeFixture(t, { directory, options: { duplicates: policy } })
          await store.start()
          await store.stop()
          const files = await filesOf(directory)
          await assertTrue(t, policy, nodeFileSystem, directory, files, what)
          const forgotten = new Set([...out.matchAll(/^forgot (.*)$/gm)].map(([, file]) => file))
          for (const file of before.keys()) if (!files.has(file)) t.true(forgotten.has(file), `${what}: indexes forgot ${file} before it was gone`)
        }
      }
      await Promise.all([work(), work()])
    })
  }
}

function startOn(t: ExecutionContext, disk: ModelDisk, policy: Policy, isStopped = true): Promise<StoreFixture> {
  return storeFixture(t, { directory: DIRECTORY, fileSystem: disk.fileSystem, isStopped, options: { durability: 'fsync', duplicates: policy, record: 'sha256' } })
}

/** Stores everything, lets a second pass so that its records are durable, and removes until the power fails, or a call. */
async function removeOn(t: ExecutionContext, policy: Policy, { failBefore, error }: { failBefore?: number; error?: { afterCalls: number; code: string } }) {
  const disk = new ModelDisk()
  // No teardown for one whose disk will never answer again.
  const first = await startOn(t, disk, policy, false)
  for (const one of SENT) t.true([0, 0x0111].includes(await first.send(valuesOf(one))))
  await first.store.stop()
  const fixture = await startOn(t, disk, policy, failBefore === undefined)
  const rows = new Set([...disk.files().keys()].map((file) => file.slice(DIRECTORY.length + 1)).filter((file) => OBJECT.test(file)))
  fixture.hooks.instanceRemoved.tap('index', ({ relativePath }) => void rows.delete(relativePath))
  fixture.hooks.instanceRestored.tap('index', ({ relativePath }) => void rows.add(relativePath))
  await fixture.store.start()
  const start = disk.calls
  if (failBefore !== undefined) disk.failBeforeCall = start + failBefore
  if (error !== undefined) disk.error = { atCall: start + error.afterCalls, code: error.code }
  const powerFailed = new Promise<undefined>((resolve) => (disk.onPowerFailure = () => resolve(undefined)))
  const result = await Promise.race([powerFailed, fixture.store.remove(REMOVALS, { reason: 'test', withVersions: true })])
  return { disk, result, rows, calls: disk.calls - start, fixture }
}

const filesOn = (disk: ModelDisk): Map<string, Buffer> => new Map([...disk.files()].map(([file, bytes]) => [file.slice(DIRECTORY.length + 1), bytes]))

function lucky(seed: number): Luck {
  let state = seed
  return () => {
    state = (state * 48_271) % 2_147_483_647
    return state % 2 === 0
  }
}

for (const policy of POLICIES) {
  test(`${policy}: a power failure before each call of a removal leaves an object whole or gone`, async (t) => {
    t.timeout(300_000)
    const { disk: whole, calls, result } = await removeOn(t, policy, {})
    t.is(result?.removed, policy === 'version' ? 4 : 3)
    for (const luck of [() => false, () => true]) {
      const after = whole.afterPowerFailure(luck)
      t.deepEqual([...filesOn(after).keys()].filter((file) => OBJECT.test(file)), [STAYS], 'what is gone stays gone')
    }
    const step = isFull ? 1 : 8
    for (let call = 1 + Math.floor(Math.random() * step); call <= calls; call += step) {
      const { disk } = await removeOn(t, policy, { failBefore: call })
      for (const [index, luck] of [() => false, () => true, lucky(7919), lucky(104_729)].entries()) {
        const after = disk.afterPowerFailure(luck)
        await assertTrue(t, policy, after.fileSystem, DIRECTORY, filesOn(after), `the power failed before call ${call}, luck ${index}`)
      }
    }
  })

  test(`${policy}: any one call of a removal that fails leaves what is said`, async (t) => {
    t.timeout(300_000)
    const { calls } = await removeOn(t, policy, {})
    const step = isFull ? 1 : 6
    for (const code of isFull ? ['EIO', 'ENOSPC', 'EROFS', 'EACCES'] : ['EIO']) {
      for (let call = 1 + Math.floor(Math.random() * step); call <= calls; call += step) {
        const what = `call ${call} failed with ${code}`
        const { disk, rows, result, fixture } = await removeOn(t, policy, { error: { afterCalls: call, code } }).catch((error: unknown) => {
          t.fail(`${what}: ${String(error)}`)
          throw error
        })
        await fixture.store.stop()
        const files = filesOn(disk)
        await assertTrue(t, policy, disk.fileSystem, DIRECTORY, files, what)
        t.deepEqual([...rows].sort(), [...files.keys()].filter((file) => OBJECT.test(file)).sort(), `${what}: the index tells the truth`)
        for (const { relativePath } of result?.unremoved ?? []) t.true(files.has(relativePath), `${what}: ${relativePath} is said to be there`)
      }
    }
  })
}
