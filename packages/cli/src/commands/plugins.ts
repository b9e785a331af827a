import { listTaps, redactOptions } from '@dicomtap/framework'
import type { ApplicationEntity, PluginInput, ResolvedConfig } from '@dicomtap/framework'
import { createApplication } from '../application.ts'
import { note, painter, print, printJson, table } from '../output/terminal.ts'
import { findPluginCommands } from '../plugin-commands/find.ts'
import { installedPlugins } from '../plugins/installed.ts'
import type { InstalledPlugin } from '../plugins/installed.ts'
import { packageNameOf } from '../plugins/locate.ts'
import { shortName } from '../plugins/plugin-factory.ts'
import type { JsonOptions } from '../program.ts'

/** What `dicomtap plugins --json` prints. */
export interface PluginsReport {
  readonly loaded: readonly LoadedPlugin[]
  readonly installed: readonly Pick<InstalledPlugin, 'package' | 'version' | 'description'>[]
  /** What plugins add to the command line, loaded or not. */
  readonly commands: readonly { readonly name: string; readonly package: string }[]
  /** Commands that packages name and that cannot be used, one line each. */
  readonly commandProblems: readonly string[]
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
  const { commands, problems } = await findPluginCommands(file)
  const report: PluginsReport = {
    loaded,
    installed: unused.map(({ package: name, version, description }) => ({ package: name, version, description })),
    commands: [...commands.values()].map(({ name, package: from }) => ({ name, package: from })),
    commandProblems: [...problems.values()],
  }
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

function printReport({ loaded, installed, commands, commandProblems }: PluginsReport): void {
  const paint = painter(process.stdout)
  print(paint('bold', 'Loaded, in the order in which they start'))
  if (loaded.length === 0) print('  none')
  else print(table(loaded.map((one) => [one.name, one.version, `${one.bootMs} ms`, one.hooks.join(', ')]), '  '))
  if (installed.length > 0) {
    print(`\n${paint('bold', 'Installed, not loaded')}`)
    print(table(installed.map((one) => [one.package, one.version, one.description]), '  '))
    print('Add one to "plugins" of the configuration to load it.')
  }
  if (commands.length > 0) {
    print(`\n${paint('bold', 'Commands that plugins bring')}`)
    print(table(commands.map((one) => [`dicomtap ${one.name}`, one.package]), '  '))
  }
  for (const problem of commandProblems) note(`${painter(process.stderr)('yellow', 'warning')}: ${problem}`)
}
