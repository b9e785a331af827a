import type { ApplicationEntity } from '../application-entity.ts'
import type { ListenerPluginKey, ResolvedConfig } from '../config/types.ts'
import type { HookFacade } from '../hooks/types.ts'
import type { LogArea, Logger, LogLevel, LogSink } from '../logger.ts'
import type { SharedState } from '../server-process.ts'

/**
 * Services that plugins give each other by name. Extend it by declaration merging:
 *
 * @example
 * declare module '@dicomtap/framework' {
 *   interface PluginServices { 'verification.lastEcho': LastEchoService }
 * }
 */
// oxlint-disable-next-line typescript/no-empty-object-type -- merged into by plugins
export interface PluginServices {}

/** The interface of https://standardschema.dev, version 1: zod, valibot, arktype and others have it. */
export interface StandardSchema<Input = unknown, Output = Input> {
  readonly '~standard': {
    readonly version: 1
    readonly vendor: string
    readonly validate: (value: unknown) => StandardResult<Output> | Promise<StandardResult<Output>>
    readonly types?: { readonly input: Input; readonly output: Output } | undefined
  }
}
export type StandardResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly StandardIssue[] }
export interface StandardIssue {
  readonly message: string
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined
}

export type OptionsInput<S> = S extends StandardSchema<infer I, infer _O> ? I : undefined
export type OptionsOutput<S> = S extends StandardSchema<infer _I, infer O> ? O : undefined

/** The schemas of listener keys, by key. */
export type ListenerOptionsSchemas = { readonly [Key in ListenerPluginKey]?: StandardSchema }

/** A SOP class that a plugin serves. */
export interface SopClassSupport {
  readonly uid: string
  /** In order of preference. */
  readonly transferSyntaxes: readonly string[]
  readonly roles?: { readonly scu: boolean; readonly scp: boolean }
}

/** What a plugin gets in `apply`. */
export interface PluginApi {
  readonly applicationEntity: ApplicationEntity
  /** Tap-only; taps carry the plugin's name. Closed once the server listens. */
  readonly hooks: HookFacade
  readonly config: ResolvedConfig
  readonly log: Logger
  /** Aborted when the AE closes. */
  readonly signal: AbortSignal
  supportSopClass(support: SopClassSupport): void
  /** Offer a service to plugins that come later. @throws DICOMTAP_ERR_PLG_SERVICE when the name is taken. */
  provideService<Name extends keyof PluginServices>(name: Name, service: PluginServices[Name]): void
  provideService(name: string, service: unknown): void
  /** The service of that name. @throws DICOMTAP_ERR_PLG_SERVICE when no plugin before this one provided it. */
  inject<Name extends keyof PluginServices>(name: Name): PluginServices[Name]
  inject<T = unknown>(name: string): T
  /** As `inject`, but undefined when there is none. */
  injectOptional<Name extends keyof PluginServices>(name: Name): PluginServices[Name] | undefined
  injectOptional<T = unknown>(name: string): T | undefined
  /** An absolute path: relative ones start at the config file's folder, else the working folder. */
  resolvePath(path: string): string
  /**
   * State that holds for the whole server, however many processes it has (`dicomtap start --workers`): counts of a
   * limit, a file that only one may write. `module` exports `createSharedState(options, { log })`; with several processes
   * one of them loads it, and calls of the others reach it as JSON. The first call of a name makes it.
   * @throws what the module throws
   * @example
   * const state = await api.shareState<Counter>('counter', new URL('./counter.js', import.meta.url), {})
   * const count = await state.call('increase', 'CT1')
   */
  shareState<T extends object>(name: string, module: string | URL, options: unknown): Promise<SharedState<T>>
  /** Run at close, in reverse order of registration over all plugins. */
  onDispose(dispose: () => void | Promise<void>): void
  /** Take over log output; the last plugin to call it wins. The returned function restores the previous one. */
  setLogSink(sink: LogSink, isEnabled?: (level: LogLevel, area: LogArea) => boolean): () => void
}

/** What `definePlugin` takes. */
export interface PluginDefinition<Schema extends StandardSchema | undefined = StandardSchema | undefined> {
  /** The package's name, without scope `@dicomtap/plugin-`: `storage`, `dicomtap-plugin-quarantine`. */
  readonly name: string
  readonly version?: string
  /** Semver range of the framework, e.g. `^0.1.0`. */
  readonly framework?: string
  /** Names of plugins that must be loaded, with an optional range: `storage` or `storage@^1`. */
  readonly requires?: readonly string[]
  /** Plugins this one stands before or after, when they are there. */
  readonly before?: readonly string[]
  readonly after?: readonly string[]
  readonly options?: Schema
  /** What the plugin takes at each listener, e.g. `{ tls: z.object({...}) }`: the schema of the key. */
  readonly listenerOptions?: ListenerOptionsSchemas
  apply(api: PluginApi, options: OptionsOutput<Schema>): void | Promise<void>
}

/** A plugin with its options bound: what goes into `plugins: [...]` and `ae.use(...)`. */
export interface Plugin {
  readonly name: string
  readonly version: string
  readonly framework: string | undefined
  readonly requires: readonly string[]
  readonly before: readonly string[]
  readonly after: readonly string[]
  readonly optionsSchema: StandardSchema | undefined
  readonly listenerOptions?: ListenerOptionsSchemas
  /** As given, before validation. */
  readonly options: unknown
  apply(api: PluginApi, options: unknown): void | Promise<void>
}

/** A named export of a plugin package: `storage({ directory: './data' })`. Its metadata hang on it. */
export interface PluginFactory<Schema extends StandardSchema | undefined = StandardSchema | undefined> {
  (options?: OptionsInput<Schema>): Plugin
  readonly plugin: PluginDefinition<Schema>
}

/** An entry of `plugins`: a package name, `{ use, options }`, a plugin, a preset, or nothing. */
export type PluginInput =
  | string
  | { readonly use: string; readonly options?: unknown }
  | Plugin
  | readonly PluginInput[]
  | false
  | null
  | undefined
