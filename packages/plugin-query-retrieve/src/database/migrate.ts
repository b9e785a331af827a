import { Migrator } from 'kysely'
import type { Backend } from './backend.ts'
import { databaseError } from './database-error.ts'
import { migrations } from './migrations.ts'

const TABLE = 'dicomtap_migration'

/**
 * Brings the tables to the version of this program. Several processes may do so at once: one does, the others wait.
 * @throws DICOMTAP_ERR_QR_DATABASE when a later version of this program made them
 */
export async function migrate(backend: Backend): Promise<void> {
  const known = migrations(backend.kind)
  const { database } = backend
  const tables = await database.introspection.getTables()
  if (tables.some(({ name }) => name === TABLE)) {
    const done = await database.withTables<{ [TABLE]: { name: string } }>().selectFrom(TABLE).select('name').execute()
    if (done.length === Object.keys(known).length && done.every(({ name }) => name in known)) return
    if (done.some(({ name }) => !(name in known))) {
      throw databaseError(`The index ${backend.place} was made by a newer version of dicomtap; update dicomtap, or name another database in the option database`)
    }
  }
  const migrator = new Migrator({
    db: database,
    provider: { getMigrations: () => Promise.resolve(known) },
    migrationTableName: TABLE,
    migrationLockTableName: `${TABLE}_lock`,
  })
  const { error } = await migrator.migrateToLatest()
  if (error !== undefined) throw error as Error
}
