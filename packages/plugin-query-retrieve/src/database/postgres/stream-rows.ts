import type pg from 'pg'
import Cursor from 'pg-cursor'
import type { CursorSlots } from '../cursor-slots.ts'

const BATCH_ROWS = [1, 16, 64, 256] as const
/** Rows of a batch may be large: what such a one takes, about. */
const BATCH_CHARACTERS = 1_048_576

const ABORT_MS = 2_000
const GIVE_BACK_MS = 5_000
const UNANSWERED = new Error('The server does not answer')

export interface StreamRowsOptions {
  readonly pool: pg.Pool
  readonly slots: CursorSlots
  readonly types: pg.CustomTypesConfig
  readonly text: string
  readonly parameters: readonly unknown[]
  readonly signal: AbortSignal | undefined
}

/** Rows of a cursor as they are drawn: the first at once, then more at a time. */
export async function* streamRows<Row>({ pool, slots, types, text, parameters, signal }: StreamRowsOptions): AsyncGenerator<Row> {
  let client: pg.PoolClient | undefined
  let cursor: Cursor<Row> | undefined
  let failure: Error | undefined
  let cancelled: Promise<void> | undefined
  let closing: Promise<void> | undefined
  const cancel = (): void => {
    // The server works for nobody: another connection tells it to stop.
    if (client !== undefined) cancelled = cancelStatement(pool, client)
  }
  const onError = (error: Error): void => void (failure = error)
  const close = async (): Promise<void> => {
    // From here on somebody else may have the connection.
    signal?.removeEventListener('abort', cancel)
    client?.removeListener('error', onError)
    await giveBack(client, cursor, cancelled, failure === undefined || (signal?.aborted === true && failure !== UNANSWERED))
  }
  const slot = await slots.take(() => (closing ??= close()), signal)
  try {
    client = await pool.connect()
    client.on('error', onError)
    // A cursor may be held for long: what takes long is ended by whoever waits for it.
    await client.query('set statement_timeout = 0')
    signal?.throwIfAborted()
    signal?.addEventListener('abort', cancel, { once: true })
    cursor = client.query(new Cursor<Row>(text, parameters.map(sendable), { types }))
    let room: number = Number.POSITIVE_INFINITY
    for (let size = 0; ; size++) {
      const count = Math.min(BATCH_ROWS[Math.min(size, BATCH_ROWS.length - 1)] as number, room)
      const rows = await slot.busy(() => unlessAbortedFor(ABORT_MS, (cursor as Cursor<Row>).read(count), signal))
      signal?.throwIfAborted()
      if (rows.length === 0) return
      for (const row of rows) {
        yield row
        signal?.throwIfAborted()
      }
      room = Math.max(1, Math.floor((BATCH_CHARACTERS * rows.length) / charactersOf(rows)))
    }
  } catch (error) {
    failure ??= error as Error
    throw error === UNANSWERED ? signal?.reason : error
  } finally {
    await (closing ??= close())
    slot.release()
  }
}

function charactersOf(rows: readonly unknown[]): number {
  let characters = 1
  for (const row of rows) for (const value of Object.values(row as object)) characters += typeof value === 'string' ? value.length : 8
  return characters
}

async function giveBack(client: pg.PoolClient | undefined, cursor: Cursor | undefined, cancelled: Promise<void> | undefined, isSound: boolean): Promise<void> {
  if (client === undefined) return
  if (!isSound) {
    client.release(true)
    return
  }
  const given = (async () => {
    // A request to stop that comes late must not hit who has the connection next.
    await cancelled
    await cursor?.close()
    await client.query('reset statement_timeout')
  })()
  let timer: NodeJS.Timeout | undefined
  const deadline = new Promise<never>((_resolve, reject) => (timer = setTimeout(() => reject(UNANSWERED), GIVE_BACK_MS)))
  await Promise.race([given, deadline]).then(
    () => client.release(),
    () => client.release(true),
  )
  clearTimeout(timer)
}

/** Whoever aborts waits for the server to say that it stopped, but not for long. */
function unlessAbortedFor<T>(patienceMs: number, promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise
  return new Promise((resolve, reject) => {
    let timer: NodeJS.Timeout | undefined
    const abort = (): void => void (timer = setTimeout(() => reject(UNANSWERED), patienceMs))
    if (signal.aborted) abort()
    else signal.addEventListener('abort', abort, { once: true })
    promise.then(resolve, reject).finally(() => {
      signal.removeEventListener('abort', abort)
      clearTimeout(timer)
    })
  })
}

async function cancelStatement(pool: pg.Pool, client: pg.PoolClient): Promise<void> {
  const { processID } = client as unknown as { processID: number | null }
  if (processID === null) return
  await pool.query('select pg_cancel_backend($1)', [processID]).then(
    () => undefined,
    () => undefined,
  )
}

/** PostgreSQL knows no NUL in text. */
function sendable(value: unknown): unknown {
  return typeof value === 'string' && value.includes('\0') ? value.replaceAll('\0', '') : value
}
