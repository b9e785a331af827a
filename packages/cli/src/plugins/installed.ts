import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { findPackage, readManifest } from './locate.ts'
import type { Manifest } from './locate.ts'

/** The keyword that plugin packages carry. */
export const PLUGIN_KEYWORD = 'dicomtap-plugin'

export interface InstalledPlugin {
  readonly package: string
  readonly version: string
  readonly description: string
  /** Absolute. */
  readonly folder: string
  /** `dicomtap.commands` of its package.json, not checked: name -> path of a module. */
  readonly commands: Readonly<Record<string, unknown>>
}

/**
 * The plugin packages among the dependencies of the project that `file` lies in, by name. Those of
 * workspaces and of other packages are not looked through: they are not the site's own choice.
 */
export async function installedPlugins(file: string): Promise<InstalledPlugin[]> {
  const project = projectOf(dirname(file))
  if (project === undefined) return []
  const { dependencies, devDependencies, optionalDependencies } = await manifestOf(project)
  const names = Object.keys({ ...dependencies, ...devDependencies, ...optionalDependencies }).sort()
  const found: InstalledPlugin[] = []
  for (const name of names) {
    const folder = findPackage(name, file)
    const plugin = folder === undefined ? undefined : await pluginAt(folder)
    if (plugin !== undefined) found.push({ ...plugin, package: name })
  }
  return found
}

/** The plugin package in a folder; undefined when it is none. */
export async function pluginAt(folder: string): Promise<InstalledPlugin | undefined> {
  const { name = '', version = '', description = '', keywords = [], dicomtap } = await manifestOf(folder)
  if (!Array.isArray(keywords) || !keywords.includes(PLUGIN_KEYWORD)) return undefined
  const commands = dicomtap?.commands
  const isObject = typeof commands === 'object' && commands !== null && !Array.isArray(commands)
  return { package: name, version, description, folder, commands: isObject ? (commands as Record<string, unknown>) : {} }
}

/** The nearest folder upwards with a package.json. */
export function projectOf(folder: string): string | undefined {
  if (existsSync(join(folder, 'package.json'))) return folder
  const parent = dirname(folder)
  return parent === folder ? undefined : projectOf(parent)
}

/** A package.json that cannot be read is somebody else's concern here. */
async function manifestOf(folder: string): Promise<Manifest> {
  return readManifest(folder).catch(() => ({}))
}
