import type { CommandInvocation } from '@dicomtap/framework'
import test from 'ava'
import { createHash } from 'node:crypto'
import { appendFile, mkdir, readdir, readFile, rm, truncate, unlink, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { Writable } from 'node:stream'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { nodeFileSystem } from '../dist/file-system.js'
import { readRecords, recordFiles } from '../dist/records/read-records.js'
import { decodeRecord, encodeRecord, type ObjectRecord } from '../dist/records/record.js'
import { RecordLog } from '../dist/records/record-log.js'
import { Expectation } from '../dist/verify/expectation.js'
import { Verification, type VerifyCounts } from '../dist/verify/verify.js'
import { command, verify } from '../dist/verify-command.js'
import { FaultyFileSystem, systemError } from './support/faulty-file-system.js'
import { storeFixture, temporaryFolder } from './support/store-fixture.js'

const FOLDER = path.join('1.2.3', '1.2.3.4')
const record = (values: Partial<ObjectRecord> = {}): ObjectRecord => ({
  kind: 'stored', relativePath: '1/2.dcm', sizeBytes: 7, recordedAtMs: 1000, sha256: undefined, ...values,
})

function invocation(values: Partial<CommandInvocation> = {}): CommandInvocation & { out(): string } {
  let text = ''
  const stdout = new Writable({
    write(chunk: Buffer, _encoding, done) {
      text += chunk.toString()
      setImmediate(done)
    },
    highWaterMark: 1,
  })
  return {
    arguments: [],
    options: {},
    cwd: '/',
    stdout,
    stderr: new Writable({ write: (_chunk, _encoding, done) => done() }),
    signal: new AbortController().signal,
    loadConfig: () => Promise.reject(new Error('not asked for')),
    pluginOptions: () => Promise.resolve(undefined),
    withServices: () => Promise.reject(new Error('not asked for')),
    out: () => text,
    ...values,
  }
}

async function run(directory: string, options: Record<string, unknown> = {}, fileSystem = nodeFileSystem): Promise<{ code: number; out: string }> {
  const call = invocation({ arguments: [directory], options })
  const code = await verify(call, fileSystem)
  return { code, out: call.out() }
}

/** What the JSON report says, with problems as `kind path`. */
async function runJson(directory: string, options: Record<string, unknown> = {}, fileSystem = nodeFileSystem) {
  const { code, out } = await run(directory, { ...options, json: true }, fileSystem)
  const { problems, counts, ok } = JSON.parse(out) as { problems: { kind: string; path: string; detail?: string }[]; counts: VerifyCounts; ok: boolean }
  return { code, ok, counts, problems: problems.map(({ kind, path }) => `${kind} ${path}`).sort(), details: problems.map(({ detail }) => detail) }
}

async function allRecords(directory: string): Promise<ObjectRecord[]> {
  const at = path.join(directory, '.dicomtap', 'records')
  const found: ObjectRecord[] = []
  for await (const { records } of readRecords(nodeFileSystem, at, await recordFiles(nodeFileSystem, at))) found.push(...records)
  return found
}

test('a record is one line with a checksum; what was cut or changed is none', (t) => {
  const whole = record({ relativePath: 'a\n"b"\u2028/ü.dcm', sha256: 'ab'.repeat(32) })
  const line = encodeRecord(whole)
  t.is(line.indexOf('\n'), line.length - 1)
  t.deepEqual(decodeRecord(line.trimEnd()), whole)
  t.deepEqual(decodeRecord(encodeRecord(record()).trimEnd()), record())
  for (let length = 0; length < line.length - 1; length++) t.is(decodeRecord(line.slice(0, length)), undefined)
  t.is(decodeRecord(line.trimEnd().replace('stored', 'stared')), undefined)
  // CRC-32 (ISO-HDLC) of "123456789" is cbf43926; a right checksum of what is no record does not help.
  t.is(decodeRecord('cbf43926 123456789'), undefined)
  for (const wrong of [{ kind: 'other' }, { sizeBytes: -1 }, { sizeBytes: 1.5 }, { sha256: 'AB' }, { relativePath: 5 }, { recordedAtMs: null }]) {
    t.is(decodeRecord(encodeRecord({ ...whole, ...wrong } as unknown as ObjectRecord).trimEnd()), undefined, JSON.stringify(wrong))
  }
})

for (const [durability, isDigested] of [['fsync', true], ['close', false]] as const) {
  test(`with ${durability}, ${isDigested ? 'size and SHA-256' : 'the size'} of each object is recorded before 0000`, async (t) => {
    const { send, directory, read } = await storeFixture(t, { options: { durability } })
    t.is(await send({ pixelBytes: 600_000 }), 0)
    const [found, ...rest] = await allRecords(directory)
    t.deepEqual(rest, [])
    const file = await read(path.join(FOLDER, '1.2.3.4.5.dcm'))
    t.like(found, { kind: 'stored', relativePath: '1.2.3/1.2.3.4/1.2.3.4.5.dcm', sizeBytes: file.length })
    t.is(found?.sha256, isDigested ? createHash('sha256').update(file).digest('hex') : undefined)
    t.is((await runJson(directory)).counts.sizeOnly, isDigested ? 0 : 1)
  })
}

test('what is not stored is not recorded; record: none records nothing', async (t) => {
  const { send, hooks, directory } = await storeFixture(t)
  hooks.instanceStored.tapPromise('index', () => Promise.reject(new Error('no')))
  t.is(await send(), 0xa700)
  t.deepEqual(await allRecords(directory), [])
  const none = await storeFixture(t, { options: { record: 'none' } })
  t.is(await none.send(), 0)
  t.deepEqual(await readdir(path.join(none.directory, '.dicomtap')), ['partial'])
})

test('missing, shorter, longer, empty, changed, replaced by a folder and unrecorded: each is told, and the code is 1', async (t) => {
  const { send, directory, store } = await storeFixture(t, { options: { durability: 'fsync' } })
  for (let i = 1; i <= 9; i++) t.is(await send({ sopInstanceUid: `1.${i}`, pixelBytes: 300_000 }), 0)
  await store.stop()
  t.like(await runJson(directory), { code: 0, ok: true, problems: [] })
  const at = (name: string): string => path.join(directory, FOLDER, name)
  await unlink(at('1.1.dcm'))
  await truncate(at('1.2.dcm'), 1000)
  await appendFile(at('1.3.dcm'), 'x')
  await truncate(at('1.4.dcm'), 0)
  const flipped = await readFile(at('1.5.dcm'))
  flipped[200_000] = (flipped[200_000] as number) ^ 1
  await writeFile(at('1.5.dcm'), flipped)
  await rm(at('1.6.dcm'))
  await mkdir(at('1.6.dcm'))
  await writeFile(at('notes.txt'), 'by hand')
  const size = flipped.length
  // A change a moment ago may be the server's own: with the records made meanwhile it is looked at again.
  const { problems, code, ok, counts, details } = await runJson(directory)
  t.deepEqual(problems, [
    ...['2', '3', '4', '5', '6'].map((n) => `changed 1.2.3/1.2.3.4/1.${n}.dcm`),
    'missing 1.2.3/1.2.3.4/1.1.dcm',
  ])
  t.is(code, 1)
  t.false(ok)
  t.like(counts, { verified: 3, missing: 1, changed: 5, checked: 9, sizeOnly: 0 })
  t.true(counts.readBytes >= 4 * size)
  t.true(details.includes(`it is shorter: 1000 bytes of ${size}`) && details.includes('it is no file'))
  const quick = await runJson(directory, { quick: true })
  t.deepEqual(quick.problems.filter((problem) => problem.includes('1.5')), [], 'sizes alone do not tell')
  const { out } = await run(directory)
  t.regex(out, /^missing {5}1\.2\.3\/1\.2\.3\.4\/1\.1\.dcm$/m)
  t.regex(out, /NOT AS RECORDED\n {2}3 files are as recorded \(.* MB read\)\n {2}1 missing, 5 changed, 0 unreadable, \d unrecorded\n$/)
})

test('a file that nobody recorded is told and is no failure, unless asked for', async (t) => {
  const { directory, send } = await storeFixture(t)
  t.is(await send(), 0)
  await writeFile(path.join(directory, 'old.dcm'), 'from before')
  // As if it ran a quarter of an hour from now.
  const startedAtMs = Date.now() + 900_000
  t.is(await verify(invocation({ arguments: [directory] }), nodeFileSystem, startedAtMs), 0)
  const call = invocation({ arguments: [directory], options: { strict: true } })
  t.is(await verify(call, nodeFileSystem, startedAtMs), 1)
  t.regex(call.out(), /^unrecorded {2}old\.dcm$/m)
  t.regex(call.out(), /\n {2}1 file is as recorded.*\n {2}0 missing, 0 changed, 0 unreadable, 1 unrecorded\n$/)
})

test('a folder without records is an error that says what to do', async (t) => {
  const directory = await temporaryFolder(t)
  const error = await t.throwsAsync(run(directory), { code: 'DICOMTAP_ERR_STO_DIRECTORY' })
  t.regex(error?.message ?? '', /has no records .*--accept unrecorded/)
  await t.throwsAsync(run(path.join(directory, 'nowhere')), { code: 'DICOMTAP_ERR_STO_DIRECTORY', message: /ENOENT/ })
  await t.throwsAsync(verify(invocation()), { code: 'DICOMTAP_ERR_STO_DIRECTORY', message: /names no storage folder/ })
})

test('a store that holds nothing yet is right; one whose records are gone is not', async (t) => {
  const { store, send, directory } = await storeFixture(t)
  await store.start()
  t.like(await runJson(directory), { code: 0, ok: true })
  t.is(await send(), 0)
  await rm(path.join(directory, '.dicomtap', 'records'), { recursive: true })
  await t.throwsAsync(run(directory), { code: 'DICOMTAP_ERR_STO_DIRECTORY', message: /has no records/ })
})

test('without a folder, that of the configuration is verified', async (t) => {
  const { directory, send } = await storeFixture(t)
  t.is(await send(), 0)
  const call = invocation({
    pluginOptions: async (plugin) =>
      plugin === '@dicomtap/plugin-storage' ? { options: { directory: 'data' }, resolvePath: (name) => (name === 'data' ? directory : name) } : undefined,
  })
  t.is(await command.run?.(call), 0)
  t.regex(call.out(), /1 file is as recorded, 1 of them by their size alone/)
})

test('duplicates: each policy leaves what is recorded', async (t) => {
  for (const duplicates of ['version', 'replace', 'keep', 'reject']) {
    for (const durability of ['fsync', 'close']) {
      const { send, directory } = await storeFixture(t, { options: { duplicates, durability } })
      for (const fill of [1, 2, 1, 3, 2]) await send({ fill, pixelBytes: 100 * fill })
      await Promise.all([4, 5, 6, 5].map((fill) => send({ fill, pixelBytes: 200 })))
      t.like(await runJson(directory), { ok: true, problems: [] }, `${duplicates}, ${durability}`)
      t.true((await allRecords(directory)).length > 0)
    }
  }
})

test('a file that a crash left without a record is recorded with its size when it stands for another', async (t) => {
  const { send, directory, store } = await storeFixture(t, { options: { durability: 'fsync' } })
  t.is(await send(), 0)
  await store.stop()
  await rm(path.join(directory, '.dicomtap', 'records'), { recursive: true })
  const second = await storeFixture(t, { directory, options: { durability: 'fsync' } })
  t.is(await second.send(), 0)
  t.like((await allRecords(directory))[0], { kind: 'kept', sha256: undefined })
  t.like((await runJson(directory)).counts, { verified: 1, sizeOnly: 1 })
  await truncate(path.join(directory, FOLDER, '1.2.3.4.5.dcm'), 10)
  t.is((await runJson(directory)).code, 1)
})

test('what an operator accepts is recorded', async (t) => {
  const { send, directory, store } = await storeFixture(t, { options: { durability: 'fsync' } })
  for (let i = 1; i <= 3; i++) t.is(await send({ sopInstanceUid: `1.${i}` }), 0)
  await store.stop()
  await unlink(path.join(directory, FOLDER, '1.1.dcm'))
  await truncate(path.join(directory, FOLDER, '1.2.dcm'), 10)
  t.like(await runJson(directory, { accept: 'missing' }), { code: 1, problems: ['changed 1.2.3/1.2.3.4/1.2.dcm'], counts: { accepted: 1 } as never })
  t.like(await runJson(directory), { code: 1, problems: ['changed 1.2.3/1.2.3.4/1.2.dcm'] })
  t.is((await runJson(directory, { accept: 'changed' })).code, 0)
  t.like(await runJson(directory), { code: 0, counts: { verified: 2, sizeOnly: 0 } as never })
  const again = await storeFixture(t, { directory, options: { durability: 'fsync' } })
  t.is(await again.send({ sopInstanceUid: '1.1', fill: 3 }), 0, 'it is sent again after it was removed')
  t.is((await runJson(directory)).code, 0)
})

test('an old folder is taken in with --accept unrecorded', async (t) => {
  const directory = await temporaryFolder(t)
  await writeFile(path.join(directory, 'old.dcm'), 'from before')
  const call = invocation({ arguments: [directory], options: { accept: 'unrecorded' } })
  t.is(await verify(call, nodeFileSystem, Date.now() + 900_000), 0)
  t.regex(call.out(), /1 of these are recorded as right now/)
  t.like((await runJson(directory)).counts, { verified: 1, sizeOnly: 0, unrecorded: 0 })
})

test('what cannot be read is told with the reason, and the rest is looked at', async (t) => {
  const { send, directory } = await storeFixture(t, { options: { durability: 'fsync' } })
  for (let i = 1; i <= 3; i++) t.is(await send({ sopInstanceUid: `1.${i}` }), 0)
  const faulty = new FaultyFileSystem()
  const { open, read } = faulty.fileSystem
  const broken = new Set<number>()
  const fileSystem = {
    ...faulty.fileSystem,
    open: async (file: string, flags: number) => {
      if (file.endsWith('1.1.dcm')) throw systemError('EACCES', 'open')
      const descriptor = await open(file, flags)
      broken.delete(descriptor)
      if (file.endsWith('1.2.dcm')) broken.add(descriptor)
      return descriptor
    },
    read: (descriptor: number, buffer: Uint8Array, position: number) =>
      broken.has(descriptor) ? Promise.reject(systemError('EIO', 'read')) : read(descriptor, buffer, position),
  }
  const { problems, counts, details } = await runJson(directory, {}, fileSystem)
  t.deepEqual(problems, ['unreadable 1.2.3/1.2.3.4/1.1.dcm', 'unreadable 1.2.3/1.2.3.4/1.2.dcm'])
  t.deepEqual(details.toSorted((a, b) => ((a ?? '') < (b ?? '') ? -1 : 1)), ['EACCES', 'EIO'])
  t.like(counts, { verified: 1, unreadable: 2 })
})

test('while servers store, nothing looks wrong', async (t) => {
  for (const duplicates of ['version', 'replace']) {
    const { send, directory } = await storeFixture(t, { options: { duplicates, record: 'sha256' } })
    t.is(await send({ sopInstanceUid: '1.1' }), 0)
    let isOver = false
    const storing = [1, 2].map(async (sender) => {
      for (let i = 0; !isOver; i++) {
        await send({ sopInstanceUid: `1.${i % 10}`, fill: i % 5, pixelBytes: 1000 * sender })
        // As between objects of a connection: on a quick disk, storing itself never waits for the event loop.
        await nextTurn()
      }
    })
    for (let i = 0; i < 3; i++) t.deepEqual((await runJson(directory)).problems, [], duplicates)
    isOver = true
    await Promise.all(storing)
    t.is((await runJson(directory)).code, 0)
  }
})

test('a large archive is looked at part by part', async (t) => {
  const { send, directory } = await storeFixture(t, { options: { record: 'sha256' } })
  for (let i = 1; i <= 30; i++) t.is(await send({ sopInstanceUid: `1.${i}` }), 0)
  await unlink(path.join(directory, FOLDER, '1.7.dcm'))
  const problems: string[] = []
  const counts = await new Verification({
    root: directory, recordDirectory: path.join(directory, '.dicomtap', 'records'), signal: new AbortController().signal,
    isQuick: false, parallel: 3, expectationsAtOnce: 4,
    onProblem: async ({ relativePath }) => void problems.push(relativePath),
  }).run()
  t.like(counts, { verified: 29, missing: 1, checked: 30, unrecorded: 0 })
  t.deepEqual(problems, ['1.2.3/1.2.3.4/1.7.dcm'])
})

test('lines that a crash cut or somebody changed are counted, and the rest is read', async (t) => {
  const { send, directory, store } = await storeFixture(t)
  for (let i = 1; i <= 3; i++) t.is(await send({ sopInstanceUid: `1.${i}` }), 0)
  await store.stop()
  const records = path.join(directory, '.dicomtap', 'records')
  const [name = ''] = await readdir(records)
  const text = await readFile(path.join(records, name), 'utf8')
  const outside = encodeRecord(record({ relativePath: '../../etc/passwd' }))
  await writeFile(path.join(records, name), `${text.replace('"stored"', '"stared"')}${'x'.repeat(400_000)}\n${outside}${text.slice(0, 20)}`)
  const { counts } = await runJson(directory)
  t.is(counts.verified, 2)
  t.is(counts.damagedRecords, 3, 'changed, too long, outside of the folder; the last one has no end yet')
})

test('a disk that takes no records refuses no object, and says so once', async (t) => {
  const faulty = new FaultyFileSystem()
  const fileSystem = {
    ...faulty.fileSystem,
    open: (file: string, flags: number, mode?: number) =>
      isFull && file.endsWith('.records') ? Promise.reject(systemError('ENOSPC', 'open')) : faulty.fileSystem.open(file, flags, mode),
  }
  let isFull = true
  const { send, log, directory } = await storeFixture(t, { fileSystem })
  for (const uid of ['1.1', '1.2']) t.is(await send({ sopInstanceUid: uid }), 0)
  t.is(log.filter(({ level }) => level === 'error').length, 1)
  isFull = false
  t.is(await send({ sopInstanceUid: '1.3' }), 0)
  t.true(log.some(({ message }) => message === 'stored objects are recorded again'))
  t.deepEqual((await allRecords(directory)).map(({ relativePath }) => path.basename(relativePath)), ['1.3.dcm'])
})

test('records that come at once share a write; half a line does not spoil the next', async (t) => {
  const directory = await temporaryFolder(t)
  const faulty = new FaultyFileSystem()
  const { write } = faulty.fileSystem
  let isBroken = false
  let writes = 0
  const fileSystem = {
    ...faulty.fileSystem,
    write: async (descriptor: number, pieces: readonly Uint8Array[], positionBytes: number) => {
      writes += 1
      if (!isBroken) return write(descriptor, pieces, positionBytes)
      if (writes % 2 === 0) throw systemError('ENOSPC', 'write')
      return write(descriptor, [Buffer.concat(pieces).subarray(0, 10)], positionBytes)
    },
  }
  const failures: unknown[] = []
  const log = new RecordLog({ fileSystem, directory, name: 'x', fileMode: 0o640, directoryMode: 0o750, isSynced: true, onFailure: (error) => failures.push(error) })
  const relativePaths = Array.from({ length: 50 }, (_, i) => `1/${i}.dcm`)
  await Promise.all(relativePaths.map((relativePath) => log.append(record({ relativePath }))))
  t.true(writes <= 2, `${writes} writes`)
  isBroken = true
  writes = 0
  await log.append(record({ relativePath: 'lost' }))
  isBroken = false
  await log.append(record({ relativePath: 'after' }))
  await log.stop()
  t.is(failures.length, 1)
  t.is(faulty.calls.filter((call) => call === 'fsync').length >= 1, true, 'synced at the end')
  const read: ObjectRecord[] = []
  let damaged = 0
  for await (const { records, damagedLines } of readRecords(nodeFileSystem, directory, await recordFiles(nodeFileSystem, directory))) {
    read.push(...records)
    damaged += damagedLines
  }
  t.deepEqual(read.map(({ relativePath }) => relativePath), [...relativePaths, 'after'])
  t.is(damaged, 1)
})

test('records in any order come to the same expectation', (t) => {
  const at = (kind: ObjectRecord['kind'], seconds: number, sizeBytes = seconds): ObjectRecord => record({ kind, sizeBytes, recordedAtMs: seconds * 1000 })
  const cases: [ObjectRecord[], number[], boolean][] = [
    [[at('stored', 1), at('stored', 100)], [100], false],
    [[at('stored', 1), at('stored', 100), at('replacing', 200)], [100, 200], false],
    [[at('stored', 1), at('replacing', 2), at('stored', 100)], [100], false],
    [[at('stored', 1), at('stored', 5)], [1, 5], false],
    [[at('stored', 1), at('removed', 100)], [], true],
    [[at('stored', 1), at('removed', 100), at('stored', 200)], [200], false],
    [[at('replacing', 1)], [1], true],
    [[at('replacing', 1), at('stored', 2)], [1, 2], false],
    [[at('kept', 1)], [1], false],
    [[at('kept', 300), at('stored', 1)], [1], false],
    [[at('removed', 100), at('kept', 200)], [200], false],
  ]
  for (const [records, sizes, allowsAbsence] of cases) {
    for (const order of [records, records.toReversed()]) {
      const expectation = new Expectation()
      for (const one of order) expectation.add(one)
      t.deepEqual(expectation.objects.map(({ sizeBytes }) => sizeBytes).toSorted((a, b) => a - b), sizes)
      t.is(expectation.allowsAbsence, allowsAbsence)
    }
  }
})

test('Ctrl-C ends it', async (t) => {
  const { send, directory } = await storeFixture(t)
  t.is(await send(), 0)
  const reason = new Error('interrupted')
  await t.throwsAsync(verify(invocation({ arguments: [directory], signal: AbortSignal.abort(reason) })), { is: reason })
})

test('names cannot steer a terminal', async (t) => {
  const { send, hooks, directory } = await storeFixture(t)
  hooks.filePath.tap('site', () => 'a\u001b[2Jb\u202e.dcm')
  t.is(await send(), 0)
  await unlink(path.join(directory, 'a\u001b[2Jb\u202e.dcm'))
  const { out } = await run(directory)
  t.true(out.includes('missing     a\\u{1b}[2Jb\\u{202e}.dcm'), out)
})
