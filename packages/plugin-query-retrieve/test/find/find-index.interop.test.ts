import { SopClass } from '@dicomtap/framework'
import type { Logger } from '@dicomtap/framework'
import test from 'ava'
import type { ExecutionContext } from 'ava'
import type { InstanceIndex } from '../../dist/database/instance-index.js'
import { openIndex } from '../../dist/database/open-index.js'
import { hasPostgres, startPostgres } from '../support/postgres.js'
import type { TestPostgres } from '../support/postgres.js'
import { compareWithBruteForce, fill } from './support/brute-force.js'
import { SELECTIVE, explain, fillSynthetic, run } from './support/plans.js'
import { find, startArchive } from './support/archive.js'
import { surviveHostileIdentifiers } from './support/hostile.js'
import { silentLog } from './support/silent-log.js'

const seed = Number(process.env['DICOMTAP_FUZZ_SEED'] ?? 20261121)
const runs = Number(process.env['DICOMTAP_FUZZ_RUNS'] ?? 300)
const withPostgres = hasPostgres ? test : test.skip

let postgres: TestPostgres | undefined
test.before(async () => {
  if (hasPostgres) postgres = await startPostgres()
})
test.after.always(() => postgres?.close())

async function postgresIndex(t: ExecutionContext): Promise<InstanceIndex> {
  const database = await (postgres as TestPostgres).createDatabase()
  const index = openIndex({ database: { postgres: { url: database.url } }, resolvePath: (file) => file, log: silentLog as Logger })
  t.teardown(async () => {
    await index.close()
    await database.drop()
  })
  await index.start()
  return index
}

withPostgres('PostgreSQL: random queries find what looking at every instance finds', async (t) => {
  const index = await postgresIndex(t)
  await compareWithBruteForce(t, index, await fill(index, seed, 80), seed, runs)
})

withPostgres('PostgreSQL: queries by what few have are found by an index', async (t) => {
  const index = await postgresIndex(t)
  await fillSynthetic(index, 6000)
  await run(index, 'analyze')
  for (const [name, query] of SELECTIVE) {
    const plan = await explain(index, query)
    t.true(plan.includes(name), `${name} in\n${plan}`)
    t.notRegex(plan, /Seq Scan/, plan)
  }
})

withPostgres('PostgreSQL: hostile identifiers get a status, and the association goes on', async (t) => {
  const database = await (postgres as TestPostgres).createDatabase()
  t.teardown(() => database.drop())
  const archive = await startArchive(t, { database: { postgres: { url: database.url } }, attributes: { study: [{ attribute: 'StudyDescription', indexed: true }] } })
  await archive.store([{ SOPClassUID: SopClass.CTImageStorage, SOPInstanceUID: '1.1', SeriesInstanceUID: '1.2', StudyInstanceUID: '1.3', PatientID: 'P1', PatientName: 'Doe^Jane' }])
  await surviveHostileIdentifiers(t, archive)
  await using scu = await archive.associate()
  t.is((await find(scu, { QueryRetrieveLevel: 'STUDY', PatientName: 'doe*', ModalitiesInStudy: '' })).matches.length, 1)
})
