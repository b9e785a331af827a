import test from 'ava'
import { startIndex } from '../database/support/suite.js'
import { hasPostgres, startPostgres, type TestPostgres } from '../support/postgres.js'
import { retentionSuite } from './support/suite.js'

let postgres: TestPostgres | undefined

if (hasPostgres) {
  test.before(async () => {
    postgres = await startPostgres()
  })
  test.after.always(() => postgres?.close())
}

retentionSuite((hasPostgres ? test : test.skip) as typeof test, async (t) => {
  const database = await (postgres as TestPostgres).createDatabase()
  t.teardown(() => database.drop())
  return startIndex(t, { postgres: { url: database.url, maximumConnections: 4 } })
})
