import test, { type ExecutionContext } from 'ava'
import { readFile, rm, utimes } from 'node:fs/promises'
import path from 'node:path'
import { DatabaseIndex } from '../../dist/database/database-index.js'
import type { ArrivedHead } from '../../dist/database/instance-index.js'
import { sqliteBackend } from '../../dist/database/sqlite/backend.js'
import { arrivedHead } from '../../dist/intake/arrived-head.js'
import { InstanceReader } from '../../dist/maintenance/read-instance.js'
import { buildCatalogue } from '../../dist/model/catalogue.js'
import { queryRetrieveOptions } from '../../dist/options.js'
import { image, temporaryFolder, writeImage } from '../intake/support/archive.js'
import { silentLog } from './support/log.js'

const { attributes } = queryRetrieveOptions.parse({ attributes: { study: ['InstitutionalDepartmentName'] } })
const EXPLICIT = '1.2.840.10008.1.2.1'

/** However long a thread takes to start. */
const A_MINUTE = 60_000
/** Of which the samples have one for each seed. */
const OF_STUDY = { PatientID: 'P', AccessionNumber: 'A', StudyID: 'S' }

interface Bench {
  readonly root: string
  readonly index: DatabaseIndex
  readonly reader: InstanceReader
  /** Writes a file, and says what its sender's server knows of it. */
  arrive(name: string, ...given: Parameters<typeof image>): Promise<ArrivedHead>
}

async function bench(t: ExecutionContext): Promise<Bench> {
  const root = await temporaryFolder(t)
  const index = new DatabaseIndex(sqliteBackend(path.join(root, '.index.sqlite'), { folder: { root, attributes } }), silentLog())
  t.teardown(() => index.close())
  await index.start()
  return {
    root,
    index,
    reader: new InstanceReader(root, await buildCatalogue(attributes)),
    async arrive(name, seed, options, changes) {
      await writeImage(path.join(root, name), image(seed, options, { ...OF_STUDY, ...changes }))
      const file = await readFile(path.join(root, name))
      // PS3.10 7.1: 128 bytes, DICM, then the length of the rest of the file meta information in an element of UL.
      const dataSet = file.subarray(144 + file.readUInt32LE(140))
      return { relativePath: name, transferSyntaxUid: EXPLICIT, dataSetHead: dataSet.subarray(0, 16_384), dataSetBytes: dataSet.length, arrivedAtMs: Date.now() + A_MINUTE }
    },
  }
}

const dump = async ({ database }: DatabaseIndex): Promise<unknown> => {
  const instances = await database.selectFrom('instance').innerJoin('series', 'series.id', 'instance.series').innerJoin('study', 'study.id', 'series.study').innerJoin('patient', 'patient.id', 'study.patient')
    .selectAll('patient').selectAll('study').selectAll('series').selectAll('instance').select(['series.attributes as seriesAttributes', 'study.attributes as studyAttributes', 'patient.attributes as patientAttributes']).orderBy('path').execute()
  return instances.map(({ id: _id, study: _study, series: _series, patient: _patient, replaced: _replaced, ...rest }) => rest)
}

test('the beginnings of files tell a thread what their files would tell', async (t) => {
  const { index, reader, arrive } = await bench(t)
  const heads = [
    await arrive('a.dcm', 1, {}, { PatientName: 'Äneas^Jörg', SpecificCharacterSet: 'ISO_IR 192', InstitutionalDepartmentName: 'Heart' }),
    await arrive('b.dcm', 2, {}, { PatientName: 'Äneas^Jörg', SpecificCharacterSet: 'ISO_IR 192', InstitutionalDepartmentName: 'Heart', InstanceNumber: 17 }),
  ]
  const [first] = (await index.addHeads(heads.slice(0, 1))) as [object]
  t.like(first, { path: 'a.dcm', sopInstanceUid: '2.25.3.1' }, 'its series is new')
  await index.add(first as never)
  t.deepEqual(await index.addHeads(heads), ['added', 'added'])

  const other = await bench(t)
  for (const name of ['a.dcm', 'b.dcm']) {
    const read = await reader.read(name)
    if ('instance' in read) await other.index.add(read.instance)
  }
  t.is((await index.counts()).instances, 2)
  t.deepEqual(await dump(index), await dump(other.index))
})

test('a series that changes, a path that another instance had, another file of an instance: what a thread cannot do is done otherwise', async (t) => {
  const { index, arrive } = await bench(t)
  const heads = [await arrive('a.dcm', 1), await arrive('b.dcm', 2)]
  for (const one of await index.addHeads(heads)) await index.add(one as never)
  const changed = await arrive('c.dcm', 3, {}, { Modality: 'MR' })
  t.like(((await index.addHeads([changed])) as [object])[0], { path: 'c.dcm', series: { columns: { modality: 'MR' } } })
  const [taken, usual] = [await arrive('a.dcm', 4), await arrive('d.dcm', 5)]
  t.deepEqual((await index.addHeads([taken, usual])).map((one) => (one as { path?: string }).path), ['a.dcm', 'd.dcm'], 'all of one statement')
  t.deepEqual(await index.addHeads([usual, await arrive('again.dcm', 2)]), ['added', 'added'])
  t.deepEqual([...(await index.knownPaths(['a.dcm', 'b.dcm', 'again.dcm'])).keys()].sort(), ['a.dcm', 'again.dcm'])
})

test('a file that is not the one of which the beginning is has to be read', async (t) => {
  const { root, index, arrive } = await bench(t)
  const whole = await arrive('a.dcm', 1)
  for (const one of await index.addHeads([whole])) await index.add(one as never)
  const later = new Date(Date.now() + 2 * A_MINUTE)
  await utimes(path.join(root, 'a.dcm'), later, later)
  t.deepEqual(await index.addHeads([whole]), ['unread'], 'it was written since')
  await rm(path.join(root, 'a.dcm'))
  t.deepEqual(await index.addHeads([whole]), ['unread'], 'it is gone')
  const late = await arrive('c.dcm', 3)
  t.deepEqual(await index.addHeads([{ ...late, arrivedAtMs: Date.now() - A_MINUTE }]), ['unread'], 'it may have been removed meanwhile')
  const short = await arrive('b.dcm', 2)
  t.deepEqual(await index.addHeads([{ ...short, dataSetHead: short.dataSetHead.subarray(0, 200) }]), ['unread'], 'the beginning is too short')
  t.deepEqual(await index.addHeads([]), [])
})

test('what goes to a thread ends where pixels begin', async (t) => {
  const { index, arrive } = await bench(t)
  const { relativePath, transferSyntaxUid, dataSetHead, dataSetBytes } = await arrive('a.dcm', 1, { rows: 64, columns: 64 })
  const stored = { relativePath, transferSyntaxUid, dataSetBytes, sopInstanceUid: '', outcome: 'new' as const }
  const head = { ...(arrivedHead({ ...stored, dataSetHead }) as ArrivedHead), arrivedAtMs: Date.now() + A_MINUTE }
  t.true(head.dataSetHead.length < dataSetHead.length - 8000)
  t.deepEqual(head.dataSetHead, Buffer.from(dataSetHead.subarray(0, head.dataSetHead.length)))
  t.not(head.dataSetHead.buffer, dataSetHead.buffer)
  const [instance] = await index.addHeads([head])
  t.like(instance, { sopInstanceUid: '2.25.3.1' })
  await index.add(instance as never)
  t.deepEqual(await index.addHeads([head]), ['added'])
  // The same bytes in a value before: (0008,0008) here.
  const tag = Uint8Array.of(0xe0, 0x7f, 0x10, 0x00)
  const misleading = Buffer.concat([Buffer.from([0x08, 0x00, 0x08, 0x00, 0x43, 0x53, 0x20, 0x00]), tag, Buffer.alloc(28, 0x20), dataSetHead.subarray(0, 1000)])
  const cut = arrivedHead({ ...stored, dataSetHead: misleading, dataSetBytes: misleading.length }) as ArrivedHead
  t.deepEqual(await index.addHeads([cut]), ['unread'])
  t.is(arrivedHead({ ...stored, dataSetHead: undefined }), undefined)
  t.is(arrivedHead({ ...stored, dataSetHead, dataSetBytes: undefined }), undefined)
})

test('nobody said where the files are: they have to be read', async (t) => {
  const { root, arrive } = await bench(t)
  const index = new DatabaseIndex(sqliteBackend(path.join(root, '.other.sqlite')), silentLog())
  t.teardown(() => index.close())
  await index.start()
  t.deepEqual(await index.addHeads([await arrive('a.dcm', 1)]), ['unread'])
})

test('a thread that cannot understand them says that they have to be read', async (t) => {
  const { root, arrive } = await bench(t)
  const folder = { root, attributes: { ...attributes, study: ['NoSuchThing'] } }
  const index = new DatabaseIndex(sqliteBackend(path.join(root, '.other.sqlite'), { folder }), silentLog())
  t.teardown(() => index.close())
  await index.start()
  t.deepEqual(await index.addHeads([await arrive('a.dcm', 1), await arrive('b.dcm', 2)]), ['unread', 'unread'])
})
