import { type CommandInvocation, definePlugin, type Plugin } from '@dicomtap/framework'
import test, { type ExecutionContext } from 'ava'
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, readdir, rename, symlink, utimes, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import type { PluginContext } from '../../dist/context.js'
import type { InstanceIndex } from '../../dist/database/instance-index.js'
import { command } from '../../dist/index-command.js'
import { deleteByHand } from '../../dist/index-command/delete.js'
import { IndexSettings } from '../../dist/maintenance/settings.js'
import { queryRetrieveOptions } from '../../dist/options.js'
import { parseByteSize } from '../../dist/retention/byte-size.js'
import type { DeletionService } from '../../dist/retention/deletion-service.js'
import { RetentionLease } from '../../dist/retention/retention-lease.js'
import { Retention } from '../../dist/retention/retention.js'
import { retentionRule } from '../../dist/retention/retention-rule.js'
import { type RetentionEnvironment, type RetentionRun, runRetention } from '../../dist/retention/run-retention.js'
import type { RemovalResult, StorageRemoval } from '../../dist/storage-service.js'
import { StudiesInUse } from '../../dist/retention/studies-in-use.js'
import { instanceOf } from '../database/support/instances.js'
import { silentLog, type TestLog } from '../database/support/log.js'
import { startIndex } from '../database/support/suite.js'
import { type Archive, archive, client, image, scanned, store, temporaryFolder, writeImage } from '../intake/support/archive.js'
import { retentionSuite } from './support/suite.js'

const DAY_MS = 86_400_000
const BIN = fileURLToPath(new URL('../../../cli/bin/dicomtap.js', import.meta.url))
const NODE_MODULES = fileURLToPath(new URL('../../../../node_modules', import.meta.url))

retentionSuite(test, async (t) => startIndex(t, { sqlite: path.join(await temporaryFolder(t), 'index.sqlite') }))

test('sizes and rules', (t) => {
  for (const [text, bytes] of [['1024', 1024], ['500 GB', 500e9], ['500GiB', 500 * 2 ** 30], ['1.5 tib', 1.5 * 2 ** 40], ['1 PB', undefined], ['-1', undefined], ['', undefined], ['99999999 TiB', undefined]] as const) {
    t.is(parseByteSize(text), bytes, text)
  }
  t.is(retentionRule(undefined), undefined)
  const isValid = (retention: unknown): boolean => queryRetrieveOptions.safeParse({ retention }).success
  t.true(isValid({ maximumAgeDays: 30 }))
  for (const wrong of [{}, { dryRun: false }, { maximumSize: '0 GB' }, { maximumSize: 0 }, { maximumSize: 'much' }, { maximumSize: '99999999 TiB' }, { maximumAgeDays: 0 }, { maximumAgeDays: -1 }]) {
    t.false(isValid(wrong), JSON.stringify(wrong))
  }
  const { retention } = queryRetrieveOptions.parse({ retention: { maximumSize: '1 GiB', maximumAgeDays: 1.5 } })
  t.deepEqual(retentionRule(retention), { maximumAgeMs: 1.5 * DAY_MS, maximumBytes: 2 ** 30, isDryRun: true, intervalMs: 3_600_000 })
})

test('studies in use', (t) => {
  const inUse = new StudiesInUse()
  const one = inUse.hold(['1', '2', '1'])
  const two = inUse.hold(['1'])
  one()
  one()
  t.deepEqual([inUse.isInUse('1'), inUse.isInUse('2')], [true, false])
  two()
  t.false(inUse.isInUse('1'))
  inUse.touch('3', 1000)
  inUse.touch('4', 2_000_000)
  t.true(inUse.isInUse('3', 3_600_999))
  t.false(inUse.isInUse('3', 3_601_000))
  for (let i = 0; i < 100_010; i++) inUse.touch(`a${i}`, 3_000_000)
  t.false(inUse.isInUse('4', 3_000_000), 'memory is bounded: the oldest are forgotten')
})

interface Made {
  readonly index: InstanceIndex
  readonly log: TestLog
  readonly removed: string[]
  readonly directory: string
  run(changes?: Partial<RetentionEnvironment>, answer?: (paths: readonly string[]) => Partial<RemovalResult>): Promise<RetentionRun>
}

/** Two studies of 66 files, due both, and a storage that does as it is told. */
async function made(t: ExecutionContext): Promise<Made> {
  const folder = await temporaryFolder(t)
  const index = await startIndex(t, { sqlite: path.join(folder, 'index.sqlite') })
  const directory = path.join(folder, 'data')
  await mkdir(directory)
  const nowMs = Date.now()
  for (const study of ['1.1', '1.2']) {
    for (let i = 0; i < 66; i++) {
      const file = `${study}-${i}.dcm`
      await writeFile(path.join(directory, file), '')
      void index.add(instanceOf({ patient: study, study, sop: `${study}.3.${i}`, path: file, storedAtMs: nowMs - (study === '1.1' ? 100 : 99) * DAY_MS }))
    }
  }
  await index.add(instanceOf({ patient: 'P', study: '1.3', path: 'young.dcm', storedAtMs: nowMs }))
  const log = silentLog()
  const removed: string[] = []
  return {
    index, log, removed, directory,
    run: (changes = {}, answer = () => ({})) =>
      runRetention({
        index, directory, log,
        storage: {
          remove: async (paths) => {
            const result = { removed: paths.length, removedBytes: paths.length, missing: 0, unremoved: [], ...answer(paths) }
            const stays = new Set(result.unremoved.map(({ relativePath }) => relativePath))
            const gone = paths.filter((one) => !stays.has(one))
            removed.push(...gone)
            await index.remove(gone)
            return { ...result, removed: gone.length, removedBytes: gone.length }
          },
        },
        rule: { maximumAgeMs: DAY_MS, maximumBytes: undefined, isDryRun: false, intervalMs: 1000 },
        signal: new AbortController().signal,
        isInUse: () => false,
        mayGoOn: async () => true,
        ...changes,
      }),
  }
}

test('whole studies go, in batches, each with its line', async (t) => {
  const { run, log, removed, index } = await made(t)
  const batches: number[] = []
  t.like(await run({}, (paths) => (batches.push(paths.length), {})), { studies: 2, byAge: 2, bySize: 0, files: 132, bytes: 132, spared: 0, incomplete: 0, stoppedBy: undefined })
  t.deepEqual(batches, [64, 2, 64, 2])
  t.is(new Set(removed).size, 132)
  t.deepEqual(log.lines, ['info: retention deleted a study', 'info: retention deleted a study'])
  t.like(await index.counts(), { studies: 1, instances: 1 })
  t.like(await run(), { studies: 0, files: 0 })
})

test('a dry run deletes nothing, and counts', async (t) => {
  const { run, removed } = await made(t)
  const isDryRun = { maximumAgeMs: DAY_MS, maximumBytes: undefined, isDryRun: true, intervalMs: 1000 }
  const result = await run({ rule: isDryRun })
  t.like(result, { studies: 2, byAge: 2, files: 0, bytes: 132_000 })
  t.true((result.oldestMs as number) < (result.newestMs as number))
  t.deepEqual(removed, [])
})

test('what is in use, was added to meanwhile, or belongs to another process now, stays', async (t) => {
  const { run, removed, index } = await made(t)
  t.like(await run({ mayGoOn: async () => removed.length < 64 }), { files: 64, spared: 0, incomplete: 1, stoppedBy: 'another process' })
  removed.length = 0
  let isAsked = false
  const mayGoOn = async (): Promise<boolean> => {
    // After it was found due, before it is deleted.
    if (!isAsked) await index.add(instanceOf({ patient: '1.1', study: '1.1', sop: '1.1.3.999', path: '1.1-999.dcm', storedAtMs: Date.now() }))
    isAsked = true
    return true
  }
  t.like(await run({ isInUse: (uid) => uid === '1.2', mayGoOn }), { files: 0, spared: 2, incomplete: 0, stoppedBy: undefined })
  t.deepEqual(removed, [])
  t.like(await run({ isInUse: () => removed.length >= 64 }), { files: 64, spared: 0, incomplete: 1 }, 'retrieved from the middle on')
})

test('files that cannot be removed are told, and end it when it is all of them', async (t) => {
  const { run, log } = await made(t)
  const one = await run({}, (paths) => ({ unremoved: paths.filter((file) => file === '1.1-0.dcm').map((relativePath) => ({ relativePath, why: 'in-use' as const })) }))
  t.like(one, { studies: 2, files: 131, incomplete: 1, stoppedBy: undefined })
  t.deepEqual(log.lines, ['warn: retention could not delete a study entirely: it tries again', 'info: retention deleted a study'])
  const other = await run({}, (paths) => ({ unremoved: paths.map((relativePath) => ({ relativePath, why: 'system' as const, code: 'EROFS' })) }))
  t.like(other, { studies: 0, files: 0, incomplete: 1, stoppedBy: 'nothing can be deleted (EROFS)' })
})

test('a storage folder that is not there takes nothing from the index', async (t) => {
  const { run, index, removed } = await made(t)
  t.like(await run({ directory: await temporaryFolder(t) }), { studies: 0, stoppedBy: 'files of the index are gone: is the storage folder mounted?' })
  t.deepEqual(removed, [])
  t.is((await index.counts()).instances, 133)
})

test('what was deleted is told though the rest failed, or was broken off', async (t) => {
  const { run, log, removed } = await made(t)
  const failed = await run({}, () => {
    if (removed.length > 0) throw new Error('away')
    return {}
  })
  t.like(failed, { files: 64, incomplete: 1, stoppedBy: 'it failed (away)' })
  t.deepEqual(log.lines, ['info: retention was broken off within a study: it goes on later'])
  const abort = new AbortController()
  t.like(await run({ signal: abort.signal }, () => (abort.abort(), {})), { files: 2, studies: 1 })
  t.is(removed.length, 66)
})

interface Ticking {
  readonly retention: Retention
  /** What a call of the index to its settings does first. */
  fault: (() => Promise<void>) | undefined
}

function ticking(t: ExecutionContext, { index, log }: Made, storage: StorageRemoval, directory: string): Ticking {
  const wrapped = {
    kind: index.kind,
    database: index.database,
    rows: (...args: Parameters<InstanceIndex['rows']>) => index.rows(...args),
    setSetting: (name: string, value: string | undefined) => index.setSetting(name, value),
    setting: async (name: string) => {
      await made.fault?.()
      return index.setting(name)
    },
  } as unknown as InstanceIndex
  const context = { api: { log }, index: wrapped, directory, options: queryRetrieveOptions.parse({ scanAtStart: false }), studiesInUse: new StudiesInUse() } as unknown as PluginContext
  const retention = new Retention(context, { maximumAgeMs: DAY_MS, maximumBytes: undefined, isDryRun: false, intervalMs: 5 }, storage)
  t.teardown(() => retention.stop())
  const made: Ticking = { retention, fault: undefined }
  return made
}

test('it waits while the index is not complete or is away, says so once, and goes on', async (t) => {
  const one = await made(t)
  const { index, log, removed } = one
  let looks = 0
  const looked = async (times: number): Promise<void> => {
    for (const until = looks + times; looks < until; ) await new Promise((resolve) => setTimeout(resolve, 5))
  }
  const remove: StorageRemoval['remove'] = async (paths) => {
    removed.push(...paths)
    await index.remove(paths)
    return { removed: paths.length, removedBytes: 0, missing: 0, unremoved: [] }
  }
  const tick = ticking(t, one, { remove }, one.directory)
  const count = async (): Promise<void> => void (looks += 1)
  const settings = new IndexSettings(index)
  const position = { folder: '/data', fingerprint: 'x', after: '', startedAtMs: 1, files: 0, unusable: 0 }
  await settings.setRebuild(position)
  tick.fault = count
  tick.retention.start()
  tick.retention.start()
  await looked(4)
  t.deepEqual(log.lines, ['warn: retention waits: a rebuild of the index did not come to its end; run: dicomtap index rebuild'])
  tick.fault = async () => {
    await count()
    throw new Error('away')
  }
  await looked(4)
  t.deepEqual(log.lines.slice(1), ['error: retention failed: it is tried again'])
  tick.fault = count
  await settings.setLastScan({ startedAtMs: 1, finishedAtMs: 2, files: 1, added: 0, removed: 0, unusable: 0, left: 9 })
  await settings.setRebuild(undefined)
  await log.line(/files of the index are gone; mount the storage folder/)
  // In this order: between the two nothing would keep it from deleting.
  await settings.setScanner({ host: 'h', pid: 1, token: 't', atMs: Date.now() })
  await settings.setLastScan({ startedAtMs: 1, finishedAtMs: 2, files: 1, added: 0, removed: 0, unusable: 0, left: 0 })
  await log.line(/until the storage folder was compared/)
  t.deepEqual(removed, [])
  const other = new RetentionLease(index)
  t.true(await other.take())
  await settings.setScanner(undefined)
  await looked(12)
  t.deepEqual(removed, [], 'another process is about it')
  await other.release()
  await log.line(/retention works again/)
  t.is(removed.length, 132)
  await tick.retention.stop()
  t.is(await index.setting('retention.lease'), undefined)
})

test('stopping waits for the files that are just being removed, and no longer', async (t) => {
  const one = await made(t)
  let begin: (() => void) | undefined
  const begun = new Promise<void>((resolve) => (begin = resolve))
  let end: (() => void) | undefined
  const ended = new Promise<void>((resolve) => (end = resolve))
  let batches = 0
  const remove: StorageRemoval['remove'] = async (paths) => {
    batches += 1
    begin?.()
    await ended
    return { removed: paths.length, removedBytes: 0, missing: 0, unremoved: [] }
  }
  const { retention } = ticking(t, one, { remove }, one.directory)
  retention.start()
  await begun
  let isStopped = false
  const stopped = retention.stop().then(() => (isStopped = true))
  await new Promise((resolve) => setImmediate(resolve))
  t.false(isStopped)
  end?.()
  await stopped
  t.is(batches, 1)
  t.true(one.log.lines.includes('info: retention was broken off within a study: it goes on later'))
  retention.start()
  t.is(await one.index.setting('retention.lease'), undefined)
})

/** `study` as files that were stored so many days ago. */
async function putStudy(folder: string, study: string, days: number, instances = 2): Promise<string[]> {
  const files: string[] = []
  for (let i = 0; i < instances; i++) {
    const dataset = image(i, { studyInstanceUid: study, seriesInstanceUid: `${study}.${i}`, sopInstanceUid: `${study}.${i}.1` })
    const file = path.join(folder, 'data', study, `${study}.${i}.1.dcm`)
    await writeImage(file, dataset)
    const at = new Date(Date.now() - days * DAY_MS)
    await utimes(file, at, at)
    files.push(file)
  }
  return files
}

function lineOf({ server }: Archive, pattern: RegExp): Promise<Readonly<Record<string, unknown>>> {
  return new Promise((resolve) => {
    const look = (): void => {
      const line = server.log.find(({ message }) => pattern.test(message))
      if (line === undefined) setTimeout(look, 5)
      else resolve(line.fields)
    }
    look()
  })
}

test('a server deletes what is old, once it has looked at its folder, and what comes again stays', async (t) => {
  const folder = await temporaryFolder(t)
  const [old = ''] = await putStudy(folder, '2.25.100', 100, 3)
  const [again = ''] = await putStudy(folder, '2.25.200', 100)
  const [young = ''] = await putStudy(folder, '2.25.300', 1)
  const one = await archive(t, { folder, index: { retention: { maximumAgeDays: 30, dryRun: false, intervalMs: 1000 } } })
  await scanned(one)
  const association = await client(t, one.server.port)
  t.is(await store(association, image(0, { studyInstanceUid: '2.25.200', seriesInstanceUid: '2.25.200.0', sopInstanceUid: '2.25.200.0.1' })), 0, 'sent again, and there already')
  const { studyInstanceUid, files, why } = await lineOf(one, /^retention deleted a study$/) as { studyInstanceUid: string; files: number; why: string }
  t.deepEqual({ studyInstanceUid, files, why }, { studyInstanceUid: '2.25.100', files: 3, why: 'age' })
  t.like(await lineOf(one, /^retention deleted studies$/), { studies: 1, byAge: 1, spared: 1, files: 3 })
  t.deepEqual([old, again, young].map((file) => existsSync(file)), [false, true, true])
  t.false(existsSync(path.dirname(old)))
})

test('unless told otherwise it only says what it would delete', async (t) => {
  const folder = await temporaryFolder(t)
  const [old = ''] = await putStudy(folder, '2.25.100', 100)
  const one = await archive(t, { folder, index: { retention: { maximumSize: 1, intervalMs: 1000 } } })
  t.like(await lineOf(one, /^retention would delete studies, and does not: dryRun is set$/), { studies: 1, bySize: 1 })
  t.true(existsSync(old))
  t.false(one.server.log.some(({ level, fields }) => level !== 'debug' && fields['studyInstanceUid'] !== undefined))
})

async function site(folder: string): Promise<void> {
  await symlink(NODE_MODULES, path.join(folder, 'node_modules'), 'dir')
  const plugins = [
    { use: '@dicomtap/plugin-storage', options: { directory: './data', path: '{StudyInstanceUID}/{SOPInstanceUID}.dcm', minimumFreeSpace: null } },
    { use: '@dicomtap/plugin-query-retrieve', options: { database: { sqlite: './index.sqlite' } } },
  ]
  await writeFile(path.join(folder, 'dicomtap.config.json'), JSON.stringify({ listen: [{ port: 1 }], plugins }))
}

interface Ran {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** `dicomtap index ...` in a process of its own. */
function runProcess(t: ExecutionContext, folder: string, args: readonly string[]): Promise<Ran> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [BIN, 'index', ...args], { cwd: folder, env: { ...process.env, NO_COLOR: '1' } }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr })
    })
    child.stdin?.end()
    t.teardown(() => void child.kill())
  })
}

/** The same in this one, with the services of a server. */
async function runHere(folder: string, name: string, options: Readonly<Record<string, unknown>>, deletion?: DeletionService, retention?: object): Promise<Ran> {
  const texts = { stdout: '', stderr: '' }
  const stream = (which: 'stdout' | 'stderr'): Writable => new Writable({ write: (chunk, _encoding, done) => ((texts[which] += String(chunk)), done()) })
  const code = await command.commands?.find((one) => one.name === name)?.run?.({
    arguments: [],
    options,
    cwd: folder,
    stdout: stream('stdout'),
    stderr: stream('stderr'),
    signal: new AbortController().signal,
    loadConfig: () => Promise.reject(new Error('not asked for')),
    pluginOptions: async () => ({ options: queryRetrieveOptions.parse({ database: { sqlite: path.join(folder, 'index.sqlite') }, retention }), resolvePath: (file) => file }),
    withServices: (work) => work({ inject: () => deletion, injectOptional: () => deletion } as never),
  })
  return { code: code ?? 0, ...texts }
}

test('dicomtap index retention and delete, beside a server that runs', async (t) => {
  const folder = await temporaryFolder(t)
  const files = [await putStudy(folder, '2.25.100', 100, 3), await putStudy(folder, '2.25.200', 50), await putStudy(folder, '2.25.300', 0)]
  let deletion: DeletionService | undefined
  const later: Plugin = definePlugin({
    name: 'even-later',
    requires: ['query-retrieve'],
    apply(api) {
      deletion = api.inject('query-retrieve.deletion')
    },
  })()
  const one = await archive(t, { folder, plugins: [later] })
  await scanned(one)

  const retention = { maximumAgeDays: 30, maximumSize: '1 GB' }
  const shown = await runHere(folder, 'retention', { json: true, list: true }, undefined, retention)
  const report = JSON.parse(shown.stdout) as { list: { studyInstanceUid: string }[] }
  t.like(report, { rule: { maximumAgeDays: 30, maximumBytes: 1e9, dryRun: true }, studies: 2, byAge: 2, bySize: 0 })
  t.deepEqual(report.list.map(({ studyInstanceUid }) => studyInstanceUid), ['2.25.100', '2.25.200'])
  const listed = await runHere(folder, 'retention', { list: true }, undefined, retention)
  t.regex(listed.stdout, /^\d{4}-\d\d-\d\d {2}age {3}2\.25\.100\n\d{4}-\d\d-\d\d {2}age {3}2\.25\.200\nThe rule deletes studies that nothing was added to for 30 days, and the oldest above 1\.0 GB\./)
  t.regex(listed.stdout, /To be deleted now: 2 studies, .* 2 by age, 0 by size\n.*\nThe server only logs it: retention\.dryRun is not false\.\n$/)
  const tight = await runHere(folder, 'retention', {}, undefined, { maximumSize: 1, dryRun: false })
  t.regex(tight.stdout, /To be deleted now: 2 studies, .*\n.*\nAbove 1 B still: what was stored within the last hour stays\.\nThe server deletes it when it looks next\.\n$/)
  const loose = await runHere(folder, 'retention', {}, undefined, { maximumSize: '1 GB', dryRun: false })
  t.regex(loose.stdout, /\nNothing is to be deleted now\.\n$/)
  t.regex((await runHere(folder, 'retention', {})).stderr, /^error: the configuration has no option retention/)

  for (const [options, says] of [
    [{ study: '2.25.100', json: true }, /--json asks nothing: give --yes too/],
    [{ study: '2.25.1000', yes: true }, /the index has no such study/],
    [{ study: '2.25.100', series: '2.25.200.0', yes: true }, /the index has no such series/],
    [{ study: '*', yes: true }, /"\*" is no UID/],
  ] as const) {
    const { code, stderr } = await runHere(folder, 'delete', options, deletion)
    t.is(code, 1)
    t.regex(stderr, says)
  }
  t.regex((await runHere(folder, 'delete', { study: '2.25.100', yes: true })).stderr, /does not load the plugin query-retrieve/)
  t.true(files.flat().every((file) => existsSync(file)))

  const series = await runHere(folder, 'delete', { study: '2.25.100', series: '2.25.100.1', yes: true }, deletion)
  t.regex(series.stdout, /^The series has 1 instance, .* stored on \d{4}-\d\d-\d\d\.\nDeleted 1 file, .*\.\n$/)
  t.is(series.code, 0)
  await site(folder)
  const [study, unasked] = await Promise.all([runProcess(t, folder, ['delete', '--study', '2.25.100', '--yes', '--json']), runProcess(t, folder, ['delete', '--study', '2.25.200'])])
  t.is(study.code, 0, study.stderr)
  t.like(JSON.parse(study.stdout), { studyInstanceUid: '2.25.100', seriesInstanceUid: null, files: 2, unremoved: [], end: 'done' })
  t.regex(study.stderr, /deleted by hand/)
  t.deepEqual((await readdir(path.join(folder, 'data'))).filter((name) => !name.startsWith('.')).sort(), ['2.25.200', '2.25.300'])
  t.is(await deletion?.find('2.25.100'), undefined, 'the server does not find it either')
  t.is(unasked.code, 1)
  t.regex(unasked.stderr, /there is no terminal to ask at: give --yes/)
  t.like(await deletion?.find('2.25.200'), { instances: 2, series: 2 })

  await rename(path.join(folder, 'data', '2.25.200'), path.join(folder, 'away'))
  const gone = await runHere(folder, 'delete', { study: '2.25.200', yes: true }, deletion)
  t.is(gone.code, 1)
  t.regex(gone.stdout, /Its files are not there\. Is the storage folder mounted\?/)
  t.like(await deletion?.find('2.25.200'), { instances: 2 })
})

test('nothing is deleted by hand without a yes', async (t) => {
  const invocation = {
    options: { study: '1.2' }, stdout: new Writable({ write: (_chunk, _encoding, done) => done() }), stderr: new Writable({ write: (_chunk, _encoding, done) => done() }), signal: new AbortController().signal,
    withServices: (work: (services: unknown) => unknown) =>
      work({
        injectOptional: () => ({
          find: async () => ({ study: 1, studyInstanceUid: '1.2', series: 1, instances: 1, bytes: 1, oldestStoredAtMs: 0, newestStoredAtMs: 0 }),
          delete: async () => ({ files: 1, bytes: 1, unremoved: [], end: 'done' }),
        }),
      }),
  } as unknown as CommandInvocation
  t.is(await deleteByHand(invocation, async () => false), 1)
  t.is(await deleteByHand(invocation, async () => true), 0)
})
