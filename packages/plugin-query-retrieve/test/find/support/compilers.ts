import {
  DummyDriver,
  Kysely,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from 'kysely'
import type { DatabaseKind } from '../../../dist/database/instance-index.js'
import type { IndexSchema } from '../../../dist/database/schema.js'

/** Compiles for one of the databases, and executes nothing. */
export interface Compiler {
  readonly kind: DatabaseKind
  readonly database: Kysely<IndexSchema>
}

export const COMPILERS: Readonly<Record<DatabaseKind, Compiler>> = {
  sqlite: {
    kind: 'sqlite',
    database: new Kysely<IndexSchema>({
      dialect: {
        createAdapter: () => new SqliteAdapter(),
        createDriver: () => new DummyDriver(),
        createQueryCompiler: () => new SqliteQueryCompiler(),
        createIntrospector: (database) => new SqliteIntrospector(database),
      },
    }),
  },
  postgres: {
    kind: 'postgres',
    database: new Kysely<IndexSchema>({
      dialect: {
        createAdapter: () => new PostgresAdapter(),
        createDriver: () => new DummyDriver(),
        createQueryCompiler: () => new PostgresQueryCompiler(),
        createIntrospector: (database) => new PostgresIntrospector(database),
      },
    }),
  },
}
