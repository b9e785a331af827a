import type { Trouble } from '../backend.ts'

/** By SQLSTATE, or its class: the first two characters. */
const TROUBLE: Readonly<Record<string, Trouble>> = {
  '40001': 'retry', // serialization_failure
  '40P01': 'retry', // deadlock_detected
  '23503': 'retry', // foreign_key_violation: the row above was removed meanwhile
  '55P03': 'unwritable', // lock_not_available
  '57014': 'unwritable', // query_canceled: statement_timeout
  '25006': 'unwritable', // read_only_sql_transaction: a standby
  '53100': 'unwritable', // disk_full
  '53200': 'unwritable', // out_of_memory
  '53300': 'lost', // too_many_connections
  '25P03': 'lost', // idle_in_transaction_session_timeout
  '42501': 'unusable', // insufficient_privilege
  '42P01': 'unusable', // undefined_table
  '3D000': 'unusable', // invalid_catalog_name
  '3F000': 'unusable', // invalid_schema_name
  '08': 'lost', // connection exception
  '28': 'unusable', // invalid authorization
  '57': 'lost', // operator intervention: shutdown, crash, starting up
  '58': 'unwritable', // system error
  'XX': 'unwritable', // internal error, damaged data
}

const EXPLANATIONS: Readonly<Record<string, string>> = {
  '55P03': 'its rows are locked by another program',
  '57014': 'a statement took too long',
  '25006': 'it is read-only: a standby, or default_transaction_read_only is on',
  '53100': 'its disk is full; make room',
  '53300': 'it has no connection left; lower database.maximumConnections, or raise max_connections of PostgreSQL',
  '57P03': 'it is starting or stopping',
  '42501': 'its user may not do this; give it the right to create tables in the schema, or make it their owner',
  '42P01': 'its tables are gone',
  '42P07': 'it has tables of other programs with the same names; give dicomtap a database of its own',
  '3D000': 'the database does not exist; create it with createdb',
  '28P01': 'it does not take user and password',
  '28000': 'it does not let this user in; see pg_hba.conf',
  '57P01': 'it was stopped, or ended the connection',
}

/** Errors of the network and of pg itself have no SQLSTATE. */
const CONNECTION = /connect|terminated|timeout|ssl|socket|not queryable|server does not support/i
/** pg has no password to answer with. */
const PASSWORD = /SASL|SCRAM|password/i

export function troubleOf(error: unknown): Trouble {
  const code = codeOf(error)
  if (code === undefined || !isSqlState(code)) {
    if (isTls(code) || isPassword(error)) return 'unusable'
    return code !== undefined || CONNECTION.test(messageOf(error)) ? 'lost' : 'statement'
  }
  return TROUBLE[code] ?? TROUBLE[code.slice(0, 2)] ?? 'statement'
}

export function explain(error: unknown): string {
  const code = codeOf(error)
  if (code === undefined) {
    if (isPassword(error)) return 'it wants a password; give one in database.postgres.password'
    // Messages of pg itself hold no values, and nothing of a URL.
    return troubleOf(error) === 'lost' ? messageOf(error) : (error as Error | undefined)?.name ?? 'error'
  }
  if (!isSqlState(code)) return isTls(code) ? `its certificate is not trusted (${code})` : `it cannot be reached (${code})`
  const explanation = EXPLANATIONS[code]
  return explanation === undefined ? `SQLSTATE ${code}` : `${explanation} (SQLSTATE ${code})`
}

function isSqlState(code: string): boolean {
  return /^[0-9A-Z]{5}$/.test(code) && /\d/.test(code)
}

function isTls(code: string | undefined): boolean {
  return code !== undefined && /CERT|^ERR_TLS|SELF_SIGNED|UNABLE_TO/.test(code)
}

function isPassword(error: unknown): boolean {
  return codeOf(error) === undefined && PASSWORD.test(messageOf(error))
}

function codeOf(error: unknown): string | undefined {
  const { code, errors } = (error ?? {}) as { code?: unknown; errors?: unknown }
  // All addresses of a host name were tried: an AggregateError.
  if (typeof code !== 'string' && Array.isArray(errors)) return codeOf(errors[0])
  return typeof code === 'string' ? code : undefined
}

function messageOf(error: unknown): string {
  const { message } = (error ?? {}) as { message?: unknown }
  return typeof message === 'string' ? message : ''
}
