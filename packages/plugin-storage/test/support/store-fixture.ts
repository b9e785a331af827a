import type { ApplicationEntity, Logger, StatusAnswer } from '@dicomtap/framework'
import type { ExecutionContext } from 'ava'
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { FileSystem } from '../../dist/file-system.js'
import { type StorageHooks, storageHooks } from '../../dist/hooks.js'
import { storageOptions } from '../../dist/options.js'
import { ObjectStore } from '../../dist/store.js'
import { type ObjectValues, dataSetOf, type RequestOptions, requestFor } from './objects.js'

const AT_REST_ATTEMPTS = 50
const AT_REST_INTERVAL_MS = 10

export interface LogLine {
  readonly level: string
  readonly message: string
  readonly fields: Record<string, unknown> | undefined
}

export function recordingLogger(lines: LogLine[]): Logger {
  const at =
    (level: string) =>
    (message: string, fields?: Record<string, unknown>): void => {
      lines.push({ level, message, fields })
    }
  const logger: Logger = {
    error: at('error'),
    warn: at('warn'),
    info: at('info'),
    debug: at('debug'),
    trace: at('trace'),
    child: () => logger,
    isEnabled: () => true,
  }
  return logger
}

/** A folder that is removed when the test is over. */
export async function temporaryFolder(t: ExecutionContext): Promise<string> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'dicomtap-storage-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  return folder
}

export interface StoreFixture {
  readonly store: ObjectStore
  readonly directory: string
  readonly hooks: StorageHooks
  readonly log: LogLine[]
  /** Stores one object and gives the status of the answer. */
  send(values?: ObjectValues, options?: RequestOptions): Promise<number>
  /** The same with the bytes of a data set. */
  sendBytes(bytes: Buffer, options?: RequestOptions): Promise<StatusAnswer>
  /** Every file in the folder but the heartbeat, relative and sorted. */
  files(): Promise<string[]>
  read(relativePath: string): Promise<Buffer>
}

export interface FixtureOptions {
  directory?: string
  fileSystem?: FileSystem
  options?: Record<string, unknown>
  /** False for one whose disk will never answer again. */
  isStopped?: boolean
}

export function statusOf(answer: StatusAnswer): number {
  return typeof answer === 'number' ? answer : answer.status
}

/** All files below a folder, relative and sorted, without heartbeats, records, and what stores keep ready. */
export async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const files = entries
    .filter((entry) => !entry.isDirectory() && entry.name !== 'alive' && !entry.name.endsWith('.records'))
    .map((entry) => path.join(entry.parentPath, entry.name))
  const spares = await sparesAmong(files)
  return files
    .filter((file) => !spares.has(file))
    .map((file) => path.relative(folder, file))
    .sort()
}

/** The same when what is left to do after answers is done. What is there for longer is told, too. */
async function filesAtRest(folder: string): Promise<string[]> {
  for (let attempt = 1; ; attempt++) {
    const files = await filesIn(folder)
    if (attempt === AT_REST_ATTEMPTS || !files.some((file) => file.startsWith(path.join('.dicomtap', 'partial')))) return files
    await delay(AT_REST_INTERVAL_MS)
  }
}

/** The empty file that a store may have made for its next object: one in each staging folder. */
async function sparesAmong(files: readonly string[]): Promise<Set<string>> {
  const spares = new Map<string, string>()
  for (const file of files) {
    if (!file.endsWith('.part')) continue
    const status = await stat(file).catch(() => undefined)
    if (status?.size === 0) spares.set(path.dirname(file), file)
  }
  return new Set(spares.values())
}

/** An object store on a temporary folder, stopped when the test is over. */
export async function storeFixture(t: ExecutionContext, { directory, fileSystem, options = {}, isStopped = true }: FixtureOptions = {}): Promise<StoreFixture> {
  const folder = directory ?? (await temporaryFolder(t))
  const log: LogLine[] = []
  const hooks = storageHooks({} as ApplicationEntity)
  const store = new ObjectStore({
    directory: folder,
    options: storageOptions.parse({ directory: folder, minimumFreeSpace: null, durability: 'close', ...options }),
    hooks,
    log: recordingLogger(log),
    ...(fileSystem === undefined ? {} : { fileSystem }),
  })
  if (isStopped) t.teardown(() => store.stop())
  const sendBytes = (bytes: Buffer, request?: RequestOptions): Promise<StatusAnswer> => store.store(...requestFor(bytes, request))
  return {
    store,
    directory: folder,
    hooks,
    log,
    sendBytes,
    send: async (values = {}, request = {}) => {
      const sopInstanceUid = values.sopInstanceUid ?? '1.2.3.4.5'
      return statusOf(await sendBytes(dataSetOf(values), { sopInstanceUid, ...request }))
    },
    files: () => filesAtRest(folder),
    read: (relativePath) => readFile(path.join(folder, relativePath)),
  }
}
