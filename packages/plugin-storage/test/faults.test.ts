import { definePlugin, SopClass, TransferSyntax } from '@dicomtap/framework'
import { createTestServer, testScu } from '@dicomtap/framework/testing'
import test from 'ava'
import path from 'node:path'
import { FaultyFileSystem, systemError } from './support/faulty-file-system.js'
import { storeFixture } from './support/store-fixture.js'
import { dataSetOf, requestFor } from './support/objects.js'

const FILE = path.join('1.2.3', '1.2.3.4', '1.2.3.4.5.dcm')

/** A store whose next calls can be made to fail; what the start needs is behind it. Records are synced when a timer says so. */
async function startedFixture(t: Parameters<typeof storeFixture>[0], options: Record<string, unknown> = {}) {
  const faulty = new FaultyFileSystem()
  const fixture = await storeFixture(t, { fileSystem: faulty.fileSystem, options: { durability: 'fsync', record: 'none', ...options } })
  await fixture.store.start()
  faulty.calls.length = 0
  return { ...fixture, faulty }
}

for (const [call, code, status, options] of [
  ['open', 'EACCES', 0x0110],
  ['open', 'EMFILE', 0xa700],
  ['open', 'EROFS', 0x0110],
  ['open', 'ENOSPC', 0xa700],
  ['write', 'ENOSPC', 0xa700],
  ['write', 'EDQUOT', 0xa700],
  ['write', 'EIO', 0x0110],
  ['write', 'EFBIG', 0xa700],
  ['fsync', 'EIO', 0x0110],
  ['fsync', 'ENOSPC', 0xa700],
  // After a sync it has nothing more to report.
  ['close', 'EDQUOT', 0xa700, { durability: 'close' }],
  ['makeFolders', 'ENOSPC', 0xa700],
  ['makeFolders', 'EACCES', 0x0110],
  ['makeFolders', 'ENOTDIR', 0x0110],
  ['link', 'EIO', 0x0110],
  ['link', 'ENAMETOOLONG', 0x0110],
  ['link', 'EXDEV', 0x0110],
  ['rename', 'EIO', 0x0110, { duplicates: 'replace' }],
  ['rename', 'ENAMETOOLONG', 0x0110, { duplicates: 'replace' }],
] as const) {
  test(`${call} fails with ${code}: ${status.toString(16)}, nothing is left, and the next object is stored`, async (t) => {
    const { send, sendBytes, files, faulty, log } = await startedFixture(t, options ?? {})
    faulty.fail(call, code)
    const answer = await sendBytes(dataSetOf({ pixelBytes: 600_000 }))
    t.like(answer, { status })
    t.notRegex((answer as { errorComment: string }).errorComment, /E[A-Z]+|\/|SENDER|1\.2\./, 'the peer is told nothing of the inside')
    faulty.heal()
    t.deepEqual(await files(), [])
    const errors = log.filter((line) => line.level === 'error')
    t.is(errors.length, 1)
    t.regex((errors[0] as unknown as { fields: { error: Error } }).fields.error.message, new RegExp(code))
    t.is(await send(), 0)
    t.deepEqual(await files(), [FILE])
  })
}

for (const skips of [0, 1, 2]) {
  test(`a full disk at write ${skips + 1} of a large object is noticed`, async (t) => {
    const { send, files, faulty, store } = await startedFixture(t)
    faulty.fail('write', 'ENOSPC', { skips, times: 1 })
    t.is(await send({ pixelBytes: 600_000 }), 0xa700)
    t.deepEqual(await files(), [])
    t.is(store.stats().inFlight, 0)
  })
}

test('a write that takes only a part is continued', async (t) => {
  const faulty = new FaultyFileSystem()
  const { write } = faulty.fileSystem
  const fileSystem = {
    ...faulty.fileSystem,
    write: (descriptor: number, pieces: readonly Uint8Array[], positionBytes: number) => write(descriptor, [Buffer.concat(pieces).subarray(0, 1000)], positionBytes),
  }
  const { send, read } = await storeFixture(t, { fileSystem })
  t.is(await send({ pixelBytes: 600_000 }), 0)
  const dataSet = dataSetOf({ pixelBytes: 600_000 })
  t.true((await read(FILE)).subarray(-dataSet.length).equals(dataSet))
})

test('a sync of the folder that fails takes the name back', async (t) => {
  const { send, files, faulty } = await startedFixture(t)
  // The first is that of the file.
  faulty.fail('fsync', 'EIO', { skips: 1 })
  t.is(await send(), 0x0110)
  t.deepEqual(await files(), [])
  faulty.heal()
  t.is(await send(), 0)
})

test('replace: a sync of the folder that fails takes nothing away', async (t) => {
  const { send, files, faulty } = await startedFixture(t, { duplicates: 'replace' })
  t.is(await send({ fill: 1 }), 0)
  faulty.fail('fsync', 'EIO', { skips: 1 })
  t.is(await send({ fill: 2 }), 0x0110)
  t.deepEqual(await files(), [FILE])
})

test('two identical objects at once, and the sync of the first one fails: the second is there', async (t) => {
  const { send, files, faulty } = await startedFixture(t)
  t.is(await send({ sopInstanceUid: '1.9' }), 0)
  // Of the files 1 and 2, then that of the folder for the first of them.
  faulty.fail('fsync', 'EIO', { skips: 2, times: 1 })
  const answers = await Promise.all([send(), send()])
  t.deepEqual(answers.toSorted((a, b) => a - b), [0, 0x0110])
  t.true((await files()).includes(FILE))
})

test('an error names the path in the log, unless something of the patient may stand in it', async (t) => {
  for (const [options, isShown] of [
    [{}, true],
    [{ path: '{Modality}/{SOPInstanceUID}' }, true],
    [{ path: '{PatientID}/{SOPInstanceUID}' }, false],
    [{ path: '{StudyDescription|hash}/{SOPInstanceUID}' }, false],
  ] as const) {
    const { send, faulty, log, directory } = await startedFixture(t, options)
    faulty.before('makeFolders', ([folder]) => {
      throw systemError('EACCES', 'mkdir', folder as string)
    })
    t.is(await send({ patientId: 'SECRET' }), 0x0110)
    const line = log.find(({ level }) => level === 'error') as unknown as { fields: { error: Error } }
    t.is(line.fields.error.message.startsWith(`EACCES: mkdir ${directory}`), isShown, line.fields.error.message)
    t.false(JSON.stringify(log).includes('SECRET') || String(line.fields.error.stack).includes('SECRET'))
    t.true(line.fields.error.message.includes(directory))
  }
})

test('a disk that was not there for the first object may be there for the next', async (t) => {
  const faulty = new FaultyFileSystem()
  faulty.fail('makeFolders', 'EIO', { times: 1 })
  const { send, log } = await storeFixture(t, { fileSystem: faulty.fileSystem })
  t.is(await send(), 0xa700)
  t.regex(log[0]?.message ?? '', /option directory: .* cannot be used \(EIO\)/)
  t.is(await send(), 0)
})

test('before 0000, file and folders are synced, each after its change', async (t) => {
  const { send, faulty, directory } = await startedFixture(t)
  t.is(await send(), 0)
  const { calls } = faulty
  const indexOf = (call: string): number => {
    const index = calls.findIndex((line) => line.startsWith(call))
    t.true(index >= 0, `${call} in ${JSON.stringify(calls)}`)
    return index
  }
  const write = indexOf('write')
  const sync = indexOf('fsync')
  const links = calls.flatMap((line, index) => (line.startsWith('link') ? [index] : []))
  const linked = links.at(-1) as number
  t.true(write < sync && sync < linked, 'the bytes are on the disk before the name is')
  for (const folder of ['1.2.3/1.2.3.4', '1.2.3', '']) {
    const opened = calls.indexOf(`open ${path.join(directory, folder)}`)
    t.true(opened > linked, `${folder || 'the storage folder'} is synced after the name was given`)
  }
  t.is(calls.filter((line) => line === 'fsync').length, 4)
})

test('folders that are durable are not synced again, except for the one that got a new name', async (t) => {
  const { send, faulty } = await startedFixture(t)
  t.is(await send({ sopInstanceUid: '1.1' }), 0)
  faulty.calls.length = 0
  t.is(await send({ sopInstanceUid: '1.2' }), 0)
  t.is(faulty.calls.filter((line) => line === 'fsync').length, 2)
})

test('objects that come into a folder at the same time share its sync', async (t) => {
  const { send, faulty, directory } = await startedFixture(t)
  t.is(await send({ sopInstanceUid: '1.0' }), 0)
  faulty.calls.length = 0
  const statuses = await Promise.all(Array.from({ length: 20 }, (_, i) => send({ sopInstanceUid: `1.1.${i}` })))
  t.deepEqual(new Set(statuses), new Set([0]))
  const folder = path.join(directory, '1.2.3', '1.2.3.4')
  const syncs = faulty.calls.filter((line) => line === `open ${folder}`).length
  t.true(syncs >= 1 && syncs < 20, `${syncs} syncs for 20 objects`)
})

test('a sync that began before a name was given does not count for it', async (t) => {
  const { send, faulty, directory } = await startedFixture(t)
  t.is(await send({ sopInstanceUid: '1.0' }), 0)
  const folder = path.join(directory, '1.2.3', '1.2.3.4')
  let release!: () => void
  const gate = new Promise<void>((resolve) => (release = resolve))
  let reached!: () => void
  const running = new Promise<void>((resolve) => (reached = resolve))
  faulty.calls.length = 0
  // fsync 1 is that of the first file, fsync 2 that of the folder: it hangs.
  faulty.before('fsync', () => {
    faulty.before('fsync', () => {
      reached()
      return gate
    })
  })
  const first = send({ sopInstanceUid: '1.1' })
  await running
  const second = send({ sopInstanceUid: '1.2' })
  await waitFor(() => faulty.calls.some((line) => line.startsWith('link') && line.endsWith('1.2.dcm')))
  release()
  t.deepEqual(await Promise.all([first, second]), [0, 0])
  const lastLink = faulty.calls.findIndex((line) => line.startsWith('link') && line.endsWith('1.2.dcm'))
  t.true(faulty.calls.lastIndexOf(`open ${folder}`) > lastLink, 'another sync of the folder started after the second name')
})

test('a kept file is synced before it stands for another object', async (t) => {
  const { send, faulty, directory } = await startedFixture(t, { duplicates: 'keep' })
  t.is(await send({ fill: 1 }), 0)
  faulty.calls.length = 0
  t.is(await send({ fill: 2 }), 0)
  t.true(faulty.calls.indexOf(`open ${path.join(directory, FILE)}`) > 0)
})

test('a stalled disk delays the object and nothing else', async (t) => {
  const { send, faulty, store, files } = await startedFixture(t)
  let release!: () => void
  const gate = new Promise<void>((resolve) => (release = resolve))
  let reached!: () => void
  const stalled = new Promise<void>((resolve) => (reached = resolve))
  faulty.before('write', () => {
    reached()
    return gate
  })
  const slow = send({ sopInstanceUid: '1.1', pixelBytes: 2_000_000 })
  await stalled
  t.is(await send({ sopInstanceUid: '1.2' }), 0, 'another one is stored meanwhile')
  t.is(store.stats().inFlight, 1)
  t.false((await files()).some((file) => file.endsWith('1.1.dcm')), 'an incomplete object has no name')
  release()
  t.is(await slow, 0)
})

test('while a disk hangs, C-ECHO and objects on other associations are answered', async (t) => {
  const { faulty, store } = await startedFixture(t)
  const [sopClassUid, transferSyntaxUid] = [SopClass.CTImageStorage, TransferSyntax.ExplicitVRLittleEndian]
  const slow = definePlugin({
    name: 'dicomtap-plugin-slow',
    apply(api) {
      for (const uid of [sopClassUid, SopClass.Verification]) api.supportSopClass({ uid, transferSyntaxes: [transferSyntaxUid] })
      api.hooks.cStore.tapPromise((request, operation) => store.store(request, operation))
    },
  })
  await using server = await createTestServer({ plugins: [slow()] })
  const contexts = [[sopClassUid, transferSyntaxUid], [SopClass.Verification, transferSyntaxUid]] as const
  const [hung, other] = [await testScu(server.port, { contexts }), await testScu(server.port, { contexts })]
  const instance = (sopInstanceUid: string) => ({ sopClassUid, sopInstanceUid, transferSyntaxUid, dataSet: dataSetOf({ sopInstanceUid, pixelBytes: 3_000_000 }) })
  let release!: () => void
  const gate = new Promise<void>((resolve) => (release = resolve))
  const stalled = new Promise<void>((resolve) => {
    faulty.before('write', () => {
      resolve()
      return gate
    })
  })
  const waiting = hung.store(instance('1.1'))
  await stalled
  for (let i = 0; i < 5; i++) {
    t.is((await other.echo()).status, 0)
    t.is((await other.store(instance(`1.2.${i}`))).status, 0)
  }
  const third = await testScu(server.port, { contexts })
  t.is((await third.echo()).status, 0, 'a new association, too')
  t.is(store.stats().inFlight, 1)
  release()
  t.is((await waiting).status, 0)
  await Promise.all([hung, other, third].map((scu) => scu.dul.kill()))
})

test('a slow disk makes the sender wait: no more than two buffers are taken', async (t) => {
  const { faulty, store } = await startedFixture(t)
  let release!: () => void
  const gate = new Promise<void>((resolve) => (release = resolve))
  let reached!: () => void
  const stalled = new Promise<void>((resolve) => (reached = resolve))
  faulty.before('write', () => {
    reached()
    return gate
  })
  const [request, operation] = requestFor(dataSetOf({ pixelBytes: 5_000_000 }))
  const answer = store.store(request, operation)
  await stalled
  // Everything that can go on without the disk has done so after a turn of the event loop.
  await new Promise((resolve) => setImmediate(resolve))
  t.true(request.dataSet.receivedBytes <= 2 * 256 * 1024 + 65536, `${request.dataSet.receivedBytes} bytes were taken`)
  release()
  t.is(await answer, 0)
})

test('a link that the system refuses once the store runs does not fall back to overwriting', async (t) => {
  const { send, faulty, files } = await startedFixture(t)
  faulty.fail('link', 'EPERM')
  t.is(await send(), 0x0110)
  t.deepEqual(await files(), [])
})

test('an object whose temporary file cannot be removed is no reason to fail', async (t) => {
  const { send, faulty } = await startedFixture(t)
  faulty.fail('unlink', 'EIO', { times: 1 })
  t.is(await send(), 0)
})

test('below minimumFreeSpace objects are refused with A700 until there is space again', async (t) => {
  const faulty = new FaultyFileSystem()
  let free = 10_000_000
  const fileSystem = { ...faulty.fileSystem, freeBytes: async () => free }
  const { send, store, files, log } = await storeFixture(t, { fileSystem, options: { minimumFreeSpace: '9 MB' } })
  t.is(await send({ sopInstanceUid: '1.1', pixelBytes: 2_000_000 }), 0xa700, 'too large for what is left')
  t.is(await send({ sopInstanceUid: '1.2', pixelBytes: 10_000 }), 0)
  t.is((await files()).length, 1)
  free = 1000
  // What is known is used for a second at most.
  const isTold = (what: string) => log.some((line) => line.message.startsWith(what))
  await waitFor(async () => {
    await send({ sopInstanceUid: '1.3' })
    return isTold('out of space: objects')
  })
  t.is(await send({ sopInstanceUid: '1.3' }), 0xa700)
  free = 10_000_000
  await waitFor(async () => (await send({ sopInstanceUid: '1.4' })) === 0)
  t.is(store.stats().inFlight, 0)
  t.is(log.filter((line) => line.message.startsWith('out of space: objects')).length, 1, 'told once')
  t.is(log.filter((line) => line.message.startsWith('there is space again')).length, 1)
})

test('free space that cannot be told is no reason to refuse', async (t) => {
  const faulty = new FaultyFileSystem()
  faulty.fail('freeBytes', 'ENOSYS')
  const { send } = await storeFixture(t, { fileSystem: faulty.fileSystem, options: { minimumFreeSpace: '1 GB' } })
  t.is(await send(), 0)
})

test('quota: what is in the folder counts, what is freed counts no longer', async (t) => {
  const first = await storeFixture(t)
  t.is(await first.send({ sopInstanceUid: '1.1', pixelBytes: 500_000 }), 0)
  await first.store.stop()
  const { send, files, store } = await storeFixture(t, { directory: first.directory, options: { quota: '1 MB', duplicates: 'replace' } })
  await store.start()
  t.is(await send({ sopInstanceUid: '1.2', pixelBytes: 400_000 }), 0)
  await waitFor(async () => (await send({ sopInstanceUid: '1.3', pixelBytes: 400_000 })) === 0xa700)
  t.is(await send({ sopInstanceUid: '1.2', pixelBytes: 10_000 }), 0)
  t.is(await send({ sopInstanceUid: '1.4', pixelBytes: 300_000 }), 0)
  t.is((await files()).length, 3)
})

test('quota: objects at once are counted before they are complete', async (t) => {
  const { send } = await storeFixture(t, { options: { quota: '1 MB' } })
  const answers = await Promise.all([1, 2, 3, 4].map((i) => send({ sopInstanceUid: `1.${i}`, pixelBytes: 400_000 })))
  t.true(answers.filter((status) => status === 0).length <= 2)
  t.true(answers.includes(0xa700))
})

async function waitFor(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setImmediate(resolve))
}
