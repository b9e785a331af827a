import { performance } from 'node:perf_hooks'
import type { ApplicationEntity } from '../application-entity.ts'
import type { ListenerOptions, ResolvedConfig } from '../config/types.ts'
import { isPlugin, isPluginFactory } from '../define.ts'
import { DicomtapError, harmless, messageOf } from '../errors/index.ts'
import type { GuardContext } from '../hooks/guard-context.ts'
import { tapFacade } from '../hooks/tap-facade.ts'
import type { HookTable } from '../hooks/types.ts'
import type { PluginHost } from './api.ts'
import { createPluginApi } from './api.ts'
import { Disposers } from './disposers.ts'
import { validateListenerOptions } from './listener-options.ts'
import type { ValidatedPlugin } from './options.ts'
import { validateAllOptions } from './options.ts'
import { orderPlugins } from './order.ts'
import { pluginName } from './requirement.ts'
import { ServiceRegistry } from './services.ts'
import type { Plugin, PluginApi, PluginInput } from './types.ts'

export interface PluginContainerOptions {
  readonly applicationEntity: ApplicationEntity
  readonly hooks: HookTable
  readonly config: ResolvedConfig
  readonly frameworkVersion: string
  readonly guardContext: GuardContext
  readonly host: PluginHost
  /** How long one plugin's `apply` may take; null means any time. Default 10 000. */
  readonly bootTimeoutMs?: number | null
  /** How long what all plugins registered with `onDispose` may take together. Default 10 000. */
  readonly disposeTimeoutMs?: number
}

/** A started plugin, for `dicomtap plugins` and `dicomtap check`. */
export interface PluginInfo {
  readonly name: string
  readonly version: string
  readonly requires: readonly string[]
  /** As validated, defaults filled in. Print them through `redactOptions`. */
  readonly options: unknown
  readonly bootMs: number
}

/** The plugins of one ApplicationEntity: puts them in order, starts them, and ends them in reverse. */
export class PluginContainer {
  readonly #options: PluginContainerOptions
  readonly #services = new ServiceRegistry()
  readonly #disposers: Disposers
  readonly #pending: Plugin[] = []
  readonly #started: { readonly plugin: Plugin; readonly info: PluginInfo }[] = []
  #booting: Promise<void> = Promise.resolve()

  constructor(options: PluginContainerOptions) {
    this.#options = options
    this.#disposers = new Disposers(options.disposeTimeoutMs ?? 10_000, (error) => options.host.logger.error(error.message))
  }

  /**
   * Adds plugins for the next `boot`: arrays are flattened, falsy entries skipped.
   * @throws DICOMTAP_ERR_PLG_INVALID for what is no plugin.
   */
  use(...plugins: PluginInput[]): void {
    this.#pending.push(...flatten(plugins))
  }

  /**
   * Starts the plugins added since the last time. When one fails, those already started are disposed and
   * the container is of no more use: every later `boot` rejects with the same error.
   * @throws DICOMTAP_ERR_PLG_*, and DICOMTAP_ERR_HOOK_* for wrong taps.
   */
  boot(): Promise<void> {
    this.#booting = this.#booting.then(() => this.#bootPending())
    return this.#booting
  }

  /** The started plugins, in the order of their start. */
  list(): PluginInfo[] {
    return this.#started.map(({ info }) => info)
  }

  /**
   * The options of a listener, with what plugins add to it checked.
   * @throws DICOMTAP_ERR_CFG_INVALID
   */
  listenerOptions(listener: ListenerOptions, where: string): Promise<ListenerOptions> {
    const plugins = this.#started.map(({ plugin }) => plugin)
    return validateListenerOptions(listener, plugins, where, this.#options.config.file)
  }

  /** Runs what plugins registered with `onDispose`, in reverse order; gives back what failed. */
  dispose(): Promise<Error[]> {
    return this.#disposers.run()
  }

  async #bootPending(): Promise<void> {
    const pending = this.#pending.splice(0)
    if (pending.length === 0) return
    try {
      for (const validated of await this.#prepare(pending)) await this.#start(validated)
    } catch (error) {
      for (const failed of await this.#disposers.run()) this.#options.host.logger.error(failed.message)
      throw error
    }
  }

  async #prepare(pending: readonly Plugin[]): Promise<ValidatedPlugin[]> {
    const { frameworkVersion, config, host } = this.#options
    const started = this.#started.map(({ plugin }) => plugin)
    const isStarted = new Set(started.map(({ name }) => name))
    const ordered = orderPlugins([...started, ...pending], frameworkVersion).filter((plugin) => pending.includes(plugin))
    for (const { name, before } of ordered) {
      const late = before.map(pluginName).filter((other) => isStarted.has(other))
      if (late.length > 0) host.logger.warn(`Plugin '${name}' asks to stand before ${late.join(', ')}, already started: add it earlier`)
    }
    return validateAllOptions(ordered, config.file)
  }

  async #start({ plugin, options }: ValidatedPlugin): Promise<void> {
    const { applicationEntity, config, hooks, guardContext, host, bootTimeoutMs = 10_000 } = this.#options
    const { name, version, requires } = plugin
    const api = createPluginApi({
      plugin: name,
      applicationEntity,
      config,
      hooks: tapFacade(hooks, plugin, guardContext),
      host,
      services: this.#services,
      disposers: this.#disposers,
    })
    const startedAt = performance.now()
    await apply(plugin, api, options, bootTimeoutMs)
    const bootMs = performance.now() - startedAt
    this.#started.push({ plugin, info: Object.freeze({ name, version, requires, options, bootMs }) })
    host.logger.debug('plugin started', { plugin: name, version, ms: Math.round(bootMs) })
  }
}

async function apply(plugin: Plugin, api: PluginApi, options: unknown, timeoutMs: number | null): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const expiry = new Promise<never>((_resolve, reject) => {
    if (timeoutMs === null) return
    const message = `Plugin '${plugin.name}' did not finish its start within ${timeoutMs} ms: does its apply() wait for something absent?`
    timer = setTimeout(() => reject(new DicomtapError('DICOMTAP_ERR_PLG_TIMEOUT', message)), timeoutMs)
  })
  try {
    await Promise.race([plugin.apply(api, options), expiry])
  } catch (error) {
    throw startError(plugin.name, error)
  } finally {
    clearTimeout(timer)
  }
}

/** Errors that name the plugin themselves keep their code. */
function startError(name: string, cause: unknown): unknown {
  if (cause instanceof DicomtapError && /^DICOMTAP_ERR_(?:PLG|HOOK)_/.test(cause.code)) return cause
  return new DicomtapError('DICOMTAP_ERR_PLG_FAILED', `Plugin '${name}' failed to start: ${messageOf(cause)}`, { cause: harmless(cause) })
}

function flatten(inputs: readonly PluginInput[]): Plugin[] {
  return inputs.flatMap((input): Plugin[] => {
    if (input === false || input === null || input === undefined) return []
    if (Array.isArray(input)) return flatten(input as readonly PluginInput[])
    if (isPlugin(input)) return [input]
    throw new DicomtapError('DICOMTAP_ERR_PLG_INVALID', describeMisfit(input))
  })
}

function describeMisfit(input: unknown): string {
  if (isPluginFactory(input)) return `'${pluginName(input.plugin.name)}' is a factory: call it to get the plugin, e.g. with its options`
  if (typeof input === 'string' || (typeof input === 'object' && input !== null && 'use' in input)) {
    const name = typeof input === 'string' ? input : String(input.use)
    return `'${name}' is a package name, which only a config file may use: import the plugin and pass what its factory returns`
  }
  return `A plugin is what a factory made with definePlugin returns, got ${input === null ? 'null' : typeof input}`
}
