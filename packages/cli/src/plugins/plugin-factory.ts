import { isPluginFactory } from '@dicomtap/framework'
import type { Plugin, PluginFactory } from '@dicomtap/framework'

/** A factory as a config file names it: its options are checked when the plugin starts. */
export interface NamedPluginFactory {
  (options?: unknown): Plugin
  readonly plugin: PluginFactory['plugin']
}

/** The plugin factories that a module exports, by export name; the same one twice counts once. */
export function pluginFactories(module: Readonly<Record<string, unknown>>): Map<string, NamedPluginFactory> {
  const found = new Map<string, NamedPluginFactory>()
  for (const [name, value] of Object.entries(module)) {
    if (isPluginFactory(value) && ![...found.values()].includes(value)) found.set(name, value)
  }
  return found
}

/** The plugin's name that belongs to a package name: `@dicomtap/plugin-storage` is `storage`. */
export function shortName(packageName: string): string {
  return packageName.replace(/^@dicomtap\/plugin-/u, '')
}
