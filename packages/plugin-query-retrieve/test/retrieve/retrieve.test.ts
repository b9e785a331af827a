import { rm, unlink, writeFile, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { CompositeInstanceRoot, CompositeInstanceWithoutBulkData, DicomtapError, PatientRoot, PatientStudyOnly, SopClass, StudyRoot, TransferSyntax } from '@dicomtap/framework'
import type { InstanceIndex } from '../../dist/database/instance-index.js'
import { containedPath } from '../../dist/contained-path.js'
import { selectedSeries, seriesQuery } from '../../dist/retrieve/selected-series.js'
import { storedInstances } from '../../dist/retrieve/stored-instances.js'
import { counts, makeArchive, makeClient, writeFileOf } from './support/archive.js'
import type { Archive } from './support/archive.js'

const CT = SopClass.CTImageStorage
const MR = SopClass.MRImageStorage
const EXPLICIT = TransferSyntax.ExplicitVRLittleEndian
const IMPLICIT = TransferSyntax.ImplicitVRLittleEndian
const JPEG = TransferSyntax.JPEGBaseline8Bit
const ANY = [EXPLICIT, IMPLICIT, JPEG]
const STORES = [CT, MR].map((abstractSyntax) => ({ abstractSyntax, transferSyntaxes: ANY }))
const ACCEPTS = [[CT, ...ANY], [MR, ...ANY]] as const

/** Study 1.1 of patient A: series 1.1.2 (number 2) with images 10, 9, 1 in files of that order, series 1.1.1 (number 1) with one; study 1.2. */
async function fill(archive: Archive): Promise<void> {
  const of = (patientId: string, study: string, series: string, instance: string) => ({
    patientId,
    studyInstanceUid: `1.${study}`,
    seriesInstanceUid: `1.${series}`,
    sopInstanceUid: `1.${instance}`,
  })
  for (const number of [10, 9, 1]) {
    await archive.put(`a/${number}`, 'ct', EXPLICIT, of('A', '1', '1.2', `1.2.${number}`), { SeriesNumber: 2, InstanceNumber: number })
  }
  await archive.put('a/other', 'mr', JPEG, of('A', '1', '1.1', '1.1.1'))
  await archive.put('a/second-study', 'ct', IMPLICIT, of('A', '2', '2.1', '2.1.1'))
  await archive.put('b/1', 'ct', EXPLICIT, of('B', '3', '3.1', '3.1.1'))
}

const uids = (got: readonly { readonly sopInstanceUid: string }[]): string[] => got.map(({ sopInstanceUid }) => sopInstanceUid)

test('every model and level selects what it should, in order of series and instance number, byte for byte', async (t) => {
  await using archive = await makeArchive({ stores: STORES, destination: () => ({ host: '127.0.0.1', port: client.port }) })
  await fill(archive)
  await using client = await makeClient(archive, { accepts: ACCEPTS })
  const study1 = ['1.1.1.1', '1.1.2.1', '1.1.2.9', '1.1.2.10']
  const cases: readonly (readonly [models: { readonly Get?: string; readonly Move?: string }, identifier: Readonly<Record<string, unknown>>, expected: readonly string[]])[] = [
    [PatientRoot, { QueryRetrieveLevel: 'PATIENT', PatientID: 'A' }, [...study1, '1.2.1.1']],
    [PatientRoot, { QueryRetrieveLevel: 'STUDY', PatientID: 'A', StudyInstanceUID: ['1.1', '1.2'] }, [...study1, '1.2.1.1']],
    [PatientRoot, { QueryRetrieveLevel: 'STUDY', PatientID: 'B', StudyInstanceUID: '1.1' }, []],
    [StudyRoot, { QueryRetrieveLevel: 'STUDY', StudyInstanceUID: '1.1' }, study1],
    [StudyRoot, { QueryRetrieveLevel: 'SERIES', StudyInstanceUID: '1.1', SeriesInstanceUID: '1.1.2' }, study1.slice(1)],
    [StudyRoot, { QueryRetrieveLevel: 'SERIES', StudyInstanceUID: '1.2', SeriesInstanceUID: '1.1.2' }, []],
    [StudyRoot, { QueryRetrieveLevel: 'IMAGE', StudyInstanceUID: '1.1', SeriesInstanceUID: '1.1.2', SOPInstanceUID: ['1.1.2.10', '1.1.2.1', '1.9'] }, ['1.1.2.1', '1.1.2.10']],
    [PatientStudyOnly, { QueryRetrieveLevel: 'STUDY', PatientID: 'A', StudyInstanceUID: '1.2' }, ['1.2.1.1']],
    [CompositeInstanceRoot, { QueryRetrieveLevel: 'IMAGE', SOPInstanceUID: ['1.3.1.1', '1.1.2.9'] }, ['1.1.2.9', '1.3.1.1']],
    [{ Get: CompositeInstanceWithoutBulkData.Get }, { QueryRetrieveLevel: 'IMAGE', SOPInstanceUID: ['1.3.1.1', '1.1.1.1'] }, ['1.1.1.1', '1.3.1.1']],
  ]
  for (const [{ Get, Move }, identifier, expected] of cases) {
    for (const retrieval of [Get === undefined ? undefined : await client.get(Get, identifier), Move === undefined ? undefined : await client.move(Move, identifier)]) {
      if (retrieval === undefined) continue
      t.deepEqual(uids(retrieval.got), expected, JSON.stringify(identifier))
      t.is(retrieval.final.status, 0)
      t.deepEqual(counts(retrieval), [expected.length, 0, 0])
      t.deepEqual(retrieval.pending.map((one) => one.numberOfRemainingSuboperations), expected.map((_, index) => expected.length - index - 1), 'counted first')
    }
  }
  const { got } = await client.move(StudyRoot.Move, { QueryRetrieveLevel: 'STUDY', StudyInstanceUID: '1.1' })
  t.deepEqual(got.map(({ transferSyntaxUid }) => transferSyntaxUid), [JPEG, EXPLICIT, EXPLICIT, EXPLICIT])
  t.true(got.every(({ originator, originatorMessageId }) => originator === 'CLIENT' && originatorMessageId !== undefined))
  const original = await writeFileOf(join(archive.directory, 'copy'), 'mr', JPEG, { patientId: 'A', studyInstanceUid: '1.1', seriesInstanceUid: '1.1.1', sopInstanceUid: '1.1.1.1' })
  t.deepEqual(got[0]?.bytes, original.dataSet)
})

test('what is not in order is refused with A900, and says what it was', async (t) => {
  await using archive = await makeArchive({ stores: STORES, destination: () => ({ host: '127.0.0.1', port: 104 }) })
  await using client = await makeClient(archive, { accepts: ACCEPTS })
  for (const identifier of [
    {},
    { QueryRetrieveLevel: 'PATIENT', PatientID: 'A' },
    { QueryRetrieveLevel: 'STUDY' },
    { QueryRetrieveLevel: 'STUDY', StudyInstanceUID: '1.*' },
    { QueryRetrieveLevel: 'SERIES', SeriesInstanceUID: '1.1.2' },
    { QueryRetrieveLevel: 'STUDY', StudyInstanceUID: '1.1', Modality: 'CT' },
  ]) {
    for (const { final } of [await client.get(StudyRoot.Get, identifier), await client.move(StudyRoot.Move, identifier)]) {
      t.is(final.status, 0xa900, JSON.stringify(identifier))
      t.truthy(final.errorComment)
    }
  }
})

test('relational retrieval where it is on', async (t) => {
  await using archive = await makeArchive({ stores: STORES, options: { relationalQueries: 'always' } })
  await fill(archive)
  await using client = await makeClient(archive, { accepts: ACCEPTS })
  t.deepEqual(uids((await client.get(StudyRoot.Get, { QueryRetrieveLevel: 'SERIES', SeriesInstanceUID: ['1.1.1', '1.3.1'] })).got), ['1.1.1.1', '1.3.1.1'])
})

test('models that are switched off are not accepted; without C-GET nobody becomes SCP of storage', async (t) => {
  await using archive = await makeArchive({ stores: STORES, options: { models: { studyRoot: ['move'] } } })
  const offered = new Set(archive.server.ae.supportedContexts.map(({ abstractSyntax }) => abstractSyntax))
  t.true(offered.has(StudyRoot.Move) && offered.has(PatientRoot.Get))
  t.false(offered.has(StudyRoot.Get))
  await using client = await makeClient(archive, { accepts: ACCEPTS })
  await using association = await client.server.ae.associate({
    host: '127.0.0.1',
    port: archive.server.port,
    contexts: [{ abstractSyntax: StudyRoot.Move }, { abstractSyntax: CT, roles: { scu: true, scp: true } }],
  })
  t.deepEqual(association.acceptedContexts.map(({ abstractSyntax, asScu, asScp }) => [abstractSyntax, asScu, asScp]), [[StudyRoot.Move, true, false], [CT, true, false]])
})

test('a policy of the site decides about roles before', async (t) => {
  await using archive = await makeArchive({
    stores: STORES,
    handlers: { roleSelection: (proposed) => proposed.filter(({ sopClassUid }) => sopClassUid === MR).map(({ sopClassUid }) => ({ sopClassUid, scuRole: true, scpRole: false })) },
  })
  await fill(archive)
  await using client = await makeClient(archive, { accepts: ACCEPTS })
  const retrieval = await client.get(StudyRoot.Get, { QueryRetrieveLevel: 'STUDY', StudyInstanceUID: '1.1' })
  t.deepEqual(retrieval.final.failedSopInstanceUids, ['1.1.1.1'], 'MR, which the peer may not serve')
  t.is(retrieval.final.status, 0xb000)
})

test('files that are gone, cut off or not readable fail by name; one that was replaced goes out as what it is', async (t) => {
  await using archive = await makeArchive({ stores: STORES, destination: () => ({ host: '127.0.0.1', port: client.port }) })
  await fill(archive)
  await using client = await makeClient(archive, { accepts: ACCEPTS })
  const replaced = { patientId: 'A', studyInstanceUid: '1.1', seriesInstanceUid: '1.1.1', sopInstanceUid: '1.1.1.1' }
  await unlink(join(archive.directory, 'a/10'))
  await writeFile(join(archive.directory, 'a/9'), 'cut')
  const now = await writeFileOf(join(archive.directory, 'a/other'), 'mr', EXPLICIT, replaced)
  for (const retrieval of [
    await client.get(StudyRoot.Get, { QueryRetrieveLevel: 'STUDY', StudyInstanceUID: '1.1' }),
    await client.move(StudyRoot.Move, { QueryRetrieveLevel: 'STUDY', StudyInstanceUID: '1.1' }),
  ]) {
    t.deepEqual([retrieval.final.status, ...counts(retrieval)], [0xb000, 2, 2, 0])
    t.deepEqual([...retrieval.final.failedSopInstanceUids].sort(), ['1.1.2.10', '1.1.2.9'])
    t.deepEqual(retrieval.got.map(({ sopInstanceUid, transferSyntaxUid }) => [sopInstanceUid, transferSyntaxUid]), [['1.1.1.1', EXPLICIT], ['1.1.2.1', EXPLICIT]])
    t.deepEqual(retrieval.got[0]?.bytes, now.dataSet)
  }
  const lines = archive.server.log.filter(({ message }) => message === 'a sub-operation failed')
  t.is(lines.length, 4)
  t.false(lines.some(({ fields }) => `${String(fields['error'])} ${String((fields['error'] as Error).cause)}`.includes(archive.directory)))
})

test('a folder that is gone while a retrieval runs: what is open is sent, the rest fails, and the next is answered', async (t) => {
  let remove = async (): Promise<void> => {}
  await using archive = await makeArchive({ stores: STORES, destination: () => ({ host: '127.0.0.1', port: client.port }) })
  const study = { patientId: 'A', studyInstanceUid: '1.1', seriesInstanceUid: '1.1.1' }
  for (let number = 1; number <= 40; number++) {
    await archive.put(`d/${number}`, 'ct', EXPLICIT, { ...study, sopInstanceUid: `1.1.1.${number}`, rows: 700, columns: 700 }, { InstanceNumber: number })
  }
  await using client = await makeClient(archive, { accepts: ACCEPTS, store: async (_, count) => ((count === 3 && (await remove()), 0)) })
  remove = () => rm(join(archive.directory, 'd'), { recursive: true })
  const { final, got } = await client.move(StudyRoot.Move, { QueryRetrieveLevel: 'STUDY', StudyInstanceUID: '1.1' })
  t.is(final.status, 0xb000)
  // How many files are opened ahead is the framework's business.
  t.true(got.length >= 3 && got.length < 10, String(got.length))
  t.is(final.failedSopInstanceUids.length, 40 - got.length)
  t.is((await client.get(StudyRoot.Get, { QueryRetrieveLevel: 'STUDY', StudyInstanceUID: '1.1' })).final.status, 0xa702)
})

test('a path of the index that leaves the folder is never read', async (t) => {
  await using archive = await makeArchive({ stores: STORES })
  await fill(archive)
  await using client = await makeClient(archive, { accepts: ACCEPTS })
  await writeFileOf(join(archive.directory, '../outside'), 'ct', EXPLICIT, { sopInstanceUid: '1.3.1.1' })
  await archive.index.database.updateTable('instance').set({ path: '../outside' }).where('sop_instance_uid', '=', '1.3.1.1').execute()
  const { final, got } = await client.get(StudyRoot.Get, { QueryRetrieveLevel: 'STUDY', StudyInstanceUID: '1.3' })
  t.deepEqual([final.status, final.failedSopInstanceUids, got], [0xa702, ['1.3.1.1'], []])
  // Nor by a link in the folder.
  await symlink(join(archive.directory, '..'), join(archive.directory, 'up'))
  await symlink(join(archive.directory, '../outside'), join(archive.directory, 'link'))
  for (const path of ['up/outside', 'link']) {
    await archive.index.database.updateTable('instance').set({ path }).where('sop_instance_uid', '=', '1.3.1.1').execute()
    const again = await client.get(StudyRoot.Get, { QueryRetrieveLevel: 'STUDY', StudyInstanceUID: '1.3' })
    t.deepEqual([again.final.status, again.got], [0xa702, []], path)
  }
  for (const path of ['', '..', '../x', 'a/../../x', '/etc/passwd', 'a\0b', '.', '.dicomtap/x']) t.is(containedPath('/data', path), undefined, path)
  t.is(containedPath('/data', 'a/../b'), join('/data', 'b'))
})

test('an instance in two series is sent from both', async (t) => {
  await using archive = await makeArchive({ stores: STORES })
  for (const series of ['1.1.1', '1.1.2']) {
    await archive.put(series, 'ct', EXPLICIT, { patientId: 'A', studyInstanceUid: '1.1', seriesInstanceUid: series, sopInstanceUid: '1.5' })
  }
  await using client = await makeClient(archive, { accepts: ACCEPTS })
  const { got } = await client.get(StudyRoot.Get, { QueryRetrieveLevel: 'STUDY', StudyInstanceUID: '1.1' })
  t.deepEqual(uids(got), ['1.5', '1.5'])
})

test('a series is read page by page, in order, whatever its numbers are', async (t) => {
  await using archive = await makeArchive({ stores: STORES })
  const numbers = [30, 7, 7, 100, 2, undefined, 11, undefined, 1, 3]
  for (const [at, number] of numbers.entries()) {
    await archive.put(`p/${at}`, 'ct', EXPLICIT, { patientId: 'A', studyInstanceUid: '1.1', seriesInstanceUid: '1.1.1', sopInstanceUid: `1.1.1.${at + 1}` }, { InstanceNumber: number ?? '' })
  }
  const { signal } = new AbortController()
  const selection = { level: 'STUDY', patientId: undefined, studyInstanceUids: ['1.1'], seriesInstanceUids: [], sopInstanceUids: [] } as const
  const series = await selectedSeries(archive.index, selection, signal)
  t.deepEqual(series.map(({ instances }) => instances), [10])
  for (const pageRows of [1, 2, 3, 10, 11, 1000]) {
    const all: string[] = []
    for await (const { sopInstanceUid } of storedInstances(archive.index, series, [], signal, pageRows)) all.push(sopInstanceUid)
    t.deepEqual(all, [6, 8, 9, 5, 10, 2, 3, 7, 1, 4].map((at) => `1.1.1.${at}`), `${pageRows} a page`)
  }
  t.deepEqual(await selectedSeries(archive.index, { ...selection, studyInstanceUids: [] }, signal), [], 'nothing asked for is nothing')
})

test('a list of instances in many series is read at once, in order, and not series by series', async (t) => {
  await using archive = await makeArchive({ stores: STORES })
  for (let at = 1; at <= 12; at++) {
    await archive.put(`p/${at}`, 'ct', EXPLICIT, { patientId: 'A', studyInstanceUid: '1.1', seriesInstanceUid: `1.1.${at % 6}`, sopInstanceUid: `1.5.${at}` }, { SeriesNumber: 10 - (at % 6), InstanceNumber: 100 - at })
  }
  const sopInstanceUids = Array.from({ length: 11 }, (_, at) => `1.5.${at + 1}`)
  const { signal } = new AbortController()
  const selection = { level: 'IMAGE', patientId: undefined, studyInstanceUids: [], seriesInstanceUids: [], sopInstanceUids } as const
  const { index } = archive
  const series = await selectedSeries(index, selection, signal)
  t.is(series.length, 6)
  let queries = 0
  const counting = { kind: index.kind, database: index.database, rows: (query: never) => (queries++, index.rows(query, signal)) } as unknown as typeof index
  const all: string[] = []
  for await (const { sopInstanceUid } of storedInstances(counting, series, sopInstanceUids, signal)) all.push(sopInstanceUid)
  t.deepEqual(all, [11, 5, 10, 4, 9, 3, 8, 2, 7, 1, 6].map((at) => `1.5.${at}`))
  t.is(queries, 2)
})

test('no selection has the database look at everything', async (t) => {
  await using archive = await makeArchive({ stores: STORES })
  await fill(archive)
  const { index } = archive
  const many = Array.from({ length: 500 }, (_, number) => `2.25.${number}`)
  const none = { level: 'IMAGE', patientId: undefined, studyInstanceUids: [], seriesInstanceUids: [], sopInstanceUids: [] } as const
  const cases = [
    { patientId: 'A' },
    { studyInstanceUids: ['1.1'] },
    { studyInstanceUids: many },
    { studyInstanceUids: ['1.1'], seriesInstanceUids: ['1.1.1'] },
    { seriesInstanceUids: many },
    { sopInstanceUids: ['1.1.1.1'] },
    { sopInstanceUids: many },
    { patientId: 'A', studyInstanceUids: ['1.1'], seriesInstanceUids: ['1.1.1'], sopInstanceUids: many },
  ]
  for (const one of cases) {
    const query = seriesQuery(index, { ...none, ...one })
    if (query === undefined) throw new Error('restricts nothing')
    const compiled = query.compile()
    const explained = { compile: () => ({ ...compiled, sql: `explain query plan ${compiled.sql}` }) }
    const steps: string[] = []
    for await (const row of index.rows(explained)) steps.push((row as unknown as { detail: string }).detail)
    const scans = steps.filter((step) => /^SCAN (?!json_each)/.test(step))
    t.deepEqual(scans, [], `${Object.keys(one).join()}: ${steps.join('; ')}`)
    t.true(steps.some((step) => step.startsWith('SEARCH')))
  }
})

test('a thousand UIDs are one query, and quick', async (t) => {
  await using archive = await makeArchive({ stores: STORES })
  await fill(archive)
  await using client = await makeClient(archive, { accepts: ACCEPTS })
  const wanted = [...Array.from({ length: 1_000 }, (_, index) => `2.25.${index}`), '1.1.2.9', '1.1.1.1']
  const { got, final } = await client.get(CompositeInstanceRoot.Get, { QueryRetrieveLevel: 'IMAGE', SOPInstanceUID: wanted })
  t.is(final.status, 0)
  t.deepEqual(uids(got), ['1.1.1.1', '1.1.2.9'])
})

test('an index that does not answer: A701 before anything was counted, A702 in the middle', async (t) => {
  let failsFrom = 0
  let queries = 0
  const wrap = (index: InstanceIndex): InstanceIndex =>
    new Proxy(index, {
      get(target, property) {
        if (property !== 'rows') {
          const value: unknown = Reflect.get(target, property, target)
          return typeof value === 'function' ? value.bind(target) : value
        }
        return (...args: Parameters<InstanceIndex['rows']>) => {
          queries += 1
          if (queries >= failsFrom) throw new DicomtapError('DICOMTAP_ERR_QR_DATABASE', 'it is away')
          return target.rows(...args)
        }
      },
    })
  await using archive = await makeArchive({ stores: STORES, wrap, destination: () => ({ host: '127.0.0.1', port: client.port }) })
  await fill(archive)
  await using client = await makeClient(archive, { accepts: ACCEPTS })
  for (const retrieve of [client.get.bind(client, StudyRoot.Get), client.move.bind(client, StudyRoot.Move)]) {
    const identifier = { QueryRetrieveLevel: 'STUDY', StudyInstanceUID: '1.1' }
    queries = 0
    failsFrom = 1
    t.is((await retrieve(identifier)).final.status, 0xa701)
    queries = 0
    failsFrom = 3 // the count and the first series are read
    const retrieval = await retrieve(identifier)
    t.deepEqual([retrieval.final.status, ...counts(retrieval)], [0xa702, 1, 3, 0])
  }
})

test('C-CANCEL: FE00 with what remains, and the index is not read on', async (t) => {
  const cancel = new AbortController()
  await using archive = await makeArchive({ stores: STORES, destination: () => ({ host: '127.0.0.1', port: client.port }) })
  await fill(archive)
  await using client = await makeClient(archive, {
    accepts: ACCEPTS,
    store: async (_, count) => {
      if (count === 2) cancel.abort()
      await new Promise((resolve) => setImmediate(resolve))
      return 0
    },
  })
  const { final } = await client.move(StudyRoot.Move, { QueryRetrieveLevel: 'STUDY', StudyInstanceUID: '1.1' }, 'CLIENT', cancel.signal)
  t.is(final.status, 0xfe00)
  const { numberOfCompletedSuboperations: completed = 0, numberOfRemainingSuboperations: remaining = 0 } = final
  t.is(completed + remaining, 4)
})

test('a destination that is not known, or cannot be reached', async (t) => {
  await using archive = await makeArchive({
    stores: STORES,
    destination: ({ moveDestination }) => (moveDestination === 'GONE' ? { host: '127.0.0.1', port: 1 } : undefined),
  })
  await fill(archive)
  await using client = await makeClient(archive, { accepts: ACCEPTS })
  const identifier = { QueryRetrieveLevel: 'STUDY', StudyInstanceUID: '1.1' }
  t.is((await client.move(StudyRoot.Move, identifier, 'NOBODY')).final.status, 0xa801)
  const { final } = await client.move(StudyRoot.Move, identifier, 'GONE')
  t.is(final.status, 0xa702)
  t.is(final.failedSopInstanceUids.length, 4)
  t.is((await client.move(StudyRoot.Move, { ...identifier, StudyInstanceUID: '1.9' }, 'GONE')).final.status, 0, 'there is nothing to send')
})

test('retention leaves a study alone from the count until the last instance is sent', async (t) => {
  const inUse: boolean[] = []
  await using archive = await makeArchive({ stores: STORES, destination: ({ moveDestination }) => (moveDestination === 'CLIENT' ? { host: '127.0.0.1', port: client.port } : undefined) })
  await fill(archive)
  await using client = await makeClient(archive, { accepts: ACCEPTS, store: () => ((inUse.push(archive.studiesInUse.isInUse('1.1')), 0)) })
  const identifier = { QueryRetrieveLevel: 'STUDY', StudyInstanceUID: '1.1' }
  await client.move(StudyRoot.Move, identifier)
  await client.get(StudyRoot.Get, identifier)
  t.deepEqual(inUse, Array.from({ length: 8 }, () => true))
  t.false(archive.studiesInUse.isInUse('1.1'))
  t.is((await client.move(StudyRoot.Move, identifier, 'NOBODY')).final.status, 0xa801)
  t.false(archive.studiesInUse.isInUse('1.1'))
})

// PS3.4 Y.3.2.1: one list, increasing, without duplicates. The instance is no multi-frame image.
test('frames: AA04 for what is no list of frames, AA00 for no instance, AA01 for one without frames, with a line in the log', async (t) => {
  await using archive = await makeArchive({ stores: STORES, destination: () => ({ host: '127.0.0.1', port: 104 }) })
  await fill(archive)
  await using client = await makeClient(archive, { accepts: ACCEPTS })
  const of = { QueryRetrieveLevel: 'FRAME', SOPInstanceUID: '1.1.1.1' }
  const cases: readonly (readonly [status: number, identifier: Readonly<Record<string, unknown>>])[] = [
    [0xaa01, { ...of, SimpleFrameList: [1, 2, 9] }],
    [0xaa01, { ...of, SimpleFrameList: 3 }],
    [0xaa01, { ...of, CalculatedFrameList: [1, 8, 3, 8, 9, 1] }],
    [0xaa01, { ...of, TimeRange: [0.5, 2] }],
    [0xaa00, { ...of, SOPInstanceUID: '1.9', SimpleFrameList: 1 }],
    [0xaa04, of],
    [0xaa04, { ...of, SimpleFrameList: 1, TimeRange: [0, 1] }],
    [0xaa04, { ...of, SimpleFrameList: [2, 2] }],
    [0xaa04, { ...of, SimpleFrameList: [0, 1] }],
    [0xaa04, { ...of, CalculatedFrameList: [1, 8] }],
    [0xaa04, { ...of, CalculatedFrameList: [8, 1, 1] }],
    [0xaa04, { ...of, CalculatedFrameList: [1, 8, 0] }],
    [0xaa04, { ...of, CalculatedFrameList: [1, 8, 1, 8, 9, 1] }],
    [0xaa04, { ...of, TimeRange: [2, 1] }],
    [0xaa04, { ...of, TimeRange: [1, 2, 3] }],
    [0xa900, { QueryRetrieveLevel: 'FRAME', SimpleFrameList: 1 }],
    [0xa900, { ...of, SOPInstanceUID: ['1.1.1.1', '1.2'], SimpleFrameList: 1 }],
  ]
  for (const [status, identifier] of cases) {
    t.is((await client.get(CompositeInstanceRoot.Get, identifier)).final.status, status, JSON.stringify(identifier))
  }
  t.is(archive.server.log.filter(({ message }) => message.startsWith('frames were asked for')).length, 4)
  t.is((await client.move(CompositeInstanceRoot.Move, { ...of, SimpleFrameList: 1 })).final.status, 0xaa01)
  t.is((await client.get(StudyRoot.Get, { ...of, SimpleFrameList: 1 })).final.status, 0xa900, 'no level of this model')
})
