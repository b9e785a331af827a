// The same archive with its index in PostgreSQL, and two servers on one database and one folder.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { dumpFolder } from '../corpus/dump.js'
import type { Dumped } from '../corpus/dump.js'
import { elementsOf } from '../corpus/questions.js'
import type { Query } from '../corpus/questions.js'
import { writeCorpus } from '../corpus/write-corpus.js'
import { startPostgres } from '../support/postgres.js'
import { makeSite, startArchive, store } from './support/archive.js'
import { archiveTests, answersAreRight } from './support/archive-tests.js'
import { askAll } from './support/ask.js'
import { filesIn, sameInstances } from './support/files.js'
import { interop } from './support/interop.js'
import { each } from './support/programs.js'

archiveTests('PostgreSQL', ['dcmtk', 'postgres'], async () => {
  const postgres = await startPostgres()
  const { url } = await postgres.createDatabase()
  return { config: { postgres: { url } }, close: () => postgres.close() }
})

interop(['dcmtk', 'postgres'], 'two servers on one database and one folder: under load nothing is lost and nothing doubled', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'dicomtap-two-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const postgres = await startPostgres()
  t.teardown(() => postgres.close())
  const { url } = await postgres.createDatabase()
  const site = join(folder, 'site')
  await makeSite(site, { database: { postgres: { url } }, destinations: {} })
  const servers = [await startArchive(site), await startArchive(site)]
  for (const server of servers) t.teardown(() => server.stop('SIGKILL'))

  const files = await writeCorpus(join(folder, 'corpus'), { ordinaryPatients: 60, largestStudy: 200 })
  const dumps = await dumpFolder(join(folder, 'corpus'))
  const instances = files.map(({ path }) => dumps.get(path) as Dumped)
  // Four senders: each file goes to one server, and every fifth to the other one as well, at the same time.
  let isStoring = true
  const senders = [0, 1, 2, 3].map((sender) => {
    const own = files.filter((_, index) => index % 4 === sender || (index % 5 === 0 && (index + 1) % 4 === sender))
    return store(own, servers[sender % 2]?.port ?? 0)
  })
  const stored = Promise.all(senders).finally(() => (isStoring = false))
  const seen: number[] = []
  const asking = (async () => {
    for (let round = 0; isStoring; round++) {
      const [asked] = await askAll([EVERYTHING], servers[round % 2]?.port ?? 0, 'ARCHIVE', join(folder, `round${round}`))
      t.is(asked?.response.final, 'Success')
      seen.push(asked?.response.identifiers.length ?? 0)
    }
  })()
  t.deepEqual(await stored, ['', '', '', ''])
  await asking
  t.true(seen.length > 1, 'queries were answered meanwhile')
  t.deepEqual(seen, seen.toSorted((a, b) => a - b), 'what was found once is found again')

  const originals = await filesIn(join(folder, 'corpus'))
  await sameInstances(t, join(site, 'data'), originals, [...originals.keys()])
  await each(servers, 2, async ({ port }, index) => {
    await answersAreRight(t, { archive: { port }, folder, instances }, [EVERYTHING, STUDIES, PATIENTS], `after${index}`)
  })
})

const query = (level: Query['level'], keys: Parameters<typeof elementsOf>[0]): Query => ({ title: level, root: level === 'PATIENT' ? 'P' : 'S', level, elements: elementsOf({ QueryRetrieveLevel: level, ...keys }) })
const EVERYTHING = query('STUDY', { StudyInstanceUID: '' })
const STUDIES = query('STUDY', { StudyInstanceUID: '', PatientID: '', NumberOfStudyRelatedSeries: '', NumberOfStudyRelatedInstances: '', ModalitiesInStudy: '' })
const PATIENTS = query('PATIENT', { PatientID: '', IssuerOfPatientID: '', NumberOfPatientRelatedStudies: '', NumberOfPatientRelatedSeries: '', NumberOfPatientRelatedInstances: '' })
