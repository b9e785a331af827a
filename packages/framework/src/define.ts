import validRange from 'semver/ranges/valid.js'
import valid from 'semver/functions/valid.js'
import type { Config } from './config/types.ts'
import { LISTENER_PLUGINS } from './plugin/listener-options.ts'
import { DicomtapError } from './errors/index.ts'
import type { Plugin, PluginDefinition, PluginFactory, PluginInput, StandardSchema } from './plugin/types.ts'
import { parseRequirement, pluginName } from './plugin/requirement.ts'

/** What a config file may export: the config, a promise of it, or a function that gives either. */
export type ConfigExport = Config | Promise<Config> | (() => Config | Promise<Config>)

/**
 * Gives a config file its types; returns what it gets.
 *
 * @example
 * export default defineConfig({ aeTitle: 'ARCHIVE', listen: [{ port: 11112 }], plugins: [verification()] })
 */
export function defineConfig(config: Config): Config
export function defineConfig(config: Promise<Config>): Promise<Config>
export function defineConfig(config: () => Config): () => Config
export function defineConfig(config: () => Promise<Config>): () => Promise<Config>
export function defineConfig(config: ConfigExport): ConfigExport {
  return config
}

/** Several plugins as one entry of `plugins`. */
export function definePreset(...plugins: PluginInput[]): readonly PluginInput[] {
  return Object.freeze(plugins)
}

/**
 * Makes a plugin's factory: call it with the options, put the result into `plugins` or `ae.use(...)`.
 * Options are validated when the plugin starts, not when the factory is called.
 *
 * @throws DICOMTAP_ERR_PLG_INVALID when the definition has no valid name, apply or version.
 * @example
 * export const hello = definePlugin({
 *   name: 'dicomtap-plugin-hello',
 *   apply(api) { api.hooks.associationEstablished.tap(() => api.log.info('hello')) },
 * })
 */
export function definePlugin<Schema extends StandardSchema | undefined = undefined>(
  definition: PluginDefinition<Schema>,
): PluginFactory<Schema> {
  checkDefinition(definition)
  const { version = '0.0.0', framework, requires = [], before = [], after = [], options: optionsSchema, listenerOptions } = definition
  const name = pluginName(definition.name)
  const create = (options?: unknown): Plugin =>
    Object.freeze<Plugin>({
      name,
      version,
      framework,
      requires,
      before,
      after,
      optionsSchema,
      ...(listenerOptions === undefined ? {} : { listenerOptions }),
      options,
      apply: (api, validated) => definition.apply(api, validated as never),
    })
  Object.defineProperty(create, 'name', { value: name })
  return Object.freeze(Object.assign(create, { plugin: definition })) as PluginFactory<Schema>
}

/** True for what a factory of `definePlugin` returns, also of another installed copy of the framework. */
export function isPlugin(value: unknown): value is Plugin {
  if (typeof value !== 'object' || value === null) return false
  const { name, version, requires, before, after, apply } = value as Partial<Plugin>
  return (
    typeof name === 'string' &&
    typeof version === 'string' &&
    Array.isArray(requires) &&
    Array.isArray(before) &&
    Array.isArray(after) &&
    typeof apply === 'function'
  )
}

/** True for what `definePlugin` returns, also of another installed copy of the framework. */
export function isPluginFactory(value: unknown): value is PluginFactory {
  if (typeof value !== 'function') return false
  const { plugin } = value as Partial<PluginFactory>
  return typeof plugin === 'object' && plugin !== null && typeof plugin.name === 'string' && typeof plugin.apply === 'function'
}

// npm's rule for package names.
const NAME = /^(?:@[a-z0-9~-][a-z0-9._~-]*\/)?[a-z0-9~-][a-z0-9._~-]{0,213}$/

function checkDefinition(definition: unknown): void {
  if (typeof definition !== 'object' || definition === null) throw invalid('definePlugin takes an object with name and apply')
  const { name, version, framework, requires, before, after, options, listenerOptions, apply } = definition as Partial<PluginDefinition>
  if (typeof name !== 'string' || !NAME.test(name)) {
    throw invalid(`A plugin's name must be a package name such as 'dicomtap-plugin-hello', got ${JSON.stringify(name) ?? typeof name}`)
  }
  if (typeof apply !== 'function') throw invalid(`Plugin '${name}' needs a function apply(api, options)`)
  if (version !== undefined && valid(version) === null) throw invalid(`Plugin '${name}': version '${version}' is not a version`)
  if (framework !== undefined && validRange(framework) === null) {
    throw invalid(`Plugin '${name}': framework '${framework}' is not a version range`)
  }
  for (const [key, names] of Object.entries({ requires, before, after })) {
    if (names === undefined) continue
    if (!Array.isArray(names) || names.some((entry) => typeof entry !== 'string' || entry === '')) {
      throw invalid(`Plugin '${name}': ${key} must be a list of plugin names`)
    }
  }
  for (const requirement of requires ?? []) {
    const { range } = parseRequirement(requirement)
    if (validRange(range) === null) throw invalid(`Plugin '${name}': requires '${requirement}' has no valid version range`)
  }
  for (const [key, schema] of Object.entries(listenerOptions ?? {})) {
    if (!Object.hasOwn(LISTENER_PLUGINS, key)) throw invalid(`Plugin '${name}': listenerOptions.${key} is not a key of a listener that plugins may define`)
    if (typeof schema?.['~standard']?.validate !== 'function') throw invalid(`Plugin '${name}': listenerOptions.${key} must be a Standard Schema`)
  }
  if (options !== undefined && typeof options['~standard']?.validate !== 'function') {
    throw invalid(`Plugin '${name}': options must be a Standard Schema, e.g. a zod object`)
  }
}

function invalid(message: string): DicomtapError {
  return new DicomtapError('DICOMTAP_ERR_PLG_INVALID', message)
}
