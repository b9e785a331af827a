// The entry of the worker threads that SQLite runs in: its calls wait for the disk, and the service must not.
import { parentPort, workerData } from 'node:worker_threads'
import type { ArrivedHead } from '../instance-index.ts'
import { addHeads } from './add-heads.ts'
import { endOf, inTransaction, openConnection, type Connection, type Cursor } from './connection.ts'
import type { ArrivedHeads } from './heads.ts'
import { NOTHING, type WorkerAnswer, type WorkerFailure, type WorkerOptions, type WorkerRequest, type WorkerRows } from './messages.ts'

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

port.on('message', (request: WorkerRequest) => void respond(request))

async function respond(request: WorkerRequest): Promise<void> {
  let answer: WorkerAnswer
  try {
    answer = { id: request.id, result: await perform(request) }
  } catch (error) {
    answer = { id: request.id, error: failureOf(error) }
  }
  port.postMessage(answer)
  if (request.type === 'close') port.close()
}

/** Loaded when it is needed: who only queries has no use for it. */
let arrivedHeads: Promise<ArrivedHeads> | undefined

/** By the writer, of which nobody wants anything else meanwhile. */
async function addArrived(heads: readonly ArrivedHead[]): Promise<WorkerRows> {
  const { folder } = options
  if (folder === undefined) throw new Error('Nobody said where the files are')
  const known = await (arrivedHeads ??= import('./heads.ts').then(({ ArrivedHeads }) => ArrivedHeads.load(folder))).catch(() => undefined)
  // Another time it may be loaded: there may be no descriptors left, or no memory.
  if (known === undefined) arrivedHeads = undefined
  const outcomes = known === undefined ? heads.map(() => 'unread') : withConnection((connection) => addHeads(connection, heads, known))
  return { ...NOTHING, rows: outcomes.map((outcome) => [outcome]) }
}

function perform(request: WorkerRequest): WorkerRows | Promise<WorkerRows> {
  switch (request.type) {
    case 'heads':
      return addArrived(request.heads)
    case 'run':
      return withConnection((connection) => connection.run(request.sql, request.parameters))
    case 'write':
      return withConnection((connection) => inTransaction(connection, () => connection.run(request.sql, request.parameters)))
    case 'begin':
      return withConnection((connection) => (connection.begin(), NOTHING))
    case 'commit':
      return withConnection((connection) => endOf(connection, () => NOTHING))
    case 'rollback':
      return withConnection((connection) => (connection.rollBack(), NOTHING))
    case 'open': {
      const connection = idle.pop() ?? openConnection(options)
      try {
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
