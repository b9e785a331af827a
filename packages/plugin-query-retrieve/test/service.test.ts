import { mkdir, readFile, realpath, rm, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { ApplicationEntity, decodePart10Header, definePlugin, DicomtapError } from '@dicomtap/framework'
import type { DataSet } from '@dicomtap/framework'
import { storage } from '@dicomtap/plugin-storage'
import test from 'ava'
import { queryRetrieve } from '../dist/index.js'
import type { InstanceSelection, QueryRetrieveService } from '../dist/index.js'
import { archive, client, image, store, temporaryFolder } from './intake/support/archive.js'

/** Study 2.25.1: two series, three instances; study 2.25.8: one. */
const STORED: readonly DataSet[] = [
  image(1, {}, { InstanceNumber: 10 }),
  image(2, {}, { InstanceNumber: 9 }),
  image(3, { seriesInstanceUid: '2.25.4' }),
  image(4, { studyInstanceUid: '2.25.8', seriesInstanceUid: '2.25.9' }),
]

test('other plugins find the files of studies, series and instances in the service, and counts', async (t) => {
  let service: QueryRetrieveService | undefined
  const later = definePlugin({
    name: 'router',
    requires: ['query-retrieve'],
    apply(api) {
      service = api.inject('query-retrieve')
      t.false(service.isReady, 'it is opened when the hook ready is told')
    },
  })
  const one = await archive(t, { folder: await temporaryFolder(t), plugins: [later()] })
  const { counts, instances } = service as unknown as QueryRetrieveService
  t.true(service?.isReady)
  const association = await client(t, one.server.port)
  for (const dataset of STORED) t.is(await store(association, dataset), 0)

  const of = async (selection: InstanceSelection): Promise<string[]> => {
    const found: string[] = []
    for await (const { path, ...uids } of instances(selection)) {
      const { meta } = decodePart10Header(await readFile(path))
      t.like(uids, { sopInstanceUid: meta.sopInstanceUid, sopClassUid: meta.sopClassUid, transferSyntaxUid: meta.transferSyntaxUid })
      found.push(`${uids.studyInstanceUid} ${uids.seriesInstanceUid} ${uids.sopInstanceUid}`)
    }
    return found
  }
  const inStudy = await of({ studyInstanceUids: ['2.25.1'] })
  t.deepEqual(inStudy.slice().sort(), ['2.25.1 2.25.2 2.25.3.1', '2.25.1 2.25.2 2.25.3.2', '2.25.1 2.25.4 2.25.3.3'])
  t.true(inStudy.indexOf('2.25.1 2.25.2 2.25.3.2') < inStudy.indexOf('2.25.1 2.25.2 2.25.3.1'), 'by instance number')
  t.deepEqual(await of({ seriesInstanceUids: ['2.25.4', '2.25.9'] }), ['2.25.1 2.25.4 2.25.3.3', '2.25.8 2.25.9 2.25.3.4'])
  t.deepEqual(await of({ studyInstanceUids: ['2.25.1'], sopInstanceUids: ['2.25.3.2', '2.25.3.4'] }), ['2.25.1 2.25.2 2.25.3.2'])
  t.deepEqual(await of({ sopInstanceUids: ['2.25.77'] }), [])
  t.deepEqual(await of({}), [], 'nothing was selected')
  t.deepEqual(await of({ studyInstanceUids: [] }), [])
  t.like(await counts(), { patients: 2, studies: 2, series: 3, instances: 4 })

  const stop = new AbortController()
  const iterator = instances({ studyInstanceUids: ['2.25.1'] }, stop.signal)[Symbol.asyncIterator]()
  stop.abort(new Error('enough'))
  await t.throwsAsync(() => iterator.next(), { message: 'enough' })

  await one.close()
  t.false(service?.isReady)
  await t.throwsAsync(() => of({ studyInstanceUids: ['2.25.1'] }), { code: 'DICOMTAP_ERR_QR_DATABASE' })
  await t.throwsAsync(() => counts(), { code: 'DICOMTAP_ERR_QR_DATABASE' })
})

async function errorOf(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => undefined,
    (cause: unknown) => cause,
  )
  return error instanceof DicomtapError ? `${error.code}: ${error.message}` : String(error)
}

test('before plugin-storage in the list it works; twice, without a storage or with one that discards it is one line', async (t) => {
  const folder = await temporaryFolder(t)
  const options = { database: { sqlite: join(folder, 'index.sqlite') } }
  const stored = (): ReturnType<typeof storage> => storage({ directory: join(folder, 'data'), minimumFreeSpace: null })
  const started = async (...plugins: Parameters<ApplicationEntity['use']>): Promise<void> => {
    const ae = new ApplicationEntity({ aeTitle: 'PACS' })
    try {
      await ae.use(...plugins)
      await ae.ready()
    } finally {
      await ae.close()
    }
  }
  t.is(await errorOf(started(queryRetrieve(options), stored())), 'undefined')
  t.regex(await errorOf(started(stored(), queryRetrieve(options), queryRetrieve({ database: { sqlite: join(folder, 'other.sqlite') } }))), /^DICOMTAP_ERR_PLG_DUPLICATE: Plugin 'query-retrieve' is loaded 2 times.*$/)
  t.regex(await errorOf(started(queryRetrieve(options))), /^DICOMTAP_ERR_PLG_MISSING_DEPENDENCY: Plugin 'query-retrieve' requires 'storage'.*$/)
  t.regex(await errorOf(started(storage({ discard: true }), queryRetrieve(options))), /^DICOMTAP_ERR_PLG_OPTIONS: .*option discard.*$/)
  await rm(folder, { recursive: true, force: true })
})

test('a database among the stored files is refused, but for one below a name with a leading dot', async (t) => {
  const folder = await realpath(await temporaryFolder(t))
  const data = join(folder, 'data')
  await mkdir(join(data, 'sub'), { recursive: true })
  await symlink(join(data, 'sub'), join(folder, 'link'))
  const told = async (sqlite: string, directory: string = data): Promise<string> => {
    const ae = new ApplicationEntity({ aeTitle: 'PACS' })
    try {
      await ae.use(storage({ directory, minimumFreeSpace: null }), queryRetrieve({ database: { sqlite: join(folder, sqlite) } }))
      return await errorOf(ae.ready())
    } catch (error) {
      return await errorOf(Promise.reject(error as Error))
    } finally {
      await ae.close()
    }
  }
  const refused = (directory: string): string =>
    `DICOMTAP_ERR_PLG_OPTIONS: plugins[query-retrieve].options.database.sqlite: put it outside of the storage folder ${directory}, or there below a name with a leading dot: other files in it are taken for stored objects`
  for (const place of ['data/index.sqlite', 'data/new/folder/index.sqlite', 'link/index.sqlite', 'data']) t.is(await told(place), refused(data), place)
  t.is(await told('later/index.sqlite', join(folder, 'later')), refused(join(folder, 'later')))
  for (const place of ['data/.index/index.sqlite', 'data/sub/.index.sqlite', 'data.sqlite', 'index/index.sqlite']) t.is(await told(place), 'undefined', place)
})

test('options that are wrong are told with their path, a line each', async (t) => {
  const folder = await temporaryFolder(t)
  const told = async (options: unknown): Promise<string> => errorOf(new ApplicationEntity({ aeTitle: 'PACS' }).use(storage({ directory: folder }), queryRetrieve(options as never)))
  const databases = 'database: must be { sqlite: <file> } or { postgres: { url: <postgres://...> } }'
  for (const [options, ...lines] of [
    [{ databse: {} }, 'Unrecognized key: "databse"'],
    [{ database: { mysql: 'x' } }, databases],
    [{ database: { sqlite: 'a', postgres: { url: 'postgres://x/y' } } }, databases],
    [{ database: { postgres: {} } }, databases],
    [{ database: { postgres: { url: 'postgres://x/y', maximumConnections: 1 } } }, 'database.postgres.maximumConnections: Too small: expected number to be >=2'],
    [
      { models: { studyRoot: ['store'], compositeInstanceRoot: ['find'] } },
      'models.studyRoot[0]: Invalid option: expected one of "find"|"move"|"get"',
      'models.compositeInstanceRoot[0]: Invalid option: expected one of "move"|"get"',
    ],
    [{ timezone: 'Europe/Berlin' }, 'timezone: is no offset such as +0100'],
    [{ retention: { dryRun: false } }, 'retention: needs maximumAgeDays, maximumSize or both'],
    [{ retention: { maximumSize: 'much' } }, 'retention.maximumSize: must be a size such as 500000000000, "500 GB" or "1.5 TiB"'],
    [{ retrieveAeTitle: 'more than sixteen characters' }, 'retrieveAeTitle: is no AE title'],
    [{ attributes: { study: ['PatientName', 'Rows'] } }, "attributes.study[0]: 'PatientName' is there already, of the level PATIENT", "attributes.study[1]: 'Rows' is there already, of the level IMAGE"],
  ] as const) {
    const expected = lines.map((line) => `plugins[query-retrieve].options${/^[A-Z]/.test(line) ? ': ' : '.'}${line}`)
    t.is(await told(options), `DICOMTAP_ERR_PLG_OPTIONS: ${expected.join('\n')}`)
  }
})
