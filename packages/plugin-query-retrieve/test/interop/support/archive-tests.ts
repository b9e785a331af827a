import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import type { ExecutionContext } from 'ava'
import type { Dumped } from '../../corpus/dump.js'
import { dumpFolder } from '../../corpus/dump.js'
import { expectedAnswers, expectedInstances } from '../../corpus/oracle.js'
import { queries, STUDY_OF } from '../../corpus/questions.js'
import type { Query } from '../../corpus/questions.js'
import type { CorpusFile } from '../../corpus/write-corpus.js'
import { writeCorpus } from '../../corpus/write-corpus.js'
import { freePort, makeSite, serve, startArchive, store } from './archive.js'
import type { DatabaseConfig, RunningArchive } from './archive.js'
import { askAll, difference } from './ask.js'
import type { StoredFile } from './files.js'
import { filesIn, sameInstances } from './files.js'
import { interop } from './interop.js'
import type { Program } from './interop.js'
import { run } from './programs.js'
import { folderOf, getscu, movescu, retrieveQuestion } from './retrieve.js'
import type { Retrieval } from './retrieve.js'

const SEED = 1
const STUDY = (patient: number, study: number): string => STUDY_OF(SEED, patient, study)
/** Places in the list of patients. */
const [JAPANESE, GERMAN, SEQUENCES, SYNTAXES, LARGE] = [0, 7, 28, 29, 72]

/** The archive under test, with the corpus in it. */
export interface Site {
  readonly folder: string
  readonly files: readonly CorpusFile[]
  readonly instances: readonly Dumped[]
  readonly originals: ReadonlyMap<string, StoredFile>
  readonly storescpPort: number
  readonly movePort: number
  readonly receivedFolder: string
  archive: RunningArchive
}

export interface TestedDatabase {
  readonly config: DatabaseConfig
  close(): Promise<void>
}

/** The tests that a small archive has to pass, whatever database has its index. They are of one file, one after the other. */
export function archiveTests(name: string, needs: readonly Program[], openDatabase: () => Promise<TestedDatabase>): { site(): Promise<Site> } {
  const disposers: (() => Promise<unknown>)[] = []
  let opened: Promise<Site> | undefined
  const site = (): Promise<Site> => (opened ??= open())
  test.after.always(async () => {
    for (const dispose of disposers.toReversed()) await dispose()
  })

  async function open(): Promise<Site> {
    const folder = await mkdtemp(join(tmpdir(), 'dicomtap-archive-'))
    disposers.push(() => rm(folder, { recursive: true, force: true }))
    const files = await writeCorpus(join(folder, 'corpus'), { seed: SEED })
    const dumps = await dumpFolder(join(folder, 'corpus'))
    const [storescpPort, movePort] = [await freePort(), await freePort()]
    const receivedFolder = await mkdtemp(join(folder, 'received-'))
    const storescp = await serve('storescp', ['+xa', '+B', '-od', receivedFolder, String(storescpPort)], storescpPort)
    disposers.push(storescp.stop)
    const database = await openDatabase()
    disposers.push(database.close)
    await makeSite(join(folder, 'site'), { database: database.config, destinations: { STORESCP: storescpPort, MOVESCU: movePort } })
    const result: Site = {
      folder,
      files,
      instances: files.map(({ path }) => dumps.get(path) as Dumped),
      originals: await filesIn(join(folder, 'corpus')),
      storescpPort,
      movePort,
      receivedFolder,
      archive: await startArchive(join(folder, 'site')),
    }
    disposers.push(() => result.archive.stop('SIGKILL'))
    return result
  }

  interop(needs, `${name}: what storescu sends is stored as it was sent`, async (t) => {
    const { folder, files, originals, archive } = await site()
    t.is(await store(files, archive.port), '')
    await sameInstances(t, join(folder, 'site/data'), originals, [...originals.keys()])
  })

  interop(needs, `${name}: findscu gets what the files say`, async (t) => {
    await answersAreRight(t, await site(), queries(SEED), 'find')
  })

  interop(needs, `${name}: findscu --cancel ends a query, a large one does not hold up others`, async (t) => {
    const { archive, folder } = await site()
    const uid = STUDY(LARGE, 0)
    const keys = ['-k', 'QueryRetrieveLevel=IMAGE', '-k', `StudyInstanceUID=${uid}`, '-k', `SeriesInstanceUID=${uid}.4`, '-k', 'SOPInstanceUID=', '-k', 'InstanceNumber=']
    const { output } = await run('findscu', ['-v', '-S', '-aec', 'ARCHIVE', '--cancel', '3', ...keys, '127.0.0.1', String(archive.port)])
    t.regex(output, /Received Final Find Response \(Cancel/)
    t.true([...output.matchAll(/Received Find Response/g)].length < 1497, 'not all were sent')
    await answersAreRight(t, await site(), queries(SEED).slice(0, 5), join(folder, 'after-cancel'))
  })

  interop(needs, `${name}: getscu at every level`, async (t) => {
    const { archive, folder, instances, originals } = await site()
    for (const retrieval of RETRIEVALS) {
      const got = await getscu(retrieval, archive.port, folderOf(join(folder, 'got'), retrieval))
      const uids = expectedInstances(retrieveQuestion(retrieval), instances)
      t.is(got.status, '0x0000', got.folder)
      await sameInstances(t, got.folder, originals, uids, { why: got.folder })
    }
    const nothing = await getscu({ root: 'S', level: 'STUDY', keys: { StudyInstanceUID: '2.25.1' } }, archive.port, join(folder, 'got-nothing'))
    t.is(nothing.status, '0x0000')
    t.deepEqual(await readdir(nothing.folder), [])
  })

  interop(needs, `${name}: getscu takes compressed images where it accepts them, and else is told what failed`, async (t) => {
    const { archive, folder, originals } = await site()
    const of = (series: number): Retrieval => ({ root: 'S', level: 'SERIES', keys: { StudyInstanceUID: STUDY(SYNTAXES, 1), SeriesInstanceUID: `${STUDY(SYNTAXES, 1)}.${series}` } })
    for (const [series, option] of [[1, '+xy'], [2, '+xs'], [3, '+xv'], [4, '+xr']] as const) {
      const uids = [...originals.keys()].filter((uid) => uid.startsWith(`${STUDY(SYNTAXES, 1)}.${series}.`))
      const got = await getscu(of(series), archive.port, join(folder, `compressed${series}`), [option])
      t.is(got.status, '0x0000', option)
      await sameInstances(t, got.folder, originals, uids, { why: option })
      const refused = await getscu(of(series), archive.port, join(folder, `uncompressed${series}`), ['+xe'])
      t.regex(refused.status, /^0xa702$|^0xb000$/i)
      t.is(refused.failed, uids.length)
      t.deepEqual(await readdir(refused.folder), [])
    }
    // What is uncompressed and little endian is converted; big endian, which is retired, goes out as it is or not at all.
    const study = STUDY(SYNTAXES, 0)
    const uncompressed: Retrieval = { root: 'S', level: 'STUDY', keys: { StudyInstanceUID: study } }
    const uids = [...originals.keys()].filter((uid) => uid.startsWith(`${study}.`))
    const isBigEndian = (uid: string): boolean => uid.startsWith(`${study}.3.`)
    for (const option of ['+xi', '+xe', '+xb']) {
      const got = await getscu(uncompressed, archive.port, join(folder, `converted${option}`), [option])
      const wanted = uids.filter((uid) => isBigEndian(uid) === (option === '+xb'))
      t.is(got.status.toLowerCase(), '0xb000', option)
      t.is(got.completed, wanted.length, option)
      await sameInstances(t, got.folder, originals, wanted, { isConverted: true, why: option })
    }
  })

  interop(needs, `${name}: movescu to storescp, at every level and in every transfer syntax`, async (t) => {
    const { archive, folder, instances, originals, receivedFolder } = await site()
    const syntaxes = [0, 1].map((study): Retrieval => ({ root: 'S', level: 'STUDY', keys: { StudyInstanceUID: STUDY(SYNTAXES, study) } }))
    for (const retrieval of [...RETRIEVALS, ...syntaxes]) {
      for (const file of await readdir(receivedFolder)) await rm(join(receivedFolder, file))
      const moved = await movescu(retrieval, archive.port, 'STORESCP', join(folder, 'moved'))
      const uids = expectedInstances(retrieveQuestion(retrieval), instances)
      const why = JSON.stringify(retrieval)
      t.is(moved.status, '0x0000', `${why}\n${archive.log().slice(-2000)}`)
      t.is(moved.completed, uids.length, why)
      await sameInstances(t, receivedFolder, originals, uids, { why })
    }
    const unknown = await movescu(RETRIEVALS[0] as Retrieval, archive.port, 'NOBODY', join(folder, 'moved'))
    t.is(unknown.status.toLowerCase(), '0xa801')
  })

  interop(needs, `${name}: movescu to itself, which takes what it accepts`, async (t) => {
    const { archive, folder, originals, movePort } = await site()
    const retrieval: Retrieval = { root: 'P', level: 'PATIENT', keys: { PatientID: 'JP-1' } }
    const moved = await movescu(retrieval, archive.port, 'MOVESCU', join(folder, 'moved-here'), ['+P', String(movePort), '+B'])
    t.is(moved.status, '0x0000')
    await sameInstances(t, moved.folder, originals, [...originals.keys()].filter((uid) => uid.startsWith(`2.25.59${SEED}.${JAPANESE}.`)))
  })

  interop(needs, `${name}: after a restart, and after a kill, the same answers`, async (t) => {
    const current = await site()
    t.is(await current.archive.stop('SIGTERM'), 0)
    current.archive = await startArchive(join(current.folder, 'site'))
    await answersAreRight(t, current, queries(SEED).filter((_, index) => index % 3 === 0), 'restarted')
    await current.archive.stop('SIGKILL')
    current.archive = await startArchive(join(current.folder, 'site'))
    await answersAreRight(t, current, queries(SEED).filter((_, index) => index % 5 === 1), 'killed')
    const got = await getscu(RETRIEVALS[0] as Retrieval, current.archive.port, join(current.folder, 'got-after'))
    t.is(got.status, '0x0000')
  })

  return { site }
}

export async function answersAreRight(
  t: ExecutionContext,
  { archive, folder, instances }: Pick<Site, 'folder' | 'instances'> & { readonly archive: Pick<RunningArchive, 'port'> },
  asked: readonly Query[],
  as: string,
): Promise<void> {
  const differences: string[] = []
  for (const { query, question, response } of await askAll(asked, archive.port, 'ARCHIVE', join(folder, as))) {
    const found = difference(expectedAnswers(question, instances), response.answers)
    if (found !== undefined || response.final !== 'Success') differences.push(`${query.title}: ${response.final}, ${found}`)
    const warned = response.pending.filter((status) => status !== 'Pending')
    if (warned.length > 0) differences.push(`${query.title}: ${warned[0]}`)
    for (const identifier of response.identifiers) {
      if (identifier.get('00080052')?.text.trim() !== query.level) differences.push(`${query.title}: a match without its level`)
      if (identifier.get('00080054')?.text.trim() !== 'ARCHIVE') differences.push(`${query.title}: a match without Retrieve AE Title`)
    }
  }
  t.deepEqual(differences, [])
}

/** All levels of all models, one value and lists of UIDs. All of them are stored in Explicit VR Little Endian. */
const RETRIEVALS: readonly Retrieval[] = [
  { root: 'P', level: 'PATIENT', keys: { PatientID: 'JP-1' } },
  { root: 'O', level: 'PATIENT', keys: { PatientID: 'DE-1' } },
  { root: 'P', level: 'STUDY', keys: { PatientID: 'JP-1', StudyInstanceUID: STUDY(JAPANESE, 1) } },
  { root: 'P', level: 'STUDY', keys: { PatientID: 'JP-1', StudyInstanceUID: `${STUDY(JAPANESE, 0)}\\${STUDY(JAPANESE, 1)}` } },
  { root: 'O', level: 'STUDY', keys: { PatientID: 'DE-1', StudyInstanceUID: STUDY(GERMAN, 0) } },
  { root: 'S', level: 'STUDY', keys: { StudyInstanceUID: STUDY(SEQUENCES, 0) } },
  { root: 'S', level: 'STUDY', keys: { StudyInstanceUID: [STUDY(SEQUENCES, 0), STUDY(JAPANESE, 0), '2.25.1'].join('\\') } },
  { root: 'S', level: 'SERIES', keys: { StudyInstanceUID: STUDY(SEQUENCES, 0), SeriesInstanceUID: `${STUDY(SEQUENCES, 0)}.1` } },
  { root: 'P', level: 'SERIES', keys: { PatientID: 'SEQ', StudyInstanceUID: STUDY(SEQUENCES, 0), SeriesInstanceUID: [3, 4].map((series) => `${STUDY(SEQUENCES, 0)}.${series}`).join('\\') } },
  { root: 'S', level: 'IMAGE', keys: { StudyInstanceUID: STUDY(SEQUENCES, 0), SeriesInstanceUID: `${STUDY(SEQUENCES, 0)}.1`, SOPInstanceUID: `${STUDY(SEQUENCES, 0)}.1.2` } },
  {
    root: 'P',
    level: 'IMAGE',
    keys: { PatientID: 'SEQ', StudyInstanceUID: STUDY(SEQUENCES, 0), SeriesInstanceUID: `${STUDY(SEQUENCES, 0)}.3`, SOPInstanceUID: [1, 2, 9].map((one) => `${STUDY(SEQUENCES, 0)}.3.${one}`).join('\\') },
  },
  { root: 'S', level: 'STUDY', keys: { StudyInstanceUID: STUDY(LARGE, 0) } },
]
