import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import type { AAssociateRj } from '@dicomtap/framework'
import { SopClass, TransferSyntax, definePlugin } from '@dicomtap/framework'
import { createTestServer, testScu } from '@dicomtap/framework/testing'
import type { TestScuOptions, TestServer, TestServerOptions } from '@dicomtap/framework/testing'
import { access } from '@dicomtap/plugin-access'
import type { AccessPluginOptions } from '@dicomtap/plugin-access'

export async function temporaryFolder(t: ExecutionContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'dicomtap-access-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  return folder
}

export interface AccessServer extends TestServer {
  readonly folder: string
  readonly file: string
  /** Writes the peers file and has it read. */
  change(peers: string): Promise<void>
}

/** Classes and syntaxes of the services that the tests ask for. */
const CLASSES = [
  SopClass.Verification,
  SopClass.CTImageStorage,
  SopClass.MRImageStorage,
  SopClass.StudyRootQueryRetrieveInformationModelFind,
  SopClass.StudyRootQueryRetrieveInformationModelMove,
  SopClass.StudyRootQueryRetrieveInformationModelGet,
  SopClass.ModalityWorklistInformationModelFind,
  SopClass.ModalityPerformedProcedureStep,
  SopClass.StorageCommitmentPushModel,
]

/** Serves everything: what is refused in the tests, access refused. */
export const services = definePlugin({
  name: 'test-services',
  apply(api) {
    for (const uid of CLASSES) {
      const roles = { scu: true, scp: true }
      api.supportSopClass({ uid, transferSyntaxes: [TransferSyntax.ImplicitVRLittleEndian], roles })
    }
    api.hooks.cStore.tapPromise(async () => 0x0000)
    api.hooks.cFind.tap(() => [])
    api.hooks.cGet.tap(() => ({ instances: [] }))
    api.hooks.cMove.tap(() => ({ instances: [] }))
    for (const hook of ['nCreate', 'nSet', 'nGet', 'nAction', 'nDelete', 'nEventReport']) api.hooks[hook as 'nSet'].tap(() => 0x0000)
  },
})

/** A server behind a peers file. */
export async function accessServer(
  t: ExecutionContext,
  peers: string,
  options: AccessPluginOptions = {},
  { plugins = [], ...rest }: TestServerOptions = {},
): Promise<AccessServer> {
  const folder = await temporaryFolder(t)
  const file = join(folder, 'peers.yaml')
  await writeFile(file, peers)
  const server = await createTestServer({ ...rest, plugins: [...plugins, access({ peers: file, watchMs: null, ...options }), services()] })
  t.teardown(() => server[Symbol.asyncDispose]())
  return Object.assign(server, {
    folder,
    file,
    async change(text: string) {
      await writeFile(file, text)
      await server.ae.hooks.configReload.promise({ applicationEntity: server.ae, config: {} as never })
    },
  })
}

/** What became of an association request: accepted, or the numbers of the rejection. */
export async function outcome(server: TestServer, options: TestScuOptions = {}): Promise<string> {
  try {
    await using scu = await testScu(server.port, options)
    return scu.contexts.length === 0 ? 'accepted, no context' : 'accepted'
  } catch (error) {
    const { result, source, reason } = (error as Error).cause as AAssociateRj
    return `${result},${source},${reason}`
  }
}
