import { chmod, mkdir, readFile, rename, rm, symlink, utimes, writeFile } from 'node:fs/promises'
import { execFile, execFileSync } from 'node:child_process'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test, { type ExecutionContext } from 'ava'
import Database from 'libsql'
import { openIndex } from '../../dist/database/open-index.js'
import { progressText } from '../../dist/index-command/progress.js'
import { InstanceReader } from '../../dist/maintenance/read-instance.js'
import { Reindexer } from '../../dist/maintenance/reindexer.js'
import { compareCodePoints } from '../../dist/maintenance/code-point-order.js'
import { rebuildIndex } from '../../dist/maintenance/rebuild.js'
import { walkFolder } from '../../dist/maintenance/walk-folder.js'
import { buildCatalogue } from '../../dist/model/catalogue.js'
import { queryRetrieveOptions } from '../../dist/options.js'
import { image, temporaryFolder, writeImage } from './support/archive.js'
import { silentLog } from './support/log.js'
import { run } from './support/run-command.js'

const BIN = fileURLToPath(new URL('../../../cli/bin/dicomtap.js', import.meta.url))

/** A folder with 3 instances, and rows of them. */
async function indexed(t: ExecutionContext): Promise<string> {
  const folder = await temporaryFolder(t)
  for (const seed of [1, 2, 3]) await writeImage(join(folder, `data/st/${seed}.dcm`), image(seed, {}, { InstanceNumber: seed }))
  const { code } = await run(folder, 'rebuild')
  t.is(code, 0)
  return folder
}

function paths(folder: string): string[] {
  const database = new Database(join(folder, 'index.sqlite'), { readonly: true } as never)
  const rows = database.prepare('select path from instance order by path').all() as { path: string }[]
  database.close()
  return rows.map(({ path }) => path)
}

test('rebuild reads what is there; what is no instance is named, with exit code 1', async (t) => {
  const folder = await temporaryFolder(t)
  for (const seed of [1, 2]) await writeImage(join(folder, `data/st/${seed}.dcm`), image(seed))
  await writeFile(join(folder, 'data/readme \u001b[31m.txt'), 'hello')
  const { StudyInstanceUID: _study, ...without } = image(3)
  await writeImage(join(folder, 'data/no study.dcm'), without)
  await writeFile(join(folder, 'data/huge.bin'), '')
  execFileSync('truncate', ['-s', '20G', join(folder, 'data/huge.bin')])
  await symlink('..', join(folder, 'data/loop'))
  await writeImage(join(folder, 'data/.partial/x.dcm'), image(4))
  const { code, stdout, stderr } = await run(folder, 'rebuild')
  t.is(code, 1)
  t.is(stderr, '')
  t.deepEqual(stdout.split('\n'), [
    'unusable   huge.bin  (Not a DICOM file: "DICM" does not stand at byte 128)',
    'unusable   no study.dcm  (it lacks the UID of its study, series or instance)',
    'unusable   readme \\u{1b}[31m.txt  (Not a DICOM file: "DICM" does not stand at byte 128)',
    `${join(folder, 'data')}: 5 files, 2 instances indexed`,
    '  3 files cannot be indexed',
    '',
  ])
  t.deepEqual(paths(folder), ['st/1.dcm', 'st/2.dcm'])
  const again = await run(folder, 'rebuild', { json: true })
  t.is(again.code, 1)
  t.like(JSON.parse(again.stdout), { ok: false, files: 5, indexed: 2, unusable: 3, removed: 0, resumedAt: 0 })
})

test('rebuild forgets rows without a file, and of an instance that was stored several times takes the newest file', async (t) => {
  const folder = await indexed(t)
  await rename(join(folder, 'data/st/1.dcm'), join(folder, 'data/st/moved.dcm'))
  await rm(join(folder, 'data/st/2.dcm'))
  const at = (seconds: number): Date => new Date(1_700_000_000_000 + seconds * 1000)
  for (const [name, seconds] of [['v1', 1], ['v10', 10], ['v2', 2]] as const) {
    await writeImage(join(folder, `data/${name}.dcm`), image(9, {}, { InstanceNumber: seconds }))
    await utimes(join(folder, `data/${name}.dcm`), at(seconds), at(seconds))
  }
  const { code, stdout } = await run(folder, 'rebuild')
  t.is(code, 0)
  t.regex(stdout, /5 files, 3 instances indexed\n {2}2 older files of instances that were stored several times\n {2}1 row without a file forgotten\n$/)
  t.deepEqual(paths(folder), ['st/3.dcm', 'st/moved.dcm', 'v10.dcm'])
  // Older files have no row, and nothing is wrong with that.
  const checked = await run(folder, 'check')
  t.is(checked.code, 0)
  t.regex(checked.stdout, /: as indexed\n {2}5 files, 3 rows\n.*\n {2}2 older files of/)
})

test('after a rebuild a study has the time of its newest file, also when that is earlier than before', async (t) => {
  const folder = await indexed(t)
  for (const seed of [1, 2, 3]) await utimes(join(folder, `data/st/${seed}.dcm`), 1_700_000_000, 1_700_000_000 + seed)
  t.is((await run(folder, 'rebuild')).code, 0)
  const { lastStoredAtMs } = JSON.parse((await run(folder, 'stats', { json: true })).stdout) as { lastStoredAtMs: number }
  t.is(lastStoredAtMs, 1_700_000_003_000)
})

test('stats and check write nothing: neither a lock nor a full disk is in their way', async (t) => {
  const folder = await indexed(t)
  const other = new Database(join(folder, 'index.sqlite'))
  t.teardown(() => other.close())
  other.exec('begin immediate')
  const stats = await run(folder, 'stats', { json: true })
  t.like(JSON.parse(stats.stdout), { instances: 3 })
  t.is((await run(folder, 'check')).code, 0)
  other.exec('rollback')
  t.is((await run(folder, 'check', { repair: true })).code, 0)
})

test('a rebuild that is broken off goes on behind what is committed', async (t) => {
  const folder = await temporaryFolder(t)
  const root = join(folder, 'data')
  await writeImage(join(root, '0/1000.dcm'), image(1000))
  const bytes = await readFile(join(root, '0/1000.dcm'))
  for (let seed = 1001; seed < 1600; seed++) {
    const path = join(root, String(seed % 7), `${seed}.dcm`)
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, Buffer.from(bytes.toString('latin1').replaceAll('2.25.3.1000', `2.25.3.${seed}`), 'latin1'))
  }
  const attributes = await buildCatalogue(queryRetrieveOptions.parse({}).attributes)
  const runOnce = async (stopAfter: number, isRestarted = false): Promise<{ readonly read: number; readonly resumedAt: number | undefined; readonly files: number | undefined }> => {
    const index = openIndex({ database: { sqlite: join(folder, 'index.sqlite') }, resolvePath: (path) => path, log: silentLog() })
    await index.start()
    const stop = new AbortController()
    let [read, resumedAt]: [number, number | undefined] = [0, undefined]
    const reader = new InstanceReader(root, attributes)
    const counting = { read: (path: string) => (read++, reader.read(path)) } as InstanceReader
    try {
      const { files } = await rebuildIndex({
        root,
        index,
        reindexer: new Reindexer(root, index, counting),
        fingerprint: attributes.fingerprint,
        signal: stop.signal,
        isRestarted,
        onResumed: ({ files: done }) => (resumedAt = done),
        onProgress: (done) => done >= stopAfter && stop.abort(),
        onUnusable: (path, reason) => t.fail(`${path}: ${reason}`),
        onUnreadable: ({ code }) => t.fail(code),
      })
      return { read, resumedAt, files }
    } catch (error) {
      t.is((error as Error).name, 'AbortError')
      return { read, resumedAt, files: undefined }
    } finally {
      await index.close()
    }
  }
  const first = await runOnce(1)
  t.is(first.files, undefined)
  const stats = JSON.parse((await run(folder, 'stats', { json: true })).stdout) as { instances: number; isRebuildUnfinished: boolean }
  t.true(stats.isRebuildUnfinished)
  const second = await runOnce(Number.POSITIVE_INFINITY)
  t.true((second.resumedAt ?? 0) >= 256)
  t.is(second.read, 600 - (second.resumedAt ?? 0))
  t.is(second.files, 600)
  t.is(paths(folder).length, 600)
  // It came to its end: the next one begins anew, as does one with --restart.
  t.like(await runOnce(1), { resumedAt: undefined })
  t.like(await runOnce(Number.POSITIVE_INFINITY, true), { resumedAt: undefined, read: 600 })
})

test('check finds each kind of difference and repairs it', async (t) => {
  const folder = await indexed(t)
  t.is((await run(folder, 'check', { deep: true })).code, 0)
  const data = join(folder, 'data')
  await rm(join(data, 'st/1.dcm'))
  await writeImage(join(data, 'new.dcm'), image(4))
  await writeImage(join(data, 'st/2.dcm'), image(2, {}, { InstanceNumber: 2, ImageComments: 'longer' }))
  await writeFile(join(data, 'zz.txt'), 'hello')
  const database = new Database(join(folder, 'index.sqlite'))
  database.exec(`update instance set attributes = replace(attributes, '"InstanceNumber":3', '"InstanceNumber":4') where path = 'st/3.dcm'`)
  database.close()

  const shallow = await run(folder, 'check')
  t.is(shallow.code, 1)
  t.deepEqual(shallow.stdout.replaceAll(/\(\d+ bytes, \d+ in the index\)/g, '(bytes)').split('\n'), [
    'unindexed  new.dcm  (no row)',
    'missing    st/1.dcm  (no file)',
    'changed    st/2.dcm  (bytes)',
    'unusable   zz.txt  (Not a DICOM file: "DICM" does not stand at byte 128)',
    `${data}: NOT AS INDEXED`,
    '  4 files, 3 rows',
    '  1 unindexed, 1 missing, 1 changed, 0 different, 1 unusable',
    '',
  ])
  const deep = JSON.parse((await run(folder, 'check', { deep: true, json: true })).stdout) as { differences: { kind: string; path: string; detail: string; isRepaired: boolean }[]; ok: boolean }
  t.false(deep.ok)
  t.deepEqual(deep.differences.find(({ kind }) => kind === 'differs'), { kind: 'differs', path: 'st/3.dcm', detail: 'InstanceNumber', isRepaired: false })

  await rm(join(data, 'zz.txt'))
  const repaired = await run(folder, 'check', { deep: true, repair: true })
  t.is(repaired.code, 0)
  t.regex(repaired.stdout, /^unindexed {2}new\.dcm {2}\(no row\), repaired$/m)
  t.regex(repaired.stdout, /^ {2}4 repaired$/m)
  t.deepEqual(paths(folder), ['new.dcm', 'st/2.dcm', 'st/3.dcm'])
  t.is((await run(folder, 'check', { deep: true })).code, 0)
})

test('stats: what the index holds, and when it is out of date', async (t) => {
  const folder = await indexed(t)
  await writeImage(join(folder, 'data/mr.dcm'), image(7, { studyInstanceUid: '2.25.8', seriesInstanceUid: '2.25.9' }, { Modality: 'MR', StudyDate: '20240229' }))
  t.is((await run(folder, 'check', { repair: true })).code, 0)
  const { stdout } = await run(folder, 'stats')
  t.regex(stdout, /^Studies {5}2, from 2020-01-02 to 2024-02-29$/m)
  t.regex(stdout, /^Instances {3}4, [\d.]+ kB, the last one stored \d{4}-\d\d-\d\dT[\d:]+Z$/m)
  t.regex(stdout, /^ {2}CT {8}3 in 1 series, /m)
  t.regex(stdout, /^ {2}MR {8}1 in 1 series, /m)
  t.regex(stdout, /^Database {4}.*index\.sqlite, [\d.]+ kB, tables 0001-instances$/m)
  const options = queryRetrieveOptions.parse({ database: { sqlite: 'index.sqlite' }, attributes: { study: ['InstitutionalDepartmentName'] } })
  const plugins = { '@dicomtap/plugin-query-retrieve': options, '@dicomtap/plugin-storage': { directory: 'data' } }
  const json = JSON.parse((await run(folder, 'stats', { json: true }, plugins)).stdout) as Record<string, unknown>
  t.like(json, { patients: 2, studies: 2, series: 2, instances: 4, oldestStudyDate: '20200102', newestStudyDate: '20240229', isOutdated: true })
  t.regex((await run(folder, 'stats', {}, plugins)).stdout, /The option attributes has changed since: run dicomtap index rebuild\.\n$/)
  const checked = await run(folder, 'check', {}, plugins)
  t.is(checked.code, 1)
  t.regex(checked.stdout, /the option attributes has changed since: run dicomtap index rebuild\n$/)
  // It writes the rows anew, and they are right again.
  t.is((await run(folder, 'rebuild', {}, plugins)).code, 0)
  t.is((await run(folder, 'check', { deep: true }, plugins)).code, 0)
})

test('what is wrong with the command line or the database is one line', async (t) => {
  const folder = await temporaryFolder(t)
  t.deepEqual(await run(folder, 'check'), { code: 1, stdout: '', stderr: `error: ${join(folder, 'data')} cannot be looked at (ENOENT)\n` })
  await mkdir(join(folder, 'data'))
  t.regex((await run(folder, 'rebuild')).stderr, /^error: .*data has no files: is it mounted\? [^\n]*\n$/)
  t.regex((await run(folder, 'check', { repair: true })).stderr, /^error: .*data has no files: is it mounted\? [^\n]*\n$/)
  await rm(join(folder, 'index.sqlite'))
  t.regex((await run(folder, 'rebuild', {}, {})).stderr, /^error: the configuration names no storage folder: give it on the command line[^\n]*\n$/)
  t.regex((await run(folder, 'stats', {}, {})).stderr, /^error: the configuration does not name @dicomtap\/plugin-query-retrieve[^\n]*\n$/)
  t.regex((await run(folder, 'stats', { database: 'postgres://a:secret@localhost/x' })).stderr, /^error: a password on the command line[^\n]*PGPASSWORD\n$/)
  t.regex((await run(folder, 'rebuild', { database: 'data/index.sqlite' })).stderr, /^error: [^\n]*index\.sqlite is in the storage folder, [^\n]*\n$/)
  t.regex((await run(folder, 'stats')).stderr, /^error: there is no index at .*index\.sqlite: [^\n]*\n$/)
  await writeFile(join(folder, 'index.sqlite'), 'this is no database, whatever its name says. '.repeat(100))
  await t.throwsAsync(run(folder, 'stats'), { code: 'DICOMTAP_ERR_QR_DATABASE', message: /^[^\n]+$/ })
})

test('a folder that is not the storage folder of the configuration costs no rows', async (t) => {
  const folder = await indexed(t)
  const plugins = {
    '@dicomtap/plugin-query-retrieve': queryRetrieveOptions.parse({ database: { sqlite: 'index.sqlite' } }),
    '@dicomtap/plugin-storage': { directory: 'data' },
  }
  await writeImage(join(folder, 'other/1.dcm'), image(4))
  for (const argument of ['other', 'data/st']) {
    for (const [name, options] of [['rebuild', {}], ['check', { repair: true }]] as const) {
      const { code, stderr } = await run(folder, name, options, plugins, argument)
      t.is(code, 1)
      t.regex(stderr, /^error: .* is not the storage folder of the configuration, .*data: [^\n]*\n$/)
    }
  }
  t.deepEqual(paths(folder), ['st/1.dcm', 'st/2.dcm', 'st/3.dcm'])
  await symlink(join(folder, 'data'), join(folder, 'link'))
  t.is((await run(folder, 'rebuild', {}, plugins, 'link')).code, 0, 'the same by another name')
  t.is((await run(folder, 'rebuild', { database: 'new.sqlite' }, plugins, 'other')).code, 0, 'an index of its own')
  t.is((await run(folder, 'check', {}, plugins, 'index.sqlite')).stderr, `error: ${join(folder, 'index.sqlite')} is not a folder\n`)
})

test('dicomtap index, started by its name', async (t) => {
  const folder = await indexed(t)
  const config = { aeTitle: 'ARCHIVE', plugins: [{ use: '@dicomtap/plugin-storage', options: { directory: './data' } }, { use: '@dicomtap/plugin-query-retrieve', options: { database: { sqlite: './index.sqlite' } } }] }
  await writeFile(join(folder, 'dicomtap.config.json'), JSON.stringify(config))
  const workspace = fileURLToPath(new URL('../../../../node_modules', import.meta.url))
  await symlink(workspace, join(folder, 'node_modules'))
  await writeFile(join(folder, 'package.json'), JSON.stringify({ dependencies: { '@dicomtap/plugin-query-retrieve': '*' } }))
  const { stdout } = await promisify(execFile)(process.execPath, [BIN, 'index', 'check', '--json'], { cwd: folder })
  t.like(JSON.parse(stdout), { ok: true, files: 3, rows: 3 })
})

test('folders are walked in the order of paths, and from any path on', async (t) => {
  const folder = await temporaryFolder(t)
  const names = ['a/b/1', 'a/b.c', 'a.b', 'a/b0', 'ab', 'Z/1', 'é', 'z\u{1f600}', 'z\ufffc', 'z/1']
  for (const name of names) {
    await mkdir(join(folder, name, '..'), { recursive: true })
    await writeFile(join(folder, name), '')
  }
  const walk = async (after = ''): Promise<string[]> => {
    const files: string[] = []
    for await (const file of walkFolder({ root: folder, after, onUnreadable: ({ code }) => t.fail(code) })) files.push(file)
    return files
  }
  // By the bytes of UTF-8, as databases do.
  const sorted = names.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
  t.deepEqual(await walk(), sorted)
  t.deepEqual(names.toSorted(compareCodePoints), sorted)
  for (const [at, name] of sorted.entries()) t.deepEqual(await walk(name), sorted.slice(at + 1), name)
  t.deepEqual(await walk('a/b/'), sorted.slice(sorted.indexOf('a/b/1')))
})

// Root reads everything.
const asUser = process.platform === 'win32' || process.getuid?.() === 0 ? test.skip : test

asUser('a folder that cannot be read: its rows stay', async (t) => {
  const folder = await indexed(t)
  await chmod(join(folder, 'data/st'), 0)
  t.teardown(() => chmod(join(folder, 'data/st'), 0o700))
  const { code, stdout, stderr } = await run(folder, 'check', { repair: true })
  t.is(code, 1)
  t.regex(stderr, /^warning: the folder st\/ cannot be looked at \(EACCES\)$/m)
  t.regex(stdout, /3 unusable/)
  t.is(paths(folder).length, 3)
})

test('how progress is told', (t) => {
  t.is(progressText(12_000, 40_000, 6_000, 1000), '12,000 of 40,000 files, 6,000 files/s, 5 s left')
  t.is(progressText(10, undefined, 10, 100), '10 files')
  t.is(progressText(1_000_000, 5_000_000, 1_000_000, 250_000), '1,000,000 of 5,000,000 files, 4,000 files/s, 17 min left')
})
