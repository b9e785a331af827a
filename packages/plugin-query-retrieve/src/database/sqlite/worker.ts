// The entry of the worker threads that SQLite runs in: its calls wait for the disk, and the service must not.
import { parentPort, workerData } from 'node:worker_threads'
import { beginSettled, endOf, firstArrival, settle, settled } from './arrivals.ts'
import { openConnection, type Connection, type Cursor } from './connection.ts'
import { NOTHING, type OnArrivals, type WorkerAnswer, type WorkerFailure, type WorkerOptions, type WorkerRequest, type WorkerRows } from './messages.ts'

const port = parentPort as NonNullable<typeof parentPort>
const options = workerData as WorkerOptions

/**
 * Of a reader, each open cursor has a connection of its own: on a shared one the statements that come later would
 * see the database as it was when the first one began.
 */
const idle: Connection[] = []
const cursors = new Map<number, { readonly cursor: Cursor; readonly connection: Connection }>()
/**
 * libsql closes a connection when the garbage of its statements is collected, and a thread at rest collects none: those
 * that many cursors needed are used again, and never closed. As many as there may be cursors.
 */
const MAXIMUM_IDLE = 64
const WARM = 4
/** At the end, for others that write. */
const LAST_WAIT_MS = 200

port.on('message', (request: WorkerRequest) => {
  let answer: WorkerAnswer
  try {
    answer = { id: request.id, result: perform(request) }
  } catch (error) {
    answer = { id: request.id, error: failureOf(error) }
  }
  port.postMessage(answer)
  if (request.type === 'close') port.close()
})

function perform(request: WorkerRequest): WorkerRows {
  switch (request.type) {
    case 'run':
      return withConnection((connection) => behind(connection, request.onArrivals) ?? connection.run(request.sql, request.parameters))
    case 'write':
      return withConnection((connection) => settled(connection, () => connection.run(request.sql, request.parameters)))
    case 'settle':
      return withConnection((connection) => (settle(connection), NOTHING))
    case 'begin':
      return withConnection((connection) => (beginSettled(connection), NOTHING))
    case 'commit':
      return withConnection((connection) => endOf(connection, () => NOTHING))
    case 'rollback':
      return withConnection((connection) => (connection.rollBack(), NOTHING))
    case 'open': {
      const connection = idle.pop() ?? openConnection(options)
      try {
        const answer = behind(connection, request.onArrivals)
        if (answer !== undefined) {
          giveBack(connection)
          return answer
        }
        const cursor = connection.open(request.sql, request.parameters)
        cursors.set(request.id, { cursor, connection })
      } catch (error) {
        giveBack(connection, error)
        throw error
      }
      return pull(request.id, 1)
    }
    case 'pull':
      return pull(request.cursor, request.rows)
    case 'end':
      end(request.cursor)
      return NOTHING
    case 'close':
      for (const id of [...cursors.keys()]) end(id)
      if (options.role === 'writer' && idle[0] !== undefined) leaveBehindNothing(idle[0])
      for (const connection of idle.splice(0)) connection.close()
      return NOTHING
  }
}

function behind(connection: Connection, onArrivals: OnArrivals): WorkerRows | undefined {
  const first = onArrivals === 'say so' ? firstArrival(connection) : undefined
  return first === undefined ? undefined : { ...NOTHING, isBehind: first }
}

function withConnection<T>(work: (connection: Connection) => T): T {
  const connection = idle.pop() ?? openConnection(options)
  try {
    const result = work(connection)
    giveBack(connection)
    return result
  } catch (error) {
    giveBack(connection, error)
    throw error
  }
}

/** Who copies the file has all of it. */
function leaveBehindNothing(connection: Connection): void {
  connection.run(`pragma busy_timeout = ${LAST_WAIT_MS}`, [])
  try {
    settle(connection)
  } catch {
    // Whoever opens it next takes it in.
  }
  connection.emptyLog()
}

function pull(id: number, rows: number): WorkerRows {
  const entry = cursors.get(id)
  if (entry === undefined) return NOTHING
  try {
    const result = entry.cursor.pull(rows)
    if (result.isDone) forget(id)
    return result
  } catch (error) {
    forget(id)
    throw error
  }
}

function end(id: number): void {
  const entry = cursors.get(id)
  if (entry === undefined) return
  entry.cursor.end()
  forget(id)
}

function forget(id: number): void {
  const entry = cursors.get(id)
  if (entry === undefined) return
  cursors.delete(id)
  giveBack(entry.connection)
}

function giveBack(connection: Connection, error?: unknown): void {
  // What met a lock stays under way, and those that come after it would see the database as it was then.
  const mayBeStale = options.role === 'reader' && String((error as { code?: unknown } | undefined)?.code).startsWith('SQLITE_BUSY')
  if (mayBeStale || idle.length >= MAXIMUM_IDLE) return connection.close()
  if (idle.length >= WARM) connection.cool()
  idle.push(connection)
}

function failureOf(error: unknown): WorkerFailure {
  const { message, code, rawCode } = error as { message?: unknown; code?: unknown; rawCode?: unknown }
  return { message: String(message), code: typeof code === 'string' ? code : 'ERROR', number: typeof rawCode === 'number' ? rawCode : 0 }
}
