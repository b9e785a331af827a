import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { definePlugin, encodeDataSet, encodePart10Header } from '@dicomtap/framework'
import type { CMoveRequest, DataSet, MoveDestination, RequestedContext, RetrieveResponse, SupportedContext } from '@dicomtap/framework'
import { createTestServer, encodedSample, sampleDataset } from '@dicomtap/framework/testing'
import type { SampleFile, SampleKind, SampleOptions, TestServer, TestServerOptions } from '@dicomtap/framework/testing'
import { openIndex } from '../../../dist/database/open-index.js'
import type { InstanceIndex } from '../../../dist/database/instance-index.js'
import { InstanceReader } from '../../../dist/maintenance/read-instance.js'
import { buildCatalogue } from '../../../dist/model/catalogue.js'
import { registerExtendedNegotiation } from '../../../dist/negotiation.js'
import { queryRetrieveOptions } from '../../../dist/options.js'
import type { QueryRetrieveOptions } from '../../../dist/options.js'
import { StudiesInUse } from '../../../dist/retention/studies-in-use.js'
import { registerRetrieve } from '../../../dist/retrieve/register-retrieve.js'

/** A folder of files, an index of them, and the handlers under test. */
export interface Archive extends AsyncDisposable {
  readonly server: TestServer
  readonly index: InstanceIndex
  readonly directory: string
  readonly studiesInUse: StudiesInUse
  /** Writes a file, and a row of it. */
  put(path: string, kind: SampleKind, transferSyntaxUid: string, options?: SampleOptions, changes?: DataSet): Promise<SampleFile>
}

/** A sample as a file. With `changes` to its attributes its pixels are not compressed. */
export async function writeFileOf(path: string, kind: SampleKind, transferSyntaxUid: string, options: SampleOptions = {}, changes?: DataSet): Promise<SampleFile> {
  const dataset = { ...sampleDataset(kind, options), ...changes }
  const dataSet = changes === undefined ? await encodedSample(kind, transferSyntaxUid, options) : await encodeDataSet(dataset, transferSyntaxUid)
  const file = { sopClassUid: String(dataset['SOPClassUID']), sopInstanceUid: String(dataset['SOPInstanceUID']), transferSyntaxUid, dataSet }
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, [encodePart10Header({ ...file, implementationClassUid: '2.25.2', implementationVersionName: 'SAMPLE' }), dataSet])
  return file
}

export interface ArchiveOptions {
  readonly options?: QueryRetrieveOptions
  /** Storage SOP classes and their transfer syntaxes, as plugin-storage declares them. */
  readonly stores: readonly SupportedContext[]
  readonly destination?: (request: CMoveRequest) => MoveDestination | undefined
  readonly handlers?: TestServerOptions['handlers']
  /** In front of the index. */
  readonly wrap?: (index: InstanceIndex) => InstanceIndex
}

export async function makeArchive({ options = {}, stores, destination, handlers = {}, wrap = (index) => index }: ArchiveOptions): Promise<Archive> {
  const folder = await mkdtemp(join(tmpdir(), 'dicomtap-retrieve-'))
  const directory = join(folder, 'data')
  await mkdir(directory)
  const resolved = queryRetrieveOptions.parse(options)
  const attributes = await buildCatalogue(resolved.attributes)
  const studiesInUse = new StudiesInUse()
  let index: InstanceIndex | undefined
  const plugin = definePlugin({
    name: 'query-retrieve-under-test',
    async apply(api) {
      index = openIndex({ database: { sqlite: join(folder, 'index.sqlite') }, resolvePath: (path) => path, log: api.log })
      await index.start()
      const context = { api, options: resolved, attributes, index: wrap(index), directory, studiesInUse, storage: undefined as never }
      registerExtendedNegotiation(context)
      registerRetrieve(context)
      api.onDispose(() => index?.close())
    },
  })
  const server = await createTestServer({
    aeTitle: 'ARCHIVE',
    contexts: stores,
    plugins: [plugin()],
    handlers: { ...(destination === undefined ? {} : { moveDestination: (_, operation) => destination(operation.request as CMoveRequest) }), ...handlers },
  })
  const opened = index as unknown as InstanceIndex
  const reader = new InstanceReader(directory, attributes)
  return {
    server,
    index: opened,
    studiesInUse,
    directory,
    async put(path, kind, transferSyntaxUid, sample, changes) {
      const file = await writeFileOf(join(directory, path), kind, transferSyntaxUid, sample, changes)
      const read = await reader.read(path)
      if (!('instance' in read)) throw new Error(read.reason)
      await opened.add(read.instance)
      return file
    },
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** An instance as a client got it. */
export interface Got {
  readonly sopClassUid: string
  readonly sopInstanceUid: string
  readonly transferSyntaxUid: string
  readonly bytes: Buffer
  readonly originator: string | undefined
  readonly originatorMessageId: number | undefined
}

export interface Retrieval {
  readonly final: RetrieveResponse
  readonly pending: readonly RetrieveResponse[]
  readonly got: readonly Got[]
}

export interface ClientOptions {
  readonly accepts: readonly (readonly [sopClassUid: string, ...transferSyntaxUids: string[]])[]
  readonly store?: (got: Got, count: number) => number | Promise<number>
}

/** Who asks, and stores what it gets: with C-GET, or as the destination of a C-MOVE. */
export interface Client extends AsyncDisposable {
  readonly port: number
  readonly server: TestServer
  readonly got: Got[]
  get(model: string, identifier: Readonly<Record<string, unknown>>, signal?: AbortSignal): Promise<Retrieval>
  move(model: string, identifier: Readonly<Record<string, unknown>>, destination?: string, signal?: AbortSignal): Promise<Retrieval>
}

export async function makeClient(archive: { readonly server: TestServer }, { accepts, store = () => 0 }: ClientOptions): Promise<Client> {
  const got: Got[] = []
  const server = await createTestServer({
    aeTitle: 'CLIENT',
    contexts: accepts.map(([abstractSyntax, ...transferSyntaxes]) => ({ abstractSyntax, transferSyntaxes })),
    handlers: {
      cStore: async (request, { context }) => {
        const one: Got = {
          sopClassUid: request.affectedSopClassUid,
          sopInstanceUid: request.affectedSopInstanceUid,
          transferSyntaxUid: context.transferSyntax,
          bytes: await request.dataSet.buffer(),
          originator: request.moveOriginatorApplicationEntityTitle,
          originatorMessageId: request.moveOriginatorMessageId,
        }
        got.push(one)
        return store(one, got.length)
      },
    },
  })
  const retrieve = async (service: 'get' | 'move', model: string, identifier: Readonly<Record<string, unknown>>, destination: string, signal?: AbortSignal): Promise<Retrieval> => {
    const before = got.length
    const own = accepts.map(([abstractSyntax, ...transferSyntaxes]): RequestedContext[] =>
      transferSyntaxes.map((one) => ({ abstractSyntax, transferSyntaxes: [one], roles: { scu: false, scp: true } })),
    )
    await using association = await server.ae.associate({
      host: '127.0.0.1',
      port: archive.server.port,
      calledAeTitle: 'ARCHIVE',
      contexts: [{ abstractSyntax: model }, ...(service === 'get' ? own.flat() : [])],
    })
    const options = { model, ...(signal === undefined ? {} : { signal }) }
    const all: RetrieveResponse[] = []
    const responses = service === 'get' ? association.cGet(identifier, options) : association.cMove(identifier, { ...options, destination })
    for await (const response of responses) all.push(response)
    const final = all.pop()
    if (final === undefined) throw new Error('no response')
    return { final, pending: all, got: got.slice(before) }
  }
  return {
    port: server.port,
    server,
    got,
    get: (model, identifier, signal) => retrieve('get', model, identifier, '', signal),
    move: (model, identifier, destination = 'CLIENT', signal) => retrieve('move', model, identifier, destination, signal),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  }
}

/** Completed, failed, warning. */
export function counts({ final }: Retrieval): (number | undefined)[] {
  return [final.numberOfCompletedSuboperations, final.numberOfFailedSuboperations, final.numberOfWarningSuboperations]
}
