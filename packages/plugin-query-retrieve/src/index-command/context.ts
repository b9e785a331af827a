import { type CommandInvocation, type ConfiguredPlugin, DicomtapError, type Logger } from '@dicomtap/framework'
import { existsSync } from 'node:fs'
import { realpath, stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { isAmongStoredFiles } from '../contained-path.ts'
import type { InstanceIndex } from '../database/instance-index.ts'
import { openIndex } from '../database/open-index.ts'
import { InstanceReader } from '../maintenance/read-instance.ts'
import { Reindexer, reindexWith } from '../maintenance/reindexer.ts'
import type { AttributeCatalogue } from '../model/attributes.ts'
import { buildCatalogue } from '../model/catalogue.ts'
import { type DatabaseOptions, queryRetrieveOptions, type ResolvedQueryRetrieveOptions } from '../options.ts'

/** Something that the person at the keyboard can put right; one line. */
export class CommandError extends Error {
  override readonly name: string = 'CommandError'
}

/** The index that a command works on. */
export interface OpenedIndex {
  readonly index: InstanceIndex
  readonly attributes: AttributeCatalogue
  /** For people: a file, or a URL without a password. */
  readonly place: string
}

/** What a command does with the index. */
export type CommandAccess = 'read' | 'write' | 'make'

const PLUGIN = '@dicomtap/plugin-query-retrieve'
const STORAGE = '@dicomtap/plugin-storage'

/**
 * Runs `work` with the index of the command line, or else of the configuration.
 * @param access `make`: a database that is not there is made; `read`: works on a full disk and a locked database, too
 * @param root the storage folder, where it is known: what a server left that was killed is taken in first
 */
export async function withIndex<T>(invocation: CommandInvocation, work: (opened: OpenedIndex) => Promise<T>, access: CommandAccess, root?: string): Promise<T> {
  const { options, database, resolvePath } = await settingsOf(invocation)
  const place = placeOf(database, resolvePath)
  if (access !== 'make' && 'sqlite' in database && !existsSync(place)) {
    throw new CommandError(`there is no index at ${place}: the first start of the server makes it, or dicomtap index rebuild`)
  }
  const attributes = await buildCatalogue(options.attributes)
  const log = new CommandLog(invocation)
  const reindex = access === 'read' || root === undefined ? undefined : reindexWith(new InstanceReader(root, attributes), root, log.logger)
  const index = openIndex({ database, resolvePath, log: log.logger, access: access === 'read' ? 'read' : 'write', reindex })
  try {
    await index.start()
    if (!index.isReady) throw new DicomtapError('DICOMTAP_ERR_QR_DATABASE', log.firstError ?? `The database ${place} does not answer`)
    log.isStarted = true
    return await work({ index, attributes, place })
  } finally {
    await index.close()
  }
}

/** What `rebuild` and `check` need besides. */
export interface OpenedFolder extends OpenedIndex {
  /** Absolute, without links. */
  readonly root: string
  readonly reader: InstanceReader
  readonly reindexer: Reindexer
}

export async function withFolder<T>(invocation: CommandInvocation, work: (opened: OpenedFolder) => Promise<T>, access: CommandAccess): Promise<T> {
  const root = await folderOf(invocation)
  const { database, resolvePath } = await settingsOf(invocation)
  if ('sqlite' in database && (await isAmongStoredFiles(root, resolvePath(database.sqlite)))) {
    throw new CommandError(`${resolvePath(database.sqlite)} is in the storage folder, where it is taken for a stored object: name another place for the database, or there one below a name with a leading dot`)
  }
  return withIndex(
    invocation,
    (opened) => {
      const reader = new InstanceReader(root, opened.attributes)
      return work({ ...opened, root, reader, reindexer: new Reindexer(root, opened.index, reader) })
    },
    access,
    root,
  )
}

async function folderOf({ arguments: [folder], cwd, options, pluginOptions }: CommandInvocation): Promise<string> {
  // Paths of the index start at the storage folder: with another one all its rows would be without a file.
  const isOwn = options['database'] !== undefined && folder !== undefined
  const storage = isOwn ? undefined : await pluginOptions(STORAGE)
  const directory = (storage?.options as { readonly directory?: string } | undefined)?.directory
  const configured = storage === undefined || directory === undefined ? undefined : storage.resolvePath(directory)
  if (typeof folder !== 'string') {
    if (configured !== undefined) return realFolder(configured)
    throw new CommandError('the configuration names no storage folder: give it on the command line, as in dicomtap index rebuild ./data')
  }
  const root = await realFolder(resolve(cwd, folder))
  if (configured !== undefined && root !== (await realpath(configured).catch(() => configured))) {
    throw new CommandError(`${root} is not the storage folder of the configuration, ${configured}: leave it out, or name the index of that folder with --database`)
  }
  return root
}

async function realFolder(folder: string): Promise<string> {
  try {
    const root = await realpath(folder)
    if ((await stat(root)).isDirectory()) return root
  } catch (error) {
    throw new CommandError(`${folder} cannot be looked at (${(error as NodeJS.ErrnoException).code ?? 'unknown'})`)
  }
  throw new CommandError(`${folder} is not a folder`)
}

interface Settings {
  readonly options: ResolvedQueryRetrieveOptions
  readonly database: DatabaseOptions
  readonly resolvePath: (path: string) => string
}

async function settingsOf(invocation: CommandInvocation): Promise<Settings> {
  const { options: flags, cwd } = invocation
  const place = flags['database']
  const configured = await configuredPlugin(invocation, typeof place === 'string')
  const options = (configured?.options as ResolvedQueryRetrieveOptions | undefined) ?? (await defaultOptions())
  if (typeof place === 'string') return { options, database: databaseAt(place), resolvePath: (path) => resolve(cwd, path) }
  if (configured === undefined) {
    throw new CommandError(`the configuration does not name ${PLUGIN}: add it to plugins, or name the database with --database`)
  }
  return { options, database: options.database, resolvePath: (path) => configured.resolvePath(path) }
}

/** With `--database` no configuration is needed; where there is one, it tells which attributes are indexed. */
async function configuredPlugin({ pluginOptions }: CommandInvocation, isOptional: boolean): Promise<ConfiguredPlugin | undefined> {
  try {
    return await pluginOptions(PLUGIN)
  } catch (error) {
    if (isOptional && error instanceof DicomtapError && error.code === 'DICOMTAP_ERR_CFG_NOT_FOUND') return undefined
    throw error
  }
}

async function defaultOptions(): Promise<ResolvedQueryRetrieveOptions> {
  const result = await queryRetrieveOptions['~standard'].validate({})
  if (result.issues !== undefined) throw new CommandError(result.issues[0]?.message ?? 'the options cannot be read')
  return result.value
}

function databaseAt(place: string): DatabaseOptions {
  if (!/^postgres(?:ql)?:\/\//.test(place)) return { sqlite: place }
  if (passwordOf(place) !== '') throw new CommandError('a password on the command line can be seen by others: leave it out of --database and set PGPASSWORD')
  return { postgres: { url: place, ...(process.env['PGPASSWORD'] === undefined ? {} : { password: { env: 'PGPASSWORD' } }) } }
}

function passwordOf(url: string): string {
  return URL.canParse(url) ? new URL(url).password : ''
}

function placeOf(database: DatabaseOptions, resolvePath: (path: string) => string): string {
  if ('sqlite' in database) return resolvePath(database.sqlite)
  const { url } = database.postgres
  if (typeof url !== 'string' || !URL.canParse(url)) return 'PostgreSQL'
  const { host, pathname } = new URL(url)
  return `PostgreSQL ${host}${pathname}`
}

/** Warnings and errors of the database, a line each; what goes wrong at the start ends the command. */
class CommandLog {
  readonly logger: Logger
  isStarted = false
  firstError: string | undefined

  constructor({ stderr }: CommandInvocation) {
    const write = (message: string): void => {
      if (this.isStarted) stderr.write(`${message}\n`)
    }
    const nothing = (): void => {}
    this.logger = {
      error: (message) => {
        // A server tries again.
        this.firstError ??= message.replace(/\. It is tried again\.$/, '')
        write(`error: ${message}`)
      },
      warn: (message) => write(`warning: ${message}`),
      info: nothing,
      debug: nothing,
      trace: nothing,
      child: () => this.logger,
      isEnabled: (level) => level === 'error' || level === 'warn',
    }
  }
}
