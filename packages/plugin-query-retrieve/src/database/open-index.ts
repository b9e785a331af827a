import type { Logger } from '@dicomtap/framework'
import type { DatabaseOptions } from '../options.ts'
import { DatabaseIndex } from './database-index.ts'
import type { IndexAccess, InstanceIndex } from './instance-index.ts'
import { postgresBackend } from './postgres/backend.ts'
import { sqliteBackend } from './sqlite/backend.ts'

export interface OpenIndexOptions {
  readonly database: DatabaseOptions
  readonly resolvePath: (path: string) => string
  readonly log: Logger
  /** `read`: the start does not try whether the database can be written. Default `write`. */
  readonly access?: IndexAccess | undefined
}

/** The index of the options; nothing is opened before `start`. */
export function openIndex({ database, resolvePath, log, access = 'write' }: OpenIndexOptions): InstanceIndex {
  const backend = 'sqlite' in database ? sqliteBackend(resolvePath(database.sqlite)) : postgresBackend(database.postgres, resolvePath)
  return new DatabaseIndex(backend, log, access)
}
