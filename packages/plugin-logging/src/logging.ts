import { createRequire } from 'node:module'
import { definePlugin, isPlugin } from '@dicomtap/framework'
import type { Plugin, PluginApi, PluginFactory, PluginInput, ResolvedConfig } from '@dicomtap/framework'
import { createLineDestination } from './destinations/line-target.ts'
import type { LineTarget } from './destinations/line-target.ts'
import type { SharedFile } from './destinations/shared-file.ts'
import { standardErrorTarget } from './destinations/standard-error.ts'
import type { LogEntry } from './entry.ts'
import { LOG_AREAS, LevelTable } from './levels.ts'
import { logAssociations } from './lines/association-lines.ts'
import { logIdentifiers } from './lines/identifier-lines.ts'
import { logOperations } from './lines/operation-lines.ts'
import { Tallies } from './lines/tally.ts'
import { LogWriter } from './log-writer.ts'
import { loggingOptions } from './options.ts'
import type { FileOptions, Format, LoggingOptions } from './options.ts'
import { renderJson } from './render/json.ts'
import { renderPretty } from './render/pretty.ts'
import type { LoggingService } from './service.ts'

const { version } = createRequire(import.meta.url)('../package.json') as { version: string }

/**
 * Readable or structured logs, to winston transports as well: takes over the log of the ApplicationEntity and adds lines
 * about associations and operations.
 *
 * @example
 * await ae.use(logging({ level: 'info', file: { path: './logs/dicom.log' } }))
 */
export const logging: PluginFactory<typeof loggingOptions> = definePlugin({
  name: 'logging',
  version,
  framework: `>=${version} <1`,
  options: loggingOptions,
  apply: startLogging,
})

async function startLogging(api: PluginApi, options: LoggingOptions): Promise<void> {
  const levels = createLevels(api.config, options)
  const { worker } = api.applicationEntity
  const writer = new LogWriter(levels, options.phi, worker === undefined ? {} : { worker })
  await addDestinations(api, writer, options)
  takeOver(api, writer, options)

  const service: LoggingService = {
    setLevel: (level, area) => levels.set(level, area),
    levels: () => levels.current(),
  }
  api.provideService('logging', service)
  api.hooks.configReload.tap(({ config }) => {
    reloadLevels(levels, config, api)
  })
  api.hooks.warmUp.tapPromise(async ({ rehearsal }) => {
    await rehearsal.use(rehearsed(levels, options))
  })
}

/** The same lines as the real one writes, to nowhere. */
function rehearsed(levels: LevelTable, options: LoggingOptions): Plugin {
  return definePlugin({
    name: 'logging',
    apply(api) {
      const writer = new LogWriter(levels, options.phi)
      const nowhere: LineTarget = { write: () => true, isWritable: () => true, close: () => Promise.resolve() }
      const { file, format, stderr } = options
      if (stderr) writer.add(createLineDestination('standard error', nowhere, renderer(format, isColoured(options)), () => {}))
      if (file !== null) writer.add(createLineDestination('file', nowhere, renderer(file.format ?? format, false), () => {}))
      takeOver(api, writer, options)
    },
  })()
}

/** Has all lines go to the writer, and adds those about associations and operations. */
function takeOver(api: PluginApi, writer: LogWriter, options: LoggingOptions): void {
  const restoreSink = api.setLogSink(writer.sink, (level, area) => writer.isEnabled(level, area))
  const tallies = new Tallies()
  // Operations first: an association that ends with them running counts them before it is summed up.
  const repetitions = logOperations(api.hooks, writer, tallies, options)
  const refusals = logAssociations(api.hooks, writer, tallies, options)
  logIdentifiers(api.hooks, writer, options)
  api.onDispose(async () => {
    repetitions.endWindow()
    refusals.endWindow()
    restoreSink()
    await writer.close()
  })
}

function createLevels(config: ResolvedConfig, { level, levels }: LoggingOptions): LevelTable {
  return new LevelTable(level ?? config.logLevel ?? 'info', levels)
}

async function addDestinations(api: PluginApi, writer: LogWriter, options: LoggingOptions): Promise<void> {
  const { file, format, stderr, transports } = options
  if (stderr) {
    writer.add(createLineDestination('standard error', standardErrorTarget(), renderer(format, isColoured(options)), () => {}))
  }
  if (file !== null) {
    const path = api.resolvePath(file.path)
    const onError = (error: Error): void => writer.complain(path, error)
    const target = await fileTarget(api, { ...file, path }, onError)
    writer.add(createLineDestination(path, target, renderer(file.format ?? format, false), onError))
  }
  if (transports.length === 0) return
  // winston takes a good part of the time in which a server starts: for those who have transports of it.
  const { createDestination } = await import('./destinations/destination.ts')
  for (const [index, transport] of transports.entries()) {
    const name = `transport ${index + 1}`
    const onError = (error: Error): void => writer.complain(name, error)
    writer.add(createDestination({ name, transport, render: renderer(format, false), onError }))
  }
}

/** One process writes the file, the only one or the one that leads the others. */
async function fileTarget(api: PluginApi, options: FileOptions, onError: (error: Error) => void): Promise<LineTarget> {
  const { openFile, sharedFileTarget } = await import('./destinations/shared-file.ts')
  if (api.applicationEntity.worker === undefined) return openFile(options, onError)
  const module = new URL('./destinations/shared-file.js', import.meta.url)
  return sharedFileTarget(await api.shareState<SharedFile>(`file ${options.path}`, module, options), onError)
}

function isColoured({ colour }: LoggingOptions): boolean {
  return colour === 'auto' ? process.stderr.isTTY && process.stderr.hasColors() : colour
}

function renderer(format: Format, isColoured: boolean): (entry: LogEntry) => string {
  return format === 'json' ? renderJson : (entry) => renderPretty(entry, isColoured)
}

/** Of a changed config the levels are taken over; what else changed holds from the next start. */
function reloadLevels(levels: LevelTable, config: ResolvedConfig, api: PluginApi): void {
  const plugin = findOwn(config.plugins)
  const parsed = loggingOptions.safeParse(plugin?.options ?? {})
  if (!parsed.success) {
    api.log.warn('the changed options are not valid, the log levels stay as they are')
    return
  }
  const current = createLevels(config, parsed.data).current()
  for (const area of LOG_AREAS) levels.set(current[area], area)
}

function findOwn(plugins: PluginInput | undefined): { readonly options?: unknown } | undefined {
  if (Array.isArray(plugins)) {
    for (const each of plugins as readonly PluginInput[]) {
      const found = findOwn(each)
      if (found !== undefined) return found
    }
    return undefined
  }
  if (isPlugin(plugins)) return plugins.name === 'logging' ? plugins : undefined
  if (typeof plugins !== 'object' || plugins === null || !('use' in plugins)) return undefined
  return plugins.use === '@dicomtap/plugin-logging' ? plugins : undefined
}
