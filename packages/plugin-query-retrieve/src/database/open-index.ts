import type { Logger } from '@dicomtap/framework'
import type { DatabaseOptions } from '../options.ts'
import { ArrivingIndex, type ArrivingIndexOptions } from './arrivals/arriving-index.ts'
import { DatabaseIndex } from './database-index.ts'
import type { IndexAccess, InstanceIndex } from './instance-index.ts'
import { postgresBackend } from './postgres/backend.ts'
import { sqliteBackend } from './sqlite/backend.ts'
import type { StorageFolder } from './sqlite/messages.ts'

export interface OpenIndexOptions {
  readonly database: DatabaseOptions
  readonly resolvePath: (path: string) => string
  readonly log: Logger
  /** `read`: the start does not try whether the database can be written. Default `write`. */
  readonly access?: IndexAccess | undefined
  /** Where what it is of is stored. Undefined: nobody knows. */
  readonly folder?: StorageFolder | undefined
  readonly reindex?: ArrivingIndexOptions['reindex']
}

/** The index of the options; nothing is opened before `start`. */
export function openIndex({ database, resolvePath, log, access = 'write', folder, reindex }: OpenIndexOptions): InstanceIndex {
  if ('postgres' in database) return new DatabaseIndex(postgresBackend(database.postgres, resolvePath), log, access)
  const path = resolvePath(database.sqlite)
  return new ArrivingIndex(new DatabaseIndex(sqliteBackend(path, { folder }), log, access), { path, log, access, reindex })
}
