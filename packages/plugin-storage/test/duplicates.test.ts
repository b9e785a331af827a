import { StatusError } from '@dicomtap/framework'
import test from 'ava'
import { link, mkdir, rm, unlink, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { nodeFileSystem } from '../dist/file-system.js'
import type { StoredInstance } from '../dist/index.js'
import { currentProcess, stagingFolderName } from '../dist/process-identity.js'
import { awaitDecision } from '../dist/undecided.js'
import { dataSetOf } from './support/objects.js'
import { FaultyFileSystem } from './support/faulty-file-system.js'
import { storeFixture, temporaryFolder } from './support/store-fixture.js'

const FILE = path.join('1.2.3', '1.2.3.4', '1.2.3.4.5.dcm')
const SECOND = path.join('1.2.3', '1.2.3.4', '1.2.3.4.5_v2.dcm')
const THIRD = path.join('1.2.3', '1.2.3.4', '1.2.3.4.5_v3.dcm')

const endsWith = (file: Buffer, dataSet: Buffer): boolean => file.subarray(file.length - dataSet.length).equals(dataSet)

for (const durability of ['close', 'fsync']) {
  test(`version, ${durability}: an identical object is answered 0000 and stored once`, async (t) => {
    const { send, files, store } = await storeFixture(t, { options: { durability } })
    t.is(await send({ pixelBytes: 400_000 }), 0)
    t.is(await send({ pixelBytes: 400_000 }), 0)
    t.deepEqual(await files(), [FILE])
    t.like(store.stats(), { instancesStored: 2, duplicates: 1 })
  })

  test(`version, ${durability}: one that differs lies beside the first`, async (t) => {
    const { send, read, files } = await storeFixture(t, { options: { durability } })
    for (const fill of [1, 2, 3, 2, 1, 3]) t.is(await send({ fill }), 0)
    t.deepEqual(await files(), [FILE, SECOND, THIRD])
    t.true(endsWith(await read(FILE), dataSetOf({ fill: 1 })))
    t.true(endsWith(await read(SECOND), dataSetOf({ fill: 2 })))
    t.true(endsWith(await read(THIRD), dataSetOf({ fill: 3 })))
  })

  test(`replace, ${durability}: the newer one takes the place`, async (t) => {
    const { send, read, files, store } = await storeFixture(t, { options: { durability, duplicates: 'replace' } })
    t.is(await send({ fill: 1 }), 0)
    t.is(await send({ fill: 2 }), 0)
    t.deepEqual(await files(), [FILE])
    t.true(endsWith(await read(FILE), dataSetOf({ fill: 2 })))
    t.is(store.stats().instancesStored, 2)
  })

  test(`keep, ${durability}: the older one stays, and the answer is 0000`, async (t) => {
    const { send, read, files } = await storeFixture(t, { options: { durability, duplicates: 'keep' } })
    t.is(await send({ fill: 1 }), 0)
    t.is(await send({ fill: 2 }), 0)
    t.deepEqual(await files(), [FILE])
    t.true(endsWith(await read(FILE), dataSetOf({ fill: 1 })))
  })

  test(`reject, ${durability}: the older one stays, and the answer is 0111`, async (t) => {
    const { send, read, files } = await storeFixture(t, { options: { durability, duplicates: 'reject' } })
    t.is(await send({ fill: 1 }), 0)
    t.is(await send({ fill: 1 }), 0x0111)
    t.is(await send({ fill: 2 }), 0x0111)
    t.deepEqual(await files(), [FILE])
    t.true(endsWith(await read(FILE), dataSetOf({ fill: 1 })))
  })
}

test('version: who sent it and a preamble make no difference, a shorter or longer data set does', async (t) => {
  const { sendBytes, read, files, directory } = await storeFixture(t)
  const dataSet = dataSetOf()
  t.is(await sendBytes(dataSet), 0)
  const file = await read(FILE)
  // Another program rewrote the preamble and the sender's title (0002,0016), of the same length.
  file.write('II*', 0, 'latin1')
  file.write('OTHERS', file.indexOf('SENDER'), 'latin1')
  await writeFile(path.join(directory, FILE), file)
  t.is(await sendBytes(dataSet), 0)
  t.deepEqual(await files(), [FILE])
  await writeFile(path.join(directory, FILE), file.subarray(0, file.length - 1))
  t.is(await sendBytes(dataSet), 0)
  t.deepEqual(await files(), [FILE, SECOND])
})

test('version: something else under the name of the object is left alone', async (t) => {
  const { send, read, files, directory } = await storeFixture(t)
  await mkdir(path.join(directory, path.dirname(FILE)), { recursive: true })
  await writeFile(path.join(directory, FILE), 'hello')
  await mkdir(path.join(directory, SECOND))
  t.is(await send(), 0)
  t.is((await read(FILE)).toString(), 'hello')
  t.deepEqual(await files(), [FILE, THIRD])
})

for (const [duplicates, statuses, fileCount] of [
  ['version', [0, 0, 0, 0, 0, 0, 0, 0], 8],
  ['replace', [0, 0, 0, 0, 0, 0, 0, 0], 1],
  ['keep', [0, 0, 0, 0, 0, 0, 0, 0], 1],
  ['reject', [0, 0x0111, 0x0111, 0x0111, 0x0111, 0x0111, 0x0111, 0x0111], 1],
] as const) {
  for (const hasListener of [false, true]) {
    test(`${duplicates}${hasListener ? ', with a handler' : ''}: eight stores of one instance at once are answered truthfully`, async (t) => {
      const { send, hooks, files, read } = await storeFixture(t, { options: { duplicates } })
      if (hasListener) hooks.instanceStored.tapPromise('test', async () => {})
      const fills = [1, 2, 3, 4, 5, 6, 7, 8]
      const answers = await Promise.all(fills.map((fill) => send({ fill, pixelBytes: 300_000 })))
      t.deepEqual(answers.toSorted((a, b) => a - b), [...statuses])
      const stored = await files()
      t.is(stored.length, fileCount)
      const found = new Set<number>()
      for (const file of stored) {
        const bytes = await read(file)
        const fill = bytes.at(-1) as number
        t.true(endsWith(bytes, dataSetOf({ fill, pixelBytes: 300_000 })), 'whole, and of one object')
        found.add(fill)
      }
      t.is(found.size, fileCount)
      if (duplicates === 'reject') t.true(found.has(fills[answers.indexOf(0)] as number))
    })
  }
}

test('two processes that share a folder cannot overwrite each other', async (t) => {
  const a = await storeFixture(t)
  const b = await storeFixture(t, { directory: a.directory })
  await Promise.all([1, 2, 3, 4].map((fill) => (fill % 2 === 0 ? a : b).send({ fill })))
  t.is((await a.files()).length, 4)
})

for (const duplicates of ['version', 'keep', 'reject']) {
  test(`${duplicates} works where there are no hard links`, async (t) => {
    const faulty = new FaultyFileSystem()
    faulty.fail('link', 'EPERM')
    const { send, files, log } = await storeFixture(t, { fileSystem: faulty.fileSystem, options: { duplicates } })
    const answers = await Promise.all([1, 2, 3].map((fill) => send({ fill })))
    t.is(answers.filter((status) => status === 0).length, duplicates === 'reject' ? 1 : 3)
    t.is((await files()).length, duplicates === 'version' ? 3 : 1)
    t.is(log.filter((line) => line.level === 'warn' && line.message.includes('hard links')).length, 1)
  })
}

test('instanceStored is told everything, before the answer', async (t) => {
  const { send, hooks, directory, read } = await storeFixture(t)
  const told: StoredInstance[] = []
  hooks.instanceStored.tapPromise('test', async (instance) => {
    await read(instance.relativePath)
    told.push(instance)
  })
  for (const fill of [1, 1, 2]) t.is(await send({ fill }), 0)
  t.deepEqual(
    told.map(({ outcome, isDuplicate, relativePath }) => [outcome, isDuplicate, relativePath]),
    [
      ['new', false, '1.2.3/1.2.3.4/1.2.3.4.5.dcm'],
      ['kept', true, '1.2.3/1.2.3.4/1.2.3.4.5.dcm'],
      ['version', true, '1.2.3/1.2.3.4/1.2.3.4.5_v2.dcm'],
    ],
  )
  t.deepEqual(told[0], {
    path: path.join(directory, FILE),
    relativePath: '1.2.3/1.2.3.4/1.2.3.4.5.dcm',
    sopClassUid: '1.2.840.10008.5.1.4.1.1.2',
    sopInstanceUid: '1.2.3.4.5',
    studyInstanceUid: '1.2.3',
    seriesInstanceUid: '1.2.3.4',
    transferSyntaxUid: '1.2.840.10008.1.2.1',
    sizeBytes: (await read(FILE)).length,
    dataSetBytes: dataSetOf({ fill: 1 }).length,
    dataSetHead: dataSetOf({ fill: 1 }),
    sha256: undefined,
    peer: { callingAeTitle: 'SENDER', calledAeTitle: 'ARCHIVE', address: '127.0.0.1' },
    isDuplicate: false,
    outcome: 'new',
  })
})

test('instanceStored has the beginning of what is in the file, however it came, and of no other file', async (t) => {
  const { send, hooks, read } = await storeFixture(t)
  const told: StoredInstance[] = []
  hooks.instanceStored.tap('test', (instance) => void told.push(instance))
  for (const [fill, pixelBytes] of [[1, 20_000], [1, 20_000], [2, 400_000]] as const) t.is(await send({ fill, pixelBytes }), 0)
  t.deepEqual(told.map(({ dataSetHead }) => dataSetHead?.length), [16_384, undefined, 16_384])
  for (const { relativePath, dataSetHead, dataSetBytes, sizeBytes } of told) {
    if (dataSetHead === undefined) continue
    const start = sizeBytes - dataSetBytes
    t.true((await read(relativePath)).subarray(start, start + dataSetHead.length).equals(dataSetHead))
  }
})

test('replace tells instanceStored that a file was replaced', async (t) => {
  const { send, hooks } = await storeFixture(t, { options: { duplicates: 'replace' } })
  const outcomes: string[] = []
  hooks.instanceStored.tap('test', ({ outcome, dataSetHead }) => {
    outcomes.push(outcome)
    t.is(dataSetHead, undefined, 'another process may have replaced it')
  })
  await send()
  await send()
  t.deepEqual(outcomes, ['new', 'replaced'])
})

for (const durability of ['close', 'fsync']) {
  test(`a failing instanceStored refuses the object and takes a new file back, ${durability}`, async (t) => {
    const { send, hooks, files, log } = await storeFixture(t, { options: { durability } })
    let isBroken = true
    hooks.instanceStored.tapPromise('index', async () => {
      if (isBroken) throw new Error('database is gone')
    })
    t.is(await send(), 0xa700)
    t.deepEqual(await files(), [])
    t.is(log.filter((line) => line.level === 'error' && line.message.includes('instanceStored')).length, 1)
    isBroken = false
    t.is(await send(), 0)
    isBroken = true
    t.is(await send(), 0xa700, 'the identical one')
    t.is(await send({ fill: 9 }), 0xa700, 'another version')
    t.deepEqual(await files(), [FILE], 'what was acknowledged stays')
  })
}

test('a StatusError of instanceStored is the answer', async (t) => {
  const { send, hooks, files } = await storeFixture(t, { options: { duplicates: 'reject' } })
  hooks.instanceStored.tapPromise('index', async () => {
    throw new StatusError(0x0124)
  })
  t.is(await send(), 0x0124)
  t.is(await send(), 0x0124, 'not 0111: it is not there')
  t.deepEqual(await files(), [])
})

test('filePath gives another path, and may ask for any field', async (t) => {
  const { send, hooks, files } = await storeFixture(t)
  hooks.filePath.tapPromise('site', async (_path, info) => `${info.peer.callingAeTitle}/${info.value('PatientID')}/${info.sopInstanceUid}`)
  t.is(await send({ patientId: 'P7' }), 0)
  t.deepEqual(await files(), [path.join('SENDER', 'P7', '1.2.3.4.5')])
})

test('filePath cannot lead out of the folder', async (t) => {
  const { send, hooks, files, log } = await storeFixture(t)
  let answer: unknown
  hooks.filePath.tap('site', () => answer as string)
  for (const hostile of ['../outside.dcm', '/tmp/outside.dcm', 'a/../../outside.dcm', '.dicomtap/partial/x', '', 7]) {
    answer = hostile
    t.is(await send(), 0x0110, String(hostile))
  }
  t.deepEqual(await files(), [])
  t.true(log.some((line) => line.level === 'error' && line.message.includes('filePath')))
})

test('a failing filePath refuses the object', async (t) => {
  const { send, hooks, files } = await storeFixture(t)
  hooks.filePath.tapPromise('site', async () => {
    throw new Error('no')
  })
  t.is(await send(), 0x0110)
  t.deepEqual(await files(), [])
})

test('a folder that was removed under a running server is made again', async (t) => {
  const { send, files, directory } = await storeFixture(t, { options: { durability: 'fsync' } })
  t.is(await send(), 0)
  await unlink(path.join(directory, FILE))
  await rm(path.join(directory, '1.2.3'), { recursive: true })
  await rm(path.join(directory, '.dicomtap'), { recursive: true })
  t.is(await send(), 0)
  t.deepEqual(await files(), [FILE])
})

for (const [duplicates, afterRefusal, afterAcceptance] of [
  ['version', 0, 0],
  ['keep', 0, 0],
  ['reject', 0, 0x0111],
] as const) {
  for (const isRefused of [true, false]) {
    test(`${duplicates}: an object that another process ${isRefused ? 'refuses in the end' : 'has not decided on'} does not stand for one of this`, async (t) => {
      const first = await storeFixture(t, { options: { duplicates } })
      const second = await storeFixture(t, { directory: first.directory, options: { duplicates } })
      const { promise: reached, resolve: reach } = deferred()
      const { promise: decided, resolve: decide } = deferred()
      first.hooks.instanceStored.tapPromise('index', async () => {
        reach()
        await decided
        if (isRefused) throw new Error('the index is gone')
      })
      const undecided = first.send()
      await reached
      const meanwhile = second.send()
      let isAnswered = false
      void meanwhile.then(() => (isAnswered = true))
      t.is(await second.send({ sopInstanceUid: '1.9' }), 0, 'others are stored')
      t.false(isAnswered, 'nobody knows yet')
      decide()
      t.is(await undecided, isRefused ? 0xa700 : 0)
      t.is(await meanwhile, isRefused ? afterRefusal : afterAcceptance)
      t.true((await first.files()).includes(FILE))
    })
  }
}

test('a sync of the folder that fails in one process takes nothing from another', async (t) => {
  const faulty = new FaultyFileSystem()
  const options = { durability: 'fsync', record: 'none' }
  const first = await storeFixture(t, { fileSystem: faulty.fileSystem, options })
  const second = await storeFixture(t, { directory: first.directory, options })
  t.is(await first.send({ sopInstanceUid: '1.9' }), 0)
  const { promise: reached, resolve: reach } = deferred()
  const { promise: decided, resolve: decide } = deferred()
  // That of the file, then that of its folder, which fails in the end.
  faulty.before('fsync', () => {
    faulty.before('fsync', async () => {
      reach()
      await decided
      throw Object.assign(new Error('EIO'), { code: 'EIO', syscall: 'fsync' })
    })
  })
  const failing = first.send()
  await reached
  const meanwhile = second.send()
  t.is(await second.send({ sopInstanceUid: '1.8' }), 0)
  decide()
  t.is(await failing, 0x0110)
  t.is(await meanwhile, 0)
  t.true(endsWith(await first.read(FILE), dataSetOf()))
})

test('a decision is waited for as long as its process may run, and no longer than that', async (t) => {
  const folder = await temporaryFolder(t)
  const partialDirectory = path.join(folder, 'partial')
  const file = path.join(folder, 'file')
  const here = currentProcess()
  const left = new Set<string>()
  const decision = (): Promise<string> => awaitDecision(file, { fileSystem: nodeFileSystem, partialDirectory, left, waitMs: 0 })
  t.is(await decision(), 'gone')
  await writeFile(file, 'object')
  t.is(await decision(), 'accepted')
  await link(file, path.join(folder, 'backup'))
  t.is(await decision(), 'accepted', 'a link of somebody else')
  const stage = async (owner: typeof here): Promise<string> => {
    const staging = path.join(partialDirectory, stagingFolderName(owner))
    await mkdir(staging, { recursive: true })
    await link(file, path.join(staging, '1.part'))
    return path.join(staging, '1.part')
  }
  const gone = await stage({ ...here, pid: 2 ** 22 + 1 })
  t.is(await decision(), 'accepted', 'who is gone takes nothing back')
  await unlink(gone)
  const elsewhere = await stage({ ...here, hostKey: '0123456789ab' })
  t.is(await decision(), 'undecided')
  left.add(elsewhere)
  t.is(await decision(), 'accepted', 'it is through with, and could not be removed')
  await unlink(elsewhere)
  t.is(await decision(), 'accepted')
})

test('keep: what is no such instance does not stand for one', async (t) => {
  const { send, hooks, files, directory, log } = await storeFixture(t, { options: { duplicates: 'keep' } })
  hooks.filePath.tap('site', () => 'always/the-same.dcm')
  t.is(await send({ sopInstanceUid: '1.1' }), 0)
  t.is(await send({ sopInstanceUid: '1.1' }), 0)
  t.is(await send({ sopInstanceUid: '1.2' }), 0x0110)
  await writeFile(path.join(directory, 'always', 'the-same.dcm'), '')
  t.is(await send({ sopInstanceUid: '1.1' }), 0x0110, 'an empty file')
  await rm(path.join(directory, 'always', 'the-same.dcm'))
  await mkdir(path.join(directory, 'always', 'the-same.dcm'))
  t.is(await send({ sopInstanceUid: '1.1' }), 0x0110, 'a folder')
  t.deepEqual(await files(), [])
  t.is(log.filter(({ level, message }) => level === 'error' && message.startsWith('keep: ')).length, 3)
})

test('an answer that a network file system lost does not make an object its own duplicate', async (t) => {
  const faulty = new FaultyFileSystem()
  const { link: realLink } = faulty.fileSystem
  const fileSystem = {
    ...faulty.fileSystem,
    link: async (from: string, to: string) => {
      await realLink(from, to)
      // As NFS does: the call was made, its answer got lost, and it was made again.
      if (!to.endsWith('.link')) throw Object.assign(new Error('EEXIST'), { code: 'EEXIST', syscall: 'link' })
    },
  }
  for (const duplicates of ['version', 'keep', 'reject']) {
    const { send, files } = await storeFixture(t, { fileSystem, options: { duplicates } })
    t.is(await send(), 0, duplicates)
    t.deepEqual(await files(), [FILE])
  }
})

function deferred(): { promise: Promise<void>; resolve: () => void } {
  let resolve!: () => void
  const promise = new Promise<void>((done) => (resolve = done))
  return { promise, resolve }
}
