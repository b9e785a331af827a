import { mkdtemp, readFile, readdir, rm, truncate, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import test from 'ava'
import type { ExecutionContext } from 'ava'
import type { CStoreSource, DataSet, FileToSend, InstanceToSend, MoveDestination, RequestedContext, RetrieveResponse } from '@dicomtap/framework'
import { SopClass, StudyRoot, TransferSyntax, decodeDataSet } from '@dicomtap/framework'
import { createTestServer, encodedSample, hookRecorder, sampleDataset, writeSampleFile } from '@dicomtap/framework/testing'
import type { TestServer } from '@dicomtap/framework/testing'
import { deferred, settle, turnsUntil } from '../support/connections.ts'

const CT = SopClass.CTImageStorage
const MR = SopClass.MRImageStorage
const EXPLICIT = TransferSyntax.ExplicitVRLittleEndian
const IMPLICIT = TransferSyntax.ImplicitVRLittleEndian
const DEFLATED = TransferSyntax.DeflatedExplicitVRLittleEndian
const BIG_ENDIAN = TransferSyntax.ExplicitVRBigEndian
const JPEG = TransferSyntax.JPEGBaseline8Bit
const WITHOUT_BULK_DATA = SopClass.CompositeInstanceRetrieveWithoutBulkDataGet

const folder = await mkdtemp(join(tmpdir(), 'dicomtap-retrieve-'))
test.after.always(() => rm(folder, { recursive: true, force: true }))

type Source = InstanceToSend | FileToSend | CStoreSource
type Sources = Iterable<Source> | AsyncIterable<Source>

interface Stored {
  readonly sopInstanceUid: string
  readonly transferSyntaxUid: string
  readonly bytes: Buffer
}

/** Retrieves what `instances` gives from an archive, by either service. */
interface Retrieval {
  readonly final: RetrieveResponse
  readonly pending: number
  readonly stored: readonly Stored[]
  readonly archive: TestServer
  /** What was proposed for the sub-operations of a C-MOVE, an association each. */
  readonly proposed: readonly (readonly string[])[][]
}

interface Options {
  readonly service?: 'C-GET' | 'C-MOVE'
  readonly instances: () => Sources
  readonly total?: number
  readonly model?: string
  readonly contexts: readonly (readonly [sopClass: string, ...transferSyntaxes: string[]])[]
  readonly store?: (sopInstanceUid: string, abort: () => void) => number | Promise<number>
  readonly during?: (archive: TestServer) => Promise<void>
}

async function retrieve(t: ExecutionContext, { service = 'C-GET', instances, total, model, contexts, store = () => 0, during }: Options): Promise<Retrieval> {
  const stored: Stored[] = []
  const proposed: (readonly string[])[][] = []
  const abstractSyntax = model ?? (service === 'C-GET' ? StudyRoot.Get : StudyRoot.Move)
  const answer = { instances: instances(), ...(total === undefined ? {} : { total }) }
  let destination: MoveDestination = { host: '127.0.0.1', port: 104 }
  await using archive = await createTestServer({
    aeTitle: 'ARCHIVE',
    contexts: [
      { abstractSyntax, transferSyntaxes: [IMPLICIT] },
      ...contexts.map(([sopClass, ...transferSyntaxes]) => ({ abstractSyntax: sopClass, transferSyntaxes, roles: { scu: true, scp: true } })),
    ],
    handlers: {
      cGet: () => answer,
      cMove: () => answer,
      moveDestination: () => destination,
      outgoingAssociation: (options) => {
        proposed.push(options.contexts.map(({ transferSyntaxes = [] }) => transferSyntaxes))
        return options
      },
    },
  })
  await using client = await createTestServer({
    aeTitle: 'CLIENT',
    contexts: contexts.map(([sopClass, ...transferSyntaxes]) => ({ abstractSyntax: sopClass, transferSyntaxes })),
    handlers: {
      cStore: async (request, { association, context }) => {
        const bytes = await request.dataSet.buffer()
        stored.push({ sopInstanceUid: request.affectedSopInstanceUid, transferSyntaxUid: context.transferSyntax, bytes })
        return store(request.affectedSopInstanceUid, () => association.abort('enough'))
      },
    },
  })
  destination = { host: '127.0.0.1', port: client.port }
  await using association = await client.ae.associate({
    host: '127.0.0.1',
    port: archive.port,
    contexts: [
      { abstractSyntax, transferSyntaxes: [IMPLICIT] },
      ...(service === 'C-MOVE' ? [] : contexts.map(([sopClass, ...transferSyntaxes]): RequestedContext => ({ abstractSyntax: sopClass, transferSyntaxes, roles: { scu: false, scp: true } }))),
    ],
  })
  const identifier = { QueryRetrieveLevel: 'IMAGE', SOPInstanceUID: '1.2' }
  const responses: RetrieveResponse[] = []
  const got = (async () => {
    const options = { model: abstractSyntax }
    const all = service === 'C-GET' ? association.cGet(identifier, options) : association.cMove(identifier, { ...options, destination: 'CLIENT' })
    for await (const response of all) responses.push(response)
  })()
  await Promise.all([got, during?.(archive)])
  const final = responses.at(-1)
  if (final === undefined) throw new Error('no response')
  t.is(association.isEstablished, true)
  return { final, pending: responses.length - 1, stored, archive, proposed }
}

/** Completed, failed, warning. */
function counts({ final }: Retrieval): (number | undefined)[] {
  return [final.numberOfCompletedSuboperations, final.numberOfFailedSuboperations, final.numberOfWarningSuboperations]
}

for (const service of ['C-GET', 'C-MOVE'] as const) {
  test(`${service}: paths, file URLs, bytes of files, data sets and instances, each as it is`, async (t) => {
    const paths = [1, 2, 3].map((number) => join(folder, `${service} ${number}.dcm`))
    const first = await writeSampleFile(paths[0]!, 'ct', EXPLICIT, { seed: 1 })
    const second = await writeSampleFile(paths[1]!, 'mr', JPEG, { seed: 2 })
    const third = await writeSampleFile(paths[2]!, 'ct', EXPLICIT, { seed: 3, rows: 600, columns: 600 }) // larger than one piece
    const fourth = sampleDataset('ct', { seed: 4 })
    const fifth: InstanceToSend = { sopClassUid: CT, sopInstanceUid: '2.25.5', transferSyntaxUid: EXPLICIT, bytes: () => [Buffer.from('12'), Buffer.from('34')] }
    const retrieval = await retrieve(t, {
      service,
      contexts: [[CT, EXPLICIT], [MR, JPEG]],
      instances: async function* () {
        yield paths[0]!
        yield pathToFileURL(paths[1]!)
        yield await readFile(paths[2]!)
        yield fourth
        yield fifth
      },
    })
    t.like(retrieval.final, { status: 0, failedSopInstanceUids: [] })
    t.deepEqual(counts(retrieval), [5, 0, 0])
    t.deepEqual(retrieval.stored, [
      { sopInstanceUid: first.sopInstanceUid, transferSyntaxUid: EXPLICIT, bytes: first.dataSet },
      { sopInstanceUid: second.sopInstanceUid, transferSyntaxUid: JPEG, bytes: second.dataSet },
      { sopInstanceUid: third.sopInstanceUid, transferSyntaxUid: EXPLICIT, bytes: third.dataSet },
      { sopInstanceUid: fourth['SOPInstanceUID'] as string, transferSyntaxUid: EXPLICIT, bytes: await encodedSample('ct', EXPLICIT, { seed: 4 }) },
      { sopInstanceUid: '2.25.5', transferSyntaxUid: EXPLICIT, bytes: Buffer.from('1234') },
    ])
  })

  test(`${service}: what cannot be opened fails, with its UID where that is known, and the others go on`, async (t) => {
    const text = join(folder, `${service} text`)
    await writeFile(text, 'no DICOM file, and long enough to be one'.repeat(100))
    const instances: Source[] = [
      join(folder, 'missing.dcm'),
      sampleDataset('ct', { sopInstanceUid: '2.25.1' }),
      folder,
      text,
      new URL('https://example.org/1.dcm'),
      Buffer.from('no DICOM file'),
      { SOPInstanceUID: '2.25.2' },
      { sopClassUid: 'none', sopInstanceUid: '2.25.3', transferSyntaxUid: EXPLICIT, bytes: () => [] },
      {},
      sampleDataset('ct', { sopInstanceUid: '2.25.4' }),
    ]
    const events: [string | undefined, number][] = []
    const retrieval = await retrieve(t, {
      service,
      contexts: [[CT, EXPLICIT]],
      total: instances.length,
      instances: () => instances,
      during: async (archive) => {
        using recorder = hookRecorder(archive.ae)
        await recorder.next('operationCompleted', ({ operation }) => operation.service === service)
        for (const { sopInstanceUid, status } of recorder.of('subOperationCompleted')) events.push([sopInstanceUid, status])
      },
    })
    t.is(retrieval.final.status, 0xb000)
    t.deepEqual(counts(retrieval), [2, 8, 0])
    t.deepEqual(retrieval.final.failedSopInstanceUids, ['2.25.2', '2.25.3'])
    t.is(retrieval.pending, 10, 'one Pending after each')
    t.deepEqual(retrieval.stored.map(({ sopInstanceUid }) => sopInstanceUid), ['2.25.1', '2.25.4'])
    // A C-MOVE finds them while it sends others.
    t.deepEqual(events.flatMap(([uid]) => uid ?? []).toSorted(), ['2.25.1', '2.25.2', '2.25.3', '2.25.4'])
    t.is(events.length, 10)
    t.deepEqual(events.filter(([, status]) => status !== 0).length, 8)
    t.regex(String(retrieval.archive.log.find(({ message }) => message === 'a sub-operation failed')?.fields['error']), /missing\.dcm" cannot be sent: it does not exist/)
  })

  test(`${service}: nothing but what cannot be opened: A702`, async (t) => {
    const retrieval = await retrieve(t, { service, contexts: [[CT, EXPLICIT]], instances: () => [join(folder, 'missing.dcm')] })
    t.like(retrieval.final, { status: 0xa702, failedSopInstanceUids: [] })
    t.deepEqual(counts(retrieval), [0, 1, 0])
  })

  test(`${service}: what is no instance at all is the handler's error, and ends it`, async (t) => {
    for (const wrong of [5, undefined, null, true, Symbol('x')]) {
      const retrieval = await retrieve(t, { service, contexts: [[CT, EXPLICIT]], total: 3, instances: () => [sampleDataset('ct'), wrong as never, sampleDataset('ct')] })
      t.is(retrieval.final.status, service === 'C-GET' ? 0xc411 : 0xc511)
      t.deepEqual(counts(retrieval), [1, 2, 0])
    }
    for (const wrong of ['/archive/1.dcm', Buffer.from('DICM'), sampleDataset('ct')]) {
      const retrieval = await retrieve(t, { service, contexts: [[CT, EXPLICIT]], instances: () => wrong as never })
      t.is(retrieval.final.status, 0xc002)
    }
  })
}

test('a data set goes in the first uncompressed transfer syntax that was accepted for it', async (t) => {
  const dataSet = sampleDataset('ct', { seed: 6 })
  const cases: readonly (readonly [service: 'C-GET' | 'C-MOVE', accepted: readonly string[], sent: string | undefined])[] = [
    ['C-GET', [IMPLICIT], IMPLICIT],
    ['C-GET', [DEFLATED], DEFLATED],
    ['C-GET', [BIG_ENDIAN], BIG_ENDIAN],
    ['C-GET', [JPEG], undefined],
    ['C-MOVE', [IMPLICIT], IMPLICIT],
    ['C-MOVE', [EXPLICIT, IMPLICIT], EXPLICIT],
    ['C-MOVE', [IMPLICIT, EXPLICIT], IMPLICIT],
    ['C-MOVE', [DEFLATED, BIG_ENDIAN, JPEG], undefined],
  ]
  for (const [service, accepted, sent] of cases) {
    const retrieval = await retrieve(t, { service, contexts: [[CT, ...accepted]], instances: () => [dataSet] })
    t.is(retrieval.final.status, sent === undefined ? 0xa702 : 0, accepted.join())
    t.deepEqual(retrieval.stored.map(({ transferSyntaxUid }) => transferSyntaxUid), sent === undefined ? [] : [sent])
    if (sent === undefined) t.deepEqual(retrieval.final.failedSopInstanceUids, [dataSet['SOPInstanceUID'] as string])
    else t.deepEqual(retrieval.stored[0]?.bytes, await encodedSample('ct', sent, { seed: 6 }))
    if (service === 'C-MOVE') t.deepEqual(retrieval.proposed, [[[EXPLICIT, IMPLICIT]]])
  }
})

test('a compressed data set goes in its own transfer syntax alone', async (t) => {
  const frames = [Buffer.from([0xff, 0xd8, 0xff, 0xd9])]
  const dataSet: DataSet = { ...sampleDataset('ct', { seed: 7 }), PixelData: frames, _meta: { TransferSyntaxUID: JPEG } }
  for (const service of ['C-GET', 'C-MOVE'] as const) {
    const sent = await retrieve(t, { service, contexts: [[CT, JPEG]], instances: () => [dataSet] })
    t.like(sent.stored[0], { transferSyntaxUid: JPEG })
    if (service === 'C-MOVE') t.deepEqual(sent.proposed, [[[JPEG]]])
    const refused = await retrieve(t, { service, contexts: [[CT, EXPLICIT]], instances: () => [dataSet] })
    t.is(refused.final.status, 0xa702)
  }
})

test('C-MOVE: files, data sets and instances share contexts, and data sets use those of others', async (t) => {
  const path = join(folder, 'shared.dcm')
  await writeSampleFile(path, 'ct', EXPLICIT, { seed: 1 })
  const retrieval = await retrieve(t, {
    service: 'C-MOVE',
    contexts: [[CT, EXPLICIT, IMPLICIT], [MR, IMPLICIT]],
    instances: () => [path, sampleDataset('mr'), sampleDataset('ct', { seed: 2 }), path, sampleDataset('mr', { seed: 3 })],
  })
  t.deepEqual(counts(retrieval), [5, 0, 0])
  t.deepEqual(retrieval.proposed, [[[EXPLICIT], [IMPLICIT], [EXPLICIT, IMPLICIT], [EXPLICIT, IMPLICIT]]])
  t.deepEqual(retrieval.stored.map(({ transferSyntaxUid }) => transferSyntaxUid), [EXPLICIT, IMPLICIT, EXPLICIT, EXPLICIT, IMPLICIT])
})

test('C-MOVE: a file or data set whose association was lost is opened again', async (t) => {
  const path = join(folder, 'again.dcm')
  const file = await writeSampleFile(path, 'ct', EXPLICIT, { seed: 1, rows: 600, columns: 600 })
  const dataSet = sampleDataset('ct', { seed: 2 })
  let aborted = 0
  const retrieval = await retrieve(t, {
    service: 'C-MOVE',
    contexts: [[CT, EXPLICIT]],
    instances: () => [path, dataSet],
    store: (_, abort) => {
      aborted += 1
      if (aborted === 1 || aborted === 3) abort()
      return 0
    },
  })
  t.deepEqual(counts(retrieval), [2, 0, 0])
  t.deepEqual(retrieval.stored.map(({ sopInstanceUid }) => sopInstanceUid), [file.sopInstanceUid, file.sopInstanceUid, dataSet['SOPInstanceUID'], dataSet['SOPInstanceUID']])
  for (const { bytes } of retrieval.stored.slice(0, 2)) t.deepEqual(bytes, file.dataSet)
})

test('C-MOVE: a file that changed since its head was read fails', async (t) => {
  const path = join(folder, 'changes.dcm')
  const { sopInstanceUid } = await writeSampleFile(path, 'ct', EXPLICIT, { seed: 9 })
  const isRead = deferred()
  const retrieval = await retrieve(t, {
    service: 'C-MOVE',
    contexts: [[CT, EXPLICIT]],
    instances: async function* () {
      yield sampleDataset('ct', { sopInstanceUid: '2.25.1' })
      yield path
      isRead.resolve()
    },
    store: async () => {
      await isRead.promise
      await truncate(path, 1_000)
      return 0
    },
  })
  t.deepEqual(counts(retrieval), [1, 1, 0])
  t.deepEqual(retrieval.final.failedSopInstanceUids, [sopInstanceUid])
  t.is(retrieval.stored.length, 1)
})

test('C-MOVE: files are pulled far ahead, what is held in memory is not', async (t) => {
  const path = join(folder, 'ahead.dcm')
  await writeSampleFile(path, 'ct', EXPLICIT, { seed: 1 })
  for (const [source, least, most] of [
    [path, 100, 200],
    [await readFile(path), 8, 10],
    [sampleDataset('ct', { seed: 1 }), 8, 10],
  ] as const) {
    let pulled = 0
    let pulledWhileHeldUp = 0
    const retrieval = await retrieve(t, {
      service: 'C-MOVE',
      contexts: [[CT, EXPLICIT]],
      instances: function* () {
        for (; pulled < 200; pulled++) yield source
      },
      store: async () => {
        if (pulledWhileHeldUp === 0) {
          await turnsUntil(() => pulled >= most, 300)
          pulledWhileHeldUp = pulled
        }
        return 0
      },
    })
    t.deepEqual(counts(retrieval), [200, 0, 0])
    t.true(pulledWhileHeldUp >= least && pulledWhileHeldUp <= most, `${pulledWhileHeldUp} were pulled`)
  }
})

test('no file stays open, however a C-MOVE ends', async (t) => {
  if (process.platform !== 'linux') return t.pass()
  const held = join(folder, 'held.dcm')
  await writeSampleFile(held, 'ct', EXPLICIT, { seed: 1, rows: 1024, columns: 1024 })
  const { readlink } = await import('node:fs/promises')
  const openFiles = async (): Promise<number> => {
    const targets = await Promise.all((await readdir('/proc/self/fd')).map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => '')))
    return targets.filter((target) => target === held).length
  }
  const endings: Readonly<Record<string, (number: number, abort: () => void) => number>> = {
    'all are sent': () => 0,
    'the destination refuses': () => 0xa700,
    'the destination goes': (_, abort) => (abort(), 0),
    'the handler fails': () => 0,
  }
  for (const [name, ending] of Object.entries(endings)) {
    let number = 0
    const retrieval = await retrieve(t, {
      service: 'C-MOVE',
      contexts: [[CT, EXPLICIT]],
      instances: function* () {
        for (let index = 0; index < 30; index++) yield held
        if (name === 'the handler fails') throw new Error('the index is away')
      },
      store: (_, abort) => ending((number += 1), abort),
    })
    t.is((counts(retrieval)[0] ?? 0) + (counts(retrieval)[1] ?? 0), 30, name)
    // Closing is not waited for.
    for (let attempt = 0; attempt < 100 && (await openFiles()) > 0; attempt++) await settle()
    t.is(await openFiles(), 0, name)
  }
})

// ── Transfer syntaxes: what is uncompressed can be converted, what is compressed is sent as it is ────────

test('what is uncompressed is converted where its own transfer syntax was not accepted, and only there', async (t) => {
  const path = join(folder, 'uncompressed.dcm')
  const cases: readonly (readonly [stored: string, accepted: readonly string[], sent: string | undefined])[] = [
    [EXPLICIT, [IMPLICIT], IMPLICIT],
    [IMPLICIT, [EXPLICIT], EXPLICIT],
    [DEFLATED, [IMPLICIT], IMPLICIT],
    [EXPLICIT, [JPEG], undefined],
    [BIG_ENDIAN, [EXPLICIT, IMPLICIT], undefined],
    [JPEG, [EXPLICIT, IMPLICIT], undefined],
  ]
  for (const service of ['C-GET', 'C-MOVE'] as const) {
    for (const [stored, accepted, sent] of cases) {
      const file = await writeSampleFile(path, 'ct', stored, { seed: 8, rows: 40, columns: 40 })
      for (const source of [path, { path, ...file }, { ...file, bytes: () => [file.dataSet] }] as Source[]) {
        const { final, stored: received, archive } = await retrieve(t, { service, contexts: [[CT, ...accepted]], instances: () => [source] })
        const name = `${service} ${stored} to ${accepted.join()}`
        t.deepEqual(received.map(({ transferSyntaxUid }) => transferSyntaxUid), sent === undefined ? [] : [sent], name)
        t.is(final.status, sent === undefined ? 0xa702 : 0, name)
        t.deepEqual(final.failedSopInstanceUids, sent === undefined ? [file.sopInstanceUid] : [], name)
        const told = archive.log.filter(({ level, message }) => level === 'warn' && message.includes('presentation context'))
        t.is(told.length, sent === undefined ? 1 : 0, name)
        if (sent === undefined) continue
        const [{ bytes }] = received as [Stored]
        const { _vrMap: _a, ...original } = await decodeDataSet(file.dataSet, stored)
        const { _vrMap: _b, ...arrived } = await decodeDataSet(bytes, sent)
        t.deepEqual(arrived, original, name)
      }
    }
  }
})

test('what turns out to be malformed while it is converted, or while bulk data is taken out, fails alone', async (t) => {
  const path = join(folder, 'malformed.dcm')
  const file = await writeSampleFile(path, 'ct', EXPLICIT, { seed: 8, rows: 300, columns: 300 })
  // Cut off within Pixel Data: its length says more.
  await truncate(path, 100_000)
  const good = sampleDataset('ct', { sopInstanceUid: '2.25.1' })
  for (const [service, model, accepted] of [['C-GET', undefined, IMPLICIT], ['C-MOVE', undefined, IMPLICIT], ['C-GET', WITHOUT_BULK_DATA, EXPLICIT]] as const) {
    for (const source of [path, { path, ...file }] as Source[]) {
      const instances: Source[] = [source, good]
      const { final, stored } = await retrieve(t, { service, ...(model === undefined ? {} : { model }), contexts: [[CT, accepted]], total: 2, instances: () => instances })
      t.deepEqual([final.status, final.failedSopInstanceUids], [0xb000, [file.sopInstanceUid]], `${service} ${accepted}`)
      t.deepEqual(stored.map(({ sopInstanceUid }) => sopInstanceUid), ['2.25.1'])
    }
  }
})

test('what is accepted as it is is sent as it is, whichever context comes first', async (t) => {
  const path = join(folder, 'as it is.dcm')
  for (const service of ['C-GET', 'C-MOVE'] as const) {
    for (const stored of [EXPLICIT, IMPLICIT, JPEG]) {
      const file = await writeSampleFile(path, 'ct', stored, { seed: 8 })
      const { stored: received } = await retrieve(t, {
        service,
        // One context each, of C-GET also in the peer's proposal.
        contexts: [[CT, IMPLICIT], [CT, EXPLICIT], [CT, JPEG]],
        instances: () => [{ path, ...file }],
      })
      t.deepEqual(received.map(({ transferSyntaxUid, bytes }) => [transferSyntaxUid, bytes.equals(file.dataSet)]), [[stored, true]])
    }
  }
})

test('what there is no context for is told once for an association and pair, by name', async (t) => {
  const path = join(folder, 'told once.dcm')
  const file = await writeSampleFile(path, 'ct', JPEG, { seed: 8 })
  for (const service of ['C-GET', 'C-MOVE'] as const) {
    const { final, archive } = await retrieve(t, {
      service,
      contexts: [[CT, EXPLICIT], [MR, EXPLICIT]],
      total: 50,
      instances: () => Array.from({ length: 50 }, (_, index) => (index % 2 === 0 ? { path, ...file } : { ...file, bytes: () => [file.dataSet] })),
    })
    t.deepEqual([final.status, final.numberOfFailedSuboperations], [0xa702, 50])
    const told = archive.log.filter(({ level }) => level === 'warn').map(({ fields }) => fields)
    t.is(told.length, 1)
    t.like(told[0], { sopClass: 'CTImageStorage', transferSyntax: 'JPEGBaseline8Bit', ...(service === 'C-MOVE' ? { calledAeTitle: 'CLIENT', host: '127.0.0.1' } : {}) })
  }
})

test('a failure that the receiver answers is told once for each status', async (t) => {
  for (const service of ['C-GET', 'C-MOVE'] as const) {
    let count = 0
    const { archive } = await retrieve(t, {
      service,
      contexts: [[CT, EXPLICIT]],
      instances: () => Array.from({ length: 9 }, (_, index) => sampleDataset('ct', { sopInstanceUid: `2.25.${index + 1}` })),
      store: () => [0xa700, 0xb000, 0xc000][count++ % 3] as number,
    })
    const told = archive.log.filter(({ message }) => message === 'a sub-operation was answered with a failure')
    t.deepEqual(told.map(({ fields }) => fields['status']), ['0xa700', '0xc000'])
  }
})

// ── Files of which it is known what is in them ───────────────────────────────────────────────────────────

test('a file that cannot be sent is in the failed list, and its path in no log line', async (t) => {
  const text = join(folder, 'no-dicom')
  await writeFile(text, 'no DICOM file, and long enough to be one'.repeat(100))
  const other = join(folder, 'other-instance.dcm')
  const good = await writeSampleFile(other, 'ct', EXPLICIT, { seed: 3 })
  const link = join(folder, 'link.dcm')
  const linked = await writeSampleFile(join(folder, 'linked.dcm'), 'ct', EXPLICIT, { seed: 4, sopInstanceUid: '2.25.7' })
  await symlink(join(folder, 'linked.dcm'), link)
  const known = { sopClassUid: CT, transferSyntaxUid: EXPLICIT }
  const instances: Source[] = [
    { ...linked, path: link, followsLinks: false },
    { ...linked, path: link },
    { ...known, path: join(folder, 'gone.dcm'), sopInstanceUid: '2.25.1' },
    { ...known, path: text, sopInstanceUid: '2.25.2' },
    { ...known, path: folder, sopInstanceUid: '2.25.3' },
    { ...known, path: other, sopInstanceUid: '2.25.4' },
    { ...known, path: other, sopInstanceUid: 'no UID' },
    { ...known, path: new URL('https://example.org/1'), sopInstanceUid: '2.25.6' },
    { ...good, path: pathToFileURL(other) },
  ]
  for (const service of ['C-GET', 'C-MOVE'] as const) {
    const { final, stored, archive } = await retrieve(t, { service, contexts: [[CT, EXPLICIT]], total: 9, instances: () => instances })
    t.deepEqual([final.status, final.numberOfCompletedSuboperations, final.numberOfFailedSuboperations], [0xb000, 2, 7])
    t.deepEqual([...final.failedSopInstanceUids].sort(), ['2.25.1', '2.25.2', '2.25.3', '2.25.4', '2.25.6', '2.25.7', 'no UID'])
    t.deepEqual(stored.map(({ bytes }) => bytes), [linked.dataSet, good.dataSet])
    const told = archive.log.filter(({ message }) => message === 'a sub-operation failed')
    t.is(told.length, 7, 'one line each')
    t.true(told.some(({ fields }) => String(fields['error']).includes('The file of 2.25.7 cannot be sent: it is a symbolic link')))
    t.true(told.some(({ fields }) => String(fields['error']).includes('The file of 2.25.1 cannot be sent: it does not exist')))
    for (const { fields } of told) {
      const { message, cause } = fields['error'] as Error
      t.false(`${message} ${String(cause)}`.includes(folder), message)
    }
  }
})

test('a file that is another class or transfer syntax than was said goes out as what it is', async (t) => {
  const paths = ['was-mr.dcm', 'was-jpeg.dcm', 'was-explicit.dcm'].map((name) => join(folder, name))
  const ct = await writeSampleFile(paths[0]!, 'ct', EXPLICIT, { seed: 1, sopInstanceUid: '2.25.1' })
  const explicit = await writeSampleFile(paths[1]!, 'ct', EXPLICIT, { seed: 2, sopInstanceUid: '2.25.2' })
  const jpeg = await writeSampleFile(paths[2]!, 'ct', JPEG, { seed: 3, sopInstanceUid: '2.25.3' })
  const said: FileToSend[] = [
    { ...ct, path: paths[0]!, sopClassUid: MR },
    { ...explicit, path: paths[1]!, transferSyntaxUid: JPEG },
    { ...jpeg, path: paths[2]!, transferSyntaxUid: EXPLICIT },
  ]
  for (const service of ['C-GET', 'C-MOVE'] as const) {
    const all = await retrieve(t, { service, contexts: [[MR, EXPLICIT], [CT, EXPLICIT], [CT, JPEG]], total: 3, instances: () => said })
    t.is(all.final.status, 0)
    t.deepEqual(all.stored.map(({ sopInstanceUid, transferSyntaxUid }) => [sopInstanceUid, transferSyntaxUid]), [
      ['2.25.1', EXPLICIT],
      ['2.25.2', EXPLICIT],
      ['2.25.3', JPEG],
    ])
    t.deepEqual(all.stored.map(({ bytes }) => bytes), [ct.dataSet, explicit.dataSet, jpeg.dataSet])
    const some = await retrieve(t, { service, contexts: [[MR, EXPLICIT], [CT, EXPLICIT]], total: 3, instances: () => said })
    t.deepEqual([some.final.status, some.final.failedSopInstanceUids], [0xb000, ['2.25.3']])
  }
})

test('C-MOVE: files are not touched before their turn, and one whose association was lost is opened again', async (t) => {
  const path = join(folder, 'later.dcm')
  const said = { path, sopClassUid: CT, transferSyntaxUid: EXPLICIT }
  let aborted = 0
  const retrieval = await retrieve(t, {
    service: 'C-MOVE',
    contexts: [[CT, EXPLICIT]],
    instances: () => [sampleDataset('ct', { sopInstanceUid: '2.25.1' }), { ...said, sopInstanceUid: '2.25.2' }],
    store: async (sopInstanceUid, abort) => {
      if (sopInstanceUid === '2.25.1') await writeSampleFile(path, 'ct', EXPLICIT, { sopInstanceUid: '2.25.2', rows: 900, columns: 900 })
      else if ((aborted += 1) === 1) abort()
      return 0
    },
  })
  t.is(retrieval.final.status, 0)
  t.deepEqual(retrieval.stored.map(({ sopInstanceUid }) => sopInstanceUid), ['2.25.1', '2.25.2', '2.25.2'])
})

// ── Composite Instance Retrieve Without Bulk Data (PS3.4 Z) ──────────────────────────────────────────────

test('without bulk data: what the handler gives is sent without pixels, in its own transfer syntax', async (t) => {
  const contexts = [[CT, EXPLICIT], [MR, JPEG], [SopClass.EncapsulatedPDFStorage, IMPLICIT], [SopClass.ComprehensiveSRStorage, DEFLATED]] as const
  const paths = ['ct', 'mr', 'pdf', 'sr'].map((kind) => join(folder, `bulk ${kind}.dcm`))
  const files = [
    await writeSampleFile(paths[0]!, 'ct', EXPLICIT, { seed: 1, rows: 700, columns: 700 }),
    await writeSampleFile(paths[1]!, 'mr', JPEG, { seed: 2 }),
    await writeSampleFile(paths[2]!, 'pdf', IMPLICIT, { seed: 3 }),
    await writeSampleFile(paths[3]!, 'sr', DEFLATED, { seed: 4 }),
  ]
  const dataSet = sampleDataset('ct', { seed: 5 })
  const instance: InstanceToSend = { ...files[0]!, bytes: () => [files[0]!.dataSet] }
  const retrieval = await retrieve(t, { model: WITHOUT_BULK_DATA, contexts, total: 6, instances: () => [...paths, dataSet, instance] })
  t.is(retrieval.final.status, 0)
  t.deepEqual(counts(retrieval), [6, 0, 0])
  t.deepEqual(retrieval.stored.map(({ transferSyntaxUid }) => transferSyntaxUid), [EXPLICIT, JPEG, IMPLICIT, DEFLATED, EXPLICIT, EXPLICIT])
  const originals = [...files.map((file) => file.dataSet), await encodedSample('ct', EXPLICIT, { seed: 5 }), files[0]!.dataSet]
  for (const [index, { bytes, transferSyntaxUid }] of retrieval.stored.entries()) {
    const original = originals[index]!
    const { PixelData, EncapsulatedDocument, _vrMap, ...rest } = await decodeDataSet(original, transferSyntaxUid)
    const received = await decodeDataSet(bytes, transferSyntaxUid)
    t.is(PixelData === undefined && EncapsulatedDocument === undefined, index === 3)
    t.false('PixelData' in received || 'EncapsulatedDocument' in received)
    const { _vrMap: _ignored, ...attributes } = received
    t.deepEqual(attributes, rest)
    // In these the bulk data is the last element: the rest is the beginning of the original, byte by byte.
    if (index !== 3 && index !== 2) t.deepEqual(bytes, original.subarray(0, bytes.length))
  }
})

test('without bulk data: other models send everything', async (t) => {
  const dataSet = sampleDataset('ct', { seed: 5 })
  const retrieval = await retrieve(t, { model: SopClass.CompositeInstanceRootRetrieveGet, contexts: [[CT, EXPLICIT]], instances: () => [dataSet] })
  t.deepEqual(retrieval.stored[0]?.bytes, await encodedSample('ct', EXPLICIT, { seed: 5 }))
})

test('without bulk data: what it cannot be taken out of fails, and the others go on', async (t) => {
  const instances: InstanceToSend[] = [
    { sopClassUid: CT, sopInstanceUid: '2.25.1', transferSyntaxUid: BIG_ENDIAN, bytes: () => [Buffer.alloc(100)] },
    { sopClassUid: MR, sopInstanceUid: '2.25.2', transferSyntaxUid: EXPLICIT, bytes: () => [Buffer.from('this is no data set')] },
    { sopClassUid: MR, sopInstanceUid: '2.25.3', transferSyntaxUid: EXPLICIT, bytes: () => [Buffer.from('100020004c4f040049443432', 'hex')] },
  ]
  const retrieval = await retrieve(t, { model: WITHOUT_BULK_DATA, contexts: [[CT, BIG_ENDIAN], [MR, EXPLICIT]], instances: () => instances })
  t.is(retrieval.final.status, 0xb000)
  t.deepEqual(retrieval.final.failedSopInstanceUids, ['2.25.1', '2.25.2'])
  t.deepEqual(retrieval.stored.map(({ sopInstanceUid }) => sopInstanceUid), ['2.25.3'])
})
