import { dirname, isAbsolute, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { OWN_COMMANDS } from '../own-commands.ts'
import { installedPlugins, pluginAt, projectOf } from '../plugins/installed.ts'
import type { InstalledPlugin } from '../plugins/installed.ts'
import { findPackage } from '../plugins/locate.ts'
import { FIRST_PARTY_COMMANDS } from './first-party.ts'

/** A command as a package.json names it; its module is not loaded. */
export interface FoundCommand {
  readonly name: string
  readonly package: string
  readonly version: string
  /** Absolute path of the module. */
  readonly module: string
}

export interface FoundCommands {
  /** By name. */
  readonly commands: ReadonlyMap<string, FoundCommand>
  /** Why a command that a package names is not among them, one line each, by the command's name. */
  readonly problems: ReadonlyMap<string, string>
}

const NAME = /^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$/u

/**
 * The commands of the plugins that the project of `file` depends on, of the project itself when it is a plugin, and
 * of dicomtap's own plugins wherever they are found from `file` or from this package.
 */
export async function findPluginCommands(file: string): Promise<FoundCommands> {
  const commands = new Map<string, FoundCommand>()
  const problems = new Map<string, string>()
  const doubled = new Map<string, string>()
  for (const plugin of await candidates(file)) {
    for (const [name, path] of Object.entries(plugin.commands)) {
      const problem = problemOf(name, path, plugin)
      const other = commands.get(name)
      if (problem !== undefined) problems.set(name, problem)
      else if (other !== undefined) doubled.set(name, `dicomtap ${name}: both ${other.package} and ${plugin.package} bring this command; keep one of them`)
      else commands.set(name, { name, package: plugin.package, version: plugin.version, module: join(plugin.folder, path as string) })
    }
  }
  for (const name of doubled.keys()) commands.delete(name)
  return { commands, problems: new Map([...problems, ...doubled]) }
}

async function candidates(file: string): Promise<InstalledPlugin[]> {
  const project = projectOf(dirname(file))
  const own = project === undefined ? undefined : await pluginAt(project)
  const installed = await installedPlugins(file)
  const known = new Set([own, ...installed].map((plugin) => plugin?.package))
  const others: InstalledPlugin[] = []
  for (const { package: name } of Object.values(FIRST_PARTY_COMMANDS)) {
    if (known.has(name)) continue
    const folder = findPackage(name, file) ?? findPackage(name, fileURLToPath(import.meta.url))
    const plugin = folder === undefined ? undefined : await pluginAt(folder)
    if (plugin !== undefined) others.push(plugin)
  }
  return [...(own === undefined ? [] : [own]), ...installed, ...others]
}

function problemOf(name: string, path: unknown, { package: from, folder }: InstalledPlugin): string | undefined {
  if (!NAME.test(name)) return `${from}: a command is named in lower case, with hyphens; ${JSON.stringify(name)} is not`
  if (OWN_COMMANDS.has(name)) return `${from}: its command "${name}" cannot be used, dicomtap has one of this name`
  if (typeof path !== 'string' || path === '') return `${from}: dicomtap.commands.${name} in its package.json must be the path of a module`
  const inside = relative(folder, join(folder, path))
  const isInside = !isAbsolute(path) && inside !== '' && !inside.startsWith('..') && !isAbsolute(inside)
  return isInside ? undefined : `${from}: dicomtap.commands.${name} in its package.json leads out of the package`
}
