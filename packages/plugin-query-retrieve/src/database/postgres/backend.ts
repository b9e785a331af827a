import { DicomtapError, resolveSecret } from '@dicomtap/framework'
import { Kysely, PostgresDialect, sql } from 'kysely'
import pg from 'pg'
import Cursor from 'pg-cursor'
import type { DatabaseOptions } from '../../options.ts'
import type { Backend } from '../backend.ts'
import { databaseError } from '../database-error.ts'
import type { IndexSchema } from '../schema.ts'
import { streamRows } from './stream-rows.ts'
import { explain, troubleOf } from './troubles.ts'

const CONNECT_TIMEOUT_MS = 10_000
const LOCK_TIMEOUT_MS = 10_000
/** Of a statement that writes, and of one whose rows are fetched all at once. */
const STATEMENT_TIMEOUT_MS = 60_000
const CLOSE_DEADLINE_MS = 10_000
const DEFAULT_CONNECTIONS = 10

/** int8 and numeric: our numbers fit. */
const NUMBERS: ReadonlySet<number> = new Set([20, 1700])

const types: pg.CustomTypesConfig = {
  getTypeParser: ((oid: number, format?: 'text' | 'binary') => (NUMBERS.has(oid) && format !== 'binary' ? Number : pg.types.getTypeParser(oid, format as 'text'))) as typeof pg.types.getTypeParser,
}

/** The index in a PostgreSQL, which may be that of several processes. */
export function postgresBackend(options: Extract<DatabaseOptions, { postgres: unknown }>['postgres'], resolvePath: (path: string) => string): Backend {
  const maximum = options.maximumConnections ?? DEFAULT_CONNECTIONS
  let pool: pg.Pool | undefined
  let place = 'in PostgreSQL'
  let isClosed = false

  /** Opened by the first who needs it: secrets are read from their files then. */
  async function openPool(): Promise<pg.Pool> {
    if (isClosed) throw databaseError(`The index ${place} is closed`)
    if (pool !== undefined) return pool
    const config = await configOf(options, resolvePath)
    place = placeOf(config)
    pool ??= new pg.Pool({
      ...config,
      max: maximum,
      types,
      application_name: 'dicomtap',
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      idleTimeoutMillis: 60_000,
      statement_timeout: STATEMENT_TIMEOUT_MS,
      lock_timeout: LOCK_TIMEOUT_MS,
      idle_in_transaction_session_timeout: STATEMENT_TIMEOUT_MS,
      keepAlive: true,
    })
    // A connection that broke while nobody used it; the next use makes another one.
    pool.on('error', () => undefined)
    return pool
  }

  const database = new Kysely<IndexSchema>({ dialect: new PostgresDialect({ pool: openPool, cursor: Cursor }) })
  // Two connections stay for whoever has no cursor open.
  const cursors = { open: 0, maximum: Math.max(1, maximum - 2), waiting: [] as (() => void)[] }

  return {
    kind: 'postgres',
    get place() {
      return place
    },
    database,
    async prepare() {
      await openPool()
    },
    async run<Row>(name: string, text: string, values: readonly unknown[]): Promise<readonly Row[]> {
      const result = await (await openPool()).query({ name, text, values: [...values] })
      return result.rows as Row[]
    },
    async *stream<Row>(text: string, parameters: readonly unknown[], signal: AbortSignal | undefined): AsyncGenerator<Row> {
      yield* streamRows<Row>({ pool: await openPool(), cursors, types, text, parameters, signal })
    },
    troubleOf,
    explain,
    async databaseBytes() {
      const { rows } = await sql<{ bytes: number }>`
        select coalesce(sum(pg_total_relation_size(name::regclass)), 0)::bigint as bytes
        from unnest(array['patient', 'study', 'series', 'instance', 'key_value', 'name_token', 'setting']) as name`.execute(database)
      return rows[0]?.bytes ?? 0
    },
    async close() {
      isClosed = true
      let timer: NodeJS.Timeout | undefined
      const deadline = new Promise<void>((resolve) => (timer = setTimeout(resolve, CLOSE_DEADLINE_MS)))
      await Promise.race([database.destroy().catch(() => undefined), deadline])
      clearTimeout(timer)
    },
  }
}

async function configOf({ url, password }: Extract<DatabaseOptions, { postgres: unknown }>['postgres'], resolvePath: (path: string) => string): Promise<pg.PoolConfig> {
  const connectionString = await resolveSecret(url, resolvePath)
  if (!/^postgres(?:ql)?:\/\//.test(connectionString)) {
    throw new DicomtapError('DICOMTAP_ERR_PLG_OPTIONS', 'plugin-query-retrieve: database.postgres.url is no URL such as postgres://user@host:5432/database')
  }
  if (password === undefined) return { connectionString }
  return { connectionString: withPassword(connectionString, await resolveSecret(password, resolvePath)) }
}

/** What pg takes from the URL has precedence over its other options, so the password goes there. */
function withPassword(url: string, password: string): string {
  const [, scheme = '', user = '', rest = ''] = /^(postgres(?:ql)?:\/\/)(?:([^/?#@]*)@)?(.*)$/s.exec(url) ?? []
  return `${scheme}${user.split(':', 1)[0] ?? ''}:${encodeURIComponent(password)}@${rest}`
}

function placeOf({ connectionString = '' }: pg.PoolConfig): string {
  let client: { host?: string; port?: number; database?: string | undefined }
  try {
    client = new pg.Client({ connectionString })
  } catch {
    // Not the cause: it quotes the URL, and with it the password.
    throw new DicomtapError('DICOMTAP_ERR_PLG_OPTIONS', 'plugin-query-retrieve: database.postgres.url cannot be understood; it must be like postgres://user@host:5432/database')
  }
  return `in PostgreSQL ${client.host ?? 'localhost'}:${client.port ?? 5432}/${client.database ?? ''}`
}
