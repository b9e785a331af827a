import { DicomtapError, resolveSecret } from '@dicomtap/framework'
import { Kysely, PostgresDialect, sql } from 'kysely'
import type pg from 'pg'
import type { DatabaseOptions } from '../../options.ts'
import type { Duplex } from 'node:stream'
import type { Backend } from '../backend.ts'
import { CursorSlots } from '../cursor-slots.ts'
import { databaseError } from '../database-error.ts'
import type { IndexSchema } from '../schema.ts'
import { explain, troubleOf } from './troubles.ts'

const CONNECT_TIMEOUT_MS = 10_000
const LOCK_TIMEOUT_MS = 10_000
/** Of a statement that writes, and of one whose rows are fetched all at once. */
const STATEMENT_TIMEOUT_MS = 60_000
const CLOSE_DEADLINE_MS = 10_000
const DEFAULT_CONNECTIONS = 10

/** int8 and numeric: our numbers fit. */
const NUMBERS: ReadonlySet<number> = new Set([20, 1700])

/** The index in a PostgreSQL, which may be that of several processes. */
export function postgresBackend(options: Extract<DatabaseOptions, { postgres: unknown }>['postgres'], resolvePath: (path: string) => string): Backend {
  const maximum = options.maximumConnections ?? DEFAULT_CONNECTIONS
  let opening: Promise<{ readonly pool: pg.Pool; readonly types: pg.CustomTypesConfig }> | undefined
  const clients = new Set<pg.PoolClient>()
  let place = 'in PostgreSQL'
  let isClosed = false

  /** Opened by the first who needs it: secrets are read from their files then, and pg is loaded. */
  function open(): NonNullable<typeof opening> {
    if (isClosed) return Promise.reject(databaseError(`The index ${place} is closed`))
    opening ??= openPool().catch((error: unknown) => {
      opening = undefined
      throw error
    })
    return opening
  }

  async function openPool(): Promise<{ pool: pg.Pool; types: pg.CustomTypesConfig }> {
    const connectionString = await connectionStringOf(options, resolvePath)
    const { default: driver } = await import('pg')
    place = placeOf(driver, connectionString)
    const types: pg.CustomTypesConfig = {
      getTypeParser: ((oid: number, format?: 'text' | 'binary') =>
        NUMBERS.has(oid) && format !== 'binary' ? Number : driver.types.getTypeParser(oid, format as 'text')) as typeof pg.types.getTypeParser,
    }
    const pool = new driver.Pool({
      connectionString,
      Client: closingClient(driver),
      max: maximum,
      types,
      application_name: 'dicomtap',
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      idleTimeoutMillis: 60_000,
      statement_timeout: STATEMENT_TIMEOUT_MS,
      lock_timeout: LOCK_TIMEOUT_MS,
      idle_in_transaction_session_timeout: STATEMENT_TIMEOUT_MS,
      keepAlive: true,
      keepAliveInitialDelayMillis: 10_000,
    })
    // Whoever uses a connection that breaks gets the error of its statement; between two statements nobody listens.
    pool.on('error', () => undefined)
    pool.on('connect', (client) => {
      clients.add(client)
      client.on('error', () => undefined)
    })
    pool.on('remove', (client) => void clients.delete(client))
    return { pool, types }
  }

  const breakConnections = (): void => {
    for (const client of clients) streamOf(client).destroy()
  }

  const database = new Kysely<IndexSchema>({ dialect: new PostgresDialect({ pool: async () => (await open()).pool }) })
  // Two connections stay for whoever has no cursor open.
  const slots = new CursorSlots({ maximum: Math.max(1, maximum - 2) })

  return {
    kind: 'postgres',
    get place() {
      return place
    },
    database,
    async prepare() {
      await open()
    },
    async run<Row>(name: string, text: string, values: readonly unknown[]): Promise<readonly Row[]> {
      const { pool } = await open()
      const result = await pool.query({ name, text, values: [...values] })
      return result.rows as Row[]
    },
    async *stream<Row>(text: string, parameters: readonly unknown[], signal: AbortSignal | undefined): AsyncGenerator<Row> {
      const { streamRows } = await import('./stream-rows.ts')
      yield* streamRows<Row>({ ...(await open()), slots, text, parameters, signal })
    },
    troubleOf,
    explain,
    isPassing: (error) => ['lost', 'unwritable'].includes(troubleOf(error)),
    breakConnections,
    async databaseBytes() {
      const { rows } = await sql<{ bytes: number }>`
        select coalesce(sum(pg_total_relation_size(name::regclass)), 0)::bigint as bytes
        from unnest(array['patient', 'study', 'series', 'instance', 'key_value', 'name_token', 'setting']) as name`.execute(database)
      return rows[0]?.bytes ?? 0
    },
    async close() {
      isClosed = true
      let timer: NodeJS.Timeout | undefined
      const deadline = new Promise<void>((resolve) => {
        timer = setTimeout(() => {
          // Somebody still holds a cursor.
          breakConnections()
          resolve()
        }, CLOSE_DEADLINE_MS)
      })
      await Promise.race([database.destroy().catch(() => undefined), deadline])
      clearTimeout(timer)
    },
  }
}

/** pg leaves the socket of a connection that it gave up open (e.g. for want of a password), and with it the process. */
function closingClient(driver: typeof pg): typeof pg.Client {
  return class extends driver.Client {
    override connect(): Promise<this>
    override connect(callback: (error: Error) => void): void
    override connect(callback?: (error: Error) => void): Promise<this> | void {
      const close = (error: Error | undefined): void => {
        if (error instanceof Error) streamOf(this).destroy()
      }
      if (callback === undefined) {
        const connected = super.connect() as unknown as Promise<this>
        connected.catch(close)
        return connected
      }
      super.connect((error: Error) => {
        close(error)
        callback(error)
      })
    }
  }
}

function streamOf(client: unknown): Duplex {
  return (client as { connection: { stream: Duplex } }).connection.stream
}

async function connectionStringOf({ url, password }: Extract<DatabaseOptions, { postgres: unknown }>['postgres'], resolvePath: (path: string) => string): Promise<string> {
  const connectionString = await resolveSecret(url, resolvePath)
  if (!/^postgres(?:ql)?:\/\//.test(connectionString)) {
    throw new DicomtapError('DICOMTAP_ERR_PLG_OPTIONS', 'plugin-query-retrieve: database.postgres.url is no URL such as postgres://user@host:5432/database')
  }
  return password === undefined ? connectionString : withPassword(connectionString, await resolveSecret(password, resolvePath))
}

/** What pg takes from the URL has precedence over its other options, so the password goes there. */
function withPassword(url: string, password: string): string {
  const [, scheme = '', user = '', rest = ''] = /^(postgres(?:ql)?:\/\/)(?:([^/?#@]*)@)?(.*)$/s.exec(url) ?? []
  return `${scheme}${user.split(':', 1)[0] ?? ''}:${encodeURIComponent(password)}@${rest}`
}

function placeOf(driver: typeof pg, connectionString: string): string {
  let client: { host?: string; port?: number; database?: string | undefined }
  try {
    client = new driver.Client({ connectionString })
  } catch {
    // Not the cause: it quotes the URL, and with it the password.
    throw new DicomtapError('DICOMTAP_ERR_PLG_OPTIONS', 'plugin-query-retrieve: database.postgres.url cannot be understood; it must be like postgres://user@host:5432/database')
  }
  return `in PostgreSQL ${client.host ?? 'localhost'}:${client.port ?? 5432}/${client.database ?? ''}`
}
