import { listTaps, redactOptions } from '@dicomtap/framework'
import type { ApplicationEntity, PluginInput, ResolvedConfig } from '@dicomtap/framework'
import { createApplication } from '../application.ts'
import { painter, print, printJson, table } from '../output/terminal.ts'
import { installedPlugins } from '../plugins/installed.ts'
import type { InstalledPlugin } from '../plugins/installed.ts'
import { packageNameOf } from '../plugins/locate.ts'
import { shortName } from '../plugins/plugin-factory.ts'
import type { JsonOptions } from '../program.ts'

/** What `dicomtap plugins --json` prints. */
export interface PluginsReport {
  readonly loaded: readonly LoadedPlugin[]
  readonly installed: readonly Omit<InstalledPlugin, 'folder'>[]
}
export interface LoadedPlugin {
  readonly name: string
  readonly version: string
  readonly bootMs: number
  readonly options: unknown
  /** Hooks that it acts on. */
  readonly hooks: readonly string[]
}

/** Lists the plugins that the configuration loads, and those that are installed without being loaded. */
export async function plugins(options: JsonOptions): Promise<number> {
  const { ae, config, file } = await createApplication(options.config)
  const loaded = describeLoaded(ae)
  const unused = (await installedPlugins(file)).filter((one) => !isLoaded(one, loaded, config))
  await ae.close({ deadlineMs: 0 })
  const report: PluginsReport = { loaded, installed: unused.map(({ folder: _folder, ...one }) => one) }
  if (options.json === true) printJson(report)
  else printReport(report)
  return 0
}

function describeLoaded(ae: ApplicationEntity): LoadedPlugin[] {
  const listings = listTaps(ae.hooks)
  return ae.plugins().map(({ name, version, bootMs, options }) => ({
    name,
    version,
    bootMs: Math.round(bootMs * 10) / 10,
    options: redactOptions(options) ?? null,
    hooks: listings.filter(({ taps }) => taps.some(({ plugin }) => plugin === name)).map(({ hook }) => hook),
  }))
}

/** By the name in the config, or, when the config holds the plugin itself, by the plugin's name. */
function isLoaded({ package: name }: InstalledPlugin, loaded: readonly LoadedPlugin[], config: ResolvedConfig): boolean {
  return loaded.some((one) => one.name === name || one.name === shortName(name)) || namesIn(config.plugins ?? []).includes(name)
}

function namesIn(inputs: readonly PluginInput[]): string[] {
  return inputs.flatMap((input): string[] => {
    if (typeof input === 'string') return [packageNameOf(input)]
    if (Array.isArray(input)) return namesIn(input as readonly PluginInput[])
    return typeof input === 'object' && input !== null && 'use' in input ? [packageNameOf(input.use)] : []
  })
}

function printReport({ loaded, installed }: PluginsReport): void {
  const paint = painter(process.stdout)
  print(paint('bold', 'Loaded, in the order in which they start'))
  if (loaded.length === 0) print('  none')
  else print(table(loaded.map((one) => [one.name, one.version, `${one.bootMs} ms`, one.hooks.join(', ')]), '  '))
  if (installed.length === 0) return
  print(`\n${paint('bold', 'Installed, not loaded')}`)
  print(table(installed.map((one) => [one.package, one.version, one.description]), '  '))
  print('Add one to "plugins" of the configuration to load it.')
}
