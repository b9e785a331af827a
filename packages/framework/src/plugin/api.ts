import type { ApplicationEntity } from '../application-entity.ts'
import type { ResolvedConfig } from '../config/types.ts'
import { DicomtapError, harmless } from '../errors/index.ts'
import { containedController } from '../hooks/contained-signal.ts'
import type { HookFacade } from '../hooks/types.ts'
import type { Logger } from '../logger.ts'
import type { SharedState } from '../server-process.ts'
import type { Disposers } from './disposers.ts'
import type { ServiceRegistry } from './services.ts'
import type { PluginApi, SopClassSupport } from './types.ts'

/** What the container needs from the ApplicationEntity. */
export interface PluginHost {
  supportSopClass(support: SopClassSupport): void
  setLogSink: PluginApi['setLogSink']
  readonly logger: Logger
  /** Aborted when the AE closes. */
  readonly signal: AbortSignal
  resolvePath(path: string): string
  shareState<T extends object>(name: string, module: string, options: unknown): Promise<SharedState<T>>
}

export interface PluginApiParts {
  readonly plugin: string
  readonly applicationEntity: ApplicationEntity
  readonly config: ResolvedConfig
  readonly hooks: HookFacade
  readonly host: PluginHost
  readonly services: ServiceRegistry
  readonly disposers: Disposers
}

/** The api of one plugin. Its methods may be taken off it. */
export function createPluginApi(parts: PluginApiParts): PluginApi {
  const { plugin, applicationEntity, config, hooks, host, services, disposers } = parts
  const log = host.logger.child({ plugin }, 'plugin')
  return Object.freeze({
    applicationEntity,
    hooks,
    config,
    log,
    signal: signalOf(host.signal, log),
    supportSopClass: (support: SopClassSupport) => {
      checkSupport(plugin, support)
      host.supportSopClass(support)
    },
    provideService: (name: string, service: unknown) => services.provide(plugin, name, service),
    inject: (name: string) => services.inject(plugin, name) as never,
    injectOptional: (name: string) => services.injectOptional(name) as never,
    resolvePath: (path: string) => host.resolvePath(path),
    shareState: <T extends object>(name: string, module: string | URL, options: unknown) => host.shareState<T>(`${plugin}/${name}`, String(module), options),
    onDispose: (dispose: () => void | Promise<void>) => disposers.add(plugin, dispose),
    setLogSink: (...args: Parameters<PluginApi['setLogSink']>) => host.setLogSink(...args),
  }) satisfies PluginApi
}

/** Each plugin has a signal of its own: what its listeners throw is logged as its own, and the close goes on. */
function signalOf(closing: AbortSignal, log: Logger): AbortSignal {
  const controller = containedController(() => (error) => {
    log.error('a listener on the signal threw', { error: harmless(error) })
  })
  const close = (): void => controller.abort(closing.reason)
  if (closing.aborted) close()
  else closing.addEventListener('abort', close, { once: true })
  return controller.signal
}

function checkSupport(plugin: string, { uid, transferSyntaxes }: SopClassSupport): void {
  if (typeof uid !== 'string' || !Array.isArray(transferSyntaxes) || transferSyntaxes.length === 0) {
    const message = `Plugin '${plugin}': supportSopClass needs a uid and at least one transfer syntax`
    throw new DicomtapError('DICOMTAP_ERR_PLG_INVALID', message)
  }
}
