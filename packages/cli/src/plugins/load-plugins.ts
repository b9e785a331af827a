import { existsSync } from 'node:fs'
import { basename, dirname, isAbsolute, join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { DicomtapError } from '@dicomtap/framework'
import type { Plugin, PluginInput, ResolvedConfig } from '@dicomtap/framework'
import { isTypeScript, loadScript } from '../config/load-script.ts'
import { findPackage, packageNameOf, readManifest, resolveModule } from './locate.ts'
import { pluginFactories, shortName } from './plugin-factory.ts'
import type { NamedPluginFactory } from './plugin-factory.ts'

/**
 * Turns `plugins` of a config into plugins, in order: presets flattened, falsy entries skipped, names
 * loaded from the config file's folder (from the working folder when there is no file). All problems
 * are found before it throws.
 *
 * @throws DICOMTAP_ERR_PLG_NOT_FOUND, DICOMTAP_ERR_PLG_INVALID; an AggregateError when there are several
 */
export async function loadPlugins(config: Pick<ResolvedConfig, 'plugins' | 'file'>): Promise<Plugin[]> {
  const file = config.file ?? resolve('dicomtap.config.js')
  const entries = [...flatten(config.plugins ?? [], 'plugins')]
  // Read side by side: most of the time goes into opening many small files.
  const results = await Promise.allSettled(entries.map(({ input, path }) => loadPlugin(input, path, file)))
  const problems = results.flatMap((result): unknown[] => (result.status === 'rejected' ? [result.reason] : []))
  if (problems.length === 1) throw problems[0]
  if (problems.length > 1) throw new AggregateError(problems, `${problems.length} plugins cannot be loaded`)
  return results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
}

type Entry = string | { readonly use: string; readonly options?: unknown } | Plugin

function* flatten(inputs: readonly PluginInput[], at: string): Generator<{ input: Entry; path: string }> {
  for (const [index, input] of inputs.entries()) {
    const path = `${at}[${index}]`
    if (isPreset(input)) yield* flatten(input, path)
    else if (input !== false && input !== null && input !== undefined) yield { input, path }
  }
}

function isPreset(input: PluginInput): input is readonly PluginInput[] {
  return Array.isArray(input)
}

async function loadPlugin(input: Entry, path: string, file: string): Promise<Plugin> {
  if (typeof input === 'object' && !('use' in input)) return input
  const { use, options } = typeof input === 'string' ? { use: input, options: undefined } : input
  const where = `${basename(file)}: ${path}`
  const factory = pickFactory(use, await importPlugin(use, where, file), where)
  return factory(options)
}

function pickFactory(use: string, module: Readonly<Record<string, unknown>>, where: string): NamedPluginFactory {
  const factories = pluginFactories(module)
  if (factories.size === 1) return [...factories.values()][0] as NamedPluginFactory
  const names = [...factories.keys()].join(', ')
  if (factories.size === 0) {
    throw new DicomtapError(
      'DICOMTAP_ERR_PLG_INVALID',
      `${where}: "${use}" exports no plugin; a plugin is a named export made by definePlugin`,
    )
  }
  const wanted = shortName(packageNameOf(use))
  const matching = [...factories.values()].filter(({ plugin }) => plugin.name === wanted)
  if (matching.length === 1) return matching[0] as NamedPluginFactory
  throw new DicomtapError(
    'DICOMTAP_ERR_PLG_INVALID',
    `${where}: "${use}" exports several plugins (${names}) and none is named "${wanted}"; import the one you mean in a dicomtap.config.ts`,
  )
}

async function importPlugin(use: string, where: string, file: string): Promise<Readonly<Record<string, unknown>>> {
  const target = isPath(use) ? localFile(use, where, file) : await packageFile(use, where, file)
  try {
    if (isTypeScript(target)) return await loadScript(target)
    return (await import(pathToFileURL(target).href)) as Record<string, unknown>
  } catch (error) {
    throw new DicomtapError('DICOMTAP_ERR_PLG_NOT_FOUND', `${where}: "${use}" cannot be loaded: ${reason(error)}`, { cause: error })
  }
}

function isPath(use: string): boolean {
  return use.startsWith('./') || use.startsWith('../') || isAbsolute(use)
}

function localFile(use: string, where: string, file: string): string {
  const target = resolve(dirname(file), use)
  if (existsSync(target)) return target
  throw new DicomtapError('DICOMTAP_ERR_PLG_NOT_FOUND', `${where}: there is no file ${target}`)
}

async function packageFile(use: string, where: string, file: string): Promise<string> {
  const name = packageNameOf(use)
  const folder = findPackage(name, file)
  if (folder === undefined) throw new DicomtapError('DICOMTAP_ERR_PLG_NOT_FOUND', `${where}: "${use}" ${notInstalled(use, name, file)}`)
  try {
    return await resolveModule(use, file, await readManifest(folder))
  } catch (error) {
    throw new DicomtapError('DICOMTAP_ERR_PLG_NOT_FOUND', `${where}: "${use}" is installed in ${folder}, but has nothing to load: ${reason(error)}`, {
      cause: error,
    })
  }
}

/** What to do about a package that is not there. A file name without `./` is the commonest slip. */
function notInstalled(use: string, name: string, file: string): string {
  if (existsSync(join(dirname(file), use))) return `is a file: write "./${use}"`
  if (/^[a-z][a-z-]*$/u.test(name) && findPackage(`@dicomtap/plugin-${name}`, file) !== undefined) {
    return `is not installed; did you mean "@dicomtap/plugin-${name}"?`
  }
  return `is not installed; run: npm install ${name}`
}

function reason(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error)
  return text.split('\n', 1)[0] ?? ''
}
