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
    if (folder === undefined) continue
    const { version = '', description = '', keywords = [] } = await manifestOf(folder)
    if (keywords.includes(PLUGIN_KEYWORD)) found.push({ package: name, version, description, folder })
  }
  return found
}

/** The nearest folder upwards with a package.json. */
function projectOf(folder: string): string | undefined {
  if (existsSync(join(folder, 'package.json'))) return folder
  const parent = dirname(folder)
  return parent === folder ? undefined : projectOf(parent)
}

/** A package.json that cannot be read is somebody else's concern here. */
async function manifestOf(folder: string): Promise<Manifest> {
  return readManifest(folder).catch(() => ({}))
}
