import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { PatientRoot, PatientStudyOnly, SopClass, StudyRoot, TransferSyntax, encodeDataSet, queryNegotiation } from '@dicomtap/framework'
import type { DataSet, FindNegotiation, Plugin } from '@dicomtap/framework'
import { createTestServer, testScu } from '@dicomtap/framework/testing'
import type { TestScu, TestServer } from '@dicomtap/framework/testing'
import { storage } from '@dicomtap/plugin-storage'
import type { ExecutionContext } from 'ava'
import { queryRetrieve } from '../../../dist/index.js'
import type { QueryRetrieveOptions } from '../../../dist/index.js'

export interface Archive {
  readonly server: TestServer
  /** An SCU for the three models, with what it negotiates for each. */
  associate(negotiated?: Partial<FindNegotiation>): Promise<TestScu>
  store(datasets: readonly DataSet[]): Promise<void>
}

const { ImplicitVRLittleEndian: IMPLICIT, ExplicitVRLittleEndian: EXPLICIT, DeflatedExplicitVRLittleEndian: DEFLATED } = TransferSyntax
const FIND_CLASSES = [StudyRoot.Find, PatientRoot.Find, PatientStudyOnly.Find]

/** A server with storage and an index in a folder of its own; `later` are plugins behind these. */
export async function startArchive(t: Pick<ExecutionContext, 'teardown'>, options: QueryRetrieveOptions = {}, later: readonly Plugin[] = []): Promise<Archive> {
  const folder = await mkdtemp(path.join(tmpdir(), 'dicomtap-find-'))
  const server = await createTestServer({
    plugins: [storage({ directory: path.join(folder, 'data') }), queryRetrieve({ database: { sqlite: path.join(folder, 'index.sqlite') }, timezone: '+0000', ...options }), ...later],
  })
  t.teardown(async () => {
    await server[Symbol.asyncDispose]()
    await rm(folder, { recursive: true, force: true })
  })
  return {
    server,
    associate: (negotiated) =>
      testScu(server, {
        contexts: [...FIND_CLASSES.map((uid) => [uid, EXPLICIT] as const), [StudyRoot.Find, IMPLICIT], [StudyRoot.Find, DEFLATED]],
        userInformation: negotiated === undefined ? [] : FIND_CLASSES.map((uid) => queryNegotiation(uid, negotiated)),
      }),
    async store(datasets) {
      await using scu = await testScu(server, { contexts: [[SopClass.CTImageStorage, EXPLICIT], [SopClass.MRImageStorage, EXPLICIT]] })
      for (const dataset of datasets) {
        const sopClassUid = String(dataset['SOPClassUID'])
        const { status } = await scu.store({
          sopClassUid,
          sopInstanceUid: String(dataset['SOPInstanceUID']),
          transferSyntaxUid: EXPLICIT,
          dataSet: await encodeDataSet(dataset, EXPLICIT),
        })
        if (status !== 0) throw new Error(`C-STORE: ${status.toString(16)}`)
      }
    },
  }
}

export interface Found {
  readonly status: number
  readonly pending: readonly number[]
  readonly matches: readonly DataSet[]
  readonly comment: string | undefined
  readonly offendingElements: readonly number[] | undefined
}

/** One C-FIND, to its end. */
export async function find(scu: TestScu, identifier: DataSet | Uint8Array, model: string = StudyRoot.Find, transferSyntaxUid: string = EXPLICIT): Promise<Found> {
  const responses = await (await scu.find(identifier, model, { transferSyntaxUid })).all()
  const last = responses.at(-1)
  const matches = responses.slice(0, -1)
  return {
    status: last?.status ?? -1,
    pending: matches.map(({ status }) => status),
    matches: (await Promise.all(matches.map((match) => match.dataset()))).filter((dataset) => dataset !== undefined),
    comment: last?.command.errorComment,
    offendingElements: last?.command.offendingElements,
  }
}
