import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { ApplicationEntity, definePlugin, encodeDataSet, encodePart10Header, SopClass, StudyRoot, TransferSyntax } from '@dicomtap/framework'
import type { Association, DataSet, LogRecord, PluginInput } from '@dicomtap/framework'
import { createTestServer, sampleDataset } from '@dicomtap/framework/testing'
import type { SampleOptions, TestServer } from '@dicomtap/framework/testing'
import { queryRetrieve } from '@dicomtap/plugin-query-retrieve'
import type { QueryRetrieveOptions } from '@dicomtap/plugin-query-retrieve'
import { storage } from '@dicomtap/plugin-storage'
import type { StorageOptions, StorageService } from '@dicomtap/plugin-storage'
import type { ExecutionContext } from 'ava'

const UID = TransferSyntax.ExplicitVRLittleEndian
const CT = SopClass.CTImageStorage

export async function temporaryFolder(t: ExecutionContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'dicomtap-index-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  return folder
}

/** An image and its data set; `seed` tells instances apart, `changes` are attributes. */
export function image(seed: number, options: SampleOptions = {}, changes: DataSet = {}): DataSet {
  return { ...sampleDataset('ct', { seed, rows: 4, columns: 4, studyInstanceUid: '2.25.1', seriesInstanceUid: '2.25.2', sopInstanceUid: `2.25.3.${seed}`, ...options }), ...changes }
}

function uidOf({ SOPInstanceUID: uid }: DataSet): string {
  return typeof uid === 'string' ? uid : '2.25.99'
}

/** Writes it as a file, as plugin-storage would. */
export async function writeImage(path: string, dataset: DataSet): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  const meta = { sopClassUid: CT, sopInstanceUid: uidOf(dataset), transferSyntaxUid: UID, implementationClassUid: '2.25.9' }
  await writeFile(path, [encodePart10Header(meta), await encodeDataSet(dataset, UID)])
}

export interface ArchiveOptions {
  readonly folder: string
  readonly index?: QueryRetrieveOptions
  readonly storage?: Partial<StorageOptions>
  readonly plugins?: readonly PluginInput[]
}

/** A server with both plugins: files below `folder/data`, the index in `folder/index.sqlite`. */
export interface Archive {
  readonly server: TestServer
  readonly data: string
  readonly database: string
  readonly service: StorageService
  lines(level: LogRecord['level']): readonly LogRecord[]
  close(): Promise<void>
}

export async function archive(t: ExecutionContext, { folder, index = {}, storage: stored = {}, plugins = [] }: ArchiveOptions): Promise<Archive> {
  const data = join(folder, 'data')
  const database = join(folder, 'index.sqlite')
  let service: StorageService | undefined
  const later = definePlugin({
    name: 'later',
    requires: ['storage'],
    apply(api) {
      service = api.inject('storage')
    },
  })
  const server = await createTestServer({
    aeTitle: 'ARCHIVE',
    plugins: [storage({ directory: data, path: '{StudyInstanceUID}/{SOPInstanceUID}.dcm', minimumFreeSpace: null, ...stored }), queryRetrieve({ database: { sqlite: database }, ...index }), later(), ...plugins],
  })
  let closing: Promise<void> | undefined
  const close = (): Promise<void> => (closing ??= server.ae.close({ deadlineMs: 2000 }))
  t.teardown(close)
  return { server, data, database, service: service!, close, lines: (level) => server.log.filter((line) => line.level === level) }
}

/** Resolves when the scan of the start has told its result. */
export async function scanned({ lines }: Archive): Promise<Readonly<Record<string, unknown>>> {
  for (;;) {
    const line = lines('info').find(({ message }) => message.startsWith('the storage folder was compared'))
    if (line !== undefined) return line.fields
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

export async function client(t: ExecutionContext, port: number): Promise<Association> {
  const ae = new ApplicationEntity({ aeTitle: 'MODALITY', logLevel: 'silent' })
  const association = await ae.associate({
    host: '127.0.0.1',
    port,
    calledAeTitle: 'ARCHIVE',
    contexts: [
      { abstractSyntax: CT, transferSyntaxes: [UID] },
      { abstractSyntax: StudyRoot.Find, transferSyntaxes: [UID] },
    ],
  })
  t.teardown(() => ae.close({ deadlineMs: 0 }))
  return association
}

/** The status of storing it. */
export async function store(association: Association, dataset: DataSet): Promise<number> {
  const encoded = await encodeDataSet(dataset, UID)
  const { status } = await association.cStore({ sopClassUid: CT, sopInstanceUid: uidOf(dataset), transferSyntaxUid: UID, bytes: () => encoded })
  return status
}

/** SOP Instance UIDs that a query at the lowest level finds, with an attribute of each. */
export async function found(association: Association, attribute = 'InstanceNumber', seriesInstanceUid = '2.25.2', studyInstanceUid = '2.25.1'): Promise<Readonly<Record<string, string>>> {
  const query = { QueryRetrieveLevel: 'IMAGE', StudyInstanceUID: studyInstanceUid, SeriesInstanceUID: seriesInstanceUid, SOPInstanceUID: null, [attribute]: null }
  const matches: Record<string, string> = {}
  for await (const { identifier, status } of association.cFind(query, { model: StudyRoot.Find })) {
    if (identifier !== undefined) matches[String(identifier['SOPInstanceUID'])] = String(identifier[attribute])
    else if (status !== 0) throw new Error(`status ${status.toString(16)}`)
  }
  return Object.fromEntries(Object.entries(matches).sort(([a], [b]) => (a < b ? -1 : 1)))
}
