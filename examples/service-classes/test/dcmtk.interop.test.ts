import { execFile } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { mkdir, mkdtemp, readFile, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { SopClass, TransferSyntax, decodePart10Header } from '@dicomtap/framework'
import { createTestServer, writeSampleFile } from '@dicomtap/framework/testing'
import test from 'ava'
import type { ExecutionContext } from 'ava'
import { queryRetrieve } from '../dist/query-retrieve.js'
import { storage } from '../dist/storage.js'
import { worklist } from '../dist/worklist.js'

// DCMTK as the SCU of the examples. It must be installed: without it these are skipped.
const tools = ['storescu', 'findscu', 'getscu', 'movescu', 'dcmdump']
const hasDcmtk = tools.every((tool) =>
  (process.env['PATH'] ?? '').split(path.delimiter).some((folder) => {
    try {
      accessSync(path.join(folder, tool), constants.X_OK)
      return true
    } catch {
      return false
    }
  }),
)
const interop = hasDcmtk ? test : test.skip
if (!hasDcmtk) process.stderr.write(`SKIPPED: ${tools.join(', ')} of DCMTK are not installed, the examples were not tried against them\n`)

async function run(tool: string, ...options: readonly string[]): Promise<string> {
  const { stdout, stderr } = await promisify(execFile)(tool, options, { env: { ...process.env, TCP_NODELAY: '1' } })
  return stdout + stderr
}

async function folder(t: ExecutionContext): Promise<string> {
  const directory = await mkdtemp(path.join(tmpdir(), 'dicomtap-example-'))
  t.teardown(() => rm(directory, { recursive: true }))
  return directory
}

/** What findscu gets for a query: each match as dcmdump shows the values of some attributes. */
async function find(t: ExecutionContext, port: number, model: string, keys: readonly string[], shown: readonly string[]): Promise<string[][]> {
  const output = await folder(t)
  await run('findscu', model, '-X', '-od', output, ...keys.flatMap((key) => ['-k', key]), '127.0.0.1', String(port))
  const matches = (await readdir(output)).sort()
  return Promise.all(
    matches.map(async (match) => {
      const dump = await run('dcmdump', '-q', '+U8', ...shown.flatMap((keyword) => ['+P', keyword]), path.join(output, match))
      return [...dump.matchAll(/\[(.*?)\]/g)].map(([, value = '']) => value.trim())
    }),
  )
}

interop('findscu -W asks the worklist', async (t) => {
  const items = ['CT', 'MR'].map((Modality, index) => ({
    PatientName: `Doe^${Modality}`,
    PatientID: `P${index}`,
    ScheduledProcedureStepSequence: [{ Modality, ScheduledProcedureStepStartDate: `2026070${index + 5}`, ScheduledProcedureStepStartTime: '0900' }],
  }))
  await using server = await createTestServer({ plugins: [worklist({ items })] })
  const ask = (...keys: string[]) => find(t, server.port, '-W', ['PatientName', 'PatientID', ...keys], ['PatientName', 'PatientID'])
  const step = 'ScheduledProcedureStepSequence[0]'
  t.deepEqual(await ask(`${step}.Modality=MR`), [['Doe^MR', 'P1']])
  t.deepEqual(await ask(`${step}.ScheduledProcedureStepStartDate=20260701-20260705`), [['Doe^CT', 'P0']])
  t.deepEqual(await ask(`${step}.ScheduledProcedureStepStartDate=20260701-20260706`, `${step}.ScheduledProcedureStepStartTime=1000-0900`), [
    ['Doe^CT', 'P0'],
    ['Doe^MR', 'P1'],
  ])
  t.deepEqual(await ask('PatientName=nobody*'), [])
})

interop('storescu fills the archive; findscu, getscu and movescu ask it', async (t) => {
  const directory = await folder(t)
  const uids = ['2.25.111', '2.25.112']
  const files = await Promise.all(
    uids.map(async (sopInstanceUid, seed) => {
      const file = path.join(directory, `${sopInstanceUid}.dcm`)
      const sample = { seed, studyInstanceUid: '2.25.1', seriesInstanceUid: '2.25.11', sopInstanceUid, patientName: 'Doe^John' }
      return { file, ...(await writeSampleFile(file, 'ct', TransferSyntax.ExplicitVRLittleEndian, sample)) }
    }),
  )
  const moved = new Map<string, Buffer>()
  await using viewer = await createTestServer({
    contexts: [{ abstractSyntax: SopClass.CTImageStorage, transferSyntaxes: [TransferSyntax.ExplicitVRLittleEndian] }],
    handlers: {
      cStore: async ({ affectedSopInstanceUid, dataSet }) => {
        moved.set(affectedSopInstanceUid, await dataSet.buffer())
        return 0x0000
      },
    },
  })
  const destinations = { VIEWER: { host: '127.0.0.1', port: viewer.port } }
  await using server = await createTestServer({ aeTitle: 'ARCHIVE', plugins: [queryRetrieve({ destinations })] })
  const peer = ['127.0.0.1', String(server.port)]
  await run('storescu', ...peer, ...files.map(({ file }) => file))

  const study = ['QueryRetrieveLevel=STUDY', 'StudyInstanceUID', 'PatientName=doe*', 'NumberOfStudyRelatedInstances']
  t.deepEqual(await find(t, server.port, '-S', study, ['RetrieveAETitle', 'StudyInstanceUID', 'NumberOfStudyRelatedInstances']), [['ARCHIVE', '2.25.1', '2']])
  const images = ['QueryRetrieveLevel=IMAGE', 'StudyInstanceUID=2.25.1', 'SeriesInstanceUID=2.25.11', 'SOPInstanceUID']
  t.deepEqual(await find(t, server.port, '-S', images, ['SOPInstanceUID']), uids.map((uid) => [uid]))

  const got = path.join(directory, 'got')
  await mkdir(got)
  await run('getscu', '-S', '+B', '-od', got, '-k', 'QueryRetrieveLevel=STUDY', '-k', 'StudyInstanceUID=2.25.1', ...peer)
  const names = await readdir(got)
  t.is(names.length, 2)
  for (const { sopInstanceUid, dataSet } of files) {
    const file = await readFile(path.join(got, names.find((name) => name.includes(sopInstanceUid)) ?? ''))
    t.deepEqual(file.subarray(decodePart10Header(file).dataSetOffset), dataSet)
  }

  await run('movescu', '-S', '-aem', 'VIEWER', '-k', 'QueryRetrieveLevel=SERIES', '-k', 'StudyInstanceUID=2.25.1', '-k', 'SeriesInstanceUID=2.25.11', ...peer)
  t.deepEqual([...moved.keys()].sort(), uids)
  for (const { sopInstanceUid, dataSet } of files) t.deepEqual(moved.get(sopInstanceUid), dataSet)
  const refused = await run('movescu', '-v', '-S', '-aem', 'NOBODY', '-k', 'QueryRetrieveLevel=STUDY', '-k', 'StudyInstanceUID=2.25.1', ...peer).catch(
    (error: unknown) => (error as { readonly stderr: string }).stderr,
  )
  t.regex(refused, /MoveDestinationUnknown/i)
})

interop('what storescu sends is sorted by modality, as it was', async (t) => {
  const directory = await folder(t)
  const source = path.join(directory, 'mr.dcm')
  const { sopInstanceUid, dataSet } = await writeSampleFile(source, 'mr', TransferSyntax.ExplicitVRLittleEndian)
  await using server = await createTestServer({ plugins: [storage({ directory, folders: { MR: 'mr' } })] })
  await run('storescu', '127.0.0.1', String(server.port), source)
  const file = await readFile(path.join(directory, 'mr', `${sopInstanceUid}.dcm`))
  t.deepEqual(file.subarray(decodePart10Header(file).dataSetOffset), dataSet)
})
